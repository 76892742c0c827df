-- Migration 004: every tradable symbol of every exchange, with the exact rules to trade it by, and its history.
--
-- A row of symbols is the specification that holds, from its updated_at on. A change moves the old one to symbol_history
-- with the range it held for; ranges of one symbol never overlap. Prices, funding and open interest are no part of it.

-- migrate:up
SET LOCAL lock_timeout = '200ms';
-- Before all else, so that the down part knows whose transaction it is in.
DO $$ BEGIN PERFORM set_config('exchanges_db.direction', 'up', true); END $$;

DO $$
DECLARE
    taken text;
BEGIN
    SELECT string_agg('public.' || own.name, ', ' ORDER BY own.name) INTO taken
    FROM (VALUES ('symbols'), ('symbol_history'), ('symbol_rows'), ('symbol_versions')) AS own (name)
    WHERE to_regclass('public.' || own.name) IS NOT NULL;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION '% is there already and was not made by migration 004 of exchanges_db: rename or move it, or give exchanges_db a database of its own', taken
            USING ERRCODE = 'duplicate_table';
    END IF;
END
$$;

CREATE TABLE public.symbols (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    exchange_id SMALLINT NOT NULL,
    native_symbol TEXT NOT NULL,
    symbol TEXT NOT NULL,
    base TEXT NOT NULL,
    quote TEXT NOT NULL,
    settle TEXT,
    kind TEXT NOT NULL,
    direction TEXT,
    contract_size NUMERIC,
    price_tick NUMERIC NOT NULL,
    quantity_step NUMERIC NOT NULL,
    price_decimals SMALLINT GENERATED ALWAYS AS (min_scale(price_tick)) STORED,
    quantity_decimals SMALLINT GENERATED ALWAYS AS (min_scale(quantity_step)) STORED,
    min_quantity NUMERIC,
    max_quantity NUMERIC,
    min_notional NUMERIC,
    max_notional NUMERIC,
    maker_fee NUMERIC,
    taker_fee NUMERIC,
    status TEXT NOT NULL,
    is_active BOOLEAN NOT NULL GENERATED ALWAYS AS (status = 'TRADING') STORED,
    -- coalesce for migration 012, which lets a symbol have no status: another expression would write every row anew.
    is_live BOOLEAN NOT NULL GENERATED ALWAYS AS (coalesce(status NOT IN ('DELISTED', 'EXPIRED'), false)) STORED,
    sides TEXT NOT NULL,
    api_tradable BOOLEAN NOT NULL,
    listed_at TIMESTAMPTZ,
    delisting_at TIMESTAMPTZ,
    delisted_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ,
    spec_version INTEGER NOT NULL DEFAULT 1,
    raw JSONB,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT symbols_pkey PRIMARY KEY (id),
    CONSTRAINT symbols_exchange_id_fkey FOREIGN KEY (exchange_id) REFERENCES public.exchanges (id) ON DELETE RESTRICT,
    CONSTRAINT symbols_native_symbol_printable
        CHECK (native_symbol <> '' AND length(native_symbol) <= 100 AND native_symbol !~ '^ | $|[\x01-\x1f\x7f]'),
    CONSTRAINT symbols_symbol_printable CHECK (symbol <> '' AND length(symbol) <= 200 AND symbol !~ '^ | $|[\x01-\x1f\x7f]'),
    CONSTRAINT symbols_base_printable CHECK (base <> '' AND length(base) <= 50 AND base !~ '^ | $|[\x01-\x1f\x7f]'),
    CONSTRAINT symbols_quote_printable CHECK (quote <> '' AND length(quote) <= 50 AND quote !~ '^ | $|[\x01-\x1f\x7f]'),
    CONSTRAINT symbols_settle_printable CHECK (settle <> '' AND length(settle) <= 50 AND settle !~ '^ | $|[\x01-\x1f\x7f]'),
    CONSTRAINT symbols_kind_known CHECK (kind IN ('SPOT', 'PERPETUAL', 'FUTURE', 'OPTION')),
    CONSTRAINT symbols_direction_known CHECK (direction IN ('LINEAR', 'INVERSE', 'QUANTO')),
    CONSTRAINT symbols_status_known
        CHECK (status IN ('PRELAUNCH', 'TRADING', 'HALTED', 'CLOSE_ONLY', 'DELISTING', 'DELISTED', 'EXPIRED')),
    CONSTRAINT symbols_sides_known CHECK (sides IN ('ALL', 'BUY', 'SELL', 'NONE')),
    CONSTRAINT symbols_contract_terms_fit_kind
        CHECK ((kind = 'SPOT') = (settle IS NULL)
           AND (kind = 'SPOT') = (direction IS NULL)
           AND (kind = 'SPOT') = (contract_size IS NULL)),
    CONSTRAINT symbols_direction_fits_settle
        CHECK (CASE direction WHEN 'LINEAR' THEN settle = quote
                              WHEN 'INVERSE' THEN settle = base
                              WHEN 'QUANTO' THEN settle <> quote AND settle <> base END),
    CONSTRAINT symbols_expiry_fits_kind CHECK ((kind IN ('FUTURE', 'OPTION')) = (expires_at IS NOT NULL)),
    CONSTRAINT symbols_delisted_has_time CHECK (status <> 'DELISTED' OR delisted_at IS NOT NULL),
    -- Not 'infinity' and no year that Python's datetime lacks: one such row, and no list of symbols could be read.
    -- No BETWEEN: a restored dump spells several of them otherwise, and would not be the schema of record.
    CONSTRAINT symbols_times_are_dates
        CHECK (date_part('year', listed_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', listed_at AT TIME ZONE 'UTC') <= 9999
           AND date_part('year', delisting_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', delisting_at AT TIME ZONE 'UTC') <= 9999
           AND date_part('year', delisted_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', delisted_at AT TIME ZONE 'UTC') <= 9999
           AND date_part('year', expires_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', expires_at AT TIME ZONE 'UTC') <= 9999),
    CONSTRAINT symbols_contract_size_positive CHECK (contract_size > 0 AND contract_size < 'Infinity'),
    CONSTRAINT symbols_price_tick_positive CHECK (price_tick > 0 AND price_tick < 'Infinity'),
    CONSTRAINT symbols_quantity_step_positive CHECK (quantity_step > 0 AND quantity_step < 'Infinity'),
    -- The minimum may be less than a step: MEXC has such symbols. NaN is greater than Infinity to PostgreSQL.
    CONSTRAINT symbols_quantity_limits
        CHECK (min_quantity >= 0 AND min_quantity < 'Infinity'
           AND max_quantity > 0 AND max_quantity < 'Infinity'
           AND min_quantity <= max_quantity),
    CONSTRAINT symbols_notional_limits
        CHECK (min_notional >= 0 AND min_notional < 'Infinity'
           AND max_notional > 0 AND max_notional < 'Infinity'
           AND min_notional <= max_notional),
    -- Fractions. A fee given in percent is a hundred times too high and does not fit.
    CONSTRAINT symbols_fees_are_fractions
        CHECK (abs(maker_fee) <= 0.05 AND abs(taker_fee) <= 0.05),
    CONSTRAINT symbols_spec_version_positive CHECK (spec_version > 0)
);

-- A native symbol names one symbol while it is live; the exchange may give it to another coin later.
CREATE UNIQUE INDEX symbols_live_native_symbol_key ON public.symbols (exchange_id, native_symbol)
    WHERE is_live;
CREATE INDEX idx_symbols_native_symbol ON public.symbols (exchange_id, native_symbol);
CREATE INDEX idx_symbols_symbol ON public.symbols (symbol, exchange_id);

COMMENT ON TABLE public.symbols IS 'Every symbol of every exchange: what one may trade, and by which exact rules';
COMMENT ON COLUMN public.symbols.native_symbol IS 'The exchange''s own name for it; unique while the symbol is live';
COMMENT ON COLUMN public.symbols.symbol IS 'Canonical name: BASE/QUOTE[:SETTLE[-YYMMDD]]';
COMMENT ON COLUMN public.symbols.contract_size IS 'What one contract is: of base, or of quote where direction is INVERSE';
COMMENT ON COLUMN public.symbols.price_tick IS 'Prices are multiples of this; no power of ten in general';
COMMENT ON COLUMN public.symbols.quantity_step IS 'Quantities are multiples of this: of base for spot, of contracts else';
COMMENT ON COLUMN public.symbols.min_notional IS 'In quote; NULL means no limit, as in the other limits';
COMMENT ON COLUMN public.symbols.maker_fee IS 'Fraction of the notional: 0.002 is 0.2 percent; negative is a rebate';
COMMENT ON COLUMN public.symbols.is_active IS 'Follows from status: whether it is traded';
COMMENT ON COLUMN public.symbols.is_live IS 'Follows from status: whether the exchange still knows it, traded or not';
COMMENT ON COLUMN public.symbols.spec_version IS 'Raised by the database when a specification changes';
COMMENT ON COLUMN public.symbols.raw IS 'The row of the payload that gave this specification';

CREATE TABLE public.symbol_history (
    symbol_id INTEGER NOT NULL,
    exchange_id SMALLINT NOT NULL,
    spec_version INTEGER NOT NULL,
    valid TSTZRANGE NOT NULL,
    spec JSONB NOT NULL,
    operation TEXT NOT NULL,
    ended_by TEXT NOT NULL,
    application_name TEXT NOT NULL,
    CONSTRAINT symbol_history_pkey PRIMARY KEY (symbol_id, spec_version),
    CONSTRAINT symbol_history_operation_known CHECK (operation IN ('UPDATE', 'DELETE', 'TRUNCATE')),
    CONSTRAINT symbol_history_valid_closed
        CHECK (NOT isempty(valid) AND NOT lower_inf(valid) AND NOT upper_inf(valid)),
    -- int4range because a plain integer needs the extension btree_gist.
    CONSTRAINT symbol_history_no_overlap
        EXCLUDE USING gist (int4range(symbol_id, symbol_id, '[]') WITH &&, valid WITH &&)
);

CREATE INDEX idx_symbol_history_exchange ON public.symbol_history (exchange_id);
-- What idx_symbols_symbol and idx_symbols_native_symbol are to the rows that hold: a name is looked up in both tables, and
-- without these that would parse the JSON of everything that ever was. The last: a name that is spelt in another case.
CREATE INDEX idx_symbol_history_symbol ON public.symbol_history ((spec ->> 'symbol'), exchange_id);
CREATE INDEX idx_symbol_history_native_symbol ON public.symbol_history ((spec ->> 'native_symbol'), exchange_id);
CREATE INDEX idx_symbol_history_spelling ON public.symbol_history (lower(spec ->> 'symbol'), exchange_id);

COMMENT ON TABLE public.symbol_history IS 'Specifications that no longer hold, and when they did; the one that holds is the row of symbols. Written by trigger, append-only';
COMMENT ON COLUMN public.symbol_history.valid IS 'From the change that made it up to the change that ended it';
COMMENT ON COLUMN public.symbol_history.spec IS 'The row of symbols as it was, without raw';
COMMENT ON COLUMN public.symbol_history.ended_by IS 'session_user of the change that ended it';

CREATE VIEW public.symbol_rows AS
SELECT e.enum_value AS exchange, s.id, s.exchange_id, s.native_symbol, s.symbol, s.base, s.quote, s.settle, s.kind,
       s.direction, s.contract_size, s.price_tick, s.quantity_step, s.price_decimals, s.quantity_decimals,
       s.min_quantity, s.max_quantity, s.min_notional, s.max_notional, s.maker_fee, s.taker_fee, s.status, s.is_active,
       s.is_live, s.sides, s.api_tradable, s.listed_at, s.delisting_at, s.delisted_at, s.expires_at, s.spec_version,
       s.created_at, s.updated_at, e.is_active AS exchange_is_active
FROM public.symbols AS s
JOIN public.exchanges AS e ON e.id = s.exchange_id;

COMMENT ON VIEW public.symbol_rows IS 'What is known of a symbol, and where it is traded: a row of symbols without raw, and of its exchange what a caller asks for';

-- Both halves join the exchange themselves, and the names are columns beside spec: so a condition on either is met
-- before any JSON is made.
CREATE VIEW public.symbol_versions AS
SELECT e.enum_value AS exchange, s.id AS symbol_id, s.exchange_id, s.native_symbol, s.symbol, s.is_live, s.spec_version,
       tstzrange(s.updated_at, NULL) AS valid, s.updated_at AS valid_from, NULL::timestamptz AS valid_to,
       (to_jsonb(s) - 'raw') || jsonb_build_object('exchange', e.enum_value) AS spec,
       NULL::text AS operation, NULL::text AS ended_by, NULL::text AS application_name
FROM public.symbols AS s
JOIN public.exchanges AS e ON e.id = s.exchange_id
UNION ALL
SELECT e.enum_value, h.symbol_id, h.exchange_id, h.spec ->> 'native_symbol', h.spec ->> 'symbol',
       (h.spec ->> 'is_live')::boolean, h.spec_version, h.valid, lower(h.valid), upper(h.valid),
       h.spec || jsonb_build_object('exchange', e.enum_value), h.operation, h.ended_by, h.application_name
FROM public.symbol_history AS h
JOIN public.exchanges AS e ON e.id = h.exchange_id;

COMMENT ON VIEW public.symbol_versions IS 'What symbols were and are: every specification, those of symbol_history and the one that holds, with the exchange''s enum_value in it';
COMMENT ON COLUMN public.symbol_versions.valid IS 'When it held, from valid_from up to valid_to; without an end for the one that holds now';

CREATE FUNCTION public.symbols_stamp() RETURNS trigger
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
    -- raw is no part of the specification; generated columns are not computed yet and follow from the others.
    candidate := NEW;
    candidate.raw := OLD.raw;
    candidate.price_decimals := OLD.price_decimals;
    candidate.quantity_decimals := OLD.quantity_decimals;
    candidate.is_active := OLD.is_active;
    candidate.is_live := OLD.is_live;
    IF candidate IS DISTINCT FROM OLD THEN
        NEW.spec_version := OLD.spec_version + 1;
        -- now(), so that all changes of one import hold from one moment; later than the change it follows in any case.
        NEW.updated_at := greatest(now(), OLD.updated_at + interval '1 microsecond');
    END IF;
    RETURN NEW;
END
$$;

-- An id that a symbol had before, as OVERRIDING SYSTEM VALUE or a sequence that was set back would give it, is refused at
-- once: its versions are in the history already, so that the new row could be neither changed nor deleted.
CREATE FUNCTION public.symbols_refuse_used_id() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    used integer;
BEGIN
    SELECT n.id INTO used
    FROM new_rows AS n
    WHERE EXISTS (SELECT FROM public.symbol_history AS h WHERE h.symbol_id = n.id)
    ORDER BY n.id
    LIMIT 1;
    IF used IS NOT NULL THEN
        RAISE EXCEPTION 'symbol id % is in symbol_history: an id is never given again', used
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'symbols_id_never_reused',
                  HINT = 'Insert without an id. Where the sequence was set back, set it to the highest symbol_id.';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.symbols_record_update() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
BEGIN
    INSERT INTO public.symbol_history
        (symbol_id, exchange_id, spec_version, valid, spec, operation, ended_by, application_name)
    SELECT o.id, o.exchange_id, o.spec_version, tstzrange(o.updated_at, n.updated_at), to_jsonb(o) - 'raw',
           TG_OP, session_user::text, current_setting('application_name')
    FROM old_rows AS o JOIN new_rows AS n USING (id)
    WHERE n.spec_version <> o.spec_version;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.symbols_record_delete() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
BEGIN
    INSERT INTO public.symbol_history
        (symbol_id, exchange_id, spec_version, valid, spec, operation, ended_by, application_name)
    SELECT o.id, o.exchange_id, o.spec_version,
           tstzrange(o.updated_at, greatest(now(), o.updated_at + interval '1 microsecond')), to_jsonb(o) - 'raw',
           TG_OP, session_user::text, current_setting('application_name')
    FROM old_rows AS o;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.symbols_record_truncate() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
BEGIN
    -- TRUNCATE gives no transition table: record each row while it can still be read.
    INSERT INTO public.symbol_history
        (symbol_id, exchange_id, spec_version, valid, spec, operation, ended_by, application_name)
    SELECT o.id, o.exchange_id, o.spec_version,
           tstzrange(o.updated_at, greatest(now(), o.updated_at + interval '1 microsecond')), to_jsonb(o) - 'raw',
           TG_OP, session_user::text, current_setting('application_name')
    FROM public.symbols AS o;
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION public.symbols_stamp() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.symbols_refuse_used_id() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.symbols_record_update() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.symbols_record_delete() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.symbols_record_truncate() FROM PUBLIC;

CREATE TRIGGER symbols_stamp BEFORE UPDATE ON public.symbols
    FOR EACH ROW EXECUTE FUNCTION public.symbols_stamp();
-- The defaults are right nearly always, and a first import inserts a hundred thousand rows.
CREATE TRIGGER symbols_stamp_insert BEFORE INSERT ON public.symbols
    FOR EACH ROW WHEN (NEW.spec_version <> 1 OR NEW.created_at <> now() OR NEW.updated_at <> now())
    EXECUTE FUNCTION public.symbols_stamp();
-- Once a statement, not once a row: an import changes thousands.
CREATE TRIGGER symbols_refuse_used_id AFTER INSERT ON public.symbols
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.symbols_refuse_used_id();
CREATE TRIGGER symbols_record_update AFTER UPDATE ON public.symbols
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.symbols_record_update();
CREATE TRIGGER symbols_record_delete AFTER DELETE ON public.symbols
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.symbols_record_delete();
CREATE TRIGGER symbols_record_truncate BEFORE TRUNCATE ON public.symbols
    FOR EACH STATEMENT EXECUTE FUNCTION public.symbols_record_truncate();
CREATE TRIGGER symbol_history_refuse BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.symbol_history
    FOR EACH STATEMENT EXECUTE FUNCTION public.history_refuse();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_stamp;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_stamp_insert;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_refuse_used_id;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_record_update;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_record_delete;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_record_truncate;
ALTER TABLE public.symbol_history ENABLE ALWAYS TRIGGER symbol_history_refuse;

-- migrate:down
SET LOCAL lock_timeout = '200ms';
-- One statement that undoes nothing unless dbmate runs it. Another program runs this file from end to end: then the up
-- part stands in the same transaction, or this statement has a transaction of its own; dbmate begins one before it.
DO $$
BEGIN
    IF current_setting('exchanges_db.direction', true) = 'up' OR transaction_timestamp() = statement_timestamp() THEN
        RAISE WARNING 'migration 004 was not undone: only dbmate runs its down part, by dbmate rollback';
        RETURN;
    END IF;
    DROP VIEW public.symbol_versions;
    DROP VIEW public.symbol_rows;
    DROP TABLE public.symbol_history;
    DROP TABLE public.symbols;
    DROP FUNCTION public.symbols_record_truncate();
    DROP FUNCTION public.symbols_record_delete();
    DROP FUNCTION public.symbols_record_update();
    DROP FUNCTION public.symbols_refuse_used_id();
    DROP FUNCTION public.symbols_stamp();
END
$$;
