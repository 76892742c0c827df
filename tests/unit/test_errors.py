"""The error tree and the mapper from the drivers' errors."""

import asyncio
import copy
import errno
import inspect
import pickle
import re
import socket
import ssl
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest
import sqlalchemy.exc

import exchanges_db
from exchanges_db import errors
from exchanges_db.database.class_verdicts import BY_ANSWER, BY_CLASS
from exchanges_db.database.constraint_words import CONSTRAINTS
from exchanges_db.database.driver_errors import (
    DRIVER_ERRORS,
    Consequence,
    UnreadableAnswer,
    consequence,
    translate,
)
from exchanges_db.database.rows import from_database_json
from exchanges_db.database.verdicts import BY_SQLSTATE, CHANGED_PLAN, NO_SERIALIZABLE, UNKNOWN_SQLSTATE
from exchanges_db.errors import (
    AccessDenied,
    AdoptionRefused,
    ConfigurationError,
    Conflict,
    ConstraintViolated,
    DatabaseError,
    DatabaseUnavailable,
    DuplicateExchange,
    ExchangesDBError,
    OutcomeUnknown,
    QueryCancelled,
    SchemaMismatch,
)

CANARY = "canary-5f2d"


def _subclasses(root: type[BaseException]) -> Iterator[type[BaseException]]:
    yield root
    for child in root.__subclasses__():
        yield from _subclasses(child)


def _asyncpg_classes() -> list[type[BaseException]]:
    modules = (asyncpg.exceptions, asyncpg.exceptions._base)
    found = {c for m in modules for c in vars(m).values() if isinstance(c, type) and issubclass(c, BaseException)}
    return sorted(found, key=lambda c: (c.__module__, c.__name__))


SERVER_ERRORS = [c for c in _asyncpg_classes() if issubclass(c, asyncpg.PostgresError)]
CLIENT_ERRORS = [
    *(c for c in _asyncpg_classes() if issubclass(c, asyncpg.InterfaceError | asyncpg.InternalClientError)),
    *sorted({c for c in _subclasses(OSError) if c.__module__ in ("builtins", "socket", "ssl", "asyncio.exceptions")},
            key=lambda c: c.__name__),
    asyncio.IncompleteReadError,
]  # fmt: skip


def _made(kind: type[BaseException]) -> BaseException:
    return kind(CANARY.encode(), 9) if kind is asyncio.IncompleteReadError else kind(CANARY)


def _tree(kind: type[Exception]) -> dict[str, Any]:
    return {child.__name__: _tree(child) for child in kind.__subclasses__() if child.__name__ in exchanges_db.__all__}


def test_the_drawn_tree_is_the_tree_of_classes() -> None:
    """Every class stands in the drawing, under the class it derives from."""
    drawn: dict[str, Any] = {}
    path = [drawn]
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ((?:│   |    )*)[├└]── (\w+)", line)
        if match:
            depth = len(match[1]) // 4 + 1
            path[depth:] = [path[depth - 1].setdefault(match[2], {})]
    for name in exchanges_db.__all__:
        getattr(exchanges_db, name)  # every error is defined by now, wherever it is at home
    assert drawn == _tree(ExchangesDBError)


def test_every_class_says_what_it_means() -> None:
    """The docstring is the class's own, not its parent's."""
    kinds = [c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, ExchangesDBError)]
    assert kinds
    assert all("__doc__" in vars(c) and c.__doc__ for c in kinds)


# Appendix A of PostgreSQL's manual, by class.
MANUAL = [
    "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22", "23", "24",
    "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40", "42", "44", "53", "54",
    "55", "57", "58", "72", "F0", "HV", "P0", "XX",
]  # fmt: skip
# asyncpg has classes for the server's notices too, which are logged and never raised.
RAISED = [c for c in _asyncpg_classes() if issubclass(c, Exception) and not issubclass(c, Warning)]
WITHOUT_SQLSTATE = [
    *(c for c in RAISED if not getattr(c, "sqlstate", None)),
    *(c for c in CLIENT_ERRORS if not c.__module__.startswith("asyncpg")),
    *sorted({c for c in _subclasses(sqlalchemy.exc.SQLAlchemyError) if c.__module__ == "sqlalchemy.exc"}, key=str),
]


def _every_error() -> list[BaseException]:
    return [_made(kind) if kind.__module__ != "sqlalchemy.exc" else BaseException.__new__(kind) for kind in
            (*RAISED, *WITHOUT_SQLSTATE, *BY_ANSWER)]  # fmt: skip


def test_the_lists_below_are_not_empty() -> None:
    """They are derived from the drivers, so that an import that changed would leave nothing to prove."""
    assert len(RAISED) > 250
    assert len(WITHOUT_SQLSTATE) > 60


def test_each_sqlstate_class_is_decided() -> None:
    """Of the manual and of the driver; a class that is not in the table makes this red."""
    of_driver = {state[:2] for c in _asyncpg_classes() if (state := getattr(c, "sqlstate", None))}
    assert {*MANUAL, *of_driver} == {key for key in BY_SQLSTATE if len(key) == 2}


def test_each_class_without_a_sqlstate_is_decided() -> None:
    """Not by a base class of it, but in a line of its own."""
    assert [kind for kind in WITHOUT_SQLSTATE if kind not in BY_CLASS] == []


def test_no_default_is_hit() -> None:
    """What stands for an unknown SQLSTATE is reached by no class that the driver knows."""
    for exc in _every_error():
        for closed in (False, True):
            assert consequence(exc, closed=closed) in Consequence
        if not isinstance(exc, asyncpg.UnknownPostgresError):
            assert UNKNOWN_SQLSTATE.words not in str(translate(exc))
    with pytest.raises(TypeError, match="no error of a driver"):
        consequence(KeyboardInterrupt(), closed=False)


def test_plain_database_error_has_a_reason() -> None:
    """It tells a caller nothing, so each use of it is a decision that is written down; others need no reason."""
    decisions = [
        *BY_SQLSTATE.values(),
        *BY_CLASS.values(),
        *BY_ANSWER.values(),
        CHANGED_PLAN,
        NO_SERIALIZABLE,
        UNKNOWN_SQLSTATE,
    ]
    assert [d for d in decisions if (d.kind is DatabaseError) != bool(d.why)] == []


def test_without_a_connection_there_is_only_later_or_never() -> None:
    """While connecting, nothing can be replaced, pinged or repeated elsewhere."""
    found = {consequence(exc, closed=closed, connecting=True) for exc in _every_error() for closed in (False, True)}
    assert found == {Consequence.REFUSED_FOR_NOW, Consequence.FINAL}


def test_a_lost_connection_is_never_called_fine() -> None:
    """What says that the server hung up, or that nobody knows, is no NOTHING; and a refused row is nothing else."""
    for exc in _every_error():
        told = consequence(exc, closed=False)
        if type(translate(exc)) is ConstraintViolated:
            assert told is Consequence.NOTHING
        if isinstance(translate(exc, unknown_if_lost=True, still_open=True), OutcomeUnknown):
            assert told not in (Consequence.UNSENT, Consequence.REFUSED_FOR_NOW, Consequence.READ_ONLY)


def _server(sqlstate: str, **fields: str) -> asyncpg.PostgresError:
    names = {"severity": "V", "function": "R"}
    return asyncpg.PostgresError.new(
        {"S": "ERROR", "C": sqlstate, "M": CANARY, **{names[name]: text for name, text in fields.items()}}
    )


def _hung_up(cause: BaseException | None) -> asyncpg.ConnectionDoesNotExistError:
    """Return what asyncpg raises when the connection is lost after sending; the server's last word is its cause."""
    exc = asyncpg.ConnectionDoesNotExistError(CANARY)
    exc.__cause__ = cause
    return exc


def _tls(reason: str) -> ssl.SSLError:
    exc = ssl.SSLError(1, CANARY)
    exc.reason = reason
    return exc


def _unreadable(cause: Exception) -> UnreadableAnswer:
    exc = UnreadableAnswer()
    exc.__cause__ = cause
    return exc


@pytest.mark.parametrize(
    ("exc", "closed", "kind", "written", "told"),
    [
        # An idle session that was ended: before the end was seen, while it was seen, and after.
        (asyncpg.InternalClientError("cannot switch"), True, DatabaseUnavailable, DatabaseUnavailable, "unsent"),
        (asyncpg.InterfaceError("connection is closed"), True, DatabaseUnavailable, DatabaseUnavailable, "unsent"),
        (_hung_up(_server("57P05", severity="FATAL")), True, DatabaseUnavailable, DatabaseUnavailable, "unsent"),
        (_hung_up(_server("25P03", severity="FATAL")), True, DatabaseUnavailable, DatabaseUnavailable, "unsent"),
        (_hung_up(_server("57P01", severity="FATAL")), True, DatabaseUnavailable, OutcomeUnknown, "lost"),
        (_hung_up(_server("25P04", severity="FATAL")), True, QueryCancelled, OutcomeUnknown, "lost"),
        (_hung_up(_server("53200", severity="FATAL")), True, DatabaseUnavailable, OutcomeUnknown, "lost"),
        (_hung_up(_server("57P03", severity="FATAL")), True, DatabaseUnavailable, OutcomeUnknown, "lost"),
        (_hung_up(_server("42501", severity="FATAL")), True, DatabaseUnavailable, OutcomeUnknown, "lost"),
        (_hung_up(BrokenPipeError()), True, DatabaseUnavailable, OutcomeUnknown, "lost"),
        (_hung_up(None), True, DatabaseUnavailable, OutcomeUnknown, "lost"),
        # Time limits: the client's, and the system's, which has given the connection up.
        (TimeoutError(), False, QueryCancelled, OutcomeUnknown, "doubtful"),
        (TimeoutError(errno.ETIMEDOUT, CANARY), True, DatabaseUnavailable, OutcomeUnknown, "lost"),
        (_server("57014"), False, QueryCancelled, QueryCancelled, "nothing"),
        # A damaged stream.
        (asyncpg.ProtocolError(CANARY), False, DatabaseUnavailable, OutcomeUnknown, "lost"),
        (asyncpg.InternalClientError(CANARY), False, DatabaseUnavailable, OutcomeUnknown, "lost"),
        (_unreadable(struct.error(CANARY)), False, DatabaseUnavailable, OutcomeUnknown, "lost"),
        (_unreadable(BufferError(CANARY)), False, DatabaseUnavailable, OutcomeUnknown, "lost"),
        (_unreadable(AssertionError(CANARY)), False, DatabaseUnavailable, OutcomeUnknown, "lost"),
        # Stored data.
        (_unreadable(ValueError(CANARY)), False, SchemaMismatch, OutcomeUnknown, "nothing"),
        (_unreadable(OverflowError(CANARY)), False, SchemaMismatch, OutcomeUnknown, "nothing"),
        (_unreadable(UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY)), False, SchemaMismatch, OutcomeUnknown,
         "nothing"),
        (msgspec.ValidationError(CANARY), False, SchemaMismatch, OutcomeUnknown, "nothing"),
        (msgspec.DecodeError(CANARY), False, SchemaMismatch, OutcomeUnknown, "nothing"),
        # A schema that has changed.
        (_server("0A000", function="RevalidateCachedQuery"), False, Conflict, Conflict, "stale_schema"),
        (_server("0A000"), False, Conflict, Conflict, "stale_schema"),
        (_server("0A000", function="standard_ProcessUtility"), False, DatabaseError, DatabaseError, "nothing"),
        (_server("XX000"), False, DatabaseError, DatabaseError, "stale_schema"),
        (asyncpg.OutdatedSchemaCacheError(CANARY), False, Conflict, OutcomeUnknown, "stale_schema"),
        # A standby, and servers that are full, starting, or gone.
        (_server("25006"), False, DatabaseUnavailable, DatabaseUnavailable, "read_only"),
        (_server("53300"), True, DatabaseUnavailable, DatabaseUnavailable, "refused_for_now"),
        (_server("57P03"), True, DatabaseUnavailable, DatabaseUnavailable, "refused_for_now"),
        (ConnectionRefusedError(), True, DatabaseUnavailable, DatabaseUnavailable, "refused_for_now"),
        (socket.gaierror(socket.EAI_AGAIN, CANARY), True, DatabaseUnavailable, DatabaseUnavailable, "refused_for_now"),
        # What no trying again mends.
        (socket.gaierror(socket.EAI_NONAME, CANARY), True, DatabaseUnavailable, DatabaseUnavailable, "final"),
        (ssl.SSLCertVerificationError(CANARY), True, ConfigurationError, ConfigurationError, "final"),
        (_tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), True, ConfigurationError, ConfigurationError, "final"),
        (_tls("WRONG_VERSION_NUMBER"), True, DatabaseUnavailable, OutcomeUnknown, "lost"),
        (_server("28P01", severity="FATAL"), True, AccessDenied, AccessDenied, "final"),
        (_server("42501", severity="FATAL"), True, AccessDenied, AccessDenied, "final"),
        (_server("42704", severity="FATAL"), True, ConfigurationError, ConfigurationError, "final"),
        (_server("3D000", severity="FATAL"), True, DatabaseUnavailable, DatabaseUnavailable, "final"),
        # And a connection that is fine.
        (asyncpg.InterfaceError("another operation"), False, DatabaseError, DatabaseError, "nothing"),
        (_server("42501"), False, AccessDenied, AccessDenied, "nothing"),
        (_server("23505"), False, ConstraintViolated, ConstraintViolated, "nothing"),
        (_server("40001"), False, Conflict, Conflict, "nothing"),
        # The server itself is ending, whatever it says why.
        (_server("53200", severity="PANIC"), True, DatabaseUnavailable, OutcomeUnknown, "lost"),
    ],
)  # fmt: skip
def test_an_error_says_what_it_means_for_its_connection(
    exc: BaseException, closed: bool, kind: type[ExchangesDBError], written: type[ExchangesDBError], told: str
) -> None:
    """`kind` in a transaction or for a read, `written` for a write that commits by itself."""
    assert consequence(exc, closed=closed) is Consequence(told.upper())
    for unknown, expected in ((False, kind), (True, written)):
        error = translate(exc, unknown_if_lost=unknown, still_open=not closed)
        assert type(error) is expected
        assert CANARY not in f"{error!r}{error}"


@pytest.mark.parametrize("document", ["{", '["a"]', '{"a": "\ud800"}', "[" * 5000], ids=range(4))
def test_a_stored_document_that_cannot_be_read_is_a_schema_mismatch(document: str) -> None:
    """Whether it is no JSON, another type, no Unicode, or nested too deeply."""
    with pytest.raises(SchemaMismatch, match="the database holds a row that this version cannot read"):
        from_database_json(document, msgspec.json.Decoder(dict[str, Any]))


def test_the_last_word_of_the_server_is_kept() -> None:
    """Asyncpg's own error has the SQLSTATE of a lost connection, and says nothing of a restart."""
    error = translate(_hung_up(_server("57P01", severity="FATAL")))
    assert isinstance(error, DatabaseUnavailable)
    assert error.sqlstate == "57P01"


def test_advice_fits_its_error() -> None:
    """A certificate is named as one, and a write in doubt is to be read first."""
    assert "sslrootcert" in str(translate(ssl.SSLCertVerificationError(CANARY)))
    assert "sslcert" in str(translate(_tls("SSLV3_ALERT_CERTIFICATE_EXPIRED")))
    assert "read before repeating" in str(translate(TimeoutError(), unknown_if_lost=True))


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("kind", SERVER_ERRORS)
def test_every_server_error_of_asyncpg_becomes_ours(kind: type[BaseException], unknown: bool) -> None:
    """Its SQLSTATE is kept, its text is not repeated."""
    error = translate(_made(kind), unknown_if_lost=unknown)
    assert isinstance(error, DatabaseError)
    assert CANARY not in f"{error!r}{error}"
    assert error.sqlstate == getattr(kind, "sqlstate", None)


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("kind", CLIENT_ERRORS)
def test_every_client_error_becomes_ours(kind: type[BaseException], unknown: bool) -> None:
    """Sockets, time limits and the driver's own troubles too; none of their text is repeated."""
    error = translate(_made(kind), unknown_if_lost=unknown)
    assert isinstance(error, DatabaseError | ConfigurationError)
    assert CANARY not in f"{error!r}{error}"


def test_asyncpg_has_no_root_that_is_not_mapped() -> None:
    """A new kind of error in asyncpg makes this fail before it reaches a user."""
    roots = {c for c in _asyncpg_classes() if not issubclass(c, DRIVER_ERRORS)}
    messages = {asyncpg.exceptions._base.PostgresMessage, asyncpg.PostgresLogMessage}
    warnings = {c for c in roots if issubclass(c, Warning)}
    mixins = {c for c in roots if c.__name__ in ("ErrorMeta", "InterfaceMessage", "PostgresMessageMeta")}
    assert roots - messages - warnings - mixins == set()


def test_cancellation_is_no_driver_error() -> None:
    """Nor are the errors that mean: end the program."""
    for kind in (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        assert not issubclass(kind, DRIVER_ERRORS)


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("08006", DatabaseUnavailable), ("22001", DatabaseError), ("23502", ConstraintViolated),
        ("25006", DatabaseUnavailable), ("25P01", DatabaseError), ("25P02", DatabaseError),
        ("25P03", DatabaseUnavailable),
        ("25P04", QueryCancelled), ("26000", DatabaseError), ("28P01", AccessDenied), ("28000", AccessDenied),
        ("3D000", DatabaseUnavailable), ("3F000", SchemaMismatch), ("40001", Conflict), ("40P01", Conflict),
        ("42501", AccessDenied), ("42703", SchemaMismatch), ("42883", SchemaMismatch), ("42P01", SchemaMismatch),
        ("53300", DatabaseUnavailable), ("55P03", Conflict), ("57014", QueryCancelled), ("57P01", DatabaseUnavailable),
        ("XX000", DatabaseError), ("ZZZZZ", DatabaseError),
    ],
)  # fmt: skip
def test_the_sqlstate_decides(sqlstate: str, kind: type[DatabaseError]) -> None:
    """The longest prefix known wins, and the message names the state."""
    error = translate(asyncpg.PostgresError.new({"S": "ERROR", "C": sqlstate, "M": CANARY}))
    assert type(error) is kind
    assert error.sqlstate == sqlstate
    assert sqlstate in str(error)


@pytest.mark.parametrize(("sqlstate", "kind"), [("23505", DuplicateExchange), ("23514", ConstraintViolated)])
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_a_constraint_of_ours_names_its_field(constraint: str, sqlstate: str, kind: type[DatabaseError]) -> None:
    """The message is the rule, not the server's sentence, and holds no key from DETAIL."""
    fields = {"S": "ERROR", "C": sqlstate, "M": CANARY, "D": f"Key (name)=({CANARY})", "n": constraint}
    error = translate(asyncpg.PostgresError.new(fields))
    of_exchanges = constraint.startswith("exchanges_")
    assert type(error) is (kind if of_exchanges else ConstraintViolated)
    assert error.constraint == constraint
    assert str(error) == " ".join(CONSTRAINTS[constraint])


def test_a_constraint_of_somebody_else_is_kept_by_name() -> None:
    """A user's own constraint is a ConstraintViolated that says which."""
    error = translate(asyncpg.PostgresError.new({"S": "ERROR", "C": "23503", "M": "m", "n": "orders_fkey"}))
    assert isinstance(error, ConstraintViolated)
    assert error.constraint == "orders_fkey"


@pytest.mark.parametrize(
    "lost",
    [
        ConnectionResetError(), BrokenPipeError(), TimeoutError(), ssl.SSLError(),
        asyncio.IncompleteReadError(b"", 1), asyncpg.ConnectionDoesNotExistError(), asyncpg.AdminShutdownError(),
    ],
)  # fmt: skip
def test_a_lost_write_is_unknown_and_a_lost_read_is_not(lost: BaseException) -> None:
    """Only for a write that commits by itself does losing the answer mean not knowing."""
    assert isinstance(translate(lost, unknown_if_lost=True), OutcomeUnknown)
    expected = QueryCancelled if isinstance(lost, TimeoutError) else DatabaseUnavailable
    assert type(translate(lost)) is expected


@pytest.mark.parametrize("lost", [asyncpg.InterfaceError("closed"), asyncpg.InternalClientError("not connected")])
def test_a_write_that_was_never_sent_is_not_unknown(lost: Exception) -> None:
    """A connection known to be dead before anything is sent, COMMIT too, leaves no doubt."""
    assert type(translate(lost, unknown_if_lost=True, still_open=False)) is DatabaseUnavailable
    assert consequence(lost, closed=True) is Consequence.UNSENT


@pytest.mark.parametrize("unknown", [False, True])
def test_what_the_driver_refused_was_never_sent(unknown: bool) -> None:
    """A value it cannot encode is no lost connection, whichever of its two classes says so."""
    for kind in (asyncpg.DataError, asyncpg.exceptions._base.DataError):
        assert type(translate(kind(CANARY), unknown_if_lost=unknown)) is DatabaseError
    assert type(translate(asyncpg.ClientConfigurationError(CANARY), unknown_if_lost=unknown)) is ConfigurationError


def test_no_server_with_the_wanted_attribute_is_unavailable() -> None:
    """It is an InternalClientError to asyncpg."""
    error = translate(asyncpg.TargetServerAttributeNotMatched("none"))
    assert type(error) is DatabaseUnavailable
    assert "target_session_attrs" in str(error)


def test_a_server_error_without_sqlstate_is_a_database_error() -> None:
    """Nothing is guessed from its text."""
    assert type(translate(asyncpg.PostgresError("duplicate key"))) is DatabaseError


def test_sqlalchemy_wraps_twice_and_is_unwrapped() -> None:
    """DBAPIError > the dialect's error > asyncpg's error: the last one decides."""
    driver = asyncpg.PostgresError.new({"S": "ERROR", "C": "23505", "M": "m", "n": "exchanges_name_key"})
    dialect = RuntimeError("dialect")
    dialect.__cause__ = driver
    error = translate(sqlalchemy.exc.DBAPIError("INSERT", {"p1": CANARY}, dialect))
    assert isinstance(error, DuplicateExchange)
    assert CANARY not in str(error)
    other = RuntimeError("another driver")
    other.sqlstate = "40001"  # type: ignore[attr-defined]
    assert type(translate(sqlalchemy.exc.DBAPIError("INSERT", {}, other))) is Conflict
    assert type(translate(sqlalchemy.exc.OperationalError("INSERT", {}, RuntimeError()))) is DatabaseUnavailable
    direct = translate(sqlalchemy.exc.DBAPIError("INSERT", {}, ConnectionResetError()))
    assert type(direct) is DatabaseUnavailable


@pytest.mark.parametrize("kind", sorted(set(_subclasses(sqlalchemy.exc.SQLAlchemyError)), key=str))
def test_every_error_of_sqlalchemy_is_ours_too(kind: type[BaseException]) -> None:
    """A closed AsyncConnection raises errors of SQLAlchemy's own."""
    error = translate(BaseException.__new__(kind))
    assert isinstance(error, DatabaseError)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "'x'"), ("x" * 65, f"'{'x' * 64}'..."), ("\ud800", r"'\ud800'"), (None, "None"), (7, "7"),
        (10**5000, "a value of type int"), (errors, "a value of type module"),
        (ssl.TLSVersion.TLSv1_2, "TLSVersion.TLSv1_2"),
    ],
    ids=range(8),
)  # fmt: skip
def test_a_value_is_shown_in_few_words(value: object, text: str) -> None:
    """Whatever it is, showing it is never an error of its own."""
    assert errors.shown(value) == text


def _exported() -> list[type[ExchangesDBError]]:
    found = [getattr(exchanges_db, name) for name in exchanges_db.__all__]
    return [one for one in found if isinstance(one, type) and issubclass(one, ExchangesDBError)]


# What those classes are made of that need more than a message.
_MADE_OF: dict[str, dict[str, Any]] = {
    "AmbiguousSymbol": {"candidates": ("BTC_USDT", "BTC_USDC")},
    "HistoryPruned": {"before": datetime(2026, 1, 1, tzinfo=UTC)},
    "DownloadFailed": {"status": 503, "attempts": 3, "retry_after": 1.5},
    "InvalidSymbol": {"field": "price_tick"},
    "ConstraintViolated": {"sqlstate": "23514", "constraint": "symbols_kind_known"},
    "ImportRefused": {"report": None},
    "SnapshotNotSaved": {"path": "registry.snapshot"},
    "SnapshotRefused": {"path": "registry.snapshot"},
}


@pytest.mark.parametrize("kind", _exported(), ids=lambda kind: kind.__name__)
def test_an_error_comes_out_of_another_process_as_it_was(kind: type[ExchangesDBError]) -> None:
    """A process pool pickles it; where that cannot be undone, the pool breaks or waits for ever."""
    error = kind(["one", "two"]) if kind is AdoptionRefused else kind("words", **_MADE_OF.get(kind.__name__, {}))
    error.listing = "SPOT"
    for found in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(found), str(found), vars(found)) == (kind, str(error), vars(error))
