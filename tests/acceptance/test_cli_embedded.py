"""Without DATABASE_URL the command line starts a PostgreSQL of its own, and finds its data again."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.command import run


@pytest.fixture
def folder() -> Iterator[str]:
    """A new place for the server's data; not below tmp_path, which the server's user cannot enter if we are root."""
    folder = tempfile.mkdtemp(prefix="exchanges_db_")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_what_one_command_writes_the_next_one_reads(folder: str) -> None:
    """Each command starts the server and stops it again; the data stays."""
    for arguments in (["migrate"], ["set", "MEXC_SPOT", "precision_default=5"]):
        result = run(*arguments, url=None, EXCHANGES_DB_EMBEDDED_DIR=folder)
        assert result.returncode == 0, result.stderr
        assert "starting the embedded PostgreSQL" in result.stderr
    shown = run("show", "MEXC_SPOT", "--json", url=None, EXCHANGES_DB_EMBEDDED_DIR=folder)
    assert json.loads(shown.stdout)["precision_default"] == 5
    assert not (Path(folder) / "postmaster.pid").exists()


def test_python_m_is_the_same_command() -> None:
    """`python -m exchanges_db` for where scripts are not in PATH."""
    result = subprocess.run(
        [sys.executable, "-m", "exchanges_db", "--version"], capture_output=True, text=True, timeout=30, check=False
    )
    assert result.stdout.startswith("exchanges-db ")
