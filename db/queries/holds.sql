-- Holds: what a person has forbidden to trade, by the exchange's own name of a symbol, or of a whole exchange (NULL).
-- Each of these statements touches holds and its history alone: no import and no reference to a symbol is waited for.

-- name: SetHold :one
-- Since when does this hold, if that is a change? No row: it holds already, or its end does not lie ahead.
INSERT INTO public.holds AS h
    (exchange_id, native_symbol, sides, reason, until_at, held_at, held_by, application_name)
SELECT @exchange_id::smallint, sqlc.narg(native_symbol)::text, @sides::text, @reason::text,
       sqlc.narg(until_at)::timestamptz, clock_timestamp(), session_user::text, current_setting('application_name')
WHERE sqlc.narg(until_at)::timestamptz IS NULL OR sqlc.narg(until_at)::timestamptz > clock_timestamp()
ON CONFLICT ON CONSTRAINT holds_held_key
DO UPDATE SET sides = excluded.sides, reason = excluded.reason, until_at = excluded.until_at
RETURNING held_at;

-- name: ReleaseHold :one
-- Did it still hold when it was released? No row: there was none.
-- The reason is for the trigger that writes the history; it is forgotten when the transaction ends.
DELETE FROM public.holds AS h
WHERE h.exchange_id = @exchange_id::smallint
  AND h.native_symbol IS NOT DISTINCT FROM sqlc.narg(native_symbol)::text
  AND set_config('exchanges_db.release_reason', @reason::text, true) IS NOT NULL
RETURNING (h.until_at IS NULL OR h.until_at > clock_timestamp())::boolean AS held;

-- name: CheckNativeName :one
-- Is this the own name of a symbol of the exchange that look-ups leave out, or of one that is or was held?
SELECT (EXISTS (SELECT FROM public.symbols AS s
                WHERE s.exchange_id = @exchange_id AND s.native_symbol = @native_symbol)
     OR EXISTS (SELECT FROM public.holds AS h
                WHERE h.exchange_id = @exchange_id AND h.native_symbol = @native_symbol)
     OR EXISTS (SELECT FROM public.hold_history AS p
                WHERE p.exchange_id = @exchange_id AND p.native_symbol = @native_symbol))::boolean AS known;

-- name: ListHolds :many
-- What is held now, of one exchange or of all, those of a whole exchange first?
SELECT e.enum_value AS exchange, h.native_symbol, h.sides, h.reason, h.until_at, h.held_at, h.held_by, h.application_name
FROM public.holds AS h
JOIN public.exchanges AS e ON e.id = h.exchange_id
WHERE (sqlc.narg(exchange)::text IS NULL OR e.enum_value = sqlc.narg(exchange)::text)
  AND (h.until_at IS NULL OR h.until_at > clock_timestamp())
ORDER BY e.enum_value, h.native_symbol NULLS FIRST;

-- name: ListHoldHistory :many
-- What is and was held of this exchange, oldest first, and what ended it? Of one symbol, or of the exchange and all.
SELECT e.enum_value AS exchange, t.native_symbol, t.sides, t.reason, t.until_at, t.held_at, t.held_by,
       t.application_name, t.ended_at, t.operation, t.ended_by, t.ended_application_name, t.ended_reason,
       clock_timestamp()::timestamptz AS asked_at
FROM (
    SELECT h.exchange_id, h.native_symbol, h.sides, h.reason, h.until_at, h.held_at, h.held_by, h.application_name,
           NULL::timestamptz AS ended_at, NULL::text AS operation, NULL::text AS ended_by,
           NULL::text AS ended_application_name, NULL::text AS ended_reason
    FROM public.holds AS h
    WHERE h.exchange_id = @exchange_id
    UNION ALL
    SELECT p.exchange_id, p.native_symbol, p.sides, p.reason, p.until_at, p.held_at, p.held_by, p.application_name,
           p.ended_at, p.operation, p.ended_by, p.ended_application_name, p.ended_reason
    FROM public.hold_history AS p
    WHERE p.exchange_id = @exchange_id
) AS t
LEFT JOIN public.exchanges AS e ON e.id = t.exchange_id
WHERE sqlc.narg(native_symbol)::text IS NULL OR t.native_symbol = sqlc.narg(native_symbol)::text
ORDER BY t.held_at, t.native_symbol NULLS FIRST;
