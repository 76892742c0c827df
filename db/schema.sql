\restrict dbmate

-- Dumped from database version 18.4
-- Dumped by pg_dump version 18.4

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
-- Name: exchange_history_refuse(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.exchange_history_refuse() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    -- Depth 1 is a statement of a user, depth 2 a row written by the triggers on exchanges.
    IF TG_OP = 'INSERT' AND pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'exchange_history is append-only and written by trigger: % refused', TG_OP
        USING ERRCODE = 'insufficient_privilege';
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


SET default_tablespace = '';

SET default_table_access_method = heap;

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
-- Name: exchange_history exchange_history_refuse; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER exchange_history_refuse BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.exchange_history FOR EACH STATEMENT EXECUTE FUNCTION public.exchange_history_refuse();

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
-- PostgreSQL database dump complete
--

\unrestrict dbmate


--
-- Dbmate schema migrations
--

INSERT INTO public.schema_migrations (version) VALUES
    ('002'),
    ('003');
