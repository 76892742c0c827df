"""PgBouncer in transaction mode in between: each transaction may run in another session, which others used before."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import asyncpg.connection
import pytest

from exchanges_db import (
    Database,
    DatabaseError,
    ImportOutcome,
    Settings,
    get_exchange_by_enum,
    get_exchange_by_id,
    get_exchanges_by_market_type,
    get_symbol,
    import_symbols,
    list_imports,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn
from tests.factories import connected
from tests.payload_rows import FUTURES, SPOT, allowed, many, payload
from tests.pgbouncer import needs_pgbouncer, pgbouncer

pytestmark = needs_pgbouncer
CALLS = 300
IMPORTS = 15  # of each list
LISTINGS = {SPOT: "SPOT", FUTURES: "PERPETUAL:USDT"}
MAXIMUM = ("max_quote_amount", "order_size_max")  # the field of each that changes


@pytest.fixture
def pooled(dsn: Dsn) -> Iterator[Dsn]:
    """A database of one's own, through a pooler that keeps two sessions for all its clients."""
    with pgbouncer(dsn) as through:
        yield through


@asynccontextmanager
async def two_clients(pooled: Dsn, settings: Settings) -> AsyncIterator[tuple[Database, Database]]:
    """Two Databases that name their prepared statements as two processes do: both begin with the same number."""
    async with Database(pooled, settings) as first, Database(pooled, settings) as second:
        names: Any = asyncpg.connection
        number = names._uid
        await get_exchanges_by_market_type("SPOT", db=first)
        names._uid = number
        # The first has the session that the second would get, so that each prepares in another one.
        async with first.transaction() as tx:
            await tx.connection.execute("SELECT 1")
            await get_exchange_by_enum(SPOT, db=second)
        yield first, second


async def one_call(number: int, database: Database) -> str:
    """Make the call of that number, and return which kind it was."""
    if number % 10 < 2:
        assert await update_exchange(1, {"rate_limit_requests_per_second": number + 1}, db=database)
        return "write"
    if number % 10 == 2:
        async with database.transaction() as tx:
            assert await update_exchange(3, {"display_name": f"{number}"}, db=tx)
            after = await get_exchange_by_id(3, db=tx)
            assert after is not None
            assert after.display_name == f"{number}"
        return "transaction"
    if number % 10 == 3:
        assert {one.market_type for one in await get_exchanges_by_market_type("SPOT", db=database)} == {"SPOT"}
        await get_symbol(SPOT, "C1/USDT", db=database)
        return "list"
    found = await get_exchange_by_enum(SPOT, db=database)
    assert found is not None
    assert found.enum_value == SPOT
    return "look-up"


async def versions(database: Database) -> tuple[int, int]:
    """Return how often the two exchanges that are written were written."""
    first, third = [await get_exchange_by_id(number, db=database) for number in (1, 3)]
    assert first is not None
    assert third is not None
    return first.version, third.version


async def import_often(exchange: str, field: str, database: Database) -> None:
    """Import lists of five symbols, each of which has another maximum than the last."""
    for number in range(IMPORTS):
        data = payload(exchange, [row | {field: f"{5_000_000 + number}"} for row in many(exchange, 5)])
        report = await import_symbols(exchange, data, listing=LISTINGS[exchange], allow=allowed(data), db=database)
        assert len(report.changes) == 5


async def test_mixed_calls_of_many_tasks_all_succeed_and_are_kept(pooled: Dsn, dsn: Dsn) -> None:
    async with two_clients(pooled, Settings(pooler="transaction", pool_max=4)) as clients:
        before = await versions(clients[0])
        numbers = iter(range(CALLS - 2 * IMPORTS))
        done: Counter[str] = Counter()

        async def call_often(database: Database) -> None:
            for number in numbers:
                done[await one_call(number, database)] += 1

        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            for database, exchange, field in zip(clients, LISTINGS, MAXIMUM, strict=True):
                tasks.create_task(import_often(exchange, field, database))
                for _ in range(3):
                    tasks.create_task(call_often(database))
    assert sum(done.values()) == CALLS - 2 * IMPORTS
    async with Database(dsn) as direct:
        assert await versions(direct) == (before[0] + done["write"], before[1] + done["transaction"])
        for exchange in LISTINGS:
            imports = await list_imports(exchange, limit=CALLS, db=direct)
            assert [one.outcome for one in imports] == [ImportOutcome.APPLIED] * IMPORTS


async def test_without_the_switch_error_or_log_names_it_and_no_answer_is_another_querys(
    pooled: Dsn, caplog: pytest.LogCaptureFixture
) -> None:
    """Two processes that name their statements alike would run each other's, and get an empty list for an answer.

    A read whose statement is gone is sent again, so that it may fail in the log alone.
    """
    errors = []

    async def ask(database: Database, other: Database) -> None:
        """Ask while the other keeps one of the two sessions."""
        async with other.transaction() as tx:
            await tx.connection.execute("SELECT 1")
            assert len(await get_exchanges_by_market_type("SPOT", db=database)) == 2
            found = await get_exchange_by_enum(SPOT, db=database)
            assert found is not None
            assert found.enum_value == SPOT

    async with two_clients(pooled, Settings(pool_max=1)) as (first, second):
        for turn in range(20):
            try:
                await (ask(first, second) if turn % 2 else ask(second, first))
            except DatabaseError as exc:
                errors.append(str(exc))
    advice = "the pooler lost a prepared statement: set EXCHANGES_DB_POOLER=transaction (SQLSTATE 26000)"
    assert set(errors) <= {advice}
    assert any(advice in text for text in (*errors, *caplog.messages))


LEFT_BEHIND = """
SELECT current_setting('search_path') AS search_path, current_user = session_user AS own_role,
    (SELECT count(*) FROM pg_class WHERE relname = 'left_behind') AS tables,
    (SELECT count(*) FROM pg_prepared_statements WHERE from_sql) AS statements,
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks,
    (SELECT count(*) FROM pg_cursors WHERE is_holdable) AS cursors,
    (SELECT count(*) FROM pg_listening_channels()) AS channels
"""
LEAVE = """
CREATE TEMP TABLE left_behind (); PREPARE left_behind AS SELECT 1; SELECT pg_advisory_lock(42);
DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1; LISTEN left_behind; SET search_path = nowhere; SET ROLE pg_monitor
"""


class Failed(Exception):
    """What a block of the user's raises."""


async def fail() -> None:
    """Raise it."""
    raise Failed


async def left_behind(connection: asyncpg.Connection) -> dict[str, object]:
    """Return what there is in the session that a client gets."""
    return dict(await connection.fetchrow(LEFT_BEHIND) or ())


@pytest.mark.parametrize("end", ["commit", "discard", "exception", "failed statement", "caught statement"])
async def test_a_waiting_client_sees_nothing_of_the_session_before_it(dsn: Dsn, end: str) -> None:
    """The pooler hands the session over with the answer to COMMIT or ROLLBACK: what is reset later is too late."""
    settings = Settings(pooler="transaction", pool_max=1)
    with pgbouncer(dsn, sessions=1) as pooled:
        async with Database(pooled, settings) as database, connected(pooled, statement_cache_size=0) as other:
            clean = await left_behind(other)

            async def leave() -> None:
                async with database.transaction() as tx:
                    await tx.connection.execute(LEAVE)
                    waiting.append(asyncio.create_task(left_behind(other)))
                    for _ in range(3):  # meanwhile the question of the other reaches the pooler
                        await tx.connection.execute("SELECT 1")
                    assert not waiting[0].done()
                    if end == "discard":
                        tx.discard()
                    elif end == "exception":
                        await fail()
                    elif end == "failed statement":
                        await tx.connection.execute("SELECT 1 / 0")
                    elif end == "caught statement":
                        with pytest.raises(asyncpg.DivisionByZeroError):
                            await tx.connection.execute("SELECT 1 / 0")

            waiting: list[asyncio.Task[dict[str, object]]] = []
            try:
                await leave()
            except (Failed, DatabaseError):
                assert end in ("exception", "failed statement", "caught statement")
            async with asyncio.timeout(10):
                assert await waiting[0] == clean
            # And neither does the next who gets the session.
            assert await left_behind(other) == clean
            assert await get_exchange_by_id(1, db=database)
