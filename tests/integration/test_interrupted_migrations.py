"""What a failed migration leaves, and what is said of it; nothing is hung on, and nothing is done behind a pooler."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from exchanges_db import ConfigurationError, DatabaseUnavailable, MigrationError, MigrationLocked
from exchanges_db.database.dsn import Dsn, Secret
from exchanges_db.schema.dbmate import APPLICATION_NAME, run_dbmate
from exchanges_db.schema.ledger import Ledger
from exchanges_db.schema.lock import LOCK_KEY
from exchanges_db.schema.migrations import get_migrations, migrate, rollback
from exchanges_db.schema.sql_files import migrations_directory
from tests.factories import connected
from tests.fix_server import run_dbmate as plain_dbmate
from tests.socket_server import socket_server

NAMES = sorted(path.name for path in migrations_directory().glob("*.sql"))
DUPLICATES = "CREATE UNIQUE INDEX CONCURRENTLY late_index ON exchanges (market_type);"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A copy of the migrations that a test may change."""
    return Path(shutil.copytree(migrations_directory(), tmp_path / "migrations"))


@pytest.fixture
async def other(dsn: Dsn) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside the one that migrates."""
    async with connected(dsn) as connection:
        yield connection


def add(files: Path, up: str, down: str = "SELECT 1;", *, options: str = "", name: str = "998_late.sql") -> None:
    """Add a pending file."""
    (files / name).write_text(f"-- migrate:up{options}\n{up}\n-- migrate:down{options}\n{down}\n")


async def test_a_failed_run_says_what_is_applied_and_what_is_not(empty_dsn: Dsn, files: Path) -> None:
    add(files, "SELECT 1/0;")
    add(files, "SELECT 1;", name="999_later.sql")
    with pytest.raises(MigrationError) as info:
        await migrate(empty_dsn, directory=files)
    text = str(info.value)
    assert f"applied: {', '.join(NAMES)}; not applied: 998_late.sql, 999_later.sql" in text
    assert "nothing of 998_late.sql was kept" in text
    assert all(m.changed is False for m in await get_migrations(empty_dsn, directory=files) if m.applied)


async def test_a_failed_index_is_named_with_what_to_do(dsn: Dsn, files: Path, other: asyncpg.Connection) -> None:
    """CREATE INDEX CONCURRENTLY leaves an INVALID index, which is none, and which a second attempt stumbles over."""
    add(files, DUPLICATES, options=" transaction:false")
    with pytest.raises(MigrationError) as info:
        await migrate(dsn, directory=files)
    text = str(info.value)
    assert "INVALID index public.late_index" in text
    assert "DROP INDEX CONCURRENTLY public.late_index" in text
    assert "not applied: 998_late.sql" in text
    assert "998_late.sql is transaction:false, so part of what it does may be there" in text
    assert "was kept" not in text
    with pytest.raises(MigrationError, match="has failed before and left the INVALID index late_index"):
        await migrate(dsn, directory=files)
    # What the message says.
    await other.execute("DROP INDEX CONCURRENTLY public.late_index")
    add(files, DUPLICATES.replace("market_type", "id"), options=" transaction:false")
    assert await migrate(dsn, directory=files) == ["998_late.sql"]


async def test_a_lock_on_a_table_is_waited_for_in_short_turns(dsn: Dsn, files: Path, other: asyncpg.Connection) -> None:
    """Whoever comes after the migration in the queue for the table waits no longer than half a second."""
    add(files, "LOCK TABLE exchanges;")
    # Neither options= nor PGOPTIONS of the user switches that off.
    without = replace(dsn, settings={"options": "-c lock_timeout=0", "lock_timeout": "0"})
    lines: list[str] = []
    in_use = other.transaction()
    await in_use.start()
    await other.execute("SELECT FROM exchanges")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGOPTIONS", "-c lock_timeout=0")
        with pytest.raises(MigrationLocked, match=r"a lock on a table was not free for 0\.6 s, \d tr(?:y|ies): "):
            await migrate(without, directory=files, lock_timeout=0.6, on_line=lines.append)
        deploying = asyncio.create_task(migrate(without, directory=files, on_line=lines.append))
        lines.clear()
        async with asyncio.timeout(30):
            while not any("again in" in line for line in lines):
                await asyncio.sleep(0.01)
        await in_use.rollback()
        assert await deploying == ["998_late.sql"]


@pytest.mark.parametrize("sql", ["SELECT 1; LOCK TABLE exchanges;", "CALL lock_it();"])
async def test_a_file_without_a_transaction_has_no_lock_timeout(
    dsn: Dsn, files: Path, other: asyncpg.Connection, sql: str
) -> None:
    """Tried again it would be run twice, so it waits; and its own error is not tried again."""
    await other.execute(
        "CREATE PROCEDURE lock_it() LANGUAGE plpgsql AS 'BEGIN EXECUTE ''LOCK TABLE exchanges''; END';"
        "CREATE TABLE seen (lock_timeout text); CREATE SEQUENCE tries;"
    )
    add(files, f"INSERT INTO seen SELECT current_setting('lock_timeout'); {sql}", options=" transaction:false")
    if sql.startswith("CALL"):
        add(files, sql, options=" transaction:false")
    in_use = other.transaction()
    await in_use.start()
    await other.execute("SELECT FROM exchanges")
    lines: list[str] = []
    deploying = asyncio.create_task(migrate(dsn, directory=files, on_line=lines.append))
    async with asyncio.timeout(20):
        while not any("waiting for server process" in line for line in lines):
            await asyncio.sleep(0.01)
    await in_use.rollback()
    assert await deploying == ["998_late.sql"]
    assert not any("again in" in line for line in lines)


async def test_a_lock_timeout_of_a_file_without_a_transaction_is_not_tried_again(dsn: Dsn, files: Path) -> None:
    add(files, "DO $$ BEGIN RAISE EXCEPTION 'mine' USING ERRCODE = '55P03'; END $$;", options=" transaction:false")
    lines: list[str] = []
    with pytest.raises(MigrationError, match="mine"):
        await migrate(dsn, directory=files, on_line=lines.append)
    assert not any("again in" in line for line in lines)


async def test_a_file_that_half_succeeds_is_not_said_to_be_undone(
    dsn: Dsn, files: Path, other: asyncpg.Connection
) -> None:
    await other.execute(
        "CREATE TABLE half (id int); CREATE PROCEDURE half_of_it() LANGUAGE plpgsql AS "
        "'BEGIN INSERT INTO half VALUES (1); COMMIT; PERFORM 1/0; END'"
    )
    add(files, "CALL half_of_it();", options=" transaction:false")
    with pytest.raises(MigrationError, match="part of what it does may be there") as info:
        await migrate(dsn, directory=files)
    assert "was kept" not in str(info.value)
    with pytest.raises(MigrationError, match="failed or was interrupted"):  # as of whoever waited for the lock
        await migrate(dsn, directory=files)
    assert await other.fetchval("SELECT count(*) FROM half") == 1


async def test_the_lock_is_given_back_before_the_end(dsn: Dsn, files: Path, other: asyncpg.Connection) -> None:
    """At once, not when the server notices that the session is gone; after errors, too."""
    add(files, "SELECT 1/0;")
    with pytest.raises(MigrationError):
        await migrate(dsn, directory=files)
    assert await other.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY)


async def test_a_session_of_an_earlier_dbmate_is_waited_for(dsn: Dsn, files: Path, other: asyncpg.Connection) -> None:
    """Its deployer may be gone, and the lock with it."""
    add(files, "SELECT 1;")
    lines: list[str] = []
    earlier = await asyncpg.connect(
        **{**dsn.asyncpg_arguments(), "server_settings": {"application_name": APPLICATION_NAME}}
    )
    try:
        with pytest.raises(MigrationLocked, match=rf"pg_terminate_backend\({earlier.get_server_pid()}\)"):
            await migrate(dsn, directory=files, lock_timeout=0.2, on_line=lines.append)
        assert any("an interrupted deploy" in line for line in lines)
    finally:
        await earlier.close()
    assert await migrate(dsn, directory=files) == ["998_late.sql"]


async def test_an_undoing_that_was_interrupted_is_left_to_a_person(dsn: Dsn, other: asyncpg.Connection) -> None:
    """Whether it is undone is not known, so it is undone no second time by itself."""
    await migrate(dsn)
    await other.execute("INSERT INTO migration_checksums (version, file_name, sha256) VALUES ('010 down', 'x', $1)",
                        "0" * 64)  # fmt: skip
    for action in (rollback, migrate):
        with pytest.raises(MigrationError, match="it may be undone wholly, in part or not at all"):
            await action(dsn)
    await other.execute("DELETE FROM migration_checksums WHERE version = '010 down'")
    assert await migrate(dsn) == []


async def test_an_empty_search_path_of_the_database_changes_nothing(empty_dsn: Dsn) -> None:
    """The ledger is then in public, for dbmate and for us."""
    async with connected(empty_dsn) as owner:
        await owner.execute(f"ALTER DATABASE {empty_dsn.database} SET search_path = ''")
    assert await migrate(empty_dsn) == NAMES
    assert await migrate(empty_dsn) == []
    assert all(m.changed is False for m in await get_migrations(empty_dsn))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PGCLIENTENCODING", "LATIN1"), ("PGSERVICE", "nobody"), ("PGOPTIONS", "-c nonsense=1"), ("PGTZ", "Nowhere"),
        ("PGSSLMODE", "require"), ("PGAPPNAME", "mine"), ("DBMATE_MIGRATIONS_DIR", "/nowhere"),
    ],
)  # fmt: skip
async def test_no_variable_of_the_environment_changes_what_dbmate_does(
    dsn: Dsn, files: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Its environment is made, not handed on."""
    add(files, "SELECT 1;")
    # Set while the lock is held, because the driver of the lock's session reads some of them.
    lines: list[str] = []

    async def run(*arguments: object, **options: object) -> None:
        monkeypatch.setenv(name, value)
        try:
            await run_dbmate(*arguments, **options)  # type: ignore[arg-type]
        finally:
            monkeypatch.delenv(name)

    monkeypatch.setattr("exchanges_db.schema.running.run_dbmate", run)
    assert await migrate(dsn, directory=files, on_line=lines.append) == ["998_late.sql"], lines


async def test_a_pooler_of_the_settings_is_refused(dsn: Dsn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent."""
    monkeypatch.setenv("EXCHANGES_DB_POOLER", "transaction")
    for action in (migrate, rollback):
        with pytest.raises(ConfigurationError, match="EXCHANGES_DB_POOLER is set"):
            await action(dsn)


@pytest.mark.parametrize("action", [get_migrations, migrate, rollback])
async def test_a_server_that_falls_silent_is_not_waited_for(
    dsn: Dsn, monkeypatch: pytest.MonkeyPatch, action: object
) -> None:
    """After the connection is made, every answer has a limit, and meanwhile there is a word."""
    assert callable(action)
    monkeypatch.setattr("exchanges_db.schema.connecting.ANSWER_SECONDS", 0.3)
    silent = asyncio.Event()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, until_query: bool) -> None:
        while data := await reader.read(65536):
            if until_query and b"pg_" in data:
                silent.set()
            if not silent.is_set():
                writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = dsn.hosts[0]
        if host.startswith("/"):
            server_reader, server_writer = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            server_reader, server_writer = await asyncio.open_connection(host, port)
        try:
            await asyncio.gather(pass_on(reader, server_writer, True), pass_on(server_reader, writer, False))
        finally:
            server_writer.transport.abort()

    async with socket_server(serve) as port, asyncio.timeout(20):
        with pytest.raises(DatabaseUnavailable, match="did not answer within"):
            await action(replace(dsn, hosts=(("127.0.0.1", port),)))


async def test_a_server_that_never_greets_is_told_of(dsn: Dsn) -> None:
    """A connection that takes longer than a second is said; it ends after connect_timeout, for each host and turn."""

    async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del writer
        await reader.read()

    lines: list[str] = []
    async with socket_server(stay_silent) as port:
        with pytest.raises(DatabaseUnavailable, match="no answer in time"):
            await migrate(
                replace(dsn, hosts=(("127.0.0.1", port),), password=Secret("x"), connect_timeout=1.2),
                on_line=lines.append,
            )
    assert lines == [f"Connecting to {dsn.database} on 127.0.0.1:{port}"]


class _Gone(BaseException):
    """Stands for the end of the process: nothing of ours is done after it."""


@pytest.fixture
def dies_after_dbmate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployer is gone once dbmate has applied the last file, and with it the session that holds the lock."""

    async def run_and_die(dsn: Dsn, ledger: Ledger, directory: Path, *arguments: Any, **options: Any) -> None:
        await run_dbmate(dsn, ledger, directory, *arguments, **options)
        if (directory / "998_late.sql").exists():
            raise _Gone

    monkeypatch.setattr("exchanges_db.schema.running.run_dbmate", run_and_die)


@pytest.mark.usefixtures("dies_after_dbmate")
@pytest.mark.parametrize("ledger", [None, "other_ledger", "ours.ledger"])
async def test_what_was_applied_is_what_is_kept_not_what_the_next_deployer_has(
    empty_dsn: Dsn, files: Path, ledger: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two releases with another text under one version: the one that did not apply it learns that it did not."""
    add(files, "CREATE TABLE of_the_first (id int);")
    with pytest.raises(_Gone):
        await migrate(empty_dsn, directory=files, migrations_table=ledger)
    monkeypatch.undo()
    first = (files / "998_late.sql").read_bytes()
    add(files, "CREATE TABLE of_the_second (id int);")
    for _ in range(2):
        with pytest.raises(MigrationError, match=r"998_late\.sql was changed or removed after it was applied"):
            await migrate(empty_dsn, directory=files, migrations_table=ledger)
    (files / "998_late.sql").write_bytes(first)
    assert await migrate(empty_dsn, directory=files, migrations_table=ledger) == []
    found = await get_migrations(empty_dsn, directory=files, migrations_table=ledger)
    assert {one.changed for one in found} == {False}


@pytest.mark.usefixtures("dies_after_dbmate")
async def test_what_was_undone_may_be_changed(dsn: Dsn, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a deployer that was gone before it deleted the checksum, or by plain dbmate, which knows of none."""
    add(files, "CREATE TABLE of_the_first (id int);", "DROP TABLE of_the_first;")
    with pytest.raises(_Gone):
        await migrate(dsn, directory=files)
    monkeypatch.undo()
    assert await migrate(dsn, directory=files) == []
    assert plain_dbmate(dsn, "rollback", migrations=files).returncode == 0
    add(files, "CREATE TABLE of_the_second (id int);", "DROP TABLE of_the_second;")
    assert await migrate(dsn, directory=files) == ["998_late.sql"]
    assert await migrate(dsn, directory=files) == []


async def test_a_plan_that_failed_binds_nobody(dsn: Dsn, files: Path, other: asyncpg.Connection) -> None:
    """The file is mended and applied by plain dbmate, which is no change of an applied file."""
    add(files, "SELECT 1/0;")
    with pytest.raises(MigrationError):
        await migrate(dsn, directory=files)
    assert await other.fetchval("SELECT count(*) FROM migration_checksums WHERE version LIKE '% %'") == 0
    add(files, "SELECT 1;")
    assert plain_dbmate(dsn, "migrate", migrations=files).returncode == 0
    assert await migrate(dsn, directory=files) == []


async def test_who_has_switched_writes_off_is_named(empty_dsn: Dsn) -> None:
    """With a way round it, for a deploy alone, that works."""
    async with connected(empty_dsn) as owner:
        await owner.execute(f"ALTER DATABASE {empty_dsn.database} SET default_transaction_read_only = on")
    for action in (migrate, rollback):
        with pytest.raises(DatabaseUnavailable, match="default_transaction_read_only is on, set by ALTER DATABASE; "):
            await action(empty_dsn)
    anyway = replace(empty_dsn, settings={"options": "-c default_transaction_read_only=off"})
    assert await migrate(anyway) == NAMES


@pytest.mark.parametrize("setting", [
    "statement_timeout = '100ms'", "transaction_timeout = '100ms'", "idle_in_transaction_session_timeout = '50ms'",
    "idle_session_timeout = '50ms'",
])  # fmt: skip
async def test_time_limits_for_programs_are_none_for_a_file(
    dsn: Dsn, files: Path, other: asyncpg.Connection, setting: str
) -> None:
    """Else no file that takes longer is ever applied; but a limit in the URL is meant for this deploy."""
    if setting.startswith("transaction_timeout") and other.get_server_version().major < 17:
        pytest.skip("this server has no transaction_timeout")
    add(files, "SELECT pg_sleep(0.3);")
    await other.execute(f"ALTER DATABASE {dsn.database} SET {setting}")
    assert await migrate(dsn, directory=files) == ["998_late.sql"]
    add(files, "SELECT pg_sleep(0.3);", name="999_later.sql")
    with pytest.raises(MigrationError, match="statement timeout"):
        await migrate(replace(dsn, settings={"options": "-c statement_timeout=100"}), directory=files)


@pytest.mark.parametrize("setting", [
    "standard_conforming_strings = off", "transform_null_equals = on", "default_transaction_isolation = serializable",
])  # fmt: skip
async def test_what_a_file_says_means_the_same_everywhere(
    dsn: Dsn, files: Path, other: asyncpg.Connection, setting: str
) -> None:
    add(files, r"CREATE TABLE meant AS SELECT '\d'::text AS text, NULL = NULL AS same,"
               " current_setting('transaction_isolation') AS isolation;")  # fmt: skip
    await other.execute(f"ALTER DATABASE {dsn.database} SET {setting}")
    await migrate(dsn, directory=files)
    (meant,) = await other.fetch("SELECT * FROM meant")
    assert tuple(meant) == (r"\d", None, "read committed")
