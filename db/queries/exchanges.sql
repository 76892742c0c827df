-- Look-ups, inserts and updates of public.exchanges.
-- Queries select e.*: sqlc writes the columns out and, because these are all of the table's, returns models.Exchange.

-- name: GetActiveExchangeByEnumValue :one
-- Which active exchange has this enum_value?
SELECT e.*
FROM public.exchanges AS e
WHERE e.enum_value = @enum_value AND e.is_active;

-- name: GetExchangeById :one
-- Which exchange, active or not, has this id?
SELECT e.*
FROM public.exchanges AS e
WHERE e.id = @id;

-- name: GetExchangeIdByEnumValue :one
-- Which id has the exchange of this enum_value, active or not?
SELECT id FROM public.exchanges WHERE enum_value = @enum_value;

-- name: GetExchangeVersion :one
-- Which version has this exchange reached?
SELECT version FROM public.exchanges WHERE id = @id;

-- name: ListExchanges :many
-- Which exchanges are there, active or not?
SELECT e.*
FROM public.exchanges AS e
ORDER BY e.name;

-- name: ListActiveExchanges :many
-- Which exchanges are active?
SELECT e.*
FROM public.exchanges AS e
WHERE e.is_active
ORDER BY e.name;

-- name: ListActiveExchangesByMarketType :many
-- Which active exchanges have this market type?
SELECT e.*
FROM public.exchanges AS e
WHERE e.market_type = @market_type AND e.is_active
ORDER BY e.name;

-- name: ListPresentEnumValues :many
-- Which of these enum_values have a row, active or not?
SELECT enum_value FROM public.exchanges WHERE enum_value = ANY(@enum_values::text[]);

-- name: InsertExchange :one
-- Which id does this new exchange get?
INSERT INTO public.exchanges
    (name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
     rate_limit_requests_per_second, precision_default)
VALUES
    (@name, @enum_value, @display_name, @market_type, @is_active, @base_url, @websocket_url,
     @rate_limit_requests_per_second, @precision_default)
RETURNING id;

-- name: InsertProbeExchange :one
-- Does the table accept a row with an id of the caller's choice? For a transaction that is rolled back.
INSERT INTO public.exchanges
    (id, name, enum_value, display_name, market_type)
OVERRIDING SYSTEM VALUE
VALUES
    (@id, @name, @enum_value, @display_name, @market_type)
RETURNING id;

-- name: InsertMissingExchanges :many
-- Which of these exchanges were missing and have been inserted?
INSERT INTO public.exchanges AS e
    (name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
     rate_limit_requests_per_second, precision_default)
SELECT missing.name, missing.enum_value, missing.display_name, missing.market_type,
       missing.is_active, missing.base_url, missing.websocket_url, missing.rate_limit, missing.precision_default
FROM (
    SELECT unnest(@names::text[]) AS name,
           unnest(@enum_values::text[]) AS enum_value,
           unnest(@display_names::text[]) AS display_name,
           unnest(@market_types::text[]) AS market_type,
           unnest(@are_active::boolean[]) AS is_active,
           nullif(unnest(@base_urls::text[]), '') AS base_url,
           nullif(unnest(@websocket_urls::text[]), '') AS websocket_url,
           nullif(unnest(@rate_limits::integer[]), 0) AS rate_limit,
           unnest(@precision_defaults::smallint[]) AS precision_default
) AS missing
ORDER BY missing.enum_value
ON CONFLICT DO NOTHING
RETURNING e.*;

-- name: UpdateExchange :one
-- Which exchange has these fields now? None if a given name or enum_value is not the row's: see UpdateExchangeKeys.
-- A column that a foreign key may refer to must not stand in SET. Even if its value stayed the same, this statement and
-- every open transaction that inserted a reference to the row would wait for one another.
UPDATE public.exchanges
SET display_name = CASE WHEN 'display_name' = ANY(@fields::text[]) THEN sqlc.narg(display_name) ELSE display_name END,
    market_type = CASE WHEN 'market_type' = ANY(@fields::text[]) THEN sqlc.narg(market_type) ELSE market_type END,
    is_active = CASE WHEN 'is_active' = ANY(@fields::text[]) THEN sqlc.narg(is_active) ELSE is_active END,
    base_url = CASE WHEN 'base_url' = ANY(@fields::text[]) THEN sqlc.narg(base_url) ELSE base_url END,
    websocket_url = CASE WHEN 'websocket_url' = ANY(@fields::text[])
                         THEN sqlc.narg(websocket_url) ELSE websocket_url END,
    rate_limit_requests_per_second = CASE WHEN 'rate_limit_requests_per_second' = ANY(@fields::text[])
                                          THEN sqlc.narg(rate_limit_requests_per_second)
                                          ELSE rate_limit_requests_per_second END,
    precision_default = CASE WHEN 'precision_default' = ANY(@fields::text[])
                             THEN sqlc.narg(precision_default) ELSE precision_default END
WHERE id = @id
  AND ('name' <> ALL(@fields::text[]) OR name = sqlc.narg(name))
  AND ('enum_value' <> ALL(@fields::text[]) OR enum_value = sqlc.narg(enum_value))
  AND (sqlc.narg(if_version)::integer IS NULL OR version = sqlc.narg(if_version)::integer)
RETURNING id;

-- name: UpdateExchangeKeys :one
-- Which exchange has these fields now, where its name or enum_value may be among them?
UPDATE public.exchanges
SET name = CASE WHEN 'name' = ANY(@fields::text[]) THEN sqlc.narg(name) ELSE name END,
    enum_value = CASE WHEN 'enum_value' = ANY(@fields::text[]) THEN sqlc.narg(enum_value) ELSE enum_value END,
    display_name = CASE WHEN 'display_name' = ANY(@fields::text[]) THEN sqlc.narg(display_name) ELSE display_name END,
    market_type = CASE WHEN 'market_type' = ANY(@fields::text[]) THEN sqlc.narg(market_type) ELSE market_type END,
    is_active = CASE WHEN 'is_active' = ANY(@fields::text[]) THEN sqlc.narg(is_active) ELSE is_active END,
    base_url = CASE WHEN 'base_url' = ANY(@fields::text[]) THEN sqlc.narg(base_url) ELSE base_url END,
    websocket_url = CASE WHEN 'websocket_url' = ANY(@fields::text[])
                         THEN sqlc.narg(websocket_url) ELSE websocket_url END,
    rate_limit_requests_per_second = CASE WHEN 'rate_limit_requests_per_second' = ANY(@fields::text[])
                                          THEN sqlc.narg(rate_limit_requests_per_second)
                                          ELSE rate_limit_requests_per_second END,
    precision_default = CASE WHEN 'precision_default' = ANY(@fields::text[])
                             THEN sqlc.narg(precision_default) ELSE precision_default END
WHERE id = @id
  AND (sqlc.narg(if_version)::integer IS NULL OR version = sqlc.narg(if_version)::integer)
RETURNING id;
