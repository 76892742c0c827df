"""Who waits for a connection gets one in order of arrival, also where connections are lost all the time."""

import asyncio
from contextlib import suppress

import asyncpg

from exchanges_db import Database, Settings
from exchanges_db.database.dsn import Dsn


async def test_who_came_first_is_served_first_while_connections_are_lost(dsn: Dsn) -> None:
    """A place that comes free without a connection may be taken by another: then the first is still the first."""
    served: list[int] = []
    async with Database(dsn, Settings(pool_max=2, acquire_timeout=20)) as database:

        async def give_up(number: int) -> None:
            async with database.transaction() as transaction:
                served.append(number)
                with suppress(asyncpg.PostgresError):
                    await transaction.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
                transaction.discard()

        calls = []
        for number in range(60):
            calls.append(asyncio.create_task(give_up(number)))
            if number > 30:  # they come while others wait
                await asyncio.sleep(0.005)
        await asyncio.gather(*calls)
    assert sorted(served) == list(range(60)), served
    late = max(place - number for place, number in enumerate(served))  # one who comes just then may overtake
    assert late < 10, str(served)
