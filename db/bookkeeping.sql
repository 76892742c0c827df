-- The table in which `exchanges-db migrate` keeps checksums. It makes the table by running this file, and sqlc checks
-- queries against it. No part of db/schema.sql or of any migration. The name is unqualified, because the table belongs
-- beside dbmate's ledger, whose schema DBMATE_MIGRATIONS_TABLE or search_path decides. dbmate itself makes the ledger.

CREATE TABLE IF NOT EXISTS migration_checksums (
    ledger TEXT NOT NULL DEFAULT 'schema_migrations',
    version VARCHAR NOT NULL,
    file_name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT migration_checksums_pkey PRIMARY KEY (ledger, version),
    CONSTRAINT migration_checksums_sha256_hex CHECK (sha256 ~ '^[0-9a-f]{64}$')
);

COMMENT ON TABLE migration_checksums IS 'What each applied migration file contained; migrate refuses when one has changed since';
COMMENT ON COLUMN migration_checksums.ledger IS 'The ledger, a table of dbmate in this schema, that has the version';
