"""The judges of `make soak`, each held to a registry that is broken in the way that it is to find."""

import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchanges_db import MarketType, NamedSymbol, Registry, SidesAllowed, StoredExchange, SymbolVersion
from exchanges_db.registry.changes import HoldChanged, RegistryChange, RegistryChangeKind
from exchanges_db.registry.differences import find_registry_changes
from exchanges_db.registry.file import SavedSnapshot
from exchanges_db.registry.models import Position
from exchanges_db.registry.places import Place
from exchanges_db.registry.snapshot import LogEntry, News, Snapshot
from exchanges_db.symbols.judge import Hold
from tests.snapshots import a_snapshot, a_symbol
from tests.soak import memory
from tests.soak.ending import chain_faults
from tests.soak.figures import Figures, growth
from tests.soak.using import Consumer, look_up_faults
from tests.soak.watching import Digests, Faults, Watcher, Writes, as_number, differences, judge

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
A, B, C = ("aaaaaaaa-0000-4000-8000-000000000000", "bbbbbbbb-0000-4000-8000-000000000000", "cccccccc-0000-4000-8000-0")
LOG = {1: A, 2: A, 3: A, 4: A}
HOLD = Hold(SidesAllowed.ALL, None, "a flash crash", "risk", True)


def exchange(number: int, name: str = "1") -> StoredExchange:
    return StoredExchange(
        id=number,
        name=f"E{number}",
        enum_value=f"E{number}",
        display_name=name,
        market_type=MarketType.SPOT,
        created_at=NOON,
        updated_at=NOON,
        version=1,
    )


def snapshot(epoch: int = 1, token: str = A, names: tuple[str, str] = ("1", "1")) -> Snapshot:
    places = {number: Place(exchange=exchange(number, name)) for number, name in enumerate(names, 1)}
    return Snapshot.of(Position(epoch, token), places)


def news(epoch: int, token: str = A, **changed: Any) -> News:
    """A person holds the first exchange, unless something else has changed."""
    nothing: dict[str, Any] = {"exchanges": {}, "symbols": {}, "holds": {1: {None: HOLD}}, "fees": {}, "lists": {}}
    entries = (LogEntry(epoch, "HOLDS", frozenset({1}), NOON),)
    return News(**{"position": Position(epoch, token), "entries": entries, **nothing, **changed})


def watchers(*who: str) -> tuple[Faults, list[Watcher]]:
    digests, faults = Digests(), Faults()
    return faults, [Watcher(each, digests, faults, [("E1", "E2")]) for each in who]


def walk(watcher: Watcher, *steps: tuple[int, str, int | None]) -> None:
    """Have it go to epochs, with a token, by so many changes; None: all is loaded."""
    for epoch, token, count in steps:
        watcher.steps.extend((epoch, as_number(token), 2**32 - 1 if count is None else count))


def test_registries_that_do_the_same_are_all_right() -> None:
    faults, both = watchers("one", "two")
    for watcher in both:
        watcher.moved(None, snapshot(), None)
        watcher.moved(snapshot(), snapshot().after(news(2)), news(2))
        assert judge(watcher, {1: A, 2: A}, (), lost=False) == []
    assert faults.found == []
    assert differences("one", snapshot().after(news(2)), snapshot().after(news(2))) == []


def test_a_registry_that_ignores_news_of_holds_is_found_at_once_and_at_the_end() -> None:
    faults, (right, mutant) = watchers("right", "mutant")
    went = snapshot().after(news(2))
    stayed = snapshot().after(news(2, holds={}))
    right.moved(snapshot(), went, news(2))
    mutant.moved(snapshot(), stayed, news(2))
    assert faults.found == [f"at {went.position} mutant held what right did not"]
    assert differences("mutant", stayed, went) == ["mutant: holds of E1 are not what the database has"]


def test_a_registry_that_compares_epochs_alone_is_found_after_a_failover() -> None:
    """It goes on from a commit that was lost, as if the new one with the same epoch were the same."""
    faults, (right, mutant) = watchers("right", "mutant")
    lost, given_again = snapshot(2, B, names=("lost", "lost")), snapshot(2, A, names=("2", "2"))
    walk(mutant, (2, B, None))
    right.moved(given_again, given_again.after(news(3)), news(3))
    mutant.moved(lost, lost.after(news(3)), news(3))
    assert faults.found == [f"at {Position(3, A)} mutant held what right did not"]
    assert any(
        "exchange of E1" in one for one in differences("mutant", lost.after(news(3)), given_again.after(news(3)))
    )
    # Where nobody else is there to compare with: from a commit that was lost nothing leads on.
    went_on = "mutant went on to 3 from what a failover has lost, at 2"
    assert judge(mutant, LOG, (), lost=True) == [went_on]
    # And a commit may be lost by a failover only.
    assert judge(mutant, LOG, (), lost=False) == ["mutant was at 2 with a token that was never given", went_on]
    assert differences("mutant", lost, given_again)[0].startswith("mutant is at")


def test_a_change_that_is_left_out_is_found() -> None:
    _, (watcher,) = watchers("one")
    walk(watcher, (1, A, None), (4, A, 2))
    assert judge(watcher, LOG, (), lost=False) == ["one went from 1 to 4 by 2 changes, not by [2, 3, 4]"]


def test_going_back_is_found() -> None:
    _, (watcher,) = watchers("one")
    walk(watcher, (3, A, None), (2, A, 1))
    assert judge(watcher, LOG, (), lost=True) == ["one went from 3 to 2"]


def test_loading_all_is_wrong_where_the_log_leads_on() -> None:
    _, (watcher,) = watchers("one")
    walk(watcher, (1, A, None), (3, A, None), (3, B, 1), (4, A, None))
    assert judge(watcher, LOG, (), lost=True) == ["one has loaded all at 3, though the log leads there from 1"]
    assert judge(watcher, LOG, (2,), lost=True) == []


def test_what_one_transaction_writes_is_not_seen_apart_and_what_is_undone_never() -> None:
    faults, (watcher,) = watchers("one")
    watcher.moved(None, snapshot(1, names=("1", "2")), None)
    watcher.moved(None, snapshot(2, names=("undone 3", "undone 3")), None)
    assert len(faults.found) == 2


def test_news_that_do_not_lead_on_are_found() -> None:
    faults, (watcher,) = watchers("one")
    watcher.moved(snapshot(2), snapshot(2).after(news(2)), news(2))
    assert "[2] led from 2 to 2" in faults.found[0]


def test_what_was_acknowledged_is_there() -> None:
    writes = Writes("the number")
    writes.tried, writes.acknowledged = 7, 5
    assert [bool(writes.judge(found)) for found in (4, 5, 7, 8)] == [True, False, False, True]


def test_what_grows_is_found() -> None:
    few = Figures(55, 80, 100_000, 50, 10, 40, 20)
    assert growth(few, few, at_rest=True) == growth(few, few, at_rest=False) == []
    for field in Figures.__dataclass_fields__:
        most = Figures(**{**few.__dict__, field: getattr(few, field) * 3})
        found = growth(few, most, at_rest=False) + growth(few, most, at_rest=True)
        assert {fault.split()[0] for fault in found} == {field}


@pytest.mark.parametrize(("at_rest", "minutes"), [(False, 2), (True, 3)])  # the first and the last are two apart
def test_a_leak_of_three_megabytes_per_minute_is_found_in_three_minutes(at_rest: bool, minutes: int) -> None:
    few = Figures(55, 80, 100_000, 50, 10, 40, 20)
    leaking = Figures(**{**few.__dict__, "megabytes": few.megabytes + 3 * minutes})
    assert growth(few, leaking, at_rest=at_rest)


_KEEP = """
from tests.soak import memory
memory.count_all()
before = memory.in_use()
kept = [bytes(200) for _ in range(10_000)]
least = sum(map(len, kept)) / memory.MEGABYTE
most = 2 * least
assert least < memory.in_use() - before < most, (memory.in_use(), before)
kept.clear()
assert memory.in_use() - before < least / 10, (memory.in_use(), before)
"""


@pytest.mark.skipif(not memory.can_count, reason="another allocator than that of glibc 2.33 or newer")
def test_what_is_kept_is_in_use_however_small_its_parts_are() -> None:
    subprocess.run([sys.executable, "-c", _KEEP], cwd=ROOT, check=True, timeout=60)


def test_the_books_of_a_soak_are_as_large_as_is_said() -> None:
    digests = Digests()
    empty = digests.size
    for epoch in range(1000):
        digests.check(Position(epoch, A), bytes(16), "one")
    assert 1000 * (64 + 64) < digests.size - empty < 1000 * (64 + 64) * 2


def doubted() -> Snapshot:
    """One in which a symbol is in doubt, another is known by name only, and the exchange and a list have changed."""
    held = a_snapshot()
    named = NamedSymbol(id=2, exchange_id=1, exchange="E1", native_symbol="C2_USDT", base="C2", quote="USDT")
    symbols = {1: a_symbol(1, doubtful_since=NOON), 2: named, 3: None}
    lists = tuple(msgspec.structs.replace(one, observed_at=NOON) for one in held.places_by_id[1].lists)
    place = held.places_by_id[1].evolved(exchange=exchange(1, "another"), symbols=symbols, holds={}, lists=lists)
    return Snapshot.of(held.position, {1: place, 3: Place(exchange=exchange(3))})


def consumer(start: Snapshot, changes: Iterable[RegistryChange] = ()) -> tuple[Faults, Consumer]:
    faults = Faults()
    made = Consumer("one", faults, lambda: start)
    made.begin()
    for change in changes:
        made.take(change)
    return faults, made


@pytest.mark.parametrize(("before", "after"), [*permutations((snapshot(), a_snapshot(), doubted(), a_snapshot(1)), 2)])
def test_whoever_follows_all_changes_has_what_the_registry_holds(before: Snapshot, after: Snapshot) -> None:
    faults, made = consumer(before, find_registry_changes(before, after, None))
    assert made.differences(after) == faults.found == []


def test_each_change_that_is_left_out_is_found() -> None:
    before, after = snapshot(), a_snapshot()
    changes = find_registry_changes(before, after, None)
    assert len(changes) > 10
    for number in range(len(changes)):
        _, made = consumer(before, [*changes[:number], *changes[number + 1 :]])
        # That an exchange is gone is made good by the one that was given its id in the same transaction.
        is_missed = changes[number].kind is not RegistryChangeKind.EXCHANGE_GONE
        assert len(made.differences(after)) == is_missed, changes[number]


def test_a_change_that_is_told_twice_is_found() -> None:
    changes = find_registry_changes(snapshot(), snapshot().after(news(2)), news(2))
    faults, _ = consumer(snapshot(), [*changes, *changes])
    assert "was told twice of ('hold', 1, None)" in faults.found[0]


@pytest.mark.parametrize(
    ("positions", "wrong"),
    [
        ([(1, A), (2, A), (4, A)], []),
        ([(3, A), (2, A)], ["one was told of 2 after 3"]),
        ([(3, A), (4, B), (3, A)], []),  # back from what was lost
        ([(3, A), (4, B), (2, B)], []),
    ],
)
def test_changes_in_another_order_than_that_of_the_log_are_found(
    positions: list[tuple[int, str]], wrong: list[str]
) -> None:
    made = consumer(snapshot())[1]
    for epoch, token in positions:
        at = Position(epoch, token)
        kind = RegistryChangeKind.HOLD_SET
        made.take(HoldChanged(kind=kind, position=at, exchange_id=1, native_symbol=None, before=None, after=HOLD))
    assert made.judge(LOG) == wrong


def test_look_ups_that_lead_elsewhere_than_the_snapshot_are_found() -> None:
    registry = Registry("postgresql://localhost/none")
    held = a_snapshot()
    registry._begin_with(SavedSnapshot(snapshot=held, saved_at=datetime.now(UTC), made_by="a test"))
    view = registry.view("E1")
    assert look_up_faults("one", registry, view, held, "E1") == []
    other = Snapshot.of(
        held.position, {1: held.places_by_id[1].evolved(symbols={1: a_symbol(1, base="D"), 4: a_symbol(4)})}
    )
    found = look_up_faults("one", registry, view, other, "E1")
    assert [fault.split(" does")[0] for fault in found] == [
        f"one: {what}" for what in ("the view", "the view's ids", "by_id", "symbol_id")
    ]


def test_a_history_with_a_hole_is_found() -> None:
    versions = [
        SymbolVersion(
            spec_version=number, valid_from=NOON + timedelta(number), valid_to=NOON + timedelta(number + 1),
            operation="UPDATE", ended_by="x", application_name="x", symbol=a_symbol(1),
        )
        for number in (1, 2, 3)
    ]  # fmt: skip
    versions[-1] = msgspec.structs.replace(versions[-1], valid_to=None)
    assert chain_faults(versions) == []
    assert chain_faults(versions[:2]) == ["its last version has ended"]
    assert len(chain_faults([versions[0], versions[2]])) == 2


def test_every_field_of_a_place_is_compared() -> None:
    """A field that is added to a place is found missing here."""
    compared = {"exchange", "symbols", "named", "holds", "fees", "lists", "by_native", "by_symbol", "by_pair"}
    assert set(Place.__struct_fields__) == compared
    assert msgspec.structs.asdict(snapshot().places["E1"]).keys() == compared
