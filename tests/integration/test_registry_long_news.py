"""News of many symbols come in parts: one long statement would be given up, again and again, and never be over."""

import asyncio
from typing import Any

import pytest

from exchanges_db import Database, import_symbols
from exchanges_db.database.dsn import Dsn
from exchanges_db.registry import loading
from exchanges_db.registry.documents import Documents
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.symbols.models import NamedSymbol
from exchanges_sql.registry import AsyncQuerier
from tests.factories import connected
from tests.payload_rows import SPOT, many, payload
from tests.registry_snapshots import loaded

RARE = RegistrySettings(poll_interval=60)
SYMBOLS, EACH = 23, 5
CHANGE_ALL = "UPDATE symbols SET min_notional = coalesce(min_notional, 0) + 1 WHERE status IS NOT NULL"
NAME_ONE = """
    INSERT INTO symbols (exchange_id, native_symbol, base, quote, sides, api_tradable)
    SELECT id, 'NEWCOMER_USDT', 'NEWCOMER', 'USDT', 'NONE', false FROM exchanges WHERE enum_value = $1
"""


@pytest.fixture
async def registry_dsn(dsn: Dsn, monkeypatch: pytest.MonkeyPatch) -> Dsn:
    """More symbols than are asked for at once."""
    monkeypatch.setattr(loading, "_EACH", EACH)
    async with Database(dsn) as db:
        await import_symbols(SPOT, payload(SPOT, many(SPOT, SYMBOLS)), db=db)
    return dsn


async def test_no_answer_has_more_symbols_than_are_asked_for_at_once(
    registry_dsn: Dsn, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    read = Documents.symbols

    def counted(self: Documents, document: str) -> list[Any]:
        found = read(self, document)
        counts.append(len(found))
        return found

    monkeypatch.setattr(Documents, "symbols", counted)
    async with Registry(registry_dsn, settings=RARE) as registry, connected(registry_dsn) as conn:
        counts.clear()
        async with conn.transaction():
            await conn.execute(CHANGE_ALL)
            await conn.execute(NAME_ONE, SPOT)
        await registry.refresh()
        assert sum(counts) >= SYMBOLS
        assert max(counts) <= EACH
        assert (registry.stats().loads, registry.stats().losses) == (1, 0)
        place = registry.snapshot.places[SPOT]
        assert registry.snapshot == await loaded(conn)
    assert [one.native_symbol for one in place.named.values() if isinstance(one, NamedSymbol)] == ["NEWCOMER_USDT"]


async def test_parts_are_of_one_moment(registry_dsn: Dsn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where all is changed again between one part and the next."""
    changed = asyncio.Event()

    async with Registry(registry_dsn, settings=RARE) as registry, connected(registry_dsn) as conn:
        seen: list[set[Any]] = []

        class Watcher:
            def moved(self, before: object, after: Any, news: object) -> None:
                del before, news
                seen.append({(one.min_notional, one.spec_version) for one in after.places[SPOT].symbols.values()})

            def stale(self, error: object) -> None:
                pass

            def fresh(self, snapshot: object) -> None:
                pass

        ask = AsyncQuerier.get_registry_symbols_of

        async def slowly(self: Any, *, ids: list[int]) -> Any:
            if not changed.is_set():
                changed.set()
                await conn.execute(CHANGE_ALL)
            return await ask(self, ids=ids)

        monkeypatch.setattr(AsyncQuerier, "get_registry_symbols_of", slowly)
        watcher = Watcher()
        registry.follow(watcher)
        await conn.execute(CHANGE_ALL)
        await registry.refresh()
        await asyncio.wait_for(changed.wait(), 20)
        await registry.refresh()
        assert registry.snapshot == await loaded(conn)
    assert [len(each) for each in seen] == [1, 1, 1]
    assert len(set(map(frozenset, seen))) == 3


LONG = """
    INSERT INTO registry_changes (changed, ids, transaction_id, epoch, token, committed_at)
    SELECT 'SYMBOLS', ARRAY(SELECT generate_series(1, 1000)), '1', e, gen_random_uuid(), now()
    FROM (SELECT nextval('registry_epoch_seq') AS e FROM generate_series(1, $1::integer)) AS given
"""


@pytest.mark.parametrize(("entries", "loads"), [(900, 1), (1000, 2)])
async def test_of_a_log_that_is_longer_than_all_there_is_nothing_is_read(dsn: Dsn, entries: int, loads: int) -> None:
    """Ten million ids took 17 s: a registry that begins with a file would give it up, and ask again, for ever."""
    settings = RegistrySettings(poll_interval=60, answer_timeout=30)
    async with Registry(dsn, settings=settings) as registry, connected(dsn) as conn:
        await conn.execute(LONG, entries)
        await registry.refresh()
        assert (registry.stats().loads, registry.stats().losses) == (loads, 0)
        assert registry.snapshot == await loaded(conn)
