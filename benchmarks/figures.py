"""What a run is made of, and the arithmetic on it: medians, ratios, targets and whether they are met.

Every ratio is formed within one round, so that whatever slows the machine slows both of its sides; what is
reported is the median of a run's rounds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

import msgspec

OURS = "ours"
BASELINE = "connection"


class Target(msgspec.Struct, frozen=True):
    """A bound that a ratio must keep: `at most`, `less than` or `at least` a limit."""

    relation: str
    limit: float

    def is_met(self, ratio: float) -> bool:
        """Return whether `ratio` keeps the bound."""
        if self.relation == "at most":
            return ratio <= self.limit
        return ratio < self.limit if self.relation == "less than" else ratio >= self.limit

    def __str__(self) -> str:
        return f"{self.relation} {self.limit:.2f}"


_FASTER = Target("less than", 1.0)
LOOK_UP_TARGETS: Mapping[str, Target] = {
    BASELINE: Target("at most", 1.4),
    "pool": Target("at most", 0.65),
    "psycopg": _FASTER,
    "core": _FASTER,
    "orm": _FASTER,
    "generated": _FASTER,
    "tortoise": _FASTER,
    "piccolo": _FASTER,
}
THROUGHPUT_TARGETS: Mapping[str, Target] = {"pool": Target("at least", 0.85)}


class Measured(msgspec.Struct, frozen=True):
    """The figures of one contender on one event loop.

    Attributes:
        typical: median microseconds of a call; of throughput, median look-ups a second.
        p99: 99th percentile in microseconds; None for throughput.
        ratio: ours divided by this one, the median over the rounds.
        met: whether `ratio` keeps `target`; None where there is no target.
    """

    loop: str
    key: str
    name: str
    typical: float
    p99: float | None
    ratio: float
    target: Target | None
    met: bool | None


class Step(msgspec.Struct, frozen=True):
    """One step on the way from asyncpg by hand to our look-up: its median, and what it adds to the step before."""

    loop: str
    name: str
    typical: float
    added: float


class ImportTime(msgspec.Struct, frozen=True):
    """Median milliseconds of an import in a fresh interpreter, without the interpreter's own start."""

    module: str
    milliseconds: float
    share: float


class Run(msgspec.Struct, frozen=True):
    """Everything one run of the benchmark found; its JSON is `msgspec.json.encode` of this."""

    versions: dict[str, str]
    rounds: int
    calls: int
    look_ups: list[Measured]
    steps: list[Step]
    parts: dict[str, float]
    throughput: list[Measured]
    imports: list[ImportTime]

    def missed(self) -> list[Measured]:
        """Return what misses its target."""
        return [one for one in [*self.look_ups, *self.throughput] if one.met is False]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not below `share` of all."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def compare_times(loop: str, rounds: Mapping[str, Sequence[Sequence[int]]], names: Mapping[str, str]) -> list[Measured]:
    """Return the figures of every contender from its rounds of nanoseconds per call."""
    medians = {key: [statistics.median(calls) for calls in each] for key, each in rounds.items()}
    found = []
    for key, each in rounds.items():
        calls = [call / 1000 for one in each for call in one]
        ratio = _ratio(medians[OURS], medians[key])
        found.append(
            _measured(loop, key, names[key], statistics.median(calls), percentile(calls, 0.99), ratio, LOOK_UP_TARGETS)
        )
    return found


def compare_throughput(loop: str, rounds: Mapping[str, Sequence[float]], names: Mapping[str, str]) -> list[Measured]:
    """Return the figures of every contender from its look-ups a second, one figure a round."""
    return [
        _measured(loop, key, names[key], statistics.median(each), None, _ratio(rounds[OURS], each), THROUGHPUT_TARGETS)
        for key, each in rounds.items()
    ]


def steps_of(loop: str, rounds: Mapping[str, Sequence[Sequence[int]]], names: Mapping[str, str]) -> list[Step]:
    """Return what each step adds, in the order given: the median over the rounds of the difference."""
    medians = {key: [statistics.median(calls) / 1000 for calls in each] for key, each in rounds.items()}
    found, before = [], [0.0] * len(next(iter(medians.values())))
    for key, each in medians.items():
        added = statistics.median(now - then for now, then in zip(each, before, strict=True))
        found.append(Step(loop, names[key], statistics.median(each), added))
        before = each
    return found


def import_times(milliseconds: Mapping[str, Sequence[float]], bare: Sequence[float]) -> list[ImportTime]:
    """Return the cost of each import without the bare interpreter's start, and as a share of the first."""
    start = statistics.median(bare)
    net = {module: statistics.median(times) - start for module, times in milliseconds.items()}
    whole = next(iter(net.values()))
    return [ImportTime(module, time, time / whole) for module, time in net.items()]


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(our / their for our, their in zip(ours, theirs, strict=True))


def _measured(
    loop: str, key: str, name: str, typical: float, p99: float | None, ratio: float, targets: Mapping[str, Target]
) -> Measured:
    target = targets.get(key)
    return Measured(loop, key, name, typical, p99, ratio, target, None if target is None else target.is_met(ratio))
