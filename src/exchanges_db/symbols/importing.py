"""Bring an exchange's own list of symbols into the database: the difference first, then all of it or nothing.

One import of an exchange runs at a time. What has not changed is not written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run, run_in_transaction
from exchanges_db.database.rows import from_database_json
from exchanges_db.errors import ExchangeNotFound, InvalidArgument, shown
from exchanges_db.exchanges.names import check_exchange, spelled
from exchanges_db.moments import check_moment
from exchanges_db.symbols.changes import (
    Brake,
    KnownSymbol,
    SymbolChange,
    find_brakes,
    find_changes,
    is_live,
)
from exchanges_db.symbols.payloads.readers import read_payload
from exchanges_db.symbols.payloads.reading import Payload
from exchanges_db.symbols.report import ImportRefused, ImportReport
from exchanges_sql.exchanges import AsyncQuerier as ExchangeQuerier
from exchanges_sql.symbol_import import AsyncQuerier

log = logging.getLogger("exchanges_db")

_known_decoder = msgspec.json.Decoder(list[KnownSymbol])
_LOCK_CLASS = int.from_bytes(b"symb")
# Larger documents are slower to parse, smaller ones cost more round trips; measured with 100,000 rows.
_ROWS_PER_STATEMENT = 1000


async def import_symbols(
    exchange: Enum | str,
    payload: bytes,
    *,
    settle: str = "usdt",
    observed_at: datetime | None = None,
    allow: Collection[Brake | str] = (),
    dry_run: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    db: DatabaseOrConnection | None = None,
) -> ImportReport:
    """Compare the exchange's whole list of symbols with what is known, and write the difference in one transaction.

    exchange: whose payload it is; settle: for Gate.io futures, what the contracts settle in.
    observed_at: when the exchange gave the payload; now by default.
    allow: brakes that do not stop this import, as Brake or as its name in any case.
    dry_run: only tell what would change.
    on_progress: called with the symbols written so far and their number.

    Raises:
        PayloadError: it cannot be read.
        InvalidArgument: `settle`, `observed_at` or `allow` is unusable; `.field` names it.
        ImportRefused: a brake stopped it; `.report` tells what would have changed. Nothing was written.
        ExchangeNotFound: the exchange has no row.
    """
    moment = datetime.now(UTC) if observed_at is None else check_moment(observed_at, "observed_at")
    place, allowed = check_exchange(exchange), _brakes(allow)
    # The exact spelling comes first, because it decides which reader is right.
    enum_value = await run(db, lambda conn: spelled(conn, place))
    read = read_payload(enum_value, payload, settle=settle, observed_at=moment)

    async def work(conn: AsyncConnection) -> ImportReport:
        exchange_id = await ExchangeQuerier(conn).get_exchange_id_by_enum_value(enum_value=enum_value)
        if exchange_id is None:
            raise ExchangeNotFound(f"exchange {shown(enum_value)} was deleted meanwhile")
        querier = AsyncQuerier(conn)
        if not dry_run:
            await querier.lock_symbol_import(lock_class=_LOCK_CLASS, exchange_id=exchange_id)
        report = _compare(enum_value, _known(await querier.get_known_symbols(exchange_id=exchange_id)), read, moment)
        if dry_run:
            return report
        refused = [hit for hit in report.brakes if hit.brake not in allowed]
        if refused:
            raise ImportRefused(
                "nothing was imported: " + "; ".join(f"{hit.reason} (--allow {hit.brake})" for hit in refused),
                report=report,
            )
        await _apply(querier, exchange_id, report.changes, read, on_progress)
        return msgspec.structs.replace(report, applied=True)

    report = await run_in_transaction(db, work, readonly=dry_run)
    if report.applied:
        counts = ", ".join(f"{count} {kind}" for kind, count in report.counts().items() if count)
        log.info("imported symbols of %s: %s", enum_value, counts or "nothing changed")
    return report


def _known(document: str | None) -> list[KnownSymbol]:
    assert document is not None  # an aggregate always gives one row
    return from_database_json(document, _known_decoder)


def _brakes(allow: Collection[Brake | str]) -> frozenset[Brake]:
    # A single text is a collection too, of letters.
    if isinstance(allow, str) or not isinstance(allow, Collection):
        raise InvalidArgument(f"allow takes a list of brakes: {', '.join(Brake)}", field="allow")
    return frozenset(map(Brake.parse, allow))


def _compare(exchange: str, known: Sequence[KnownSymbol], read: Payload, observed_at: datetime) -> ImportReport:
    names = {row.native_symbol for row in read.rejected if row.native_symbol is not None}
    changes = find_changes(
        known,
        [symbol.spec for symbol in read.symbols],
        observed_at,
        rejected=names,
        settle=read.settle,
    )
    return ImportReport(
        exchange=exchange,
        observed_at=observed_at,
        applied=False,
        changes=changes,
        unchanged=len(read.symbols) - sum(not change.vanished for change in changes),
        rejected=read.rejected,
        unknown_fields=read.unknown_fields,
        unknown_values=read.unknown_values,
        brakes=find_brakes(
            changes,
            live=sum(is_live(row) and row.settle == read.settle for row in known),
            offered=len(read.symbols) + len(read.rejected),
            duplicates=read.duplicates,
            rejected=len(read.rejected),
            nameless=sum(row.native_symbol is None for row in read.rejected),
            foreign=read.foreign,
        ),
    )


async def _apply(
    querier: AsyncQuerier,
    exchange_id: int,
    changes: Sequence[SymbolChange],
    read: Payload,
    on_progress: Callable[[int, int], None],
) -> None:
    raws = {symbol.spec.native_symbol: symbol.raw for symbol in read.symbols}
    updates = [change for change in changes if change.symbol_id is not None]
    inserts = [change for change in changes if change.symbol_id is None]
    done = 0
    # Updates first: a name must be free before another symbol takes it.
    for write, batch in [
        *((querier.update_symbols, part) for part in _parts(updates)),
        *((querier.insert_symbols, part) for part in _parts(inserts)),
    ]:
        await write(exchange_id=exchange_id, specs=_document(batch, raws))
        done += len(batch)
        on_progress(done, len(changes))


def _parts(changes: Sequence[SymbolChange]) -> Iterator[Sequence[SymbolChange]]:
    for start in range(0, len(changes), _ROWS_PER_STATEMENT):
        yield changes[start : start + _ROWS_PER_STATEMENT]


def _document(changes: Sequence[SymbolChange], raws: Mapping[str, msgspec.Raw]) -> str:
    """Return the rows as JSON, numbers as text. `raw` goes in as it came, so that no number of it is rounded."""
    rows = []
    for change in changes:
        row = msgspec.json.encode(change.spec)[:-1]
        if change.symbol_id is not None:
            row += b',"id":%d' % change.symbol_id
        if not change.vanished:
            row += b',"raw":' + bytes(raws[change.spec.native_symbol])
        rows.append(row + b"}")
    return (b"[" + b",".join(rows) + b"]").decode()
