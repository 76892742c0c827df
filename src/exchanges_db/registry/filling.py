"""Makes a Place of all its symbols at once, which is much faster than one by one where there are many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TypeVar

from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.registry.models import ListState, RegistrySymbol
from exchanges_db.registry.places import Entry, FeeKey, Place, entry_of, grouped, paid_for_all
from exchanges_db.symbols.enums import is_live
from exchanges_db.symbols.fees import Fees
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.models import NamedSymbol

K = TypeVar("K")


def said_of_the_whole(
    holds: Mapping[str | None, Hold], fees: Mapping[FeeKey, Fees]
) -> tuple[tuple[Hold, ...], Mapping[str, Fees]]:
    """Return what each symbol has of its exchange: its hold, if there is one, and its fees by account."""
    hold = holds.get(None)
    return () if hold is None else (hold,), paid_for_all(fees)


def filled(
    exchange: StoredExchange,
    symbols: Sequence[RegistrySymbol],
    *,
    named: Mapping[int, NamedSymbol],
    holds: dict[str | None, Hold],
    fees: dict[FeeKey, Fees],
    lists: tuple[ListState, ...],
) -> Place:
    """Return the place that `Place.evolved` leads to from an empty one.

    symbols: each with its exchange's name on it already, and with what `said_of_the_whole` returns.
    """
    states = list(map(attrgetter("status"), symbols))
    dead = {status for status in set(states) if not is_live(status)}
    live = [one for one, status in zip(symbols, states, strict=True) if status not in dead] if dead else symbols
    place = Place(
        exchange=exchange,
        symbols=dict(zip(map(attrgetter("id"), symbols), symbols, strict=True)),
        named=dict(named),
        by_native=_index(map(attrgetter("native_symbol"), symbols), symbols),
        by_symbol=_index(map(attrgetter("symbol"), symbols), symbols),
        by_pair=_index(map(attrgetter("base", "quote"), live), live),
        holds={native: hold for native, hold in holds.items() if native is None},
        fees={key: one for key, one in fees.items() if key[1] is None},
        lists=lists,
    )
    return place.evolved(holds=holds, fees=fees)  # touches the symbols that have one of their own


def _index(keys: Iterable[K], symbols: Sequence[RegistrySymbol]) -> dict[K, Entry]:
    keys = list(keys)
    index: dict[K, Entry] = dict(zip(keys, symbols, strict=True))
    if len(index) == len(symbols):
        return index
    return {key: entry_of(group) for key, group in grouped(keys, symbols).items()}
