"""What happened between two snapshots: every kind of change, each thing once, in the order of the log."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from exchanges_db import Fees, FeeSource, Listing, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.registry.changes import (
    AmbiguityChanged,
    DoubtChanged,
    ExchangeChanged,
    FeesChanged,
    HoldChanged,
    ListChanged,
    RegistryChange,
    RegistryChangeKind,
    SymbolChanged,
)
from exchanges_db.registry.differences import find_registry_changes
from exchanges_db.registry.models import ListState
from exchanges_db.registry.places import Place
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.symbols.changes import ChangeKind, FieldChange
from exchanges_db.symbols.judge import Hold
from tests.registry_snapshots import PLACE, START, at, committed, entry, exchange, named, news, place, snapshot, symbol

Kind = RegistryChangeKind
SPOT = Listing(SymbolKind.SPOT)
HOLD = Hold(SidesAllowed.ALL, None, "a drill", "me", True)
OTHER_HOLD = msgspec.structs.replace(HOLD, reason="another")
FEES = Fees(maker=Decimal("0.001"), taker=Decimal("0.002"), source=FeeSource.EXCHANGE, since=START)
LIST = ListState(listing=SPOT, source="gateio_spot", observed_at=START, changed_at=START)
SEEN = msgspec.structs.replace(LIST, observed_at=START + timedelta(minutes=1))
TELLING = msgspec.structs.replace(SEEN, changed_at=START + timedelta(minutes=1))
HALTED = symbol(status=SymbolStatus.HALTED, sides=SidesAllowed.NONE)
ENDED = symbol(status=SymbolStatus.DELISTED, sides=SidesAllowed.NONE)
EXPIRED = symbol(status=SymbolStatus.EXPIRED, sides=SidesAllowed.NONE)
OFF = exchange(is_active=False)
TWIN = symbol(2, base="B1", symbol="B1/USDT:USDT", kind=SymbolKind.PERPETUAL)  # of another kind, of the same pair

# What happens, what the log calls it, and the exchange before and after it.
CASES: list[tuple[Kind, str, Place | None, Place | None]] = [
    (Kind.EXCHANGE_ADDED, "EXCHANGES", None, place()),
    (Kind.EXCHANGE_CHANGED, "EXCHANGES", place(), place(of=exchange(precision_default=3))),
    (Kind.EXCHANGE_ACTIVATED, "EXCHANGES", place(of=OFF), place()),
    (Kind.EXCHANGE_DEACTIVATED, "EXCHANGES", place(), place(of=OFF)),
    (Kind.EXCHANGE_GONE, "EXCHANGES", place(), None),
    (Kind.SYMBOL_LISTED, "SYMBOLS", place(), place(symbol())),
    (Kind.SYMBOL_LISTED, "SYMBOLS", place(named()), place(symbol())),
    (Kind.SYMBOL_CHANGED, "SYMBOLS", place(symbol()), place(symbol(price_tick=Decimal("0.1")))),
    (Kind.SYMBOL_HALTED, "SYMBOLS", place(symbol()), place(HALTED)),
    (Kind.SYMBOL_RESUMED, "SYMBOLS", place(HALTED), place(symbol())),
    (Kind.SYMBOL_DELISTED, "SYMBOLS", place(symbol()), place(ENDED)),
    (Kind.SYMBOL_EXPIRED, "SYMBOLS", place(symbol()), place(EXPIRED)),
    (Kind.SYMBOL_RELISTED, "SYMBOLS", place(ENDED), place(symbol())),
    (Kind.SYMBOL_NAMED, "SYMBOLS", place(), place(named())),
    (Kind.SYMBOL_NAMED, "SYMBOLS", place(named()), place(named(native="Y_USDT"))),
    (Kind.SYMBOL_GONE, "SYMBOLS", place(symbol()), place()),
    (Kind.SYMBOL_GONE, "SYMBOLS", place(named()), place()),
    (Kind.DOUBT_BEGUN, "SYMBOLS", place(symbol()), place(symbol(doubtful_since=START))),
    (Kind.DOUBT_ENDED, "SYMBOLS", place(symbol(doubtful_since=START)), place(symbol())),
    (Kind.HOLD_SET, "HOLDS", place(), place(holds={None: HOLD})),
    (Kind.HOLD_REPLACED, "HOLDS", place(holds={"X": HOLD}), place(holds={"X": OTHER_HOLD})),
    (Kind.HOLD_RELEASED, "HOLDS", place(holds={None: HOLD}), place()),
    (Kind.FEES_SET, "FEES", place(), place(fees={("", None): FEES})),
    (Kind.FEES_FORGOTTEN, "FEES", place(fees={("", 1): FEES}), place()),
    (Kind.LIST_CHANGED, "LISTS", place(), place(lists=(LIST,))),
    (Kind.LIST_CHANGED, "LISTS", place(lists=(LIST,)), place(lists=(TELLING,))),
    (Kind.LIST_CONFIRMED, "LISTS", place(lists=(LIST,)), place(lists=(SEEN,))),
    (Kind.LIST_GONE, "LISTS", place(lists=(LIST,)), place()),
]


@pytest.mark.parametrize(("kind", "changed", "was", "now"), CASES, ids=lambda value: str(value)[:20])
def test_each_thing_that_happens_is_one_item(kind: Kind, changed: str, was: Place | None, now: Place | None) -> None:
    """By what the log names, and by comparing everything: the same but for when."""
    before = snapshot(*([was] if was else []))
    after = snapshot(*([now] if now else []), epoch=9)
    told = news(after, entry(8, changed, 1), entry(9, "SYMBOLS", 77))
    (item,) = find_registry_changes(before, before.after(told), told)
    (reloaded,) = find_registry_changes(before, after, None)
    assert (item.kind, item.position, item.committed_at) == (kind, at(8), committed(8))
    assert (item.exchange, item.exchange_id) == (PLACE, 1)
    assert (reloaded.position, reloaded.committed_at) == (at(9), None)
    assert msgspec.structs.replace(item, position=at(9), committed_at=None) == reloaded


@pytest.mark.parametrize("is_read_anew", [False, True])
def test_a_hold_whose_time_is_over_is_none(is_read_anew: bool) -> None:
    """By when it was committed, or by now where that is not known: what forbids something anew is no replacement."""
    over = msgspec.structs.replace(HOLD, until_at=committed(8))
    before = snapshot(place(holds={None: over, "X": over, "Y": msgspec.structs.replace(over, until_at=committed(9))}))
    after = snapshot(place(holds={None: OTHER_HOLD, "Y": OTHER_HOLD}), epoch=8)
    told = None if is_read_anew else news(after, entry(8, "HOLDS", 1))
    found = find_registry_changes(before, after, told, committed(8) if is_read_anew else None)
    assert [(item.kind, item.native_symbol, item.before) for item in found if isinstance(item, HoldChanged)] == [
        (Kind.HOLD_SET, None, None),
        (Kind.HOLD_REPLACED, "Y", before.places[PLACE].holds["Y"]),
    ]
    assert len(found) == 2


def test_no_kind_is_left_untried() -> None:
    """The two that are the stream's own have tests there; a symbol's are those of ChangeKind, and two more.

    No pair becomes ambiguous by itself alone: that comes after what its symbols are told of, below.
    """
    beside = {Kind.GAP, Kind.STATE_CHANGED, Kind.AMBIGUITY_BEGUN, Kind.AMBIGUITY_ENDED}
    assert {kind for kind, *_ in CASES} == set(Kind) - beside
    assert {f"SYMBOL_{kind}" for kind in ChangeKind} == {k for k in Kind if k.startswith("SYMBOL_")} - {
        "SYMBOL_NAMED", "SYMBOL_GONE"
    }  # fmt: skip


def test_nothing_happened_where_all_is_the_same() -> None:
    """Objects of another reading are equal; and what is named by the log but unchanged is no item."""

    def made(epoch: int) -> Snapshot:
        return snapshot(
            place(symbol(), named(2), holds={None: HOLD}, fees={("", None): FEES}, lists=(LIST,)), epoch=epoch
        )

    before, after = made(1), made(2)
    told = news(after, *(entry(2, changed, 1) for changed in ("EXCHANGES", "SYMBOLS", "HOLDS", "FEES", "LISTS")))
    assert find_registry_changes(before, after, None) == []
    assert find_registry_changes(before, after, told) == []


def test_an_item_has_what_was_and_what_is() -> None:
    """With the fields that differ, of exchanges and of symbols."""
    before = snapshot(place(symbol(), holds={None: HOLD}))
    now = symbol(price_tick=Decimal("0.1"))
    after = snapshot(place(now, of=exchange(is_active=False)), epoch=2)
    told = news(after, entry(2, "SYMBOLS", 1), entry(2, "EXCHANGES", 1), entry(2, "HOLDS", 1))
    found, changed, released = find_registry_changes(before, before.after(told), told)
    assert isinstance(found, ExchangeChanged)
    assert found.fields == (FieldChange("is_active", True, False),)
    assert isinstance(changed, SymbolChanged)
    assert changed.fields == (FieldChange("price_tick", Decimal("0.05"), Decimal("0.1")),)
    assert changed.before == before.symbol(1)
    assert changed.after == now
    assert isinstance(released, HoldChanged)
    assert (released.before, released.after, released.native_symbol) == (HOLD, None, None)


def test_items_come_by_epoch_then_always_in_one_order() -> None:
    """Whatever the order of statements was; of one transaction an exchange comes before what is on it."""
    before = snapshot(place(), place(of=exchange(3)))
    after = snapshot(
        place(symbol(5), symbol(4, doubtful_since=START), holds={None: HOLD, "A": HOLD}, fees={("", None): FEES}),
        place(symbol(6, on=2), of=exchange(2), lists=(LIST,)),
        epoch=4,
    )
    rows = [entry(4, "LISTS", 2), entry(4, "SYMBOLS", 6), entry(4, "EXCHANGES", 2, 3), entry(3, "FEES", 1),
            entry(3, "HOLDS", 1), entry(2, "SYMBOLS", 5, 4)]  # fmt: skip
    for entries in (rows, rows[::-1]):
        told = news(after, *entries)
        found = find_registry_changes(before, before.after(told), told)
        assert [(one.position.epoch, one.kind, one.exchange_id) for one in found] == [
            (2, Kind.SYMBOL_LISTED, 1), (2, Kind.SYMBOL_LISTED, 1), (2, Kind.DOUBT_BEGUN, 1),
            (3, Kind.HOLD_SET, 1), (3, Kind.HOLD_SET, 1), (3, Kind.FEES_SET, 1),
            (4, Kind.EXCHANGE_ADDED, 2), (4, Kind.SYMBOL_LISTED, 2), (4, Kind.LIST_CHANGED, 2),
            (4, Kind.EXCHANGE_GONE, 3),
        ]  # fmt: skip


def test_of_several_transactions_the_last_that_names_a_thing_counts() -> None:
    """What lay between them is not known; one item, not one each."""
    before, after = snapshot(place(symbol())), snapshot(place(HALTED), epoch=5)
    told = news(after, entry(3, "SYMBOLS", 1), entry(4, "SYMBOLS", 1), entry(5, "LISTS", 1))
    (item,) = find_registry_changes(before, before.after(told), told)
    assert (item.kind, item.position) == (Kind.SYMBOL_HALTED, at(4))


def test_with_an_exchange_goes_all_that_was_on_it() -> None:
    """Also what the log has no row for, as fees that nobody forgot."""
    before = snapshot(place(holds={None: HOLD}, fees={("", None): FEES}, lists=(LIST,)))
    after = snapshot(epoch=2)
    told = news(after, entry(2, "EXCHANGES", 1))
    for found in (find_registry_changes(before, after, told), find_registry_changes(before, after, None)):
        kinds = [type(one) for one in found]
        assert kinds == [HoldChanged, FeesChanged, ListChanged, ExchangeChanged]


def test_a_symbol_with_a_doubt_is_listed_first() -> None:
    """Two items of one symbol."""
    before, after = snapshot(place()), snapshot(place(symbol(doubtful_since=START)), epoch=2)
    listed, doubted = find_registry_changes(before, after, None)
    assert listed.kind is Kind.SYMBOL_LISTED
    assert isinstance(doubted, DoubtChanged)
    assert doubted.since == START


def test_an_id_on_another_exchange_is_another_symbol() -> None:
    """It has gone here, and is listed there."""
    before = snapshot(place(symbol()), place(of=exchange(2)))
    after = snapshot(place(), place(symbol(on=2), of=exchange(2)), epoch=2)
    gone, listed = find_registry_changes(before, after, None)
    assert (gone.kind, gone.exchange_id) == (Kind.SYMBOL_GONE, 1)
    assert (listed.kind, listed.exchange_id) == (Kind.SYMBOL_LISTED, 2)


@pytest.mark.parametrize("is_known", [True, False], ids=["by the log", "all compared"])
def test_what_is_gone_goes_before_what_comes_under_its_id_or_its_name(is_known: bool) -> None:
    """Whoever keeps a table by ids, or by names, would take out what has come; the order of exchanges is none of it."""
    again = symbol(3, native_symbol="B7_USDT")
    before = snapshot(place(), place(symbol(1, on=2), symbol(7, on=2), of=exchange(2)))
    after = snapshot(place(symbol(1)), place(msgspec.structs.replace(again, exchange_id=2), of=exchange(2)), epoch=2)
    rows = news(after, entry(2, "SYMBOLS", 1, 3, 7)) if is_known else None
    told = [(one.kind, one.before or one.after) for one in find_registry_changes(before, after, rows)
            if isinstance(one, SymbolChanged)]  # fmt: skip
    assert [(kind, one.id, one.exchange_id) for kind, one in told if one is not None] == [
        (Kind.SYMBOL_GONE, 1, 2), (Kind.SYMBOL_GONE, 7, 2), (Kind.SYMBOL_LISTED, 1, 1), (Kind.SYMBOL_LISTED, 3, 2)
    ]  # fmt: skip


@pytest.mark.parametrize("is_known", [True, False], ids=["by the log", "all compared"])
def test_an_exchange_that_was_given_the_name_of_one_that_is_gone_comes_after_it(is_known: bool) -> None:
    """As where all were deleted and inserted again, with new ids: a table by names would lose the one that is there."""
    old, new = exchange(enum_value="MINE"), exchange(2, enum_value="MINE")
    before = snapshot(place(symbol(1, on=old), of=old))
    after = snapshot(place(symbol(2, on=new), of=new), epoch=2)
    rows = news(after, entry(2, "SYMBOLS", 1, 2), entry(2, "EXCHANGES", 1, 2)) if is_known else None
    assert [(one.kind, one.exchange_id) for one in find_registry_changes(before, after, rows)] == [
        (Kind.SYMBOL_GONE, 1), (Kind.EXCHANGE_GONE, 1), (Kind.EXCHANGE_ADDED, 2), (Kind.SYMBOL_LISTED, 2)
    ]  # fmt: skip


def ambiguities(found: list[RegistryChange]) -> list[tuple[Kind, str, SymbolKind | None, tuple[str, ...], int]]:
    """What is told of pairs: what, the base, the kind, the candidates, and the epoch."""
    return [
        (one.kind, one.base, one.symbol_kind, one.candidates, one.position.epoch)
        for one in found
        if isinstance(one, AmbiguityChanged)
    ]


def test_a_pair_is_ambiguous_from_its_second_symbol_on_until_one_is_left() -> None:
    """By itself and by kind; a third says nothing new. It comes after its symbols, with the last that it is of."""
    second = symbol(2, base="B1")
    third = symbol(3, base="B1", symbol="B1/USDT:USDT", kind=SymbolKind.PERPETUAL)
    states = [snapshot(place(*some), epoch=epoch) for epoch, some in enumerate(
        [(symbol(),), (symbol(), third), (symbol(), second, third), (second, third), (third,), ()], start=1
    )]  # fmt: skip
    told: list[list[RegistryChange]] = []
    for before, after in pairwise(states):
        rows = news(after, entry(after.position.epoch, "SYMBOLS", 1, 2, 3))
        told.append(find_registry_changes(before, before.after(rows), rows))
        assert ambiguities(find_registry_changes(before, after, None)) == ambiguities(told[-1])
    spot, begun, ended = SymbolKind.SPOT, Kind.AMBIGUITY_BEGUN, Kind.AMBIGUITY_ENDED
    assert [ambiguities(found) for found in told] == [
        [(begun, "B1", None, ("B1_USDT", "B3_USDT"), 2)],
        [(begun, "B1", spot, ("B1_USDT", "B2_USDT"), 3)],
        [(ended, "B1", spot, ("B2_USDT",), 4)],
        [(ended, "B1", None, ("B3_USDT",), 5)],
        [],
    ]
    both = news(states[2], entry(2, "SYMBOLS", 2), entry(3, "SYMBOLS", 3))
    found = find_registry_changes(states[0], states[0].after(both), both)
    assert [(one.kind, one.position.epoch) for one in found] == [
        (Kind.SYMBOL_LISTED, 2), (begun, 2), (Kind.SYMBOL_LISTED, 3), (begun, 3)
    ]  # fmt: skip


def test_a_pair_that_is_ambiguous_in_another_way_is_told() -> None:
    """Its symbols are the same, and one of them is of another kind now; another exchange is another pair."""
    before = snapshot(place(symbol(), TWIN), place(symbol(3, on=2, base="B1"), of=exchange(2)))
    spot = msgspec.structs.replace(TWIN, kind=SymbolKind.SPOT)
    after = snapshot(place(symbol(), spot), place(symbol(3, on=2, base="B1"), of=exchange(2)), epoch=2)
    rows = news(after, entry(2, "SYMBOLS", 2))
    for found in (find_registry_changes(before, before.after(rows), rows), find_registry_changes(before, after, None)):
        assert ambiguities(found) == [(Kind.AMBIGUITY_BEGUN, "B1", SymbolKind.SPOT, ("B1_USDT", "B2_USDT"), 2)]


@pytest.mark.parametrize("epochs", [(2, 2, 2), (2, 3, 4)], ids=["at once", "one after the other"])
def test_an_exchange_that_was_given_the_id_of_another_is_another_one(epochs: tuple[int, int, int]) -> None:
    """The first goes with all that it had, even what the second one has in the same way; then the second comes."""
    gone, added, later = epochs
    everything = (symbol(), TWIN)
    before = snapshot(place(*everything, holds={None: HOLD}, fees={("", None): FEES}, lists=(LIST,)))
    other = msgspec.structs.replace(exchange(), created_at=START + timedelta(days=1))
    after = snapshot(place(*everything, of=other, holds={None: HOLD}, lists=(LIST,)), epoch=later)
    rows = news(
        after, entry(gone, "SYMBOLS", 1, 2), entry(gone, "EXCHANGES", 1), entry(added, "EXCHANGES", 1),
        *(entry(later, changed, 1, 2) for changed in ("SYMBOLS", "HOLDS", "LISTS")),
    )  # fmt: skip
    found = find_registry_changes(before, before.after(rows), rows)
    kinds = [
        Kind.SYMBOL_GONE, Kind.SYMBOL_GONE, Kind.AMBIGUITY_ENDED, Kind.HOLD_RELEASED, Kind.FEES_FORGOTTEN,
        Kind.LIST_GONE, Kind.EXCHANGE_GONE, Kind.EXCHANGE_ADDED, Kind.SYMBOL_LISTED, Kind.SYMBOL_LISTED,
        Kind.AMBIGUITY_BEGUN, Kind.HOLD_SET, Kind.LIST_CHANGED,
    ]  # fmt: skip
    assert [one.kind for one in found] == kinds
    assert [one.position.epoch for one in found] == [added] * 8 + [later] * 5
    assert [one.kind for one in find_registry_changes(before, after, None)] == kinds


def test_what_stays_under_another_exchange_has_gone_and_come() -> None:
    """As where somebody has put another row under symbols that were not deleted: the log does not name them."""
    before = snapshot(place(symbol()))
    other = msgspec.structs.replace(exchange(), created_at=START + timedelta(days=1))
    after = snapshot(place(symbol(), of=other), epoch=2)
    rows = news(after, entry(2, "EXCHANGES", 1))
    found = find_registry_changes(before, before.after(rows), rows)
    assert [one.kind for one in found] == [
        Kind.SYMBOL_GONE, Kind.EXCHANGE_GONE, Kind.EXCHANGE_ADDED, Kind.SYMBOL_LISTED
    ]  # fmt: skip


@pytest.mark.parametrize("also", [[], [2], [4]], ids=["nothing else", "fees before", "fees afterwards"])
@pytest.mark.parametrize("is_back", [False, True], ids=["gone", "given again"])
def test_fees_of_a_symbol_that_is_gone_are_gone_with_it(also: list[int], is_back: bool) -> None:
    """The log names the symbol alone; whoever keeps a table of fees by these changes must not keep those."""
    before = snapshot(place(symbol(), symbol(2), fees={("", None): FEES, ("", 1): FEES}))
    again = [msgspec.structs.replace(symbol(), created_at=START + timedelta(days=1))] if is_back else []
    after = snapshot(place(*again, symbol(2), fees={("", None): FEES}), epoch=max([3, *also]))
    rows = news(after, *(entry(epoch, "FEES", 1) for epoch in also), entry(3, "SYMBOLS", 1))
    found = [one for one in find_registry_changes(before, before.after(rows), rows) if isinstance(one, FeesChanged)]
    told = [(one.kind, one.account, one.symbol_id, one.before, one.after, one.position) for one in found]
    assert told == [(Kind.FEES_FORGOTTEN, "", 1, FEES, None, after.position)]
    assert found[0].committed_at == committed(after.position.epoch)
    in_full = [one.kind for one in find_registry_changes(before, after, None) if isinstance(one, FeesChanged)]
    assert in_full == [Kind.FEES_FORGOTTEN]


@pytest.mark.parametrize("is_known", [True, False], ids=["by the log", "all compared"])
def test_a_symbol_that_was_given_the_id_of_another_is_another_one(is_known: bool) -> None:
    """As after a failover that lost the last commits: whoever waits for what is listed is told of it."""
    before = snapshot(place(symbol(1, doubtful_since=START)))
    other = symbol(1, base="NEW", symbol="NEW/USDT", native_symbol="NEW_USDT")
    after = snapshot(place(other), epoch=2)
    found = find_registry_changes(before, after, news(after, entry(2, "SYMBOLS", 1)) if is_known else None)
    told = [(one.kind, one.before, one.after) for one in found if isinstance(one, SymbolChanged)]
    assert told == [(Kind.SYMBOL_GONE, before.symbol(1), None), (Kind.SYMBOL_LISTED, None, other)]
    assert len(found) == len(told)
