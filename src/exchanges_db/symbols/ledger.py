"""Writes the ledger of imports: every one that changed something, was refused or failed, once and for ever.

An import that confirms what is known already is counted in `symbol_lists`: a row each would be millions a year.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from enum import Enum
from time import monotonic
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run, run_in_transaction
from exchanges_db.database.metrics import gauges
from exchanges_db.errors import ExchangesDBError, InvalidArgument, shown
from exchanges_db.events import event
from exchanges_db.exchanges.names import check_exchange, spelled
from exchanges_db.symbols.brakes import BrakeHit, HeldBack
from exchanges_db.symbols.import_records import ImportOutcome
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.payloads.readers import all_readers
from exchanges_db.symbols.report import ImportRefused, ImportReport
from exchanges_sql.symbol_import import AsyncQuerier as ImportQuerier
from exchanges_sql.symbol_ledger import AsyncQuerier, InsertImportParams

log = logging.getLogger("exchanges_db")

_LONGEST = 2000
# USER:PASSWORD@ at its beginning, after whatever is left of a scheme.
_AUTHORITY = re.compile(r"(?:[A-Za-z][\w+.-]*:)?/{0,2}[^/@\s]+:[^@]*@")


class Attempt(msgspec.Struct, kw_only=True):
    """An import that has begun: what the ledger will say of it, as far as that is known by now."""

    exchange_id: int
    exchange: str
    began_at: datetime
    observed_at: datetime
    origin: str | None = None
    payload_sha256: str | None = None
    payload_size: int | None = None
    listing: Listing | None = None
    source: str | None = None
    began: float = msgspec.field(default_factory=monotonic)


async def begin_attempt(
    exchange: str, observed_at: datetime | None, origin: str | None, db: DatabaseOrConnection | None
) -> Attempt:
    """Return an import that begins now, by the server's clock; `origin` as `plain_origin` gives it.

    Raises ExchangeNotFound.
    """

    async def work(conn: AsyncConnection) -> Attempt:
        querier = ImportQuerier(conn)
        exact = exchange
        row = await querier.get_import_clock(enum_value=exact)
        while row is None:
            exact = await spelled(conn, exchange)
            row = await querier.get_import_clock(enum_value=exact)
        return Attempt(
            exchange_id=row.id,
            exchange=exact,
            began_at=row.asked_at,
            observed_at=observed_at or row.asked_at,
            origin=origin,
        )

    return await run(db, work)


@asynccontextmanager
async def noted(attempt: Attempt, db: DatabaseOrConnection | None, *, dry_run: bool) -> AsyncIterator[None]:
    """Record it in the ledger when an import is refused or fails; an unusable argument is no failure of an import."""
    try:
        yield
    except InvalidArgument:
        raise
    except ImportRefused as exc:
        if not dry_run:
            number = await _record_end(attempt, db, exc.report, None)
            exc.report = msgspec.structs.replace(exc.report, import_id=number)
        raise
    except Exception as exc:
        if not dry_run:
            await _record_end(attempt, db, None, exc)
        raise


async def record_applied(conn: AsyncConnection, attempt: Attempt, report: ImportReport) -> int | None:
    """Record an import that was applied, in its own transaction, and return its number."""
    return await AsyncQuerier(conn).insert_import(_params(attempt, ImportOutcome.APPLIED, report))


async def record_failure(
    exchange: Enum | str,
    error: Exception,
    *,
    listing: Listing | None = None,
    origin: str | None = None,
    observed_at: datetime | None = None,
    db: DatabaseOrConnection | None = None,
) -> int | None:
    """Record an import that failed before there was a payload, as a download does; None where that cannot be recorded.

    Raises ExchangeNotFound, as every import does.
    """
    attempt = await begin_attempt(check_exchange(exchange), observed_at, plain_origin(origin), db)
    attempt.listing = listing
    return await _record_end(attempt, db, None, error)


async def _record_end(
    attempt: Attempt, db: DatabaseOrConnection | None, report: ImportReport | None, error: Exception | None
) -> int | None:
    """Record how an import ended that was not applied; what keeps that from being recorded is logged and not raised."""
    outcome = ImportOutcome.REFUSED if error is None else ImportOutcome.FAILED
    params = _params(attempt, outcome, report)
    known = attempt.listing if report is None else report.listing
    listing = "unknown" if known is None else str(known)
    gauges.count_import(attempt.exchange, listing, outcome.value)
    if error is not None:
        params.error = _storable(f"{type(error).__name__}: {error}")

    async def work(conn: AsyncConnection) -> int | None:
        return await AsyncQuerier(conn).insert_import(params)

    try:
        return await run_in_transaction(db, work, savepoint=True)
    except ExchangesDBError as exc:
        log.warning(
            "an import of %s that %s is not in the ledger: %s",
            attempt.exchange,
            outcome.lower(),
            exc,
            extra=event("import_unrecorded", exchange=attempt.exchange, listing=listing, outcome=outcome.value),
        )
        return None


def _params(attempt: Attempt, outcome: ImportOutcome, report: ImportReport | None) -> InsertImportParams:
    listing = attempt.listing if report is None else report.listing
    source = attempt.source if report is None else report.source
    return InsertImportParams(
        exchange_id=attempt.exchange_id,
        exchange=attempt.exchange,
        kind=None if listing is None else listing.kind.value,
        settle=None if listing is None else listing.settle,
        underlying=None if listing is None else listing.underlying,
        outcome=outcome.value,
        observed_at=attempt.observed_at,
        began_at=attempt.began_at,
        moment=None if report is None else report.moment,
        source=source,
        reader_version=next((reader.version for reader in all_readers() if reader.name == source), None),
        origin=attempt.origin,
        payload_sha256=attempt.payload_sha256,
        payload_size=attempt.payload_size,
        listed_rows=None if report is None else _listed(report),
        rejected_rows=None if report is None else len(report.rejected),
        unchanged_rows=None if report is None else report.unchanged,
        changes=_json({} if report is None else {kind: count for kind, count in report.counts().items() if count}),
        brakes=_json([] if report is None else [_plain(hit) for hit in report.brakes]),
        held_back=_json([] if report is None else [_plain(row) for row in report.held_back]),
        error=None,
    )


def _listed(report: ImportReport) -> int:
    """Return how many rows the payload had, each counted once."""
    changed = {change.spec.native_symbol for change in report.changes if not change.vanished}
    rejected = {row.native_symbol for row in report.rejected if row.native_symbol is not None}
    held = {row.native_symbol for row in report.held_back} - rejected
    return report.unchanged + len(changed | held) + len(report.rejected)


def _plain(one: BrakeHit | HeldBack) -> dict[str, Any]:
    fields = msgspec.to_builtins(one)
    return {field: _storable(value) if isinstance(value, str) else value for field, value in fields.items()}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _storable(text: str) -> str:
    """Return a text as the database takes it: without what no text there can hold, and not longer than is read."""
    return text[:_LONGEST].replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def plain_origin(origin: str | None) -> str | None:
    """Return a URL without user, password, query and fragment, each of which may hold a secret; a file as it is.

    Raises:
        InvalidArgument: it is no text.
    """
    if origin is None:
        return None
    if not isinstance(origin, str):
        raise InvalidArgument(f"origin must be the URL or file of the payload, not {shown(origin)}", field="origin")
    scheme, mark, rest = origin.partition("://")
    if not mark:
        # A file; but a URL that lacks its scheme, or was spelt wrongly, has its secrets before an @ and behind ? or #.
        return _storable(origin.rpartition("@")[2].partition("?")[0] if _AUTHORITY.match(origin) else origin)
    for end in "?#":
        rest = rest.partition(end)[0]
    # A password may hold slashes, where nobody escaped them: whatever stands before the last @ goes.
    rest = rest.rpartition("@")[2]
    port = rest.partition("/")[0].rpartition("]")[2].partition(":")[2]
    # What is no port is the beginning of a password that holds ? or #.
    return _storable(f"{scheme}://{rest if not port or port.isdigit() else '...'}")
