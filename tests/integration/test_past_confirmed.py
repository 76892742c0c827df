"""An unchanged list outranks an announced time that has come: "now" says so, and so does the past afterwards."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from exchanges_db import (
    Database,
    SidesAllowed,
    SymbolSpec,
    SymbolStatus,
    can_trade,
    get_freshness,
    import_specs,
    list_imports,
    list_symbols,
    list_symbols_as_of,
    prune_history,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.symbols.freshness import server_time
from tests.factories import connected
from tests.symbol_rows import as_spec_fields

PLACE = "GATEIO_SPOT"
LAUNCH = {"status": SymbolStatus.PRELAUNCH, "sides": SidesAllowed.NONE}
CASES: dict[str, tuple[bool, dict[str, Any], tuple[str, ...]]] = {
    "a launch that was put off": (False, LAUNCH, ("buy_opens_at", "sell_opens_at")),
    "a side that has not opened": (False, {"sides": SidesAllowed.SELL}, ("buy_opens_at",)),
    "a delisting that was put off": (True, {}, ("delisted_at",)),
    "a last purchase that was put off": (True, {}, ("delisting_at",)),
}  # fmt: skip


async def load(database: Database, spec: SymbolSpec) -> Any:
    """Import a list of this one symbol as it is now."""
    return await import_specs(PLACE, "SPOT", [spec], source="a test", db=database)


@pytest.mark.parametrize("case", CASES)
async def test_the_past_is_judged_by_a_list_that_changed_nothing_after_an_announced_time(
    database: Database, case: str
) -> None:
    """Otherwise a launch that was put off would read as open for every time since, though "now" was closed."""
    open_now, state, times = CASES[case]
    comes_at = await server_time(database) + timedelta(milliseconds=300)
    spec = SymbolSpec(**as_spec_fields("spot", **state, **dict.fromkeys(times, comes_at)))
    await load(database, spec)
    while await server_time(database) <= comes_at:
        await asyncio.sleep(0.02)  # only the server's clock brings the time
    guessed_at = await server_time(database)
    assert bool(await can_trade(PLACE, "BTC/USDT", "BUY", db=database)) is not open_now
    confirmed = await load(database, spec)
    assert (confirmed.changes, confirmed.unchanged) == ((), 1)
    told_at = await server_time(database)
    assert bool(await can_trade(PLACE, "BTC/USDT", "BUY", db=database)) is open_now
    listed = await list_symbols(PLACE, db=database)
    for _ in range(2):
        assert bool(await can_trade(PLACE, "BTC/USDT", "BUY", told_at, db=database)) is open_now
        assert await list_symbols_as_of(PLACE, told_at, db=database) == listed
        assert bool(await can_trade(PLACE, "BTC/USDT", "BUY", guessed_at, db=database)) is not open_now
        await load(database, spec)
    newest, _ = await list_imports(PLACE, db=database)
    assert newest.id == confirmed.import_id
    (fresh,) = await get_freshness(PLACE, db=database)
    assert fresh.confirmations == 3
    await prune_history(told_at, db=database)
    assert bool(await can_trade(PLACE, "BTC/USDT", "BUY", told_at, db=database)) is open_now


async def test_the_first_list_after_an_upgrade_is_recorded_though_it_changes_nothing(
    database: Database, dsn: Dsn
) -> None:
    """Earlier versions kept no ledger: until one is there, what they confirmed would be nothing to the past."""
    spec = SymbolSpec(**as_spec_fields("spot"))
    await load(database, spec)
    async with connected(dsn) as conn, conn.transaction():
        await conn.execute("SELECT set_config('exchanges_db.prune_before', clock_timestamp()::text, true)")
        await conn.execute("DELETE FROM symbol_imports")
    confirmed = [(await load(database, spec)).import_id for _ in range(3)]
    assert [one.id for one in await list_imports(PLACE, db=database)] == confirmed[:1]
    assert confirmed[1:] == [None, None]
