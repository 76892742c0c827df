"""Beside a publication of all tables, as tools that read the stream of changes make it, everything can be written."""

import asyncpg
import pytest

from exchanges_db import Database, hold_exchange, release_exchange
from exchanges_db.database.dsn import Dsn
from tests.factories import connected
from tests.payload_rows import MEXC

PUBLISH = "CREATE PUBLICATION everything FOR ALL TABLES"
TABLES = """
    SELECT c.relname::text FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
      AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
"""


async def refused(conn: asyncpg.Connection) -> list[str]:
    """Return the tables of which no row can be deleted, because nothing would tell a subscriber which it was."""
    found = []
    for table in [row[0] for row in await conn.fetch(TABLES)]:
        try:
            async with conn.transaction():
                await conn.execute(f"DELETE FROM public.{table} WHERE false")
        except asyncpg.ObjectNotInPrerequisiteStateError:
            found.append(table)
        except asyncpg.InsufficientPrivilegeError:  # a history, by its own trigger
            continue
    return found


@pytest.fixture
async def published(stocked_dsn: Dsn) -> Dsn:
    """Every row of every table is published, whether somebody subscribes or not."""
    async with connected(stocked_dsn) as conn:
        await conn.execute(PUBLISH)
    return stocked_dsn


async def test_every_table_has_what_tells_its_rows_apart(published: Dsn) -> None:
    async with connected(published) as conn:
        await conn.execute("CREATE TABLE public.others (number integer)")
        assert await refused(conn) == ["others"]


async def test_a_hold_is_set_replaced_and_released(published: Dsn) -> None:
    """Which nothing may keep from happening: it is the kill switch."""
    async with Database(published) as db:
        for reason in ("first", "another"):
            await hold_exchange(MEXC, reason=reason, db=db)
        await release_exchange(MEXC, db=db)
