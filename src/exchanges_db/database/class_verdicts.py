"""What each class of error without a SQLSTATE means: the driver's own, the system's, TLS's and SQLAlchemy's.

One table is for what the driver raises while it reads an answer. Nothing here is decided by message text.
"""

from __future__ import annotations

import asyncio
import builtins
import socket
import ssl
import struct

import asyncpg
import asyncpg.pgproto.pgproto
import msgspec
import sqlalchemy.exc

from exchanges_db.database.verdicts import BY_SQLSTATE, CHANGED_PLAN, UNKNOWN_SQLSTATE, Consequence, Decision
from exchanges_db.errors import ConfigurationError, DatabaseError, DatabaseUnavailable, QueryCancelled, SchemaMismatch

_, UNSENT, LOST, DOUBTFUL, _, _, REFUSED_FOR_NOW, FINAL = Consequence

_SERVER_HUNG_UP = Decision(DatabaseUnavailable, "the connection was lost", LOST)
_DAMAGED = Decision(DatabaseUnavailable, "the server's answer is damaged, so the connection is ended", LOST)
_LOST_UNSENT = Decision(DatabaseUnavailable, "the session had ended before anything was sent", UNSENT)
_MISUSED = Decision(
    DatabaseError,
    "the connection is busy with another task, or its transaction is over: one task at a time",
    why="a mistake of the caller's, who alone can mend it",
)
_TOO_SLOW = Decision(QueryCancelled, "the statement took longer than its time limit", DOUBTFUL)
_NO_SERVER = Decision(DatabaseUnavailable, "no server takes the connection", REFUSED_FOR_NOW)
_NO_FILE = Decision(DatabaseUnavailable, "this machine refuses the file or socket: check its path and rights", FINAL)
_NO_HOST = Decision(DatabaseUnavailable, "the host's name has no address: check DATABASE_URL", FINAL)
_UNREADABLE = Decision(SchemaMismatch, "the database holds a value that this version cannot read", answered=True)
_BAD_CERTIFICATE = Decision(
    ConfigurationError,
    "the server's certificate is not trusted: check sslrootcert, the host's name in it, and its dates",
    FINAL,
)
_OWN_CERTIFICATE = Decision(
    ConfigurationError, "the server does not accept this client's certificate: check sslcert and sslkey", FINAL
)
_OF_SQLALCHEMY = Decision(
    DatabaseError,
    "SQLAlchemy refused how the connection was used",
    why="a mistake in the use of a caller's own engine, which the caller alone can mend",
)
_IN_SQLALCHEMY = Decision(
    DatabaseError,
    "a driver under SQLAlchemy failed",
    why="an error without a SQLSTATE, of a driver that is not asyncpg",
)


def _named(module: object, names: str) -> list[type[BaseException]]:
    """Return the classes of that name that the installed version has."""
    return [getattr(module, name) for name in names.split() if hasattr(module, name)]


# The nearest base class wins. Those with a SQLSTATE are decided by it.
BY_CLASS: dict[type[BaseException], Decision] = {
    asyncpg.PostgresError: Decision(
        DatabaseError, "the server reported an error without a SQLSTATE", why="no server does that"
    ),
    asyncpg.FatalPostgresError: _SERVER_HUNG_UP,
    asyncpg.UnknownPostgresError: UNKNOWN_SQLSTATE,
    asyncpg.InterfaceError: _MISUSED,  # or _LOST_UNSENT, see `by_class`
    asyncpg.ClientConfigurationError: Decision(
        ConfigurationError, "the connection settings are unusable: check DATABASE_URL", FINAL
    ),
    asyncpg.exceptions._base.DataError: Decision(  # noqa: SLF001  # a class that asyncpg raises and does not export
        DatabaseError,
        "the driver could not encode a value for the server",
        why="arguments are checked before: a caller's own SQL",
    ),
    asyncpg.UnsupportedClientFeatureError: Decision(
        DatabaseError, "the driver cannot do this", why="only a caller's own SQL or types lead there"
    ),
    asyncpg.UnsupportedServerFeatureError: Decision(
        DatabaseError, "the server cannot do this", why="only a caller's own use of the connection leads there"
    ),
    asyncpg.InternalClientError: _DAMAGED,  # or _LOST_UNSENT, see `by_class`
    asyncpg.ProtocolError: _DAMAGED,
    asyncpg.OutdatedSchemaCacheError: CHANGED_PLAN._replace(answered=True),
    asyncpg.TargetServerAttributeNotMatched: Decision(
        DatabaseUnavailable, "no server has the wanted target_session_attrs", REFUSED_FOR_NOW
    ),
    **dict.fromkeys(
        _named(
            builtins,
            "OSError ConnectionError ConnectionResetError ConnectionAbortedError BrokenPipeError BlockingIOError"
            " InterruptedError ChildProcessError ProcessLookupError",
        ),
        _SERVER_HUNG_UP,
    ),
    TimeoutError: _TOO_SLOW,
    ConnectionRefusedError: _NO_SERVER,
    FileNotFoundError: _NO_SERVER,  # a server that is not running has no socket
    **dict.fromkeys((PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError), _NO_FILE),
    **dict.fromkeys((socket.gaierror, socket.herror), _NO_HOST),
    **dict.fromkeys(
        _named(ssl, "SSLError SSLEOFError SSLSyscallError SSLWantReadError SSLWantWriteError SSLZeroReturnError"),
        _SERVER_HUNG_UP,
    ),
    ssl.SSLCertVerificationError: _BAD_CERTIFICATE,
    asyncio.IncompleteReadError: _SERVER_HUNG_UP,
    **dict.fromkeys(
        _named(
            sqlalchemy.exc,
            "SQLAlchemyError AmbiguousColumnError AmbiguousForeignKeysError ArgumentError AwaitRequired"
            " CircularDependencyError CompileError ConstraintColumnNotFoundError DuplicateColumnError IdentifierError"
            " IllegalStateChangeError InvalidRequestError MissingGreenlet MultipleResultsFound NoDBAPILoaded"
            " NoForeignKeysError NoInspectionAvailable NoReferenceError NoReferencedColumnError NoReferencedTableError"
            " NoResultFound NoSuchColumnError NoSuchModuleError NoSuchTableError ObjectNotExecutableError"
            " PendingRollbackError ResourceClosedError UnboundExecutionError UnreflectableTableError"
            " UnsupportedCompilationError",
        ),
        _OF_SQLALCHEMY,
    ),
    **dict.fromkeys(
        _named(
            sqlalchemy.exc,
            "StatementError DBAPIError DataError DatabaseError InterfaceError InternalError NotSupportedError"
            " ProgrammingError",
        ),
        _IN_SQLALCHEMY,
    ),
    sqlalchemy.exc.IntegrityError: BY_SQLSTATE["23"],
    sqlalchemy.exc.OperationalError: _SERVER_HUNG_UP,
    sqlalchemy.exc.DisconnectionError: _SERVER_HUNG_UP,
    sqlalchemy.exc.InvalidatePoolError: _SERVER_HUNG_UP,
    sqlalchemy.exc.TimeoutError: _NO_SERVER,
}
# What the driver raises while it reads an answer. Its own code catches the same errors about arguments: see DataError.
BY_ANSWER: dict[type[BaseException], Decision] = {
    **dict.fromkeys((ValueError, ArithmeticError, LookupError), _UNREADABLE),  # UnicodeError is a ValueError
    msgspec.MsgspecError: _UNREADABLE,
    **dict.fromkeys(
        (BufferError, asyncpg.pgproto.pgproto.BufferError, AssertionError, AttributeError, struct.error, EOFError),
        _DAMAGED,
    ),
}
# By OpenSSL's own name for what the server said: https://docs.openssl.org/master/man3/SSL_alert_type_string/
_CERTIFICATE_ALERTS = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN", "SSLV3_ALERT_NO_CERTIFICATE", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED", "TLSV1_ALERT_UNKNOWN_CA",
    }
)  # fmt: skip


def by_class(exc: BaseException, *, closed: bool | None) -> Decision:
    """Return the decision for an error without a SQLSTATE; `closed` says whether its connection is, None if unknown."""
    # Seen in asyncpg 0.32 and its source: an InterfaceError always comes before anything is sent. So does an
    # InternalClientError that leaves the connection closed: the wrong state is found before the statement is written.
    if type(exc) is asyncpg.InterfaceError and closed is not False:
        return _LOST_UNSENT
    if type(exc) is asyncpg.InternalClientError and closed:
        return _LOST_UNSENT
    if isinstance(exc, TimeoutError) and exc.errno is not None:
        return _SERVER_HUNG_UP  # ETIMEDOUT: the system has given the connection up; asyncio's own has no number
    if isinstance(exc, socket.gaierror) and exc.errno == socket.EAI_AGAIN:
        return _NO_SERVER
    if isinstance(exc, ssl.SSLError) and getattr(exc, "reason", None) in _CERTIFICATE_ALERTS:
        return _OWN_CERTIFICATE
    for table in (BY_CLASS, BY_ANSWER):
        for base in type(exc).__mro__:
            if base in table:
                return table[base]
    raise TypeError(f"{type(exc).__name__} is no error of a driver")
