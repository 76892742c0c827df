-- The audit trail of public.exchanges.

-- name: ListExchangeChanges :many
-- Which changes did this exchange have, oldest first?
SELECT id, exchange_id, version, operation, changed_at, changed_by, application_name,
       changed_columns, old_row, new_row
FROM public.exchange_history
WHERE exchange_id = @exchange_id
ORDER BY changed_at, id;

-- name: GetExchangeRowAsOf :one
-- What was the last change of this exchange up to a time, and the row after it?
SELECT operation, new_row
FROM public.exchange_history
WHERE exchange_id = @exchange_id AND changed_at <= @at
ORDER BY changed_at DESC, id DESC
LIMIT 1;

-- name: GetExchangeIdAsOf :one
-- Which exchange had this name at a time, or else has it now, or else had it last?
SELECT public.exchange_id_as_of(@enum_value::text, @at::timestamptz)::integer AS exchange_id;

-- name: ListExchangeNamesEver :many
-- What are exchanges called, and what were they ever called, in the exact spelling?
SELECT e.enum_value::text AS enum_value, e.name::text AS name
FROM public.exchanges AS e
UNION
SELECT (h.new_row ->> 'enum_value')::text, (h.new_row ->> 'name')::text
FROM public.exchange_history AS h
WHERE h.new_row IS NOT NULL
ORDER BY 1, 2;

-- name: CheckExchangeKnown :one
-- Is or was there an exchange with this id?
SELECT (EXISTS (SELECT FROM public.exchanges AS e WHERE e.id = @exchange_id)
     OR EXISTS (SELECT FROM public.exchange_history AS h WHERE h.exchange_id = @exchange_id))::boolean AS is_known;
