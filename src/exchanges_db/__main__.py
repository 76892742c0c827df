"""The command `exchanges-db`, and `python -m exchanges_db`: its first line, and its last.

Nothing heavy is imported before Ctrl-C has a meaning: modules load for most of a second, and an interrupt there would
end in a traceback.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # as in typing, which takes longer to load than all of this
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

_INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


def main() -> NoReturn:
    """Run the command line of this process and end it."""
    # A program that a shell starts in the background ignores Ctrl-C, and goes on doing so.
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeded:
        signal.signal(signal.SIGINT, _end)
    _fill_standard_streams()
    from exchanges_db.cli.main import run

    try:
        if heeded:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = _INTERRUPTED
    # What is left is to stop what the command started: an interrupt has nothing more to prevent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


def _end(signum: int, frame: FrameType | None) -> None:
    """End at once: while modules load nothing was begun that would have to be finished."""
    os._exit(_INTERRUPTED)


def _fill_standard_streams() -> None:
    """Have a closed stdin, stdout or stderr lead to nothing, so that no socket is given its number."""
    while (opened := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(opened)


if __name__ == "__main__":
    main()
