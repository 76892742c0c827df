"""Snapshots and news for tests of what follows them, made by hand, and the snapshot that a database holds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
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
from tests.symbol_rows import as_spec_fields

THEN = datetime(2026, 1, 31, tzinfo=UTC)
PLACE = "GATEIO_FUTURES"
_epochs = itertools.count(2)


def exchange(number: int = 1, enum_value: str = PLACE, **fields: Any) -> StoredExchange:
    """A row of exchanges."""
    given: dict[str, Any] = {
        "id": number,
        "name": enum_value,
        "enum_value": enum_value,
        "display_name": "A test",
        "market_type": "FUTURES",
        "created_at": THEN,
        "updated_at": THEN,
        "version": 1,
    }
    return StoredExchange(**{**given, **fields})


def symbol(number: int, of: str = "linear", at: StoredExchange | None = None, **fields: Any) -> RegistrySymbol:
    """A symbol that has rules."""
    place = at or exchange()
    given: dict[str, Any] = {
        "id": number,
        "exchange_id": place.id,
        "exchange": place.enum_value,
        "price_decimals": 2,
        "quantity_decimals": 3,
        "spec_version": 1,
        "created_at": THEN,
        "updated_at": THEN,
    }
    return RegistrySymbol(**as_spec_fields(of), **given) if not fields else _with(as_spec_fields(of) | given, fields)


def _with(given: dict[str, Any], fields: dict[str, Any]) -> RegistrySymbol:
    return RegistrySymbol(**{**given, **fields})


def coin(number: int, name: str, **fields: Any) -> RegistrySymbol:
    """A perpetual on a coin, in USDT."""
    given = {"native_symbol": f"{name}_USDT", "symbol": f"{name}/USDT:USDT", "base": name}
    return symbol(number, **{**given, **fields})


def snapshot(*symbols: RegistrySymbol, exchanges: Iterable[StoredExchange] | None = None) -> Snapshot:
    """All that there is, at a position that no other has."""
    places = {one.id: Place(exchange=one) for one in (exchanges or [exchange()])}
    for number, place in places.items():
        places[number] = place.evolved(symbols={one.id: one for one in symbols if one.exchange_id == number})
    return Snapshot.of(Position(next(_epochs), "token"), places)


def news(
    changed: str,
    ids: Iterable[int],
    symbols: Mapping[int, RegistrySymbol] | None = None,
    exchanges: Mapping[int, StoredExchange] | None = None,
    holds: Mapping[int, dict[str | None, Hold]] | None = None,
    fees: Mapping[int, dict[FeeKey, Fees]] | None = None,
    lists: Mapping[int, tuple[ListState, ...]] | None = None,
) -> News:
    """What one transaction has changed."""
    epoch = next(_epochs)
    return News(
        position=Position(epoch, "token"),
        entries=(LogEntry(epoch, changed, frozenset(ids), THEN),),
        exchanges=exchanges or {},
        symbols=symbols or {},
        holds=holds or {},
        fees=fees or {},
        lists=lists or {},
    )


async def loaded(conn: asyncpg.Connection) -> Snapshot:
    """Everything that the database holds, as a registry that has just been opened has it."""
    return await run(conn, lambda connection: load_all(connection, Documents()))
