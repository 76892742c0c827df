"""Which exchanges and lists can be synced: everything that can be checked before the first request is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from exchanges_db.database.default import DatabaseOrConnection
from exchanges_db.errors import ConfigurationError, InvalidSymbol, PayloadError, shown
from exchanges_db.exchanges.look_ups import get_all_exchanges
from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.exchanges.names import check_exchange, pick
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.payloads.asking import lists_of
from exchanges_db.symbols.payloads.reader import Reader
from exchanges_db.symbols.payloads.readers import all_readers, readers_of


@dataclass(frozen=True)
class SyncTarget:
    """One exchange whose lists can be asked for: its row, its readers, and which lists are wanted."""

    row: StoredExchange
    readers: Sequence[Reader]
    wanted: tuple[Listing, ...] | None

    @property
    def base_url(self) -> str:
        """Its address; raises ConfigurationError where it has none that a path can be put after."""
        if self.row.base_url is None:
            name = self.row.enum_value
            raise ConfigurationError(f"{name} has no base_url: exchanges-db set {name} base_url=https://...")
        try:
            parts = urlsplit(self.row.base_url)
        except ValueError:
            return self.row.base_url  # the downloader says what is wrong with it
        if parts.query or parts.fragment:
            name = self.row.enum_value
            raise ConfigurationError(f"base_url of {name} must end before any ? or #: paths are put after it")
        return self.row.base_url

    def check_address(self) -> None:
        """Raise ConfigurationError where its row has no address that can be asked."""
        _ = self.base_url

    def wants(self, listing: Listing) -> bool:
        """Return whether a list is to be asked for."""
        return self.wanted is None or _is_wanted(listing, self.wanted)

    def check_lists(self, lists: Collection[Listing]) -> None:
        """Raise InvalidSymbol where a wanted list is none of `lists`, which are all of the exchange."""
        for one in self.wanted or ():
            if not any(_is_wanted(listing, (one,)) for listing in lists):
                names = ", ".join(map(str, sorted(lists, key=str)))
                raise InvalidSymbol(f"{self.row.enum_value} has no list {one}; it has {names}", field="listings")


async def find_targets(
    exchanges: Sequence[Enum | str] | None,
    *,
    listings: Collection[Listing | str] | None = None,
    db: DatabaseOrConnection | None = None,
) -> list[SyncTarget]:
    """Return what can be synced of the exchanges of these names; without names, of every active one with a reader.

    Of those that are not named none is checked: one without an address is no reason to leave the others out.

    Raises:
        ConfigurationError: a named one has no base_url, or there is no reader for it; or none is left to sync.
        InvalidSymbol: a named one has none of a kind in `listings`.
        ExchangeNotFound: one has no row.
    """
    wanted = _parse(listings)
    places = None if exchanges is None else [check_exchange(exchange) for exchange in exchanges]
    known = await get_all_exchanges(db=db)
    if places:
        found: dict[str, SyncTarget] = {}
        for place in places:
            row = _find(place, known)
            target = SyncTarget(row, _readers(row), wanted)
            _check_early(target)
            found[row.enum_value] = target
        return list(found.values())
    readable = {reader.exchange for reader in all_readers()}
    active = [row for row in known if row.is_active and row.enum_value in readable]
    if not active:
        raise ConfigurationError(
            f"there is no active exchange that can be synced: {', '.join(sorted(readable))} can, once it has a row and "
            "is active; see `exchanges-db list --all`"
        )
    return [SyncTarget(row, _readers(row), wanted) for row in active]


def _find(place: str, known: Collection[StoredExchange]) -> StoredExchange:
    by_enum = {row.enum_value: row for row in known}
    return by_enum[pick(place, {row.enum_value: row.name for row in known})]


def _readers(row: StoredExchange) -> Sequence[Reader]:
    readers = readers_of(row.enum_value)
    if not readers:
        readable = ", ".join(sorted({reader.exchange for reader in all_readers()}))
        raise ConfigurationError(f"there is a reader for {readable} only, none for {shown(row.enum_value)}")
    return readers


def _check_early(target: SyncTarget) -> None:
    """Check its address, and what is wanted by the lists that are known without an index, where none may tell more."""
    target.check_address()
    if any(reader.index is not None for reader in target.readers):
        return
    try:
        lists = [listing for reader in target.readers for listing in lists_of(reader)]
    except PayloadError:
        return  # a reader that fails is told of when it is asked
    target.check_lists(lists)


def _parse(listings: Collection[Listing | str] | None) -> tuple[Listing, ...] | None:
    if listings is None:
        return None
    # A single text is a collection too, of letters.
    if isinstance(listings, str) or not isinstance(listings, Collection):
        raise InvalidSymbol('listings takes several lists: ["PERPETUAL:USDT"]', field="listings")
    return tuple(Listing.parse(one, "listings") for one in listings)


def _is_wanted(listing: Listing, wanted: Iterable[Listing]) -> bool:
    return any(
        one.kind is listing.kind
        and one.settle in (None, listing.settle)
        and one.underlying in (None, listing.underlying)
        for one in wanted
    )
