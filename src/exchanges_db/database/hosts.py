"""Which of several hosts a connection goes to, the error where none is usable, and how old a server may be.

asyncpg has one time limit for all hosts together: a first host that never answers would use it up.
"""

from __future__ import annotations

from typing import Any

import asyncpg

from exchanges_db.database.driver_errors import DRIVER_ERRORS, translate
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.session import Session
from exchanges_db.database.settings import Settings
from exchanges_db.errors import AccessDenied, ConfigurationError, DatabaseError, DatabaseUnavailable, ExchangesDBError

# The oldest version that the tests run on. The schema itself needs only 13, for min_scale().
OLDEST_POSTGRESQL = 15


async def connect(dsn: Dsn, settings: Settings, *, limit: float, application_name: str = "exchanges_db") -> Session:
    """Return a connection to the first host that answers and fits the Dsn's target_session_attrs.

    Each host has its share of `limit` seconds, and at most the connect_timeout of Dsn or settings. As with libpq, a
    refused login ends the search.

    Raises:
        DatabaseUnavailable: no host can be used now.
        AccessDenied: the login was refused.
        ConfigurationError: the Dsn is unusable, or the server is too old.
    """
    arguments = dsn.asyncpg_arguments()
    arguments["server_settings"].setdefault("application_name", application_name)
    wanted: Any = arguments.pop("target_session_attrs", None)
    rounds: list[Any] = ["standby", "any"] if wanted == "prefer-standby" else [wanted]
    hosts = list(zip(arguments.pop("host", [None]), arguments.pop("port", [None]), strict=True))
    if settings.pooler == "transaction":
        arguments["statement_cache_size"] = 0
    limit = min(dsn.connect_timeout or settings.connect_timeout, limit / len(hosts))
    failure: BaseException | None = None
    for attribute in rounds:
        for host, port in hosts:
            try:
                session: Session = await asyncpg.connect(
                    **arguments,
                    host=host,
                    port=port,
                    target_session_attrs=attribute,
                    timeout=limit,
                    command_timeout=settings.command_timeout,
                    connection_class=Session,
                )
            except DRIVER_ERRORS as exc:
                if isinstance(translate(exc), AccessDenied | ConfigurationError):
                    raise connect_error(dsn, exc) from exc
                failure = exc
            else:
                refuse_old_server(session)
                session.is_pooled = settings.pooler == "transaction"
                return session
    assert failure is not None  # there is at least one host
    raise connect_error(dsn, failure) from failure


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
    if not isinstance(error, DatabaseError):
        return error
    if isinstance(exc, TimeoutError):
        return DatabaseUnavailable(f"cannot connect to {dsn}: no answer in time")
    if isinstance(exc, OSError):
        return DatabaseUnavailable(f"cannot connect to {dsn}: {exc.strerror or type(exc).__name__}")
    return type(error)(f"cannot connect to {dsn}: {error}", sqlstate=error.sqlstate)
