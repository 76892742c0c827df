-- Figures of symbols for monitoring.

-- name: ListSymbolCounts :many
-- How many symbols of each kind and status does each exchange have?
SELECT e.enum_value AS exchange, s.kind::text AS kind, s.status::text AS status, count(*) AS symbols, max(s.updated_at)::timestamptz AS latest_update
FROM public.symbols AS s JOIN public.exchanges AS e ON e.id = s.exchange_id
WHERE s.status IS NOT NULL
GROUP BY e.enum_value, s.kind, s.status
ORDER BY e.enum_value, s.kind, s.status;
