"""How `watch` tells of a change: as a JSON document for programs, and as the cells of a row for a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from exchanges_db.cli.cells import text_of
from exchanges_db.cli.tables import difference
from exchanges_db.registry.changes import (
    AmbiguityChanged,
    DoubtChanged,
    ExchangeChanged,
    FeesChanged,
    Gap,
    HoldChanged,
    ListChanged,
    RegistryChange,
    StateChanged,
    SymbolChanged,
)
from exchanges_db.registry.models import RegistrySymbol
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.registry.state import RegistryState
from exchanges_db.symbols.models import NamedSymbol

_MOST_NAMES = 4  # of the symbols of one pair, in a row; the options of a coin may be thousands


def first_document(snapshot: Snapshot, state: RegistryState, wanted: frozenset[str]) -> dict[str, Any]:
    """Return where the lines begin: what is held there, of the exchanges that are wanted."""
    places = [place for name, place in snapshot.places.items() if not wanted or name in wanted]
    return {
        "kind": "SNAPSHOT",
        **snapshot.position._asdict(),
        "state": state,
        "exchanges": len(places),
        "symbols": sum(len(place.symbols) + len(place.named) for place in places),
    }


def change_document(change: RegistryChange) -> dict[str, Any]:
    """Return a change with all that it says; a symbol by its names and its id."""
    told: dict[str, Any] = {"kind": change.kind, **change.position._asdict(), "committed_at": change.committed_at}
    if change.exchange is not None:
        told |= {"exchange": change.exchange, "exchange_id": change.exchange_id}
    match change:
        case ExchangeChanged():
            told["fields"] = change.fields
        case SymbolChanged():
            told |= {**_symbol(change.after or change.before), "fields": change.fields}
        case DoubtChanged():
            told |= {**_symbol(change.symbol), "since": change.since}
        case AmbiguityChanged():
            told |= {"base": change.base, "quote": change.quote}
            told |= {"symbol_kind": change.symbol_kind, "candidates": change.candidates}
        case HoldChanged():
            told |= {"native_symbol": change.native_symbol, "before": change.before, "after": change.after}
        case FeesChanged():
            told |= {"account": change.account, "symbol_id": change.symbol_id}
            told |= {"before": change.before, "after": change.after}
        case ListChanged():
            told |= {"list": str(change.listing), "before": _beside(change.before), "after": _beside(change.after)}
        case StateChanged():
            told |= {"before": change.before, "after": change.after, "why": change.why}
        case Gap():
            told |= {"since": None if change.since is None else change.since._asdict(), "why": change.why}
    return told


def change_row(change: RegistryChange) -> tuple[Any, ...]:
    """Return when, on which exchange, what, of which thing, and how it differs."""
    return (
        change.committed_at,
        change.exchange,
        change.kind,
        _subject(change),
        tuple(_details(change)),
    )


def _subject(change: RegistryChange) -> str | None:
    match change:
        case SymbolChanged():
            found = change.after or change.before
            return found.symbol if isinstance(found, RegistrySymbol) else _symbol(found)["native_symbol"]
        case DoubtChanged():
            return change.symbol.symbol
        case AmbiguityChanged():
            return f"{change.base} and {change.quote}"
        case HoldChanged():
            return change.native_symbol
        case FeesChanged():
            return None if change.symbol_id is None else f"symbol {change.symbol_id}"
        case ListChanged():
            return str(change.listing)
    return None


def _details(change: RegistryChange) -> Iterable[str]:
    match change:
        case ExchangeChanged() | SymbolChanged():
            return difference((field.field, field.old, field.new) for field in change.fields)
        case DoubtChanged():
            return () if change.since is None else (f"since {text_of(change.since)}",)
        case AmbiguityChanged():
            what = "symbols" if change.symbol_kind is None else f"symbols of kind {change.symbol_kind}"
            names = ", ".join(map(text_of, change.candidates[:_MOST_NAMES]))
            more = f" and {len(change.candidates) - _MOST_NAMES} more" if len(change.candidates) > _MOST_NAMES else ""
            return (f"{len(change.candidates)} {what}{f': {names}{more}' if names else ''}",)
        case HoldChanged():
            held = change.after or change.before
            return () if held is None else (f"{held.sides}: {held.reason}",)
        case FeesChanged():
            before, after = change.before, change.after
            account = (f"account: {change.account}",) if change.account else ()
            rates = ((name, getattr(before, name, None), getattr(after, name, None)) for name in ("maker", "taker"))
            return (*account, *difference(rates))
        case StateChanged():
            return (f"{change.before} -> {change.after}", *(() if change.why is None else (change.why,)))
        case Gap():
            return (change.why,)
    return ()


def _symbol(symbol: RegistrySymbol | NamedSymbol | None) -> dict[str, Any]:
    if symbol is None:
        return {"symbol_id": None, "native_symbol": None, "symbol": None}
    name = symbol.symbol if isinstance(symbol, RegistrySymbol) else None
    return {"symbol_id": symbol.id, "native_symbol": symbol.native_symbol, "symbol": name}


def _beside(value: msgspec.Struct | None) -> dict[str, Any] | None:
    """Return a list's state without its listing, which stands beside it."""
    if value is None:
        return None
    return {field: said for field, said in msgspec.structs.asdict(value).items() if field != "listing"}
