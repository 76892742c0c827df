"""Look-ups of symbols by name read an index, through the views too, now and as of a time, of the history as well."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.validation.plans import (
    LookUp,
    indexes_used,
    ordinary_arguments,
    symbol_look_ups,
    tables_read_whole,
)
from exchanges_sql import symbol_history, symbols
from tests.factories import connected

BY_ID = symbol_history.GET_SYMBOL_ROW_BY_ID_AS_OF
VERSIONS = symbol_history.LIST_SYMBOL_VERSIONS
CHANGED = symbol_history.LIST_CHANGED_SYMBOL_ROWS
# Each index of the two tables, and a look-up that takes it: one that no plan takes is not worth its keep.
USED = {
    "idx_symbols_symbol": symbols.LIST_SYMBOLS_BY_NAME,
    "idx_symbols_native_symbol": symbols.GET_SYMBOL_BY_NATIVE,
    "symbols_pkey": BY_ID,
    "symbol_history_pkey": BY_ID,
    "idx_symbol_history_symbol": VERSIONS,
    "idx_symbol_history_native_symbol": VERSIONS,
    "idx_symbol_history_exchange": CHANGED,
    "idx_symbol_history_began": CHANGED,
}
# They keep a promise, whether anything is looked up by them or not.
CONSTRAINTS = {"symbols_live_native_symbol_key", "symbol_history_no_overlap"}
MANY = """
    INSERT INTO symbols
        (exchange_id, native_symbol, symbol, base, quote, kind, price_tick, quantity_step, status, sides, api_tradable)
    SELECT 1 + n % 3, 'C' || n || '_USDT', 'C' || n || '/USDT', 'C' || n, 'USDT', 'SPOT', 1, 1, 'TRADING', 'ALL', true
    FROM generate_series(1, 300) AS n
"""


@pytest.fixture
async def filled(dsn: Dsn) -> AsyncIterator[asyncpg.Connection]:
    """Symbols of three exchanges, each with three versions, some of them deleted."""
    async with connected(dsn) as conn:
        await conn.execute(MANY)
        for tick in (2, 3):
            await conn.execute("UPDATE symbols SET price_tick = $1", tick)
        await conn.execute("DELETE FROM symbols WHERE id % 10 = 0")
        await conn.execute("VACUUM ANALYZE symbols, symbol_history")
        yield conn


async def test_no_look_up_of_symbols_reads_a_table_from_end_to_end(filled: asyncpg.Connection) -> None:
    """Every statement that was generated, so that a new one cannot be forgotten; with plans for all arguments, too."""
    await filled.execute("SET enable_seqscan = off")
    for mode in ("force_custom_plan", "force_generic_plan"):
        await filled.execute(f"SET plan_cache_mode = {mode}")
        for name, statement in symbol_look_ups().items():
            # Without filters a list is of everything, which a plan for all arguments has to allow for.
            if mode == "force_custom_plan" or name not in ("LIST_SYMBOLS", "LIST_SYMBOL_ROWS_AS_OF"):
                assert await tables_read_whole(filled, statement) == set(), (name, mode)


async def test_each_index_is_taken_by_a_look_up(filled: asyncpg.Connection) -> None:
    """The planner is kept from reading whole tables, as it rightly does where they are small."""
    await filled.execute("SET enable_seqscan = off")
    for index, statement in USED.items():
        look_up = LookUp(index, statement, index)
        assert index in await indexes_used(filled, look_up, *await ordinary_arguments(filled, statement))


async def test_no_index_is_without_a_use(conn: asyncpg.Connection) -> None:
    """Each one makes imports slower."""
    rows = await conn.fetch("SELECT indexname FROM pg_indexes WHERE tablename IN ('symbols', 'symbol_history')")
    assert {row["indexname"] for row in rows} == USED.keys() | CONSTRAINTS
