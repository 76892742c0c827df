"""Who gets which connection when several things go wrong at once, tried on connections that are none."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import asyncpg
import pytest

from exchanges_db import AccessDenied, DatabaseUnavailable
from exchanges_db.database import opening
from exchanges_db.database.counters import Counters
from exchanges_db.database.lending import AllLent, Lender
from exchanges_db.database.session import Session
from exchanges_db.database.verdicts import Consequence


class _Fake:
    """As much of a session as a Lender asks for."""

    is_altered = False
    born = 0.0

    def __init__(self) -> None:
        self.closed = False
        self.answer = asyncio.Event()

    def is_closed(self) -> bool:
        return self.closed

    def is_in_transaction(self) -> bool:
        return False

    def has_news(self) -> bool:
        return False

    def terminate(self) -> None:
        self.closed = True

    async def end(self, limit: float) -> None:
        self.closed = True

    async def execute(self, sql: str) -> None:
        await self.answer.wait()


class _Server:
    """Opens connections; while it is `full` it refuses them."""

    def __init__(self) -> None:
        self.full = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def connect(self, limit: float) -> Session:
        await self.may_answer.wait()
        if self.full:
            raise DatabaseUnavailable("full") from asyncpg.TooManyConnectionsError()
        return cast("Session", _Fake())


def _lender(server: _Server, ceiling: int) -> Lender:
    return Lender(server.connect, floor=0, ceiling=ceiling, limit=5, counters=Counters())


async def _soon(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_a_place_that_comes_too_late_for_one_is_the_next_ones() -> None:
    """Who is woken at the end of his time passes on what he was woken for."""
    lender = _lender(_Server(), 1)
    session = await lender.acquire(1)
    first = asyncio.create_task(lender.acquire(0.05))
    second = asyncio.create_task(lender.acquire(2))
    await _soon(lambda: len(lender._queue) == 2)
    until = lender._clock() + 0.06
    lender.drop(session)  # wakes the first, who comes to look when his time is over
    while lender._clock() < until:
        pass
    with pytest.raises(AllLent):
        await first
    async with asyncio.timeout(0.5):
        await second


async def test_whoever_waits_looks_when_the_next_attempt_may_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the first of them, who would have looked, has got a connection meanwhile."""
    monkeypatch.setattr(opening, "_FIRST_PAUSE", 0.05)
    server = _Server()
    lender = _lender(server, 2)
    kept = await lender.acquire(1)
    server.full = True
    lender._opener._succeeded = False
    server.may_answer.clear()
    waiting = [asyncio.create_task(lender.acquire(2)) for _ in range(3)]  # one attempts, two wait for that
    await _soon(lambda: len(lender._queue) == 2)
    server.may_answer.set()
    await _soon(lambda: lender._opener.failure)
    server.full = False
    lender.keep(kept)
    async with asyncio.timeout(0.5):
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in waiting if task.done()]:
            task.cancel()  # he keeps it
        await _soon(lambda: sum(task.done() for task in waiting) >= 2)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_where_the_server_is_full_an_idle_connection_will_do_for_a_repetition() -> None:
    """It has answered since the other was lost."""
    server = _Server()
    lender = _lender(server, 2)
    lost, kept = await lender.acquire(1), await lender.acquire(1)
    assert lender.learn(lost, Consequence.LOST)
    lender.drop(lost)
    server.full = True
    server.may_answer.clear()
    again = asyncio.create_task(lender.acquire(2, new=True))
    await asyncio.sleep(0)
    lender.keep(kept)
    server.may_answer.set()
    async with asyncio.timeout(0.5):
        assert await again is kept


async def test_what_was_being_opened_or_asked_is_replaced_with_the_others() -> None:
    """It may lead to the server that was the primary before, as those do that were in use."""
    server = _Server()
    lender = _lender(server, 3)
    idle, used = await lender.acquire(1), await lender.acquire(1)
    lender.keep(idle)
    lender._doubted = lender._clock()
    asked = asyncio.create_task(lender.acquire(1))
    await asyncio.sleep(0)
    server.may_answer.clear()
    opened = asyncio.create_task(lender.acquire(1))
    await asyncio.sleep(0)
    assert lender.learn(used, Consequence.READ_ONLY)
    cast("_Fake", idle).answer.set()
    server.may_answer.set()
    for session in await asyncio.gather(asked, opened):
        assert lender.learn(session, Consequence.READ_ONLY)  # another may do better
        lender.keep(session)
    lender.keep(used)
    assert lender.occupancy().idle == 0


async def test_a_connection_that_is_being_asked_is_closed_with_the_others() -> None:
    """At the end of the limit, and nobody gets it."""
    lender = _lender(_Server(), 1)
    session = await lender.acquire(1)
    lender.keep(session)
    lender._doubted = lender._clock()
    asked = asyncio.create_task(lender.acquire(5))
    await asyncio.sleep(0)
    await lender.close(0.01)
    assert session.is_closed()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)


async def test_a_refusal_that_took_longer_than_the_pause_is_tried_again() -> None:
    """As over a slow line: the pause is over when the answer comes, and nobody else would wake who waits."""
    server, attempts = _Server(), 0

    async def connect(limit: float) -> Session:
        nonlocal attempts
        attempts += 1
        await asyncio.sleep(0.1)
        server.full = attempts < 3
        return await server.connect(limit)

    lender = Lender(connect, floor=0, ceiling=2, limit=5, counters=Counters())
    async with asyncio.timeout(4):  # less than that
        await lender.acquire(5)
    assert attempts == 3


async def test_who_waits_while_an_attempt_fails_takes_what_came_back_meanwhile() -> None:
    """Not when the next attempt may be made."""
    server = _Server()
    lender = _lender(server, 2)
    kept = await lender.acquire(1)
    server.full = True
    server.may_answer.clear()
    waiting = asyncio.create_task(lender.acquire(2))
    await asyncio.sleep(0)
    lender.keep(kept)
    lender._opener._pause = 100
    server.may_answer.set()
    async with asyncio.timeout(0.5):
        assert await waiting is kept


async def test_whoever_waits_learns_of_a_login_that_is_refused() -> None:
    """Not that all connections were in use, of which there is none."""

    async def refuse(limit: float) -> Session:
        raise AccessDenied("no such password", sqlstate="28P01") from asyncpg.InvalidPasswordError()

    lender = Lender(refuse, floor=0, ceiling=2, limit=0.2, counters=Counters())
    errors = await asyncio.gather(*(lender.acquire(0.2) for _ in range(20)), return_exceptions=True)
    assert {(type(error), str(error)) for error in errors} == {(AccessDenied, "no such password")}
    assert len({id(error) for error in errors}) == 20


async def test_a_pause_that_ends_while_it_is_looked_at_is_over() -> None:
    """A coarse clock, as uvloop's, makes that likely; nobody else would wake who waits."""
    server = _Server()
    server.full = True
    lender = _lender(server, 1)
    lender._opener._clock = lambda: lender._clock() - 0.005
    waiting = asyncio.create_task(lender.acquire(2))
    await _soon(lambda: lender._opener.failure)
    server.full = False
    async with asyncio.timeout(0.5):
        await waiting


async def test_whoever_waits_for_an_attempt_that_is_not_answered_is_not_told_that_all_are_in_use() -> None:
    """None is: it is the server that says nothing."""
    server = _Server()
    server.may_answer.clear()
    lender = _lender(server, 4)
    first = asyncio.create_task(lender.acquire(30))
    await _soon(lambda: lender._opener.opening)
    with pytest.raises(DatabaseUnavailable, match="has not answered yet"):
        await lender.acquire(0.02)
    first.cancel()
    await asyncio.wait((first,))
