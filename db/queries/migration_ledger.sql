-- What has been migrated. Unqualified on purpose: dbmate keeps its table in the first schema of search_path.

-- name: CheckLedger :one
-- Which of the two tables that keep account of migrations are there?
SELECT (to_regclass('schema_migrations') IS NOT NULL)::boolean AS migrations_table,
       (to_regclass('migration_checksums') IS NOT NULL)::boolean AS checksums_table;

-- name: ListAppliedVersions :many
-- Which migrations has dbmate applied?
SELECT version FROM schema_migrations ORDER BY version;

-- name: ListMigrationChecksums :many
-- What did the files contain that were applied?
SELECT version, file_name, sha256 FROM migration_checksums ORDER BY version;

-- name: RecordMigrationChecksum :exec
-- Keeps what an applied file contains, unless that is known.
INSERT INTO migration_checksums (version, file_name, sha256)
VALUES (@version, @file_name, @sha256)
ON CONFLICT (version) DO NOTHING;

-- name: ForgetMigrationChecksum :exec
-- Drops what is known of a file that is not applied any more.
DELETE FROM migration_checksums WHERE version = @version;

-- name: TryMigrationLock :one
-- Did this session get the lock that one deployer at a time holds?
SELECT pg_try_advisory_lock(@key::bigint) AS locked;
