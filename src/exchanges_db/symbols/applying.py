"""What an import writes, many rows per statement, and all of it from one moment on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from exchanges_db.database.rows import from_database_json
from exchanges_db.errors import Conflict, shown
from exchanges_db.symbols.brakes import HeldBack
from exchanges_db.symbols.changes import SymbolChange
from exchanges_db.symbols.known import Known, spec_digest
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.reading import Payload
from exchanges_db.symbols.raw_rows import digest
from exchanges_db.symbols.report import ImportReport
from exchanges_sql.symbol_import import (
    AsyncQuerier,
    GetWorthRecordingParams,
    InsertSymbolsParams,
    RecordSymbolListParams,
)

# Larger documents are slower to parse, smaller ones cost more round trips; measured with 100,000 rows.
_ROWS_PER_STATEMENT = 1000
Item = TypeVar("Item")
_encode = msgspec.json.Encoder().encode
_ids_decoder = msgspec.json.Decoder(dict[str, int])


async def apply_changes(
    querier: AsyncQuerier,
    exchange_id: int,
    known: Known,
    report: ImportReport,
    moment: datetime,
    on_progress: Callable[[int, int], None],
) -> dict[str, int]:
    """Write the changes of a report from `moment` on; return the ids of the symbols that were inserted, by name.

    Raises:
        Conflict: somebody has changed one of the symbols since it was compared with the list.
    """
    changes, total = report.changes, len(report.changes)
    updates = [change for change in changes if change.symbol_id is not None]
    inserts = [change for change in changes if change.symbol_id is None]
    ids: dict[str, int] = {}
    done = 0
    # Updates first: a name must be free before another symbol takes it.
    for part in _parts(updates):
        written = await querier.update_symbols(
            exchange_id=exchange_id,
            source=report.source,
            observed_at=report.observed_at,
            specs=_updates(part, known, report.observed_at),
        )
        if written != len(part):
            names = ", ".join(shown(change.spec.native_symbol) for change in part[:5])
            raise Conflict(
                f"{len(part) - written} of {len(part)} symbols, among them or after {names}, were changed by somebody "
                "else while they were compared with the list: import it again"
            )
        done += len(part)
        on_progress(done, total)
    for part in _parts(inserts):
        document = await querier.insert_symbols(
            InsertSymbolsParams(
                exchange_id=exchange_id,
                source=report.source,
                observed_at=report.observed_at,
                moment=moment,
                specs=_inserts(part, known, report.observed_at),
            )
        )
        inserted = from_database_json(document or "{}", _ids_decoder)
        ids |= inserted
        done += len(part)
        on_progress(done, total)
    return ids


async def record_confirmed(querier: AsyncQuerier, exchange_id: int, known: Known, report: ImportReport) -> None:
    """Keep the digest of what was read for symbols that were compared field by field and are the same."""
    changed = {change.spec.native_symbol for change in report.changes}
    changed |= {row.native_symbol for row in report.held_back}
    compared = {row.id for row in known.symbols}
    same = []
    for spec in known.offered:
        key = known.newest.get(spec.native_symbol)
        if key is not None and key.id in compared and spec.native_symbol not in changed:
            same.append({"id": key.id, "spec_version": key.spec_version, "digest": known.digests[spec.native_symbol]})
    for part in _parts(same):
        # One that somebody has changed meanwhile is left out, and compared again the next time.
        await querier.set_read_digests(exchange_id=exchange_id, digests=_encode(part).decode())


async def record_raw(
    querier: AsyncQuerier, known: Known, read: Payload, inserted: dict[str, int], observed_at: datetime
) -> None:
    """Write the rows of a payload that differ from those stored, in more than what moves by the minute."""
    changed: list[tuple[int, msgspec.Raw, str]] = []
    for symbol in read.symbols:
        raw = symbol.raw
        if raw is None:
            continue
        name = symbol.spec.native_symbol
        mark = digest(raw, read.volatile)
        if name in inserted:
            changed.append((inserted[name], raw, mark))
        else:
            key = known.newest.get(name)
            if key is not None and key.raw_digest != mark:
                changed.append((key.id, raw, mark))
    for part in _parts(changed):
        await querier.record_symbol_raw(
            ids=[row[0] for row in part],
            raws=[bytes(row[1]).decode() for row in part],
            digests=[row[2] for row in part],
            observed_at=observed_at,
        )


async def record_doubts(
    querier: AsyncQuerier,
    exchange_id: int,
    known: Known,
    listing: Listing,
    held_back: Iterable[HeldBack],
    moment: datetime,
) -> bool:
    """Open doubts about symbols whose rows were held back, close those that are believed again; tell if any changed.

    A doubt that goes on keeps the time from which it is.
    """
    wanted: dict[int, HeldBack] = {}
    for row in held_back:
        key = known.newest.get(row.native_symbol)
        if key is not None and key.is_live:
            wanted[key.id] = row
    found = querier.list_open_doubts(
        exchange_id=exchange_id, kind=listing.kind.value, settle=listing.settle, underlying=listing.underlying
    )
    is_open = {row.symbol_id: row.brake async for row in found}
    ended = [key for key, brake in is_open.items() if key not in wanted or wanted[key].brake != brake]
    begun = [
        {"id": key, "brake": row.brake, "reason": row.reason}
        for key, row in wanted.items()
        if is_open.get(key) != row.brake
    ]
    if ended:
        await querier.record_doubts_ended(moment=moment, ids=ended)
    if begun:
        await querier.insert_doubts(moment=moment, doubts=_encode(begun).decode())
    return bool(ended or begun)


async def record_list(
    querier: AsyncQuerier, exchange_id: int, report: ImportReport, *, changed_at: datetime | None, confirmed: bool
) -> None:
    """Note that a list was observed, and whether that confirms what was known."""
    await querier.record_symbol_list(
        RecordSymbolListParams(
            exchange_id=exchange_id,
            kind=report.listing.kind.value,
            settle=report.listing.settle,
            underlying=report.listing.underlying,
            source=report.source,
            observed_at=report.observed_at,
            changed_at=changed_at,
            confirmed=confirmed,
        )
    )


async def is_worth_recording(
    querier: AsyncQuerier, exchange_id: int, report: ImportReport, newest: datetime | None
) -> bool:
    """Return whether the past must know of a list that changes nothing; `newest`: when it was observed before.

    It must where an announced time has come since, and where the ledger has no import of the list yet.
    """
    if newest is None:
        return False
    listing = report.listing
    found = await querier.get_worth_recording(
        GetWorthRecordingParams(
            exchange_id=exchange_id,
            kind=listing.kind.value,
            settle=listing.settle,
            underlying=listing.underlying,
            after=newest,
            observed_at=report.observed_at,
        )
    )
    return bool(found)


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), _ROWS_PER_STATEMENT):
        yield items[start : start + _ROWS_PER_STATEMENT]


def _updates(changes: Sequence[SymbolChange], known: Known, observed_at: datetime) -> str:
    """Return specifications as JSON, numbers as text, each with id and version of the row that gets it."""
    rows = []
    for one in changes:
        key = one.symbol_id or 0
        mark = _mark(one.spec, known, observed_at)
        told = b"null" if mark is None else b'"%b"' % mark.encode()
        rows.append(
            b'%b,"id":%d,"spec_version":%d,"read_digest":%b}' % (_encode(one.spec)[:-1], key, known.versions[key], told)
        )
    return (b"[" + b",".join(rows) + b"]").decode()


def _inserts(changes: Sequence[SymbolChange], known: Known, observed_at: datetime) -> str:
    """Return specifications as JSON, numbers as text, each with the digest of what was read."""
    rows = []
    for one in changes:
        mark = _mark(one.spec, known, observed_at)
        rows.append(
            _encode(one.spec) if mark is None else b'%b,"read_digest":"%b"}' % (_encode(one.spec)[:-1], mark.encode())
        )
    return (b"[" + b",".join(rows) + b"]").decode()


def _mark(spec: SymbolSpec, known: Known, observed_at: datetime) -> str | None:
    """Return the digest of a specification that is just what was read; None for one that was made of it."""
    mark = known.digests.get(spec.native_symbol)
    return mark if mark is not None and spec_digest(spec, observed_at) == mark else None
