"""Look-ups of symbols, whether they may be traded, and what two exchanges have in common."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest

from exchanges_db import (
    Database,
    ExchangeEnum,
    InvalidArgument,
    InvalidExchange,
    InvalidSymbol,
    Obstacle,
    SchemaMismatch,
    Symbol,
    SymbolKind,
    SymbolStats,
    SymbolStatus,
    can_trade,
    common_symbols,
    deactivate_exchange,
    diff_symbols,
    get_symbol,
    get_symbol_as_of,
    get_symbol_by_native,
    get_symbol_history,
    get_symbol_stats,
    import_symbols,
    list_symbols,
    list_symbols_as_of,
    search_symbols,
)
from exchanges_db.database.dsn import Dsn
from tests.factories import connected
from tests.hostile_text import HOSTILE
from tests.payload_rows import FUTURES, MEXC, SPOT, allowed, futures, mexc, payload, spot
from tests.symbol_rows import LISTINGS, insert

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
AHEAD = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
async def loaded(database: Database) -> Database:
    """Two symbols on each exchange, one of them odd."""
    rows: dict[str, list[dict[str, Any]]] = {
        MEXC: [mexc(), mexc("ETHUSDT", "ETH", status="2")],
        SPOT: [spot(), spot("PEPE", trade_status="sellable")],
        FUTURES: [futures("BTC", order_price_round="0.25", quanto_multiplier="0.0001"), futures("1000PEPE")],
    }
    for exchange, some in rows.items():
        await import_symbols(exchange, payload(exchange, some), listing=LISTINGS.get(exchange), db=database)
    return database


def names(found: list[Symbol]) -> list[tuple[str, str]]:
    """Exchange and canonical name of each."""
    return [(symbol.exchange, symbol.symbol) for symbol in found]


async def one(database: Database, exchange: str, name: str) -> Symbol:
    """A symbol that must be there."""
    found = await get_symbol_by_native(exchange, name, db=database)
    assert found is not None
    return found


async def test_a_symbol_by_either_name(loaded: Database) -> None:
    """The same string is one symbol on spot and another on futures."""
    here = await get_symbol(ExchangeEnum.GATEIO, "BTC/USDT", db=loaded)
    there = await get_symbol(FUTURES, "BTC/USDT:USDT", db=loaded)
    assert here is not None
    assert there is not None
    assert (here.native_symbol, here.kind) == ("BTC_USDT", SymbolKind.SPOT)
    assert (there.native_symbol, there.kind) == ("BTC_USDT", SymbolKind.PERPETUAL)
    assert await get_symbol_by_native(SPOT, "BTC_USDT", db=loaded) == here
    assert await get_symbol_by_native(FUTURES, "BTC_USDT", db=loaded) == there


@pytest.mark.parametrize("get", [get_symbol, get_symbol_by_native])
async def test_a_symbol_that_is_not_there_is_none(loaded: Database, get: Any) -> None:
    """The exchange is there, so the answer is known."""
    assert await get(SPOT, "NO/SUCH", db=loaded) is None


async def test_the_live_symbol_comes_before_the_dead(dsn: Dsn) -> None:
    """Of several dead ones, the last counts."""
    dead = {"status": "DELISTED", "delisted_at": "2026-01-01T00:00:00Z"}
    async with connected(dsn) as conn:
        ids = [await insert(conn, **dead), await insert(conn), await insert(conn, **dead)]
        for get, name in ((get_symbol, "BTC/USDT"), (get_symbol_by_native, "BTC_USDT")):
            found = await get(MEXC, name, db=conn)
            assert found is not None
            assert found.id == ids[1]
        await conn.execute("DELETE FROM symbols WHERE id = $1", ids[1])
        last = await get_symbol(MEXC, "BTC/USDT", db=conn)
        assert last is not None
        assert last.id == ids[2]


async def test_lists_by_everything_there_is(loaded: Database) -> None:
    """And by several at once; by default those that can be traded."""
    assert names(await list_symbols(db=loaded)) == [
        (FUTURES, "1000PEPE/USDT:USDT"), (FUTURES, "BTC/USDT:USDT"), (SPOT, "BTC/USDT"), (MEXC, "BTC/USDT"),
    ]  # fmt: skip
    assert names(await list_symbols(MEXC, tradable=False, db=loaded)) == [(MEXC, "ETH/USDT")]
    assert len(await list_symbols(tradable=None, db=loaded)) == 6
    assert names(await list_symbols(base="BTC", kind="perpetual", db=loaded)) == [(FUTURES, "BTC/USDT:USDT")]
    assert len(await list_symbols(base="BTC", quote="USDT", kind=SymbolKind.SPOT, db=loaded)) == 2
    assert await list_symbols(quote="EUR", db=loaded) == []


async def test_symbols_of_an_inactive_exchange_do_not_trade(loaded: Database) -> None:
    """They are kept, and still TRADING by their own status."""
    await deactivate_exchange(2, db=loaded)
    assert await list_symbols(SPOT, db=loaded) == []
    assert len(await list_symbols(SPOT, tradable=False, db=loaded)) == 2
    symbol = await one(loaded, SPOT, "BTC_USDT")
    assert symbol.status is SymbolStatus.TRADING
    assert (await can_trade(symbol, "BUY", db=loaded)).obstacle is Obstacle.EXCHANGE_INACTIVE


async def test_search_finds_parts_in_any_case(loaded: Database) -> None:
    """Live before dead, short before long; wildcards of SQL are text."""
    assert names(await search_symbols("pepe", db=loaded)) == [(SPOT, "PEPE/USDT"), (FUTURES, "1000PEPE/USDT:USDT")]
    assert names(await search_symbols("btcu", db=loaded)) == [(MEXC, "BTC/USDT")]
    assert len(await search_symbols("usdt", limit=2, db=loaded)) == 2
    assert await search_symbols("%", db=loaded) == []
    for limit in (0, -1, 2**40, True, 1.5):
        with pytest.raises(InvalidSymbol, match="limit"):
            await search_symbols("x", limit=limit, db=loaded)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_names_are_names(shared_dsn: Dsn, text: str) -> None:
    """Found nowhere, or refused by an error of ours."""
    async with Database(shared_dsn) as database:
        for call in (get_symbol, get_symbol_by_native, get_symbol_history):
            try:
                assert not await call(SPOT, text, db=database)
            except InvalidSymbol:
                assert not 0 < len(text) <= 200 or "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text)


@pytest.mark.parametrize("bad", [None, 7, b"x", "", "x" * 201])
async def test_what_is_no_name_is_an_error(conn: asyncpg.Connection, bad: Any) -> None:
    """Ours, before anything is sent."""
    for call in (get_symbol, get_symbol_by_native):
        with pytest.raises(InvalidSymbol, match="1 to 200 characters"):
            await call(SPOT, bad, db=conn)
    with pytest.raises(InvalidSymbol, match="kind"):
        await list_symbols(kind=bad or "SWAP", db=conn)
    with pytest.raises(InvalidExchange):
        await get_symbol(bad, "BTC/USDT", db=conn)


async def test_numbers_of_the_past_are_exact(dsn: Dsn) -> None:
    """Also where the caller's connection makes floats of jsonb."""
    async with connected(dsn) as conn:
        await conn.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        tick = "0.1234567890123456789012345678901"
        async with connected(dsn) as other:
            await insert(other, price_tick=tick)
        for _ in range(2):
            symbol = await get_symbol(MEXC, "BTC/USDT", db=conn)
            assert symbol is not None
            past = await get_symbol_as_of(MEXC, "BTC/USDT", symbol.created_at, db=conn)
            assert past is not None
            assert past.price_tick == Decimal(tick)
            await conn.execute("UPDATE symbols SET status = 'HALTED'")


async def test_the_present_and_the_past_are_one_shape(loaded: Database) -> None:
    """As of now is what the look-up gives, field by field."""
    now = datetime.now(UTC) + timedelta(seconds=1)
    for symbol in await list_symbols(tradable=None, db=loaded):
        then = await get_symbol_as_of(symbol.exchange, symbol.symbol, now, db=loaded)
        assert then == symbol
    assert len(await list_symbols_as_of(FUTURES, now, db=loaded)) == 2
    assert await list_symbols_as_of(FUTURES, LONG_AGO, db=loaded) == []
    for call in (list_symbols_as_of, diff_symbols):
        with pytest.raises(InvalidArgument, match="time zone"):
            await call(FUTURES, datetime(2026, 1, 1), db=loaded)  # noqa: DTZ001 - that is the point


async def test_figures(loaded: Database) -> None:
    """By exchange, kind and status."""
    figures = await get_symbol_stats(db=loaded)
    assert all(isinstance(row, SymbolStats) for row in figures)
    assert [(row.exchange, row.kind.value, row.status.value, row.symbols) for row in figures] == [
        (FUTURES, "PERPETUAL", "TRADING", 2),
        (SPOT, "SPOT", "CLOSE_ONLY", 1),
        (SPOT, "SPOT", "TRADING", 1),
        (MEXC, "SPOT", "HALTED", 1),
        (MEXC, "SPOT", "TRADING", 1),
    ]


async def test_common_symbols_share_a_grid(loaded: Database) -> None:
    """Both legs, the least tick and lot that fit both, exactly."""
    (pair,) = await common_symbols(MEXC, FUTURES, db=loaded)
    assert (pair.a.exchange, pair.b.exchange) == (MEXC, FUTURES)
    assert pair.price_tick == Decimal("0.25")  # 0.01 and 0.25
    assert pair.quantity_step == Decimal("0.0001")  # 0.000001, and contracts of 0.0001
    (other,) = await common_symbols(MEXC, SPOT, db=loaded)
    assert (other.price_tick, other.quantity_step) == (Decimal("0.1"), Decimal("0.000001"))
    with pytest.raises(InvalidArgument, match="two exchanges or more, each once"):
        await common_symbols(SPOT, SPOT, db=loaded)
    three = await common_symbols(MEXC, FUTURES, SPOT, db=loaded)
    found = {(one.a.exchange, one.b.exchange) for one in three}
    assert (len(three), found) == (3, {(MEXC, SPOT), (FUTURES, SPOT), (MEXC, FUTURES)})


async def test_contracts_that_count_in_quote_share_no_lot(loaded: Database) -> None:
    """One inverse contract is another amount of coin at each price."""
    inverse = [futures("BTC", "USDT", type="inverse", quanto_multiplier="0")]
    data = payload(FUTURES, inverse)
    await import_symbols(FUTURES, data, listing="PERPETUAL:BTC", allow=allowed(data), db=loaded)
    pairs = await common_symbols(SPOT, FUTURES, db=loaded)
    assert [pair.quantity_step for pair in pairs if pair.b.settle == "BTC"] == [None]


async def test_a_row_of_a_later_version_says_so(conn: asyncpg.Connection) -> None:
    """Not a traceback of the decoder."""
    await insert(conn)
    await conn.execute("ALTER TABLE symbols DROP CONSTRAINT symbols_sides_known")
    await conn.execute("UPDATE symbols SET sides = 'ODD'")
    with pytest.raises(SchemaMismatch):
        await get_symbol(MEXC, "BTC/USDT", db=conn)
    with pytest.raises(SchemaMismatch):
        await get_symbol_as_of(MEXC, "BTC/USDT", AHEAD, db=conn)


def test_models_are_json() -> None:
    """Enums by their text, numbers as text."""
    stats = SymbolStats(exchange="X", kind=SymbolKind.SPOT, status=SymbolStatus.TRADING, symbols=1, latest_update=AHEAD)
    assert b'"kind":"SPOT"' in msgspec.json.encode(stats)
