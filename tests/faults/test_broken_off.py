"""Connections that break off, at any byte: what was acknowledged is there, and nothing else, and nothing twice."""

import asyncio
import random

import pytest

from exchanges_db import Database, Settings, get_all_exchanges, insert_exchange
from exchanges_db.database.dsn import Dsn
from tests.factories import an_exchange, row_count
from tests.faults.counter import raise_counter, raises_in_trail, read_counter
from tests.faults.history import History, Outcome
from tests.toxic_proxy import How, ToxicProxy, Way, toxic_proxy

WRITES = 200
LIMITS = Settings(pool_min=1, pool_max=4, connect_timeout=1, acquire_timeout=2, command_timeout=1)


def _cut_somewhere(chance: random.Random, proxy: ToxicProxy, hows: tuple[How, ...]) -> None:
    """A write is some 300 bytes there and 100 back, a login some 1,000: anything in them may be the last."""
    way: Way = chance.choice(("forth", "back"))
    proxy.cut(chance.randrange(1200), chance.choice(hows), way)


async def _insert(history: History, database: Database, number: int) -> None:
    name = f"TEST_{number}"
    await history.write(name, insert_exchange(an_exchange(name=name), db=database))


async def _rows(dsn: Dsn) -> list[str]:
    async with Database(dsn) as database:
        return [each.name for each in await get_all_exchanges(db=database) if each.name.startswith("TEST_")]


@pytest.mark.parametrize("seed", range(2))
async def test_two_hundred_writes_and_a_reset_at_any_byte(dsn: Dsn, seed: int) -> None:
    """One after the other, so that each cut meets a write or the login before it."""
    chance, history = random.Random(seed), History()
    async with toxic_proxy(dsn) as (proxy, through), Database(through, LIMITS) as database:
        for number in range(WRITES):
            if not proxy.cut_is_due:
                _cut_somewhere(chance, proxy, ("reset", "close"))
            await _insert(history, database, number)
        proxy.heal()
        await row_count(database)
    assert history.faults_in_rows(await _rows(dsn)) == []
    said = history.counted()
    assert said[Outcome.OK] > WRITES / 2
    assert said[Outcome.UNKNOWN] > 5


@pytest.mark.faults
async def test_eight_writers_at_once_and_a_reset_or_a_silence_at_any_byte(dsn: Dsn) -> None:
    """Readers beside them are told only of a server that cannot be reached in time, if of anything."""
    chance, history = random.Random(3), History()
    numbers = iter(range(WRITES))
    limits = Settings(pool_min=1, pool_max=4, connect_timeout=0.5, acquire_timeout=2, command_timeout=0.5)
    async with toxic_proxy(dsn) as (proxy, through), Database(through, limits) as database:

        async def write() -> None:
            for number in numbers:
                if not proxy.cut_is_due:
                    _cut_somewhere(chance, proxy, ("reset", "close", "silence"))
                await _insert(history, database, number)
                await history.read("rows", row_count(database))

        await asyncio.gather(*(write() for _ in range(8)))
        proxy.heal()
        await row_count(database)
    assert history.faults_in_rows(await _rows(dsn)) == []
    assert history.faults_in_reads(3) == []
    assert history.counted()[Outcome.OK] > WRITES / 2


async def test_edits_lose_nothing_while_connections_break_off(dsn: Dsn) -> None:
    """A counter is raised by who read its version; the trail has an entry for each that happened, and no other."""
    chance, history = random.Random(5), History()
    async with toxic_proxy(dsn) as (proxy, through), Database(through, LIMITS) as database:
        before, entries = await read_counter(database), await raises_in_trail(database)

        async def edit() -> None:
            for _ in range(15):
                if not proxy.cut_is_due:
                    _cut_somewhere(chance, proxy, ("reset", "close"))
                await history.write("counter", raise_counter(database))

        await asyncio.gather(*(edit() for _ in range(4)))
        proxy.heal()
        after = await read_counter(database)
        assert await raises_in_trail(database) - entries == after - before
    assert history.faults_in_counter(before, after) == []
    assert history.counted()[Outcome.OK] > 10


@pytest.mark.parametrize("pieces", [1, 3])
async def test_answers_in_small_pieces_are_answers(dsn: Dsn, pieces: int) -> None:
    """A network may cut anything into segments of any size."""
    async with toxic_proxy(dsn) as (proxy, through):
        proxy.slices = pieces
        async with Database(through, Settings(pool_min=0)) as database:
            assert len(await get_all_exchanges(db=database)) == 3
            assert await insert_exchange(an_exchange(), db=database)


@pytest.mark.parametrize("way", ["forth", "back"])
async def test_a_half_closed_connection_is_replaced(dsn: Dsn, way: Way) -> None:
    """One direction ended while it was idle: the read that meets it is repeated, and what follows goes to a new one."""
    async with toxic_proxy(dsn) as (proxy, through), Database(through, LIMITS) as database:
        await row_count(database)
        proxy.half_close(way)
        assert await row_count(database) == 3
        assert await insert_exchange(an_exchange(), db=database)
        assert await row_count(database) == 4
