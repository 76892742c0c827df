"""The part of a registry that gives out streams of what changes in it."""

from __future__ import annotations

from exchanges_db.registry.models import Position
from exchanges_db.registry.streams import ChangeStream, Streams


class Changing:
    """What a registry says of its changes."""

    _streams: Streams

    def changes(self, *, since: Position | None = None, maxsize: int = 10_000, states: bool = False) -> ChangeStream:
        """Return what changes from now on, or since a position, for `async for`; what it gives: see ChangeStream.

        since: the `position` of an earlier stream. Unless the registry holds just that, the first item is a Gap.
        maxsize: of more changes than this that nobody has read yet, all are dropped, and one Gap stands for them.
        states: tell, too, when the registry becomes LIVE or STALE; within a poll interval where nothing told it.

        Raises:
            RegistryStale: the registry is closed.
            InvalidArgument: `since` is no Position, `maxsize` no positive number, or `states` neither True nor False.
        """
        return self._streams.open(since, maxsize, states=states)
