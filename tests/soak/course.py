"""The course of a soak: begin, act at random, heal, compare, end."""

from __future__ import annotations

import asyncio
import logging
import random
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import psutil

from exchanges_db import Database, Settings
from exchanges_db.database.dsn import Dsn
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.snapshot import Snapshot
from tests import servers
from tests.registry_history import newest_position
from tests.soak.ending import database_differences, history_differences
from tests.soak.figures import THREADS, Figures, Measuring, growth
from tests.soak.registries import Registries, settled, within
from tests.soak.silence import Silence
from tests.soak.stage import Stage
from tests.soak.watching import Faults, differences, judge
from tests.soak.writing import HELD, PAIR, Writing

_ACT = 10.0  # seconds that many an act takes: none begins later than so much before the end
_LEAST = 2  # acts, however slow the machine is
_ACT_LIMIT = 240.0  # seconds: no measure of speed, but whatever takes longer is stuck
_SETTLE_LIMIT = 60.0  # for all registries together: the longest pause of one is five seconds
_THREADS = 16
_LIMITS = Settings(pool_min=1, pool_max=6, connect_timeout=3, acquire_timeout=5, command_timeout=10)
_HEALED = 0.6  # of the faults of the network; the others go on during what is next
_OURS = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'exchanges_db%'"
_LOG = """
SELECT epoch, min(token::text) AS token, bool_or(changed = 'EVERYTHING') AS whole
FROM public.registry_changes WHERE epoch IS NOT NULL GROUP BY epoch
"""


class _Unhandled(logging.Handler):
    """What asyncio has to say of errors that nobody took."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(logging.ERROR)
        self._faults = faults

    def emit(self, record: logging.LogRecord) -> None:
        self._faults.note(f"asyncio: {self.format(record)}")


class Course:
    """One soak.

    Attributes:
        actions: what was done last.
    """

    def __init__(self, seed: str, seconds: float, tell: Callable[[str], None]) -> None:
        self._seed, self._seconds, self._tell = seed, seconds, tell
        self._draw = random.Random(seed)
        # From the start of the process on, so that a minute is little more than that for whoever waits for its end.
        self._began = time.monotonic() - (time.time() - psutil.Process().create_time())
        self._faults = Faults()
        self.actions: deque[str] = deque(maxlen=30)
        self._counts: Counter[str] = Counter()
        self._report: list[str] = []
        self._at_rest: Figures | None = None
        self._before = set(psutil.Process().children(recursive=True))

    async def run(self) -> list[str]:
        """Return what is wrong."""
        logging.getLogger("exchanges_db").setLevel(logging.CRITICAL)  # it warns of each lost connection
        logging.getLogger("asyncio").addHandler(_Unhandled(self._faults))
        version = self._draw.choice([each for each in servers.VERSIONS if servers.programs(each) is not None])
        stage = Stage(random.Random(self._seed))
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, THREADS))
        self._say(f"PostgreSQL {version}")
        with tempfile.TemporaryDirectory() as folder:
            await self._run_on(stage, version, Path(folder))
        return self._faults.found

    async def _run_on(self, stage: Stage, version: int, folder: Path) -> None:
        try:
            await stage.begin(version)
            async with Database(stage.dsn, _LIMITS) as db:
                registries = Registries(stage, self._faults, self._seed, folder)
                stage.have_seen = registries.have_seen
                stage.writing = Writing(db, stage.dsn, self._seed, self._faults)
                try:
                    await self._act(stage, registries)
                    self._say("the end: nobody writes any more, and everything is healed")
                    await self._compare(stage, registries, db)
                except BaseException:
                    await registries.close()  # else their readers' threads go on for ever
                    raise
            await self._close(stage, registries)
        finally:
            await stage.end()

    def found(self) -> list[str]:
        """Return what is wrong so far."""
        return self._faults.found

    def report(self) -> list[str]:
        """Return the figures."""
        return [*self._report, "acts: " + _told(self._counts)]

    def left_behind(self) -> list[str]:
        """Return what is left behind after the event loop's end."""
        threads = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
        children = set(psutil.Process().children(recursive=True)) - self._before
        return [f"left behind: {each}" for each in (*threads, *children)]

    def _say(self, text: str) -> None:
        self.actions.append(f"{time.strftime('%H:%M:%S')} {text}")
        self._tell(self.actions[-1])

    async def _act(self, stage: Stage, registries: Registries) -> None:
        await stage.writing.begin()
        await registries.open()
        measuring = Measuring(stage, registries.books)
        self._at_rest = await measuring.take()
        silence = Silence(stage, registries, self._faults)
        stage.writing.start()
        registries.start()
        taking = asyncio.create_task(measuring.run())
        try:
            await stage.writing.wrote(5)
            acts = stage.acts(self._draw, silence.quiet)
            until_then = self._began + self._seconds - _ACT
            while (time.monotonic() < until_then or self._counts.total() < _LEAST) and not self._faults.found:
                await self._one(stage, next(acts))
                await asyncio.sleep(stage.draw.uniform(0.0, 1.0))
        finally:
            await self._limited("the writers end", stage.writing.end())
            await self._limited("the readers end", registries.end_reading())
            taking.cancel()
            await asyncio.wait((taking,))
        self._report.append(f"{silence.rounds} came while nobody wrote")
        first, last = measuring.first_and_last()
        self._report.append(f"by minute:    {measuring.by_minute()}")
        self._report += [f"first minute: {first}", f"last minute:  {last}"]
        for fault in growth(first, last, at_rest=False):
            self._faults.note(fault)

    async def _compare_at_rest(self, stage: Stage, registries: Registries) -> None:
        """See that no more is in use than before the first fault, once the servers know whose clients are gone."""
        before, now = self._at_rest, None
        assert before is not None  # nothing had failed yet
        until_then = time.monotonic() + self._patience
        while now is None or (growth(before, now, at_rest=True) and time.monotonic() < until_then):
            await asyncio.sleep(0.1)
            now = await Measuring(stage, registries.books).take()
        self._report += [f"at rest before: {before}", f"at rest after:  {now}"]
        for fault in growth(before, now, at_rest=True):
            self._faults.note(f"at rest {fault}")

    async def _one(self, stage: Stage, act: Callable[[], Awaitable[None]]) -> None:
        name = getattr(act, "__name__", "act")
        self._say(name)
        self._counts[name] += 1
        # Of its own for each: what an earlier act has met makes no difference to a later one.
        stage.draw = random.Random(f"{self._seed} {self._counts.total()}")
        await self._limited(name, act())
        if stage.draw.random() < _HEALED:
            await stage.heal()

    async def _limited(self, what: str, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        await asyncio.wait((task,), timeout=_ACT_LIMIT)
        if task.done():
            task.result()
            return
        for each in asyncio.all_tasks():
            each.print_stack()
        self._faults.note(f"not within {_ACT_LIMIT:g} s: {what}")
        task.cancel()

    async def _compare(self, stage: Stage, registries: Registries, db: Database) -> None:
        await stage.heal()
        await stage.follower.catch_up(stage.leader)
        async with Registry(stage.leader.dsn) as registry:
            wanted = registry.snapshot
        for fault in (
            *await database_differences(wanted, db),
            *await history_differences(wanted, stage.writing.began, db),
        ):
            self._faults.note(fault)
        await self._settle(registries, wanted)
        self._say("all have come to the end of the log")
        await stage.reset()  # only now: whose connection was forgotten has found out by itself
        await self._compare_at_rest(stage, registries)
        self._say("all is at rest")
        log, whole = await _log(stage)
        watchers = [*(member.watcher for member in registries.members), *registries.gone]
        for watcher in watchers:
            for fault in judge(watcher, log, whole, lost=stage.lost):
                self._faults.note(fault)
        for consumer in registries.consumers:
            for fault in consumer.judge(log):
                self._faults.note(fault)
        for writes, found in (
            (stage.writing.pair, wanted.places[PAIR[0]].exchange.display_name),
            (stage.writing.held, wanted.places[HELD].holds[None].reason),
        ):
            for fault in writes.judge(int(found)):
                self._faults.note(fault)
        self._report += [
            f"{len(registries.digests)} states; {sum(len(one.steps) // 3 for one in watchers)} steps",
            f"{len(registries.members)} registries, {len(registries.gone)} guests; {registries.proofs} proofs",
            "changes: "
            + ", ".join(f"{one.who} {len(one.positions) // 2}, {one.gaps} gaps" for one in registries.consumers),
            f"{stage.failovers} failovers, with a lost tail: {stage.lost}",
            *(f"{one.who}: {one.registry.stats()}" for one in registries.members),
            "writes: " + _told(stage.writing.outcomes),
        ]

    @property
    def _patience(self) -> float:
        """For how long what should come is waited for: not long where something is wrong already."""
        return 5.0 if self._faults.found else _SETTLE_LIMIT

    async def _settle(self, registries: Registries, wanted: Snapshot) -> None:
        """See that all registries come to hold what is wanted, and all who use them."""
        end = time.monotonic() + self._patience
        for member in registries.members:
            while not (is_settled := await settled(member, wanted)) and time.monotonic() < end:
                await asyncio.sleep(0.05)
            if not is_settled:
                at, state = member.registry.position, member.registry.state
                self._faults.note(f"{member.who} is {state} at {at}, and the log ends at {wanted.position}")
                continue
            for fault in (*differences(member.who, member.registry.snapshot, wanted), *member.look_up_faults()):
                self._faults.note(fault)
        for consumer in registries.consumers:
            while consumer.differences(wanted) and time.monotonic() < end:
                await asyncio.sleep(0.05)
            for fault in consumer.differences(wanted):
                self._faults.note(fault)

    async def _close(self, stage: Stage, registries: Registries) -> None:
        await registries.close()
        for server in stage.servers:

            async def none(dsn: Dsn = server.dsn) -> bool:
                connection = await asyncpg.connect(**dsn.asyncpg_arguments(), timeout=20)
                try:
                    return not await connection.fetch(_OURS)
                finally:
                    connection.terminate()

            if not await within(_SETTLE_LIMIT / 2, none):
                self._faults.note(
                    f"a server has sessions of the library after all registries were closed: {server.port}"
                )


async def _log(stage: Stage) -> tuple[dict[int, str], list[int]]:
    connection = await asyncpg.connect(**stage.leader.dsn.asyncpg_arguments(), timeout=20)
    try:
        rows = await connection.fetch(_LOG)
        assert (await newest_position(connection)).epoch == max(row["epoch"] for row in rows)
    finally:
        connection.terminate()
    return {row["epoch"]: row["token"] for row in rows}, [row["epoch"] for row in rows if row["whole"]]


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{count} x {what}" for what, count in sorted(counts.items()))
