"""When a connection may be opened: at once where the last attempt succeeded, else after a pause that grows.

A server that is restarting, that is full or that is out of reach is not hammered, and whoever waits learns why. An
attempt that is not answered holds up the next one no longer than the longest pause: its answer may have been lost.
"""

from __future__ import annotations

import asyncio
import copy
import math
import random
from collections.abc import Awaitable, Callable

from exchanges_db.database.counters import Counters
from exchanges_db.database.driver_errors import Consequence, consequence
from exchanges_db.database.session import Session
from exchanges_db.errors import DatabaseUnavailable, ExchangesDBError

Connect = Callable[[float], Awaitable[Session]]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5  # seconds from the begin of an attempt to that of the next, as they fail
_PER_LIMIT = 3  # attempts, more or less, within the time for which somebody waits for a connection


class Opener:
    """Opens connections, and remembers how the last attempt ended.

    connect: opens a connection within so many seconds; raises our errors, each from the driver's.
    limit: for how many seconds somebody waits for a connection.
    """

    def __init__(self, connect: Connect, counters: Counters, *, limit: float = math.inf) -> None:
        self._connect = connect
        self._counters = counters
        self._clock = asyncio.get_running_loop().time
        self._succeeded = False  # whether the last attempt did
        self._longest_pause = min(_LONGEST_PAUSE, limit / _PER_LIMIT)
        self._first_pause = self._pause = min(_FIRST_PAUSE, self._longest_pause)
        self.failure: ExchangesDBError | None = None
        self.opening = 0
        self.not_before = -math.inf

    def may_try(self) -> bool:
        """Return whether an attempt may be made now."""
        return self._succeeded or self._clock() >= self.not_before

    async def open(self, until: float) -> Session | None:
        """Return a new connection; None where none could be opened now, but may be later.

        Raises:
            ExchangesDBError: none can be opened, however often it is tried.
        """
        began = self._clock()
        if not self._succeeded:
            self.not_before = began + self._longest_pause * _jitter()
        mine = self.not_before
        self.opening += 1
        try:
            session = await self._connect(max(0.001, until - began))
        except ExchangesDBError as exc:
            self._counters.failed_opens += 1
            if self._succeeded or self.not_before == mine:  # what fails together is one failure
                self.not_before = began + self._pause * _jitter()
                self._pause = min(2 * self._pause, self._longest_pause)
            self._succeeded, self.failure = False, _anew(exc)
            if not isinstance(exc, DatabaseUnavailable) or not _passes(exc):
                raise
            return None
        finally:
            self.opening -= 1
        self._succeeded, self.failure, self._pause, self.not_before = True, None, self._first_pause, -math.inf
        self._counters.add_opened()
        return session

    def why(self) -> ExchangesDBError | None:
        """Return the error of the last attempt, made anew for each who is told; None where it succeeded."""
        if self.failure is None and self.opening and not self._succeeded:
            return DatabaseUnavailable("no connection could be made in time: the server has not answered yet")
        return None if self.failure is None else _anew(self.failure)


def _anew(error: ExchangesDBError) -> ExchangesDBError:
    """Return the same error without its traceback, which would keep the frames of whoever met it first."""
    fresh = copy.copy(error)
    fresh.__cause__ = error.__cause__
    return fresh


def _passes(error: DatabaseUnavailable) -> bool:
    """Return whether it may be another error, or none, a moment later."""
    cause = error.__cause__
    return cause is not None and consequence(cause, closed=True, connecting=True) is Consequence.REFUSED_FOR_NOW


def _jitter() -> float:
    """Return a factor around 1, so that many processes that lost a server do not come back together."""
    return 0.5 + random.random()  # noqa: S311 - no secret
