"""What becomes of registries in the child of a fork: it has their memory, but none of their threads and no loop.

Nothing follows the database there. So whatever is asked of them raises RegistryStale, whether they were told to raise
where they are stale or not: no timer runs that could tell.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol
from weakref import WeakKeyDictionary, WeakSet


class Abandonable(Protocol):
    """A registry."""

    def abandon(self, why: str = "") -> None:
        """Raise RegistryStale, which says why, at every look-up for good."""


_locks: WeakSet[threading.Lock] = WeakSet()
_opened: WeakKeyDictionary[Abandonable, int] = WeakKeyDictionary()
_told: list[Callable[[], None]] = []


def a_lock() -> threading.Lock:
    """Return a lock that no child has to wait for: whoever holds it at a fork is not there to release it."""
    lock = threading.Lock()
    _locks.add(lock)
    return lock


def abandon_in_child(registry: Abandonable) -> None:
    """Have a registry say in the child of a fork by which process it was opened, and answer nothing."""
    _opened[registry] = os.getpid()


def tell_in_child(function: Callable[[], None]) -> None:
    """Call a function in the child of each fork, when no lock is held any more."""
    _told.append(function)


def reason(parent: int) -> str:
    """Return why a registry of another process is of no use."""
    return f"this registry was opened by process {parent}, before a fork: open one in each process"


def _in_child() -> None:
    for lock in list(_locks):
        if lock.locked():
            lock.release()
    for function in _told:
        function()
    for registry, parent in list(_opened.items()):
        registry.abandon(reason(parent))
    _opened.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
