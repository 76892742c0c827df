"""The commands on fees: what they set, show and refuse, and their exit codes."""

import json
from typing import Any

import pytest

from exchanges_db.database.dsn import Dsn
from tests.acceptance.command import ok, run
from tests.acceptance.test_cli_hostile import HOSTILE, check
from tests.factories import connected
from tests.fix_server import url_of
from tests.symbol_rows import insert

MEXC = "MEXC_SPOT"


@pytest.fixture
async def url(dsn: Dsn) -> str:
    """DATABASE_URL of a database with one symbol."""
    async with connected(dsn) as conn:
        await insert(conn)
    return url_of(dsn)


def as_json(*arguments: str, url: str) -> Any:
    """What a command answers."""
    return json.loads(ok(*arguments, "--json", url=url))


def test_fees_are_set_shown_and_forgotten(url: str) -> None:
    """For an exchange and for one symbol of it, a rebate too; the answer is what was set, exactly."""
    result = run("fees", "set", MEXC, "--maker", "-0.00010", "--taker", "0.001", url=url)
    assert result.returncode == 0, result.stderr
    assert "maker\t-0.00010\n" in result.stdout
    assert result.stderr.startswith("database: ")
    assert as_json("fees", "set", MEXC, "btc/usdt", "--maker=0", "--taker=1e-4", url=url)["taker"] == "0.0001"

    shown = as_json("fees", "show", MEXC, "BTC_USDT", url=url)
    assert (shown["maker"], shown["taker"], shown["source"]) == ("0", "0.0001", "SYMBOL")
    assert [one["symbol"] for one in as_json("fees", "list", url=url)] == [None, "BTC/USDT"]

    assert as_json("fees", "forget", MEXC, "BTC_USDT", url=url)["maker"] is None
    assert as_json("fees", "show", MEXC, "BTC/USDT", "--strict", url=url)["source"] == "EXCHANGE"
    history = as_json("fees", "history", MEXC, url=url)
    assert [one["maker"] for one in history] == ["-0.00010", "0", None]
    assert [one["maker"] for one in as_json("fees", "history", MEXC, "BTC_USDT", url=url)] == ["0", None]


def test_an_account_has_fees_of_its_own(url: str) -> None:
    """The default account is called so."""
    ok("fees", "set", MEXC, "--maker", "0", "--taker", "0", "--account", "desk 7", url=url)
    assert as_json("fees", "show", MEXC, "BTC/USDT", "--account", "desk 7", url=url)["source"] == "EXCHANGE"
    assert run("fees", "show", MEXC, "BTC/USDT", url=url).returncode == 1
    assert [one["account"] for one in as_json("fees", "list", "--account", "desk 7", url=url)] == ["desk 7"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["set", MEXC, "--maker", "0.2", "--taker", "0"], 2, "looks like percent, so write 0.002"),
        (["set", MEXC, "--maker", "x", "--taker", "0"], 2, "maker must be a Decimal, an int or the text of a number"),
        (["set", MEXC, "--maker", "0"], 2, "--taker"),
        (["set", "MEXC", "--maker", "0", "--taker", "0"], 1, "did you mean MEXC_SPOT"),
        (["set", MEXC, "NO/USDT", "--maker", "0", "--taker", "0"], 1, "has no symbol 'NO/USDT'"),
        (["set", MEXC, "--maker", "0", "--taker", "0", "--account", ""], 2, "account must be"),
        (["forget", MEXC], 1, "nothing is set for 'MEXC_SPOT' and account 'default'"),
        (["forget", MEXC, "BTC/USDT"], 1, "nothing is set for 'BTC/USDT on MEXC_SPOT'"),
        (["show", MEXC, "BTC/USDT"], 1, "nobody has set what account 'default' pays for 'BTC/USDT' on MEXC_SPOT"),
        (["show", MEXC, "NO/USDT"], 1, "has no symbol 'NO/USDT'"),
        (["history", "NOWHERE"], 1, "no exchange is called 'NOWHERE'"),
    ],
)
def test_what_cannot_be_done_is_one_line(url: str, arguments: list[str], code: int, said: str) -> None:
    """On stderr, with the exit code that the help names; nothing is written."""
    result = run("fees", *arguments, url=url)
    assert (result.returncode, result.stdout) == (code, "")
    assert said in result.stderr
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
    assert as_json("fees", "list", url=url) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_or_refused(url: str, text: str) -> None:
    """As the name of an account it comes back as given."""
    for arguments in (
        ["set", "--maker", text, "--taker", "0", "--", MEXC],
        ["set", "--maker", "0", "--taker", "0", "--", MEXC, text],
        ["show", "--", MEXC, text],
        ["history", "--", text],
        ["list", "--account", text],
    ):
        check(run("fees", *arguments, url=url))
    result = run("fees", "set", "--maker", "0", "--taker", "0", f"--account={text}", MEXC, url=url)
    check(result)
    accounts = [one["account"] for one in as_json("fees", "list", url=url)]
    assert accounts == ([text] if result.returncode == 0 else [])
