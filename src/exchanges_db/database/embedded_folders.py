"""The folders of an embedded server: its data and its socket, who owns them, and the locks on them.

PostgreSQL refuses to run as root. Started by root, a server runs as the owner of its data folder; a new or empty folder
of root's is given to the system user `exchanges_db` if there is one, else to `nobody`. Other folders keep their rights.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from exchanges_db.errors import ConfigurationError

LOCK = "exchanges_db.lock"
KEEP_RUNNING = "exchanges_db.keep_running"
INITIALISING = "exchanges_db.initdb"  # initdb works in here
INITIALISED = "exchanges_db.initialised"  # the same folder once initdb is done, until its files are moved up
_MOUNT_POINT = "lost+found"

_LONGEST_FOLDER = 900  # PostgreSQL's limit for a path is 1,023 bytes, and the files inside need some of them
_LONGEST_SOCKET = 103  # the limit is 107 bytes on Linux, 103 on macOS
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9._/+-]*")  # a comma would be a second host in a DATABASE_URL


class Owner(NamedTuple):
    """The system user as whom a server runs that root started."""

    uid: int
    gid: int
    name: str


def shown(text: object) -> str:
    """Return `text` on one line, whatever characters a folder's name holds."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(text))


def prepare(directory: Path) -> Owner | None:
    """Make the data folder if it is missing, and return the user as whom its server runs; None means the present user.

    Raises:
        ConfigurationError: the folder is another user's, or its name cannot be used.
        OSError: it cannot be made.
    """
    if "\n" in str(directory):
        raise ConfigurationError("its name holds a line break, which PostgreSQL's postmaster.pid cannot")
    if len(os.fsencode(directory)) > _LONGEST_FOLDER:
        raise ConfigurationError(f"its name is longer than {_LONGEST_FOLDER} bytes")
    _make(directory)
    owner = directory.stat().st_uid
    if os.geteuid() != 0:
        if owner != os.geteuid():
            raise ConfigurationError("the folder belongs to another user")
        return None
    return _owner(owner)


def _make(directory: Path) -> None:
    missing = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder != directory and os.geteuid() == 0:
            folder.chmod(0o755)  # made just now, and the server's user has to pass through it


def _owner(uid: int) -> Owner:
    try:
        found = pwd.getpwuid(uid) if uid else _user_for_root()
    except KeyError:
        raise ConfigurationError(f"the folder belongs to user {uid}, whom the system does not know") from None
    return Owner(found.pw_uid, found.pw_gid, found.pw_name)


def _user_for_root() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("exchanges_db")
    except KeyError:
        return pwd.getpwnam("nobody")


def advice_on_rights(directory: Path) -> str:
    """Return what root has to know about a denied permission; an empty text for other users."""
    if os.geteuid() != 0 or not directory.is_dir():
        return ""
    name = _owner(directory.stat().st_uid).name
    return f" (it runs as the system user {name}, who must be able to enter every folder on the way)"


def needs_initdb(directory: Path) -> bool:
    """Return whether the folder has no data yet; first finish the move of data that a killed start left behind.

    Raises:
        ConfigurationError: it holds something else than data.
    """
    if (directory / INITIALISED).is_dir():
        settle(directory)
    names = {entry.name for entry in directory.iterdir()}
    if "PG_VERSION" in names:
        return False
    if names - {INITIALISING, _MOUNT_POINT}:
        raise ConfigurationError("the folder is not empty and holds no PostgreSQL data")
    shutil.rmtree(directory / INITIALISING, ignore_errors=True)
    return True


def settle(directory: Path) -> None:
    """Move what initdb made into the data folder; PG_VERSION, which marks the folder as initialised, goes last."""
    made = directory / INITIALISED
    for entry in sorted(made.iterdir(), key=lambda entry: entry.name == "PG_VERSION"):
        entry.rename(directory / entry.name)
    made.rmdir()


@contextmanager
def alone(directory: Path) -> Iterator[int]:
    """Hold the lock for starting or stopping the server of `directory`; yield its file descriptor."""
    while True:
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(folder), directory.stat()):  # else it was replaced meanwhile
                yield folder
                return
        finally:
            os.close(folder)


def open_file(path: Path, flags: int, owner: Owner | None) -> int:
    """Open one of our files in the data folder; not through a link, as the folder's owner may be another user."""
    file = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if owner is not None:
        os.fchown(file, owner.uid, owner.gid)
    return file


def new_socket_folder(directory: Path, owner: Owner | None) -> Path:
    """Make a folder for the server's socket that only its user enters, under a name short enough for a socket.

    Not in the data folder: its name may be too long, or hold a comma.
    """
    inode = directory.stat()
    name = hashlib.sha256(f"{inode.st_dev} {inode.st_ino}".encode()).hexdigest()[:8]
    refusal = "no short folder for its socket"
    for parent in _runtime_folders(owner):
        try:
            base = _own_folder(parent, owner)
        except (ConfigurationError, OSError) as exc:
            refusal = str(exc)
            continue
        for left_over in base.glob(f"{name}-*"):  # of an earlier server of this data folder
            shutil.rmtree(left_over, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=base))
        if owner is not None:
            os.chown(folder, owner.uid, owner.gid, follow_symlinks=False)
        return folder
    raise ConfigurationError(f"{refusal}; set XDG_RUNTIME_DIR to a short folder of your own")


def _runtime_folders(owner: Owner | None) -> list[Path]:
    # Root's XDG_RUNTIME_DIR is root's own folder: the server's user could not enter it.
    own = os.environ.get("XDG_RUNTIME_DIR") if owner is None else None
    parents = [Path(name) for name in (own, tempfile.gettempdir(), "/tmp") if name and _PLAIN_PATH.fullmatch(name)]  # noqa: S108
    longest = len("/exchanges_db-4294967295/12345678-12345678/.s.PGSQL.5432")
    return [parent for parent in parents if len(str(parent)) + longest <= _LONGEST_SOCKET and parent.is_dir()]


def _own_folder(parent: Path, owner: Owner | None) -> Path:
    uid = os.geteuid() if owner is None else owner.uid
    folder = parent / f"exchanges_db-{uid}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if owner is not None and status.st_uid == 0 and stat.S_ISDIR(status.st_mode):
        os.chown(folder, owner.uid, owner.gid, follow_symlinks=False)  # made here just now
        status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != uid or status.st_mode & 0o077:
        raise ConfigurationError(f"{folder} is not a folder that only user {uid} may enter")
    return folder
