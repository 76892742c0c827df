"""Beside a user's own dbmate migrations: both orders, with one ledger and with two, with plain dbmate on their side."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from exchanges_db import ConfigurationError, Database, MigrationError, Settings
from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.ledger import parse_ledger
from exchanges_db.schema.migrations import get_migrations, migrate, rollback
from exchanges_db.schema.sql_files import migrations_directory
from exchanges_db.validation.validate import ValidationReport, validate_exchanges
from tests.fix_server import ROOT, run_dbmate

FILES = sorted(migrations_directory().glob("*.sql"))
NAMES = [path.name for path in FILES]
ALL = f"{len(NAMES)} of {len(NAMES)}"
VERSIONS = [path.name.partition("_")[0] for path in FILES]
CHECK = "migrations are ours"
ODD_NAMES = [
    "My Ledger",
    "own.ledger",
    "Own Schema.My Ledger",
    ".ledger",
    'x"; DROP TABLE orders; --',
    "x'); DELETE FROM orders; --",
    "select",
    "%I",
    "l\u00e9dger",
    "x" * 70,
]


def write_migration(folder: Path, name: str, table: str) -> None:
    """Write a migration that makes a table."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"-- migrate:up\nCREATE TABLE {table} (id int);\n-- migrate:down\nDROP TABLE {table};\n")


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A user's own folder, whose only migration has a number of ours."""
    write_migration(tmp_path / "theirs", "002_orders.sql", "orders")
    return tmp_path / "theirs"


@pytest.fixture
async def other(empty_dsn: Dsn) -> AsyncIterator[asyncpg.Connection]:
    """A connection to look with."""
    connection = await asyncpg.connect(**empty_dsn.asyncpg_arguments())
    yield connection
    await connection.close()


def dbmate(dsn: Dsn, folder: Path, *arguments: str, table: str = "schema_migrations") -> None:
    """Run plain dbmate as the user does."""
    result = run_dbmate(dsn, *arguments, migrations=folder, DBMATE_MIGRATIONS_TABLE=table)
    assert result.returncode == 0, result.stderr


async def validated(dsn: Dsn, table: str | None = None) -> ValidationReport:
    """Return the report of a short validation."""
    async with Database(dsn, Settings()) as database:
        return await validate_exchanges(db=database, lookups=5, target_ms=1000.0, migrations_table=table)


def found(report: ValidationReport) -> tuple[bool, str]:
    """Return what the check of the migrations found."""
    return next((check.passed, check.detail) for check in report.checks if check.name == CHECK)


async def tables(connection: asyncpg.Connection) -> set[str]:
    """Return every table that is there."""
    rows = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    return {row["tablename"] for row in rows}


async def test_with_theirs_first_nothing_is_done_and_the_way_out_works(
    empty_dsn: Dsn, theirs: Path, other: asyncpg.Connection
) -> None:
    """Their 002 is not ours: status, migrate, rollback and validate say so; a ledger of our own mends it."""
    dbmate(empty_dsn, theirs, "up")
    taken, *pending = await get_migrations(empty_dsn)
    assert (taken.applied, taken.foreign, taken.is_taken, taken.changed) == (True, True, True, None)
    assert not any(migration.applied or migration.foreign for migration in pending)
    for action in (migrate, rollback):
        with pytest.raises(
            MigrationError, match=r"nothing was done: 002 in schema_migrations is somebody else's"
        ) as info:
            await action(empty_dsn)
        assert "DBMATE_MIGRATIONS_TABLE=exchanges_db_migrations" in str(info.value)
    assert await tables(other) == {"orders", "schema_migrations"}
    report = await validated(empty_dsn)
    assert not found(report)[0]
    assert "somebody else's" in found(report)[1]
    assert report.schema_version is None

    assert await migrate(empty_dsn, migrations_table="exchanges_db_migrations") == NAMES
    ours = await get_migrations(empty_dsn, migrations_table="exchanges_db_migrations")
    assert all(migration.is_settled and migration.changed is False for migration in ours)
    assert found(await validated(empty_dsn, "exchanges_db_migrations")) == (True, f"{ALL} in exchanges_db_migrations")
    dbmate(empty_dsn, theirs, "rollback")
    assert "exchanges" in await tables(other)


async def test_with_ours_first_a_ledger_of_theirs_keeps_dbmate_from_skipping(
    empty_dsn: Dsn, theirs: Path, other: asyncpg.Connection
) -> None:
    """Plain dbmate skips their 002 in silence, and we cannot notice; docs/operations.md gives them another ledger."""
    await migrate(empty_dsn)
    dbmate(empty_dsn, theirs, "up")
    assert "orders" not in await tables(other)
    dbmate(empty_dsn, theirs, "up", table="orders_migrations")
    assert "orders" in await tables(other)
    assert all(migration.is_settled for migration in await get_migrations(empty_dsn))
    assert await migrate(empty_dsn) == []


async def test_the_documented_move_to_a_ledger_of_our_own(
    empty_dsn: Dsn, theirs: Path, other: asyncpg.Connection
) -> None:
    """The statements of docs/operations.md move our versions and checksums, and their 002 is applied afterwards."""
    await migrate(empty_dsn)
    text = (ROOT / "docs/operations.md").read_text()
    match = re.search(r"```sql\n(CREATE TABLE exchanges_db_migrations.*?)```", text, re.DOTALL)
    assert match is not None
    await other.execute(match[1])
    dbmate(empty_dsn, theirs, "up")
    assert "orders" in await tables(other)
    ours = await get_migrations(empty_dsn, migrations_table="exchanges_db_migrations")
    assert all(migration.is_settled and migration.changed is False for migration in ours)


async def test_a_checksum_does_not_make_their_version_ours(empty_dsn: Dsn, theirs: Path) -> None:
    """Plain dbmate rolled ours back and applied their 002: our checksum is still kept, our table is gone."""
    await migrate(empty_dsn)
    for _ in NAMES:
        dbmate(empty_dsn, migrations_directory(), "rollback")
    dbmate(empty_dsn, theirs, "up")
    taken = [migration.file_name for migration in await get_migrations(empty_dsn) if migration.is_taken]
    assert taken == NAMES[:1]


async def test_another_file_under_our_number_is_theirs_where_its_checksum_says_so(
    empty_dsn: Dsn, other: asyncpg.Connection
) -> None:
    """Another name and another content is another file; another content alone is a change."""
    await migrate(empty_dsn)
    await other.execute("UPDATE migration_checksums SET sha256 = repeat('0', 64) WHERE version IN ('002', '003')")
    await other.execute("UPDATE migration_checksums SET file_name = '002_orders.sql' WHERE version = '002'")
    assert [(m.foreign, m.changed) for m in await get_migrations(empty_dsn)] == [
        (True, None), (False, True), *[(False, False)] * (len(NAMES) - 2),
    ]  # fmt: skip


async def test_a_table_of_theirs_called_exchanges_does_not_make_002_ours(empty_dsn: Dsn, tmp_path: Path) -> None:
    """One name in common is not the file."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/002_own.sql").write_text(
        "-- migrate:up\nCREATE TABLE exchanges (id int PRIMARY KEY);\n-- migrate:down\nDROP TABLE exchanges;\n"
    )
    dbmate(empty_dsn, tmp_path / "theirs", "up")
    assert (await get_migrations(empty_dsn))[0].is_taken


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_every_name_that_dbmate_takes_is_taken_as_dbmate_takes_it(
    empty_dsn: Dsn, theirs: Path, other: asyncpg.Connection, name: str
) -> None:
    """Plain dbmate and ours find the same table, nothing in the name is run, and no other ledger comes into being."""
    dbmate(empty_dsn, theirs, "up", table="theirs")
    assert await migrate(empty_dsn, migrations_table=name) == NAMES
    table = name.rpartition(".")[2].encode()[:63].decode()
    assert {table, "orders", "theirs", "migration_checksums"} <= await tables(other)
    assert "schema_migrations" not in await tables(other)
    status = run_dbmate(empty_dsn, "status", DBMATE_MIGRATIONS_TABLE=name)
    assert "Pending: 0" in status.stdout
    assert all(m.changed is False for m in await get_migrations(empty_dsn, migrations_table=name))
    assert await migrate(empty_dsn, migrations_table=name) == []
    assert found(await validated(empty_dsn, name)) == (True, f"{ALL} in {name}")
    assert await rollback(empty_dsn, migrations_table=name) == NAMES[-1]


@pytest.mark.parametrize("name", ["", ".", "ledger.", "a.b.c", "a..b", "nul\x00", "\udcff"])
async def test_a_name_that_dbmate_cannot_use_is_a_configuration_error(
    empty_dsn: Dsn, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unfilled variable is not taken for the default; each command refuses before it connects."""
    nowhere = Dsn(hosts=(("127.0.0.1", 1),), user="nobody", database="nowhere")
    for action in (get_migrations, migrate, rollback):
        with pytest.raises(ConfigurationError, match="DBMATE_MIGRATIONS_TABLE is unusable"):
            await action(nowhere, migrations_table=name)
    if "\x00" not in name:
        monkeypatch.setenv("DBMATE_MIGRATIONS_TABLE", name)
        with pytest.raises(ConfigurationError, match="DBMATE_MIGRATIONS_TABLE is unusable"):
            parse_ledger(None)


async def test_the_environment_names_the_ledger_as_it_does_for_dbmate(
    empty_dsn: Dsn, other: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable reaches both; what else begins with DBMATE_ reaches dbmate from nowhere."""
    monkeypatch.setenv("DBMATE_MIGRATIONS_TABLE", "of_the_environment")
    monkeypatch.setenv("DBMATE_MIGRATIONS_DIR", "/nowhere")
    monkeypatch.setenv("DBMATE_DRIVER", "mysql")
    assert await migrate(empty_dsn) == NAMES
    assert {"of_the_environment"} <= await tables(other)
    assert "Pending: 0" in run_dbmate(empty_dsn, "status", DBMATE_DRIVER="postgres").stdout
    assert found(await validated(empty_dsn)) == (True, f"{ALL} in of_the_environment")
    assert await rollback(empty_dsn) == NAMES[-1]


@pytest.mark.parametrize("search_path", ["ledgers,public", "fresh"])
async def test_the_search_path_of_the_url_decides_where_a_plain_name_lies(
    empty_dsn: Dsn, other: asyncpg.Connection, search_path: str
) -> None:
    """Dbmate uses its first schema, and creates it if it is missing; so do we, and the checksums are in it too."""
    await other.execute("CREATE SCHEMA ledgers")
    dsn = replace(empty_dsn, settings={"search_path": search_path})
    assert await migrate(dsn) == NAMES
    schema = search_path.partition(",")[0]
    for table in ("schema_migrations", "migration_checksums"):
        assert await other.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{schema}.{table}")
    assert all(migration.changed is False for migration in await get_migrations(dsn))
    assert not any(migration.applied for migration in await get_migrations(empty_dsn))


async def test_checksums_of_two_ledgers_do_not_mix(empty_dsn: Dsn, other: asyncpg.Connection) -> None:
    """Both lie in one schema; one has a changed file, the other does not hear of it."""
    await migrate(empty_dsn)
    await other.execute("CREATE TABLE second (version varchar PRIMARY KEY)")
    await other.execute("INSERT INTO second SELECT version FROM schema_migrations")
    assert await migrate(empty_dsn, migrations_table="second") == []
    await other.execute("UPDATE migration_checksums SET sha256 = repeat('0', 64) WHERE ledger = 'second'")
    assert [m.changed for m in await get_migrations(empty_dsn)] == [False] * len(NAMES)
    assert [m.changed for m in await get_migrations(empty_dsn, migrations_table="second")] == [True] * len(NAMES)


async def test_rollback_names_what_stands_above_ours(empty_dsn: Dsn, tmp_path: Path, other: asyncpg.Connection) -> None:
    """Versions and owner are named, nothing is undone; once they are gone ours is the newest again."""
    await migrate(empty_dsn)
    for name in ("900_fills.sql", "20260101000000_books.sql"):
        write_migration(tmp_path / "theirs", name, name.partition("_")[2].removesuffix(".sql"))
    dbmate(empty_dsn, tmp_path / "theirs", "up")
    with pytest.raises(MigrationError) as info:
        await rollback(empty_dsn)
    assert f"above our {NAMES[-1]} stands 20260101000000, 900 in schema_migrations" in str(info.value)
    assert "another project's: roll that back first" in str(info.value)
    assert "symbols" in await tables(other)
    assert all(migration.is_settled for migration in await get_migrations(empty_dsn))
    for _ in range(2):
        dbmate(empty_dsn, tmp_path / "theirs", "rollback")
    assert await rollback(empty_dsn) == NAMES[-1]


async def test_newer_versions_of_theirs_are_named_before_dbmate_calls_ours_out_of_order(
    empty_dsn: Dsn, tmp_path: Path
) -> None:
    """`dbmate new` numbers by the clock, so this is how most users' own migrations stand."""
    write_migration(tmp_path / "theirs", "20260101000000_books.sql", "books")
    dbmate(empty_dsn, tmp_path / "theirs", "up")
    with pytest.raises(MigrationError, match=r"002_.* is older than 20260101000000, which another project has"):
        await migrate(empty_dsn)
    assert await migrate(empty_dsn, strict=False) == NAMES
    assert await migrate(empty_dsn) == []


async def test_a_forgotten_ledger_is_noticed(empty_dsn: Dsn) -> None:
    """Migrated under one name, asked under another: nothing is run, and validate finds what is there."""
    await migrate(empty_dsn, migrations_table="ours")
    assert all(migration.elsewhere and not migration.is_settled for migration in await get_migrations(empty_dsn))
    with pytest.raises(MigrationError, match=r"not in schema_migrations, yet everything it makes is in the database"):
        await migrate(empty_dsn)
    assert await rollback(empty_dsn) is None
    made = f"0 of {len(NAMES)} in schema_migrations; in the database but not in schema_migrations: "
    assert found(await validated(empty_dsn)) == (True, made + ", ".join(VERSIONS))
