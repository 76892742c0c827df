"""One exchange as a registry holds it: its symbols by every name that they go by, and what holds beside them.

A Place never changes: `evolved` makes another one, which shares what has not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import TypeVar

import msgspec

from exchanges_db.errors import AmbiguousSymbol, shown
from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.registry.models import NO_FEES, ListState, Paid, RegistrySymbol
from exchanges_db.symbols.enums import SymbolKind, is_live
from exchanges_db.symbols.fees import Fees
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.models import NamedSymbol
from exchanges_db.symbols.names import the_one

K = TypeVar("K")
# Most names are of one symbol: then it stands there by itself. Of several the live ones come first, then the newest.
Entry = RegistrySymbol | tuple[RegistrySymbol, ...]
Pair = tuple[str, str]
FeeKey = tuple[str, int | None]  # the account, and the symbol, None for the whole exchange
_native, _name, _pair = attrgetter("native_symbol"), attrgetter("symbol"), attrgetter("base", "quote")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange, its symbols, and what was said of it.

    Attributes:
        symbols, named: by id; the second those that are known by name only.
        by_native, by_symbol: by the exchange's own name, and by the canonical one.
        by_pair: live symbols only, by base and quote.
        holds: by native symbol; None is the key of the hold of the whole exchange.
        fees: by account and symbol.
        lists: that were ever imported.
    """

    exchange: StoredExchange
    symbols: dict[int, RegistrySymbol] = {}
    named: dict[int, NamedSymbol] = {}
    by_native: dict[str, RegistrySymbol | tuple[RegistrySymbol, ...]] = {}
    by_symbol: dict[str, RegistrySymbol | tuple[RegistrySymbol, ...]] = {}
    by_pair: dict[tuple[str, str], RegistrySymbol | tuple[RegistrySymbol, ...]] = {}
    holds: dict[str | None, Hold] = {}
    fees: dict[tuple[str, int | None], Fees] = {}
    lists: tuple[ListState, ...] = ()

    def native(self, native_symbol: str) -> RegistrySymbol | None:
        """Return the symbol with this native name, the live one first; None where there is none."""
        entry = self.by_native.get(native_symbol)
        return entry[0] if isinstance(entry, tuple) else entry

    def called(self, symbol: str) -> RegistrySymbol | None:
        """Return the symbol with this canonical name, the live one first. Raises AmbiguousSymbol where several live."""
        entry = self.by_symbol.get(symbol)
        return the_one(self.exchange.enum_value, symbol, entry) if isinstance(entry, tuple) else entry

    def pair(self, base: str, quote: str, kind: SymbolKind | None = None) -> RegistrySymbol | None:
        """Return the only live symbol of a pair, of this kind if one is given; None where there is none.

        Raises:
            AmbiguousSymbol: there are several; `.candidates` are their native names.
        """
        found = [one for one in several(self.by_pair.get((base, quote))) if kind is None or one.kind is kind]
        if len(found) > 1:
            natives = tuple(sorted(one.native_symbol for one in found))
            raise AmbiguousSymbol(
                f"{self.exchange.enum_value} has several live symbols of {shown(base)} and {shown(quote)}: ask for one "
                f"by its kind or by the exchange's own name, {' or '.join(map(shown, natives))}",
                candidates=natives,
            )
        return found[0] if found else None

    def list_of(self, symbol: RegistrySymbol) -> ListState | None:
        """Return the list that a symbol belongs to; None where none of its lists was ever imported."""
        return next((one for one in self.lists if one.listing.covers(symbol)), None)

    def evolved(
        self,
        *,
        exchange: StoredExchange | None = None,
        symbols: Mapping[int, RegistrySymbol | NamedSymbol | None] | None = None,
        holds: dict[str | None, Hold] | None = None,
        fees: dict[tuple[str, int | None], Fees] | None = None,
        lists: tuple[ListState, ...] | None = None,
    ) -> Place:
        """Return the place after a change; what is not given stays.

        symbols: by id, as they are now; None: it is gone. Holds and fees are put on them here.
        """
        place = self.exchange if exchange is None else exchange
        held = self.holds if holds is None else holds
        fresh = dict(symbols or {})
        paid = _still_paid(self.fees if fees is None else fees, place, fresh)
        listed = self.lists if lists is None else lists
        touched = self._touched(place, held, paid) - fresh.keys()
        if place.enum_value != self.exchange.enum_value:
            for number in self.named.keys() - fresh.keys():
                fresh[number] = msgspec.structs.replace(self.named[number], exchange=place.enum_value)
        beside = msgspec.structs.replace(self, exchange=place, holds=held, fees=paid, lists=listed)
        if not fresh and not touched:
            return beside
        by_fee_key = _Fees(paid)
        known, named = self.symbols.copy(), self.named.copy()
        # Their names stay, so that they take their own places in the indexes: a hold of a whole exchange is to be seen
        # at once, however many symbols it has.
        same = {number: _beside(known[number], known[number], place.enum_value, held, by_fee_key) for number in touched}
        known |= same
        gone: list[RegistrySymbol] = []
        come: list[RegistrySymbol] = []
        for number, now in fresh.items():
            before = known.pop(number, None)
            named.pop(number, None)
            if before is not None:
                gone.append(before)
            if isinstance(now, NamedSymbol):
                named[number] = now
            elif now is not None:
                known[number] = symbol = _beside(now, before, place.enum_value, held, by_fee_key)
                come.append(symbol)
        return msgspec.structs.replace(
            beside,
            symbols=known,
            named=named,
            by_native=_indexed(self.by_native, _native, same, gone, come),
            by_symbol=_indexed(self.by_symbol, _name, same, gone, come),
            by_pair=_indexed(self.by_pair, _pair, same, gone, [one for one in come if is_live(one.status)]),
        )

    def _touched(
        self, exchange: StoredExchange, holds: Mapping[str | None, Hold], fees: Mapping[FeeKey, Fees]
    ) -> set[int]:
        """Return the ids of the symbols that are not the same after a change of these."""
        if exchange.enum_value != self.exchange.enum_value or holds.get(None) != self.holds.get(None):
            return set(self.symbols)
        changed = {key for key in self.fees.keys() | fees.keys() if self.fees.get(key) != fees.get(key)}
        if any(number is None for _, number in changed):
            return set(self.symbols)
        touched = {number for _, number in changed if number in self.symbols}
        for native in self.holds.keys() | holds.keys():
            if native is not None and self.holds.get(native) != holds.get(native):
                touched.update(one.id for one in several(self.by_native.get(native)))
        return touched


class _Fees:
    """What each account pays for a symbol; symbols without fees of their own share one mapping."""

    def __init__(self, fees: Mapping[FeeKey, Fees]) -> None:
        self._whole = paid_for_all(fees)
        self._own: dict[int, dict[str, Fees]] = {}
        for (account, number), one in fees.items():
            if number is not None:
                self._own.setdefault(number, {})[account] = one

    def of(self, symbol_id: int) -> Mapping[str, Fees]:
        own = self._own.get(symbol_id)
        return self._whole if own is None else Paid({**self._whole, **own})


def paid_for_all(fees: Mapping[FeeKey, Fees]) -> Mapping[str, Fees]:
    """Return what accounts pay for the symbols of an exchange that have no fees of their own."""
    return Paid({account: one for (account, number), one in fees.items() if number is None}) or NO_FEES


def several(entry: Entry | None) -> tuple[RegistrySymbol, ...]:
    """Return the symbols of an entry."""
    if entry is None:
        return ()
    return entry if isinstance(entry, tuple) else (entry,)


def _beside(
    symbol: RegistrySymbol,
    before: RegistrySymbol | None,
    exchange: str,
    holds: Mapping[str | None, Hold],
    fees: _Fees,
) -> RegistrySymbol:
    """Return a symbol with what was said beside its list; rules that were compiled go along where they are the same."""
    said: tuple[Hold, ...] = ()
    if holds:
        said = tuple(hold for hold in (holds.get(symbol.native_symbol), holds.get(None)) if hold is not None)
    paid = fees.of(symbol.id)
    if (
        symbol.exchange != exchange
        or symbol.holds != said
        or (symbol.account_fees is not paid and symbol.account_fees != paid)
    ):
        made = msgspec.structs.replace(symbol, exchange=exchange, holds=said, account_fees=paid)
    else:
        made = symbol
    if before is not None:
        made.keep_rules_of(before)
    return made


def _still_paid(
    fees: dict[FeeKey, Fees], exchange: StoredExchange, symbols: Mapping[int, RegistrySymbol | NamedSymbol | None]
) -> dict[FeeKey, Fees]:
    """Return the fees without those of an exchange or a symbol that is gone, also where its id was given again.

    symbols: those that may be others than they were.
    """

    def pays(number: int | None, since: datetime | None) -> bool:
        if number is None:
            return since is None or since >= exchange.created_at
        if number not in symbols:
            return True
        symbol = symbols[number]
        if not isinstance(symbol, RegistrySymbol):  # nothing is known of its beginning but that it has one
            return symbol is not None
        return since is None or since >= symbol.created_at

    left = {key: one for key, one in fees.items() if pays(key[1], one.since)}
    return fees if len(left) == len(fees) else left


def rank(symbol: RegistrySymbol) -> tuple[bool, int]:
    """Return what puts symbols of one name in order: the live ones first, then the newest."""
    return not is_live(symbol.status), -symbol.id


def grouped(keys: Iterable[K], symbols: Iterable[RegistrySymbol]) -> dict[K, list[RegistrySymbol]]:
    """Return the symbols of each key, in the order given."""
    groups: dict[K, list[RegistrySymbol]] = {}
    for key, symbol in zip(keys, symbols, strict=True):
        groups.setdefault(key, []).append(symbol)
    return groups


def entry_of(group: list[RegistrySymbol]) -> Entry:
    """Return what stands for the symbols of one key in an index."""
    return group[0] if len(group) == 1 else tuple(sorted(group, key=rank))


def _indexed(
    index: Mapping[K, Entry],
    key_of: Callable[[RegistrySymbol], K],
    same: Mapping[int, RegistrySymbol],
    gone: Iterable[RegistrySymbol],
    come: Iterable[RegistrySymbol],
) -> dict[K, Entry]:
    """Return an index without some symbols and with others; each group is made once, however many of it change.

    same: by id, those that take the places of others with the same names.
    """
    made = dict(index)
    for key in set(map(key_of, same.values())):
        entry = made.get(key)  # none is kept by the pair of one that is not live
        if isinstance(entry, tuple):
            made[key] = tuple(same.get(one.id, one) for one in entry)
        elif entry is not None:
            made[key] = same.get(entry.id, entry)
    added = grouped(map(key_of, come), come)
    numbers = {one.id for one in gone}
    for key in added.keys() | set(map(key_of, gone)):
        group = [one for one in several(made.get(key)) if one.id not in numbers]
        group += added.get(key, ())
        if group:
            made[key] = entry_of(group)
        else:
            made.pop(key, None)
    return made


def all_symbols(places: Iterable[Place]) -> Iterable[RegistrySymbol]:
    """Return the symbols of several places."""
    for place in places:
        yield from place.symbols.values()
