"""Symbols as columns: of each field the values that there are, each once, and for each symbol which of them it has.

Read back, equal texts, numbers and times are one object in all columns, and most of the work is done once per value
instead of once per symbol.
"""

from __future__ import annotations

import sys
from array import array
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import repeat
from operator import attrgetter
from types import GenericAlias
from typing import Annotated, Any, Generic, TypeVar, get_args, get_type_hints

import msgspec

from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.exchanges.rules import INTEGER_MAX
from exchanges_db.registry.models import RegistrySymbol
from exchanges_db.symbols.fees import Fees
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.models import fields_of
from exchanges_db.symbols.rules import as_numeric

T = TypeVar("T")

# What the exchange's name, what was said beside the list, and rules that were compiled lead to is not kept per symbol.
FIELDS = tuple(
    field for field in RegistrySymbol.__struct_fields__ if field not in ("exchange", "holds", "account_fees", "_rules")
)
_HINTS = get_type_hints(RegistrySymbol)
# The kind of the table in which a field's values are; of the others each column has its own.
_SHARED: dict[str, type] = {
    field: kind for kind in (str, Decimal, datetime) for field in fields_of(RegistrySymbol, kind) if field in FIELDS
}
_Integer = Annotated[int, msgspec.Meta(ge=-INTEGER_MAX - 1, le=INTEGER_MAX)]  # as a database has them
_BOUNDED: dict[Any, Any] = {int: _Integer, int | None: _Integer | None}
_OWN: dict[str, msgspec.msgpack.Decoder[list[Any]]] = {
    field: msgspec.msgpack.Decoder(GenericAlias(list, _BOUNDED.get(_HINTS[field], _HINTS[field])))
    for field in FIELDS
    if field not in _SHARED
}
# Those without which there is no symbol, and which are neither empty nor zero.
_NEEDED = {field for field in _SHARED if type(None) not in get_args(_HINTS[field])}
_EACH = "id"  # the field whose column always has one entry per symbol
_set = msgspec.structs.force_setattr


class Tables(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The values that several columns share."""

    texts: list[str]
    numbers: list[Decimal]
    times: list[Annotated[datetime, msgspec.Meta(tz=True)]]


class Column(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """One field of all symbols.

    Attributes:
        values: those of this column alone, each once; empty where they are in a table.
        which: for each symbol the index of its value, 4 bytes each, the lowest first; one index: all have that value.
            In a table 0 stands for None, and its values count from 1.
    """

    values: msgspec.Raw
    which: bytes


class _Numbering(Generic[T]):
    """Gives each value of a table its index."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self._known: dict[object, int] = {}

    def index(self, value: T) -> int:
        # Decimals by their text: 1 and 1.0 are equal, and not the same.
        key = str(value) if type(value) is Decimal else value
        number = self._known.setdefault(key, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


class ColumnWriter:
    """Turns symbols into columns, whose tables are shared by all that it was given."""

    def __init__(self) -> None:
        self._texts, self._numbers, self._times = _Numbering[str](), _Numbering[Decimal](), _Numbering[datetime]()
        tables: dict[type, _Numbering[Any]] = {str: self._texts, Decimal: self._numbers, datetime: self._times}
        self._shared = {field: tables[kind] for field, kind in _SHARED.items()}

    def tables(self) -> Tables:
        """Return the tables; to be asked for when all columns are made."""
        times = [time.astimezone(UTC) for time in self._times.values]
        return Tables(self._texts.values, self._numbers.values, times)

    def columns(self, symbols: Sequence[RegistrySymbol]) -> list[Column]:
        """Return a column per field, in the order of FIELDS."""
        return [self._column(field, list(map(attrgetter(field), symbols))) for field in FIELDS]

    def _column(self, field: str, values: list[Any]) -> Column:
        shared = self._shared.get(field)
        numbering = _Numbering[Any]() if shared is None else shared
        # By identity first: most values are one object many times.
        places = list(map(id, values))
        known = {
            place: 0 if value is None and shared is not None else numbering.index(value) + (shared is not None)
            for place, value in dict(zip(places, values, strict=True)).items()
        }
        which = array("I", map(known.__getitem__, places))
        if field != _EACH and len(set(known.values())) == 1:
            which = which[:1]
        if sys.byteorder == "big":
            which.byteswap()
        own = [] if shared is not None else numbering.values
        return Column(msgspec.Raw(msgspec.msgpack.encode(own)), which.tobytes())


class ColumnReader:
    """Turns columns back into symbols.

    Raises ValueError, as a msgspec.ValidationError, for what this version does not know, and for what cannot be.
    """

    def __init__(self, tables: Tables) -> None:
        check_numbers(tables.numbers)
        by_kind: dict[type, list[Any]] = {
            str: [None, *tables.texts],
            Decimal: [None, *tables.numbers],
            datetime: [None, *tables.times],
        }
        self._shared = {field: by_kind[kind] for field, kind in _SHARED.items()}

    def symbols(
        self, columns: Sequence[Column], exchange: StoredExchange, holds: tuple[Hold, ...], fees: Mapping[str, Fees]
    ) -> list[RegistrySymbol]:
        """Return the symbols, with these of their exchange on them."""
        if len(columns) != len(FIELDS):
            raise ValueError(f"it has {len(columns)} columns and not {len(FIELDS)}")
        same: dict[str, Any] = {}
        differing: dict[str, list[Any]] = {}
        for field, column in zip(FIELDS, columns, strict=True):
            found = self._found(field, column)
            if len(found) == 1 and field != _EACH:
                same[field] = found[0]
            else:
                differing[field] = found
        count = len(differing[_EACH])
        if any(len(found) != count for found in differing.values()) or (same and not count):
            raise ValueError("it has columns of different lengths")
        if not count:
            return []
        first = {field: found[0] for field, found in differing.items()}
        model = RegistrySymbol(exchange=exchange.enum_value, holds=holds, account_fees=fees, **same, **first)
        if model.exchange_id != exchange.id or "exchange_id" in differing:
            raise ValueError(f"it has symbols of another exchange under {exchange.enum_value}")
        # A copy, and then the fields that differ, column by column: half as dear as making each of all its fields.
        symbols: list[RegistrySymbol] = [model.__copy__() for _ in range(count)]  # type: ignore[attr-defined]  # it has
        for field, found in differing.items():
            # Nobody else has seen them yet. Without a loop of Python, as it is for each field of each symbol.
            deque(map(_set, symbols, repeat(field), found), maxlen=0)
        return symbols

    def _found(self, field: str, column: Column) -> list[Any]:
        values = self._shared.get(field)
        if values is None:
            values = _OWN[field].decode(column.values)
        try:
            which = array("I", column.which)
            if sys.byteorder == "big":
                which.byteswap()
            found = [values[index] for index in which]
        except (ValueError, IndexError):
            raise ValueError(f"it has a column that is no column, {field}") from None
        if field in _NEEDED and not all(found):
            raise ValueError(f"it has a symbol without its {field}")
        return found


def check_numbers(numbers: Iterable[Decimal]) -> None:
    """Raise ValueError where one of them is none that a database holds, and rules could not be made of it."""
    for number in numbers:
        try:
            fits = as_numeric(number).is_finite()
        except ArithmeticError:
            fits = False
        if not fits:
            raise ValueError("it has a number that no database holds")
