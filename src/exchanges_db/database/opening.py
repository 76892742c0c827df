"""When a connection may be opened: one attempt at a time until one succeeds, then again and again with longer pauses.

A server that is restarting, that is full or that is out of reach is not hammered, and whoever waits learns why.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable

from exchanges_db.database.counters import Counters
from exchanges_db.database.driver_errors import Consequence, consequence
from exchanges_db.database.session import Session
from exchanges_db.errors import DatabaseUnavailable, ExchangesDBError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5  # seconds between attempts, as they fail


class Opener:
    """Opens connections, and remembers how the last attempt ended.

    connect: opens a connection within so many seconds; raises our errors, each from the driver's.
    """

    def __init__(self, connect: Callable[[float], Awaitable[Session]], counters: Counters) -> None:
        self._connect = connect
        self._counters = counters
        self._clock = asyncio.get_running_loop().time
        self._succeeded = False  # whether the last attempt did
        self._pause = _FIRST_PAUSE
        self.failure: DatabaseUnavailable | None = None
        self.opening = 0
        self.not_before = -math.inf

    def may_try(self) -> bool:
        """Return whether an attempt may be made now."""
        return self._succeeded or (not self.opening and self._clock() >= self.not_before)

    async def open(self, until: float) -> Session | None:
        """Return a new connection; None where none could be opened now, but may be later.

        Raises:
            ExchangesDBError: none can be opened, however often it is tried.
        """
        self.opening += 1
        try:
            session = await self._connect(max(0.001, until - self._clock()))
        except ExchangesDBError as exc:
            self._counters.failed_opens += 1
            self._succeeded = False
            if self._clock() >= self.not_before:  # what fails together is one failure
                self.not_before = self._clock() + self._pause * (0.5 + random.random())  # noqa: S311 - no secret
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            if not isinstance(exc, DatabaseUnavailable) or not _passes(exc):
                raise
            self.failure = exc
            return None
        finally:
            self.opening -= 1
        self._succeeded, self.failure, self._pause, self.not_before = True, None, _FIRST_PAUSE, -math.inf
        self._counters.add_opened()
        return session

    def why(self) -> DatabaseUnavailable | None:
        """Return the error of the last attempt, made anew for each who is told; None where it succeeded."""
        if self.failure is None:
            return None
        error = DatabaseUnavailable(str(self.failure), sqlstate=self.failure.sqlstate)
        error.__cause__ = self.failure.__cause__
        return error


def _passes(error: DatabaseUnavailable) -> bool:
    """Return whether it may be another error, or none, a moment later."""
    cause = error.__cause__
    return cause is not None and consequence(cause, closed=True, connecting=True) is Consequence.REFUSED_FOR_NOW
