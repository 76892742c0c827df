"""The pauses between attempts to open a connection."""

import asyncio

from exchanges_db import DatabaseUnavailable
from exchanges_db.database import opening
from exchanges_db.database.counters import Counters
from exchanges_db.database.opening import Opener
from exchanges_db.database.session import Session


async def _refused(limit: float) -> Session:
    await asyncio.sleep(0)
    raise DatabaseUnavailable("refused") from ConnectionRefusedError()


async def test_attempts_that_fail_together_are_one_failure() -> None:
    """A pool of many connections that loses its server does not begin with the longest pause."""
    opener = Opener(_refused, Counters())
    before = asyncio.get_running_loop().time()
    until = before + 5
    assert await asyncio.gather(*(opener.open(until) for _ in range(20))) == [None] * 20
    assert opener._pause == 2 * opening._FIRST_PAUSE
    assert opener.not_before >= before + opening._FIRST_PAUSE / 2
    opener.not_before = float("inf")
    assert not opener.may_try()


async def test_pauses_grow_up_to_a_limit() -> None:
    """So that two seconds after a server is back the pool is, too, however long it was away."""
    opener = Opener(_refused, Counters())
    pauses = []
    for _ in range(10):
        opener.not_before = float("-inf")
        before = asyncio.get_running_loop().time()
        assert await opener.open(before + 5) is None
        pauses.append(opener.not_before - before)
    assert max(pauses) < 1
    assert max(pauses) > 2 * pauses[0]
