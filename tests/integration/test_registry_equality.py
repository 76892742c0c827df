"""Whatever is done to the tables: what a registry has followed is what one that begins afterwards loads."""

import asyncio

import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.symbols.models import SymbolSpec
from tests.factories import connected
from tests.registry_history import contents, loaded
from tests.symbol_rows import insert

CALM = RegistrySettings(poll_interval=3600, answer_timeout=30)  # no poll helps
FEE = """
    INSERT INTO account_fees (exchange_id, account, symbol_id, maker, taker)
    SELECT s.exchange_id, 'main', s.id, 0.001, 0.002 FROM symbols AS s WHERE s.exchange_id = 2
"""
AGAIN = """
    INSERT INTO exchanges (id, name, enum_value, display_name, market_type) OVERRIDING SYSTEM VALUE
    VALUES (2, 'SECOND', 'SECOND', 'Another one', 'SPOT')
"""

OF_ALL = f"""
    {FEE};
    INSERT INTO account_fees (exchange_id, account, maker, taker) VALUES (2, 'main', 0.003, 0.004);
    INSERT INTO holds (exchange_id, sides, reason) VALUES (2, 'ALL', 'a drill')
"""
COLUMNS = ", ".join(("id", "exchange_id", *SymbolSpec.__struct_fields__))

# What is done, each statement in a transaction of its own, and between which of them the registry looks.
DONE: dict[str, list[str]] = {
    "an exchange is renamed": ["UPDATE exchanges SET enum_value = 'RENAMED' WHERE id = 2"],
    "two exchanges change their names": [
        "UPDATE exchanges SET enum_value = 'OTHER' WHERE id = 2",
        "UPDATE exchanges SET enum_value = 'GATEIO_SPOT' WHERE id = 3",
    ],
    "an exchange loses its lists": ["DELETE FROM symbol_lists WHERE exchange_id = 2"],
    "a symbol with fees of its own is deleted": [FEE, "DELETE FROM symbols WHERE id = 1"],
    "an exchange is deleted": ["DELETE FROM symbols WHERE exchange_id = 2", "DELETE FROM exchanges WHERE id = 2"],
    "the id of an exchange is used again": [
        FEE, "DELETE FROM symbols WHERE exchange_id = 2", "DELETE FROM exchanges WHERE id = 2", AGAIN,
    ],
    "the id of an exchange is used again at once": [
        f"DELETE FROM symbols WHERE exchange_id = 2; DELETE FROM exchanges WHERE id = 2; {AGAIN}",
    ],
    "an id of an exchange with a hold is used again": [
        "DELETE FROM symbols WHERE exchange_id = 1",
        "DELETE FROM exchanges WHERE id = 1",
        AGAIN.replace("(2,", "(1,"),
    ],
    "an exchange with a hold, lists and fees is deleted and inserted again at once": [
        OF_ALL,
        f"DELETE FROM symbols WHERE exchange_id = 2; DELETE FROM exchanges WHERE id = 2; {AGAIN}",
    ],
    "an exchange is exchanged under its symbols": [
        OF_ALL,
        f"SET session_replication_role = replica; DELETE FROM exchanges WHERE id = 2; {AGAIN}",
    ],
    "a symbol with fees of its own is deleted and inserted again at once": [
        f"{FEE} AND s.status IS NOT NULL",
        f"""CREATE TEMPORARY TABLE kept AS SELECT * FROM symbols WHERE exchange_id = 2;
            DELETE FROM symbols WHERE exchange_id = 2;
            INSERT INTO symbols ({COLUMNS}) OVERRIDING SYSTEM VALUE SELECT {COLUMNS} FROM kept""",
    ],
    "fees are forgotten": [FEE, FEE.replace("0.001, 0.002", "NULL, NULL")],
    "a symbol is doubtful": [
        "INSERT INTO symbol_doubts (symbol_id, brake, reason, since) VALUES (1, 'REJECTED', 'x', '2026-01-01Z')"
    ],
    "symbols are truncated": ["TRUNCATE symbols"],
    "everything is truncated": ["TRUNCATE exchanges CASCADE"],
    "holds are truncated": ["TRUNCATE holds"],
    "lists are truncated": ["TRUNCATE symbol_lists"],
    "everything is written anew": ["UPDATE exchanges SET display_name = 'x'; UPDATE symbols SET base = base"],
    "as a replication would": ["SET session_replication_role = replica; UPDATE exchanges SET display_name = 'x'"],
    "nothing at all": ["UPDATE exchanges SET display_name = 'x' WHERE false"],
}  # fmt: skip


@pytest.mark.parametrize("looks", ["after each", "at the end"])
@pytest.mark.parametrize("done", DONE.values(), ids=DONE)
async def test_what_was_followed_is_what_is_loaded(stocked_dsn: Dsn, done: list[str], looks: str) -> None:
    """Symbols known by their names only are among them, and nothing of what is gone stays."""
    async with connected(stocked_dsn) as conn:
        for exchange in (1, 2, 3):
            await conn.execute(
                "INSERT INTO symbols (exchange_id, native_symbol, base, quote, sides, api_tradable)"
                " VALUES ($1, 'X_Y', 'X', 'Y', 'NONE', false)",
                exchange,
            )
        await insert(conn, exchange_id=1, native_symbol="OWN_USDT", symbol="OWN/USDT", base="OWN")
        async with asyncio.timeout(60), Registry(stocked_dsn, settings=CALM) as registry:
            loads = registry.stats().loads
            for statement in done:
                await conn.execute(statement)
                if looks == "after each":
                    await registry.refresh()
            await registry.refresh()
            held = registry.snapshot
            assert registry.stats().loads == loads + ("TRUNCATE" in " ".join(done))
        fresh = await loaded(stocked_dsn)
        assert held.position == fresh.position
        assert contents(held) == contents(fresh)
