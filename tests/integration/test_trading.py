"""can_trade: the current row by the server's clock, an observation before a guess, the past by the history."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import asyncpg
import msgspec
import pytest

from exchanges_db import (
    AmbiguousSymbol,
    Database,
    ExchangeNotFound,
    InvalidArgument,
    InvalidSymbol,
    Obstacle,
    OrderType,
    Side,
    Symbol,
    SymbolNotFound,
    can_trade,
    deactivate_exchange,
    get_symbol,
    get_symbol_by_native,
    import_symbols,
    list_symbols,
    list_symbols_as_of,
)
from exchanges_db.database.dsn import Dsn
from tests.factories import connected
from tests.payload_rows import FUTURES, MEXC, SPOT, futures, many, payload, spot
from tests.symbol_rows import insert

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
AHEAD = datetime(2100, 1, 1, tzinfo=UTC)
AT = "2099-01-01T00:00:00Z"
PAST = "2020-01-01T00:00:00Z"
JUDGED: list[tuple[dict[str, Any], dict[str, Any], Obstacle | None]] = [
    ({}, {}, None),
    ({"status": "HALTED"}, {}, Obstacle.HALTED),
    ({"status": "PRELAUNCH"}, {}, Obstacle.NOT_OPEN_YET),
    ({"status": "PRELAUNCH", "buy_opens_at": AT}, {}, Obstacle.NOT_OPEN_YET),
    ({"status": "PRELAUNCH", "buy_opens_at": AT, "sides": "NONE"}, {"at": AHEAD}, None),
    (
        {"status": "PRELAUNCH", "buy_opens_at": AT, "sides": "NONE"},
        {"at": AHEAD, "side": "SELL"},
        Obstacle.NOT_OPEN_YET,
    ),
    ({"status": "PRELAUNCH", "buy_opens_at": AT, "is_premarket": True}, {"at": AHEAD}, Obstacle.NOT_OPEN_YET),
    ({"status": "PRELAUNCH", "buy_opens_at": PAST}, {}, None),
    ({"buy_opens_at": AT}, {}, Obstacle.NOT_OPEN_YET),
    ({"buy_opens_at": AT}, {"at": AHEAD}, None),
    ({"buy_opens_at": AT, "sides": "SELL"}, {"side": "SELL"}, None),
    ({"buy_opens_at": AT, "sides": "SELL"}, {"at": AHEAD}, None),
    ({"status": "CLOSE_ONLY"}, {}, Obstacle.ONLY_CLOSING),
    ({"status": "CLOSE_ONLY"}, {"closing": True}, Obstacle.ONLY_CLOSING),
    ({"status": "CLOSE_ONLY"}, {"side": "SELL"}, None),
    ({"status": "CLOSE_ONLY", "sides": "SELL"}, {"side": "SELL"}, None),
    ({"delisting_at": AT, "delisted_at": AT}, {}, None),
    ({"delisting_at": AT, "delisted_at": AT}, {"at": AHEAD}, Obstacle.DELISTED),
    ({"status": "DELISTED", "delisted_at": PAST}, {}, Obstacle.DELISTED),
    ({"sides": "BUY"}, {"side": Side.BUY}, None),
    ({"sides": "BUY"}, {"side": Side.SELL}, Obstacle.SIDE),
    ({"sides": "NONE"}, {}, Obstacle.SIDE),
    ({"api_tradable": False}, {}, Obstacle.NOT_BY_API),
    ({"order_types": ["LIMIT"]}, {"order_type": "market"}, Obstacle.ORDER_TYPE),
    ({"order_types": ["LIMIT"]}, {"order_type": OrderType.LIMIT}, None),
    ({"min_quantity": "5", "quantity_step": "3", "max_quantity": "5.5"}, {}, Obstacle.UNSATISFIABLE),
    ({}, {"at": LONG_AGO}, Obstacle.UNKNOWN_THEN),
]


async def the_symbol(conn: Any, name: str = "BTC/USDT", exchange: str = MEXC) -> Symbol:
    """A symbol that must be there."""
    found = await get_symbol(exchange, name, db=conn)
    assert found is not None
    return found


@pytest.mark.parametrize(("fields", "question", "obstacle"), JUDGED, ids=range(len(JUDGED)))
async def test_whether_one_may_trade(
    conn: asyncpg.Connection, fields: dict[str, Any], question: dict[str, Any], obstacle: Obstacle | None
) -> None:
    """With what is in the way, and in words; the same by symbol, by canonical and by native name."""
    await insert(conn, **fields)
    symbol = await the_symbol(conn)
    asked = {"side": "BUY", **question}
    for answer in (
        await can_trade(symbol, **asked, db=conn),
        await can_trade(MEXC, "BTC/USDT", **asked, db=conn),
        await can_trade(exchange=MEXC, symbol="BTC_USDT", **asked, db=conn),
    ):
        assert answer.obstacle == obstacle
        assert bool(answer) is answer.allowed is (obstacle is None)
        assert (answer.reason is None) is (obstacle is None)
        assert (obstacle in answer.obstacles) is (obstacle is not None)


async def test_a_contract_closes_where_the_caller_says_so(conn: asyncpg.Connection) -> None:
    """Until its end, from which on nothing is taken."""
    await insert(conn, "linear", delisting_at=AT, delisted_at="2099-02-01T00:00:00Z")
    between, after = datetime(2099, 1, 15, tzinfo=UTC), datetime(2099, 2, 1, tzinfo=UTC)
    symbol = await the_symbol(conn)
    assert await can_trade(symbol, "SELL", db=conn)
    assert (await can_trade(symbol, "SELL", between, db=conn)).obstacle is Obstacle.ONLY_CLOSING
    assert await can_trade(symbol, "SELL", between, closing=True, db=conn)
    assert (await can_trade(symbol, "SELL", after, closing=True, db=conn)).obstacle is Obstacle.DELISTED


async def test_a_future_ends_at_its_expiry(conn: asyncpg.Connection) -> None:
    """To the moment."""
    await insert(conn, "future")
    row = await the_symbol(conn)
    assert row.expires_at is not None
    assert await can_trade(row, "BUY", row.expires_at - timedelta(microseconds=1), db=conn)
    assert (await can_trade(row, "BUY", row.expires_at, db=conn)).obstacle is Obstacle.EXPIRED


async def test_it_answers_for_the_time_that_is_asked(dsn: Dsn) -> None:
    """What halted later could be traded before, and so could an exchange that is inactive now."""
    async with connected(dsn) as conn:
        await insert(conn)
        symbol = await the_symbol(conn)
        before = await conn.fetchval("SELECT clock_timestamp()")
        await conn.execute("UPDATE symbols SET status = 'HALTED'")
        assert await can_trade(symbol, "BUY", before, db=conn)
        assert (await can_trade(symbol, "BUY", db=conn)).obstacle is Obstacle.HALTED
        await deactivate_exchange(1, db=conn)
        assert await can_trade(MEXC, "BTC/USDT", "BUY", before, db=conn)
        assert (await can_trade(symbol, "BUY", db=conn)).obstacles == (Obstacle.EXCHANGE_INACTIVE, Obstacle.HALTED)


async def test_a_moment_ago_is_judged_by_what_is_recorded(dsn: Dsn) -> None:
    """A launch that was put off, as the list said again after its time, in an import that changed nothing else.

    The ledger has it, because an announced time lay in between: the past is as closed as now was, and stays so.
    """
    async with connected(dsn) as conn:
        now: datetime = await conn.fetchval("SELECT clock_timestamp()")
        launch = int((now - timedelta(hours=1)).timestamp())
        late = payload(FUTURES, [futures(status="prelaunch", launch_time=launch)])
        for hours in (2, 0.5):
            moment = now - timedelta(hours=hours)
            await import_symbols(FUTURES, late, listing="PERPETUAL:USDT", observed_at=moment, db=conn)
        symbol = await the_symbol(conn, "ETH/USDT:USDT", FUTURES)
        assert symbol.spec_version == 1
        a_moment_ago: datetime = await conn.fetchval("SELECT clock_timestamp()")
        for _ in range(2):
            assert (await can_trade(symbol, "BUY", db=conn)).obstacle is Obstacle.NOT_OPEN_YET
            assert (await can_trade(FUTURES, "ETH_USDT", "BUY", db=conn)).obstacle is Obstacle.NOT_OPEN_YET
            assert await list_symbols(FUTURES, db=conn) == []
            then = await can_trade(symbol, "BUY", a_moment_ago, db=conn)
            assert then.obstacle is Obstacle.NOT_OPEN_YET
            assert not await can_trade(FUTURES, "ETH_USDT", "BUY", a_moment_ago, db=conn)
            assert await list_symbols_as_of(FUTURES, a_moment_ago, db=conn) == []
            await import_symbols(FUTURES, late, listing="PERPETUAL:USDT", db=conn)


@pytest.mark.parametrize("late", [timedelta(seconds=3), timedelta(days=-30)])
async def test_now_is_the_servers_clock(dsn: Dsn, monkeypatch: pytest.MonkeyPatch, late: timedelta) -> None:
    """A client whose clock is wrong trades nothing that was just halted, and nothing that has not opened."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Wrong":
            return cls.fromtimestamp((datetime.now(tz) - late).timestamp(), tz)

    async with connected(dsn) as conn:
        await insert(conn)
        symbol = await the_symbol(conn)
        await conn.execute("UPDATE symbols SET status = 'HALTED'")
        for module in ("trading", "judge", "rows", "look_ups"):
            monkeypatch.setattr(f"exchanges_db.symbols.{module}.datetime", Wrong, raising=False)
        assert (await can_trade(symbol, "BUY", db=conn)).obstacle is Obstacle.HALTED
        assert await list_symbols(MEXC, db=conn) == []
        soon = await conn.fetchval("SELECT clock_timestamp() + interval '1 second'")
        await conn.execute("UPDATE symbols SET status = 'PRELAUNCH', buy_opens_at = $1, sell_opens_at = $1", soon)
        assert (await can_trade(symbol, "BUY", db=conn)).obstacle is Obstacle.NOT_OPEN_YET


async def test_another_symbol_under_its_id_is_not_judged(conn: asyncpg.Connection) -> None:
    """An id alone does not say which symbol is meant: a copy of the database may have given it to another."""
    await insert(conn)
    symbol = await the_symbol(conn)
    other_times = symbol.created_at - timedelta(seconds=1)
    for change in (
        {"native_symbol": "ETH_USDT"},
        {"exchange": SPOT, "exchange_id": 2},
        {"exchange": SPOT, "created_at": other_times},
        {"base": "ETH"},
    ):
        other = msgspec.structs.replace(symbol, **change)
        answer = await can_trade(other, "BUY", db=conn)
        assert answer.obstacles == (Obstacle.OTHER_SYMBOL,)
        assert answer.reason == (
            "the database has another symbol under its id, or its exchange has another name since: look it up again"
        )
    await conn.execute("DELETE FROM symbols")
    assert (await can_trade(symbol, "BUY", db=conn)).obstacles == (Obstacle.UNKNOWN_THEN,)


async def test_a_name_that_is_not_there_is_an_error(conn: asyncpg.Connection) -> None:
    """Not a silent no: it is a slip of the pen, and the error names the nearest."""
    await insert(conn)
    with pytest.raises(SymbolNotFound, match=r"did you mean|is called BTC/USDT"):
        await can_trade(MEXC, "BTC/USD", "BUY", db=conn)
    with pytest.raises(ExchangeNotFound, match="MEXC_SPOT"):
        await can_trade("MEXC_SPO", "BTC/USDT", "BUY", db=conn)
    await insert(conn, native_symbol="BTCB_USDT")
    with pytest.raises(AmbiguousSymbol, match="'BTCB_USDT' or 'BTC_USDT'"):
        await can_trade(MEXC, "BTC/USDT", "BUY", db=conn)
    assert await can_trade(MEXC, "BTCB_USDT", "BUY", db=conn)


async def test_what_can_trade_cannot_judge(conn: asyncpg.Connection) -> None:
    """No symbol, a word that is not a side or a type, a time without a zone, too few or too many arguments."""
    await insert(conn)
    symbol = await the_symbol(conn)
    for nothing in (None, 7, b"BTC"):
        with pytest.raises(InvalidSymbol, match="wants a Symbol"):
            await can_trade(nothing, "BUY", db=conn)  # type: ignore[call-overload]
    with pytest.raises(InvalidArgument, match="side"):
        await can_trade(symbol, "LONG", db=conn)
    with pytest.raises(InvalidArgument, match="order_type 'STOP' is not one of LIMIT"):
        await can_trade(symbol, "BUY", order_type="STOP", db=conn)
    with pytest.raises(InvalidArgument, match="time zone"):
        await can_trade(symbol, "BUY", datetime(2026, 1, 1), db=conn)  # noqa: DTZ001 - that is the point
    calls: list[Callable[[], Any]] = [
        lambda: can_trade(MEXC, "BTC/USDT", db=conn),  # type: ignore[call-overload]
        lambda: can_trade(symbol, db=conn),  # type: ignore[call-overload]
        lambda: can_trade(symbol, "BUY", None, "BUY", db=conn),  # type: ignore[call-overload]
        lambda: can_trade(symbol, "BUY", side="BUY", db=conn),  # type: ignore[call-overload]
        lambda: can_trade(symbol, "BUY", when=None, db=conn),  # type: ignore[call-overload]
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"^can_trade (lacks|takes) "):
            await call()


async def observe(db: Any, rows: list[dict[str, Any]], at: datetime, exchange: str = SPOT, **options: Any) -> None:
    """Import rows as the exchange gave them at a time."""
    document = payload(exchange, rows)
    reviewed = f"jump=sha256:{sha256(document).hexdigest()}"
    await import_symbols(exchange, document, observed_at=at, **{"allow": [reviewed], **options}, db=db)


async def test_an_observation_outranks_a_guess(database: Database) -> None:
    """A launch that the exchange put off stays closed; a delisting that it withdrew does not close; each is told."""
    now = datetime.now(UTC)
    opening = int((now - timedelta(minutes=10)).timestamp())
    late = spot("LATE", trade_status="untradable", buy_start=opening, sell_start=opening)
    kept = spot("KEPT", delisting_time=opening)
    await observe(database, [late, kept], now - timedelta(minutes=20))
    # Observed before the time: it acts by itself.
    assert await can_trade(SPOT, "LATE/USDT", "BUY", db=database)
    assert (await can_trade(SPOT, "KEPT/USDT", "SELL", db=database)).obstacle is Obstacle.DELISTED
    assert [one.base for one in await list_symbols(SPOT, db=database)] == ["LATE"]
    # Observed after it, and the exchange says otherwise, in a list that changes nothing else.
    await observe(database, [{**late, "trade_status": "untradable"}, kept], now - timedelta(minutes=5))
    assert await can_trade(SPOT, "KEPT/USDT", "SELL", db=database)
    answer = await can_trade(SPOT, "LATE/USDT", "BUY", db=database)
    assert answer.obstacle in (Obstacle.HALTED, Obstacle.NOT_OPEN_YET)
    assert [one.base for one in await list_symbols(SPOT, db=database)] == ["KEPT"]


async def test_a_row_that_cannot_be_read_closes_its_symbol(database: Database) -> None:
    """What the exchange said of it last is not known; a list that can be read opens it again."""
    rows, now = many(SPOT, 20), datetime.now(UTC)
    await observe(database, rows, now - timedelta(minutes=2))
    await observe(database, [spot("C0", precision="x"), *rows[1:]], now - timedelta(minutes=1))
    answer = await can_trade(SPOT, "C0/USDT", "BUY", db=database)
    assert answer.obstacles == (Obstacle.DOUBTFUL,)
    assert len(await list_symbols(SPOT, db=database)) == 19
    await observe(database, rows, now)
    assert await can_trade(SPOT, "C0/USDT", "BUY", db=database)
    assert len(await list_symbols(SPOT, db=database)) == 20


async def test_a_row_that_cannot_be_read_closes_its_symbol_a_moment_ago_too(dsn: Dsn) -> None:
    """Whoever gives the time of a clock of their own asks about the past; what is before that list stays open."""
    rows, ends = many(SPOT, 20), timedelta(minutes=5)
    async with connected(dsn) as conn:
        now: datetime = await conn.fetchval("SELECT clock_timestamp()")
        # Its end came before the list that cannot be read: nobody has withdrawn it.
        rows[0] = spot("C0", delisting_time=int((now - ends).timestamp()))
        await observe(conn, rows, now - timedelta(minutes=9))
        known: datetime = await conn.fetchval("SELECT clock_timestamp()")
        await observe(conn, [spot("C0", precision="x"), *rows[1:]], known)
        symbol = await the_symbol(conn, "C0/USDT", SPOT)
        a_moment_ago: datetime = await conn.fetchval("SELECT clock_timestamp()")
        for at in (None, a_moment_ago):
            assert Obstacle.DOUBTFUL in (await can_trade(symbol, "BUY", at, db=conn)).obstacles
            assert Obstacle.DOUBTFUL in (await can_trade(SPOT, "C0_USDT", "SELL", at, db=conn)).obstacles
        listed = await list_symbols_as_of(SPOT, a_moment_ago, db=conn)
        assert listed == await list_symbols(SPOT, db=conn)
        assert len(listed) == 19
        assert symbol in await list_symbols_as_of(SPOT, a_moment_ago, tradable=False, db=conn)
        before = known - timedelta(microseconds=1)
        assert (await can_trade(symbol, "BUY", before, db=conn)).obstacles == (Obstacle.DELISTED,)


async def test_the_past_is_judged_by_what_was_known_then(dsn: Dsn) -> None:
    """By name and in lists, also of a row that was deleted since."""
    async with connected(dsn) as conn:
        await insert(conn)
        before = await conn.fetchval("SELECT clock_timestamp()")
        await conn.execute("UPDATE symbols SET status = 'HALTED'")
        halted = await conn.fetchval("SELECT clock_timestamp()")
        await conn.execute("DELETE FROM symbols")
        assert await can_trade(MEXC, "BTC/USDT", "BUY", before, db=conn)
        assert (await can_trade(MEXC, "BTC_USDT", "BUY", halted, db=conn)).obstacle is Obstacle.HALTED
        assert len(await list_symbols_as_of(MEXC, before, db=conn)) == 1
        assert await list_symbols_as_of(MEXC, halted, db=conn) == []
        assert len(await list_symbols_as_of(MEXC, halted, tradable=False, db=conn)) == 1


async def test_a_dated_contract_is_judged_by_its_own_times(database: Database) -> None:
    """A perpetual and a future of one name are two symbols; the future ends at its expiry, whatever its row says."""
    now = datetime.now(UTC)
    expiry = now + timedelta(seconds=40)
    dated = futures(name="BTC_USDT_20991231", expire_time=int(expiry.timestamp()), status=...)
    await observe(database, [futures("BTC")], now, FUTURES, listing="PERPETUAL:USDT")
    await observe(database, [dated], now, FUTURES, listing="FUTURE:USDT")
    future = await get_symbol_by_native(FUTURES, "BTC_USDT_20991231", db=database)
    assert future is not None
    assert await can_trade(future, "BUY", db=database)
    assert (await can_trade(future, "BUY", expiry + timedelta(seconds=1), db=database)).obstacle is Obstacle.EXPIRED
    assert await can_trade(FUTURES, "BTC/USDT:USDT", "BUY", expiry + timedelta(days=1), db=database)


@pytest.mark.parametrize("closing", ["false", "", 0, 1, None])
async def test_closing_is_true_or_false(database: Database, closing: Any) -> None:
    """A word from a file of settings that says no is true to Python, and would open what only closes."""
    with pytest.raises(InvalidSymbol, match="closing must be True or False"):
        await can_trade(SPOT, "BTC_USDT", "BUY", closing=closing, db=database)
    with pytest.raises(SymbolNotFound) as missing:
        await can_trade(SPOT, "\x1b[31m", "BUY", db=database)
    assert str(missing.value).isprintable()
