"""`sync --every` as a supervisor runs it: it goes on, says a line per round, and ends when it is told to."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.command import ok, run
from tests.acceptance.test_cli_interrupt import heeded, started
from tests.acceptance.test_cli_symbols import lead, served
from tests.exchange_server import SPOT_PATH, exchanges
from tests.fix_server import url_of
from tests.http_server import answer, silence
from tests.payload_rows import MEXC, SPOT

__all__ = ["heeded"]


@pytest.fixture
def url(dsn: Any) -> Iterator[str]:
    """A database whose exchanges are served here."""
    with served(exchange=exchanges({SPOT_PATH: answer({"message": "not you"}, status=403)})) as server:
        lead(url_of(dsn), server)
        yield url_of(dsn)


def ended(process: subprocess.Popen[str], number: int) -> tuple[int, str, str]:
    """Send a signal and return the exit code and the rest of what was said."""
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in out + err
    return process.returncode, out, err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_goes_on_until_a_signal_and_says_a_line_per_round(url: str, number: int, code: int) -> None:
    """The last one says that it has stopped; what fails is on the line, and stops nothing."""
    process = started("sync", MEXC, SPOT, "--every", "1s", url=url)
    assert process.stdout is not None
    first, second = process.stdout.readline(), process.stdout.readline()
    assert " round 1: 1 applied; 1 failed; GATEIO_SPOT SPOT: 127.0.0.1" in first
    assert "not you" in first
    assert " round 2: 1 unchanged; 1 failed; " in second
    assert re.search(r"; next in [01] s$", first.rstrip())
    ended_with, out, err = ended(process, number)
    assert ended_with == code
    assert out.splitlines()[-1].endswith("; stopped")
    assert "database: " in err


def test_a_second_signal_does_not_wait(dsn: Any) -> None:
    """For what is under way, such as an exchange that does not answer."""
    with served(exchange=exchanges({SPOT_PATH: silence})) as server:
        lead(url_of(dsn), server, SPOT)
        process = started("sync", SPOT, "--every", "1s", url=url_of(dsn))
        assert process.stdout is not None
        assert "GATEIO_SPOT is still being asked" in process.stdout.readline()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code, _, err = ended(process, signal.SIGINT)
        assert time.monotonic() - began < 5  # after one signal it would wait for so long
    assert code == 130
    assert err == "interrupted: what was under way was rolled back\n"


def test_as_json_each_round_is_an_object_on_a_line(url: str) -> None:
    """For a supervisor, or a log that is searched."""
    process = started("sync", MEXC, SPOT, "--every", "1s", "--json", url=url)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    code, out, _ = ended(process, signal.SIGTERM)
    assert code == 0
    rounds = [json.loads(line) for line in [*lines, *out.splitlines()]]
    assert [one["round"] for one in rounds[:2]] == [1, 2]
    assert [one["stopped"] for one in rounds] == [*[False] * (len(rounds) - 1), True]
    first = {one["exchange"]: one for one in rounds[0]["lists"]}
    assert (first[MEXC]["outcome"], first[MEXC]["changes"]["LISTED"]) == ("APPLIED", 2)
    assert first[SPOT]["outcome"] == "FAILED"
    assert "not you" in first[SPOT]["error"]
    assert rounds[0]["good"] is False


def test_what_is_wrong_from_the_beginning_ends_it_at_once(url: str) -> None:
    """With the exit code of a single sync: a supervisor that starts it again and again shows the mistake."""
    assert run("sync", "NOBODY", "--every", "60s", url=url).returncode == 1
    assert run("sync", MEXC, "--list", "PERPETUAL", "--every", "60s", url=url).returncode == 2
    assert run("sync", "--every", "60s", url="postgresql://nobody@127.0.0.1:1/none").returncode == 3
    ok("set", MEXC, "base_url=https://h.invalid/?key=1", url=url)
    assert run("sync", MEXC, "--every", "60s", url=url).returncode == 2
