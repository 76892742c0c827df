"""What a registry holds now, how fresh that is, and who is told of it: as the task that follows the database says."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime, timedelta

from exchanges_db.database.dsn import Dsn
from exchanges_db.database.loops import check_loop, running_loop
from exchanges_db.database.settings import Settings
from exchanges_db.errors import (
    AccessDenied,
    ConfigurationError,
    DatabaseUnavailable,
    ExchangesDBError,
    RegistryStale,
    SchemaMismatch,
)
from exchanges_db.registry.file import SavedSnapshot
from exchanges_db.registry.followers import Follower, Followers, check_follower
from exchanges_db.registry.following import Following
from exchanges_db.registry.forks import abandon_in_child
from exchanges_db.registry.models import Position
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_db.registry.state import HOLDS_NOTHING, UNPROVEN, Counts, RegistryState, RegistryStats, why_not_live
from exchanges_db.uptime import uptime

# No other connection, however often it is tried, would do better.
_FOR_GOOD = (AccessDenied, ConfigurationError, SchemaMismatch)


class Kept(ABC):
    """A snapshot that is kept fresh."""

    def __init__(self, dsn: Dsn, ear: Dsn | None, database_settings: Settings, settings: RegistrySettings) -> None:
        self._dsn, self._ear, self._database_settings, self._settings = dsn, ear, database_settings, settings
        self._followers = Followers()
        self._counts = Counts()
        self._following: Following | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._proofs = asyncio.Condition()
        self._snapshot: Snapshot | None = None
        self._position: Position | None = None
        self._begun_at: datetime | None = None  # as of when the file was that it began with
        self._is_live = self._is_stale_told = self._is_closed = False
        self._error: ExchangesDBError | None = None
        self._why_closed = "this registry is closed: make a new one"
        self._on_news: Callable[[], None] = _nothing
        self._on_failure: Callable[[RegistryStale], None] = _nothing

    @abstractmethod
    def abandon(self, why: str = "") -> None:
        """Raise RegistryStale at every look-up for good."""

    @property
    def snapshot(self) -> Snapshot:
        """All that is held now, of one moment.

        Raises:
            RegistryStale: nothing is held yet, or it is too old, or the registry is closed.
        """
        if self._snapshot is None or self._is_stale_told:
            raise self._why_stale()
        return self._snapshot

    @property
    def position(self) -> Position | None:
        """How far the log of changes is known; None before anything was loaded."""
        return self._position

    @property
    def state(self) -> RegistryState:
        """LOADING, LIVE, STALE or CLOSED; LIVE only where the last proof is no older than a poll and an answer take."""
        if self._is_closed:
            return RegistryState.CLOSED
        lag = self.lag
        if self._snapshot is None:
            return RegistryState.LOADING
        bound = self._settings.poll_interval + self._settings.answer_timeout
        return RegistryState.LIVE if self._is_live and lag is not None and lag <= bound else RegistryState.STALE

    @property
    def lag(self) -> float | None:
        """For how many seconds it has not been proven that what is held is what the database has; None: it never was.

        Counted from when the question was sent. It rises from 0 to the poll interval and falls back, while all is well.
        On a server that follows another one it counts from when that one had received what it shows. How long the way
        there took is not in it, nor a silence between the two before `wal_receiver_timeout` has ended it; and that a
        connection is not made yet but only tried, members of pg_read_all_stats alone can tell.
        """
        proven_at = None if self._following is None else self._following.proven_at
        return None if proven_at is None else max(0.0, uptime() - proven_at)

    def stats(self) -> RegistryStats:
        """Return what it has gone through since it was made."""
        why = self._why_closed if self._is_closed else why_not_live(self._error, on_standby=self._counts.on_standby)
        clock_error = None if self._following is None else self._following.clock.error()
        return self._counts.stats(clock_error, None if self.state is RegistryState.LIVE else why)

    def now(self) -> datetime | None:
        """Return what time it is on the server, as its answers have told from the first one on; None before that.

        It is off by `stats().clock_error` seconds at most.
        """
        return None if self._following is None else self._following.clock.now()

    async def refresh(self) -> None:
        """Wait until what is held is proven to be what the database had at some time after this call.

        Raises:
            RegistryStale: the registry is closed.
        """
        if self._following is None or self._is_closed:
            raise self._why_stale()
        if self._loop is not None:
            check_loop(self._loop, "Registry")
        began = uptime()
        self._following.look()
        await self._proven_since(began)

    def follow(self, follower: Follower) -> None:
        """Tell a follower of each snapshot from now on, and of the one that is held now.

        In the registry's thread: where another one calls this, it has returned before, so that it waits for nobody.

        Raises InvalidArgument where it is no follower. One that raises an error when it is told now is none, either.
        """
        check_follower(follower)
        self._in_loop(lambda: self._begin_to_tell(follower))

    def _in_loop(self, work: Callable[[], None]) -> None:
        """Do it where followers are told: now, where nobody else can be telling them anything."""
        loop = self._loop
        if loop is None or not loop.is_running() or is_running(loop):
            work()
            return
        try:
            loop.call_soon_threadsafe(work)
        except RuntimeError:  # it was closed a moment ago: nobody is told anything any more
            work()

    def _begin_to_tell(self, follower: Follower) -> None:
        if self._snapshot is not None:
            follower.moved(None, self._snapshot, None)
        if self._snapshot is None or self._is_stale_told:
            follower.stale(self._why_stale())
        self._followers.add(follower)  # in the same turn of the loop: it misses nothing

    def _not_opened(self) -> ExchangesDBError:
        is_unproven = self._counts.on_standby and self._snapshot is not None
        return DatabaseUnavailable(UNPROVEN if is_unproven else "the registry was not loaded in time")

    def _begin_with(self, saved: SavedSnapshot) -> None:
        """Hold what is from a file, of which nothing is proven yet."""
        self._begun_at = saved.saved_at
        self._move(saved.snapshot, None)
        if self._settings.max_staleness is not None:
            self._tell_stale(self._why_stale())

    def _known_at(self) -> datetime:
        """Return as of when, by the server's clock, what is held was proven last to be what the database has.

        Ask for this first and for the snapshot then: in between another thread may move on.
        """
        lag, now = self.lag, self.now()
        known_at = self._begun_at if lag is None or now is None else now - timedelta(seconds=lag)
        if known_at is None:
            raise self._why_stale()
        return known_at

    # What the task that follows the database tells.

    def _start(self) -> None:
        if self._is_closed or self._task is not None:
            raise ConfigurationError("a registry is opened once: make a new one")
        self._loop = running_loop()
        abandon_in_child(self)
        self._following = Following(
            self._dsn,
            self._database_settings,
            ear=self._ear,
            poll_interval=self._settings.poll_interval,
            answer_timeout=self._settings.answer_timeout,
            counts=self._counts,
            on_move=self._move,
            on_proof=self._prove,
            on_loss=self._lose,
        )
        self._following.snapshot = self._snapshot
        self._task = self._loop.create_task(self._following.run())
        self._task.add_done_callback(self._end)

    def _move(self, snapshot: Snapshot, news: News | None) -> None:
        if self._is_closed:
            return
        before, self._snapshot = self._snapshot, snapshot
        for follower in self._followers:
            follower.moved(before, snapshot, news)
        self._position = snapshot.position  # what another thread looks up then is no older

    def _prove(self) -> None:
        if self._is_closed:
            return
        self._is_live, self._error = True, None
        most, lag = self._settings.max_staleness, self.lag
        is_too_old = most is not None and lag is not None and lag >= most  # a slow server's answer, or a late standby's
        if self._is_stale_told and self._snapshot is not None and not is_too_old:
            self._is_stale_told = False
            for follower in self._followers:
                follower.fresh(self._snapshot)
        if self._timer is None and not self._is_stale_told:
            self._check()
        self._notify()

    def _lose(self, error: ExchangesDBError) -> None:
        self._is_live, self._error = False, error
        self._notify()

    def _check(self) -> None:
        """Tell the followers where the last proof is too old; else look again, once per poll: timers may sleep."""
        self._timer, lag, most = None, self.lag, self._settings.max_staleness
        if most is None or self._loop is None or self._is_closed:
            return
        if lag is not None and lag < most:
            self._timer = self._loop.call_later(min(most - lag, self._settings.poll_interval), self._check)
        else:
            self._tell_stale(self._why_stale())

    def _tell_stale(self, error: RegistryStale) -> None:
        self._is_stale_told = True
        for follower in self._followers:
            follower.stale(error)

    def _end(self, task: asyncio.Task[None]) -> None:
        """A fault of ours, or all tasks were ended: nothing is followed any more, and that must not stay unsaid."""
        error = None if task.cancelled() else task.exception()
        if error is None and (self._is_closed or not task.cancelled()):
            return
        why = "its task was cancelled" if error is None else repr(error)
        failed = RegistryStale(f"the registry has failed: {why}", lag=self.lag)
        self._is_live, self._error = False, failed
        self._tell_stale(failed)
        self._on_failure(failed)
        self._notify()

    def _why_stale(self) -> RegistryStale:
        if self._is_closed:
            return RegistryStale(self._why_closed, lag=self.lag)
        lag, why = self.lag, "" if self._error is None else f": {self._error}"
        if self._snapshot is None:
            return RegistryStale(f"{HOLDS_NOTHING}{why}")
        if lag is None:
            origin = "" if self._begun_at is None else " is from a file, and"
            return RegistryStale(f"what the registry holds{origin} was never proven to be fresh{why}")
        now = self.now()  # a time, as the text is raised again and again while it gets older
        at = "" if now is None else f" at {now - timedelta(seconds=lag):%Y-%m-%d %H:%M:%S} UTC, by the server's clock"
        return RegistryStale(f"what the registry holds was last proven to be fresh{at}{why}", lag=lag)

    async def _proven_since(self, began: float | None) -> None:
        """Wait for a proof whose question was sent after `began`, or for the first one that is not too old."""
        async with self._proofs:
            while True:
                if self._is_closed:
                    raise self._why_stale()
                if self._task is not None and self._task.done():
                    if self._task.cancelled():
                        raise self._why_stale()
                    self._task.result()
                if began is None and self._snapshot is None and isinstance(self._error, _FOR_GOOD):
                    raise self._error
                proven_at = None if self._following is None else self._following.proven_at
                if proven_at is not None and (not self._is_stale_told if began is None else proven_at >= began):
                    return
                await self._proofs.wait()

    def _notify(self) -> None:
        self._on_news()
        if self._loop is not None and not self._loop.is_closed():
            self._background = self._loop.create_task(self._wake())

    async def _wake(self) -> None:
        async with self._proofs:
            self._proofs.notify_all()


def is_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether it is this thread that runs an event loop."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _nothing(*_: object) -> None:
    pass
