"""Every migration that is one transaction gives up on a lock soon, whoever runs it: what waits behind it goes on."""

import re
from datetime import timedelta

import pytest

from exchanges_db.schema.sql_files import migrations_directory

MOST = timedelta(milliseconds=500)
DIRECTION = re.compile(r"^-- migrate:(up|down)([^\n]*)$", re.MULTILINE)
BEGINNING = re.compile(r"SET LOCAL lock_timeout = '(\d+)ms';\n")


def parts(text: str) -> list[tuple[str, str, str]]:
    """Return direction, options and statements of each part of a migration file, without lines of comment."""
    _, *pieces = DIRECTION.split(text)
    return [
        (direction, options, re.sub(r"^--[^\n]*\n", "", statements.lstrip("\n"), flags=re.MULTILINE).lstrip("\n"))
        for direction, options, statements in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True)
    ]


TRANSACTIONS = {
    f"{file.name} {direction}": statements
    for file in sorted(migrations_directory().glob("*.sql"))
    for direction, options, statements in parts(file.read_text(encoding="utf-8"))
    if "transaction:false" not in options
}


def bounded(statements: str) -> bool:
    """Whether the first statement bounds the wait for a lock, for this transaction alone."""
    beginning = BEGINNING.match(statements)
    return beginning is not None and timedelta(0) < timedelta(milliseconds=int(beginning[1])) <= MOST


@pytest.mark.parametrize("statements", TRANSACTIONS.values(), ids=TRANSACTIONS)
def test_it_begins_with_a_limit_on_waiting_for_locks(statements: str) -> None:
    """A waiting ALTER TABLE stands in front of every look-up that comes after it."""
    assert bounded(statements)


@pytest.mark.parametrize(
    "statements",
    ["", "ALTER TABLE t ADD c int;\nSET LOCAL lock_timeout = '200ms';\n", "SET LOCAL lock_timeout = '501ms';\n",
     "SET LOCAL lock_timeout = '0ms';\n", "SET lock_timeout = '200ms';\n", "SET LOCAL lock_timeout = '5s';\n"],
)  # fmt: skip
def test_what_does_not_bound_it_is_seen(statements: str) -> None:
    assert not bounded(statements)


def test_both_directions_of_every_file_are_looked_at() -> None:
    """A part that the pattern misses would pass unseen."""
    for file in migrations_directory().glob("*.sql"):
        assert [direction for direction, _, _ in parts(file.read_text(encoding="utf-8"))] == ["up", "down"], file.name
