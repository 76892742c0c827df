"""What OpenTelemetry is shown: the counts of every Database, imports by outcome, and the age of lists.

Only the API package is used. Without an SDK nothing is collected; with one, instruments read the counts when it
collects, in a thread of its own, so that a look-up pays nothing. A Database that is gone is not kept alive: its counts
are added to those of its pool's name, so that no total falls. docs/sight.md has a row for each metric.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol
from weakref import ref

from exchanges_db._version import __version__
from exchanges_db.database.counters import COUNTED, Counters, DatabaseStats
from exchanges_db.database.dsn import Dsn
from exchanges_db.uptime import uptime

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation

Kind = Literal["counter", "up-down counter", "gauge", "histogram"]
Reading = tuple[float, dict[str, str]]
_POOL, _STATE = "db.client.connection.pool.name", "db.client.connection.state"


class Metric(NamedTuple):
    """One metric; `fields` are those of DatabaseStats that it shows, each with its connection's state where it has one.

    A name that begins with `db.client` is one of OpenTelemetry's semantic conventions.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    fields: tuple[tuple[str, str | None], ...] = ()


def _count(field: str, unit: str, meaning: str, name: str = "") -> Metric:
    return Metric(name or f"exchanges_db.{field}", "counter", unit, meaning, ((field, None),))


WAIT = Metric("db.client.connection.wait_time", "histogram", "s", "how long calls waited for a connection, if they did")
IMPORTS = Metric("exchanges_db.imports", "counter", "{import}", "imports, by exchange, list and outcome")
AGE = Metric(
    "exchanges_db.list.age", "gauge", "s", "time since the exchange confirmed a list, as this process knows it"
)
METRICS = (
    _count("lookups", "{call}", "calls that read"),
    _count("writes", "{call}", "calls that write"),
    _count("transactions", "{transaction}", "transactions begun"),
    _count("retries", "{call}", "calls and transactions tried again"),
    _count("timeouts", "{statement}", "statements that ran into the command time limit"),
    _count("cancelled", "{call}", "calls that their caller ended under way"),
    _count("read_only", "{statement}", "statements that the server refused as read-only"),
    _count("unknown_outcomes", "{call}", "writes that may be committed or not"),
    _count("opened", "{connection}", "connections opened", "exchanges_db.connections.opened"),
    _count("failed_opens", "{attempt}", "attempts to open one in vain", "exchanges_db.connections.failed"),
    _count("reconnects", "{connection}", "opened in place of a lost or expired one", "exchanges_db.reconnects"),
    _count("lost", "{connection}", "ended by server, network or a time limit", "exchanges_db.connections.lost"),
    _count("expired", "{connection}", "ended while idle, on suspicion", "exchanges_db.connections.expired"),
    _count("retired", "{connection}", "ended for no fault", "exchanges_db.connections.retired"),
    _count("pings", "{connection}", "asked before their use", "exchanges_db.connections.pings"),
    _count("pool_waits", "{call}", "calls that had to wait for a connection", "exchanges_db.pool.waits"),
    _count("pool_wait_seconds", "s", "how long they waited together", "exchanges_db.pool.waited"),
    _count("pool_timeouts", "{timeout}", "calls that waited in vain", "db.client.connection.timeouts"),
    Metric(
        "db.client.connection.count",
        "up-down counter",
        "{connection}",
        "connections that are open",
        (("idle", "idle"), ("in_use", "used")),
    ),
    Metric(
        "db.client.connection.max", "up-down counter", "{connection}", "how many may be open", (("pool_max", None),)
    ),
    Metric(
        "db.client.connection.pending_requests",
        "up-down counter",
        "{request}",
        "calls that wait for a connection now",
        (("waiting", None),),
    ),
    Metric(
        "exchanges_db.connections.doubtful",
        "up-down counter",
        "{connection}",
        "idle ones that will be asked before their next use",
        (("doubtful", None),),
    ),
    WAIT,
    IMPORTS,
    AGE,
)
# Seconds, of which the default bounds of an SDK make no sense: they are for milliseconds.
_BOUNDARIES = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)


class Watched(Protocol):
    """What is watched: a Database."""

    def stats(self) -> DatabaseStats:
        """Return the counts, and where the connections are."""


class _Watch(NamedTuple):
    pool: str
    counters: Counters
    database: ref[Watched]


class Gauges:
    """All that this process has to show, and the instruments that show it; `gauges` is the one of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: list[_Watch] = []
        self._past: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(COUNTED, 0))
        self._imports: dict[tuple[str, str, str], int] = defaultdict(int)
        self._lists: dict[tuple[str, str], float] = {}  # when each was confirmed, by `uptime`
        self._waits: Histogram | None = None
        self._showing = threading.Lock()  # another one: an SDK that collects holds its own and waits for ours
        self._is_shown = False

    def watch(self, database: Watched, dsn: Dsn, counters: Counters) -> None:
        """Show a database from now on, until it is gone. To be called once, when its pool is opened."""
        self._show()
        pool = pool_name(dsn)
        with self._lock:
            self._forget_gone()
            self._watches.append(_Watch(pool, counters, ref(database)))
        counters.hear_wait = lambda seconds: self._record_wait(pool, seconds)

    def count_import(self, exchange: str, listing: str, outcome: str) -> None:
        """Count an import that has ended."""
        self._show()
        with self._lock:
            self._imports[exchange, listing, outcome] += 1

    def saw_list(self, exchange: str, listing: str, age: timedelta, *, may_be_older: bool = True) -> None:
        """Note how old a list was just now; unless it `may_be_older`, only where that is newer than what is known."""
        self._show()
        confirmed = uptime() - age.total_seconds()
        with self._lock:
            known = self._lists.get((exchange, listing))
            if may_be_older or known is None or confirmed > known:
                self._lists[exchange, listing] = confirmed

    def make_instruments(self, meter: Meter) -> None:
        """Make an instrument of `meter` for each metric."""
        from opentelemetry.metrics import Observation

        makers = {
            "counter": meter.create_observable_counter,
            "up-down counter": meter.create_observable_up_down_counter,
            "gauge": meter.create_observable_gauge,
        }
        for metric in METRICS:
            if metric is WAIT:
                self._waits = meter.create_histogram(
                    metric.name, metric.unit, metric.meaning, explicit_bucket_boundaries_advisory=_BOUNDARIES
                )
                continue
            makers[metric.kind](metric.name, [_callback(self, metric, Observation)], metric.unit, metric.meaning)

    def readings(self, metric: Metric) -> Iterator[Reading]:
        """Return each value of a metric with its attributes."""
        with self._lock:
            if metric is IMPORTS:
                found: list[Reading] = [
                    (count, _of_list(exchange, listing) | {"exchanges_db.outcome": outcome})
                    for (exchange, listing, outcome), count in self._imports.items()
                ]
            elif metric is AGE:
                now = uptime()
                found = [(now - confirmed, _of_list(*names)) for names, confirmed in self._lists.items()]
            else:
                found = [
                    (totals[field], {_POOL: pool} if state is None else {_POOL: pool, _STATE: state})
                    for pool, totals in self._totals().items()
                    for field, state in metric.fields
                    if field in totals
                ]
        return iter(found)

    def _totals(self) -> dict[str, dict[str, float]]:
        """Return the fields of DatabaseStats by the name of the pool; several databases of one name are added up."""
        self._forget_gone()
        totals: dict[str, dict[str, float]] = {pool: {**past} for pool, past in self._past.items()}
        for watch in self._watches:
            database, total = watch.database(), totals.setdefault(watch.pool, {})
            counts: Counters | DatabaseStats = watch.counters if database is None else database.stats()
            for field in COUNTED if database is None else DatabaseStats.__struct_fields__:
                total[field] = total.get(field, 0) + getattr(counts, field)
        return totals

    def _forget_gone(self) -> None:
        for watch in [watch for watch in self._watches if watch.database() is None]:
            self._watches.remove(watch)
            past = self._past[watch.pool]
            for field in COUNTED:
                past[field] += getattr(watch.counters, field)

    def _record_wait(self, pool: str, seconds: float) -> None:
        if self._waits is not None:
            self._waits.record(seconds, {_POOL: pool})

    def _show(self) -> None:
        """Make the instruments of the process, once; the import takes 8 ms, and most of what is imported needs none."""
        if self._is_shown:
            return
        from opentelemetry.metrics import get_meter

        with self._showing:
            if not self._is_shown:
                self.make_instruments(get_meter("exchanges_db", __version__))
                self._is_shown = True


gauges = Gauges()


def pool_name(dsn: Dsn) -> str:
    """Return what a pool is called, as OpenTelemetry's convention has it: HOST:PORT/DATABASE, without a user."""
    hosts = ",".join(f"{host}:{port}" for host, port in dsn.hosts) or "default"
    return f"{hosts}/{dsn.database or 'default'}"


def _of_list(exchange: str, listing: str) -> dict[str, str]:
    return {"exchanges_db.exchange": exchange, "exchanges_db.listing": listing}


def _callback(
    shown: Gauges, metric: Metric, observation: type[Observation]
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _: [observation(value, attributes) for value, attributes in shown.readings(metric)]
