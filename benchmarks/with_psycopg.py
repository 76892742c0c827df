"""psycopg 3: its pool, autocommit, a row factory that calls the struct; it prepares the statement by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection
from psycopg.rows import args_row
from psycopg_pool import AsyncConnectionPool

from benchmarks.look_up import ENUM_VALUE, POOL_SIZE, PSYCOPG_SQL, LookUp, Row
from exchanges_db.database.dsn import Dsn


def connection_arguments(dsn: Dsn) -> dict[str, object]:
    """Return `dsn` in libpq's words."""
    arguments: dict[str, object] = {"dbname": dsn.database, "user": dsn.user, "sslmode": dsn.tls_mode(), **dsn.sslfiles}
    if dsn.hosts:
        arguments["host"], arguments["port"] = dsn.hosts[0]
    if dsn.password is not None:
        arguments["password"] = dsn.password.reveal()
    return {name: value for name, value in arguments.items() if value is not None}


@asynccontextmanager
async def open_pool(dsn: Dsn) -> AsyncIterator[LookUp]:
    """`pool.connection()` and `execute` for each look-up."""
    arguments = {**connection_arguments(dsn), "autocommit": True, "row_factory": args_row(Row)}
    async with AsyncConnectionPool[AsyncConnection[Row]](
        min_size=POOL_SIZE, max_size=POOL_SIZE, kwargs=arguments, open=False
    ) as pool:
        await pool.wait()

        async def look_up() -> object:
            async with pool.connection() as connection:
                cursor = await connection.execute(PSYCOPG_SQL, (ENUM_VALUE,))
                return await cursor.fetchone()

        yield look_up
