"""The process's default database, and what a function's `db=` may be.

There is one per event loop, because a pool belongs to the loop that opened it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from typing import TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from exchanges_db.database.bridge import RawConnection, bridge, guarded, is_closed
from exchanges_db.database.driver_errors import ASYNCPG_ERRORS, DRIVER_ERRORS, answered_without_rows, translate
from exchanges_db.database.loops import check_loop, running_loop
from exchanges_db.database.pool import Database, run_in_own_transaction, run_on
from exchanges_db.database.session import forget_transaction, loop_of
from exchanges_db.database.settings import load_dsn
from exchanges_db.database.transactions import CANCELLED_LIMIT, ROLLBACK_LIMIT, Transaction, Work, run_in_savepoint
from exchanges_db.errors import ConfigurationError, DatabaseError, DatabaseUnavailable

T = TypeVar("T")
DatabaseOrConnection: TypeAlias = Database | Transaction | RawConnection | AsyncConnection

_defaults: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Database, AsyncGenerator[None, None]]] = (
    WeakKeyDictionary()
)
# What callers tend to pass instead, and what to write so that it works.
_INSTEAD: tuple[tuple[type, str], ...] = (
    (asyncpg.Pool, "`async with pool.acquire() as conn:` and db=conn"),
    (AsyncEngine, "`async with engine.connect() as conn:` and db=conn"),
    (AsyncSession, "db=await session.connection()"),
    (str, "db=Database(url)"),
)


async def default_database() -> Database:
    """Return this event loop's database, from DATABASE_URL; made at the first call, closed when the loop shuts down.

    Raises:
        ConfigurationError: DATABASE_URL is unset or unusable.
    """
    loop = running_loop()
    entry = _defaults.get(loop)
    if entry is None:
        database = Database(load_dsn())
        # asyncio.run closes every asynchronous generator that has begun: that closes the database.
        closer = _close_with_loop(database)
        _defaults[loop] = entry = database, closer
        await anext(closer)
    return entry[0]


async def close_default_database() -> None:
    """Close this event loop's default database, if there is one; the next call that needs it opens another."""
    entry = _defaults.pop(running_loop(), None)
    if entry is not None:
        await entry[1].aclose()


async def _close_with_loop(database: Database) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        # A Database can refer to its loop, and would keep it, and so itself, in the weak dictionary for ever.
        loop = running_loop()
        if loop in _defaults and _defaults[loop][0] is database:
            del _defaults[loop]
        await database.close()


async def run(db: DatabaseOrConnection | None, work: Work[T], *, write: bool = False) -> T:
    """Return what `work` returns, given a connection of `db`; without `db`, of the default database."""
    if db is None:
        db = await default_database()
    if isinstance(db, Database | Transaction):
        return await run_on(db, work, write=write)
    commits = False
    try:
        if isinstance(db, asyncpg.Connection | PoolConnectionProxy):
            if is_closed(db):
                raise DatabaseUnavailable("the connection is closed; nothing was sent")
            check_loop(loop_of(db), "connection")
            commits = write and not db.is_in_transaction()
            return await work(bridge(db))
        if isinstance(db, AsyncConnection):
            commits = write and await _is_autocommit(db)
            return await work(guarded(db))
    except DRIVER_ERRORS as exc:
        still_open = None if isinstance(db, AsyncConnection) else not is_closed(db)
        raise translate(exc, unknown_if_lost=commits, still_open=still_open) from exc
    raise _unusable(db)


async def run_in_transaction(
    db: DatabaseOrConnection | None, work: Work[T], *, readonly: bool = False, savepoint: bool = False
) -> T:
    """Return what `work` returns, given a connection in a transaction: all that it writes is kept or nothing.

    Where `db` is a Transaction or a SQLAlchemy connection, that is the caller's transaction, and the caller ends it.
    With `savepoint` it stays usable when `work` fails, and keeps nothing of what that wrote.
    """
    if db is None:
        db = await default_database()
    if isinstance(db, Database):
        return await run_in_own_transaction(db, work, readonly=readonly)
    if savepoint and isinstance(db, Transaction):
        return await run_in_savepoint(db, work)
    if savepoint and isinstance(db, AsyncConnection):
        return await run(db, partial(_nested, work), write=not readonly)
    if isinstance(db, asyncpg.Connection | PoolConnectionProxy) and not is_closed(db):
        return await _in_transaction_of(db, work)
    return await run(db, work, write=not readonly)


async def _in_transaction_of(db: RawConnection, work: Work[T]) -> T:
    """Return what `work` returns, in a transaction on an asyncpg connection of the user's, or in a savepoint there."""
    check_loop(loop_of(db), "connection")
    commits, committing = not db.is_in_transaction(), False
    inner = db.transaction()
    try:
        await _begin(db, inner, commits)
    except asyncpg.InterfaceError as exc:
        if not commits and not is_closed(db):
            raise DatabaseError(
                "the connection is in a transaction that a BEGIN of your own has begun, in which the driver makes no "
                "savepoint: begin it by `async with connection.transaction():`"
            ) from exc
        raise translate(exc, still_open=not is_closed(db)) from exc
    except DRIVER_ERRORS as exc:
        raise translate(exc, still_open=not is_closed(db)) from exc
    try:
        try:
            result = await work(bridge(db))
        except BaseException as exc:
            is_cancelled = isinstance(exc, asyncio.CancelledError)
            await _roll_back(db, inner, CANCELLED_LIMIT if is_cancelled else ROLLBACK_LIMIT)
            raise
        committing = commits
        with answered_without_rows():
            await inner.commit()
    except DRIVER_ERRORS as exc:
        raise translate(exc, unknown_if_lost=committing, still_open=not is_closed(db)) from exc
    return result


async def _begin(db: RawConnection, inner: asyncpg.transaction.Transaction, commits: bool) -> None:
    """Begin; where nobody knows whether that was done, end the connection: later writes would go into it and vanish."""
    try:
        with answered_without_rows():
            await inner.start()
    except BaseException as exc:
        forget_transaction(db, inner)
        if not isinstance(exc, ASYNCPG_ERRORS):
            if commits:
                _terminate(db)
            else:
                await _end_unless_it_answers(db)
        raise


async def _end_unless_it_answers(db: RawConnection) -> None:
    """End a connection on which the caller's own ROLLBACK, which comes next, would be waited for without an end."""
    try:
        with answered_without_rows():
            async with asyncio.timeout(CANCELLED_LIMIT):
                await db.execute("SELECT 1")
    except asyncpg.PostgresError:
        return  # it answers: the transaction has failed
    except DRIVER_ERRORS:
        _terminate(db)
    except BaseException:
        _terminate(db)
        raise


async def _roll_back(db: RawConnection, inner: asyncpg.transaction.Transaction, limit: float) -> None:
    """Roll back; where no answer comes, end the connection, which nobody can use in that state."""
    try:
        with answered_without_rows():
            async with asyncio.timeout(limit):
                await inner.rollback()
    except DRIVER_ERRORS:
        _terminate(db)
    except BaseException:
        _terminate(db)
        raise


def _terminate(db: RawConnection) -> None:
    if not is_closed(db):
        db.terminate()


async def _nested(work: Work[T], connection: AsyncConnection) -> T:
    async with connection.begin_nested():
        return await work(connection)


def _unusable(db: object) -> ConfigurationError:
    """Return the error for a `db` of another type, which says what to pass instead."""
    for kind, advice in _INSTEAD:
        if isinstance(db, kind):
            return ConfigurationError(f"db is a {kind.__name__}, and must be one connection or a Database: {advice}")
    return ConfigurationError(
        "db must be a Database, a Transaction, an asyncpg connection or a SQLAlchemy AsyncConnection, "
        f"not {type(db).__name__}"
    )


async def _is_autocommit(connection: AsyncConnection) -> bool:
    raw = await connection.get_raw_connection()
    return bool(getattr(raw.dbapi_connection, "autocommit", False))
