"""A real PostgreSQL that needs no set-up: what the CLI and the tests use where DATABASE_URL is unset.

It listens on a unix socket only. Extra `embedded`. Nothing else in the package knows that it is not a server
like any other. Who uses it holds a shared lock on a file in its folder; the last one to let go stops it.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from exchanges_db.errors import ConfigurationError

_used: dict[Path, int] = {}  # the data folders this process uses, and the descriptors that hold their locks
_keepers: dict[Path, subprocess.Popen[bytes]] = {}
_one_thread = threading.RLock()


def data_directory() -> Path:
    """Return where the embedded server keeps its data: EXCHANGES_DB_EMBEDDED_DIR, else a folder in the user's data."""
    given = os.environ.get("EXCHANGES_DB_EMBEDDED_DIR")
    if given:
        return Path(given).expanduser().resolve()
    import platformdirs  # comes with the extra

    # PostgreSQL does not run as root, and the user it then runs as cannot enter root's home.
    return Path("/var/lib/exchanges_db/postgres") if os.geteuid() == 0 else platformdirs.user_data_path("exchanges_db")


def start(directory: Path | str | None = None, *, keep_running: bool = False) -> str:
    """Start the server of `directory`, or join it where it runs, and return its DATABASE_URL.

    It stops when the last process that started it has ended in whatever way; with `keep_running` only by `stop`.
    Takes about half a second, the first time in a folder some seconds.

    Raises:
        ConfigurationError: the extra is not installed, or the server does not start.
    """
    with _one_thread, _one_line_errors(directory, "start") as folder:
        return _start(folder, keep_running=keep_running)


def stop(directory: Path | str | None = None) -> None:
    """Let go of the server of `directory`: it stops when no other process uses it.

    Raises:
        ConfigurationError: the extra is not installed, or the server does not stop.
    """
    with _one_thread, _one_line_errors(directory, "stop") as folder:
        _let_go(folder, stop_kept=True)


def _start(folder: Path, *, keep_running: bool) -> str:
    import fcntl

    from exchanges_db.database import embedded_folders as folders
    from exchanges_db.database import embedded_server
    from exchanges_db.database.embedded_binaries import binaries

    binaries()  # before anything is made
    owner = folders.prepare(folder)
    with folders.alone(folder) as alone:
        embedded_server.initialise(folder, owner, alone)
        used = folders.open_file(folder / folders.LOCK, os.O_RDONLY, owner)
        try:
            fcntl.flock(used, fcntl.LOCK_SH)  # waits for a keeper that is stopping the server
            mark = folder / folders.KEEP_RUNNING
            if keep_running:
                os.close(folders.open_file(mark, os.O_RDONLY, owner))
            elif embedded_server.find(folder) is None:
                mark.unlink(missing_ok=True)  # meant for a server that does not run any more
            socket_folder, keeper = embedded_server.serve(folder, owner)
        except BaseException:
            os.close(used)
            raise
    before = _used.pop(folder, None)
    if before is not None:
        os.close(before)
    _used[folder] = used
    if keeper is not None:
        _forget(_keepers.pop(folder, None), 1)  # its server has ended
        _keepers[folder] = keeper
    return f"postgresql://postgres@/postgres?host={quote(socket_folder, safe='')}&port=5432"


def _forget(keeper: subprocess.Popen[bytes] | None, seconds: int) -> None:
    if keeper is not None:
        try:
            keeper.wait(seconds)
        except subprocess.TimeoutExpired:
            keeper.returncode = 0  # it outlives this process on purpose, which Popen would warn of


def _let_go(folder: Path, *, stop_kept: bool) -> None:
    import fcntl

    from exchanges_db.database import embedded_folders as folders
    from exchanges_db.database import embedded_server

    used = _used.pop(folder, None)
    if used is not None:
        # Never unlocked, only closed: a forked child may hold the same lock.
        os.close(used)
    if not (folder / folders.LOCK).exists():
        return
    with folders.alone(folder):
        if stop_kept:
            (folder / folders.KEEP_RUNNING).unlink(missing_ok=True)
        elif (folder / folders.KEEP_RUNNING).exists():
            return
        with (folder / folders.LOCK).open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                fcntl.flock(lock, fcntl.LOCK_SH)  # others use it, or its keeper is stopping it: wait for that
            else:
                server = embedded_server.find(folder)
                if server is not None:
                    embedded_server.end(server)
    keeper = _keepers.get(folder)
    if keeper is not None and embedded_server.find(folder) is None:
        keeper.wait()
        del _keepers[folder]


def _let_go_of_all() -> None:
    for folder in list(_used):
        with suppress(ConfigurationError), _one_line_errors(folder, "stop"):  # its keeper stops it then
            _let_go(folder, stop_kept=False)
    for keeper in _keepers.values():
        _forget(keeper, 0)


atexit.register(_let_go_of_all)


@contextmanager
def _one_line_errors(directory: Path | str | None, verb: str) -> Iterator[Path]:
    """Give the folder as an absolute path; turn what goes wrong into a ConfigurationError of one line."""
    if os.name == "nt":
        raise ConfigurationError("DATABASE_URL is not set, and there is no embedded PostgreSQL for Windows")
    try:
        import psutil

        from exchanges_db.database import embedded_folders as folders
    except ImportError:
        raise ConfigurationError(
            "the embedded PostgreSQL is not installed: set DATABASE_URL, or pip install 'exchanges_db[embedded]'"
        ) from None
    folder = Path(directory) if directory else data_directory()
    try:
        folder = folder.resolve()
        yield folder
    except (ConfigurationError, OSError, RuntimeError, ValueError, psutil.Error, subprocess.SubprocessError) as exc:
        why = f"{exc.strerror}: {exc.filename}" if isinstance(exc, OSError) and exc.filename else str(exc)
        if "Permission denied" in why:
            why += folders.advice_on_rights(folder)
        raise ConfigurationError(folders.shown(f"the embedded PostgreSQL in {folder} does not {verb}: {why}")) from exc
