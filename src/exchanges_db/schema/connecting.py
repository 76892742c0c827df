"""Connects the tools that migrate: directly to one server, in which every answer has a time limit."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from exchanges_db.database.bridge import bridge
from exchanges_db.database.driver_errors import DRIVER_ERRORS, translate
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.hosts import connect
from exchanges_db.database.settings import Settings, load_settings
from exchanges_db.errors import ConfigurationError, DatabaseError, DatabaseUnavailable
from exchanges_sql.migration_ledger import AsyncQuerier

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:  # asyncpg's class is generic for type checkers only
    Connection = asyncpg.Connection

_CONNECT_SECONDS = 5.0
# No statement is kept prepared, so that a pooler can be told from a server, and be read through; `limited` sets limits.
_LIMITS = Settings(command_timeout=3600, pooler="transaction")
# No statement of ours works for long: the ledger has a few rows. dbmate's sessions have no such limit.
ANSWER_SECONDS = 10.0
_SILENT_SECONDS = 1.0
_POOLERS_ERRORS = ("08P01", "26000", "42P05")  # a statement that was prepared on another of the pooler's connections
_DIRECTLY = (
    "migrations need a connection to the server itself: through a pooler their lock stays behind on one of its "
    "connections and locks everybody out. Set DATABASE_URL to the server's own address for this command"
)

_SETTERS = {
    "database": "ALTER DATABASE",
    "user": "ALTER ROLE",
    "database user": "ALTER ROLE ... IN DATABASE",
    "client": "DATABASE_URL or PGOPTIONS",
}
_SERVER = "the server's configuration"


@contextmanager
def told(on_line: Callable[[str], None], text: str) -> Iterator[None]:
    """Say what goes on, where it takes longer than a second."""
    word = asyncio.get_running_loop().call_later(_SILENT_SECONDS, on_line, text)
    try:
        yield
    finally:
        word.cancel()


@asynccontextmanager
async def limited(connection: Connection, seconds: float | None = None) -> AsyncIterator[None]:
    """End the connection where the block takes longer: a statement that is only cancelled waits for the server again.

    Raises:
        DatabaseUnavailable: it took longer.
        DatabaseError: another of the driver's errors, as ours.
    """
    seconds = ANSWER_SECONDS if seconds is None else seconds
    expired = []

    def expire() -> None:
        expired.append(True)
        connection.terminate()

    timer = asyncio.get_running_loop().call_later(seconds, expire)
    try:
        yield
    except DRIVER_ERRORS as exc:
        if expired:
            raise DatabaseUnavailable(f"the server did not answer within {seconds:g} s") from exc
        raise translate(exc, still_open=not connection.is_closed()) from exc
    finally:
        timer.cancel()


async def connect_to_migrate(
    dsn: Dsn, on_line: Callable[[str], None], *, read_only: bool = False
) -> tuple[Connection, Dsn]:
    """Connect to the first host that takes writes; return the connection, and a Dsn of that host alone, for dbmate.

    read_only: where no host can be written to, the first that answers will do, such as a standby.
    """
    failure: DatabaseUnavailable | None = None
    hosts = [dsn.one_host(index) for index in range(len(dsn.addresses()))]
    for wanted, one_host in itertools.product(("read-write", "any") if read_only else ("read-write",), hosts):
        try:
            with told(on_line, f"Connecting to {one_host}"):
                connection = await connect(
                    replace(one_host, target_session_attrs=wanted),
                    _LIMITS,
                    limit=dsn.connect_timeout or _CONNECT_SECONDS,
                    application_name="exchanges_db migrate",
                )
        except DatabaseUnavailable as exc:
            failure = exc
        else:
            return connection, one_host
    assert failure is not None  # there is at least one host
    if not read_only and isinstance(failure.__cause__, asyncpg.TargetServerAttributeNotMatched):
        raise await _no_writes(dsn, on_line) from failure
    raise failure


async def _no_writes(dsn: Dsn, on_line: Callable[[str], None]) -> DatabaseUnavailable:
    """Return why the servers that answer cannot be migrated, as far as the first of them tells."""
    connection, one_host = await connect_to_migrate(dsn, on_line, read_only=True)
    try:
        async with limited(connection):
            source = await AsyncQuerier(bridge(connection)).get_read_only_source()
    finally:
        connection.terminate()
    if source is None:
        return DatabaseUnavailable(f"{one_host} is a standby: migrations need the primary")
    return DatabaseUnavailable(
        f"{one_host} takes no writes: default_transaction_read_only is on, set by {_SETTERS.get(source, _SERVER)}; "
        "reset it there, or for this command alone set PGOPTIONS='-c default_transaction_read_only=off'"
    )


def refuse_pooler_of_settings() -> None:
    """Raise ConfigurationError where EXCHANGES_DB_POOLER says that DATABASE_URL leads to a pooler."""
    if load_settings().pooler != "none":
        raise ConfigurationError(f"EXCHANGES_DB_POOLER is set, and {_DIRECTLY}, and EXCHANGES_DB_POOLER to none")


async def refuse_pooler(connection: Connection) -> None:
    """Raise ConfigurationError where the process that answers is not the one that greeted."""
    refusal = ConfigurationError(f"DATABASE_URL leads to a pooler, and {_DIRECTLY}")
    try:
        async with limited(connection):
            pid = await AsyncQuerier(bridge(connection)).get_server_process()
    except DatabaseError as exc:
        if exc.sqlstate in _POOLERS_ERRORS:
            raise refusal from exc
        raise
    if pid != connection.get_server_pid():
        raise refusal
