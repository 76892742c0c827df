"""Ours, and asyncpg by hand: on one connection kept for it, and on a pool as asyncpg makes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from benchmarks.look_up import ASYNCPG_SQL, ENUM, ENUM_VALUE, POOL_SIZE, LookUp, Row
from exchanges_db import close_default_database, get_exchange_by_enum
from exchanges_db.database.dsn import Dsn


@asynccontextmanager
async def open_ours(dsn: Dsn) -> AsyncIterator[LookUp]:
    """`get_exchange_by_enum` as an application calls it: the default database, found in DATABASE_URL."""
    try:
        yield lambda: get_exchange_by_enum(ENUM)
    finally:
        await close_default_database()


@asynccontextmanager
async def open_connection(dsn: Dsn) -> AsyncIterator[LookUp]:
    """One connection, its statement prepared by asyncpg's cache; the struct's constructor checks nothing."""
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())

    async def look_up() -> Row:
        row = await connection.fetchrow(ASYNCPG_SQL, ENUM_VALUE)
        assert row is not None
        return Row(*row)

    try:
        yield look_up
    finally:
        await connection.close()


@asynccontextmanager
async def open_pool(dsn: Dsn) -> AsyncIterator[LookUp]:
    """A pool with asyncpg's defaults: it resets each connection that is given back, which is a round trip."""
    async with asyncpg.create_pool(min_size=POOL_SIZE, max_size=POOL_SIZE, **dsn.asyncpg_arguments()) as pool:

        async def look_up() -> Row:
            row = await pool.fetchrow(ASYNCPG_SQL, ENUM_VALUE)
            assert row is not None
            return Row(*row)

        yield look_up


@asynccontextmanager
async def open_pool_without_reset(dsn: Dsn) -> AsyncIterator[LookUp]:
    """The same pool without that reset: so is the pool underneath our own."""

    async def no_reset(connection: object) -> None:
        pass

    async with asyncpg.create_pool(
        min_size=POOL_SIZE, max_size=POOL_SIZE, reset=no_reset, **dsn.asyncpg_arguments()
    ) as pool:

        async def look_up() -> Row:
            row = await pool.fetchrow(ASYNCPG_SQL, ENUM_VALUE)
            assert row is not None
            return Row(*row)

        yield look_up
