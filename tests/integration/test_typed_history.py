"""Migrations 010 to 012: between them the history stands in two tables, and no version is in one of them alone."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from exchanges_db import Database
from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.comparison import check_schema
from exchanges_db.schema.sql_files import migrations_directory
from tests.factories import connected
from tests.fix_server import run_dbmate

FILES = {file.name[:3]: file for file in sorted(migrations_directory().glob("*.sql"))}
LATER = [version for version in FILES if version >= "012"]
COPY = FILES["011"].read_text(encoding="utf-8")
SYMBOLS = """
    INSERT INTO symbols (exchange_id, native_symbol, symbol, base, quote, kind, price_tick, quantity_step, status,
                         sides, api_tradable)
    SELECT 1, 'S' || n, 'S' || n || '/USDT', 'S' || n, 'USDT', 'SPOT', 0.01, 0.001, 'TRADING', 'ALL', true
    FROM generate_series(1, 700) AS n
"""
CHANGE = "UPDATE symbols SET price_tick = price_tick + 0.01"
BOTH = """
    SELECT coalesce(h.symbol_id, t.symbol_id) FROM symbol_history AS h
    FULL JOIN symbol_history_typed AS t ON t.symbol_id = h.symbol_id AND t.spec_version = h.spec_version
    WHERE h.symbol_id IS NULL OR t.price_tick IS DISTINCT FROM (h.spec ->> 'price_tick')::numeric
       OR t.created_at IS DISTINCT FROM (h.spec ->> 'created_at')::timestamptz OR t.valid <> h.valid
"""
PRUNE = "SELECT set_config('exchanges_db.prune_before', now()::text, true)"


@pytest.fixture
async def prepared(empty_dsn: Dsn, tmp_path: Path) -> AsyncIterator[tuple[Dsn, Path, asyncpg.Connection]]:
    """A database as 010 left it, with 1,400 versions of before; the folder of its files; and a connection."""
    for version in ("002", "003", "004", "005", "006", "007", "008", "009"):
        shutil.copy(FILES[version], tmp_path)
    assert run_dbmate(empty_dsn, "up", migrations=tmp_path).returncode == 0
    async with connected(empty_dsn) as conn:
        await conn.execute(SYMBOLS)
        await conn.execute(CHANGE)
        await conn.execute(CHANGE)
        shutil.copy(FILES["010"], tmp_path)
        assert run_dbmate(empty_dsn, "up", migrations=tmp_path).returncode == 0
        yield empty_dsn, tmp_path, conn


async def test_what_is_written_and_pruned_meanwhile_is_in_both(
    prepared: tuple[Dsn, Path, asyncpg.Connection],
) -> None:
    """Before, while and after the older versions are copied."""
    _, _, conn = prepared
    await conn.execute("UPDATE symbols SET price_tick = 9 WHERE id <= 10")
    await conn.execute(COPY)
    assert await conn.fetch(BOTH) == []
    await conn.execute("DELETE FROM symbols WHERE id <= 5")
    await conn.execute("UPDATE symbols SET price_tick = 8 WHERE id <= 10")
    async with conn.transaction():
        await conn.execute(PRUNE)
        await conn.execute("DELETE FROM symbol_history WHERE symbol_id BETWEEN 4 AND 600")
    assert await conn.fetch(BOTH) == []
    assert await conn.fetchval("SELECT count(*) FROM symbol_history_typed") == 3 * 4 + 2 * 100


async def test_two_copy_at_once_and_a_version_that_is_being_pruned_is_waited_for(
    prepared: tuple[Dsn, Path, asyncpg.Connection],
) -> None:
    """A version that the copy has read and a prune deletes would stay in the new table."""
    dsn, _, conn = prepared
    async with connected(dsn) as one, connected(dsn) as other:
        async with conn.transaction():
            await conn.execute(PRUNE)
            await conn.execute("DELETE FROM symbol_history WHERE symbol_id > 300")
            copies = [asyncio.create_task(session.execute(COPY)) for session in (one, other)]
            waiting = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            async with asyncio.timeout(20), connected(dsn) as watcher:
                while not await watcher.fetchval(waiting):
                    await asyncio.sleep(0.01)
        await asyncio.gather(*copies)
    assert await conn.fetch(BOTH) == []
    assert await conn.fetchval("SELECT count(*) FROM symbol_history_typed") == 600


async def test_the_copy_waits_for_no_import(prepared: tuple[Dsn, Path, asyncpg.Connection]) -> None:
    """Rows in another order than an import's would end one of the two as a deadlock; 012 writes what is left out."""
    dsn, folder, conn = prepared
    async with connected(dsn) as importer:
        async with importer.transaction():
            await importer.execute("UPDATE symbols SET price_tick = 7 WHERE id = 3")
            await asyncio.wait_for(conn.execute(COPY), 20)
            assert [row["id"] for row in await conn.fetch("SELECT id FROM symbols WHERE spec_hash IS NULL")] == [3]
        await importer.execute(f"{SYMBOLS} LIMIT 1".replace("SELECT 1,", "SELECT 2,"))
    for version in ("011", "012"):
        shutil.copy(FILES[version], folder)
    assert run_dbmate(dsn, "up", migrations=folder).returncode == 0
    wrong = "SELECT count(*) FROM symbols AS s WHERE s.spec_hash IS DISTINCT FROM symbol_spec_hash(s)"
    assert await conn.fetchval(wrong) == 0
    # Nothing of all that was a change of a symbol.
    assert await conn.fetchval("SELECT sum(spec_version) FROM symbols") == 3 * 700 + 1 + 1


async def test_012_copies_what_another_projects_011_did_not(prepared: tuple[Dsn, Path, asyncpg.Connection]) -> None:
    """In a shared ledger a file of another project can stand for it: the history would be gone."""
    dsn, folder, conn = prepared
    await conn.execute("INSERT INTO schema_migrations VALUES ('011')")
    for version in LATER:
        shutil.copy(FILES[version], folder)
    assert run_dbmate(dsn, "up", migrations=folder).returncode == 0
    assert await conn.fetchval("SELECT count(*) FROM symbol_history") == 1400
    async with Database(dsn) as database:
        assert await check_schema(db=database) == []


async def test_a_004_of_before_the_release_ends_as_the_same_schema(
    prepared: tuple[Dsn, Path, asyncpg.Connection],
) -> None:
    """Plain dbmate keeps no checksums, and would leave a symbol without status without a place."""
    dsn, folder, conn = prepared
    await conn.execute("""
        DROP VIEW symbol_versions, symbol_rows;
        ALTER TABLE symbols DROP COLUMN is_live,
            ADD COLUMN is_live boolean NOT NULL GENERATED ALWAYS AS (status NOT IN ('DELISTED', 'EXPIRED')) STORED;
        CREATE UNIQUE INDEX symbols_live_native_symbol_key ON symbols (exchange_id, native_symbol) WHERE is_live;
        CREATE VIEW symbol_rows AS SELECT 1 AS id; CREATE VIEW symbol_versions AS SELECT 1 AS id
    """)
    for version in ("011", *LATER):
        shutil.copy(FILES[version], folder)
    assert run_dbmate(dsn, "up", migrations=folder).returncode == 0
    async with Database(dsn) as database:
        assert await check_schema(db=database) == []
