"""`exchanges-db snapshot`: saved from a database, shown and verified without one, and measured against one."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

from exchanges_db import get_symbols_by_ids
from exchanges_db.database.dsn import Dsn
from exchanges_db.registry.file import read_snapshot, write_snapshot
from tests.acceptance.command import Terminal, ok, run
from tests.factories import connected
from tests.fix_server import url_of
from tests.snapshots import NOW, a_snapshot


async def _execute(dsn: Dsn, statement: str) -> None:
    async with connected(dsn) as connection:
        await connection.execute(statement)


async def _stored(dsn: Dsn) -> tuple[int, dict[int, Any]]:
    async with connected(dsn) as connection:
        ids = [row["id"] for row in await connection.fetch("SELECT id FROM symbols WHERE status IS NOT NULL")]
        epoch = await connection.fetchval("SELECT max(epoch) FROM registry_changes")
        return epoch, await get_symbols_by_ids(ids, db=connection)


def test_what_is_saved_is_what_the_database_has(stocked_dsn: Dsn, tmp_path: Path) -> None:
    """Every symbol with every field, at the epoch that the log had reached; and the program tells so."""
    url, path = url_of(stocked_dsn), tmp_path / "registry.snapshot"
    ok("hold", "MEXC_SPOT", "--reason", "why", url=url)
    told = json.loads(ok("snapshot", "save", str(path), "--json", url=url))
    epoch, symbols = asyncio.run(_stored(stocked_dsn))
    found = read_snapshot(path)
    held = {number: one for place in found.snapshot.places.values() for number, one in place.symbols.items()}
    assert held.keys() == symbols.keys()
    for number, symbol in symbols.items():
        assert all(getattr(held[number], field) == getattr(symbol, field) for field in symbol.__struct_fields__)
    assert found.snapshot.places["MEXC_SPOT"].holds[None].reason == "why"
    assert told["path"] == str(path)
    assert (told["epoch"], told["token"]) == found.snapshot.position == (epoch, told["token"])
    assert (told["symbols"], told["bytes"]) == (len(symbols), path.stat().st_size)
    assert told["holds"] == len(json.loads(ok("symbols", "holds", "--json", url=url)))


def test_what_is_in_a_file_is_shown_without_a_database(tmp_path: Path) -> None:
    """As tables on a terminal, as lines of a name and a value in a pipe, as JSON."""
    path = tmp_path / "registry.snapshot"
    write_snapshot(path, a_snapshot(), NOW)
    document = json.loads(ok("snapshot", "show", str(path), "--json", url=None))
    assert (document["epoch"], document["saved_at"], document["symbols"]) == (7, "2026-01-31T12:00:00Z", 3)
    assert document["age_seconds"] >= 0
    assert document["symbols_by_kind"][0] == {"exchange": "E1", "kind": "SPOT", "symbols": 3, "live": 3}
    assert [one["native_symbol"] for one in document["holds"]] == [None, "C1_USDT"]
    assert document["lists"][0]["list"] == "SPOT"
    lines = ok("snapshot", "show", str(path), url=None).splitlines()
    assert {line.count("\t") for line in lines} == {1}
    assert {"E1 SPOT\t3 symbols, 3 live", "E1 name only\t1 symbols, 0 live", "E1 held\tC1_USDT ALL: why"} <= set(lines)
    for width in (40, 80, 120):
        shown = run("snapshot", "show", str(path), url=None, stdout=Terminal, COLUMNS=str(width), NO_COLOR="1")
        below = shown.stdout.partition("\n\n")[2].splitlines()
        assert max(map(len, below)) <= width
        assert ("C1_USDT" in shown.stdout, "name only" in shown.stdout) == (True, True)


@pytest.mark.parametrize("command", ["show", "verify"])
def test_a_file_that_is_not_right_is_refused_in_one_line(tmp_path: Path, command: str) -> None:
    """Exit code 7, and what to do."""
    path = tmp_path / "registry.snapshot"
    write_snapshot(path, a_snapshot(), NOW)
    assert "whole\ttrue" in ok("snapshot", "verify", str(path), url=None)
    whole = path.read_bytes()
    for content in (whole[:-1], b"", b"x", whole.replace(b"keys", b"kegs"), None):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        result = run("snapshot", command, str(path), url=None, stdout=io.StringIO)
        assert (result.returncode, result.stdout, result.stderr.count("\n")) == (7, "", 1), result.stderr
        assert result.stderr.startswith(f"error: cannot start from '{path}': ")


@pytest.mark.parametrize("command", ["save", "show", "verify"])
def test_an_address_in_the_place_of_a_path_is_not_repeated(command: str, stocked_dsn: Dsn) -> None:
    """With its password it would stand in the log of whatever has run the command; exit code 2."""
    result = run("snapshot", command, "postgresql://bob:kanari@h/d", url=url_of(stocked_dsn))
    assert (result.returncode, result.stdout, "kanari" in result.stderr) == (2, "", False), result.stderr
    assert "the address of a database" in result.stderr


def test_a_file_that_cannot_be_written_is_told_of(stocked_dsn: Dsn, tmp_path: Path) -> None:
    """Exit code 7; what is no snapshot is not replaced."""
    notes = tmp_path / "notes"
    notes.write_text("mine")
    for path in (tmp_path / "no" / "folder", notes, tmp_path):
        result = run("snapshot", "save", str(path), url=url_of(stocked_dsn))
        assert (result.returncode, f"error: cannot save to '{path}': " in result.stderr) == (7, True), result.stderr
    assert notes.read_text() == "mine"


def against(path: Path, dsn: Dsn, code: int) -> dict[str, Any]:
    """What `verify` says of a database."""
    result = run("snapshot", "verify", str(path), "--against-database", "--json", url=url_of(dsn))
    assert result.returncode == code, result.stderr
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def test_how_far_the_database_has_gone_on_is_told(stocked_dsn: Dsn, dsn: Dsn, tmp_path: Path) -> None:
    """In epochs, and what has changed in them; and whether it is another timeline, or all is to be read anew."""
    path, url = tmp_path / "registry.snapshot", url_of(stocked_dsn)
    ok("snapshot", "save", str(path), url=url)
    assert against(path, stocked_dsn, 0)["database"] == "SAME"
    asyncio.run(_execute(stocked_dsn, "UPDATE symbols SET price_tick = price_tick * 10 WHERE id IN (1, 2)"))
    ok("hold", "MEXC_SPOT", "--reason", "why", url=url)
    told = against(path, stocked_dsn, 0)
    assert (told["database"], told["epochs_since"]) == ("MOVED_ON", 2)
    assert told["changed_since"] == {"HOLDS": 1, "SYMBOLS": 2}
    plain = run("snapshot", "verify", str(path), "--against-database", url=url)
    assert "changed SYMBOLS\t2" in plain.stdout
    assert "the database has moved on in 2 epochs since" in plain.stderr
    assert against(path, dsn, 1)["database"] == "OTHER"
    asyncio.run(_execute(stocked_dsn, "TRUNCATE holds"))
    assert against(path, stocked_dsn, 1)["database"] == "REPLACED"
    asyncio.run(_execute(stocked_dsn, _MANY_EPOCHS))
    told = against(path, stocked_dsn, 1)
    assert (told["database"], told["epochs_since"]) == ("FORGOTTEN", None)


def test_a_log_that_may_lack_changes_is_no_other_database(stocked_dsn: Dsn, tmp_path: Path) -> None:
    """It is said what is wrong with it, as `snapshot save` and a registry do, and not that the file is of elsewhere."""
    path, url = tmp_path / "registry.snapshot", url_of(stocked_dsn)
    ok("snapshot", "save", str(path), url=url)
    asyncio.run(_execute(stocked_dsn, "ALTER TABLE holds DISABLE TRIGGER holds_note_update"))
    saved = run("snapshot", "save", str(path), url=url)
    measured = run("snapshot", "verify", str(path), "--against-database", url=url)
    assert (measured.returncode, measured.stdout) == (saved.returncode, "")
    assert "exchanges-db validate" in saved.stderr
    assert measured.stderr.splitlines()[-1] == saved.stderr.splitlines()[-1]


def test_triggers_of_the_log_that_were_off_since_are_told(stocked_dsn: Dsn, tmp_path: Path) -> None:
    """The log knows the epoch of the file and names nothing since, and yet a registry reads everything anew."""
    path = tmp_path / "registry.snapshot"
    ok("snapshot", "save", str(path), url=url_of(stocked_dsn))
    asyncio.run(_execute(stocked_dsn, "ALTER TABLE holds DISABLE TRIGGER holds_note_delete"))
    asyncio.run(_execute(stocked_dsn, "DELETE FROM holds"))
    asyncio.run(_execute(stocked_dsn, "ALTER TABLE holds ENABLE ALWAYS TRIGGER holds_note_delete"))
    assert against(path, stocked_dsn, 1)["database"] == "REPLACED"
    measured = run("snapshot", "verify", str(path), "--against-database", url=url_of(stocked_dsn))
    assert "triggers that write the log were off or made anew: a registry reads all anew" in measured.stderr


# As after very many transactions, of which each hundredth deletes what is too old.
_MANY_EPOCHS = """
    SELECT setval('registry_epoch_seq', 199999);
    UPDATE exchanges SET precision_default = 5 WHERE id = 1;
"""


def test_the_database_is_not_asked_where_nobody_said_so(tmp_path: Path) -> None:
    """A file is verified on a machine that has none."""
    path = tmp_path / "registry.snapshot"
    write_snapshot(path, a_snapshot(), NOW)
    assert run("snapshot", "verify", str(path), url="postgresql://localhost:1/x").returncode == 0
    assert run("snapshot", "verify", str(path), "--against-database", url="postgresql://localhost:1/x").returncode == 3
