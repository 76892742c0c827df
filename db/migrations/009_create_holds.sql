-- Migration 009: a person's word: holds, which no import undoes.
--
-- A hold goes by the exchange's own name of a symbol and not by its id: a symbol that is delisted and listed anew, or
-- whose name is given to another coin, is held still. One row for each that holds; those that ended are in hold_history.

-- migrate:up
SET LOCAL lock_timeout = '200ms';
-- Before all else, so that the down part knows whose transaction it is in.
DO $$ BEGIN PERFORM set_config('exchanges_db.direction', 'up', true); END $$;

-- psql goes on after an error, unless it is told not to: where this file was applied before, or one of its names is taken,
-- nothing more is written in this session.
DO $$
BEGIN
    IF to_regclass('public.holds') IS NOT NULL OR to_regclass('public.hold_history') IS NOT NULL THEN
        PERFORM set_config('default_transaction_read_only', 'on', false), set_config('transaction_read_only', 'on', false);
    END IF;
END
$$;

DO $$
DECLARE
    taken text;
BEGIN
    SELECT string_agg('public.' || own.name, ', ' ORDER BY own.name) INTO taken
    FROM (VALUES ('holds'), ('hold_history')) AS own (name)
    WHERE to_regclass('public.' || own.name) IS NOT NULL;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION '% is there already and was not made by migration 009 of exchanges_db: rename or move it, or give exchanges_db a database of its own', taken
            USING ERRCODE = 'duplicate_table';
    END IF;
END
$$;

CREATE TABLE public.holds (
    exchange_id SMALLINT NOT NULL,
    native_symbol TEXT,
    sides TEXT NOT NULL,
    reason TEXT NOT NULL,
    until_at TIMESTAMPTZ,
    held_at TIMESTAMPTZ NOT NULL,
    held_by TEXT NOT NULL,
    application_name TEXT NOT NULL,
    CONSTRAINT holds_exchange_id_fkey FOREIGN KEY (exchange_id) REFERENCES public.exchanges (id) ON DELETE CASCADE,
    CONSTRAINT holds_held_key UNIQUE NULLS NOT DISTINCT (exchange_id, native_symbol),
    CONSTRAINT holds_native_symbol_printable CHECK (native_symbol <> '' AND length(native_symbol) <= 100 AND native_symbol !~ '^ | $|[\x01-\x1f\x7f]'),
    CONSTRAINT holds_reason_printable CHECK (reason <> '' AND length(reason) <= 500 AND reason !~ '^ | $|[\x01-\x1f\x7f]'),
    CONSTRAINT holds_sides_known CHECK (sides IN ('ALL', 'BUY', 'SELL')),
    CONSTRAINT holds_until_at_is_date CHECK (until_at AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND until_at AT TIME ZONE 'UTC' < '9999-12-31'::timestamp)
);

COMMENT ON TABLE public.holds IS 'What a person has forbidden to trade, whatever the exchange says';
COMMENT ON COLUMN public.holds.native_symbol IS 'NULL: the whole exchange';
COMMENT ON COLUMN public.holds.sides IS 'Which orders are held';
COMMENT ON COLUMN public.holds.until_at IS 'It holds up to then; NULL: until it is released';
COMMENT ON COLUMN public.holds.held_at IS 'Stamped by the database; rises strictly per exchange and symbol';
COMMENT ON COLUMN public.holds.held_by IS 'session_user: who logged in, whatever role was taken on later';

CREATE TABLE public.hold_history (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    exchange_id SMALLINT NOT NULL,
    native_symbol TEXT,
    sides TEXT NOT NULL,
    reason TEXT NOT NULL,
    until_at TIMESTAMPTZ,
    held_at TIMESTAMPTZ NOT NULL,
    held_by TEXT NOT NULL,
    application_name TEXT NOT NULL,
    ended_at TIMESTAMPTZ NOT NULL,
    operation TEXT NOT NULL,
    ended_by TEXT NOT NULL,
    ended_application_name TEXT NOT NULL,
    ended_reason TEXT,
    CONSTRAINT hold_history_pkey PRIMARY KEY (id),
    CONSTRAINT hold_history_operation_known CHECK (operation IN ('UPDATE', 'DELETE', 'TRUNCATE')),
    CONSTRAINT hold_history_ends_after_held CHECK (ended_at > held_at)
);

CREATE INDEX idx_hold_history_held ON public.hold_history (exchange_id, native_symbol, held_at);

COMMENT ON TABLE public.hold_history IS 'Holds that ended: replaced by another one, or released. Written by trigger, append-only';
COMMENT ON COLUMN public.hold_history.operation IS 'UPDATE: replaced; DELETE, TRUNCATE: released';
COMMENT ON COLUMN public.hold_history.ended_reason IS 'Of whoever released it, where one was given';

CREATE FUNCTION public.holds_stamp() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
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

-- Why one is released stands in a setting of the transaction: a DELETE has no place for it.
CREATE FUNCTION public.holds_record_end() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
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

CREATE FUNCTION public.holds_record_truncate() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
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

-- PUBLIC could otherwise hang them on a table of its own.
REVOKE ALL ON FUNCTION public.holds_stamp() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.holds_record_end() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.holds_record_truncate() FROM PUBLIC;

CREATE TRIGGER holds_stamp BEFORE INSERT OR UPDATE ON public.holds
    FOR EACH ROW EXECUTE FUNCTION public.holds_stamp();
CREATE TRIGGER holds_record_end AFTER UPDATE OR DELETE ON public.holds
    FOR EACH ROW EXECUTE FUNCTION public.holds_record_end();
CREATE TRIGGER holds_record_truncate BEFORE TRUNCATE ON public.holds
    FOR EACH STATEMENT EXECUTE FUNCTION public.holds_record_truncate();
CREATE TRIGGER hold_history_refuse BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.hold_history
    FOR EACH STATEMENT EXECUTE FUNCTION public.history_refuse();
CREATE TRIGGER hold_history_record_prune AFTER DELETE ON public.hold_history
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.history_record_prune();

-- ALWAYS: also where session_replication_role = 'replica' switches ordinary triggers off.
ALTER TABLE public.holds ENABLE ALWAYS TRIGGER holds_stamp;
ALTER TABLE public.holds ENABLE ALWAYS TRIGGER holds_record_end;
ALTER TABLE public.holds ENABLE ALWAYS TRIGGER holds_record_truncate;
ALTER TABLE public.hold_history ENABLE ALWAYS TRIGGER hold_history_refuse;
ALTER TABLE public.hold_history ENABLE ALWAYS TRIGGER hold_history_record_prune;

-- migrate:down
SET LOCAL lock_timeout = '200ms';
-- One statement that undoes nothing unless dbmate runs it. Another program runs this file from end to end: then the up
-- part stands in the same transaction, or this statement has a transaction of its own; dbmate begins one before it.
DO $down$
BEGIN
    IF current_setting('exchanges_db.direction', true) = 'up' OR transaction_timestamp() = statement_timestamp() THEN
        RAISE WARNING 'migration 009 was not undone: only dbmate runs its down part, by dbmate rollback';
        RETURN;
    END IF;
    DROP TABLE public.hold_history;
    DROP TABLE public.holds;
    DROP FUNCTION public.holds_record_truncate();
    DROP FUNCTION public.holds_record_end();
    DROP FUNCTION public.holds_stamp();
END
$down$;
