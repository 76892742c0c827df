"""The session that holds the lock for migrating: kept alive, watched, and given back whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from exchanges_db.database.bridge import bridge
from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import DatabaseError, ExchangesDBError, MigrationError, MigrationLocked
from exchanges_db.schema.connecting import Connection, connect_to_migrate, limited, refuse_pooler
from exchanges_db.schema.dbmate import APPLICATION_NAME
from exchanges_sql.migration_ledger import AsyncQuerier

T = TypeVar("T")
# Any constant will do; this one is the first eight bytes of "exchanges_db" read as an integer.
LOCK_KEY = int.from_bytes(b"exchange")
_POLL_SECONDS = 0.1
_WATCH_SECONDS = 1.0
_PING_SECONDS = 5.0
_LONGEST_SILENCE = 30.0
_END_PROCESS = "SELECT pg_terminate_backend"  # to be read, not sent


class LockLost(MigrationError):
    """The session that held the lock is gone, so that another deployer may be at work."""


class Once:
    """Something to be said once."""

    def __init__(self, on_line: Callable[[str], None], text: str) -> None:
        self._on_line, self._text, self._said = on_line, text, False

    def say(self) -> None:
        """Say it, unless it was said."""
        if not self._said:
            self._said = True
            self._on_line(self._text)


class LockSession:
    """The connection with the lock, and where it leads.

    Attributes:
        checks_clients: whether the server can notice, in the middle of a statement, that its client is gone.
        give_up_at: the time of the event loop at which waiting for others, and for their locks, ends.
    """

    def __init__(self, connection: Connection, dsn: Dsn, lock_timeout: float, on_line: Callable[[str], None]) -> None:
        self.connection = connection
        self.dsn = dsn
        self.lock_timeout = lock_timeout
        self.checks_clients = False
        self.give_up_at = asyncio.get_running_loop().time() + lock_timeout
        self._on_line = on_line
        self._querier = AsyncQuerier(bridge(connection))
        self._is_held = False
        self._lost = asyncio.Event()
        connection.add_termination_listener(lambda _: self._lost.set())

    @property
    def is_lost(self) -> bool:
        """Whether the connection is no more, and so neither is the lock."""
        return self.connection.is_closed()

    @property
    def has_time(self) -> bool:
        """Whether there is time left to wait for others."""
        return asyncio.get_running_loop().time() < self.give_up_at

    async def prepare(self) -> None:
        """Make the session one that the server does not end for being idle, and ask what the server can do."""
        async with limited(self.connection):
            await self._querier.set_no_idle_limit()
        with suppress(DatabaseError):  # not every platform can
            async with limited(self.connection):
                await self._querier.set_connection_check()
                self.checks_clients = True

    async def take(self) -> None:
        """Take the lock, and wait until what an earlier deployer has left at work on the server is done."""
        # Polled: a session that waits inside pg_advisory_lock deadlocks with CREATE INDEX CONCURRENTLY.
        waiting = Once(self._on_line, "Waiting: another process is migrating this database")
        while not await self._try_lock():
            if not self.has_time:
                raise MigrationLocked(
                    f"another process was migrating this database for {self.lock_timeout:g} s: try later"
                )
            await self._pause(waiting)
        self._is_held = True
        waiting = Once(self._on_line, "Waiting: what an interrupted deploy has begun still runs on the server")
        while pids := await self.dbmates():  # whoever started them may be gone, but what they do is not
            if not self.has_time:
                raise MigrationLocked(
                    f"what an interrupted deploy has begun was still running on the server after {self.lock_timeout:g} "
                    f"s, in process {', '.join(map(str, pids))}: try later, or end it with "
                    f"{_END_PROCESS}({min(pids)})"
                )
            await self._pause(waiting)

    async def _pause(self, waiting: Once) -> None:
        waiting.say()
        await asyncio.sleep(_POLL_SECONDS)

    async def _try_lock(self) -> bool:
        async with limited(self.connection):
            return bool(await self._querier.try_migration_lock(key=LOCK_KEY))

    async def dbmates(self, seconds: float = _PING_SECONDS) -> dict[int, str]:
        """Return dbmate's sessions on the server, each with the processes that it waits for."""
        async with limited(self.connection, seconds):
            rows = self._querier.list_dbmate_sessions(application_name=APPLICATION_NAME)
            return {row.pid: row.blockers async for row in rows}

    async def guard(self, work: Coroutine[Any, Any, T], doing: str) -> T:
        """Return what `work` returns; cancel it where the session is lost meanwhile.

        Raises:
            LockLost: the session was lost, and `work` was stopped.
        """
        task = asyncio.ensure_future(work)
        watching = asyncio.ensure_future(self._watch(doing))
        try:
            await asyncio.wait({task, watching}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise LockLost("the session that held the lock for migrating was lost, so dbmate was stopped")
        finally:
            task.cancel()
            watching.cancel()
            await asyncio.gather(task, watching, return_exceptions=True)

    async def _watch(self, doing: str) -> None:
        """Return when the session is lost; until then say every now and then what goes on."""
        began = asyncio.get_running_loop().time()
        say_at = _WATCH_SECONDS
        while not self.is_lost:
            with suppress(TimeoutError):
                async with asyncio.timeout(_WATCH_SECONDS):
                    await self._lost.wait()
            try:
                waiting = sorted({pids for pids in (await self.dbmates()).values() if pids})
            except ExchangesDBError:
                continue
            seconds = asyncio.get_running_loop().time() - began
            if seconds >= say_at:
                say_at = seconds + min(seconds, _LONGEST_SILENCE)
                blocked = f", waiting for server process {', '.join(waiting)}" if waiting else ""
                self._on_line(f"{doing}: {seconds:.0f} s{blocked}")

    async def release(self) -> None:
        """Give the lock back and end the session."""
        try:
            if self._is_held and not self.is_lost:
                async with limited(self.connection, _PING_SECONDS):
                    # A pooler would hand the lock on with the connection, so it is not left to the end of the session.
                    await self._querier.release_migration_lock(key=LOCK_KEY)
        except ExchangesDBError:
            pass  # the end of the session ends the lock
        finally:
            self.connection.terminate()


@asynccontextmanager
async def locked(dsn: Dsn, lock_timeout: float, on_line: Callable[[str], None]) -> AsyncIterator[LockSession]:
    """Connect to the server that takes writes, and hold the lock for migrating while the block runs."""
    connection, one_host = await connect_to_migrate(dsn, on_line)
    session = LockSession(connection, one_host, lock_timeout, on_line)
    try:
        await refuse_pooler(connection)
        await session.prepare()
        await session.take()
        yield session
    finally:
        await session.release()
