"""The tools of the fault tests do what they say: the servers, the proxy, and the proof that nothing is left."""

import asyncio
import time
from dataclasses import replace

import asyncpg
import pytest

from exchanges_db import Database, Settings, get_all_exchanges
from exchanges_db.database.dsn import Dsn
from tests.factories import connected, row_count
from tests.fix_faults import nothing_left_on
from tests.servers import Server, until
from tests.toxic_proxy import ToxicProxy, Way, toxic_proxy

QUESTION = "SELECT repeat('x', 5000)"
BROKEN = (asyncpg.PostgresConnectionError, ConnectionError)


async def test_each_verb_of_the_proxy_does_what_it_says(dsn: Dsn) -> None:
    """Each is tried on a connection of its own, and after `heal` the next connection is fine."""
    async with toxic_proxy(dsn) as (proxy, through):
        async with connected(through) as connection:
            proxy.latency = 0.05
            began = time.monotonic()
            await connection.fetchval("SELECT 1")
            assert time.monotonic() - began >= 0.1  # there and back
        proxy.heal()
        async with connected(through) as connection:
            proxy.slices = 7
            assert len(await connection.fetchval(QUESTION)) == 5000
            proxy.slices, proxy.bandwidth = 0, 50_000
            began = time.monotonic()
            assert len(await connection.fetchval(QUESTION)) == 5000
            assert time.monotonic() - began >= 0.1
        proxy.heal()
        await _expect_error_after(proxy, through, "reset", BROKEN)
        await _expect_error_after(proxy, through, "close", BROKEN)
        await _expect_error_after(proxy, through, "silence", TimeoutError)
        assert await row_count_through(through) == 3


async def _expect_error_after(
    proxy: ToxicProxy, through: Dsn, how: str, error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    connection = await asyncpg.connect(**through.asyncpg_arguments())
    proxy.cut(1000, how)  # type: ignore[arg-type]  # one of the three
    with pytest.raises(error):
        await connection.fetchval(QUESTION, timeout=1 if how == "silence" else 10)
    assert not proxy.cut_is_due
    connection.terminate()
    proxy.heal()


async def row_count_through(dsn: Dsn) -> int:
    """How many exchanges a new connection counts."""
    async with connected(dsn) as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM exchanges")
    return count


@pytest.mark.parametrize("ways", [("forth",), ("back",), ("forth", "back")])
async def test_a_black_hole_may_have_one_direction(dsn: Dsn, ways: tuple[Way, ...]) -> None:
    """Where only the answer is lost, the statement is done; where the question is, it is not."""
    async with toxic_proxy(dsn) as (proxy, through), connected(dsn) as other:
        connection = await asyncpg.connect(**through.asyncpg_arguments())
        proxy.swallow(*ways)
        update = "UPDATE exchanges SET display_name = 'Changed' WHERE id = 1"
        updating = asyncio.create_task(connection.execute(update))

        async def changed() -> bool:
            return bool(await other.fetchval("SELECT display_name = 'Changed' FROM exchanges WHERE id = 1"))

        if "forth" not in ways:
            await until(changed, what="the statement is done")
        answered, _ = await asyncio.wait([updating], timeout=0.2)
        assert not answered
        assert await changed() is ("forth" not in ways)
        updating.cancel()
        connection.terminate()
        await asyncio.wait([updating])


async def test_forgotten_flows_are_dead_and_new_ones_are_fine(dsn: Dsn) -> None:
    async with toxic_proxy(dsn) as (proxy, through), connected(through) as new:
        old = await asyncpg.connect(**through.asyncpg_arguments())
        await new.close()
        proxy.forget()
        with pytest.raises(TimeoutError):
            await old.fetchval("SELECT 1", timeout=0.2)
        old.terminate()
        assert await row_count_through(through) == 3


async def test_a_port_that_refuses_listens_again(dsn: Dsn) -> None:
    """Under the same number; and one that is mute takes connections and says nothing."""
    async with toxic_proxy(dsn) as (proxy, through):
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await row_count_through(through)
        await proxy.listen()
        assert await row_count_through(through) == 3
        proxy.mute = True
        with pytest.raises(TimeoutError):
            await asyncpg.connect(**through.asyncpg_arguments(), timeout=0.2)
        proxy.heal()
        assert await row_count_through(through) == 3


async def test_a_half_closed_connection_ends(dsn: Dsn) -> None:
    """The server sees that the client will say nothing more, and takes its leave."""
    async with toxic_proxy(dsn) as (proxy, through), connected(dsn) as other:
        connection = await asyncpg.connect(**through.asyncpg_arguments())
        pid = connection.get_server_pid()
        proxy.half_close("forth")

        async def gone() -> bool:
            return not await other.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid)

        await until(gone, what="the session has ended")
        connection.terminate()


async def test_a_session_or_a_lock_that_is_left_is_found(dsn: Dsn) -> None:
    """Else the proof that nothing is left proves nothing."""
    async with Database(dsn, Settings(pool_min=1)) as database:
        assert await row_count(database) == 3
        with pytest.raises(pytest.fail.Exception, match="connections are gone"):
            await nothing_left_on(dsn, within=0.1)
    await nothing_left_on(dsn)
    async with connected(dsn) as connection:
        await connection.execute("SELECT pg_advisory_lock(1)")
        with pytest.raises(pytest.fail.Exception, match="locks are free"):
            await nothing_left_on(dsn, within=0.5)


@pytest.mark.faults
async def test_a_primary_fails_over_and_comes_back_as_a_standby(primary: Server, standby: Server) -> None:
    """On each version: crash, promote, rewind, and the new standby shows what the new primary wrote."""
    await standby.catch_up(primary)
    await primary.crash()
    await standby.promote()
    await standby.query("UPDATE exchanges SET display_name = 'After' WHERE id = 1")
    await primary.rewind_to(standby)
    await primary.catch_up(standby)
    assert await primary.query("SELECT pg_is_in_recovery()")
    assert await primary.query("SELECT display_name FROM exchanges WHERE id = 1") == "After"


@pytest.mark.faults
async def test_tls_is_real(tls_primary: Server) -> None:
    """The library's connections are encrypted, and without TLS the server takes none."""
    async with Database(tls_primary.dsn) as database, database.transaction() as transaction:
        assert await get_all_exchanges(db=transaction)
        used = await transaction.connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert used is True
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncio.wait_for(row_count_through(replace(tls_primary.dsn, sslmode="disable")), 5)
