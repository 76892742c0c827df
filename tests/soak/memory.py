"""How much memory this process has asked for and not given back: what leaks shows there, and nothing else does.

What the system has lent it (RSS) tells little. glibc gives each thread an arena of its own, and an arena gives back
what is free at its end alone: with the threads of registries that come and go, RSS grows for many minutes while what is
in use stays as it was. So the allocator is asked what is in use, and Python is told to ask that allocator for all it
needs, which it else does for large things only.
"""

from __future__ import annotations

import ctypes
import os
import sys

import psutil

MEGABYTE = 2**20
_COUNTED = {"PYTHONMALLOC": "malloc"}


class _Mallinfo2(ctypes.Structure):
    """What glibc says of all its arenas, in bytes; names as in mallinfo(3)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


_libc = ctypes.CDLL(None)
can_count = hasattr(_libc, "mallinfo2")  # glibc 2.33 and newer
if can_count:
    _libc.mallinfo2.restype = _Mallinfo2


def count_all() -> None:
    """Begin this program anew, unless that was done, so that `in_use` counts all that Python asks for."""
    if not can_count:
        sys.exit("make soak asks the allocator of glibc 2.33 or newer what is in use, and here is another one")
    if not _is_counted():
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **_COUNTED})


def _is_counted() -> bool:
    return _COUNTED.items() <= os.environ.items()


def in_use() -> float:
    """Return how many megabytes were asked for and not given back."""
    assert _is_counted()  # by `count_all`
    said = _libc.mallinfo2()
    return float(said.uordblks + said.hblkhd) / MEGABYTE


def resident() -> float:
    """Return how many megabytes the system has lent."""
    return float(psutil.Process().memory_info().rss) / MEGABYTE


def give_back() -> None:
    """Have the allocator give back to the system what is free in its arenas."""
    _libc.malloc_trim(0)
