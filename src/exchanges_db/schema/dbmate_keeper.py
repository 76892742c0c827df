"""Runs the command in its arguments, and ends it when whoever started this program is gone.

A file to be run by itself: `python -I -S dbmate_keeper.py dbmate ...`, with a pipe as stdin that nobody writes to. Its
end is the one sign of a parent's death that every platform gives: Linux's PR_SET_PDEATHSIG has no like on macOS, and
would need code between fork and exec.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

_GRACE_SECONDS = 2.0


def _end_with_stdin(child: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1024):
        pass
    child.terminate()
    try:
        child.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


def main() -> None:
    """Exit as the command does; with 128 and the signal's number where a signal ended it."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)  # noqa: S603 - what migrate has put together
    threading.Thread(target=_end_with_stdin, args=(child,), daemon=True).start()
    code = child.wait()
    os._exit(code if code >= 0 else 128 - code)  # not sys.exit: the thread still reads


if __name__ == "__main__":
    main()
