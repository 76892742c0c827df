"""What a process tells of itself while it works on a real server: stats, metrics, log records."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exchanges_db import (
    Database,
    DatabaseStats,
    ImportRefused,
    PayloadError,
    get_all_exchanges,
    get_exchange_by_enum,
    get_freshness,
    hold_symbol,
    import_symbols,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.metrics import Gauges
from exchanges_db.events import PREFIX
from tests.fix_server import ROOT, url_of
from tests.payload_rows import SPOT, many, payload, spot

PROGRAM = ROOT / "tests/integration/sight_process.py"


def spots(names: list[str]) -> bytes:
    return payload(SPOT, [spot(name) for name in names])


def with_fields(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """Return the fields of each record of an event."""
    records = [record.__dict__ for record in caplog.records if record.name == "exchanges_db"]
    found = [record for record in records if record[f"{PREFIX}event"] == event]
    return [
        {name.removeprefix(PREFIX): value for name, value in record.items() if name.startswith(PREFIX)}
        for record in found
    ]


def test_a_real_exporter_writes_all_of_it_to_a_file(dsn: Dsn, tmp_path: Path) -> None:
    """From a process of its own: a provider is set once per process."""
    listed, written = tmp_path / "payload.json", tmp_path / "metrics.json"
    listed.write_bytes(spots(["BTC", "ETH"]))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAM), url_of(dsn), str(listed), str(written)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    metrics = {
        metric["name"]: metric["data"]["data_points"]
        for scope in lines[0]["resource_metrics"][0]["scope_metrics"]
        for metric in scope["metrics"]
        if scope["scope"]["name"] == "exchanges_db"
    }
    host, port = dsn.hosts[0]
    (looked_up,) = metrics["exchanges_db.lookups"]
    assert looked_up["value"] >= 3
    assert looked_up["attributes"] == {"db.client.connection.pool.name": f"{host}:{port}/{dsn.database}"}
    (imported,) = metrics["exchanges_db.imports"]
    assert (imported["value"], imported["attributes"]["exchanges_db.outcome"]) == (1, "APPLIED")
    (age,) = metrics["exchanges_db.list.age"]
    assert 0 <= age["value"] < 60
    assert age["attributes"] == {"exchanges_db.exchange": SPOT, "exchanges_db.listing": "SPOT"}
    used = {
        point["attributes"]["db.client.connection.state"]: point["value"]
        for point in metrics["db.client.connection.count"]
    }
    assert used == {"idle": 1, "used": 0}


async def test_stats_count_and_ask_nothing(database: Database) -> None:
    before = database.stats()
    assert isinstance(before, DatabaseStats)
    await get_exchange_by_enum("MEXC_SPOT", db=database)
    await get_all_exchanges(db=database)
    await update_exchange(1, {"display_name": "x"}, db=database)
    async with database.transaction() as transaction:
        await get_all_exchanges(db=transaction)
        within = database.stats()
    after = database.stats()
    assert (after.lookups - before.lookups, after.writes - before.writes) == (2, 1)
    assert after.transactions - before.transactions == 1
    assert (within.in_use, within.idle, after.in_use, after.idle, after.open) == (1, 0, 0, 1, 1)
    assert (after.opened, after.reconnects, after.retries, after.pool_waits) == (1, 0, 0, 0)
    assert after.pool_max == database.settings.pool_max


async def test_each_end_of_an_import_is_counted_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run is none."""
    gauges = Gauges()
    gauges._is_shown = True
    for module in ("importing", "ledger", "freshness"):
        monkeypatch.setattr(f"exchanges_db.symbols.{module}.gauges", gauges)
    rows = many(SPOT, 10)
    listed = payload(SPOT, rows)
    await import_symbols(SPOT, listed, dry_run=True, db=database)
    assert gauges._imports == {}
    for _ in range(2):
        await import_symbols(SPOT, listed, db=database)
    with pytest.raises(ImportRefused):
        await import_symbols(SPOT, payload(SPOT, rows[:1]), db=database)
    with pytest.raises(PayloadError):
        await import_symbols(SPOT, b"{", db=database)
    assert gauges._imports == {
        (SPOT, "SPOT", "APPLIED"): 1,
        (SPOT, "SPOT", "UNCHANGED"): 1,
        (SPOT, "SPOT", "REFUSED"): 1,
        (SPOT, "unknown", "FAILED"): 1,
    }
    gauges._lists.clear()
    await get_freshness(db=database)
    assert gauges._lists.keys() == {(SPOT, "SPOT")}


async def test_records_carry_their_event_and_its_figures(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await import_symbols(SPOT, spots(["BTC", "ETH"]), db=database)
    (imported,) = with_fields(caplog, "imported")
    seconds = imported.pop("seconds")
    assert 0 < seconds < 60
    assert imported == {
        "event": "imported",
        "exchange": SPOT,
        "listing": "SPOT",
        "outcome": "APPLIED",
        "changes": 2,
        "unchanged": 0,
        "held_back": 0,
    }
    await hold_symbol(SPOT, "BTC/USDT", reason="audit", db=database)
    assert with_fields(caplog, "hold_set") == [
        {"event": "hold_set", "exchange": SPOT, "symbol": "BTC/USDT", "sides": "ALL"}
    ]
