"""Which symbols of an exchange are not what they were: found by the ids that news name, else by comparing all."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from exchanges_db.registry.models import RegistrySymbol
from exchanges_db.registry.places import Pair, Place, several
from exchanges_db.registry.snapshot import News
from exchanges_db.symbols.enums import SymbolKind, is_live

Move = tuple[RegistrySymbol | None, RegistrySymbol | None]
# What changes symbols without naming them.
_OF_EXCHANGES = frozenset(("EXCHANGES", "HOLDS", "FEES"))


def moves(before: Place | None, after: Place | None, news: News | None) -> list[Move]:
    """Return each symbol that is another object, as it was and as it is; None: there is none.

    news: that lead from the one to the other; None where that is not known.
    """
    old = {} if before is None else before.symbols
    new = {} if after is None else after.symbols
    if old is new:  # as where an exchange is shown under another name: none of its symbols is looked at
        return []
    numbers: Iterable[int]
    if news is None or before is None or after is None or names_exchange(news, after.exchange.id):
        numbers = old.keys() | new.keys()
    else:
        numbers = news.ids_of("SYMBOLS")
    found = zip(map(old.get, numbers), map(new.get, numbers), strict=True)
    return [(was, now) for was, now in found if was is not now]


def names_exchange(news: News, exchange_id: int) -> bool:
    """Return whether something of a whole exchange has changed that its symbols carry."""
    return any(entry.changed in _OF_EXCHANGES and exchange_id in entry.ids for entry in news.entries)


def live_pair(symbol: RegistrySymbol | None) -> Pair | None:
    """Return the pair that a symbol can be asked for by; None where it is not live."""
    return None if symbol is None or not is_live(symbol.status) else (symbol.base, symbol.quote)


def pairs_of(found: Iterable[Move]) -> set[Pair]:
    """Return the pairs that other symbols are of than before."""
    changed: set[Pair] = set()
    for was, now in found:
        before, after = live_pair(was), live_pair(now)
        if before != after:
            changed.update(pair for pair in (before, after) if pair is not None)
    return changed


class Ambiguity(msgspec.Struct, frozen=True, kw_only=True):
    """A pair that several live symbols are of, so that a look-up by it raises AmbiguousSymbol.

    Attributes:
        kind: that all of them have; None: whatever kinds they have, which matters where none is named.
        candidates: their native names.
    """

    exchange: str
    base: str
    quote: str
    kind: SymbolKind | None
    candidates: tuple[str, ...]


def newly_ambiguous(before: Place | None, after: Place | None, found: Iterable[Move]) -> list[Ambiguity]:
    """Return each pair that is ambiguous and was not before, by itself, and for each kind for which it is."""
    if after is None:
        return []
    told: list[Ambiguity] = []
    for pair in sorted({pair for was, now in found for pair in regrouped(was, now)}):
        known = alike(before, pair)
        told += [
            Ambiguity(exchange=after.exchange.enum_value, base=pair[0], quote=pair[1], kind=kind, candidates=names)
            for kind, names in alike(after, pair).items()
            if is_ambiguous(names) and not is_ambiguous(known.get(kind, ()))
        ]
    return told


def regrouped(was: RegistrySymbol | None, now: RegistrySymbol | None) -> set[Pair]:
    """Return the pairs that may be ambiguous, or no longer, by what became of one symbol: another kind counts, too."""
    before, after = live_pair(was), live_pair(now)
    if before == after and (was is None or now is None or was.kind is now.kind):
        return set()
    return {pair for pair in (before, after) if pair is not None}


def is_ambiguous(names: tuple[str, ...]) -> bool:
    """Return whether a look-up that these are candidates of finds no single one."""
    return len(names) > 1


def alike(place: Place | None, pair: Pair) -> dict[SymbolKind | None, tuple[str, ...]]:
    """Return the native names of the live symbols of a pair, all (None) and by kind."""
    found = several(None if place is None else place.by_pair.get(pair))
    kinds: set[SymbolKind | None] = {None, *(one.kind for one in found)}
    return {kind: tuple(sorted(one.native_symbol for one in found if kind in (None, one.kind))) for kind in kinds}
