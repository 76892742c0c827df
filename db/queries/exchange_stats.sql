-- Figures of exchanges for monitoring: one statement, so all of the same moment.

-- name: GetExchangeStats :one
-- How many exchanges are there of each kind, and which are active?
SELECT count(*) AS total_exchanges,
       count(*) FILTER (WHERE is_active) AS active_exchanges,
       count(*) FILTER (WHERE NOT is_active) AS inactive_exchanges,
       count(*) FILTER (WHERE is_active AND market_type = 'SPOT') AS spot_exchanges,
       count(*) FILTER (WHERE is_active AND market_type = 'FUTURES') AS futures_exchanges,
       count(*) FILTER (WHERE is_active AND market_type = 'OPTIONS') AS options_exchanges,
       max(updated_at) AS latest_update,
       coalesce(array_agg(name ORDER BY name) FILTER (WHERE is_active), '{}')::text[] AS exchange_list
FROM public.exchanges;
