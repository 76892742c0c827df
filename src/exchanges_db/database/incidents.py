"""What happens to the connections of a Database, as its log and its counts tell of it."""

from __future__ import annotations

import logging

from exchanges_db.database.counters import Counters
from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import DatabaseError, DatabaseUnavailable, ExchangesDBError, OutcomeUnknown
from exchanges_db.events import event

log = logging.getLogger("exchanges_db")


class Incidents:
    """Tells of one Database; the database is named without user and password."""

    def __init__(self, dsn: Dsn, counters: Counters) -> None:
        self._dsn = dsn
        self._counters = counters

    def note_opened(self) -> None:
        """Tell that the pool was opened."""
        log.info("opened %s", self._dsn, extra=event("opened", database=str(self._dsn)))

    def note_closed(self) -> None:
        """Tell that it was closed."""
        log.info("closed %s", self._dsn, extra=event("closed", database=str(self._dsn)))

    def note_error(self, error: ExchangesDBError, again: bool) -> None:
        """Tell of a statement that failed for no fault of its own, and whether it is tried once more."""
        if isinstance(error, OutcomeUnknown):
            self.note_unknown(error)
        elif isinstance(error, DatabaseUnavailable) or again:
            told = event("unavailable", again=again, **self._facts(error))
            log.warning("%s: %s%s", self._dsn, error, "; trying once more" if again else "", extra=told)
        if again:
            self._counters.retries += 1

    def note_unknown(self, error: OutcomeUnknown) -> None:
        """Tell of a write that may be committed or not."""
        self._counters.unknown_outcomes += 1
        told = event("outcome_unknown", cancelled=False, **self._facts(error))
        log.error("a write to %s has an unknown outcome: %s", self._dsn, error, extra=told)

    def note_cancelled(self, sent: bool) -> None:
        """Tell of a call that its caller has ended, where it was a write that was sent."""
        self._counters.cancelled += 1
        if sent:
            self._counters.unknown_outcomes += 1
            told = event(
                "outcome_unknown", cancelled=True, database=str(self._dsn), error="CancelledError", sqlstate=None
            )
            log.warning(
                "%s: a write was cancelled after it was sent: it may or may not have been done", self._dsn, extra=told
            )

    def _facts(self, error: ExchangesDBError) -> dict[str, object]:
        sqlstate = error.sqlstate if isinstance(error, DatabaseError) else None
        return {"database": str(self._dsn), "error": type(error).__name__, "sqlstate": sqlstate}
