"""What each role of `exchanges-db roles` may do, statement by statement, with the SQLSTATE that refuses the rest."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from exchanges_db import ConstraintViolated, Database, update_exchange
from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.comparison import recorded_schema
from exchanges_db.schema.rights import WRITES, Duty, functions, is_called, writes
from tests.factories import connected
from tests.role_logins import LOGINS, roles_on

DENIED, DONE, NO_CALL, REFERRED_TO, DEPENDED_ON, NOT_NULL = "42501", "done", "0A000", "0A000", "2BP01", "23502"
DOUBT = "INSERT INTO symbol_doubts (symbol_id, brake, reason, since) VALUES (1, 'JUMP', 'r', now())"
# A statement, and what becomes of it for the owner, who is its deployer, the application and the reader.
MATRIX: list[tuple[str, str, str, str]] = [
    # Tables that are written, of each kind
    ("SELECT count(*) FROM exchanges", DONE, DONE, DONE),
    ("INSERT INTO exchanges (name, enum_value, display_name, market_type) VALUES ('X', 'X', 'x', 'SPOT')",
     DONE, DONE, DENIED),
    ("UPDATE exchanges SET is_active = false", DONE, DONE, DENIED),
    ("DELETE FROM exchanges WHERE id = 12345", DONE, DONE, DENIED),
    ("TRUNCATE exchanges", REFERRED_TO, DENIED, DENIED),
    ("TRUNCATE exchanges CASCADE", DONE, DENIED, DENIED),
    ("SELECT count(*) FROM symbols", DONE, DONE, DONE),
    ("INSERT INTO symbols (exchange_id, native_symbol) SELECT exchange_id, 'X' FROM symbols LIMIT 1",
     NOT_NULL, NOT_NULL, DENIED),
    ("UPDATE symbols SET min_quantity = 9", DONE, DONE, DENIED),
    ("DELETE FROM symbols", DONE, DENIED, DENIED),
    ("TRUNCATE symbols", DONE, DENIED, DENIED),
    ("INSERT INTO holds (exchange_id, sides, reason) VALUES (2, 'ALL', 'x')", DONE, DONE, DENIED),
    ("DELETE FROM holds", DONE, DONE, DENIED),
    ("TRUNCATE holds", DONE, DENIED, DENIED),
    ("UPDATE symbol_lists SET confirmations = confirmations", DONE, DONE, DENIED),
    ("DELETE FROM symbol_lists", DONE, DENIED, DENIED),
    (DOUBT, DONE, DONE, DENIED),
    (f"{DOUBT}; UPDATE symbol_doubts SET reason = 'other'", DENIED, DENIED, DENIED),
    (f"{DOUBT}; DELETE FROM symbol_doubts", DONE, DENIED, DENIED),
    # Ledgers: two take what is inserted
    ("INSERT INTO symbol_imports (exchange_id, exchange, outcome, began_at) VALUES (2, 'X', 'REFUSED', now())",
     DONE, DONE, DENIED),
    ("INSERT INTO account_fees (exchange_id, account, maker, taker) VALUES (2, 'x', 0, 0)", DONE, DONE, DENIED),
    ("INSERT INTO schema_migrations VALUES ('999')", DONE, DENIED, DENIED),
    ("SELECT count(*) FROM schema_migrations", DONE, DONE, DONE),
    # Past the triggers
    ("ALTER TABLE exchanges DISABLE TRIGGER exchanges_record_change", DONE, DENIED, DENIED),
    ("ALTER TABLE exchange_history DISABLE TRIGGER ALL", DONE, DENIED, DENIED),
    ("DROP TRIGGER exchange_history_refuse ON exchange_history", DONE, DENIED, DENIED),
    ("SET session_replication_role = replica", DENIED, DENIED, DENIED),
    ("SELECT set_config('session_replication_role', 'replica', true)", DENIED, DENIED, DENIED),
    ("SELECT set_config('exchanges_db.prune_before', 'now', true); DELETE FROM symbol_history", DONE, DENIED, DENIED),
    ("SELECT set_config('exchanges_db.prune_before', 'now', true); DELETE FROM symbol_imports", DONE, DENIED, DENIED),
    ("SELECT set_config('exchanges_db.prune_before', 'now', true); UPDATE symbol_history SET ended_by = ''",
     DENIED, DENIED, DENIED),
    ("ALTER FUNCTION public.exchanges_record_change() RESET search_path", DONE, DENIED, DENIED),
    ("CREATE OR REPLACE FUNCTION public.exchanges_stamp() RETURNS trigger LANGUAGE sql AS ''", "42P13", DENIED, DENIED),
    ("CREATE TRIGGER mine BEFORE UPDATE ON exchanges FOR EACH ROW EXECUTE FUNCTION exchanges_stamp()",
     DONE, DENIED, DENIED),
    # Names laid in the way: without a temporary table or a schema of one's own there is nowhere to put them
    ("CREATE TEMP TABLE exchange_history (LIKE public.exchange_history)", DENIED, DENIED, DENIED),
    ("CREATE FUNCTION pg_temp.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb'",
     DENIED, DENIED, DENIED),
    ("CREATE TABLE public.mine (id int)", DONE, DENIED, DENIED),
    ("CREATE SCHEMA mine", DENIED, DENIED, DENIED),
    ("DROP TABLE exchange_history", DEPENDED_ON, DENIED, DENIED),
    ("DROP VIEW symbol_versions", DONE, DENIED, DENIED),
    # Out of the database
    ("COPY exchanges TO PROGRAM 'true'", DENIED, DENIED, DENIED),
    ("COPY exchanges TO '/tmp/exchanges'", DENIED, DENIED, DENIED),
    ("SELECT pg_read_file('PG_VERSION')", DENIED, DENIED, DENIED),
    ("SELECT count(*) FROM pg_authid", DENIED, DENIED, DENIED),
    # Out of the role
    ("SET ROLE {owner}", DONE, DENIED, DENIED),
    ("SET SESSION AUTHORIZATION {owner}", DENIED, DENIED, DENIED),
    ("CREATE ROLE mine", DENIED, DENIED, DENIED),
    ("GRANT {owner} TO {app}", DENIED, DENIED, DENIED),
    # Functions; everybody may notify, and so a notification is a hint and never data
    ("SELECT public.symbols_moment()", DONE, DONE, DONE),
    ("SELECT public.exchange_id_as_of('MEXC_SPOT', now())", DONE, DONE, DONE),
    ("SELECT public.exchanges_record_change()", NO_CALL, DENIED, DENIED),
    ("SELECT nextval('symbols_id_seq')", DONE, DENIED, DENIED),
    ("SELECT pg_notify('exchanges_db', 'forged')", DONE, DONE, DONE),
    # The log of changes, and the lock that orders it: nobody else can hold up who commits
    ("INSERT INTO registry_changes (changed, transaction_id) VALUES ('EVERYTHING', '1')", DONE, DENIED, DENIED),
    ("UPDATE registry_changes SET token = NULL WHERE false", DONE, DENIED, DENIED),
    ("DELETE FROM registry_changes", DONE, DENIED, DENIED),
    ("TRUNCATE registry_changes", DONE, DENIED, DENIED),
    ("SELECT nextval('registry_epoch_seq')", DONE, DENIED, DENIED),
    ("SELECT setval('registry_epoch_seq', 1)", DONE, DENIED, DENIED),
    ("SELECT public.registry_stamp()", NO_CALL, DENIED, DENIED),
    ("LOCK TABLE registry_commit_order IN ACCESS SHARE MODE", DONE, DONE, DONE),
    *((f"LOCK TABLE registry_commit_order IN {mode} MODE", DONE, DENIED, DENIED)
      for mode in ("ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE",
                   "ACCESS EXCLUSIVE")),
]  # fmt: skip
COLUMN = {"owner": 1, "app": 2, "readonly": 3}
ROLES = {"owner": "deployer", "app": "app", "readonly": "readonly"}
# They take what is inserted, stamped by a trigger.
TAKE_INSERTS = {"account_fees", "symbol_imports"}
REFUSING = sorted(
    {i.table_name for i in recorded_schema() if i.kind == "trigger" and i.object_name.endswith("_refuse")}
)
OURS = [item for item in recorded_schema() if item.kind in ("table", "view")]


@pytest.fixture
async def logins(stocked_dsn: Dsn) -> AsyncIterator[dict[str, Dsn]]:
    """The database as each login."""
    async with roles_on(stocked_dsn) as made:
        yield made


async def outcome(connection: asyncpg.Connection, statement: str) -> str:
    """Return the SQLSTATE that refuses a statement, or that it was done; and undo it."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(statement)
    except asyncpg.PostgresError as exc:
        return str(exc.sqlstate)
    finally:
        await transaction.rollback()
    return DONE


@pytest.mark.parametrize("role", ROLES)
async def test_each_statement_is_done_or_refused_as_the_matrix_says(logins: dict[str, Dsn], role: str) -> None:
    names = {kind: dsn.user for kind, dsn in logins.items()}
    names["owner"] = str(names["app"]).replace("_app_", "_owner_")
    async with connected(logins[ROLES[role]]) as connection:
        found = {row[0]: await outcome(connection, row[0].format(**names)) for row in MATRIX}
    assert found == {row[0]: row[COLUMN[role]] for row in MATRIX}


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_writes_a_history_or_changes_a_ledger(logins: dict[str, Dsn], role: str) -> None:
    """The owner neither, unless it prunes; a table that a migration gives such a trigger is tried with the others."""
    found = {}
    async with connected(logins[ROLES[role]]) as connection:
        for table in REFUSING:
            column = await connection.fetchval(
                "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum = 1", table
            )
            for statement in (
                f"UPDATE {table} SET {column} = DEFAULT",
                f"DELETE FROM {table}",
                f"TRUNCATE {table}",
                f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {table} WHERE false",
            ):
                takes = statement.startswith("INSERT") and table in TAKE_INSERTS and role != "readonly"
                if not takes:
                    found[statement] = await outcome(connection, statement)
    assert len(found) >= 4 * len(REFUSING) - len(TAKE_INSERTS) > 20
    assert {statement: state for statement, state in found.items() if state != DENIED} == {}


async def test_each_login_has_exactly_the_rights_that_were_decided(logins: dict[str, Dsn], stocked_dsn: Dsn) -> None:
    """Asked of the server for every table, view and function there is, whoever gave the right."""
    duties = {
        "deployer": (), "app": tuple(Duty), "readonly": (), "importer": (Duty.IMPORT,), "keeper": (Duty.KEEP,),
        "trader": (Duty.TRADE,),
    }  # fmt: skip
    assert duties.keys() == set(LOGINS)
    rights = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
    users = {dsn.user: duties[kind] for kind, dsn in logins.items() if kind != "deployer"}  # who has the owner's
    async with connected(stocked_dsn) as superuser:
        await superuser.execute("SET search_path = pg_catalog")  # by which the catalog spells arguments
        has = await superuser.fetch(
            """
            SELECT r, t, array(SELECT p FROM unnest($3::text[]) WITH ORDINALITY AS p (p, place)
                               WHERE has_table_privilege(r, 'public.' || t, p) ORDER BY place)
            FROM unnest($1::text[]) AS r, unnest($2::text[]) AS t
            """,
            list(users),
            [item.object_name for item in OURS],
            rights,
        )
        may = await superuser.fetch(
            """
            SELECT r, proname || '(' || pg_get_function_identity_arguments(oid) || ')',
                   has_function_privilege(r, oid, 'EXECUTE')
            FROM unnest($1::text[]) AS r, pg_proc WHERE pronamespace = 'public'::regnamespace
            """,
            list(users),
        )
    assert {(user, table): given for user, table, given in map(tuple, has)} == {
        (user, item.object_name): ["SELECT", *writes(item.object_name, of)]
        for user, of in users.items()
        for item in OURS
    }
    assert {(user, function): granted for user, function, granted in map(tuple, may)} == {
        (user, item.object_name): is_called(item) for user in users for item in functions()
    }


async def test_public_may_do_nothing_and_every_function_is_pinned(logins: dict[str, Dsn], stocked_dsn: Dsn) -> None:
    """Asked of pg_class, pg_proc and pg_database, so that it holds for what is added later."""
    assert logins
    async with connected(stocked_dsn) as superuser:
        granted = await superuser.fetch("""
            SELECT c.relname AS name, a.privilege_type AS right
            FROM pg_class AS c, aclexplode(c.relacl) AS a
            WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = 0
            UNION ALL
            SELECT f.proname, a.privilege_type
            FROM pg_proc AS f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) AS a
            WHERE f.pronamespace = 'public'::regnamespace AND a.grantee = 0
            UNION ALL
            SELECT b.datname, a.privilege_type
            FROM pg_database AS b, aclexplode(coalesce(b.datacl, acldefault('d', b.datdba))) AS a
            WHERE b.datname = current_database() AND a.grantee = 0 AND a.privilege_type <> 'CONNECT'
            UNION ALL
            SELECT 'schema public', a.privilege_type
            FROM pg_namespace AS n, aclexplode(n.nspacl) AS a
            WHERE n.nspname = 'public' AND a.grantee = 0 AND a.privilege_type <> 'USAGE'
        """)
        definers = await superuser.fetch("""
            SELECT f.proname,
                   (SELECT substr(s, 13) FROM unnest(f.proconfig) AS s WHERE s LIKE 'search\\_path=%') AS search_path
            FROM pg_proc AS f WHERE f.pronamespace = 'public'::regnamespace AND f.prosecdef
        """)
    assert [tuple(row) for row in granted] == []
    assert len(definers) >= 12
    assert [row["proname"] for row in definers if not (row["search_path"] or "").endswith(", pg_temp")] == []


async def test_a_new_table_needs_a_decision() -> None:
    """Which duties write it, if any; a table that is gone needs none."""
    assert set(WRITES) == {item.object_name for item in OURS if item.kind == "table"}


async def test_no_history_is_granted_to_be_written() -> None:
    """What refuses is given to nobody, but for the inserts that two ledgers take."""
    given = {table: set().union(*duties.values()) for table, duties in WRITES.items() if table in REFUSING}
    assert {table for table, rights in given.items() if rights} == TAKE_INSERTS
    assert {right for rights in given.values() for right in rights} == {"INSERT"}


async def test_a_right_to_the_table_is_no_way_past_its_rules(logins: dict[str, Dsn]) -> None:
    """The application may update exchanges, and what the constraints refuse is refused."""
    async with Database(logins["app"]) as database:
        with pytest.raises(ConstraintViolated):
            await update_exchange(1, {"name": "GATEIO_SPOT"}, db=database)
