"""Finds, starts and stops the server process of a data folder, without a shell and without touching other processes.

A process number in postmaster.pid is believed only if that process is a PostgreSQL that runs on this folder.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from exchanges_db.database import embedded_folders as folders
from exchanges_db.database import embedded_keeper
from exchanges_db.database.embedded_binaries import binaries_for
from exchanges_db.database.embedded_folders import Owner
from exchanges_db.errors import ConfigurationError

_SECONDS = 60  # enough for a recovery after a crash, or for the last writes before a stop
_LARGEST_LOG = 1_000_000  # bytes
_SHELL_WOULD_EVALUATE = re.compile(r'["$`\\\n]')


class RunningServer(NamedTuple):
    """A server that runs on a data folder."""

    process: psutil.Process
    ready: bool
    socket_folder: str


def initialise(directory: Path, owner: Owner | None, lock: int) -> None:
    """Make a database cluster in `directory` unless there is one; `lock` is the descriptor of its folder lock."""
    if not folders.needs_initdb(directory):
        return
    programs = binaries_for(owner)
    if _SHELL_WOULD_EVALUATE.search(str(programs)):
        raise ConfigurationError(f"initdb hands its own path to a shell, which would evaluate a part of {programs}")
    made = directory / folders.INITIALISING
    made.mkdir(mode=0o700)
    directory.chmod(0o700)
    if owner is not None:
        for folder in (directory, made):
            os.chown(folder, owner.uid, owner.gid, follow_symlinks=False)
    # A locale that sorts text and changes its case alike on every system.
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    result = subprocess.run(  # type: ignore[call-overload]  # noqa: S603  # PostgreSQL, and no shell
        [str(programs / "initdb"), "--auth=trust", "--username=postgres", *locale],
        env=embedded_keeper.ENVIRONMENT | {"PGDATA": str(made)},
        cwd="/",
        umask=0o077,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        pass_fds=(lock,),  # should we be killed, the next start waits until initdb has ended too
        **embedded_keeper.as_user(owner and owner[:2]),
    )
    if result.returncode:
        shutil.rmtree(made, ignore_errors=True)
        raise ConfigurationError(reason((result.stdout + result.stderr).decode(errors="replace")))
    made.rename(directory / folders.INITIALISED)
    folders.settle(directory)


def find(directory: Path) -> RunningServer | None:
    """Return the server that runs on `directory`."""
    try:
        lines = os.fsdecode((directory / "postmaster.pid").read_bytes()).split("\n")
        process = psutil.Process(abs(int(lines[0])))
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None
    if not _runs_on(process, directory):
        return None
    lines += [""] * 8  # the file grows line by line while the server starts
    return RunningServer(process, lines[7].strip() == "ready", lines[4])


def _runs_on(process: psutil.Process, directory: Path) -> bool:
    """Return whether `process` is the server of `directory`, not another one that got its number after its end."""
    try:
        arguments = process.cmdline()
        # A server's child processes are called "postgres: " and what they do.
        if process.name() != "postgres" or not arguments or arguments[0].startswith("postgres:"):
            return False
        try:
            return _same(process.cwd(), directory)  # a server works in its data folder
        except psutil.AccessDenied:
            return any(flag == "-D" and _same(folder, directory) for flag, folder in itertools.pairwise(arguments))
    except psutil.AccessDenied:
        raise ConfigurationError(f"the system does not tell whether process {process.pid} is its server") from None
    except psutil.NoSuchProcess:  # ended, or a zombie
        return False


def _same(path: str, directory: Path) -> bool:
    try:
        return Path(path).samefile(directory)
    except OSError:
        return False


def serve(directory: Path, owner: Owner | None) -> tuple[str, subprocess.Popen[bytes] | None]:
    """Start a server on `directory` unless one runs, and wait until it is ready.

    Returns:
        The folder of its socket, and the keeper if a server was started.
    """
    keeper, log_before = None, 0
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        server = find(directory)
        if server is not None and server.ready:
            if not server.socket_folder:
                raise ConfigurationError("a server runs there that listens on no unix socket")
            return server.socket_folder, keeper
        if keeper is not None and keeper.poll() is not None:
            with (directory / "log").open("rb") as log:
                log.seek(log_before)
                raise ConfigurationError(reason(log.read().decode(errors="replace")))
        if server is None and keeper is None:
            keeper, log_before = _launch(directory, owner)
        time.sleep(0.02)
    raise ConfigurationError(f"it is not ready after {_SECONDS} s; {directory / 'log'} may tell why")


def _launch(directory: Path, owner: Owner | None) -> tuple[subprocess.Popen[bytes], int]:
    """Start a keeper, which starts the server; return it and the length of the log before that."""
    # Left behind by a killed server. PostgreSQL would believe its number, which may be another program's now.
    (directory / "postmaster.pid").unlink(missing_ok=True)
    socket_folder = folders.new_socket_folder(directory, owner)
    settings = ("unix_socket_permissions=0700", "log_destination=stderr", "logging_collector=off", "lc_messages=C")
    command = [
        str(binaries_for(owner) / "postgres"),
        "-D",
        str(directory),
        "-h",
        "",
        "-k",
        str(socket_folder),
        "-p",
        "5432",
    ]
    command += [argument for setting in settings for argument in ("-c", setting)]
    log = folders.open_file(directory / "log", os.O_WRONLY | os.O_APPEND, owner)
    try:
        if os.fstat(log).st_size > _LARGEST_LOG:
            os.ftruncate(log, 0)
        log_before = os.fstat(log).st_size
        keeper = subprocess.Popen(  # noqa: S603  # our own program, and no shell
            [sys.executable, "-I", embedded_keeper.__file__,
             str(directory / folders.LOCK), str(directory / folders.KEEP_RUNNING), str(socket_folder),
             *((str(owner.uid), str(owner.gid)) if owner is not None else ("", "")), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a client's terminal is not for the server
        )  # fmt: skip
    finally:
        os.close(log)
    return keeper, log_before


def end(server: RunningServer) -> None:
    """Stop the server and wait for its end; connections that are still open are closed."""
    for sign in (signal.SIGINT, signal.SIGQUIT):  # PostgreSQL's "fast", then its "immediate"
        try:
            server.process.send_signal(sign)  # psutil refuses if the number is another process's by now
            deadline = time.monotonic() + _SECONDS
            while server.process.is_running() and server.process.status() != psutil.STATUS_ZOMBIE:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.01)
            else:
                return
        except psutil.NoSuchProcess:
            return
    raise ConfigurationError(f"process {server.process.pid} does not end")


def reason(output: str) -> str:
    """Return the line in a log, or in initdb's output, that says why PostgreSQL did not start, with its detail."""
    fatal = re.search(r"(?:FATAL|PANIC|initdb: error): *(?P<what>.*)(?:\n.*DETAIL: *(?P<detail>.*))?", output)
    if fatal is None:
        return next((line for line in reversed(output.splitlines()) if line.strip()), "it ended without a word")
    return ": ".join(filter(None, fatal.groups()))
