"""What the benchmark of many processes reads from the kernel and prints; nothing here is timed."""

import os
import sys
from io import StringIO

import pytest
from rich.console import Console

from benchmarks.clients import DIRECT, POOLED
from benchmarks.connections import PoolerSizes, Sizes
from benchmarks.processes import memory, processor_seconds
from benchmarks.scale import Figure, ScaleRun, Snapshot, print_tables

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc of Linux")


@needs_proc
def test_processor_time_of_a_process_grows_with_its_work() -> None:
    before = processor_seconds([os.getpid()])
    assert sum(range(200_000))
    assert processor_seconds([os.getpid()]) > before
    assert processor_seconds([]) == 0


@needs_proc
def test_a_proportional_share_of_memory_is_not_less_than_what_is_ones_own() -> None:
    own, proportional = memory(os.getpid())
    assert 0 < own <= proportional


def test_tables_set_a_pooler_beside_the_direct_way() -> None:
    figures = [
        Figure("get_symbol", DIRECT, 1, 1000.0, 100.0, 50.0, 0.0),
        Figure("get_symbol", POOLED, 1, 400.0, 200.0, 125.0, 75.0),
        Figure("get_symbol", DIRECT, 2, 1500.0, 110.0, 50.0, 0.0),
    ]
    run = ScaleRun(
        10, figures, Sizes(1000.0, 2000.0, 2500.0, 300.0), PoolerSizes(1.5, 90.0), Snapshot(9000, 10.0, 20.0)
    )
    output = StringIO()
    print_tables(run, Console(file=output, width=200))
    rows = [line.split() for line in output.getvalue().splitlines()]
    assert ["PgBouncer", "1", "400", "1.00", "200", "125", "75", "2.50"] in rows
    assert ["direct", "2", "1500", "1.50", "110", "50", "0", "1.00"] in rows
    assert "backend_own 2000" in output.getvalue()
    assert "per_client 1.5" in output.getvalue()
    assert "size 9000, encode 10, decode 20" in output.getvalue()
