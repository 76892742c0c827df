"""What the driver raises when a server ends a session, changes a table or refuses a login, and how it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from exchanges_db.database.bridge import AsyncpgBridge, RawConnection
from exchanges_db.database.driver_errors import (
    ANSWER_ERRORS,
    DRIVER_ERRORS,
    Consequence,
    UnreadableAnswer,
    consequence,
    translate,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import (
    ConfigurationError,
    Conflict,
    DatabaseError,
    DatabaseUnavailable,
    ExchangesDBError,
    OutcomeUnknown,
    SchemaMismatch,
)

# What a server sends to a session that it ends, as its protocol spells it: severity, SQLSTATE and text.
FATAL = b"SFATAL\0VFATAL\0C57P01\0Mterminating\0\0"


async def _begin(connection: RawConnection) -> None:
    await connection.transaction().start()


STATEMENTS: dict[str, Callable[[RawConnection], Awaitable[Any]]] = {
    "fetch what is prepared": lambda connection: connection.fetch("SELECT 1"),
    "fetch what is not": lambda connection: connection.fetch("SELECT 2"),
    "execute": lambda connection: connection.execute("SELECT 3"),
    "begin": _begin,
}


@pytest.fixture
async def connection(server: Dsn) -> AsyncIterator[RawConnection]:
    """A connection of asyncpg's own, with one statement prepared; nothing is written on it."""
    made = await asyncpg.connect(**server.asyncpg_arguments())
    await made.fetchval("SELECT 1")
    yield made
    made.terminate()


async def _fails(
    connection: RawConnection, statement: Awaitable[Any]
) -> tuple[BaseException, Consequence, ExchangesDBError]:
    """Return what a statement raises, what it says about the connection, and our error, as for a write."""
    with pytest.raises((*DRIVER_ERRORS, *ANSWER_ERRORS)) as caught:
        await statement
    exc, closed = caught.value, connection.is_closed()
    return exc, consequence(exc, closed=closed), translate(exc, unknown_if_lost=True, still_open=not closed)


def _receive(connection: RawConnection, kind: bytes, body: bytes) -> None:
    """Have the driver receive a message that the server did not send."""
    driver: Any = connection
    driver._protocol.data_received(kind + (len(body) + 4).to_bytes(4, "big") + body)


@pytest.fixture
async def other(server: Dsn) -> AsyncIterator[RawConnection]:
    """Another, whose statements each see what is so at the time."""
    made = await asyncpg.connect(**server.asyncpg_arguments())
    yield made
    made.terminate()


@pytest.mark.parametrize("how", STATEMENTS)
async def test_a_session_that_was_ended_while_idle_got_nothing(
    other: RawConnection, connection: RawConnection, how: str
) -> None:
    """Once the end was seen, a write too is certain not to have been sent."""
    ended = asyncio.Event()
    connection.add_termination_listener(lambda _: ended.set())
    await other.fetchval("SELECT pg_terminate_backend($1)", connection.get_server_pid())
    await asyncio.wait_for(ended.wait(), 30)
    exc, told, error = await _fails(connection, STATEMENTS[how](connection))
    assert type(exc) is asyncpg.InterfaceError
    assert (told, type(error)) == (Consequence.UNSENT, DatabaseUnavailable)


@pytest.mark.parametrize("how", STATEMENTS)
async def test_so_did_one_whose_last_word_came_before_its_end(connection: RawConnection, how: str) -> None:
    """Between the FATAL and the end of the stream asyncpg raises an InternalClientError, and has closed by then."""
    _receive(connection, b"E", FATAL)
    assert not connection.is_closed()
    exc, told, error = await _fails(connection, STATEMENTS[how](connection))
    assert type(exc) is asyncpg.InternalClientError
    assert connection.is_closed()
    assert (told, type(error)) == (Consequence.UNSENT, DatabaseUnavailable)


async def test_a_session_that_ended_under_a_statement_may_have_done_it(
    other: RawConnection, connection: RawConnection
) -> None:
    """The server's last word is the cause, and its SQLSTATE is kept."""
    pid = connection.get_server_pid()
    statement = asyncio.ensure_future(_fails(connection, connection.execute("SELECT pg_sleep(60)")))
    running = "SELECT count(*) FROM pg_stat_get_activity($1) WHERE state = 'active' AND wait_event = 'PgSleep'"
    async with asyncio.timeout(30):
        while not await other.fetchval(running, pid):
            pass
        await other.fetchval("SELECT pg_terminate_backend($1)", pid)
        exc, told, error = await statement
    assert type(exc) is asyncpg.ConnectionDoesNotExistError
    assert isinstance(error, OutcomeUnknown)
    assert (told, error.sqlstate) == (Consequence.LOST, "57P01")


async def test_a_damaged_answer_is_no_unsent_statement(connection: RawConnection) -> None:
    """A row that is shorter than it says: the connection looks open, and must not be used again."""
    statement = asyncio.ensure_future(_fails(connection, connection.fetch("SELECT 1")))
    await asyncio.sleep(0)
    _receive(connection, b"D", b"\0\1\0\0\0\x7f")
    _, told, error = await asyncio.wait_for(statement, 30)
    assert not connection.is_closed()
    assert (told, type(error)) == (Consequence.LOST, OutcomeUnknown)


async def test_a_changed_table_and_a_type_made_again_are_stale(empty_dsn: Dsn) -> None:
    """The first is a Conflict; the second stays until the connection forgets the type, or is replaced."""
    stale, other = [await asyncpg.connect(**empty_dsn.asyncpg_arguments()) for _ in range(2)]
    await other.execute("CREATE TABLE t (a int); CREATE TYPE mood AS ENUM ('x'); CREATE TYPE pair AS (a int, b int)")
    of_type = "SELECT 'x' = ANY ($1::mood[])"
    for statement, arguments in (("SELECT * FROM t", ()), (of_type, (["x"],))):
        await stale.fetch(statement, *arguments)
    await other.execute("DROP TYPE mood; CREATE TYPE mood AS ENUM ('x'); ALTER TABLE t ADD b int")
    for _ in range(2):
        exc, told, error = await _fails(stale, stale.fetch(of_type, ["x"]))
        assert type(exc) is asyncpg.InternalServerError
        assert (told, type(error)) == (Consequence.STALE_SCHEMA, DatabaseError)
    async with stale.transaction():
        _, told, error = await _fails(stale, stale.fetch("SELECT * FROM t"))
    assert (told, type(error)) == (Consequence.STALE_SCHEMA, Conflict)
    # It was done, and its answer cannot be read.
    await stale.fetch("SELECT ROW (1, 2)::pair")
    await other.execute("ALTER TYPE pair ADD ATTRIBUTE c int")
    _, told, error = await _fails(stale, stale.fetch("SELECT ROW (1, 2, 3)::pair"))
    assert (told, type(error)) == (Consequence.STALE_SCHEMA, OutcomeUnknown)
    for one in (stale, other):
        await one.close()


async def test_a_stored_value_that_python_has_none_for_is_a_schema_mismatch(
    connection: RawConnection,
) -> None:
    """The bridge tells it from a ValueError of a caller's, and the connection stays usable."""
    with pytest.raises(UnreadableAnswer) as caught:
        await AsyncpgBridge(connection)._fetch(connection.fetch, "SELECT '20000-01-01'::date", ())
    assert type(translate(caught.value, still_open=True)) is SchemaMismatch
    assert type(translate(caught.value, unknown_if_lost=True, still_open=True)) is OutcomeUnknown
    assert consequence(caught.value, closed=connection.is_closed()) is Consequence.NOTHING
    assert await connection.fetchval("SELECT 1") == 1


async def test_an_argument_that_cannot_be_sent_is_no_stored_value(connection: RawConnection) -> None:
    """Asyncpg calls both ValueError; the first is one of its own classes too."""
    with pytest.raises(DRIVER_ERRORS) as caught:
        await AsyncpgBridge(connection)._fetch(connection.fetch, "SELECT $1::int", (2**40,))
    assert type(translate(caught.value, unknown_if_lost=True, still_open=True)) is DatabaseError


@pytest.mark.parametrize("setting", [{"no_such_setting": "1"}, {"statement_timeout": "soon"}, {"shared_buffers": "1"}])
async def test_a_setting_that_the_server_refuses_is_a_wrong_configuration(server: Dsn, setting: dict[str, str]) -> None:
    """Trying again changes nothing."""
    arguments = server.asyncpg_arguments()
    with pytest.raises(asyncpg.PostgresError) as caught:
        await asyncpg.connect(**{**arguments, "server_settings": setting})
    assert type(translate(caught.value)) is ConfigurationError
    assert consequence(caught.value, closed=True, connecting=True) is Consequence.FINAL
