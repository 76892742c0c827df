"""What the bridge sends to PostgreSQL is the SQL that sqlc checked, for every generated statement."""

import ast
import re
import warnings
from pathlib import Path

import pytest
import sqlalchemy

from exchanges_db.database.bridge import _Statement, translate_statement
from tests.contract.sqlc_json import GENERATED, Query, queries_of_sql

ROOT = Path(__file__).resolve().parents[2]
# What the plugin wrote: file and constant to its text, as Python reads it.
COMMITTED = {
    (f"{path.stem}.sql", ast.unparse(node.targets[0]).lower()): str(node.value.value)
    for path in sorted((ROOT / GENERATED).glob("*.py"))
    for node in ast.parse(path.read_text()).body
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
}


def in_sqlcs_terms(statement: _Statement) -> str:
    """Return what is sent, with sqlc's numbers for its parameters."""
    numbers = [name.removeprefix("p") for name in statement.parameters]
    return re.sub(r"\B\$(\d+)\b", lambda match: "$" + numbers[int(match[1]) - 1], statement.sql)


def there_and_back(sql: str) -> str:
    """Return `sql` after the plugin's escaping, Python's reading of it and the bridge."""
    escaped = re.sub(r"(?<!\w)\$(\d+)", r":p\1", sql.replace(":", r"\\:"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = ast.literal_eval(f'"""-- name: sample \\\\:one\n{escaped}\n"""')
    return in_sqlcs_terms(translate_statement(sqlalchemy.text(text))).removesuffix("\n-- name: sample :one")


@pytest.fixture(scope="module")
def described() -> dict[tuple[str, str], Query]:
    """Sqlc's own description of every query."""
    return {(query.filename, query.name): query for query in queries_of_sql(ROOT)}


def test_statements_are_found(described: dict[tuple[str, str], Query]) -> None:
    """The tests below are about something: as many constants as queries."""
    assert COMMITTED.keys() == described.keys() != set()


@pytest.mark.parametrize("key", COMMITTED, ids=":".join)
def test_the_sql_that_is_sent_is_what_sqlc_checked(
    key: tuple[str, str], described: dict[tuple[str, str], Query]
) -> None:
    """Escaped by the plugin, read by SQLAlchemy and translated by the bridge, a query is sqlc's text again.

    Its name comes last: the server's log shows it, and tracing tools, which go by the first word, see a SELECT.
    """
    query, statement = described[key], translate_statement(sqlalchemy.text(COMMITTED[key]))
    assert in_sqlcs_terms(statement) == f"{query.text.strip()}\n-- name: {query.name} {query.cmd}"
    assert f":{statement.command}" == query.cmd
    assert re.match(r"(SELECT|INSERT|UPDATE|DELETE|WITH|LOCK)\s", statement.sql)
    assert sorted(statement.parameters) == sorted({f"p{number}" for number in re.findall(r"\B\$(\d+)", query.text)})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT $2::text[], $1::integer, $2",
        "SELECT '12:30', ':p', '[[:alpha:]]'",
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
