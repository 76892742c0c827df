-- Moving in: what another database's tables hold, what stands in their way here, and the statements that take them over.

-- name: GetForeignTable :one
-- May the table or view of this name be read, and is it one of ours? No row: there is none.
SELECT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))::boolean AS is_readable,
       (c.oid IN ('public.exchanges'::regclass, 'public.symbols'::regclass))::boolean AS is_ours
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname::text = @schema_name::text AND c.relname::text = @table_name::text
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f');

-- name: GetForeignRowsQuery :one
-- The text of a statement that cannot be static, because a user chooses the table; the server quotes its name.
SELECT format('SELECT to_jsonb(t)::text AS row_text FROM %I.%I AS t', @schema_name::text, @table_name::text)::text AS query;

-- name: LockSymbolImports :many
-- Waits until no import runs, then keeps all of them waiting until the transaction ends.
SELECT pg_advisory_xact_lock(@lock_class::integer, e.id)::text AS locked
FROM (SELECT x.id FROM public.exchanges AS x ORDER BY x.id) AS e;

-- name: LockAdoption :exec
-- Keeps every other writer of these two tables waiting until the transaction ends; who refers to a row does not wait.
LOCK TABLE public.exchanges, public.symbols IN SHARE ROW EXCLUSIVE MODE;

-- name: ListExchangeUses :many
-- Which exchanges are there, and what is known of each that goes by its id?
SELECT e.id, e.name, e.enum_value, e.display_name,
       concat_ws(', ',
           CASE WHEN EXISTS (SELECT FROM public.symbols AS s WHERE s.exchange_id = e.id) THEN 'symbols' END,
           CASE WHEN EXISTS (SELECT FROM public.symbol_history AS h WHERE h.exchange_id = e.id)
                THEN 'former symbols' END,
           CASE WHEN EXISTS (SELECT FROM public.symbol_lists AS l WHERE l.exchange_id = e.id) THEN 'lists' END,
           CASE WHEN EXISTS (SELECT FROM public.symbol_imports AS i WHERE i.exchange_id = e.id) THEN 'imports' END,
           CASE WHEN EXISTS (SELECT FROM public.account_fees AS f WHERE f.exchange_id = e.id) THEN 'fees' END,
           CASE WHEN EXISTS (SELECT FROM public.holds AS o WHERE o.exchange_id = e.id)
                  OR EXISTS (SELECT FROM public.hold_history AS p WHERE p.exchange_id = e.id) THEN 'holds' END
       )::text AS uses
FROM public.exchanges AS e
ORDER BY e.id;

-- name: ListTakenSymbols :many
-- Which symbols have or had one of these ids, or have one of these native names on that exchange?
SELECT s.id, e.enum_value AS exchange, s.native_symbol, TRUE AS is_present
FROM public.symbols AS s
JOIN public.exchanges AS e ON e.id = s.exchange_id
WHERE s.id = ANY(@ids::integer[])
   OR (e.enum_value, s.native_symbol) IN (SELECT unnest(@exchanges::text[]), unnest(@native_symbols::text[]))
UNION ALL
SELECT DISTINCT h.symbol_id, e.enum_value, h.native_symbol, FALSE
FROM public.symbol_history AS h
JOIN public.exchanges AS e ON e.id = h.exchange_id
WHERE h.symbol_id = ANY(@ids::integer[])
  AND NOT EXISTS (SELECT FROM public.symbols AS now WHERE now.id = h.symbol_id);

-- name: DeleteExchanges :execrows
-- How many exchanges were taken out, to be put back with another id?
DELETE FROM public.exchanges WHERE id = ANY(@ids::smallint[]);

-- name: InsertKeptExchange :execrows
-- Inserts an exchange under an id that tables of others refer to.
INSERT INTO public.exchanges
    (id, name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
     rate_limit_requests_per_second, precision_default)
OVERRIDING SYSTEM VALUE
VALUES
    (@id, @name, @enum_value, @display_name, @market_type, @is_active, @base_url, @websocket_url,
     @rate_limit_requests_per_second, @precision_default);

-- name: InsertNamedSymbols :execrows
-- How many symbols that are known by name only were inserted, each under an id that tables of others refer to?
INSERT INTO public.symbols
    (id, exchange_id, native_symbol, base, quote, sides, api_tradable)
OVERRIDING SYSTEM VALUE
SELECT n.id, n.exchange_id, n.native_symbol, n.base, n.quote, 'NONE', FALSE
FROM (
    SELECT unnest(@ids::integer[]) AS id,
           unnest(@exchange_ids::smallint[]) AS exchange_id,
           unnest(@native_symbols::text[]) AS native_symbol,
           unnest(@bases::text[]) AS base,
           unnest(@quotes::text[]) AS quote
) AS n;

-- name: SetIdSequences :one
-- Up to which ids of symbols and exchanges is nothing given again? No sequence is set back.
SELECT setval(pg_get_serial_sequence('public.symbols', 'id')::regclass,
              greatest((SELECT max(s.id) FROM public.symbols AS s), 1,
                       pg_sequence_last_value(pg_get_serial_sequence('public.symbols', 'id')::regclass)))::bigint AS symbols,
       setval(pg_get_serial_sequence('public.exchanges', 'id')::regclass,
              greatest((SELECT max(e.id) FROM public.exchanges AS e), 1,
                       pg_sequence_last_value(pg_get_serial_sequence('public.exchanges', 'id')::regclass)))::bigint AS exchanges;
