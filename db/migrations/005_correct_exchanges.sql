-- Migration 005: the addresses and limits of the first exchanges as the exchanges document them now.
--
-- Migration 002 inserts the seed's rows, and two of its addresses and all of its limits are out of date. This one corrects
-- a row only where nobody has changed it: every column still has the seed's value, and the history has no change of
-- it but those of this migration. A row that was switched off, renamed or given another limit stays as it is, and so
-- does one that an operator has corrected already; docs/operations.md says how to bring such a row up to date. A row
-- that the seed's own script made, and that nobody has touched since, is corrected as one of migration 002.
--
-- Sources, read in 2026:
-- * MEXC websocket: wss://wbs-api.mexc.com/ws, by MEXC's documents of the spot API (version 3) of 2025-09. MEXC's
--   announcement of API updates: "On Aug 4, 2025, 06:00 (UTC), MEXC will discontinue V3 WebSocket daily URL service
--   (wss://wbs.mexc.com/ws)".
-- * MEXC limit: "Each endpoint with IP limits has an independent 500 every 10 second limit", in weights, by the same
--   documents. The column holds requests per second, so 50: right for a request of weight 1, the lightest. A heavier
--   one needs as much more time as it weighs: GET /api/v3/exchangeInfo weighs 25, so 2 per second. Other sources
--   (not MEXC) speak of 300 per 10 seconds for all endpoints together.
-- * Gate.io futures websocket: wss://fx-ws.gateio.ws/v4/ws/usdt, by Gate.io's documents of the futures websocket,
--   version 4. The settlement belongs to the address; for contracts settled in BTC it ends in /btc.
-- * Gate.io limit: "Public endpoints: 200r/10s per endpoint", per IP, by Gate.io's documents of API v4 of 2026-06. So 20,
--   for spot and futures alike.

-- migrate:up
SET LOCAL lock_timeout = '200ms';
-- Before all else, so that the down part knows whose transaction it is in.
DO $$ BEGIN PERFORM set_config('exchanges_db.direction', 'up', true); END $$;

DO $$
DECLARE
    program text := current_setting('application_name');
BEGIN
    -- The history names this migration in place of the program that runs it: by that the down part, and an up part
    -- after it, tell what was done here from what an operator did.
    PERFORM set_config('application_name', 'exchanges_db migration 005', true);
    UPDATE public.exchanges AS e
    SET websocket_url = correction.websocket_url,
        rate_limit_requests_per_second = correction.rate_limit
    FROM (VALUES
        ('MEXC_SPOT', 'MEXC Spot Trading', 'SPOT', 'https://api.mexc.com',
         'wss://wbs.mexc.com/ws', 'wss://wbs-api.mexc.com/ws', 50),
        ('GATEIO_SPOT', 'Gate.io Spot Trading', 'SPOT', 'https://api.gateio.ws',
         'wss://api.gateio.ws/ws/v4/', 'wss://api.gateio.ws/ws/v4/', 20),
        ('GATEIO_FUTURES', 'Gate.io Futures Trading', 'FUTURES', 'https://api.gateio.ws',
         'wss://fx-ws.gateio.ws/v4/ws/', 'wss://fx-ws.gateio.ws/v4/ws/usdt', 20)
    ) AS correction (enum_value, display_name, market_type, base_url, seeds_websocket_url, websocket_url, rate_limit)
    WHERE e.name = correction.enum_value
      AND e.enum_value = correction.enum_value
      AND e.display_name = correction.display_name
      AND e.market_type = correction.market_type
      AND e.is_active
      AND e.base_url = correction.base_url
      AND e.websocket_url = correction.seeds_websocket_url
      AND e.rate_limit_requests_per_second = 100
      AND e.precision_default = 8
      AND NOT EXISTS (
          SELECT FROM public.exchange_history AS h
          WHERE h.exchange_id = e.id AND h.operation = 'UPDATE'
            AND h.application_name <> 'exchanges_db migration 005'
      );
    PERFORM set_config('application_name', program, true);
END
$$;

-- migrate:down
SET LOCAL lock_timeout = '200ms';
-- One statement that undoes nothing unless dbmate runs it. Another program runs this file from end to end: then the up
-- part stands in the same transaction, or this statement has a transaction of its own; dbmate begins one before it.
DO $$
DECLARE
    program text := current_setting('application_name');
BEGIN
    IF current_setting('exchanges_db.direction', true) = 'up' OR transaction_timestamp() = statement_timestamp() THEN
        RAISE WARNING 'migration 005 was not undone: only dbmate runs its down part, by dbmate rollback';
        RETURN;
    END IF;
    PERFORM set_config('application_name', 'exchanges_db migration 005', true);
    -- Only what the up part wrote, where nobody has changed the row since: its last change is the one of this migration.
    UPDATE public.exchanges AS e
    SET websocket_url = h.old_row ->> 'websocket_url',
        rate_limit_requests_per_second = (h.old_row ->> 'rate_limit_requests_per_second')::integer
    FROM public.exchange_history AS h
    WHERE h.exchange_id = e.id AND h.version = e.version AND h.operation = 'UPDATE'
      AND h.application_name = 'exchanges_db migration 005'
      AND (h.old_row ->> 'rate_limit_requests_per_second')::integer = 100;
    PERFORM set_config('application_name', program, true);
END
$$;
