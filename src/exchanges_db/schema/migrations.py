"""Migrates a database with dbmate: one process at a time, and only if the files applied before are unchanged.

dbmate keeps no checksums, by default takes no lock, and passes the password to pg_dump on a command line. So it runs
under our own advisory lock, after a check of its ledger, and without its dump.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from exchanges_db.database.bridge import bridge
from exchanges_db.database.driver_errors import DRIVER_ERRORS, translate
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.hosts import connect_error, refuse_old_server
from exchanges_db.errors import MigrationError, MigrationLocked
from exchanges_db.schema.dbmate import run_dbmate
from exchanges_db.schema.ledger import (
    OWN_LEDGER,
    Ledger,
    Migration,
    parse_ledger,
    read_ledger,
    record_checksums,
    what_is_wrong,
)
from exchanges_db.schema.lines import log_line
from exchanges_db.schema.migration_files import read_files
from exchanges_db.schema.sql_files import migrations_directory
from exchanges_sql.migration_ledger import AsyncQuerier

# Any constant will do; this one is the first eight bytes of "exchanges_db" read as an integer.
LOCK_KEY = int.from_bytes(b"exchange")
_POLL_SECONDS = 0.1
_CONNECT_SECONDS = 5.0


async def get_migrations(
    dsn: Dsn, *, directory: Path | None = None, migrations_table: str | None = None
) -> list[Migration]:
    """Return every migration that has a file or stands in the ledger, by version.

    migrations_table: dbmate's ledger, TABLE or SCHEMA.TABLE; None means DBMATE_MIGRATIONS_TABLE.

    Raises:
        ConfigurationError: migrations_table is unusable, or the server is older than the oldest that is supported.
        DatabaseError: the database cannot be asked.
        MigrationError: two files have the same version.
    """
    ledger = parse_ledger(migrations_table)
    async with _connection(dsn, read_only=True) as (connection, _):
        return await read_ledger(connection, ledger, read_files(directory or migrations_directory()))


async def migrate(
    dsn: Dsn,
    *,
    strict: bool = True,
    lock_timeout: float = 300.0,
    directory: Path | None = None,
    migrations_table: str | None = None,
    on_line: Callable[[str], None] = log_line,
) -> list[str]:
    """Apply the pending migrations with dbmate and return the names of their files.

    strict: refuse a pending file whose version is lower than an applied one.
    lock_timeout: seconds to wait for another process that is migrating.
    migrations_table: dbmate's ledger, TABLE or SCHEMA.TABLE; None means DBMATE_MIGRATIONS_TABLE.
    on_line: called with each line dbmate prints.

    Raises:
        MigrationLocked: the other process did not finish in time.
        MigrationError: dbmate failed (it rolled the failing file back). Or, before dbmate is run: an applied file has
            changed or is gone, or another project's file was applied under one of our versions.
        ConfigurationError: migrations_table is unusable.
        DatabaseError: the database cannot be reached or asked.
    """
    folder = directory or migrations_directory()
    ledger = parse_ledger(migrations_table)
    async with _connection(dsn) as (connection, one_host):
        await _lock(connection, lock_timeout, on_line)
        files = read_files(folder)
        before = await read_ledger(connection, ledger, files)
        _refuse_to_migrate(before, ledger, strict)
        await run_dbmate(one_host, ledger, folder, on_line, "migrate", *(["--strict"] if strict else []))
        await record_checksums(connection, ledger, files)
        after = await read_ledger(connection, ledger, files)
    had = {migration.version for migration in before if migration.applied}
    return [m.file_name for m in after if m.applied and m.file_name and m.version not in had]


def _refuse_to_migrate(migrations: Sequence[Migration], ledger: Ledger, strict: bool) -> None:
    wrong = what_is_wrong(migrations, ledger)
    if wrong is not None:
        raise MigrationError(f"nothing was done: {wrong}")
    elsewhere = [str(migration.file_name) for migration in migrations if migration.elsewhere]
    if elsewhere:
        raise MigrationError(
            f"nothing was done: {', '.join(elsewhere)} is not in {ledger}, yet everything it makes is in the database; "
            "if another table has it, name that one: DBMATE_MIGRATIONS_TABLE (or --migrations-table)"
        )
    pending = [migration for migration in migrations if not migration.applied]
    newer = [m.version for m in migrations if m.foreign and pending and m.version > pending[0].version]
    if strict and newer:
        raise MigrationError(
            f"nothing was done: {pending[0].file_name} is older than {', '.join(newer)}, which another project has in "
            f"{ledger}; keep our migrations in a table of their own: {OWN_LEDGER}; or pass --no-strict"
        )


async def rollback(
    dsn: Dsn,
    *,
    lock_timeout: float = 300.0,
    directory: Path | None = None,
    migrations_table: str | None = None,
    on_line: Callable[[str], None] = log_line,
) -> str | None:
    """Undo our newest applied migration with dbmate, data included, and return its file's name; None if none is left.

    Raises the errors of `migrate`; MigrationError also where the ledger has a newer version of another project.
    """
    folder = directory or migrations_directory()
    ledger = parse_ledger(migrations_table)
    async with _connection(dsn) as (connection, one_host):
        await _lock(connection, lock_timeout, on_line)
        files = read_files(folder)
        before = await read_ledger(connection, ledger, files)
        wrong = what_is_wrong(before, ledger)
        if wrong is not None:
            raise MigrationError(f"nothing was done: {wrong}")
        ours = [migration for migration in before if migration.is_ours]
        if not ours:
            return None
        newest = ours[-1]
        above = [m.version for m in before if m.foreign and m.version > newest.version]
        if above:
            raise MigrationError(
                f"nothing was done: above our {newest.file_name} stands {', '.join(above)} in {ledger}, not ours but "
                "another project's: roll that back first, with that project's files "
                "(dbmate --migrations-dir ITS_FOLDER rollback)"
            )
        await run_dbmate(one_host, ledger, folder, on_line, "rollback")
        await record_checksums(connection, ledger, files)
        return newest.file_name


@asynccontextmanager
async def _connection(
    dsn: Dsn, *, read_only: bool = False
) -> AsyncIterator[tuple[asyncpg.Connection[asyncpg.Record], Dsn]]:
    """Connect to the first host that takes writes; yield the connection, and a Dsn of that host alone, for dbmate.

    read_only: where no host can be written to, the first that answers will do, such as a standby.
    """
    failure: BaseException | None = None
    hosts = [dsn.one_host(index) for index in range(max(1, len(dsn.hosts)))]
    for wanted, one_host in itertools.product(("read-write", "any") if read_only else ("read-write",), hosts):
        arguments = {**one_host.asyncpg_arguments(), "target_session_attrs": wanted}
        arguments["server_settings"].setdefault("application_name", "exchanges_db migrate")
        try:
            connection = await asyncpg.connect(**arguments, timeout=_CONNECT_SECONDS)
        except DRIVER_ERRORS as exc:
            failure = exc
            continue
        refuse_old_server(connection)
        try:
            yield connection, one_host
        except DRIVER_ERRORS as exc:
            raise translate(exc) from exc
        finally:
            # This ends the session and with it the lock, also after an error.
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
