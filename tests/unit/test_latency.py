"""The figures of the look-up times."""

from exchanges_db.validation.latency import latency_of


def test_percentiles_are_times_that_were_measured() -> None:
    """Of a hundred times the 50th and the 99th in rank are p50 and p99, whatever their order."""
    latency = latency_of([float(number) for number in range(100, 0, -1)], target_ms=1.0)
    assert (latency.p50_ms, latency.p99_ms, latency.max_ms, latency.mean_ms) == (50.0, 99.0, 100.0, 50.5)


def test_one_time_is_all_figures() -> None:
    """A single look-up has figures too."""
    latency = latency_of([0.25], target_ms=1.0)
    assert {latency.p50_ms, latency.p99_ms, latency.max_ms, latency.mean_ms} == {0.25}


def test_the_mean_decides() -> None:
    """A slow exception does not miss the target, a slow mean does."""
    assert latency_of([0.1] * 99 + [5.0], target_ms=1.0).within_target
    assert not latency_of([1.1] * 100, target_ms=1.0).within_target


def test_many_samples_are_thinned_out_but_all_counted() -> None:
    """Of 25,001 times at most 10,000 are kept, evenly; the figures are of all."""
    latency = latency_of([1.0] * 25_000 + [9.0], target_ms=1.0)
    assert len(latency.samples_ms) == 8334
    assert (latency.lookups, latency.max_ms) == (25_001, 9.0)
