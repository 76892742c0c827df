"""The commands on exchanges, on a real server."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from exchanges_db import Exchange
from exchanges_db.database.dsn import Dsn
from exchanges_db.exchanges.defaults import CATALOGUE, DEFAULTS
from exchanges_db.exchanges.rules import CHECKS
from tests.acceptance.command import ok, run
from tests.fix_server import url_of


@pytest.fixture
def url(dsn: Dsn) -> str:
    """DATABASE_URL of a migrated database of one's own."""
    return url_of(dsn)


def test_list_shows_active_exchanges_and_all_with_a_flag(url: str) -> None:
    """Inactive rows are shown with --all only."""
    ok("deactivate", "MEXC_SPOT", url=url)
    assert "MEXC_SPOT" not in ok("list", url=url)
    assert "MEXC_SPOT" in ok("list", "--all", url=url)
    assert [e["name"] for e in json.loads(ok("list", "--json", url=url))] == ["GATEIO_FUTURES", "GATEIO_SPOT"]
    ok("activate", "MEXC_SPOT", url=url)
    assert "MEXC_SPOT" in ok("list", url=url)


def test_list_filters_by_market_type_in_any_case(url: str) -> None:
    """--market-type futures finds the futures exchange, active or all."""
    for flags in ([], ["--all"]):
        found = json.loads(ok("list", *flags, "--market-type", "futures", "--json", url=url))
        assert [e["name"] for e in found] == ["GATEIO_FUTURES"]


@pytest.mark.parametrize("key", ["1", "MEXC_SPOT"])
def test_show_finds_by_id_and_by_text(url: str, key: str) -> None:
    """An exchange is named by its id, enum_value or name."""
    assert json.loads(ok("show", key, "--json", url=url))["enum_value"] == "MEXC_SPOT"
    assert "https://api.mexc.com" in ok("show", key, url=url)


def test_show_at_gives_the_row_of_that_time(url: str) -> None:
    """--at answers from the history, and exit code 1 says that nothing was known then."""
    before = json.loads(ok("show", "MEXC_SPOT", "--json", url=url))
    changed = json.loads(ok("set", "MEXC_SPOT", "display_name=New", "--json", url=url))
    assert changed["version"] == before["version"] + 1
    then = json.loads(ok("show", "MEXC_SPOT", "--at", before["updated_at"], "--json", url=url))
    assert then["display_name"] == before["display_name"]
    long_ago = (datetime.now(UTC) - timedelta(days=999)).isoformat()
    result = run("show", "MEXC_SPOT", "--at", long_ago, url=url)
    assert (result.returncode, result.stdout) == (1, "")
    assert "nothing is known" in result.stderr


def test_add_and_set_round_trip_every_field(url: str) -> None:
    """What is given comes back, and an empty value clears a field."""
    ok(
        "add", "KRAKEN", "--market-type", "spot", "--enum-value", "KRAKEN_SPOT", "--display-name", "Kraken",
        "--base-url", "https://api.kraken.com", "--websocket-url", "wss://ws.kraken.com", "--rate-limit", "15",
        "--precision", "5", "--inactive", url=url,
    )  # fmt: skip
    row = json.loads(ok("show", "KRAKEN", "--json", url=url))
    assert (row["enum_value"], row["is_active"], row["precision_default"]) == ("KRAKEN_SPOT", False, 5)
    changed = json.loads(
        ok(
            "set", "KRAKEN", "websocket_url=", "is_active=TRUE", "market_type=options", "precision_default=0",
            "rate_limit_requests_per_second=7", "name=K", "--if-version", "1", "--json", url=url,
        )
    )  # fmt: skip
    assert (changed["websocket_url"], changed["is_active"], changed["market_type"]) == (None, True, "OPTIONS")
    assert (changed["rate_limit_requests_per_second"], changed["name"]) == (7, "K")


@pytest.mark.parametrize("name", sorted(CATALOGUE.keys() - DEFAULTS.keys()))
def test_add_knows_the_exchanges_of_the_catalogue(url: str, name: str) -> None:
    """By their name alone, with every field; what is given wins."""
    row = json.loads(ok("add", name, "--json", url=url))
    expected = Exchange.from_exchange_enum(name)
    assert {field: row[field] for field in CHECKS} == {field: getattr(expected, field) for field in CHECKS}
    assert row["base_url"] is not None is not row["websocket_url"]
    ok("set", name, "name=A", "enum_value=B", url=url)
    row = json.loads(
        ok("add", "MINE", "--enum-value", name, "--rate-limit", "3", "--precision", "2", "--market-type", "spot",
           "--display-name", "Mine", "--base-url", "https://mine.example", "--inactive", "--json", url=url)
    )  # fmt: skip
    assert (row["name"], row["enum_value"], row["display_name"], row["is_active"]) == ("MINE", name, "Mine", False)
    assert (row["rate_limit_requests_per_second"], row["precision_default"], row["market_type"]) == (3, 2, "SPOT")
    assert (row["base_url"], row["websocket_url"]) == ("https://mine.example", expected.websocket_url)


def test_add_names_the_catalogue(url: str) -> None:
    """In its help, and where a name is not in it and the market type is left out; nothing is guessed from the case."""
    told = " ".join(ok("add", "--help", url=None).split())
    assert [name for name in CATALOGUE if name not in told] == []
    for name, advice in (("KRAKEN", ""), ("mexc_futures", "did you mean MEXC_FUTURES?")):
        result = run("add", name, url=url)
        assert (result.returncode, result.stdout, advice in result.stderr) == (2, "", True)
        assert f"--market-type is needed for all but {', '.join(CATALOGUE)}" in result.stderr
    result = run("show", "mexc_futures", url=url)
    assert (result.returncode, "exchanges-db add MEXC_FUTURES" in result.stderr) == (1, True)


def test_history_tells_who_changed_what(url: str) -> None:
    """Each change is a line with old and new value, and JSON for programs; a deleted id is still found."""
    ok("set", "MEXC_SPOT", "rate_limit_requests_per_second=7", url=url)
    assert "rate_limit_requests_per_second: 50 -> 7" in ok("history", "MEXC_SPOT", url=url)
    changes = json.loads(ok("history", "1", "--json", url=url))
    assert [change["operation"] for change in changes] == ["SNAPSHOT", "UPDATE", "UPDATE"]
    assert [change["application_name"] for change in changes[1:]] == ["exchanges_db migration 005", "exchanges_db"]


def test_populate_inserts_what_is_missing_once(url: str) -> None:
    """On a complete database it writes nothing and says so."""
    said = run("populate", url=url)
    assert (said.stdout, "nothing was missing" in said.stderr) == ("", True)
    assert json.loads(ok("populate", "--json", url=url)) == []


def test_stats_have_the_keys_of_the_function(url: str) -> None:
    """Figures as a table, and as JSON."""
    assert json.loads(ok("stats", "--json", url=url))["total_exchanges"] == 3
    assert "GATEIO_FUTURES" in ok("stats", url=url)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["show", "NOWHERE"], 1, "no exchange is called"),
        (["history", "77"], 1, "no exchange is called"),
        (["set", "MEXC_SPOT", "foo=1"], 2, "cannot update 'foo'"),
        (["set", "MEXC_SPOT", "id=1"], 2, "cannot update 'id'"),
        (["set", "MEXC_SPOT", "nonsense"], 2, "not of the form FIELD=VALUE"),
        (["set", "MEXC_SPOT", "precision_default=1.5"], 2, "must be an integer"),
        (["set", "MEXC_SPOT", "precision_default=19"], 2, "between 0 and 18"),
        (["set", "MEXC_SPOT", "is_active=maybe"], 2, "true or false"),
        (["set", "MEXC_SPOT", "display_name="], 2, "must be text"),
        (["set", "MEXC_SPOT", "name=GATEIO_SPOT"], 4, "name is taken"),
        (["set", "MEXC_SPOT", "name=X", "--if-version", "9"], 4, "has version 2, not 9"),
        (["add", "MEXC_SPOT", "--market-type", "spot"], 4, "is taken"),
        (["add", "X", "--market-type", "moon"], 2, "not one of SPOT, FUTURES, OPTIONS"),
        (["list", "--market-type", "moon"], 2, "not one of SPOT, FUTURES, OPTIONS"),
        (["show", "MEXC_SPOT", "--at", "yesterday"], 2, "no ISO 8601 time"),
        (["show", "MEXC_SPOT", "--at", "2026-01-01"], 2, "no time zone"),
        (["list", "--nonsense"], 2, "No such option"),
    ],
)
def test_a_refusal_is_one_line_with_its_exit_code(url: str, arguments: list[str], code: int, text: str) -> None:
    """Errors say what was wrong on stderr, change nothing and never show a traceback."""
    before = ok("list", "--all", "--json", url=url)
    result = run(*arguments, url=url)
    assert result.returncode == code, result.stderr
    assert text in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert ok("list", "--all", "--json", url=url) == before


def test_a_field_that_is_given_twice_is_refused(url: str) -> None:
    """Which of two values is meant is not guessed."""
    result = run("set", "MEXC_SPOT", "precision_default=4", "precision_default=5", url=url)
    assert (result.returncode, result.stderr) == (2, "error: precision_default is given twice\n")
    assert json.loads(ok("show", "MEXC_SPOT", "--json", url=url))["precision_default"] == 8
