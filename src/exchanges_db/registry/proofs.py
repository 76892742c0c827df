"""Since when it is proven that what a server shows is what the database had; pure.

What a primary shows was there when it was asked. A server that follows another one shows what was there when it had
received it. So each answer is kept with how much had been received by then: as soon as the server shows that much, what
it shows is proven to be no older than that question. One that gets nothing, because its connection was lost or is
silent, proves nothing; that a connection has become silent it notices after `wal_receiver_timeout`.
"""

from __future__ import annotations

import math
from collections import deque

from exchanges_db.errors import DatabaseUnavailable
from exchanges_db.registry.uptime import uptime
from exchanges_sql.registry import GetRegistryStateRow

_MOST = 1000  # questions that wait for what was received by then


class Witness:
    """What the other connection has seen, where one listens and another one asks: they may lead to two servers."""

    def __init__(self) -> None:
        self._epoch, self._at = -1, math.inf

    def sees(self, state: GetRegistryStateRow) -> None:
        """Remember what it was shown just now, and since when it has been there at the latest."""
        if state.epoch != self._epoch:
            self._epoch, self._at = state.epoch, uptime()

    def leaves(self) -> None:
        """Forget it: it is not connected any more, and whatever it was connected to may have taken that back."""
        self._epoch, self._at = -1, math.inf

    def denies(self, epoch: int, since: float, proofs: Proofs) -> bool:
        """Return whether it had seen more before `since` than the server that is said to have had only `epoch` then.

        Raises DatabaseUnavailable where that one is a primary; a standby may only be late.
        """
        if self._at >= since or epoch >= self._epoch:
            return False
        if proofs.on_primary:
            raise DatabaseUnavailable(
                f"the server is at epoch {epoch}, and that of `listen` was at {self._epoch} before: "
                "they are two, as an old primary and a new one"
            )
        return True


class Proofs:
    """What the answers of one session prove."""

    def __init__(self) -> None:
        self.on_primary = False  # as the last answer said
        self.is_direct = True  # whether all answers are of one server, and not of any that a pooler may lead to
        self.last: GetRegistryStateRow | None = None  # the last answer
        self._asked: deque[tuple[float, int]] = deque(maxlen=_MOST)  # when, and how much was received by then
        self._shown = -1

    @property
    def by_any(self) -> bool:
        """Whether any answer proves what it shows: no primary becomes a standby while a connection to it lasts."""
        return self.on_primary and self.is_direct

    def may_be_behind(self, proven: float | None, since: float | None) -> bool:
        """Return whether a server that does not know what is held may show what was before that.

        As a standby does that has not received it, or is late. proven: what this one shows; since: what is held.
        """
        return not self.by_any and (proven is None or (since is not None and proven <= since))

    def of(self, state: GetRegistryStateRow, sent: float) -> float | None:
        """Return since when what this answer shows is proven; None where it is not.

        A server tells what it is after it has fixed what the answer shows; so an answer is judged by the one before.
        """
        self.last = state
        if not state.on_standby:
            known, self.on_primary = self.on_primary, True
            self._asked.clear()
            return sent if known else None
        self.on_primary = False
        if not state.is_fed:
            self._asked.clear()
            self._shown = -1
            return None
        proven = None
        while self._asked and self._asked[0][1] <= self._shown:
            proven = self._asked.popleft()[0]
        self._asked.append((sent, state.received))
        self._shown = state.replayed
        return proven
