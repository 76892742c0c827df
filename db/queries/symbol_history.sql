-- What symbols were. A specification is returned as the text of a JSON object, so that no JSON codec on the caller's
-- connection turns its numbers into floats.

-- name: ListSymbolRowsByNameAsOf :many
-- Which symbols of an exchange had this canonical or native name at a time, and what were they then, live ones first?
SELECT v.spec::text AS spec
FROM public.symbol_versions AS v
WHERE v.valid @> @at::timestamptz
  AND v.exchange = @exchange
  AND (v.symbol = @symbol::text OR v.native_symbol = @symbol::text)
ORDER BY v.is_live DESC, v.symbol_id DESC;

-- name: GetSymbolRowByIdAsOf :one
-- What was the symbol with this id at a time?
SELECT v.spec::text AS spec
FROM public.symbol_versions AS v
WHERE v.valid @> @at::timestamptz AND v.symbol_id = @symbol_id;

-- name: ListSymbolSpellingsAsOf :many
-- In which cases did an exchange spell this canonical name, at a time or, without one, ever?
SELECT DISTINCT v.symbol::text AS symbol
FROM public.symbol_versions AS v
WHERE (sqlc.narg(at)::timestamptz IS NULL OR v.valid @> sqlc.narg(at)::timestamptz)
  AND v.exchange = @exchange
  AND lower(v.symbol) = lower(@symbol::text)
ORDER BY 1;

-- name: ListSymbolRowsAsOf :many
-- Which symbols met all given conditions at a time, was their exchange active then, when had it confirmed them, and
-- could their row not be read then?
SELECT
    v.spec::text AS spec, coalesce(place.is_active, FALSE)::boolean AS exchange_is_active, held.confirmed_at,
    coalesce(held.is_unread, FALSE)::boolean AS is_unread
FROM public.symbol_versions AS v
LEFT JOIN public.symbol_rows AS held
    ON held.id = v.symbol_id AND held.spec_version = v.spec_version AND held.confirmed_at <= @at::timestamptz
LEFT JOIN (
    SELECT DISTINCT ON (h.exchange_id) h.exchange_id, (h.new_row ->> 'is_active')::boolean AS is_active
    FROM public.exchange_history AS h
    WHERE h.changed_at <= @at::timestamptz
    ORDER BY h.exchange_id, h.changed_at DESC, h.id DESC
) AS place ON place.exchange_id = v.exchange_id
WHERE v.valid @> @at::timestamptz
  AND (sqlc.narg(exchange)::text IS NULL OR v.exchange = sqlc.narg(exchange)::text)
  AND (sqlc.narg(base)::text IS NULL OR v.spec ->> 'base' = sqlc.narg(base)::text)
  AND (sqlc.narg(quote)::text IS NULL OR v.spec ->> 'quote' = sqlc.narg(quote)::text)
  AND (sqlc.narg(kind)::text IS NULL OR v.spec ->> 'kind' = sqlc.narg(kind)::text)
ORDER BY v.exchange, v.symbol, v.symbol_id;

-- name: ListSymbolVersions :many
-- What was each symbol that ever had this canonical or native name, from when to when?
SELECT v.spec_version, v.valid_from, v.valid_to, v.operation, v.ended_by, v.application_name, v.spec::text AS spec
FROM public.symbol_versions AS v
WHERE v.exchange = @exchange
  AND (v.symbol = @symbol::text OR v.native_symbol = @symbol::text)
ORDER BY v.symbol_id, v.spec_version;
