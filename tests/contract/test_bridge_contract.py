"""What the bridge sends to PostgreSQL is the SQL that sqlc checked, for every generated statement."""

import ast
import re
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy

from exchanges_db.database.bridge import translate_statement
from tests.contract.generated_description import Query, describe_project
from tests.contract.generated_names import method_name, sqlalchemy_sql

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ROOT / "src/generated/exchanges_sql"


class Sent(NamedTuple):
    """A statement as asyncpg gets it, apart from its first line, with sqlc's numbers for its parameters."""

    header: str
    sql: str
    command: str
    parameters: tuple[str, ...]


class Committed(NamedTuple):
    """A constant of the generated code, as Python reads it."""

    source: str
    name: str
    text: str

    def query(self) -> Query:
        """Return sqlc's description of it."""
        _, description = describe_project(ROOT)
        (query,) = (
            query
            for query in description.queries
            if (query.filename, method_name(query.name).upper()) == (self.source, self.name)
        )
        return query


def committed_statements() -> list[Committed]:
    """Return every SQL constant in src/generated, without importing anything."""
    return [
        Committed(f"{path.stem}.sql", name, text)
        for path in sorted(GENERATED.glob("*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for name, text in [(ast.unparse(node.targets[0]), str(node.value.value))]
    ]


def sent(text: str) -> Sent:
    """Return what the bridge makes of a constant."""
    statement = translate_statement(sqlalchemy.text(text))
    header, _, sql = statement.sql.partition("\n")
    numbers = [name.removeprefix("p") for name in statement.parameters]
    sql = re.sub(r"\B\$(\d+)\b", lambda match: "$" + numbers[int(match[1]) - 1], sql)
    return Sent(header, sql, statement.command, statement.parameters)


def there_and_back(sql: str) -> str:
    """Return `sql` after the plugin's escaping, Python's reading of it and the bridge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = ast.literal_eval(f'"""-- name: sample \\\\:one\n{sqlalchemy_sql(sql)}\n"""')
    return sent(text).sql.removesuffix("\n")


every_statement = pytest.mark.parametrize(
    "committed", committed_statements(), ids=lambda committed: f"{committed.source}:{committed.name.lower()}"
)


def test_statements_are_found() -> None:
    """The tests below are about something: as many constants as queries."""
    assert len(committed_statements()) == len(describe_project(ROOT)[1].queries) > 0


@every_statement
def test_the_sql_that_is_sent_is_what_sqlc_checked(committed: Committed) -> None:
    """Escaped by the plugin, read by SQLAlchemy and translated by the bridge, a query is sqlc's text again."""
    assert sent(committed.text).sql == committed.query().text + "\n"


@every_statement
def test_the_header_and_the_command_arrive(committed: Committed) -> None:
    """The bridge fetches by the command of the SQL file, and the server's log shows the query's name."""
    query, statement = committed.query(), sent(committed.text)
    assert f":{statement.command}" == query.cmd
    assert statement.header == f"-- name: {method_name(query.name)} {query.cmd}"


@every_statement
def test_every_parameter_is_used(committed: Committed) -> None:
    """Parameters are numbered 1..N without a gap, and the bridge asks for p1..pN, each once."""
    numbers = [parameter.number for parameter in committed.query().params]
    assert numbers == list(range(1, len(numbers) + 1))
    assert sorted(sent(committed.text).parameters) == sorted(f"p{number}" for number in numbers)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT $2::text[], $1::integer, $2",
        "SELECT '12:30', ':p1', '[[:alpha:]]'",
        "SELECT '%', '%%', '%s', '?', '{}', '$', 'a$1'",
        "SELECT x -> 'a', x @> y, x ? 'b', x #>> '{c}' FROM t -- : $ % @",
    ],
)
def test_what_means_something_to_a_translator_arrives(sql: str) -> None:
    """Casts, colons, percent signs, question marks and braces come through unchanged."""
    assert there_and_back(sql) == sql


@pytest.mark.parametrize("sql", [r"SELECT '\t'", r"SELECT E'\\'"])
def test_what_the_plugin_does_not_escape_is_noticed(sql: str) -> None:
    """A backslash in a query means something to Python: the comparison above would fail on it."""
    assert there_and_back(sql) != sql
