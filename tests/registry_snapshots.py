"""Snapshots of a registry, made by hand, and the news that lead from one to another; and what a database holds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from exchanges_db import Fees, StoredExchange
from exchanges_db.database.default import run
from exchanges_db.registry.documents import Documents
from exchanges_db.registry.loading import load_all
from exchanges_db.registry.models import ListState, Position, RegistrySymbol
from exchanges_db.registry.places import FeeKey, Place
from exchanges_db.registry.snapshot import LogEntry, News, Snapshot
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.models import NamedSymbol
from tests.symbol_rows import as_spec_fields

START = datetime(2026, 1, 1, tzinfo=UTC)
PLACE = "GATEIO_FUTURES"  # the first exchange
_epochs = itertools.count(2)


def at(epoch: int) -> Position:
    """The position of an epoch."""
    return Position(epoch, f"token {epoch}")


def committed(epoch: int) -> datetime:
    """When it was committed."""
    return START + timedelta(seconds=epoch)


def exchange(number: int = 1, **fields: Any) -> StoredExchange:
    """An exchange; its name is of its number, unless it is given."""
    name = fields.get("enum_value") or (PLACE if number == 1 else f"EXCHANGE_{number}")
    given = {"name": name, "enum_value": name, "display_name": name, "market_type": "FUTURES", **fields}
    return StoredExchange(id=number, created_at=START, updated_at=START, version=1, **given)


def symbol(number: int = 1, *, on: int | StoredExchange = 1, **fields: Any) -> RegistrySymbol:
    """A spot symbol; its names are of its number."""
    return coin(number, f"B{number}", of="spot", on=on, **fields)


def coin(number: int, name: str, *, of: str = "linear", on: int | StoredExchange = 1, **fields: Any) -> RegistrySymbol:
    """A symbol on a coin, in USDT: a perpetual, unless another of `symbol_rows.KINDS` is given."""
    place = exchange(on) if isinstance(on, int) else on
    given: dict[str, Any] = {
        "exchange_id": place.id, "exchange": place.enum_value, "price_decimals": 2, "quantity_decimals": 3,
        "spec_version": 1, "created_at": START, "updated_at": START, "native_symbol": f"{name}_USDT",
        "symbol": f"{name}/USDT" if of == "spot" else f"{name}/USDT:USDT", "base": name,
    }  # fmt: skip
    return RegistrySymbol(id=number, **{**as_spec_fields(of), **given, **fields})


def named(number: int = 1, native: str = "X_USDT") -> NamedSymbol:
    """A symbol that is known by its name only."""
    return NamedSymbol(id=number, exchange_id=1, exchange=PLACE, native_symbol=native, base=native[:-5], quote="USDT")


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


def holding(*symbols: RegistrySymbol, exchanges: Iterable[StoredExchange] | None = None) -> Snapshot:
    """All of these symbols, each on its exchange, at an epoch that no other has."""
    places = [place(*(each for each in symbols if each.exchange_id == one.id), of=one)
              for one in exchanges or [exchange()]]  # fmt: skip
    return snapshot(*places, epoch=next(_epochs))


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


def told_of(
    changed: str,
    ids: Iterable[int],
    symbols: Mapping[int, RegistrySymbol] | None = None,
    exchanges: Mapping[int, StoredExchange] | None = None,
    holds: Mapping[int, dict[str | None, Hold]] | None = None,
    fees: Mapping[int, dict[FeeKey, Fees]] | None = None,
    lists: Mapping[int, tuple[ListState, ...]] | None = None,
) -> News:
    """What the database answers, where one transaction changed things of one kind, at an epoch that no other has."""
    epoch = next(_epochs)
    return News(
        position=at(epoch),
        entries=(entry(epoch, changed, *ids),),
        exchanges=exchanges or {},
        symbols=symbols or {},
        holds=holds or {},
        fees=fees or {},
        lists=lists or {},
    )


async def loaded(conn: asyncpg.Connection) -> Snapshot:
    """Everything that the database holds, as a registry that has just been opened has it."""
    return await run(conn, lambda connection: load_all(connection, Documents()))
