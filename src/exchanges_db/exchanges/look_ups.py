"""Look-ups and changes of exchanges.

Every function takes `db=`: a Database, a Transaction, an asyncpg connection or a SQLAlchemy AsyncConnection, so that
several can share one transaction; without it, the process's default database. All raise DatabaseError on failure.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.bridge import reuse_texts
from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.database.rows import from_database
from exchanges_db.errors import Conflict, InvalidExchange
from exchanges_db.events import event
from exchanges_db.exchanges.enums import MarketType, enum_text
from exchanges_db.exchanges.models import Exchange, StoredExchange, check_updates
from exchanges_db.exchanges.rules import CHECKS, INTEGER_MAX, check_exchange_id, check_field
from exchanges_sql import exchanges as generated
from exchanges_sql.exchanges import (
    AsyncQuerier,
    InsertExchangeParams,
    UpdateExchangeKeysParams,
    UpdateExchangeParams,
)

log = logging.getLogger("exchanges_db")

_KEYS = ("name", "enum_value")  # besides the id, what a foreign key of a user's own table may refer to

reuse_texts(generated)  # these look-ups are called most often


async def get_exchange_by_enum(
    exchange_enum: Enum | str, *, db: DatabaseOrConnection | None = None
) -> StoredExchange | None:
    """Return the active exchange of an ExchangeEnum, of an Enum that stands for the text, or of the text.

    Returns None where there is none, or it is inactive. Raises InvalidExchange where no exchange could have that value.
    """
    enum_value = check_field("enum_value", enum_text(exchange_enum))
    row = await run(db, lambda conn: AsyncQuerier(conn).get_active_exchange_by_enum_value(enum_value=enum_value))
    return None if row is None else as_exchange(row)


async def get_exchange_by_id(exchange_id: int, *, db: DatabaseOrConnection | None = None) -> StoredExchange | None:
    """Return the exchange with this id, active or not; None where there is none."""
    if not check_exchange_id(exchange_id):
        return None
    row = await run(db, lambda conn: AsyncQuerier(conn).get_exchange_by_id(id=exchange_id))
    return None if row is None else as_exchange(row)


async def get_all_active_exchanges(*, db: DatabaseOrConnection | None = None) -> list[StoredExchange]:
    """Return every active exchange, by name."""

    async def work(conn: AsyncConnection) -> list[StoredExchange]:
        return [as_exchange(row) async for row in AsyncQuerier(conn).list_active_exchanges()]

    return await run(db, work)


async def get_all_exchanges(*, db: DatabaseOrConnection | None = None) -> list[StoredExchange]:
    """Return every exchange, active or not, by name."""

    async def work(conn: AsyncConnection) -> list[StoredExchange]:
        return [as_exchange(row) async for row in AsyncQuerier(conn).list_exchanges()]

    return await run(db, work)


async def get_exchanges_by_market_type(
    market_type: MarketType | str, *, db: DatabaseOrConnection | None = None
) -> list[StoredExchange]:
    """Return the active exchanges of a market type (SPOT, FUTURES or OPTIONS, in any case), by name.

    Raises InvalidExchange for an unknown type.
    """
    wanted = MarketType.parse(market_type)

    async def work(conn: AsyncConnection) -> list[StoredExchange]:
        rows = AsyncQuerier(conn).list_active_exchanges_by_market_type(market_type=wanted.value)
        return [as_exchange(row) async for row in rows]

    return await run(db, work)


async def insert_exchange(exchange: Exchange, *, db: DatabaseOrConnection | None = None) -> int:
    """Insert an exchange and return the id that the database gave it; the database also sets times and version.

    Raises:
        InvalidExchange: `exchange` is not an Exchange, or has an id already.
        DuplicateExchange: its name or enum_value is taken.
        OutcomeUnknown: the connection was lost before the answer.
    """
    if not isinstance(exchange, Exchange):
        raise InvalidExchange(f"insert_exchange takes an Exchange, not {type(exchange).__name__}", field="exchange")
    if exchange.id is not None:
        raise InvalidExchange("the database gives the id: insert an Exchange without one", field="id")
    parameters = InsertExchangeParams(**{field: getattr(exchange, field) for field in CHECKS})
    exchange_id = await run(db, lambda conn: AsyncQuerier(conn).insert_exchange(parameters), write=True)
    assert exchange_id is not None  # INSERT ... RETURNING gives a row or an error
    told = event("exchange_inserted", exchange=exchange.enum_value, exchange_id=exchange_id)
    log.info("inserted exchange %s with id %s", exchange.name, exchange_id, extra=told)
    return exchange_id


async def update_exchange(
    exchange_id: int,
    updates: Mapping[str, Any],
    *,
    if_version: int | None = None,
    db: DatabaseOrConnection | None = None,
) -> bool:
    """Set the given fields of one exchange; the database stamps `updated_at` and raises `version`.

    updates: values by field; None clears base_url, websocket_url or rate_limit_requests_per_second. Without fields,
        or with the values that the row has already, nothing changes.
    if_version: the version you have read; the update happens only if the row still has it.

    Returns whether the exchange exists.

    Raises:
        InvalidExchange: a field is unknown or set by the database, or a value cannot be stored.
        Conflict: the row has another version than `if_version`; read it again.
        DuplicateExchange: the name or enum_value is taken.
        OutcomeUnknown: the connection was lost before the answer.
    """
    fields = check_updates(updates)
    if if_version is not None and (type(if_version) is not int or not 0 < if_version <= INTEGER_MAX):
        raise InvalidExchange("if_version must be the version of an Exchange", field="version")
    if not check_exchange_id(exchange_id):
        return False
    values: dict[str, Any] = {
        "fields": list(fields),
        **{field: fields.get(field) for field in CHECKS},
        "id": exchange_id,
        "if_version": if_version,
    }

    async def work(conn: AsyncConnection) -> tuple[int | None, int | None]:
        querier = AsyncQuerier(conn)
        # Each of the two is the whole update. The second one takes the lock of a key change, and for that waits for
        # every open transaction that has inserted a reference: so it runs only where a key gets another value.
        updated = await querier.update_exchange(UpdateExchangeParams(**values))
        if updated is None and any(key in fields for key in _KEYS):
            updated = await querier.update_exchange_keys(UpdateExchangeKeysParams(**values))
        if updated is None and if_version is not None:
            return None, await querier.get_exchange_version(id=exchange_id)
        return updated, None

    updated, version = await run(db, work, write=True)
    if version is not None:
        raise Conflict(f"exchange {exchange_id} has version {version}, not {if_version}: read it again, then retry")
    if updated is None:
        log.warning("no exchange has id %s", exchange_id, extra=event("exchange_missing", exchange_id=exchange_id))
        return False
    if fields:
        names = ", ".join(fields)
        told = event("exchange_updated", exchange_id=exchange_id, fields=names)
        log.info("updated exchange %s: %s", exchange_id, names, extra=told)
    return True


async def activate_exchange(exchange_id: int, *, db: DatabaseOrConnection | None = None) -> bool:
    """Make an exchange findable for trading again. Returns whether it exists."""
    return await update_exchange(exchange_id, {"is_active": True}, db=db)


async def deactivate_exchange(exchange_id: int, *, db: DatabaseOrConnection | None = None) -> bool:
    """Take an exchange out of trading and keep its row. Returns whether it exists."""
    return await update_exchange(exchange_id, {"is_active": False}, db=db)


def as_exchange(row: object) -> StoredExchange:
    """Return a generated row as a StoredExchange; rows that are equal, types included, give one and the same object."""
    return _checked(*_columns(row))


_columns = attrgetter(*StoredExchange.__struct_fields__)


# A StoredExchange cannot change, so it can be shared. The server is still asked each time; only the checks are saved.
@lru_cache(maxsize=1024, typed=True)
def _checked(*values: object) -> StoredExchange:
    return from_database(dict(zip(StoredExchange.__struct_fields__, values, strict=True)), StoredExchange)
