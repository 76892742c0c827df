"""A program that becomes many processes, each with its connection, which all populate at the same moment.

One more, the victim, is in the middle of it before that, and stays there until somebody kills it. The program prints
the victim's process id; then how many rows each process created; then the seconds that they took, from the moment at
which all were let go until the last had ended.
"""

import asyncio
import os
import sys
import time

from exchanges_db import Database, Settings, ensure_exchanges_populated

READY_READ, READY_WRITE = os.pipe()
GO_READ, GO_WRITE = os.pipe()
LIMITS = Settings(pool_min=1, pool_max=1, connect_timeout=30, acquire_timeout=30)


async def populate(url: str) -> int:
    """Connect, report it, wait until the parent lets all go, populate, and return how many rows that created."""
    async with Database(url, LIMITS) as database:
        os.write(READY_WRITE, b".")
        os.close(GO_WRITE)
        os.read(GO_READ, 1)  # ends when the parent lets go of its side
        return len(await ensure_exchanges_populated(db=database))


async def stop_midway(url: str) -> None:
    """Create the rows, report it, and never commit."""
    async with Database(url, LIMITS) as database, database.transaction() as transaction:
        assert await ensure_exchanges_populated(db=transaction)
        os.write(READY_WRITE, b".")
        await asyncio.Event().wait()


def wait_for(processes: int) -> None:
    """Return when so many children have reported."""
    ready = 0
    while ready < processes and (said := os.read(READY_READ, processes - ready)):
        ready += len(said)


def main(url: str, processes: int) -> int:
    """Fork, wait until every child is connected, let go, and return 0 when all but the victim ended well."""
    victim = os.fork()
    if victim == 0:
        os.close(GO_WRITE)
        asyncio.run(stop_midway(url))
    wait_for(1)
    os.write(1, f"{victim}\n".encode())
    children = []
    for _ in range(processes):
        child = os.fork()
        if child == 0:
            created = asyncio.run(populate(url))
            os.write(1, f"{created}\n".encode())
            os._exit(0)
        children.append(child)
    wait_for(processes)
    os.close(GO_WRITE)
    began = time.monotonic()
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    os.write(1, f"{time.monotonic() - began}\n".encode())
    os.waitpid(victim, 0)
    return max(ended)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
