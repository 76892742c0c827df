"""Whatever comes in whatever order: no place and no connection of a Lender is lost, and nobody is forgotten."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

import asyncpg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from exchanges_db import AccessDenied, DatabaseUnavailable, ExchangesDBError
from exchanges_db.database.counters import Counters
from exchanges_db.database.lending import AllLent, Lender
from exchanges_db.database.session import Session
from exchanges_db.database.verdicts import Consequence
from tests.factories import property_settings

CEILING, LATE = 3, 0.002
_ANY = st.integers(0, 99)  # which of those that are there


class _Clock(selectors.DefaultSelector):
    """Nobody waits in earnest: where the loop would sleep, it is later at once."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        """Return what is ready."""
        ready = super().select(0)
        if not ready:
            self.now += timeout or 0.0
        return ready


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock is not the world's."""

    def __init__(self) -> None:
        self.clock = _Clock()
        super().__init__(self.clock)

    def time(self) -> float:
        """Return its own time."""
        return self.clock.now


class _Fake:
    """As much of a session as a Lender asks for."""

    is_altered = False
    born = 0.0

    def __init__(self) -> None:
        self.closed = False
        self.answer: asyncio.Future[None] | None = None
        self.asked_by: object = None

    def is_closed(self) -> bool:
        return self.closed

    def is_in_transaction(self) -> bool:
        return False

    def has_news(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        self.closed = True
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(ConnectionResetError())

    async def end(self, limit: float) -> None:
        self.terminate()

    async def execute(self, sql: str) -> None:
        self.answer, self.asked_by = asyncio.get_running_loop().create_future(), asyncio.current_task()
        try:
            await self.answer
        finally:
            self.answer = self.asked_by = None


@dataclass
class _Borrower:
    task: asyncio.Task[Session]
    until: float
    queued: int | None = None  # the step in which it began to wait


class LenderMachine(RuleBasedStateMachine):
    """Borrowers who come, wait, leave and give back, on a server that answers as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = _Loop()
        self.made: list[_Fake] = []
        self.attempts: list[tuple[asyncio.Future[Session], object]] = []
        self.borrowers: list[_Borrower] = []
        self.held: list[Session] = []
        self.step = 0
        self.closing: asyncio.Task[None] | None = None
        self.lender = self.run(self._make())

    async def _make(self) -> Lender:
        return Lender(self._connect, floor=0, ceiling=CEILING, limit=5, counters=Counters())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Return what the work returns."""
        return self.loop.run_until_complete(work)

    async def _connect(self, limit: float) -> Session:
        mine: tuple[asyncio.Future[Session], object] = (self.loop.create_future(), asyncio.current_task())
        self.attempts.append(mine)
        try:
            async with asyncio.timeout(limit):
                return await mine[0]
        except TimeoutError as exc:
            raise DatabaseUnavailable("no answer in time") from exc
        finally:
            self.attempts.remove(mine)

    async def _do(self, act: Callable[..., None], *arguments: object) -> None:
        act(*arguments)
        await self._settle()

    async def _settle(self, seconds: float = 0.0) -> None:
        """Let all happen that happens by itself within so many seconds, and see to it that all is as it should be."""
        until = self.loop.time() + seconds
        while True:
            for _ in range(8):
                await asyncio.sleep(0)
            self._collect()
            self._look()
            if self.loop.time() >= until:
                return
            await asyncio.sleep(min(0.25, until - self.loop.time()) + 1e-6)

    def _collect(self) -> None:
        served = self._served()
        for borrower in list(self.borrowers):
            if not borrower.task.done():
                if borrower.task in served:
                    borrower.queued = None
                elif borrower.queued is None:
                    borrower.queued = self.step
                continue
            self.borrowers.remove(borrower)
            if borrower.task.cancelled():
                continue
            error = borrower.task.exception()
            if error is None:
                self.held.append(borrower.task.result())
                continue
            assert isinstance(error, AllLent | ExchangesDBError)

    def _look(self) -> None:
        lender, now = self.lender, self.loop.time()
        asked = [session for session in self.made if session.asked_by is not None]
        assert len(lender._idle) + lender._busy <= CEILING
        assert lender._busy == len(lender._lent) + len(self.attempts)
        assert {id(session) for session in lender._lent} == {id(session) for session in (*self.held, *asked)}
        kept = {id(session) for session in (*lender._lent, *(session for session, _ in lender._idle))}
        assert len(kept) == len(lender._lent) + len(lender._idle)
        assert [session for session in self.made if not session.closed and id(session) not in kept] == []
        assert all(now < borrower.until + LATE for borrower in self.borrowers)
        if lender._closing:
            assert not lender._idle
            assert not [each for each in self.borrowers if each.task not in self._served()]
        elif len(lender._queue):
            assert not lender._idle
            assert lender._busy == CEILING or not lender._opener.may_try()

    def _served(self) -> set[object]:
        return {who for _, who in self.attempts} | {session.asked_by for session in self.made}

    @rule(limit=st.sampled_from([0.3, 2.0, 5.0]), write=st.booleans(), new=st.booleans())
    def acquire(self, limit: float, write: bool, new: bool) -> None:
        """Somebody wants a connection."""
        task = self.loop.create_task(self.lender.acquire(limit, write=write, new=new))
        self.borrowers.append(_Borrower(task, self.loop.time() + limit))
        self.run(self._settle())

    @precondition(lambda self: self.held)
    @rule(which=_ANY)
    def keep(self, which: int) -> None:
        """It goes to whoever has waited longest."""
        session = self.held.pop(which % len(self.held))
        lender = self.lender
        handed_on = (
            not (session.is_closed() or lender._closing or lender._lent[session] != lender._generation)
            and self.loop.time() - session.born < 3000
        )
        waiting = [each for each in self.borrowers if each.queued is not None]
        first = [each for each in waiting if each.queued == min(other.queued or 0 for other in waiting)]
        self.run(self._do(lender.keep, session))
        if handed_on and waiting:
            assert any(each.task.done() and each.task.result() is session for each in first)

    @precondition(lambda self: self.held)
    @rule(which=_ANY)
    def drop(self, which: int) -> None:
        """Its statement was cancelled."""
        self.run(self._do(self.lender.drop, self.held.pop(which % len(self.held))))

    @precondition(lambda self: self.held)
    @rule(which=_ANY, verdict=st.sampled_from(Consequence), keep=st.booleans())
    def learn(self, which: int, verdict: Consequence, keep: bool) -> None:
        """Its statement failed."""
        session = self.held.pop(which % len(self.held))

        def act() -> None:
            self.lender.learn(session, verdict)
            (self.lender.keep if keep else self.lender.drop)(session)

        self.run(self._do(act))

    @precondition(lambda self: self.borrowers)
    @rule(which=_ANY)
    def cancel(self, which: int) -> None:
        """Who waits leaves."""
        self.borrowers[which % len(self.borrowers)].task.cancel()
        self.run(self._settle())

    @precondition(lambda self: self.borrowers and self.held)
    @rule(which=_ANY, other=_ANY, keep=st.booleans())
    def cancel_at_once(self, which: int, other: int, keep: bool) -> None:
        """Who waits leaves at the moment at which something comes for him."""
        session = self.held.pop(other % len(self.held))

        def act() -> None:
            (self.lender.keep if keep else self.lender.drop)(session)
            self.borrowers[which % len(self.borrowers)].task.cancel()

        self.run(self._do(act))

    @precondition(lambda self: self.attempts)
    @rule(which=_ANY, how=st.sampled_from(["opened", "full", "denied"]), after=st.sampled_from([0.0, 0.2]))
    def answer_attempt(self, which: int, how: str, after: float) -> None:
        """The server answers to a login."""
        future, _ = self.attempts[which % len(self.attempts)]
        self.run(self._settle(after))
        if future.done():
            return
        if how == "opened":
            self.made.append(_Fake())
            future.set_result(cast("Session", self.made[-1]))
        else:
            error = DatabaseUnavailable("full") if how == "full" else AccessDenied("no")
            error.__cause__ = asyncpg.TooManyConnectionsError()
            future.set_exception(error)
        self.run(self._settle())

    @precondition(lambda self: any(session.answer for session in self.made))
    @rule(which=_ANY, alive=st.booleans())
    def answer_ping(self, which: int, alive: bool) -> None:
        """A connection is asked, and answers, or is found dead."""
        asked = [session for session in self.made if session.answer]
        session = asked[which % len(asked)]
        assert session.answer is not None
        if alive:
            session.answer.set_result(None)
        else:
            session.terminate()
        self.run(self._settle())

    @precondition(lambda self: self.made)
    @rule(which=_ANY)
    def lose(self, which: int) -> None:
        """The server ends a session."""
        self.made[which % len(self.made)].terminate()
        self.run(self._settle())

    @rule(seconds=st.sampled_from([0.02, 0.2, 1.0]))
    def later(self, seconds: float) -> None:
        """Time passes."""
        self.run(self._settle(seconds))

    @rule(seconds=st.sampled_from([301.0, 3601.0]))
    def much_later(self, seconds: float) -> None:
        """All that is idle is so for too long."""
        self.run(self._settle(6))
        self.loop.clock.now += seconds
        self.run(self._settle())

    @precondition(lambda self: self.closing is None and self.step > 20)
    @rule()
    def close(self) -> None:
        """With whatever is in use and under way."""
        self.closing = self.loop.create_task(self.lender.close(1.0))
        self.run(self._settle())

    @invariant()
    def count(self) -> None:
        """Number the steps."""
        self.step += 1

    def teardown(self) -> None:
        """At the end all is given back, each borrower has his answer, and close() ends the rest."""
        self.run(self._end())
        self.loop.close()

    async def _end(self) -> None:
        if self.closing is None:
            self.closing = self.loop.create_task(self.lender.close(1.0))
        await self._settle(1.1)
        assert self.closing.done()
        self.closing.result()
        assert all(session.closed for session in self.made)
        await self._settle(6)
        assert self.borrowers == []
        for session in self.held:
            self.lender.drop(session)
        assert self.lender._busy == 0
        assert self.lender._lent == {}
        assert self.lender._background._tasks == set()


TestLender = LenderMachine.TestCase
TestLender.settings = property_settings(15)
