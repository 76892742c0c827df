-- What of the system catalogs `exchanges-db validate` looks at beside the schema of record.
-- `tables` are our tables and views; `functions` ours with their arguments, as the catalog prints them.

-- name: ListOtherOwners :many
-- Which of our objects does another role own than owns public.exchanges?
WITH owned AS (
    SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END AS kind, c.relname::text AS object_name, c.relowner AS owner
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname::text = ANY(@tables::text[])
    UNION ALL
    SELECT 'function', f.proname::text, f.proowner
    FROM pg_catalog.pg_proc AS f
    WHERE f.pronamespace = 'public'::regnamespace
      AND f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')' = ANY(@functions::text[])
)
SELECT o.kind::text AS kind, o.object_name, pg_get_userbyid(o.owner)::text AS owner,
       pg_get_userbyid(e.relowner)::text AS expected_owner
FROM owned AS o
JOIN pg_catalog.pg_class AS e ON e.oid = to_regclass('public.exchanges')
WHERE o.owner <> e.relowner
ORDER BY 1, 2;

-- name: ListPublicGrants :many
-- Which rights on our objects, on schema public and on this database has everybody, beyond what PostgreSQL gives?
-- Functions that are no triggers may be called by everybody.
WITH granted AS (
    SELECT c.relname::text AS object_name, a.grantee, a.privilege_type
    FROM pg_catalog.pg_class AS c, aclexplode(c.relacl) AS a (grantor, grantee, privilege_type, is_grantable)
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname::text = ANY(@tables::text[])
    UNION ALL
    SELECT c.relname || '.' || t.attname, a.grantee, a.privilege_type
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_attribute AS t ON t.attrelid = c.oid, aclexplode(t.attacl) AS a (grantor, grantee, privilege_type, is_grantable)
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname::text = ANY(@tables::text[])
    UNION ALL
    SELECT 'sequence ' || q.relname, a.grantee, a.privilege_type
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_depend AS d ON d.refobjid = c.oid AND d.deptype IN ('a', 'i') AND d.classid = 'pg_catalog.pg_class'::regclass
    JOIN pg_catalog.pg_class AS q ON q.oid = d.objid AND q.relkind = 'S', aclexplode(q.relacl) AS a (grantor, grantee, privilege_type, is_grantable)
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname::text = ANY(@tables::text[])
    UNION ALL
    SELECT f.proname || '()', a.grantee, a.privilege_type
    FROM pg_catalog.pg_proc AS f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) AS a (grantor, grantee, privilege_type, is_grantable)
    WHERE f.pronamespace = 'public'::regnamespace AND f.prorettype = 'pg_catalog.trigger'::regtype
      AND f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')' = ANY(@functions::text[])
    UNION ALL
    SELECT 'schema public', a.grantee, a.privilege_type
    FROM pg_catalog.pg_namespace AS n, aclexplode(n.nspacl) AS a (grantor, grantee, privilege_type, is_grantable)
    WHERE n.oid = 'public'::regnamespace AND a.privilege_type = 'CREATE'
    UNION ALL
    SELECT 'the database', a.grantee, a.privilege_type
    FROM pg_catalog.pg_database AS b, aclexplode(b.datacl) AS a (grantor, grantee, privilege_type, is_grantable)
    WHERE b.datname = current_database() AND a.privilege_type = 'CREATE'
    UNION ALL
    SELECT 'what ' || pg_get_userbyid(p.defaclrole) || ' creates', a.grantee, a.privilege_type
    FROM pg_catalog.pg_default_acl AS p, aclexplode(p.defaclacl) AS a (grantor, grantee, privilege_type, is_grantable)
    WHERE p.defaclobjtype IN ('r', 'S') AND p.defaclnamespace IN (0, 'public'::regnamespace)
)
SELECT g.object_name::text AS object_name, string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type)::text AS rights
FROM granted AS g
WHERE g.grantee = 0
GROUP BY g.object_name
ORDER BY 1;

-- name: ListTriggerFunctionGrants :many
-- Which roles beside its owner may put a function of a trigger on a table of their own, by a right of their own?
SELECT f.proname::text AS function_name, pg_get_userbyid(a.grantee)::text AS role_name
FROM pg_catalog.pg_proc AS f, aclexplode(f.proacl) AS a (grantor, grantee, privilege_type, is_grantable)
WHERE f.pronamespace = 'public'::regnamespace AND f.prorettype = 'pg_catalog.trigger'::regtype
  AND f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')' = ANY(@functions::text[])
  AND a.grantee NOT IN (0, f.proowner)
ORDER BY 1, 2;

-- name: ListEventTriggers :many
-- Which event triggers are there, but those of extensions?
SELECT g.evtname::text AS trigger_name, g.evtevent::text AS event, f.proname::text AS function_name
FROM pg_catalog.pg_event_trigger AS g
JOIN pg_catalog.pg_proc AS f ON f.oid = g.evtfoid
WHERE g.evtenabled <> 'D'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                  WHERE d.classid = 'pg_catalog.pg_event_trigger'::regclass AND d.objid = g.oid AND d.deptype = 'e')
ORDER BY 1;

-- name: ListDisabledForeignKeys :many
-- Which foreign keys of our tables are not checked, because PostgreSQL's own triggers for them are switched off?
SELECT DISTINCT c.relname::text AS table_name, k.conname::text AS constraint_name
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = c.oid AND g.tgisinternal AND g.tgenabled <> 'O'
JOIN pg_catalog.pg_constraint AS k ON k.oid = g.tgconstraint
WHERE c.relnamespace = 'public'::regnamespace AND c.relname::text = ANY(@tables::text[])
ORDER BY 1, 2;

-- name: ListRelatives :many
-- Which tables are children of ours, or parents? A query of a parent reads its children's rows too.
SELECT p.oid::regclass::text AS parent, c.oid::regclass::text AS child
FROM pg_catalog.pg_inherits AS i
JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
WHERE p.relkind IN ('r', 'p')
  AND (p.relnamespace = 'public'::regnamespace AND p.relname::text = ANY(@tables::text[])
       OR c.relnamespace = 'public'::regnamespace AND c.relname::text = ANY(@tables::text[]))
ORDER BY 1, 2;

-- name: ListKeptSettings :many
-- What do database and roles set for every session in this database, and what does the server's own configuration set?
SELECT CASE WHEN s.setrole = 0 THEN 'database ' || current_database()
            WHEN s.setdatabase = 0 THEN 'role ' || pg_get_userbyid(s.setrole)
            ELSE 'role ' || pg_get_userbyid(s.setrole) || ' in database ' || current_database() END::text AS setter,
       split_part(o.setting, '=', 1)::text AS setting_name,
       substr(o.setting, strpos(o.setting, '=') + 1)::text AS setting_value
FROM pg_catalog.pg_db_role_setting AS s
CROSS JOIN LATERAL unnest(s.setconfig) AS o (setting)
WHERE s.setdatabase IN (0, (SELECT b.oid FROM pg_catalog.pg_database AS b WHERE b.datname = current_database()))
UNION ALL
SELECT 'the server''s configuration', g.name, coalesce(g.setting || coalesce(g.unit, ''), '')
FROM pg_catalog.pg_settings AS g
WHERE g.source IN ('configuration file', 'command line', 'environment variable', 'global')
ORDER BY 1, 2;

-- name: ListVacuumOptions :many
-- Which options about autovacuum have our tables and their TOAST tables?
SELECT c.relname::text AS table_name, split_part(o.option, '=', 1)::text AS option_name,
       split_part(o.option, '=', 2)::text AS option_value
FROM pg_catalog.pg_class AS c
LEFT JOIN pg_catalog.pg_class AS x ON x.oid = c.reltoastrelid
CROSS JOIN LATERAL unnest(coalesce(c.reloptions, '{}') || coalesce(x.reloptions, '{}')) AS o (option)
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname::text = ANY(@tables::text[])
ORDER BY 1, 2;

-- name: GetServerState :one
-- Does the server vacuum, has it sorted our indexes as it would now, and how old is the oldest row that is not frozen?
SELECT (current_setting('autovacuum') = 'on' AND current_setting('track_counts') = 'on')::boolean AS vacuums,
       current_setting('fsync')::boolean AS syncs,
       (b.datcollversion IS NULL OR pg_database_collation_actual_version(b.oid) IS NULL
        OR b.datcollversion = pg_database_collation_actual_version(b.oid))::boolean AS sorts_alike,
       age(b.datfrozenxid)::bigint AS oldest_age
FROM pg_catalog.pg_database AS b
WHERE b.datname = current_database();

-- name: ListIdsUsed :many
-- How far is the sequence of each identity column, and which id is the highest in its table?
-- Not exact where this role may not read the sequence.
WITH used AS (
    SELECT 'exchanges'::text AS table_name, (SELECT max(t.id) FROM public.exchanges AS t)::bigint AS highest
    UNION ALL SELECT 'exchange_history', (SELECT max(t.id) FROM public.exchange_history AS t)
    UNION ALL SELECT 'symbols', (SELECT max(t.id) FROM public.symbols AS t)
    UNION ALL SELECT 'symbol_lists', (SELECT max(t.id) FROM public.symbol_lists AS t)
    UNION ALL SELECT 'symbol_imports', (SELECT max(t.id) FROM public.symbol_imports AS t)
    UNION ALL SELECT 'symbol_doubts', (SELECT max(t.id) FROM public.symbol_doubts AS t)
    UNION ALL SELECT 'hold_history', (SELECT max(t.id) FROM public.hold_history AS t)
    UNION ALL SELECT 'history_prunes', (SELECT max(t.id) FROM public.history_prunes AS t)
    UNION ALL SELECT 'account_fees', (SELECT max(t.id) FROM public.account_fees AS t)
    UNION ALL SELECT 'registry_changes', (SELECT max(t.id) FROM public.registry_changes AS t)
)
SELECT u.table_name::text AS table_name, coalesce(u.highest, 0)::bigint AS highest_in_table,
       s.seqmax AS highest_possible,
       coalesce(has_sequence_privilege(s.seqrelid, 'USAGE, SELECT'), false)::boolean AS is_exact,
       (CASE WHEN s.seqrelid IS NULL THEN 0
             WHEN has_sequence_privilege(s.seqrelid, 'USAGE, SELECT')
             THEN coalesce(pg_sequence_last_value(s.seqrelid), 0)
             ELSE coalesce(u.highest, 0) END)::bigint AS last_value,
       (s.seqincrement = 1 AND NOT s.seqcycle)::boolean AS counts_up
FROM used AS u
LEFT JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = pg_get_serial_sequence('public.' || u.table_name, 'id')::regclass
ORDER BY 1;

-- name: GetChangeLogState :one
-- From which epoch to which does the log of changes reach, and how many of its newest rows were committed without one?
-- The last epoch that was given is NULL where this role may not read the sequences, and 0 where none ever was.
SELECT (SELECT min(c.epoch) FROM public.registry_changes AS c WHERE c.epoch IS NOT NULL)::bigint AS oldest,
       (SELECT max(c.epoch) FROM public.registry_changes AS c WHERE c.epoch IS NOT NULL)::bigint AS newest,
       (SELECT max(CASE WHEN has_sequence_privilege(q.id, 'USAGE, SELECT') THEN coalesce(pg_sequence_last_value(q.id), 0) END)
        FROM (VALUES ('public.registry_epoch_seq'::regclass), ('public.registry_epoch_witness_seq'::regclass)) AS q (id))::bigint AS last_given,
       (SELECT count(*) FROM (SELECT c.epoch FROM public.registry_changes AS c ORDER BY c.id DESC LIMIT 1000) AS n
        WHERE n.epoch IS NULL)::bigint AS without_epoch;
