"""Migrating: dbmate under our lock and our checksums."""

import shutil
from pathlib import Path

import pytest

from exchanges_db import MigrationError
from exchanges_db.dsn import Dsn
from exchanges_db.migrations import get_migrations, migrate, rollback
from exchanges_db.sql_files import migrations_directory


async def test_migrate_applies_each_file_once(empty_dsn: Dsn) -> None:
    """The first run applies everything, the second nothing."""
    first = await migrate(empty_dsn)
    assert first == sorted(path.name for path in migrations_directory().glob("*.sql"))
    assert await migrate(empty_dsn) == []
    assert all(m.applied and m.changed is False for m in await get_migrations(empty_dsn))


async def test_a_changed_file_is_refused_and_named(empty_dsn: Dsn, tmp_path: Path) -> None:
    """An applied file that differs from what was applied stops the deploy."""
    files = tmp_path / "migrations"
    shutil.copytree(migrations_directory(), files)
    await migrate(empty_dsn, directory=files)
    changed = files / "002_create_exchanges.sql"
    changed.write_text(changed.read_text() + "\n-- one more thought\n")
    with pytest.raises(MigrationError, match="002_create_exchanges.sql was changed or removed"):
        await migrate(empty_dsn, directory=files)


async def test_rollback_undoes_the_newest_file(empty_dsn: Dsn) -> None:
    """Each call takes one migration back, until none is left."""
    applied = await migrate(empty_dsn)
    undone = [await rollback(empty_dsn) for _ in applied]
    assert undone == applied[::-1]
    assert await rollback(empty_dsn) is None
