"""What exchanges were: every change of one, its row as it stood at a time, and which one had a name then."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.database.rows import from_database, from_database_json
from exchanges_db.errors import ExchangeNotFound
from exchanges_db.exchanges.models import ExchangeChange, StoredExchange
from exchanges_db.exchanges.names import check_key, check_known, pick, spelled
from exchanges_db.exchanges.pruned import check_reaches
from exchanges_db.moments import check_moment
from exchanges_sql.exchange_history import AsyncQuerier

LAST = datetime.max.replace(tzinfo=UTC)

_json_decoder = msgspec.json.Decoder()


async def get_exchange_history(
    exchange: Enum | str | int, *, db: DatabaseOrConnection | None = None
) -> list[ExchangeChange]:
    """Return every change of an exchange, oldest first.

    exchange: its enum_value, or its id. A name that no exchange has any more stands for the one that had it last.

    Raises:
        ExchangeNotFound: no exchange has or ever had this name or id.
    """
    key = check_key(exchange)

    async def work(conn: AsyncConnection) -> list[ExchangeChange]:
        wanted = await exchange_id_then(conn, key, LAST)
        changes = [_change(row) async for row in AsyncQuerier(conn).list_exchange_changes(exchange_id=wanted)]
        if not changes:
            await check_known(conn, wanted)
        return changes

    return await run(db, work)


async def get_exchange_as_of(
    exchange: Enum | str | int, at: datetime, *, db: DatabaseOrConnection | None = None
) -> StoredExchange | None:
    """Return the exchange as the database knew it at `at`; None when it did not exist then.

    exchange: the enum_value that it had at `at`, or its id. A name that none had then stands for the exchange that has
        it now, else for the one that had it last.
    at: a time with a time zone. Of a row older than the history, only the time since its last change before that is
        known.

    Raises:
        InvalidArgument: `at` has no time zone, or no exchange could have the value of `exchange`.
        ExchangeNotFound: no exchange has or ever had this name or id.
        HistoryPruned: nothing is found, and what was then was deleted.
    """
    key, moment = check_key(exchange), check_moment(at)

    async def work(conn: AsyncConnection) -> StoredExchange | None:
        wanted = await exchange_id_then(conn, key, moment)
        row = await AsyncQuerier(conn).get_exchange_row_as_of(exchange_id=wanted, at=moment)
        if row is None:
            await check_reaches(conn, "exchange_history", moment)
            await check_known(conn, wanted)
        return None if row is None or row.new_row is None else from_database(_json(row.new_row), StoredExchange)

    return await run(db, work)


async def exchange_id_then(conn: AsyncConnection, key: str | int, at: datetime) -> int:
    """Return the id of the exchange that had a name at `at`, else has it now, else had it last; an id as it is.

    Raises:
        ExchangeNotFound: none ever had that name in whatever case; the message names the nearest that there are.
    """
    if isinstance(key, int):
        return key
    querier = AsyncQuerier(conn)
    found = await querier.get_exchange_id_as_of(enum_value=key, at=at)
    if found is None:
        found = await querier.get_exchange_id_as_of(enum_value=await _spelled_ever(conn, key), at=at)
    assert found is not None  # histories only grow
    return found


async def _spelled_ever(conn: AsyncConnection, name: str) -> str:
    """Return a name as it is spelt now, else as it was ever spelt. Raises as `spelled` does."""
    try:
        return await spelled(conn, name)
    except ExchangeNotFound:
        ever = {row.enum_value: row.name async for row in AsyncQuerier(conn).list_exchange_names_ever()}
        if not any(one.casefold() == name.casefold() for one in ever):
            raise
        return pick(name, ever)


def _change(row: Any) -> ExchangeChange:
    fields = {field: getattr(row, field) for field in ExchangeChange.__struct_fields__}
    return from_database({**fields, "old_row": _json(row.old_row), "new_row": _json(row.new_row)}, ExchangeChange)


def _json(value: Any) -> Any:
    # asyncpg gives jsonb as text unless the connection has a codec for it.
    return from_database_json(value, _json_decoder) if isinstance(value, str) else value
