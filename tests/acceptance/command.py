"""Run the installed command as a user does."""

import os
import subprocess
import sysconfig
from pathlib import Path

PROGRAM = str(Path(sysconfig.get_path("scripts")) / "exchanges-db")


def run(*arguments: str, url: str | None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Return what `exchanges-db ARGUMENTS` printed and how it ended; a Python warning is an error."""
    variables = {**os.environ, "PYTHONWARNINGS": "error", "COLUMNS": "100", **environment}
    variables.pop("DATABASE_URL", None)
    if url is not None:
        variables["DATABASE_URL"] = url
    return subprocess.run(
        [PROGRAM, *arguments],
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def ok(*arguments: str, url: str | None) -> str:
    """Return the answer of a command that must succeed."""
    result = run(*arguments, url=url)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout
