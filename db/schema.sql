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
-- Name: history_refuse(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.history_refuse() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    -- Depth 1 is a statement of a user, depth 2 one of the triggers that write the history.
    IF TG_OP = 'INSERT' AND pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only and written by trigger: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;


--
-- Name: symbols_record_delete(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbols_record_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
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


--
-- Name: symbols_record_truncate(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbols_record_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
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


--
-- Name: symbols_record_update(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbols_record_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
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


--
-- Name: symbols_refuse_used_id(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbols_refuse_used_id() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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


--
-- Name: symbols_stamp(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.symbols_stamp() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
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


SET default_tablespace = '';

SET default_table_access_method = heap;

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
-- Name: schema_migrations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_migrations (
    version character varying NOT NULL
);


--
-- Name: symbol_history; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.symbol_history (
    symbol_id integer NOT NULL,
    exchange_id smallint NOT NULL,
    spec_version integer NOT NULL,
    valid tstzrange NOT NULL,
    spec jsonb NOT NULL,
    operation text NOT NULL,
    ended_by text NOT NULL,
    application_name text NOT NULL,
    CONSTRAINT symbol_history_operation_known CHECK ((operation = ANY (ARRAY['UPDATE'::text, 'DELETE'::text, 'TRUNCATE'::text]))),
    CONSTRAINT symbol_history_valid_closed CHECK (((NOT isempty(valid)) AND (NOT lower_inf(valid)) AND (NOT upper_inf(valid))))
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
-- Name: COLUMN symbol_history.spec; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_history.spec IS 'The row of symbols as it was; one of before migration 006 has the names of then';


--
-- Name: COLUMN symbol_history.ended_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_history.ended_by IS 'session_user of the change that ended it';


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
    unread integer[] DEFAULT '{}'::integer[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT symbol_lists_kind_known CHECK ((kind = ANY (ARRAY['SPOT'::text, 'PERPETUAL'::text, 'FUTURE'::text, 'OPTION'::text]))),
    CONSTRAINT symbol_lists_observed_at_is_date CHECK (((date_part('year'::text, (observed_at AT TIME ZONE 'UTC'::text)) >= (1)::double precision) AND (date_part('year'::text, (observed_at AT TIME ZONE 'UTC'::text)) <= (9999)::double precision))),
    CONSTRAINT symbol_lists_parts_fit_kind CHECK ((((settle IS NULL) OR (kind <> 'SPOT'::text)) AND ((underlying IS NULL) OR (kind = 'OPTION'::text)))),
    CONSTRAINT symbol_lists_settle_printable CHECK (((settle <> ''::text) AND (length(settle) <= 50) AND (settle !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbol_lists_source_printable CHECK (((source <> ''::text) AND (length(source) <= 100) AND (source !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbol_lists_underlying_printable CHECK (((underlying <> ''::text) AND (length(underlying) <= 101) AND (underlying !~ '^ | $|[\x01-\x1f\x7f]'::text)))
);


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
-- Name: COLUMN symbol_lists.unread; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_lists.unread IS 'Ids of symbols whose row in that list could not be read';


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
);


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
-- Name: symbols; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.symbols (
    id integer NOT NULL,
    exchange_id smallint NOT NULL,
    native_symbol text NOT NULL,
    symbol text NOT NULL,
    base text NOT NULL,
    quote text NOT NULL,
    settle text,
    kind text NOT NULL,
    direction text,
    contract_size numeric,
    price_tick numeric NOT NULL,
    quantity_step numeric NOT NULL,
    price_decimals smallint GENERATED ALWAYS AS (min_scale(price_tick)) STORED,
    quantity_decimals smallint GENERATED ALWAYS AS (min_scale(quantity_step)) STORED,
    min_quantity numeric,
    max_quantity numeric,
    min_notional numeric,
    max_notional numeric,
    list_maker_fee numeric,
    list_taker_fee numeric,
    status text NOT NULL,
    is_live boolean GENERATED ALWAYS AS ((status <> ALL (ARRAY['DELISTED'::text, 'EXPIRED'::text]))) STORED NOT NULL,
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
    CONSTRAINT symbols_settle_printable CHECK (((settle <> ''::text) AND (length(settle) <= 50) AND (settle !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbols_sides_known CHECK ((sides = ANY (ARRAY['ALL'::text, 'BUY'::text, 'SELL'::text, 'NONE'::text]))),
    CONSTRAINT symbols_source_printable CHECK (((source <> ''::text) AND (length(source) <= 100) AND (source !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbols_spec_version_positive CHECK ((spec_version > 0)),
    CONSTRAINT symbols_status_known CHECK ((status = ANY (ARRAY['PRELAUNCH'::text, 'TRADING'::text, 'HALTED'::text, 'CLOSE_ONLY'::text, 'DELISTING'::text, 'DELISTED'::text, 'EXPIRED'::text]))),
    CONSTRAINT symbols_strike_positive CHECK (((strike > (0)::numeric) AND (strike < 'Infinity'::numeric))),
    CONSTRAINT symbols_symbol_printable CHECK (((symbol <> ''::text) AND (length(symbol) <= 200) AND (symbol !~ '^ | $|[\x01-\x1f\x7f]'::text))),
    CONSTRAINT symbols_times_are_dates CHECK (((date_part('year'::text, (buy_opens_at AT TIME ZONE 'UTC'::text)) >= (1)::double precision) AND (date_part('year'::text, (buy_opens_at AT TIME ZONE 'UTC'::text)) <= (9999)::double precision) AND (date_part('year'::text, (sell_opens_at AT TIME ZONE 'UTC'::text)) >= (1)::double precision) AND (date_part('year'::text, (sell_opens_at AT TIME ZONE 'UTC'::text)) <= (9999)::double precision) AND (date_part('year'::text, (delisting_at AT TIME ZONE 'UTC'::text)) >= (1)::double precision) AND (date_part('year'::text, (delisting_at AT TIME ZONE 'UTC'::text)) <= (9999)::double precision) AND (date_part('year'::text, (delisted_at AT TIME ZONE 'UTC'::text)) >= (1)::double precision) AND (date_part('year'::text, (delisted_at AT TIME ZONE 'UTC'::text)) <= (9999)::double precision) AND (date_part('year'::text, (expires_at AT TIME ZONE 'UTC'::text)) >= (1)::double precision) AND (date_part('year'::text, (expires_at AT TIME ZONE 'UTC'::text)) <= (9999)::double precision) AND (date_part('year'::text, (exchange_changed_at AT TIME ZONE 'UTC'::text)) >= (1)::double precision) AND (date_part('year'::text, (exchange_changed_at AT TIME ZONE 'UTC'::text)) <= (9999)::double precision) AND (date_part('year'::text, (observed_at AT TIME ZONE 'UTC'::text)) >= (1)::double precision) AND (date_part('year'::text, (observed_at AT TIME ZONE 'UTC'::text)) <= (9999)::double precision)))
);


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
    COALESCE((s.id = ANY (l.unread)), false) AS is_unread,
    e.is_active AS exchange_is_active,
    statement_timestamp() AS asked_at
   FROM ((public.symbols s
     JOIN public.exchanges e ON ((e.id = s.exchange_id)))
     LEFT JOIN public.symbol_lists l ON (((l.exchange_id = s.exchange_id) AND (l.kind = s.kind) AND ((l.settle IS NULL) OR (l.settle = s.settle)) AND ((l.underlying IS NULL) OR (l.underlying = ((s.base || '_'::text) || s.quote))))));


--
-- Name: VIEW symbol_rows; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.symbol_rows IS 'What is known of a symbol, and where it is traded: its row, when its list was last observed, and of its exchange what a caller asks for';


--
-- Name: COLUMN symbol_rows.confirmed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_rows.confirmed_at IS 'When the exchange gave the newest list that says the same';


--
-- Name: COLUMN symbol_rows.is_unread; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_rows.is_unread IS 'Its row in the newest list could not be read';


--
-- Name: COLUMN symbol_rows.asked_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.symbol_rows.asked_at IS 'The server''s clock, which decides what holds now';


--
-- Name: symbol_versions; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.symbol_versions AS
 SELECT e.enum_value AS exchange,
    s.id AS symbol_id,
    s.exchange_id,
    s.native_symbol,
    s.symbol,
    s.is_live,
    s.spec_version,
    tstzrange(s.updated_at, NULL::timestamp with time zone) AS valid,
    s.updated_at AS valid_from,
    NULL::timestamp with time zone AS valid_to,
    (to_jsonb(s.*) || jsonb_build_object('exchange', e.enum_value)) AS spec,
    NULL::text AS operation,
    NULL::text AS ended_by,
    NULL::text AS application_name
   FROM (public.symbols s
     JOIN public.exchanges e ON ((e.id = s.exchange_id)))
UNION ALL
 SELECT e.enum_value AS exchange,
    h.symbol_id,
    h.exchange_id,
    (h.spec ->> 'native_symbol'::text) AS native_symbol,
    (h.spec ->> 'symbol'::text) AS symbol,
    ((h.spec ->> 'is_live'::text))::boolean AS is_live,
    h.spec_version,
    h.valid,
    lower(h.valid) AS valid_from,
    upper(h.valid) AS valid_to,
    (
        CASE
            WHEN (h.spec ? 'maker_fee'::text) THEN ((h.spec - '{maker_fee,taker_fee,listed_at,is_active}'::text[]) || jsonb_build_object('list_maker_fee', (h.spec -> 'maker_fee'::text), 'list_taker_fee', (h.spec -> 'taker_fee'::text)))
            ELSE h.spec
        END || jsonb_build_object('exchange', e.enum_value)) AS spec,
    h.operation,
    h.ended_by,
    h.application_name
   FROM (public.symbol_history h
     JOIN public.exchanges e ON ((e.id = h.exchange_id)));


--
-- Name: VIEW symbol_versions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.symbol_versions IS 'What symbols were and are: every specification, those of symbol_history and the one that holds, with the exchange''s enum_value in it';


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
-- Name: schema_migrations schema_migrations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);


--
-- Name: symbol_history symbol_history_no_overlap; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.symbol_history
    ADD CONSTRAINT symbol_history_no_overlap EXCLUDE USING gist (int4range(symbol_id, symbol_id, '[]'::text) WITH &&, valid WITH &&);


--
-- Name: symbol_history symbol_history_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.symbol_history
    ADD CONSTRAINT symbol_history_pkey PRIMARY KEY (symbol_id, spec_version);


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
-- Name: idx_symbol_history_exchange; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbol_history_exchange ON public.symbol_history USING btree (exchange_id);


--
-- Name: idx_symbol_history_native_symbol; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbol_history_native_symbol ON public.symbol_history USING btree (((spec ->> 'native_symbol'::text)), exchange_id);


--
-- Name: idx_symbol_history_spelling; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbol_history_spelling ON public.symbol_history USING btree (lower((spec ->> 'symbol'::text)), exchange_id);


--
-- Name: idx_symbol_history_symbol; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbol_history_symbol ON public.symbol_history USING btree (((spec ->> 'symbol'::text)), exchange_id);


--
-- Name: idx_symbols_native_symbol; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbols_native_symbol ON public.symbols USING btree (exchange_id, native_symbol);


--
-- Name: idx_symbols_symbol; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_symbols_symbol ON public.symbols USING btree (symbol, exchange_id);


--
-- Name: symbols_live_native_symbol_key; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX symbols_live_native_symbol_key ON public.symbols USING btree (exchange_id, native_symbol) WHERE is_live;


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
-- Name: exchange_history exchange_history_refuse; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER exchange_history_refuse BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.exchange_history FOR EACH STATEMENT EXECUTE FUNCTION public.history_refuse();

ALTER TABLE public.exchange_history ENABLE ALWAYS TRIGGER exchange_history_refuse;


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
-- Name: symbol_history symbol_history_refuse; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbol_history_refuse BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.symbol_history FOR EACH STATEMENT EXECUTE FUNCTION public.history_refuse();

ALTER TABLE public.symbol_history ENABLE ALWAYS TRIGGER symbol_history_refuse;


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

CREATE TRIGGER symbols_refuse_used_id AFTER INSERT ON public.symbols REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.symbols_refuse_used_id();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_refuse_used_id;


--
-- Name: symbols symbols_stamp; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbols_stamp BEFORE UPDATE ON public.symbols FOR EACH ROW EXECUTE FUNCTION public.symbols_stamp();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_stamp;


--
-- Name: symbols symbols_stamp_insert; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER symbols_stamp_insert BEFORE INSERT ON public.symbols FOR EACH ROW WHEN (((new.spec_version <> 1) OR (new.created_at <> now()) OR (new.updated_at <> now()))) EXECUTE FUNCTION public.symbols_stamp();

ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_stamp_insert;


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
    ('007');
