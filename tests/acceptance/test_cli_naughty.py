"""Several hundred strings that have broken programs, as arguments and options of every command, in one interpreter.

Every string is given to the command, and every parameter that is text is given several; the whole product is that of
the functions behind them, which test_naughty_strings.py has.
"""

import asyncio
import re
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import typer

from exchanges_db import Database
from exchanges_db.cli.exit_codes import EXIT_CODES
from exchanges_db.cli.main import app
from exchanges_db.database.dsn import Dsn
from tests.acceptance.command import run
from tests.acceptance.test_cli_output import COMMANDS
from tests.acceptance.test_cli_target import NEEDS
from tests.factories import connected
from tests.fix_server import url_of
from tests.hostile_text import NAUGHTY

# How a parameter is told from the others: by its option, else it is an argument. What names a file is left out, because
# the strings hold names of files that are none of a test's business; so are numbers and yes or no.
TEXTS = [
    (name, parameter)
    for name, command in sorted(COMMANDS.items())
    for parameter in command.params
    if parameter.type.name == "text"
]
# It names a table and belongs to commands that migrate, which another test tries.
TEXTS = [(name, parameter) for name, parameter in TEXTS if "--migrations-table" not in parameter.opts]
# Not 5, 3 and 6: no outcome is unknown, and nothing is out of reach or out of date.
EXPECTED = {0, 1, 2, 4, 7}
MEANT = {"add", "set", "activate", "deactivate", "hold", "release", "symbols hold", "symbols release", "fees set", "fees forget"}
# An argument has many parts; this one is a field and a value.
FORMS = {"set": ["MEXC_SPOT", "display_name={}"]}


@pytest.fixture
def one_database(stocked_dsn: Dsn) -> Iterator[Dsn]:
    """One loop, one Database and one tree of commands for all of them, which take a hundred times as long to make."""
    loop = asyncio.new_event_loop()
    database = Database(stocked_dsn)
    tree = typer.main.get_command(app)

    def shared(work: Any, *, writes: bool = False) -> Any:
        coroutine: Coroutine[Any, Any, Any] = work(database)
        return loop.run_until_complete(coroutine)

    with mock.patch("typer.main.get_command", lambda _: tree):
        yield stocked_dsn
    loop.run_until_complete(database.close())
    loop.close()


def words(name: str, parameter: Any, text: str) -> list[str]:
    """The command line in which a parameter is given a text."""
    needed = list(NEEDS.get(name, []))
    if parameter.param_type_name == "option":
        option = parameter.opts[0]
        if option in needed:
            place = needed.index(option)
            del needed[place : place + 2]
        return [*name.split(), f"{option}={text}", *needed]
    place = [p for p in COMMANDS[name].params if p.param_type_name == "argument"].index(parameter)
    arguments = needed[:]
    arguments[place : place + 1] = [text]
    options = [word for word in arguments if word.startswith("--") and word != text]
    return [*name.split(), *arguments] if options else [*name.split(), "--", *arguments]
