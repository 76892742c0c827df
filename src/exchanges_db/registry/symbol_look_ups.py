"""Look-ups of symbols in memory: what those of the database answer, awaiting nothing."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from operator import attrgetter
from typing import TypeVar

from exchanges_db.errors import SymbolNotFound, shown
from exchanges_db.exchanges.names import check_exchange
from exchanges_db.registry.models import RegistrySymbol
from exchanges_db.registry.names import by_any_name, called, no_pair, not_called, place_of
from exchanges_db.registry.places import Place, several
from exchanges_db.registry.served import Served
from exchanges_db.symbols.enums import SymbolKind
from exchanges_db.symbols.look_ups import check_ids, check_kind, is_symbol_id
from exchanges_db.symbols.models import NamedSymbol
from exchanges_db.symbols.names import check_name, check_names

D = TypeVar("D")
by_place_and_name = attrgetter("exchange", "symbol", "id")


class SymbolLookUps:
    """The part of a registry's look-ups that is about symbols.

    Where an exchange is named and there is none, all raise ExchangeNotFound, also those that take a `default`: that
    one has a symbol less is news, that there is no such exchange is a slip of the pen.
    """

    _served: Served

    def symbol(self, exchange: Enum | str, symbol: str) -> RegistrySymbol:
        """Return the symbol with this canonical name, such as BTC/USDT:USDT, in this or the only other case.

        Where a name was given again, the live symbol is returned, else the last one that was delisted.

        Raises:
            ExchangeNotFound, SymbolNotFound: there is no such exchange or symbol; the message names the nearest.
            AmbiguousSymbol: several live symbols have exactly this name, or several differ from it in case only.
        """
        place, name = self._place(exchange, symbol)
        found = called(place, name)
        if found is None:
            raise not_called(place, name)
        return found

    def get_symbol(self, exchange: Enum | str, symbol: str, default: D | None = None) -> RegistrySymbol | D | None:
        """Return what `symbol` does, or `default` where there is no such symbol."""
        found = called(*self._place(exchange, symbol))
        return default if found is None else found

    def symbol_by_native(self, exchange: Enum | str, native_symbol: str) -> RegistrySymbol:
        """Return the symbol that has exactly this name in the exchange's own requests, the live one first.

        Raises ExchangeNotFound, SymbolNotFound.
        """
        place, name = self._place(exchange, native_symbol, "native_symbol")
        found = place.native(name)
        if found is None:
            raise not_called(place, name, native=True)
        return found

    def get_symbol_by_native(
        self, exchange: Enum | str, native_symbol: str, default: D | None = None
    ) -> RegistrySymbol | D | None:
        """Return what `symbol_by_native` does, or `default` where there is no such symbol."""
        place, name = self._place(exchange, native_symbol, "native_symbol")
        found = place.native(name)
        return default if found is None else found

    def find_symbol(self, exchange: Enum | str, symbol: str) -> RegistrySymbol:
        """Return the symbol with this canonical or native name. Raises as `symbol` does."""
        return by_any_name(*self._place(exchange, symbol))

    def symbol_by_id(self, symbol_id: int) -> RegistrySymbol | NamedSymbol:
        """Return the symbol with this id, in whatever state; NamedSymbol: it is known by name only.

        Raises SymbolNotFound. `by_id` is faster, and has those only that have rules.
        """
        found = self.get_symbol_by_id(symbol_id)
        if found is None:
            raise SymbolNotFound(f"no symbol has the id {shown(symbol_id)}")
        return found

    def get_symbol_by_id(self, symbol_id: int, default: D | None = None) -> RegistrySymbol | NamedSymbol | D | None:
        """Return what `symbol_by_id` does, or `default` where there is no such symbol."""
        is_symbol_id(symbol_id)
        found = self._served.by_id.get(symbol_id) or self._served.snapshot.symbol(symbol_id)
        return default if found is None else found

    def get_symbols(self, exchange: Enum | str, symbols: Iterable[str]) -> dict[str, RegistrySymbol]:
        """Return the symbols with these canonical names, by the name as it was given; missing ones are left out."""
        text, wanted = check_exchange(exchange), check_names(symbols)
        place = place_of(self._served.snapshot, text)
        found = ((name, called(place, name)) for name in wanted)
        return {name: one for name, one in found if one is not None}

    def get_symbols_by_ids(self, symbol_ids: Iterable[int]) -> dict[int, RegistrySymbol | NamedSymbol]:
        """Return the symbols with these ids, by id, in the order asked for; missing ones are left out."""
        found = ((number, self.get_symbol_by_id(number)) for number in check_ids(symbol_ids))
        return {number: one for number, one in found if one is not None}

    def symbol_by_pair(
        self, exchange: Enum | str, base: str, quote: str, kind: SymbolKind | str | None = None
    ) -> RegistrySymbol:
        """Return the only live symbol of a pair, of this kind where one is given.

        Raises:
            ExchangeNotFound, SymbolNotFound: there is no such exchange or symbol.
            AmbiguousSymbol: several live symbols fit; `.candidates` are their native names.
        """
        place, _ = self._place(exchange, base, "base")
        wanted = None if kind is None else check_kind(kind)
        found = place.pair(base, check_name(quote, "quote"), wanted)
        if found is None:
            raise no_pair(place, base, quote, wanted)
        return found

    def get_symbol_by_pair(
        self,
        exchange: Enum | str,
        base: str,
        quote: str,
        kind: SymbolKind | str | None = None,
        default: D | None = None,
    ) -> RegistrySymbol | D | None:
        """Return what `symbol_by_pair` does, or `default` where there is no such symbol; several are an error still."""
        place, _ = self._place(exchange, base, "base")
        found = place.pair(base, check_name(quote, "quote"), None if kind is None else check_kind(kind))
        return default if found is None else found

    def symbols_by_pair(self, base: str, quote: str, kind: SymbolKind | str | None = None) -> list[RegistrySymbol]:
        """Return the live symbols of a pair on all exchanges, active or not, by exchange and name.

        One code may stand for two coins on two exchanges: `common_symbols` says where that is known.
        """
        pair = check_name(base, "base"), check_name(quote, "quote")
        wanted = None if kind is None else check_kind(kind)
        places = self._served.snapshot.places_by_id.values()
        found = (one for place in places for one in several(place.by_pair.get(pair)))
        return sorted((one for one in found if wanted in (None, one.kind)), key=by_place_and_name)

    def _place(self, exchange: Enum | str, name: str, field: str = "symbol") -> tuple[Place, str]:
        text, checked = check_exchange(exchange), check_name(name, field)
        return place_of(self._served.snapshot, text), checked
