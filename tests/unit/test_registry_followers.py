"""Threads that begin and cease to follow a registry while it moves on: none is forgotten, and nothing stays behind."""

import asyncio
import gc
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import RegistryStale
from exchanges_db.registry.changes import Gap, HoldChanged, RegistryChange
from exchanges_db.registry.followers import Followers
from exchanges_db.registry.models import Position
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_db.registry.views import View
from exchanges_db.symbols.enums import SidesAllowed
from exchanges_db.symbols.judge import Hold
from tests.registry_snapshots import PLACE, entry, news, place, snapshot, symbol

THREADS = 8
NOWHERE = Dsn(hosts=(("127.0.0.1", 1),))


class Recorder:
    """Keeps which epochs it was told of, and whether one began while another was not done."""

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.threads: set[int] = set()

    def moved(self, before: Snapshot | None, after: Snapshot, news: News | None) -> None:
        """Keep it."""
        self.epochs.append(after.position.epoch)
        self.threads.add(threading.get_ident())

    def stale(self, error: RegistryStale) -> None:
        """Do nothing."""

    def fresh(self, snapshot: Snapshot) -> None:
        """Do nothing."""


def held(epoch: int) -> Snapshot:
    """A hold of each epoch."""
    return snapshot(place(symbol(), holds={None: Hold(SidesAllowed.ALL, None, f"{epoch}")}), epoch=epoch)


@pytest.fixture(autouse=True)
def _switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


async def moved_while(registry: Registry, work: list[asyncio.Future[Any]]) -> int:
    """Go from epoch to epoch in this thread until the others have done what they do; return the last."""
    epoch = 1
    while not all(each.done() for each in work):
        epoch += 1
        after = held(epoch)
        registry._move(after, news(after, entry(epoch, "HOLDS", 1)))
        await asyncio.sleep(0.001)
    return epoch


async def test_who_is_told_of_a_change_finds_it_in_every_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads changes in another thread looks up in a view at once; and no view waits for the comparison."""
    registry = Registry(NOWHERE)
    registry._move(held(1), None)
    view, stream = registry.view(PLACE), registry.changes()
    told: list[Sequence[RegistryChange]] = []
    move = stream.move

    def moved(position: Position, changes: Sequence[RegistryChange]) -> None:
        told.append(changes)
        assert [hold.reason for hold in view["B1_USDT"].holds] == ["2"]
        move(position, changes)

    monkeypatch.setattr(stream, "move", moved)
    after = held(2)
    registry._move(after, news(after, entry(2, "HOLDS", 1)))
    assert [change.kind for changes in told for change in changes] == ["HOLD_REPLACED"]


async def test_eight_threads_begin_and_cease_to_follow_while_it_moves() -> None:
    """Each is told in the registry's thread, in order, up to the last; a view that was made shows the last, too."""
    registry = Registry(NOWHERE)
    registry._move(held(1), None)

    def follow(_: int) -> list[tuple[Recorder, View]]:
        kept: list[tuple[Recorder, View]] = []
        for number in range(40):
            recorder = Recorder()
            registry.follow(recorder)
            view = registry.view(PLACE)
            if number % 4 == 0:
                kept.append((recorder, view))
        return kept

    with ThreadPoolExecutor(THREADS) as pool:
        registry._loop = asyncio.get_running_loop()
        work = [asyncio.wrap_future(pool.submit(follow, number)) for number in range(THREADS)]
        last = await moved_while(registry, list(work)) + 1
    kept = [one for part in work for one in part.result()]
    await asyncio.sleep(0)  # so that those are told of it that began last
    after = held(last)
    registry._move(after, news(after, entry(last, "HOLDS", 1)))
    assert len(kept) == 10 * THREADS
    for recorder, view in kept:
        assert recorder.threads == {threading.get_ident()}
        assert recorder.epochs == list(range(recorder.epochs[0], last + 1))
        assert view["B1_USDT"].holds[0].reason == f"{last}"


async def test_eight_threads_open_and_close_streams_while_it_moves() -> None:
    """Nothing is missing without a Gap that says so, and what was read follows the position where it began."""
    registry = Registry(NOWHERE)
    registry._move(held(1), None)

    def read(_: int) -> list[str]:
        return asyncio.run(_read(registry))

    with ThreadPoolExecutor(THREADS) as pool:
        registry._loop = asyncio.get_running_loop()
        work = [asyncio.wrap_future(pool.submit(read, number)) for number in range(THREADS)]
        await moved_while(registry, list(work))
        assert [wrong for each in work for wrong in each.result()] == []
    gc.collect()
    assert len(registry._streams) == 0


async def _read(registry: Registry) -> list[str]:
    wrong: list[str] = []
    for _ in range(5):
        stream = registry.changes()
        at = stream.position
        for _ in range(3):
            async with asyncio.timeout(20):
                item = await anext(stream)
            assert at is not None
            if isinstance(item, Gap):
                wrong += [] if item.since == at else [f"a gap since {item.since}, not {at}"]
            elif item.position.epoch != at.epoch + 1:
                wrong.append(f"{item.position} after {at}")
            elif not isinstance(item, HoldChanged) or item.after is None or item.after.reason != str(at.epoch + 1):
                wrong.append(f"{item} is something else")
            at = Position(*item.position)
        stream.close()
    return wrong


def test_whoever_has_gone_leaves_nothing_behind() -> None:
    """Though nothing changes meanwhile, as on a quiet night in which a view is made for each request."""
    followers, kept = Followers(), Recorder()
    followers.add(kept)
    for _ in range(1000):
        followers.add(Recorder())
    assert len(followers._all) == 1
    assert list(followers) == [kept]


def test_one_that_begins_while_others_are_told_is_told_once() -> None:
    """As where a follower makes another one: that has the newest snapshot already."""
    registry = Registry(NOWHERE)
    recorder = Recorder()

    class Maker(Recorder):
        def moved(self, before: Snapshot | None, after: Snapshot, news: News | None) -> None:
            if after.position.epoch == 2:
                registry.follow(recorder)

    maker = Maker()
    registry.follow(maker)
    registry._move(held(1), None)
    registry._move(held(2), None)
    assert recorder.epochs == [2]
