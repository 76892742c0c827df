"""What is asked about the past: by names of then, the same answer whenever one asks, whatever is written meanwhile."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from exchanges_db import (
    ChangeKind,
    Database,
    ExchangeNotFound,
    InvalidArgument,
    Obstacle,
    SchemaMismatch,
    Symbol,
    can_trade,
    diff_symbols,
    get_exchange_as_of,
    get_exchange_history,
    get_symbol,
    get_symbol_as_of,
    get_symbol_history,
    import_symbols,
    list_symbols,
    list_symbols_as_of,
    search_symbols,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.symbols.import_lock import LOCK_CLASS
from tests.factories import connected
from tests.fix_server import run_dbmate
from tests.payload_rows import SPOT, payload, spot
from tests.symbol_rows import insert

MEXC = "MEXC_SPOT"
# As an import gives it, whatever its session calls times.
GIVE_MOMENT = """
    SELECT set_config('exchanges_db.moment',
                      to_char($1::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00', true)
"""
WAITS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


async def clock(conn: asyncpg.Connection) -> datetime:
    """The server's time."""
    moment: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return moment


@asynccontextmanager
async def importing(dsn: Dsn, exchange_id: int = 1) -> AsyncIterator[tuple[asyncpg.Connection, datetime]]:
    """An import that runs: it has the lock and its moment, and is committed at the end."""
    async with connected(dsn) as session, session.transaction():
        await session.execute("SELECT pg_advisory_xact_lock($1, $2)", LOCK_CLASS, exchange_id)
        moment = await clock(session)
        await session.execute("SELECT set_config('exchanges_db.moment', $1::timestamptz::text, true)", moment)
        yield session, moment


async def waiting(conn: asyncpg.Connection, task: "asyncio.Task[Any]") -> None:
    """Return when somebody waits for an advisory lock."""
    while not task.done() and await conn.fetchval(WAITS) == 0:  # the event is in the server
        await asyncio.sleep(0.005)


async def test_an_exchange_that_was_renamed_is_found_by_the_name_it_had_then(dsn: Dsn) -> None:
    """And by the new name since; its symbols carry the name of the time that is asked about."""
    async with connected(dsn) as conn:
        await insert(conn)
        before = await clock(conn)
        await update_exchange(1, {"enum_value": "MEXC_CASH"}, db=conn)
        after = await clock(conn)
        await conn.execute("UPDATE symbols SET price_tick = 7")
        now = await clock(conn)
        for key in ("MEXC_SPOT", "MEXC_CASH", "mexc_spot", 1):
            then = await get_symbol_as_of(key, "BTC/USDT", before, db=conn)
            later = await get_symbol_as_of(key, "BTC/USDT", now, db=conn)
            assert then is not None
            assert later is not None
            assert (then.exchange, later.exchange) == ("MEXC_SPOT", "MEXC_CASH")
            assert await list_symbols_as_of(key, before, db=conn) == [then]
            assert await list_symbols_as_of(key, now, db=conn) == [later]
            versions = await get_symbol_history(key, "BTC/USDT", db=conn)
            assert [one.symbol.exchange for one in versions] == ["MEXC_SPOT", "MEXC_CASH"]
            exchange = await get_exchange_as_of(key, before, db=conn)
            assert exchange is not None
            assert exchange.enum_value == "MEXC_SPOT"
            assert len(await get_exchange_history(key, db=conn)) >= 2
            assert len(await diff_symbols(key, after, db=conn)) == 1
        assert await can_trade("MEXC_SPOT", "BTC/USDT", "BUY", before, db=conn)


async def test_a_name_that_was_given_to_another_exchange_means_the_one_that_had_it_then(dsn: Dsn) -> None:
    """Two exchanges swap their names: each question is about the holder of its time."""
    async with connected(dsn) as conn:
        await insert(conn)
        await insert(conn, exchange_id=2, native_symbol="OTHER", symbol="X/Y")
        before = await clock(conn)
        for number, name in ((1, "X"), (2, "MEXC_SPOT"), (1, SPOT)):
            await update_exchange(number, {"enum_value": name}, db=conn)
        now = await clock(conn)
        assert [one.id for one in await list_symbols_as_of(MEXC, before, db=conn)] == [
            one.id for one in await list_symbols_as_of(SPOT, now, db=conn)
        ]
        assert await get_symbol_as_of(MEXC, "X/Y", before, db=conn) is None
        assert await get_symbol_as_of(MEXC, "X/Y", now, db=conn) is not None


async def test_symbols_of_a_deleted_exchange_are_found_by_its_id_and_by_the_name_it_had(dsn: Dsn) -> None:
    """Their history outlives both."""
    async with connected(dsn) as conn:
        await insert(conn)
        before = await clock(conn)
        listed = await list_symbols_as_of(MEXC, before, db=conn)
        await conn.execute("DELETE FROM symbols WHERE exchange_id = 1")
        await conn.execute("DELETE FROM exchanges WHERE id = 1")
        for key in (MEXC, "mexc_spot", 1):
            assert await list_symbols_as_of(key, before, db=conn) == listed
            assert [await get_symbol_as_of(key, "btc/usdt", before, db=conn)] == listed
            assert [one.symbol for one in await get_symbol_history(key, "BTC/USDT", db=conn)] == listed
            assert await list_symbols_as_of(key, LATEST, db=conn) == []
            (change,) = await diff_symbols(key, before, db=conn)
            assert change.kind is ChangeKind.DELISTED
            assert await get_exchange_as_of(key, LATEST, db=conn) is None
        assert listed[0] in await list_symbols_as_of(None, before, db=conn)
        assert await can_trade(MEXC, "BTC/USDT", "BUY", before, db=conn)
        for unknown in ("NOWHERE", 999):
            with pytest.raises(ExchangeNotFound):
                await list_symbols_as_of(unknown, before, db=conn)
            with pytest.raises(ExchangeNotFound):
                await get_symbol_as_of(unknown, "BTC/USDT", before, db=conn)


QUESTIONS: dict[str, Callable[[datetime, Database], Any]] = {
    "by name": lambda at, db: get_symbol_as_of(MEXC, "BTC/USDT", at, db=db),
    "new name": lambda at, db: get_symbol_as_of(MEXC, "NEW", at, db=db),
    "list": lambda at, db: list_symbols_as_of(MEXC, at, db=db),
    "list of all": lambda at, db: list_symbols_as_of(None, at, db=db),
    "may trade": lambda at, db: can_trade(MEXC, "BTC/USDT", "BUY", at, db=db),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
async def test_a_question_about_the_moment_of_a_running_import_waits_for_it(
    dsn: Dsn, question: Callable[[datetime, Database], Any]
) -> None:
    """Else the answer would be another one afterwards; one about a time before it does not wait."""
    async with connected(dsn) as conn, Database(dsn) as database:
        await insert(conn)
        before = await clock(conn)
        first = await question(before, database)
        async with importing(dsn) as (session, moment):
            await session.execute("UPDATE symbols SET status = 'HALTED', price_tick = 7")
            await insert(session, native_symbol="NEW", symbol="NEW/USDT")
            assert await question(before, database) == first
            at = await clock(conn)
            task = asyncio.ensure_future(question(at, database))
            await waiting(conn, task)
            assert not task.done()
        answer = await task
        assert answer == await question(at, database) == await question(moment, database)
        assert answer != first


async def test_changes_chained_by_until_are_seen_once_each_while_imports_run(dsn: Dsn) -> None:
    """Whoever passes `.until` as the next `since` misses nothing and sees nothing twice."""
    rounds = 25
    async with connected(dsn) as conn, Database(dsn) as database:
        symbols = [await insert(conn, native_symbol=f"S{number}", symbol=f"S{number}/X") for number in range(3)]
        since = (await diff_symbols(MEXC, datetime(2020, 1, 1, tzinfo=UTC), db=database)).until

        async def imports() -> None:
            for number in range(rounds):
                async with importing(dsn) as (session, _):
                    for symbol in symbols:
                        await session.execute("UPDATE symbols SET price_tick = $1 WHERE id = $2", number + 1, symbol)

        task, seen = asyncio.ensure_future(imports()), []
        while True:
            last = task.done()
            found = await diff_symbols(MEXC, since, db=database)
            assert found.since == since
            assert found.until > since
            seen += [(change.symbol_id, change.fields[0].old, change.fields[0].new) for change in found]
            since = found.until
            if last:
                break
        await task
        for symbol in symbols:
            steps = [(old, new) for one, old, new in seen if one == symbol]
            assert steps[-1][1] == rounds
            assert all(before[1] == after[0] for before, after in pairwise(steps))


async def test_a_diff_tells_of_symbols_that_came_and_went_and_changed_later(dsn: Dsn) -> None:
    """By what holds at both ends, whatever happened since, and of changed symbols alone."""
    async with connected(dsn) as conn:
        stays = await insert(conn, native_symbol="STAYS", symbol="STAYS/X")
        goes = await insert(conn, native_symbol="GOES", symbol="GOES/X")
        since = await clock(conn)
        comes = await insert(conn, native_symbol="COMES", symbol="COMES/X")
        short = await insert(conn, native_symbol="SHORT", symbol="SHORT/X")
        await conn.execute("DELETE FROM symbols WHERE id = ANY($1::integer[])", [goes, short])
        until = await clock(conn)
        expected = {(ChangeKind.LISTED, comes), (ChangeKind.DELISTED, goes)}
        for _ in range(2):
            found = await diff_symbols(MEXC, since, until, db=conn)
            assert {(change.kind, change.symbol_id) for change in found} == expected
            await conn.execute("UPDATE symbols SET price_tick = price_tick + 1")
        await conn.execute("DELETE FROM symbols")
        assert {(one.kind, one.symbol_id) for one in await diff_symbols(MEXC, since, until, db=conn)} == expected
        gone = {one.symbol_id for one in await diff_symbols(MEXC, until, db=conn)}
        assert gone == {stays, comes}


async def test_a_diff_is_refused_where_the_transaction_does_not_see_what_was_committed(database: Database) -> None:
    """It would answer with an end behind which there may be changes that it has missed."""
    async with database.transaction(isolation="repeatable_read", readonly=True) as transaction:
        with pytest.raises(InvalidArgument, match="READ COMMITTED"):
            await diff_symbols(MEXC, datetime(2020, 1, 1, tzinfo=UTC), db=transaction)


async def test_until_is_never_before_the_newest_change(dsn: Dsn) -> None:
    """Where the clock was set back, the next question begins behind what this one has told of."""
    async with connected(dsn) as conn:
        ahead = await clock(conn) + timedelta(hours=1)
        async with conn.transaction():
            await conn.execute("SELECT set_config('exchanges_db.moment', $1::timestamptz::text, true)", ahead)
            await insert(conn)
        found = await diff_symbols(MEXC, datetime(2020, 1, 1, tzinfo=UTC), db=conn)
        assert (len(found), found.until) == (1, ahead)
        assert len(await diff_symbols(MEXC, found.until, db=conn)) == 0


async def test_the_past_is_judged_by_the_doubts_holds_and_imports_of_then(dsn: Dsn) -> None:
    """Asked before and after each of them has ended, the answer is the same."""
    async with connected(dsn) as conn:
        symbol = await insert(conn)
        asked: list[tuple[datetime, tuple[Obstacle, ...]]] = []

        async def ask(*expected: Obstacle) -> None:
            at = await clock(conn)
            asked.append((at, expected))
            for then, obstacles in asked:
                answer = await can_trade(MEXC, "BTC/USDT", "BUY", then, db=conn)
                assert answer.obstacles == obstacles
                assert (await list_symbols_as_of(MEXC, then, db=conn) == []) is bool(obstacles)
                assert (await list_symbols_as_of(MEXC, then, tradable=False, db=conn) != []) is bool(obstacles)

        await ask()
        await conn.execute(
            "INSERT INTO symbol_doubts (symbol_id, brake, reason, since) VALUES ($1, 'JUMP', 'x', clock_timestamp())",
            symbol,
        )
        await ask(Obstacle.DOUBTFUL)
        await conn.execute("UPDATE symbol_doubts SET ended_at = clock_timestamp()")
        await ask()
        await conn.execute(
            "INSERT INTO holds (exchange_id, native_symbol, sides, reason) VALUES (1, 'BTC_USDT', 'ALL', 'x')"
        )
        await ask(Obstacle.HELD)
        await conn.execute("INSERT INTO holds (exchange_id, sides, reason) VALUES (1, 'ALL', 'x')")
        await conn.execute("DELETE FROM holds WHERE native_symbol IS NOT NULL")
        await ask(Obstacle.HELD)
        await conn.execute("DELETE FROM holds")
        await ask()
        await update_exchange(1, {"is_active": False}, db=conn)
        await ask(Obstacle.EXCHANGE_INACTIVE)
        await update_exchange(1, {"is_active": True}, db=conn)
        soon = await clock(conn)
        await conn.execute("UPDATE symbols SET delisted_at = $1", soon)
        await ask(Obstacle.DELISTED)
        # A list of after that time has it still: nothing of it was delisted then. What was asked before stays.
        await conn.execute(
            "INSERT INTO symbol_imports (exchange_id, exchange, kind, outcome, observed_at, began_at, ended_at, moment)"
            " VALUES (1, 'MEXC_SPOT', 'SPOT', 'APPLIED', clock_timestamp(), now(), now(), clock_timestamp())"
        )
        await ask()
        # Nor does an import that changed nothing, which is counted with the list as it is now.
        await conn.execute(
            "INSERT INTO symbol_lists (exchange_id, kind, source, observed_at)"
            " VALUES (1, 'SPOT', 'x', clock_timestamp())"
        )
        await ask()


UNREADABLE = {
    "an unknown word": "status = 'SUSPENDED'",
    "a time far ahead": "delisting_at = '20000-01-01'",
}


@pytest.mark.parametrize("damage", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_row_that_cannot_be_read_is_named_and_hides_no_other(
    dsn: Dsn, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    """As one that a newer version has written, or a constraint has let pass before it was dropped."""
    async with connected(dsn) as conn:
        await insert(conn)
        await insert(conn, native_symbol="ETH_USDT", symbol="ETH/USDT")
        for row in await conn.fetch(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'symbols'::regclass AND contype = 'c'"
        ):
            await conn.execute(f"ALTER TABLE symbols DROP CONSTRAINT {row['conname']}")
        await conn.execute(f"UPDATE symbols SET {damage} WHERE native_symbol = 'ETH_USDT'")
        now = await clock(conn)
        with pytest.raises(SchemaMismatch, match="ETH_USDT"):
            await get_symbol_as_of(MEXC, "ETH/USDT", now, db=conn)
        with caplog.at_level(logging.ERROR, logger="exchanges_db"):
            asks: tuple[Callable[[], Awaitable[list[Symbol]]], ...] = (
                lambda: list_symbols_as_of(MEXC, now, tradable=None, db=conn),
                lambda: list_symbols(MEXC, tradable=None, db=conn),
                lambda: search_symbols("USDT", db=conn),
            )
            for ask in asks:
                caplog.clear()
                listed: list[Symbol] = await ask()
                assert [one.symbol for one in listed] == ["BTC/USDT"]
                assert "ETH_USDT" in caplog.text
        with pytest.raises(SchemaMismatch, match="ETH_USDT"):
            await get_symbol(MEXC, "ETH/USDT", db=conn)


@pytest.mark.parametrize(
    "settings",
    [
        {"timezone": "Asia/Tokyo"},
        {"timezone": "Africa/Monrovia"},
        {"datestyle": "SQL, DMY", "intervalstyle": "sql_standard", "timezone": "Asia/Kolkata"},
    ],
    ids=str,
)
async def test_nothing_depends_on_what_a_session_calls_times(dsn: Dsn, settings: dict[str, str]) -> None:
    """Imports, look-ups and the past are the same; Monrovia's offset had seconds in it until 1972."""
    async with connected(dsn) as plain, connected(dsn, server_settings=settings) as odd:
        opens = int(datetime(1971, 6, 1, tzinfo=UTC).timestamp())
        await import_symbols(SPOT, payload(SPOT, [spot("BTC", buy_start=opens)]), db=odd)
        before = await clock(odd)
        await import_symbols(SPOT, payload(SPOT, [spot("BTC", trade_status="untradable", buy_start=opens)]), db=odd)
        for question in (
            lambda conn: get_symbol(SPOT, "BTC/USDT", db=conn),
            lambda conn: get_symbol_as_of(SPOT, "BTC/USDT", before, db=conn),
            lambda conn: get_symbol_history(SPOT, "BTC/USDT", db=conn),
            lambda conn: get_exchange_history(2, db=conn),
        ):
            assert await question(odd) == await question(plain)
        assert len(await diff_symbols(SPOT, before, db=odd)) == 1
        async with odd.transaction():
            moment = await clock(odd)
            await odd.execute(GIVE_MOMENT, moment)
            await insert(odd, native_symbol="X", symbol="X/Y")
            await odd.execute("UPDATE symbols SET price_tick = 7 WHERE exchange_id = 2")
            at = await odd.fetchval("SELECT updated_at FROM symbols WHERE exchange_id = 2")
            made = await odd.fetchval("SELECT created_at FROM symbols WHERE exchange_id = 1")
        assert at == made == moment


async def test_a_restore_of_the_rows_alone_goes_on(dsn: Dsn, empty_dsn: Dsn) -> None:
    """As pg_dump --data-only gives them, with the triggers off meanwhile: the past is there, what follows joins it."""
    tables = ("exchange_history", "symbols", "symbol_history", "symbol_lists")
    async with connected(dsn) as old:
        symbol = await insert(old)
        await old.execute("UPDATE symbols SET price_tick = 7")
        gone = await insert(old, native_symbol="GONE", symbol="GONE/X")
        await old.execute("DELETE FROM symbols WHERE id = $1", gone)
        before = await clock(old)
        asked = await list_symbols_as_of(MEXC, before, db=old)
        assert run_dbmate(empty_dsn, "migrate").returncode == 0
        async with connected(empty_dsn) as new:
            for table in tables:
                names = await old.fetchval(
                    "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute"
                    " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
                    table,
                )
                triggers = [
                    row["tgname"]
                    for row in await new.fetch(
                        "SELECT tgname FROM pg_trigger WHERE tgrelid = $1::text::regclass AND NOT tgisinternal", table
                    )
                ]
                await new.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                await new.execute(f"DELETE FROM {table}")
                rows = await old.fetchval(f"SELECT coalesce(json_agg(t), '[]')::text FROM {table} AS t")
                await new.execute(
                    f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE"
                    f" SELECT {names} FROM json_populate_recordset(NULL::{table}, $1::text::json)",
                    rows,
                )
                for trigger in triggers:
                    await new.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")
            assert await list_symbols_as_of(MEXC, before, db=new) == asked
            # The sequence still stands at its beginning.
            assert await insert(new, native_symbol="NEXT", symbol="NEXT/X") > gone
            await new.execute("UPDATE symbols SET price_tick = 9")
            await new.execute("DELETE FROM symbols WHERE id = $1", symbol)
            assert [one.spec_version for one in await get_symbol_history(MEXC, "BTC/USDT", db=new)] == [1, 2, 3]
            await new.execute("TRUNCATE symbols RESTART IDENTITY CASCADE")
            assert await list_symbols_as_of(MEXC, before, db=new) == asked
            assert await insert(new) > gone
