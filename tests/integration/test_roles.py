"""The SQL of `exchanges-db roles` is run: on an empty database and on a full one, twice, and with names that bite."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from exchanges_db import (
    AccessDenied,
    Database,
    InvalidArgument,
    deactivate_exchange,
    get_exchange_history,
    import_symbols,
    prune_history,
    validate_exchanges,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.embedded_binaries import binaries
from exchanges_db.schema.quoting import quote_body, quote_name, quote_role, quote_text
from exchanges_db.schema.roles import Roles, roles_sql
from tests.acceptance.command import ok, run
from tests.cases import CALLS, now
from tests.factories import connected
from tests.fix_server import run_dbmate, url_of
from tests.hostile_text import HOSTILE
from tests.payload_rows import SPOT, payload, spot
from tests.role_logins import LOGINS, drop_roles, new_names, printed, roles_on

RIGHTS = """
    SELECT c.relname::text AS name, pg_get_userbyid(c.relowner)::text AS owner, c.relacl::text[] AS rights
    FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'S')
    UNION ALL
    SELECT f.proname, pg_get_userbyid(f.proowner), f.proacl::text[]
    FROM pg_proc AS f WHERE f.pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'by default ' || p.defaclobjtype::text, pg_get_userbyid(p.defaclrole), p.defaclacl::text[]
    FROM pg_default_acl AS p
    UNION ALL
    SELECT 'the database', '', b.datacl::text[] FROM pg_database AS b WHERE b.datname = current_database()
    ORDER BY 1, 2, 3
"""
# What the roles call beside everything that reads. Whatever is named nowhere must be a read, and says so itself.
WRITES = {
    "importer": {"import_symbols", "import_specs", "sync_symbols"},
    "keeper": {"activate_exchange", "deactivate_exchange", "update_exchange"}
    | {name for name in CALLS if name.startswith(("hold_", "release_"))},
    "trader": {
        "insert_exchange", "update_exchange", "activate_exchange", "deactivate_exchange", "set_account_fees",
        "forget_account_fees",
    },
}  # fmt: skip
EVERY_WRITE = set().union(*WRITES.values())
WRITES["app"] = EVERY_WRITE
OWNER = {name for name in CALLS if name.startswith(("prune_", "adopt"))}
READS = set(CALLS) - EVERY_WRITE - OWNER - {"validate_exchanges"}


@pytest.fixture
async def names(empty_dsn: Dsn) -> AsyncIterator[dict[str, str]]:
    """New names, dropped at the end where they were made."""
    given = new_names()
    yield given
    await drop_roles(empty_dsn, given)


@pytest.fixture
async def logins(stocked_dsn: Dsn) -> AsyncIterator[dict[str, Dsn]]:
    """The database with symbols as each login."""
    async with roles_on(stocked_dsn) as made:
        yield made


async def rights(dsn: Dsn) -> list[tuple[str, str, list[str]]]:
    """Return whose everything in schema public is, and who may do what with it."""
    async with connected(dsn) as superuser:
        return [(row["name"], row["owner"], sorted(row["rights"] or [])) for row in await superuser.fetch(RIGHTS)]


def psql(dsn: Dsn, text: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a DBA does."""
    return subprocess.run(
        [str(binaries() / "psql"), "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--quiet", url_of(dsn)],
        input=text, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


async def test_a_new_database_is_set_up_migrated_by_the_member_and_used(empty_dsn: Dsn, names: dict[str, str]) -> None:
    """In the order that the output itself gives: roles, migrate, roles again; and again changes nothing."""
    sql = printed(names, "--database", str(empty_dsn.database))
    first = psql(empty_dsn, sql)
    assert (first.returncode, first.stderr) == (0, "")
    deployer = replace(empty_dsn, user=names["deployer"])
    assert (await asyncio.to_thread(run, "migrate", url=url_of(deployer))).returncode == 0
    async with Database(replace(empty_dsn, user=names["readonly"])) as database:
        # Before it is run again everything can be read, and nothing written.
        assert len(await CALLS["get_all_exchanges"](database)) == 3
    async with Database(replace(empty_dsn, user=names["app"])) as database:
        with pytest.raises(AccessDenied):
            await deactivate_exchange(1, db=database)
    unfinished = await asyncio.to_thread(run, "validate", "--quick", url=url_of(deployer))
    said = f"{names['app']} may use functions of triggers on tables of its own, such as account_fees_refuse(): "
    assert (unfinished.returncode, said in unfinished.stdout) == (1, True), unfinished.stdout
    async with connected(empty_dsn) as superuser:
        await superuser.execute(sql)
        before = await rights(empty_dsn)
        await superuser.execute(sql)
    assert await rights(empty_dsn) == before
    assert {owner for name, owner, _ in before if name != "the database"} == {names["owner"]}
    async with Database(replace(empty_dsn, user=names["app"])) as database:
        await deactivate_exchange(1, db=database)
        await import_symbols(SPOT, payload(SPOT, [spot()]), db=database)
        assert (await get_exchange_history(1, db=database))[-1].changed_by == names["app"]
    for kind in LOGINS:
        checked = await asyncio.to_thread(run, "validate", "--quick", url=url_of(replace(empty_dsn, user=names[kind])))
        assert checked.returncode == 0, checked.stdout
    status = await asyncio.to_thread(run, "status", url=url_of(replace(empty_dsn, user=names["readonly"])))
    assert (status.returncode, "not known" in status.stderr) == (0, False), status.stderr


async def test_plain_dbmate_migrates_as_the_member_too(empty_dsn: Dsn, names: dict[str, str]) -> None:
    """The role is taken on by the login itself, whatever program logs in; and what a rollback unmakes comes back."""
    sql = printed(names)
    deployer = replace(empty_dsn, user=names["deployer"])
    async with connected(empty_dsn) as superuser:
        await superuser.execute(sql)
        result = run_dbmate(deployer, "migrate")
        assert result.returncode == 0, result.stderr
        await superuser.execute(sql)
        before = await rights(empty_dsn)
        for command in ("rollback", "migrate"):
            assert run_dbmate(deployer, command).returncode == 0
        # The views of 010 were made anew, and can be read as before.
        views = ("symbol_rows", "current_symbols", "symbol_versions", "symbol_states")
        after = await rights(empty_dsn)
        assert [row for row in after if row[0] in views] == [row for row in before if row[0] in views]
        await superuser.execute(sql)
    assert await rights(empty_dsn) == before


async def test_a_ledger_of_another_name_is_the_owners_too(empty_dsn: Dsn, names: dict[str, str]) -> None:
    """Also in a schema of its own, which is made."""
    sql = printed(names, "--migrations-table", "ours.versions")
    deployer = replace(empty_dsn, user=names["deployer"])
    async with connected(empty_dsn) as superuser:
        await superuser.execute(sql)
        migrated = await asyncio.to_thread(run, "migrate", "--migrations-table", "ours.versions", url=url_of(deployer))
        assert migrated.returncode == 0, migrated.stderr
        await superuser.execute(sql)
        owners = await superuser.fetch(
            "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class"
            " WHERE relnamespace = 'ours'::regnamespace AND relkind = 'r'"
        )
    assert [row[0] for row in owners] == [names["owner"]]
    reader = url_of(replace(empty_dsn, user=names["readonly"]))
    status = await asyncio.to_thread(run, "status", "--migrations-table", "ours.versions", url=reader)
    assert status.returncode == 0, status.stderr


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("ALTER ROLE {owner} LOGIN", "can log in"),
        ("ALTER ROLE {app} SUPERUSER", "superuser"),
        ("GRANT {owner} TO {readonly}", "member of their owner"),
    ],
)
async def test_roles_that_would_be_no_protection_are_refused(
    empty_dsn: Dsn, names: dict[str, str], before: str, said: str
) -> None:
    """Whole: nothing is kept of it, and no role that is there already loses what it has."""
    async with connected(empty_dsn) as superuser:
        await superuser.execute(printed(names))
        state = await rights(empty_dsn)
        await superuser.execute(before.format(**names))
        with pytest.raises(asyncpg.RaiseError, match=said):
            await superuser.execute(printed(names))
        await superuser.execute("ROLLBACK")
    assert await rights(empty_dsn) == state


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("ALTER DATABASE {database} OWNER TO {app}", "{app} as {app}: what the owner of the database may"),
        ("CREATE ROLE {other}; GRANT {other} TO {readonly}; ALTER DATABASE {database} OWNER TO {other}",
         "{readonly} as {other}: what the owner of the database may"),
        ("ALTER SCHEMA public OWNER TO {keeper}", "{keeper} as {keeper}: CREATE or DROP in schema public"),
        ("GRANT pg_write_all_data TO {readonly}", "{readonly} as pg_write_all_data: UPDATE on"),
        ("GRANT {app} TO {readonly}", "{readonly} as {app}: UPDATE on"),
        ("ALTER ROLE {app} CREATEROLE", "{app} as {app}: what a superuser may"),
        ("CREATE ROLE {other} SUPERUSER; GRANT {other} TO {trader}", "{trader} as {other}: what a superuser may"),
        ("GRANT pg_execute_server_program TO {app}", "{app} as pg_execute_server_program: what a superuser may"),
        (("CREATE ROLE {other}; GRANT INSERT ON symbol_history TO {other} WITH GRANT OPTION; SET ROLE {other};"
          "GRANT INSERT (symbol) ON symbol_history TO {importer}; RESET ROLE"),
         '{importer} as {importer}: INSERT on "public"."symbol_history"'),
    ],
)  # fmt: skip
async def test_rights_from_elsewhere_are_refused(dsn: Dsn, before: str, said: str) -> None:
    """Through another role, from another grantor, or as the owner of all of it: a REVOKE reaches none of these."""
    told = new_names()
    names = {**told, "other": f"{told['app']}_other", "database": str(dsn.database)}
    try:
        async with connected(dsn) as superuser:
            await superuser.execute(printed(told))
            await superuser.execute(before.format(**names))
            state = await rights(dsn)
            with pytest.raises(asyncpg.RaiseError, match="nothing was done: a role may do more") as caught:
                await superuser.execute(printed(told))
            await superuser.execute("ROLLBACK")
        assert said.format(**names) in str(caught.value)
        assert await rights(dsn) == state
    finally:
        async with connected(dsn) as superuser:
            await superuser.execute(f"ALTER DATABASE {dsn.database} OWNER TO CURRENT_USER")
            if "SET ROLE" in before:
                taken = "SET ROLE {other}; REVOKE INSERT (symbol) ON symbol_history FROM {importer}; RESET ROLE"
                await superuser.execute(taken.format(**names))
        await drop_roles(dsn, names)


async def test_what_the_owner_gave_too_much_is_taken_away(dsn: Dsn) -> None:
    """On sequences, columns and whatever will be made, too."""
    names = new_names()
    async with connected(dsn) as superuser:
        await superuser.execute(printed(names))
        state = await rights(dsn)
        await superuser.execute(
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {app}, PUBLIC;"
            "GRANT UPDATE (valid) ON symbol_history TO {app};"
            "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT ALL ON TABLES TO {app}, PUBLIC;"
            "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT ALL ON SEQUENCES TO {readonly};"
            "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT ALL ON TABLES TO {readonly}".format(
                **names
            )
        )
        await superuser.execute(printed(names))
        assert not await superuser.fetchval(
            "SELECT bool_or(has_sequence_privilege($1, c.oid, 'UPDATE,USAGE')) FROM pg_class AS c WHERE c.relkind = 'S'"
            " AND c.relnamespace = 'public'::regnamespace",
            names["app"],
        )
        assert not await superuser.fetchval(
            "SELECT has_any_column_privilege($1, 'symbol_history', 'UPDATE')", names["app"]
        )
    try:
        tidy = [row for row in await rights(dsn) if not row[0].endswith("_seq")]
        assert tidy == [row for row in state if not row[0].endswith("_seq")]
    finally:
        await drop_roles(dsn, names)


async def test_a_deployer_that_made_the_owner_becomes_it(empty_dsn: Dsn, names: dict[str, str]) -> None:
    """From PostgreSQL 16 on it is a member of the owner then, but may not take it on."""
    async with connected(empty_dsn) as superuser:
        await superuser.execute(
            "CREATE ROLE {deployer} LOGIN CREATEROLE; SET ROLE {deployer}; CREATE ROLE {owner}; RESET ROLE".format(
                **names
            )
        )
        await superuser.execute(printed(names))
    async with connected(replace(empty_dsn, user=names["deployer"])) as deployer:
        assert await deployer.fetchval("SELECT current_user") == names["owner"]


async def test_another_database_than_the_one_named_is_refused(empty_dsn: Dsn, names: dict[str, str]) -> None:
    """A window of psql that is connected elsewhere makes no role and gives no right."""
    result = psql(empty_dsn, printed(names, "--database", "trading"))
    assert (result.returncode, "another database" in result.stderr) == (3, True)
    async with connected(empty_dsn) as superuser:
        assert not await superuser.fetchval(
            "SELECT count(*) FROM pg_roles WHERE rolname = ANY($1)", list(names.values())
        )


BITING = (
    '"; DROP TABLE exchanges; --',
    "'||$roles$ \\q $$",
    "\\!true %I :owner E'",
    "a.b\"'",
    "Ünïcode 币安",
    "select",
)


async def test_names_that_bite_are_names(stocked_dsn: Dsn) -> None:
    """Through psql, which has variables and backslashes: each role is called as given, and the tables are whole."""
    names = dict(zip(("owner", "app", "readonly", "deployer", "importer", "keeper"), BITING, strict=True))
    try:
        for sql in (printed(names), printed(names, "--database", str(stocked_dsn.database))):
            result = psql(stocked_dsn, sql)
            assert (result.returncode, result.stderr) == (0, "")
        async with connected(stocked_dsn) as superuser:
            made = await superuser.fetch("SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname = ANY($1)", [*BITING])
            assert dict(map(tuple, made)) == {name: name != BITING[0] for name in BITING}
        async with Database(replace(stocked_dsn, user=names["app"])) as database:
            assert await deactivate_exchange(1, db=database)
        async with Database(replace(stocked_dsn, user=names["deployer"])) as database:
            await prune_history(now(), db=database)
    finally:
        await drop_roles(stocked_dsn, names)


async def test_quotes_are_read_as_what_was_quoted(conn: asyncpg.Connection) -> None:
    """The server gives every text back, and every name that can be one, whatever its backslashes mean."""
    kept = 0
    for scs in ("on", "off"):
        await conn.execute(f"SET standard_conforming_strings = {scs}; SET escape_string_warning = off")
        for text in HOSTILE:
            try:
                name = quote_name(text)
            except InvalidArgument:
                continue
            kept += 1
            query = f"SELECT {quote_text(text)}::text AS {name}"
            (row,) = await conn.fetch(query)
            assert dict(row) == {text: text}
            await conn.execute("DO " + quote_body(f"BEGIN PERFORM {quote_text(text)}; END"))
    assert kept > 100


@pytest.mark.parametrize(
    "name", ["", "a\nb", "a\x00", "\u202ename", "x" * 64, "\u5e01" * 22, "public", "none", "pg_monitor"]
)
def test_what_is_no_name_of_a_role_is_refused(name: str) -> None:
    """Rather than cut off, or broken over two lines of a script."""
    with pytest.raises(InvalidArgument, match="no name"):
        quote_role(name)
    result = run("roles", f"--owner={name}", "--app=a", "--readonly=r", url=None)
    assert (result.returncode, result.stdout) == (2, "")


def test_two_roles_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="twice"):
        roles_sql(Roles(owner="o", app="a", readonly="a"))


def test_no_password_is_printed_or_asked_for() -> None:
    """It says how one is set instead."""
    text = printed(new_names())
    assert not re.search(r"\bPASSWORD\s+'", text, re.IGNORECASE)
    assert "\\password NAME" in text


def test_every_function_is_some_roles() -> None:
    """What no role is said to write is a read, and so it says itself."""
    assert {CALLS[name].kind for name in READS} == {"read"}


@pytest.mark.parametrize("role", ["app", "readonly", "importer", "keeper", "trader"])
async def test_a_role_can_call_what_it_is_for(logins: dict[str, Dsn], role: str) -> None:
    """All that reads, and its own writes; what is another's is AccessDenied."""
    async with Database(logins[role]) as database:
        for name in sorted(READS):
            await CALLS[name](database)
        for name in sorted(WRITES.get(role, ())):
            await CALLS[name](database)
        for name in sorted((EVERY_WRITE | OWNER) - WRITES.get(role, set())):
            # What needs no write here, such as a list that says nothing new, is not asked for a right to it.
            with pytest.raises(AccessDenied):
                await CALLS[name](database)


async def test_the_deployer_can_call_everything(logins: dict[str, Dsn]) -> None:
    """Prune and adopt as well, which are the owner's."""
    async with Database(logins["deployer"]) as database:
        for name in sorted(EVERY_WRITE | OWNER):
            await CALLS[name](database)


@pytest.mark.parametrize("settings", [{}, {"default_transaction_read_only": "on"}])
async def test_the_readers_validation_is_the_quick_one(logins: dict[str, Dsn], settings: dict[str, str]) -> None:
    """It passes, and so it does where nothing can be written."""
    async with Database(replace(logins["readonly"], settings=settings)) as database:
        report = await validate_exchanges(db=database, quick=True)
    assert {check.name: check.detail for check in report.checks if not check.passed} == {}


async def test_the_application_validates_whole(logins: dict[str, Dsn]) -> None:
    """But for what it may not."""
    async with Database(logins["app"]) as database:
        await import_symbols(SPOT, payload(SPOT, [spot(), spot("ETH")]), db=database)
        report = await validate_exchanges(db=database, lookups=1, target_ms=1000)
    details = {check.name: (check.passed, check.detail) for check in report.checks}
    assert [name for name, (passed, _) in details.items() if not passed] == []
    assert details["symbol round trip"][1].endswith("not tried, because this role may not: deleting")


def test_the_command_asks_no_database() -> None:
    """Not even for its name: what it prints is the same wherever DATABASE_URL leads."""
    names = new_names()
    assert ok("roles", *(f"--{k}={v}" for k, v in names.items()), url="nonsense") == printed(names)
