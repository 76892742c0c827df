"""A server whose sessions are ended, whose processes are killed, and that is restarted; on each PostgreSQL."""

import asyncio
import signal
import time

import asyncpg
import pytest

from exchanges_db import (
    Database,
    DatabaseUnavailable,
    OutcomeUnknown,
    Settings,
    get_all_exchanges,
    insert_exchange,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.session import Session
from tests.factories import an_exchange, connected, row_count
from tests.faults.counter import Load, raises_in_trail, read_counter
from tests.servers import Server, until

PIDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'exchanges_db' AND datname = current_database()"
END_ALL = "SELECT pg_terminate_backend(pid, 5000) FROM (" + PIDS + ") AS ours"
LIMITS = Settings(pool_min=2, pool_max=6, connect_timeout=2, acquire_timeout=5, command_timeout=5)


async def _end_all(other: asyncpg.Connection) -> int:
    return len(await other.fetch(END_ALL))


async def _end_settled(database: Database, other: asyncpg.Connection) -> int:
    """The same once the pool makes no connection.

    One that is ended before it was made is not a lost one. One that is made afterwards serves the next call, so that
    those that were ended stay in the pool.
    """

    async def settled() -> bool:
        before = database.stats()
        there = await other.fetchval(f"SELECT count(*) FROM ({PIDS}) AS ours")
        return before.opening == 0 and before == database.stats() and bool(before.open == there)

    await until(settled, what="the pool has all sessions that the server has, and makes none")
    return await _end_all(other)


@pytest.mark.parametrize("seconds", [0, 0.1])
async def test_ended_idle_sessions_are_not_noticed(dsn: Dsn, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's FATAL lies in every idle connection: reads are repeated, and writes too, as nothing was sent.

    Also where it takes so many seconds to make a connection.
    """
    connect = Database._connect

    async def slowly(database: Database, limit: float) -> Session:
        await asyncio.sleep(seconds)
        return await connect(database, limit)

    monkeypatch.setattr(Database, "_connect", slowly)
    async with Database(dsn, LIMITS) as database, connected(dsn) as other:
        ended = 0
        for _ in range(3):
            await asyncio.gather(*(row_count(database) for _ in range(12)))
            ended += await _end_settled(database, other)
            assert len(await get_all_exchanges(db=database)) == 3
            ended += await _end_settled(database, other)
            assert await update_exchange(1, {"display_name": "Written"}, db=database)
            ended += await _end_settled(database, other)
            async with database.transaction() as transaction:
                assert await update_exchange(1, {"display_name": "Again"}, db=transaction)
        stats = database.stats()
        assert ended >= 9
        assert stats.lost + stats.expired == ended
        assert stats.reconnects > 0
        assert stats.unknown_outcomes == 0


async def test_a_session_that_ends_in_a_transaction_ends_it_with_certainty(dsn: Dsn) -> None:
    """COMMIT was not sent: nothing was written, and that is said. It is not done again behind the caller's back."""
    async with Database(dsn, LIMITS) as database, connected(dsn) as other:
        for inside in (True, False):  # the loss is met by a statement, or by COMMIT itself
            with pytest.raises(DatabaseUnavailable) as info:  # noqa: PT012  # the fault comes inside the block
                async with database.transaction() as transaction:
                    assert await update_exchange(1, {"display_name": "Never"}, db=transaction)
                    assert await _end_all(other)
                    if inside:
                        await get_all_exchanges(db=transaction)
            assert not isinstance(info.value, OutcomeUnknown)
        assert await other.fetchval("SELECT count(*) FROM exchanges WHERE display_name = 'Never'") == 0
        assert await row_count(database) == 3


async def test_a_write_whose_session_ends_under_way_is_not_repeated(dsn: Dsn) -> None:
    """It waits for a lock when its session is ended; it would succeed a second time, and nobody may try."""
    async with Database(dsn, LIMITS) as database, connected(dsn) as other:
        await row_count(database)
        async with other.transaction():
            await other.execute("LOCK TABLE exchanges IN SHARE MODE")
            write = asyncio.create_task(insert_exchange(an_exchange(name="TEST_ONCE"), db=database))

            async def waits() -> object:
                return await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")

            await until(waits, what="the write waits")
            assert await _end_all(other)
            with pytest.raises(OutcomeUnknown):
                await write
        assert database.stats().unknown_outcomes == 1
        assert await other.fetchval("SELECT count(*) FROM exchanges WHERE name = 'TEST_ONCE'") == 0


@pytest.mark.faults
@pytest.mark.parametrize("fault", ["fast", "immediate", "kill", "terminate", "stop"])
async def test_a_load_lives_through(primary: Server, fault: str) -> None:
    """Nothing is lost, doubled or read wrong, and within two seconds after the server lets somebody in all goes on."""
    limits = Settings(pool_min=2, pool_max=6, connect_timeout=1, acquire_timeout=3, command_timeout=1)
    async with Database(primary.dsn, limits) as database:
        before, entries = await read_counter(database), await raises_in_trail(database)
        load = Load(database)
        await load.answered("write")
        await _do(fault, primary)
        accepted = time.monotonic()
        async with asyncio.timeout(10):
            await asyncio.gather(load.answered("write", 1), load.answered("read", 1))
        recovered = time.monotonic() - accepted
        await load.answered("write")
        await load.end()
        after = await read_counter(database)
        assert await raises_in_trail(database) - entries == after - before
    assert load.history.faults_in_counter(before, after) == []
    assert load.history.faults_in_reads(before) == []
    assert recovered <= 2


async def _do(fault: str, server: Server) -> None:
    """Do it, and return when the server lets somebody in."""
    match fault:
        case "fast" | "immediate":
            await server.restart(fault)
        case "kill":  # the server ends all other sessions, too, and recovers
            started = await server.query("SELECT pg_postmaster_start_time()")
            server.send_backend(await server.query(PIDS + " LIMIT 1"), signal.SIGKILL)
            await until(server.answers, what="the server has recovered")
            assert await server.query("SELECT pg_postmaster_start_time()") == started
        case "terminate":
            await server.query("SELECT count(pg_terminate_backend(pid)) FROM (" + PIDS + ") AS ours")
        case "stop":  # one session falls silent, for longer than the limit of a command
            pid = await server.query(PIDS + " LIMIT 1")
            server.send_backend(pid, signal.SIGSTOP)
            await asyncio.sleep(1.2)  # the fault itself, not a condition
            server.send_backend(pid, signal.SIGCONT)
