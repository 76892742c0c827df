"""What a soak uses: memory, objects, files, threads, tasks, sessions; in the first minute, and in the last."""

from __future__ import annotations

import asyncio
import gc
import threading
from dataclasses import astuple, dataclass, fields
from statistics import median
from time import monotonic

import asyncpg
import psutil

from exchanges_db.database.driver_errors import DRIVER_ERRORS
from tests.soak.stage import BACKENDS, Stage

THREADS = "soak"  # begins the names of threads in which asyncio calls what waits; so many and no more
_EVERY = 3.0  # seconds
# What may be more at the end than at the beginning: a share, and an amount, for what is kept of each step, and for
# what an allocator does not give back. What leaks by each change, reconnection or failover exceeds them in ten minutes.
_SHARE = 0.25
_SLACK = {"megabytes": 48.0, "objects": 30_000.0}
# The same of what is counted at rest, before the first fault and after the last: more sessions in the writers' pool.
_SLACK_AT_REST = {"files": 12.0, "threads": 8.0, "tasks": 8.0, "sessions": 8.0}


@dataclass(frozen=True)
class Figures:
    """What is in use at a time."""

    megabytes: float
    objects: float
    files: float
    threads: float
    tasks: float
    sessions: float

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, field.name):,.0f} {field.name}" for field in fields(self))


class Measuring:
    """Takes figures all the time."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.taken: list[tuple[float, Figures]] = []

    async def run(self) -> None:
        """Take them until it is cancelled."""
        while True:
            await self.take()
            await asyncio.sleep(_EVERY)

    async def take(self) -> Figures | None:
        """Return what is in use now, and keep it; None where no server answers."""
        process = psutil.Process()
        gc.collect()
        sessions = await self._sessions()
        if sessions is None:
            return None
        now = Figures(
            megabytes=process.memory_info().rss / 2**20,
            objects=len(gc.get_objects()),
            files=process.num_fds(),
            threads=sum(not thread.name.startswith(THREADS) for thread in threading.enumerate()),
            tasks=len(asyncio.all_tasks()),
            sessions=sessions,
        )
        self.taken.append((monotonic(), now))
        return now

    async def _sessions(self) -> int | None:
        try:
            arguments = self._stage.leader.dsn.asyncpg_arguments()
            connection = await asyncpg.connect(**arguments, timeout=5, command_timeout=5)
        except DRIVER_ERRORS:
            return None
        try:
            return len(await connection.fetch(BACKENDS))
        except DRIVER_ERRORS:
            return None
        finally:
            connection.terminate()

    def first_and_last(self) -> tuple[Figures, Figures]:
        """Return the medians of the first minute and of the last one; of a short run, of its halves."""
        began, ended = self.taken[0][0], self.taken[-1][0]
        part = min(60.0, (ended - began) / 2)
        first = [figures for at, figures in self.taken if at <= began + part]
        last = [figures for at, figures in self.taken if at >= ended - part]
        return _medians(first), _medians(last)

    def by_minute(self) -> str:
        """Return how much memory and how many sessions there were in each minute."""
        minutes: dict[int, list[Figures]] = {}
        for at, figures in self.taken:
            minutes.setdefault(int((at - self.taken[0][0]) // 60), []).append(figures)
        found = [_medians(taken) for taken in minutes.values()]
        return ", ".join(f"{one.megabytes:.0f} megabytes {one.sessions:.0f} sessions" for one in found)


def _medians(taken: list[Figures]) -> Figures:
    return Figures(*(median(values) for values in zip(*map(astuple, taken), strict=True)))


def growth(first: Figures, last: Figures, *, at_rest: bool) -> list[str]:
    """Return what has grown by more than it may."""
    faults = []
    for name, slack in (_SLACK_AT_REST if at_rest else _SLACK).items():
        before, after = getattr(first, name), getattr(last, name)
        if after > before * (1 + _SHARE) + slack:
            faults.append(f"{name} have grown from {before:,.0f} to {after:,.0f}")
    return faults
