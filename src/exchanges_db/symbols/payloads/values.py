"""One field of a payload as a value: an exact number, a time, a word or a name; BrokenRow where it is none of these.

Whether a symbol may have that value is not checked here: SymbolSpec checks it when it is made.

A field comes as JSON gives it: text, an int, true, false, None, or a list or dict where it is broken. A number with a
fraction or an exponent comes as its text, so that no float is ever made of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

from exchanges_db.errors import shown

_NUMBER = re.compile(r"-?[0-9]{1,60}(\.[0-9]{0,60})?([eE][+-]?[0-9]{1,2})?")
# The same few thousand texts stand in all rows of a payload: one dictionary look-up instead of a parse each.
# With one argument only: true and 1 are one key else, and the memory is slower.
_MOST_NUMBERS = 65_536
_remembered = lru_cache(maxsize=_MOST_NUMBERS)
_ONE = Decimal(1)
_STEPS = tuple(_ONE.scaleb(-decimals) for decimals in range(41))
_LARGE = 10**60  # what is larger is no number of a payload: see _NUMBER
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Every time of our age in seconds, read as milliseconds, lies before it.
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
# What a specification has no room for, either.
_BEHIND_LAST = datetime(9999, 12, 31, tzinfo=UTC)
# Room for every number that _NUMBER lets through.
_wide = Context(prec=400)


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
    if value is None or value is False or value is True:
        return value
    if value == "true" or value == "false":
        return bool(value == "true")
    raise BrokenRow(f"{field} is {shown(value)}, not true or false")


# What texts are as numbers. A memory of texts only: true and 1 would be one key.
_numbers: dict[str | None, Decimal | None] = {None: None, "": None}


def number(field: str, value: Any) -> Decimal | None:
    """Return a number, quoted or not, exactly and without trailing zeros; None for null, absent and ""."""
    try:
        if value is None or type(value) is str:
            return _numbers[value]
        return _number(value)
    except KeyError:
        pass
    except (ValueError, TypeError):
        raise BrokenRow(f"{field} is {shown(value)}, not a number") from None
    try:
        exact = _number(value)
    except ValueError:
        raise BrokenRow(f"{field} is {shown(value)}, not a number") from None
    if len(_numbers) >= _MOST_NUMBERS:
        _numbers.clear()
        _numbers.update({None: None, "": None})
    _numbers[value] = exact
    return exact


def numbers(fields: tuple[str, ...], given: tuple[Any, ...]) -> Iterable[Decimal | None]:
    """Return what `number` gives for each of several values, for less time."""
    try:
        return list(map(_numbers.__getitem__, given))
    except (KeyError, TypeError):
        return [number(field, value) for field, value in zip(fields, given, strict=True)]


@_remembered
def _number(value: Any) -> Decimal | None:
    """Return a number; ValueError where it is none, and TypeError, from the memory, where it is a list or object."""
    if value is None or value == "":
        return None
    if type(value) is not str and type(value) is not int:
        raise ValueError
    # Python refuses to write an int of thousands of digits.
    text = value if isinstance(value, str) else str(value) if abs(value) < _LARGE else ""
    if not _NUMBER.fullmatch(text):
        raise ValueError
    if "e" in text or "E" in text:
        exact = Decimal(text).normalize(_wide)
        return exact if exact.as_tuple().exponent <= 0 else exact.quantize(_ONE, context=_wide)  # type: ignore[operator]
    return Decimal(text.rstrip("0") if "." in text else text)


def required(field: str, value: Decimal | None) -> Decimal:
    """Return `value`, which must be there."""
    if value is None:
        raise BrokenRow(f"{field} is missing")
    return value


def step(field: str, value: Any) -> Decimal:
    """Return 10^-n for a number n of decimals; the same object for the same number."""
    if type(value) is int and 0 <= value < len(_STEPS):
        return _STEPS[value]
    try:
        return _step(value)
    except (ValueError, TypeError):
        decimals = number(field, value)
    wrong = "is missing" if decimals is None else f"is {shown(value)}, not a number of decimals"
    raise BrokenRow(f"{field} {wrong}")


@_remembered
def _step(value: Any) -> Decimal:
    decimals = _number(value)
    if decimals is None or not -20 <= decimals <= 40 or decimals != int(decimals):
        raise ValueError
    return _STEPS[int(decimals)] if decimals >= 0 else _ONE.scaleb(-int(decimals))


def percent(field: str, value: Any) -> Decimal | None:
    """Return a number of percent as a fraction."""
    try:
        return _percent(value)
    except (ValueError, TypeError):
        number(field, value)
        raise  # cannot be: what is a number has a hundredth


@_remembered
def _percent(value: Any) -> Decimal | None:
    exact = _number(value)
    return None if exact is None else exact.scaleb(-2, context=_wide)


# By value: 5 and 5.0 end at the same place.
_last_places: dict[Decimal, Decimal] = {}


def coarser(step: Decimal, minimum: Decimal | None) -> Decimal:
    """Return the coarser of a step and the last decimal place of a minimum; for steps that no document states.

    A minimum of 0 says nothing, one of 5 gives 1, one of 0.25 gives 0.01.
    """
    if not minimum:
        return step
    place = _last_places.get(minimum) or last_place(minimum)
    return step if step is place or step >= place else place


def last_place(number: Decimal) -> Decimal:
    """Return the last decimal place of a number, 1 for a whole one: the same object for the same place."""
    if len(_last_places) >= _MOST_NUMBERS:
        _last_places.clear()
    exponent: Any = number.normalize(_wide).as_tuple().exponent
    place = _STEPS[-min(exponent, 0)] if exponent > -len(_STEPS) else _ONE.scaleb(exponent)
    _last_places[number] = place
    return place


def maximum(field: str, value: Any) -> Decimal | None:
    """Return an upper limit; None where there is none, which an exchange may also write as 0."""
    return number(field, value) or None


def count(field: str, value: Any) -> int | None:
    """Return a whole number, such as of orders or seconds; None for null, absent, "" and 0."""
    if type(value) is int and 0 < value < _LARGE:
        return value
    exact = number(field, value)
    if not exact:
        return None
    if exact != int(exact):
        raise BrokenRow(f"{field} is {shown(value)}, not a whole number")
    return int(exact)


def moment(field: str, value: Any, *, milliseconds: bool = False) -> datetime | None:
    """Return seconds since 1970, or milliseconds, as a time; None for null, absent and 0.

    A time so early that it must be in the other unit, or mean something else, is none.
    """
    # Not `not value`: false, [] and {} are no time.
    if value is None or value == "" or (type(value) is int and value == 0):
        return None
    try:
        if type(value) is str or type(value) is int:
            time = _milliseconds(value) if milliseconds else _seconds(value)
        else:
            number(field, value)
    except ValueError:
        number(field, value)
    except OverflowError:
        pass
    else:
        if time is None or _EARLIEST <= time < _BEHIND_LAST:
            return time
    raise BrokenRow(f"{field} is {shown(value)}, not a time in {'milliseconds' if milliseconds else 'seconds'}")


@_remembered
def _seconds(value: Any) -> datetime | None:
    if type(value) is int:
        return _EPOCH + timedelta(seconds=value)
    since = _number(value)
    return _EPOCH + timedelta(microseconds=int(since.scaleb(6, context=_wide))) if since else None


@_remembered
def _milliseconds(value: Any) -> datetime | None:
    if type(value) is int:
        return _EPOCH + timedelta(milliseconds=value)
    since = _number(value)
    return _EPOCH + timedelta(microseconds=int(since.scaleb(3, context=_wide))) if since else None


def code(text: str) -> str:
    """Return a currency's code as the exchange spells it: USDe is another coin than USDE."""
    return text
