"""docs/sight.md is held to the code both ways: each metric, each field of DatabaseStats, each event with its fields."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterator

import pytest

from exchanges_db.database.counters import Counters, DatabaseStats
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.incidents import Incidents
from exchanges_db.database.metrics import METRICS
from exchanges_db.errors import DatabaseUnavailable
from exchanges_db.events import PREFIX, event
from tests.fix_server import ROOT

PACKAGE = ROOT / "src/exchanges_db"
DOCUMENT = ROOT / "docs/sight.md"
LEVELS = ("debug", "info", "warning", "error", "exception", "critical", "log")
# What could be a secret or a value that a caller has sent.
NEVER = {"dsn", "url", "user", "password", "query", "sql", "parameters", "value", "values", "payload", "origin"}


def table(head: str) -> list[list[str]]:
    """Return the rows of the table whose first head is this."""
    found, inside = [], False
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if inside and not cells:
            break
        if inside:
            found.append(cells)
        inside = inside or (bool(cells) and cells[0] == head)
    return found[1:]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def log_calls() -> Iterator[tuple[str, ast.Call, ast.AST]]:
    """Every call of a logger of ours: where, the call, and the function that it is in."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level)) if level in LEVELS:
                        yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node, function


def events_of(call: ast.Call, function: ast.AST) -> list[ast.Call]:
    """Return the calls of `event` that the `extra` of a log call may be."""
    extra = next((word.value for word in call.keywords if word.arg == "extra"), None)
    values = [] if extra is None else [extra]
    if isinstance(extra, ast.Name):
        assigned = [node for node in ast.walk(function) if isinstance(node, ast.Assign)]
        values = [node.value for node in assigned if ast.unparse(node.targets[0]) == extra.id]
    return [one for one in values if isinstance(one, ast.Call) and ast.unparse(one.func) == "event"]


# What `**self._facts(error)` stands for in database/incidents.py; a test beside it holds the method to that.
FACTS = {"database", "error", "sqlstate"}


def known_events() -> dict[str, set[str]]:
    """Each event that the code logs, with its fields."""
    found: dict[str, set[str]] = {}
    for _, call, function in log_calls():
        for one in events_of(call, function):
            fields = found.setdefault(ast.literal_eval(one.args[0]), set())
            for word in one.keywords:
                if word.arg is None:
                    assert ast.unparse(word.value) == "self._facts(error)"
                fields |= FACTS if word.arg is None else {word.arg}
    return found


def test_the_facts_of_an_error_are_these() -> None:
    assert Incidents(Dsn(), Counters())._facts(DatabaseUnavailable("x")).keys() == FACTS


def test_every_log_call_says_which_event_it_is() -> None:
    calls = list(log_calls())
    assert len(calls) > 15
    assert [where for where, call, function in calls if not events_of(call, function)] == []


def test_no_method_of_a_logger_is_handed_on() -> None:
    """As a default for a callback, say: what is logged through it has no event."""
    handed_on = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        handed_on += [
            f"{path.name}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "log" and id(node) not in called
        ]
    assert handed_on == []


def test_no_log_call_hides_in_another_logger() -> None:
    """Anyone who logs without `log` would pass by the rule above."""
    makers = re.compile(r"^(?!log = ).*\blogging\.(?:getLogger|info|warning|error|exception|debug)\(", re.MULTILINE)
    assert [path.name for path in PACKAGE.rglob("*.py") if makers.search(path.read_text(encoding="utf-8"))] == []


def test_no_field_of_an_event_is_a_secret_or_a_sent_value() -> None:
    assert {name: fields & NEVER for name, fields in known_events().items() if fields & NEVER} == {}


def test_no_field_is_an_attribute_that_a_record_has() -> None:
    """`logging` raises KeyError where `extra` would overwrite one of its own."""
    own = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}
    names = {f"{PREFIX}{field}" for fields in known_events().values() for field in fields}
    assert not names & own
    assert event("opened", database="x") == {"exchanges_db_event": "opened", "exchanges_db_database": "x"}


def test_the_document_has_every_event_with_its_fields() -> None:
    written = {quoted(row[0])[0]: set(quoted(row[2])) for row in table("event")}
    assert written == known_events()


def test_the_document_has_the_level_of_every_event() -> None:
    levels: dict[str, set[str]] = {}
    for _, call, function in log_calls():
        for one in events_of(call, function):
            assert isinstance(call.func, ast.Attribute)
            # `exception` is `error` with the traceback.
            level = call.func.attr.upper().replace("EXCEPTION", "ERROR")
            levels.setdefault(ast.literal_eval(one.args[0]), set()).add(level)
    assert {quoted(row[0])[0]: {*row[1].split(", ")} for row in table("event")} == levels


def test_the_document_has_every_metric() -> None:
    written = [(*quoted(row[0]), row[1], *quoted(row[2])) for row in table("metric")]
    assert sorted(written) == sorted((metric.name, metric.kind, metric.unit) for metric in METRICS)


def test_the_document_has_every_field_of_the_stats() -> None:
    written = [name for row in table("field") for name in quoted(row[0])]
    assert sorted(written) == sorted(DatabaseStats.__struct_fields__)


def test_every_field_of_the_stats_is_a_metric() -> None:
    """But the sum of two others, and what is of use beside the stats only."""
    shown = {field for metric in METRICS for field, _ in metric.fields}
    assert set(DatabaseStats.__struct_fields__) - shown == {"open", "opening", "pool_min"}


@pytest.mark.parametrize("name", sorted(DatabaseStats.__struct_fields__))
def test_every_field_of_the_stats_is_explained_in_its_docstring(name: str) -> None:
    assert re.search(rf"\b{name}\b", (DatabaseStats.__doc__ or "").partition("Attributes:")[2])
