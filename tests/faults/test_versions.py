"""What is built on one version of PostgreSQL is the same on every one that is supported."""

from datetime import timedelta

import pytest

from exchanges_db import Database, import_symbols, validate_exchanges
from tests.factories import connected
from tests.integration.test_time_series import TODAY, check_locks_of_days, dbmate
from tests.payload_rows import SPOT, payload, spot
from tests.servers import Server


@pytest.mark.faults
async def test_a_migrated_server_passes_every_check(primary: Server) -> None:
    """The schema too, which is compared as the server prints it: versions print some views differently."""
    async with Database(primary.dsn) as database:
        await import_symbols(SPOT, payload(SPOT, [spot(), spot("ETH")]), db=database)
        report = await validate_exchanges(db=database, lookups=100, target_ms=1000)
    failed = {check.name: check.detail for check in report.checks if not check.passed}
    assert failed.pop("vacuum").startswith("the server's autovacuum is off")  # as these servers are set
    assert failed == {}


@pytest.mark.faults
async def test_days_of_a_users_table_lock_what_the_document_says(primary: Server) -> None:
    """docs/time-series.md promises what waits for what on each version."""
    dbmate(primary.dsn, "up")
    async with connected(primary.dsn) as look:
        for day in (TODAY - timedelta(days=1), TODAY):
            await look.execute("SELECT market.make_book_tickers_day($1)", day)
        await check_locks_of_days(look)
