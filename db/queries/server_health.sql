-- What `exchanges-db validate` asks of the server and its sessions, beside our tables; none of it needs more rights than
-- a role that may read has, and all of it answers on a standby.

-- name: GetClock :one
-- What time is it, and which process of the server answers?
SELECT clock_timestamp()::timestamptz AS asked_at, pg_backend_pid()::integer AS backend_pid;

-- name: ListLongTransactions :many
-- Which other sessions have been in a transaction of this database for so many seconds, or idle in one, or have
-- prepared one? Hidden are those of other roles, unless this role is a member of pg_read_all_stats.
SELECT CASE WHEN a.state LIKE 'idle in transaction%' THEN 'idle in transaction' ELSE 'in a transaction' END::text AS kind,
       a.pid::text AS session_name, coalesce(a.usename::text, '')::text AS user_name,
       coalesce(a.application_name, '')::text AS application_name,
       extract(epoch FROM clock_timestamp() - coalesce(
           CASE WHEN a.state LIKE 'idle in transaction%' THEN a.state_change END, a.xact_start
       ))::bigint AS seconds
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
  AND (a.xact_start < clock_timestamp() - make_interval(secs => @longest::integer)
       OR a.state LIKE 'idle in transaction%'
          AND a.state_change < clock_timestamp() - make_interval(secs => @longest_idle::integer))
UNION ALL
SELECT 'prepared', p.gid, p.owner::text, '', extract(epoch FROM clock_timestamp() - p.prepared)::bigint
FROM pg_catalog.pg_prepared_xacts AS p
WHERE p.database = current_database() AND p.prepared < clock_timestamp() - make_interval(secs => @longest_idle::integer)
ORDER BY 5 DESC, 2;

-- name: CountHiddenSessions :one
-- Of how many other sessions in this database may this role not see what they do?
SELECT count(*)::bigint AS sessions
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.usesysid IS NOT NULL AND a.backend_type IS NULL;

-- name: GetNotificationQueueUsage :one
-- Which share of the queue of notifications is taken by those that a listener has not read?
SELECT pg_notification_queue_usage()::numeric AS share;

-- name: ListOldestTransactions :many
-- Which other sessions, of whatever database, have been in a transaction longest? One of them that listens reads no
-- notification meanwhile; which do listen only they themselves can tell.
SELECT a.pid::bigint AS pid, coalesce(a.usename::text, '')::text AS user_name,
       coalesce(a.application_name, '')::text AS application_name, coalesce(a.datname::text, '')::text AS database_name,
       extract(epoch FROM clock_timestamp() - a.xact_start)::bigint AS seconds
FROM pg_catalog.pg_stat_activity AS a
WHERE a.xact_start IS NOT NULL AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
ORDER BY a.xact_start
LIMIT 3;

-- name: ListConnectionLimits :many
-- How many connections may there be at once, of all roles, of this one and in this database, and how many are there?
-- What is reserved for superusers is not among them; a superuser heeds no limit of role or database.
WITH sessions AS (
    SELECT a.usesysid, a.datid
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.usesysid IS NOT NULL AND a.datid IS NOT NULL AND coalesce(a.backend_type, 'client backend') = 'client backend'
)
SELECT 'the server'::text AS place, count(*)::bigint AS used,
       (current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
        - coalesce(current_setting('reserved_connections', true), '0')::bigint)::bigint AS allowed
FROM sessions
UNION ALL
SELECT 'role ' || r.rolname, (SELECT count(*) FROM sessions AS s WHERE s.usesysid = r.oid), r.rolconnlimit::bigint
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = session_user AND r.rolconnlimit >= 0 AND NOT r.rolsuper
UNION ALL
SELECT 'database ' || d.datname, (SELECT count(*) FROM sessions AS s WHERE s.datid = d.oid), d.datconnlimit::bigint
FROM pg_catalog.pg_database AS d
JOIN pg_catalog.pg_roles AS r ON r.rolname = session_user
WHERE d.datname = current_database() AND d.datconnlimit >= 0 AND NOT r.rolsuper
ORDER BY 1;
