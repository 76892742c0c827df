"""What the ledger says of imports: every one that changed something, was refused or failed."""

from __future__ import annotations

from datetime import datetime
from enum import Enum, StrEnum
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.database.rows import readable, unreadable
from exchanges_db.errors import InvalidArgument, shown
from exchanges_db.exchanges.names import check_key
from exchanges_db.exchanges.names import exchange_id as id_of
from exchanges_db.moments import check_moment
from exchanges_db.symbols.brakes import BrakeHit, HeldBack
from exchanges_db.symbols.listing import Listing
from exchanges_sql.symbol_ledger import AsyncQuerier, GetImportRow, ListImportsParams, ListImportsRow

_HIGHEST_ID = 2**63 - 1


class ImportOutcome(StrEnum):
    """How an import ended."""

    APPLIED = "APPLIED"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


class ImportRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One import in the ledger. What is None was not known when the import ended.

    Attributes:
        exchange: its enum_value then; exchange_id: its id, which stays.
        listing: which of its lists.
        observed_at: when the exchange gave the list; began_at, ended_at: when the import ran, by the server's clock.
        moment: from when on its changes hold; None where it was not applied.
        source: the reader, or the user's own source; reader_version: of the reader.
        origin: the URL, without what may be secret in it, or the file that the payload is from.
        payload_sha256, payload_size: of the payload, in bytes.
        listed_rows, rejected_rows, unchanged_rows: how many rows the payload had, could not be read, changed nothing.
        changes: how many symbols each kind of change had; of an import that was refused, would have had.
        brakes: what spoke against the list, each with whether it was allowed; held_back: rows that were not believed.
        error: why it failed; None for the other outcomes.
        imported_by: the database user who had logged in; application_name: of his connection.
    """

    id: int
    exchange_id: int
    exchange: str
    listing: Listing | None
    outcome: ImportOutcome
    observed_at: datetime | None
    began_at: datetime
    ended_at: datetime
    moment: datetime | None
    source: str | None
    reader_version: int | None
    origin: str | None
    payload_sha256: str | None
    payload_size: int | None
    listed_rows: int | None
    rejected_rows: int | None
    unchanged_rows: int | None
    changes: dict[str, int]
    brakes: tuple[BrakeHit, ...]
    held_back: tuple[HeldBack, ...]
    error: str | None
    imported_by: str
    application_name: str


async def list_imports(
    exchange: Enum | str | int | None = None,
    *,
    listing: Listing | str | None = None,
    outcome: ImportOutcome | str | None = None,
    since: datetime | None = None,
    limit: int = 100,
    db: DatabaseOrConnection | None = None,
) -> list[ImportRecord]:
    """Return imports of the ledger, the newest first: of all exchanges or of one, by name or id.

    listing: only of this list. outcome: only those that ended so. since: only those that ended then or later.
    limit: at most so many.

    A row that cannot be read is left out, and logged as an error.

    Raises:
        InvalidArgument: one of them is unusable; `.field` names it.
        ExchangeNotFound: no exchange has that name; one that was deleted is asked for by its id.
    """
    key = None if exchange is None else check_key(exchange)
    place = None if listing is None else Listing.parse(listing)
    ended = None if outcome is None else _outcome(outcome)
    begin = None if since is None else check_moment(since, "since")
    if type(limit) is not int or not 1 <= limit <= _HIGHEST_ID:
        raise InvalidArgument(f"limit must be a whole number from 1 on, not {shown(limit)}", field="limit")

    async def work(conn: AsyncConnection) -> list[ImportRecord]:
        arguments = ListImportsParams(
            exchange_id=None if key is None else await id_of(conn, key),
            kind=None if place is None else place.kind.value,
            settle=None if place is None else place.settle,
            underlying=None if place is None else place.underlying,
            outcome=None if ended is None else ended.value,
            since=begin,
            most=limit,
        )
        return readable([row async for row in AsyncQuerier(conn).list_imports(arguments)], _record)

    return await run(db, work)


async def get_import(import_id: int, *, db: DatabaseOrConnection | None = None) -> ImportRecord | None:
    """Return one import of the ledger; None where it has none of this id. Raises InvalidArgument for what is no id."""
    if type(import_id) is not int or not 1 <= import_id <= _HIGHEST_ID:
        raise InvalidArgument(f"import_id must be a whole number from 1 on, not {shown(import_id)}", field="import_id")

    async def work(conn: AsyncConnection) -> ImportRecord | None:
        row = await AsyncQuerier(conn).get_import(id=import_id)
        return None if row is None else _record(row)

    return await run(db, work)


def _outcome(outcome: ImportOutcome | str) -> ImportOutcome:
    member = ImportOutcome.__members__.get(outcome.upper()) if isinstance(outcome, str) and outcome.isascii() else None
    if member is None:
        raise InvalidArgument(f"outcome {shown(outcome)} is not one of {', '.join(ImportOutcome)}", field="outcome")
    return member


def _record(row: ListImportsRow | GetImportRow) -> ImportRecord:
    fields: dict[str, Any] = {field: getattr(row, field) for field in row.__dataclass_fields__}
    kind, settle, underlying = (fields.pop(part) for part in ("kind", "settle", "underlying"))
    fields["listing"] = None if kind is None else {"kind": kind, "settle": settle, "underlying": underlying}
    try:
        for field in ("changes", "brakes", "held_back"):
            fields[field] = msgspec.json.decode(fields[field])
        return msgspec.convert(fields, ImportRecord)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise unreadable(f"import {row.id}: ", str(exc)) from exc
