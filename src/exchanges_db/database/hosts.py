"""Which of several hosts a connection goes to, the error where none is usable, and how old a server may be.

asyncpg has one time limit for all hosts together: a first host that never answers would use it up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from exchanges_db.database.driver_errors import DRIVER_ERRORS, translate
from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import AccessDenied, ConfigurationError, DatabaseError, DatabaseUnavailable, ExchangesDBError

# The oldest version that the tests run on. The schema itself needs only 13, for min_scale().
OLDEST_POSTGRESQL = 15

if TYPE_CHECKING:
    _Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:  # asyncpg's class is generic for type checkers only
    _Connection = asyncpg.Connection


class Session(_Connection):
    """An asyncpg connection that remembers what the server answered to the last `execute`.

    asyncpg drops the answer to COMMIT; where a statement had failed, that answer is ROLLBACK, and no error is raised.
    """

    last_status: str = ""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109  # asyncpg's
        """Execute as asyncpg does, and remember the status."""
        self.last_status = await super().execute(query, *args, timeout=timeout)
        return self.last_status


async def connect_to_one_host(
    *args: Any,
    host: list[Any] | None = None,
    port: list[Any] | None = None,
    target_session_attrs: Any = None,
    **options: Any,
) -> asyncpg.Connection[asyncpg.Record]:
    """Return a connection to the first host that answers within `timeout` and fits `target_session_attrs`.

    As with libpq, a refused login ends the search. Raises the driver's errors, and ConfigurationError where the server
    is too old.
    """
    rounds = ["standby", "any"] if target_session_attrs == "prefer-standby" else [target_session_attrs]
    connect: Any = asyncpg.connect  # its overloads do not fit arguments that are passed through
    failure: BaseException | None = None
    for wanted in rounds:
        for one_host, one_port in zip(host or [None], port or [None], strict=True):
            address = {"host": one_host, "port": one_port, "target_session_attrs": wanted}
            try:
                connection: asyncpg.Connection[asyncpg.Record] = await connect(*args, **address, **options)
            except DRIVER_ERRORS as exc:
                if isinstance(translate(exc), AccessDenied | ConfigurationError):
                    raise
                failure = exc
            else:
                refuse_old_server(connection)
                return connection
    assert failure is not None  # there is at least one host
    raise failure


def refuse_old_server(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """End the connection and raise ConfigurationError when the server is older than OLDEST_POSTGRESQL.

    The server told its version when the connection was made, so this takes no round trip.
    """
    version = connection.get_server_version()
    if version.major < OLDEST_POSTGRESQL:
        connection.terminate()
        # asyncpg splits 14.9 into major 14, minor 0, micro 9, but 9.6.24 into 9, 6, 24.
        shown = f"{version.major}.{version.micro if version.major >= 10 else version.minor}"
        raise ConfigurationError(
            f"the server is PostgreSQL {shown}, and exchanges_db needs "
            f"PostgreSQL {OLDEST_POSTGRESQL} or newer: upgrade the server; nothing was sent to it"
        )


def connect_error(dsn: Dsn, exc: BaseException) -> ExchangesDBError:
    """Return our error for one of DRIVER_ERRORS raised while connecting; it says where to, and why it failed."""
    error = translate(exc)
    if isinstance(exc, TimeoutError):
        return DatabaseUnavailable(f"cannot connect to {dsn}: no answer in time")
    if isinstance(exc, OSError):
        return DatabaseUnavailable(f"cannot connect to {dsn}: {exc.strerror or type(exc).__name__}")
    if isinstance(error, DatabaseError):
        return type(error)(f"cannot connect to {dsn}: {error}", sqlstate=error.sqlstate)
    return error
