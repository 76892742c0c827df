"""Everything that a registry holds at one position of the log: an immutable whole, and what follows from news.

Pure: nothing here reads a clock or a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.registry.models import ListState, Position, RegistrySymbol
from exchanges_db.registry.places import Place
from exchanges_db.symbols.fees import Fees
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.models import NamedSymbol


class LogEntry(msgspec.Struct, frozen=True):
    """One row of the log: what one statement changed.

    ids: of symbols for SYMBOLS, else of exchanges.
    """

    epoch: int
    changed: str
    ids: frozenset[int]
    committed_at: datetime
    token: str = ""


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed up to a position; of what is named in `entries` all that there is now.

    Attributes:
        symbols: with rules or known by name only, by id; one of `symbol_ids` that is missing is gone.
        holds, fees, lists: by the id of the exchange; one of the changed exchanges that is missing has none.
    """

    position: Position
    entries: tuple[LogEntry, ...]
    exchanges: Mapping[int, StoredExchange]
    symbols: Mapping[int, RegistrySymbol | NamedSymbol]
    holds: Mapping[int, dict[str | None, Hold]]
    fees: Mapping[int, dict[tuple[str, int | None], Fees]]
    lists: Mapping[int, tuple[ListState, ...]]

    def ids_of(self, changed: str) -> set[int]:
        """Return the ids that the entries of one kind name."""
        return {number for entry in self.entries if entry.changed == changed for number in entry.ids}


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Exchanges and symbols at one position.

    Attributes:
        places: by enum_value of the exchange. places_by_id: the same by its id.
        log_version: of the triggers that wrote the log up to here; the log of others does not lead on. 0: not known.
    """

    position: Position
    places: dict[str, Place]
    places_by_id: dict[int, Place]
    log_version: int = 0

    @classmethod
    def of(cls, position: Position, places: Mapping[int, Place], log_version: int = 0) -> Snapshot:
        """Return the snapshot of these places, by id of the exchange."""
        return cls(
            position=position,
            places={place.exchange.enum_value: place for place in places.values()},
            places_by_id=dict(places),
            log_version=log_version,
        )

    def same(self, exchange: StoredExchange) -> Place | None:
        """Return the place of this very exchange, whatever it is called now; None where it is gone."""
        found = self.places_by_id.get(exchange.id)
        return found if found is not None and found.exchange.created_at == exchange.created_at else None

    def symbol(self, symbol_id: int) -> RegistrySymbol | NamedSymbol | None:
        """Return the symbol with this id, in whatever state; None where there is none."""
        for place in self.places_by_id.values():
            found = place.symbols.get(symbol_id) or place.named.get(symbol_id)
            if found is not None:
                return found
        return None

    def after(self, news: News) -> Snapshot:
        """Return what follows from news, which begin at this position."""
        places = dict(self.places_by_id)
        for number in news.ids_of("EXCHANGES"):
            exchange, place = news.exchanges.get(number), places.get(number)
            if exchange is None:
                places.pop(number, None)
            elif place is None:
                places[number] = Place(exchange=exchange)
            else:
                # Also where another exchange was given the id of one that was deleted: the log names all that went with
                # that one, and what it does not name is there still, however that came about.
                places[number] = place.evolved(exchange=exchange)
        symbols = self._moved(news)
        held, paid, listed = news.ids_of("HOLDS"), news.ids_of("FEES"), news.ids_of("LISTS")
        for number in (symbols.keys() | held | paid | listed) & places.keys():
            places[number] = places[number].evolved(
                symbols=symbols.get(number),
                holds=news.holds.get(number, {}) if number in held else None,
                fees=news.fees.get(number, {}) if number in paid else None,
                lists=news.lists.get(number, ()) if number in listed else None,
            )
        return Snapshot.of(news.position, places, self.log_version)

    def _moved(self, news: News) -> dict[int, dict[int, RegistrySymbol | NamedSymbol | None]]:
        """Return the symbols that changed, by the id of their exchange and their own; None: it is gone."""
        moved: dict[int, dict[int, RegistrySymbol | NamedSymbol | None]] = {}
        for number in news.ids_of("SYMBOLS"):
            now, before = news.symbols.get(number), self.symbol(number)
            if before is not None and (now is None or now.exchange_id != before.exchange_id):
                moved.setdefault(before.exchange_id, {})[number] = None
            if now is not None:
                moved.setdefault(now.exchange_id, {})[number] = now
        return moved
