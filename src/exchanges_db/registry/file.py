"""Keeps a snapshot in a file, from which a registry starts where no database answers.

A file is a frame, a header of JSON, a body, and a checksum of all of them. The frame and the checksum are the same in
every format, so that damage is told from a format that this version does not know. Nothing here awaits: it is meant for
a thread, as by `asyncio.to_thread`.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import struct
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from exchanges_db._version import __version__
from exchanges_db.database.secret import path_without_address
from exchanges_db.errors import InvalidArgument, SnapshotNotSaved, SnapshotRefused, shown
from exchanges_db.moments import check_moment
from exchanges_db.registry.packing import KNOWN, pack, unpack
from exchanges_db.registry.replacing import replace_file
from exchanges_db.registry.snapshot import Snapshot

StrPath = str | os.PathLike[str]

_MAGIC = b"exchanges_db snapshot\n"
_FORMAT = 1
_FRAME = struct.Struct("<22sIIQ")  # the magic, the format, and how long the header and the body are
_SUM_LENGTH = hashlib.sha256().digest_size
_LONGEST = 1 << 32  # bytes; a snapshot of a million symbols has about a fortieth of that
_RELEASE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})*")
_ANEW = "save it anew with `exchanges-db snapshot save PATH`"


class SavedSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds.

    Attributes:
        saved_at: when the database was known to be like this.
        made_by: the version of exchanges_db that wrote it.
    """

    snapshot: Snapshot
    saved_at: datetime
    made_by: str


class _Header(msgspec.Struct, kw_only=True):
    """Read by programs and people, as by `head`; its numbers are told for them alone."""

    made_by: str
    saved_at: Annotated[datetime, msgspec.Meta(tz=True)]
    epoch: int
    token: str
    exchanges: int
    symbols: int
    knows: dict[str, tuple[str, ...]]


class _Maker(msgspec.Struct):
    """What a header of any format says."""

    made_by: str = "an unknown version"


class _Parts(NamedTuple):
    format: int
    header: bytes
    body: memoryview


def write_snapshot(path: StrPath, snapshot: Snapshot, saved_at: datetime) -> None:
    """Replace the file `path` by one with this snapshot, all or nothing; it is on the disk when this returns.

    A new file is for its owner alone; one that is there keeps its owner, group and permissions, as `replace_file` says.

    saved_at: when the database was known to be like this, by its own clock; with a time zone.

    Raises:
        InvalidArgument: `path` or `saved_at` is none.
        SnapshotNotSaved: it could not be written, or `path` is something else than a snapshot.
    """
    path = path_without_address(path)
    place = _path(path)
    header = msgspec.json.encode(
        _Header(
            made_by=__version__,
            saved_at=check_moment(saved_at, "saved_at"),
            epoch=snapshot.position.epoch,
            token=snapshot.position.token,
            exchanges=len(snapshot.places_by_id),
            symbols=sum(len(one.symbols) + len(one.named) for one in snapshot.places_by_id.values()),
            knows=dict(KNOWN),
        )
    )
    body = pack(snapshot)
    parts = (_FRAME.pack(_MAGIC, _FORMAT, len(header), len(body)), header, body)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    try:
        _check_replaceable(place)
        replace_file(place, (*parts, digest.digest()))
    except OSError as exc:
        raise _not_saved(place, exc.strerror or str(exc)) from exc


def read_snapshot(path: StrPath) -> SavedSnapshot:
    """Return what `write_snapshot` has written to the file `path`, also while another process replaces it.

    Raises:
        InvalidArgument: `path` is none.
        SnapshotRefused: there is no such file, or nothing of it can be used; the error says why, and what to do.
    """
    path = path_without_address(path)
    place = _path(path)
    try:
        content = _content(place)
    except OSError as exc:
        raise _refused(place, exc.strerror or str(exc)) from exc
    parts = _taken_apart(place, content)
    maker = _maker(parts.header)
    if parts.format != _FORMAT:
        raise _unreadable(place, maker, f"its format is {parts.format}, and the newest one known here is {_FORMAT}")
    try:
        header = msgspec.json.decode(parts.header, type=_Header)
    except (ValueError, RecursionError) as exc:  # no document of this kind, no JSON, no UTF-8, or too deep
        raise _unreadable(place, maker, f"its header is another one: {exc}") from exc
    _check_fields(place, maker, header.knows)
    try:
        snapshot = unpack(parts.body)
    except (ValueError, RecursionError) as exc:
        raise _unreadable(place, maker, f"it holds what cannot be used here: {exc}") from exc
    return SavedSnapshot(snapshot=snapshot, saved_at=header.saved_at, made_by=header.made_by)


def _path(path: StrPath) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise InvalidArgument(f"a path must be text or a Path, not {shown(path)}", field="path")
    place = os.fspath(path)
    if not isinstance(place, str) or not place or "\0" in place or not _is_encodable(place):
        raise InvalidArgument(f"{shown(place)} is no path of a file", field="path")
    return Path(place)


def _is_encodable(place: str) -> bool:
    try:
        os.fsencode(place)
    except UnicodeEncodeError:
        return False
    return True


def _content(place: Path) -> bytes:
    """Return the whole of a regular file, and of nothing else: a pipe would keep us waiting, a device never ends."""
    kind = _kind(place.stat().st_mode)  # before it is opened: of some devices even that has consequences
    if kind is not None:
        raise _refused(place, f"it is {kind}")
    descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        state = os.fstat(descriptor)
        kind = _kind(state.st_mode)
        if kind is not None:
            raise _refused(place, f"it is {kind}")
        if state.st_size == 0:
            raise _refused(place, "it is empty")
        begin = file.read(len(_MAGIC))
        if begin != _MAGIC[: len(begin)]:
            raise _refused(place, "it is no snapshot of exchanges_db")
        if state.st_size > _LONGEST:
            raise _refused(place, f"it has {state.st_size} bytes, more than any snapshot")
        return begin + file.read(state.st_size)


def _taken_apart(place: Path, content: bytes) -> _Parts:
    short = "it is not whole: it was cut off, or something was appended"
    if len(content) < _FRAME.size + _SUM_LENGTH:
        raise _refused(place, short)
    _, number, header_length, body_length = _FRAME.unpack_from(content)
    begin = _FRAME.size + header_length
    if begin + body_length + _SUM_LENGTH != len(content):
        raise _refused(place, short)
    view = memoryview(content)
    if hashlib.sha256(view[:-_SUM_LENGTH]).digest() != view[-_SUM_LENGTH:]:
        raise _refused(place, "it is damaged: its checksum is another one")
    return _Parts(number, bytes(view[_FRAME.size : begin]), view[begin:-_SUM_LENGTH])


def _maker(header: bytes) -> str:
    try:
        return msgspec.json.decode(header, type=_Maker).made_by
    except (ValueError, RecursionError):
        return _Maker().made_by


def _check_fields(place: Path, maker: str, knows: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse what was made by a version that knows other fields: none is left out, and none made up."""
    theirs = {(kind, field) for kind, fields in knows.items() for field in fields}
    ours = {(kind, field) for kind, fields in KNOWN.items() for field in fields}
    if theirs - ours:
        kind, field = min(theirs - ours)
        raise _unreadable(place, maker, f"{kind}.{field} is not known here")
    if theirs != ours or dict(knows) != dict(KNOWN):
        missing = ", ".join(f"{kind}.{field}" for kind, field in sorted(ours - theirs)) or "the order of fields"
        raise _unreadable(place, maker, f"it lacks {missing}")


def _check_replaceable(place: Path) -> None:
    """Refuse to replace what is no snapshot: a device, a pipe, a folder, or a file of another kind."""
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        return
    kind = _kind(mode)
    if kind is not None:
        raise _not_saved(place, f"it is {kind}")
    with place.open("rb") as file:
        begin = file.read(len(_MAGIC))
    if begin not in (b"", _MAGIC):
        raise _not_saved(place, "there is a file of that name that is no snapshot: move it away, or take another name")


def _kind(mode: int) -> str | None:
    """Return what it is that is no regular file."""
    if stat.S_ISREG(mode):
        return None
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((name for is_kind, name in kinds if is_kind(mode)), "a device")


def _refused(place: Path, why: str, advice: str = _ANEW) -> SnapshotRefused:
    plain = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in why)  # a file may say anything of itself
    return SnapshotRefused(f"cannot start from {str(place)!r}: {plain}; {advice}", path=str(place))


def _unreadable(place: Path, maker: str, why: str) -> SnapshotRefused:
    if maker == __version__:
        faulty = "it is damaged, or a faulty program has written it"
        return _refused(place, f"it says that exchanges_db {maker} has made it, and yet {why}: {faulty}")
    theirs, ours = _release(maker), _release(__version__)
    is_older = theirs is not None and ours is not None and theirs < ours
    which = "an older" if is_older else "another" if theirs == ours else "a newer"
    made = f"it was made by exchanges_db {maker}, {which} version than this one, {__version__}"
    return _refused(place, f"{made}: {why}", _ANEW if is_older else f"update exchanges_db, or {_ANEW}")


def _release(version: str) -> tuple[int, ...] | None:
    """Return its numbers, without what comes after them, as of a candidate; None where it has none."""
    found = _RELEASE.match(version)
    return None if found is None else tuple(map(int, found[0].split(".")))


def _not_saved(place: Path, why: str) -> SnapshotNotSaved:
    return SnapshotNotSaved(f"cannot save to {str(place)!r}: {why}", path=str(place))
