"""A registry beside a real server: it loads, follows, says how fresh it is, and ends."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from exchanges_db import Database, deactivate_exchange, get_all_exchanges, hold_exchange
from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import AccessDenied, ConfigurationError, DatabaseUnavailable, RegistryStale, SchemaMismatch
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.registry.state import RegistryState
from tests.factories import connected
from tests.registry_history import Recorder
from tests.toxic_proxy import toxic_proxy

QUICK = RegistrySettings(poll_interval=0.2, answer_timeout=2)
RARE = RegistrySettings(poll_interval=60)
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'exchanges_db registry' AND datname = current_database()
"""


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def test_what_is_loaded_is_what_look_ups_return(stocked_dsn: Dsn) -> None:
    async with Registry(stocked_dsn, settings=RARE) as registry, Database(stocked_dsn) as db:
        assert registry.state is RegistryState.LIVE
        assert registry.stats().listening
        exchanges = [place.exchange for place in registry.snapshot.places.values()]
        assert sorted(exchanges, key=lambda one: one.name) == await get_all_exchanges(db=db)


async def test_a_change_anywhere_is_seen_by_its_notification(stocked_dsn: Dsn) -> None:
    """The next poll would be a minute away."""
    async with Registry(stocked_dsn, settings=RARE) as registry, Database(stocked_dsn) as db:
        place = next(iter(registry.snapshot.places))

        def is_held(reason: str) -> bool:
            hold = registry.snapshot.places[place].holds.get(None)
            return hold is not None and hold.reason == reason

        for number in range(5):
            reason = f"round {number}"
            await hold_exchange(place, reason=reason, db=db)
            await until(lambda reason=reason: is_held(reason))  # type: ignore[misc]  # mypy knows no defaults of lambdas
        stats = registry.stats()
        assert (stats.loads, stats.updates, stats.changes, stats.polls) == (1, 5, 5, 0)


async def test_refresh_proves_what_was_committed_before_it(stocked_dsn: Dsn) -> None:
    async with Registry(stocked_dsn, settings=RARE) as registry, Database(stocked_dsn) as db:
        for exchange in await get_all_exchanges(db=db):
            await deactivate_exchange(exchange.id, db=db)
            await registry.refresh()
            assert not registry.snapshot.places_by_id[exchange.id].exchange.is_active


async def test_a_lost_connection_is_made_again_and_nothing_is_loaded_twice(stocked_dsn: Dsn) -> None:
    settings = RegistrySettings(poll_interval=0.2, answer_timeout=20)  # no slow answer is a loss
    async with Registry(stocked_dsn, settings=settings) as registry, connected(stocked_dsn) as other:
        for number in range(3):
            await other.execute(_END)
            await other.execute("UPDATE public.exchanges SET display_name = $1 WHERE id = 1", f"After {number}")
            name = f"After {number}"
            await until(lambda name=name: registry.snapshot.places_by_id[1].exchange.display_name == name)  # type: ignore[misc]
        assert registry.stats().losses == 3
        assert registry.stats().loads == 1


async def test_a_registry_that_is_closed_answers_nothing(stocked_dsn: Dsn) -> None:
    registry = Registry(stocked_dsn)
    assert registry.state == "LOADING"
    with pytest.raises(RegistryStale, match="holds nothing yet"):
        _ = registry.snapshot
    async with registry:
        pass
    assert registry.state is RegistryState.CLOSED
    with pytest.raises(RegistryStale, match="closed"):
        _ = registry.snapshot
    with pytest.raises(RegistryStale, match="closed"):
        await registry.refresh()
    with pytest.raises(ConfigurationError, match="make a new one"):
        await registry.open()


async def test_what_can_never_be_loaded_is_said_at_once(stocked_dsn: Dsn, empty_dsn: Dsn) -> None:
    """No other attempt would do better; a server that is away is tried until the limit."""
    with pytest.raises(SchemaMismatch):
        await Registry(empty_dsn).open()
    with pytest.raises(AccessDenied):
        await Registry(replace(stocked_dsn, user="nobody_of_that_name")).open()
    away = replace(stocked_dsn, hosts=(("127.0.0.1", 1),), sslmode="disable")
    with pytest.raises(DatabaseUnavailable):
        await Registry(away, settings=RegistrySettings(load_timeout=0.5)).open()


async def test_look_ups_end_where_freshness_was_not_proven_for_too_long(stocked_dsn: Dsn) -> None:
    """And go on once it is proven again; without `max_staleness` they never end."""
    settings = RegistrySettings(poll_interval=0.1, answer_timeout=0.3, max_staleness=0.8)
    async with (
        toxic_proxy(stocked_dsn) as (proxy, through),
        Registry(through, settings=settings) as registry,
        Registry(through, settings=QUICK) as patient,
    ):
        assert registry.snapshot == patient.snapshot
        proxy.silent = True
        await until(lambda: registry.state is RegistryState.STALE and patient.state is RegistryState.STALE)
        with pytest.raises(RegistryStale) as caught:  # noqa: PT012 - until it does
            while True:
                assert registry.snapshot.places
                await asyncio.sleep(0.01)
        assert caught.value.lag is not None
        assert caught.value.lag >= 0.8
        assert patient.snapshot.places
        proxy.heal()
        await registry.refresh()
        await until(lambda: registry.state is RegistryState.LIVE)
        assert registry.snapshot.places


async def test_an_error_of_a_look_up_says_since_when_and_stays_true(stocked_dsn: Dsn) -> None:
    """Look-ups raise the same text for hours: it may not say how many seconds ago something was."""
    settings = RegistrySettings(poll_interval=0.1, answer_timeout=0.3, max_staleness=0.8)
    async with toxic_proxy(stocked_dsn) as (proxy, through), Registry(through, settings=settings) as registry:
        began, view = registry.now(), registry.view("GATEIO_SPOT")
        proxy.silent = True
        with pytest.raises(RegistryStale, match="last proven to be fresh at ") as caught:  # noqa: PT012 - until it does
            while True:
                assert view["BTC_USDT"]
                await asyncio.sleep(0.01)
        ended = registry.now()
        told = re.search(r"at (\S+ \S+) UTC, by the server's clock", str(caught.value))
        assert told is not None
        assert began is not None
        assert ended is not None
        proven = datetime.fromisoformat(f"{told[1]}+00:00")
        assert began - timedelta(seconds=2) <= proven <= ended - timedelta(seconds=0.8)


async def test_what_was_loaded_in_a_transaction_that_did_not_end_is_not_taken_for_told(stocked_dsn: Dsn) -> None:
    """The connection is lost at the COMMIT of a load: what follows goes on from what look-ups return."""
    async with (
        toxic_proxy(stocked_dsn) as (proxy, through),
        Registry(through, settings=QUICK) as registry,
        connected(stocked_dsn) as other,
    ):
        proxy.reset_after = b"COMMIT"
        losses = registry.stats().losses
        await other.execute(
            "TRUNCATE public.symbol_doubts; UPDATE public.exchanges SET display_name = 'New' WHERE id = 1"
        )
        await until(lambda: registry.stats().losses > losses)
        await registry.refresh()
        assert registry.state is RegistryState.LIVE
        assert registry.snapshot.places_by_id[1].exchange.display_name == "New"


async def test_another_loop_is_refused_and_may_look_up(stocked_dsn: Dsn) -> None:
    """By an error that says what to do; a look-up awaits nothing, and so has no loop."""
    async with Registry(stocked_dsn) as registry:

        async def elsewhere() -> int:
            for wrong in (registry.refresh, registry.close):
                with pytest.raises(ConfigurationError, match="opened in another event loop"):
                    await wrong()
            return registry.symbol_id("GATEIO_SPOT", "BTC", "USDT")

        found = await asyncio.to_thread(lambda: asyncio.run(elsewhere()))
        assert found == registry.symbol_id("GATEIO_SPOT", "BTC", "USDT")
        await registry.refresh()


@pytest.mark.parametrize("staleness", [1.0, 0.5])
def test_a_limit_that_is_over_before_the_next_poll_is_refused(staleness: float) -> None:
    """All look-ups would raise for some of each second while nothing is wrong."""
    with pytest.raises(ConfigurationError, match=r"max_staleness is unusable: at .* polls that are 1 s apart"):
        RegistrySettings(max_staleness=staleness)
    assert RegistrySettings(max_staleness=staleness, poll_interval=0.4)


async def test_the_servers_time_is_known_before_anything_is_held(stocked_dsn: Dsn) -> None:
    """So that the first look-up judges by it, not by this machine's clock: there is no poll before a minute."""
    registry = Registry(stocked_dsn, settings=RARE)
    known: list[datetime | None] = []
    recorder = Recorder()
    recorder.moved = lambda *_: known.append(registry.now())  # type: ignore[method-assign]  # at the first load
    registry.follow(recorder)
    assert (registry.now(), registry.stats().clock_error) == (None, None)
    async with registry, connected(stocked_dsn) as other:
        assert registry.stats().polls == 0
        before, told = registry.now(), await other.fetchval("SELECT clock_timestamp()")
        after, error = registry.now(), registry.stats().clock_error
    assert [one is not None for one in known] == [True]
    assert error is not None
    assert before is not None
    assert after is not None
    assert before - timedelta(seconds=error) <= told <= after + timedelta(seconds=error)


@pytest.mark.parametrize("turns", range(5))
async def test_a_close_just_as_the_listener_is_to_look_again(stocked_dsn: Dsn, turns: int) -> None:
    """That it was cancelled must not be lost in what it waits for, which is over in the same turn of the loop."""
    registry = await Registry(stocked_dsn, listen=stocked_dsn, settings=RARE).open()
    assert registry._following is not None
    doubted = registry._following._witness.doubted
    await until(lambda: bool(doubted._waiters))  # it has looked, and waits
    doubted.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await registry.close()
