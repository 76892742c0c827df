"""Guard 1 passes on the committed Python, and fails on every way in which it can differ from its SQL."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.contract.generated_code import _settled, problems, problems_of_project
from tests.contract.generated_description import (
    Description,
    Project,
    copy_sql,
    describe,
    describe_project,
    read_project,
)
from tests.contract.generated_mutations import PYTHON_MUTATIONS, SQL_MUTATIONS, Mutation
from tests.contract.generated_names import class_name, method_name, singular

ROOT = Path(__file__).resolve().parents[2]


class Described(NamedTuple):
    """The project, sqlc's description of it, and what sqlc says when its SQL is changed."""

    project: Project
    committed: Description
    mutated: dict[str, Description]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Described:
    """The committed SQL and every changed one, all of these described in one run of sqlc."""
    project, committed = describe_project(ROOT)
    scratch = tmp_path_factory.mktemp("mutated")
    trees = [scratch / str(number) for number in range(len(SQL_MUTATIONS))]
    for mutation, tree in zip(SQL_MUTATIONS, trees, strict=True):
        copy_sql(ROOT, tree)
        mutation.apply(tree)
    claims = (mutation.claim for mutation in SQL_MUTATIONS)
    return Described(project, committed, dict(zip(claims, describe(project, trees, scratch), strict=True)))


@pytest.fixture
def copy(described: Described, tmp_path: Path) -> Path:
    """A copy of the generated code that a test may spoil."""
    folder = tmp_path / "generated"
    shutil.copytree(ROOT / described.project.out, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_committed_python_is_what_the_sql_asks_for() -> None:
    """src/generated is what sqlc and its plugin make of db/ today; `make generate` when it is not."""
    found = problems_of_project(ROOT)
    assert not found, "\n".join(["run `make generate`, never edit src/generated:", *found])


def test_description_is_from_the_sqlc_that_runs(described: Described) -> None:
    """The version that the headers are compared with is what `sqlc version` says."""
    version = subprocess.run(["sqlc", "version"], capture_output=True, text=True, check=True).stdout.strip()
    assert described.committed.sqlc_version == version


@pytest.mark.parametrize("mutation", PYTHON_MUTATIONS, ids=lambda mutation: mutation.claim)
def test_a_change_in_the_python_is_noticed(mutation: Mutation, described: Described, copy: Path) -> None:
    """A generated file that was changed by hand is named."""
    mutation.apply(copy)
    found = problems(described.committed, described.project.options, copy)
    assert found
    assert all(problem.startswith(f"{mutation.file}: ") for problem in found)


@pytest.mark.parametrize("mutation", SQL_MUTATIONS, ids=lambda mutation: mutation.claim)
def test_a_change_in_the_sql_is_noticed(mutation: Mutation, described: Described) -> None:
    """SQL that was changed without regeneration is noticed in the Python."""
    assert problems(described.mutated[mutation.claim], described.project.options, ROOT / described.project.out)


def test_a_leftover_module_is_noticed(described: Described, copy: Path) -> None:
    """A module whose query file is gone is named."""
    shutil.copy(copy / "exchanges.py", copy / "markets.py")
    found = problems(described.committed, described.project.options, copy)
    assert found == ["markets.py: left over, nothing in the SQL asks for it"]


@pytest.mark.parametrize("name", ["exchanges.py", "models.py", "__init__.py", "py.typed"])
def test_a_missing_file_is_noticed(name: str, described: Described, copy: Path) -> None:
    """Every generated module must be there, and the two files by hand."""
    (copy / name).unlink()
    assert problems(described.committed, described.project.options, copy) == [f"{name}: missing"]


def test_layout_is_not_compared(described: Described, copy: Path) -> None:
    """Blank lines are the plugin's affair: guard 2 compares bytes."""
    path = copy / "exchanges.py"
    path.write_text(path.read_text() + "\n\n")
    assert not problems(described.committed, described.project.options, copy)


def test_the_place_of_import_uuid_is_left_to_chance() -> None:
    """The plugin sorts this one import by chance, so either place is right."""
    after = ["import enum", "from typing import Any", "import uuid", "import sqlalchemy"]
    before = ["import enum", "import uuid", "from typing import Any", "import sqlalchemy"]
    assert _settled(list(after)) == _settled(list(before)) == before


def test_a_problem_says_where_and_what(described: Described, copy: Path) -> None:
    """A message names the file and the method, and shows what is expected beside what is found."""
    Mutation("", "exchanges.py", r"row\[1\]", "row[2]").apply(copy)
    (problem,) = problems(described.committed, described.project.options, copy)
    assert problem.startswith("exchanges.py: AsyncQuerier.get_")
    assert "name=row[1]" in problem
    assert "name=row[2]" in problem


def test_sql_that_sqlc_refuses_is_an_error(described: Described, tmp_path: Path) -> None:
    """SQL that does not compile is reported in sqlc's words, not taken for no queries."""
    copy_sql(ROOT, tmp_path / "tree")
    Mutation("", "db/queries/exchanges.sql", r"SELECT id", "SELECT nonsense").apply(tmp_path / "tree")
    with pytest.raises(ValueError, match="nonsense"):
        describe(described.project, [tmp_path / "tree"], tmp_path)


@pytest.mark.parametrize(
    "options",
    ["{package: p, emit_async_querier: true, emit_str_enum: true}", "{package: p, emit_async_querier: false}"],
)
def test_an_unknown_option_of_the_plugin_is_refused(options: str, tmp_path: Path) -> None:
    """An option whose effect the comparison does not know is an error, not a gap."""
    package = f"{{schema: db, queries: db, codegen: [{{plugin: python, out: src, options: {options}}}]}}"
    (tmp_path / "sqlc.yaml").write_text(f"sql: [{package}]")
    with pytest.raises(ValueError, match="emit_"):
        read_project(tmp_path)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("exchanges", "Exchange"),
        ("exchange_history", "ExchangeHistory"),
        ("fees", "Fee"),
        ("currencies", "Currency"),
        ("batches", "Batch"),
        ("symbol_status", "SymbolStatus"),
        ("address", "Address"),
    ],
)
def test_a_row_is_named_in_the_singular(table: str, expected: str) -> None:
    """A table's class is its name in CamelCase and in the singular."""
    assert class_name(singular(table)) == expected


def test_a_plural_without_a_rule_is_refused() -> None:
    """A guessed class name would be a false alarm or none."""
    with pytest.raises(ValueError, match="market_data"):
        singular("market_data")


def test_a_method_is_the_query_in_snake_case() -> None:
    """Capitals in a row stay together."""
    assert method_name("GetExchangeById") == "get_exchange_by_id"
    assert method_name("ListHTTPHeaders") == "list_http_headers"
