"""`watch`: a line of JSON per change for programs, a view that is drawn in place on a terminal, and a clean end."""

import asyncio
import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len

from exchanges_db.cli.output import json_text
from exchanges_db.cli.watch_lines import change_document, change_row
from exchanges_db.cli.watch_view import View
from exchanges_db.database.dsn import Dsn
from exchanges_db.registry.changes import AmbiguityChanged, Gap, RegistryChange, RegistryChangeKind, StateChanged
from exchanges_db.registry.differences import find_registry_changes
from exchanges_db.registry.state import Counts, RegistryState
from exchanges_db.symbols.enums import SymbolKind
from tests.acceptance.command import PROGRAM, Terminal, ok, run
from tests.acceptance.test_cli_interrupt import heeded, started
from tests.factories import connected
from tests.fix_server import url_of
from tests.payload_rows import MEXC, SPOT
from tests.registry_snapshots import START, at, place, snapshot, symbol
from tests.unit.test_registry_changes import CASES, LIST

__all__ = ["heeded"]


CUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'exchanges_db registry' AND datname = current_database()"""


@contextmanager
def watching(dsn: Dsn, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Start it, and give its first line; it is ended whatever happens."""
    process = started("watch", *arguments, url=url_of(dsn))
    try:
        yield process, line_of(process)
    finally:
        process.kill()
        process.communicate()


async def send(dsn: Dsn, *statements: str) -> None:
    """Have a session of its own say these."""
    async with connected(dsn) as other:
        for statement in statements:
            await other.execute(statement)


def line_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line, which is one JSON object."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=60)[1]
    document = json.loads(line)
    assert isinstance(document, dict)
    return document


def ended(process: subprocess.Popen[str], number: int) -> tuple[int, str]:
    """Send a signal, and return the exit code and what was said on stderr."""
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in out + err
    return process.returncode, err


def test_each_change_is_a_line_as_it_comes(stocked_dsn: Dsn) -> None:
    """First where it begins; then what happens, in order, until it is told to end."""
    url = url_of(stocked_dsn)
    with watching(stocked_dsn) as (process, first):
        assert first == {"kind": "SNAPSHOT", "epoch": first["epoch"], "token": first["token"], "state": "LIVE",
                         "exchanges": 3, "symbols": 4}  # fmt: skip
        ok("deactivate", SPOT, url=url)
        ok("fees", "set", SPOT, "--maker", "0.0000000001", "--taker", "1e-4", url=url)
        off, fees = line_of(process), line_of(process)
        code, said = ended(process, signal.SIGINT)
    assert (code, said.strip().splitlines()[1:]) == (130, [])
    assert first["epoch"] < off["epoch"] < fees["epoch"]
    assert (off["kind"], off["exchange"]) == ("EXCHANGE_DEACTIVATED", SPOT)
    assert off["fields"] == [{"field": "is_active", "old": True, "new": False}]
    assert (fees["kind"], fees["after"]["maker"], fees["after"]["taker"]) == ("FEES_SET", "0.0000000001", "0.0001")


def test_only_what_was_asked_for_whether_the_database_is_away_or_not(stocked_dsn: Dsn) -> None:
    """Of one exchange, and without the lists; that its connections were cut stops nothing, and SIGTERM ends it."""
    with watching(stocked_dsn, "--exchange", SPOT, "--quiet-lists", "--json") as (process, first):
        assert (first["exchanges"], first["symbols"]) == (1, 2)
        asyncio.run(send(stocked_dsn, "UPDATE symbol_lists SET observed_at = now()", CUT))
        lost, back = line_of(process), line_of(process)
        ok("hold", MEXC, "--reason", "another", url=url_of(stocked_dsn))
        ok("hold", SPOT, "--reason", "a drill", url=url_of(stocked_dsn))
        held = line_of(process)
        code, said = ended(process, signal.SIGTERM)
    assert [one["kind"] for one in (lost, back)] == ["STATE_CHANGED"] * 2
    assert [(one["before"], one["after"]) for one in (lost, back)] == [("LIVE", "STALE"), ("STALE", "LIVE")]
    assert "57P01" in lost["why"] or "connection" in lost["why"]  # the driver drops the reason where it was not waiting
    assert (held["kind"], held["exchange"], held["after"]["reason"]) == ("HOLD_SET", SPOT, "a drill")
    assert code == 143
    assert said.splitlines()[-1] == "SIGTERM: stopping"


def test_a_reader_that_has_gone_ends_it(stocked_dsn: Dsn) -> None:
    """Also while nothing changes; as `watch | head -1` does."""
    process = subprocess.Popen(
        [PROGRAM, "watch"], env={**os.environ, "DATABASE_URL": url_of(stocked_dsn)}, cwd=tempfile.gettempdir(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=30) == 141
    assert process.stderr is not None
    assert len(process.stderr.read().splitlines()) == 1  # that it loads
    process.stderr.close()


def test_an_exchange_that_is_not_there_is_refused(shared_dsn: Dsn) -> None:
    """Rather than watched for ever without a word."""
    result = run("watch", "--exchange", "NOTHING", url=url_of(shared_dsn))
    assert (result.returncode, result.stdout) == (1, "")
    assert "there is no exchange 'NOTHING': the database has GATEIO_" in result.stderr


def test_on_a_terminal_it_is_drawn_in_place(stocked_dsn: Dsn) -> None:
    """A header with the state, the lists with their age, and that nothing has changed yet."""
    result = run("watch", "--for", "1s", url=url_of(stocked_dsn), stdout=Terminal)
    assert result.returncode == 0, result.stderr
    assert "\x1b[1A" in result.stdout  # up again, to draw over it
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", result.stdout).split("LIVE")[-1]
    assert re.search(r"lag \d\.\d s  position \d+  exchanges 3  symbols 4", last)
    assert re.search(r"GATEIO_SPOT +SPOT +[-\d]", last)
    assert "no changes yet" in last


def test_on_a_dumb_terminal_no_column_is_cut(stocked_dsn: Dsn) -> None:
    """What is drawn there has 80 columns, however wide it is."""
    result = run("watch", "--for", "1s", url=url_of(stocked_dsn), stdout=Terminal, TERM="dumb")
    assert result.returncode == 0, result.stderr
    times = re.findall(r"2\d{3}-\d\d-\S*", result.stdout)
    assert times
    assert all(time.endswith("Z") for time in times)


EVERY: list[RegistryChange] = [
    *(
        find_registry_changes(snapshot(*([was] if was else [])), snapshot(*([now] if now else []), epoch=9), None)[0]
        for _, _, was, now in CASES
    ),
    *(
        AmbiguityChanged(kind=kind, position=at(9), base="B1", quote="USDT", symbol_kind=of, candidates=names)
        for kind, of, names in (
            (RegistryChangeKind.AMBIGUITY_BEGUN, None, tuple(f"B1_{number}" for number in range(2000))),
            (RegistryChangeKind.AMBIGUITY_BEGUN, SymbolKind.OPTION, ("B1_1", "B1_2")),
            (RegistryChangeKind.AMBIGUITY_ENDED, None, ("B1_1",)),
            (RegistryChangeKind.AMBIGUITY_ENDED, SymbolKind.OPTION, ()),
        )
    ),
    StateChanged(
        kind=RegistryChangeKind.STATE_CHANGED, position=at(3), before=RegistryState.LIVE, after=RegistryState.STALE,
        why="away",
    ),
    Gap(kind=RegistryChangeKind.GAP, position=at(4), since=at(2), why="too slow"),
    Gap(kind=RegistryChangeKind.GAP, position=at(4), since=None, why="too slow"),
]  # fmt: skip


def test_every_kind_of_change_has_a_line_and_a_row() -> None:
    """With all that it says; a symbol by its names."""
    assert {change.kind for change in EVERY} == set(RegistryChangeKind)
    for change in EVERY:
        document = json.loads(json_text(change_document(change)))
        assert (document["kind"], document["epoch"]) == (change.kind, change.position.epoch)
        said = set(msgspec.structs.asdict(change)) - {"position"}
        named = {"before", "after", "symbol"} if "symbol_id" in document and "account" not in document else set()
        listing = {"listing", "before", "after"} if "list" in document else set()
        assert said - named - listing - {"before", "after"} <= document.keys() | {"exchange", "exchange_id"}
        assert len(change_row(change)) == 5


class Watched:
    """What a view asks of its registry."""

    state = RegistryState.STALE
    lag = 3.25

    def __init__(self) -> None:
        places = [place(symbol(1), symbol(2), lists=(LIST,))]
        self.snapshot = snapshot(*places, epoch=77)

    def now(self) -> Any:
        """A day after the list was observed."""
        return START + timedelta(days=1, hours=2)

    def stats(self) -> Any:
        """With why it is stale, which is not what failed last."""
        return Counts(last_error="yesterday").stats(why_stale=f"{'it answers nothing, ' * 5}the wire is\x1b cut")


@pytest.mark.parametrize("width", [0, 1])
def test_a_terminal_that_says_it_has_no_width_is_no_error(width: int) -> None:
    """As with COLUMNS=0."""
    assert "".join(View(Watched(), frozenset()).lines(width, 6)).startswith("STALE")  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [20, 40, 80, 300])
@pytest.mark.parametrize("height", [6, 24, 100])
def test_a_view_fits_and_alters_nothing(width: int, height: int) -> None:
    """No line is wider, none is too many, and the newest change is there, whole."""
    view = View(Watched(), frozenset())  # type: ignore[arg-type]  # all that it uses
    small = symbol(price_tick=Decimal("0.0000000001"))
    (change,) = find_registry_changes(snapshot(place(symbol())), snapshot(place(small), epoch=2), None)
    for one in [*EVERY, change]:
        view.add(one)
    lines = view.lines(width, height)
    assert max(map(cell_len, lines)) <= width  # what is wider, a terminal does not show
    assert len(lines) <= height
    text = "".join(lines)
    assert "STALE" in text
    assert "position 77" in text
    assert "the wire is\\x1b cut" in text or height < 24
    assert "1d 2h" in text or height < 24
    assert "price_tick: 0.05 -> 0.0000000001" in re.sub(" +", " ", text) or height < 24 or width < 80
    assert "\x1b" not in text
