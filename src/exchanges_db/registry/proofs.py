"""Since when it is proven that what a server shows is what the database had.

What a primary shows was there when it was asked. A server that follows another one shows what was there when it had
received it. So each answer is kept with how much had been received by then: as soon as the server shows that much, what
it shows is proven to be no older than that question. One that gets nothing, because its connection was lost or is
silent, proves nothing; that a connection has become silent it notices after `wal_receiver_timeout`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection

from exchanges_db.errors import DatabaseUnavailable
from exchanges_db.registry.models import Position
from exchanges_db.registry.snapshot import Snapshot
from exchanges_sql.registry import GetRegistryStateRow

_MOST = 1000  # questions that wait for what was received by then


class Witness:
    """What the other connection has seen, where one listens and another one asks: they may lead to two servers.

    doubted: is set where it is to look again: what it has seen may be so no more, as after a restore on that server.
    """

    def __init__(self) -> None:
        self.doubted = asyncio.Event()
        # What it was, and since when it has been there at the latest.
        self._seen: deque[tuple[float, Position]] = deque(maxlen=_MOST)

    def sees(self, state: GetRegistryStateRow, now: float) -> None:
        """Remember what it was shown just now."""
        position = Position(state.epoch, state.token)
        if not self._seen or position != self._seen[-1][1]:
            if self._seen and position.epoch <= self._seen[-1][1].epoch:  # what there was is taken back
                self._seen.clear()
            self._seen.append((now, position))

    def leaves(self) -> None:
        """Forget it: it is not connected any more, and whatever it was connected to may have taken that back."""
        self._seen.clear()

    def denies(self, held: Position, passed: Collection[Position], since: float, proofs: Proofs) -> bool:
        """Return whether it had seen before `since` what the server lacks that is said to have had only `held` then.

        It lacks an epoch of another token, too: after a failover both servers go on, and give out the same epochs.
        passed: positions that the server went through before, as far as they are known.

        Raises DatabaseUnavailable where that one is a primary; a standby may only be late.
        """
        seen = next((position for at, position in reversed(self._seen) if at < since), None)
        if seen is None or seen == held:
            return False
        if seen.epoch < held.epoch and (seen in passed or all(one.epoch != seen.epoch for one in passed)):
            return False
        if proofs.on_primary:
            self.doubted.set()
            raise DatabaseUnavailable(
                f"the server is at epoch {held.epoch}, and that of `listen` was at {seen.epoch} before"
                f"{' with another token' if seen.epoch <= held.epoch else ''}: "
                "they are two, as an old primary and a new one"
            )
        return True

    def denies_last(self, proofs: Proofs) -> None:
        """Raise DatabaseUnavailable where a primary has given its last answer without what had been seen before."""
        if proofs.last is not None:
            self.denies(Position(proofs.last.epoch, proofs.last.token), (), proofs.asked_at, proofs)


class Proofs:
    """What the answers of one session prove."""

    def __init__(self) -> None:
        self.on_primary = False  # as the last answer said
        self.is_direct = True  # whether all answers are of one server, and not of any that a pooler may lead to
        self.last: GetRegistryStateRow | None = None  # the last answer
        self.asked_at = 0.0  # when the question to that was sent
        self._asked: deque[tuple[float, int]] = deque(maxlen=_MOST)  # when, and how much was received by then
        self._shown = -1

    @property
    def by_any(self) -> bool:
        """Whether any answer proves what it shows: no primary becomes a standby while a connection to it lasts."""
        return self.on_primary and self.is_direct

    def may_be_behind(self, proven: float | None, since: float | None, held: Snapshot, began: float) -> bool:
        """Return whether a server that does not know what is held may show what was before that.

        As a standby does that has not received it, or is late. Where it shows an earlier epoch, or the same under an
        earlier version of the log, its connection must not have been silent since, either, which comes out after
        `wal_receiver_timeout`. proven: what this one shows; since: what is held; None: that was there before `began`.
        """
        if self.by_any:
            return False
        last, known = self.last, (held.position.epoch, held.log_version)
        if last is not None and last.on_standby and (last.epoch, last.log_version) < known:
            since = (began if since is None else since) + last.longest_silence
        return proven is None or (since is not None and proven <= since)

    def of(self, state: GetRegistryStateRow, sent: float) -> float | None:
        """Return since when what this answer shows is proven; None where it is not.

        A server tells what it is after it has fixed what the answer shows; so an answer is judged by the one before.
        """
        self.last, self.asked_at = state, sent
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
