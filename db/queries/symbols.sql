-- Look-ups of symbols. Where several symbols had the same name one after the other, the live one comes first.
-- Queries select r.*: sqlc writes the columns out and, because these are all of the view's, returns models.SymbolRow.

-- name: GetSymbolByNative :one
-- Which symbol of an exchange has this native name, the exchange's own?
SELECT r.*
FROM public.symbol_rows AS r
WHERE r.exchange = @exchange AND r.native_symbol = @native_symbol
ORDER BY r.is_live DESC, r.id DESC
LIMIT 1;

-- name: GetSymbolById :one
-- Which symbol has this id?
SELECT r.*
FROM public.symbol_rows AS r
WHERE r.id = @id;

-- name: ListSymbolsByIds :many
-- Which symbols have one of these ids?
SELECT r.*
FROM public.symbol_rows AS r
WHERE r.id = ANY(@ids::integer[]);

-- name: ListNamedSymbols :many
-- Which symbols that are known by name only have one of these ids?
SELECT s.id, s.exchange_id, e.enum_value AS exchange, s.native_symbol, s.base, s.quote
FROM public.symbols AS s
JOIN public.exchanges AS e ON e.id = s.exchange_id
WHERE s.id = ANY(@ids::integer[]) AND s.status IS NULL;

-- name: GetNamedSymbolId :one
-- Which symbol of an exchange has this native name and is known by name only?
SELECT s.id
FROM public.symbols AS s
JOIN public.exchanges AS e ON e.id = s.exchange_id
WHERE e.enum_value = @exchange AND s.native_symbol = @native_symbol AND s.status IS NULL
ORDER BY s.id DESC
LIMIT 1;

-- name: ListSymbolsByName :many
-- Which symbols of an exchange have this canonical name, the live ones first?
-- One name has a statement of its own: the server keeps one plan for it, and plans the one for many anew each time.
SELECT r.*
FROM public.symbol_rows AS r
WHERE r.exchange = @exchange AND r.symbol = @symbol::text
ORDER BY r.is_live DESC, r.id DESC;

-- name: ListSymbolsByNames :many
-- Which symbols of an exchange have one of these canonical names, the live ones first?
SELECT r.*
FROM public.symbol_rows AS r
WHERE r.exchange = @exchange AND r.symbol = ANY(@symbols::text[])
ORDER BY r.is_live DESC, r.id DESC;

-- name: ListSymbolSpellings :many
-- In which cases does an exchange spell these canonical names? Asked only if the exact spelling was not found.
SELECT DISTINCT r.symbol
FROM public.symbol_rows AS r
WHERE r.exchange = @exchange AND lower(r.symbol) = ANY(SELECT lower(unnest(@symbols::text[])))
ORDER BY r.symbol;

-- name: ListSymbolNames :many
-- What are the live symbols of an exchange called? For the suggestions in the error about a missing symbol.
SELECT r.symbol, r.native_symbol, r.base, r.quote, r.kind
FROM public.symbol_rows AS r
WHERE r.exchange = @exchange AND r.is_live
ORDER BY r.symbol, r.id;

-- name: ListSymbols :many
-- Which symbols meet all given conditions? What may be traded is not asked here: the judge decides that.
SELECT r.*
FROM public.symbol_rows AS r
WHERE (sqlc.narg(exchanges)::text[] IS NULL OR r.exchange = ANY(sqlc.narg(exchanges)::text[]))
  AND (sqlc.narg(base)::text IS NULL OR r.base = sqlc.narg(base)::text)
  AND (sqlc.narg(quote)::text IS NULL OR r.quote = sqlc.narg(quote)::text)
  AND (sqlc.narg(kind)::text IS NULL OR r.kind = sqlc.narg(kind)::text)
  AND (sqlc.narg(live)::boolean IS NULL OR r.is_live = sqlc.narg(live)::boolean)
ORDER BY r.exchange, r.symbol, r.id;

-- name: ListMatchingSymbols :many
-- Which symbols have this text in one of their names, the likeliest first?
SELECT r.*
FROM public.symbol_rows AS r
WHERE strpos(lower(r.native_symbol), lower(@text::text)) > 0
   OR strpos(lower(r.symbol), lower(@text::text)) > 0
ORDER BY r.is_live DESC, length(r.symbol), r.symbol, r.exchange, r.id
LIMIT @max_rows::integer;

-- name: GetSymbolRaw :one
-- What did the exchange last say of the symbol with this id, and when?
SELECT r.raw::text AS raw, r.observed_at
FROM public.symbol_raw AS r
WHERE r.symbol_id = @symbol_id;
