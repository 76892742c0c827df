"""What is old can be deleted of ledger and histories: by their owner, recorded, and no answer becomes wrong by it."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from exchanges_db import (
    AccessDenied,
    Database,
    HistoryPruned,
    InvalidArgument,
    Symbol,
    diff_symbols,
    get_exchange_as_of,
    get_symbol_as_of,
    get_symbol_history,
    list_prunes,
    list_symbols_as_of,
    prune_history,
    validate_exchanges,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.symbols import pruning
from tests.factories import connected
from tests.payload_rows import SPOT

# A past in steps, each a transaction of its own: versions of a symbol, one that goes, a hold, a doubt, an import.
STEPS = (
    "UPDATE symbols SET min_quantity = 1 WHERE id = 1",
    "UPDATE exchanges SET display_name = 'a' WHERE id = 2",
    "INSERT INTO holds (exchange_id, native_symbol, sides, reason) VALUES (2, 'BTC_USDT', 'ALL', 'why')",
    "INSERT INTO symbol_doubts (symbol_id, brake, reason, since) VALUES (1, 'JUMP', 'why', now())",
    "UPDATE symbols SET min_quantity = 2 WHERE id = 1",
    "UPDATE holds SET sides = 'BUY'",
    "UPDATE symbol_doubts SET ended_at = now()",
    "INSERT INTO symbol_imports (exchange_id, exchange, outcome, began_at) VALUES (2, 'GATEIO_SPOT', 'REFUSED', now())",
    "DELETE FROM symbols WHERE id = 2",
    "UPDATE exchanges SET display_name = 'b' WHERE id = 2",
    "UPDATE symbols SET min_quantity = 3 WHERE id = 1",
)


@pytest.fixture
async def moments(stocked_dsn: Dsn) -> list[datetime]:
    """Times between the steps of a past, the first of before them."""
    async with connected(stocked_dsn) as owner:
        times = [await owner.fetchval("SELECT clock_timestamp()")]
        for step in STEPS:
            await owner.execute(step)
            times.append(await owner.fetchval("SELECT clock_timestamp()"))
    return times


@pytest.fixture
async def database(stocked_dsn: Dsn) -> AsyncIterator[Database]:
    """The database of that past."""
    async with Database(stocked_dsn) as database:
        yield database


async def answers(database: Database, at: datetime) -> tuple[Any, ...]:
    """What is asked about the past: of one symbol, of all, of an exchange, and what changed since."""
    one: Symbol | None = await get_symbol_as_of(SPOT, "ETH/USDT", at, db=database)
    return (
        one,
        await list_symbols_as_of(None, at, tradable=None, db=database),
        await get_exchange_as_of(2, at, db=database),
        await diff_symbols(SPOT, at, at + timedelta(days=1), db=database),
    )


async def test_answers_about_later_times_are_the_same(database: Database, moments: list[datetime]) -> None:
    """Wherever the past is cut: at that time, and at each later one."""
    before = [await answers(database, at) for at in moments]
    for cut, at in enumerate(moments):
        await prune_history(at, db=database)
        assert [await answers(database, later) for later in moments[cut:]] == before[cut:]


async def test_what_was_before_is_not_said_to_have_been_nothing(database: Database, moments: list[datetime]) -> None:
    """Each question about a time that was pruned says so; one that still has its answer gives it."""
    early, cut = moments[0], moments[-1]
    await prune_history(cut, db=database)
    for question in (
        get_symbol_as_of(SPOT, "ETH/USDT", early, db=database),
        list_symbols_as_of(SPOT, early, db=database),
        list_symbols_as_of(None, early, db=database),
        diff_symbols(SPOT, early, db=database),
    ):
        with pytest.raises(HistoryPruned, match="symbol_history was pruned up to") as refused:
            await question
        assert refused.value.before == cut
    with pytest.raises(HistoryPruned, match="exchange_history was pruned up to"):
        await get_exchange_as_of(2, early, db=database)
    assert [version.spec_version for version in await get_symbol_history(SPOT, "BTC/USDT", db=database)] == [4]


async def test_a_symbol_that_held_then_and_now_is_still_found(database: Database, moments: list[datetime]) -> None:
    """What is known is answered, also about a time before the prune."""
    await prune_history(moments[-1], db=database)
    found = await get_symbol_as_of("GATEIO_FUTURES", "BTC/USDT:USDT", moments[0], db=database)
    assert found is not None


async def test_a_prune_says_what_it_deletes_and_is_recorded(database: Database, moments: list[datetime]) -> None:
    """A dry run counts the same and deletes nothing; the record says up to when, how many, and by whom."""
    earlier = await list_prunes(db=database)
    would = await prune_history(moments[-1], dry_run=True, db=database)
    assert await list_prunes(db=database) == earlier
    told: list[tuple[int, int]] = []
    did = await prune_history(moments[-1], on_progress=lambda done, total: told.append((done, total)), db=database)
    assert (would.dry_run, did.dry_run, would.rows) == (True, False, did.rows)
    assert all(did.rows.values()), did.rows
    assert told[-1] == (sum(did.rows.values()),) * 2
    recorded = [one for one in await list_prunes(db=database) if one not in earlier]
    assert {one.pruned_table: one.pruned_rows for one in recorded} == did.rows
    assert {one.before for one in recorded} == {moments[-1]}
    assert {one.application_name for one in recorded} == {"exchanges_db"}
    assert await prune_history(moments[-1], db=database) == replace_rows(did)


def replace_rows(report: pruning.PruneReport) -> pruning.PruneReport:
    """The same report, of a prune that found nothing more."""
    return pruning.PruneReport(before=report.before, dry_run=False, rows=dict.fromkeys(report.rows, 0))


async def test_small_batches_delete_the_same(
    database: Database, moments: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And they are one row of the list of prunes."""
    monkeypatch.setattr(pruning, "_ROWS_PER_STATEMENT", 1)
    would = await prune_history(moments[-1], dry_run=True, db=database)
    assert (await prune_history(moments[-1], db=database)).rows == would.rows
    recorded = [one for one in await list_prunes(db=database) if one.before == moments[-1]]
    assert {one.pruned_table: one.pruned_rows for one in recorded} == would.rows


async def test_a_prune_that_was_interrupted_leaves_no_hole(
    database: Database, moments: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oldest rows go first: after any number of batches, validate finds histories whole."""
    monkeypatch.setattr(pruning, "_ROWS_PER_STATEMENT", 1)

    class Enough(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise Enough

    for _ in range(7):
        with pytest.raises(Enough):
            await prune_history(moments[-1], on_progress=stop, db=database)
        report = await validate_exchanges(db=database, lookups=1, target_ms=1000)
        assert {check.name: check.detail for check in report.checks if not check.passed} == {}


async def test_a_pruned_database_is_healthy(database: Database, moments: list[datetime]) -> None:
    """What was deleted on purpose is no damage."""
    await prune_history(moments[-2], db=database)
    report = await validate_exchanges(db=database, lookups=1, target_ms=1000)
    assert {check.name: check.detail for check in report.checks if not check.passed} == {}


async def test_a_callers_transaction_decides(database: Database, moments: list[datetime]) -> None:
    """What it rolls back was not pruned, nor is a DELETE let through after the prune."""
    async with database.transaction() as transaction:
        assert (await prune_history(moments[-1], db=transaction)).rows["symbol_history"]
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            async with transaction.connection.transaction():
                await transaction.connection.execute("DELETE FROM symbol_imports")
        transaction.discard()
    assert (await prune_history(moments[-1], dry_run=True, db=database)).rows["symbol_history"]


async def test_only_the_owner_may_prune(stocked_dsn: Dsn, moments: list[datetime]) -> None:
    """Whatever rights another role has; the error names who may, and who asked."""
    role = f"exchanges_db_pruner_{os.getpid()}"
    async with connected(stocked_dsn) as owner:
        await owner.execute(f"CREATE ROLE {role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    try:
        async with Database(replace(stocked_dsn, settings={"role": role})) as database:
            with pytest.raises(AccessDenied, match=f"only .*, the owner of the histories, .* and this is {role}"):
                await prune_history(moments[-1], db=database)
            assert (await prune_history(moments[-1], dry_run=True, db=database)).rows["symbol_history"]
        async with connected(stocked_dsn) as other:
            await other.execute(f"SET ROLE {role}; SET exchanges_db.prune_before = '2026-01-01'")
            for table in ("symbol_history", "exchange_history", "hold_history", "symbol_imports"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                    await other.execute(f"DELETE FROM {table}")
    finally:
        async with connected(stocked_dsn) as owner:
            await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_nothing_of_the_future_is_old(database: Database) -> None:
    """A slip in the year would delete everything."""
    with pytest.raises(InvalidArgument, match="lies ahead") as refused:
        await prune_history(datetime.now(UTC) + timedelta(days=1), db=database)
    assert refused.value.field == "before"
