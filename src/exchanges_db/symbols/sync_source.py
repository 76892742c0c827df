"""Asks one exchange for its lists, as its readers say, and for what it says beside them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from exchanges_db.errors import ConfigurationError, DownloadFailed, ExchangesDBError, InvalidArgument, PayloadError
from exchanges_db.events import event
from exchanges_db.symbols.download_settings import DownloadSettings
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.payloads.asking import absences_in, lists_of
from exchanges_db.symbols.payloads.reader import CompanionReader, Reader, Request
from exchanges_db.symbols.sync_targets import SyncTarget

if TYPE_CHECKING:
    from exchanges_db.symbols.download import Downloader

log = logging.getLogger("exchanges_db")

# What is wrong with one answer of an exchange, not with all of them.
OF_ONE_ANSWER = (DownloadFailed, PayloadError, InvalidArgument)
# What a path may hold as it is; a reader has quoted the rest already.
_SAFE_IN_PATHS = "/?&=%+,:;@!$'()*~"


@dataclass(frozen=True)
class SyncSource:
    """One exchange's address, and who is told how the download goes."""

    target: SyncTarget
    downloader: Downloader
    settings: DownloadSettings
    on_download: Callable[[int, int | None], None]
    on_retry: Callable[[str, float], None]
    on_warning: Callable[[str], None]

    async def ask(self, request: Request) -> bytes:
        """Return the exchange's answer."""
        return await self.downloader.fetch(
            _join(self.target.base_url, request.path),
            headers=request.headers,
            requests_per_second=self.target.row.rate_limit_requests_per_second,
            seconds_apart=request.seconds_apart,
            on_progress=self.on_download,
            on_retry=self.on_retry,
        )

    def origin(self, request: Request) -> str:
        """Return the address that a request goes to; without its query, which may hold a secret."""
        return _join(self.target.base_url, request.path).partition("?")[0]

    async def lists(
        self, on_failure: Callable[[Reader, ExchangesDBError], None]
    ) -> dict[Listing, tuple[Request, Reader]]:
        """Return every list, how it is asked for, and by whom; an index that cannot be read is told to `on_failure`."""
        found: dict[Listing, tuple[Request, Reader]] = {}
        for reader in self.target.readers:
            try:
                index = None if reader.index is None else await self.ask(reader.index)
                offered = lists_of(reader, index)
                if reader.index is not None and not offered:
                    raise PayloadError(f"{reader.index.path} names no list of {self.target.row.enum_value}")
            except OF_ONE_ANSWER as exc:
                on_failure(reader, exc)
                continue
            for listing, request in offered.items():
                if listing in found:
                    raise ConfigurationError(
                        f"two readers have the list {listing} of {self.target.row.enum_value}: "
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
        except (*OF_ONE_ANSWER, TimeoutError) as exc:
            fault = str(exc) or f"{reader.companion.path} gave no answer in {patience:g} s"  # a TimeoutError is silent
            warning = f"{fault}; symbols that the list of {reader.name} has no longer count as delisted now"
            log.warning("%s", warning, extra=event("companion_unread", reader=reader.name, error=type(exc).__name__))
            self.on_warning(warning)
            return None
        return answer


def _join(base_url: str, path: str) -> str:
    """Return the URL of `path`; a base_url may hold the API's own prefix already, such as /api/v4."""
    base = base_url.rstrip("/")
    prefix = "/".join(path.split("/")[:3])
    return base.removesuffix(prefix) + quote(path, safe=_SAFE_IN_PATHS)
