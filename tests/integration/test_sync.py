"""Sync: from an exchange's own address into the database, with a local server in the exchange's place."""

from typing import Any

import pytest

from exchanges_db import (
    ConfigurationError,
    Database,
    DownloadFailed,
    ExchangeNotFound,
    ImportRefused,
    PayloadError,
    insert_exchange,
    list_symbols,
    sync_symbols,
    update_exchange,
)
from exchanges_db.symbols.download_settings import DownloadSettings
from tests.factories import an_exchange
from tests.http_server import answer, packed, serving
from tests.payload_rows import FUTURES, MEXC, SPOT, futures, many, payload

IDS = {MEXC: 1, SPOT: 2, FUTURES: 3}
FAST = DownloadSettings(first_wait=0.01, longest_wait=0.1, attempts=2, read_timeout=1)


async def point(database: Database, exchange: str, url: str | None, **more: Any) -> None:
    """Let an exchange's base_url lead here."""
    assert await update_exchange(IDS[exchange], {"base_url": url, **more}, db=database)


@pytest.mark.parametrize(("exchange", "path"), [(MEXC, "/api/v3/exchangeInfo"), (SPOT, "/api/v4/spot/currency_pairs")])
@pytest.mark.parametrize("suffix", ["", "/", "prefix"])
async def test_one_exchange(database: Database, exchange: str, path: str, suffix: str) -> None:
    """Whatever its base_url ends with."""
    async with serving({path: packed(payload(exchange, many(exchange, 3)))}) as server:
        ending = "/".join(path.split("/")[:3]) if suffix == "prefix" else suffix
        await point(database, exchange, server.url + ending)
        (report,) = await sync_symbols(exchange, settings=FAST, db=database)
        assert (report.counts()["LISTED"], report.applied, server.paths) == (3, True, [path])
        (again,) = await sync_symbols(exchange, settings=FAST, db=database)
        assert again.changes == ()
    assert len(await list_symbols(exchange, db=database)) == 3


async def test_futures_have_a_list_for_each_settlement(database: Database) -> None:
    """And keep the exchange's rate limit between them."""
    inverse = futures("BTC", "USD", type="inverse", quanto_multiplier="0")
    lists = {
        "/api/v4/futures/usdt/contracts": answer(many(FUTURES, 3)),
        "/api/v4/futures/btc/contracts": answer([inverse]),
    }
    async with serving(lists) as server:
        await point(database, FUTURES, server.url, rate_limit_requests_per_second=4)
        reports = await sync_symbols(FUTURES, settings=FAST, db=database)
        assert [report.counts()["LISTED"] for report in reports] == [3, 1]
        assert server.times[1] - server.times[0] >= 0.2
    assert [symbol.symbol for symbol in await list_symbols(FUTURES, quote="USD", db=database)] == ["BTC/USD:BTC"]


async def test_a_dry_run_and_what_is_allowed_are_passed_on(database: Database) -> None:
    """As to an import."""
    async with serving(answer([])) as server:
        await point(database, SPOT, server.url)
        with pytest.raises(ImportRefused, match="no symbol at all"):
            await sync_symbols(SPOT, settings=FAST, db=database)
        (report,) = await sync_symbols(SPOT, settings=FAST, dry_run=True, db=database)
        assert not report.applied
        (report,) = await sync_symbols(SPOT, settings=FAST, allow=["empty"], db=database)
        assert report.applied


async def test_failures_are_ours_and_write_nothing(database: Database) -> None:
    """Garbage, an error message, a server that is down, a list that is cut off."""
    for behaviour, error in (
        (answer(b"garbage"), PayloadError),
        (answer({"label": "INTERNAL", "message": "x"}), PayloadError),
        (answer(payload(SPOT, many(SPOT, 9))[:-40]), PayloadError),
        (answer(status=500), DownloadFailed),
    ):
        async with serving(behaviour) as server:
            await point(database, SPOT, server.url)
            with pytest.raises(error):
                await sync_symbols(SPOT, settings=FAST, db=database)
    assert await list_symbols(SPOT, active=None, db=database) == []


async def test_what_cannot_be_synced_says_why(database: Database) -> None:
    """No such exchange, no reader, no address."""
    with pytest.raises(ExchangeNotFound):
        await sync_symbols("NOBODY", db=database)
    await insert_exchange(an_exchange(name="MINE", enum_value="MINE"), db=database)
    with pytest.raises(ConfigurationError, match="none for"):
        await sync_symbols("MINE", db=database)
    await point(database, SPOT, None)
    with pytest.raises(ConfigurationError, match="no base_url: exchanges-db set GATEIO_SPOT base_url="):
        await sync_symbols(SPOT, db=database)
