"""What a registry's look-ups answer from: the newest snapshot, its symbols by id, and the ids that pairs have."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from itertools import chain
from typing import Any, NoReturn

from exchanges_db.errors import InvalidSymbol, RegistryStale, SymbolNotFound, shown
from exchanges_db.registry.answers import Answers, again, answer, change, refuse
from exchanges_db.registry.forks import a_lock
from exchanges_db.registry.models import RegistrySymbol
from exchanges_db.registry.moves import Move, moves, pairs_of
from exchanges_db.registry.names import no_pair, place_of
from exchanges_db.registry.places import all_symbols
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_db.registry.state import HOLDS_NOTHING
from exchanges_db.symbols.names import check_name

PairKey = tuple[Enum | str, str, str]


class SymbolsById(Answers[int, RegistrySymbol]):
    """Every symbol that has rules, delisted ones too, by id."""

    __slots__ = ()

    def _find(self, key: int) -> RegistrySymbol:
        if type(key) is not int:
            raise InvalidSymbol(f"the id of a symbol must be an integer, not {type(key).__name__}", field="symbol_id")
        raise SymbolNotFound(f"no symbol that has rules has the id {shown(key)}")


class SymbolIds(Answers[PairKey, int]):
    """The id of the only live symbol of a pair, by exchange, base and quote; found when first asked for, then kept.

    The exchange may be any Enum or text that names it. What is kept is taken out when it may be another. It is kept by
    that alone which all equal keys mean, too: members of two enums may be equal, and have different texts for values.
    """

    __slots__ = ("_lock", "_named", "_snapshot")

    def __init__(self) -> None:
        super().__init__()
        self._lock = a_lock()
        self._snapshot: Snapshot | None = None
        self._named: dict[int, set[Enum | str]] = {}  # by what an exchange was asked for, by its id

    def _find(self, key: PairKey) -> int:
        """Return the id, and keep it. Raises as `Place.pair` does, SymbolNotFound too."""
        exchange, base, quote = key
        snapshot = self._snapshot
        if snapshot is None:
            raise RegistryStale(HOLDS_NOTHING)
        place = place_of(snapshot, exchange)
        found = place.pair(check_name(base, "base"), check_name(quote, "quote"))
        if found is None:
            raise no_pair(place, base, quote, None)
        name = _kept_name(exchange, place.exchange.enum_value)
        # Not kept this time where the lock is taken: a look-up waits for none, least of all in the handler of a signal
        # that has interrupted whoever has it.
        if name is not None and self._lock.acquire(blocking=False):
            try:
                if self._snapshot is snapshot and type(self) is SymbolIds:
                    # A plain text stands for one of a class that compares in its own way.
                    dict.__setitem__(self, (name, str.__str__(base), str.__str__(quote)), found.id)
                    self._named.setdefault(place.exchange.id, set()).add(name)
            finally:
                self._lock.release()
        return found.id

    def moved(
        self, before: Snapshot | None, after: Snapshot, news: News | None, found: Mapping[int, list[Move]]
    ) -> None:
        """Go on to the next snapshot; what may be another id now is forgotten before it is the one that is asked.

        found: which symbols are others than before, by the id of the exchange.
        """
        with self._lock:
            if before is None or before is not self._snapshot or news is None or news.ids_of("EXCHANGES"):
                self._forget(after)
                return
            for number in self._named:
                for base, quote in pairs_of(found[number]):
                    for exchange in self._named[number]:
                        dict.pop(self, (exchange, base, quote), None)
            self._snapshot = after
            # Whoever looked one up in the old snapshot meanwhile keeps nothing of it: see `_find`.

    def refuse(self, error: RegistryStale) -> None:
        """Raise this error for every question from now on."""
        with self._lock:
            refuse(self, error)

    def restart(self, snapshot: Snapshot) -> None:
        """Answer again, by this snapshot."""
        with self._lock:
            self._forget(snapshot)
            answer(self, {})

    def _forget(self, snapshot: Snapshot) -> None:
        dict.clear(self)
        self._named.clear()
        self._snapshot = snapshot


def _kept_name(exchange: Enum | str, enum_value: str) -> Enum | str | None:
    """Return by what an exchange is kept for what it was asked for by; None: not at all, but found each time."""
    if not isinstance(exchange, Enum):
        # Spellings without end would be kept without end.
        return enum_value if str.__eq__(exchange, enum_value) else None
    return exchange if type(exchange).__eq__ in (str.__eq__, object.__eq__) else None


class _NoSnapshot:
    """Stands where a snapshot would, and raises."""

    def __init__(self, error: RegistryStale) -> None:
        self._error = error

    def __getattr__(self, name: str) -> NoReturn:
        raise again(self._error)


class Served:
    """Follows the snapshots for the look-ups of one registry.

    Attributes:
        snapshot: the newest; where the registry is stale and was told to raise then, whatever is asked of it raises.
        last: the newest in any case; None until one was loaded.
        by_id, pair_ids: the same two objects, always.
    """

    def __init__(self) -> None:
        self.last: Snapshot | None = None
        self.by_id = SymbolsById()
        self.pair_ids = SymbolIds()
        self.snapshot: Snapshot
        self.stale(RegistryStale(HOLDS_NOTHING))

    def moved(self, before: Snapshot | None, after: Snapshot, news: News | None) -> None:
        """Go on from one snapshot to the next."""
        known, self.last = self.last, after
        if self._refuses:
            if known is None:
                self.fresh(after)
            return  # `fresh` makes up for it
        added: dict[int, RegistrySymbol] = {}
        gone: set[int] = set()
        if before is not known or known is None:
            before, news = known, None
        old: Any = {} if before is None else before.places_by_id
        found = {
            number: moves(old.get(number), after.places_by_id.get(number), news)
            for number in old.keys() | after.places_by_id.keys()
        }
        for was, now in chain.from_iterable(found.values()):
            if now is not None:
                added[now.id] = now
            elif was is not None:
                gone.add(was.id)
        change(self.by_id, added)  # before other look-ups, in other threads, can give an id that is new
        self.pair_ids.moved(before, after, news, found)
        self.snapshot = after
        change(self.by_id, {}, gone - added.keys())

    def stale(self, error: RegistryStale) -> None:
        """Raise this error from now on."""
        self._refuses = True
        refusing: Any = _NoSnapshot(error)
        self.snapshot = refusing
        refuse(self.by_id, error)
        self.pair_ids.refuse(error)

    def fresh(self, snapshot: Snapshot) -> None:
        """Answer again, by this snapshot."""
        answer(self.by_id, {one.id: one for one in all_symbols(snapshot.places_by_id.values())})
        self.last = self.snapshot = snapshot  # whoever has a symbol from here finds it by its id
        self.pair_ids.restart(snapshot)
        self._refuses = False
