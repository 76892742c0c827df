-- What symbols were. A row comes as the text of a JSON object, so that no codec of the caller's connection makes floats
-- of its numbers.

-- name: GetSymbolRowAsOf :one
-- Which symbol of an exchange had this canonical or native name at a time, and what was it then?
SELECT v.spec::text AS spec
FROM public.symbol_versions AS v
WHERE v.valid @> @at::timestamptz
  AND v.exchange = @exchange
  AND (v.symbol = @symbol::text OR v.native_symbol = @symbol::text)
ORDER BY v.is_live DESC, v.symbol_id DESC
LIMIT 1;

-- name: GetSymbolRowByIdAsOf :one
-- What was the symbol with this id at a time?
SELECT v.spec::text AS spec
FROM public.symbol_versions AS v
WHERE v.valid @> @at::timestamptz AND v.symbol_id = @symbol_id;

-- name: ListSymbolRowsAsOf :many
-- What were the symbols of an exchange at a time?
SELECT v.spec::text AS spec
FROM public.symbol_versions AS v
WHERE v.valid @> @at::timestamptz AND v.exchange = @exchange
ORDER BY v.symbol, v.symbol_id;

-- name: ListSymbolVersions :many
-- What was each symbol that ever had this canonical or native name, from when to when?
SELECT v.spec_version, v.valid_from, v.valid_to, v.operation, v.ended_by, v.application_name, v.spec::text AS spec
FROM public.symbol_versions AS v
WHERE v.exchange = @exchange
  AND (v.symbol = @symbol::text OR v.native_symbol = @symbol::text)
ORDER BY v.symbol_id, v.spec_version;
