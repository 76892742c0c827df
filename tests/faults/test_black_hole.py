"""A network that swallows everything: each call ends in time, nothing is claimed that is not known, and it heals."""

import asyncio
import time
from collections.abc import Awaitable

import pytest

from exchanges_db import (
    Database,
    DatabaseUnavailable,
    ExchangesDBError,
    QueryCancelled,
    Settings,
    get_all_exchanges,
    insert_exchange,
    update_exchange,
)
from exchanges_db.database import lending
from exchanges_db.database.dsn import Dsn
from tests.factories import an_exchange, connected, row_count
from tests.faults.history import History, Outcome
from tests.toxic_proxy import Way, toxic_proxy

# An attempt to connect that is never answered ends long before whoever waits for it gives up.
SHORT = Settings(pool_min=3, pool_max=3, connect_timeout=0.5, acquire_timeout=1.5, command_timeout=1)
LONGEST = 3 * 1.2 * (SHORT.acquire_timeout + SHORT.command_timeout)


async def _timed(work: Awaitable[object]) -> tuple[float, object]:
    began = time.monotonic()
    try:
        result = await work
    except ExchangesDBError as exc:
        result = exc
    return time.monotonic() - began, result


@pytest.mark.faults
@pytest.mark.parametrize("ways", [("forth", "back"), ("forth",), ("back",)])
async def test_nine_workers_live_through_a_black_hole(dsn: Dsn, ways: tuple[Way, ...]) -> None:
    """Each call ends within its limits; the first after it works; the pool has its size again, and closes at once."""
    during: list[tuple[float, object]] = []
    async with toxic_proxy(dsn) as (proxy, through), connected(dsn) as other:
        database = await Database(through, SHORT).open()
        ready, begin, healed = asyncio.Barrier(10), asyncio.Event(), asyncio.Event()

        async def work() -> None:
            await get_all_exchanges(db=database)
            await ready.wait()
            await begin.wait()
            while not healed.is_set():
                during.append(await _timed(get_all_exchanges(db=database)))

        workers = [asyncio.create_task(work()) for _ in range(9)]
        await ready.wait()
        proxy.swallow(*ways)
        begin.set()
        while len(during) < 9:
            await asyncio.sleep(0.01)
        proxy.heal()
        took, first = await _timed(get_all_exchanges(db=database))
        assert isinstance(first, list)
        assert took < SHORT.acquire_timeout + SHORT.command_timeout
        healed.set()
        async with asyncio.timeout(LONGEST):
            await asyncio.gather(*workers)
        assert max(took for took, _ in during) < LONGEST
        assert all(isinstance(result, list | QueryCancelled | DatabaseUnavailable) for _, result in during)
        await asyncio.gather(*(row_count(database) for _ in range(9)))
        open_now = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'exchanges_db' AND datname = $1"
        async with asyncio.timeout(5):
            while await other.fetchval(open_now, dsn.database) > SHORT.pool_max:
                await asyncio.sleep(0.01)
            while database.stats().open < SHORT.pool_min:
                await asyncio.sleep(0.01)
        took, _ = await _timed(database.close())
        assert took < 1


async def test_a_callers_own_time_limit_holds(dsn: Dsn) -> None:
    """Not the command's: the connection is ended, not waited for; and what is inside a transaction is no slower."""
    settings = Settings(pool_min=2, pool_max=3, connect_timeout=5, acquire_timeout=5, command_timeout=5)
    loop = asyncio.get_running_loop()
    async with toxic_proxy(dsn) as (proxy, through), Database(through, settings) as database:
        await asyncio.gather(row_count(database), row_count(database))
        proxy.silent = True
        began = loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await get_all_exchanges(db=database)
        assert loop.time() - began < settings.command_timeout / 2
        proxy.silent = False
        assert await row_count(database) == 3
        with pytest.raises(TimeoutError):  # noqa: PT012  # the limit passes inside the block
            async with asyncio.timeout(None) as limit, database.transaction() as transaction:
                proxy.silent = True
                began = loop.time()
                limit.reschedule(began + 0.2)
                await update_exchange(1, {"display_name": "Never"}, db=transaction)
        assert loop.time() - began < settings.command_timeout / 2
        proxy.silent = False
        assert await row_count(database) == 3


async def test_a_read_takes_no_longer_than_its_limit(dsn: Dsn) -> None:
    """It is not repeated for another round of the same silence."""
    settings = Settings(pool_min=1, pool_max=2, connect_timeout=1, acquire_timeout=1, command_timeout=1)
    async with toxic_proxy(dsn) as (proxy, through), Database(through, settings) as database:
        await row_count(database)
        proxy.silent = True
        took, result = await _timed(get_all_exchanges(db=database))
        assert isinstance(result, QueryCancelled | DatabaseUnavailable)
        assert took < settings.acquire_timeout + settings.command_timeout + 0.7


async def test_first_calls_to_a_silent_server_fail_together(dsn: Dsn) -> None:
    """They share one attempt to open; the last does not wait for the failures of all before it."""
    settings = Settings(pool_min=1, pool_max=8, connect_timeout=1, acquire_timeout=1)
    async with toxic_proxy(dsn) as (proxy, through):
        proxy.mute = True
        database = Database(through, settings)
        results = await asyncio.gather(*(_timed(get_all_exchanges(db=database)) for _ in range(20)))
        assert all(isinstance(result, DatabaseUnavailable) for _, result in results)
        assert max(took for took, _ in results) < 1.9 * settings.acquire_timeout
        proxy.mute = False
        assert await row_count(database) == 3
        await database.close()


@pytest.mark.parametrize("before", [0.1, 0.6, 1.1, 1.6, 2.2])
async def test_the_first_call_after_a_hole_works(dsn: Dsn, before: float) -> None:
    """Whatever attempt to open is still under way then and will never be answered, and however many failed before."""
    settings = Settings(pool_min=1, pool_max=8, connect_timeout=1, acquire_timeout=1, command_timeout=1)
    async with toxic_proxy(dsn) as (proxy, through), Database(through, settings) as database:
        await row_count(database)
        proxy.mute = True
        proxy.forget()
        calls = [asyncio.create_task(_timed(get_all_exchanges(db=database)))]
        until = time.monotonic() + before
        while time.monotonic() < until:
            calls.append(asyncio.create_task(_timed(get_all_exchanges(db=database))))
            await asyncio.sleep(0.02)
        accepted = proxy.accepted
        proxy.heal()
        assert await row_count(database) == 3
        await asyncio.gather(*calls)
    # While attempts succeed any number may begin; then at least half of the pause lies between the begins of two.
    assert accepted <= 1 + settings.pool_max + before / (0.5 * settings.acquire_timeout / 3)


@pytest.mark.parametrize("way", ["forth", "back"])
async def test_a_write_that_timed_out_is_not_called_undone_when_it_may_be_done(dsn: Dsn, way: Way) -> None:
    """Where only the answers are swallowed the row is there, and its writer must not hear that nothing was written."""
    history = History()
    settings = Settings(pool_min=0, pool_max=3, connect_timeout=1, acquire_timeout=1, command_timeout=1)
    async with toxic_proxy(dsn) as (proxy, through), Database(through, settings) as database:
        await insert_exchange(an_exchange(name="BEFORE"), db=database)
        proxy.swallow(way)
        # The connection is in use just before, so that no ping saves the write.
        await history.write("TEST_IN_A_HOLE", insert_exchange(an_exchange(name="TEST_IN_A_HOLE"), db=database))
        proxy.heal()
        names = [each.name for each in await get_all_exchanges(db=database) if each.name.startswith("TEST_")]
    assert history.faults_in_rows(names) == []
    assert (names == []) is (way == "forth")


async def test_after_a_firewall_forgot_its_flows_no_read_fails_and_few_writes(dsn: Dsn) -> None:
    """A write is preceded by a ping on a connection that was idle for a second; one dead one tells about the others."""
    history = History()
    settings = Settings(pool_min=4, pool_max=4, connect_timeout=5, acquire_timeout=5, command_timeout=1)
    async with toxic_proxy(dsn) as (proxy, through), Database(through, settings) as database:
        await asyncio.gather(*(row_count(database) for _ in range(8)))
        proxy.forget()
        # A time limit of the client's: from then on the others are doubtful, and asked before they are used.
        took, first = await _timed(get_all_exchanges(db=database))
        assert isinstance(first, list | QueryCancelled | DatabaseUnavailable)
        assert took < 3 * settings.command_timeout
        for number in range(10):
            assert len(await get_all_exchanges(db=database)) == 3 + number
            name = f"TEST_FORGOTTEN_{number}"
            await history.write(name, insert_exchange(an_exchange(name=name), db=database))
        assert history.counted() == {Outcome.OK: 10}


async def test_a_write_after_an_idle_second_survives_forgotten_flows(dsn: Dsn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ping finds out, and the write goes to a new connection: sent once, acknowledged."""
    history = History()
    settings = Settings(pool_min=4, pool_max=4, connect_timeout=2, acquire_timeout=5, command_timeout=5)
    async with toxic_proxy(dsn) as (proxy, through), Database(through, settings) as database:
        await asyncio.gather(*(row_count(database) for _ in range(8)))
        proxy.forget()
        monkeypatch.setattr(lending, "_SURE", 0.0)  # seconds after which a connection is pinged before a write
        for number in range(8):
            name = f"TEST_IDLE_{number}"
            await history.write(name, insert_exchange(an_exchange(name=name), db=database))
        names = [each.name for each in await get_all_exchanges(db=database) if each.name.startswith("TEST_IDLE")]
    assert history.counted() == {Outcome.OK: 8}
    assert history.faults_in_rows(names) == []
