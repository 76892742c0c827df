"""Those who follow a registry from snapshot to snapshot: views, streams of changes, look-ups by id."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Protocol

from exchanges_db.errors import InvalidArgument, RegistryStale, shown
from exchanges_db.registry.snapshot import News, Snapshot


class Follower(Protocol):
    """Whoever is told of each snapshot, in the order of the log; called in the registry's own thread.

    None of the three may raise an error: a user's own functions are called by the event loop, later.
    """

    def moved(self, before: Snapshot | None, after: Snapshot, news: News | None) -> None:
        """Go on to `after`; news: what leads there from `before`, None where all was read anew."""

    def stale(self, error: RegistryStale) -> None:
        """Raise this error at every look-up from now on."""

    def fresh(self, snapshot: Snapshot) -> None:
        """Answer again."""


class Followers:
    """The followers that are still in use: a registry keeps none of them alive."""

    def __init__(self) -> None:
        self._all: list[weakref.ref[Follower]] = []

    def add(self, follower: Follower) -> None:
        """Tell this one, too, from now on. Raises InvalidArgument where it cannot be told."""
        if not all(callable(getattr(follower, name, None)) for name in ("moved", "stale", "fresh")):
            raise InvalidArgument(
                f"a follower must have the methods moved, stale and fresh, which {shown(follower)} lacks",
                field="follower",
            )
        self._all.append(weakref.ref(follower))

    def __iter__(self) -> Iterator[Follower]:
        self._all = [each for each in self._all if each() is not None]
        yield from (follower for each in self._all if (follower := each()) is not None)
