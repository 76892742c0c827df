"""Typed use of the public names, checked by mypy --strict and never run."""

from datetime import datetime
from enum import Enum
from typing import assert_type

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db import (
    Database,
    DatabaseOrConnection,
    Exchange,
    ExchangeChange,
    ExchangeEnum,
    ExchangeStats,
    InvalidExchange,
    MarketType,
    Settings,
    StoredExchange,
    Transaction,
    activate_exchange,
    default_database,
    ensure_exchanges_populated,
    get_all_active_exchanges,
    get_all_exchanges,
    get_exchange_as_of,
    get_exchange_by_enum,
    get_exchange_by_id,
    get_exchange_history,
    get_exchange_stats,
    get_exchanges_by_market_type,
    insert_exchange,
    update_exchange,
)


async def reads(db: DatabaseOrConnection, venue: Enum, at: datetime) -> None:
    """What each look-up gives."""
    assert_type(await get_exchange_by_enum(ExchangeEnum.MEXC, db=db), StoredExchange | None)
    assert_type(await get_exchange_by_enum(venue), StoredExchange | None)
    assert_type(await get_exchange_by_enum("MEXC_SPOT"), StoredExchange | None)
    assert_type(await get_exchange_by_id(1), StoredExchange | None)
    assert_type(await get_all_active_exchanges(), list[StoredExchange])
    assert_type(await get_all_exchanges(), list[StoredExchange])
    assert_type(await get_exchanges_by_market_type(MarketType.SPOT), list[StoredExchange])
    assert_type(await get_exchanges_by_market_type("spot"), list[StoredExchange])
    assert_type(await get_exchange_stats(), ExchangeStats)
    assert_type((await get_exchange_stats())["exchange_list"], list[str])
    assert_type(await get_exchange_history(1), list[ExchangeChange])
    assert_type(await get_exchange_as_of(1, at), StoredExchange | None)
    await get_exchange_as_of(1, "2026-01-01")  # type: ignore[arg-type]  # text is no moment
    await get_exchange_by_id("1")  # type: ignore[arg-type]  # text is no id
    await get_exchange_by_id(1, db="postgresql://h/d")  # type: ignore[arg-type]  # a URL is no Database yet


async def writes(exchange: StoredExchange) -> None:
    """What each change gives."""
    assert_type(await insert_exchange(Exchange.from_exchange_enum(ExchangeEnum.MEXC)), int)
    assert_type(await update_exchange(exchange.id, {"display_name": "x"}, if_version=exchange.version), bool)
    assert_type(await activate_exchange(1), bool)
    assert_type(await ensure_exchanges_populated(), list[StoredExchange])
    exchange.name = "x"  # type: ignore[misc]  # frozen


async def connections(
    raw: asyncpg.Connection, pooled: "PoolConnectionProxy[asyncpg.Record]", alchemy: AsyncConnection
) -> None:
    """What is taken for `db=`, and what a Database gives."""
    async with Database("postgresql://h/d", Settings(pool_max=2)) as database:
        assert_type(database, Database)
        async with database.transaction(isolation="serializable", readonly=True) as transaction:
            assert_type(transaction, Transaction)
            await get_exchange_by_id(1, db=transaction)
    for db in (raw, pooled, alchemy, database, None):
        await get_exchange_by_id(1, db=db)
    assert_type(await default_database(), Database)
    database.transaction(isolation="chaos")  # type: ignore[arg-type]  # PostgreSQL has three


def fields(exchange: StoredExchange, draft: Exchange, error: InvalidExchange) -> None:
    """What the values are made of: a row has what the database sets, a draft may not have it."""
    assert_type((exchange.id, exchange.version), tuple[int, int])
    assert_type((exchange.created_at, exchange.updated_at), tuple[datetime, datetime])
    assert_type((draft.id, draft.version), tuple[int | None, int | None])
    assert_type((draft.created_at, draft.updated_at), tuple[datetime | None, datetime | None])
    assert_type(exchange.market_type, MarketType)
    assert_type(exchange.to_exchange_enum(), ExchangeEnum)
    assert_type(exchange.get_rate_limit_delay(), float)
    assert_type(Exchange.from_exchange_enum(ExchangeEnum.MEXC, is_active=False), Exchange)
    assert_type(error.field, str | None)
