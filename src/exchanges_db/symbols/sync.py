"""Ask an exchange for its lists of symbols, and import them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from exchanges_db.database.default import DatabaseOrConnection
from exchanges_db.errors import (
    ConfigurationError,
    DownloadFailed,
    ExchangesDBError,
    InvalidArgument,
    InvalidSymbol,
    PayloadError,
    shown,
)
from exchanges_db.exchanges.look_ups import get_all_exchanges
from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.exchanges.names import check_exchange, pick
from exchanges_db.symbols.allowances import Allowance
from exchanges_db.symbols.download_settings import DownloadSettings
from exchanges_db.symbols.importing import check_allowances, import_symbols
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.payloads.asking import absences_in, lists_of
from exchanges_db.symbols.payloads.reader import CompanionReader, Reader, Request
from exchanges_db.symbols.payloads.readers import all_readers, readers_of
from exchanges_db.symbols.report import ImportRefused, ImportReport

if TYPE_CHECKING:
    from exchanges_db.symbols.download import Downloader

log = logging.getLogger("exchanges_db")

# What is wrong with one list, not with all of them.
_OF_ONE_LIST = (DownloadFailed, PayloadError, ImportRefused, InvalidArgument)
# What a path may hold as it is; a reader has quoted the rest already.
_SAFE_IN_PATHS = "/?&=%+,:;@!$'()*~"


async def sync_symbols(
    exchange: Enum | str,
    *,
    listings: Collection[Listing | str] | None = None,
    allow: Collection[Allowance | str] = (),
    dry_run: bool = False,
    settings: DownloadSettings | None = None,
    on_download: Callable[[int, int | None], None] = lambda done, total: None,
    on_retry: Callable[[str, float], None] = lambda reason, wait: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    on_list: Callable[[Listing, int, int], None] = lambda listing, number, total: None,
    on_report: Callable[[ImportReport], None] = lambda report: None,
    on_warning: Callable[[str], None] = lambda warning: None,
    db: DatabaseOrConnection | None = None,
) -> list[ImportReport]:
    """Fetch an exchange's lists of symbols from its `base_url` and import them; one report for each.

    Its readers say which lists there are, and how they are asked for; `rate_limit_requests_per_second` is kept. Each
    list is imported in a transaction of its own, as observed just before it was asked for. One that fails does not stop
    the others; at the end the first error is raised, which carries the reports of those that were imported. Where the
    exchange also says which symbols it has suspended or delisted, that is asked for, too; without an answer within
    `connect_timeout` + `read_timeout` seconds, all attempts together, there is a warning.

    listings: which of its lists, as Listing or text such as PERPETUAL:USDT; PERPETUAL alone means those of every
        settlement. All of them by default.
    on_list: called before a list is asked for, with its number from 1 on and how many there are.
    on_report: called when a list was imported: what has been committed, should this be cancelled later.
    on_warning: called with what is logged as a warning, too.

    The other arguments are those of `import_symbols` and of `Downloader.fetch`.

    Raises:
        ConfigurationError: it has no base_url, or there is no reader for it; or `settings` is none.
        InvalidArgument: the exchange has none of a kind in `listings`, or `allow` is unusable.
        ExchangeNotFound: it has no row.
        DownloadFailed: the exchange gave no answer that can be used.
        PayloadError, ImportRefused: as `import_symbols`.
    """
    from exchanges_db.symbols.download import Downloader  # an HTTP client costs 0.1 s, which only this needs

    place, allowed = check_exchange(exchange), check_allowances(allow)
    wanted = _parse(listings)
    if settings is not None and not isinstance(settings, DownloadSettings):
        raise ConfigurationError(f"settings must be a DownloadSettings, not a {type(settings).__name__}")
    row, readers = _find(place, await get_all_exchanges(db=db))
    _check_wanted_early(row.enum_value, wanted, readers)
    base_url = _checked_base(row)
    imported: list[ImportReport] = []
    failed: list[ExchangesDBError] = []
    async with Downloader(settings) as downloader:
        source = _Source(row, base_url, downloader, settings or DownloadSettings(), on_download, on_retry, on_warning)
        lists = await source.lists(readers, failed)
        if not failed:
            _check_wanted(row.enum_value, wanted, lists, ())
        asked = {listing: how for listing, how in lists.items() if _is_wanted(listing, wanted)}
        for number, (listing, (request, reader)) in enumerate(asked.items(), 1):
            on_list(listing, number, len(asked))
            try:
                observed_at = datetime.now(UTC)  # before it is asked: an answer may be older than its arrival
                payload = await source.ask(request)
                companion = await source.companion(reader)
                report = await import_symbols(
                    row.enum_value,
                    payload,
                    listing=listing,
                    companion=companion,
                    observed_at=observed_at,
                    allow=allowed,
                    dry_run=dry_run,
                    on_progress=on_progress,
                    db=db,
                )
            except _OF_ONE_LIST as exc:
                exc.listing = str(listing)
                failed.append(exc)
            except ExchangesDBError as exc:
                # The database's, for example: the other lists would meet it, too.
                exc.listing, exc.reports, exc.others = str(listing), tuple(imported), tuple(failed)
                raise
            else:
                imported.append(report)
                on_report(report)
    if failed:
        failed[0].reports, failed[0].others = tuple(imported), tuple(failed[1:])
        raise failed[0]
    return imported


async def find_to_sync(
    exchanges: Sequence[Enum | str] | None,
    *,
    listings: Collection[Listing | str] | None = None,
    db: DatabaseOrConnection | None = None,
) -> list[StoredExchange]:
    """Return the exchanges of these names; without names every active one that there is a reader for.

    What `sync_symbols` would refuse of them and of `listings` is refused here, before any exchange is asked.

    Raises:
        ConfigurationError: a named one has no base_url, or there is no reader for it; or none is left to sync.
        InvalidSymbol: a named one has none of a kind in `listings`.
        ExchangeNotFound: one has no row.
    """
    known = await get_all_exchanges(db=db)
    if exchanges:
        found: dict[str, StoredExchange] = {}
        for exchange in exchanges:
            row, readers = _find(check_exchange(exchange), known)
            _checked_base(row)
            _check_wanted_early(row.enum_value, _parse(listings), readers)
            found[row.enum_value] = row
        return list(found.values())
    readable = {reader.exchange for reader in all_readers()}
    active = [row for row in known if row.is_active and row.enum_value in readable]
    if not active:
        raise ConfigurationError(
            f"there is no active exchange that can be synced: {', '.join(sorted(readable))} can, once it has a row and "
            "is active; see `exchanges-db list --all`"
        )
    return active


@dataclass(frozen=True)
class _Source:
    """One exchange's address, and who is told how the download goes."""

    row: StoredExchange
    base_url: str
    downloader: Downloader
    settings: DownloadSettings
    on_download: Callable[[int, int | None], None]
    on_retry: Callable[[str, float], None]
    on_warning: Callable[[str], None]

    async def ask(self, request: Request) -> bytes:
        return await self.downloader.fetch(
            _join(self.base_url, request.path),
            headers=request.headers,
            requests_per_second=self.row.rate_limit_requests_per_second,
            seconds_apart=request.seconds_apart,
            on_progress=self.on_download,
            on_retry=self.on_retry,
        )

    async def lists(
        self, readers: Iterable[Reader], failed: list[ExchangesDBError]
    ) -> dict[Listing, tuple[Request, Reader]]:
        """Return every list, how it is asked for, and by whom; an index that cannot be read goes to `failed`."""
        found: dict[Listing, tuple[Request, Reader]] = {}
        for reader in readers:
            try:
                index = None if reader.index is None else await self.ask(reader.index)
                offered = lists_of(reader, index)
                if reader.index is not None and not offered:
                    raise PayloadError(f"{reader.index.path} names no list of {self.row.enum_value}")
            except _OF_ONE_LIST as exc:
                exc.listing = f"index of {reader.name}"
                failed.append(exc)
                continue
            for listing, request in offered.items():
                if listing in found:
                    raise ConfigurationError(
                        f"two readers have the list {listing} of {self.row.enum_value}: "
                        f"{found[listing][1].name} and {reader.name}; take one away"
                    )
                found[listing] = request, reader
        return found

    async def companion(self, reader: Reader) -> bytes | None:
        """Return what is said of symbols that a list has no longer; None where nothing that can be read is."""
        if not isinstance(reader, CompanionReader):
            return None
        # The list does not wait for it: what may be traded matters more than since when something may not.
        patience = self.settings.connect_timeout + self.settings.read_timeout
        try:
            async with asyncio.timeout(patience):
                answer = await self.ask(reader.companion)
            absences_in(reader, answer)
        except (*_OF_ONE_LIST, TimeoutError) as exc:
            fault = str(exc) or f"{reader.companion.path} gave no answer in {patience:g} s"  # a TimeoutError is silent
            warning = f"{fault}; symbols that the list of {reader.name} has no longer count as delisted now"
            log.warning("%s", warning)
            self.on_warning(warning)
            return None
        return answer


def _find(place: str, known: Collection[StoredExchange]) -> tuple[StoredExchange, Sequence[Reader]]:
    by_enum = {row.enum_value: row for row in known}
    row = by_enum[pick(place, {row.enum_value: row.name for row in known})]
    readers = readers_of(row.enum_value)
    if not readers:
        readable = ", ".join(sorted({reader.exchange for reader in all_readers()}))
        raise ConfigurationError(f"there is a reader for {readable} only, none for {shown(row.enum_value)}")
    return row, readers


def _checked_base(row: StoredExchange) -> str:
    if row.base_url is None:
        name = row.enum_value
        raise ConfigurationError(f"{name} has no base_url: exchanges-db set {name} base_url=https://...")
    try:
        parts = urlsplit(row.base_url)
    except ValueError:
        return row.base_url  # the downloader says what is wrong with it
    if parts.query or parts.fragment:
        raise ConfigurationError(f"base_url of {row.enum_value} must end before any ? or #: paths are put after it")
    return row.base_url


def _check_wanted_early(enum_value: str, wanted: Iterable[Listing] | None, readers: Sequence[Reader]) -> None:
    """Check `wanted` by the lists that are known without an index; a reader that fails is told of when it is asked."""
    try:
        lists = [listing for reader in readers for listing in lists_of(reader)]
    except PayloadError:
        return
    _check_wanted(enum_value, wanted, lists, readers)


def _parse(listings: Collection[Listing | str] | None) -> tuple[Listing, ...] | None:
    if listings is None:
        return None
    # A single text is a collection too, of letters.
    if isinstance(listings, str) or not isinstance(listings, Collection):
        raise InvalidSymbol('listings takes several lists: ["PERPETUAL:USDT"]', field="listings")
    return tuple(Listing.parse(one, "listings") for one in listings)


def _check_wanted(
    enum_value: str, wanted: Iterable[Listing] | None, lists: Collection[Listing], unasked: Iterable[Reader]
) -> None:
    """Raise InvalidSymbol where one of `wanted` means none of `lists`; not where an index may still tell of it."""
    if any(reader.index is not None for reader in unasked):
        return
    for one in wanted or ():
        if not any(_is_wanted(listing, (one,)) for listing in lists):
            names = ", ".join(map(str, sorted(lists, key=str)))
            raise InvalidSymbol(f"{enum_value} has no list {one}; it has {names}", field="listings")


def _is_wanted(listing: Listing, wanted: Collection[Listing] | None) -> bool:
    return wanted is None or any(
        one.kind is listing.kind
        and one.settle in (None, listing.settle)
        and one.underlying in (None, listing.underlying)
        for one in wanted
    )


def _join(base_url: str, path: str) -> str:
    """Return the URL of `path`; a base_url may hold the API's own prefix already, such as /api/v4."""
    base = base_url.rstrip("/")
    prefix = "/".join(path.split("/")[:3])
    return base.removesuffix(prefix) + quote(path, safe=_SAFE_IN_PATHS)
