"""What `validate --quick` sees of real servers of each version: encryption, and prepared transactions left."""

from dataclasses import replace

import asyncpg
import pytest

from exchanges_db import Database, validate_exchanges
from exchanges_db.database.dsn import Dsn
from exchanges_db.validation import sessions
from exchanges_db.validation.bounds import Bounds
from tests.servers import Server

pytestmark = pytest.mark.faults


async def found(dsn: Dsn, name: str) -> tuple[bool, str]:
    """Return what one check of a quick validation has found."""
    async with Database(dsn) as database:
        report = await validate_exchanges(db=database, quick=True)
    return next((check.passed, check.detail) for check in report.checks if check.name == name)


async def test_a_transaction_that_was_left_prepared_fails(primary: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but a restart lets a server prepare any."""
    monkeypatch.setattr(sessions, "BOUNDS", Bounds(idle_in_transaction=0))
    await primary.set(max_prepared_transactions="2")
    await primary.restart()
    other = await asyncpg.connect(**primary.dsn.asyncpg_arguments())
    try:
        with pytest.raises(asyncpg.FeatureNotSupportedError, match="NOTIFY"):  # it would keep all other commits waiting
            await other.execute("BEGIN; UPDATE exchanges SET display_name = 'x' WHERE id = 1; PREPARE TRANSACTION 'no'")
        await other.execute("BEGIN; LOCK TABLE exchanges IN ROW EXCLUSIVE MODE; PREPARE TRANSACTION 'xa-17'")
        passed, words = await found(primary.dsn, "no long transactions")
        assert (passed, words) == (
            False,
            "the transaction 'xa-17' of 'postgres' was prepared 0s ago, and never committed",
        )
        await other.execute("ROLLBACK PREPARED 'xa-17'")
        assert (await found(primary.dsn, "no long transactions"))[0]
    finally:
        other.terminate()


async def test_real_tls_is_told_with_version_and_cipher(tls_primary: Server) -> None:
    passed, words = await found(tls_primary.dsn, "connection encrypted")
    assert passed
    assert words.startswith("TLSv1.3, TLS_")
    checked = await found(replace(tls_primary.dsn, sslmode="require"), "connection encrypted")
    assert checked[0]
