"""Callers that give up while a transaction begins, works or ends: nothing later vanishes in what they left open."""

import asyncio
from contextlib import suppress

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db import Database, DatabaseError, DatabaseUnavailable, Settings, import_symbols, insert_exchange
from exchanges_db.database.default import run
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.transactions import Transaction
from exchanges_sql.server_clock import AsyncQuerier
from tests.factories import an_exchange, connected, row_count
from tests.payload_rows import SPOT, payload, spot
from tests.toxic_proxy import toxic_proxy


@pytest.mark.parametrize("steps", range(1, 12))
async def test_what_is_acknowledged_after_a_cancelled_import_is_there(dsn: Dsn, steps: int) -> None:
    """A BEGIN that was under way would else hold every later write of that connection, and none would be committed."""
    async with toxic_proxy(dsn) as (proxy, through):
        connection = await asyncpg.connect(**through.asyncpg_arguments())
        proxy.latency = 0.02
        call = asyncio.create_task(import_symbols(SPOT, payload(SPOT, [spot()]), db=connection))
        for _ in range(2):  # the second cancel meets the rollback
            await asyncio.sleep(0.01 * steps)
            call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        proxy.heal()
        exchange = an_exchange()
        try:
            await insert_exchange(exchange, db=connection)
            acknowledged = 1
        except DatabaseUnavailable:
            acknowledged = 0
        connection.terminate()
    async with connected(dsn) as other:
        there = await other.fetchval("SELECT count(*) FROM exchanges WHERE name = $1", exchange.name)
    assert there == acknowledged


async def test_a_cancelled_import_keeps_a_connection_that_answers(dsn: Dsn) -> None:
    """Somebody else's transaction goes on after a savepoint that could be undone."""
    async with connected(dsn) as connection, connected(dsn) as other, other.transaction():
        await other.execute("LOCK TABLE symbols")
        async with connection.transaction():
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await import_symbols(SPOT, payload(SPOT, [spot()]), db=connection)
            assert await insert_exchange(an_exchange(), db=connection)
        assert await connection.fetchval("SELECT count(*) FROM exchanges") == 4


async def test_a_busy_connection_is_not_spoiled_by_who_is_refused(dsn: Dsn) -> None:
    """The driver remembers a BEGIN that it refused to send."""
    async with connected(dsn) as connection:
        busy = asyncio.create_task(connection.execute("SELECT pg_sleep(0.1)"))
        await asyncio.sleep(0)
        calls = [import_symbols(SPOT, payload(SPOT, [spot()]), db=connection) for _ in range(2)]
        refused = await asyncio.gather(*calls, return_exceptions=True)
        assert all("busy with another task" in str(error) for error in refused)
        await busy
        await import_symbols(SPOT, payload(SPOT, [spot()]), db=connection)
        assert not connection.is_in_transaction()


@pytest.mark.parametrize("within", ["savepoint", "connection"])
async def test_a_callers_own_limit_holds_where_something_is_to_be_undone(dsn: Dsn, within: str) -> None:
    """Nobody answers a ROLLBACK either."""
    loop = asyncio.get_running_loop()
    async with toxic_proxy(dsn) as (proxy, through):

        async def in_savepoint() -> None:
            async with Database(through, Settings()) as database, database.transaction() as transaction:
                try:
                    async with asyncio.timeout(None) as limit, transaction.savepoint():
                        proxy.silent = True
                        began = loop.time()
                        limit.reschedule(began + 0.2)
                        await row_count(transaction)  # type: ignore[arg-type]
                finally:
                    took.append(loop.time() - began)

        async def on_connection() -> None:
            connection = await asyncpg.connect(**through.asyncpg_arguments())
            try:
                proxy.silent = True
                began = loop.time()
                async with asyncio.timeout(0.2):
                    await import_symbols(SPOT, payload(SPOT, [spot()]), db=connection)
            finally:
                took.append(loop.time() - began)
                connection.terminate()

        took: list[float] = []
        with pytest.raises(TimeoutError):
            await (in_savepoint() if within == "savepoint" else on_connection())
    assert took[0] < 3  # the settings would have it wait for much longer


async def test_a_savepoint_that_was_cancelled_and_undone_lets_the_transaction_go_on(dsn: Dsn) -> None:
    """The server answers at once."""
    async with Database(dsn) as database, connected(dsn) as other:
        async with database.transaction() as transaction:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.1), transaction.savepoint():
                    await insert_exchange(an_exchange(), db=transaction)
                    await asyncio.Event().wait()
            await insert_exchange(an_exchange(), db=transaction)
        assert await other.fetchval("SELECT count(*) FROM exchanges") == 4


async def test_a_call_that_outlives_its_transaction_touches_nobody_elses(dsn: Dsn) -> None:
    """What `asyncio.gather` leaves running when one of its calls fails; the connection is lent again by then."""
    reached, over = asyncio.Event(), asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        reached.set()
        await over.wait()
        await AsyncQuerier(connection).get_server_time()

    async def nested(transaction: Transaction) -> None:
        async with transaction.savepoint():
            reached.set()
            await over.wait()

    async with Database(dsn, Settings(pool_max=1)) as database:
        for late in (lambda transaction: run(transaction, work), nested):
            reached.clear()
            over.clear()
            async with database.transaction() as transaction:
                call = asyncio.create_task(late(transaction))
                await reached.wait()
            async with database.transaction() as another:
                over.set()
                with pytest.raises(DatabaseError, match=r"transaction is over|ended before this savepoint"):
                    await call
                assert await row_count(another) == 3  # type: ignore[arg-type]


async def test_a_caller_who_deallocates_spoils_a_connection_for_one_call_at_most(dsn: Dsn) -> None:
    """The driver goes on to name statements that the server has forgotten; such a connection is replaced."""
    async with Database(dsn, Settings(pool_max=1)) as database:

        async def insert() -> object:
            return await insert_exchange(an_exchange(), db=database)

        async def read() -> object:
            return await row_count(database)

        for call in (read, insert):
            await call()
            async with database.transaction() as transaction:
                await transaction.connection.execute("DEALLOCATE ALL")
            with suppress(DatabaseError):
                await call()
            assert await call()
