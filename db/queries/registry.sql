-- What a registry in memory holds, and what has changed in it since an epoch.
-- Documents are JSON: decoding one takes a tenth of the time that as many records take.

-- name: GetRegistryState :one
-- Which epoch has the log of changes reached, with which token, what does the server's clock say, and which session is it?
-- And of what version are the triggers that write it? 0 while not all are there, as during a restore; where it is another
-- one than before, there may be changes that the log does not tell of.
-- Of a server that follows another one: how much it has received and shows, and whether it gets any. All may know
-- whether there is a process that receives, but only members of pg_read_all_stats whether that one is connected. And for
-- how many seconds it takes a silent connection for alive.
SELECT c.epoch::bigint AS epoch, c.token::text AS token, coalesce((SELECT l.version FROM public.registry_log AS l), 0)::bigint AS log_version,
       clock_timestamp()::timestamptz AS asked_at,
       pg_is_in_recovery()::boolean AS on_standby,
       pg_backend_pid()::integer AS pid,
       coalesce(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0'), 0)::bigint AS received,
       coalesce(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'), 0)::bigint AS replayed,
       EXISTS (SELECT FROM pg_stat_get_wal_receiver() AS r
               WHERE to_jsonb(r) ->> 'pid' IS NOT NULL
                 AND coalesce(to_jsonb(r) ->> 'status', 'streaming') = 'streaming')::boolean AS is_fed,
       coalesce(nullif(extract(epoch FROM current_setting('wal_receiver_timeout')::interval), 0), 'infinity')::double precision
           AS longest_silence
FROM public.registry_changes AS c
WHERE c.epoch IS NOT NULL
ORDER BY c.epoch DESC
LIMIT 1;

-- name: SetSessionLimits :one
-- The first question of a session of one's own, which reads no table, so that no lock on one keeps it waiting. Is it the one
-- that this client was told of? Else a pooler is in between, and it is others', too, and left as it is.
-- Such a session waits for notifications: let no limit for idle sessions end it, end a transaction that nobody goes on with,
-- and have the server find out within some minutes that the network has cut the session off, also while it sends. While it
-- waits for the rest of a question it is not idle: only the limit for whole transactions counts there, which is of PostgreSQL
-- 17. And while it waits for a lock it does not see that its client has gone, and come again.
-- What the address names counts, and so does a limit for transactions or locks, or for the network, that anybody has set.
SELECT (pg_backend_pid() = @pid::integer)::boolean AS is_direct, (
    SELECT count(set_config(s.name, own.value, false))
    FROM pg_catalog.pg_settings AS s
    JOIN (VALUES ('idle_session_timeout', '0'), ('idle_in_transaction_session_timeout', @transaction_limit::text),
                 ('transaction_timeout', @load_limit::text), ('lock_timeout', @lock_limit::text),
                 ('tcp_keepalives_idle', '60'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '6'),
                 ('tcp_user_timeout', '60000')) AS own (name, value) ON own.name = s.name
    WHERE pg_backend_pid() = @pid::integer
      AND CASE s.name WHEN 'idle_session_timeout' THEN s.setting <> '0' AND s.source <> 'client'
                      WHEN 'idle_in_transaction_session_timeout' THEN s.setting = '0' AND s.source <> 'client'
                      ELSE s.source = 'default' END
)::bigint AS limits_set;

-- name: SetTransactionLimit :one
-- The limit for idle transactions for this one alone, as where a pooler gives the session to others: what the network has
-- cut off from its client keeps its locks and all old rows otherwise, until the server finds out.
SELECT set_config('idle_in_transaction_session_timeout', @transaction_limit::text, true) AS idle_in_transaction_session_timeout
FROM pg_catalog.pg_settings AS s
WHERE s.name = 'idle_in_transaction_session_timeout' AND s.setting = '0' AND s.source <> 'client';

-- name: GetRegistryNews :one
-- What has changed since this epoch, as one document each, and which epoch was reached by that?
-- Where the epoch with this token is not in the log, or that is not of this version, known is false, and the documents are
-- empty.
-- The same where the log since then names more than `named_limit` things, because to read all is quicker.
-- Of more symbols than `most` the ids alone, in left_out: no statement may take so long that it is given up, again and again.
-- Where the session's transactions are not READ COMMITTED, the moment of a statement alone is from before it has its locks:
-- a table that is written anew meanwhile has no rows then. So may_lack_rows is true, unless nothing is new.
-- Bounds on both sides, an order, and ids as arrays: so that a plan is made once, and by indexes, however long the log is.
WITH state AS MATERIALIZED (
    SELECT c.epoch, c.token
    FROM public.registry_changes AS c
    WHERE c.epoch IS NOT NULL
    ORDER BY c.epoch DESC
    LIMIT 1
), base AS MATERIALIZED (
    SELECT coalesce((SELECT c.epoch = @since_epoch::bigint AND c.token::text = @since_token::text
                     FROM public.registry_changes AS c
                     WHERE c.epoch >= @since_epoch::bigint
                     ORDER BY c.epoch
                     LIMIT 1), false)
           AND coalesce((SELECT l.version FROM public.registry_log AS l) = @log_version::bigint, false)
           AND (SELECT coalesce(sum(1 + cardinality(c.ids)), 0) FROM public.registry_changes AS c
                WHERE c.epoch > @since_epoch::bigint AND c.epoch <= (SELECT s.epoch FROM state AS s))
               <= @named_limit::bigint AS known
), news AS MATERIALIZED (
    SELECT c.epoch, c.id, c.changed, c.ids, c.token, c.committed_at
    FROM public.registry_changes AS c
    WHERE c.epoch > @since_epoch::bigint AND c.epoch <= (SELECT s.epoch FROM state AS s) AND (SELECT b.known FROM base AS b)
), touched AS MATERIALIZED (
    SELECT ARRAY(SELECT unnest(n.ids) FROM news AS n WHERE n.changed = 'EXCHANGES') AS exchanges,
           ARRAY(SELECT unnest(n.ids) FROM news AS n WHERE n.changed = 'SYMBOLS') AS symbols,
           ARRAY(SELECT unnest(n.ids) FROM news AS n WHERE n.changed = 'HOLDS') AS holds,
           ARRAY(SELECT unnest(n.ids) FROM news AS n WHERE n.changed = 'FEES') AS fees,
           ARRAY(SELECT unnest(n.ids) FROM news AS n WHERE n.changed = 'LISTS') AS lists
), asked AS MATERIALIZED (
    SELECT CASE WHEN cardinality(t.symbols) <= @most::integer THEN t.symbols ELSE '{}' END AS symbols,
           CASE WHEN cardinality(t.symbols) <= @most::integer THEN '{}' ELSE t.symbols END AS left_out
    FROM touched AS t
)
SELECT
    s.epoch::bigint AS epoch, s.token::text AS token, b.known::boolean AS known,
    coalesce((SELECT json_agg(json_build_array(n.epoch, n.token, n.changed, n.ids,
                                               to_char(n.committed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
                              ORDER BY n.epoch, n.id)
              FROM news AS n), '[]')::text AS log,
    coalesce((SELECT json_agg(to_json(e)) FROM public.exchanges AS e
              WHERE e.id = ANY ((SELECT t.exchanges FROM touched AS t)::integer[])), '[]')::text AS exchanges,
    coalesce((SELECT json_agg(json_strip_nulls(to_json(v))) FROM public.registry_symbols AS v
              WHERE v.id = ANY ((SELECT a.symbols FROM asked AS a)::integer[])), '[]')::text AS symbols,
    coalesce((SELECT json_agg(json_build_array(n.id, n.exchange_id, n.native_symbol, n.base, n.quote))
              FROM public.symbols AS n
              WHERE n.status IS NULL AND n.id = ANY ((SELECT a.symbols FROM asked AS a)::integer[])), '[]')::text AS named,
    (SELECT a.left_out FROM asked AS a)::integer[] AS left_out,
    (current_setting('transaction_isolation') <> 'read committed' AND EXISTS (SELECT FROM news AS n))::boolean AS may_lack_rows,
    coalesce((SELECT json_agg(to_json(h)) FROM public.holds AS h
              WHERE h.exchange_id = ANY ((SELECT t.holds FROM touched AS t)::integer[])), '[]')::text AS holds,
    coalesce((SELECT json_agg(to_json(f)) FROM public.registry_fees AS f
              WHERE f.exchange_id = ANY ((SELECT t.fees FROM touched AS t)::integer[])), '[]')::text AS fees,
    coalesce((SELECT json_agg(to_json(l)) FROM public.symbol_lists AS l
              WHERE l.exchange_id = ANY ((SELECT t.lists FROM touched AS t)::integer[])), '[]')::text AS lists
FROM state AS s, base AS b;

-- name: LockRegistry :exec
-- Lets no table that a registry reads be written anew from here on: first in a transaction of REPEATABLE READ, whose moment
-- begins with the query after this. ALTER TABLE may write a table anew, and to whoever's moment is before that it is empty.
-- Views, because whoever may read them need not have a right to what they are of; registry_changes first, as migrations do.
LOCK TABLE public.registry_changes, public.exchanges, public.symbols, public.registry_symbols, public.holds,
    public.registry_fees, public.symbol_lists IN ACCESS SHARE MODE;

-- name: GetRegistryContents :one
-- All but the symbols: in one transaction with GetRegistrySymbols what a registry begins with.
SELECT
    coalesce((SELECT json_agg(to_json(e)) FROM public.exchanges AS e), '[]')::text AS exchanges,
    coalesce((SELECT json_agg(json_build_array(n.id, n.exchange_id, n.native_symbol, n.base, n.quote))
              FROM public.symbols AS n WHERE n.status IS NULL), '[]')::text AS named,
    coalesce((SELECT json_agg(to_json(h)) FROM public.holds AS h), '[]')::text AS holds,
    coalesce((SELECT json_agg(to_json(f)) FROM public.registry_fees AS f), '[]')::text AS fees,
    coalesce((SELECT json_agg(to_json(l)) FROM public.symbol_lists AS l), '[]')::text AS lists;

-- name: GetRegistrySymbols :one
-- Which are the next symbols that have rules, by id, so many at most, and which id has the last of them?
SELECT coalesce(max(part.id), @after_id::integer)::integer AS last_id, count(*)::integer AS symbols_read,
       coalesce(json_agg(json_strip_nulls(part.document)), '[]')::text AS symbols
FROM (
    SELECT v.id, to_json(v) AS document
    FROM public.registry_symbols AS v
    WHERE v.id > @after_id::integer
    ORDER BY v.id
    LIMIT @most::integer
) AS part;

-- name: GetRegistrySymbolsOf :one
-- Which of these symbols are there, with rules or known by name only? In one transaction with GetRegistryNews.
SELECT
    coalesce((SELECT json_agg(json_strip_nulls(to_json(v))) FROM public.registry_symbols AS v
              WHERE v.id = ANY (@ids::integer[])), '[]')::text AS symbols,
    coalesce((SELECT json_agg(json_build_array(n.id, n.exchange_id, n.native_symbol, n.base, n.quote))
              FROM public.symbols AS n
              WHERE n.status IS NULL AND n.id = ANY (@ids::integer[])), '[]')::text AS named;

-- name: SendNotification :one
-- Sends a notification, to see whether it arrives. All who notify wait for each other at their commits, and so for one that
-- hangs, as where no standby confirms it: no longer than this here, whatever limit for locks the session has.
SELECT set_config('lock_timeout', @lock_limit::text, true) AS lock_timeout, pg_notify(@channel::text, @payload::text)::text AS sent;
