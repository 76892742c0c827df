-- An import: what is known of one list of an exchange, and the statements that change it.
-- The new rows are passed as one JSON document, whose numbers are text or JSON numbers, so exact.

-- name: LockSymbolImport :exec
-- Waits until no other import of this exchange runs, then keeps others waiting until the transaction ends.
SELECT pg_advisory_xact_lock(@lock_class::integer, @exchange_id::integer);

-- name: ListSymbolLists :many
-- Which lists of symbols were ever imported, of this exchange or of all, how fresh is each, and what is in doubt?
SELECT e.enum_value AS exchange, l.kind, l.settle, l.underlying, l.source, l.observed_at, l.changed_at, l.imported_at,
       l.confirmations,
       (SELECT count(*)
        FROM public.symbol_doubts AS d
        JOIN public.symbols AS s ON s.id = d.symbol_id
        WHERE d.ended_at IS NULL AND s.exchange_id = l.exchange_id AND s.kind = l.kind
          AND (l.settle IS NULL OR l.settle = s.settle)
          AND (l.underlying IS NULL OR l.underlying = s.base || '_' || s.quote))::integer AS doubtful,
       clock_timestamp()::timestamptz AS asked_at
FROM public.symbol_lists AS l
JOIN public.exchanges AS e ON e.id = l.exchange_id
WHERE (sqlc.narg(exchange)::text IS NULL OR e.enum_value = sqlc.narg(exchange)::text)
ORDER BY e.enum_value, l.kind, l.settle, l.underlying;

-- name: RecordSymbolList :exec
-- Notes that a list was observed: what is known of it is what the exchange said then, but for doubtful symbols.
INSERT INTO public.symbol_lists AS l
    (exchange_id, kind, settle, underlying, source, observed_at, changed_at, imported_at, confirmations)
VALUES (@exchange_id, @kind, sqlc.narg(settle), sqlc.narg(underlying), @source, @observed_at,
        sqlc.narg(changed_at)::timestamptz, clock_timestamp(), CASE WHEN sqlc.narg(changed_at)::timestamptz IS NULL THEN 1 ELSE 0 END)
ON CONFLICT ON CONSTRAINT symbol_lists_list_key
DO UPDATE SET source = excluded.source, observed_at = excluded.observed_at,
              changed_at = coalesce(excluded.changed_at, l.changed_at), imported_at = excluded.imported_at,
              confirmations = l.confirmations + excluded.confirmations;

-- name: GetKnownSymbols :one
-- What is known of the symbols of this exchange, oldest first?
-- As one JSON document, because decoding that takes a tenth of the time that as many records take.
SELECT coalesce(
    json_agg(
        json_build_array(
            s.native_symbol, s.symbol, s.base, s.quote, s.settle, s.kind, s.direction, s.contract_size, s.strike,
            s.option_type, s.price_tick, s.tick_assumed, s.quantity_step, s.step_assumed, s.min_quantity,
            s.max_quantity, s.min_notional, s.max_notional, s.market_min_quantity, s.market_max_quantity,
            s.market_min_notional, s.market_max_notional, s.price_band_up, s.price_band_down, s.price_band_of,
            s.market_slip_ratio, s.order_types, s.leverage_min, s.leverage_max, s.initial_margin_rate,
            s.maintenance_margin_rate, s.funding_interval, s.funding_cap, s.max_open_orders, s.margin_allowed,
            s.full_name, s.contract_address, s.is_risky, s.is_premarket, s.asset_class, s.list_maker_fee,
            s.list_taker_fee, s.status, s.sides, s.api_tradable, s.buy_opens_at, s.sell_opens_at, s.delisting_at,
            s.delisted_at, s.expires_at, s.exchange_changed_at, s.id, r.digest
        )
        ORDER BY s.id
    ),
    '[]'
)::text AS symbols
FROM public.symbols AS s
LEFT JOIN public.symbol_raw AS r ON r.symbol_id = s.id
WHERE s.exchange_id = @exchange_id AND s.status IS NOT NULL;

-- name: InsertSymbols :execrows
-- How many symbols of this exchange were inserted with the row of the payload they are from?
WITH new AS (
    INSERT INTO public.symbols
    (exchange_id, source, observed_at,
    native_symbol, symbol, base, quote, settle, kind, direction, contract_size, strike, option_type, price_tick,
    tick_assumed, quantity_step, step_assumed, min_quantity, max_quantity, min_notional, max_notional,
    market_min_quantity, market_max_quantity, market_min_notional, market_max_notional, price_band_up,
    price_band_down, price_band_of, market_slip_ratio, order_types, leverage_min, leverage_max, initial_margin_rate,
    maintenance_margin_rate, funding_interval, funding_cap, max_open_orders, margin_allowed, full_name,
    contract_address, is_risky, is_premarket, asset_class, list_maker_fee, list_taker_fee, status, sides,
    api_tradable, buy_opens_at, sell_opens_at, delisting_at, delisted_at, expires_at, exchange_changed_at)
    SELECT @exchange_id::smallint, @source::text, @observed_at::timestamptz,
        r.native_symbol, r.symbol, r.base, r.quote, r.settle, r.kind, r.direction, r.contract_size, r.strike,
        r.option_type, r.price_tick, r.tick_assumed, r.quantity_step, r.step_assumed, r.min_quantity,
        r.max_quantity, r.min_notional, r.max_notional, r.market_min_quantity, r.market_max_quantity,
        r.market_min_notional, r.market_max_notional, r.price_band_up, r.price_band_down, r.price_band_of,
        r.market_slip_ratio, r.order_types, r.leverage_min, r.leverage_max, r.initial_margin_rate,
        r.maintenance_margin_rate, r.funding_interval, r.funding_cap, r.max_open_orders, r.margin_allowed,
        r.full_name, r.contract_address, r.is_risky, r.is_premarket, r.asset_class, r.list_maker_fee,
        r.list_taker_fee, r.status, r.sides, r.api_tradable, r.buy_opens_at, r.sell_opens_at, r.delisting_at,
        r.delisted_at, r.expires_at, r.exchange_changed_at
    FROM jsonb_to_recordset(@specs::jsonb) AS r(
        native_symbol text, symbol text, base text, quote text, settle text, kind text, direction text,
        contract_size numeric, strike numeric, option_type text, price_tick numeric, tick_assumed boolean,
        quantity_step numeric, step_assumed boolean, min_quantity numeric, max_quantity numeric, min_notional
        numeric, max_notional numeric, market_min_quantity numeric, market_max_quantity numeric, market_min_notional
        numeric, market_max_notional numeric, price_band_up numeric, price_band_down numeric, price_band_of text,
        market_slip_ratio numeric, order_types text[], leverage_min numeric, leverage_max numeric,
        initial_margin_rate numeric, maintenance_margin_rate numeric, funding_interval integer, funding_cap numeric,
        max_open_orders integer, margin_allowed boolean, full_name text, contract_address text, is_risky boolean,
        is_premarket boolean, asset_class text, list_maker_fee numeric, list_taker_fee numeric, status text, sides
        text, api_tradable boolean, buy_opens_at timestamptz, sell_opens_at timestamptz, delisting_at timestamptz,
        delisted_at timestamptz, expires_at timestamptz, exchange_changed_at timestamptz
    )
    RETURNING id, native_symbol
)
INSERT INTO public.symbol_raw (symbol_id, raw, digest, observed_at)
SELECT new.id, g.raw, g.digest, @observed_at::timestamptz
FROM new
JOIN jsonb_to_recordset(@specs::jsonb) AS g(native_symbol text, raw jsonb, digest text)
  ON g.native_symbol = new.native_symbol
WHERE g.raw IS NOT NULL
ON CONFLICT ON CONSTRAINT symbol_raw_pkey
DO UPDATE SET raw = excluded.raw, digest = excluded.digest, observed_at = excluded.observed_at;

-- name: UpdateSymbols :execrows
-- How many symbols of this exchange got this specification?
UPDATE public.symbols AS s
SET source = @source::text, observed_at = @observed_at::timestamptz,
    symbol = r.symbol, base = r.base, quote = r.quote, settle = r.settle, kind = r.kind, direction = r.direction,
    contract_size = r.contract_size, strike = r.strike, option_type = r.option_type, price_tick = r.price_tick,
    tick_assumed = r.tick_assumed, quantity_step = r.quantity_step, step_assumed = r.step_assumed, min_quantity =
    r.min_quantity, max_quantity = r.max_quantity, min_notional = r.min_notional, max_notional = r.max_notional,
    market_min_quantity = r.market_min_quantity, market_max_quantity = r.market_max_quantity, market_min_notional =
    r.market_min_notional, market_max_notional = r.market_max_notional, price_band_up = r.price_band_up,
    price_band_down = r.price_band_down, price_band_of = r.price_band_of, market_slip_ratio = r.market_slip_ratio,
    order_types = r.order_types, leverage_min = r.leverage_min, leverage_max = r.leverage_max, initial_margin_rate =
    r.initial_margin_rate, maintenance_margin_rate = r.maintenance_margin_rate, funding_interval =
    r.funding_interval, funding_cap = r.funding_cap, max_open_orders = r.max_open_orders, margin_allowed =
    r.margin_allowed, full_name = r.full_name, contract_address = r.contract_address, is_risky = r.is_risky,
    is_premarket = r.is_premarket, asset_class = r.asset_class, list_maker_fee = r.list_maker_fee, list_taker_fee =
    r.list_taker_fee, status = r.status, sides = r.sides, api_tradable = r.api_tradable, buy_opens_at =
    r.buy_opens_at, sell_opens_at = r.sell_opens_at, delisting_at = r.delisting_at, delisted_at = r.delisted_at,
    expires_at = r.expires_at, exchange_changed_at = r.exchange_changed_at
FROM jsonb_to_recordset(@specs::jsonb) AS r(
        id integer,
        symbol text, base text, quote text, settle text, kind text, direction text, contract_size numeric, strike
        numeric, option_type text, price_tick numeric, tick_assumed boolean, quantity_step numeric, step_assumed
        boolean, min_quantity numeric, max_quantity numeric, min_notional numeric, max_notional numeric,
        market_min_quantity numeric, market_max_quantity numeric, market_min_notional numeric, market_max_notional
        numeric, price_band_up numeric, price_band_down numeric, price_band_of text, market_slip_ratio numeric,
        order_types text[], leverage_min numeric, leverage_max numeric, initial_margin_rate numeric,
        maintenance_margin_rate numeric, funding_interval integer, funding_cap numeric, max_open_orders integer,
        margin_allowed boolean, full_name text, contract_address text, is_risky boolean, is_premarket boolean,
        asset_class text, list_maker_fee numeric, list_taker_fee numeric, status text, sides text, api_tradable
        boolean, buy_opens_at timestamptz, sell_opens_at timestamptz, delisting_at timestamptz, delisted_at
        timestamptz, expires_at timestamptz, exchange_changed_at timestamptz
)
WHERE s.id = r.id AND s.exchange_id = @exchange_id;

-- name: RecordSymbolRaw :execrows
-- Of how many symbols was the row of the payload written?
INSERT INTO public.symbol_raw (symbol_id, raw, digest, observed_at)
SELECT r.id, r.raw, r.digest, @observed_at::timestamptz
FROM jsonb_to_recordset(@rows::jsonb) AS r(id integer, raw jsonb, digest text)
ON CONFLICT ON CONSTRAINT symbol_raw_pkey
DO UPDATE SET raw = excluded.raw, digest = excluded.digest, observed_at = excluded.observed_at;
