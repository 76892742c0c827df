"""The password file, read as libpq reads it."""

import logging
import os
from pathlib import Path

import pytest

from exchanges_db.database.dsn import parse_dsn
from exchanges_db.database.pgpass import read_password


def password(tmp_path: Path, text: str, host: str = "h", port: int = 5432) -> str | None:
    """The password that a file with this text gives for u on d."""
    file = tmp_path / "pgpass"
    file.touch(mode=0o600)
    file.write_bytes(text.encode())
    found = read_password(file, host, port, "d", "u")
    return None if found is None else found.reveal()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h:5432:d:u:pw", "pw"), ("h:5432:d:u:pw\n", "pw"), ("h:5432:d:u:pw\r\n", "pw"), ("*:*:*:*:pw", "pw"),
        (r"h:5432:d:u:a\:b", "a:b"), (r"h:5432:d:u:a\\b", r"a\b"), (r"h:5432:d:u:a\\\:b", r"a\:b"),
        ("h:5432:d:u:a\\", "a\\"), ("h:5432:d:u:a:b", "a"), ("h:5432:d:u: a b ", " a b "), ("h:5432:d:u:#é", "#é"),
        ("#h:5432:d:u:no\nh:5432:d:u:pw", "pw"), ("x:*:*:*:no\n*:*:*:*:pw\nh:5432:d:u:late", "pw"),
        (r"\h:5432:d:u:pw", "pw"), (r"\*:5432:d:u:no", None), ("h:5433:d:u:no", None), ("h:5432:d:u", None),
        (" h:5432:d:u:no", None), ("", None), ("\n\n", None), ("h:5432:d:*u:no", None), ("h:5432:d:u:", ""),
    ],
)  # fmt: skip
def test_lines_fields_and_escapes(text: str, expected: str | None, tmp_path: Path) -> None:
    assert password(tmp_path, text) == expected


def test_a_socket_and_an_ipv6_address_are_written_as_libpq_wants_them(tmp_path: Path) -> None:
    assert password(tmp_path, "localhost:5432:d:u:pw", "/var/run/postgresql") == "pw"
    assert password(tmp_path, "/srv/x:5432:d:u:pw", "/srv/x") == "pw"
    assert password(tmp_path, r"\:\:1:5432:d:u:pw", "::1") == "pw"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_can_read_is_not_used(mode: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As libpq, with a warning that says what to do."""
    (tmp_path / "f").write_text("*:*:*:*:canary")
    (tmp_path / "f").chmod(mode)
    with caplog.at_level(logging.WARNING):
        assert read_password(tmp_path / "f", "h", 1, "d", "u") is None
    assert "chmod 600" in caplog.text
    assert "canary" not in caplog.text


def test_what_is_no_readable_text_file_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A pipe would hang whoever opens it."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "bytes").touch(0o600)
    (tmp_path / "bytes").write_bytes(b"\xff:*:*:*:canary")
    for name, word in (("pipe", "plain"), ("bytes", "UTF-8"), ("absent", ""), ("bytes/below", "")):
        caplog.clear()
        assert read_password(tmp_path / name, "h", 1, "d", "u") is None
        assert (word in caplog.text) if word else not caplog.text
        assert "canary" not in caplog.text


def test_each_host_has_its_own_password(tmp_path: Path) -> None:
    """And what changes in the file is seen by the next connection; dbmate is given it in its URL."""
    file = tmp_path / "f"
    file.touch(0o600)
    file.write_text("a:*:*:*:one\nb:*:*:*:t@o\n")
    dsn = parse_dsn(f"postgresql://u@a,b/d?passfile={file}", {})
    assert [dsn.one_host(index).asyncpg_arguments()["password"]() for index in (0, 1)] == ["one", "t@o"]
    assert "u:t%40o@b:5432" in dsn.one_host(1).dbmate_url()
    arguments = dsn.one_host(0).asyncpg_arguments()
    file.write_text("a:*:*:*:new")
    assert arguments["password"]() == "new"
    assert dsn.one_host(1).asyncpg_arguments()["password"]() is None
