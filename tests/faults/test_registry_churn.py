"""A registry under very many changes: the last state wins, nothing is torn, and look-ups take no longer."""

import asyncio
import itertools
import time
from time import perf_counter_ns
from typing import Any

import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.snapshot import News, Snapshot
from tests.factories import connected
from tests.registry_history import RecordedRegistry, contents, loaded
from tests.servers import until

pytestmark = pytest.mark.faults
CALM: dict[str, Any] = {"poll_interval": 3600, "answer_timeout": 60}
BURST = """
    DO $$ BEGIN
        FOR n IN 1 .. 2000 LOOP
            UPDATE exchanges SET display_name = 'burst ' || n WHERE id = 1;
            COMMIT;
        END LOOP;
        FOR n IN 1 .. 8000 LOOP
            UPDATE exchanges SET display_name = 'at once ' || n WHERE id = 1;
        END LOOP;
    END $$
"""


async def test_of_ten_thousand_changes_the_last_one_wins(dsn: Dsn) -> None:
    """Two thousand commits, and eight thousand changes in one more; while all is loaded, and after it.

    Nothing is loaded anew, and far fewer looks are taken than there are commits where they come faster than looks.
    """
    async with connected(dsn) as other, RecordedRegistry(dsn, **CALM) as registry:
        writing = asyncio.create_task(other.execute(BURST, timeout=80))
        async with RecordedRegistry(dsn, **CALM) as second:  # begins in the midst of it
            await writing
            for each in (registry, second):
                await each.refresh()
                assert each.snapshot.places_by_id[1].exchange.display_name == "at once 8000"
                assert contents(each.snapshot) == contents(await loaded(dsn))
                stats = each.stats()
                assert stats.loads == 1
                assert stats.updates <= stats.hints + 2
            epochs = [epoch for held in registry.recorder.held for epoch in held.epochs or ()]
            assert len(epochs) == len(set(epochs)) == 2001


def p999(samples: list[int]) -> int:
    """Return the usual one of those of five parts: what else the machine does is in one or two of them."""
    size = len(samples) // 5
    parts = [sorted(samples[at * size : (at + 1) * size]) for at in range(5)]
    return sorted(part[size * 999 // 1000] for part in parts)[2]


class Torn(Registry):
    """Swaps one exchange first, and the others in the loop's next round."""

    def _move(self, snapshot: Snapshot, news: News | None) -> None:
        if self._snapshot is not None:
            half = {**self._snapshot.places_by_id, 1: snapshot.places_by_id[1]}
            super()._move(Snapshot.of(snapshot.position, half), None)
            self._loop.call_later(0.001, super()._move, snapshot, None)  # type: ignore[union-attr]
            return
        super()._move(snapshot, news)


class Locked(Registry):
    """Look-ups wait where something is being applied: here for as long as a slow one takes, once in a while."""

    _reads = itertools.count()

    @property
    def snapshot(self) -> Snapshot:
        """What is held, at times late."""
        if next(self._reads) % 300 == 0:
            time.sleep(0.003)
        return super().snapshot


@pytest.mark.parametrize("kind", [Registry, Torn, Locked])
async def test_look_ups_take_no_longer_under_churn_and_no_view_is_torn(dsn: Dsn, kind: type[Registry]) -> None:
    """All exchanges get one name in each transaction, in two statements, two hundred times a second for a while.

    A look-up waits for nothing: its p99.9 is that of a dict of one's own beside it, but for the noise of the machine.
    """
    async with connected(dsn) as other, kind(dsn, settings=None) as registry:
        await other.execute("UPDATE exchanges SET display_name = 'one'")
        await registry.refresh()
        over = False

        async def write() -> int:
            number, due = 0, asyncio.get_running_loop().time()
            while not over:
                number, due = number + 1, due + 0.005
                async with other.transaction():
                    await other.execute("UPDATE exchanges SET display_name = $1 WHERE id = 1", f"{number}")
                    await other.execute("UPDATE exchanges SET display_name = $1 WHERE id <> 1", f"{number}")
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            return number

        writer = asyncio.create_task(write())
        plain = dict(registry.snapshot.places)
        own: list[int] = []
        beside: list[int] = []
        key = next(iter(plain))
        updates, torn = registry.stats().updates, 0

        async def churned() -> bool:
            nonlocal torn
            for _ in range(50):
                began = perf_counter_ns()
                _ = registry.snapshot.places[key]
                middle = perf_counter_ns()
                _ = plain[key]
                beside.append(perf_counter_ns() - middle)
                own.append(middle - began)
            view = registry.snapshot
            torn += len({place.exchange.display_name for place in view.places.values()}) > 1
            return len(own) >= 10_000 and registry.stats().updates >= updates + 100

        try:
            await until(churned, what="ten thousand look-ups among a hundred updates", within=60)
        finally:
            over = True
            written = await writer
        assert written >= 100
        assert (torn > 0) is (kind is Torn)
        if kind is not Torn:
            assert (p999(own) > 20_000 + 3 * p999(beside)) is (kind is Locked)
