"""Which list wins: an older one never in silence, one at a time, and nothing that somebody else changed meanwhile."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from exchanges_db import (
    Brake,
    Conflict,
    Database,
    ImportBusy,
    ImportLimits,
    ImportRefused,
    InvalidArgument,
    Obstacle,
    can_trade,
    get_symbol,
    get_symbol_history,
    import_specs,
    import_symbols,
    list_imports,
    list_symbol_lists,
    list_symbols,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.symbols import comparing, known
from exchanges_db.symbols.import_lock import LOCK_CLASS
from tests.factories import connected, sqlalchemy_connected
from tests.payload_rows import FUTURES, MEXC, SPOT, allowed, futures, many, mexc, payload, spot
from tests.symbol_rows import insert

NOW = datetime(2026, 1, 31, tzinfo=UTC)
LOCK = f"SELECT pg_advisory_xact_lock({LOCK_CLASS}, 2)"


async def load(db: Any, rows: list[dict[str, Any]], at: datetime | None = None, **options: Any) -> Any:
    """Import rows of Gate.io spot as observed then."""
    return await import_symbols(SPOT, payload(SPOT, rows), observed_at=at, db=db, **options)


@pytest.mark.parametrize("rows", [[spot()], [spot(trade_status="untradable")]], ids=["the same", "another"])
async def test_an_older_list_is_refused(database: Database, rows: list[dict[str, Any]]) -> None:
    """Also where it changes nothing: it would say that the newer one was never there."""
    await load(database, [spot()], NOW)
    before = NOW - timedelta(seconds=90)
    with pytest.raises(ImportRefused, match="observed 0:01:30 before the newest one") as caught:
        await load(database, rows, before)
    assert [hit.brake for hit in caught.value.report.brakes] == [Brake.OLDER]
    (one,) = await list_symbol_lists(SPOT, db=database)
    assert (one.observed_at, one.confirmations) == (NOW, 0)
    report = await load(database, rows, before, allow=allowed(payload(SPOT, rows), ["older"]))
    assert report.applied
    (one,) = await list_symbol_lists(SPOT, db=database)
    assert one.observed_at == before
    assert [one.outcome for one in await list_imports(db=database)] == ["APPLIED", "REFUSED", "APPLIED"]


async def test_a_list_of_the_same_time_is_not_older(database: Database) -> None:
    """Two answers to one request."""
    await load(database, [spot()], NOW)
    assert (await load(database, [spot(precision=2)], NOW)).applied


async def test_the_future_is_told_by_the_clock_of_the_database(database: Database) -> None:
    """Whatever this machine's clock says, which nothing of the import asks."""
    ahead = datetime.now(UTC) + timedelta(minutes=1)
    with pytest.raises(ImportRefused, match="ahead of the database's clock") as caught:
        await load(database, [spot()], ahead)
    assert [hit.brake for hit in caught.value.report.brakes] == [Brake.FUTURE]
    with pytest.raises(ImportRefused, match="ahead of the database's clock"):
        await import_specs(SPOT, "SPOT", [], source="own", observed_at=ahead, db=database)
    assert (await load(database, [spot()], ahead - timedelta(seconds=55))).applied
    wide = ImportLimits(skew=timedelta(hours=1))
    assert (await load(database, [spot()], ahead, limits=wide)).applied


async def test_by_default_a_list_is_observed_now_by_the_database(database: Database) -> None:
    """Before it is read."""
    async with connected(database._dsn) as conn:
        before = await conn.fetchval("SELECT clock_timestamp()")
        report = await load(database, [spot()])
        (one,) = await list_imports(db=database)
        assert before <= report.observed_at <= one.began_at


async def test_the_slower_answer_does_not_win(database: Database) -> None:
    """Of two downloads that overlap the one that was asked for first arrives last."""
    first, second = NOW, NOW + timedelta(seconds=1)
    await load(database, [spot(trade_status="untradable")], second)
    with pytest.raises(ImportRefused):
        await load(database, [spot()], first)
    assert not await can_trade(SPOT, "BTC_USDT", "BUY", db=database)


async def test_waiting_says_for_whom_and_ends_with_an_error_of_its_own(database: Database, dsn: Dsn) -> None:
    """And not with a statement that took too long; the time to wait is the caller's."""
    told: list[str] = []
    async with connected(dsn, server_settings={"application_name": "nightly"}) as conn, conn.transaction():
        await conn.execute(LOCK)
        with pytest.raises(ImportBusy, match=r"another import of GATEIO_SPOT runs since .* UTC, by .* \(nightly\)"):
            await load(database, [spot()], wait=0.3, on_wait=told.append)
        assert len(told) == 1
        assert told[0].endswith("(nightly)")
        # Other exchanges wait for nothing, and a dry run does not either.
        await import_symbols(MEXC, payload(MEXC, [mexc()]), wait=0, db=database)
        await load(database, [spot()], wait=0, dry_run=True)
    failed = (await list_imports(SPOT, db=database))[0]
    assert (failed.error or "").startswith("ImportBusy: another import")
    assert (await load(database, [spot()], wait=0)).applied


async def test_an_import_goes_on_when_the_other_has_ended(database: Database, dsn: Dsn) -> None:
    """It sees what that one has written."""
    waits = asyncio.Event()
    async with connected(dsn) as conn:
        course = conn.transaction()
        await course.start()
        await load(conn, [spot()])
        second = asyncio.create_task(load(database, [spot()], on_wait=lambda message: waits.set()))
        await waits.wait()
        await course.commit()
    assert (await second).changes == ()


async def test_a_reader_of_changes_is_named_as_one(database: Database, dsn: Dsn) -> None:
    """Who asks what has changed keeps imports waiting, too, and is none."""
    async with connected(dsn) as conn, conn.transaction():
        await conn.execute(f"SELECT pg_advisory_xact_lock_shared({LOCK_CLASS}, 2)")
        with pytest.raises(ImportBusy, match="a reading of the changes of GATEIO_SPOT runs since"):
            await load(database, [spot()], wait=0)


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_a_transaction_that_sees_one_snapshot_is_refused(database: Database, dsn: Dsn, isolation: Any) -> None:
    """It would compare with what was known before it waited; whoever began it, nothing is written."""
    async with database.transaction(isolation=isolation) as transaction:
        with pytest.raises(InvalidArgument, match="needs a transaction that is READ COMMITTED") as caught:
            await load(transaction, [spot()])
        assert caught.value.field == "db"
    async with connected(dsn) as conn, conn.transaction(isolation=isolation):
        with pytest.raises(InvalidArgument, match="READ COMMITTED"):
            await load(conn, [spot()])
    level = isolation.replace("_", " ").upper()
    async with sqlalchemy_connected(dsn) as connection:
        await connection.exec_driver_sql(f"SET TRANSACTION ISOLATION LEVEL {level}")
        with pytest.raises(InvalidArgument, match=f"this one is {level}"):
            await load(connection, [spot()])
    assert await list_symbols(SPOT, tradable=None, db=database) == []


@pytest.mark.parametrize("kind", ["database", "transaction", "sqlalchemy"])
async def test_what_somebody_changed_meanwhile_is_a_conflict(
    database: Database, dsn: Dsn, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import was computed from another version of the row: nothing of it is written, not even the part before."""
    await load(database, many(SPOT, 1500))

    def meanwhile(*arguments: Any) -> Any:
        changes = comparing.compare(*arguments)
        hand.append(asyncio.ensure_future(change_by_hand()))
        return changes

    hand: list[asyncio.Future[None]] = []

    async def change_by_hand() -> None:
        async with connected(dsn) as conn:
            await conn.execute("UPDATE symbols SET full_name = 'by hand' WHERE native_symbol = 'C1499_USDT'")

    async def after_hand(*arguments: Any) -> Any:
        await asyncio.gather(*hand)
        return await known.fetch_recent(*arguments)

    monkeypatch.setattr("exchanges_db.symbols.importing.compare", meanwhile)
    monkeypatch.setattr("exchanges_db.symbols.importing.fetch_recent", after_hand)
    rows = [spot(f"C{n}", quote_name="Other", min_base_amount="0.000002") for n in range(1500)]
    wide = ImportLimits(field_percent=100)
    if kind == "database":
        with pytest.raises(Conflict, match="import it again"):
            await load(database, rows, limits=wide)
    elif kind == "transaction":
        async with database.transaction() as transaction:
            with pytest.raises(Conflict):
                await load(transaction, rows, limits=wide)
    else:
        async with sqlalchemy_connected(dsn) as connection:
            with pytest.raises(Conflict):
                await load(connection, rows, limits=wide)
            await connection.commit()
    symbols = await list_symbols(SPOT, db=database)
    assert {symbol.spec_version for symbol in symbols} == {1, 2}
    assert sum(symbol.spec_version == 2 for symbol in symbols) == 1
    monkeypatch.undo()
    report = await load(database, rows, limits=wide)
    assert report.counts()["CHANGED"] == 1500


@pytest.mark.parametrize("past", [False, True], ids=["through the triggers", "past the triggers"])
async def test_a_change_by_hand_is_seen(database: Database, dsn: Dsn, past: bool) -> None:
    """An import of the very list that was imported before puts right what somebody changed."""
    await load(database, many(SPOT, 30))
    async with connected(dsn) as conn:
        if past:
            await conn.execute("ALTER TABLE symbols DISABLE TRIGGER USER")
        await conn.execute("UPDATE symbols SET price_tick = 0.5 WHERE native_symbol = 'C7_USDT'")
        if past:
            await conn.execute("ALTER TABLE symbols ENABLE TRIGGER USER")
    report = await load(database, many(SPOT, 30))
    assert [change.spec.native_symbol for change in report.changes] == ["C7_USDT"]
    symbol = await get_symbol(SPOT, "C7/USDT", db=database)
    assert symbol is not None
    assert str(symbol.price_tick) == "0.1"
    assert (await load(database, many(SPOT, 30))).changes == ()


async def test_what_is_the_same_after_all_is_not_compared_again(database: Database, dsn: Dsn) -> None:
    """A row whose digest is not known is compared field by field once, makes no version, and gets its digest."""
    await load(database, many(SPOT, 30))
    async with connected(dsn) as conn:
        await conn.execute("UPDATE symbols SET read_digest = NULL")
        versions = "SELECT sum(spec_version) || ' ' || max(updated_at) FROM symbols"
        before = await conn.fetchval(versions)
        assert (await load(database, many(SPOT, 30))).changes == ()
        assert await conn.fetchval("SELECT count(*) FROM symbols WHERE read_digest IS NULL") == 0
        assert await conn.fetchval(versions) == before
        marks = await conn.fetchval("SELECT md5(string_agg(xmin::text, ',' ORDER BY id)) FROM symbols")
        await load(database, many(SPOT, 30))
        assert await conn.fetchval("SELECT md5(string_agg(xmin::text, ',' ORDER BY id)) FROM symbols") == marks


async def test_the_hash_of_an_insert_is_that_of_the_function(database: Database, dsn: Dsn) -> None:
    """Else every row would seem to be changed past the triggers; after a change, too."""
    await load(database, many(SPOT, 30))
    await import_symbols(MEXC, payload(MEXC, [mexc()]), db=database)
    await load(database, [spot("C0", precision=2), *many(SPOT, 30)[1:]])
    async with connected(dsn) as conn:
        differ = "SELECT count(*) FROM symbols AS s WHERE s.spec_hash IS DISTINCT FROM public.symbol_spec_hash(s)"
        assert await conn.fetchval(differ) == 0
        assert await conn.fetchval("SELECT count(*) FROM symbols WHERE read_digest IS NULL") == 0


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Africa/Monrovia", "America/St_Johns"])
async def test_times_are_compared_whatever_the_sessions_zone_is(conn: asyncpg.Connection, zone: str) -> None:
    """Also where local time once differed from UTC by seconds, and in another style of dates."""
    await conn.execute(f"SET TIME ZONE '{zone}'; SET DateStyle = 'German, DMY'; SET IntervalStyle = 'sql_standard'")
    row = spot(buy_start=1607313600, delisting_time=1893456000)
    await load(conn, [row])
    await conn.execute("UPDATE symbols SET read_digest = NULL")
    assert (await load(conn, [row])).changes == ()
    report = await load(conn, [{**row, "buy_start": 1607313601}])
    assert [field.field for field in report.changes[0].fields] == ["buy_opens_at"]
    (old, new) = await get_symbol_history(SPOT, "BTC/USDT", db=conn)
    assert old.valid_to == new.valid_from == report.moment


async def test_a_row_that_is_held_back_closes_its_symbol_until_it_is_believed(database: Database, dsn: Dsn) -> None:
    """Since the moment of the import that met it first, and in no list of what is tradable meanwhile."""
    await load(database, many(SPOT, 20))
    jump = [spot("C0", precision=9), spot("C1", precision=2), *many(SPOT, 20)[2:]]
    first = await load(database, jump)
    assert [(row.native_symbol, row.brake) for row in first.held_back] == [("C0_USDT", Brake.JUMP)]
    assert first.counts()["CHANGED"] == 1
    again = await load(database, jump)
    assert (again.import_id, again.changes) == (None, ())
    doubts = "SELECT brake, since, ended_at FROM symbol_doubts ORDER BY id"
    async with connected(dsn) as conn:
        assert [tuple(row) for row in await conn.fetch(doubts)] == [("JUMP", first.moment, None)]
        answer = await can_trade(SPOT, "C0/USDT", "BUY", db=database)
        assert answer.obstacle is Obstacle.DOUBTFUL
        assert "C0/USDT" not in {symbol.symbol for symbol in await list_symbols(SPOT, tradable=True, db=database)}
        # Another brake is another doubt.
        other = await load(database, [spot("C0", precision="x"), *jump[1:]])
        assert other.moment > first.moment
        # Believed: its row says again what is known.
        believed = await load(database, [spot("C0"), *jump[1:]])
        assert [tuple(row) for row in await conn.fetch(doubts)] == [
            ("JUMP", first.moment, other.moment),
            ("REJECTED", other.moment, believed.moment),
        ]
    assert await can_trade(SPOT, "C0/USDT", "BUY", db=database)
    assert [one.outcome for one in await list_imports(db=database)] == ["APPLIED"] * 4
    allow = await load(database, [spot("C0", precision=9), *jump[1:]], allow=["jump=C0_USDT"])
    assert (allow.held_back, allow.counts()["CHANGED"]) == ((), 1)
    assert await can_trade(SPOT, "C0/USDT", "BUY", db=database)


async def test_a_doubt_of_one_list_is_no_matter_of_another(database: Database) -> None:
    """An import of another list of the exchange believes nothing of it again."""

    async def contracts(rows: list[dict[str, Any]], listing: str) -> None:
        await import_symbols(FUTURES, payload(FUTURES, rows), listing=listing, db=database)

    await contracts(many(FUTURES, 20), "PERPETUAL:USDT")
    await contracts([futures("C0", order_price_round="x"), *many(FUTURES, 20)[1:]], "PERPETUAL:USDT")
    await contracts([futures("BTC", "USD", type="inverse", quanto_multiplier="0")], "PERPETUAL:BTC")
    lists = {str(one.listing): one.doubtful for one in await list_symbol_lists(FUTURES, db=database)}
    assert lists == {"PERPETUAL:USDT": 1, "PERPETUAL:BTC": 0}


NAMED: dict[str, Any] = {
    **dict.fromkeys(("symbol", "kind", "price_tick", "quantity_step", "status")),
    "sides": "NONE",
    "api_tradable": False,
    "exchange_id": 2,
}


async def test_a_symbol_known_by_name_gets_its_rules_from_the_first_list_that_has_it(
    database: Database, dsn: Dsn
) -> None:
    """It keeps its id, and nothing invents what it was before; one that no list has stays as it is."""
    await load(database, many(SPOT, 20))
    async with connected(dsn) as conn:
        named = await insert(conn, **NAMED, native_symbol="OLD_USDT", base="OLD")
        gone = await insert(conn, **NAMED, native_symbol="GONE_USDT", base="GONE")
        report = await load(database, [*many(SPOT, 20), spot("OLD", precision=9)])
        assert [(change.kind, change.symbol_id) for change in report.changes] == [("LISTED", named)]
        assert (report.brakes, report.held_back) == ((), ())
        symbol = await get_symbol(SPOT, "OLD/USDT", db=database)
        assert symbol is not None
        assert (symbol.id, symbol.spec_version, symbol.updated_at) == (named, 1, report.moment)
        assert await conn.fetchval("SELECT count(*) FROM symbol_history") == 0
        assert await conn.fetchval("SELECT status IS NULL FROM symbols WHERE id = $1", gone)
        assert await conn.fetchval("SELECT count(*) FROM symbol_raw WHERE symbol_id = $1", named) == 1
    assert (await load(database, [*many(SPOT, 20), spot("OLD", precision=9)])).changes == ()
