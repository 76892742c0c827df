"""What the seed document gets wrong and this code must not; its other flaws are tested beside the code they concern."""

import asyncio
import time
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from exchanges_db import (
    DatabaseError,
    ExchangeEnum,
    SchemaMismatch,
    ensure_exchanges_populated,
    get_exchange_by_id,
    get_exchange_stats,
    update_exchange,
)


async def statements(conn: asyncpg.Connection, action: Awaitable[object]) -> int:
    """How many statements a coroutine sends."""
    sent: list[object] = []
    conn.add_query_logger(sent.append)
    try:
        await action
        await asyncio.sleep(0)  # loggers are called in the loop's next round
    finally:
        conn.remove_query_logger(sent.append)
    return len(sent)


async def test_a_deactivated_exchange_stays_as_it_is(conn: asyncpg.Connection) -> None:
    """Populating compares with all rows, and writes nothing when none is missing."""
    await conn.execute("UPDATE exchanges SET is_active = false WHERE id = 1")
    before = await conn.fetch("SELECT * FROM exchanges ORDER BY id")
    assert await ensure_exchanges_populated(db=conn) == []
    assert await conn.fetch("SELECT * FROM exchanges ORDER BY id") == before


async def test_figures_come_from_one_statement_or_not_at_all(conn: asyncpg.Connection) -> None:
    """One statement is one moment; an error is raised."""
    assert await statements(conn, get_exchange_stats(db=conn)) == 1
    stats = await get_exchange_stats(db=conn)
    assert {"total_exchanges", "active_exchanges", "spot_exchanges", "futures_exchanges", "latest_update",
            "exchange_list"} <= stats.keys()  # fmt: skip
    await conn.execute("ALTER TABLE exchanges DROP COLUMN updated_at CASCADE")
    with pytest.raises(DatabaseError) as info:
        await get_exchange_stats(db=conn)
    assert isinstance(info.value, SchemaMismatch)


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process whose local time is far from UTC."""
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


async def test_the_database_stamps_the_time(conn: asyncpg.Connection, far_away: None) -> None:
    """Wherever the process thinks it is."""
    await update_exchange(1, {"display_name": "x"}, db=conn)
    exchange = await get_exchange_by_id(1, db=conn)
    assert exchange is not None
    assert abs(exchange.updated_at - datetime.now(UTC)) < timedelta(minutes=5)


async def plan(conn: asyncpg.Connection, condition: str) -> str:
    """How the planner looks rows up."""
    rows = await conn.fetch(f"EXPLAIN SELECT * FROM exchanges WHERE {condition}")
    return "\n".join(row[0] for row in rows)


async def test_only_indexes_that_the_planner_uses_are_kept(conn: asyncpg.Connection) -> None:
    """The seed's index on enum_value would double the UNIQUE one; each of the others is taken where it is selective."""
    names = "SELECT indexname FROM pg_indexes WHERE tablename = 'exchanges' AND schemaname = 'public'"
    ours = {row[0] for row in await conn.fetch(names)} - {"exchanges_pkey", "exchanges_name_key"}
    assert ours == {"exchanges_enum_value_key", "idx_exchanges_active", "idx_exchanges_market_type"}
    await conn.execute("""
        ALTER TABLE exchanges DISABLE TRIGGER USER;
        INSERT INTO exchanges (name, enum_value, display_name, market_type, is_active)
        SELECT n::text, n::text, 'x', CASE WHEN n % 200 = 0 THEN 'OPTIONS' ELSE 'SPOT' END, n % 200 = 1
        FROM generate_series(1, 2000) AS n;
        ANALYZE exchanges;
    """)
    assert "exchanges_enum_value_key" in await plan(conn, "enum_value = '77'")
    assert "idx_exchanges_active" in await plan(conn, "is_active")
    assert "idx_exchanges_market_type" in await plan(conn, "market_type = 'OPTIONS'")


def test_every_member_of_the_seed_is_ours() -> None:
    """Their names in its scripts lead to the same rows."""
    assert {member.name: member.value for member in ExchangeEnum} == {
        "MEXC": "MEXC_SPOT", "GATEIO": "GATEIO_SPOT", "GATEIO_FUTURES": "GATEIO_FUTURES"
    }  # fmt: skip
