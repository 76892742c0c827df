"""Sync: from an exchange's own address into the database, with a local server in the exchange's place."""

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from exchanges_db import (
    ConfigurationError,
    ConstraintViolated,
    Database,
    DatabaseError,
    DownloadFailed,
    Exchange,
    ExchangeNotFound,
    ImportBusy,
    ImportLimits,
    ImportRefused,
    ImportReport,
    InvalidArgument,
    InvalidSymbol,
    ListOutcome,
    PayloadError,
    SavedList,
    SymbolKind,
    SyncOutcome,
    deactivate_exchange,
    get_exchange_by_enum,
    import_symbols,
    insert_exchange,
    list_imports,
    list_symbols,
    sync_symbols,
    update_exchange,
)
from exchanges_db.symbols.download import Downloader
from exchanges_db.symbols.download_settings import DownloadSettings
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.payloads.readers import readers_of
from exchanges_db.symbols.saved_lists import ListFolder
from exchanges_db.symbols.sync_targets import find_targets
from tests.exchange_server import (
    BTC_PATH,
    DELIVERY_PATH,
    DETAIL_PATH,
    FAR,
    GATE_ERROR,
    MEXC_PATH,
    OFFLINE_PATH,
    UNDERLYINGS_PATH,
    USDT_PATH,
    default_lists,
    exchanges,
)
from tests.factories import an_exchange
from tests.http_server import answer, chunked, packed, serving
from tests.payload_rows import FUTURES, MEXC, SPOT, many, mexc, payload, spot

IDS = {MEXC: 1, SPOT: 2, FUTURES: 3}
FAST = DownloadSettings(first_wait=0.01, longest_wait=0.1, attempts=2, read_timeout=1)


async def synced(exchange: str, database: Database, **more: Any) -> list[ImportReport]:
    """Sync, and return the reports of the lists that were imported."""
    outcomes = await sync_symbols(exchange, **{"settings": FAST, **more}, db=database)
    assert all(one.error is None for one in outcomes)
    return reports_of(outcomes)


def content(path: str) -> bytes:
    """What a file holds."""
    return Path(path).read_bytes()


def reports_of(outcomes: Iterable[ListOutcome]) -> list[ImportReport]:
    """The reports of those lists that have one."""
    return [one.report for one in outcomes if one.report is not None]


async def point(database: Database, exchange: str, url: str | None, **more: Any) -> None:
    """Let an exchange's base_url lead here."""
    row = await get_exchange_by_enum(exchange, db=database)
    assert row is not None
    assert await update_exchange(row.id, {"base_url": url, **more}, db=database)


@pytest.mark.parametrize(("exchange", "path"), [(MEXC, "/api/v3/exchangeInfo"), (SPOT, "/api/v4/spot/currency_pairs")])
@pytest.mark.parametrize("suffix", ["", "/", "prefix"])
async def test_one_exchange(database: Database, exchange: str, path: str, suffix: str) -> None:
    """Whatever its base_url ends with."""
    async with serving({path: packed(payload(exchange, many(exchange, 3)))}) as server:
        ending = "/".join(path.split("/")[:3]) if suffix == "prefix" else suffix
        await point(database, exchange, server.url + ending)
        (report,) = await synced(exchange, database)
        assert (report.counts()["LISTED"], report.applied, server.paths[0]) == (3, True, path)
        (again,) = await synced(exchange, database)
        assert again.changes == ()
    assert len(await list_symbols(exchange, db=database)) == 3


async def test_futures_have_a_list_for_each_settlement_and_kind(database: Database) -> None:
    """And keep the exchange's rate limit between them."""
    async with serving(exchange=exchanges()) as server:
        await point(database, FUTURES, server.url, rate_limit_requests_per_second=4)
        reports = await synced(FUTURES, database)
        assert [(str(report.listing), report.counts()["LISTED"]) for report in reports] == [
            ("PERPETUAL:USDT", 3), ("PERPETUAL:BTC", 1), ("FUTURE:USDT", 2),
        ]  # fmt: skip
        assert server.times[1] - server.times[0] >= 0.2
        again = await synced(FUTURES, database)
        assert [report.changes for report in again] == [(), (), ()]
    assert [symbol.symbol for symbol in await list_symbols(FUTURES, quote="USD", db=database)] == ["BTC/USD:BTC"]


@pytest.mark.parametrize("listing", ["PERPETUAL:USDT", "FUTURE:USDT"])
async def test_decimal_sizes_are_asked_for(database: Database, listing: str) -> None:
    """With the header that Gate.io wants; asked without it, the same server's decimal contracts are rejected alone."""
    async with serving(exchange=exchanges()) as server:
        await point(database, FUTURES, server.url)
        (report,) = await synced(FUTURES, database, listings=[listing])
        assert (report.rejected, report.listing) == ((), Listing.parse(listing))
        path = USDT_PATH if listing == "PERPETUAL:USDT" else DELIVERY_PATH
        assert server.paths == [path]
        async with Downloader(FAST) as downloader:
            without = await downloader.fetch(server.url + path)
        rejected = (await import_symbols(FUTURES, without, listing=listing, dry_run=True, db=database)).rejected
    decimal = [row["name"] for row in default_lists()[path] if row.get("enable_decimal")]
    assert [row.native_symbol for row in rejected] == decimal != []
    assert all("X-Gate-Size-Decimal: 1" in row.reason for row in rejected)
    steps = {one.native_symbol: (one.quantity_step, one.min_quantity, one.step_assumed) for one in await list_symbols(
        FUTURES, db=database
    )}  # fmt: skip
    assert steps["ETH_USDT" if path == USDT_PATH else "ETH_USDT_20961002"] == (Decimal("0.1"), Decimal("0.1"), True)


async def test_options_have_a_list_for_each_underlying_of_their_index(database: Database) -> None:
    """A name that a URL cannot hold as it is arrives whole."""
    await insert_exchange(Exchange.from_exchange_enum("GATEIO_OPTIONS"), db=database)
    async with serving(exchange=exchanges()) as server:
        await point(database, "GATEIO_OPTIONS", server.url + "/api/v4")
        reports = await synced("GATEIO_OPTIONS", database)
        assert [(str(report.listing), report.counts()["LISTED"]) for report in reports] == [
            ("OPTION:USDT:BTC_USDT", 2), ("OPTION:USDT:A&B_USDT", 1),
        ]  # fmt: skip
        assert server.paths[0] == UNDERLYINGS_PATH
        (report,) = await synced("GATEIO_OPTIONS", database, listings=["option:usdt:A&B_USDT"])
        assert (report.unchanged, report.changes) == (1, ())


@pytest.mark.parametrize("index", [[], [{"name": "nonsense"}], GATE_ERROR, b"garbage"])
async def test_an_index_that_names_no_list_is_an_error(database: Database, index: Any) -> None:
    """An exchange with nothing to import would look like one that is up to date."""
    await insert_exchange(Exchange.from_exchange_enum("GATEIO_OPTIONS"), db=database)
    async with serving(exchange=exchanges({UNDERLYINGS_PATH: answer(index)})) as server:
        await point(database, "GATEIO_OPTIONS", server.url)
        with pytest.raises(PayloadError) as info:
            await sync_symbols("GATEIO_OPTIONS", settings=FAST, db=database)
    assert info.value.listing == "index of gateio_options"
    assert server.paths == [UNDERLYINGS_PATH]
    if index is GATE_ERROR:
        assert GATE_ERROR["message"] in str(info.value)


async def test_mexc_futures_keep_five_seconds_apart(database: Database) -> None:
    """MEXC allows one request of its list in five seconds, repeated ones too; its row cannot say less than one."""
    await insert_exchange(Exchange.from_exchange_enum("MEXC_FUTURES"), db=database)
    (request,) = readers_of("MEXC_FUTURES")[0].lists().values()
    assert request.seconds_apart == 5
    async with serving(exchange=exchanges()) as server:
        await point(database, "MEXC_FUTURES", server.url)
        (report,) = await synced("MEXC_FUTURES", database)
        assert (report.counts()["LISTED"], server.paths) == (2, [DETAIL_PATH])
    assert {one.symbol for one in await list_symbols("MEXC_FUTURES", db=database)} == {"BTC/USDT:USDT", "ETH/USDT:USDT"}


async def test_what_mexc_took_offline_is_delisted_when_it_says(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """A pair that its list has no longer: delisted when MEXC says, or suspended; else when it was seen."""
    names = ("BTC", "GONE", "IDLE", "LOST", "LATE")
    before = {"symbols": [mexc(f"{base}USDT", base) for base in names]}
    offline = {
        "data": [
            {"symbol": "GONEUSDT", "state": 3, "offlineTime": 1_724_125_694_000},
            {"symbol": "IDLEUSDT", "state": 2},
            {"symbol": "LATEUSDT", "state": 3, "offlineTime": FAR * 1000},
            {"symbol": "BTCUSDT", "state": 3, "offlineTime": 1_724_125_694_000},
        ]
    }
    async with serving(exchange=exchanges({MEXC_PATH: before})) as server:
        await point(database, MEXC, server.url)
        await sync_symbols(MEXC, settings=FAST, db=database)
        assert server.paths == [MEXC_PATH, OFFLINE_PATH]
    after = {"symbols": [mexc()]}
    async with serving(exchange=exchanges({MEXC_PATH: after, OFFLINE_PATH: offline})) as server:
        await point(database, MEXC, server.url)
        (report,) = await synced(MEXC, database, limits=ImportLimits(left_percent=100))
        (again,) = await synced(MEXC, database, limits=ImportLimits(left_percent=100))
    found = {one.base: (one.status, one.delisted_at) for one in await list_symbols(MEXC, tradable=None, db=database)}
    assert found == {
        "BTC": ("TRADING", None),
        "GONE": ("DELISTED", datetime(2024, 8, 20, 3, 48, 14, tzinfo=UTC)),
        "IDLE": ("HALTED", None),
        "LOST": ("DELISTED", report.observed_at),
        "LATE": ("DELISTED", report.observed_at),
    }
    assert again.changes == ()
    async with serving(exchange=exchanges({MEXC_PATH: after, OFFLINE_PATH: answer(status=404)})) as server:
        await point(database, MEXC, server.url)
        caplog.clear()
        warnings: list[str] = []
        (report,) = await synced(MEXC, database, limits=ImportLimits(left_percent=100), on_warning=warnings.append)
    assert {change.spec.base: change.spec.status for change in report.changes} == {"IDLE": "DELISTED"}
    assert len(warnings) == 1
    assert warnings[0] in caplog.text
    assert "status 404" in caplog.text
    assert "symbols that the list of mexc_spot has no longer count as delisted now" in caplog.text


async def test_a_list_does_not_wait_long_for_what_is_asked_beside_it(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer that comes byte by byte ends no attempt early, and there are several attempts."""
    impatient = DownloadSettings(connect_timeout=0.6, read_timeout=0.6, first_wait=0.01)
    drops = chunked(*[b" "] * 100, pause=0.1)
    async with serving(exchange=exchanges({OFFLINE_PATH: drops})) as server:
        await point(database, MEXC, server.url)
        begin = time.monotonic()
        (report,) = await synced(MEXC, database, settings=impatient)
    assert time.monotonic() - begin < 8  # all the bytes take ten
    assert report.counts()["LISTED"] == 2
    assert f"{OFFLINE_PATH} gave no answer in 1.2 s; symbols that the list of mexc_spot" in caplog.text


async def test_a_reader_that_fails_does_not_cost_the_lists_of_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader of an installed package that breaks when it is asked which lists it has."""

    def lists(index: bytes | None = None) -> None:
        raise ValueError("boom")

    (own,) = readers_of(SPOT)
    broken = SimpleNamespace(
        name="broken", exchange=SPOT, version=1, volatile=frozenset(), index=None,
        lists=lists, recognises=own.recognises, read=own.read,
    )  # fmt: skip
    monkeypatch.setattr("exchanges_db.symbols.payloads.readers._registered", {"broken": broken})
    async with serving(exchange=exchanges()) as server:
        await point(database, SPOT, server.url)
        await find_targets([SPOT], listings=["SPOT"], db=database)
        with pytest.raises(PayloadError, match="its reader 'broken' failed with ValueError: 'boom'") as info:
            await sync_symbols(SPOT, settings=FAST, db=database)
    assert [(str(report.listing), report.applied) for report in reports_of(info.value.outcomes)] == [("SPOT", True)]
    with pytest.raises(PayloadError, match="its reader 'broken' failed"):
        await import_symbols(SPOT, payload(SPOT, many(SPOT, 2)), listing="PERPETUAL:USDT", db=database)


async def test_a_list_is_observed_when_it_is_asked_for(database: Database) -> None:
    """What the exchange sent was true then, not when the last byte of a slow answer came."""
    begin = datetime.now(UTC)
    body = payload(SPOT, many(SPOT, 2))
    async with serving(chunked(body[:9], body[9:], pause=0.15)) as server:
        await point(database, SPOT, server.url)
        (report,) = await synced(SPOT, database)
    assert begin <= report.observed_at
    assert datetime.now(UTC) - report.observed_at > timedelta(seconds=0.4)


async def test_of_two_that_overlap_the_newer_answer_stays(database: Database) -> None:
    """Where the one that was asked for first arrives last: it is refused as older, and changes nothing."""
    old, new = (payload(SPOT, [spot(precision=digits)]) for digits in (1, 2))
    arrived = asyncio.Event()

    async def late(writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await gate.wait()
        await answer(old)(writer)

    gate = asyncio.Event()
    async with serving(late, answer(new)) as server:
        await point(database, SPOT, server.url)
        slow = asyncio.create_task(sync_symbols(SPOT, settings=DownloadSettings(), db=database))
        await asyncio.wait_for(arrived.wait(), 20)
        (quick,) = await sync_symbols(SPOT, settings=FAST, db=database)
        gate.set()
        with pytest.raises(ImportRefused, match="before the newest one") as info:
            await slow
    (first,) = info.value.outcomes
    assert quick.observed_at is not None
    assert first.observed_at is not None
    assert first.observed_at < quick.observed_at
    (symbol,) = await list_symbols(SPOT, db=database)
    assert symbol.observed_at == quick.observed_at


async def test_a_list_that_fails_does_not_cost_the_others(database: Database) -> None:
    """They are imported; the first error tells of them and of the other errors."""
    lists = {USDT_PATH: GATE_ERROR, BTC_PATH: answer(status=403)}
    async with serving(exchange=exchanges(lists)) as server:
        await point(database, FUTURES, server.url)
        with pytest.raises(PayloadError, match=GATE_ERROR["message"]) as info:
            await sync_symbols(FUTURES, settings=FAST, db=database)
    assert info.value.listing == "PERPETUAL:USDT"
    assert [str(report.listing) for report in reports_of(info.value.outcomes)] == ["FUTURE:USDT"]
    (other,) = info.value.others
    assert (type(other), other.listing) == (DownloadFailed, "PERPETUAL:BTC")
    assert {one.kind for one in await list_symbols(FUTURES, db=database)} == {"FUTURE"}


async def test_a_list_that_the_database_refuses_does_not_cost_the_others(database: Database) -> None:
    """A rule that one symbol breaks says nothing of the next list; what was committed is told with the error."""
    broken = "ALTER TABLE symbols ADD CONSTRAINT no_inverse CHECK (direction <> 'INVERSE')"
    async with serving(exchange=exchanges()) as server:
        await point(database, FUTURES, server.url)
        async with database.transaction() as tx:
            await tx.connection.execute(broken)
        with pytest.raises(ConstraintViolated) as info:
            await sync_symbols(FUTURES, settings=FAST, db=database)
    assert [(one.subject, one.outcome) for one in info.value.outcomes] == [
        ("PERPETUAL:USDT", "APPLIED"), ("PERPETUAL:BTC", "FAILED"), ("FUTURE:USDT", "APPLIED"),
    ]  # fmt: skip
    assert [str(report.listing) for report in reports_of(info.value.outcomes)] == ["PERPETUAL:USDT", "FUTURE:USDT"]
    assert (info.value.listing, info.value.others) == ("PERPETUAL:BTC", ())


async def test_what_was_imported_before_the_database_failed_is_told(database: Database) -> None:
    """Its error carries what became of each list, and no further list is asked for."""

    async def break_it(writer: asyncio.StreamWriter) -> None:
        async with database.transaction() as tx:
            await tx.connection.execute("ALTER TABLE symbols RENAME TO gone")
        await answer(default_lists()[BTC_PATH])(writer)

    told: list[ListOutcome] = []
    async with serving(exchange=exchanges({BTC_PATH: break_it})) as server:
        await point(database, FUTURES, server.url)
        with pytest.raises(DatabaseError) as info:
            await sync_symbols(FUTURES, settings=FAST, on_outcome=told.append, db=database)
    assert [(one.subject, one.outcome) for one in info.value.outcomes] == [
        ("PERPETUAL:USDT", "APPLIED"), ("PERPETUAL:BTC", "FAILED"),
    ]  # fmt: skip
    assert told == list(info.value.outcomes)
    assert (told[1].error, info.value.listing, info.value.others) == (str(info.value), "PERPETUAL:BTC", ())
    assert server.paths == [USDT_PATH, BTC_PATH]


async def test_an_exchange_that_asks_for_a_pause_is_left_alone(database: Database) -> None:
    """Whoever goes on asking is banned: its other lists are not asked for, and the error tells for how long."""
    busy = answer({"label": "TOO_MANY_REQUESTS", "message": "slow down"}, status=429, Retry_After="120")
    async with serving(exchange=exchanges({BTC_PATH: busy})) as server:
        await point(database, FUTURES, server.url)
        with pytest.raises(DownloadFailed, match=r"slow down.*it asks for a pause of 120 s") as info:
            await sync_symbols(FUTURES, settings=FAST, db=database)
        assert server.paths == [USDT_PATH, BTC_PATH]
    assert info.value.retry_after == 120
    assert [(one.subject, one.outcome, one.retry_after) for one in info.value.outcomes] == [
        ("PERPETUAL:USDT", "APPLIED", None), ("PERPETUAL:BTC", "FAILED", 120), ("FUTURE:USDT", "FAILED", None),
    ]  # fmt: skip
    assert info.value.outcomes[2].error == "not asked for, because the exchange asks for a pause of 120 s"


async def test_what_each_list_came_to_is_told(database: Database) -> None:
    """With the exchange's own words, of a status as of an answer that is none; observed by the database's clock."""
    lists = {USDT_PATH: GATE_ERROR, BTC_PATH: answer({"label": "FORBIDDEN", "message": "not from here"}, status=403)}
    async with serving(exchange=exchanges()) as server:
        await point(database, FUTURES, server.url)
        first = await sync_symbols(FUTURES, settings=FAST, db=database)
        again = await sync_symbols(FUTURES, settings=FAST, db=database)
    assert [one.outcome for one in first] == [SyncOutcome.APPLIED] * 3
    assert [one.outcome for one in again] == [SyncOutcome.UNCHANGED] * 3
    assert all(one.is_good and one.report is not None and one.exchange == FUTURES for one in again)
    async with serving(exchange=exchanges(lists)) as server:
        await point(database, FUTURES, server.url)
        with pytest.raises(PayloadError) as info:
            await sync_symbols(FUTURES, settings=FAST, db=database)
    garbled, forbidden, good = info.value.outcomes
    assert GATE_ERROR["message"] in garbled.error
    assert "answers with status 403: it says" in forbidden.error
    assert "not from here" in forbidden.error
    assert (garbled.outcome, forbidden.outcome, good.outcome) == ("FAILED", "FAILED", "UNCHANGED")
    assert all(one.observed_at is not None for one in info.value.outcomes)


@pytest.mark.parametrize(
    ("listings", "asked"),
    [
        (None, [USDT_PATH, BTC_PATH, DELIVERY_PATH]),
        (["perpetual"], [USDT_PATH, BTC_PATH]),
        ([Listing(SymbolKind.PERPETUAL, "BTC")], [BTC_PATH]),
        (("FUTURE:USDT", "FUTURE"), [DELIVERY_PATH]),
        ([], []),
    ],
)
async def test_lists_can_be_chosen(database: Database, listings: Any, asked: list[str]) -> None:
    """By kind, or by kind and settlement."""
    async with serving(exchange=exchanges()) as server:
        await point(database, FUTURES, server.url)
        await sync_symbols(FUTURES, listings=listings, settings=FAST, db=database)
        assert server.paths == asked


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"listings": ["PERPETUAL:ETH"]}, InvalidSymbol, "no list PERPETUAL:ETH; it has FUTURE:USDT, PERPETUAL:BTC, "),
        ({"listings": ["SPOT"]}, InvalidSymbol, "no list SPOT"),
        ({"listings": ["nonsense"]}, InvalidSymbol, "listings 'nonsense' is no list"),
        ({"listings": "PERPETUAL"}, InvalidSymbol, "takes several"),
        ({"listings": 7}, InvalidSymbol, "takes several"),
        ({"allow": ["everything"]}, InvalidArgument, "everything"),
        ({"settings": 7}, ConfigurationError, "DownloadSettings"),
    ],
)
async def test_a_wrong_argument_is_told_before_anything_is_asked(
    database: Database, wrong: dict[str, Any], error: type[Exception], text: str
) -> None:
    """Of the exchange, which has its limits."""
    async with serving(exchange=exchanges()) as server:
        await point(database, FUTURES, server.url)
        with pytest.raises(error, match=text):
            await sync_symbols(FUTURES, **{"settings": FAST, "db": database, **wrong})
        assert server.paths == []


async def test_a_dry_run_and_what_is_allowed_are_passed_on(database: Database) -> None:
    """As to an import; a list that would be refused is told of as such, and nothing is raised."""
    allow = [f"empty=sha256:{sha256(b'[]').hexdigest()}"]
    async with serving(answer(payload(SPOT, many(SPOT, 2))), answer([])) as server:
        await point(database, SPOT, server.url)
        await sync_symbols(SPOT, settings=FAST, db=database)
        with pytest.raises(ImportRefused, match="no symbol at all") as info:
            await sync_symbols(SPOT, settings=FAST, db=database)
        assert [one.outcome for one in info.value.outcomes] == [SyncOutcome.REFUSED]
        (would,) = await sync_symbols(SPOT, settings=FAST, dry_run=True, db=database)
        assert (would.outcome, would.report is not None and would.report.applied) == (SyncOutcome.REFUSED, False)
        assert "no symbol at all" in (would.error or "")
        (would,) = await sync_symbols(
            SPOT, settings=FAST, allow=allow, limits=ImportLimits(left_percent=100), dry_run=True, db=database
        )
        assert would.error is None
        assert [one.outcome for one in await list_imports(SPOT, db=database)] == ["REFUSED", "APPLIED"]


async def test_what_could_not_be_fetched_is_in_the_ledger(database: Database) -> None:
    """With the address, without its query, and the words; of an index as of a list, and of a dry run nothing."""
    await insert_exchange(Exchange.from_exchange_enum("GATEIO_OPTIONS"), db=database)
    failing = {USDT_PATH: answer({"message": "not you"}, status=403), UNDERLYINGS_PATH: answer(b"garbage")}
    async with serving(exchange=exchanges(failing)) as server:
        for name in (FUTURES, "GATEIO_OPTIONS"):
            await point(database, name, server.url)
            for dry_run in (True, False):
                with pytest.raises((DownloadFailed, PayloadError)):
                    await sync_symbols(name, dry_run=dry_run, settings=FAST, db=database)
    index, *rest = await list_imports(outcome="FAILED", db=database)
    (listed,) = rest
    assert (index.exchange, index.listing, index.origin) == ("GATEIO_OPTIONS", None, server.url + UNDERLYINGS_PATH)
    assert (listed.exchange, str(listed.listing), listed.origin) == (
        FUTURES, "PERPETUAL:USDT", server.url + USDT_PATH,
    )  # fmt: skip
    assert "not you" in (listed.error or "")
    applied = await list_imports(FUTURES, outcome="APPLIED", db=database)
    assert {one.origin for one in applied} == {server.url + BTC_PATH, server.url + DELIVERY_PATH}


async def test_what_was_fetched_is_kept_and_can_be_imported(database: Database, tmp_path: Path) -> None:
    """Byte for byte, with what is said beside it and all that an import needs; nothing is ever overwritten."""
    body = payload(MEXC, many(MEXC, 3))
    lists = {MEXC_PATH: packed(body), OFFLINE_PATH: default_lists()[OFFLINE_PATH]}
    folder = tmp_path / "new" / "lists"
    async with serving(exchange=exchanges(lists)) as server:
        await point(database, MEXC, server.url)
        (one,) = await sync_symbols(MEXC, settings=FAST, dry_run=True, save=folder, db=database)
        (two,) = await sync_symbols(MEXC, settings=FAST, dry_run=True, save=folder, db=database)
    saved = one.saved
    assert saved is not None
    assert content(saved.payload) == body
    assert saved.companion is not None
    assert msgspec.json.decode(content(saved.companion)) == default_lists()[OFFLINE_PATH]
    assert (saved.payload_sha256, saved.payload_size) == (sha256(body).hexdigest(), len(body))
    assert (saved.exchange, saved.listing, saved.origin) == (MEXC, Listing(SymbolKind.SPOT), server.url + MEXC_PATH)
    (meta,) = folder.glob(f"{Path(saved.payload).stem}.meta.json")
    assert msgspec.json.decode(meta.read_bytes(), type=SavedList) == saved
    assert two.saved is not None
    assert len(list(folder.iterdir())) == 6
    keeper = ListFolder(folder)
    with pytest.raises(ConfigurationError, match="File exists"):
        keeper.save(MEXC, saved.listing, saved.observed_at, "x", b"other", None)
    assert content(saved.payload) == body
    report = await import_symbols(
        MEXC, content(saved.payload), companion=content(saved.companion),
        listing=saved.listing, observed_at=saved.observed_at, db=database,
    )  # fmt: skip
    assert (report.observed_at, report.counts()["LISTED"]) == (one.observed_at, 3)


async def test_a_folder_that_cannot_be_written_is_told_before_anything_is_asked(
    database: Database, tmp_path: Path
) -> None:
    """What should be kept would be lost."""
    (tmp_path / "file").write_text("")
    async with serving(exchange=exchanges()) as server:
        await point(database, SPOT, server.url)
        with pytest.raises(ConfigurationError, match="cannot be kept"):
            await sync_symbols(SPOT, settings=FAST, save=tmp_path / "file", db=database)
        assert server.paths == []


async def test_another_import_is_waited_for_aloud(database: Database) -> None:
    """And not for ever: it is told who runs since when, and the list fails, not the sync."""
    said: list[str] = []
    async with serving(exchange=exchanges()) as server:
        await point(database, SPOT, server.url)
        async with database.transaction() as tx:
            await tx.connection.execute("SELECT pg_advisory_xact_lock($1, $2)", int.from_bytes(b"symb"), IDS[SPOT])
            with pytest.raises(ImportBusy) as info:
                await sync_symbols(SPOT, settings=FAST, wait=0.3, on_wait=said.append, db=database)
    assert [one.outcome for one in info.value.outcomes] == [SyncOutcome.FAILED]
    assert len(said) == 1
    assert "another import of GATEIO_SPOT runs since" in said[0]


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
    assert await list_symbols(SPOT, tradable=None, db=database) == []


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
    await point(database, SPOT, "https://h.invalid/?key=HUNTER2")
    with pytest.raises(ConfigurationError, match="must end before any") as info:
        await sync_symbols(SPOT, db=database)
    assert "HUNTER2" not in str(info.value)
    with pytest.raises(ExchangeNotFound, match="no row for MEXC_FUTURES yet: exchanges-db add MEXC_FUTURES"):
        await sync_symbols("mexc_futures", db=database)


async def test_without_names_every_active_exchange_with_a_reader_is_synced(database: Database) -> None:
    """One that is named is synced also while it is not active; all names are checked before any is asked."""
    await insert_exchange(an_exchange(name="MINE", enum_value="MINE"), db=database)
    assert await deactivate_exchange(IDS[FUTURES], db=database)
    assert [target.row.enum_value for target in await find_targets(None, db=database)] == [SPOT, MEXC]
    assert [target.row.enum_value for target in await find_targets(["gateio_futures", FUTURES], db=database)] == [
        FUTURES
    ]
    for names, error in (([SPOT, "NOBODY"], ExchangeNotFound), ([SPOT, "MINE"], ConfigurationError)):
        with pytest.raises(error):
            await find_targets(names, db=database)
    for number in (1, 2):
        assert await deactivate_exchange(number, db=database)
    with pytest.raises(ConfigurationError, match="no active exchange that can be synced: GATEIO_FUTURES, "):
        await find_targets(None, db=database)


async def test_two_readers_of_one_list_are_not_chosen_between(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever came first would decide what the rows mean."""
    (own,) = readers_of(SPOT)
    twin = SimpleNamespace(name="twin", index=None, lists=own.lists, exchange=SPOT)
    monkeypatch.setattr("exchanges_db.symbols.sync_targets.readers_of", lambda exchange: (own, twin))
    with pytest.raises(ConfigurationError, match="two readers have the list SPOT of GATEIO_SPOT: gateio_spot and twin"):
        await sync_symbols(SPOT, settings=FAST, db=database)
