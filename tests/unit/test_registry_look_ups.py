"""Look-ups of a registry over snapshots made by hand: what is found, what is kept, and what is refused."""

from __future__ import annotations

import copy
import itertools
import pickle
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, Self

import msgspec
import pytest

from exchanges_db import (
    AmbiguousSymbol,
    ExchangeEnum,
    ExchangeNotFound,
    Fees,
    FeeSource,
    InvalidArgument,
    InvalidExchange,
    InvalidSymbol,
    MarketType,
    NamedSymbol,
    Obstacle,
    Registry,
    Symbol,
    SymbolKind,
    SymbolNotFound,
)
from exchanges_db.errors import RegistryStale
from exchanges_db.registry.followers import Follower
from exchanges_db.registry.look_ups import LookUps
from exchanges_db.registry.models import RegistrySymbol
from exchanges_db.registry.names import Later
from exchanges_db.registry.places import Place
from exchanges_db.registry.served import SymbolIds
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_db.registry.state import RegistryState
from exchanges_db.registry.streams import ChangeStream
from exchanges_db.symbols.enums import SidesAllowed, SymbolStatus
from exchanges_db.symbols.judge import Hold
from tests.registry_snapshots import PLACE, START, coin, exchange, holding, symbol, told_of

FEES = Fees(maker=Decimal("0.001"), taker=Decimal("0.002"), source=FeeSource.EXCHANGE, since=START)
STALE = RegistryStale("nothing was heard for 5 s", lag=5.0)
NOW = datetime(2026, 2, 1, tzinfo=UTC)
SPOT = exchange(2, enum_value="MEXC_SPOT", market_type="SPOT")
OFF = exchange(3, enum_value="GATEIO_SPOT", market_type="SPOT", is_active=False)
FUTURE: dict[str, Any] = {
    "of": "future",
    "kind": SymbolKind.FUTURE,
    "native_symbol": "BTC_27",
    "symbol": "BTC/USDT:USDT-270101",
}


class Mine(Enum):
    """A program's own names."""

    FUTURES = PLACE


class _Texts(StrEnum):
    """Members whose text is not their value: equal to the first, and made with the second for a value."""

    def __new__(cls, text: str, value: Any) -> Self:
        member = str.__new__(cls, text)
        member._value_ = value
        return member


class Odd(_Texts):
    """The name of one exchange, with that of another, or with none, for a value."""

    FUTURES = (PLACE, "MEXC_SPOT")
    SPOT = ("MEXC_SPOT", 7)
    NEITHER = ("gate", PLACE)


class _ByNumber(int, Enum):
    """Numbers of a program's own, such as places in an array."""

    def __new__(cls, number: int, value: str) -> Self:
        member = int.__new__(cls, number)
        member._value_ = value
        return member


class NumberedFutures(_ByNumber):
    """One of two enums that number different exchanges alike."""

    GATE = (1, PLACE)


class NumberedSpot(_ByNumber):
    """The other one."""

    GATE = (1, "MEXC_SPOT")


class Lenient(str):
    """Is equal to every text."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


class Held(LookUps):
    """Look-ups over what a test puts in, as a Registry does it."""

    def __init__(self, begun: Snapshot) -> None:
        super().__init__()
        self.held = begun
        self.stands = RegistryState.LIVE
        self.followers: list[Follower] = [self._served]
        self._served.moved(None, begun, None)

    @property
    def state(self) -> RegistryState:
        """As a test has set it."""
        return self.stands

    def now(self) -> datetime:
        """Always the same time."""
        return NOW

    def follow(self, follower: Follower) -> None:
        """As a registry does."""
        self.followers.append(follower)
        follower.moved(None, self.held, None)

    def then(self, told: News) -> None:
        """Go on by news."""
        before, self.held = self.held, self.held.after(told)
        for one in self.followers:
            one.moved(before, self.held, told)

    def anew(self, after: Snapshot) -> None:
        """Go on to what was loaded in full."""
        before, self.held = self.held, after
        for one in self.followers:
            one.moved(before, after, None)


def held() -> Held:
    """Three exchanges; on one of them a perpetual and a future of one pair, a name that was given again, and a case."""
    return Held(
        holding(
            coin(7, "BTC"),
            coin(8, "BTC", **FUTURE),
            coin(9, "ETH", status=SymbolStatus.DELISTED),
            coin(10, "ETH"),
            coin(11, "Sol"),
            coin(12, "GONE", status=SymbolStatus.DELISTED),
            coin(20, "BTC", of="spot", on=SPOT),
            coin(30, "BTC", of="spot", on=OFF),
            exchanges=[exchange(), SPOT, OFF],
        )
    )


def test_an_exchange_is_found_by_enum_text_and_another_case() -> None:
    registry = held()
    for given in (ExchangeEnum.GATEIO_FUTURES, Mine.FUTURES, PLACE, PLACE.lower()):
        assert registry.exchange(given).id == 1
        assert registry.get_exchange(given) is registry.exchange_by_id(1)
    assert registry.exchange("GATEIO_SPOT").is_active is False
    with pytest.raises(ExchangeNotFound, match="did you mean GATEIO_FUTURES"):
        registry.exchange("GATEIO_FUTURE")
    with pytest.raises(InvalidExchange):
        registry.exchange(5)  # type: ignore[arg-type]
    with pytest.raises(ExchangeNotFound, match="no exchange has the id 9"):
        registry.exchange_by_id(9)
    assert registry.get_exchange("NOWHERE", 5) == registry.get_exchange_by_id(9, 5) == 5
    with pytest.raises(InvalidExchange):
        registry.get_exchange_by_id("1")  # type: ignore[arg-type]


def test_lists_of_exchanges() -> None:
    registry = held()
    assert [one.id for one in registry.get_all_exchanges()] == [1, 3, 2]
    assert [one.id for one in registry.get_all_active_exchanges()] == [1, 2]
    assert [one.id for one in registry.exchanges(active=False)] == [3]
    assert [one.id for one in registry.exchanges(market_type="spot")] == [3, 2]
    assert [one.id for one in registry.get_exchanges_by_market_type(MarketType.SPOT)] == [2]
    with pytest.raises(InvalidExchange):
        registry.exchanges(market_type="spots")
    for active in ("false", 1, 0):
        with pytest.raises(InvalidExchange, match="is_active must be true or false"):
            registry.exchanges(active=active)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda r: r.get_fees(r.symbol(PLACE, "sol/usdt:usdt"), strict="false"), "strict"),
        (lambda r: r.view(PLACE, "future", allow_ambiguous="false"), "allow_ambiguous"),
        (lambda r: r.view(PLACE, "future", pairs="false"), "pairs"),
        (lambda r: r.get_symbols_by_ids(b"abc"), "symbol_ids"),
    ],
)
def test_what_python_takes_for_true_or_for_numbers_is_refused(call: Callable[[Held], object], field: str) -> None:
    """The text "false" is true, and bytes are numbers from 0 to 255."""
    with pytest.raises(InvalidArgument) as caught:
        call(held())
    assert caught.value.field == field


def test_symbols_are_found_by_each_of_their_names() -> None:
    registry = held()
    assert registry.symbol(Mine.FUTURES, "BTC/USDT:USDT").id == 7
    assert registry.symbol(PLACE, "sol/usdt:usdt").id == 11
    assert registry.symbol(PLACE, "ETH/USDT:USDT").id == 10  # the live one of two
    assert registry.symbol_by_native(PLACE, "GONE_USDT").id == 12
    assert registry.find_symbol(PLACE, "BTC_27").id == 8
    assert registry.symbol_by_pair(PLACE, "BTC", "USDT", "future").id == 8
    assert [one.id for one in registry.symbols_by_pair("BTC", "USDT")] == [7, 8, 30, 20]
    assert [one.id for one in registry.symbols_by_pair("BTC", "USDT", SymbolKind.SPOT)] == [30, 20]
    assert [*registry.get_symbols(PLACE, ["sol/USDT:USDT", "X/Y", "BTC/USDT:USDT"])] == [
        "sol/USDT:USDT",
        "BTC/USDT:USDT",
    ]
    assert [*registry.get_symbols_by_ids([20, 99, 7])] == [20, 7]


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda r: r.symbol(PLACE, "BTC/USDT"), SymbolNotFound, "the perpetual is called BTC/USDT:USDT"),
        (lambda r: r.symbol(PLACE, "BTC_USDT"), SymbolNotFound, "is called"),
        (lambda r: r.symbol_by_native(PLACE, "btc_usdt"), SymbolNotFound, "the perpetual is called BTC_USDT"),
        (lambda r: r.symbol_by_native(PLACE, "BTC/USDT:USDT"), SymbolNotFound, "the perpetual is called BTC_USDT"),
        (lambda r: r.find_symbol(PLACE, "???"), SymbolNotFound, "symbols search"),
        (lambda r: r.symbol_by_pair(PLACE, "GONE", "USDT"), SymbolNotFound, "no live symbol of 'GONE' and 'USDT'"),
        (lambda r: r.symbol_by_pair(PLACE, "ETH", "USDT", "FUTURE"), SymbolNotFound, "'ETH/USDT:USDT' is PERPETUAL"),
        (lambda r: r.symbol_by_pair(PLACE, "BTC", "USDT"), AmbiguousSymbol, "BTC_27.* or .*BTC_USDT"),
        (lambda r: r.get_symbol_by_pair(PLACE, "BTC", "USDT"), AmbiguousSymbol, "by its kind"),
        (lambda r: r.symbol_id(PLACE, "BTC", "USDT"), AmbiguousSymbol, "by its kind"),
        (lambda r: r.symbol_id(PLACE, "NEW", "USDT"), SymbolNotFound, "no live symbol"),
        (lambda r: r.symbol_id(PLACE, "BTC", 5), InvalidSymbol, "quote must be text"),
        (lambda r: r.symbol_id("NOWHERE", "BTC", "USDT"), ExchangeNotFound, "NOWHERE"),
        (lambda r: r.symbol_by_id(99), SymbolNotFound, "the id 99"),
        (lambda r: r.by_id[99], SymbolNotFound, "the id 99"),
        (lambda r: r.by_id["7"], InvalidSymbol, "must be an integer"),
        (lambda r: r.get_symbol("NOWHERE", "BTC/USDT", None), ExchangeNotFound, "NOWHERE"),
        (lambda r: r.get_symbol(PLACE, ""), InvalidSymbol, "symbol must be text"),
        (lambda r: r.list_symbols([]), InvalidExchange, "must not be empty"),
        (lambda r: r.list_symbols(tradable=None, max_age=timedelta(1)), InvalidArgument, "max_age"),
        (lambda r: r.list_symbols(kind="SPOTS"), InvalidSymbol, "is not one of"),
        (lambda r: r.view(PLACE, "SPOTS"), InvalidSymbol, "is not one of"),
        (lambda r: r.view("NOWHERE"), ExchangeNotFound, "NOWHERE"),
        (lambda r: r.view(PLACE), AmbiguousSymbol, "bind the view to a kind"),
    ],
)
def test_what_is_not_there_or_not_clear_is_an_error(
    ask: Callable[[LookUps], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        ask(held())


def test_a_default_stands_for_a_symbol_that_is_not_there() -> None:
    registry = held()
    assert registry.get_symbol(PLACE, "NEW/USDT:USDT", 5) == 5
    assert registry.get_symbol_by_native(PLACE, "NEW_USDT", 5) == 5
    assert registry.get_symbol_by_pair(PLACE, "NEW", "USDT", None, 5) == 5
    assert registry.get_symbol_by_id(99, 5) == 5
    assert registry.by_id.get(99) is None
    assert registry.get_symbol_by_id(2**40) is None


def test_names_that_differ_in_case_only_are_not_chosen_between() -> None:
    for symbols in ((coin(7, "SOL"), coin(8, "Sol")), (coin(8, "Sol"), coin(7, "SOL"))):
        registry = Held(holding(*symbols))
        assert registry.symbol(PLACE, "Sol/USDT:USDT").id == 8
        with pytest.raises(AmbiguousSymbol, match="differ from it in case only") as caught:
            registry.symbol(PLACE, "sol/usdt:usdt")
        assert caught.value.candidates == ("SOL/USDT:USDT", "Sol/USDT:USDT")  # in whatever order they came


def test_a_symbol_that_is_known_by_name_only_is_found_by_its_id() -> None:
    """As in the database; by no name, and the error says what it is."""
    place = Place(exchange=exchange())
    named = NamedSymbol(id=5, exchange_id=1, exchange=PLACE, native_symbol="OLD_USDT", base="OLD", quote="USDT")
    place = place.evolved(symbols={5: named})
    registry = Held(Snapshot.of(holding().position, {1: place}))
    assert registry.symbol_by_id(5) is named
    assert registry.get_symbols_by_ids([5]) == {5: named}
    assert 5 not in registry.by_id
    with pytest.raises(SymbolNotFound, match="known by name only"):
        registry.find_symbol(PLACE, "OLD_USDT")
    assert registry.can_trade(named, "BUY").obstacle is Obstacle.NO_RULES


def test_by_id_follows_the_snapshots_in_place() -> None:
    registry = held()
    by_id = registry.by_id
    assert type(by_id).__getitem__ is dict.__getitem__
    registry.then(told_of("SYMBOLS", [7, 10, 40], {7: coin(7, "XBT"), 40: coin(40, "NEW")}))
    assert by_id[7] is registry.held.places[PLACE].symbols[7]
    assert sorted(by_id) == [7, 8, 9, 11, 12, 20, 30, 40]
    registry.then(told_of("HOLDS", [1], holds={1: {None: Hold(SidesAllowed.ALL, None, "keys", "alice", True)}}))
    assert by_id[40].holds
    assert not by_id[20].holds
    moved = coin(20, "BTC", of="spot", on=OFF)
    registry.then(told_of("SYMBOLS", [20], {20: moved}))
    assert by_id[20].exchange == "GATEIO_SPOT"
    registry.anew(holding(coin(50, "LAST")))
    assert [*by_id] == [50]
    assert by_id is registry.by_id


def test_an_id_of_a_pair_is_kept_until_it_may_be_another() -> None:
    """By text and by any Enum; what was not there is looked for each time."""
    registry = held()
    kept = registry._pair_ids
    with pytest.raises(SymbolNotFound):
        registry.symbol_id(PLACE, "NEW", "USDT")
    for exchange_key in (PLACE, Mine.FUTURES, ExchangeEnum.GATEIO_FUTURES):
        assert registry.symbol_id(exchange_key, "ETH", "USDT") == 10
        assert registry.symbol_id(exchange_key, "Sol", "USDT") == 11
    assert registry.symbol_id("gateio_futures", "Sol", "USDT") == 11
    assert registry.symbol_id(PLACE, "BTC", "USDT", "PERPETUAL") == 7
    assert set(kept) == {(key, base, "USDT") for key in (PLACE, Mine.FUTURES) for base in ("ETH", "Sol")}
    registry.then(told_of("SYMBOLS", [11, 40], {11: coin(11, "Sol", spec_version=2), 40: coin(40, "NEW")}))
    assert len(kept) == 4  # nothing of them is another
    assert registry.symbol_id(PLACE, "NEW", "USDT") == 40
    registry.then(
        told_of("SYMBOLS", [10, 41], {10: coin(10, "ETH", status=SymbolStatus.DELISTED), 41: coin(41, "ETH")})
    )
    assert registry.symbol_id(PLACE, "ETH", "USDT") == registry.symbol_id(Mine.FUTURES, "ETH", "USDT") == 41
    registry.then(told_of("SYMBOLS", [42], {42: coin(42, "ETH", **{**FUTURE, "native_symbol": "ETH_27"})}))
    with pytest.raises(AmbiguousSymbol):
        registry.symbol_id(PLACE, "ETH", "USDT")
    registry.then(told_of("EXCHANGES", [1], exchanges={1: exchange(enum_value="RENAMED")}))
    assert registry.symbol_id("RENAMED", "Sol", "USDT") == 11
    with pytest.raises(ExchangeNotFound):
        registry.symbol_id(PLACE, "Sol", "USDT")
    registry.anew(holding(coin(70, "Sol")))
    assert registry.symbol_id(PLACE, "Sol", "USDT") == 70


def test_an_id_that_was_found_in_an_older_snapshot_is_not_kept() -> None:
    """A thread looks up, the snapshot moves on, then the thread would store what it found."""
    registry = Held(holding(coin(7, "BTC")))
    told = told_of("SYMBOLS", [7, 8], {8: coin(8, "BTC")})

    class Slow(str):
        """The snapshot moves on while the check of this name goes on."""

        __slots__ = ()

        def encode(self, *_: object) -> bytes:
            registry.then(told)
            return str.encode(self)

    slow = Slow("USDT")
    assert registry.symbol_id(PLACE, "BTC", slow) == 7
    assert registry.symbol_id(PLACE, "BTC", "USDT") == 8


def test_ids_of_pairs_are_right_for_those_who_read_meanwhile() -> None:
    """Once a thread has seen an id, and the snapshots have moved on, it never sees an older one."""
    registry = Held(holding(coin(1, "BTC")))
    done, wrong = threading.Event(), []

    def read() -> None:
        last = 0
        while not done.is_set():
            found = registry.symbol_id(PLACE, "BTC", "USDT")
            if found < last:
                wrong.append((last, found))
            last = found

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(2, 200):
        registry.then(told_of("SYMBOLS", [number - 1, number], {number: coin(number, "BTC")}))
        assert registry.symbol_id(PLACE, "BTC", "USDT") == number
    done.set()
    for thread in threads:
        thread.join(10)
    assert wrong == []


@pytest.mark.parametrize("is_anew", [False, True])
def test_whoever_is_given_an_id_finds_it_at_once(monkeypatch: pytest.MonkeyPatch, is_anew: bool) -> None:
    """A thread that asks while the snapshot moves on is given the new id by the pair, and asks for the symbol by it."""
    registry = Held(holding(coin(7, "BTC")))
    assert registry.symbol_id(PLACE, "BTC", "USDT") == 7
    found: list[RegistrySymbol] = []
    go_on = SymbolIds.moved

    def moved(ids: SymbolIds, *told: Any) -> None:
        go_on(ids, *told)
        found.append(registry.by_id[registry.symbol_id(PLACE, "BTC", "USDT")])

    monkeypatch.setattr(SymbolIds, "moved", moved)
    if is_anew:
        registry.anew(holding(coin(8, "BTC")))
    else:
        registry.then(told_of("SYMBOLS", [7, 8], {8: coin(8, "BTC")}))
    assert [one.id for one in found] == [8]
    assert 7 not in registry.by_id


QUESTIONS: dict[str, Callable[[LookUps], Any]] = {
    "exchange": lambda r: r.exchange(PLACE),
    "get_exchange": lambda r: r.get_exchange(PLACE),
    "get_exchange_by_enum": lambda r: r.get_exchange_by_enum(PLACE),
    "exchange_by_id": lambda r: r.exchange_by_id(1),
    "get_exchange_by_id": lambda r: r.get_exchange_by_id(1),
    "exchanges": lambda r: r.exchanges(),
    "get_all_exchanges": lambda r: r.get_all_exchanges(),
    "get_all_active_exchanges": lambda r: r.get_all_active_exchanges(),
    "get_exchanges_by_market_type": lambda r: r.get_exchanges_by_market_type("SPOT"),
    "symbol": lambda r: r.symbol(PLACE, "BTC/USDT:USDT"),
    "get_symbol": lambda r: r.get_symbol(PLACE, "BTC/USDT:USDT"),
    "symbol_by_native": lambda r: r.symbol_by_native(PLACE, "BTC_USDT"),
    "get_symbol_by_native": lambda r: r.get_symbol_by_native(PLACE, "BTC_USDT"),
    "find_symbol": lambda r: r.find_symbol(PLACE, "BTC_USDT"),
    "symbol_by_id": lambda r: r.symbol_by_id(7),
    "get_symbol_by_id": lambda r: r.get_symbol_by_id(7),
    "get_symbols": lambda r: r.get_symbols(PLACE, ["BTC/USDT:USDT"]),
    "get_symbols_by_ids": lambda r: r.get_symbols_by_ids([7]),
    "symbol_by_pair": lambda r: r.symbol_by_pair(PLACE, "ETH", "USDT"),
    "get_symbol_by_pair": lambda r: r.get_symbol_by_pair(PLACE, "ETH", "USDT"),
    "symbols_by_pair": lambda r: r.symbols_by_pair("ETH", "USDT"),
    "symbol_id": lambda r: r.symbol_id(PLACE, "ETH", "USDT"),
    "view": lambda r: r.view(PLACE, "PERPETUAL"),
    "list_symbols": lambda r: r.list_symbols(),
    "get_fees": lambda r: r.get_fees(coin(7, "BTC", list_maker_fee="0.1", list_taker_fee="0.1")),
    "by_id": lambda r: r.by_id[7],
}
# They follow, say how fresh all is, or answer with STALE_REGISTRY.
_OTHERS = {"can_trade", "follow", "now", "state"}


def test_every_look_up_is_asked_here() -> None:
    public = {name for name in dir(LookUps) if not name.startswith("_")} | {"by_id"}
    assert public - _OTHERS == set(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_stale_registry_refuses_and_answers_again(question: str) -> None:
    """Where it was told to; also one that has loaded nothing yet."""
    registry, ask = held(), QUESTIONS[question]
    before = ask(registry)
    for one in registry.followers:
        one.stale(STALE)
    with pytest.raises(RegistryStale, match="nothing was heard"):
        ask(registry)
    registry.then(told_of("SYMBOLS", [40], {40: coin(40, "NEW")}))
    with pytest.raises(RegistryStale, match="nothing was heard"):
        ask(registry)
    for one in registry.followers:
        one.fresh(registry.held)
    after = ask(registry)
    assert registry.by_id[40].base == "NEW"
    if question not in ("view", "list_symbols"):
        assert after == before


def test_nothing_is_answered_before_anything_was_loaded() -> None:
    class Empty(Held):
        def __init__(self) -> None:
            LookUps.__init__(self)
            self.stands = RegistryState.LOADING

    for question, ask in QUESTIONS.items():
        with pytest.raises(RegistryStale, match="holds nothing yet"):
            ask(Empty())
        assert question
    with pytest.raises(RegistryStale, match="holds nothing yet"):
        Empty().can_trade(PLACE, "BTC_USDT", "BUY")


def test_the_judge_answers_while_look_ups_raise() -> None:
    """That the registry is stale is an obstacle, the first, whatever else there is."""
    registry = held()
    assert registry.can_trade(PLACE, "BTC_USDT", "BUY")
    registry.stands = RegistryState.STALE
    registry._served.stale(STALE)
    answer = registry.can_trade(PLACE, "BTC_USDT", "BUY")
    assert answer.obstacles == (Obstacle.STALE_REGISTRY,)
    assert answer.reason is not None
    assert "has not heard of the database" in answer.reason
    gone = registry.can_trade(PLACE, "GONE_USDT", "BUY")
    assert gone.obstacles == (Obstacle.STALE_REGISTRY, Obstacle.DELISTED)
    assert gone.reason == answer.reason
    registry._served.fresh(registry.held)
    assert registry.list_symbols() == []  # it goes on, but nothing is tradable as far as is known
    assert len(registry.list_symbols(tradable=False)) == len(registry.by_id)


def test_the_judge_does_not_look_back() -> None:
    with pytest.raises(InvalidArgument, match="leave `at` out to ask about now, or ask the database") as caught:
        held().can_trade(PLACE, "BTC_USDT", "BUY", NOW - timedelta(microseconds=1))
    assert caught.value.field == "at"
    assert held().can_trade(PLACE, "BTC_USDT", "BUY", NOW)


def test_advice_is_written_when_it_is_read() -> None:
    """A look-up in vain must not search 100,000 names for what is alike; the error can be sent and copied."""
    written: list[int] = []

    def write() -> str:
        written.append(1)
        return "did you mean BTC_USDT?"

    error = SymbolNotFound(Later(write))
    assert not written
    assert str(error) == "did you mean BTC_USDT?"
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # our own
        assert str(twin) == str(error)
    assert "BTC_USDT" in repr(error)


def test_a_key_that_stays_unknown_costs_no_search() -> None:
    """The error of a view, of by_id, and of an id: none of them has written its advice."""
    registry = held()
    with pytest.raises(SymbolNotFound) as caught:
        registry.symbol_id(PLACE, "NEW", "USDT")
    assert isinstance(caught.value.args[0], Later)
    assert issubclass(SymbolIds, dict)


@pytest.mark.parametrize("paid", [{}, {"default": FEES}])
def test_a_symbol_can_be_sent_copied_and_written_as_json(paid: dict[str, Fees]) -> None:
    """To a process pool, or into a log; as a Symbol of the database can, whether somebody pays fees for it or not."""
    place = Place(exchange=exchange()).evolved(
        symbols={1: symbol(1)}, fees={(account, None): one for account, one in paid.items()}
    )
    one = place.symbols[1]
    for twin in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one), copy.copy(one)):  # our own
        assert twin == one
        assert twin.account_fees == paid
    assert msgspec.json.decode(msgspec.json.encode(one))["account_fees"].keys() == paid.keys()


@pytest.mark.parametrize(
    "make",
    [
        lambda one: msgspec.structs.replace(one, price_tick=Decimal(1)),
        lambda one: Place(exchange=exchange()).evolved(symbols={1: one}).evolved(
            exchange=exchange(enum_value="RENAMED")
        ).symbols[1],
        lambda one: pickle.loads(pickle.dumps(one)),  # our own
        copy.deepcopy,
        copy.copy,
    ],
)  # fmt: skip
def test_rules_are_those_of_the_symbol_that_has_them(make: Callable[[RegistrySymbol], RegistrySymbol]) -> None:
    """A symbol that was made from one whose rules had been compiled kept them, whatever was made different."""
    one = symbol(1)
    assert one.rules.price_tick == one.price_tick
    made = make(one)
    assert made.rules.spec == Symbol(**{field: getattr(made, field) for field in Symbol.__struct_fields__})
    assert made.rules.price_tick == made.price_tick


def test_rules_that_were_compiled_are_neither_written_nor_sent() -> None:
    """Else a log or a process pool is given a document that depends on who has looked at the symbol before."""
    one = symbol(1, price_tick=Decimal("1E-8"), quantity_step=Decimal("1E-8"), max_notional=Decimal(5_000_000))
    documents = []
    for _ in range(2):
        documents.append(msgspec.json.encode(one))
        assert len(pickle.dumps(one)) < 1600
        assert msgspec.json.decode(msgspec.json.encode(one), type=RegistrySymbol) == one
        assert "OrderRules" not in repr(one)
        assert one.rules is one.rules
    assert documents[0] == documents[1]
    assert not msgspec.json.decode(documents[0])["_rules"]


@pytest.mark.parametrize(
    "change",
    [
        lambda paid: paid.update(other=FEES),
        lambda paid: paid.clear(),
        lambda paid: paid.pop("default"),
        lambda paid: paid.__setitem__("default", FEES),
        lambda paid: paid.setdefault("other", FEES),
        lambda paid: paid.__ior__({}),
    ],
)
def test_what_accounts_pay_is_changed_in_the_database_alone(change: Callable[[Any], object]) -> None:
    """All symbols of an exchange share it: one that changed it by hand would have changed it for all."""
    place = Place(exchange=exchange()).evolved(symbols={1: symbol(1)}, fees={("default", None): FEES})
    with pytest.raises(TypeError, match="set_account_fees"):
        change(place.symbols[1].account_fees)
    assert place.symbols[1].account_fees == {"default": FEES}


def two_markets() -> Held:
    """A perpetual and a spot symbol of one pair, each on an exchange of its own."""
    return Held(
        holding(
            coin(7, "BTC"), coin(8, "BTC", of="spot", on=SPOT, native_symbol="BTCUSDT"), exchanges=[exchange(), SPOT]
        )
    )


def test_members_of_two_enums_that_are_equal_are_two_exchanges_still() -> None:
    """What was found for the one was given out for the other: an order of another market."""
    ids = {PLACE: 7, "MEXC_SPOT": 8}
    for members in itertools.permutations((NumberedFutures.GATE, NumberedSpot.GATE)):
        registry = two_markets()
        for member in members * 2:
            assert registry.symbol_id(member, "BTC", "USDT") == ids[str(member.value)]
        with pytest.raises(InvalidExchange):
            registry.symbol_id(1, "BTC", "USDT")  # type: ignore[arg-type]


@pytest.mark.parametrize("before", [[], [PLACE], ["MEXC_SPOT"], [PLACE, "MEXC_SPOT"], [*Odd]])
def test_a_member_that_is_text_means_its_text_whatever_was_asked_before(before: list[str]) -> None:
    """By its value it meant one exchange, and another one as soon as anybody had asked by the text that it equals."""
    registry = two_markets()
    for asked in before:
        if asked != "gate":
            registry.symbol_id(asked, "BTC", "USDT")
    assert registry.symbol_id(Odd.FUTURES, "BTC", "USDT") == registry.symbol_id(PLACE, "BTC", "USDT") == 7
    assert registry.symbol_id(Odd.SPOT, "BTC", "USDT") == registry.symbol_id("MEXC_SPOT", "BTC", "USDT") == 8
    assert [registry.exchange(one).enum_value for one in (Odd.FUTURES, Odd.SPOT)] == [PLACE, "MEXC_SPOT"]
    assert registry.symbol_by_pair(Odd.FUTURES, "BTC", "USDT").id == registry.view(Odd.FUTURES).ids["BTC_USDT"] == 7
    with pytest.raises(ExchangeNotFound):
        registry.symbol_id(Odd.NEITHER, "BTC", "USDT")


def test_texts_that_compare_in_their_own_way_are_not_kept() -> None:
    """Whoever asks by plain text must not be answered by what was found for them."""
    registry = Held(holding(coin(7, "BTC"), coin(8, "ETH")))
    assert registry.symbol_id(PLACE, "ETH", Lenient("USDT")) == 8
    assert registry.symbol_id(Lenient(PLACE), "BTC", "USDT") == 7
    assert all(type(part) is str for key in registry._pair_ids for part in key)
    assert dict(registry._pair_ids) == {(PLACE, "ETH", "USDT"): 8, (PLACE, "BTC", "USDT"): 7}


class Spelt(StrEnum):
    """A program's own names, in its own case."""

    FUTURES = PLACE.lower()


def test_members_that_are_their_texts_are_kept() -> None:
    """They are the usual ones, and are asked for on every tick; also in another case than the database's."""
    registry = Held(holding(coin(7, "BTC")))
    assert registry.symbol_id(Spelt.FUTURES, "BTC", "USDT") == 7
    assert (Spelt.FUTURES, "BTC", "USDT") in registry._pair_ids
    assert registry.symbol_id(Mine.FUTURES, "BTC", "USDT") == 7
    assert (Mine.FUTURES, "BTC", "USDT") in registry._pair_ids
    registry.anew(holding(coin(9, "BTC")))
    assert registry.symbol_id(Spelt.FUTURES, "BTC", "USDT") == registry.symbol_id(Mine.FUTURES, "BTC", "USDT") == 9


@pytest.mark.parametrize(("place", "named"), [*enumerate(("enum_value", "base", "quote"))])
def test_what_cannot_be_a_key_is_said_to_be_no_name(place: int, named: str) -> None:
    """Not that it is unhashable, which says nothing of what to write instead."""
    asked: list[Any] = [PLACE, "BTC", "USDT"]
    asked[place] = [asked[place]]
    with pytest.raises(InvalidArgument) as caught:
        Held(holding(coin(7, "BTC"))).symbol_id(*asked)
    assert caught.value.field == named


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_what_follows_a_database_cannot_be_copied(copied: Callable[[Any], object]) -> None:
    """A copy would be stale for ever and say that it is LIVE."""
    registry = held()
    view = registry.view(PLACE, "future")
    stream = ChangeStream(None, maxsize=1, states=False)
    for one, words in (
        (registry, "a registry cannot be copied"),
        (registry.by_id, "make a dict of it"),
        (view, "make a dict of it"),
        (view.ids, "make a dict of it"),
        (stream, "a stream of changes cannot be copied"),
    ):
        with pytest.raises(TypeError, match=words):
            copied(one)


def test_what_is_no_follower_is_refused_before_it_is_one() -> None:
    """Else the registry fails when it next has something to tell."""
    registry = Registry("postgresql://localhost/none")
    before = list(registry._followers)
    for wrong in (5, print, "moved"):
        with pytest.raises(InvalidArgument, match="moved, stale and fresh"):
            registry.follow(wrong)  # type: ignore[arg-type]
    assert list(registry._followers) == before
