"""What clients were told about their operations, and whether the database and their reads agree with it.

An operation is acknowledged, failed (nothing was written), or unknown. After faults every row that was acknowledged
must be there, none that failed, none twice; a counter that is raised by one per operation must have lost none; and no
read may have seen less than was acknowledged before it began, or more than was asked for before it ended.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from exchanges_db import ExchangesDBError, OutcomeUnknown


class Outcome(StrEnum):
    """What the caller of an operation was told."""

    PENDING = "pending"
    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass
class Operation:
    """One write of `key`, or one read; `began` and `ended` are moments of the history's own clock."""

    kind: str  # "write" or "read"
    key: str
    began: int
    ended: int | None = None
    outcome: Outcome = Outcome.PENDING
    value: int | None = None  # what a read returned
    error: BaseException | None = None


@dataclass
class History:
    """The operations of one test, in the order in which they began."""

    operations: list[Operation] = field(default_factory=list)
    _clock: "itertools.count[int]" = field(default_factory=itertools.count)

    async def write(self, key: str, operation: Awaitable[object]) -> Outcome:
        """Await a write and note what became of it; raises nothing but a cancellation of the caller's own."""
        return (await self._note(Operation("write", key, next(self._clock)), operation)).outcome

    async def read(self, key: str, operation: Awaitable[int]) -> Outcome:
        """Await a read of a counter, and note what it saw."""
        return (await self._note(Operation("read", key, next(self._clock)), operation)).outcome

    async def _note(self, noted: Operation, operation: Awaitable[object]) -> Operation:
        self.operations.append(noted)
        try:
            value = await operation
        except asyncio.CancelledError as exc:
            # Whoever is cancelled is told nothing, and the statement may have been sent.
            noted.outcome, noted.error = Outcome.UNKNOWN, exc
            raise
        except Exception as exc:  # noqa: BLE001  # what is not ours is a finding, not a failure of the history
            known = isinstance(exc, ExchangesDBError) and not isinstance(exc, OutcomeUnknown)
            noted.outcome, noted.error = Outcome.FAILED if known else Outcome.UNKNOWN, exc
        else:
            noted.outcome = Outcome.OK
            noted.value = value if isinstance(value, int) else None
        finally:
            noted.ended = next(self._clock)
        return noted

    def counted(self, kind: str = "write") -> Counter[Outcome]:
        """How many operations had which outcome."""
        return Counter(operation.outcome for operation in self.operations if operation.kind == kind)

    def keys(self, *outcomes: Outcome) -> set[str]:
        """The keys of the writes with these outcomes."""
        return {each.key for each in self.operations if each.kind == "write" and each.outcome in outcomes}

    def foreign_errors(self) -> list[str]:
        """Errors that reached a caller and are not ours."""
        return [
            f"{each.kind} {each.key}: {each.error!r}"
            for each in self.operations
            if each.error is not None and not isinstance(each.error, ExchangesDBError | asyncio.CancelledError)
        ]

    def faults_in_rows(self, rows: Iterable[str]) -> list[str]:
        """What is wrong with the rows that are there, given that each write was to make one with its key."""
        there = Counter(rows)
        acknowledged, maybe = self.keys(Outcome.OK), self.keys(Outcome.UNKNOWN, Outcome.PENDING)
        return sorted(
            [f"lost: {key}" for key in acknowledged - there.keys()]
            + [f"invented: {key}" for key in there.keys() - acknowledged - maybe]
            + [f"doubled: {key}" for key, times in there.items() if times > 1]
            + self.foreign_errors()
        )

    def faults_in_counter(self, before: int, after: int) -> list[str]:
        """What is wrong with a counter that each write was to raise by one."""
        said = self.counted()
        least = before + said[Outcome.OK]
        most = least + said[Outcome.UNKNOWN] + said[Outcome.PENDING]
        faults = self.foreign_errors()
        if after < least:
            faults.append(f"lost: {least - after} updates of {said[Outcome.OK]}")
        if after > most:
            faults.append(f"invented: {after - most} updates")
        return faults

    def faults_in_reads(self, before: int) -> list[str]:
        """Which reads of that counter saw what nobody can have seen, or went back in time."""
        writes = [each for each in self.operations if each.kind == "write"]
        reads = [each for each in self.operations if each.kind == "read" and each.value is not None]
        faults = []
        for read in reads:
            assert read.value is not None
            assert read.ended is not None
            done = [each for each in writes if each.outcome is Outcome.OK and _before(each.ended, read.began)]
            begun = [each for each in writes if each.outcome is not Outcome.FAILED and each.began < read.ended]
            if not before + len(done) <= read.value <= before + len(begun):
                faults.append(f"wrong read: {read.value}, not in {before + len(done)} to {before + len(begun)}")
            seen = [other.value or 0 for other in reads if _before(other.ended, read.began)]
            if seen and max(seen) > read.value:
                faults.append(f"went back: {read.value} after {max(seen)}")
        return faults


def _before(ended: int | None, began: int) -> bool:
    return ended is not None and ended < began
