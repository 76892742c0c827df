"""Look-ups of symbols by name read an index, through the views too, now and as of a time."""

from datetime import UTC, datetime

import asyncpg
import pytest

from exchanges_db.validation.plans import LookUp, indexes_used
from exchanges_sql import symbol_history, symbols
from tests.symbol_rows import insert

NOW = datetime.now(UTC)
LOOK_UPS = {
    LookUp("get_symbol", symbols.GET_SYMBOL, "idx_symbols_symbol"): ("MEXC_SPOT", "C7/USDT"),
    LookUp("get_symbol_by_native", symbols.GET_SYMBOL_BY_NATIVE, "idx_symbols_native_symbol"): ("MEXC_SPOT", "C7_USDT"),
    LookUp("as of, by name", symbol_history.GET_SYMBOL_ROW_AS_OF, "idx_symbols_symbol"): (NOW, "MEXC_SPOT", "C7/USDT"),
    LookUp("as of, by id", symbol_history.GET_SYMBOL_ROW_BY_ID_AS_OF, "symbols_pkey"): (NOW, 7),
    LookUp("versions", symbol_history.LIST_SYMBOL_VERSIONS, "idx_symbols_symbol"): ("MEXC_SPOT", "C7/USDT"),
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
