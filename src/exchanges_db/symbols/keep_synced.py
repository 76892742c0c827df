"""Keeps the lists of exchanges fresh: one round of syncs after the other, until it is told to stop.

Each exchange is a task of its own, so that a slow one keeps no other waiting. Nothing ends it but `stop`, a
cancellation, or what is wrong before the first round: a database that goes away later is waited for.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum

import msgspec

from exchanges_db.database.default import default_database
from exchanges_db.database.pool import Database
from exchanges_db.errors import ConfigurationError, ExchangesDBError, InvalidArgument, shown
from exchanges_db.symbols.allowances import Allowance
from exchanges_db.symbols.download_settings import DownloadSettings
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.sync import sync_target
from exchanges_db.symbols.sync_lists import SyncHears, SyncOrder, is_of_all_lists
from exchanges_db.symbols.sync_outcomes import ListOutcome
from exchanges_db.symbols.sync_targets import SyncTarget, find_targets

# Rounds of many machines that were started together move apart by this share of the time between two.
_JITTER = 0.1
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
# What is under way when it is to stop: an import takes less, and a download is not worth the wait.
_GRACE = 5.0
_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(days=7)


class SyncRound(msgspec.Struct, frozen=True, kw_only=True):
    """What one round has done.

    Attributes:
        outcomes: what became of each list whose exchange has come to its end since the round before.
        busy: exchanges that are still being asked, and go on while the next round begins.
        postponed: exchanges that want to be left alone, with the seconds until they are asked again.
        trouble: what is wrong with the database or with an exchange's row, so that lists were not asked for.
        next_in: seconds until the next round begins; None for the last one.
    """

    number: int
    began_at: datetime
    ended_at: datetime
    outcomes: tuple[ListOutcome, ...]
    busy: tuple[str, ...]
    postponed: dict[str, float]
    trouble: str | None
    next_in: float | None

    @property
    def is_good(self) -> bool:
        """Whether every list that was asked for is fresh, and none was left out or is still being asked for."""
        left_out = bool(self.postponed or self.busy)
        return self.trouble is None and not left_out and all(one.is_good for one in self.outcomes)


class Clock:
    """The time that passes between rounds; tests put one of their own in its place."""

    def now(self) -> float:
        """Return seconds since some time."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        await asyncio.sleep(seconds)

    async def limit(self, seconds: float) -> None:
        """Return when a round has taken so many seconds."""
        await asyncio.sleep(seconds)

    def jitter(self) -> float:
        """Return a share between -1 and 1."""
        return random.uniform(-1.0, 1.0)  # noqa: S311 - spreads load, guards nothing


async def keep_synced(
    exchanges: Sequence[Enum | str] | None = None,
    *,
    every: timedelta,
    listings: Collection[Listing | str] | None = None,
    allow: Collection[Allowance | str] = (),
    settings: DownloadSettings | None = None,
    stop: asyncio.Event | None = None,
    on_round: Callable[[SyncRound], None] = lambda one: None,
    on_warning: Callable[[str], None] = lambda warning: None,
    on_wait: Callable[[str], None] = lambda message: None,
    db: Database | None = None,
) -> None:
    """Sync exchanges again and again, `every` so often, until `stop` is set; then finish or roll back what is running.

    exchanges: those of these names; by default every active one that has a reader, looked up anew in each round, and
        so are their addresses and rate limits.
    every: from the beginning of a round to that of the next, give or take a tenth; from a second to a week. An exchange
        that takes longer is asked again in the first round after it has come to its end.
    on_round: called after each round, the last one too, which is the one with `next_in` None. What it raises ends all.

    Each list is imported as by `sync_symbols`, and one that fails stops no other and no round. An exchange that answers
    with Retry-After is not asked before that time has passed, whatever round it is. While the database is out of reach
    it is tried again after 1, 2, 4, ... and at most 60 seconds.

    Raises:
        What `sync_symbols` raises before it asks an exchange, if it is so from the beginning; later that is told in
        SyncRound.trouble.
        InvalidArgument: `every` is no timedelta from a second to a week.
    """
    from exchanges_db.symbols.download import Downloader  # an HTTP client costs 0.1 s, which only this needs

    if not isinstance(every, timedelta) or not _SHORTEST <= every <= _LONGEST:
        given = f"{every}" if isinstance(every, timedelta) else shown(every)
        raise InvalidArgument(f"every must be a timedelta from a second to a week, not {given}", field="every")
    database = await default_database() if db is None else db
    if not isinstance(database, Database):
        raise ConfigurationError(f"db must be a Database, for several imports at once, not {type(db).__name__}")
    order = SyncOrder(allow=allow, settings=DownloadSettings() if settings is None else settings)
    await find_targets(exchanges, listings=listings, db=database)
    async with Downloader(order.settings) as downloader:

        async def sync(target: SyncTarget, on_outcome: Callable[[ListOutcome], None]) -> None:
            hears = SyncHears(on_outcome=on_outcome, on_warning=on_warning, on_wait=on_wait)
            await sync_target(target, downloader, order, hears, db=database)

        async def find() -> list[SyncTarget]:
            return await find_targets(exchanges, listings=listings, db=database)

        keeper = _Keeper(find, sync, Clock(), stop or asyncio.Event(), every.total_seconds(), on_round)
        await keeper.run()


class _Keeper:
    """The rounds: which exchanges are being asked, which are not to be asked yet, and what was told since the last."""

    def __init__(
        self,
        find: Callable[[], Awaitable[list[SyncTarget]]],
        sync: Callable[[SyncTarget, Callable[[ListOutcome], None]], Coroutine[None, None, None]],
        clock: Clock,
        stop: asyncio.Event,
        every: float,
        on_round: Callable[[SyncRound], None],
    ) -> None:
        self._find, self._sync, self._clock, self._stop = find, sync, clock, stop
        self._every, self._on_round = every, on_round
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, float] = {}
        self._outcomes: list[ListOutcome] = []
        self._troubles: list[str] = []
        self._postponed: dict[str, float] = {}
        self._lost = self._number = 0
        self._began_at = datetime.now(UTC)

    async def run(self) -> None:
        """Make rounds until it is to stop."""
        try:
            while not self._stop.is_set():
                await self._round()
            if self._tasks:
                await asyncio.wait(self._tasks.values(), timeout=_GRACE)
            await self._end()
        except BaseException:
            await self._end()
            raise
        self._tell(None)

    async def _round(self) -> None:
        self._number += 1
        self._began_at = datetime.now(UTC)
        began, is_lost = self._clock.now(), False
        try:
            self._start(await self._find())
        except ExchangesDBError as exc:
            self._troubles.append(str(exc))
            is_lost = is_of_all_lists(exc)
        is_lost |= await self._wait(began + self._every)
        if self._stop.is_set():
            return  # the last round tells of it
        self._lost = self._lost + 1 if is_lost else 0
        if is_lost:
            pause = min(_FIRST_WAIT * 2.0 ** min(self._lost - 1, 10), _LONGEST_WAIT)
        else:
            pause = max(0.0, began + self._every * (1 + _JITTER * self._clock.jitter()) - self._clock.now())
        self._tell(pause)
        await self._pause(pause)

    def _start(self, targets: Sequence[SyncTarget]) -> None:
        now = self._clock.now()
        self._postponed = {}
        for target in targets:
            name = target.row.enum_value
            if name in self._tasks:
                continue
            left = self._not_before.get(name, now) - now
            if left > 0:
                self._postponed[name] = left
            else:
                self._tasks[name] = asyncio.create_task(self._sync(target, self._hear))

    def _hear(self, outcome: ListOutcome) -> None:
        self._outcomes.append(outcome)
        if outcome.retry_after is not None:
            until = self._clock.now() + outcome.retry_after
            self._not_before[outcome.exchange] = max(until, self._not_before.get(outcome.exchange, until))

    async def _wait(self, until: float) -> bool:
        """Wait for the exchanges that are being asked, at most until then; return whether the database is lost."""
        is_lost = False
        stopped = asyncio.create_task(self._stop.wait())
        over = asyncio.create_task(self._clock.limit(max(0.0, until - self._clock.now())))
        try:
            while self._tasks and not stopped.done() and not over.done():
                await asyncio.wait({*self._tasks.values(), stopped, over}, return_when=asyncio.FIRST_COMPLETED)
                is_lost |= self._collect()
        finally:
            stopped.cancel()
            over.cancel()
        return is_lost

    def _collect(self) -> bool:
        """Take the tasks that have ended away, and return whether one has lost the database."""
        is_lost = False
        for name, task in [*self._tasks.items()]:
            if not task.done():
                continue
            del self._tasks[name]
            try:
                task.result()
            except asyncio.CancelledError:
                self._troubles.append(f"{name}: what was under way was rolled back")
            except ExchangesDBError as exc:
                is_lost |= is_of_all_lists(exc)
                # What is wrong with single lists was told of each.
                if is_of_all_lists(exc) or not exc.outcomes:
                    self._troubles.append(f"{name}: {exc}")
        return is_lost

    async def _end(self) -> None:
        """Roll back what is still under way."""
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        self._collect()

    async def _pause(self, seconds: float) -> None:
        waits = {asyncio.create_task(self._stop.wait()), asyncio.create_task(self._clock.sleep(seconds))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def _tell(self, next_in: float | None) -> None:
        told = SyncRound(
            number=self._number,
            began_at=self._began_at,
            ended_at=datetime.now(UTC),
            outcomes=tuple(self._outcomes),
            busy=tuple(sorted(self._tasks)),
            postponed=self._postponed,
            trouble="; ".join(self._troubles) or None,
            next_in=next_in,
        )
        self._outcomes, self._troubles = [], []
        self._on_round(told)
