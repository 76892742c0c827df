"""What views are filled from: an exchange and a kind, followed from snapshot to snapshot.

A registry follows with weak references: a binding is kept by its view and by the view's ids, and knows these weakly.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from exchanges_db.errors import AmbiguousSymbol, InvalidSymbol, RegistryStale, SymbolNotFound, shown
from exchanges_db.registry.answers import Answers, again, answer, change, refuse
from exchanges_db.registry.hooks import call
from exchanges_db.registry.models import RegistrySymbol
from exchanges_db.registry.moves import Ambiguity, Move, moves, newly_ambiguous
from exchanges_db.registry.names import no_exchange_more, no_pair, not_called, place_of
from exchanges_db.registry.places import Place
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_db.registry.views import Ids, Key, View
from exchanges_db.symbols.enums import SymbolKind, is_live
from exchanges_db.symbols.look_ups import check_kind
from exchanges_db.symbols.names import check_name

OnListed = Callable[[RegistrySymbol], object]
OnAmbiguous = Callable[[Ambiguity], object]
_MOST_PAIRS = 3
_PAIR = 2


class Binding:
    """An exchange and a kind, with the view and the ids that are filled from it, while somebody holds them."""

    def __init__(
        self,
        place: Place,
        kind: SymbolKind | None,
        on_listed: OnListed | None = None,
        on_ambiguous: OnAmbiguous | None = None,
        pairs: bool = True,
    ) -> None:
        self._place: Place | None = place
        self._exchange = place.exchange
        self._kind = kind
        self._has_pairs = pairs
        self._on_listed = on_listed
        self._on_ambiguous = on_ambiguous
        self._refusal: RegistryStale | None = None
        self._view: weakref.ref[View] | None = None
        self._ids: weakref.ref[Ids] | None = None

    def view(self, *, allow_ambiguous: bool) -> View:
        """Return the view, once. Raises AmbiguousSymbol where a pair has several symbols, unless that is allowed."""
        found = self._ambiguous(None, moves(None, self._place, None))
        if found and not allow_ambiguous:
            raise _not_unique(self._exchange.enum_value, self._kind, found)
        view = View(self)
        self._view, self._ids = weakref.ref(view), weakref.ref(view.ids)
        self._put(self._everything())
        return view

    def find(self, key: Key) -> RegistrySymbol:
        """Return what a key has that was put in a moment ago, or raise the error for one that is not there."""
        if self._refusal is not None:
            raise again(self._refusal)
        place, exchange = self._place, self._exchange.enum_value
        if place is None:
            raise no_exchange_more(exchange)
        if isinstance(key, str):
            found = place.native(check_name(key, "native_symbol"))
            if found is None:
                raise not_called(place, key, native=True)
            if not self._has(found):
                other = f"{found.status}" if not is_live(found.status) else f"a {found.kind}, and the view has no such"
                raise SymbolNotFound(f"{exchange}'s symbol {shown(key)} is {other}")
            return found
        if not (isinstance(key, tuple) and len(key) == _PAIR and all(isinstance(part, str) for part in key)):
            raise InvalidSymbol(f"a view is asked for a native symbol, or for base and quote, not for {shown(key)}")
        if not self._has_pairs:
            raise InvalidSymbol("this view was made with pairs=False, and is asked for native symbols alone")
        base, quote = check_name(key[0], "base"), check_name(key[1], "quote")
        found = place.pair(base, quote, self._kind)
        if found is None:
            raise no_pair(place, base, quote, self._kind)
        return found

    def moved(self, before: Snapshot | None, after: Snapshot, news: News | None) -> None:
        """Go on from one snapshot to the next."""
        if self._refusal is not None:
            return  # `fresh` makes up for it
        old, new = self._place, self._in(after)
        if old is new:
            return
        is_next = before is not None and before.places_by_id.get(self._exchange.id) is old
        found = moves(old, new, news if is_next else None)
        self._take(new)
        symbols = [one for move in found for one in move if one is not None]
        keys: dict[Key, None] = dict.fromkeys(one.native_symbol for one in symbols)
        if self._has_pairs:
            keys.update(dict.fromkeys((one.base, one.quote) for one in symbols))
        wanted = {key: self._unique(key) for key in keys}
        self._put(
            {key: one for key, one in wanted.items() if one is not None},
            [key for key, one in wanted.items() if one is None],
        )
        self._tell(old, found)

    def stale(self, error: RegistryStale) -> None:
        """Raise this error from now on."""
        self._refusal = error
        for answers in (self._view, self._ids):
            held = None if answers is None else answers()
            if held is not None:
                refuse(held, error)

    def fresh(self, snapshot: Snapshot) -> None:
        """Answer again, by this snapshot; what happened meanwhile is told."""
        old = self._place
        self._take(self._in(snapshot))
        self._put(self._everything(), refill=True)
        self._refusal = None
        self._tell(old, moves(old, self._place, None))

    def _in(self, snapshot: Snapshot) -> Place | None:
        # By its id, which stays where its name is changed. By its name where it was deleted and inserted again, also
        # where another one has its id since, as after TRUNCATE ... RESTART IDENTITY or in a database made anew.
        return snapshot.same(self._exchange) or snapshot.places.get(self._exchange.enum_value)

    def _take(self, place: Place | None) -> None:
        self._place = place
        if place is not None:
            self._exchange = place.exchange

    def _has(self, symbol: RegistrySymbol | None) -> bool:
        return symbol is not None and is_live(symbol.status) and self._kind in (None, symbol.kind)

    def _unique(self, key: Key) -> RegistrySymbol | None:
        place = self._place
        if place is None:
            return None
        entry = place.by_native.get(key) if isinstance(key, str) else place.by_pair.get(key)
        if not isinstance(entry, tuple):  # nearly always, so that it is to be quick
            return entry if self._has(entry) else None
        found = [one for one in entry if self._has(one)]
        return found[0] if len(found) == 1 else None

    def _everything(self) -> dict[Key, RegistrySymbol]:
        place = self._place
        # Names first, pairs after them: whoever asks by one of the two finds it beside others of its sort in memory.
        keys: list[Key] = [] if place is None else [*place.by_native, *(place.by_pair if self._has_pairs else ())]
        return {key: one for key in keys if (one := self._unique(key)) is not None}

    def _put(self, added: dict[Key, RegistrySymbol], gone: Iterable[Key] = (), *, refill: bool = False) -> None:
        view = None if self._view is None else self._view()
        ids = None if self._ids is None else self._ids()
        numbers = {} if ids is None else {key: one.id for key, one in added.items()}
        filled: tuple[tuple[Answers[Any, Any] | None, dict[Key, Any]], ...] = ((view, added), (ids, numbers))
        for answers, values in filled:
            if answers is None:
                continue
            if refill:
                answer(answers, values)
            else:
                change(answers, values, gone)

    def _ambiguous(self, before: Place | None, found: Iterable[Move]) -> list[Ambiguity]:
        if not self._has_pairs:
            return []
        return [one for one in newly_ambiguous(before, self._place, found) if one.kind is self._kind]

    def _tell(self, before: Place | None, found: list[Move]) -> None:
        for was, now in found:
            if now is None or not self._has(now):
                continue
            # One that has another's id since, as after a failover that lost the last commits, is as new as any.
            if was is None or not self._has(was) or was.native_symbol != now.native_symbol:
                call(self._on_listed, now)
        if self._on_ambiguous is not None:
            for one in self._ambiguous(before, found):
                call(self._on_ambiguous, one)


def bind(
    snapshot: Snapshot,
    exchange: Enum | str,
    kind: SymbolKind | str | None = None,
    *,
    on_listed: OnListed | None = None,
    on_ambiguous: OnAmbiguous | None = None,
    pairs: bool = True,
) -> Binding:
    """Return an exchange and a kind, bound. Raises ExchangeNotFound, InvalidArgument."""
    wanted = None if kind is None else check_kind(kind)
    return Binding(place_of(snapshot, exchange), wanted, on_listed, on_ambiguous, pairs)


def _not_unique(exchange: str, kind: SymbolKind | None, found: list[Ambiguity]) -> AmbiguousSymbol:
    pairs = ", ".join(f"{shown(one.base)} and {shown(one.quote)}" for one in found[:_MOST_PAIRS])
    more = f" and {len(found) - _MOST_PAIRS} pairs more" if len(found) > _MOST_PAIRS else ""
    what = "symbols" if kind is None else f"symbols of kind {kind}"
    advice = "bind the view to a kind, or pass" if kind is None else "pass"
    return AmbiguousSymbol(
        f"{exchange} has several live {what} of {pairs}{more}: {advice} allow_ambiguous=True and ask for those by the "
        "exchange's own names",
        candidates=tuple(name for one in found for name in one.candidates),
    )
