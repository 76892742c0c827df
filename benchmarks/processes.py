"""What the kernel counts for a process of this machine, by Linux's /proc: processor time and memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Memory(NamedTuple):
    """Kilobytes of a process.

    Attributes:
        own: what would be free again if it ended.
        proportional: the same, and its share of what several processes have in memory together (PSS).
    """

    own: int
    proportional: int


def processor_seconds(pids: Iterable[int]) -> float:
    """Return the processor time that processes have taken so far, to the nanosecond."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e9


def memory(pid: int) -> Memory:
    """Return the memory of a process; needs its user's rights, or root's."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
    return Memory(kilobytes["Private_Clean"] + kilobytes["Private_Dirty"], kilobytes["Pss"])
