"""Answers that are no answers: nobody is met by a raw error, and no outcome is guessed."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any, cast

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db import (
    Database,
    DatabaseError,
    DatabaseUnavailable,
    ExchangesDBError,
    OutcomeUnknown,
    QueryCancelled,
    Settings,
    get_exchange_by_id,
    update_exchange,
)
from exchanges_db.database.default import run_in_transaction
from exchanges_db.database.dsn import Dsn
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from tests.factories import connected
from tests.toxic_proxy import ToxicProxy, Way, _Link, _read

LIMITS = Settings(pool_min=0, pool_max=2, acquire_timeout=2, command_timeout=1)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


_READY = _message(b"Z", b"I")
# A status that does not end, one in no encoding, an error in no encoding, and no status at all.
DAMAGED = (
    _message(b"C", b"") + _READY,
    _message(b"C", b"\xff\xfe\0") + _READY,
    _message(b"E", b"S\xff\0\0") + _READY,
    _READY,
)


class _Liar(ToxicProxy):
    """Once, in the place of the answer to what holds `asked`, sends `answer`."""

    asked: bytes | None = None
    answer = b""

    async def _pump(self, link: _Link, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await _read(reader):
            if way == "forth" and self.asked is not None and self.asked in data:
                link.armed, self.asked = True, None
            elif way == "back" and link.armed:
                link.armed, data = False, self.answer
            writer.write(data)
        writer.write_eof()


@pytest.fixture
async def liar(dsn: Dsn) -> AsyncIterator[_Liar]:
    """A proxy before the database that can lie."""
    proxy = _Liar(dsn)
    await proxy.listen()
    yield proxy
    await proxy.end()


@pytest.fixture
def through(dsn: Dsn, liar: _Liar) -> Dsn:
    """Where the liar listens."""
    return replace(dsn, hosts=(("127.0.0.1", liar.port),), sslmode="disable")


async def _ping(database: Database) -> None:
    assert database._lender is not None
    database._lender._doubted = database._lender._clock()
    await get_exchange_by_id(1, db=database)


async def _in_transaction(database: Database) -> None:
    async with database.transaction() as transaction:
        await update_exchange(1, {"display_name": "New"}, db=transaction)


async def _discarded(database: Database) -> None:
    async with database.transaction() as transaction:
        transaction.discard()


async def _in_savepoint(database: Database) -> None:
    async with database.transaction() as transaction, transaction.savepoint():
        await update_exchange(1, {"display_name": "New"}, db=transaction)


async def _left_savepoint(database: Database) -> None:
    async with database.transaction() as transaction:
        with suppress(ZeroDivisionError):
            async with transaction.savepoint():
                await update_exchange(1, {"display_name": "New"}, db=transaction)
                _ = 1 / 0


async def _own_sql(database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.connection.execute("SELECT 1")


Call = Callable[[Database], Awaitable[None]]
# What is called, the statement whose answer is damaged, and the error: None where what was asked for is done.
CALLS: dict[str, tuple[Call, bytes, type[ExchangesDBError] | None]] = {
    "ping": (_ping, b"SELECT 1\0", None),
    "begin": (_in_transaction, b"BEGIN", None),
    "commit": (_in_transaction, b"COMMIT;", OutcomeUnknown),
    "rollback": (_discarded, b"ROLLBACK", None),
    "savepoint": (_in_savepoint, b"SAVEPOINT", DatabaseUnavailable),
    "release": (_in_savepoint, b"RELEASE", DatabaseError),
    "rollback to": (_left_savepoint, b"ROLLBACK TO", DatabaseError),
    "reset": (_own_sql, b"RESET ALL", None),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_damaged_answer_is_the_end_of_a_connection(through: Dsn, liar: _Liar, name: str) -> None:
    """It is told as what it is, COMMIT's as an unknown outcome, and the pool goes on."""
    call, asked, error = CALLS[name]
    async with Database(through, LIMITS) as database:
        for liar.answer in DAMAGED:
            liar.asked = asked
            with nullcontext() if error is None else pytest.raises(error):
                await call(database)
            assert liar.asked is None  # it was asked for
            await get_exchange_by_id(1, db=database)
            assert database._lender is not None
            assert database._lender._busy == 0


@pytest.mark.parametrize(("asked", "error"), [(b"BEGIN", DatabaseUnavailable), (b"COMMIT;", OutcomeUnknown)])
async def test_a_damaged_answer_on_a_connection_of_the_callers_own(
    through: Dsn, liar: _Liar, asked: bytes, error: type[ExchangesDBError]
) -> None:
    """As on one of the library's, though the driver raises there what comes."""
    for liar.answer in DAMAGED:
        connection = await asyncpg.connect(**through.asyncpg_arguments(), command_timeout=1)
        try:
            liar.asked = asked
            with pytest.raises(error):
                await run_in_transaction(connection, _nothing)
        finally:
            connection.terminate()


async def test_an_answer_that_is_not_of_commit_says_nothing_of_it(through: Dsn, liar: _Liar) -> None:
    """As from a pooler that is one answer behind; only ROLLBACK means that nothing was written."""
    async with Database(through, LIMITS) as database:
        liar.asked, liar.answer = b"COMMIT;", _message(b"C", b"SELECT 1\0") + _READY
        with pytest.raises(OutcomeUnknown):
            await _in_transaction(database)
        found = await get_exchange_by_id(1, db=database)
        assert found is not None
        assert found.display_name == "New"
        assert database.stats().opened == 2  # the one that lied is not used again


async def _nothing(connection: AsyncConnection) -> None:
    """Work that does nothing."""


async def test_what_was_told_to_have_failed_is_not_kept_by_a_later_commit(through: Dsn, liar: _Liar) -> None:
    """Where a statement's answer never came, and the caller goes on, COMMIT is not sent: the statement may be done."""

    async def goes_on(database: Database) -> None:
        async with database.transaction() as transaction:
            await transaction.connection.execute("UPDATE exchanges SET display_name = 'Mine' WHERE id = 2")
            liar.asked, liar.answer = b"UPDATE", b""
            with suppress(QueryCancelled):
                await update_exchange(1, {"display_name": "New"}, db=transaction)

    async with Database(through, LIMITS) as database:
        with pytest.raises(DatabaseError, match="nothing was written: an earlier statement failed: the statement took"):
            await goes_on(database)
    async with connected(through) as connection:
        assert await connection.fetchval("SELECT count(*) FROM exchanges WHERE display_name IN ('Mine', 'New')") == 0


async def test_a_savepoint_whose_end_is_not_known_is_not_kept(through: Dsn, liar: _Liar) -> None:
    """An error has left its block, so that nothing of it may stay."""
    async with Database(through, LIMITS) as database:
        liar.asked, liar.answer = b"ROLLBACK TO", b""
        with pytest.raises(DatabaseError, match="nothing was written: an earlier statement failed"):
            await _left_savepoint(database)


async def test_after_a_savepoint_that_was_undone_the_rest_is_kept(through: Dsn) -> None:
    """Also where a time limit was the error, as long as the server answers to ROLLBACK TO."""
    async with Database(through, LIMITS) as database:
        async with database.transaction() as transaction:
            await update_exchange(2, {"display_name": "Kept"}, db=transaction)
            with suppress(QueryCancelled):
                async with transaction.savepoint():
                    await run_in_transaction(transaction, _slow)
        found = await get_exchange_by_id(2, db=database)
        assert found is not None
        assert found.display_name == "Kept"


async def _slow(connection: AsyncConnection) -> None:
    """Take longer than the time limit."""
    await cast("Any", connection)._connection.execute("SELECT pg_sleep(2)")


@pytest.mark.parametrize("asked", [b'LISTEN "exchanges_db_echo', b'LISTEN "exchanges_db_changed', b"BEGIN", b"COMMIT;"])
async def test_a_registry_goes_on_after_a_damaged_answer(through: Dsn, liar: _Liar, asked: bytes) -> None:
    """With another connection: nothing that a server says is the end of it."""
    for liar.answer in DAMAGED:
        liar.asked = asked
        async with Registry(through, settings=RegistrySettings(answer_timeout=0.5, load_timeout=20)) as registry:
            assert liar.asked is None  # it was asked for
            await registry.refresh()
            assert registry.stats().losses >= 1
