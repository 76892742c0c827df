-- Migration 010: prepares the past as columns instead of JSON, beside what is in use.
--
-- Rows of symbol_history are written once, so a table with the columns of symbols is filled beside it: 010 makes that table
-- and has every new row copied into it, 011 copies the older ones, 012 puts it in the place of symbol_history. Code of
-- before goes on reading and writing up to 012, and nothing that takes long keeps a lock that it waits for.

-- migrate:up
SET LOCAL lock_timeout = '200ms';
-- Before all else, so that the down part knows whose transaction it is in.
DO $$ BEGIN PERFORM set_config('exchanges_db.direction', 'up', true); END $$;

-- psql goes on after an error, unless it is told not to: where this file was applied before, or a row has no place in what
-- it makes, nothing more is written in this session.
DO $$
DECLARE
    stopped boolean := to_regclass('public.symbol_history_typed') IS NOT NULL
        OR to_regclass('public.idx_exchange_history_enum_value') IS NOT NULL
        OR to_regclass('public.symbols') IS NULL;
BEGIN
    IF NOT stopped THEN
        stopped := EXISTS (SELECT FROM public.symbols AS s
                           WHERE least(s.buy_opens_at, s.sell_opens_at, s.delisting_at, s.delisted_at, s.expires_at, s.exchange_changed_at, s.observed_at) < '1970-01-01 00:00:00+00'
                              OR greatest(s.buy_opens_at, s.sell_opens_at, s.delisting_at, s.delisted_at, s.expires_at, s.exchange_changed_at, s.observed_at) >= '9999-12-31 00:00:00+00');
    END IF;
    IF stopped THEN
        PERFORM set_config('default_transaction_read_only', 'on', false), set_config('transaction_read_only', 'on', false);
    END IF;
END
$$;

DO $$
DECLARE
    wrong text;
BEGIN
    IF to_regclass('public.symbol_history_typed') IS NOT NULL THEN
        RAISE EXCEPTION 'public.symbol_history_typed is there already and was not made by migration 010 of exchanges_db: rename or move it, or give exchanges_db a database of its own'
            USING ERRCODE = 'duplicate_table';
    END IF;
    IF to_regclass('public.idx_exchange_history_enum_value') IS NOT NULL THEN
        RAISE EXCEPTION 'migration 010 of exchanges_db was applied already, or public.idx_exchange_history_enum_value is another program''s'
            USING ERRCODE = 'duplicate_table';
    END IF;
    SELECT string_agg(s.native_symbol, ', ' ORDER BY s.id) INTO wrong
    FROM public.symbols AS s
    WHERE least(s.buy_opens_at, s.sell_opens_at, s.delisting_at, s.delisted_at, s.expires_at, s.exchange_changed_at, s.observed_at) < '1970-01-01 00:00:00+00'
       OR greatest(s.buy_opens_at, s.sell_opens_at, s.delisting_at, s.delisted_at, s.expires_at, s.exchange_changed_at, s.observed_at) >= '9999-12-31 00:00:00+00';
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'these symbols have times before 1970 or after 9999-12-30: %. Set those to NULL: no exchange gave them', left(wrong, 1000)
            USING ERRCODE = 'check_violation', TABLE = 'symbols', CONSTRAINT = 'symbols_times_are_dates';
    END IF;
END
$$;

-- With the names of constraints and the order of columns that it keeps. Its indexes are there before its rows: to build
-- one later would keep those from being written that are copied meanwhile.
CREATE TABLE public.symbol_history_typed (
    symbol_id INTEGER CONSTRAINT symbol_history_symbol_id_not_null NOT NULL,
    exchange_id SMALLINT CONSTRAINT symbol_history_exchange_id_not_null NOT NULL,
    spec_version INTEGER CONSTRAINT symbol_history_spec_version_not_null NOT NULL,
    valid TSTZRANGE CONSTRAINT symbol_history_valid_not_null NOT NULL,
    operation TEXT CONSTRAINT symbol_history_operation_not_null NOT NULL,
    ended_by TEXT CONSTRAINT symbol_history_ended_by_not_null NOT NULL,
    application_name TEXT CONSTRAINT symbol_history_application_name_not_null NOT NULL,
    native_symbol TEXT CONSTRAINT symbol_history_native_symbol_not_null NOT NULL,
    symbol TEXT CONSTRAINT symbol_history_symbol_not_null NOT NULL,
    base TEXT CONSTRAINT symbol_history_base_not_null NOT NULL,
    quote TEXT CONSTRAINT symbol_history_quote_not_null NOT NULL,
    settle TEXT,
    kind TEXT CONSTRAINT symbol_history_kind_not_null NOT NULL,
    direction TEXT,
    contract_size NUMERIC,
    strike NUMERIC,
    option_type TEXT,
    price_tick NUMERIC CONSTRAINT symbol_history_price_tick_not_null NOT NULL,
    tick_assumed BOOLEAN CONSTRAINT symbol_history_tick_assumed_not_null NOT NULL,
    quantity_step NUMERIC CONSTRAINT symbol_history_quantity_step_not_null NOT NULL,
    step_assumed BOOLEAN CONSTRAINT symbol_history_step_assumed_not_null NOT NULL,
    min_quantity NUMERIC,
    max_quantity NUMERIC,
    min_notional NUMERIC,
    max_notional NUMERIC,
    market_min_quantity NUMERIC,
    market_max_quantity NUMERIC,
    market_min_notional NUMERIC,
    market_max_notional NUMERIC,
    price_band_up NUMERIC,
    price_band_down NUMERIC,
    price_band_of TEXT,
    market_slip_ratio NUMERIC,
    order_types TEXT[],
    leverage_min NUMERIC,
    leverage_max NUMERIC,
    initial_margin_rate NUMERIC,
    maintenance_margin_rate NUMERIC,
    funding_interval INTEGER,
    funding_cap NUMERIC,
    max_open_orders INTEGER,
    margin_allowed BOOLEAN,
    full_name TEXT,
    contract_address TEXT,
    is_risky BOOLEAN,
    is_premarket BOOLEAN,
    asset_class TEXT,
    list_maker_fee NUMERIC,
    list_taker_fee NUMERIC,
    status TEXT CONSTRAINT symbol_history_status_not_null NOT NULL,
    sides TEXT CONSTRAINT symbol_history_sides_not_null NOT NULL,
    api_tradable BOOLEAN CONSTRAINT symbol_history_api_tradable_not_null NOT NULL,
    buy_opens_at TIMESTAMPTZ,
    sell_opens_at TIMESTAMPTZ,
    delisting_at TIMESTAMPTZ,
    delisted_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ,
    exchange_changed_at TIMESTAMPTZ,
    price_decimals SMALLINT CONSTRAINT symbol_history_price_decimals_not_null NOT NULL,
    quantity_decimals SMALLINT CONSTRAINT symbol_history_quantity_decimals_not_null NOT NULL,
    is_live BOOLEAN CONSTRAINT symbol_history_is_live_not_null NOT NULL,
    source TEXT,
    observed_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ CONSTRAINT symbol_history_created_at_not_null NOT NULL,
    CONSTRAINT symbol_history_typed_pkey PRIMARY KEY (symbol_id, spec_version),
    CONSTRAINT symbol_history_operation_known CHECK (operation IN ('UPDATE', 'DELETE', 'TRUNCATE')),
    -- A box of id and microseconds: one key, which costs a quarter of what a range of ids and a range of times do. Boxes
    -- that touch overlap, so each ends a microsecond early; float8 holds every microsecond up to the year 2255.
    CONSTRAINT symbol_history_typed_no_overlap EXCLUDE USING gist (
        box(point(symbol_id, (extract(epoch FROM lower(valid) AT TIME ZONE 'UTC') * 1000000)::float8),
            point(symbol_id, (extract(epoch FROM upper(valid) AT TIME ZONE 'UTC') * 1000000 - 1)::float8)) WITH &&
    ),
    -- A range that has its end in it, which no trigger writes, would share that microsecond with the next one.
    CONSTRAINT symbol_history_valid_closed
        CHECK (NOT isempty(valid) AND NOT lower_inf(valid) AND NOT upper_inf(valid) AND lower_inc(valid) AND NOT upper_inc(valid)),
    CONSTRAINT symbol_history_times_are_dates
        CHECK (lower(valid) AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND upper(valid) AT TIME ZONE 'UTC' < '9999-12-31'::timestamp)
);

-- As the table that it will replace, whoever migrates.
DO $$
BEGIN
    EXECUTE format('ALTER TABLE public.symbol_history_typed OWNER TO %I',
                   (SELECT pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class AS c WHERE c.oid = 'public.symbol_history'::regclass));
END
$$;

COMMENT ON TABLE public.symbol_history_typed IS 'What symbol_history will be: filled by migration 011, put in its place by 012';

-- By canonical name, in whatever case it is spelt. The exchange's own name of a symbol never changes, so that the row of
-- symbols has it, and of one that was deleted, its last version.
CREATE INDEX idx_symbol_history_typed_symbol ON public.symbol_history_typed (lower(symbol), exchange_id);
CREATE INDEX idx_symbol_history_typed_native_symbol ON public.symbol_history_typed (exchange_id, native_symbol)
    WHERE operation <> 'UPDATE';
-- What changed within a time: versions that ended, and those that follow no other.
CREATE INDEX idx_symbol_history_typed_exchange ON public.symbol_history_typed (exchange_id, upper(valid));
CREATE INDEX idx_symbol_history_typed_began ON public.symbol_history_typed (exchange_id, lower(valid))
    WHERE spec_version = 1 OR lower(valid) = created_at;
-- Which exchange had a name at a time.
CREATE INDEX idx_exchange_history_enum_value ON public.exchange_history ((new_row ->> 'enum_value'), changed_at);

-- Copies these versions, whose numbers go with the ids in step. FOR KEY SHARE: one that is pruned meanwhile is either not
-- copied, or deleted in both tables. A version of before migration 006 has the names of then.
CREATE FUNCTION public.symbol_history_copy(ids integer[], versions integer[]) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO public.symbol_history_typed
        (symbol_id, exchange_id, spec_version, valid, operation, ended_by, application_name,
         native_symbol, symbol, base, quote, settle, kind, direction, contract_size, strike,
         option_type, price_tick, tick_assumed, quantity_step, step_assumed, min_quantity,
         max_quantity, min_notional, max_notional, market_min_quantity, market_max_quantity,
         market_min_notional, market_max_notional, price_band_up, price_band_down, price_band_of,
         market_slip_ratio, order_types, leverage_min, leverage_max, initial_margin_rate,
         maintenance_margin_rate, funding_interval, funding_cap, max_open_orders, margin_allowed,
         full_name, contract_address, is_risky, is_premarket, asset_class, list_maker_fee,
         list_taker_fee, status, sides, api_tradable, buy_opens_at, sell_opens_at, delisting_at,
         delisted_at, expires_at, exchange_changed_at, price_decimals, quantity_decimals, is_live,
         source, observed_at, created_at)
    SELECT h.symbol_id, h.exchange_id, h.spec_version, h.valid, h.operation, h.ended_by, h.application_name,
           r.native_symbol, r.symbol, r.base, r.quote, r.settle, r.kind, r.direction, r.contract_size, r.strike,
           r.option_type, r.price_tick, r.tick_assumed, r.quantity_step, r.step_assumed, r.min_quantity,
           r.max_quantity, r.min_notional, r.max_notional, r.market_min_quantity, r.market_max_quantity,
           r.market_min_notional, r.market_max_notional, r.price_band_up, r.price_band_down, r.price_band_of,
           r.market_slip_ratio, r.order_types, r.leverage_min, r.leverage_max, r.initial_margin_rate,
           r.maintenance_margin_rate, r.funding_interval, r.funding_cap, r.max_open_orders, r.margin_allowed,
           r.full_name, r.contract_address, r.is_risky, r.is_premarket, r.asset_class, r.list_maker_fee,
           r.list_taker_fee, r.status, r.sides, r.api_tradable, r.buy_opens_at, r.sell_opens_at, r.delisting_at,
           r.delisted_at, r.expires_at, r.exchange_changed_at, r.price_decimals, r.quantity_decimals, r.is_live,
           r.source, r.observed_at, r.created_at
    FROM unnest(ids, versions) AS wanted (symbol_id, spec_version)
    JOIN public.symbol_history AS h ON h.symbol_id = wanted.symbol_id AND h.spec_version = wanted.spec_version
    CROSS JOIN LATERAL jsonb_populate_record(
        NULL::public.symbols,
        jsonb_build_object('tick_assumed', false, 'step_assumed', false)
        || CASE WHEN h.spec ? 'maker_fee'
                THEN (h.spec - '{maker_fee,taker_fee,listed_at,is_active}'::text[])
                     || jsonb_build_object('list_maker_fee', h.spec -> 'maker_fee', 'list_taker_fee', h.spec -> 'taker_fee')
                ELSE h.spec END) AS r
    -- By one at a time: the constraint against overlaps would refuse what another is copying at the same moment.
    FOR NO KEY UPDATE OF h
    ON CONFLICT (symbol_id, spec_version) DO NOTHING
$$;

CREATE FUNCTION public.symbol_history_copy_insert() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM public.symbol_history_copy(array_agg(n.symbol_id), array_agg(n.spec_version)) FROM new_rows AS n;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.symbol_history_copy_delete() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM public.symbol_history_typed AS c
    USING old_rows AS o
    WHERE c.symbol_id = o.symbol_id AND c.spec_version = o.spec_version;
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION public.symbol_history_copy(integer[], integer[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION public.symbol_history_copy_insert() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.symbol_history_copy_delete() FROM PUBLIC;

-- Columns without a default: no row is written. The constraints hold for what is written from here on; 012 looks at the
-- rows that are there.
ALTER TABLE public.symbols
    ADD COLUMN read_digest TEXT,
    ADD COLUMN spec_hash BIGINT,
    ADD CONSTRAINT symbols_rules_whole
        CHECK (num_nulls(symbol, kind, price_tick, quantity_step, status) IN (0, 5)) NOT VALID,
    ADD CONSTRAINT symbols_named_is_closed
        CHECK (status IS NOT NULL OR (sides = 'NONE' AND NOT api_tradable)) NOT VALID,
    -- Finite, and what every program reads. As times without a zone, so that no session's time zone is in the definition.
    ADD CONSTRAINT symbols_times_are_near
        CHECK (buy_opens_at AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND buy_opens_at AT TIME ZONE 'UTC' < '9999-12-31'::timestamp
           AND sell_opens_at AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND sell_opens_at AT TIME ZONE 'UTC' < '9999-12-31'::timestamp
           AND delisting_at AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND delisting_at AT TIME ZONE 'UTC' < '9999-12-31'::timestamp
           AND delisted_at AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND delisted_at AT TIME ZONE 'UTC' < '9999-12-31'::timestamp
           AND expires_at AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND expires_at AT TIME ZONE 'UTC' < '9999-12-31'::timestamp
           AND exchange_changed_at AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND exchange_changed_at AT TIME ZONE 'UTC' < '9999-12-31'::timestamp
           AND observed_at AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND observed_at AT TIME ZONE 'UTC' < '9999-12-31'::timestamp) NOT VALID;

COMMENT ON COLUMN public.symbols.read_digest IS 'Of the specification as its reader gave it: an import that gives the same changes nothing. NULL: not known, as after a change by hand';
COMMENT ON COLUMN public.symbols.spec_hash IS 'symbol_spec_hash of the row when it was written: another one shows a change past the triggers';

CREATE FUNCTION public.symbol_spec_hash(one public.symbols) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT pg_catalog.hash_record_extended(ROW(
        one.native_symbol, one.symbol, one.base, one.quote, one.settle, one.kind, one.direction, one.contract_size,
        one.strike, one.option_type, one.price_tick, one.tick_assumed, one.quantity_step, one.step_assumed,
        one.min_quantity, one.max_quantity, one.min_notional, one.max_notional, one.market_min_quantity,
        one.market_max_quantity, one.market_min_notional, one.market_max_notional, one.price_band_up,
        one.price_band_down, one.price_band_of, one.market_slip_ratio, one.order_types, one.leverage_min,
        one.leverage_max, one.initial_margin_rate, one.maintenance_margin_rate, one.funding_interval, one.funding_cap,
        one.max_open_orders, one.margin_allowed, one.full_name, one.contract_address, one.is_risky, one.is_premarket,
        one.asset_class, one.list_maker_fee, one.list_taker_fee, one.status, one.sides, one.api_tradable,
        one.buy_opens_at, one.sell_opens_at, one.delisting_at, one.delisted_at, one.expires_at,
        one.exchange_changed_at), 0)
$$;

COMMENT ON FUNCTION public.symbol_spec_hash(public.symbols) IS 'Of everything that an exchange says of a symbol';

-- As in 006, but that it keeps the hash, which is no part of a specification.
CREATE OR REPLACE FUNCTION public.symbols_stamp() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    candidate public.symbols;
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.spec_version := 1;
        NEW.created_at := now();
        NEW.updated_at := now();
        NEW.spec_hash := public.symbol_spec_hash(NEW);
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.exchange_id, NEW.native_symbol) IS DISTINCT FROM (OLD.id, OLD.exchange_id, OLD.native_symbol) THEN
        RAISE EXCEPTION 'id, exchange and native symbol of a symbol cannot be changed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'symbols_identity_immutable';
    END IF;
    NEW.spec_version := OLD.spec_version;
    NEW.created_at := OLD.created_at;
    NEW.updated_at := OLD.updated_at;
    -- Where and when a specification is from is no part of it; generated columns are not computed yet and follow from the others.
    candidate := NEW;
    candidate.source := OLD.source;
    candidate.observed_at := OLD.observed_at;
    candidate.price_decimals := OLD.price_decimals;
    candidate.quantity_decimals := OLD.quantity_decimals;
    candidate.is_live := OLD.is_live;
    candidate.read_digest := OLD.read_digest;
    candidate.spec_hash := OLD.spec_hash;
    IF candidate IS DISTINCT FROM OLD THEN
        NEW.spec_version := OLD.spec_version + 1;
        -- now(), so that all changes of one import hold from one moment; later than the change it follows in any case.
        NEW.updated_at := greatest(now(), OLD.updated_at + interval '1 microsecond');
    ELSE
        NEW.source := OLD.source;
        NEW.observed_at := OLD.observed_at;
    END IF;
    NEW.spec_hash := public.symbol_spec_hash(NEW);
    RETURN NEW;
END
$$;

CREATE TRIGGER symbol_history_copy_insert AFTER INSERT ON public.symbol_history
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.symbol_history_copy_insert();
CREATE TRIGGER symbol_history_copy_delete AFTER DELETE ON public.symbol_history
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.symbol_history_copy_delete();
ALTER TABLE public.symbol_history ENABLE ALWAYS TRIGGER symbol_history_copy_insert;
ALTER TABLE public.symbol_history ENABLE ALWAYS TRIGGER symbol_history_copy_delete;

-- They are read all the time and written in bursts: dead rows and stale figures are cleared away sooner than by default.
ALTER TABLE public.symbols SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE public.symbol_raw SET (autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE public.symbol_lists SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);

-- migrate:down
SET LOCAL lock_timeout = '200ms';
-- One statement that undoes nothing unless dbmate runs it. Another program runs this file from end to end: then the up
-- part stands in the same transaction, or this statement has a transaction of its own; dbmate begins one before it.
DO $down$
BEGIN
    IF current_setting('exchanges_db.direction', true) = 'up' OR transaction_timestamp() = statement_timestamp() THEN
        RAISE WARNING 'migration 010 was not undone: only dbmate runs its down part, by dbmate rollback';
        RETURN;
    END IF;
    LOCK TABLE public.symbols, public.symbol_history IN ACCESS EXCLUSIVE MODE;
    DROP TRIGGER symbol_history_copy_insert ON public.symbol_history;
    DROP TRIGGER symbol_history_copy_delete ON public.symbol_history;
    DROP FUNCTION public.symbol_history_copy_insert();
    DROP FUNCTION public.symbol_history_copy_delete();
    DROP FUNCTION public.symbol_history_copy(integer[], integer[]);
    DROP TABLE public.symbol_history_typed;
    DROP INDEX public.idx_exchange_history_enum_value;
    CREATE OR REPLACE FUNCTION public.symbols_stamp() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
    DECLARE
        candidate public.symbols;
    BEGIN
        IF TG_OP = 'INSERT' THEN
            NEW.spec_version := 1;
            NEW.created_at := now();
            NEW.updated_at := now();
            RETURN NEW;
        END IF;
        IF (NEW.id, NEW.exchange_id, NEW.native_symbol) IS DISTINCT FROM (OLD.id, OLD.exchange_id, OLD.native_symbol) THEN
            RAISE EXCEPTION 'id, exchange and native symbol of a symbol cannot be changed'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'symbols_identity_immutable';
        END IF;
        NEW.spec_version := OLD.spec_version;
        NEW.created_at := OLD.created_at;
        NEW.updated_at := OLD.updated_at;
        -- Where and when a specification is from is no part of it; generated columns are not computed yet and follow from the others.
        candidate := NEW;
        candidate.source := OLD.source;
        candidate.observed_at := OLD.observed_at;
        candidate.price_decimals := OLD.price_decimals;
        candidate.quantity_decimals := OLD.quantity_decimals;
        candidate.is_live := OLD.is_live;
        IF candidate IS DISTINCT FROM OLD THEN
            NEW.spec_version := OLD.spec_version + 1;
            -- now(), so that all changes of one import hold from one moment; later than the change it follows in any case.
            NEW.updated_at := greatest(now(), OLD.updated_at + interval '1 microsecond');
        ELSE
            NEW.source := OLD.source;
            NEW.observed_at := OLD.observed_at;
        END IF;
        RETURN NEW;
    END
    $$;
    DROP FUNCTION public.symbol_spec_hash(public.symbols);
    ALTER TABLE public.symbols
        DROP CONSTRAINT symbols_rules_whole,
        DROP CONSTRAINT symbols_named_is_closed,
        DROP CONSTRAINT symbols_times_are_near,
        DROP COLUMN read_digest,
        DROP COLUMN spec_hash,
        RESET (autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
    ALTER TABLE public.symbol_raw RESET (autovacuum_vacuum_scale_factor);
    ALTER TABLE public.symbol_lists RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
END
$down$;
