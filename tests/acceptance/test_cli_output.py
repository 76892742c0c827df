"""What the commands print: the same values on a terminal, into a pipe and as JSON, wherever stdout leads."""

import asyncio
import io
import json
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer

from exchanges_db import Exchange, Symbol
from exchanges_db.cli.main import app
from exchanges_db.database.dsn import Dsn, parse_dsn
from tests.acceptance.command import PROGRAM, Terminal, ok, run, run_program
from tests.fix_server import url_of
from tests.payload_rows import FUTURES, MEXC, SPOT, futures, many, payload, spot
from tests.symbol_rows import insert


@pytest.fixture
def url(dsn: Dsn) -> str:
    """DATABASE_URL of a migrated database of one's own."""
    return url_of(dsn)


async def _write_odd_rows(dsn: Dsn) -> None:
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    try:
        odd: dict[str, Any] = {
            "exchange_id": 2,
            "symbol": "永续/USDT",
            "base": "永续",
            "price_tick": "0.0000000001",
            "min_notional": "3.10",
        }
        await insert(connection, native_symbol="永续_USDT", **odd)
        await insert(connection, native_symbol="B\\USDT", symbol="B/USDT", base="B", max_quantity="10000000")
        await connection.execute("UPDATE exchanges SET display_name = 'a\u202eb \u6c38' WHERE id = 2")
        await connection.execute("UPDATE symbols SET status = 'HALTED', min_quantity = 0.0000001 WHERE base = 'B'")
        await connection.execute("UPDATE symbols SET status = 'TRADING' WHERE base = 'B'")
    finally:
        await connection.close()


@pytest.fixture
def loaded(url: str, dsn: Dsn, tmp_path: Path) -> str:
    """A database with symbols whose names and numbers are hard to show."""
    # First of all: what is written below stays.
    ok("prune", "--before", datetime.now(UTC).isoformat(), "--yes", url=url)
    asyncio.run(_write_odd_rows(dsn))
    file = tmp_path / "futures.json"
    file.write_bytes(payload(FUTURES, [futures(), futures("B")]))
    ok("import", FUTURES, str(file), "--list", "PERPETUAL:USDT", url=url)
    ok("symbols", "hold", "MEXC_SPOT", "B/USDT", "--sides", "buy", "--reason", "a\u202eb \u6c38", url=url)
    ok("fees", "set", "MEXC_SPOT", "--maker", "0.0000000001", "--taker", "-0.0000000001", url=url)
    return url


def commands(group: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """Every command there is, by the words it is called with."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands(typer.main.get_command(app)))
LISTS = sorted(name for name, command in COMMANDS.items() if any("--header" in p.opts for p in command.params))
ARGUMENTS = {
    "history": ["GATEIO_SPOT"],
    "populate": [],
    "validate": ["--lookups", "100"],
    "symbols history": ["MEXC_SPOT", "B/USDT"],
    "symbols diff": [FUTURES, "--since", "2001-01-01T00:00:00Z"],
    "symbols search": ["usdt"],
    "symbols common": ["MEXC_SPOT", FUTURES],
    "fees history": ["MEXC_SPOT"],
}


def items_of(name: str, document: Any) -> list[Any]:
    """The things that a document of JSON lists."""
    if name in ("validate", "status"):
        document = document["checks" if name == "validate" else "migrations"]
    return list(document.items()) if isinstance(document, dict) else document


@pytest.mark.parametrize("name", LISTS)
def test_a_pipe_gets_one_line_per_item(loaded: str, name: str) -> None:
    """Cells with a tab in between, no heading unless asked for, nothing folded; a new list is tried as it is added."""
    if name == "populate":
        asyncio.run(_forget_exchange(loaded))
    arguments = [*name.split(), *ARGUMENTS.get(name, [])]
    plain = run(*arguments, url=loaded)
    if name == "populate":
        asyncio.run(_forget_exchange(loaded))
    as_json = run(*arguments, "--json", url=loaded)
    lines = plain.stdout.split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(items_of(name, json.loads(as_json.stdout))) > 0
    assert len({line.count("\t") for line in lines}) == 1
    assert all(line.replace("\t", "").isprintable() for line in lines)
    assert as_json.stdout.isascii()
    without_hashes = re.sub(r"sha256|\b[0-9a-f]{64}\b", "", plain.stdout + as_json.stdout)
    assert not re.search(r"\d[eE][+-]?\d", without_hashes)
    if name != "populate":
        with_header = run(*arguments, "--header", url=loaded).stdout.split("\n")
        assert len(with_header) == len(lines) + 2
        assert with_header[0].count("\t") == lines[0].count("\t")


async def _forget_exchange(url: str) -> None:
    connection = await asyncpg.connect(**parse_dsn(url).asyncpg_arguments())
    await connection.execute("DELETE FROM symbols WHERE exchange_id = 1")
    await connection.execute("DELETE FROM exchanges WHERE id = 1 OR enum_value = 'MEXC_SPOT'")
    await connection.close()


def test_every_field_is_in_the_pipe(loaded: str) -> None:
    """A program needs no --json for the fields that a terminal has no room for."""
    for command, kind in ((["list"], Exchange), (["symbols", "list"], Symbol)):
        header, *rows = (line.split("\t") for line in ok(*command, "--header", url=loaded).splitlines())
        assert len(header) == len(kind.__struct_fields__)
        for row, item in zip(rows, json.loads(ok(*command, "--json", url=loaded)), strict=True):
            for name, cell in zip(header, row, strict=True):
                if name in item and isinstance(item[name], str):
                    assert cell == item[name].replace("\\", "\\\\").replace("\u202e", "\\u202e")


def test_a_pipe_can_be_counted(loaded: str) -> None:
    """As `symbols list | grep -c GATEIO_FUTURES` does."""
    lines = [line for line in ok("symbols", "list", url=loaded).splitlines() if FUTURES in line]
    assert len(lines) == len(json.loads(ok("symbols", "list", FUTURES, "--json", url=loaded))) == 2


@pytest.mark.parametrize("width", [30, 60, 80, 300])
def test_a_terminal_is_told_what_it_has_no_room_for(loaded: str, width: int) -> None:
    """No name or number is split; what is left out is named, and the rest stands whole."""
    shown = run("symbols", "list", url=loaded, stdout=Terminal, COLUMNS=str(width), NO_COLOR="1")
    lines = shown.stdout.splitlines()
    assert max(map(len, lines)) <= width
    assert all(any(name in line for line in lines) for name in ("永续/USDT", "ETH/USDT:USDT", "B/USDT:USDT"))
    left_out = re.search(r"no room for (.*): a wider", shown.stderr)
    hidden = left_out[1].split(", ") if left_out else []
    names = ["exchange", "symbol", "native", "status", "tick", "step", "min_quantity", "min_notional", "contract"]
    assert sorted([*lines[0].split(), *hidden]) == sorted(names)
    assert (hidden == []) is (width == 300)
    if "tick" not in hidden:
        assert "0.0000000001" in shown.stdout


@pytest.mark.parametrize("name", LISTS)
def test_nothing_has_no_heading(loaded: str, url: str, name: str) -> None:
    """Where there is nothing to list, stdout stays empty and one sentence is on stderr."""
    empty = {
        "list": ["--market-type", "options"],
        "populate": [],
        "symbols list": ["--base", "NOTHING"],
        "symbols diff": [FUTURES, "--since", "2001-01-01T00:00:00Z", "--until", "2001-01-02T00:00:00Z"],
        "symbols search": ["NOTHING"],
        "symbols common": [FUTURES, SPOT],
        "fees list": ["MEXC_SPOT", "--account", "nothing"],
        "fees history": ["GATEIO_FUTURES"],
        "symbols holds": [FUTURES],
        "symbols lists": ["MEXC_SPOT"],
        "imports list": ["--outcome", "failed"],
    }
    if name not in empty:
        # Of each there is something in `loaded`.
        assert name in (
            "prunes",
            "history",
            "readers",
            "stats",
            "status",
            "validate",
            "symbols history",
            "symbols stats",
        )
        return
    for stdout in (Terminal, io.StringIO):
        result = run(*name.split(), *empty[name], "--header", url=loaded, stdout=stdout)
        assert (result.returncode, result.stdout) == (0, "")
        assert len(result.stderr.splitlines()) == (2 if name in ("populate", "symbols diff") else 1)


def test_numbers_are_the_same_now_and_then(loaded: str) -> None:
    """The row of now comes from the driver, that of then from JSON the database keeps."""
    for arguments in (["symbols", "show", SPOT, "永续/USDT"], ["symbols", "show", "MEXC_SPOT", "B/USDT"]):
        now, then = ok(*arguments, url=loaded), ok(*arguments, "--at", "2999-01-01T00:00:00Z", url=loaded)
        assert now == then
        now_json = ok(*arguments, "--json", url=loaded)
        assert now_json == ok(*arguments, "--at", "2999-01-01T00:00:00Z", "--json", url=loaded)
        for field in ("price_tick", "min_quantity", "max_quantity", "min_notional"):
            value = json.loads(now_json)[field]
            assert f"{field}\t{value or ''}\n" in now
    assert json.loads(ok("symbols", "show", SPOT, "永续/USDT", "--json", url=loaded))["price_tick"] == "0.0000000001"


def test_a_report_begins_with_its_counts_and_shows_twenty_of_a_kind(url: str, tmp_path: Path) -> None:
    """--all shows every change."""
    file = tmp_path / "spot.json"
    file.write_bytes(payload(SPOT, many(SPOT, 60)))
    for stdout in (io.StringIO, Terminal):
        trial = run("import", SPOT, str(file), "--dry-run", url=url, stdout=stdout)
        assert trial.stdout.startswith("GATEIO_SPOT SPOT: 60 listed, 0 unchanged, not applied\n")
        assert trial.stdout.count("LISTED") == 20
        assert "not shown: 40 listed; --all shows every change" in trial.stderr
        assert ok("import", SPOT, str(file), "--dry-run", "--all", url=url, stdout=stdout).count("LISTED") == 60
    assert len(json.loads(ok("import", SPOT, str(file), "--json", url=url))[0]["changes"]) == 60


def test_a_name_in_a_payload_forges_no_line(url: str, tmp_path: Path) -> None:
    """A newline in a name, a word or a field is written as an escape, on a terminal too."""
    forged = "X\ndatabase: production\n\x1b[2J"
    rows = [*many(SPOT, 20), spot("BAD", id=forged, precision="x"), spot("ODD", trade_status=forged) | {forged: 1}]
    file = tmp_path / "spot.json"
    file.write_bytes(payload(SPOT, rows))
    for stdout in (io.StringIO, Terminal):
        result = run("import", SPOT, str(file), "--dry-run", url=url, NO_COLOR="1", stdout=stdout)
        assert "X\\ndatabase: production" in result.stderr
        assert not re.search(r"^(database|\x1b)", result.stdout + result.stderr, re.MULTILINE)
        assert "\x1b[2J" not in result.stdout + result.stderr


def importing(url: str, tmp_path: Path) -> list[str]:
    """The arguments that import symbols of which one has a name that ASCII lacks."""
    file = tmp_path / "spot.json"
    file.write_bytes(payload(SPOT, [spot("永续"), spot("BTC")]))
    return ["import", SPOT, str(file)]


@pytest.mark.parametrize("flags", [[], ["--json"]])
@pytest.mark.parametrize("surroundings", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}])
def test_an_encoding_that_lacks_a_name_costs_nothing(
    url: str, tmp_path: Path, surroundings: dict[str, str], flags: list[str]
) -> None:
    """The name is escaped, and the import that was committed ends well."""
    result = run_program(*importing(url, tmp_path), *flags, url=url, **surroundings)
    assert (result.returncode, "Traceback" in result.stderr) == (0, False), result.stderr
    assert "\\u6c38\\u7eed" in result.stdout or "永续" in result.stdout
    if flags:
        assert json.loads(result.stdout)[0]["applied"] is True
    assert len(json.loads(ok("symbols", "list", "--json", url=url))) == 2


def run_with_stdout(stdout: Any, *arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run the program with its answers going to `stdout`."""
    return subprocess.run(
        [PROGRAM, *arguments], env={**os.environ, "DATABASE_URL": url}, stdout=stdout, stderr=subprocess.PIPE,
        text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_full_disk_costs_the_report_and_not_the_import(url: str, tmp_path: Path) -> None:
    """Exit code 8, and stderr says that the database keeps what was written."""
    with Path("/dev/full").open("w") as full:
        result = run_with_stdout(full, *importing(url, tmp_path), url=url)
        assert run_with_stdout(full, "--help", url=url).returncode == 8
    assert result.returncode == 8
    assert "could not be written to stdout: No space left on device" in result.stderr
    assert "what was written to the database stays" in result.stderr
    assert not re.search("Traceback|Exception ignored", result.stderr)
    assert len(json.loads(ok("symbols", "list", "--json", url=url))) == 2


def test_a_closed_stdout_costs_the_report_and_not_the_import(url: str, tmp_path: Path) -> None:
    """And no connection to the database is given its number."""
    command = ["sh", "-c", 'exec "$0" "$@" >&-', PROGRAM, *importing(url, tmp_path)]
    result = subprocess.run(
        command, env={**os.environ, "DATABASE_URL": url}, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    assert (result.returncode, "it is closed" in result.stderr) == (8, True), result.stderr
    assert "Traceback" not in result.stderr
    assert len(json.loads(ok("symbols", "list", "--json", url=url))) == 2


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["--help"], ["--version"]])
def test_a_reader_that_stops_early_is_told_nothing(url: str, arguments: list[str]) -> None:
    """`list | true` is quiet; the exit code is that of every program whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = run_with_stdout(writer, *arguments, url=url)
    finally:
        os.close(writer)
    assert (result.returncode, result.stderr) == (141, "")


def test_a_stderr_that_takes_nothing_costs_nothing(url: str) -> None:
    """The answer is whole, and so is the write."""
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [PROGRAM, "deactivate", "MEXC_SPOT", "--json"], env={**os.environ, "DATABASE_URL": url},
            stdout=subprocess.PIPE, stderr=full, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (result.returncode, json.loads(result.stdout)["is_active"]) == (0, False)
    assert MEXC not in ok("list", url=url)
