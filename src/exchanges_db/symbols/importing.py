"""Bring a list of an exchange's symbols into the database: the difference first, then all of it or nothing.

One import of an exchange runs at a time. What has not changed is not written, but that the list was observed is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run, run_in_transaction
from exchanges_db.database.rows import from_database_json
from exchanges_db.errors import ExchangeNotFound, InvalidArgument, shown
from exchanges_db.exchanges.names import check_exchange, spelled
from exchanges_db.moments import check_moment
from exchanges_db.symbols.allowances import Brake
from exchanges_db.symbols.changes import KnownSymbol, SymbolChange, newest_by_name
from exchanges_db.symbols.comparing import compare
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.lists import last_observed
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.readers import read_payload, with_absences
from exchanges_db.symbols.payloads.reading import Payload
from exchanges_db.symbols.payloads.specs import as_payload
from exchanges_db.symbols.raw_rows import digest, rows_document
from exchanges_db.symbols.report import ImportRefused, ImportReport
from exchanges_sql.exchanges import AsyncQuerier as ExchangeQuerier
from exchanges_sql.symbol_import import AsyncQuerier, RecordSymbolListParams

log = logging.getLogger("exchanges_db")

_known_decoder = msgspec.json.Decoder(list[KnownSymbol])
_LOCK_CLASS = int.from_bytes(b"symb")
# Larger documents are slower to parse, smaller ones cost more round trips; measured with 100,000 rows.
_ROWS_PER_STATEMENT = 1000
# Clocks of two machines differ by less.
_CLOCKS_APART = timedelta(minutes=5)
OnProgress = Callable[[int, int], None]
Item = TypeVar("Item")


async def import_symbols(
    exchange: Enum | str,
    payload: bytes,
    *,
    listing: Listing | str | None = None,
    companion: bytes | None = None,
    observed_at: datetime | None = None,
    allow: Collection[Brake | str] = (),
    dry_run: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    db: DatabaseOrConnection | None = None,
) -> ImportReport:
    """Compare a whole list of an exchange's symbols with what is known, and write the difference in one transaction.

    exchange: whose payload it is.
    listing: which of the exchange's lists it is, as Listing or as text such as PERPETUAL:USDT; needed where the
        payload itself does not tell, as for the contracts of Gate.io, whose settlement stands in the URL only.
    companion: what the exchange says of symbols that the list has no longer; for MEXC spot, the answer to GET
        /api/v3/symbol/offline. Without it they are delisted from `observed_at` on.
    observed_at: when the exchange gave the payload; now by default. It cannot lie ahead.
    allow: brakes that do not stop this import, as Brake or as its name in any case.
    dry_run: only tell what would change.
    on_progress: called with the symbols written so far and their number.

    Raises:
        PayloadError: it cannot be read, or is an error message of the exchange.
        InvalidArgument: `listing`, `companion`, `observed_at` or `allow` is unusable; `.field` names it.
        ImportRefused: a brake stopped it; `.report` tells what would have changed. Nothing was written.
        ExchangeNotFound: the exchange has no row.
    """
    moment = _observed(observed_at)
    place, allowed = check_exchange(exchange), check_brakes(allow)
    # The exact spelling comes first, because it decides which reader is right.
    enum_value = await run(db, lambda conn: spelled(conn, place))
    read = read_payload(enum_value, payload, listing=listing, observed_at=moment)
    if companion is not None:
        read = with_absences(read, companion)
    return await _import(enum_value, read, moment, allowed, dry_run=dry_run, on_progress=on_progress, db=db)


async def import_specs(
    exchange: Enum | str,
    listing: Listing | str,
    specs: Iterable[SymbolSpec],
    *,
    source: str,
    rejected: Mapping[str, str] | None = None,
    observed_at: datetime | None = None,
    allow: Collection[Brake | str] = (),
    dry_run: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    db: DatabaseOrConnection | None = None,
) -> ImportReport:
    """Import a whole list of symbols that a source of your own made: with the same difference, brakes and history.

    listing: which of the exchange's lists it is; `specs`: all symbols of it, each of which it must cover.
    source: what the list is from, in your own words; it stands with each symbol.
    rejected: native symbols that the list has and you could not read, each with the reason; they have not vanished.

    The rest is as for `import_symbols`. No row of a payload is stored, so `get_symbol_raw` finds none.

    Raises:
        InvalidSymbol: `specs` holds something else than a SymbolSpec, or one of another list; or `source` is no text.
        InvalidArgument, ImportRefused, ExchangeNotFound: as `import_symbols`.
    """
    moment = _observed(observed_at)
    place, allowed = check_exchange(exchange), check_brakes(allow)
    read = as_payload(Listing.parse(listing), specs, source, rejected or {})
    enum_value = await run(db, lambda conn: spelled(conn, place))
    return await _import(enum_value, read, moment, allowed, dry_run=dry_run, on_progress=on_progress, db=db)


async def _import(
    enum_value: str,
    read: Payload,
    moment: datetime,
    allowed: frozenset[Brake],
    *,
    dry_run: bool,
    on_progress: OnProgress,
    db: DatabaseOrConnection | None,
) -> ImportReport:
    async def work(conn: AsyncConnection) -> ImportReport:
        exchange_id = await ExchangeQuerier(conn).get_exchange_id_by_enum_value(enum_value=enum_value)
        if exchange_id is None:
            raise ExchangeNotFound(f"exchange {shown(enum_value)} was deleted meanwhile")
        querier = AsyncQuerier(conn)
        if not dry_run:
            await querier.lock_symbol_import(lock_class=_LOCK_CLASS, exchange_id=exchange_id)
        newest = await last_observed(querier, enum_value, read.listing)
        known = _known(await querier.get_known_symbols(exchange_id=exchange_id))
        report = compare(enum_value, known, read, moment, newest)
        if dry_run:
            return report
        refused = [hit for hit in report.brakes if hit.brake not in allowed]
        if refused:
            raise ImportRefused(
                "nothing was imported: " + "; ".join(hit.reason for hit in refused),
                report=report,
            )
        # An older list that changes nothing tells nothing: neither when it was observed last, nor of single rows.
        if report.changes or newest is None or newest <= moment:
            await _apply(querier, exchange_id, known, report, read, on_progress)
        return msgspec.structs.replace(report, applied=True)

    report = await run_in_transaction(db, work, readonly=dry_run)
    if report.applied:
        counts = ", ".join(f"{count} {kind}" for kind, count in report.counts().items() if count)
        log.info("imported %s of %s: %s", report.listing, enum_value, counts or "nothing changed")
    return report


def _known(document: str | None) -> list[KnownSymbol]:
    assert document is not None  # an aggregate always gives one row
    return from_database_json(document, _known_decoder)


def _observed(observed_at: datetime | None) -> datetime:
    """Return when a list was observed; raise InvalidArgument where that lies ahead, for it would outrank what comes."""
    now = datetime.now(UTC)
    moment = now if observed_at is None else check_moment(observed_at, "observed_at")
    if moment > now + _CLOCKS_APART:
        text = f"observed_at, {moment:%Y-%m-%d %H:%M:%S} UTC, lies ahead: nothing is observed before it happens"
        raise InvalidArgument(text, field="observed_at")
    return moment


def check_brakes(allow: Collection[Brake | str]) -> frozenset[Brake]:
    """Return the brakes that an import may pass; raise InvalidArgument where one of them is none."""
    # A single text is a collection too, of letters.
    if isinstance(allow, str) or not isinstance(allow, Collection):
        raise InvalidArgument(f"allow takes a list of brakes: {', '.join(Brake)}", field="allow")
    return frozenset(map(Brake.parse, allow))


async def _apply(
    querier: AsyncQuerier,
    exchange_id: int,
    known: Sequence[KnownSymbol],
    report: ImportReport,
    read: Payload,
    on_progress: OnProgress,
) -> None:
    changes, source, observed_at = report.changes, read.source, report.observed_at
    updates = [change for change in changes if change.symbol_id is not None]
    inserts = [change for change in changes if change.symbol_id is None]
    done = 0
    # Updates first: a name must be free before another symbol takes it.
    for part in _parts(updates):
        await querier.update_symbols(
            exchange_id=exchange_id, source=source, observed_at=observed_at, specs=_updates(part)
        )
        done += len(part)
        on_progress(done, len(changes))
    raws = {symbol.spec.native_symbol: symbol.raw for symbol in read.symbols}
    for part in _parts(inserts):
        document = _inserts(part, [raws[change.spec.native_symbol] for change in part], read.volatile)
        await querier.insert_symbols(exchange_id=exchange_id, source=source, observed_at=observed_at, specs=document)
        done += len(part)
        on_progress(done, len(changes))
    inserted = {change.spec.native_symbol for change in inserts}
    for rows in _parts(_changed_rows(known, raws, read.volatile, inserted)):
        await querier.record_symbol_raw(rows=rows_document(rows), observed_at=observed_at)
    listing = read.listing
    await querier.record_symbol_list(
        RecordSymbolListParams(
            exchange_id=exchange_id,
            kind=listing.kind.value,
            settle=listing.settle,
            underlying=listing.underlying,
            source=source,
            observed_at=observed_at,
            changed_at=report.observed_at if changes else None,  # the moment of the import comes with the ledger
        )
    )


def _changed_rows(
    known: Sequence[KnownSymbol],
    raws: Mapping[str, msgspec.Raw | None],
    volatile: frozenset[str],
    inserted: Collection[str],
) -> list[tuple[int, msgspec.Raw, str]]:
    """Return the rows of a payload that differ from those stored, in more than what moves by the minute."""
    changed = []
    for name, row in newest_by_name(known).items():
        raw = raws.get(name)
        if raw is not None and name not in inserted:
            mark = digest(raw, volatile)
            if mark != row.digest:
                changed.append((row.id, raw, mark))
    return changed


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), _ROWS_PER_STATEMENT):
        yield items[start : start + _ROWS_PER_STATEMENT]


def _updates(changes: Sequence[SymbolChange]) -> str:
    """Return specifications as JSON, numbers as text, each with the id of the row that gets it."""
    rows = [b'%b,"id":%d}' % (msgspec.json.encode(one.spec)[:-1], one.symbol_id or 0) for one in changes]
    return (b"[" + b",".join(rows) + b"]").decode()


def _inserts(changes: Sequence[SymbolChange], raws: Sequence[msgspec.Raw | None], volatile: frozenset[str]) -> str:
    """Return specifications as JSON, each with its row of the payload as it came: no number of that is rounded."""
    rows = []
    for change, raw in zip(changes, raws, strict=True):
        row = msgspec.json.encode(change.spec)
        if raw is not None:
            row = b'%b,"raw":%b,"digest":"%b"}' % (row[:-1], bytes(raw), digest(raw, volatile).encode())
        rows.append(row)
    return (b"[" + b",".join(rows) + b"]").decode()
