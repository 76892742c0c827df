"""Finds out whether notifications arrive, says once that they do not, and tries again where a server refused to."""

from __future__ import annotations

import logging
from collections.abc import Callable

from exchanges_db.database.dsn import Dsn
from exchanges_db.database.hosts import connect
from exchanges_db.database.session import Session
from exchanges_db.database.settings import Settings
from exchanges_db.events import event
from exchanges_db.registry.listening import ERRORS, Echo, is_direct, is_refusal, listen, ours
from exchanges_db.registry.state import Counts
from exchanges_sql.registry import GetRegistryStateRow

log = logging.getLogger("exchanges_db")
NAME = "exchanges_db registry"  # of each connection
_LOST = "a pooler lets none through"
_UNTRIED = "a pooler is in between, and whether it lets any through could not be tried ({})"


class Hearing:
    """Whether a registry hears notifications.

    patience: seconds for which others' commits may keep it from finding out, at a time.
    is_refused: the server answers LISTEN or NOTIFY with an error, and is to be asked again at the next poll.
    """

    def __init__(
        self,
        dsn: Dsn,
        settings: Settings,
        *,
        poll_interval: float,
        patience: float,
        counts: Counts,
        on_hint: Callable[[str], None],
    ) -> None:
        self._dsn, self._settings, self._poll_interval, self._patience = dsn, settings, poll_interval, patience
        self._counts, self._on_hint = counts, on_hint
        self.is_refused = False

    async def subscribe(self, session: Session, state: GetRegistryStateRow) -> Echo | None:
        """Listen, where the server lets one; return the echo where only that tells whether anything is heard."""
        self.is_refused = state.on_standby
        if state.on_standby:  # until it is promoted, which ends no connection
            self._hear("a server that follows another one sends none")
            return None
        try:
            echo = await listen(session, self._on_hint)
            if not is_direct(session, state):
                return echo
            self._hear(None if await echo.comes_back(session, self._patience) else _LOST)
        except ERRORS as exc:
            if not is_refusal(session, exc):
                raise
            self.is_refused = True  # as while the server's queue is full: tried again at the next poll
            self._hear(f"the server refuses to tell: {ours(exc)}")
        return None

    async def ask(self, echo: Echo, dsn: Dsn) -> None:
        """Find out whether a pooler lets notifications through; nothing waits for that, as it takes its time."""
        try:
            limit = self._settings.connect_timeout
            other = await connect(dsn, self._settings, limit=limit, application_name=NAME)
            try:
                self._hear(None if await echo.comes_back(other, self._patience) else _LOST)
            finally:
                other.terminate()
        except ERRORS as exc:
            self._hear(_UNTRIED.format(ours(exc)))

    def _hear(self, why_not: str | None) -> None:
        """Note whether notifications arrive; that they do not is said once."""
        if why_not is not None and self._counts.deaf is not True:
            told = event("registry_polls", database=str(self._dsn), interval=self._poll_interval)
            log.warning(
                "the registry of %s gets no notifications: %s; it asks every %g s",
                self._dsn,
                why_not,
                self._poll_interval,
                extra=told,
            )
        self._counts.listening, self._counts.deaf = why_not is None, why_not is not None
