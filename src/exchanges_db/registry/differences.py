"""Finds what happened between two snapshots, in the order of the log.

Pure: nothing here reads a clock or a database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import product
from operator import attrgetter
from typing import Any

from msgspec.structs import astuple

from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.registry.changes import (
    AmbiguityChanged,
    DoubtChanged,
    ExchangeChanged,
    FeesChanged,
    HoldChanged,
    ListChanged,
    RegistryChange,
    RegistryChangeKind,
    SymbolChanged,
)
from exchanges_db.registry.models import ListState, Position, RegistrySymbol
from exchanges_db.registry.moves import alike, is_ambiguous, regrouped
from exchanges_db.registry.places import Pair, Place
from exchanges_db.registry.snapshot import LogEntry, News, Snapshot
from exchanges_db.symbols.changes import FieldChange, find_changes_between
from exchanges_db.symbols.enums import SymbolKind
from exchanges_db.symbols.fees import Fees
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.models import NamedSymbol, SymbolSpec

_Kind = RegistryChangeKind
_Known = RegistrySymbol | NamedSymbol | None
_Pair = tuple[int, _Known, _Known]  # a symbol by its id, as it was and as it is
_Items = Iterator[tuple[Any, RegistryChange]]  # each after what puts it in order among those of its sort
_SPEC = len(SymbolSpec.__struct_fields__)  # the first fields of a symbol are those of its specification
_names = attrgetter("native_symbol", "base", "quote")
_BOOKKEEPING = frozenset(("id", "created_at", "updated_at", "version"))
_EXCHANGE_FIELDS = tuple(field for field in StoredExchange.__struct_fields__ if field not in _BOOKKEEPING)
# Of one transaction: an exchange comes before what is on it, and goes after it.
_GONE, _LAST = 1, 8
_ORDER: dict[type[RegistryChange], int] = {
    ExchangeChanged: 0,
    SymbolChanged: 2,
    DoubtChanged: 3,
    AmbiguityChanged: 4,
    HoldChanged: 5,
    FeesChanged: 6,
    ListChanged: 7,
}


def find_registry_changes(
    before: Snapshot, after: Snapshot, news: News | None, now: datetime | None = None
) -> list[RegistryChange]:
    """Return what happened between two snapshots, each thing once; what is the same again is not among it.

    news: that lead from one to the other; None: all was read anew, so that everything is compared.
    now: by the server's clock, for what the news have no time of: whether the time of a hold was over.
    """
    replaced = frozenset(number for number, place in before.places_by_id.items() if _is_replaced(place.exchange, after))
    steps = [(before, after, frozenset[int]())]
    if replaced:  # deleted, and another one inserted with the same id or name: the first goes with all that it had
        left = {number: place for number, place in before.places_by_id.items() if number not in replaced}
        between = Snapshot.of(after.position, left)
        steps = [(before, between, replaced), (between, after, frozenset())]
    found = [
        ((change.position.epoch, step, _order(change), change.exchange_id, detail), change)
        for step, (first, second, ended) in enumerate(steps)
        for detail, change in _Comparison(first, second, news, ended, now).changes()
    ]
    return [change for _, change in sorted(found, key=lambda one: one[0])]


def _is_replaced(exchange: StoredExchange, after: Snapshot) -> bool:
    is_taken = exchange.id in after.places_by_id or exchange.enum_value in after.places
    return is_taken and after.same(exchange) is None


def _order(change: RegistryChange) -> int:
    if change.kind is _Kind.SYMBOL_GONE:  # another may have its id or its name, on whichever exchange
        return _GONE
    return _LAST if change.kind is _Kind.EXCHANGE_GONE else _ORDER[type(change)]


class _Comparison:
    """Both snapshots, and which row of the log was the last to name what.

    ended: exchanges whose id or name another one has afterwards: what the log says later than of them is of that one.
    """

    def __init__(
        self, before: Snapshot, after: Snapshot, news: News | None, ended: frozenset[int], now: datetime | None
    ) -> None:
        self._before, self._after, self._ended, self._now = before, after, ended, now
        self._named: dict[tuple[str, int], LogEntry] | None = None
        if news is not None:
            self._named = {(entry.changed, number): entry for entry in news.entries for number in entry.ids}
            # The rows of one transaction are stamped one after the other.
            self._committed = {entry.epoch: entry.committed_at for entry in news.entries}
        # Exchanges that are there only before or only afterwards: all of it has changed, whatever the log names.
        self._come_or_gone = before.places_by_id.keys() ^ after.places_by_id.keys()

    def changes(self) -> _Items:
        """Yield each change."""
        pairs = [(number, was, now) for number, was, now in self._pairs() if was is not now]
        yield from self._exchanges()
        yield from self._symbols(pairs)
        yield from self._ambiguities(pairs)
        yield from self._beside()

    def _candidates(self, changed: str) -> Iterator[int]:
        """Yield the exchanges of which something of this kind may have changed."""
        for number in sorted(self._before.places_by_id.keys() | self._after.places_by_id.keys()):
            if self._named is None or (changed, number) in self._named or number in self._come_or_gone:
                yield number

    def _places(self, number: int) -> tuple[Place | None, Place | None]:
        return self._before.places_by_id.get(number), self._after.places_by_id.get(number)

    def _common(self, changed: str, number: int, exchange_id: int) -> dict[str, Any]:
        """Return what every item has; changed, number: by what the log names it."""
        before, after = self._places(exchange_id)
        place = after or before
        entry = None
        if self._named is not None:
            of_exchange = self._named.get(("EXCHANGES", exchange_id))
            entry = self._named.get((changed, number)) or of_exchange
            if exchange_id in self._ended and entry is not None and of_exchange is not None:
                entry = min(entry, of_exchange, key=lambda one: one.epoch)
        return {
            "position": self._after.position if entry is None else Position(entry.epoch, entry.token),
            "committed_at": None if entry is None else self._committed[entry.epoch],
            "exchange": None if place is None else place.exchange.enum_value,
            "exchange_id": exchange_id,
        }

    def _exchanges(self) -> _Items:
        for number in self._candidates("EXCHANGES"):
            was, now = (None if place is None else place.exchange for place in self._places(number))
            fields: tuple[FieldChange, ...] = ()
            if was is not None and now is not None:
                both = ((field, getattr(was, field), getattr(now, field)) for field in _EXCHANGE_FIELDS)
                fields = tuple(FieldChange(field, old, new) for field, old, new in both if old != new)
                if not fields:
                    continue
            common = self._common("EXCHANGES", number, number)
            yield 0, ExchangeChanged(kind=_exchange_kind(was, now), before=was, after=now, fields=fields, **common)

    def _symbols(self, pairs: Iterable[_Pair]) -> _Items:
        for number, was, now in pairs:
            moved = was is not None and now is not None and _is_another(was, now)
            if was is not None and (now is None or moved):
                common = self._common("SYMBOLS", number, was.exchange_id)
                yield number, SymbolChanged(kind=_Kind.SYMBOL_GONE, before=was, after=None, **common)
            if now is not None:
                yield from self._symbol(number, None if moved else was, now)

    def _pairs(self) -> Iterator[_Pair]:
        """Yield each symbol that may be another one, as it was and as it is."""
        if self._named is not None:
            numbers = {number for changed, number in self._named if changed == "SYMBOLS"}
            for place in (place for one in self._come_or_gone for place in self._places(one) if place is not None):
                numbers |= place.symbols.keys() | place.named.keys()
            for number in numbers:
                yield number, self._before.symbol(number), self._after.symbol(number)
            return
        known: list[dict[int, RegistrySymbol | NamedSymbol]] = []
        for snapshot in (self._before, self._after):
            known.append({})
            for place in snapshot.places_by_id.values():
                known[-1] |= {**place.named, **place.symbols}
        was, now = known
        for number in was.keys() | now.keys():
            yield number, was.get(number), now.get(number)

    def _symbol(self, number: int, was: _Known, now: RegistrySymbol | NamedSymbol) -> _Items:
        if isinstance(now, NamedSymbol):
            if not isinstance(was, NamedSymbol) or _names(was) != _names(now):
                common = self._common("SYMBOLS", number, now.exchange_id)
                yield number, SymbolChanged(kind=_Kind.SYMBOL_NAMED, before=was, after=now, **common)
            return
        known = was if isinstance(was, RegistrySymbol) else None
        if known is not None and _is_same(known, now):
            return
        for change in find_changes_between([] if known is None else [known], [now]):
            kind, common = _Kind(f"SYMBOL_{change.kind}"), self._common("SYMBOLS", number, now.exchange_id)
            yield number, SymbolChanged(kind=kind, before=was, after=now, fields=change.fields, **common)
        since = now.doubtful_since
        if since != (None if known is None else known.doubtful_since):
            kind = _Kind.DOUBT_ENDED if since is None else _Kind.DOUBT_BEGUN
            common = self._common("SYMBOLS", number, now.exchange_id)
            yield number, DoubtChanged(kind=kind, symbol=now, since=since, **common)

    def _ambiguities(self, pairs: Iterable[_Pair]) -> _Items:
        groups: dict[tuple[int, Pair, SymbolKind | None], list[int]] = {}
        for number, was, now in pairs:
            old, new = (symbol if isinstance(symbol, RegistrySymbol) else None for symbol in (was, now))
            is_elsewhere = old is not None and new is not None and old.exchange_id != new.exchange_id
            for one, other in ((old, None), (None, new)) if is_elsewhere else ((old, new),):
                touched = regrouped(one, other)
                for symbol in (each for each in (one, other) if touched and each is not None):
                    for pair, kind in product(touched, (None, symbol.kind)):
                        groups.setdefault((symbol.exchange_id, pair, kind), []).append(number)
        for (exchange_id, pair, kind), numbers in groups.items():
            known, names = (alike(place, pair).get(kind, ()) for place in self._places(exchange_id))
            if is_ambiguous(known) is not is_ambiguous(names):
                last = numbers[0] if self._named is None else max(numbers, key=self._epoch_of)
                common = self._common("SYMBOLS", last, exchange_id) | {"base": pair[0], "quote": pair[1]}
                what = _Kind.AMBIGUITY_BEGUN if is_ambiguous(names) else _Kind.AMBIGUITY_ENDED
                yield (pair, kind or ""), AmbiguityChanged(kind=what, symbol_kind=kind, candidates=names, **common)

    def _epoch_of(self, symbol_id: int) -> int:
        entry = None if self._named is None else self._named.get(("SYMBOLS", symbol_id))
        return 0 if entry is None else entry.epoch

    def _last_of_fees(self, exchange_id: int, symbol_id: int | None, fees: Fees | None) -> tuple[str, int]:
        """Return by what the log names last what became of fees."""
        said, gone = ("FEES", exchange_id), ("SYMBOLS", symbol_id or 0)
        if fees is None and self._named is not None and gone in self._named:
            entry = self._named.get(said)
            return gone if entry is None or entry.epoch < self._named[gone].epoch else said
        return said

    def _beside(self) -> _Items:
        for number in self._candidates("HOLDS"):
            was, now = ({} if place is None else place.holds for place in self._places(number))
            common = self._common("HOLDS", number, number)
            for native in was.keys() | now.keys():
                old, new = (_in_force(holds.get(native), common["committed_at"] or self._now) for holds in (was, now))
                if old != new:
                    kind = _set_or_not(old, new, _Kind.HOLD_SET, _Kind.HOLD_REPLACED, _Kind.HOLD_RELEASED)
                    yield native or "", HoldChanged(kind=kind, native_symbol=native, before=old, after=new, **common)
        # Those of a symbol that is gone, also where its id was given again, went with it: no row of the log names them.
        for number in sorted(self._before.places_by_id.keys() | self._after.places_by_id.keys()):
            paid, pays = ({} if place is None else place.fees for place in self._places(number))
            if paid is pays:
                continue
            for account, symbol_id in paid.keys() | pays.keys():
                fees, new_fees = paid.get((account, symbol_id)), pays.get((account, symbol_id))
                if fees != new_fees:
                    kind = _set_or_not(fees, new_fees, _Kind.FEES_SET, _Kind.FEES_SET, _Kind.FEES_FORGOTTEN)
                    common = self._common(*self._last_of_fees(number, symbol_id, new_fees), number)
                    common |= {"account": account, "symbol_id": symbol_id}
                    yield (account, symbol_id or 0), FeesChanged(kind=kind, before=fees, after=new_fees, **common)
        for number in self._candidates("LISTS"):
            places = (() if place is None else place.lists for place in self._places(number))
            lists, new_lists = ({one.listing: one for one in known} for known in places)
            common = self._common("LISTS", number, number)
            for listing in lists.keys() | new_lists.keys():
                state, new_state, common["listing"] = lists.get(listing), new_lists.get(listing), listing
                if state != new_state:
                    kind = _list_kind(state, new_state)
                    yield str(listing), ListChanged(kind=kind, before=state, after=new_state, **common)


def _is_another(was: RegistrySymbol | NamedSymbol, now: RegistrySymbol | NamedSymbol) -> bool:
    """Return whether another symbol has the id since, as after a failover that lost the last commits."""
    # No row ever changes its own name; of what is known by name only, another name is told as such.
    has_rules = isinstance(was, RegistrySymbol) and isinstance(now, RegistrySymbol)
    return was.exchange_id != now.exchange_id or (has_rules and was.native_symbol != now.native_symbol)


def _is_same(was: RegistrySymbol, now: RegistrySymbol) -> bool:
    """Return whether nothing happened, sooner than by the fields: after everything was read anew most are the same."""
    return was.doubtful_since == now.doubtful_since and astuple(was)[:_SPEC] == astuple(now)[:_SPEC]


def _exchange_kind(was: StoredExchange | None, now: StoredExchange | None) -> _Kind:
    if was is None or now is None:
        return _Kind.EXCHANGE_ADDED if was is None else _Kind.EXCHANGE_GONE
    if was.is_active != now.is_active:
        return _Kind.EXCHANGE_ACTIVATED if now.is_active else _Kind.EXCHANGE_DEACTIVATED
    return _Kind.EXCHANGE_CHANGED


def _set_or_not(old: object, new: object, first: _Kind, again: _Kind, gone: _Kind) -> _Kind:
    if new is None:
        return gone
    return first if old is None else again


def _in_force(hold: Hold | None, at: datetime | None) -> Hold | None:
    """Return it, or None where its time was over: to set another one forbids anew, and to release it does nothing."""
    return None if hold is not None and at is not None and hold.until_at is not None and hold.until_at <= at else hold


def _list_kind(old: ListState | None, new: ListState | None) -> _Kind:
    if new is None:
        return _Kind.LIST_GONE
    is_confirmed = old is not None and old.changed_at == new.changed_at
    return _Kind.LIST_CONFIRMED if is_confirmed else _Kind.LIST_CHANGED
