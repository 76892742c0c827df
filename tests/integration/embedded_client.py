"""A process that uses an embedded server until its input ends: `embedded_client.py FOLDER [keep] [full] [UID]`.

Prints the DATABASE_URL or the error on one line. `full` makes every write beyond 1 MB fail, as on a full disk; with
UID it stops being root first.
"""

import os
import resource
import signal
import sys
from pathlib import Path

from exchanges_db import ConfigurationError
from exchanges_db.database import embedded, embedded_server


def main(folder: str, *flags: str) -> None:
    """Start or join the server of `folder`, say so, and wait."""
    if "full" in flags:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    for flag in flags:
        if flag.isdecimal():
            assert embedded_server  # was imported while it can be read
            os.setgroups([])
            os.setgid(int(flag))
            os.setuid(int(flag))
            sys.executable = "/usr/bin/python3"  # ours may be in /root; the keeper needs the standard library only
    try:
        url = embedded.start(Path(folder), keep_running="keep" in flags)
    except ConfigurationError as exc:
        url = f"{type(exc).__name__}: {exc}"
    sys.stdout.write(url + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # coverage's would end this process in good order
    main(*sys.argv[1:])
