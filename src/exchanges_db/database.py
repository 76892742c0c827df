"""The pool of connections, transactions, and the process's default database (one per event loop).

`run` is the only way from a public function to a server: it borrows a connection, sets the time limits,
turns driver errors into ours, and repeats a read once when its connection was lost. Writes are never repeated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, Self, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db._bridge import RawConnection, bridge
from exchanges_db.dsn import Dsn, parse_dsn
from exchanges_db.errors import (
    DRIVER_ERRORS,
    ConfigurationError,
    DatabaseError,
    DatabaseUnavailable,
    OutcomeUnknown,
    PoolTimeout,
    translate,
)
from exchanges_db.settings import Settings, load_dsn, load_settings

log = logging.getLogger("exchanges_db")

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]
Isolation = Literal["read_committed", "repeatable_read", "serializable"]

# asyncpg's own reset forgets SET ROLE and temporary tables; the next borrower must see neither.
_FULL_RESET = """
SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE;
DISCARD TEMP; DISCARD SEQUENCES
"""
_READ_ONLY_SERVER = "25006"


async def _no_reset(connection: asyncpg.Connection[Any]) -> None:
    """Do nothing: our own statements leave no trace in a session, and asyncpg's reset is a round trip a call."""


class Transaction:
    """One open transaction; pass it as `db=` to several functions. Made by `Database.transaction`."""

    def __init__(self, connection: PoolConnectionProxy[Any]) -> None:
        self._connection = connection
        self.lent = False
        self.discarded = False

    @property
    def connection(self) -> PoolConnectionProxy[Any]:
        """The asyncpg connection, for SQL of your own; its session is reset when the transaction ends."""
        self.lent = True
        return self._connection

    async def run(self, work: Work[T]) -> T:
        """Return what `work` makes of this transaction."""
        return await run(self._connection, work)

    def discard(self) -> None:
        """Have the transaction rolled back at its end, without an exception."""
        self.discarded = True


class Database:
    """A pool of connections to one database.

    Opened on first use or by `async with`; belongs to the event loop that opened it.
    """

    def __init__(self, dsn: str | Dsn, settings: Settings | None = None) -> None:
        self._dsn = parse_dsn(dsn) if isinstance(dsn, str) else dsn
        self._settings = settings or load_settings()
        self._pool: asyncpg.Pool[Any] | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def open(self) -> Self:
        """Open the pool and prove with one connection that the server answers.

        Raises:
            DatabaseUnavailable, AccessDenied, ConfigurationError
        """
        await self._open_pool()
        return self

    async def close(self) -> None:
        """Give every connection back to the server; those still in use after a second are cut."""
        pool, self._pool, self._closed = self._pool, None, True
        if pool is None:
            return
        try:
            async with asyncio.timeout(1):
                await pool.close()
        except DRIVER_ERRORS:
            pool.terminate()
        log.info("closed %s", self._dsn)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Database {self._dsn}>"

    async def run(self, work: Work[T], *, write: bool = False) -> T:
        """Return what `work` makes of a connection of the pool.

        A read whose connection was lost is repeated once; a write never, it becomes OutcomeUnknown.
        """
        for last_try in (False, True):
            pool = self._pool or await self._open_pool()
            connection = await self._acquire(pool)
            try:
                return await work(bridge(connection))
            except DRIVER_ERRORS as exc:
                error = translate(exc, unknown_if_lost=write)
                if last_try or not await self._may_repeat(error, write):
                    raise error from exc
            finally:
                await self._release(pool, connection)
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation = "read_committed", readonly: bool = False
    ) -> AsyncIterator[Transaction]:
        """Open a transaction: committed at the end of the block, rolled back on an exception.

        Raises:
            OutcomeUnknown: the connection was lost while committing.
        """
        pool = self._pool or await self._open_pool()
        connection = await self._acquire(pool)
        transaction = Transaction(connection)
        try:
            inner = connection.transaction(isolation=isolation, readonly=readonly)
            try:
                await inner.start()
                yield transaction
            except BaseException as exc:
                await _roll_back(inner)
                if isinstance(exc, DRIVER_ERRORS):
                    raise translate(exc) from exc
                raise
            if transaction.discarded:
                await _roll_back(inner)
                return
            try:
                await inner.commit()
            except DRIVER_ERRORS as exc:
                raise translate(exc, unknown_if_lost=True) from exc
        finally:
            await self._release(pool, connection, reset=transaction.lent)

    async def _may_repeat(self, error: Exception, write: bool) -> bool:
        if not isinstance(error, DatabaseUnavailable):
            if isinstance(error, OutcomeUnknown):
                log.error("a write to %s has an unknown outcome: %s", self._dsn, error)
            return False
        read_only = error.sqlstate == _READ_ONLY_SERVER
        if read_only and self._pool is not None:
            # A demoted primary keeps answering reads: leave all its connections, look for the new one.
            await self._pool.expire_connections()
        repeat = read_only or not write
        log.warning("%s: %s%s", self._dsn, error, "; trying once more" if repeat else "")
        return repeat

    async def _open_pool(self) -> asyncpg.Pool[Any]:
        async with self._opening:
            if self._pool is None:
                if self._closed:
                    raise DatabaseUnavailable("this Database is closed: make a new one")
                settings = self._settings
                options: dict[str, Any] = {"statement_cache_size": 0} if settings.pooler == "transaction" else {}
                arguments = self._dsn.asyncpg_arguments()
                arguments["server_settings"].setdefault("application_name", "exchanges_db")
                try:
                    self._pool = await asyncpg.create_pool(
                        min_size=settings.pool_min,
                        max_size=settings.pool_max,
                        timeout=self._dsn.connect_timeout or settings.connect_timeout,
                        command_timeout=settings.command_timeout,
                        reset=_no_reset,
                        **arguments,
                        **options,
                    )
                except DRIVER_ERRORS as exc:
                    raise self._connect_error(exc) from exc
                log.info("opened %s", self._dsn)
            return self._pool

    async def _acquire(self, pool: asyncpg.Pool[Any]) -> PoolConnectionProxy[Any]:
        limit = asyncio.timeout(self._settings.acquire_timeout)
        try:
            async with limit:
                return await pool.acquire()
        except DRIVER_ERRORS as exc:
            if limit.expired() and pool.get_idle_size() == 0 and pool.get_size() >= pool.get_max_size():
                raise PoolTimeout(
                    f"all {pool.get_max_size()} connections to {self._dsn} were in use for "
                    f"{self._settings.acquire_timeout:g} s: raise EXCHANGES_DB_POOL_MAX or shorten transactions"
                ) from exc
            raise self._connect_error(exc) from exc

    async def _release(
        self, pool: asyncpg.Pool[Any], connection: PoolConnectionProxy[Any], *, reset: bool = False
    ) -> None:
        try:
            try:
                if reset:
                    await connection.execute(_FULL_RESET)
            except BaseException:
                connection.terminate()
                raise
            finally:
                await pool.release(connection)
        except DRIVER_ERRORS as exc:
            # asyncpg has ended the connection and will make another; what was asked for is already done.
            log.warning("%s: a connection was lost while it was given back: %s", self._dsn, type(exc).__name__)

    def _connect_error(self, exc: BaseException) -> Exception:
        error = translate(exc)
        if isinstance(exc, TimeoutError | OSError):
            error = DatabaseUnavailable(f"cannot connect to {self._dsn}: {_reason(exc)}")
        elif isinstance(error, DatabaseError):
            error = type(error)(f"cannot connect to {self._dsn}: {error}", sqlstate=error.sqlstate)
        return error


async def _roll_back(transaction: asyncpg.transaction.Transaction) -> None:
    try:
        await transaction.rollback()
    except DRIVER_ERRORS as exc:
        # The server rolls back by itself when the session is gone.
        log.debug("rollback was not confirmed: %s", type(exc).__name__)


def _reason(exc: BaseException) -> str:
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    return exc.strerror or type(exc).__name__ if isinstance(exc, OSError) else type(exc).__name__


DatabaseOrConnection: TypeAlias = "Database | Transaction | RawConnection | AsyncConnection"

_defaults: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Database, AsyncGenerator[None, None]]] = (
    WeakKeyDictionary()
)


async def default_database() -> Database:
    """Return this event loop's database, from DATABASE_URL; made at the first call, closed when the loop shuts down.

    Raises:
        ConfigurationError: DATABASE_URL is unset or unusable.
    """
    loop = asyncio.get_running_loop()
    if loop not in _defaults:
        database = Database(load_dsn())
        # asyncio.run ends every asynchronous generator that was begun: that is where the pool is closed.
        closer = _close_with_loop(database)
        _defaults[loop] = database, closer
        await anext(closer)
    return _defaults[loop][0]


async def close_default_database() -> None:
    """Close this event loop's default database, if there is one; the next call that needs it opens another."""
    entry = _defaults.pop(asyncio.get_running_loop(), None)
    if entry is not None:
        await entry[1].aclose()


async def _close_with_loop(database: Database) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await database.close()


async def run(db: DatabaseOrConnection | None, work: Work[T], *, write: bool = False) -> T:
    """Return what `work` makes of a connection of `db`: of the default database, one's own, or one connection."""
    if db is None:
        db = await default_database()
    if isinstance(db, Database):
        return await db.run(work, write=write)
    if isinstance(db, Transaction):
        return await db.run(work)
    if isinstance(db, asyncpg.Connection | PoolConnectionProxy):
        connection, commits = bridge(db), not db.is_in_transaction()
    elif isinstance(db, AsyncConnection):
        connection, commits = db, False
    else:
        raise ConfigurationError(
            "db must be a Database, a Transaction, an asyncpg connection or a SQLAlchemy AsyncConnection, "
            f"not {type(db).__name__}"
        )
    try:
        return await work(connection)
    except DRIVER_ERRORS as exc:
        raise translate(exc, unknown_if_lost=write and commits) from exc
