"""Readers of payloads: every number exact, every oddity borne, every broken row rejected alone and named."""

import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges_db import PayloadError, SidesAllowed, SymbolStatus
from exchanges_db.symbols.enums import ContractDirection
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.readers import all_readers, read_payload
from exchanges_db.symbols.payloads.reading import Payload, RejectedRow, UnknownValue
from tests.factories import property_settings
from tests.hostile_text import HOSTILE
from tests.payload_rows import MAKERS, futures, many, mexc, payload, spot

READERS = {reader.name: reader for reader in all_readers()}
MEXC, SPOT, FUTURES, DELIVERY, OPTIONS = (
    "mexc_spot",
    "gateio_spot",
    "gateio_futures",
    "gateio_delivery",
    "gateio_options",
)
LISTS = {FUTURES: "PERPETUAL:USDT", DELIVERY: "FUTURE:USDT", OPTIONS: "OPTION:USDT:BTC_USDT"}
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NAME_FIELDS = {MEXC: "symbol", "mexc_futures": "symbol", SPOT: "id", FUTURES: "name", DELIVERY: "name", OPTIONS: "name"}
# Where the currency stands; a contract of Gate.io has it in its name only, an option in its underlying.
BASE_FIELDS = {MEXC: "baseAsset", "mexc_futures": "baseCoin", SPOT: "base", FUTURES: "name", DELIVERY: "name"}
BEFORE, AFTER = int(NOW.timestamp()) - 3600, int(NOW.timestamp()) + 3600


def read(reader: str, *rows: dict[str, Any], listing: str | None = None, at: datetime = NOW) -> Payload:
    """What a payload of these rows lists."""
    return read_text(reader, payload(reader, list(rows)), listing, at)


def read_text(reader: str, text: bytes, listing: str | None = None, at: datetime = NOW) -> Payload:
    """What a payload lists."""
    return read_payload(READERS[reader].exchange, text, listing=listing or LISTS.get(reader), observed_at=at)


def one(reader: str, row: dict[str, Any], listing: str | None = None, at: datetime = NOW) -> SymbolSpec:
    """The symbol of a payload of one row, which must be readable."""
    result = read(reader, row, listing=listing, at=at)
    assert result.rejected == ()
    return result.symbols[0].spec


def reason(reader: str, row: dict[str, Any], listing: str | None = None) -> str:
    """Why a row is rejected; the row after it is not."""
    result = read(reader, row, MAKERS[reader](), listing=listing)
    assert len(result.symbols) == 1 or listing
    assert result.rejected[0].index == 0
    return result.rejected[0].reason


def test_every_reader_is_tested() -> None:
    """A new one fails here until there is a row to test it with."""
    assert MAKERS.keys() == NAME_FIELDS.keys() == READERS.keys()


def test_an_inverse_contract_with_the_multiplier_0_is_worth_1_usd() -> None:
    spec = one(FUTURES, futures("BTC", "USD", type="inverse", quanto_multiplier="0"), "PERPETUAL:BTC")
    assert (spec.symbol, spec.settle, spec.direction, spec.contract_size) == (
        "BTC/USD:BTC", "BTC", ContractDirection.INVERSE, Decimal(1),
    )  # fmt: skip


def test_a_linear_contract_with_the_multiplier_0_is_broken() -> None:
    assert "contract_size must be a Decimal and positive, not 0" in reason(FUTURES, futures(quanto_multiplier="0"))


def test_a_contract_settled_in_a_third_currency_is_quanto() -> None:
    result = read(FUTURES, futures("ETH", "USD"), futures("BTC", "USD", type="inverse"), listing="PERPETUAL:BTC")
    assert [symbol.spec.direction for symbol in result.symbols] == [
        ContractDirection.QUANTO, ContractDirection.INVERSE,
    ]  # fmt: skip
    assert result.foreign is None


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
    assert one(SPOT, spot(fee=...)).list_taker_fee is None


def test_a_minimum_may_be_less_than_a_step() -> None:
    spec = one(MEXC, mexc("ATLASUSDT", "ATLAS", baseAssetPrecision=2, baseSizePrecision="0.0001"))
    assert (spec.quantity_step, spec.min_quantity) == (Decimal("0.01"), Decimal("0.0001"))


@pytest.mark.parametrize(
    ("exchange", "field"),
    [
        (MEXC, "status"),
        (MEXC, "tradeSideType"),
        (SPOT, "trade_status"),
        (SPOT, "type"),
        (FUTURES, "status"),
        (FUTURES, "type"),
        (FUTURES, "contract_type"),
        (DELIVERY, "type"),
        ("mexc_futures", "state"),
        ("mexc_futures", "futureType"),
        ("mexc_futures", "type"),
        ("mexc_futures", "typeLabel"),
    ],
)
def test_an_unknown_word_that_decides_about_trading_halts_and_is_reported(exchange: str, field: str) -> None:
    result = read(exchange, *({**row, field: "brand_new"} for row in many(exchange, 3)))
    assert result.unknown_values == (UnknownValue(field, "brand_new", "HALTED", 3),)
    assert result.rejected == ()
    assert {symbol.spec.status for symbol in result.symbols} == {SymbolStatus.HALTED}


@pytest.mark.parametrize("exchange", READERS)
def test_an_unknown_field_is_borne_and_reported(exchange: str) -> None:
    result = read(exchange, MAKERS[exchange](brand_new={"a": [1, None, "x"]}))
    assert (result.unknown_fields, len(result.symbols)) == (("brand_new",), 1)
    assert read(exchange, MAKERS[exchange]()).unknown_fields == ()


@pytest.mark.parametrize("exchange", BASE_FIELDS)
@pytest.mark.parametrize("name", ["币安人生_USDT", "💱_USDT", "TOMO3L_USDT"])
def test_a_name_may_be_in_any_script(exchange: str, name: str) -> None:
    """The currency of a contract is read out of its name, that of a spot symbol out of its own field."""
    base = name.split("_")[0]
    name += "_20261225" * (exchange == DELIVERY)
    spec = one(exchange, MAKERS[exchange](**{BASE_FIELDS[exchange]: base, NAME_FIELDS[exchange]: name}))
    assert (spec.native_symbol, spec.base) == (name, base)


@pytest.mark.parametrize("exchange", [MEXC, SPOT])
def test_a_spot_symbol_may_be_called_anything(exchange: str) -> None:
    """Its currencies stand in fields of their own, so its name need not be made of them."""
    spec = one(exchange, MAKERS[exchange](**{NAME_FIELDS[exchange]: "BTC_USDT永续"}))
    assert (spec.native_symbol, spec.symbol) == ("BTC_USDT永续", "BTC/USDT")


def test_a_contract_is_called_by_its_currencies() -> None:
    """They are read out of its name, whatever the script."""
    spec = one(FUTURES, futures(name="BTC_USDT永续"))
    assert (spec.native_symbol, spec.symbol) == ("BTC_USDT永续", "BTC/USDT永续:USDT")


@pytest.mark.parametrize("exchange", READERS)
def test_a_currency_keeps_the_exchanges_spelling(exchange: str) -> None:
    """USDe and USDE are two coins."""
    row = mexc("kpepeUSDe", "kpepe", "USDe") if exchange == MEXC else MAKERS[exchange](base="kpepe")
    listing = "OPTION:USDT:kpepe_USDT" if exchange == OPTIONS else None
    spec = one(exchange, row, listing)
    assert spec.symbol.startswith("kpepe/USDe" if exchange == MEXC else "kpepe/USDT")


@pytest.mark.parametrize("exchange", READERS)
@pytest.mark.parametrize("name", [None, "", " A_USDT", "A_USDT ", "A\n_USDT", "A\x00_USDT", "A" * 101, 7, ["A"]])
def test_a_row_whose_name_cannot_be_stored_is_rejected(exchange: str, name: Any) -> None:
    result = read(exchange, MAKERS[exchange](**{NAME_FIELDS[exchange]: name}), *many(exchange, 2))
    assert [row.index for row in result.rejected] == [0]
    assert len(result.symbols) == 2


@pytest.mark.parametrize("exchange", READERS)
def test_a_rejected_row_is_named(exchange: str) -> None:
    rows = many(exchange, 3)
    for field in ("baseAssetPrecision", "amount_precision", "order_price_round", "priceUnit"):
        if field in rows[1]:
            rows[1][field] = "x"
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
    result = read_text(SPOT, b"[" + good + b"," + raw + b", " + msgspec.json.encode(spot("ETH")) + b" ]\n")
    assert [symbol.spec.base for symbol in result.symbols] == ["BTC", "ETH"]
    assert result.rejected[0].index == 1
    assert why in result.rejected[0].reason


def test_an_escaped_backslash_before_u0000_is_no_zero_byte() -> None:
    row = msgspec.json.encode(spot(base_name="\\u0000"))
    assert read_text(SPOT, b"[" + row + b"]").rejected == ()


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
    assert "cannot settle" in reason(FUTURES, futures("BTC", "USD", type="direct"), listing="PERPETUAL:BTC")
    assert "cannot settle" in reason(FUTURES, futures("ETH", "USD", type="inverse"), listing="PERPETUAL:BTC")
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
        (b'{"label": "TOO_MANY_REQUESTS", "message": "slow down"}', "TOO_MANY_REQUESTS.*slow down"),
        (b'{"code": 429, "msg": "x"}', "429"),
        (b'{"code": 700002, "msg": "Signature invalid"}', "700002.*Signature invalid"),
        (b'{"code": 700002, "msg": "Signature invalid", "symbols": []}', "700002.*Signature invalid"),
        (b'{"code": "500", "success": true, "data": []}', "it says.*500"),
        (b'{"label": "TOO_BUSY", "data": []}', "TOO_BUSY"),
        (b'{"code": "30002", "msg": "no"}', "30002"),
        (b'{"success": false, "code": 510, "message": "Excessive frequency"}', "Excessive frequency"),
        (b'{"success": false, "code": 0, "data": []}', "success.*false"),
        (b'{"symbols": null}', '"symbols": null'),
        (b'{"success": true, "code": 0, "data": null}', '"data": null'),
        (b'{"label": "' + b"x" * 5000 + b'"}', r"x'\.\.\."),
        (b'{"label": "a\\u001b[31m", "message": "\xe2\x80\xae"}', r"u001b.*u202e"),
        (b'{"code": 200, "data": ["BTCUSDT"], "msg": null}', "no list of symbols.*BTCUSDT"),
        (b'[{"a": 1}, {"b": 2}]', "no list of symbols"),
        (b"[1, 2, 3]", "no list of symbols"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_symbols_says_so(text: bytes, why: str) -> None:
    for exchange in READERS:
        with pytest.raises(PayloadError, match=why):
            read_text(exchange, text)


def test_every_truncation_of_a_payload_is_an_error() -> None:
    for exchange in READERS:
        whole = payload(exchange, many(exchange, 2))
        for length in range(len(whole)):
            with pytest.raises(PayloadError):
                read_text(exchange, whole[:length])


def test_the_edges_of_what_is_taken() -> None:
    """A value exactly at a limit is taken."""
    assert one(SPOT, spot(min_base_amount="5", max_base_amount="5")).max_quantity == 5
    assert one(FUTURES, futures(taker_fee_rate="0.05", maker_fee_rate="-0.05")).list_taker_fee == Decimal("0.05")
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
        read_text(SPOT, payload_)


def test_a_byte_order_mark_is_borne() -> None:
    assert len(read_text(SPOT, b"\xef\xbb\xbf" + payload(SPOT, [spot()])).symbols) == 1


@pytest.mark.parametrize("given_for", READERS)
@pytest.mark.parametrize("source", READERS)
def test_another_exchanges_payload_is_noticed(given_for: str, source: str) -> None:
    result = read_text(given_for, payload(source, many(source, 3)))
    assert len(result.symbols) == 3
    assert result.source == source
    assert (result.foreign is None) == (given_for == source)
    assert all(result.listing.covers(symbol.spec) for symbol in result.symbols)


def test_contracts_of_another_settlement_are_noticed() -> None:
    result = read(FUTURES, futures("BTC", "USD", type="inverse", quanto_multiplier="0"))
    assert "another settlement" in str(result.foreign)
    assert "another settlement" in str(read(FUTURES, futures(), listing="PERPETUAL:BTC").foreign)


@pytest.mark.parametrize("exchange", READERS)
def test_an_empty_list_is_read_as_one(exchange: str) -> None:
    result = read(exchange)
    assert (result.symbols, result.foreign) == ((), None)


@pytest.mark.untraced
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
        result = read_text(exchange, bytes(text))
    except PayloadError:
        return
    for row in result.rejected:
        assert isinstance(row, RejectedRow)
        assert row.reason
    for symbol in result.symbols:
        assert symbol.raw is not None
        bytes(symbol.raw).decode()


@pytest.mark.parametrize("bad", [b'"\\ud800"', b'"a\tb"', b'"\xff"'])
@pytest.mark.parametrize(("exchange", "field"), [("MEXC_SPOT", b"fullName"), ("MEXC_FUTURES", b"displayName")])
def test_bad_text_in_one_row_of_an_envelope_costs_that_row_alone(exchange: str, field: bytes, bad: bytes) -> None:
    """As it does in a bare list; what stands around the rows is checked all the same."""
    rows = [MAKERS[exchange.lower()]() for _ in range(3)]
    for number, row in enumerate(rows):
        row["symbol"] = f"C{number}"
        row[field.decode()] = "here" if number == 1 else "x"
    text = payload(exchange.lower(), rows).replace(b'"here"', bad)
    found = read_payload(exchange, text, observed_at=NOW)
    assert [symbol.spec.native_symbol for symbol in found.symbols] == ["C0", "C2"]
    assert [row.index for row in found.rejected] == [1]
    for broken in (text[:-1], text + b"x", text[:-1] + b",}", text[:-1] + b',7:"x"}', b'{"a":"\\ud800"'):
        with pytest.raises(PayloadError):
            read_payload(exchange, broken, observed_at=NOW)
