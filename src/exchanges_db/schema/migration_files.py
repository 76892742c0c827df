"""Reads the migration files of a folder: their versions, their checksums, and what they make in schema public."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec

from exchanges_db.errors import MigrationError

_FILE_NAME = re.compile(r"(?P<version>[0-9]+)_\w+\.sql")
_DIRECTION = re.compile(r"^-- migrate:(?:up|down)\b.*$", re.MULTILINE)
# Bodies of functions, texts and comments: a CREATE in them makes nothing when the file is run.
_NO_CODE = re.compile(r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_KINDS = r"(?:TABLE|(?:MATERIALIZED )?VIEW|INDEX|FUNCTION|SEQUENCE|(?:CONSTRAINT )?TRIGGER)"
_MADE = re.compile(
    rf"\bCREATE (?:OR REPLACE )?(?:UNIQUE )?{_KINDS} (?:CONCURRENTLY )?(?:IF NOT EXISTS )?"
    # CREATE INDEX ON has no name; a name with a point after it is that of another schema.
    r"(?!ON\b)(?:public\.)?(\w+)\b(?!\.)"
    r"|(?:\bADD |[(,] ?)CONSTRAINT (\w+)",
    re.IGNORECASE,
)
_DROPPED = re.compile(
    rf"\bDROP (?:{_KINDS}|CONSTRAINT) (?:CONCURRENTLY )?(?:IF EXISTS )?(?:public\.)?(\w+)", re.IGNORECASE
)
# What is given another name is not there by its old one any more, as if it were dropped and the other made.
_RENAMED = re.compile(
    r"\bALTER (?:TABLE|INDEX) (?:public\.)?(\w+) RENAME TO (\w+)|\bRENAME CONSTRAINT (\w+) TO (\w+)", re.IGNORECASE
)


class MigrationFile(msgspec.Struct, frozen=True):
    """One migration file.

    Attributes:
        sha256: the hash of its bytes.
        makes: names of the tables, constraints, functions and so on that it makes and that no later file drops.
    """

    version: str
    name: str
    sha256: str
    makes: frozenset[str]


def read_files(directory: Path) -> dict[str, MigrationFile]:
    """Return the files of the folder by version.

    Raises:
        MigrationError: two have the same version, one has no version in its name, or there is no file at all.
    """
    files: dict[str, MigrationFile] = {}
    dropped: set[str] = set()
    # The newest first: what a file drops does not count as made by itself or by an older one.
    for path in sorted(directory.glob("*.sql"), reverse=True):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name} is no migration's name: it must be NUMBER_name.sql")
        if match["version"] in files:
            raise MigrationError(f"{path.name} and {files[match['version']].name} have the same version")
        content = path.read_bytes()
        code = _up_code(content.decode(errors="replace"))
        renamed = {(one or two): (new or other) for one, new, two, other in _RENAMED.findall(code)}
        dropped |= set(_DROPPED.findall(code)) | renamed.keys()
        made = {one or other for one, other in _MADE.findall(code)} | set(renamed.values())
        files[match["version"]] = MigrationFile(
            match["version"], path.name, hashlib.sha256(content).hexdigest(), frozenset(made - dropped)
        )
    if not files:
        raise MigrationError(f"there are no migrations in {directory}")
    return files


def _up_code(text: str) -> str:
    """Return what `dbmate up` runs, on one line, without comments, texts and bodies of functions."""
    parts = _DIRECTION.split(text)
    return re.sub(r"\s+", " ", _NO_CODE.sub(" ", parts[1] if len(parts) > 1 else ""))
