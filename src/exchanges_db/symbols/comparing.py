"""What an import would do: the changes of a list, and everything about it that a person should know before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from exchanges_db.errors import shown
from exchanges_db.symbols.brakes import some, weigh
from exchanges_db.symbols.changes import KnownSymbol, find_changes, newest_by_name
from exchanges_db.symbols.enums import is_live
from exchanges_db.symbols.judge import is_satisfiable
from exchanges_db.symbols.payloads.reading import Payload
from exchanges_db.symbols.report import ImportReport


def compare(
    exchange: str, known: Sequence[KnownSymbol], read: Payload, observed_at: datetime, newest: datetime | None
) -> ImportReport:
    """Return what a list changes in what is known of its exchange's symbols, oldest first; nothing is applied.

    newest: when the list was last observed.
    """
    names = {row.native_symbol for row in read.rejected if row.native_symbol is not None}
    specs = [symbol.spec for symbol in read.symbols]
    changes = find_changes(known, specs, observed_at, listing=read.listing, rejected=names, absent=read.absent)
    live: dict[str, list[str]] = defaultdict(list)
    for spec in specs:
        if is_live(spec.status):
            live[spec.symbol].append(spec.native_symbol)
    verdict = weigh(
        changes,
        live=sum(is_live(row.status) and read.listing.covers(row) for row in known),
        offered=len(read.symbols) + len(read.rejected),
        observed_at=observed_at,
        now=observed_at,
        newest=newest,
        rejected=read.rejected,
        duplicates=read.duplicates,
        foreign=read.foreign or _of_another_list(known, read),
        unknown_rows=sum(value.rows for value in read.unknown_values if value.effect == "HALTED"),
        known_ids={name: row.id for name, row in newest_by_name(known).items()},
    )
    moved = {change.spec.native_symbol for change in verdict.changes if not change.vanished}
    moved.update(row.native_symbol for row in verdict.held_back)
    return ImportReport(
        exchange=exchange,
        listing=read.listing,
        source=read.source,
        observed_at=observed_at,
        applied=False,
        changes=verdict.changes,
        unchanged=sum(spec.native_symbol not in moved for spec in specs),
        rejected=read.rejected,
        unknown_fields=read.unknown_fields,
        unknown_values=read.unknown_values,
        unsatisfiable=tuple(spec.native_symbol for spec in specs if not is_satisfiable(spec)),
        ambiguous={name: tuple(sorted(natives)) for name, natives in live.items() if len(natives) > 1},
        brakes=verdict.hits,
        held_back=verdict.held_back,
    )


def _of_another_list(known: Sequence[KnownSymbol], read: Payload) -> str | None:
    """Return why a list seems to be another one: live symbols of another list have the names of its own."""
    newest = newest_by_name(known)
    taken = [
        row
        for symbol in read.symbols
        for row in [newest.get(symbol.spec.native_symbol)]
        if row is not None and is_live(row.status) and not read.listing.covers(row)
    ]
    if not taken:
        return None
    return f"it names symbols of other lists: {some([f'{shown(row.native_symbol)} ({row.symbol})' for row in taken])}"
