"""How soon at the latest a registry has what nothing told it of: a poll and the time in which an answer is due."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import asyncpg
import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.registry import kept
from exchanges_db.registry.attempts import _FIRST_PAUSE as FIRST_PAUSE
from exchanges_db.registry.following import Following
from exchanges_db.registry.registry import Registry
from tests.factories import connected
from tests.registry_history import RecordedRegistry, Writers, broken
from tests.toxic_proxy import toxic_proxy

pytestmark = pytest.mark.faults
POLL, ANSWER = 0.4, 0.8
BOUND = 1.1 * (POLL + ANSWER)
SETTINGS: dict[str, Any] = {"poll_interval": POLL, "answer_timeout": ANSWER}
LONG = 30.0
STAMP = "SELECT pg_get_functiondef('registry_stamp'::regproc)"
HINT = "PERFORM pg_notify('exchanges_db_changed', own_epoch || ':' || own_token)"


class NeverPoll(Following):
    """What no notification tells of is never seen."""

    async def _wait(self, until: float) -> bool:
        return await super()._wait(until + 3600)


class NoAnswerIsDue(Following):
    """However long a server is silent, it is waited for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "answer_timeout": 3600})


class Beside:
    """How long it takes others to connect, listen and load meanwhile, which is the machine's fault alone."""

    def __init__(self, dsn: Dsn) -> None:
        self._dsn = dsn
        self.longest = 0.0

    async def measure(self) -> None:
        """Go on until it is cancelled."""
        while True:
            began = monotonic()
            async with Registry(self._dsn):
                self.longest = max(self.longest, monotonic() - began)
            await asyncio.sleep(0.05)


@asynccontextmanager
async def beside(dsn: Dsn) -> AsyncIterator[Beside]:
    one = Beside(dsn)
    task = asyncio.create_task(one.measure())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def write(other: asyncpg.Connection, name: str) -> float:
    """Return when it was committed, at the latest."""
    await other.execute("UPDATE exchanges SET display_name = $1 WHERE id = 1", name)
    return monotonic()


async def seen(registry: RecordedRegistry, name: str, *, within: float) -> float | None:
    """Return when the registry went to it; None where it did not in time."""
    try:
        async with asyncio.timeout(within):
            while registry.recorder.held[-1].values[1] != name:
                registry.claim()
                await asyncio.sleep(0.002)
    except TimeoutError:
        return None
    return next(one.at for one in registry.recorder.held if one.values[1] == name)


@pytest.mark.parametrize("kind", [Following, NeverPoll])
async def test_what_no_notification_told_of_is_there_within_a_poll_and_an_answer(
    dsn: Dsn, monkeypatch: pytest.MonkeyPatch, kind: type[Following]
) -> None:
    """Commits send none, and LISTEN succeeds. At any moment between two polls."""
    monkeypatch.setattr(kept, "Following", kind)
    async with connected(dsn) as other, RecordedRegistry(dsn, **SETTINGS) as registry:
        source = await other.fetchval(STAMP)
        assert HINT in source
        await other.execute(source.replace(HINT, "NULL"))
        for number in range(6):
            await asyncio.sleep(number * POLL / 6)
            written = await write(other, f"untold {number}")
            at = await seen(registry, f"untold {number}", within=LONG if kind is Following else BOUND)
            if kind is NeverPoll:
                assert at is None
                return
            assert at is not None
            assert at - written <= BOUND
            assert not [claim for claim in registry.claims if written < claim.since and claim.at < at]
        assert (registry.stats().hints, registry.stats().listening) == (0, True)


@pytest.mark.parametrize("kind", [Following, NoAnswerIsDue])
async def test_a_listener_that_is_dead_is_left_within_a_poll_and_an_answer(
    dsn: Dsn, monkeypatch: pytest.MonkeyPatch, kind: type[Following]
) -> None:
    """Nothing says so: what it sends vanishes, and nothing comes. The age never says less, all the while."""
    monkeypatch.setattr(kept, "Following", kind)
    async with (
        toxic_proxy(dsn) as (proxy, through),
        beside(dsn) as others,
        RecordedRegistry(through, **SETTINGS) as registry,
    ):
        async with connected(dsn) as other:
            for number in range(4):
                await registry.refresh()
                await asyncio.sleep(number * POLL / 4)
                proxy.forget()
                written = await write(other, f"after it died {number}")
                pause = FIRST_PAUSE * 2**number  # before it connects again; longer while connections do not last
                within = LONG if kind is Following else BOUND + pause + others.longest
                at = await seen(registry, f"after it died {number}", within=within)
                if kind is NoAnswerIsDue:
                    assert at is None
                    return
                assert at is not None
                assert at - written <= BOUND + pause + others.longest
                assert not [claim for claim in registry.claims if written < claim.since and claim.at < at]
        assert registry.stats().losses >= 4


async def test_the_age_is_at_most_a_poll_and_an_answer_while_all_is_well(dsn: Dsn) -> None:
    """It is LIVE all the time, and each claim is at most so old; writers write as fast as they can."""
    settings: dict[str, Any] = {"poll_interval": 0.2, "answer_timeout": 2.0}
    async with Writers(dsn) as writers, RecordedRegistry(dsn, **settings) as registry:
        polls = registry.stats().polls
        async with asyncio.timeout(LONG):
            while registry.stats().polls < polls + 8:
                registry.claim()
                assert registry.state == "LIVE"
                await asyncio.sleep(0.005)
        await writers.end()
        await registry.refresh()
        assert max(claim.at - claim.since for claim in registry.claims) <= 1.1 * 2.2
        assert broken(await writers.history(registry)) == {}
