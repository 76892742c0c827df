-- Look-ups, inserts and updates of public.exchanges.

-- name: GetActiveExchangeByEnumValue :one
SELECT id, name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
       rate_limit_requests_per_second, precision_default, created_at, updated_at, version
FROM public.exchanges
WHERE enum_value = @enum_value AND is_active;

-- name: GetExchangeById :one
SELECT id, name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
       rate_limit_requests_per_second, precision_default, created_at, updated_at, version
FROM public.exchanges
WHERE id = @id;

-- name: GetExchangeIdByEnumValue :one
SELECT id FROM public.exchanges WHERE enum_value = @enum_value;

-- name: GetExchangeVersion :one
SELECT version FROM public.exchanges WHERE id = @id;

-- name: ListExchanges :many
SELECT id, name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
       rate_limit_requests_per_second, precision_default, created_at, updated_at, version
FROM public.exchanges
ORDER BY name;

-- name: ListActiveExchanges :many
SELECT id, name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
       rate_limit_requests_per_second, precision_default, created_at, updated_at, version
FROM public.exchanges
WHERE is_active
ORDER BY name;

-- name: ListActiveExchangesByMarketType :many
SELECT id, name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
       rate_limit_requests_per_second, precision_default, created_at, updated_at, version
FROM public.exchanges
WHERE market_type = @market_type AND is_active
ORDER BY name;

-- name: ListPresentEnumValues :many
SELECT enum_value FROM public.exchanges WHERE enum_value = ANY(@enum_values::text[]);

-- name: InsertExchange :one
INSERT INTO public.exchanges
    (name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
     rate_limit_requests_per_second, precision_default)
VALUES
    (@name, @enum_value, @display_name, @market_type, @is_active, @base_url, @websocket_url,
     @rate_limit_requests_per_second, @precision_default)
RETURNING id;

-- name: InsertProbeExchange :one
INSERT INTO public.exchanges
    (id, name, enum_value, display_name, market_type)
OVERRIDING SYSTEM VALUE
VALUES
    (@id, @name, @enum_value, @display_name, @market_type)
RETURNING id;

-- name: InsertMissingExchanges :many
INSERT INTO public.exchanges
    (name, enum_value, display_name, market_type, base_url, websocket_url,
     rate_limit_requests_per_second, precision_default)
SELECT missing.name, missing.enum_value, missing.display_name, missing.market_type,
       missing.base_url, missing.websocket_url, missing.rate_limit, missing.precision_default
FROM (
    SELECT unnest(@names::text[]) AS name,
           unnest(@enum_values::text[]) AS enum_value,
           unnest(@display_names::text[]) AS display_name,
           unnest(@market_types::text[]) AS market_type,
           nullif(unnest(@base_urls::text[]), '') AS base_url,
           nullif(unnest(@websocket_urls::text[]), '') AS websocket_url,
           nullif(unnest(@rate_limits::integer[]), 0) AS rate_limit,
           unnest(@precision_defaults::smallint[]) AS precision_default
) AS missing
ORDER BY missing.enum_value
ON CONFLICT DO NOTHING
RETURNING id, name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
          rate_limit_requests_per_second, precision_default, created_at, updated_at, version;

-- name: UpdateExchange :one
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
