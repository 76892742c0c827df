-- Look-ups of public.symbols. Where a name was given to several symbols in turn, the live one comes first.

-- name: GetSymbol :one
SELECT e.enum_value AS exchange, s.id, s.exchange_id, s.native_symbol, s.symbol, s.base, s.quote, s.settle, s.kind, s.direction,
       s.contract_size, s.price_tick, s.quantity_step, s.price_decimals, s.quantity_decimals, s.min_quantity,
       s.max_quantity, s.min_notional, s.max_notional, s.maker_fee, s.taker_fee, s.status, s.is_active,
       s.sides, s.api_tradable, s.listed_at, s.delisting_at, s.delisted_at, s.expires_at, s.spec_version,
       s.created_at, s.updated_at
FROM public.symbols AS s JOIN public.exchanges AS e ON e.id = s.exchange_id
WHERE e.enum_value = @exchange AND s.symbol = @symbol
ORDER BY s.status IN ('DELISTED', 'EXPIRED'), s.id DESC
LIMIT 1;

-- name: GetSymbolByNative :one
SELECT e.enum_value AS exchange, s.id, s.exchange_id, s.native_symbol, s.symbol, s.base, s.quote, s.settle, s.kind, s.direction,
       s.contract_size, s.price_tick, s.quantity_step, s.price_decimals, s.quantity_decimals, s.min_quantity,
       s.max_quantity, s.min_notional, s.max_notional, s.maker_fee, s.taker_fee, s.status, s.is_active,
       s.sides, s.api_tradable, s.listed_at, s.delisting_at, s.delisted_at, s.expires_at, s.spec_version,
       s.created_at, s.updated_at
FROM public.symbols AS s JOIN public.exchanges AS e ON e.id = s.exchange_id
WHERE e.enum_value = @exchange AND s.native_symbol = @native_symbol
ORDER BY s.status IN ('DELISTED', 'EXPIRED'), s.id DESC
LIMIT 1;

-- name: ListSymbols :many
SELECT e.enum_value AS exchange, s.id, s.exchange_id, s.native_symbol, s.symbol, s.base, s.quote, s.settle, s.kind, s.direction,
       s.contract_size, s.price_tick, s.quantity_step, s.price_decimals, s.quantity_decimals, s.min_quantity,
       s.max_quantity, s.min_notional, s.max_notional, s.maker_fee, s.taker_fee, s.status, s.is_active,
       s.sides, s.api_tradable, s.listed_at, s.delisting_at, s.delisted_at, s.expires_at, s.spec_version,
       s.created_at, s.updated_at
FROM public.symbols AS s JOIN public.exchanges AS e ON e.id = s.exchange_id
WHERE (sqlc.narg(exchange)::text IS NULL OR e.enum_value = sqlc.narg(exchange)::text)
  AND (sqlc.narg(base)::text IS NULL OR s.base = sqlc.narg(base)::text)
  AND (sqlc.narg(quote)::text IS NULL OR s.quote = sqlc.narg(quote)::text)
  AND (sqlc.narg(kind)::text IS NULL OR s.kind = sqlc.narg(kind)::text)
  AND (sqlc.narg(active)::boolean IS NULL OR (s.is_active AND e.is_active) = sqlc.narg(active)::boolean)
ORDER BY e.name, s.symbol, s.id;

-- name: ListMatchingSymbols :many
SELECT e.enum_value AS exchange, s.id, s.exchange_id, s.native_symbol, s.symbol, s.base, s.quote, s.settle, s.kind, s.direction,
       s.contract_size, s.price_tick, s.quantity_step, s.price_decimals, s.quantity_decimals, s.min_quantity,
       s.max_quantity, s.min_notional, s.max_notional, s.maker_fee, s.taker_fee, s.status, s.is_active,
       s.sides, s.api_tradable, s.listed_at, s.delisting_at, s.delisted_at, s.expires_at, s.spec_version,
       s.created_at, s.updated_at
FROM public.symbols AS s JOIN public.exchanges AS e ON e.id = s.exchange_id
WHERE strpos(lower(s.native_symbol), lower(@text::text)) > 0
   OR strpos(lower(s.symbol), lower(@text::text)) > 0
ORDER BY s.status IN ('DELISTED', 'EXPIRED'), length(s.symbol), s.symbol, e.name, s.id
LIMIT @most::integer;
