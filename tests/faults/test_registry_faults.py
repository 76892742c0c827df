"""Registries that follow writers while connections and servers fail: every promise is kept, whatever happens."""

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.dsn import Dsn
from exchanges_db.database.pool import Database
from exchanges_db.database.session import Session
from exchanges_db.database.settings import Settings
from exchanges_db.registry import following as module
from exchanges_db.registry import hearing, listening, loading
from exchanges_db.registry.documents import Documents
from exchanges_db.registry.loading import Needs, fetch_news
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_db.registry.state import RegistryState
from exchanges_sql.registry import AsyncQuerier, GetRegistryContentsRow
from tests.factories import connected
from tests.registry_history import RecordedRegistry, Writers, broken, contents, loaded
from tests.servers import Server, until
from tests.toxic_proxy import ToxicProxy, toxic_proxy

QUICK: dict[str, Any] = {"poll_interval": 0.1, "answer_timeout": 0.5}
OURS = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'exchanges_db registry' AND datname = current_database()"
)
LONG = 30.0  # for what is due within a second or two, also where the machine is slow


async def is_live(registry: Registry, *, losses: int) -> None:
    async def there() -> bool:
        return registry.state is RegistryState.LIVE and registry.stats().losses >= losses

    await until(there, what="the registry is LIVE again", within=LONG)


async def is_stale(registry: Registry) -> None:
    async def there() -> bool:
        return registry.state is RegistryState.STALE

    await until(there, what="the registry is STALE", within=LONG)


async def open_and_cut_off(
    proxy: ToxicProxy, through: Dsn, condition: Callable[[], Awaitable[Any]], *, what: str
) -> None:
    """Open a registry until something is so, and end it with its network silent: the server hears nothing of that."""
    registry = RecordedRegistry(through, **QUICK)
    opening = asyncio.create_task(registry.open())
    await until(condition, what=what, within=LONG)
    proxy.silent = True
    opening.cancel()
    await asyncio.wait((opening,))
    await registry.close()


@asynccontextmanager
async def watched(registry: RecordedRegistry) -> AsyncIterator[None]:
    """Keep what the registry says of its age, all the time."""

    async def watch() -> None:
        while True:
            registry.claim()
            await asyncio.sleep(0.01)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def all_is_kept(registry: RecordedRegistry, writers: Writers, dsn: Dsn) -> None:
    """Check each promise by the history; at the end all is equal."""
    await writers.end()
    async with asyncio.timeout(LONG):
        await registry.refresh()
    held = registry.snapshot  # before it can be too old again
    history = await writers.history(registry)
    assert broken(history) == {}
    assert len(history.held) > 2
    assert contents(held) == contents(await loaded(dsn))


async def _terminate(proxy: ToxicProxy, dsn: Dsn) -> None:
    async with connected(dsn) as other:
        await other.execute(f"SELECT pg_terminate_backend(pid) FROM ({OURS}) AS ours")


async def _reset(proxy: ToxicProxy, dsn: Dsn) -> None:
    proxy.reset()


async def _half_close(proxy: ToxicProxy, dsn: Dsn) -> None:
    proxy.half_close("back")


async def _forget(proxy: ToxicProxy, dsn: Dsn) -> None:
    """The connection that listens is dead, and nobody says so."""
    proxy.forget()


async def _cut_an_answer(proxy: ToxicProxy, dsn: Dsn) -> None:
    proxy.cut(700, "silence")


BREAKS = [_terminate, _reset, _half_close, _forget, _cut_an_answer]


@pytest.mark.faults
@pytest.mark.parametrize("fault", BREAKS, ids=lambda one: one.__name__.strip("_"))
async def test_a_lost_connection_loses_no_change(dsn: Dsn, fault: Callable[[ToxicProxy, Dsn], Awaitable[None]]) -> None:
    """Three times; it goes on where it was, loads nothing anew, and is never older than it says."""
    async with (
        toxic_proxy(dsn) as (proxy, through),
        Writers(dsn) as writers,
        RecordedRegistry(through, **QUICK) as registry,
        watched(registry),
    ):
        for _ in range(3):
            await writers.wrote(10)
            losses = registry.stats().losses  # on a slow machine an answer may have been too late before
            await fault(proxy, dsn)
            await is_live(registry, losses=losses + 1)
        await writers.wrote(10)
        await all_is_kept(registry, writers, dsn)
        assert registry.stats().loads == 1


@pytest.mark.faults
async def test_in_a_black_hole_the_age_grows_and_after_it_all_comes(dsn: Dsn) -> None:
    """New connections vanish, too. It is STALE meanwhile; look-ups raise where that was asked for."""
    async with (
        toxic_proxy(dsn) as (proxy, through),
        Writers(dsn) as writers,
        RecordedRegistry(through, **QUICK, max_staleness=0.8) as registry,
        watched(registry),
    ):
        await writers.wrote(10)
        proxy.silent = True
        await is_stale(registry)
        async with asyncio.timeout(LONG):
            while registry.recorder.told[-1] != "stale":
                await asyncio.sleep(0.01)
        await writers.wrote(10)
        assert registry.lag is not None
        assert registry.lag >= 0.8
        proxy.heal()
        await is_live(registry, losses=1)
        await all_is_kept(registry, writers, dsn)
        assert "fresh" in registry.recorder.told


@pytest.mark.faults
async def test_a_black_hole_while_all_is_loaded_is_left(dsn: Dsn) -> None:
    """The first load falls silent half way; the next one succeeds."""
    limits = Settings(connect_timeout=1, command_timeout=1)
    async with toxic_proxy(dsn) as (proxy, through):
        for at in (900, 1500, 2500, 4000):
            proxy.cut(at, "silence")
            settings = RegistrySettings(**QUICK, load_timeout=LONG)
            async with Registry(Database(through, limits), settings=settings) as registry:
                proxy.heal()  # where loading did not reach it
                await is_live(registry, losses=0)


@pytest.mark.faults
@pytest.mark.parametrize("reading", ["load_all", "fetch_long_news"])
async def test_a_close_ends_what_a_black_hole_has_swallowed(
    dsn: Dsn, reading: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, while a transaction is open whose end no server would answer."""
    read, has_begun = getattr(module, reading), asyncio.Event()

    async def swallowed(*arguments: Any) -> Any:
        proxy.silent = True
        has_begun.set()
        return await read(*arguments)

    async def long(*_: object) -> Needs:
        return Needs.TRANSACTION

    async with toxic_proxy(dsn) as (proxy, through):
        limits = Settings(connect_timeout=1, command_timeout=1)
        registry = Registry(Database(through, limits), settings=RegistrySettings(**QUICK, load_timeout=LONG))
        await registry.open()
        assert registry._following is not None
        monkeypatch.setattr(module, reading, swallowed)
        if reading == "load_all":
            registry._following.snapshot = None
        else:
            monkeypatch.setattr(module, "fetch_news", long)
        registry._following.look()
        async with asyncio.timeout(LONG):
            await has_begun.wait()
            await asyncio.sleep(0.05)
        async with asyncio.timeout(0.9):  # less than the limit of a statement
            await registry.close()


@pytest.mark.faults
@pytest.mark.parametrize("has_two_ways", [False, True])
async def test_a_black_hole_at_listen_is_left_before_a_statement_would_be(
    dsn: Dsn, has_two_ways: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The firewall has lost the connection, and would let another one through."""
    listen, times = listening.listen, 0

    async def swallowed(*arguments: Any) -> Any:
        nonlocal times
        times += 1
        if times == 2:
            proxy.forget()
        return await listen(*arguments)

    monkeypatch.setattr(hearing, "listen", swallowed)
    async with toxic_proxy(dsn) as (proxy, through):
        settings = RegistrySettings(**QUICK)
        limits = Settings(command_timeout=60)
        way = {"listen": through} if has_two_ways else {}
        async with Registry(Database(dsn if has_two_ways else through, limits), **way, settings=settings) as registry:

            async def listens() -> bool:
                return registry.stats().listening and times != 2

            await until(listens, what="it listens", within=LONG)
            proxy.reset()

            async def again() -> bool:
                return registry.stats().listening and times == 3

            await until(again, what="it listens again", within=LONG)


async def _restart(server: Server) -> None:
    await server.restart("immediate")


async def _restart_fast(server: Server) -> None:
    await server.restart("fast")


async def _one_of_ours(server: Server) -> int:
    """Return a session's process; while one of the registries connects again there may be none."""
    pids: list[int | None] = []

    async def found() -> bool:
        pids.append(await server.query(OURS))
        return pids[-1] is not None

    await until(found, what="a registry has a session", within=LONG)
    assert pids[-1] is not None
    return pids[-1]


async def _kill_backend(server: Server) -> None:
    """The whole server recovers from that."""
    server.send_backend(await _one_of_ours(server), signal.SIGKILL)


async def _crash(server: Server) -> None:
    await server.crash()
    await server.start()


async def _stop_backend(server: Server) -> None:
    """It is alive, and says nothing; another connection is made beside it."""
    pid = await _one_of_ours(server)
    server.send_backend(pid, signal.SIGSTOP)

    async def another() -> bool:
        return bool(await server.query(f"SELECT count(*) FROM ({OURS}) AS ours WHERE pid <> {pid}"))

    try:
        await until(another, what="the registry has made another connection", within=LONG)
    finally:
        server.send_backend(pid, signal.SIGCONT)


@pytest.mark.faults
@pytest.mark.parametrize("primary", [18], indirect=True)
@pytest.mark.parametrize(
    "fault", [_restart, _restart_fast, _kill_backend, _crash, _stop_backend], ids=lambda one: one.__name__.strip("_")
)
async def test_a_server_that_fails_loses_no_change(primary: Server, fault: Callable[[Server], Awaitable[None]]) -> None:
    async with (
        Writers(primary.dsn) as writers,
        RecordedRegistry(primary.dsn, **QUICK) as registry,
        RecordedRegistry(primary.dsn, **QUICK) as second,
        watched(registry),
    ):
        for _ in range(2):
            await writers.wrote(10)
            losses = registry.stats().losses
            await fault(primary)
            await is_live(registry, losses=losses + (fault is not _stop_backend))
        await writers.wrote(10)
        await all_is_kept(registry, writers, primary.dsn)
        await second.refresh()
        assert broken(await writers.history(second)) == {}
        assert registry.stats().loads == second.stats().loads == 1


@pytest.mark.faults
@pytest.mark.parametrize("is_heedful", [True, False])
async def test_a_storm_of_notifications_costs_few_looks(
    dsn: Dsn, monkeypatch: pytest.MonkeyPatch, is_heedful: bool
) -> None:
    """At least six thousand that mean nothing, from three sessions, among changes that do; at worst a look per 50 ms.

    One that follows up each of them looks far more often.
    """
    if not is_heedful:
        monkeypatch.setattr(module, "_USELESS_PAUSE", 0.0)
    looks, ended = 0, 0.0
    rests: list[float] = []  # from a look that led to nothing to the next one

    async def counted(*arguments: Any) -> Any:
        nonlocal looks, ended
        looks += 1
        if ended:
            rests.append(loop.time() - ended)
        news = await fetch_news(*arguments)
        ended = 0.0 if not isinstance(news, News) or news.entries else loop.time()
        return news

    monkeypatch.setattr(module, "fetch_news", counted)
    loop = asyncio.get_running_loop()

    async def storm() -> None:
        async with connected(dsn) as connection, asyncio.timeout(LONG):
            for number in itertools.count():
                if number >= 20 and len(rests) >= 3:  # on a quick machine twenty are over before there is any rest
                    break
                await connection.execute(
                    "SELECT pg_notify('exchanges_db_changed', n || ':' || $1::text) FROM generate_series(1, 100) AS n",
                    f"forged {number}",
                )

    async with Writers(dsn, tasks=1, pause=0.05) as writers, RecordedRegistry(dsn, poll_interval=1.0) as registry:
        began = loop.time()
        await asyncio.gather(storm(), storm(), storm())
        await writers.wrote(3)
        await all_is_kept(registry, writers, dsn)
        assert registry.stats().hints >= 6000
        assert (min(rests) >= 0.0499) is is_heedful
        assert looks - registry.stats().updates <= (loop.time() - began) / 0.05 + 3 or not is_heedful


@pytest.mark.parametrize("is_limited", [False, True])
async def test_a_load_that_the_network_cut_off_leaves_no_transaction_behind(
    dsn: Dsn, monkeypatch: pytest.MonkeyPatch, is_limited: bool
) -> None:
    """The server hears nothing of that end: the transaction would keep locks, and old rows, for hours."""
    monkeypatch.setattr(loading, "_IDLE_LIMIT", "1s" if is_limited else "0")

    async def cut_off(conn: AsyncConnection, documents: Documents) -> Snapshot:
        await loading.fetch_state(conn)
        proxy.silent = True
        return await loading.load_all(conn, documents)

    monkeypatch.setattr(module, "load_all", cut_off)
    async with toxic_proxy(dsn) as (proxy, through), connected(dsn) as other:

        async def how_many() -> int:
            found = await other.fetchval(f"SELECT count(*) FROM ({OURS} AND state = 'idle in transaction') AS ours")
            return int(found)

        async def is_left() -> bool:
            return proxy.silent and await how_many() > 0

        async def none_is_left() -> bool:
            return await how_many() == 0

        await open_and_cut_off(proxy, through, is_left, what="the load was begun")
        if is_limited:
            await until(none_is_left, what="the server has ended it", within=LONG)
        else:
            await asyncio.sleep(3)
            assert await how_many() == 1
            await _terminate(proxy, dsn)


async def test_a_lock_of_which_nobody_heard_is_not_held_for_hours(dsn: Dsn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to the first statement of a load is lost: the limit of the second cannot be set there any more."""
    monkeypatch.setattr(loading, "_IDLE_LIMIT", "1s")
    real = AsyncQuerier.lock_registry

    async def unheard(querier: AsyncQuerier) -> None:
        proxy.swallow("back")
        await real(querier)

    monkeypatch.setattr(AsyncQuerier, "lock_registry", unheard)
    async with toxic_proxy(dsn) as (proxy, through), connected(dsn) as other:

        async def holds_locks() -> bool:
            return bool(await other.fetchval(f"SELECT EXISTS ({OURS} AND state = 'idle in transaction')"))

        async def holds_none() -> bool:
            return not await holds_locks()

        await open_and_cut_off(proxy, through, holds_locks, what="the lock was given")
        await until(holds_none, what="the server has ended it", within=LONG)


@pytest.mark.faults
async def test_half_a_question_that_the_network_cut_off_leaves_no_transaction_behind(
    dsn: Dsn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that waits for the other half is active, not idle; and a proxy may keep its side of a dead flow open."""
    monkeypatch.setattr(loading, "_LONGEST_LOAD", "1s")
    async with toxic_proxy(dsn) as (proxy, through), connected(dsn) as other:
        if other.get_server_version().major < 17:
            pytest.skip("before 17 nothing but the network's own limits ends that: there is no transaction_timeout")

        async def half_asked() -> int:
            waits = f"{OURS} AND state = 'active' AND wait_event = 'ClientRead'"
            return int(await other.fetchval(f"SELECT count(*) FROM ({waits}) AS ours"))

        async def is_left() -> bool:
            return await half_asked() > 0

        async def none_is_left() -> bool:
            return await half_asked() == 0

        async def half(querier: AsyncQuerier) -> GetRegistryContentsRow | None:
            proxy.swallow("back")
            return await real(querier)

        real = AsyncQuerier.get_registry_contents
        monkeypatch.setattr(AsyncQuerier, "get_registry_contents", half)
        await open_and_cut_off(proxy, through, is_left, what="the first half was heard")
        await until(none_is_left, what="the server has ended it", within=LONG)


@pytest.mark.faults
@pytest.mark.parametrize("is_listening_apart", [False, True])
@pytest.mark.parametrize("table", ["symbols", "registry_changes"])
async def test_while_somebody_holds_a_lock_no_sessions_pile_up(dsn: Dsn, table: str, is_listening_apart: bool) -> None:
    """A session that waits for a lock does not see that its client has gone: each attempt would leave one more."""
    ear = {"listen": dsn} if is_listening_apart else {}
    async with RecordedRegistry(dsn, **QUICK, **ear) as registry, connected(dsn) as other, connected(dsn) as owner:
        most = 0
        async with owner.transaction():
            await owner.execute("UPDATE exchanges SET display_name = 'changed' WHERE id = 1")
            await owner.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            if table == "symbols":  # of which news are read where there are any
                await other.execute("UPDATE exchanges SET display_name = 'changed' WHERE id = 2")
            for _ in range(80):
                most = max(most, int(await other.fetchval(f"SELECT count(*) FROM ({OURS}) AS ours")))
                await asyncio.sleep(0.1)
        assert registry.stats().losses >= 4
        assert most <= 2 * (1 + is_listening_apart)
        await is_live(registry, losses=4)


@pytest.mark.faults
@pytest.mark.parametrize("own_limit", [None, "0", "10s"])
async def test_a_commit_that_hangs_keeps_nobody_from_being_fresh(primary: Server, own_limit: str | None) -> None:
    """Whoever notifies waits for it, as the echo does; polls and look-ups do not."""
    async with connected(primary.dsn) as owner, connected(primary.dsn) as writer:
        if own_limit is not None:
            await owner.execute(f"ALTER ROLE {primary.dsn.user} SET lock_timeout = '{own_limit}'")
        await owner.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        await owner.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(0.5)
        hangs = asyncio.create_task(writer.execute("UPDATE exchanges SET display_name = 'hangs' WHERE id = 1"))
        await asyncio.sleep(0.3)
        async with asyncio.timeout(LONG), Registry(primary.dsn, settings=RegistrySettings(**QUICK)) as registry:
            seen = set()
            for _ in range(400):
                seen.add(registry.state)
                await asyncio.sleep(0.01)
            assert seen == {RegistryState.LIVE}
            assert registry.stats().losses == 0
            assert not hangs.done()
            await owner.execute("ALTER SYSTEM RESET synchronous_standby_names")
            await owner.execute("SELECT pg_reload_conf()")
            await hangs
            await registry.refresh()
            assert registry.exchange_by_id(1).display_name == "hangs"

            async def hears() -> bool:
                return registry.stats().listening

            await until(hears, what="it listens again", within=LONG)


@pytest.mark.parametrize(("set_before", "meanwhile"), [(False, "session"), (True, "database")])
async def test_a_server_that_sends_into_the_void_does_not_wait_for_hours(
    dsn: Dsn, monkeypatch: pytest.MonkeyPatch, set_before: bool, meanwhile: str
) -> None:
    """Neither a limit for idle transactions nor one for statements ends a session that waits for its client there."""
    seen: list[str] = []

    async def watched(session: Session, read: Callable[[AsyncConnection], Awaitable[Snapshot]]) -> Snapshot:
        seen.append(await session.fetchval("SELECT source FROM pg_settings WHERE name = 'tcp_user_timeout'"))
        return await loading.of_one_moment(session, read)

    monkeypatch.setattr(module, "of_one_moment", watched)
    if set_before:
        async with connected(dsn) as other:
            await other.execute(f"ALTER DATABASE {dsn.database} SET tcp_user_timeout = '7s'")
    async with RecordedRegistry(dsn, **QUICK):
        assert seen == [meanwhile]


@pytest.mark.parametrize(("before", "meanwhile"), [("0", "1min"), ("7s", "7s")])
async def test_a_limit_for_idle_transactions_counts_where_there_is_one(
    dsn: Dsn, monkeypatch: pytest.MonkeyPatch, before: str, meanwhile: str
) -> None:
    seen: list[str] = []

    async def watched(session: Session, read: Callable[[AsyncConnection], Awaitable[Snapshot]]) -> Snapshot:
        async def look(conn: AsyncConnection) -> Snapshot:
            seen.append(await session.fetchval("SHOW idle_in_transaction_session_timeout"))
            return await read(conn)

        return await loading.of_one_moment(session, look)

    monkeypatch.setattr(module, "of_one_moment", watched)
    async with connected(dsn) as other:
        await other.execute(f"ALTER DATABASE {dsn.database} SET idle_in_transaction_session_timeout = '{before}'")
    async with RecordedRegistry(dsn, **QUICK):
        assert seen == [meanwhile]
