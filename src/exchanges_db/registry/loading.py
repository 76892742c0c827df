"""Asks the database for what a registry holds: all of it, what has changed since a position, or whether any has."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.errors import SchemaMismatch
from exchanges_db.exchanges.rules import INTEGER_MAX
from exchanges_db.registry.documents import Documents
from exchanges_db.registry.models import Position, RegistrySymbol
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_sql.registry import AsyncQuerier, GetRegistryStateRow

_EACH = 1000  # symbols in one document
_BEFORE_ALL = -INTEGER_MAX - 1


async def fetch_state(conn: AsyncConnection) -> GetRegistryStateRow:
    """Return the newest position of the log, and the server's time.

    Raises:
        SchemaMismatch: the log is empty, which only its owner can have done.
    """
    state = await AsyncQuerier(conn).get_registry_state()
    if state is None:
        raise SchemaMismatch("registry_changes is empty: insert an entry EVERYTHING, as docs/operations.md says")
    return state


async def load_all(conn: AsyncConnection, documents: Documents) -> Snapshot:
    """Return all that there is; `conn` is in a transaction of REPEATABLE READ, so that it is of one moment.

    Raises:
        SchemaMismatch: the database holds what cannot be read.
    """
    state = await fetch_state(conn)
    querier = AsyncQuerier(conn)
    contents = await querier.get_registry_contents()
    assert contents is not None  # one row, always
    symbols: list[RegistrySymbol] = []
    part = asyncio.ensure_future(querier.get_registry_symbols(after_id=_BEFORE_ALL, most=_EACH))
    try:
        while True:
            row = await part
            assert row is not None  # one row, always
            if row.symbols_read == _EACH:
                # The server makes the next while this one is read.
                part = asyncio.ensure_future(querier.get_registry_symbols(after_id=row.last_id, most=_EACH))
                await asyncio.sleep(0)
            symbols += documents.symbols(row.symbols)
            if row.symbols_read < _EACH:
                return documents.contents(contents, Position(state.epoch, state.token), symbols)
    finally:
        part.cancel()


async def fetch_news(conn: AsyncConnection, documents: Documents, known: Snapshot) -> News | None:
    """Return what has changed since a snapshot, in one statement; None where only reading all anew tells.

    Raises:
        SchemaMismatch: the database holds what cannot be read.
    """
    row = await AsyncQuerier(conn).get_registry_news(since_epoch=known.position.epoch, since_token=known.position.token)
    if row is None or not row.known:
        return None
    names = {number: place.exchange.enum_value for number, place in known.places_by_id.items()}
    return documents.news(row, names)
