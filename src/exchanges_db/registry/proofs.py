"""Since when it is proven that what a server shows is what the database had; pure.

What a primary shows was there when it was asked. A server that follows another one shows what was there when it had
received it. So each answer is kept with how much had been received by then: as soon as the server shows that much, what
it shows is proven to be no older than that question. One that gets nothing, because its connection was lost or is
silent, proves nothing; that a connection has become silent it notices after `wal_receiver_timeout`.
"""

from __future__ import annotations

from collections import deque

from exchanges_sql.registry import GetRegistryStateRow

_MOST = 1000  # questions that wait for what was received by then


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
