"""A snapshot in a file: what was saved comes back, and what is not whole, or not ours, is refused."""

import hashlib
import multiprocessing
import os
import random
import re
import signal
import stat
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given

from exchanges_db import InvalidArgument
from exchanges_db._version import __version__
from exchanges_db.errors import SnapshotNotSaved, SnapshotRefused
from exchanges_db.registry.columns import FIELDS
from exchanges_db.registry.file import read_snapshot, write_snapshot
from exchanges_db.registry.packing import KNOWN, pack, unpack
from exchanges_db.registry.places import Place, several
from exchanges_db.registry.snapshot import Snapshot
from tests.factories import property_settings
from tests.snapshots import NOW, a_snapshot, a_symbol, an_exchange, snapshots

MAGIC = b"exchanges_db snapshot\n"


def as_text(snapshot: Snapshot) -> str:
    """All fields of all symbols, so that 1 and 1.0 differ."""
    symbols = [one for place in snapshot.places_by_id.values() for one in place.symbols.values()]
    return repr([[(field, getattr(one, field)) for field in FIELDS] for one in sorted(symbols, key=lambda one: one.id)])


def saved(folder: Path, snapshot: Snapshot | None = None) -> Path:
    """A file with a snapshot."""
    path = folder / "registry.snapshot"
    write_snapshot(path, snapshot or a_snapshot(), NOW)
    return path


def refusal(path: Any) -> str:
    """Why a file is refused; the error names it, and says what to do."""
    with pytest.raises(SnapshotRefused) as info:
        read_snapshot(path)
    message = str(info.value)
    assert info.value.path == str(path)
    assert repr(str(path)) in message
    assert "`exchanges-db snapshot save PATH`" in message
    return message


@pytest.mark.untraced
@given(snapshots())
@property_settings(60)
def test_everything_comes_back(snapshot: Snapshot) -> None:
    """Also which name leads to which symbol, and how many decimals a number was written with."""
    found = unpack(pack(snapshot))
    assert found == snapshot
    assert as_text(found) == as_text(snapshot)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    """And when it was saved, and by which version."""
    snapshot = a_snapshot()
    path = tmp_path / "a b" / "registry.snapshot"
    path.parent.mkdir()
    write_snapshot(path, snapshot, NOW.astimezone(timezone(timedelta(hours=9))))
    for place in (path, str(path)):
        found = read_snapshot(place)
        assert (found.snapshot, found.saved_at, found.made_by) == (snapshot, NOW, __version__)
    assert found.saved_at.tzinfo is UTC
    assert found.snapshot.places["E1"].symbols[1].rules is not None


def test_symbols_of_one_name_keep_their_order() -> None:
    """The live one first, then the newest: what a name leads to is the same after a restart."""
    states = ["DELISTED", "TRADING", "EXPIRED", "TRADING"]
    symbols = {n: a_symbol(n, native_symbol="X", symbol="X/Y", base="X", status=one) for n, one in enumerate(states, 1)}
    place = Place(exchange=an_exchange()).evolved(symbols=symbols)
    found = unpack(pack(Snapshot.of(a_snapshot().position, {1: place}))).places["E1"]
    assert [one.id for one in several(found.by_native["X"])] == [4, 2, 3, 1]
    assert found == place


def test_equal_values_are_one_object() -> None:
    """As after a start from the database: a number, a text or a time that many symbols have is kept once."""
    symbols = unpack(pack(a_snapshot(50))).places["E1"].symbols
    for field in ("quote", "price_tick", "created_at", "sides"):
        assert len({id(getattr(one, field)) for one in symbols.values()}) == 1
    assert symbols[1].base is symbols[2].base or symbols[1].base != symbols[2].base


def test_fields_are_those_that_the_structs_have() -> None:
    """A field that is added makes another format of file, and an older version refuses it."""
    assert KNOWN.keys() == {"RegistrySymbol", "StoredExchange", "NamedSymbol", "Hold", "Fees", "ListState", "Listing"}
    assert set(KNOWN["RegistrySymbol"]) | {"exchange", "holds", "account_fees", "_rules"} == set(
        type(a_symbol(1)).__struct_fields__
    )


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    """Wherever it is, and whichever bit."""
    path = saved(tmp_path)
    whole = path.read_bytes()
    assert len(whole) < 10_000
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        assert re.search("it is damaged|it is not whole|it is no snapshot", refusal(path)), place
    path.write_bytes(whole)
    assert read_snapshot(path).snapshot == a_snapshot()


def test_every_length_but_the_whole_is_refused(tmp_path: Path) -> None:
    """A file that was cut off, or to which something was appended."""
    path = saved(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert ("it is empty" if length == 0 else "it is not whole") in refusal(path)
    for more in (b"\0", whole):
        path.write_bytes(whole + more)
        assert "it is not whole" in refusal(path)


def with_sum(content: bytes) -> bytes:
    """A frame, header and body with the checksum that fits."""
    return content + hashlib.sha256(content).digest()


def forged(path: Path, *, number: int = 1, body: bytes | None = None, **header: Any) -> None:
    """Change what a file says, as another version would have written it."""
    whole = path.read_bytes()
    _, _, length, _ = struct.unpack_from("<22sIIQ", whole)
    told = msgspec.json.decode(whole[38 : 38 + length]) | header
    first, rest = msgspec.json.encode(told), whole[38 + length : -32] if body is None else body
    path.write_bytes(with_sum(struct.pack("<22sIIQ", MAGIC, number, len(first), len(rest)) + first + rest))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"number": 2, "made_by": "9.0.0"}, "made by exchanges_db 9.0.0, a newer version.*its format is 2"),
        ({"number": 2**32 - 1, "made_by": "0.1.1"}, "a newer version"),
        ({"made_by": "9.0.0", "knows": {"Novelty": ["x"], **KNOWN}}, "9.0.0, a newer version.*Novelty.x is not known"),
        ({"made_by": "9.0.0", "knows": {**KNOWN, "Hold": [*KNOWN["Hold"], "mood"]}},
         "9.0.0, a newer version.*Hold.mood is not known here"),
        ({"made_by": "0.0.9", "knows": {**KNOWN, "Hold": KNOWN["Hold"][:-1]}},
         "0.0.9, an older version than this one.*it lacks Hold.whole; save"),
        ({"made_by": "9.0.0", "knows": {**KNOWN, "Hold": KNOWN["Hold"][:-1]}}, "a newer version.*it lacks Hold.whole"),
        ({"made_by": f"{__version__}.post1", "knows": {**KNOWN, "Hold": KNOWN["Hold"][:-1]}},
         "another version than this one.*it lacks Hold.whole; update"),
        ({"knows": {**KNOWN, "Hold": KNOWN["Hold"][::-1]}}, "and yet it lacks the order of fields: it is damaged"),
        ({"made_by": "9.0.0", "saved_at": 1}, "a newer version.*its header is another one"),
        ({"made_by": "9.0.0", "body": b"\xc0"}, "a newer version.*it holds what cannot be used here"),
        ({"made_by": "9.0.0", "body": b""}, "a newer version.*it holds what cannot be used here"),
    ],
)  # fmt: skip
def test_what_another_version_wrote_is_refused(tmp_path: Path, told: dict[str, Any], words: str) -> None:
    """A newer format, fields that are not known, fields that are missing: none is left out and none made up."""
    path = saved(tmp_path)
    forged(path)
    assert read_snapshot(path).snapshot == a_snapshot()
    forged(path, **told)
    assert re.search(words, refusal(path))


@pytest.mark.parametrize("number", [1, 2])
def test_a_header_that_is_no_text_is_one_of_another_version(tmp_path: Path, number: int) -> None:
    """A newer format may have another one, of bytes perhaps."""
    path = saved(tmp_path)
    header, body = b"\xff\x00{}", pack(a_snapshot())
    path.write_bytes(with_sum(struct.pack("<22sIIQ", MAGIC, number, len(header), len(body)) + header + body))
    assert "made by exchanges_db an unknown version, a newer version than this one" in refusal(path)
    path.write_bytes(with_sum(struct.pack("<22sIIQ", MAGIC, number, 8, len(body)) + b'{"a":"\xff"}'[:8] + body))
    assert "newer version than this one" in refusal(path)
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    path.write_bytes(with_sum(struct.pack("<22sIIQ", MAGIC, number, len(deep), len(body)) + deep + body))
    assert "newer version than this one" in refusal(path)


@pytest.mark.parametrize("word", [b"TRADING", b"SPOT", b"BUY", b"EXCHANGE"])
def test_a_word_that_is_not_known_is_one_of_a_newer_version(tmp_path: Path, word: bytes) -> None:
    """A status, a kind, a side: nothing is guessed, and no symbol is left out."""
    path = saved(tmp_path)
    body = pack(a_snapshot())
    assert word in body
    forged(path, body=body.replace(word, word[:-1] + b"?"), made_by="9.0.0")
    assert "made by exchanges_db 9.0.0, a newer version" in refusal(path)


def test_a_file_of_another_kind_is_no_snapshot(tmp_path: Path) -> None:
    """Said before it is read: it may be as long as a disk."""
    path = tmp_path / "spot.json"
    path.write_text('[{"id": "BTC_USDT"}]')
    assert "it is no snapshot of exchanges_db" in refusal(path)
    with path.open("r+b") as file:
        file.truncate(1 << 40)  # with holes: it takes no room
    assert "it is no snapshot of exchanges_db" in refusal(path)
    path.write_bytes(MAGIC)
    os.truncate(path, 1 << 40)
    assert "more than any snapshot" in refusal(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "it is a folder"),
        (lambda path: os.mkfifo(path), "it is a pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "it is a device"),
        (lambda path: path.symlink_to(path), "symbolic links"),
        (lambda path: path.touch(), "it is empty"),
    ],
)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    """Neither a pipe that nobody writes to nor a device without an end is waited for."""
    path = tmp_path / "registry.snapshot"
    make(path)
    assert words in refusal(path)


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800", b"bytes", 0, None])
def test_what_is_no_path_is_an_argument_that_is_wrong(path: Any) -> None:
    """A number would be an open file of this process."""
    for call in (lambda: read_snapshot(path), lambda: write_snapshot(path, a_snapshot(), NOW)):
        with pytest.raises(InvalidArgument) as info:
            call()
        assert info.value.field == "path"


def test_a_time_without_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="time zone"):
        write_snapshot(tmp_path / "x", a_snapshot(), datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder with a file, neither of which this process may change, nor read the file."""
    whole = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        saved(folder).chmod(0)
        folder.chmod(0o555)
        if whole == 0:
            os.seteuid(65534)
        yield folder
        os.seteuid(whole)
        folder.chmod(0o700)


def test_a_file_that_may_not_be_read_or_written_is_told_of(locked: Path) -> None:
    """By the reason of the operating system."""
    assert "Permission denied" in refusal(locked / "registry.snapshot")
    for name in ("registry.snapshot", "another"):
        with pytest.raises(SnapshotNotSaved, match=f"cannot save to '{locked / name}': Permission denied"):
            write_snapshot(locked / name, a_snapshot(), NOW)


def test_a_folder_that_may_not_be_read_has_the_old_file_still() -> None:
    """It could be written to, but nobody could bring that to the disk: an error must not mean that all was replaced."""
    whole = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        path = saved(Path(name))
        before = path.read_bytes()
        if whole == 0:
            os.chown(name, 65534, -1)
            os.chown(path, 65534, -1)
            os.seteuid(65534)
        try:
            Path(name).chmod(0o300)
            with pytest.raises(SnapshotNotSaved, match="Permission denied"):
                write_snapshot(path, a_snapshot(), NOW + timedelta(hours=1))
            assert path.read_bytes() == before
        finally:
            Path(name).chmod(0o700)
            os.seteuid(whole)


def test_a_new_file_is_its_owners_and_an_old_one_keeps_its_permissions(tmp_path: Path) -> None:
    """Whoever may read it is said once, by chmod, and stays so at the next save."""
    path = saved(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    saved(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def modes(path: Path) -> tuple[int, int, str]:
    """Whose a file is, and who may do what with it."""
    state = path.stat()
    return state.st_uid, state.st_gid, oct(stat.S_IMODE(state.st_mode))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to somebody else")
def test_a_file_keeps_its_owner_and_its_group(tmp_path: Path) -> None:
    """A save by root takes it away neither from the bot whose it is nor from the monitor that was let in by chgrp."""
    path = saved(tmp_path)
    for owner, group, mode in ((65534, 4242, 0o640), (65534, 65534, 0o600), (0, 4242, 0o660)):
        os.chown(path, owner, group)
        path.chmod(mode)
        saved(tmp_path)
        assert modes(path) == (owner, group, oct(mode))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
@pytest.mark.parametrize(
    ("groups", "left"), [((4242,), (12345, 4242, "0o644")), ((), (12345, 100, "0o604"))], ids=["member", "stranger"]
)
def test_a_file_that_somebody_else_saves(groups: tuple[int, ...], left: tuple[int, int, str]) -> None:
    """It keeps its group where the saver is a member; else no group may read it, least of all the saver's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        path = saved(Path(name))
        os.chown(path, 65534, 4242)
        path.chmod(0o644)
        process = multiprocessing.get_context("fork").Process(target=_save_as, args=(12345, 100, groups, path))
        process.start()
        process.join()
        assert process.exitcode == 0
        assert modes(path) == left


def _save_as(user: int, group: int, groups: tuple[int, ...], path: Path) -> None:
    os.setgroups(groups)
    os.setgid(group)
    os.setuid(user)
    write_snapshot(path, a_snapshot(), NOW)


@pytest.mark.parametrize(("refused", "left"), [("all", "0o604"), ("the owner", "0o664"), ("none", "0o664")])
def test_what_a_group_may_do_is_given_to_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str, left: str
) -> None:
    """Where the group cannot be kept, its permissions are dropped; that the owner cannot be kept changes none."""
    path = saved(tmp_path)
    path.chmod(0o2664 if refused == "all" else 0o664)
    asked: list[tuple[int, int]] = []

    def chown(descriptor: int, owner: int, group: int) -> None:
        assert stat.S_IMODE(os.fstat(descriptor).st_mode) == 0o600  # nothing is allowed yet to whoever has it now
        asked.append((owner, group))
        if refused == "all" or (refused == "the owner" and owner != -1):
            raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", chown)
    saved(tmp_path)
    assert modes(path)[2] == left
    owner, group, _ = modes(path)
    assert asked == [(owner, group), (-1, group)][: 1 if refused == "none" else 2]


ACL, ACL_OF_NEW = "system.posix_acl_access", "system.posix_acl_default"
NOBODY = 2**32 - 1
# As `setfacl -m u:777:r` writes it for a file of mode 0600: the owner, user 777, the group, the mask, all others.
LET_IN = struct.pack(
    "<I" + "HHI" * 5, 2, 1, 6, NOBODY, 2, 4, 777, 4, 0, NOBODY, 0x10, 4, NOBODY, 0x20, 0, NOBODY
)  # fmt: skip


def let_in(path: Path, which: str) -> None:
    """Give a file, or the files that a folder is to have, such a list."""
    try:
        os.setxattr(path, which, LET_IN)
    except (OSError, AttributeError):
        pytest.skip("the file system has no such lists")


def refuse(*_: object) -> None:
    """What a file system answers that lets nobody change one."""
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("refused", [False, True])
def test_a_list_of_who_may_read_is_kept_or_lets_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    """With such a list the group's bits are those that anybody on it can have at most: the group itself has none."""
    path = saved(tmp_path)
    let_in(path, ACL)
    assert modes(path)[2] == "0o640"

    with monkeypatch.context() as patch:
        if refused:
            patch.setattr(os, "setxattr", refuse)
        saved(tmp_path)
    assert (modes(path)[2], ACL in os.listxattr(path)) == (("0o600", False) if refused else ("0o640", True))
    assert refused or os.getxattr(path, ACL) == LET_IN


@pytest.mark.parametrize(("refused", "left"), [(False, "0o640"), (True, "0o600")])
def test_a_list_that_the_folder_gives_to_new_files_lets_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: bool, left: str
) -> None:
    """A file without one, in a folder that has one for new files since: at a save its group's bits would open that."""
    path = saved(tmp_path)
    path.chmod(0o640)
    let_in(tmp_path, ACL_OF_NEW)

    with monkeypatch.context() as patch:
        if refused:
            patch.setattr(os, "removexattr", refuse)
        saved(tmp_path)
    assert (modes(path)[2], ACL in os.listxattr(path)) == (left, refused)


def test_a_link_stays_one(tmp_path: Path) -> None:
    """What it leads to is replaced, in the folder in which that is."""
    (tmp_path / "there").mkdir()
    link = tmp_path / "registry.snapshot"
    link.symlink_to("there/new")
    saved(tmp_path)
    assert link.is_symlink()
    assert [one.name for one in (tmp_path / "there").iterdir()] == ["new"]
    assert read_snapshot(link).snapshot == a_snapshot()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "it is a folder"),
        (lambda path: os.mkfifo(path), "it is a pipe"),
        (lambda path: path.symlink_to("/dev/null"), "it is a device"),
        (lambda path: path.write_text("my notes"), "that is no snapshot"),
        (lambda path: path.symlink_to("nowhere/at/all"), "No such file"),
    ],
)
def test_what_is_no_snapshot_is_not_replaced(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    """A slip of the hand costs no file, and no device of the machine."""
    path = tmp_path / "registry.snapshot"
    make(path)
    before = path.lstat()
    with pytest.raises(SnapshotNotSaved, match=words) as info:
        saved(tmp_path)
    assert info.value.path == str(path)
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_an_empty_file_is_replaced(tmp_path: Path) -> None:
    """As `mktemp` makes one, and as one is made beforehand to be given permissions."""
    (tmp_path / "registry.snapshot").touch(mode=0o640)
    path = saved(tmp_path)
    assert path == tmp_path / "registry.snapshot"
    assert path.stat().st_mode & 0o777 == 0o640
    assert read_snapshot(path)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing beside it."""
    path = saved(tmp_path)
    for step in ("fsync", "fchmod"):

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, step, fail)
            with pytest.raises(SnapshotNotSaved, match="No space left on device"):
                write_snapshot(path, a_snapshot(9), NOW)
        assert list(tmp_path.iterdir()) == [path]
        assert read_snapshot(path).snapshot == a_snapshot()


def test_what_killed_writers_left_is_deleted(tmp_path: Path) -> None:
    """After an hour, and only what is of the same file."""
    path = tmp_path / "registry.snapshot"
    names = [".registry.snapshot.0123.unfinished", ".registry.snapshot.4567.unfinished", ".other.0123.unfinished"]
    for name in names:
        (tmp_path / name).touch()
    long_ago = time.time() - 3700
    for name in (names[0], names[2]):
        os.utime(tmp_path / name, (long_ago, long_ago))
    saved(tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == {path.name, names[1], names[2]}


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file, then its name, then the folder: after a power cut the name leads to a whole file."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def note_replace(self: Path, target: Path) -> Path:
        steps.append("name")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    saved(tmp_path)
    assert steps == ["file", "name", "folder"]


def _write_for_ever(path: str, epochs: tuple[int, ...], ready: Any) -> None:
    ready.set()
    while True:
        for epoch in epochs:
            write_snapshot(path, a_snapshot(epoch, epoch=epoch), NOW)


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[Callable[[tuple[int, ...]], Any]]:
    """Starts processes that save one snapshot after the other."""
    context, processes = multiprocessing.get_context("fork"), []

    def start(epochs: tuple[int, ...]) -> Any:
        ready = context.Event()
        process = context.Process(target=_write_for_ever, args=(str(tmp_path / "registry.snapshot"), epochs, ready))
        process.start()
        processes.append(process)
        assert ready.wait(20)
        return process

    yield start
    for process in processes:
        process.kill()
        process.join()


def test_no_half_file_is_ever_there(tmp_path: Path, writers: Callable[[tuple[int, ...]], Any]) -> None:
    """Read while several processes write, and after each was killed at any moment."""
    path, dice = saved(tmp_path, a_snapshot(5, epoch=5)), random.Random(12)
    seen: set[int] = set()
    writers((5, 6))
    for _ in range(12):
        victim = writers((7, 8))
        until = time.monotonic() + dice.uniform(0.005, 0.05)
        while time.monotonic() < until or not seen & {5, 6, 7, 8}:
            found = read_snapshot(path).snapshot
            seen.add(found.position.epoch)
            assert found == a_snapshot(found.position.epoch, epoch=found.position.epoch)
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        assert read_snapshot(path).snapshot.position.epoch in (5, 6, 7, 8)
    assert len(seen) > 1


def test_threads_may_save_at_once(tmp_path: Path) -> None:
    """Each writes a file of its own; one of them is there in the end, and nothing else."""
    path = tmp_path / "registry.snapshot"
    threads = [threading.Thread(target=saved, args=(tmp_path, a_snapshot(2, epoch=number))) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_snapshot(path).snapshot.position.epoch in range(8)
    assert list(tmp_path.iterdir()) == [path]
