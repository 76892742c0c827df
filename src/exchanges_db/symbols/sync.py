"""Ask an exchange for its list of symbols, and import it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from enum import Enum

from exchanges_db.database.default import DatabaseOrConnection
from exchanges_db.errors import ConfigurationError, shown
from exchanges_db.exchanges.look_ups import get_all_exchanges
from exchanges_db.exchanges.names import check_exchange, pick
from exchanges_db.symbols.changes import Brake
from exchanges_db.symbols.download_settings import DownloadSettings
from exchanges_db.symbols.importing import import_symbols
from exchanges_db.symbols.payloads.readers import READERS
from exchanges_db.symbols.report import ImportReport


async def sync_symbols(
    exchange: Enum | str,
    *,
    allow: Collection[Brake | str] = (),
    dry_run: bool = False,
    settings: DownloadSettings | None = None,
    on_download: Callable[[int, int | None], None] = lambda done, total: None,
    on_retry: Callable[[str, float], None] = lambda reason, wait: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    db: DatabaseOrConnection | None = None,
) -> list[ImportReport]:
    """Fetch an exchange's symbols from its `base_url` and import them; one report for each of its lists.

    Its `rate_limit_requests_per_second` is kept. Gate.io futures have a list for each settlement currency; each is
    imported in a transaction of its own. The other arguments are those of `import_symbols` and of `Downloader.fetch`.

    Raises:
        DownloadFailed: the exchange gave no answer that can be used.
        ConfigurationError: it has no base_url, or there is no reader for it; or `settings` is none.
        PayloadError, ImportRefused, ExchangeNotFound: as `import_symbols`.
    """
    from exchanges_db.symbols.download import Downloader  # an HTTP client costs 0.1 s, which only this needs

    place = check_exchange(exchange)
    if settings is not None and not isinstance(settings, DownloadSettings):
        raise ConfigurationError(f"settings must be a DownloadSettings, not a {type(settings).__name__}")
    known = {row.enum_value: row for row in await get_all_exchanges(db=db)}
    enum_value = pick(place, {row.enum_value: row.name for row in known.values()})
    row = known[enum_value]
    if enum_value not in READERS:
        raise ConfigurationError(f"there is a reader for {', '.join(READERS)} only, none for {shown(enum_value)}")
    if row.base_url is None:
        raise ConfigurationError(f"{enum_value} has no base_url: exchanges-db set {enum_value} base_url=https://...")
    reports = []
    async with Downloader(settings) as downloader:
        for settle, path in READERS[enum_value].PATHS.items():
            payload = await downloader.fetch(
                _join(row.base_url, path),
                requests_per_second=row.rate_limit_requests_per_second,
                on_progress=on_download,
                on_retry=on_retry,
            )
            reports.append(
                await import_symbols(
                    enum_value,
                    payload,
                    settle=settle,
                    observed_at=datetime.now(UTC),
                    allow=allow,
                    dry_run=dry_run,
                    on_progress=on_progress,
                    db=db,
                )
            )
    return reports


def _join(base_url: str, path: str) -> str:
    """Return the URL of `path`; a base_url may hold the API's own prefix already, such as /api/v4."""
    base = base_url.rstrip("/")
    prefix = "/".join(path.split("/")[:3])
    return base.removesuffix(prefix) + path
