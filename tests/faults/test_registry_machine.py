"""Writes of every kind, lost connections and restarts in any order: a registry holds what the database has.

The database is the model, and for a few fields a dict beside it. After a refresh what was followed is what one that
begins then loads, and what the history replays; and whatever was held meanwhile, at any time, is what the database had
at that position of its log.

`make faults` runs 20 courses of 30 steps, always the same; `make faults EXAMPLES=150` as many, once per release.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from exchanges_db import (
    Conflict,
    Database,
    DatabaseUnavailable,
    Settings,
    Symbol,
    SymbolNotFound,
    deactivate_exchange,
    ensure_exchanges_populated,
    forget_account_fees,
    get_all_exchanges,
    get_exchange_as_of,
    hold_exchange,
    hold_symbol,
    import_symbols,
    insert_exchange,
    list_symbols_as_of,
    release_exchange,
    release_symbol,
    set_account_fees,
    update_exchange,
)
from exchanges_db.database.bridge import bridge
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.hosts import connect
from exchanges_db.registry.documents import Documents
from exchanges_db.registry.loading import load_all
from exchanges_db.registry.models import Position
from exchanges_db.registry.places import Place
from exchanges_db.registry.snapshot import News, Snapshot
from tests.factories import an_exchange
from tests.payload_rows import SPOT, allowed, payload, spot
from tests.registry_history import RecordedRegistry, contents
from tests.servers import Server, Stop

pytestmark = pytest.mark.faults
T = TypeVar("T")
COURSES = int(os.environ.get("EXCHANGES_DB_EXAMPLES", "20"))
AT_ONCE = 10  # courses in one test
STEPS = 30
COINS = ("BTC", "ETH", "XRP", "SOL")
OURS = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'exchanges_db registry' AND datname = current_database()"
)
LIMIT = "UPDATE exchanges SET rate_limit_requests_per_second = $2 WHERE id = $1"
CALM: dict[str, Any] = {"poll_interval": 3600, "answer_timeout": 30}  # what is seen is seen without a poll


_STEPS: list[st.SearchStrategy[tuple[str, dict[str, Any]]]] = []


def _step(**arguments: st.SearchStrategy[Any]) -> Callable[[T], T]:
    """Make a method one of the steps, each of which is as likely: of many rules a course would draw a few alone."""

    def add(method: T) -> T:
        _STEPS.append(st.tuples(st.just(method.__name__), st.fixed_dictionaries(arguments)))  # type: ignore[attr-defined]
        return method

    return add


class _Machine(RuleBasedStateMachine):
    """One database, whose states are kept, and one registry that follows it."""

    server: Server
    kind: type[RecordedRegistry] = RecordedRegistry

    def __init__(self) -> None:
        super().__init__()
        self.dsn: Dsn = self.server.dsn
        self.runner = asyncio.Runner()
        self.states: dict[Position, dict[str, Place]] = {}
        self.between: list[tuple[int, int]] = []  # the epochs of a call that takes several transactions
        self.compared = self.restarts = 0
        self.db = Database(self.dsn)
        self.do(self.db.__aenter__())
        self.do(self.connect())
        self.registry = self.do(self.opened())
        self.model = {one.id: self.of_model(one) for one in self.do(get_all_exchanges(db=self.db))}
        self.keep()

    def of_model(self, exchange: Any) -> tuple[str, bool, Any]:
        """Return what is modelled of an exchange."""
        return exchange.name, exchange.is_active, exchange.rate_limit_requests_per_second

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it within half a minute."""

        async def limited() -> T:
            async with asyncio.timeout(30):
                return await work

        return self.runner.run(limited())

    async def connect(self) -> None:
        """Make the sessions: one reads, two write."""
        sessions = [await connect(self.dsn, Settings(), limit=20) for _ in range(3)]
        self.session, self.early, self.late = sessions

    async def opened(self) -> RecordedRegistry:
        registry = self.kind(self.dsn, **CALM)
        await registry.open()
        return registry

    async def fresh(self) -> Snapshot:
        async with self.session.transaction(isolation="repeatable_read", readonly=True):
            return await load_all(bridge(self.session), Documents())

    def keep(self) -> None:
        """Keep the state of the database at its newest position."""
        self.do(self.keep_now())

    async def keep_now(self) -> None:
        now = await self.fresh()
        newest = max((position.epoch for position in self.states), default=now.position.epoch)
        if now.position.epoch > newest:
            self.between.append((newest, now.position.epoch))
        self.states[now.position] = contents(now)

    def write(self, work: Coroutine[Any, Any, T]) -> T:
        done = self.do(work)
        self.keep()
        return done

    def known(self, number: int) -> int:
        """Return the id of an exchange that there is."""
        return sorted(self.model)[number % len(self.model)]

    async def sql(self, statement: str, *, rolled_back: bool = False) -> None:
        transaction = self.late.transaction()
        await transaction.start()
        await self.late.execute(statement)
        await (transaction.rollback() if rolled_back else transaction.commit())

    @_step()
    def create(self) -> None:
        exchange = an_exchange()
        self.model[self.write(insert_exchange(exchange, db=self.db))] = self.of_model(exchange)

    @_step(number=st.integers(0, 5), right=st.booleans(), limit=st.integers(1, 100))
    def update(self, number: int, right: bool, limit: int) -> None:
        number = self.known(number)
        place = self.registry.snapshot.places_by_id.get(number)
        if place is None:
            return  # what is held may be a moment old
        name, is_active, _ = self.model[number]
        change = update_exchange(
            number,
            {"rate_limit_requests_per_second": limit},
            if_version=place.exchange.version + (not right),
            db=self.db,
        )
        with suppress(Conflict):  # likewise
            self.write(change)
            self.model[number] = (name, is_active, limit)

    @_step(number=st.integers(0, 5))
    def deactivate(self, number: int) -> None:
        number = self.known(number)
        self.write(deactivate_exchange(number, db=self.db))
        name, _, limit = self.model[number]
        self.model[number] = (name, False, limit)

    @_step()
    def populate(self) -> None:
        """What is there stays as it is, deactivated ones too."""
        for made in self.write(ensure_exchanges_populated(db=self.db)):
            self.model[made.id] = self.of_model(made)

    @_step(limits=st.tuples(st.integers(1, 100), st.integers(1, 100)))
    def commit_out_of_order(self, limits: tuple[int, int]) -> None:
        """The one that began later, and wrote later, commits first."""
        first, second = self.known(0), self.known(1)

        async def work() -> None:
            async with self.early.transaction():
                await self.early.execute(LIMIT, first, limits[0])
                async with self.late.transaction():
                    await self.late.execute(LIMIT, second, limits[1])
                await self.keep_now()
                await self.registry.refresh()

        self.do(work())
        self.keep()
        self.model[first] = (*self.model[first][:2], limits[0])
        self.model[second] = (*self.model[second][:2], limits[1])

    @_step(coins=st.sets(st.sampled_from(COINS), min_size=1), tick=st.integers(1, 4))
    def list_symbols(self, coins: set[str], tick: int) -> None:
        data = payload(SPOT, [spot(coin, precision=tick) for coin in sorted(coins)])
        self.write(import_symbols(SPOT, data, allow=allowed(data), db=self.db))

    @_step(coin=st.sampled_from([None, *COINS]), reason=st.sampled_from("ab"))
    def hold(self, coin: str | None, reason: str) -> None:
        if coin is None:
            self.write(hold_exchange(SPOT, reason=reason, db=self.db))
        else:
            self.write(hold_symbol(SPOT, f"{coin}_USDT", native=True, reason=reason, db=self.db))

    @_step(coin=st.sampled_from([None, *COINS]))
    def release(self, coin: str | None) -> None:
        if coin is None:
            self.write(release_exchange(SPOT, db=self.db))
        else:
            self.write(release_symbol(SPOT, f"{coin}_USDT", native=True, db=self.db))

    @_step(maker=st.sampled_from(["0", "0.001", "-0.0001"]), own=st.booleans())
    def fees(self, maker: str, own: bool) -> None:
        with suppress(SymbolNotFound):  # no list has had it yet
            self.write(
                set_account_fees(SPOT, maker=maker, taker="0.002", symbol="BTC_USDT" if own else None, db=self.db)
            )

    @_step(own=st.booleans())
    def forget_fees(self, own: bool) -> None:
        with suppress(SymbolNotFound):
            self.write(forget_account_fees(SPOT, symbol="BTC_USDT" if own else None, db=self.db))

    @_step(rolled_back=st.booleans())
    def delete(self, rolled_back: bool) -> None:
        self.do(self.sql("DELETE FROM exchanges WHERE name LIKE 'TEST%'", rolled_back=rolled_back))
        self.keep()
        if not rolled_back:
            self.model = {key: one for key, one in self.model.items() if not one[0].startswith("TEST")}

    @_step()
    def delete_a_member(self) -> None:
        """One that the next `populate` makes anew, with another id."""
        self.do(self.sql("DELETE FROM exchanges WHERE name = 'MEXC'"))
        self.keep()
        self.model = {key: one for key, one in self.model.items() if one[0] != "MEXC"}

    @_step(rolled_back=st.booleans())
    def delete_a_symbol(self, rolled_back: bool) -> None:
        self.do(self.sql("DELETE FROM symbols WHERE native_symbol = 'ETH_USDT'", rolled_back=rolled_back))
        self.keep()

    @_step()
    def lose_the_connection(self) -> None:
        self.do(self.sql(f"SELECT pg_terminate_backend(pid) FROM ({OURS}) AS ours"))

    @_step(how=st.sampled_from(["fast", "immediate"]))
    def restart_the_server(self, how: Stop) -> None:
        if self.restarts:
            return  # each takes as long as twenty other steps
        self.restarts += 1
        self.do(self.server.restart(how))

        async def again() -> None:
            await self.connect()
            while True:
                with suppress(DatabaseUnavailable):
                    await get_all_exchanges(db=self.db)
                    return

        self.do(again())

    @_step()
    def restart(self) -> None:
        self.check_what_was_held()
        self.do(self.registry.close())
        self.registry = self.do(self.opened())

    @_step()
    def refresh(self) -> None:
        self.do(self.registry.refresh())
        fresh = self.do(self.fresh())
        held = self.registry.snapshot
        assert self.registry.state == "LIVE"
        assert held.position == fresh.position
        assert contents(held) == contents(fresh)
        assert {key: self.of_model(place.exchange) for key, place in held.places_by_id.items()} == self.model

    @rule(step=st.one_of(_STEPS))
    def act(self, step: tuple[str, dict[str, Any]]) -> None:
        name, arguments = step
        getattr(self, name)(**arguments)

    def check_what_was_held(self) -> None:
        """Each was a state of the log; those within what takes several transactions are in the log, and no more."""
        for snapshot in self.registry.recorder.snapshots:
            if snapshot.position in self.states:
                assert contents(snapshot) == self.states[snapshot.position]
                self.compared += 1
            else:
                assert any(first < snapshot.position.epoch < last for first, last in self.between)
        assert self.compared

    def check_the_history(self) -> None:
        """What the history replays of now is what is held."""
        held = self.registry.snapshot

        async def work() -> None:
            now = await self.session.fetchval("SELECT clock_timestamp()") + timedelta(seconds=1)
            for number, place in held.places_by_id.items():
                assert await get_exchange_as_of(number, now, db=self.db) == place.exchange
                then = await list_symbols_as_of(number, now, tradable=None, db=self.db)
                fields = [field for field in Symbol.__struct_fields__ if field != "_rules"]
                replayed = {one.id: [getattr(one, field) for field in fields] for one in then}
                assert replayed == {
                    key: [getattr(one, field) for field in fields] for key, one in place.symbols.items()
                }

        self.do(work())

    def teardown(self) -> None:
        try:
            self.refresh()
            self.check_what_was_held()
            self.check_the_history()
        finally:
            self.do(self.registry.close())
            self.do(self.db.close())
            for session in (self.session, self.early, self.late):
                self.do(session.close())
            self.runner.close()


def _run(server: Server, kind: type[RecordedRegistry], *, part: int, courses: int, **options: Any) -> None:
    machine = seed(part)(type("OfThisServer", (_Machine,), {"server": server, "kind": kind}))
    limits = settings(
        max_examples=courses,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        **options,
    )
    run_state_machine_as_test(machine, settings=limits)


@pytest.mark.limit(300)  # a course that fails is shortened
@pytest.mark.parametrize("primary", [18], indirect=True)
@pytest.mark.parametrize("part", range(-(-COURSES // AT_ONCE)))
def test_whatever_is_done_the_registry_holds_what_the_database_has(primary: Server, part: int) -> None:
    """Each part begins with a number of its own, so that together they are different courses."""
    _run(primary, RecordedRegistry, part=part, courses=AT_ONCE)


class PositionFirst(RecordedRegistry):
    """Goes to a position, and then to what was changed there."""

    def _move(self, snapshot: Snapshot, news: News | None) -> None:
        if news is not None and self._snapshot is not None:
            super()._move(msgspec.structs.replace(self._snapshot, position=snapshot.position), news)
        super()._move(snapshot, news)


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> type[RecordedRegistry]:
    """One that ignores the holds that are set while it follows; what it loads is right, as when it is tried again."""
    evolved, after = Place.evolved, Snapshot.after
    moving: list[Any] = []

    def without_holds(self: Place, **changes: Any) -> Place:
        if moving:
            changes["holds"] = None
        return evolved(self, **changes)

    def moved(self: Any, news: Any) -> Any:
        moving.append(news)
        try:
            return after(self, news)
        finally:
            moving.clear()

    monkeypatch.setattr(Place, "evolved", without_holds)
    monkeypatch.setattr(Snapshot, "after", moved)
    return RecordedRegistry


@pytest.mark.limit(300)
@pytest.mark.parametrize("primary", [18], indirect=True)
@pytest.mark.parametrize("mutant", ["ignores holds", "goes through a state that never was"])
def test_the_machine_finds_a_mutant(primary: Server, mutant: str, request: pytest.FixtureRequest) -> None:
    kind = request.getfixturevalue("forgetful") if mutant == "ignores holds" else PositionFirst
    with pytest.raises((AssertionError, FlakyFailure)) as info:
        _run(primary, kind, part=0, courses=3 * AT_ONCE, phases=(Phase.generate,))
    assert "Place(" in str(info.value) or isinstance(info.value, FlakyFailure)
