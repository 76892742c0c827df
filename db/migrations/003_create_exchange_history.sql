-- Migration 003: the audit trail of the exchanges table, and the version that optimistic concurrency rests on.
--
-- Every function pins its search_path and qualifies every name: exchanges_record_* run with the owner's rights,
-- and without the pin a temporary table called exchange_history would catch their rows.

-- migrate:up
SET LOCAL lock_timeout = '200ms';
-- Before all else, so that the down part knows whose transaction it is in.
DO $$ BEGIN PERFORM set_config('exchanges_db.direction', 'up', true); END $$;

DO $$
DECLARE
    taken text;
BEGIN
    SELECT string_agg('public.' || own.name, ', ' ORDER BY own.name) INTO taken
    FROM (VALUES ('exchange_history')) AS own (name)
    WHERE to_regclass('public.' || own.name) IS NOT NULL;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION '% is there already and was not made by migration 003 of exchanges_db: rename or move it, or give exchanges_db a database of its own', taken
            USING ERRCODE = 'duplicate_table';
    END IF;
END
$$;

ALTER TABLE public.exchanges
    ADD COLUMN version INTEGER NOT NULL DEFAULT 1,
    ADD CONSTRAINT exchanges_version_positive CHECK (version > 0);

COMMENT ON COLUMN public.exchanges.version IS 'Raised by the database on every change; what update_exchange(if_version=) compares';
COMMENT ON COLUMN public.exchanges.updated_at IS 'Set by the database on every change; strictly rising per row';

CREATE TABLE public.exchange_history (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    exchange_id SMALLINT NOT NULL,
    version INTEGER NOT NULL,
    operation VARCHAR(10) NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    changed_by TEXT NOT NULL,
    application_name TEXT NOT NULL,
    changed_columns TEXT[] NOT NULL,
    old_row JSONB,
    new_row JSONB,
    CONSTRAINT exchange_history_pkey PRIMARY KEY (id),
    CONSTRAINT exchange_history_operation_known
        CHECK (operation::text IN ('SNAPSHOT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')),
    CONSTRAINT exchange_history_rows_fit_operation
        CHECK ((old_row IS NULL) = (operation::text IN ('SNAPSHOT', 'INSERT'))
           AND (new_row IS NULL) = (operation::text IN ('DELETE', 'TRUNCATE')))
);

-- Serves both questions: all changes of one exchange, and the last one at or before a time.
CREATE INDEX idx_exchange_history_exchange ON public.exchange_history (exchange_id, changed_at, id);

COMMENT ON TABLE public.exchange_history IS 'Audit trail of exchanges: who changed what and when. Written by trigger, append-only';
COMMENT ON COLUMN public.exchange_history.operation IS 'INSERT, UPDATE, DELETE, TRUNCATE, or SNAPSHOT for a row older than its history';
COMMENT ON COLUMN public.exchange_history.changed_at IS 'From when on the new row holds; rises strictly per exchange';
COMMENT ON COLUMN public.exchange_history.changed_by IS 'session_user: who logged in, whatever role was taken on later';
COMMENT ON COLUMN public.exchange_history.changed_columns IS 'Columns whose value differs, without version and updated_at; empty unless UPDATE';

-- Rows that are older than their history: known since their last change. Times in the rows are written in UTC.
DO $$
BEGIN
    PERFORM set_config('timezone', 'UTC', true);
    INSERT INTO public.exchange_history
        (exchange_id, version, operation, changed_at, changed_by, application_name, changed_columns, new_row)
    SELECT e.id, e.version, 'SNAPSHOT', e.updated_at, session_user::text,
           current_setting('application_name'), '{}', to_jsonb(e)
    FROM public.exchanges AS e
    ORDER BY e.id;
END
$$;

CREATE FUNCTION public.exchanges_stamp() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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

CREATE FUNCTION public.exchanges_record_change() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
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

CREATE FUNCTION public.exchanges_record_truncate() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
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

-- For this history and for those of later migrations.
CREATE FUNCTION public.history_refuse() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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

-- Nobody but the triggers below may run these: PUBLIC could otherwise hang them on a table of its own.
REVOKE ALL ON FUNCTION public.exchanges_stamp() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.exchanges_record_change() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.exchanges_record_truncate() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.history_refuse() FROM PUBLIC;

CREATE TRIGGER exchanges_stamp BEFORE INSERT OR UPDATE ON public.exchanges
    FOR EACH ROW EXECUTE FUNCTION public.exchanges_stamp();
CREATE TRIGGER exchanges_record_change AFTER INSERT OR UPDATE OR DELETE ON public.exchanges
    FOR EACH ROW EXECUTE FUNCTION public.exchanges_record_change();
CREATE TRIGGER exchanges_record_truncate BEFORE TRUNCATE ON public.exchanges
    FOR EACH STATEMENT EXECUTE FUNCTION public.exchanges_record_truncate();
CREATE TRIGGER exchange_history_refuse BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.exchange_history
    FOR EACH STATEMENT EXECUTE FUNCTION public.history_refuse();

-- ALWAYS: also where session_replication_role = 'replica' switches ordinary triggers off.
ALTER TABLE public.exchanges ENABLE ALWAYS TRIGGER exchanges_stamp;
ALTER TABLE public.exchanges ENABLE ALWAYS TRIGGER exchanges_record_change;
ALTER TABLE public.exchanges ENABLE ALWAYS TRIGGER exchanges_record_truncate;
ALTER TABLE public.exchange_history ENABLE ALWAYS TRIGGER exchange_history_refuse;

-- migrate:down
SET LOCAL lock_timeout = '200ms';
-- One statement that undoes nothing unless dbmate runs it. Another program runs this file from end to end: then the up
-- part stands in the same transaction, or this statement has a transaction of its own; dbmate begins one before it.
DO $$
BEGIN
    IF current_setting('exchanges_db.direction', true) = 'up' OR transaction_timestamp() = statement_timestamp() THEN
        RAISE WARNING 'migration 003 was not undone: only dbmate runs its down part, by dbmate rollback';
        RETURN;
    END IF;
    DROP TRIGGER exchanges_record_truncate ON public.exchanges;
    DROP TRIGGER exchanges_record_change ON public.exchanges;
    DROP TRIGGER exchanges_stamp ON public.exchanges;
    DROP TABLE public.exchange_history;
    DROP FUNCTION public.history_refuse();
    DROP FUNCTION public.exchanges_record_truncate();
    DROP FUNCTION public.exchanges_record_change();
    DROP FUNCTION public.exchanges_stamp();
    COMMENT ON COLUMN public.exchanges.updated_at IS NULL;
    ALTER TABLE public.exchanges DROP COLUMN version;
END
$$;
