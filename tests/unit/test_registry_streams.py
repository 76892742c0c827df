"""Streams of changes, fed by hand: in order, each item once, with an end to their queues, and nothing left behind."""

import asyncio
import gc
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime

import pytest

from exchanges_db import ConfigurationError, InvalidArgument, SidesAllowed
from exchanges_db.errors import RegistryStale
from exchanges_db.registry.changes import Gap, HoldChanged, RegistryChange, RegistryChangeKind, StateChanged
from exchanges_db.registry.models import Position
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.registry.state import Counts, RegistryState, RegistryStats, why_not_live
from exchanges_db.registry.streams import ChangeStream, Streams
from exchanges_db.symbols.judge import Hold
from tests.registry_snapshots import START, at, entry, news, place, snapshot, symbol

LIVE, STALE = RegistryState.LIVE, RegistryState.STALE


class Registry:
    """What a registry says of itself and tells its streams, without a database."""

    def __init__(self, first: int | None = 1, *, interval: float = 60) -> None:
        self.held: Snapshot | None = None if first is None else held(first)
        self.state = RegistryState.LOADING if first is None else LIVE
        self.streams = Streams(self, interval)

    @property
    def position(self) -> Position | None:
        """As the registry's own."""
        return None if self.held is None else self.held.position

    def now(self) -> datetime:
        """As the registry's own."""
        return START

    def stats(self) -> RegistryStats:
        """As the registry's own."""
        return Counts(last_error="the wire was cut yesterday").stats(why_stale="the wire is cut")

    def open(self, since: Position | None = None, maxsize: int = 100, *, states: bool = False) -> ChangeStream:
        """As Registry.changes()."""
        return self.streams.open(since, maxsize, states=states)

    def move(self, epoch: int, *, reload: bool = False) -> None:
        """Go on by one hold, by news or by reading everything."""
        before, self.held = self.held, held(epoch)
        told = None if reload or before is None else news(self.held, entry(epoch, "HOLDS", 1))
        self.streams.moved(before, self.held, told)

    def be(self, state: RegistryState) -> None:
        """Be in a state, and say so as with a proof or a loss."""
        self.state = state
        self.streams.look()


def held(epoch: int) -> Snapshot:
    """A hold of each epoch."""
    return snapshot(place(symbol(), holds={None: Hold(SidesAllowed.ALL, None, f"{epoch}")}), epoch=epoch)


async def read(stream: ChangeStream, count: int) -> list[RegistryChange]:
    """Return this many items that are there already."""
    async with asyncio.timeout(5):
        return [await anext(stream) for _ in range(count)]


async def all_of(stream: ChangeStream) -> list[RegistryChange]:
    """Return all items until the end."""
    async with asyncio.timeout(5):
        return [item async for item in stream]


def reasons(items: list[RegistryChange]) -> list[str]:
    """What the holds say that the items tell of."""
    return [item.after.reason for item in items if isinstance(item, HoldChanged) and item.after is not None]


async def test_items_come_once_and_in_order_and_the_end_ends_it() -> None:
    registry = Registry()
    stream = registry.open()
    for epoch in range(2, 7):
        registry.move(epoch, reload=epoch == 5)
    registry.state = RegistryState.CLOSED
    registry.streams.stale(RegistryStale("closed"))
    items = await all_of(stream)
    with pytest.raises(RegistryStale, match="closed"):
        registry.open()
    assert reasons(items) == ["2", "3", "4", "5", "6"]
    assert [item.position for item in items] == [at(epoch) for epoch in range(2, 7)]
    assert await all_of(stream) == []


async def test_one_that_waits_is_woken() -> None:
    registry = Registry()
    stream = registry.open()
    task = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    registry.move(2)
    assert reasons([await asyncio.wait_for(task, 5)]) == ["2"]


async def test_another_loop_is_refused_and_hinders_nobody() -> None:
    """Whoever waits in the first one was not woken any more."""
    registry = Registry()
    stream = registry.open()
    reader = asyncio.create_task(read(stream, 1))
    await asyncio.sleep(0)
    with pytest.raises(ConfigurationError, match="one event loop"):
        await asyncio.to_thread(asyncio.run, read(stream, 1))
    registry.move(2)
    assert reasons(await reader) == ["2"]


@pytest.mark.parametrize(
    "end", [lambda stream, registry: stream.close(), lambda stream, registry: registry.streams.end(None)]
)
async def test_one_that_waits_ends(end: Callable[[ChangeStream, Registry], None]) -> None:
    registry = Registry()
    stream = registry.open()
    task = asyncio.ensure_future(all_of(stream))
    await asyncio.sleep(0)
    end(stream, registry)
    assert await asyncio.wait_for(task, 5) == []
    registry.move(2)
    assert (await all_of(stream), len(registry.streams)) == ([], 0)


async def test_a_registry_that_has_failed_is_no_silence() -> None:
    """After what was there before."""
    registry = Registry()
    stream = registry.open()
    registry.move(2)
    registry.streams.end(RegistryStale("it has failed"))
    assert reasons(await read(stream, 1)) == ["2"]
    with pytest.raises(RegistryStale, match="failed"):
        await all_of(stream)
    with pytest.raises(RegistryStale, match="failed"):
        registry.open()


async def test_look_ups_that_raise_for_a_while_do_not_end_it() -> None:
    registry = Registry()
    stream = registry.open()
    registry.be(STALE)
    registry.streams.stale(RegistryStale("too old"))
    registry.streams.fresh(held(1))
    registry.move(2)
    assert reasons(await read(stream, 1)) == ["2"]


async def test_consumers_are_independent() -> None:
    """The slow one loses, the other does not; one that begins later gets what comes later."""
    registry = Registry()
    slow, quick = registry.open(maxsize=1), registry.open()
    registry.move(2)
    registry.move(3)
    late = registry.open()
    registry.move(4)
    assert reasons(await read(quick, 3)) == ["2", "3", "4"]
    assert reasons(await read(late, 1)) == ["4"]
    (gap,) = await read(slow, 1)
    assert isinstance(gap, Gap)


async def test_a_slow_consumer_gets_one_gap_for_all_that_it_missed() -> None:
    """From where it had got to the state that the registry has when it reads of it, and then what follows."""
    registry = Registry()
    stream = registry.open(maxsize=2)
    registry.move(2)
    assert reasons(await read(stream, 1)) == ["2"]
    for epoch in range(3, 9):
        registry.move(epoch)
    (gap,) = await read(stream, 1)
    assert isinstance(gap, Gap)
    assert (gap.since, gap.position, gap.position) == (at(2), at(8), registry.position)
    assert stream.position == at(8)
    registry.move(9)
    assert reasons(await read(stream, 1)) == ["9"]
    assert stream.position == at(9)


async def test_one_step_that_is_more_than_there_is_room_for_is_a_gap() -> None:
    registry = Registry(None)
    registry.held = snapshot(place())
    registry.state = LIVE
    stream = registry.open(maxsize=3)
    before, registry.held = registry.held, snapshot(place(*map(symbol, range(1, 5))), epoch=2)
    registry.streams.moved(before, registry.held, None)
    (gap,) = await read(stream, 1)
    assert (gap.kind, gap.position) == (RegistryChangeKind.GAP, at(2))


async def test_a_queue_has_an_end_whatever_comes() -> None:
    registry = Registry()
    stream = registry.open(maxsize=3, states=True)
    for epoch in range(2, 50):
        registry.move(epoch)
        registry.be(STALE)
        registry.be(LIVE)
        assert len(stream._queue) <= 3
    gap, state = await read(stream, 2)
    assert isinstance(gap, Gap)
    assert (gap.since, gap.position) == (at(1), at(49))
    assert isinstance(state, StateChanged)
    assert state.after is LIVE
    registry.move(50)
    assert reasons(await read(stream, 1)) == ["50"]


async def test_a_position_counts_only_where_all_of_it_was_read() -> None:
    """So that a consumer that begins again there misses no part of a transaction."""
    registry = Registry(None)
    registry.held = snapshot(place())
    registry.state = LIVE
    stream = registry.open()
    before, registry.held = registry.held, snapshot(place(symbol(1), symbol(2)), epoch=2)
    registry.streams.moved(before, registry.held, None)
    assert stream.position == at(1)
    await read(stream, 1)
    assert stream.position == at(1)
    await read(stream, 1)
    assert stream.position == at(2)
    registry.streams.moved(registry.held, snapshot(place(symbol(1), symbol(2)), epoch=7), None)
    assert stream.position == at(7)


async def test_since_where_the_registry_is_just_there() -> None:
    registry = Registry(5)
    stream = registry.open(at(5))
    registry.move(6)
    assert reasons(await read(stream, 1)) == ["6"]


@pytest.mark.parametrize("since", [at(4), at(6), Position(5, "of another timeline")])
async def test_since_any_other_position_is_a_gap(since: Position) -> None:
    """Also one that has the same number: after a failover it is given again."""
    registry = Registry(5)
    stream = registry.open(since)
    (gap,) = await read(stream, 1)
    assert isinstance(gap, Gap)
    assert (gap.since, gap.position) == (since, at(5))
    registry.move(6)
    assert reasons(await read(stream, 1)) == ["6"]


@pytest.mark.parametrize(("since", "gaps"), [(None, 1), (at(5), 0), (at(4), 1)])
async def test_before_anything_is_held(since: Position | None, gaps: int) -> None:
    """The first load is no list of everything, but the place to begin from."""
    registry = Registry(None)
    stream = registry.open(since)
    registry.move(5)
    registry.be(LIVE)
    items = await read(stream, gaps)
    assert [(type(item), item.position) for item in items] == [(Gap, at(5))] * gaps
    registry.move(6)
    assert reasons(await read(stream, 1)) == ["6"]


@pytest.mark.parametrize("since", [at(5), at(6)])
async def test_since_with_what_a_file_holds(since: Position) -> None:
    """A registry that is not live yet is not judged by what it holds, but by the first that it learns."""
    registry = Registry(5)
    registry.state = STALE
    stream = registry.open(since)
    registry.move(6)
    registry.be(LIVE)
    registry.move(7)
    assert reasons(await read(stream, 7 - since.epoch)) == [str(n) for n in range(since.epoch + 1, 8)]


async def test_since_with_a_file_that_turns_out_to_be_fresh() -> None:
    registry = Registry(5)
    registry.state = STALE
    stream = registry.open(at(3))
    registry.be(LIVE)
    (gap,) = await read(stream, 1)
    assert gap.position == at(5)


async def test_states_are_told_to_those_who_asked() -> None:
    """In their place among the changes, and each once."""
    registry = Registry()
    plain, both = registry.open(), registry.open(states=True)
    registry.be(LIVE)
    registry.move(2)
    registry.be(STALE)
    registry.be(STALE)
    registry.be(LIVE)
    registry.move(3)
    assert reasons(await read(plain, 2)) == ["2", "3"]
    items = await read(both, 4)
    assert reasons(items) == ["2", "3"]
    _, lost, found, _ = items
    assert isinstance(lost, StateChanged)
    assert isinstance(found, StateChanged)
    assert (lost.before, lost.after, lost.why) == (LIVE, STALE, "the wire is cut")
    assert (found.before, found.after, found.why) == (STALE, LIVE, None)


@pytest.mark.parametrize("full_by", ["a state", "changes"])
async def test_a_slow_consumer_is_told_the_last_state_after_the_gap(full_by: str) -> None:
    """Else it would go by the one before for as long as that does not change: LIVE, and the database is away."""
    registry = Registry()
    stream = registry.open(maxsize=2, states=True)
    registry.be(LIVE)
    steps: list[Callable[[], None]] = [lambda: registry.be(STALE), lambda: registry.move(2), lambda: registry.move(3)]
    for step in steps if full_by == "changes" else [*steps[1:], steps[0]]:
        step()
    gap, state = await read(stream, 2)
    assert (gap.kind, gap.position) == (RegistryChangeKind.GAP, at(3))
    assert isinstance(state, StateChanged)
    assert state.after is STALE


async def test_of_a_stream_that_was_closed_no_gap_is_left() -> None:
    """Whoever closes it wants nothing of it any more; nor the state that would come after it."""
    registry = Registry()
    stream = registry.open(maxsize=1, states=True)
    registry.be(LIVE)
    registry.move(2)
    registry.move(3)
    registry.be(STALE)
    stream.close()
    assert await all_of(stream) == []


def test_what_failed_before_the_last_proof_is_no_reason() -> None:
    """A standby whose replay is paused answers: nobody is to look for a lost connection there."""
    assert why_not_live(OSError("the wire is cut"), on_standby=True) == "the wire is cut"
    assert "pg_stat_wal_receiver" in why_not_live(None, on_standby=True)
    assert why_not_live(None, on_standby=False) == "no answer proves that what it holds is fresh"


async def test_a_state_that_nothing_told_is_found_by_looking() -> None:
    """As of a standby that falls behind: no error, and no proof."""
    registry = Registry(interval=0.001)
    stream = registry.open(states=True)
    registry.be(LIVE)
    registry.state = STALE
    (item,) = await read(stream, 1)
    assert isinstance(item, StateChanged)
    assert registry.streams._timer is None


async def test_what_is_not_used_leaves_nothing_behind() -> None:
    """After a break, after a cancelled wait, after the end of its task; nothing is compared for nobody."""
    registry = Registry()

    async def consume() -> weakref.ref[ChangeStream]:
        stream = registry.open(states=True)
        async for _ in stream:
            break
        return weakref.ref(stream)

    async def wait() -> None:
        async for _ in registry.open():
            pass

    reading, waiting = asyncio.ensure_future(consume()), asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    assert len(registry.streams) == 2
    registry.move(2)
    done = await asyncio.wait_for(reading, 5)
    waiting.cancel()
    await asyncio.wait([waiting])
    del reading, waiting
    gc.collect()
    assert done() is None
    assert len(registry.streams) == 0
    registry.streams.moved(registry.held, None, None)  # type: ignore[arg-type]  # would fail where it is looked at


async def test_a_wait_that_is_cancelled_loses_nothing() -> None:
    registry = Registry()
    stream = registry.open()
    for epoch in range(2, 5):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0)
        registry.move(epoch)
        assert reasons(await read(stream, 1)) == [str(epoch)]


@pytest.mark.parametrize(
    ("since", "maxsize"), [((1, "a"), 1), ("1:a", 1), (None, 0), (None, -1), (None, True), (None, 1.5)]
)
async def test_wrong_arguments_are_named(since: object, maxsize: object) -> None:
    with pytest.raises(InvalidArgument, match=r"since|maxsize"):
        Registry().streams.open(since, maxsize, states=False)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("states", ["false", 1, None])
async def test_states_is_true_or_false(states: object) -> None:
    """The text "false" is true to Python."""
    with pytest.raises(InvalidArgument, match="states must be True or False"):
        Registry().streams.open(None, 1, states=states)  # type: ignore[arg-type]  # that is the point


def test_a_close_waits_for_no_lock() -> None:
    """A signal's handler may close what it has interrupted, wherever that was."""
    stream = Registry().open()
    with stream._lock:
        stream.close()
    assert stream.rest() == []
    assert stream.is_over


async def test_what_is_taken_in_while_it_is_closed_moves_no_position() -> None:
    """As by a signal's handler in the middle of it: nobody was given that."""
    registry = Registry()
    stream = registry.open()

    class Closing(deque[RegistryChange]):
        def extend(self, items: Iterable[RegistryChange]) -> None:
            super().extend(items)
            stream.close()

    stream._queue = Closing()
    registry.move(2)
    assert stream.position == at(1)


@pytest.mark.parametrize("maxsize", [100, 2])
async def test_the_rest_is_what_would_be_given_out(maxsize: int) -> None:
    """With the position after each, and a gap and a state where they stand for more."""
    registry = Registry()
    stream, other = (registry.open(maxsize=maxsize, states=True) for _ in range(2))
    registry.move(2)
    registry.be(STALE)
    registry.be(LIVE)
    registry.move(3)
    registry.streams.end(None)
    expected = [(item, other.position) async for item in other]
    assert stream.rest() == expected
    assert stream.position == at(1)
