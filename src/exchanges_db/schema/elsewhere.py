"""Rights that a role has from elsewhere: the output of the command `roles` ends with a look for them, and refuses them.

A REVOKE takes away what the owner of a table has given, to this role by name. What remains is what another role gave,
what a role has through one that it is a member of, and what the owner of the database may.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from exchanges_db.schema.quoting import quote_text

# As far as a superuser, whom no right binds, by a way round.
_POWERFUL = ("pg_execute_server_program", "pg_write_server_files")


def rights_elsewhere(
    allowed: Mapping[str, Collection[tuple[str, str]]], ours: Collection[str], schemas: Collection[str]
) -> list[str]:
    """Return the body of a block that raises an error where one of these roles may do more than is meant for it.

    allowed: of each role, the tables, as quoted names with their schema, and what it may do with each.
    ours: all tables and views, spelled likewise.
    schemas: the names of their schemas.
    """
    logins = ", ".join(f"({quote_text(name)})" for name in allowed)
    # A row of NULL, because there is no empty VALUES.
    meant = ", ".join(
        ["(NULL, NULL, NULL)"]
        + [
            f"({quote_text(name)}, {quote_text(table)}, {quote_text(right)})"
            for name, rights in allowed.items()
            for table, right in rights
        ]
    )
    powerful = ", ".join(map(quote_text, _POWERFUL))
    places = ", ".join(map(quote_text, schemas))
    tables = ", ".join(f"({quote_text(table)})" for table in ours)
    return [
        "DECLARE",
        "    found text;",
        "BEGIN",
        # A role counts as a member of itself; the owner of the database as one of pg_database_owner.
        "    WITH acting (login, id, name) AS (",
        "        SELECT l.name, m.oid, m.rolname::text",
        f"        FROM (VALUES {logins}) AS l (name)",
        "        JOIN pg_roles AS m ON pg_has_role(l.name, m.oid, 'MEMBER')",
        "    ), ours (id, name) AS (",
        f"        SELECT to_regclass(t.name)::oid, t.name FROM (VALUES {tables}) AS t (name)",  # noqa: S608 - printed, and sent nowhere
        f"    ), meant (login, name, verb) AS (VALUES {meant}",
        "    ), more (login, name, what) AS (",
        "        SELECT a.login, a.name, p.verb || ' on ' || o.name",
        "        FROM acting AS a",
        "        CROSS JOIN ours AS o",
        "        CROSS JOIN unnest('{INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS p (verb)",
        "        WHERE CASE WHEN p.verb IN ('INSERT', 'UPDATE', 'REFERENCES')",
        "                   THEN has_any_column_privilege(a.id, o.id, p.verb)",
        "                   ELSE has_table_privilege(a.id, o.id, p.verb) END",
        "          AND (a.login, o.name, p.verb) NOT IN (SELECT * FROM meant WHERE meant.login IS NOT NULL)",
        "        UNION ALL",
        "        SELECT a.login, a.name, p.verb || ' on ' || d.objid::regclass::text",
        "        FROM acting AS a",
        "        CROSS JOIN unnest('{USAGE,UPDATE}'::text[]) AS p (verb)",
        "        JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')",
        "         AND d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT o.id FROM ours AS o)",
        "        JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'",
        "        WHERE has_sequence_privilege(a.id, s.oid, p.verb)",
        "        UNION ALL",
        # Whoever owns a schema may drop what is in it, whosever that is; so may the owner of the database in public.
        "        SELECT a.login, a.name, 'CREATE or DROP in schema ' || n.nspname",
        "        FROM acting AS a JOIN pg_namespace AS n",
        "          ON n.nspowner = a.id OR has_schema_privilege(a.id, n.oid, 'CREATE')",
        f"        WHERE n.nspname IN ({places})",
        "        UNION ALL",
        "        SELECT a.login, a.name, 'what the owner of the database may'",
        "        FROM acting AS a JOIN pg_database AS d ON d.datname = current_database() AND d.datdba = a.id",
        "        UNION ALL",
        "        SELECT a.login, a.name, p.verb || ' on the database'",
        "        FROM acting AS a CROSS JOIN unnest('{CREATE,TEMPORARY}'::text[]) AS p (verb)",
        "        WHERE has_database_privilege(a.id, current_database(), p.verb)",
        "        UNION ALL",
        "        SELECT a.login, a.name, 'what a superuser may, or take on the owner'",
        "        FROM acting AS a JOIN pg_roles AS m ON m.oid = a.id",
        f"        WHERE m.rolsuper OR m.rolcreaterole OR m.rolname IN ({powerful})",
        "    )",
        "    SELECT string_agg(format('%I as %I: %s', one.login, one.name, one.what), '; '",
        "                      ORDER BY one.login, one.name)",
        "    INTO found FROM (",
        '        SELECT more.login, more.name, max(more.what COLLATE "C")',
        "               || CASE WHEN count(*) > 1 THEN ' and ' || count(*) - 1 || ' more' ELSE '' END AS what",
        "        FROM more GROUP BY more.login, more.name",
        "    ) AS one;",
        "    IF found IS NOT NULL THEN",
        "        RAISE EXCEPTION 'nothing was done: a role may do more than is meant for it, which this cannot'",
        "            ' take away: %', left(found, 2000)",
        "            USING HINT = 'REVOKE the membership, or what another role gave; ALTER DATABASE ... OWNER TO'",
        "                ' another role; ALTER ROLE ... NOCREATEROLE. Then run this again.';",
        "    END IF;",
        "END",
    ]
