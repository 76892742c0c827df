"""Snapshots of a registry, made by hand, and the news that lead from one to another."""

from datetime import UTC, datetime, timedelta
from typing import Any

from exchanges_db import StoredExchange
from exchanges_db.registry.models import ListState, Position, RegistrySymbol
from exchanges_db.registry.places import FeeKey, Place
from exchanges_db.registry.snapshot import LogEntry, News, Snapshot
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.models import NamedSymbol
from tests.symbol_rows import as_spec_fields

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(epoch: int) -> Position:
    """The position of an epoch."""
    return Position(epoch, f"token {epoch}")


def committed(epoch: int) -> datetime:
    """When it was committed."""
    return START + timedelta(seconds=epoch)


def exchange(number: int = 1, **fields: Any) -> StoredExchange:
    """An exchange; its name is of its number."""
    name = f"EXCHANGE_{number}"
    given = {"name": name, "enum_value": name, "display_name": name, "market_type": "SPOT", **fields}
    return StoredExchange(id=number, created_at=START, updated_at=START, version=1, **given)


def symbol(number: int = 1, *, on: int = 1, doubtful_since: datetime | None = None, **fields: Any) -> RegistrySymbol:
    """A spot symbol; its names are of its number."""
    base = f"B{number}"
    names = {"native_symbol": f"{base}_USDT", "symbol": f"{base}/USDT", "base": base}
    return RegistrySymbol(
        id=number, exchange_id=on, exchange=f"EXCHANGE_{on}", price_decimals=2, quantity_decimals=3, spec_version=1,
        created_at=START, updated_at=START, doubtful_since=doubtful_since, **as_spec_fields(**{**names, **fields}),
    )  # fmt: skip


def named(number: int = 1, native: str = "X_USDT") -> NamedSymbol:
    """A symbol that is known by its name only."""
    return NamedSymbol(
        id=number, exchange_id=1, exchange="EXCHANGE_1", native_symbol=native, base=native[:-5], quote="USDT"
    )


def place(
    *symbols: RegistrySymbol | NamedSymbol,
    of: StoredExchange | None = None,
    holds: dict[str | None, Hold] | None = None,
    fees: dict[FeeKey, Any] | None = None,
    lists: tuple[ListState, ...] = (),
) -> Place:
    """One exchange and all of it."""
    kept: dict[int, RegistrySymbol | NamedSymbol | None] = {one.id: one for one in symbols}
    return Place(exchange=of or exchange()).evolved(symbols=kept, holds=holds, fees=fees, lists=lists)


def snapshot(*places: Place, epoch: int = 1) -> Snapshot:
    """All of these at an epoch."""
    return Snapshot.of(at(epoch), {one.exchange.id: one for one in places})


def entry(epoch: int, changed: str, *ids: int) -> LogEntry:
    """A row of the log."""
    return LogEntry(epoch, changed, frozenset(ids), committed(epoch), at(epoch).token)


def news(after: Snapshot, *entries: LogEntry) -> News:
    """What the database answers, where this is what it holds now and these are the rows of the log since."""
    ids: dict[str, set[int]] = {}
    for one in entries:
        ids.setdefault(one.changed, set()).update(one.ids)
    places = after.places_by_id
    symbols = {number: found for number in ids.get("SYMBOLS", ()) if (found := after.symbol(number)) is not None}
    return News(
        position=after.position,
        entries=entries,
        exchanges={number: places[number].exchange for number in ids.get("EXCHANGES", ()) if number in places},
        symbols=symbols,
        holds={number: places[number].holds for number in ids.get("HOLDS", ()) if number in places},
        fees={number: places[number].fees for number in ids.get("FEES", ()) if number in places},
        lists={number: places[number].lists for number in ids.get("LISTS", ()) if number in places},
    )
