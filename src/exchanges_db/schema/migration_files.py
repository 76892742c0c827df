"""Reads the migration files of a folder: their versions, checksums, what they make, and how each part must be run."""

from __future__ import annotations

import hashlib
import re
from enum import Enum
from pathlib import Path

import msgspec

from exchanges_db.errors import MigrationError

_FILE_NAME = re.compile(r"(?P<version>[0-9]+)_\w+\.sql")
_DIRECTION = re.compile(r"^--[ \t]*migrate:(up|down)\b(.*)$", re.MULTILINE)
# What a file says of itself below its transaction:false: run a second time, it does what is left to do, or nothing.
_REPEATABLE = re.compile(r"^--[ \t]*exchanges_db:[ \t]*may be run again\b", re.MULTILINE)
_NO_TRANSACTION = re.compile(r"\btransaction:false\b")
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
# The indexes of a table go with it.
_INDEXED = re.compile(
    r"\bCREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?(?:IF NOT EXISTS )?(\w+) ON (?:ONLY )?(?:public\.)?(\w+)",
    re.IGNORECASE,
)
_DROPPED_TABLE = re.compile(r"\bDROP TABLE (?:IF EXISTS )?(?:public\.)?(\w+)", re.IGNORECASE)
# What is given another name is not there by its old one any more, as if it were dropped and the other made.
_RENAMED = re.compile(
    r"\bALTER (?:TABLE|INDEX) (?:public\.)?(\w+) RENAME TO (\w+)|\bRENAME CONSTRAINT (\w+) TO (\w+)", re.IGNORECASE
)
# These begin or end transactions, or may do so inside of themselves.
_ENDS_TRANSACTIONS = re.compile(
    r"(?:^|; ?)(?:BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|PREPARE|CALL|DO)\b", re.IGNORECASE
)
# Statements that are refused in a transaction, which several in one message are, too.
_ALONE = re.compile(
    r"^(?:VACUUM|CLUSTER|REINDEX|DISCARD|(?:CREATE|DROP|ALTER) (?:DATABASE|TABLESPACE|SUBSCRIPTION|SYSTEM))\b"
    r"|\bCONCURRENTLY\b",
    re.IGNORECASE,
)
_INDEX_ALONE = re.compile(
    r"^CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?:IF NOT EXISTS )?(?!ON\b)(?:public\.)?(\w+)\b", re.IGNORECASE
)


class Run(Enum):
    """What a part of a file is to the server when it is run."""

    TRANSACTION = "transaction"  # as dbmate does unless it is told otherwise: with its record, or not at all
    ONE_MESSAGE = "one message"  # transaction:false, but PostgreSQL makes one transaction of it all the same
    FREE = "free"  # transaction:false, and it may end half done


class Part(msgspec.Struct, frozen=True):
    """One direction of a file.

    Attributes:
        index: the index that it makes, where that is all it does and it is made CONCURRENTLY.
        repeatable: whether it says that it may be run again, however often, and whatever it had done.
        commits: whether it may have committed a part of itself when it fails.
    """

    run: Run
    index: str | None = None
    repeatable: bool = False
    commits: bool = False


class MigrationFile(msgspec.Struct, frozen=True, kw_only=True):
    """One migration file.

    Attributes:
        content: its bytes; what is run is these, whatever happens to the file meanwhile.
        sha256: the hash of its bytes.
        makes: names of the tables, constraints, functions and so on that it makes and that no later file drops.
        up, down: how each of its directions must be run.
    """

    version: str
    name: str
    content: bytes
    sha256: str
    makes: frozenset[str]
    up: Part
    down: Part

    def as_one_transaction(self) -> bytes:
        """Return the file without its transaction:false.

        Where PostgreSQL makes one transaction of a part all the same, this puts dbmate's record of it into that
        transaction: killed at any moment, it is applied and recorded, or neither.
        """
        text = self.content.decode(errors="surrogateescape")
        return _DIRECTION.sub(lambda line: _NO_TRANSACTION.sub("", line[0]), text).encode(errors="surrogateescape")


def read_files(directory: Path) -> dict[str, MigrationFile]:
    """Return the files of the folder by version.

    Raises:
        MigrationError: two have the same version, one has no version in its name, or there is no file at all.
    """
    files: dict[str, MigrationFile] = {}
    dropped: set[str] = set()
    tables_gone: set[str] = set()
    # The newest first: what a file drops does not count as made by itself or by an older one.
    for path in sorted(directory.glob("*.sql"), reverse=True):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name} is no migration's name: it must be NUMBER_name.sql")
        if match["version"] in files:
            raise MigrationError(f"{path.name} and {files[match['version']].name} have the same version")
        content = path.read_bytes()
        parts = _parts(content.decode(errors="replace"))
        code = _code(parts.get("up", ("", ""))[1])
        renamed = {(one or two): (new or other) for one, new, two, other in _RENAMED.findall(code)}
        dropped |= set(_DROPPED.findall(code)) | renamed.keys()
        dropped |= {index for index, table in _INDEXED.findall(code) if table in tables_gone}
        tables_gone |= set(_DROPPED_TABLE.findall(code))
        made = {one or other for one, other in _MADE.findall(code)} | set(renamed.values())
        files[match["version"]] = MigrationFile(
            version=match["version"],
            name=path.name,
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            makes=frozenset(made - dropped),
            up=_how(*parts.get("up", ("", ""))),
            down=_how(*parts.get("down", ("", ""))),
        )
    if not files:
        raise MigrationError(f"there are no migrations in {directory}")
    return files


def _parts(text: str) -> dict[str, tuple[str, str]]:
    """Return, for up and down, the options in its line and the SQL below it."""
    _, *rest = _DIRECTION.split(text)
    return {name: (options, sql) for name, options, sql in zip(rest[::3], rest[1::3], rest[2::3], strict=True)}


def _code(sql: str) -> str:
    """Return the SQL on one line, without comments, texts and bodies of functions."""
    return re.sub(r"\s+", " ", _NO_CODE.sub(" ", sql)).strip()


def _how(options: str, sql: str) -> Part:
    if _NO_TRANSACTION.search(options) is None:
        return Part(Run.TRANSACTION)
    code = _code(sql).rstrip("; ")
    commits = _ENDS_TRANSACTIONS.search(code) is not None
    if commits or (";" not in code and _ALONE.search(code)):
        index = None if ";" in code else _INDEX_ALONE.search(code)
        return Part(Run.FREE, index[1] if index else None, _REPEATABLE.search(sql) is not None, commits)
    return Part(Run.ONE_MESSAGE)
