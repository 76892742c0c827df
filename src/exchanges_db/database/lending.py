"""A pool of connections: lends them, has new ones opened, and decides which of them may still be trusted.

A connection whose statements succeeded is lent again at once, without a round trip. One that failed is ended in the
background, never waited for, and the others are ended or asked before their next use, as the error says.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random

from exchanges_db.database.counters import Counters, Occupancy
from exchanges_db.database.driver_errors import DRIVER_ERRORS
from exchanges_db.database.loops import Background
from exchanges_db.database.opening import Connect, Opener
from exchanges_db.database.session import Session
from exchanges_db.database.verdicts import Consequence
from exchanges_db.database.waiting import Queue
from exchanges_db.errors import DatabaseUnavailable, ExchangesDBError
from exchanges_db.events import event

log = logging.getLogger("exchanges_db")

_IDLE_LIMIT = 300.0  # seconds: a firewall may drop a connection that is idle for longer
_LIFETIME = 3600.0  # seconds: then it is replaced, so that sessions follow a change of hosts, and their memory is freed
_SURE = 1.0  # seconds for which a connection that was just used is taken to be alive, where a write is to be sent
_PING_LIMIT = 1.0  # seconds
_REPLACE_PAUSE = 1.0  # seconds between replacements of all, so that a server that is read-only for good is left alone
_END_LIMIT = 1.0  # seconds in which a connection may end orderly: a statement under way is cancelled on the server


class AllLent(TimeoutError):
    """Every connection was in use until the time limit."""


class Lender:
    """Decides who has which connection, and keeps the others.

    connect: opens a connection within so many seconds; raises our errors.
    floor, ceiling: how many connections are kept open, and how many may be open.
    limit: for how many seconds a borrower usually waits.
    """

    def __init__(self, connect: Connect, *, floor: int, ceiling: int, limit: float, counters: Counters) -> None:
        self._opener = Opener(connect, counters, limit=limit)
        self._floor, self._ceiling = floor, ceiling
        self._counters = counters
        self.loop = asyncio.get_running_loop()
        self._clock = self.loop.time
        self._idle: list[tuple[Session, float]] = []  # and since when; the last goes first
        self._lent: dict[Session, int] = {}  # and the generation of each
        self._busy = 0  # places that are lent, being opened or being asked; with the idle ones at most the ceiling
        self._queue = Queue(self.keep)  # a place goes along with a connection
        self._generation = 0
        self._doubted = -math.inf  # what is idle since before is asked before its next use
        self._replaced = -math.inf
        self._background = Background()
        self._closing = False

    async def acquire(self, limit: float, *, write: bool = False, new: bool = False) -> Session:
        """Return a connection within `limit` seconds.

        write: a statement that must not be lost is to be sent: a connection of which nothing was heard lately, or that
            has news, is asked first whether it lives.
        new: open another, and do not use an idle one.

        Raises:
            AllLent: none came back in time.
            ExchangesDBError: none could be opened; of `connect`.
        """
        now = self._clock()
        if self._idle and not new:
            session, since = self._idle[-1]
            if self._idle[0][1] > now - _IDLE_LIMIT and not session.is_closed() and self._trusts(session, since, write):
                self._idle.pop()
                return self._lend(session)
        return await self._acquire(now, now + limit, write=write, new=new)

    async def _acquire(self, began: float, until: float, *, write: bool, new: bool) -> Session:
        waited, who = False, object()
        try:
            while True:
                new = new and self._opener.may_try()  # else an idle one will do, which has answered since the loss
                if new:
                    self._make_room()
                session = None if new else await self._idle_one(until, write=write)
                if session is None and self._may_open():
                    session = await self._open(until)  # where that fails, another may have come back meanwhile
                elif session is None:
                    waited = True
                    # Where none can be opened now, it is looked again when the next attempt may be made.
                    pause, room = self._opener.not_before, len(self._idle) + self._busy < self._ceiling
                    # With room that moment was still to come a line ago, and may have passed since.
                    session = await self._queue.wait(min(until, pause) if room or pause > self._clock() else until, who)
                if session is not None:
                    return session
                if self._clock() >= until:
                    self._queue.wake(1)  # what this one was woken for, or would have been, is the next one's
                    raise self._opener.why() or AllLent
        finally:
            if waited:
                self._queue.leave(who)
                self._counters.add_wait(self._clock() - began)

    def keep(self, session: Session) -> None:
        """Take back a connection whose statements were all answered."""
        generation = self._lent.pop(session)
        now = self._clock()
        if session.is_closed():
            self._counters.add_lost()
            self._free()
        elif (
            generation != self._generation
            or now - session.born > _LIFETIME
            or session.is_altered
            or session.is_in_transaction()
            or self._closing
        ):
            self._counters.retired += 1
            self._end(session)
            self._free()
        else:
            self._hand_on(session, now)

    def drop(self, session: Session) -> None:
        """Take back a connection in any state, and end it."""
        del self._lent[session]
        self._counters.add_lost()
        self._end(session)
        self._free()

    def learn(self, session: Session, verdict: Consequence) -> bool:
        """Act on what an error of a lent connection says about the others; return whether another may do better."""
        if verdict in (Consequence.LOST, Consequence.UNSENT):
            self._suspect()
            return True
        if verdict is Consequence.DOUBTFUL:
            self._counters.timeouts += 1
            self._doubted = self._clock()
        elif verdict in (Consequence.READ_ONLY, Consequence.STALE_SCHEMA):
            self._counters.read_only += verdict is Consequence.READ_ONLY
            return self._lent.get(session) != self._generation or self._replace()
        return False

    def _suspect(self) -> None:
        """End what is idle: it was idle while another was lost, and may be as dead."""
        while self._idle:
            self._idle.pop()[0].terminate()
            self._counters.add_expired()
        self._queue.wake()

    def _replace(self) -> bool:
        """Have every connection replaced, those in use when they come back; return False where that was just done."""
        now = self._clock()
        if now < self._replaced + _REPLACE_PAUSE:
            return False
        self._replaced = now
        self._generation += 1
        while self._idle:
            self._counters.add_expired()
            self._end(self._idle.pop()[0])
        self._queue.wake()
        return True

    async def close(self, limit: float) -> None:
        """End every connection; those still in use after `limit` seconds at once."""
        self._closing = True
        until = self._clock() + limit
        while self._idle:
            self._end(self._idle.pop()[0])
        self._queue.wake()
        while self._busy and self._clock() < until:
            await self._queue.wait(min(until, self._clock() + 0.05), self)
        for session in self._lent:
            session.terminate()
        await self._background.finish(until - self._clock())

    def occupancy(self) -> Occupancy:
        """Return where the connections are now."""
        idle, in_use = len(self._idle), len(self._lent)
        doubtful = sum(since <= self._doubted for _, since in self._idle)
        return Occupancy(idle + in_use, idle, in_use, self._opener.opening, len(self._queue), doubtful)

    # The idle ones.

    async def _idle_one(self, until: float, *, write: bool) -> Session | None:
        """Return an idle connection that is alive as far as anyone can know; end the others on the way."""
        now = self._clock()
        while self._idle and self._idle[0][1] <= now - _IDLE_LIMIT:
            self._counters.retired += 1
            self._end(self._idle.pop(0)[0])
        while self._idle and self._clock() < until:
            session, since = self._idle.pop()
            if session.is_closed():
                self._counters.add_lost()
                self._doubted = now  # what has ended this one may have ended others, too
                continue
            if self._trusts(session, since, write):
                return self._lend(session)
            # Half of the time, so that there is some left for a new connection.
            if await self._answers(session, min(_PING_LIMIT, (until - self._clock()) / 2)):
                return session
        return None

    def _trusts(self, session: Session, since: float, write: bool) -> bool:
        """Return whether an idle connection may be used without asking it first."""
        return since > self._doubted and not (write and (since < self._clock() - _SURE or session.has_news()))

    async def _answers(self, session: Session, limit: float) -> bool:
        """Return whether the connection answers; it is lent meanwhile, and ended where it does not."""
        self._lend(session)
        self._counters.pings += 1
        try:
            async with asyncio.timeout(limit):
                await session.execute("SELECT 1")
        except BaseException as exc:
            self.drop(session)
            if isinstance(exc, DRIVER_ERRORS):
                self._suspect()
                return False
            raise
        return True

    def _make_room(self) -> None:
        if self._idle and len(self._idle) + self._busy >= self._ceiling:
            self._counters.retired += 1
            self._end(self._idle.pop(0)[0])

    # Places, and who waits for one.

    def _lend(self, session: Session) -> Session:
        self._busy += 1
        self._lent[session] = self._generation
        return session

    def _hand_on(self, session: Session, now: float) -> None:
        """Give a clean connection, and its place, to the first who waits; else keep it."""
        if self._queue.give(session):
            self._lent[session] = self._generation
        else:
            self._busy -= 1
            self._idle.append((session, now))

    def _free(self) -> None:
        self._busy -= 1
        self._queue.wake(1)

    def _may_open(self) -> bool:
        if self._closing:
            raise closed_error()
        return len(self._idle) + self._busy < self._ceiling and self._opener.may_try()

    async def _open(self, until: float) -> Session | None:
        """Return a new connection, lent; None where that failed, but may succeed later."""
        self._busy += 1
        generation = self._generation  # what is made while all are replaced may lead to where they led
        try:
            session = await self._opener.open(until)
        except BaseException:
            self._free()
            raise
        if session is None:
            self._busy -= 1
            self._queue.wake()  # each looks when the next attempt may be made: the first may leave before
            return None
        if self._closing:
            session.terminate()
            self._free()
            raise closed_error()
        # Spread, so that connections opened together are not replaced together.
        session.born = self._clock() - random.random() * 0.05 * _LIFETIME  # noqa: S311 - no secret
        self._lent[session] = generation
        self._queue.wake(max(0, self._ceiling - len(self._idle) - self._busy))
        if len(self._idle) + self._busy < self._floor:
            self._background.run(self._fill())
        return session

    async def _fill(self) -> None:
        """Open connections until the floor is reached; where that fails, the next that is opened tries again."""
        try:
            while len(self._idle) + self._busy < self._floor and self._may_open():
                session = await self._open(self._clock() + _IDLE_LIMIT)
                if session is None:
                    return
                self.keep(session)
        except ExchangesDBError as exc:
            log.debug("the pool is not filled: %s", exc, extra=event("not_filled", error=type(exc).__name__))

    def _end(self, session: Session) -> None:
        if session.is_closed():
            session.terminate()  # frees what asyncpg holds for it
        else:
            self._background.run(session.end(_END_LIMIT))


def closed_error() -> DatabaseUnavailable:
    """Return the error for whoever uses a Database that was closed."""
    return DatabaseUnavailable("this Database is closed: make a new one")
