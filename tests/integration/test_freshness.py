"""The age of what is known: by the server's clock alone, told of each list, and an obstacle where it is too old."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exchanges_db import (
    Database,
    ExchangeNotFound,
    InvalidArgument,
    Obstacle,
    can_trade,
    common_symbols,
    deactivate_exchange,
    get_freshness,
    get_symbol,
    import_symbols,
    list_symbol_lists,
    list_symbols,
    validate_exchanges,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.symbols.freshness import server_time, span
from tests.factories import connected
from tests.payload_rows import FUTURES, MEXC, SPOT, futures, many, payload, spot
from tests.symbol_rows import insert

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
async def now(database: Database) -> datetime:
    """What time it is by the server's clock."""
    return await server_time(database)


async def load(database: Database, exchange: str, observed_at: datetime, rows: Any = None, **more: Any) -> None:
    """Import a list as the exchange gave it at a time."""
    body = payload(exchange, many(exchange, 2) if rows is None else rows)
    await import_symbols(exchange, body, observed_at=observed_at, **more, db=database)


async def test_each_list_says_when_it_was_confirmed_and_when_it_changed(database: Database, now: datetime) -> None:
    """An import that changes nothing makes a list younger, and leaves the time of its last change."""
    assert await get_freshness(db=database) == []
    await load(database, SPOT, now - 2 * HOUR)
    await load(database, FUTURES, now - 3 * HOUR, [futures("BTC")], listing="PERPETUAL:USDT")
    contracts, coins = await get_freshness(db=database)
    assert [(one.exchange, str(one.listing)) for one in (contracts, coins)] == [
        (FUTURES, "PERPETUAL:USDT"), (SPOT, "SPOT"),
    ]  # fmt: skip
    assert (coins.confirmed_at, coins.confirmations, coins.doubtful) == (now - 2 * HOUR, 0, 0)
    assert 2 * HOUR <= coins.age < 2 * HOUR + 5 * MINUTE
    assert 3 * HOUR <= contracts.age < 3 * HOUR + 5 * MINUTE
    await load(database, SPOT, now - HOUR)
    (again,) = await get_freshness("gateio_spot", db=database)
    assert (again.confirmed_at, again.changed_at, again.confirmations) == (now - HOUR, coins.changed_at, 1)
    assert HOUR <= again.age < HOUR + 5 * MINUTE
    (listed,) = await list_symbol_lists(SPOT, db=database)
    assert HOUR <= listed.age < HOUR + 5 * MINUTE
    with pytest.raises(ExchangeNotFound):
        await get_freshness("NOBODY", db=database)


async def test_the_clock_of_this_machine_is_not_asked(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be days off; only the server's decides how old a list is."""
    await load(database, SPOT, now - HOUR)

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Wrong":
            return cls(2099, 1, 1, tzinfo=tz)

    for module in ("freshness", "lists", "trading", "look_ups", "judge"):
        monkeypatch.setattr(f"exchanges_db.symbols.{module}.datetime", Wrong, raising=False)
    (one,) = await get_freshness(db=database)
    assert HOUR <= one.age < HOUR + 5 * MINUTE
    symbol = (await list_symbols(SPOT, max_age=2 * HOUR, db=database))[0]
    assert await can_trade(symbol, "BUY", max_age=2 * HOUR, db=database)


async def test_a_symbol_that_was_confirmed_too_long_ago_is_stale(database: Database, now: datetime) -> None:
    """By name and by symbol; now, and for a time ahead, for which the age at the time of asking counts."""
    await load(database, SPOT, now - HOUR, [spot()])
    symbol = await get_symbol(SPOT, "BTC/USDT", db=database)
    assert symbol is not None
    ask: Callable[..., Any] = can_trade
    ways = ((symbol, "BUY"), (SPOT, "BTC/USDT", "BUY"))
    for asked in ways:
        for at in (None, now + timedelta(days=300)):
            assert await ask(*asked, at, db=database)
            assert await ask(*asked, at, max_age=2 * HOUR, db=database)
            answer = await ask(*asked, at, max_age=10 * MINUTE, db=database)
            assert answer.obstacles == (Obstacle.STALE,)
            assert answer.reason == "the exchange confirmed it 1h ago; at most 10m was asked for"
    await load(database, SPOT, now, [spot()])
    assert await can_trade(symbol, "BUY", max_age=10 * MINUTE, db=database)


async def test_in_the_past_the_age_of_then_counts(database: Database, now: datetime) -> None:
    """As far as it is known: of what held then, when the exchange last said so by that time."""
    await load(database, SPOT, now - 5 * HOUR, [spot()])
    symbol = await get_symbol(SPOT, "BTC/USDT", db=database)
    assert symbol is not None
    # What was known is in the database since now: nothing before was known, however old the list.
    before = await can_trade(symbol, "BUY", now - HOUR, max_age=HOUR, db=database)
    assert before.obstacles == (Obstacle.UNKNOWN_THEN,)
    then = await server_time(database)
    stale = await can_trade(symbol, "BUY", then, max_age=HOUR, db=database)
    assert stale.obstacles == (Obstacle.STALE,)
    assert await can_trade(symbol, "BUY", then, max_age=6 * HOUR, db=database)
    # A list that came later makes nothing fresh that was old.
    await load(database, SPOT, await server_time(database), [spot()])
    assert (await can_trade(symbol, "BUY", then, max_age=HOUR, db=database)).obstacle is Obstacle.STALE
    assert await can_trade(symbol, "BUY", max_age=HOUR, db=database)


async def test_what_no_list_has_confirmed_is_stale_at_any_age(database: Database, dsn: Dsn) -> None:
    """A row that somebody wrote by hand."""
    async with connected(dsn) as conn:
        await insert(conn)
    assert await can_trade(MEXC, "BTC/USDT", "BUY", db=database)
    answer = await can_trade(MEXC, "BTC/USDT", "BUY", max_age=timedelta(days=9999), db=database)
    assert answer.obstacles == (Obstacle.STALE,)
    assert answer.reason == "the exchange has never confirmed it; at most 9999d was asked for"
    assert len(await list_symbols(MEXC, db=database)) == 1
    assert await list_symbols(MEXC, max_age=timedelta(days=9999), db=database) == []


async def test_lists_leave_out_what_is_stale(database: Database, now: datetime) -> None:
    """Also those of what exchanges have in common."""
    await load(database, SPOT, now - HOUR, [spot()])
    await load(database, FUTURES, now - 3 * HOUR, [futures("BTC")], listing="PERPETUAL:USDT")
    names = {one.symbol for one in await list_symbols(max_age=2 * HOUR, db=database)}
    assert names == {"BTC/USDT"}
    stale = await list_symbols(max_age=2 * HOUR, tradable=False, db=database)
    assert [one.symbol for one in stale] == ["BTC/USDT:USDT"]
    assert len(await common_symbols(SPOT, FUTURES, max_age=4 * HOUR, db=database)) == 1
    assert len(await common_symbols(SPOT, FUTURES, max_age=2 * HOUR, db=database)) == 0


@pytest.mark.parametrize("wrong", [timedelta(0), timedelta(seconds=-1), 600, 6.0, "10m", float("nan"), True])
async def test_an_age_that_is_none_is_refused(database: Database, wrong: Any) -> None:
    """Seconds and minutes are not guessed between."""
    for call in (
        can_trade(SPOT, "BTC/USDT", "BUY", max_age=wrong, db=database),
        list_symbols(max_age=wrong, db=database),
        common_symbols(SPOT, FUTURES, max_age=wrong, db=database),
        validate_exchanges(max_age=wrong, db=database),
    ):
        with pytest.raises(InvalidArgument, match="max_age must be a positive timedelta") as info:
            await call
        assert info.value.field == "max_age"


async def test_an_age_without_the_question_what_is_tradable_is_refused(database: Database) -> None:
    """It would do nothing, in silence."""
    with pytest.raises(InvalidArgument, match="leave tradable=None out"):
        await list_symbols(tradable=None, max_age=HOUR, db=database)


async def test_a_validation_fails_on_a_list_that_is_older(database: Database, now: datetime) -> None:
    """Of an exchange that is active; without an age it only tells."""

    async def checked(**options: Any) -> tuple[bool, str]:
        report = await validate_exchanges(lookups=5, target_ms=1000, db=database, **options)
        (check,) = [one for one in report.checks if one.name == "lists fresh"]
        return check.passed, check.detail

    assert await checked() == (True, "no list of an active exchange was ever imported")
    passed, detail = await checked(max_age=HOUR)
    assert (passed, "was ever imported: exchanges-db sync" in detail) == (False, True)
    await load(database, SPOT, now - HOUR)
    await load(database, FUTURES, now - 3 * HOUR, [futures("BTC")], listing="PERPETUAL:USDT")
    passed, detail = await checked()
    assert passed
    assert detail.startswith("2 lists; the one confirmed longest ago is GATEIO_FUTURES PERPETUAL:USDT, 3h")
    assert detail.endswith("; of MEXC_SPOT no list was ever imported")
    passed, detail = await checked(max_age=2 * HOUR)
    assert not passed
    assert detail.startswith("1 of 2 lists were confirmed longer ago than 2h: GATEIO_FUTURES PERPETUAL:USDT, 3h")
    assert await deactivate_exchange(3, db=database)
    assert (await checked(max_age=2 * HOUR))[0]


async def test_the_clock_of_a_list_may_lie_a_little_ahead(database: Database) -> None:
    """An age is never negative."""
    await load(database, SPOT, datetime.now(UTC) + timedelta(seconds=5))
    (one,) = await get_freshness(db=database)
    assert one.age == timedelta(0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0s"), (0.9, "0s"), (59, "59s"), (60, "1m"), (61, "1m 1s"), (3600, "1h"), (93_784, "1d 2h"), (-5, "0s")],
)
def test_a_length_of_time_has_at_most_two_units(seconds: float, words: str) -> None:
    """Nobody wants the seconds of what is days old."""
    assert span(timedelta(seconds=seconds)) == words
