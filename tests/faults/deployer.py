"""Starts `exchanges-db` on another folder of migrations, in forks of one interpreter that has it loaded.

It says "0" once it is loaded. Each line of stdin asks for a deployer, in JSON; its process is told on stdout as "PID",
its end as "PID CODE".
"""

import contextlib
import io
import json
import os
import select
import signal
import sys
from pathlib import Path
from unittest import mock

from exchanges_db.cli.main import run


def _deploy(folder: str, arguments: list[str], variables: dict[str, str], output: str) -> int:
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(written, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(variables)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may ignore it, which is inherited
    with mock.patch("exchanges_db.schema.migrations.migrations_directory", return_value=Path(folder)):
        code = run(arguments)
    sys.stdout.flush()
    return code


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _serve() -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        run(["--version"])  # loads what the command loads late
    _tell("0")  # now it is loaded
    at_work: set[int] = set()
    rest = b""
    while True:
        if select.select([0], [], [], 0.01)[0]:
            asked = os.read(0, 65536)
            if not asked:
                return
            *lines, rest = (rest + asked).split(b"\n")
            for line in lines:
                pid = os.fork()
                if pid == 0:
                    os._exit(_deploy(**json.loads(line)))
                at_work.add(pid)
                _tell(str(pid))
        for pid in tuple(at_work):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                at_work.remove(pid)
                _tell(f"{pid} {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    _serve()
