"""The benchmark's arithmetic, its verdicts and what it writes; nothing here is timed."""

from io import StringIO

import msgspec
import pytest
from rich.console import Console

from benchmarks.figures import (
    BASELINE,
    OURS,
    Measured,
    Run,
    Target,
    compare_throughput,
    compare_times,
    import_times,
    percentile,
    steps_of,
)
from benchmarks.report import print_tables, to_json, verdict

NAMES = {OURS: "ours", BASELINE: "asyncpg by hand", "pool": "asyncpg's pool", "other": "no target"}


def measured(loop: str, ours: int) -> list[Measured]:
    """Return the figures of two rounds in which asyncpg by hand takes 100 us and its pool 200 us."""
    rounds = {OURS: [[ours] * 3] * 2, BASELINE: [[100_000] * 3] * 2, "pool": [[200_000] * 3] * 2}
    return compare_times(loop, rounds, NAMES)


def a_run(ours: int = 120_000) -> Run:
    """Return a run on two event loops."""
    rounds = {BASELINE: [[100_000]], OURS: [[120_000]]}
    return Run(
        versions={"python": "3.11.0"},
        rounds=2,
        calls=3,
        look_ups=[*measured("asyncio", ours), *measured("uvloop", ours)],
        steps=steps_of("asyncio", rounds, NAMES),
        parts={"sqlalchemy.text()": 6.0},
        throughput=compare_throughput("asyncio", {OURS: [90.0], "pool": [100.0]}, NAMES),
        imports=import_times({"exchanges_db": [300.0], "asyncpg": [120.0]}, [100.0]),
    )


def test_percentile_is_the_smallest_value_not_below_the_share() -> None:
    """Nearest rank: of a hundred values the 99th is the 99th smallest, and a single value is every percentile."""
    assert percentile(list(range(100, 0, -1)), 0.99) == 99
    assert percentile([7], 0.99) == 7


@pytest.mark.parametrize(
    ("relation", "ratio", "met"),
    [
        ("at most", 1.4, True),
        ("at most", 1.41, False),
        ("less than", 1.4, False),
        ("less than", 1.39, True),
        ("at least", 1.4, True),
        ("at least", 1.39, False),
    ],
)
def test_a_target_is_met_up_to_its_limit(relation: str, ratio: float, met: bool) -> None:
    """`at most` and `at least` include the limit, `less than` does not."""
    assert Target(relation, 1.4).is_met(ratio) is met


def test_ratios_are_formed_within_a_round() -> None:
    """A round in which everything is ten times slower changes no ratio."""
    rounds = {OURS: [[120], [1200], [120]], BASELINE: [[100], [1000], [100]]}
    assert [one.ratio for one in compare_times("asyncio", rounds, NAMES)] == [1.0, 1.2]


def test_one_slow_call_moves_no_median() -> None:
    """A call that the machine interrupted shows in the 99th percentile alone."""
    ours, _ = compare_times("asyncio", {OURS: [[1000, 1000, 9000]], BASELINE: [[1000] * 3]}, NAMES)
    assert (ours.typical, ours.p99, ours.ratio) == (1.0, 9.0, 1.0)


def test_every_peer_has_a_verdict_and_we_have_none() -> None:
    """1.2 times the connection meets 1.4, and 0.6 times the pool meets 0.65; ours is not measured against itself."""
    assert [(one.key, one.met) for one in measured("asyncio", 120_000)] == [
        (OURS, None),
        (BASELINE, True),
        ("pool", True),
    ]
    assert [one.met for one in measured("asyncio", 150_000)] == [None, False, False]
    assert [verdict(one) for one in measured("asyncio", 150_000)] == [
        "",
        "MISSED: at most 1.40",
        "MISSED: at most 0.65",
    ]


def test_throughput_without_target_is_shown_without_verdict() -> None:
    """More look-ups a second are better, and only plain asyncpg sets a bound."""
    rates = {OURS: [84.0, 84.0], "pool": [100.0, 100.0], "other": [200.0, 200.0]}
    assert [(one.ratio, one.met) for one in compare_throughput("uvloop", rates, NAMES)] == [
        (1.0, None),
        (0.84, False),
        (0.42, None),
    ]


def test_a_step_adds_what_it_takes_longer_than_the_step_before() -> None:
    """The first step is counted from nothing."""
    steps = steps_of("asyncio", {BASELINE: [[70_000], [90_000]], OURS: [[95_000], [115_000]]}, NAMES)
    assert [(step.typical, step.added) for step in steps] == [(80.0, 80.0), (105.0, 25.0)]


def test_import_time_leaves_out_the_interpreter() -> None:
    """Shares are of the first module, after the bare interpreter's start is taken off."""
    ours, asyncpg = import_times({"exchanges_db": [299, 300, 900], "asyncpg": [150.0]}, [100.0, 100.0, 130.0])
    assert (ours.milliseconds, ours.share) == (200.0, 1.0)
    assert (asyncpg.milliseconds, asyncpg.share) == (50.0, 0.25)


def test_a_missed_target_is_named() -> None:
    """What `make bench` fails on."""
    assert a_run().missed() == []
    assert [(one.loop, one.key) for one in a_run(ours=139_000).missed()] == [("asyncio", "pool"), ("uvloop", "pool")]


def test_json_holds_the_whole_run() -> None:
    """What is written can be read back as the same run."""
    assert msgspec.json.decode(to_json(a_run()), type=Run) == a_run()


def test_tables_fit_eighty_columns() -> None:
    """A plain terminal shows every name, ratio and verdict uncut."""
    screen = StringIO()
    print_tables(a_run(ours=150_000), Console(file=screen, width=80))
    text = screen.getvalue()
    assert "asyncpg by hand" in text
    assert "MISSED: at most 1.40" in text
    assert "4 targets are missed" in text
    assert "…" not in text
