"""A registry beside a real server: it loads, follows, says how fresh it is, and ends."""

import asyncio
import time

import pytest

from exchanges_db import Database, deactivate_exchange, get_all_exchanges, hold_exchange
from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import DatabaseUnavailable, RegistryStale
from exchanges_db.registry.registry import Registry, RegistrySettings
from exchanges_db.registry.state import RegistryState
from tests.factories import connected

QUICK = RegistrySettings(poll_interval=0.2, answer_timeout=0.5)


async def until(condition, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def test_a_change_anywhere_is_seen_within_milliseconds(stocked_dsn: Dsn) -> None:
    async with Registry(stocked_dsn) as registry, Database(stocked_dsn) as db:
        assert registry.state is RegistryState.LIVE
        place = next(iter(registry.snapshot.places))
        took = []
        for round_ in range(20):
            await hold_exchange(place, reason=f"round {round_}", db=db)
            began = time.monotonic()
            await until(
                lambda: (
                    registry.snapshot.places[place].holds.get(None) is not None
                    and registry.snapshot.places[place].holds[None].reason == f"round {round_}"
                )
            )
            took.append(time.monotonic() - began)
        print(sorted(took)[10], max(took), registry.stats())
        for exchange in await get_all_exchanges(db=db):
            await deactivate_exchange(exchange.id, db=db)
        await registry.refresh()
        assert not any(place.exchange.is_active for place in registry.snapshot.places.values())
    assert registry.state is RegistryState.CLOSED
    with pytest.raises(RegistryStale, match="closed"):
        _ = registry.snapshot


async def test_a_lost_connection_is_made_again(stocked_dsn: Dsn) -> None:
    async with Registry(stocked_dsn, settings=QUICK) as registry, connected(stocked_dsn) as other:
        loads = registry.stats().loads
        for _ in range(3):
            losses = registry.stats().losses
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'exchanges_db registry' AND datname = current_database()"
            )
            began = time.monotonic()
            await until(lambda: registry.stats().losses > losses and registry.state is RegistryState.LIVE)
            print("back", time.monotonic() - began)
        await other.execute("UPDATE public.exchanges SET display_name = 'After' WHERE id = 1")
        await until(lambda: registry.snapshot.places_by_id[1].exchange.display_name == "After")
        assert registry.stats().loads == loads
        print(registry.stats())


async def test_no_server(stocked_dsn: Dsn) -> None:
    with pytest.raises(DatabaseUnavailable):
        await Registry(
            "postgresql://localhost:1/nowhere?sslmode=disable", settings=RegistrySettings(load_timeout=0.5)
        ).open()
