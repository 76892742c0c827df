"""src/generated is what sqlc made of db/: whatever changes alone, or is written down without being made, is noticed."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.contract.sqlc_json import queries_of_python, queries_of_sql
from tools.write_manifest import INPUTS, MANIFEST, OUTPUTS, describe, differences

ROOT = Path(__file__).resolve().parents[2]
GENERATED = Path("src/generated/exchanges_sql")
FILES = sorted(
    path.relative_to(ROOT)
    for pattern in INPUTS + OUTPUTS
    for path in ROOT.glob(pattern)
    if path.is_file() and "__pycache__" not in path.parts
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The inputs, the generated files and the manifest, for a test to spoil."""
    for file in (*FILES, Path(MANIFEST)):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def test_nothing_changed_since_the_code_was_generated() -> None:
    """Run `make generate`, and never edit what it writes, when this fails."""
    assert not differences(ROOT)


def test_every_statement_is_the_one_that_sqlc_made() -> None:
    """A manifest that was written over stale code does not make it right."""
    assert queries_of_python(ROOT) == queries_of_sql(ROOT)


def test_the_example_of_a_project_of_ones_own_is_what_sqlc_made() -> None:
    """Run `sqlc generate` in examples/time_series when this fails; the plugin there is the one of sqlc.yaml."""
    folder = ROOT / "examples/time_series"
    made = queries_of_sql(folder)
    assert {query.filename for query in made} == {path.name for path in (folder / "db/queries").iterdir()}
    assert queries_of_python(folder, "market_sql") == made
    plugins, own = (yaml.safe_load((root / "sqlc.yaml").read_text())["plugins"] for root in (ROOT, folder))
    assert plugins == own


def test_the_manifest_is_not_empty() -> None:
    """It names each migration, each query file and the module made of it."""
    named = {line.partition("  ")[2] for line in (ROOT / MANIFEST).read_text().splitlines()}
    queries = list((ROOT / "db/queries").iterdir())
    assert queries
    assert {f"db/queries/{path.name}" for path in queries} <= named
    assert {f"{GENERATED}/{path.stem}.py" for path in queries} <= named
    assert {f"db/migrations/{path.name}" for path in (ROOT / "db/migrations").iterdir()} <= named
    assert {"sqlc.yaml", "db/bookkeeping.sql", f"{GENERATED}/models.py"} <= named


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_file_that_changed_is_noticed(copy: Path, file: Path) -> None:
    """One more blank line is enough."""
    (copy / file).write_bytes((copy / file).read_bytes() + b"\n")
    assert differences(copy) == [f"{file}: changed"]


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_file_that_is_missing_is_noticed(copy: Path, file: Path) -> None:
    """The manifest names what must be there."""
    (copy / file).unlink()
    assert differences(copy) == [f"{file}: missing"]


@pytest.mark.parametrize("file", [GENERATED / "markets.py", GENERATED / "a/b.py", Path("db/queries/markets.sql")])
def test_a_file_too_many_is_noticed(copy: Path, file: Path) -> None:
    """What is left over when its query file is gone, and a query file that nothing was made of."""
    (copy / file).parent.mkdir(exist_ok=True)
    (copy / file).write_text("")
    assert differences(copy) == [f"{file}: not in the manifest"]


def _replace(file: str, pattern: str, replacement: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        text, count = re.subn(pattern, replacement, (root / file).read_text(), count=1)
        assert count == 1
        (root / file).write_text(text)

    return change


EXCHANGES = "db/queries/exchanges.sql"
STALE = {
    "query reworded": _replace(EXCHANGES, r"ORDER BY e\.name;", "ORDER BY e.id;"),
    "query added": _replace(EXCHANGES, r"\Z", "\n-- name: CountNames :one\nSELECT 1::integer AS one;\n"),
    "query renamed": _replace(EXCHANGES, r"-- name: GetExchangeVersion", "-- name: GetExchangeVersionNow"),
    "command changed": _replace(EXCHANGES, r"(-- name: Get\w+) :one", r"\1 :many"),
    "column added to a table": _replace(
        "db/migrations/003_create_exchange_history.sql", r"(ADD COLUMN version)", r"ADD COLUMN extra TEXT, \1"
    ),
    "python edited": _replace(f"{GENERATED}/exchanges.py", r"ORDER BY e\.name", "ORDER BY e.id"),
}


@pytest.mark.parametrize("change", STALE.values(), ids=STALE)
def test_a_manifest_over_stale_code_is_noticed(copy: Path, change: Callable[[Path], None]) -> None:
    """The SQL was changed, the manifest written anew, and nothing generated."""
    change(copy)
    (copy / MANIFEST).write_text(describe(copy))
    assert not differences(copy)
    assert queries_of_python(copy) != queries_of_sql(copy)
