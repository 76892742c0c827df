"""A counter that each write raises by one: the rate limit of an exchange, whose every change is in the audit trail."""

import asyncio

from exchanges_db import Conflict, Database, get_exchange_by_id, get_exchange_history, update_exchange
from tests.faults.history import History


async def read_counter(database: Database) -> int:
    """Return what it is now."""
    exchange = await get_exchange_by_id(1, db=database)
    assert exchange is not None
    assert exchange.rate_limit_requests_per_second is not None
    return exchange.rate_limit_requests_per_second


async def raise_counter(database: Database) -> None:
    """Add one, as somebody who has read the version before; again where another was faster."""
    while True:
        exchange = await get_exchange_by_id(1, db=database)
        assert exchange is not None
        assert exchange.rate_limit_requests_per_second is not None
        changes = {"rate_limit_requests_per_second": exchange.rate_limit_requests_per_second + 1}
        try:
            assert await update_exchange(1, changes, if_version=exchange.version, db=database)
        except Conflict:
            continue
        return


async def raises_in_trail(database: Database) -> int:
    """Return how many changes of it the audit trail has."""
    trail = await get_exchange_history(1, db=database)
    return sum("rate_limit_requests_per_second" in entry.changed_columns for entry in trail)


class Load:
    """Readers and writers of the counter that go on until they are told to end."""

    def __init__(self, database: Database, *, readers: int = 4, writers: int = 2) -> None:
        self.history = History()
        self._database = database
        self._over = False
        self._tasks = [asyncio.create_task(self._read()) for _ in range(readers)]
        self._tasks += [asyncio.create_task(self._write()) for _ in range(writers)]

    async def _read(self) -> None:
        while not self._over:
            await self.history.read("counter", read_counter(self._database))
            await asyncio.sleep(0)

    async def _write(self) -> None:
        while not self._over:
            await self.history.write("counter", raise_counter(self._database))
            await asyncio.sleep(0)

    async def answered(self, kind: str, times: int = 10) -> None:
        """Wait until so many operations of that kind, begun from now on, have succeeded."""
        operations = self.history.operations
        start = len(operations)
        while sum(each.kind == kind and each.outcome == "ok" for each in operations[start:]) < times:
            await asyncio.sleep(0.002)

    async def end(self) -> None:
        """Let each finish what it is doing."""
        self._over = True
        await asyncio.gather(*self._tasks)
