"""One transaction: what runs in it, and how it ends, which is never assumed but read from the answers of the server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.bridge import AsyncpgBridge, as_connection, detach
from exchanges_db.database.driver_errors import ASYNCPG_ERRORS, DRIVER_ERRORS, consequence, translate
from exchanges_db.database.lending import Lender
from exchanges_db.database.loops import check_loop
from exchanges_db.database.session import Session
from exchanges_db.database.verdicts import Consequence
from exchanges_db.errors import Conflict, DatabaseError, DatabaseUnavailable, ExchangesDBError, OutcomeUnknown
from exchanges_db.events import event

log = logging.getLogger("exchanges_db")

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

ROLLBACK_LIMIT = 1.0  # seconds for ROLLBACK, and for the reset of a session; then the connection is ended
CANCELLED_LIMIT = 0.15  # seconds for undoing what a cancelled caller has begun, who waits for nothing but this
_READ_ONLY = "25006"  # SQLSTATE
_NOT_WRITTEN = "nothing was written: the connection was lost before COMMIT was sent"


class Transaction:
    """One open transaction; pass it as `db=` to several functions. Made by `Database.transaction`."""

    def __init__(self, _lender: Lender, _session: Session) -> None:
        self._lender = _lender
        self._session = _session
        self._executor = AsyncpgBridge(_session)
        self._stand_in: PoolConnectionProxy[Any] | None = None
        self._is_over = False
        self._is_discarded = False
        self._is_sent = False  # whether COMMIT was, when the caller ended it
        self._is_broken = False  # whether the connection is to be ended rather than asked for anything
        self._failure: ExchangesDBError | None = None  # the first of our errors that no savepoint has undone
        self._may_repeat = False  # whether all of it may succeed on another connection

    @property
    def connection(self) -> PoolConnectionProxy[Any]:
        """The asyncpg connection, for SQL of your own; its session is reset when the transaction ends."""
        self._check()
        if self._stand_in is None:
            self._stand_in = self._session.lend()
        return self._stand_in

    def discard(self) -> None:
        """Mark the transaction to be rolled back at its end, without an exception."""
        self._is_discarded = True

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Open a block of which nothing stays if an exception leaves it; the transaction then goes on.

        For whoever wants to catch an error of a statement and do something else in the same transaction. Costs two
        round trips.

        Raises:
            DatabaseError: a statement inside failed and its error was caught inside: nothing of the block stays.
        """
        self._check()
        before = self._failure
        inner = self._session.transaction()
        try:
            await inner.start()
        except DRIVER_ERRORS as exc:
            raise self._failed(exc) from exc
        try:
            yield
        except asyncio.CancelledError:
            if await self._end_savepoint(inner.rollback, CANCELLED_LIMIT):
                self._failure = before
            elif not self._is_over:
                self._session.terminate()
            raise
        except BaseException:
            if await self._end_savepoint(inner.rollback):
                self._failure = before
            raise
        if self._is_over:
            raise DatabaseError(
                "the transaction ended before this savepoint, in another task: what was written here is kept if the "
                "transaction was committed; await each task before its transaction ends"
            )
        inside = self._failure
        if inside is not before or not await self._end_savepoint(inner.commit):
            if not self._is_broken and await self._end_savepoint(inner.rollback):
                self._failure = before
            raise DatabaseError(
                f"nothing of the savepoint was kept: a statement in it failed: {inside or 'one on the connection'}",
                sqlstate="25P02",
            ) from inside

    async def _end_savepoint(self, end: Callable[[], Awaitable[None]], limit: float | None = None) -> bool:
        if self._is_over:
            return False  # another may have the connection
        try:
            async with asyncio.timeout(limit):
                await end()
        except DRIVER_ERRORS as exc:
            self._failed(exc)
            return False
        return True

    async def _run(self, work: Work[T]) -> T:
        self._check()
        if not (self._session.is_closed() or self._session.is_in_transaction()):
            raise DatabaseError(
                "this transaction was ended by a COMMIT or ROLLBACK of your own: what comes now would be kept by itself"
            )
        try:
            return await work(as_connection(self._executor))
        except DRIVER_ERRORS as exc:
            raise self._failed(exc) from exc

    async def _run_in_savepoint(self, work: Work[T]) -> T:
        async with self.savepoint():
            return await self._run(work)

    def _check(self) -> None:
        if self._is_over:
            raise DatabaseError("this transaction is over: begin another")
        check_loop(self._lender.loop, "Transaction")

    def _failed(self, exc: BaseException) -> ExchangesDBError:
        """Return our error, and remember what it says about the transaction and its connection."""
        error = translate(exc, still_open=not self._session.is_closed())
        self._failure = self._failure or error
        self._judge(exc)
        return error

    def _judge(self, exc: BaseException) -> Consequence:
        verdict = consequence(exc, closed=self._session.is_closed())
        self._may_repeat = self._lender.learn(self._session, verdict) or self._may_repeat
        if verdict not in (Consequence.NOTHING, Consequence.READ_ONLY, Consequence.STALE_SCHEMA):
            self._is_broken = True
        return verdict

    def _may_be_repeated(self, error: ExchangesDBError, readonly: bool) -> bool:
        """Return whether all of it, which has written nothing, may succeed on another connection."""
        read_only = isinstance(error, DatabaseError) and error.sqlstate == _READ_ONLY
        return self._may_repeat and (read_only or (readonly and isinstance(error, DatabaseUnavailable | Conflict)))

    # How it ends; for database/pool.py alone.

    async def _commit(self, inner: asyncpg.transaction.Transaction) -> None:
        session = self._session
        if session.has_news():
            # Let the event loop read it: most often, that the server has ended the session.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        if session.is_closed():
            self._lender.learn(session, Consequence.UNSENT)
            raise DatabaseUnavailable(_NOT_WRITTEN) from self._failure
        if self._is_broken and self._failure is not None:
            # Nobody knows how far that statement came, and COMMIT would keep what the caller was told has failed.
            raise self._nothing_written() from self._failure
        is_fit = True
        if session.is_pooled and self._stand_in is not None:
            try:
                is_fit = await session.reset_before_commit()
            except DRIVER_ERRORS as exc:
                raise self._failed(exc) from exc
        try:
            await (inner.commit() if is_fit else inner.rollback())
        except DRIVER_ERRORS as exc:
            if self._judge(exc) is Consequence.UNSENT:
                raise DatabaseUnavailable(_NOT_WRITTEN) from exc
            raise translate(exc, unknown_if_lost=True) from exc
        except asyncio.CancelledError:
            self._is_broken = self._is_sent = True
            raise
        if session.last_status == "ROLLBACK":
            raise self._nothing_written() from self._failure
        if session.last_status != "COMMIT":
            self._is_broken = True
            raise OutcomeUnknown(
                "the answer to COMMIT is none, and the write may have been done: read before repeating"
            )

    def _nothing_written(self) -> DatabaseError:
        return DatabaseError(
            f"nothing was written: an earlier statement failed: {self._failure or 'one on the connection itself'}",
            sqlstate="25P02",
        )

    async def _roll_back(self, inner: asyncpg.transaction.Transaction, why: BaseException | None) -> None:
        """Have the server roll back; where that would have to be waited for, by ending the session."""
        if isinstance(why, ASYNCPG_ERRORS):
            self._judge(why)
        if isinstance(why, asyncio.CancelledError | GeneratorExit) or self._is_broken:
            self._is_broken = True
            return
        try:
            async with asyncio.timeout(ROLLBACK_LIMIT):
                if self._session.is_pooled and self._stand_in is not None:
                    await self._session.reset_before_rollback()
                await inner.rollback()
        except DRIVER_ERRORS as exc:
            self._is_broken = True
            error = type(exc).__name__
            log.debug("rollback was not confirmed: %s", error, extra=event("rollback_unconfirmed", error=error))
        except BaseException:
            self._is_broken = True
            raise

    async def _give_back(self) -> None:
        """Give the connection back as the next borrower must find it; nothing can be done with this object any more."""
        session, self._is_over = self._session, True
        detach(self._executor)
        try:
            if self._stand_in is not None:
                session.take_back(self._stand_in)
                if not (self._is_broken or session.is_closed() or session.is_altered or session.is_pooled):
                    async with asyncio.timeout(ROLLBACK_LIMIT):
                        await session.reset_all()
        except DRIVER_ERRORS as exc:
            # What was asked for is done: the transaction has ended as it should.
            self._is_broken = True
            error = type(exc).__name__
            log.warning(
                "a connection was lost while it was given back: %s", error, extra=event("lost_at_return", error=error)
            )
        except BaseException:
            self._is_broken = True
            raise
        finally:
            if self._is_broken:
                self._lender.drop(session)
            else:
                self._lender.keep(session)


async def run_in_savepoint(transaction: Transaction, work: Work[T]) -> T:
    """Return what `work` returns; where it fails, the transaction goes on without what it wrote."""
    return await transaction._run_in_savepoint(work)  # noqa: SLF001 - private to this module, so that users see no `run`
