"""What all readers share: splitting a payload into rows, and what could not be read of them.

A row that breaks is rejected alone. Whatever a row's text says, reading it ends in a symbol or in a reason.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

from exchanges_db.errors import InvalidSymbol, PayloadError, shown
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.nesting import check_nesting, nests_too_deeply, too_deep
from exchanges_db.symbols.payloads.values import BrokenRow

Row = TypeVar("Row", bound=msgspec.Struct)
Raw = msgspec.Raw

_ROWS_TO_KNOW_IT_BY = 15
_LONGEST_ROW = 65_536
# jsonb holds neither a zero byte nor a number of more than 131,072 digits.
_ZERO_BYTE = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_HUGE_EXPONENT = re.compile(r"[eE][+-]?[0-9]{4}")
_HUGE_NUMBER = re.compile(rb"[:,\[]\s*-?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]{4,}")
_SPACE = " \t\r\n"
_SPACE_CHARS = frozenset(_SPACE)
_names_of = msgspec.json.Decoder(dict[str, Raw]).decode
_rows_of = msgspec.json.Decoder(list[Raw]).decode


class ReadSymbol(msgspec.Struct, frozen=True, gc=False):
    """A symbol of a payload, and the row it was read from; None where there was none, only a specification."""

    spec: SymbolSpec
    raw: Raw | None


class RejectedRow(msgspec.Struct, frozen=True):
    """A row that could not be read: its place in the payload, from 0, its name where it has one, and why."""

    index: int
    native_symbol: str | None
    reason: str


class UnknownValue(msgspec.Struct, frozen=True):
    """A word that its reader does not know, in how many rows, and what was made of it, such as "HALTED"."""

    field: str
    value: str
    effect: str
    rows: int


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """What a payload lists.

    Attributes:
        symbols: in the payload's order; where a name is there twice, the last of its rows.
        duplicates: names that are there more than once.
        unknown_fields, unknown_values: what its reader does not know; no row is rejected for it.
        listing: which list it is. source: the name of its reader, or of the user's own source.
        volatile: keys of a row that move by the minute; a change in them alone is no change.
        foreign: why it seems to be another list; None when it does not.
    """

    symbols: tuple[ReadSymbol, ...]
    rejected: tuple[RejectedRow, ...]
    duplicates: tuple[str, ...]
    unknown_fields: tuple[str, ...]
    unknown_values: tuple[UnknownValue, ...]
    listing: Listing
    source: str
    volatile: frozenset[str] = frozenset()
    foreign: str | None = None


class Notes:
    """Words of one payload that its reader does not know."""

    def __init__(self) -> None:
        self.values: Counter[tuple[str, str]] = Counter()

    def unknown(self, field: str, value: str) -> None:
        """Count one more row with this word."""
        self.values[field, value[:64]] += 1


class Document(msgspec.Struct, frozen=True):
    """A payload taken apart.

    Attributes:
        top: the fields of its envelope; None where it is a bare list.
        rows: the rows, as they came.
        plain: there is no zero byte in it, which jsonb cannot hold.
    """

    top: dict[str, Raw] | None
    rows: list[Raw]
    plain: bool

    def has_keys(self, *keys: str) -> bool:
        """Return whether most of the first rows that are objects have all of these keys; True without any row."""
        seen = [names for names in map(_keys, self.rows[:_ROWS_TO_KNOW_IT_BY]) if names]
        return not self.rows or 2 * sum(names.issuperset(keys) for names in seen) > len(seen)


def split(payload: bytes) -> Document:
    """Return a payload as its rows.

    Raises PayloadError, on every interpreter alike also where it nests deeper than `nesting.DEEPEST`.
    """
    payload = payload.removeprefix(b"\xef\xbb\xbf").strip()
    if not payload:
        raise PayloadError("the payload is empty: there is no JSON in it")
    if payload[:1] not in (b"[", b"{"):
        raise PayloadError("the payload is neither a JSON list nor a JSON object: is it an error page?")
    try:
        top = _names_of(payload) if payload[:1] == b"{" else None
        text = payload if top is None else bytes(top.get("symbols", b"[]"))
        rows = _split_list(text)
    except (msgspec.MsgspecError, RecursionError, ValueError) as exc:
        # Some interpreters give up where others find another fault: here all of them name the depth.
        if nests_too_deeply(payload):
            raise too_deep() from exc
        if isinstance(exc, RecursionError):
            raise  # the caller's own stack is full
        raise PayloadError(f"the payload is no whole JSON document, perhaps cut off: {shown(str(exc))}") from exc
    check_nesting(rows, above=1 if top is None else 2)
    check_nesting((value for name, value in (top or {}).items() if name != "symbols"), above=1)
    return Document(top, rows, b"\\u0000" not in payload)


def _split_list(text: bytes) -> list[Raw]:
    try:
        return _rows_of(text)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        # One bad string in one row, such as half a surrogate pair, must not cost the others: the standard library's
        # scanner is lenient enough to find where each row ends.
        return _split_leniently(text.decode("utf-8", "surrogateescape"))


def _split_leniently(text: str) -> list[Raw]:
    scan = json.JSONDecoder(strict=False).raw_decode
    rows: list[Raw] = []
    position = _skip_space(text, 1)
    while not (text[position : position + 1] == "]" and not rows):
        _, end = scan(text, position)
        rows.append(Raw(text[position:end].encode("utf-8", "surrogateescape")))
        position = _skip_space(text, end)
        if text[position : position + 1] != ",":
            break
        position = _skip_space(text, position + 1)
    if text[position:].rstrip(_SPACE) != "]":
        raise ValueError("the list does not end where the payload does")
    return rows


def _skip_space(text: str, position: int) -> int:
    while text[position : position + 1] in _SPACE_CHARS:
        position += 1
    return position


def _keys(row: Raw) -> frozenset[str]:
    try:
        return frozenset(_names_of(row))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return frozenset()


def read_rows(
    document: Document,
    row_type: type[Row],
    name_field: str,
    known_fields: frozenset[str],
    to_spec: Callable[[Row, Notes], SymbolSpec],
) -> Payload:
    """Return what `to_spec` makes of each row; `name_field` holds the native symbol."""
    decode = msgspec.json.Decoder(row_type, float_hook=str).decode
    decode_known = msgspec.json.Decoder(_closed(row_type, known_fields), float_hook=_refuse_huge_exponent).decode
    notes, unknown = Notes(), set[str]()
    symbols: dict[str, ReadSymbol] = {}
    rejected: list[RejectedRow] = []
    twice: set[str] = set()
    plain = document.plain
    for index, raw in enumerate(document.rows):
        try:
            if not plain or len(memoryview(raw)) > _LONGEST_ROW:
                check_storable(raw)
            try:
                row = decode_known(raw)
            except msgspec.ValidationError:
                check_storable(raw)
                unknown.update(_names_of(raw).keys() - known_fields)
                row = decode(raw)
            spec = to_spec(row, notes)
        except (BrokenRow, InvalidSymbol, msgspec.MsgspecError, UnicodeDecodeError) as exc:
            rejected.append(RejectedRow(index, _name_of(raw, name_field), _reason(exc)))
            continue
        name = spec.native_symbol
        if name in symbols:
            twice.add(name)
        symbols[name] = ReadSymbol(spec, raw)
    names = Counter(row.native_symbol for row in rejected if row.native_symbol is not None)
    twice.update(name for name, count in names.items() if count > 1 or name in symbols)
    return Payload(
        symbols=tuple(symbols.values()),
        rejected=tuple(rejected),
        duplicates=tuple(sorted(twice)),
        unknown_fields=tuple(sorted(name[:64] for name in unknown)),
        unknown_values=tuple(UnknownValue(*what, count) for what, count in sorted(notes.values.items())),
    )


def _refuse_huge_exponent(text: str) -> str:
    """Return a number's text; raises ValueError, so that the whole row is looked at, where its exponent is absurd."""
    if _HUGE_EXPONENT.search(text):
        raise ValueError(text)
    return text


@cache
def _closed(row_type: type[Row], known_fields: frozenset[str]) -> type[Row]:
    """Return `row_type` with all these fields, which refuses every other: new fields are noticed at no extra cost."""
    read = {field.encode_name for field in msgspec.structs.fields(row_type)}
    # Decoded although nobody reads them, because that checks their text and numbers too.
    others = [(name, Any, None) for name in sorted(known_fields - read)]
    closed = msgspec.defstruct(
        f"_Closed{row_type.__name__}", others, bases=(row_type,), forbid_unknown_fields=True, kw_only=True
    )
    return cast("type[Row]", closed)


def _reason(exc: Exception) -> str:
    return "is not UTF-8" if isinstance(exc, UnicodeDecodeError) else str(exc)


def _name_of(raw: Raw, name_field: str) -> str | None:
    try:
        value = _names_of(raw).get(name_field)
        return None if value is None else msgspec.json.decode(value, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def check_storable(raw: Raw) -> None:
    """Raise BrokenRow when the database's jsonb cannot hold this row."""
    text = memoryview(raw)
    if len(text) > _LONGEST_ROW:
        raise BrokenRow(f"is longer than {_LONGEST_ROW} bytes")
    if _ZERO_BYTE.search(text):
        raise BrokenRow("holds a zero byte (\\u0000)")
    if _HUGE_NUMBER.search(text):
        raise BrokenRow("holds a number with an absurd exponent")
    bytes(text).decode()
