"""The registries of a soak, of every kind, those who read them, and those that come and go."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import asyncpg

from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import ExchangesDBError, RegistryStale
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.registry.state import RegistryState
from exchanges_db.registry.threaded import ThreadedRegistry
from exchanges_db.registry.views import View
from tests.payload_rows import SPOT
from tests.registry_history import newest_position
from tests.soak.stage import Stage
from tests.soak.using import Consumer, follow, look_up_faults
from tests.soak.watching import Digests, Faults, Watcher
from tests.soak.writing import FAILURES, PAIR

_SETTINGS = RegistrySettings(poll_interval=0.5, answer_timeout=2)
_STRICT = RegistrySettings(poll_interval=0.5, answer_timeout=2, max_staleness=3)
_SHORT = RegistrySettings(poll_interval=0.5, answer_timeout=2, load_timeout=10)
# Begins the names of those who look by themselves too late for any soak: notifications alone tell them of what is new.
PATIENT = "patient"
_PATIENT = RegistrySettings(poll_interval=3600, answer_timeout=2)


class Member:
    """One registry, in whatever way it is kept, and what it went through."""

    def __init__(self, who: str, registry: Registry | ThreadedRegistry, watcher: Watcher) -> None:
        self.who, self.registry, self.watcher = who, registry, watcher
        self.view: View | None = None
        registry.follow(watcher)

    async def open(self) -> None:
        """Open it."""
        if isinstance(self.registry, ThreadedRegistry):
            await asyncio.to_thread(self.registry.open)
        else:
            await self.registry.open()

    def look_up_faults(self) -> list[str]:
        """Return which look-ups do not lead to what is held; for where nothing moves on meanwhile."""
        if self.view is None:
            self.view = self.registry.view(SPOT)
        return look_up_faults(self.who, self.registry, self.view, self.registry.snapshot)

    async def refresh(self) -> None:
        """Wait, for a while, until it is proven to be fresh."""
        if isinstance(self.registry, ThreadedRegistry):
            await asyncio.to_thread(self.registry.refresh, timeout=5)
        else:
            async with asyncio.timeout(5):
                await self.registry.refresh()

    async def save(self, path: Path) -> None:
        """Put what it holds into a file."""
        if isinstance(self.registry, ThreadedRegistry):
            await asyncio.to_thread(self.registry.save, path)
        else:
            await self.registry.save(path)

    async def close(self) -> None:
        """Close it."""
        if isinstance(self.registry, ThreadedRegistry):
            await asyncio.to_thread(self.registry.close)
        else:
            await self.registry.close()


class Registries:
    """All of them."""

    def __init__(self, stage: Stage, faults: Faults, seed: str, folder: Path) -> None:
        self._stage, self._faults, self._seed, self._folder = stage, faults, seed, folder
        self.digests = Digests()
        self.members: list[Member] = []
        self.gone: list[Watcher] = []  # those that came and went
        self.consumers: list[Consumer] = []
        self.proofs = 0
        self._over = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._following: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Open those that stay."""
        stage, nowhere = self._stage, ("127.0.0.1", 1)
        made: dict[str, Registry | ThreadedRegistry] = {
            "asyncio": Registry(stage.dsn, settings=_SETTINGS),
            "threaded": Registry.in_thread(stage.dsn, settings=_SETTINGS),
            "strict": Registry(stage.dsn, settings=_STRICT),
            "proxied": Registry(stage.proxied, settings=_SETTINGS),
            "proxied thread": Registry.in_thread(stage.proxied, settings=_STRICT),
            "two ways": Registry(stage.proxied, listen=stage.dsn, settings=_SETTINGS),
            "polling": Registry(stage.dsn, listen=replace(stage.dsn, hosts=(nowhere,)), settings=_SETTINGS),
            "standby": Registry(stage.standby, settings=_SETTINGS),
            PATIENT: Registry(named(stage.dsn, PATIENT), settings=_PATIENT),
            f"{PATIENT} thread": Registry.in_thread(named(stage.dsn, f"{PATIENT} thread"), settings=_PATIENT),
        }
        for who, registry in made.items():
            self.members.append(Member(who, registry, self._watcher(who, may_go_back=who == "standby")))
            await self.members[-1].open()
        for who, maxsize in (("asyncio", 10_000), ("two ways", 50), ("threaded", 100)):
            self._consume(next(member for member in self.members if member.who == who), maxsize)

    def _watcher(self, who: str, *, may_go_back: bool) -> Watcher:
        return Watcher(who, self.digests, self._faults, [PAIR], may_go_back=may_go_back)

    def have_seen(self, epoch: int) -> bool:
        """Return whether all who come by the proxies know what has this epoch, or a later one."""
        positions = [member.registry.position for member in self.members if member.who.startswith("proxied")]
        return all(position is not None and position.epoch >= epoch for position in positions)

    def _consume(self, member: Member, maxsize: int) -> None:
        """Have somebody follow its changes until it is closed; who has little room is slow, too."""
        registry, draw = member.registry, random.Random(f"{self._seed} {member.who}")
        consumer = Consumer(member.who, self._faults, lambda: registry.snapshot)

        async def pause() -> None:
            if maxsize < 10_000 and draw.random() < 0.01:
                await asyncio.sleep(draw.uniform(0.0, 2.0))

        if isinstance(registry, ThreadedRegistry):
            stream = registry.changes(maxsize=maxsize)

            def work() -> None:
                for change in stream:
                    consumer.take(change)
                    if draw.random() < 0.01:
                        self._over.wait(draw.uniform(0.0, 2.0))

            following = asyncio.to_thread(work)
        else:
            following = follow(consumer, registry.changes(maxsize=maxsize), pause)
        consumer.begin()
        self.consumers.append(consumer)
        self._following.append(asyncio.create_task(following))

    def books(self) -> int:
        """Return how many bytes are kept of what they went through."""
        steps = [one.watcher.steps for one in self.members] + [one.steps for one in self.gone]
        arrays = [*steps, *(one.positions for one in self.consumers)]
        return self.digests.size + sum(map(sys.getsizeof, arrays))

    def start(self) -> None:
        """Have them read, and others come and go."""
        works = [self._come_and_go, *map(self._reader, self.members)]
        self._tasks = [asyncio.create_task(self._go_on(work)) for work in works]
        threaded = [member for member in self.members if isinstance(member.registry, ThreadedRegistry)]
        self._tasks += [asyncio.create_task(asyncio.to_thread(self._read_on, each)) for each in threaded]

    async def end_reading(self) -> None:
        """Have them end, but for the registries themselves."""
        self._over.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)  # which are noted already

    async def close(self) -> None:
        """Close all, and have those who read in threads end, where nobody has told them yet."""
        self._over.set()
        for member in self.members:
            await member.close()
        await asyncio.gather(*self._following)  # a stream ends with its registry

    async def _go_on(self, work: Callable[[], Awaitable[None]]) -> None:
        draw = random.Random(self._seed)
        while not self._over.is_set():
            try:
                with suppress(*FAILURES):
                    await work()
            except Exception:
                self._faults.note(f"a reader failed: {traceback.format_exc()}")
                raise
            await asyncio.sleep(draw.uniform(0.0, 0.5))

    def _reader(self, member: Member) -> Callable[[], Awaitable[None]]:
        draw = random.Random(f"{self._seed} {member.who} reads")

        async def work() -> None:
            """What is committed before a proof is held after it, unless a failover has lost it.

            Of a standby: what it has shown before. That may be before its primary shows it, so the question goes to
            where the registry asks. Half of the proofs are waited for, the others are asked for.
            """
            failovers, on_standby = self._stage.failovers, member.registry.stats().on_standby
            dsn = replace(self._stage.dsn, target_session_attrs="standby") if on_standby else self._stage.dsn
            connection = await asyncpg.connect(**dsn.asyncpg_arguments(), timeout=5, command_timeout=10)
            try:
                committed, known_at = await newest_position(connection), time.monotonic()
            finally:
                connection.terminate()
            if member.who.startswith(PATIENT) or draw.random() < 0.5:
                if not await _proven(member, known_at):
                    return
            else:
                await member.refresh()
            held = member.registry.position
            assert held is not None  # it was opened
            if member.registry.stats().on_standby is not on_standby:
                return
            if failovers == self._stage.failovers and held.epoch < committed.epoch:
                self._faults.note(f"{member.who} was proven to be fresh at {held}, after {committed} was committed")
            self.proofs += 1
            if isinstance(member.registry, Registry):
                for fault in member.look_up_faults():
                    self._faults.note(fault)

        return work

    def _read_on(self, member: Member) -> None:
        """Read as a thread of its own does, as fast as it can, with short pauses."""
        last = -1
        while not self._over.wait(0.01):
            for _ in range(200):
                try:
                    snapshot = member.registry.snapshot
                except RegistryStale:
                    break
                names = [snapshot.places[place].exchange.display_name for place in PAIR]
                if names[0] != names[1]:
                    self._faults.note(f"a thread saw {names} in {member.who}")
                if snapshot.position.epoch < last and not self._stage.lost:
                    self._faults.note(f"a thread saw {member.who} at {snapshot.position.epoch} after {last}")
                last = snapshot.position.epoch

    async def _come_and_go(self) -> None:
        """Open one more, see that it holds what it should, and close it."""
        number = len(self.gone)
        draw = random.Random(f"{self._seed} {number}")
        dsn = draw.choice([self._stage.dsn, self._stage.proxied, self._stage.standby])
        watcher = self._watcher(f"guest {number}", may_go_back=dsn == self._stage.standby)
        member = Member(watcher.who, await self._guest(dsn, draw), watcher)
        self.gone.append(watcher)
        try:
            with suppress(ExchangesDBError, TimeoutError):
                await member.open()
                for _ in range(draw.randrange(4)):
                    await member.refresh()
                    if isinstance(member.registry, Registry) and member.registry.position is not None:
                        for fault in member.look_up_faults():
                            self._faults.note(fault)
        finally:
            await member.close()
            watcher.forget()

    def patient_guest(self) -> Member:
        """Return another one that notifications alone tell of what is new, not opened yet; its caller closes it."""
        watcher = self._watcher(f"{PATIENT} guest {len(self.gone)}", may_go_back=False)
        self.gone.append(watcher)
        return Member(watcher.who, Registry(self._stage.dsn, settings=_PATIENT), watcher)

    async def _guest(self, dsn: Dsn, draw: random.Random) -> Registry | ThreadedRegistry:
        """Return a new registry, which begins with a file or not; the file is of just now, or older."""
        path = self._folder / "snapshot"
        if draw.random() < 0.3 or not path.exists():
            with suppress(RegistryStale):
                await self.members[0].save(path)
        if draw.random() < 0.5:
            return Registry(dsn, settings=_SHORT) if draw.random() < 0.5 else Registry.in_thread(dsn, settings=_SHORT)
        if draw.random() < 0.5:
            return await asyncio.to_thread(Registry.load_file, path, dsn, settings=_SHORT)
        return await asyncio.to_thread(Registry.in_thread, dsn, settings=_SHORT, file=path)


def named(dsn: Dsn, who: str) -> Dsn:
    """Return the same, of which the sessions can be told from all others."""
    return replace(dsn, settings={"application_name": f"exchanges_db {who}"})


async def _proven(member: Member, since: float) -> bool:
    """Wait until it claims, unasked, that it holds what the database had since then."""

    async def proven() -> bool:
        now, lag = time.monotonic(), member.registry.lag
        return lag is not None and now - lag >= since

    return await within(3.0, proven)


async def within(seconds: float, condition: Callable[[], Awaitable[bool]]) -> bool:
    """Wait until a condition is met; return whether it was in time."""
    end = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.01)
    return True


async def settled(member: Member, wanted: Snapshot) -> bool:
    """Return whether it is live, and where the log ends."""
    return member.registry.state is RegistryState.LIVE and member.registry.position == wanted.position
