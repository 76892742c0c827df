"""Passwords from a file as libpq's .pgpass, with its escapes and its demand that nobody else can read it."""

from __future__ import annotations

import logging
import os
import re
import stat
from pathlib import Path

from exchanges_db.database.secret import Secret
from exchanges_db.events import event

log = logging.getLogger("exchanges_db")

_FIELD = re.compile(r"(?:[^:\\]|\\.|\\$)*", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# Where servers put their socket by default; in the file that stands as localhost.
SOCKET_FOLDERS = ("/run/postgresql", "/var/run/postgresql", "/tmp", "/private/tmp")  # noqa: S108 - PostgreSQL's choice


def read_password(path: Path, host: str, port: int, database: str, user: str) -> Secret | None:
    """Return the password of the first line that fits, None where there is none or the file is not to be used."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            told = event("password_file_unused", reason="no plain file")
            log.warning("the password file %s is no plain file, so it is not used", path, extra=told)
            return None
        if os.name != "nt" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            told = event("password_file_unused", reason="readable by others")
            log.warning("the password file %s can be read by others, so it is not used: chmod 600", path, extra=told)
            return None
        wanted = ("localhost" if host in SOCKET_FOLDERS else host, str(port), database, user)
        with path.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                found = _password_of(line.rstrip("\r\n"), wanted)
                if found is not None:
                    return found
    except ValueError:
        told = event("password_file_unused", reason="not UTF-8")
        log.warning("the password file %s is not UTF-8 text, so it is not used", path, extra=told)
    except OSError as exc:
        if not isinstance(exc, FileNotFoundError | NotADirectoryError):
            told = event("password_file_unused", reason=exc.strerror)
            log.warning("the password file %s cannot be read: %s", path, exc.strerror, extra=told)
    return None


def _password_of(line: str, wanted: tuple[str, ...]) -> Secret | None:
    if line.startswith("#"):
        return None
    at = 0
    for value in wanted:
        field = _FIELD.match(line, at)
        assert field is not None  # it matches nothing, too
        if field.end() == len(line) or (field[0] != "*" and _ESCAPED.sub(r"\1", field[0]) != value):
            return None
        at = field.end() + 1
    password = _FIELD.match(line, at)
    assert password is not None
    return Secret(_ESCAPED.sub(r"\1", password[0]))
