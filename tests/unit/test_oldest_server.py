"""A PostgreSQL that is too old is refused in words, before anything is sent to it."""

import pytest

from exchanges_db import ConfigurationError, Database, get_all_exchanges, validate_exchanges
from exchanges_db.database.hosts import OLDEST_POSTGRESQL
from exchanges_db.schema.migrations import get_migrations, migrate, rollback
from tests.old_server import server_of_version

TOO_OLD = f"the server is PostgreSQL 14.9, and exchanges_db needs PostgreSQL {OLDEST_POSTGRESQL} or newer"
TERMINATE = b"X\x00\x00\x00\x04"


async def test_opening_refuses_an_old_server() -> None:
    """Its version came with the greeting, so that the refusal costs no round trip."""
    async with server_of_version("14.9") as (dsn, sent):
        with pytest.raises(ConfigurationError, match=TOO_OLD):
            await Database(dsn).open()
    assert b"".join(sent).removesuffix(TERMINATE) == b""


async def test_the_first_use_refuses_an_old_server() -> None:
    """A Database that nobody opened is opened by its first use."""
    async with server_of_version("14.9 (Debian 14.9-1.pgdg120+1)") as (dsn, _):
        with pytest.raises(ConfigurationError, match=TOO_OLD):
            await get_all_exchanges(db=Database(dsn))


@pytest.mark.parametrize("command", [migrate, rollback, get_migrations])
async def test_migrating_refuses_an_old_server(command: object) -> None:
    """Else a file would be half understood by the server, and the ledger made on it all the same."""
    assert callable(command)
    async with server_of_version("14.9") as (dsn, sent):
        with pytest.raises(ConfigurationError, match=TOO_OLD):
            await command(dsn)
    assert b"".join(sent).removesuffix(TERMINATE) == b""


async def test_validating_reports_an_old_server() -> None:
    """The report says which version there is and which is needed; the other checks are not made."""
    async with server_of_version("9.6.24") as (dsn, _):
        report = await validate_exchanges(db=Database(dsn))
    assert not report.passed
    assert report.checks[0].detail.startswith("the server is PostgreSQL 9.6")
    assert {check.detail for check in report.checks[1:]} == {"not made: no server that can be asked"}


async def test_the_oldest_server_is_let_in() -> None:
    """The bound itself is supported, betas of newer versions too."""
    for version in (f"{OLDEST_POSTGRESQL}.0", f"{OLDEST_POSTGRESQL}beta1", "19devel"):
        async with server_of_version(version) as (dsn, _):
            database = Database(dsn)
            await database.open()
            await database.close()
