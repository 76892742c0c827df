"""Migration 006 on a database that is in use: nothing that is known is lost, and what is new reads as not known."""

import json
import shutil
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from exchanges_db import Database, SymbolSpec, get_symbol, get_symbol_as_of, get_symbol_history, get_symbol_raw
from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.sql_files import migrations_directory
from tests.factories import connected
from tests.fix_server import run_dbmate

OLD_ROW = """
    INSERT INTO symbols (exchange_id, native_symbol, symbol, base, quote, kind, price_tick, quantity_step, maker_fee,
                         taker_fee, status, sides, api_tradable, listed_at, raw)
    VALUES (1, 'BTCUSDT', 'BTC/USDT', 'BTC', 'USDT', 'SPOT', 0.01, 0.001, -0.0001, 0.002, 'TRADING', 'ALL', true,
            '2020-01-01T00:00:00Z', '{"symbol": "BTCUSDT", "n": 0.10}')
    RETURNING id
"""
NEW_FIELDS = {
    "strike", "option_type", "market_min_quantity", "market_max_quantity", "market_min_notional", "market_max_notional",
    "price_band_up", "price_band_down", "price_band_of", "market_slip_ratio", "order_types", "leverage_min",
    "leverage_max", "initial_margin_rate", "maintenance_margin_rate", "funding_interval", "funding_cap",
    "max_open_orders", "margin_allowed", "full_name", "contract_address", "is_risky", "is_premarket", "asset_class",
    "buy_opens_at", "sell_opens_at", "exchange_changed_at",
}  # fmt: skip


@pytest.fixture
async def old_dsn(empty_dsn: Dsn, tmp_path: Path) -> tuple[Dsn, int, datetime]:
    """A database as migration 004 left it, with a symbol that changed once; its id, and a time before the change."""
    for file in migrations_directory().glob("00[234]*.sql"):
        shutil.copy(file, tmp_path)
    assert run_dbmate(empty_dsn, "up", migrations=tmp_path).returncode == 0
    async with connected(empty_dsn) as conn:
        symbol = await conn.fetchval(OLD_ROW)
        before = await conn.fetchval("SELECT clock_timestamp()")
        await conn.execute("UPDATE symbols SET price_tick = 0.1 WHERE id = $1", symbol)
        await conn.execute("DELETE FROM symbols WHERE id = -1")
    return empty_dsn, symbol, before


async def _rows(conn: asyncpg.Connection) -> list[str]:
    history = await conn.fetch("SELECT spec::text FROM symbol_history ORDER BY spec_version")
    return [*await conn.fetchval("SELECT array_agg(to_jsonb(s)::text) FROM symbols AS s"), *(row[0] for row in history)]


async def test_what_was_known_is_known_still(old_dsn: tuple[Dsn, int, datetime]) -> None:
    """The row, its history, and the row of the payload; a field that did not exist then reads as None."""
    dsn, symbol_id, before = old_dsn
    assert run_dbmate(dsn, "up").returncode == 0
    async with Database(dsn) as database:
        now = await get_symbol("MEXC_SPOT", "BTC/USDT", db=database)
        then = await get_symbol_as_of("MEXC_SPOT", "BTC/USDT", before, db=database)
        versions = await get_symbol_history("MEXC_SPOT", "BTC/USDT", db=database)
        raw = await get_symbol_raw("MEXC_SPOT", "BTCUSDT", db=database)
    assert now is not None
    assert then is not None
    assert raw is not None
    assert [version.symbol for version in versions] == [then, versions[1].symbol]
    assert (now.id, then.price_tick, now.price_tick, now.spec_version) == (
        symbol_id,
        Decimal("0.01"),
        Decimal("0.1"),
        2,
    )
    for symbol in (now, then):
        assert (symbol.list_maker_fee, symbol.list_taker_fee) == (Decimal("-0.0001"), Decimal("0.002"))
        assert {field for field in NEW_FIELDS if getattr(symbol, field) is not None} == set()
        assert (symbol.tick_assumed, symbol.step_assumed, symbol.source, symbol.observed_at) == (
            False,
            False,
            None,
            None,
        )
    assert (raw.observed_at, json.loads(raw.raw, parse_float=Decimal)) == (
        None,
        {"symbol": "BTCUSDT", "n": Decimal("0.10")},
    )
    assert set(SymbolSpec.__struct_fields__) >= NEW_FIELDS


async def test_a_change_after_it_keeps_the_fields_of_now(old_dsn: tuple[Dsn, int, datetime]) -> None:
    """One history holds rows of both shapes."""
    dsn, symbol_id, _ = old_dsn
    assert run_dbmate(dsn, "up").returncode == 0
    async with connected(dsn) as conn:
        await conn.execute("UPDATE symbols SET max_open_orders = 50, list_maker_fee = 0 WHERE id = $1", symbol_id)
        await conn.execute("UPDATE symbols SET full_name = 'Bitcoin' WHERE id = $1", symbol_id)
    async with Database(dsn) as database:
        versions = await get_symbol_history("MEXC_SPOT", "BTC/USDT", db=database)
    seen = [(one.symbol.max_open_orders, one.symbol.full_name, one.symbol.list_maker_fee) for one in versions]
    old = Decimal("-0.0001")
    assert seen == [(None, None, old), (None, None, old), (50, None, Decimal(0)), (50, "Bitcoin", Decimal(0))]


async def test_it_can_be_undone_and_done_again(old_dsn: tuple[Dsn, int, datetime]) -> None:
    """Down gives back what migration 004 has columns for, but for listed_at; up then loses nothing."""
    dsn, symbol_id, _ = old_dsn
    newer = sum(file.name >= "006" for file in migrations_directory().glob("*.sql"))
    async with connected(dsn) as conn:
        before = [json.loads(text) for text in await _rows(conn)]
        assert run_dbmate(dsn, "up").returncode == 0
        await conn.execute("UPDATE symbols SET max_open_orders = 50 WHERE id = $1", symbol_id)
        for _ in range(newer):
            assert run_dbmate(dsn, "rollback").returncode == 0
        await conn.reload_schema_state()
        after = [json.loads(text) for text in await _rows(conn)]
        # The change that was made meanwhile is one version more.
        assert len(after) == len(before) + 1
        kept = [{**row, "listed_at": None} for row in before]
        assert {**after[0], "spec_version": 2, "updated_at": before[0]["updated_at"]} == kept[0]
        own = {key: value for key, value in after[2].items() if key in kept[1]}
        assert {**own, "raw": kept[0]["raw"]} == {**kept[0], "spec_version": 2}
        # 012 gives every version the fields of now, and going back takes none of them away.
        assert {key: after[1][key] for key in before[1] if key != "listed_at"} == {
            key: value for key, value in before[1].items() if key != "listed_at"
        }
        # The triggers of 004 work again.
        await conn.execute("UPDATE symbols SET price_tick = 0.2, raw = '{}' WHERE id = $1", symbol_id)
        assert await conn.fetchval("SELECT count(*) FROM symbol_history") == 3
        with pytest.raises(asyncpg.PostgresError, match=r"append-only|is written by"):
            await conn.execute("DELETE FROM symbol_history")
    assert run_dbmate(dsn, "up").returncode == 0
    async with Database(dsn) as database:
        again = await get_symbol_history("MEXC_SPOT", "BTC/USDT", db=database)
    assert [one.symbol.price_tick for one in again] == list(map(Decimal, ("0.01", "0.1", "0.1", "0.2")))
    assert {one.symbol.list_taker_fee for one in again} == {Decimal("0.002")}


async def test_rights_on_what_is_made_anew_are_given_again(old_dsn: tuple[Dsn, int, datetime]) -> None:
    """Else every look-up of a role that is not the owner's fails from the deploy on, or the rollback."""
    dsn, _, _ = old_dsn
    newer = sum(file.name >= "005" for file in migrations_directory().glob("*.sql"))
    async with connected(dsn) as conn:
        role = f"asks_{conn.get_server_pid()}"
        await conn.execute(f"CREATE ROLE {role}")
        try:
            await conn.execute(f"GRANT SELECT ON symbol_rows, symbol_history TO {role}")
            await conn.execute(f"GRANT SELECT ON symbol_history TO {role} WITH GRANT OPTION")
            await conn.execute("GRANT SELECT ON symbol_versions TO PUBLIC")
            before = await _rights(conn)
            assert len(before) == 3
            for commands in (["up"], ["rollback"] * newer):
                assert {run_dbmate(dsn, command).returncode for command in commands} == {0}
                assert await _rights(conn) == before
        finally:
            await conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def _rights(conn: asyncpg.Connection) -> list[asyncpg.Record]:
    return await conn.fetch("""
        SELECT c.relname, a.grantee::regrole::text, a.privilege_type, a.is_grantable
        FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        WHERE c.relname IN ('symbol_rows', 'symbol_versions', 'symbol_history') AND a.grantee <> c.relowner
        ORDER BY 1, 2, 3
    """)
