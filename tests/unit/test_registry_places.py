"""Places that follow from news: whatever was given an id or a name again, and however much comes at once."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from time import thread_time
from typing import NoReturn

import msgspec
import pytest

from exchanges_db import Fees, FeeSource, SidesAllowed, SymbolStatus
from exchanges_db.registry.filling import filled
from exchanges_db.registry.models import RegistrySymbol
from exchanges_db.registry.moves import moves
from exchanges_db.registry.places import Place, several
from exchanges_db.symbols.judge import Hold
from tests.registry_snapshots import START, entry, exchange, named, news, place, snapshot, symbol

FEES = Fees(maker=Decimal("0.001"), taker=Decimal("0.002"), source=FeeSource.SYMBOL, since=START)
HOLD = Hold(SidesAllowed.NONE, None, "why")
LATER = START + timedelta(days=1)


def option(number: int, base: str | None = None) -> RegistrySymbol:
    """One of many symbols of a single pair, or of its own."""
    return symbol(number, base=base or f"B{number}", native_symbol=f"BTC-{number}", symbol=f"BTC/USDT-{number}")


def least(work: Callable[[], object], tries: int = 5) -> float:
    """The seconds of the processor that it takes where nothing else disturbs it."""
    times = []
    for _ in range(tries):
        began = thread_time()
        work()
        times.append(thread_time() - began)
    return min(times)


@pytest.mark.untraced
@pytest.mark.parametrize("ends", [False, True], ids=["listed", "gone"])
def test_many_symbols_of_one_pair_take_no_longer_each(ends: bool) -> None:
    """As when the options of a coin are listed, or expire: 5,000 of one pair take about as long as of 5,000 pairs."""

    def seconds(base: str | None) -> float:
        numbers = range(1, 5001)
        listed = snapshot(place(*(option(number, base) for number in numbers)), epoch=2)
        before, after = (snapshot(place()), listed)[:: -1 if ends else 1]
        told = news(after, entry(2, "SYMBOLS", *numbers))
        assert before.after(told).places_by_id[1].by_pair == after.places_by_id[1].by_pair
        return least(lambda: before.after(told))

    assert seconds("BTC") < 4 * seconds(None)  # about 1; it was 20 to 290


def test_a_place_that_is_changed_step_by_step_is_the_one_that_is_made_at_once() -> None:
    """Its indexes, too, whatever of one name or pair is listed, ends, is named otherwise or goes."""
    chance = random.Random(12)
    made, held = place(), dict[int, RegistrySymbol]()
    for _ in range(150):
        changes: dict[int, RegistrySymbol | None] = {}
        for number in chance.sample(range(1, 13), chance.randint(1, 6)):
            changes[number] = None
            if chance.random() < 0.8:
                name = chance.choice("ABC")
                status = chance.choice((SymbolStatus.TRADING, SymbolStatus.DELISTED))
                changes[number] = symbol(number, base=name, native_symbol=name, symbol=name, status=status)
        made = made.evolved(symbols=changes)
        held = {number: one for number, one in {**held, **changes}.items() if one is not None}
        assert made == filled(exchange(), list(held.values()), named={}, holds={}, fees={}, lists=())


def test_what_is_said_beside_symbols_is_on_each_and_in_every_index() -> None:
    """Whatever is held and released, of one name or of all, and set for accounts, together with what is listed."""
    chance = random.Random(13)
    made, listed = place(), dict[int, RegistrySymbol]()
    for _ in range(150):
        changes = {}
        for number in chance.sample(range(1, 9), chance.randint(0, 2)):
            name = chance.choice("ABC")
            status = chance.choice((SymbolStatus.TRADING, SymbolStatus.DELISTED))
            changes[number] = symbol(number, base=name, native_symbol=name, symbol=name, status=status)
        listed |= changes
        holds = {native: HOLD for native in (None, *"ABC") if chance.random() < 0.3}
        fees = {("desk", number): FEES for number in (None, *listed) if chance.random() < 0.2}
        made = made.evolved(symbols=changes, holds=holds, fees=fees)
        for number, one in made.symbols.items():
            of_it = (holds.get(one.native_symbol), holds.get(None))
            paid = fees.get(("desk", number)) or fees.get(("desk", None))
            wanted = msgspec.structs.replace(
                listed[number],
                holds=tuple(hold for hold in of_it if hold is not None),
                account_fees={} if paid is None else {"desk": paid},
            )
            assert one == wanted
        bare = filled(exchange(), list(listed.values()), named={}, holds={}, fees={}, lists=())
        for name in ("by_native", "by_symbol", "by_pair"):
            index, plain = getattr(made, name), getattr(bare, name)
            assert index.keys() == plain.keys()
            for key, found in index.items():
                assert [one.id for one in several(found)] == [one.id for one in several(plain[key])]
                assert all(one is made.symbols[one.id] for one in several(found))


def test_fees_of_a_symbol_are_not_those_of_another_that_has_its_id() -> None:
    """A symbol that was deleted and inserted again with its number, in one look: nobody has set what that one pays."""
    before = snapshot(place(symbol(), symbol(2), fees={("", 1): FEES, ("", 2): FEES}))
    again = symbol(), msgspec.structs.replace(symbol(2), created_at=LATER)
    after = snapshot(place(*again, fees={("", 1): FEES}), epoch=2)
    held = before.after(news(after, entry(2, "SYMBOLS", 1, 2)))
    assert held == after
    assert [dict(one.account_fees) for one in held.places_by_id[1].symbols.values()] == [{"": FEES}, {}]


def test_fees_go_with_the_symbol_or_the_exchange_that_pays_them() -> None:
    """Those of a number would else be paid by whatever is given it next; the log names exchange or symbol alone."""
    before = snapshot(place(symbol(), symbol(2), fees={("", 1): FEES, ("", 2): FEES, ("", None): FEES}))
    held = before.after(news(snapshot(place(symbol()), epoch=2), entry(2, "SYMBOLS", 2)))
    assert held.places_by_id[1].fees.keys() == {("", 1), ("", None)}
    another = msgspec.structs.replace(exchange(), created_at=LATER)
    held = held.after(news(snapshot(place(symbol(), of=another), epoch=3), entry(3, "EXCHANGES", 1)))
    assert held.places_by_id[1].fees.keys() == {("", 1)}
    assert held.places_by_id[1].symbols[1].account_fees == {"": FEES}


def test_symbols_of_both_sorts_have_the_name_that_their_exchange_has_now() -> None:
    """Also those that are known by name only, which the log does not name then."""
    before = snapshot(place(symbol(), named(2)))
    after = snapshot(place(of=exchange(enum_value="MOVED")), epoch=2)
    held = before.after(news(after, entry(2, "EXCHANGES", 1)))
    assert {held.symbol(1).exchange, held.symbol(2).exchange} == {"MOVED"}  # type: ignore[union-attr]  # both are there


def test_a_place_that_nobody_has_named_is_the_same_object() -> None:
    """So that whoever follows compares nothing in it."""
    before = snapshot(place(symbol()), place(of=exchange(2)))
    held = before.after(news(snapshot(place(of=exchange(2)), epoch=2), entry(2, "LISTS", 2)))
    assert held.places_by_id[1] is before.places_by_id[1]
    assert isinstance(held.places_by_id[2], Place)


class _NotLookedAt(dict[int, RegistrySymbol]):
    """Symbols that nobody may go through."""

    def __iter__(self) -> Iterator[int]:
        raise AssertionError("all symbols of the exchange were looked at")

    def keys(self) -> NoReturn:
        raise AssertionError("all symbols of the exchange were looked at")

    items = values = keys


def test_an_exchange_that_is_shown_under_another_name_costs_no_look_at_its_symbols() -> None:
    """At 100,000 symbols each such change held the event loop for 16 ms, so that 60 a second were followed, not 500."""
    full = place(symbol(1))
    before = snapshot(msgspec.structs.replace(full, symbols=_NotLookedAt(full.symbols)))
    told = news(snapshot(place(of=exchange(display_name="Shown")), epoch=2), entry(2, "EXCHANGES", 1))
    after = before.after(told)
    assert after.places_by_id[1].exchange.display_name == "Shown"
    assert after.places_by_id[1].symbols is before.places_by_id[1].symbols
    assert moves(before.places_by_id[1], after.places_by_id[1], told) == []
