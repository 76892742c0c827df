-- How old what is known is, by the clock of the server: no other clock is asked.

-- name: ListSymbolListAges :many
-- Which lists of symbols were ever imported, of this exchange or of all, and when did the exchange give and change each?
SELECT e.enum_value AS exchange, e.is_active AS exchange_is_active, l.kind, l.settle, l.underlying,
       l.observed_at AS confirmed_at, l.changed_at, l.confirmations,
       (SELECT count(*)
        FROM public.symbol_doubts AS d
        JOIN public.symbols AS s ON s.id = d.symbol_id
        WHERE d.ended_at IS NULL AND s.exchange_id = l.exchange_id AND s.kind = l.kind
          AND (l.settle IS NULL OR l.settle = s.settle)
          AND (l.underlying IS NULL OR l.underlying = s.base || '_' || s.quote))::integer AS doubtful,
       statement_timestamp()::timestamptz AS asked_at
FROM public.symbol_lists AS l
JOIN public.exchanges AS e ON e.id = l.exchange_id
WHERE (sqlc.narg(exchange)::text IS NULL OR e.enum_value = sqlc.narg(exchange)::text)
ORDER BY e.enum_value, l.kind, l.settle, l.underlying;

-- name: GetServerTime :one
-- What time is it by the server's clock, now and not when its transaction began?
SELECT clock_timestamp()::timestamptz AS server_time;
