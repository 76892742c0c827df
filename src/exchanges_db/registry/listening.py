"""Notifications, as hints that there may be something new: what one says is never believed, only looked up."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from exchanges_db.database.bridge import bridge
from exchanges_db.database.driver_errors import DRIVER_ERRORS, translate
from exchanges_db.database.session import Session
from exchanges_db.errors import ExchangesDBError
from exchanges_db.registry.loading import in_milliseconds, limit_session
from exchanges_sql.registry import AsyncQuerier, GetRegistryStateRow

CHANNEL = "exchanges_db_changed"  # as in migration 013; short and in small letters, as channels must be
ECHO_LIMIT = 1.0  # seconds
ERRORS: tuple[type[BaseException], ...] = (ExchangesDBError, *DRIVER_ERRORS)


def is_direct(session: Session, state: GetRegistryStateRow) -> bool:
    """Return whether no pooler is in between: one that is has told another number than that of the server's process."""
    return session.get_server_pid() == state.pid


async def keep_while_idle(session: Session, *, limit: float) -> bool:
    """Have the server keep an idle session, and return whether it is direct: a pooler would leave this to others.

    But no idle transaction: where the answer to the first statement of one is lost, nobody can set a limit there.
    Before any question that reads a table: while that waits for a lock, each attempt would leave a session behind.
    """
    async with asyncio.timeout(limit):
        return await limit_session(bridge(session), session.get_server_pid(), limit)


async def listen(session: Session, on_hint: Callable[[str], None]) -> Echo:
    """Have `on_hint` called with what each notification says, if any arrives, which the echo tells.

    When this has returned, LISTEN is committed: what is committed later is told.

    Raises the driver's errors; on a server that follows another one LISTEN is an error.
    """
    echo = Echo(session, on_hint)
    await echo.begin()
    return echo


class Echo:
    """A notification to a channel that few sessions share: that LISTEN succeeds proves nothing.

    Through a pooler it does, and no notification ever comes. A channel of one session alone would be another statement
    each time, of which pg_stat_statements keeps a few thousand; one for all would wake all at each other's echoes.
    """

    def __init__(self, session: Session, on_hint: Callable[[str], None]) -> None:
        self._session, self._on_hint = session, on_hint
        self._nonce = secrets.token_hex(8)
        self._channel = f"exchanges_db_echo_{self._nonce[:2]}"
        self._arrived = asyncio.Event()

    async def begin(self) -> None:
        """Listen for it, and for hints."""
        try:
            await self._session.add_listener(self._channel, self._arrive)
            await self._session.add_listener(CHANNEL, self._hint)
        except DRIVER_ERRORS as exc:
            await self._end_if_refused(exc)
            raise

    async def comes_back(self, sender: Session, patience: float) -> bool:
        """Send it, and return whether it arrives.

        sender: who sends it: where a pooler may be in between, another connection. What a session sends to itself
            comes with the answer, which a pooler does pass on.
        patience: seconds for which it may wait for a commit of somebody else's that notifies, too, and hangs.

        Where the server lives and has refused to send it, as it does while its queue of notifications is full, nobody
        listens any more, and it may be tried again on the same connection.
        """
        try:
            await AsyncQuerier(bridge(sender)).send_notification(
                lock_limit=in_milliseconds(patience), channel=self._channel, payload=self._nonce
            )
        except ERRORS as exc:
            if sender is self._session:
                await self._end_if_refused(exc)
            raise
        try:
            async with asyncio.timeout(ECHO_LIMIT):
                await self._arrived.wait()
        except TimeoutError:
            return False
        return True

    async def _end_if_refused(self, exc: BaseException) -> None:
        if is_refusal(self._session, exc):
            await self._session.remove_listener(self._channel, self._arrive)
            await self._session.remove_listener(CHANNEL, self._hint)

    def _arrive(self, _: object, __: object, ___: object, payload: object) -> None:
        if payload == self._nonce:
            self._arrived.set()

    def _hint(self, _: object, __: object, ___: object, payload: object) -> None:
        self._on_hint(str(payload))


def is_refusal(session: Session, exc: BaseException) -> bool:
    """Return whether the server has answered with an error, and goes on."""
    return not session.is_closed() and getattr(ours(exc), "sqlstate", None) is not None


def ours(exc: BaseException) -> ExchangesDBError:
    """Return one of ERRORS as one of ours."""
    return exc if isinstance(exc, ExchangesDBError) else translate(exc)
