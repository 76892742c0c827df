"""How a database differs from the schema of record, db/schema.json: object by object, as the catalog prints it.

`make schema` writes db/schema.json and db/schema.sql from one database, and a contract test holds them equal. Other
projects' tables and functions in schema public are ignored; anything missing from or added to our own tables is not.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import default_database, run
from exchanges_db.database.pool import Database
from exchanges_db.schema.sql_files import schema_objects_file
from exchanges_sql.schema_catalog import AsyncQuerier

# Kinds that other objects belong to: where one is missing, its columns and so on are not listed as well.
_WHOLES = frozenset(("table", "view"))


class SchemaObject(msgspec.Struct, frozen=True, order=True):
    """One object of schema public.

    Attributes:
        kind: table, view, column, constraint, index, trigger, policy, rule, function or comment.
        table_name: the table or view it belongs to; empty for a function.
        object_name: its name; of a function with its arguments; of a comment its column's, or empty.
        definition: as the catalog's own functions print it.
    """

    kind: str
    table_name: str
    object_name: str
    definition: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies the object, so that two definitions of it can be compared."""
        return self.kind, self.table_name, self.object_name

    def __str__(self) -> str:
        return f"{self.kind} {'.'.join(name for name in (self.table_name, self.object_name) if name)}"


class DifferenceKind(StrEnum):
    """How an object of the database differs from the record."""

    MISSING = "MISSING"
    DIFFERENT = "DIFFERENT"
    UNEXPECTED = "UNEXPECTED"


class SchemaDifference(msgspec.Struct, frozen=True):
    """One object that is not as recorded; `expected` is None if it is UNEXPECTED, `found` is None if it is MISSING."""

    kind: DifferenceKind
    expected: SchemaObject | None
    found: SchemaObject | None

    def __str__(self) -> str:
        return f"{self.kind.lower()}: {self.expected or self.found}"


async def describe_schema(*, db: Database | None = None) -> list[SchemaObject]:
    """Return every object of schema public, sorted, except the tables of dbmate and of `exchanges-db migrate`."""
    database = db or await default_database()

    async def work(conn: AsyncConnection) -> list[SchemaObject]:
        querier = AsyncQuerier(conn)
        # How the catalog prints a name depends on the session's search_path.
        await querier.pin_catalog_spelling()
        return sorted(
            [msgspec.convert(row, SchemaObject, from_attributes=True) async for row in querier.list_schema_objects()]
        )

    async with database.transaction(isolation="repeatable_read", readonly=True) as transaction:
        return await run(transaction, work)


async def describe_schema_json(*, db: Database | None = None) -> bytes:
    """Return the content of db/schema.json for the schema of this database."""
    objects = await describe_schema(db=db)
    return msgspec.json.format(msgspec.json.encode(objects), indent=2) + b"\n"


def recorded_schema() -> list[SchemaObject]:
    """Return the schema of record."""
    return msgspec.json.decode(schema_objects_file().read_bytes(), type=list[SchemaObject])


def compare_schemas(expected: list[SchemaObject], found: list[SchemaObject]) -> list[SchemaDifference]:
    """Return how `found` differs from `expected`; of a missing table or view, not also its columns and so on."""
    wanted = {item.key: item for item in expected}
    present = {item.key: item for item in found}
    tables = {item.table_name for item in expected if item.kind in _WHOLES}
    absent = tables - {item.table_name for item in found if item.kind in _WHOLES}
    differences = [
        SchemaDifference(DifferenceKind.MISSING, item, None)
        for key, item in wanted.items()
        if key not in present and (item.kind in _WHOLES or item.table_name not in absent)
    ]
    differences += [
        SchemaDifference(DifferenceKind.DIFFERENT, item, present[key])
        for key, item in wanted.items()
        if key in present and present[key] != item
    ]
    differences += [
        SchemaDifference(DifferenceKind.UNEXPECTED, None, item)
        for key, item in present.items()
        if key not in wanted and item.table_name in tables
    ]
    return differences


async def check_schema(*, db: Database | None = None) -> list[SchemaDifference]:
    """Return how the database's schema differs from the schema of record; empty when it does not."""
    return compare_schemas(recorded_schema(), await describe_schema(db=db))
