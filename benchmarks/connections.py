"""What a connection takes by itself: memory of its backend and of the pooler, processor time until it is open."""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

import asyncpg
import msgspec
import psutil

from benchmarks.processes import memory, processor_seconds
from exchanges_db.database.dsn import Dsn

IDLE_CLIENTS = 500  # of a pooler, to see what one of them takes
OPENED = 30
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Sizes(msgspec.Struct, frozen=True):
    """Kilobytes of memory, and microseconds of processor time until a connection is open.

    Attributes:
        backend_fresh: a backend's own memory before its first statement; `backend_own`: after all our look-ups.
        backend_proportional: the latter with its share of what all backends have together (PSS).
        connect_server: of the server, the start of the backend included.
    """

    backend_fresh: float
    backend_own: float
    backend_proportional: float
    connect_server: float


class PoolerSizes(msgspec.Struct, frozen=True):
    """The same of a pooler: kilobytes per idle client, and its processor time until that has connected."""

    per_client: float
    connect: float


@asynccontextmanager
async def connections(dsn: Dsn, count: int) -> AsyncIterator[list[Connection]]:
    """Open so many connections, and close them."""
    async with AsyncExitStack() as stack:
        opened: list[Connection] = []
        for _ in range(count):
            connection = await asyncpg.connect(**dsn.asyncpg_arguments(), statement_cache_size=0)
            stack.push_async_callback(connection.close)
            opened.append(connection)
        yield opened


async def sizes(dsn: Dsn, server: int, used: list[int]) -> Sizes:
    """Return what connections take; `server`: its first process, `used`: backends that served look-ups."""
    after_look_ups = [memory(pid) for pid in used]
    before = processor_seconds([server])
    async with connections(dsn, OPENED) as opened:
        pids = [connection.get_server_pid() for connection in opened]
        taken = processor_seconds([server, *pids]) - before
        fresh = [memory(pid).own for pid in pids]
    return Sizes(
        backend_fresh=statistics.median(fresh),
        backend_own=statistics.median(one.own for one in after_look_ups),
        backend_proportional=statistics.median(one.proportional for one in after_look_ups),
        connect_server=1e6 * taken / OPENED,
    )


async def pooler_sizes(through: Dsn, pooler: psutil.Process) -> PoolerSizes:
    """Return what clients of a pooler take that ask nothing."""
    own, before = memory(pooler.pid).own, processor_seconds([pooler.pid])
    async with connections(through, IDLE_CLIENTS):
        taken = processor_seconds([pooler.pid]) - before
        return PoolerSizes((memory(pooler.pid).own - own) / IDLE_CLIENTS, 1e6 * taken / IDLE_CLIENTS)
