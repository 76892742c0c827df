"""Every block of Python in docs/registry.md runs, and prints what stands beside it."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exchanges_db import Database, RegistrySettings, hold_symbol
from exchanges_db.database.dsn import Dsn
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.state import RegistryState
from tests.contract.test_document_code import code_of
from tests.factories import connected
from tests.fix_server import ROOT, url_of
from tests.payload_rows import FUTURES
from tests.symbol_rows import insert

CODE = code_of((ROOT / "docs/registry.md").read_text(encoding="utf-8"))
PRINTED = re.compile(r"^ *print\(.*\)  # (.+)$", re.MULTILINE)
# What is called here by hand, or called by those that are.
HELD = "wrong prices"
AT_HAND = {"main", "follow", "without_asyncio", "listed", "ambiguous", "put", "begin", "from_a_file"}
NOWHERE = "postgresql://localhost:1/nowhere?sslmode=disable"
PERPETUAL = {"exchange_id": 3, "native_symbol": "NEW_USDT", "symbol": "NEW/USDT:USDT", "base": "NEW"}


def expected(function: Callable[..., Any]) -> list[str]:
    """What a function of the document prints, as its comments say."""
    first = function.__code__.co_firstlineno - 1
    block = CODE.splitlines()[first:]
    end = next((n for n, line in enumerate(block[1:], 1) if line and not line.startswith((" ", "#"))), len(block))
    return PRINTED.findall("\n".join(block[:end]))


@pytest.fixture
async def url(stocked_dsn: Dsn, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database in which a pair is ambiguous and something is held."""
    monkeypatch.setenv("DATABASE_URL", url_of(stocked_dsn))
    async with Database(stocked_dsn) as db, connected(stocked_dsn) as other:
        await hold_symbol(FUTURES, "ETH_USDT", reason=HELD, db=db)
        names = {"native_symbol": "BTC_USDT_20270101", "symbol": "BTC/USDT:USDT-270101"}
        await insert(other, "future", exchange_id=3, **names)
    return url_of(stocked_dsn)


async def test_the_code_of_the_document_does_what_it_says(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it: a function that is not run here is one too many."""
    names: dict[str, Any] = {"__name__": "document"}
    await asyncio.to_thread(exec, compile(CODE, "docs/registry.md", "exec"), names)  # with its own event loop
    assert re.match(r"\d+ 65000\.1 [\d.e-]+\n", capsys.readouterr().out)
    functions = {name: one for name, one in names.items() if inspect.isfunction(one) and one.__module__ == "document"}
    called = []
    async with Registry(url) as registry:
        for name, function in functions.items():
            if name not in AT_HAND:
                function(registry)
                assert capsys.readouterr().out.splitlines() == expected(function) != []
                called.append(name)
    assert set(called) | AT_HAND == functions.keys()
    await asyncio.to_thread(names["without_asyncio"])
    assert capsys.readouterr().out.splitlines() == expected(names["without_asyncio"]) != []


async def test_the_starts_with_a_file_do_what_the_document_says(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """First there is no file, then there is one and no database; at last nobody opens a registry at all."""
    names: dict[str, Any] = {"__name__": "document"}
    await asyncio.to_thread(exec, compile(CODE, "docs/registry.md", "exec"), names)
    path = str(tmp_path / "registry.snapshot")
    first = await names["begin"](path, url)
    assert first.state is RegistryState.LIVE
    await first.save(path)
    await first.close()
    second = await names["begin"](path, NOWHERE)
    assert second.state is RegistryState.STALE
    assert second.exchange(FUTURES).enum_value == FUTURES
    await second.close()
    capsys.readouterr()
    names["from_a_file"](path)
    assert capsys.readouterr().out.splitlines() == expected(names["from_a_file"]) != []


async def test_hooks_collector_and_changes_of_the_document(
    url: str, stocked_dsn: Dsn, capsys: pytest.CaptureFixture[str]
) -> None:
    """A symbol is listed while its first ticks wait, then its pair becomes ambiguous."""
    names: dict[str, Any] = {"__name__": "document"}
    await asyncio.to_thread(exec, compile(CODE, "docs/registry.md", "exec"), names)
    async with Registry(url, settings=RegistrySettings(poll_interval=60)) as registry, connected(stocked_dsn) as other:
        hooks = {"on_listed": names["listed"], "on_ambiguous": names["ambiguous"]}
        view = registry.view(FUTURES, "PERPETUAL", **hooks)
        ticks = names["Ticks"](registry)
        following = asyncio.create_task(names["follow"](registry))
        for price in ("1.5", "1.6"):
            ticks.take("NEW_USDT", price)
        ticks.take("BTC_USDT", "64123.4")
        btc = view.ids["BTC_USDT"]
        assert ticks.written == [(btc, "64123.4")]
        capsys.readouterr()
        new = await insert(other, "linear", **PERPETUAL)
        await registry.refresh()
        await asyncio.sleep(0)  # hooks are called by the loop
        assert ticks.written == [(btc, "64123.4"), (new, "1.5"), (new, "1.6")]
        assert ticks.waiting == {}
        second = {**PERPETUAL, "native_symbol": "NEW2_USDT", "symbol": "NEW2/USDT:USDT"}
        await insert(other, "linear", **second)
        await registry.refresh()
        await asyncio.sleep(0)
        following.cancel()
        told = capsys.readouterr().out
    assert "new: NEW_USDT\n" in told
    assert "ask by name from now on: ('NEW2_USDT', 'NEW_USDT')\n" in told
    assert "SYMBOL_LISTED GATEIO_FUTURES" in told
