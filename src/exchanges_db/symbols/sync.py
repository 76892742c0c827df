"""Ask an exchange for its lists of symbols, import them, and tell what became of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

from exchanges_db.database.default import DatabaseOrConnection
from exchanges_db.errors import (
    ConfigurationError,
    Conflict,
    ConstraintViolated,
    DatabaseError,
    DownloadFailed,
    ExchangesDBError,
    QueryCancelled,
)
from exchanges_db.symbols.allowances import Allowance
from exchanges_db.symbols.download_settings import DownloadSettings
from exchanges_db.symbols.freshness import server_time
from exchanges_db.symbols.importing import check_allowances, import_symbols
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.payloads.reader import Reader, Request
from exchanges_db.symbols.report import ImportRefused, ImportReport
from exchanges_db.symbols.saved_lists import ListFolder, SavedList
from exchanges_db.symbols.sync_outcomes import ListOutcome, SyncOutcome
from exchanges_db.symbols.sync_source import OF_ONE_ANSWER, SyncSource
from exchanges_db.symbols.sync_targets import SyncTarget, find_targets

if TYPE_CHECKING:
    from exchanges_db.symbols.download import Downloader

# What is wrong with one list, not with all of them.
_OF_ONE_LIST = (*OF_ONE_ANSWER, ImportRefused, ConstraintViolated, Conflict, QueryCancelled)


@dataclass(frozen=True, kw_only=True)
class SyncHears:
    """Who is told of what while a sync runs; see `sync_symbols`."""

    on_download: Callable[[int, int | None], None] = lambda done, total: None
    on_retry: Callable[[str, float], None] = lambda reason, wait: None
    on_progress: Callable[[int, int], None] = lambda done, total: None
    on_list: Callable[[Listing, int, int], None] = lambda listing, number, total: None
    on_outcome: Callable[[ListOutcome], None] = lambda outcome: None
    on_warning: Callable[[str], None] = lambda warning: None


@dataclass(frozen=True, kw_only=True)
class SyncOrder:
    """What is asked of a sync beside which lists; checked when it is made."""

    allow: Collection[Allowance | str] = ()
    dry_run: bool = False
    settings: DownloadSettings = field(default_factory=DownloadSettings)
    save: ListFolder | None = None

    def __post_init__(self) -> None:
        check_allowances(self.allow)
        if not isinstance(self.settings, DownloadSettings):
            raise ConfigurationError(f"settings must be a DownloadSettings, not a {type(self.settings).__name__}")


async def sync_symbols(
    exchange: Enum | str,
    *,
    listings: Collection[Listing | str] | None = None,
    allow: Collection[Allowance | str] = (),
    dry_run: bool = False,
    settings: DownloadSettings | None = None,
    save: str | os.PathLike[str] | None = None,
    on_download: Callable[[int, int | None], None] = lambda done, total: None,
    on_retry: Callable[[str, float], None] = lambda reason, wait: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    on_list: Callable[[Listing, int, int], None] = lambda listing, number, total: None,
    on_outcome: Callable[[ListOutcome], None] = lambda outcome: None,
    on_warning: Callable[[str], None] = lambda warning: None,
    db: DatabaseOrConnection | None = None,
) -> list[ListOutcome]:
    """Fetch an exchange's lists of symbols from its `base_url` and import them; return what became of each.

    Its readers say which lists there are, and how they are asked for; `rate_limit_requests_per_second` is kept. Each
    list is imported in a transaction of its own, as observed when it was asked for, by the database's clock. One that
    fails does not stop the others; at the end the first error is raised, whose `.outcomes` tell of every list. Where
    the exchange asks to be left alone, its other lists are not asked for. Where it also says which symbols it has
    suspended or delisted, that is asked for, too; without an answer within `connect_timeout` + `read_timeout` seconds,
    all attempts together, there is a warning.

    listings: which of its lists, as Listing or text such as PERPETUAL:USDT; PERPETUAL alone means those of every
        settlement. All of them by default.
    dry_run: only tell what would change; a list that would be refused is REFUSED, and nothing is raised for it.
    save: a folder in which what is fetched is kept, byte for byte; see ListOutcome.saved.
    on_list: called before a list is asked for, with its number from 1 on and how many there are.
    on_outcome: called when it is known what became of a list: what has been committed, should this be cancelled later.
    on_warning: called with what is logged as a warning, too.

    The other arguments are those of `import_symbols` and of `Downloader.fetch`.

    Raises:
        ConfigurationError: it has no base_url, or there is no reader for it; or `settings` or `save` is unusable.
        InvalidArgument: the exchange has none of a kind in `listings`, or `allow` is unusable.
        ExchangeNotFound: it has no row.
        DownloadFailed: the exchange gave no answer that can be used.
        PayloadError, ImportRefused: as `import_symbols`.
    """
    from exchanges_db.symbols.download import Downloader  # an HTTP client costs 0.1 s, which only this needs

    order = SyncOrder(
        allow=allow,
        dry_run=dry_run,
        settings=DownloadSettings() if settings is None else settings,
        save=None if save is None else ListFolder(save),
    )
    hears = SyncHears(
        on_download=on_download,
        on_retry=on_retry,
        on_progress=on_progress,
        on_list=on_list,
        on_outcome=on_outcome,
        on_warning=on_warning,
    )
    (target,) = await find_targets([exchange], listings=listings, db=db)
    async with Downloader(order.settings) as downloader:
        return await sync_target(target, downloader, order, hears, db=db)


async def sync_target(
    target: SyncTarget,
    downloader: Downloader,
    order: SyncOrder,
    hears: SyncHears,
    *,
    db: DatabaseOrConnection | None = None,
) -> list[ListOutcome]:
    """Do what `sync_symbols` promises, for an exchange that has been found, with an HTTP session that goes on."""
    source = SyncSource(target, downloader, order.settings, hears.on_download, hears.on_retry, hears.on_warning)
    work = _Work(source, order, hears, db)
    try:
        await work.run()
    except ExchangesDBError as exc:
        # The database's, for example: the other lists would meet it, too.
        exc.outcomes, exc.others = tuple(work.outcomes), tuple(work.errors)
        raise
    if work.errors:
        first, *others = work.errors
        first.outcomes, first.others = tuple(work.outcomes), tuple(others)
        raise first
    return work.outcomes


def is_of_all_lists(error: ExchangesDBError) -> bool:
    """Return whether every other list would meet an error, too: the database is out of reach, or says no to all."""
    return isinstance(error, DatabaseError) and not isinstance(error, _OF_ONE_LIST)


class _Work:
    """One exchange's lists, one after the other, and what has become of them so far."""

    def __init__(self, source: SyncSource, order: SyncOrder, hears: SyncHears, db: DatabaseOrConnection | None) -> None:
        self.outcomes: list[ListOutcome] = []
        self.errors: list[ExchangesDBError] = []
        self._target = source.target
        self._name = self._target.row.enum_value
        self._order = order
        self._hears = hears
        self._source = source
        self._db = db

    async def run(self) -> None:
        """Ask for every wanted list and import it."""
        try:
            lists = await self._source.lists(self._index_failed)
        except ConfigurationError as exc:
            self._tell(_Attempt(None), SyncOutcome.FAILED, error=str(exc))
            raise
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
        try:
            # Before it is asked: an answer may be older than its arrival.
            attempt.observed_at = await server_time(self._db)
            payload = await self._source.ask(request)
            companion = await self._source.companion(reader)
            if self._order.save is not None:
                attempt.saved = self._order.save.save(
                    self._name, listing, attempt.observed_at, self._source.origin(request), payload, companion
                )
            report = await import_symbols(
                self._name,
                payload,
                listing=listing,
                companion=companion,
                observed_at=attempt.observed_at,
                allow=self._order.allow,
                dry_run=self._order.dry_run,
                on_progress=self._hears.on_progress,
                db=self._db,
            )
        except ImportRefused as exc:
            self._failed(attempt, exc, SyncOutcome.REFUSED, exc.report)
        except _OF_ONE_LIST as exc:
            self._failed(attempt, exc)
        except ExchangesDBError as exc:
            exc.listing = str(listing)
            self._tell(attempt, SyncOutcome.FAILED, error=str(exc))
            raise
        else:
            stops = [hit.reason for hit in report.brakes if hit.brake not in check_allowances(self._order.allow)]
            if self._order.dry_run and stops:
                self._tell(attempt, SyncOutcome.REFUSED, report, error="it would be refused: " + "; ".join(stops))
            else:
                self._tell(attempt, SyncOutcome.APPLIED if report.changes else SyncOutcome.UNCHANGED, report)

    def _index_failed(self, reader: Reader, exc: ExchangesDBError) -> None:
        self._failed(_Attempt(None, index_of=reader.name), exc)

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
