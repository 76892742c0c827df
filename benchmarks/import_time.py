"""How long `import exchanges_db` takes in a fresh interpreter, and how much of it is what it rests on.

Wall time of whole processes, in turns, minus that of an interpreter that imports nothing; `-X importtime` would
add a cost of its own to every module.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from time import perf_counter

from benchmarks.figures import ImportTime, import_times

PROGRAMS = {
    "": "pass",
    "exchanges_db": "import exchanges_db",
    "sqlalchemy.ext.asyncio": "import sqlalchemy.ext.asyncio",
    "asyncpg": "import asyncpg",
    "msgspec": "import msgspec",
}
WARM_UP_ROUNDS = 1  # writes the byte code


def measure_imports(rounds: int, on_round: Callable[[], None]) -> list[ImportTime]:
    """Return the median import times of `rounds` rounds."""
    milliseconds: dict[str, list[float]] = {module: [] for module in PROGRAMS}
    for number in range(WARM_UP_ROUNDS + rounds):
        for module, program in PROGRAMS.items():
            start = perf_counter()
            subprocess.run([sys.executable, "-I", "-c", program], check=True)  # noqa: S603  # our own programs
            if number >= WARM_UP_ROUNDS:
                milliseconds[module].append((perf_counter() - start) * 1000)
        if number >= WARM_UP_ROUNDS:
            on_round()
    bare = milliseconds.pop("")
    return import_times(milliseconds, bare)
