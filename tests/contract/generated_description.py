"""What sqlc says about the schema and the queries: its own JSON, which needs no plugin and no network."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml


class Identifier(msgspec.Struct):
    """A name that may carry a schema, as sqlc writes tables and types."""

    name: str
    schema: str = ""
    catalog: str = ""


class Column(msgspec.Struct):
    """A column of a table or of a result, or what a parameter stands for."""

    name: str
    not_null: bool
    is_array: bool
    comment: str
    type: Identifier
    table: Identifier | None


class Parameter(msgspec.Struct):
    """$number and what it stands for."""

    number: int
    column: Column


class Query(msgspec.Struct):
    """A named query: its command, its SQL with $1, its parameters and the columns that it returns."""

    name: str
    cmd: str
    text: str
    filename: str
    params: list[Parameter]
    columns: list[Column]


class Table(msgspec.Struct):
    """A table of the schema."""

    rel: Identifier
    columns: list[Column]
    comment: str


class Enum(msgspec.Struct):
    """An enum type of the schema."""

    name: str
    vals: list[str]
    comment: str


class Schema(msgspec.Struct):
    """A PostgreSQL schema."""

    name: str
    tables: list[Table]
    enums: list[Enum]


class Catalog(msgspec.Struct):
    """All schemas, and the one that unqualified names are in."""

    default_schema: str
    schemas: list[Schema]


class Description(msgspec.Struct):
    """All that the plugin is told, too: sqlc hands it the same message."""

    sqlc_version: str
    catalog: Catalog
    queries: list[Query]


class Options(msgspec.Struct, forbid_unknown_fields=True):
    """The plugin's options that the comparison knows; any other one in sqlc.yaml is an error, not a gap."""

    package: str
    emit_async_querier: bool
    query_parameter_limit: int = 4


class Project(NamedTuple):
    """What sqlc.yaml says: where the SQL is, where the Python goes, and in which form."""

    schema: list[str]
    queries: list[str]
    out: str
    options: Options


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def read_project(root: Path) -> Project:
    """Read `root`/sqlc.yaml, which must have one package and one code generator."""
    (package,) = yaml.safe_load((root / "sqlc.yaml").read_text())["sql"]
    (codegen,) = package["codegen"]
    options = msgspec.convert(codegen["options"], Options)
    if not options.emit_async_querier:
        raise ValueError("sqlc.yaml: emit_async_querier is off, and the comparison knows async queriers only")
    return Project(_as_list(package["schema"]), _as_list(package["queries"]), codegen["out"], options)


def copy_sql(root: Path, tree: Path) -> None:
    """Copy the SQL of the project at `root` to `tree`, for describe()."""
    shutil.copytree(root / "db", tree / "db")


def describe(project: Project, trees: Iterable[Path], scratch: Path) -> list[Description]:
    """Return sqlc's description of each tree in `scratch`: one run for all of them, as starting sqlc is what costs."""
    packages, outputs = [], []
    for tree in trees:
        inside = tree.relative_to(scratch)
        packages.append(
            {
                "engine": "postgresql",
                "schema": [str(inside / path) for path in project.schema],
                "queries": [str(inside / path) for path in project.queries],
                "gen": {"json": {"out": str(inside / "described"), "filename": "description.json"}},
            }
        )
        outputs.append(tree / "described" / "description.json")
    (scratch / "sqlc.yaml").write_text(yaml.safe_dump({"version": "2", "sql": packages}))
    run = subprocess.run(["sqlc", "generate"], cwd=scratch, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise ValueError(f"sqlc cannot compile the SQL:\n{run.stderr}")
    return [msgspec.json.decode(output.read_bytes(), type=Description) for output in outputs]


@cache
def describe_project(root: Path) -> tuple[Project, Description]:
    """Return sqlc.yaml and the description of the SQL at `root`, asked for once a process."""
    project = read_project(root)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        copy_sql(root, scratch / "project")
        (description,) = describe(project, [scratch / "project"], scratch)
    return project, description
