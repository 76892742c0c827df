"""How time passes, by a clock that goes on while the machine sleeps: whatever was known before that is old after it.

`time.monotonic` stands still then, on Linux and on macOS.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial


def _clock() -> Callable[[], float]:
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):  # of Linux; of macOS, where time.monotonic is another one
        number = getattr(time, name, None)
        if number is not None:
            with suppress(OSError):  # where the kernel does not have it
                time.clock_gettime(number)
                return partial(time.clock_gettime, number)
    return time.monotonic  # Windows, where it counts sleep


uptime = _clock()
