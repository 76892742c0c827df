"""The ledger: what an import did, refused or failed at stands in it, whoever owns the transaction, and stays."""

import logging
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import asyncpg
import pytest

from exchanges_db import (
    Brake,
    Database,
    DatabaseError,
    ExchangeNotFound,
    ImportOutcome,
    ImportRecord,
    ImportRefused,
    InvalidArgument,
    Listing,
    PayloadError,
    SymbolKind,
    get_import,
    import_specs,
    import_symbols,
    list_imports,
    list_symbol_lists,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import DownloadFailed
from exchanges_db.symbols.ledger import plain_origin, record_failure
from exchanges_db.symbols.payloads.readers import all_readers
from tests.factories import connected, sqlalchemy_connected
from tests.payload_rows import FUTURES, MEXC, SPOT, allowed, many, mexc, payload, spot

VERSION = next(reader.version for reader in all_readers() if reader.name == "gateio_spot")


async def load(database: Any, rows: list[dict[str, Any]], **options: Any) -> Any:
    """Import rows of Gate.io spot."""
    return await import_symbols(SPOT, payload(SPOT, rows), db=database, **options)


async def ledger(database: Any) -> list[tuple[str, dict[str, int]]]:
    """How the imports ended and what they changed, the oldest first."""
    return [(one.outcome.value, one.changes) for one in reversed(await list_imports(db=database))]


async def test_an_applied_import_is_told_whole(database: Database, dsn: Dsn) -> None:
    """Every field that there is, by the server's clock and its user."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    rows = [*many(SPOT, 20), spot("X", precision="x")]
    data = payload(SPOT, rows)
    report = await import_symbols(SPOT, data, observed_at=at, origin="/var/lists/spot.json", db=database)
    (one,) = await list_imports(db=database)
    assert one == await get_import(one.id, db=database)
    assert (one.id, one.moment) == (report.import_id, report.moment)
    assert one.began_at <= one.ended_at
    assert one.moment is not None
    assert one.began_at <= one.moment <= one.ended_at
    assert one == ImportRecord(
        id=one.id,
        exchange_id=2,
        exchange=SPOT,
        listing=Listing(SymbolKind.SPOT),
        outcome=ImportOutcome.APPLIED,
        observed_at=at,
        began_at=one.began_at,
        ended_at=one.ended_at,
        moment=one.moment,
        source="gateio_spot",
        reader_version=VERSION,
        origin="/var/lists/spot.json",
        payload_sha256=sha256(data).hexdigest(),
        payload_size=len(data),
        listed_rows=21,
        rejected_rows=1,
        unchanged_rows=0,
        changes={"LISTED": 20},
        brakes=(),
        held_back=report.held_back,
        error=None,
        imported_by=dsn.user or "",
        application_name="exchanges_db",
    )
    assert [(row.native_symbol, row.brake) for row in one.held_back] == [("X_USDT", Brake.REJECTED)]


async def test_an_import_that_changes_nothing_is_counted(database: Database, dsn: Dsn) -> None:
    """Its list's row has the counter and the last times; a dry run leaves no trace at all."""
    await load(database, many(SPOT, 3))
    (first,) = await list_symbol_lists(SPOT, db=database)
    for _ in range(2):
        report = await load(database, many(SPOT, 3))
        assert (report.applied, report.import_id, report.moment) == (True, None, None)
    (then,) = await list_symbol_lists(SPOT, db=database)
    assert (first.confirmations, then.confirmations) == (0, 2)
    assert first.observed_at < then.observed_at
    assert then.changed_at == first.changed_at
    async with connected(dsn) as conn:
        before = await conn.fetchval(EVERYTHING)
        for rows in (many(SPOT, 3), [spot("NEW")], []):
            await load(database, rows, dry_run=True)
        with pytest.raises(PayloadError):
            await import_symbols(SPOT, b"<html>", dry_run=True, db=database)
        assert await conn.fetchval(EVERYTHING) == before
    assert await ledger(database) == [("APPLIED", {"LISTED": 3})]


EVERYTHING = """
    SELECT md5(string_agg(t, ',' ORDER BY t)) FROM (
        SELECT s.xmin::text || s.ctid::text || s::text AS t FROM symbols AS s
        UNION ALL SELECT l.xmin::text || l::text FROM symbol_lists AS l
        UNION ALL SELECT i.xmin::text || i::text FROM symbol_imports AS i
        UNION ALL SELECT d.xmin::text || d::text FROM symbol_doubts AS d
        UNION ALL SELECT r.xmin::text || r::text FROM symbol_raw AS r
    ) AS x
"""


async def test_a_refusal_stays_though_nothing_else_does(database: Database) -> None:
    """It says what would have changed and which brakes were hit; the one that was allowed is marked."""
    await load(database, many(SPOT, 20))
    rows = [spot(f"C{n}", trade_status="untradable") for n in range(14)]
    data = payload(SPOT, rows)
    with pytest.raises(ImportRefused) as caught:
        await load(database, rows, allow=allowed(data, [Brake.MASS]), origin="https://u:p@api.gateio.ws/x?key=s#f")
    one = (await list_imports(db=database))[0]
    assert (one.outcome, one.moment, one.error) == (ImportOutcome.REFUSED, None, None)
    assert (one.changes, one.listed_rows) == ({"HALTED": 14, "DELISTED": 6}, 14)
    assert {hit.brake: hit.allowed for hit in one.brakes} == {Brake.LEFT: False, Brake.MASS: True}
    assert (one.origin, one.payload_sha256) == ("https://api.gateio.ws/x", sha256(data).hexdigest())
    assert caught.value.report.import_id == one.id
    report = await load(database, rows, allow=allowed(data))
    last = await get_import(report.import_id or 0, db=database)
    assert last is not None
    assert [hit.allowed for hit in last.brakes] == [True, True]


async def test_every_kind_of_failure_is_a_row(database: Database, dsn: Dsn) -> None:
    """A page that is no list, an error of the database in the middle, and whatever else is raised on the way."""
    with pytest.raises(PayloadError):
        await import_symbols(SPOT, b"<html>\x00", origin="page.html", db=database)
    async with connected(dsn) as conn:
        await conn.execute("ALTER TABLE symbols ADD CONSTRAINT no_c1 CHECK (base <> 'C1')")
    with pytest.raises(DatabaseError):
        await load(database, many(SPOT, 3))

    def stop(done: int, total: int) -> None:
        raise ZeroDivisionError("by\x00hand \ud800")

    with pytest.raises(ZeroDivisionError):
        await load(database, many(SPOT, 1), on_progress=stop)
    page, refused, stopped = reversed(await list_imports(db=database))
    assert {one.outcome for one in (page, refused, stopped)} == {ImportOutcome.FAILED}
    assert (page.listing, page.source, page.origin, page.payload_size) == (None, None, "page.html", 7)
    assert (page.error or "").startswith("PayloadError: the payload is neither a JSON list")
    assert (str(refused.listing), refused.source) == ("SPOT", "gateio_spot")
    assert (refused.error or "").startswith("ConstraintViolated")
    assert stopped.error == "ZeroDivisionError: by\\x00hand \\ud800"
    assert await list_symbol_lists(db=database) == []


async def test_a_failed_download_can_be_recorded(database: Database) -> None:
    """Without a payload there is neither hash nor size."""
    number = await record_failure(
        "mexc_spot",
        DownloadFailed("no answer"),
        listing=Listing(SymbolKind.SPOT),
        origin="https://api.mexc.com/api/v3/exchangeInfo?signature=abc",
        db=database,
    )
    (one,) = await list_imports(MEXC, listing="SPOT", outcome="failed", db=database)
    assert (one.id, one.error, one.payload_sha256) == (number, "DownloadFailed: no answer", None)
    assert one.origin == "https://api.mexc.com/api/v3/exchangeInfo"


@pytest.mark.parametrize("kept", [True, False])
async def test_on_a_callers_transaction_it_goes_with_his(database: Database, kept: bool) -> None:
    """A refusal too; and what was tried in vain leaves the rest of his transaction as it is."""
    async with database.transaction() as transaction:
        await load(transaction, many(SPOT, 3))
        with pytest.raises(ImportRefused):
            await import_symbols(MEXC, payload(SPOT, many(SPOT, 3)), db=transaction)
        with pytest.raises(PayloadError):
            await import_symbols(SPOT, b"<html>", db=transaction)
        if not kept:
            transaction.discard()
    ended = [outcome for outcome, _ in await ledger(database)]
    assert ended == (["APPLIED", "REFUSED", "FAILED"] if kept else [])


async def test_on_a_callers_connection_it_goes_with_his_transaction(dsn: Dsn) -> None:
    """An asyncpg connection, within a transaction and without one; and one of SQLAlchemy."""
    async with connected(dsn) as conn:
        with pytest.raises(PayloadError):
            await import_symbols(SPOT, b"<html>", db=conn)
        course = conn.transaction()
        await course.start()
        with pytest.raises(PayloadError):
            await import_symbols(SPOT, b"<html>", db=conn)
        assert len(await list_imports(db=conn)) == 2
        await course.rollback()
        assert len(await list_imports(db=conn)) == 1
    async with sqlalchemy_connected(dsn) as connection:
        with pytest.raises(PayloadError):
            await import_symbols(SPOT, b"<html>", db=connection)
        await load(connection, many(SPOT, 3))
        assert len(await list_imports(db=connection)) == 3
        await connection.rollback()
        assert len(await list_imports(db=connection)) == 1


async def test_what_cannot_be_recorded_is_logged_and_the_error_stays(
    database: Database, dsn: Dsn, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the right to write the ledger, and in a transaction that has failed before."""
    async with connected(dsn) as conn:
        await conn.execute("ALTER TABLE symbol_imports ADD CONSTRAINT closed CHECK (outcome = 'APPLIED')")
    with caplog.at_level(logging.WARNING, logger="exchanges_db"), pytest.raises(PayloadError):
        await import_symbols(SPOT, b"<html>", db=database)
    assert "an import of GATEIO_SPOT that failed is not in the ledger" in caplog.text
    assert await list_imports(db=database) == []


@pytest.mark.parametrize(
    "change", ["UPDATE symbol_imports SET error = 'x'", "DELETE FROM symbol_imports", "TRUNCATE symbol_imports"]
)
async def test_nobody_changes_the_ledger(conn: asyncpg.Connection, change: str) -> None:
    """Not even the owner, who may only prune it."""
    await load(conn, many(SPOT, 3))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await conn.execute(change)


async def test_who_and_when_is_the_servers_word(conn: asyncpg.Connection) -> None:
    """Whoever writes a row by hand cannot say that it was somebody else, or will be tomorrow."""
    await conn.execute(
        "INSERT INTO symbol_imports (exchange_id, exchange, outcome, error, began_at, ended_at, imported_by, "
        "application_name) VALUES (1, 'MEXC_SPOT', 'FAILED', 'x', '2100-01-01Z', '2100-01-01Z', 'nobody', 'none')"
    )
    (one,) = (row for row in await list_imports(db=conn) if row.error == "x")
    now = await conn.fetchval("SELECT clock_timestamp()")
    assert one.began_at <= one.ended_at <= now
    assert one.imported_by == await conn.fetchval("SELECT session_user")


async def test_the_ledger_is_asked_by_exchange_list_outcome_and_time(database: Database) -> None:
    """Newest first, at most so many; an exchange also by its id."""
    await load(database, many(SPOT, 3))
    contracts = payload(FUTURES, many(FUTURES, 3))
    await import_symbols(FUTURES, contracts, listing="PERPETUAL:USDT", db=database)
    with pytest.raises(PayloadError):
        await import_symbols(SPOT, b"<html>", db=database)
    newest = [one.exchange for one in await list_imports(db=database)]
    assert newest == [SPOT, FUTURES, SPOT]
    assert [one.exchange for one in await list_imports(FUTURES.lower(), db=database)] == [FUTURES]
    assert len(await list_imports(2, db=database)) == 2
    assert [str(one.listing) for one in await list_imports(listing="PERPETUAL:USDT", db=database)] == ["PERPETUAL:USDT"]
    assert await list_imports(listing="PERPETUAL", db=database) == []
    assert len(await list_imports(outcome=ImportOutcome.FAILED, db=database)) == 1
    assert len(await list_imports(limit=2, db=database)) == 2
    last = (await list_imports(limit=1, db=database))[0]
    assert await list_imports(since=last.ended_at, db=database) == [last]
    assert await get_import(last.id + 1, db=database) is None
    with pytest.raises(ExchangeNotFound):
        await list_imports("NOBODY", db=database)
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("limit", {"limit": 0}), ("limit", {"limit": True}), ("outcome", {"outcome": "DONE"}),
        ("listing", {"listing": "SWAP"}), ("since", {"since": "today"}),
    ]  # fmt: skip
    for field, arguments in wrong:
        with pytest.raises(InvalidArgument) as caught:
            await list_imports(db=database, **arguments)
        assert caught.value.field == field
    for no_id in (0, -1, True, "1", 2**63):
        with pytest.raises(InvalidArgument, match="import_id must be"):
            await get_import(no_id, db=database)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("origin", "stored"),
    [
        ("//u:pw@h/x", "h/x"),
        ("https:/u:p@w@h/x?key=1", "h/x"),
        ("u:pw@h?key=1", "h"),
        (None, None),
        ("/data/spot.json", "/data/spot.json"),
        ("C:\\lists\\spot.json", "C:\\lists\\spot.json"),
        ("https://api.mexc.com/api/v3/exchangeInfo", "https://api.mexc.com/api/v3/exchangeInfo"),
        ("https://user:secret@h:8443/x", "https://h:8443/x"),
        ("https://user:sec/ret@h/x", "https://h/x"),
        ("https://user:sec?ret@h/x", "https://..."),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("https://h/x?apiKey=secret", "https://h/x"),
        ("https://h/x#secret", "https://h/x"),
        ("a\x00b\ud800", "a\\x00b\\ud800"),
    ],
)
def test_an_origin_keeps_no_secret(origin: str | None, stored: str | None) -> None:
    """User, password, query and fragment go, whatever they hold."""
    assert plain_origin(origin) == stored


async def test_a_list_of_ones_own_has_no_payload(database: Database) -> None:
    """Its source stands in the ledger, and no reader's version."""
    await import_specs(MEXC, "SPOT", [], source="own", db=database)
    with pytest.raises(PayloadError):
        await import_symbols(MEXC, b"", db=database)
    await import_symbols(MEXC, payload(MEXC, [mexc()]), db=database)
    (one, failed) = await list_imports(db=database)
    assert (one.source, failed.error is not None) == ("mexc_spot", True)
    (kept,) = await list_symbol_lists(MEXC, db=database)
    assert (kept.source, kept.confirmations) == ("mexc_spot", 1)
