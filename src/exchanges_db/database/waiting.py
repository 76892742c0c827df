"""Who waits for a connection, in order of arrival; nothing that one of them is given gets lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from exchanges_db.database.session import Session


class Queue:
    """Those who wait for a connection.

    give_back: called with a connection that was given to someone who was cancelled before he could take it.
    """

    def __init__(self, give_back: Callable[[Session], None]) -> None:
        self._give_back = give_back
        self._loop = asyncio.get_running_loop()
        self._waiters: dict[asyncio.Future[Session | None], None] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    async def wait(self, until: float) -> Session | None:
        """Return a connection that came back; None where it is time to look again, at the latest at `until`."""
        waiter: asyncio.Future[Session | None] = self._loop.create_future()
        timer = self._loop.call_at(until, _settle, waiter)
        self._waiters[waiter] = None
        try:
            return await waiter
        except asyncio.CancelledError:
            session = waiter.result() if waiter.done() and not waiter.cancelled() else None
            if session is None:
                self.wake(1)  # what it was woken for, or would have been, is another's now
            else:
                self._give_back(session)
            raise
        finally:
            timer.cancel()
            del self._waiters[waiter]

    def give(self, session: Session) -> bool:
        """Give the connection to the first who waits; return False where nobody does."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(session)
                return True
        return False

    def wake(self, how_many: int | None = None) -> None:
        """Have so many look again, or all: there is a place, or another way to one."""
        for waiter in [waiter for waiter in self._waiters if not waiter.done()][:how_many]:
            waiter.set_result(None)


def _settle(waiter: asyncio.Future[Session | None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
