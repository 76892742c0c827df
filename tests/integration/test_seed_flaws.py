"""What the seed document gets wrong, row by row: its own functions show the flaw, ours do not have it."""

import asyncio
import time
import warnings
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from types import ModuleType

import asyncpg
import pytest

from exchanges_db import (
    DatabaseError,
    Exchange,
    ExchangeEnum,
    SchemaMismatch,
    ensure_exchanges_populated,
    get_exchange_by_id,
    get_exchange_history,
    get_exchange_stats,
    update_exchange,
)
from tests.integration import seed_model, seed_operations

# The seed calls datetime.utcnow(), which Python 3.12 deprecates; that is one more of its flaws, not one of ours.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

INJECTION = "display_name = 'owned', is_active"


class Venue(Enum):
    """An exchange that nobody has defaults for."""

    KRAKEN = "KRAKEN_SPOT"


@pytest.fixture
async def seed(conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The seed's functions on the seed's table, which lies before ours in the search_path."""
    await conn.execute("CREATE SCHEMA seed; SET LOCAL search_path = seed, public")
    await conn.execute((Path(__file__).parent / "seed_migration.sql").read_text())
    monkeypatch.setattr(seed_operations, "manager", conn)
    return seed_operations


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


async def test_the_seed_takes_sql_for_a_column_name(conn: asyncpg.Connection, seed: ModuleType) -> None:
    """The name goes into the statement and changes another column."""
    assert await seed.update_exchange(1, {INJECTION: True})
    assert await conn.fetchval("SELECT display_name FROM seed.exchanges WHERE id = 1") == "owned"


async def test_a_column_name_is_no_sql(conn: asyncpg.Connection) -> None:
    """ValueError that names it; the row is as before."""
    before = await get_exchange_by_id(1, db=conn)
    with pytest.raises(ValueError, match="cannot update") as info:
        await update_exchange(1, {INJECTION: True}, db=conn)
    assert INJECTION in str(info.value)
    assert await get_exchange_by_id(1, db=conn) == before


async def test_the_seed_fails_on_a_deactivated_exchange(conn: asyncpg.Connection, seed: ModuleType) -> None:
    """It sees active rows only, inserts again, and breaks the UNIQUE constraint."""
    await conn.execute("UPDATE seed.exchanges SET is_active = false WHERE id = 1")
    with pytest.raises(asyncpg.UniqueViolationError):
        async with conn.transaction():
            await seed.ensure_exchanges_populated()


async def test_a_deactivated_exchange_stays_as_it_is(conn: asyncpg.Connection) -> None:
    """Populating compares with all rows, and writes nothing when none is missing."""
    await conn.execute("UPDATE exchanges SET is_active = false WHERE id = 1")
    before = await conn.fetch("SELECT * FROM exchanges ORDER BY id")
    assert await ensure_exchanges_populated(db=conn) == []
    assert await conn.fetch("SELECT * FROM exchanges ORDER BY id") == before


async def test_the_seed_hides_errors_of_its_figures(conn: asyncpg.Connection, seed: ModuleType) -> None:
    """No table, and the monitoring reads an empty answer; six statements when all is well."""
    assert await statements(conn, seed.get_exchange_stats()) == 6
    await conn.execute("ALTER TABLE seed.exchanges DROP COLUMN updated_at")
    assert await seed.get_exchange_stats() == {}


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


async def test_the_seed_stamps_another_hour(conn: asyncpg.Connection, seed: ModuleType, far_away: None) -> None:
    """utcnow() has no time zone, so it is taken as local time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        await seed.update_exchange(1, {"display_name": "x"})
    stamped = await conn.fetchval("SELECT updated_at FROM seed.exchanges WHERE id = 1")
    assert abs(stamped - datetime.now(UTC)) > timedelta(hours=10)


async def test_the_database_stamps_the_time(conn: asyncpg.Connection, far_away: None) -> None:
    """Wherever the process thinks it is."""
    await update_exchange(1, {"display_name": "x"}, db=conn)
    exchange = await get_exchange_by_id(1, db=conn)
    assert exchange is not None
    assert abs(exchange.updated_at - datetime.now(UTC)) < timedelta(minutes=5)


async def test_the_seed_reads_the_last_digit(conn: asyncpg.Connection, seed: ModuleType) -> None:
    """The answer `UPDATE 10` means no and `UPDATE 11` yes."""
    await conn.execute("ALTER TABLE seed.exchanges DROP CONSTRAINT exchanges_pkey")
    for copies, answer in ((10, False), (11, True)):
        await conn.execute("DELETE FROM seed.exchanges")
        await conn.execute(
            "INSERT INTO seed.exchanges (id, name, enum_value, display_name, market_type) OVERRIDING SYSTEM VALUE"
            " SELECT 5, n::text, n::text, 'x', 'SPOT' FROM generate_series(1, $1) AS n",
            copies,
        )
        assert await seed.update_exchange(5, {"display_name": "changed"}) is answer
        assert await conn.fetchval("SELECT count(*) FROM seed.exchanges WHERE display_name = 'changed'") == copies


async def test_the_row_itself_says_whether_it_was_updated(conn: asyncpg.Connection) -> None:
    """RETURNING: true for a row that is there, false for one that is not."""
    assert await update_exchange(1, {"display_name": "x"}, db=conn) is True
    assert await update_exchange(11, {"display_name": "x"}, db=conn) is False


def test_the_seed_blames_an_argument_for_an_unknown_enum() -> None:
    """A TypeError about a keyword that the caller has never heard of."""
    with pytest.raises(TypeError, match="display_name"):
        seed_model.Exchange.from_exchange_enum(Venue.KRAKEN)  # type: ignore[arg-type]


def test_an_unknown_enum_is_named() -> None:
    """And what to pass."""
    with pytest.raises(ValueError, match=r"Venue\.KRAKEN: pass display_name=\.\.\. and market_type=\.\.\."):
        Exchange.from_exchange_enum(Venue.KRAKEN)


def test_the_class_of_the_seed_cannot_be_defined() -> None:
    """It lacks kw_only: a field without default follows one with it. Ours takes keywords only."""
    source = Path(seed_model.__file__).read_text().replace(", kw_only=True", "")
    with pytest.raises(TypeError, match="Required field"):
        exec(compile(source, "seed", "exec"), {})
    with pytest.raises(TypeError, match="positional"):
        Exchange(1)  # type: ignore[call-arg]


async def plan(conn: asyncpg.Connection, condition: str) -> str:
    """How the planner looks rows up."""
    rows = await conn.fetch(f"EXPLAIN SELECT * FROM exchanges WHERE {condition}")
    return "\n".join(row[0] for row in rows)


async def test_only_indexes_that_the_planner_uses_are_kept(conn: asyncpg.Connection, seed: ModuleType) -> None:
    """The seed's index on enum_value doubles the UNIQUE one; each of the others is taken where it is selective."""
    del seed
    names = "SELECT indexname FROM pg_indexes WHERE tablename = 'exchanges' AND schemaname = $1"
    assert "idx_exchanges_enum_value" in [row[0] for row in await conn.fetch(names, "seed")]
    ours = {row[0] for row in await conn.fetch(names, "public")} - {"exchanges_pkey", "exchanges_name_key"}
    assert ours == {"exchanges_enum_value_key", "idx_exchanges_active", "idx_exchanges_market_type"}
    await conn.execute("SET LOCAL search_path = public")
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


async def test_the_trail_of_the_seed_is_one_time(conn: asyncpg.Connection, seed: ModuleType) -> None:
    """Who and what is nowhere; ours tells both."""
    await seed.deactivate_exchange(1)
    tables = await conn.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'seed'::regnamespace AND relkind = 'r'"
    )
    assert [row[0] for row in tables] == ["exchanges"]
    await update_exchange(1, {"is_active": False}, db=conn)
    change = (await get_exchange_history(1, db=conn))[-1]
    assert (change.operation, change.changed_columns) == ("UPDATE", ("is_active",))
    assert change.changed_by == await conn.fetchval("SELECT session_user::text")


def test_every_member_of_the_seed_is_ours() -> None:
    """Their names in its scripts lead to the same rows."""
    assert {member.name: member.value for member in ExchangeEnum} == {
        "MEXC": "MEXC_SPOT", "GATEIO": "GATEIO_SPOT", "GATEIO_FUTURES": "GATEIO_FUTURES"
    }  # fmt: skip
