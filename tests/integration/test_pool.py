"""What a Database does with connections that somebody has altered, ended or used from elsewhere."""

import asyncio
import logging
import threading
from contextlib import suppress

import asyncpg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db import (
    ConfigurationError,
    Database,
    DatabaseError,
    DatabaseUnavailable,
    OutcomeUnknown,
    Settings,
    Transaction,
    get_all_exchanges,
    get_exchange_by_id,
    import_symbols,
    insert_exchange,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.pool import run_on
from tests.factories import an_exchange, cancel_waiting, connected, row_count
from tests.payload_rows import SPOT, payload, spot

ONE = Settings(pool_min=1, pool_max=1, acquire_timeout=2, command_timeout=5)


async def _pid(transaction: Transaction) -> int:
    pid: int = await transaction.connection.fetchval("SELECT pg_backend_pid()")
    return pid


async def _set_codec(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("text", schema="pg_catalog", encoder=str, decoder=lambda text: text[::-1])


async def _add_listener(connection: asyncpg.Connection) -> None:
    await connection.add_listener("news", lambda *_: None)


async def _add_query_logger(connection: asyncpg.Connection) -> None:
    connection.add_query_logger(lambda _: None)


async def _add_log_listener(connection: asyncpg.Connection) -> None:
    connection.add_log_listener(lambda *_: None)


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.execute("PREPARE left_over AS SELECT 1")


@pytest.mark.parametrize("alter", [_set_codec, _add_listener, _add_query_logger, _add_log_listener, _prepare])
async def test_a_session_that_no_reset_can_mend_is_ended(dsn: Dsn, alter: object) -> None:
    """A codec, a listener or a prepared statement of one borrower never meets the next."""
    async with Database(dsn, ONE) as database:
        async with database.transaction() as transaction:
            before = await _pid(transaction)
            await alter(transaction.connection)  # type: ignore[operator]
        exchange = await get_exchange_by_id(1, db=database)
        assert exchange is not None
        assert exchange.name == "MEXC_SPOT"
        async with database.transaction() as transaction:
            assert await _pid(transaction) != before
            assert (
                await transaction.connection.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE from_sql") == 0
            )


async def test_a_session_that_is_in_a_transaction_is_not_kept(dsn: Dsn) -> None:
    """A BEGIN that nobody ends would take what is written after it along when the session ends."""

    async def begin(connection: AsyncConnection) -> None:
        await connection.execute(sqlalchemy.text("-- name: Begin \\:exec\nBEGIN"))

    async with Database(dsn, ONE) as database:
        await run_on(database, begin)
        assert await insert_exchange(an_exchange(name="KEPT"), db=database)
    async with connected(dsn) as other:
        assert await other.fetchval("SELECT count(*) FROM exchanges WHERE name = 'KEPT'") == 1


async def test_what_was_handed_out_is_useless_afterwards(dsn: Dsn) -> None:
    """The connection, what was prepared on it, and the transaction itself: the session is another's by then."""
    async with Database(dsn, ONE) as database:
        async with database.transaction() as transaction:
            connection = transaction.connection
            prepared = await connection.prepare("SELECT 1")
        with pytest.raises(asyncpg.InterfaceError):
            await connection.fetchval("SELECT 1")
        with pytest.raises(asyncpg.InterfaceError):
            await prepared.fetchval()
        with pytest.raises(DatabaseError, match="this transaction is over"):
            await get_exchange_by_id(1, db=transaction)
        with pytest.raises(DatabaseError, match="this transaction is over"):
            await transaction.savepoint().__aenter__()
        with pytest.raises(DatabaseError, match="this transaction is over"):
            _ = transaction.connection
        assert await row_count(database) == 3


async def test_a_session_that_is_dead_before_commit_is_certain(dsn: Dsn) -> None:
    """Nothing was sent, so nothing is unknown, whether or not the loop had time to notice."""
    for pause in (0.1, 0):
        async with Database(dsn, ONE) as database, connected(dsn) as other:
            with pytest.raises(DatabaseUnavailable, match="nothing was written") as info:  # noqa: PT012
                async with database.transaction() as transaction:
                    await update_exchange(1, {"display_name": "Never"}, db=transaction)
                    await other.execute("SELECT pg_terminate_backend($1, 5000)", await _pid(transaction))
                    await asyncio.sleep(pause)
            assert not isinstance(info.value, OutcomeUnknown)
            exchange = await get_exchange_by_id(1, db=database)
            assert exchange is not None
            assert exchange.display_name == "MEXC Spot Trading"


async def test_a_write_that_its_caller_ends_leaves_a_trace(dsn: Dsn, caplog: pytest.LogCaptureFixture) -> None:
    """It may be done or not, and the log says so; a read that is ended, or a write that was not sent, is no news."""
    async with Database(dsn, ONE) as database, connected(dsn) as other:
        async with other.transaction():
            await other.execute("SELECT FROM exchanges WHERE id = 1 FOR UPDATE")
            with caplog.at_level(logging.WARNING):
                await cancel_waiting(update_exchange(1, {"display_name": "Perhaps"}, db=database), other)
        assert [record.message for record in caplog.records if "cancelled after it was sent" in record.message]
        assert database.stats().unknown_outcomes == 1
        caplog.clear()
        async with database.transaction():
            with caplog.at_level(logging.WARNING), pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await update_exchange(1, {"display_name": "Never"}, db=database)
        assert not caplog.records
        assert database.stats().unknown_outcomes == 1


async def test_a_savepoint_undoes_its_block_alone(dsn: Dsn) -> None:
    """An error that is caught outside of it leaves the transaction usable, and what was written before it stays."""
    async with Database(dsn, ONE) as database:
        async with database.transaction() as transaction:
            first = await insert_exchange(an_exchange(), db=transaction)
            with pytest.raises(DatabaseError):  # noqa: PT012
                async with transaction.savepoint():
                    await insert_exchange(an_exchange(), db=transaction)
                    await insert_exchange(an_exchange(name="MEXC_SPOT"), db=transaction)
            async with transaction.savepoint():
                second = await insert_exchange(an_exchange(), db=transaction)
        assert {first, second} <= {exchange.id for exchange in await get_all_exchanges(db=database)}
        assert await row_count(database) == 5


async def test_a_savepoint_whose_error_was_caught_inside_says_so_and_the_transaction_goes_on(dsn: Dsn) -> None:
    """It ends without an exception of its own, and yet nothing of it is there: that must be said."""
    async with Database(dsn, ONE) as database:
        async with database.transaction() as transaction:
            with pytest.raises(DatabaseError, match=r"nothing of the savepoint was kept: .* name is taken"):  # noqa: PT012
                async with transaction.savepoint():
                    await insert_exchange(an_exchange(), db=transaction)
                    with suppress(DatabaseError):
                        await insert_exchange(an_exchange(name="MEXC_SPOT"), db=transaction)
            await insert_exchange(an_exchange(), db=transaction)
        assert await row_count(database) == 4


async def test_savepoints_are_nested(dsn: Dsn) -> None:
    """The inner one is undone, the outer one stays."""
    async with Database(dsn, ONE) as database:
        async with database.transaction() as transaction, transaction.savepoint():
            await insert_exchange(an_exchange(), db=transaction)
            with suppress(ZeroDivisionError):
                async with transaction.savepoint():
                    await insert_exchange(an_exchange(), db=transaction)
                    raise ZeroDivisionError
        assert await row_count(database) == 4


def test_two_threads_cannot_share_a_database(template: Dsn) -> None:
    """The first to come owns it; each other is told at once, and nobody waits."""
    database = Database(template, ONE)
    answers: list[object] = []
    both, done = threading.Barrier(2), threading.Barrier(2)

    async def look_up() -> object:
        both.wait(10)
        try:
            return await row_count(database)
        except ConfigurationError as exc:
            return exc
        finally:
            done.wait(10)
            with suppress(ConfigurationError):
                await database.close()

    threads = [threading.Thread(target=lambda: answers.append(asyncio.run(look_up()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(type(answer).__name__ for answer in answers) == ["ConfigurationError", "int"]


@pytest.mark.parametrize("call", [lambda: get_exchange_by_id(1), lambda: Database("postgresql://h/d").open()])
def test_without_asyncio_the_error_says_what_is_needed(call: object) -> None:
    """As under trio, whose loop asyncio does not know."""
    coroutine = call()  # type: ignore[operator]
    with pytest.raises(ConfigurationError, match="runs on asyncio"):
        coroutine.send(None)


async def test_an_import_on_a_pooled_connection_of_ones_own(dsn: Dsn) -> None:
    """In no transaction, in one of asyncpg's, in one begun by hand, and after it was given back: work, or our error."""
    async with asyncpg.create_pool(**dsn.asyncpg_arguments(), min_size=1, max_size=1) as pool:
        async with pool.acquire() as connection:
            report = await import_symbols(SPOT, payload(SPOT, [spot()]), db=connection)
            assert len(report.changes) == 1
            async with connection.transaction():
                await import_symbols(SPOT, payload(SPOT, [spot(), spot("ETH")]), db=connection)
            await connection.execute("BEGIN")
            with pytest.raises(DatabaseError) as info:
                await import_symbols(SPOT, payload(SPOT, [spot(), spot("XRP"), spot("ETH")]), db=connection)
            assert not isinstance(info.value, DatabaseUnavailable | OutcomeUnknown)
            assert "BEGIN" in str(info.value)
            await connection.execute("ROLLBACK")
        with pytest.raises(DatabaseUnavailable):
            await import_symbols(SPOT, payload(SPOT, [spot()]), db=connection)


async def test_a_refused_row_costs_no_connection(dsn: Dsn) -> None:
    """An error of ours inside a call leaves the connection to be used again."""
    async with Database(dsn, ONE) as database:
        opened = database.stats().opened
        for _ in range(3):
            with suppress(DatabaseError):
                await insert_exchange(an_exchange(name="MEXC_SPOT"), db=database)
        assert database.stats().opened == opened


async def test_a_session_that_the_server_ended_is_told_as_that(dsn: Dsn, caplog: pytest.LogCaptureFixture) -> None:
    """Between the server's last word and the end of the stream asyncpg has no word of its own for it."""

    async def meet_the_end(_: AsyncConnection) -> None:
        assert database._lender is not None
        next(iter(database._lender._lent)).terminate()
        raise asyncpg.InternalClientError("cannot switch to state 12")

    async with Database(dsn, ONE) as database:
        for write in (False, True):
            with caplog.at_level(logging.WARNING, "exchanges_db"), pytest.raises(DatabaseUnavailable) as info:
                await run_on(database, meet_the_end, write=write)
            assert not isinstance(info.value, OutcomeUnknown)
            assert "the session had ended before anything was sent" in str(info.value)
    assert "damaged" not in caplog.text
