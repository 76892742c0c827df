"""Start and end of the command `exchanges-db`, also as `python -m exchanges_db`.

Nothing heavy is imported before Ctrl-C is handled: loading the modules takes most of a second, and an interrupt in that
time would end in a traceback.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # type checkers know this name; importing it from typing would take longer than this whole module
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

_INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


def main() -> NoReturn:
    """Run the command line of this process and end it."""
    # A shell has a program in the background ignore Ctrl-C: then this one goes on ignoring it.
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
    # All that is left is to stop what the command started: an interrupt now could prevent nothing.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Where the interrupt ended a text that was being executed, such as that of a namedtuple in a module that was being
    # loaded, Python keeps a note of it and ends by SIGINT, not with our code. The next text makes it forget.
    exec("")  # noqa: S102
    sys.exit(code)


def _end(signum: int, frame: FrameType | None) -> None:
    """End at once: while modules load, nothing has begun that would have to be finished."""
    os._exit(_INTERRUPTED)


def _fill_standard_streams() -> None:
    """Open /dev/null in place of a closed stdin, stdout or stderr, so that no socket gets its file descriptor."""
    while (opened := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(opened)
    if sys.stdin is None:  # a question asked there is answered by nobody, and a list read from there is empty
        sys.stdin = os.fdopen(0, encoding="utf-8")


if __name__ == "__main__":
    main()
