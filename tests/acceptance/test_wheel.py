"""The wheel alone, in a new environment away from the repository, can migrate a database and use it."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from exchanges_db.database.dsn import Dsn
from tests.fix_server import ROOT, url_of


def _run(*command: str, cwd: Path, **environment: str) -> str:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
    result = subprocess.run(
        command, cwd=cwd, env={**variables, **environment}, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_what_it_needs_and_no_more(wheel: Path) -> None:
    """Both packages, the migrations and the records of the schema; nothing called `generated` or `tests`."""
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"exchanges_db/__init__.py", "exchanges_db/py.typed", "exchanges_sql/models.py"} <= names
    assert {f"exchanges_db/db/migrations/{path.name}" for path in (ROOT / "db/migrations").glob("*.sql")} <= names
    assert {"exchanges_db/db/schema.json", "exchanges_db/db/schema.sql", "exchanges_db/db/bookkeeping.sql"} <= names
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"exchanges_db", "exchanges_sql"}


def test_an_empty_environment_migrates_and_looks_up(wheel: Path, empty_dsn: Dsn, tmp_path: Path) -> None:
    """Only the wheel and what it depends on, at the locked versions; no repository in sight."""
    lock = re.sub(r"(?m) \\$|^    --hash.*\n?", "", (ROOT / "requirements.lock").read_text())
    (tmp_path / "versions.txt").write_text(lock)
    # Without a pip of its own, and with what is loaded compiled only: that is most of the time.
    _run(sys.executable, "-m", "venv", "--without-pip", "venv", cwd=tmp_path)
    programs = tmp_path / "venv/bin"
    install = ("-m", "pip", "--python", str(programs / "python"), "install", "-q", "--no-compile")
    _run(sys.executable, *install, "-c", "versions.txt", str(wheel), cwd=tmp_path)
    url = url_of(empty_dsn)
    command = str(programs / "exchanges-db")
    assert "applied 002_create_exchanges.sql" in _run(command, "migrate", cwd=tmp_path, DATABASE_URL=url)
    assert "MEXC Spot Trading" in _run(command, "list", cwd=tmp_path, DATABASE_URL=url)
    _run(command, "validate", "--lookups", "100", "--target-ms", "1000", "--json", cwd=tmp_path, DATABASE_URL=url)
    code = (
        "import asyncio, exchanges_db as x; print(x.__file__, asyncio.run(x.get_exchange_by_enum(x.ExchangeEnum.MEXC)))"
    )
    answer = _run(str(programs / "python"), "-W", "error", "-c", code, cwd=tmp_path, DATABASE_URL=url)
    assert answer.startswith(str(tmp_path / "venv"))
    assert "name='MEXC_SPOT'" in answer
