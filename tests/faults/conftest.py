"""What every test of this folder runs with."""

from collections.abc import AsyncIterator

import pytest

from exchanges_db.database.dsn import Dsn
from tests.fix_faults import nothing_left_on


@pytest.fixture(autouse=True)
async def _clean_up(nothing_left: None) -> None:
    """Every test is checked for what it leaves behind."""


@pytest.fixture
async def dsn(dsn: Dsn) -> AsyncIterator[Dsn]:
    """A migrated database of one's own on the session's server, in which nothing is left at the end."""
    yield dsn
    await nothing_left_on(dsn)
