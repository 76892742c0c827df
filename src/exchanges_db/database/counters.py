"""What one Database has done since it was made: whole numbers that cost one addition each, and their snapshot.

Every Database has one `Counters`. Who adds to which, once for each time that it happens:

| counter | where |
|---|---|
| lookups | `Database._run` with write=False: at its beginning, once per call, however often the call is tried |
| writes | `Database._run` with write=True: likewise |
| transactions | `Database.transaction`: where BEGIN was answered |
| retries | wherever work is sent again: after a loss, a refusal as read-only, a transaction's own repetition |
| opened, reconnects | `add_opened()`: where a connection is open, logged in and belongs to the pool |
| failed_opens | where an attempt to open one failed; a list of hosts that all failed is one attempt |
| lost | `add_lost()`: where one is found ended by server or network, or we end it after a time limit or a cancel |
| expired | `add_expired()`: where one that was idle is ended on suspicion: after a loss, a failover, a ping in vain |
| retired | where one is ended for no fault: idle for too long, an hour old, foreign state; not by `close` |
| pings | where a doubtful or long idle connection is asked before its use |
| timeouts | where a statement ran into our command time limit; the server's own statement_timeout is not counted |
| cancelled | where a caller was cancelled, or its own time limit ended, in a call or a transaction |
| read_only | where the server refused a statement as read-only (25006) |
| unknown_outcomes | where OutcomeUnknown is raised, and where a cancelled write was already sent |
| pool_waits, pool_wait_seconds | `add_wait(seconds)`: where `acquire` had to wait and has ended, in vain or not |
| pool_timeouts | where PoolTimeout is raised |

Calls inside of a transaction are not counted as look-ups or writes: the transaction is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec


class Occupancy(NamedTuple):
    """Where the connections of a pool are at this moment; `open` is `idle` and `in_use` together."""

    open: int = 0
    idle: int = 0
    in_use: int = 0
    opening: int = 0
    waiting: int = 0
    doubtful: int = 0


class DatabaseStats(msgspec.Struct, frozen=True, kw_only=True):
    """What a Database has done since it was made, and where its connections are now.

    Attributes:
        lookups, writes: calls outside of transactions; one that was tried twice counts once.
        transactions: transactions begun.
        retries: calls and transactions that were tried again.
        opened, failed_opens: connections opened, and attempts in vain.
        reconnects: those of `opened` that took the place of one that was lost or expired.
        lost: connections ended by the server, the network, a time limit or a cancel.
        expired: idle connections ended on suspicion, because another was lost or the primary has moved.
        retired: connections ended for no fault: idle for too long, an hour old, or with foreign state on them.
        pings: connections that were asked before their use.
        timeouts: statements that ran into the command time limit.
        cancelled: calls and transactions that their caller ended under way.
        read_only: statements that the server refused because it is read-only.
        unknown_outcomes: writes of which nobody can say whether they were committed.
        pool_waits, pool_wait_seconds: calls that had to wait for a connection, and how long they waited together.
        pool_timeouts: calls that waited in vain.
        open, idle, in_use: connections that are open, and of these the free and the lent ones.
        opening: connections that are being opened.
        waiting: calls that wait for a connection.
        doubtful: idle connections that will be asked before their next use.
        pool_min, pool_max: how many connections are kept open, and how many may be open.
    """

    lookups: int
    writes: int
    transactions: int
    retries: int
    opened: int
    failed_opens: int
    reconnects: int
    lost: int
    expired: int
    retired: int
    pings: int
    timeouts: int
    cancelled: int
    read_only: int
    unknown_outcomes: int
    pool_waits: int
    pool_wait_seconds: float
    pool_timeouts: int
    open: int
    idle: int
    in_use: int
    opening: int
    waiting: int
    doubtful: int
    pool_min: int
    pool_max: int


COUNTED = DatabaseStats.__struct_fields__[: DatabaseStats.__struct_fields__.index("open")]


class Counters:
    """The counts of one Database; plain attributes, because a look-up must not pay for being counted."""

    __slots__ = (*COUNTED, "_vacancies", "hear_wait")

    lookups: int
    writes: int
    transactions: int
    retries: int
    opened: int
    failed_opens: int
    reconnects: int
    lost: int
    expired: int
    retired: int
    pings: int
    timeouts: int
    cancelled: int
    read_only: int
    unknown_outcomes: int
    pool_waits: int
    pool_wait_seconds: float
    pool_timeouts: int

    def __init__(self) -> None:
        for name in COUNTED:
            setattr(self, name, 0)
        self.pool_wait_seconds = 0.0
        self.hear_wait: Callable[[float], None] | None = None  # called with each wait
        self._vacancies = 0  # lost or expired connections in whose place none was opened yet

    def add_opened(self) -> None:
        """Count a connection that is open; a reconnect where it takes the place of one lost or expired."""
        self.opened += 1
        if self._vacancies:
            self._vacancies -= 1
            self.reconnects += 1

    def add_lost(self) -> None:
        """Count a connection that was ended by server, network, a time limit or a cancel."""
        self.lost += 1
        self._vacancies += 1

    def add_expired(self) -> None:
        """Count an idle connection that is ended on suspicion."""
        self.expired += 1
        self._vacancies += 1

    def add_wait(self, seconds: float) -> None:
        """Count a call that had to wait for a connection, in vain or not."""
        self.pool_waits += 1
        self.pool_wait_seconds += seconds
        if self.hear_wait is not None:
            self.hear_wait(seconds)

    def stats(self, occupancy: Occupancy, pool_min: int, pool_max: int) -> DatabaseStats:
        """Return the counts as they are now, with where the connections are."""
        counted = {name: getattr(self, name) for name in COUNTED}
        return DatabaseStats(**counted, **occupancy._asdict(), pool_min=pool_min, pool_max=pool_max)
