"""One exchange's lists, one after the other: each is asked for, kept where that is wanted, imported, and told of."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from exchanges_db.database.default import DatabaseOrConnection
from exchanges_db.errors import (
    ConfigurationError,
    Conflict,
    ConstraintViolated,
    DatabaseError,
    DownloadFailed,
    ExchangesDBError,
    ImportBusy,
    InvalidArgument,
    QueryCancelled,
    shown,
)
from exchanges_db.symbols.allowances import Allowance
from exchanges_db.symbols.download_settings import DownloadSettings
from exchanges_db.symbols.freshness import server_time
from exchanges_db.symbols.import_limits import ImportLimits
from exchanges_db.symbols.import_lock import check_wait
from exchanges_db.symbols.importing import check_allowances, import_symbols
from exchanges_db.symbols.ledger import record_failure
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.payloads.reader import Reader, Request
from exchanges_db.symbols.report import ImportRefused, ImportReport
from exchanges_db.symbols.saved_lists import ListFolder, SavedList
from exchanges_db.symbols.sync_outcomes import ListOutcome, SyncOutcome
from exchanges_db.symbols.sync_source import OF_ONE_ANSWER, SyncSource

# What is wrong with one list, not with all of them.
_OF_ONE_LIST = (*OF_ONE_ANSWER, ImportRefused, ConstraintViolated, Conflict, ImportBusy, QueryCancelled)


@dataclass(frozen=True, kw_only=True)
class SyncHears:
    """Who is told of what while a sync runs; see `sync_symbols`."""

    on_download: Callable[[int, int | None], None] = lambda done, total: None
    on_retry: Callable[[str, float], None] = lambda reason, wait: None
    on_progress: Callable[[int, int], None] = lambda done, total: None
    on_list: Callable[[Listing, int, int], None] = lambda listing, number, total: None
    on_outcome: Callable[[ListOutcome], None] = lambda outcome: None
    on_warning: Callable[[str], None] = lambda warning: None
    on_wait: Callable[[str], None] = lambda message: None


@dataclass(frozen=True, kw_only=True)
class SyncOrder:
    """What is asked of a sync beside which lists; checked when it is made."""

    allow: Collection[Allowance | str] = ()
    limits: ImportLimits = field(default_factory=ImportLimits)
    dry_run: bool = False
    wait: float = 60
    settings: DownloadSettings = field(default_factory=DownloadSettings)
    save: ListFolder | None = None

    def __post_init__(self) -> None:
        check_allowances(self.allow)
        check_wait(self.wait)
        if not isinstance(self.limits, ImportLimits):
            raise InvalidArgument(f"limits must be an ImportLimits, not {shown(self.limits)}", field="limits")
        if not isinstance(self.settings, DownloadSettings):
            raise ConfigurationError(f"settings must be a DownloadSettings, not a {type(self.settings).__name__}")


def is_of_all_lists(error: ExchangesDBError) -> bool:
    """Return whether every other list would meet an error, too: the database is out of reach, or says no to all."""
    return isinstance(error, DatabaseError) and not isinstance(error, _OF_ONE_LIST)


class ListsWork:
    """One exchange's lists, one after the other, and what has become of them so far."""

    def __init__(self, source: SyncSource, order: SyncOrder, hears: SyncHears, db: DatabaseOrConnection | None) -> None:
        self.outcomes: list[ListOutcome] = []
        self.errors: list[ExchangesDBError] = []
        self._of_indexes: list[tuple[ExchangesDBError, str | None]] = []
        self._target = source.target
        self._name = self._target.row.enum_value
        self._order = order
        self._hears = hears
        self._source = source
        self._db = db

    async def run(self) -> None:
        """Ask for every wanted list and import it."""
        try:
            self._target.check_address()
            lists = await self._source.lists(self._index_failed)
        except ConfigurationError as exc:
            self._tell(_Attempt(None), SyncOutcome.FAILED, error=str(exc))
            raise
        for error, origin in self._of_indexes:
            await self._record(error, None, origin, None)
        if not self.errors:
            self._target.check_lists(lists)
        asked = {listing: how for listing, how in lists.items() if self._target.wants(listing)}
        for number, (listing, (request, reader)) in enumerate(asked.items(), 1):
            pause = max((one.retry_after or 0.0 for one in self.outcomes), default=0.0)
            if pause:
                words = f"not asked for, because the exchange asks for a pause of {pause:.0f} s"
                self._tell(_Attempt(listing), SyncOutcome.FAILED, error=words)
                continue
            self._hears.on_list(listing, number, len(asked))
            await self._sync(_Attempt(listing), request, reader)

    async def _sync(self, attempt: _Attempt, request: Request, reader: Reader) -> None:
        listing = attempt.listing
        assert listing is not None
        origin = self._source.origin(request)
        try:
            # Before it is asked: an answer may be older than its arrival.
            attempt.observed_at = await server_time(self._db)
            payload = await self._source.ask(request)
            companion = await self._source.companion(reader)
            if self._order.save is not None:
                attempt.saved = self._order.save.save(
                    self._name, listing, attempt.observed_at, origin, payload, companion
                )
            report = await import_symbols(
                self._name,
                payload,
                listing=listing,
                companion=companion,
                observed_at=attempt.observed_at,
                origin=origin,
                allow=self._order.allow,
                limits=self._order.limits,
                dry_run=self._order.dry_run,
                wait=self._order.wait,
                on_wait=self._hears.on_wait,
                on_progress=self._hears.on_progress,
                db=self._db,
            )
        except ImportRefused as exc:
            self._failed(attempt, exc, SyncOutcome.REFUSED, exc.report)
        except DownloadFailed as exc:
            # The import records all else: here there was nothing to import.
            await self._record(exc, listing, origin, attempt.observed_at)
            self._failed(attempt, exc)
        except _OF_ONE_LIST as exc:
            self._failed(attempt, exc)
        except ExchangesDBError as exc:
            exc.listing = str(listing)
            self._tell(attempt, SyncOutcome.FAILED, error=str(exc))
            raise
        else:
            stops = [hit.reason for hit in report.brakes if not hit.allowed]
            if self._order.dry_run and stops:
                self._tell(attempt, SyncOutcome.REFUSED, report, error="it would be refused: " + "; ".join(stops))
            else:
                self._tell(attempt, SyncOutcome.APPLIED if report.changes else SyncOutcome.UNCHANGED, report)

    async def _record(
        self, exc: ExchangesDBError, listing: Listing | None, origin: str | None, observed_at: datetime | None
    ) -> None:
        if not self._order.dry_run:
            await record_failure(self._name, exc, listing=listing, origin=origin, observed_at=observed_at, db=self._db)

    def _index_failed(self, reader: Reader, exc: ExchangesDBError) -> None:
        self._failed(_Attempt(None, index_of=reader.name), exc)
        self._of_indexes.append((exc, None if reader.index is None else self._source.origin(reader.index)))

    def _failed(
        self,
        attempt: _Attempt,
        exc: ExchangesDBError,
        outcome: SyncOutcome = SyncOutcome.FAILED,
        report: ImportReport | None = None,
    ) -> None:
        pause = exc.retry_after if isinstance(exc, DownloadFailed) else None
        told = self._tell(attempt, outcome, report, error=str(exc), retry_after=pause)
        exc.listing = told.subject
        self.errors.append(exc)

    def _tell(
        self,
        attempt: _Attempt,
        outcome: SyncOutcome,
        report: ImportReport | None = None,
        *,
        error: str | None = None,
        retry_after: float | None = None,
    ) -> ListOutcome:
        told = ListOutcome(
            exchange=self._name,
            listing=attempt.listing,
            index_of=attempt.index_of,
            outcome=outcome,
            observed_at=attempt.observed_at,
            report=report,
            error=error,
            retry_after=retry_after,
            saved=attempt.saved,
        )
        self.outcomes.append(told)
        self._hears.on_outcome(told)
        return told


@dataclass
class _Attempt:
    """How far one list has come; without a listing, an index, or all lists of an exchange."""

    listing: Listing | None
    index_of: str | None = None
    observed_at: datetime | None = None
    saved: SavedList | None = None
