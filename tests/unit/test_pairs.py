"""Which symbols of several exchanges pair, and the grid that two have in common, against plain fractions."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exchanges_db.errors import InvalidArgument
from exchanges_db.orders.pairs import CommonSymbol, CommonSymbols, SharedName, common_grid, common_symbols, find_pairs
from exchanges_db.symbols.enums import AssetClass, ContractDirection, OptionType, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.models import Symbol

# As exchanges have them: up to 12 decimals, some of them odd, and some far larger than one.
steps = st.builds(lambda digits, exponent: Decimal(digits).scaleb(exponent), st.integers(1, 400), st.integers(-12, 3))
some = settings(max_examples=200, deadline=None, derandomize=True)


@some
@given(a=steps, b=steps)
@example(a=Decimal("0.04"), b=Decimal("0.06"))
@example(a=Decimal("0.05"), b=Decimal("0.02"))
@example(a=Decimal("0.25"), b=Decimal(3))
def test_the_common_grid_is_the_least_number_that_is_whole_on_both(a: Decimal, b: Decimal) -> None:
    """A whole number of steps on each, and no smaller number is: the two numbers of steps share no factor."""
    grid = Fraction(common_grid(a, b))
    here, there = grid / Fraction(a), grid / Fraction(b)
    assert here.denominator == there.denominator == 1
    assert here > 0
    # A smaller common multiple would divide both numbers of steps by the same factor.
    assert Fraction(here, there) == Fraction(b) / Fraction(a)
    assert Fraction(here, there).numerator == here
    assert Fraction(here, there).denominator == there


@some
@given(a=steps, b=steps)
def test_the_common_grid_is_the_same_from_both_sides(a: Decimal, b: Decimal) -> None:
    """And of a grid with itself it is that grid."""
    assert common_grid(a, b) == common_grid(b, a)
    assert common_grid(a, a) == a


ids = count(1)
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def spot(codes: str, exchange: str = "A", **changes: Any) -> Symbol:
    """Return a spot symbol called BASE/QUOTE, with these changes."""
    base, quote = codes.split("/")
    fields: dict[str, Any] = {
        "native_symbol": base + quote,
        "symbol": codes,
        "base": base,
        "quote": quote,
        "kind": SymbolKind.SPOT,
        "price_tick": Decimal("0.1"),
        "quantity_step": Decimal("0.01"),
        "status": SymbolStatus.TRADING,
        "sides": SidesAllowed.ALL,
        "id": next(ids),
        "exchange_id": 1,
        "exchange": exchange,
        "price_decimals": 1,
        "quantity_decimals": 2,
        "spec_version": 1,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Symbol(**(fields | changes))


def contract(codes: str, exchange: str, direction: str = "LINEAR", size: str = "0.001", **changes: Any) -> Symbol:
    """Return a perpetual in whole contracts."""
    base, quote = codes.split("/")
    settle = {"LINEAR": quote, "INVERSE": base, "QUANTO": "XYZ"}[direction]
    terms: dict[str, Any] = {"kind": SymbolKind.PERPETUAL, "settle": settle, "symbol": f"{codes}:{settle}"}
    terms |= {"direction": ContractDirection(direction), "contract_size": Decimal(size), "quantity_step": Decimal(1)}
    return spot(codes, exchange, **(terms | changes))


def found(*listed: list[Symbol], halted: tuple[Symbol, ...] = ()) -> CommonSymbols:
    """Return the pairs of these lists, all traded but the halted ones."""
    return find_pairs(listed, {one.id for symbols in listed for one in symbols} - {one.id for one in halted})


def names(pairs: CommonSymbols) -> list[str]:
    """Return the pairs in short."""
    return [f"{pair.a.exchange} {pair.a.symbol} = {pair.b.exchange} {pair.b.symbol}" for pair in pairs]


def only(pairs: CommonSymbols) -> CommonSymbol:
    """Return the one pair that there is."""
    (pair,) = pairs
    return pair


def test_symbols_of_two_exchanges_pair_by_base_and_quote() -> None:
    """A spot symbol with a perpetual, too; sorted by base and quote; each with the grids that both take."""
    here = [spot("ETH/USDT", price_tick=Decimal("0.04")), spot("BTC/USDT"), spot("BTC/USDC")]
    there = [contract("BTC/USDT", "B"), spot("ETH/USDT", "B", price_tick=Decimal("0.06")), spot("XRP/USDT", "B")]
    pairs = found(here, there)
    assert names(pairs) == ["A BTC/USDT = B BTC/USDT:USDT", "A ETH/USDT = B ETH/USDT"]
    assert (pairs[0].quantity_step, pairs[1].price_tick) == (Decimal("0.01"), Decimal("0.12"))
    assert (len(pairs), pairs.left_out) == (2, [])
    assert not any(pair.is_doubtful for pair in pairs)


def test_every_two_of_several_exchanges_are_compared() -> None:
    """In the order in which they were given; no exchange with itself."""
    lists = [[spot("BTC/USDT", name), contract("BTC/USDT", name)] for name in "BAC"]
    assert names(found(*lists))[:4] == [
        "B BTC/USDT = A BTC/USDT",
        "B BTC/USDT = C BTC/USDT",
        "A BTC/USDT = C BTC/USDT",
        "B BTC/USDT = A BTC/USDT:USDT",
    ]
    assert len(found(*lists)) == 3 * 4
    assert found(*lists, []).pairs == found(*lists).pairs


def option(exchange: str, strike: str, letter: str = "C") -> Symbol:
    """Return an option on BTC."""
    terms: dict[str, Any] = {"kind": SymbolKind.OPTION, "symbol": f"BTC/USDT:USDT-261225-{strike}-{letter}"}
    terms |= {"native_symbol": f"BTC_USDT-20261225-{strike}-{letter}", "strike": Decimal(strike)}
    terms |= {"option_type": OptionType.CALL if letter == "C" else OptionType.PUT, "expires_at": NOW + timedelta(207)}
    return contract("BTC/USDT", exchange, **terms)


def test_an_option_pairs_with_the_same_option_alone() -> None:
    """What is quoted for it is a premium, and no price of the coin."""
    coins = [spot("BTC/USDT", "B"), contract("BTC/USDT", "B")]
    options = [option("B", "65000"), option("B", "65000", "P"), option("B", "70000")]
    assert names(found([option("A", "65000")], coins + options)) == [
        "A BTC/USDT:USDT-261225-65000-C = B BTC/USDT:USDT-261225-65000-C"
    ]
    assert not found([option("A", "65000")], [option("B", "65000", "P")], coins[:0])


@pytest.mark.parametrize("direction", ["INVERSE", "QUANTO"])
def test_contracts_whose_base_amount_moves_have_no_common_step(direction: str) -> None:
    pair = only(found([spot("BTC/USD")], [contract("BTC/USD", "B", direction)]))
    assert (pair.price_tick, pair.quantity_step) == (Decimal("0.1"), None)


def test_what_is_not_traded_is_in_no_pair() -> None:
    halted = spot("BTC/USDT")
    assert found([halted], [spot("BTC/USDT", "B")], halted=(halted,)).pairs == []


def test_pre_market_symbols_are_in_no_pair() -> None:
    """What is traded before the coin is, is not the coin."""
    early = spot("NEW/USDT", is_premarket=True)
    assert found([early], [spot("NEW/USDT", "B")]).pairs == []
    assert found([spot("NEW/USDT", is_premarket=False)], [spot("NEW/USDT", "B")]).pairs


@pytest.mark.parametrize(
    ("here", "there", "pairs"),
    [
        (None, None, True),
        (None, AssetClass.CRYPTO, True),
        (AssetClass.STOCK, AssetClass.STOCK, True),
        (None, AssetClass.STOCK, False),
        (AssetClass.CRYPTO, AssetClass.INDEX, False),
        (AssetClass.COMMODITY, AssetClass.FX, False),
    ],
)
def test_only_equal_asset_classes_pair(here: AssetClass | None, there: AssetClass | None, pairs: bool) -> None:
    """A stock and a coin may have one code; a list that names no class is of coins."""
    listed = [spot("AAA/USDT", asset_class=here)], [spot("AAA/USDT", "B", asset_class=there)]
    assert bool(found(*listed).pairs) is pairs


def test_symbols_that_share_a_name_are_left_out_and_told() -> None:
    """GASUSDT and GASNEOUSDT are both GAS/USDT, and nobody says which of them another exchange means."""
    one, two = spot("GAS/USDT"), spot("GAS/USDT", native_symbol="GASNEOUSDT")
    pairs = found([two, one, spot("BTC/USDT")], [spot("GAS/USDT", "B"), spot("BTC/USDT", "B")])
    assert names(pairs) == ["A BTC/USDT = B BTC/USDT"]
    assert pairs.left_out == [SharedName("A", "GAS/USDT", ("GASNEOUSDT", "GASUSDT"))]


def test_a_shared_name_is_no_better_while_one_of_them_is_halted() -> None:
    """The one that is left may be the wrong one."""
    one, two = spot("GAS/USDT"), spot("GAS/USDT", native_symbol="GASNEOUSDT")
    pairs = found([one, two], [spot("GAS/USDT", "B")], halted=(one,))
    assert (pairs.pairs, [name.symbol for name in pairs.left_out]) == ([], ["GAS/USDT"])


def test_codes_that_differ_in_case_pair_where_each_side_has_one_spelling() -> None:
    """And are flagged."""
    pair = only(found([spot("USDe/USDT")], [spot("USDE/USDT", "B")]))
    assert (pair.codes_differ, pair.is_doubtful) == (True, True)
    assert only(found([spot("BTC/USDt")], [spot("BTC/USDT", "B")])).codes_differ
    assert not only(found([spot("USDe/USDT")], [spot("USDe/USDT", "B")])).is_doubtful


@pytest.mark.parametrize("second", ["USDE/USDT", "USDE/USDC", "BTC/USDE"])
def test_an_exchange_with_two_spellings_means_two_coins(second: str) -> None:
    """Whatever it trades them against, and if one of them is halted: then only equal spellings pair."""
    here, other = [spot("USDe/USDT"), spot(second)], spot("USDE/USDT", "B")
    assert "A USDe/USDT = B USDE/USDT" not in names(found(here, [other]))
    assert "A USDe/USDT = B USDE/USDT" not in names(found(here, [other], halted=(here[1],)))
    assert "A USDe/USDT = B USDe/USDT" in names(found(here, [spot("USDe/USDT", "B"), other]))


def test_codes_that_count_in_thousands_are_other_codes() -> None:
    assert found([spot("1000PEPE/USDT")], [spot("PEPE/USDT", "B")]).pairs == []


@pytest.mark.parametrize(
    ("here", "there", "differ"),
    [
        ("Bitcoin", "Bitcoin", False),
        ("Bitcoin", "BITCOIN", False),
        ("Bitcoin", None, False),
        (None, None, False),
        ("Neo Gas", "GasDAO", True),
    ],
)
def test_names_and_addresses_that_disagree_are_flagged(here: str | None, there: str | None, differ: bool) -> None:
    """Only where both exchanges state one, and in whatever case."""
    pair = only(found([spot("GAS/USDT", full_name=here)], [spot("GAS/USDT", "B", full_name=there)]))
    assert (pair.full_names, pair.names_differ, pair.is_doubtful) == ((here, there), differ, differ)
    listed = [spot("GAS/USDT", contract_address=here)], [spot("GAS/USDT", "B", contract_address=there)]
    pair = only(found(*listed))
    assert (pair.contract_addresses, pair.addresses_differ, pair.is_doubtful) == ((here, there), differ, differ)


@pytest.mark.parametrize("given", [(), ("MEXC_SPOT",), ("MEXC_SPOT", "MEXC_SPOT"), ("A", "B", "a")])
async def test_less_than_two_exchanges_have_nothing_in_common(given: tuple[str, ...]) -> None:
    """Nor has one with itself, in whatever case its name is written; no database is asked."""
    with pytest.raises(InvalidArgument, match="two exchanges or more, each once"):
        await common_symbols(*given)
