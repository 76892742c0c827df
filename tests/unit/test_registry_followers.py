"""Threads that begin and cease to follow a registry while it moves on: none is forgotten, and nothing stays behind."""

import asyncio
import gc
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import InvalidArgument, RegistryStale
from exchanges_db.registry import bindings, served
from exchanges_db.registry.answers import answer
from exchanges_db.registry.changes import Gap, HoldChanged, RegistryChange
from exchanges_db.registry.followers import Followers
from exchanges_db.registry.models import Position, RegistrySymbol
from exchanges_db.registry.moves import Move, moves
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_db.registry.state import RegistryState
from exchanges_db.registry.views import View
from exchanges_db.symbols.enums import SidesAllowed
from exchanges_db.symbols.judge import Hold, Obstacle
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


async def test_another_thread_finds_by_id_what_a_snapshot_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while all symbols are compared, as after everything was read anew: no id is unknown, no position ahead."""
    registry = Registry(NOWHERE)
    registry._move(held(1), None)
    view, seen = registry.view(PLACE), []

    def compared(*args: Any) -> list[Move]:
        """Look up what another thread would, which may have its turn here."""
        for number in registry.snapshot.places[PLACE].symbols:
            assert registry.by_id[number] is registry.symbol_by_native(PLACE, f"B{number}_USDT")
        assert registry.position is not None
        seen.append((registry.position.epoch, view.get("B2_USDT")))
        return moves(*args)

    monkeypatch.setattr(served, "moves", compared)
    monkeypatch.setattr(bindings, "moves", compared)
    registry._move(snapshot(place(symbol(), symbol(2)), epoch=2), None)
    assert seen == [(1, None), (1, None)]
    assert registry.position is not None
    assert (registry.position.epoch, view["B2_USDT"]) == (2, registry.by_id[2])
    assert registry.snapshot.position == registry.position


def test_who_finds_a_symbol_by_name_finds_it_by_id_when_the_registry_answers_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it had refused is filled again by id first."""
    registry = Registry(NOWHERE)
    registry._move(held(1), None)
    registry._served.stale(RegistryStale("the database is away"))

    def answered(*args: Any) -> None:
        """Ask when by id nothing is answered yet."""
        with pytest.raises(RegistryStale):
            registry.symbol_by_native(PLACE, "B1_USDT")
        answer(*args)
        asked.append(registry.by_id[1])
        monkeypatch.undo()

    asked: list[RegistrySymbol] = []
    monkeypatch.setattr(served, "answer", answered)
    registry._served.fresh(held(2))
    assert asked == [registry.symbol_by_native(PLACE, "B1_USDT")]


class _BackAgain(Registry):
    """Its thread gets its turn just when another one asks for the time: the database is there again, with a hold."""

    def __init__(self) -> None:
        super().__init__(NOWHERE)
        self._move(snapshot(place(symbol())), None)
        self._is_back = False

    @property
    def state(self) -> RegistryState:
        """STALE until it is back."""
        return RegistryState.LIVE if self._is_back else RegistryState.STALE

    def now(self) -> datetime:
        """Come back."""
        self._move(held(9), None)
        self._is_back = True
        return datetime.now(UTC)


def test_nothing_may_be_traded_by_what_was_held_before_the_database_came_back() -> None:
    """No answer is of the old snapshot and of the new state: nobody has ever proven that one for this time."""
    assert _BackAgain().can_trade(PLACE, "B1_USDT", "BUY").obstacle is Obstacle.HELD
    assert _BackAgain().list_symbols() == []


def test_a_look_up_waits_for_no_lock() -> None:
    """As in the handler of a signal that interrupts whoever has it, and would never let it go."""
    registry = Registry(NOWHERE)
    registry._move(snapshot(place(symbol())), None)
    found: list[int] = []
    with registry._served.pair_ids._lock:
        asking = threading.Thread(target=lambda: found.append(registry.symbol_id(PLACE, "B1", "USDT")), daemon=True)
        asking.start()
        asking.join(5)
        assert found == [1]
    assert registry.symbol_id(PLACE, "B1", "USDT") == 1


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


class Unheld(msgspec.Struct):
    """Nothing can refer to it weakly."""

    def moved(self, *_: object) -> None:
        """Do nothing."""

    stale = fresh = moved


class Slotted:
    """The same, as Python's own."""

    __slots__ = ()

    moved = stale = fresh = Unheld.moved


class Awaited(Recorder):
    """Waits for what nobody awaits."""

    async def fresh(self, snapshot: Snapshot) -> None:  # type: ignore[override]
        """Do nothing."""


class Yielding(Recorder):
    """Runs when somebody goes through it, which nobody does."""

    def moved(self, before: Snapshot | None, after: Snapshot, news: News | None) -> Iterator[None]:  # type: ignore[override]
        """Do nothing."""
        yield


class Short(Recorder):
    """Does not take what it is told."""

    def moved(self) -> None:  # type: ignore[override]
        """Do nothing."""


class Long(Recorder):
    """Wants more than it is told."""

    def stale(self, error: RegistryStale, since: datetime) -> None:  # type: ignore[override]
        """Do nothing."""


class Anything:
    """Takes whatever it is given, also in place of itself."""

    def moved(self, *_: object) -> None:
        """Do nothing."""

    stale = fresh = moved


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Unheld(), "weakref=True"),
        (Slotted(), "held weakly"),
        (Awaited(), "fresh of a follower must be a plain function"),
        (Yielding(), "moved of a follower must be a plain function"),
        (Short(), "moved of a follower is called with before, after, news"),
        (Long(), "stale of a follower is called with error"),
        (Anything, "not the class"),
        (Recorder, "not the class"),
        (5, "moved, stale and fresh"),
    ],
)
@pytest.mark.parametrize("is_loaded", [True, False])
def test_what_cannot_follow_is_refused(wrong: Any, words: str, is_loaded: bool) -> None:
    """As what it is; the registry would fail for good when it next has something to tell, or never tell it."""
    registry = Registry(NOWHERE)
    if is_loaded:
        registry._move(held(1), None)
    before = list(registry._followers)
    with pytest.raises(InvalidArgument, match=words) as caught:
        registry.follow(wrong)
    assert caught.value.field == "follower"
    assert list(registry._followers) == before
    registry._move(held(2), None)


def test_one_whose_signature_does_not_tell_is_taken() -> None:
    """As with functions that are not written in Python, or that stand for others."""
    registry = Registry(NOWHERE)
    epochs: list[Any] = []

    class Silent:
        moved = staticmethod(lambda *told: epochs.append(told[1].position.epoch))
        stale = fresh = vars

    follower: Any = Silent()
    registry.follow(follower)
    registry._move(held(1), None)
    registry._move(held(2), None)
    assert epochs == [1, 2]


def test_one_that_raises_at_first_is_no_follower() -> None:
    """Who catches its error and goes on would have a registry that fails at the next commit."""
    registry = Registry(NOWHERE)
    registry._move(held(1), None)

    class Failing(Recorder):
        def moved(self, before: Snapshot | None, after: Snapshot, news: News | None) -> None:
            super().moved(before, after, news)
            raise RuntimeError("it fails")

    failing = Failing()
    before = list(registry._followers)
    with pytest.raises(RuntimeError, match="it fails"):
        registry.follow(failing)
    assert list(registry._followers) == before
    registry._move(held(2), None)
    assert failing.epochs == [1]
