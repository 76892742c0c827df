"""Migration 005: rows that nobody changed get what the exchanges document now; every other row stays as it is."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from exchanges_db import Exchange, ExchangeEnum, get_exchange_history
from exchanges_db.database.dsn import Dsn
from exchanges_db.exchanges.rules import CHECKS
from exchanges_db.schema.sql_files import migrations_directory
from tests.factories import connected
from tests.fix_server import run_dbmate
from tests.symbol_rows import insert

SEED = (Path(__file__).parent / "seed_migration.sql").read_text()
SEEDS_FIELDS = f"SELECT {', '.join(CHECKS)} FROM exchanges ORDER BY enum_value"
MEXC, FUTURES = "MEXC_SPOT", "GATEIO_FUTURES"
Folder = Callable[[str], Path]


@pytest.fixture
def until(tmp_path: Path) -> Folder:
    """The folder of the migrations up to a version."""

    def copy(version: str) -> Path:
        folder = tmp_path / version
        folder.mkdir(exist_ok=True)
        for file in migrations_directory().glob("*.sql"):
            if file.name[:3] <= version:
                shutil.copy(file, folder)
        return folder

    return copy


def dbmate(dsn: Dsn, command: str, folder: Path) -> None:
    """Run plain dbmate, and see that it succeeds."""
    result = run_dbmate(dsn, command, migrations=folder)
    assert result.returncode == 0, result.stderr


async def rows(conn: asyncpg.Connection) -> dict[str, dict[str, Any]]:
    """Every exchange, whole."""
    return {row["enum_value"]: dict(row) for row in await conn.fetch("SELECT * FROM exchanges")}


async def test_the_rows_of_migration_002_are_the_seeds(empty_dsn: Dsn, until: Folder) -> None:
    """It adopts what the seed's script made, so it inserts the same; what is out of date there is corrected later."""
    async with connected(empty_dsn) as conn:
        await conn.execute(SEED)
        seeds = await conn.fetch(SEEDS_FIELDS)
        await conn.execute("DROP TABLE exchanges")
        dbmate(empty_dsn, "migrate", until("002"))
        assert [tuple(row) for row in await conn.fetch(SEEDS_FIELDS)] == [tuple(row) for row in seeds]
        assert len(seeds) == 3


@pytest.mark.parametrize("adopted", [False, True])
async def test_rows_that_nobody_changed_are_corrected(empty_dsn: Dsn, until: Folder, adopted: bool) -> None:
    """Those of migration 002, and those of the seed's own script; what was and what changed stands in the history."""
    async with connected(empty_dsn) as conn:
        if adopted:
            await conn.execute(SEED)
        dbmate(empty_dsn, "migrate", until("005"))
        for member in ExchangeEnum:
            stored = (await rows(conn))[member.value]
            expected = Exchange.from_exchange_enum(member)
            assert {field: stored[field] for field in CHECKS} == {field: getattr(expected, field) for field in CHECKS}
            before, change = await get_exchange_history(stored["id"], db=conn)
            urls = ("websocket_url",) if member is not ExchangeEnum.GATEIO else ()
            assert change.changed_columns == ("rate_limit_requests_per_second", *urls)
            assert (change.old_row, change.version) == (before.new_row, 2)
            assert change.application_name == "exchanges_db migration 005"


CHANGES = {
    "renamed": "name = 'MINE'",
    "another enum_value": "enum_value = 'MINE', name = 'MY NAME'",
    "another display name": "display_name = 'Mine'",
    "another market": "market_type = 'FUTURES'",
    "switched off": "is_active = false",
    "another host": "base_url = 'https://api.mexc.example'",
    "no host": "base_url = NULL",
    "another websocket": "websocket_url = 'wss://mine.example'",
    "no websocket": "websocket_url = NULL",
    "another limit": "rate_limit_requests_per_second = 10",
    "no limit": "rate_limit_requests_per_second = NULL",
    "another precision": "precision_default = 4",
    "corrected already": "websocket_url = 'wss://wbs-api.mexc.com/ws', rate_limit_requests_per_second = 50",
}


def test_every_column_has_its_change() -> None:
    """A column that was not compared would be overwritten."""
    assert {change.split(" = ")[0] for change in CHANGES.values()} == set(CHECKS)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("when", ["before the history", "after", "and back again"])
async def test_a_row_that_somebody_changed_stays(empty_dsn: Dsn, until: Folder, change: str, when: str) -> None:
    """Whichever column it was; after a change that was taken back, too, because somebody meant the old value."""
    update = f"UPDATE exchanges SET {change} WHERE id = 1"
    async with connected(empty_dsn) as conn:
        if when == "before the history":
            await conn.execute(SEED)
            await conn.execute(update)
        dbmate(empty_dsn, "migrate", until("004"))
        if when != "before the history":
            old = await conn.fetchrow("SELECT * FROM exchanges WHERE id = 1")
            assert old is not None
            await conn.execute(update)
            if when == "and back again":
                fields = ", ".join(f"{field} = ${number}" for number, field in enumerate(CHECKS, 1))
                await conn.execute(f"UPDATE exchanges SET {fields} WHERE id = 1", *(old[field] for field in CHECKS))
        before = await conn.fetchrow("SELECT * FROM exchanges WHERE id = 1")
        dbmate(empty_dsn, "migrate", until("005"))
        assert await conn.fetchrow("SELECT * FROM exchanges WHERE id = 1") == before
        assert (await rows(conn))[FUTURES]["websocket_url"] == "wss://fx-ws.gateio.ws/v4/ws/usdt"


async def test_up_down_and_up_again_on_a_filled_database(empty_dsn: Dsn, until: Folder) -> None:
    """Down gives back exactly what up took, up corrects again, and symbols are not touched."""
    folder = until("999")
    async with connected(empty_dsn) as conn:
        dbmate(empty_dsn, "migrate", folder)
        await insert(conn)
        new = [tuple(row) for row in await conn.fetch(SEEDS_FIELDS)]
        for _ in [file for file in folder.iterdir() if file.name[:3] >= "005"]:
            dbmate(empty_dsn, "rollback", folder)
        old = {row["enum_value"]: row["websocket_url"] for row in await conn.fetch(SEEDS_FIELDS)}
        assert old == {
            "MEXC_SPOT": "wss://wbs.mexc.com/ws",
            "GATEIO_SPOT": "wss://api.gateio.ws/ws/v4/",
            "GATEIO_FUTURES": "wss://fx-ws.gateio.ws/v4/ws/",
        }
        assert {row["rate_limit_requests_per_second"] for row in (await rows(conn)).values()} == {100}
        dbmate(empty_dsn, "migrate", folder)
        assert [tuple(row) for row in await conn.fetch(SEEDS_FIELDS)] == new
        assert {row["version"] for row in (await rows(conn)).values()} == {4}
        assert await conn.fetchval("SELECT count(*) FROM symbols") == 1


async def test_down_leaves_what_was_not_done_by_up(empty_dsn: Dsn, until: Folder) -> None:
    """A row that an operator had corrected, one that was changed since, and one that was added with these values."""
    folder = until("005")
    async with connected(empty_dsn) as conn:
        dbmate(empty_dsn, "migrate", until("004"))
        await conn.execute(f"UPDATE exchanges SET {CHANGES['corrected already']} WHERE enum_value = '{MEXC}'")
        dbmate(empty_dsn, "migrate", folder)
        await conn.execute("UPDATE exchanges SET precision_default = 4 WHERE enum_value = 'GATEIO_SPOT'")
        await conn.execute(f"DELETE FROM exchanges WHERE enum_value = '{FUTURES}'")
        await conn.execute(
            "INSERT INTO exchanges (name, enum_value, display_name, market_type, rate_limit_requests_per_second)"
            f" VALUES ('{FUTURES}', '{FUTURES}', 'Gate.io Futures Trading', 'FUTURES', 20)"
        )
        before = await rows(conn)
        dbmate(empty_dsn, "rollback", folder)
        assert await rows(conn) == before


async def test_a_row_that_was_inserted_again_with_the_old_values_is_corrected(empty_dsn: Dsn, until: Folder) -> None:
    """As an older version of this library does where a row is missing: that changed nothing of the row."""
    async with connected(empty_dsn) as conn:
        dbmate(empty_dsn, "migrate", until("004"))
        await conn.execute(f"DELETE FROM exchanges WHERE enum_value = '{MEXC}'")
        await conn.execute("INSERT INTO" + SEED.partition("INSERT INTO")[2].partition("-- Add")[0])
        dbmate(empty_dsn, "migrate", until("005"))
        row = (await rows(conn))[MEXC]
        assert (row["websocket_url"], row["rate_limit_requests_per_second"]) == ("wss://wbs-api.mexc.com/ws", 50)
