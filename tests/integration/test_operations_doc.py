"""docs/operations.md is tried as it stands: its SQL and its commands are run, and then every function as its roles.

The blocks are taken out of the document; only the names of roles, of the database and of files are others.
"""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from exchanges_db import AccessDenied, Database, import_symbols, validate_exchanges
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.embedded_binaries import binaries
from exchanges_db.schema.comparison import recorded_schema
from exchanges_db.schema.dbmate import dbmate_program
from exchanges_db.validation.validate import CHECKS, SLOW
from tests.cases import CALLS
from tests.factories import connected
from tests.fix_server import ROOT, run_dbmate, url_of
from tests.integration.test_damage import PAST
from tests.payload_rows import SPOT, payload, spot

TEXT = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
ROLES = ("reader", "importer", "keeper", "trader")


def section(title: str) -> str:
    """Return the text below a heading, up to the next one of its rank."""
    return re.split(r"^## ", TEXT.split(f"\n## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def rows(text: str) -> list[list[str]]:
    """Return the cells of the rows of a table, without its head."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:2] == "| "][1:]


def shell(commands: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a block of commands as a deploy would, with PostgreSQL's programs, dbmate and ours in PATH."""
    path = os.pathsep.join(
        [str(binaries()), str(Path(sys.executable).parent), str(Path(dbmate_program()).parent), os.environ["PATH"]]
    )
    return subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


async def remember_a_past(dsn: Dsn) -> None:
    """Give a database rows in every table."""
    async with connected(dsn) as owner:
        for statement in PAST.strip().rstrip(";").split(";"):
            await owner.execute(statement)
        await owner.execute(
            "INSERT INTO symbol_doubts (symbol_id, brake, reason, since) VALUES (1, 'JUMP', 'w', now())"
        )
        await owner.execute(
            "INSERT INTO symbol_imports (exchange_id, exchange, outcome, began_at) VALUES (2, 'X', 'REFUSED', now())"
        )


async def content(dsn: Dsn) -> dict[str, list[str]]:
    """Return all rows of all tables but the ledgers of migrations, and how far the sequences are."""
    tables = [item.object_name for item in recorded_schema() if item.kind == "table"]
    async with connected(dsn) as connection:
        found = {
            table: [row[0] for row in await connection.fetch(f"SELECT t::text FROM {table} AS t ORDER BY 1")]
            for table in tables
        }
        found["sequences"] = [
            str(tuple(row))
            for row in await connection.fetch(
                # A validation records its probe of exchanges, and rolls that back: this one moves on.
                "SELECT sequencename, last_value FROM pg_sequences WHERE sequencename <> 'exchange_history_id_seq'"
                " ORDER BY 1"
            )
        ]
    return found


async def test_a_whole_backup_comes_back(stocked_dsn: Dsn, tmp_path: Path) -> None:
    """Rows, histories and triggers, although everything was changed meanwhile."""
    dump_and_restore, _ = blocks(section("Backup and restore"), "sh")
    dump, restore = dump_and_restore.split("\n", 1)
    await remember_a_past(stocked_dsn)
    before = await content(stocked_dsn)
    assert all(before[table] for table in before), {table for table in before if not before[table]}
    url = url_of(stocked_dsn)
    result = shell(dump, tmp_path, DATABASE_URL=url)
    assert result.returncode == 0, result.stderr
    async with connected(stocked_dsn) as owner:
        await owner.execute("DELETE FROM symbols; DROP TABLE symbol_imports; UPDATE exchanges SET is_active = false")
    result = shell(restore.replace("validate", "validate --target-ms 1000"), tmp_path, DATABASE_URL=url)
    assert result.returncode == 0, result.stdout + result.stderr
    assert await content(stocked_dsn) == before


async def test_data_alone_comes_into_a_migrated_database(stocked_dsn: Dsn, dsn: Dsn, tmp_path: Path) -> None:
    """By the statements of the document, which leave no trigger out: validate passes, and changes are recorded."""
    text = section("Backup and restore")
    _, commands = blocks(text, "sh")
    for block in blocks(text, "sql"):
        name = re.match(r"-- (\w+\.sql)\n", block)
        assert name is not None
        (tmp_path / name[1]).write_text(block)
    await remember_a_past(stocked_dsn)
    before = await content(stocked_dsn)
    result = shell(
        commands.replace("validate", "validate --target-ms 1000"),
        tmp_path,
        DATABASE_URL=url_of(stocked_dsn),
        NEW_DATABASE_URL=url_of(dsn),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert await content(dsn) == before
    async with connected(dsn) as owner:
        await owner.execute("SET session_replication_role = replica; UPDATE symbols SET min_quantity = 9 WHERE id = 1")
        assert await owner.fetchval("SELECT max(spec_version) FROM symbol_history WHERE symbol_id = 1") == 4


def test_the_statements_are_about_every_trigger_and_table() -> None:
    """A trigger or table that a migration adds fails here until the document has it."""
    before, after = blocks(section("Backup and restore"), "sql")
    recorded = recorded_schema()
    triggers = {(item.table_name, item.object_name) for item in recorded if item.kind == "trigger"}
    assert set(re.findall(r"^ALTER TABLE public\.(\w+) ENABLE ALWAYS TRIGGER (\w+);$", after, re.MULTILINE)) == triggers
    assert set(re.findall(r"public\.(\w+) DISABLE TRIGGER USER", before)) == {table for table, _ in triggers}
    emptied = re.search(r"TRUNCATE ([^;]*);", before)
    assert emptied is not None
    assert set(re.findall(r"public\.(\w+)", emptied[1])) == {i.object_name for i in recorded if i.kind == "table"}


LOST = rows(section("Rollback"))


async def test_each_rollback_loses_what_the_document_says(stocked_dsn: Dsn) -> None:
    """One after the other, on a database with rows in every table, down to nothing; and all can be applied again."""
    await remember_a_past(stocked_dsn)
    versions = sorted((file.name[:3] for file in (ROOT / "db/migrations").glob("*.sql")), reverse=True)
    assert [row[0] for row in LOST] == versions
    for version, what, gone in LOST:
        assert what
        names = re.findall(r"`(\w+)(?:\.(\w+))?`", gone)
        async with connected(stocked_dsn) as owner:
            assert [name for name in names if not await _is_there(owner, *name)] == []
        result = run_dbmate(stocked_dsn, "rollback")
        assert (result.returncode, f"Rolled back: {version}" in result.stdout) == (0, True), (
            result.stdout + result.stderr
        )
        async with connected(stocked_dsn) as owner:
            assert [name for name in names if await _is_there(owner, *name)] == []
    assert run_dbmate(stocked_dsn, "migrate").returncode == 0


async def _is_there(connection: asyncpg.Connection, table: str, column: str) -> bool:
    if not column:
        return bool(await connection.fetchval("SELECT to_regclass($1::text) IS NOT NULL", f"public.{table}"))
    found = "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass($1::text) AND attname = $2 AND attnum > 0"
    return bool(await connection.fetchval(found, f"public.{table}", column))


async def test_prune_does_what_the_document_says(stocked_dsn: Dsn, tmp_path: Path) -> None:
    """The commands of its section, with a time that has something before it."""
    await remember_a_past(stocked_dsn)
    (commands,) = blocks(section("Prune"), "sh")
    assert commands.count("2026-01-01T00:00:00Z") == 2
    async with connected(stocked_dsn) as owner:
        now = await owner.fetchval("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    result = shell(commands.replace("2026-01-01T00:00:00Z", now), tmp_path, DATABASE_URL=url_of(stocked_dsn))
    assert result.returncode == 0, result.stderr
    would, did, *recorded = result.stdout.splitlines()
    assert would.removeprefix("would delete ") == did.removeprefix("deleted ") != ""
    assert any(line.startswith("symbol_history\t") for line in recorded)


@pytest.fixture
async def roles(stocked_dsn: Dsn) -> AsyncIterator[dict[str, Dsn]]:
    """The roles of the document, made by its SQL, and the database as each of them."""
    (sql,) = blocks(section("Roles"), "sql")
    names = {role: f"{stocked_dsn.database}_{role}" for role in ROLES}
    for role, name in names.items():
        sql = re.sub(rf"\b{role}\b", name, sql)
    async with connected(stocked_dsn) as owner:
        await owner.execute(sql.replace("DATABASE trading", f"DATABASE {stocked_dsn.database}"))
    yield {role: replace(stocked_dsn, settings={"role": name}) for role, name in names.items()}
    async with connected(stocked_dsn) as owner:
        for name in reversed(names.values()):
            await owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


# What each role calls beside everything that only reads; whatever is named nowhere must be a read.
WRITES = {
    "importer": {"import_symbols", "import_specs", "sync_symbols"},
    "keeper": {"activate_exchange", "deactivate_exchange", "update_exchange"}
    | {name for name in CALLS if name.startswith(("hold_", "release_"))},
    "trader": {
        "insert_exchange", "update_exchange", "activate_exchange", "deactivate_exchange", "set_account_fees",
        "forget_account_fees",
    },
}  # fmt: skip
OWNER = {name for name in CALLS if name.startswith(("prune_", "adopt"))}
READS = set(CALLS) - set().union(*WRITES.values()) - OWNER - {"validate_exchanges"}


def test_every_function_is_some_roles() -> None:
    """What no role is said to write is a read, and so it says itself."""
    assert {CALLS[name].kind for name in READS} == {"read"}


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_can_call_what_it_is_for(roles: dict[str, Dsn], role: str) -> None:
    """All that reads, and its own writes; what is another's is AccessDenied."""
    async with Database(roles[role]) as database:
        for name in sorted(READS):
            await CALLS[name](database)
        for name in sorted(WRITES.get(role, ())):
            await CALLS[name](database)
        others = set().union(OWNER, *WRITES.values()) - WRITES.get(role, set())
        for name in sorted(others):
            # What needs no write here, such as a list that says nothing new, is not asked for a right to it.
            with pytest.raises(AccessDenied):
                await CALLS[name](database)


async def test_the_readers_validation_is_the_quick_one(roles: dict[str, Dsn]) -> None:
    """It passes, and so it does where nothing can be written."""
    for settings in ({}, {"default_transaction_read_only": "on"}):
        async with Database(replace(roles["reader"], settings={**roles["reader"].settings, **settings})) as database:
            report = await validate_exchanges(db=database, quick=True)
        assert {check.name: check.detail for check in report.checks if not check.passed} == {}


async def test_who_has_all_four_roles_validates_whole(roles: dict[str, Dsn], stocked_dsn: Dsn) -> None:
    """But for what none of them may."""
    async with connected(stocked_dsn) as owner:
        names = {role: dsn.settings["role"] for role, dsn in roles.items()}
        await owner.execute(f"GRANT {names['importer']}, {names['keeper']} TO {names['trader']}")
    async with Database(roles["trader"]) as database:
        await import_symbols(SPOT, payload(SPOT, [spot(), spot("ETH")]), db=database)
        report = await validate_exchanges(db=database, lookups=1, target_ms=1000)
    details = {check.name: (check.passed, check.detail) for check in report.checks}
    assert [name for name, (passed, _) in details.items() if not passed] == []
    assert details["symbol round trip"][1].endswith("not tried, because this role may not: deleting")


async def test_the_reader_may_read_every_table_and_view(roles: dict[str, Dsn]) -> None:
    """A table or view that a migration adds fails here until the document gives the right to it."""
    ours = [item.object_name for item in recorded_schema() if item.kind in ("table", "view")]
    async with connected(roles["reader"]) as reader:
        denied = [
            name
            for name in ours
            if not await reader.fetchval("SELECT has_table_privilege($1::text, 'SELECT')", f"public.{name}")
        ]
    assert denied == []


def test_every_check_is_in_the_document() -> None:
    """With whether a quick validation makes it."""
    listed = {row[0]: row[2] == "yes" for row in rows(section("What validate looks at"))}
    assert listed == {name: name not in SLOW for name in CHECKS}


def test_the_ledger_can_be_split_with_all_our_versions() -> None:
    """A migration that is added is in the list of those to move."""
    moved = re.search(r"WHERE version IN \(([^)]*)\)", section("Deploy"))
    assert moved is not None
    versions = sorted(file.name[:3] for file in (ROOT / "db/migrations").glob("*.sql"))
    assert re.findall(r"'(\d+)'", moved[1]) == versions
    assert f"ours are {versions[0]} to {versions[-1]}." in section("Deploy")
