"""Client processes, each an interpreter with Databases of its own, that all make calls in the same span of time."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from exchanges_db import Database, Settings, get_exchange_by_enum, get_symbol, list_symbols
from exchanges_db.database.dsn import Dsn

DIRECT, POOLED = "direct", "PgBouncer"
WAYS = (DIRECT, POOLED)
_SETTINGS = {DIRECT: Settings(pool_min=0), POOLED: Settings(pool_min=0, pooler="transaction")}
CALLS: Mapping[str, Callable[[Database], Awaitable[Any]]] = {
    "get_exchange_by_enum": lambda database: get_exchange_by_enum("GATEIO_FUTURES", db=database),
    "get_symbol": lambda database: get_symbol("GATEIO_SPOT", "C7/USDT", db=database),
    "list_symbols": lambda database: list_symbols("GATEIO_SPOT", db=database),
}
_SECONDS_AHEAD = 0.02  # until all have heard of a turn


class _Turn(NamedTuple):
    way: str
    call: str
    begin: float  # of the clock that all processes share
    seconds: float


class Done(NamedTuple):
    """What one client did in a turn: its calls, the seconds in which it made them, and their processor time."""

    calls: int
    seconds: float
    processor: float


class Clients:
    """A number of client processes that wait for their turns."""

    def __init__(self, pipes: list[Connection]) -> None:
        self._pipes = pipes

    def take_turn(self, count: int, way: str, call: str, seconds: float) -> list[Done]:
        """Have the first `count` of them make calls for so many seconds."""
        turn = _Turn(way, call, time.monotonic() + _SECONDS_AHEAD, seconds)
        for pipe in self._pipes[:count]:
            pipe.send(turn)
        return [pipe.recv() for pipe in self._pipes[:count]]


@contextmanager
def running_clients(count: int, dsns: Mapping[str, Dsn]) -> Iterator[Clients]:
    """Start so many clients, each with a connection by each way, and end them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # so that each of them is forked from one that has imported all
    pipes, processes = [], []
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, dict(dsns)), daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
            pipes.append(ours)
        for pipe in pipes:
            pipe.recv()
        yield Clients(pipes)
    finally:
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.join(10)
            process.kill()


def _serve(pipe: Connection, dsns: Mapping[str, Dsn]) -> None:
    asyncio.run(_take_turns(pipe, dsns))


async def _take_turns(pipe: Connection, dsns: Mapping[str, Dsn]) -> None:
    async with AsyncExitStack() as stack:
        databases = {way: await stack.enter_async_context(Database(dsn, _SETTINGS[way])) for way, dsn in dsns.items()}
        for database in databases.values():
            for call in CALLS.values():
                await call(database)
        pipe.send("ready")
        while True:
            try:
                turn = pipe.recv()
            except EOFError:
                return
            time.sleep(max(0.0, turn.begin - time.monotonic()))  # noqa: ASYNC251  # nothing else runs here
            pipe.send(await _calls(databases[turn.way], CALLS[turn.call], turn.begin + turn.seconds))


async def _calls(database: Database, call: Callable[[Database], Awaitable[Any]], end: float) -> Done:
    """Call until the end, and at least once."""
    begin, processor = time.monotonic(), time.process_time()
    calls, now = 0, begin
    while now < end or not calls:
        await call(database)
        calls, now = calls + 1, time.monotonic()
    return Done(calls, now - begin, time.process_time() - processor)
