"""Which lists are refused, which rows of them are held back, and what lets them through."""

import decimal
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges_db import (
    Allowance,
    Brake,
    ChangeKind,
    ContractDirection,
    ImportLimits,
    InvalidArgument,
    RejectedRow,
    SidesAllowed,
    SymbolKind,
    SymbolSpec,
    SymbolStatus,
)
from exchanges_db.symbols.brakes import Verdict, weigh
from exchanges_db.symbols.changes import KnownSymbol, find_changes
from exchanges_db.symbols.listing import Listing
from tests.fix_server import ROOT

NOW = datetime(2026, 1, 31, tzinfo=UTC)
BEFORE = NOW - timedelta(days=30)
HASH = "0123456789abcdef" * 4
LIMITS = ImportLimits()
CONTRACTS = Listing(SymbolKind.PERPETUAL, "USDT")


def spec(number: int, **fields: Any) -> SymbolSpec:
    """A contract of a payload, with all that can jump or go."""
    values: dict[str, Any] = {
        "native_symbol": f"C{number}_USDT",
        "symbol": f"C{number}/USDT:USDT",
        "base": f"C{number}",
        "quote": "USDT",
        "settle": "USDT",
        "kind": SymbolKind.PERPETUAL,
        "direction": ContractDirection.LINEAR,
        "contract_size": Decimal(1),
        "price_tick": Decimal("0.01"),
        "quantity_step": Decimal("0.001"),
        "min_quantity": Decimal("0.001"),
        "max_quantity": Decimal(1000),
        "min_notional": Decimal(5),
        "max_notional": Decimal(1_000_000),
        "market_min_quantity": Decimal("0.001"),
        "market_min_notional": Decimal(5),
        "list_maker_fee": Decimal("0.002"),
        "list_taker_fee": Decimal("0.002"),
        "status": SymbolStatus.TRADING,
        "sides": SidesAllowed.ALL,
    }
    return SymbolSpec(**{**values, **fields})


def known(one: SymbolSpec, number: int) -> KnownSymbol:
    return KnownSymbol(id=number, **msgspec.structs.asdict(one))


def weighed(
    before: Sequence[SymbolSpec], after: Sequence[SymbolSpec], *, listing: Listing = CONTRACTS, **more: Any
) -> Verdict:
    """What the brakes say of a list, when `before` is known."""
    rows = [known(one, number) for number, one in enumerate(before, 1)]
    rejected = more.get("rejected", ())
    names = {row.native_symbol for row in rejected if row.native_symbol is not None}
    changes = find_changes(rows, after, more.get("observed_at", NOW), listing=listing, rejected=names)
    values: dict[str, Any] = {
        "live": sum(row.status not in ("DELISTED", "EXPIRED") for row in rows),
        "offered": len(after) + len(rejected),
        "observed_at": NOW,
        "now": NOW,
        "known_ids": {row.native_symbol: row.id for row in rows},
        "payload_sha256": HASH,
    }
    return weigh(changes, **{**values, **more})


def changed(count: int, whole: int = 100, **fields: Any) -> tuple[list[SymbolSpec], list[SymbolSpec]]:
    """A list, and the same with the fields of the first few changed."""
    return [spec(number) for number in range(whole)], [
        spec(number, **(fields if number < count else {})) for number in range(whole)
    ]


def hits(verdict: Verdict) -> list[str]:
    return [hit.brake.value for hit in verdict.hits]


def held(verdict: Verdict) -> dict[str, str]:
    return {row.native_symbol: row.brake.value for row in verdict.held_back}


SPOT: dict[str, Any] = {"kind": SymbolKind.SPOT, "settle": None, "direction": None, "contract_size": None}
LOST = ("min_quantity", "max_quantity", "min_notional", "max_notional", "market_min_quantity", "market_min_notional")
HALTED: dict[str, Any] = {"status": SymbolStatus.HALTED, "sides": SidesAllowed.NONE}
GONE: dict[str, Any] = {"status": SymbolStatus.DELISTED, "sides": SidesAllowed.NONE, "delisted_at": NOW}
POISONED: dict[str, tuple[dict[str, Any], str]] = {
    "all limits gone": (dict.fromkeys(LOST), "MASS"),
    "a millionth of min_notional": ({"min_notional": Decimal("0.000005")}, "MASS"),
    "a hundredth of the fees": ({"list_maker_fee": Decimal("0.00002"), "list_taker_fee": Decimal("0.00002")}, "MASS"),
    "contract size x 50": ({"contract_size": Decimal(50)}, "MASS"),
    "minimum 2 x": ({"min_quantity": Decimal("0.002")}, "MASS"),
    "halted": (HALTED, "MASS"),
    "closed by sides alone": ({"sides": SidesAllowed.NONE}, "MASS"),
    "delisted by their own rows": (GONE, "LEFT"),
}


@pytest.mark.parametrize("poison", POISONED)
def test_a_list_that_is_wrong_everywhere_is_refused(poison: str) -> None:
    fields, brake = POISONED[poison]
    assert brake in hits(weighed(*changed(100, **fields)))


def test_a_list_with_base_and_quote_swapped_is_refused() -> None:
    """As other symbols, and as many with one and the same field changed."""
    before = [spec(number, **SPOT) for number in range(100)]
    after = [spec(number, **SPOT, base="USDT", quote=f"C{number}") for number in range(100)]
    verdict = weighed(before, after, listing=Listing(SymbolKind.SPOT))
    assert hits(verdict) == ["LEFT", "MASS", "MASS"]
    assert "100 of 100 live symbols change in base," in verdict.hits[1].reason


@pytest.mark.parametrize("poison", ["halted", "all limits gone", "minimum 2 x"])
def test_a_small_list_lives_normally(poison: str) -> None:
    """All four contracts of a list changing alike is no mass."""
    fields, _ = POISONED[poison]
    verdict = weighed(*changed(4, 4, **fields))
    assert (verdict.hits, verdict.held_back, len(verdict.changes)) == ((), (), 4)


@pytest.mark.parametrize(
    ("count", "whole", "fields", "hit"),
    [
        (20, 100, HALTED, False),
        (21, 100, HALTED, True),
        (20, 100, {"max_quantity": Decimal(2000)}, False),
        (21, 100, {"max_quantity": Decimal(2000)}, True),
        (4, 5, HALTED, False),
        (5, 5, HALTED, True),
    ],
)
def test_mass_counts_from_its_share_and_from_five_rows_on(
    count: int, whole: int, fields: dict[str, Any], hit: bool
) -> None:
    assert hits(weighed(*changed(count, whole, **fields))) == (["MASS"] if hit else [])


def test_what_is_learned_or_noted_is_no_mass() -> None:
    """A reader that reads a further field, a time of bookkeeping, and how a step is known."""
    news = {"exchange_changed_at": NOW, "leverage_max": Decimal(10), "step_assumed": True, "full_name": "Coin"}
    before = [spec(number, exchange_changed_at=BEFORE) for number in range(100)]
    assert hits(weighed(before, [spec(number, **news) for number in range(100)])) == []


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(days=7), timedelta(minutes=-1)])
@pytest.mark.parametrize("field", ["delisting_at", "delisted_at", "expires_at", "buy_opens_at", "sell_opens_at"])
def test_a_time_that_closes_many_symbols_is_a_mass_though_none_was_known(field: str, ahead: timedelta) -> None:
    """Else one wrong list announces the end of more than half, and the next takes them away as announced."""
    fields: dict[str, Any] = {field: NOW + ahead}
    if field == "expires_at":
        fields |= {"kind": SymbolKind.FUTURE}
    plain = {**fields, field: None} if field != "expires_at" else {**fields, field: NOW + timedelta(days=300)}
    dated = Listing(SymbolKind.FUTURE if field == "expires_at" else SymbolKind.PERPETUAL, "USDT")
    before = [spec(number, **plain) for number in range(100)]
    closes = ahead > timedelta(0) or not field.endswith("opens_at")
    for count, hit in ((20, False), (21, closes), (100, closes)):
        after = [*(spec(number, **fields) for number in range(count)), *before[count:]]
        assert hits(weighed(before, after, listing=dated)) == (["MASS"] if hit else [])


def test_an_empty_list_is_believed_where_all_of_it_came_to_its_announced_end() -> None:
    """A list of one or a few dated contracts, between two of them; a single live one more, and it is not."""
    dated: dict[str, Any] = {"kind": SymbolKind.FUTURE}
    over = [spec(number, **dated, expires_at=BEFORE) for number in range(6)]
    lives = spec(9, **dated, expires_at=NOW + timedelta(days=1))
    listing = Listing(SymbolKind.FUTURE, "USDT")
    verdict = weighed(over, [], listing=listing)
    assert (hits(verdict), {change.kind for change in verdict.changes}) == ([], {ChangeKind.EXPIRED})
    assert hits(weighed([*over, lives], [], listing=listing)) == ["EMPTY"]


def test_many_rows_with_an_unknown_word_are_a_mass_once() -> None:
    """What such a word has closed before is no news: else the list would be refused until the reader is newer."""
    before, after = changed(11, 100, **HALTED)
    assert hits(weighed(before, after, unknown_rows=10)) == []
    verdict = weighed(before, after, unknown_rows=11)
    assert hits(verdict) == ["MASS"]
    assert "11 of 100 rows are closed by a word that nobody knows" in verdict.hits[0].reason
    assert hits(weighed(after, after, unknown_rows=11)) == []
    new = [*before, *(spec(number, **HALTED) for number in range(100, 120))]
    assert hits(weighed(before, new, unknown_rows=20)) == ["MASS"]
    assert hits(weighed([], after, unknown_rows=11)) == []


@pytest.mark.parametrize(("missing", "hit"), [(10, False), (11, True), (100, True)])
def test_a_list_that_lacks_more_than_a_tenth_is_refused(missing: int, hit: bool) -> None:
    before = [spec(number) for number in range(100)]
    verdict = weighed(before, before[missing:] or [spec(1000)])
    assert (hits(verdict), verdict.held_back) == (["LEFT"] if hit else [], ())


def test_all_ways_to_leave_count_together() -> None:
    """Each way alone is a tenth or less."""
    before = [spec(number) for number in range(60)]
    after = [
        *(spec(number, **GONE) for number in range(6, 12)),
        *(spec(number, base=f"N{number}") for number in range(12, 18)),
        *(spec(number) for number in range(18, 60)),
    ]
    verdict = weighed(before, after)
    assert hits(verdict) == ["LEFT"]
    assert "18 of 60 live symbols left the list, more than 10 percent" in verdict.hits[0].reason
    for start in (0, 6, 12):
        alone = weighed(
            before, [*before[:start], *([] if start == 0 else after[start - 6 : start]), *before[start + 6 :]]
        )
        assert (hits(alone), alone.held_back) == ([], ())


def test_over_half_of_a_list_leaving_in_mixed_ways_is_refused() -> None:
    before = [spec(number) for number in range(100)]
    after = [
        *(spec(number, **GONE) for number in range(5, 30)),
        *(spec(number, base=f"N{number}") for number in range(30, 55)),
        *before[55:],
    ]
    assert "LEFT" in hits(weighed(before, after))


@pytest.mark.parametrize("field", ["delisting_at", "delisted_at"])
def test_an_end_that_was_announced_does_not_count(field: str) -> None:
    """However many come to it at once; one that is announced for later does."""
    told = [spec(number, **{field: NOW}) for number in range(50)]
    rest = [spec(number) for number in range(50, 100)]
    verdict = weighed([*told, *rest], rest)
    assert (hits(verdict), len(verdict.changes)) == ([], 50)
    ahead = [spec(number, **{field: NOW + timedelta(seconds=1)}) for number in range(50)]
    assert hits(weighed([*ahead, *rest], rest)) == ["LEFT"]
    first_told = [spec(number, **{**GONE, field: NOW}) for number in range(50)]
    assert hits(weighed([spec(number) for number in range(100)], [*first_told, *rest])) == ["LEFT"]


def test_a_whole_list_of_contracts_may_expire() -> None:
    """As the options of a day do."""
    dated = {"kind": SymbolKind.FUTURE, "expires_at": NOW}
    before = [spec(number, **dated) for number in range(30)]
    after = [spec(100, **{**dated, "expires_at": NOW + timedelta(days=7)})]
    verdict = weighed(before, after, listing=Listing(SymbolKind.FUTURE, "USDT"))
    assert (verdict.hits, verdict.held_back) == ((), ())
    assert [change.kind for change in verdict.changes].count(ChangeKind.EXPIRED) == 30


@pytest.mark.parametrize("way", [None, GONE, {"base": "NEW"}])
def test_few_that_leave_a_small_list_are_held_back_one_by_one(way: dict[str, Any] | None) -> None:
    """Their symbols stay as they are, also where another would take the name; the rest is imported."""
    before = [spec(number) for number in range(4)]
    rest = [spec(1), spec(2, max_quantity=Decimal(7)), spec(3)]
    after = [*([] if way is None else [spec(0, **way)]), *rest]
    verdict = weighed(before, after)
    assert (hits(verdict), held(verdict)) == ([], {"C0_USDT": "LEFT"})
    assert [change.spec.native_symbol for change in verdict.changes] == ["C2_USDT"]
    assert verdict.held_back[0].symbol_id == 1
    assert "(--allow left=C0_USDT)" in verdict.held_back[0].reason
    allowed = weighed(before, after, allowances=[Allowance.parse("left=C0_USDT")])
    assert (hits(allowed), held(allowed)) == ([], {})
    assert len(allowed.changes) == 1 + (2 if way == {"base": "NEW"} else 1)


def test_a_row_without_a_name_may_be_one_that_seems_to_be_gone() -> None:
    before = [spec(number) for number in range(100)]
    nameless = [RejectedRow(99, None, "is no object")]
    verdict = weighed(before, before[1:], rejected=nameless)
    assert (hits(verdict), held(verdict)) == ([], {"C0_USDT": "LEFT"})
    assert held(weighed(before, before[1:], rejected=[RejectedRow(99, "X", "is no object")])) == {"X": "REJECTED"}
    assert held(weighed(before, [spec(0, **GONE), *before[1:]], rejected=nameless)) == {}
    assert held(weighed(before, before[1:], rejected=nameless, allowances=[Allowance.parse("left=C0_USDT")])) == {}


JUMPS = {
    "price_tick": ("0.01", "1", "0.99"),
    "quantity_step": ("0.001", "0.1", "0.099"),
    "contract_size": ("1", "10", "9.99"),
    "min_quantity": ("0.001", "0.1", "0.099"),
    "market_min_quantity": ("0.001", "0.1", "0.099"),
    "min_notional": ("5", "500", "499"),
    "market_min_notional": ("5", "500", "499"),
    "list_maker_fee": ("0.002", "0.04", "0.0399"),
    "list_taker_fee": ("0.002", "0.04", "0.0399"),
}


def test_every_number_that_can_jump_is_tried() -> None:
    assert {field for field in SymbolSpec.__struct_fields__ if LIMITS.factor_of(field) is not None} == set(JUMPS)


@pytest.mark.parametrize("field", JUMPS)
def test_a_jump_holds_back_its_own_row(field: str) -> None:
    """In either direction, exactly from its factor on."""
    start, far, near = JUMPS[field]
    for old, new, jumps in [(start, far, True), (far, start, True), (start, near, False), (near, start, False)]:
        before = [spec(0, **{field: Decimal(old)}), *(spec(number) for number in range(1, 20))]
        after = [spec(0, **{field: Decimal(new)}), spec(1, max_quantity=Decimal(7)), *before[2:]]
        verdict = weighed(before, after)
        assert (hits(verdict), held(verdict)) == ([], {"C0_USDT": "JUMP"} if jumps else {})
        assert len(verdict.changes) == (1 if jumps else 2)
        allowed = weighed(before, after, allowances=[Allowance.parse("JUMP=C0_USDT")])
        assert (held(allowed), len(allowed.changes)) == ({}, 2)


@pytest.mark.parametrize(
    ("field", "old", "new", "jumps"),
    [
        ("min_notional", "5", "0", True),
        ("min_notional", "0", "5", False),
        ("min_notional", "5", None, False),
        ("list_maker_fee", "0.002", "0", False),
        ("list_maker_fee", "0", "0.002", False),
        ("list_maker_fee", "0.0001", "-0.00001", False),
        ("list_maker_fee", "-0.0001", "-0.01", True),
    ],
)
def test_zero_and_less(field: str, old: str, new: str | None, jumps: bool) -> None:
    """A minimum may be learned, and a fee waived; a minimum of nothing lets through what it kept out."""
    value = None if new is None else Decimal(new)
    verdict = weighed([spec(0, **{field: Decimal(old)})], [spec(0, **{field: value})])
    assert bool(verdict.held_back) is jumps


def test_a_pair_that_moves_by_two_decimals_keeps_no_delisting_out() -> None:
    """KuCoin moved one from 5 to 7 decimals at once."""
    before = [spec(number, price_tick=Decimal("0.00001")) for number in range(100)]
    after = [msgspec.structs.replace(before[0], price_tick=Decimal("0.0000001")), *before[2:]]
    verdict = weighed(before, after)
    assert (hits(verdict), held(verdict)) == ([], {"C0_USDT": "JUMP"})
    assert [(change.kind, change.spec.native_symbol) for change in verdict.changes] == [
        (ChangeKind.DELISTED, "C1_USDT")
    ]
    assert verdict.held_back[0].reason == (
        "price_tick moves from 0.00001 to 0.0000001, 100 times or more (--allow jump=C0_USDT)"
    )


@pytest.mark.parametrize("stages", [("0.01", "0.1", "1"), ("0.01", "0.5", "25"), ("1", "0.1", "0.01")])
def test_a_jump_in_small_imports_within_a_day_is_seen(stages: tuple[str, ...]) -> None:
    """Each of them is less than the factor; seen from what held a day before, the last is more."""
    first, middle, last = (spec(0, price_tick=Decimal(tick)) for tick in stages)
    assert held(weighed([first], [middle])) == {}
    assert held(weighed([middle], [last])) == {}
    verdict = weighed([middle], [last], recent={1: [first, middle]})
    assert held(verdict) == {"C0_USDT": "JUMP"}
    assert f"from {stages[0]}, which held within 1 day, 0:00:00," in verdict.held_back[0].reason
    assert held(weighed([last], [msgspec.structs.replace(last, sides=SidesAllowed.SELL)], recent={1: [first]})) == {}


def test_a_number_that_goes_and_comes_back_another_within_a_day_jumps() -> None:
    before, gone, after = (spec(0, min_notional=number) for number in (Decimal(5), None, Decimal("0.000005")))
    assert held(weighed([gone], [after], recent={1: [before, gone]})) == {"C0_USDT": "JUMP"}


@pytest.mark.parametrize(("count", "whole", "hit"), [(4, 4, False), (5, 50, False), (6, 50, True), (5, 49, True)])
def test_many_jumps_refuse_the_list(count: int, whole: int, hit: bool) -> None:
    verdict = weighed(*changed(count, whole, price_tick=Decimal("0.0001")))
    assert hits(verdict) == (["JUMP"] if hit else [])
    assert len(verdict.held_back) == count


def test_symbols_that_are_dead_are_no_share_of_the_live() -> None:
    """Some exchanges list them for ever; one that jumps is held back all the same, for it may come back."""
    before = [*(spec(number, **GONE) for number in range(20)), *(spec(number) for number in range(20, 30))]
    after = [*(spec(number, **GONE, price_tick=Decimal(7)) for number in range(20)), *before[20:]]
    verdict = weighed(before, after)
    assert (hits(verdict), len(verdict.held_back), verdict.changes) == ([], 20, ())


def test_a_caller_who_rounds_decimals_sees_the_same_jumps() -> None:
    """The factor is reached exactly, not nearly."""
    with decimal.localcontext(decimal.Context(prec=2, traps=[decimal.Inexact])):
        assert held(weighed([spec(0, price_tick=Decimal("0.0123"))], [spec(0, price_tick=Decimal("1.2299"))])) == {}
        found = weighed([spec(0, price_tick=Decimal("0.0123"))], [spec(0, price_tick=Decimal("1.23"))])
        assert held(found) == {"C0_USDT": "JUMP"}


def test_rows_that_cannot_be_read_are_held_back() -> None:
    """No word lets one through, for there is nothing to take; one of no known symbol is reported with no id."""
    before = [spec(number) for number in range(100)]
    rejected = [RejectedRow(0, "C0_USDT", "no tick"), RejectedRow(1, "NEW_USDT", "no tick"), RejectedRow(2, None, "?")]
    words = [Allowance.parse(f"rejected=sha256:{HASH}")]
    verdict = weighed(before, before[1:], rejected=rejected, allowances=words)
    assert [(row.native_symbol, row.symbol_id, row.brake, row.reason) for row in verdict.held_back] == [
        ("C0_USDT", 1, Brake.REJECTED, "row 0 of the payload cannot be read: no tick"),
        ("NEW_USDT", None, Brake.REJECTED, "row 1 of the payload cannot be read: no tick"),
    ]
    assert hits(verdict) == []


@pytest.mark.parametrize(("count", "whole", "hit"), [(4, 4, False), (10, 100, False), (11, 100, True), (5, 5, True)])
def test_many_unreadable_rows_refuse_the_list(count: int, whole: int, hit: bool) -> None:
    before = [spec(number) for number in range(whole)]
    rejected = [RejectedRow(number, f"C{number}_USDT", "no tick") for number in range(count)]
    assert hits(weighed(before, before[count:], rejected=rejected)) == (["REJECTED"] if hit else [])


def test_names_that_are_there_twice_are_held_back() -> None:
    """Also where nothing changes, because nobody knows which row is right, and where the symbol would be new."""
    before = [spec(number) for number in range(20)]
    after = [*before, spec(100)]
    verdict = weighed(before, after, duplicates=["C100_USDT", "C0_USDT"])
    assert held(verdict) == {"C0_USDT": "DUPLICATE", "C100_USDT": "DUPLICATE"}
    assert [row.symbol_id for row in verdict.held_back] == [1, None]
    assert (hits(verdict), verdict.changes) == ([], ())
    words = [Allowance.parse("duplicate=C0_USDT"), Allowance.parse("duplicate=C100_USDT")]
    allowed = weighed(before, after, duplicates=["C100_USDT", "C0_USDT"], allowances=words)
    assert (held(allowed), len(allowed.changes)) == ({}, 1)


@pytest.mark.parametrize(("count", "whole", "hit"), [(4, 4, False), (10, 100, False), (11, 100, True), (5, 5, True)])
def test_many_names_that_are_there_twice_refuse_the_list(count: int, whole: int, hit: bool) -> None:
    before = [spec(number) for number in range(whole)]
    verdict = weighed(before, before, duplicates=[f"C{number}_USDT" for number in range(count)])
    assert hits(verdict) == (["DUPLICATE"] if hit else [])


def test_an_empty_list_is_refused_where_something_live_is_known() -> None:
    """A list that never had a symbol, such as the options of a new underlying, is believed."""
    assert hits(weighed([], [])) == []
    assert hits(weighed([spec(0, **GONE)], [])) == []
    assert hits(weighed([spec(0)], [])) == ["EMPTY"]
    assert hits(weighed([spec(number) for number in range(5)], [])) == ["EMPTY", "LEFT"]


def test_an_older_list_is_refused_also_if_it_changes_nothing() -> None:
    second = timedelta(seconds=1)
    assert hits(weighed([spec(0)], [spec(0)], newest=NOW)) == []
    assert hits(weighed([spec(0)], [spec(0)], newest=NOW + second)) == ["OLDER"]
    assert hits(weighed([spec(0)], [spec(0)], newest=None)) == []


def test_a_list_of_the_future_is_refused_beyond_a_small_skew() -> None:
    for ahead, hit in [(LIMITS.skew, False), (LIMITS.skew + timedelta(microseconds=1), True)]:
        assert hits(weighed([spec(0)], [spec(0)], now=NOW - ahead)) == (["FUTURE"] if hit else [])
    assert (
        hits(weighed([], [spec(0)], now=NOW - timedelta(minutes=1), limits=ImportLimits(skew=timedelta(hours=1)))) == []
    )


REFUSED: dict[Brake, dict[str, Any]] = {
    Brake.EMPTY: {"after": []},
    Brake.LEFT: {"after": [spec(number) for number in range(10)]},
    Brake.MASS: {"after": [spec(number, **HALTED) for number in range(20)]},
    Brake.JUMP: {"after": [spec(number, contract_size=Decimal(50)) for number in range(20)]},
    Brake.DUPLICATE: {"duplicates": [f"C{number}_USDT" for number in range(20)]},
    Brake.REJECTED: {"rejected": [RejectedRow(number, f"X{number}", "?") for number in range(20)]},
    Brake.FOREIGN: {"foreign": "it reads like another list"},
    Brake.OLDER: {"newest": NOW + timedelta(days=1)},
    Brake.FUTURE: {"now": NOW - timedelta(days=1)},
}


@pytest.mark.parametrize("brake", Brake)
def test_each_list_wide_brake_is_passed_by_the_hash_of_the_payload_and_says_so(brake: Brake) -> None:
    """By no other hash, by that of no other brake, and not where there is no payload."""
    before = [spec(number) for number in range(20)]
    more = {"after": before, **REFUSED[brake]}

    def allowed(*words: str, **others: Any) -> bool:
        verdict = weighed(before, **more, allowances=[Allowance.parse(word) for word in words], **others)
        (hit,) = {hit.allowed for hit in verdict.hits if hit.brake is brake}
        return hit

    reason = next(hit.reason for hit in weighed(before, **more).hits if hit.brake is brake)
    assert reason.endswith(f"(--allow {brake.lower()}=sha256:{HASH[:16]})")
    assert allowed(f"{brake.lower()}=sha256:{HASH[:16]}")
    assert allowed(f"{brake}=SHA256:{HASH.upper()}")
    assert not allowed(f"{brake}=sha256:{HASH[1:20]}")
    assert not allowed(*(f"{other}=sha256:{HASH}" for other in Brake if other is not brake))
    assert not allowed(f"{brake}=sha256:{HASH}", payload_sha256=None)


def test_a_reviewed_payload_lets_its_rows_through_too() -> None:
    before, after = changed(6, 50, price_tick=Decimal("0.0001"))
    verdict = weighed(before, after, allowances=[Allowance(Brake.JUMP, sha256=HASH)])
    assert (hits(verdict), [hit.allowed for hit in verdict.hits], held(verdict)) == (["JUMP"], [True], {})
    assert len(verdict.changes) == 6
    left = weighed(before[:4], before[:3], allowances=[Allowance(Brake.LEFT, sha256=HASH)])
    assert (held(left), len(left.changes)) == ({}, 1)


def test_rows_that_were_allowed_by_name_count_no_longer() -> None:
    """Neither to the share of jumps nor to that of changed fields."""
    before, after = changed(6, 20, price_tick=Decimal("0.0001"))
    words = [Allowance.parse(f"jump=C{number}_USDT") for number in range(6)]
    assert hits(weighed(before, after)) == ["JUMP", "MASS"]
    assert hits(weighed(before, after, allowances=words)) == []
    assert hits(weighed(before, after, allowances=words[:1])) == ["JUMP", "MASS"]
    assert set(held(weighed(before, after, allowances=words[:1]))) == {f"C{number}_USDT" for number in range(1, 6)}


def test_a_name_that_a_shell_would_take_apart_is_quoted() -> None:
    verdict = weighed([spec(0, native_symbol="A B")], [spec(0, native_symbol="A B", price_tick=Decimal(7))])
    assert verdict.held_back[0].reason.endswith("(--allow 'jump=A B')")


def test_a_reason_lists_some_names_and_counts_the_rest() -> None:
    """A thousand names are no message."""
    before = [spec(number) for number in range(20)]
    (hit,) = weighed(before, before[9:]).hits
    assert "'C0_USDT', 'C1_USDT', 'C2_USDT', 'C3_USDT', 'C4_USDT' and 4 more (--allow left=" in hit.reason


def test_thresholds_are_those_that_are_given() -> None:
    before, after = changed(3, 20, max_quantity=Decimal(7))
    assert hits(weighed(before, after)) == []
    assert hits(weighed(before, after, limits=ImportLimits(field_percent=14, fewest_rows=3))) == ["MASS"]
    low = ImportLimits(tick_factor=Decimal("1.5"))
    assert held(weighed([spec(0)], [spec(0, price_tick=Decimal("0.02"))], limits=low)) == {"C0_USDT": "JUMP"}


FIELDS = ImportLimits.__struct_fields__
TABLE = (ROOT / "docs/symbols.md").read_text().split("### What is not believed")[1].split("## What the past is")[0]
WRITTEN = {timedelta(days=1): "(1 day)", timedelta(seconds=10): "10 s", 5: "(5)"}


@pytest.mark.parametrize("field", FIELDS)
def test_each_threshold_stands_in_the_documents_with_its_default(field: str) -> None:
    default = getattr(LIMITS, field)
    assert f"`{field}` {WRITTEN.get(default, default)}" in TABLE


@pytest.mark.parametrize("brake", Brake)
def test_each_brake_has_a_row_in_the_documents(brake: Brake) -> None:
    assert f"\n| {brake} | " in TABLE


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("wrong", [None, "10", -1, 10**9, True, 1.5, Decimal("NaN"), timedelta(days=-1), timedelta.max])
def test_a_threshold_that_is_none_is_refused_by_its_name(field: str, wrong: Any) -> None:
    if wrong == 10**9 and type(wrong) is int and (field.endswith("_factor") or field == "fewest_rows"):
        wrong = 0
    with pytest.raises(InvalidArgument, match=f"limits: {field} must be ") as caught:
        ImportLimits(**{field: wrong})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("text", "brake", "name", "sha256"),
    [
        ("JUMP=BTC_USDT", Brake.JUMP, "BTC_USDT", None),
        ("left=A=B", Brake.LEFT, "A=B", None),
        ("Duplicate=btc_usdt", Brake.DUPLICATE, "btc_usdt", None),
        ("LEFT=sha256:0123456789ab", Brake.LEFT, None, "0123456789ab"),
        (f"older=SHA256:{HASH.upper()}", Brake.OLDER, None, HASH),
    ],
)
def test_an_allowance_is_read(text: str, brake: Brake, name: str | None, sha256: str | None) -> None:
    found = Allowance.parse(text)
    assert (found.brake, found.name, found.sha256) == (brake, name, sha256)
    assert Allowance.parse(str(found)) == Allowance.parse(found) == found


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("JUMP", "write JUMP=SYMBOL or JUMP=sha256:HASH_OF_THE_PAYLOAD"),
        ("JUMP=", "write JUMP=SYMBOL"),
        ("MASS=BTC_USDT", "write MASS=sha256:HASH_OF_THE_PAYLOAD"),
        ("REJECTED=BTC_USDT", "write REJECTED=sha256:HASH_OF_THE_PAYLOAD"),
        ("LEFT=sha256:0123456789a", "12 to 64 digits of it"),
        (f"LEFT=sha256:{HASH}0", "12 to 64 digits of it"),
        ("LEFT=sha256:0123456789xy", "is no SHA-256"),
        ("VANISHED=BTC_USDT", "the brakes are EMPTY, LEFT"),
        ("=BTC_USDT", "is no brake"),
        ("", "is no brake"),
        (Brake.OLDER, "write OLDER=sha256:HASH_OF_THE_PAYLOAD"),
        (None, "is no text such as JUMP=BTC_USDT"),
        (1, "is no text such as JUMP=BTC_USDT"),
    ],
)
def test_what_is_no_allowance_is_told_what_to_write(wrong: Any, said: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Allowance.parse(wrong)
    assert said in str(caught.value)
    assert caught.value.field == "allow"


@pytest.mark.parametrize(
    "wrong", [{}, {"name": "A", "sha256": HASH}, {"name": ""}, {"name": 1}, {"sha256": HASH.upper()}]
)
def test_an_allowance_has_one_name_or_one_hash(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        Allowance(Brake.JUMP, **wrong)
    with pytest.raises(InvalidArgument):
        Allowance("JUMP", name="A")  # type: ignore[arg-type]


# What may become of a row of a list from one import to the next.
FATES: list[dict[str, Any] | None] = [
    {},
    None,
    GONE,
    HALTED,
    {"base": "NEW"},
    {"price_tick": Decimal("0.0001")},
    {"max_quantity": Decimal(7)},
    {"min_notional": None},
]
LISTS = st.lists(st.sampled_from(FATES), max_size=60)


@given(fates=LISTS, twice=st.sets(st.integers(0, 70)), unread=st.sets(st.integers(0, 70)), nameless=st.integers(0, 3))
def test_every_change_is_applied_or_its_row_is_held_back(
    fates: list[dict[str, Any] | None], twice: set[int], unread: set[int], nameless: int
) -> None:
    """Nothing is lost, nothing is added, and the order of rows does not matter."""
    before = [spec(number) for number in range(len(fates))]
    after = [spec(number, **fate) for number, fate in enumerate(fates) if fate is not None and number not in unread]
    more: dict[str, Any] = {
        "duplicates": [f"C{number}_USDT" for number in twice if number not in unread],
        "rejected": [
            *(RejectedRow(number, f"C{number}_USDT", "?") for number in sorted(unread)),
            *(RejectedRow(1000 + number, None, "?") for number in range(nameless)),
        ],
    }
    rows = [known(one, number) for number, one in enumerate(before, 1)]
    names = {f"C{number}_USDT" for number in unread}
    given_changes = find_changes(rows, after, NOW, listing=CONTRACTS, rejected=names)
    verdict = weighed(before, after, **more)
    holding = set(held(verdict))
    assert [one for one in given_changes if one.spec.native_symbol not in holding] == list(verdict.changes)
    assert holding <= {one.spec.native_symbol for one in given_changes} | names | set(more["duplicates"])
    assert len(holding) == len(verdict.held_back)

    def mixed(items: Sequence[Any]) -> list[Any]:
        return random.Random(len(fates)).sample(list(items), len(items))

    ids = {row.native_symbol: row.id for row in rows}
    values: dict[str, Any] = {
        "live": len(rows),
        "offered": len(after) + len(more["rejected"]),
        "observed_at": NOW,
        "now": NOW,
    }
    other = weigh(
        mixed(given_changes), **values, known_ids=ids, payload_sha256=HASH,
        rejected=mixed(more["rejected"]), duplicates=mixed(more["duplicates"]),
    )  # fmt: skip
    assert (other.hits, other.held_back) == (verdict.hits, verdict.held_back)
    assert set(map(str, other.changes)) == set(map(str, verdict.changes))


@pytest.mark.untraced
@given(whole=st.integers(1, 200), percent=st.integers(0, 100), fewest=st.integers(1, 20), data=st.data())
def test_a_share_is_over_its_limit_exactly_where_it_is_more(
    whole: int, percent: int, fewest: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, whole))
    limits = ImportLimits(left_percent=percent, fewest_rows=fewest)
    before = [spec(number) for number in range(whole)]
    verdict = weighed(before, [*before[count:], spec(1000)], limits=limits)
    over = Decimal(count) / Decimal(whole) > Decimal(percent) / 100
    assert hits(verdict) == (["LEFT"] if over and count >= fewest else [])
    assert len(verdict.held_back) == (count if over and count < fewest else 0)
