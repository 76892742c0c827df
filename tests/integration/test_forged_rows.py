"""What a role with the documented rights writes by SQL of its own dates nothing back and hides no row of others."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from exchanges_db import Database, get_symbol_as_of, import_symbols, list_imports
from exchanges_db.database.dsn import Dsn
from tests.factories import connected
from tests.payload_rows import SPOT, payload, spot
from tests.role_logins import roles_on

LONG_AGO = datetime(1980, 1, 1, tzinfo=UTC)
LEDGER = "INSERT INTO symbol_imports (exchange_id, exchange, outcome, began_at, ended_at, moment, changes) VALUES "
DOUBT = "INSERT INTO symbol_doubts (symbol_id, brake, reason, since) VALUES (1, 'JUMP', 'r', '1980-01-01')"


@pytest.fixture
async def importer(stocked_dsn: Dsn) -> AsyncIterator[Dsn]:
    """The login of a role that imports, as `exchanges-db roles` makes it."""
    async with roles_on(stocked_dsn) as logins:
        yield logins["importer"]


@pytest.mark.parametrize("moment", ["1980-01-01 00:00:00+00", "2980-01-01 00:00:00+00"])
async def test_a_setting_made_within_the_statement_dates_no_row(importer: Dsn, moment: str) -> None:
    """The check before the statement cannot see what a row's own expression sets."""
    async with connected(importer) as conn:
        row = await conn.fetchrow(
            """
            INSERT INTO symbols (exchange_id, native_symbol, symbol, base, quote, kind, price_tick, quantity_step,
                status, sides, api_tradable, source, observed_at, created_at, updated_at)
            SELECT exchange_id, 'FORGED', 'FORGED/USDT', 'FORGED', quote, kind, price_tick, quantity_step, status,
                sides, api_tradable, source, observed_at, set_config('exchanges_db.moment', $1, true)::timestamptz,
                $1::text::timestamptz
            FROM symbols WHERE kind = 'SPOT' LIMIT 1
            RETURNING updated_at, created_at, spec_hash = symbol_spec_hash(symbols) AS is_hashed
            """,
            moment,
        )
    assert row is not None
    assert row["updated_at"] == row["created_at"]
    assert row["is_hashed"]
    assert abs(row["updated_at"] - datetime.now(UTC)) < timedelta(minutes=1)
    async with Database(importer) as database:
        assert await get_symbol_as_of(SPOT, "FORGED", LONG_AGO, db=database) is None


async def test_a_moment_that_was_made_up_keeps_no_import_from_being_dated(importer: Dsn) -> None:
    """An import takes a moment after every one that is known."""
    async with connected(importer) as conn:
        await conn.execute(LEDGER + "(2, 'GATEIO_SPOT', 'APPLIED', now(), now(), '9999-12-30', '{}')")
    async with Database(importer) as database:
        rows = payload(SPOT, [spot(), spot("ETH"), spot("NEW")])
        report = await import_symbols(SPOT, rows, db=database)
        assert report.moment is not None
        assert report.moment - datetime.now(UTC) < timedelta(minutes=1)


async def test_a_row_of_the_ledger_that_cannot_be_read_hides_no_other(
    importer: Dsn, caplog: pytest.LogCaptureFixture
) -> None:
    """Its number is logged, and the rest is returned."""
    async with Database(importer) as database:
        before = await list_imports(db=database)
        async with connected(importer) as conn:
            await conn.execute(LEDGER + "(2, 'GATEIO_SPOT', 'REFUSED', now(), now(), NULL, '[]')")
        assert await list_imports(db=database) == before
    assert f"import {before[0].id + 1}: " in caplog.text


@pytest.mark.parametrize(
    "statement",
    [
        LEDGER + "(2, 'GATEIO_SPOT', 'REFUSED', '-infinity', now(), NULL, '{}')",
        LEDGER + "(2, 'GATEIO_SPOT', 'REFUSED', '4000-01-01 BC', now(), NULL, '{}')",
        "INSERT INTO symbol_doubts (symbol_id, brake, reason, since) VALUES (1, 'JUMP', 'r', 'infinity')",
        "INSERT INTO symbol_doubts (symbol_id, brake, reason, since) VALUES (1, 'JUMP', 'r', '9999-12-31 12:00+00')",
        "UPDATE symbol_lists SET imported_at = '20000-01-01'",
    ],
)
async def test_times_that_nobody_can_read_are_refused(importer: Dsn, statement: str) -> None:
    """Times are bounded in every table that a role writes itself."""
    async with connected(importer) as conn:
        with pytest.raises(asyncpg.CheckViolationError, match="times_are_dates"):
            await conn.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "since = '1980-01-01'",
        "symbol_id = symbol_id + 1",
        "reason = 'another one'",
        "brake = 'MASS'",
    ],
)
async def test_what_a_doubt_says_cannot_be_changed(importer: Dsn, change: str) -> None:
    """Or answers about the past would change."""
    async with connected(importer) as conn:
        await conn.execute(DOUBT)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="a doubt can be ended"):
            await conn.execute(f"UPDATE symbol_doubts SET {change}")  # the test's own text


async def test_a_doubt_begins_and_ends_when_it_is_written(importer: Dsn) -> None:
    """Not in the past, and it does not begin again."""
    async with connected(importer) as conn:
        await conn.execute(DOUBT)
        await conn.execute("UPDATE symbol_doubts SET ended_at = since")
        row = await conn.fetchrow("SELECT since, ended_at FROM symbol_doubts")
        assert row is not None
        assert LONG_AGO < row["since"] < row["ended_at"]
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="a doubt can be ended"):
            await conn.execute("UPDATE symbol_doubts SET ended_at = NULL")
