"""A registry while the server's queue of notifications is full, because one who listens stays in a transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import asyncpg
import pytest

from exchanges_db import Database
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.state import RegistryState
from exchanges_db.validation.validate import validate_exchanges
from tests.factories import connected
from tests.registry_history import RecordedRegistry, Writers, broken, contents, loaded
from tests.servers import Server, until

pytestmark = pytest.mark.faults
QUICK: dict[str, Any] = {"poll_interval": 0.1, "answer_timeout": 5.0}
LONG = 30.0  # for what is due at once, also where the machine is slow
NAME = "UPDATE exchanges SET display_name = $1 WHERE id = 1 RETURNING 1"
USAGE = "SELECT pg_notification_queue_usage()"
FILL = "SELECT count(pg_notify('any_channel', n || repeat('x', 7000))) FROM generate_series(1, $1::integer) AS n"
STAMP = "SELECT pg_get_functiondef('registry_stamp'::regproc)"


@asynccontextmanager
async def full_queue(server: Server) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A server of which somebody listens and stays in a transaction, so that no more notifications are taken."""
    await server.set(max_notify_queue_pages="64")
    await server.restart()
    async with connected(server.dsn) as listener, connected(server.dsn) as other:
        await listener.execute("LISTEN any_channel")
        await listener.execute("BEGIN")
        for count in (20, 1):
            with pytest.raises(asyncpg.PostgresError, match="too many notifications"):  # noqa: PT012 - until it is so
                while True:
                    await other.execute(FILL, count)
        assert await server.query(USAGE) > 0.9
        yield listener


async def is_listening(registry: Registry, *, is_so: bool) -> None:
    async def there() -> bool:
        return registry.stats().listening is is_so

    await until(there, what=f"whether it listens is {is_so}", within=LONG)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if getattr(each, "exchanges_db_event", "") == "registry_polls"]


@pytest.mark.parametrize("primary", [17, 18], indirect=True)
async def test_a_full_queue_stops_no_commit_and_no_registry(primary: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Polls see what no notification tells of, also for one that begins meanwhile, or connects again.

    They say once that they poll, and why; when the queue is emptied they listen again, without another connection.
    """
    async with (
        full_queue(primary) as listener,
        Writers(primary.dsn, tasks=1) as writers,
        RecordedRegistry(primary.dsn, **QUICK) as registry,
        RecordedRegistry(primary.dsn, listen=primary.dsn, **QUICK) as second,
    ):
        await writers.wrote(20)
        both = (registry, second)
        assert {each.state for each in both} == {RegistryState.LIVE}
        async with RecordedRegistry(primary.dsn, **QUICK) as third:
            await third.refresh()
        assert len(told(caplog)) == 3  # each has said so once, however often it tried
        assert all("54000" in each for each in told(caplog))
        await writers.wrote(3)
        await writers.end()
        for each in both:
            await each.refresh()
            assert broken(await writers.history(each)) == {}
            assert contents(each.snapshot) == contents(await loaded(primary.dsn))
            assert (each.stats().hints, each.stats().listening, each.stats().losses) == (0, False, 0)
        async with Database(primary.dsn) as db:
            report = await validate_exchanges(db=db, quick=True)
        (check,) = [each for each in report.checks if each.name == "notifications read"]
        assert not check.passed
        assert f"process {listener.get_server_pid()} " in check.detail
        await listener.execute("COMMIT")
        await primary.query(NAME, "the next one")  # whoever asks how full it is has it emptied
        for each in both:
            await is_listening(each, is_so=True)
            hints = each.stats().hints

            async def hears(each: Registry = each, hints: int = hints) -> bool:
                await primary.query(NAME, f"written at {monotonic()}")  # told once the queue is emptied by half
                return each.stats().hints > hints

            await until(hears, what="a notification comes again", within=LONG)
            assert each.stats().losses == 0


@pytest.mark.parametrize("primary", [18], indirect=True)
async def test_who_is_connected_when_the_queue_fills_up_goes_on(primary: Server) -> None:
    """A hint is not sent where the queue is half full; whoever sends it all the same cannot commit any more."""
    async with RecordedRegistry(primary.dsn, **QUICK) as registry, full_queue(primary):
        await primary.query(NAME, "while it is full")

        async def seen() -> bool:
            return registry.snapshot.places_by_id[1].exchange.display_name == "while it is full"

        await until(seen, what="the change is seen by a poll", within=LONG)
        source = await primary.query(STAMP)
        await primary.query(source.replace("IF pg_notification_queue_usage() < 0.5 THEN", "IF true THEN"))
        with pytest.raises(asyncpg.PostgresError, match="too many notifications"):
            await primary.query(NAME, "told at any price")
