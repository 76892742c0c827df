"""The bridge from generated code to asyncpg; what it makes of each statement is in tests/contract."""

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

import exchanges_sql
from exchanges_db.database.bridge import _WRITES, AsyncpgBridge, Rows, translate_statement
from exchanges_sql.exchanges import LIST_EXCHANGES

FOLDER = Path(exchanges_sql.__file__).parent
MODULES = [import_module(f"exchanges_sql.{path.stem}") for path in sorted(FOLDER.glob("[!_]*.py"))]


def test_a_statement_is_worked_out_once() -> None:
    """The second call gets the same object."""
    first, second = sqlalchemy.text(LIST_EXCHANGES), sqlalchemy.text(LIST_EXCHANGES)
    assert translate_statement(first) is translate_statement(second)


def test_what_writes_is_told_from_what_reads() -> None:
    """What has written is never sent again, and what reads may hold the names of operations as values."""
    texts = [
        text for module in MODULES for name, text in vars(module).items() if name.isupper() and "-- name: " in text
    ]
    sent = {translate_statement(sqlalchemy.text(text)).sql for text in texts if "format('" not in text}
    words = re.compile(
        r"^(?:INSERT|UPDATE|DELETE|MERGE)\b|\bAS (?:NOT MATERIALIZED |MATERIALIZED )?\(\s*(?:INSERT|UPDATE|DELETE)\b"
    )
    assert {sql for sql in sent if _WRITES.search(sql)} == {sql for sql in sent if words.search(sql)}
    assert _WRITES.search("UPDATE a SET b = 1")
    assert not _WRITES.search("SELECT 'UPDATE' AS operation")


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
    """Whatever generated code calls on its connection, the bridge has, and beside it only a count for the pool."""
    called = {name for module in MODULES for name in re.findall(r"self\._conn\.(\w+)", inspect.getsource(module))}
    assert called | {"statements"} == {name for name in vars(AsyncpgBridge) if not name.startswith("_")}
