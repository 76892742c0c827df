"""What changed since a position in the log: exact in the order of commits, refused where that is not known."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from exchanges_db import Database, HistoryPruned, InvalidArgument, SymbolDiff, diff_symbols, import_symbols
from exchanges_db.database.dsn import Dsn
from exchanges_db.symbols.positions import check_position, is_position
from tests.acceptance.command import Result, run
from tests.factories import connected
from tests.fix_server import url_of
from tests.payload_rows import FUTURES, SPOT, payload, spot
from tests.symbol_rows import insert

NEWEST = "SELECT epoch, token::text FROM registry_changes WHERE epoch IS NOT NULL ORDER BY epoch DESC LIMIT 1"
SET = "UPDATE symbols SET min_quantity = {} WHERE id = {}"


async def position(conn: asyncpg.Connection) -> tuple[int, str]:
    row = await conn.fetchrow(NEWEST)
    assert row is not None
    return row["epoch"], row["token"]


def told(diff: SymbolDiff) -> list[tuple[str, str, str]]:
    return [(one.kind.value, one.spec.native_symbol, ",".join(field.field for field in one.fields)) for one in diff]


async def test_changes_since_a_position_are_those_that_became_visible_after_it(stocked_dsn: Dsn) -> None:
    """Also of a transaction that changed its rows before the position was given, which a time would miss."""
    async with connected(stocked_dsn) as early, connected(stocked_dsn) as late, Database(stocked_dsn) as database:
        transaction = early.transaction()
        await transaction.start()
        await early.execute(SET.format(7, 1))
        await late.execute(SET.format(8, 2))
        seen = await position(late)
        moment = datetime.now(UTC)
        await transaction.commit()
        assert told(await diff_symbols(SPOT, moment, db=database)) == []
        diff = await diff_symbols(SPOT, seen, db=database)
        assert told(diff) == [("CHANGED", "BTC_USDT", "min_quantity")]
        assert diff.position == await position(late)
        assert diff.since <= moment <= diff.until
        assert told(await diff_symbols(SPOT, diff.position, db=database)) == []
        assert told(await diff_symbols(FUTURES, seen, db=database)) == []


async def test_several_changes_of_a_symbol_are_one_and_one_that_was_undone_is_none(stocked_dsn: Dsn) -> None:
    async with connected(stocked_dsn) as conn, Database(stocked_dsn) as database:
        begin = await position(conn)
        was = await conn.fetchval("SELECT min_quantity FROM symbols WHERE id = 1")
        for value in (5, 6, "NULL" if was is None else was):
            await conn.execute(SET.format(value, 1))
            await conn.execute(f"UPDATE symbols SET max_quantity = 1000 + coalesce({value}, 0) WHERE id = 2")
        diff = await diff_symbols(SPOT, "{}:{}".format(*begin), db=database)
        assert told(diff) == [("CHANGED", "ETH_USDT", "max_quantity")]


async def test_symbols_that_came_and_went_are_told(stocked_dsn: Dsn) -> None:
    async with connected(stocked_dsn) as conn, Database(stocked_dsn) as database:
        begin = await position(conn)
        listed = [spot(), spot("ETH"), spot("DOGE")]
        await import_symbols(SPOT, payload(SPOT, listed), db=database)
        middle = await position(conn)
        await insert(conn, exchange_id=2, native_symbol="GONE_USDT", symbol="GONE/USDT", base="GONE")
        await conn.execute("DELETE FROM symbols WHERE native_symbol IN ('ETH_USDT', 'GONE_USDT')")
        assert {one[:2] for one in told(await diff_symbols(SPOT, begin, db=database))} == {
            ("LISTED", "DOGE_USDT"),
            ("DELISTED", "ETH_USDT"),
        }
        assert {one[:2] for one in told(await diff_symbols(SPOT, middle, db=database))} == {("DELISTED", "ETH_USDT")}


async def test_a_position_that_the_log_does_not_have_is_refused(stocked_dsn: Dsn) -> None:
    """Too old, of another timeline, ahead, or before everything changed at once: never a part for the whole."""
    async with connected(stocked_dsn) as conn, Database(stocked_dsn) as database:
        epoch, token = await position(conn)
        other = "00000000-0000-0000-0000-000000000000"
        for wrong in ((epoch, other), (epoch + 1, token), (0, token), (epoch, "\x00é"), f"{epoch}:{other}"):
            with pytest.raises(HistoryPruned, match="is not in the log of changes") as info:
                await diff_symbols(SPOT, wrong, db=database)
            assert info.value.before < datetime.now(UTC)
        await conn.execute("TRUNCATE holds")
        with pytest.raises(HistoryPruned, match="everything has changed at once"):
            await diff_symbols(SPOT, (epoch, token), db=database)


@pytest.mark.parametrize(
    "wrong", ["", "1", "1:", ":x", "-1:x", "²:x", "9" * 19 + ":x", (1,), (1, 2), (True, "x"), (-1, "x"), (1, "")]
)
def test_what_is_no_position_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArgument) as info:
        check_position(wrong)
    assert info.value.field == "since"


async def test_a_position_has_no_end_but_now(database: Database) -> None:
    with pytest.raises(InvalidArgument, match="the end is now: leave out until"):
        await diff_symbols(SPOT, (1, "x"), datetime.now(UTC) + timedelta(days=1), db=database)


@pytest.mark.parametrize("text", ["2026-01-31T12:00:00Z", "12:00", "2026:01", "now"])
def test_a_time_is_no_position(text: str) -> None:
    assert not is_position(text)


async def test_the_command_goes_on_from_the_position_that_it_names(stocked_dsn: Dsn) -> None:
    async with connected(stocked_dsn) as conn:
        begin = "{}:{}".format(*await position(conn))
        await conn.execute(SET.format(7, 1))
        end = "{}:{}".format(*await position(conn))
    url = url_of(stocked_dsn)

    def diff(since: str) -> Result:
        return run("symbols", "diff", SPOT, "--since", since, url=url)

    first = await asyncio.to_thread(diff, begin)
    assert "min_quantity" in first.stdout
    assert first.stderr == f"up to {end}: pass that as --since the next time\n"
    assert (await asyncio.to_thread(diff, end)).stdout == ""
    refused = await asyncio.to_thread(diff, begin[:-1] + ("0" if begin[-1] != "0" else "1"))
    assert (refused.returncode != 0, "is not in the log of changes" in refused.stderr) == (True, True)
