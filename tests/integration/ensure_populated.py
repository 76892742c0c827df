"""A program that becomes many processes, each with its connection, which all populate at the same moment."""

import asyncio
import os
import sys

from exchanges_db import Database, Settings, ensure_exchanges_populated

READY_READ, READY_WRITE = os.pipe()
GO_READ, GO_WRITE = os.pipe()


async def populate(url: str) -> int:
    """Connect, report it, wait until the parent lets all go, populate, and return how many rows that created."""
    async with Database(url, Settings(pool_min=1, pool_max=1, connect_timeout=30, acquire_timeout=30)) as database:
        os.write(READY_WRITE, b".")
        os.close(GO_WRITE)
        os.read(GO_READ, 1)  # ends when the parent lets go of its side
        return len(await ensure_exchanges_populated(db=database))


def main(url: str, processes: int) -> int:
    """Fork, wait until every child is connected, let go, and return 0 when all ended well."""
    children = []
    for _ in range(processes):
        child = os.fork()
        if child == 0:
            created = asyncio.run(populate(url))
            os.write(1, f"{created}\n".encode())
            os._exit(0)
        children.append(child)
    os.close(READY_WRITE)
    ready = 0
    while ready < processes and (said := os.read(READY_READ, processes)):
        ready += len(said)
    os.close(GO_WRITE)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
