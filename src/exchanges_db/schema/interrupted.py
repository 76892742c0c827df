"""Files that may end half done: written down before they are run, and judged by what is there when nobody saw the end.

Such a file is never run a second time by itself. The note is a row beside the checksums, with "VERSION up" or "VERSION
down" as its version. A note of every file that is about to be applied is "VERSION planned": a deployer that is killed
leaves what it applied with the checksum of its own file, not with that of the next deployer's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from exchanges_db.database.bridge import RawConnection, bridge
from exchanges_db.errors import MigrationError
from exchanges_db.schema.ledger import PLANNED, Ledger, applied_versions
from exchanges_db.schema.migration_files import MigrationFile
from exchanges_db.schema.sql_files import bookkeeping_file
from exchanges_sql.migration_ledger import AsyncQuerier, ListMigrationChecksumsRow

_DROP = "DROP INDEX CONCURRENTLY"  # to be read, not sent


async def note_begun(connection: RawConnection, ledger: Ledger, files: Iterable[MigrationFile], word: str) -> None:
    """Write down that these files are about to be run: "up" or "down" where they may end half done, else PLANNED."""
    querier = AsyncQuerier(bridge(connection))
    async with connection.transaction():
        await querier.pin_ledger(schema_name=ledger.schema_name)
        creation = await querier.get_schema_creation()
        if creation is not None:
            await connection.execute(creation)
        tables = await querier.check_ledger(ledger=ledger.table_name)
        assert tables is not None  # a SELECT without FROM always gives one row
        if not tables.has_checksums:
            await connection.execute(bookkeeping_file().read_text())
        for file in files:
            await querier.record_migration_checksum(
                ledger=tables.ledger, version=f"{file.version} {word}", file_name=file.name, sha256=file.sha256
            )


async def forget_begun(connection: RawConnection, ledger: Ledger, file: MigrationFile, direction: str) -> None:
    """Delete the note: the end of the file was seen."""
    querier = AsyncQuerier(bridge(connection))
    async with connection.transaction():
        await querier.pin_ledger(schema_name=ledger.schema_name)
        await querier.forget_migration_checksum(ledger=ledger.table_name, version=f"{file.version} {direction}")


async def settle(
    connection: RawConnection, ledger: Ledger, files: Mapping[str, MigrationFile], on_line: Callable[[str], None]
) -> None:
    """Find out what became of each file whose end nobody saw, where that can be known.

    Raises:
        MigrationError: it cannot; the message says what to look at, and what to do then.
    """
    querier = AsyncQuerier(bridge(connection))
    async with connection.transaction():
        await querier.pin_ledger(schema_name=ledger.schema_name)
        tables = await querier.check_ledger(ledger=ledger.table_name)
        assert tables is not None  # a SELECT without FROM always gives one row
        if not tables.has_checksums:
            return
        rows = [row async for row in querier.list_migration_checksums(ledger=tables.ledger)]
        applied = await applied_versions(connection, ledger) if tables.has_ledger else set()
        for row in rows:
            version, _, direction = row.version.partition(" ")
            if direction == PLANNED:
                continue
            if direction and (version in applied) == (direction == "up"):  # it was recorded
                await querier.forget_migration_checksum(ledger=tables.ledger, version=row.version)
            elif direction:
                file = files.get(version)
                part = getattr(file, direction) if file is not None and file.sha256 == row.sha256 else None
                if part is not None and part.repeatable:
                    on_line(f"{row.file_name} was begun by a deploy that was interrupted: it may be run again")
                elif file is None or part is None or direction == "down" or part.index is None:
                    raise MigrationError(_not_known(row, ledger))
                elif await _has_index(querier, file, part.index):
                    insertion = await querier.get_ledger_insertion(ledger=ledger.table_name)
                    assert insertion is not None
                    await connection.execute(insertion, version)
                    on_line(f"{file.name} was begun by a deploy that was interrupted, and is whole: now it is recorded")
                await querier.forget_migration_checksum(ledger=tables.ledger, version=row.version)
        applied = await applied_versions(connection, ledger) if tables.has_ledger else set()
        await _settle_checksums(querier, ledger, rows, applied)


async def _settle_checksums(
    querier: AsyncQuerier, ledger: Ledger, rows: Iterable[ListMigrationChecksumsRow], applied: set[str]
) -> None:
    """Keep the checksum of what was planned and is applied, and none of what is not: plain dbmate can undo, too."""
    for row in rows:
        version, _, word = row.version.partition(" ")
        if word == PLANNED:
            await querier.forget_migration_checksum(ledger=ledger.table_name, version=row.version)
            if version in applied:
                await querier.record_migration_checksum(
                    ledger=ledger.table_name, version=version, file_name=row.file_name, sha256=row.sha256
                )
        elif not word and version not in applied:
            await querier.forget_migration_checksum(ledger=ledger.table_name, version=version)


async def _has_index(querier: AsyncQuerier, file: MigrationFile, name: str) -> bool:
    found = await querier.check_index(index_name=name)
    assert found is not None  # count always gives one row
    if found.valid < found.present:
        raise MigrationError(f"nothing was done: {file.name} has failed before and left the {what_to_do_about([name])}")
    return found.present > 0


def _not_known(row: ListMigrationChecksumsRow, ledger: Ledger) -> str:
    version, _, direction = row.version.partition(" ")
    done, record = ("applied", "add it to") if direction == "up" else ("undone", "delete it from")
    return (
        f"nothing was done: {row.file_name} was begun by a deploy that failed or was interrupted. It is "
        f"transaction:false, so it may be {done} wholly, in part or not at all: look at what it does. "
        f"Where all is done, {record} {ledger} as {version}; where it is to be run again, "
        f"delete the row {row.version!r} of migration_checksums"
    )


async def refuse_invalid_indexes(connection: RawConnection, pending: Iterable[MigrationFile]) -> None:
    """Raise MigrationError where an index that a pending file makes is there, but INVALID."""
    querier = AsyncQuerier(bridge(connection))
    for file in pending:
        if file.up.index is not None:
            await _has_index(querier, file, file.up.index)


async def list_invalid_indexes(connection: RawConnection) -> set[str]:
    """Return the indexes that no query uses, because making them has failed."""
    return {name async for name in AsyncQuerier(bridge(connection)).list_invalid_indexes()}


def what_to_do_about(indexes: Iterable[str]) -> str:
    """Say how to get rid of INVALID indexes."""
    names = sorted(indexes)
    drops = "; ".join(f"{_DROP} {name}" for name in names)
    return (
        f"INVALID index {', '.join(names)}, which slows writes and serves no query: {drops}; mend what kept it from "
        "being made; then migrate again"
    )
