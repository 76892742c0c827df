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
        # By who waits, in order of arrival: who looked again in vain has his old place.
        self._seats: dict[object, asyncio.Future[Session | None] | None] = {}

    def __len__(self) -> int:
        return len(self._waiting())

    def _waiting(self) -> list[asyncio.Future[Session | None]]:
        return [waiter for waiter in self._seats.values() if waiter is not None and not waiter.done()]

    def leave(self, who: object) -> None:
        """Forget the place of somebody who waits no more."""
        self._seats.pop(who, None)

    async def wait(self, until: float, who: object) -> Session | None:
        """Return a connection that came back; None where it is time to look again, at the latest at `until`.

        who: the same each time that somebody waits until he leaves.
        """
        waiter: asyncio.Future[Session | None] = self._loop.create_future()
        timer = self._loop.call_at(until, _settle, waiter)
        self._seats[who] = waiter
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
            self._seats[who] = None

    def give(self, session: Session) -> bool:
        """Give the connection to the first who waits; return False where nobody does."""
        if not self._seats:
            return False  # as at nearly every call
        waiter = next((each for each in self._seats.values() if each is not None and not each.done()), None)
        if waiter is not None:
            waiter.set_result(session)
        return waiter is not None

    def wake(self, how_many: int | None = None) -> None:
        """Have so many look again, or all: there is a place, or another way to one."""
        for waiter in self._waiting()[:how_many]:
            waiter.set_result(None)


def _settle(waiter: asyncio.Future[Session | None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
