-- What has been migrated. Unqualified on purpose: dbmate keeps its table in the first schema of search_path.

-- name: CheckLedger :one
SELECT (to_regclass('schema_migrations') IS NOT NULL)::boolean AS migrations_table,
       (to_regclass('migration_checksums') IS NOT NULL)::boolean AS checksums_table;

-- name: ListAppliedVersions :many
SELECT version FROM schema_migrations ORDER BY version;

-- name: ListMigrationChecksums :many
SELECT version, file_name, sha256 FROM migration_checksums ORDER BY version;

-- name: RecordMigrationChecksum :exec
INSERT INTO migration_checksums (version, file_name, sha256)
VALUES (@version, @file_name, @sha256)
ON CONFLICT (version) DO NOTHING;

-- name: ForgetMigrationChecksum :exec
DELETE FROM migration_checksums WHERE version = @version;

-- name: TryMigrationLock :one
SELECT pg_try_advisory_lock(@key::bigint) AS locked;
