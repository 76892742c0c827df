"""What each exchange's fields mean: numbers, limits and labels as its documents describe them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from exchanges_db.symbols.enums import (
    AssetClass,
    ContractDirection,
    OptionType,
    OrderType,
    PriceReference,
    SidesAllowed,
    SymbolKind,
    SymbolStatus,
)
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.readers import all_readers, read_payload
from exchanges_db.symbols.payloads.reading import Payload, UnknownValue
from tests.payload_rows import (
    asked_without_header,
    delivery,
    futures,
    mexc,
    mexc_futures,
    options,
    payload,
    spot,
)

READERS = {reader.name: reader for reader in all_readers()}
LISTS = {"gateio_futures": "PERPETUAL:USDT", "gateio_delivery": "FUTURE:USDT"}
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
CHANGED = datetime(2026, 4, 22, 10, 14, 50, tzinfo=UTC)
EXPIRY = datetime(2026, 12, 25, 8, tzinfo=UTC)


def D(text: str | int) -> Decimal:  # noqa: N802 - as short as a number
    """A number."""
    return Decimal(text)


def read(reader: str, *rows: dict[str, Any], listing: str | None = None) -> Payload:
    """What a payload of these rows lists."""
    text = payload(reader, list(rows))
    return read_payload(READERS[reader].exchange, text, listing=listing or LISTS.get(reader), observed_at=NOW)


def one(reader: str, row: dict[str, Any], listing: str | None = None) -> SymbolSpec:
    """The symbol of a payload of one row, which must be readable."""
    result = read(reader, row, listing=listing)
    assert result.rejected == ()
    return result.symbols[0].spec


def test_a_mexc_row() -> None:
    assert one("mexc_spot", mexc()) == SymbolSpec(
        native_symbol="BTCUSDT",
        symbol="BTC/USDT",
        base="BTC",
        quote="USDT",
        kind=SymbolKind.SPOT,
        price_tick=D("0.01"),
        quantity_step=D("0.000001"),
        step_assumed=True,
        min_quantity=D("0.000001"),
        min_notional=D(1),
        max_notional=D(2000000),
        market_min_notional=D(1),
        market_max_notional=D(100000),
        price_band_up=D("0.02"),
        price_band_down=D("0.03"),
        price_band_of=PriceReference.LAST,
        order_types=(OrderType.LIMIT, OrderType.MARKET, OrderType.LIMIT_MAKER),
        margin_allowed=False,
        full_name="Bitcoin",
        is_risky=False,
        list_maker_fee=D(0),
        list_taker_fee=D("0.0002"),
        status=SymbolStatus.TRADING,
        sides=SidesAllowed.ALL,
        buy_opens_at=datetime(2019, 11, 16, tzinfo=UTC),
        sell_opens_at=datetime(2019, 11, 16, tzinfo=UTC),
    )


def test_a_mexc_futures_row() -> None:
    assert one("mexc_futures", mexc_futures(openingTime=1592213599500)) == SymbolSpec(
        native_symbol="BTC_USDT",
        symbol="BTC/USDT:USDT",
        base="BTC",
        quote="USDT",
        settle="USDT",
        kind=SymbolKind.PERPETUAL,
        direction=ContractDirection.LINEAR,
        contract_size=D("0.0001"),
        price_tick=D("0.5"),
        quantity_step=D(1),
        min_quantity=D(1),
        max_quantity=D(400000),
        price_band_up=D("0.1"),
        price_band_down=D("0.2"),
        leverage_min=D(1),
        leverage_max=D(200),
        initial_margin_rate=D("0.005"),
        maintenance_margin_rate=D("0.004"),
        max_open_orders=50,
        is_premarket=False,
        asset_class=AssetClass.CRYPTO,
        list_maker_fee=D(0),
        list_taker_fee=D("0.0002"),
        status=SymbolStatus.TRADING,
        sides=SidesAllowed.ALL,
        buy_opens_at=datetime(2020, 6, 15, 9, 33, 19, 500000, tzinfo=UTC),
        sell_opens_at=datetime(2020, 6, 15, 9, 33, 19, 500000, tzinfo=UTC),
    )


def test_a_gateio_spot_row_has_its_fee_in_percent() -> None:
    assert one("gateio_spot", spot()) == SymbolSpec(
        native_symbol="BTC_USDT",
        symbol="BTC/USDT",
        base="BTC",
        quote="USDT",
        kind=SymbolKind.SPOT,
        price_tick=D("0.1"),
        quantity_step=D("0.000001"),
        min_quantity=D("0.000001"),
        min_notional=D(3),
        max_notional=D(5000000),
        market_max_quantity=D(65),
        market_max_notional=D(1000000),
        price_band_up=D("0.08"),
        price_band_down=D("0.07"),
        market_slip_ratio=D("0.03"),
        full_name="Btc",
        is_risky=False,
        is_premarket=False,
        list_maker_fee=D("0.002"),
        list_taker_fee=D("0.002"),
        status=SymbolStatus.TRADING,
        sides=SidesAllowed.ALL,
    )


def test_a_gateio_futures_row_has_its_fee_as_a_fraction() -> None:
    assert one("gateio_futures", futures()) == SymbolSpec(
        native_symbol="ETH_USDT",
        symbol="ETH/USDT:USDT",
        base="ETH",
        quote="USDT",
        settle="USDT",
        kind=SymbolKind.PERPETUAL,
        direction=ContractDirection.LINEAR,
        contract_size=D("0.01"),
        price_tick=D("0.05"),
        quantity_step=D(1),
        min_quantity=D(1),
        max_quantity=D(1000000),
        market_max_quantity=D(600000),
        price_band_up=D("0.04"),
        price_band_down=D("0.04"),
        price_band_of=PriceReference.MARK,
        market_slip_ratio=D("0.05"),
        leverage_min=D(1),
        leverage_max=D(125),
        maintenance_margin_rate=D("0.004"),
        funding_interval=28800,
        funding_cap=D("0.003"),
        max_open_orders=100,
        is_premarket=False,
        asset_class=AssetClass.CRYPTO,
        list_maker_fee=D("-0.0001"),
        list_taker_fee=D("0.00075"),
        status=SymbolStatus.TRADING,
        sides=SidesAllowed.ALL,
        buy_opens_at=datetime(2019, 11, 21, tzinfo=UTC),
        sell_opens_at=datetime(2019, 11, 21, tzinfo=UTC),
        exchange_changed_at=CHANGED,
    )


def test_a_gateio_delivery_row() -> None:
    assert one("gateio_delivery", delivery()) == SymbolSpec(
        native_symbol="BTC_USDT_20261225",
        symbol="BTC/USDT:USDT-261225",
        base="BTC",
        quote="USDT",
        settle="USDT",
        kind=SymbolKind.FUTURE,
        direction=ContractDirection.LINEAR,
        contract_size=D("0.01"),
        price_tick=D("0.05"),
        quantity_step=D(1),
        min_quantity=D(1),
        max_quantity=D(1000000),
        price_band_up=D("0.04"),
        price_band_down=D("0.04"),
        price_band_of=PriceReference.MARK,
        leverage_min=D(1),
        leverage_max=D(125),
        maintenance_margin_rate=D("0.004"),
        max_open_orders=100,
        list_maker_fee=D("-0.0001"),
        list_taker_fee=D("0.00075"),
        status=SymbolStatus.TRADING,
        sides=SidesAllowed.ALL,
        expires_at=EXPIRY,
        exchange_changed_at=CHANGED,
    )


def test_a_gateio_option_row() -> None:
    assert one("gateio_options", options()) == SymbolSpec(
        native_symbol="BTC_USDT-20261225-65000-C",
        symbol="BTC/USDT:USDT-261225-65000-C",
        base="BTC",
        quote="USDT",
        settle="USDT",
        kind=SymbolKind.OPTION,
        direction=ContractDirection.LINEAR,
        contract_size=D("0.01"),
        strike=D(65000),
        option_type=OptionType.CALL,
        price_tick=D("0.1"),
        quantity_step=D(1),
        min_quantity=D(1),
        max_quantity=D(100000),
        max_open_orders=50,
        list_maker_fee=D("0.0003"),
        list_taker_fee=D("0.0004"),
        status=SymbolStatus.TRADING,
        sides=SidesAllowed.ALL,
        expires_at=EXPIRY,
    )


def test_an_option_is_named_for_its_time_of_expiry_and_its_strike() -> None:
    """The documents' own example has another date in the name."""
    row = options(name="BTC_USDT-20211130-65000-P", expiration_time=1637913600, is_call=False, strike_price="0.50")
    spec = one("gateio_options", row)
    assert (spec.symbol, spec.option_type, spec.status, spec.sides) == (
        "BTC/USDT:USDT-211126-0.5-P", OptionType.PUT, SymbolStatus.EXPIRED, SidesAllowed.NONE,
    )  # fmt: skip
    assert one("gateio_options", options(is_active=False)).status is SymbolStatus.HALTED


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"is_call": False}, "its name ends in C"),
        ({"is_call": None}, "is_call is missing"),
        ({"expiration_time": 0}, "expiration_time is missing"),
        ({"strike_price": None}, "strike_price is missing"),
        ({"multiplier": "0"}, "contract_size must be"),
        ({"underlying": "ETH_USDT"}, "its underlying is 'ETH_USDT', not BTC_USDT"),
    ],
)
def test_an_option_that_contradicts_itself_is_rejected(fields: dict[str, Any], why: str) -> None:
    result = read("gateio_options", options(**fields), options(strike="1"), listing="OPTION:USDT:BTC_USDT")
    assert [(row.index, why in row.reason) for row in result.rejected] == [(0, True)]


def test_options_on_another_underlying_are_another_list() -> None:
    assert "BTC_USDT" in str(read("gateio_options", options("ETH"), listing="OPTION:USDT:BTC_USDT").foreign)


def test_the_lists_of_options_are_told_by_the_index() -> None:
    index = b'[{"name":"BTC_USDT","index_price":"70000"},{"name":"odd"},7,{"name":"A B_USDT"}]'
    reader = READERS["gateio_options"]
    assert reader.lists() == {}
    assert {str(one): request.path for one, request in reader.lists(index).items()} == {
        "OPTION:USDT:BTC_USDT": "/api/v4/options/contracts?underlying=BTC_USDT",
        "OPTION:USDT:A B_USDT": "/api/v4/options/contracts?underlying=A%20B_USDT",
    }


def test_gateio_contracts_are_asked_for_with_the_header_and_options_by_underlying() -> None:
    asked = {
        str(one): (request.path, request.headers)
        for reader in all_readers()
        for one, request in reader.lists().items()
        if reader.exchange.startswith("GATEIO_F")
    }
    header = {"X-Gate-Size-Decimal": "1"}
    assert asked == {
        "PERPETUAL:USDT": ("/api/v4/futures/usdt/contracts", header),
        "PERPETUAL:BTC": ("/api/v4/futures/btc/contracts", header),
        "FUTURE:USDT": ("/api/v4/delivery/usdt/contracts", header),
    }


@pytest.mark.parametrize("least", ["0", 0, "0.0", "0e-5", 0.0])
def test_a_minimum_of_0_with_decimals_was_asked_for_without_the_header(least: Any) -> None:
    result = read("gateio_futures", futures(enable_decimal=True, order_size_min=least), futures("BTC"))
    assert [(row.index, "X-Gate-Size-Decimal: 1" in row.reason) for row in result.rejected] == [(0, True)]
    assert one("gateio_futures", futures(enable_decimal=False, order_size_min=least)).quantity_step == 1


@pytest.mark.parametrize("size", ["order_size_min", "order_size_max", "position_size", "market_order_size_max"])
def test_an_integer_size_with_decimals_was_asked_for_without_the_header(size: str) -> None:
    """A position of 0.4 arrives as 0, and the contract would read as delisted."""
    good: dict[str, Any] = {"enable_decimal": True, "order_size_min": "0.1"}
    for value in (0, 5):
        fields: dict[str, Any] = {size: value}
        row = futures(**{**good, "in_delisting": True, **fields})
        assert "X-Gate-Size-Decimal" in read("gateio_futures", row).rejected[0].reason
        assert read("gateio_futures", futures(**fields)).rejected == ()
    assert one("gateio_futures", futures(**good, in_delisting=True, position_size="0.4")).status == "DELISTING"
    assert one("gateio_futures", futures(**good, in_delisting=True, position_size="0")).status == "DELISTED"


def test_a_list_asked_for_without_the_header_loses_its_decimal_contracts_alone() -> None:
    rows = [futures("BTC"), futures("ETH", enable_decimal=True, order_size_min="0.1", position_size="0.4")]
    assert len(read("gateio_futures", *rows).symbols) == 2
    result = read("gateio_futures", *map(asked_without_header, rows))
    assert [symbol.spec.base for symbol in result.symbols] == ["BTC"]
    assert "X-Gate-Size-Decimal" in result.rejected[0].reason


@pytest.mark.parametrize(
    ("least", "step"),
    [("0.1", "0.1"), ("0.10", "0.1"), ("1e-1", "0.1"), ("10e-2", "0.1"), ("5", "1"), ("0.25", "0.01"), ("20", "1")],
)
def test_the_step_of_decimal_contracts_is_the_last_place_of_the_minimum(least: str, step: str) -> None:
    spec = one("gateio_futures", futures(enable_decimal=True, order_size_min=least))
    assert (spec.quantity_step, spec.step_assumed) == (D(step), True)
    spec = one("gateio_futures", futures(order_size_min=least))
    assert (spec.quantity_step, spec.step_assumed) == (D(1), False)


def test_a_decimal_contract_without_a_minimum_has_no_step() -> None:
    assert (
        "order_size_min is missing"
        in read("gateio_futures", futures(enable_decimal=True, order_size_min=None)).rejected[0].reason
    )


@pytest.mark.parametrize(
    ("decimals", "least", "step"),
    [(6, "0.000001", "0.000001"), (8, "0.000001", "0.000001"), (2, "0.0001", "0.01"),
     (2, "0", "0.01"), (2, "5", "1"), (2, None, "0.01"), (4, "0.01", "0.01")],
)  # fmt: skip
def test_mexcs_step_is_the_coarser_of_its_decimals_and_its_minimum(decimals: int, least: Any, step: str) -> None:
    spec = one("mexc_spot", mexc(baseAssetPrecision=decimals, baseSizePrecision=least))
    assert (spec.quantity_step, spec.step_assumed) == (D(step), True)


@pytest.mark.parametrize(
    ("quote", "asset", "tick", "assumed"),
    [(2, 2, "0.01", False), (3, 4, "0.001", True), (4, 3, "0.001", True),
     (..., 4, "0.0001", False), (4, ..., "0.0001", False), ("2", 2, "0.01", False)],
)  # fmt: skip
def test_mexcs_tick_is_the_coarser_of_two_precisions(quote: Any, asset: Any, tick: str, assumed: bool) -> None:
    spec = one("mexc_spot", mexc(quotePrecision=quote, quoteAssetPrecision=asset))
    assert (spec.price_tick, spec.tick_assumed) == (D(tick), assumed)


def test_a_band_in_the_older_form_is_left_out_and_reported() -> None:
    """There 5 was the multiplier itself; which form the other figure has cannot be told."""
    no_band: tuple[Any, ...] = ([], None, ...)
    band = {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5", "askMultiplierDown": "0.2"}
    result = read("mexc_spot", mexc(filters=[band, {"filterType": "NEW"}, {}]))
    spec = result.symbols[0].spec
    assert (spec.price_band_up, spec.price_band_down, spec.price_band_of) == (None, None, None)
    assert result.unknown_values == (
        UnknownValue("bidMultiplierUp", "5", "left out", 1),
        UnknownValue("filters", "NEW", "left out", 1),
        UnknownValue("filters", "None", "left out", 1),
    )
    for nothing in no_band:
        assert one("mexc_spot", mexc(filters=nothing)).price_band_of is None
    assert "filters is" in read("mexc_spot", mexc(filters="x")).rejected[0].reason


def test_order_types_that_are_not_known_are_left_out_and_reported() -> None:
    result = read("mexc_spot", mexc(orderTypes=["LIMIT", "ICEBERG", "FILL_OR_KILL", "LIMIT"]))
    assert result.symbols[0].spec.order_types == (OrderType.LIMIT, OrderType.FILL_OR_KILL)
    assert result.unknown_values == (UnknownValue("orderTypes", "ICEBERG", "left out", 1),)
    assert one("mexc_spot", mexc(orderTypes=[])).order_types == ()
    assert one("mexc_spot", mexc(orderTypes=...)).order_types is None
    assert "orderTypes is" in read("mexc_spot", mexc(orderTypes="LIMIT")).rejected[0].reason


@pytest.mark.parametrize("label", ["x" * 201, " x", "x ", "a\nb", 7, ["x"], {}, True])
def test_a_label_that_cannot_be_stored_is_left_out_and_reported(label: Any) -> None:
    """It decides about nothing, so it costs no row."""
    no_label: tuple[Any, ...] = ("", None, ...)
    for field, column in (("fullName", "full_name"), ("contractAddress", "contract_address")):
        result = read("mexc_spot", mexc(**{field: label}))
        assert getattr(result.symbols[0].spec, column) is None
        assert [(value.field, value.effect) for value in result.unknown_values] == [(field, "left out")]
        for nothing in no_label:
            assert getattr(one("mexc_spot", mexc(**{field: nothing})), column) is None
        assert getattr(one("mexc_spot", mexc(**{field: "x" * 200})), column) == "x" * 200


@pytest.mark.parametrize(
    ("fields", "quantity", "notional", "market"),
    [
        ({}, "65", "1000000", True),
        ({"market_order_max_stock": ..., "max_market_order_stock": "7"}, "7", "1000000", True),
        ({"max_market_order_stock": "7", "max_market_order_money": "8"}, "7", "8", True),
        ({"max_market_order_stock": "700"}, "65", "1000000", True),
        ({"market_order_max_stock": ..., "market_order_max_money": ...}, None, None, True),
        ({"market_order_max_stock": "0", "market_order_max_money": "0"}, None, None, False),
        ({"market_order_max_stock": "0.00"}, None, "1000000", False),
        ({"max_market_order_money": 0}, "65", None, False),
    ],
)  # fmt: skip
def test_market_limits_of_gateio_spot(
    fields: dict[str, Any], quantity: str | None, notional: str | None, market: bool
) -> None:
    """Both spellings of the documents; a pair with "0" takes no market orders."""
    spec = one("gateio_spot", spot(**fields))
    assert spec.market_max_quantity == (None if quantity is None else D(quantity))
    assert spec.market_max_notional == (None if notional is None else D(notional))
    assert (spec.order_types is None) == market
    assert market or OrderType.MARKET not in (spec.order_types or (OrderType.MARKET,))


def test_a_market_maximum_of_0_of_gateio_futures_means_the_general_one() -> None:
    spec = one("gateio_futures", futures(market_order_size_max="0"))
    assert (spec.market_max_quantity, spec.max_quantity) == (None, D(1000000))


@pytest.mark.parametrize(
    ("word", "one_class"),
    [("", "CRYPTO"), ("stocks", "STOCK"), ("indices", "INDEX"), ("metals", "COMMODITY"),
     ("commodities", "COMMODITY"), ("forex", "FX"), (..., None), (None, None)],
)  # fmt: skip
def test_what_a_gateio_contract_is_on(word: Any, one_class: str | None) -> None:
    spec = one("gateio_futures", futures(contract_type=word))
    assert (spec.asset_class, spec.status) == (one_class, "TRADING")


def test_what_a_mexc_contract_is_on() -> None:
    assert one("mexc_futures", mexc_futures(typeLabel=2)).asset_class is AssetClass.STOCK
    assert one("mexc_futures", mexc_futures(typeLabel=...)).asset_class is None
    result = read("mexc_futures", mexc_futures(typeLabel=1))
    assert (result.symbols[0].spec.asset_class, result.symbols[0].spec.status) == (None, "HALTED")
    assert result.unknown_values == (UnknownValue("typeLabel", "1", "HALTED", 1),)


def test_the_smaller_of_mexcs_maxima_holds() -> None:
    assert one("mexc_futures", mexc_futures(maxVol=9, limitMaxVol=8)).max_quantity == 8
    assert one("mexc_futures", mexc_futures(maxVol=9, limitMaxVol=...)).max_quantity == 9
    assert one("mexc_futures", mexc_futures(maxVol=0, limitMaxVol=0)).max_quantity is None
    for value, most in (([], None), (None, None), ([0, 7], 7), ([5], 5)):
        assert one("mexc_futures", mexc_futures(maxNumOrders=value)).max_open_orders == most
    for wrong in ("x", ["x"], [1.5], 7):
        assert "maxNumOrders is" in read("mexc_futures", mexc_futures(maxNumOrders=wrong)).rejected[0].reason


def test_a_mexc_list_may_be_one_object() -> None:
    text = payload("mexc_futures", [mexc_futures()]).replace(b"[{", b"{", 1).replace(b"}]}", b"}}")
    assert len(read_payload("MEXC_FUTURES", text, observed_at=NOW).symbols) == 1


@pytest.mark.parametrize(
    ("quote", "settle", "size", "direction"),
    [("USDT", "USDT", 0.001, "LINEAR"), ("USD", "BTC", 100, "INVERSE"), ("USD", "USDC", 1, "QUANTO")],
)
def test_directions_of_mexc_futures(quote: str, settle: str, size: Any, direction: str) -> None:
    """One list holds every settlement."""
    spec = one("mexc_futures", mexc_futures(quoteCoin=quote, settleCoin=settle, contractSize=size))
    assert (spec.direction, spec.symbol, spec.contract_size) == (direction, f"BTC/{quote}:{settle}", D(str(size)))


def test_a_dated_mexc_contract_is_rejected_for_want_of_a_date() -> None:
    result = read("mexc_futures", mexc_futures(futureType=2), mexc_futures("ETH"))
    assert "no date" in result.rejected[0].reason
    assert len(result.symbols) == 1


def test_an_inverse_dated_contract() -> None:
    row = delivery("BTC", "USD", type="inverse", quanto_multiplier="0")
    spec = one("gateio_delivery", row, "FUTURE:BTC")
    assert (spec.symbol, spec.direction, spec.contract_size) == (
        "BTC/USD:BTC-261225", ContractDirection.INVERSE, D(1),
    )  # fmt: skip


def test_a_dated_contract_is_named_for_its_time_of_expiry_not_for_its_name() -> None:
    assert one("gateio_delivery", delivery(date="20200814")).symbol == "BTC/USDT:USDT-261225"


@pytest.mark.parametrize(
    ("reader", "row", "why"),
    [
        ("gateio_delivery", delivery(expire_time=0), "must come together"),
        ("gateio_futures", futures(expire_time=1798185600), "must come together"),
        ("gateio_futures", delivery(), "belongs into a list of dated contracts"),
        ("gateio_delivery", futures(), "belongs into a list of perpetuals"),
        ("gateio_futures", futures(funding_interval="0.5"), "funding_interval is '0.5', not a whole number"),
        ("gateio_futures", futures(funding_rate_limit="-1"), "funding_cap must be"),
        ("gateio_futures", futures(leverage_max="x"), "leverage_max is 'x'"),
        ("gateio_spot", spot(up_rate="x"), "up_rate is 'x', not a number"),
        ("gateio_spot", spot(st_tag="x"), "st_tag is 'x', not true or false"),
        ("gateio_spot", spot(sell_start="x"), "sell_start is 'x', not a number"),
        ("gateio_spot", spot(buy_start=[]), "buy_start is a value of type list"),
        ("gateio_spot", spot(sell_start=False), "sell_start is a value of type bool"),
        ("gateio_spot", spot(delisting_time=-1), "delisting_time is -1, not a time in seconds"),
        ("gateio_futures", futures(launch_time=False), "launch_time is a value of type bool"),
        ("gateio_futures", futures(orders_limit={}), "orders_limit is a value of type dict"),
        ("mexc_spot", mexc(firstOpenTime=4_000_000_000), "firstOpenTime is 4000000000, not a time in milliseconds"),
        ("gateio_spot", spot(buy_start=4_000_000_000_000), "buy_start is 4000000000000, not a time in seconds"),
        ("mexc_spot", mexc(firstOpenTime=10**30), "firstOpenTime is a value of type int, not a time in milliseconds"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_is_rejected_alone(reader: str, row: dict[str, Any], why: str) -> None:
    makers = {"gateio_delivery": delivery, "gateio_futures": futures, "gateio_spot": spot, "mexc_spot": mexc}
    maker: Any = makers[reader]
    good = [maker(base=f"C{n}") if reader != "mexc_spot" else mexc(f"C{n}USDT") for n in range(3)]
    result = read(reader, row, *good)
    assert [(one.index, why in one.reason) for one in result.rejected] == [(0, True)], result.rejected
    assert len(result.symbols) == 3


@pytest.mark.parametrize(("rate", "is_read"), [("0.08", True), ("1", True), ("8", False), ("1.5", False)])
def test_a_band_of_gateio_spot_that_can_be_no_fraction_is_left_out(rate: str, is_read: bool) -> None:
    """The documents say percentage and show 0.05: what cannot be a fraction is in a unit that nobody states."""
    rows = payload("GATEIO_SPOT", [spot(up_rate="0.08", down_rate=rate)])
    found = read_payload("GATEIO_SPOT", rows, observed_at=NOW)
    spec = found.symbols[0].spec
    assert (spec.price_band_up, spec.price_band_down) == ((D("0.08"), D(rate)) if is_read else (None, None))
    assert bool(found.unknown_values) is not is_read
    assert spec.status is SymbolStatus.TRADING
