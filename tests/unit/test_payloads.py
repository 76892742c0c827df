"""Readers of payloads: every number exact, every oddity borne, every broken row rejected alone and named."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges_db import ContractDirection, InvalidSymbol, PayloadError, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.readers import READERS, read_payload
from exchanges_db.symbols.payloads.reading import Payload, RejectedRow, UnknownValue
from tests.factories import property_settings
from tests.hostile_text import HOSTILE
from tests.payload_rows import FUTURES, MEXC, NAME_FIELDS, ROWS, SPOT, futures, many, mexc, payload, spot

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
# Where the currency stands; a contract has it in its name only.
BASE_FIELDS = {MEXC: "baseAsset", SPOT: "base", FUTURES: "name"}
BEFORE, AFTER = int(NOW.timestamp()) - 3600, int(NOW.timestamp()) + 3600


def read(exchange: str, *rows: dict[str, Any], settle: str = "usdt") -> Payload:
    """What a payload of these rows lists."""
    return read_payload(exchange, payload(exchange, list(rows)), settle=settle, observed_at=NOW)


def one(exchange: str, row: dict[str, Any], settle: str = "usdt") -> SymbolSpec:
    """The symbol of a payload of one row, which must be readable."""
    result = read(exchange, row, settle=settle)
    assert result.rejected == ()
    return result.symbols[0].spec


def reason(exchange: str, row: dict[str, Any], settle: str = "usdt") -> str:
    """Why a row is rejected; the row after it is not."""
    result = read(exchange, row, ROWS[exchange](), settle=settle)
    assert len(result.symbols) == 1
    assert result.rejected[0].index == 0
    return result.rejected[0].reason


def test_every_reader_is_tested() -> None:
    """A new one fails here until there is a row to test it with."""
    assert ROWS.keys() == NAME_FIELDS.keys() == BASE_FIELDS.keys() == READERS.keys()


def test_a_mexc_row() -> None:
    assert one(MEXC, mexc()) == SymbolSpec(
        native_symbol="BTCUSDT",
        symbol="BTC/USDT",
        base="BTC",
        quote="USDT",
        kind=SymbolKind.SPOT,
        price_tick=Decimal("0.01"),
        quantity_step=Decimal("0.000001"),
        min_quantity=Decimal("0.000001"),
        min_notional=Decimal(1),
        max_notional=Decimal(2000000),
        maker_fee=Decimal(0),
        taker_fee=Decimal("0.0002"),
        status=SymbolStatus.TRADING,
        sides=SidesAllowed.ALL,
    )


def test_a_gateio_spot_row_has_its_fee_in_percent() -> None:
    assert one(SPOT, spot()) == SymbolSpec(
        native_symbol="BTC_USDT",
        symbol="BTC/USDT",
        base="BTC",
        quote="USDT",
        kind=SymbolKind.SPOT,
        price_tick=Decimal("0.1"),
        quantity_step=Decimal("0.000001"),
        min_quantity=Decimal("0.000001"),
        min_notional=Decimal(3),
        max_notional=Decimal(5000000),
        maker_fee=Decimal("0.002"),
        taker_fee=Decimal("0.002"),
        status=SymbolStatus.TRADING,
        sides=SidesAllowed.ALL,
    )


def test_a_gateio_futures_row_has_its_fee_as_a_fraction() -> None:
    assert one(FUTURES, futures()) == SymbolSpec(
        native_symbol="ETH_USDT",
        symbol="ETH/USDT:USDT",
        base="ETH",
        quote="USDT",
        settle="USDT",
        kind=SymbolKind.PERPETUAL,
        direction=ContractDirection.LINEAR,
        contract_size=Decimal("0.01"),
        price_tick=Decimal("0.05"),
        quantity_step=Decimal(1),
        min_quantity=Decimal(1),
        max_quantity=Decimal(1000000),
        maker_fee=Decimal("-0.0001"),
        taker_fee=Decimal("0.00075"),
        status=SymbolStatus.TRADING,
        sides=SidesAllowed.ALL,
        listed_at=datetime(2019, 11, 20, tzinfo=UTC),
    )


def test_an_inverse_contract_with_the_multiplier_0_is_worth_1_usd() -> None:
    spec = one(FUTURES, futures("BTC", "USD", type="inverse", quanto_multiplier="0"), settle="btc")
    assert (spec.symbol, spec.settle, spec.direction, spec.contract_size) == (
        "BTC/USD:BTC", "BTC", ContractDirection.INVERSE, Decimal(1),
    )  # fmt: skip


def test_a_linear_contract_with_the_multiplier_0_is_broken() -> None:
    assert "contract_size must be a Decimal and positive, not 0" in reason(FUTURES, futures(quanto_multiplier="0"))


def test_a_contract_settled_in_a_third_currency_is_quanto() -> None:
    result = read(FUTURES, futures("ETH", "USD"), futures("BTC", "USD", type="inverse"), settle="btc")
    assert [symbol.spec.direction for symbol in result.symbols] == [
        ContractDirection.QUANTO, ContractDirection.INVERSE,
    ]  # fmt: skip
    assert result.foreign is None


def test_a_dated_contract_is_named_for_its_time_of_expiry_not_for_its_name() -> None:
    row = futures(name="BTC_USDT_20200814", expire_time=AFTER)
    spec = one(FUTURES, row)
    assert (spec.kind, spec.symbol, spec.status) == (SymbolKind.FUTURE, "BTC/USDT:USDT-260131", SymbolStatus.TRADING)
    assert one(FUTURES, {**row, "expire_time": BEFORE}).status is SymbolStatus.EXPIRED
    assert "must come together" in reason(FUTURES, {**row, "expire_time": 0})
    assert "must come together" in reason(FUTURES, futures(expire_time=AFTER))


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("0.05", "0.05"),
        (0.5, "0.5"),
        ("1e-10", "1e-10"),
        ("0.0000000001", "1e-10"),
        (5, "5"),
        ("1.000000000000000000000000000000", "1"),
        ("0.123456789012345678901234567890", "0.12345678901234567890123456789"),
        ("100", "100"),
    ],
)
def test_a_number_is_exact_quoted_or_not(text: Any, exact: str) -> None:
    assert one(FUTURES, futures(order_price_round=text)).price_tick == Decimal(exact)


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "Infinity",
        "-1",
        "0",
        "1_0",
        " 1",
        "1e999",
        "0x1",
        "٣",
        "\uff11",
        "1\u0661",
        "1,5",
        "--1",
        "1e",
        True,
        [1],
        {"a": 1},
        None,
        "",
    ],
)
def test_what_is_no_positive_number_is_no_tick(value: Any) -> None:
    why = reason(FUTURES, futures(order_price_round=value))
    assert why.startswith("price_tick must be" if value in ("-1", "0") else "order_price_round is")


@pytest.mark.parametrize("size", [1, "1", 1.0, "1.0"])
def test_a_size_may_be_a_number_or_text(size: Any) -> None:
    assert one(FUTURES, futures(order_size_min=size)).min_quantity == 1
    assert one(MEXC, mexc(tradeSideType=1)).sides is SidesAllowed.ALL
    assert one(SPOT, spot(precision="4")).price_tick == Decimal("0.0001")


def test_null_absent_and_0_of_limits() -> None:
    for nothing in (None, ..., ""):
        assert one(SPOT, spot(min_base_amount=nothing, max_quote_amount=nothing)).min_quantity is None
        assert one(SPOT, spot(max_quote_amount=nothing)).max_notional is None
    assert one(MEXC, mexc(baseSizePrecision="0")).min_quantity == 0
    assert one(SPOT, spot(max_quote_amount="0")).max_notional is None
    assert one(SPOT, spot(fee=...)).taker_fee is None


def test_a_minimum_may_be_less_than_a_step() -> None:
    spec = one(MEXC, mexc("ATLASUSDT", "ATLAS", baseAssetPrecision=2, baseSizePrecision="0.0001"))
    assert (spec.quantity_step, spec.min_quantity) == (Decimal("0.01"), Decimal("0.0001"))


def test_contracts_may_be_cut_where_the_exchange_says_so() -> None:
    assert one(FUTURES, futures(enable_decimal=True, order_size_min="0.1")).quantity_step == Decimal("0.1")
    assert one(FUTURES, futures(enable_decimal=False, order_size_min="0.1")).quantity_step == 1
    assert one(FUTURES, futures(enable_decimal=True, order_size_min="0")).quantity_step == 1


def test_an_old_mexc_row_without_quote_precision() -> None:
    assert one(MEXC, mexc(quotePrecision=..., quoteAssetPrecision=4)).price_tick == Decimal("0.0001")
    assert one(MEXC, mexc(quotePrecision=3, quoteAssetPrecision=4)).price_tick == Decimal("0.001")
    assert "quoteAssetPrecision is missing" in reason(MEXC, mexc(quotePrecision=..., quoteAssetPrecision=...))


@pytest.mark.parametrize(
    ("fields", "status", "sides", "by_api"),
    [
        ({"status": "1"}, "TRADING", "ALL", True),
        ({"status": 1}, "TRADING", "ALL", True),
        ({"status": "ENABLED"}, "TRADING", "ALL", True),
        ({"status": "2"}, "HALTED", "ALL", True),
        ({"status": "3"}, "DELISTED", "ALL", True),
        ({"tradeSideType": "2"}, "TRADING", "BUY", True),
        ({"tradeSideType": 3}, "TRADING", "SELL", True),
        ({"tradeSideType": "4"}, "TRADING", "NONE", True),
        ({"tradeSideType": "9"}, "TRADING", "NONE", True),
        ({"status": "DISABLED"}, "HALTED", "ALL", True),
        ({"tradeSideType": ...}, "TRADING", "ALL", True),
        ({"isSpotTradingAllowed": False}, "TRADING", "ALL", False),
        ({"isSpotTradingAllowed": ...}, "TRADING", "ALL", True),
    ],
)
def test_states_of_mexc(fields: dict[str, Any], status: str, sides: str, by_api: bool) -> None:
    spec = one(MEXC, mexc(**fields))
    assert (spec.status, spec.sides, spec.api_tradable) == (status, sides, by_api)


@pytest.mark.parametrize(
    ("fields", "status", "sides"),
    [
        ({}, "TRADING", "ALL"),
        ({"trade_status": "buyable"}, "TRADING", "BUY"),
        ({"trade_status": "sellable"}, "CLOSE_ONLY", "SELL"),
        ({"trade_status": "untradable"}, "HALTED", "NONE"),
        ({"trade_status": "untradable", "buy_start": AFTER}, "PRELAUNCH", "NONE"),
        ({"trade_status": "untradable", "buy_start": BEFORE}, "HALTED", "NONE"),
        ({"trade_status": "untradable", "delisting_time": BEFORE}, "DELISTED", "NONE"),
        ({"trade_status": "untradable", "delisting_time": AFTER}, "HALTED", "NONE"),
        ({"delisting_time": AFTER}, "TRADING", "ALL"),
    ],
)
def test_states_of_gateio_spot(fields: dict[str, Any], status: str, sides: str) -> None:
    spec = one(SPOT, spot(**fields))
    assert (spec.status, spec.sides) == (status, sides)
    if "delisting_time" in fields:
        assert spec.delisting_at == datetime.fromtimestamp(fields["delisting_time"], UTC)
    assert (spec.delisted_at is not None) == (status == "DELISTED")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": ...}, "TRADING"),
        ({"status": "prelaunch", "launch_time": AFTER}, "PRELAUNCH"),
        ({"status": "delisting"}, "DELISTING"),
        ({"in_delisting": True}, "DELISTING"),
        ({"in_delisting": True, "position_size": ...}, "DELISTING"),
        ({"in_delisting": True, "position_size": 0}, "DELISTED"),
        ({"in_delisting": True, "position_size": "0"}, "DELISTED"),
        ({"status": ..., "in_delisting": True, "position_size": 0}, "DELISTED"),
        ({"status": "delisted", "delisted_time": BEFORE}, "DELISTED"),
        ({"status": "circuit_breaker"}, "HALTED"),
        ({"status": "suspend"}, "HALTED"),
    ],
)
def test_states_of_gateio_futures(fields: dict[str, Any], status: str) -> None:
    spec = one(FUTURES, futures(**fields))
    assert spec.status == status
    assert spec.sides == ("NONE" if status == "DELISTED" else "ALL")
    if "launch_time" in fields:
        assert spec.listed_at == datetime.fromtimestamp(AFTER, UTC)
    if "delisted_time" in fields:
        assert spec.delisted_at == datetime.fromtimestamp(BEFORE, UTC)


@pytest.mark.parametrize(
    ("exchange", "field"),
    [(MEXC, "status"), (MEXC, "tradeSideType"), (SPOT, "trade_status"), (FUTURES, "status"), (FUTURES, "type")],
)
def test_an_unknown_word_is_borne_and_reported(exchange: str, field: str) -> None:
    result = read(exchange, *({**row, field: "brand_new"} for row in many(exchange, 3)))
    assert result.unknown_values == (UnknownValue(field, "brand_new", 3),)
    assert result.rejected == ()
    if field in ("status", "trade_status"):
        assert {symbol.spec.status for symbol in result.symbols} == {SymbolStatus.HALTED}


@pytest.mark.parametrize("exchange", READERS)
def test_an_unknown_field_is_borne_and_reported(exchange: str) -> None:
    result = read(exchange, ROWS[exchange](brand_new={"a": [1, None, "x"]}))
    assert (result.unknown_fields, len(result.symbols)) == (("brand_new",), 1)
    assert read(exchange, ROWS[exchange]()).unknown_fields == ()


@pytest.mark.parametrize("exchange", READERS)
@pytest.mark.parametrize("name", ["币安人生_USDT", "💱_USDT", "TOMO3L_USDT"])
def test_a_name_may_be_in_any_script(exchange: str, name: str) -> None:
    """The currency of a contract is read out of its name, that of a spot symbol out of its own field."""
    base = name.split("_")[0]
    spec = one(exchange, ROWS[exchange](**{BASE_FIELDS[exchange]: base, NAME_FIELDS[exchange]: name}))
    assert (spec.native_symbol, spec.base) == (name, base)


@pytest.mark.parametrize("exchange", [MEXC, SPOT])
def test_a_spot_symbol_may_be_called_anything(exchange: str) -> None:
    """Its currencies stand in fields of their own, so its name need not be made of them."""
    spec = one(exchange, ROWS[exchange](**{NAME_FIELDS[exchange]: "BTC_USDT永续"}))
    assert (spec.native_symbol, spec.symbol) == ("BTC_USDT永续", "BTC/USDT")


def test_a_contract_is_called_by_its_currencies() -> None:
    """They are read out of its name, whatever the script."""
    spec = one(FUTURES, futures(name="BTC_USDT永续"))
    assert (spec.native_symbol, spec.symbol) == ("BTC_USDT永续", "BTC/USDT永续:USDT")


@pytest.mark.parametrize("exchange", READERS)
def test_a_currency_is_in_capitals_where_it_is_ascii(exchange: str) -> None:
    row = mexc("kpepeUSDT", "kpepe") if exchange == MEXC else ROWS[exchange](base="kpepe")
    assert one(exchange, row).symbol.startswith("KPEPE/USDT")


@pytest.mark.parametrize("exchange", READERS)
@pytest.mark.parametrize("name", [None, "", " A_USDT", "A_USDT ", "A\n_USDT", "A\x00_USDT", "A" * 101, 7, ["A"]])
def test_a_row_whose_name_cannot_be_stored_is_rejected(exchange: str, name: Any) -> None:
    result = read(exchange, ROWS[exchange](**{NAME_FIELDS[exchange]: name}), *many(exchange, 2))
    assert [row.index for row in result.rejected] == [0]
    assert len(result.symbols) == 2


@pytest.mark.parametrize("exchange", READERS)
def test_a_rejected_row_is_named(exchange: str) -> None:
    rows = many(exchange, 3)
    rows[1]["fullName" if exchange == MEXC else "order_price_round"] = "\x00"
    rows[1].update({"baseAssetPrecision": "x", "amount_precision": "x"})
    result = read(exchange, *rows)
    name = rows[1][NAME_FIELDS[exchange]]
    assert [(row.index, row.native_symbol) for row in result.rejected] == [(1, name)]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b'{"id": "X_Y", "note": "\\u0000"}', "zero byte"),
        (b'{"id": "X_Y", "note": 1e99999}', "absurd exponent"),
        (b'{"id": "X_Y", "note": "' + b"x" * 70_000 + b'"}', "longer than"),
        (b'{"id": "X_Y", "note": "\\ud800"}', ""),
        (b'{"id": "X_Y", "note": "\xff"}', "UTF-8"),
        (b'{"id": "X_Y", "note": "a\nb"}', "invalid character"),
        (b'{"id": "X_Y"}', "missing required field"),
        (b"7", "Expected"),
        (b"null", "Expected"),
        (b"[]", "Expected"),
    ],
)
def test_a_row_that_the_database_could_not_hold_is_rejected_alone(raw: bytes, why: str) -> None:
    good = msgspec.json.encode(spot())
    result = read_payload(
        SPOT, b"[" + good + b"," + raw + b", " + msgspec.json.encode(spot("ETH")) + b" ]\n", observed_at=NOW
    )
    assert [symbol.spec.base for symbol in result.symbols] == ["BTC", "ETH"]
    assert result.rejected[0].index == 1
    assert why in result.rejected[0].reason


def test_an_escaped_backslash_before_u0000_is_no_zero_byte() -> None:
    row = msgspec.json.encode(spot(base_name="\\u0000"))
    assert read_payload(SPOT, b"[" + row + b"]", observed_at=NOW).rejected == ()


def test_a_name_that_is_there_twice_is_told_and_the_last_is_read() -> None:
    result = read(SPOT, spot(precision=1), spot("ETH"), spot(precision=2))
    assert result.duplicates == ("BTC_USDT",)
    assert [symbol.spec.price_tick for symbol in result.symbols] == [Decimal("0.01"), Decimal("0.1")]
    assert read(SPOT, spot(), spot(precision="x")).duplicates == ("BTC_USDT",)


def test_fees_and_limits_that_cannot_be_are_rejected() -> None:
    assert "a fraction of the notional" in reason(FUTURES, futures(taker_fee_rate="0.075"))
    assert "a fraction of the notional" in reason(MEXC, mexc(takerCommission="0.2"))
    assert "more than max_quantity" in reason(SPOT, spot(min_base_amount="2", max_base_amount="1"))
    assert "min_notional must be a Decimal and zero or more, not -1" in reason(SPOT, spot(min_quote_amount="-1"))
    assert "not a number of decimals" in reason(SPOT, spot(precision=1.5))
    assert "not a number of decimals" in reason(SPOT, spot(precision=99))
    assert "not a time" in reason(SPOT, spot(buy_start=10**18))
    assert "not true or false" in reason(FUTURES, futures(in_delisting="perhaps"))
    assert "cannot settle" in reason(FUTURES, futures(type="inverse"))
    assert "cannot settle" in reason(FUTURES, futures("BTC", "USD", type="direct"), settle="btc")
    assert "cannot settle" in reason(FUTURES, futures("ETH", "USD", type="inverse"), settle="btc")
    assert "not BASE_QUOTE" in reason(FUTURES, futures(name="BTCUSDT"))
    assert "not a word" in reason(MEXC, mexc(status={}))
    assert "status is missing" in reason(MEXC, mexc(status=None))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"<html>", "error page"),
        (b'"text"', "neither"),
        (b"[1, 2", "cut off"),
        (b'[{"id": "BTC_USDT"}', "cut off"),
        (b'{"symbols": [', "cut off"),
        (b'{"symbols": 7}', "no whole JSON"),
        (b"[] trailing", "no whole JSON"),
        (b'{"label": "TOO_MANY_REQUESTS", "message": "slow down"}', "no list of symbols"),
        (b'{"code": 429, "msg": "x"}', "no list of symbols"),
        (b'[{"a": 1}, {"b": 2}]', "no list of symbols"),
        (b"[1, 2, 3]", "no list of symbols"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_symbols_says_so(text: bytes, why: str) -> None:
    for exchange in READERS:
        with pytest.raises(PayloadError, match=why):
            read_payload(exchange, text, observed_at=NOW)


def test_every_truncation_of_a_payload_is_an_error() -> None:
    for exchange in READERS:
        whole = payload(exchange, many(exchange, 2))
        for length in range(len(whole)):
            with pytest.raises(PayloadError):
                read_payload(exchange, whole[:length], observed_at=NOW)


def test_the_edges_of_what_is_taken() -> None:
    """A value exactly at a limit is taken."""
    assert one(SPOT, spot(min_base_amount="5", max_base_amount="5")).max_quantity == 5
    assert one(FUTURES, futures(taker_fee_rate="0.05", maker_fee_rate="-0.05")).taker_fee == Decimal("0.05")
    assert one(SPOT, spot(precision=-20)).price_tick == Decimal(10) ** 20
    assert one(SPOT, spot(precision=40)).price_tick == Decimal("1e-40")
    assert one(MEXC, mexc("A" * 100)).native_symbol == "A" * 100
    assert one(MEXC, mexc("A B")).native_symbol == "A B"
    assert one(MEXC, mexc(base="B" * 50)).base == "B" * 50
    assert "base has 51 characters" in reason(MEXC, mexc(base="B" * 51))
    assert one(SPOT, spot(min_base_amount="0")).min_quantity == 0
    assert one(SPOT, spot(min_quote_amount="0")).min_notional == 0
    assert one(FUTURES, futures(order_size_min=0)).min_quantity == 0
    assert one(MEXC, mexc(quoteAmountPrecision="0")).min_notional == 0
    assert one(SPOT, spot(trade_status="odd")).sides is SidesAllowed.NONE
    assert one(FUTURES, futures(in_delisting="true")).status is SymbolStatus.DELISTING
    assert one(FUTURES, futures(in_delisting="false")).status is SymbolStatus.TRADING
    assert one(FUTURES, futures(in_delisting=None)).status is SymbolStatus.TRADING


def test_a_row_rejected_once_is_no_duplicate() -> None:
    """Twice it is."""
    assert read(SPOT, spot(precision="x"), spot("ETH")).duplicates == ()
    assert read(SPOT, spot(precision="x"), spot(precision="x"), spot("ETH")).duplicates == ("BTC_USDT",)


def test_a_zero_byte_is_found_in_an_envelope_too() -> None:
    """And in a field that nobody reads."""
    assert "zero byte" in reason(MEXC, mexc("ETHUSDT", "ETH", fullName="\x00"))


@pytest.mark.parametrize("payload_", [None, "[]", 7, []])
def test_a_payload_is_bytes(payload_: Any) -> None:
    """Text was decoded by somebody else already, and perhaps wrongly."""
    with pytest.raises(PayloadError, match="bytes"):
        read_payload(SPOT, payload_, observed_at=NOW)


@pytest.mark.parametrize("settle", ["", " ", "\x1b", "x" * 51, None, 7])
def test_a_settlement_is_a_currency(settle: Any) -> None:
    """Anything else is refused by name, before a symbol is made of it."""
    with pytest.raises(InvalidSymbol, match="settle"):
        read(FUTURES, futures(), settle=settle)


def test_a_byte_order_mark_is_borne() -> None:
    assert len(read_payload(SPOT, b"\xef\xbb\xbf" + payload(SPOT, [spot()]), observed_at=NOW).symbols) == 1


@pytest.mark.parametrize("given_for", READERS)
@pytest.mark.parametrize("source", READERS)
def test_another_exchanges_payload_is_noticed(given_for: str, source: str) -> None:
    result = read_payload(given_for, payload(source, many(source, 3)), observed_at=NOW)
    assert len(result.symbols) == 3
    assert (result.foreign is None) == (given_for == source)


def test_contracts_of_another_settlement_are_noticed() -> None:
    result = read(FUTURES, futures("BTC", "USD", type="inverse", quanto_multiplier="0"), settle="usdt")
    assert "another settlement" in str(result.foreign)
    assert "another settlement" in str(read(FUTURES, futures(), settle="btc").foreign)


@pytest.mark.parametrize("exchange", READERS)
def test_an_empty_list_is_read_as_one(exchange: str) -> None:
    result = read(exchange)
    assert (result.symbols, result.foreign) == ((), None)


@pytest.mark.parametrize("exchange", READERS)
def test_hostile_text_in_any_field_costs_that_row_at_most(exchange: str) -> None:
    rows = many(exchange, 3)
    for field in rows[1]:
        for text in HOSTILE:
            if len(text) > 1000 or not _encodable(text):
                continue
            result = read(exchange, rows[0], {**rows[1], field: text}, rows[2])
            names = [symbol.spec.native_symbol for symbol in result.symbols]
            assert names[0] == rows[0][NAME_FIELDS[exchange]]
            assert names[-1] == rows[2][NAME_FIELDS[exchange]]
            assert len(names) + len(result.rejected) == 3


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.text(max_size=20),
    st.decimals().map(str),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@property_settings(300)
@given(exchange=st.sampled_from(sorted(READERS)), seed=st.integers(), values=st.lists(ODD, min_size=1, max_size=4))
def test_whatever_a_field_holds_a_row_is_read_or_rejected(exchange: str, seed: int, values: list[Any]) -> None:
    draw = random.Random(seed)
    rows = many(exchange, 3)
    for value in values:
        rows[1][draw.choice(sorted(rows[1]))] = value
    result = read(exchange, *rows)
    assert len(result.symbols) + len(result.rejected) == 3 - sum(
        name in _twice(rows, exchange) for name in result.duplicates
    )
    for symbol in result.symbols:
        spec = symbol.spec
        assert spec.price_tick > 0
        assert spec.quantity_step > 0
        assert spec.contract_size is None or spec.contract_size > 0


def _twice(rows: list[dict[str, Any]], exchange: str) -> list[Any]:
    names = [row.get(NAME_FIELDS[exchange]) for row in rows]
    return [name for name in names if names.count(name) > 1]


@property_settings(300)
@given(exchange=st.sampled_from(sorted(READERS)), seed=st.integers())
def test_flipped_bytes_end_in_symbols_or_in_our_error(exchange: str, seed: int) -> None:
    draw = random.Random(seed)
    text = bytearray(payload(exchange, many(exchange, 2)))
    for _ in range(draw.randint(1, 6)):
        text[draw.randrange(len(text))] = draw.randrange(256)
    try:
        result = read_payload(exchange, bytes(text), observed_at=NOW)
    except PayloadError:
        return
    for row in result.rejected:
        assert isinstance(row, RejectedRow)
        assert row.reason
    for symbol in result.symbols:
        bytes(symbol.raw).decode()


def test_times_are_judged_by_when_it_was_observed() -> None:
    rows = payload(SPOT, [spot(trade_status="untradable", buy_start=AFTER)])
    later = read_payload(SPOT, rows, observed_at=NOW + timedelta(days=1))
    assert later.symbols[0].spec.status is SymbolStatus.HALTED


@pytest.mark.parametrize(
    ("exchange", "row", "before", "status"),
    [
        (SPOT, spot(trade_status="untradable", buy_start=AFTER), "PRELAUNCH", "HALTED"),
        (SPOT, spot(trade_status="untradable", delisting_time=AFTER), "HALTED", "DELISTED"),
        (FUTURES, futures(name="BTC_USDT_20200814", expire_time=AFTER), "TRADING", "EXPIRED"),
    ],
)
def test_a_time_is_reached_at_its_very_second(exchange: str, row: dict[str, Any], before: str, status: str) -> None:
    at = datetime.fromtimestamp(AFTER, UTC)
    for moment, expected in ((at - timedelta(microseconds=1), before), (at, status)):
        result = read_payload(exchange, payload(exchange, [row]), observed_at=moment, settle="usdt")
        assert result.symbols[0].spec.status == expected
