"""Database: limits, what is repeated and what is not, and what a borrower leaves behind."""

import asyncio
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import asyncpg
import pytest

from exchanges_db import (
    AccessDenied,
    ConfigurationError,
    Conflict,
    Database,
    DatabaseError,
    DatabaseUnavailable,
    DuplicateExchange,
    InvalidArgument,
    OutcomeUnknown,
    PoolTimeout,
    QueryCancelled,
    Settings,
    Transaction,
    get_all_exchanges,
    get_exchange_by_enum,
    get_exchange_by_id,
    insert_exchange,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn, Secret
from tests.cases import Case, every_call, expect_failure
from tests.factories import an_exchange, connected, row_count

IMPATIENT = Settings(pool_max=1, acquire_timeout=1, connect_timeout=2)
# Each of these is impatient in one way: the call that comes after has time, however slow the machine is.
IMPATIENT_OF_QUEUES = Settings(pool_max=1, acquire_timeout=0.2, command_timeout=20, connect_timeout=20)
IMPATIENT_OF_SERVERS = Settings(pool_max=1, acquire_timeout=20, command_timeout=0.4, connect_timeout=20)
BACKENDS = """
    SELECT pid, state FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

OUR_TABLES = "relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'schema_migrations'"
# What a call that waits too long for a table ends in; a validation tells it in its report.
LATE: dict[str, type[Exception]] = {
    "read": QueryCancelled,
    "write": OutcomeUnknown,
    "transaction": QueryCancelled,
    "validation": QueryCancelled,
}


@asynccontextmanager
async def locked(dsn: Dsn) -> AsyncIterator[None]:
    """Every table of ours held by another session, so that every statement waits."""
    async with connected(dsn) as other, other.transaction():
        tables = await other.fetchval("SELECT string_agg(relname, ', ') FROM pg_class WHERE " + OUR_TABLES)
        await other.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
        yield


async def terminate_all(other: asyncpg.Connection) -> None:
    """End every other session of the database, and wait until they are gone."""
    for row in await other.fetch(BACKENDS):
        await other.execute("SELECT pg_terminate_backend($1, 5000)", row["pid"])


@every_call
async def test_an_exhausted_pool_is_a_pool_timeout_in_time(call: Case, stocked_dsn: Dsn) -> None:
    """Every public function waits as long as the settings say and no longer, and the next call works."""
    async with Database(stocked_dsn, IMPATIENT_OF_QUEUES) as database:
        async with database.transaction():
            start = time.monotonic()
            await expect_failure(call, database, PoolTimeout, "EXCHANGES_DB_POOL_MAX")
            assert 0.15 < time.monotonic() - start < 2
        await call(database)


@every_call
async def test_a_call_that_takes_too_long_ends_in_time(call: Case, stocked_dsn: Dsn) -> None:
    """A read did nothing, nor did a transaction that was not committed; of a write the server may have done it."""
    async with Database(stocked_dsn, IMPATIENT_OF_SERVERS) as database:
        async with locked(stocked_dsn):
            await expect_failure(call, database, LATE[call.kind], "took longer than|too slow before the answer")
        await call(database)


async def test_a_limit_of_the_server_is_certain(dsn: Dsn) -> None:
    """It says itself that it did nothing: QueryCancelled or Conflict, for writes too."""
    for setting, kind in (("statement_timeout", QueryCancelled), ("lock_timeout", Conflict)):
        async with Database(replace(dsn, settings={setting: "300"})) as database, locked(dsn):
            with pytest.raises(kind):
                await update_exchange(1, {"display_name": "x"}, db=database)


async def test_a_read_survives_the_end_of_its_session(database: Database, dsn: Dsn) -> None:
    """It is repeated once, on a new connection, and the caller notices nothing."""
    async with connected(dsn) as other:
        for _ in range(3):
            await get_all_exchanges(db=database)
            await terminate_all(other)
            assert len(await get_all_exchanges(db=database)) == 3


async def test_a_write_does_not_outlive_its_session(dsn: Dsn) -> None:
    """Ended while it waits for a lock: OutcomeUnknown, and it is not sent again."""
    async with Database(dsn, Settings(pool_max=1)) as database, connected(dsn) as other:
        await row_count(database)
        async with locked(dsn):
            writing = asyncio.create_task(insert_exchange(an_exchange(), db=database))
            await wait_for(other, "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            pid = await other.fetchval("SELECT pid FROM pg_locks WHERE NOT granted")
            await other.execute("SELECT pg_terminate_backend($1, 5000)", pid)
            with pytest.raises(OutcomeUnknown):
                await writing
        assert await row_count(database) == 3


async def test_a_transaction_whose_session_ends_is_unavailable(database: Database, dsn: Dsn) -> None:
    """Nothing was committed, so the outcome is known."""
    async with connected(dsn) as other:
        with pytest.raises(DatabaseUnavailable):  # noqa: PT012  # the fault comes between two statements
            async with database.transaction() as transaction:
                await insert_exchange(an_exchange(), db=transaction)
                await terminate_all(other)
                await insert_exchange(an_exchange(), db=transaction)
        assert await row_count(database) == 3


@pytest.mark.parametrize(
    "error", [FileNotFoundError("mine"), TimeoutError("mine"), OSError(5, "mine"), KeyError("mine")]
)
async def test_an_error_of_the_users_own_is_left_alone(database: Database, error: Exception) -> None:
    """A missing file inside the block is no lost connection."""
    with pytest.raises(type(error)) as info:
        async with database.transaction():
            raise error
    assert info.value is error


async def test_an_error_of_the_users_own_sql_is_ours(database: Database) -> None:
    """Statements on Transaction.connection are translated like the functions'."""
    with pytest.raises(DatabaseError) as info:
        async with database.transaction() as transaction:
            await transaction.connection.execute("SELECT 1/0")
    assert info.value.sqlstate == "22012"


async def test_a_refusing_server_is_unavailable(dsn: Dsn) -> None:
    """At open() and at the first call, with host and reason."""
    nowhere = replace(dsn, hosts=(("127.0.0.1", 1),))
    for action in (
        lambda: Database(nowhere, IMPATIENT).open(),
        lambda: get_all_exchanges(db=Database(nowhere, IMPATIENT)),
    ):
        with pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1:1: "):
            await action()


async def test_a_missing_database_is_unavailable(dsn: Dsn) -> None:
    """SQLSTATE 3D000, and the way out."""
    with pytest.raises(DatabaseUnavailable, match="does not exist") as info:
        await Database(replace(dsn, database="no_such_database")).open()
    assert info.value.sqlstate == "3D000"


async def test_a_refused_login_says_nothing_of_the_password(dsn: Dsn) -> None:
    """Neither the message nor the whole traceback, for a role that is not there and for a wrong setting."""
    word = "".join(["can", "ary"])  # the source lines of a traceback do not hold it
    for wrong, kind in (
        (replace(dsn, user="no_such_role"), AccessDenied),
        (replace(dsn, settings={"no_such_setting": "1"}), ConfigurationError),
        (replace(dsn, target_session_attrs="chaos"), ConfigurationError),
        (replace(dsn, target_session_attrs="standby"), DatabaseUnavailable),
        (replace(dsn, hosts=(("name.invalid", 1),)), DatabaseUnavailable),
    ):
        database = Database(replace(wrong, password=Secret(word)), IMPATIENT)
        with pytest.raises(kind) as info:
            await database.open()
        assert word not in "".join(traceback.format_exception(info.value))


async def test_hosts_are_tried_in_order_until_one_fits(dsn: Dsn) -> None:
    """A refusing one is passed over, a refused login is not, and a primary stands in for a preferred standby."""
    hosts = (("127.0.0.1", 1), *dsn.hosts)
    for attributes in (None, "any", "primary", "read-write", "prefer-standby"):
        async with Database(replace(dsn, hosts=hosts, target_session_attrs=attributes)) as database:
            assert await row_count(database) == 3
    with pytest.raises(DatabaseUnavailable, match="target_session_attrs"):
        await Database(replace(dsn, hosts=hosts, target_session_attrs="standby"), IMPATIENT).open()
    with pytest.raises(AccessDenied):
        await Database(replace(dsn, hosts=(*dsn.hosts, ("127.0.0.1", 1)), user="no_such_role")).open()


async def test_a_read_only_server_is_left_for_another(dsn: Dsn) -> None:
    """After 25006 every connection is renewed, once a second; when the database can be written to again, so can we."""
    async with Database(dsn, Settings(pool_max=1)) as database, connected(dsn) as other:
        await other.execute(f"ALTER DATABASE {dsn.database} SET default_transaction_read_only = on")
        await terminate_all(other)
        assert await row_count(database) == 3
        with pytest.raises(DatabaseUnavailable, match="read-only") as info:
            await insert_exchange(an_exchange(), db=database)
        assert info.value.sqlstate == "25006"
        await other.execute(f"SET transaction_read_only = off; ALTER DATABASE {dsn.database} RESET ALL")
        async with asyncio.timeout(5):
            while True:
                with suppress(DatabaseUnavailable):
                    assert await insert_exchange(an_exchange(), db=database)
                    break


async def test_a_readonly_transaction_refuses_writes(database: Database) -> None:
    """As it was asked for."""
    with pytest.raises(DatabaseUnavailable, match="read-only"):
        async with database.transaction(readonly=True, isolation="repeatable_read") as transaction:
            await update_exchange(1, {"display_name": "x"}, db=transaction)


async def test_a_pooler_gets_no_prepared_statements(dsn: Dsn) -> None:
    """Where PgBouncer hands each transaction to another session, a statement kept by name would be lost."""
    query = "SELECT count(*) FROM pg_prepared_statements"
    for settings, kept in ((Settings(pooler="transaction"), False), (Settings(), True)):
        async with Database(dsn, settings) as database:
            for _ in range(3):
                await get_exchange_by_id(1, db=database)
            async with database.transaction() as transaction:
                assert (await transaction.connection.fetchval(query) > 1) is kept


async def wait_for(other: asyncpg.Connection, query: str) -> None:
    """Ask until there is a row; an end is set to it."""
    async with asyncio.timeout(10):
        while not await other.fetch(query):
            await asyncio.sleep(0.01)


async def test_a_transaction_that_failed_inside_raises_at_its_end(database: Database) -> None:
    """COMMIT of a failed transaction is answered ROLLBACK: an end without an exception would lose rows in silence."""
    fields = {"name": "KEPT_OR_TOLD", "enum_value": "KEPT_OR_TOLD"}

    async def insert_twice() -> None:
        async with database.transaction() as tx:
            assert await insert_exchange(an_exchange(**fields), db=tx)
            with pytest.raises(DuplicateExchange):
                await insert_exchange(an_exchange(**fields), db=tx)

    with pytest.raises(DatabaseError, match="nothing was written: an earlier statement failed: name is taken") as error:
        await insert_twice()
    assert isinstance(error.value.__cause__, DuplicateExchange)
    assert await get_exchange_by_enum("KEPT_OR_TOLD", db=database) is None
    # The connection is as good as new.
    async with database.transaction() as tx:
        await insert_exchange(an_exchange(**fields), db=tx)
    assert await get_exchange_by_enum("KEPT_OR_TOLD", db=database) is not None


async def test_a_statement_of_ones_own_that_failed_is_told_too(database: Database) -> None:
    """What fails on the connection itself fails the transaction just as much, and a call after it says what to do."""

    async def fail_and_go_on() -> None:
        async with database.transaction() as tx:
            with pytest.raises(asyncpg.PostgresError):
                await tx.connection.execute("SELECT 1/0")
            with pytest.raises(DatabaseError, match="an earlier statement of this transaction failed") as error:
                await get_all_exchanges(db=tx)
            assert error.value.sqlstate == "25P02"

    with pytest.raises(DatabaseError, match="nothing was written: an earlier statement failed"):
        await fail_and_go_on()


async def test_a_failed_transaction_that_is_discarded_ends_quietly(database: Database) -> None:
    """Its caller wanted nothing of it to stay."""
    async with database.transaction() as tx:
        with pytest.raises(asyncpg.PostgresError):
            await tx.connection.execute("SELECT 1/0")
        tx.discard()


async def test_what_a_savepoint_of_ones_own_caught_is_committed(database: Database) -> None:
    """The server's answer decides, not that some statement failed."""
    async with database.transaction() as tx:
        await insert_exchange(an_exchange(name="BESIDE_A_SAVEPOINT", enum_value="BESIDE_A_SAVEPOINT"), db=tx)
        with pytest.raises(DuplicateExchange):
            async with tx.connection.transaction():
                await insert_exchange(an_exchange(name="BESIDE_A_SAVEPOINT", enum_value="ANOTHER"), db=tx)
    assert await get_exchange_by_enum("BESIDE_A_SAVEPOINT", db=database) is not None


@pytest.mark.parametrize("isolation", ["chaos", "", None, ["serializable"], 1])
async def test_an_isolation_that_there_is_not_costs_no_connection(isolation: object, dsn: Dsn) -> None:
    """Each such call took one of the pool for good, so that the last ones found none left."""
    async with Database(dsn, IMPATIENT) as database:
        for _ in range(2):
            with pytest.raises(InvalidArgument, match="isolation must be one of read_committed, "):
                async with database.transaction(isolation=isolation):  # type: ignore[arg-type]  # that is the point
                    pass
        assert database.stats().in_use == 0
        assert await get_exchange_by_id(1, db=database)


async def test_a_savepoint_that_outlives_its_transaction_does_not_deny_what_was_kept(database: Database) -> None:
    """Its task would write a second time what COMMIT has kept."""
    is_written, may_end = asyncio.Event(), asyncio.Event()

    async def write(transaction: Transaction) -> None:
        async with transaction.savepoint():
            await update_exchange(1, {"display_name": "Kept"}, db=transaction)
            is_written.set()
            await may_end.wait()

    async with database.transaction() as transaction:
        task = asyncio.create_task(write(transaction))
        await is_written.wait()
    may_end.set()
    with pytest.raises(DatabaseError, match="is kept if the transaction was committed"):
        await task
    found = await get_exchange_by_id(1, db=database)
    assert found is not None
    assert found.display_name == "Kept"
