"""The ledger of imports as a user sees it, and the way from a refused list to an import of just that list."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import Terminal, ok, run
from tests.acceptance.test_cli_symbols import lead, save, served
from tests.exchange_server import MEXC_PATH, OFFLINE_PATH, USDT_PATH, exchanges
from tests.fix_server import url_of
from tests.http_server import answer
from tests.payload_rows import FUTURES, MEXC, SPOT, many, payload


@pytest.fixture
def url(dsn: Any) -> str:
    """A migrated database of one's own."""
    return url_of(dsn)


def test_imports_are_listed_and_shown(url: str, tmp_path: Path) -> None:
    """The newest first, narrowed by exchange, list, outcome, time and number; an id shows one whole."""
    assert run("imports", "list", url=url).stderr == "no imports\n"
    file = save(tmp_path, SPOT, many(SPOT, 10))
    ok("import", SPOT, file, url=url)
    ok("import", SPOT, file, url=url)  # confirms what is known, and is counted only
    refused = run("import", SPOT, save(tmp_path / "..", SPOT, many(SPOT, 2)), url=url)
    assert refused.returncode == 7
    (tmp_path / "broken").write_bytes(b"garbage")
    assert run("import", MEXC, str(tmp_path / "broken"), "--list", "SPOT", url=url).returncode == 7

    listed = json.loads(ok("imports", "list", "--json", url=url))
    assert [(one["exchange"], one["outcome"]) for one in listed] == [
        (MEXC, "FAILED"), (SPOT, "REFUSED"), (SPOT, "APPLIED"),
    ]  # fmt: skip
    failed, stopped, applied = listed
    assert (applied["origin"], applied["changes"]) == (file, {"LISTED": 10})
    for options, wanted in (
        ([SPOT], [stopped, applied]),
        (["gateio_spot", "--outcome", "refused"], [stopped]),
        (["--list", "spot", "--limit", "1"], [failed]),
        (["--since", stopped["ended_at"]], [failed, stopped]),
        (["--list", "PERPETUAL:USDT"], []),
    ):
        assert json.loads(ok("imports", "list", *options, "--json", url=url) or "[]") == wanted
    lines = ok("imports", "list", "--header", url=url).splitlines()
    assert lines[0].split("\t")[:6] == ["id", "exchange", "list", "outcome", "ended", "what"]
    assert "10 listed" in lines[3]
    assert "PayloadError: the payload is neither" in lines[1]
    assert "REFUSED" in ok("imports", "list", url=url, stdout=Terminal)

    assert json.loads(ok("imports", "show", str(stopped["id"]), "--json", url=url)) == stopped
    shown = ok("imports", "show", str(stopped["id"]), url=url)
    assert re.search(r"^brake\tLEFT: .*--allow left=sha256:", shown, re.MULTILINE)
    for arguments, code in ((("show", "999"), 1), (("show", "0"), 2), (("list", "--outcome", "fine"), 2)):
        assert run("imports", *arguments, url=url).returncode == code


def test_a_refused_list_is_kept_reviewed_and_imported_as_it_was(url: str, tmp_path: Path) -> None:
    """By the very command that the refusal names; what the exchange says by then does not matter."""
    folder = tmp_path / "kept lists"
    before = {MEXC_PATH: {"symbols": many(MEXC, 10)}}
    with served(exchange=exchanges(before)) as server:
        lead(url, server, MEXC)
        ok("sync", MEXC, url=url)
    gone = [row["symbol"] for row in many(MEXC, 10)[3:]]
    offline = {"data": [{"symbol": gone[0], "state": 3, "offlineTime": 1_724_125_694_000}]}
    after = {MEXC_PATH: {"symbols": many(MEXC, 3)}, OFFLINE_PATH: offline}
    with served(exchange=exchanges(after)) as server:
        lead(url, server, MEXC)
        trial = run("sync", MEXC, "--dry-run", "--save", str(folder), url=url)
        assert (trial.returncode, "it would be refused: " in trial.stderr) == (7, True), trial.stderr
        result = run("sync", MEXC, "--save", str(folder), url=url)
    assert result.returncode == 7
    (advice,) = [line for line in result.stderr.splitlines() if line.startswith("exchanges-db import ")]
    words = shlex.split(advice)
    assert words[:3] == ["exchanges-db", "import", MEXC]
    payload_file, companion = Path(words[3]), Path(words[words.index("--companion") + 1])
    assert json.loads(payload_file.read_bytes())["symbols"] == many(MEXC, 3)
    assert json.loads(companion.read_bytes()) == offline
    assert len(list(folder.iterdir())) == 6

    assert run(*words[1:], "--dry-run", url=url).returncode == 0
    other = payload_file.with_name("other.json")
    other.write_bytes(payload(MEXC, many(MEXC, 2)))
    swapped = [str(other) if word == words[3] else word for word in words[1:]]
    assert run(*swapped, url=url).returncode == 7, "what was not reviewed is not let through"
    assert "delisted, 3 unchanged, imported" in ok(*words[1:], url=url)
    first = json.loads(ok("symbols", "show", MEXC, gone[0], "--json", url=url))
    assert (first["status"], first["delisted_at"]) == ("DELISTED", "2024-08-20T03:48:14Z")
    observed = words[words.index("--observed-at") + 1].replace("+00:00", "Z")
    (newest, *_) = json.loads(ok("imports", "list", "--json", url=url))
    assert (newest["outcome"], newest["observed_at"], newest["origin"]) == ("APPLIED", observed, words[3])


def test_a_trial_with_a_brake_has_the_brakes_exit_code(url: str, tmp_path: Path) -> None:
    """A script that tries first learns that the import would be refused; nothing is in the ledger."""
    ok("import", SPOT, save(tmp_path, SPOT, many(SPOT, 10)), url=url)
    file = save(tmp_path, SPOT, many(SPOT, 2))
    trial = run("import", SPOT, file, "--dry-run", url=url)
    assert trial.returncode == 7
    assert "not applied" in trial.stdout
    found = re.search(r"--allow (left=sha256:[0-9a-f]+)", trial.stderr)
    assert found is not None
    allowed = run("import", SPOT, file, "--allow", found[1], "--dry-run", url=url)
    assert (allowed.returncode, "brake, allowed: " in allowed.stderr) == (0, True)
    assert len(json.loads(ok("imports", "list", "--json", url=url))) == 1


def test_the_worst_outcome_gives_the_exit_code(url: str) -> None:
    """And what was committed before is in the JSON, with the words of what failed."""
    with served(exchange=exchanges({USDT_PATH: answer({"message": "not from here"}, status=403)})) as server:
        lead(url, server)
        result = run("sync", "--json", url=url)
    assert result.returncode == 7
    every = [(one["outcome"], one["error"]) for one in json.loads(result.stdout)]
    assert [outcome for outcome, _ in every].count("APPLIED") == 4
    assert any(outcome == "FAILED" and "not from here" in error for outcome, error in every)


def test_the_age_of_lists_is_shown(url: str, tmp_path: Path) -> None:
    """In status, in the lists of lists, beside the list of symbols, and in a validation that can fail on it."""
    file = save(tmp_path, SPOT, many(SPOT, 3))
    ok("import", SPOT, file, "--observed-at", "2026-01-31T12:00:00Z", url=url)
    (one,) = json.loads(ok("status", "--json", url=url))["lists"]
    assert (one["exchange"], one["confirmed_at"]) == (SPOT, "2026-01-31T12:00:00Z")
    table = ok("status", url=url, stdout=Terminal)
    assert re.search(r"\n\n.*exchange .*\nGATEIO_SPOT +SPOT +\d+d", table)
    piped = run("status", url=url)
    assert re.search(r"^GATEIO_SPOT SPOT: confirmed by the exchange \d+d", piped.stderr, re.MULTILINE)
    assert "GATEIO_SPOT" not in piped.stdout
    assert re.search(r"\t\d+d( \d+[hm])?\t", ok("symbols", "lists", url=url))
    ok("import", SPOT, file, "--observed-at", "2026-01-31T12:00:01Z", url=url)  # confirms
    assert ok("symbols", "lists", url=url).rstrip("\n").endswith("\t1")
    listed = run("symbols", "list", SPOT, url=url)
    assert re.search(r"^GATEIO_SPOT SPOT: confirmed by the exchange \d+d", listed.stderr, re.MULTILINE)
    assert len(listed.stdout.splitlines()) == 3
    assert run("symbols", "list", SPOT, "--max-age", "10m", url=url).stdout == ""
    assert len(ok("symbols", "list", SPOT, "--max-age", "36500d", url=url).splitlines()) == 3
    checks = json.loads(run("validate", "--max-age", "10m", "--lookups", "100", "--json", url=url).stdout)["checks"]
    (fresh,) = [check for check in checks if check["name"] == "lists fresh"]
    assert (fresh["passed"], "confirmed longer ago than 10m" in fresh["detail"]) == (False, True)


@pytest.mark.parametrize("wrong", ["10", "10 minutes", "m", "-5m", "0s", "1.5h", "1w", "", "99999999999d", "٣m"])
def test_a_length_of_time_that_is_none_is_refused_wherever_it_is_given(url: str, wrong: str) -> None:
    """In one form, and with advice; ten of what?"""
    for command in (["sync", "--every"], ["symbols", "list", "--max-age"], ["validate", "--max-age"]):
        result = run(*command[:-1], f"{command[-1]}={wrong}", url=url)
        assert (result.returncode, "write 30s, 10m, 2h or 1d" in result.stderr) == (2, True), result.stderr


def test_every_and_a_trial_are_not_mixed(url: str) -> None:
    """Each would have to give way to the other."""
    for option in (["--dry-run"], ["--save", "x"]):
        assert run("sync", FUTURES, "--every", "60s", *option, url=url).returncode == 2
