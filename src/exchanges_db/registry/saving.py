"""Asks the database for what a file is to hold, and for how far it has gone on since a file was saved."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import partial

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import run
from exchanges_db.database.pool import Database
from exchanges_db.registry.documents import Documents
from exchanges_db.registry.loading import fetch_state, hold_registry, load_all, names_in, refuse_torn
from exchanges_db.registry.models import Position
from exchanges_db.registry.snapshot import Snapshot
from exchanges_sql.registry import AsyncQuerier, GetRegistryNewsParams

KEPT_EPOCHS = 100_000  # older ones are deleted by registry_stamp(), a function of the database
HOWEVER_MANY = 2**62


class Progress(StrEnum):
    """SAME: nothing has changed since. MOVED_ON: the changes since then are in the log.

    FORGOTTEN: so much has changed that the log does not reach back to it. REPLACED: after it everything was changed at
    once, as by TRUNCATE, or may have been, as triggers that write the log were off or made anew. OTHER: it was never
    like this, or a failover or a restored backup has taken that back.
    """

    SAME = "SAME"
    MOVED_ON = "MOVED_ON"
    FORGOTTEN = "FORGOTTEN"
    REPLACED = "REPLACED"
    OTHER = "OTHER"


class Distance(msgspec.Struct, frozen=True, kw_only=True):
    """How far a database is from what a file holds.

    Attributes:
        position: of the database. epochs: how many transactions have changed something since; None: not known.
        changed: how many symbols, exchanges, and exchanges whose holds, fees or lists are not as in the file.
    """

    progress: Progress
    position: Position
    epochs: int | None
    changed: dict[str, int]


async def load_once(database: Database) -> tuple[Snapshot, datetime]:
    """Return all that a registry would hold now, of one moment, and the server's time.

    Raises:
        SchemaMismatch: the database holds what cannot be read, or its log may lack changes.
    """
    async with database.transaction(isolation="repeatable_read", readonly=True) as transaction:
        return await run(transaction, _load)


async def _load(conn: AsyncConnection) -> tuple[Snapshot, datetime]:
    await hold_registry(conn)
    state = await fetch_state(conn)  # before all is read: its time is not to make that newer than it is
    return await load_all(conn, Documents()), state.asked_at


async def measure_distance(database: Database, known: Snapshot) -> Distance:
    """Return how far the database has gone on since it was like this.

    Raises:
        SchemaMismatch: its log may lack changes, so that it does not tell.
    """
    async with database.transaction(isolation="repeatable_read", readonly=True) as transaction:
        return await run(transaction, partial(_measure, known))


async def _measure(known: Snapshot, conn: AsyncConnection) -> Distance:
    epoch, token = known.position
    await hold_registry(conn)
    state = await fetch_state(conn)
    refuse_torn(state)  # else what it says here is that it does not know the position
    row = await AsyncQuerier(conn).get_registry_news(
        GetRegistryNewsParams(epoch, token, state.log_version, named_limit=HOWEVER_MANY, most=0)
    )
    assert row is not None  # the log has an epoch, of the same moment
    here = Position(row.epoch, row.token)
    if not row.known:
        forgotten = row.epoch - epoch >= KEPT_EPOCHS
        progress = Progress.FORGOTTEN if forgotten else Progress.OTHER
        return Distance(progress=progress, position=here, epochs=None, changed={})
    news = Documents().news(row, names_in(known))
    if news is None or known.log_version != state.log_version:
        return Distance(progress=Progress.REPLACED, position=here, epochs=None, changed={})
    ids = {kind: len(news.ids_of(kind)) for kind in sorted({entry.changed for entry in news.entries})}
    return Distance(
        progress=Progress.MOVED_ON if news.entries else Progress.SAME,
        position=here,
        epochs=len({entry.epoch for entry in news.entries}),
        changed=ids,
    )
