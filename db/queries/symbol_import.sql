-- An import: what is known of one list of an exchange, and the statements that change it.
-- New rows are passed as JSON documents, whose numbers are text or JSON numbers, so exact.

-- name: GetImportClock :one
-- Which id has this exchange, and what does the server's clock say?
SELECT e.id, clock_timestamp()::timestamptz AS asked_at
FROM public.exchanges AS e
WHERE e.enum_value = @enum_value;

-- name: TryLockSymbolImport :one
-- Does no other import of this exchange run, so that others wait until this transaction ends.
SELECT pg_try_advisory_xact_lock(@lock_class::integer, @exchange_id::integer)::boolean AS locked;

-- name: GetTransactionIsolation :one
-- How is this transaction isolated from others?
SELECT current_setting('transaction_isolation')::text AS isolation;

-- name: ListImportsRunning :many
-- Which sessions keep the lock of this exchange: whose are they, since when, and do they import?
-- Since when is NULL to a role that may not see the sessions of others.
SELECT l.pid::integer AS pid, (l.mode = 'ExclusiveLock')::boolean AS imports, a.usename::text AS user_name,
       a.application_name::text AS application_name, a.xact_start::timestamptz AS since
FROM pg_catalog.pg_locks AS l
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
  AND l.classid::bigint = @lock_class::bigint AND l.objid::bigint = @exchange_id::bigint
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
ORDER BY l.pid;

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
        sqlc.narg(changed_at)::timestamptz, clock_timestamp(), CASE WHEN @confirmed::boolean THEN 1 ELSE 0 END)
ON CONFLICT ON CONSTRAINT symbol_lists_list_key
DO UPDATE SET source = excluded.source, observed_at = excluded.observed_at,
              changed_at = coalesce(excluded.changed_at, l.changed_at), imported_at = excluded.imported_at,
              confirmations = l.confirmations + excluded.confirmations;

-- name: GetImportMoment :one
-- From when on can changes of this exchange hold: now, and later than everything that is known of it already?
SELECT greatest(
    clock_timestamp(),
    (SELECT max(s.updated_at) + interval '1 microsecond' FROM public.symbols AS s WHERE s.exchange_id = @exchange_id),
    (SELECT max(upper(h.valid)) + interval '1 microsecond'
     FROM public.symbol_history AS h WHERE h.exchange_id = @exchange_id),
    (SELECT max(i.moment) + interval '1 microsecond'
     FROM public.symbol_imports AS i WHERE i.exchange_id = @exchange_id AND i.moment IS NOT NULL)
)::timestamptz AS moment, clock_timestamp()::timestamptz AS asked_at;

-- name: PinImportMoment :exec
-- Has what this transaction writes to symbols hold from one moment on; none is given to end that.
SELECT set_config(
    'exchanges_db.moment',
    coalesce(to_char(sqlc.narg(moment)::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00', ''), true);

-- name: GetKnownKeys :one
-- Which symbols of this exchange are known, oldest first, and what tells whether a list says something else of them?
-- Of each, as one JSON document, because decoding that takes a tenth of the time that as many records take: id, native
-- symbol, 0 dead, 1 live in another list, 2 live in this one, 3 known by name only, version, digest of its stored row of
-- a payload, and digest of what was read, without one where the row was changed since.
SELECT coalesce(
    json_agg(
        json_build_array(
            s.id, s.native_symbol,
            CASE WHEN s.status IS NULL THEN 3 WHEN NOT s.is_live THEN 0
                 WHEN s.kind = @kind::text AND (sqlc.narg(settle)::text IS NULL OR s.settle = sqlc.narg(settle)::text)
                  AND (sqlc.narg(underlying)::text IS NULL OR s.base || '_' || s.quote = sqlc.narg(underlying)::text)
                 THEN 2 ELSE 1 END,
            s.spec_version, r.digest,
            CASE WHEN s.spec_hash = public.symbol_spec_hash(s) THEN s.read_digest END
        )
        ORDER BY s.id
    ),
    '[]'
)::text AS keys
FROM public.symbols AS s
LEFT JOIN public.symbol_raw AS r ON r.symbol_id = s.id
WHERE s.exchange_id = @exchange_id;

-- name: GetKnownSymbols :one
-- What is known of these symbols, oldest first?
-- Times are in UTC whatever the session's time zone, in the form of the pattern iso.
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
            s.list_taker_fee, s.status, s.sides, s.api_tradable, to_char(s.buy_opens_at AT TIME ZONE 'UTC',
            @iso::text), to_char(s.sell_opens_at AT TIME ZONE 'UTC', @iso::text), to_char(s.delisting_at AT TIME
            ZONE 'UTC', @iso::text), to_char(s.delisted_at AT TIME ZONE 'UTC', @iso::text), to_char(s.expires_at AT
            TIME ZONE 'UTC', @iso::text), to_char(s.exchange_changed_at AT TIME ZONE 'UTC', @iso::text), s.id,
            r.digest
        )
        ORDER BY s.id
    ),
    '[]'
)::text AS symbols
FROM public.symbols AS s
LEFT JOIN public.symbol_raw AS r ON r.symbol_id = s.id
WHERE s.id = ANY (@ids::integer[]) AND s.status IS NOT NULL;

-- name: GetRecentSymbols :one
-- What did hold of these symbols since then, and holds no longer, in the form of GetKnownSymbols?
SELECT coalesce(
    json_agg(
        json_build_array(
            h.native_symbol, h.symbol, h.base, h.quote, h.settle, h.kind, h.direction, h.contract_size, h.strike,
            h.option_type, h.price_tick, h.tick_assumed, h.quantity_step, h.step_assumed, h.min_quantity,
            h.max_quantity, h.min_notional, h.max_notional, h.market_min_quantity, h.market_max_quantity,
            h.market_min_notional, h.market_max_notional, h.price_band_up, h.price_band_down, h.price_band_of,
            h.market_slip_ratio, h.order_types, h.leverage_min, h.leverage_max, h.initial_margin_rate,
            h.maintenance_margin_rate, h.funding_interval, h.funding_cap, h.max_open_orders, h.margin_allowed,
            h.full_name, h.contract_address, h.is_risky, h.is_premarket, h.asset_class, h.list_maker_fee,
            h.list_taker_fee, h.status, h.sides, h.api_tradable, to_char(h.buy_opens_at AT TIME ZONE 'UTC',
            @iso::text), to_char(h.sell_opens_at AT TIME ZONE 'UTC', @iso::text), to_char(h.delisting_at AT TIME
            ZONE 'UTC', @iso::text), to_char(h.delisted_at AT TIME ZONE 'UTC', @iso::text), to_char(h.expires_at AT
            TIME ZONE 'UTC', @iso::text), to_char(h.exchange_changed_at AT TIME ZONE 'UTC', @iso::text),
            h.symbol_id, NULL::text
        )
        ORDER BY h.symbol_id, h.spec_version
    ),
    '[]'
)::text AS symbols
FROM public.symbol_history AS h
WHERE h.symbol_id = ANY (@ids::integer[])
  AND upper(h.valid) > @since::timestamptz;

-- name: InsertSymbols :one
-- Which ids have the symbols of this exchange that were inserted, as one JSON object by native symbol?
-- With the moment that the transaction has pinned, and with the hash that symbol_spec_hash gives for them: no trigger
-- has to look at single rows.
WITH new AS (
    INSERT INTO public.symbols
    (exchange_id, source, observed_at, created_at, updated_at, read_digest, spec_hash,
    native_symbol, symbol, base, quote, settle, kind, direction, contract_size, strike, option_type, price_tick,
    tick_assumed, quantity_step, step_assumed, min_quantity, max_quantity, min_notional, max_notional,
    market_min_quantity, market_max_quantity, market_min_notional, market_max_notional, price_band_up,
    price_band_down, price_band_of, market_slip_ratio, order_types, leverage_min, leverage_max, initial_margin_rate,
    maintenance_margin_rate, funding_interval, funding_cap, max_open_orders, margin_allowed, full_name,
    contract_address, is_risky, is_premarket, asset_class, list_maker_fee, list_taker_fee, status, sides,
    api_tradable, buy_opens_at, sell_opens_at, delisting_at, delisted_at, expires_at, exchange_changed_at)
    SELECT @exchange_id::smallint, @source::text, @observed_at::timestamptz, @moment::timestamptz,
        @moment::timestamptz, r.read_digest, hash_record_extended(ROW(
            r.native_symbol, r.symbol, r.base, r.quote, r.settle, r.kind, r.direction, r.contract_size, r.strike,
            r.option_type, r.price_tick, r.tick_assumed, r.quantity_step, r.step_assumed, r.min_quantity,
            r.max_quantity, r.min_notional, r.max_notional, r.market_min_quantity, r.market_max_quantity,
            r.market_min_notional, r.market_max_notional, r.price_band_up, r.price_band_down, r.price_band_of,
            r.market_slip_ratio, r.order_types, r.leverage_min, r.leverage_max, r.initial_margin_rate,
            r.maintenance_margin_rate, r.funding_interval, r.funding_cap, r.max_open_orders, r.margin_allowed,
            r.full_name, r.contract_address, r.is_risky, r.is_premarket, r.asset_class, r.list_maker_fee,
            r.list_taker_fee, r.status, r.sides, r.api_tradable, r.buy_opens_at, r.sell_opens_at, r.delisting_at,
            r.delisted_at, r.expires_at, r.exchange_changed_at), 0),
        r.native_symbol, r.symbol, r.base, r.quote, r.settle, r.kind, r.direction, r.contract_size, r.strike,
        r.option_type, r.price_tick, r.tick_assumed, r.quantity_step, r.step_assumed, r.min_quantity,
        r.max_quantity, r.min_notional, r.max_notional, r.market_min_quantity, r.market_max_quantity,
        r.market_min_notional, r.market_max_notional, r.price_band_up, r.price_band_down, r.price_band_of,
        r.market_slip_ratio, r.order_types, r.leverage_min, r.leverage_max, r.initial_margin_rate,
        r.maintenance_margin_rate, r.funding_interval, r.funding_cap, r.max_open_orders, r.margin_allowed,
        r.full_name, r.contract_address, r.is_risky, r.is_premarket, r.asset_class, r.list_maker_fee,
        r.list_taker_fee, r.status, r.sides, r.api_tradable, r.buy_opens_at, r.sell_opens_at, r.delisting_at,
        r.delisted_at, r.expires_at, r.exchange_changed_at
    FROM json_to_recordset(@specs::json) AS r(
        read_digest text, native_symbol text, symbol text, base text, quote text, settle text, kind text, direction
        text, contract_size numeric, strike numeric, option_type text, price_tick numeric, tick_assumed boolean,
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
SELECT coalesce(json_object_agg(new.native_symbol, new.id), '{}')::text AS ids FROM new;

-- name: UpdateSymbols :execrows
-- How many symbols of this exchange, of those that still have the version they had, got this specification?
UPDATE public.symbols AS s
SET source = @source::text, observed_at = @observed_at::timestamptz, read_digest = r.read_digest,
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
FROM json_to_recordset(@specs::json) AS r(
    id integer, spec_version integer, read_digest text, symbol text, base text, quote text, settle text, kind text,
    direction text, contract_size numeric, strike numeric, option_type text, price_tick numeric, tick_assumed
    boolean, quantity_step numeric, step_assumed boolean, min_quantity numeric, max_quantity numeric, min_notional
    numeric, max_notional numeric, market_min_quantity numeric, market_max_quantity numeric, market_min_notional
    numeric, market_max_notional numeric, price_band_up numeric, price_band_down numeric, price_band_of text,
    market_slip_ratio numeric, order_types text[], leverage_min numeric, leverage_max numeric, initial_margin_rate
    numeric, maintenance_margin_rate numeric, funding_interval integer, funding_cap numeric, max_open_orders
    integer, margin_allowed boolean, full_name text, contract_address text, is_risky boolean, is_premarket boolean,
    asset_class text, list_maker_fee numeric, list_taker_fee numeric, status text, sides text, api_tradable boolean,
    buy_opens_at timestamptz, sell_opens_at timestamptz, delisting_at timestamptz, delisted_at timestamptz,
    expires_at timestamptz, exchange_changed_at timestamptz
)
WHERE s.id = r.id AND s.spec_version = r.spec_version AND s.exchange_id = @exchange_id;

-- name: SetReadDigests :execrows
-- Of how many symbols, of those that still have the version they had, is known now what its reader gives?
UPDATE public.symbols AS s
SET read_digest = r.digest
FROM json_to_recordset(@digests::json) AS r(id integer, spec_version integer, digest text)
WHERE s.id = r.id AND s.spec_version = r.spec_version AND s.exchange_id = @exchange_id;

-- name: GetWorthRecording :one
-- Has an announced time of a live symbol of this list come after one observation of it and by another, or has the ledger
-- no import of it that was applied, as after an upgrade?
SELECT (NOT EXISTS (
    SELECT FROM public.symbol_imports AS i
    WHERE i.exchange_id = @exchange_id AND i.outcome = 'APPLIED' AND i.kind = @kind::text
      AND i.settle IS NOT DISTINCT FROM sqlc.narg(settle)::text
      AND i.underlying IS NOT DISTINCT FROM sqlc.narg(underlying)::text
) OR EXISTS (
    SELECT FROM public.symbols AS s
    WHERE s.exchange_id = @exchange_id AND s.is_live AND s.kind = @kind::text
      AND (sqlc.narg(settle)::text IS NULL OR s.settle = sqlc.narg(settle)::text)
      AND (sqlc.narg(underlying)::text IS NULL OR s.base || '_' || s.quote = sqlc.narg(underlying)::text)
      AND ((s.buy_opens_at > @after::timestamptz AND s.buy_opens_at <= @observed_at::timestamptz)
           OR (s.sell_opens_at > @after::timestamptz AND s.sell_opens_at <= @observed_at::timestamptz)
           OR (s.delisting_at > @after::timestamptz AND s.delisting_at <= @observed_at::timestamptz)
           OR (s.delisted_at > @after::timestamptz AND s.delisted_at <= @observed_at::timestamptz))
))::boolean AS is_new;

-- name: RecordSymbolRaw :execrows
-- Of how many symbols was the row of the payload written?
INSERT INTO public.symbol_raw (symbol_id, raw, digest, observed_at)
SELECT unnest(@ids::integer[]), unnest(@raws::text[])::jsonb, unnest(@digests::text[]), @observed_at::timestamptz
ON CONFLICT ON CONSTRAINT symbol_raw_pkey
DO UPDATE SET raw = excluded.raw, digest = excluded.digest, observed_at = excluded.observed_at;

-- name: ListOpenDoubts :many
-- Which symbols of this list are in doubt, and by which brake?
SELECT d.symbol_id, d.brake
FROM public.symbol_doubts AS d
JOIN public.symbols AS s ON s.id = d.symbol_id
WHERE d.ended_at IS NULL AND s.exchange_id = @exchange_id AND s.kind = @kind::text
  AND (sqlc.narg(settle)::text IS NULL OR s.settle = sqlc.narg(settle)::text)
  AND (sqlc.narg(underlying)::text IS NULL OR s.base || '_' || s.quote = sqlc.narg(underlying)::text);

-- name: RecordDoubtsEnded :execrows
-- How many of these symbols are believed again?
UPDATE public.symbol_doubts AS d
SET ended_at = greatest(@moment::timestamptz, d.since)
WHERE d.ended_at IS NULL AND d.symbol_id = ANY (@ids::integer[]);

-- name: InsertDoubts :execrows
-- How many symbols are in doubt from this moment on?
INSERT INTO public.symbol_doubts (symbol_id, brake, reason, since)
SELECT r.id, r.brake, r.reason, @moment::timestamptz
FROM json_to_recordset(@doubts::json) AS r(id integer, brake text, reason text);
