"""Migrating through a real PgBouncer is refused before the lock is taken: it would stay on the pooler's connection."""

from collections.abc import Iterator

import pytest

from exchanges_db import ConfigurationError
from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.migrations import get_migrations, migrate, rollback
from tests.factories import connected
from tests.pgbouncer import needs_pgbouncer, pgbouncer


@pytest.fixture
def pooled(dsn: Dsn) -> Iterator[Dsn]:
    """The way to the database through a pooler."""
    with pgbouncer(dsn) as through:
        yield through


@needs_pgbouncer
async def test_migrating_through_a_pooler_is_refused_and_leaves_no_lock(dsn: Dsn, pooled: Dsn) -> None:
    """Nobody has said that there is one; asking, which only reads, goes through it."""
    for action in (migrate, rollback):
        with pytest.raises(ConfigurationError, match="DATABASE_URL leads to a pooler"):
            await action(pooled)
    assert await get_migrations(pooled) == await get_migrations(dsn)
    async with connected(dsn) as connection:
        assert await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    assert await migrate(dsn) == []
