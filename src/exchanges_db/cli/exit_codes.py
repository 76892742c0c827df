"""What the exit code of a command says, and which is the worst of several."""

from __future__ import annotations

from collections.abc import Iterable

from exchanges_db.errors import (
    AccessDenied,
    AdoptionRefused,
    AmbiguousSymbol,
    ConfigurationError,
    Conflict,
    ConstraintViolated,
    DatabaseError,
    DownloadFailed,
    ExchangesDBError,
    ImportBusy,
    InvalidArgument,
    MigrationError,
    NotFound,
    OutcomeUnknown,
    PayloadError,
    RegistryStale,
    SnapshotNotSaved,
    SnapshotRefused,
)
from exchanges_db.symbols.report import ImportRefused

EXIT_CODES = (
    "Exit codes: 0 done; 1 the answer is no (pending migrations, failed validation, no such exchange or symbol, fees "
    "that nobody has set); 2 wrong usage, value or configuration; 3 database out of reach or its schema too old; 4 "
    "refused by the database (constraint, conflict, rights, an import that goes on); 5 outcome of a write unknown; 6 "
    "migration failed or locked; 7 a list of symbols was refused, or would be, cannot be read or could not be "
    "downloaded, tables cannot be adopted, or a snapshot cannot be read or saved; 8 the answer could not be written to "
    "stdout, but what was written to the database stays; 129 and 143 a migration, or `watch`, was stopped by SIGHUP or "
    "SIGTERM; 130 interrupted; 141 the reader of stdout has gone. Of several that fit, that of the worst: 5, 3, 6, 4, "
    "7, 2, 1, in this order."
)
# The first class that fits decides.
_EXIT_CODE: list[tuple[type[ExchangesDBError], int]] = [
    (NotFound, 1),
    (AmbiguousSymbol, 1),
    (InvalidArgument, 2),
    (ConfigurationError, 2),
    (ConstraintViolated, 4),
    (Conflict, 4),
    (AccessDenied, 4),
    (ImportBusy, 4),
    (OutcomeUnknown, 5),
    (DatabaseError, 3),
    (RegistryStale, 3),
    (MigrationError, 6),
    (AdoptionRefused, 7),
    (PayloadError, 7),
    (ImportRefused, 7),
    (DownloadFailed, 7),
    (SnapshotNotSaved, 7),
    (SnapshotRefused, 7),
]
# The worst first: what nobody knows, what concerns everything, what concerns one list, what was asked wrongly.
_WORST_FIRST = (5, 3, 6, 4, 7, 2, 1, 0)


def exit_code_of(error: ExchangesDBError) -> int:
    """Return the exit code that says what kind of error it was."""
    return next(code for kind, code in _EXIT_CODE if isinstance(error, kind))


def worst(codes: Iterable[int]) -> int:
    """Return the exit code that says most of what went wrong; 0 where nothing did."""
    return min(codes, key=_WORST_FIRST.index, default=0)
