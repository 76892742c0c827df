"""The command that moves tables in: what it says it would do, what it does, and what it refuses."""

import asyncio
import contextlib
import json

import pytest

from exchanges_db.database.dsn import Dsn
from tests.acceptance.command import Result, ok, run
from tests.acceptance.test_cli_hostile import HOSTILE, check
from tests.factories import connected
from tests.fix_server import url_of
from tests.integration.test_adopt import OLD_TABLES

ADOPT = ("adopt", "--schema", "legacy", "--column", "native_symbol=symbol_name", "--exchange", "Gate.io=GATEIO_SPOT")


@pytest.fixture
async def url(dsn: Dsn) -> str:
    """DATABASE_URL of a database with tables of another system in the schema `legacy`."""
    async with connected(dsn) as conn:
        await conn.execute("CREATE SCHEMA legacy; SET search_path = legacy")
        await conn.execute(OLD_TABLES)
    return url_of(dsn)


def test_it_says_what_it_would_do_and_does_it_with_yes(url: str, dsn: Dsn) -> None:
    """Two lines for exchanges, one for symbols; the trial says nothing of where, because it writes nothing there."""
    trial = run(*ADOPT, url=url)
    assert trial.returncode == 0, trial.stderr
    assert trial.stdout.splitlines() == [
        "GATEIO_SPOT: id 1, here 2 before, 'Gate.io' in yours; 2 symbols to bring along, 0 here already",
        "MEXC_SPOT: id 2, here 1 before, 'mexc_spot' in yours; 1 symbols to bring along, 0 here already",
        "3 symbols would be brought along, known by name only; 0 are here already",
    ]
    assert trial.stderr == "nothing was written: --yes does it\n"
    assert json.loads(ok("show", "GATEIO_SPOT", "--json", url=url))["id"] == 2

    done = run(*ADOPT, "--yes", url=url)
    assert done.returncode == 0, done.stderr
    assert "3 symbols brought along, known by name only; 0 are here already" in done.stdout
    assert f"database: {dsn}\n" in done.stderr
    assert json.loads(ok("show", "GATEIO_SPOT", "--json", url=url))["id"] == 1

    again = json.loads(ok(*ADOPT, "--yes", "--json", url=url))
    assert (again["applied"], again["symbols"], again["known"]) == (True, [], 3)
    assert [one["step"] for one in again["exchanges"]] == ["KEPT", "KEPT"]


def test_a_trial_needs_no_right_to_write(url: str) -> None:
    """As on a replica."""
    assert run(*ADOPT, url=f"{url}&options=-c%20default_transaction_read_only%3Don").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--schema", "nowhere"], 2, "there is no table 'nowhere.exchanges'"),
        (["--schema", "public"], 2, "is our own table"),
        (["--column", "base"], 2, "--column 'base' is not of the form NAME=NAME"),
        (["--column", "tick=x"], 2, "'tick' is not one of exchange.id"),
        (["--column", "base=a", "--column", "base=b"], 2, "--column: 'base' is given twice"),
        (["--exchange", "=X"], 2, "--exchange '=X' is not of the form NAME=NAME"),
        (["--exchange", "mexc_spot=KRAKEN"], 7, "'mexc_spot', is to be 'KRAKEN', which is none of ours"),
        (["--column", "quote=nothing"], 7, "no column is called 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_one_line(url: str, arguments: list[str], code: int, said: str) -> None:
    """On stderr, with the exit code that the help names; nothing is written, with --yes neither."""
    for more in ([], ["--yes"]):
        result = run(*ADOPT, *arguments, *more, url=url)
        assert (result.returncode, result.stdout) == (code, ""), result.stderr
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert json.loads(ok("show", "GATEIO_SPOT", "--json", url=url))["id"] == 2


def test_without_a_schema_it_is_not_begun(url: str) -> None:
    """Nothing is guessed."""
    result = run("adopt", url=url)
    assert (result.returncode, "--schema" in result.stderr) == (2, True)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_or_refused(url: str, dsn: Dsn, text: str) -> None:
    """As an argument, and as what a row of theirs holds: it forges no line."""
    for option in ("--schema", "--symbols-table", "--column", "--exchange"):
        _check(run(*ADOPT, f"{option}={text}", url=url))
    with contextlib.suppress(UnicodeEncodeError):  # what no server can hold
        asyncio.run(_write(dsn, text))
        _check(run(*ADOPT, url=url))


def _check(result: Result) -> None:
    # 7 says that tables cannot be adopted as they are.
    assert result.returncode in (0, 1, 2, 7), result.stderr
    assert len(result.stderr.splitlines()) == 1
    result.returncode = min(result.returncode, 2)
    check(result)


async def _write(dsn: Dsn, text: str) -> None:
    async with connected(dsn) as conn:
        await conn.execute("INSERT INTO legacy.symbols VALUES (99, 1, 'X', 'USDT', $1, 1)", text)
        await conn.execute("UPDATE legacy.exchanges SET name = $1::text || 'x' WHERE id = 1", text)
