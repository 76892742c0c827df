"""The registries of a soak, of every kind, those who read them, and those that come and go."""

from __future__ import annotations

import asyncio
import random
import threading
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import asyncpg

from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import ExchangesDBError, RegistryStale
from exchanges_db.registry.models import Position
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.registry.state import RegistryState
from exchanges_db.registry.threaded import ThreadedRegistry
from tests.soak.stage import Stage
from tests.soak.watching import Digests, Faults, Watcher
from tests.soak.writing import FAILURES, PAIR

_SETTINGS = RegistrySettings(poll_interval=0.5, answer_timeout=2)
_STRICT = RegistrySettings(poll_interval=0.5, answer_timeout=2, max_staleness=3)
_SHORT = RegistrySettings(poll_interval=0.5, answer_timeout=2, load_timeout=10)
_NEWEST = "SELECT epoch, token::text FROM public.registry_changes WHERE epoch IS NOT NULL ORDER BY epoch DESC LIMIT 1"


async def newest(connection: asyncpg.Connection) -> Position:
    """Return how far the log has come."""
    row = await connection.fetchrow(_NEWEST)
    assert row is not None
    return Position(row["epoch"], row["token"])


class Member:
    """One registry, in whatever way it is kept, and what it went through."""

    def __init__(self, who: str, registry: Registry | ThreadedRegistry, watcher: Watcher) -> None:
        self.who, self.registry, self.watcher = who, registry, watcher
        registry.follow(watcher)

    async def open(self) -> None:
        """Open it."""
        if isinstance(self.registry, ThreadedRegistry):
            await asyncio.to_thread(self.registry.open)
        else:
            await self.registry.open()

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
        self.proofs = 0
        self._over = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []

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
        }
        for who, registry in made.items():
            self.members.append(Member(who, registry, self._watcher(who, may_go_back=who == "standby")))
            await self.members[-1].open()

    def _watcher(self, who: str, *, may_go_back: bool) -> Watcher:
        return Watcher(who, self.digests, self._faults, [PAIR], may_go_back=may_go_back)

    def start(self) -> None:
        """Have them read, and others come and go."""
        works = [self._come_and_go, *(self._reader(member) for member in self.members if member.who != "standby")]
        self._tasks = [asyncio.create_task(self._go_on(work)) for work in works]
        threaded = [member for member in self.members if isinstance(member.registry, ThreadedRegistry)]
        self._tasks += [asyncio.create_task(asyncio.to_thread(self._read_on, each)) for each in threaded]

    async def end_reading(self) -> None:
        """Have them end, but for the registries themselves."""
        self._over.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)  # which are noted already

    async def close(self) -> None:
        """Close all."""
        for member in self.members:
            await member.close()

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
        async def work() -> None:
            """What is committed before a refresh is held after it, unless a failover has lost it."""
            failovers = self._stage.failovers
            connection = await asyncpg.connect(**self._stage.dsn.asyncpg_arguments(), timeout=5, command_timeout=10)
            try:
                committed = await newest(connection)
            finally:
                connection.terminate()
            await member.refresh()
            held = member.registry.position
            assert held is not None  # it was opened
            if failovers == self._stage.failovers and held.epoch < committed.epoch:
                self._faults.note(f"{member.who} was proven to be fresh at {held}, after {committed} was committed")
            self.proofs += 1

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
        finally:
            await member.close()
            watcher.forget()

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


async def settled(member: Member, wanted: Snapshot) -> bool:
    """Return whether it is live, and where the log ends."""
    return member.registry.state is RegistryState.LIVE and member.registry.position == wanted.position
