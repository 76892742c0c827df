"""A registry's look-ups give what those of the database give, and its judge judges as the other does."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

import exchanges_db
from exchanges_db import (
    Database,
    ExchangesDBError,
    FeeSource,
    InvalidSymbol,
    NamedSymbol,
    Obstacle,
    Side,
    Symbol,
    SymbolNotFound,
    can_trade,
    forget_account_fees,
    hold_exchange,
    hold_symbol,
    set_account_fees,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.registry.followers import Follower
from exchanges_db.registry.look_ups import LookUps
from exchanges_db.registry.models import RegistrySymbol
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.registry.state import RegistryState
from exchanges_db.symbols.look_ups import find_symbol
from tests.factories import connected
from tests.payload_rows import FUTURES, MEXC, SPOT
from tests.registry_snapshots import loaded
from tests.symbol_rows import insert

AHEAD = datetime(2100, 1, 1, tzinfo=UTC)
PAST, AT = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"


class Loaded(LookUps):
    """The look-ups of what a connection sees now, by the server's clock."""

    def __init__(self, snapshot: Snapshot, now: datetime) -> None:
        super().__init__()
        self._now = now
        self._served.moved(None, snapshot, None)

    state = RegistryState.LIVE

    def now(self) -> datetime:
        """The time of the load."""
        return self._now

    def follow(self, follower: Follower) -> None:
        """Nothing moves here."""


async def registry_of(conn: asyncpg.Connection) -> Loaded:
    return Loaded(await loaded(conn), await conn.fetchval("SELECT clock_timestamp()"))


async def stock(conn: asyncpg.Connection) -> None:
    """Symbols in every state that matters to the judge, on exchanges that are active, held and inactive."""
    states: list[dict[str, Any]] = [
        {},
        {"status": "HALTED"},
        {"status": "PRELAUNCH", "buy_opens_at": AT, "sides": "NONE"},
        {"status": "PRELAUNCH", "buy_opens_at": PAST},
        {"status": "PRELAUNCH", "buy_opens_at": PAST, "is_premarket": True},
        {"buy_opens_at": AT, "sides": "SELL"},
        {"status": "CLOSE_ONLY"},
        {"delisting_at": AT, "delisted_at": AT},
        {"status": "DELISTED", "delisted_at": PAST},
        {"sides": "BUY"},
        {"sides": "NONE"},
        {"api_tradable": False},
        {"order_types": ["LIMIT"]},
        {"min_quantity": "5", "quantity_step": "3", "max_quantity": "5.5"},
    ]
    for place, kind in ((1, "spot"), (2, "spot"), (3, "linear")):
        tail = "" if kind == "spot" else ":USDT"
        for number, fields in enumerate(states):
            name = {"native_symbol": f"C{number}_USDT", "symbol": f"C{number}/USDT{tail}", "base": f"C{number}"}
            await insert(conn, kind, exchange_id=place, **name, **fields)
    await insert(conn, "future", exchange_id=3, native_symbol="C0_USDT_27", symbol="C0/USDT:USDT-270101", base="C0")
    await insert(
        conn, native_symbol="AGAIN_USDT", symbol="AGAIN/USDT", base="AGAIN", status="DELISTED", delisted_at=PAST
    )
    again = await insert(conn, native_symbol="AGAIN_USDT", symbol="AGAIN/USDT", base="AGAIN")
    doubted = await insert(conn, native_symbol="DOUBT_USDT", symbol="DOUBT/USDT", base="DOUBT")
    await conn.execute(
        "INSERT INTO symbol_doubts (symbol_id, brake, reason, since) VALUES ($1, 'FIELD', 'odd', now())", doubted
    )
    await conn.execute(NAMED)
    now = await conn.fetchval("SELECT clock_timestamp()")
    for place, kind, settle, age in ((1, "SPOT", None, 1), (3, "PERPETUAL", "USDT", 90)):
        await conn.execute(LIST, place, kind, settle, now - timedelta(minutes=age))
    await hold_symbol(MEXC, "C9/USDT", reason="keys", sides="BUY", db=conn)
    await hold_symbol(MEXC, "AGAIN/USDT", reason="soon over", until=AHEAD - timedelta(days=1), db=conn)
    await hold_exchange(FUTURES, reason="all of it", sides="SELL", db=conn)
    await conn.execute("UPDATE exchanges SET is_active = false WHERE id = 2")
    assert again


NAMED = """
INSERT INTO symbols (exchange_id, native_symbol, base, quote, sides, api_tradable)
VALUES (1, 'NAMED', 'N', 'USDT', 'NONE', false)
"""
LIST = """
INSERT INTO symbol_lists (exchange_id, kind, settle, source, observed_at) VALUES ($1, $2, $3, 'TEST', $4)
"""


def plain(answer: Any) -> Any:
    """An answer of either, to be compared: of a symbol what the database returns."""
    if isinstance(answer, Symbol):
        return {field: getattr(answer, field) for field in Symbol.__struct_fields__}
    if isinstance(answer, list):
        return [plain(one) for one in answer]
    if isinstance(answer, dict):
        return {key: plain(one) for key, one in answer.items()}
    return answer


async def outcome(ask: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What a question gives: an answer, or an error, whose words and fields are part of it."""
    try:
        answer = ask(*given, **named)
        return plain(await answer if inspect.isawaitable(answer) else answer)
    except ExchangesDBError as exc:
        return type(exc), str(exc), getattr(exc, "candidates", None)


NAMES = (
    "C0/USDT", "c0/usdt", "C0_USDT", "C0/USDT:USDT", "AGAIN/USDT", "AGAIN_USDT", "NAMED", "NEW/USDT", "C0USDT",
    "c0_usdt", "C8/USDT", "DOUBT_USDT", "???", "C0",
)  # fmt: skip
PLACES = (MEXC, "mexc_spot", SPOT, FUTURES, "MEXC", "NOWHERE", "Gateio_Futures")


async def test_every_look_up_gives_what_the_database_gives(conn: asyncpg.Connection) -> None:
    """Answers and errors, word by word; asked in every spelling."""
    await stock(conn)
    registry = await registry_of(conn)
    for place in PLACES:
        assert await outcome(registry.get_exchange_by_enum, place) == await outcome(
            exchanges_db.get_exchange_by_enum, place, db=conn
        )
        for name in NAMES:
            for own, other in (
                (registry.get_symbol, exchanges_db.get_symbol),
                (registry.get_symbol_by_native, exchanges_db.get_symbol_by_native),
                (registry.find_symbol, find_symbol),
            ):
                mine, theirs = (
                    await outcome(own, place, name),
                    await outcome(other, place, name, db=conn),
                )
                assert mine == theirs, (place, name, own.__name__)
        assert await outcome(registry.get_symbols, place, NAMES) == await outcome(
            exchanges_db.get_symbols, place, NAMES, db=conn
        )
    ids = [row["id"] for row in await conn.fetch("SELECT id FROM symbols ORDER BY id")]
    for number in (*ids, -1, 2**40):
        assert plain(registry.get_symbol_by_id(number)) == plain(await exchanges_db.get_symbol_by_id(number, db=conn))
    assert plain(registry.get_symbols_by_ids(ids)) == plain(await exchanges_db.get_symbols_by_ids(ids, db=conn))


async def test_lists_give_what_the_database_gives(conn: asyncpg.Connection) -> None:
    await stock(conn)
    registry = await registry_of(conn)
    assert registry.get_all_exchanges() == await exchanges_db.get_all_exchanges(db=conn)
    assert registry.get_all_active_exchanges() == await exchanges_db.get_all_active_exchanges(db=conn)
    for market in ("spot", "FUTURES", "options", "spots"):
        assert await outcome(registry.get_exchanges_by_market_type, market) == await outcome(
            exchanges_db.get_exchanges_by_market_type, market, db=conn
        )
    for number in (1, 3, 99, 2**20):
        assert registry.get_exchange_by_id(number) == await exchanges_db.get_exchange_by_id(number, db=conn)
    filters: list[dict[str, Any]] = [
        {},
        {"base": "C0"},
        {"base": "C0", "quote": "USDT", "kind": "future"},
        {"max_age": timedelta(hours=1)},
        {"max_age": timedelta(hours=1), "tradable": False},
        {"kind": "nothing"},
        {"base": ""},
    ]
    sizes = set()
    for place in (None, MEXC, "mexc_spot", [MEXC, "gateio_futures"], [FUTURES, SPOT], "NOWHERE", []):
        for more in filters:
            for tradable in (True, False, None):
                given = {"tradable": tradable, **more}
                mine = await outcome(registry.list_symbols, place, **given)
                assert mine == await outcome(exchanges_db.list_symbols, place, **given, db=conn), (place, given)
                sizes.add(len(mine) if isinstance(mine, list) else -1)
    assert len(sizes) > 8  # the lists are not all empty, nor all the same
    spot_only = registry.list_symbols(market_type="spot", tradable=None)
    assert spot_only == [one for one in registry.list_symbols(tradable=None) if one.exchange != FUTURES]


QUESTIONS: list[dict[str, Any]] = [
    *(
        {"side": side, "closing": closing, "at": at}
        for side in Side
        for closing in (False, True)
        for at in (None, AHEAD)
    ),
    *({"side": "BUY", "max_age": timedelta(hours=1), "at": at} for at in (None, AHEAD)),
    {"side": "SELL", "order_type": "market"},
]


async def judged_alike(conn: asyncpg.Connection, registry: LookUps, *subject: Any, **question: Any) -> Any:
    """Ask both judges; ages told in words may be a second apart, and only then words are not compared in whole."""
    mine = await outcome(registry.can_trade, *subject, **question)
    theirs = await outcome(can_trade, *subject, **question, db=conn)
    if not isinstance(mine, tuple) and mine.obstacle is Obstacle.STALE:
        assert (mine.obstacles, mine.reason[:22]) == (theirs.obstacles, theirs.reason[:22])
    else:
        assert mine == theirs, (subject, question)
    return mine


async def test_the_judge_answers_as_the_database_does(conn: asyncpg.Connection) -> None:
    """For every state, hold, doubt and age of a list, by symbol and by name, now and for a time ahead."""
    await stock(conn)
    registry = await registry_of(conn)
    seen: set[Obstacle] = set()
    for symbol in registry.list_symbols(tradable=None):
        for question in QUESTIONS:
            answer = await judged_alike(conn, registry, symbol, **question)
            seen.update(answer.obstacles)
        await judged_alike(conn, registry, symbol.exchange, symbol.native_symbol, "BUY")
    for name in (*NAMES, ""):
        for place in ("mexc_spot", SPOT, FUTURES, "NOWHERE"):
            for at in (None, AHEAD):
                await judged_alike(conn, registry, place, name, "SELL", at)
    expected = {*Obstacle} - {"STALE_REGISTRY", "UNKNOWN_THEN", "OTHER_SYMBOL", "NO_RULES", "EXPIRED"}
    assert seen >= expected


async def test_what_is_another_symbol_or_none_is_judged_alike(conn: asyncpg.Connection) -> None:
    """Ids that were given to others, symbols that are known by name only, and those that have gone."""
    await stock(conn)
    symbol = await exchanges_db.get_symbol(MEXC, "C0/USDT", db=conn)
    named = await exchanges_db.get_symbol_by_id(
        await conn.fetchval("SELECT id FROM symbols WHERE status IS NULL"), db=conn
    )
    assert isinstance(symbol, Symbol)
    assert isinstance(named, NamedSymbol)
    registry = await registry_of(conn)
    subjects: list[Any] = [named, msgspec.structs.replace(named, native_symbol="OTHER")]
    subjects += [msgspec.structs.replace(symbol, **{field: "X"}) for field in ("native_symbol", "base")]
    earlier = symbol.created_at - timedelta(microseconds=1)
    subjects += [msgspec.structs.replace(symbol, exchange="X", exchange_id=77)]
    subjects += [msgspec.structs.replace(symbol, exchange="X", created_at=earlier)]
    subjects += [msgspec.structs.replace(named, exchange="X")]
    subjects += [msgspec.structs.replace(symbol, id=2_000_000), msgspec.structs.replace(symbol, id=named.id)]
    subjects += [msgspec.structs.replace(named, id=symbol.id), msgspec.structs.replace(named, id=2_000_000)]
    seen = set()
    for subject in subjects:
        for at in (None, AHEAD):
            seen.add((await judged_alike(conn, registry, subject, "BUY", at)).obstacle)
    assert seen == {Obstacle.NO_RULES, Obstacle.OTHER_SYMBOL, Obstacle.UNKNOWN_THEN}


async def test_a_symbol_that_was_kept_while_its_exchange_was_renamed_is_the_same(dsn: Dsn) -> None:
    """Programs keep symbols for days: it is still the one under its id, and not another one."""
    async with connected(dsn) as conn:
        await insert(conn)
        symbol = await find_symbol(MEXC, "BTC/USDT", db=conn)
        then = await conn.fetchval("SELECT clock_timestamp()")
        await set_account_fees(MEXC, maker="0.0005", taker="0.0006", symbol=symbol, db=conn)
        await update_exchange(1, {"enum_value": "MEXC_CASH"}, db=conn)
        registry = await registry_of(conn)
        new = registry.symbol("MEXC_CASH", "BTC/USDT")
        for one in (symbol, new):
            assert await judged_alike(conn, registry, one, "BUY")
            assert await can_trade(one, "BUY", then, db=conn)
            paid = await outcome(registry.get_fees, one)
            assert paid == await outcome(exchanges_db.get_fees, one, db=conn)
            assert paid.source is FeeSource.SYMBOL
            assert await set_account_fees("MEXC_CASH", maker=0, taker=0, symbol=one, account=one.exchange, db=conn)
        with pytest.raises(InvalidSymbol, match="is a symbol of MEXC_CASH, not of 'MEXC_SPOT'"):
            await set_account_fees(MEXC, maker=0, taker=0, symbol=symbol, db=conn)
        changed = msgspec.structs.replace(symbol, created_at=symbol.created_at - timedelta(microseconds=1))
        assert await outcome(registry.get_fees, changed) == await outcome(exchanges_db.get_fees, changed, db=conn)
        with pytest.raises(SymbolNotFound, match="look it up again"):
            registry.get_fees(changed)


@pytest.mark.parametrize(
    "call",
    [
        lambda ask, s: ask(s, "buy"),
        lambda ask, s: ask(s, "BUY", datetime(2100, 1, 1)),  # noqa: DTZ001  # without a zone on purpose
        lambda ask, s: ask(s, "BUY", order_type="iceberg"),
        lambda ask, s: ask(s, "BUY", closing="false"),
        lambda ask, s: ask(s, "BUY", max_age=timedelta(0)),
        lambda ask, s: ask(5, "BUY"),
        lambda ask, s: ask("C0/USDT", side="BUY"),
        lambda ask, s: ask(symbol="C0/USDT", side="BUY"),
        lambda ask, s: ask("", "C0/USDT", "BUY"),
    ],
)
async def test_arguments_are_refused_alike(conn: asyncpg.Connection, call: Callable[..., Any]) -> None:
    await insert(conn)
    registry = await registry_of(conn)
    symbol = registry.symbol(MEXC, "BTC/USDT")

    def asked(*subject: Any, **more: Any) -> Awaitable[Any]:
        return can_trade(*subject, **more, db=conn)

    try:
        mine = await outcome(call, registry.can_trade, symbol)
    except TypeError as exc:
        with pytest.raises(TypeError, match=str(exc).split(":", maxsplit=1)[0]):
            await call(asked, symbol)
    else:
        assert mine == await outcome(call, asked, symbol)
        assert isinstance(mine, tuple)


async def test_fees_are_those_that_the_database_tells(conn: asyncpg.Connection) -> None:
    """What was set for the symbol, else for its exchange, else the list's default; per account; forgotten ones too."""
    await insert(conn, native_symbol="A", symbol="A/USDT", base="A", list_maker_fee="0.001", list_taker_fee="0.002")
    await insert(conn, native_symbol="B", symbol="B/USDT", base="B")
    await insert(conn, native_symbol="C", symbol="C/USDT", base="C")

    async def compared() -> list[Any]:
        registry = await registry_of(conn)
        told = []
        for symbol in registry.list_symbols(MEXC, tradable=None):
            for account in ("default", "other", "", 5):
                for strict in (False, True):
                    mine = await outcome(registry.get_fees, symbol, account, strict=strict)
                    theirs = await outcome(exchanges_db.get_fees, symbol, account, strict=strict, db=conn)
                    assert mine == theirs
                    told.append(mine)
        return told

    before = await compared()
    await set_account_fees(MEXC, maker="0.0005", taker="0.0006", symbol="B/USDT", db=conn)
    await set_account_fees(MEXC, maker="0.0007", taker="0.0008", account="other", db=conn)
    after = await compared()
    assert before != after
    await forget_account_fees(MEXC, account="other", db=conn)
    assert await compared() not in (before, after)
    registry = await registry_of(conn)
    strange = msgspec.structs.replace(registry.symbol(MEXC, "A/USDT"), id=2_000_000)
    for subject in (strange, 5):
        mine = await outcome(registry.get_fees, subject)
        assert mine == await outcome(exchanges_db.get_fees, subject, db=conn)
        assert issubclass(mine[0], ExchangesDBError)


async def test_a_registry_has_these_look_ups_and_follows(stocked_dsn: Dsn) -> None:
    """A view sees a hold that somebody sets, and a symbol that is listed; by the real thing, with its hook."""
    rare = RegistrySettings(poll_interval=60)
    listed: list[RegistrySymbol] = []
    async with (
        Registry(stocked_dsn, settings=rare) as registry,
        Database(stocked_dsn) as db,
        connected(stocked_dsn) as other,
    ):
        view = registry.view(FUTURES, "PERPETUAL", on_listed=listed.append)
        number = registry.symbol_id(FUTURES, "BTC", "USDT")
        assert view["BTC_USDT"] is view["BTC", "USDT"] is registry.by_id[number]
        assert registry.can_trade(view["BTC_USDT"], "BUY")
        await hold_exchange(FUTURES, reason="keys", db=db)
        await insert(other, "linear", exchange_id=3, native_symbol="N_USDT", symbol="N/USDT:USDT", base="N")
        await registry.refresh()
        assert view["BTC_USDT"].holds[0].reason == "keys"
        assert registry.can_trade(FUTURES, "BTC_USDT", "BUY").obstacle is Obstacle.HELD
        assert [one.native_symbol for one in listed] == ["N_USDT"]
        assert view.ids["N", "USDT"] == registry.symbol_id(FUTURES, "N", "USDT")
    with pytest.raises(exchanges_db.RegistryStale, match="closed"):
        _ = view["BTC_USDT"]


async def test_times_are_in_utc_whatever_time_zone_the_database_has(conn: asyncpg.Connection) -> None:
    """A database, a role or a URL may set one; what a person reads as UTC was 5 hours and a half off by it."""
    number = await insert(conn)
    await hold_exchange(MEXC, reason="keys", until=datetime(2099, 1, 1, tzinfo=UTC), db=conn)
    await set_account_fees(MEXC, maker="0.001", taker="0.002", db=conn)
    await conn.execute(LIST, 1, "SPOT", None, datetime(2026, 1, 1, tzinfo=UTC))
    await conn.execute("SET LOCAL TIME ZONE 'Asia/Kolkata'")
    registry = await registry_of(conn)
    answer = registry.can_trade(MEXC, "BTC_USDT", "BUY")
    assert answer == await can_trade(MEXC, "BTC_USDT", "BUY", db=conn)
    assert answer.reason is not None
    assert "until 2099-01-01 00:00:00 UTC" in answer.reason
    symbol, exchange = registry.by_id[number], registry.exchange(MEXC)
    (listed,) = registry._served.snapshot.places[MEXC].lists
    times = (
        exchange.created_at,
        exchange.updated_at,
        symbol.created_at,
        symbol.updated_at,
        symbol.holds[0].until_at,
        symbol.account_fees["default"].since,
        listed.observed_at,
    )
    assert {time and time.tzinfo for time in times} == {UTC}
