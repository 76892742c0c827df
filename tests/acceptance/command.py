"""Run the command as a user does: in this process, which is quick, or as the installed program."""

import contextlib
import io
import os
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import typer

from exchanges_db.cli.main import app
from exchanges_db.cli.main import run as run_command_line

PROGRAM = str(Path(sysconfig.get_path("scripts")) / "exchanges-db")
Result = subprocess.CompletedProcess[str]
# Made once per process, as in the program; to make it takes longer than most commands.
_TREE = typer.main.get_command(app)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def run(
    *arguments: str,
    url: str | None,
    stdout: Callable[[], io.StringIO] = io.StringIO,
    folder: Path | None = None,
    **environment: str,
) -> Result:
    """Return what `exchanges-db ARGUMENTS` printed and how it ended; it runs in this process, on DATABASE_URL `url`."""
    with (
        _environment(url, environment),
        contextlib.chdir(folder or tempfile.gettempdir()),
        mock.patch("typer.main.get_command", return_value=_TREE),
    ):
        out, err = stdout(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), mock.patch("sys.stdin", io.StringIO()):
            code = run_command_line(arguments)
    return Result([*arguments], code, out.getvalue(), err.getvalue())


def run_program(*arguments: str, url: str | None, **environment: str) -> Result:
    """Return the same of the installed program, in a process of its own; a Python warning is an error there."""
    with _environment(url, {"PYTHONWARNINGS": "error", **environment}):
        # Coverage would take a third of the time, and sees all commands in this process.
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
        return subprocess.run(
            [PROGRAM, *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
            cwd=tempfile.gettempdir(),
        )  # fmt: skip


def ok(*arguments: str, url: str | None, **given: Any) -> str:
    """Return the answer of a command that must succeed."""
    result = run(*arguments, url=url, **given)
    assert result.returncode == 0, result.stderr
    return result.stdout


@contextlib.contextmanager
def _environment(url: str | None, given: dict[str, str]) -> Iterator[None]:
    with mock.patch.dict(os.environ, {"COLUMNS": "100", **given}):
        os.environ.pop("DATABASE_URL", None)
        if url is not None:
            os.environ["DATABASE_URL"] = url
        yield
