"""What the door's signatures and fields are made of goes through the door too, and documents go no other way."""

import ast
import inspect
import re
import sys
import typing
from collections.abc import Iterator
from types import ModuleType
from typing import Any, TypeVar

import pytest

import exchanges_db
from tests.fix_server import ROOT

DOOR = {name: getattr(exchanges_db, name) for name in exchanges_db.__all__}
FUNCTIONS = [value for value in DOOR.values() if inspect.isroutine(value)]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.py")])


def written_names(annotation: object) -> Iterator[str]:
    """Every name that an annotation is written with; once it is evaluated, aliases are gone."""
    text = getattr(annotation, "__forward_arg__", annotation)
    if isinstance(text, str):
        yield from (node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name))
    else:
        yield from (one.__name__ for one in (text, *typing.get_args(text)) if inspect.isclass(one))


def annotations_of(value: Any) -> Iterator[tuple[str, str, object]]:
    """Each annotation of a function, a class, its public methods and its properties: where, of what, and itself."""
    members = vars(value) if inspect.isclass(value) or inspect.ismodule(value) else {}
    for place, member in {"": value, **members}.items():
        if place.startswith("_") and place != "__init__":
            continue
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if place == "" or inspect.isfunction(function):
            for field, annotation in getattr(function, "__annotations__", {}).items():
                if not field.startswith("_"):
                    yield place, field, annotation


def is_ours(name: str, module: ModuleType) -> bool:
    """Whether a name in a module of ours is a class or an alias that this package defines, and not a private one."""
    value = vars(module).get(name)
    if value is None or name.startswith("_") or isinstance(value, TypeVar | ModuleType):
        return False
    if inspect.isclass(value):
        return value.__module__.startswith("exchanges_db")
    return getattr(typing, name, None) is not value


def unexported(values: dict[str, Any]) -> list[str]:
    """Return what `values` mention of ours and do not hold."""
    found = []
    for public, value in values.items():
        module = value if inspect.ismodule(value) else sys.modules.get(getattr(value, "__module__", ""))
        if module is None or not module.__name__.startswith("exchanges_db"):
            continue  # an alias: it has no signature
        for place, field, annotation in annotations_of(value):
            found += [
                f"{public} {place} {field}: {name}"
                for name in written_names(annotation)
                if name not in values and is_ours(name, module)
            ]
    return found


def test_whatever_a_signature_or_a_field_mentions_is_exported() -> None:
    """Otherwise nobody can write a function that takes or gives it without reaching behind the door."""
    assert unexported(DOOR) == []


def test_what_is_not_exported_is_noticed() -> None:
    """A class, an alias and a base of a method's argument: the check can fail."""
    without = {name: value for name, value in DOOR.items() if name not in ("BrakeHit", "Number", "Isolation", "Secret")}
    noticed = "\n".join(unexported(without))
    for mention in ("ImportReport  brakes: BrakeHit", "OrderRules check quantity: Number",
                    "Database transaction isolation: Isolation", "Dsn  password: Secret"):  # fmt: skip
        assert mention in noticed
    assert "ReadSymbol" in "\n".join(unexported({name: value for name, value in DOOR.items() if name != "ReadSymbol"}))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_function_gives_a_list_and_no_tuple(function: Any) -> None:
    """One shape for the same thing: tuples are for the fields of what cannot change."""
    given = typing.get_type_hints(function).get("return")
    assert typing.get_origin(given) is not tuple
    assert all(typing.get_origin(part) is not tuple for part in typing.get_args(given))


def test_methods_give_lists_too() -> None:
    """As functions do."""
    for name, kind in DOOR.items():
        for place, method in vars(kind).items() if inspect.isclass(kind) else ():
            if inspect.isfunction(method) and not place.startswith("_"):
                given = str(method.__annotations__.get("return", ""))
                # What a reader makes of a field is given as the field has it.
                assert name == "Notes" or not given.startswith("tuple"), f"{name}.{place}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents_import_from_the_door_only(document: Any) -> None:
    """What they show must keep working when a module moves."""
    text = document.read_text()
    assert re.findall(r"(?:from|import) exchanges_db\.[\w.]+", text) == []
    for names in re.findall(r"from exchanges_db import (?:\(([^)]*)\)|([^;\n]+))", text):
        for name in re.findall(r"\w+", "".join(names)):
            assert name in exchanges_db.__all__, f"{document.name}: {name}"
