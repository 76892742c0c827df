"""The views that others build on: what docs/views.md says of them is run as it stands there, and compiled by sqlc."""

import re
import shutil
import subprocess
from pathlib import Path

import asyncpg
import pytest
import yaml

from exchanges_db import deactivate_exchange
from exchanges_db.schema.sql_files import migrations_directory
from tests.fix_server import ROOT
from tests.symbol_rows import insert

TEXT = (ROOT / "docs/views.md").read_text()
EXAMPLES = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)
(CONFIGURATION,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
TRADES = "CREATE TABLE trades (symbol_id integer NOT NULL, traded_at timestamptz NOT NULL, price numeric NOT NULL)"
SPECIFICATION = [
    "native_symbol", "symbol", "base", "quote", "settle", "kind", "direction", "contract_size", "strike",
    "option_type", "price_tick", "tick_assumed", "quantity_step", "step_assumed", "price_decimals",
    "quantity_decimals", "min_quantity", "max_quantity", "min_notional", "max_notional", "market_min_quantity",
    "market_max_quantity", "market_min_notional", "market_max_notional", "price_band_up", "price_band_down",
    "price_band_of", "market_slip_ratio", "order_types", "leverage_min", "leverage_max", "initial_margin_rate",
    "maintenance_margin_rate", "funding_interval", "funding_cap", "max_open_orders", "margin_allowed", "full_name",
    "contract_address", "is_risky", "is_premarket", "asset_class", "list_maker_fee", "list_taker_fee", "status",
    "is_live", "sides", "api_tradable", "buy_opens_at", "sell_opens_at", "delisting_at", "delisted_at", "expires_at",
    "exchange_changed_at", "spec_version", "source", "observed_at", "created_at", "updated_at",
]  # fmt: skip
# A release may add to the end of these, and do nothing else to them.
PROMISED = {
    "current_symbols": [
        "exchange", "id", "exchange_id", *SPECIFICATION, "exchange_is_active", "confirmed_at", "is_doubtful",
        "doubtful_since", "doubt", "is_held",
    ],
    "symbol_versions": [
        "exchange", "id", "exchange_id", *SPECIFICATION, "valid_from", "valid_to", "valid", "operation", "ended_by",
        "application_name",
    ],
}  # fmt: skip


@pytest.mark.parametrize("view", PROMISED)
async def test_columns_are_only_added_at_the_end(conn: asyncpg.Connection, view: str) -> None:
    """Programs of others read them by place and by name, with the types of the tables."""
    rows = await conn.fetch(
        """SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type, format_type(t.atttypid, NULL) AS own
           FROM pg_attribute AS a
           LEFT JOIN pg_attribute AS t ON t.attrelid = 'symbols'::regclass AND t.attname = a.attname
           WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 ORDER BY a.attnum""",
        view,
    )
    assert [row["attname"] for row in rows][: len(PROMISED[view])] == PROMISED[view]
    assert {row["attname"]: row["type"] for row in rows if row["own"] not in (None, row["type"])} == {}


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
async def test_every_example_runs_and_finds_something(conn: asyncpg.Connection, example: str) -> None:
    """On a symbol whose tick has changed, and trades of before and after."""
    symbol = await insert(conn, exchange_id=2, native_symbol="BTC_USDT")
    await conn.execute(TRADES)
    for tick in ("0.01", "0.02"):
        await conn.execute("UPDATE symbols SET price_tick = $1::text::numeric", tick)
        await conn.execute("INSERT INTO trades VALUES ($1, clock_timestamp(), 0.03)", symbol)
    rows = await conn.fetch(example)
    assert rows
    if "on_tick" in rows[0]:
        assert [row["on_tick"] for row in rows] == [True, False]


async def test_the_views_tell_what_is_known_beside_a_symbol(conn: asyncpg.Connection) -> None:
    """Doubts, holds that have not run out, and whether its exchange is switched on."""
    symbol = await insert(conn)
    seen = "SELECT exchange_is_active, is_doubtful, doubt, is_held FROM current_symbols"
    assert tuple(await conn.fetchrow(seen) or ()) == (True, False, None, False)
    await conn.execute(
        "INSERT INTO symbol_doubts (symbol_id, brake, reason, since) VALUES ($1, 'JUMP', 'x', now())", symbol
    )
    await conn.execute("INSERT INTO holds (exchange_id, sides, reason) VALUES (1, 'BUY', 'x')")
    await deactivate_exchange(1, db=conn)
    assert tuple(await conn.fetchrow(seen) or ()) == (False, True, "x", True)
    await conn.execute("UPDATE holds SET until_at = '2001-01-01'")
    assert await conn.fetchval("SELECT is_held FROM current_symbols") is False


async def test_versions_of_a_deleted_exchange_keep_its_last_name(conn: asyncpg.Connection) -> None:
    """And lie side by side, so that one moment has one version."""
    await insert(conn)
    await conn.execute("UPDATE symbols SET price_tick = 7")
    await conn.execute("DELETE FROM symbols")
    await conn.execute("DELETE FROM exchanges WHERE id = 1")
    rows = await conn.fetch("SELECT * FROM symbol_versions ORDER BY spec_version")
    assert [(row["exchange"], row["operation"]) for row in rows] == [("MEXC_SPOT", "UPDATE"), ("MEXC_SPOT", "DELETE")]
    for row in rows:
        held = await conn.fetch(
            "SELECT spec_version FROM symbol_versions WHERE valid @> $1::timestamptz", row["valid_from"]
        )
        assert [one["spec_version"] for one in held] == [row["spec_version"]]


def test_an_sqlc_project_of_ones_own_compiles_against_the_views(tmp_path: Path) -> None:
    """By the configuration of the document, with its examples as queries; no plugin is needed for that."""
    configuration = yaml.safe_load(CONFIGURATION)
    shutil.copytree(migrations_directory(), tmp_path / "exchanges_db/migrations")
    (tmp_path / "schema.sql").write_text(f"{TRADES};\n")
    (tmp_path / "queries.sql").write_text(
        "\n".join(f"-- name: Example{number} :many\n{example}" for number, example in enumerate(EXAMPLES))
        + "\n-- name: Held :many\nSELECT * FROM public.symbol_versions WHERE id = $1 AND valid @> $2::timestamptz;\n"
    )
    (tmp_path / "sqlc.yaml").write_text(yaml.safe_dump(configuration))
    result = subprocess.run(["sqlc", "generate"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    written = next((tmp_path / "out").iterdir()).read_text()
    assert written.count('"price_tick"') > 1
