"""One exchange bound once: its live symbols, or their ids, by the exchange's own name and by base and quote.

A view is a dict, and as fast: what it holds is put in, replaced and taken out as the registry's snapshots move on.
"""

from __future__ import annotations

from typing import Protocol

from exchanges_db.registry.answers import Answers
from exchanges_db.registry.models import RegistrySymbol
from exchanges_db.registry.places import Pair

Key = str | Pair


class _Binding(Protocol):
    """What a view is filled from."""

    def find(self, key: Key) -> RegistrySymbol:
        """Return what a key has that was put in a moment ago, or raise the error for one that is not there."""


class Ids(Answers[Key, int]):
    """The ids of a view's symbols, by the same keys."""

    __slots__ = ("_binding",)

    def __init__(self, binding: _Binding) -> None:
        super().__init__()
        self._binding = binding

    def _find(self, key: Key) -> int:
        return self._binding.find(key).id


class View(Answers[Key, RegistrySymbol]):
    """The live symbols of an exchange, of one kind where the view was made for one.

    `view["BTC_USDT"]` is the symbol with the exchange's own name, `view[base, quote]` the only one of a pair,
    `view.ids[...]` the id of either, and `.get(key, None)` of a dict gives None where there is none, or where a pair
    has several. A key that is not there raises SymbolNotFound, which says what is meant perhaps, AmbiguousSymbol where
    a pair has several, and RegistryStale where the registry is stale and was told to raise then; so do, then, `get`
    and all else. A view that was made with `pairs=False` has the exchange's own names alone: a pair raises
    InvalidSymbol, and `get` gives None.

    It follows the registry: keep no copy of it, nor bind a value for longer than one use. Each key has the symbol of
    one snapshot; two that are looked up one after the other may be of two. It is changed in place: go through
    `list(view.items())`, or through `registry.snapshot`, not through the view itself while the registry may move on.

    Attributes:
        ids: the same keys, with ids for values; it can be kept without the view.
    """

    __slots__ = ("_binding", "ids")

    def __init__(self, binding: _Binding) -> None:
        super().__init__()
        self._binding = binding
        self.ids = Ids(binding)

    def _find(self, key: Key) -> RegistrySymbol:
        return self._binding.find(key)
