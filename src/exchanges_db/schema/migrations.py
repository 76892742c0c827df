"""Migrates a database with dbmate: one process at a time, and only if the files applied before are unchanged.

dbmate keeps no checksums, by default takes no lock, and passes the password to pg_dump on a command line. So it runs
under our own advisory lock, after a check of its ledger, and without its dump. What is applied is what the ledger says
afterwards, whatever else was heard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import MigrationError
from exchanges_db.schema.connecting import connect_to_migrate, limited, refuse_pooler_of_settings
from exchanges_db.schema.interrupted import refuse_invalid_indexes, settle
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
from exchanges_db.schema.lock import LOCK_KEY, LockSession, locked
from exchanges_db.schema.migration_files import MigrationFile, read_files
from exchanges_db.schema.outcome import Outcome
from exchanges_db.schema.running import apply_files, undo_file
from exchanges_db.schema.sql_files import migrations_directory

__all__ = ["LOCK_KEY", "get_migrations", "migrate", "rollback"]


async def get_migrations(
    dsn: Dsn,
    *,
    directory: Path | None = None,
    migrations_table: str | None = None,
    on_line: Callable[[str], None] = log_line,
) -> list[Migration]:
    """Return every migration that has a file or stands in the ledger, by version.

    migrations_table: dbmate's ledger, TABLE or SCHEMA.TABLE; None means DBMATE_MIGRATIONS_TABLE.
    on_line: called with what goes on, where it takes longer than a second.

    Raises:
        ConfigurationError: migrations_table is unusable, or the server is older than the oldest that is supported.
        DatabaseError: the database cannot be asked, or does not answer in time.
        MigrationError: two files have the same version.
    """
    ledger = parse_ledger(migrations_table)
    connection, _ = await connect_to_migrate(dsn, on_line, read_only=True)
    try:
        async with limited(connection):
            return await read_ledger(connection, ledger, read_files(directory or migrations_directory()))
    finally:
        connection.terminate()


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
    lock_timeout: seconds to wait for another process that is migrating, and for locks on tables.
    migrations_table: dbmate's ledger, TABLE or SCHEMA.TABLE; None means DBMATE_MIGRATIONS_TABLE.
    on_line: called with each line dbmate prints, and with what goes on, where it takes longer than a second.

    Cancelled, it stops dbmate, and tells `on_line` what is applied and what is not.

    Raises:
        MigrationLocked: the other process did not finish in time, or a table was in use.
        MigrationError: dbmate failed, or was stopped because the lock was lost; the message says what is applied and
            what is not. Or, before dbmate is run: an applied file has changed or is gone, another project's file was
            applied under one of our versions, or a deploy was interrupted and left what a person must look at.
        ConfigurationError: migrations_table is unusable, or there is a pooler in between.
        DatabaseError: the database cannot be reached or asked.
    """
    refuse_pooler_of_settings()
    ledger = parse_ledger(migrations_table)
    files = read_files(directory or migrations_directory())
    async with locked(dsn, lock_timeout, on_line) as session:
        before = await _look(session, ledger, files, on_line)
        pending = [files[one.version] for one in before if not one.applied]
        async with limited(session.connection):
            await refuse_invalid_indexes(session.connection, pending)
        _refuse_to_migrate(before, ledger, strict)
        outcome = Outcome(session, dsn, ledger, files, pending, "up", on_line)
        async with outcome.reported():
            await apply_files(session, ledger, pending, on_line)
        await _record(session, ledger, files, on_line)
    return [file.name for file in pending]


async def _look(
    session: LockSession, ledger: Ledger, files: dict[str, MigrationFile], on_line: Callable[[str], None]
) -> list[Migration]:
    async with limited(session.connection):
        await settle(session.connection, ledger, files, on_line)
        found = await read_ledger(session.connection, ledger, files)
    wrong = what_is_wrong(found, ledger)
    if wrong is not None:
        raise MigrationError(f"nothing was done: {wrong}")
    return found


def _refuse_to_migrate(migrations: Sequence[Migration], ledger: Ledger, strict: bool) -> None:
    elsewhere = [str(migration.file_name) for migration in migrations if migration.elsewhere]
    if elsewhere:
        raise MigrationError(
            f"nothing was done: {', '.join(elsewhere)} is not in {ledger}, yet everything it makes is in the database; "
            "if another table has it, name that one: DBMATE_MIGRATIONS_TABLE (or --migrations-table)"
        )
    pending = [migration for migration in migrations if not migration.applied]
    newer = [m for m in migrations if m.applied and pending and m.version > pending[0].version]
    theirs = [m.version for m in newer if m.foreign]
    if strict and theirs:
        raise MigrationError(
            f"nothing was done: {pending[0].file_name} is older than {', '.join(theirs)}, which another project has in "
            f"{ledger}; keep our migrations in a table of their own: {OWN_LEDGER}; or pass --no-strict"
        )
    if strict and newer:
        raise MigrationError(
            f"nothing was done: {pending[0].file_name} is out of order: {newer[-1].file_name}, which is newer, is "
            "applied; give it a higher number, or pass --no-strict"
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
    refuse_pooler_of_settings()
    ledger = parse_ledger(migrations_table)
    files = read_files(directory or migrations_directory())
    async with locked(dsn, lock_timeout, on_line) as session:
        before = await _look(session, ledger, files, on_line)
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
        file = files[newest.version]
        outcome = Outcome(session, dsn, ledger, files, [file], "down", on_line)
        async with outcome.reported():
            await undo_file(session, ledger, file, on_line)
        await _record(session, ledger, files, on_line)
    return file.name


async def _record(
    session: LockSession, ledger: Ledger, files: dict[str, MigrationFile], on_line: Callable[[str], None]
) -> None:
    if session.is_lost:
        on_line("The session with the lock was lost after all was done: the next migrate keeps the checksums")
        return
    async with limited(session.connection):
        await record_checksums(session.connection, ledger, files)
