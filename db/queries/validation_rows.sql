-- What `exchanges-db validate` asks of the rows: whether they are what the triggers wrote, and whether they can be read.
-- Each query names some of what it finds, and in `found` says how many there are.

-- name: ListAlteredSymbols :many
-- Which symbols were changed past the triggers: another specification than was written, or a version or time that does
-- not follow the history?
WITH ended AS (
    SELECT h.symbol_id, max(h.spec_version) AS spec_version, max(upper(h.valid)) AS ended_at
    FROM public.symbol_history AS h
    GROUP BY h.symbol_id
), altered AS (
    SELECT s.id, s.exchange_id, s.native_symbol,
           CASE WHEN s.spec_hash IS DISTINCT FROM public.symbol_spec_hash(s.*)
                THEN 'its specification is not the one that was written'
                WHEN s.spec_version <> coalesce(p.spec_version, 0) + 1
                     AND NOT (p.symbol_id IS NULL AND @is_pruned::boolean)
                THEN 'its version is ' || s.spec_version || ', and that of its history ' || coalesce(p.spec_version, 0)
                WHEN s.updated_at < p.ended_at THEN 'it holds from before its last version ended'
                WHEN s.created_at > s.updated_at THEN 'it was changed before it was made'
                WHEN s.updated_at > clock_timestamp() + interval '1 day' THEN 'it was changed in the future'
                WHEN s.observed_at > clock_timestamp() + interval '1 day' THEN 'it was observed in the future' END AS fault
    FROM public.symbols AS s
    LEFT JOIN ended AS p ON p.symbol_id = s.id
)
SELECT coalesce(e.enum_value, 'exchange ' || a.exchange_id)::text AS exchange, a.native_symbol, a.fault::text AS fault,
       (count(*) OVER ())::bigint AS found
FROM altered AS a
LEFT JOIN public.exchanges AS e ON e.id = a.exchange_id
WHERE a.fault IS NOT NULL
ORDER BY a.id
LIMIT 3;

-- name: ListAlteredExchanges :many
-- Which exchanges are not what the last change in their history made of them?
SELECT e.enum_value AS exchange,
       (CASE WHEN h.id IS NULL THEN 'it has no history'
             WHEN h.new_row IS NULL THEN 'its history says that it was deleted'
             WHEN h.version <> e.version THEN 'its version is ' || e.version || ', and that of its history ' || h.version
             WHEN h.changed_at <> e.updated_at THEN 'it was changed at another time than its history says'
             ELSE 'its values are not those of its last change' END)::text AS fault,
       (count(*) OVER ())::bigint AS found
FROM public.exchanges AS e
LEFT JOIN LATERAL (
    SELECT c.id, c.version, c.changed_at, c.new_row
    FROM public.exchange_history AS c
    WHERE c.exchange_id = e.id
    ORDER BY c.changed_at DESC, c.id DESC
    LIMIT 1
) AS h ON true
WHERE h.new_row IS DISTINCT FROM to_jsonb(e.*) OR h.version <> e.version OR h.changed_at <> e.updated_at
ORDER BY e.id
LIMIT 3;

-- name: ListBrokenSymbolHistories :many
-- In which symbols' histories is a version missing, or a time of which nothing is known?
WITH versions AS (
    SELECT h.symbol_id, h.exchange_id, h.native_symbol, h.spec_version, h.valid, h.operation,
           lag(h.spec_version) OVER one AS earlier, lag(h.operation) OVER one AS earlier_operation,
           lag(upper(h.valid)) OVER one AS earlier_end, lead(h.spec_version) OVER one AS later,
           lead(h.exchange_id) OVER one AS later_exchange, lead(h.native_symbol) OVER one AS later_name
    FROM public.symbol_history AS h
    WINDOW one AS (PARTITION BY h.symbol_id ORDER BY h.spec_version)
), broken AS (
    SELECT v.symbol_id, v.exchange_id, v.native_symbol, v.spec_version,
           CASE WHEN v.earlier IS NULL AND v.spec_version > 1 AND NOT @is_pruned::boolean
                THEN 'what was before version ' || v.spec_version || ' is missing'
                WHEN v.spec_version > v.earlier + 1
                THEN 'between the versions ' || v.earlier || ' and ' || v.spec_version || ' one is missing'
                WHEN lower(v.valid) < v.earlier_end THEN 'version ' || v.spec_version || ' begins before the one before it ended'
                WHEN v.earlier_operation = 'UPDATE' AND lower(v.valid) > v.earlier_end
                THEN 'between the versions ' || v.earlier || ' and ' || v.spec_version || ' nothing is known for a time'
                WHEN v.operation = 'UPDATE'
                     AND (coalesce(v.later_exchange, s.exchange_id) <> v.exchange_id
                          OR coalesce(v.later_name, s.native_symbol) <> v.native_symbol)
                THEN 'version ' || v.spec_version || ' has another exchange or name than what followed it'
                WHEN v.later IS NULL AND v.operation = 'UPDATE' AND s.id IS NULL
                THEN 'version ' || v.spec_version || ' was changed, and the symbol is gone past the triggers'
                WHEN v.later IS NULL AND v.operation = 'UPDATE' AND s.updated_at > upper(v.valid)
                THEN 'after version ' || v.spec_version || ' nothing is known for a time' END AS fault
    FROM versions AS v
    LEFT JOIN public.symbols AS s ON s.id = v.symbol_id
)
SELECT coalesce(e.enum_value, 'exchange ' || b.exchange_id)::text AS exchange, b.native_symbol, b.fault::text AS fault,
       (count(*) OVER ())::bigint AS found
FROM broken AS b
LEFT JOIN public.exchanges AS e ON e.id = b.exchange_id
WHERE b.fault IS NOT NULL
ORDER BY b.symbol_id, b.spec_version
LIMIT 3;

-- name: ListBrokenExchangeHistories :many
-- In which exchanges' histories is a change missing, or does one not follow from the one before it?
WITH changes AS (
    SELECT h.exchange_id, h.id, h.operation, h.version, h.changed_at, h.old_row, h.new_row,
           lag(h.id) OVER one AS earlier, lag(h.operation) OVER one AS earlier_operation,
           lag(h.version) OVER one AS earlier_version, lag(h.changed_at) OVER one AS earlier_at,
           lag(h.new_row) OVER one AS earlier_row, lead(h.id) OVER one AS later
    FROM public.exchange_history AS h
    WINDOW one AS (PARTITION BY h.exchange_id ORDER BY h.id)
), broken AS (
    SELECT c.exchange_id, c.id,
           CASE WHEN c.earlier IS NULL AND c.operation NOT IN ('INSERT', 'SNAPSHOT') AND NOT @is_pruned::boolean
                THEN 'what was before version ' || c.version || ' is missing'
                WHEN c.earlier IS NULL THEN NULL
                WHEN c.operation IN ('INSERT', 'SNAPSHOT') AND c.earlier_operation NOT IN ('DELETE', 'TRUNCATE')
                THEN 'that it was deleted is missing'
                WHEN c.operation = 'UPDATE' AND c.version <> c.earlier_version + 1
                     OR c.operation IN ('DELETE', 'TRUNCATE') AND c.version <> c.earlier_version
                THEN 'between the versions ' || c.earlier_version || ' and ' || c.version || ' a change is missing'
                WHEN c.operation NOT IN ('INSERT', 'SNAPSHOT') AND c.old_row IS DISTINCT FROM c.earlier_row
                THEN 'version ' || c.version || ' does not follow from the change before it'
                WHEN c.changed_at < c.earlier_at THEN 'version ' || c.version || ' was made before the one before it'
                END AS gap,
           CASE WHEN c.later IS NULL AND c.new_row IS NOT NULL AND e.id IS NULL
                THEN 'it is gone past the triggers'
                WHEN c.changed_at > clock_timestamp() + interval '1 day' THEN 'it was changed in the future' END AS fault
    FROM changes AS c
    LEFT JOIN public.exchanges AS e ON e.id = c.exchange_id
)
SELECT coalesce(e.enum_value, 'the exchange with the id ' || b.exchange_id)::text AS exchange,
       coalesce(b.gap, b.fault)::text AS fault, (count(*) OVER ())::bigint AS found
FROM broken AS b
LEFT JOIN public.exchanges AS e ON e.id = b.exchange_id
WHERE b.gap IS NOT NULL OR b.fault IS NOT NULL
ORDER BY b.exchange_id, b.id
LIMIT 3;

-- name: ListBrokenHoldHistories :many
-- Which holds begin before the one before them ended?
WITH held AS (
    SELECT h.exchange_id, h.native_symbol, h.held_at, h.ended_at FROM public.hold_history AS h
    UNION ALL
    SELECT o.exchange_id, o.native_symbol, o.held_at, NULL FROM public.holds AS o
), followed AS (
    SELECT h.exchange_id, h.native_symbol, h.held_at,
           lag(h.ended_at) OVER (PARTITION BY h.exchange_id, h.native_symbol ORDER BY h.ended_at, h.held_at) AS earlier_end
    FROM held AS h
)
SELECT coalesce(e.enum_value, 'exchange ' || f.exchange_id)::text AS exchange,
       coalesce(f.native_symbol, 'the whole exchange')::text AS native_symbol, (count(*) OVER ())::bigint AS found
FROM followed AS f
LEFT JOIN public.exchanges AS e ON e.id = f.exchange_id
WHERE f.held_at < f.earlier_end
ORDER BY 1, 2
LIMIT 3;

-- name: ListUnreadableSymbols :many
-- Which symbols, and which of their versions, hold a value that no symbol has, so that nobody can read them?
WITH rows_of AS (
    SELECT s.id, s.exchange_id, s.native_symbol, s.spec_version, s.symbol, s.kind, s.direction, s.option_type, s.status,
           s.sides, s.price_band_of, s.asset_class, s.order_types, s.price_decimals, s.quantity_decimals, s.is_live,
           s.price_tick, s.quantity_step, s.created_at, s.updated_at AS valid_from, 'infinity'::timestamptz AS valid_to,
           least(s.buy_opens_at, s.sell_opens_at, s.delisting_at, s.delisted_at, s.expires_at, s.exchange_changed_at,
                 s.observed_at) AS earliest,
           greatest(s.buy_opens_at, s.sell_opens_at, s.delisting_at, s.delisted_at, s.expires_at, s.exchange_changed_at,
                    s.observed_at) AS latest,
           greatest(abs(s.contract_size), abs(s.strike), abs(s.price_tick), abs(s.quantity_step), abs(s.min_quantity),
                    abs(s.max_quantity), abs(s.min_notional), abs(s.max_notional), abs(s.market_min_quantity),
                    abs(s.market_max_quantity), abs(s.market_min_notional), abs(s.market_max_notional),
                    abs(s.price_band_up), abs(s.price_band_down), abs(s.market_slip_ratio), abs(s.leverage_min),
                    abs(s.leverage_max), abs(s.initial_margin_rate), abs(s.maintenance_margin_rate), abs(s.funding_cap),
                    abs(s.list_maker_fee), abs(s.list_taker_fee)) AS largest
    FROM public.symbols AS s
    WHERE s.status IS NOT NULL
    UNION ALL
    SELECT h.symbol_id, h.exchange_id, h.native_symbol, h.spec_version, h.symbol, h.kind, h.direction, h.option_type,
           h.status, h.sides, h.price_band_of, h.asset_class, h.order_types, h.price_decimals, h.quantity_decimals,
           h.is_live, h.price_tick, h.quantity_step, h.created_at, lower(h.valid), upper(h.valid),
           least(h.buy_opens_at, h.sell_opens_at, h.delisting_at, h.delisted_at, h.expires_at, h.exchange_changed_at,
                 h.observed_at),
           greatest(h.buy_opens_at, h.sell_opens_at, h.delisting_at, h.delisted_at, h.expires_at, h.exchange_changed_at,
                    h.observed_at),
           greatest(abs(h.contract_size), abs(h.strike), abs(h.price_tick), abs(h.quantity_step), abs(h.min_quantity),
                    abs(h.max_quantity), abs(h.min_notional), abs(h.max_notional), abs(h.market_min_quantity),
                    abs(h.market_max_quantity), abs(h.market_min_notional), abs(h.market_max_notional),
                    abs(h.price_band_up), abs(h.price_band_down), abs(h.market_slip_ratio), abs(h.leverage_min),
                    abs(h.leverage_max), abs(h.initial_margin_rate), abs(h.maintenance_margin_rate), abs(h.funding_cap),
                    abs(h.list_maker_fee), abs(h.list_taker_fee))
    FROM public.symbol_history AS h
), unreadable AS (
    SELECT r.id, r.exchange_id, r.native_symbol, r.spec_version,
           CASE WHEN r.kind <> ALL(@kinds::text[]) THEN 'its kind is ' || quote_literal(r.kind)
                WHEN r.direction <> ALL(@directions::text[]) THEN 'its direction is ' || quote_literal(r.direction)
                WHEN r.option_type <> ALL(@option_types::text[]) THEN 'its option_type is ' || quote_literal(r.option_type)
                WHEN r.status <> ALL(@statuses::text[]) THEN 'its status is ' || quote_literal(r.status)
                WHEN r.sides <> ALL(@sides::text[]) THEN 'its sides are ' || quote_literal(r.sides)
                WHEN r.price_band_of <> ALL(@price_references::text[]) THEN 'its price_band_of is ' || quote_literal(r.price_band_of)
                WHEN r.asset_class <> ALL(@asset_classes::text[]) THEN 'its asset_class is ' || quote_literal(r.asset_class)
                WHEN NOT r.order_types <@ @order_types::text[] THEN 'it has an order type that is not known'
                WHEN r.native_symbol = '' OR r.symbol = '' THEN 'it has no name'
                WHEN r.earliest < '1970-01-01 00:00:00+00' OR r.latest >= '9999-12-31 00:00:00+00'
                     OR r.created_at < '1970-01-01 00:00:00+00' OR r.created_at >= '9999-12-31 00:00:00+00'
                     OR r.valid_from < '1970-01-01 00:00:00+00' OR r.valid_from >= '9999-12-31 00:00:00+00'
                     OR r.valid_to < r.valid_from OR (r.valid_to >= '9999-12-31 00:00:00+00' AND r.valid_to < 'infinity')
                THEN 'it has a time before 1970 or after 9999'
                WHEN r.largest >= 'Infinity' THEN 'it has a number that is none or infinite'
                WHEN r.price_decimals IS DISTINCT FROM min_scale(r.price_tick)
                     OR r.quantity_decimals IS DISTINCT FROM min_scale(r.quantity_step)
                     OR r.is_live IS DISTINCT FROM (r.status NOT IN ('DELISTED', 'EXPIRED'))
                THEN 'its decimals or is_live do not follow from its tick, step and status' END AS fault
    FROM rows_of AS r
)
SELECT coalesce(e.enum_value, 'exchange ' || u.exchange_id)::text AS exchange, u.native_symbol, u.spec_version,
       u.fault::text AS fault, (count(*) OVER ())::bigint AS found
FROM unreadable AS u
LEFT JOIN public.exchanges AS e ON e.id = u.exchange_id
WHERE u.fault IS NOT NULL
ORDER BY u.id, u.spec_version
LIMIT 3;

-- name: ListUnreadableExchangeChanges :many
-- Which changes of exchanges hold a row that is none?
SELECT h.exchange_id, h.version, h.operation, (count(*) OVER ())::bigint AS found
FROM public.exchange_history AS h
WHERE NOT isfinite(h.changed_at)
   OR h.new_row IS NOT NULL AND (jsonb_typeof(h.new_row) <> 'object' OR NOT jsonb_exists_all(h.new_row, @fields::text[])
                                 OR (h.new_row ->> 'market_type') <> ALL(@market_types::text[])
                                 OR (h.new_row ->> 'version') <> h.version::text
                                 OR (h.new_row ->> 'id') <> h.exchange_id::text)
   OR h.old_row IS NOT NULL AND (jsonb_typeof(h.old_row) <> 'object' OR NOT jsonb_exists_all(h.old_row, @fields::text[])
                                 OR (h.old_row ->> 'market_type') <> ALL(@market_types::text[])
                                 OR (h.old_row ->> 'id') <> h.exchange_id::text)
ORDER BY h.id
LIMIT 3;

-- name: ListMisplacedSymbols :many
-- Which kinds of symbols have exchanges whose market type does not fit them, and how many of each?
SELECT e.enum_value AS exchange, e.market_type, s.kind::text AS kind, count(*)::bigint AS symbols,
       min(s.native_symbol)::text AS native_symbol
FROM public.symbols AS s
JOIN public.exchanges AS e ON e.id = s.exchange_id
WHERE NOT EXISTS (SELECT FROM unnest(@fitting::text[]) AS f (one) WHERE f.one = e.market_type || ' ' || s.kind)
  AND s.kind IS NOT NULL
GROUP BY e.enum_value, e.market_type, s.kind
ORDER BY 1, 3
LIMIT 3;

-- name: ListStrayRows :many
-- Which rows belong to an exchange or symbol that is not there?
SELECT 'symbols'::text AS table_name, count(*)::bigint AS found, min(s.native_symbol)::text AS example
FROM public.symbols AS s
WHERE NOT EXISTS (SELECT FROM public.exchanges AS e WHERE e.id = s.exchange_id)
HAVING count(*) > 0
UNION ALL
SELECT 'symbol_lists', count(*), min(l.source)
FROM public.symbol_lists AS l
WHERE NOT EXISTS (SELECT FROM public.exchanges AS e WHERE e.id = l.exchange_id)
HAVING count(*) > 0
UNION ALL
SELECT 'holds', count(*), min(coalesce(h.native_symbol, h.reason))
FROM public.holds AS h
WHERE NOT EXISTS (SELECT FROM public.exchanges AS e WHERE e.id = h.exchange_id)
HAVING count(*) > 0
UNION ALL
SELECT 'symbol_raw', count(*), 'of the symbol with the id ' || min(r.symbol_id)
FROM public.symbol_raw AS r
WHERE NOT EXISTS (SELECT FROM public.symbols AS s WHERE s.id = r.symbol_id)
HAVING count(*) > 0
UNION ALL
SELECT 'symbol_doubts', count(*), 'of the symbol with the id ' || min(d.symbol_id)
FROM public.symbol_doubts AS d
WHERE d.ended_at IS NULL AND NOT EXISTS (SELECT FROM public.symbols AS s WHERE s.id = d.symbol_id)
HAVING count(*) > 0;

-- name: ListListsOfTheFuture :many
-- Which lists say that they were observed ahead of now, so that every real one would be older?
SELECT e.enum_value AS exchange, l.kind, l.observed_at
FROM public.symbol_lists AS l
JOIN public.exchanges AS e ON e.id = l.exchange_id
WHERE l.observed_at > clock_timestamp() + interval '1 hour'
ORDER BY 1, 2
LIMIT 3;

-- name: ListPrunedTables :many
-- Of which tables were old rows deleted on purpose?
SELECT DISTINCT p.pruned_table
FROM public.history_prunes AS p
ORDER BY 1;
