"""Look-ups of symbols by name read an index, through the views too, now and as of a time, of the history as well."""

from datetime import UTC, datetime

import asyncpg
import pytest

from exchanges_db.validation.plans import LookUp, indexes_used
from exchanges_sql import symbol_history, symbols
from tests.symbol_rows import insert

NOW = datetime.now(UTC)
BY_NAME = ("MEXC_SPOT", "C7/USDT")
AS_OF = symbol_history.LIST_SYMBOL_ROWS_BY_NAME_AS_OF
LOOK_UPS = {
    LookUp("get_symbol", symbols.LIST_SYMBOLS_BY_NAMES, "idx_symbols_symbol"): ("MEXC_SPOT", ["C7/USDT"]),
    LookUp("get_symbol_by_native", symbols.GET_SYMBOL_BY_NATIVE, "idx_symbols_native_symbol"): ("MEXC_SPOT", "C7_USDT"),
    LookUp("as of, by name", AS_OF, "idx_symbols_symbol"): (NOW, *BY_NAME),
    LookUp("as of, by id", symbol_history.GET_SYMBOL_ROW_BY_ID_AS_OF, "symbols_pkey"): (NOW, 7),
    LookUp("versions", symbol_history.LIST_SYMBOL_VERSIONS, "idx_symbols_symbol"): BY_NAME,
}
THEN = object()  # a time at which every symbol had a version that has ended
# The other half of the same statements: what no longer holds. One that asks for both names reads both indexes.
SPELLINGS = symbol_history.LIST_SYMBOL_SPELLINGS_AS_OF
PAST_LOOK_UPS = {
    LookUp("versions", symbol_history.LIST_SYMBOL_VERSIONS, "idx_symbol_history_symbol"): BY_NAME,
    LookUp("versions, native", symbol_history.LIST_SYMBOL_VERSIONS, "idx_symbol_history_native_symbol"): BY_NAME,
    LookUp("as of", AS_OF, "idx_symbol_history_symbol"): (THEN, *BY_NAME),
    LookUp("as of, native", AS_OF, "idx_symbol_history_native_symbol"): (
        THEN,
        *BY_NAME,
    ),
    LookUp("spellings then", SPELLINGS, "idx_symbol_history_spelling"): (THEN, *BY_NAME),
    LookUp("spellings ever", SPELLINGS, "idx_symbol_history_spelling"): (None, *BY_NAME),
}
MANY = """
    INSERT INTO symbols
        (exchange_id, native_symbol, symbol, base, quote, kind, price_tick, quantity_step, status, sides, api_tradable)
    SELECT 1 + n % 3, 'C' || n || '_USDT', 'C' || n || '/USDT', 'C' || n, 'USDT', 'SPOT', 1, 1, 'TRADING', 'ALL', true
    FROM generate_series(1, 3000) AS n
"""


@pytest.mark.parametrize(("look_up", "arguments"), LOOK_UPS.items(), ids=lambda value: getattr(value, "name", ""))
async def test_a_look_up_by_name_reads_its_index(
    conn: asyncpg.Connection, look_up: LookUp, arguments: tuple[object, ...]
) -> None:
    """Three thousand symbols are enough for the planner to prefer it."""
    await insert(conn)
    await conn.execute(MANY)
    await conn.execute("ANALYZE symbols")
    assert look_up.index_name in await indexes_used(conn, look_up, *arguments)


@pytest.mark.parametrize(("look_up", "arguments"), PAST_LOOK_UPS.items(), ids=lambda value: getattr(value, "name", ""))
async def test_a_look_up_of_the_past_reads_no_history_but_its_own(
    conn: asyncpg.Connection, look_up: LookUp, arguments: tuple[object, ...]
) -> None:
    """Else it parses the JSON of every version of every symbol: a second and more where there are a million."""
    await insert(conn)
    await conn.execute(MANY)
    for tick in (2, 3, 4):
        await conn.execute("UPDATE symbols SET price_tick = $1", tick)
    await conn.execute("ANALYZE symbols, symbol_history")
    if arguments[0] is THEN:
        arguments = (await conn.fetchval("SELECT min(upper(valid)) FROM symbol_history"), *arguments[1:])
    assert look_up.index_name in await indexes_used(conn, look_up, *arguments)
