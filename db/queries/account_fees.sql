-- What accounts pay. Of an exchange, an account and a symbol the newest row holds; one without fees says that they were
-- forgotten. A row that is older than the exchange or the symbol that has its id now was of another one.

-- name: InsertAccountFees :one
-- Set or, with NULL, forget the fees of an account, unless the newest row says so already: at what time was it done?
INSERT INTO public.account_fees (exchange_id, account, symbol_id, maker, taker)
SELECT @exchange_id::smallint, @account::text, sqlc.narg(symbol_id)::integer,
       sqlc.narg(maker)::numeric, sqlc.narg(taker)::numeric
RETURNING set_at;

-- name: GetAccountFees :one
-- Which fees does an account pay for this symbol: those of the symbol, and those of its whole exchange?
SELECT own.maker AS own_maker, own.taker AS own_taker, own.set_at AS own_set_at,
       whole.maker AS whole_maker, whole.taker AS whole_taker, whole.set_at AS whole_set_at
FROM public.symbols AS s
JOIN public.exchanges AS e ON e.id = s.exchange_id
LEFT JOIN LATERAL (
    SELECT f.maker, f.taker, f.set_at
    FROM public.account_fees AS f
    WHERE f.exchange_id = s.exchange_id AND f.account = @account AND f.symbol_id = s.id AND f.set_at >= s.created_at
    ORDER BY f.set_at DESC
    LIMIT 1
) AS own ON TRUE
LEFT JOIN LATERAL (
    SELECT f.maker, f.taker, f.set_at
    FROM public.account_fees AS f
    WHERE f.exchange_id = e.id AND f.account = @account AND f.symbol_id IS NULL AND f.set_at >= e.created_at
    ORDER BY f.set_at DESC
    LIMIT 1
) AS whole ON TRUE
WHERE s.id = @symbol_id AND e.enum_value = @exchange AND s.native_symbol = @native_symbol;

-- name: ListAccountFees :many
-- Which fees have been set and not forgotten, of these exchanges and accounts?
SELECT e.enum_value AS exchange, s.symbol, s.native_symbol, latest.symbol_id, latest.account, latest.maker,
       latest.taker, latest.set_at, latest.set_by, latest.application_name
FROM (
    SELECT DISTINCT ON (f.exchange_id, f.account, f.symbol_id)
           f.exchange_id, f.account, f.symbol_id, f.maker, f.taker, f.set_at, f.set_by, f.application_name
    FROM public.account_fees AS f
    ORDER BY f.exchange_id, f.account, f.symbol_id, f.set_at DESC
) AS latest
JOIN public.exchanges AS e ON e.id = latest.exchange_id
LEFT JOIN public.symbols AS s ON s.id = latest.symbol_id AND s.exchange_id = e.id
WHERE latest.maker IS NOT NULL
  AND CASE WHEN latest.symbol_id IS NULL THEN latest.set_at >= e.created_at ELSE latest.set_at >= s.created_at END
  AND (sqlc.narg(exchange)::text IS NULL OR e.enum_value = sqlc.narg(exchange)::text)
  AND (sqlc.narg(account)::text IS NULL OR latest.account = sqlc.narg(account)::text)
ORDER BY e.enum_value, latest.account, s.symbol NULLS FIRST, latest.symbol_id;

-- name: ListAccountFeeChanges :many
-- Which fees were set and forgotten of this exchange, oldest first, also for symbols that are gone?
SELECT coalesce(s.symbol, gone.symbol) AS symbol, coalesce(s.native_symbol, gone.native_symbol) AS native_symbol,
       f.symbol_id, f.account, f.maker, f.taker, f.set_at, f.set_by, f.application_name
FROM public.account_fees AS f
LEFT JOIN public.symbols AS s ON s.id = f.symbol_id
LEFT JOIN LATERAL (
    SELECT h.symbol, h.native_symbol
    FROM public.symbol_history AS h
    WHERE h.symbol_id = f.symbol_id AND s.id IS NULL
    ORDER BY h.spec_version DESC
    LIMIT 1
) AS gone ON TRUE
WHERE f.exchange_id = @exchange_id
  AND (sqlc.narg(account)::text IS NULL OR f.account = sqlc.narg(account)::text)
  AND (sqlc.narg(symbol_id)::integer IS NULL OR f.symbol_id = sqlc.narg(symbol_id)::integer)
ORDER BY f.set_at, f.id;
