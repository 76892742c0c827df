"""A pool under pressure: cancelled, exhausted, refused. Nothing leaks, and each caller is told in time."""

import asyncio
import itertools
import random
import time
from dataclasses import replace

import asyncpg
import pytest

from exchanges_db import (
    Database,
    DatabaseUnavailable,
    PoolTimeout,
    Settings,
    get_all_exchanges,
    get_exchange_by_id,
    insert_exchange,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn, Secret
from exchanges_db.database.session import Session
from tests.cases import CALLS, Case
from tests.factories import an_exchange, connected, row_count
from tests.faults.refusing_server import refusing_server
from tests.servers import until

SIZE, CANCELLED = 5, 320
OURS = "FROM pg_stat_activity WHERE application_name = 'exchanges_db' AND datname = current_database()"


async def test_a_storm_of_cancellations_in_transactions(dsn: Dsn) -> None:
    """Cancelled at any instant between BEGIN and COMMIT, a task leaves no transaction open and takes no connection."""
    chance = random.Random(11)
    limits = Settings(pool_min=SIZE, pool_max=SIZE, acquire_timeout=10, command_timeout=10)
    async with Database(dsn, limits) as database, connected(dsn) as other:
        await asyncio.gather(*(row_count(database) for _ in range(20)))

        async def work(number: int) -> None:
            async with database.transaction() as transaction:
                await get_exchange_by_id(1, db=transaction)
                await update_exchange(1 + number % 3, {"display_name": f"By {number}"}, db=transaction)
                await get_all_exchanges(db=transaction)

        tasks = [asyncio.create_task(work(number)) for number in range(CANCELLED)]
        loop = asyncio.get_running_loop()
        for task in tasks:
            if chance.random() < 0.9:  # so that some end, however slow the machine is
                loop.call_later(chance.random() * 0.6, task.cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results), results
        assert any(result is None for result in results)
        assert any(isinstance(result, asyncio.CancelledError) for result in results)

        async with asyncio.timeout(limits.acquire_timeout / 2):  # nobody has a place that would have to be waited for
            await row_count(database)
        # Each has a place of its own again: as many transactions as the pool has connections, all at the same time.
        all_in = asyncio.Barrier(SIZE)

        async def meet() -> None:
            async with database.transaction() as transaction:
                await get_exchange_by_id(1, db=transaction)
                await all_in.wait()

        async with asyncio.timeout(5):
            await asyncio.gather(*(meet() for _ in range(SIZE)))

        async def all_idle() -> bool:
            states = await other.fetch("SELECT state " + OURS)
            return len(states) == SIZE and {row["state"] for row in states} == {"idle"}

        await until(all_idle, what="all sessions are idle and none is in a transaction")


@pytest.mark.faults
async def test_an_exhausted_pool_says_so_in_time_to_every_function(stocked_dsn: Dsn) -> None:
    """Each public function raises PoolTimeout at its deadline, and none of them later than 50 ms after.

    A plain sleep beside them tells how late the machine is. All at once they keep each other waiting, so whoever was
    late is asked again among fewer.
    """
    limit = 0.4

    async def waited(call: Case) -> float:
        began = time.monotonic()
        with pytest.raises(PoolTimeout, match="all 1 connections"):
            await call(database)
        return time.monotonic() - began

    async def slept() -> float:
        began = time.monotonic()
        await asyncio.sleep(limit)
        return time.monotonic() - began

    async with Database(stocked_dsn, Settings(pool_min=1, pool_max=1, acquire_timeout=limit)) as database:
        async with database.transaction():
            late = dict.fromkeys(CALLS, 0.0)
            for size in (len(CALLS), 10, 3, 1, 1):
                names, late = list(late), {}
                for start in range(0, len(names), size):
                    group = names[start : start + size]
                    *took, usual = await asyncio.gather(*(waited(CALLS[name]) for name in group), slept())
                    assert min(took) >= limit - 0.001
                    late |= {name: one for name, one in zip(group, took, strict=True) if one > usual + 0.05}
        assert late == {}
        assert await row_count(database) == 3


@pytest.mark.parametrize("sqlstate", ["53300", "57P03", "EOF"])
async def test_a_server_that_refuses_at_first_is_asked_again(dsn: Dsn, sqlstate: str) -> None:
    """Until the caller's time is over; with pauses from one begin to the next, which are not the same for all."""

    async def pauses() -> list[float]:
        begins: list[float] = []

        class Noting(Database):
            async def _connect(self, limit: float) -> Session:
                begins.append(time.monotonic())
                return await super()._connect(limit)

        async with refusing_server(dsn, sqlstate, refusals=4) as (_, through):
            limits = Settings(pool_min=0, pool_max=2, connect_timeout=20, acquire_timeout=20)
            async with Noting(through, limits) as database:
                assert await row_count(database) == 3
        return [after - before for before, after in itertools.pairwise(begins)]

    async with asyncio.timeout(30):
        one, other = await asyncio.gather(pauses(), pauses())
    assert len(one) == len(other) == 4
    assert min(*one, *other) > 0.02
    assert one != pytest.approx(other, abs=0.001)


@pytest.mark.parametrize("sqlstate", ["53300", "57P03", "EOF"])
async def test_a_server_that_goes_on_refusing_is_named_without_the_password(dsn: Dsn, sqlstate: str) -> None:
    """At the caller's time limit, with where and why; after some attempts, not after hundreds."""
    async with refusing_server(dsn, sqlstate, refusals=10_000) as (server, through):
        secret = replace(through, password=Secret("hunter2-hunter2"))
        limits = Settings(pool_min=0, pool_max=4, connect_timeout=1, acquire_timeout=1)
        database = Database(secret, limits)
        began = time.monotonic()
        results = await asyncio.gather(*(get_all_exchanges(db=database) for _ in range(20)), return_exceptions=True)
        assert 0.8 < time.monotonic() - began < 1.9  # not one caller after the other
        await database.close()
        for error in results:
            assert isinstance(error, DatabaseUnavailable)
            assert str(through.hosts[0][1]) in str(error)
            assert "hunter2" not in str(error)
            if sqlstate != "EOF":
                assert error.sqlstate == sqlstate
                assert sqlstate in str(error)
        assert 2 <= len(server.moments) < 40


async def test_those_who_find_the_server_full_wait_for_a_connection_that_is_kept(dsn: Dsn) -> None:
    """The server lets two in: eighty reads all go through these two, and none of them fails."""
    async with connected(dsn) as other:
        name = f"limited_{dsn.database}"
        await other.execute(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT 2")
        try:
            await other.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
            await _read_eighty_times(dsn, name)
        finally:
            await other.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


async def _read_eighty_times(dsn: Dsn, role: str) -> None:
    limits = Settings(pool_min=2, pool_max=20, connect_timeout=20, acquire_timeout=20)
    async with Database(replace(dsn, user=role), limits) as database:
        results = await asyncio.gather(*(get_all_exchanges(db=database) for _ in range(80)), return_exceptions=True)
        assert [result for result in results if not isinstance(result, list)] == []


async def test_nothing_that_a_borrower_left_meets_the_next(dsn: Dsn) -> None:
    """Role, settings, a table, a lock, a cursor, a listener, a codec, a prepared statement, an open transaction."""
    limits = Settings(pool_min=1, pool_max=1)
    async with Database(dsn, limits) as database:
        before = await _session_of(database)
        for leave in (
            "SET ROLE pg_read_all_data",
            "SET search_path = pg_temp; SET statement_timeout = 12345; SET default_transaction_read_only = on",
            "CREATE TEMP TABLE exchanges (id int)",
            "SELECT pg_advisory_lock(42)",
            "DECLARE held CURSOR WITH HOLD FOR SELECT 1",
            "LISTEN somebody",
            "PREPARE left_behind AS SELECT 1",
        ):
            async with database.transaction() as transaction:
                await transaction.connection.execute(leave)
            assert await _session_of(database) == before, leave
        async with database.transaction() as transaction:
            await transaction.connection.set_type_codec(
                "text", schema="pg_catalog", encoder=str.upper, decoder=str.upper, format="text"
            )
        assert await _session_of(database) == before
        async with database.transaction() as transaction:
            await transaction.connection.add_listener("somebody", print)
        assert await _session_of(database) == before
        async with database.transaction() as transaction:
            # COMMIT ends the block's own transaction; what begins then is nobody's.
            await transaction.connection.execute("COMMIT; BEGIN")
        identity = await insert_exchange(an_exchange(), db=database)
        async with connected(dsn) as other:
            assert await other.fetchval("SELECT count(*) FROM exchanges WHERE id = $1", identity) == 1


async def _session_of(database: Database) -> tuple[object, ...]:
    """Return all that a session may be told by which the next borrower would see something else."""
    names = [each.name for each in await get_all_exchanges(db=database)]
    async with database.transaction() as transaction:
        connection = transaction.connection
        row = await connection.fetchrow(
            "SELECT current_user, current_setting('search_path'), current_setting('statement_timeout'), "
            "current_setting('default_transaction_read_only'), "
            "(SELECT count(*) FROM pg_class WHERE relpersistence = 't'), "
            "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), "
            "(SELECT count(*) FROM pg_cursors), (SELECT count(*) FROM pg_listening_channels()), "
            "(SELECT count(*) FROM pg_prepared_statements WHERE from_sql)"
        )
    assert isinstance(row, asyncpg.Record)
    return (names, *row.values())
