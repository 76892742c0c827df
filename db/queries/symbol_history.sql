-- What symbols were: the ranges that ended, and the row that holds now.
-- A row comes as the text of a JSON object, so that no codec of the caller's connection makes floats of its numbers.

-- name: GetSymbolRowAsOf :one
SELECT (known.spec || jsonb_build_object('exchange', e.enum_value))::text AS spec
FROM (
    SELECT h.exchange_id, h.spec, h.symbol_id AS id
    FROM public.symbol_history AS h
    WHERE h.valid @> @at::timestamptz
    UNION ALL
    SELECT s.exchange_id, to_jsonb(s) - 'raw' AS spec, s.id
    FROM public.symbols AS s
    WHERE s.updated_at <= @at::timestamptz
) AS known
JOIN public.exchanges AS e ON e.id = known.exchange_id
WHERE e.enum_value = @exchange
  AND (known.spec ->> 'symbol' = @symbol::text OR known.spec ->> 'native_symbol' = @symbol::text)
ORDER BY known.spec ->> 'status' IN ('DELISTED', 'EXPIRED'), known.id DESC
LIMIT 1;

-- name: GetSymbolRowByIdAsOf :one
SELECT (known.spec || jsonb_build_object('exchange', e.enum_value))::text AS spec
FROM (
    SELECT h.exchange_id, h.spec
    FROM public.symbol_history AS h
    WHERE h.symbol_id = @symbol_id AND h.valid @> @at::timestamptz
    UNION ALL
    SELECT s.exchange_id, to_jsonb(s) - 'raw' AS spec
    FROM public.symbols AS s
    WHERE s.id = @symbol_id AND s.updated_at <= @at::timestamptz
) AS known
JOIN public.exchanges AS e ON e.id = known.exchange_id;

-- name: ListSymbolRowsAsOf :many
SELECT (known.spec || jsonb_build_object('exchange', e.enum_value))::text AS spec
FROM (
    SELECT h.exchange_id, h.spec, h.symbol_id AS id
    FROM public.symbol_history AS h
    WHERE h.valid @> @at::timestamptz
    UNION ALL
    SELECT s.exchange_id, to_jsonb(s) - 'raw' AS spec, s.id
    FROM public.symbols AS s
    WHERE s.updated_at <= @at::timestamptz
) AS known
JOIN public.exchanges AS e ON e.id = known.exchange_id
WHERE e.enum_value = @exchange
ORDER BY known.spec ->> 'symbol', known.id;

-- name: ListSymbolVersions :many
SELECT known.spec_version, known.valid_from, known.valid_to, known.operation, known.ended_by, known.application_name,
       (known.spec || jsonb_build_object('exchange', e.enum_value))::text AS spec
FROM (
    SELECT h.exchange_id, h.symbol_id AS id, h.spec, h.spec_version, lower(h.valid)::timestamptz AS valid_from,
           upper(h.valid)::timestamptz AS valid_to, h.operation, h.ended_by, h.application_name
    FROM public.symbol_history AS h
    UNION ALL
    SELECT s.exchange_id, s.id, to_jsonb(s) - 'raw' AS spec, s.spec_version, s.updated_at AS valid_from,
           NULL::timestamptz AS valid_to, NULL::text AS operation, NULL::text AS ended_by,
           NULL::text AS application_name
    FROM public.symbols AS s
) AS known
JOIN public.exchanges AS e ON e.id = known.exchange_id
WHERE e.enum_value = @exchange
  AND (known.spec ->> 'symbol' = @symbol::text OR known.spec ->> 'native_symbol' = @symbol::text)
ORDER BY known.id, known.spec_version;
