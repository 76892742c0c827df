"""How a person reads symbols and what an import changes; a program gets the same as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from exchanges_db.cli.tables import answers, print_json, print_note, print_table
from exchanges_db.orders.pairs import CommonSymbol
from exchanges_db.symbols.changes import FieldChange, SymbolChange
from exchanges_db.symbols.models import Symbol, SymbolStats, SymbolVersion
from exchanges_db.symbols.report import ImportReport

_MOST_ROWS = 50
# What makes a version, in the order a reader wants it.
_SPECIFICATION = tuple(
    field for field in Symbol.__struct_fields__ if field not in ("id", "exchange_id", "spec_version", "updated_at")
)


def print_symbols(found: Sequence[Symbol], *, as_json: bool) -> None:
    """Print one line a symbol."""
    if as_json:
        print_json(found)
    elif not found:
        answers.print("no symbols")
    else:
        print_table(
            ("exchange", "symbol", "native", "status", "tick", "step", "minimum", "contract"),
            ((s.exchange, s.symbol, s.native_symbol, s.status, *map(_number, _figures(s))) for s in found),
        )


def _figures(s: Symbol) -> tuple[Decimal | None, ...]:
    return s.price_tick, s.quantity_step, s.min_quantity, s.contract_size


def print_symbol(symbol: Symbol, *, as_json: bool) -> None:
    """Print one symbol, a line a field."""
    if as_json:
        print_json(symbol)
    else:
        values = msgspec.structs.asdict(symbol).items()
        print_table(("field", "value"), ((name, _number(value)) for name, value in values))


def print_versions(versions: Sequence[SymbolVersion], *, as_json: bool) -> None:
    """Print one line a version, with what is different from the one before it."""
    if as_json:
        print_json(versions)
        return
    rows = []
    previous: SymbolVersion | None = None
    for version in versions:
        same = previous is not None and previous.symbol.id == version.symbol.id
        what = _between(previous.symbol, version.symbol) if same and previous is not None else version.symbol.symbol
        rows.append((version.symbol.id, version.spec_version, version.valid_from, version.valid_to, what))
        previous = version
    print_table(("id", "version", "from", "to", "what"), rows)


def _between(old: Symbol, new: Symbol) -> str:
    return _fields(
        FieldChange(field, getattr(old, field), getattr(new, field))
        for field in _SPECIFICATION
        if getattr(old, field) != getattr(new, field)
    )


def print_changes(changes: Sequence[SymbolChange], *, as_json: bool) -> None:
    """Print one line a change."""
    if as_json:
        print_json(changes)
    elif not changes:
        answers.print("nothing changed")
    else:
        _print_changes(changes)


def _print_changes(changes: Sequence[SymbolChange]) -> None:
    print_table(
        ("what", "symbol", "native", "change"),
        ((c.kind, c.spec.symbol, c.spec.native_symbol, _fields(c.fields)) for c in changes),
    )


def print_reports(reports: Sequence[ImportReport], *, as_json: bool, every: bool = False) -> None:
    """Print what imports changed, the figures last; at most 50 changes each unless `every`."""
    if as_json:
        print_json(reports)
        return
    for report in reports:
        print_report(report, every=every)


def print_report(report: ImportReport, *, every: bool = False) -> None:
    """Print what one import changed, or would."""
    shown = report.changes if every else report.changes[:_MOST_ROWS]
    if shown:
        _print_changes(shown)
    if len(shown) < len(report.changes):
        answers.print(f"and {len(report.changes) - len(shown)} more: --all lists them")
    for row in report.rejected:
        print_note(f"row {row.index} {row.native_symbol or ''} cannot be read: {row.reason}")
    for value in report.unknown_values:
        print_note(f"{value.rows} rows have a {value.field} that is not known, {value.value!r}: they count as HALTED")
    if report.unknown_fields:
        print_note(f"fields that are not known: {', '.join(report.unknown_fields)}")
    for hit in report.brakes:
        print_note(f"brake: {hit.reason} (--allow {hit.brake})")
    counts = ", ".join(f"{count} {kind.lower()}" for kind, count in report.counts().items() if count)
    done = "imported" if report.applied else "not applied"
    answers.print(f"{report.exchange}: {counts or 'nothing changed'}, {report.unchanged} unchanged, {done}")


def print_symbol_stats(found: Sequence[SymbolStats], *, as_json: bool) -> None:
    """Print one line an exchange, kind and status."""
    if as_json:
        print_json(found)
    else:
        print_table(
            ("exchange", "kind", "status", "symbols", "latest update"),
            ((s.exchange, s.kind, s.status, s.symbols, s.latest_update) for s in found),
        )


def print_common(found: Sequence[CommonSymbol], *, as_json: bool) -> None:
    """Print one line a pair."""
    if as_json:
        print_json(found)
    else:
        print_table(
            ("a", "b", "tick", "step"),
            ((c.a.symbol, c.b.symbol, _number(c.price_tick), _number(c.quantity_step)) for c in found),
        )


def _fields(fields: Iterable[FieldChange]) -> str:
    return "\n".join(f"{f.field}: {_number(f.old)} -> {_number(f.new)}" for f in fields)


def _number(value: object) -> object:
    """Return a number as people write it: 1000000, not 1E+6."""
    return f"{value:f}" if isinstance(value, Decimal) else "-" if value is None else value
