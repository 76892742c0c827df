"""The EXPLAIN statements, which sqlc cannot compile, explain the queries that are run."""

import pytest
import sqlalchemy

from exchanges_db.database.bridge import translate_statement
from exchanges_db.validation.plans import LOOK_UPS, LookUp
from exchanges_sql import exchanges


@pytest.mark.parametrize("look_up", LOOK_UPS, ids=lambda look_up: look_up.name)
def test_what_is_explained_is_what_is_run(look_up: LookUp) -> None:
    """Each statement is EXPLAIN and, to the letter, the SQL of the look-up without its first line."""
    generated = translate_statement(sqlalchemy.text(getattr(exchanges, look_up.name.upper()))).sql
    _header, _, sql = generated.partition("\n")
    assert look_up.explain == "EXPLAIN (FORMAT JSON) " + sql.strip()
