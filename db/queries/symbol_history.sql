-- What symbols were. Queries select v.*: sqlc returns models.SymbolVersion for each.

-- name: ListSymbolRowsByNameAsOf :many
-- Which symbols of an exchange had this canonical or native name at a time, and what were they then, live ones first?
SELECT v.*
FROM public.symbol_versions AS v
WHERE v.valid_from <= @at::timestamptz AND (v.valid_to IS NULL OR v.valid_to > @at::timestamptz)
  AND v.exchange = @exchange
  AND (v.symbol = @symbol::text OR v.native_symbol = @symbol::text)
ORDER BY v.is_live DESC, v.id DESC;

-- name: GetSymbolRowByIdAsOf :one
-- What was the symbol with this id at a time?
SELECT v.*
FROM public.symbol_versions AS v
WHERE v.valid_from <= @at::timestamptz AND (v.valid_to IS NULL OR v.valid_to > @at::timestamptz) AND v.id = @symbol_id;

-- name: ListSymbolSpellingsAsOf :many
-- In which cases did an exchange spell this canonical name, at a time or, without one, ever?
SELECT DISTINCT v.symbol::text AS symbol
FROM public.symbol_versions AS v
WHERE (sqlc.narg(at)::timestamptz IS NULL OR v.valid @> sqlc.narg(at)::timestamptz)
  AND v.exchange = @exchange
  AND lower(v.symbol) = lower(@symbol::text)
ORDER BY 1;

-- name: ListSymbolRowsAsOf :many
-- Which symbols met all given conditions at a time?
SELECT v.*
FROM public.symbol_versions AS v
WHERE v.valid_from <= @at::timestamptz AND (v.valid_to IS NULL OR v.valid_to > @at::timestamptz)
  AND (sqlc.narg(exchange)::text IS NULL OR v.exchange = sqlc.narg(exchange)::text)
  AND (sqlc.narg(base)::text IS NULL OR v.base = sqlc.narg(base)::text)
  AND (sqlc.narg(quote)::text IS NULL OR v.quote = sqlc.narg(quote)::text)
  AND (sqlc.narg(kind)::text IS NULL OR v.kind = sqlc.narg(kind)::text)
ORDER BY v.exchange, v.symbol, v.id;

-- name: ListSymbolVersions :many
-- What was each symbol that ever had this canonical or native name, from when to when?
SELECT v.*
FROM public.symbol_versions AS v
WHERE v.exchange = @exchange
  AND (v.symbol = @symbol::text OR v.native_symbol = @symbol::text)
ORDER BY v.id, v.spec_version;
