"""An asyncpg connection that knows what its borrowers have done to it; it may use asyncpg's insides for that."""

from __future__ import annotations

import asyncio
import logging
import secrets
import select
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import asyncpg.transaction
from asyncpg.pool import PoolConnectionProxy

from exchanges_db.database.driver_errors import DRIVER_ERRORS, answered_without_rows
from exchanges_db.events import event

log = logging.getLogger("exchanges_db")

if TYPE_CHECKING:
    _Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:  # asyncpg's class is generic for type checkers only
    _Connection = asyncpg.Connection

# asyncpg's own reset leaves SET ROLE and temporary tables in place; the next borrower must see neither.
_RESET = """
SELECT pg_catalog.pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE;
DISCARD TEMP; DISCARD SEQUENCES
"""
# A statement that somebody has prepared by SQL cannot be removed without asyncpg's own, so it is an error.
_REFUSE_PREPARED = """
DO $$BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql)
    THEN RAISE EXCEPTION 'statements were prepared'; END IF; END$$;
"""
_RESET_ALL = _REFUSE_PREPARED + _RESET
# A pooler hands the session on with the answer to COMMIT or ROLLBACK, so that it is reset before that: in the
# transaction, or where that is to be undone, in an empty one after it, in the same message.
_RESET_BEFORE_COMMIT = _RESET + "; DEALLOCATE ALL"
_RESET_BEFORE_ROLLBACK = "ROLLBACK; BEGIN; SELECT pg_catalog.pg_advisory_unlock_all(); DEALLOCATE ALL"


def forget_transaction(
    connection: asyncpg.Connection[Any] | PoolConnectionProxy[Any], begun: asyncpg.transaction.Transaction
) -> None:
    """Forget a transaction whose BEGIN failed: asyncpg remembers it, and would make savepoints in it from then on."""
    raw: Any = getattr(connection, "_con", connection)  # Any: its stubs lack `_top_xact`
    if raw is not None and raw._top_xact is begun:  # noqa: SLF001  # asyncpg has no other way
        raw._top_xact = None  # noqa: SLF001


def loop_of(connection: asyncpg.Connection[Any] | PoolConnectionProxy[Any]) -> asyncio.AbstractEventLoop:
    """Return the event loop in which an open connection was made, the only one that may use it."""
    raw: Any = getattr(connection, "_con", connection)  # Any: its stubs lack `_loop`
    loop: asyncio.AbstractEventLoop = raw._loop  # noqa: SLF001  # asyncpg has no other way
    return loop


class Session(_Connection):
    """An asyncpg connection of a pool.

    Attributes:
        last_status: what the server answered to the last `execute`. asyncpg drops the answer to COMMIT; where a
            statement had failed, that answer is ROLLBACK, and no error is raised.
        is_altered: whether a codec or a listener was set on it, which no statement undoes.
        is_pooled: whether a pooler in transaction mode stands in between, which hands the session on by itself.
        born: the time of the event loop when it was opened.
    """

    last_status: str = ""
    is_altered: bool = False
    is_pooled: bool = False
    born: float = 0.0
    _poll: Any = None
    _mark: str = ""
    # asyncpg's own, which its stubs lack.
    _transport: asyncio.Transport
    _pool_release_ctr: int
    _aborted: bool

    def __init__(self, protocol: Any, transport: asyncio.Transport, *args: Any) -> None:
        try:
            super().__init__(protocol, transport, *args)
        except (AttributeError, ValueError):  # the server did not say its version, or nothing that is one
            self._aborted = True
            transport.abort()
            raise

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109  # asyncpg's
        """Execute as asyncpg does, and remember the status."""
        if args:
            self.last_status = await super().execute(query, *args, timeout=timeout)
        else:
            with answered_without_rows():  # asyncpg reads none of the rows
                self.last_status = await super().execute(query, timeout=timeout)
        return self.last_status

    def has_news(self) -> bool:
        """Return whether the server has sent something unasked: most often, that it has ended the session.

        True also where that cannot be found out.
        """
        if self.is_closed():
            return True
        if self._poll is None:
            if not hasattr(select, "poll"):  # Windows
                return True
            self._poll = select.poll()
            self._poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(self._poll.poll(0))

    def lend(self) -> PoolConnectionProxy[Any]:
        """Return a stand-in for a user's own SQL, which stops to work once the session is taken back."""
        return PoolConnectionProxy(None, self)  # type: ignore[arg-type]  # there is no pool of asyncpg

    def take_back(self, stand_in: PoolConnectionProxy[Any]) -> None:
        """Make the stand-in useless, and with it the prepared statements and cursors that were made through it."""
        self._pool_release_ctr += 1
        stand_in._detach()  # type: ignore[attr-defined]  # noqa: SLF001  # what asyncpg's own pool does

    async def end(self, limit: float) -> None:
        """End the session within so many seconds; a statement under way is first cancelled on the server, too."""
        try:
            await self.close(timeout=limit)
        except DRIVER_ERRORS as exc:
            error = type(exc).__name__
            log.debug("a connection did not end orderly: %s", error, extra=event("end_unconfirmed", error=error))
        finally:
            if not self.is_closed():
                self.terminate()

    async def reset_all(self) -> None:
        """Undo what SQL has changed in the session; raises the driver's error where that is not possible."""
        await self.execute(_RESET_ALL)

    async def reset_before_commit(self) -> bool:
        """Do so while the transaction is open; return False where that has failed, and can only be rolled back."""
        try:
            await self.execute(_RESET_BEFORE_COMMIT)
        except asyncpg.InFailedSQLTransactionError:
            await self.execute(_RESET_BEFORE_ROLLBACK)
            return False
        return True

    async def reset_before_rollback(self) -> None:
        """Roll back, undo what that has not, and begin an empty transaction, which the caller rolls back."""
        await self.execute(_RESET_BEFORE_ROLLBACK)

    async def set_type_codec(self, *args: Any, **options: Any) -> None:
        """Set it as asyncpg does; the session is then not lent again."""
        self.is_altered = True
        await super().set_type_codec(*args, **options)

    async def set_builtin_type_codec(self, *args: Any, **options: Any) -> None:
        """Set it as asyncpg does; the session is then not lent again."""
        self.is_altered = True
        await super().set_builtin_type_codec(*args, **options)

    async def add_listener(self, *args: Any, **options: Any) -> None:
        """Add it as asyncpg does; the session is then not lent again."""
        self.is_altered = True
        with answered_without_rows():
            await super().add_listener(*args, **options)

    async def remove_listener(self, *args: Any, **options: Any) -> None:
        """Remove it as asyncpg does."""
        with answered_without_rows():
            await super().remove_listener(*args, **options)

    def add_log_listener(self, *args: Any, **options: Any) -> None:
        """Add it as asyncpg does; the session is then not lent again."""
        self.is_altered = True
        super().add_log_listener(*args, **options)

    def add_query_logger(self, *args: Any, **options: Any) -> None:
        """Add it as asyncpg does; the session is then not lent again."""
        self.is_altered = True
        super().add_query_logger(*args, **options)

    def add_termination_listener(self, *args: Any, **options: Any) -> None:
        """Add it as asyncpg does; the session is then not lent again."""
        self.is_altered = True
        super().add_termination_listener(*args, **options)

    def _get_unique_id(self, prefix: str) -> str:
        """Name a prepared statement as no other client does.

        asyncpg counts from 1 in each process. Behind a pooler that shares sessions, two processes would run each
        other's statements by such a name, without an error.
        """
        self._mark = self._mark or secrets.token_hex(4)
        return f"{super()._get_unique_id(prefix)}{self._mark}"  # type: ignore[misc]  # its stubs lack it

    # asyncpg drops these caches for every connection of its own pool, which this session does not belong to.
    def _drop_global_statement_cache(self) -> None:
        self._drop_local_statement_cache()  # type: ignore[attr-defined]  # its stubs lack it

    def _drop_global_type_cache(self) -> None:
        self._drop_local_type_cache()  # type: ignore[attr-defined]  # its stubs lack it
