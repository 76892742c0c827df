"""The states of a registry and why it is in them, what it has gone through, and the server's clock by its answers."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from exchanges_db.uptime import uptime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DRIFT = 0.001  # of two clocks that are being corrected: NTP slews each by 0.0005 at most


class RegistryState(StrEnum):
    """LOADING: it holds nothing yet. LIVE: it is as the database is, but for what changed within the last poll.

    STALE: it holds what was so at an earlier time, and nothing proves that it is so still: the database cannot be
    asked, was not asked yet after a start with a file, or is a standby that has lost its primary. CLOSED: it is not
    kept any more.
    """

    LOADING = "LOADING"
    LIVE = "LIVE"
    STALE = "STALE"
    CLOSED = "CLOSED"


HOLDS_NOTHING = "the registry holds nothing yet"
UNPROVEN = (
    "the server follows another one, and nothing proves that what it shows is fresh: see there whether it is connected "
    "(pg_stat_wal_receiver), and whether its replay is paused"
)


def why_not_live(error: Exception | None, *, on_standby: bool) -> str:
    """Return why a registry is not LIVE; error: what has happened to its connection since the last proof."""
    if error is not None:
        return str(error)
    return UNPROVEN if on_standby else "no answer proves that what it holds is fresh"


class RegistryStats(msgspec.Struct, frozen=True, kw_only=True):
    """What a registry has gone through since it was made.

    Attributes:
        loads: how often all was read; updates: how often only what had changed was.
        changes: transactions of the database that were applied one by one.
        polls: how often it was asked without a hint whether anything has changed; hints: notifications that came.
        connects, losses: connections that were made, and that failed.
        listening: whether notifications arrive; else changes are seen by polls alone.
        on_standby: whether it reads from a server that follows another one.
        last_error: why a connection failed last, also when all is well again; None where none has.
        clock_error: by how many seconds `now` may be off at most; None where no server has answered.
        why_stale: why the registry is not LIVE at present; None where it is.
    """

    loads: int
    updates: int
    changes: int
    polls: int
    hints: int
    connects: int
    losses: int
    listening: bool
    on_standby: bool
    last_error: str | None
    clock_error: float | None = None
    why_stale: str | None = None


class Counts(msgspec.Struct):
    """The same while they are counted; deaf: whether it was said that no notifications come."""

    loads: int = 0
    updates: int = 0
    changes: int = 0
    polls: int = 0
    hints: int = 0
    connects: int = 0
    losses: int = 0
    listening: bool = False
    on_standby: bool = False
    last_error: str | None = None
    deaf: bool | None = None

    def stats(self, clock_error: float | None = None, why_stale: str | None = None) -> RegistryStats:
        """Return them as they are now."""
        counted = {field: getattr(self, field) for field in RegistryStats.__struct_fields__ if hasattr(self, field)}
        return RegistryStats(**counted, clock_error=clock_error, why_stale=why_stale)


class Clock:
    """The server's clock, as far as answers have told it: it was read between the question and the answer.

    So what is known of it is off by half of the time between the two at most, and by what it may have drifted since.
    """

    def __init__(self) -> None:
        self._offset = 0.0  # seconds, from `uptime` to the server's
        self._doubt = math.inf
        self._learnt = 0.0

    def learn(self, server: datetime, sent: float, answered: float) -> None:
        """Learn from an answer, unless more is known; one that contradicts what is known says that a clock was set."""
        doubt = (answered - sent) / 2
        offset = (server - _EPOCH).total_seconds() - (sent + answered) / 2
        known = self._doubt + _DRIFT * (answered - self._learnt)
        if doubt <= known or abs(offset - self._offset) > doubt + known:
            self._offset, self._doubt, self._learnt = offset, doubt, answered

    def now(self) -> datetime | None:
        """Return what time it is on the server; None where it never answered."""
        return None if self._doubt == math.inf else _EPOCH + timedelta(seconds=self._offset + uptime())

    def error(self) -> float | None:
        """Return by how many seconds that may be off; None where it never answered."""
        return None if self._doubt == math.inf else self._doubt + _DRIFT * (uptime() - self._learnt)
