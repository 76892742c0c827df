"""Lists: only its own symbols can vanish from one, what it says last is kept, and a user's own source can bring one."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from exchanges_db import (
    AmbiguousSymbol,
    Brake,
    Database,
    Exchange,
    ImportRefused,
    ImportReport,
    InvalidSymbol,
    Listing,
    Obstacle,
    Reader,
    SymbolKind,
    SymbolSpec,
    can_trade,
    get_symbol,
    get_symbol_by_native,
    get_symbol_raw,
    import_specs,
    import_symbols,
    insert_exchange,
    list_symbol_lists,
    list_symbols,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.symbols.payloads.readers import all_readers
from tests.factories import connected
from tests.payload_rows import FUTURES, MAKERS, MEXC, SPOT, allowed, delivery, futures, many, payload, spot
from tests.symbol_rows import as_spec_fields

NOW = datetime(2026, 1, 31, tzinfo=UTC)
FINGERPRINT = """
    SELECT md5(string_agg(t, ',' ORDER BY t)) FROM (
        SELECT s.xmin::text || s.ctid::text || s::text AS t FROM symbols AS s
        UNION ALL SELECT h.xmin::text || h.ctid::text || h::text FROM symbol_history AS h
        UNION ALL SELECT r.xmin::text || r.ctid::text || r::text FROM symbol_raw AS r
    ) AS x
"""
every_reader = pytest.mark.parametrize("reader", all_readers(), ids=lambda reader: reader.name)


def listing_of(reader: Reader) -> Listing:
    """A list that the reader reads."""
    return next(iter(reader.lists()), Listing(SymbolKind.OPTION, "USDT", "BTC_USDT"))


async def load(
    database: Database, reader: Reader, rows: list[dict[str, Any]], at: datetime = NOW, **options: Any
) -> ImportReport:
    """Import rows as a list of the reader's, of an exchange that is there."""
    if reader.exchange not in (MEXC, SPOT, FUTURES):
        known = await list_symbol_lists(db=database)
        if reader.exchange not in {one.exchange for one in known}:
            await insert_exchange(Exchange.from_exchange_enum(reader.exchange), db=database)
    data = payload(reader.name, rows)
    return await import_symbols(
        reader.exchange,
        data,
        listing=listing_of(reader),
        observed_at=at,
        allow=allowed(data, ["foreign"]),
        db=database,
        **options,
    )


def changed(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, list):
        return [*value, 1]
    return f"{value}1"


@every_reader
async def test_what_moves_by_the_minute_writes_nothing(database: Database, dsn: Dsn, reader: Reader) -> None:
    """Each volatile key by itself, and all at once, in another order; but the list counts as observed."""
    row = MAKERS[reader.name]()
    moving = {key: changed(row[key]) for key in reader.volatile if key in row}
    assert bool(moving) == bool(reader.volatile)
    await load(database, reader, [row])
    async with connected(dsn) as conn:
        before = await conn.fetchval(FINGERPRINT)
        for number, change in enumerate([{}, *({key: value} for key, value in moving.items()), moving], 1):
            mixed = dict(reversed([*{**row, **change}.items()]))
            report = await load(database, reader, [mixed], NOW + timedelta(minutes=number))
            assert (report.changes, report.applied) == ((), True)
        assert await conn.fetchval(FINGERPRINT) == before
    (one,) = await list_symbol_lists(reader.exchange, db=database)
    assert (one.source, one.observed_at) == (reader.name, NOW + timedelta(minutes=number))


@every_reader
async def test_whatever_else_the_exchange_says_is_kept(database: Database, reader: Reader) -> None:
    """A key that no column is made of, new or known, is stored with the time it was said at; no version comes of it."""
    row = MAKERS[reader.name]()
    await load(database, reader, [row])
    first = await database_raw(database, reader)
    later = NOW + timedelta(hours=1)
    await load(database, reader, [{**row, "a_new_field": {"n": [1, None]}}], later)
    second = await database_raw(database, reader)
    assert (first[1], second[1]) == (NOW, later)
    assert second[0] == {**first[0], "a_new_field": {"n": [1, None]}}
    assert first[0] == json.loads(json.dumps(row))
    symbols = await list_symbols(reader.exchange, tradable=None, db=database)
    assert [symbol.spec_version for symbol in symbols] == [1]


async def database_raw(database: Database, reader: Reader) -> tuple[dict[str, Any], datetime | None]:
    """The stored row of the one symbol, and when the exchange gave it."""
    (symbol,) = await list_symbols(reader.exchange, tradable=None, db=database)
    raw = await get_symbol_raw(reader.exchange, symbol.native_symbol, db=database)
    assert raw is not None
    assert (raw.exchange, raw.native_symbol) == (reader.exchange, symbol.native_symbol)
    return json.loads(raw.raw), raw.observed_at


async def test_a_row_goes_with_its_symbol(dsn: Dsn) -> None:
    """By DELETE and by TRUNCATE; nobody is left with the raw row of a symbol that is gone."""
    async with connected(dsn) as conn:
        for remove in ("DELETE FROM symbols WHERE native_symbol = 'C0_USDT'", "TRUNCATE symbols"):
            await import_symbols(SPOT, payload(SPOT, many(SPOT, 3)), db=conn)
            assert await conn.fetchval("SELECT count(*) FROM symbol_raw") == 3
            await conn.execute(remove)
            left = await conn.fetchval("SELECT count(*) FROM symbol_raw")
            assert left == await conn.fetchval("SELECT count(*) FROM symbols")


async def test_a_delivery_list_beside_perpetuals_delists_none(database: Database) -> None:
    """Three lists of one exchange; what leaves one is gone from that one alone."""
    expiry = int((datetime.now(UTC) + timedelta(days=90)).timestamp())
    dated = [delivery(base=f"C{n}", expire_time=expiry) for n in range(12)]
    inverse = [futures("BTC", "USD", type="inverse", quanto_multiplier="0")]
    loads: list[tuple[str, list[dict[str, Any]]]] = [
        ("PERPETUAL:USDT", many(FUTURES, 12)),
        ("FUTURE:USDT", dated),
        ("PERPETUAL:BTC", inverse),
        ("FUTURE:USDT", dated[1:]),
        ("PERPETUAL:USDT", many(FUTURES, 12)),
    ]
    counts = []
    for listing, rows in loads:
        report = await import_symbols(FUTURES, payload(FUTURES, rows), listing=listing, db=database)
        assert str(report.listing) == listing
        counts.append({kind: count for kind, count in report.counts().items() if count})
    assert counts == [{"LISTED": 12}, {"LISTED": 12}, {"LISTED": 1}, {"DELISTED": 1}, {}]
    lists = await list_symbol_lists(FUTURES, db=database)
    assert [str(one.listing) for one in lists] == ["FUTURE:USDT", "PERPETUAL:BTC", "PERPETUAL:USDT"]
    kinds = {symbol.kind for symbol in await list_symbols(FUTURES, db=database)}
    assert kinds == {SymbolKind.PERPETUAL, SymbolKind.FUTURE}


async def test_a_list_given_for_another_is_refused(database: Database) -> None:
    """Its rows carry the names of the other's symbols; nothing is delisted for it."""
    await import_symbols(FUTURES, payload(FUTURES, many(FUTURES, 3)), listing="PERPETUAL:USDT", db=database)
    quanto = payload(FUTURES, [*many(FUTURES, 3), futures("BTC", "BTC")])
    with pytest.raises(ImportRefused, match="--allow foreign=sha256:") as refused:
        await import_symbols(FUTURES, quanto, listing="PERPETUAL:BTC", db=database)
    assert "'C0_USDT' (C0/USDT:USDT)" in str(refused.value) or "settlement" in str(refused.value)
    assert len(await list_symbols(FUTURES, db=database)) == 3


@pytest.mark.parametrize("listing", ["PERPETUAL", "PERPETUAL:USDT"])
async def test_lists_do_not_overlap(database: Database, listing: str) -> None:
    """A symbol of two lists would vanish from one of them at each import of the other."""
    other = "PERPETUAL:USDT" if listing == "PERPETUAL" else "PERPETUAL"
    await import_specs(MEXC, listing, [specification("linear")], source="own", db=database)
    with pytest.raises(InvalidSymbol, match=f"{other} of MEXC_SPOT would overlap its list {listing}") as refused:
        await import_specs(MEXC, other, [], source="own", db=database)
    assert refused.value.field == "listing"


async def test_a_dry_run_and_a_refusal_observe_nothing(database: Database) -> None:
    """Nobody has confirmed anything."""
    await import_symbols(SPOT, payload(SPOT, many(SPOT, 20)), dry_run=True, db=database)
    with pytest.raises(ImportRefused):
        await import_symbols(SPOT, payload(MEXC, []), db=database)
    assert await list_symbol_lists(db=database) == []


async def test_a_shared_name_that_is_the_exchanges_own_of_one_stands_for_that(database: Database) -> None:
    """Else the advice to ask by the exchange's own name would lead back to the same error."""
    rows = [spot("GAS", id="GAS/USDT"), spot("GAS", id="GASNEO_USDT", trade_status="untradable")]
    await import_symbols(SPOT, payload(SPOT, rows), db=database)
    assert await can_trade(SPOT, "GAS/USDT", "BUY", db=database)
    assert not await can_trade(SPOT, "GASNEO_USDT", "BUY", db=database)
    with pytest.raises(AmbiguousSymbol) as caught:
        await can_trade(SPOT, "gas/usdt", "BUY", db=database)
    assert caught.value.candidates == ("GAS/USDT", "GASNEO_USDT")


async def test_what_a_report_tells_of_symbols_that_cannot_be_meant_or_traded(database: Database) -> None:
    """Two live symbols of one canonical name are both kept; limits that no order can keep to are named."""
    rows = [
        spot("GAS"),
        spot("GAS", id="GASNEO_USDT"),
        spot("TIGHT", min_base_amount="5", max_base_amount="4.9999999", amount_precision=0),
        spot("USDe"),
        spot("USDE"),
    ]
    rows[2] |= {"min_base_amount": "4.5", "max_base_amount": "4.9"}
    report = await import_symbols(SPOT, payload(SPOT, rows), db=database)
    assert report.ambiguous == {"GAS/USDT": ("GASNEO_USDT", "GAS_USDT")}
    assert report.unsatisfiable == ("TIGHT_USDT",)
    with pytest.raises(AmbiguousSymbol):
        await get_symbol(SPOT, "GAS/USDT", db=database)
    assert not await can_trade(SPOT, "TIGHT/USDT", "BUY", db=database)
    for name in ("USDe/USDT", "USDE/USDT"):
        found = await get_symbol(SPOT, name, db=database)
        assert found is not None
        assert found.symbol == name


def specification(of: str = "spot", **fields: Any) -> SymbolSpec:
    """A specification of a user's own making."""
    return SymbolSpec(**as_spec_fields(of, **fields))


async def test_specs_are_imported_with_the_same_difference_and_brakes(database: Database) -> None:
    """Marked with their source; without a row of a payload there is none to be asked for."""
    many_specs = [specification(native_symbol=f"C{n}", symbol=f"C{n}/USDT", base=f"C{n}") for n in range(20)]
    first = await import_specs("mexc_spot", "spot", iter(many_specs), source="ccxt 4.5", observed_at=NOW, db=database)
    assert (first.exchange, str(first.listing), first.source, first.counts()["LISTED"]) == (
        MEXC,
        "SPOT",
        "ccxt 4.5",
        20,
    )
    symbol = await get_symbol_by_native(MEXC, "C1", db=database)
    assert symbol is not None
    assert (symbol.source, symbol.observed_at) == ("ccxt 4.5", NOW)
    assert await get_symbol_raw(MEXC, "C1", db=database) is None
    # A Symbol is a specification with more; the same again changes nothing.
    again = await import_specs(
        MEXC, Listing(SymbolKind.SPOT), [symbol, *many_specs[2:], many_specs[0]], source="other", db=database
    )
    assert again.changes == ()
    assert (await get_symbol_by_native(MEXC, "C1", db=database)) == symbol
    with pytest.raises(ImportRefused, match="10 of 20 live symbols left the list"):
        await import_specs(MEXC, "SPOT", many_specs[:10], source="other", db=database)
    twice = await import_specs(MEXC, "SPOT", [*many_specs, many_specs[0]], source="other", db=database)
    assert [(row.native_symbol, row.brake) for row in twice.held_back] == [("C0", Brake.DUPLICATE)]
    gone = await import_specs(MEXC, "SPOT", many_specs[:19], source="other", db=database)
    assert gone.counts()["DELISTED"] == 1


async def test_specifications_that_were_reviewed_are_let_through_by_their_hash(database: Database) -> None:
    """They have no payload; the hash is made of them, in whatever order, and is no other's."""
    many_specs = [specification(native_symbol=f"C{n}", symbol=f"C{n}/USDT", base=f"C{n}") for n in range(10)]
    await import_specs(MEXC, "SPOT", many_specs, source="own", observed_at=NOW, db=database)
    later = NOW + timedelta(minutes=1)
    with pytest.raises(ImportRefused, match="--allow left=sha256:") as info:
        await import_specs(MEXC, "SPOT", many_specs[:4], source="own", observed_at=later, db=database)
    allow = [f"left=sha256:{info.value.report.payload_sha256}"]
    with pytest.raises(ImportRefused):
        await import_specs(MEXC, "SPOT", many_specs[:3], source="own", observed_at=later, allow=allow, db=database)
    done = await import_specs(
        MEXC, "SPOT", reversed(many_specs[:4]), source="own", observed_at=later, allow=allow, db=database
    )
    assert done.counts()["DELISTED"] == 6


async def test_a_spec_that_could_not_be_made_has_not_vanished(database: Database) -> None:
    """Its symbol stays and is closed, because nobody knows what the exchange says of it now."""
    specs = [specification(native_symbol=f"C{n}", symbol=f"C{n}/USDT", base=f"C{n}") for n in range(20)]
    await import_specs(MEXC, "SPOT", specs, source="own", db=database)
    report = await import_specs(
        MEXC, "SPOT", specs[1:], source="own", rejected={"C0": "its tick depends on the price"}, db=database
    )
    assert [(row.native_symbol, row.reason) for row in report.rejected] == [("C0", "its tick depends on the price")]
    assert report.changes == ()
    answer = await can_trade(MEXC, "C0", "BUY", db=database)
    assert answer.obstacle is Obstacle.DOUBTFUL
    (one,) = await list_symbol_lists(MEXC, db=database)
    assert one.doubtful == 1


BAD_SPECS: list[tuple[Callable[[], dict[str, Any]], str]] = [
    (lambda: {"specs": "BTC"}, "specs must be a list"),
    (lambda: {"specs": None}, "specs must be a list"),
    (lambda: {"specs": [{"native_symbol": "X"}]}, "SymbolSpec only"),
    (lambda: {"specs": [specification("linear")]}, "is not of the list SPOT"),
    (lambda: {"source": ""}, "source"),
    (lambda: {"source": 7}, "source"),
    (lambda: {"source": "x" * 101}, "source"),
    (lambda: {"listing": "SWAP"}, "listing 'SWAP' is no list"),
    (lambda: {"listing": "SPOT:USDT"}, "settle is for contracts"),
    (lambda: {"listing": "FUTURE:USDT:BTC_USDT"}, "underlying is for lists of options"),
    (lambda: {"listing": 7}, "listing"),
    (lambda: {"rejected": ["C0"]}, "rejected must map"),
    (lambda: {"rejected": {"C0": 7}}, "reason"),
    (lambda: {"rejected": {"": "x"}}, "native_symbol"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD_SPECS, ids=range(len(BAD_SPECS)))
async def test_what_is_no_list_of_specs_is_refused(
    conn: asyncpg.Connection, arguments: Callable[[], dict[str, Any]], said: str
) -> None:
    """Before anything is written, in words."""
    given = {"listing": "SPOT", "specs": [specification()], "source": "own", **arguments()}
    with pytest.raises(InvalidSymbol, match=said):
        await import_specs(MEXC, given.pop("listing"), given.pop("specs"), **given, db=conn)
    assert await conn.fetchval("SELECT count(*) FROM symbols") == 0


async def test_what_a_symbol_is_called_in_another_case_is_the_same_symbol(database: Database) -> None:
    """Codes were once kept in capitals: the exchange's own spelling changes the row, and makes no new one."""
    await import_symbols(SPOT, payload(SPOT, [spot("USDE", id="USDe_USDT")]), db=database)
    before = await get_symbol_by_native(SPOT, "USDe_USDT", db=database)
    report = await import_symbols(SPOT, payload(SPOT, [spot("USDe")]), db=database)
    after = await get_symbol_by_native(SPOT, "USDe_USDT", db=database)
    assert before is not None
    assert after is not None
    assert (after.id, after.base, after.symbol, after.spec_version) == (before.id, "USDe", "USDe/USDT", 2)
    assert report.counts()["CHANGED"] == 1


OVERLAPS = [
    ("PERPETUAL:USDT", "PERPETUAL"),
    ("PERPETUAL", "PERPETUAL:USDT"),
    ("OPTION:USDT:BTC_USDT", "OPTION:USDT"),
    ("OPTION", "OPTION:USDT:BTC_USDT"),
    ("SPOT", "SPOT"),
]
APART = [
    ("PERPETUAL:USDT", "PERPETUAL:BTC"),
    ("PERPETUAL", "FUTURE"),
    ("OPTION:USDT:BTC_USDT", "OPTION:USDT:ETH_USDT"),
]


async def write_list(conn: asyncpg.Connection, text: str) -> None:
    """Write the row of a list by hand, past the import's own check."""
    listing = Listing.parse(text)
    await conn.execute(
        "INSERT INTO symbol_lists (exchange_id, kind, settle, underlying, source, observed_at) "
        "VALUES (3, $1, $2, $3, 'by hand', now())",
        listing.kind.value, listing.settle, listing.underlying,
    )  # fmt: skip


@pytest.mark.parametrize(("one", "other"), OVERLAPS)
async def test_the_database_refuses_lists_that_overlap(conn: asyncpg.Connection, one: str, other: str) -> None:
    """With both, symbol_rows would give a symbol of theirs twice, and one of the two times would be wrong."""
    await write_list(conn, one)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as caught:
        await write_list(conn, other)
    name = "symbol_lists_list_key" if one == other else "symbol_lists_no_overlap"
    assert caught.value.constraint_name == name
    assert Listing.parse(one).overlaps(Listing.parse(other))


@pytest.mark.parametrize(("one", "other"), APART)
async def test_the_database_takes_lists_that_do_not_overlap(conn: asyncpg.Connection, one: str, other: str) -> None:
    """Any number of lists of one exchange, as long as a symbol can stand in one of them only."""
    await write_list(conn, one)
    await write_list(conn, other)
    assert not Listing.parse(one).overlaps(Listing.parse(other))


def test_a_listing_is_text_and_back() -> None:
    """As the command line and reports write it."""
    for text in ("SPOT", "PERPETUAL", "PERPETUAL:USDT", "FUTURE:BTC", "OPTION:USDT:BTC_USDT"):
        assert str(Listing.parse(text)) == text
        assert Listing.parse(Listing.parse(text)) == Listing.parse(text)
    assert Listing.parse("perpetual:usdt") == Listing(SymbolKind.PERPETUAL, "USDT")
    assert Listing.parse("Perpetual:USDe") == Listing(SymbolKind.PERPETUAL, "USDe")
    with pytest.raises(InvalidSymbol):
        Listing("SPOT")  # type: ignore[arg-type]
    one = msgspec.json.decode(msgspec.json.encode(Listing(SymbolKind.SPOT)), type=Listing)
    assert one == Listing(SymbolKind.SPOT)
