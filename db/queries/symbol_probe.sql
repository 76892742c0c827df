-- The rows that `exchanges-db validate` writes to try the rules of symbols, in a transaction that is rolled back. Their
-- ids are negative and given: no id of a sequence is used.

-- name: GetProbePlace :one
-- At which exchange can a probe be made, under which id that no symbol, version, import or doubt has, and by which rights?
-- The id and the one below it depend on the session, so that probes of several sessions have nothing in common.
SELECT (SELECT min(e.id) FROM public.exchanges AS e)::integer AS exchange_id,
       (least((SELECT min(s.id) FROM public.symbols AS s), (SELECT min(h.symbol_id) FROM public.symbol_history AS h),
              (SELECT min(i.id) FROM public.symbol_imports AS i), (SELECT min(d.id) FROM public.symbol_doubts AS d), 0)
        - 2 * pg_backend_pid())::integer AS probe_id,
       has_table_privilege('public.symbols', 'DELETE')::boolean AS may_delete,
       has_table_privilege('public.symbol_doubts', 'INSERT')::boolean AS may_doubt,
       has_table_privilege('public.holds', 'INSERT')::boolean AS may_hold,
       has_table_privilege('public.symbol_imports', 'INSERT')::boolean AS may_import,
       (has_sequence_privilege(q.oid, 'USAGE, SELECT')
        AND greatest((SELECT max(s.id) FROM public.symbols AS s), (SELECT max(h.symbol_id) FROM public.symbol_history AS h), 0)
            > coalesce(pg_sequence_last_value(q.oid), 0))::boolean AS is_sequence_behind,
       set_config('lock_timeout', '1s', true)::text AS lock_timeout
FROM pg_catalog.pg_class AS q
WHERE q.oid = pg_get_serial_sequence('public.symbols', 'id')::regclass;

-- name: InsertProbeSymbol :one
-- Inserts a symbol as it stands in a JSON document, and returns its id.
INSERT INTO public.symbols
    (id, exchange_id, native_symbol, symbol, base, quote, settle, kind, direction, contract_size, strike, option_type,
     price_tick, tick_assumed, quantity_step, step_assumed, min_quantity, max_quantity, min_notional, max_notional,
     market_min_quantity, market_max_quantity, market_min_notional, market_max_notional, price_band_up,
     price_band_down, price_band_of, market_slip_ratio, order_types, leverage_min, leverage_max, initial_margin_rate,
     maintenance_margin_rate, funding_interval, funding_cap, max_open_orders, margin_allowed, full_name,
     contract_address, is_risky, is_premarket, asset_class, list_maker_fee, list_taker_fee, status, sides,
     api_tradable, buy_opens_at, sell_opens_at, delisting_at, delisted_at, expires_at, exchange_changed_at, source,
     observed_at)
OVERRIDING SYSTEM VALUE
SELECT r.id, r.exchange_id, r.native_symbol, r.symbol, r.base, r.quote, r.settle, r.kind, r.direction, r.contract_size,
    r.strike, r.option_type, r.price_tick, r.tick_assumed, r.quantity_step, r.step_assumed, r.min_quantity,
    r.max_quantity, r.min_notional, r.max_notional, r.market_min_quantity, r.market_max_quantity,
    r.market_min_notional, r.market_max_notional, r.price_band_up, r.price_band_down, r.price_band_of,
    r.market_slip_ratio, r.order_types, r.leverage_min, r.leverage_max, r.initial_margin_rate,
    r.maintenance_margin_rate, r.funding_interval, r.funding_cap, r.max_open_orders, r.margin_allowed, r.full_name,
    r.contract_address, r.is_risky, r.is_premarket, r.asset_class, r.list_maker_fee, r.list_taker_fee, r.status,
    r.sides, r.api_tradable, r.buy_opens_at, r.sell_opens_at, r.delisting_at, r.delisted_at, r.expires_at,
    r.exchange_changed_at, r.source, r.observed_at
FROM jsonb_to_record(@spec::jsonb) AS r(
    id integer, exchange_id smallint, native_symbol text, symbol text, base text, quote text, settle text, kind text,
    direction text, contract_size numeric, strike numeric, option_type text, price_tick numeric, tick_assumed boolean,
    quantity_step numeric, step_assumed boolean, min_quantity numeric, max_quantity numeric, min_notional numeric,
    max_notional numeric, market_min_quantity numeric, market_max_quantity numeric, market_min_notional numeric,
    market_max_notional numeric, price_band_up numeric, price_band_down numeric, price_band_of text,
    market_slip_ratio numeric, order_types text[], leverage_min numeric, leverage_max numeric,
    initial_margin_rate numeric, maintenance_margin_rate numeric, funding_interval integer, funding_cap numeric,
    max_open_orders integer, margin_allowed boolean, full_name text, contract_address text, is_risky boolean,
    is_premarket boolean, asset_class text, list_maker_fee numeric, list_taker_fee numeric, status text, sides text,
    api_tradable boolean, buy_opens_at timestamptz, sell_opens_at timestamptz, delisting_at timestamptz,
    delisted_at timestamptz, expires_at timestamptz, exchange_changed_at timestamptz, source text,
    observed_at timestamptz
)
RETURNING id;

-- name: UpdateProbeTick :one
-- Gives the symbol another tick, and returns what the database made of it.
UPDATE public.symbols AS s SET price_tick = @price_tick WHERE s.id = @id
RETURNING s.spec_version, s.created_at, s.updated_at, s.price_decimals,
          (s.spec_hash = public.symbol_spec_hash(s.*))::boolean AS is_hashed;

-- name: UpdateProbeName :execrows
-- Tries to give the symbol another native name, which the database refuses.
UPDATE public.symbols AS s SET native_symbol = @native_symbol WHERE s.id = @id;

-- name: GetProbeAnswer :one
-- What do look-ups read of the symbol, with doubts and holds?
SELECT r.price_tick, r.is_live, r.doubt, r.held_sides, r.hold_reason
FROM public.symbol_rows AS r
WHERE r.id = @id;

-- name: ListProbeVersions :many
-- Which versions are in the history of the symbol, from when to when, and what ended them?
SELECT h.spec_version, lower(h.valid)::timestamptz AS valid_from, upper(h.valid)::timestamptz AS valid_to,
       h.price_tick, h.operation
FROM public.symbol_history AS h
WHERE h.symbol_id = @id
ORDER BY h.spec_version;

-- name: InsertProbeDoubt :execrows
-- Puts the symbol in doubt.
INSERT INTO public.symbol_doubts (id, symbol_id, brake, reason, since)
OVERRIDING SYSTEM VALUE
VALUES (@id, @symbol_id, @brake, @reason, clock_timestamp());

-- name: CountProbeDoubts :one
-- In how many doubts is the symbol that have not ended?
SELECT count(*)::bigint AS doubts FROM public.symbol_doubts AS d WHERE d.symbol_id = @symbol_id AND d.ended_at IS NULL;

-- name: InsertProbeHold :execrows
-- Holds the symbol. No hold is released here: that would use an id of hold_history.
INSERT INTO public.holds (exchange_id, native_symbol, sides, reason)
VALUES (@exchange_id, @native_symbol, @sides, @reason);

-- name: InsertProbeImport :one
-- Notes an import that was refused, and returns who is said to have made it.
INSERT INTO public.symbol_imports (id, exchange_id, exchange, outcome, began_at)
OVERRIDING SYSTEM VALUE
VALUES (@id, @exchange_id, @exchange, @outcome, clock_timestamp())
RETURNING imported_by, (imported_by = session_user)::boolean AS is_session_user;

-- name: DeleteProbeImport :execrows
-- Tries to delete it again, which the database refuses.
DELETE FROM public.symbol_imports AS i WHERE i.id = @id;

-- name: DeleteProbeSymbol :execrows
-- Deletes the symbol.
DELETE FROM public.symbols AS s WHERE s.id = @id;
