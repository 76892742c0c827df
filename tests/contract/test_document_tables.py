"""Tables in documents: what a merge doubles in them no linter sees."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest

from exchanges_db.symbols.judge import Obstacle

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")])


def tables(document: Path) -> list[list[list[str]]]:
    """Return the tables of a document: of each its rows, and of each row its cells."""
    lines = document.read_text(encoding="utf-8").splitlines()
    blocks = [[*block] for is_table, block in groupby(lines, lambda line: line.startswith("|")) if is_table]
    return [[[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in block] for block in blocks]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_rows_of_a_table_have_the_cells_of_its_head(document: Path) -> None:
    for head, *rows in tables(document):
        assert [row for row in rows if len(row) != len(head)] == []


@pytest.mark.parametrize("document", [ROOT / "README.md", ROOT / "docs/architecture.md"], ids=lambda path: path.name)
def test_no_row_of_a_map_is_there_twice(document: Path) -> None:
    """Two rows about one thing were one row each on two branches, and neither is the whole of it."""
    for _, _, *rows in tables(document):
        topics = Counter(row[0] for row in rows if len(row) == 2 or row[0].endswith("/`"))
        assert [topic for topic, count in topics.items() if count > 1] == []


def test_the_map_of_the_code_names_every_module() -> None:
    """Each under its folder: two may have one of the same name. Readers of one list have a row for each exchange."""
    package = ROOT / "src/exchanges_db"
    named: dict[str, set[str]] = {}
    for table in tables(ROOT / "docs/architecture.md"):
        folder = ""
        for row in table:
            begun = re.match(r"`(\w+)/`", row[0])
            folder = begun[1] if begun is not None and (package / begun[1]).is_dir() else folder
            words = re.findall(r"`([\w/]+)`", " ".join(row))
            named.setdefault(folder, set()).update(word.rpartition("/")[2] for word in words)
    for path in (path for path in package.iterdir() if path.is_dir() and not path.name.startswith("_")):
        modules = {path.stem for path in path.rglob("*.py") if not path.stem.startswith(("_", "mexc_", "gateio_"))}
        assert modules - named[path.name] == set(), path.name


def test_the_table_of_obstacles_has_each_of_them_once() -> None:
    table = next(rows for rows in tables(ROOT / "docs/symbols.md") if rows[0][0] == "obstacle")
    named = [name for row in table[2:] for name in re.findall(r"`([A-Z_]+)`", row[0])]
    assert named == [one.value for one in Obstacle]
