"""The judge against tables worked out by hand: who may trade what, when, and by which last word of the exchange."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise, product
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges_db.symbols.enums import ContractDirection, OrderType, Side, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.judge import Hold, Obstacle, explain, is_satisfiable, is_tradable, judge, turning_points
from exchanges_db.symbols.models import SymbolSpec

TIME, STEP = datetime(2026, 6, 1, 12, tzinfo=UTC), timedelta(seconds=1)
LONG_AGO, FAR_AHEAD = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
BUY, SELL = Side.BUY, Side.SELL
HOLD = Hold(SidesAllowed.ALL, None, "keys leaked")
EVENTS = ("none", "buy_opens_at", "sell_opens_at", "delisting_at", "delisted_at", "expires_at")
KINDS = {SymbolKind.SPOT: EVENTS[:-1], SymbolKind.PERPETUAL: EVENTS[:-1], SymbolKind.FUTURE: EVENTS}

# Down: the status that the exchange gave. Across: which announced time has acted since, or lies ahead, for the side of
# the order. In the cells, what stands in the way: wait (the side is not open yet), closing (an order that does not
# close), side (one that the exchange did not name); capitals stand for the end of everything else; - for nothing.
# - One side that was named before the other opened says nothing of the time after it, nor do the sides of a launch to
#   come. Where none was named, no time opens one.
# - A time opens neither what was halted, for whatever reason, nor what takes closing orders only.
# - What ended for good stays so.
TABLE = """
status      nothing       opening-ahead      opened        delisting       delisted  expired
TRADING     side          wait+side          -             closing+side    DELISTED  EXPIRED
PRELAUNCH   wait          wait               -             wait+closing    DELISTED  EXPIRED
HALTED      HALTED        HALTED             HALTED        HALTED          DELISTED  EXPIRED
CLOSE_ONLY  closing+side  wait+closing+side  closing+side  closing+side    DELISTED  EXPIRED
DELISTING   closing+side  wait+closing+side  closing+side  closing+side    DELISTED  EXPIRED
DELISTED    DELISTED      DELISTED           DELISTED      DELISTED        DELISTED  EXPIRED
EXPIRED     EXPIRED       EXPIRED            EXPIRED       EXPIRED         EXPIRED   EXPIRED
"""
# A pre-market symbol is never opened by a time alone. That one is TRADING is taken for the exchange's word where nobody
# knows when it was given.
PREMARKET = {("TRADING", "opened"): "wait+side", ("PRELAUNCH", "opened"): "wait"}

# When the judge is asked, beside the announced time, and whether the exchange had last been asked by then: does the
# time act? Not if the exchange, asked after it, said something else.
ACTS = {
    ("before", "never"): False, ("before", "before"): False, ("before", "after"): False,
    ("at", "never"): True, ("at", "before"): True, ("at", "after"): False,
    ("after", "never"): True, ("after", "before"): True, ("after", "after"): False,
}  # fmt: skip
AT = {"before": TIME - STEP, "at": TIME, "after": TIME + STEP}
# "after" begins with the time itself.
SEEN = {"never": (None,), "before": (TIME - STEP,), "after": (TIME, TIME + STEP)}
CLOSES = {"SPOT": {("BUY", False): False, ("BUY", True): False, ("SELL", False): True, ("SELL", True): True}}
CLOSES_CONTRACT = {("BUY", False): False, ("BUY", True): True, ("SELL", False): False, ("SELL", True): True}
NAMED = {("ALL", "BUY"), ("ALL", "SELL"), ("BUY", "BUY"), ("SELL", "SELL")}


class Case(NamedTuple):
    """One order for one symbol at one time."""

    status: str
    sides: str
    api: bool
    kind: str
    premarket: bool
    event: str
    at: str
    seen: str
    side: str
    closing: bool
    active: bool
    order_type: str


def cells() -> dict[tuple[str, str], str]:
    """Return the table by status and what happened."""
    (_, *columns), *rows = (line.split() for line in TABLE.strip().splitlines())
    return {(row[0], column): cell for row in rows for column, cell in zip(columns, row[1:], strict=True)}


CELLS = cells()


def happened(case: Case) -> str:
    """Say which column of the table a case stands in."""
    acts = ACTS[case.at, case.seen]
    if case.event == f"{case.side.lower()}_opens_at":
        return "opening-ahead" if case.at == "before" else "opened" if acts else "nothing"
    if case.event == "expires_at":  # a contract's end is no guess: nobody's word can move it
        return "nothing" if case.at == "before" else "expired"
    return case.event.removesuffix("_at") if acts and case.event in ("delisting_at", "delisted_at") else "nothing"


def expected(case: Case) -> list[str]:
    """Return the obstacles of a case, by the tables."""
    place = case.status, happened(case)
    cell = PREMARKET.get(place, CELLS[place]) if case.premarket else CELLS[place]
    if place == ("TRADING", "opened") and (case.sides == "NONE" or (case.premarket and case.seen == "never")):
        cell = PREMARKET[place] if case.premarket and case.seen != "never" else "side"
    closes = CLOSES.get(case.kind, CLOSES_CONTRACT)[case.side, case.closing]
    stands = {
        "wait": ("NOT_OPEN_YET", True),
        "closing": ("ONLY_CLOSING", not closes),
        "side": ("SIDE", (case.sides, case.side) not in NAMED),
    }
    found = [] if case.active else ["EXCHANGE_INACTIVE"]
    for word in cell.split("+"):
        obstacle, in_the_way = stands.get(word, (word, word != "-"))
        found += [obstacle] if in_the_way else []
    found += [] if case.api else ["NOT_BY_API"]
    return found + (["ORDER_TYPE"] if case.order_type == "MARKET" else [])


def spec_of(case: Case, **changes: Any) -> SymbolSpec:
    """Return the symbol of a case, which takes limit orders only."""
    kind = SymbolKind(case.kind)
    terms: dict[str, Any] = {}
    if kind is not SymbolKind.SPOT:
        terms = {"settle": "USDT", "direction": ContractDirection.LINEAR, "contract_size": Decimal(1)}
    if kind is SymbolKind.FUTURE:
        terms["expires_at"] = FAR_AHEAD
    if case.status == "DELISTED":
        terms["delisted_at"] = LONG_AGO
    if case.event != "none":
        terms[case.event] = TIME
    fields: dict[str, Any] = {
        "native_symbol": "X",
        "symbol": "X",
        "base": "BTC",
        "quote": "USDT",
        "kind": kind,
        "price_tick": Decimal(1),
        "quantity_step": Decimal(1),
        "order_types": (OrderType.LIMIT,),
        "status": SymbolStatus(case.status),
        "sides": SidesAllowed(case.sides),
        "api_tradable": case.api,
        "is_premarket": case.premarket,
    }
    return SymbolSpec(**(fields | terms | changes))


def plain(**changes: Any) -> SymbolSpec:
    """Return a spot symbol that anything may be done with."""
    return spec_of(
        Case("TRADING", "ALL", True, "SPOT", False, "none", "at", "never", "BUY", False, True, "LIMIT"), **changes
    )


FLAGS = (False, True)


def cases(status: str) -> Iterator[tuple[Case, SymbolSpec]]:
    """Return every case of a status, each with its symbol."""
    symbols = product([*SidesAllowed], FLAGS, KINDS, FLAGS)
    orders = [*product(AT, SEEN, ("BUY", "SELL"), FLAGS, FLAGS, ("LIMIT", "MARKET"))]
    for sides, api, kind, premarket in symbols:
        for event in KINDS[kind]:
            spec = None
            for at, seen, side, closing, active, order_type in orders:
                case = Case(
                    status, sides.value, api, kind.value, premarket, event, at, seen, side, closing, active, order_type
                )
                spec = spec or spec_of(case)
                yield case, spec


@pytest.mark.parametrize("status", [*SymbolStatus])
def test_every_order_is_judged_as_the_tables_say(status: SymbolStatus) -> None:
    for case, spec in cases(status.value):
        for observed_at in SEEN[case.seen]:
            found = judge(
                spec,
                Side(case.side),
                AT[case.at],
                exchange_active=case.active,
                order_type=OrderType(case.order_type),
                closing=case.closing,
                observed_at=observed_at,
            )
            if found != expected(case):
                pytest.fail(f"{case}, observed {observed_at}: {found} and not {expected(case)}")


def test_the_tables_name_every_status_event_and_side() -> None:
    """A word that is added to an enum has to be thought about here."""
    assert {status for status, _ in CELLS} == {*SymbolStatus}
    assert set(EVENTS[1:]) == {
        name for name in SymbolSpec.__struct_fields__ if name.endswith(("opens_at", "ing_at", "ed_at", "expires_at"))
    } - {"exchange_changed_at"}
    assert set(KINDS) | {SymbolKind.OPTION} == {*SymbolKind}  # an option is dated, as a future is


# The life of a coin that is launched for buyers an hour before sellers, and delisted. Each row: hours after noon, side,
# closing, and the first obstacle.
LIFE = [
    (0, BUY, False, "NOT_OPEN_YET"), (0, SELL, True, "NOT_OPEN_YET"),
    (1, BUY, False, None), (1, SELL, False, "NOT_OPEN_YET"),
    (2, BUY, False, None), (2, SELL, False, None),
    (3, BUY, False, "ONLY_CLOSING"), (3, SELL, False, None),
    (4, BUY, False, "DELISTED"), (4, SELL, True, "DELISTED"),
]  # fmt: skip


@pytest.mark.parametrize(("hours", "side", "closing", "obstacle"), LIFE)
def test_announced_times_act_one_after_the_other(hours: int, side: Side, closing: bool, obstacle: str | None) -> None:
    """Nobody asks the exchange in between, and still each happens at its time."""
    noon = TIME
    times = ("buy_opens_at", "sell_opens_at", "delisting_at", "delisted_at")
    moments: dict[str, Any] = {name: noon + timedelta(hours=number) for number, name in enumerate(times, 1)}
    spec = plain(status=SymbolStatus.PRELAUNCH, sides=SidesAllowed.NONE, **moments)
    found = judge(spec, side, noon + timedelta(hours=hours), closing=closing, observed_at=noon)
    assert (found[0] if found else None) == obstacle
    assert turning_points(spec) == list(moments.values())


def test_a_list_read_after_an_announced_opening_outranks_it() -> None:
    """The launch was put off: what the exchange says now is what counts, until it says something else."""
    late = plain(status=SymbolStatus.PRELAUNCH, sides=SidesAllowed.NONE, buy_opens_at=TIME, sell_opens_at=TIME)
    assert judge(late, BUY, TIME + STEP, observed_at=TIME - STEP) == []
    assert judge(late, BUY, TIME + 2 * STEP, observed_at=TIME + STEP) == [Obstacle.NOT_OPEN_YET]


def test_what_can_only_be_sold_until_it_opens_for_buyers_is_a_launch() -> None:
    """Gate's `sellable` with `buy_start` ahead: sellers trade now, buyers from then on."""
    spec = plain(sides=SidesAllowed.SELL, buy_opens_at=TIME)
    before = TIME - STEP
    assert judge(spec, SELL, before, observed_at=before) == []
    assert judge(spec, BUY, before, observed_at=before) == [Obstacle.NOT_OPEN_YET, Obstacle.SIDE]
    assert judge(spec, BUY, TIME, observed_at=before) == []


@pytest.mark.parametrize("observed_at", [None, TIME - STEP, TIME + STEP])
@pytest.mark.parametrize(
    ("sides", "opens", "open_sides"),
    [
        # MEXC's tradeSideType 2, 3 and 4 beside its firstOpenTime: both sides open at once, and the rule stays.
        ("BUY", {"buy_opens_at": TIME, "sell_opens_at": TIME}, [BUY]),
        ("SELL", {"buy_opens_at": TIME, "sell_opens_at": TIME}, [SELL]),
        ("NONE", {"buy_opens_at": TIME, "sell_opens_at": TIME}, []),
        # Gate.io's `buyable`, long after sellers could begin.
        ("BUY", {"buy_opens_at": TIME, "sell_opens_at": LONG_AGO}, [BUY]),
    ],
)
def test_a_time_lifts_no_restriction_of_sides_that_is_no_launch(
    observed_at: datetime | None, sides: str, opens: dict[str, Any], open_sides: list[Side]
) -> None:
    """A specification from a payload, of which nobody says when it was read, must not open what the exchange closed."""
    spec = plain(sides=SidesAllowed(sides), **opens)
    at = TIME + 2 * STEP
    assert [side for side in Side if not judge(spec, side, at, observed_at=observed_at)] == open_sides


def test_a_premarket_symbol_that_was_announced_as_open_waits_for_the_word_of_the_exchange() -> None:
    """MEXC gives `state` 0 before `openingTime`: the time alone opens nothing that is pre-market."""
    spec = plain(is_premarket=True, buy_opens_at=TIME, sell_opens_at=TIME)
    for side in Side:
        assert judge(spec, side, TIME + STEP, observed_at=TIME - STEP) == [Obstacle.NOT_OPEN_YET]
        assert judge(spec, side, TIME + STEP, observed_at=TIME) == []


def test_doubt_age_a_hold_and_impossible_limits_stand_in_the_way() -> None:
    """Each beside all else that does, in the order of gravity."""
    spec = plain(api_tradable=False, min_quantity=Decimal("0.5"), max_quantity=Decimal("0.75"))
    found = judge(
        spec, BUY, TIME, exchange_active=False, doubtful=True, stale=True, holds=[HOLD], order_type=OrderType.MARKET
    )
    assert found == [
        "HELD", "EXCHANGE_INACTIVE", "STALE", "DOUBTFUL", "NOT_BY_API", "ORDER_TYPE", "UNSATISFIABLE",
    ]  # fmt: skip
    assert found == [one for one in Obstacle if one in found]


def test_order_types_that_an_exchange_does_not_name_are_not_in_the_way() -> None:
    """It is silent about them; and no type is asked about where it does not matter."""
    assert judge(plain(order_types=None), BUY, TIME, order_type=OrderType.FILL_OR_KILL) == []
    assert judge(plain(), BUY, TIME) == []
    assert judge(plain(order_types=()), BUY, TIME, order_type=OrderType.LIMIT) == [Obstacle.ORDER_TYPE]


@pytest.mark.parametrize(
    ("changes", "tradable"),
    [
        ({}, True),
        ({"sides": SidesAllowed.BUY}, True),
        ({"sides": SidesAllowed.SELL}, True),
        ({"sides": SidesAllowed.NONE}, False),
        ({"status": SymbolStatus.HALTED}, False),
        ({"api_tradable": False}, False),
    ],
)
def test_a_symbol_is_tradable_if_one_side_is(changes: dict[str, Any], tradable: bool) -> None:
    assert is_tradable(plain(**changes), TIME) is tradable
    assert not is_tradable(plain(**changes), TIME, exchange_active=False)
    assert not is_tradable(plain(**changes), TIME, doubtful=True)
    assert not is_tradable(plain(**changes), TIME, stale=True)
    assert not is_tradable(plain(**changes), TIME, holds=[HOLD])


@pytest.mark.parametrize("sides", ["ALL", "BUY", "SELL"])
def test_a_hold_stops_its_sides_until_its_time(sides: str) -> None:
    """A symbol of which one side is held is tradable still, also one of a spot market that can only be sold then."""
    hold = Hold(SidesAllowed(sides), TIME, "why")
    for side in Side:
        stopped = sides in ("ALL", side)
        assert judge(plain(), side, TIME - STEP, holds=[hold]) == ([Obstacle.HELD] if stopped else [])
        assert judge(plain(), side, TIME, holds=[hold]) == []
    assert is_tradable(plain(), TIME - STEP, holds=[hold]) is (sides != "ALL")
    assert not is_tradable(plain(status=SymbolStatus.CLOSE_ONLY), TIME)
    assert not is_tradable(plain(), TIME - STEP, holds=[hold, Hold(SidesAllowed.ALL, None, "why")])


def test_the_reason_of_a_hold_says_who_until_when_and_why() -> None:
    """Of the hold that is in the way, and whether it is on the whole exchange."""
    for hold, words in (
        (
            Hold(SidesAllowed.ALL, None, "keys", "alice", whole=True),
            "alice holds the whole exchange: keys",
        ),
        (Hold(SidesAllowed.BUY, TIME, "no", None), f"a person holds it, until {TIME:%Y-%m-%d %H:%M:%S} UTC: no"),
    ):
        assert explain(Obstacle.HELD, plain(), BUY, hold=hold) == words


@pytest.mark.parametrize("obstacle", sorted({*Obstacle} - {"STALE_REGISTRY", "UNKNOWN_THEN", "OTHER_SYMBOL"}))
def test_every_obstacle_of_the_judge_can_be_put_in_words(obstacle: Obstacle) -> None:
    """Also where the time that it is about is not known."""
    for spec in (plain(), plain(buy_opens_at=TIME, delisting_at=TIME, delisted_at=TIME, status=SymbolStatus.DELISTED)):
        assert len(explain(obstacle, spec, BUY, OrderType.MARKET)) > 10


some = settings(max_examples=300, deadline=None, derandomize=True)
moments = st.none() | st.integers(0, 4).map(lambda hours: TIME + timedelta(hours=hours))
timelines = st.fixed_dictionaries(
    dict.fromkeys(EVENTS[1:-1], moments)
    | {
        "status": st.sampled_from([one for one in SymbolStatus if one is not SymbolStatus.DELISTED]),
        "sides": st.sampled_from([*SidesAllowed]),
        "is_premarket": st.sampled_from([None, False, True]),
    }
)


@pytest.mark.untraced
@some
@given(timelines, moments, st.sampled_from([*Side]), st.booleans())
def test_between_two_turning_points_the_judgement_stands(
    timeline: dict[str, Any], observed_at: datetime | None, side: Side, closing: bool
) -> None:
    """Whoever keeps an answer may keep it until the next one."""
    spec = plain(**timeline)
    points = [TIME - timedelta(days=1), *turning_points(spec), TIME + timedelta(days=1)]
    for first, following in pairwise(points):
        middle, last = first + (following - first) / 2, following - timedelta(microseconds=1)
        answers = [judge(spec, side, at, closing=closing, observed_at=observed_at) for at in (first, middle, last)]
        assert answers[0] == answers[1] == answers[2]


quarters = st.integers(1, 20).map(lambda number: Decimal(number) / 4)
limits = st.tuples(st.none() | quarters, st.none() | quarters).map(
    lambda pair: pair if None in pair else tuple(sorted(pair))  # type: ignore[type-var]
)


@pytest.mark.untraced
@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.sampled_from([None, *ContractDirection]), st.tuples(quarters, quarters, quarters), limits, limits)
def test_limits_can_be_kept_to_if_some_order_keeps_to_them(
    direction: ContractDirection | None, numbers: tuple[Decimal, ...], quantities: Any, notionals: Any
) -> None:
    """Every order of a few lots and ticks is tried; more are needed by none of these limits."""
    tick, step, size = numbers
    terms: dict[str, Any] = {}
    if direction is not None:
        settle = {"LINEAR": "USDT", "INVERSE": "BTC", "QUANTO": "ETH"}[direction]
        terms = {"settle": settle, "direction": direction, "contract_size": size, "kind": SymbolKind.PERPETUAL}
    (least, most), (least_worth, most_worth) = quantities, notionals
    spec = plain(
        price_tick=tick,
        quantity_step=step,
        min_quantity=least,
        max_quantity=most,
        min_notional=least_worth,
        max_notional=most_worth,
        **terms,
    )
    assert is_satisfiable(spec) is any(keeps(spec, lots, ticks) for lots in range(1, 81) for ticks in range(1, 81))


def keeps(spec: SymbolSpec, lots: int, ticks: int) -> bool:
    """Say whether an order keeps to all limits."""
    quantity = lots * spec.quantity_step
    price = 1 if spec.direction == "INVERSE" else ticks * spec.price_tick
    worth = quantity * (spec.contract_size or 1) * price
    return (
        (spec.min_quantity or 0) <= quantity <= (spec.max_quantity or quantity)
        and (spec.min_notional or 0) <= worth <= (spec.max_notional or worth)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "possible"),
    [
        ({"max_notional": "100000000", "min_notional": "5", "price_tick": "0.00000001", "min_quantity": "1"}, True),
        ({"min_notional": "2.5", "max_notional": "2.75"}, False),  # whole numbers only
        ({"min_quantity": "4", "max_quantity": "4", "min_notional": "5", "max_notional": "7"}, False),
        ({"min_quantity": "4", "max_quantity": "4", "min_notional": "5", "max_notional": "8"}, True),
        ({"min_quantity": "0.1", "max_quantity": "0.9"}, False),
    ],
)
def test_limits_as_exchanges_might_state_them(changes: dict[str, str], possible: bool) -> None:
    spec = msgspec.structs.replace(plain(), **{name: Decimal(number) for name, number in changes.items()})
    assert is_satisfiable(spec) is possible
    assert (Obstacle.UNSATISFIABLE in judge(spec, BUY, TIME)) is not possible


def test_times_are_told_in_utc_whatever_time_zone_they_were_given_in() -> None:
    """A specification of a user's own may have any; what is written beside UTC must be."""
    there = timezone(timedelta(hours=5, minutes=30))
    spec = plain(sell_opens_at=TIME.astimezone(there), delisted_at=TIME.astimezone(there))
    hold = Hold(SidesAllowed.ALL, TIME.astimezone(there), "keys leaked")
    for obstacle in (Obstacle.NOT_OPEN_YET, Obstacle.DELISTED):
        assert "2026-06-01 12:00:00 UTC" in explain(obstacle, spec, SELL)
    assert "2026-06-01 12:00:00 UTC" in explain(Obstacle.HELD, spec, BUY, hold=hold)
