"""Metrics as a real SDK collects them, from Databases that have no server."""

from __future__ import annotations

import gc
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from exchanges_db.database import metrics
from exchanges_db.database.counters import Counters, DatabaseStats, Occupancy
from exchanges_db.database.dsn import Dsn, Secret
from exchanges_db.database.metrics import METRICS, Gauges, pool_name
from exchanges_db.uptime import uptime

DSN = Dsn(hosts=(("db.example", 5432),), user="trader", password=Secret("canary"), database="prices")
POOL = "db.client.connection.pool.name"


class FakeDatabase:
    """What is watched: counts, and where the connections are."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.occupancy = Occupancy(open=3, idle=1, in_use=2, waiting=4)

    def stats(self) -> DatabaseStats:
        """Return them, as a Database does."""
        return self.counters.stats(self.occupancy, 1, 8)


class Collected:
    """Gauges of their own, with an SDK that collects from them."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.gauges = Gauges()
        self.gauges._is_shown = True  # to this provider, and not to the one of the process
        self.gauges.make_instruments(self.provider.get_meter("exchanges_db"))

    def watch(self, dsn: Dsn = DSN) -> FakeDatabase:
        """Return a database that is shown from now on."""
        database = FakeDatabase()
        self.gauges.watch(database, dsn, database.counters)
        return database

    def points(self, name: str) -> list[Any]:
        """Return what the SDK has collected of a metric."""
        data = self._reader.get_metrics_data()
        scopes = [] if data is None else [scope for one in data.resource_metrics for scope in one.scope_metrics]
        metrics = [metric for scope in scopes for metric in scope.metrics if metric.name == name]
        return [point for metric in metrics for point in metric.data.data_points]

    def values(self, name: str) -> dict[tuple[Any, ...], float]:
        """Each value by the values of its attributes, sorted by their names."""
        points = self.points(name)
        return {tuple(value for _, value in sorted(point.attributes.items())): point.value for point in points}


@pytest.fixture
def collected() -> Any:
    found = Collected()
    yield found
    found.provider.shutdown()


def test_a_reconnect_takes_the_place_of_a_lost_or_expired_connection() -> None:
    """The pool that grows does not reconnect."""
    counters = Counters()
    counters.add_opened()
    counters.add_opened()
    assert counters.reconnects == 0
    counters.add_lost()
    counters.add_expired()
    for _ in range(3):
        counters.add_opened()
    assert (counters.opened, counters.reconnects, counters.lost, counters.expired) == (5, 2, 1, 1)


def test_stats_are_a_snapshot() -> None:
    database = FakeDatabase()
    database.counters.lookups += 2
    before = database.stats()
    database.counters.lookups += 1
    assert (before.lookups, database.stats().lookups) == (2, 3)
    with pytest.raises(AttributeError):
        before.lookups = 7  # type: ignore[misc]  # what is frozen


@pytest.mark.parametrize(
    ("metric", "field"),
    [(metric, field) for metric in METRICS if metric.kind == "counter" for field, _ in metric.fields],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_each_counter_shows_its_field(collected: Collected, metric: Any, field: str) -> None:
    database = collected.watch()
    setattr(database.counters, field, 17)
    assert collected.values(metric.name) == {("db.example:5432/prices",): 17}


def test_the_occupancy_has_a_state_and_a_limit(collected: Collected) -> None:
    database = collected.watch()
    pool = pool_name(DSN)
    assert collected.values("db.client.connection.count") == {(pool, "idle"): 1, (pool, "used"): 2}
    assert collected.values("db.client.connection.max") == {(pool,): 8}
    assert collected.values("db.client.connection.pending_requests") == {(pool,): 4}
    assert database.occupancy.open == 3


def test_databases_of_one_name_are_added_up_and_others_are_not(collected: Collected) -> None:
    other = Dsn(hosts=(("db.example", 5432),), database="other")
    kept = [collected.watch(), collected.watch(), collected.watch(other)]
    for number, database in enumerate(kept, 1):
        database.counters.lookups = number
    assert collected.values("exchanges_db.lookups") == {(pool_name(DSN),): 3, (pool_name(other),): 3}


def test_a_database_that_is_gone_is_not_kept_and_its_counts_stay(collected: Collected) -> None:
    """A total that falls would look like a restart; its connections are no more."""
    database = collected.watch()
    database.counters.lookups = 5
    del database
    gc.collect()
    assert collected.values("exchanges_db.lookups") == {(pool_name(DSN),): 5}
    assert collected.values("db.client.connection.count") == {}
    assert collected.gauges._watches == []
    again = collected.watch()
    again.counters.lookups = 2
    assert collected.values("exchanges_db.lookups") == {(pool_name(DSN),): 7}


def test_a_wait_is_recorded_and_a_look_up_that_did_not_wait_is_not(collected: Collected) -> None:
    database = collected.watch()
    database.counters.lookups += 1
    assert collected.points("db.client.connection.wait_time") == []
    database.counters.add_wait(0.25)
    (point,) = collected.points("db.client.connection.wait_time")
    assert (point.count, point.sum, point.attributes[POOL]) == (1, 0.25, pool_name(DSN))
    assert 0.1 in point.explicit_bounds
    assert (database.stats().pool_waits, database.stats().pool_wait_seconds) == (1, 0.25)


def test_imports_are_counted_by_list_and_outcome(collected: Collected) -> None:
    for outcome in ("APPLIED", "REFUSED", "APPLIED"):
        collected.gauges.count_import("MEXC_SPOT", "SPOT", outcome)
    assert collected.values("exchanges_db.imports") == {
        ("MEXC_SPOT", "SPOT", "APPLIED"): 2,
        ("MEXC_SPOT", "SPOT", "REFUSED"): 1,
    }


def test_a_list_ages_until_it_is_seen_again(collected: Collected) -> None:
    """An import that an older list was allowed for does not make it older; an answer of the database does."""
    gauges, place = collected.gauges, ("MEXC_SPOT", "SPOT")
    gauges.saw_list(*place, timedelta(seconds=60))
    assert 60 <= collected.values("exchanges_db.list.age")[place] < 70
    gauges.saw_list(*place, timedelta(seconds=500), may_be_older=False)
    assert collected.values("exchanges_db.list.age")[place] < 70
    gauges.saw_list(*place, timedelta(0), may_be_older=False)
    assert collected.values("exchanges_db.list.age")[place] < 10
    gauges.saw_list(*place, timedelta(seconds=500))
    assert collected.values("exchanges_db.list.age")[place] >= 500


def test_a_list_ages_while_the_machine_sleeps(collected: Collected, monkeypatch: pytest.MonkeyPatch) -> None:
    collected.gauges.saw_list("MEXC_SPOT", "SPOT", timedelta(seconds=60))
    monkeypatch.setattr(metrics, "uptime", lambda: uptime() + 3600)
    assert collected.values("exchanges_db.list.age")["MEXC_SPOT", "SPOT"] >= 3660


def test_no_attribute_holds_user_or_password(collected: Collected) -> None:
    collected.watch()
    attributes = [str(point.attributes) for metric in METRICS for point in collected.points(metric.name)]
    assert not [text for text in attributes if "canary" in text or "trader" in text]


def test_a_pool_without_a_host_has_a_name() -> None:
    assert pool_name(Dsn()) == "default/default"
