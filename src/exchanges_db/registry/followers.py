"""Those who follow a registry from snapshot to snapshot, views, streams and look-ups by id, and what they ask of it."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from exchanges_db.errors import InvalidArgument, RegistryStale, shown
from exchanges_db.registry.hooks import only_begins, takes
from exchanges_db.registry.models import Position
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_db.registry.state import RegistryState, RegistryStats

# What the methods of a follower are called with.
_TOLD = {"moved": ("before", "after", "news"), "stale": ("error",), "fresh": ("snapshot",)}


class Followed(Protocol):
    """What a registry says of itself."""

    @property
    def state(self) -> RegistryState:
        """LOADING, LIVE, STALE or CLOSED."""

    @property
    def position(self) -> Position | None:
        """How far it knows the log."""

    def now(self) -> datetime | None:
        """What time it is on the server."""

    def stats(self) -> RegistryStats:
        """What it has gone through."""


class Follower(Protocol):
    """Whoever is told of each snapshot, in the order of the log; called in the registry's own thread.

    None of the three may raise an error, or have to be awaited; and it is an object that can be held weakly.
    """

    def moved(self, before: Snapshot | None, after: Snapshot, news: News | None) -> None:
        """Go on to `after`; news: what leads there from `before`, None where all was read anew."""

    def stale(self, error: RegistryStale) -> None:
        """Raise this error at every look-up from now on."""

    def fresh(self, snapshot: Snapshot) -> None:
        """Answer again."""


F = TypeVar("F")


class Weakly(Generic[F]):
    """Objects in the order in which they were added, while somebody else keeps them alive.

    Nothing stays behind of one that has gone, and no lock is taken: adding, and going, are single steps of a dict, so
    that any thread may do it, and a signal handler, while another goes through them.
    """

    def __init__(self) -> None:
        self._all: dict[int, weakref.ref[F]] = {}
        self._numbers = itertools.count()

    def add(self, one: F) -> None:
        """Have this one, too."""
        number, all_of_them = next(self._numbers), self._all
        all_of_them[number] = weakref.ref(one, lambda _: all_of_them.pop(number, None))

    def __iter__(self) -> Iterator[F]:
        """Yield those that were there when it began, as far as they still are."""
        for each in self._all.copy().values():
            if (one := each()) is not None:
                yield one


class Followers(Weakly[Follower]):
    """The followers that are still in use: a registry keeps none of them alive but the last.

    last: is told when all others were, so that whoever hears of a change from it finds it wherever one looks it up.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last: Follower | None = None

    def __iter__(self) -> Iterator[Follower]:
        """Yield those that were there when it began, as far as they still are, and the last."""
        yield from super().__iter__()
        if self.last is not None:
            yield self.last


def check_follower(one: Follower) -> None:
    """Raise InvalidArgument where it cannot be told."""
    if isinstance(one, type):
        raise InvalidArgument(f"a follower must be an object, not the class {one.__name__}", field="follower")
    for name, told in _TOLD.items():
        method = getattr(one, name, None)
        if not callable(method):
            raise InvalidArgument(
                f"a follower must have the methods moved, stale and fresh, which {shown(one)} lacks", field="follower"
            )
        if only_begins(method):
            raise InvalidArgument(
                f"the method {name} of a follower must be a plain function, because nobody awaits what it returns",
                field="follower",
            )
        if not takes(method, len(told)):
            raise InvalidArgument(
                f"the method {name} of a follower is called with {', '.join(told)}, which that of {shown(one)} does "
                "not take",
                field="follower",
            )
    try:
        weakref.ref(one)
    except TypeError:
        raise InvalidArgument(
            f"a follower is held weakly, which {shown(one)} cannot be: give its class a slot for __weakref__, a "
            "msgspec.Struct weakref=True",
            field="follower",
        ) from None
