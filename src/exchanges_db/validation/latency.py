"""How long look-ups take: timed one after the other through the public function, as callers use it."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter_ns

import msgspec

from exchanges_db.database.default import DatabaseOrConnection
from exchanges_db.exchanges.enums import ExchangeEnum
from exchanges_db.exchanges.look_ups import get_exchange_by_enum

_WARM_UP = 50
# Enough for a picture; a million timings would make a report that nobody can open.
_SAMPLES_KEPT = 10_000


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long the look-ups took, in milliseconds.

    Attributes:
        lookups: how many were timed.
        samples_ms: the single times in order; of more than 10,000 an even selection, but the figures are of all.
        target_ms: the most that the mean may be.
    """

    lookups: int
    mean_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    target_ms: float
    samples_ms: tuple[float, ...]

    @property
    def within_target(self) -> bool:
        """Whether the mean is within the target."""
        return self.mean_ms <= self.target_ms


def latency_of(times_ms: Sequence[float], *, target_ms: float) -> Latency:
    """Return the figures of these times; a percentile is one of the times, by nearest rank."""
    ranked = sorted(times_ms)
    step = -(-len(times_ms) // _SAMPLES_KEPT)
    return Latency(
        lookups=len(times_ms),
        mean_ms=sum(ranked) / len(ranked),
        p50_ms=_percentile(ranked, 50),
        p99_ms=_percentile(ranked, 99),
        max_ms=ranked[-1],
        target_ms=target_ms,
        samples_ms=tuple(times_ms[::step]),
    )


async def time_lookups(
    exchange_enum: ExchangeEnum, *, db: DatabaseOrConnection, lookups: int, target_ms: float
) -> Latency:
    """Return how long `lookups` look-ups of one exchange take, after some that are not counted."""
    for _ in range(_WARM_UP):
        await get_exchange_by_enum(exchange_enum, db=db)
    times_ms = []
    for _ in range(lookups):
        began = perf_counter_ns()
        await get_exchange_by_enum(exchange_enum, db=db)
        times_ms.append((perf_counter_ns() - began) / 1e6)
    return latency_of(times_ms, target_ms=target_ms)


def _percentile(ranked: Sequence[float], percent: int) -> float:
    return ranked[-(-len(ranked) * percent // 100) - 1]
