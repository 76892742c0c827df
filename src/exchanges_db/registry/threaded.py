"""The registry for a program without asyncio: it lives in a thread of its own, and is read from any other.

A look-up takes no lock: it reads one attribute, which the registry's thread replaces as a whole.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from datetime import datetime
from queue import Empty
from typing import Any, Protocol, Self

from exchanges_db.database.secret import path_without_address
from exchanges_db.errors import ConfigurationError, InvalidArgument, RegistryStale, shown
from exchanges_db.registry.changes import RegistryChange
from exchanges_db.registry.file import write_snapshot
from exchanges_db.registry.followers import Follower
from exchanges_db.registry.look_ups import LookUps
from exchanges_db.registry.loop_thread import LoopThread as _LoopThread
from exchanges_db.registry.loop_thread import ThreadEnded
from exchanges_db.registry.models import Position
from exchanges_db.registry.served import Served
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.registry.state import RegistryState, RegistryStats
from exchanges_db.registry.streams import ChangeStream

_LONGEST_WAIT = 86_400


class _Registry(Protocol):
    """What a thread keeps: a Registry."""

    _served: Served

    def _known_at(self) -> datetime: ...

    @property
    def snapshot(self) -> Snapshot: ...
    @property
    def position(self) -> Position | None: ...
    @property
    def state(self) -> RegistryState: ...
    @property
    def lag(self) -> float | None: ...
    async def open(self) -> Any: ...
    async def close(self) -> None: ...
    async def refresh(self) -> None: ...
    def stats(self) -> RegistryStats: ...
    def now(self) -> datetime | None: ...
    def follow(self, follower: Follower) -> None: ...
    def abandon(self, why: str = "") -> None: ...
    def changes(self, *, since: Position | None, maxsize: int, states: bool) -> ChangeStream: ...


class ThreadedRegistry(LookUps):
    """A Registry that is kept by a thread of its own; `Registry.in_thread(...)` makes one.

    Everything here can be called from any thread. What waits keeps a caller's event loop waiting, too: in a coroutine
    use `await asyncio.to_thread(registry.refresh)`, or a Registry.

    Functions that a registry calls run in its thread: one that takes long delays the news. After a fork it is of no
    use in the child: every look-up there raises RegistryStale, which says so.
    """

    def __init__(self, registry: _Registry) -> None:
        super().__init__(registry._served)  # noqa: SLF001 - private to this package
        self._registry = registry
        self._thread = _LoopThread(registry.abandon)
        self._is_begun = False

    def open(self) -> Self:
        """Load everything and have the thread follow the database from then on.

        Raises:
            DatabaseUnavailable: no server has answered within `load_timeout`.
            AccessDenied, ConfigurationError, SchemaMismatch: it can never be loaded like this.
        """
        if self._is_begun:
            raise ConfigurationError("a registry is opened once: make a new one")
        self._is_begun = True
        try:
            self._thread.start(self._registry.open, self._registry.close)
        except ThreadEnded:
            raise self._closed() from None
        return self

    def close(self) -> None:
        """End the connection and the thread; look-ups raise RegistryStale from then on.

        From any thread, in a signal handler, and as often as you like; at the end of the interpreter it happens by
        itself.
        """
        if not self._is_begun:
            self._is_begun = True
            self._registry.abandon()
        self._thread.end()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self._registry!r} in a thread>"

    @property
    def snapshot(self) -> Snapshot:
        """All that is held now, of one moment.

        Raises:
            RegistryStale: nothing is held yet, or it is too old, or the registry is closed, or another process's.
        """
        return self._registry.snapshot

    @property
    def position(self) -> Position | None:
        """How far the log of changes is known; None before anything was loaded."""
        return self._registry.position

    @property
    def state(self) -> RegistryState:
        """LOADING, LIVE, STALE or CLOSED, as of a Registry."""
        return self._registry.state

    @property
    def lag(self) -> float | None:
        """For how many seconds it has not been proven that what is held is what the database has; None: never yet."""
        return self._registry.lag

    def stats(self) -> RegistryStats:
        """Return what it has gone through since it was made."""
        return self._registry.stats()

    def now(self) -> datetime | None:
        """Return what time it is on the server, as far as its answers have told; None where it never answered."""
        return self._registry.now()

    def refresh(self, *, timeout: float | None = None) -> None:
        """Wait until what is held is proven to be what the database had at some time after this call.

        timeout: seconds; None: however long it takes.

        Raises:
            RegistryStale: it was not proven within the timeout, or the registry is closed.
            InvalidArgument: `timeout` is no number of seconds, or more than a day.
        """
        if timeout is not None and (type(timeout) not in (int, float) or not 0 <= timeout <= _LONGEST_WAIT):
            limit = f"a number of seconds from 0 to {_LONGEST_WAIT}, or None"
            raise InvalidArgument(f"timeout must be {limit}, not {shown(timeout)}", field="timeout")
        try:
            self._thread.ask(self._registry.refresh, timeout)
        except Empty:
            lag = self.lag
            raise RegistryStale(f"it was not proven within {timeout:g} s what the database has", lag=lag) from None
        except ThreadEnded:
            raise self._closed() from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Put what is held now into a file, with which `Registry.in_thread(file=path)` begins.

        Its `saved_at` is when the database was last proven to be like this, not when the file was written.

        Raises:
            RegistryStale: nothing is held yet, or it is too old, or the registry is closed.
            InvalidArgument: `path` is no path.
            SnapshotNotSaved: the file cannot be written, or what is there is no snapshot.
        """
        path = path_without_address(path)
        known_at = self._registry._known_at()  # noqa: SLF001 - private to this package
        write_snapshot(path, self.snapshot, known_at)

    def changes(
        self, *, since: Position | None = None, maxsize: int = 10_000, states: bool = False
    ) -> BlockingChangeStream:
        """Return what changes from now on, or since a position, for a plain `for`, which waits; else as of a Registry.

        Raises:
            RegistryStale: the registry is closed, or was not opened yet.
            InvalidArgument: `since` is no Position, `maxsize` no positive number, or `states` neither True nor False.
        """

        async def begin() -> ChangeStream:
            return self._registry.changes(since=since, maxsize=maxsize, states=states)

        try:
            return BlockingChangeStream(self._thread.ask(begin), self._thread)
        except ThreadEnded:
            raise self._closed() from None

    def follow(self, follower: Follower) -> None:
        """Tell a follower of each snapshot from now on, and of the one that is held now; in the registry's thread."""

        async def begin() -> None:
            self._registry.follow(follower)

        if self._thread.runs and not self._thread.is_current:
            try:
                self._thread.ask(begin)
            except ThreadEnded:
                self._registry.follow(follower)
        else:
            self._registry.follow(follower)

    def _closed(self) -> RegistryStale:
        try:
            _ = self._registry.snapshot
        except RegistryStale as exc:
            return exc
        return RegistryStale("this registry is not open", lag=self.lag)


class BlockingChangeStream:
    """What changes in a registry, for a plain `for` in one thread; what it gives: see ChangeStream."""

    def __init__(self, stream: ChangeStream, thread: _LoopThread) -> None:
        self._stream, self._thread = stream, thread
        # Taken by the registry's thread, each with the position after it, and not given out yet: whoever waits may be
        # interrupted just then, and asks again.
        self._taken: deque[tuple[RegistryChange, Position | None]] = deque()
        self._taking: asyncio.Task[None] | None = None
        self._given = stream.position
        self._is_closed = self._is_drained = False

    @property
    def position(self) -> Position | None:
        """Up to where everything was given out: what `since=` takes when the consumer begins again."""
        position, taking = self._stream.position, self._taking
        is_taking = taking is not None and not taking.done()
        return self._given if is_taking or self._taken or self._is_closed or self._is_drained else position

    def close(self) -> None:
        """End the iteration, also for the thread that waits in it; what was not read is dropped."""
        self._given = self.position  # what was taken and is dropped was not given out
        self._is_closed = True
        self._stream.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> RegistryChange:
        """Wait for the next change; the end is that of the stream, of the registry or of its process."""
        if not self._taken:
            self._wait()
        if not self._taken or self._is_closed or self._thread.is_forsaken:  # dropped, or the parent's
            raise StopIteration
        # Without a call from here on, after which a signal's handler might run: what it interrupts would be lost.
        change, self._given = self._taken[0]
        del self._taken[0]
        return change

    def _wait(self) -> None:
        """Have the next one taken; none where no more come."""
        try:
            self._thread.ask(self._take)
        except StopAsyncIteration:
            pass
        except ThreadEnded:
            if not self._is_drained and not self._thread.is_forsaken:
                # What was waiting when the registry was closed is given out. All at once, as for what is given out.
                rest, position = deque((*self._taken, *self._stream.rest())), self.position
                self._taken, self._given, self._is_drained = rest, position, True
            if not self._taken:
                self._stream.check()

    async def _take(self) -> None:
        """Have one taken, in the registry's thread: by one task, however often whoever waits was interrupted."""
        while not self._taken:
            if self._taking is None or self._taking.done():
                self._taking = asyncio.create_task(self._take_one())
            taking = self._taking
            try:
                await asyncio.wait((taking,))
            except asyncio.CancelledError:
                taking.cancel()
                raise
            if not taking.cancelled():
                taking.result()

    async def _take_one(self) -> None:
        change = await self._stream.__anext__()
        self._taken.append((change, self._stream.position))
