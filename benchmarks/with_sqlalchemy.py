"""SQLAlchemy 2 on its asyncpg dialect: Core, the ORM, and sqlc's generated code on a genuine AsyncConnection.

All three in autocommit and without a rollback on return, as SQLAlchemy's documentation has it for reads, so
none of them pays for BEGIN and ROLLBACK; the statements of Core and the ORM are built once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    bindparam,
    select,
)
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.look_up import ENUM_VALUE, POOL_SIZE, LookUp, Row
from exchanges_db.database.dsn import Dsn
from exchanges_sql import models
from exchanges_sql.exchanges import AsyncQuerier

exchanges = Table(
    "exchanges",
    MetaData(schema="public"),
    Column("id", SmallInteger, primary_key=True),
    Column("name", String(50)),
    Column("enum_value", String(50)),
    Column("display_name", String(100)),
    Column("market_type", String(20)),
    Column("is_active", Boolean),
    Column("base_url", String(255)),
    Column("websocket_url", String(255)),
    Column("rate_limit_requests_per_second", Integer),
    Column("precision_default", SmallInteger),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
    Column("version", Integer),
)


class Base(DeclarativeBase):
    """What mapped classes derive from."""


class MappedExchange(Base):
    """The ORM's exchange."""

    __tablename__ = "exchanges"
    __table_args__ = {"schema": "public"}  # noqa: RUF012  # how SQLAlchemy wants it

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    name: Mapped[str]
    enum_value: Mapped[str]
    display_name: Mapped[str]
    market_type: Mapped[str]
    is_active: Mapped[bool]
    base_url: Mapped[str | None]
    websocket_url: Mapped[str | None]
    rate_limit_requests_per_second: Mapped[int | None]
    precision_default: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    version: Mapped[int]


def _engine(dsn: Dsn) -> AsyncEngine:
    return create_async_engine(
        "postgresql+asyncpg://",
        connect_args=dsn.asyncpg_arguments(),
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        pool_size=POOL_SIZE,
    )


@asynccontextmanager
async def open_core(dsn: Dsn) -> AsyncIterator[LookUp]:
    """A connection of the engine's pool and a `select` of the table for each look-up."""
    engine = _engine(dsn)
    statement = select(exchanges).where(exchanges.c.enum_value == bindparam("enum_value"), exchanges.c.is_active)

    async def look_up() -> Row:
        async with engine.connect() as connection:
            return Row(*(await connection.execute(statement, {"enum_value": ENUM_VALUE})).one())

    try:
        yield look_up
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_orm(dsn: Dsn) -> AsyncIterator[LookUp]:
    """A session and a `select` of the mapped class for each look-up."""
    engine = _engine(dsn)
    new_session = async_sessionmaker(engine, expire_on_commit=False)
    statement = select(MappedExchange).where(
        MappedExchange.enum_value == bindparam("enum_value"), MappedExchange.is_active
    )

    async def look_up() -> MappedExchange | None:
        async with new_session() as session:
            return await session.scalar(statement, {"enum_value": ENUM_VALUE})

    try:
        yield look_up
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_generated(dsn: Dsn) -> AsyncIterator[LookUp]:
    """The generated code on one AsyncConnection that stays open, which spares it the pool."""
    engine = _engine(dsn)
    async with engine.connect() as connection:

        async def look_up() -> models.Exchange | None:
            return await AsyncQuerier(connection).get_active_exchange_by_enum_value(enum_value=ENUM_VALUE)

        yield look_up
    await engine.dispose()
