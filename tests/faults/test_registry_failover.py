"""A registry beside a primary and its standby: lost commits, promotions, and a standby that shows too little."""

import asyncio
import logging
import re
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any

import asyncpg
import pytest

from exchanges_db.database.dsn import Dsn, Secret
from exchanges_db.errors import DatabaseUnavailable, RegistryStale
from exchanges_db.registry import kept
from exchanges_db.registry.following import Following
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.registry.state import RegistryState
from exchanges_db.uptime import uptime
from tests.registry_history import RecordedRegistry, contents, loaded
from tests.servers import Server, until
from tests.toxic_proxy import toxic_proxy

pytestmark = pytest.mark.faults
QUICK: dict[str, Any] = {"poll_interval": 0.1, "answer_timeout": 0.5}
NAME = "UPDATE exchanges SET display_name = $1 WHERE id = 1 RETURNING 1"
OURS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'exchanges_db registry'"
END_ALL = f"SELECT pg_terminate_backend(pid) FROM ({OURS}) AS ours"
EPOCH = "SELECT max(epoch) FROM registry_changes"
# A promoted server may leave out a few numbers.
SET_BACK = "SELECT count(setval(oid, $1::bigint)) FROM pg_class WHERE relkind = 'S' AND relname LIKE 'registry_epoch%'"


def name_in(registry: Registry) -> str:
    return registry.snapshot.places_by_id[1].exchange.display_name


async def reached(registry: Registry, name: str, *, within: float = 30) -> None:
    async def there() -> bool:
        return name_in(registry) == name

    await until(there, what=f"the registry holds {name}", within=within)


async def is_in(registry: Registry, state: RegistryState) -> None:
    async def there() -> bool:
        return registry.state is state

    await until(there, what=f"the registry is {state}", within=30)


class EpochAlone(Following):
    """Takes two positions for the same whose numbers are."""

    async def _poll(self, session: Any) -> bool:
        state, _ = await self._ask(session)
        return state.epoch != self._epoch and await super()._poll(session)

    async def _look(self, session: Any, **options: Any) -> None:
        state, _ = await self._ask(session)
        if state.epoch != self._epoch:
            await super()._look(session, **options)
        else:
            self._prove(uptime())

    @property
    def _epoch(self) -> int | None:
        return None if self.snapshot is None else self.snapshot.position.epoch


class NeverBack(Following):
    """Holds a server that it had to leave to be gone for good."""

    _left = 0

    async def _connect(self, dsn: Dsn) -> Any:
        session = await super()._connect(replace(dsn, hosts=dsn.hosts[self._left :]))
        address: Any = getattr(session, "_addr")  # noqa: B009 - the stubs do not know it
        self._left = [port for _, port in dsn.hosts].index(address[1])
        return session


async def cut_off(standby: Server, primary: Server) -> None:
    """Have it get nothing more; its connection ends a while after it was told to."""
    await standby.set(primary_conninfo="")

    async def cut() -> bool:
        return not await primary.query("SELECT count(*) FROM pg_stat_replication")

    await until(cut, what="the standby is cut off")


async def has_received(standby: Server, primary: Server) -> None:
    """Wait until it has all that was committed, whether it shows it or not."""
    position = await primary.query("SELECT pg_current_wal_lsn()::text")

    async def received() -> bool:
        return bool(await standby.query("SELECT pg_last_wal_receive_lsn() >= $1::text::pg_lsn", position))

    await until(received, what="the standby has received it")


async def lose_the_tail(primary: Server, standby: Server, registry: Registry, *, number: int) -> None:
    """Commit twice what the standby never gets; it is then promoted, and gives the same epochs to other commits."""
    await primary.query(NAME, f"kept {number}")
    await standby.catch_up(primary)
    epoch = await primary.query(EPOCH)
    await cut_off(standby, primary)
    for name in ("lost", f"lost too {number}"):
        await primary.query(NAME, name)
    await reached(registry, f"lost too {number}")
    await primary.crash()
    await standby.promote()
    await standby.query(SET_BACK, epoch)
    for name in ("other", f"other too {number}"):
        await standby.query(NAME, name)
    assert registry.position is not None
    assert await standby.query(EPOCH) == epoch + 2


async def tries_in_vain(registry: Registry) -> None:
    """Wait until it has tried several times more to connect, and has not."""
    before = registry.stats()

    async def tried() -> bool:
        return registry.stats().losses >= before.losses + 3

    await until(tried, what="it has tried to connect", within=30)
    assert registry.stats().connects == before.connects
    assert registry.state is RegistryState.STALE


async def asks_in_vain(registry: Registry) -> None:
    """Wait until it has asked the standby several times; what it holds stays, and is STALE."""

    async def asked() -> bool:
        return registry.stats().on_standby and registry.stats().polls > polls + 6

    polls = registry.stats().polls
    await until(asked, what="it has asked the standby several times")
    assert name_in(registry) == "new"
    assert registry.state is RegistryState.STALE


@pytest.mark.parametrize("primary", [18], indirect=True)
@pytest.mark.parametrize("kind", [Following, EpochAlone, NeverBack])
async def test_a_failover_that_lost_commits_is_betrayed_by_the_token(
    primary: Server, standby: Server, kind: type[Following], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The epochs of the lost commits are given again. Whoever compares the numbers alone keeps what nobody has.

    Then the old primary is rewound, follows, and is promoted in turn: the same registry follows both failovers.
    """
    monkeypatch.setattr(kept, "Following", kind)
    async with toxic_proxy(standby.dsn) as (proxy, through):
        both = replace(primary.dsn, hosts=(*primary.dsn.hosts, *through.hosts), target_session_attrs="read-write")
        async with RecordedRegistry(both, **QUICK) as registry:
            proxy.refuse()  # until the others are committed: else their beginning betrays them
            await lose_the_tail(primary, standby, registry, number=1)
            await proxy.listen()
            await is_in(registry, RegistryState.LIVE)
            await registry.refresh()
            if kind is EpochAlone:
                assert name_in(registry) == "lost too 1"
                return
            assert name_in(registry) == "other too 1"
            assert contents(registry.snapshot) == contents(await loaded(standby.dsn))
            await primary.rewind_to(standby)
            await primary.streams_from(standby)
            await lose_the_tail(standby, primary, registry, number=2)
            if kind is NeverBack:
                await tries_in_vain(registry)
                assert name_in(registry) == "lost too 2"
                return
            await reached(registry, "other too 2")
            await registry.refresh()
            assert contents(registry.snapshot) == contents(await loaded(primary.dsn))
            assert [one.epochs for one in registry.recorder.held].count(None) >= 3  # one load, and one per failover


def polls_told(caplog: pytest.LogCaptureFixture) -> int:
    return sum(getattr(record, "exchanges_db_event", "") == "registry_polls" for record in caplog.records)


async def grows_old(registry: RecordedRegistry, primary: Server, name: str, *, paused: Server | None = None) -> None:
    """Commit what the registry cannot see; it must go stale, and never say that it is fresher than this commit.

    Or than its arrival at the standby, where that one gets it.
    """
    lag, losses = registry.lag, registry.stats().losses  # on a slow machine it is old already
    assert lag is not None
    began = monotonic()
    await primary.query(NAME, name)
    if paused is not None:
        await has_received(paused, primary)
    written = monotonic()
    await is_in(registry, RegistryState.STALE)
    assert name_in(registry) != name
    registry.claim()
    assert registry.claims[-1].since <= written
    due = began - lag + QUICK["poll_interval"] + QUICK["answer_timeout"]
    assert due <= monotonic() or registry.stats().losses > losses  # not before its time


async def stays_young(dsn: Dsn) -> None:
    """While all is well it is LIVE all the time, and never older than a poll and an answer take."""
    async with RecordedRegistry(dsn, poll_interval=0.1, answer_timeout=2.0) as registry:
        polls = registry.stats().polls
        async with asyncio.timeout(30):
            while registry.stats().polls < polls + 10:
                registry.claim()
                assert registry.state is RegistryState.LIVE
                await asyncio.sleep(0.005)
        assert max(claim.at - claim.since for claim in registry.claims) <= 1.1 * 2.1


@pytest.mark.parametrize("primary", [15, 18], indirect=True)
@pytest.mark.parametrize("who", ["a superuser", "a reader"])
async def test_on_a_standby_it_polls_and_says_how_old_it_is(
    primary: Server, standby: Server, who: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning. It goes stale while replay is paused, and while the standby gets nothing from its primary."""
    dsn = standby.dsn
    if who == "a reader":
        await primary.query("CREATE ROLE reader LOGIN PASSWORD 'reader'")
        await primary.query("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        dsn = replace(dsn, user="reader", password=Secret("reader"))
    await standby.catch_up(primary)
    with caplog.at_level(logging.WARNING, "exchanges_db"):
        async with RecordedRegistry(dsn, **QUICK) as registry:
            assert registry.stats().on_standby
            assert not registry.stats().listening
            with pytest.raises(asyncpg.PostgresError, match="during recovery"):
                await standby.query("LISTEN exchanges_db_changed")
            await primary.query(NAME, "seen")
            await reached(registry, "seen")
            await stays_young(dsn)
            await standby.query("SELECT pg_wal_replay_pause()")
            await grows_old(registry, primary, "paused", paused=standby)
            await standby.query("SELECT pg_wal_replay_resume()")
            await reached(registry, "paused")
            await is_in(registry, RegistryState.LIVE)
            conninfo = await standby.query("SHOW primary_conninfo")
            await cut_off(standby, primary)
            await grows_old(registry, primary, "cut off")
            await standby.set(primary_conninfo=conninfo.replace("'", "''"))
            await reached(registry, "cut off")
            await is_in(registry, RegistryState.LIVE)
            await standby.query(END_ALL)
            await primary.query(NAME, "after a lost connection")
            await reached(registry, "after a lost connection")
    assert polls_told(caplog) == 2  # one of each registry


@pytest.mark.parametrize("primary", [18], indirect=True)
async def test_look_ups_raise_while_a_standby_is_too_old(primary: Server, standby: Server) -> None:
    async with RecordedRegistry(standby.dsn, **QUICK, max_staleness=0.5) as registry:
        await standby.query("SELECT pg_wal_replay_pause()")
        await primary.query(NAME, "paused")
        async with asyncio.timeout(30):
            while registry.recorder.told[-1] != "stale":
                await asyncio.sleep(0.01)
        with pytest.raises(RegistryStale) as info:
            _ = registry.snapshot
        assert info.value.lag is not None
        assert info.value.lag >= 0.5
        await standby.query("SELECT pg_wal_replay_resume()")
        async with asyncio.timeout(30):
            while registry.recorder.told[-1] != "fresh":
                await asyncio.sleep(0.01)

        async def shown() -> bool:
            with suppress(RegistryStale):  # where the machine is slow, again for a moment
                return name_in(registry) == "paused"
            return False

        await until(shown, what="the registry holds what came last", within=30)
    await cut_off(standby, primary)
    with pytest.raises(DatabaseUnavailable, match="follows another one"):  # to begin with what may be old is refused
        await RecordedRegistry(standby.dsn, **QUICK, load_timeout=2.0).open()


class AnyAnswerProves(Following):
    """Takes what a standby shows for what there is."""

    async def _poll(self, session: Any) -> bool:
        sent = uptime()
        moved = await super()._poll(session)
        self._prove(sent)
        return moved


@pytest.mark.parametrize("primary", [18], indirect=True)
@pytest.mark.parametrize("kind", [Following, AnyAnswerProves])
async def test_a_hint_from_the_primary_proves_nothing_of_the_standby(
    primary: Server, standby: Server, kind: type[Following], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes the registry ask until the standby shows it, long before the next poll; and no earlier is it fresh."""
    monkeypatch.setattr(kept, "Following", kind)
    await standby.catch_up(primary)
    async with RecordedRegistry(standby.dsn, listen=primary.dsn, poll_interval=5.0, answer_timeout=5.0) as registry:

        async def listens() -> bool:
            return registry.stats().listening

        await until(listens, what="it listens at the primary")
        began = monotonic()
        await primary.query(NAME, "told")
        await reached(registry, "told")
        assert monotonic() - began < 2.5
        await standby.query("SELECT pg_wal_replay_pause()")
        hints = registry.stats().hints
        await primary.query(NAME, "paused")
        await has_received(standby, primary)
        received = monotonic()
        polls = registry.stats().polls

        async def asked() -> bool:
            return registry.stats().hints > hints and registry.stats().polls > polls + 6

        await until(asked, what="the hint has led to several polls")
        assert name_in(registry) == "told"
        registry.claim()
        # A question of the moment before the standby received the write proves that moment, and rightly.
        early = max(claim.since for claim in registry.claims) > received
        assert early is (kind is AnyAnswerProves)
        await standby.query("SELECT pg_wal_replay_resume()")
        await reached(registry, "paused")


@pytest.mark.parametrize("primary", [18], indirect=True)
async def test_on_a_standby_all_is_read_anew_once_the_log_is_whole_again(primary: Server, standby: Server) -> None:
    """Its epoch is the one that is held, and says nothing of what was changed meanwhile."""
    await standby.catch_up(primary)
    async with Registry(standby.dsn, settings=RegistrySettings(**QUICK)) as registry:
        await primary.query("ALTER TABLE exchanges DISABLE TRIGGER exchanges_note_update")
        await is_in(registry, RegistryState.STALE)
        await primary.query(NAME, "untold")
        await primary.query("ALTER TABLE exchanges ENABLE ALWAYS TRIGGER exchanges_note_update")
        await is_in(registry, RegistryState.LIVE)
        assert name_in(registry) == "untold"
        assert registry.stats().loads == 2


@pytest.mark.parametrize("primary", [18], indirect=True)
async def test_a_standby_that_is_promoted_is_listened_to(primary: Server, standby: Server) -> None:
    """Its connections outlive that, and nothing else would make another one."""
    await standby.catch_up(primary)
    async with RecordedRegistry(standby.dsn, **QUICK) as registry:
        await primary.crash()
        await standby.promote()

        async def listens() -> bool:
            return registry.stats().listening and not registry.stats().on_standby

        await until(listens, what="it listens", within=30)
        hints = registry.stats().hints
        await standby.query(NAME, "told")
        await reached(registry, "told")
        assert registry.stats().hints > hints
        assert registry.stats().connects == 1


@pytest.mark.parametrize("primary", [18], indirect=True)
async def test_a_standby_that_is_behind_takes_nothing_back(primary: Server, standby: Server) -> None:
    """What a connection to it shows may be hours old: a hold that was set meanwhile would be gone without a word.

    What is held stays, and is STALE, until the standby shows that much.
    """
    await standby.catch_up(primary)
    await standby.query("SELECT pg_wal_replay_pause()")
    both = replace(primary.dsn, hosts=(*primary.dsn.hosts, *standby.dsn.hosts))
    async with RecordedRegistry(both, **QUICK, max_staleness=60.0) as registry:
        await primary.query(NAME, "new")
        await reached(registry, "new")
        await has_received(standby, primary)
        await primary.crash()

        await asks_in_vain(registry)
        await standby.query("SELECT pg_wal_replay_resume()")
        await standby.promote()
        await is_in(registry, RegistryState.LIVE)
        assert name_in(registry) == "new"
        assert [one.values[1] for one in registry.recorder.held][-1] == "new"
        assert registry.stats().loads == 1


@pytest.mark.parametrize("primary", [18], indirect=True)
async def test_an_old_primary_is_not_believed_where_the_new_one_is_listened_to(
    primary: Server, standby: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """A pooler may still lead to the old one, which nobody has fenced; the direct way knows better."""
    await standby.catch_up(primary)
    await standby.promote()
    async with RecordedRegistry(primary.dsn, listen=standby.dsn, **QUICK) as registry:
        await primary.query(NAME, "of the old one")
        await reached(registry, "of the old one")
        await standby.query(NAME, "of the new one")
        await standby.query(NAME, "of the new one too")
        await is_in(registry, RegistryState.STALE)
        losses = registry.stats().losses
        polls = registry.stats().polls

        async def tried() -> bool:
            return registry.stats().losses >= losses + 3

        async with asyncio.timeout(30):
            while not await tried():
                assert registry.state is RegistryState.STALE
                await asyncio.sleep(0.002)
        assert registry.stats().polls - polls < 50
        assert "an old primary and a new one" in (registry.stats().last_error or "")
        await standby.crash()  # whom the direct way leads to says nothing any more
        await is_in(registry, RegistryState.LIVE)


@pytest.mark.parametrize("primary", [18], indirect=True)
@pytest.mark.parametrize("more", [0, 3], ids=["as many epochs", "more epochs"])
async def test_an_old_primary_that_goes_on_is_not_believed_for_its_higher_epochs(
    primary: Server, standby: Server, more: int
) -> None:
    """Others still write to it, too: both give out the same epochs, with other tokens."""
    await standby.catch_up(primary)
    await standby.promote()
    async with RecordedRegistry(primary.dsn, listen=standby.dsn, **QUICK) as registry:
        for number in range(1 + more):
            await primary.query(NAME, f"of the old one {number}")
            await reached(registry, f"of the old one {number}")
        assert registry.state is RegistryState.LIVE
        await standby.query(NAME, "of the new one")
        await is_in(registry, RegistryState.STALE)
        losses = registry.stats().losses

        async def tried() -> bool:
            assert registry.state is RegistryState.STALE
            return registry.stats().losses >= losses + 3

        await until(tried, what="it has connected several times", within=30)


@pytest.mark.parametrize("primary", [18], indirect=True)
async def test_an_old_primary_takes_nothing_back(primary: Server, standby: Server) -> None:
    """What is held of the new one stays, and is STALE, where a pooler comes to lead to the old one again."""
    await standby.catch_up(primary)
    await standby.promote()
    async with (
        toxic_proxy(standby.dsn) as (proxy, through),
        RecordedRegistry(through, listen=standby.dsn, **QUICK) as registry,
    ):
        await standby.query(NAME, "of the new one")
        await reached(registry, "of the new one")
        await asyncio.sleep(0.3)  # the direct way has shown it, too
        proxy._port = primary.port
        proxy.reset()
        losses = registry.stats().losses

        async def tried() -> bool:
            return registry.stats().losses >= losses + 3

        await until(tried, what="it has connected several times", within=30)
        assert name_in(registry) == "of the new one"
        assert registry.state is RegistryState.STALE
        assert registry.stats().loads == 1
        proxy._port = standby.port
        proxy.reset()
        await is_in(registry, RegistryState.LIVE)


@pytest.mark.parametrize("primary", [18], indirect=True)
async def test_what_the_direct_way_saw_is_asked_for_again_before_long(primary: Server) -> None:
    """The log may have been taken back on the same server, as by a restore: nobody waits for the next poll of 30 s."""
    async with RecordedRegistry(primary.dsn, listen=primary.dsn, poll_interval=30.0, answer_timeout=2.0) as registry:

        async def listens() -> bool:
            return registry.stats().listening

        await until(listens, what="it listens")
        await primary.query(NAME, "lost")
        await primary.query(NAME, "lost too")
        await reached(registry, "lost too")
        await primary.query(f"SELECT count(pg_terminate_backend(pid)) FROM ({OURS}) AS ours")  # so that it is seen
        await until(listens, what="it listens again")
        await asyncio.sleep(1)
        await primary.query("DELETE FROM registry_changes WHERE epoch = (SELECT max(epoch) FROM registry_changes)")
        async with asyncio.timeout(10):
            await registry.refresh()
        assert registry.state is RegistryState.LIVE


SILENTLY = {
    "told": "UPDATE exchanges SET display_name = 'new' WHERE id = 1",
    "while a trigger was off": """
        ALTER TABLE exchanges DISABLE TRIGGER exchanges_note_update;
        UPDATE exchanges SET display_name = 'new' WHERE id = 1;
        ALTER TABLE exchanges ENABLE ALWAYS TRIGGER exchanges_note_update""",
}


@pytest.mark.parametrize("statements", SILENTLY.values(), ids=SILENTLY)
@pytest.mark.parametrize("primary", [18], indirect=True)
async def test_a_standby_whose_primary_has_fallen_silent_takes_nothing_back(
    primary: Server, standby: Server, statements: str
) -> None:
    """It says that it is connected until `wal_receiver_timeout` is over; a machine that is gone is silent for both."""
    conninfo = await standby.query("SHOW primary_conninfo")
    async with toxic_proxy(primary.dsn) as (wal, _), toxic_proxy(primary.dsn) as (way, through):
        await standby.set(primary_conninfo=re.sub(r"port='?\d+'?", f"port={wal.port}", conninfo).replace("'", "''"))

        async def goes_through() -> bool:
            return wal.accepted > 0

        await until(goes_through, what="the standby streams through the proxy")
        await standby.streams_from(primary)
        await standby.catch_up(primary)
        both = replace(through, hosts=(*through.hosts, *standby.dsn.hosts))
        async with RecordedRegistry(both, **QUICK) as registry:
            wal.silent = True
            owner = await asyncpg.connect(**primary.dsn.asyncpg_arguments())
            await owner.execute(statements)
            await owner.close()
            await reached(registry, "new")
            way.refuse()
            way.forget()

            await asks_in_vain(registry)
            await standby.promote()  # what was not received is lost
            await is_in(registry, RegistryState.LIVE)
            assert name_in(registry) != "new"
