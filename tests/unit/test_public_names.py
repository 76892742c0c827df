"""The one door: what it exports, and that the seed document's functions are there."""

import ast
import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import exchanges_db

FUNCTIONS = sorted(name for name in exchanges_db.__all__ if inspect.iscoroutinefunction(getattr(exchanges_db, name)))
SEED = {
    "get_exchange_by_enum": ["exchange_enum"],
    "get_exchange_by_id": ["exchange_id"],
    "get_all_active_exchanges": [],
    "get_exchanges_by_market_type": ["market_type"],
    "insert_exchange": ["exchange"],
    "update_exchange": ["exchange_id", "updates"],
    "deactivate_exchange": ["exchange_id"],
    "activate_exchange": ["exchange_id"],
    "get_exchange_stats": [],
    "ensure_exchanges_populated": [],
}
SEED_METHODS = [
    "to_exchange_enum",
    "from_exchange_enum",
    "get_rate_limit_delay",
    "is_futures_exchange",
    "is_spot_exchange",
]


def test_all_is_sorted_and_without_repetition() -> None:
    """A name is found at a glance."""
    assert exchanges_db.__all__ == sorted(set(exchanges_db.__all__))


def test_all_is_what_type_checkers_see_and_what_is_loaded() -> None:
    """The three lists of the door are one: for type checkers, for star imports, and for the import at first use."""
    tree = ast.parse(Path(exchanges_db.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    homes = {alias.name: str(node.module).removeprefix("exchanges_db.") for node in imports for alias in node.names}
    assert set(exchanges_db.__all__) == homes.keys()
    assert homes == exchanges_db._HOME_OF


@pytest.mark.parametrize(
    ("name", "unloaded"),
    [
        ("OrderRules", ("sqlalchemy", "asyncpg", "aiohttp", "rich", "typer")),
        ("DatabaseError", ("msgspec", "sqlalchemy", "asyncpg")),
        ("Database", ("aiohttp", "opentelemetry", "rich", "typer")),
    ],
)
def test_a_name_loads_only_what_it_rests_on(name: str, unloaded: tuple[str, ...]) -> None:
    """A program that only needs order rules does not wait for a driver to load."""
    code = f"import sys; from exchanges_db import {name}; print(sorted(set({unloaded!r}) & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """As in any module: hasattr and getattr with a default work."""
    assert not hasattr(exchanges_db, "no_such_name")
    assert set(exchanges_db.__all__) <= set(dir(exchanges_db))


@pytest.mark.parametrize("name", exchanges_db.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    """A class or function has a docstring of its own; an alias is named in the docstring of its module."""
    value = getattr(exchanges_db, name)
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        aliases = ("DatabaseOrConnection", "FieldValue", "Isolation", "Number", "Rounded", "Seconds")
        assert name in (*aliases, "embedded", "values")
        return
    assert vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__
    for method_name, method in vars(value).items() if inspect.isclass(value) else ():
        if inspect.isfunction(method) and not method_name.startswith("_"):
            assert method.__doc__, method_name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_types_of_every_function_can_be_read_at_run_time(name: str) -> None:
    """What a framework or a notebook asks for: typing.get_type_hints works."""
    hints = typing.get_type_hints(getattr(exchanges_db, name))
    assert "return" in hints


def test_the_alias_of_connections_can_be_used_in_annotations() -> None:
    """A caller may write `DatabaseOrConnection | None` without importing annotations from the future."""
    assert exchanges_db.Database in typing.get_args(exchanges_db.DatabaseOrConnection | None)


@pytest.mark.parametrize("name", SEED)
def test_the_functions_of_the_seed_document_are_there(name: str) -> None:
    """With its parameters, callable by position; what we added is keyword-only and optional."""
    function = getattr(exchanges_db, name)
    assert inspect.iscoroutinefunction(function)
    parameters = list(inspect.signature(function).parameters.values())
    positional = [p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    # What came after is optional: the seed's own calls go on.
    assert positional[: len(SEED[name])] == SEED[name]
    assert all(p.default is not p.empty for p in parameters if p.name not in SEED[name])
    assert all(p.default is None for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)


@pytest.mark.parametrize("name", SEED_METHODS)
def test_the_methods_of_the_seed_document_are_there(name: str) -> None:
    """On Exchange, as the document has them."""
    assert callable(getattr(exchanges_db.Exchange, name))


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if not name.endswith("default_database")])
def test_every_function_takes_a_database(name: str) -> None:
    """So that several can share one transaction."""
    parameter = inspect.signature(getattr(exchanges_db, name)).parameters["db"]
    assert (parameter.kind, parameter.default) == (inspect.Parameter.KEYWORD_ONLY, None)
