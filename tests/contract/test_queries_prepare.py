"""Every query can be prepared on a migrated server: `sqlc vet` with sqlc/db-prepare."""

import os
import subprocess

import asyncpg

from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.sql_files import bookkeeping_file
from tests.fix_server import ROOT, url_of


async def _execute(dsn: Dsn, sql: str) -> None:
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    await connection.execute(sql)
    await connection.close()


def _vet(dsn: Dsn) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sqlc", "vet"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url_of(dsn)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def test_every_query_prepares_on_the_migrated_schema(dsn: Dsn) -> None:
    """The server itself accepts each statement, with its types."""
    await _execute(dsn, bookkeeping_file().read_text())
    result = _vet(dsn)
    assert result.returncode == 0, result.stdout + result.stderr


async def test_vet_notices_a_column_that_is_not_there(dsn: Dsn) -> None:
    """On a database that lacks a column the queries that name it are refused: the check can fail."""
    await _execute(dsn, bookkeeping_file().read_text())
    await _execute(dsn, "ALTER TABLE exchanges DROP COLUMN websocket_url")
    result = _vet(dsn)
    assert result.returncode != 0
    assert "websocket_url" in result.stderr
