"""How deep a payload may nest is a bound of ours: the same on every interpreter, and from any depth of the caller."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from exchanges_db import PayloadError
from exchanges_db.symbols.payloads.nesting import DEEPEST, nests_too_deeply
from exchanges_db.symbols.payloads.readers import all_readers, read_payload
from exchanges_db.symbols.payloads.reading import Payload
from tests.payload_rows import MAKERS, payload

READERS = {reader.name: reader for reader in all_readers()}
MEXC = "mexc_spot"

TOO_DEEP = f"nests its brackets more than {DEEPEST} deep"


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> msgspec.Raw:
    """Return JSON of that many brackets, one inside the other."""
    inside = b"" if opening == b"[" else b"0"
    return msgspec.Raw(opening * depth + inside + closing * depth)


def deep_payload(exchange: str, depth: int, *, braces: bool = False) -> bytes:
    """Return a payload of one row, with a field that makes the payload `depth` deep."""
    around = 3 if exchange.startswith("mexc") else 2
    value = nested(depth - around, b'{"a":', b"}") if braces else nested(depth - around)
    return payload(exchange, [MAKERS[exchange](anything=value)])


def read(exchange: str, text: bytes) -> Payload:
    """Return what the payload lists."""
    reader = READERS[exchange]
    listing = next(iter(reader.lists()), "OPTION:USDT:BTC_USDT")
    return read_payload(reader.exchange, text, listing=listing, observed_at=datetime(2026, 1, 31, tzinfo=UTC))


@pytest.mark.parametrize("braces", [False, True])
@pytest.mark.parametrize("exchange", READERS)
def test_a_payload_may_nest_to_the_bound(exchange: str, braces: bool) -> None:
    """What is refused is nested more deeply than any list of symbols; up to there a row is read like any other."""
    found = read(exchange, deep_payload(exchange, DEEPEST, braces=braces))
    assert (len(found.symbols), found.rejected) == (1, ())


@pytest.mark.parametrize("depth", [DEEPEST + 1, 500, 900, 990, 1_010, 5_000, 20_000])
@pytest.mark.parametrize("braces", [False, True])
@pytest.mark.parametrize("exchange", READERS)
def test_a_payload_below_the_bound_is_refused(exchange: str, braces: bool, depth: int) -> None:
    """Some of these depths are read to their end by one version of Python and given up by another."""
    with pytest.raises(PayloadError, match=TOO_DEEP):
        read(exchange, deep_payload(exchange, depth, braces=braces))


@pytest.mark.parametrize("depth", [DEEPEST + 1, 990, 5_000])
@pytest.mark.parametrize(
    "around",
    [
        b"%b",  # nothing but brackets
        b"[%b, 1, 2",  # cut off besides
        b'{"symbols": [], "other": %b}',
        b'{"symbols": %b}',
        b'{"data": %b}',
        b'[{"id": "\xff"}, %b]',  # what the lenient scanner has to split
    ],
)
def test_the_depth_is_named_before_every_other_fault(around: bytes, depth: int) -> None:
    """One version of Python gives up where another reads on to the next fault."""
    for exchange in READERS:
        with pytest.raises(PayloadError, match=TOO_DEEP):
            read(exchange, around % bytes(nested(depth)))


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        (b"[" * DEEPEST, False),
        (b"[" * (DEEPEST + 1), True),
        (b"[]" * 1000, False),  # many, beside each other
        (b'{"a":[' * (DEEPEST // 2) + b"[", True),
        (b'"' + b"[" * 1000 + b'"', False),  # text, no brackets
        (b'"\\"' + b"[" * 1000 + b'"', False),  # likewise, after a quote that is escaped
        (b'["]",' * (DEEPEST + 1), True),  # a closing bracket in a string closes nothing
        (b'["\\\\",' * (DEEPEST + 1), True),  # a backslash before the quote that ends the string
    ],
)
def test_brackets_in_strings_do_not_count(text: bytes, deep: bool) -> None:
    """Else a name could forge a depth, or hide one."""
    assert nests_too_deeply(text) is deep


def test_the_callers_own_depth_plays_no_part() -> None:
    """Python 3.11 counts the caller's frames and the decoder's together."""

    def from_below(frames: int, text: bytes) -> Any:
        return from_below(frames - 1, text) if frames else read(MEXC, text)

    assert len(from_below(300, deep_payload(MEXC, DEEPEST)).symbols) == 1
    with pytest.raises(PayloadError, match=TOO_DEEP):
        from_below(300, deep_payload(MEXC, 800))
