-- The tables that tools keep beside the schema, so that sqlc can check queries on them; no part of db/schema.sql or of
-- any migration. schema_migrations is dbmate's; it makes it by itself. migration_checksums is made by
-- `exchanges-db migrate`, by running this file. Unqualified, because dbmate keeps its table in the first schema of
-- search_path and ours belongs beside it.

CREATE TABLE IF NOT EXISTS schema_migrations (
    version VARCHAR PRIMARY KEY
);

CREATE TABLE IF NOT EXISTS migration_checksums (
    version VARCHAR NOT NULL,
    file_name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT migration_checksums_pkey PRIMARY KEY (version),
    CONSTRAINT migration_checksums_sha256_hex CHECK (sha256 ~ '^[0-9a-f]{64}$')
);

COMMENT ON TABLE migration_checksums IS 'What each applied migration file contained; migrate refuses when one has changed since';
