"""Replaces a file as a whole: whoever reads it meets the old content or the new one, whatever ends this process."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_MODE = 0o600  # less what the umask takes away: what accounts pay and why somebody stopped trading is not for all
_BEGIN, _END = ".", ".unfinished"
_LIST = "system.posix_acl_access"  # who else may read a file, where `setfacl` has said so; on Linux
_FORGOTTEN = 3600.0  # seconds after which an unfinished file is one that nobody will finish


def replace_file(path: Path, parts: Iterable[bytes]) -> None:
    """Write `parts` to the file `path`, all or nothing; of several that write at once, the last one's stays.

    A file that is there keeps its permissions, and its owner and group as far as this process may give them; where the
    group cannot be kept, what it was allowed is allowed to no other. Where `path` is a link, the file that it leads to
    is replaced.

    Raises:
        OSError: nothing was replaced; or the folder could not be written to disk, and a crash may undo it.
    """
    path = Path(os.path.realpath(path))
    try:
        before = path.stat()
    except FileNotFoundError:
        before = None
    # Before anything is replaced: a folder that may be written to and not read is one that cannot be synced.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _delete_forgotten(path)
        _replace(path, parts, before)
        os.fsync(folder)
    finally:
        os.close(folder)


def _replace(path: Path, parts: Iterable[bytes], before: os.stat_result | None) -> None:
    unfinished = path.with_name(f"{_prefix(path)}{secrets.token_hex(8)}{_END}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
            if before is not None:
                _keep_access(descriptor, before, _list_of(path))
            file.writelines(parts)
            file.flush()
            os.fsync(descriptor)
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def _keep_access(descriptor: int, before: os.stat_result, listed: bytes | None) -> None:
    """Let the same read and write as before, and nobody else.

    listed: who else may, besides owner and group; the group's bits of the mode bound that list then.
    """
    # Whose it is comes first: permissions are to be another group's at no moment, and a new owner takes some away.
    keeps_group = _has_done(os.fchown, descriptor, before.st_uid, before.st_gid) or _has_done(
        os.fchown, descriptor, -1, before.st_gid
    )
    mode = stat.S_IMODE(before.st_mode)
    if not _has_listed(descriptor, listed):
        mode &= stat.S_IRWXU  # who was kept out by that list is among all others now
    elif not keeps_group:
        kept_out = stat.S_IRWXG & ~mode
        mode &= ~(stat.S_IRWXG | stat.S_ISGID | kept_out >> 3)
    os.fchmod(descriptor, mode)


def _has_listed(descriptor: int, listed: bytes | None) -> bool:
    """Return whether those who are listed now are those who were; a folder may give a list to each new file."""
    if listed is not None:
        return _has_done(os.setxattr, descriptor, _LIST, listed)
    return _list_of(descriptor) is None or _has_done(os.removexattr, descriptor, _LIST)


def _has_done(call: Callable[..., None], *arguments: object) -> bool:
    try:
        call(*arguments)
    except OSError:  # it is not ours to give, or the file system knows nothing of that
        return False
    return True


def _list_of(file: Path | int) -> bytes | None:
    try:
        return os.getxattr(file, _LIST)
    except (OSError, AttributeError):  # there is none, or the system has no such call
        return None


def _prefix(path: Path) -> str:
    name = os.fsencode(path.name)[:150]  # a name has room for 255 bytes
    return f"{_BEGIN}{os.fsdecode(name)}."


def _delete_forgotten(path: Path) -> None:
    """Delete what writers have left that were killed; what cannot be deleted stays."""
    prefix = _prefix(path)
    with contextlib.suppress(OSError):
        for entry in os.scandir(path.parent):
            if entry.name.startswith(prefix) and entry.name.endswith(_END):
                with contextlib.suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > _FORGOTTEN:
                        Path(entry.path).unlink()
