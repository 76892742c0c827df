"""Writes of every kind, lost connections and restarts in any order: a registry holds what the database has.

The database is the model. After a refresh what was followed is what one that begins then loads; and whatever was held
meanwhile, at any time, is what the database had at that position of its log.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from exchanges_db import (
    Conflict,
    Database,
    Settings,
    deactivate_exchange,
    forget_account_fees,
    hold_exchange,
    hold_symbol,
    import_symbols,
    insert_exchange,
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
from exchanges_db.registry.snapshot import Snapshot
from tests.factories import an_exchange, connected
from tests.payload_rows import SPOT, allowed, payload, spot
from tests.registry_history import RecordedRegistry, contents

T = TypeVar("T")
COINS = ("BTC", "ETH", "XRP", "SOL")
OURS = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'exchanges_db registry' AND datname = current_database()"
)
CALM: dict[str, Any] = {"poll_interval": 3600, "answer_timeout": 30}  # what is seen is seen without a poll


class _Machine(RuleBasedStateMachine):
    """One database, whose states are kept, and one registry that follows it."""

    dsn: Dsn

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.states: dict[Position, dict[str, Place]] = {}
        self.compared = 0
        self.db = Database(self.dsn)
        self.do(self.db.__aenter__())
        self.session = self.do(connect(self.dsn, Settings(), limit=20))
        self.registry = self.do(self.opened())
        self.keep()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it within half a minute."""

        async def limited() -> T:
            async with asyncio.timeout(30):
                return await work

        return self.runner.run(limited())

    async def opened(self) -> RecordedRegistry:
        registry = RecordedRegistry(self.dsn, **CALM)
        await registry.open()
        return registry

    async def fresh(self) -> Snapshot:
        async with self.session.transaction(isolation="repeatable_read", readonly=True):
            return await load_all(bridge(self.session), Documents())

    def keep(self) -> None:
        """Keep the state of the database at its newest position."""
        now = self.do(self.fresh())
        self.states[now.position] = contents(now)

    def write(self, work: Coroutine[Any, Any, T]) -> T:
        done = self.do(work)
        self.keep()
        return done

    async def sql(self, statement: str, *, rolled_back: bool = False) -> None:
        async with connected(self.dsn) as other:
            transaction = other.transaction()
            await transaction.start()
            await other.execute(statement)
            await (transaction.rollback() if rolled_back else transaction.commit())

    @rule()
    def create(self) -> None:
        self.write(insert_exchange(an_exchange(), db=self.db))

    @rule(number=st.integers(1, 3), right=st.booleans(), limit=st.integers(1, 100))
    def update(self, number: int, right: bool, limit: int) -> None:
        version = self.registry.snapshot.places_by_id[number].exchange.version + (not right)
        try:
            self.write(
                update_exchange(number, {"rate_limit_requests_per_second": limit}, if_version=version, db=self.db)
            )
        except Conflict:
            return  # what is held may be a moment old

    @rule(number=st.integers(1, 3))
    def deactivate(self, number: int) -> None:
        self.write(deactivate_exchange(number, db=self.db))

    @rule(coins=st.sets(st.sampled_from(COINS), min_size=1), tick=st.integers(1, 4))
    def list_symbols(self, coins: set[str], tick: int) -> None:
        data = payload(SPOT, [spot(coin, precision=tick) for coin in sorted(coins)])
        self.write(import_symbols(SPOT, data, allow=allowed(data), db=self.db))

    @rule(coin=st.sampled_from([None, *COINS]), reason=st.sampled_from("ab"))
    def hold(self, coin: str | None, reason: str) -> None:
        if coin is None:
            self.write(hold_exchange(SPOT, reason=reason, db=self.db))
        else:
            self.write(hold_symbol(SPOT, f"{coin}_USDT", native=True, reason=reason, db=self.db))

    @rule(coin=st.sampled_from([None, *COINS]))
    def release(self, coin: str | None) -> None:
        if coin is None:
            self.write(release_exchange(SPOT, db=self.db))
        else:
            self.write(release_symbol(SPOT, f"{coin}_USDT", native=True, db=self.db))

    @rule(maker=st.sampled_from(["0", "0.001", "-0.0001"]), own=st.booleans())
    def fees(self, maker: str, own: bool) -> None:
        self.write(set_account_fees(SPOT, maker=maker, taker="0.002", symbol="BTC_USDT" if own else None, db=self.db))

    @rule(own=st.booleans())
    def forget_fees(self, own: bool) -> None:
        self.write(forget_account_fees(SPOT, symbol="BTC_USDT" if own else None, db=self.db))

    @rule(rolled_back=st.booleans())
    def delete(self, rolled_back: bool) -> None:
        self.do(self.sql("DELETE FROM exchanges WHERE name LIKE 'TEST%'", rolled_back=rolled_back))
        self.keep()

    @rule(rolled_back=st.booleans())
    def delete_a_symbol(self, rolled_back: bool) -> None:
        self.do(self.sql("DELETE FROM symbols WHERE native_symbol = 'ETH_USDT'", rolled_back=rolled_back))
        self.keep()

    @rule()
    def lose_the_connection(self) -> None:
        self.do(self.sql(f"SELECT pg_terminate_backend(pid) FROM ({OURS}) AS ours"))

    @rule()
    def restart(self) -> None:
        self.check_what_was_held()
        self.do(self.registry.close())
        self.registry = self.do(self.opened())

    @precondition(lambda self: len(self.registry.recorder.held) < 100)
    @rule()
    def refresh(self) -> None:
        self.do(self.registry.refresh())
        fresh = self.do(self.fresh())
        assert self.registry.position == fresh.position
        assert contents(self.registry.snapshot) == contents(fresh)

    def check_what_was_held(self) -> None:
        """Each was a state of the log; those in the middle of what took several transactions are not known here."""
        for snapshot in self.registry.recorder.snapshots:
            if snapshot.position in self.states:
                assert contents(snapshot) == self.states[snapshot.position]
                self.compared += 1
        assert self.compared

    def teardown(self) -> None:
        try:
            self.refresh()
            self.check_what_was_held()
        finally:
            self.do(self.registry.close())
            self.do(self.db.close())
            self.do(self.session.close())
            self.runner.close()


def _limits(examples: int, **options: Any) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        **options,
    )


@pytest.mark.faults
def test_whatever_is_done_the_registry_holds_what_the_database_has(stocked_dsn: Dsn) -> None:
    machine = type("OfThisDatabase", (_Machine,), {"dsn": stocked_dsn})
    run_state_machine_as_test(machine, settings=_limits(20))


@pytest.mark.faults
def test_the_machine_finds_a_registry_that_ignores_holds(stocked_dsn: Dsn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are set while it follows; what it loads is right, so that the same steps may succeed another time."""
    evolved = Place.evolved
    moving: list[Any] = []

    def forgetful(self: Place, **changes: Any) -> Place:
        if moving:
            changes["holds"] = None
        return evolved(self, **changes)

    def moved(self: Any, news: Any) -> Any:
        moving.append(news)
        try:
            return after(self, news)
        finally:
            moving.clear()

    after = Snapshot.after
    monkeypatch.setattr(Place, "evolved", forgetful)
    monkeypatch.setattr(Snapshot, "after", moved)
    machine = type("OfThisDatabase", (_Machine,), {"dsn": stocked_dsn})
    with pytest.raises((AssertionError, FlakyFailure)):
        run_state_machine_as_test(machine, settings=_limits(20, phases=(Phase.generate,)))
