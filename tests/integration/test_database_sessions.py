"""What a borrower leaves in a session, what cancelling leaves in the pool, and how a Database ends."""

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

import asyncpg
import pytest

from exchanges_db import (
    Database,
    DatabaseError,
    DatabaseUnavailable,
    Settings,
    get_all_exchanges,
    get_exchange_by_id,
    insert_exchange,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn
from tests.factories import an_exchange, connected, row_count
from tests.servers import until

ONE = Settings(pool_min=1, pool_max=1)
TRACES = {
    "SELECT current_user = session_user": "SET ROLE pg_read_all_data",
    "SELECT session_user <> 'pg_read_all_data'": "SET SESSION AUTHORIZATION pg_read_all_data",
    "SELECT current_setting('search_path') NOT LIKE '%evil%'": "SET search_path = evil",
    "SELECT current_setting('statement_timeout') = '0'": "SET statement_timeout = 12345",
    "SELECT to_regclass('pg_temp.left_over') IS NULL": "CREATE TEMP TABLE left_over (id int)",
    "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')": "SELECT pg_advisory_lock(4711)",
    "SELECT NOT EXISTS (SELECT FROM pg_cursors WHERE is_holdable)": "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "SELECT NOT EXISTS (SELECT FROM pg_listening_channels())": "LISTEN somebody",
}


@pytest.mark.parametrize("how", ["commit", "discard", "error"])
@pytest.mark.parametrize("clean", TRACES, ids=TRACES.values())
async def test_the_next_borrower_sees_no_trace(dsn: Dsn, clean: str, how: str) -> None:
    """Role, settings, temporary tables, locks, cursors and channels end with the transaction that made them."""
    async with Database(dsn, ONE) as database:
        async with database.transaction() as transaction:
            pid = await transaction.connection.fetchval("SELECT pg_backend_pid()")
            assert await transaction.connection.fetchval(clean) is True
        with suppress(ZeroDivisionError):
            async with database.transaction() as transaction:
                await transaction.connection.execute(TRACES[clean])
                if how == "discard":
                    transaction.discard()
                if how == "error":
                    raise ZeroDivisionError
        async with database.transaction() as transaction:
            assert await transaction.connection.fetchval("SELECT pg_backend_pid()") == pid
            assert await transaction.connection.fetchval(clean) is True


async def test_the_next_borrower_has_drawn_from_no_sequence(dsn: Dsn) -> None:
    """Else its lastval() would be an id of another's row instead of an error."""
    async with Database(dsn, ONE) as database:
        async with database.transaction() as transaction:
            pid = await transaction.connection.fetchval("SELECT pg_backend_pid()")
            await transaction.connection.execute("SELECT nextval('exchanges_id_seq')")
        async with database.transaction() as transaction:
            assert await transaction.connection.fetchval("SELECT pg_backend_pid()") == pid
            with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
                await transaction.connection.fetchval("SELECT lastval()")
            transaction.discard()


async def test_a_transaction_that_was_ended_by_hand_leaves_nothing_open(dsn: Dsn) -> None:
    """A COMMIT of one's own, even with a BEGIN after it."""
    async with Database(dsn, ONE) as database, connected(dsn) as other:
        async with database.transaction() as transaction:
            await transaction.connection.execute("COMMIT")
        async with database.transaction() as transaction:
            await transaction.connection.execute("COMMIT; BEGIN")
        assert await row_count(database) == 3
        assert await other.fetchval("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'") == 0


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK"])
async def test_nothing_is_written_in_a_transaction_that_was_ended_by_hand(database: Database, statement: str) -> None:
    """It would be kept at once, whatever becomes of the block."""
    with pytest.raises(DatabaseError, match="ended by a COMMIT or ROLLBACK of your own"):  # noqa: PT012
        async with database.transaction() as transaction:
            await transaction.connection.execute(statement)
            await insert_exchange(an_exchange(), db=transaction)
    assert await row_count(database) == 3


async def test_discard_rolls_back_without_an_exception(database: Database) -> None:
    """For a dry run: everything is tried and nothing kept."""
    async with database.transaction() as transaction:
        await insert_exchange(an_exchange(), db=transaction)
        assert len(await get_all_exchanges(db=transaction)) == 4
        transaction.discard()
        assert len(await get_all_exchanges(db=transaction)) == 4
    assert await row_count(database) == 3


async def test_a_storm_of_cancellations_leaves_no_trace(dsn: Dsn) -> None:
    """Two hundred tasks ended at random instants: no transaction stays open, no connection is lost, no row comes."""
    dice = random.Random(7)
    async with Database(dsn, Settings(pool_min=4, pool_max=4)) as database, connected(dsn) as other:

        async def work(number: int) -> None:
            async with database.transaction() as transaction:
                await insert_exchange(an_exchange(), db=transaction)
                if number % 2:
                    await transaction.connection.execute("SELECT pg_sleep(0.001)")
                await get_all_exchanges(db=transaction)
                transaction.discard()

        await row_count(database)
        tasks = [asyncio.create_task(work(number)) for number in range(200)]
        while pending := [task for task in tasks if not task.done()]:
            for _ in range(dice.randrange(6)):
                await asyncio.sleep(0)
            await asyncio.sleep(dice.random() / 1000)
            dice.choice(pending).cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
        assert any(isinstance(result, asyncio.CancelledError) for result in results)

        idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"

        async def none_is_idle_in_a_transaction() -> bool:
            return not await other.fetchval(idle)

        await until(none_is_idle_in_a_transaction, what="no transaction is open")
        # All four can still be had at once, and nobody holds a fifth.
        async with asyncio.timeout(15), AsyncExitStack() as stack:
            for _ in range(4):
                transaction = await stack.enter_async_context(database.transaction())
                assert len(await get_all_exchanges(db=transaction)) == 3
        sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1"

        async def four_are_there() -> bool:  # the server notices a moment later that one has ended
            return bool(await other.fetchval(sessions, "exchanges_db") == 4)

        await until(four_are_there, what="nobody holds a fifth")


async def test_closing_twice_is_closing_once(dsn: Dsn) -> None:
    """And closing what was never opened is nothing."""
    database = Database(dsn)
    await database.close()
    database = await Database(dsn).open()
    await database.close()
    await database.close()


async def test_a_closed_database_says_so(dsn: Dsn) -> None:
    """Not an error about some pool."""
    async with Database(dsn) as database:
        await row_count(database)
    for action in (database.open, lambda: get_all_exchanges(db=database), lambda: database.transaction().__aenter__()):
        with pytest.raises(DatabaseUnavailable, match="this Database is closed: make a new one"):
            await action()


async def test_closing_cuts_what_is_still_in_use(dsn: Dsn) -> None:
    """After a second; the block that was cut off gets an error of ours, and nothing is committed."""
    database = await Database(dsn).open()
    with pytest.raises(DatabaseUnavailable):  # noqa: PT012  # the fault comes between two statements
        async with database.transaction() as transaction:
            await update_exchange(1, {"display_name": "Never"}, db=transaction)
            await database.close()
            await update_exchange(1, {"display_name": "Never again"}, db=transaction)
    async with connected(dsn) as other:
        assert await other.fetchval("SELECT display_name FROM exchanges WHERE id = 1") == "MEXC Spot Trading"


async def test_a_database_opens_once_for_many_first_calls(dsn: Dsn) -> None:
    """One pool, whoever comes first."""
    database = Database(dsn, Settings(pool_min=1, pool_max=2))
    assert await asyncio.gather(*(row_count(database) for _ in range(20))) == [3] * 20
    async with connected(dsn) as other:
        sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1"
        assert await other.fetchval(sessions, "exchanges_db") <= 2
    await database.close()


async def test_the_session_is_named(dsn: Dsn) -> None:
    """As the URL says, else exchanges_db."""
    for settings, name in (({}, "exchanges_db"), ({"application_name": "desk"}, "desk")):
        async with Database(replace(dsn, settings=settings)) as database, database.transaction() as transaction:
            assert await transaction.connection.fetchval("SHOW application_name") == name


async def test_two_tasks_on_one_transaction_are_told_so(database: Database) -> None:
    """The second is refused with what to do, the first goes on, and the transaction can still commit."""
    async with database.transaction() as transaction:
        results = await asyncio.gather(
            *(get_exchange_by_id(1, db=transaction) for _ in range(2)), return_exceptions=True
        )
        refused = [result for result in results if isinstance(result, BaseException)]
        assert len(refused) == 1
        assert type(refused[0]) is DatabaseError
        assert "busy with another task" in str(refused[0])
        assert await get_exchange_by_id(1, db=transaction) is not None
