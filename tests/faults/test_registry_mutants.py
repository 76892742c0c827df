"""For each promise a registry that does not keep it, beside a real server: its validator finds it in what was recorded.

Each is a mistake that somebody might make. That a validator finds made-up faults: tests/unit/test_registry_history.py.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.registry import following as module
from exchanges_db.registry import kept
from exchanges_db.registry.following import Following
from exchanges_db.registry.loading import Needs, fetch_news
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_db.uptime import uptime
from tests.factories import connected
from tests.registry_history import PROMISES, RecordedRegistry, Writers, broken
from tests.servers import until
from tests.toxic_proxy import toxic_proxy

pytestmark = pytest.mark.faults
QUICK: dict[str, Any] = {"poll_interval": 0.1, "answer_timeout": 2.0}
LONG = 30.0  # for what is due within a second or two, also where the machine is slow


class TellsTheNextOneFirst(RecordedRegistry):
    """As one that has each snapshot told by a task of its own."""

    _waiting: tuple[Snapshot, News] | None = None

    def _move(self, snapshot: Snapshot, news: News | None) -> None:
        if news is not None and self._waiting is None:
            self._waiting = snapshot, news
            return
        super()._move(snapshot, news)
        if self._waiting is not None:
            late, self._waiting = self._waiting, None
            super()._move(*late)


class GoesBackForSafety(Following):
    """Begins, with a new connection, at the position before the one that it had."""

    _before: Snapshot | None = None

    async def _connect(self, *arguments: Any) -> Any:
        self.snapshot = self._before or self.snapshot
        return await super()._connect(*arguments)

    async def _look(self, *arguments: Any, **options: Any) -> None:
        before = self.snapshot
        await super()._look(*arguments, **options)
        self._before = before if before is not self.snapshot else self._before


async def _newest_alone(*arguments: Any) -> News | Needs | None:
    """What the newest row of the log names, as if there were one commit per look."""
    news = await fetch_news(*arguments)
    if not isinstance(news, News) or not news.entries:
        return news
    newest = tuple(entry for entry in news.entries if entry.epoch == news.position.epoch)
    return msgspec.structs.replace(news, entries=newest)


class OneExchangeAfterAnother(RecordedRegistry):
    """Swaps what has changed in pieces."""

    def _move(self, snapshot: Snapshot, news: News | None) -> None:
        if self._snapshot is not None and news is not None:
            first = min(news.ids_of("EXCHANGES"))
            half = {**self._snapshot.places_by_id, first: snapshot.places_by_id[first]}
            super()._move(Snapshot.of(snapshot.position, half), news)
        super()._move(snapshot, news)


class LoadsAllAnew(Following):
    """Does not trust what it holds after a lost connection."""

    async def _connect(self, *arguments: Any) -> Any:
        self.snapshot = None
        return await super()._connect(*arguments)


class TellsSoon(RecordedRegistry):
    """Followers are called by the event loop, later; the position says already that they have been."""

    def _move(self, snapshot: Snapshot, news: News | None) -> None:
        before, self._snapshot, self._position = self._snapshot, snapshot, snapshot.position
        asyncio.get_running_loop().call_soon(self.recorder.moved, before, snapshot, news)


class CountsFromTheAnswer(Following):
    """Takes for proven at the time of an answer what was so when the server began to answer."""

    def _prove(self, sent: float) -> None:
        super()._prove(uptime())


FOLLOWING: dict[str, type[Following]] = {
    "unique": GoesBackForSafety,
    "resumable": LoadsAllAnew,
    "bounded staleness": CountsFromTheAnswer,
}
REGISTRIES: dict[str, type[RecordedRegistry]] = {
    "ordered": TellsTheNextOneFirst,
    "atomic": OneExchangeAfterAnother,
    "bookmarkable": TellsSoon,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {"reliable": _newest_alone}
# For "written": commits that leave nothing in the log, which a trigger that is off would betray.
SILENT = """
    CREATE OR REPLACE FUNCTION registry_note_updated_rows() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN RETURN NULL; END'
"""
OURS = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'exchanges_db registry' AND datname = current_database()"
)


async def _gone_through(dsn: Dsn, kind: type[RecordedRegistry], *, silent: bool) -> dict[str, list[str]]:
    """Follow writers, lose the connection, follow them on through a slow network; return which promises are broken."""
    async with (
        connected(dsn) as other,
        toxic_proxy(dsn) as (proxy, through),
        Writers(dsn) as writers,
        kind(through, **QUICK) as registry,
    ):
        await writers.wrote(20)
        await other.execute(f"SELECT pg_terminate_backend(pid) FROM ({OURS}) AS ours")

        async def again() -> bool:
            return registry.stats().losses > 0 and registry.state == "LIVE"

        await until(again, what="it has connected again", within=LONG)
        proxy.latency = 0.02
        await writers.wrote(20)
        if silent:
            await other.execute(SILENT)
            await writers.wrote(5)
        await writers.end()
        proxy.heal()
        async with asyncio.timeout(LONG):
            await registry.refresh()
        return broken(await writers.history(registry))


def test_every_promise_has_a_mutant() -> None:
    assert FOLLOWING.keys() | REGISTRIES.keys() | FUNCTIONS.keys() | {"written"} == PROMISES.keys()


async def test_the_right_one_keeps_all(dsn: Dsn) -> None:
    assert await _gone_through(dsn, RecordedRegistry, silent=False) == {}


@pytest.mark.parametrize("promise", PROMISES)
async def test_who_breaks_a_promise_is_found(dsn: Dsn, promise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "Following", FOLLOWING.get(promise, Following))
    monkeypatch.setattr(module, "fetch_news", FUNCTIONS.get(promise, fetch_news))
    found = await _gone_through(dsn, REGISTRIES.get(promise, RecordedRegistry), silent=promise == "written")
    assert promise in found
