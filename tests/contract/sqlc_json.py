"""What sqlc itself says of the queries (`gen: json`, which needs no plugin), and what the committed Python sends."""

import ast
import re
import subprocess
import tempfile
from pathlib import Path

import msgspec
import yaml

GENERATED = "src/generated/exchanges_sql"


class Query(msgspec.Struct, frozen=True, order=True):
    """A query: its file, its name as Python spells it, its command, and its SQL with $1."""

    filename: str
    name: str
    cmd: str
    text: str


def queries_of_sql(root: Path) -> list[Query]:
    """Return what sqlc makes of the SQL at `root`; raises CalledProcessError where it cannot compile it."""
    (package,) = yaml.safe_load((root / "sqlc.yaml").read_text())["sql"]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "db").symlink_to((root / "db").resolve())
        package = {key: package[key] for key in ("engine", "schema", "queries")}
        package["gen"] = {"json": {"out": "out", "filename": "described.json"}}
        (Path(folder) / "sqlc.yaml").write_text(yaml.safe_dump({"version": "2", "sql": [package]}))
        subprocess.run(["sqlc", "generate"], cwd=folder, capture_output=True, check=True)
        described = msgspec.json.decode((Path(folder) / "out/described.json").read_bytes())["queries"]
    # GetExchangeById becomes get_exchange_by_id.
    snake = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
    queries = [msgspec.convert({**query, "name": snake.sub("_", query["name"]).lower()}, Query) for query in described]
    return sorted(queries)


def queries_of_python(root: Path, package: str = GENERATED) -> list[Query]:
    """Return what the generated files at `root` hold, read without importing them."""
    found = []
    for path in (root / package).glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                # SQLAlchemy's terms: :p1 is a parameter, and a colon that begins none has a backslash before it.
                text = re.sub(r"\\:|:p(\d+)\b", lambda m: f"${m[1]}" if m[1] else ":", str(node.value.value))
                header, _, sql = text.removesuffix("\n").partition("\n")
                name, cmd = header.removeprefix("-- name: ").split(" ")
                found.append(Query(f"{path.stem}.sql", name, cmd, sql))
    return sorted(found)
