-- Migration 006: what else an exchange enforces of a symbol, which list it stands in, and what its payload said last.
--
-- Rows and history that are there already read as NULL in what is new. What was called maker_fee and taker_fee is the
-- default of the exchange's list, and is called so now. listed_at mixed launches with creations: it goes, and what
-- opens when is learnt from the next list.

-- migrate:up
SET LOCAL lock_timeout = '200ms';
-- Before all else, so that the down part knows whose transaction it is in.
DO $$ BEGIN PERFORM set_config('exchanges_db.direction', 'up', true); END $$;

-- What follows changes tables that are there. psql goes on after an error, unless it is told not to: where this file was
-- applied before, one of its names is taken, or a row has no place in what it makes, nothing more is written in this
-- session. Else the constraints would be left out, and the rest made.
DO $$
DECLARE
    stopped boolean := to_regclass('public.symbol_lists') IS NOT NULL OR to_regclass('public.symbol_raw') IS NOT NULL
        OR to_regclass('public.symbols') IS NULL;
BEGIN
    IF NOT stopped THEN
        stopped := EXISTS (SELECT FROM public.symbols AS s WHERE s.kind = 'OPTION');
    END IF;
    IF stopped THEN
        PERFORM set_config('default_transaction_read_only', 'on', false), set_config('transaction_read_only', 'on', false);
    END IF;
END
$$;

DO $$
DECLARE
    taken text;
BEGIN
    SELECT string_agg('public.' || own.name, ', ' ORDER BY own.name) INTO taken
    FROM (VALUES ('symbol_lists'), ('symbol_raw')) AS own (name)
    WHERE to_regclass('public.' || own.name) IS NOT NULL;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION '% is there already and was not made by migration 006 of exchanges_db: rename or move it, or give exchanges_db a database of its own', taken
            USING ERRCODE = 'duplicate_table';
    END IF;
    -- No reader made one before; of one that was written by hand nobody knows the strike.
    IF EXISTS (SELECT FROM public.symbols AS s WHERE s.kind = 'OPTION') THEN
        RAISE EXCEPTION 'symbols has options, which have no strike and no type yet: delete them, the next import of their list brings them back'
            USING ERRCODE = 'check_violation', TABLE = 'symbols', CONSTRAINT = 'symbols_option_terms_fit_kind';
    END IF;
END
$$;

CREATE TABLE public.symbol_raw (
    symbol_id INTEGER NOT NULL,
    raw JSONB NOT NULL,
    digest TEXT,
    observed_at TIMESTAMPTZ,
    CONSTRAINT symbol_raw_pkey PRIMARY KEY (symbol_id)
);

COMMENT ON TABLE public.symbol_raw IS 'What the exchange last said of each symbol: the row of its payload, whole. Goes with its symbol, by trigger';
COMMENT ON COLUMN public.symbol_raw.digest IS 'Of the row without what moves by the minute; NULL: not known, so that the next import writes the row anew';
COMMENT ON COLUMN public.symbol_raw.observed_at IS 'When the exchange said so; NULL where that was not kept';

-- Copied while symbols is in use; what changes meanwhile is copied again under the lock: it was written by a transaction
-- that is none of those which had ended when this one began.
DO $$
BEGIN
    PERFORM set_config('exchanges_db.copied_up_to', pg_snapshot_xmin(pg_current_snapshot())::text, false);
    INSERT INTO public.symbol_raw (symbol_id, raw) SELECT s.id, s.raw FROM public.symbols AS s WHERE s.raw IS NOT NULL;
END
$$;

-- Rights on what is made anew are given again, below.
DO $$
BEGIN
    PERFORM set_config('exchanges_db.rights', coalesce((
        SELECT json_agg(json_build_object('relation', c.relname, 'role', coalesce(r.rolname, 'public'), 'is_public', a.grantee = 0,
                                          'privilege', a.privilege_type, 'is_grantable', a.is_grantable))
        FROM pg_catalog.pg_class AS c
        CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
        WHERE c.relnamespace = 'public'::regnamespace AND c.relname IN ('symbol_rows', 'symbol_versions')
          AND a.grantee <> c.relowner)::text, '[]'), false);
END
$$;

-- Views before the tables that they read, as every look-up locks them: who holds one of these locks does not wait for
-- another that is held here. From here on everything is short.
DROP VIEW public.symbol_versions;
DROP VIEW public.symbol_rows;
-- In a block, because psql refuses LOCK outside of a transaction.
DO $$ BEGIN LOCK TABLE public.symbols, public.symbol_history IN ACCESS EXCLUSIVE MODE; END $$;
DO $$
BEGIN
    WITH changed AS MATERIALIZED (
        SELECT s.id, s.raw
        FROM public.symbols AS s
        WHERE age(s.xmin) <= age(current_setting('exchanges_db.copied_up_to')::xid8::xid)
    ), emptied AS (
        DELETE FROM public.symbol_raw AS r USING changed AS c WHERE r.symbol_id = c.id AND c.raw IS NULL
    )
    INSERT INTO public.symbol_raw AS r (symbol_id, raw)
    SELECT c.id, c.raw FROM changed AS c WHERE c.raw IS NOT NULL
    ON CONFLICT (symbol_id) DO UPDATE SET raw = excluded.raw;
END
$$;

ALTER TABLE public.symbols
    DROP CONSTRAINT symbols_times_are_dates,
    DROP COLUMN is_active,
    DROP COLUMN listed_at,
    DROP COLUMN raw,
    ADD COLUMN strike NUMERIC,
    ADD COLUMN option_type TEXT,
    ADD COLUMN tick_assumed BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN step_assumed BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN market_min_quantity NUMERIC,
    ADD COLUMN market_max_quantity NUMERIC,
    ADD COLUMN market_min_notional NUMERIC,
    ADD COLUMN market_max_notional NUMERIC,
    ADD COLUMN price_band_up NUMERIC,
    ADD COLUMN price_band_down NUMERIC,
    ADD COLUMN price_band_of TEXT,
    ADD COLUMN market_slip_ratio NUMERIC,
    ADD COLUMN order_types TEXT[],
    ADD COLUMN leverage_min NUMERIC,
    ADD COLUMN leverage_max NUMERIC,
    ADD COLUMN initial_margin_rate NUMERIC,
    ADD COLUMN maintenance_margin_rate NUMERIC,
    ADD COLUMN funding_interval INTEGER,
    ADD COLUMN funding_cap NUMERIC,
    ADD COLUMN max_open_orders INTEGER,
    ADD COLUMN margin_allowed BOOLEAN,
    ADD COLUMN full_name TEXT,
    ADD COLUMN contract_address TEXT,
    ADD COLUMN is_risky BOOLEAN,
    ADD COLUMN is_premarket BOOLEAN,
    ADD COLUMN asset_class TEXT,
    ADD COLUMN buy_opens_at TIMESTAMPTZ,
    ADD COLUMN sell_opens_at TIMESTAMPTZ,
    ADD COLUMN exchange_changed_at TIMESTAMPTZ,
    ADD COLUMN source TEXT,
    ADD COLUMN observed_at TIMESTAMPTZ;
ALTER TABLE public.symbols RENAME COLUMN maker_fee TO list_maker_fee;
ALTER TABLE public.symbols RENAME COLUMN taker_fee TO list_taker_fee;
-- symbols/rules.py checks the same first. They hold for what is written from here on; 012 looks at the rows that are there.
ALTER TABLE public.symbols
    ADD CONSTRAINT symbols_option_type_known CHECK (option_type IN ('CALL', 'PUT')) NOT VALID,
    ADD CONSTRAINT symbols_option_terms_fit_kind
        CHECK ((kind = 'OPTION') = (strike IS NOT NULL) AND (kind = 'OPTION') = (option_type IS NOT NULL)) NOT VALID,
    ADD CONSTRAINT symbols_strike_positive CHECK (strike > 0 AND strike < 'Infinity') NOT VALID,
    ADD CONSTRAINT symbols_market_quantity_limits
        CHECK (market_min_quantity >= 0 AND market_min_quantity < 'Infinity'
           AND market_max_quantity > 0 AND market_max_quantity < 'Infinity'
           AND market_min_quantity <= market_max_quantity) NOT VALID,
    ADD CONSTRAINT symbols_market_notional_limits
        CHECK (market_min_notional >= 0 AND market_min_notional < 'Infinity'
           AND market_max_notional > 0 AND market_max_notional < 'Infinity'
           AND market_min_notional <= market_max_notional) NOT VALID,
    ADD CONSTRAINT symbols_ratios_not_negative
        CHECK (price_band_up >= 0 AND price_band_up < 'Infinity'
           AND price_band_down >= 0 AND price_band_down < 'Infinity'
           AND market_slip_ratio >= 0 AND market_slip_ratio < 'Infinity'
           AND funding_cap >= 0 AND funding_cap < 'Infinity') NOT VALID,
    ADD CONSTRAINT symbols_price_band_of_known CHECK (price_band_of IN ('MARK', 'INDEX', 'LAST', 'OTHER')) NOT VALID,
    ADD CONSTRAINT symbols_order_types_known
        CHECK (order_types <@ ARRAY['LIMIT', 'MARKET', 'LIMIT_MAKER', 'IMMEDIATE_OR_CANCEL', 'FILL_OR_KILL']
           AND array_position(order_types, NULL) IS NULL) NOT VALID,
    ADD CONSTRAINT symbols_leverage_limits
        CHECK (leverage_min > 0 AND leverage_min < 'Infinity'
           AND leverage_max > 0 AND leverage_max < 'Infinity'
           AND leverage_min <= leverage_max) NOT VALID,
    ADD CONSTRAINT symbols_margin_rates_are_fractions
        CHECK (initial_margin_rate >= 0 AND initial_margin_rate <= 1
           AND maintenance_margin_rate >= 0 AND maintenance_margin_rate <= 1) NOT VALID,
    ADD CONSTRAINT symbols_counts_positive CHECK (funding_interval > 0 AND max_open_orders > 0) NOT VALID,
    ADD CONSTRAINT symbols_full_name_printable
        CHECK (full_name <> '' AND length(full_name) <= 200 AND full_name !~ '^ | $|[\x01-\x1f\x7f]') NOT VALID,
    ADD CONSTRAINT symbols_contract_address_printable
        CHECK (contract_address <> '' AND length(contract_address) <= 200 AND contract_address !~ '^ | $|[\x01-\x1f\x7f]') NOT VALID,
    ADD CONSTRAINT symbols_asset_class_known CHECK (asset_class IN ('CRYPTO', 'STOCK', 'INDEX', 'COMMODITY', 'FX')) NOT VALID,
    ADD CONSTRAINT symbols_source_printable CHECK (source <> '' AND length(source) <= 100 AND source !~ '^ | $|[\x01-\x1f\x7f]') NOT VALID,
    -- Not 'infinity' and no year that Python's datetime lacks: one such row, and no list of symbols could be read.
    -- No BETWEEN: a restored dump spells several of them otherwise, and would not be the schema of record.
    ADD CONSTRAINT symbols_times_are_dates
        CHECK (date_part('year', buy_opens_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', buy_opens_at AT TIME ZONE 'UTC') <= 9999
           AND date_part('year', sell_opens_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', sell_opens_at AT TIME ZONE 'UTC') <= 9999
           AND date_part('year', delisting_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', delisting_at AT TIME ZONE 'UTC') <= 9999
           AND date_part('year', delisted_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', delisted_at AT TIME ZONE 'UTC') <= 9999
           AND date_part('year', expires_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', expires_at AT TIME ZONE 'UTC') <= 9999
           AND date_part('year', exchange_changed_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', exchange_changed_at AT TIME ZONE 'UTC') <= 9999
           AND date_part('year', observed_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', observed_at AT TIME ZONE 'UTC') <= 9999) NOT VALID;

COMMENT ON COLUMN public.symbols.symbol IS 'Canonical name: BASE/QUOTE[:SETTLE[-YYMMDD[-STRIKE-C|P]]]';
COMMENT ON COLUMN public.symbols.strike IS 'Of an option, in quote';
COMMENT ON COLUMN public.symbols.tick_assumed IS 'The exchange''s documents give no tick: this is the coarser of what is known';
COMMENT ON COLUMN public.symbols.step_assumed IS 'The exchange''s documents give no step: this is the coarser of what is known';
COMMENT ON COLUMN public.symbols.market_min_quantity IS 'Of market orders, in the unit of quantity_step; NULL: they have no limit of their own, as in the other three';
COMMENT ON COLUMN public.symbols.price_band_up IS 'How far above the price of price_band_of an order''s price may be, as a fraction of it';
COMMENT ON COLUMN public.symbols.price_band_down IS 'How far below it an order''s price may be, as a fraction of it';
COMMENT ON COLUMN public.symbols.market_slip_ratio IS 'How far a market order may run, as a fraction of the price';
COMMENT ON COLUMN public.symbols.initial_margin_rate IS 'Fraction of the position, at the lowest risk level, as is maintenance_margin_rate';
COMMENT ON COLUMN public.symbols.funding_interval IS 'Seconds';
COMMENT ON COLUMN public.symbols.funding_cap IS 'The most that one funding payment can be, as a fraction';
COMMENT ON COLUMN public.symbols.max_open_orders IS 'Per account';
COMMENT ON COLUMN public.symbols.full_name IS 'Of the base currency, as contract_address is';
COMMENT ON COLUMN public.symbols.is_risky IS 'The exchange has put a warning on it';
COMMENT ON COLUMN public.symbols.is_premarket IS 'Traded before its coin is';
COMMENT ON COLUMN public.symbols.asset_class IS 'What a contract is on; NULL where its list names no classes';
COMMENT ON COLUMN public.symbols.list_maker_fee IS 'Default of the exchange''s list, which no account pays; fraction of the notional: 0.002 is 0.2 percent; negative is a rebate';
COMMENT ON COLUMN public.symbols.list_taker_fee IS 'As list_maker_fee';
COMMENT ON COLUMN public.symbols.buy_opens_at IS 'When buy orders are taken for the first time';
COMMENT ON COLUMN public.symbols.sell_opens_at IS 'When sell orders are taken for the first time';
COMMENT ON COLUMN public.symbols.delisting_at IS 'From then on positions can only be closed';
COMMENT ON COLUMN public.symbols.delisted_at IS 'From then on nothing is traded';
COMMENT ON COLUMN public.symbols.exchange_changed_at IS 'When the exchange last changed the contract, as it says';
COMMENT ON COLUMN public.symbols.source IS 'The reader, or the user''s own source, that gave this specification; NULL for rows of before that was kept';
COMMENT ON COLUMN public.symbols.observed_at IS 'When the exchange gave the list that brought this specification; NULL where that was not kept';
COMMENT ON COLUMN public.symbol_history.spec IS 'The row of symbols as it was; one of before migration 006 has the names of then';

-- Its foreign key keeps exchanges from being written to until this ends: so it is made late.
CREATE TABLE public.symbol_lists (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    exchange_id SMALLINT NOT NULL,
    kind TEXT NOT NULL,
    settle TEXT,
    underlying TEXT,
    source TEXT NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    unread INTEGER[] NOT NULL DEFAULT '{}',
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT symbol_lists_pkey PRIMARY KEY (id),
    CONSTRAINT symbol_lists_exchange_id_fkey FOREIGN KEY (exchange_id) REFERENCES public.exchanges (id) ON DELETE CASCADE,
    CONSTRAINT symbol_lists_list_key UNIQUE NULLS NOT DISTINCT (exchange_id, kind, settle, underlying),
    CONSTRAINT symbol_lists_kind_known CHECK (kind IN ('SPOT', 'PERPETUAL', 'FUTURE', 'OPTION')),
    CONSTRAINT symbol_lists_settle_printable CHECK (settle <> '' AND length(settle) <= 50 AND settle !~ '^ | $|[\x01-\x1f\x7f]'),
    CONSTRAINT symbol_lists_underlying_printable
        CHECK (underlying <> '' AND length(underlying) <= 101 AND underlying !~ '^ | $|[\x01-\x1f\x7f]'),
    CONSTRAINT symbol_lists_source_printable CHECK (source <> '' AND length(source) <= 100 AND source !~ '^ | $|[\x01-\x1f\x7f]'),
    CONSTRAINT symbol_lists_parts_fit_kind
        CHECK ((settle IS NULL OR kind <> 'SPOT') AND (underlying IS NULL OR kind = 'OPTION')),
    CONSTRAINT symbol_lists_observed_at_is_date
        CHECK (date_part('year', observed_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', observed_at AT TIME ZONE 'UTC') <= 9999),
    -- Every symbol stands in one list at most: where it stood in two, symbol_rows would have it twice. NULL overlaps
    -- everything. Ranges of hashes, because text has no operator class for gist without the extension btree_gist.
    CONSTRAINT symbol_lists_no_overlap EXCLUDE USING gist (
        int4range(exchange_id, exchange_id, '[]') WITH &&,
        int8range(hashtextextended(kind, 0), hashtextextended(kind, 0), '[]') WITH &&,
        int8range(hashtextextended(settle, 0), hashtextextended(settle, 0), '[]') WITH &&,
        int8range(hashtextextended(underlying, 0), hashtextextended(underlying, 0), '[]') WITH &&
    )
);

COMMENT ON TABLE public.symbol_lists IS 'Every list of symbols that was ever imported: only its own symbols can vanish from it';
COMMENT ON COLUMN public.symbol_lists.settle IS 'NULL for spot, and where one list holds every settlement';
COMMENT ON COLUMN public.symbol_lists.underlying IS 'BASE_QUOTE of a list of options';
COMMENT ON COLUMN public.symbol_lists.source IS 'The reader, or the user''s own source, that gave it last';
COMMENT ON COLUMN public.symbol_lists.observed_at IS 'When the exchange gave the list that was last applied, or confirmed what is known';
COMMENT ON COLUMN public.symbol_lists.unread IS 'Ids of symbols whose row in that list could not be read';

-- A symbol stands in one list; statement_timestamp() is the clock that what is read here is judged by.
CREATE VIEW public.symbol_rows AS
SELECT e.enum_value AS exchange, s.id, s.exchange_id, s.native_symbol, s.symbol, s.base, s.quote, s.settle, s.kind,
       s.direction, s.contract_size, s.strike, s.option_type, s.price_tick, s.tick_assumed, s.quantity_step,
       s.step_assumed, s.price_decimals, s.quantity_decimals, s.min_quantity, s.max_quantity, s.min_notional,
       s.max_notional, s.market_min_quantity, s.market_max_quantity, s.market_min_notional, s.market_max_notional,
       s.price_band_up, s.price_band_down, s.price_band_of, s.market_slip_ratio, s.order_types, s.leverage_min,
       s.leverage_max, s.initial_margin_rate, s.maintenance_margin_rate, s.funding_interval, s.funding_cap,
       s.max_open_orders, s.margin_allowed, s.full_name, s.contract_address, s.is_risky, s.is_premarket, s.asset_class,
       s.list_maker_fee, s.list_taker_fee, s.status, s.is_live, s.sides, s.api_tradable, s.buy_opens_at,
       s.sell_opens_at, s.delisting_at, s.delisted_at, s.expires_at, s.exchange_changed_at, s.spec_version, s.source,
       s.observed_at, s.created_at, s.updated_at, l.observed_at AS confirmed_at, coalesce(s.id = ANY (l.unread), false)::boolean AS is_unread,
       e.is_active AS exchange_is_active, statement_timestamp()::timestamptz AS asked_at
FROM public.symbols AS s
JOIN public.exchanges AS e ON e.id = s.exchange_id
LEFT JOIN public.symbol_lists AS l
       ON l.exchange_id = s.exchange_id
      AND l.kind = s.kind
      AND (l.settle IS NULL OR l.settle = s.settle)
      AND (l.underlying IS NULL OR l.underlying = s.base || '_' || s.quote);

COMMENT ON VIEW public.symbol_rows IS 'What is known of a symbol, and where it is traded: its row, when its list was last observed, and of its exchange what a caller asks for';
COMMENT ON COLUMN public.symbol_rows.confirmed_at IS 'When the exchange gave the newest list that says the same';
COMMENT ON COLUMN public.symbol_rows.is_unread IS 'Its row in the newest list could not be read';
COMMENT ON COLUMN public.symbol_rows.asked_at IS 'The server''s clock, which decides what holds now';

-- Both halves join the exchange themselves, and the names are columns beside spec: so a condition on either is met
-- before any JSON is made. A specification of before migration 006 is given the names of now.
CREATE VIEW public.symbol_versions AS
SELECT e.enum_value AS exchange, s.id AS symbol_id, s.exchange_id, s.native_symbol, s.symbol, s.is_live, s.spec_version,
       tstzrange(s.updated_at, NULL) AS valid, s.updated_at AS valid_from, NULL::timestamptz AS valid_to,
       to_jsonb(s) || jsonb_build_object('exchange', e.enum_value) AS spec,
       NULL::text AS operation, NULL::text AS ended_by, NULL::text AS application_name
FROM public.symbols AS s
JOIN public.exchanges AS e ON e.id = s.exchange_id
UNION ALL
SELECT e.enum_value, h.symbol_id, h.exchange_id, h.spec ->> 'native_symbol', h.spec ->> 'symbol',
       (h.spec ->> 'is_live')::boolean, h.spec_version, h.valid, lower(h.valid), upper(h.valid),
       CASE WHEN h.spec ? 'maker_fee'
            THEN (h.spec - '{maker_fee,taker_fee,listed_at,is_active}'::text[])
                 || jsonb_build_object('list_maker_fee', h.spec -> 'maker_fee', 'list_taker_fee', h.spec -> 'taker_fee')
            ELSE h.spec END
       || jsonb_build_object('exchange', e.enum_value), h.operation, h.ended_by, h.application_name
FROM public.symbol_history AS h
JOIN public.exchanges AS e ON e.id = h.exchange_id;

COMMENT ON VIEW public.symbol_versions IS 'What symbols were and are: every specification, those of symbol_history and the one that holds, with the exchange''s enum_value in it';
COMMENT ON COLUMN public.symbol_versions.valid IS 'When it held, from valid_from up to valid_to; without an end for the one that holds now';

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

CREATE OR REPLACE FUNCTION public.symbols_record_update() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
BEGIN
    INSERT INTO public.symbol_history
        (symbol_id, exchange_id, spec_version, valid, spec, operation, ended_by, application_name)
    SELECT o.id, o.exchange_id, o.spec_version, tstzrange(o.updated_at, n.updated_at), to_jsonb(o),
           TG_OP, session_user::text, current_setting('application_name')
    FROM old_rows AS o JOIN new_rows AS n USING (id)
    WHERE n.spec_version <> o.spec_version;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION public.symbols_record_delete() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
BEGIN
    INSERT INTO public.symbol_history
        (symbol_id, exchange_id, spec_version, valid, spec, operation, ended_by, application_name)
    SELECT o.id, o.exchange_id, o.spec_version,
           tstzrange(o.updated_at, greatest(now(), o.updated_at + interval '1 microsecond')), to_jsonb(o),
           TG_OP, session_user::text, current_setting('application_name')
    FROM old_rows AS o;
    DELETE FROM public.symbol_raw AS r USING old_rows AS o WHERE r.symbol_id = o.id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION public.symbols_record_truncate() RETURNS trigger
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
           tstzrange(o.updated_at, greatest(now(), o.updated_at + interval '1 microsecond')), to_jsonb(o),
           TG_OP, session_user::text, current_setting('application_name')
    FROM public.symbols AS o;
    DELETE FROM public.symbol_raw;
    RETURN NULL;
END
$$;

DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT r.relation, r.role, r.is_public, r.privilege, r.is_grantable
               FROM json_to_recordset(current_setting('exchanges_db.rights')::json)
                   AS r(relation text, role text, is_public boolean, privilege text, is_grantable boolean) LOOP
        EXECUTE format('GRANT %s ON public.%I TO %s%s', one.privilege, one.relation,
                       CASE WHEN one.is_public THEN 'PUBLIC' ELSE quote_ident(one.role) END,
                       CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    PERFORM set_config('exchanges_db.rights', '[]', false);
END
$$;

-- migrate:down
SET LOCAL lock_timeout = '200ms';
-- One statement that undoes nothing unless dbmate runs it. Another program runs this file from end to end: then the up
-- part stands in the same transaction, or this statement has a transaction of its own; dbmate begins one before it.
-- What migration 004 has no column for is lost, in symbols and in their history.
DO $down$
DECLARE
    one record;
BEGIN
    IF current_setting('exchanges_db.direction', true) = 'up' OR transaction_timestamp() = statement_timestamp() THEN
        RAISE WARNING 'migration 006 was not undone: only dbmate runs its down part, by dbmate rollback';
        RETURN;
    END IF;
    PERFORM set_config('exchanges_db.rights', coalesce((
        SELECT json_agg(json_build_object('relation', c.relname, 'role', coalesce(r.rolname, 'public'), 'is_public', a.grantee = 0,
                                          'privilege', a.privilege_type, 'is_grantable', a.is_grantable))
        FROM pg_catalog.pg_class AS c
        CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
        WHERE c.relnamespace = 'public'::regnamespace AND c.relname IN ('symbol_rows', 'symbol_versions')
          AND a.grantee <> c.relowner)::text, '[]'), false);
    DROP VIEW public.symbol_versions;
    DROP VIEW public.symbol_rows;
    LOCK TABLE public.symbols, public.symbol_history IN ACCESS EXCLUSIVE MODE;
    ALTER TABLE public.symbols
        DROP CONSTRAINT symbols_times_are_dates,
        DROP COLUMN strike, DROP COLUMN option_type, DROP COLUMN tick_assumed, DROP COLUMN step_assumed,
        DROP COLUMN market_min_quantity, DROP COLUMN market_max_quantity, DROP COLUMN market_min_notional,
        DROP COLUMN market_max_notional, DROP COLUMN price_band_up, DROP COLUMN price_band_down,
        DROP COLUMN price_band_of, DROP COLUMN market_slip_ratio, DROP COLUMN order_types, DROP COLUMN leverage_min,
        DROP COLUMN leverage_max, DROP COLUMN initial_margin_rate, DROP COLUMN maintenance_margin_rate,
        DROP COLUMN funding_interval, DROP COLUMN funding_cap, DROP COLUMN max_open_orders,
        DROP COLUMN margin_allowed, DROP COLUMN full_name, DROP COLUMN contract_address, DROP COLUMN is_risky,
        DROP COLUMN is_premarket, DROP COLUMN asset_class, DROP COLUMN buy_opens_at, DROP COLUMN sell_opens_at,
        DROP COLUMN exchange_changed_at, DROP COLUMN source, DROP COLUMN observed_at,
        ADD COLUMN is_active BOOLEAN NOT NULL GENERATED ALWAYS AS (status = 'TRADING') STORED,
        ADD COLUMN listed_at TIMESTAMPTZ,
        ADD COLUMN raw JSONB;
    ALTER TABLE public.symbols RENAME COLUMN list_maker_fee TO maker_fee;
    ALTER TABLE public.symbols RENAME COLUMN list_taker_fee TO taker_fee;
    ALTER TABLE public.symbols ADD CONSTRAINT symbols_times_are_dates
        CHECK (date_part('year', listed_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', listed_at AT TIME ZONE 'UTC') <= 9999
           AND date_part('year', delisting_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', delisting_at AT TIME ZONE 'UTC') <= 9999
           AND date_part('year', delisted_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', delisted_at AT TIME ZONE 'UTC') <= 9999
           AND date_part('year', expires_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', expires_at AT TIME ZONE 'UTC') <= 9999);
    COMMENT ON COLUMN public.symbols.symbol IS 'Canonical name: BASE/QUOTE[:SETTLE[-YYMMDD]]';
    COMMENT ON COLUMN public.symbols.maker_fee IS 'Fraction of the notional: 0.002 is 0.2 percent; negative is a rebate';
    COMMENT ON COLUMN public.symbols.taker_fee IS NULL;
    COMMENT ON COLUMN public.symbols.delisting_at IS NULL;
    COMMENT ON COLUMN public.symbols.delisted_at IS NULL;
    COMMENT ON COLUMN public.symbols.is_active IS 'Follows from status: whether it is traded';
    COMMENT ON COLUMN public.symbols.raw IS 'The row of the payload that gave this specification';
    COMMENT ON COLUMN public.symbol_history.spec IS 'The row of symbols as it was, without raw';
    ALTER TABLE public.symbols DISABLE TRIGGER USER;
    UPDATE public.symbols AS s SET raw = r.raw FROM public.symbol_raw AS r WHERE r.symbol_id = s.id;
    ALTER TABLE public.symbol_history DISABLE TRIGGER USER;
    UPDATE public.symbol_history AS h
    SET spec = h.spec || jsonb_build_object(
        'maker_fee', h.spec -> 'list_maker_fee', 'taker_fee', h.spec -> 'list_taker_fee',
        'is_active', h.spec ->> 'status' = 'TRADING', 'listed_at', NULL)
    WHERE NOT h.spec ? 'maker_fee';
    DROP TABLE public.symbol_raw;
    DROP TABLE public.symbol_lists;
    ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_stamp;
    ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_stamp_insert;
    ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_refuse_used_id;
    ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_record_update;
    ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_record_delete;
    ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_record_truncate;
    ALTER TABLE public.symbol_history ENABLE ALWAYS TRIGGER symbol_history_refuse;
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
    CREATE OR REPLACE FUNCTION public.symbols_record_update() RETURNS trigger
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
    CREATE OR REPLACE FUNCTION public.symbols_record_delete() RETURNS trigger
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
    CREATE OR REPLACE FUNCTION public.symbols_record_truncate() RETURNS trigger
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
    FOR one IN SELECT r.relation, r.role, r.is_public, r.privilege, r.is_grantable
               FROM json_to_recordset(current_setting('exchanges_db.rights')::json)
                   AS r(relation text, role text, is_public boolean, privilege text, is_grantable boolean) LOOP
        EXECUTE format('GRANT %s ON public.%I TO %s%s', one.privilege, one.relation,
                       CASE WHEN one.is_public THEN 'PUBLIC' ELSE quote_ident(one.role) END,
                       CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    PERFORM set_config('exchanges_db.rights', '[]', false);
END
$down$
