"""Ask an exchange for its lists of symbols, import them, and tell what became of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from enum import Enum
from typing import TYPE_CHECKING

from exchanges_db.database.default import DatabaseOrConnection
from exchanges_db.errors import ExchangesDBError
from exchanges_db.symbols.allowances import Allowance
from exchanges_db.symbols.download_settings import DownloadSettings
from exchanges_db.symbols.import_limits import ImportLimits
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.saved_lists import ListFolder
from exchanges_db.symbols.sync_lists import ListsWork, SyncHears, SyncOrder
from exchanges_db.symbols.sync_outcomes import ListOutcome
from exchanges_db.symbols.sync_source import SyncSource
from exchanges_db.symbols.sync_targets import SyncTarget, find_targets

if TYPE_CHECKING:
    from exchanges_db.symbols.download import Downloader


async def sync_symbols(
    exchange: Enum | str,
    *,
    listings: Collection[Listing | str] | None = None,
    allow: Collection[Allowance | str] = (),
    limits: ImportLimits | None = None,
    dry_run: bool = False,
    wait: float = 60,
    settings: DownloadSettings | None = None,
    save: str | os.PathLike[str] | None = None,
    on_download: Callable[[int, int | None], None] = lambda done, total: None,
    on_retry: Callable[[str, float], None] = lambda reason, wait: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    on_list: Callable[[Listing, int, int], None] = lambda listing, number, total: None,
    on_outcome: Callable[[ListOutcome], None] = lambda outcome: None,
    on_warning: Callable[[str], None] = lambda warning: None,
    on_wait: Callable[[str], None] = lambda message: None,
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
        limits=ImportLimits() if limits is None else limits,
        dry_run=dry_run,
        wait=wait,
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
        on_wait=on_wait,
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
    work = ListsWork(source, order, hears, db)
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
