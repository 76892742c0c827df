"""The audit trail: who changed what and when, and the row as it stood at a time."""

import shutil
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from exchanges_db import (
    ChangeOperation,
    ConstraintViolated,
    Database,
    Exchange,
    ExchangeChange,
    InvalidArgument,
    StoredExchange,
    deactivate_exchange,
    get_exchange_as_of,
    get_exchange_by_id,
    get_exchange_history,
    insert_exchange,
    update_exchange,
)
from exchanges_db.database.driver_errors import translate
from exchanges_db.database.dsn import Dsn
from tests.factories import an_exchange, connected
from tests.fix_server import ROOT, run_dbmate

INSERT = "INSERT INTO exchanges (name, enum_value, display_name, market_type) VALUES"
MICROSECOND = timedelta(microseconds=1)


async def last_change(conn: asyncpg.Connection, exchange_id: int = 1) -> ExchangeChange:
    """The newest entry of an exchange."""
    return (await get_exchange_history(exchange_id, db=conn))[-1]


async def stored(conn: asyncpg.Connection, exchange_id: int = 1) -> StoredExchange:
    """The row of an exchange that is there."""
    exchange = await get_exchange_by_id(exchange_id, db=conn)
    assert exchange is not None
    return exchange


async def count(conn: asyncpg.Connection) -> int:
    """How many entries there are."""
    number: int = await conn.fetchval("SELECT count(*) FROM exchange_history")
    return number


async def test_an_insert_is_recorded_with_the_new_row(conn: asyncpg.Connection) -> None:
    """Who, from where, when, and the whole row."""
    await conn.execute("SET LOCAL application_name = 'the desk'")
    new_id = await insert_exchange(an_exchange(base_url="https://t"), db=conn)
    row = await stored(conn, new_id)
    (change,) = await get_exchange_history(new_id, db=conn)
    assert (change.operation, change.version, change.changed_columns) == (ChangeOperation.INSERT, 1, ())
    assert change.changed_by == await conn.fetchval("SELECT session_user::text")
    assert change.application_name == "the desk"
    assert change.changed_at == row.updated_at
    assert change.changed_at.tzinfo is UTC
    assert change.old_row is None
    assert change.new_row is not None
    assert change.new_row["base_url"] == "https://t"
    assert change.new_row.keys() == set(Exchange.__struct_fields__)


async def test_an_update_is_recorded_with_both_rows_and_its_columns(conn: asyncpg.Connection) -> None:
    """Version and updated_at always change, so they are not named."""
    await update_exchange(1, {"precision_default": 2, "base_url": None, "name": "MEXC_SPOT"}, db=conn)
    change = await last_change(conn)
    assert (change.operation, change.changed_columns) == (ChangeOperation.UPDATE, ("base_url", "precision_default"))
    assert change.old_row is not None
    assert change.new_row is not None
    assert (change.old_row["precision_default"], change.new_row["precision_default"]) == (8, 2)
    assert (change.old_row["base_url"], change.new_row["base_url"]) == ("https://api.mexc.com", None)
    assert change.version == change.new_row["version"] == change.old_row["version"] + 1


async def test_a_delete_is_recorded_with_the_old_row(conn: asyncpg.Connection) -> None:
    """What was there can still be read afterwards."""
    before = await stored(conn)
    await conn.execute("DELETE FROM exchanges WHERE id = 1")
    change = await last_change(conn)
    assert (change.operation, change.new_row, change.version) == (ChangeOperation.DELETE, None, before.version)
    assert change.old_row is not None
    assert change.old_row["enum_value"] == before.enum_value


async def test_truncate_is_recorded_row_by_row(conn: asyncpg.Connection) -> None:
    """It fires no row trigger, and still leaves nothing out."""
    await conn.execute("TRUNCATE exchanges, symbols, symbol_lists, holds")
    for exchange_id in (1, 2, 3):
        change = await last_change(conn, exchange_id)
        assert (change.operation, change.new_row) == (ChangeOperation.TRUNCATE, None)
        assert change.old_row is not None
        assert change.old_row["id"] == exchange_id


@pytest.mark.parametrize(
    ("sql", "operations"),
    [
        ("UPDATE exchanges SET is_active = NOT is_active", ["UPDATE"] * 3),
        ("UPDATE exchanges SET is_active = false WHERE id = 2", ["UPDATE"]),
        (f"{INSERT} ('X', 'X', 'X', 'SPOT') ON CONFLICT (name) DO UPDATE SET display_name = 'Y'", ["INSERT"]),
        (f"{INSERT} ('MEXC_SPOT', 'X', 'X', 'SPOT') ON CONFLICT (name) DO UPDATE SET display_name = 'Y'", ["UPDATE"]),
        ("MERGE INTO exchanges e USING (SELECT 1 AS id) s ON e.id = s.id WHEN MATCHED THEN DELETE", ["DELETE"]),
        ("WITH gone AS (DELETE FROM exchanges RETURNING *) SELECT count(*) FROM gone", ["DELETE"] * 3),
        ("UPDATE exchanges SET name = name", []),
        ("UPDATE exchanges SET version = 99, updated_at = 'infinity', created_at = '-infinity'", []),
        ("DELETE FROM exchanges WHERE false", []),
        (f"{INSERT} ('MEXC_SPOT', 'X', 'X', 'SPOT') ON CONFLICT DO NOTHING", []),
    ],
)  # fmt: skip
async def test_raw_sql_is_recorded_like_ours(conn: asyncpg.Connection, sql: str, operations: list[str]) -> None:
    """Whoever makes the change, by whatever statement; and what changes nothing records nothing."""
    before = await conn.fetchval("SELECT max(id) FROM exchange_history")
    await conn.execute(sql)
    rows = await conn.fetch("SELECT operation FROM exchange_history WHERE id > $1 ORDER BY id", before)
    assert [row["operation"] for row in rows] == operations


async def test_copy_is_recorded_too(conn: asyncpg.Connection) -> None:
    """Rows that come in bulk are rows."""
    before = await count(conn)
    records = [(f"COPY_{n}", f"COPY_{n}", "Copied", "SPOT") for n in range(3)]
    columns = ["name", "enum_value", "display_name", "market_type"]
    await conn.copy_records_to_table("exchanges", records=records, columns=columns)
    assert await count(conn) == before + 3


async def test_version_and_times_cannot_be_set_by_hand(conn: asyncpg.Connection) -> None:
    """The database overrules what a statement says, on insert and on update."""
    before = await stored(conn)
    await conn.execute(
        "UPDATE exchanges SET version = 99, created_at = '2001-01-01', updated_at = '2001-01-01', name = 'X'"
        " WHERE id = 1"
    )
    after = await stored(conn)
    assert (after.version, after.created_at) == (before.version + 1, before.created_at)
    assert after.updated_at > before.updated_at
    new_id = await conn.fetchval(
        "INSERT INTO exchanges (name, enum_value, display_name, market_type, version, created_at, updated_at)"
        " VALUES ('Y', 'Y', 'Y', 'SPOT', 7, '2001-01-01', '2001-01-01') RETURNING id"
    )
    new = await stored(conn, new_id)
    assert new.version == 1
    assert new.created_at > before.updated_at


async def test_an_id_cannot_be_changed(conn: asyncpg.Connection) -> None:
    """Its history would lead nowhere; not even by way of DEFAULT, which is all that SQL allows here."""
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as info:
        await conn.execute("UPDATE exchanges SET id = DEFAULT WHERE id = 1")
    error = translate(info.value)
    assert isinstance(error, ConstraintViolated)
    assert str(error) == "id cannot be changed"


async def test_two_changes_in_one_transaction_are_two_moments(conn: asyncpg.Connection) -> None:
    """now() stands still in a transaction; updated_at does not."""
    before = len(await get_exchange_history(1, db=conn))
    for number in range(20):
        await update_exchange(1, {"display_name": f"Name {number}"}, db=conn)
    moments = [change.changed_at for change in await get_exchange_history(1, db=conn)]
    assert len(moments) == before + 20
    assert all(earlier < later for earlier, later in pairwise(moments))
    assert [change.version for change in await get_exchange_history(1, db=conn)] == list(range(1, before + 21))


async def test_updated_at_rises_although_the_clock_was_set_back(conn: asyncpg.Connection) -> None:
    """A row stamped in the future, as after a clock step, gets a later stamp and not an earlier one."""
    await conn.execute("ALTER TABLE exchanges DISABLE TRIGGER USER")
    await conn.execute("UPDATE exchanges SET updated_at = now() + interval '1 day' WHERE id = 1")
    for trigger in ("exchanges_stamp", "exchanges_record_change", "exchanges_record_truncate"):
        await conn.execute(f"ALTER TABLE exchanges ENABLE ALWAYS TRIGGER {trigger}")
    ahead = (await stored(conn)).updated_at
    assert ahead is not None
    await update_exchange(1, {"display_name": "Later"}, db=conn)
    assert (await stored(conn)).updated_at == ahead + MICROSECOND
    await conn.execute("DELETE FROM exchanges WHERE id = 1")
    assert (await last_change(conn)).changed_at == ahead + 2 * MICROSECOND


async def test_as_of_gives_the_row_of_each_moment(conn: asyncpg.Connection) -> None:
    """A change holds from its own moment on: one microsecond before, the row before it."""
    new_id = await insert_exchange(an_exchange(display_name="First"), db=conn)
    first = await stored(conn, new_id)
    await update_exchange(new_id, {"display_name": "Second", "rate_limit_requests_per_second": 7}, db=conn)
    second = await stored(conn, new_id)
    await conn.execute("DELETE FROM exchanges WHERE id = $1", new_id)
    deleted = (await last_change(conn, new_id)).changed_at
    for moment, expected in [
        (datetime.min.replace(tzinfo=UTC), None),
        (first.updated_at - MICROSECOND, None),
        (first.updated_at, first),
        (second.updated_at - MICROSECOND, first),
        (second.updated_at, second),
        (deleted - MICROSECOND, second),
        (deleted, None),
        (datetime.max.replace(tzinfo=UTC), None),
    ]:
        assert await get_exchange_as_of(new_id, moment, db=conn) == expected
        elsewhere = timezone(timedelta(hours=5, minutes=30))
        if moment.year not in (1, 9999):
            assert await get_exchange_as_of(new_id, moment.astimezone(elsewhere), db=conn) == expected


@pytest.mark.parametrize("wrong", [None, "2026-01-01", 0, datetime(2026, 1, 1), datetime(2026, 1, 1).date()])  # noqa: DTZ001
async def test_a_moment_without_time_zone_is_refused(conn: asyncpg.Connection, wrong: Any) -> None:
    """It would be taken as local time in silence."""
    with pytest.raises(InvalidArgument, match="time zone"):
        await get_exchange_as_of(1, wrong, db=conn)


@pytest.mark.parametrize("hours", [-12, 12])
async def test_a_moment_at_the_end_of_time_is_no_overflow(conn: asyncpg.Connection, hours: int) -> None:
    """The first and the last datetime in any time zone are moments like others."""
    zone = timezone(timedelta(hours=hours))
    assert await get_exchange_as_of(1, datetime.min.replace(tzinfo=zone), db=conn) is None
    assert await get_exchange_as_of(1, datetime.max.replace(tzinfo=zone), db=conn) == await stored(conn)


async def test_an_id_used_again_starts_a_new_row_in_the_same_trail(conn: asyncpg.Connection) -> None:
    """After TRUNCATE ... RESTART IDENTITY an id may come back."""
    await conn.execute("TRUNCATE exchanges, symbols, symbol_lists, holds RESTART IDENTITY")
    assert await insert_exchange(an_exchange(), db=conn) == 1
    operations = [change.operation for change in await get_exchange_history(1, db=conn)]
    assert operations == ["SNAPSHOT", "UPDATE", "TRUNCATE", "INSERT"]
    assert (await stored(conn)).version == 1


async def test_a_rolled_back_change_leaves_no_trace(database: Database) -> None:
    """The trail tells what happened, not what was tried."""
    before = await get_exchange_history(1, db=database)
    async with database.transaction() as tx:
        await deactivate_exchange(1, db=tx)
        tx.discard()
    assert await get_exchange_history(1, db=database) == before


async def test_rows_older_than_the_history_get_a_snapshot(empty_dsn: Dsn, tmp_path: Path) -> None:
    """Known since their last change, in UTC wherever the server stands, and as_of finds them from then on."""
    only_first = tmp_path / "migrations"
    only_first.mkdir()
    shutil.copy(ROOT / "db/migrations/002_create_exchanges.sql", only_first)
    async with connected(empty_dsn) as conn:
        await conn.execute(f"ALTER DATABASE {empty_dsn.database} SET timezone = 'America/St_Johns'")
        assert run_dbmate(empty_dsn, "up", migrations=only_first).returncode == 0
        await conn.execute(
            "UPDATE exchanges SET updated_at = '2020-02-02 02:02:02+00', created_at = '2019-01-01 00:00+00'"
        )
        shutil.copy(ROOT / "db/migrations/003_create_exchange_history.sql", only_first)
        assert run_dbmate(empty_dsn, "up", migrations=only_first).returncode == 0
        (change,) = await get_exchange_history(1, db=conn)
        moment = datetime(2020, 2, 2, 2, 2, 2, tzinfo=UTC)
        assert (change.operation, change.changed_at, change.version) == (ChangeOperation.SNAPSHOT, moment, 1)
        then = await get_exchange_as_of(1, moment, db=conn)
        assert then == await stored(conn)
        assert then.updated_at.tzinfo is UTC
        await update_exchange(1, {"display_name": "Newer"}, db=conn)
        newer = (await last_change(conn)).new_row
        assert newer is not None
        assert newer["created_at"] == "2019-01-01T00:00:00+00:00"
        # Whether more was known and pruned, the schema of now tells.
        assert run_dbmate(empty_dsn, "up").returncode == 0
        await conn.reload_schema_state()
        assert await get_exchange_as_of(1, moment - MICROSECOND, db=conn) is None
