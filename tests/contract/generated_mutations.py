"""Ways in which generated code and its SQL can fall apart: what guard 1 must notice."""

import re
from pathlib import Path
from typing import NamedTuple


class Mutation(NamedTuple):
    """One change of one file, as a regular expression and what takes the place of its first match."""

    claim: str
    file: str
    pattern: str
    replacement: str

    def apply(self, folder: Path) -> None:
        """Change the file in `folder`; a pattern that matches nothing would prove nothing and is an error."""
        path = folder / self.file
        text, count = re.subn(self.pattern, self.replacement, path.read_text(), count=1)
        if count != 1:
            raise ValueError(f"{self.claim}: nothing in {self.file} matches {self.pattern!r}: choose another place")
        path.write_text(text)


PYTHON_MUTATIONS = (
    Mutation("parameter renamed", "exchanges.py", r"\*, (\w+): ", r"*, other_\1: "),
    Mutation("parameters swapped", "migration_ledger.py", r"\*, (\w+: \w+), (\w+: \w+)", r"*, \2, \1"),
    Mutation("parameter no longer keyword-only", "exchanges.py", r"self, \*, ", "self, "),
    Mutation("parameter type changed", "exchanges.py", r"(\*, \w+): int", r"\1: str"),
    Mutation("parameter given a default", "exchanges.py", r"(\*, \w+: int)\)", r"\1 = 1)"),
    Mutation("Params field renamed", "exchanges.py", r"(class \w+Params:\n    )", r"\1other_"),
    Mutation("Params fields swapped", "exchanges.py", r"(class \w+Params:\n)(.+\n)(.+\n)", r"\1\3\2"),
    Mutation("Params field dropped", "exchanges.py", r"(class \w+Params:\n).+\n", r"\1"),
    Mutation("Params field given a default", "exchanges.py", r"(class \w+Params:\n.+)\n", r"\1 = 'x'\n"),
    Mutation("Params no longer a dataclass", "exchanges.py", r"@dataclasses\.dataclass\(\)\n", ""),
    Mutation("dataclass frozen", "models.py", r"dataclass\(\)", "dataclass(frozen=True)"),
    Mutation("Optional dropped from a model", "models.py", r"Optional\[(\w+)\]", r"\1"),
    Mutation("Optional dropped from Params", "exchanges.py", r": Optional\[(\w+)\]", r": \1"),
    Mutation("Optional dropped from a result", "exchanges.py", r"-> Optional\[(.+)\]:", r"-> \1:"),
    Mutation("List dropped from a model", "models.py", r": List\[(\w+)\]", r": \1"),
    Mutation("List dropped from Params", "exchanges.py", r"(\n    \w+): List\[(\w+)\]", r"\1: \2"),
    Mutation("List dropped from a parameter", "exchanges.py", r"(\*, \w+): List\[(\w+)\]", r"\1: \2"),
    Mutation("result annotation changed", "exchanges.py", r"-> Optional\[int\]", "-> Optional[str]"),
    Mutation("iterator changed", "exchanges.py", r"-> AsyncIterator\[", "-> List["),
    Mutation("model column dropped", "models.py", r"\n    name: .+", ""),
    Mutation("model column added", "models.py", r"(\n    id: \w+)", r"\1\n    extra: int"),
    Mutation("model column type changed", "models.py", r"datetime\.datetime\n", "str\n"),
    Mutation("model columns swapped", "models.py", r"(    id: .+\n)(    \w+: .+\n)", r"\2\1"),
    Mutation("model renamed", "models.py", r"class Exchange:", "class Market:"),
    Mutation("model removed", "models.py", r"@dataclasses[^@]+\Z", ""),
    Mutation("Row column dropped", "migration_ledger.py", r"(class \w+Row:\n).+\n", r"\1"),
    Mutation("Row column type changed", "migration_ledger.py", r"(class \w+Row:\n    \w+): \w+", r"\1: bytes"),
    Mutation("row columns reordered", "exchanges.py", r"( +\w+=row\[0\],\n)( +\w+=row\[1\],\n)", r"\2\1"),
    Mutation("row columns crossed", "exchanges.py", r"(\w+)=row\[0\],(\s+)(\w+)=row\[1\]", r"\3=row[0],\2\1=row[1]"),
    Mutation("row column left out", "exchanges.py", r" +\w+=row\[2\],\n", ""),
    Mutation("row index wrong", "exchanges.py", r"row\[1\]", "row[2]"),
    Mutation("row class changed", "exchanges.py", r"return models\.Exchange\(", "return models.ExchangeHistory("),
    Mutation("single value at a wrong index", "exchanges.py", r"return row\[0\]", "return row[1]"),
    Mutation("query reworded", "exchanges.py", r"ORDER BY name", "ORDER BY id"),
    Mutation("space in the SQL doubled", "exchanges.py", r"\nWHERE ", "\nWHERE  "),
    Mutation("line break in the SQL removed", "exchanges.py", r"\nWHERE ", " WHERE "),
    Mutation("space at the end of the SQL", "exchanges.py", r'\n"""\n', ' \n"""\n'),
    Mutation("escape of a colon lost", "exchanges.py", r"\\\\:\\\\:", "::"),
    Mutation("letter spelt as an escape", "exchanges.py", r"FROM public", r"FROM \\x70ublic"),
    Mutation("parameter in the SQL changed", "exchanges.py", r":p2\b", ":p3"),
    Mutation("command in the SQL changed", "exchanges.py", r"\\\\:one", r"\\\\:many"),
    Mutation("name in the SQL changed", "exchanges.py", r"-- name: (\w+)", r"-- name: \1_now"),
    Mutation("constant renamed", "exchanges.py", r"\n([A-Z_]+) = ", r"\n\1_NOW = "),
    Mutation("constant of another query used", "exchanges.py", r"text\(GET_\w+\)", "text(INSERT_EXCHANGE)"),
    Mutation("first() dropped", "exchanges.py", r"\)\.first\(\)", ")"),
    Mutation("stream changed to execute", "exchanges.py", r"_conn\.stream\(", "_conn.execute("),
    Mutation("execute changed to stream", "migration_ledger.py", r"_conn\.execute\(", "_conn.stream("),
    Mutation("await dropped", "migration_ledger.py", r"        await ", "        "),
    Mutation("p-key changed", "exchanges.py", r'\{"p1": ', '{"p2": '),
    Mutation("p-keys crossed", "exchanges.py", r'"p1": (arg\.\w+),\s+"p2": (arg\.\w+)', r'"p1": \2, "p2": \1'),
    Mutation("p-key dropped", "exchanges.py", r'\s+"p2": arg\.\w+,', ""),
    Mutation("bound value changed", "exchanges.py", r'"p1": arg\.name', '"p1": arg.name.strip()'),
    Mutation("missing row not checked", "exchanges.py", r" +if row is None:\n +return None\n", ""),
    Mutation("statement added to a method", "exchanges.py", r"(\n +)return row\[0\]", r"\1print(row)\1return row[0]"),
    Mutation("docstring added to a method", "exchanges.py", r"(-> .+:)\n", r'\1\n        """It does."""\n'),
    Mutation("method decorated", "exchanges.py", r"\n    async def ", "\n    @staticmethod\n    async def "),
    Mutation("method removed", "exchanges.py", r"\n    async def [^@]+?(?=\n    async def )", ""),
    Mutation(
        "methods swapped", "exchanges.py", r"(\n    async def [^@]+?)(\n    async def [^@]+?)(?=\n    a)", r"\2\1"
    ),
    Mutation("connection kept elsewhere", "exchanges.py", r"self\._conn = conn", "self.conn = conn"),
    Mutation("querier given a base", "exchanges.py", r"class AsyncQuerier:", "class AsyncQuerier(object):"),
    Mutation("leftover query", "exchanges.py", r"\n\nclass AsyncQuerier", '\nOLD = """x\n"""\n\n\nclass AsyncQuerier'),
    Mutation(
        "leftover method", "exchanges.py", r"\Z", "\n    async def old(self) -> None:\n        await self._conn\n"
    ),
    Mutation("import added", "exchanges.py", r"\nimport sqlalchemy\n", "\nimport os\nimport sqlalchemy\n"),
    Mutation("import dropped", "exchanges.py", r"import sqlalchemy\.ext\.asyncio\n", ""),
    Mutation("imports swapped", "exchanges.py", r"(import sqlalchemy\n)(import sqlalchemy.+\n)", r"\2\1"),
    Mutation("typing import added", "exchanges.py", r"import AsyncIterator, ", "import Any, AsyncIterator, "),
    Mutation("function added at the end", "exchanges.py", r"\Z", "\n\ndef helper() -> None:\n    return None\n"),
    Mutation("statement added at the end", "models.py", r"\Z", "\n\nprint(1)\n"),
    Mutation("method replaced at the end", "models.py", r"\Z", "\n\nExchange.__init__ = None\n"),
    Mutation("sqlc version changed", "exchanges.py", r"#   sqlc v\S+", "#   sqlc v1.0.0"),
    Mutation("sqlc version changed in models", "models.py", r"#   sqlc v\S+", "#   sqlc v1.0.0"),
    Mutation("source changed", "exchanges.py", r"# source: \w+", "# source: other"),
    Mutation("header dropped", "exchanges.py", r"# Code generated.+\n", ""),
    Mutation("comment added", "exchanges.py", r"(return row\[0\])", r"\1  # a note"),
    Mutation("column comment changed", "models.py", r"\n    # (.+)", r"\n    # Not \1"),
    Mutation("column comment dropped", "models.py", r"\n    # .+", ""),
    Mutation("column comment moved", "models.py", r"(\n    # .+)(\n.+)", r"\2\1"),
    Mutation("table docstring changed", "models.py", r'"""(.+)"""', r'"""Not \1"""'),
    Mutation("table docstring dropped", "models.py", r'\n    """.+"""', ""),
    Mutation("broken Python", "exchanges.py", r"\n    async def ", "\n    async "),
)

SQL_MUTATIONS = (
    Mutation("query reworded", "db/queries/exchanges.sql", r"ORDER BY name;", "ORDER BY id;"),
    Mutation("space doubled", "db/queries/exchanges.sql", r"\nWHERE ", "\nWHERE  "),
    Mutation(
        "query added", "db/queries/exchanges.sql", r"\Z", "\n-- name: CountNames :one\nSELECT 1::integer AS one;\n"
    ),
    Mutation("query removed", "db/queries/exchanges.sql", r"-- name: GetExchangeById [^;]+;\n", ""),
    Mutation("query renamed", "db/queries/exchanges.sql", r"-- name: (\w+)", r"-- name: \1Now"),
    Mutation("command changed", "db/queries/exchanges.sql", r"(-- name: Get\w+) :one", r"\1 :many"),
    Mutation("parameter renamed", "db/queries/exchanges.sql", r"id = @id;", "id = @exchange_id;"),
    Mutation("column left out", "db/queries/exchanges.sql", r", version\nFROM", "\nFROM"),
    Mutation(
        "query moved", "db/queries/exchange_stats.sql", r"\Z", "\n-- name: GetOne :one\nSELECT 1::integer AS one;\n"
    ),
    Mutation("column retyped", "db/migrations/002_create_exchanges.sql", r"base_url VARCHAR\(\d+\)", "base_url BYTEA"),
    Mutation("NOT NULL", "db/migrations/002_create_exchanges.sql", r"(base_url VARCHAR\(\d+\)),", r"\1 NOT NULL,"),
    Mutation("column added", "db/migrations/002_create_exchanges.sql", r"(\n    base_url )", r"\n    extra TEXT,\1"),
    Mutation(
        "table added", "db/migrations/002_create_exchanges.sql", r"up\n", "up\nCREATE TABLE public.extras (id INT);\n"
    ),
    Mutation(
        "enum added", "db/migrations/002_create_exchanges.sql", r"up\n", "up\nCREATE TYPE public.mood AS ENUM ('a');\n"
    ),
    Mutation("table comment", "db/migrations/002_create_exchanges.sql", r"(COMMENT ON TABLE .+ IS ')", r"\1Not "),
    Mutation("column comment", "db/migrations/002_create_exchanges.sql", r"(COMMENT ON COLUMN .+ IS ')", r"\1Not "),
)
