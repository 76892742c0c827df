"""The example over ccxt's markets, from a client that needs no network to the rows of the database."""

import importlib.util
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from exchanges_db import Obstacle, SymbolStatus, can_trade, get_symbol_by_native
from tests.fix_server import ROOT
from tests.unit.test_ccxt_markets import BINANCE_COIN_M, BINANCE_SPOT, KRAKEN_SPOT, market

_spec = importlib.util.spec_from_file_location("ccxt_markets_example", ROOT / "examples/ccxt_markets.py")
assert _spec is not None
assert _spec.loader is not None
example = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(example)


def serve(monkeypatch: pytest.MonkeyPatch, *markets: dict[str, Any]) -> None:
    """Put a ccxt in place whose client of any exchange has these markets."""

    def client(config: dict[str, Any]) -> SimpleNamespace:
        assert config == {"number": str}
        return SimpleNamespace(fetch_markets=lambda: list(markets), precisionMode=4)

    monkeypatch.setitem(sys.modules, "ccxt", SimpleNamespace(kraken=client, __version__="4.5.90"))


async def test_a_list_is_imported_with_its_source(
    default_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only what is of the list; what was rejected is told."""
    unknown = market("ODD", "ODD/USD", precision={"price": None})
    serve(monkeypatch, KRAKEN_SPOT, BINANCE_SPOT, BINANCE_COIN_M, unknown)
    await example.main("kraken", "MEXC_SPOT", "SPOT")
    said = capsys.readouterr()
    assert "1 rejected" in said.out
    assert "rejected: ODD ccxt gives no precision.price" in said.err
    found = await get_symbol_by_native("MEXC_SPOT", "XXBTZUSD")
    assert found is not None
    assert (found.source, found.status, found.symbol) == ("ccxt 4.5.90", SymbolStatus.TRADING, "BTC/USD")
    assert await get_symbol_by_native("MEXC_SPOT", "BTCUSD_PERP") is None


async def test_what_cannot_be_read_any_more_is_not_taken_for_delisted(
    default_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays as it was, and is closed until it can be read again; the others are imported."""
    serve(monkeypatch, KRAKEN_SPOT, BINANCE_SPOT)
    await example.main("kraken", "MEXC_SPOT", "SPOT")
    serve(monkeypatch, {**KRAKEN_SPOT, "precision": {}}, {**BINANCE_SPOT, "active": False})
    await example.main("kraken", "MEXC_SPOT", "SPOT")
    for native, status in (("XXBTZUSD", SymbolStatus.TRADING), ("BTCUSDT", SymbolStatus.HALTED)):
        found = await get_symbol_by_native("MEXC_SPOT", native)
        assert found is not None
        assert found.status is status
    assert (await can_trade("MEXC_SPOT", "XXBTZUSD", "BUY")).obstacles == (Obstacle.DOUBTFUL,)


async def test_an_exchange_without_one_tick_per_symbol_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked."""
    serve(monkeypatch)
    with pytest.raises(SystemExit, match="upbit: its ticks grow with the price"):
        await example.main("upbit", "MEXC_SPOT", "SPOT")
