-- Migration 002: the exchanges reference table and its first rows.
--
-- The number starts at 002 because 001 belongs to the system that this layer is added to.
--
-- "The seed" is the draft that this project began as, with a script 002 of its own. Where that was already run by
-- hand, the table and its rows stay, and it gets the constraints below. If a row breaks one of them, the migration
-- stops with the name of the constraint and leaves everything as it was. It also stops if there is a table of that
-- name which lacks columns of the seed's, because that is another program's.

-- migrate:up
SET LOCAL lock_timeout = '200ms';
-- Before all else, so that the down part knows whose transaction it is in.
DO $$ BEGIN PERFORM set_config('exchanges_db.direction', 'up', true); END $$;

DO $$
BEGIN
    -- The columns that the seed's table and this one have in common. to_regclass finds views and sequences too.
    IF to_regclass('public.exchanges') IS NOT NULL AND (
        SELECT count(*)
        FROM pg_catalog.pg_attribute AS a
        JOIN (VALUES ('id', 'smallint'), ('name', 'character varying(50)'), ('enum_value', 'character varying(50)'),
                     ('display_name', 'character varying(100)'), ('market_type', 'character varying(20)'),
                     ('is_active', 'boolean'), ('base_url', 'character varying(255)'),
                     ('websocket_url', 'character varying(255)'), ('rate_limit_requests_per_second', 'integer'),
                     ('precision_default', 'smallint'), ('created_at', 'timestamp with time zone'),
                     ('updated_at', 'timestamp with time zone')) AS seed (column_name, column_type)
          ON a.attname = seed.column_name AND format_type(a.atttypid, a.atttypmod) = seed.column_type
        WHERE a.attrelid = to_regclass('public.exchanges') AND a.attnum > 0
    ) < 12 THEN
        RAISE EXCEPTION 'public.exchanges is there already and is not the table of exchanges_db, whose columns it lacks: rename or move it, or give exchanges_db a database of its own'
            USING ERRCODE = 'duplicate_table';
    END IF;
END
$$;

CREATE TABLE IF NOT EXISTS public.exchanges (
    id SMALLINT GENERATED ALWAYS AS IDENTITY,
    name VARCHAR(50) NOT NULL,
    enum_value VARCHAR(50) NOT NULL,
    display_name VARCHAR(100) NOT NULL,
    market_type VARCHAR(20) NOT NULL,
    is_active BOOLEAN NOT NULL DEFAULT true,
    base_url VARCHAR(255),
    websocket_url VARCHAR(255),
    rate_limit_requests_per_second INTEGER,
    precision_default SMALLINT DEFAULT 8,
    created_at TIMESTAMPTZ DEFAULT NOW() NOT NULL,
    updated_at TIMESTAMPTZ DEFAULT NOW() NOT NULL,
    CONSTRAINT exchanges_pkey PRIMARY KEY (id),
    CONSTRAINT exchanges_name_key UNIQUE (name),
    CONSTRAINT exchanges_enum_value_key UNIQUE (enum_value)
);

-- NULL and the default mean the same precision: keep one spelling.
UPDATE public.exchanges SET precision_default = 8 WHERE precision_default IS NULL;
ALTER TABLE public.exchanges ALTER COLUMN precision_default SET NOT NULL;

-- Added after the table, so that an adopted table gets them too. exchanges/rules.py checks the same rules first.
ALTER TABLE public.exchanges
    ADD CONSTRAINT exchanges_name_printable
        CHECK (name ~ '[^ ]' AND name !~ '[\x01-\x1f\x7f]'),
    ADD CONSTRAINT exchanges_enum_value_printable
        CHECK (enum_value ~ '[^ ]' AND enum_value !~ '[\x01-\x1f\x7f]'),
    ADD CONSTRAINT exchanges_display_name_printable
        CHECK (display_name ~ '[^ ]' AND display_name !~ '[\x01-\x1f\x7f]'),
    ADD CONSTRAINT exchanges_market_type_known
        CHECK (market_type::text IN ('SPOT', 'FUTURES', 'OPTIONS')),
    ADD CONSTRAINT exchanges_base_url_scheme
        CHECK (base_url ~ '^https?://[^/ \x01-\x1f\x7f][^ \x01-\x1f\x7f]*$'),
    ADD CONSTRAINT exchanges_websocket_url_scheme
        CHECK (websocket_url ~ '^wss?://[^/ \x01-\x1f\x7f][^ \x01-\x1f\x7f]*$'),
    ADD CONSTRAINT exchanges_rate_limit_positive
        CHECK (rate_limit_requests_per_second > 0),
    ADD CONSTRAINT exchanges_precision_default_range
        CHECK (precision_default BETWEEN 0 AND 18);

-- Indexes: the seed has three. Measured on 2,000 and 20,000 rows, the planner takes idx_exchanges_active where few
-- rows are active and idx_exchanges_market_type where a type is rare; idx_exchanges_enum_value only ever stands
-- in for exchanges_enum_value_key, which answers the same look-up, so every write would pay twice for it.
CREATE INDEX IF NOT EXISTS idx_exchanges_active ON public.exchanges (is_active) WHERE is_active = true;
CREATE INDEX IF NOT EXISTS idx_exchanges_market_type ON public.exchanges (market_type);
DROP INDEX IF EXISTS public.idx_exchanges_enum_value;

-- Insert the members of ExchangeEnum. exchanges/defaults.py has the same values; a test compares the two.
INSERT INTO public.exchanges
    (name, enum_value, display_name, market_type, base_url, websocket_url, rate_limit_requests_per_second)
VALUES
    ('MEXC_SPOT', 'MEXC_SPOT', 'MEXC Spot Trading', 'SPOT',
     'https://api.mexc.com', 'wss://wbs.mexc.com/ws', 100),
    ('GATEIO_SPOT', 'GATEIO_SPOT', 'Gate.io Spot Trading', 'SPOT',
     'https://api.gateio.ws', 'wss://api.gateio.ws/ws/v4/', 100),
    ('GATEIO_FUTURES', 'GATEIO_FUTURES', 'Gate.io Futures Trading', 'FUTURES',
     'https://api.gateio.ws', 'wss://fx-ws.gateio.ws/v4/ws/', 100)
ON CONFLICT (enum_value) DO NOTHING;

COMMENT ON TABLE public.exchanges IS 'Reference table for supported cryptocurrency exchanges with metadata and configuration';
COMMENT ON COLUMN public.exchanges.enum_value IS 'Maps to ExchangeEnum values in application code';
COMMENT ON COLUMN public.exchanges.market_type IS 'SPOT, FUTURES, or OPTIONS trading';

-- migrate:down
SET LOCAL lock_timeout = '200ms';
-- One statement that undoes nothing unless dbmate runs it. Another program runs this file from end to end: then the up
-- part stands in the same transaction, or this statement has a transaction of its own; dbmate begins one before it.
DO $$
BEGIN
    IF current_setting('exchanges_db.direction', true) = 'up' OR transaction_timestamp() = statement_timestamp() THEN
        RAISE WARNING 'migration 002 was not undone: only dbmate runs its down part, by dbmate rollback';
        RETURN;
    END IF;
    DROP TABLE public.exchanges;
END
$$;
