"""A registry behind PgBouncer in transaction mode: it polls, says so once, and hears where it is given a direct way."""

import asyncio
import logging
from time import monotonic
from typing import Any

import pytest

from exchanges_db import Database, Settings
from exchanges_db.database.dsn import Dsn
from exchanges_db.registry import listening
from exchanges_db.registry.following import Following
from exchanges_db.registry.listening import listen
from exchanges_db.registry.registry import Registry
from tests.factories import connected
from tests.pgbouncer import needs_pgbouncer, pgbouncer
from tests.registry_history import RecordedRegistry, Writers, broken, contents, loaded
from tests.servers import until
from tests.toxic_proxy import toxic_proxy

pytestmark = needs_pgbouncer
NAME = "UPDATE exchanges SET display_name = $1 WHERE id = 1"
POOLED = Settings(pooler="transaction")


def name_in(registry: Registry) -> str:
    return registry.snapshot.places_by_id[1].exchange.display_name


async def holds(registry: Registry, name: str) -> None:
    async def there() -> bool:
        return name_in(registry) == name

    await until(there, what=f"the registry holds {name}", within=30)


async def _believe(following: Any, session: Any, _: object) -> None:
    """Takes a session's own notification for a proof."""
    echo = await listen(session, following._note)
    following._hearing._hear(None if await echo.comes_back(session, 1) else "it does not come back")


@pytest.mark.parametrize("is_believed", [False, True])
async def test_behind_a_pooler_it_polls_and_says_so_once(
    dsn: Dsn, is_believed: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within about a second of its beginning, though LISTEN succeeds there; also when its connection is made again.

    It is LIVE before that, and nothing waits for the echo that never comes.

    Whoever believes what a session has sent to itself says nothing, and that no hint ever comes stays unknown.
    """
    if is_believed:
        monkeypatch.setattr(Following, "_subscribe", _believe)
    monkeypatch.setattr(listening, "ECHO_LIMIT", 3.0)

    def told() -> int:
        return sum(getattr(each, "exchanges_db_event", "") == "registry_polls" for each in caplog.records)

    with pgbouncer(dsn) as through, caplog.at_level(logging.WARNING, "exchanges_db"):
        async with toxic_proxy(through) as (proxy, pooled):
            began = monotonic()
            async with (
                RecordedRegistry(Database(pooled, POOLED), poll_interval=0.1) as registry,
                connected(dsn) as other,
            ):
                assert registry.state == "LIVE"
                assert told() == 0

                async def found_out() -> bool:
                    return told() == 1 or is_believed

                await until(found_out, what="it says that it polls", within=30)
                assert told() == (not is_believed)
                assert registry.stats().listening is is_believed
                assert monotonic() - began < 10  # the rest is the machine's
                for number in range(3):
                    await other.execute(NAME, f"polled {number}")
                    await holds(registry, f"polled {number}")
                assert registry.stats().hints == 0
                losses = registry.stats().losses
                proxy.reset()

                async def again() -> bool:
                    return registry.stats().losses > losses and registry.stats().connects > 1

                await until(again, what="it has connected again", within=30)
                await other.execute(NAME, "after a lost connection")
                began = monotonic()
                await holds(registry, "after a lost connection")
                assert monotonic() - began < 2.5  # and not the echo's limit of 3 s

    assert told() == (not is_believed)


async def test_with_a_direct_way_hints_arrive(dsn: Dsn) -> None:
    """Queries go through the pooler, LISTEN does not: what is committed is seen without a poll, and none is missed.

    Where the direct way is lost, polls go on; it is made again.
    """
    with pgbouncer(dsn) as pooled:
        async with (
            toxic_proxy(dsn) as (proxy, direct),
            Writers(dsn, tasks=1) as writers,
            RecordedRegistry(Database(pooled, POOLED), listen=direct, poll_interval=30.0, answer_timeout=5) as registry,
        ):

            async def listens() -> bool:
                return registry.stats().listening

            for _ in range(2):
                await until(listens, what="it listens", within=30)
                hints = registry.stats().hints
                await writers.wrote(10)

                async def told(hints: int = hints) -> bool:
                    return registry.stats().hints >= hints + 10

                await until(told, what="ten hints have come", within=30)
                proxy.reset()

                async def deaf() -> bool:
                    return not registry.stats().listening

                await until(deaf, what="the direct way is lost", within=30)
            await until(listens, what="it listens again", within=30)
            await writers.wrote(3)
            await writers.end()
            async with asyncio.timeout(20):  # less than a poll
                while registry.position != (await writers.history(registry)).positions()[-1]:
                    await asyncio.sleep(0.01)
            assert broken(await writers.history(registry)) == {}
            assert contents(registry.snapshot) == contents(await loaded(dsn))
