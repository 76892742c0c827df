"""Where our time above asyncpg by hand goes: the same look-up in steps, each with one more layer than the last.

Timed in turns like the contenders. `parts` times the two pieces that need no server, each by itself.
"""

from __future__ import annotations

import statistics
import timeit
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import sqlalchemy

from benchmarks import with_asyncpg
from benchmarks.figures import BASELINE, OURS
from benchmarks.look_up import ENUM, ENUM_VALUE, Contender, LookUp
from exchanges_db import StoredExchange, get_exchange_by_enum
from exchanges_db.database.bridge import bridge
from exchanges_db.database.dsn import Dsn
from exchanges_db.exchanges.look_ups import as_exchange
from exchanges_sql import models
from exchanges_sql.exchanges import GET_ACTIVE_EXCHANGE_BY_ENUM_VALUE, AsyncQuerier


@asynccontextmanager
async def open_bridge(dsn: Dsn) -> AsyncIterator[LookUp]:
    """Generated code on the bridge on one connection: its text(), its row by index, its dataclass."""
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())

    async def look_up() -> models.Exchange | None:
        return await AsyncQuerier(bridge(connection)).get_active_exchange_by_enum_value(enum_value=ENUM_VALUE)

    try:
        yield look_up
    finally:
        await connection.close()


@asynccontextmanager
async def open_checked(dsn: Dsn) -> AsyncIterator[LookUp]:
    """The same, and the row made into a validated Exchange."""
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())

    async def look_up() -> StoredExchange:
        row = await AsyncQuerier(bridge(connection)).get_active_exchange_by_enum_value(enum_value=ENUM_VALUE)
        return as_exchange(row)

    try:
        yield look_up
    finally:
        await connection.close()


@asynccontextmanager
async def open_public(dsn: Dsn) -> AsyncIterator[LookUp]:
    """The public function on one connection: it checks its argument and translates errors."""
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    try:
        yield lambda: get_exchange_by_enum(ENUM, db=connection)
    finally:
        await connection.close()


STEPS = (
    Contender(BASELINE, "asyncpg by hand, one connection", with_asyncpg.open_connection),
    Contender("bridge", "+ text(), bridge, generated dataclass", open_bridge),
    Contender("checked", "+ validated Exchange", open_checked),
    Contender("public", "+ argument check, error mapping", open_public),
    Contender(OURS, "+ default database: acquire, limit, release", with_asyncpg.open_ours),
)


async def parts(dsn: Dsn) -> dict[str, float]:
    """Return the microseconds of what needs no server: text() of the statement, and a row made into an Exchange."""
    async with open_bridge(dsn) as look_up:
        row = await look_up()
    return {
        "sqlalchemy.text()": _microseconds(lambda: sqlalchemy.text(GET_ACTIVE_EXCHANGE_BY_ENUM_VALUE)),
        "generated row to Exchange": _microseconds(lambda: as_exchange(row)),
    }


def _microseconds(piece: object) -> float:
    assert callable(piece)
    return statistics.median(timeit.repeat(piece, number=1000, repeat=15)) * 1000
