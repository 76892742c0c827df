-- What has been migrated. Unqualified on purpose: PinLedger sets search_path to the schema of dbmate's ledger, and all
-- other queries run in the same transaction.

-- name: PinLedger :one
-- Sets search_path to the ledger's schema. Without one in its name dbmate uses the first of the URL's search_path,
-- exactly as written, else the current schema.
SELECT set_config('search_path', quote_ident(coalesce(
           nullif(@schema_name::text, ''),
           (SELECT nullif(btrim(split_part(s.setting, ',', 1)), '')
            FROM pg_catalog.pg_settings AS s
            WHERE s.name = 'search_path' AND s.source = 'client'),
           current_schema(), 'public')) || ', pg_catalog, pg_temp', true)::text AS search_path;

-- name: CheckLedger :one
-- Are there the tables that dbmate and we make at a first migration?
SELECT (to_regclass(quote_ident(@ledger::text)) IS NOT NULL)::boolean AS has_ledger,
       (to_regclass('migration_checksums') IS NOT NULL)::boolean AS has_checksums,
       (@ledger::text)::name::text AS ledger;

-- name: GetSchemaCreation :one
-- The text of the statement that makes the ledger's schema, after PinLedger, where it is not there: dbmate makes it, too.
SELECT ('CREATE SCHEMA IF NOT EXISTS '
        || left(current_setting('search_path'), -length(', pg_catalog, pg_temp')))::text AS query
WHERE current_schema() = 'pg_catalog';

-- name: GetLedgerQuery :one
-- The text of the one statement that cannot be static, because a user chooses the table; the server quotes its name.
SELECT format('SELECT version::text FROM %I', @ledger::text)::text AS query;

-- name: GetLedgerInsertion :one
-- The same for the statement that says that a version is applied.
SELECT format('INSERT INTO %I (version) VALUES ($1) ON CONFLICT DO NOTHING', @ledger::text)::text AS query;

-- name: ListMigrationChecksums :many
-- Which checksums did the applied files of this ledger have?
SELECT version, file_name, sha256 FROM migration_checksums WHERE ledger = @ledger ORDER BY version;

-- name: ListObjectsPresent :many
-- Which of these names are those of a relation, constraint, function or trigger of schema public?
SELECT c.relname::text AS object_name
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = to_regnamespace('public') AND c.relname::text = ANY(@names::text[])
UNION
SELECT k.conname::text
FROM pg_catalog.pg_constraint AS k
WHERE k.connamespace = to_regnamespace('public') AND k.conname::text = ANY(@names::text[])
UNION
SELECT f.proname::text
FROM pg_catalog.pg_proc AS f
WHERE f.pronamespace = to_regnamespace('public') AND f.proname::text = ANY(@names::text[])
UNION
SELECT g.tgname::text
FROM pg_catalog.pg_trigger AS g
JOIN pg_catalog.pg_class AS t ON t.oid = g.tgrelid
WHERE t.relnamespace = to_regnamespace('public') AND g.tgname::text = ANY(@names::text[]);

-- name: RecordMigrationChecksum :exec
-- Store the checksum of an applied file; one that is stored already stays.
INSERT INTO migration_checksums (ledger, version, file_name, sha256)
VALUES (@ledger, @version, @file_name, @sha256)
ON CONFLICT (ledger, version) DO NOTHING;

-- name: ForgetMigrationChecksum :exec
-- Delete the checksum of a file that is no longer applied.
DELETE FROM migration_checksums WHERE ledger = @ledger AND version = @version;

-- name: TryMigrationLock :one
-- Take the lock for migrating, unless another session has it.
SELECT pg_try_advisory_lock(@key::bigint) AS locked;

-- name: ReleaseMigrationLock :one
-- Give the lock for migrating back.
SELECT pg_advisory_unlock(@key::bigint) AS released;

-- name: GetServerProcess :one
-- The process that answers. Where it is not the one that greeted, there is a pooler in between.
SELECT pg_backend_pid() AS pid;

-- name: GetReadOnlySource :one
-- Where was it set that transactions of this session write nothing, unless they say otherwise?
SELECT s.source::text AS source
FROM pg_catalog.pg_settings AS s
WHERE s.name = 'default_transaction_read_only' AND s.setting = 'on' AND NOT pg_is_in_recovery();

-- name: SetNoIdleLimit :one
-- Keep this session, which holds the lock and waits for dbmate, however long it has nothing to do.
SELECT set_config('idle_session_timeout', '0', false) AS idle_session_timeout;

-- name: SetConnectionCheck :one
-- Will the server look, while it works for a client, whether that is still there? Not every platform can.
SELECT set_config('client_connection_check_interval', '1s', false) AS client_connection_check_interval;

-- name: ListDbmateSessions :many
-- Which sessions of a dbmate that we started are there in this database, and which processes does each wait for?
SELECT a.pid::int AS pid, array_to_string(pg_blocking_pids(a.pid), ', ')::text AS blockers
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = current_database() AND a.application_name = @application_name::text
ORDER BY a.pid;

-- name: ListInvalidIndexes :many
-- Which indexes did a CREATE INDEX CONCURRENTLY leave that has failed?
SELECT (quote_ident(n.nspname) || '.' || quote_ident(c.relname))::text AS index_name
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
ORDER BY 1;

-- name: CheckIndex :one
-- How many indexes of that name are there, and how many of them are valid?
SELECT count(*) AS present, count(*) FILTER (WHERE i.indisvalid) AS valid
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
WHERE c.relname = @index_name::text;
