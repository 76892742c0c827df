"""From a row's JSON to a Struct: fields that are not known are noticed without decoding every row twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec

from exchanges_db.symbols.payloads.document import names_of
from exchanges_db.symbols.payloads.values import BrokenRow

Row = TypeVar("Row", bound=msgspec.Struct)
Raw = msgspec.Raw

LONGEST_ROW = 65_536
# Enough for every list of an exchange; a list made in bad faith is decoded row by row from there on.
_MOST_LESSONS, _MOST_LEARNT = 16, 64
# jsonb holds neither a zero byte nor a number of more than 131,072 digits, 16,383 of them after the point.
_ZERO_BYTE = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_HUGE_EXPONENT = re.compile(r"[eE][+-]?[0-9]{4}")
_LONGEST_NUMBER = 1000
_DIGITS = re.compile(rb"[0-9]+")
_HUGE_NUMBER = re.compile(rb"[:,\[]\s*-?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]{4,}")


class RowDecoder(Generic[Row]):
    """Decodes rows, and notices the fields that are not known without decoding every row twice.

    `closed` decodes a row of known fields only and refuses every other. The first row with another field is decoded
    anew, and teaches `closed` that field, so that it takes the rows that follow.
    """

    def __init__(self, row_type: type[Row], known_fields: Iterable[str]) -> None:
        self.unknown: set[str] = set()
        self._row_type, self._known = row_type, tuple(dict.fromkeys(known_fields))
        self._learnt: tuple[str, ...] = ()
        self._lessons = _MOST_LESSONS
        self.closed: Callable[[Raw], Row] = _closed_decoder(row_type, self._known, ())

    def decode(self, raw: Raw) -> Row:
        """Return a row that `closed` has refused, or raise msgspec's error where it cannot be decoded at all."""
        new = names_of(raw).keys() - {*self._known, *self._learnt}
        self.unknown.update(new)
        if new and self._lessons and len(new) <= _MOST_LEARNT and all(map(_learnable, new)):
            self._lessons -= 1
            self._learnt = (*self._learnt, *sorted(new))
            self.closed = _closed_decoder(self._row_type, self._known, self._learnt)
            try:
                return self.closed(raw)
            except msgspec.ValidationError:
                pass  # something else is odd, too
        return msgspec.json.Decoder(self._row_type, float_hook=str).decode(raw)


def _learnable(name: str) -> bool:
    # msgspec takes no other name for a field.
    return name.isascii() and name.isprintable() and not any(mark in name for mark in '\\"')


def _refuse_huge(text: str) -> str:
    """Return a number's text; raises ValueError, so that the whole row is looked at, where it is absurdly large."""
    if len(text) >= _LONGEST_NUMBER or _HUGE_EXPONENT.search(text):
        raise ValueError(text)
    return text


@lru_cache(maxsize=256)
def _closed_decoder(
    row_type: type[Row], known_fields: tuple[str, ...], learnt: tuple[str, ...]
) -> Callable[[Raw], Row]:
    """Return what decodes a row that has these fields and no other: new fields are noticed at no extra cost.

    It makes Structs with the attributes of `row_type`, in the order of `known_fields`: fields are found fastest in the
    order in which they come. What nobody reads is decoded too, because that checks its text and numbers.
    """
    read = {field.encode_name: field for field in msgspec.structs.fields(row_type)}
    others = [name for name in read if name not in known_fields]
    fields: list[tuple[str, Any, Any]] = []
    for place, name in enumerate((*known_fields, *others, *learnt)):
        field = read.get(name)
        if field is None:
            fields.append((f"unread_{place}", Any, msgspec.field(default=None, name=name)))
        else:
            default: dict[str, Any] = {"default": field.default, "default_factory": field.default_factory}
            fields.append((field.name, field.type, msgspec.field(**default, name=name)))
    closed: Any = msgspec.defstruct(
        f"_Closed{row_type.__name__}", fields, forbid_unknown_fields=True, kw_only=True, gc=False
    )
    return msgspec.json.Decoder(closed, float_hook=_refuse_huge).decode


def check_storable(raw: Raw) -> None:
    """Raise BrokenRow when the database's jsonb cannot hold this row."""
    text = memoryview(raw)
    if len(text) > LONGEST_ROW:
        raise BrokenRow(f"is longer than {LONGEST_ROW} bytes")
    if _ZERO_BYTE.search(text):
        raise BrokenRow("holds a zero byte (\\u0000)")
    if _HUGE_NUMBER.search(text):
        raise BrokenRow("holds a number with an absurd exponent")
    if len(text) >= _LONGEST_NUMBER and any(len(digits) >= _LONGEST_NUMBER for digits in _DIGITS.findall(text)):
        raise BrokenRow(f"holds a number of {_LONGEST_NUMBER} digits or more")
    bytes(text).decode()
