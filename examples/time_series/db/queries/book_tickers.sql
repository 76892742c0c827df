-- name: MakeDay :exec
-- Makes the partition of a day, if it is not there.
SELECT market.make_book_tickers_day(@day::date);

-- name: DropDaysBefore :one
-- How many days before this one were dropped, with all their rows?
SELECT market.drop_book_tickers_before(@day::date)::integer AS dropped;

-- name: AddBookTickers :execrows
-- How many of these were not there yet? For a batch of which nobody knows whether it was written.
INSERT INTO market.book_tickers (symbol_id, at, update_id, bid, bid_quantity, ask, ask_quantity)
SELECT unnest(@symbol_ids::integer[]), unnest(@ats::timestamptz[]), unnest(@update_ids::bigint[]),
       unnest(@bids::numeric[]), unnest(@bid_quantities::numeric[]), unnest(@asks::numeric[]),
       unnest(@ask_quantities::numeric[])
ON CONFLICT DO NOTHING;

-- name: ListLastTickers :many
-- What is the last ticker of each symbol of an exchange, of those that have one since then?
SELECT s.native_symbol, s.price_tick, t.symbol_id, t.at, t.bid, t.bid_quantity, t.ask, t.ask_quantity
FROM public.symbols AS s
JOIN public.exchanges AS e ON e.id = s.exchange_id
CROSS JOIN LATERAL (
    SELECT b.symbol_id, b.at, b.bid, b.bid_quantity, b.ask, b.ask_quantity
    FROM market.book_tickers AS b
    WHERE b.symbol_id = s.id AND b.at >= @since::timestamptz
    ORDER BY b.at DESC, b.update_id DESC
    LIMIT 1
) AS t
WHERE e.enum_value = @exchange
ORDER BY s.native_symbol;

-- name: ListCandles :many
-- What were first, highest, lowest and last bid of a symbol, by intervals of this width?
SELECT date_bin(@width::interval, b.at, '2000-01-01 00:00:00+00'::timestamptz)::timestamptz AS begins_at,
       ((array_agg(b.bid ORDER BY b.at, b.update_id))[1])::numeric AS first_bid,
       max(b.bid)::numeric AS highest_bid,
       min(b.bid)::numeric AS lowest_bid,
       ((array_agg(b.bid ORDER BY b.at DESC, b.update_id DESC))[1])::numeric AS last_bid,
       count(*) AS tickers
FROM market.book_tickers AS b
WHERE b.symbol_id = @symbol_id AND b.at >= @since::timestamptz AND b.at < @until::timestamptz
GROUP BY 1
ORDER BY 1;
