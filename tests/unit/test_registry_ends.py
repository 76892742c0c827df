"""However a registry ends, it answers nothing afterwards: what nobody keeps must not look as if it were kept."""

import asyncio
from datetime import UTC, datetime

import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import ConfigurationError, RegistryStale
from exchanges_db.registry.file import SavedSnapshot
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.state import RegistryState
from tests.registry_snapshots import place, snapshot, symbol

NOWHERE = Dsn(hosts=(("127.0.0.1", 1),), sslmode="disable")


async def opened() -> Registry:
    """One that began with what a file held, and whose database is away."""
    registry = Registry(NOWHERE)
    registry._begin_with(
        SavedSnapshot(snapshot=snapshot(place(symbol())), saved_at=datetime.now(UTC), made_by="a test")
    )
    return await registry.open()


async def test_a_close_that_was_cancelled_has_closed_it() -> None:
    """Look-ups do not go on with what nobody keeps any more."""
    registry = await opened()
    assert registry.exchanges()
    closing = asyncio.create_task(registry.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait((closing,))
    with pytest.raises(RegistryStale, match="closed"):
        registry.exchanges()
    await registry.close()
    assert registry.state is RegistryState.CLOSED


async def test_it_is_closed_twice_at_once_and_opened_no_more() -> None:
    registry = await opened()
    await asyncio.gather(registry.close(), registry.close())
    with pytest.raises(ConfigurationError, match="make a new one"):
        await registry.open()


async def test_a_close_while_it_loads_ends_the_load() -> None:
    registry = Registry(NOWHERE)
    opening = asyncio.create_task(registry.open())
    await asyncio.sleep(0.05)
    await registry.close()
    with pytest.raises(RegistryStale, match="closed"):
        await opening


async def test_a_task_that_somebody_has_ended_is_no_silence() -> None:
    """As a framework that cancels all tasks does: look-ups and streams say so, and nobody waits for ever."""
    registry = await opened()
    stream = registry.changes()
    assert registry._task is not None
    registry._task.cancel()
    await asyncio.wait((registry._task,))
    with pytest.raises(RegistryStale, match="cancelled"):
        await anext(stream)
    with pytest.raises(RegistryStale, match="cancelled"):
        registry.exchanges()
    with pytest.raises(RegistryStale):
        await asyncio.wait_for(registry.refresh(), 5)
    await registry.close()


async def test_whoever_waits_while_somebody_ends_its_task_is_told() -> None:
    registry = await opened()
    refreshing = asyncio.create_task(registry.refresh())
    await asyncio.sleep(0)
    assert registry._task is not None
    registry._task.cancel()
    with pytest.raises(RegistryStale):
        await asyncio.wait_for(refreshing, 5)
    await registry.close()


async def test_whoever_waits_for_a_proof_is_told_of_a_close_that_was_cancelled() -> None:
    """As where a time limit ends the `with`: nobody else would wake those who wait."""
    registry = await opened()
    refreshing = asyncio.create_task(registry.refresh())
    await asyncio.sleep(0)
    closing = asyncio.create_task(registry.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait((closing,))
    assert closing.cancelled()
    with pytest.raises(RegistryStale, match="closed"):
        await asyncio.wait_for(refreshing, 5)
