"""Streams of changes: each consumer of a registry has a queue of its own, with an end, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import NoReturn, Self

from exchanges_db.database.loops import running_loop
from exchanges_db.errors import ConfigurationError, InvalidArgument, RegistryStale, shown
from exchanges_db.registry.answers import again
from exchanges_db.registry.changes import Gap, RegistryChange, RegistryChangeKind, StateChanged
from exchanges_db.registry.differences import find_registry_changes
from exchanges_db.registry.followers import Followed, Weakly
from exchanges_db.registry.forks import a_lock
from exchanges_db.registry.models import Position
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_db.registry.state import RegistryState

_NOT_YET = "nothing was held yet when the stream was made"
_ELSEWHERE = "the registry did not hold what was known at that position"
_TOO_SLOW = "more changes were waiting than the stream has room for"


class ChangeStream:
    """What changes in a registry, for `async for`: in commit order, each change at most once.

    One item tells of one thing: what it was in the snapshot before, and what it is now. A registry may take in several
    transactions at once; what lay between them is not known then, and the item has the position of the last one that
    names the thing. What changed and changed back meanwhile is no item. The log names exchanges and symbols: of two
    holds on one exchange, set by two such transactions, both have the position of the later.

    The items of one position come together, in an order that is always the same: exchanges, symbols that are gone,
    other symbols, doubts, ambiguities, holds, fees, lists, and last the exchanges that are gone, each by its id or
    name. An exchange that another one takes the id or the name of goes before that one comes. After a failover
    positions may go back.

    Streams know nothing of each other. One that nobody refers to any more is forgotten with its queue, as after `break`
    or when its task has ended; `close` ends it at once. A task that was cancelled while it waited has lost no item. A
    stream ends when its registry is closed, and raises RegistryStale where that has failed.
    """

    def __init__(self, start: Position | None, *, maxsize: int, states: bool) -> None:
        self._done = self._latest = self._left_at = start
        self._is_placed = False  # the start is compared with the next position that the registry has
        self._maxsize, self.wants_states = maxsize, states
        self._queue: deque[RegistryChange] = deque()
        self._gap: Gap | None = None
        self._late_state: StateChanged | None = None
        self.is_over = self._is_closed = False
        self._error: RegistryStale | None = None
        # The registry may run in another thread than the one that reads.
        self._lock = a_lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a stream of changes cannot be copied: each consumer asks its registry for one")

    @property
    def position(self) -> Position | None:
        """Up to where everything was given out: what `since=` takes when the consumer begins again."""
        done = self._done
        return self._left_at if self._is_closed else done

    def close(self) -> None:
        """End the iteration; what was not read is dropped."""
        # Without the lock, which a signal's handler might find taken by what it has interrupted.
        if not self._is_closed:
            self._left_at = self._done  # whatever is taken in meanwhile, and dropped
        self.is_over = self._is_closed = True
        self._queue, self._gap, self._late_state = deque(), None, None
        self._wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RegistryChange:
        loop = running_loop()
        if self._loop not in (None, loop):  # whoever waits there would not be woken any more
            raise ConfigurationError("a stream of changes is read in one event loop: ask the registry for one in each")
        self._loop = loop
        while True:
            with self._lock:
                item, is_over = None if self._is_closed else self._next(), self.is_over
            if item is not None:
                return item
            self.check()
            if is_over:
                raise StopAsyncIteration
            self._arrived.clear()  # what came since the look above sets it again, by this loop, and so later
            await self._arrived.wait()

    def rest(self) -> list[tuple[RegistryChange, Position | None]]:
        """Return all that waits, each with the position after it, and leave it there; no more comes."""
        done, rest = self._done, []
        items = [one for one in (self._gap, self._late_state, *self._queue) if one is not None]
        for item, after in zip_longest(items, items[1:]):
            if item is not self._late_state and (after is None or after.position != item.position):
                done = item.position
            rest.append((item, done))
        return rest

    def check(self) -> None:
        """Raise RegistryStale where the registry has failed."""
        if self._error is not None:
            raise again(self._error)

    def _next(self) -> RegistryChange | None:
        if (gap := self._gap) is not None:
            self._gap, self._done = None, gap.position
            return gap
        if (state := self._late_state) is not None:
            self._late_state = None
            return state
        queue = self._queue  # `close` puts another one there
        if not queue:
            return None
        item = queue.popleft()
        if not queue:
            self._done = self._latest
        elif item.position != queue[0].position:
            self._done = item.position
        return item

    # Called by the registry.

    def place(self, position: Position) -> None:
        """Learn where the registry is, before its first change: what was known at the start is missing or not."""
        with self._lock:
            if self._is_placed or self.is_over:
                return
            self._is_placed, start = True, self._done
            self._latest = position
            if start != position:
                self._put_gap(start, position, _NOT_YET if start is None else _ELSEWHERE)
        self._wake()

    def move(self, position: Position, items: Sequence[RegistryChange]) -> None:
        """Take in what one step of the registry has changed."""
        if not self._is_placed:
            self.place(position)
            return
        with self._lock:
            if self.is_over:
                return
            self._latest = position
            if self._gap is not None or len(self._queue) + len(items) > self._maxsize:
                self._overflow(position)
            else:
                self._queue.extend(items)
                if not self._queue:
                    self._done = position
        if items:
            self._wake()

    def tell(self, state: StateChanged) -> None:
        """Take in that the registry is in another state."""
        with self._lock:
            if self.is_over:
                return
            if self._gap is None and len(self._queue) < self._maxsize:
                self._queue.append(state)
            else:
                self._overflow(state.position)
                self._late_state = state
        self._wake()

    def end(self, error: RegistryStale | None) -> None:
        """Give out what is waiting, and then no more."""
        with self._lock:
            self.is_over, self._error = True, error
        self._wake()

    def _overflow(self, position: Position) -> None:
        """Have a gap stand for all that is waiting; of states the last is told after it."""
        dropped = (item for item in reversed(self._queue) if isinstance(item, StateChanged))
        self._late_state = next(dropped, self._late_state)
        self._queue.clear()
        if self._gap is None:
            self._put_gap(self._done, position, _TOO_SLOW)
        else:
            self._put_gap(self._gap.since, position, self._gap.why)

    def _put_gap(self, since: Position | None, position: Position, why: str) -> None:
        self._gap = Gap(kind=RegistryChangeKind.GAP, position=position, since=since, why=why)

    def _wake(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # it was closed, and with it whoever read here
                self._loop.call_soon_threadsafe(self._arrived.set)


class Streams:
    """The streams of one registry that are still in use; none is kept alive here.

    interval: seconds after which the registry's state is looked at again.
    in_loop: does something in the registry's thread, soon; by default at once.
    """

    def __init__(
        self, registry: Followed, interval: float, in_loop: Callable[[Callable[[], None]], None] | None = None
    ) -> None:
        self._registry, self._interval = registry, interval
        self._in_loop = in_loop or (lambda work: work())
        self._all: Weakly[ChangeStream] = Weakly()
        self._told: RegistryState | None = None  # the state that streams know of
        self._timer: asyncio.TimerHandle | None = None
        self._ended: RegistryStale | None = None

    def open(self, since: Position | None, maxsize: int, *, states: bool) -> ChangeStream:
        """Return a new stream.

        Raises:
            RegistryStale: the registry is closed, or has failed.
            InvalidArgument: `since` is no Position, `maxsize` no positive number, or `states` neither True nor False.
        """
        if self._ended is not None:
            raise again(self._ended)
        if since is not None and not isinstance(since, Position):
            raise InvalidArgument(f"since must be a Position, not {shown(since)}", field="since")
        if not isinstance(maxsize, int) or isinstance(maxsize, bool) or maxsize < 1:
            raise InvalidArgument(f"maxsize must be a number of changes, not {shown(maxsize)}", field="maxsize")
        if type(states) is not bool:
            raise InvalidArgument(f"states must be True or False, not {shown(states)}", field="states")
        start = self._registry.position if since is None else since
        stream = ChangeStream(start, maxsize=maxsize, states=states)
        # Another thread's begins a little later: what changes meanwhile is missing, and it is told so.
        self._in_loop(lambda: self._begin(stream, start))
        return stream

    def _begin(self, stream: ChangeStream, start: Position | None) -> None:
        now = self._registry.position
        if self._ended is not None:
            stream.end(self._ended)
        elif now is not None and (start == now or self._registry.state is RegistryState.LIVE):
            stream.place(now)
        if stream.wants_states and not any(one.wants_states for one in self._used()):
            self._told = self._registry.state
        self._all.add(stream)

    def __len__(self) -> int:
        """Return how many are in use."""
        return len(self._used())

    def moved(self, before: Snapshot | None, after: Snapshot, news: News | None) -> None:
        """Tell of what has changed; compared once for all streams."""
        if not (streams := self._used()):
            return
        changes = [] if before is None else find_registry_changes(before, after, news, self._registry.now())
        for stream in streams:
            stream.move(after.position, changes)

    def stale(self, error: RegistryStale) -> None:
        """A stream tells of states, not of look-ups; but one of a closed registry ends."""
        if self._registry.state is RegistryState.CLOSED:
            self.end(None)
            self._ended = error

    def fresh(self, snapshot: Snapshot) -> None:
        """A stream has missed nothing."""

    def look(self) -> None:
        """Tell of a state that the registry was not in before; by itself, too, where no proof and no error comes."""
        state, position, streams = self._registry.state, self._registry.position, self._used()
        if position is None:
            return
        if state is RegistryState.LIVE:
            for stream in streams:
                stream.place(position)
        listeners = [stream for stream in streams if stream.wants_states]
        if self._told is not None and state is not self._told:
            why = None if state is RegistryState.LIVE else self._registry.stats().why_stale
            told = StateChanged(
                kind=RegistryChangeKind.STATE_CHANGED, position=position, before=self._told, after=state, why=why
            )
            for stream in listeners:
                stream.tell(told)
        self._told = state
        if listeners and state is RegistryState.LIVE and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self.look()

    def end(self, error: RegistryStale | None) -> None:
        """End all streams: without an error where the registry was closed."""
        self._ended = error
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for stream in self._used():
            stream.end(error)

    def _used(self) -> list[ChangeStream]:
        return [stream for stream in self._all if not stream.is_over]
