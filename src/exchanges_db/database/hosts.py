"""Which of several hosts a connection goes to, what is said when none will do, and how old a server may be.

asyncpg gives its time limit to all hosts together: a first one that is silent would hide the second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from exchanges_db.database.driver_errors import DRIVER_ERRORS, translate
from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import AccessDenied, ConfigurationError, DatabaseError, DatabaseUnavailable, ExchangesDBError

# The oldest that the PostgreSQL project still maintains, and that our tests run on. The schema alone would do with 13
# (min_scale).
OLDEST_POSTGRESQL = 15

if TYPE_CHECKING:
    _Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:  # generic to type checkers only
    _Connection = asyncpg.Connection


class Session(_Connection):
    """An asyncpg connection that remembers what the server answered to the last `execute`.

    asyncpg drops the answer to COMMIT, and a failed transaction is answered ROLLBACK without an error.
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

    A login that one host refuses is not tried on the next, as with libpq. Raises the driver's errors, and
    ConfigurationError where the server is too old.
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

    The server told its version when the connection was made: this asks it nothing.
    """
    version = connection.get_server_version()
    if version.major < OLDEST_POSTGRESQL:
        connection.terminate()
        # Of 14.9 asyncpg makes 14, 0 and 9; of 9.6.24 it makes 9, 6 and 24.
        shown = f"{version.major}.{version.micro if version.major >= 10 else version.minor}"
        raise ConfigurationError(
            f"the server is PostgreSQL {shown}, and exchanges_db needs "
            f"PostgreSQL {OLDEST_POSTGRESQL} or newer: upgrade the server; nothing was sent to it"
        )


def connect_error(dsn: Dsn, exc: BaseException) -> ExchangesDBError:
    """Return our error for one of DRIVER_ERRORS that came instead of a connection; it says where and why."""
    error = translate(exc)
    if isinstance(exc, TimeoutError):
        return DatabaseUnavailable(f"cannot connect to {dsn}: no answer in time")
    if isinstance(exc, OSError):
        return DatabaseUnavailable(f"cannot connect to {dsn}: {exc.strerror or type(exc).__name__}")
    if isinstance(error, DatabaseError):
        return type(error)(f"cannot connect to {dsn}: {error}", sqlstate=error.sqlstate)
    return error
