"""A database: its connections, its transactions, and what happens when one of them fails.

`run_on` borrows a connection for a public function, sets the time limits, turns driver errors into ours, and repeats a
read once when its connection was lost. A write is repeated only where the server refused it as read-only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar, cast

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.bridge import bridge, is_closed
from exchanges_db.database.driver_errors import ASYNCPG_ERRORS, DRIVER_ERRORS, translate
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.database.hosts import Session, connect_error, connect_to_one_host
from exchanges_db.database.lending import AllLent, Lender
from exchanges_db.database.settings import Settings, load_settings
from exchanges_db.errors import ConfigurationError, DatabaseError, DatabaseUnavailable, OutcomeUnknown, PoolTimeout

log = logging.getLogger("exchanges_db")

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]
Isolation = Literal["read_committed", "repeatable_read", "serializable"]

# asyncpg's own reset leaves SET ROLE and temporary tables in place; the next borrower must see neither.
_FULL_RESET = """
SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE;
DISCARD TEMP; DISCARD SEQUENCES
"""
_READ_ONLY_SERVER = "25006"


async def _no_reset(connection: asyncpg.Connection[Any]) -> None:
    """Do nothing: our statements leave no trace in a session, and asyncpg's reset takes another round trip per call."""


@dataclass
class _Course:
    """What happened in a transaction, as `Database.transaction` needs to know it at the end."""

    lent: bool = False
    discarded: bool = False
    failure: Exception | None = None  # the first of our errors, even if a savepoint has undone its effect


class Transaction:
    """One open transaction; pass it as `db=` to several functions. Made by `Database.transaction`."""

    def __init__(self, connection: PoolConnectionProxy[Any], course: _Course) -> None:
        self._connection = connection
        self._course = course

    @property
    def connection(self) -> PoolConnectionProxy[Any]:
        """The asyncpg connection, for SQL of your own; its session is reset when the transaction ends."""
        self._course.lent = True
        return self._connection

    def discard(self) -> None:
        """Mark the transaction to be rolled back at its end, without an exception."""
        self._course.discarded = True

    async def _run(self, work: Work[T]) -> T:
        try:
            return await work(bridge(self._connection))
        except DRIVER_ERRORS as exc:
            error = translate(exc, still_open=not is_closed(self._connection))
            self._course.failure = self._course.failure or error
            raise error from exc

    async def _run_in_savepoint(self, work: Work[T]) -> T:
        async def inside(connection: AsyncConnection) -> T:
            async with self._connection.transaction():
                return await work(connection)

        return await self._run(inside)


class Database:
    """A pool of connections to one database.

    Opened on first use or by `async with`; belongs to the event loop that opened it.
    """

    def __init__(self, dsn: str | Dsn, settings: Settings | None = None) -> None:
        if not isinstance(dsn, str | Dsn):
            raise ConfigurationError(f"a Database is made of a URL or a Dsn, not of {type(dsn).__name__}")
        if settings is not None and not isinstance(settings, Settings):
            raise ConfigurationError(f"settings must be a Settings, not a {type(settings).__name__}")
        self._dsn = parse_dsn(dsn) if isinstance(dsn, str) else dsn
        self._settings = settings or load_settings()
        self._lender: Lender | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def open(self) -> Self:
        """Open the pool, whose first connection proves that the server answers.

        Raises:
            DatabaseUnavailable: no server answers.
            AccessDenied: the server refuses the login.
            ConfigurationError: the settings are unusable, or the server is too old.
        """
        await self._open_pool()
        return self

    async def close(self) -> None:
        """Close every connection; those still in use after a second are ended."""
        lender = self._lender
        if lender is not None:
            lender.check_loop()
        self._lender, self._closed = None, True
        if lender is None:
            return
        try:
            async with asyncio.timeout(1):
                await lender.close()
        except DRIVER_ERRORS:
            lender.terminate()
        log.info("closed %s", self._dsn)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Database {self._dsn}>"

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation = "read_committed", readonly: bool = False
    ) -> AsyncIterator[Transaction]:
        """Open a transaction: committed at the end of the block, rolled back on an exception.

        Raises:
            DatabaseError: a statement inside failed and its error was caught: the server rolled everything back.
            OutcomeUnknown: the connection was lost while committing.
        """
        lender = self._lender or await self._open_pool()
        connection = await self._acquire(lender)
        course = _Course()
        try:
            inner = connection.transaction(isolation=isolation, readonly=readonly)
            try:
                await inner.start()
            except DRIVER_ERRORS as exc:
                raise translate(exc) from exc
            try:
                yield Transaction(connection, course)
            except BaseException as exc:
                await _roll_back(inner)
                # An OSError or TimeoutError here may be the caller's own.
                if isinstance(exc, ASYNCPG_ERRORS):
                    raise translate(exc) from exc
                raise
            if course.discarded:
                await _roll_back(inner)
                return
            try:
                await inner.commit()
            except DRIVER_ERRORS as exc:
                raise translate(exc, unknown_if_lost=True) from exc
            # The pool's proxy passes attributes of the connection on.
            if cast("Session", connection).last_status != "COMMIT":
                failure = course.failure
                raise DatabaseError(
                    f"nothing was written: an earlier statement failed: {failure or 'one on the connection itself'}",
                    sqlstate="25P02",
                ) from failure
        finally:
            await self._release(lender, connection, reset=course.lent)

    async def _run(self, work: Work[T], *, write: bool = False) -> T:
        for last_try in (False, True):
            lender = self._lender or await self._open_pool()
            connection = await self._acquire(lender)
            kept = False
            try:
                result = await work(bridge(connection))
            except DRIVER_ERRORS as exc:
                error = translate(exc, unknown_if_lost=write)
                if last_try or not await self._may_repeat(error, write):
                    raise error from exc
            else:
                kept = lender.keep(connection)
                return result
            finally:
                if not kept:
                    await self._release(lender, connection)
        raise AssertionError("unreachable")

    async def _may_repeat(self, error: Exception, write: bool) -> bool:
        if not isinstance(error, DatabaseUnavailable):
            if isinstance(error, OutcomeUnknown):
                log.error("a write to %s has an unknown outcome: %s", self._dsn, error)
            return False
        read_only = error.sqlstate == _READ_ONLY_SERVER
        if read_only and self._lender is not None:
            # A demoted primary still answers reads: replace all connections to it, so that the new primary is found.
            await self._lender.expire()
        repeat = read_only or not write
        log.warning("%s: %s%s", self._dsn, error, "; trying once more" if repeat else "")
        return repeat

    async def _open_pool(self) -> Lender:
        async with self._opening:
            if self._lender is None:
                if self._closed:
                    raise DatabaseUnavailable("this Database is closed: make a new one")
                settings = self._settings
                options: dict[str, Any] = {"connect": connect_to_one_host, "connection_class": Session}
                if settings.pooler == "transaction":
                    options["statement_cache_size"] = 0
                arguments = self._dsn.asyncpg_arguments()
                arguments["server_settings"].setdefault("application_name", "exchanges_db")
                timeout = self._dsn.connect_timeout or settings.connect_timeout
                if len(self._dsn.hosts) > 1:
                    # Each host gets its share of the time that a caller waits; asyncpg gives all of it to the first.
                    timeout = min(timeout, settings.acquire_timeout / len(self._dsn.hosts))
                try:
                    pool = await asyncpg.create_pool(
                        min_size=settings.pool_min,
                        max_size=settings.pool_max,
                        timeout=timeout,
                        command_timeout=settings.command_timeout,
                        reset=_no_reset,
                        **arguments,
                        **options,
                    )
                except DRIVER_ERRORS as exc:
                    raise connect_error(self._dsn, exc) from exc
                self._lender = Lender(pool)
                log.info("opened %s", self._dsn)
            return self._lender

    async def _acquire(self, lender: Lender) -> PoolConnectionProxy[Any]:
        try:
            return await lender.acquire(self._settings.acquire_timeout)
        except AllLent as exc:
            raise PoolTimeout(
                f"all {self._settings.pool_max} connections to {self._dsn} were in use for "
                f"{self._settings.acquire_timeout:g} s: raise EXCHANGES_DB_POOL_MAX or shorten transactions"
            ) from exc
        except DRIVER_ERRORS as exc:
            raise connect_error(self._dsn, exc) from exc

    async def _release(self, lender: Lender, connection: PoolConnectionProxy[Any], *, reset: bool = False) -> None:
        try:
            try:
                if reset:
                    await connection.execute(_FULL_RESET)
            except BaseException:
                connection.terminate()
                raise
            finally:
                await lender.release(connection)
        except DRIVER_ERRORS as exc:
            # asyncpg has ended the connection and will open another; the statement itself has succeeded.
            log.warning("%s: a connection was lost while it was given back: %s", self._dsn, type(exc).__name__)


async def run_on(db: Database | Transaction, work: Work[T], *, write: bool = False) -> T:
    """Return what `work` returns, given a connection of `db`; `write` says that a repetition could write twice.

    A read whose connection was lost is repeated once; a write whose connection was lost raises OutcomeUnknown. What the
    server refused as read-only is repeated once on another connection. In a transaction nothing is repeated.
    """
    if isinstance(db, Transaction):
        return await db._run(work)  # noqa: SLF001 - private to this module, so that users see no `run`
    return await db._run(work, write=write)  # noqa: SLF001 - as above


async def run_in_savepoint(db: Transaction, work: Work[T]) -> T:
    """Return what `work` returns; where it fails, the transaction goes on without what it wrote."""
    return await db._run_in_savepoint(work)  # noqa: SLF001 - as above


async def _roll_back(transaction: asyncpg.transaction.Transaction) -> None:
    try:
        await transaction.rollback()
    except DRIVER_ERRORS as exc:
        # The server rolls back on its own when the session ends.
        log.debug("rollback was not confirmed: %s", type(exc).__name__)
