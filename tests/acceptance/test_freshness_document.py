"""docs/freshness.md: the unit and the cron line are run, not only read."""

import configparser
import json
import re
import shlex
import signal
import subprocess
from typing import Any

from tests.acceptance.command import PROGRAM, run
from tests.acceptance.test_cli_symbols import lead, served
from tests.contract.test_document_commands import parse
from tests.exchange_server import exchanges
from tests.fix_server import ROOT, url_of

TEXT = (ROOT / "docs" / "freshness.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The one block of the document in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    return str(found)


def unit() -> configparser.ConfigParser:
    """The systemd unit."""
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have capitals
    parser.read_string(block("ini"))
    return parser


def test_the_unit_starts_a_command_that_goes_on_and_ends_when_it_is_told_to(dsn: Any) -> None:
    """With its own words; SIGTERM, which systemd sends, is an end that Restart=on-failure takes for one."""
    service = unit()["Service"]
    assert service["Restart"] == "on-failure"
    program, *words = shlex.split(service["ExecStart"])
    assert program.endswith("/bin/exchanges-db")
    with served(exchange=exchanges()) as server:
        lead(url_of(dsn), server)
        process = subprocess.Popen(
            [PROGRAM, *words], env={"DATABASE_URL": url_of(dsn), "PATH": "/usr/bin"}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert {one["outcome"] for one in first["lists"]} == {"APPLIED"}
    assert first["good"]
    assert json.loads(out.splitlines()[-1])["stopped"] is True
    # It must have the time that it takes to end.
    assert int(service["TimeoutStopSec"]) > 5


def test_the_cron_line_has_a_command_that_is_taken() -> None:
    """Five times, a user, and words that the command reads."""
    *_, line = block("cron").strip().splitlines()
    *times, user, lock, option, file, program = line.split()[:10]
    assert len(times) == 5
    assert (user, lock, option, program) == ("exchanges", "flock", "-n", "exchanges-db")
    assert file.startswith("/")
    parse(line.partition("exchanges-db ")[2])


def test_every_key_of_a_round_is_in_the_document(dsn: Any) -> None:
    """And every outcome that a supervisor may meet."""
    with served(exchange=exchanges()) as server:
        lead(url_of(dsn), server)
        process = subprocess.Popen(
            [PROGRAM, "sync", "--every", "1h", "--json"], env={"DATABASE_URL": url_of(dsn), "PATH": "/usr/bin"},
            text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        process.terminate()
        process.communicate(timeout=60)
    for key in (*told, *told["lists"][0], "APPLIED", "UNCHANGED", "REFUSED", "FAILED"):
        assert f"`{key}`" in TEXT or f"{key}," in TEXT or f"{key})" in TEXT, key
    assert run("validate", "--max-age", "10m", "--lookups", "100", url=url_of(dsn)).stdout != ""
