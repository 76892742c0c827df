"""A snapshot in a file whose checksum is right and whose content is not: nothing of it is used, and it says why."""

import re
import struct
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchanges_db._version import __version__
from exchanges_db.errors import SnapshotRefused
from exchanges_db.registry import file
from exchanges_db.registry.columns import FIELDS
from exchanges_db.registry.file import read_snapshot, write_snapshot
from exchanges_db.registry.packing import KNOWN, pack
from tests.snapshots import NOW, a_snapshot

NUMBERS = ("NaN", "sNaN", "Infinity", "-Infinity", "1E+131072", "1E-16384", "1E+999999999")
NO_ZONE = "2026-01-01T00:00:00"
Change = Callable[[Any], Any]


def written(folder: Path, body: bytes | None = None, **told: Any) -> Path:
    """A file of a snapshot, with another body and another header, as somebody else's program may have written it."""
    path = folder / "registry.snapshot"
    write_snapshot(path, a_snapshot(), NOW)
    whole = path.read_bytes()
    magic, number, length, _ = struct.unpack_from("<22sIIQ", whole)
    first = msgspec.json.encode(msgspec.json.decode(whole[38 : 38 + length]) | told)
    rest = whole[38 + length : -32] if body is None else body
    content = struct.pack("<22sIIQ", magic, number, len(first), len(rest)) + first + rest
    path.write_bytes(content + sha256(content).digest())
    return path


def refusal(path: Path) -> str:
    """Why a file is refused: in one line that moves no cursor."""
    with pytest.raises(SnapshotRefused) as info:
        read_snapshot(path)
    message = str(info.value)
    assert message.isprintable()
    return message


def changed(change: Change) -> bytes:
    """The body of a snapshot of two exchanges, the first of which has all there is, after a change."""
    body: list[Any] = msgspec.msgpack.decode(pack(a_snapshot()))
    change(body)
    return msgspec.msgpack.encode(body)


def column(field: str, values: list[Any] | None = None, which: tuple[int, ...] | bytes | None = None) -> Change:
    """Other values for a field of the symbols, or other indexes of them."""

    def change(body: list[Any]) -> None:
        found = body[3][0][1][FIELDS.index(field)]
        found[0] = found[0] if values is None else values
        if which is not None:
            found[1] = which if isinstance(which, bytes) else struct.pack(f"<{len(which)}I", *which)

    return change


def no_more(body: list[Any]) -> None:
    """Leave no symbol, but what is the same for all of them."""
    for one in body[3][0][1]:
        one[1] = b"" if len(one[1]) > struct.calcsize("<I") else one[1]


def table(number: int, value: str) -> Change:
    """Another value at the end of a table that columns share: of texts, numbers and times."""
    return lambda body: body[2][number].append(value)


def said(kind: int, **fields: Any) -> Change:
    """Other fields of the last thing beside the first exchange: 1 known by name only, 2 a hold, 3 fees, 4 a list."""

    def change(body: list[Any]) -> None:
        one = body[3][0][0][kind][-1]
        (one[-1] if isinstance(one, list) else one).update(fields)

    return change


def twice(kind: int) -> Change:
    """The same thing beside the first exchange once more."""
    return lambda body: body[3][0][0][kind].append(body[3][0][0][kind][-1])


def exchange(**fields: Any) -> Change:
    """Other fields of the first exchange."""
    return lambda body: body[3][0][0][0].update(fields)


def test_what_is_put_together_again_unchanged_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, changed(lambda body: None))
    assert read_snapshot(path).snapshot == a_snapshot()


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize("change", [lambda one: table(1, one), lambda one: said(3, maker=one)], ids=["symbol", "fee"])
def test_a_number_that_no_database_holds(tmp_path: Path, change: Callable[[str], Change], value: str) -> None:
    """Rules that were made of it would raise errors of Python, or take minutes."""
    assert "a number that no database holds" in refusal(written(tmp_path, changed(change(value))))


@pytest.mark.parametrize(
    "change",
    [table(2, NO_ZONE), said(2, until_at=NO_ZONE), said(3, since=NO_ZONE), said(4, observed_at=NO_ZONE),
     said(4, changed_at=NO_ZONE), exchange(created_at=NO_ZONE)],
    ids=["symbol", "hold", "fee", "list", "list changed", "exchange"],
)  # fmt: skip
def test_a_time_without_a_zone(tmp_path: Path, change: Change) -> None:
    """It could be compared with none of the others."""
    assert re.search("time ?zone", refusal(written(tmp_path, changed(change))))


def test_a_header_whose_time_has_no_zone(tmp_path: Path) -> None:
    """How old the file is could not be told."""
    assert "with a timezone" in refusal(written(tmp_path, saved_at=NO_ZONE))


@pytest.mark.parametrize("saved_at", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_a_header_whose_time_is_none_in_utc(tmp_path: Path, saved_at: str) -> None:
    """It is as far away as can be, also in the file of a registry that has begun with that one."""
    found = read_snapshot(written(tmp_path, saved_at=saved_at))
    write_snapshot(tmp_path / "again", found.snapshot, found.saved_at)
    assert read_snapshot(tmp_path / "again").saved_at.year == int(saved_at[:4])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (column("exchange_id", [2]), "symbols of another exchange"),
        (column("exchange_id", [1, 2], which=(0, 1, 0)), "symbols of another exchange"),
        (column("id", [2**31, 2, 3]), "Expected `int` <= 2147483647"),
        (column("spec_version", [2**63]), "Expected `int` <= 2147483647"),
        (column("max_open_orders", [-(2**31) - 1]), "Expected `int` >= -2147483648"),
        (said(1, id=2**63), "an id that no database has"),
        (said(1, exchange_id=2), "symbols of another exchange"),
        (lambda body: body[3][1][0][0].update(enum_value="E1"), "an exchange twice"),
        (lambda body: body[3][1][0][0].update(id=1), "an exchange twice"),
        (column("id", which=(0, 1, 1)), "a symbol, a hold, fees or a list twice"),
        (column("id", [1, 2, 1]), "a symbol, a hold, fees or a list twice"),
        (said(1, id=3), "an id of a symbol twice"),
        (lambda body: body[3][1][0][1].append(body[3][0][0][1][0] | {"exchange_id": 2}), "an id of a symbol twice"),
        *((twice(kind), "a symbol, a hold, fees or a list twice") for kind in (1, 2, 3, 4)),
        (column("id", which=()), "columns of different lengths"),
        (no_more, "columns of different lengths"),
        (column("id", which=(0, 1)), "columns of different lengths"),
        (column("id", which=(0,)), "columns of different lengths"),
        (column("base", which=(1, 2)), "columns of different lengths"),
        (column("status", which=()), "columns of different lengths"),
        (column("status", which=b"\0\0\0"), "a column that is no column"),
        (column("status", which=(1,)), "a column that is no column"),
        (column("base", which=(2**32 - 1,)), "a column that is no column"),
        (lambda body: body[3][0][1].pop(), "it has [0-9]+ columns"),
        (column("native_symbol", which=(0,)), "a symbol without its native_symbol"),
        (column("updated_at", which=(1, 0, 1)), "a symbol without its updated_at"),
        (column("quantity_step", which=(0,)), "a symbol without its quantity_step"),
        (column("kind", [None]), "Expected `str`"),
        (lambda body: body.__setitem__(0, [-1, "token"]), "a position that no database has"),
        (lambda body: body.__setitem__(0, [2**63, "token"]), "a position that no database has"),
        (lambda body: body.__setitem__(0, [1, "a\0b"]), "a position that no database has"),
        (lambda body: body.__setitem__(1, -1), "a position that no database has"),
        (lambda body: body.__setitem__(1, 2**63), "a position that no database has"),
    ],
)  # fmt: skip
def test_what_cannot_be(tmp_path: Path, change: Change, words: str) -> None:
    """What look-ups and the question for what has changed rely on."""
    assert re.search(words, refusal(written(tmp_path, changed(change))))


@pytest.mark.parametrize(
    "change",
    [exchange(mood=1), said(1, mood=1), said(2, mood=1), said(3, mood=None), said(4, mood=1),
     lambda body: body[3][0][0][0].pop("is_active"), lambda body: body[3][0].append(1), lambda body: body.append(1),
     lambda body: body[2].append(1), lambda body: body[3][0][0].append(1), lambda body: body[3][0][1][0].append(1)],
    ids=["exchange", "name only", "hold", "fee", "list", "one too few", "place", "all", "tables", "beside", "column"],
)  # fmt: skip
def test_a_field_too_many_or_too_few(tmp_path: Path, change: Change) -> None:
    """Whoever wrote it meant something by it: none is left out, and none made up."""
    assert re.search("other fields than it says|of at most length", refusal(written(tmp_path, changed(change))))


@pytest.mark.parametrize("told", [{"body": b"\xc0"}, {"body": b""}, {"saved_at": 1}])
def test_what_is_odd_in_a_file_of_this_version_is_no_newer_version(tmp_path: Path, told: dict[str, Any]) -> None:
    """An update would not help: it says that the file is damaged, or its writer faulty."""
    message = refusal(written(tmp_path, **told))
    assert "it is damaged, or a faulty program has written it" in message
    assert f"exchanges_db {__version__}" in message
    assert "newer" not in message
    assert "update" not in message


@pytest.mark.parametrize(
    ("ours", "maker", "which"),
    [("1.0.0rc1", "1.0.0", "another"), ("1.0.0", "1.0.0rc1", "another"), ("0.2.0", "0.1.0", "an older"),
     ("0.9", "0.10", "a newer"), ("0.1.0", "0.1.0.post1", "another"), ("0.1.0", "", "a newer")],
)  # fmt: skip
def test_which_version_has_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: str, maker: str, which: str
) -> None:
    """An update helps where that is not an older one."""
    path = written(tmp_path, made_by=maker, body=b"")
    monkeypatch.setattr(file, "__version__", ours)
    message = refusal(path)
    assert f"made by exchanges_db {maker}, {which} version than this one, {ours}: it holds" in message
    assert ("update exchanges_db" in message) is (which != "an older")


@pytest.mark.parametrize("version", ["0.1.1", "0.10", "1.0.0rc1", "9", "", "by hand", "\x1b[31mX\n\r\u202e"])
@pytest.mark.parametrize("told", [{}, {"body": b""}, {"saved_at": 1}, {"knows": {**KNOWN, "\x1b[31m": ["\n"]}}])
def test_what_is_odd_in_a_file_of_another_version(tmp_path: Path, version: str, told: dict[str, Any]) -> None:
    """That is what it says, and whatever a header says of itself, the error is one line."""
    path = written(tmp_path, made_by=version, **told)
    if told:
        assert ", a newer version than this one" in refusal(path)
    else:
        assert read_snapshot(path).made_by == version
