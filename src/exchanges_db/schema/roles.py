"""Writes the SQL that a DBA reads and runs to make the roles of a database: it is printed, and never sent from here.

Which role may do what is decided in `rights`; which tables, views and functions there are, the schema of record says.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from exchanges_db.errors import InvalidArgument, shown
from exchanges_db.schema.comparison import SchemaObject
from exchanges_db.schema.elsewhere import rights_elsewhere
from exchanges_db.schema.quoting import quote_body, quote_name, quote_role, quote_text
from exchanges_db.schema.rights import WRITES, Duty, functions, is_called, tables, writes

_HEAD = """\
-- Roles, owners and rights of exchanges_db, as printed by exchanges-db roles, which has run nothing.
--
-- Read it, then run it on the database as a superuser:
--     psql --no-psqlrc --set=ON_ERROR_STOP=1 --file=FILE "$ADMIN_DATABASE_URL"
-- It is done whole or not at all, and can be run as often as you like. Run it once before the first migration, so that
-- the owner is there, and again after every migration: what a migration adds can be read by everybody named here at
-- once, and written from then on. Roles that are there already keep their passwords and what else they have.
--
-- No password is set. In psql, \\password NAME asks for one and sends its hash alone; a certificate, or another method
-- of pg_hba.conf, needs none.

BEGIN;
-- Names are spelled alike whatever the session is set to, and nobody waits behind this for long.
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL quote_all_identifiers = off;
SET LOCAL lock_timeout = '500ms';
"""


@dataclass(frozen=True)
class Roles:
    """The names that a DBA gives.

    Attributes:
        owner: owns tables, views and functions, and cannot log in.
        app: what strategies and importers log in as: every duty.
        readonly: reads.
        single: logins with one duty each, for whoever wants them apart.
        deployer: a login that is a member of the owner and becomes it when it connects: for migrate and prune.
        database: the database that all this is about; None means the one on which it is run.
        ledger: where dbmate keeps applied versions, as schema and table.
    """

    owner: str
    app: str
    readonly: str
    single: Mapping[Duty, str] = field(default_factory=dict)
    deployer: str | None = None
    database: str | None = None
    ledger: tuple[str, str] = ("public", "schema_migrations")

    def duties(self) -> dict[str, Collection[Duty]]:
        """Return the roles that read, with what each does beside that."""
        return {self.app: tuple(Duty), self.readonly: (), **{name: (duty,) for duty, name in self.single.items()}}

    def logins(self) -> list[str]:
        """Return the roles that can log in."""
        return [*self.duties(), *([] if self.deployer is None else [self.deployer])]


def roles_sql(roles: Roles) -> str:
    """Return the SQL that makes these roles and gives each what it needs, and no more.

    Raises:
        InvalidArgument: a name cannot be one, or two roles have the same.
    """
    given = [roles.owner, roles.app, roles.readonly, *roles.single.values()]
    given += [] if roles.deployer is None else [roles.deployer]
    twice = {name for name in given if given.count(name) > 1}
    if twice:
        raise InvalidArgument(f"{shown(min(twice))} is given twice: each of these roles is one of its own")
    parts = (_make, _database, _schema, _objects, _sequences, _default, _elsewhere)
    return "\n".join((_HEAD, *(part(roles) for part in parts), "COMMIT;\n"))


def _do(*lines: str) -> str:
    return "DO " + quote_body("\n".join(("BEGIN", *(f"    {line}" for line in lines), "END"))) + ";"


def _make(roles: Roles) -> str:
    owner = quote_text(roles.owner)
    lines = []
    if roles.database is not None:
        quote_name(roles.database)  # which refuses what is no name
        other = f"current_database() <> {quote_text(roles.database)}"
        lines.append(_refuse(other, "this is another database than --database names"))
    for name in (roles.owner, *roles.logins()):
        login = "NOLOGIN" if name == roles.owner else "LOGIN"
        found = f"EXISTS (SELECT FROM pg_roles WHERE rolname = {quote_text(name)})"
        lines.append(f"IF NOT {found} THEN CREATE ROLE {quote_role(name)} {login}; END IF;")
    everybody = ", ".join(map(quote_text, (roles.owner, *roles.logins())))
    lines += [
        _refuse(
            f"EXISTS (SELECT FROM pg_roles WHERE rolname IN ({everybody}) AND rolsuper)",
            "one of these roles is a superuser, whom no right binds: name another one",
        ),
        _refuse(
            f"EXISTS (SELECT FROM pg_roles WHERE rolname = {owner} AND rolcanlogin)",
            "the owner is a role that can log in: ALTER ROLE ... NOLOGIN first, or name another one",
        ),
    ]
    for name in roles.duties():
        lines.append(
            _refuse(
                f"pg_has_role({quote_text(name)}, {owner}, 'MEMBER')",
                "a role that must not change tables is a member of their owner: REVOKE that first",
            )
        )
    if roles.deployer is not None:
        grant = f"GRANT {quote_role(roles.owner)} TO {quote_role(roles.deployer)}"
        # From 16 on a role that made another is its member, and may all the same not become it unless that is given.
        is_new = "current_setting('server_version_num')::integer >= 160000"
        becoming = f"CASE WHEN {is_new} THEN 'SET' ELSE 'MEMBER' END"
        lines += [
            f"IF NOT pg_has_role({quote_text(roles.deployer)}, {owner}, {becoming}) THEN",
            f"    EXECUTE {quote_text(grant)} || CASE WHEN {is_new} THEN ' WITH SET TRUE' ELSE '' END;",
            "END IF;",
        ]
    return f"-- Who there is.\n{_do(*lines)}\n"


def _refuse(condition: str, reason: str) -> str:
    return f"IF {condition} THEN RAISE EXCEPTION {quote_text(reason)}; END IF;"


def _database(roles: Roles) -> str:
    granted = _names(roles.logins())
    statements = [
        "REVOKE TEMPORARY, CREATE ON DATABASE %I FROM PUBLIC",
        f"REVOKE ALL ON DATABASE %I FROM {granted}",
        f"GRANT CONNECT ON DATABASE %I TO {granted}",
    ]
    if roles.deployer is not None:
        statements.append(
            f"ALTER ROLE {quote_role(roles.deployer)} IN DATABASE %I SET role TO {quote_text(roles.owner)}"
        )
    head = "-- No temporary tables: one named like ours, laid in the way of a statement, is a way to be misled.\n"
    if roles.database is not None:
        named = quote_name(roles.database)
        return head + "".join(f"{named.join(statement.split('%I', 1))};\n" for statement in statements)
    # The server puts the name of its database in the place of %I; a % in the name of a role is doubled for it.
    texts = [
        quote_text("%I".join(part.replace("%", "%%") for part in statement.split("%I", 1))) for statement in statements
    ]
    return head + _do(*(f"EXECUTE format({text}, current_database());" for text in texts)) + "\n"


def _schema(roles: Roles) -> str:
    owner, readers = quote_role(roles.owner), _names(roles.duties())
    lines = [
        f"REVOKE CREATE ON SCHEMA public FROM PUBLIC, {_names(roles.logins())};",
        f"GRANT USAGE ON SCHEMA public TO {readers};",
        f"GRANT USAGE, CREATE ON SCHEMA public TO {owner};",
    ]
    if roles.ledger[0] != "public":
        ledger = quote_name(roles.ledger[0])
        lines += [
            f"CREATE SCHEMA IF NOT EXISTS {ledger} AUTHORIZATION {owner};",
            f"GRANT USAGE ON SCHEMA {ledger} TO {readers};",
            f"GRANT USAGE, CREATE ON SCHEMA {ledger} TO {owner};",
        ]
    return "-- Nobody but the owner makes anything in schema public.\n" + "\n".join(lines) + "\n"


def _objects(roles: Roles) -> str:
    called = sorted(functions(), key=lambda item: (not is_called(item), item))
    blocks = [
        *(_table(roles, schema, table, kind) for schema, table, kind in _named(roles)),
        *(_function(roles, item) for item in called),
    ]
    head = "-- What is there already: whose it is, and who may do what. Histories are written by triggers alone.\n"
    return head + "\n".join(blocks) + "\n"


def _table(roles: Roles, schema: str, table: str, kind: str) -> str:
    name = _qualified(schema, table)
    owner, readers = quote_role(roles.owner), _names(roles.duties())
    found = f"to_regclass({quote_text(name)})"
    rights = [f"SELECT ON TABLE {name} TO {readers}"]
    for role, duties in roles.duties().items():
        more = writes(table, duties) if schema == "public" else ()
        rights += [f"{', '.join(more)} ON TABLE {name} TO {quote_role(role)}"] if more else []
    # A change of the owner locks the table even where nothing changes, so that it is done only where it is due.
    is_others = f"(SELECT relowner <> {quote_text(owner)}::regrole FROM pg_class WHERE oid = {found})"  # noqa: S608 - printed, and sent nowhere
    return _do(
        f"IF {is_others} THEN ALTER {kind} {name} OWNER TO {owner}; END IF;",
        f"IF {found} IS NOT NULL THEN",
        f"    REVOKE ALL ON TABLE {name} FROM PUBLIC, {_names(roles.logins())};",
        *(f"    GRANT {right};" for right in rights),
        "END IF;",
    )


def _function(roles: Roles, function: SchemaObject) -> str:
    name, _, arguments = function.object_name.partition("(")
    signature = f"{quote_name('public')}.{quote_name(name)}({arguments}"
    owner, readers = quote_role(roles.owner), _names(roles.duties())
    printed = "proname || '(' || pg_get_function_identity_arguments(oid) || ')'"
    lines = [
        "IF EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
        f"           AND {printed} = {quote_text(function.object_name)}) THEN",
        f"    ALTER FUNCTION {signature} OWNER TO {owner};",
        f"    REVOKE ALL ON FUNCTION {signature} FROM PUBLIC, {_names(roles.logins())};",
    ]
    if is_called(function):
        lines.append(f"    GRANT EXECUTE ON FUNCTION {signature} TO {readers};")
    return _do(*lines, "END IF;")


def _named(roles: Roles) -> list[tuple[str, str, str]]:
    """Return schema, name and kind of all tables and views, those of dbmate included."""
    ours = sorted(tables(), key=lambda item: (item.kind, item.object_name))
    return [
        *(("public", item.object_name, item.kind.upper()) for item in ours),
        *((roles.ledger[0], name, "TABLE") for name in (roles.ledger[1], "migration_checksums")),
    ]


def _qualified(schema: str, table: str) -> str:
    return f"{quote_name(schema)}.{quote_name(table)}"


def _sequences(roles: Roles) -> str:
    ours = ", ".join(f"to_regclass({quote_text(_qualified(schema, table))})" for schema, table, _ in _named(roles))
    revoke = "%s".join(("REVOKE ALL ON SEQUENCE ", f" FROM PUBLIC, {_names(roles.logins())}".replace("%", "%%")))
    body = (
        "DECLARE",
        "    one regclass;",
        "BEGIN",
        "    FOR one IN SELECT s.oid::regclass FROM pg_depend AS d",
        "        JOIN pg_class AS s ON d.classid = 'pg_class'::regclass AND s.oid = d.objid AND s.relkind = 'S'",
        f"        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid IN ({ours})",
        "          AND d.deptype IN ('a', 'i') AND s.relacl IS NOT NULL",
        "    LOOP",
        f"        EXECUTE format({quote_text(revoke)}, one);",
        "    END LOOP;",
        "END",
    )
    head = "-- Ids are given by the tables. Who may set a sequence can keep all others from inserting.\n"
    return f"{head}DO {quote_body(chr(10).join(body))};\n"


def _elsewhere(roles: Roles) -> str:
    names = [_qualified(schema, table) for schema, table, _ in _named(roles)]
    allowed = {
        role: [(_qualified("public", table), right) for table in WRITES for right in writes(table, duties)]
        for role, duties in roles.duties().items()
    }
    body = quote_body("\n".join(rights_elsewhere(allowed, names, {"public", roles.ledger[0]})))
    head = "-- What these roles may from elsewhere. Where that is more than is meant for them, nothing is done.\n"
    return f"{head}DO {body};\n"


def _default(roles: Roles) -> str:
    owner, readers = quote_role(roles.owner), _names(roles.duties())
    head = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner}"
    return (
        "-- What the owner will make, such as views that a migration makes anew, until this is run again, which takes\n"
        "-- functions of triggers away from everybody.\n"
        + "".join(
            f"{head}{where} REVOKE ALL ON {kinds} FROM PUBLIC, {_names(roles.logins())};\n"
            for where in ("", " IN SCHEMA public")
            for kinds in ("TABLES", "SEQUENCES", "FUNCTIONS")
        )
        + f"{head} IN SCHEMA public GRANT SELECT ON TABLES TO {readers};\n"
        f"{head} IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO {readers};\n"
    )


def _names(roles: Collection[str]) -> str:
    return ", ".join(map(quote_role, roles))
