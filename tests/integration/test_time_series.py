"""The example of a user's own time series beside exchanges_db: migrated, filled, asked, and in nobody's way.

docs/time-series.md tells why each thing in it is as it is.
"""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from exchanges_db import (
    Database,
    Registry,
    RegistryStale,
    Settings,
    activate_exchange,
    deactivate_exchange,
    get_exchange_by_enum,
    get_symbol_by_native,
    hold_exchange,
    hold_symbol,
    import_symbols,
    release_exchange,
    release_symbol,
    validate_exchanges,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.migrations import migrate, rollback
from market_data.__main__ import main
from market_data.book_tickers import BookTickers, MaybeWritten, Row, engine_of
from market_data.collector import Collector
from market_data.fake_exchange import FakeExchange
from market_data.feed import Ticker
from market_sql.book_tickers import AsyncQuerier
from tests.factories import connected
from tests.fix_server import ROOT, run_dbmate, url_of
from tests.payload_rows import SPOT, payload, spot
from tests.servers import until

EXAMPLE = ROOT / "examples/time_series"
LEDGER = "market.schema_migrations"
THEIRS = """
    SELECT c.oid::regclass::text FROM pg_class AS c
    WHERE c.relnamespace = to_regnamespace('market') AND c.relkind IN ('r', 'p') ORDER BY 1
"""
OURS = """
    SELECT c.oid::regclass::text FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') ORDER BY 1
"""
ROWS = "SELECT tableoid::regclass::text AS part, symbol_id, at, bid FROM market.book_tickers ORDER BY update_id"
MODES = """
    SELECT DISTINCT l.relation::regclass::text, l.mode FROM pg_locks AS l
    WHERE l.pid = pg_backend_pid() AND l.relation IN ('public.symbols'::regclass, 'market.book_tickers'::regclass)
"""
UNGRANTED = """
    SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
    WHERE NOT l.granted AND a.datname = current_database()
"""
# What others who only read or write rows wait for.
BLOCK_WRITERS = {"ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}
TODAY = datetime.now(UTC).date()
NOON = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)


def dbmate(dsn: Dsn, command: str) -> None:
    """Run plain dbmate on the example's migrations, as its user does."""
    result = run_dbmate(dsn, command, migrations=EXAMPLE / "db/migrations", DBMATE_MIGRATIONS_TABLE=LEDGER)
    assert result.returncode == 0, result.stderr


@pytest.fixture
async def both(dsn: Dsn) -> Dsn:
    """A database with our tables, two symbols in them, and the user's."""
    dbmate(dsn, "up")
    async with Database(dsn) as database:
        await import_symbols(SPOT, payload(SPOT, [spot("BTC"), spot("ETH")]), db=database)
    return dsn


@pytest.fixture
async def engine(both: Dsn) -> AsyncIterator[AsyncEngine]:
    """The user's engine."""
    engine = engine_of(url_of(both))
    yield engine
    await engine.dispose()


@pytest.fixture
async def table(engine: AsyncEngine) -> BookTickers:
    """The user's table with partitions around today."""
    table = BookTickers(engine)
    await table.make_days(TODAY, ahead=1)
    return table


@pytest.fixture
async def look(both: Dsn) -> AsyncIterator[asyncpg.Connection]:
    """A connection to look with."""
    async with connected(both) as connection:
        yield connection


class KnownIds(dict[str, int]):
    """The ids of a view that a test moves on by itself; raises at every look-up where it is told to."""

    error: RegistryStale | None = None

    def get(self, key: str, default: Any = None, /) -> Any:
        """Return the id, or the default."""
        if self.error is not None:
            raise self.error
        return super().get(key, default)


class KnownView:
    """A view that a test moves on by itself."""

    def __init__(self, **ids: int) -> None:
        self.ids = KnownIds(ids)


NOWHERE = BookTickers(engine_of("postgresql://nowhere"))  # for what is not written


async def ids_of(dsn: Dsn, *native_symbols: str) -> list[int]:
    async with Database(dsn) as database:
        found = [await get_symbol_by_native(SPOT, native, db=database) for native in native_symbols]
    return [symbol.id for symbol in found if symbol is not None]


def ticker(native_symbol: str, number: int, at: datetime = NOON) -> Ticker:
    return Ticker(native_symbol, at, number, Decimal(number), Decimal(1), Decimal(number) + 1, Decimal(1))


def rows_of(symbol_ids: Iterable[int], count: int = 100, begin: int = 1) -> list[Row]:
    """Rows of today, a microsecond apart."""
    return [
        Row(symbol_id, NOON + timedelta(microseconds=number), number, *[Decimal(number)] * 4)
        for symbol_id in symbol_ids
        for number in range(begin, begin + count)
    ]


# Both projects in one database.


async def test_neither_project_touches_the_tables_of_the_other(both: Dsn, look: asyncpg.Connection) -> None:
    """Each has its own ledger: ours goes back and forth without theirs, and theirs without ours."""
    await migrate(both)  # which notes the checksums of what plain dbmate has applied
    theirs, ours = await look.fetch(THEIRS), await look.fetch(OURS)
    assert [row[0] for row in theirs] == ["market.book_tickers", LEDGER]
    newest = await rollback(both)
    assert newest is not None
    assert await look.fetch(THEIRS) == theirs
    assert await migrate(both) == [newest]
    assert (await look.fetch(THEIRS), await look.fetch(OURS)) == (theirs, ours)
    dbmate(both, "rollback")
    assert [row[0] for row in await look.fetch(THEIRS)] == [LEDGER]
    assert await look.fetch(OURS) == ours
    assert await migrate(both) == []
    dbmate(both, "up")
    assert await look.fetch(THEIRS) == theirs


async def test_validate_stays_green_beside_the_users_tables(both: Dsn, table: BookTickers) -> None:
    """A schema, a foreign key on symbols and functions of their own are nothing that is amiss with ours."""
    await table.write(rows_of(await ids_of(both, "BTC_USDT")))
    async with Database(both, Settings()) as database:
        report = await validate_exchanges(db=database, lookups=5, target_ms=1000.0)
    assert [check for check in report.checks if not check.passed] == []


async def test_what_the_example_says_of_our_tables_is_so(empty_dsn: Dsn, both: Dsn) -> None:
    """Each column of its file for sqlc is one of ours, with the same type."""
    columns = """
        SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name IN ('exchanges', 'symbols')
    """
    async with connected(empty_dsn) as connection:
        await connection.execute((EXAMPLE / "db/exchanges_db.sql").read_text())
        said = set(await connection.fetch(columns))
    async with connected(both) as connection:
        assert said
        assert said <= set(await connection.fetch(columns))


# The collector.


async def test_the_collector_from_the_feed_to_the_questions(
    both: Dsn, engine: AsyncEngine, look: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a socket, through a registry, by COPY: each ticker in the partition of its day, under the right id."""
    monkeypatch.setenv("DATABASE_URL", url_of(both))
    btc, eth = await ids_of(both, "BTC_USDT", "ETH_USDT")
    yesterday = NOON - timedelta(days=1)
    async with FakeExchange() as exchange:
        collecting = asyncio.create_task(main(SPOT, "127.0.0.1", exchange.port))
        await exchange.connected.wait()
        for number, bid in enumerate(("64000.1", "64000.25", "63999.9", "64000.05")):
            exchange.send("BTC_USDT", Decimal(bid), NOON + timedelta(seconds=20 * number))
        exchange.send("ETH_USDT", Decimal("3000.123456789012345678"), yesterday)
        exchange.end()
        await collecting
    days = [f"market.book_tickers_{day:%Y%m%d}" for day in (NOON, yesterday)]
    rows = await look.fetch(ROWS)
    assert [(row["part"], row["symbol_id"]) for row in rows] == [(days[0], btc)] * 4 + [(days[1], eth)]
    assert rows[-1]["bid"] == Decimal("3000.123456789012345678")
    async with engine.connect() as connection:
        market = AsyncQuerier(connection)
        last = [one async for one in market.list_last_tickers(since=yesterday, exchange=SPOT)]
        minutes = market.list_candles(
            width=timedelta(minutes=1), symbol_id=btc, since=yesterday, until=NOON + timedelta(days=1)
        )
        candles = [msgspec.to_builtins(one) async for one in minutes]
    assert [(one.native_symbol, one.at) for one in last] == [
        ("BTC_USDT", NOON + timedelta(minutes=1)),
        ("ETH_USDT", yesterday),
    ]
    assert [tuple(candle.values())[1:] for candle in candles] == [
        ("64000.1", "64000.25", "63999.9", "63999.9", 3),
        ("64000.05", "64000.05", "64000.05", "64000.05", 1),
    ]


async def test_a_symbol_that_was_listed_a_minute_ago_gets_its_id_when_the_registry_has_it(
    both: Dsn, table: BookTickers, look: asyncpg.Connection
) -> None:
    """What was seen of it before waits by the exchange's own name, and is written with what comes after."""
    async with Database(both) as database, Registry(database) as registry:
        view = registry.view(SPOT)
        collector = Collector(view, table)
        collector.take(ticker("NEW_USDT", 1))
        assert (await collector.flush(), collector.waiting) == (0, 1)
        await import_symbols(SPOT, payload(SPOT, [spot("BTC"), spot("ETH"), spot("NEW")]), db=database)
        await until(lambda: _has(view, "NEW_USDT"), what="the registry has the new symbol")
        collector.take(ticker("NEW_USDT", 2))
        assert (await collector.flush(), collector.waiting) == (2, 0)
    (new,) = await ids_of(both, "NEW_USDT")
    assert [row["symbol_id"] for row in await look.fetch(ROWS)] == [new, new]


async def _has(view: Any, native_symbol: str) -> bool:
    return view.ids.get(native_symbol) is not None


async def test_what_waits_for_an_id_is_bounded() -> None:
    """Of one symbol the oldest tickers go; a name too many is not kept at all; each is counted."""
    view = KnownView()
    collector = Collector(view, NOWHERE, names=2, each=3)
    for name in ("A", "B", "C"):
        for number in range(5):
            collector.take(ticker(name, number))
    assert (collector.waiting, collector.lost) == (6, 2 + 2 + 5)


async def test_what_was_never_listed_is_dropped_after_a_while() -> None:
    """A name that a delisted symbol had may be given to another one: its last tickers are not that one's."""
    collector = Collector(KnownView(), NOWHERE, patience=0.0)
    collector.take(ticker("GONE_USDT", 1))
    assert await collector.flush() == 0
    assert (collector.waiting, collector.lost) == (0, 1)


async def test_a_stale_registry_is_not_asked_for_ids(both: Dsn, table: BookTickers, look: asyncpg.Connection) -> None:
    """A name may be another symbol's by now: what comes meanwhile gets the id that the registry gives afterwards."""
    btc, eth = await ids_of(both, "BTC_USDT", "ETH_USDT")
    view = KnownView(BTC_USDT=btc)
    collector = Collector(view, table)
    collector.take(ticker("BTC_USDT", 1))
    view.ids.error = RegistryStale("not proven to be fresh for 5 s", lag=5.0)
    collector.take(ticker("BTC_USDT", 2))
    assert (await collector.flush(), collector.waiting) == (1, 1)
    view.ids.error = None
    view.ids["BTC_USDT"] = eth
    assert (await collector.flush(), collector.waiting) == (1, 0)
    assert [row["symbol_id"] for row in await look.fetch(ROWS)] == [btc, eth]


async def test_prices_of_a_held_symbol_go_on(both: Dsn, table: BookTickers, look: asyncpg.Connection) -> None:
    """Holds and inactive exchanges are about trading."""
    async with Database(both) as database, Registry(database) as registry:
        collector = Collector(registry.view(SPOT), table)
        before = registry.position
        assert await hold_symbol(SPOT, "BTC_USDT", native=True, reason="a trial", db=database)
        place = await get_exchange_by_enum(SPOT, db=database)
        assert place is not None
        assert await deactivate_exchange(place.id, db=database)

        async def is_held() -> bool:
            found = registry.snapshot.places[SPOT]
            return registry.position != before and bool(found.holds) and not found.exchange.is_active

        await until(is_held, what="the registry has the hold")
        collector.take(ticker("BTC_USDT", 1))
        assert await collector.flush() == 1
    assert len(await look.fetch(ROWS)) == 1


async def test_a_time_without_a_partition_costs_no_batch(both: Dsn, table: BookTickers) -> None:
    """An exchange's clock that is days off: that ticker is lost and counted, the others are written."""
    collector = Collector(KnownView(BTC_USDT=(await ids_of(both, "BTC_USDT"))[0]), table)
    for number, days in enumerate((0, 2, -2, 1, -1)):
        collector.take(ticker("BTC_USDT", number, NOON + timedelta(days=days)))
    assert (await collector.flush(), collector.lost) == (3, 2)


class _Cut(BookTickers):
    """Loses its connection after the COPY was written and before that was said."""

    async def write(self, rows: Any) -> None:
        await super().write(rows)
        raise MaybeWritten("the connection was lost")


async def test_a_batch_of_which_nobody_knows_is_there_once(
    both: Dsn, engine: AsyncEngine, look: asyncpg.Connection
) -> None:
    """It is written again by its primary key."""
    table = _Cut(engine)
    await table.make_days(TODAY, ahead=0)
    collector = Collector(KnownView(BTC_USDT=(await ids_of(both, "BTC_USDT"))[0]), table)
    collector.take(ticker("BTC_USDT", 1))
    with pytest.raises(MaybeWritten):
        await collector.flush()
    assert await collector.flush() == 0
    assert len(await look.fetch(ROWS)) == 1


class _Away(BookTickers):
    """Is out of reach once."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self.was_away = asyncio.Event()

    async def write(self, rows: Any) -> None:
        if not self.was_away.is_set():
            self.was_away.set()
            raise MaybeWritten("the database is away")
        await super().write(rows)


async def test_a_collector_goes_on_when_the_database_is_back(
    both: Dsn, engine: AsyncEngine, look: asyncpg.Connection
) -> None:
    """The feed is read meanwhile, and nothing of it is missing in the end."""
    table = _Away(engine)
    await table.make_days(TODAY, ahead=0)
    collector = Collector(KnownView(BTC_USDT=(await ids_of(both, "BTC_USDT"))[0]), table, batch=1)

    async def feed() -> AsyncIterator[Ticker]:
        yield ticker("BTC_USDT", 1)
        await table.was_away.wait()
        yield ticker("BTC_USDT", 2)

    await collector.run(feed(), every=0.01)
    assert [row["bid"] for row in await look.fetch(ROWS)] == [Decimal(1), Decimal(2)]


async def _endless(*tickers: Ticker) -> AsyncIterator[Ticker]:
    for one in tickers:
        yield one
    await asyncio.Event().wait()


async def test_a_collector_that_is_cancelled_writes_what_has_come(
    both: Dsn, table: BookTickers, look: asyncpg.Connection
) -> None:
    """As by Ctrl-C, long before the next batch is due."""
    collector = Collector(KnownView(BTC_USDT=(await ids_of(both, "BTC_USDT"))[0]), table)
    collecting = asyncio.create_task(collector.run(_endless(ticker("BTC_USDT", 1)), every=3600))
    await asyncio.sleep(0.05)  # the feed is read within one step of the loop
    collecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await collecting
    assert [row["bid"] for row in await look.fetch(ROWS)] == [Decimal(1)]


async def test_a_batch_that_is_being_written_when_the_collector_is_cancelled_is_there_once(
    both: Dsn, table: BookTickers, look: asyncpg.Connection
) -> None:
    """Its COPY is ended, and nobody knows how: it is written again by its primary key."""
    collector = Collector(KnownView(BTC_USDT=(await ids_of(both, "BTC_USDT"))[0]), table, batch=2)
    async with look.transaction():
        await look.execute("LOCK TABLE market.book_tickers IN EXCLUSIVE MODE")
        feed = _endless(ticker("BTC_USDT", 1), ticker("BTC_USDT", 2))
        collecting = asyncio.create_task(collector.run(feed, every=3600))

        async def waits_for_us() -> bool:
            return bool(await look.fetchval(UNGRANTED))

        await until(waits_for_us, what="the batch waits")
        collecting.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await collecting
    assert [row["bid"] for row in await look.fetch(ROWS)] == [Decimal(1), Decimal(2)]


async def test_the_collector_ends_in_order_when_systemd_says_so(both: Dsn, look: asyncpg.Connection) -> None:
    """By SIGTERM, which a Python program dies of otherwise, with what it had not written yet."""
    async with FakeExchange() as exchange:
        environment = {**os.environ, "DATABASE_URL": url_of(both), "PYTHONPATH": str(EXAMPLE)}
        arguments = ("-m", "market_data", SPOT, "127.0.0.1", str(exchange.port))
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        await asyncio.wait_for(exchange.connected.wait(), 60)
        exchange.send("BTC_USDT", Decimal(1), NOON)

        async def is_written() -> bool:
            return bool(await look.fetch(ROWS))

        await until(is_written, what="the first is written")
        process.terminate()
        out, err = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, out, err) == (0, b"0 tickers of symbols that are not listed, 0 lost\n", b"")


async def test_rows_wait_in_memory_while_the_database_is_away(
    both: Dsn, table: BookTickers, look: asyncpg.Connection
) -> None:
    """Its sessions are ended under it: the flush says so, and the next one writes all rows, those and new ones."""
    collector = Collector(KnownView(BTC_USDT=(await ids_of(both, "BTC_USDT"))[0]), table)
    collector.take(ticker("BTC_USDT", 1))
    await look.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with pytest.raises(MaybeWritten):
        await collector.flush()
    collector.take(ticker("BTC_USDT", 2))
    assert await collector.flush() == 1
    assert len(await look.fetch(ROWS)) == 2


async def test_whatever_the_driver_calls_a_lost_connection_the_rows_stay(
    both: Dsn, table: BookTickers, look: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found in a wrong state where the server's end of it has just been read."""
    rows = rows_of(await ids_of(both, "BTC_USDT"), 1)

    async def lost(*_: object, **__: object) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress")

    with monkeypatch.context() as patch:
        patch.setattr(asyncpg.Connection, "copy_records_to_table", lost)
        with pytest.raises(MaybeWritten):
            await table.write(rows)
    await table.write(rows)
    assert len(await look.fetch(ROWS)) == 1


async def test_a_symbol_with_tickers_cannot_go(both: Dsn, table: BookTickers, look: asyncpg.Connection) -> None:
    """The key holds both ways: no ticker of an unknown symbol, no deleted symbol with tickers."""
    (btc,) = await ids_of(both, "BTC_USDT")
    await table.write(rows_of([btc], 1))
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await table.write(rows_of([btc, 999_999_999], 1, begin=2))
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await look.execute("DELETE FROM public.symbols WHERE id = $1", btc)
    assert len(await look.fetch(ROWS)) == 1


async def test_old_days_are_dropped(both: Dsn, engine: AsyncEngine, table: BookTickers) -> None:
    """As whole partitions, and what is left is as it was."""
    await table.write(rows_of(await ids_of(both, "BTC_USDT"), 3))
    assert await table.drop_days_before(TODAY) == 1
    assert await table.drop_days_before(TODAY) == 0
    async with engine.connect() as connection:
        last = [one async for one in AsyncQuerier(connection).list_last_tickers(since=NOON, exchange=SPOT)]
    assert [one.bid for one in last] == [Decimal(3)]


# Nobody waits.


@pytest.fixture
def waits() -> list[str]:
    """What the server said of waits for locks, in the sessions of `telling`."""
    return []


TELLING = {"log_lock_waits": "on", "deadlock_timeout": "1ms", "client_min_messages": "log", "lock_timeout": "2s"}
IMPATIENT = {"lock_timeout": "5ms"}


def telling(dsn: Dsn, waits: list[str]) -> AsyncEngine:
    """An engine whose sessions tell of each wait for a lock of a millisecond, as a superuser may ask for."""

    async def connect() -> asyncpg.Connection:
        connection: asyncpg.Connection = await asyncpg.connect(**replace(dsn, settings=TELLING).asyncpg_arguments())
        connection.add_log_listener(lambda _connection, message: waits.append(str(message.message)))
        return connection

    return create_async_engine("postgresql+asyncpg://", async_creator=connect)


async def change_everything(database: Any, number: int) -> None:
    """An import that changes both symbols and one that lists another, and both kinds of kill switch, on and off."""
    least = f"3.{1 + number % 2}"
    rows = [spot("BTC", min_quote_amount=least), spot("ETH", min_quote_amount=least)]
    report = await import_symbols(SPOT, payload(SPOT, [*rows, *(spot(f"N{n}") for n in range(number))]), db=database)
    assert len(report.changes) == 2 + (number > 0)  # both, and one that is new
    await hold_symbol(SPOT, "BTC_USDT", native=True, reason=f"trial {number}", db=database)
    await hold_exchange(SPOT, reason=f"trial {number}", db=database)
    place = await get_exchange_by_enum(SPOT, db=database)
    assert place is not None
    await deactivate_exchange(place.id, db=database)
    await activate_exchange(place.id, db=database)
    await release_symbol(SPOT, "BTC_USDT", native=True, db=database)
    await release_exchange(SPOT, db=database)


async def test_tickers_are_copied_beside_an_import_and_a_kill_switch_that_are_not_committed(
    both: Dsn, waits: list[str], look: asyncpg.Connection
) -> None:
    """Every row of symbols that the COPY refers to was just changed in a transaction that is open."""
    engine = telling(both, waits)
    table = BookTickers(engine)
    await table.make_days(TODAY, ahead=0)
    symbols = await ids_of(both, "BTC_USDT", "ETH_USDT")
    async with Database(both) as database, database.transaction() as open_one:
        await change_everything(open_one, 1)
        changed = "SELECT count(*) FROM symbols WHERE id = ANY($1) AND min_notional = 3.2"
        assert await open_one.connection.fetchval(changed, symbols) == 2
        assert await look.fetchval(changed, symbols) == 0
        await table.write(rows_of(symbols))
    await engine.dispose()
    assert waits == []


async def test_an_import_and_a_kill_switch_do_not_wait_for_tickers_that_are_not_committed(
    both: Dsn, look: asyncpg.Connection
) -> None:
    """A wait would end with an error after 5 ms."""
    symbols = await ids_of(both, "BTC_USDT", "ETH_USDT")
    await look.execute("SELECT market.make_book_tickers_day($1)", TODAY)
    async with look.transaction(), Database(replace(both, settings=IMPATIENT)) as database:
        await look.copy_records_to_table(
            "book_tickers", schema_name="market", records=rows_of(symbols), columns=Row._fields
        )
        await change_everything(database, 1)


async def test_nobody_waits_while_all_of_it_goes_on_at_once(
    both: Dsn, waits: list[str], look: asyncpg.Connection
) -> None:
    """A collector copies batch after batch while imports change the symbols and the kill switches are thrown.

    The collector's waits of a millisecond are told by the server, ours of five are errors, and all are looked for.
    """
    engine = telling(both, waits)
    table = BookTickers(engine)
    await table.make_days(TODAY, ahead=0)
    symbols = await ids_of(both, "BTC_USDT", "ETH_USDT")
    stop = asyncio.Event()
    written = 0

    async def collect() -> None:
        nonlocal written
        while not stop.is_set():
            await table.write(rows_of(symbols, 200, begin=written + 1))
            written += 200

    async def count() -> int:
        ungranted = 0
        while not stop.is_set():
            ungranted += await look.fetchval(UNGRANTED)
        return ungranted

    collecting, counting = asyncio.create_task(collect()), asyncio.create_task(count())
    async with Database(replace(both, settings=IMPATIENT)) as database:
        for number in range(1, 11):
            await change_everything(database, number)
    stop.set()
    await collecting
    assert await counting == 0
    await engine.dispose()
    assert written > 1000
    assert waits == []


async def test_a_wait_is_noticed(both: Dsn, waits: list[str], look: asyncpg.Connection) -> None:
    """The tests above can fail: a lock on the key, which no statement of ours takes, makes the COPY wait."""
    engine = telling(both, waits)
    table = BookTickers(engine)
    await table.make_days(TODAY, ahead=0)
    symbols = await ids_of(both, "BTC_USDT")
    async with look.transaction():
        await look.execute("SELECT FROM public.symbols WHERE id = $1 FOR UPDATE", symbols[0])
        writing = asyncio.create_task(table.write(rows_of(symbols)))

        async def is_noticed() -> bool:
            return bool(waits)

        await until(is_noticed, what="the server tells of the wait")
    await writing
    await engine.dispose()
    assert "still waiting for ShareLock on transaction" in waits[0]


async def test_no_statement_of_ours_locks_a_key(look: asyncpg.Connection) -> None:
    """Only FOR UPDATE, DELETE and a change of a column with a whole unique index would; test_locks.py runs each write.

    symbols_live_native_symbol_key is partial, so that a name that changes locks no key; no query changes one.
    """
    keys = await look.fetchval("""
        SELECT array_agg(DISTINCT a.attname ORDER BY a.attname) FROM pg_index AS i
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = 'public.symbols'::regclass AND i.indisunique AND i.indpred IS NULL
    """)
    assert keys == ["id"]
    bodies = await look.fetchval("""
        SELECT string_agg(p.prosrc, ';') FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace
    """)
    code = "\n".join([bodies, *(path.read_text() for path in sorted((ROOT / "db/queries").glob("*.sql")))])
    code = re.sub(r"--[^\n]*", "", code)
    assert re.findall(r"\bFOR (?:UPDATE|SHARE)\b", code) == []
    updates = re.findall(r"UPDATE public\.symbols AS s\s+SET(.*?)(?:\bFROM\b|\bWHERE\b)", code, re.DOTALL)
    assert len(updates) >= 5
    assert [one for one in updates if re.search(r"(?:^|,)\s*id\s*=", one)] == []


# What does lock: the days.


async def locks_of(look: asyncpg.Connection, statement: str, *arguments: object) -> dict[str, set[str]]:
    """Return which locks a statement takes on the two tables."""
    transaction = look.transaction()
    await transaction.start()
    await look.execute(statement, *arguments)
    held: dict[str, set[str]] = {"symbols": set(), "market.book_tickers": set()}
    for row in await look.fetch(MODES):
        held[row[0]].add(row[1])
    await transaction.rollback()
    return {name: modes & BLOCK_WRITERS for name, modes in held.items()}


async def test_what_days_lock_is_what_the_document_says(
    both: Dsn, table: BookTickers, look: asyncpg.Connection
) -> None:
    """Making one: symbols against writers, not the table. Dropping one: the table, not symbols. Detaching one: both."""
    await check_locks_of_days(look)


async def check_locks_of_days(look: asyncpg.Connection) -> None:
    """Also for the other versions of PostgreSQL: tests/faults/test_versions.py."""
    made = await locks_of(look, "SELECT market.make_book_tickers_day($1)", TODAY + timedelta(days=9))
    assert made == {"symbols": {"ShareRowExclusiveLock"}, "market.book_tickers": set()}
    dropped = await locks_of(look, "SELECT market.drop_book_tickers_before($1)", TODAY)
    assert dropped == {"symbols": set(), "market.book_tickers": {"AccessExclusiveLock"}}
    detach = f"ALTER TABLE market.book_tickers DETACH PARTITION market.book_tickers_{TODAY:%Y%m%d}"
    assert await locks_of(look, detach) == {
        "symbols": {"ShareRowExclusiveLock"},
        "market.book_tickers": {"AccessExclusiveLock"},
    }
    await look.execute(detach)
    gone = await locks_of(look, f"DROP TABLE market.book_tickers_{TODAY:%Y%m%d}")
    assert gone == {"symbols": {"AccessExclusiveLock"}, "market.book_tickers": set()}


async def test_a_new_day_gives_up_behind_an_import_and_is_made_after_it(both: Dsn, table: BookTickers) -> None:
    """Within 200 ms, so that nobody has to queue behind it for longer."""
    async with Database(both) as database, database.transaction() as open_one:
        await import_symbols(SPOT, payload(SPOT, [spot("BTC"), spot("ETH", min_quote_amount="7")]), db=open_one)
        with pytest.raises(MaybeWritten, match="lock timeout"):
            await table.make_days(TODAY, ahead=3)
        assert table.ends == NOON + timedelta(days=1, hours=12)
        table.ready.clear()
        keeping = asyncio.create_task(table.keep_days(again=0.01))
    await table.ready.wait()
    keeping.cancel()
    assert table.ends == NOON + timedelta(days=7, hours=12)
