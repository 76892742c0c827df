"""Commits that come at every moment of a registry's beginning and going on, against a database made of a list.

Nothing here takes time: no poll comes to help, unless a test is about polls. Each promise has mutants of the algorithm
that must break it, so that a test which could not fail would be found.
"""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import msgspec
import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.database.settings import Settings
from exchanges_db.registry import attempts, hearing, loading
from exchanges_db.registry import following as module
from exchanges_db.registry.following import Following
from exchanges_db.registry.models import Position
from exchanges_db.registry.snapshot import LogEntry, News, Snapshot
from exchanges_db.registry.state import Counts
from exchanges_db.uptime import uptime
from exchanges_sql.registry import GetRegistryStateRow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POINTS = 10  # at each of which a commit comes or not: 1,024 interleavings


class _Session:
    """A connection to the list; pid: of the process that answers, which is another one behind a pooler."""

    def __init__(self, pid: int = 1) -> None:
        self.pid = pid
        self.closed = False
        self.listeners: list[Callable[[str], None]] = []
        self.on_end: list[Callable[[object], None]] = []

    def get_server_pid(self) -> int:
        return 1

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        if not self.closed:
            self.closed = True
            for tell in self.on_end:
                tell(self)

    def add_termination_listener(self, tell: Callable[[object], None]) -> None:
        self.on_end.append(tell)

    def transaction(self, **_: object) -> "_Session":
        return self

    async def start(self) -> None:
        pass

    async def commit(self) -> None:
        pass


class _World:
    """A log, those who listen to it, and the points at which others commit."""

    def __init__(self, commits_at: Callable[[int], bool] = lambda _: False) -> None:
        self.log = [Position(1, "t1")]
        self.sessions: list[_Session] = []
        self.commits_at = commits_at
        self.points = 0
        self.tokens = 1
        self.is_deaf = False  # no notification arrives
        self.after_hint: Callable[[], str | None] = lambda: None  # a forged one
        self.by_epoch_alone = False
        self.is_pooled = False  # so that a session tells another number than that of the server's process
        self.on_standby = False
        self.behind = 0  # commits that the server lacks which a pooler leads to for news
        self.echo_may_end = asyncio.Event()
        self.echo_may_end.set()
        self.echoes = 0

    @property
    def newest(self) -> Position:
        return self.log[-1]

    def commit(self) -> None:
        self.tokens += 1
        self.log.append(Position(self.newest.epoch + 1, f"t{self.tokens}"))
        self.tell("{}:{}".format(*self.newest))
        forged = self.after_hint()
        if forged is not None:
            self.tell(forged)

    def tell(self, hint: str) -> None:
        for session in self.sessions:
            for listener in [] if self.is_deaf or session.closed else session.listeners:
                asyncio.get_running_loop().call_soon(listener, hint)

    def fail_over(self, *, lost: int, others: int) -> None:
        """Lose the last commits, make others, and end all sessions."""
        del self.log[-lost:]
        for session in self.sessions:
            session.terminate()
        for _ in range(others):
            self.commit()

    async def point(self) -> None:
        await asyncio.sleep(0)
        self.points += 1
        if self.commits_at(self.points):
            self.commit()
        await asyncio.sleep(0)

    # What the module under test calls.

    async def connect(self, *_: object, **__: object) -> _Session:
        await self.point()
        self.sessions.append(_Session(2 if self.is_pooled else 1))
        return self.sessions[-1]

    async def listen(self, session: _Session, on_hint: Callable[[str], None]) -> Any:
        await self.point()
        session.listeners.append(on_hint)
        await self.point()
        return self

    async def comes_back(self, sender: _Session, patience: float) -> bool:
        del patience
        if sender is self.sessions[0] and self.is_pooled:
            raise AssertionError("what a session sends to itself proves nothing there")
        self.echoes += 1
        await self.echo_may_end.wait()
        return not self.is_deaf

    async def fetch_state(self, session: _Session) -> GetRegistryStateRow:
        await self.point()
        newest = self.newest
        await self.point()
        return GetRegistryStateRow(newest.epoch, newest.token, 1, NOW, self.on_standby, session.pid, 0, 0, False, 60)

    async def load_all(self, *_: object) -> Snapshot:
        await self.point()
        loaded = Snapshot.of(self.newest, {}, 1)
        await self.point()
        return loaded

    async def fetch_news(self, session: _Session, documents: object, known: Snapshot) -> News | None:
        await self.point()
        at = known.position
        if at not in self.log and not (self.by_epoch_alone and at.epoch <= self.newest.epoch):
            return None
        later = [one for one in self.log[: len(self.log) - self.behind] if one.epoch > at.epoch]
        entries = tuple(LogEntry(one.epoch, "EXCHANGES", frozenset(), NOW, one.token) for one in later)
        nothing: dict[Any, Any] = {}
        position = later[-1] if later else at
        await self.point()
        return News(
            position=position,
            entries=entries,
            exchanges=nothing,
            symbols=nothing,
            holds=nothing,
            fees=nothing,
            lists=nothing,
        )


async def _nothing(_: object) -> None:
    pass


async def _is_direct(session: _Session, *, limit: float) -> bool:
    del limit
    return session.get_server_pid() == session.pid


@pytest.fixture(autouse=True)
def _no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for caller in (module, loading):
        monkeypatch.setattr(caller, "bridge", lambda session: session)
    monkeypatch.setattr(module, "keep_while_idle", _is_direct)
    monkeypatch.setattr(loading, "hold_registry", _nothing)
    monkeypatch.setattr(module, "_USELESS_PAUSE", 0.0)
    monkeypatch.setattr(attempts, "_FIRST_PAUSE", 0.0)


@asynccontextmanager
async def followed(
    world: _World, monkeypatch: pytest.MonkeyPatch, kind: type[Following] = Following, *, poll_interval: float = 3600
) -> Any:
    for name in ("connect", "listen", "fetch_state", "load_all", "fetch_news"):
        monkeypatch.setattr(hearing if name == "listen" else module, name, getattr(world, name))
    monkeypatch.setattr(hearing, "connect", world.connect)
    moves: list[Position] = []

    def move(snapshot: Snapshot, _: News | None) -> None:
        moves.append(snapshot.position)
        if world.commits_at(0):  # at the swap itself
            world.commits_at = lambda _: False
            world.commit()

    following = kind(
        Dsn(),
        Settings(),
        ear=None,
        poll_interval=poll_interval,
        answer_timeout=3600,
        counts=Counts(),
        on_move=move,
        on_proof=lambda: None,
        on_loss=lambda _: None,
    )
    task = asyncio.create_task(following.run())
    try:
        yield following, moves
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def settled(condition: Callable[[], bool] = lambda: False) -> None:
    """Let everything run that can, without any time that passes."""
    for _ in range(60):
        if condition():
            return
        await asyncio.sleep(0)


async def not_reached(
    monkeypatch: pytest.MonkeyPatch, kind: type[Following], *, forge: bool = False, again: bool = False
) -> int | None:
    """Return the first of the interleavings after which the newest position is not held; None where it always is.

    again: not those with the beginning, but with what is done after a failover that lost a commit: all is loaded anew.
    """
    for mask in range(0, 1 << POINTS, 8 if forge else 1):
        world = _World()
        interleaved = lambda point, mask=mask: 0 < point <= POINTS and bool(mask >> (point - 1) & 1)  # noqa: E731
        if not again:
            world.commits_at = interleaved
        async with followed(world, monkeypatch, kind) as (following, _):

            def is_reached() -> bool:
                held = following.snapshot
                return held is not None and held.position == world.newest  # noqa: B023

            def rests() -> bool:
                return is_reached() and following._counts.listening and not following._hinted.is_set()

            if again:
                world.commit()
                await settled(rests)
                world.points, world.commits_at = 0, interleaved
                world.fail_over(lost=1, others=1)
            if forge:
                world.after_hint = lambda: following.snapshot and "{}:{}".format(*following.snapshot.position)
            await settled(rests)
            if not rests():
                return mask
            assert following._counts.loads == 1 + again
            world.commit()  # while it waits
            await settled(is_reached)
            if not is_reached():
                return mask
    return None


async def test_hints_of_what_one_look_took_in_are_no_reason_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that leads to nothing has hints left alone for a while: many changes a second all waited for that."""
    world = _World()
    monkeypatch.setattr(module, "_USELESS_PAUSE", 3600.0)
    async with followed(world, monkeypatch) as (following, moves):
        await settled(lambda: bool(moves))
        await settled()
        world.is_deaf = True
        for _ in range(3):
            world.commit()
        world.is_deaf = False
        late = ["{}:{}".format(*one) for one in world.log[-3:]]
        world.tell(late[0])  # one look takes in all three, and the other two are told of after it
        await settled(lambda: following.snapshot.position == world.newest)
        for hint in late[:2]:
            world.tell(hint)
        await settled()
        world.commit()
        await settled(lambda: following.snapshot.position == world.newest)
        assert following.snapshot.position == world.newest
        assert moves[-2:] == world.log[-2:]


class LoadBeforeListen(Following):
    """What is committed in between is missed."""

    _later: Any = None

    async def _subscribe(self, *arguments: Any) -> None:
        self._later = arguments

    async def _look(self, *arguments: Any, **options: Any) -> None:
        await super()._look(*arguments, **options)
        if self._later is not None:
            await super()._subscribe(*self._later)
            self._later = None


class ClearAfterLook(Following):
    """What is committed while it looks is missed."""

    async def _wait(self, until: float) -> bool:
        await self._hinted.wait()
        return True

    async def _look(self, *arguments: Any, **options: Any) -> None:
        await super()._look(*arguments, **options)
        self._hinted.clear()


class LastHintOnly(Following):
    """A hint at what is known hides the one before."""

    def _note(self, hint: str) -> None:
        self._hint = hint
        self._hinted.set()


class BelieveHints(Following):
    """A position that somebody sends is taken for reached."""

    def _note(self, hint: str) -> None:
        epoch, _, token = hint.partition(":")
        if self.snapshot is not None and epoch.isdigit():
            self.snapshot = msgspec.structs.replace(self.snapshot, position=Position(int(epoch), token))


class NeverPoll(Following):
    """What nobody tells of is never seen."""

    async def _wait(self, until: float) -> bool:
        return await super()._wait(until + 3600)


CASES = {"": {}, "with forged hints": {"forge": True}, "after a failover": {"again": True}}


@pytest.mark.parametrize("case", CASES)
async def test_no_commit_is_missed_whenever_it_comes(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """In each of 1,024 interleavings with connecting, asking, LISTEN, loading and looking; and without a poll."""
    assert await not_reached(monkeypatch, Following, **CASES[case]) is None


@pytest.mark.parametrize(
    ("mutant", "case"),
    [
        (LoadBeforeListen, ""),
        (LoadBeforeListen, "after a failover"),
        (ClearAfterLook, ""),
        (ClearAfterLook, "after a failover"),
        (LastHintOnly, "with forged hints"),
    ],
)
async def test_a_mutant_misses_commits(monkeypatch: pytest.MonkeyPatch, mutant: type[Following], case: str) -> None:
    """And where nothing is committed at a bad moment it does as well as the right one."""
    found = await not_reached(monkeypatch, mutant, **CASES[case])
    assert found is not None
    assert found > 0 or mutant is LastHintOnly


async def test_a_commit_at_the_swap_itself_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    world = _World(lambda point: point == 0)
    async with followed(world, monkeypatch) as (_, moves):
        await settled(lambda: len(moves) == 2)
        assert moves == [Position(1, "t1"), Position(2, "t2")]


@pytest.mark.parametrize("kind", [Following, BelieveHints])
@pytest.mark.parametrize(
    "forged", ["999:x", "2:t2", "1:t1", "0:", "", "x" * 7999, "2:", ":", "-1:t", "999999999999999999999:t"]
)
async def test_a_forged_hint_moves_nothing(monkeypatch: pytest.MonkeyPatch, kind: type[Following], forged: str) -> None:
    """It is looked up, and what is held stays what the database has; unless hints are believed."""
    world = _World()
    async with followed(world, monkeypatch, kind) as (following, moves):
        await settled(lambda: following.snapshot is not None)
        world.tell(forged)
        await settled()
        right = following.snapshot.position == world.newest and moves == [world.newest]
        assert right or (kind is BelieveHints)
        if kind is BelieveHints and forged.startswith(("999:", "2:t")):
            assert not right


@pytest.mark.parametrize("by_epoch_alone", [False, True])
@pytest.mark.parametrize(("lost", "others"), [(2, 2), (2, 1), (1, 3), (2, 0)])
async def test_epochs_that_are_given_again_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, by_epoch_alone: bool, lost: int, others: int
) -> None:
    """After a failover that lost the last commits; whoever compares the number alone holds what nobody has."""
    world = _World()
    async with followed(world, monkeypatch) as (following, _):
        for _ in range(4):
            world.commit()
        await settled(lambda: following.snapshot is not None and following.snapshot.position == world.newest)
        world.by_epoch_alone = by_epoch_alone
        held = following.snapshot.position
        world.fail_over(lost=lost, others=others)
        assert held not in world.log
        for _ in range(3):
            await settled()
            following.look()
        await settled()
        right = following.snapshot.position == world.newest
        # More commits than were lost lead to the newest position, but past the others.
        assert right is not by_epoch_alone or (by_epoch_alone and (others > lost or others < lost))


@pytest.mark.parametrize("kind", [Following, NeverPoll])
async def test_what_nobody_tells_of_is_seen_by_the_next_poll(
    monkeypatch: pytest.MonkeyPatch, kind: type[Following]
) -> None:
    world = _World()
    world.is_deaf = True
    async with followed(world, monkeypatch, kind, poll_interval=0.01) as (following, _):
        await settled(lambda: following.snapshot is not None)
        world.commit()
        with suppress(TimeoutError):
            async with asyncio.timeout(10 if kind is Following else 0.2):
                while following.snapshot.position != world.newest:
                    await asyncio.sleep(0.001)
        assert (following.snapshot.position == world.newest) is (kind is Following)


async def test_polls_keep_their_time_while_hints_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a poll tells the server's time, and whether it has become another kind of server."""
    world = _World()
    async with followed(world, monkeypatch, poll_interval=0.01) as (following, _):
        await settled(lambda: following.snapshot is not None)
        async with asyncio.timeout(10):
            while following._counts.polls < 3:
                world.commit()
                await asyncio.sleep(0)
        assert following.clock.now() is not None


async def test_nothing_waits_for_the_echo_behind_a_pooler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the first load nor a connection that is made again; and whoever asks for it is ended with it."""
    world = _World()
    world.is_pooled = world.is_deaf = True
    world.echo_may_end.clear()
    async with followed(world, monkeypatch, poll_interval=0.01) as (following, moves):
        for number in range(3):
            await settled(lambda number=number: len(moves) > number and world.echoes > number)  # type: ignore[misc]
            assert moves == world.log
            assert following._counts.deaf is None
            world.commit()
            world.sessions[-2].terminate()  # the last one is that which sends the echo
            async with asyncio.timeout(10):
                while world.echoes < number + 2:
                    await asyncio.sleep(0.001)
            assert sum(not session.closed for session in world.sessions) == 2
        assert following._counts.deaf is None
        world.echo_may_end.set()
        await settled(lambda: following._counts.deaf is not None)
        assert following._counts.deaf is True
    assert all(session.closed for session in world.sessions)


async def test_hints_that_lead_to_nothing_make_a_standby_no_busier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anyone may send them, as many as they like; it is asked at once after the first, and then after pauses."""
    world = _World()
    world.on_standby = True
    monkeypatch.setattr(module, "_USELESS_PAUSE", 0.05)
    async with followed(world, monkeypatch) as (following, _):
        await settled(lambda: following._counts.polls >= 2)
        polls = following._counts.polls
        async with asyncio.timeout(10):
            began = asyncio.get_running_loop().time()
            while asyncio.get_running_loop().time() < began + 0.5:
                following._note("forged")
                await asyncio.sleep(0)
        assert polls < following._counts.polls <= polls + 60  # without pauses: thousands


async def test_a_promoted_standby_is_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its promotion ends no connection."""
    world = _World()
    world.on_standby = True
    async with followed(world, monkeypatch, poll_interval=0.01) as (following, _):
        await settled(lambda: following._counts.polls >= 2)
        assert not following._counts.listening
        world.on_standby = False
        async with asyncio.timeout(10):
            while not following._counts.listening:
                await asyncio.sleep(0.001)
        assert len(world.sessions) == 1


async def test_behind_a_pooler_a_look_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It leads to another server when it likes: to a standby, which shows less, and does not say so with the news."""
    world = _World()
    world.is_pooled = True
    async with followed(world, monkeypatch) as (following, _):
        await settled(lambda: following.proven_at is not None)
        world.on_standby = True
        proven_at = following.proven_at
        following.look()
        await settled()
        assert following.proven_at == proven_at


async def test_behind_a_pooler_news_of_another_server_are_not_what_the_first_one_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one that has told what is new knew less than the one that was asked before, whose answer counts."""
    world = _World()
    world.is_pooled = world.is_deaf = True
    async with followed(world, monkeypatch, poll_interval=0.01) as (following, _), asyncio.timeout(10):

        async def holds(epoch: int, polls: int) -> None:
            until = following._counts.polls + polls
            while (
                following.snapshot is None or following.snapshot.position.epoch != epoch or following.proven_at is None
            ):
                await asyncio.sleep(0.001)
            while following._counts.polls < until:
                await asyncio.sleep(0.001)

        await holds(1, 2)
        world.behind = 1
        world.commit()
        world.commit()
        committed_at = uptime()
        await holds(2, 4)
        assert following.proven_at <= committed_at
        world.behind = 0
        await holds(3, 4)
        assert following.proven_at > committed_at


async def test_hints_without_end_take_no_memory_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can send them, while nothing is looked at, as during a load that takes long."""
    async with followed(_World(), monkeypatch) as (following, _):
        for number in range(10_000):
            following._note(f"{number}:forged")
        assert len(following._hints) < 1000


async def test_a_timer_that_is_early_is_no_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of uvloop are, by up to a millisecond: the time of the next poll has not come yet when it wakes."""
    world = _World()
    async with followed(world, monkeypatch, poll_interval=0.01) as (following, _):
        now = monotonic()
        monkeypatch.setattr(module, "monotonic", lambda: now)
        polls = following._counts.polls
        async with asyncio.timeout(10):
            while following._counts.polls < polls + 3 and not following._counts.losses:
                await asyncio.sleep(0.001)
        assert following._counts.losses == 0
