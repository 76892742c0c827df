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

-- name: CheckExchangeKnown :one
-- Is or was there an exchange with this id?
SELECT (EXISTS (SELECT FROM public.exchanges AS e WHERE e.id = @exchange_id)
     OR EXISTS (SELECT FROM public.exchange_history AS h WHERE h.exchange_id = @exchange_id))::boolean AS is_known;
