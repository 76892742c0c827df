"""Names that are not there, or are spelt otherwise; symbols by id and by many names; an Enum of a user's own."""

import inspect
import typing
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from enum import Enum, IntEnum, StrEnum
from typing import Any

import asyncpg
import msgspec
import pytest

import exchanges_db
from exchanges_db import (
    AmbiguousSymbol,
    Database,
    DuplicateExchange,
    Exchange,
    ExchangeEnum,
    ExchangeNotFound,
    ExchangesDBError,
    InvalidArgument,
    InvalidExchange,
    InvalidSymbol,
    Symbol,
    activate_exchange,
    can_trade,
    common_symbols,
    deactivate_exchange,
    diff_symbols,
    ensure_exchanges_populated,
    forget_account_fees,
    get_account_fee_history,
    get_all_exchanges,
    get_exchange_as_of,
    get_exchange_by_enum,
    get_exchange_by_id,
    get_exchange_history,
    get_freshness,
    get_hold_history,
    get_symbol,
    get_symbol_as_of,
    get_symbol_by_id,
    get_symbol_by_native,
    get_symbol_history,
    get_symbol_raw,
    get_symbols,
    get_symbols_by_ids,
    hold_exchange,
    hold_symbol,
    import_specs,
    import_symbols,
    insert_exchange,
    list_account_fees,
    list_holds,
    list_imports,
    list_symbol_lists,
    list_symbols,
    list_symbols_as_of,
    release_exchange,
    release_symbol,
    set_account_fees,
    sync_symbols,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn
from tests.factories import an_exchange, connected
from tests.payload_rows import FUTURES, MEXC, SPOT, allowed, futures, mexc, payload, spot
from tests.symbol_rows import insert

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
AHEAD = datetime(9000, 1, 1, tzinfo=UTC)
Call = Callable[[Any, Any], Any]


async def answered(call: Awaitable[bool]) -> bool:
    """True, where the answer itself depends on what was done before."""
    await call
    return True


async def ageless(call: Awaitable[list[Any]]) -> list[Any]:
    """The lists, where they differ in age from one call to the next."""
    return [msgspec.structs.replace(one, age=timedelta(0)) for one in await call]


# Every function that takes an exchange by name; a test holds the list to the signatures.
ABOUT_AN_EXCHANGE: dict[str, Call] = {
    "common_symbols": lambda exchange, db: common_symbols(exchange, MEXC, db=db),
    "can_trade": lambda exchange, db: can_trade(exchange, "BTC/USDT", "BUY", db=db),
    "forget_account_fees": lambda exchange, db: answered(forget_account_fees(exchange, db=db)),
    "get_account_fee_history": lambda exchange, db: get_account_fee_history(exchange, db=db),
    "list_account_fees": lambda exchange, db: list_account_fees(exchange, db=db),
    "set_account_fees": lambda exchange, db: answered(set_account_fees(exchange, maker=0, taker=0, db=db)),
    "diff_symbols": lambda exchange, db: diff_symbols(exchange, LONG_AGO, AHEAD, db=db),
    "get_exchange_as_of": lambda exchange, db: get_exchange_as_of(exchange, datetime.now(UTC), db=db),
    "get_freshness": lambda exchange, db: ageless(get_freshness(exchange, db=db)),
    "get_exchange_history": lambda exchange, db: get_exchange_history(exchange, db=db),
    "get_hold_history": lambda exchange, db: get_hold_history(exchange, db=db),
    "get_symbol": lambda exchange, db: get_symbol(exchange, "BTC/USDT", db=db),
    "get_symbol_as_of": lambda exchange, db: get_symbol_as_of(exchange, "BTC/USDT", datetime.now(UTC), db=db),
    "get_symbol_by_native": lambda exchange, db: get_symbol_by_native(exchange, "BTC_USDT", db=db),
    "get_symbol_raw": lambda exchange, db: get_symbol_raw(exchange, "BTC/USDT", db=db),
    "hold_exchange": lambda exchange, db: answered(hold_exchange(exchange, reason="why", db=db)),
    "hold_symbol": lambda exchange, db: answered(hold_symbol(exchange, "BTC/USDT", reason="why", db=db)),
    "import_specs": lambda exchange, db: import_specs(
        exchange, "SPOT", [], source="own", observed_at=LONG_AGO, dry_run=True, db=db
    ),
    "list_holds": lambda exchange, db: list_holds(exchange, db=db),
    "list_imports": lambda exchange, db: list_imports(exchange, db=db),
    "release_exchange": lambda exchange, db: answered(release_exchange(exchange, db=db)),
    "release_symbol": lambda exchange, db: answered(release_symbol(exchange, "BTC/USDT", db=db)),
    "list_symbol_lists": lambda exchange, db: ageless(list_symbol_lists(exchange, db=db)),
    "get_symbol_history": lambda exchange, db: get_symbol_history(exchange, "BTC/USDT", db=db),
    "get_symbols": lambda exchange, db: get_symbols(exchange, ["BTC/USDT"], db=db),
    "import_symbols": lambda exchange, db: import_symbols(exchange, payload(SPOT, [spot()]), dry_run=True, db=db),
    "list_symbols": lambda exchange, db: list_symbols(exchange, db=db),
    "list_symbols_as_of": lambda exchange, db: list_symbols_as_of(exchange, datetime.now(UTC), db=db),
    "sync_symbols": lambda exchange, db: sync_symbols(exchange, dry_run=True, db=db),
}
# Of the seed document: the first gives None where there is no such exchange, the others make them.
SEEDS = {"get_exchange_by_enum", "insert_exchange", "ensure_exchanges_populated"}
# It finds its exchanges as sync_symbols does, and goes on: test_keep_synced.py names one that is not there.
ENDLESS = {"keep_synced"}
# Its argument maps the exchanges of another schema: test_adopt.py names one that is not there.
MAPPED = {"adopt_symbols"}


class Venue(StrEnum):
    """An Enum of a user's own, with a name that ours does not have."""

    SPOT = "GATEIO_SPOT"
    KRAKEN = "KRAKEN_SPOT"


class Place(Enum):
    """A plain one."""

    SPOT = "GATEIO_SPOT"
    KRAKEN = "KRAKEN_SPOT"


class Other(Enum):
    """One whose values are no exchange's."""

    SPOT = "ELSEWHERE"


class Plain(Enum):
    """An enum whose members are not text themselves."""

    KRAKEN = "KRAKEN_SPOT"
    OKX = "OKX_SPOT"


KRAKEN = {"display_name": "Kraken", "market_type": "SPOT", "is_active": False, "precision_default": 5}


@pytest.fixture
async def conn(dsn: Dsn) -> AsyncIterator[asyncpg.Connection]:
    """A connection with BTC/USDT on spot and its perpetual on futures; MEXC has nothing."""
    async with connected(dsn) as conn:
        await import_symbols(SPOT, payload(SPOT, [spot(), spot("ETH")]), db=conn)
        await import_symbols(FUTURES, payload(FUTURES, [futures("BTC")]), listing="PERPETUAL:USDT", db=conn)
        await set_account_fees(SPOT, maker="0.001", taker="0.001", db=conn)
        await hold_symbol(SPOT, "ETH/USDT", reason="why", db=conn)
        yield conn


def test_the_list_of_functions_about_an_exchange_is_whole() -> None:
    """It comes from the signatures: a new function fails here until it has its case."""
    door = {name: getattr(exchanges_db, name) for name in exchanges_db.__all__}
    taking = {
        name
        for name, function in door.items()
        if inspect.iscoroutinefunction(function)
        for form in [function, *typing.get_overloads(function)]
        if {"exchange", "exchanges", "exchange_enum"} & set(inspect.signature(form).parameters)
    }
    assert taking - SEEDS - ENDLESS - MAPPED == set(ABOUT_AN_EXCHANGE)


@pytest.mark.parametrize("call", ABOUT_AN_EXCHANGE.values(), ids=ABOUT_AN_EXCHANGE)
async def test_an_exchange_that_is_not_there_is_said_so(conn: asyncpg.Connection, call: Call) -> None:
    """With those that may be meant; an empty answer would be taken for one."""
    for text in ("GATEIO", "gateio"):
        with pytest.raises(ExchangeNotFound) as caught:
            await call(text, conn)
        assert str(caught.value) == f"no exchange is called '{text}': did you mean GATEIO_SPOT or GATEIO_FUTURES?"
    with pytest.raises(ExchangeNotFound, match="no exchange is called 'NOBODY': see `exchanges-db list --all`"):
        await call("NOBODY", conn)
    with pytest.raises(ExchangeNotFound, match="did you mean MEXC_SPOT"):
        await call("MEXC_SPORT", conn)


async def test_advice_is_what_one_can_ask_by(conn: asyncpg.Connection) -> None:
    """Exchanges are asked for by enum_value, also where it is the name that is alike, or the same."""
    await update_exchange(2, {"enum_value": "GATE", "name": "Old_Venue"}, db=conn)
    for text in ("Old_Venue", "OLD_VENU"):
        with pytest.raises(ExchangeNotFound, match=f"no exchange is called '{text}': did you mean GATE.$"):
            await get_symbol(text, "BTC/USDT", db=conn)
        with pytest.raises(ExchangeNotFound, match=f"no exchange is called '{text}': did you mean GATE.$"):
            await sync_symbols(text, db=conn)


async def test_a_second_exchange_is_looked_for_as_well(conn: asyncpg.Connection) -> None:
    """The first of the two is there."""
    with pytest.raises(ExchangeNotFound, match="did you mean GATEIO_SPOT or GATEIO_FUTURES"):
        await common_symbols(MEXC, "GATEIO", db=conn)


# A synchronization would go out to the exchange once it is found.
@pytest.mark.parametrize("name", [name for name in ABOUT_AN_EXCHANGE if name != "sync_symbols"])
async def test_an_exchange_is_found_in_another_case(conn: asyncpg.Connection, name: str) -> None:
    """And answers as if it were spelt exactly; where two are spelt alike, neither is chosen."""
    call = ABOUT_AN_EXCHANGE[name]
    exact = await call(SPOT, conn)
    assert exact or name == "common_symbols"
    alike = await call("gateio_Spot", conn)
    if name == "import_symbols":  # each has its own moment
        exact, alike = exact.exchange, alike.exchange
    assert alike == exact
    await insert_exchange(an_exchange(name="Twin", enum_value="GateIO_Spot"), db=conn)
    with pytest.raises(ExchangeNotFound, match="did you mean GATEIO_SPOT or GateIO_Spot"):
        await call("gateio_Spot", conn)
    assert await call(SPOT, conn) or name == "common_symbols"


async def test_what_is_found_costs_one_statement(conn: asyncpg.Connection) -> None:
    """Whether the exchange exists is asked only where nothing was found."""
    found = await get_symbol(SPOT, "BTC/USDT", db=conn)
    assert found is not None
    calls: list[Callable[[], Any]] = [
        lambda: get_symbol(SPOT, "BTC/USDT", db=conn),
        lambda: get_symbol_by_native(SPOT, "BTC_USDT", db=conn),
        lambda: get_symbol_by_id(found.id, db=conn),
        lambda: get_symbols_by_ids([found.id], db=conn),
        lambda: get_symbols(SPOT, ["BTC/USDT", "ETH/USDT"], db=conn),
        lambda: list_symbols(SPOT, db=conn),
        lambda: can_trade(found, "BUY", db=conn),
        lambda: can_trade(SPOT, "BTC/USDT", "BUY", db=conn),
        lambda: get_symbol_as_of(SPOT, "BTC/USDT", datetime.now(UTC), db=conn),
        lambda: list_symbols_as_of(SPOT, datetime.now(UTC), tradable=None, db=conn),
        lambda: get_symbol_history(SPOT, "BTC/USDT", db=conn),
        lambda: get_exchange_history(2, db=conn),
        lambda: get_exchange_as_of(2, datetime.now(UTC), db=conn),
    ]
    for number, call in enumerate(calls):
        await call()  # the driver asks once per connection what a type is
        sent: list[Any] = []
        with conn.query_logger(sent.append):
            assert await call()
            # Loggers are called in the loop's next round.
            await conn.fetchval("SELECT 'done'")
        queries = [record.query for record in sent if "'done'" not in record.query]
        # What is listed as of a time is not told where it was pruned, which is asked first.
        assert len(queries) == 1 + ("list_symbol_rows_as_of" in queries[-1]), (number, queries)


async def test_an_id_that_no_exchange_has_or_had(conn: asyncpg.Connection) -> None:
    """Unlike one that was deleted, whose history goes on."""
    new_id = await insert_exchange(an_exchange(), db=conn)
    await conn.execute("DELETE FROM exchanges WHERE id = $1", new_id)
    assert [change.operation for change in await get_exchange_history(new_id, db=conn)] == ["INSERT", "DELETE"]
    assert await get_exchange_as_of(new_id, datetime.now(UTC), db=conn) is None
    assert await get_exchange_as_of(2, LONG_AGO, db=conn) is None
    for wrong in (new_id + 1, -5, 2**40):
        with pytest.raises(ExchangeNotFound, match=f"no exchange has the id {wrong}, nor had one"):
            await get_exchange_history(wrong, db=conn)
        with pytest.raises(ExchangeNotFound, match=f"no exchange has the id {wrong}, nor had one"):
            await get_exchange_as_of(wrong, datetime.now(UTC), db=conn)
    for nothing in (None, 1.0, True, b"x", Place, IntEnum("Numbers", {"TWO": 2}).TWO):  # type: ignore[attr-defined]
        with pytest.raises(InvalidExchange):
            await get_exchange_history(nothing, db=conn)  # type: ignore[arg-type]


async def test_an_exchange_is_named_as_it_is_now(conn: asyncpg.Connection) -> None:
    """By text, by an Enum and by its id, the same row of the past."""
    now = datetime.now(UTC)
    by_id = await get_exchange_as_of(2, now, db=conn)
    assert by_id is not None
    assert by_id.enum_value == SPOT
    for same in (SPOT, ExchangeEnum.GATEIO, Venue.SPOT, Place.SPOT):
        assert await get_exchange_as_of(same, now, db=conn) == by_id
        assert await get_exchange_history(same, db=conn) == await get_exchange_history(2, db=conn)


async def test_a_symbol_is_found_in_another_case(conn: asyncpg.Connection) -> None:
    """Where only one fits; the exchange's own names are taken exactly, since some differ in case only."""
    exact = await get_symbol(SPOT, "BTC/USDT", db=conn)
    assert exact is not None
    now = datetime.now(UTC)
    for name in ("btc/usdt", "Btc/Usdt"):
        assert await get_symbol(SPOT, name, db=conn) == exact
        assert await get_symbol_as_of(SPOT, name, now, db=conn) == exact
        assert [version.symbol for version in await get_symbol_history(SPOT, name, db=conn)] == [exact]
        assert await get_symbols("gateio_spot", [name], db=conn) == {name: exact}
    assert await get_symbol_by_native(SPOT, "btc_usdt", db=conn) is None
    assert await get_symbol_as_of(SPOT, "btc_usdt", now, db=conn) is None


async def test_two_spellings_are_never_chosen_between(conn: asyncpg.Connection) -> None:
    """The exact one is found at once; for a third the error names both, wherever it is asked."""
    low = await insert(conn, native_symbol="btc", symbol="btc/usdt", base="btc")
    high = await insert(conn, native_symbol="BTC", symbol="BTC/USDT")
    for name, symbol_id in (("btc/usdt", low), ("BTC/USDT", high)):
        found = await get_symbol(MEXC, name, db=conn)
        assert found is not None
        assert found.id == symbol_id
    now = datetime.now(UTC)
    calls: list[Callable[[], Any]] = [
        lambda: get_symbol(MEXC, "Btc/usdt", db=conn),
        lambda: get_symbols(MEXC, ["BTC/USDT", "Btc/usdt"], db=conn),
        lambda: get_symbol_as_of(MEXC, "Btc/usdt", now, db=conn),
        lambda: get_symbol_history(MEXC, "Btc/usdt", db=conn),
    ]
    for call in calls:
        with pytest.raises(AmbiguousSymbol, match="differ from it in case only") as caught:
            await call()
        assert caught.value.candidates == ("BTC/USDT", "btc/usdt")


async def test_two_live_symbols_of_one_name_are_never_chosen_between(dsn: Dsn) -> None:
    """Two coins that share a code have one canonical name; what the exchange calls them finds each."""
    rows = [spot("GAS"), spot("GAS", id="GASNEO_USDT")]
    async with connected(dsn) as conn:
        await import_symbols(SPOT, payload(SPOT, rows), db=conn)
        now = await conn.fetchval("SELECT clock_timestamp()")
        calls: list[Callable[[], Any]] = [
            lambda: get_symbol(SPOT, "GAS/USDT", db=conn),
            lambda: get_symbol("gateio_spot", "gas/usdt", db=conn),
            lambda: get_symbols(SPOT, ["GAS/USDT"], db=conn),
            lambda: get_symbol_as_of(SPOT, "GAS/USDT", now, db=conn),
            lambda: get_symbol_as_of(SPOT, "gas/usdt", now, db=conn),
        ]
        for call in calls:
            with pytest.raises(
                AmbiguousSymbol, match=r"several live symbols called .* by the exchange's own"
            ) as caught:
                await call()
            assert caught.value.candidates == ("GASNEO_USDT", "GAS_USDT")
        for native in caught.value.candidates:
            found = await get_symbol_by_native(SPOT, native, db=conn)
            assert found is not None
            assert await get_symbol_as_of(SPOT, native, now, db=conn) == found
        rest = await get_symbol_by_native(SPOT, "GAS_USDT", db=conn)
        data = payload(SPOT, rows[:1])
        await import_symbols(SPOT, data, allow=allowed(data), db=conn)
        assert await get_symbol(SPOT, "GAS/USDT", db=conn) == rest
        with pytest.raises(AmbiguousSymbol):
            await get_symbol_as_of(SPOT, "GAS/USDT", now, db=conn)


async def test_symbols_by_id(conn: asyncpg.Connection) -> None:
    """What a user's table refers to: one, or many at once in the order asked for, without those that are not there."""
    some = await list_symbols(db=conn)
    ids = [symbol.id for symbol in reversed(some)]
    assert await get_symbol_by_id(ids[0], db=conn) == some[-1]
    for missing in (2**31 - 1, -1, 2**40):
        assert await get_symbol_by_id(missing, db=conn) is None
    found = await get_symbols_by_ids([*ids, 2**31 - 1, 2**40, ids[0]], db=conn)
    assert list(found) == ids
    assert list(found.values()) == list(reversed(some))
    assert await get_symbols_by_ids([], db=conn) == await get_symbols_by_ids(iter(()), db=conn) == {}
    for wrong in ("1", None, 1.0, True, [1]):
        with pytest.raises(InvalidSymbol, match="must be an integer") as caught:
            await get_symbol_by_id(wrong, db=conn)  # type: ignore[arg-type]
        assert caught.value.field == "symbol_id"
    for no_list in ("12", None, 5, [1.0], ["1"]):
        with pytest.raises(InvalidSymbol) as caught:
            await get_symbols_by_ids(no_list, db=conn)  # type: ignore[arg-type]
        assert caught.value.field == "symbol_ids"


async def test_symbols_by_many_names(conn: asyncpg.Connection) -> None:
    """By the name as it was given, in that order; as get_symbol gives each, and without those that are not there."""
    names = ["ETH/USDT", "NO/SUCH", "btc/usdt", "BTC/USDT", "ETH/USDT"]
    found = await get_symbols(Venue.SPOT, iter(names), db=conn)
    assert list(found) == ["ETH/USDT", "btc/usdt", "BTC/USDT"]
    for name, symbol in found.items():
        assert symbol == await get_symbol(SPOT, name, db=conn)
    assert await get_symbols(SPOT, [], db=conn) == {}
    with pytest.raises(ExchangeNotFound):
        await get_symbols("NOBODY", [], db=conn)
    for wrong in ("BTC/USDT", None, 1, [None], ["x" * 300], ["\x00"]):
        with pytest.raises(InvalidSymbol) as caught:
            await get_symbols(SPOT, wrong, db=conn)  # type: ignore[arg-type]
        assert caught.value.field == "symbols"


async def test_of_several_with_one_name_the_same_counts(dsn: Dsn) -> None:
    """The live one, else the last that was delisted, as for a single name."""
    dead = {"status": "DELISTED", "delisted_at": "2026-01-01T00:00:00Z"}
    async with connected(dsn) as conn:
        for fields in (dead, {}, dead):
            await insert(conn, **fields)
        for _ in range(2):
            assert await get_symbols(MEXC, ["BTC/USDT"], db=conn) == {
                "BTC/USDT": await get_symbol(MEXC, "BTC/USDT", db=conn)
            }
            await conn.execute("DELETE FROM symbols WHERE status = 'TRADING'")


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"base": "BTC"},
        {"quote": "USDT", "kind": "perpetual"},
        {"kind": "spot", "tradable": False},
        {"tradable": None},
        {"quote": "EUR"},
        {"tradable": False},
    ],
)
@pytest.mark.parametrize("exchange", [None, SPOT, MEXC])
async def test_a_list_of_the_past_is_narrowed_as_one_of_now(
    conn: asyncpg.Connection, exchange: str | None, filters: dict[str, Any]
) -> None:
    """By the same filters; the answer about that time stays the same after everything has changed."""
    await import_symbols(MEXC, payload(MEXC, [mexc(), mexc("ETHUSDT", "ETH", status="2")]), db=conn)
    await deactivate_exchange(3, db=conn)
    now = await list_symbols(exchange, **filters, db=conn)
    moment = await conn.fetchval("SELECT clock_timestamp()")
    assert await list_symbols_as_of(exchange, moment, **filters, db=conn) == now
    await activate_exchange(3, db=conn)
    await deactivate_exchange(2, db=conn)
    await conn.execute("UPDATE symbols SET status = 'HALTED', base = 'OTHER', symbol = 'OTHER/USDT' || id")
    assert await list_symbols_as_of(exchange, moment, **filters, db=conn) == now


@pytest.mark.parametrize(
    "filters", [{"kind": "swap"}, {"base": ""}, {"quote": 1}, {"tradable": 1}, {"tradable": "yes"}]
)
async def test_a_filter_that_cannot_be_meant_is_refused_now_and_then(
    conn: asyncpg.Connection, filters: dict[str, Any]
) -> None:
    """By the same check, which names the argument."""
    for call in (list_symbols(SPOT, **filters, db=conn), list_symbols_as_of(SPOT, LONG_AGO, **filters, db=conn)):
        with pytest.raises(InvalidSymbol) as caught:
            await call
        assert [caught.value.field] == list(filters)


async def test_times_that_run_backwards_are_refused(conn: asyncpg.Connection) -> None:
    """An empty answer would say that nothing changed."""
    now = datetime.now(UTC)
    with pytest.raises(InvalidArgument, match="lies after until"):
        await diff_symbols(SPOT, now, now - timedelta(seconds=1), db=conn)
    with pytest.raises(InvalidArgument, match="lies after until"):
        await diff_symbols(SPOT, now + timedelta(days=1), db=conn)
    periods = [
        name
        for name in exchanges_db.__all__
        if inspect.iscoroutinefunction(getattr(exchanges_db, name))
        and sum("datetime" in p.annotation for p in inspect.signature(getattr(exchanges_db, name)).parameters.values())
        > 1
    ]
    assert periods == ["diff_symbols"]


@pytest.mark.parametrize("kind", [Venue, Place])
@pytest.mark.parametrize("key", ["member", "value"])
async def test_an_enum_of_ones_own_is_populated(conn: asyncpg.Connection, kind: Any, key: str) -> None:
    """Missing members get the fields given for them, the others stay as they are, and then nothing is missing."""
    before = await get_exchange_by_id(2, db=conn)
    defaults = {kind.KRAKEN if key == "member" else "KRAKEN_SPOT": KRAKEN}
    (created,) = await ensure_exchanges_populated(kind, defaults=defaults, db=conn)
    assert {field: getattr(created, field) for field in KRAKEN} == KRAKEN
    assert created.to_exchange_enum(kind) is kind.KRAKEN
    assert await get_exchange_by_id(2, db=conn) == before
    assert await ensure_exchanges_populated(kind, defaults=defaults, db=conn) == []
    with pytest.raises(InvalidExchange, match="no ExchangeEnum has the value 'KRAKEN_SPOT'"):
        created.to_exchange_enum()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((Venue, None), r"Venue.KRAKEN is not known here: pass defaults=.* with display_name and market_type"),
        ((Venue, {Venue.KRAKEN: {"display_name": "Kraken"}}), "with market_type"),
        ((Venue, {Venue.KRAKEN: KRAKEN, "ELSE": KRAKEN}), "defaults are given for ELSE, which Venue does not have"),
        ((Venue, {Venue.KRAKEN: {**KRAKEN, "id": 9, "version": 1}}), "cannot set id, version"),
        ((Venue, {Venue.KRAKEN: {**KRAKEN, "enum_value": "X"}}), "cannot set enum_value"),
        ((Venue, {Venue.KRAKEN: {**KRAKEN, "fee": 1}}), "no field fee"),
        ((Venue, {Venue.KRAKEN: {**KRAKEN, "precision_default": 99}}), "precision_default"),
        ((Venue, {Venue.KRAKEN: "Kraken"}), "must map each member"),
        ((Venue, [KRAKEN]), "must map each member"),
        ((Plain, {Plain.KRAKEN: KRAKEN, Plain.KRAKEN.value: KRAKEN}), "name one member twice"),
        ((Plain, {member: {**KRAKEN, "name": "ONE"} for member in Plain}), "several members the name 'ONE'"),
        ((IntEnum("Numbers", {"ONE": 1}), None), "names no exchange"),
        (("MEXC_SPOT", None), "an Enum class is wanted"),
        ((Venue.KRAKEN, None), "an Enum class is wanted"),
    ],
)
async def test_an_enum_that_cannot_be_populated_says_why(
    conn: asyncpg.Connection, arguments: tuple[Any, Any], words: str
) -> None:
    """Before anything is written."""
    before = await conn.fetchval("SELECT count(*) FROM exchanges")
    with pytest.raises(InvalidExchange, match=words):
        await ensure_exchanges_populated(arguments[0], defaults=arguments[1], db=conn)
    assert await conn.fetchval("SELECT count(*) FROM exchanges") == before


async def test_a_name_that_is_taken_leaves_the_others_out_too(database: Database) -> None:
    """The error says that nothing was written."""
    defaults = {Plain.KRAKEN: KRAKEN, Plain.OKX: {**KRAKEN, "name": MEXC}}
    before = await get_all_exchanges(db=database)
    with pytest.raises(DuplicateExchange, match="cannot create MEXC_SPOT"):
        await ensure_exchanges_populated(Plain, defaults=defaults, db=database)
    assert await get_all_exchanges(db=database) == before


def test_a_row_becomes_a_member_of_any_enum() -> None:
    """Of ExchangeEnum by default; a missing member, or a class that is no Enum, is an error that says so."""
    exchange = Exchange.from_exchange_enum(Place.SPOT)
    assert exchange.to_exchange_enum() is ExchangeEnum.GATEIO
    assert exchange.to_exchange_enum(Place) is Place.SPOT
    with pytest.raises(InvalidExchange, match="no Other has the value 'GATEIO_SPOT'"):
        exchange.to_exchange_enum(Other)
    with pytest.raises(InvalidExchange, match="an Enum class is wanted"):
        exchange.to_exchange_enum(str)  # type: ignore[type-var]


@pytest.mark.parametrize("kind", [Venue, Place])
@pytest.mark.parametrize("name", [*ABOUT_AN_EXCHANGE, "get_exchange_by_enum"])
async def test_every_function_takes_an_enum_of_ones_own(conn: asyncpg.Connection, kind: Any, name: str) -> None:
    """As it takes ours, or its text."""
    if name == "sync_symbols":
        await update_exchange(2, {"base_url": None}, db=conn)
    call: Call = ABOUT_AN_EXCHANGE.get(name, lambda exchange, db: get_exchange_by_enum(exchange, db=db))

    async def outcome(exchange: Any) -> Any:
        try:
            found = await call(exchange, conn)
        except ExchangesDBError as exc:
            return str(exc)
        return found.exchange if name == "import_symbols" else found

    assert await outcome(kind.SPOT) == await outcome(ExchangeEnum.GATEIO) == await outcome(SPOT)


async def test_lists_are_lists(database: Database) -> None:
    """What diff_symbols gives can be sorted, joined and compared as what every other function gives."""
    found = await diff_symbols(SPOT, LONG_AGO, db=database)
    assert (found.changes, list(found), len(found)) == ([], [], 0)
    symbols: list[Symbol] = await list_symbols(SPOT, db=database)
    assert symbols == []
