"""Which exchange and which symbol of a snapshot somebody means, and the error for what is not there.

The rules are those of the look-ups that ask the database: the exact spelling first, another case where it is unique.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from operator import attrgetter

from exchanges_db.errors import AmbiguousSymbol, ExchangeNotFound, SymbolNotFound, shown
from exchanges_db.exchanges.names import check_exchange, pick
from exchanges_db.registry.models import RegistrySymbol
from exchanges_db.registry.places import Place, several
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.symbols.enums import SymbolKind, is_live
from exchanges_db.symbols.names import advice, choose_spelling, known_by_name_only
from exchanges_db.symbols.names import not_called as not_called_there

_MOST_KINDS = 4


class Later:
    """A text that is written when it is first read, because to write it takes long: advice among 100,000 names."""

    __slots__ = ("_write",)

    def __init__(self, write: Callable[[], str]) -> None:
        self._write = write

    def __str__(self) -> str:
        return self._write()

    def __repr__(self) -> str:
        return repr(str(self))

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


def place_of(snapshot: Snapshot, exchange: Enum | str) -> Place:
    """Return an exchange, active or not.

    Raises:
        InvalidExchange: no exchange could have that name.
        ExchangeNotFound: there is no such exchange; the message names the nearest.
    """
    text = check_exchange(exchange)
    found = snapshot.places.get(text)
    if found is None:
        known = {name: place.exchange.name for name, place in snapshot.places.items()}
        found = snapshot.places[pick(text, known)]
    return found


def called(place: Place, name: str) -> RegistrySymbol | None:
    """Return the symbol with this canonical name, else the only one that differs from it in case alone, or None.

    Raises AmbiguousSymbol where several may be meant.
    """
    found = place.called(name)
    if found is None:
        spelling = choose_spelling(place.exchange.enum_value, name, _Folded.of(place).get(name.lower(), ()))
        found = None if spelling is None else place.called(spelling)
    return found


def by_any_name(place: Place, name: str) -> RegistrySymbol:
    """Return the symbol with this canonical or native name. Raises SymbolNotFound, AmbiguousSymbol."""
    try:
        found = called(place, name)
    except AmbiguousSymbol as exc:
        # Several share the name, and the exchange itself gives it to one of them: its own names are told apart by it.
        if name not in exc.candidates:
            raise
        found = None
    found = found or place.native(name)
    if found is None:
        raise not_called(place, name)
    return found


def not_called(place: Place, name: str, *, native: bool = False) -> SymbolNotFound:
    """Return the error for a name that an exchange does not have, with what it may be called there.

    native: it was asked for by the exchange's own names, so that no other name helps.
    """
    exchange = place.exchange.enum_value
    if any(one.native_symbol == name for one in place.named.values()):
        return known_by_name_only(exchange, name)
    return SymbolNotFound(Later(lambda: str(not_called_there(exchange, name, _live(place), native=native))))


def no_pair(place: Place, base: str, quote: str, kind: SymbolKind | None) -> SymbolNotFound:
    """Return the error for a pair that no live symbol is of, with what there is instead."""
    exchange, what = place.exchange.enum_value, "symbol" if kind is None else f"{kind} symbol"

    def words() -> str:
        others = several(place.by_pair.get((base, quote)))[:_MOST_KINDS]
        names = ", ".join(f"{shown(one.symbol)} is {one.kind}" for one in others)
        return (
            f"{exchange} has no live {what} of {shown(base)} and {shown(quote)}: "
            f"{names or advice(f'{base}/{quote}', _live(place))}"
        )

    return SymbolNotFound(Later(words))


def no_exchange_more(exchange: str) -> ExchangeNotFound:
    """Return the error for an exchange that was deleted meanwhile."""
    return ExchangeNotFound(f"exchange {shown(exchange)} was deleted meanwhile")


def _live(place: Place) -> list[RegistrySymbol]:
    live = [one for one in place.symbols.values() if is_live(one.status)]
    return sorted(live, key=attrgetter("symbol", "id"))


class _Folded:
    """The canonical names of a place by their small letters; kept for the places that were asked last."""

    def __init__(self, place: Place) -> None:
        self.by_symbol = place.by_symbol

    def __hash__(self) -> int:
        return id(self.by_symbol)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Folded) and other.by_symbol is self.by_symbol

    @staticmethod
    def of(place: Place) -> dict[str, tuple[str, ...]]:
        return _folded(_Folded(place))


@lru_cache(maxsize=8)
def _folded(names: _Folded) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name in names.by_symbol:
        small = name.lower()
        found[small] = (*found.get(small, ()), name)
    return found
