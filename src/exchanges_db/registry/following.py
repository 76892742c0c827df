"""Keeps a snapshot as the database is: subscribe, then load, then follow; after any error from the beginning again.

A notification is a hint that shortens the wait for the next poll, and nothing else. A connection that fails in any way
is ended, not waited for, and another is made, for ever, after pauses that grow.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from exchanges_db.database.bridge import bridge
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.hosts import connect
from exchanges_db.database.session import Session
from exchanges_db.database.settings import Settings
from exchanges_db.errors import DatabaseUnavailable, ExchangesDBError
from exchanges_db.events import event
from exchanges_db.registry.attempts import again_and_again
from exchanges_db.registry.documents import Documents
from exchanges_db.registry.hearing import NAME, Hearing
from exchanges_db.registry.listening import ECHO_LIMIT, Echo, keep_while_idle
from exchanges_db.registry.loading import (
    Needs,
    fetch_long_news,
    fetch_news,
    fetch_state,
    load_all,
    of_one_moment,
    refuse_torn,
)
from exchanges_db.registry.models import Position
from exchanges_db.registry.proofs import Proofs, Witness
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_db.registry.state import Clock, Counts
from exchanges_db.uptime import uptime
from exchanges_sql.registry import GetRegistryStateRow

log = logging.getLogger("exchanges_db")

_MOST_TAKEN = 200
_USELESS_PAUSE = 0.05  # seconds for which hints are left alone after one that led to nothing
_LOAD_LIMIT = 60.0  # seconds for one statement, while all is loaded


class Following:
    """Follows the log of one database.

    on_move: called with each snapshot, and the news that led to it; None where all was loaded.
    on_proof: called when it is proven that the snapshot is what the database had when the question was sent.
    on_loss: called with the error of each connection that failed.
    """

    def __init__(
        self,
        dsn: Dsn,
        settings: Settings,
        *,
        ear: Dsn | None,
        poll_interval: float,
        answer_timeout: float,
        counts: Counts,
        on_move: Callable[[Snapshot, News | None], None],
        on_proof: Callable[[], None],
        on_loss: Callable[[ExchangesDBError], None],
    ) -> None:
        self._dsn, self._settings, self._ear = dsn, settings, ear
        self._poll_interval, self._answer_timeout = poll_interval, answer_timeout
        self._counts = counts
        self._on_move, self._on_proof, self._on_loss = on_move, on_proof, on_loss
        self.clock, self._began = Clock(), uptime()
        self.snapshot: Snapshot | None = None
        self.proven_at: float | None = None  # when the question was sent, by `uptime`
        self._documents = Documents()
        self._hinted = asyncio.Event()
        self._hints: set[str] = set()  # that wait; "" says nothing
        self._taken: deque[Position] = deque(maxlen=_MOST_TAKEN)  # gone through lately
        self._proofs, self._witness = Proofs(), Witness()
        self._hints_from = 0.0  # the time before which no hint is followed up
        self._limit = answer_timeout
        # Two polls, between which it is tried, are to be less apart than a poll and an answer may take.
        patience = min(ECHO_LIMIT, answer_timeout / 2)
        self._hearing = Hearing(
            dsn, settings, poll_interval=poll_interval, patience=patience, counts=counts, on_hint=self._note
        )

    def look(self) -> None:
        """Have it look now, as after a hint."""
        self._hints.add("")
        self._hinted.set()

    async def run(self) -> None:
        """Follow until the task is cancelled."""
        if self._ear is None:
            await again_and_again(self._follow, self._lose)
        async with asyncio.TaskGroup() as both:
            both.create_task(again_and_again(self._follow, self._lose))
            both.create_task(again_and_again(self._listen, self._note_loss))  # polls see what is missed

    def _lose(self, error: ExchangesDBError) -> None:
        self._note_loss(error)
        self._on_loss(error)

    def _note_loss(self, error: ExchangesDBError) -> None:
        self._counts.losses += 1
        self._counts.last_error = str(error)
        told = event("registry_lost", database=str(self._dsn), error=type(error).__name__)
        log.warning("the registry of %s lost its connection: %s", self._dsn, error, extra=told)

    async def _connect(self, dsn: Dsn) -> Session:
        settings = self._settings
        session = await connect(dsn, settings, limit=settings.connect_timeout, application_name=NAME)
        self._counts.connects += 1
        session.add_termination_listener(lambda _: self.look())  # whoever waits finds out by asking
        return session

    # Two connections: where queries go through a pooler, notifications come directly.

    async def _listen(self) -> None:
        assert self._ear is not None  # else this is not called
        session = await self._connect(self._ear)
        session.add_termination_listener(lambda _: self._witness.doubted.set())
        try:
            await keep_while_idle(session, limit=self._answer_timeout)
            async with asyncio.timeout(self._answer_timeout):
                state = await fetch_state(bridge(session))
            echo = await self._subscribe(session, state)
            if echo is not None:
                await self._hearing.ask(echo, self._ear)
            self.look()  # at what was committed while nobody listened
            while not session.is_closed():
                self._witness.doubted.clear()
                async with asyncio.timeout(self._answer_timeout):
                    state = await fetch_state(bridge(session))  # a dead connection says nothing of itself
                self._witness.sees(state, uptime())
                if self._hearing.is_refused and (echo := await self._subscribe(session, state)) is not None:
                    await self._hearing.ask(echo, self._ear)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_interval):
                        await self._witness.doubted.wait()
            raise DatabaseUnavailable("the connection that listens was lost")
        finally:
            self._witness.leaves()
            self._counts.listening = False
            session.terminate()

    async def _subscribe(self, session: Session, state: GetRegistryStateRow) -> Echo | None:
        async with asyncio.timeout(self._answer_timeout + ECHO_LIMIT):
            return await self._hearing.subscribe(session, state)

    def _note(self, hint: str) -> None:
        self._counts.hints += 1
        self._hints.add(hint if len(self._hints) < _MOST_TAKEN else "")
        self._hinted.set()

    async def _follow(self) -> None:
        session, asking = await self._connect(self._dsn), None
        try:
            self._proofs = Proofs()
            self._proofs.is_direct = await keep_while_idle(session, limit=self._answer_timeout)
            state, _ = await self._ask(session)
            # Before the first look: what is committed from here on is told.
            echo = None if self._ear is not None else await self._subscribe(session, state)
            asked = monotonic()
            await self._look(session)
            until = asked + (self._poll_interval if self._proofs.by_any else 0)  # at once after a load that took longer
            impatient_until = 0.0
            while True:
                if echo is not None:  # not before: while all is loaded, in a transaction, no notification arrives
                    asking, echo = asyncio.create_task(self._hearing.ask(echo, self._dsn)), None
                hinted = await self._wait(until)
                if session.is_closed():
                    raise DatabaseUnavailable("the connection was lost")
                if hinted and self._proofs.by_any:
                    await self._look(session, hinted=True)
                    continue
                if hinted and not self._proofs.on_primary:  # what was told of may still be on its way here
                    impatient_until = monotonic() + self._poll_interval
                moved = await self._poll(session)
                if not self._proofs.on_primary:  # the first answer says what the second one proves
                    moved = await self._poll(session) or moved
                if hinted and not moved:
                    self._hints_from = monotonic() + _USELESS_PAUSE
                if self._hearing.is_refused and self._ear is None and self._proofs.last is not None:
                    echo = await self._subscribe(session, self._proofs.last)
                is_awaited = not moved and monotonic() < impatient_until
                until = monotonic() + (_USELESS_PAUSE if is_awaited else self._poll_interval)
        finally:
            if self._ear is None:
                self._counts.listening = False
            session.terminate()
            if asking is not None:
                asking.cancel()
                await asyncio.wait((asking,))

    async def _ask(self, session: Session) -> tuple[GetRegistryStateRow, float | None]:
        """Return the newest position that the server shows, and since when that is proven."""
        sent = uptime()
        async with asyncio.timeout(self._answer_timeout):
            state = await fetch_state(bridge(session))
        self._counts.on_standby = state.on_standby
        refuse_torn(state)
        self.clock.learn(state.asked_at, sent, uptime())
        return state, self._proofs.of(state, sent)

    async def _wait(self, until: float) -> bool:
        """Wait for a hint at something new, or until it is time for a poll; return whether there was a hint."""
        limit = asyncio.timeout(max(0.0, until - monotonic()))
        try:
            async with limit:
                while True:
                    await asyncio.sleep(max(0.0, self._hints_from - monotonic()))
                    await self._hinted.wait()
                    self._hinted.clear()  # before the look: what is committed during it sets it again
                    hints, self._hints = self._hints, set()
                    # One look may take in several commits, whose hints come after it: they are no reason for another.
                    known = () if self.snapshot is None else (*self._taken, self.snapshot.position)
                    if hints - {f"{one.epoch}:{one.token}" for one in known}:
                        return True
        except TimeoutError:
            if not limit.expired():  # not by the clock: timers of some event loops are early
                raise  # another's
            return False

    async def _poll(self, session: Session) -> bool:
        """Ask whether there is anything new, and go on to it; return whether there was."""
        state, proven = await self._ask(session)
        self._counts.polls += 1
        before = self.snapshot
        shown = state.epoch, state.token, state.log_version
        is_new = before is None or (*before.position, before.log_version) != shown
        if is_new:
            await self._look(session, proven=proven)
        held = self.snapshot
        if is_new and held is before:  # what the server shows is not what is held
            return False
        # Behind a pooler another server may have shown what is held now, which knew less than the one that was asked.
        if proven is not None and (self._proofs.is_direct or (held is not None and held.position.epoch >= state.epoch)):
            self._prove(proven)
        return is_new

    async def _look(self, session: Session, *, hinted: bool = False, proven: float | None = None) -> None:
        """Go on to what the database has now; proven: since when what the server showed last is, as far as known."""
        sent, known = uptime(), self.snapshot
        news = None if known is None else await self._news(session, known)
        if known is not None and news is not None:
            if not news.entries:
                if hinted:
                    self._hints_from = monotonic() + _USELESS_PAUSE
                self._prove_here(sent)
                return
            self.snapshot = known.after(news)
            self._taken.extend(Position(entry.epoch, entry.token) for entry in news.entries)
            self._counts.updates += 1
            self._counts.changes += len({entry.epoch for entry in news.entries})
        elif known is not None and self._proofs.may_be_behind(proven, self.proven_at, known, self._began):
            return  # what is held stays, and is STALE
        else:
            self._witness.denies_last(self._proofs)  # an old primary is not to take back what the new one has said
            self._taken.clear()
            self._documents = Documents()  # what it remembers is freed with the snapshot
            sent = uptime()
            self.snapshot = await of_one_moment(session, lambda conn: load_all(conn, self._documents))
            self._counts.loads += 1
        self._on_move(self.snapshot, news)
        self._prove_here(sent)

    async def _news(self, session: Session, known: Snapshot) -> News | None:
        """Return what has changed since a snapshot; None where all is to be read anew."""
        try:
            async with asyncio.timeout(self._limit):
                news = await fetch_news(bridge(session), self._documents, known)
        except TimeoutError:
            self._limit = min(2 * self._limit, _LOAD_LIMIT)  # there may be much that is new
            raise
        self._limit = self._answer_timeout
        if news is not Needs.TRANSACTION:
            return news
        return await of_one_moment(session, lambda conn: fetch_long_news(conn, self._documents, known))

    def _prove_here(self, sent: float) -> None:
        if self._proofs.by_any:
            self._prove(sent)

    def _prove(self, sent: float) -> None:
        if self.snapshot is None or not self._witness.denies(self.snapshot.position, self._taken, sent, self._proofs):
            self.proven_at = sent if self.proven_at is None else max(sent, self.proven_at)
            self._on_proof()
