"""SymbolSpec: one that exists can be stored; rows of the database are taken as they are."""

import pickle
from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, Decimal, localcontext
from enum import StrEnum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges_db import (
    ContractDirection,
    InvalidSymbol,
    OrderType,
    SidesAllowed,
    Symbol,
    SymbolKind,
    SymbolSpec,
    SymbolStatus,
)
from exchanges_db.symbols.changes import KnownSymbol
from tests.factories import ANYTHING, property_settings
from tests.symbol_rows import KINDS, as_spec_fields

AT = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("native_symbol", "symbol", "base", "quote")
POSITIVE = ("price_tick", "quantity_step", "contract_size")
LIMITS = ("min_quantity", "max_quantity", "min_notional", "max_notional")
MARKET = tuple(f"market_{field}" for field in LIMITS)
RATIOS = ("price_band_up", "price_band_down", "market_slip_ratio", "funding_cap")
RATES = ("initial_margin_rate", "maintenance_margin_rate")
FEES = ("list_maker_fee", "list_taker_fee")
TIMES = ("buy_opens_at", "sell_opens_at", "delisting_at", "delisted_at", "expires_at", "exchange_changed_at")
FLAGS = ("tick_assumed", "step_assumed", "margin_allowed", "is_risky", "is_premarket")
NO_NUMBERS: list[Any] = [
    1, 0.5, True, "1", "\uff11", b"1", *map(Decimal, ("-1", "-0.01", "NaN", "sNaN", "-NaN", "Infinity", "-Infinity")),
    Decimal("1E+131072"), Decimal("1E-16384"), Decimal("0." + "1" * 16384),
]  # fmt: skip


def spec_or_refusal(fields: dict[str, Any]) -> SymbolSpec | InvalidSymbol:
    """What is made of these fields, or why it is not; any other error goes on."""
    try:
        return SymbolSpec(**fields)
    except InvalidSymbol as exc:
        return exc


class Word(StrEnum):
    """Equal to the text of a member, but another type."""

    SPOT = "SPOT"


REFUSED: list[tuple[str, str, Any]] = [
    *(("linear", field, text) for field in (*NAMES, "settle")
      for text in (None, 7, b"", Word.SPOT, "", " ", " X", "X ", "\n", "\x00", "\x7f", "\x1b[1m", "\ud800", "x" * 201)),
    ("spot", "native_symbol", "x" * 101),
    *(("linear", field, "x" * 51) for field in ("base", "quote", "settle")),
    *(("spot", field, value) for field in ("kind", "status", "sides")
      for value in (None, "SPOT", "TRADING", "ALL", 1, Word.SPOT, ContractDirection.LINEAR)),
    *(("linear", "direction", value) for value in (None, "LINEAR", 1, SymbolKind.SPOT)),
    *(("spot", "api_tradable", value) for value in (None, 1, 0, "true")),
    *(("linear", field, value) for field in POSITIVE for value in (*NO_NUMBERS, None, Decimal(0), Decimal("-0"))),
    *(("spot", field, value) for field in LIMITS for value in NO_NUMBERS),
    *(("spot", field, Decimal(0)) for field in ("max_quantity", "max_notional")),
    *(("spot", field, value) for field in FEES for value in
      (1, 0.001, "0.001", *map(Decimal, ("0.2", "0.05000001", "-0.051", "NaN", "sNaN", "Infinity")))),
    *(("spot", field, value) for field, value in
      (("settle", "USDT"), ("direction", ContractDirection.LINEAR), ("contract_size", Decimal(1)))),
    ("linear", "direction", ContractDirection.INVERSE),
    ("linear", "direction", ContractDirection.QUANTO),
    ("inverse", "direction", ContractDirection.LINEAR),
    ("inverse", "direction", ContractDirection.QUANTO),
    ("quanto", "direction", ContractDirection.LINEAR),
    ("quanto", "direction", ContractDirection.INVERSE),
    *(("future", field, value) for field in TIMES for value in
      (AT.replace(tzinfo=None), "2026-01-01T00:00:00Z", 1, AT.date(),
       datetime.min.replace(tzinfo=timezone(timedelta(hours=14))))),
    *(("spot", field, value) for field in MARKET for value in NO_NUMBERS),
    *(("spot", field, value) for field in RATIOS for value in NO_NUMBERS),
    *(("linear", field, value) for field in RATES for value in (*NO_NUMBERS, Decimal("1.01"))),
    *(("linear", field, value) for field in ("leverage_min", "leverage_max") for value in (*NO_NUMBERS, Decimal(0))),
    *(("option", "strike", value) for value in (*NO_NUMBERS, None, Decimal(0))),
    *(("option", "option_type", value) for value in (None, "CALL", 1)),
    ("linear", "strike", Decimal(1)),
    *(("spot", field, value) for field in ("price_band_of", "asset_class") for value in ("MARK", "CRYPTO", 1)),
    *(("spot", "order_types", value) for value in ([OrderType.LIMIT], ("LIMIT",), OrderType.LIMIT, "LIMIT")),
    *(("spot", field, value) for field in FLAGS for value in (1, "true", "")),
    *(("spot", field, None) for field in ("tick_assumed", "step_assumed")),
    *(("linear", field, value) for field in ("funding_interval", "max_open_orders")
      for value in (0, -1, True, 1.5, "1", Decimal(1), 2**31)),
    *(("spot", field, text) for field in ("full_name", "contract_address")
      for text in (7, "", " ", "X ", "\x00", "x" * 201)),
    ("future", "expires_at", None),
    ("option", "expires_at", None),
    ("spot", "expires_at", AT),
    ("linear", "expires_at", AT),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "field", "value"), REFUSED, ids=range(len(REFUSED)))
def test_nonsense_is_refused_when_it_is_made(kind: str, field: str, value: Any) -> None:
    """Under any decimal context of the caller's, and the error names the field in few words."""
    for context in (Context(), Context(prec=3, traps=[])):
        with localcontext(context), pytest.raises(InvalidSymbol, match=field) as info:
            SymbolSpec(**as_spec_fields(kind, **{field: value}))
        assert info.value.field == field
        assert len(str(info.value)) < 300


def test_every_field_is_shown_to_refuse_something() -> None:
    """A new field cannot come in without its rule."""
    assert {field for _, field, _ in REFUSED} == set(SymbolSpec.__struct_fields__)


@pytest.mark.parametrize(
    ("moment", "kept"),
    [
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), False),
        (datetime(1970, 1, 1, tzinfo=UTC), True),
        (datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC), True),
        (datetime(9999, 12, 31, tzinfo=UTC), False),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-9))), False),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=9))), False),
    ],
)
def test_times_are_bounded_as_in_the_database(moment: datetime, kept: bool) -> None:
    """One bad row must not reach a constraint there, which would stop the whole list."""
    found = spec_or_refusal(as_spec_fields(buy_opens_at=moment))
    assert isinstance(found, SymbolSpec) is kept
    assert kept or getattr(found, "field", None) == "buy_opens_at"


@pytest.mark.parametrize("of", ["quantity", "notional"])
def test_a_minimum_does_not_exceed_its_maximum(of: str) -> None:
    """Equal ones are fine."""
    fields = {f"min_{of}": Decimal("1.0"), f"max_{of}": Decimal(1)}
    assert SymbolSpec(**as_spec_fields("spot", **fields))
    with pytest.raises(InvalidSymbol, match=f"min_{of} is 1.1, more than max_{of}, 1") as info:
        SymbolSpec(**as_spec_fields("spot", **{**fields, f"min_{of}": Decimal("1.1")}))
    assert info.value.field == f"min_{of}"


def test_what_is_delisted_was_so_at_a_time() -> None:
    """Else nobody could tell when it could last be traded."""
    fields = as_spec_fields("spot", status=SymbolStatus.DELISTED)
    with pytest.raises(InvalidSymbol, match="delisted_at") as info:
        SymbolSpec(**fields)
    assert info.value.field == "delisted_at"
    assert SymbolSpec(**{**fields, "delisted_at": AT}).delisted_at == AT


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"native_symbol": "A B", "symbol": "币安人生/USDT"},
        {"native_symbol": "💱" * 100},
        {"native_symbol": "a\u00a0b\u0085"},
        {"min_quantity": Decimal("-0"), "min_notional": Decimal(0)},
        {"price_tick": Decimal("1E-16383"), "quantity_step": Decimal("1E+131071")},
        {"list_maker_fee": Decimal("-0.05"), "list_taker_fee": Decimal("0.050")},
        {"order_types": (OrderType.LIMIT, OrderType.MARKET), "max_open_orders": 2**31 - 1},
        {"buy_opens_at": datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-5)))},
        {"sides": SidesAllowed.NONE},
    ],
)
def test_what_is_real_is_taken_as_it_is(kind: str, fields: dict[str, Any]) -> None:
    """Nothing is rounded, trimmed or converted on the way."""
    spec = SymbolSpec(**as_spec_fields(kind, **fields))
    for field, value in fields.items():
        assert getattr(spec, field) is value
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.untraced
@property_settings(500)
@given(overrides=st.dictionaries(st.sampled_from(SymbolSpec.__struct_fields__), ANYTHING, min_size=1, max_size=3))
def test_any_value_makes_a_symbol_or_an_error_that_names_a_field(overrides: dict[str, Any]) -> None:
    """Whatever a field is given, there is a SymbolSpec or an InvalidSymbol, nothing else."""
    made = spec_or_refusal(as_spec_fields("future", **overrides))
    if isinstance(made, InvalidSymbol):
        assert made.field in SymbolSpec.__struct_fields__
        assert len(str(made)) < 500
        return
    assert type(made.price_tick) is Decimal
    assert made.price_tick > 0


def test_a_changed_copy_and_a_document_are_checked_too() -> None:
    """Every way of making one leads through the same checks."""
    spec = SymbolSpec(**as_spec_fields("linear"))
    with pytest.raises(InvalidSymbol, match="price_tick"):
        msgspec.structs.replace(spec, price_tick=Decimal(-1))
    document = msgspec.json.encode(spec)
    assert msgspec.json.decode(document, type=SymbolSpec) == spec
    with pytest.raises(msgspec.ValidationError, match="price_tick"):
        msgspec.json.decode(document.replace(b'"price_tick":"0.05"', b'"price_tick":"-1"'), type=SymbolSpec)


@pytest.mark.parametrize("kind", [Symbol, KnownSymbol])
def test_a_row_of_the_database_is_not_checked_twice(kind: type[SymbolSpec]) -> None:
    """The table's constraints hold its rows; SymbolSpec alone runs the checks."""
    assert "__post_init__" in vars(kind)
    fields: dict[str, Any] = {
        "id": 1,
        "exchange_id": 1,
        "exchange": "MEXC_SPOT",
        "price_decimals": 2,
        "quantity_decimals": 3,
        "spec_version": 1,
        "created_at": AT,
        "updated_at": AT,
    }
    row = {**as_spec_fields("spot", price_tick=Decimal(-1)), **fields}
    known = {field: row[field] for field in kind.__struct_fields__ if field in row}
    assert kind(**known).price_tick == -1
    assert isinstance(kind(**known), SymbolSpec)
