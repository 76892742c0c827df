"""The history of symbols: written by the database, without gaps or overlaps, by whatever way a row changes."""

import asyncio
import random
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from exchanges_db import ExchangesDBError, SymbolSpec
from exchanges_db.database.driver_errors import translate
from exchanges_db.database.dsn import Dsn
from tests.factories import connected
from tests.symbol_rows import insert

MICROSECOND = timedelta(microseconds=1)
GIVE_MOMENT = "SELECT set_config('exchanges_db.moment', $1::timestamptz::text, true)"
AS_OF = """
    SELECT symbol_id AS id, price_tick FROM symbol_history WHERE valid @> $1::timestamptz
    UNION ALL SELECT id, price_tick FROM symbols AS s WHERE updated_at <= $1
"""


async def ranges(conn: asyncpg.Connection, symbol: int) -> list[asyncpg.Record]:
    """The closed ranges of a symbol, oldest first."""
    return await conn.fetch(
        "SELECT *, lower(valid) AS since, upper(valid) AS until FROM symbol_history WHERE symbol_id = $1 ORDER BY 3",
        symbol,
    )


async def current(conn: asyncpg.Connection, symbol: int) -> asyncpg.Record:
    """The row that holds now."""
    row = await conn.fetchrow("SELECT * FROM symbols WHERE id = $1", symbol)
    assert row is not None
    return row


async def test_a_new_symbol_is_version_1_from_now_on(conn: asyncpg.Connection) -> None:
    """And has no history."""
    symbol = await insert(conn)
    row = await current(conn, symbol)
    assert row["spec_version"] == 1
    assert row["updated_at"] == row["created_at"] <= await conn.fetchval("SELECT clock_timestamp()")
    assert row["updated_at"] > await conn.fetchval("SELECT now()")
    assert await ranges(conn, symbol) == []


async def test_the_database_sets_versions_and_times(conn: asyncpg.Connection) -> None:
    """Whatever a statement says."""
    symbol = await insert(conn)
    before = await current(conn, symbol)
    await conn.execute("UPDATE symbols SET spec_version = 9, created_at = 'epoch', updated_at = 'epoch'")
    assert await current(conn, symbol) == before


@pytest.mark.parametrize("column", ["spec_version", "created_at", "updated_at"])
async def test_a_new_row_cannot_give_itself_another_past(conn: asyncpg.Connection, column: str) -> None:
    """Its first version is 1, and holds from now on."""
    await insert(conn)
    await conn.execute("CREATE TEMP TABLE copy AS SELECT * FROM symbols")
    await conn.execute("DELETE FROM symbols")
    value = "7" if column == "spec_version" else "'epoch'"
    await conn.execute(
        "INSERT INTO symbols (exchange_id, native_symbol, symbol, base, quote, kind, price_tick, quantity_step, status,"
        f" sides, api_tradable, {column}) SELECT exchange_id, native_symbol, symbol, base, quote, kind, price_tick,"
        f" quantity_step, status, sides, api_tradable, {value} FROM copy"
    )
    row = await conn.fetchrow(
        "SELECT spec_version, created_at >= now() AS a, created_at = updated_at AS b, updated_at <= clock_timestamp()"
        " FROM symbols"
    )
    assert tuple(row or ()) == (1, True, True, True)


async def test_a_change_closes_one_range_and_opens_the_next(dsn: Dsn) -> None:
    """With the old specification, who ended it and through which program."""
    async with connected(dsn) as conn:
        symbol = await insert(conn, raw={"a": 1}, min_quantity="0.5")
        old = await current(conn, symbol)
        await conn.execute("SET application_name = 'the importer'")
        await conn.execute("UPDATE symbols SET price_tick = 0.1")
        new = await current(conn, symbol)
        (past,) = await ranges(conn, symbol)
        assert new["spec_version"] == 2
        assert (past["spec_version"], past["since"], past["until"]) == (1, old["updated_at"], new["updated_at"])
        assert past["valid"].lower_inc
        assert not past["valid"].upper_inc
        spec = (past["price_tick"], past["min_quantity"], past["symbol"])
        assert spec == (Decimal("0.05"), Decimal("0.5"), "BTC/USDT")
        assert past["created_at"] == old["created_at"]
        user = await conn.fetchval("SELECT session_user::text")
        assert (past["operation"], past["ended_by"], past["application_name"]) == ("UPDATE", user, "the importer")


@pytest.mark.parametrize(
    "same", ["price_tick = price_tick", "price_tick = 0.050", "source = 'other', observed_at = now()"]
)
async def test_what_changes_no_specification_makes_no_version(dsn: Dsn, same: str) -> None:
    """The same number with another zero, or another source, is no change."""
    async with connected(dsn) as conn:
        symbol = await insert(conn, raw={"a": 1})
        before = await current(conn, symbol)
        await conn.execute(f"UPDATE symbols SET {same}")
        after = await current(conn, symbol)
        assert (after["spec_version"], after["updated_at"]) == (1, before["updated_at"])
        assert await ranges(conn, symbol) == []


# The row that each field is changed in, and how; settle and direction of a contract can only change together.
FIELD_CHANGES = {
    "symbol": ("spot", "symbol = 'X/Y'"),
    "base": ("spot", "base = 'X'"),
    "quote": ("spot", "quote = 'X'"),
    "settle": ("quanto", "settle = 'SOL'"),
    "kind": ("future", "kind = 'OPTION', strike = 1, option_type = 'PUT'"),
    "direction": ("linear", "direction = 'INVERSE', settle = 'BTC'"),
    "contract_size": ("linear", "contract_size = 7"),
    "price_tick": ("spot", "price_tick = 1"),
    "quantity_step": ("spot", "quantity_step = 1"),
    "min_quantity": ("spot", "min_quantity = 1"),
    "max_quantity": ("spot", "max_quantity = 9"),
    "min_notional": ("spot", "min_notional = 1"),
    "max_notional": ("spot", "max_notional = 9"),
    "list_maker_fee": ("spot", "list_maker_fee = 0.01"),
    "list_taker_fee": ("spot", "list_taker_fee = 0.01"),
    "status": ("spot", "status = 'HALTED'"),
    "sides": ("spot", "sides = 'BUY'"),
    "api_tradable": ("spot", "api_tradable = false"),
    "strike": ("option", "strike = 1"),
    "option_type": ("option", "option_type = 'PUT'"),
    "price_band_of": ("spot", "price_band_of = 'MARK'"),
    "order_types": ("spot", "order_types = '{LIMIT}'"),
    "full_name": ("spot", "full_name = 'Bitcoin'"),
    "contract_address": ("spot", "contract_address = '0x1'"),
    "asset_class": ("spot", "asset_class = 'STOCK'"),
    **{
        field: ("linear", f"{field} = 1")
        for field in (
            "market_min_quantity",
            "market_max_quantity",
            "market_min_notional",
            "market_max_notional",
            "price_band_up",
            "price_band_down",
            "market_slip_ratio",
            "leverage_min",
            "leverage_max",
            "initial_margin_rate",
            "maintenance_margin_rate",
            "funding_interval",
            "funding_cap",
            "max_open_orders",
        )
    },
    **{
        field: ("spot", f"{field} = true")
        for field in ("tick_assumed", "step_assumed", "margin_allowed", "is_risky", "is_premarket")
    },
    **{field: ("spot", f"{field} = now()") for field in ("buy_opens_at", "sell_opens_at", "exchange_changed_at")},
    "delisting_at": ("spot", "delisting_at = now()"),
    "delisted_at": ("spot", "delisted_at = now()"),
    "expires_at": ("future", "expires_at = '2028-01-01T00:00:00Z'"),
}


def test_every_field_of_the_specification_is_changed_below() -> None:
    """A new field fails here until it has its change; the exchange's own name of a symbol cannot be changed."""
    assert FIELD_CHANGES.keys() == set(SymbolSpec.__struct_fields__) - {"native_symbol"}


@pytest.mark.parametrize(("of", "change"), FIELD_CHANGES.values(), ids=FIELD_CHANGES)
async def test_every_field_of_the_specification_makes_a_version(conn: asyncpg.Connection, of: str, change: str) -> None:
    """A field that the trigger forgot would change without a trace."""
    symbol = await insert(conn, of)
    await conn.execute(f"UPDATE symbols SET {change}")
    assert (await current(conn, symbol))["spec_version"] == 2
    assert len(await ranges(conn, symbol)) == 1


async def test_two_changes_in_one_transaction_are_two_versions(conn: asyncpg.Connection) -> None:
    """Each from its own statement on; those of one moment that an import gives are a microsecond apart."""
    symbol = await insert(conn)
    for tick in (1, 2, 3):
        await conn.execute("UPDATE symbols SET price_tick = $1", tick)
    past = await ranges(conn, symbol)
    assert all(row["until"] > row["since"] for row in past)
    assert (await current(conn, symbol))["updated_at"] == past[-1]["until"]
    await conn.execute(GIVE_MOMENT, await conn.fetchval("SELECT clock_timestamp()"))
    for tick in (4, 5, 6):
        await conn.execute("UPDATE symbols SET price_tick = $1", tick)
    assert [row["until"] - row["since"] for row in (await ranges(conn, symbol))[-2:]] == [MICROSECOND] * 2


async def test_one_statement_changes_all_from_one_moment(dsn: Dsn) -> None:
    """So all changes of an import hold from the same time."""
    async with connected(dsn) as conn:
        for number in range(300):
            await insert(conn, native_symbol=f"S{number}")
        await conn.execute("UPDATE symbols SET price_tick = 7")
        assert await conn.fetchval("SELECT count(DISTINCT upper(valid)) FROM symbol_history") == 1
        assert await conn.fetchval("SELECT count(*) FROM symbol_history") == 300


async def test_a_clock_that_steps_back_makes_no_empty_range(dsn: Dsn) -> None:
    """The new range begins after the old one in any case."""
    async with connected(dsn) as conn:
        symbol = await insert(conn)
        await conn.execute("ALTER TABLE symbols DISABLE TRIGGER symbols_stamp")
        await conn.execute("UPDATE symbols SET updated_at = now() + interval '1 hour'")
        await conn.execute("ALTER TABLE symbols ENABLE ALWAYS TRIGGER symbols_stamp")
        ahead = (await current(conn, symbol))["updated_at"]
        await conn.execute("UPDATE symbols SET price_tick = 1")
        assert (await current(conn, symbol))["updated_at"] == ahead + MICROSECOND


@pytest.mark.parametrize("statement", ["DELETE FROM symbols", "TRUNCATE symbols"])
async def test_the_end_of_a_row_is_recorded(dsn: Dsn, statement: str) -> None:
    """It is known up to that moment, and not from it on."""
    async with connected(dsn) as conn:
        symbol = await insert(conn)
        then = (await current(conn, symbol))["updated_at"]
        await conn.execute(statement)
        (past,) = await ranges(conn, symbol)
        assert past["operation"] == statement.split()[0]
        assert len(await conn.fetch(AS_OF, then)) == 1
        assert await conn.fetch(AS_OF, past["until"]) == []


@pytest.mark.parametrize("change", ["id = DEFAULT", "exchange_id = 2", "native_symbol = 'OTHER'"])
async def test_what_a_symbol_is_cannot_be_changed(conn: asyncpg.Connection, change: str) -> None:
    """Its history would be another's."""
    await insert(conn)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as info:
        await conn.execute(f"UPDATE symbols SET {change}")
    assert info.value.constraint_name == "symbols_identity_immutable"
    assert "cannot be changed" in str(translate(info.value))


@pytest.mark.parametrize("replica", [False, True])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE symbol_history SET spec_version = 9",
        "DELETE FROM symbol_history",
        "TRUNCATE symbol_history",
        "TRUNCATE symbols, symbol_history",
        "INSERT INTO symbol_history SELECT h.* FROM symbol_history AS h",
    ],
)
async def test_history_cannot_be_written(conn: asyncpg.Connection, statement: str, replica: bool) -> None:
    """Not by the owner, and not in replica mode."""
    await insert(conn)
    await conn.execute("UPDATE symbols SET price_tick = 1")
    if replica:
        await conn.execute("SET LOCAL session_replication_role = replica")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await conn.execute(statement)


async def test_overlapping_ranges_are_refused(conn: asyncpg.Connection) -> None:
    """By the table itself, even if the trigger were gone."""
    await insert(conn)
    await conn.execute("UPDATE symbols SET price_tick = 1")
    await conn.execute("ALTER TABLE symbol_history DISABLE TRIGGER ALL")
    copy = """INSERT INTO symbol_history
              SELECT c.* FROM symbol_history AS h
              CROSS JOIN LATERAL jsonb_populate_record(
                  h, jsonb_build_object('spec_version', 5, 'valid', {}, 'operation', {})) AS c"""
    for expression, operation, constraint in (
        ("valid", "'UPDATE'", "symbol_history_no_overlap"),
        ("tstzrange(lower(valid), NULL)", "'UPDATE'", "symbol_history_valid_closed"),
        ("'empty'::tstzrange", "'UPDATE'", "symbol_history_valid_closed"),
        # Where a version ends, the next one begins: no microsecond belongs to both.
        ("tstzrange(lower(valid) - interval '1 s', lower(valid), '[]')", "'UPDATE'", "symbol_history_valid_closed"),
        ("tstzrange(lower(valid) - interval '1 s', lower(valid), '()')", "'UPDATE'", "symbol_history_valid_closed"),
        ("tstzrange('1999-01-01', '2000-01-01')", "'INSERT'", "symbol_history_operation_known"),
        ("tstzrange('1999-01-01', 'infinity')", "'UPDATE'", "symbol_history_times_are_dates"),
        ("tstzrange('1969-01-01', '2000-01-01')", "'UPDATE'", "symbol_history_times_are_dates"),
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError) as info:
            async with conn.transaction():
                await conn.execute(copy.format(expression, operation))
        assert info.value.constraint_name == constraint
        assert isinstance(translate(info.value), ExchangesDBError)


async def test_upsert_and_merge_are_recorded_too(conn: asyncpg.Connection) -> None:
    """As is any way to change a row."""
    symbol = await insert(conn)
    await conn.execute(
        "MERGE INTO symbols AS s USING (SELECT 0.7 AS tick) AS n ON s.exchange_id = 1 "
        "WHEN MATCHED THEN UPDATE SET price_tick = n.tick"
    )
    await conn.execute(
        "INSERT INTO symbols (exchange_id, native_symbol, symbol, base, quote, kind, price_tick, quantity_step, status,"
        " sides, api_tradable) SELECT exchange_id, native_symbol, symbol, base, quote, kind, 9, 9, status, sides,"
        " api_tradable FROM symbols ON CONFLICT (exchange_id, native_symbol) WHERE is_live DO UPDATE"
        " SET price_tick = excluded.price_tick"
    )
    assert [row["price_tick"] for row in await ranges(conn, symbol)] == [Decimal("0.05"), Decimal("0.7")]


PUT_BACK = """
    INSERT INTO symbols (id, exchange_id, native_symbol, symbol, base, quote, kind, price_tick, quantity_step, status,
                         sides, api_tradable)
    OVERRIDING SYSTEM VALUE VALUES ($1, 1, $2, 'X/Y', 'X', 'Y', 'SPOT', 1, 1, 'TRADING', 'ALL', true)
"""


@pytest.mark.parametrize("name", ["BTC_USDT", "OTHER"])
@pytest.mark.parametrize("end", ["DELETE FROM symbols", "TRUNCATE symbols RESTART IDENTITY"])
async def test_a_row_with_an_id_of_the_history_continues_it(conn: asyncpg.Connection, end: str, name: str) -> None:
    """As one that is put back by hand: it can be changed and deleted as any other."""
    symbol = await insert(conn)
    await conn.execute("UPDATE symbols SET price_tick = 7")
    await conn.execute(end)
    await conn.execute(PUT_BACK, symbol, name)
    row = await current(conn, symbol)
    past = await ranges(conn, symbol)
    assert row["spec_version"] == 3
    assert row["created_at"] == row["updated_at"] >= past[-1]["until"]
    await conn.execute("UPDATE symbols SET price_tick = 8")
    await conn.execute("DELETE FROM symbols")
    await conn.execute(PUT_BACK, symbol, name)
    assert [one["spec_version"] for one in await ranges(conn, symbol)] == [1, 2, 3, 4]
    assert (await current(conn, symbol))["spec_version"] == 5


async def test_a_sequence_that_was_set_back_goes_on_behind_the_ids_that_were_used(conn: asyncpg.Connection) -> None:
    """As TRUNCATE ... RESTART IDENTITY sets it back; tables of others may refer to those ids."""
    before = await insert(conn)
    await conn.execute("TRUNCATE symbols RESTART IDENTITY")
    await conn.execute("SELECT setval('symbols_id_seq', 1, false)")
    symbol = await insert(conn)
    assert symbol > before
    await conn.execute("UPDATE symbols SET price_tick = 7")
    assert len(await ranges(conn, symbol)) == 1


async def test_no_version_begins_before_the_last_one_of_its_native_symbol_has_ended(conn: asyncpg.Connection) -> None:
    """Also where the clock was set back in between: a name means one symbol at a time."""
    symbol = await insert(conn)
    later = await conn.fetchval("SELECT clock_timestamp() + interval '1 hour'")
    await conn.execute(GIVE_MOMENT, later)
    await conn.execute("DELETE FROM symbols")
    await conn.execute("SELECT set_config('exchanges_db.moment', '', true)")
    row = await current(conn, await insert(conn))
    assert row["updated_at"] == row["created_at"] == (await ranges(conn, symbol))[-1]["until"] == later


@pytest.mark.parametrize(
    "forged",
    ["2001-01-01 00:00:00+00", "9000-01-01 00:00:00+00", "-infinity", "infinity", "garbage", "2026-02-30", "0"],
)
async def test_a_forged_moment_changes_no_past_and_stops_nothing(conn: asyncpg.Connection, forged: str) -> None:
    """Whoever may write symbols may set it, too; what is no moment of this transaction is not taken."""
    await conn.execute("SELECT set_config('exchanges_db.moment', $1, true)", forged)
    begin = await conn.fetchval("SELECT now()")
    symbol = await insert(conn)
    await conn.execute("SELECT set_config('exchanges_db.moment', $1, true)", forged)
    await conn.execute("UPDATE symbols SET price_tick = 7")
    await conn.execute("DELETE FROM symbols")
    end = await conn.fetchval("SELECT clock_timestamp()")
    times = [time for row in await ranges(conn, symbol) for time in (row["since"], row["until"])]
    assert len(times) == 4
    assert all(begin <= time <= end for time in times)


async def test_a_hostile_search_path_does_not_divert_the_triggers(conn: asyncpg.Connection) -> None:
    """They name schema and functions in full."""
    symbol = await insert(conn)
    await conn.execute("""
        CREATE SCHEMA evil;
        CREATE TABLE evil.symbol_history (LIKE public.symbol_history);
        CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT ''epoch''::timestamptz';
        CREATE TEMP TABLE symbol_history (LIKE public.symbol_history);
        SET LOCAL search_path = evil, pg_temp, public, pg_catalog;
    """)
    await conn.execute("UPDATE public.symbols SET price_tick = 1")
    await conn.execute("SET LOCAL search_path = public")
    assert len(await ranges(conn, symbol)) == 0  # the temporary table hides it
    assert await conn.fetchval("SELECT count(*) FROM public.symbol_history") == 1


async def test_changes_from_two_sessions_follow_each_other(dsn: Dsn) -> None:
    """The versions are consecutive, and none is lost."""
    async with connected(dsn) as conn, connected(dsn) as one, connected(dsn) as two:
        symbol = await insert(conn)

        async def change(session: asyncpg.Connection, offset: int) -> None:
            for number in range(20):
                await session.execute("UPDATE symbols SET price_tick = $1", 2 * number + offset)

        await asyncio.gather(change(one, 1), change(two, 2))
        past = await ranges(conn, symbol)
        assert [row["spec_version"] for row in past] == list(range(1, 41))
        assert all(before["until"] == after["since"] for before, after in pairwise(past))


@pytest.mark.parametrize("seed", range(4))
async def test_any_course_of_events_can_be_read_back_at_every_moment(dsn: Dsn, seed: int) -> None:
    """Held against a plain model: inserts, changes and deletes, each committed, asked at every time between."""
    draw = random.Random(seed)
    model: dict[int, Any] = {}
    states: list[tuple[datetime, dict[int, Any]]] = []
    async with connected(dsn) as conn:
        for number in range(60):
            what = draw.choice(["insert", "update", "update", "update", "delete", "put back", "truncate", "clock"])
            if what == "clock":
                # As a session whose clock is ahead, after which the others are behind.
                await conn.execute("SELECT set_config('exchanges_db.moment', '', false)")
                async with conn.transaction():
                    await conn.execute(GIVE_MOMENT, await conn.fetchval("SELECT clock_timestamp() + interval '1 ms'"))
                    await conn.execute("UPDATE symbols SET price_tick = 5")
                    model = dict.fromkeys(model, 5)
                # What was done ahead is known when its time has come.
                await conn.execute("SELECT pg_sleep(0.002)")
            elif what == "truncate" and number % 3 == 0:
                await conn.execute("TRUNCATE symbols RESTART IDENTITY")
                model = {}
            elif what == "put back" and states and (gone := sorted(states[number // 2][1].keys() - model.keys())):
                await conn.execute(PUT_BACK, gone[0], f"S{number}")
                model[gone[0]] = 1
            elif what == "insert" or not model:
                model[await insert(conn, native_symbol=f"S{number}")] = 0.05
            else:
                symbol = draw.choice(sorted(model))
                if what != "delete":
                    model[symbol] = draw.choice([0.05, 1, 2, 3])
                    await conn.execute("UPDATE symbols SET price_tick = $1 WHERE id = $2", model[symbol], symbol)
                else:
                    await conn.execute("DELETE FROM symbols WHERE id = $1", symbol)
                    del model[symbol]
            states.append((await conn.fetchval("SELECT clock_timestamp()"), dict(model)))
        for moment, expected in states:
            found = await conn.fetch(AS_OF, moment)
            assert {row["id"]: float(row["price_tick"]) for row in found} == expected
