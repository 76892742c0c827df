"""Asks the database for what a registry holds: all of it, what has changed since a position, or whether any has."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.errors import SchemaMismatch
from exchanges_db.registry.documents import Documents
from exchanges_db.registry.models import Position
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_sql.registry import AsyncQuerier, GetRegistryStateRow

_IDS_EACH = 4096  # in one document: its rows are decoded while the next is on its way


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
    symbols = [document async for document in querier.list_registry_symbols(ids_each=_IDS_EACH)]
    return documents.contents(contents, Position(state.epoch, state.token), symbols)


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
