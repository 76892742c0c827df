"""Debian's PgBouncer in transaction mode before the tests' server, as users put it in between.

It may keep only a few connections to the server, so that several clients do share them, one after the other.
"""

import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from exchanges_db.database.dsn import Dsn

_SECONDS = 30  # for its start, and for its end


def pgbouncer_program() -> str | None:
    """Return PgBouncer's program, which Debian installs where only root's PATH leads; None where there is none."""
    return shutil.which("pgbouncer", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))


needs_pgbouncer = pytest.mark.skipif(pgbouncer_program() is None, reason="PgBouncer is not installed")


@contextmanager
def pgbouncer_process(
    server: Dsn, *, sessions: int = 2, by_socket: bool = False
) -> Iterator[tuple[psutil.Process, Dsn]]:
    """Run PgBouncer before `server`; gives its process, and the Dsn of the same database through it.

    sessions: how many connections it keeps to each database of the server.
    by_socket: whether the Dsn leads to a unix socket, as that of an embedded server does, and not to a port.
    """
    folder = Path(tempfile.mkdtemp(prefix="exchanges_db_pgbouncer_"))
    try:
        process, port = _started(folder, server, sessions)
        try:
            host = str(folder) if by_socket else "127.0.0.1"
            yield psutil.Process(process.pid), replace(server, hosts=((host, port),), sslmode="disable")
        finally:
            process.kill()
            process.wait(_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def pgbouncer(server: Dsn, *, sessions: int = 2) -> Iterator[Dsn]:
    """Run PgBouncer before `server`; gives the Dsn of the same database through it."""
    with pgbouncer_process(server, sessions=sessions) as (_, dsn):
        yield dsn


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _started(folder: Path, server: Dsn, sessions: int) -> tuple[subprocess.Popen[bytes], int]:
    """Return the process, which listens, and its port; another program may take a port that was free a moment ago."""
    program = pgbouncer_program()
    assert program is not None, "PgBouncer is not installed"
    log = folder / "log"
    for _ in range(3):
        port = _free_port()
        configuration = _configure(folder, server, port, sessions)
        with log.open("wb") as output:
            process = subprocess.Popen([program, configuration], stdout=output, stderr=output, **_user(folder, server))
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end and process.poll() is None:
            if b"process up" in log.read_bytes():
                return process, port
            time.sleep(0.01)
        process.kill()
        process.wait(_SECONDS)
    raise RuntimeError(f"PgBouncer did not start: {log.read_text()}")


def _configure(folder: Path, server: Dsn, port: int, sessions: int) -> Path:
    host, server_port = server.hosts[0]
    user = server.user or os.environ.get("PGUSER") or pwd.getpwuid(os.geteuid()).pw_name
    password = "" if server.password is None else server.password.reveal()
    users = folder / "users"
    users.write_text(" ".join('"{}"'.format(text.replace('"', '""')) for text in (user, password)) + "\n")
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        f"[databases]\n* = host={host} port={server_port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir = {folder}\n"
        f"auth_type = trust\nauth_file = {users}\n"
        f"pool_mode = transaction\ndefault_pool_size = {sessions}\nmax_client_conn = 2000\n"
        "log_connections = 0\nlog_disconnections = 0\nlog_stats = 0\n" + _without_prepared_statements()
    )
    return configuration


def _without_prepared_statements() -> str:
    """Return the setting that has newer versions forget prepared statements, as older ones do, which lack it."""
    said = subprocess.run([pgbouncer_program() or "", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    return "max_prepared_statements = 0\n" if found and (int(found[1]), int(found[2])) >= (1, 21) else ""


def _user(folder: Path, server: Dsn) -> dict[str, Any]:
    """Return as whom it runs: not as root, and where root started the server, its socket is its own user's alone."""
    if os.geteuid() != 0:
        return {}
    host = server.hosts[0][0]
    uid = Path(host).stat().st_uid if host.startswith("/") else 0
    user = pwd.getpwuid(uid) if uid else pwd.getpwnam("nobody")
    for path in (folder, *folder.iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
