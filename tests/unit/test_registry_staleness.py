"""What is too old raises from then on, though a proof has just come: of a question that was sent long before."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import RegistryStale
from exchanges_db.registry import kept
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.registry.state import Clock
from exchanges_db.uptime import uptime
from tests.registry_snapshots import place, snapshot, symbol

LIMIT = 20.0


def proven(registry: Registry, *, seconds_ago: float) -> None:
    """Tell it as the task that follows the database does."""
    following: Any = SimpleNamespace(proven_at=uptime() - seconds_ago, clock=Clock())
    registry._following = following
    registry._prove()


@pytest.fixture
async def registry() -> Any:
    made = Registry(Dsn(), settings=RegistrySettings(max_staleness=LIMIT))
    made._loop = asyncio.get_running_loop()
    made._move(snapshot(place(symbol())), None)
    yield made
    made._following = None
    await made.close()


async def test_a_proof_that_comes_too_late_makes_nothing_fresh(registry: Registry) -> None:
    """As of a load that took longer than that, or of a standby that shows what it received long ago."""
    proven(registry, seconds_ago=LIMIT + 1)
    with pytest.raises(RegistryStale, match="last proven to be fresh") as raised:
        registry.exchanges()
    assert raised.value.lag is not None
    assert LIMIT + 1 <= raised.value.lag < LIMIT + 10
    proven(registry, seconds_ago=LIMIT + 2)
    with pytest.raises(RegistryStale):
        registry.exchanges()
    proven(registry, seconds_ago=1)
    assert registry.exchanges()


@pytest.mark.parametrize(("seconds", "state"), [(4.5, "LIVE"), (5.5, "STALE")])
async def test_it_is_live_for_as_long_as_a_poll_and_an_answer_take(
    monkeypatch: pytest.MonkeyPatch, seconds: float, state: str
) -> None:
    """Whoever trades by `can_trade` does so for no longer after the last proof."""
    now = uptime()
    monkeypatch.setattr(kept, "uptime", lambda: now + seconds)
    made = Registry(Dsn(), settings=RegistrySettings(poll_interval=3, answer_timeout=2))
    made._loop = asyncio.get_running_loop()
    made._move(snapshot(place(symbol())), None)
    following: Any = SimpleNamespace(proven_at=now, clock=Clock())
    made._following = following
    made._prove()
    assert made.state == state
    made._following = None
    await made.close()


async def test_it_looks_again_when_the_proof_will_be_too_old(registry: Registry) -> None:
    proven(registry, seconds_ago=LIMIT - 5)
    assert registry.exchanges()
    assert registry._timer is not None
    assert registry._loop is not None
    assert 0 < registry._timer.when() - registry._loop.time() <= 5


async def test_what_was_proven_before_the_machine_slept_is_old(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timers, and the clock that they go by, stand still meanwhile; it is found out when it is asked, and by a poll."""
    proven(registry, seconds_ago=0)
    assert registry.state == "LIVE"
    monkeypatch.setattr(kept, "uptime", lambda: uptime() + 3600)
    assert registry.state == "STALE"
    assert registry.lag is not None
    assert 3600 <= registry.lag < 3610
    async with asyncio.timeout(5):
        while not registry._is_stale_told:
            await asyncio.sleep(0.01)
    with pytest.raises(RegistryStale):
        registry.exchanges()


@pytest.mark.parametrize(("raised", "why"), [(KeyError("ours"), "KeyError"), (asyncio.CancelledError(), "cancelled")])
async def test_a_registry_that_has_failed_says_so_wherever_it_is_asked(
    registry: Registry, raised: BaseException, why: str
) -> None:
    """Nothing connects again: whoever reads only that no answer has come would wait for one."""

    async def fail() -> None:
        raise raised

    proven(registry, seconds_ago=0)
    task = asyncio.ensure_future(fail())
    await asyncio.wait((task,))
    registry._end(task)
    assert why in (registry.stats().why_stale or "")
    for ask in (lambda: registry.snapshot, registry.exchanges):
        with pytest.raises(RegistryStale, match=f"the registry has failed: .*{why}"):
            ask()
