"""Exchange: one that exists is valid."""

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges_db import Exchange, ExchangeEnum, ExchangesDBError, InvalidExchange, MarketType, StoredExchange
from exchanges_db.exchanges.defaults import DEFAULTS
from exchanges_db.exchanges.models import check_updates
from exchanges_db.exchanges.rules import CHECKS, INTEGER_MAX, SMALLINT_MAX
from tests.factories import ANYTHING, an_exchange, exchange_fields, property_settings

T = TypeVar("T")
FIELDS = Exchange.__struct_fields__
HASHABLE = ANYTHING.filter(lambda value: value.__hash__ is not None)


class Venue(Enum):
    """An enum of somebody else's."""

    MEXC = "MEXC_SPOT"
    KRAKEN = "KRAKEN_SPOT"
    NUMBER = 7
    HUGE = 10**5000


def result_or_refusal(action: Callable[[], T]) -> T | InvalidExchange:
    """What `action` makes, or the InvalidExchange it raises; any other error goes on."""
    try:
        return action()
    except InvalidExchange as exc:
        return exc


@property_settings(500)
@given(overrides=st.dictionaries(st.sampled_from(FIELDS), ANYTHING, min_size=1, max_size=4))
def test_any_value_makes_a_valid_exchange_or_an_error_that_names_the_field(overrides: dict[str, Any]) -> None:
    """Whatever a field is given, there is an Exchange that the table can store or an InvalidExchange, nothing else."""
    exchange = result_or_refusal(lambda: Exchange(**exchange_fields(**overrides)))
    if isinstance(exchange, InvalidExchange):
        assert exchange.field in overrides
        assert len(str(exchange)) < 300
        return
    assert all(getattr(exchange, f) for f in ("name", "enum_value", "display_name"))
    assert type(exchange.market_type) is MarketType
    assert type(exchange.is_active) is bool
    assert exchange.id is None or (type(exchange.id) is int and abs(exchange.id) <= SMALLINT_MAX + 1)
    assert exchange.version is None or (type(exchange.version) is int and 0 < exchange.version <= INTEGER_MAX)
    for moment in (exchange.created_at, exchange.updated_at):
        assert moment is None or moment.utcoffset() is not None


@property_settings(300)
@given(updates=st.dictionaries(st.one_of(st.sampled_from(FIELDS), HASHABLE), ANYTHING, max_size=4))
def test_any_updates_are_stored_as_given_or_refused_by_name(updates: dict[Any, Any]) -> None:
    """Only the fields a caller may set pass, each with a value the table stores as it is."""
    checked = result_or_refusal(lambda: check_updates(updates))
    if isinstance(checked, InvalidExchange):
        assert checked.field is not None
        assert len(str(checked)) < 1500
        return
    assert checked == updates
    assert checked.keys() <= CHECKS.keys()


@pytest.mark.parametrize("updates", [None, [("name", "x")], "name", 7])
def test_updates_that_are_no_mapping_are_refused(updates: Any) -> None:
    """What has no field names cannot be an update."""
    with pytest.raises(InvalidExchange, match="must map field names to values"):
        check_updates(updates)


@pytest.mark.parametrize("field", ["id", "created_at", "updated_at", "version", "nonsense", "name = 'x' --"])
def test_fields_of_the_database_cannot_be_updated(field: str) -> None:
    """The error names the field and lists those that can be set."""
    with pytest.raises(InvalidExchange, match="the fields that can be are name, enum_value") as info:
        check_updates({"display_name": "fine", field: 1})
    assert info.value.field == field


def test_several_foreign_fields_are_named_together() -> None:
    """One error is enough to mend all of them; also keys that cannot be printed as they are."""
    with pytest.raises(InvalidExchange, match=r"'a', 'b'"):
        check_updates({"b": 1, "a": 2})
    with pytest.raises(InvalidExchange, match="cannot update"):
        check_updates({10**5000: 1})  # type: ignore[dict-item]


def test_equal_fields_make_equal_exchanges_with_equal_hash() -> None:
    """An Exchange is a value."""
    fields = exchange_fields()
    one, other = Exchange(**fields), Exchange(**fields)
    assert one == other
    assert hash(one) == hash(other)
    assert {one: 1}[other] == 1
    assert one != Exchange(**{**fields, "display_name": "Different"})


def test_text_and_member_make_the_same_exchange() -> None:
    """market_type is a MarketType afterwards, however it was written."""
    fields = exchange_fields(market_type="FUTURES")
    assert Exchange(**fields) == Exchange(**{**fields, "market_type": MarketType.FUTURES})
    assert Exchange(**fields).market_type is MarketType.FUTURES


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_can_be_set_afterwards(field: str) -> None:
    """What was valid stays valid."""
    with pytest.raises(AttributeError, match="immutable"):
        setattr(an_exchange(), field, "x")


def test_copies_and_pickles_are_equal() -> None:
    """An Exchange can go to another process."""
    exchange = an_exchange(id=3, version=1, created_at=datetime.now(UTC), updated_at=datetime.now(UTC))
    assert copy.deepcopy(exchange) == exchange
    assert pickle.loads(pickle.dumps(exchange)) == exchange
    assert msgspec.json.decode(msgspec.json.encode(exchange), type=Exchange) == exchange


def test_replace_checks_again() -> None:
    """A changed copy is as valid as a new one."""
    with pytest.raises(InvalidExchange) as info:
        msgspec.structs.replace(an_exchange(), precision_default=19)
    assert info.value.field == "precision_default"


BY_DATABASE = {"id": 3, "version": 1, "created_at": datetime.now(UTC), "updated_at": datetime.now(UTC)}


@pytest.mark.parametrize("field", BY_DATABASE)
def test_a_row_always_has_what_the_database_sets(field: str) -> None:
    """Neither left out nor None; a changed copy of a row is held to the same."""
    fields = exchange_fields(**BY_DATABASE)
    row = StoredExchange(**fields)
    assert getattr(row, field) == BY_DATABASE[field]
    with pytest.raises(InvalidExchange, match="never None") as info:
        StoredExchange(**{**fields, field: None})
    assert info.value.field == field
    with pytest.raises(InvalidExchange, match="never None"):
        msgspec.structs.replace(row, **{field: None})
    with pytest.raises(TypeError, match=field):
        StoredExchange(**{name: value for name, value in fields.items() if name != field})
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert({**fields, field: None}, StoredExchange)


def test_a_row_is_checked_as_a_draft_is() -> None:
    """It is an Exchange in every respect."""
    with pytest.raises(InvalidExchange) as info:
        StoredExchange(**exchange_fields(**BY_DATABASE, precision_default=19))
    assert info.value.field == "precision_default"
    row = StoredExchange(**exchange_fields(**BY_DATABASE))
    assert isinstance(row, Exchange)
    assert row.is_spot_exchange()
    assert row.__struct_fields__ == FIELDS
    assert pickle.loads(pickle.dumps(row)) == row
    with pytest.raises(InvalidExchange, match="pass id=") as info:
        StoredExchange.from_exchange_enum(ExchangeEnum.MEXC)
    assert StoredExchange.from_exchange_enum(ExchangeEnum.MEXC, **BY_DATABASE).version == 1


def test_a_row_is_no_draft() -> None:
    """Two rows with the same fields are equal; a draft with the fields of a row is still no row."""
    fields = exchange_fields(**BY_DATABASE)
    row = StoredExchange(**fields)
    assert row == StoredExchange(**fields)
    assert hash(row) == hash(StoredExchange(**fields))
    assert row != Exchange(**fields)


@pytest.mark.parametrize("member", ExchangeEnum)
def test_each_member_goes_to_an_exchange_and_back(member: ExchangeEnum) -> None:
    """from_exchange_enum gives the defaults, to_exchange_enum the member."""
    exchange = Exchange.from_exchange_enum(member)
    assert exchange.name == exchange.enum_value == member.value
    assert {field: getattr(exchange, field) for field in DEFAULTS[member.value]} == DEFAULTS[member.value]
    assert exchange.to_exchange_enum() is member
    assert Exchange.from_exchange_enum(member.value) == exchange


def test_overrides_win_over_defaults_and_leave_them_alone() -> None:
    """The next call gets the defaults again."""
    changed = Exchange.from_exchange_enum(ExchangeEnum.MEXC, display_name="Mine", base_url=None, name="OTHER")
    assert (changed.display_name, changed.base_url, changed.name) == ("Mine", None, "OTHER")
    assert Exchange.from_exchange_enum(ExchangeEnum.MEXC).display_name == "MEXC Spot Trading"


def test_an_unknown_override_is_named() -> None:
    """A typing error is no TypeError about some other argument."""
    with pytest.raises(InvalidExchange, match="no field dispaly_name") as info:
        Exchange.from_exchange_enum(ExchangeEnum.MEXC, dispaly_name="x")
    assert info.value.field == "dispaly_name"


@pytest.mark.parametrize(
    ("overrides", "asked"),
    [
        ({}, "display_name=... and market_type=..."),
        ({"display_name": "Kraken"}, "pass market_type=..."),
        ({"market_type": "SPOT"}, "pass display_name=..."),
    ],
)
def test_an_unknown_enum_is_named_with_what_to_pass(overrides: dict[str, Any], asked: str) -> None:
    """The error says which enum, and which arguments make it work."""
    with pytest.raises(ValueError, match="KRAKEN") as info:
        Exchange.from_exchange_enum(Venue.KRAKEN, **overrides)
    assert asked in str(info.value)


def test_an_unknown_enum_works_with_what_was_asked_for() -> None:
    """An enum of somebody else's is as good as ours."""
    exchange = Exchange.from_exchange_enum(Venue.KRAKEN, display_name="Kraken", market_type="SPOT")
    assert exchange.name == "KRAKEN_SPOT"
    assert Exchange.from_exchange_enum(Venue.MEXC) == Exchange.from_exchange_enum(ExchangeEnum.MEXC)
    with pytest.raises(InvalidExchange, match="KRAKEN_SPOT"):
        exchange.to_exchange_enum()


@pytest.mark.parametrize(
    "wrong", [None, 7, 10**5000, b"MEXC_SPOT", Venue.NUMBER, Venue.HUGE, ["MEXC_SPOT"]], ids=range(7)
)
def test_what_names_no_exchange_is_refused(wrong: Any) -> None:
    """Neither a TypeError nor a guess: the error says what to pass."""
    with pytest.raises(InvalidExchange, match="pass an ExchangeEnum") as info:
        Exchange.from_exchange_enum(wrong)
    assert info.value.field == "enum_value"


@pytest.mark.parametrize(
    ("limit", "delay"), [(100, 0.01), (1, 1.0), (4, 0.25), (None, 0.01), (INTEGER_MAX, 1 / INTEGER_MAX)]
)
def test_the_delay_is_the_inverse_of_the_limit(limit: int | None, delay: float) -> None:
    """In seconds; an unknown limit counts as 100 a second."""
    assert an_exchange(rate_limit_requests_per_second=limit).get_rate_limit_delay() == delay


@pytest.mark.parametrize("kind", MarketType)
def test_an_exchange_is_spot_or_futures_or_neither(kind: MarketType) -> None:
    """Each question is true for its own market type alone."""
    exchange = an_exchange(market_type=kind)
    assert exchange.is_spot_exchange() is (kind == "SPOT")
    assert exchange.is_futures_exchange() is (kind == "FUTURES")


def test_an_invalid_exchange_is_a_value_error_of_ours() -> None:
    """Both `except ValueError` and `except ExchangesDBError` catch it."""
    with pytest.raises(ValueError, match="name") as info:
        an_exchange(name="")
    assert isinstance(info.value, ExchangesDBError)
