"""What each SQLSTATE means: which error of ours it is, and what it says about the connection that it came from.

Plain DatabaseError is a decision too, and has its reason in the column `why`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from exchanges_db.errors import (
    AccessDenied,
    ConfigurationError,
    Conflict,
    ConstraintViolated,
    DatabaseError,
    DatabaseUnavailable,
    ExchangesDBError,
    QueryCancelled,
    SchemaMismatch,
)


class Consequence(StrEnum):
    """What an error says about the connection, and so what its pool does next."""

    NOTHING = "NOTHING"  # the connection is fine: the error is about the statement
    UNSENT = "UNSENT"  # lost before anything of this statement was sent: repeat it elsewhere, a write too
    LOST = "LOST"  # gone, or to be ended, and a write may have been done; what was idle since before is gone as well
    DOUBTFUL = "DOUBTFUL"  # a time limit of the client: end it, and ping the other idle ones before their next use
    READ_ONLY = "READ_ONLY"  # it leads to a server that takes no writes: replace all; nothing was written
    STALE_SCHEMA = "STALE_SCHEMA"  # it remembers tables or types that are no more: reload, and replace all
    REFUSED_FOR_NOW = "REFUSED_FOR_NOW"  # no connection at this moment: wait for a kept one, or try again
    FINAL = "FINAL"  # a login, a setting or a certificate is refused: trying again changes nothing


NOTHING, UNSENT, LOST, DOUBTFUL, READ_ONLY, STALE_SCHEMA, REFUSED_FOR_NOW, FINAL = Consequence


class Decision(NamedTuple):
    """One row of the tables: an error of ours, its words, and what it says about the connection.

    why: the reason, where it is plain DatabaseError.
    answered: the statement was done, and only its answer cannot be read.
    """

    kind: type[ExchangesDBError]
    words: str
    consequence: Consequence = NOTHING
    why: str = ""
    answered: bool = False


_OURS = "generated statements never do this, so it comes from a caller's own SQL, and no error of ours says more"
_DDL = "only statements that change the schema raise it, and those are migrations or a caller's own"
_ROUTINE = "only functions and procedures of a caller's own raise it"
_VALUE = "arguments are checked before they are sent, so this is a caller's own SQL"
_SERVER = "the server itself is broken or damaged, and neither repeating nor migrating helps"

# The longest prefix wins: 5, 3 or 2 characters. https://www.postgresql.org/docs/current/errcodes-appendix.html
BY_SQLSTATE: dict[str, Decision] = {
    "00": Decision(DatabaseError, "the server called a success an error", why="no server does that"),
    "01": Decision(DatabaseError, "the server called a warning an error", why="a function of a caller's own does that"),
    "02": Decision(DatabaseError, "the statement found no data", why=_ROUTINE),
    "03": Decision(DatabaseError, "a statement is not complete yet", why=_OURS),
    "08": Decision(DatabaseUnavailable, "the connection to the server failed", LOST),
    "08001": Decision(DatabaseUnavailable, "no connection to the server could be made", REFUSED_FOR_NOW),
    "08004": Decision(DatabaseUnavailable, "the server took no connection", REFUSED_FOR_NOW),
    "09": Decision(DatabaseError, "a trigger failed", why=_ROUTINE),
    "0A": Decision(DatabaseError, "the server lacks a feature", why="repeating and migrating do not help"),
    "0B": Decision(DatabaseError, "a transaction cannot begin here", why=_OURS),
    "0F": Decision(DatabaseError, "a locator is not valid", why=_OURS),
    "0L": Decision(DatabaseError, "a grantor is not valid", why=_DDL),
    "0P": Decision(DatabaseError, "a role is not valid", why=_DDL),
    "0Z": Decision(DatabaseError, "diagnostics were read where there are none", why=_ROUTINE),
    "10": Decision(DatabaseError, "an XQuery failed", why=_OURS),
    "20": Decision(DatabaseError, "a CASE fits nothing", why=_ROUTINE),
    "21": Decision(DatabaseError, "a query gave more rows than fit", why=_OURS),
    "22": Decision(DatabaseError, "the server could not use a value", why=_VALUE),
    "23": Decision(ConstraintViolated, "the database refused the row"),
    "24": Decision(DatabaseError, "a cursor is in the wrong state", why=_OURS),
    "25": Decision(DatabaseError, "the transaction is in the wrong state for this", why=_OURS),
    "25006": Decision(DatabaseUnavailable, "the server is read-only: connect to the primary", READ_ONLY),
    "25P01": Decision(
        DatabaseError, "this needs a transaction: pass a connection that has begun one", why="its words are the advice"
    ),
    "25P02": Decision(
        DatabaseError,
        "an earlier statement of this transaction failed, so nothing of it stays: begin another",
        why="the earlier error was of the right class, and this one only follows",
    ),
    # Only an idle session is ended with 25P03 and 57P05: what was sent at that moment was not run, be it COMMIT.
    "25P03": Decision(DatabaseUnavailable, "the server ended an idle transaction: nothing of it stays", UNSENT),
    "25P04": Decision(QueryCancelled, "the transaction took longer than the server allows", LOST),
    "26": Decision(
        DatabaseError,
        "the pooler lost a prepared statement: set EXCHANGES_DB_POOLER=transaction",
        STALE_SCHEMA,  # or a caller's own DEALLOCATE: every later use of that connection would fail
        why="its words are the advice: behind a pooler, repeating fails in the same way",
    ),
    "27": Decision(DatabaseError, "a trigger changed the row that is being changed", why=_ROUTINE),
    "28": Decision(AccessDenied, "the server refused the login: check user, password and pg_hba.conf", FINAL),
    "2B": Decision(DatabaseError, "other objects depend on this", why=_DDL),
    "2D": Decision(DatabaseError, "a transaction cannot end here", why=_ROUTINE),
    "2F": Decision(DatabaseError, "a function failed", why=_ROUTINE),
    "34": Decision(DatabaseError, "there is no such cursor", why=_OURS),
    "38": Decision(DatabaseError, "a function outside of SQL failed", why=_ROUTINE),
    "39": Decision(DatabaseError, "a function outside of SQL could not be called", why=_ROUTINE),
    "3B": Decision(DatabaseError, "there is no such savepoint", why=_OURS),
    "3D": Decision(DatabaseUnavailable, "the database does not exist: create it, or check DATABASE_URL", FINAL),
    "3F": Decision(SchemaMismatch, "a schema is missing: run `exchanges-db migrate`"),
    "40": Decision(Conflict, "another transaction was in the way: retry"),
    "40003": Decision(DatabaseUnavailable, "the server does not know whether the statement was done", LOST),
    "42": Decision(DatabaseError, "the server does not accept the statement", why=_OURS),
    "42501": Decision(AccessDenied, "the database role lacks the right to do this"),
    "42703": Decision(SchemaMismatch, "a column is missing: run `exchanges-db migrate`"),
    "42704": Decision(SchemaMismatch, "a type or another object is missing: run `exchanges-db migrate`"),
    "42804": Decision(SchemaMismatch, "a column has another type: run `exchanges-db migrate`"),
    "42883": Decision(SchemaMismatch, "a function is missing: run `exchanges-db migrate`"),
    "42P01": Decision(SchemaMismatch, "a table is missing: run `exchanges-db migrate`"),
    "42P05": Decision(
        DatabaseError,
        "the pooler mixed up prepared statements: set EXCHANGES_DB_POOLER=transaction",
        why="its words are the advice: repeating fails in the same way",
    ),
    "42P10": Decision(SchemaMismatch, "a unique index is missing: run `exchanges-db migrate`"),
    "44": Decision(ConstraintViolated, "a view refused the row"),
    "53": Decision(DatabaseUnavailable, "the server has no resources left"),
    "53300": Decision(DatabaseUnavailable, "the server has no connection left", REFUSED_FOR_NOW),
    "54": Decision(DatabaseError, "the statement is larger than the server allows", why=_VALUE),
    "55": Decision(DatabaseError, "an object is not in the state that this needs", why=_DDL),
    "55000": Decision(DatabaseUnavailable, "the server or the database is not ready for this"),
    "55006": Decision(Conflict, "an object is in use: retry"),
    "55P03": Decision(Conflict, "a lock was not free in time: retry"),
    "57": Decision(DatabaseUnavailable, "the server is shutting down or starting up", LOST),
    "57014": Decision(QueryCancelled, "the statement took too long or was cancelled"),
    "57P03": Decision(DatabaseUnavailable, "the server is starting up or shutting down", REFUSED_FOR_NOW),
    "57P04": Decision(DatabaseUnavailable, "the database was dropped: check DATABASE_URL", FINAL),
    "57P05": Decision(DatabaseUnavailable, "the server ended an idle session", UNSENT),
    "58": Decision(DatabaseUnavailable, "the server's disk or operating system failed"),
    "72": Decision(Conflict, "the snapshot is too old: read again"),
    "F0": Decision(DatabaseUnavailable, "the server's configuration is broken"),
    "HV": Decision(DatabaseError, "a foreign table failed", why="the schema has none"),
    "P0": Decision(DatabaseError, "a function of the database refused this", why=_ROUTINE),
    "XX": Decision(DatabaseError, "the server's data is damaged: ask for its log", why=_SERVER),
    # As for each type that was dropped and made again while a connection remembers its number.
    "XX000": Decision(
        DatabaseError,
        "the server met an internal error, as after a change of types: the connections are replaced",
        STALE_SCHEMA,
        "on new connections it is gone, or the server is broken",
    ),
}
# A plan that was made before a table changed: asyncpg gives it a class of its own, and the server names its function.
CHANGED_PLAN = Decision(Conflict, "a table was changed meanwhile: read again, then retry", STALE_SCHEMA)
NO_SERIALIZABLE = Decision(
    DatabaseError,
    "the server follows another one, and takes no transaction that is SERIALIZABLE: ask for another isolation; where "
    "it is the server's default, write default_transaction_isolation=read%20committed in DATABASE_URL",
    why="its words are the advice",
)
UNKNOWN_SQLSTATE = Decision(
    DatabaseError, "the server reported an error of its own", why="a class that no manual has: RAISE can make any"
)
# A FATAL that asyncpg raises as itself was the answer to the login.
REFUSED_SETTING = Decision(ConfigurationError, "the server refused a setting at login: check DATABASE_URL", FINAL)


def by_sqlstate(sqlstate: str) -> Decision:
    """Return the decision for the longest prefix of `sqlstate` in the table."""
    for length in (5, 3, 2):
        if sqlstate[:length] in BY_SQLSTATE:
            return BY_SQLSTATE[sqlstate[:length]]
    return UNKNOWN_SQLSTATE
