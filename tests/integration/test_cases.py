"""The cases that stand for all functions: there is one for each, and each is answered by a database with symbols."""

from typing import Any

from exchanges_db import Database, ValidationReport
from tests.cases import CALLS, CASES, Case, every_call, functions_with_db


def test_every_function_that_takes_a_database_has_one_case() -> None:
    """A new one fails here until it has its line in tests/cases.py, and with that it is in every test of them."""
    assert CALLS.keys() == functions_with_db()
    assert len(CALLS) == len(CASES)


@every_call
async def test_a_case_is_answered(call: Case, stocked_dsn: Any) -> None:
    """Else the tests of them would prove something about refusals only."""
    async with Database(stocked_dsn) as database:
        answer = await call(database)
    if call.function.__name__ == "ensure_exchanges_populated":
        assert answer == []  # nothing was missing
    elif isinstance(answer, ValidationReport):
        assert answer.passed
    else:
        assert answer
