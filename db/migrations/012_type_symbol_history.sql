-- Migration 012: the past as columns instead of JSON, symbols that are known by name only, and one moment per import.
--
-- symbol_history has the columns of symbols: a question about the past reads an index and no JSON. A symbol without
-- status, kind, canonical name, tick and step is known by name only: it was brought along from another database, has an
-- id for foreign keys, and gets its rules from the first list that has it.
--
-- What takes long was done by 010 and 011. From here on code of before does not run: it reads columns that go.

-- migrate:up
SET LOCAL lock_timeout = '200ms';
-- Before all else, so that the down part knows whose transaction it is in.
DO $$ BEGIN PERFORM set_config('exchanges_db.direction', 'up', true); END $$;

-- psql goes on after an error, unless it is told not to: where this file was applied before, or what it rests on is not
-- there, nothing more is written in this session.
DO $$
BEGIN
    IF to_regclass('public.symbol_history_typed') IS NULL OR to_regclass('public.symbol_states') IS NOT NULL
       OR to_regclass('public.current_symbols') IS NOT NULL THEN
        PERFORM set_config('default_transaction_read_only', 'on', false), set_config('transaction_read_only', 'on', false);
    END IF;
END
$$;

DO $$
DECLARE
    taken text;
BEGIN
    SELECT string_agg('public.' || own.name, ', ' ORDER BY own.name) INTO taken
    FROM (VALUES ('symbol_states'), ('current_symbols')) AS own (name)
    WHERE to_regclass('public.' || own.name) IS NOT NULL;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION '% is there already and was not made by migration 012 of exchanges_db: rename or move it, or give exchanges_db a database of its own', taken
            USING ERRCODE = 'duplicate_table';
    END IF;
    IF to_regclass('public.symbol_history_typed') IS NULL THEN
        RAISE EXCEPTION 'public.symbol_history_typed is not there: migration 010 of exchanges_db makes it'
            USING ERRCODE = 'undefined_table';
    END IF;
END
$$;

-- Nothing, where 011 was applied. Where another project's file stood for it in a shared ledger, all of it.
DO $$
BEGIN
    PERFORM public.symbol_history_copy(array_agg(h.symbol_id), array_agg(h.spec_version))
    FROM public.symbol_history AS h
    WHERE NOT EXISTS (SELECT FROM public.symbol_history_typed AS t
                      WHERE t.symbol_id = h.symbol_id AND t.spec_version = h.spec_version);
END
$$;

-- Of symbols that were deleted while 006 copied what was said of them.
DELETE FROM public.symbol_raw AS r WHERE NOT EXISTS (SELECT FROM public.symbols AS s WHERE s.id = r.symbol_id);

-- Of 006 and 010. This looks at every symbol, and keeps nobody from reading or writing one.
ALTER TABLE public.symbols
    VALIDATE CONSTRAINT symbols_option_type_known,
    VALIDATE CONSTRAINT symbols_option_terms_fit_kind,
    VALIDATE CONSTRAINT symbols_strike_positive,
    VALIDATE CONSTRAINT symbols_market_quantity_limits,
    VALIDATE CONSTRAINT symbols_market_notional_limits,
    VALIDATE CONSTRAINT symbols_ratios_not_negative,
    VALIDATE CONSTRAINT symbols_price_band_of_known,
    VALIDATE CONSTRAINT symbols_order_types_known,
    VALIDATE CONSTRAINT symbols_leverage_limits,
    VALIDATE CONSTRAINT symbols_margin_rates_are_fractions,
    VALIDATE CONSTRAINT symbols_counts_positive,
    VALIDATE CONSTRAINT symbols_full_name_printable,
    VALIDATE CONSTRAINT symbols_contract_address_printable,
    VALIDATE CONSTRAINT symbols_asset_class_known,
    VALIDATE CONSTRAINT symbols_source_printable,
    VALIDATE CONSTRAINT symbols_rules_whole,
    VALIDATE CONSTRAINT symbols_named_is_closed,
    VALIDATE CONSTRAINT symbols_times_are_near;

-- Which exchange had a name at a time; else which one has it now; else which one had it last. NULL: none ever.
CREATE FUNCTION public.exchange_id_as_of(wanted text, moment timestamptz) RETURNS integer
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    number integer;
BEGIN
    SELECT h.exchange_id INTO number
    FROM public.exchange_history AS h
    WHERE h.new_row ->> 'enum_value' = wanted AND h.changed_at <= moment
      AND NOT EXISTS (SELECT FROM public.exchange_history AS later
                      WHERE later.exchange_id = h.exchange_id AND later.changed_at <= moment
                        AND (later.changed_at, later.id) > (h.changed_at, h.id))
    ORDER BY h.changed_at DESC
    LIMIT 1;
    IF number IS NULL THEN
        SELECT e.id INTO number FROM public.exchanges AS e WHERE e.enum_value = wanted;
    END IF;
    IF number IS NULL THEN
        SELECT h.exchange_id INTO number
        FROM public.exchange_history AS h
        WHERE h.new_row ->> 'enum_value' = wanted
        ORDER BY h.changed_at DESC
        LIMIT 1;
    END IF;
    RETURN number;
END
$$;

COMMENT ON FUNCTION public.exchange_id_as_of(text, timestamptz) IS 'The id of the exchange that had this enum_value at a time; else of the one that has it now, or had it last';

-- Whether the statement that calls this sees every import that changes what was known at a time: an import takes its
-- moment under a lock and commits later. It waits for one that runs, unless that is known to have begun after the time.
-- Where it says false, the statement began before such an import was committed: it must be sent again.
--
-- seen: max(imported_at) of the exchange's lists, as the calling statement sees it. Each query in a volatile function
-- sees what was committed up to then, so that an import which ended in between shows. No lock is held afterwards.
CREATE FUNCTION public.symbols_settled(lock_class integer, exchange integer, moment timestamptz, seen timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    began timestamptz;
BEGIN
    IF moment > statement_timestamp() THEN
        RETURN true;
    END IF;
    IF pg_try_advisory_lock_shared(lock_class, exchange) THEN
        PERFORM pg_advisory_unlock_shared(lock_class, exchange);
    ELSE
        SELECT a.xact_start INTO began
        FROM pg_catalog.pg_locks AS l
        JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ExclusiveLock'
          AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
          AND l.classid = lock_class::oid AND l.objid = exchange::oid AND l.objsubid = 2;
        IF began IS NULL OR began <= moment THEN
            PERFORM pg_advisory_lock_shared(lock_class, exchange);
            PERFORM pg_advisory_unlock_shared(lock_class, exchange);
            RETURN false;
        END IF;
    END IF;
    RETURN seen IS NOT DISTINCT FROM (SELECT max(l.imported_at) FROM public.symbol_lists AS l WHERE l.exchange_id = exchange);
END
$$;

COMMENT ON FUNCTION public.symbols_settled(integer, integer, timestamptz, timestamptz) IS 'Whether no import that changes what was known at a time is missing from what the calling statement sees';

-- The moment that an import has taken under its lock; without an import, that of the statement. One that lies before the
-- transaction, or a day ahead, is not taken: it would change the past, or keep the future from being written.
CREATE FUNCTION public.symbols_moment() RETURNS timestamptz
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given text := current_setting('exchanges_db.moment', true);
    moment timestamptz;
BEGIN
    IF given = '' THEN
        RETURN statement_timestamp();
    END IF;
    -- No text of this form is refused as a time. Entering a block that catches errors takes longer, and a row each does it.
    IF given ~ '^[1-9]\d{3}-(0[1-9]|1[0-2])-([01][1-9]|10|2[0-8]) ([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?\+00$' THEN
        moment := given::timestamptz;
    ELSE
        BEGIN
            moment := given::timestamptz;
        EXCEPTION WHEN data_exception THEN
            moment := NULL;
        END;
    END IF;
    IF moment >= now() AND moment < clock_timestamp() + interval '1 day' THEN
        RETURN moment;
    END IF;
    RETURN statement_timestamp();
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
        WHERE c.relnamespace = 'public'::regnamespace AND c.relname IN ('symbol_rows', 'symbol_versions', 'symbol_history')
          AND a.grantee <> c.relowner)::text, '[]'), false);
END
$$;

-- Views before the tables that they read, as every look-up locks them: who holds one of these locks does not wait for
-- another that is held here. From here on everything is short.
DROP VIEW public.symbol_versions;
DROP VIEW public.symbol_rows;
-- In a block, because psql refuses LOCK outside of a transaction.
DO $$ BEGIN LOCK TABLE public.symbols, public.symbol_history IN ACCESS EXCLUSIVE MODE; END $$;

-- For a database whose 004 is from before the first release: there is_live has no coalesce yet, and every row is written anew.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
               JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
               WHERE a.attrelid = 'public.symbols'::regclass AND a.attname = 'is_live'
                 AND pg_get_expr(d.adbin, d.adrelid) NOT LIKE '%COALESCE%') THEN
        ALTER TABLE public.symbols
            DROP COLUMN is_live,
            ADD COLUMN is_live BOOLEAN NOT NULL GENERATED ALWAYS AS (coalesce(status NOT IN ('DELISTED', 'EXPIRED'), false)) STORED;
        CREATE UNIQUE INDEX symbols_live_native_symbol_key ON public.symbols (exchange_id, native_symbol) WHERE is_live;
        COMMENT ON COLUMN public.symbols.is_live IS 'Follows from status: whether the exchange still knows it, traded or not';
    END IF;
END
$$;

-- What was written since 011, or while 011 was there. No version of a symbol begins here: a hash is no part of one.
UPDATE public.symbols AS s SET spec_hash = public.symbol_spec_hash(s) WHERE s.spec_hash IS NULL;

ALTER TABLE public.symbols
    DROP CONSTRAINT symbols_times_are_dates,
    ALTER COLUMN symbol DROP NOT NULL,
    ALTER COLUMN kind DROP NOT NULL,
    ALTER COLUMN price_tick DROP NOT NULL,
    ALTER COLUMN quantity_step DROP NOT NULL,
    ALTER COLUMN status DROP NOT NULL;
ALTER TABLE public.symbols RENAME CONSTRAINT symbols_times_are_near TO symbols_times_are_dates;
COMMENT ON COLUMN public.symbols.status IS 'NULL, as symbol, kind, price_tick and quantity_step are: known by name only, from another database';

-- By name: `exchanges-db migrate` reads in these files what is there when all are applied.
DROP INDEX public.idx_symbol_history_spelling;
DROP TABLE public.symbol_history;
DROP FUNCTION public.symbol_history_copy(integer[], integer[]);
DROP FUNCTION public.symbol_history_copy_insert();
DROP FUNCTION public.symbol_history_copy_delete();
ALTER TABLE public.symbol_history_typed RENAME CONSTRAINT symbol_history_typed_pkey TO symbol_history_pkey;
ALTER TABLE public.symbol_history_typed RENAME CONSTRAINT symbol_history_typed_no_overlap TO symbol_history_no_overlap;
ALTER TABLE public.symbol_history_typed RENAME TO symbol_history;
ALTER INDEX public.idx_symbol_history_typed_symbol RENAME TO idx_symbol_history_symbol;
ALTER INDEX public.idx_symbol_history_typed_native_symbol RENAME TO idx_symbol_history_native_symbol;
ALTER INDEX public.idx_symbol_history_typed_exchange RENAME TO idx_symbol_history_exchange;
ALTER INDEX public.idx_symbol_history_typed_began RENAME TO idx_symbol_history_began;
CREATE TRIGGER symbol_history_refuse BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.symbol_history
    FOR EACH STATEMENT EXECUTE FUNCTION public.history_refuse();
CREATE TRIGGER symbol_history_record_prune AFTER DELETE ON public.symbol_history
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.history_record_prune();
ALTER TABLE public.symbol_history ENABLE ALWAYS TRIGGER symbol_history_refuse;
ALTER TABLE public.symbol_history ENABLE ALWAYS TRIGGER symbol_history_record_prune;

COMMENT ON TABLE public.symbol_history IS 'Specifications that no longer hold, and when they did; the one that holds is the row of symbols. Written by trigger, append-only';
COMMENT ON COLUMN public.symbol_history.valid IS 'From the change that made it up to the change that ended it';
COMMENT ON COLUMN public.symbol_history.ended_by IS 'session_user of the change that ended it';
COMMENT ON COLUMN public.symbol_history.created_at IS 'Of the row of symbols';

-- Code of before went on to note unread rows after 008: what it noted since are doubts, of then and not of now.
ALTER TABLE public.symbol_doubts DISABLE TRIGGER symbol_doubts_stamp;
UPDATE public.symbol_doubts AS d
SET ended_at = greatest(clock_timestamp(), d.since)
WHERE d.ended_at IS NULL AND NOT EXISTS (SELECT FROM public.symbol_lists AS l WHERE d.symbol_id = ANY (l.unread));
INSERT INTO public.symbol_doubts (symbol_id, brake, reason, since)
SELECT DISTINCT ON (one.symbol_id) one.symbol_id, 'REJECTED', 'its row in the newest list could not be read', l.observed_at
FROM public.symbol_lists AS l
CROSS JOIN LATERAL unnest(l.unread) AS one (symbol_id)
WHERE NOT EXISTS (SELECT FROM public.symbol_doubts AS d WHERE d.symbol_id = one.symbol_id AND d.ended_at IS NULL)
ORDER BY one.symbol_id, l.observed_at;
ALTER TABLE public.symbol_doubts ENABLE ALWAYS TRIGGER symbol_doubts_stamp;
ALTER TABLE public.symbol_lists
    DROP COLUMN unread,
    DROP CONSTRAINT symbol_lists_observed_at_is_date,
    ADD CONSTRAINT symbol_lists_times_are_dates
        CHECK (observed_at AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND observed_at AT TIME ZONE 'UTC' < '9999-12-31'::timestamp
           AND changed_at AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND changed_at AT TIME ZONE 'UTC' < '9999-12-31'::timestamp
           AND imported_at AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND imported_at AT TIME ZONE 'UTC' < '9999-12-31'::timestamp);

CREATE VIEW public.symbol_rows AS
SELECT e.enum_value AS exchange, s.id, s.exchange_id, s.native_symbol, s.symbol::text AS symbol, s.base, s.quote, s.settle,
       s.kind::text AS kind, s.direction, s.contract_size, s.strike, s.option_type, s.price_tick::numeric AS price_tick,
       s.tick_assumed, s.quantity_step::numeric AS quantity_step, s.step_assumed,
       s.price_decimals::smallint AS price_decimals, s.quantity_decimals::smallint AS quantity_decimals,
       s.min_quantity, s.max_quantity, s.min_notional,
       s.max_notional, s.market_min_quantity, s.market_max_quantity, s.market_min_notional, s.market_max_notional,
       s.price_band_up, s.price_band_down, s.price_band_of, s.market_slip_ratio, s.order_types, s.leverage_min,
       s.leverage_max, s.initial_margin_rate, s.maintenance_margin_rate, s.funding_interval, s.funding_cap,
       s.max_open_orders, s.margin_allowed, s.full_name, s.contract_address, s.is_risky, s.is_premarket, s.asset_class,
       s.list_maker_fee, s.list_taker_fee, s.status::text AS status, s.is_live::boolean AS is_live, s.sides, s.api_tradable, s.buy_opens_at,
       s.sell_opens_at, s.delisting_at, s.delisted_at, s.expires_at, s.exchange_changed_at, s.spec_version, s.source,
       s.observed_at, s.created_at, s.updated_at,
       l.observed_at AS confirmed_at, d.since AS doubtful_since, d.reason AS doubt,
       hs.sides AS held_sides, hs.until_at AS held_until, hs.reason AS hold_reason, hs.held_by AS held_by,
       he.sides AS exchange_held_sides, he.until_at AS exchange_held_until, he.reason AS exchange_hold_reason,
       he.held_by AS exchange_held_by,
       e.is_active AS exchange_is_active, statement_timestamp()::timestamptz AS asked_at
FROM public.symbols AS s
JOIN public.exchanges AS e ON e.id = s.exchange_id
LEFT JOIN public.symbol_lists AS l
       ON l.exchange_id = s.exchange_id
      AND l.kind = s.kind
      AND (l.settle IS NULL OR l.settle = s.settle)
      AND (l.underlying IS NULL OR l.underlying = s.base || '_' || s.quote)
LEFT JOIN public.symbol_doubts AS d ON d.symbol_id = s.id AND d.ended_at IS NULL
LEFT JOIN public.holds AS hs ON hs.exchange_id = s.exchange_id AND hs.native_symbol = s.native_symbol
LEFT JOIN public.holds AS he ON he.exchange_id = s.exchange_id AND he.native_symbol IS NULL
WHERE s.status IS NOT NULL;

COMMENT ON VIEW public.symbol_rows IS 'What look-ups read: a symbol with rules, what the judge needs beside it, and of its exchange what a caller asks for';
COMMENT ON COLUMN public.symbol_rows.confirmed_at IS 'When the exchange gave the newest list that says the same';
COMMENT ON COLUMN public.symbol_rows.doubtful_since IS 'NULL: it is not in doubt';
COMMENT ON COLUMN public.symbol_rows.asked_at IS 'The server''s clock, which decides what holds now';

-- What every question about the past reads. In this form a version is found by its symbol's id in the primary keys of
-- both tables, whatever else there is.
CREATE VIEW public.symbol_states AS
SELECT s.id, s.exchange_id, s.native_symbol, s.symbol::text AS symbol, s.base, s.quote, s.settle,
       s.kind::text AS kind, s.direction, s.contract_size, s.strike, s.option_type, s.price_tick::numeric AS price_tick,
       s.tick_assumed, s.quantity_step::numeric AS quantity_step, s.step_assumed,
       s.price_decimals::smallint AS price_decimals, s.quantity_decimals::smallint AS quantity_decimals,
       s.min_quantity, s.max_quantity, s.min_notional,
       s.max_notional, s.market_min_quantity, s.market_max_quantity, s.market_min_notional, s.market_max_notional,
       s.price_band_up, s.price_band_down, s.price_band_of, s.market_slip_ratio, s.order_types, s.leverage_min,
       s.leverage_max, s.initial_margin_rate, s.maintenance_margin_rate, s.funding_interval, s.funding_cap,
       s.max_open_orders, s.margin_allowed, s.full_name, s.contract_address, s.is_risky, s.is_premarket, s.asset_class,
       s.list_maker_fee, s.list_taker_fee, s.status::text AS status, s.is_live::boolean AS is_live, s.sides, s.api_tradable, s.buy_opens_at,
       s.sell_opens_at, s.delisting_at, s.delisted_at, s.expires_at, s.exchange_changed_at, s.spec_version, s.source,
       s.observed_at, s.created_at, s.updated_at,
       s.updated_at AS valid_from, NULL::timestamptz AS valid_to, NULL::text AS operation, NULL::text AS ended_by,
       NULL::text AS application_name
FROM public.symbols AS s
WHERE s.status IS NOT NULL
UNION ALL
SELECT h.symbol_id, h.exchange_id, h.native_symbol, h.symbol, h.base, h.quote, h.settle,
       h.kind, h.direction, h.contract_size, h.strike, h.option_type, h.price_tick, h.tick_assumed, h.quantity_step,
       h.step_assumed, h.price_decimals, h.quantity_decimals, h.min_quantity, h.max_quantity, h.min_notional,
       h.max_notional, h.market_min_quantity, h.market_max_quantity, h.market_min_notional, h.market_max_notional,
       h.price_band_up, h.price_band_down, h.price_band_of, h.market_slip_ratio, h.order_types, h.leverage_min,
       h.leverage_max, h.initial_margin_rate, h.maintenance_margin_rate, h.funding_interval, h.funding_cap,
       h.max_open_orders, h.margin_allowed, h.full_name, h.contract_address, h.is_risky, h.is_premarket, h.asset_class,
       h.list_maker_fee, h.list_taker_fee, h.status, h.is_live, h.sides, h.api_tradable, h.buy_opens_at,
       h.sell_opens_at, h.delisting_at, h.delisted_at, h.expires_at, h.exchange_changed_at, h.spec_version, h.source,
       h.observed_at, h.created_at, lower(h.valid), lower(h.valid), upper(h.valid), h.operation, h.ended_by, h.application_name
FROM public.symbol_history AS h;

COMMENT ON VIEW public.symbol_states IS 'Every specification that holds or held, and when it did: what questions about the past read';

-- The two views that others build on. Columns are only ever added, at the end.
CREATE VIEW public.symbol_versions AS
SELECT coalesce(e.enum_value, (
           SELECT x.old_row ->> 'enum_value'
           FROM public.exchange_history AS x
           WHERE x.exchange_id = v.exchange_id AND x.new_row IS NULL
           ORDER BY x.changed_at DESC, x.id DESC
           LIMIT 1)) AS exchange,
       v.id, v.exchange_id, v.native_symbol, v.symbol, v.base, v.quote, v.settle, v.kind, v.direction,
       v.contract_size, v.strike, v.option_type, v.price_tick, v.tick_assumed, v.quantity_step, v.step_assumed,
       v.price_decimals, v.quantity_decimals, v.min_quantity, v.max_quantity, v.min_notional, v.max_notional,
       v.market_min_quantity, v.market_max_quantity, v.market_min_notional, v.market_max_notional, v.price_band_up,
       v.price_band_down, v.price_band_of, v.market_slip_ratio, v.order_types, v.leverage_min, v.leverage_max,
       v.initial_margin_rate, v.maintenance_margin_rate, v.funding_interval, v.funding_cap, v.max_open_orders,
       v.margin_allowed, v.full_name, v.contract_address, v.is_risky, v.is_premarket, v.asset_class,
       v.list_maker_fee, v.list_taker_fee, v.status, v.is_live, v.sides, v.api_tradable, v.buy_opens_at,
       v.sell_opens_at, v.delisting_at, v.delisted_at, v.expires_at, v.exchange_changed_at, v.spec_version, v.source,
       v.observed_at, v.created_at, v.updated_at, v.valid_from, v.valid_to,
       tstzrange(v.valid_from, v.valid_to) AS valid, v.operation, v.ended_by, v.application_name
FROM public.symbol_states AS v
LEFT JOIN public.exchanges AS e ON e.id = v.exchange_id;

COMMENT ON VIEW public.symbol_versions IS 'What symbols were and are, to build on: every specification, those of symbol_history and the one that holds';
COMMENT ON COLUMN public.symbol_versions.exchange IS 'enum_value that the exchange has now; of a deleted one, the last that it had';
COMMENT ON COLUMN public.symbol_versions.valid IS 'When it held, from valid_from up to valid_to; without an end for the one that holds now';

CREATE VIEW public.current_symbols AS
SELECT r.exchange, r.id, r.exchange_id, r.native_symbol, r.symbol, r.base, r.quote, r.settle, r.kind, r.direction,
       r.contract_size, r.strike, r.option_type, r.price_tick, r.tick_assumed, r.quantity_step, r.step_assumed,
       r.price_decimals, r.quantity_decimals, r.min_quantity, r.max_quantity, r.min_notional, r.max_notional,
       r.market_min_quantity, r.market_max_quantity, r.market_min_notional, r.market_max_notional, r.price_band_up,
       r.price_band_down, r.price_band_of, r.market_slip_ratio, r.order_types, r.leverage_min, r.leverage_max,
       r.initial_margin_rate, r.maintenance_margin_rate, r.funding_interval, r.funding_cap, r.max_open_orders,
       r.margin_allowed, r.full_name, r.contract_address, r.is_risky, r.is_premarket, r.asset_class,
       r.list_maker_fee, r.list_taker_fee, r.status, r.is_live, r.sides, r.api_tradable, r.buy_opens_at,
       r.sell_opens_at, r.delisting_at, r.delisted_at, r.expires_at, r.exchange_changed_at, r.spec_version, r.source,
       r.observed_at, r.created_at, r.updated_at,
       r.exchange_is_active, r.confirmed_at,
       (r.doubtful_since IS NOT NULL)::boolean AS is_doubtful, r.doubtful_since, r.doubt,
       held.is_held
FROM public.symbol_rows AS r
-- Beside it and not in the list above: a view of one table alone is printed differently by PostgreSQL 15, so that the
-- schema would not be the one on record there.
CROSS JOIN LATERAL (
    SELECT (coalesce(r.held_until > r.asked_at, r.held_sides IS NOT NULL)
            OR coalesce(r.exchange_held_until > r.asked_at, r.exchange_held_sides IS NOT NULL))::boolean AS is_held
) AS held;

COMMENT ON VIEW public.current_symbols IS 'What symbols are now, to build on: every symbol with rules, and what is known beside it. What may be traded is decided by can_trade alone';
COMMENT ON COLUMN public.current_symbols.confirmed_at IS 'When the exchange gave the newest list that says the same';
COMMENT ON COLUMN public.current_symbols.is_doubtful IS 'A list has said something of it that is not believed';
COMMENT ON COLUMN public.current_symbols.is_held IS 'A person has forbidden to trade it, or its exchange, on one side at least';

CREATE OR REPLACE FUNCTION public.symbols_stamp() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.spec_version := 1;
        NEW.created_at := public.symbols_moment();
        NEW.updated_at := NEW.created_at;
        NEW.read_digest := NULL;
        NEW.spec_hash := public.symbol_spec_hash(NEW);
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.exchange_id, NEW.native_symbol) IS DISTINCT FROM (OLD.id, OLD.exchange_id, OLD.native_symbol) THEN
        RAISE EXCEPTION 'id, exchange and native symbol of a symbol cannot be changed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'symbols_identity_immutable';
    END IF;
    NEW.spec_hash := public.symbol_spec_hash(NEW);
    -- Where and when a specification is from is no part of it.
    IF NEW.spec_hash = public.symbol_spec_hash(OLD) THEN
        -- Of symbols_continue_history, which has the owner's rights: the versions of a row that had its id before go on.
        IF NOT (pg_trigger_depth() > 1 AND NEW.spec_version >= OLD.spec_version AND NEW.updated_at >= OLD.updated_at
                AND EXISTS (SELECT FROM pg_catalog.pg_class AS c
                            WHERE c.oid = TG_RELID AND pg_get_userbyid(c.relowner) = current_user)) THEN
            NEW.spec_version := OLD.spec_version;
            NEW.updated_at := OLD.updated_at;
            NEW.created_at := OLD.created_at;
        END IF;
        NEW.source := OLD.source;
        NEW.observed_at := OLD.observed_at;
        RETURN NEW;
    END IF;
    IF OLD.status IS NOT NULL AND NEW.status IS NULL THEN
        RAISE EXCEPTION 'a symbol that has rules is not known by name only'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'symbols_rules_stay';
    END IF;
    NEW.created_at := OLD.created_at;
    NEW.updated_at := greatest(public.symbols_moment(), OLD.updated_at + interval '1 microsecond');
    -- The first rules of a symbol that was known by name only follow no others.
    NEW.spec_version := OLD.spec_version + CASE WHEN OLD.status IS NULL THEN 0 ELSE 1 END;
    -- Whoever changes a row by hand gives no digest: what a reader said no longer holds.
    IF NEW.read_digest IS NOT DISTINCT FROM OLD.read_digest THEN
        NEW.read_digest := NULL;
    END IF;
    RETURN NEW;
END
$$;

DROP TRIGGER symbols_refuse_used_id ON public.symbols;
DROP FUNCTION public.symbols_refuse_used_id();

-- A row with an id that a symbol had before, as OVERRIDING SYSTEM VALUE, a restore or a sequence that was set back gives
-- it, continues the versions of that id. None holds earlier than what its native symbol was before; the moment of an
-- import is later than that anyway. Once a statement, not once a row: a first import inserts a hundred thousand.
CREATE FUNCTION public.symbols_continue_history() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE public.symbols AS s
    SET spec_version = last.spec_version + 1, updated_at = greatest(s.updated_at, last.ended_at),
        created_at = greatest(s.updated_at, last.ended_at)
    FROM (
        SELECT h.symbol_id, max(h.spec_version) AS spec_version, max(upper(h.valid)) AS ended_at
        FROM public.symbol_history AS h
        JOIN new_rows AS n ON n.id = h.symbol_id
        GROUP BY h.symbol_id
    ) AS last
    WHERE s.id = last.symbol_id;
    IF coalesce(current_setting('exchanges_db.moment', true), '') = '' THEN
        UPDATE public.symbols AS s
        SET updated_at = last.ended_at, created_at = last.ended_at
        FROM (
            SELECT n.id, max(upper(h.valid)) AS ended_at
            FROM public.symbol_history AS h
            JOIN new_rows AS n ON n.exchange_id = h.exchange_id AND n.native_symbol = h.native_symbol
            GROUP BY n.id
        ) AS last
        WHERE s.id = last.id AND s.updated_at < last.ended_at;
    END IF;
    RETURN NULL;
END
$$;

-- Before rows are inserted: a sequence that was set back, as by TRUNCATE ... RESTART IDENTITY, goes on behind the ids that
-- symbols have had, because tables of others may refer to those. And a moment that symbols_moment() does not take is none.
CREATE FUNCTION public.symbols_prepare_insert() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ids regclass := pg_get_serial_sequence('public.symbols', 'id')::regclass;
    highest integer := greatest((SELECT max(s.id) FROM public.symbols AS s),
                                (SELECT max(h.symbol_id) FROM public.symbol_history AS h));
    moment timestamptz := public.symbols_moment();
BEGIN
    IF highest > coalesce(pg_sequence_last_value(ids), 0) THEN
        -- Two sessions at once: the later one must not set it back again.
        PERFORM pg_advisory_xact_lock(hashtextextended('exchanges_db.symbols_id', 0));
        IF highest > coalesce(pg_sequence_last_value(ids), 0) THEN
            PERFORM setval(ids, highest);
        END IF;
    END IF;
    -- In one form, whatever the session's DateStyle and TimeZone are.
    IF coalesce(current_setting('exchanges_db.moment', true), '') <> '' THEN
        PERFORM set_config('exchanges_db.moment',
            CASE WHEN moment = statement_timestamp() THEN ''
                 ELSE to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' END, true);
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION public.symbols_record_update() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.symbol_history
        (symbol_id, exchange_id, spec_version, valid, operation, ended_by, application_name,
         native_symbol, symbol, base, quote, settle, kind, direction, contract_size, strike, option_type, price_tick,
         tick_assumed, quantity_step, step_assumed, min_quantity, max_quantity, min_notional, max_notional,
         market_min_quantity, market_max_quantity, market_min_notional, market_max_notional, price_band_up,
         price_band_down, price_band_of, market_slip_ratio, order_types, leverage_min, leverage_max,
         initial_margin_rate, maintenance_margin_rate, funding_interval, funding_cap, max_open_orders, margin_allowed,
         full_name, contract_address, is_risky, is_premarket, asset_class, list_maker_fee, list_taker_fee, status,
         sides, api_tradable, buy_opens_at, sell_opens_at, delisting_at, delisted_at, expires_at, exchange_changed_at,
         price_decimals, quantity_decimals, is_live, source, observed_at, created_at)
    SELECT o.id, o.exchange_id, o.spec_version, tstzrange(o.updated_at, n.updated_at), TG_OP, session_user::text,
           current_setting('application_name'),
           o.native_symbol, o.symbol, o.base, o.quote, o.settle, o.kind, o.direction, o.contract_size, o.strike,
           o.option_type, o.price_tick, o.tick_assumed, o.quantity_step, o.step_assumed, o.min_quantity,
           o.max_quantity, o.min_notional, o.max_notional, o.market_min_quantity, o.market_max_quantity,
           o.market_min_notional, o.market_max_notional, o.price_band_up, o.price_band_down, o.price_band_of,
           o.market_slip_ratio, o.order_types, o.leverage_min, o.leverage_max, o.initial_margin_rate,
           o.maintenance_margin_rate, o.funding_interval, o.funding_cap, o.max_open_orders, o.margin_allowed,
           o.full_name, o.contract_address, o.is_risky, o.is_premarket, o.asset_class, o.list_maker_fee,
           o.list_taker_fee, o.status, o.sides, o.api_tradable, o.buy_opens_at, o.sell_opens_at, o.delisting_at,
           o.delisted_at, o.expires_at, o.exchange_changed_at, o.price_decimals, o.quantity_decimals, o.is_live,
           o.source, o.observed_at, o.created_at
    FROM old_rows AS o JOIN new_rows AS n USING (id)
    -- Not where an id continues its history: that is no change.
    WHERE n.spec_version <> o.spec_version AND n.spec_hash IS DISTINCT FROM o.spec_hash AND o.status IS NOT NULL;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION public.symbols_record_delete() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.symbol_history
        (symbol_id, exchange_id, spec_version, valid, operation, ended_by, application_name,
         native_symbol, symbol, base, quote, settle, kind, direction, contract_size, strike, option_type, price_tick,
         tick_assumed, quantity_step, step_assumed, min_quantity, max_quantity, min_notional, max_notional,
         market_min_quantity, market_max_quantity, market_min_notional, market_max_notional, price_band_up,
         price_band_down, price_band_of, market_slip_ratio, order_types, leverage_min, leverage_max,
         initial_margin_rate, maintenance_margin_rate, funding_interval, funding_cap, max_open_orders, margin_allowed,
         full_name, contract_address, is_risky, is_premarket, asset_class, list_maker_fee, list_taker_fee, status,
         sides, api_tradable, buy_opens_at, sell_opens_at, delisting_at, delisted_at, expires_at, exchange_changed_at,
         price_decimals, quantity_decimals, is_live, source, observed_at, created_at)
    SELECT o.id, o.exchange_id, o.spec_version,
           tstzrange(o.updated_at, greatest(public.symbols_moment(), o.updated_at + interval '1 microsecond')), TG_OP,
           session_user::text, current_setting('application_name'),
           o.native_symbol, o.symbol, o.base, o.quote, o.settle, o.kind, o.direction, o.contract_size, o.strike,
           o.option_type, o.price_tick, o.tick_assumed, o.quantity_step, o.step_assumed, o.min_quantity,
           o.max_quantity, o.min_notional, o.max_notional, o.market_min_quantity, o.market_max_quantity,
           o.market_min_notional, o.market_max_notional, o.price_band_up, o.price_band_down, o.price_band_of,
           o.market_slip_ratio, o.order_types, o.leverage_min, o.leverage_max, o.initial_margin_rate,
           o.maintenance_margin_rate, o.funding_interval, o.funding_cap, o.max_open_orders, o.margin_allowed,
           o.full_name, o.contract_address, o.is_risky, o.is_premarket, o.asset_class, o.list_maker_fee,
           o.list_taker_fee, o.status, o.sides, o.api_tradable, o.buy_opens_at, o.sell_opens_at, o.delisting_at,
           o.delisted_at, o.expires_at, o.exchange_changed_at, o.price_decimals, o.quantity_decimals, o.is_live,
           o.source, o.observed_at, o.created_at
    FROM old_rows AS o
    WHERE o.status IS NOT NULL;
    DELETE FROM public.symbol_raw AS r USING old_rows AS o WHERE r.symbol_id = o.id;
    UPDATE public.symbol_doubts AS d SET ended_at = greatest(clock_timestamp(), d.since)
    FROM old_rows AS o WHERE d.symbol_id = o.id AND d.ended_at IS NULL;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION public.symbols_record_truncate() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- TRUNCATE gives no transition table: record each row while it can still be read.
    INSERT INTO public.symbol_history
        (symbol_id, exchange_id, spec_version, valid, operation, ended_by, application_name,
         native_symbol, symbol, base, quote, settle, kind, direction, contract_size, strike, option_type, price_tick,
         tick_assumed, quantity_step, step_assumed, min_quantity, max_quantity, min_notional, max_notional,
         market_min_quantity, market_max_quantity, market_min_notional, market_max_notional, price_band_up,
         price_band_down, price_band_of, market_slip_ratio, order_types, leverage_min, leverage_max,
         initial_margin_rate, maintenance_margin_rate, funding_interval, funding_cap, max_open_orders, margin_allowed,
         full_name, contract_address, is_risky, is_premarket, asset_class, list_maker_fee, list_taker_fee, status,
         sides, api_tradable, buy_opens_at, sell_opens_at, delisting_at, delisted_at, expires_at, exchange_changed_at,
         price_decimals, quantity_decimals, is_live, source, observed_at, created_at)
    SELECT o.id, o.exchange_id, o.spec_version,
           tstzrange(o.updated_at, greatest(public.symbols_moment(), o.updated_at + interval '1 microsecond')), TG_OP,
           session_user::text, current_setting('application_name'),
           o.native_symbol, o.symbol, o.base, o.quote, o.settle, o.kind, o.direction, o.contract_size, o.strike,
           o.option_type, o.price_tick, o.tick_assumed, o.quantity_step, o.step_assumed, o.min_quantity,
           o.max_quantity, o.min_notional, o.max_notional, o.market_min_quantity, o.market_max_quantity,
           o.market_min_notional, o.market_max_notional, o.price_band_up, o.price_band_down, o.price_band_of,
           o.market_slip_ratio, o.order_types, o.leverage_min, o.leverage_max, o.initial_margin_rate,
           o.maintenance_margin_rate, o.funding_interval, o.funding_cap, o.max_open_orders, o.margin_allowed,
           o.full_name, o.contract_address, o.is_risky, o.is_premarket, o.asset_class, o.list_maker_fee,
           o.list_taker_fee, o.status, o.sides, o.api_tradable, o.buy_opens_at, o.sell_opens_at, o.delisting_at,
           o.delisted_at, o.expires_at, o.exchange_changed_at, o.price_decimals, o.quantity_decimals, o.is_live,
           o.source, o.observed_at, o.created_at
    FROM public.symbols AS o
    WHERE o.status IS NOT NULL;
    DELETE FROM public.symbol_raw;
    UPDATE public.symbol_doubts SET ended_at = greatest(clock_timestamp(), since) WHERE ended_at IS NULL;
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION public.symbols_continue_history() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.symbols_prepare_insert() FROM PUBLIC;

DROP TRIGGER symbols_stamp_insert ON public.symbols;
-- Not for the rows of an import, which come with its moment: a first one inserts a hundred thousand.
CREATE TRIGGER symbols_stamp_insert BEFORE INSERT ON public.symbols
    FOR EACH ROW
    WHEN (NEW.spec_version <> 1 OR NEW.created_at <> NEW.updated_at
          OR NEW.updated_at IS DISTINCT FROM nullif(current_setting('exchanges_db.moment', true), '')::timestamptz
          -- A statement can change the setting while it runs: what symbols_moment() does not take is not taken here.
          OR NEW.updated_at < now() OR NEW.updated_at >= statement_timestamp() + interval '1 day')
    EXECUTE FUNCTION public.symbols_stamp();
CREATE TRIGGER symbols_prepare_insert BEFORE INSERT ON public.symbols
    FOR EACH STATEMENT EXECUTE FUNCTION public.symbols_prepare_insert();
-- In the place of the trigger of 004, and by its name: psql, when it runs 004 again, would make that anew under a free name.
CREATE TRIGGER symbols_refuse_used_id AFTER INSERT ON public.symbols
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.symbols_continue_history();
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_stamp;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_stamp_insert;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_prepare_insert;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_refuse_used_id;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_record_update;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_record_delete;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_record_truncate;

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
-- Versions go back to JSON, with the fields that 006 has, and stay in the copy of 010; which digests there are is lost.
DO $down$
DECLARE
    one record;
BEGIN
    IF current_setting('exchanges_db.direction', true) = 'up' OR transaction_timestamp() = statement_timestamp() THEN
        RAISE WARNING 'migration 012 was not undone: only dbmate runs its down part, by dbmate rollback';
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM public.symbols AS s WHERE s.status IS NULL) THEN
        RAISE EXCEPTION 'symbols has rows that are known by name only, which migration 011 has no place for: delete them first'
            USING ERRCODE = 'check_violation', TABLE = 'symbols', CONSTRAINT = 'symbols_rules_whole';
    END IF;
    PERFORM set_config('exchanges_db.rights', coalesce((
        SELECT json_agg(json_build_object('relation', c.relname, 'role', coalesce(r.rolname, 'public'), 'is_public', a.grantee = 0,
                                          'privilege', a.privilege_type, 'is_grantable', a.is_grantable))
        FROM pg_catalog.pg_class AS c
        CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
        WHERE c.relnamespace = 'public'::regnamespace AND c.relname IN ('symbol_rows', 'symbol_versions', 'symbol_history')
          AND a.grantee <> c.relowner)::text, '[]'), false);
    DROP VIEW public.current_symbols;
    DROP VIEW public.symbol_versions;
    DROP VIEW public.symbol_states;
    DROP VIEW public.symbol_rows;
    LOCK TABLE public.symbols, public.symbol_history IN ACCESS EXCLUSIVE MODE;
    DROP FUNCTION public.symbols_settled(integer, integer, timestamptz, timestamptz);
    DROP FUNCTION public.exchange_id_as_of(text, timestamptz);
    DROP TRIGGER symbols_refuse_used_id ON public.symbols;
    DROP TRIGGER symbols_prepare_insert ON public.symbols;
    DROP TRIGGER symbols_stamp_insert ON public.symbols;
    DROP FUNCTION public.symbols_continue_history();
    DROP FUNCTION public.symbols_prepare_insert();
    DROP TRIGGER symbol_history_refuse ON public.symbol_history;
    DROP TRIGGER symbol_history_record_prune ON public.symbol_history;
    ALTER TABLE public.symbol_history RENAME TO symbol_history_typed;
    ALTER TABLE public.symbol_history_typed RENAME CONSTRAINT symbol_history_pkey TO symbol_history_typed_pkey;
    ALTER TABLE public.symbol_history_typed RENAME CONSTRAINT symbol_history_no_overlap TO symbol_history_typed_no_overlap;
    ALTER INDEX public.idx_symbol_history_symbol RENAME TO idx_symbol_history_typed_symbol;
    ALTER INDEX public.idx_symbol_history_native_symbol RENAME TO idx_symbol_history_typed_native_symbol;
    ALTER INDEX public.idx_symbol_history_exchange RENAME TO idx_symbol_history_typed_exchange;
    ALTER INDEX public.idx_symbol_history_began RENAME TO idx_symbol_history_typed_began;
    COMMENT ON TABLE public.symbol_history_typed IS 'What symbol_history will be: filled by migration 011, put in its place by 012';
    COMMENT ON COLUMN public.symbol_history_typed.valid IS NULL;
    COMMENT ON COLUMN public.symbol_history_typed.ended_by IS NULL;
    COMMENT ON COLUMN public.symbol_history_typed.created_at IS NULL;
    CREATE TABLE public.symbol_history (
        symbol_id INTEGER CONSTRAINT symbol_history_symbol_id_not_null NOT NULL,
        exchange_id SMALLINT CONSTRAINT symbol_history_exchange_id_not_null NOT NULL,
        spec_version INTEGER CONSTRAINT symbol_history_spec_version_not_null NOT NULL,
        valid TSTZRANGE CONSTRAINT symbol_history_valid_not_null NOT NULL,
        spec JSONB CONSTRAINT symbol_history_spec_not_null NOT NULL,
        operation TEXT CONSTRAINT symbol_history_operation_not_null NOT NULL,
        ended_by TEXT CONSTRAINT symbol_history_ended_by_not_null NOT NULL,
        application_name TEXT CONSTRAINT symbol_history_application_name_not_null NOT NULL,
        CONSTRAINT symbol_history_pkey PRIMARY KEY (symbol_id, spec_version),
        CONSTRAINT symbol_history_operation_known CHECK (operation IN ('UPDATE', 'DELETE', 'TRUNCATE')),
        CONSTRAINT symbol_history_valid_closed
            CHECK (NOT isempty(valid) AND NOT lower_inf(valid) AND NOT upper_inf(valid))
    );
    EXECUTE format('ALTER TABLE public.symbol_history OWNER TO %I',
                   (SELECT pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class AS c WHERE c.oid = 'public.symbol_history_typed'::regclass));
    PERFORM set_config('timezone', 'UTC', true);
    INSERT INTO public.symbol_history (symbol_id, exchange_id, spec_version, valid, spec, operation, ended_by, application_name)
    SELECT h.symbol_id, h.exchange_id, h.spec_version, h.valid,
           (to_jsonb(h) - '{symbol_id,valid,operation,ended_by,application_name}'::text[])
           || jsonb_build_object('id', h.symbol_id, 'updated_at', lower(h.valid)),
           h.operation, h.ended_by, h.application_name
    FROM public.symbol_history_typed AS h;
    ALTER TABLE public.symbol_history
        ADD CONSTRAINT symbol_history_no_overlap
            EXCLUDE USING gist (int4range(symbol_id, symbol_id, '[]') WITH &&, valid WITH &&);
    CREATE INDEX idx_symbol_history_exchange ON public.symbol_history (exchange_id);
    CREATE INDEX idx_symbol_history_symbol ON public.symbol_history ((spec ->> 'symbol'), exchange_id);
    CREATE INDEX idx_symbol_history_native_symbol ON public.symbol_history ((spec ->> 'native_symbol'), exchange_id);
    CREATE INDEX idx_symbol_history_spelling ON public.symbol_history (lower(spec ->> 'symbol'), exchange_id);
    COMMENT ON TABLE public.symbol_history IS 'Specifications that no longer hold, and when they did; the one that holds is the row of symbols. Written by trigger, append-only';
    COMMENT ON COLUMN public.symbol_history.valid IS 'From the change that made it up to the change that ended it';
    COMMENT ON COLUMN public.symbol_history.spec IS 'The row of symbols as it was; one of before migration 006 has the names of then';
    COMMENT ON COLUMN public.symbol_history.ended_by IS 'session_user of the change that ended it';
    CREATE TRIGGER symbol_history_refuse BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.symbol_history
        FOR EACH STATEMENT EXECUTE FUNCTION public.history_refuse();
    CREATE TRIGGER symbol_history_record_prune AFTER DELETE ON public.symbol_history
        REFERENCING OLD TABLE AS old_rows
        FOR EACH STATEMENT EXECUTE FUNCTION public.history_record_prune();
    ALTER TABLE public.symbol_history ENABLE ALWAYS TRIGGER symbol_history_refuse;
    ALTER TABLE public.symbol_history ENABLE ALWAYS TRIGGER symbol_history_record_prune;
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
        FOR KEY SHARE OF h
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

    CREATE TRIGGER symbol_history_copy_insert AFTER INSERT ON public.symbol_history
        REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION public.symbol_history_copy_insert();
    CREATE TRIGGER symbol_history_copy_delete AFTER DELETE ON public.symbol_history
        REFERENCING OLD TABLE AS old_rows
        FOR EACH STATEMENT EXECUTE FUNCTION public.symbol_history_copy_delete();
    ALTER TABLE public.symbol_history ENABLE ALWAYS TRIGGER symbol_history_copy_insert;
    ALTER TABLE public.symbol_history ENABLE ALWAYS TRIGGER symbol_history_copy_delete;
    ALTER TABLE public.symbols RENAME CONSTRAINT symbols_times_are_dates TO symbols_times_are_near;
    ALTER TABLE public.symbols
        ALTER COLUMN symbol SET NOT NULL,
        ALTER COLUMN kind SET NOT NULL,
        ALTER COLUMN price_tick SET NOT NULL,
        ALTER COLUMN quantity_step SET NOT NULL,
        ALTER COLUMN status SET NOT NULL,
        ADD CONSTRAINT symbols_times_are_dates
            CHECK (date_part('year', buy_opens_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', buy_opens_at AT TIME ZONE 'UTC') <= 9999
               AND date_part('year', sell_opens_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', sell_opens_at AT TIME ZONE 'UTC') <= 9999
               AND date_part('year', delisting_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', delisting_at AT TIME ZONE 'UTC') <= 9999
               AND date_part('year', delisted_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', delisted_at AT TIME ZONE 'UTC') <= 9999
               AND date_part('year', expires_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', expires_at AT TIME ZONE 'UTC') <= 9999
               AND date_part('year', exchange_changed_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', exchange_changed_at AT TIME ZONE 'UTC') <= 9999
               AND date_part('year', observed_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', observed_at AT TIME ZONE 'UTC') <= 9999);
    ALTER TABLE public.symbol_lists
        ADD COLUMN unread INTEGER[] NOT NULL DEFAULT '{}',
        DROP CONSTRAINT symbol_lists_times_are_dates,
        ADD CONSTRAINT symbol_lists_observed_at_is_date
            CHECK (date_part('year', observed_at AT TIME ZONE 'UTC') >= 1 AND date_part('year', observed_at AT TIME ZONE 'UTC') <= 9999);
    COMMENT ON COLUMN public.symbol_lists.unread IS 'Ids of symbols whose row in that list could not be read';
    COMMENT ON COLUMN public.symbols.status IS NULL;
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


    DROP FUNCTION public.symbols_moment();
    CREATE OR REPLACE FUNCTION public.symbols_refuse_used_id() RETURNS trigger
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


    REVOKE ALL ON FUNCTION public.symbols_refuse_used_id() FROM PUBLIC;
    CREATE TRIGGER symbols_stamp_insert BEFORE INSERT ON public.symbols
        FOR EACH ROW WHEN (NEW.spec_version <> 1 OR NEW.created_at <> now() OR NEW.updated_at <> now())
        EXECUTE FUNCTION public.symbols_stamp();
    CREATE TRIGGER symbols_refuse_used_id AFTER INSERT ON public.symbols
        REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION public.symbols_refuse_used_id();
    ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_stamp_insert;
    ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_refuse_used_id;
    FOR one IN SELECT r.relation, r.role, r.is_public, r.privilege, r.is_grantable
               FROM json_to_recordset(current_setting('exchanges_db.rights')::json)
                   AS r(relation text, role text, is_public boolean, privilege text, is_grantable boolean) LOOP
        EXECUTE format('GRANT %s ON public.%I TO %s%s', one.privilege, one.relation,
                       CASE WHEN one.is_public THEN 'PUBLIC' ELSE quote_ident(one.role) END,
                       CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    PERFORM set_config('exchanges_db.rights', '[]', false);
END
$down$;
