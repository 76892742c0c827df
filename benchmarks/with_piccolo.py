"""Piccolo: its table and `objects().get`, on its asyncpg pool."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from piccolo.columns import Boolean, Integer, SmallInt, Timestamptz, Varchar
from piccolo.engine.postgres import PostgresEngine
from piccolo.table import Table

from benchmarks.look_up import ENUM_VALUE, POOL_SIZE, LookUp
from exchanges_db.dsn import Dsn


class PiccoloExchange(Table, tablename="exchanges", schema="public"):
    """Piccolo's exchange."""

    id = SmallInt(primary_key=True)
    name = Varchar(50)
    enum_value = Varchar(50)
    display_name = Varchar(100)
    market_type = Varchar(20)
    is_active = Boolean()
    base_url = Varchar(255, null=True)
    websocket_url = Varchar(255, null=True)
    rate_limit_requests_per_second = Integer(null=True)
    precision_default = SmallInt()
    created_at = Timestamptz()
    updated_at = Timestamptz()
    version = Integer()


@asynccontextmanager
async def open_get(dsn: Dsn) -> AsyncIterator[LookUp]:
    """`objects().get` for each look-up. No extensions: Piccolo would create them in the database."""
    engine = PostgresEngine(config=dsn.asyncpg_arguments(), extensions=())
    PiccoloExchange._meta.db = engine  # noqa: SLF001  # there is no public way to choose the engine at run time
    await engine.start_connection_pool(min_size=POOL_SIZE, max_size=POOL_SIZE)

    async def look_up() -> PiccoloExchange | None:
        return await PiccoloExchange.objects().get(
            (PiccoloExchange.enum_value == ENUM_VALUE) & (PiccoloExchange.is_active == True)  # noqa: E712  # its SQL
        )

    try:
        yield look_up
    finally:
        await engine.close_connection_pool()
