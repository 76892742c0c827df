"""What exchanges were: every change of one, and its row as it stood at a time."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.database.rows import from_database
from exchanges_db.exchanges.models import ExchangeChange, StoredExchange
from exchanges_db.exchanges.names import check_key, check_known, exchange_id
from exchanges_db.exchanges.pruned import check_reaches
from exchanges_db.moments import check_moment
from exchanges_sql.exchange_history import AsyncQuerier


async def get_exchange_history(
    exchange: Enum | str | int, *, db: DatabaseOrConnection | None = None
) -> list[ExchangeChange]:
    """Return every change of an exchange, oldest first.

    exchange: its present enum_value, as in other functions, or its id; a deleted exchange is found by its id only.

    Raises:
        ExchangeNotFound: there is no such exchange, and there never was one with this id.
    """
    key = check_key(exchange)

    async def work(conn: AsyncConnection) -> list[ExchangeChange]:
        wanted = await exchange_id(conn, key)
        changes = [_change(row) async for row in AsyncQuerier(conn).list_exchange_changes(exchange_id=wanted)]
        if not changes:
            await check_known(conn, wanted)
        return changes

    return await run(db, work)


async def get_exchange_as_of(
    exchange: Enum | str | int, at: datetime, *, db: DatabaseOrConnection | None = None
) -> StoredExchange | None:
    """Return the exchange as the database knew it at `at`; None when it did not exist then.

    exchange: its present enum_value, as in other functions, or its id; a deleted exchange is found by its id only.
    at: a time with a time zone. Of a row older than the history, only the time since its last change before that is
        known.

    Raises:
        InvalidArgument: `at` has no time zone, or no exchange could have the value of `exchange`.
        ExchangeNotFound: there is no such exchange, and there never was one with this id.
        HistoryPruned: nothing is found, and what was then was deleted.
    """
    key, moment = check_key(exchange), check_moment(at)

    async def work(conn: AsyncConnection) -> StoredExchange | None:
        wanted = await exchange_id(conn, key)
        found = await exchange_as_of(conn, wanted, moment)
        if found is None:
            await check_reaches(conn, "exchange_history", moment)
            await check_known(conn, wanted)
        return found

    return await run(db, work)


async def exchange_as_of(conn: AsyncConnection, known_id: int, at: datetime) -> StoredExchange | None:
    """Return the exchange with this id as it stood at `at`; None when there was none, whatever the reason."""
    row = await AsyncQuerier(conn).get_exchange_row_as_of(exchange_id=known_id, at=at)
    return None if row is None or row.new_row is None else from_database(_json(row.new_row), StoredExchange)


def _change(row: Any) -> ExchangeChange:
    fields = {field: getattr(row, field) for field in ExchangeChange.__struct_fields__}
    return from_database({**fields, "old_row": _json(row.old_row), "new_row": _json(row.new_row)}, ExchangeChange)


def _json(value: Any) -> Any:
    # asyncpg gives jsonb as text unless the connection has a codec for it.
    return msgspec.json.decode(value) if isinstance(value, str) else value
