"""What a registry keeps to beside a real server that is not always kind: hints, bursts, schemas that change, ends."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.database.hosts import connect
from exchanges_db.database.settings import Settings
from exchanges_db.errors import DatabaseUnavailable, RegistryStale, SchemaMismatch
from exchanges_db.registry import following as module
from exchanges_db.registry import hearing, kept
from exchanges_db.registry.following import Following
from exchanges_db.registry.listening import CHANNEL, Echo, listen
from exchanges_db.registry.loading import load_all
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.state import RegistryState
from tests.factories import connected
from tests.fix_server import run_dbmate
from tests.registry_history import RecordedRegistry, Writers, broken, contents, loaded

CALM: dict[str, Any] = {"poll_interval": 3600, "answer_timeout": 60}  # what is seen is seen without a poll
QUICK: dict[str, Any] = {"poll_interval": 0.1, "answer_timeout": 2.0}
NAME = "UPDATE exchanges SET display_name = $1 WHERE id = 1"
OURS = "FROM pg_stat_activity WHERE application_name = 'exchanges_db registry' AND datname = current_database()"


def name_in(registry: Registry) -> str:
    return registry.snapshot.places_by_id[1].exchange.display_name


async def until(condition: Callable[[], bool], *, within: float = 30) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.002)


# Subscribe, then load, then follow.


def home(point: str) -> Any:
    """The module that calls the function."""
    return hearing if point == "listen" else module


@pytest.mark.parametrize("point", ["connect", "listen", "fetch_state", "load_all", "_move"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_commit_at_any_point_of_the_beginning_is_seen(
    dsn: Dsn, monkeypatch: pytest.MonkeyPatch, point: str, when: str
) -> None:
    """All 1,024 combinations without a server: tests/unit/test_registry_races.py."""
    done: list[str] = []
    async with connected(dsn) as other:

        async def commit() -> None:
            if not done:
                done.append(point)
                await other.execute(NAME, "in between")

        async def between(*arguments: Any, **options: Any) -> Any:
            if when == "before":
                await commit()
            answer = await original(*arguments, **options)
            if when == "after":
                await commit()
            return answer

        registry = RecordedRegistry(dsn, **CALM)
        if point == "_move":  # at the swap there is nothing to await: it is committed by a task that begins then
            registry.recorder.moved = lambda *_: tasks.append(asyncio.ensure_future(commit()))  # type: ignore[method-assign]
        else:
            original: Any = getattr(home(point), point)
            monkeypatch.setattr(home(point), point, between)
        tasks: list[asyncio.Future[None]] = []
        async with registry:
            await until(lambda: name_in(registry) == "in between")
            await asyncio.gather(*tasks)
    assert done == [point]


class NeverPoll(Following):
    """What no notification tells of is never seen."""

    async def _wait(self, until: float) -> bool:
        return await super()._wait(until + 3600)


@pytest.mark.parametrize("kind", [Following, NeverPoll])
async def test_a_lost_notification_is_made_up_for_by_the_next_poll(
    dsn: Dsn, monkeypatch: pytest.MonkeyPatch, kind: type[Following]
) -> None:
    """It listens to a channel that nobody sends to, and its LISTEN succeeds."""
    monkeypatch.setattr(kept, "Following", kind)
    monkeypatch.setattr("exchanges_db.registry.listening.CHANNEL", "another_channel")
    async with RecordedRegistry(dsn, **QUICK) as registry, Writers(dsn, tasks=1) as writers:
        await writers.wrote(5)
        await writers.end()
        last = (await writers.history(registry)).positions()[-1]
        if kind is NeverPoll:
            with pytest.raises(TimeoutError):
                await until(lambda: registry.position == last, within=0.5)
            assert "reliable" in broken(await writers.history(registry))
            return
        await until(lambda: registry.position == last)
        assert broken(await writers.history(registry)) == {}
        assert registry.stats().hints == 0


HOSTILE = [
    "",
    ":",
    "0:",
    "1:",
    "-1:x",
    "999999999999999999999:x",
    "x" * 7999,
    "ä" * 3999,
    "1:\x01\n",
    "'; DROP TABLE x",
]


async def test_hostile_notifications_move_nothing(stocked_dsn: Dsn) -> None:
    """Any login may send them, on any channel: forged epochs and tokens are looked up, and change nothing."""
    async with connected(stocked_dsn) as other, RecordedRegistry(stocked_dsn, **CALM) as registry:
        await other.execute("CREATE ROLE stranger_to_registries")
        try:
            await other.execute("SET ROLE stranger_to_registries")
            before = registry.snapshot
            forged = [f"{before.position.epoch + 1}:{before.position.token}", f"{before.position.epoch}:x"]
            for payload in [*HOSTILE, *forged, "{}:{}".format(*before.position)]:
                for channel in ("exchanges_db_changed", "exchanges_db_echo_1", "EXCHANGES_DB_CHANGED", "other"):
                    await other.execute("SELECT pg_notify($1, $2)", channel, payload)
            await until(lambda: registry.stats().hints == len(HOSTILE) + 3)
            await registry.refresh()
            assert registry.snapshot is before
            assert (registry.stats().losses, registry.stats().loads) == (0, 1)
        finally:
            await other.execute("RESET ROLE")
            await other.execute("DROP ROLE stranger_to_registries")


async def test_a_forged_hint_hides_no_change(dsn: Dsn) -> None:
    """It names what is known already, and comes in the same moment as the change's own, in both orders."""
    async with connected(dsn) as other, RecordedRegistry(dsn, **CALM) as registry:
        for number in range(20):
            async with other.transaction():
                await other.execute(
                    "SELECT pg_notify('exchanges_db_changed', $1)", "{}:{}".format(*registry.snapshot.position)
                )
                await other.execute(NAME, f"changed {number}")
            async with other.transaction():
                await other.execute(NAME, f"changed again {number}")
                await other.execute("SET CONSTRAINTS ALL IMMEDIATE")
                await other.execute(
                    "SELECT pg_notify('exchanges_db_changed', $1)", "{}:{}".format(*registry.snapshot.position)
                )
            await until(lambda: name_in(registry) == f"changed again {number}")  # noqa: B023


async def test_rollbacks_are_not_seen(dsn: Dsn) -> None:
    """A hundred, which use up epochs: there are gaps in the numbers, and nothing was left out."""
    async with connected(dsn) as other, RecordedRegistry(dsn, **CALM) as registry:
        for number in range(100):
            transaction = other.transaction()
            await transaction.start()
            await other.execute(NAME, f"never {number}")
            if number % 2:
                await other.execute("SET CONSTRAINTS ALL IMMEDIATE")  # it has its epoch
            await transaction.rollback()
        await registry.refresh()
        assert len(registry.recorder.held) == 1
        await other.execute(NAME, "after all")
        await until(lambda: name_in(registry) == "after all")
        assert [one.epochs is None for one in registry.recorder.held] == [True, False]


class StaysInATransaction(Following):
    """Begins one for a question, and leaves it open."""

    async def _look(self, session: Any, **options: Any) -> None:
        await super()._look(session, **options)
        if not session.is_in_transaction():
            await session.execute("BEGIN")


@pytest.mark.parametrize("kind", [Following, StaysInATransaction])
async def test_its_session_is_in_no_transaction_while_it_waits(
    dsn: Dsn, kind: type[Following], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that stays in a transaction keeps the server from clearing its queue, and is told nothing itself."""
    monkeypatch.setattr(kept, "Following", kind)
    async with connected(dsn) as other, RecordedRegistry(dsn, **CALM) as registry:
        for number in range(5):
            await other.execute(NAME, f"changed {number}")
            if kind is Following:
                await until(lambda: name_in(registry) == f"changed {number}")  # noqa: B023
                await registry.refresh()
            rows = await other.fetch(f"SELECT state, xact_start IS NULL {OURS}")
            right = [tuple(row) for row in rows] == [("idle", True)]
            assert right is (kind is Following)
        assert (registry.stats().hints > 0) is (kind is Following)


# What a server does to a session that listens.


async def test_the_end_of_its_session_wakes_it(dsn: Dsn) -> None:
    """Without a poll, and without a notification, of which it gets none meanwhile."""
    async with connected(dsn) as other, RecordedRegistry(dsn, **CALM) as registry:
        for number in range(3):
            async with other.transaction():
                await other.execute(f"SELECT pg_terminate_backend(pid) {OURS}")
                await other.execute(NAME, f"while it was away {number}")
            await until(lambda: name_in(registry) == f"while it was away {number}")  # noqa: B023
        assert (registry.stats().loads, registry.stats().losses) == (1, 3)


@pytest.mark.parametrize("named", [False, True], ids=["of the database", "of its address"])
async def test_a_limit_for_idle_sessions_makes_it_miss_nothing(dsn: Dsn, named: bool) -> None:
    """It asks to be kept; where its address names the limit that counts, and its session is made again."""
    named_too = {**dsn.settings, "idle_session_timeout": "800ms"} if named else dsn.settings
    async with connected(dsn) as other:
        await other.execute(f"ALTER DATABASE {dsn.database} SET idle_session_timeout = '800ms'")
        async with RecordedRegistry(
            replace(dsn, settings=named_too), poll_interval=3600, answer_timeout=60
        ) as registry:
            if named:
                await until(lambda: registry.stats().losses > 0)
            else:
                await asyncio.sleep(2)
                assert registry.stats().losses == 0
            await other.execute(NAME, "after a rest")
            await until(lambda: name_in(registry) == "after a rest")
            assert registry.stats().loads == 1


async def test_where_it_may_not_notify_it_polls_and_says_so(dsn: Dsn, caplog: pytest.LogCaptureFixture) -> None:
    """So it cannot be tried whether notifications arrive. Once it may, it listens, on the same connection."""
    reader = f"reader_of_{dsn.database}"
    function = "FUNCTION pg_notify(text, text)"
    async with connected(dsn) as other:
        await other.execute(f"CREATE ROLE {reader} LOGIN")
        try:
            await other.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}")
            await other.execute(f"REVOKE EXECUTE ON {function} FROM PUBLIC")
            async with RecordedRegistry(replace(dsn, user=reader, password=None), **QUICK) as registry:
                assert not registry.stats().listening
                (told,) = [one for one in caplog.records if getattr(one, "exchanges_db_event", "") == "registry_polls"]
                assert "42501" in told.getMessage()
                await other.execute(NAME, "seen by a poll")
                await until(lambda: name_in(registry) == "seen by a poll")
                assert registry.stats().hints == 0
                await other.execute(f"GRANT EXECUTE ON {function} TO PUBLIC")
                await until(lambda: registry.stats().listening)
                await other.execute(NAME, "told")
                await until(lambda: registry.stats().hints == 1)
                assert registry.stats().losses == 0
        finally:
            await other.execute(f"DROP OWNED BY {reader}; DROP ROLE {reader}")


async def test_the_largest_epochs_are_followed(dsn: Dsn) -> None:
    """What a notification says is short, whatever the epoch: never near the 8,000 bytes that the server allows."""
    heard: list[str] = []
    async with connected(dsn) as other, RecordedRegistry(dsn, **CALM) as registry:
        await other.add_listener(CHANNEL, lambda *message: heard.append(str(message[-1])))
        await other.execute("SELECT setval('registry_epoch_seq', $1)", 2**63 - 4)
        for number in range(3):
            await other.execute(NAME, f"far on {number}")
            await until(lambda: name_in(registry) == f"far on {number}")  # noqa: B023
        await until(lambda: len(heard) == 3)
        assert registry.position is not None
        assert registry.position.epoch == 2**63 - 1
        assert registry.stats().hints == 3
        assert max(map(len, heard)) < 100


def test_the_channels_are_names_that_every_server_takes_as_they_are() -> None:
    """In small letters, and of at most 63 bytes: of a longer one LISTEN would hear nothing, without an error."""
    for name in (CHANNEL, f"exchanges_db_echo_{'f' * 2}"):
        assert re.fullmatch("[a-z_][a-z0-9_]{0,62}", name)


async def test_another_ones_echo_is_not_ones_own(stocked_dsn: Dsn) -> None:
    """All share few channels: pg_stat_statements keeps a LISTEN to each as a statement of its own."""
    channels = {Echo(None, print)._channel for _ in range(2000)}  # type: ignore[arg-type]
    assert len(channels) <= 256
    one = await connect(stocked_dsn, Settings(), limit=5)
    async with connected(stocked_dsn) as other:
        echo = await listen(one, print)
        await other.execute("SELECT pg_notify($1, 'of another')", echo._channel)
        await one.fetchval("SELECT 1")
        assert not echo._arrived.is_set()
        assert await echo.comes_back(one, 1)
    await one.close()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_commit_while_all_is_loaded_anew_is_seen(dsn: Dsn, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """After TRUNCATE, at the moment of the load; nothing is loaded a third time for that."""
    async with connected(dsn) as other, RecordedRegistry(dsn, **CALM) as registry:

        async def between(*arguments: Any) -> Any:
            if when == "before":
                await other.execute(NAME, "in between")
            answer = await load_all(*arguments)
            if when == "after":
                await other.execute(NAME, "in between")
            return answer

        monkeypatch.setattr(module, "load_all", between)
        await other.execute("TRUNCATE symbol_doubts")
        await until(lambda: name_in(registry) == "in between")
        assert registry.stats().loads == 2


# What happens to the schema and to the log.


async def test_a_column_that_a_later_version_adds_disturbs_nothing(stocked_dsn: Dsn) -> None:
    """Whatever the table, and also where its statements were prepared before."""
    async with connected(stocked_dsn) as other, RecordedRegistry(stocked_dsn, **CALM) as registry:
        for table in ("exchanges", "symbols", "holds", "account_fees", "symbol_lists", "symbol_doubts"):
            await other.execute(f"ALTER TABLE {table} ADD COLUMN later integer DEFAULT 7")
        await other.execute("ALTER TABLE registry_changes ADD COLUMN later integer DEFAULT 7")
        await other.execute("UPDATE exchanges SET display_name = 'changed'")
        await other.execute("UPDATE symbols SET base = base")
        await other.execute("DELETE FROM holds")
        await until(lambda: name_in(registry) == "changed")
        await registry.refresh()
        assert registry.stats().losses == 0
        assert contents(registry.snapshot) == contents(await loaded(stocked_dsn))


async def test_the_log_may_go_and_come_back(dsn: Dsn) -> None:
    """Rolled back, the migration takes the log along: STALE until it is there again; then all is loaded anew."""
    async with connected(dsn) as other, RecordedRegistry(dsn, **QUICK) as registry:
        assert run_dbmate(dsn, "rollback").returncode == 0
        assert await other.fetchval("SELECT to_regclass('registry_changes')") is None
        await until(lambda: registry.state is RegistryState.STALE)
        await other.execute(NAME, "while there was no log")
        assert name_in(registry) != "while there was no log"
        assert run_dbmate(dsn, "migrate").returncode == 0
        await until(lambda: name_in(registry) == "while there was no log")
        await registry.refresh()
        assert registry.state is RegistryState.LIVE
        await other.execute(NAME, "and again")
        await until(lambda: name_in(registry) == "and again")
        assert registry.stats().loads == 2


async def test_a_log_without_an_entry_is_told_and_not_taken_for_quiet(dsn: Dsn) -> None:
    """Only its owner can empty it. Whoever begins is refused; whoever holds something says that it grows old."""
    async with connected(dsn) as other, RecordedRegistry(dsn, **QUICK) as registry:
        await other.execute("DELETE FROM registry_changes")
        await until(lambda: registry.state is RegistryState.STALE)
        with pytest.raises(SchemaMismatch, match="EVERYTHING"):
            await loaded(dsn)
        await other.execute(NAME, "the next entry")
        await until(lambda: name_in(registry) == "the next entry")
        assert registry.stats().loads == 2


async def test_a_log_that_forgot_what_is_held_makes_it_load_all(dsn: Dsn) -> None:
    """As after very many commits, of which the oldest are deleted."""
    async with connected(dsn) as other, RecordedRegistry(dsn, **CALM) as registry:
        await other.execute("ALTER TABLE registry_changes DISABLE TRIGGER USER")
        await other.execute("DELETE FROM registry_changes WHERE epoch = $1", registry.snapshot.position.epoch)
        await other.execute("ALTER TABLE registry_changes ENABLE ALWAYS TRIGGER registry_changes_stamp")
        await other.execute(NAME, "far on")
        await until(lambda: name_in(registry) == "far on")
        assert registry.stats().loads == 2


# Its beginning and its end.


async def _not_opened(registry: Registry, dsn: Dsn) -> None:
    assert registry.state is RegistryState.LOADING


async def _loading(registry: Registry, dsn: Dsn) -> None:
    registry._start()
    assert registry.state is RegistryState.LOADING


async def _live(registry: Registry, dsn: Dsn) -> None:
    await registry.open()
    assert registry.state is RegistryState.LIVE


async def _stale(registry: Registry, dsn: Dsn) -> None:
    await registry.open()
    async with connected(dsn) as other:
        await other.execute("ALTER TABLE registry_changes RENAME TO registry_changes_away")
        await other.execute(f"SELECT pg_terminate_backend(pid) {OURS}")
    await until(lambda: registry.state is RegistryState.STALE)


async def _closed(registry: Registry, dsn: Dsn) -> None:
    await registry.open()
    await registry.close()


@pytest.mark.parametrize("bring", [_not_opened, _loading, _live, _stale, _closed], ids=lambda one: one.__name__)
async def test_it_can_be_closed_in_every_state(dsn: Dsn, bring: Callable[[Registry, Dsn], Awaitable[None]]) -> None:
    """Then it is CLOSED, look-ups raise, nothing is left on the server, and it cannot be opened again."""
    registry = RecordedRegistry(dsn, **QUICK)
    await bring(registry, dsn)
    await registry.close()
    assert registry.state is RegistryState.CLOSED
    assert registry.recorder.told[-1] == "stale"
    with pytest.raises(RegistryStale, match="closed"):
        _ = registry.snapshot
    with pytest.raises(RegistryStale, match="closed"):
        await registry.refresh()
    with pytest.raises(Exception, match=r"once|closed"):
        await registry.open()
    await no_session_is_left(dsn)


async def no_session_is_left(dsn: Dsn) -> None:
    async with connected(dsn) as other, asyncio.timeout(30):
        while await other.fetchval(f"SELECT count(*) {OURS}"):
            await asyncio.sleep(0.01)


async def test_whoever_waits_is_told_of_the_end(dsn: Dsn) -> None:
    async with connected(dsn) as other, RecordedRegistry(dsn, **CALM) as registry, other.transaction():
        await other.execute("LOCK TABLE registry_changes IN ACCESS EXCLUSIVE MODE")
        waiting = asyncio.create_task(registry.refresh())
        await asyncio.sleep(0)
        await registry.close()
        with pytest.raises(RegistryStale, match="closed"):
            await waiting


@pytest.mark.parametrize("point", ["connect", "listen", "fetch_state", "load_all"])
async def test_it_can_be_cancelled_while_it_opens(dsn: Dsn, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """At each step; nothing is left, neither on the server nor as a task."""
    there, before = asyncio.Event(), asyncio.all_tasks()
    original: Any = getattr(home(point), point)

    async def held_up(*arguments: Any, **options: Any) -> Any:
        answer = await original(*arguments, **options)
        there.set()
        try:
            await asyncio.Event().wait()
        finally:
            if point == "connect":  # which nobody else has yet
                answer.terminate()
        return answer

    monkeypatch.setattr(home(point), point, held_up)
    registry = RecordedRegistry(dsn, **QUICK)
    opening = asyncio.create_task(registry.open())
    await there.wait()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert registry.state is RegistryState.CLOSED
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()
    await no_session_is_left(dsn)


async def test_two_registries_are_apart(stocked_dsn: Dsn) -> None:
    """Of one database both see every change; the end of one is none of the other."""
    async with connected(stocked_dsn) as other, RecordedRegistry(stocked_dsn, **CALM) as first:
        async with RecordedRegistry(stocked_dsn, **CALM) as second:
            await other.execute(NAME, "for both")
            await until(lambda: name_in(first) == name_in(second) == "for both")
            assert contents(first.snapshot) == contents(second.snapshot)
        await other.execute(NAME, "for one")
        await until(lambda: name_in(first) == "for one")
        assert second.state is RegistryState.CLOSED


async def test_a_blocked_loop_is_no_excuse(dsn: Dsn) -> None:
    """State and lag are honest as soon as one can ask, and what was committed meanwhile comes at once."""
    async with RecordedRegistry(dsn, poll_interval=0.1, answer_timeout=1.2) as registry, connected(dsn) as other:
        await other.execute(NAME, "before")
        await until(lambda: registry.stats().hints == 1)  # else it may be asking when the loop is blocked
        await registry.refresh()
        time.sleep(1.5)  # noqa: ASYNC251  # that is what is tried
        state, lag = registry.state, registry.lag
        assert state is RegistryState.STALE
        assert lag is not None
        assert lag >= 1.5
        await registry.refresh()
        assert registry.state is RegistryState.LIVE
        assert registry.stats().losses == 0


async def test_without_a_server_the_error_says_why(dsn: Dsn) -> None:
    nowhere = replace(dsn, hosts=(("127.0.0.1", 1),), sslmode="disable")
    registry = RecordedRegistry(nowhere, **QUICK, load_timeout=0.3)
    with pytest.raises(DatabaseUnavailable, match="cannot connect"):
        await registry.open()
    assert registry.state is RegistryState.CLOSED
