"""What an exchange was before: the audit trail, and the row as it stood at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.database.rows import from_database
from exchanges_db.exchanges.models import Exchange, ExchangeChange
from exchanges_db.exchanges.rules import check_exchange_id
from exchanges_db.moments import check_moment
from exchanges_sql.exchange_history import AsyncQuerier


async def get_exchange_history(exchange_id: int, *, db: DatabaseOrConnection | None = None) -> list[ExchangeChange]:
    """Return every change of an exchange, oldest first; also of one that was deleted. Empty for an unknown id."""
    if not check_exchange_id(exchange_id):
        return []

    async def work(conn: AsyncConnection) -> list[ExchangeChange]:
        return [
            from_database(
                {
                    **{field: getattr(row, field) for field in ExchangeChange.__struct_fields__},
                    "old_row": _json(row.old_row),
                    "new_row": _json(row.new_row),
                },
                ExchangeChange,
            )
            async for row in AsyncQuerier(conn).list_exchange_changes(exchange_id=exchange_id)
        ]

    return await run(db, work)


async def get_exchange_as_of(
    exchange_id: int, at: datetime, *, db: DatabaseOrConnection | None = None
) -> Exchange | None:
    """Return the exchange as the database knew it at `at`; None when it did not exist then.

    at: a time with a time zone. Rows older than the history are known since their last change before it began.

    Raises InvalidArgument when `at` has no time zone.
    """
    moment = check_moment(at)
    if not check_exchange_id(exchange_id):
        return None
    row = await run(db, lambda conn: AsyncQuerier(conn).get_exchange_row_as_of(exchange_id=exchange_id, at=moment))
    if row is None or row.new_row is None:
        return None
    return from_database(_json(row.new_row), Exchange)


def _json(value: Any) -> Any:
    # asyncpg gives jsonb as text unless the connection has a codec for it.
    return msgspec.json.decode(value) if isinstance(value, str) else value
