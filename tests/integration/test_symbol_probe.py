"""The probe of symbols finds what does not work, leaves nothing, uses no id, and waits for nobody."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from exchanges_db import Database, Settings, import_symbols
from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.ledger import parse_ledger
from exchanges_db.validation.checks import CheckFailed, Context
from exchanges_db.validation.symbol_probes import BAD_SYMBOLS, DUPLICATES, check_symbol_round_trip
from tests.factories import connected
from tests.payload_rows import MEXC, SPOT, many, payload, spot

DONE = "insert (no id used up), "


@pytest.fixture
async def stocked(stocked_dsn: Dsn) -> AsyncIterator[Database]:
    """A database with symbols."""
    async with Database(stocked_dsn, Settings(command_timeout=5)) as database:
        yield database


_LOG_IDS = "registry_changes_id_seq"  # what is tried is noted in the log of changes: of its BIGINT there is no end


async def probe(database: Database) -> str:
    """Return what the check says; raises CheckFailed."""
    return await check_symbol_round_trip(Context(database, 1, 1.0, parse_ledger(None)))


async def traces(connection: asyncpg.Connection) -> list[Any]:
    """Everything that a probe could leave: every row of every table, and how far every sequence is."""
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return [
        await connection.fetch(
            "SELECT sequencename, last_value FROM pg_sequences WHERE sequencename <> $1 ORDER BY 1", _LOG_IDS
        ),
        *[await connection.fetch(f"SELECT t::text FROM {table} AS t ORDER BY 1") for (table,) in tables],
    ]


async def test_nothing_is_left_and_no_id_of_any_sequence_is_used(stocked: Database, stocked_dsn: Dsn) -> None:
    """Rows, histories, ledger, doubts, holds and sequences are as before."""
    async with connected(stocked_dsn) as owner:
        before = await traces(owner)
        assert (await probe(stocked)).startswith(DONE)
        assert await traces(owner) == before


async def test_every_constraint_that_a_symbol_can_break_is_tried(conn: asyncpg.Connection) -> None:
    """One that a migration adds fails here until it has its bad value."""
    names = await conn.fetch(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'symbols'::regclass AND contype <> 'n' "
        "UNION ALL SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid "
        "WHERE i.indrelid = 'symbols'::regclass AND i.indisunique"
    )
    tried = {bad.constraint for bad in BAD_SYMBOLS if bad.constraint} | set(DUPLICATES.values())
    # The trigger never lets a write reach it.
    assert {name for (name,) in names} - tried == {"symbols_spec_version_positive"}
    assert tried <= {name for (name,) in names}


async def test_probes_at_once_do_not_wait_for_one_another(stocked: Database, stocked_dsn: Dsn) -> None:
    """One that has not ended yet is in nobody's way."""
    async with connected(stocked_dsn) as other:
        await other.execute(
            "BEGIN; INSERT INTO symbols (id, exchange_id, native_symbol, symbol, base, quote, kind, price_tick, "
            "tick_assumed, quantity_step, step_assumed, status, sides, api_tradable) OVERRIDING SYSTEM VALUE VALUES "
            "(-2 * pg_backend_pid(), 1, 'exchanges_db validation ' || -2 * pg_backend_pid(), 'A/B', 'A', 'B', 'SPOT', "
            "1, false, 1, false, 'TRADING', 'ALL', true)"
        )
        found = await asyncio.gather(*(probe(stocked) for _ in range(4)))
        assert [one.startswith(DONE) for one in found] == [True] * 4


async def test_a_running_import_is_not_waited_for(stocked: Database) -> None:
    """Of the first exchange, which the probe uses, with new symbols, and of another, with changed ones."""
    async with stocked.transaction() as transaction:
        await import_symbols(MEXC, payload(MEXC, many(MEXC, 3)), db=transaction)
        await import_symbols(SPOT, payload(SPOT, [spot(), spot("ETH"), spot("XRP")]), db=transaction)
        assert (await probe(stocked)).startswith(DONE)
        transaction.discard()


async def test_a_lock_on_the_table_is_waited_for_a_second_only(stocked: Database, stocked_dsn: Dsn) -> None:
    """As a migration takes it: the probe is not made, and says so."""
    async with connected(stocked_dsn) as other:
        await other.execute("BEGIN; LOCK TABLE symbols IN SHARE MODE")
        assert (await probe(stocked)).startswith("not made: for a second, another session has held a lock")


async def test_a_sequence_that_is_behind_stays_so(stocked: Database, stocked_dsn: Dsn) -> None:
    """An insert would set it right, and that would not be rolled back."""
    async with connected(stocked_dsn) as owner:
        await owner.execute("ALTER SEQUENCE symbols_id_seq RESTART 1")
        before = await traces(owner)
        assert (await probe(stocked)).startswith("not made: the sequence of symbols.id is behind")
        assert await traces(owner) == before


async def test_without_an_exchange_there_is_no_probe(database: Database, dsn: Dsn) -> None:
    """The check that misses the exchanges says so; this one cannot."""
    async with connected(dsn) as owner:
        await owner.execute("DELETE FROM exchanges")
    assert await probe(database) == "not made: there is no exchange to have a symbol"


def _quiet(name: str, result: str = "NULL") -> str:
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp "
        f"AS 'BEGIN RETURN {result}; END'"
    )


DEFECTS = [
    *((f"ALTER TABLE symbols DROP CONSTRAINT {name}", f"{name} did not refuse") for name in
      sorted({bad.constraint for bad in BAD_SYMBOLS if bad.constraint} - {"symbols_rules_whole"})),
    ("ALTER TABLE symbols ALTER sides DROP NOT NULL", "NOT NULL did not refuse sides = None"),
    ("DROP INDEX symbols_live_native_symbol_key", "symbols_live_native_symbol_key did not refuse a second symbol"),
    ("DROP INDEX symbol_doubts_open_key", "symbol_doubts_open_key did not refuse a second doubt"),
    ("ALTER TABLE holds DROP CONSTRAINT holds_sides_known", "holds_sides_known did not refuse a hold of no side"),
    ("ALTER TABLE holds DROP CONSTRAINT holds_held_key", "holds_held_key did not refuse a second hold"),
    (
        "ALTER TABLE symbol_imports DROP CONSTRAINT symbol_imports_outcome_known",
        "did not refuse an import that is DONE",
    ),
    ("ALTER TABLE symbols DISABLE TRIGGER symbols_stamp", "symbols_identity_immutable did not refuse"),
    ("ALTER TABLE symbols DISABLE TRIGGER symbols_record_update", "an update is not recorded in symbol_history"),
    (_quiet("symbols_record_update"), "an update is not recorded in symbol_history"),
    (_quiet("symbols_record_delete"), "does not tell that a symbol was deleted"),
    (_quiet("symbol_imports_refuse"), "does not refuse that a row is deleted"),
    ("ALTER TABLE symbols DISABLE TRIGGER symbols_record_delete", "does not tell that a symbol was deleted"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "complaint"), DEFECTS, ids=[change[:90] for change, _ in DEFECTS])
async def test_a_defect_is_noticed(dsn: Dsn, change: str, complaint: str) -> None:
    """Whatever is missing or does nothing is told by what it no longer does."""
    async with connected(dsn) as owner:
        await owner.execute(change)
    async with Database(dsn) as database:
        with pytest.raises(CheckFailed) as found:
            await probe(database)
    assert complaint in str(found.value)
