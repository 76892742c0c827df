"""What one field may hold, value by value."""

from enum import Enum, IntEnum, StrEnum
from typing import Any, Self

import pytest

from exchanges_db import Exchange, ExchangeEnum, InvalidExchange, MarketType
from exchanges_db.exchanges.enums import enum_text
from exchanges_db.exchanges.rules import CHECKS, INTEGER_MAX, SMALLINT_MAX, check_exchange_id, check_field


class Number(IntEnum):
    """An int to Python, not to us."""

    TEN = 10


ACCEPTED: list[tuple[str, Any]] = [
    ("name", "x"),
    ("name", "n" * 50),
    ("name", " leading and trailing "),
    ("enum_value", "\u00a0"),
    ("display_name", "д" * 100),
    ("display_name", "\U0001f4b1\u200b"),
    ("market_type", "OPTIONS"),
    ("market_type", MarketType.SPOT),
    ("is_active", False),
    ("base_url", None),
    ("base_url", "http://h"),
    ("base_url", "https://" + "h" * 247),
    ("websocket_url", "ws://h/path?a=b#c"),
    ("websocket_url", "wss://[::1]:8080"),
    ("rate_limit_requests_per_second", None),
    ("rate_limit_requests_per_second", 1),
    ("rate_limit_requests_per_second", INTEGER_MAX),
    ("precision_default", 0),
    ("precision_default", 18),
]
WRONG_MARKET_TYPES: list[Any] = [None, "", "spot", "SPOT ", "SWAP", 1, ["SPOT"], {}, "S" * 10_000]
REFUSED: list[tuple[str, Any]] = [
    *((field, value) for field in ("name", "enum_value", "display_name")
      for value in (None, "", " ", "   ", 7, b"x", "a\x00b", "a\nb", "\x7f", "\x1f", "\ud800", "x" * 101, True)),
    ("name", "n" * 51),
    *(("market_type", value) for value in WRONG_MARKET_TYPES),
    *(("is_active", value) for value in (None, 0, 1, "true", "")),
    *((field, value) for field in ("base_url", "websocket_url")
      for value in ("", " ", "h", "ftp://h", "//h", "http:/h", "HTTP://h", "WSS://h", 7, "https://", "wss://",
                    "https:///x", "wss:// h")),
    ("base_url", "wss://h"),
    ("websocket_url", "https://h"),
    ("base_url", "https://h\n"),
    ("base_url", "https://h/a b"),
    ("base_url", "https://" + "h" * 248),
    *((field, value) for field in ("rate_limit_requests_per_second", "precision_default")
      for value in (-1, 1.0, 1.5, True, False, "1", float("nan"), 2**31, 10**5000, -(10**5000), Number.TEN)),
    ("rate_limit_requests_per_second", 0),
    ("precision_default", None),
    ("precision_default", 19),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), ACCEPTED)
def test_a_value_that_fits_comes_back_as_it_was(field: str, value: Any) -> None:
    """Nothing is trimmed, folded or converted on the way."""
    assert check_field(field, value) == value


@pytest.mark.parametrize(("field", "value"), REFUSED, ids=range(len(REFUSED)))
def test_a_value_that_does_not_fit_is_refused_by_name(field: str, value: Any) -> None:
    """A bool is no int, 1.0 is no int, and the error says which field and in few words."""
    with pytest.raises(InvalidExchange, match=field) as info:
        check_field(field, value)
    assert info.value.field == field
    assert len(str(info.value)) < 300


def test_every_field_has_an_accepted_and_a_refused_value_here() -> None:
    """A new field cannot come in without its rule being shown."""
    assert {field for field, _ in ACCEPTED} == {field for field, _ in REFUSED} == CHECKS.keys()


@pytest.mark.parametrize(
    ("value", "possible"),
    [(1, True), (0, True), (-1, True), (SMALLINT_MAX, True), (SMALLINT_MAX + 1, False), (-SMALLINT_MAX - 1, True),
     (-SMALLINT_MAX - 2, False), (10**5000, False)],
    ids=range(8),
)  # fmt: skip
def test_an_id_that_no_row_can_have_is_no_error(value: int, possible: bool) -> None:
    """An integer beyond smallint names a row that cannot exist."""
    assert check_exchange_id(value) is possible


@pytest.mark.parametrize("value", [None, "1", 1.0, True, b"1", Number.TEN, [1]])
def test_an_id_that_is_no_integer_is_refused(value: Any) -> None:
    """The driver would take 1.0 and True for 1."""
    with pytest.raises(InvalidExchange, match="must be an integer") as info:
        check_exchange_id(value)
    assert info.value.field == "id"


@pytest.mark.parametrize("text", ["SPOT", "spot", "Spot", "sPoT"])
def test_a_market_type_is_found_in_any_case(text: str) -> None:
    """People type as they like."""
    assert MarketType.parse(text) is MarketType.SPOT


@pytest.mark.parametrize(
    "text",
    ["", " spot", "SWAP", "spöt", "\u017fpot", "opt\u0131ons", "S" * 100_000, None, 7, 10**5000, b"SPOT"],
    ids=range(11),
)
def test_an_unknown_market_type_is_refused_with_the_list(text: Any) -> None:
    """Only the Latin letters count: other letters whose capital looks alike do not."""
    with pytest.raises(InvalidExchange, match="is not one of SPOT, FUTURES, OPTIONS") as info:
        MarketType.parse(text)
    assert info.value.field == "market_type"
    assert len(str(info.value)) < 300


class Venue(Enum):
    """An Enum of a user's own."""

    MEXC = "MEXC_SPOT"


class Odd(StrEnum):
    """Members whose text is not their value."""

    def __new__(cls, text: str, value: Any) -> Self:
        """Be the first, with the second for a value."""
        member = str.__new__(cls, text)
        member._value_ = value
        return member

    def __str__(self) -> str:
        return "a label"

    MEXC = ("MEXC_SPOT", "GATEIO_SPOT")
    NUMBERED = ("KRAKEN_SPOT", 7)


class Label(str):
    """A text that shows another one."""

    __slots__ = ()

    def __str__(self) -> str:
        return "a label"


class Labelled(Enum):
    """Such texts for values."""

    MEXC = Label("MEXC_SPOT")


@pytest.mark.parametrize(
    "exchange", ["MEXC_SPOT", ExchangeEnum.MEXC, Venue.MEXC, Odd.MEXC, Label("MEXC_SPOT"), Labelled.MEXC]
)
def test_members_other_enums_and_text_lead_to_the_same_row(exchange: Enum | str) -> None:
    """What goes to the driver is plain text, not a member that only equals it."""
    assert type(enum_text(exchange)) is str
    assert enum_text(exchange) == "MEXC_SPOT"


def test_a_row_is_the_member_that_leads_to_it() -> None:
    """By the same rule: by its text where it is text, else by its value."""
    for member in (Odd.MEXC, Venue.MEXC, ExchangeEnum.MEXC, Labelled.MEXC):
        exchange = Exchange.from_exchange_enum(member)
        assert (exchange.enum_value, exchange.to_exchange_enum(type(member))) == ("MEXC_SPOT", member)
    numbered = Exchange.from_exchange_enum(Odd.NUMBERED, display_name="Kraken", market_type="SPOT")
    assert (numbered.enum_value, numbered.to_exchange_enum(Odd)) == ("KRAKEN_SPOT", Odd.NUMBERED)
    with pytest.raises(InvalidExchange, match="no Odd has the value 'GATEIO_SPOT'"):
        Exchange.from_exchange_enum("GATEIO_SPOT").to_exchange_enum(Odd)
