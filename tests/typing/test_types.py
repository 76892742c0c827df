"""The types that users see: checked by mypy --strict on a file of typical use."""

import ast
import inspect
import subprocess
import sys

import exchanges_db
from tests.fix_server import ROOT


def test_the_public_functions_give_the_promised_types() -> None:
    """Every assert_type holds, and every misuse marked there is an error to mypy."""
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", "tests/typing/usage.py"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (0, "Success: no issues found in 1 source file\n")


def test_every_public_name_is_used_there() -> None:
    """And every function called: a name that is added to the door fails here until it is typed in use."""
    tree = ast.parse((ROOT / "tests/typing/usage.py").read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "exchanges_db"]
    assert sorted(alias.name for node in imports for alias in node.names) == exchanges_db.__all__
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert set(exchanges_db.__all__) <= used
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    functions = {name for name in exchanges_db.__all__ if inspect.isroutine(getattr(exchanges_db, name))}
    assert functions <= called
