-- An import: what is known of an exchange's symbols, and the two statements that change it.
-- The new rows are passed as one JSON document, whose numbers are text or JSON numbers, so exact.

-- name: LockSymbolImport :exec
-- Waits until no other import of this exchange runs, then keeps others waiting until the transaction ends.
SELECT pg_advisory_xact_lock(@lock_class::integer, @exchange_id::integer);

-- name: GetKnownSymbols :one
-- What is known of the symbols of this exchange, oldest first?
-- As one JSON document, because decoding that takes a tenth of the time that as many records take.
SELECT coalesce(
    json_agg(
        json_build_array(
            native_symbol, symbol, base, quote, settle, kind, direction, contract_size, price_tick, quantity_step,
            min_quantity, max_quantity, min_notional, max_notional, maker_fee, taker_fee, status, sides, api_tradable,
            listed_at, delisting_at, delisted_at, expires_at, id
        )
        ORDER BY id
    ),
    '[]'
)::text AS symbols
FROM public.symbols
WHERE exchange_id = @exchange_id;

-- name: InsertSymbols :execrows
-- How many symbols of this exchange were inserted?
INSERT INTO public.symbols
    (exchange_id, native_symbol, symbol, base, quote, settle, kind, direction, contract_size, price_tick, quantity_step,
    min_quantity, max_quantity, min_notional, max_notional, maker_fee, taker_fee, status, sides, api_tradable,
    listed_at, delisting_at, delisted_at, expires_at, raw)
SELECT @exchange_id::smallint, r.native_symbol, r.symbol, r.base, r.quote, r.settle, r.kind, r.direction, r.contract_size,
       r.price_tick, r.quantity_step, r.min_quantity, r.max_quantity, r.min_notional, r.max_notional,
       r.maker_fee, r.taker_fee, r.status, r.sides, r.api_tradable, r.listed_at, r.delisting_at,
       r.delisted_at, r.expires_at, r.raw
FROM jsonb_to_recordset(@specs::jsonb) AS r(
    native_symbol text, symbol text, base text, quote text, settle text, kind text, direction text,
    contract_size numeric, price_tick numeric, quantity_step numeric, min_quantity numeric,
    max_quantity numeric, min_notional numeric, max_notional numeric, maker_fee numeric, taker_fee numeric,
    status text, sides text, api_tradable boolean, listed_at timestamptz, delisting_at timestamptz,
    delisted_at timestamptz, expires_at timestamptz, raw jsonb
);

-- name: UpdateSymbols :execrows
-- How many symbols of this exchange got this specification?
UPDATE public.symbols AS s
SET symbol = r.symbol, base = r.base, quote = r.quote, settle = r.settle, kind = r.kind,
    direction = r.direction, contract_size = r.contract_size, price_tick = r.price_tick,
    quantity_step = r.quantity_step, min_quantity = r.min_quantity, max_quantity = r.max_quantity,
    min_notional = r.min_notional, max_notional = r.max_notional, maker_fee = r.maker_fee,
    taker_fee = r.taker_fee, status = r.status, sides = r.sides, api_tradable = r.api_tradable,
    listed_at = r.listed_at, delisting_at = r.delisting_at, delisted_at = r.delisted_at,
    expires_at = r.expires_at,
    raw = coalesce(r.raw, s.raw)
FROM jsonb_to_recordset(@specs::jsonb) AS r(
    id integer, symbol text, base text, quote text, settle text, kind text, direction text,
    contract_size numeric, price_tick numeric, quantity_step numeric, min_quantity numeric,
    max_quantity numeric, min_notional numeric, max_notional numeric, maker_fee numeric, taker_fee numeric,
    status text, sides text, api_tradable boolean, listed_at timestamptz, delisting_at timestamptz,
    delisted_at timestamptz, expires_at timestamptz, raw jsonb
)
WHERE s.id = r.id AND s.exchange_id = @exchange_id;
