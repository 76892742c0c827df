"""The error tree and the mapper from the drivers' errors."""

import asyncio
import inspect
import re
import ssl
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import sqlalchemy.exc

import exchanges_db
from exchanges_db import errors
from exchanges_db.database.driver_errors import CONSTRAINTS, DRIVER_ERRORS, Consequence, consequence, translate
from exchanges_db.errors import (
    AccessDenied,
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
