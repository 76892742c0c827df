"""Rules that the code in src/exchanges_db keeps, read from its syntax trees."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import exchanges_db
from tests.fix_server import ROOT

PACKAGE = Path(__file__).resolve().parents[2] / "src/exchanges_db"
MODULES = sorted(PACKAGE.rglob("*.py"))
SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|ALTER|CREATE|DROP)\b")
MAX_LINES = 300
# Where a number is no price and no size, is let in, or is shown and used for nothing else.
FLOAT_IS_RIGHT = {
    PACKAGE / "database/dsn.py",  # a time limit in seconds is read out of an address
    PACKAGE / "orders/floats.py",  # the door through which callers' floats come, and become steps
    PACKAGE / "orders/display.py",
}
# Where a connection is sent a text that does not stand there as a constant: module, function, and why that is right.
TEXT_IS_NO_CONSTANT = {
    # Written by a person or by sqlc, and only handed on.
    "bridge.py: execute": "what sqlc generated",
    "bridge.py: stream": "the same, on a connection of SQLAlchemy's",
    "interrupted.py: note_begun": "db/bookkeeping.sql, a file",
    "session.py: execute": "what any caller of the session sent",
    "ledger.py: record_checksums": "db/bookkeeping.sql, a file",
    "plans.py: indexes_used": "a look-up's own statement, which is what sqlc generated, to be explained",
    "plans.py: ordinary_arguments": "the same, of a look-up whose arguments are asked for",
    "plans.py: tables_read_whole": "the same",
    # The three statements that come into being at run time.
    "interrupted.py: settle": "a user names dbmate's ledger; the server quotes the name with format('%I')",
    "ledger.py: applied_versions": "a user names dbmate's ledger; the server quotes the name with format('%I')",
    "adopt.py: _read_rows": "a user names the tables to move in from; the server quotes the names with format('%I')",
}

Rule = Callable[[ast.Module], list[int]]


def sql_from_strings(tree: ast.Module) -> list[int]:
    """Return the lines that put SQL together: an f-string, +, %, format() or join() with a keyword of SQL in it."""
    expressions = (node for node in ast.walk(tree) if isinstance(node, ast.expr))
    return sorted({node.lineno for node in expressions if any(map(SQL.search, _joined_texts(node)))})


def _joined_texts(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.JoinedStr():
            yield from _texts(node)
        case ast.BinOp(op=ast.Add() | ast.Mod()):
            yield from _texts(node)
        case ast.Call(func=ast.Attribute(attr="format" | "format_map" | "join" | "replace")):
            yield from _texts(node)


def _texts(node: ast.expr) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


SENDING = frozenset(("execute", "executemany", "fetch", "fetchrow", "fetchval", "fetchmany", "prepare", "cursor",
                     "stream", "copy_from_query", "exec_driver_sql"))  # fmt: skip


def sent_at_run_time(tree: ast.Module) -> list[str]:
    """Name the functions that send a connection a text that is neither written there nor a constant of the module."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return sorted({function.name for function in functions if any(map(_sends_made_text, ast.walk(function)))})


def _sends_made_text(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SENDING):
        return False
    match node.args[:1]:
        case [] | [ast.Constant()]:
            return False
        case [ast.Name(id=name)] if name.isupper():
            return False
    return True


def swallowed_errors(tree: ast.Module) -> list[int]:
    """Return the lines that catch everything and do not raise it on."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node) and not _raises(node)
    ]


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(item).rpartition(".")[2] in ("Exception", "BaseException") for item in caught)


def _raises(handler: ast.ExceptHandler) -> bool:
    # The last statement: a raise in a branch before it may never be reached.
    return isinstance(handler.body[-1], ast.Raise)


def float_calls(tree: ast.Module) -> list[int]:
    """Return the lines that call float(): a price or a size is a Decimal."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
    ]


def lost_cancellations(tree: ast.Module) -> list[int]:
    """Return the lines that use wait_for: of Python 3.11 it hides a cancellation that comes as what it waits for ends.

    A task that was told to end goes on then, and whoever waits for its end waits for ever. asyncio.timeout() does not.
    """
    lines = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="asyncio"), attr="wait_for"):
                lines.append(node.lineno)
            case ast.ImportFrom(module="asyncio", names=names) if "wait_for" in (alias.name for alias in names):
                lines.append(node.lineno)
    return lines


def undocumented(tree: ast.Module) -> list[int]:
    """Return line 1 when the module does not say what it answers for."""
    return [] if (ast.get_docstring(tree) or "").strip() else [1]


def generated_reexports(tree: ast.Module) -> list[int]:
    """Return the lines that import from the generated package."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "exchanges_sql")
        or (isinstance(node, ast.Import) and any(name.name.split(".")[0] == "exchanges_sql" for name in node.names))
    ]


RULES: tuple[Rule, ...] = (sql_from_strings, swallowed_errors, lost_cancellations, float_calls, undocumented)


def too_long(source: str) -> bool:
    """Say whether a module has outgrown its room."""
    return len(source.splitlines()) > MAX_LINES


def from_generated_code(names: dict[str, object]) -> list[str]:
    """Return the public names that generated code defines."""
    return [name for name, value in names.items() if getattr(value, "__module__", "").startswith("exchanges_sql")]


# Where a rule cannot hold, with the reason in the module. What another package raises while its reader is loaded may be
# anything: it is logged and listed, and stops no other reader. So may a hook of a user's: it is logged.
# `exchanges-db roles` prints SQL for a person to run; TEXT_IS_NO_CONSTANT shows that the module sends none.
EXCEPTIONS: dict[Rule, frozenset[Path]] = {
    float_calls: frozenset(FLOAT_IS_RIGHT),
    sql_from_strings: frozenset({PACKAGE / "schema/elsewhere.py", PACKAGE / "schema/roles.py"}),
    swallowed_errors: frozenset({PACKAGE / "registry/hooks.py", PACKAGE / "symbols/payloads/readers.py"}),
}


def public_names() -> dict[str, object]:
    """Return what `exchanges_db` offers, by name; a name that does not resolve raises AttributeError."""
    return {name: getattr(exchanges_db, name) for name in exchanges_db.__all__}


@pytest.mark.parametrize(
    ("path", "rule"),
    [(path, rule) for path in MODULES for rule in RULES if path not in EXCEPTIONS.get(rule, ())],
    ids=lambda value: value.stem if isinstance(value, Path) else value.__name__,
)
def test_the_package_keeps_the_rules(path: Path, rule: Rule) -> None:
    """No module of the package has a line that a rule names."""
    assert not rule(ast.parse(path.read_text())), f"lines of {path.name}"


def test_only_named_places_send_sql_that_is_no_constant() -> None:
    """Both ways: a new place fails until it is named with its reason, and a name without its place fails as well."""
    found = {f"{path.name}: {name}" for path in MODULES for name in sent_at_run_time(ast.parse(path.read_text()))}
    # downloader.fetch(url) asks an exchange, and folders.prepare() a file system: neither is a database.
    assert found - {"sync_source.py: ask", "embedded.py: _start"} == TEXT_IS_NO_CONSTANT.keys()


def test_three_queries_alone_give_sql_to_be_sent() -> None:
    """format() makes a statement in db/queries three times, with every name in it quoted by %I."""
    queries = "".join(path.read_text() for path in sorted((PACKAGE.parents[1] / "db/queries").glob("*.sql")))
    assert re.findall(r"\bformat\('([^']*)'", queries) == [
        "SELECT to_jsonb(t)::text AS row_text FROM %I.%I AS t",
        "SELECT version::text FROM %I",
        "INSERT INTO %I (version) VALUES ($1) ON CONFLICT DO NOTHING",
    ]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("async def f(c, q):\n    await c.fetch(q)", ["f"]),
        ("def f(c):\n    def g():\n        c.execute(made(1), 2)", ["f", "g"]),
        ("def f(c):\n    c.fetchval(f'SELECT {1}')", ["f"]),
        ("def f(c):\n    c.execute('SELECT 1')\n    c.fetch(_RESET)\n    c.close(q)\n    c.cursor()", []),
    ],
)
def test_sql_that_is_no_constant_is_noticed(source: str, names: list[str]) -> None:
    """A text of its own and a constant pass; a variable, a call and an f-string do not."""
    assert sent_at_run_time(ast.parse(source)) == names


@pytest.mark.parametrize(
    ("rule", "path"),
    [(rule, path) for rule, paths in EXCEPTIONS.items() for path in sorted(paths)],
    ids=lambda value: value.stem if isinstance(value, Path) else value.__name__,
)
def test_the_exception_is_still_needed(rule: Rule, path: Path) -> None:
    """A module that no longer breaks the rule keeps it like the others."""
    assert rule(ast.parse(path.read_text()))


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path != PACKAGE / "__init__.py"], ids=lambda path: path.name
)
def test_modules_are_small(path: Path) -> None:
    """A module has at most 300 lines, but for the door, which is three lists of every public name."""
    assert not too_long(path.read_text())


def test_the_map_names_every_module() -> None:
    """docs/architecture.md tells what each is for; those of the command and of single lists stand there as groups."""
    document = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = document.partition("| module |")[2].partition("\n\n")[0]
    grouped = ("mexc_", "gateio_")
    modules = {
        path.stem
        for path in (ROOT / "src/exchanges_db").rglob("*.py")
        if path.parent.name != "cli" and not path.stem.startswith(("_", *grouped))
    }
    assert {module for module in modules if not re.search(rf"\b{module}`", table)} == set()
    assert all(f"`payloads/{group}*`" in table or f"`{group}*`" in table for group in grouped)


def test_generated_code_stays_inside() -> None:
    """Nothing that sqlc wrote goes out through the package's door."""
    assert not from_generated_code(public_names())
    assert not generated_reexports(ast.parse((PACKAGE / "__init__.py").read_text()))


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (sql_from_strings, "sql = f'SELECT {column} FROM public.exchanges'"),
        (sql_from_strings, "sql = 'DELETE FROM ' + table"),
        (sql_from_strings, "sql = start + ' x ' + 'UPDATE ' + table"),
        (sql_from_strings, "sql = 'UPDATE %s' % table"),
        (sql_from_strings, "sql = 'DROP TABLE {}'.format(table)"),
        (sql_from_strings, "sql = ' '.join(['INSERT INTO', table])"),
        (swallowed_errors, "try:\n    pass\nexcept:\n    pass"),
        (swallowed_errors, "try:\n    pass\nexcept Exception as exc:\n    print(exc)"),
        (swallowed_errors, "try:\n    pass\nexcept (OSError, BaseException):\n    pass"),
        (swallowed_errors, "try:\n    pass\nexcept Exception:\n    if True:\n        raise\n    pass"),
        (lost_cancellations, "async def f(e):\n    await asyncio.wait_for(e.wait(), 1)"),
        (lost_cancellations, "from asyncio import sleep, wait_for"),
        (float_calls, "price = float('0.1')"),
        (undocumented, "import os"),
        (undocumented, '"""  """'),
        (generated_reexports, "from exchanges_sql.models import Exchange"),
        (generated_reexports, "import exchanges_sql.models"),
    ],
)
def test_a_rule_can_fail(rule: Rule, source: str) -> None:
    """Each rule names a line of a bad sample."""
    assert rule(ast.parse(source))


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (sql_from_strings, "error = f'cannot update {name}'\ntext = 'UPDATE 1'"),
        (swallowed_errors, "try:\n    pass\nexcept BaseException:\n    close()\n    raise"),
        (swallowed_errors, "try:\n    pass\nexcept OSError:\n    pass"),
        (lost_cancellations, "async def f(e):\n    async with asyncio.timeout(1):\n        await e.wait()"),
        (float_calls, "def wait(seconds: float) -> None: ..."),
        (undocumented, '"""What this answers for."""'),
        (generated_reexports, "from exchanges_db.exchanges.models import Exchange"),
    ],
)
def test_good_code_passes(rule: Rule, source: str) -> None:
    """No rule takes ordinary code for an offence."""
    assert not rule(ast.parse(source))


def test_the_checks_of_names_and_length_can_fail() -> None:
    """A long module and a class of the generated package are noticed."""
    generated = type("Exchange", (), {"__module__": "exchanges_sql.models"})
    assert too_long("\n" * (MAX_LINES + 1))
    assert from_generated_code({"Exchange": generated}) == ["Exchange"]
