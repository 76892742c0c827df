"""The registry: all exchanges and symbols in memory, as fresh as it says, and look-ups that await nothing."""

from __future__ import annotations

import asyncio
from datetime import datetime
from time import monotonic
from typing import Self

from exchanges_db.database.dsn import Dsn, Secret, parse_dsn
from exchanges_db.database.loops import check_loop, running_loop
from exchanges_db.database.pool import Database
from exchanges_db.database.settings import load_dsn, load_settings
from exchanges_db.errors import (
    AccessDenied,
    ConfigurationError,
    DatabaseUnavailable,
    ExchangesDBError,
    RegistryStale,
    SchemaMismatch,
)
from exchanges_db.registry.followers import Follower, Followers
from exchanges_db.registry.following import Following
from exchanges_db.registry.look_ups import LookUps
from exchanges_db.registry.models import Position
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_db.registry.state import Counts, RegistryState, RegistryStats
from exchanges_db.registry.streams import ChangeStream, Streams
from exchanges_db.registry.threaded import ThreadedRegistry

# No other connection, however often it is tried, would do better.
_FOR_GOOD = (AccessDenied, ConfigurationError, SchemaMismatch)


class Registry(LookUps):
    """Everything that may be traded, in memory.

    db: the database; by default that of DATABASE_URL. Of a Database only the address and the settings are used: a
        registry has a connection of its own, and where `listen` is given two.
    listen: the address for notifications, where `db` goes through a pooler, which lets none through.
    """

    def __init__(
        self,
        db: Database | Dsn | str | None = None,
        *,
        listen: Dsn | str | None = None,
        settings: RegistrySettings | None = None,
    ) -> None:
        given = Secret(db) if isinstance(db, str) else db
        ear = Secret(listen) if isinstance(listen, str) else listen
        del db, listen
        if settings is not None and not isinstance(settings, RegistrySettings):
            raise ConfigurationError(f"settings must be RegistrySettings, not {type(settings).__name__}")
        self._settings = settings or RegistrySettings()
        self._database_settings = given.settings if isinstance(given, Database) else load_settings()
        self._dsn = _dsn(given)
        self._ear = None if ear is None else _dsn(ear)
        self._followers = Followers()
        self._counts = Counts()
        self._following: Following | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._proofs = asyncio.Condition()
        self._snapshot: Snapshot | None = None
        self._is_live = self._is_stale_told = self._is_closed = False
        self._error: ExchangesDBError | None = None
        super().__init__()
        self.follow(self._served)
        self._streams = Streams(self, self._settings.poll_interval)
        self._followers.add(self._streams)
        self._why_closed = "this registry is closed: make a new one"

    @classmethod
    def in_thread(
        cls,
        db: Database | Dsn | str | None = None,
        *,
        listen: Dsn | str | None = None,
        settings: RegistrySettings | None = None,
    ) -> ThreadedRegistry:
        """Return the same for a program without asyncio: `with Registry.in_thread(...) as registry`."""
        return ThreadedRegistry(cls(db, listen=listen, settings=settings))

    async def open(self) -> Self:
        """Load everything and follow the database from then on.

        Raises:
            DatabaseUnavailable: no server has answered within `load_timeout`.
            AccessDenied, ConfigurationError, SchemaMismatch: it can never be loaded like this.
        """
        self._start()
        try:
            async with asyncio.timeout(self._settings.load_timeout):
                await self._proven_since(None)
        except TimeoutError:
            await self.close()
            raise self._error or DatabaseUnavailable("the registry was not loaded in time") from None
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """End the connection; look-ups raise RegistryStale from then on."""
        if self._loop is not None:
            check_loop(self._loop, "Registry")
        self._is_closed, self._is_live = True, False
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        self._tell_stale(self._why_stale())
        await self._wake()

    def abandon(self, why: str = "") -> None:
        """Raise RegistryStale at every look-up for good; the connection, if any, is left as it is.

        why: what it says; by default that the registry is closed.
        """
        self._is_closed, self._is_live, self._why_closed = True, False, why or self._why_closed
        self._tell_stale(self._why_stale())

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Registry of {self._dsn}: {self.state}>"

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
        return None if self._snapshot is None else self._snapshot.position

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
        """
        proven_at = None if self._following is None else self._following.proven_at
        return None if proven_at is None else max(0.0, monotonic() - proven_at)

    def stats(self) -> RegistryStats:
        """Return what it has gone through since it was made."""
        return self._counts.stats()

    def now(self) -> datetime | None:
        """Return what time it is on the server, as far as its answers have told; None where it never answered."""
        return None if self._following is None else self._following.clock.now()

    async def refresh(self) -> None:
        """Wait until what is held is proven to be what the database had at some time after this call.

        Raises:
            RegistryStale: the registry is closed.
        """
        if self._following is None or self._is_closed:
            raise self._why_stale()
        began = monotonic()
        self._following.look()
        await self._proven_since(began)

    def follow(self, follower: Follower) -> None:
        """Tell a follower of each snapshot from now on, and of the one that is held now."""
        self._followers.add(follower)
        if self._snapshot is not None:
            follower.moved(None, self._snapshot, None)
        if self._snapshot is None or self._is_stale_told:
            follower.stale(self._why_stale())

    def changes(self, *, since: Position | None = None, maxsize: int = 10_000, states: bool = False) -> ChangeStream:
        """Return what changes from now on, or since a position, for `async for`; what it gives: see ChangeStream.

        since: the `position` of an earlier stream. Unless the registry holds just that, the first item is a Gap.
        maxsize: of more changes than this that nobody has read yet, all are dropped, and one Gap stands for them.
        states: tell, too, when the registry becomes LIVE or STALE; within a poll interval where nothing told it.

        Raises:
            RegistryStale: the registry is closed.
            InvalidArgument: `since` is no Position, or `maxsize` no positive number.
        """
        if self._is_closed:
            raise self._why_stale()
        return self._streams.open(since, maxsize, states=states)

    # What the task that follows the database tells.

    def _start(self) -> None:
        if self._is_closed or self._task is not None:
            raise ConfigurationError("a registry is opened once: make a new one")
        self._loop = running_loop()
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
        before, self._snapshot = self._snapshot, snapshot
        for follower in self._followers:
            follower.moved(before, snapshot, news)

    def _prove(self) -> None:
        self._is_live, self._error = True, None
        if self._is_stale_told and self._snapshot is not None:
            self._is_stale_told = False
            for follower in self._followers:
                follower.fresh(self._snapshot)
        if self._timer is None and self._settings.max_staleness is not None and self._loop is not None:
            self._timer = self._loop.call_later(self._settings.max_staleness, self._check)
        self._notify()

    def _lose(self, error: ExchangesDBError) -> None:
        self._is_live, self._error = False, error
        self._notify()

    def _check(self) -> None:
        """Tell the followers where the last proof is too old; else look again when it will be."""
        self._timer, lag, most = None, self.lag, self._settings.max_staleness
        if most is None or self._loop is None or self._is_closed:
            return
        if lag is not None and lag < most:
            self._timer = self._loop.call_later(most - lag, self._check)
        else:
            self._tell_stale(self._why_stale())

    def _tell_stale(self, error: RegistryStale) -> None:
        self._is_stale_told = True
        for follower in self._followers:
            follower.stale(error)

    def _end(self, task: asyncio.Task[None]) -> None:
        """A fault of ours: nothing is followed any more, and that must not stay unsaid."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._is_live = False
            failed = RegistryStale(f"the registry has failed: {error!r}", lag=self.lag)
            self._tell_stale(failed)
            self._streams.end(failed)
            self._notify()

    def _why_stale(self) -> RegistryStale:
        if self._is_closed:
            return RegistryStale(self._why_closed, lag=self.lag)
        lag, why = self.lag, "" if self._error is None else f": {self._error}"
        if self._snapshot is None:
            return RegistryStale(f"the registry holds nothing yet{why}")
        age = "never" if lag is None else f"{lag:.1f} s ago"
        return RegistryStale(f"what the registry holds was last proven to be fresh {age}{why}", lag=lag)

    async def _proven_since(self, began: float | None) -> None:
        """Wait for a proof whose question was sent after `began`, or for the first one."""
        async with self._proofs:
            while True:
                if self._is_closed:
                    raise self._why_stale()
                if self._task is not None and self._task.done():
                    self._task.result()
                if began is None and self._snapshot is None and isinstance(self._error, _FOR_GOOD):
                    raise self._error
                proven_at = None if self._following is None else self._following.proven_at
                if proven_at is not None and (began is None or proven_at >= began):
                    return
                await self._proofs.wait()

    def _notify(self) -> None:
        self._streams.look()
        if self._loop is not None and not self._loop.is_closed():
            self._background = self._loop.create_task(self._wake())

    async def _wake(self) -> None:
        async with self._proofs:
            self._proofs.notify_all()


def _dsn(given: Database | Dsn | Secret | None) -> Dsn:
    if given is None:
        return load_dsn()
    if isinstance(given, Database):
        return given._dsn  # noqa: SLF001 - private to this package
    return given if isinstance(given, Dsn) else parse_dsn(given)
