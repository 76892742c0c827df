"""How soon a commit is visible in a registry beside a bare LISTEN, and what a look-up takes meanwhile.

Every change is accounted for: a registry takes in several at once, and each counts from when its COMMIT was sent.
"""

from __future__ import annotations

import asyncio
from time import monotonic, perf_counter_ns
from typing import Any

import asyncpg

from benchmarks.figures import Target, percentile
from benchmarks.report import Figure
from exchanges_db.database.dsn import Dsn
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.snapshot import Snapshot

VISIBLE = Target("at most", 3.0)
A_SECOND = 500  # changes, of all writers together
EXCHANGES = (1, 2, 3)  # a writer each: none waits for the row of another
LOOK_UPS, PAUSE = 20, 0.002


class Times:
    """Of each change: when its COMMIT was sent, and when it was heard of and seen."""

    def __init__(self) -> None:
        self.sent: dict[tuple[int, int], float] = {}
        self.heard: dict[tuple[int, int], float] = {}
        self.seen: dict[tuple[int, int], float] = {}
        self._shown = dict.fromkeys(EXCHANGES, 0)

    def hear(self, _: object, __: object, ___: object, payload: Any) -> None:
        """Note what the bare listener is told."""
        exchange, number = map(int, payload.split(":"))
        self.heard[exchange, number] = monotonic()

    def moved(self, before: object, after: Snapshot, news: object) -> None:
        """Note what a snapshot shows, and all before that."""
        del before, news
        now = monotonic()
        for exchange in EXCHANGES:
            _, _, text = after.places_by_id[exchange].exchange.display_name.partition(":")
            for number in range(self._shown[exchange] + 1, int(text or 0) + 1):
                self.seen[exchange, number] = now
                self._shown[exchange] = number

    def stale(self, error: object) -> None:
        """Never, here."""

    def fresh(self, snapshot: object) -> None:
        """Never, here."""

    def waits(self, times: dict[tuple[int, int], float]) -> list[float]:
        """Return seconds from COMMIT on, of every change."""
        return [times[change] - sent for change, sent in self.sent.items()]


async def visible(dsn: Dsn, seconds: float) -> list[Figure]:
    """Change exchanges for so long, and look symbols up meanwhile."""
    times = Times()
    listener = await asyncpg.connect(**dsn.asyncpg_arguments())
    try:
        await listener.execute(
            "UPDATE public.exchanges SET display_name = 'change:0'"
        )  # as no run before this one left it
        await listener.add_listener("benchmark", times.hear)
        async with Registry(dsn) as registry:
            registry.follow(times)
            idle = await _look_ups(registry, asyncio.create_task(asyncio.sleep(seconds)))
            begin = monotonic()
            writers = asyncio.gather(*(_write(dsn, exchange, times, begin, seconds) for exchange in EXCHANGES))
            busy = await _look_ups(registry, writers)
            await writers
            taken = monotonic() - begin
            await registry.refresh()
            await listener.execute("SELECT 1")  # what was told before comes with the answer
            await asyncio.sleep(0)
    finally:
        await listener.close()
    seen, heard = (percentile(times.waits(one), 0.99) for one in (times.seen, times.heard))
    value = (
        f"{1e3 * seen:.2f} ms, {1e3 * heard:.2f} ms; {len(times.sent)} changes, {len(times.sent) / taken:.0f} a second"
    )
    ratio = seen / heard
    name = f"commit to visible at {A_SECOND} changes a second, p99 / bare LISTEN"
    return [Figure(name, value, ratio, str(VISIBLE), VISIBLE.is_met(ratio)), *_look_up_figures(idle, busy)]


async def _write(dsn: Dsn, exchange: int, times: Times, begin: float, seconds: float) -> None:
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    try:
        number = 0
        while (now := monotonic()) < begin + seconds:
            number += 1
            await connection.execute(
                f"BEGIN; UPDATE public.exchanges SET display_name = 'change:{number}' WHERE id = {exchange}; "  # noqa: S608
                f"SELECT pg_notify('benchmark', '{exchange}:{number}')"
            )
            times.sent[exchange, number] = monotonic()
            await connection.execute("COMMIT")
            await asyncio.sleep(max(0.0, begin + number * len(EXCHANGES) / A_SECOND - now))
    finally:
        await connection.close()


async def _look_ups(registry: Registry, meanwhile: asyncio.Future[Any]) -> dict[str, list[float]]:
    """Return nanoseconds of single look-ups, with the reading of the clock, by a view and by a dict in turns."""
    view = registry.view("GATEIO_SPOT")
    plain = {key: one for key, one in view.items() if isinstance(key, str)}
    names = [f"{name}" for name in plain]
    times: dict[str, list[float]] = {"view": [], "dict": []}
    turns = ("view", view), ("dict", plain)
    at = 0
    while not meanwhile.done():
        for _ in range(LOOK_UPS):
            name, at = names[at % len(names)], at + 97
            for side, answers in turns if at % 2 else turns[::-1]:
                begin = perf_counter_ns()
                answers[name]
                times[side].append(perf_counter_ns() - begin)
        await asyncio.sleep(PAUSE)
    return times


def _look_up_figures(idle: dict[str, list[float]], busy: dict[str, list[float]]) -> list[Figure]:
    figures = []
    for what, times in (("nothing changes", idle), ("all that changes", busy)):
        for share in (0.5, 0.999):
            ours, theirs = (percentile(times[side], share) for side in ("view", "dict"))
            name = f"look-up while {what}, p{share * 100:g} / dict, with the clock"
            figures.append(Figure(name, f"{ours:.0f} ns, {theirs:.0f} ns", ours / theirs, "none", met=True))
    return figures
