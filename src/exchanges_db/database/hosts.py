"""Opens connections, the one place that does: to which of several hosts, with which TLS, and why none could be used.

asyncpg has one time limit for all hosts together, goes on in clear after a refused password, and keeps the password in
its frames; so it is given one host and one kind of TLS at a time.
"""

from __future__ import annotations

import asyncio
import errno
import random
import ssl

import asyncpg

from exchanges_db.database.driver_errors import ANSWER_ERRORS, DRIVER_ERRORS, translate
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.keepalives import set_keepalives
from exchanges_db.database.secret import without_frames
from exchanges_db.database.session import Session
from exchanges_db.database.settings import Settings
from exchanges_db.errors import AccessDenied, ConfigurationError, DatabaseError, DatabaseUnavailable, ExchangesDBError

# The oldest version that the tests run on. The schema itself needs only 13, for min_scale().
OLDEST_POSTGRESQL = 15

_NOT_BY_THIS_TLS = "28000"  # pg_hba.conf has no line for this host, user and kind of TLS
# What a server says about a run-time parameter: unknown, unusable, not to be set now, not by this role, no option.
_PARAMETER_REFUSED = frozenset(("42704", "22023", "55P02", "42501", "42601"))
_NAMES_IT_ONLY = frozenset(("42501",))  # it is said about other things too
# Ends of the connection, which may come at any time, during the agreement on TLS as well.
_TLS_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError, ssl.SSLWantReadError)


async def connect(dsn: Dsn, settings: Settings, *, limit: float, application_name: str = "exchanges_db") -> Session:
    """Return a connection to the first host that answers and fits the Dsn's target_session_attrs.

    Each host has its share of what is left of `limit` seconds, and at most the connect_timeout of Dsn or settings. As
    with libpq, a refused login ends the search, and so does a refused certificate.

    Raises:
        DatabaseUnavailable: no host can be used now.
        AccessDenied: the login was refused.
        ConfigurationError: the Dsn is unusable, a certificate or a run-time parameter refused, or the server too old.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + limit
    hosts = [dsn.one_host(index) for index in range(len(dsn.addresses()))]
    if dsn.load_balance_hosts:
        random.shuffle(hosts)
    wanted = dsn.target_session_attrs or "any"
    rounds = ["standby", "any"] if wanted == "prefer-standby" else [wanted]
    attempts = [(attribute, host) for attribute in rounds for host in hosts]
    error: ExchangesDBError | None = None
    cause: BaseException | None = None
    for number, (attribute, host) in enumerate(attempts):
        share = min(dsn.connect_timeout or settings.connect_timeout, (end - clock()) / (len(attempts) - number))
        found = await _connect_to_host(host, settings, attribute, max(share, 0.001), application_name)
        if isinstance(found, Session):
            refuse_old_server(found)
            set_keepalives(found, host.options)
            found.is_pooled = settings.pooler == "transaction"
            return found
        error, cause = connect_error(dsn, found), found
        if isinstance(error, AccessDenied | ConfigurationError):
            break
    assert error is not None  # there is at least one host
    raise error from cause


async def _connect_to_host(
    dsn: Dsn, settings: Settings, attribute: str, limit: float, application_name: str
) -> Session | BaseException:
    """Return a connection to the only host of the Dsn, or the driver's error without its frames."""
    arguments = dsn.asyncpg_arguments()
    arguments["server_settings"].setdefault("application_name", application_name)
    arguments |= {"target_session_attrs": attribute, "command_timeout": settings.command_timeout}
    if settings.pooler == "transaction":
        arguments["statement_cache_size"] = 0
    direct = arguments.pop("direct_tls")
    clock = asyncio.get_running_loop().time
    end = clock() + limit
    failure: BaseException | None = None
    broken_off: BaseException | None = None
    for encryption in dsn.tls_attempts():
        arguments |= {"ssl": encryption, "direct_tls": direct and encryption is not False}
        failure, broken_off = None, _network_failure(failure)
        try:
            return await asyncpg.connect(**arguments, timeout=max(end - clock(), 0.001), connection_class=Session)
        except asyncio.CancelledError as exc:
            raise without_frames(exc)  # noqa: B904 - itself, without the frames that hold the password
        except DRIVER_ERRORS as exc:
            failure = without_frames(exc)
        except ANSWER_ERRORS as exc:  # the server does not greet as PostgreSQL does: no version, no such encoding
            failure = asyncpg.InternalClientError("the greeting cannot be read")
            failure.__cause__ = without_frames(exc)
        except RuntimeError as exc:  # as where no thread can be started to look up the host's name
            failure = OSError(errno.EAGAIN, f"no connection can be made at present: {exc}")
            failure.__cause__ = without_frames(exc)
        if not _may_go_on(failure):
            break
    assert failure is not None  # there is at least one attempt
    if broken_off is not None and getattr(failure, "sqlstate", None) == _NOT_BY_THIS_TLS:
        return broken_off  # with TLS it would have been let in
    return failure


def _network_failure(failure: BaseException | None) -> BaseException | None:
    """Return the failure where the network, or a server that ends, can have been the reason."""
    return failure if isinstance(failure, OSError) and not _without_tls(failure) else None


def _without_tls(exc: BaseException) -> bool:
    """Return whether the server has answered N to SSLRequest: asyncpg has no class for it; a test holds the text."""
    return type(exc) is ConnectionError and "rejected SSL upgrade" in str(exc)


def _may_go_on(failure: BaseException) -> bool:
    """Return whether sslmode `prefer` or `allow` tries the other kind of connection.

    Not after a refused password: it would be sent again, in clear.
    """
    if isinstance(failure, OSError):
        return not isinstance(failure, TimeoutError)
    return getattr(failure, "sqlstate", None) == _NOT_BY_THIS_TLS


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
    lasting = _tls_refused(dsn, exc) or _parameter_refused(dsn, exc)
    if lasting is not None:
        return ConfigurationError(f"cannot connect to {dsn}: {lasting}")
    error = translate(exc)
    if isinstance(exc, TimeoutError):
        return DatabaseUnavailable(f"cannot connect to {dsn}: no answer in time")
    if isinstance(exc, OSError):
        return DatabaseUnavailable(f"cannot connect to {dsn}: {exc.strerror or type(exc).__name__}")
    if isinstance(error, DatabaseError):
        return type(error)(f"cannot connect to {dsn}: {error}", sqlstate=error.sqlstate)
    return error


def _tls_refused(dsn: Dsn, exc: BaseException) -> str | None:
    """Return why no TLS was agreed on, where trying again changes nothing."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return (
            f"the server's certificate is refused: {exc.verify_message}; "
            "connect by the name in it, and name its authority with sslrootcert"
        )
    if isinstance(exc, ssl.SSLError) and not isinstance(exc, _TLS_BROKEN_OFF):
        return f"the server and this client agree on no TLS: {getattr(exc, 'reason', None) or 'no reason given'}"
    if _without_tls(exc):
        return f"the server does without TLS, which sslmode={dsn.tls_mode()} demands"
    return None


def _parameter_refused(dsn: Dsn, exc: BaseException) -> str | None:
    """Return which run-time parameters of the Dsn the server refused; their values are not repeated."""
    sqlstate = getattr(exc, "sqlstate", None)
    if sqlstate not in _PARAMETER_REFUSED or not dsn.settings:
        return None
    # The server quotes the name in every language; where it is not there, the parameter stands in `options`.
    named = [name for name in dsn.settings if f'"{name}"' in str(exc)]
    if sqlstate in _NAMES_IT_ONLY and not named:
        return None
    if not named and "options" in dsn.settings:
        return (
            "the server refuses a run-time parameter in options, of DATABASE_URL, a service or PGOPTIONS: "
            f"try it in psql, which tells which one and why, or leave it out (SQLSTATE {sqlstate})"
        )
    names = ", ".join(named or dsn.settings)
    return f"the server refuses {names} of DATABASE_URL, which is no option of libpq (SQLSTATE {sqlstate})"
