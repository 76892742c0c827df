"""The commands on holds: what they forbid, release and list, and their exit codes."""

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
WHY = ("--reason", "withdrawals are suspended")


@pytest.fixture
async def url(dsn: Dsn) -> str:
    """DATABASE_URL of a database with one symbol."""
    async with connected(dsn) as conn:
        await insert(conn)
    return url_of(dsn)


def as_json(*arguments: str, url: str) -> Any:
    """What a command answers."""
    return json.loads(ok(*arguments, "--json", url=url))


def test_a_symbol_is_held_listed_and_released(url: str) -> None:
    """The answer is the hold as it is kept: by the exchange's own name."""
    result = run("symbols", "hold", MEXC, "btc/usdt", *WHY, "--sides", "buy", url=url)
    assert result.returncode == 0, result.stderr
    assert "native_symbol\tBTC_USDT\n" in result.stdout
    assert "sides\tBUY\n" in result.stdout
    assert result.stderr.startswith("database: ")
    again = run("symbols", "hold", MEXC, "BTC_USDT", *WHY, "--sides", "BUY", url=url)
    assert (again.returncode, "it is held so already" in again.stderr) == (0, True)

    (held,) = as_json("symbols", "holds", url=url)
    assert (held["exchange"], held["reason"], held["until_at"]) == (MEXC, WHY[1], None)
    assert as_json("symbols", "holds", MEXC, "BTC/USDT", url=url) == [held]
    assert [one["symbol"] for one in as_json("symbols", "list", MEXC, url=url)] == ["BTC/USDT"]

    released = as_json("symbols", "release", MEXC, "BTC/USDT", "--reason", "they answered", url=url)
    assert (released["end"], released["ended_reason"]) == ("RELEASED", "they answered")
    assert as_json("symbols", "holds", MEXC, url=url) == []
    assert as_json("symbols", "holds", MEXC, "BTC/USDT", url=url) == []
    assert as_json("symbols", "holds", MEXC, "--all", url=url) == [released]


def test_an_exchange_is_held_until_a_time_and_released(url: str) -> None:
    """While it is held its symbols are not listed as tradable, and its single holds stay when it is released."""
    held = as_json("hold", MEXC, *WHY, "--until", "2999-01-01T00:00:00+01:00", url=url)
    assert (held["native_symbol"], held["until_at"]) == (None, "2998-12-31T23:00:00Z")
    assert as_json("symbols", "list", MEXC, url=url) == []
    ok("symbols", "hold", MEXC, "NEW", "--native", *WHY, url=url)
    assert [one["native_symbol"] for one in as_json("symbols", "holds", url=url)] == [None, "NEW"]
    assert as_json("release", MEXC, url=url)["end"] == "RELEASED"
    assert [one["symbol"] for one in as_json("symbols", "list", MEXC, url=url)] == ["BTC/USDT"]
    assert [one["native_symbol"] for one in as_json("symbols", "holds", url=url)] == ["NEW"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["symbols", "hold", MEXC, "BTC/USDT"], 2, "--reason"),
        (["symbols", "hold", MEXC, "BTC/USDT", "--reason", ""], 2, "reason must be text"),
        (["symbols", "hold", MEXC, "BTC/USDT", *WHY, "--sides", "none"], 2, "sides must be ALL, BUY, SELL"),
        (["symbols", "hold", MEXC, "BTC/USDT", *WHY, "--until", "2001-01-01T00:00:00Z"], 2, "does not lie ahead"),
        (["symbols", "hold", MEXC, "BTC/USDT", *WHY, "--until", "2999-01-01"], 2, "has no time zone"),
        (["symbols", "hold", MEXC, "NO/USDT", *WHY], 1, "--native"),
        (["symbols", "hold", "MEXC", "BTC/USDT", *WHY], 1, "did you mean MEXC_SPOT"),
        (["symbols", "release", MEXC, "BTC/USDT"], 1, "'BTC/USDT' on 'MEXC_SPOT' is not held by itself"),
        (["hold", "NOWHERE", *WHY], 1, "no exchange is called 'NOWHERE'"),
        (["release", MEXC], 1, "'MEXC_SPOT' as a whole is not held"),
        (["symbols", "holds", "--all"], 2, "--all wants an exchange"),
        (["symbols", "holds", MEXC, "NO/USDT"], 1, "has no symbol 'NO/USDT'"),
    ],
)
def test_what_cannot_be_done_is_one_line(url: str, arguments: list[str], code: int, said: str) -> None:
    """On stderr, with the exit code that the help names; nothing is held."""
    result = run(*arguments, url=url)
    assert (result.returncode, result.stdout) == (code, "")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert as_json("symbols", "holds", url=url) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_or_refused(url: str, text: str) -> None:
    """As a reason it comes back as given."""
    for arguments in (
        ["symbols", "hold", *WHY, "--native", "--", MEXC, text],
        ["symbols", "hold", *WHY, "--until", text, "--", MEXC, "BTC/USDT"],
        ["symbols", "holds", "--", MEXC, text],
        ["hold", *WHY, "--", text],
    ):
        check(run(*arguments, url=url))
    result = run("hold", f"--reason={text}", MEXC, url=url)
    check(result)
    reasons = [one["reason"] for one in as_json("symbols", "holds", url=url) if one["native_symbol"] is None]
    assert reasons == ([text] if result.returncode == 0 else [])
