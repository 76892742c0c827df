\restrict dbmate

-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: account_fees_refuse(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.account_fees_refuse() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION 'account_fees is append-only: % refused', TG_OP
        USING ERRCODE = 'insufficient_privilege', HINT = 'Insert a row with the new fees: the newest one holds.';
END
$$;


--
-- Name: account_fees_stamp(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.account_fees_stamp() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    beginning timestamptz;
    latest_maker numeric;
    latest_taker numeric;
    latest_at timestamptz;
BEGIN
    -- One setter of an account at a time, until its transaction ends: so the later one has the later time. Not one lock
    -- per symbol: a transaction that sets the fees of thousands would fill the server's table of locks.
    PERFORM pg_advisory_xact_lock(hashtextextended(
        format('exchanges_db.account_fees %s %s', NEW.exchange_id, NEW.account), 0));
    IF NEW.symbol_id IS NULL THEN
        SELECT e.created_at INTO beginning FROM public.exchanges AS e WHERE e.id = NEW.exchange_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no exchange with the id %', NEW.exchange_id
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'account_fees_exchange_known';
        END IF;
    ELSE
        SELECT s.created_at INTO beginning
        FROM public.symbols AS s
        WHERE s.id = NEW.symbol_id AND s.exchange_id = NEW.exchange_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'exchange % has no symbol with the id %', NEW.exchange_id, NEW.symbol_id
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'account_fees_symbol_known';
        END IF;
    END IF;
    SELECT f.maker, f.taker, f.set_at INTO latest_maker, latest_taker, latest_at
    FROM public.account_fees AS f
    WHERE f.exchange_id = NEW.exchange_id AND f.account = NEW.account
      AND (f.symbol_id = NEW.symbol_id OR (f.symbol_id IS NULL AND NEW.symbol_id IS NULL))
    ORDER BY f.set_at DESC
    LIMIT 1;
    IF latest_at < beginning THEN
        latest_maker := NULL;
        latest_taker := NULL;
    END IF;
    -- What holds already is no change; neither is it one to forget what is not known.
    IF (NEW.maker, NEW.taker) IS NOT DISTINCT FROM (latest_maker, latest_taker) THEN
        RETURN NULL;
    END IF;
    NEW.set_by := session_user::text;
    NEW.application_name := current_setting('application_name');
    -- A clock that was set back must not put a row before what it follows.
    NEW.set_at := greatest(clock_timestamp(), beginning, latest_at + interval '1 microsecond');
    RETURN NEW;
END
$$;


--
-- Name: exchange_id_as_of(text, timestamp with time zone); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.exchange_id_as_of(wanted text, moment timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
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


--
-- Name: FUNCTION exchange_id_as_of(wanted text, moment timestamp with time zone); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.exchange_id_as_of(wanted text, moment timestamp with time zone) IS 'The id of the exchange that had this enum_value at a time; else of the one that has it now, or had it last';


--
-- Name: exchanges_record_change(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.exchanges_record_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
DECLARE
    before_row jsonb;
    after_row jsonb;
    changed text[] := '{}';
    at timestamptz;
BEGIN
    IF TG_OP = 'INSERT' THEN
        after_row := to_jsonb(NEW);
        at := NEW.updated_at;
    ELSIF TG_OP = 'UPDATE' THEN
        IF NEW.version = OLD.version THEN
            RETURN NULL;
        END IF;
        before_row := to_jsonb(OLD);
        after_row := to_jsonb(NEW);
        at := NEW.updated_at;
        SELECT array_agg(field.key ORDER BY field.key) INTO changed
        FROM jsonb_each(after_row - '{version,updated_at}'::text[]) AS field
        WHERE field.value IS DISTINCT FROM before_row -> field.key;
    ELSE
        before_row := to_jsonb(OLD);
        at := greatest(clock_timestamp(), OLD.updated_at + interval '1 microsecond');
    END IF;
    INSERT INTO public.exchange_history
        (exchange_id, version, operation, changed_at, changed_by, application_name,
         changed_columns, old_row, new_row)
    VALUES
        (coalesce(after_row ->> 'id', before_row ->> 'id')::smallint,
         coalesce(after_row ->> 'version', before_row ->> 'version')::integer,
         TG_OP, at, session_user::text, current_setting('application_name'),
         changed, before_row, after_row);
    RETURN NULL;
END
$$;


--
-- Name: exchanges_record_truncate(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.exchanges_record_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
BEGIN
    -- TRUNCATE fires no row trigger: record each row while it can still be read.
    INSERT INTO public.exchange_history
        (exchange_id, version, operation, changed_at, changed_by, application_name, changed_columns, old_row)
    SELECT e.id, e.version, TG_OP, greatest(clock_timestamp(), e.updated_at + interval '1 microsecond'),
           session_user::text, current_setting('application_name'), '{}', to_jsonb(e)
    FROM public.exchanges AS e
    ORDER BY e.id;
    RETURN NULL;
END
$$;


--
-- Name: exchanges_stamp(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.exchanges_stamp() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    -- clock_timestamp(), not now(): a transaction that began earlier may change the row later.
    IF TG_OP = 'INSERT' THEN
        NEW.version := 1;
        NEW.created_at := clock_timestamp();
        NEW.updated_at := NEW.created_at;
        RETURN NEW;
    END IF;
    IF NEW.id IS DISTINCT FROM OLD.id THEN
        RAISE EXCEPTION 'the id of an exchange cannot be changed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'exchanges_id_immutable';
    END IF;
    NEW.version := OLD.version;
    NEW.created_at := OLD.created_at;
    NEW.updated_at := OLD.updated_at;
    IF NEW IS DISTINCT FROM OLD THEN
        NEW.version := OLD.version + 1;
        -- A clock that was set back must not put a change before the one it follows.
        NEW.updated_at := greatest(clock_timestamp(), OLD.updated_at + interval '1 microsecond');
    END IF;
    RETURN NEW;
END
$$;


--
-- Name: history_record_prune(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.history_record_prune() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO public.history_prunes (pruned_table, before, pruned_rows, pruned_at, pruned_by, application_name)
    SELECT TG_TABLE_NAME, current_setting('exchanges_db.prune_before')::timestamptz, count(*), clock_timestamp(),
           session_user::text, current_setting('application_name')
    FROM old_rows
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;


--
-- Name: history_refuse(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.history_refuse() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    is_owner boolean := EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = TG_RELID AND pg_get_userbyid(c.relowner) = current_user);
BEGIN
    -- Depth 1 is a statement of a user, depth 2 one of a trigger. Of a trigger of ours, if it has the owner's rights:
    -- anybody can have triggers of his own, on a temporary table.
    IF TG_OP = 'INSERT' AND pg_trigger_depth() > 1 AND is_owner THEN
        RETURN NULL;
    END IF;
    -- A guard against mistakes; AFTER DELETE records what was deleted.
    IF TG_OP = 'DELETE' AND is_owner AND coalesce(current_setting('exchanges_db.prune_before', true), '') <> '' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only and written by trigger: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;


--
-- Name: holds_record_end(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.holds_record_end() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO public.hold_history
        (exchange_id, native_symbol, sides, reason, until_at, held_at, held_by, application_name, ended_at, operation,
         ended_by, ended_application_name, ended_reason)
    VALUES
        (OLD.exchange_id, OLD.native_symbol, OLD.sides, OLD.reason, OLD.until_at, OLD.held_at, OLD.held_by,
         OLD.application_name,
         CASE TG_OP WHEN 'UPDATE' THEN NEW.held_at
                    ELSE greatest(clock_timestamp(), OLD.held_at + interval '1 microsecond') END,
         TG_OP, session_user::text, current_setting('application_name'),
         CASE TG_OP WHEN 'DELETE' THEN left(nullif(current_setting('exchanges_db.release_reason', true), ''), 500) END);
    RETURN NULL;
END
$$;


--
-- Name: holds_record_truncate(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.holds_record_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    -- TRUNCATE fires no row trigger: record each row while it can still be read.
    INSERT INTO public.hold_history
        (exchange_id, native_symbol, sides, reason, until_at, held_at, held_by, application_name, ended_at, operation,
         ended_by, ended_application_name)
    SELECT h.exchange_id, h.native_symbol, h.sides, h.reason, h.until_at, h.held_at, h.held_by, h.application_name,
           greatest(clock_timestamp(), h.held_at + interval '1 microsecond'), TG_OP, session_user::text,
           current_setting('application_name')
    FROM public.holds AS h;
    RETURN NULL;
END
$$;


--
-- Name: holds_stamp(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.holds_stamp() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.exchange_id, NEW.native_symbol) IS DISTINCT FROM (OLD.exchange_id, OLD.native_symbol) THEN
            RAISE EXCEPTION 'a hold cannot be moved: release it, and hold the other'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'holds_identity_immutable';
        END IF;
        -- What holds already is no change.
        IF (NEW.sides, NEW.reason, NEW.until_at) IS NOT DISTINCT FROM (OLD.sides, OLD.reason, OLD.until_at) THEN
            RETURN NULL;
        END IF;
    END IF;
    NEW.held_by := session_user::text;
    NEW.application_name := current_setting('application_name');
    -- A clock that was set back must not put a hold before the one it follows.
    SELECT greatest(clock_timestamp(), max(h.ended_at)) INTO NEW.held_at
    FROM public.hold_history AS h
    WHERE h.exchange_id = NEW.exchange_id
      AND (h.native_symbol = NEW.native_symbol OR (h.native_symbol IS NULL AND NEW.native_symbol IS NULL));
    IF TG_OP = 'UPDATE' THEN
        NEW.held_at := greatest(NEW.held_at, OLD.held_at + interval '1 microsecond');
    END IF;
    RETURN NEW;
END
$$;


--
-- Name: registry_note_rows(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.registry_note_rows() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO public.registry_changes (changed, ids, transaction_id)
    SELECT TG_ARGV[0], array_agg(DISTINCT (to_jsonb(r) ->> TG_ARGV[1])::integer), pg_current_xact_id()
    FROM changed_rows AS r
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;


--
-- Name: registry_note_symbol_updates(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.registry_note_symbol_updates() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_nestloop TO 'off'
    AS $$
BEGIN
    INSERT INTO public.registry_changes (changed, ids, versions, transaction_id)
    SELECT 'SYMBOLS', array_agg(n.id), array_agg(CASE WHEN o.status IS NULL THEN 0 ELSE o.spec_version END),
           pg_current_xact_id()
    FROM old_rows AS o JOIN changed_rows AS n USING (id)
    -- What an import notes for the next one, such as a digest of what was read, is no change.
    WHERE n.updated_at <> o.updated_at OR n.created_at <> o.created_at OR n.spec_version <> o.spec_version
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;


--
-- Name: registry_note_symbols(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.registry_note_symbols() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO public.registry_changes (changed, ids, versions, transaction_id)
    SELECT 'SYMBOLS', array_agg(r.id),
           array_agg(CASE WHEN TG_OP = 'INSERT' OR r.status IS NULL THEN 0 ELSE r.spec_version END),
           pg_current_xact_id()
    FROM changed_rows AS r
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;


--
-- Name: registry_note_truncate(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.registry_note_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO public.registry_changes (changed, transaction_id) VALUES ('EVERYTHING', pg_current_xact_id());
    RETURN NULL;
END
$$;


--
-- Name: registry_note_updated_rows(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.registry_note_updated_rows() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO public.registry_changes (changed, ids, transaction_id)
    SELECT TG_ARGV[0], array_agg(DISTINCT (differing.r ->> TG_ARGV[1])::integer), pg_current_xact_id()
    FROM ((SELECT to_jsonb(n) FROM changed_rows AS n EXCEPT SELECT to_jsonb(o) FROM old_rows AS o)
          UNION ALL
          (SELECT to_jsonb(o) FROM old_rows AS o EXCEPT SELECT to_jsonb(n) FROM changed_rows AS n)) AS differing (r)
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;


--
-- Name: registry_stamp(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.registry_stamp() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    own_epoch bigint;
    own_token uuid;
    newest bigint;
    witnessed bigint;
BEGIN
    -- Whoever commits next waits here until this transaction is visible. A lock on a row would not do: a transaction of
    -- REPEATABLE READ could not take one that another has changed since it began. No role but the owner can take this.
    -- Before all that reads: what is read before another commits would be a conflict with it where both are SERIALIZABLE.
    LOCK TABLE public.registry_commit_order IN EXCLUSIVE MODE;
    PERFORM FROM public.registry_changes AS c WHERE c.id = NEW.id AND c.epoch IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- It has an epoch already where SET CONSTRAINTS made this trigger immediate, or where another that is deferred has
    -- changed something after this one had run. By its time, too: a restored log has numbers of another server's transactions.
    SELECT c.epoch, c.token INTO own_epoch, own_token
    FROM public.registry_changes AS c
    WHERE c.transaction_id = pg_current_xact_id() AND c.committed_at >= transaction_timestamp()
    LIMIT 1;
    IF FOUND THEN
        UPDATE public.registry_changes AS c
        SET epoch = own_epoch, token = own_token, committed_at = clock_timestamp()
        WHERE c.id = NEW.id;
        RETURN NULL;
    END IF;
    own_epoch := nextval('public.registry_epoch_seq');
    witnessed := nextval('public.registry_epoch_witness_seq');
    IF own_epoch < witnessed THEN
        own_epoch := setval('public.registry_epoch_seq', witnessed);
    ELSIF own_epoch > witnessed THEN
        PERFORM setval('public.registry_epoch_witness_seq', own_epoch);
    END IF;
    -- No registry would ever see an epoch that is behind the log: sequences that were not restored with it, or were both
    -- set back, go on after the log. Where all is SERIALIZABLE, to read the newest would be a conflict with each other commit.
    -- REPEATABLE READ does not see what was committed since it began: it goes on after as much as the log keeps.
    IF current_setting('transaction_isolation') <> 'serializable' THEN
        SELECT c.epoch INTO newest FROM public.registry_changes AS c WHERE c.epoch >= own_epoch ORDER BY c.epoch DESC LIMIT 1;
        IF FOUND THEN
            own_epoch := setval('public.registry_epoch_seq', newest
                + CASE current_setting('transaction_isolation') WHEN 'read committed' THEN 1 ELSE 100000 END);
            PERFORM setval('public.registry_epoch_witness_seq', own_epoch);
        END IF;
    END IF;
    own_token := gen_random_uuid();
    UPDATE public.registry_changes AS c
    SET epoch = own_epoch, token = own_token, committed_at = clock_timestamp()
    WHERE c.transaction_id = pg_current_xact_id() AND c.epoch IS NULL;
    -- As many are kept as are of use to whoever was away for a while. Not at each commit: where an old snapshot keeps
    -- deleted rows from being removed, each would step over all of them. What another transaction has deleted meanwhile
    -- would be an error in the other kinds of isolation.
    IF own_epoch % 100 = 0 AND current_setting('transaction_isolation') = 'read committed' THEN
        DELETE FROM public.registry_changes AS c WHERE c.epoch <= own_epoch - 100000;
    END IF;
    -- A hint and no more: where somebody who listens and does not read lets the queue fill up, the commit must not fail.
    IF pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify('exchanges_db_changed', own_epoch || ':' || own_token);
    END IF;
    RETURN NULL;
END
$$;


--
-- Name: symbol_doubts_stamp(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbol_doubts_stamp() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.since < now() THEN
            NEW.since := statement_timestamp();
        END IF;
        NEW.ended_at := NULL;
        RETURN NEW;
    END IF;
    IF OLD.ended_at IS NOT NULL OR (NEW.id, NEW.symbol_id, NEW.brake, NEW.reason, NEW.since)
       IS DISTINCT FROM (OLD.id, OLD.symbol_id, OLD.brake, OLD.reason, OLD.since) THEN
        RAISE EXCEPTION 'a doubt can be ended, once, and not be changed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.ended_at < now() THEN
        NEW.ended_at := greatest(statement_timestamp(), OLD.since);
    END IF;
    RETURN NEW;
END
$$;


--
-- Name: symbol_imports_refuse(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbol_imports_refuse() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'DELETE' AND coalesce(current_setting('exchanges_db.prune_before', true), '') <> ''
       AND EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = TG_RELID AND pg_get_userbyid(c.relowner) = current_user) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;


--
-- Name: symbol_imports_stamp(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbol_imports_stamp() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    NEW.ended_at := clock_timestamp();
    NEW.began_at := least(NEW.began_at, NEW.ended_at);
    -- The next import follows it: one that lies ahead of all that is known would keep every later one from being dated.
    IF NEW.moment > NEW.ended_at THEN
        NEW.moment := least(NEW.moment, greatest(
            NEW.ended_at,
            (SELECT max(s.updated_at) FROM public.symbols AS s WHERE s.exchange_id = NEW.exchange_id),
            (SELECT max(upper(h.valid)) FROM public.symbol_history AS h WHERE h.exchange_id = NEW.exchange_id),
            (SELECT max(i.moment) FROM public.symbol_imports AS i
             WHERE i.exchange_id = NEW.exchange_id AND i.moment IS NOT NULL)) + interval '1 microsecond');
    END IF;
    NEW.imported_by := session_user::text;
    NEW.application_name := current_setting('application_name');
    RETURN NEW;
END
$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: symbols; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.symbols (
    id integer NOT NULL,
    exchange_id smallint NOT NULL,
    native_symbol text NOT NULL,
    symbol text,
    base text NOT NULL,
    quote text NOT NULL,
    settle text,
    kind text,
    direction text,
    contract_size numeric,
    price_tick numeric,
    quantity_step numeric,
    price_decimals smallint GENERATED ALWAYS AS (min_scale(price_tick)) STORED,
    quantity_decimals smallint GENERATED ALWAYS AS (min_scale(quantity_step)) STORED,
    min_quantity numeric,
    max_quantity numeric,
    min_notional numeric,
    max_notional numeric,
    list_maker_fee numeric,
    list_taker_fee numeric,
    status text,
    is_live boolean GENERATED ALWAYS AS (COALESCE((status <> ALL (ARRAY['DELISTED'::text, 'EXPIRED'::text])), false)) STORED NOT NULL,
    sides text NOT NULL,
    api_tradable boolean NOT NULL,
    delisting_at timestamp with time zone,
    delisted_at timestamp with time zone,
    expires_at timestamp with time zone,
    spec_version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    strike numeric,
    option_type text,
    tick_assumed boolean DEFAULT false NOT NULL,
    step_assumed boolean DEFAULT false NOT NULL,
    market_min_quantity numeric,
    market_max_quantity numeric,
    market_min_notional numeric,
    market_max_notional numeric,
    price_band_up numeric,
    price_band_down numeric,
    price_band_of text,
    market_slip_ratio numeric,
    order_types text[],
    leverage_min numeric,
    leverage_max numeric,
    initial_margin_rate numeric,
    maintenance_margin_rate numeric,
    funding_interval integer,
    funding_cap numeric,
    max_open_orders integer,
    margin_allowed boolean,
    full_name text,
    contract_address text,
    is_risky boolean,
    is_premarket boolean,
    asset_class text,
    buy_opens_at timestamp with time zone,
    sell_opens_at timestamp with time zone,
    exchange_changed_at timestamp with time zone,
    source text,
    observed_at timestamp with time zone,
    read_digest text,
    spec_hash bigint,
    CONSTRAINT symbols_asset_class_known CHECK ((asset_class = ANY (ARRAY['CRYPTO'::text, 'STOCK'::text, 'INDEX'::text, 'COMMODITY'::text, 'FX'::text]))),
    CONSTRAINT symbols_base_printable CHECK (((base <> ''::text) AND (length(base) <= 50) AND (base !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbols_contract_address_printable CHECK (((contract_address <> ''::text) AND (length(contract_address) <= 200) AND (contract_address !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbols_contract_size_positive CHECK (((contract_size > (0)::numeric) AND (contract_size < 'Infinity'::numeric))),
    CONSTRAINT symbols_contract_terms_fit_kind CHECK ((((kind = 'SPOT'::text) = (settle IS NULL)) AND ((kind = 'SPOT'::text) = (direction IS NULL)) AND ((kind = 'SPOT'::text) = (contract_size IS NULL)))),
    CONSTRAINT symbols_counts_positive CHECK (((funding_interval > 0) AND (max_open_orders > 0))),
    CONSTRAINT symbols_delisted_has_time CHECK (((status <> 'DELISTED'::text) OR (delisted_at IS NOT NULL))),
    CONSTRAINT symbols_direction_fits_settle CHECK (
CASE direction
    WHEN 'LINEAR'::text THEN (settle = quote)
    WHEN 'INVERSE'::text THEN (settle = base)
    WHEN 'QUANTO'::text THEN ((settle <> quote) AND (settle <> base))
    ELSE NULL::boolean
END),
    CONSTRAINT symbols_direction_known CHECK ((direction = ANY (ARRAY['LINEAR'::text, 'INVERSE'::text, 'QUANTO'::text]))),
    CONSTRAINT symbols_expiry_fits_kind CHECK (((kind = ANY (ARRAY['FUTURE'::text, 'OPTION'::text])) = (expires_at IS NOT NULL))),
    CONSTRAINT symbols_fees_are_fractions CHECK (((abs(list_maker_fee) <= 0.05) AND (abs(list_taker_fee) <= 0.05))),
    CONSTRAINT symbols_full_name_printable CHECK (((full_name <> ''::text) AND (length(full_name) <= 200) AND (full_name !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbols_kind_known CHECK ((kind = ANY (ARRAY['SPOT'::text, 'PERPETUAL'::text, 'FUTURE'::text, 'OPTION'::text]))),
    CONSTRAINT symbols_leverage_limits CHECK (((leverage_min > (0)::numeric) AND (leverage_min < 'Infinity'::numeric) AND (leverage_max > (0)::numeric) AND (leverage_max < 'Infinity'::numeric) AND (leverage_min <= leverage_max))),
    CONSTRAINT symbols_margin_rates_are_fractions CHECK (((initial_margin_rate >= (0)::numeric) AND (initial_margin_rate <= (1)::numeric) AND (maintenance_margin_rate >= (0)::numeric) AND (maintenance_margin_rate <= (1)::numeric))),
    CONSTRAINT symbols_market_notional_limits CHECK (((market_min_notional >= (0)::numeric) AND (market_min_notional < 'Infinity'::numeric) AND (market_max_notional > (0)::numeric) AND (market_max_notional < 'Infinity'::numeric) AND (market_min_notional <= market_max_notional))),
    CONSTRAINT symbols_market_quantity_limits CHECK (((market_min_quantity >= (0)::numeric) AND (market_min_quantity < 'Infinity'::numeric) AND (market_max_quantity > (0)::numeric) AND (market_max_quantity < 'Infinity'::numeric) AND (market_min_quantity <= market_max_quantity))),
    CONSTRAINT symbols_named_is_closed CHECK (((status IS NOT NULL) OR ((sides = 'NONE'::text) AND (NOT api_tradable)))),
    CONSTRAINT symbols_native_symbol_printable CHECK (((native_symbol <> ''::text) AND (length(native_symbol) <= 100) AND (native_symbol !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbols_notional_limits CHECK (((min_notional >= (0)::numeric) AND (min_notional < 'Infinity'::numeric) AND (max_notional > (0)::numeric) AND (max_notional < 'Infinity'::numeric) AND (min_notional <= max_notional))),
    CONSTRAINT symbols_option_terms_fit_kind CHECK ((((kind = 'OPTION'::text) = (strike IS NOT NULL)) AND ((kind = 'OPTION'::text) = (option_type IS NOT NULL)))),
    CONSTRAINT symbols_option_type_known CHECK ((option_type = ANY (ARRAY['CALL'::text, 'PUT'::text]))),
    CONSTRAINT symbols_order_types_known CHECK (((order_types <@ ARRAY['LIMIT'::text, 'MARKET'::text, 'LIMIT_MAKER'::text, 'IMMEDIATE_OR_CANCEL'::text, 'FILL_OR_KILL'::text]) AND (array_position(order_types, NULL::text) IS NULL))),
    CONSTRAINT symbols_price_band_of_known CHECK ((price_band_of = ANY (ARRAY['MARK'::text, 'INDEX'::text, 'LAST'::text, 'OTHER'::text]))),
    CONSTRAINT symbols_price_tick_positive CHECK (((price_tick > (0)::numeric) AND (price_tick < 'Infinity'::numeric))),
    CONSTRAINT symbols_quantity_limits CHECK (((min_quantity >= (0)::numeric) AND (min_quantity < 'Infinity'::numeric) AND (max_quantity > (0)::numeric) AND (max_quantity < 'Infinity'::numeric) AND (min_quantity <= max_quantity))),
    CONSTRAINT symbols_quantity_step_positive CHECK (((quantity_step > (0)::numeric) AND (quantity_step < 'Infinity'::numeric))),
    CONSTRAINT symbols_quote_printable CHECK (((quote <> ''::text) AND (length(quote) <= 50) AND (quote !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbols_ratios_not_negative CHECK (((price_band_up >= (0)::numeric) AND (price_band_up < 'Infinity'::numeric) AND (price_band_down >= (0)::numeric) AND (price_band_down < 'Infinity'::numeric) AND (market_slip_ratio >= (0)::numeric) AND (market_slip_ratio < 'Infinity'::numeric) AND (funding_cap >= (0)::numeric) AND (funding_cap < 'Infinity'::numeric))),
    CONSTRAINT symbols_rules_whole CHECK ((num_nulls(symbol, kind, price_tick, quantity_step, status) = ANY (ARRAY[0, 5]))),
    CONSTRAINT symbols_settle_printable CHECK (((settle <> ''::text) AND (length(settle) <= 50) AND (settle !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbols_sides_known CHECK ((sides = ANY (ARRAY['ALL'::text, 'BUY'::text, 'SELL'::text, 'NONE'::text]))),
    CONSTRAINT symbols_source_printable CHECK (((source <> ''::text) AND (length(source) <= 100) AND (source !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbols_spec_version_positive CHECK ((spec_version > 0)),
    CONSTRAINT symbols_status_known CHECK ((status = ANY (ARRAY['PRELAUNCH'::text, 'TRADING'::text, 'HALTED'::text, 'CLOSE_ONLY'::text, 'DELISTING'::text, 'DELISTED'::text, 'EXPIRED'::text]))),
    CONSTRAINT symbols_strike_positive CHECK (((strike > (0)::numeric) AND (strike < 'Infinity'::numeric))),
    CONSTRAINT symbols_symbol_printable CHECK (((symbol <> ''::text) AND (length(symbol) <= 200) AND (symbol !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbols_times_are_dates CHECK ((((buy_opens_at AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((buy_opens_at AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone) AND ((sell_opens_at AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((sell_opens_at AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone) AND ((delisting_at AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((delisting_at AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone) AND ((delisted_at AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((delisted_at AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone) AND ((expires_at AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((expires_at AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone) AND ((exchange_changed_at AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((exchange_changed_at AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone) AND ((observed_at AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((observed_at AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.02');


--
-- Name: TABLE symbols; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.symbols IS 'Every symbol of every exchange: what one may trade, and by which exact rules';


--
-- Name: COLUMN symbols.native_symbol; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.native_symbol IS 'The exchange''s own name for it; unique while the symbol is live';


--
-- Name: COLUMN symbols.symbol; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.symbol IS 'Canonical name: BASE/QUOTE[:SETTLE[-YYMMDD[-STRIKE-C|P]]]';


--
-- Name: COLUMN symbols.contract_size; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.contract_size IS 'What one contract is: of base, or of quote where direction is INVERSE';


--
-- Name: COLUMN symbols.price_tick; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.price_tick IS 'Prices are multiples of this; no power of ten in general';


--
-- Name: COLUMN symbols.quantity_step; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.quantity_step IS 'Quantities are multiples of this: of base for spot, of contracts else';


--
-- Name: COLUMN symbols.min_notional; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.min_notional IS 'In quote; NULL means no limit, as in the other limits';


--
-- Name: COLUMN symbols.list_maker_fee; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.list_maker_fee IS 'Default of the exchange''s list, which no account pays; fraction of the notional: 0.002 is 0.2 percent; negative is a rebate';


--
-- Name: COLUMN symbols.list_taker_fee; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.list_taker_fee IS 'As list_maker_fee';


--
-- Name: COLUMN symbols.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.status IS 'NULL, as symbol, kind, price_tick and quantity_step are: known by name only, from another database';


--
-- Name: COLUMN symbols.is_live; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.is_live IS 'Follows from status: whether the exchange still knows it, traded or not';


--
-- Name: COLUMN symbols.delisting_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.delisting_at IS 'From then on positions can only be closed';


--
-- Name: COLUMN symbols.delisted_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.delisted_at IS 'From then on nothing is traded';


--
-- Name: COLUMN symbols.spec_version; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.spec_version IS 'Raised by the database when a specification changes';


--
-- Name: COLUMN symbols.strike; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.strike IS 'Of an option, in quote';


--
-- Name: COLUMN symbols.tick_assumed; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.tick_assumed IS 'The exchange''s documents give no tick: this is the coarser of what is known';


--
-- Name: COLUMN symbols.step_assumed; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.step_assumed IS 'The exchange''s documents give no step: this is the coarser of what is known';


--
-- Name: COLUMN symbols.market_min_quantity; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.market_min_quantity IS 'Of market orders, in the unit of quantity_step; NULL: they have no limit of their own, as in the other three';


--
-- Name: COLUMN symbols.price_band_up; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.price_band_up IS 'How far above the price of price_band_of an order''s price may be, as a fraction of it';


--
-- Name: COLUMN symbols.price_band_down; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.price_band_down IS 'How far below it an order''s price may be, as a fraction of it';


--
-- Name: COLUMN symbols.market_slip_ratio; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.market_slip_ratio IS 'How far a market order may run, as a fraction of the price';


--
-- Name: COLUMN symbols.initial_margin_rate; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.initial_margin_rate IS 'Fraction of the position, at the lowest risk level, as is maintenance_margin_rate';


--
-- Name: COLUMN symbols.funding_interval; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.funding_interval IS 'Seconds';


--
-- Name: COLUMN symbols.funding_cap; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.funding_cap IS 'The most that one funding payment can be, as a fraction';


--
-- Name: COLUMN symbols.max_open_orders; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.max_open_orders IS 'Per account';


--
-- Name: COLUMN symbols.full_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.full_name IS 'Of the base currency, as contract_address is';


--
-- Name: COLUMN symbols.is_risky; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.is_risky IS 'The exchange has put a warning on it';


--
-- Name: COLUMN symbols.is_premarket; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.is_premarket IS 'Traded before its coin is';


--
-- Name: COLUMN symbols.asset_class; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.asset_class IS 'What a contract is on; NULL where its list names no classes';


--
-- Name: COLUMN symbols.buy_opens_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.buy_opens_at IS 'When buy orders are taken for the first time';


--
-- Name: COLUMN symbols.sell_opens_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.sell_opens_at IS 'When sell orders are taken for the first time';


--
-- Name: COLUMN symbols.exchange_changed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.exchange_changed_at IS 'When the exchange last changed the contract, as it says';


--
-- Name: COLUMN symbols.source; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.source IS 'The reader, or the user''s own source, that gave this specification; NULL for rows of before that was kept';


--
-- Name: COLUMN symbols.observed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.observed_at IS 'When the exchange gave the list that brought this specification; NULL where that was not kept';


--
-- Name: COLUMN symbols.read_digest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.read_digest IS 'Of the specification as its reader gave it: an import that gives the same changes nothing. NULL: not known, as after a change by hand';


--
-- Name: COLUMN symbols.spec_hash; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbols.spec_hash IS 'symbol_spec_hash of the row when it was written: another one shows a change past the triggers';


--
-- Name: symbol_spec_hash(public.symbols); Type: FUNCTION; Schema: public; Owner: -
--

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


--
-- Name: FUNCTION symbol_spec_hash(one public.symbols); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.symbol_spec_hash(one public.symbols) IS 'Of everything that an exchange says of a symbol';


--
-- Name: symbols_continue_history(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbols_continue_history() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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


--
-- Name: symbols_moment(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbols_moment() RETURNS timestamp with time zone
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;


--
-- Name: symbols_prepare_insert(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbols_prepare_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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


--
-- Name: symbols_record_delete(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbols_record_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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


--
-- Name: symbols_record_truncate(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbols_record_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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


--
-- Name: symbols_record_update(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbols_record_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_nestloop TO 'off'
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


--
-- Name: symbols_settled(integer, integer, timestamp with time zone, timestamp with time zone); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbols_settled(lock_class integer, exchange integer, moment timestamp with time zone, seen timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
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


--
-- Name: FUNCTION symbols_settled(lock_class integer, exchange integer, moment timestamp with time zone, seen timestamp with time zone); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.symbols_settled(lock_class integer, exchange integer, moment timestamp with time zone, seen timestamp with time zone) IS 'Whether no import that changes what was known at a time is missing from what the calling statement sees';


--
-- Name: symbols_stamp(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbols_stamp() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
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


--
-- Name: account_fees; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.account_fees (
    id bigint NOT NULL,
    exchange_id smallint NOT NULL,
    account text NOT NULL,
    symbol_id integer,
    maker numeric,
    taker numeric,
    set_at timestamp with time zone NOT NULL,
    set_by text NOT NULL,
    application_name text NOT NULL,
    CONSTRAINT account_fees_account_printable CHECK (((account <> ''::text) AND (length(account) <= 100) AND (account !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT account_fees_are_fractions CHECK (((abs(maker) <= 0.05) AND (abs(taker) <= 0.05))),
    CONSTRAINT account_fees_both_or_neither CHECK (((maker IS NULL) = (taker IS NULL)))
);


--
-- Name: TABLE account_fees; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.account_fees IS 'What accounts pay, as their owner has set it, and what they paid before. Append-only: the newest row of an exchange, account and symbol holds';


--
-- Name: COLUMN account_fees.account; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.account_fees.account IS 'The user''s own name for it';


--
-- Name: COLUMN account_fees.symbol_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.account_fees.symbol_id IS 'NULL: of the whole exchange, where a symbol has no fees of its own';


--
-- Name: COLUMN account_fees.maker; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.account_fees.maker IS 'Fraction of the notional: 0.002 is 0.2 percent; negative is a rebate. NULL, with taker: forgotten';


--
-- Name: COLUMN account_fees.set_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.account_fees.set_at IS 'Stamped by the database; rises strictly per exchange, account and symbol';


--
-- Name: COLUMN account_fees.set_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.account_fees.set_by IS 'session_user: who logged in, whatever role was taken on later';


--
-- Name: account_fees_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.account_fees ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.account_fees_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: exchanges; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.exchanges (
    id smallint NOT NULL,
    name character varying(50) NOT NULL,
    enum_value character varying(50) NOT NULL,
    display_name character varying(100) NOT NULL,
    market_type character varying(20) NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    base_url character varying(255),
    websocket_url character varying(255),
    rate_limit_requests_per_second integer,
    precision_default smallint DEFAULT 8 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT exchanges_base_url_scheme CHECK (((base_url)::text ~ '^https?://[^/ \x01-\x1f\x7f][^ \x01-\x1f\x7f]*$'::text)),
    CONSTRAINT exchanges_display_name_printable CHECK ((((display_name)::text ~ '[^ ]'::text) AND ((display_name)::text !~ '[\x01-\x1f\x7f]'::text))),
    CONSTRAINT exchanges_enum_value_printable CHECK ((((enum_value)::text ~ '[^ ]'::text) AND ((enum_value)::text !~ '[\x01-\x1f\x7f]'::text))),
    CONSTRAINT exchanges_market_type_known CHECK (((market_type)::text = ANY (ARRAY['SPOT'::text, 'FUTURES'::text, 'OPTIONS'::text]))),
    CONSTRAINT exchanges_name_printable CHECK ((((name)::text ~ '[^ ]'::text) AND ((name)::text !~ '[\x01-\x1f\x7f]'::text))),
    CONSTRAINT exchanges_precision_default_range CHECK (((precision_default >= 0) AND (precision_default <= 18))),
    CONSTRAINT exchanges_rate_limit_positive CHECK ((rate_limit_requests_per_second > 0)),
    CONSTRAINT exchanges_version_positive CHECK ((version > 0)),
    CONSTRAINT exchanges_websocket_url_scheme CHECK (((websocket_url)::text ~ '^wss?://[^/ \x01-\x1f\x7f][^ \x01-\x1f\x7f]*$'::text))
);


--
-- Name: TABLE exchanges; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.exchanges IS 'Reference table for supported cryptocurrency exchanges with metadata and configuration';


--
-- Name: COLUMN exchanges.enum_value; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exchanges.enum_value IS 'Maps to ExchangeEnum values in application code';


--
-- Name: COLUMN exchanges.market_type; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exchanges.market_type IS 'SPOT, FUTURES, or OPTIONS trading';


--
-- Name: COLUMN exchanges.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exchanges.updated_at IS 'Set by the database on every change; strictly rising per row';


--
-- Name: COLUMN exchanges.version; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exchanges.version IS 'Raised by the database on every change; what update_exchange(if_version=) compares';


--
-- Name: holds; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.holds (
    exchange_id smallint NOT NULL,
    native_symbol text,
    sides text NOT NULL,
    reason text NOT NULL,
    until_at timestamp with time zone,
    held_at timestamp with time zone NOT NULL,
    held_by text NOT NULL,
    application_name text NOT NULL,
    CONSTRAINT holds_native_symbol_printable CHECK (((native_symbol <> ''::text) AND (length(native_symbol) <= 100) AND (native_symbol !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT holds_reason_printable CHECK (((reason <> ''::text) AND (length(reason) <= 500) AND (reason !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT holds_sides_known CHECK ((sides = ANY (ARRAY['ALL'::text, 'BUY'::text, 'SELL'::text]))),
    CONSTRAINT holds_until_at_is_date CHECK ((((until_at AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((until_at AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone)))
);

ALTER TABLE ONLY public.holds REPLICA IDENTITY FULL;


--
-- Name: TABLE holds; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.holds IS 'What a person has forbidden to trade, whatever the exchange says';


--
-- Name: COLUMN holds.native_symbol; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.holds.native_symbol IS 'NULL: the whole exchange';


--
-- Name: COLUMN holds.sides; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.holds.sides IS 'Which orders are held';


--
-- Name: COLUMN holds.until_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.holds.until_at IS 'It holds up to then; NULL: until it is released';


--
-- Name: COLUMN holds.held_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.holds.held_at IS 'Stamped by the database; rises strictly per exchange and symbol';


--
-- Name: COLUMN holds.held_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.holds.held_by IS 'session_user: who logged in, whatever role was taken on later';


--
-- Name: symbol_doubts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.symbol_doubts (
    id bigint NOT NULL,
    symbol_id integer NOT NULL,
    brake text NOT NULL,
    reason text NOT NULL,
    since timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT symbol_doubts_ends_after_since CHECK ((ended_at >= since)),
    CONSTRAINT symbol_doubts_times_are_dates CHECK ((((since AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((since AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone) AND ((ended_at AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone)))
);


--
-- Name: TABLE symbol_doubts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.symbol_doubts IS 'Symbols of which a list has said something that is not believed, and so is not stored: from when, to when, and why';


--
-- Name: COLUMN symbol_doubts.ended_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_doubts.ended_at IS 'NULL: it is in doubt now';


--
-- Name: symbol_lists; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.symbol_lists (
    id integer NOT NULL,
    exchange_id smallint NOT NULL,
    kind text NOT NULL,
    settle text,
    underlying text,
    source text NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    changed_at timestamp with time zone,
    imported_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    confirmations bigint DEFAULT 0 NOT NULL,
    CONSTRAINT symbol_lists_confirmations_not_negative CHECK ((confirmations >= 0)),
    CONSTRAINT symbol_lists_kind_known CHECK ((kind = ANY (ARRAY['SPOT'::text, 'PERPETUAL'::text, 'FUTURE'::text, 'OPTION'::text]))),
    CONSTRAINT symbol_lists_parts_fit_kind CHECK ((((settle IS NULL) OR (kind <> 'SPOT'::text)) AND ((underlying IS NULL) OR (kind = 'OPTION'::text)))),
    CONSTRAINT symbol_lists_settle_printable CHECK (((settle <> ''::text) AND (length(settle) <= 50) AND (settle !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbol_lists_source_printable CHECK (((source <> ''::text) AND (length(source) <= 100) AND (source !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbol_lists_times_are_dates CHECK ((((observed_at AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((observed_at AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone) AND ((changed_at AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((changed_at AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone) AND ((imported_at AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((imported_at AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone))),
    CONSTRAINT symbol_lists_underlying_printable CHECK (((underlying <> ''::text) AND (length(underlying) <= 101) AND (underlying !~ '^ | $|[\x01-\x1f\x7f]'::text)))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='100');


--
-- Name: TABLE symbol_lists; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.symbol_lists IS 'Every list of symbols that was ever imported: only its own symbols can vanish from it';


--
-- Name: COLUMN symbol_lists.settle; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_lists.settle IS 'NULL for spot, and where one list holds every settlement';


--
-- Name: COLUMN symbol_lists.underlying; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_lists.underlying IS 'BASE_QUOTE of a list of options';


--
-- Name: COLUMN symbol_lists.source; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_lists.source IS 'The reader, or the user''s own source, that gave it last';


--
-- Name: COLUMN symbol_lists.observed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_lists.observed_at IS 'When the exchange gave the list that was last applied, or confirmed what is known';


--
-- Name: COLUMN symbol_lists.changed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_lists.changed_at IS 'The moment of its last import that changed a symbol; NULL: none since that is kept';


--
-- Name: COLUMN symbol_lists.imported_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_lists.imported_at IS 'When its last import was stored, by the server''s clock';


--
-- Name: COLUMN symbol_lists.confirmations; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_lists.confirmations IS 'How many imports have changed nothing';


--
-- Name: symbol_rows; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.symbol_rows AS
 SELECT e.enum_value AS exchange,
    s.id,
    s.exchange_id,
    s.native_symbol,
    s.symbol,
    s.base,
    s.quote,
    s.settle,
    s.kind,
    s.direction,
    s.contract_size,
    s.strike,
    s.option_type,
    s.price_tick,
    s.tick_assumed,
    s.quantity_step,
    s.step_assumed,
    s.price_decimals,
    s.quantity_decimals,
    s.min_quantity,
    s.max_quantity,
    s.min_notional,
    s.max_notional,
    s.market_min_quantity,
    s.market_max_quantity,
    s.market_min_notional,
    s.market_max_notional,
    s.price_band_up,
    s.price_band_down,
    s.price_band_of,
    s.market_slip_ratio,
    s.order_types,
    s.leverage_min,
    s.leverage_max,
    s.initial_margin_rate,
    s.maintenance_margin_rate,
    s.funding_interval,
    s.funding_cap,
    s.max_open_orders,
    s.margin_allowed,
    s.full_name,
    s.contract_address,
    s.is_risky,
    s.is_premarket,
    s.asset_class,
    s.list_maker_fee,
    s.list_taker_fee,
    s.status,
    s.is_live,
    s.sides,
    s.api_tradable,
    s.buy_opens_at,
    s.sell_opens_at,
    s.delisting_at,
    s.delisted_at,
    s.expires_at,
    s.exchange_changed_at,
    s.spec_version,
    s.source,
    s.observed_at,
    s.created_at,
    s.updated_at,
    l.observed_at AS confirmed_at,
    d.since AS doubtful_since,
    d.reason AS doubt,
    hs.sides AS held_sides,
    hs.until_at AS held_until,
    hs.reason AS hold_reason,
    hs.held_by,
    he.sides AS exchange_held_sides,
    he.until_at AS exchange_held_until,
    he.reason AS exchange_hold_reason,
    he.held_by AS exchange_held_by,
    e.is_active AS exchange_is_active,
    statement_timestamp() AS asked_at
   FROM (((((public.symbols s
     JOIN public.exchanges e ON ((e.id = s.exchange_id)))
     LEFT JOIN public.symbol_lists l ON (((l.exchange_id = s.exchange_id) AND (l.kind = s.kind) AND ((l.settle IS NULL) OR (l.settle = s.settle)) AND ((l.underlying IS NULL) OR (l.underlying = ((s.base || '_'::text) || s.quote))))))
     LEFT JOIN public.symbol_doubts d ON (((d.symbol_id = s.id) AND (d.ended_at IS NULL))))
     LEFT JOIN public.holds hs ON (((hs.exchange_id = s.exchange_id) AND (hs.native_symbol = s.native_symbol))))
     LEFT JOIN public.holds he ON (((he.exchange_id = s.exchange_id) AND (he.native_symbol IS NULL))))
  WHERE (s.status IS NOT NULL);


--
-- Name: VIEW symbol_rows; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.symbol_rows IS 'What look-ups read: a symbol with rules, what the judge needs beside it, and of its exchange what a caller asks for';


--
-- Name: COLUMN symbol_rows.confirmed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_rows.confirmed_at IS 'When the exchange gave the newest list that says the same';


--
-- Name: COLUMN symbol_rows.doubtful_since; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_rows.doubtful_since IS 'NULL: it is not in doubt';


--
-- Name: COLUMN symbol_rows.asked_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_rows.asked_at IS 'The server''s clock, which decides what holds now';


--
-- Name: current_symbols; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.current_symbols AS
 SELECT r.exchange,
    r.id,
    r.exchange_id,
    r.native_symbol,
    r.symbol,
    r.base,
    r.quote,
    r.settle,
    r.kind,
    r.direction,
    r.contract_size,
    r.strike,
    r.option_type,
    r.price_tick,
    r.tick_assumed,
    r.quantity_step,
    r.step_assumed,
    r.price_decimals,
    r.quantity_decimals,
    r.min_quantity,
    r.max_quantity,
    r.min_notional,
    r.max_notional,
    r.market_min_quantity,
    r.market_max_quantity,
    r.market_min_notional,
    r.market_max_notional,
    r.price_band_up,
    r.price_band_down,
    r.price_band_of,
    r.market_slip_ratio,
    r.order_types,
    r.leverage_min,
    r.leverage_max,
    r.initial_margin_rate,
    r.maintenance_margin_rate,
    r.funding_interval,
    r.funding_cap,
    r.max_open_orders,
    r.margin_allowed,
    r.full_name,
    r.contract_address,
    r.is_risky,
    r.is_premarket,
    r.asset_class,
    r.list_maker_fee,
    r.list_taker_fee,
    r.status,
    r.is_live,
    r.sides,
    r.api_tradable,
    r.buy_opens_at,
    r.sell_opens_at,
    r.delisting_at,
    r.delisted_at,
    r.expires_at,
    r.exchange_changed_at,
    r.spec_version,
    r.source,
    r.observed_at,
    r.created_at,
    r.updated_at,
    r.exchange_is_active,
    r.confirmed_at,
    (r.doubtful_since IS NOT NULL) AS is_doubtful,
    r.doubtful_since,
    r.doubt,
    held.is_held
   FROM (public.symbol_rows r
     CROSS JOIN LATERAL ( SELECT (COALESCE((r.held_until > r.asked_at), (r.held_sides IS NOT NULL)) OR COALESCE((r.exchange_held_until > r.asked_at), (r.exchange_held_sides IS NOT NULL))) AS is_held) held);


--
-- Name: VIEW current_symbols; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.current_symbols IS 'What symbols are now, to build on: every symbol with rules, and what is known beside it. What may be traded is decided by can_trade alone';


--
-- Name: COLUMN current_symbols.confirmed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.current_symbols.confirmed_at IS 'When the exchange gave the newest list that says the same';


--
-- Name: COLUMN current_symbols.is_doubtful; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.current_symbols.is_doubtful IS 'A list has said something of it that is not believed';


--
-- Name: COLUMN current_symbols.is_held; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.current_symbols.is_held IS 'A person has forbidden to trade it, or its exchange, on one side at least';


--
-- Name: exchange_history; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.exchange_history (
    id bigint NOT NULL,
    exchange_id smallint NOT NULL,
    version integer NOT NULL,
    operation character varying(10) NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    changed_by text NOT NULL,
    application_name text NOT NULL,
    changed_columns text[] NOT NULL,
    old_row jsonb,
    new_row jsonb,
    CONSTRAINT exchange_history_operation_known CHECK (((operation)::text = ANY (ARRAY['SNAPSHOT'::text, 'INSERT'::text, 'UPDATE'::text, 'DELETE'::text, 'TRUNCATE'::text]))),
    CONSTRAINT exchange_history_rows_fit_operation CHECK ((((old_row IS NULL) = ((operation)::text = ANY (ARRAY['SNAPSHOT'::text, 'INSERT'::text]))) AND ((new_row IS NULL) = ((operation)::text = ANY (ARRAY['DELETE'::text, 'TRUNCATE'::text])))))
);


--
-- Name: TABLE exchange_history; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.exchange_history IS 'Audit trail of exchanges: who changed what and when. Written by trigger, append-only';


--
-- Name: COLUMN exchange_history.operation; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exchange_history.operation IS 'INSERT, UPDATE, DELETE, TRUNCATE, or SNAPSHOT for a row older than its history';


--
-- Name: COLUMN exchange_history.changed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exchange_history.changed_at IS 'From when on the new row holds; rises strictly per exchange';


--
-- Name: COLUMN exchange_history.changed_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exchange_history.changed_by IS 'session_user: who logged in, whatever role was taken on later';


--
-- Name: COLUMN exchange_history.changed_columns; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exchange_history.changed_columns IS 'Columns whose value differs, without version and updated_at; empty unless UPDATE';


--
-- Name: exchange_history_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.exchange_history ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.exchange_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: exchanges_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.exchanges ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.exchanges_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: history_prunes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.history_prunes (
    id bigint NOT NULL,
    pruned_table text NOT NULL,
    before timestamp with time zone NOT NULL,
    pruned_rows bigint NOT NULL,
    pruned_at timestamp with time zone NOT NULL,
    pruned_by text NOT NULL,
    application_name text NOT NULL
);


--
-- Name: TABLE history_prunes; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.history_prunes IS 'What was deleted of ledger and histories, up to which time, when and by whom. Written by trigger, append-only';


--
-- Name: history_prunes_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.history_prunes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.history_prunes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: hold_history; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.hold_history (
    id bigint NOT NULL,
    exchange_id smallint NOT NULL,
    native_symbol text,
    sides text NOT NULL,
    reason text NOT NULL,
    until_at timestamp with time zone,
    held_at timestamp with time zone NOT NULL,
    held_by text NOT NULL,
    application_name text NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    operation text NOT NULL,
    ended_by text NOT NULL,
    ended_application_name text NOT NULL,
    ended_reason text,
    CONSTRAINT hold_history_ends_after_held CHECK ((ended_at > held_at)),
    CONSTRAINT hold_history_operation_known CHECK ((operation = ANY (ARRAY['UPDATE'::text, 'DELETE'::text, 'TRUNCATE'::text])))
);


--
-- Name: TABLE hold_history; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.hold_history IS 'Holds that ended: replaced by another one, or released. Written by trigger, append-only';


--
-- Name: COLUMN hold_history.operation; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.hold_history.operation IS 'UPDATE: replaced; DELETE, TRUNCATE: released';


--
-- Name: COLUMN hold_history.ended_reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.hold_history.ended_reason IS 'Of whoever released it, where one was given';


--
-- Name: hold_history_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.hold_history ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.hold_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: registry_changes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.registry_changes (
    id bigint NOT NULL,
    changed text NOT NULL,
    ids integer[],
    versions integer[],
    transaction_id xid8 NOT NULL,
    epoch bigint,
    token uuid,
    committed_at timestamp with time zone,
    CONSTRAINT registry_changes_all_or_ids CHECK ((((ids IS NULL) = (changed = 'EVERYTHING'::text)) AND ((versions IS NULL) OR (cardinality(versions) = cardinality(ids))))),
    CONSTRAINT registry_changes_changed_known CHECK ((changed = ANY (ARRAY['EVERYTHING'::text, 'EXCHANGES'::text, 'SYMBOLS'::text, 'HOLDS'::text, 'FEES'::text, 'LISTS'::text]))),
    CONSTRAINT registry_changes_stamped_whole CHECK ((((epoch IS NULL) = (token IS NULL)) AND ((epoch IS NULL) = (committed_at IS NULL))))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.05');


--
-- Name: TABLE registry_changes; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.registry_changes IS 'What a registry in memory must read again, one row per statement. Written by trigger; the oldest epochs are deleted';


--
-- Name: COLUMN registry_changes.changed; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.registry_changes.changed IS 'What changed; EVERYTHING: all of it, as after TRUNCATE';


--
-- Name: COLUMN registry_changes.ids; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.registry_changes.ids IS 'Of symbols for SYMBOLS, else of exchanges';


--
-- Name: COLUMN registry_changes.versions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.registry_changes.versions IS 'Where specifications changed: spec_version of each of ids before; 0: it had no rules, or was not there';


--
-- Name: COLUMN registry_changes.epoch; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.registry_changes.epoch IS 'The same for all rows of a transaction; rises in the order in which transactions became visible. NULL: not yet committed';


--
-- Name: COLUMN registry_changes.token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.registry_changes.token IS 'At random, the same for all rows of a transaction: epochs are given again after a failover that lost the last of them';


--
-- Name: COLUMN registry_changes.committed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.registry_changes.committed_at IS 'Just before the commit, by the clock of the server';


--
-- Name: registry_changes_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.registry_changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.registry_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: registry_commit_order; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.registry_commit_order (
);


--
-- Name: TABLE registry_commit_order; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.registry_commit_order IS 'Locked by whoever gives the next epoch, until the commit is over. Without columns and rows';


--
-- Name: registry_epoch_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.registry_epoch_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: registry_epoch_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.registry_epoch_seq OWNED BY public.registry_changes.epoch;


--
-- Name: registry_epoch_witness_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.registry_epoch_witness_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: registry_epoch_witness_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.registry_epoch_witness_seq OWNED BY public.registry_changes.epoch;


--
-- Name: registry_fees; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.registry_fees AS
 SELECT latest.exchange_id,
    latest.account,
    latest.symbol_id,
    (latest.maker)::text AS maker,
    (latest.taker)::text AS taker,
    latest.set_at
   FROM ((( SELECT DISTINCT ON (f.exchange_id, f.account, f.symbol_id) f.exchange_id,
            f.account,
            f.symbol_id,
            f.maker,
            f.taker,
            f.set_at
           FROM public.account_fees f
          ORDER BY f.exchange_id, f.account, f.symbol_id, f.set_at DESC) latest
     JOIN public.exchanges e ON ((e.id = latest.exchange_id)))
     LEFT JOIN public.symbols s ON (((s.id = latest.symbol_id) AND (s.exchange_id = e.id))))
  WHERE ((latest.maker IS NOT NULL) AND
        CASE
            WHEN (latest.symbol_id IS NULL) THEN (latest.set_at >= e.created_at)
            ELSE (latest.set_at >= s.created_at)
        END);


--
-- Name: VIEW registry_fees; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.registry_fees IS 'What accounts pay now, as a registry holds it';


--
-- Name: registry_log; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.registry_log AS
 SELECT (((( SELECT
                CASE count(*)
                    WHEN 24 THEN sum(((t.xmin)::text)::bigint)
                    ELSE NULL::numeric
                END AS "case"
           FROM pg_trigger t
          WHERE ((t.tgenabled = 'A'::"char") AND (t.tgrelid = ANY (ARRAY[('public.account_fees'::regclass)::oid, ('public.exchanges'::regclass)::oid, ('public.holds'::regclass)::oid, ('public.registry_changes'::regclass)::oid, ('public.symbol_doubts'::regclass)::oid, ('public.symbol_lists'::regclass)::oid, ('public.symbols'::regclass)::oid])) AND (t.tgname = ANY (ARRAY['account_fees_note_insert'::name, 'account_fees_refuse'::name, 'exchanges_note_delete'::name, 'exchanges_note_insert'::name, 'exchanges_note_truncate'::name, 'exchanges_note_update'::name, 'holds_note_delete'::name, 'holds_note_insert'::name, 'holds_note_truncate'::name, 'holds_note_update'::name, 'registry_changes_stamp'::name, 'symbol_doubts_note_delete'::name, 'symbol_doubts_note_insert'::name, 'symbol_doubts_note_truncate'::name, 'symbol_doubts_note_update'::name, 'symbol_lists_note_delete'::name, 'symbol_lists_note_insert'::name, 'symbol_lists_note_truncate'::name, 'symbol_lists_note_update'::name, 'symbols_note_delete'::name, 'symbols_note_insert'::name, 'symbols_note_truncate'::name, 'symbols_note_update'::name, 'symbols_stamp'::name])))) + (( SELECT
                CASE count(*)
                    WHEN 7 THEN 0
                    ELSE NULL::integer
                END AS "case"
           FROM pg_class c
          WHERE ((c.relnamespace = ('public'::regnamespace)::oid) AND (c.relname = ANY (ARRAY['account_fees'::name, 'exchanges'::name, 'holds'::name, 'registry_changes'::name, 'symbol_doubts'::name, 'symbol_lists'::name, 'symbols'::name])) AND (c.oid = ANY (ARRAY[('public.account_fees'::regclass)::oid, ('public.exchanges'::regclass)::oid, ('public.holds'::regclass)::oid, ('public.registry_changes'::regclass)::oid, ('public.symbol_doubts'::regclass)::oid, ('public.symbol_lists'::regclass)::oid, ('public.symbols'::regclass)::oid])) AND (NOT (EXISTS ( SELECT
                   FROM pg_inherits i
                  WHERE (i.inhrelid = c.oid)))) AND (NOT (EXISTS ( SELECT
                   FROM pg_inherits i
                  WHERE (i.inhparent = c.oid)))))))::numeric) + ( SELECT sum(((a.xmin)::text)::bigint) AS sum
           FROM pg_attribute a
          WHERE ((a.attnum > 0) AND (a.attrelid = ANY (ARRAY[('public.account_fees'::regclass)::oid, ('public.exchanges'::regclass)::oid, ('public.holds'::regclass)::oid, ('public.registry_changes'::regclass)::oid, ('public.symbol_doubts'::regclass)::oid, ('public.symbol_lists'::regclass)::oid, ('public.symbols'::regclass)::oid]))))))::bigint AS version;


--
-- Name: VIEW registry_log; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.registry_log IS 'Another number whenever one of the triggers that write the log of changes was made or switched, or a column of their tables changed; NULL while not all are there and fire always, or a table inherits';


--
-- Name: registry_symbols; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.registry_symbols AS
 SELECT s.id,
    s.exchange_id,
    e.enum_value AS exchange,
    s.price_decimals,
    s.quantity_decimals,
    s.spec_version,
    s.created_at,
    s.updated_at,
    s.source,
    s.observed_at,
    s.native_symbol,
    s.symbol,
    s.base,
    s.quote,
    s.settle,
    s.kind,
    s.direction,
    s.contract_size,
    s.strike,
    s.option_type,
    s.price_tick,
    s.tick_assumed,
    s.quantity_step,
    s.step_assumed,
    s.min_quantity,
    s.max_quantity,
    s.min_notional,
    s.max_notional,
    s.market_min_quantity,
    s.market_max_quantity,
    s.market_min_notional,
    s.market_max_notional,
    s.price_band_up,
    s.price_band_down,
    s.price_band_of,
    s.market_slip_ratio,
    s.order_types,
    s.leverage_min,
    s.leverage_max,
    s.initial_margin_rate,
    s.maintenance_margin_rate,
    s.funding_interval,
    s.funding_cap,
    s.max_open_orders,
    s.margin_allowed,
    s.full_name,
    s.contract_address,
    s.is_risky,
    s.is_premarket,
    s.asset_class,
    s.list_maker_fee,
    s.list_taker_fee,
    s.status,
    s.sides,
    s.api_tradable,
    s.buy_opens_at,
    s.sell_opens_at,
    s.delisting_at,
    s.delisted_at,
    s.expires_at,
    s.exchange_changed_at,
    d.since AS doubtful_since
   FROM ((public.symbols s
     JOIN public.exchanges e ON ((e.id = s.exchange_id)))
     LEFT JOIN public.symbol_doubts d ON (((d.symbol_id = s.id) AND (d.ended_at IS NULL))))
  WHERE (s.status IS NOT NULL);


--
-- Name: VIEW registry_symbols; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.registry_symbols IS 'Each symbol that has rules, as a registry in memory holds it';


--
-- Name: schema_migrations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_migrations (
    version character varying NOT NULL
);


--
-- Name: symbol_doubts_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.symbol_doubts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.symbol_doubts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: symbol_history; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.symbol_history (
    symbol_id integer NOT NULL,
    exchange_id smallint NOT NULL,
    spec_version integer NOT NULL,
    valid tstzrange NOT NULL,
    operation text NOT NULL,
    ended_by text NOT NULL,
    application_name text NOT NULL,
    native_symbol text NOT NULL,
    symbol text NOT NULL,
    base text NOT NULL,
    quote text NOT NULL,
    settle text,
    kind text NOT NULL,
    direction text,
    contract_size numeric,
    strike numeric,
    option_type text,
    price_tick numeric NOT NULL,
    tick_assumed boolean NOT NULL,
    quantity_step numeric NOT NULL,
    step_assumed boolean NOT NULL,
    min_quantity numeric,
    max_quantity numeric,
    min_notional numeric,
    max_notional numeric,
    market_min_quantity numeric,
    market_max_quantity numeric,
    market_min_notional numeric,
    market_max_notional numeric,
    price_band_up numeric,
    price_band_down numeric,
    price_band_of text,
    market_slip_ratio numeric,
    order_types text[],
    leverage_min numeric,
    leverage_max numeric,
    initial_margin_rate numeric,
    maintenance_margin_rate numeric,
    funding_interval integer,
    funding_cap numeric,
    max_open_orders integer,
    margin_allowed boolean,
    full_name text,
    contract_address text,
    is_risky boolean,
    is_premarket boolean,
    asset_class text,
    list_maker_fee numeric,
    list_taker_fee numeric,
    status text NOT NULL,
    sides text NOT NULL,
    api_tradable boolean NOT NULL,
    buy_opens_at timestamp with time zone,
    sell_opens_at timestamp with time zone,
    delisting_at timestamp with time zone,
    delisted_at timestamp with time zone,
    expires_at timestamp with time zone,
    exchange_changed_at timestamp with time zone,
    price_decimals smallint NOT NULL,
    quantity_decimals smallint NOT NULL,
    is_live boolean NOT NULL,
    source text,
    observed_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT symbol_history_operation_known CHECK ((operation = ANY (ARRAY['UPDATE'::text, 'DELETE'::text, 'TRUNCATE'::text]))),
    CONSTRAINT symbol_history_times_are_dates CHECK ((((lower(valid) AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((upper(valid) AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone))),
    CONSTRAINT symbol_history_valid_closed CHECK (((NOT isempty(valid)) AND (NOT lower_inf(valid)) AND (NOT upper_inf(valid)) AND lower_inc(valid) AND (NOT upper_inc(valid))))
);


--
-- Name: TABLE symbol_history; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.symbol_history IS 'Specifications that no longer hold, and when they did; the one that holds is the row of symbols. Written by trigger, append-only';


--
-- Name: COLUMN symbol_history.valid; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_history.valid IS 'From the change that made it up to the change that ended it';


--
-- Name: COLUMN symbol_history.ended_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_history.ended_by IS 'session_user of the change that ended it';


--
-- Name: COLUMN symbol_history.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_history.created_at IS 'Of the row of symbols';


--
-- Name: symbol_imports; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.symbol_imports (
    id bigint NOT NULL,
    exchange_id smallint NOT NULL,
    exchange text NOT NULL,
    kind text,
    settle text,
    underlying text,
    outcome text NOT NULL,
    observed_at timestamp with time zone,
    began_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    moment timestamp with time zone,
    source text,
    reader_version integer,
    origin text,
    payload_sha256 text,
    payload_size bigint,
    listed_rows integer,
    rejected_rows integer,
    unchanged_rows integer,
    changes jsonb DEFAULT '{}'::jsonb NOT NULL,
    brakes jsonb DEFAULT '[]'::jsonb NOT NULL,
    held_back jsonb DEFAULT '[]'::jsonb NOT NULL,
    error text,
    imported_by text NOT NULL,
    application_name text NOT NULL,
    CONSTRAINT symbol_imports_counts_not_negative CHECK (((payload_size >= 0) AND (listed_rows >= 0) AND (rejected_rows >= 0) AND (unchanged_rows >= 0))),
    CONSTRAINT symbol_imports_error_fits_outcome CHECK (((outcome = 'FAILED'::text) = (error IS NOT NULL))),
    CONSTRAINT symbol_imports_kind_known CHECK ((kind = ANY (ARRAY['SPOT'::text, 'PERPETUAL'::text, 'FUTURE'::text, 'OPTION'::text]))),
    CONSTRAINT symbol_imports_moment_fits_outcome CHECK (((outcome = 'APPLIED'::text) = (moment IS NOT NULL))),
    CONSTRAINT symbol_imports_outcome_known CHECK ((outcome = ANY (ARRAY['APPLIED'::text, 'REFUSED'::text, 'FAILED'::text]))),
    CONSTRAINT symbol_imports_sha256_is_hex CHECK ((payload_sha256 ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT symbol_imports_times_are_dates CHECK ((((observed_at AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((observed_at AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone) AND ((began_at AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((ended_at AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone) AND ((moment AT TIME ZONE 'UTC'::text) >= '1970-01-01 00:00:00'::timestamp without time zone) AND ((moment AT TIME ZONE 'UTC'::text) < '9999-12-31 00:00:00'::timestamp without time zone)))
);


--
-- Name: TABLE symbol_imports; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.symbol_imports IS 'Every import of a list that changed something, was refused, or failed. Append-only; one that changes nothing is counted in symbol_lists';


--
-- Name: COLUMN symbol_imports.exchange; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_imports.exchange IS 'enum_value of the exchange then';


--
-- Name: COLUMN symbol_imports.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_imports.kind IS 'With settle and underlying, the list; NULL where an import failed before that was known';


--
-- Name: COLUMN symbol_imports.observed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_imports.observed_at IS 'When the exchange gave the list';


--
-- Name: COLUMN symbol_imports.moment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_imports.moment IS 'From when on its changes hold';


--
-- Name: COLUMN symbol_imports.source; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_imports.source IS 'The reader, or the user''s own source';


--
-- Name: COLUMN symbol_imports.origin; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_imports.origin IS 'The URL or file that the payload is from';


--
-- Name: COLUMN symbol_imports.changes; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_imports.changes IS 'How many symbols each kind of change had';


--
-- Name: COLUMN symbol_imports.brakes; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_imports.brakes IS 'What spoke against it: brake, reason, and whether it was allowed';


--
-- Name: COLUMN symbol_imports.held_back; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_imports.held_back IS 'Single rows that were not believed: native_symbol, brake, reason';


--
-- Name: COLUMN symbol_imports.imported_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_imports.imported_by IS 'session_user: who logged in, whatever role was taken on later';


--
-- Name: symbol_imports_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.symbol_imports ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.symbol_imports_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: symbol_lists_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.symbol_lists ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.symbol_lists_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: symbol_raw; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.symbol_raw (
    symbol_id integer NOT NULL,
    raw jsonb NOT NULL,
    digest text,
    observed_at timestamp with time zone
)
WITH (autovacuum_vacuum_scale_factor='0.05');


--
-- Name: TABLE symbol_raw; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.symbol_raw IS 'What the exchange last said of each symbol: the row of its payload, whole. Goes with its symbol, by trigger';


--
-- Name: COLUMN symbol_raw.digest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_raw.digest IS 'Of the row without what moves by the minute; NULL: not known, so that the next import writes the row anew';


--
-- Name: COLUMN symbol_raw.observed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_raw.observed_at IS 'When the exchange said so; NULL where that was not kept';


--
-- Name: symbol_states; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.symbol_states AS
 SELECT s.id,
    s.exchange_id,
    s.native_symbol,
    s.symbol,
    s.base,
    s.quote,
    s.settle,
    s.kind,
    s.direction,
    s.contract_size,
    s.strike,
    s.option_type,
    s.price_tick,
    s.tick_assumed,
    s.quantity_step,
    s.step_assumed,
    s.price_decimals,
    s.quantity_decimals,
    s.min_quantity,
    s.max_quantity,
    s.min_notional,
    s.max_notional,
    s.market_min_quantity,
    s.market_max_quantity,
    s.market_min_notional,
    s.market_max_notional,
    s.price_band_up,
    s.price_band_down,
    s.price_band_of,
    s.market_slip_ratio,
    s.order_types,
    s.leverage_min,
    s.leverage_max,
    s.initial_margin_rate,
    s.maintenance_margin_rate,
    s.funding_interval,
    s.funding_cap,
    s.max_open_orders,
    s.margin_allowed,
    s.full_name,
    s.contract_address,
    s.is_risky,
    s.is_premarket,
    s.asset_class,
    s.list_maker_fee,
    s.list_taker_fee,
    s.status,
    s.is_live,
    s.sides,
    s.api_tradable,
    s.buy_opens_at,
    s.sell_opens_at,
    s.delisting_at,
    s.delisted_at,
    s.expires_at,
    s.exchange_changed_at,
    s.spec_version,
    s.source,
    s.observed_at,
    s.created_at,
    s.updated_at,
    s.updated_at AS valid_from,
    NULL::timestamp with time zone AS valid_to,
    NULL::text AS operation,
    NULL::text AS ended_by,
    NULL::text AS application_name
   FROM public.symbols s
  WHERE (s.status IS NOT NULL)
UNION ALL
 SELECT h.symbol_id AS id,
    h.exchange_id,
    h.native_symbol,
    h.symbol,
    h.base,
    h.quote,
    h.settle,
    h.kind,
    h.direction,
    h.contract_size,
    h.strike,
    h.option_type,
    h.price_tick,
    h.tick_assumed,
    h.quantity_step,
    h.step_assumed,
    h.price_decimals,
    h.quantity_decimals,
    h.min_quantity,
    h.max_quantity,
    h.min_notional,
    h.max_notional,
    h.market_min_quantity,
    h.market_max_quantity,
    h.market_min_notional,
    h.market_max_notional,
    h.price_band_up,
    h.price_band_down,
    h.price_band_of,
    h.market_slip_ratio,
    h.order_types,
    h.leverage_min,
    h.leverage_max,
    h.initial_margin_rate,
    h.maintenance_margin_rate,
    h.funding_interval,
    h.funding_cap,
    h.max_open_orders,
    h.margin_allowed,
    h.full_name,
    h.contract_address,
    h.is_risky,
    h.is_premarket,
    h.asset_class,
    h.list_maker_fee,
    h.list_taker_fee,
    h.status,
    h.is_live,
    h.sides,
    h.api_tradable,
    h.buy_opens_at,
    h.sell_opens_at,
    h.delisting_at,
    h.delisted_at,
    h.expires_at,
    h.exchange_changed_at,
    h.spec_version,
    h.source,
    h.observed_at,
    h.created_at,
    lower(h.valid) AS updated_at,
    lower(h.valid) AS valid_from,
    upper(h.valid) AS valid_to,
    h.operation,
    h.ended_by,
    h.application_name
   FROM public.symbol_history h;


--
-- Name: VIEW symbol_states; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.symbol_states IS 'Every specification that holds or held, and when it did: what questions about the past read';


--
-- Name: symbol_versions; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.symbol_versions AS
 SELECT COALESCE(e.enum_value, (( SELECT (x.old_row ->> 'enum_value'::text)
           FROM public.exchange_history x
          WHERE ((x.exchange_id = v.exchange_id) AND (x.new_row IS NULL))
          ORDER BY x.changed_at DESC, x.id DESC
         LIMIT 1))::character varying) AS exchange,
    v.id,
    v.exchange_id,
    v.native_symbol,
    v.symbol,
    v.base,
    v.quote,
    v.settle,
    v.kind,
    v.direction,
    v.contract_size,
    v.strike,
    v.option_type,
    v.price_tick,
    v.tick_assumed,
    v.quantity_step,
    v.step_assumed,
    v.price_decimals,
    v.quantity_decimals,
    v.min_quantity,
    v.max_quantity,
    v.min_notional,
    v.max_notional,
    v.market_min_quantity,
    v.market_max_quantity,
    v.market_min_notional,
    v.market_max_notional,
    v.price_band_up,
    v.price_band_down,
    v.price_band_of,
    v.market_slip_ratio,
    v.order_types,
    v.leverage_min,
    v.leverage_max,
    v.initial_margin_rate,
    v.maintenance_margin_rate,
    v.funding_interval,
    v.funding_cap,
    v.max_open_orders,
    v.margin_allowed,
    v.full_name,
    v.contract_address,
    v.is_risky,
    v.is_premarket,
    v.asset_class,
    v.list_maker_fee,
    v.list_taker_fee,
    v.status,
    v.is_live,
    v.sides,
    v.api_tradable,
    v.buy_opens_at,
    v.sell_opens_at,
    v.delisting_at,
    v.delisted_at,
    v.expires_at,
    v.exchange_changed_at,
    v.spec_version,
    v.source,
    v.observed_at,
    v.created_at,
    v.updated_at,
    v.valid_from,
    v.valid_to,
    tstzrange(v.valid_from, v.valid_to) AS valid,
    v.operation,
    v.ended_by,
    v.application_name
   FROM (public.symbol_states v
     LEFT JOIN public.exchanges e ON ((e.id = v.exchange_id)));


--
-- Name: VIEW symbol_versions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.symbol_versions IS 'What symbols were and are, to build on: every specification, those of symbol_history and the one that holds';


--
-- Name: COLUMN symbol_versions.exchange; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_versions.exchange IS 'enum_value that the exchange has now; of a deleted one, the last that it had';


--
-- Name: COLUMN symbol_versions.valid; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_versions.valid IS 'When it held, from valid_from up to valid_to; without an end for the one that holds now';


--
-- Name: symbols_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.symbols ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.symbols_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: account_fees account_fees_one_at_a_time; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account_fees
    ADD CONSTRAINT account_fees_one_at_a_time UNIQUE NULLS NOT DISTINCT (exchange_id, account, symbol_id, set_at);


--
-- Name: account_fees account_fees_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account_fees
    ADD CONSTRAINT account_fees_pkey PRIMARY KEY (id);


--
-- Name: exchange_history exchange_history_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.exchange_history
    ADD CONSTRAINT exchange_history_pkey PRIMARY KEY (id);


--
-- Name: exchanges exchanges_enum_value_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.exchanges
    ADD CONSTRAINT exchanges_enum_value_key UNIQUE (enum_value);


--
-- Name: exchanges exchanges_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.exchanges
    ADD CONSTRAINT exchanges_name_key UNIQUE (name);


--
-- Name: exchanges exchanges_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.exchanges
    ADD CONSTRAINT exchanges_pkey PRIMARY KEY (id);


--
-- Name: history_prunes history_prunes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.history_prunes
    ADD CONSTRAINT history_prunes_pkey PRIMARY KEY (id);


--
-- Name: hold_history hold_history_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.hold_history
    ADD CONSTRAINT hold_history_pkey PRIMARY KEY (id);


--
-- Name: holds holds_held_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.holds
    ADD CONSTRAINT holds_held_key UNIQUE NULLS NOT DISTINCT (exchange_id, native_symbol);


--
-- Name: registry_changes registry_changes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.registry_changes
    ADD CONSTRAINT registry_changes_pkey PRIMARY KEY (id);


--
-- Name: schema_migrations schema_migrations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);


--
-- Name: symbol_doubts symbol_doubts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.symbol_doubts
    ADD CONSTRAINT symbol_doubts_pkey PRIMARY KEY (id);


--
-- Name: symbol_history symbol_history_no_overlap; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.symbol_history
    ADD CONSTRAINT symbol_history_no_overlap EXCLUDE USING gist (box(point((symbol_id)::double precision, ((EXTRACT(epoch FROM (lower(valid) AT TIME ZONE 'UTC'::text)) * (1000000)::numeric))::double precision), point((symbol_id)::double precision, (((EXTRACT(epoch FROM (upper(valid) AT TIME ZONE 'UTC'::text)) * (1000000)::numeric) - (1)::numeric))::double precision)) WITH &&);


--
-- Name: symbol_history symbol_history_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.symbol_history
    ADD CONSTRAINT symbol_history_pkey PRIMARY KEY (symbol_id, spec_version);


--
-- Name: symbol_imports symbol_imports_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.symbol_imports
    ADD CONSTRAINT symbol_imports_pkey PRIMARY KEY (id);


--
-- Name: symbol_lists symbol_lists_list_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.symbol_lists
    ADD CONSTRAINT symbol_lists_list_key UNIQUE NULLS NOT DISTINCT (exchange_id, kind, settle, underlying);


--
-- Name: symbol_lists symbol_lists_no_overlap; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.symbol_lists
    ADD CONSTRAINT symbol_lists_no_overlap EXCLUDE USING gist (int4range((exchange_id)::integer, (exchange_id)::integer, '[]'::text) WITH &&, int8range(hashtextextended(kind, (0)::bigint), hashtextextended(kind, (0)::bigint), '[]'::text) WITH &&, int8range(hashtextextended(settle, (0)::bigint), hashtextextended(settle, (0)::bigint), '[]'::text) WITH &&, int8range(hashtextextended(underlying, (0)::bigint), hashtextextended(underlying, (0)::bigint), '[]'::text) WITH &&);


--
-- Name: symbol_lists symbol_lists_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.symbol_lists
    ADD CONSTRAINT symbol_lists_pkey PRIMARY KEY (id);


--
-- Name: symbol_raw symbol_raw_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.symbol_raw
    ADD CONSTRAINT symbol_raw_pkey PRIMARY KEY (symbol_id);


--
-- Name: symbols symbols_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.symbols
    ADD CONSTRAINT symbols_pkey PRIMARY KEY (id);


--
-- Name: idx_exchange_history_enum_value; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_exchange_history_enum_value ON public.exchange_history USING btree (((new_row ->> 'enum_value'::text)), changed_at);


--
-- Name: idx_exchange_history_exchange; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_exchange_history_exchange ON public.exchange_history USING btree (exchange_id, changed_at, id);


--
-- Name: idx_exchanges_active; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_exchanges_active ON public.exchanges USING btree (is_active) WHERE (is_active = true);


--
-- Name: idx_exchanges_market_type; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_exchanges_market_type ON public.exchanges USING btree (market_type);


--
-- Name: idx_hold_history_held; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_hold_history_held ON public.hold_history USING btree (exchange_id, native_symbol, held_at);


--
-- Name: idx_registry_changes_epoch; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_registry_changes_epoch ON public.registry_changes USING btree (epoch) WHERE (epoch IS NOT NULL);


--
-- Name: idx_registry_changes_transaction; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_registry_changes_transaction ON public.registry_changes USING btree (transaction_id);


--
-- Name: idx_symbol_doubts_symbol; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbol_doubts_symbol ON public.symbol_doubts USING btree (symbol_id, since);


--
-- Name: idx_symbol_history_began; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbol_history_began ON public.symbol_history USING btree (exchange_id, lower(valid)) WHERE ((spec_version = 1) OR (lower(valid) = created_at));


--
-- Name: idx_symbol_history_exchange; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbol_history_exchange ON public.symbol_history USING btree (exchange_id, upper(valid));


--
-- Name: idx_symbol_history_native_symbol; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbol_history_native_symbol ON public.symbol_history USING btree (exchange_id, native_symbol) WHERE (operation <> 'UPDATE'::text);


--
-- Name: idx_symbol_history_symbol; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbol_history_symbol ON public.symbol_history USING btree (lower(symbol), exchange_id);


--
-- Name: idx_symbol_imports_exchange; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbol_imports_exchange ON public.symbol_imports USING btree (exchange_id, ended_at, id);


--
-- Name: idx_symbol_imports_moment; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbol_imports_moment ON public.symbol_imports USING btree (exchange_id, moment) WHERE (moment IS NOT NULL);


--
-- Name: idx_symbols_native_symbol; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbols_native_symbol ON public.symbols USING btree (exchange_id, native_symbol);


--
-- Name: idx_symbols_symbol; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbols_symbol ON public.symbols USING btree (symbol, exchange_id);


--
-- Name: symbol_doubts_open_key; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX symbol_doubts_open_key ON public.symbol_doubts USING btree (symbol_id) WHERE (ended_at IS NULL);


--
-- Name: symbols_live_native_symbol_key; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX symbols_live_native_symbol_key ON public.symbols USING btree (exchange_id, native_symbol) WHERE is_live;


--
-- Name: account_fees account_fees_note_insert; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER account_fees_note_insert AFTER INSERT ON public.account_fees REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('FEES', 'exchange_id');

ALTER TABLE public.account_fees ENABLE ALWAYS TRIGGER account_fees_note_insert;


--
-- Name: account_fees account_fees_refuse; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER account_fees_refuse BEFORE DELETE OR UPDATE OR TRUNCATE ON public.account_fees FOR EACH STATEMENT EXECUTE FUNCTION public.account_fees_refuse();

ALTER TABLE public.account_fees ENABLE ALWAYS TRIGGER account_fees_refuse;


--
-- Name: account_fees account_fees_stamp; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER account_fees_stamp BEFORE INSERT ON public.account_fees FOR EACH ROW EXECUTE FUNCTION public.account_fees_stamp();

ALTER TABLE public.account_fees ENABLE ALWAYS TRIGGER account_fees_stamp;


--
-- Name: exchange_history exchange_history_record_prune; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER exchange_history_record_prune AFTER DELETE ON public.exchange_history REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.history_record_prune();

ALTER TABLE public.exchange_history ENABLE ALWAYS TRIGGER exchange_history_record_prune;


--
-- Name: exchange_history exchange_history_refuse; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER exchange_history_refuse BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.exchange_history FOR EACH STATEMENT EXECUTE FUNCTION public.history_refuse();

ALTER TABLE public.exchange_history ENABLE ALWAYS TRIGGER exchange_history_refuse;


--
-- Name: exchanges exchanges_note_delete; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER exchanges_note_delete AFTER DELETE ON public.exchanges REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('EXCHANGES', 'id');

ALTER TABLE public.exchanges ENABLE ALWAYS TRIGGER exchanges_note_delete;


--
-- Name: exchanges exchanges_note_insert; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER exchanges_note_insert AFTER INSERT ON public.exchanges REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('EXCHANGES', 'id');

ALTER TABLE public.exchanges ENABLE ALWAYS TRIGGER exchanges_note_insert;


--
-- Name: exchanges exchanges_note_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER exchanges_note_truncate AFTER TRUNCATE ON public.exchanges FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_truncate();

ALTER TABLE public.exchanges ENABLE ALWAYS TRIGGER exchanges_note_truncate;


--
-- Name: exchanges exchanges_note_update; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER exchanges_note_update AFTER UPDATE ON public.exchanges REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_updated_rows('EXCHANGES', 'id');

ALTER TABLE public.exchanges ENABLE ALWAYS TRIGGER exchanges_note_update;


--
-- Name: exchanges exchanges_record_change; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER exchanges_record_change AFTER INSERT OR DELETE OR UPDATE ON public.exchanges FOR EACH ROW EXECUTE FUNCTION public.exchanges_record_change();

ALTER TABLE public.exchanges ENABLE ALWAYS TRIGGER exchanges_record_change;


--
-- Name: exchanges exchanges_record_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER exchanges_record_truncate BEFORE TRUNCATE ON public.exchanges FOR EACH STATEMENT EXECUTE FUNCTION public.exchanges_record_truncate();

ALTER TABLE public.exchanges ENABLE ALWAYS TRIGGER exchanges_record_truncate;


--
-- Name: exchanges exchanges_stamp; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER exchanges_stamp BEFORE INSERT OR UPDATE ON public.exchanges FOR EACH ROW EXECUTE FUNCTION public.exchanges_stamp();

ALTER TABLE public.exchanges ENABLE ALWAYS TRIGGER exchanges_stamp;


--
-- Name: history_prunes history_prunes_refuse; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER history_prunes_refuse BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.history_prunes FOR EACH STATEMENT EXECUTE FUNCTION public.history_refuse();

ALTER TABLE public.history_prunes ENABLE ALWAYS TRIGGER history_prunes_refuse;


--
-- Name: hold_history hold_history_record_prune; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER hold_history_record_prune AFTER DELETE ON public.hold_history REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.history_record_prune();

ALTER TABLE public.hold_history ENABLE ALWAYS TRIGGER hold_history_record_prune;


--
-- Name: hold_history hold_history_refuse; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER hold_history_refuse BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.hold_history FOR EACH STATEMENT EXECUTE FUNCTION public.history_refuse();

ALTER TABLE public.hold_history ENABLE ALWAYS TRIGGER hold_history_refuse;


--
-- Name: holds holds_note_delete; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER holds_note_delete AFTER DELETE ON public.holds REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('HOLDS', 'exchange_id');

ALTER TABLE public.holds ENABLE ALWAYS TRIGGER holds_note_delete;


--
-- Name: holds holds_note_insert; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER holds_note_insert AFTER INSERT ON public.holds REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('HOLDS', 'exchange_id');

ALTER TABLE public.holds ENABLE ALWAYS TRIGGER holds_note_insert;


--
-- Name: holds holds_note_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER holds_note_truncate AFTER TRUNCATE ON public.holds FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_truncate();

ALTER TABLE public.holds ENABLE ALWAYS TRIGGER holds_note_truncate;


--
-- Name: holds holds_note_update; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER holds_note_update AFTER UPDATE ON public.holds REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_updated_rows('HOLDS', 'exchange_id');

ALTER TABLE public.holds ENABLE ALWAYS TRIGGER holds_note_update;


--
-- Name: holds holds_record_end; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER holds_record_end AFTER DELETE OR UPDATE ON public.holds FOR EACH ROW EXECUTE FUNCTION public.holds_record_end();

ALTER TABLE public.holds ENABLE ALWAYS TRIGGER holds_record_end;


--
-- Name: holds holds_record_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER holds_record_truncate BEFORE TRUNCATE ON public.holds FOR EACH STATEMENT EXECUTE FUNCTION public.holds_record_truncate();

ALTER TABLE public.holds ENABLE ALWAYS TRIGGER holds_record_truncate;


--
-- Name: holds holds_stamp; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER holds_stamp BEFORE INSERT OR UPDATE ON public.holds FOR EACH ROW EXECUTE FUNCTION public.holds_stamp();

ALTER TABLE public.holds ENABLE ALWAYS TRIGGER holds_stamp;


--
-- Name: registry_changes registry_changes_stamp; Type: TRIGGER; Schema: public; Owner: -
--

CREATE CONSTRAINT TRIGGER registry_changes_stamp AFTER INSERT ON public.registry_changes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.registry_stamp();

ALTER TABLE public.registry_changes ENABLE ALWAYS TRIGGER registry_changes_stamp;


--
-- Name: symbol_doubts symbol_doubts_note_delete; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_doubts_note_delete AFTER DELETE ON public.symbol_doubts REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('SYMBOLS', 'symbol_id');

ALTER TABLE public.symbol_doubts ENABLE ALWAYS TRIGGER symbol_doubts_note_delete;


--
-- Name: symbol_doubts symbol_doubts_note_insert; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_doubts_note_insert AFTER INSERT ON public.symbol_doubts REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('SYMBOLS', 'symbol_id');

ALTER TABLE public.symbol_doubts ENABLE ALWAYS TRIGGER symbol_doubts_note_insert;


--
-- Name: symbol_doubts symbol_doubts_note_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_doubts_note_truncate AFTER TRUNCATE ON public.symbol_doubts FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_truncate();

ALTER TABLE public.symbol_doubts ENABLE ALWAYS TRIGGER symbol_doubts_note_truncate;


--
-- Name: symbol_doubts symbol_doubts_note_update; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_doubts_note_update AFTER UPDATE ON public.symbol_doubts REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_updated_rows('SYMBOLS', 'symbol_id');

ALTER TABLE public.symbol_doubts ENABLE ALWAYS TRIGGER symbol_doubts_note_update;


--
-- Name: symbol_doubts symbol_doubts_record_prune; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_doubts_record_prune AFTER DELETE ON public.symbol_doubts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT WHEN ((COALESCE(current_setting('exchanges_db.prune_before'::text, true), ''::text) <> ''::text)) EXECUTE FUNCTION public.history_record_prune();

ALTER TABLE public.symbol_doubts ENABLE ALWAYS TRIGGER symbol_doubts_record_prune;


--
-- Name: symbol_doubts symbol_doubts_stamp; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_doubts_stamp BEFORE INSERT OR UPDATE ON public.symbol_doubts FOR EACH ROW EXECUTE FUNCTION public.symbol_doubts_stamp();

ALTER TABLE public.symbol_doubts ENABLE ALWAYS TRIGGER symbol_doubts_stamp;


--
-- Name: symbol_history symbol_history_record_prune; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_history_record_prune AFTER DELETE ON public.symbol_history REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.history_record_prune();

ALTER TABLE public.symbol_history ENABLE ALWAYS TRIGGER symbol_history_record_prune;


--
-- Name: symbol_history symbol_history_refuse; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_history_refuse BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.symbol_history FOR EACH STATEMENT EXECUTE FUNCTION public.history_refuse();

ALTER TABLE public.symbol_history ENABLE ALWAYS TRIGGER symbol_history_refuse;


--
-- Name: symbol_imports symbol_imports_record_prune; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_imports_record_prune AFTER DELETE ON public.symbol_imports REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.history_record_prune();

ALTER TABLE public.symbol_imports ENABLE ALWAYS TRIGGER symbol_imports_record_prune;


--
-- Name: symbol_imports symbol_imports_refuse; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_imports_refuse BEFORE DELETE OR UPDATE OR TRUNCATE ON public.symbol_imports FOR EACH STATEMENT EXECUTE FUNCTION public.symbol_imports_refuse();

ALTER TABLE public.symbol_imports ENABLE ALWAYS TRIGGER symbol_imports_refuse;


--
-- Name: symbol_imports symbol_imports_stamp; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_imports_stamp BEFORE INSERT ON public.symbol_imports FOR EACH ROW EXECUTE FUNCTION public.symbol_imports_stamp();

ALTER TABLE public.symbol_imports ENABLE ALWAYS TRIGGER symbol_imports_stamp;


--
-- Name: symbol_lists symbol_lists_note_delete; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_lists_note_delete AFTER DELETE ON public.symbol_lists REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('LISTS', 'exchange_id');

ALTER TABLE public.symbol_lists ENABLE ALWAYS TRIGGER symbol_lists_note_delete;


--
-- Name: symbol_lists symbol_lists_note_insert; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_lists_note_insert AFTER INSERT ON public.symbol_lists REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('LISTS', 'exchange_id');

ALTER TABLE public.symbol_lists ENABLE ALWAYS TRIGGER symbol_lists_note_insert;


--
-- Name: symbol_lists symbol_lists_note_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_lists_note_truncate AFTER TRUNCATE ON public.symbol_lists FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_truncate();

ALTER TABLE public.symbol_lists ENABLE ALWAYS TRIGGER symbol_lists_note_truncate;


--
-- Name: symbol_lists symbol_lists_note_update; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_lists_note_update AFTER UPDATE ON public.symbol_lists REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_updated_rows('LISTS', 'exchange_id');

ALTER TABLE public.symbol_lists ENABLE ALWAYS TRIGGER symbol_lists_note_update;


--
-- Name: symbols symbols_note_delete; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbols_note_delete AFTER DELETE ON public.symbols REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_symbols();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_note_delete;


--
-- Name: symbols symbols_note_insert; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbols_note_insert AFTER INSERT ON public.symbols REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_symbols();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_note_insert;


--
-- Name: symbols symbols_note_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbols_note_truncate AFTER TRUNCATE ON public.symbols FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_truncate();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_note_truncate;


--
-- Name: symbols symbols_note_update; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbols_note_update AFTER UPDATE ON public.symbols REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_symbol_updates();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_note_update;


--
-- Name: symbols symbols_prepare_insert; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbols_prepare_insert BEFORE INSERT ON public.symbols FOR EACH STATEMENT EXECUTE FUNCTION public.symbols_prepare_insert();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_prepare_insert;


--
-- Name: symbols symbols_record_delete; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbols_record_delete AFTER DELETE ON public.symbols REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.symbols_record_delete();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_record_delete;


--
-- Name: symbols symbols_record_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbols_record_truncate BEFORE TRUNCATE ON public.symbols FOR EACH STATEMENT EXECUTE FUNCTION public.symbols_record_truncate();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_record_truncate;


--
-- Name: symbols symbols_record_update; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbols_record_update AFTER UPDATE ON public.symbols REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.symbols_record_update();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_record_update;


--
-- Name: symbols symbols_refuse_used_id; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbols_refuse_used_id AFTER INSERT ON public.symbols REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.symbols_continue_history();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_refuse_used_id;


--
-- Name: symbols symbols_stamp; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbols_stamp BEFORE UPDATE ON public.symbols FOR EACH ROW EXECUTE FUNCTION public.symbols_stamp();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_stamp;


--
-- Name: symbols symbols_stamp_insert; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbols_stamp_insert BEFORE INSERT ON public.symbols FOR EACH ROW WHEN (((new.spec_version <> 1) OR (new.created_at <> new.updated_at) OR (new.updated_at IS DISTINCT FROM (NULLIF(current_setting('exchanges_db.moment'::text, true), ''::text))::timestamp with time zone) OR (new.updated_at < now()) OR (new.updated_at >= (statement_timestamp() + '1 day'::interval)))) EXECUTE FUNCTION public.symbols_stamp();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_stamp_insert;


--
-- Name: holds holds_exchange_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.holds
    ADD CONSTRAINT holds_exchange_id_fkey FOREIGN KEY (exchange_id) REFERENCES public.exchanges(id) ON DELETE CASCADE;


--
-- Name: symbol_lists symbol_lists_exchange_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.symbol_lists
    ADD CONSTRAINT symbol_lists_exchange_id_fkey FOREIGN KEY (exchange_id) REFERENCES public.exchanges(id) ON DELETE CASCADE;


--
-- Name: symbols symbols_exchange_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.symbols
    ADD CONSTRAINT symbols_exchange_id_fkey FOREIGN KEY (exchange_id) REFERENCES public.exchanges(id) ON DELETE RESTRICT;


--
-- PostgreSQL database dump complete
--

\unrestrict dbmate


--
-- Dbmate schema migrations
--

INSERT INTO public.schema_migrations (version) VALUES
    ('002'),
    ('003'),
    ('004'),
    ('005'),
    ('006'),
    ('007'),
    ('008'),
    ('009'),
    ('010'),
    ('011'),
    ('012'),
    ('013');
