"""Those who use a registry of a soak: by a view that was bound once, and by a stream of changes that they follow."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from msgspec.structs import asdict

from exchanges_db.errors import AmbiguousSymbol, SymbolNotFound
from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.registry.changes import (
    AmbiguityChanged,
    DoubtChanged,
    ExchangeChanged,
    FeesChanged,
    Gap,
    HoldChanged,
    ListChanged,
    RegistryChange,
    SymbolChanged,
)
from exchanges_db.registry.models import Position, RegistrySymbol
from exchanges_db.registry.places import several
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.registry.threaded import ThreadedRegistry
from exchanges_db.registry.views import Key, View
from exchanges_db.symbols.enums import is_live
from exchanges_db.symbols.models import NamedSymbol, SymbolSpec
from tests.payload_rows import SPOT
from tests.soak.watching import MOST, Faults, as_number

_BOOKKEEPING = ("id", "created_at", "updated_at", "version")  # of an exchange; that they change alone is no change
_SPEC = SymbolSpec.__struct_fields__
Things = dict[tuple[Any, ...], Any]


def look_up_faults(
    who: str, registry: Registry | ThreadedRegistry, view: View, snapshot: Snapshot, exchange: str = SPOT
) -> list[str]:
    """Return which look-ups in an exchange do not lead to what the snapshot has, while nothing moves on."""
    place = snapshot.places[exchange]
    wanted: dict[Key, RegistrySymbol] = {
        key: entry
        for names in (place.by_native, place.by_pair)
        for key, entries in names.items()
        for entry in several(entries)
        if is_live(entry.status)
    }
    ids = {key: one.id for key, one in wanted.items()}
    pairs = {key: number for key, number in ids.items() if isinstance(key, tuple)}
    found = {
        "the view": dict(view) == wanted,
        "the view's ids": dict(view.ids) == ids,
        "by_id": all(registry.by_id.get(one.id) == one for one in place.symbols.values()),
        "symbol_id": {pair: _id(registry, exchange, pair) for pair in pairs} == pairs,
    }
    return [
        f"{who}: {what} does not lead to what is held at {snapshot.position}"
        for what, is_so in found.items()
        if not is_so
    ]


def _id(registry: Registry | ThreadedRegistry, exchange: str, pair: tuple[str, str]) -> int | None:
    try:
        return registry.symbol_id(exchange, *pair)
    except (SymbolNotFound, AmbiguousSymbol):
        return None


class _Named(NamedTuple):
    native_symbol: str
    base: str
    quote: str


class Consumer:
    """Rebuilds what a registry holds from the changes that it tells of.

    gaps: how often changes were missing.
    """

    def __init__(self, who: str, faults: Faults, read: Callable[[], Snapshot]) -> None:
        self.who, self.gaps = who, 0
        self._faults, self._read = faults, read
        self._rebuilt: Things = {}
        self._at: Position | None = None
        self._told: set[tuple[Any, ...]] = set()  # at this position
        self.positions = array("Q")  # two numbers for each that items had

    def begin(self) -> None:
        """Hold what the registry does."""
        self._rebuilt = contents(self._read())

    def take(self, change: RegistryChange) -> None:
        """Go on by one change."""
        if isinstance(change, Gap):
            self.gaps += 1
            self.begin()
            return
        if change.position != self._at:
            self._at = change.position
            self._told.clear()
            self.positions.extend((change.position.epoch, as_number(change.position.token)))
        key, value = _told(change)
        if key in self._told:
            self._faults.note(f"{self.who} was told twice of {key} at {change.position}")
        self._told.add(key)
        if isinstance(change, ExchangeChanged) and value is None:  # another one may be given its id at once
            self._told -= {told for told in self._told if told[1] == change.exchange_id}
        if value is None or isinstance(value, _Named):  # which nothing is said of any more that can be in doubt
            self._rebuilt.pop(("doubt", *key[1:]), None)
        if value is None:
            self._rebuilt.pop(key, None)
        else:
            self._rebuilt[key] = value

    def differences(self, wanted: Snapshot) -> list[str]:
        """Return what was not rebuilt."""
        its = contents(wanted)
        wrong = [key for key in its.keys() | self._rebuilt.keys() if its.get(key) != self._rebuilt.get(key)]
        return [f"{self.who} was not told of {key}" for key in sorted(wrong, key=str)][:MOST]

    def judge(self, log: Mapping[int, str]) -> list[str]:
        """Return what is wrong with the order of what was told; who was told of what a failover has lost goes back."""
        tokens = {epoch: as_number(token) for epoch, token in log.items()}
        steps = zip(self.positions[::2], self.positions[1::2], strict=True)
        return [
            f"{self.who} was told of {after} after {before}"
            for (before, its_token), (after, token) in pairwise(steps)
            if after <= before and tokens.get(before) == its_token and tokens.get(after) == token
        ][:MOST]


async def follow(consumer: Consumer, changes: AsyncIterator[RegistryChange], pause: Callable[[], Any]) -> None:
    """Take one change after the other, with pauses, until the stream has ended."""
    async for change in changes:
        consumer.take(change)
        await pause()


def contents(snapshot: Snapshot) -> Things:
    """Return all that changes tell of, by what they name it."""
    found: Things = {}
    for number, place in snapshot.places_by_id.items():
        found["exchange", number] = _exchange(place.exchange)
        found |= {("symbol", number, symbol_id): _symbol(one) for symbol_id, one in place.symbols.items()}
        found |= {("symbol", number, symbol_id): _symbol(one) for symbol_id, one in place.named.items()}
        doubts = {("doubt", number, symbol_id): one.doubtful_since for symbol_id, one in place.symbols.items()}
        found |= {key: since for key, since in doubts.items() if since is not None}
        found |= {("hold", number, native): hold for native, hold in place.holds.items()}
        found |= {("fees", number, *key): fees for key, fees in place.fees.items()}
        found |= {("list", number, state.listing): state for state in place.lists}
        live = [one for one in place.symbols.values() if is_live(one.status)]
        by_pair = Counter((one.base, one.quote, kind) for one in live for kind in (None, one.kind))
        found |= {("ambiguity", number, *key): True for key, count in by_pair.items() if count > 1}
    return found


def _told(change: RegistryChange) -> tuple[tuple[Any, ...], Any]:
    """Return what a change is about, and what that is now; None: it is gone."""
    match change:
        case ExchangeChanged():
            return ("exchange", change.exchange_id), change.after and _exchange(change.after)
        case SymbolChanged():
            one = change.after or change.before
            assert one is not None
            return ("symbol", change.exchange_id, one.id), change.after and _symbol(change.after)
        case DoubtChanged():
            return ("doubt", change.exchange_id, change.symbol.id), change.since
        case AmbiguityChanged():
            key = ("ambiguity", change.exchange_id, change.base, change.quote, change.symbol_kind)
            return key, True if len(change.candidates) > 1 else None
        case HoldChanged():
            return ("hold", change.exchange_id, change.native_symbol), change.after
        case FeesChanged():
            return ("fees", change.exchange_id, change.account, change.symbol_id), change.after
        case ListChanged():
            return ("list", change.exchange_id, change.listing), change.after
        case _:
            raise AssertionError(change)


def _exchange(one: StoredExchange) -> tuple[Any, ...]:
    return tuple(value for field, value in asdict(one).items() if field not in _BOOKKEEPING)


def _symbol(one: RegistrySymbol | NamedSymbol) -> tuple[Any, ...]:
    if isinstance(one, NamedSymbol):
        return _Named(one.native_symbol, one.base, one.quote)
    return tuple(getattr(one, field) for field in _SPEC)
