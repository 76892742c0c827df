"""Valid objects to start a test from, and the strategies and settings of the property tests."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC
from typing import Any

import asyncpg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from exchanges_db import Database, Exchange, ExchangeEnum, MarketType, get_exchange_stats
from exchanges_db.database.dsn import Dsn
from tests.servers import until

_numbers = itertools.count(1)

# Text of every kind: controls, surrogates, letters beyond the first plane.
ANY_TEXT = st.text(st.characters(), max_size=120)
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**63, 2**31, 2**15, 0, -1]),
    st.floats(),
    ANY_TEXT,
    st.binary(max_size=5),
    st.sampled_from([*MarketType, *ExchangeEnum]),
    st.sampled_from(["https://a", "wss://a", "ftp://a", "https://", "ws:///x", "https://a b", "SPOT", "spot"]),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.lists(st.integers(), max_size=2),
    st.builds(object),
)


def property_settings(max_examples: int) -> settings:
    """The same examples in every run; a fixture that lives for all of them is meant to."""
    return settings(
        max_examples=max_examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def exchange_fields(**overrides: Any) -> dict[str, Any]:
    """Keywords for an Exchange that no other test and no migration has."""
    name = f"TEST_{next(_numbers)}"
    return {"name": name, "enum_value": name, "display_name": "A test", "market_type": "SPOT", **overrides}


def an_exchange(**overrides: Any) -> Exchange:
    """An Exchange that can be inserted."""
    return Exchange(**exchange_fields(**overrides))


@asynccontextmanager
async def connected(dsn: Dsn, **arguments: Any) -> AsyncIterator[asyncpg.Connection]:
    """A plain asyncpg connection to `dsn`, closed at the end."""
    connection = await asyncpg.connect(**{**dsn.asyncpg_arguments(), **arguments})
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def sqlalchemy_connected(dsn: Dsn, **options: Any) -> AsyncIterator[AsyncConnection]:
    """A genuine SQLAlchemy AsyncConnection to `dsn`."""
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(**dsn.asyncpg_arguments()), **options
    )
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def row_count(db: Database) -> int:
    """How many exchanges there are."""
    return (await get_exchange_stats(db=db))["total_exchanges"]


_WAIT_FOR_US = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"


async def cancel_waiting(work: Coroutine[Any, Any, object], holder: asyncpg.Connection) -> None:
    """Begin it, and cancel it once its statement waits for a lock that `holder` has, and so was sent for certain."""

    async def waiting() -> bool:
        # pg_locks is always of this moment; pg_stat_activity would stay as a transaction has seen it first.
        return bool(await holder.fetchval(_WAIT_FOR_US))

    async def none_waiting() -> bool:
        return not await waiting()

    await until(none_waiting, what="nobody waits any more")
    task = asyncio.ensure_future(work)
    await until(waiting, what="the statement waits")
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
