"""The listener and its neighbour of docs/scale.md, as they stand there."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exchanges_db import Database, Registry, RegistrySettings, RegistryState, hold_exchange
from exchanges_db.database.dsn import Dsn
from tests.contract.test_document_code import BLOCK
from tests.faults.test_registry_logical import PUBLISH, SLOT
from tests.fix_server import ROOT
from tests.payload_rows import MEXC

TEXT = (ROOT / "docs/scale.md").read_text(encoding="utf-8")
RARE = RegistrySettings(poll_interval=60)
LONG = 300.0  # seconds


@pytest.fixture
def shown() -> dict[str, Any]:
    """What the code in the document defines."""
    names: dict[str, Any] = {}
    for block in BLOCK.finditer(TEXT):
        exec(compile(block[1], "scale.md", "exec"), names)
    return names


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_neighbour_has_what_the_listener_has_and_knows_how_old_it_is(
    stocked_dsn: Dsn, tmp_path: Path, shown: dict[str, Any]
) -> None:
    path = tmp_path / "registry.snapshot"
    async with Registry(stocked_dsn, settings=RARE) as registry, Database(stocked_dsn) as db:
        feeding = asyncio.create_task(shown["feed"](registry, str(path), 0.01))
        try:
            await until(path.exists)
            neighbour = shown["Neighbour"](str(path))
            first = neighbour.registry
            assert neighbour.registry.snapshot == registry.snapshot
            assert neighbour.registry.state is RegistryState.STALE

            neighbour.look()
            assert neighbour.registry is first  # the same file is not read again

            await hold_exchange(MEXC, reason="a test", db=db)

            def is_held() -> bool:
                neighbour.look()
                holds: dict[str | None, Any] = neighbour.registry.snapshot.places[MEXC].holds
                return None in holds

            await until(is_held)
            await registry.refresh()

            def is_fresh() -> bool:
                neighbour.look()
                age: float = neighbour.age
                return 0 <= age < 30

            await until(is_fresh)
            following = registry._following
            assert following is not None
            assert following.proven_at is not None
            following.proven_at -= LONG  # as if the database had been away since

            def is_old() -> bool:
                neighbour.look()
                return bool(neighbour.age >= LONG)

            await until(is_old)
        finally:
            feeding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await feeding


def test_what_is_published_is_what_the_test_of_the_stream_reads() -> None:
    assert f"{PUBLISH};\n{SLOT};\n" in TEXT
