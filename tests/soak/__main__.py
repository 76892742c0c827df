"""Endurance: everything that writes, reads, breaks and mends, at random from a seed; at the end all must be equal.

`make soak MINUTES=10 [SEED=...]`. Exit code 1, with the seed and what was done last, where anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import secrets
import signal
import sys

from tests.soak import memory
from tests.soak.course import Course

_CUT_OFF = "it has not come to its end"
_MORE = 900  # seconds that the beginning and the end may take, also where the machine is slow


def main() -> int:
    """Run it, and say how it went."""
    memory.count_all()
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", default="")
    parser.add_argument("--verbose", action="store_true", help="tell what is done as it is done")
    arguments = parser.parse_args()
    seed = arguments.seed or secrets.token_hex(4)
    say(f"soak: {arguments.minutes:g} minutes, SEED={seed}")
    faulthandler.dump_traceback_later(arguments.minutes * 60 + _MORE, exit=True)
    course = Course(seed, arguments.minutes * 60, say if arguments.verbose else lambda text: None)
    faults = [_CUT_OFF]
    try:
        faults = asyncio.run(_run(course))
        faults += course.left_behind()
    except asyncio.CancelledError:
        say("soak: it was told to end")
    finally:
        if faults[-1:] == [_CUT_OFF]:
            faults = [*course.found(), *faults]
        _tell(course, faults, f"again with  make soak MINUTES={arguments.minutes:g} SEED={seed}")
    return 1 if faults else 0


async def _run(course: Course) -> list[str]:
    """Who is told to end tells what it did last, too: by the loop, as what a handler raises may be lost anywhere."""
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    return await course.run()


def _tell(course: Course, faults: list[str], again: str) -> None:
    for line in course.report():
        say(line)
    if faults:
        say("\n".join(["what was done last:", *course.actions]))
        say("\n".join(["what is wrong:", *faults]))
        say(f"soak: failed; {again}")
    else:
        say("soak: database, registries and histories are equal, and nothing is left behind")


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
