"""A network that falls silent or breaks off: every call ends in time, and a write is never sent twice."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from exchanges_db import (
    Database,
    DatabaseError,
    DatabaseOrConnection,
    DatabaseUnavailable,
    OutcomeUnknown,
    QueryCancelled,
    Settings,
    get_all_exchanges,
    get_exchange_by_id,
    insert_exchange,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn
from tests.factories import an_exchange, connected, row_count, sqlalchemy_connected
from tests.toxic_proxy import toxic_proxy

SHORT = Settings(pool_min=1, pool_max=3, connect_timeout=0.8, acquire_timeout=0.8, command_timeout=0.8)
LONG = Settings(pool_min=1, pool_max=3, connect_timeout=10, acquire_timeout=10, command_timeout=10)  # never reached


async def test_after_a_black_hole_the_first_call_works(dsn: Dsn) -> None:
    """Nine calls on three connections all end within their limits, and the pool heals with the network."""
    async with toxic_proxy(dsn) as (proxy, through), Database(through, SHORT) as database:
        assert await row_count(database) == 3
        proxy.silent = True
        start = time.monotonic()
        results = await asyncio.gather(*(get_all_exchanges(db=database) for _ in range(9)), return_exceptions=True)
        assert time.monotonic() - start < 3 * 1.2 * (SHORT.acquire_timeout + SHORT.command_timeout)
        assert all(isinstance(result, QueryCancelled | DatabaseUnavailable) for result in results)
        proxy.silent = False
        assert await row_count(database) == 3
        start = time.monotonic()
    assert time.monotonic() - start < 2.5


async def test_close_does_not_wait_for_a_silent_server(dsn: Dsn) -> None:
    """A second at most, then the connections are cut."""
    async with toxic_proxy(dsn) as (proxy, through):
        database = await Database(through, SHORT).open()
        assert await row_count(database) == 3
        proxy.silent = True
        start = time.monotonic()
        await database.close()
        assert time.monotonic() - start < 2.5


async def test_a_reset_is_not_seen_by_a_read(dsn: Dsn) -> None:
    """The read is repeated on another connection."""
    async with toxic_proxy(dsn) as (proxy, through), Database(through, LONG) as database:
        await row_count(database)
        proxy.reset()
        assert await row_count(database) == 3


async def test_a_reset_before_the_answer_of_a_write_is_unknown(dsn: Dsn) -> None:
    """It happened here, once; the client cannot know and does not repeat it."""
    async with toxic_proxy(dsn) as (proxy, through), Database(through, LONG) as database:
        await insert_exchange(an_exchange(), db=database)  # the statement is prepared now
        proxy.reset_after = b"CUT_HERE"
        with pytest.raises(OutcomeUnknown) as info:
            await insert_exchange(an_exchange(display_name="CUT_HERE"), db=database)
        assert "CUT_HERE" not in str(info.value)
        names = [exchange.display_name for exchange in await get_all_exchanges(db=database)]
        assert names.count("CUT_HERE") == 1


async def test_a_reset_while_committing_is_unknown(dsn: Dsn) -> None:
    """The transaction is through, and its answer is lost."""
    async with toxic_proxy(dsn) as (proxy, through), Database(through, LONG) as database:
        with pytest.raises(OutcomeUnknown):  # noqa: PT012  # the fault comes with the end of the block
            async with database.transaction() as transaction:
                assert await update_exchange(1, {"display_name": "Committed"}, db=transaction)
                proxy.reset_after = b"COMMIT"
        exchange = await get_exchange_by_id(1, db=database)
        assert exchange is not None
        assert exchange.display_name == "Committed"


async def test_a_reset_inside_a_transaction_is_certain(dsn: Dsn) -> None:
    """Before COMMIT was sent nothing can have happened."""
    async with toxic_proxy(dsn) as (proxy, through), Database(through, LONG) as database:
        with pytest.raises(DatabaseUnavailable):  # noqa: PT012  # the fault comes between two statements
            async with database.transaction() as transaction:
                assert await update_exchange(1, {"display_name": "Never"}, db=transaction)
                proxy.reset()
                await update_exchange(1, {"display_name": "Never again"}, db=transaction)
        exchange = await get_exchange_by_id(1, db=database)
        assert exchange is not None
        assert exchange.display_name == "MEXC Spot Trading"


@pytest.mark.parametrize("kind", ["asyncpg", "SQLAlchemy"])
@pytest.mark.parametrize("commits", [True, False])
async def test_a_reset_on_a_connection_of_ones_own(dsn: Dsn, kind: str, commits: bool) -> None:
    """OutcomeUnknown where the statement commits by itself, and certainty inside a transaction of the caller's."""
    async with toxic_proxy(dsn) as (proxy, through), AsyncExitStack() as stack:
        db: DatabaseOrConnection
        if kind == "SQLAlchemy":
            level = "AUTOCOMMIT" if commits else "READ COMMITTED"
            db = await stack.enter_async_context(sqlalchemy_connected(through, isolation_level=level))
        else:
            db = connection = await stack.enter_async_context(connected(through))
            if not commits:
                await connection.transaction().start()
        await insert_exchange(an_exchange(), db=db)
        proxy.reset_after = b"CUT_HERE"
        with pytest.raises(OutcomeUnknown if commits else DatabaseUnavailable) as info:
            await insert_exchange(an_exchange(display_name="CUT_HERE"), db=db)
        assert isinstance(info.value, OutcomeUnknown) is commits


async def test_a_transaction_that_cannot_begin_is_our_error(dsn: Dsn) -> None:
    """The server does not answer to BEGIN: the block is not entered."""
    async with toxic_proxy(dsn) as (proxy, through), Database(through, SHORT) as database:
        proxy.silent = True
        with pytest.raises(QueryCancelled):
            await database.transaction().__aenter__()
        proxy.silent = False
        assert await row_count(database) == 3


async def test_a_reset_after_the_commit_is_no_error(dsn: Dsn) -> None:
    """What was asked for is done; the connection that broke while it was given back is replaced."""
    async with toxic_proxy(dsn) as (proxy, through), Database(through, LONG) as database:
        proxy.reset_after = b"pg_advisory_unlock_all"
        async with database.transaction() as transaction:
            await transaction.connection.execute("UPDATE exchanges SET display_name = 'Done' WHERE id = 1")
        exchange = await get_exchange_by_id(1, db=database)
        assert exchange is not None
        assert exchange.display_name == "Done"


async def test_a_silent_first_host_does_not_hide_the_second(dsn: Dsn) -> None:
    """Each host gets its own share of the time that a caller waits, which is no longer than with one host."""
    async with toxic_proxy(dsn) as (proxy, through):
        proxy.silent = True
        both = Dsn(hosts=(*through.hosts, *dsn.hosts), user=dsn.user, password=dsn.password, database=dsn.database)
        for floor in (0, 1):  # the first connection is made by the first call, or by opening
            start = time.monotonic()
            settings = Settings(pool_min=floor, connect_timeout=1.5, acquire_timeout=1.5)
            async with Database(both, settings) as database:
                assert await row_count(database) == 3
            assert time.monotonic() - start < 1.5 * settings.acquire_timeout


async def test_random_resets_lose_and_double_nothing(dsn: Dsn) -> None:
    """What was acknowledged is there, what is there was acknowledged or unknown, and nothing is there twice."""
    acknowledged, unknown = set(), set()
    async with toxic_proxy(dsn) as (proxy, through), Database(through, LONG) as database:
        for number in range(60):
            exchange = an_exchange()
            if number % 3 == 0:
                proxy.reset_after = exchange.name.encode()
            elif number % 7 == 0:
                proxy.reset()
            try:
                await insert_exchange(exchange, db=database)
            except OutcomeUnknown:
                unknown.add(exchange.name)
            except DatabaseError:
                continue
            else:
                acknowledged.add(exchange.name)
    async with Database(dsn) as database:
        names = {exchange.name for exchange in await get_all_exchanges(db=database)}
    assert acknowledged <= names
    assert {name for name in names if name.startswith("TEST_")} <= acknowledged | unknown
    assert acknowledged
    assert unknown & names
