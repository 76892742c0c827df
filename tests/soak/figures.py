"""What a soak uses: memory, objects, files, threads, tasks, sessions; in the first minute, and in the last."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from statistics import median
from time import monotonic

import asyncpg
import psutil

from exchanges_db.database.driver_errors import DRIVER_ERRORS
from tests.soak import memory
from tests.soak.stage import BACKENDS, Stage

THREADS = "soak"  # begins the names of threads in which asyncio calls what waits; so many and no more
_EVERY = 3.0  # seconds
# What may be more in the last minute than in the first; and at rest, after the last fault than before the first one. In
# ten minutes with 1,400 commits 54.9 MB were in use in the first, 55.5 to 56.6 in the others and 55.9 in the last; at
# rest 51.7 MB before there was any symbol, and 55.7 at the end. A leak of 3 MB per minute is found in three minutes.
_SLACK = {"megabytes": 5.0, "objects": 10_000.0}
_SLACK_AT_REST = {"megabytes": 8.0, "resident": 20.0, "objects": 10_000.0}
# The same of what is counted at rest, and a quarter: there are more sessions in the writers' pool.
_COUNTED = {"files": 12.0, "threads": 8.0, "tasks": 8.0, "sessions": 8.0}
_SHARE = 0.25


@dataclass(frozen=True)
class Figures:
    """What is in use at a time.

    megabytes: asked for and not given back, but for the soak's own books, which grow with each step.
    resident: what the system has lent, in megabytes, when what is free was given back as far as that is possible.
    """

    megabytes: float
    resident: float
    objects: float
    files: float
    threads: float
    tasks: float
    sessions: float

    def __str__(self) -> str:
        return f"{self.megabytes:.1f} megabytes, " + ", ".join(
            f"{getattr(self, field.name):,.0f} {field.name}" for field in fields(self)[1:]
        )


class Measuring:
    """Takes figures all the time.

    books: returns how many bytes the soak's own books take.
    """

    def __init__(self, stage: Stage, books: Callable[[], int]) -> None:
        self._stage, self._books = stage, books
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
        memory.give_back()
        now = Figures(
            megabytes=memory.in_use() - self._books() / memory.MEGABYTE,
            resident=memory.resident(),
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
        return ", ".join(
            f"{one.megabytes:.1f} megabytes {one.resident:.0f} resident {one.sessions:.0f} sessions" for one in found
        )


def _medians(taken: list[Figures]) -> Figures:
    return Figures(*(median(values) for values in zip(*map(astuple, taken), strict=True)))


def growth(first: Figures, last: Figures, *, at_rest: bool) -> list[str]:
    """Return what has grown by more than it may."""
    slack = _SLACK
    if at_rest:
        slack = _SLACK_AT_REST | {name: getattr(first, name) * _SHARE + more for name, more in _COUNTED.items()}
    return [
        f"{name} have grown from {before:,.1f} to {after:,.1f}"
        for name, more in slack.items()
        if (after := getattr(last, name)) > (before := getattr(first, name)) + more
    ]
