"""A database: its connections, and what happens when one of them fails.

`run_on` borrows a connection for a public function, turns driver errors into ours, and repeats once what was certainly
not done: a read whose connection was lost, a statement that was never sent, and one that the server refused as
read-only.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, Self, TypeVar, get_args

import asyncpg

from exchanges_db.database.bridge import AsyncpgBridge, as_connection
from exchanges_db.database.counters import Counters, DatabaseStats, Occupancy
from exchanges_db.database.driver_errors import ASYNCPG_ERRORS, DRIVER_ERRORS, consequence, translate
from exchanges_db.database.dsn import Dsn, Secret, parse_dsn
from exchanges_db.database.hosts import connect
from exchanges_db.database.incidents import Incidents
from exchanges_db.database.lending import AllLent, Lender, closed_error
from exchanges_db.database.loops import check_loop, running_loop
from exchanges_db.database.metrics import gauges
from exchanges_db.database.session import Session, forget_transaction
from exchanges_db.database.settings import Settings, load_settings
from exchanges_db.database.transactions import Transaction, Work
from exchanges_db.database.verdicts import Consequence
from exchanges_db.errors import (
    ConfigurationError,
    ExchangesDBError,
    InvalidArgument,
    OutcomeUnknown,
    PoolTimeout,
)

T = TypeVar("T")
Isolation = Literal["read_committed", "repeatable_read", "serializable"]
_ISOLATIONS: tuple[str, ...] = get_args(Isolation)

_CLOSE_LIMIT = 1.0  # seconds
_GONE = (Consequence.LOST, Consequence.UNSENT)
_NOT_DONE = (Consequence.UNSENT, Consequence.READ_ONLY)
_claiming = threading.Lock()


class Database:
    """A pool of connections to one database.

    Opened on first use or by `async with`; belongs to the event loop that opened it.
    """

    def __init__(self, dsn: str | Dsn, settings: Settings | None = None) -> None:
        kind = type(dsn)
        # At once: crash reporters print the local variables, and this may be a URL with a password.
        given = dsn if isinstance(dsn, Dsn) else Secret(dsn)
        del dsn
        if not issubclass(kind, str | Dsn):
            raise ConfigurationError(f"a Database is made of a URL or a Dsn, not of {kind.__name__}")
        if settings is not None and not isinstance(settings, Settings):
            raise ConfigurationError(f"settings must be a Settings, not a {type(settings).__name__}")
        self._dsn = given if isinstance(given, Dsn) else parse_dsn(given)
        self._settings = settings or load_settings()
        self._counters = Counters()
        self._told = Incidents(self._dsn, self._counters)
        self._lender: Lender | None = None
        self._is_closed = False

    @property
    def settings(self) -> Settings:
        """How it behaves: as given, else as the environment said when it was made."""
        return self._settings

    async def open(self) -> Self:
        """Open the pool, whose first connection proves that the server answers.

        Raises:
            DatabaseUnavailable: no server answers.
            AccessDenied: the server refuses the login.
            ConfigurationError: the settings are unusable, or the server is too old.
        """
        lender = self._claim()
        lender.keep(await self._acquire(lender, write=True))
        self._told.note_opened()
        return self

    async def close(self) -> None:
        """Close every connection; those still in use after a second are ended."""
        lender = self._lender
        if lender is not None:
            check_loop(lender.loop)
        self._lender, self._is_closed = None, True
        if lender is not None:
            await lender.close(_CLOSE_LIMIT)
            self._told.note_closed()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Database {getattr(self, '_dsn', 'that could not be made')}>"

    def stats(self) -> DatabaseStats:
        """Return what this Database has done since it was made, and where its connections are; asks no server."""
        lender, settings = self._lender, self._settings
        occupancy = Occupancy() if lender is None else lender.occupancy()
        return self._counters.stats(occupancy, settings.pool_min, settings.pool_max)

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation = "read_committed", readonly: bool = False
    ) -> AsyncIterator[Transaction]:
        """Open a transaction: committed at the end of the block, rolled back on an exception.

        Raises:
            InvalidArgument: there is no such isolation.
            DatabaseError: a statement inside failed and its error was caught: the server rolled everything back.
            DatabaseUnavailable: the connection was lost before COMMIT was sent: nothing was written.
            OutcomeUnknown: the connection was lost while committing.
        """
        # Before a connection is borrowed: asyncpg checks it too, and one would be lost each time.
        if not isinstance(isolation, str) or isolation not in _ISOLATIONS:
            raise InvalidArgument(f"isolation must be one of {', '.join(_ISOLATIONS)}", field="isolation")
        lender = self._claim()
        session, inner = await self._begin(lender, isolation, readonly)
        self._counters.transactions += 1
        transaction = Transaction(lender, session)
        try:
            try:
                yield transaction
            except BaseException as exc:
                still_open = not session.is_closed()
                await transaction._roll_back(inner, exc)  # noqa: SLF001 - users see no such method
                # An OSError or TimeoutError here may be the caller's own.
                if isinstance(exc, ASYNCPG_ERRORS):
                    raise translate(exc, still_open=still_open) from exc
                raise
            if transaction._is_discarded:  # noqa: SLF001 - as above
                await transaction._roll_back(inner, None)  # noqa: SLF001 - as above
            else:
                await transaction._commit(inner)  # noqa: SLF001 - as above
        except OutcomeUnknown as exc:
            self._told.note_unknown(exc)
            raise
        except asyncio.CancelledError:
            self._told.note_cancelled(transaction._is_sent)  # noqa: SLF001 - as above
            raise
        finally:
            await transaction._give_back()  # noqa: SLF001 - as above

    async def _begin(
        self, lender: Lender, isolation: Isolation, readonly: bool
    ) -> tuple[Session, asyncpg.transaction.Transaction]:
        """Return a connection on which BEGIN was answered, which also proves that it lives."""
        new = False
        while True:
            session = await self._acquire(lender, new=new)
            inner = session.transaction(isolation=isolation, readonly=readonly)
            try:
                await inner.start()
            except DRIVER_ERRORS as exc:
                still_open = not session.is_closed()
                verdict = consequence(exc, closed=not still_open)
                forget_transaction(session, inner)
                self._give_up(lender, session, verdict)
                if new or verdict not in _GONE:
                    raise translate(exc, still_open=still_open) from exc
                self._counters.retries += 1
                new = True
            except BaseException:
                lender.drop(session)
                raise
            else:
                return session, inner

    async def _run(self, work: Work[T], *, write: bool = False) -> T:
        lender = self._claim()
        if write:
            self._counters.writes += 1
        else:
            self._counters.lookups += 1
        new = False
        while True:
            session = await self._acquire(lender, write=write, new=new)
            executor = AsyncpgBridge(session)
            try:
                result = await work(as_connection(executor))
            except DRIVER_ERRORS as exc:
                still_open = not session.is_closed()
                verdict = consequence(exc, closed=not still_open)
                # What came after another statement may have been done in part.
                not_done = verdict in _NOT_DONE and executor.statements == 1
                error = translate(exc, unknown_if_lost=write and not not_done, still_open=still_open)
                again = self._give_up(lender, session, verdict) and (not_done or not write) and not new
                self._told.note_error(error, again)
                if not again:
                    raise error from exc
                new = True
            except ExchangesDBError:
                lender.keep(session)
                raise
            except BaseException as exc:
                lender.drop(session)
                if isinstance(exc, asyncio.CancelledError):
                    self._told.note_cancelled(write and executor.statements > 0)
                raise
            else:
                lender.keep(session)
                return result

    def _give_up(self, lender: Lender, session: Session, verdict: Consequence) -> bool:
        """Give a connection back on which a statement failed; return whether another may do better."""
        better = lender.learn(session, verdict)
        if verdict is Consequence.NOTHING or (verdict is Consequence.READ_ONLY and not better):
            lender.keep(session)
        else:
            lender.drop(session)
        return better

    def _claim(self) -> Lender:
        """Return the pool, which belongs to the event loop that asks for it first."""
        lender = self._lender
        if lender is None:
            lender = self._make_lender()
        check_loop(lender.loop)
        return lender

    def _make_lender(self) -> Lender:
        running_loop()
        with _claiming:  # two threads, each with a loop of its own, may come at once
            if self._is_closed:
                raise closed_error()
            if self._lender is None:
                settings = self._settings
                self._lender = Lender(
                    self._connect,
                    floor=settings.pool_min,
                    ceiling=settings.pool_max,
                    limit=settings.acquire_timeout,
                    counters=self._counters,
                )
                gauges.watch(self, self._dsn, self._counters)
            return self._lender

    async def _connect(self, limit: float) -> Session:
        return await connect(self._dsn, self._settings, limit=limit)

    async def _acquire(self, lender: Lender, *, write: bool = False, new: bool = False) -> Session:
        try:
            return await lender.acquire(self._settings.acquire_timeout, write=write, new=new)
        except AllLent as exc:
            self._counters.pool_timeouts += 1
            raise PoolTimeout(
                f"all {self._settings.pool_max} connections to {self._dsn} were in use for "
                f"{self._settings.acquire_timeout:g} s: raise EXCHANGES_DB_POOL_MAX or shorten transactions"
            ) from exc


async def run_on(db: Database | Transaction, work: Work[T], *, write: bool = False) -> T:
    """Return what `work` returns, given a connection of `db`; `write` says that a repetition could write twice.

    A read whose connection was lost is repeated once; a write whose connection was lost raises OutcomeUnknown, unless
    it is certain that nothing was sent. What the server refused as read-only is repeated once on another connection. In
    a transaction nothing is repeated.
    """
    if isinstance(db, Transaction):
        return await db._run(work)  # noqa: SLF001 - private to these modules, so that users see no `run`
    return await db._run(work, write=write)  # noqa: SLF001 - as above


async def run_in_own_transaction(db: Database, work: Work[T], *, readonly: bool) -> T:
    """Return what `work` returns in a transaction of its own.

    Repeated once where nothing was written and another connection may do better: the server was read-only, or the
    connection was lost and the transaction was for reading.
    """
    repeated = False
    while True:
        transaction = None
        try:
            async with db.transaction(readonly=readonly) as transaction:
                return await run_on(transaction, work)
        except ExchangesDBError as exc:
            if repeated or transaction is None or not transaction._may_be_repeated(exc, readonly):  # noqa: SLF001
                raise
            repeated = True
            db._told.note_error(exc, again=True)  # noqa: SLF001 - private to this module
