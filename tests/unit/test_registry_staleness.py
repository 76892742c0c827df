"""What is too old raises from then on, though a proof has just come: of a question that was sent long before."""

import asyncio
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import RegistryStale
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.registry.state import Clock
from tests.stream_snapshots import place, snapshot, symbol

LIMIT = 20.0


def proven(registry: Registry, *, seconds_ago: float) -> None:
    """Tell it as the task that follows the database does."""
    following: Any = SimpleNamespace(proven_at=monotonic() - seconds_ago, clock=Clock())
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
    assert raised.value.lag == pytest.approx(LIMIT + 1, abs=0.9)
    proven(registry, seconds_ago=LIMIT + 2)
    with pytest.raises(RegistryStale):
        registry.exchanges()
    proven(registry, seconds_ago=1)
    assert registry.exchanges()


async def test_it_looks_again_when_the_proof_will_be_too_old(registry: Registry) -> None:
    proven(registry, seconds_ago=LIMIT - 5)
    assert registry.exchanges()
    assert registry._timer is not None
    assert registry._loop is not None
    assert 0 < registry._timer.when() - registry._loop.time() <= 5
