"""Connections that are lent again: never one too many, never a broken one, never one lost."""

import asyncio
import random
from collections.abc import AsyncIterator

import asyncpg
import pytest

from exchanges_db import Database, DatabaseUnavailable, ExchangeEnum, PoolTimeout, Settings, get_exchange_by_enum
from exchanges_db.database import lending
from exchanges_db.database.dsn import Dsn

SIZE = 4


@pytest.fixture
async def pool(dsn: Dsn) -> AsyncIterator[Database]:
    """A Database of four connections."""
    async with Database(dsn, Settings(pool_max=SIZE, acquire_timeout=10, command_timeout=10)) as database:
        yield database


@pytest.fixture
async def other(dsn: Dsn) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside the pool, to look and to kill with."""
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    yield connection
    await connection.close()


async def _look_up(pool: Database) -> None:
    exchange = await get_exchange_by_enum(ExchangeEnum.MEXC, db=pool)
    assert exchange is not None


async def _pids(other: asyncpg.Connection) -> set[int]:
    rows = await other.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'exchanges_db'"
    )
    return {row["pid"] for row in rows}


async def _expect_all_places_free(pool: Database) -> None:
    async with asyncio.timeout(10):
        await asyncio.gather(*(_look_up(pool) for _ in range(10 * SIZE)))
    assert pool._lender is not None
    assert pool._lender._busy == 0


async def test_a_clean_connection_is_lent_again(pool: Database, other: asyncpg.Connection) -> None:
    """One after the other, all look-ups use one connection; at once, at most as many as the pool has."""
    for _ in range(20):
        await _look_up(pool)
    assert len(await _pids(other)) == 1
    await asyncio.gather(*(_look_up(pool) for _ in range(100)))
    assert 1 < len(await _pids(other)) <= SIZE


async def test_a_connection_killed_while_kept_is_replaced(pool: Database, other: asyncpg.Connection) -> None:
    """Whether or not the loop had time to notice, the next look-up works, and no place is lost."""
    for wait in (True, False):
        await asyncio.gather(*(_look_up(pool) for _ in range(SIZE)))
        for pid in await _pids(other):
            await other.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        if wait:
            await asyncio.sleep(0.05)
        await _look_up(pool)
    await _expect_all_places_free(pool)


async def test_a_storm_of_cancellations_loses_no_place(pool: Database, other: asyncpg.Connection) -> None:
    """Cancelled at any instant, while waiting or while asking, a task takes no connection with it."""
    chance = random.Random(7)
    for _ in range(30):
        tasks = [asyncio.create_task(_look_up(pool)) for _ in range(20)]
        await asyncio.sleep(chance.random() * 0.004)
        for task in tasks:
            if chance.random() < 0.5:
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results), results
    await _expect_all_places_free(pool)
    assert len(await _pids(other)) <= SIZE


async def test_exhaustion_ends_in_pool_timeout_and_recovers(dsn: Dsn) -> None:
    """While all are in transactions a look-up waits its time and no longer; afterwards all is as before."""
    async with Database(dsn, Settings(pool_max=SIZE, acquire_timeout=1, command_timeout=10)) as pool:
        await _exhaust(pool)


async def _exhaust(pool: Database) -> None:
    release = asyncio.Event()

    async def hold() -> None:
        async with pool.transaction():
            await release.wait()

    holders = [asyncio.create_task(hold()) for _ in range(SIZE)]
    loop = asyncio.get_running_loop()
    while pool._lender is None or pool._lender._busy < SIZE:
        await asyncio.sleep(0)
    began = loop.time()
    with pytest.raises(PoolTimeout, match=f"all {SIZE} connections"):
        await _look_up(pool)
    assert 1 <= loop.time() - began < 1.9
    release.set()
    await asyncio.gather(*holders)
    await _expect_all_places_free(pool)


async def test_a_long_idle_connection_is_not_lent_again(
    pool: Database, other: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the idle limit it is closed and another one made."""
    await _look_up(pool)
    before = await _pids(other)
    monkeypatch.setattr(lending, "_IDLE_LIMIT", 0.0)
    await _look_up(pool)
    async with asyncio.timeout(10):
        while before & await _pids(other):
            await asyncio.sleep(0.01)
    await _expect_all_places_free(pool)


async def test_expired_connections_are_replaced_also_those_in_use(pool: Database, other: asyncpg.Connection) -> None:
    """After that no connection of before is used again."""
    await asyncio.gather(*(_look_up(pool) for _ in range(SIZE)))
    before = await _pids(other)
    assert pool._lender is not None
    async with pool.transaction():
        assert pool._lender._replace()
    await asyncio.gather(*(_look_up(pool) for _ in range(SIZE)))
    async with asyncio.timeout(10):
        while before & await _pids(other):
            await asyncio.sleep(0.01)
    await _expect_all_places_free(pool)


async def test_close_waits_for_a_look_up_and_leaves_no_connection(dsn: Dsn, other: asyncpg.Connection) -> None:
    """What is under way is finished; then every session is gone and a further call is a clear error."""
    pool = await Database(dsn, Settings(pool_max=SIZE)).open()
    await _look_up(pool)
    under_way = asyncio.create_task(_look_up(pool))
    await asyncio.sleep(0)
    await pool.close()
    await under_way
    async with asyncio.timeout(10):
        while await _pids(other):
            await asyncio.sleep(0.01)
    with pytest.raises(DatabaseUnavailable, match="is closed"):
        await _look_up(pool)
