"""The fields of a row wherever they stand, and the spellings of a number: what `check_reader` tries out."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

# The keys and positions that lead to a value in a row.
Place = tuple[str | int, ...]


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Yield where the values stand that are neither objects nor lists."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*above, key))
    else:
        yield above


def name_of(place: Place) -> str:
    """Return a place as text, without the positions in lists: priceFilter.tickSize."""
    return ".".join(key for key in place if isinstance(key, str))


def get(value: Any, place: Place) -> Any:
    """Return what stands there; None where there is no such place."""
    for key in place:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def put(value: Any, place: Place, new: Any) -> Any:
    """Return a copy with another value there."""
    if not place:
        return new
    copy = value.copy()
    copy[place[0]] = put(copy[place[0]], place[1:], new)
    return copy


def spellings(text: str) -> list[Any]:
    """Return a number as text and as JSON's own, with an exponent and with zeros at its end."""
    exact = Decimal(text)
    sign, digits, exponent = exact.as_tuple()
    powered = f"{'-' * sign}{''.join(map(str, digits))}e{exponent}"
    plain = f"{exact:f}"
    zeros = plain + ("0" if "." in plain else ".0")
    spelled: list[Any] = [plain, powered, powered.upper(), zeros]
    spelled += [msgspec.Raw(one.encode()) for one in (zeros, powered)]
    if exact == int(exact):
        spelled += [int(exact), str(int(exact))]
    return spelled
