"""A write of ours and a user's transaction that refers to our rows never wait for one another.

A user's own tables have foreign keys on exchanges and symbols. lock_timeout is short, so that a wait is a failure.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from exchanges_db import (
    Database,
    DatabaseOrConnection,
    Settings,
    forget_account_fees,
    get_exchange_by_id,
    hold_exchange,
    hold_symbol,
    import_symbols,
    release_exchange,
    release_symbol,
    set_account_fees,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn
from tests.cases import CASES
from tests.factories import connected
from tests.payload_rows import MEXC, mexc, payload

USERS_TABLE = """
    CREATE TABLE users_orders (
        exchange_id smallint REFERENCES exchanges (id),
        exchange text REFERENCES exchanges (enum_value),
        exchange_name text REFERENCES exchanges (name),
        symbol_id integer REFERENCES symbols (id)
    );
    INSERT INTO symbols
        (exchange_id, native_symbol, symbol, base, quote, kind, price_tick, quantity_step, status, sides, api_tradable)
    VALUES (1, 'BTCUSDT', 'BTC/USDT', 'BTC', 'USDT', 'SPOT', 0.5, 0.5, 'TRADING', 'ALL', true);
"""
REFER = """
    INSERT INTO users_orders (exchange_id, exchange, exchange_name, symbol_id)
    SELECT e.id, e.enum_value, e.name, s.id FROM exchanges AS e LEFT JOIN symbols AS s ON s.exchange_id = e.id
"""
WRITTEN = """
    SELECT xmin::text, id FROM exchanges UNION ALL SELECT xmin::text, id FROM symbols
    UNION ALL SELECT xmin::text, id FROM account_fees
    UNION ALL SELECT xmin::text, exchange_id FROM holds UNION ALL SELECT xmin::text, id FROM hold_history
"""
IMPATIENT = {"lock_timeout": "200ms"}
Call = Callable[[DatabaseOrConnection], Awaitable[Any]]


async def set_and_forget(db: DatabaseOrConnection) -> None:
    """Forget fees that are there to be forgotten."""
    await set_account_fees("MEXC_SPOT", maker=0, taker=0, db=db)
    assert await forget_account_fees("MEXC_SPOT", db=db)


async def hold_and_release(db: DatabaseOrConnection) -> None:
    """Hold a symbol and its exchange, to release both."""
    assert await hold_symbol("MEXC_SPOT", "BTC/USDT", reason="a trial", db=db)
    assert await hold_exchange("MEXC_SPOT", reason="a trial", db=db)
    assert await release_symbol("MEXC_SPOT", "BTC/USDT", db=db)
    assert await release_exchange("MEXC_SPOT", db=db)


# A synchronization writes as an import does.
ALL_WRITES: dict[str, Call] = {
    **{case.name: case for case in CASES if case.kind == "write"},
    "forget_account_fees": lambda db: set_and_forget(db),
    "hold_symbol": lambda db: hold_symbol("MEXC_SPOT", "BTC/USDT", reason="a trial", db=db),
    "release_symbol": lambda db: hold_and_release(db),
    "release_exchange": lambda db: hold_and_release(db),
    "import_symbols": lambda db: import_symbols(MEXC, payload(MEXC, [mexc()]), allow=["jump=BTCUSDT"], db=db),
    "update_exchange with the name it has": lambda db: update_exchange(
        1, {"name": "MEXC_SPOT", "enum_value": "MEXC_SPOT", "display_name": "Other"}, db=db
    ),
}


@pytest.fixture
async def user(dsn: Dsn) -> AsyncIterator[asyncpg.Connection]:
    """The user's own session."""
    async with connected(dsn, server_settings=IMPATIENT) as connection:
        await connection.execute(USERS_TABLE)
        yield connection


@pytest.fixture
async def ours(dsn: Dsn) -> AsyncIterator[Database]:
    """A Database that does not wait for locks."""
    async with Database(Dsn(**{**vars(dsn), "settings": IMPATIENT}), Settings()) as database:
        yield database


@pytest.mark.parametrize("write", ALL_WRITES.values(), ids=ALL_WRITES)
async def test_a_write_does_not_wait_for_a_transaction_that_refers_to_the_row(
    user: asyncpg.Connection, ours: Database, write: Call
) -> None:
    """Taking an exchange out of trading must not wait until every order that is being written is committed."""
    async with user.transaction():
        await user.execute(REFER)
        await write(ours)


@pytest.mark.parametrize("write", ALL_WRITES.values(), ids=ALL_WRITES)
async def test_a_transaction_that_refers_to_the_row_does_not_wait_for_a_write(
    user: asyncpg.Connection, ours: Database, write: Call
) -> None:
    """And what was written is what the write was about: it is no empty statement that takes no lock."""
    before = await user.fetch(WRITTEN)
    async with ours.transaction() as transaction:
        await write(transaction)
        await user.execute(REFER)
    after = await user.fetch(WRITTEN)
    assert set(before) != set(after)


@pytest.mark.parametrize("field", ["name", "enum_value"])
async def test_a_key_is_changed_with_the_rest_at_once(ours: Database, dsn: Dsn, field: str) -> None:
    """One statement, one entry of the history, whatever fields come with it."""
    assert await update_exchange(1, {field: "OTHER", "is_active": False}, db=ours)
    exchange = await get_exchange_by_id(1, db=ours)
    assert exchange is not None
    assert (getattr(exchange, field), exchange.is_active) == ("OTHER", False)
    async with connected(dsn) as connection:
        # Migration 005 has changed the row before.
        (*_, changed) = await connection.fetch(
            "SELECT changed_columns, version FROM exchange_history WHERE exchange_id = 1 AND operation = 'UPDATE' "
            "ORDER BY id"
        )
    assert changed["changed_columns"] == sorted([field, "is_active"])
    assert changed["version"] == exchange.version
    assert await update_exchange(1, {field: "THIRD"}, if_version=exchange.version, db=ours)


async def test_a_key_that_changes_waits(user: asyncpg.Connection, ours: Database) -> None:
    """The tests above can fail: a new enum_value has to wait for a transaction that refers to the old one."""
    async with user.transaction():
        await user.execute(REFER)
        with pytest.raises(Exception, match="lock"):
            await update_exchange(1, {"enum_value": "OTHER"}, db=ours)
