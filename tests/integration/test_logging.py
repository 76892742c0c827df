"""What is logged: one logger, one line per event, and never a password."""

import logging

import pytest

from exchanges_db import (
    Database,
    DatabaseUnavailable,
    Settings,
    activate_exchange,
    deactivate_exchange,
    ensure_exchanges_populated,
    get_all_exchanges,
    get_exchange_by_enum,
    get_exchange_stats,
    insert_exchange,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn, Secret
from tests.cases import CALLS
from tests.factories import an_exchange, connected


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that is logged from here on, down to DEBUG."""
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    return caplog


def ours(lines: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and text of each of our lines since the last look."""
    found = [(record.levelname, record.getMessage()) for record in lines.records if record.name == "exchanges_db"]
    lines.clear()
    return found


async def test_each_event_is_one_line(dsn: Dsn, lines: pytest.LogCaptureFixture) -> None:
    """Opening, each change, a miss and closing; reads say nothing."""
    async with Database(dsn) as database:
        assert ours(lines) == [("INFO", f"opened {dsn}")]
        new = an_exchange()
        new_id = await insert_exchange(new, db=database)
        assert ours(lines) == [("INFO", f"inserted exchange {new.name} with id {new_id}")]
        await update_exchange(new_id, {"display_name": "x", "precision_default": 1}, db=database)
        assert ours(lines) == [("INFO", f"updated exchange {new_id}: display_name, precision_default")]
        await deactivate_exchange(new_id, db=database)
        await activate_exchange(new_id, db=database)
        assert [text for _, text in ours(lines)] == [f"updated exchange {new_id}: is_active"] * 2
        await activate_exchange(999, db=database)
        assert ours(lines) == [("WARNING", "no exchange has id 999")]
        await get_all_exchanges(db=database)
        await get_exchange_by_enum("NONE", db=database)
        await get_exchange_stats(db=database)
        await ensure_exchanges_populated(db=database)
        assert ours(lines) == []
    assert ours(lines) == [("INFO", f"closed {dsn}")]


async def test_an_update_of_nothing_is_no_event(database: Database, lines: pytest.LogCaptureFixture) -> None:
    """Nothing was written, so nothing is said."""
    await update_exchange(1, {}, db=database)
    assert [text for _, text in ours(lines) if "updated" in text] == []


async def test_created_members_are_named(dsn: Dsn, lines: pytest.LogCaptureFixture) -> None:
    """One line for each exchange that populating had to create."""
    async with connected(dsn) as conn:
        await conn.execute("DELETE FROM exchanges WHERE id = 1")
        (created,) = await ensure_exchanges_populated(db=conn)
    assert ours(lines) == [("INFO", f"created exchange MEXC_SPOT with id {created.id}")]


async def test_only_one_logger_is_used(stocked_dsn: Dsn, lines: pytest.LogCaptureFixture) -> None:
    """Anyone who wants silence, or more, has one name to set; asyncio tells of its own event loop."""
    async with Database(stocked_dsn) as database:
        for call in CALLS.values():
            await call(database)
    assert {record.name for record in lines.records} - {"asyncio"} == {"exchanges_db"}


@pytest.mark.parametrize("reachable", [True, False])
async def test_no_line_holds_the_password(dsn: Dsn, lines: pytest.LogCaptureFixture, reachable: bool) -> None:
    """Of any logger, at any level, when it works and when it does not."""
    hosts = dsn.hosts if reachable else (("127.0.0.1", 1),)
    secret = Dsn(hosts=hosts, user=dsn.user, password=Secret("canary"), database=dsn.database)
    database = Database(secret, Settings(connect_timeout=1))
    if reachable:
        await get_all_exchanges(db=database)
    else:
        with pytest.raises(DatabaseUnavailable):
            await get_all_exchanges(db=database)
    await database.close()
    assert "canary" not in lines.text
    assert "canary" not in "".join(f"{record.__dict__}" for record in lines.records)


def test_the_package_sets_up_no_logging() -> None:
    """A library adds no handler and sets no level: that is the program's business."""
    logger = logging.getLogger("exchanges_db")
    assert logger.handlers == []
    assert logger.level == logging.NOTSET
