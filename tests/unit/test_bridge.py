"""The bridge from generated code to asyncpg: translation of every statement."""

import inspect
import re
from typing import Any

import pytest
import sqlalchemy

import exchanges_sql.exchange_history
import exchanges_sql.exchange_stats
import exchanges_sql.exchanges
import exchanges_sql.migration_ledger
from exchanges_db.database.bridge import AsyncpgBridge, Rows, translate_statement

MODULES = [exchanges_sql.exchanges, exchanges_sql.exchange_history, exchanges_sql.exchange_stats,
           exchanges_sql.migration_ledger]  # fmt: skip
STATEMENTS = {
    f"{module.__name__}.{name}": text
    for module in MODULES
    for name, text in vars(module).items()
    if name.isupper() and isinstance(text, str)
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_generated_statement_is_translated(name: str) -> None:
    """Each parameter stands once in the list, in the order of its number, and nothing stays in SQLAlchemy's terms."""
    statement = translate_statement(sqlalchemy.text(STATEMENTS[name]))
    assert statement.command in ("one", "many", "exec", "execrows")
    numbers = {int(number) for number in re.findall(r"\$(\d+)", statement.sql)}
    assert numbers == set(range(1, len(statement.parameters) + 1))
    assert len(set(statement.parameters)) == len(statement.parameters)
    assert "\\:" not in statement.sql
    assert re.search(r":p\d", statement.sql) is None


def test_a_statement_is_worked_out_once() -> None:
    """The second call gets the same object."""
    text = next(iter(STATEMENTS.values()))
    assert translate_statement(sqlalchemy.text(text)) is translate_statement(sqlalchemy.text(text))


def test_a_statement_of_another_origin_is_refused() -> None:
    """Only what sqlc wrote says how its answer is to be read."""
    with pytest.raises(ValueError, match="not a statement that sqlc-gen-python wrote"):
        translate_statement(sqlalchemy.text("SELECT 1"))


async def test_rows_answer_the_three_questions_of_generated_code() -> None:
    """First(), rowcount and both ways of iterating."""
    records: list[Any] = [1, 2]
    rows = Rows(records, 2)
    assert rows.first() is records[0]
    assert (rows.rowcount, list(rows)) == (2, records)
    assert [row async for row in rows] == records
    assert Rows((), 0).first() is None


def test_the_bridge_offers_no_more_than_generated_code_calls() -> None:
    """Whatever generated code calls on its connection, the bridge has, and nothing else."""
    called = {name for module in MODULES for name in re.findall(r"self\._conn\.(\w+)", inspect.getsource(module))}
    assert called == {name for name in vars(AsyncpgBridge) if not name.startswith("_")}
