"""Notifications, as hints that there may be something new: what one says is never believed, only looked up."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from exchanges_db.database.bridge import bridge
from exchanges_db.database.driver_errors import DRIVER_ERRORS, translate
from exchanges_db.database.session import Session
from exchanges_db.errors import ExchangesDBError
from exchanges_sql.registry import AsyncQuerier

CHANNEL = "exchanges_db_changed"  # as in migration 013; short and in small letters, as channels must be
_ECHO_LIMIT = 1.0  # seconds


async def listen(session: Session, on_hint: Callable[[str], None], *, sender: Session) -> bool:
    """Have `on_hint` called with what each notification says; return whether any arrives.

    That LISTEN succeeds proves nothing: through a pooler it does, and no notification ever comes. So one is sent to a
    channel of this session alone. When this has returned, LISTEN is committed: what is committed later is told.

    sender: who sends it: where a pooler may be in between, another connection. What a session sends to itself comes
        with the answer, which a pooler does pass on.

    Raises the driver's errors; on a server that follows another one LISTEN is an error. Where the server lives and has
    refused something, as it does while its queue of notifications is full, nothing is left of it, and it may be tried
    again on the same connection.
    """
    nonce = secrets.token_hex(8)
    channel, echoed = f"exchanges_db_echo_{nonce}", asyncio.Event()

    def hear_echo(*_: object) -> None:
        echoed.set()

    def hear(_: object, __: object, ___: object, payload: object) -> None:
        on_hint(str(payload))

    try:
        await session.add_listener(channel, hear_echo)
        await session.add_listener(CHANNEL, hear)
        await AsyncQuerier(bridge(sender)).send_notification(channel=channel, payload=nonce)
    except DRIVER_ERRORS as exc:
        if is_refusal(session, exc):
            await session.remove_listener(channel, hear_echo)
            await session.remove_listener(CHANNEL, hear)
        raise
    try:
        async with asyncio.timeout(_ECHO_LIMIT):
            await echoed.wait()
    except TimeoutError:
        return False
    return True


def is_refusal(session: Session, exc: BaseException) -> bool:
    """Return whether the server has answered with an error, and goes on."""
    error = exc if isinstance(exc, ExchangesDBError) else translate(exc)
    return not session.is_closed() and getattr(error, "sqlstate", None) is not None
