"""Runs one embedded server and stops it once no process uses it any more, whatever ended the last one.

Run as a script in a process of its own, because a process that is killed cannot clean up. Every client holds a shared
lock on a file, which the system drops when the client ends; this process waits for the exclusive lock.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

# Nothing of the caller's PG* variables, language or time zone may reach the server.
ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC"}


class _ServerEnded(Exception):
    """The server has ended; raised to end the wait for the lock."""


def as_user(owner: tuple[int, int] | None) -> dict[str, object]:
    """Return the arguments of Popen that run a program as user and group `owner`; None means as the present user."""
    return {} if owner is None else {"user": owner[0], "group": owner[1], "extra_groups": []}


def keep(lock: Path, mark: Path, socket_folder: Path, owner: tuple[int, int] | None, command: list[str]) -> None:
    """Run the server until it ends or nobody holds `lock`; while `mark` exists it is left running."""
    server = subprocess.Popen(  # type: ignore[call-overload]  # noqa: S603  # PostgreSQL, and no shell
        command, stdin=subprocess.DEVNULL, cwd="/", env=ENVIRONMENT, umask=0o077, **as_user(owner)
    )

    def ended(*_: object) -> None:
        if server.poll() is not None:
            raise _ServerEnded

    try:
        signal.signal(signal.SIGCHLD, ended)
        ended()  # it may have ended before the line above
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not mark.exists():
                server.send_signal(signal.SIGINT)
                server.wait()  # still holding the lock, so that a new server starts only after this one's end
        server.wait()
    except _ServerEnded:
        pass
    finally:
        shutil.rmtree(socket_folder, ignore_errors=True)


if __name__ == "__main__":
    _lock, _mark, _socket_folder, _uid, _gid, *_command = sys.argv[1:]
    keep(Path(_lock), Path(_mark), Path(_socket_folder), (int(_uid), int(_gid)) if _uid else None, _command)
