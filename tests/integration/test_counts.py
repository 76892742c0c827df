"""What `Database.stats` counts when something goes wrong for real."""

import asyncio

import asyncpg
import pytest

from exchanges_db import (
    ConfigurationError,
    Database,
    DatabaseError,
    DatabaseStats,
    DatabaseUnavailable,
    OutcomeUnknown,
    PoolTimeout,
    QueryCancelled,
    Settings,
    get_all_exchanges,
    insert_exchange,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn, parse_dsn
from tests.factories import an_exchange, cancel_waiting, connected
from tests.toxic_proxy import toxic_proxy

LIMITS = Settings(connect_timeout=10, acquire_timeout=10, command_timeout=10)


def changed(before: DatabaseStats, after: DatabaseStats) -> dict[str, int]:
    """Return what has been counted in between, but for the work itself."""
    names = DatabaseStats.__struct_fields__[: DatabaseStats.__struct_fields__.index("open")]
    work = ("lookups", "writes", "transactions", "pool_wait_seconds")
    found = {name: getattr(after, name) - getattr(before, name) for name in names if name not in work}
    return {name: count for name, count in found.items() if count}


async def test_a_read_whose_connection_was_lost(dsn: Dsn) -> None:
    async with toxic_proxy(dsn) as (proxy, through), Database(through, LIMITS) as database:
        await get_all_exchanges(db=database)
        before = database.stats()
        proxy.reset()
        await get_all_exchanges(db=database)
        assert changed(before, database.stats()) == {"retries": 1, "lost": 1, "reconnects": 1, "opened": 1}


async def test_a_loss_expires_what_was_idle_beside_it(dsn: Dsn) -> None:
    async with toxic_proxy(dsn) as (proxy, through), Database(through, LIMITS) as database:
        await asyncio.gather(*(get_all_exchanges(db=database) for _ in range(3)))
        before = database.stats()
        assert before.idle == 3
        proxy.reset()
        await get_all_exchanges(db=database)
        found = changed(before, database.stats())
        assert found["lost"] + found.get("expired", 0) == 3
        assert (found["retries"], found["reconnects"], database.stats().open) == (1, 1, 1)


async def test_a_write_of_unknown_outcome(dsn: Dsn) -> None:
    async with toxic_proxy(dsn) as (proxy, through), Database(through, LIMITS) as database:
        await get_all_exchanges(db=database)
        before = database.stats()
        proxy.reset_after = b"UNKNOWN_OUTCOME"
        with pytest.raises(OutcomeUnknown):
            await insert_exchange(an_exchange(name="UNKNOWN_OUTCOME"), db=database)
        assert changed(before, database.stats()) == {"unknown_outcomes": 1, "lost": 1}


async def test_a_statement_that_takes_too_long(dsn: Dsn) -> None:
    settings = Settings(command_timeout=0.5)
    async with connected(dsn) as other, Database(dsn, settings) as database, other.transaction():
        await other.execute("LOCK TABLE exchanges")
        before = database.stats()
        with pytest.raises(QueryCancelled):
            await get_all_exchanges(db=database)
        with pytest.raises(QueryCancelled):
            async with database.transaction() as transaction:
                await get_all_exchanges(db=transaction)
        found = changed(before, database.stats())
    assert found["timeouts"] == 2


async def test_a_caller_that_does_not_wait(dsn: Dsn) -> None:
    """A read is cancelled, a write that was sent is unknown too, and so is a transaction's whole block cancelled."""
    async with connected(dsn) as other, Database(dsn, LIMITS) as database, other.transaction():
        await other.execute("LOCK TABLE exchanges")
        before = database.stats()

        async def read_in_a_block() -> None:
            async with database.transaction() as transaction:
                await get_all_exchanges(db=transaction)

        await cancel_waiting(get_all_exchanges(db=database), other)
        await cancel_waiting(update_exchange(1, {"display_name": "x"}, db=database), other)
        await cancel_waiting(read_in_a_block(), other)
        found = changed(before, database.stats())
    assert (found["cancelled"], found["unknown_outcomes"]) == (3, 1)


async def test_a_server_that_is_read_only(dsn: Dsn) -> None:
    async with connected(dsn) as owner:
        await owner.execute(f"ALTER DATABASE {dsn.database} SET default_transaction_read_only = on")
    async with Database(dsn, LIMITS) as database:
        before = database.stats()
        with pytest.raises(DatabaseError, match="read-only"):
            await update_exchange(1, {"display_name": "x"}, db=database)
        found = changed(before, database.stats())
    assert found["read_only"] == 2
    assert found["retries"] == 1


async def test_waiting_for_a_connection(dsn: Dsn) -> None:
    settings = Settings(pool_max=1, acquire_timeout=0.3)
    async with Database(dsn, settings) as database:
        before = database.stats()
        async with database.transaction():
            with pytest.raises(PoolTimeout):
                await get_all_exchanges(db=database)
            waiting = asyncio.create_task(get_all_exchanges(db=database))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert database.stats().waiting == 1
        await waiting
        after = database.stats()
    assert changed(before, after) == {"pool_waits": 2, "pool_timeouts": 1}
    assert after.pool_wait_seconds - before.pool_wait_seconds >= 0.3


async def test_an_attempt_to_open_that_is_in_vain(unused_tcp_port: int) -> None:
    settings = Settings(acquire_timeout=0.2)
    database = Database(parse_dsn(f"postgresql://somebody@localhost:{unused_tcp_port}/nowhere"), settings)
    with pytest.raises((DatabaseUnavailable, ConfigurationError)):
        await get_all_exchanges(db=database)
    assert database.stats().failed_opens >= 1
    assert database.stats().opened == 0


async def test_a_connection_that_carries_a_codec_is_retired(database: Database) -> None:
    before = database.stats()
    async with database.transaction() as transaction:
        connection: asyncpg.Connection = transaction.connection  # type: ignore[assignment]  # a stand-in for one
        await connection.set_type_codec("json", schema="pg_catalog", encoder=str, decoder=str)
    assert changed(before, database.stats()) == {"retired": 1}
