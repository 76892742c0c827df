-- The ledger of imports: what was applied, refused or failed, written once and never changed.

-- name: InsertImport :one
-- Which number has this import in the ledger?
-- Who imported and when it ended is written by trigger.
INSERT INTO public.symbol_imports
    (exchange_id, exchange, kind, settle, underlying, outcome, observed_at, began_at, ended_at, moment, source,
    reader_version, origin, payload_sha256, payload_size, listed_rows, rejected_rows, unchanged_rows, changes, brakes,
    held_back, error, imported_by, application_name)
VALUES (@exchange_id, @exchange, sqlc.narg(kind), sqlc.narg(settle), sqlc.narg(underlying), @outcome,
    sqlc.narg(observed_at), @began_at, clock_timestamp(), sqlc.narg(moment), sqlc.narg(source),
    sqlc.narg(reader_version), sqlc.narg(origin), sqlc.narg(payload_sha256), sqlc.narg(payload_size),
    sqlc.narg(listed_rows), sqlc.narg(rejected_rows), sqlc.narg(unchanged_rows), @changes, @brakes, @held_back,
    sqlc.narg(error), '', '')
RETURNING id;

-- name: ListImports :many
-- Which imports are in the ledger, newest first: of one exchange or all, of one list, with one outcome, since a time?
SELECT i.id, i.exchange_id, i.exchange, i.kind, i.settle, i.underlying, i.outcome, i.observed_at, i.began_at,
       i.ended_at, i.moment, i.source, i.reader_version, i.origin, i.payload_sha256, i.payload_size, i.listed_rows,
       i.rejected_rows, i.unchanged_rows, i.changes::text AS changes, i.brakes::text AS brakes,
       i.held_back::text AS held_back, i.error, i.imported_by, i.application_name
FROM public.symbol_imports AS i
WHERE (sqlc.narg(exchange_id)::integer IS NULL OR i.exchange_id = sqlc.narg(exchange_id)::integer)
  AND (sqlc.narg(kind)::text IS NULL
       OR (i.kind = sqlc.narg(kind)::text AND i.settle IS NOT DISTINCT FROM sqlc.narg(settle)::text
           AND i.underlying IS NOT DISTINCT FROM sqlc.narg(underlying)::text))
  AND (sqlc.narg(outcome)::text IS NULL OR i.outcome = sqlc.narg(outcome)::text)
  AND (sqlc.narg(since)::timestamptz IS NULL OR i.ended_at >= sqlc.narg(since)::timestamptz)
ORDER BY i.id DESC
LIMIT @most;

-- name: GetImport :one
-- What does the ledger say of this import?
SELECT i.id, i.exchange_id, i.exchange, i.kind, i.settle, i.underlying, i.outcome, i.observed_at, i.began_at,
       i.ended_at, i.moment, i.source, i.reader_version, i.origin, i.payload_sha256, i.payload_size, i.listed_rows,
       i.rejected_rows, i.unchanged_rows, i.changes::text AS changes, i.brakes::text AS brakes,
       i.held_back::text AS held_back, i.error, i.imported_by, i.application_name
FROM public.symbol_imports AS i
WHERE i.id = @id;
