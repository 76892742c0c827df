"""Rows of another database's tables, read one by one: what is wrong with a row is said of that row, by its id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import msgspec

from exchanges_db.errors import InvalidArgument, InvalidSymbol, shown
from exchanges_db.exchanges.rules import INTEGER_MAX, SMALLINT_MAX
from exchanges_db.symbols.rules import check_text

# Each field, and the column that it is in where nothing else is said. enum_value may be missing.
EXCHANGE_COLUMNS = {"exchange.id": "id", "exchange.name": "name", "exchange.enum_value": "enum_value"}
SYMBOL_COLUMNS = {field: field for field in ("id", "exchange_id", "native_symbol", "base", "quote")}
_OPTIONAL = "exchange.enum_value"
_decoder = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
Row = TypeVar("Row", bound=NamedTuple)


class OldExchange(NamedTuple):
    """An exchange of the other database."""

    id: int
    name: str
    enum_value: str | None


class OldSymbol(NamedTuple):
    """A symbol of the other database."""

    id: int
    exchange_id: int
    native_symbol: str
    base: str
    quote: str


def check_columns(given: Mapping[str, str]) -> dict[str, str]:
    """Return the column of each field; raises InvalidArgument where one of `given` is no field of ours."""
    columns = {**EXCHANGE_COLUMNS, **SYMBOL_COLUMNS}
    if not isinstance(given, Mapping):
        raise InvalidArgument("columns must map our fields to columns of theirs", field="columns")
    for field, column in given.items():
        if field not in columns:
            raise InvalidArgument(f"columns: {shown(field)} is not one of {', '.join(columns)}", field="columns")
        if not isinstance(column, str) or not column:
            raise InvalidArgument(f"columns: {shown(column)} is no name of a column", field="columns")
    return columns | dict(given)


def read_exchanges(rows: Sequence[str], columns: Mapping[str, str], problems: list[str]) -> list[OldExchange]:
    """Return the exchanges of rows that are JSON documents; adds to `problems` what cannot be read."""
    found = []
    for row in _decoded(rows, columns, EXCHANGE_COLUMNS, problems):
        name, enum_value = row["exchange.name"], row.get("exchange.enum_value")
        number = _whole(row["exchange.id"], SMALLINT_MAX, f"exchange {shown(name)}: id", "exchange ids", problems)
        if not isinstance(name, str) or not name.strip():
            problems.append(f"exchange {shown(row['exchange.id'])}: name must be text, not {shown(name)}")
        elif number is not None:
            found.append(OldExchange(number, name, enum_value if isinstance(enum_value, str) else None))
    _refuse_twice("exchange id", [(one.id, shown(one.name)) for one in found], problems)
    return found


def read_symbols(
    rows: Sequence[str], columns: Mapping[str, str], exchange_ids: set[int], problems: list[str]
) -> list[OldSymbol]:
    """Return the symbols of rows that are JSON documents; adds to `problems` what cannot be read or kept."""
    found = []
    for row in _decoded(rows, columns, SYMBOL_COLUMNS, problems):
        what = f"symbol {_plain(row['id'])}, {shown(row['native_symbol'])}"
        number = _whole(row["id"], INTEGER_MAX, f"{what}: id", "symbol ids", problems)
        place = _whole(row["exchange_id"], SMALLINT_MAX, f"{what}: exchange_id", "exchange ids", problems)
        texts = [_text(what, field, row[field], problems) for field in ("native_symbol", "base", "quote")]
        if place is not None and place not in exchange_ids:
            problems.append(f"{what}: no exchange of theirs has id {place}")
        elif number is not None and place is not None and None not in texts:
            found.append(OldSymbol(number, place, *(text or "" for text in texts)))
    _refuse_twice("symbol id", [(one.id, shown(one.native_symbol)) for one in found], problems)
    names = [((one.exchange_id, one.native_symbol), f"symbol {one.id}") for one in found]
    _refuse_twice("exchange and native symbol", names, problems)
    return found


def _decoded(
    rows: Sequence[str], columns: Mapping[str, str], fields: Mapping[str, str], problems: list[str]
) -> list[dict[str, Any]]:
    decoded = [_decoder.decode(row) for row in rows]
    if not decoded:
        return []
    there = decoded[0].keys()
    missing = [field for field in fields if columns[field] not in there and field != _OPTIONAL]
    if missing:
        problems.append(
            f"no column is called {' or '.join(shown(columns[field]) for field in missing)}, there are "
            f"{', '.join(there)}: --column {missing[0]}=NAME says which it is"
        )
        return []
    return [{field: row.get(columns[field]) for field in fields} for row in decoded]


def _whole(value: Any, most: int, what: str, kind: str, problems: list[str]) -> int | None:
    """Return a whole number; numeric 17.0 is one, 17.5 and the text '17' are none."""
    if type(value) is Decimal and value == value.to_integral_value():
        value = int(value) if abs(value) <= INTEGER_MAX + 1 else 2**63
    if type(value) is not int:
        problems.append(f"{what} must be a whole number, not {_plain(value)}")
        return None
    if not -most - 1 <= value <= most:
        problems.append(f"{what} is out of range: {kind} go from {-most - 1} to {most} here")
        return None
    return value


def _text(what: str, field: str, value: Any, problems: list[str]) -> str | None:
    try:
        check_text(field, value)
    except InvalidSymbol as exc:
        problems.append(f"{what}: {exc}")
        return None
    return str(value)


def _refuse_twice(what: str, keys: Sequence[tuple[Any, str]], problems: list[str]) -> None:
    seen: dict[Any, str] = {}
    for key, name in keys:
        if key in seen:
            text = shown(key[1]) if isinstance(key, tuple) else str(key)
            problems.append(f"{what} {text} is that of {seen[key]} and of {name}: one of them must go, or be renamed")
        seen.setdefault(key, name)


def _plain(value: Any) -> str:
    return f"{value:f}"[:64] if type(value) is Decimal else shown(value)
