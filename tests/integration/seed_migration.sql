-- Migration 002: Create exchanges reference table
-- This script creates the normalized exchanges table
-- and populates it with current exchange data

CREATE TABLE IF NOT EXISTS exchanges (
    id SMALLINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name VARCHAR(50) UNIQUE NOT NULL,              
    enum_value VARCHAR(50) UNIQUE NOT NULL,        
    display_name VARCHAR(100) NOT NULL,            
    market_type VARCHAR(20) NOT NULL,              
    is_active BOOLEAN NOT NULL DEFAULT true,
    base_url VARCHAR(255),                         
    websocket_url VARCHAR(255),                    
    rate_limit_requests_per_second INTEGER,        
    precision_default SMALLINT DEFAULT 8,          
    created_at TIMESTAMPTZ DEFAULT NOW() NOT NULL,
    updated_at TIMESTAMPTZ DEFAULT NOW() NOT NULL
);

-- Performance indexes for HFT operations
CREATE INDEX IF NOT EXISTS idx_exchanges_enum_value ON exchanges(enum_value);
CREATE INDEX IF NOT EXISTS idx_exchanges_active ON exchanges(is_active) WHERE is_active = true;
CREATE INDEX IF NOT EXISTS idx_exchanges_market_type ON exchanges(market_type);

-- Populate with current exchanges from ExchangeEnum
INSERT INTO exchanges (name, enum_value, display_name, market_type, base_url, websocket_url, rate_limit_requests_per_second) VALUES
('MEXC_SPOT', 'MEXC_SPOT', 'MEXC Spot Trading', 'SPOT', 'https://api.mexc.com', 'wss://wbs.mexc.com/ws', 100),
('GATEIO_SPOT', 'GATEIO_SPOT', 'Gate.io Spot Trading', 'SPOT', 'https://api.gateio.ws', 'wss://api.gateio.ws/ws/v4/', 100),
('GATEIO_FUTURES', 'GATEIO_FUTURES', 'Gate.io Futures Trading', 'FUTURES', 'https://api.gateio.ws', 'wss://fx-ws.gateio.ws/v4/ws/', 100)
ON CONFLICT (enum_value) DO NOTHING;

-- Add helpful comments
COMMENT ON TABLE exchanges IS 'Reference table for supported cryptocurrency exchanges with metadata and configuration';
COMMENT ON COLUMN exchanges.enum_value IS 'Maps to ExchangeEnum values in application code';
COMMENT ON COLUMN exchanges.market_type IS 'SPOT, FUTURES, or OPTIONS trading';
