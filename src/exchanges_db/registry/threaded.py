"""The registry for a program without asyncio: it lives in a thread of its own, and is read from any other.

A look-up takes no lock: it reads one attribute, which the registry's thread replaces as a whole.
"""

from __future__ import annotations

from datetime import datetime
from queue import Empty
from typing import Any, Protocol, Self

from exchanges_db.errors import ConfigurationError, RegistryStale
from exchanges_db.registry.followers import Follower
from exchanges_db.registry.look_ups import LookUps
from exchanges_db.registry.loop_thread import LoopThread, ThreadEnded
from exchanges_db.registry.models import Position
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.registry.state import RegistryState, RegistryStats


class _Registry(Protocol):
    """What a thread keeps: a Registry."""

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


class ThreadedRegistry(LookUps):
    """A Registry that is kept by a thread of its own; `Registry.in_thread(...)` makes one.

    Everything here can be called from any thread. What waits keeps a caller's event loop waiting, too: in a coroutine
    use `await asyncio.to_thread(registry.refresh)`, or a Registry.

    Functions that a registry calls run in its thread: one that takes long delays the news. After a fork it is of no
    use in the child: every look-up there raises RegistryStale, which says so.
    """

    def __init__(self, registry: _Registry) -> None:
        super().__init__()
        self._registry = registry
        self._thread = LoopThread(registry.abandon)
        registry.follow(self._served)
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
        """
        try:
            self._thread.ask(self._registry.refresh, timeout)
        except Empty:
            lag = self.lag
            raise RegistryStale(f"it was not proven within {timeout:g} s what the database has", lag=lag) from None
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
