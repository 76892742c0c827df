"""Times contenders in turns: each round, every contender makes the same number of calls, in a rotating order.

The garbage collector stays on, as in an application. What start-up left behind is frozen (never collected), and the
collector runs before each turn, so that no contender pays for the garbage of another.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter, perf_counter_ns
from typing import TypeVar

from benchmarks.look_up import Contender, LookUp, values_of
from exchanges_db.database.dsn import Dsn

WARM_UP_CALLS = 200
T = TypeVar("T")
Turn = Callable[[LookUp], Awaitable[T]]


class DifferentAnswers(Exception):
    """Two contenders did not find the same values, so their times say nothing."""


@asynccontextmanager
async def opened(contenders: Sequence[Contender], dsn: Dsn) -> AsyncIterator[dict[str, LookUp]]:
    """Open all contenders, hold their answers against each other, and warm them up."""
    async with AsyncExitStack() as stack:
        look_ups = {one.key: await stack.enter_async_context(one.open(dsn)) for one in contenders}
        expected = values_of(await next(iter(look_ups.values()))())
        for key, look_up in look_ups.items():
            found = values_of(await look_up())
            if found != expected:
                raise DifferentAnswers(f"{key} found {found}, not {expected}")
            for _ in range(WARM_UP_CALLS):
                await look_up()
        gc.collect()
        gc.freeze()
        try:
            yield look_ups
        finally:
            gc.unfreeze()


async def in_turns(
    look_ups: dict[str, LookUp], rounds: int, turn: Turn[T], on_round: Callable[[], None]
) -> dict[str, list[T]]:
    """Return what `turn` makes of each contender in each round; who begins moves on by one every round."""
    keys = list(look_ups)
    found: dict[str, list[T]] = {key: [] for key in keys}
    for number in range(rounds):
        first = number % len(keys)
        for key in keys[first:] + keys[:first]:
            gc.collect()
            found[key].append(await turn(look_ups[key]))
        on_round()
    return found


def calls_one_by_one(calls: int) -> Turn[list[int]]:
    """Return a turn that makes `calls` calls, one after the other, and gives the nanoseconds of each."""

    async def turn(look_up: LookUp) -> list[int]:
        times = []
        for _ in range(calls):
            start = perf_counter_ns()
            await look_up()
            times.append(perf_counter_ns() - start)
        return times

    return turn


def calls_of_many_tasks(tasks: int, calls: int) -> Turn[float]:
    """Return a turn in which `tasks` tasks make `calls` calls each, and which gives the calls a second."""

    async def one_task(look_up: LookUp) -> None:
        for _ in range(calls):
            await look_up()

    async def turn(look_up: LookUp) -> float:
        start = perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(tasks):
                group.create_task(one_task(look_up))
        return tasks * calls / (perf_counter() - start)

    return turn
