"""The types that users see: checked by mypy --strict on a file of typical use."""

import subprocess
import sys

from tests.fix_server import ROOT


def test_the_public_functions_give_the_promised_types() -> None:
    """Every assert_type holds, and every misuse marked there is an error to mypy."""
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", "tests/typing/usage.py"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (0, "Success: no issues found in 1 source file\n")
