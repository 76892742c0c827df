-- Deleting what is old from ledger and histories. Only their owner can; the triggers of the tables record it.
-- A batch takes the oldest rows, so that what is left has no holes, wherever it ends.

-- name: GetPruner :one
-- Who is asking, and who owns the histories?
SELECT current_user::text AS asking, pg_get_userbyid(c.relowner)::text AS owner
FROM pg_catalog.pg_class AS c
WHERE c.oid = to_regclass('public.symbol_history');

-- name: SetPruneBefore :one
-- Lets the owner delete until the transaction ends; an empty text forbids it again.
SELECT set_config('exchanges_db.prune_before', @before::text, true)::text AS prune_before;

-- name: CountPrunable :one
-- How many rows of each table are older than a time?
SELECT (SELECT count(*) FROM public.symbol_imports AS i
        WHERE i.ended_at < @before::timestamptz
          AND (i.moment IS NULL OR EXISTS (SELECT FROM public.symbol_imports AS l
               WHERE l.exchange_id = i.exchange_id AND l.kind = i.kind AND l.settle IS NOT DISTINCT FROM i.settle
                 AND l.underlying IS NOT DISTINCT FROM i.underlying AND l.moment > i.moment
                 AND l.moment <= @before::timestamptz)))::bigint AS symbol_imports,
       (SELECT count(*) FROM public.symbol_history AS h WHERE upper(h.valid) <= @before::timestamptz)::bigint AS symbol_history,
       (SELECT count(*) FROM public.exchange_history AS h
        WHERE EXISTS (SELECT FROM public.exchange_history AS l
                      WHERE l.exchange_id = h.exchange_id AND l.changed_at <= @before::timestamptz
                        AND (l.changed_at, l.id) > (h.changed_at, h.id)))::bigint AS exchange_history,
       (SELECT count(*) FROM public.hold_history AS h WHERE h.ended_at <= @before::timestamptz)::bigint AS hold_history,
       (SELECT count(*) FROM public.symbol_doubts AS d WHERE d.ended_at <= @before::timestamptz)::bigint AS symbol_doubts;

-- name: DeleteOldImports :execrows
-- How many rows of the ledger were deleted? What had last confirmed each list by that time stays.
DELETE FROM public.symbol_imports AS i
USING (SELECT o.id FROM public.symbol_imports AS o
       WHERE o.ended_at < @before::timestamptz
         AND (o.moment IS NULL OR EXISTS (SELECT FROM public.symbol_imports AS l
               WHERE l.exchange_id = o.exchange_id AND l.kind = o.kind AND l.settle IS NOT DISTINCT FROM o.settle
                 AND l.underlying IS NOT DISTINCT FROM o.underlying AND l.moment > o.moment
                 AND l.moment <= @before::timestamptz))
       ORDER BY o.ended_at, o.id LIMIT @batch::integer) AS old
WHERE i.id = old.id;

-- name: DeleteOldSymbolVersions :execrows
-- How many versions of symbols that ended were deleted?
DELETE FROM public.symbol_history AS h
USING (SELECT o.symbol_id, o.spec_version FROM public.symbol_history AS o WHERE upper(o.valid) <= @before::timestamptz
       ORDER BY upper(o.valid), o.symbol_id, o.spec_version LIMIT @batch::integer) AS old
WHERE h.symbol_id = old.symbol_id AND h.spec_version = old.spec_version;

-- name: DeleteOldExchangeChanges :execrows
-- How many changes of exchanges that others followed were deleted? What an exchange was at that time stays.
DELETE FROM public.exchange_history AS h
USING (SELECT o.id FROM public.exchange_history AS o
       WHERE EXISTS (SELECT FROM public.exchange_history AS l
                     WHERE l.exchange_id = o.exchange_id AND l.changed_at <= @before::timestamptz
                       AND (l.changed_at, l.id) > (o.changed_at, o.id))
       ORDER BY o.changed_at, o.id LIMIT @batch::integer) AS old
WHERE h.id = old.id;

-- name: DeleteOldHolds :execrows
-- How many holds that ended were deleted?
DELETE FROM public.hold_history AS h
USING (SELECT o.id FROM public.hold_history AS o WHERE o.ended_at <= @before::timestamptz
       ORDER BY o.ended_at, o.id LIMIT @batch::integer) AS old
WHERE h.id = old.id;

-- name: DeleteOldDoubts :execrows
-- How many doubts that ended were deleted?
DELETE FROM public.symbol_doubts AS d
USING (SELECT o.id FROM public.symbol_doubts AS o WHERE o.ended_at <= @before::timestamptz
       ORDER BY o.ended_at, o.id LIMIT @batch::integer) AS old
WHERE d.id = old.id;

-- name: GetPrunedBefore :one
-- Up to which time was a history pruned, if ever?
SELECT max(p.before)::timestamptz AS before
FROM public.history_prunes AS p
WHERE p.pruned_table = @pruned_table AND p.before > @at::timestamptz;

-- name: ListHistoryPrunes :many
-- What was deleted of which table, up to which time, when and by whom, oldest first? The batches of one prune are one row.
SELECT p.pruned_table, p.before, sum(p.pruned_rows)::bigint AS pruned_rows, min(p.pruned_at)::timestamptz AS began_at,
       max(p.pruned_at)::timestamptz AS ended_at, p.pruned_by, p.application_name
FROM public.history_prunes AS p
GROUP BY p.pruned_table, p.before, p.pruned_by, p.application_name
ORDER BY min(p.id);
