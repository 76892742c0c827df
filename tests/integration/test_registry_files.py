"""Files that a registry saves and begins with: as of when they are, which is not when they were written."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from exchanges_db import Registry, RegistrySettings, RegistryStale
from exchanges_db.database.dsn import Dsn
from exchanges_db.registry.file import read_snapshot
from tests.factories import connected

RARE = RegistrySettings(poll_interval=60)
LONG = 300.0  # seconds


def lose(registry: Registry, seconds: float) -> None:
    """Have the last proof of a registry be older by so many seconds, as when its database is away."""
    following = registry._following
    assert following is not None
    assert following.proven_at is not None
    following.proven_at -= seconds


def must_be_empty(folder: Path) -> None:
    assert not list(folder.iterdir())


async def test_a_file_of_a_registry_that_lost_its_database_is_as_old_as_what_it_holds(
    stocked_dsn: Dsn, tmp_path: Path
) -> None:
    """Whoever begins with the file tells by that how old it is; when it was written says nothing of it."""
    async with Registry(stocked_dsn, settings=RARE) as registry:
        await registry.save(tmp_path / "fresh")
        lose(registry, LONG)
        await registry.save(tmp_path / "old")
    fresh, old = read_snapshot(tmp_path / "fresh"), read_snapshot(tmp_path / "old")
    assert abs(fresh.saved_at - old.saved_at - timedelta(seconds=LONG)) < timedelta(seconds=30)


@pytest.mark.parametrize("threaded", [False, True], ids=["registry", "in a thread"])
async def test_a_file_that_is_saved_again_unproven_does_not_grow_younger(
    stocked_dsn: Dsn, tmp_path: Path, threaded: bool
) -> None:
    async with Registry(stocked_dsn, settings=RARE) as registry:
        lose(registry, LONG)
        await registry.save(tmp_path / "first")
    if threaded:
        Registry.in_thread(stocked_dsn, file=tmp_path / "first").save(tmp_path / "second")
    else:
        await Registry.load_file(tmp_path / "first", stocked_dsn).save(tmp_path / "second")
    assert read_snapshot(tmp_path / "second").saved_at == read_snapshot(tmp_path / "first").saved_at


async def test_a_registry_that_begins_with_a_file_asks_for_what_has_changed_since_alone(
    stocked_dsn: Dsn, tmp_path: Path
) -> None:
    """The file knows the version of the log, or else everything would be read after all, and nobody would notice."""
    async with Registry(stocked_dsn, settings=RARE) as registry:
        await registry.save(tmp_path / "file")
    for updates in (0, 1):
        async with Registry.load_file(tmp_path / "file", stocked_dsn, settings=RARE) as registry:
            await registry.refresh()
            assert (registry.stats().loads, registry.stats().updates) == (0, updates)
        async with connected(stocked_dsn) as writer:
            await writer.execute("UPDATE exchanges SET display_name = 'New' WHERE id = 1")


async def test_nothing_is_saved_that_was_never_proven(stocked_dsn: Dsn, tmp_path: Path) -> None:
    async with Registry(stocked_dsn, settings=RARE) as registry:
        assert registry._following is not None
        registry._following.proven_at = None
        with pytest.raises(RegistryStale):
            await registry.save(tmp_path / "file")
        await asyncio.to_thread(must_be_empty, tmp_path)
