"""The columns in which symbols, their versions and the changes of an import are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

import msgspec

from exchanges_db.cli import output
from exchanges_db.cli.output import Column
from exchanges_db.cli.tables import columns_of, difference
from exchanges_db.orders.pairs import CommonSymbol
from exchanges_db.symbols.allowances import Brake
from exchanges_db.symbols.changes import SymbolChange
from exchanges_db.symbols.freshness import ListFreshness, span
from exchanges_db.symbols.lists import SymbolList
from exchanges_db.symbols.models import Symbol, SymbolStats, SymbolVersion
from exchanges_db.symbols.report import ImportReport

_MOST_OF_A_KIND = 20
_MOST_AGES = 5
# The fields that make up a specification, in the order in which they are shown.
_SPECIFICATION = tuple(
    field for field in Symbol.__struct_fields__ if field not in ("id", "exchange_id", "spec_version", "updated_at")
)
SYMBOLS = columns_of(
    Symbol,
    {
        "exchange": "exchange",
        "symbol": "symbol",
        "native_symbol": "native",
        "status": "status",
        "price_tick": "tick",
        "quantity_step": "step",
        "min_quantity": "min_quantity",
        "min_notional": "min_notional",
        "contract_size": "contract",
    },
    "symbol",
)
SYMBOL_STATS = columns_of(
    SymbolStats,
    {
        "exchange": "exchange",
        "kind": "kind",
        "status": "status",
        "symbols": "symbols",
        "latest_update": "latest update",
    },
    "exchange",
    "symbols",
)
COMMON_SYMBOLS: list[Column[CommonSymbol]] = [
    Column("a", attrgetter("a.symbol"), must=True),
    Column("b", attrgetter("b.symbol"), must=True),
    Column("tick", attrgetter("price_tick")),
    Column("step", attrgetter("quantity_step")),
    Column("doubtful", attrgetter("is_doubtful")),
    Column("a of", attrgetter("a.exchange"), piped=True),
    Column("b of", attrgetter("b.exchange"), piped=True),
]


def _changed(change: SymbolChange) -> tuple[str, ...]:
    return difference((field.field, field.old, field.new) for field in change.fields)


SYMBOL_CHANGES: list[Column[SymbolChange]] = [
    Column("what", attrgetter("kind"), must=True),
    Column("symbol", attrgetter("spec.symbol"), must=True),
    Column("native", attrgetter("spec.native_symbol")),
    Column("change", _changed, must=True),
]


class ReaderLine(msgspec.Struct, frozen=True):
    """A reader as it is listed; one that cannot be loaded, or names no lists, has a fault."""

    name: str
    exchange: str | None
    lists: tuple[str, ...]
    version: int | None
    fault: str | None = None


class _Step(NamedTuple):
    """A version, and the one of the same symbol before it."""

    version: SymbolVersion
    before: SymbolVersion | None

    def changed(self) -> tuple[str, ...]:
        """Return how it differs from the one before; for the first version, the name of the symbol."""
        new = self.version.symbol
        if self.before is None:
            return (new.symbol,)
        old = self.before.symbol
        pairs = [(field, getattr(old, field), getattr(new, field)) for field in _SPECIFICATION]
        return difference(pair for pair in pairs if pair[1] != pair[2])


SYMBOL_LISTS: list[Column[SymbolList]] = [
    Column("exchange", attrgetter("exchange"), must=True),
    Column("list", lambda one: str(one.listing), must=True),
    Column("observed", attrgetter("observed_at"), must=True),
    Column("age", lambda one: span(one.age), must=True),
    Column("source", attrgetter("source")),
    Column("doubtful", attrgetter("doubtful")),
    Column("changed", attrgetter("changed_at")),
    Column("confirmations", attrgetter("confirmations")),
]
READERS: list[Column[ReaderLine]] = [
    Column("name", attrgetter("name"), must=True),
    Column("exchange", attrgetter("exchange"), must=True),
    Column("lists", attrgetter("lists"), must=True),
    Column("version", attrgetter("version")),
    Column("fault", attrgetter("fault"), prose=True),
]
_STEPS: list[Column[_Step]] = [
    Column("id", attrgetter("version.symbol.id")),
    Column("version", attrgetter("version.spec_version"), must=True),
    Column("from", attrgetter("version.valid_from"), must=True),
    Column("what", _Step.changed, must=True),
    Column("to", attrgetter("version.valid_to")),
    Column("ended by", attrgetter("version.ended_by"), piped=True),
]


def ages_of(symbols: Sequence[Symbol], ages: Sequence[ListFreshness]) -> list[str]:
    """Return how old the lists are that hold one of these symbols, in a line each; of many, the oldest."""
    held = {(one.exchange, one.kind, one.settle, f"{one.base}_{one.quote}") for one in symbols}
    told = [
        one
        for one in sorted(ages, key=attrgetter("age"), reverse=True)
        if any(
            exchange == one.exchange
            and kind is one.listing.kind
            and one.listing.settle in (None, settle)
            and one.listing.underlying in (None, underlying)
            for exchange, kind, settle, underlying in held
        )
    ]
    lines = [
        f"{one.exchange} {one.listing}: confirmed by the exchange {span(one.age)} ago" for one in told[:_MOST_AGES]
    ]
    if told[_MOST_AGES:]:
        lines.append(f"{len(told) - _MOST_AGES} more lists, confirmed later: `exchanges-db symbols lists` shows them")
    return lines


def show_versions(versions: Sequence[SymbolVersion]) -> None:
    """Show every version, with how it differs from the one before it."""
    if output.is_json():
        output.show_json(versions)
        return
    before: dict[int, SymbolVersion] = {}
    steps = []
    for version in versions:
        steps.append(_Step(version, before.get(version.symbol.id)))
        before[version.symbol.id] = version
    output.show(steps, _STEPS, nothing="no versions")


def show_reports(reports: Sequence[ImportReport], *, every: bool) -> None:
    """Show what imports changed, or would change: counts, then of each kind at most 20, or `every` one."""
    if output.is_json():
        output.show_json(reports)
        return
    for report in reports:
        _show_report(report, every=every)


def _show_report(report: ImportReport, *, every: bool) -> None:
    counts = ", ".join(f"{count} {kind.lower()}" for kind, count in report.counts().items() if count)
    done = "imported" if report.applied else "not applied"
    what = f"{report.exchange} {report.listing}"
    output.say(f"{what}: {counts or 'nothing changed'}, {report.unchanged} unchanged, {done}")
    most = None if every else _MOST_OF_A_KIND
    for rejected in report.rejected[:most]:
        output.note(f"row {rejected.index} {rejected.native_symbol or ''} cannot be read: {rejected.reason}")
    for value in report.unknown_values[:most]:
        output.note(f"{value.rows} rows have a {value.field} that is not known, {value.value!r}: {value.effect}")
    if report.unknown_fields:
        output.note(f"fields that are not known: {_named(report.unknown_fields, most)}")
    if report.unsatisfiable:
        output.note(f"no order can keep to all limits of: {_named(report.unsatisfiable, most)}; not tradable")
    for name in list(report.ambiguous)[:most]:
        natives = " and ".join(report.ambiguous[name])
        output.note(f"{name} is the name of {natives}: ask for each by the exchange's own name")
    # Of rows that cannot be read it is told above.
    held = [row for row in report.held_back if row.brake is not Brake.REJECTED]
    for row in held[:most]:
        output.note(f"held back: {row.native_symbol}: {row.reason}")
    for hit in report.brakes:
        output.note(f"brake{', allowed' if hit.allowed else ''}: {hit.reason}")
    seen: Counter[str] = Counter()
    shown = []
    for change in report.changes:
        seen[change.kind] += 1
        if every or seen[change.kind] <= _MOST_OF_A_KIND:
            shown.append(change)
    if shown:
        output.show(shown, SYMBOL_CHANGES, nothing="")
    counted = {
        **{kind.lower(): count for kind, count in seen.items()},
        "rows that are held back": len(held),
        "rows that cannot be read": len(report.rejected),
        "words that are not known": len(report.unknown_values),
        "names of several symbols": len(report.ambiguous),
    }
    left = [f"{count - _MOST_OF_A_KIND} {what}" for what, count in counted.items() if count > _MOST_OF_A_KIND]
    if left and not every:
        output.note(f"not shown: {', '.join(left)}; --all shows every change")


def _named(names: Sequence[str], most: int | None) -> str:
    left = len(names[len(names) if most is None else most :])
    return ", ".join(names[:most]) + (f" and {left} more, which --all shows" if left else "")
