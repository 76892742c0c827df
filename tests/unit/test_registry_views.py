"""Views of a registry: dicts that follow the snapshots, tell ambiguities, and refuse while the registry is stale."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from functools import partial
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest

from exchanges_db import (
    Ambiguity,
    AmbiguousSymbol,
    ExchangeNotFound,
    Fees,
    FeeSource,
    InvalidArgument,
    InvalidSymbol,
    SymbolKind,
    SymbolNotFound,
)
from exchanges_db.errors import RegistryStale
from exchanges_db.registry.answers import change
from exchanges_db.registry.bindings import Binding, bind
from exchanges_db.registry.followers import Followers
from exchanges_db.registry.hooks import check_hook
from exchanges_db.registry.look_ups import LookUps
from exchanges_db.registry.models import RegistrySymbol
from exchanges_db.registry.places import several
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.registry.views import View
from exchanges_db.symbols.enums import SidesAllowed, SymbolStatus, is_live
from exchanges_db.symbols.judge import Hold
from tests.registry_snapshots import PLACE, START, coin, exchange, holding, told_of

FEES = Fees(maker=Decimal("0.001"), taker=Decimal("0.002"), source=FeeSource.EXCHANGE)
STALE = RegistryStale("nothing was heard for 5 s", lag=5.0)
FUTURE: dict[str, Any] = {
    "of": "future",
    "kind": SymbolKind.FUTURE,
    "native_symbol": "BTC_USDT_27",
    "symbol": "BTC/USDT:USDT-270101",
}


class Mine(Enum):
    """A program's own names."""

    FUTURES = PLACE


class Coin(StrEnum):
    """A program's own codes."""

    BTC = "BTC"
    USDT = "USDT"
    USDC = "USDC"


class Kept:
    """A view, and what a registry does with it."""

    def __init__(
        self, begun: Snapshot, kind: SymbolKind | str | None = None, *, allow: bool = False, **hooks: Any
    ) -> None:
        self.now = begun
        self.binding: Binding = bind(begun, Mine.FUTURES, kind, **hooks)
        self.view: View = self.binding.view(allow_ambiguous=allow)

    def then(self, changed: str, *symbols: RegistrySymbol, gone: tuple[int, ...] = (), **more: Any) -> None:
        """Go on by news: of these symbols for SYMBOLS, else of the exchange."""
        ids = [*(one.id for one in symbols), *gone] if changed == "SYMBOLS" else [1]
        told = told_of(changed, ids, {one.id: one for one in symbols}, **more)
        before, self.now = self.now, self.now.after(told)
        self.binding.moved(before, self.now, told)
        self.check()

    def anew(self, after: Snapshot) -> None:
        """Go on to what was loaded in full."""
        before, self.now = self.now, after
        self.binding.moved(before, after, None)
        self.check()

    def check(self) -> None:
        """The view holds what the snapshot says, the very objects, and nothing else; so do the ids."""
        place = self.now.places.get(self.binding._exchange.enum_value)
        expected: dict[Any, RegistrySymbol] = {}
        for one in () if place is None else place.symbols.values():
            if is_live(one.status) and self.binding._kind in (None, one.kind):
                expected[one.native_symbol] = one
                alike = [x for x in several(place.by_pair[one.base, one.quote])  # type: ignore[union-attr]
                         if self.binding._kind in (None, x.kind)]  # fmt: skip
                if len(alike) == 1:
                    expected[one.base, one.quote] = one
        assert dict(self.view) == expected
        assert all(self.view[key] is one for key, one in expected.items())
        assert dict(self.view.ids) == {key: one.id for key, one in expected.items()}


def test_a_symbol_is_found_by_native_name_and_by_pair() -> None:
    """The caller's own enum is resolved when the view is made; the same objects, and their ids."""
    kept = Kept(holding(coin(7, "BTC"), coin(8, "ETH"), coin(9, "OLD", status=SymbolStatus.DELISTED)))
    kept.check()
    view = kept.view
    assert view["BTC_USDT"] is view["BTC", "USDT"] is kept.now.places[PLACE].symbols[7]
    assert (view.ids["BTC_USDT"], view.ids["ETH", "USDT"]) == (7, 8)
    assert view.get("NEW_USDT", None) is None
    assert view.ids.get("NEW_USDT", None) is None
    assert "OLD_USDT" not in view


def test_a_look_up_is_a_dicts_own() -> None:
    """Neither class has a method of Python's in the way of a look-up: that costs half as much again."""
    view = Kept(holding(coin(7, "BTC"))).view
    for answers in (view, view.ids):
        assert type(answers).__getitem__ is dict.__getitem__
        assert type(answers).get is dict.get


@pytest.mark.parametrize(
    ("key", "kind", "words"),
    [
        ("BTC/USDT", SymbolNotFound, "no native symbol 'BTC/USDT': the perpetual is called BTC_USDT$"),
        ("BTC/USDT:USDT", SymbolNotFound, "the perpetual is called BTC_USDT$"),
        ("btc_usdt", SymbolNotFound, "the perpetual is called BTC_USDT$"),
        ("BTCX_USDT", SymbolNotFound, "did you mean BTC_USDT"),
        ("OLD_USDT", SymbolNotFound, "is DELISTED"),
        (("BTC", "USDC"), SymbolNotFound, "no live symbol of 'BTC' and 'USDC': did you mean"),
        (("OLD", "USDT"), SymbolNotFound, "no live symbol of 'OLD'"),
        (5, InvalidSymbol, "a native symbol, or for base and quote"),
        (("BTC", "USDT", "USDT"), InvalidSymbol, "base and quote"),
        (("BTC", 5), InvalidSymbol, "base and quote"),
        (("BTC",), InvalidSymbol, "base and quote"),
        ("x" * 1_000_000, InvalidSymbol, "^native_symbol must be text of 1 to 200 characters$"),
        (("BTC", ""), InvalidSymbol, "^quote must be text of 1 to 200 characters$"),
        ((Coin.BTC, Coin.USDC), SymbolNotFound, "no live symbol of Coin.BTC and Coin.USDC: did you mean"),
    ],
)
def test_a_key_that_is_not_there_says_what_may_be_meant(key: Any, kind: type[Exception], words: str) -> None:
    view = Kept(holding(coin(7, "BTC"), coin(9, "OLD", status=SymbolStatus.DELISTED))).view
    for answers in (view, view.ids):
        with pytest.raises(kind, match=words):
            _ = answers[key]


def test_names_of_an_enum_are_keys_as_their_texts_are() -> None:
    """Also of a pair that has several symbols, which is no mistake of whoever asks."""
    view = Kept(holding(coin(7, "BTC"), coin(8, "BTC", **FUTURE)), allow=True).view
    with pytest.raises(AmbiguousSymbol):
        _ = view[Coin.BTC, Coin.USDT]
    only = Kept(holding(coin(7, "BTC"))).view
    assert only[Coin.BTC, Coin.USDT].id == only.ids[Coin.BTC, Coin.USDT] == 7


async def later(_: object) -> None:
    """A hook that nobody would await."""


class Later:
    """The same, as an object."""

    async def __call__(self, _: object) -> None:
        """Nothing."""


def yielding(_: object) -> Iterator[None]:
    """A hook that nobody would go through."""
    yield


@pytest.mark.parametrize("field", ["on_listed", "on_ambiguous"])
@pytest.mark.parametrize(
    ("hook", "words"),
    [
        (5, "a function of one argument"),
        (lambda: None, "a function of one argument"),
        (lambda first, second: None, "a function of one argument"),
        (later, "plain function"),
        (partial(later), "plain"),
        (Later(), "plain"),
        (yielding, "plain"),
    ],
)
def test_a_hook_that_would_do_nothing_is_refused(field: str, hook: Any, words: str) -> None:
    """When the view is made: what it does first happens hours later, when a symbol is listed."""
    with pytest.raises(InvalidArgument, match=words) as caught:
        check_hook(hook, field)
    assert caught.value.field == field
    with pytest.raises(InvalidArgument, match=words):
        LookUps.view(Mock(), "GATEIO_FUTURES", **{field: hook})


def test_what_a_hook_says_of_its_argument_is_not_looked_up() -> None:
    """It may be a name that a type checker alone has imported: Python 3.14 looks for it when it is asked."""
    source = "def hook(told: Unheard) -> Unheard: ..."
    names: dict[str, Any] = {}
    is_lazy = sys.version_info >= (3, 14)  # before, a module says so of itself, as this one does
    exec(compile(source, "a hook", "exec", dont_inherit=is_lazy), names)
    check_hook(names["hook"], "on_listed")


def test_a_symbol_of_another_kind_is_said_to_be_one() -> None:
    view = Kept(holding(coin(7, "BTC"), coin(8, "BTC", **FUTURE)), SymbolKind.FUTURE).view
    assert view["BTC", "USDT"].id == 8
    with pytest.raises(SymbolNotFound, match="'BTC_USDT' is a PERPETUAL, and the view has no such"):
        _ = view["BTC_USDT"]


def test_an_ambiguity_is_told_when_the_view_is_made() -> None:
    """Not first on the tick; who allows it asks by native names, and is refused a choice."""
    both = holding(coin(7, "BTC"), coin(8, "BTC", **FUTURE))
    with pytest.raises(AmbiguousSymbol, match="bind the view to a kind, or pass allow_ambiguous=True") as caught:
        Kept(both)
    assert caught.value.candidates == ("BTC_USDT", "BTC_USDT_27")
    view = Kept(both, allow=True).view
    assert view["BTC_USDT_27"].id == 8
    assert view.get(("BTC", "USDT")) is None
    with pytest.raises(AmbiguousSymbol, match="several live symbols of 'BTC' and 'USDT'"):
        _ = view["BTC", "USDT"]
    assert Kept(both, "perpetual").view["BTC", "USDT"].id == 7


def test_a_view_without_pairs_has_names_alone() -> None:
    """Nothing is ambiguous then, neither at first nor later; and who asks by a pair is told why there is none."""
    told: list[Any] = []
    btc = coin(7, "BTC")
    begun = holding(btc, coin(8, "BTC", **FUTURE))
    binding = bind(begun, PLACE, pairs=False, on_ambiguous=told.append)
    view = binding.view(allow_ambiguous=False)
    assert set(view) == set(view.ids) == {"BTC_USDT", "BTC_USDT_27"}
    sol, third = coin(9, "SOL"), coin(10, "BTC", **{**FUTURE, "native_symbol": "BTC_USDT_28"})
    word = told_of("SYMBOLS", [9, 10], {9: sol, 10: third})
    binding.moved(begun, begun.after(word), word)
    assert view["SOL_USDT"] is sol
    assert view["BTC_USDT"] is btc
    assert set(view) == {"BTC_USDT", "BTC_USDT_27", "SOL_USDT", "BTC_USDT_28"}
    assert told == []
    with pytest.raises(InvalidSymbol, match="pairs=False"):
        _ = view["SOL", "USDT"]


def test_what_was_listed_and_what_became_ambiguous_is_told() -> None:
    """Once it can be looked up; not what only changed, and each thing once."""
    told: list[Any] = []
    kept = Kept(holding(coin(7, "BTC")), on_listed=lambda one: told.append(one.id), on_ambiguous=told.append)
    kept.then("SYMBOLS", coin(8, "NEW"))
    kept.then("SYMBOLS", coin(8, "NEW", spec_version=2))
    assert told == [8]
    kept.then("SYMBOLS", coin(9, "BTC", **FUTURE))
    word = Ambiguity(exchange=PLACE, base="BTC", quote="USDT", kind=None, candidates=("BTC_USDT", "BTC_USDT_27"))
    assert told == [8, 9, word]
    with pytest.raises(AmbiguousSymbol):
        _ = kept.view["BTC", "USDT"]
    kept.then("SYMBOLS", coin(9, "BTC", **FUTURE, status=SymbolStatus.EXPIRED))
    assert kept.view["BTC", "USDT"].id == 7
    assert told == [8, 9, word]


def test_a_view_follows_every_kind_of_change() -> None:
    kept = Kept(holding(coin(7, "BTC"), coin(8, "ETH")))
    kept.then("SYMBOLS", coin(7, "BTC", spec_version=2))
    kept.then("SYMBOLS", coin(7, "XBT"))  # renamed
    assert "BTC_USDT" not in kept.view
    kept.then("SYMBOLS", coin(7, "XBT", status=SymbolStatus.DELISTED), coin(10, "XBT"))  # the name was given again
    kept.then("SYMBOLS", gone=(8,))
    kept.then("HOLDS", holds={1: {None: Hold(SidesAllowed.ALL, None, "keys", "alice", True)}})
    assert kept.view["XBT", "USDT"].holds[0].reason == "keys"
    kept.then("EXCHANGES", exchanges={1: exchange(display_name="Renamed")})
    kept.then("FEES", fees={1: {("", None): FEES}})
    assert kept.view["XBT", "USDT"].account_fees == {"": FEES}
    kept.then("EXCHANGES", exchanges={1: exchange(enum_value="MOVED")})
    assert kept.view["XBT", "USDT"].exchange == "MOVED"
    kept.anew(holding(coin(10, "XBT"), coin(11, "SOL")))
    kept.then("LISTS")


def test_an_exchange_that_is_gone_and_back() -> None:
    """It has another id then; what is asked of it meanwhile says that it was deleted."""
    kept = Kept(holding(coin(7, "BTC")))
    kept.then("EXCHANGES")
    assert dict(kept.view) == {}
    with pytest.raises(ExchangeNotFound, match="deleted meanwhile"):
        _ = kept.view["BTC_USDT"]
    back = exchange(2, enum_value=PLACE)
    kept.anew(holding(coin(17, "BTC", on=back), exchanges=[back]))
    assert kept.view["BTC_USDT"].id == 17


@pytest.mark.parametrize("seen", [True, False])
def test_an_id_of_an_exchange_that_was_given_to_another_one(seen: bool) -> None:
    """As in a database made anew: a view is of the exchange it was made for, and never gives another's symbols."""
    kept = Kept(holding(coin(7, "BTC")))
    if seen:
        kept.then("EXCHANGES")
    other = msgspec.structs.replace(exchange(enum_value="ANOTHER_ONE"), created_at=START + timedelta(days=1))
    kept.anew(holding(coin(17, "BTC", on=other), exchanges=[other]))
    assert dict(kept.view) == {}
    with pytest.raises(ExchangeNotFound, match="deleted meanwhile"):
        _ = kept.view["BTC_USDT"]
    back = exchange(2, enum_value=PLACE)
    kept.anew(holding(coin(17, "BTC", on=other), coin(18, "BTC", on=back), exchanges=[other, back]))
    assert kept.view["BTC_USDT"].id == 18
    assert kept.view["BTC_USDT"].exchange == PLACE


def test_an_exchange_whose_name_was_changed_is_followed() -> None:
    """Also where another one has the name since."""
    kept = Kept(holding(coin(7, "BTC")))
    renamed, other = exchange(enum_value="RENAMED"), exchange(2, enum_value=PLACE)
    after = holding(coin(7, "BTC", on=renamed), coin(8, "BTC", on=other), exchanges=[renamed, other])
    kept.binding.moved(kept.now, after, None)
    assert kept.view["BTC_USDT"].id == 7


def test_an_id_that_was_given_to_another_symbol_is_followed() -> None:
    """As after a failover that lost the last commits; whoever waits for the other symbol is told."""
    told: list[RegistrySymbol] = []
    kept = Kept(holding(coin(7, "BTC")), on_listed=told.append)
    kept.anew(holding(coin(7, "ETH"), coin(8, "BTC")))
    assert (kept.view.ids["BTC_USDT"], kept.view.ids["ETH", "USDT"]) == (8, 7)
    assert sorted(one.native_symbol for one in told) == ["BTC_USDT", "ETH_USDT"]


def test_a_snapshot_that_does_not_follow_is_compared_in_full() -> None:
    """News that lead from another snapshot than the view's name but a part of what is new to it."""
    kept = Kept(holding(coin(7, "BTC")))
    other = holding(coin(7, "BTC"), coin(8, "ETH"))
    told = told_of("SYMBOLS", [9], {9: coin(9, "SOL")})
    kept.now = other.after(told)
    kept.binding.moved(other, kept.now, told)
    kept.check()


def test_as_few_keys_change_as_can() -> None:
    """Holds replace values of keys that stay; nothing is taken out and put in again."""
    kept = Kept(holding(*(coin(number, f"C{number}") for number in range(50))))
    changes: list[tuple[Any, list[Any]]] = []

    def counted(answers: Any, added: Any, gone: Any = ()) -> None:
        changes.append((set(added), [*gone]))
        change(answers, added, gone)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exchanges_db.registry.bindings.change", counted)
        kept.then("SYMBOLS", coin(3, "C3", spec_version=2))
        kept.anew(holding(*(coin(number, f"C{number}") for number in range(49))))
    assert changes[0] == ({"C3_USDT", ("C3", "USDT")}, [])
    assert changes[2][1] == ["C49_USDT", ("C49", "USDT")]


STALE_QUESTIONS: dict[str, Any] = {
    "key": lambda view: view["BTC_USDT"],
    "pair": lambda view: view["BTC", "USDT"],
    "unknown": lambda view: view["NEW_USDT"],
    "get": lambda view: view.get("BTC_USDT"),
    "in": lambda view: "BTC_USDT" in view,
    "len": len,
    "iter": iter,
    "reversed": reversed,
    "keys": lambda view: view.keys(),
    "values": lambda view: view.values(),
    "items": lambda view: view.items(),
    "copy": lambda view: view.copy(),
    "equal": lambda view: view == {},
    "or": lambda view: view | {},
    "bool": bool,
}


@pytest.mark.parametrize("question", STALE_QUESTIONS)
def test_a_stale_view_answers_nothing(question: str) -> None:
    """Not None either, which would say that there is no such symbol; and it says how old it is."""
    kept = Kept(holding(coin(7, "BTC")))
    ids = kept.view.ids
    bound = kept.view.get
    kept.binding.stale(STALE)
    for answers in (kept.view, ids):
        with pytest.raises(RegistryStale, match="nothing was heard for 5 s") as caught:
            STALE_QUESTIONS[question](answers)
        assert caught.value is not STALE
        assert caught.value.lag == 5.0
    assert bound("BTC_USDT") is None  # what it was a method of, holds nothing any more
    assert "nothing was heard" in repr(kept.view)
    kept.binding.fresh(kept.now)
    kept.check()


def test_what_happened_while_it_was_stale_is_made_up_for() -> None:
    told: list[Any] = []
    kept = Kept(holding(coin(7, "BTC")), on_listed=lambda one: told.append(one.native_symbol))
    kept.binding.stale(STALE)
    after = holding(coin(7, "BTC", spec_version=2), coin(8, "NEW"))
    kept.binding.moved(kept.now, after, None)
    with pytest.raises(RegistryStale):
        _ = kept.view["BTC_USDT"]
    kept.now = after
    kept.binding.fresh(after)
    kept.check()
    assert told == ["NEW_USDT"]
    kept.then("SYMBOLS", coin(9, "SOL"))
    assert told == ["NEW_USDT", "SOL_USDT"]


def test_a_view_is_changed_by_its_registry_alone() -> None:
    view = Kept(holding(coin(7, "BTC"))).view
    changes: list[Callable[[], Any]] = [
        lambda: view.update({}),
        lambda: view.pop("BTC_USDT"),
        lambda: view.clear(),
        lambda: view.__setitem__("A", view["BTC_USDT"]),
        lambda: view.ids.__delitem__("BTC_USDT"),
        lambda: view.setdefault("A", view["BTC_USDT"]),
        lambda: view.popitem(),
    ]
    for attempt in changes:
        with pytest.raises(TypeError, match="filled by its registry alone"):
            attempt()
    assert view.ids["BTC_USDT"] == 7


def test_a_registry_keeps_no_view_alive() -> None:
    """Without a collector, too: nothing leads in a circle. The ids are followed for as long as they are held."""
    followers = Followers()
    gc.disable()
    try:
        kept = Kept(holding(coin(7, "BTC")))
        followers.add(kept.binding)
        ids, seen, begun = kept.view.ids, weakref.ref(kept.view), kept.now
        del kept
        assert seen() is None
        told = told_of("SYMBOLS", [8], {8: coin(8, "ETH")})
        for follower in followers:
            follower.moved(begun, begun.after(told), told)
        assert ids["ETH_USDT"] == 8
        follower = None  # type: ignore[assignment]
        del ids
        assert [*followers] == []
    finally:
        gc.enable()


def test_a_hook_that_raises_is_logged_and_hinders_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("the hook's own")

    told: list[int] = []
    first = Kept(holding(coin(7, "BTC")), on_listed=broken)
    second = Kept(holding(coin(7, "BTC")), on_listed=lambda one: told.append(one.id))
    with caplog.at_level(logging.ERROR):
        for kept in (first, second):
            kept.then("SYMBOLS", coin(8, "NEW"))
    assert told == [8]
    assert [getattr(one, "exchanges_db_event", None) for one in caplog.records] == ["registry_hook_failed"]
    assert "the hook's own" in caplog.text


def test_a_hook_that_exits_ends_the_program_or_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """In a thread sys.exit() ends that alone, and a registry that lives there would be closed without a word."""

    def leave(_: object) -> None:
        sys.exit(3)

    def told() -> None:
        Kept(holding(coin(7, "BTC")), on_listed=leave).then("SYMBOLS", coin(8, "NEW"))
        went_on.append(True)

    went_on: list[bool] = []
    thread = threading.Thread(target=told)
    thread.start()
    thread.join(10)
    assert went_on == [True]
    assert [getattr(one, "exchanges_db_event", None) for one in caplog.records] == ["registry_hook_failed"]
    with pytest.raises(SystemExit):
        told()


async def test_hooks_run_when_everybody_has_moved_on() -> None:
    """Of two views the second is as new as the first when a hook of the first is called."""
    begun = holding(coin(7, "BTC"))
    second = Kept(begun)
    seen: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    first = Kept(begun, on_listed=lambda one: seen.set_result(second.view.ids[one.native_symbol]))
    told = told_of("SYMBOLS", [8], {8: coin(8, "NEW")})
    for kept in (first, second):
        kept.binding.moved(begun, begun.after(told), told)
    assert await seen == 8


def test_what_is_new_is_there_before_what_is_gone_goes() -> None:
    """Whoever reads while a symbol is renamed finds it by one of its names, at any time."""
    kept = Kept(holding(coin(7, "BTC")))
    view, seen = kept.view, []

    def gone() -> Iterator[str]:
        seen.append(sorted(map(str, view)))
        yield "BTC_USDT"

    change(view, {"XBT_USDT": coin(7, "XBT")}, gone())
    assert seen == [["('BTC', 'USDT')", "BTC_USDT", "XBT_USDT"]]
    assert "BTC_USDT" not in view


def test_no_key_is_missing_to_those_who_read_meanwhile() -> None:
    """Eight threads look up what is always there while everything around it changes, by news and by full loads."""
    count, rounds = 20, 60

    def state(turn: int) -> list[RegistrySymbol]:
        # Half of them change their native name each time; their pair stays.
        names = [f"C{n}_{turn % 2}" if n % 2 else f"C{n}_USDT" for n in range(count)]
        return [coin(n, f"C{n}", native_symbol=name, spec_version=turn + 1) for n, name in enumerate(names)]

    kept = Kept(holding(*state(0)))
    view, done, wrong = kept.view, threading.Event(), []
    keys: list[tuple[int, Any]] = [(n, (f"C{n}", "USDT")) for n in range(count)]
    keys += [(n, f"C{n}_USDT") for n in range(0, count, 2)]

    def read() -> None:
        while not done.is_set():
            for number, key in keys:
                found = view.get(key)
                if found is None or found.id != number or view.ids.get(key) != number or view[key].id != number:
                    wrong.append(key)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    before = kept.now
    for turn in range(1, rounds):
        symbols = {one.id: one for one in state(turn)}
        told = told_of("SYMBOLS", symbols, symbols) if turn % 3 else None
        after = holding(*symbols.values()) if told is None else before.after(told)
        kept.binding.moved(before, after, told)
        before = after
    done.set()
    for thread in threads:
        thread.join(10)
    assert wrong == []


def test_whoever_goes_through_a_view_goes_through_a_copy() -> None:
    """A view is changed in place, as a dict is: what is promised of a loop is promised of a copy and of a snapshot."""
    kept = Kept(holding(*(coin(number, f"C{number}") for number in range(1, 9))))
    for answers in (kept.view, kept.view.ids):
        copies = [list(answers.items()), [*answers.copy().items()]]
        loop = iter(answers)
        next(loop)
        new = max(one.id for one in kept.view.values()) + 1
        kept.then("SYMBOLS", coin(new, f"C{new}"))
        with pytest.raises(RuntimeError, match="changed size"):
            next(loop)
        assert [len(each) for each in copies] == [len(answers) - 2] * 2
