"""Every error that leaves this package.

    ExchangesDBError
    ├── ConfigurationError             DATABASE_URL, the environment or a setting is unusable
    ├── InvalidArgument                also a ValueError; .field names the wrong argument or field, if it is one
    │   ├── InvalidExchange            a value that no exchange can have
    │   ├── InvalidSymbol              a value that no symbol can have, or that no look-up of symbols takes
    │   └── InvalidOrder               a price or quantity that order rules cannot be applied to
    ├── NotFound                       also a LookupError
    │   ├── ExchangeNotFound
    │   ├── SymbolNotFound
    │   ├── HistoryPruned              .before; what was at that time was deleted on purpose, and is not known any more
    │   └── FeesUnknown                nobody has said what an account pays, and none may be guessed
    ├── AmbiguousSymbol                also a LookupError; .candidates; several symbols fit, and none is chosen
    ├── PayloadError                   also a ValueError; an exchange's answer that is not a list of symbols
    ├── ImportRefused                  .report; an import that a brake has stopped (defined in symbols/report.py)
    ├── AdoptionRefused                .problems; tables of another database that cannot be taken over as they are
    ├── DownloadFailed                 .status, .attempts, .retry_after; an exchange gave no usable answer
    ├── MigrationError                 dbmate failed, or the files and the database disagree
    │   └── MigrationLocked            another process is migrating, or a table was in use
    ├── RegistryStale                  .lag; what a registry holds was not proven to be fresh for too long
    ├── SnapshotNotSaved               .path; a file could not be written, and an older one of its name is as it was
    ├── SnapshotRefused                .path; a file that no registry can be started from
    └── DatabaseError                  .sqlstate, .constraint; __cause__ is the driver's error
        ├── AccessDenied               wrong password or missing rights
        ├── Conflict                   another transaction was faster, a deadlock, or a table was changed: read, retry
        ├── ConstraintViolated
        │   └── DuplicateExchange
        ├── DatabaseUnavailable        no connection; nothing was written
        │   └── PoolTimeout            every connection was in use until the deadline
        ├── ImportBusy                 another import of that exchange was still running
        ├── OutcomeUnknown             a write was sent and no answer came that can be read: read before you repeat it
        ├── QueryCancelled             time limit or cancellation; nothing was written
        └── SchemaMismatch             a table or column is missing: migrate; or a stored value that cannot be read

The drivers' errors become these in one place, database/driver_errors.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


class ExchangesDBError(Exception):
    """Base of all errors of exchanges_db.

    Where `sync_symbols` raises it, `listing` is the list that failed, `outcomes` are the ListOutcomes of all lists that
    were asked for, those imported all the same too, and `others` the errors of further lists that failed.
    """

    listing: str | None = None
    outcomes: tuple[Any, ...] = ()
    others: tuple[ExchangesDBError, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        # Python's own calls the class with the message alone, which not every class here can be made of: a process
        # pool that is sent such an error breaks, or waits for ever.
        return _remade, (type(self), self.args), self.__dict__


class ConfigurationError(ExchangesDBError):
    """The environment or an argument is unusable; nothing was sent to a server."""


class InvalidArgument(ExchangesDBError, ValueError):
    """An argument has an impossible value; nothing was sent to a server. `field` names it, if it is a single one."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class InvalidExchange(InvalidArgument):
    """A value that no exchange can have."""


class InvalidSymbol(InvalidArgument):
    """A value that no symbol can have, or that no look-up of symbols takes."""


class InvalidOrder(InvalidArgument):
    """A price, quantity, side or limit that order rules cannot be applied to."""


class NotFound(ExchangesDBError, LookupError):
    """There is nothing with that name or id."""


class ExchangeNotFound(NotFound):
    """There is no such exchange."""


class SymbolNotFound(NotFound):
    """There is no such symbol."""


class FeesUnknown(NotFound):
    """Nobody has set what the account pays, and there is no default of the exchange's list, or it may not be used."""


class HistoryPruned(NotFound):
    """What was at that time is not known any more: the history was pruned up to `before`, which is later."""

    def __init__(self, message: str, *, before: datetime) -> None:
        super().__init__(message)
        self.before = before


class AmbiguousSymbol(ExchangesDBError, LookupError):
    """Several symbols fit what was asked for, and none is chosen; `candidates` are their names.

    These are the exchange's own; where a name in another case fits several canonical names, they are those.
    """

    def __init__(self, message: str, *, candidates: tuple[str, ...]) -> None:
        super().__init__(message)
        self.candidates = candidates


class PayloadError(ExchangesDBError, ValueError):
    """An exchange's answer cannot be read as a list of symbols; nothing was written."""


class AdoptionRefused(ExchangesDBError):
    """Tables of another schema cannot be taken over, and nothing was written; `problems` has all that is in the way."""

    def __init__(self, problems: Sequence[str]) -> None:
        more = len(problems) - _MOST_PROBLEMS
        rest = f"; and {more} more" if more > 0 else ""
        super().__init__("nothing was adopted: " + "; ".join(problems[:_MOST_PROBLEMS]) + rest)
        self.problems = tuple(problems)


class DownloadFailed(ExchangesDBError):
    """An exchange gave no answer that can be used: `status` of the last one, if there was one, after `attempts`.

    `retry_after`: the seconds for which it asks to be left alone; None where it does not.
    """

    def __init__(
        self, message: str, *, status: int | None = None, attempts: int = 1, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.attempts = attempts
        self.retry_after = retry_after


class MigrationError(ExchangesDBError):
    """The migrations could not be applied or do not fit the database."""


class MigrationLocked(MigrationError):
    """Another process is migrating, or a table that a migration needs was in use, until the time limit."""


class RegistryStale(ExchangesDBError):
    """What a registry holds is older than was allowed, or it holds nothing yet.

    lag: that of the registry, in seconds, when its look-ups began to raise this; None where nothing was ever proven.
    """

    def __init__(self, message: str, *, lag: float | None = None) -> None:
        super().__init__(message)
        self.lag = lag


class SnapshotNotSaved(ExchangesDBError):
    """A snapshot could not be written to the file `path`; what was there before is there still."""

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path


class SnapshotRefused(ExchangesDBError):
    """The file `path` is not there, is damaged, is no snapshot, or is one of another version: nothing of it is used."""

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path


class DatabaseError(ExchangesDBError):
    """The server or the connection to it failed; `sqlstate` and `constraint` as it reported them."""

    def __init__(self, message: str, *, sqlstate: str | None = None, constraint: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.constraint = constraint


class AccessDenied(DatabaseError):
    """The server refused the login, or the statement because the role lacks the right to it."""


class Conflict(DatabaseError):
    """Another transaction was faster; nothing was written. Read again, then retry."""


class ConstraintViolated(DatabaseError):
    """The database refused a row; nothing was written."""


class DuplicateExchange(ConstraintViolated):
    """There is already an exchange with this name or enum_value."""


class DatabaseUnavailable(DatabaseError):
    """No usable connection; nothing was written."""


class PoolTimeout(DatabaseUnavailable):
    """No connection of the pool became free in time."""


class ImportBusy(DatabaseError):
    """Another import of the exchange was still running when the time to wait for it was over; nothing was written."""


class OutcomeUnknown(DatabaseError):
    """A write was sent but its answer never came, or cannot be read: it may have happened. Read before repeating it."""


class QueryCancelled(DatabaseError):
    """A statement took longer than its time limit, or was cancelled; nothing was written."""


class SchemaMismatch(DatabaseError):
    """The database's schema is not the one this version needs, or holds a value that this version cannot read."""


def _remade(kind: type[ExchangesDBError], args: tuple[Any, ...]) -> ExchangesDBError:
    return kind.__new__(kind, *args)


def shown(value: object) -> str:
    """Return `value` as text for a message: short and printable, without ever raising an error, whatever it is."""
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, str):
        return repr(value) if len(value) <= _SHOWN_LENGTH else f"{value[:_SHOWN_LENGTH]!r}..."
    if value is None or (type(value) is int and value.bit_length() <= _SHOWN_LENGTH):
        return str(value)
    return f"a value of type {type(value).__name__}"


_SHOWN_LENGTH = 64
_MOST_PROBLEMS = 10
