"""Lends a pool's connections; one that comes back clean is lent again at once.

asyncpg's own acquire and release start a task and two timers for every call, to run a reset that our statements do not
need: that takes half the time of a look-up. The pool still opens, limits, expires and closes connections, and one that
is not certainly clean is released to the pool.
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from exchanges_db.database.bridge import is_closed
from exchanges_db.errors import ConfigurationError

_IDLE_LIMIT = 300.0  # seconds, as in asyncpg: a firewall may drop a connection that is idle for longer


class AllLent(TimeoutError):
    """Every connection was in use until the time limit."""


class Lender:
    """Decides who has which connection of `pool`, and keeps the clean ones in between."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._pool = pool
        self._places = asyncio.Semaphore(pool.get_max_size())
        self._kept: list[tuple[PoolConnectionProxy[Any], float]] = []  # clean, and since when; the last goes first
        self._lent: set[PoolConnectionProxy[Any]] = set()  # those that may be kept when they come back
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.time
        self._closing = False

    async def acquire(self, limit: float) -> PoolConnectionProxy[Any]:
        """Return a connection within `limit` seconds.

        Raises:
            AllLent: none came back in time.
            ConfigurationError: the pool belongs to another event loop.
        """
        self.check_loop()
        now = self._clock()
        if self._places.locked():
            try:
                async with asyncio.timeout_at(now + limit):
                    await self._places.acquire()
            except TimeoutError as exc:
                raise AllLent from exc
        else:
            await self._places.acquire()  # does not wait
        try:
            connection = await self._kept_one(now)
            if connection is None:
                async with asyncio.timeout_at(now + limit):
                    connection = await self._pool.acquire()
        except BaseException:
            self._places.release()
            raise
        self._lent.add(connection)
        return connection

    def keep(self, connection: PoolConnectionProxy[Any]) -> bool:
        """Take back a connection whose statements all succeeded; return False when it must be released instead."""
        if self._closing or connection not in self._lent:
            return False
        self._lent.remove(connection)
        self._kept.append((connection, self._clock()))
        self._places.release()
        return True

    async def release(self, connection: PoolConnectionProxy[Any]) -> None:
        """Take back a connection in any state."""
        self._lent.discard(connection)
        try:
            await self._pool.release(connection)
        finally:
            self._places.release()

    async def expire(self) -> None:
        """Have every connection replaced; those in use are replaced when they come back."""
        self._lent.clear()
        await self._pool.expire_connections()
        await self._give_back()

    async def close(self) -> None:
        """Wait for the connections that are lent, then close the pool."""
        self._closing = True
        await self._give_back()
        await self._pool.close()

    def terminate(self) -> None:
        """End every connection at once."""
        self._pool.terminate()

    def check_loop(self) -> None:
        """Raise ConfigurationError where the running event loop is not the pool's."""
        if asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError(
                "this Database was opened in another event loop: make one for each loop, or pass no db="
            )

    async def _give_back(self) -> None:
        while self._kept:
            await self._pool.release(self._kept.pop()[0])

    async def _kept_one(self, now: float) -> PoolConnectionProxy[Any] | None:
        while self._kept and now - self._kept[0][1] >= _IDLE_LIMIT:
            connection, _ = self._kept.pop(0)
            if not is_closed(connection):
                connection.terminate()
            await self._pool.release(connection)
        while self._kept:
            connection, _ = self._kept.pop()
            if not is_closed(connection):
                return connection
            await self._pool.release(connection)
        return None
