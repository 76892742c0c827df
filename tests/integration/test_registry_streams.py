"""What a registry tells as changes, beside a real server."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exchanges_db import (
    Database,
    Settings,
    deactivate_exchange,
    forget_account_fees,
    hold_exchange,
    import_symbols,
    release_exchange,
    set_account_fees,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.registry.changes import (
    AmbiguityChanged,
    HoldChanged,
    RegistryChange,
    RegistryChangeKind,
    StateChanged,
)
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.registry.state import RegistryState
from exchanges_db.registry.streams import ChangeStream
from tests.factories import connected
from tests.payload_rows import SPOT, many, payload
from tests.symbol_rows import insert
from tests.toxic_proxy import toxic_proxy

Kind = RegistryChangeKind
RARE = RegistrySettings(poll_interval=60)


async def read(stream: ChangeStream, count: int) -> list[RegistryChange]:
    """Return the next items."""
    async with asyncio.timeout(20):
        return [await anext(stream) for _ in range(count)]


async def test_transactions_come_in_the_order_of_their_commits(stocked_dsn: Dsn) -> None:
    """Each with its position and the server's time, and what one transaction did together."""
    async with Registry(stocked_dsn, settings=RARE) as registry, Database(stocked_dsn) as db:
        stream = registry.changes()
        async with db.transaction() as tx:
            await hold_exchange(SPOT, reason="a drill", db=tx)
            await set_account_fees(SPOT, maker="0.003", taker="0.004", db=tx)
            await deactivate_exchange(2, db=tx)
        first = await read(stream, 3)
        await hold_exchange(SPOT, reason="another", db=db)
        await release_exchange(SPOT, db=db)
        await forget_account_fees(SPOT, db=db)
        await registry.refresh()
        assert [item.kind for item in first] == [Kind.EXCHANGE_DEACTIVATED, Kind.HOLD_SET, Kind.FEES_SET]
        assert len({(item.position, item.committed_at) for item in first}) == 1
        assert first[0].committed_at is not None
        rest = await read(stream, 2)  # the hold that was replaced may have been released already
        while rest[-1].kind is not Kind.FEES_FORGOTTEN:
            rest += await read(stream, 1)
        kinds = [item.kind for item in rest]
        assert kinds in ([Kind.HOLD_REPLACED, Kind.HOLD_RELEASED, Kind.FEES_FORGOTTEN],
                         [Kind.HOLD_RELEASED, Kind.FEES_FORGOTTEN])  # fmt: skip
        assert first[0].position < rest[0].position < rest[-1].position == registry.position == stream.position
        assert {item.exchange for item in first + rest} == {SPOT}


async def test_an_import_is_its_symbols_and_then_its_list(dsn: Dsn) -> None:
    """A second one of the same list only confirms it."""
    async with Registry(dsn, settings=RARE) as registry, Database(dsn) as db:
        stream = registry.changes()
        await import_symbols(SPOT, payload(SPOT, many(SPOT, 3)), db=db)
        found = await read(stream, 4)
        await import_symbols(SPOT, payload(SPOT, many(SPOT, 3)), db=db)
        found += await read(stream, 1)
    assert [item.kind for item in found] == [*[Kind.SYMBOL_LISTED] * 3, Kind.LIST_CHANGED, Kind.LIST_CONFIRMED]
    async with asyncio.timeout(20):
        assert [item async for item in stream] == []  # the registry is closed


async def test_a_pair_that_becomes_ambiguous_is_told_of(stocked_dsn: Dsn) -> None:
    """With the transaction that lists its second symbol, after that one; and that it is so no longer."""
    async with Registry(stocked_dsn, settings=RARE) as registry, connected(stocked_dsn) as other:
        stream = registry.changes()
        native = "of another sort"
        await insert(other, exchange_id=2, native_symbol="OWN_USDT", symbol="OWN/USDT", base="OWN")
        await insert(other, "linear", exchange_id=2, native_symbol=native, symbol="OWN/USDT:USDT", base="OWN")
        _, listed, begun = await read(stream, 3)
        assert isinstance(begun, AmbiguityChanged)
        assert (begun.kind, begun.position) == (Kind.AMBIGUITY_BEGUN, listed.position)
        assert (begun.exchange, begun.base, begun.symbol_kind) == (SPOT, "OWN", None)
        assert begun.candidates == ("OWN_USDT", native)
        await other.execute("DELETE FROM symbols WHERE native_symbol = $1", native)
        assert [one.kind for one in await read(stream, 2)] == [Kind.SYMBOL_GONE, Kind.AMBIGUITY_ENDED]


async def test_what_a_reload_finds_is_told_as_changes(stocked_dsn: Dsn) -> None:
    """As after TRUNCATE, or a failover: the log says that everything may have changed."""
    async with Registry(stocked_dsn, settings=RARE) as registry, connected(stocked_dsn) as owner:
        stream = registry.changes()
        async with owner.transaction():
            await owner.execute("TRUNCATE public.holds")
            await owner.execute("UPDATE public.exchanges SET display_name = 'Another' WHERE id = 2")
        found = await read(stream, 2)
        assert registry.stats().loads == 2
        assert [item.kind for item in found] == [Kind.EXCHANGE_CHANGED, Kind.HOLD_RELEASED]
        assert {(item.position, item.committed_at) for item in found} == {(registry.position, None)}


async def test_a_consumer_goes_on_where_it_was(stocked_dsn: Dsn) -> None:
    """In another registry, as after a restart; where something happened meanwhile it is told so."""
    async with Registry(stocked_dsn, settings=RARE) as registry, Database(stocked_dsn) as db:
        stream = registry.changes()
        await deactivate_exchange(2, db=db)
        await read(stream, 1)
    async with Registry(stocked_dsn, settings=RARE) as registry, Database(stocked_dsn) as db:
        again = registry.changes(since=stream.position)
        await deactivate_exchange(1, db=db)
        late = [item.kind for item in await read(again, 1)]
        late += [item.kind for item in await read(registry.changes(since=stream.position), 1)]
        assert late == [Kind.EXCHANGE_DEACTIVATED, Kind.GAP]


async def test_states_are_told(stocked_dsn: Dsn) -> None:
    """That the database is away, why, and that it is back; what changed meanwhile comes before that."""
    settings = RegistrySettings(poll_interval=0.1, answer_timeout=0.3)
    async with (
        toxic_proxy(stocked_dsn) as (proxy, through),
        Registry(Database(through, Settings(connect_timeout=0.5)), settings=settings) as registry,
        Database(stocked_dsn) as db,
    ):
        stream = registry.changes(states=True)
        proxy.silent = True
        (lost,) = await read(stream, 1)
        assert isinstance(lost, StateChanged)
        assert (lost.before, lost.after) == (RegistryState.LIVE, RegistryState.STALE)
        assert lost.why
        await deactivate_exchange(2, db=db)
        proxy.heal()
        change, back = await read(stream, 2)
        assert change.kind is Kind.EXCHANGE_DEACTIVATED
        assert isinstance(back, StateChanged)
        assert (back.after, back.position) == (RegistryState.LIVE, change.position)
        assert registry.stats().why_stale is None  # what failed last is no reason any more
        assert registry.stats().last_error


async def test_what_a_file_did_not_know_is_told_as_changes(stocked_dsn: Dsn, tmp_path: Path) -> None:
    """A stream of a registry that begins with a file has what happened since, and that it is fresh now."""
    async with Registry(stocked_dsn, settings=RARE) as registry:
        await registry.save(tmp_path / "file")
    async with Database(stocked_dsn) as db:
        await deactivate_exchange(2, db=db)
    registry = Registry.load_file(tmp_path / "file", stocked_dsn, settings=RARE)
    stream = registry.changes(since=registry.position, states=True)
    async with registry:
        change, fresh = await read(stream, 2)
    assert (change.kind, fresh.kind) == (Kind.EXCHANGE_DEACTIVATED, Kind.STATE_CHANGED)
    assert change.committed_at is not None


@pytest.mark.parametrize("is_read_anew", [False, True])
async def test_a_hold_after_one_that_ran_out_is_set_and_replaces_none(stocked_dsn: Dsn, is_read_anew: bool) -> None:
    """Whoever goes by `before=None` is told that trading is forbidden anew; and a release of nothing is no item."""
    async with Registry(stocked_dsn, settings=RARE) as registry, Database(stocked_dsn) as db:
        stream = registry.changes()

        async def hold(reason: str, seconds: float | None) -> HoldChanged:
            until = None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)
            async with db.transaction() as tx:
                await hold_exchange(SPOT, reason=reason, until=until, db=tx)
                if is_read_anew:
                    await tx.connection.execute("TRUNCATE symbol_doubts")
            (item,) = await read(stream, 1)
            assert isinstance(item, HoldChanged)
            return item

        assert (await hold("one", 1)).kind is Kind.HOLD_SET
        await asyncio.sleep(1.1)
        second = await hold("two", None)
        assert (second.kind, second.before) == (Kind.HOLD_SET, None)
        assert (second.committed_at is None) is is_read_anew
        third = await hold("three", 1)
        assert (third.kind, third.before) == (Kind.HOLD_REPLACED, second.after)
        await asyncio.sleep(1.1)
        assert not await release_exchange(SPOT, db=db)
        await deactivate_exchange(2, db=db)
        assert [item.kind for item in await read(stream, 1)] == [Kind.EXCHANGE_DEACTIVATED]
        assert registry.stats().loads == (4 if is_read_anew else 1)
