-- What symbols were. An exchange is meant by its id or, where that is NULL, by the name that it had at the time.
--
-- The versions of one symbol are found by its id (LATERAL), however many others there are. is_settled is false where an
-- import that changes the answer was committed after the statement had begun: it must be sent again, with a settled_at
-- that lies ahead.

-- name: ListSymbolRowsByNameAsOf :many
-- Which symbols of an exchange had this canonical or native name at a time, and what were they then, live ones first?
WITH meant AS MATERIALIZED (
    SELECT coalesce(sqlc.narg(exchange_id)::integer,
                    public.exchange_id_as_of(sqlc.narg(exchange)::text, @at::timestamptz)) AS id
),
place AS MATERIALIZED (
    SELECT p.id,
           coalesce(x.enum_value, (SELECT e.enum_value FROM public.exchanges AS e WHERE e.id = p.id))::text AS enum_value,
           (x.is_active IS NOT NULL)::boolean AS is_known, coalesce(x.is_active, false)::boolean AS is_active,
           public.symbols_settled(@lock_class::integer, p.id, @settled_at::timestamptz, (
               SELECT max(l.imported_at) FROM public.symbol_lists AS l WHERE l.exchange_id = p.id)) AS is_settled
    FROM meant AS p
    LEFT JOIN LATERAL (
        SELECT coalesce(h.new_row, h.old_row) ->> 'enum_value' AS enum_value,
               (h.new_row ->> 'is_active')::boolean AS is_active
        FROM public.exchange_history AS h
        WHERE h.exchange_id = p.id AND h.changed_at <= @at::timestamptz
        ORDER BY h.changed_at DESC, h.id DESC
        LIMIT 1) AS x ON true
),
named AS (
    SELECT s.id FROM public.symbols AS s WHERE s.exchange_id = (SELECT place.id FROM place) AND s.symbol = @symbol::text
    UNION
    SELECT s.id
    FROM public.symbols AS s
    WHERE s.exchange_id = (SELECT place.id FROM place) AND s.native_symbol = @symbol::text
    UNION
    SELECT h.symbol_id
    FROM public.symbol_history AS h
    WHERE lower(h.symbol) = lower(@symbol::text) AND h.exchange_id = (SELECT place.id FROM place)
      AND h.symbol = @symbol::text
    UNION
    SELECT h.symbol_id
    FROM public.symbol_history AS h
    WHERE h.operation <> 'UPDATE' AND h.exchange_id = (SELECT place.id FROM place) AND h.native_symbol = @symbol::text
)
SELECT place.enum_value::text AS exchange, coalesce(place.is_settled, true)::boolean AS is_settled,
       place.is_known AS exchange_is_known, place.is_active AS exchange_is_active,
       EXISTS (SELECT FROM public.symbol_doubts AS d
               WHERE d.symbol_id = v.id AND d.since <= @at::timestamptz
                 AND (d.ended_at IS NULL OR d.ended_at > @at::timestamptz))::boolean AS is_doubtful,
       v.*
FROM place
CROSS JOIN named
CROSS JOIN LATERAL (
    SELECT st.*
    FROM public.symbol_states AS st
    WHERE st.id = named.id AND st.valid_from <= @at::timestamptz
    ORDER BY st.spec_version DESC
    LIMIT 1) AS v
WHERE (v.valid_to IS NULL OR v.valid_to > @at::timestamptz) AND (v.symbol = @symbol::text OR v.native_symbol = @symbol::text)
ORDER BY v.is_live DESC, v.id DESC;

-- name: GetSymbolRowByIdAsOf :one
-- What was the symbol with this id at a time?
SELECT place.enum_value::text AS exchange, coalesce(place.is_settled, true)::boolean AS is_settled,
       place.is_known AS exchange_is_known, place.is_active AS exchange_is_active,
       EXISTS (SELECT FROM public.symbol_doubts AS d
               WHERE d.symbol_id = v.id AND d.since <= @at::timestamptz
                 AND (d.ended_at IS NULL OR d.ended_at > @at::timestamptz))::boolean AS is_doubtful,
       v.*
FROM (SELECT @symbol_id::integer AS id) AS wanted
CROSS JOIN LATERAL (
    SELECT st.*
    FROM public.symbol_states AS st
    WHERE st.id = wanted.id AND st.valid_from <= @at::timestamptz
    ORDER BY st.spec_version DESC
    LIMIT 1) AS v
LEFT JOIN LATERAL (
    SELECT p.id,
           coalesce(x.enum_value, (SELECT e.enum_value FROM public.exchanges AS e WHERE e.id = p.id))::text AS enum_value,
           (x.is_active IS NOT NULL)::boolean AS is_known, coalesce(x.is_active, false)::boolean AS is_active,
           public.symbols_settled(@lock_class::integer, p.id, @settled_at::timestamptz, (
               SELECT max(l.imported_at) FROM public.symbol_lists AS l WHERE l.exchange_id = p.id)) AS is_settled
    FROM (SELECT v.exchange_id::integer AS id) AS p
    LEFT JOIN LATERAL (
        SELECT coalesce(h.new_row, h.old_row) ->> 'enum_value' AS enum_value,
               (h.new_row ->> 'is_active')::boolean AS is_active
        FROM public.exchange_history AS h
        WHERE h.exchange_id = p.id AND h.changed_at <= @at::timestamptz
        ORDER BY h.changed_at DESC, h.id DESC
        LIMIT 1) AS x ON true) AS place ON true
WHERE v.valid_to IS NULL OR v.valid_to > @at::timestamptz;

-- name: ListSymbolRowsAsOf :many
-- Which symbols met all given conditions at a time? Of one exchange, or of all that there are and were.
WITH place AS MATERIALIZED (
    SELECT p.id,
           coalesce(x.enum_value, (SELECT e.enum_value FROM public.exchanges AS e WHERE e.id = p.id))::text AS enum_value,
           (x.is_active IS NOT NULL)::boolean AS is_known, coalesce(x.is_active, false)::boolean AS is_active,
           public.symbols_settled(@lock_class::integer, p.id, @settled_at::timestamptz, (
               SELECT max(l.imported_at) FROM public.symbol_lists AS l WHERE l.exchange_id = p.id)) AS is_settled
    FROM (SELECT coalesce(sqlc.narg(exchange_id)::integer,
                          public.exchange_id_as_of(sqlc.narg(exchange)::text, @at::timestamptz)) AS id
          WHERE @of_one::boolean
          UNION
          SELECT e.id::integer FROM public.exchanges AS e WHERE NOT @of_one::boolean
          UNION
          SELECT h.exchange_id::integer FROM public.exchange_history AS h WHERE NOT @of_one::boolean) AS p
    LEFT JOIN LATERAL (
        SELECT coalesce(h.new_row, h.old_row) ->> 'enum_value' AS enum_value,
               (h.new_row ->> 'is_active')::boolean AS is_active
        FROM public.exchange_history AS h
        WHERE h.exchange_id = p.id AND h.changed_at <= @at::timestamptz
        ORDER BY h.changed_at DESC, h.id DESC
        LIMIT 1) AS x ON true
),
known AS (
    SELECT s.id FROM public.symbols AS s WHERE s.exchange_id IN (SELECT place.id FROM place)
    UNION
    SELECT h.symbol_id
    FROM public.symbol_history AS h
    WHERE h.operation <> 'UPDATE' AND h.exchange_id IN (SELECT place.id FROM place)
)
SELECT place.enum_value::text AS exchange, (SELECT bool_and(every.is_settled) FROM place AS every)::boolean AS is_settled,
       place.is_known AS exchange_is_known, place.is_active AS exchange_is_active,
       EXISTS (SELECT FROM public.symbol_doubts AS d
               WHERE d.symbol_id = v.id AND d.since <= @at::timestamptz
                 AND (d.ended_at IS NULL OR d.ended_at > @at::timestamptz))::boolean AS is_doubtful,
       v.*
FROM known
CROSS JOIN LATERAL (
    SELECT st.*
    FROM public.symbol_states AS st
    WHERE st.id = known.id AND st.valid_from <= @at::timestamptz
    ORDER BY st.spec_version DESC
    LIMIT 1) AS v
JOIN place ON place.id = v.exchange_id
WHERE (v.valid_to IS NULL OR v.valid_to > @at::timestamptz)
  AND (sqlc.narg(base)::text IS NULL OR v.base = sqlc.narg(base)::text)
  AND (sqlc.narg(quote)::text IS NULL OR v.quote = sqlc.narg(quote)::text)
  AND (sqlc.narg(kind)::text IS NULL OR v.kind = sqlc.narg(kind)::text)
ORDER BY place.enum_value, v.symbol, v.id;

-- name: ListSymbolSpellingsAsOf :many
-- In which cases did an exchange spell this canonical name, at a time or, without one, ever?
SELECT DISTINCT v.symbol::text AS symbol
FROM (
    SELECT s.id FROM public.symbols AS s WHERE s.exchange_id = @exchange_id::integer AND lower(s.symbol) = lower(@symbol::text)
    UNION
    SELECT h.symbol_id
    FROM public.symbol_history AS h
    WHERE lower(h.symbol) = lower(@symbol::text) AND h.exchange_id = @exchange_id::integer
) AS named
JOIN public.symbol_states AS v ON v.id = named.id
WHERE v.exchange_id = @exchange_id::integer AND lower(v.symbol) = lower(@symbol::text)
  AND (sqlc.narg(at)::timestamptz IS NULL
       OR (v.valid_from <= sqlc.narg(at)::timestamptz AND (v.valid_to IS NULL OR v.valid_to > sqlc.narg(at)::timestamptz)))
ORDER BY 1;

-- name: ListSymbolVersions :many
-- What was each symbol that ever had this canonical or native name, from when to when, under which name of its exchange?
WITH place AS MATERIALIZED (
    SELECT coalesce(sqlc.narg(exchange_id)::integer,
                    public.exchange_id_as_of(sqlc.narg(exchange)::text, statement_timestamp())) AS id
),
named AS (
    SELECT s.id FROM public.symbols AS s WHERE s.exchange_id = (SELECT place.id FROM place) AND s.symbol = @symbol::text
    UNION
    SELECT s.id
    FROM public.symbols AS s
    WHERE s.exchange_id = (SELECT place.id FROM place) AND s.native_symbol = @symbol::text
    UNION
    SELECT h.symbol_id
    FROM public.symbol_history AS h
    WHERE lower(h.symbol) = lower(@symbol::text) AND h.exchange_id = (SELECT place.id FROM place)
      AND h.symbol = @symbol::text
    UNION
    SELECT h.symbol_id
    FROM public.symbol_history AS h
    WHERE h.operation <> 'UPDATE' AND h.exchange_id = (SELECT place.id FROM place) AND h.native_symbol = @symbol::text
)
SELECT coalesce(
           (SELECT coalesce(h.new_row, h.old_row) ->> 'enum_value'
            FROM public.exchange_history AS h
            WHERE h.exchange_id = v.exchange_id AND h.changed_at <= v.valid_from
            ORDER BY h.changed_at DESC, h.id DESC
            LIMIT 1),
           (SELECT e.enum_value FROM public.exchanges AS e WHERE e.id = v.exchange_id))::text AS exchange,
       v.*
FROM named
CROSS JOIN LATERAL (SELECT st.* FROM public.symbol_states AS st WHERE st.id = named.id) AS v
WHERE v.symbol = @symbol::text OR v.native_symbol = @symbol::text
ORDER BY v.id, v.spec_version;

-- name: LockSymbolsShared :exec
-- Waits until no import of this exchange runs, then keeps imports waiting until the transaction ends.
SELECT pg_advisory_xact_lock_shared(@lock_class::integer, @exchange_id::integer);

-- name: GetNewestSymbolMoment :one
-- What is the time, which is never before the newest change of this exchange's symbols, and which snapshots does one see?
SELECT greatest(
           clock_timestamp(),
           (SELECT max(s.updated_at) FROM public.symbols AS s WHERE s.exchange_id = @exchange_id),
           (SELECT max(upper(h.valid)) FROM public.symbol_history AS h WHERE h.exchange_id = @exchange_id)
       )::timestamptz AS moment,
       current_setting('transaction_isolation')::text AS isolation;

-- name: ListChangedSymbolRows :many
-- What were the symbols of an exchange that changed after one time and up to another, at either of them?
WITH changed AS (
    SELECT s.id
    FROM public.symbols AS s
    WHERE s.exchange_id = @exchange_id AND s.updated_at > @since::timestamptz AND s.updated_at <= @until::timestamptz
    UNION
    SELECT h.symbol_id
    FROM public.symbol_history AS h
    WHERE h.exchange_id = @exchange_id AND upper(h.valid) > @since::timestamptz AND upper(h.valid) <= @until::timestamptz
    UNION
    SELECT h.symbol_id
    FROM public.symbol_history AS h
    WHERE h.exchange_id = @exchange_id AND (h.spec_version = 1 OR lower(h.valid) = h.created_at)
      AND lower(h.valid) > @since::timestamptz AND lower(h.valid) <= @until::timestamptz
)
SELECT side.is_after::boolean AS is_after,
       coalesce(
           (SELECT coalesce(h.new_row, h.old_row) ->> 'enum_value'
            FROM public.exchange_history AS h
            WHERE h.exchange_id = @exchange_id AND h.changed_at <= @until::timestamptz
            ORDER BY h.changed_at DESC, h.id DESC
            LIMIT 1),
           (SELECT e.enum_value FROM public.exchanges AS e WHERE e.id = @exchange_id))::text AS exchange,
       v.*
FROM changed
CROSS JOIN (SELECT false AS is_after, @since::timestamptz AS at UNION ALL SELECT true, @until::timestamptz) AS side
CROSS JOIN LATERAL (
    SELECT st.*
    FROM public.symbol_states AS st
    WHERE st.id = changed.id AND st.valid_from <= side.at
    ORDER BY st.spec_version DESC
    LIMIT 1) AS v
WHERE v.valid_to IS NULL OR v.valid_to > side.at
ORDER BY v.symbol, v.id;

-- name: WaitForImports :one
-- Of how many exchanges, of one or of all, was waited for an import that may change what was known at a time?
-- Only the waiting matters. With nothing seen to compare with, what symbols_settled answers says nothing.
SELECT count(public.symbols_settled(@lock_class::integer, p.id::integer, @at::timestamptz, NULL)) AS exchanges
FROM public.exchanges AS p
WHERE sqlc.narg(exchange_id)::integer IS NULL OR p.id = sqlc.narg(exchange_id)::integer;

-- name: ListHoldsAsOf :many
-- What had a person forbidden to trade on an exchange at a time?
SELECT h.native_symbol, h.sides, h.until_at, h.reason, h.held_by
FROM public.holds AS h
WHERE h.exchange_id = @exchange_id AND h.held_at <= @at::timestamptz
UNION ALL
SELECT h.native_symbol, h.sides, h.until_at, h.reason, h.held_by
FROM public.hold_history AS h
WHERE h.exchange_id = @exchange_id AND h.held_at <= @at::timestamptz AND h.ended_at > @at::timestamptz;

-- name: ListConfirmationsAsOf :many
-- When was each of these lists observed that was imported last, at a time? A list is meant by what its symbols have.
SELECT l.kind::text AS kind, l.settle::text AS settle, l.underlying::text AS underlying, i.observed_at
FROM (
    SELECT unnest(@kinds::text[]) AS kind, unnest(@settles::text[]) AS settle, unnest(@underlyings::text[]) AS underlying
) AS l
CROSS JOIN LATERAL (
    SELECT one.observed_at
    FROM public.symbol_imports AS one
    WHERE one.exchange_id = @exchange_id AND one.kind = l.kind AND one.outcome = 'APPLIED' AND one.moment <= @at::timestamptz
      AND (one.settle IS NULL OR one.settle = l.settle)
      AND (one.underlying IS NULL OR one.underlying = l.underlying)
    ORDER BY one.moment DESC
    LIMIT 1) AS i;

-- name: GetLogPosition :one
-- How far is the log of changes, when was an epoch with this token committed, and did everything change after it?
-- What is NULL is not in the log.
SELECT (SELECT min(c.committed_at) FROM public.registry_changes AS c WHERE c.epoch = @epoch::bigint AND c.token::text = @token::text)
           ::timestamptz AS committed_at,
       (SELECT max(c.committed_at) FROM public.registry_changes AS c WHERE c.epoch > @epoch::bigint AND c.changed = 'EVERYTHING')
           ::timestamptz AS everything_at,
       (SELECT c.committed_at FROM public.registry_changes AS c WHERE c.epoch IS NOT NULL ORDER BY c.epoch LIMIT 1)
           ::timestamptz AS oldest_at;

-- name: ListSymbolRowsSinceEpoch :many
-- What were the symbols of an exchange, whose specification changed after an epoch, then and now?
-- The newest epoch and the time are in each row, and in one of their own where nothing changed.
WITH reached AS (
    SELECT c.epoch, c.token::text AS token, clock_timestamp() AS asked_at
    FROM public.registry_changes AS c
    WHERE c.epoch IS NOT NULL
    ORDER BY c.epoch DESC
    LIMIT 1
), changed AS (
    SELECT DISTINCT ON (c.ids[n.i]) c.ids[n.i] AS id, c.versions[n.i] AS version
    FROM public.registry_changes AS c
    CROSS JOIN LATERAL generate_subscripts(c.ids, 1) AS n (i)
    WHERE c.epoch > @epoch::bigint AND c.versions IS NOT NULL
    ORDER BY c.ids[n.i], c.epoch, c.id
), found AS (
    SELECT side.is_after, v.*
    FROM changed
    CROSS JOIN (SELECT false AS is_after UNION ALL SELECT true) AS side
    JOIN public.symbol_states AS v
      ON v.id = changed.id AND CASE WHEN side.is_after THEN v.valid_to IS NULL ELSE v.spec_version = changed.version END
    WHERE v.exchange_id = @exchange_id::integer
)
SELECT r.epoch::bigint AS reached_epoch, r.token::text AS reached_token, r.asked_at::timestamptz AS asked_at,
       (SELECT e.enum_value FROM public.exchanges AS e WHERE e.id = @exchange_id::integer)::text AS exchange, f.*
FROM reached AS r
LEFT JOIN found AS f ON true
ORDER BY f.symbol, f.id;
