"""The command lines in the documents, and those that `make demo` runs, are ones that the command takes."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from exchanges_db.cli.main import app
from tests.fix_server import ROOT

FILES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "examples/demo.sh"})
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINE = re.compile(r"(?:^|^run |&& )exchanges-db ([^&>|#\n]*)", re.MULTILINE)
COMMAND = typer.main.get_command(app)


def lines_of(file: Path) -> list[str]:
    """Return the arguments of each `exchanges-db` in a script, or in a document's blocks of shell."""
    text = file.read_text(encoding="utf-8")
    blocks = [text] if file.suffix == ".sh" else BLOCK.findall(text)
    return [line for block in blocks for line in LINE.findall(block)]


def parse(line: str) -> None:
    """Have the command read its arguments, and run nothing; raises click's UsageError."""
    command, arguments, parent = COMMAND, shlex.split(line), None
    while hasattr(command, "commands"):
        if arguments[0].startswith("-"):
            command.make_context("exchanges-db", arguments, parent=parent)
            return
        command = command.commands[arguments.pop(0)]
    command.make_context(command.name, arguments, parent=parent)


@pytest.mark.parametrize("file", [file for file in FILES if lines_of(file)], ids=lambda file: file.name)
def test_every_command_line_is_one_that_the_command_takes(file: Path) -> None:
    """An option that has gone would stop whoever follows the document, and the demo in its middle."""
    for line in lines_of(file):
        parse(line)


def test_a_line_with_an_option_that_is_not_there_is_found() -> None:
    """The check above can fail, and looks at the documents that matter."""
    assert {file.name for file in FILES if lines_of(file)} >= {"README.md", "symbols.md", "demo.sh"}
    with pytest.raises(Exception, match="No such option: --settle"):
        parse("import GATEIO_FUTURES contracts.json --settle usdt")
