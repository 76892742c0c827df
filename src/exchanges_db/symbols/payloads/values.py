"""One field of a payload as a value: an exact number, a time, a word or a name; BrokenRow where it is none of these.

Whether a symbol may have that value is not checked here: SymbolSpec checks it when it is made.

A field comes as JSON gives it: text, an int, true, false, None, or a list or dict where it is broken. A number with a
fraction or an exponent comes as its text, so that no float is ever made of it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from exchanges_db.errors import shown

_NUMBER = re.compile(r"-?[0-9]{1,60}(\.[0-9]{0,60})?([eE][+-]?[0-9]{1,2})?")
# The same few thousand texts stand in all rows of a payload: one dictionary look-up instead of a parse each.
_remembered = lru_cache(maxsize=65_536)


class BrokenRow(ValueError):
    """A row of a payload that cannot be read; the text says why."""


def word(field: str, value: Any) -> str | None:
    """Return text, or an integer as text; None for null and absent."""
    if value is None or type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    raise BrokenRow(f"{field} is {shown(value)}, not a word")


def flag(field: str, value: Any) -> bool | None:
    """Return a boolean, also where it is quoted; None for null and absent."""
    if value is None or type(value) is bool:
        return value
    if value == "true" or value == "false":
        return bool(value == "true")
    raise BrokenRow(f"{field} is {shown(value)}, not true or false")


def number(field: str, value: Any) -> Decimal | None:
    """Return a number, quoted or not, exactly and without trailing zeros; None for null, absent and ""."""
    if value is None or value == "":
        return None
    exact = _exact(value) if type(value) is str or type(value) is int else None
    if exact is None:
        raise BrokenRow(f"{field} is {shown(value)}, not a number")
    return exact


@_remembered
def _exact(value: str | int) -> Decimal | None:
    # Python refuses to write an int of thousands of digits.
    text = value if isinstance(value, str) else str(value) if abs(value) < 10**60 else ""
    if not _NUMBER.fullmatch(text):
        return None
    return Decimal(text.rstrip("0") if "." in text and "e" not in text and "E" not in text else text)


def required(field: str, value: Decimal | None) -> Decimal:
    """Return `value`, which must be there."""
    if value is None:
        raise BrokenRow(f"{field} is missing")
    return value


def step(field: str, value: Any) -> Decimal:
    """Return 10^-n for a number n of decimals."""
    decimals = number(field, value)
    if decimals is None:
        raise BrokenRow(f"{field} is missing")
    exact = _power(decimals)
    if exact is None:
        raise BrokenRow(f"{field} is {shown(value)}, not a number of decimals")
    return exact


@_remembered
def _power(decimals: Decimal) -> Decimal | None:
    if not -20 <= decimals <= 40 or decimals != int(decimals):
        return None
    return Decimal(1).scaleb(-int(decimals))


def maximum(field: str, value: Any) -> Decimal | None:
    """Return an upper limit; None where there is none, which an exchange may also write as 0."""
    return number(field, value) or None


def moment(field: str, value: Any) -> datetime | None:
    """Return seconds since 1970 as a time; None for null, absent and 0."""
    if not value:
        return None
    seconds = number(field, value)
    if not seconds:
        return None
    time = _time(seconds)
    if time is None:
        raise BrokenRow(f"{field} is {shown(value)}, not a time in seconds")
    return time


@_remembered
def _time(seconds: Decimal) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def code(text: str) -> str:
    """Return a currency's code, in capitals where it is ASCII."""
    return text.upper() if text.isascii() else text
