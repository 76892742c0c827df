"""The parts of the page's picture of look-up times, which the template draws: bars, marks and lines, with their places.

The scale of times is logarithmic: on an even one, a few slow look-ups would press all the others into one bar.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import pairwise

import msgspec

from exchanges_db.validation.latency import Latency

# One unit is about a pixel on a phone, so that text in the picture is as large there as the text around it.
WIDTH, HEIGHT = 360, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 36, 354, 8, 148
_BARS = 40
_MARKS = 5


class Bar(msgspec.Struct, frozen=True):
    """A bar: its left and upper edge, its size, and for how many look-ups it stands."""

    x: float
    y: float
    width: float
    height: float
    lookups: int


class Mark(msgspec.Struct, frozen=True):
    """A time on the scale, or a line at one."""

    x: float
    text: str
    kind: str = ""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """All that is drawn; `most` is how many look-ups the highest bar stands for."""

    bars: list[Bar]
    marks: list[Mark]
    lines: list[Mark]
    most: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = _RIGHT
    top: int = _TOP
    bottom: int = _BOTTOM


def picture_of(latency: Latency) -> Picture:
    """Return the distribution of the look-ups, with lines for p50, p99 and the target."""
    edges = bar_edges(latency)
    times = sorted(latency.samples_ms)
    counts = [bisect_left(times, high) - bisect_left(times, low) for low, high in pairwise(edges)]
    most = max(counts)
    span = math.log(edges[-1]) - math.log(edges[0])

    def place(time_ms: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * (math.log(time_ms) - math.log(edges[0])) / span, 1)

    bars = []
    for (low, high), count in zip(pairwise(edges), counts, strict=True):
        height = round((_BOTTOM - _TOP) * count / most, 1)
        if count:
            # A bar of a single look-up among a thousand must still be visible.
            height = max(height, 1.5)
            bars.append(Bar(place(low), _BOTTOM - height, round(place(high) - place(low), 1), height, count))
    figures = (("p50", latency.p50_ms), ("p99", latency.p99_ms), ("target (mean)", latency.target_ms))
    lines = [Mark(place(value), f"{name} {value:.3g} ms", name.partition(" ")[0]) for name, value in figures]
    return Picture(bars=bars, marks=[Mark(place(m), f"{m:g}") for m in _marks(edges)], lines=lines, most=most)


def bar_edges(latency: Latency) -> list[float]:
    """Return the edges of the bars: evenly spaced on a logarithmic scale, wide enough for all times and the target."""
    lowest = min(*latency.samples_ms, latency.target_ms, latency.p50_ms) / 1.2
    highest = max(*latency.samples_ms, latency.target_ms, latency.p99_ms) * 1.2
    step = (math.log(highest) - math.log(lowest)) / _BARS
    return [lowest * math.exp(step * number) for number in range(_BARS + 1)]


def _marks(edges: list[float]) -> list[float]:
    """Return round numbers between the first and the last edge, few enough for their text to fit beside each other."""
    decades = range(math.floor(math.log10(edges[0])), math.ceil(math.log10(edges[-1])) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        marks = [m * 10.0**n for n in decades for m in steps if edges[0] < m * 10.0**n < edges[-1]]
        if len(marks) <= _MARKS + 1:
            return marks
    return marks[:: math.ceil(len(marks) / _MARKS)]


def describe_latency(latency: Latency) -> str:
    """Return in words what the picture shows, for readers who cannot see it."""
    return (
        f"Distribution of {latency.lookups} look-ups: half took at most {latency.p50_ms:.3f} ms, 99 of 100 at most "
        f"{latency.p99_ms:.3f} ms, the slowest {latency.max_ms:.3f} ms, on average {latency.mean_ms:.3f} ms; "
        f"the target for the average is {latency.target_ms:g} ms."
    )
