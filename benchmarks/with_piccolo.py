"""Piccolo: its table and a query of `objects()`, frozen as its documentation has it for speed, on its asyncpg pool."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from piccolo.columns import Boolean, Integer, SmallInt, Timestamptz, Varchar
from piccolo.engine.postgres import PostgresEngine
from piccolo.table import Table

from benchmarks.look_up import ENUM_VALUE, POOL_SIZE, LookUp
from exchanges_db.database.dsn import Dsn


class Exchanges(Table):
    """Piccolo's exchange; the class names the table."""

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
async def open_frozen(dsn: Dsn) -> AsyncIterator[LookUp]:
    """One frozen query, run for each look-up. No extensions: Piccolo would create them in the database."""
    engine = PostgresEngine(config=dsn.asyncpg_arguments(), extensions=())
    table = Exchanges._meta  # noqa: SLF001  # there is no public way to choose the engine at run time
    table.db, table.schema = engine, "public"
    await engine.start_connection_pool(min_size=POOL_SIZE, max_size=POOL_SIZE)
    wanted = (Exchanges.enum_value == ENUM_VALUE) & Exchanges.is_active.eq(True)
    query = Exchanges.objects().where(wanted).first().freeze()

    async def look_up() -> object:
        return await query.run()

    try:
        yield look_up
    finally:
        await engine.close_connection_pool()
