"""Import: the difference and nothing else, all or nothing, one at a time, and refused where a list looks wrong."""

import asyncio
import json
import logging
import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from exchanges_db import (
    Brake,
    ConstraintViolated,
    Database,
    ExchangeNotFound,
    ImportLimits,
    ImportRefused,
    ImportReport,
    InvalidArgument,
    PayloadError,
    Symbol,
    SymbolStatus,
    get_symbol,
    get_symbol_as_of,
    get_symbol_by_native,
    get_symbol_history,
    get_symbol_raw,
    import_symbols,
    insert_exchange,
    list_imports,
    list_symbols,
    list_symbols_as_of,
)
from exchanges_db.database.dsn import Dsn
from tests.factories import an_exchange, connected
from tests.fix_server import url_of
from tests.payload_rows import FUTURES, MEXC, SPOT, allowed, futures, many, mexc, payload, spot
from tests.symbol_rows import LISTINGS

HERE = Path(__file__).parent
COUNTS = "SELECT (SELECT count(*) FROM symbols), (SELECT count(*) FROM symbol_history)"


async def load(database: Database, exchange: str, rows: list[dict[str, Any]], **options: Any) -> ImportReport:
    """Import these rows; in `allow` are the names of the brakes that are to let them through."""
    data = payload(exchange, rows)
    options["allow"] = allowed(data, options.get("allow", ()))
    return await import_symbols(exchange, data, db=database, **{"listing": LISTINGS.get(exchange), **options})


def counted(report: ImportReport) -> dict[str, int]:
    """The kinds of change there were."""
    return {kind: count for kind, count in report.counts().items() if count}


async def fingerprint(dsn: Dsn) -> str:
    """Everything that is stored of symbols, and where: a write that changes nothing shows too."""
    async with connected(dsn) as conn:
        return str(
            await conn.fetchval(
                "SELECT md5(string_agg(t, ',' ORDER BY t)) FROM (SELECT xmin::text || ctid::text || s::text AS t "
                "FROM symbols AS s UNION ALL SELECT xmin::text || ctid::text || h::text FROM symbol_history AS h "
                "UNION ALL SELECT xmin::text || ctid::text || r::text FROM symbol_raw AS r) AS x"
            )
        )


@pytest.mark.parametrize("exchange", [MEXC, SPOT, FUTURES])
async def test_the_same_payload_again_writes_nothing(database: Database, dsn: Dsn, exchange: str) -> None:
    """Not even a new version of the same row."""
    rows = many(exchange, 30)
    first = await load(database, exchange, rows)
    assert (counted(first), first.applied, first.unchanged) == ({"LISTED": 30}, True, 0)
    before = await fingerprint(dsn)
    random.Random(1).shuffle(rows)
    again = await load(database, exchange, rows)
    assert (counted(again), again.unchanged) == ({}, 30)
    assert await fingerprint(dsn) == before


async def test_what_moves_all_the_time_makes_no_version(database: Database, dsn: Dsn) -> None:
    """Prices, funding, open interest."""
    await load(database, FUTURES, [futures()])
    before = await fingerprint(dsn)
    moving: dict[str, Any] = {
        "mark_price": "1",
        "last_price": "2",
        "funding_rate": "0.1",
        "position_size": 7,
        "trade_id": 9,
    }
    await load(database, FUTURES, [futures(**moving)])
    assert await fingerprint(dsn) == before


async def test_what_is_stored_is_what_was_read(database: Database, dsn: Dsn) -> None:
    """To the last digit, with the row it came from."""
    odd = futures("1000PEPE", order_price_round="1e-10", quanto_multiplier=1000000, extra={"n": 0.10000000000000000001})
    await load(database, FUTURES, [odd, futures()])
    pepe = await get_symbol_by_native(FUTURES, "1000PEPE_USDT", db=database)
    assert pepe is not None
    assert (pepe.price_tick, pepe.price_decimals, pepe.contract_size) == (Decimal("1e-10"), 10, Decimal(1000000))
    assert (pepe.min_notional, pepe.list_maker_fee, pepe.source) == (None, Decimal("-0.0001"), "gateio_futures")
    text = payload(SPOT, [spot()]).replace(b'"precision":1', b'"precision":1,"x":0.12345678901234567890123')
    await import_symbols(SPOT, text, db=database)
    raw = await get_symbol_raw(SPOT, "BTC/USDT", db=database)
    assert raw is not None
    assert msgspec.json.Decoder(float_hook=Decimal).decode(raw.raw)["x"] == Decimal("0.12345678901234567890123")


async def test_a_dry_run_writes_nothing(database: Database, dsn: Dsn) -> None:
    """And tells what would happen, brakes and all."""
    await load(database, SPOT, many(SPOT, 10))
    before = await fingerprint(dsn)
    report = await load(database, SPOT, [*many(SPOT, 5), spot("NEW")], dry_run=True)
    assert (counted(report), report.applied) == ({"LISTED": 1, "DELISTED": 5}, False)
    assert [hit.brake for hit in report.brakes] == [Brake.LEFT]
    assert await fingerprint(dsn) == before


BAD: list[tuple[Brake, list[dict[str, Any]]]] = [
    (Brake.EMPTY, []),
    (Brake.LEFT, many(SPOT, 10)),
    (Brake.MASS, [spot(f"C{n}", trade_status="untradable") for n in range(20)]),
    (Brake.JUMP, [spot(f"C{n}", precision=9) for n in range(20)]),
    (Brake.DUPLICATE, [*many(SPOT, 20), *many(SPOT, 6)]),
    (Brake.REJECTED, [*many(SPOT, 14), *(spot(f"C{n}", precision="x") for n in range(14, 20))]),
]


def test_every_brake_has_a_case() -> None:
    """A new one fails here until it has its rows; those that are about whole payloads have their own."""
    assert {brake for brake, _ in BAD} | {Brake.FOREIGN, Brake.OLDER, Brake.FUTURE} == set(Brake)


@pytest.mark.parametrize(("brake", "rows"), BAD, ids=[brake for brake, _ in BAD])
async def test_a_brake_refuses_and_says_what_allows_it(
    database: Database, dsn: Dsn, brake: Brake, rows: list[dict[str, Any]]
) -> None:
    """Nothing is written until the payload that was reviewed is allowed; then it is applied."""
    await load(database, SPOT, many(SPOT, 20))
    before = await fingerprint(dsn)
    hash_of = sha256(payload(SPOT, rows)).hexdigest()
    with pytest.raises(ImportRefused, match=f"--allow {brake.lower()}=sha256:{hash_of[:16]}") as info:
        await load(database, SPOT, rows)
    assert brake in [hit.brake for hit in info.value.report.brakes]
    assert not info.value.report.applied
    assert await fingerprint(dsn) == before
    with pytest.raises(ImportRefused):
        await load(database, SPOT, rows, allow=set(Brake) - {brake})
    report = await load(database, SPOT, rows, allow=Brake)
    assert report.applied
    assert all(hit.allowed for hit in report.brakes)


async def test_another_exchanges_payload_is_refused(database: Database) -> None:
    """Unless it is meant: a copy of an exchange under another name has a reader that way."""
    with pytest.raises(ImportRefused, match="--allow foreign=sha256:"):
        await import_symbols(SPOT, payload(MEXC, [mexc()]), db=database)
    await insert_exchange(an_exchange(name="MIRROR", enum_value="MIRROR"), db=database)
    with pytest.raises(ImportRefused, match="reads like a payload of MEXC_SPOT, not of MIRROR"):
        await import_symbols("MIRROR", payload(MEXC, [mexc()]), db=database)
    data = payload(MEXC, [mexc()])
    report = await import_symbols("MIRROR", data, allow=allowed(data, ["foreign"]), db=database)
    assert report.applied


async def test_what_cannot_be_asked_for(database: Database) -> None:
    """Is an error of ours before anything is sent."""
    with pytest.raises(ExchangeNotFound):
        await import_symbols("NOBODY", payload(MEXC, [mexc()]), db=database)
    with pytest.raises(PayloadError):
        await import_symbols(SPOT, b"<html>", db=database)
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"allow": ["everything=BTC_USDT"]}, "allow", "no brake; the brakes are EMPTY, LEFT"),
        *(({"allow": no_list}, "allow", "allow takes a list") for no_list in ("jump=BTC_USDT", Brake.LEFT, None, 1)),
        ({"limits": {"left_percent": 5}}, "limits", "must be an ImportLimits"),
        ({"origin": b"x"}, "origin", "must be the URL or file"),
        *(({"wait": no_time}, "wait", "a number of seconds") for no_time in (-1, "1", None, True, float("nan"))),
        ({"observed_at": datetime(2026, 1, 1)}, "observed_at", "time zone"),  # noqa: DTZ001 - that is the point
    ]
    for options, field, said in wrong:
        with pytest.raises(InvalidArgument, match=said) as caught:
            await import_symbols(SPOT, payload(SPOT, [spot()]), db=database, **options)
        assert caught.value.field == field
    assert [one.outcome for one in await list_imports(db=database)] == ["FAILED"]  # the page that is no list


async def test_a_rejected_row_leaves_its_symbol_as_it_is(database: Database) -> None:
    """And the others are imported."""
    await load(database, SPOT, many(SPOT, 20))
    report = await load(database, SPOT, [spot("C0", precision="x"), spot("C1", precision=2), *many(SPOT, 20)[2:]])
    assert (counted(report), [row.native_symbol for row in report.rejected]) == ({"CHANGED": 1}, ["C0_USDT"])
    kept = await get_symbol(SPOT, "C0/USDT", db=database)
    assert kept is not None
    assert kept.status is SymbolStatus.TRADING


async def test_settlements_of_one_exchange_do_not_delist_each_other(database: Database) -> None:
    """Their lists are separate answers."""
    await load(database, FUTURES, many(FUTURES, 3))
    inverse = [futures("BTC", "USD", type="inverse", quanto_multiplier="0")]
    assert counted(await load(database, FUTURES, inverse, listing="PERPETUAL:BTC")) == {"LISTED": 1}
    assert counted(await load(database, FUTURES, many(FUTURES, 3))) == {}
    assert {symbol.settle for symbol in await list_symbols(FUTURES, db=database)} == {"USDT", "BTC"}


async def test_a_life_of_a_symbol_can_be_asked_for_at_every_point(database: Database) -> None:
    """Listed, changed, halted, resumed, delisted, relisted, and its name given to another coin."""
    rest = many(SPOT, 20)
    course: list[tuple[str, dict[str, Any] | None]] = [
        ("LISTED", spot("A")),
        ("CHANGED", spot("A", precision=2)),
        ("HALTED", spot("A", precision=2, trade_status="untradable")),
        ("RESUMED", spot("A", precision=2)),
        ("DELISTED", None),
        ("RELISTED", spot("A", precision=2)),
        ("DELISTED", spot("OTHER", id="A_USDT")),
    ]
    moments: list[datetime] = []
    await load(database, SPOT, rest)
    for kind, row in course:
        report = await load(database, SPOT, [*rest, row] if row else rest)
        assert kind in counted(report)
        moments.append(await now())
    known = [await get_symbol_as_of(SPOT, "A_USDT", moment, db=database) for moment in moments]
    states = [(symbol.base, symbol.price_tick, symbol.status.value) for symbol in known if symbol is not None]
    coarse, fine = Decimal("0.1"), Decimal("0.01")
    assert states == [
        ("A", coarse, "TRADING"),
        ("A", fine, "TRADING"),
        ("A", fine, "HALTED"),
        ("A", fine, "TRADING"),
        ("A", fine, "DELISTED"),
        ("A", fine, "TRADING"),
        ("OTHER", coarse, "TRADING"),
    ]
    assert await get_symbol_as_of(SPOT, "A_USDT", moments[0] - timedelta(days=1), db=database) is None
    versions = await get_symbol_history(SPOT, "A/USDT", db=database)
    assert [version.spec_version for version in versions] == [1, 2, 3, 4, 5, 6, 7]
    assert versions[-1].valid_to is None
    assert all(before.valid_to == after.valid_from for before, after in pairwise(versions))
    at_fourth = await list_symbols_as_of(SPOT, moments[4], tradable=None, db=database)
    assert len(at_fourth) == 21
    assert [symbol.native_symbol for symbol in at_fourth if symbol.status is SymbolStatus.DELISTED] == ["A_USDT"]


async def now() -> datetime:
    """A time between two imports; the server's clock is this machine's."""
    await asyncio.sleep(0.002)
    return datetime.now(UTC)


async def test_random_courses_answer_as_a_model_does(database: Database) -> None:
    """40 imports of random payloads; every state they left is asked for again at the end."""
    draw = random.Random(7)
    states: list[tuple[datetime, dict[str, tuple[Decimal, str]]]] = []
    for _ in range(40):
        rows = [
            spot(f"C{number}", precision=draw.choice([1, 2]), trade_status=draw.choice(["tradable", "untradable"]))
            for number in range(12)
            if draw.random() < 0.8
        ]
        await load(database, SPOT, rows, allow=Brake)
        offered = {row["id"]: (Decimal(1).scaleb(-row["precision"]), row["trade_status"]) for row in rows}
        states.append((await now(), offered))
    for moment, expected in states:
        found = await list_symbols_as_of(SPOT, moment, tradable=None, db=database)
        live = {
            symbol.native_symbol: (
                symbol.price_tick,
                "tradable" if symbol.status is SymbolStatus.TRADING else "untradable",
            )
            for symbol in found
            if symbol.status is not SymbolStatus.DELISTED
        }
        assert live == expected


@pytest.mark.parametrize("exchange", [MEXC, SPOT, FUTURES])
async def test_what_a_reader_takes_the_database_takes(database: Database, exchange: str) -> None:
    """200 payloads with flipped bytes and odd values, imported with every brake allowed: stored, or refused by us."""
    draw = random.Random(exchange)
    odd: list[Any] = [
        None,
        True,
        0,
        -1,
        10**40,
        "",
        " ",
        "NaN",
        "1e99",
        "-1e-99",
        1e300,
        "9" * 60,
        [],
        {},
        "x" * 120,
        "永续",
        "\x00",
        0.1,
    ]
    applied = 0
    for _ in range(200):
        rows = many(exchange, 6)
        for _ in range(draw.randint(0, 3)):
            row = draw.choice(rows)
            row[draw.choice([*row, "brand_new"])] = draw.choice(odd)
        text = bytearray(payload(exchange, rows))
        for _ in range(draw.choice([0, 0, 1, 3])):
            text[draw.randrange(len(text))] = draw.randrange(256)
        try:
            applied += (
                await import_symbols(
                    exchange, bytes(text), listing=LISTINGS.get(exchange), allow=allowed(bytes(text)), db=database
                )
            ).applied
        except PayloadError:
            continue
    assert applied > 100
    assert len(await list_symbols(exchange, tradable=None, db=database)) >= 6


async def test_two_imports_at_once_do_not_mix(database: Database, dsn: Dsn) -> None:
    """One waits for the other; what stands at the end is one whole payload."""
    await load(database, SPOT, many(SPOT, 200))
    one = [spot(f"C{number}", precision=2) for number in range(200)]
    two = [spot(f"C{number}", precision=3) for number in range(200)]
    await asyncio.gather(*(load(database, SPOT, rows, allow=Brake) for rows in (one, two) * 4))
    assert len({symbol.price_tick for symbol in await list_symbols(SPOT, db=database)}) == 1
    async with connected(dsn) as conn:
        assert await conn.fetchval("SELECT count(*) FROM symbols") == 200


async def test_the_first_import_twice_at_once_lists_each_symbol_once(database: Database) -> None:
    """The second finds nothing to do."""
    at = datetime.now(UTC)
    reports = await asyncio.gather(*(load(database, SPOT, many(SPOT, 300), observed_at=at) for _ in range(4)))
    assert sorted(len(report.changes) for report in reports) == [0, 0, 0, 300]


async def test_a_statement_that_fails_in_the_middle_leaves_nothing(database: Database, dsn: Dsn) -> None:
    """More rows than one statement takes; the last is refused by the database."""
    async with connected(dsn) as conn:
        await conn.execute("ALTER TABLE symbols ADD CONSTRAINT no_c2499 CHECK (base <> 'C2499')")
        with pytest.raises(ConstraintViolated):
            await load(database, SPOT, many(SPOT, 2500))
        assert tuple(await conn.fetchrow(COUNTS) or ()) == (0, 0)


async def test_progress_is_told(database: Database) -> None:
    """Rises to the number of changes."""
    told: list[tuple[int, int]] = []
    await load(database, SPOT, many(SPOT, 2500), on_progress=lambda done, total: told.append((done, total)))
    assert told == [(1000, 2500), (2000, 2500), (2500, 2500)]


async def test_an_import_is_logged_in_one_line(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """With its figures."""
    with caplog.at_level(logging.INFO, logger="exchanges_db"):
        await load(database, SPOT, many(SPOT, 3))
        await load(database, SPOT, many(SPOT, 3))
    assert [record.getMessage() for record in caplog.records if "imported" in record.getMessage()] == [
        "imported SPOT of GATEIO_SPOT: 3 LISTED", "imported SPOT of GATEIO_SPOT: nothing changed",
    ]  # fmt: skip


async def test_an_import_can_be_part_of_the_callers_transaction(database: Database, conn: asyncpg.Connection) -> None:
    """Which also ends it."""
    async with database.transaction() as transaction:
        await import_symbols(SPOT, payload(SPOT, many(SPOT, 3)), db=transaction)
        assert len(await list_symbols(SPOT, db=transaction)) == 3
        transaction.discard()
    assert await list_symbols(SPOT, db=database) == []
    await import_symbols(SPOT, payload(SPOT, many(SPOT, 3)), db=conn)
    assert len(await list_symbols(SPOT, db=conn)) == 3


@pytest.mark.parametrize("round_", range(6))
async def test_killed_at_any_point_it_leaves_all_or_nothing(dsn: Dsn, tmp_path: Path, round_: int) -> None:
    """Kill -9 at a random moment; then the whole state is one payload or the other, and an import works at once."""
    files = []
    for precision in (1, 2):
        files.append(tmp_path / f"{precision}.json")
        files[-1].write_bytes(payload(SPOT, [spot(f"C{number}", precision=precision) for number in range(1500)]))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "import_until_killed.py"),
        SPOT,
        *map(str, files),
        env={"DATABASE_URL": url_of(dsn), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    await asyncio.sleep(random.Random(round_).uniform(0.05, 0.8))
    process.kill()
    await process.wait()
    async with Database(dsn) as database:
        deadline = time.monotonic() + 25
        symbols: list[Symbol] = await list_symbols(SPOT, db=database)
        assert len(symbols) in (0, 1500)
        assert len({symbol.price_tick for symbol in symbols}) <= 1
        assert len({symbol.spec_version for symbol in symbols}) <= 1
        any_field = ImportLimits(field_percent=100)  # what was killed last may have been the other file's import
        await import_symbols(SPOT, files[0].read_bytes(), limits=any_field, db=database)
        assert time.monotonic() < deadline
        async with connected(dsn) as conn:
            versions = await conn.fetchval("SELECT max(spec_version) FROM symbols")
            history = await conn.fetchval("SELECT count(*) FROM symbol_history")
            assert history == 1500 * (versions - 1)


async def test_a_report_is_json(database: Database) -> None:
    """For programs."""
    rows = [spot(), spot("ETH", trade_status="odd"), spot("X", precision="x")]
    report = await load(database, SPOT, rows, allow=["Rejected"])
    data = json.loads(msgspec.json.encode(report))
    assert data["changes"][0]["spec"]["price_tick"] == "0.1"
    assert data["rejected"][0]["native_symbol"] == "X_USDT"
    assert data["unknown_values"] == [{"field": "trade_status", "value": "odd", "effect": "HALTED", "rows": 1}]
