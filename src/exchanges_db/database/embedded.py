"""A real PostgreSQL that needs no set-up (extra `embedded`): started on request, stopped after its last user.

It listens on a unix socket only; once it runs, it is a server like any other to the rest of the package. Each process
that uses it holds a shared lock on a file in its data folder; when the last of these locks is gone, it is stopped.
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

_used: dict[Path, int] = {}  # the data folders that this process uses, and the file descriptors that hold the locks
_keepers: dict[Path, subprocess.Popen[bytes]] = {}
_one_thread = threading.RLock()
_NOT_INSTALLED = "the embedded PostgreSQL is not installed: set DATABASE_URL, or pip install 'exchanges_db[embedded]'"


def data_directory() -> Path:
    """Return where the embedded server keeps its data: EXCHANGES_DB_EMBEDDED_DIR, else a folder in the user's data.

    Raises:
        ConfigurationError: the variable leads nowhere, or there is no embedded server here.
    """
    _refuse_windows()
    given = os.environ.get("EXCHANGES_DB_EMBEDDED_DIR")
    if given:
        try:
            return Path(given).expanduser().resolve()
        except (OSError, RuntimeError) as exc:  # no such user, a loop of links, a working directory that is gone
            raise ConfigurationError(f"EXCHANGES_DB_EMBEDDED_DIR={given!r} is unusable: {exc}") from exc
    if os.geteuid() == 0:
        # Started by root, the server runs as another user, and that one cannot enter root's home.
        return Path("/var/lib/exchanges_db/postgres")
    try:
        import platformdirs  # comes with the extra
    except ImportError:
        raise ConfigurationError(_NOT_INSTALLED) from None
    return platformdirs.user_data_path("exchanges_db")


def start(directory: Path | str | None = None, *, keep_running: bool = False) -> str:
    """Start the server of `directory`, or join it where it runs, and return its DATABASE_URL.

    It stops when the last process that started or joined it has ended, however that came about; with `keep_running`
    only `stop` stops it. Starting takes about half a second, the first time in a folder some seconds.

    Raises:
        ConfigurationError: the extra is not installed, or the server does not start.
    """
    with _one_thread, _one_line_errors(directory, "start") as folder:
        return _start(folder, keep_running=keep_running)


def stop(directory: Path | str | None = None) -> None:
    """Stop using the server of `directory`: it stops if no other process uses it.

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

    binaries()  # raises where they are missing, before any folder is made
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
                mark.unlink(missing_ok=True)  # it was for a server that does not run any more
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
            keeper.returncode = 0  # it may outlive this process, about which Popen would otherwise warn


def _let_go(folder: Path, *, stop_kept: bool) -> None:
    import fcntl

    from exchanges_db.database import embedded_folders as folders
    from exchanges_db.database import embedded_server

    used = _used.pop(folder, None)
    if used is not None:
        # Closed but not unlocked: a forked child may share the lock.
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
        with suppress(ConfigurationError), _one_line_errors(folder, "stop"):  # if this fails, its keeper stops it
            _let_go(folder, stop_kept=False)
    for keeper in _keepers.values():
        _forget(keeper, 0)


atexit.register(_let_go_of_all)


def _refuse_windows() -> None:
    if os.name == "nt":
        raise ConfigurationError("there is no embedded PostgreSQL for Windows: set DATABASE_URL")


@contextmanager
def _one_line_errors(directory: Path | str | None, verb: str) -> Iterator[Path]:
    """Yield the folder as an absolute path; turn any failure into a ConfigurationError with a message of one line."""
    _refuse_windows()
    try:
        import psutil

        from exchanges_db.database import embedded_folders as folders
    except ImportError:
        raise ConfigurationError(_NOT_INSTALLED) from None
    folder = Path(directory) if directory else data_directory()
    try:
        folder = folder.resolve()
        yield folder
    except (ConfigurationError, OSError, RuntimeError, ValueError, psutil.Error, subprocess.SubprocessError) as exc:
        why = f"{exc.strerror}: {exc.filename}" if isinstance(exc, OSError) and exc.filename else str(exc)
        if "Permission denied" in why:
            why += folders.advice_on_rights(folder)
        raise ConfigurationError(folders.shown(f"the embedded PostgreSQL in {folder} does not {verb}: {why}")) from exc
