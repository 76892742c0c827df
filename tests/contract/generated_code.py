"""Guard 1: holds the committed Python in src/generated against what sqlc says about the SQL, without the plugin.

The Python is parsed, never imported. Every statement, every comment and every letter of a query's text counts;
only blank lines and line breaks do not.
"""

import ast
import difflib
import io
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from tests.contract.generated_description import Description, Options, describe_project
from tests.contract.generated_expectation import Module, expected_modules

BY_HAND = frozenset({"__init__.py", "py.typed"})


class _Part(NamedTuple):
    """A piece of a module: its name, what decides whether it is the same, and how to show it."""

    label: str
    identity: str
    shown: str


def problems_of_project(root: Path) -> list[str]:
    """Return what is wrong with the generated code of the project at `root`."""
    project, description = describe_project(root)
    return problems(description, project.options, root / project.out)


def problems(description: Description, options: Options, folder: Path) -> list[str]:
    """Return how the generated code in `folder` differs from what `description` asks for; nothing when it is right."""
    expected = expected_modules(description, options)
    found = {path.name for path in folder.iterdir() if path.name != "__pycache__"}
    return [
        *(f"{name}: missing" for name in sorted((expected.keys() | BY_HAND) - found)),
        *(f"{name}: left over, nothing in the SQL asks for it" for name in sorted(found - expected.keys() - BY_HAND)),
        *(
            f"{name}: {problem}"
            for name in sorted(expected.keys() & found)
            for problem in _module_problems(expected[name], (folder / name).read_bytes().decode())
        ),
    ]


def _module_problems(expected: Module, source: str) -> Iterator[str]:
    try:
        found = _parts(source)
    except SyntaxError as error:
        yield f"is no Python: {error}"
        return
    wanted = [part for statement in expected.statements for part in _parts(statement)]
    yield from _sequence_problems([part.label for part in wanted], _settled([part.label for part in found]))
    by_label = {part.label: part for part in found}
    for part in wanted:
        other = by_label.get(part.label, part)
        if other.identity != part.identity:
            yield f"{part.label} differs\n{_difference(part, other)}"
    yield from _comment_problems(expected.comments, _comments(source))


def _settled(labels: list[str]) -> list[str]:
    """Return the labels in comparable order: the plugin puts `import uuid` before or after typing, as chance has it."""
    if "import uuid" in labels:
        labels.remove("import uuid")
        plain = [label for label in labels if label.startswith("import ") and "sqlalchemy" not in label]
        labels.insert(len(plain), "import uuid")
    return labels


def _sequence_problems(expected: list[str], found: list[str]) -> Iterator[str]:
    missing, left_over = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    yield from (f"{label} is missing" for label in missing.elements())
    yield from (f"{label} is left over, nothing in the SQL asks for it" for label in left_over.elements())
    if not missing and not left_over and expected != found:
        yield f"order differs\n{_diff(expected, found)}"


def _comment_problems(expected: list[tuple[str, str]], found: list[tuple[str, str]]) -> Iterator[str]:
    if expected != found:
        lines = ([f"at {place}: {text}" for place, text in comments] for comments in (expected, found))
        yield f"comments differ\n{_diff(*lines)}"


def _difference(expected: _Part, found: _Part) -> str:
    if expected.shown == found.shown:
        return _diff([expected.identity], [found.identity])
    return _diff(expected.shown.splitlines(), found.shown.splitlines())


def _diff(expected: Sequence[str], found: Sequence[str]) -> str:
    lines = difflib.unified_diff(expected, found, "expected", "found", lineterm="")
    return "\n".join(f"    {line}" for line in lines if not line.startswith("@@"))


@lru_cache(maxsize=1024)
def _parts(source: str) -> tuple[_Part, ...]:
    return tuple(_parsed(source))


def _parsed(source: str) -> Iterator[_Part]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # about backslashes in SQL: a matter of test_bridge_contract
        warnings.simplefilter("ignore", DeprecationWarning)  # the same, before Python 3.12
        tree = ast.parse(source)
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str())):
                # To the letter: an escape that reads the same is still not what the plugin prints.
                text = ast.get_source_segment(source, node) or ""
                yield _Part(name, text, text)
            case ast.ClassDef():
                yield from _class_parts(node)
            case ast.Import() | ast.ImportFrom():
                yield _part(ast.unparse(node), node)
            case _:
                yield _part(f"statement {ast.unparse(node).splitlines()[0]!r}", node)


def _class_parts(node: ast.ClassDef) -> Iterator[_Part]:
    methods = [item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
    yield from (_part(f"{node.name}.{method.name}", method) for method in methods)
    node.body = [item for item in node.body if item not in methods]
    yield _part(f"class {node.name}", node)


def _part(label: str, node: ast.stmt) -> _Part:
    return _Part(label, ast.dump(node), ast.unparse(node))


def _comments(source: str) -> list[tuple[str, str]]:
    """Return every comment with its place: the field below it, or its line."""
    fields = dict(_field_lines(ast.parse(source)))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = (token for token in tokens if token.type == tokenize.COMMENT)
    return [(_place(token, fields), token.string) for token in comments]


def _field_lines(tree: ast.Module) -> Iterable[tuple[int, str]]:
    for node in tree.body:
        for item in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(item, ast.AnnAssign):
                yield item.lineno, f"{getattr(node, 'name', '')}.{ast.unparse(item.target)}"


def _place(token: tokenize.TokenInfo, fields: dict[int, str]) -> str:
    line, column = token.start
    alone = token.line[:column].isspace()
    return fields.get(line + 1, f"line {line}") if alone else f"line {line}"
