"""Several hundred strings that have broken programs, as arguments and options of every command, in one interpreter.

Every parameter that is text is given its share of them, another one than its neighbours. The functions behind the
commands are given more of them in test_naughty_strings.py.
"""

import asyncio
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import asyncpg
import pytest
import typer

from exchanges_db import Database
from exchanges_db.cli.main import app
from exchanges_db.database.dsn import Dsn
from tests.acceptance.command import run
from tests.acceptance.test_cli_output import COMMANDS
from tests.acceptance.test_cli_target import NEEDS
from tests.fix_server import url_of
from tests.hostile_text import NAUGHTY
from tests.payload_rows import SPOT, many, payload

SHARE = 64
# Parameters that are text. What names a file is left out, because the strings have names of files that are none of a
# test's business. So is the ledger of the three commands that would do something with it to the database of all tests.
TEXTS = [
    (name, parameter)
    for name, command in sorted(COMMANDS.items())
    for parameter in command.params
    if parameter.bare_type() in ("str", "list[str]")
    and not (name in ("migrate", "rollback", "validate") and "--migrations-table" in parameter.opts)
]
NEEDED = {**NEEDS, "sync": ["MEXC_SPOT"]}
# The answer is no, wrong usage or value, refused by a rule of the database, a list or tables that cannot be had. Not 3,
# 5 and 6: nothing is out of reach or out of date, and no outcome is unknown.
EXPECTED = {0, 1, 2, 4, 7}
# What commands with such a text may have changed by the end: exchanges that were added, holds, fees.
MEANT = {"exchanges", "exchange_history", "holds", "hold_history", "account_fees", "registry_changes"}


class _Shared:
    """In the place of a Database: the one of all commands, which nobody closes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __aenter__(self) -> Database:
        return self._database

    async def __aexit__(self, *_: object) -> None:
        pass


@pytest.fixture
def url(stocked_dsn: Dsn) -> Iterator[str]:
    """A database, with one event loop, one pool and one tree of commands for all of them: a tenth of the time."""
    loop = asyncio.new_event_loop()
    database = Database(stocked_dsn)
    tree = typer.main.get_command(app)
    with (
        mock.patch("typer.main.get_command", return_value=tree),
        mock.patch("exchanges_db.cli.session.Database", return_value=_Shared(database)),
        mock.patch("exchanges_db.cli.session.asyncio", types.SimpleNamespace(run=loop.run_until_complete)),
    ):
        yield url_of(stocked_dsn)
    loop.run_until_complete(database.close())
    loop.close()


def words(name: str, parameter: Any, text: str, file: str) -> list[str]:
    """The command line in which a parameter is given a text, and the others what they need."""
    needed = [word.format(file=file) for word in NEEDED.get(name, [])]
    options = [parameter.opts[0] for parameter in COMMANDS[name].params if parameter.param_type_name == "option"]
    flags = {"--native", "--yes"}
    positional, chosen = [], []
    while needed:
        word = needed.pop(0)
        if word not in options:
            positional.append(word)
        elif word != parameter.opts[0]:
            chosen += [word] if word in flags else [f"{word}={needed.pop(0)}"]
        elif word not in flags:
            needed.pop(0)
    if parameter.param_type_name == "option":
        chosen.append(f"{parameter.opts[0]}={text}")
    else:
        arguments = [one for one in COMMANDS[name].params if one.param_type_name == "argument"]
        place = arguments.index(parameter)
        positional[place : place + 1] = [text]
    return [*name.split(), *chosen, "--", *positional]


async def state(dsn: str) -> dict[str, list[str]]:
    """The rows of every table but those that are meant, a canary among them."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS canary AS SELECT 1 AS id")
        tables = await connection.fetch(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )
        return {
            table: [row[0] for row in await connection.fetch(f"SELECT t::text FROM {table} AS t ORDER BY 1")]
            for (table,) in tables
            if table not in MEANT
        }
    finally:
        await connection.close()


@pytest.mark.untraced
def test_every_text_is_answered_or_refused(url: str, tmp_path: Path) -> None:
    """By a documented code, without a traceback or what steers a terminal; other tables stay as they are."""
    file = tmp_path / "spot.json"
    file.write_bytes(payload(SPOT, many(SPOT, 3)))
    before = asyncio.run(state(url))
    used, codes = set(), set()
    for number, (name, parameter) in enumerate(TEXTS):
        for text in NAUGHTY[number % SHARE :: SHARE]:
            line = words(name, parameter, text, str(file))
            result = run(*line, url=url, folder=tmp_path)
            assert result.returncode in EXPECTED, (line, result.stderr)
            assert "Traceback" not in result.stderr, line
            assert not {"\x1b", "\x07", "\x08", "\u202e"} & set(result.stdout + result.stderr), line
            used.add(text)
            codes.add(result.returncode)
    assert asyncio.run(state(url)) == before
    assert used == set(NAUGHTY)
    assert codes >= {0, 1, 2}
    assert len(TEXTS) >= 60
