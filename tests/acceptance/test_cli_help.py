"""What the command says about itself: help, usage, completion, and advice that works when it is followed."""

import ast
import re
import shlex
import socket
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from exchanges_db import ExchangeEnum, InvalidArgument
from exchanges_db.cli.main import app
from exchanges_db.cli.session import parse_time
from exchanges_db.database.dsn import Dsn
from tests.acceptance.command import ok, run, run_program
from tests.acceptance.test_cli_output import COMMANDS
from tests.fix_server import ROOT, url_of
from tests.payload_rows import SPOT, many, payload


@pytest.mark.parametrize("words", ["", "symbols", *COMMANDS])
def test_help_is_there_in_both_spellings(words: str) -> None:
    """For the whole, for a group, for every command; a usage line that reads as manuals do, and an example."""
    text = ok(*words.split(), "-h", url=None)
    assert text == ok(*words.split(), "--help", url=None)
    usage = text.splitlines()[0]
    assert usage.startswith(f"Usage: exchanges-db {words}".rstrip() + " [OPTIONS]")
    assert not re.search(r"\[\[|[{}]|\.{4}", usage), usage
    if words in COMMANDS:
        assert "Example: exchanges-db " + words in text
    else:
        assert "..." not in re.sub(r"\[ARGS\]\.\.\.", "", text)  # no sentence is cut


def test_usage_lines_are_these() -> None:
    """What must be given, what may be, and what may be given several times."""
    usages = {words: ok(*words.split(), "-h", url=None).splitlines()[0] for words in ("set", "sync", "symbols list")}
    assert usages == {
        "set": "Usage: exchanges-db set [OPTIONS] EXCHANGE FIELD=VALUE...",
        "sync": "Usage: exchanges-db sync [OPTIONS] [EXCHANGE...]",
        "symbols list": "Usage: exchanges-db symbols list [OPTIONS] [EXCHANGE]",
    }


def test_the_whole_help_has_the_exit_codes() -> None:
    """Also without any word; with a wrong one, the error says where help is."""
    assert "Exit codes: 0 done" in ok("--help", url=None)
    assert ok(url=None) == ok("--help", url=None)
    for words, advice in ((["nonsense"], "exchanges-db --help"), (["set", "X"], "exchanges-db set --help")):
        result = run(*words, url=None)
        assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
        assert f"(see `{advice}`)" in result.stderr
        assert ok(*shlex.split(advice)[1:], url=None)


def parse(line: str) -> None:
    """Have typer read a command line to its last word, without running it."""
    group: Any = typer.main.get_command(app)
    context = group.make_context("exchanges-db", shlex.split(line)[1:])
    while hasattr(group, "commands"):
        words = [*context._protected_args, *context.args]
        name, group, rest = group.resolve_command(context, words)
        context = group.make_context(name, rest, parent=context)


def advised() -> list[str]:
    """Every command line that a text of the package tells a reader to run; what is put in there is a made-up value."""
    found: set[str] = set()
    for path in (ROOT / "src/exchanges_db").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [str(p.value) if isinstance(p, ast.Constant) else "VALUE" for p in node.values]
                text = "".join(parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            else:
                continue
            found |= set(re.findall(r"`(exchanges-db [^`]+)`", text))
            found |= set(re.findall(r"(exchanges-db set [^`]*=\S+)", text))
    examples = [str(command.epilog).removeprefix("Example: ") for command in COMMANDS.values()]
    found |= {part.strip() for example in examples for part in re.split(r"&&|\|\|", example.partition(">")[0])}
    return sorted(line for line in found if "VALUE --help" not in line)


@pytest.mark.parametrize("line", advised())
def test_a_command_that_a_text_tells_to_run_is_one(line: str) -> None:
    """Its name, its options and how many arguments it takes."""
    parse(line)


@pytest.mark.parametrize(
    "text", ["2026-11-25", "2026-11-25 10:00", "2026-11-25T10:00:00.5", "20261125T10", "2026-W48-3"]
)
def test_a_time_without_a_zone_gets_advice_that_is_accepted(text: str) -> None:
    """What the error says to write is what was meant, in UTC."""
    with pytest.raises(InvalidArgument, match="has no time zone") as info:
        parse_time(text)
    advice = re.search(r"write (\S+) for UTC", str(info.value))
    assert advice is not None
    assert parse_time(advice[1]).replace(tzinfo=None) == datetime.fromisoformat(text)
    with pytest.raises(InvalidArgument) as other:
        parse_time("yesterday")
    example = re.search(r"such as (\S+)", str(other.value))
    assert example is not None
    assert parse_time(example[1])


def test_the_flag_that_a_refusal_names_is_taken(dsn: Dsn, tmp_path: Path) -> None:
    """The flag that allows a brake, as it stands in the error."""
    file = tmp_path / "spot.json"
    for count in (20, 10):
        file.write_bytes(payload(SPOT, many(SPOT, count)))
        result = run("import", SPOT, str(file), url=url_of(dsn))
    assert result.returncode == 7
    flag = re.search(r"error: .*\((--allow left=sha256:\w+)\)", result.stderr)
    assert flag is not None
    ok("import", SPOT, str(file), *flag[1].split(), url=url_of(dsn))


def test_the_symbol_that_is_not_there_can_be_searched_for(dsn: Dsn) -> None:
    """The advice holds for a name with blanks and quotes too."""
    result = run("symbols", "show", SPOT, "it's a", url=url_of(dsn))
    advice = re.search(r"see `exchanges-db (.*)`", result.stderr)
    assert (result.returncode, advice is not None) == (1, True)
    assert advice is not None
    ok(*shlex.split(advice[1]), url=url_of(dsn))


def completed(words: str, url: str | None) -> list[str]:
    """What a shell offers for the last of these words."""
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    return run_program(url=url, _EXCHANGES_DB_COMPLETE="complete_bash", **asked).stdout.split()


def test_a_shell_completes_commands_and_can_be_taught_to() -> None:
    """What --install-completion puts into a shell; the option itself looks at the process above."""
    assert "complete" in run_program(url=None, _EXCHANGES_DB_COMPLETE="source_bash").stdout
    assert completed("exchanges-db dea", None) == ["deactivate"]
    assert "--show-completion" in ok("--help", url=None)
    assert ok("--version", url=None).startswith("exchanges-db ")


def test_a_shell_completes_the_exchanges_of_the_database(dsn: Dsn) -> None:
    """Also those that no ExchangeEnum knows, for one argument and for several."""
    ok("add", "KRAKEN_SPOT", "--market-type", "spot", "--inactive", url=url_of(dsn))
    assert completed("exchanges-db show KRA", url_of(dsn)) == ["KRAKEN_SPOT"]
    assert completed("exchanges-db symbols common MEXC_SPOT GATEIO_F", url_of(dsn)) == ["GATEIO_FUTURES"]
    assert len(completed("exchanges-db sync ", url_of(dsn))) == 4


def test_a_shell_completes_what_is_known_when_the_database_does_not_answer() -> None:
    """Without one, with a wrong one, and with one that takes the connection and is silent."""
    known = sorted(member.value for member in ExchangeEnum)
    with socket.create_server(("127.0.0.1", 0)) as server:
        silent = f"postgresql://u@127.0.0.1:{server.getsockname()[1]}/d?sslmode=disable"
        for url in (None, "", "nonsense", "embedded:", silent):
            assert sorted(completed("exchanges-db show ", url)) == known


@pytest.mark.parametrize(
    "name", [name for name, c in COMMANDS.items() if any(p.metavar == "EXCHANGE" for p in c.params)]
)
def test_every_argument_that_is_an_exchange_completes(name: str) -> None:
    """None is forgotten when a command is added."""
    for parameter in COMMANDS[name].params:
        if parameter.metavar == "EXCHANGE":
            assert parameter._custom_shell_complete is not None


def test_a_driver_in_the_url_is_to_be_dropped(dsn: Dsn) -> None:
    """A URL of SQLAlchemy's; following the advice helps."""
    url = url_of(dsn)
    result = run("list", url=url.replace("postgresql://", "postgresql+asyncpg://"))
    assert (result.returncode, "drop +asyncpg" in result.stderr) == (2, True)
    assert ok("list", url=url)
