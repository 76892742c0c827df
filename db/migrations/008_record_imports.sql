-- Migration 008: what is known of the lists themselves: every import that did something or failed, and which symbols are in doubt.
--
-- Ledger and histories are append-only for everybody. Only their owner may prune them, which is recorded.

-- migrate:up
SET LOCAL lock_timeout = '200ms';
-- Before all else, so that the down part knows whose transaction it is in.
DO $$ BEGIN PERFORM set_config('exchanges_db.direction', 'up', true); END $$;

-- psql goes on after an error, unless it is told not to: where this file was applied before, or one of its names is taken,
-- nothing more is written in this session.
DO $$
BEGIN
    IF to_regclass('public.symbol_imports') IS NOT NULL OR to_regclass('public.symbol_doubts') IS NOT NULL OR to_regclass('public.history_prunes') IS NOT NULL THEN
        PERFORM set_config('default_transaction_read_only', 'on', false), set_config('transaction_read_only', 'on', false);
    END IF;
END
$$;

DO $$
DECLARE
    taken text;
BEGIN
    SELECT string_agg('public.' || own.name, ', ' ORDER BY own.name) INTO taken
    FROM (VALUES ('symbol_imports'), ('symbol_doubts'), ('history_prunes')) AS own (name)
    WHERE to_regclass('public.' || own.name) IS NOT NULL;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION '% is there already and was not made by migration 008 of exchanges_db: rename or move it, or give exchanges_db a database of its own', taken
            USING ERRCODE = 'duplicate_table';
    END IF;
END
$$;

CREATE TABLE public.symbol_imports (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    exchange_id SMALLINT NOT NULL,
    exchange TEXT NOT NULL,
    kind TEXT,
    settle TEXT,
    underlying TEXT,
    outcome TEXT NOT NULL,
    observed_at TIMESTAMPTZ,
    began_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ NOT NULL,
    moment TIMESTAMPTZ,
    source TEXT,
    reader_version INTEGER,
    origin TEXT,
    payload_sha256 TEXT,
    payload_size BIGINT,
    listed_rows INTEGER,
    rejected_rows INTEGER,
    unchanged_rows INTEGER,
    changes JSONB NOT NULL DEFAULT '{}',
    brakes JSONB NOT NULL DEFAULT '[]',
    held_back JSONB NOT NULL DEFAULT '[]',
    error TEXT,
    imported_by TEXT NOT NULL,
    application_name TEXT NOT NULL,
    CONSTRAINT symbol_imports_pkey PRIMARY KEY (id),
    CONSTRAINT symbol_imports_outcome_known CHECK (outcome IN ('APPLIED', 'REFUSED', 'FAILED')),
    CONSTRAINT symbol_imports_kind_known CHECK (kind IN ('SPOT', 'PERPETUAL', 'FUTURE', 'OPTION')),
    CONSTRAINT symbol_imports_moment_fits_outcome CHECK ((outcome = 'APPLIED') = (moment IS NOT NULL)),
    CONSTRAINT symbol_imports_error_fits_outcome CHECK ((outcome = 'FAILED') = (error IS NOT NULL)),
    CONSTRAINT symbol_imports_sha256_is_hex CHECK (payload_sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT symbol_imports_counts_not_negative
        CHECK (payload_size >= 0 AND listed_rows >= 0 AND rejected_rows >= 0 AND unchanged_rows >= 0),
    CONSTRAINT symbol_imports_times_are_dates
        CHECK (observed_at AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND observed_at AT TIME ZONE 'UTC' < '9999-12-31'::timestamp
           AND began_at AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND ended_at AT TIME ZONE 'UTC' < '9999-12-31'::timestamp
           AND moment AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND moment AT TIME ZONE 'UTC' < '9999-12-31'::timestamp)
);

-- The newest of a list, and the last one up to a time.
CREATE INDEX idx_symbol_imports_exchange ON public.symbol_imports (exchange_id, ended_at, id);
-- The newest moment, which the next one follows.
CREATE INDEX idx_symbol_imports_moment ON public.symbol_imports (exchange_id, moment) WHERE moment IS NOT NULL;

COMMENT ON TABLE public.symbol_imports IS 'Every import of a list that changed something, was refused, or failed. Append-only; one that changes nothing is counted in symbol_lists';
COMMENT ON COLUMN public.symbol_imports.exchange IS 'enum_value of the exchange then';
COMMENT ON COLUMN public.symbol_imports.kind IS 'With settle and underlying, the list; NULL where an import failed before that was known';
COMMENT ON COLUMN public.symbol_imports.observed_at IS 'When the exchange gave the list';
COMMENT ON COLUMN public.symbol_imports.moment IS 'From when on its changes hold';
COMMENT ON COLUMN public.symbol_imports.source IS 'The reader, or the user''s own source';
COMMENT ON COLUMN public.symbol_imports.origin IS 'The URL or file that the payload is from';
COMMENT ON COLUMN public.symbol_imports.changes IS 'How many symbols each kind of change had';
COMMENT ON COLUMN public.symbol_imports.brakes IS 'What spoke against it: brake, reason, and whether it was allowed';
COMMENT ON COLUMN public.symbol_imports.held_back IS 'Single rows that were not believed: native_symbol, brake, reason';
COMMENT ON COLUMN public.symbol_imports.imported_by IS 'session_user: who logged in, whatever role was taken on later';

CREATE TABLE public.symbol_doubts (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    symbol_id INTEGER NOT NULL,
    brake TEXT NOT NULL,
    reason TEXT NOT NULL,
    since TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    CONSTRAINT symbol_doubts_pkey PRIMARY KEY (id),
    CONSTRAINT symbol_doubts_ends_after_since CHECK (ended_at >= since),
    CONSTRAINT symbol_doubts_times_are_dates
        CHECK (since AT TIME ZONE 'UTC' >= '1970-01-01'::timestamp AND since AT TIME ZONE 'UTC' < '9999-12-31'::timestamp
           AND ended_at AT TIME ZONE 'UTC' < '9999-12-31'::timestamp)
);

-- A symbol is in one doubt at a time.
CREATE UNIQUE INDEX symbol_doubts_open_key ON public.symbol_doubts (symbol_id) WHERE ended_at IS NULL;
CREATE INDEX idx_symbol_doubts_symbol ON public.symbol_doubts (symbol_id, since);

COMMENT ON TABLE public.symbol_doubts IS 'Symbols of which a list has said something that is not believed, and so is not stored: from when, to when, and why';
COMMENT ON COLUMN public.symbol_doubts.ended_at IS 'NULL: it is in doubt now';

INSERT INTO public.symbol_doubts (symbol_id, brake, reason, since)
SELECT DISTINCT ON (one.symbol_id) one.symbol_id, 'REJECTED', 'its row in the newest list could not be read', l.observed_at
FROM public.symbol_lists AS l
CROSS JOIN LATERAL unnest(l.unread) AS one (symbol_id)
ORDER BY one.symbol_id, l.observed_at;

CREATE TABLE public.history_prunes (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    pruned_table TEXT NOT NULL,
    before TIMESTAMPTZ NOT NULL,
    pruned_rows BIGINT NOT NULL,
    pruned_at TIMESTAMPTZ NOT NULL,
    pruned_by TEXT NOT NULL,
    application_name TEXT NOT NULL,
    CONSTRAINT history_prunes_pkey PRIMARY KEY (id)
);

COMMENT ON TABLE public.history_prunes IS 'What was deleted of ledger and histories, up to which time, when and by whom. Written by trigger, append-only';

CREATE OR REPLACE FUNCTION public.history_refuse() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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

CREATE FUNCTION public.history_record_prune() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
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

CREATE FUNCTION public.symbol_imports_stamp() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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

-- Whoever imports inserts here himself: only changes are refused.
CREATE FUNCTION public.symbol_imports_refuse() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'DELETE' AND coalesce(current_setting('exchanges_db.prune_before', true), '') <> ''
       AND EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = TG_RELID AND pg_get_userbyid(c.relowner) = current_user) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

-- Whoever imports writes doubts himself: none begins or ends in the past, or says something else later.
CREATE FUNCTION public.symbol_doubts_stamp() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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

-- PUBLIC could otherwise hang them on a table of its own.
REVOKE ALL ON FUNCTION public.history_record_prune() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.symbol_doubts_stamp() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.symbol_imports_stamp() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.symbol_imports_refuse() FROM PUBLIC;

CREATE TRIGGER symbol_imports_stamp BEFORE INSERT ON public.symbol_imports
    FOR EACH ROW EXECUTE FUNCTION public.symbol_imports_stamp();
CREATE TRIGGER symbol_imports_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON public.symbol_imports
    FOR EACH STATEMENT EXECUTE FUNCTION public.symbol_imports_refuse();
CREATE TRIGGER symbol_imports_record_prune AFTER DELETE ON public.symbol_imports
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.history_record_prune();
CREATE TRIGGER symbol_doubts_stamp BEFORE INSERT OR UPDATE ON public.symbol_doubts
    FOR EACH ROW EXECUTE FUNCTION public.symbol_doubts_stamp();
CREATE TRIGGER symbol_history_record_prune AFTER DELETE ON public.symbol_history
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.history_record_prune();
CREATE TRIGGER exchange_history_record_prune AFTER DELETE ON public.exchange_history
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.history_record_prune();
-- Doubts of a symbol that is gone may be deleted by whoever has that right; what a prune deletes is recorded.
CREATE TRIGGER symbol_doubts_record_prune AFTER DELETE ON public.symbol_doubts
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT
    WHEN (coalesce(current_setting('exchanges_db.prune_before', true), '') <> '')
    EXECUTE FUNCTION public.history_record_prune();
CREATE TRIGGER history_prunes_refuse BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.history_prunes
    FOR EACH STATEMENT EXECUTE FUNCTION public.history_refuse();

-- ALWAYS: also where session_replication_role = 'replica' switches ordinary triggers off.
ALTER TABLE public.symbol_imports ENABLE ALWAYS TRIGGER symbol_imports_stamp;
ALTER TABLE public.symbol_imports ENABLE ALWAYS TRIGGER symbol_imports_refuse;
ALTER TABLE public.symbol_imports ENABLE ALWAYS TRIGGER symbol_imports_record_prune;
ALTER TABLE public.symbol_history ENABLE ALWAYS TRIGGER symbol_history_record_prune;
ALTER TABLE public.exchange_history ENABLE ALWAYS TRIGGER exchange_history_record_prune;
ALTER TABLE public.symbol_doubts ENABLE ALWAYS TRIGGER symbol_doubts_record_prune;
ALTER TABLE public.symbol_doubts ENABLE ALWAYS TRIGGER symbol_doubts_stamp;
ALTER TABLE public.history_prunes ENABLE ALWAYS TRIGGER history_prunes_refuse;

-- Last, as an import writes to its list last, and because every look-up of a symbol reads this table.
ALTER TABLE public.symbol_lists
    ADD COLUMN changed_at TIMESTAMPTZ,
    ADD COLUMN imported_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN confirmations BIGINT NOT NULL DEFAULT 0,
    ADD CONSTRAINT symbol_lists_confirmations_not_negative CHECK (confirmations >= 0);

COMMENT ON COLUMN public.symbol_lists.changed_at IS 'The moment of its last import that changed a symbol; NULL: none since that is kept';
COMMENT ON COLUMN public.symbol_lists.imported_at IS 'When its last import was stored, by the server''s clock';
COMMENT ON COLUMN public.symbol_lists.confirmations IS 'How many imports have changed nothing';

-- migrate:down
SET LOCAL lock_timeout = '200ms';
-- One statement that undoes nothing unless dbmate runs it. Another program runs this file from end to end: then the up
-- part stands in the same transaction, or this statement has a transaction of its own; dbmate begins one before it.
-- Doubts become the ids of unread symbols that 006 has a column for; the ledger and what was pruned are lost.
DO $down$
BEGIN
    IF current_setting('exchanges_db.direction', true) = 'up' OR transaction_timestamp() = statement_timestamp() THEN
        RAISE WARNING 'migration 008 was not undone: only dbmate runs its down part, by dbmate rollback';
        RETURN;
    END IF;
    DROP TRIGGER exchange_history_record_prune ON public.exchange_history;
    DROP TRIGGER symbol_history_record_prune ON public.symbol_history;
    UPDATE public.symbol_lists AS l
    SET unread = coalesce((
        SELECT array_agg(d.symbol_id ORDER BY d.symbol_id)
        FROM public.symbol_doubts AS d
        JOIN public.symbols AS s ON s.id = d.symbol_id
        WHERE d.ended_at IS NULL AND s.exchange_id = l.exchange_id AND s.kind = l.kind
          AND (l.settle IS NULL OR l.settle = s.settle)
          AND (l.underlying IS NULL OR l.underlying = s.base || '_' || s.quote)), '{}');
    ALTER TABLE public.symbol_lists
        DROP COLUMN changed_at, DROP COLUMN imported_at, DROP COLUMN confirmations;
    DROP TABLE public.history_prunes;
    DROP TABLE public.symbol_doubts;
    DROP TABLE public.symbol_imports;
    DROP FUNCTION public.symbol_doubts_stamp();
    DROP FUNCTION public.symbol_imports_refuse();
    DROP FUNCTION public.symbol_imports_stamp();
    DROP FUNCTION public.history_record_prune();
    CREATE OR REPLACE FUNCTION public.history_refuse() RETURNS trigger
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
END
$down$;
