"""Holds: what a person has forbidden stays forbidden, whatever imports say, and the history tells who, when and why."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from exchanges_db import (
    AmbiguousSymbol,
    Database,
    ExchangeNotFound,
    HoldEnd,
    InvalidArgument,
    NamedSymbol,
    Obstacle,
    Settings,
    SymbolNotFound,
    activate_exchange,
    can_trade,
    common_symbols,
    deactivate_exchange,
    get_hold_history,
    get_symbol,
    get_symbol_by_id,
    get_symbols_by_ids,
    hold_exchange,
    hold_symbol,
    import_symbols,
    list_holds,
    list_symbols,
    release_exchange,
    release_symbol,
    search_symbols,
)
from exchanges_db.database.dsn import Dsn
from tests.factories import connected
from tests.payload_rows import MEXC, SPOT, allowed, mexc, payload, spot
from tests.symbol_rows import insert

BTC = "BTC/USDT"
WHY = "withdrawals are suspended"
SOON = timedelta(hours=1)


@pytest.fixture
async def db(stocked_dsn: Dsn) -> AsyncIterator[Database]:
    """A database with symbols of Gate.io: BTC and ETH, spot and perpetual."""
    async with Database(stocked_dsn, Settings(acquire_timeout=2, command_timeout=5)) as database:
        yield database


def in_an_hour() -> datetime:
    """A time that lies ahead."""
    return datetime.now(UTC) + SOON


async def obstacles(db: Database, name: str = BTC, side: str = "BUY", at: datetime | None = None) -> Any:
    """What stands in the way of an order on Gate.io."""
    return (await can_trade(SPOT, name, side, at, db=db)).obstacles


async def test_a_held_symbol_is_not_traded_and_the_reason_says_who_and_why(db: Database, stocked_dsn: Dsn) -> None:
    """Whoever is refused must be able to ask the right person."""
    assert await hold_symbol(SPOT, BTC, reason=WHY, db=db)
    answer = await can_trade(SPOT, BTC, "BUY", db=db)
    assert (answer.allowed, answer.obstacle) == (False, Obstacle.HELD)
    assert answer.reason == f"{stocked_dsn.user} holds it: {WHY}"
    symbol = await get_symbol(SPOT, BTC, db=db)
    assert symbol is not None
    assert (await can_trade(symbol, "SELL", db=db)).obstacles == (Obstacle.HELD,)
    assert await obstacles(db, "ETH/USDT") == ()

    assert await release_symbol(SPOT, BTC, db=db)
    assert await obstacles(db) == ()


async def test_a_held_exchange_holds_all_of_it(db: Database, stocked_dsn: Dsn) -> None:
    """Also its symbols that are still to come; the hold of a single symbol outlives its release."""
    assert await hold_exchange(SPOT, reason="their keys leaked", db=db)
    assert await hold_symbol(SPOT, BTC, reason=WHY, db=db)
    await import_symbols(SPOT, payload(SPOT, [spot(), spot("ETH"), spot("NEW")]), db=db)
    for name in (BTC, "ETH/USDT", "NEW/USDT"):
        assert await obstacles(db, name) == (Obstacle.HELD,)
    reason = (await can_trade(SPOT, "NEW/USDT", "SELL", db=db)).reason
    assert reason == f"{stocked_dsn.user} holds the whole exchange: their keys leaked"
    assert [hold.native_symbol for hold in await list_holds(SPOT, db=db)] == [None, "BTC_USDT"]

    assert await release_exchange(SPOT, db=db)
    assert (await obstacles(db), await obstacles(db, "NEW/USDT")) == ((Obstacle.HELD,), ())


@pytest.mark.parametrize(("sides", "held"), [("buy", "BUY"), ("SELL", "SELL"), ("all", "ALL")])
async def test_a_hold_stops_the_sides_that_it_names(db: Database, sides: str, held: str) -> None:
    """Someone who must get out of a coin may still sell it."""
    await hold_symbol(SPOT, BTC, sides=sides, reason=WHY, db=db)
    for side in ("BUY", "SELL"):
        assert await obstacles(db, side=side) == ((Obstacle.HELD,) if held in ("ALL", side) else ())
    tradable = {symbol.symbol for symbol in await list_symbols(SPOT, db=db)}
    assert (BTC in tradable) is (held != "ALL")
    assert {pair.a.symbol for pair in await common_symbols(SPOT, "GATEIO_FUTURES", db=db)} == (
        {"ETH/USDT"} if held == "ALL" else {BTC, "ETH/USDT"}
    )
    assert BTC in {symbol.symbol for symbol in await list_symbols(SPOT, tradable=None, db=db)}


async def test_a_hold_ends_by_itself(db: Database, stocked_dsn: Dsn) -> None:
    """At its time, by the server's clock; then it is listed no longer, and nothing is left to release."""
    end = in_an_hour()
    await hold_symbol(SPOT, BTC, reason=WHY, until=end, db=db)
    assert await obstacles(db, at=end - timedelta(seconds=1)) == (Obstacle.HELD,)
    assert await obstacles(db, at=end) == ()
    assert f"until {end:%Y-%m-%d %H:%M:%S} UTC: {WHY}" in ((await can_trade(SPOT, BTC, "BUY", db=db)).reason or "")
    async with connected(stocked_dsn) as conn:
        await conn.execute("ALTER TABLE holds DISABLE TRIGGER ALL")
        await conn.execute("UPDATE holds SET held_at = now() - interval '2 h', until_at = now() - interval '1 h'")
        await conn.execute("ALTER TABLE holds ENABLE TRIGGER ALL")
    assert await obstacles(db) == ()
    assert await list_holds(SPOT, db=db) == []
    (before,) = await get_hold_history(SPOT, BTC, db=db)
    assert (before.end, before.ended_at, before.ended_by) == (HoldEnd.EXPIRED, before.until_at, None)
    assert not await release_symbol(SPOT, BTC, db=db)
    assert await get_hold_history(SPOT, BTC, db=db) == [before]


async def test_what_changes_nothing_says_so(db: Database) -> None:
    """And is not in the history."""
    end = in_an_hour()
    assert not await release_symbol(SPOT, BTC, db=db)
    assert not await release_exchange(SPOT, db=db)
    for until in (None, end):
        assert await hold_symbol(SPOT, BTC, reason=WHY, until=until, db=db)
        assert not await hold_symbol(SPOT, "btc/usdt", sides="ALL", reason=WHY, until=until, db=db)
    assert len(await get_hold_history(SPOT, BTC, db=db)) == 2


async def test_the_history_tells_who_when_why_and_what_ended_it(db: Database, stocked_dsn: Dsn) -> None:
    """Replaced, released with and without a reason, and the one that holds; moments follow one another."""
    await hold_symbol(SPOT, BTC, reason="first", db=db)
    await hold_symbol(SPOT, BTC, sides="BUY", reason="second", db=db)
    await release_symbol(SPOT, BTC, reason="they answered", db=db)
    await hold_symbol(SPOT, BTC, reason="third", db=db)
    await release_symbol(SPOT, BTC, db=db)
    await hold_symbol(SPOT, BTC, reason="fourth", db=db)
    await hold_exchange(SPOT, reason="all of it", db=db)
    history = await get_hold_history(SPOT, "BTC_USDT", db=db)
    assert [(one.reason, one.end, one.ended_reason) for one in history] == [
        ("first", HoldEnd.REPLACED, None),
        ("second", HoldEnd.RELEASED, "they answered"),
        ("third", HoldEnd.RELEASED, None),
        ("fourth", None, None),
    ]
    assert {(one.held_by, one.application_name, one.exchange) for one in history} == {
        (stocked_dsn.user, "exchanges_db", SPOT)
    }
    assert [one.ended_by for one in history] == [stocked_dsn.user] * 3 + [None]
    moments = [moment for one in history for moment in (one.held_at, one.ended_at) if moment is not None]
    assert moments == sorted(moments)
    assert [one.reason for one in await get_hold_history(2, db=db)] == [one.reason for one in history] + ["all of it"]
    assert [one.native_symbol for one in await list_holds(SPOT, db=db)] == [None, "BTC_USDT"]


async def test_an_import_undoes_no_hold(db: Database, stocked_dsn: Dsn) -> None:
    """The symbol is changed, delisted, listed anew under another id, and its name goes to another coin."""
    await hold_symbol(SPOT, BTC, reason=WHY, db=db)
    eth = spot("ETH")
    other = spot("BTC", "USDC", id="BTC_USDT")
    ids = set()
    for rows in ([spot(precision=2), eth], [eth], [spot(), eth], [other, eth]):
        data = payload(SPOT, rows)
        await import_symbols(SPOT, data, allow=allowed(data), db=db)
        found = await list_symbols(SPOT, tradable=True, db=db)
        assert [symbol.native_symbol for symbol in found] == ["ETH_USDT"]
        async with connected(stocked_dsn) as conn:
            ids |= {row["id"] for row in await conn.fetch("SELECT id FROM symbols WHERE native_symbol = 'BTC_USDT'")}
    assert len(ids) > 1
    assert await obstacles(db, "BTC_USDT") == (Obstacle.HELD,)


async def test_a_symbol_deleted_by_hand_is_held_when_it_comes_back(db: Database, stocked_dsn: Dsn) -> None:
    """And its hold can be released while it is gone."""
    await hold_symbol(SPOT, BTC, reason=WHY, db=db)
    async with connected(stocked_dsn) as conn:
        await conn.execute("DELETE FROM symbols WHERE native_symbol = 'BTC_USDT' AND exchange_id = 2")
    assert [one.reason for one in await get_hold_history(SPOT, "BTC_USDT", db=db)] == [WHY]
    await import_symbols(SPOT, payload(SPOT, [spot(), spot("ETH")]), db=db)
    assert await obstacles(db) == (Obstacle.HELD,)
    async with connected(stocked_dsn) as conn:
        await conn.execute("DELETE FROM symbols WHERE native_symbol = 'BTC_USDT' AND exchange_id = 2")
    assert await release_symbol(SPOT, "BTC_USDT", db=db)


async def test_a_name_that_is_not_known_yet_is_held_only_if_it_is_said_to_be_the_exchanges_own(db: Database) -> None:
    """A mistyped name must not pass for a hold."""
    with pytest.raises(SymbolNotFound, match="native=True"):
        await hold_symbol(SPOT, "NEW_USDT", reason=WHY, db=db)
    assert await hold_symbol(SPOT, "NEW_USDT", native=True, reason=WHY, db=db)
    await import_symbols(SPOT, payload(SPOT, [spot(), spot("ETH"), spot("NEW")]), db=db)
    assert await obstacles(db, "NEW/USDT") == (Obstacle.HELD,)
    assert await release_symbol(SPOT, "NEW/USDT", db=db)


async def test_a_name_that_several_symbols_have_is_not_held(db: Database, stocked_dsn: Dsn) -> None:
    """Their own names tell them apart."""
    async with connected(stocked_dsn) as conn:
        for native in ("A1", "A2"):
            await insert(conn, native_symbol=native, symbol="A/USDT", base="A", exchange_id=2)
    with pytest.raises(AmbiguousSymbol, match="'A1' or 'A2'"):
        await hold_symbol(SPOT, "A/USDT", reason=WHY, db=db)
    assert await hold_symbol(SPOT, "A1", reason=WHY, db=db)
    assert (await obstacles(db, "A1"), await obstacles(db, "A2")) == ((Obstacle.HELD,), ())


PAST = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("sides", {"sides": "NONE"}),
        ("sides", {"sides": ""}),
        ("sides", {"sides": 1}),
        ("reason", {"reason": ""}),
        ("reason", {"reason": " x"}),
        ("reason", {"reason": "a\nb"}),
        ("reason", {"reason": "x" * 501}),
        ("reason", {"reason": None}),
        ("until", {"until": PAST}),
        ("until", {"until": datetime(2999, 1, 1)}),  # noqa: DTZ001 - what is refused
        ("until", {"until": datetime(9999, 12, 31, tzinfo=UTC)}),
        ("until", {"until": datetime.max.replace(tzinfo=UTC)}),
        ("until", {"until": "tomorrow"}),
        ("native", {"native": 1}),
        ("name", {"native": True, "name": " x"}),
        ("name", {"native": True, "name": "x" * 101}),
        ("name", {"name": ""}),
        ("name", {"name": 5}),
    ],
)
async def test_what_cannot_be_a_hold_is_refused_by_its_field(
    db: Database, field: str, arguments: dict[str, Any]
) -> None:
    """And nothing is held."""
    with pytest.raises(InvalidArgument) as caught:
        await hold_symbol(**{"exchange": SPOT, "name": BTC, "reason": WHY, **arguments}, db=db)
    assert caught.value.field == field
    assert await list_holds(SPOT, db=db) == []


async def test_a_reason_and_a_time_at_their_bounds_are_kept(db: Database) -> None:
    """Exactly as they were given."""
    end = datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC)
    await hold_symbol(SPOT, BTC, reason="x" * 500, until=end, db=db)
    assert [(one.reason, one.until_at) for one in await list_holds(SPOT, db=db)] == [("x" * 500, end)]


async def test_an_exchange_that_is_not_there_is_named(db: Database) -> None:
    """In every call."""
    for call in (
        hold_symbol("NOWHERE", "X", reason=WHY, db=db),
        hold_exchange("NOWHERE", reason=WHY, db=db),
        release_symbol("NOWHERE", "X", db=db),
        release_exchange("NOWHERE", db=db),
        list_holds("NOWHERE", db=db),
        get_hold_history("NOWHERE", db=db),
        get_hold_history(999, db=db),
    ):
        with pytest.raises(ExchangeNotFound):
            await call
    with pytest.raises(InvalidArgument, match="by its name"):
        await get_hold_history(2, BTC, db=db)


async def test_a_hold_goes_with_its_exchange_and_the_history_stays(db: Database, stocked_dsn: Dsn) -> None:
    """By its id: its name may be another's one day."""
    await hold_exchange("MEXC_SPOT", reason=WHY, db=db)
    async with connected(stocked_dsn) as conn:
        await conn.execute("DELETE FROM exchanges WHERE enum_value = 'MEXC_SPOT'")
    with pytest.raises(ExchangeNotFound):
        await list_holds(MEXC, db=db)
    (*_, gone) = await get_hold_history(1, db=db)
    assert (gone.exchange, gone.end, gone.reason) == (None, HoldEnd.RELEASED, WHY)


async def test_the_history_of_holds_is_append_only(db: Database, stocked_dsn: Dsn) -> None:
    """TRUNCATE of the holds is recorded too, and a hold is not moved to another symbol."""
    await hold_symbol(SPOT, BTC, reason=WHY, db=db)
    async with connected(stocked_dsn) as conn:
        with pytest.raises(asyncpg.PostgresError, match="hold cannot be moved"):
            await conn.execute("UPDATE holds SET native_symbol = 'ETH_USDT'")
        await conn.execute("TRUNCATE holds")
        for statement in (
            "DELETE FROM hold_history",
            "UPDATE hold_history SET reason = 'x'",
            "TRUNCATE hold_history",
            "INSERT INTO hold_history SELECT * FROM hold_history",
        ):
            with pytest.raises(asyncpg.PostgresError):
                await conn.execute(statement)
    assert [one.end for one in await get_hold_history(SPOT, BTC, db=db)] == [HoldEnd.RELEASED]


# What must not wait: by name, a call that is a change each time.
Call = Callable[[Database], Awaitable[Any]]
UNWAITING: dict[str, Call] = {
    "hold_symbol": lambda db: hold_symbol(MEXC, "BTC/USDT", reason=f"now {time.time()}", db=db),
    "hold_symbol that is new": lambda db: hold_symbol(MEXC, "NEWUSDT", native=True, reason=f"{time.time()}", db=db),
    "release_symbol": lambda db: release_symbol(MEXC, "HELDUSDT", native=True, db=db),
    "hold_exchange": lambda db: hold_exchange(MEXC, reason=f"now {time.time()}", db=db),
    "release_exchange": lambda db: release_exchange("GATEIO_FUTURES", db=db),
    "deactivate_exchange": lambda db: deactivate_exchange(1, db=db),
    "activate_exchange": lambda db: activate_exchange(1, db=db),
}
MOST_SECONDS = 1.0


@pytest.fixture
async def impatient(dsn: Dsn) -> AsyncIterator[Database]:
    """A database with a symbol and holds, and a user's table that refers to it; a lock is not waited for."""
    async with connected(dsn) as conn:
        await conn.execute(
            "CREATE TABLE users_orders (exchange_id smallint REFERENCES exchanges (id), "
            "symbol_id integer REFERENCES symbols (id))"
        )
    settings = {"lock_timeout": "100ms"}
    async with Database(Dsn(**{**vars(dsn), "settings": settings}), Settings(command_timeout=5)) as database:
        await import_symbols(MEXC, payload(MEXC, [mexc()]), db=database)
        await hold_symbol(MEXC, "HELDUSDT", native=True, reason=WHY, db=database)
        await hold_exchange("GATEIO_FUTURES", reason=WHY, db=database)
        yield database


async def measured(db: Database, call: Call) -> None:
    """Make the call, which must take effect within a second."""
    began = time.perf_counter()
    assert await call(db)
    took = time.perf_counter() - began
    assert took < MOST_SECONDS, f"it took {took * 1000:.1f} ms"


@pytest.mark.parametrize("call", UNWAITING.values(), ids=UNWAITING)
async def test_it_does_not_wait_for_a_running_import(dsn: Dsn, impatient: Database, call: Call) -> None:
    """One that has its lock and has written: the symbol itself, new ones, and that its list was observed."""
    async with Database(dsn) as other, other.transaction() as running:
        rows = [mexc(quotePrecision=3), *(mexc(f"X{n}USDT", f"X{n}") for n in range(20))]
        data = payload(MEXC, rows)
        report = await import_symbols(MEXC, data, allow=allowed(data), db=running)
        assert len(report.changes) > 20
        await measured(impatient, call)


@pytest.mark.parametrize("call", UNWAITING.values(), ids=UNWAITING)
async def test_it_does_not_wait_for_a_users_open_insert(dsn: Dsn, impatient: Database, call: Call) -> None:
    """One that refers to the exchange and to the symbol; nor does that insert wait for it."""
    refer = "INSERT INTO users_orders SELECT exchange_id, id FROM symbols"
    async with connected(dsn, server_settings={"lock_timeout": "100ms"}) as user, user.transaction():
        await user.execute(refer)
        await measured(impatient, call)
    async with impatient.transaction() as transaction:
        await hold_symbol(MEXC, "BTC/USDT", reason="again", db=transaction)
        await hold_exchange(MEXC, reason="again", db=transaction)
        async with connected(dsn, server_settings={"lock_timeout": "100ms"}) as user:
            await user.execute(refer)


async def test_an_import_that_waits_is_seen_to_wait(dsn: Dsn, impatient: Database) -> None:
    """The tests above can fail: a second import of the same exchange does wait."""
    async with Database(dsn) as other, other.transaction() as running:
        await import_symbols(MEXC, payload(MEXC, [mexc(status="2")]), db=running)
        with pytest.raises(Exception, match=r"lock|import"):
            await import_symbols(MEXC, payload(MEXC, [mexc()]), wait=0, db=impatient)


NAMED = """
    INSERT INTO symbols (id, exchange_id, native_symbol, base, quote, sides, api_tradable) OVERRIDING SYSTEM VALUE
    VALUES (700, 2, 'LUNA_USDT', 'LUNA', 'USDT', 'NONE', false)
"""


async def test_a_symbol_known_by_name_only_is_found_by_its_id_and_by_nothing_else(
    db: Database, stocked_dsn: Dsn
) -> None:
    """It is there for foreign keys; nobody may take it for something to trade."""
    async with connected(stocked_dsn) as conn:
        await conn.execute(NAMED)
    named = NamedSymbol(id=700, exchange_id=2, exchange=SPOT, native_symbol="LUNA_USDT", base="LUNA", quote="USDT")
    assert await get_symbol_by_id(700, db=db) == named
    found = await get_symbols_by_ids([700, 1, 999], db=db)
    assert [*found] == [700, 1]
    assert (found[700], found[1]) == (named, await get_symbol_by_id(1, db=db))
    assert await get_symbol(SPOT, "LUNA/USDT", db=db) is None
    assert await search_symbols("luna", db=db) == []
    assert 700 not in {symbol.id for symbol in await list_symbols(SPOT, tradable=None, db=db)}
    for side in ("BUY", "SELL"):
        answer = await can_trade(named, side, db=db)
        assert (answer.allowed, answer.obstacles) == (False, (Obstacle.NO_RULES,))
        assert answer.reason == "it is known by name only: no list has given its rules"
        assert (await can_trade(named, side, PAST, db=db)).obstacles == (Obstacle.NO_RULES,)
    with pytest.raises(SymbolNotFound, match="known by name only"):
        await can_trade(SPOT, "LUNA_USDT", "BUY", db=db)
    assert await hold_symbol(SPOT, "LUNA_USDT", reason=WHY, db=db)


async def test_a_named_symbol_that_got_rules_is_judged_by_them(db: Database) -> None:
    """Whoever holds the old object gets the answer of now; another symbol under its id is no answer."""
    named = NamedSymbol(id=1, exchange_id=2, exchange=SPOT, native_symbol="BTC_USDT", base="XBT", quote="USDT")
    assert await can_trade(named, "BUY", db=db)
    other = NamedSymbol(id=1, exchange_id=2, exchange=SPOT, native_symbol="ETH_USDT", base="ETH", quote="USDT")
    assert (await can_trade(other, "BUY", db=db)).obstacles == (Obstacle.OTHER_SYMBOL,)
    gone = NamedSymbol(id=999, exchange_id=2, exchange=SPOT, native_symbol="X", base="X", quote="USDT")
    assert (await can_trade(gone, "BUY", db=db)).obstacles == (Obstacle.UNKNOWN_THEN,)
