"""dbmate's ledger, the table of applied versions: which of them are ours, which have changed, and which are not ours.

A ledger holds version numbers only, and other projects have a file 002, too. So a version counts as ours where what our
file makes is in the database. Whether the file is still the same is told by a checksum that is kept beside the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from exchanges_db.database.bridge import RawConnection, bridge
from exchanges_db.database.settings import migrations_table
from exchanges_db.errors import ConfigurationError
from exchanges_db.schema.migration_files import MigrationFile
from exchanges_db.schema.sql_files import bookkeeping_file
from exchanges_sql.migration_ledger import AsyncQuerier, ListMigrationChecksumsRow

PLANNED = "planned"  # behind a version: the checksum of what is about to be applied
OWN_LEDGER = "DBMATE_MIGRATIONS_TABLE=exchanges_db_migrations (or --migrations-table), for every command"


class Ledger(NamedTuple):
    """The table in which dbmate keeps applied versions; schema_name is empty where the connection decides."""

    name: str
    schema_name: str
    table_name: str

    def __str__(self) -> str:
        return self.name


def parse_ledger(name: str | None) -> Ledger:
    """Return the table that dbmate uses for `name`: TABLE or SCHEMA.TABLE, without quotes, and in exactly that case.

    None means DBMATE_MIGRATIONS_TABLE, and where that is not set, dbmate's own default.

    Raises:
        ConfigurationError: dbmate could not use it.
    """
    name = migrations_table() if name is None else name
    schema_name, _, table_name = name.rpartition(".")
    if not table_name or "." in schema_name or "\x00" in name or not _is_unicode(name):
        raise ConfigurationError(f"DBMATE_MIGRATIONS_TABLE is unusable: {name!r} is neither TABLE nor SCHEMA.TABLE")
    return Ledger(name, schema_name, table_name)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes of the environment that are not UTF-8
        return False
    return True


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One migration: its file, and what the database says about it.

    Attributes:
        file_name: that of our file; None for a version that only another project has.
        applied: whether the ledger has the version.
        changed: whether an applied file differs from what was applied; None where no checksum was kept.
        foreign: whether the version was applied from another project's file. If file_name is there, too, both files
            have the same version, and ours cannot be applied with this ledger.
        elsewhere: whether this ledger lacks the version although everything that the file makes is in the database:
            it was applied with another ledger, or by hand.
    """

    version: str
    file_name: str | None
    applied: bool
    changed: bool | None = None
    foreign: bool = False
    elsewhere: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether the ledger has the version, applied from our file."""
        return self.applied and not self.foreign

    @property
    def is_taken(self) -> bool:
        """Whether another project's file was applied under the version of one of ours."""
        return self.foreign and self.file_name is not None

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to do about it."""
        return self.applied and not self.changed and not self.is_taken


async def read_ledger(connection: RawConnection, ledger: Ledger, files: Mapping[str, MigrationFile]) -> list[Migration]:
    """Return every migration that has a file or stands in the ledger, by version."""
    querier = AsyncQuerier(bridge(connection))
    async with connection.transaction():
        await querier.pin_ledger(schema_name=ledger.schema_name)
        tables = await querier.check_ledger(ledger=ledger.table_name)
        assert tables is not None  # a SELECT without FROM always gives one row
        applied = await applied_versions(connection, ledger) if tables.has_ledger else set()
        kept = {}
        if tables.has_checksums:
            rows = {row.version: row async for row in querier.list_migration_checksums(ledger=tables.ledger)}
            planned = {name.removesuffix(f" {PLANNED}"): row for name, row in rows.items()}
            kept = planned | rows  # what a deployer that was killed had planned counts where it was applied
        names = sorted({name for file in files.values() for name in file.makes})
        present = {name async for name in querier.list_objects_present(names=names)}
    migrations: list[Migration] = []
    for version in sorted(applied | files.keys(), reverse=True):
        one = _judged(version, version in applied, files.get(version), kept.get(version), present)
        # A file that changes rows alone leaves nothing to know it by, but files are applied in order.
        if not one.applied and not files[version].makes and any(newer.elsewhere for newer in migrations):
            one = msgspec.structs.replace(one, elsewhere=True)
        migrations.append(one)
    return migrations[::-1]


async def applied_versions(connection: RawConnection, ledger: Ledger) -> set[str]:
    """Return every version in the ledger, on which search_path must be pinned."""
    # The one statement that is not static: a user names the table. The server quotes the name, with format('%I').
    query = await AsyncQuerier(bridge(connection)).get_ledger_query(ledger=ledger.table_name)
    assert query is not None  # a SELECT without FROM always gives one row
    return {row["version"] for row in await connection.fetch(query)}


def _judged(
    version: str,
    applied: bool,
    file: MigrationFile | None,
    kept: ListMigrationChecksumsRow | None,
    present: set[str],
) -> Migration:
    if file is None:
        if kept is not None:
            return Migration(version=version, file_name=kept.file_name, applied=applied, changed=True)
        return Migration(version=version, file_name=None, applied=applied, foreign=True)
    there = len(file.makes & present)
    if not applied:
        elsewhere = bool(file.makes) and there == len(file.makes)
        return Migration(version=version, file_name=file.name, applied=False, elsewhere=elsewhere)
    # Less than half: a user's own objects may share a name or two with ours, and ours may have lost one or two.
    foreign = 2 * there < len(file.makes)
    changed = None
    if kept is not None:
        changed = kept.sha256 != file.sha256
        if changed:
            foreign = kept.file_name != file.name  # under its own name it is ours, with another text
    return Migration(
        version=version, file_name=file.name, applied=True, changed=None if foreign else changed, foreign=foreign
    )


def what_is_wrong(migrations: Sequence[Migration], ledger: Ledger) -> str | None:
    """Return which applied versions are changed or not ours, and the way out; None where all is well."""
    # First: without a file, what another one has made may look like nobody's.
    changed = [str(migration.file_name) for migration in migrations if migration.changed]
    if changed:
        return (
            f"{', '.join(changed)} was changed or removed after it was applied: "
            "restore the file and put the change into a new migration"
        )
    taken = [migration for migration in migrations if migration.is_taken]
    if taken:
        versions = ", ".join(migration.version for migration in taken)
        files = ", ".join(str(migration.file_name) for migration in taken)
        return (
            f"{versions} in {ledger} is somebody else's: not applied from our {files}, and what that makes is not "
            f"in the database; keep our migrations in a table of their own: {OWN_LEDGER}"
        )
    return None


async def record_checksums(
    connection: RawConnection, ledger: Ledger, files: Mapping[str, MigrationFile], *, at_work: bool = False
) -> None:
    """Store the checksum of each applied file that has none yet; delete those of files that are not applied.

    at_work: whether a file is still being applied on the server, so that what was planned may yet be.
    """
    querier = AsyncQuerier(bridge(connection))
    async with connection.transaction():
        await querier.pin_ledger(schema_name=ledger.schema_name)
        await connection.execute(bookkeeping_file().read_text())
        tables = await querier.check_ledger(ledger=ledger.table_name)
        assert tables is not None  # a SELECT without FROM always gives one row
        applied = await applied_versions(connection, ledger) if tables.has_ledger else set()
        for version, file in files.items():
            if not at_work:
                await querier.forget_migration_checksum(ledger=tables.ledger, version=f"{version} {PLANNED}")
            if version in applied:
                await querier.record_migration_checksum(
                    ledger=tables.ledger, version=version, file_name=file.name, sha256=file.sha256
                )
            else:
                await querier.forget_migration_checksum(ledger=tables.ledger, version=version)
