"""One moment per import, later than all that is known already: what was true at a time is so whenever one asks."""

import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from exchanges_db import (
    Database,
    ImportLimits,
    get_symbol,
    get_symbol_as_of,
    get_symbol_by_native,
    get_symbol_history,
    import_symbols,
    list_imports,
    list_symbols_as_of,
)
from exchanges_db.database.dsn import Dsn
from tests.factories import connected
from tests.payload_rows import SPOT, many, payload, spot

MICROSECOND = timedelta(microseconds=1)
ANYTHING = ImportLimits(
    left_percent=100, halted_percent=100, field_percent=100, jump_percent=100, fewest_rows=1, tick_factor=10**9
)


async def load(db: Any, rows: list[dict[str, Any]], **options: Any) -> Any:
    """Import rows of Gate.io spot, whatever they change."""
    return await import_symbols(SPOT, payload(SPOT, rows), limits=ANYTHING, db=db, **options)


async def test_updates_and_inserts_hold_from_one_moment(database: Database, dsn: Dsn) -> None:
    """That of the report and of the ledger, taken after the lock; in the past nothing stands between them."""
    await load(database, many(SPOT, 1500))
    rows = [*(spot(f"C{n}", precision=2) for n in range(1200)), *(spot(f"N{n}") for n in range(1100))]
    async with connected(dsn) as conn:
        before = await conn.fetchval("SELECT clock_timestamp()")
        report = await load(database, rows)
        after = await conn.fetchval("SELECT clock_timestamp()")
        assert before < report.moment < after
        assert report.counts() == {
            **dict.fromkeys(report.counts(), 0),
            "LISTED": 1100,
            "CHANGED": 1200,
            "DELISTED": 300,
        }
        assert await conn.fetchval("SELECT count(*) FROM symbols WHERE updated_at = $1", report.moment) == 2600
        assert await conn.fetchval("SELECT count(*) FROM symbols WHERE created_at = $1", report.moment) == 1100
        assert await conn.fetchval("SELECT count(*) FROM symbol_history WHERE upper(valid) = $1", report.moment) == 1500
    (one, _) = await list_imports(SPOT, db=database)
    assert one.moment == report.moment
    for at, count in ((report.moment - MICROSECOND, 1500), (report.moment, 2600)):
        assert len(await list_symbols_as_of(SPOT, at, tradable=None, db=database)) == count


async def test_two_imports_in_one_transaction_have_two_moments(database: Database) -> None:
    """In their order; and what is written by hand after them holds from its own."""
    async with database.transaction() as transaction:
        one = await load(transaction, [spot()])
        two = await load(transaction, [spot(precision=2)])
        three = await load(transaction, [spot(precision=3)])
        await transaction.connection.execute("UPDATE symbols SET full_name = 'by hand'")
    assert one.moment < two.moment < three.moment
    versions = await get_symbol_history(SPOT, "BTC/USDT", db=database)
    assert [version.valid_from for version in versions[:3]] == [one.moment, two.moment, three.moment]
    assert versions[3].valid_from > three.moment
    ticks = [
        found.price_tick
        for moment in (one.moment, two.moment, three.moment)
        for found in [await get_symbol_as_of(SPOT, "BTC_USDT", moment, db=database)]
        if found is not None
    ]
    assert ticks == [Decimal("0.1"), Decimal("0.01"), Decimal("0.001")]


async def ahead(conn: asyncpg.Connection, by: str) -> datetime:
    """Move everything known ahead, as if the server's clock had been set back since; return the newest moment."""
    await conn.execute("ALTER TABLE symbols DISABLE TRIGGER USER; ALTER TABLE symbol_history DISABLE TRIGGER USER")
    await conn.execute(
        f"UPDATE symbol_history SET valid = tstzrange(lower(valid) + interval '{by}', upper(valid) + interval '{by}');"
        f"UPDATE symbols SET updated_at = updated_at + interval '{by}', created_at = created_at + interval '{by}'"
    )
    await conn.execute("ALTER TABLE symbols ENABLE TRIGGER USER; ALTER TABLE symbol_history ENABLE TRIGGER USER")
    for trigger in await conn.fetch(
        "SELECT t.tgname, t.tgrelid::regclass::text AS of FROM pg_trigger AS t WHERE NOT t.tgisinternal "
        "AND t.tgrelid IN ('symbols'::regclass, 'symbol_history'::regclass)"
    ):
        await conn.execute(f"ALTER TABLE {trigger['of']} ENABLE ALWAYS TRIGGER {trigger['tgname']}")
    newest: datetime = await conn.fetchval("SELECT max(updated_at) FROM symbols")
    return newest


@pytest.mark.parametrize("by", ["1 second", "3 hours", "23 hours"])
async def test_a_clock_that_was_set_back_changes_no_past(database: Database, dsn: Dsn, by: str) -> None:
    """Rows that exist, rows that are new and those that end all follow what is known, from one moment on."""
    await load(database, many(SPOT, 20))
    await load(database, [spot("C0", precision=2), *many(SPOT, 20)[1:]])
    async with connected(dsn) as conn:
        newest = await ahead(conn, by)
        known = await list_symbols_as_of(SPOT, newest, tradable=None, db=database)
        report = await load(database, [spot("C0", precision=3), *many(SPOT, 20)[1:19], spot("NEW")])
        assert report.moment > newest
        moments = await conn.fetch("SELECT DISTINCT updated_at FROM symbols WHERE updated_at > $1", newest)
        assert [row["updated_at"] for row in moments] == [report.moment]
        again = await load(database, [spot("C0", precision=4), *many(SPOT, 20)[1:19], spot("NEW")])
        assert again.moment > report.moment
    assert await list_symbols_as_of(SPOT, newest, tradable=None, db=database) == known


async def test_a_name_that_comes_again_holds_later_than_it_held_before(database: Database, dsn: Dsn) -> None:
    """A row that was deleted by hand while the clock was ahead, and is listed anew: no two versions of one time."""
    await load(database, many(SPOT, 20))
    async with connected(dsn) as conn:
        newest = await ahead(conn, "2 hours")
        await conn.execute("DELETE FROM symbols WHERE native_symbol = 'C7_USDT'")
        ended = await conn.fetchval("SELECT max(upper(valid)) FROM symbol_history")
        assert ended > newest
        report = await load(database, many(SPOT, 20))
        assert report.moment > ended
        assert await conn.fetchval("SELECT updated_at FROM symbols WHERE native_symbol = 'C7_USDT'") == report.moment
    assert await get_symbol_as_of(SPOT, "C7_USDT", report.moment - MICROSECOND, db=database) is None


async def test_after_an_import_nothing_is_pinned(database: Database, dsn: Dsn) -> None:
    """On the caller's connection a later change by hand holds from its own moment; after a failure, too."""
    async with connected(dsn) as conn, conn.transaction():
        await load(conn, [spot()])
        assert await conn.fetchval("SELECT current_setting('exchanges_db.moment', true)") == ""

        def stop(done: int, total: int) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await load(conn, [spot(precision=2)], on_progress=stop)
        assert await conn.fetchval("SELECT current_setting('exchanges_db.moment', true)") == ""
        symbol = await get_symbol(SPOT, "BTC/USDT", db=conn)
        assert symbol is not None
        assert symbol.spec_version == 1


class Model:
    """What the exchange, somebody by hand and the imports should have made of the symbols; it knows no SQL."""

    def __init__(self) -> None:
        self.now: dict[str, tuple[str, str]] = {}
        self.past: list[tuple[datetime, dict[str, tuple[str, str]]]] = []

    def imported(self, rows: list[dict[str, Any]], moment: datetime | None) -> None:
        """A whole list came."""
        offered = {row["id"]: (str(Decimal(1).scaleb(-row["precision"])), row["trade_status"]) for row in rows}
        gone = {name: (tick, "gone") for name, (tick, _) in self.now.items() if name not in offered}
        after = {**gone, **offered}
        if after != self.now:
            assert moment is not None
            self.happened(moment, after)

    def happened(self, moment: datetime, after: dict[str, tuple[str, str]]) -> None:
        """From then on it is so."""
        assert not self.past or moment > self.past[-1][0]
        self.now = after
        self.past.append((moment, dict(after)))


STATES = {"TRADING": "tradable", "HALTED": "untradable", "DELISTED": "gone"}


@pytest.mark.parametrize("seed", range(4))
async def test_random_courses_answer_as_a_model_does(database: Database, dsn: Dsn, seed: int) -> None:
    """Imports, changes and deletions by hand, sequences and clocks set back; every state is asked for twice."""
    draw = random.Random(seed)
    model = Model()
    seen: list[dict[datetime, dict[str, tuple[str, str]]]] = []
    async with connected(dsn) as conn:
        for step in range(25):
            deed = draw.choice(["import"] * 5 + ["hand", "delete", "sequence", "again"])
            names = sorted(name for name, (_, state) in model.now.items() if state != "gone")
            if deed == "import" or not names:
                rows = [
                    spot(
                        f"C{n}", precision=draw.choice([1, 2, 3]), trade_status=draw.choice(["tradable", "untradable"])
                    )
                    for n in range(8)
                    if draw.random() < 0.8
                ]
                if rows:
                    model.imported(rows, (await load(database, rows)).moment)
            elif deed == "hand":
                name = draw.choice(names)
                moment = await conn.fetchval(
                    "UPDATE symbols SET price_tick = 0.5 WHERE native_symbol = $1 AND is_live RETURNING updated_at",
                    name,
                )
                if model.now[name][0] != "0.5":
                    model.happened(moment, {**model.now, name: ("0.5", model.now[name][1])})
            elif deed == "delete":
                name = draw.choice(sorted(model.now))
                await conn.execute("DELETE FROM symbols WHERE native_symbol = $1", name)
                moment = await conn.fetchval("SELECT max(upper(valid)) FROM symbol_history")
                model.happened(moment, {other: known for other, known in model.now.items() if other != name})
            elif deed == "sequence":
                await conn.execute("ALTER SEQUENCE symbols_id_seq RESTART")
            else:
                assert (await load(database, rows)).applied
                model.imported(rows, (await conn.fetchval("SELECT max(updated_at) FROM symbols")))
            if step in (12, 24):
                seen.append({moment: await states_at(database, moment) for moment, _ in model.past})
        doubled = "SELECT count(*) FROM (SELECT native_symbol FROM symbols GROUP BY 1 HAVING count(*) > 1) AS x"
        assert await conn.fetchval(doubled) == 0
    assert seen[-1] == dict(model.past)
    assert {moment: seen[-1][moment] for moment in seen[0]} == seen[0]
    for name, (tick, _) in model.now.items():
        symbol = await get_symbol_by_native(SPOT, name, db=database)
        assert symbol is not None
        assert str(symbol.price_tick) == tick


async def states_at(database: Database, moment: datetime) -> dict[str, tuple[str, str]]:
    """What the database says that was so then."""
    found = await list_symbols_as_of(SPOT, moment, tradable=None, db=database)
    return {symbol.native_symbol: (str(symbol.price_tick), STATES[symbol.status.value]) for symbol in found}
