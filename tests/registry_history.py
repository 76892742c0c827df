"""What registries held and claimed while others wrote, and whether that keeps a registry's promises.

The promises are etcd's of a watch, in its words, and one more: how stale at most what is held is. A validator is a pure
function that returns the faults of a history; tests/unit/test_registry_history.py holds each to a history that breaks
its promise.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self

import asyncpg
import msgspec

from exchanges_db.database.dsn import Dsn
from exchanges_db.database.pool import Database
from exchanges_db.errors import RegistryStale
from exchanges_db.registry.models import Position
from exchanges_db.registry.places import Place
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.registry.snapshot import News, Snapshot
from tests.faults.history import Outcome

# asyncpg's for a connection that ends while it is used, which InternalClientError is for some moments of it.
_LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError)
Values = Mapping[int, str]  # the display names of exchanges, by id


@dataclass(frozen=True)
class Write:
    """One transaction that gave several exchanges one name.

    position: of its commit, as the log has it; None where it is not in the log.
    """

    name: str
    ids: tuple[int, ...]
    began: float
    ended: float
    outcome: Outcome
    position: Position | None


@dataclass(frozen=True)
class Held:
    """A snapshot that a registry went to.

    epochs: what the news that led there was about; None where all was loaded.
    """

    position: Position
    values: Values
    epochs: tuple[int, ...] | None
    at: float


@dataclass(frozen=True)
class Claim:
    """That at `at` the state of `position` was held, and was the database's at some time since `since`."""

    position: Position
    since: float
    at: float


@dataclass
class History:
    """What was held before any write, what was written, in the order of the log, and what one registry held of it.

    whole: the epochs at which the log says that everything has changed.
    """

    before: Values
    start: Position
    writes: list[Write]
    held: list[Held] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    whole: frozenset[int] = frozenset()

    def log(self) -> list[tuple[Position, Write]]:
        """The writes that are in the log, in its order."""
        found = [(write.position, write) for write in self.writes if write.position is not None]
        return sorted(found, key=lambda one: one[0].epoch)

    def positions(self) -> list[Position]:
        """All positions of the log, in its order."""
        return [self.start, *(position for position, _ in self.log())]

    def values_at(self, position: Position) -> Values:
        """What the database had at a position."""
        values = dict(self.before)
        for written, write in self.log():
            if written.epoch <= position.epoch:
                values.update(dict.fromkeys(write.ids, write.name))
        return values


def not_written(history: History) -> list[str]:
    """What was acknowledged is in the log; what failed is not."""
    return [
        f"{write.name} is {write.outcome} and {'not ' if write.position is None else ''}in the log"
        for write in history.writes
        if (write.outcome is Outcome.OK and write.position is None)
        or (write.outcome is Outcome.FAILED and write.position is not None)
    ]


def not_ordered(history: History) -> list[str]:
    """Events are ordered by revision; one never comes after a later one."""
    return [
        f"{after.position.epoch} came after {before.position.epoch}"
        for before, after in itertools.pairwise(history.held)
        if after.position.epoch < before.position.epoch
    ] + [
        f"{one.epochs} is in no order" for one in history.held if one.epochs and list(one.epochs) != sorted(one.epochs)
    ]


def not_unique(history: History) -> list[str]:
    """No event comes twice."""
    told = [epoch for one in history.held for epoch in one.epochs or ()]
    twice = {epoch for epoch in told if told.count(epoch) > 1} if len(set(told)) < len(told) else set()
    return [f"{epoch} came twice" for epoch in sorted(twice)] + [
        f"{after.position} was gone to twice"
        for before, after in itertools.pairwise(history.held)
        if after.position == before.position
    ]


def not_reliable(history: History) -> list[str]:
    """No event is left out: after e comes whatever follows e in the log, unless all is loaded; the last one comes."""
    faults, log = [], [position.epoch for position in history.positions()]
    for before, after in itertools.pairwise(history.held):
        due = tuple(epoch for epoch in log if before.position.epoch < epoch <= after.position.epoch)
        if after.epochs is not None and after.epochs != due:
            faults.append(f"from {before.position.epoch} to {after.position.epoch} came {after.epochs}, not {due}")
    if not history.held or history.held[-1].position != history.positions()[-1]:
        faults.append("the last position was never reached")
    return faults


def not_atomic(history: History) -> list[str]:
    """What one transaction has changed comes at once: what is held at a position is what the database had there."""
    known = set(history.positions())
    return [
        f"{one.position} is no position of the log"
        if one.position not in known
        else f"at {one.position.epoch} was held what never was: {dict(one.values)}"
        for one in history.held
        if one.position not in known or one.values != history.values_at(one.position)
    ]


def not_resumable(history: History) -> list[str]:
    """After a lost connection it goes on where it was: all is loaded anew only where the log does not lead on."""
    known = set(history.positions())
    return [
        f"all was loaded at {after.position.epoch}, though the log has {before.position.epoch}"
        for before, after in itertools.pairwise(history.held)
        if after.epochs is None
        and before.position in known
        and not any(before.position.epoch < epoch <= after.position.epoch for epoch in history.whole)
    ]


def not_bookmarkable(history: History) -> list[str]:
    """A proof without a change says that all up to its position has come: it is of the snapshot that is held then."""
    faults = []
    for claim in history.claims:
        held = [one.position for one in history.held if one.at <= claim.at]
        if not held or held[-1] != claim.position:
            faults.append(f"{claim.position.epoch} was proven while {held[-1:]} was held")
    return faults


def not_fresh(history: History) -> list[str]:
    """What is held was the database's at some time between the claimed one and now: the age is never told too low."""
    faults = []
    for claim in history.claims:
        for position, write in history.log():
            done = write.outcome is Outcome.OK and write.ended < claim.since
            if done and position.epoch > claim.position.epoch:
                faults.append(f"{write.name} was committed {claim.since - write.ended:.3f} s before, and is not held")
            if write.began > claim.at and position.epoch <= claim.position.epoch:
                faults.append(f"{write.name} was held before it was written")
    return faults


PROMISES = {
    "ordered": not_ordered,
    "unique": not_unique,
    "reliable": not_reliable,
    "atomic": not_atomic,
    "resumable": not_resumable,
    "bookmarkable": not_bookmarkable,
    "bounded staleness": not_fresh,
    "written": not_written,
}


def broken(history: History) -> dict[str, list[str]]:
    """Return the promises that a history breaks, with its first faults."""
    found = {promise: validator(history) for promise, validator in PROMISES.items()}
    return {promise: faults[:3] for promise, faults in found.items() if faults}


class Recorder:
    """A follower that keeps what it was told."""

    def __init__(self) -> None:
        self.held: list[Held] = []
        self.snapshots: list[Snapshot] = []
        self.told: list[str] = []  # "moved", "stale" and "fresh", in their order

    def moved(self, before: Snapshot | None, after: Snapshot, news: News | None) -> None:
        """Keep it."""
        self.told.append("moved")
        self.snapshots.append(after)
        epochs = None if news is None else tuple(dict.fromkeys(entry.epoch for entry in news.entries))
        self.held.append(Held(after.position, names_in(after), epochs, monotonic()))

    def stale(self, error: RegistryStale) -> None:
        """Keep that it was."""
        self.told.append("stale")

    def fresh(self, snapshot: Snapshot) -> None:
        """Keep that it was."""
        self.told.append("fresh")


class RecordedRegistry(Registry):
    """A registry that keeps each proof, and what it held."""

    def __init__(self, db: Database | Dsn | str, *, listen: Dsn | None = None, **settings: Any) -> None:
        super().__init__(db, listen=listen, settings=RegistrySettings(**settings))
        self.recorder = Recorder()
        self.follow(self.recorder)
        self.claims: list[Claim] = []

    def claim(self) -> None:
        """Keep what it says now of how fresh it is."""
        if self.position is not None and self.lag is not None:
            now = monotonic()
            self.claims.append(Claim(self.position, now - self.lag, now))

    def _prove(self) -> None:
        self.claim()
        super()._prove()


class Writers:
    """Write names, several exchanges in a transaction, and note what they were told.

    A connection that is lost is made again. What was written with an unknown outcome is looked up in the log.
    """

    def __init__(self, dsn: Dsn, *, tasks: int = 3, pause: float = 0.002) -> None:
        self._dsn, self._pause = dsn, pause
        self._numbers = itertools.count()
        self._tries: list[tuple[str, tuple[int, ...], float, float, Outcome, str | None]] = []
        self._over = False
        self._count = tasks
        self._tasks: list[asyncio.Task[None]] = []
        self._ids: list[int] = []
        self._before: Values = {}
        self._start = Position(0, "")

    async def __aenter__(self) -> Self:
        connection = await asyncpg.connect(**self._dsn.asyncpg_arguments(), timeout=20)
        try:
            rows = await connection.fetch("SELECT id, display_name FROM exchanges ORDER BY id")
            self._before = {row["id"]: row["display_name"] for row in rows}
            self._ids = list(self._before)
            self._start = await newest_position(connection)
        finally:
            await connection.close()
        self._tasks = [asyncio.create_task(self._write()) for _ in range(self._count)]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.end()

    async def end(self) -> None:
        """Let each finish what it is doing."""
        self._over = True
        await asyncio.gather(*self._tasks)

    @property
    def acknowledged(self) -> int:
        """How many were so far."""
        return sum(outcome is Outcome.OK for *_, outcome, _ in self._tries)

    async def wrote(self, times: int, *, within: float = 20) -> None:
        """Wait until so many more writes are acknowledged."""
        enough = self.acknowledged + times
        async with asyncio.timeout(within):
            while self.acknowledged < enough:
                await asyncio.sleep(0.002)

    async def _write(self) -> None:
        connection: asyncpg.Connection[Any] | None = None
        while not self._over:
            try:
                if connection is None or connection.is_closed():
                    connection = await asyncpg.connect(**self._dsn.asyncpg_arguments(), timeout=5, command_timeout=10)
            except _LOST:
                await asyncio.sleep(0.01)
                continue
            await self._write_once(connection)
            await asyncio.sleep(self._pause)
        if connection is not None:
            connection.terminate()

    async def _write_once(self, connection: asyncpg.Connection[Any]) -> None:
        number = next(self._numbers)
        ids = tuple(sorted({self._ids[number % len(self._ids)], self._ids[(number * 7 + 1) % len(self._ids)]}))
        name, began = f"Written {number}", monotonic()
        outcome, transaction_id = Outcome.FAILED, None
        try:
            await connection.execute("BEGIN")
            transaction_id = await connection.fetchval("SELECT pg_current_xact_id()::text")
            for each in ids:  # one statement each, so that a torn transaction could be seen
                await connection.execute("UPDATE exchanges SET display_name = $2 WHERE id = $1", each, name)
            outcome = Outcome.UNKNOWN
            await connection.execute("COMMIT")
            outcome = Outcome.OK
        except _LOST:
            connection.terminate()
        self._tries.append((name, ids, began, monotonic(), outcome, transaction_id))

    async def history(self, registry: RecordedRegistry) -> History:
        """Return what these have written, by the log, and what the registry held of it."""
        connection = await asyncpg.connect(**self._dsn.asyncpg_arguments(), timeout=20)
        try:
            rows = await connection.fetch(
                "SELECT transaction_id::text AS id, epoch, token::text, bool_or(changed = 'EVERYTHING') AS whole"
                " FROM registry_changes WHERE epoch > $1 GROUP BY 1, 2, 3",
                self._start.epoch,
            )
        finally:
            await connection.close()
        stamped = {row["id"]: Position(row["epoch"], row["token"]) for row in rows}
        # A server that has crashed gives the ids of transactions again that were not committed.
        tries = sorted(self._tries, key=lambda one: [Outcome.OK, Outcome.UNKNOWN, Outcome.FAILED].index(one[4]))
        writes = [
            Write(name, ids, began, ended, outcome, stamped.pop(number or "", None))
            for name, ids, began, ended, outcome, number in tries
        ]
        assert not stamped, "only these writers may write"
        whole = frozenset(row["epoch"] for row in rows if row["whole"])
        return History(self._before, self._start, writes, registry.recorder.held, registry.claims, whole)


def names_in(snapshot: Snapshot) -> Values:
    """Return the display names of the exchanges, by id."""
    return {number: place.exchange.display_name for number, place in snapshot.places_by_id.items()}


def contents(snapshot: Snapshot) -> dict[str, Place]:
    """Return all that a snapshot holds, so that two are equal where nothing but the order of lists differs."""
    return {
        name: msgspec.structs.replace(
            place, lists=tuple(sorted(place.lists, key=lambda one: (str(one.listing), one.source)))
        )
        for name, place in snapshot.places.items()
    }


async def newest_position(connection: asyncpg.Connection[Any]) -> Position:
    """Return the newest position of the log."""
    row = await connection.fetchrow(
        "SELECT epoch, token::text FROM registry_changes WHERE epoch IS NOT NULL ORDER BY epoch DESC LIMIT 1"
    )
    assert row is not None
    return Position(row["epoch"], row["token"])


async def loaded(dsn: Dsn) -> Snapshot:
    """Return what a registry that begins now holds."""
    async with Registry(dsn) as registry:
        return registry.snapshot
