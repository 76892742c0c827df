"""Many at once: nothing is lost, nothing is doubled, nobody deadlocks."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import asyncpg
import pytest

from exchanges_db import (
    Conflict,
    Database,
    DuplicateExchange,
    ExchangeEnum,
    Settings,
    ensure_exchanges_populated,
    get_all_exchanges,
    get_exchange_by_id,
    get_exchange_history,
    insert_exchange,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn
from tests.factories import an_exchange, connected, row_count
from tests.fix_server import ROOT, url_of

TASKS, EDITS, PROCESSES = 16, 20, 50
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
SEQUENCE = "SELECT last_value FROM exchanges_id_seq"


async def add_one(database: Database) -> None:
    """Read, add one and write, again and again until nobody came between."""
    while True:
        exchange = await get_exchange_by_id(1, db=database)
        assert exchange is not None
        assert exchange.rate_limit_requests_per_second is not None
        try:
            await update_exchange(
                1,
                {"rate_limit_requests_per_second": exchange.rate_limit_requests_per_second + 1},
                if_version=exchange.version,
                db=database,
            )
        except Conflict:
            continue
        return


async def test_edits_with_if_version_lose_nothing(dsn: Dsn) -> None:
    """Sixteen tasks add one twenty times each: the sum is exact, and the trail has an entry for each."""

    async def edit() -> None:
        for _ in range(EDITS):
            await add_one(database)

    async with Database(dsn, Settings(pool_max=8)) as database:
        before, trail = await get_exchange_by_id(1, db=database), await get_exchange_history(1, db=database)
        await asyncio.gather(*(edit() for _ in range(TASKS)))
        exchange = await get_exchange_by_id(1, db=database)
        assert before is not None
        assert exchange is not None
        assert before.rate_limit_requests_per_second is not None
        assert exchange.rate_limit_requests_per_second == before.rate_limit_requests_per_second + TASKS * EDITS
        assert exchange.version == before.version + TASKS * EDITS
        assert len(await get_exchange_history(1, db=database)) == len(trail) + TASKS * EDITS


async def test_edits_that_are_not_repeated_win_or_conflict(dsn: Dsn) -> None:
    """Sixteen tasks of twenty edits, each tried once: the trail has an entry per winner, and every loser was told."""
    results: list[bool | BaseException] = []

    async def edit(number: int) -> None:
        for step in range(EDITS):
            exchange = await get_exchange_by_id(1, db=database)
            assert exchange is not None
            change = update_exchange(1, {"display_name": f"{number} {step}"}, if_version=exchange.version, db=database)
            results.extend(await asyncio.gather(change, return_exceptions=True))

    async with Database(dsn, Settings(pool_max=8)) as database:
        before, trail = await get_exchange_by_id(1, db=database), await get_exchange_history(1, db=database)
        await asyncio.gather(*(edit(number) for number in range(TASKS)))
        after, entries = await get_exchange_by_id(1, db=database), await get_exchange_history(1, db=database)
    won = results.count(True)
    lost = sum(isinstance(result, Conflict) for result in results)
    assert won + lost == TASKS * EDITS
    assert won >= EDITS
    assert lost > 0
    assert before is not None
    assert after is not None
    assert after.version - before.version == len(entries) - len(trail) == won


async def test_an_edit_that_waits_for_a_deletion_is_told_that_the_row_is_gone(database: Database, dsn: Dsn) -> None:
    """It saw the row, and another transaction was deleting it: there is nothing to read again."""
    before = await get_exchange_by_id(1, db=database)
    assert before is not None
    async with connected(dsn) as other:
        async with other.transaction():
            await other.execute("DELETE FROM exchanges WHERE id = 1")
            edit = asyncio.create_task(
                update_exchange(1, {"display_name": "x"}, if_version=before.version, db=database)
            )
            async with asyncio.timeout(30):
                while not await other.fetchval(WAITING):
                    await asyncio.sleep(0.01)
        assert await edit is False


async def test_of_those_who_read_the_same_version_one_wins(database: Database) -> None:
    """Every other gets Conflict, and nothing of it is written: neither the row nor an entry of the trail."""
    before, trail = await get_exchange_by_id(1, db=database), await get_exchange_history(1, db=database)
    assert before is not None
    edits = [
        update_exchange(1, {"display_name": f"Name {n}"}, if_version=before.version, db=database) for n in range(TASKS)
    ]
    results = await asyncio.gather(*edits, return_exceptions=True)
    assert sorted(map(str, map(type, results))) == sorted([str(bool)] + [str(Conflict)] * (TASKS - 1))
    exchange = await get_exchange_by_id(1, db=database)
    assert exchange is not None
    assert exchange.version == before.version + 1
    assert exchange.display_name == f"Name {results.index(True)}"
    assert len(await get_exchange_history(1, db=database)) == len(trail) + 1


async def test_an_edit_of_a_deleted_row_is_no_conflict(database: Database, dsn: Dsn) -> None:
    """It is gone, which is another answer."""
    async with connected(dsn) as other:
        await other.execute("DELETE FROM exchanges WHERE id = 1")
    assert await update_exchange(1, {"display_name": "x"}, if_version=1, db=database) is False


async def test_the_same_exchange_inserted_at_once_is_there_once(database: Database) -> None:
    """One id, and DuplicateExchange for everybody else."""
    exchange = an_exchange()
    results = await asyncio.gather(*(insert_exchange(exchange, db=database) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, int) for result in results) == 1
    assert sum(isinstance(result, DuplicateExchange) for result in results) == 7


async def test_a_deadlock_is_a_conflict(database: Database) -> None:
    """Two transactions lock the same two rows in opposite order: one is told to retry, the other goes through."""
    first_done = asyncio.Barrier(2)

    async def cross(one: int, two: int) -> None:
        async with database.transaction() as transaction:
            await update_exchange(one, {"display_name": f"From {one}"}, db=transaction)
            await first_done.wait()
            await update_exchange(two, {"display_name": f"From {one}"}, db=transaction)

    results = await asyncio.gather(cross(1, 2), cross(2, 1), return_exceptions=True)
    assert {type(result) for result in results} == {type(None), Conflict}
    (loser,) = [result for result in results if isinstance(result, Conflict)]
    assert loser.sqlstate == "40P01"


async def test_a_serialization_failure_is_a_conflict(database: Database) -> None:
    """A snapshot that has been overtaken: retry."""
    with pytest.raises(Conflict) as info:  # noqa: PT012  # the other change comes between two statements
        async with database.transaction(isolation="repeatable_read") as transaction:
            assert await get_exchange_by_id(1, db=transaction)
            await update_exchange(1, {"display_name": "Faster"}, db=database)
            await update_exchange(1, {"display_name": "Slower"}, db=transaction)
    assert info.value.sqlstate == "40001"


async def test_fifty_processes_that_populate_at_once_do_it_once(dsn: Dsn, tmp_path: Path) -> None:
    """No error, every member once, the deactivated one as it was; and a second run writes nothing at all.

    Another had created the rows and not committed, and is killed once they wait for it: its rows are not there.
    """
    async with connected(dsn) as other:
        await other.execute("DELETE FROM exchanges WHERE enum_value <> 'GATEIO_SPOT'")
        await other.execute("UPDATE exchanges SET is_active = false")
        kept = await other.fetchrow("SELECT * FROM exchanges")
        program = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(__file__).parent / "ensure_populated.py"), url_of(dsn), str(PROCESSES),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert program.stdout is not None
        async with asyncio.timeout(180):
            victim = int(await program.stdout.readline())
            # A transaction that waits for another's row waits for its end.
            while await other.fetchval(WAITING) < PROCESSES / 5:
                await asyncio.sleep(0.01)
            os.kill(victim, signal.SIGKILL)
            stdout, stderr = await program.communicate()
        assert (program.returncode, stderr) == (0, b"")
        *created, seconds = stdout.split()
        assert len(created) == PROCESSES
        assert sum(map(int, created)) == 2
        assert float(seconds) < 10  # far from what a lock that nobody gives back takes

        rows = await other.fetch("SELECT * FROM exchanges ORDER BY enum_value")
        assert [row["enum_value"] for row in rows] == sorted(member.value for member in ExchangeEnum)
        assert kept in rows
        before = await other.fetchval(SEQUENCE), await other.fetchval("SELECT count(*) FROM exchange_history")
        assert await ensure_exchanges_populated(db=other) == []
        assert (await other.fetchval(SEQUENCE), await other.fetchval("SELECT count(*) FROM exchange_history")) == before


async def test_populating_what_is_complete_is_a_read(database: Database) -> None:
    """It can be done on a server that takes no writes, by every start of every program."""
    async with database.transaction(readonly=True) as transaction:
        assert await ensure_exchanges_populated(db=transaction) == []


async def test_a_name_that_another_row_holds_is_said(conn: asyncpg.Connection) -> None:
    """Populating cannot create that member, says which, and creates no other, as the error promises."""
    await conn.execute("DELETE FROM exchanges WHERE id IN (1, 2)")
    await insert_exchange(an_exchange(name="MEXC_SPOT"), db=conn)
    with pytest.raises(DuplicateExchange, match="cannot create MEXC_SPOT") as info:
        await ensure_exchanges_populated(db=conn)
    assert info.value.constraint == "exchanges_name_key"
    assert "GATEIO_SPOT" not in [exchange.name for exchange in await get_all_exchanges(db=conn)]


async def test_another_process_that_was_faster_is_no_error(database: Database, dsn: Dsn) -> None:
    """It inserts what is missing between our look and our insert: nothing is left to create, and that is fine."""
    async with connected(dsn) as other:
        await other.execute("DELETE FROM exchanges WHERE id = 1")
        async with asyncio.timeout(30), other.transaction():
            await ensure_exchanges_populated(db=other)
            slower = asyncio.create_task(ensure_exchanges_populated(db=database))
            while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
        assert await slower == []
    assert await row_count(database) == 3
