"""What all readers share: what was read of a payload, what could not be, and the loop over its rows.

A row that breaks is rejected alone. Whatever a row's text says, reading it ends in a symbol or in a reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import msgspec

from exchanges_db.errors import InvalidSymbol, shown
from exchanges_db.symbols.absence import Absence
from exchanges_db.symbols.enums import OrderType
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.decoding import LONGEST_ROW, Raw, Row, RowDecoder, check_storable
from exchanges_db.symbols.payloads.document import Document, names_of
from exchanges_db.symbols.payloads.values import BrokenRow
from exchanges_db.symbols.rules import check_text

# Every column for labels holds as many characters.
_SHORT = 100
# The same few lists of order types stand in all rows: what they are, where every word in them is known.
_known_types: dict[tuple[str, ...], tuple[OrderType, ...]] = {}
_MOST_LISTS = 1024


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
        absent: what the exchange says of symbols that the list has no longer, by native symbol.
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
    absent: dict[str, Absence] = {}
    foreign: str | None = None


class Notes:
    """Words of one payload that its reader does not know, and what was made of them."""

    def __init__(self) -> None:
        self.values: Counter[tuple[str, str, str]] = Counter()

    def unknown(self, field: str, value: str, effect: str) -> None:
        """Count one more row with this word; `effect` says what was done, such as "HALTED" or "left out"."""
        self.values[field, value[:64], effect] += 1

    def label(self, field: str, column: str, value: Any) -> str | None:
        """Return a label, such as a full name; one that `column` cannot hold is left out and noted, null is None."""
        if value is None or value == "":
            return None
        if type(value) is str:
            # What most labels are, told at once.
            if len(value) <= _SHORT and value.isprintable() and value[0] != " " and value[-1] != " ":
                return value
            if _fits(column, value):
                return value
        self.unknown(field, value if type(value) is str else shown(value), "left out")
        return None

    def order_types(self, field: str, value: Any) -> tuple[OrderType, ...] | None:
        """Return a list of order types; words that are not known are left out and noted."""
        if value is None:
            return None
        if type(value) is list:
            try:
                return _known_types[tuple(value)]
            except (KeyError, TypeError):
                pass  # it is read word by word
        if type(value) is not list or not all(type(one) is str for one in value):
            raise BrokenRow(f"{field} is {shown(value)}, not a list of words")
        return self._new_order_types(field, tuple(value))

    def _new_order_types(self, field: str, words: tuple[str, ...]) -> tuple[OrderType, ...]:
        known = tuple(OrderType(word) for word in dict.fromkeys(words) if word in OrderType.__members__)
        others = [word for word in dict.fromkeys(words) if word not in OrderType.__members__]
        for other in others:
            self.unknown(field, other, "left out")
        if not others:
            if len(_known_types) >= _MOST_LISTS:
                _known_types.clear()
            _known_types[words] = known
        return known


@lru_cache(maxsize=16_384)
def _fits(column: str, text: str) -> bool:
    try:
        check_text(column, text)
    except InvalidSymbol:
        return False
    return True


def read_rows(
    document: Document,
    row_type: type[Row],
    name_field: str,
    known_fields: Iterable[str],
    to_spec: Callable[[Row, Notes], SymbolSpec],
    *,
    listing: Listing,
    source: str,
    volatile: frozenset[str] = frozenset(),
) -> Payload:
    """Return what `to_spec` makes of each row; `name_field` holds the native symbol.

    row_type: the fields that are read, each with its JSON name or a `rename`; numbers as Any, which `values` reads.
    known_fields: every field there is, read or not, best in the order in which they come: what else a row has is
        reported as unknown.
    """
    decoder = RowDecoder(row_type, known_fields)
    notes = Notes()
    symbols: dict[str, ReadSymbol] = {}
    rejected: list[RejectedRow] = []
    twice: set[str] = set()
    longest = max(map(len, document.rows), default=0)
    storable = document.plain and longest <= LONGEST_ROW
    decode = decoder.closed
    for index, raw in enumerate(document.rows):
        try:
            if not storable:
                check_storable(raw)
            try:
                row = decode(raw)
            except msgspec.ValidationError:
                check_storable(raw)
                row = decoder.decode(raw)
                decode = decoder.closed
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
        unknown_fields=tuple(sorted(name[:64] for name in decoder.unknown)),
        unknown_values=tuple(UnknownValue(*what, count) for what, count in sorted(notes.values.items())),
        listing=listing,
        source=source,
        volatile=volatile,
    )


def _reason(exc: Exception) -> str:
    return "is not UTF-8" if isinstance(exc, UnicodeDecodeError) else str(exc)


def _name_of(raw: Raw, name_field: str) -> str | None:
    try:
        value = names_of(raw).get(name_field)
        return None if value is None else msgspec.json.decode(value, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
