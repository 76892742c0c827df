"""Turns each error of a driver into one of ours, by SQLSTATE and constraint name, never by message text.

Our messages hold no values of parameters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import sqlalchemy.exc

from exchanges_db.database.class_verdicts import BY_ANSWER, by_class
from exchanges_db.database.constraint_words import CONSTRAINTS
from exchanges_db.database.verdicts import CHANGED_PLAN, NO_SERIALIZABLE, REFUSED_SETTING, Decision, by_sqlstate
from exchanges_db.database.verdicts import Consequence as Consequence
from exchanges_db.errors import (
    AccessDenied,
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


class UnreadableAnswer(Exception):
    """The driver could not read an answer; `__cause__` says why. Raised round a call of it, to be told from our own."""


# asyncpg's errors have three base classes; the fourth is made of what it lets through.
ASYNCPG_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, UnreadableAnswer)
_MAYBE_DONE = (Consequence.LOST, Consequence.DOUBTFUL)
# What SQLSTATE 0A000 means, by the function of the server that refuses; absent where a driver does not tell.
_REFUSED_BY: dict[str | None, Decision] = {
    None: CHANGED_PLAN,
    "RevalidateCachedQuery": CHANGED_PLAN,  # a plan older than its table
    "GetSerializableTransactionSnapshot": NO_SERIALIZABLE,
    "call_enum_check_hook": NO_SERIALIZABLE,  # of BEGIN ISOLATION LEVEL
}
_ENDS_SESSION = ("FATAL", "PANIC")

# A TimeoutError is an OSError.
DRIVER_ERRORS: tuple[type[BaseException], ...] = (
    *ASYNCPG_ERRORS,
    OSError,
    asyncio.IncompleteReadError,
    sqlalchemy.exc.SQLAlchemyError,
)

# What asyncpg lets through when it cannot read an answer. They are caught round a call of the driver alone, after
# DRIVER_ERRORS, and raised as UnreadableAnswer: a ValueError of our own or of a caller's is one of them too.
ANSWER_ERRORS: tuple[type[BaseException], ...] = tuple(BY_ANSWER)


@contextmanager
def answered_without_rows() -> Iterator[None]:
    """Hold a statement such as BEGIN, whose answer has no value in it: where that cannot be read, it is damaged."""
    try:
        yield
    except DRIVER_ERRORS:
        raise
    except ANSWER_ERRORS as exc:
        raise asyncpg.ProtocolError("the answer cannot be read") from exc


def translate(exc: BaseException, *, unknown_if_lost: bool = False, still_open: bool | None = None) -> ExchangesDBError:
    """Return our error for one of DRIVER_ERRORS or ANSWER_ERRORS; the caller raises it `from exc`.

    unknown_if_lost: the failed statement was COMMIT, or a write outside of a transaction, so that a connection lost
        after it was sent, a time limit, or an answer that cannot be read means OutcomeUnknown.
    still_open: whether the connection is open, asked at once when the error came; None where nobody knows.
    """
    exc = _innermost(exc)
    decision = _decide(exc, None if still_open is None else not still_open)
    sqlstate = _sqlstate(exc)
    kind, words = decision.kind, decision.words
    if unknown_if_lost and (decision.answered or decision.consequence in _MAYBE_DONE):
        kind, words = OutcomeUnknown, f"{words}, and the write may have been done: read before repeating"
    constraint: str | None = getattr(exc, "constraint_name", None)
    if kind is ConstraintViolated and constraint in CONSTRAINTS:
        field, rule = CONSTRAINTS[constraint]
        taken = sqlstate == "23505" and constraint.startswith("exchanges_")
        kind = DuplicateExchange if taken else ConstraintViolated
        return kind(f"{field} {rule}", sqlstate=sqlstate, constraint=constraint)
    words = f"{words} (SQLSTATE {sqlstate})" if sqlstate else f"{words} ({type(exc).__name__})"
    if issubclass(kind, DatabaseError):
        return kind(words, sqlstate=sqlstate, constraint=constraint)
    return kind(words)


def consequence(exc: BaseException, *, closed: bool, connecting: bool = False) -> Consequence:
    """Return what one of DRIVER_ERRORS or ANSWER_ERRORS says about the connection that it came from.

    closed: whether that connection is closed, asked at once when the error came.
    connecting: it came while a connection was being made, so that there is none yet: REFUSED_FOR_NOW or FINAL.
    """
    decision = _decide(_innermost(exc), closed)
    if not connecting or decision.consequence is Consequence.FINAL:
        return decision.consequence
    passing = issubclass(decision.kind, DatabaseUnavailable | QueryCancelled | Conflict)
    return Consequence.REFUSED_FOR_NOW if passing else Consequence.FINAL


def _innermost(exc: BaseException) -> BaseException:
    """Return the driver's error: SQLAlchemy wraps it twice, we wrap it once."""
    if isinstance(exc, UnreadableAnswer) and exc.__cause__ is not None:
        return exc.__cause__
    if isinstance(exc, sqlalchemy.exc.DBAPIError) and exc.orig is not None:
        inner = exc.orig.__cause__ or exc.orig
        return inner if isinstance(inner, DRIVER_ERRORS) or _sqlstate(inner) else exc
    return exc


def _sqlstate(exc: BaseException) -> str | None:
    """Return the SQLSTATE of the error, or of what the server said before it ended the connection."""
    if isinstance(exc, asyncpg.ConnectionDoesNotExistError) and isinstance(exc.__cause__, asyncpg.PostgresError):
        exc = exc.__cause__
    sqlstate = getattr(exc, "sqlstate", None)
    return sqlstate if isinstance(sqlstate, str) and sqlstate else None


def _decide(exc: BaseException, closed: bool | None) -> Decision:
    sqlstate = _sqlstate(exc)
    if sqlstate is None:
        return by_class(exc, closed=closed)
    decision = by_sqlstate(sqlstate)
    if isinstance(exc, asyncpg.ConnectionDoesNotExistError):
        if decision.consequence is not Consequence.UNSENT:
            decision = decision._replace(consequence=Consequence.LOST)
        # What the server said before it hung up was about the session, whatever it would mean for a statement.
        kept = issubclass(decision.kind, DatabaseUnavailable | QueryCancelled)
        return decision if kept else by_sqlstate("08003")
    if sqlstate == "0A000":
        decision = _REFUSED_BY.get(getattr(exc, "server_source_function", None), decision)
    if getattr(exc, "severity_en", None) not in _ENDS_SESSION:
        return decision
    if decision.kind in (DatabaseError, SchemaMismatch):
        return REFUSED_SETTING
    if decision.kind is AccessDenied:
        return decision._replace(consequence=Consequence.FINAL)
    return (
        decision if decision.consequence is not Consequence.NOTHING else decision._replace(consequence=Consequence.LOST)
    )
