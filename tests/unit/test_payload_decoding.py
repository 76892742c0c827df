"""Fields that nobody knows are noticed, and no row is decoded twice for them."""

from typing import Any

import msgspec
import pytest

from exchanges_db.symbols.payloads import decoding
from exchanges_db.symbols.payloads.decoding import RowDecoder, check_storable
from exchanges_db.symbols.payloads.values import BrokenRow


class Row(msgspec.Struct, rename="camel"):
    """What is read of a row."""

    some_name: str
    number: Any = None


def raw(**fields: Any) -> msgspec.Raw:
    """A row."""
    return msgspec.Raw(msgspec.json.encode({"someName": "x", **fields}))


def refused(decoder: RowDecoder[Row], row: msgspec.Raw) -> bool:
    """Return whether the fast way refuses a row, which is then decoded a second time."""
    try:
        decoder.closed(row)
    except msgspec.ValidationError:
        decoder.decode(row)
        return True
    return False


@pytest.fixture
def decoder() -> RowDecoder[Row]:
    """One that knows three fields."""
    return RowDecoder(Row, frozenset({"someName", "number", "other"}))


def test_a_field_is_learnt_at_its_first_row(decoder: RowDecoder[Row]) -> None:
    assert not refused(decoder, raw(other=1))
    assert refused(decoder, raw(new=1))
    assert not refused(decoder, raw(new=[1, {"a": 2}], other=2))
    assert refused(decoder, raw(new=1, newer=1))
    assert not refused(decoder, raw(newer=1))
    assert decoder.unknown == {"new", "newer"}


@pytest.mark.parametrize(
    "name", ["class", "some_name", "unread_0", "a b", "", "123", "número", 'a"b', "a\\b", "a\nb", "None"]
)
def test_any_name_of_a_field_is_borne(decoder: RowDecoder[Row], name: str) -> None:
    assert refused(decoder, raw(**{name: 1}))
    assert decoder.unknown == {name}
    assert decoder.decode(raw(**{name: 1}, number=7)).number == 7


def test_lessons_are_few(decoder: RowDecoder[Row]) -> None:
    """A list made in bad faith, in which every row has another field, costs no more than decoding it twice."""
    decoding._closed_decoder.cache_clear()
    for place in range(100):
        refused(decoder, raw(**{f"new{place}": 1}))
    refused(decoder, raw(**{f"more{place}": 1 for place in range(1000)}))
    assert len(decoder.unknown) == 1100
    assert decoding._closed_decoder.cache_info().misses == decoding._MOST_LESSONS


def test_a_row_that_is_broken_besides_is_still_refused(decoder: RowDecoder[Row]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decoder.decode(msgspec.Raw(b'{"someName": 7, "new": 1}'))
    assert decoder.unknown == {"new"}
    with pytest.raises(msgspec.ValidationError):
        decoder.decode(msgspec.Raw(b"7"))


@pytest.mark.parametrize("number", [b"0." + b"1" * 20_000, b"1" * 5000, b"0." + b"1" * 16_000 + b"e-999", b"1e9999"])
@pytest.mark.parametrize("name", ["new", "n\u00fc"])
def test_a_number_that_jsonb_cannot_hold_is_refused(decoder: RowDecoder[Row], name: str, number: bytes) -> None:
    """In a field that is learnt, and in one that cannot be."""
    row = msgspec.Raw(b'{"someName": "x", "%b": [%b]}' % (name.encode(), number))
    for _ in range(2):
        with pytest.raises(msgspec.ValidationError):
            decoder.closed(row)
        with pytest.raises(BrokenRow, match="holds a number"):
            check_storable(row)
        refused(decoder, raw(**{name: 1}))


def test_what_is_learnt_is_decoded_and_so_checked(decoder: RowDecoder[Row]) -> None:
    """Jsonb could not hold it."""
    refused(decoder, raw(new=1))
    with pytest.raises(msgspec.DecodeError):
        decoder.closed(msgspec.Raw(b'{"someName": "x", "new": "\\ud800"}'))
