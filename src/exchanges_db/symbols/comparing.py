"""What an import would do: the changes of a list, and everything about it that a person should know before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import attrgetter

import msgspec

from exchanges_db.errors import shown
from exchanges_db.symbols.allowances import Allowance
from exchanges_db.symbols.brakes import some, weigh
from exchanges_db.symbols.changes import ChangeKind, SymbolChange, find_changes
from exchanges_db.symbols.enums import is_live
from exchanges_db.symbols.import_limits import ImportLimits
from exchanges_db.symbols.judge import is_satisfiable
from exchanges_db.symbols.known import Known
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.reading import Payload
from exchanges_db.symbols.report import ImportReport


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A list that was read, and what is said beside it.

    Attributes:
        observed_at: when the exchange gave it.
        payload_sha256, payload_size: of its bytes; None where it was none.
        limits, allowances: from where on it is not believed, and what a person lets through.
    """

    exchange: str
    read: Payload
    observed_at: datetime
    payload_sha256: str | None
    payload_size: int | None
    limits: ImportLimits
    allowances: Collection[Allowance]


def compare(known: Known, offer: Offer) -> tuple[SymbolChange, ...]:
    """Return what a list changes in what is known of its exchange's symbols, oldest first; nothing is weighed."""
    read = offer.read
    names = {row.native_symbol for row in read.rejected if row.native_symbol is not None}
    return find_changes(
        known.symbols, known.offered, offer.observed_at, listing=read.listing, rejected=names, absent=read.absent
    )


def report_of(
    changes: Sequence[SymbolChange],
    known: Known,
    offer: Offer,
    *,
    now: datetime,
    newest: datetime | None,
    recent: Mapping[int, Sequence[SymbolSpec]],
) -> ImportReport:
    """Return what the brakes leave of changes, and all that is to be told of the list; nothing is applied.

    now: the clock of the database. newest: when the list was last observed.
    recent: specifications that held of late, by id of their symbol.
    """
    read = offer.read
    verdict = weigh(
        changes,
        live=known.live,
        offered=len(read.symbols) + len(read.rejected),
        observed_at=offer.observed_at,
        now=now,
        newest=newest,
        rejected=read.rejected,
        duplicates=read.duplicates,
        foreign=read.foreign or _of_another_list(known, read),
        unknown_rows=sum(value.rows for value in read.unknown_values if value.effect == "HALTED"),
        recent=recent,
        known_ids={name: key.id for name, key in known.newest.items() if not key.is_named_only},
        payload_sha256=offer.payload_sha256,
        limits=offer.limits,
        allowances=offer.allowances,
    )
    moved = {change.spec.native_symbol for change in verdict.changes if not change.vanished}
    moved.update(row.native_symbol for row in verdict.held_back)
    live: dict[str, list[str]] = defaultdict(list)
    for symbol in read.symbols:
        if is_live(symbol.spec.status):
            live[symbol.spec.symbol].append(symbol.spec.native_symbol)
    return ImportReport(
        exchange=offer.exchange,
        listing=read.listing,
        source=read.source,
        observed_at=offer.observed_at,
        applied=False,
        changes=tuple(_filled(change, known) for change in verdict.changes),
        unchanged=sum(symbol.spec.native_symbol not in moved for symbol in read.symbols),
        rejected=read.rejected,
        unknown_fields=read.unknown_fields,
        unknown_values=read.unknown_values,
        unsatisfiable=_unsatisfiable(read),
        ambiguous={name: tuple(sorted(natives)) for name, natives in live.items() if len(natives) > 1},
        brakes=verdict.hits,
        held_back=verdict.held_back,
        payload_sha256=offer.payload_sha256,
        payload_size=offer.payload_size,
    )


def _unsatisfiable(read: Payload) -> tuple[str, ...]:
    """Return the symbols whose limits no order can keep to; the rows of a list have few sets of limits."""
    known: dict[tuple[object, ...], bool] = {}
    names = []
    for symbol in read.symbols:
        limits = _limits_of(symbol.spec)
        fits = known.get(limits)
        if fits is None:
            fits = known[limits] = is_satisfiable(symbol.spec)
        if not fits:
            names.append(symbol.spec.native_symbol)
    return tuple(names)


# All that `is_satisfiable` looks at.
_limits_of = attrgetter(
    "direction",
    "contract_size",
    "price_tick",
    "quantity_step",
    "min_quantity",
    "max_quantity",
    "min_notional",
    "max_notional",
)


def _filled(change: SymbolChange, known: Known) -> SymbolChange:
    """Return a change whose symbol is known by name only with the id that it has: it gets its first rules."""
    if change.kind is not ChangeKind.LISTED or change.symbol_id is not None:
        return change
    key = known.newest.get(change.spec.native_symbol)
    if key is None or not key.is_named_only:
        return change
    return msgspec.structs.replace(change, symbol_id=key.id)


def _of_another_list(known: Known, read: Payload) -> str | None:
    """Return why a list seems to be another one: live symbols of another list have the names of its own."""
    offered = {spec.native_symbol for spec in known.offered}
    taken = [
        row
        for row in known.symbols
        if row.native_symbol in offered and is_live(row.status) and not read.listing.covers(row)
    ]
    if not taken:
        return None
    return f"it names symbols of other lists: {some([f'{shown(row.native_symbol)} ({row.symbol})' for row in taken])}"
