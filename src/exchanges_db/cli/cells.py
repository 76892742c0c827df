"""How one value is written: whole, on one line, the same wherever it is shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def text_of(value: Any) -> str:
    """Return a value of an answer as text that a person can read and type again; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"  # 0.0000000001, never 1E-10
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, list | tuple):
        return "; ".join(map(text_of, value))
    return str(value)


def json_value(value: Any) -> Any:
    """Return what stands in JSON for a value that JSON has no form for."""
    if isinstance(value, Decimal | date):
        return text_of(value)
    raise TypeError(f"no form in JSON for {type(value).__name__}")


def one_line(text: str) -> str:
    """Return `text` with all that would start a line, move a cursor or hide itself written as an escape."""
    return _escaped(text, str.isprintable)


def cell(value: Any) -> str:
    """Return `text_of(value)` on one line and without tabs, so that it can be undone: a backslash is doubled."""
    return _escaped(text_of(value), lambda char: char.isprintable() and char != "\\")


def _escaped(text: str, stays: Callable[[str], bool]) -> str:
    return "".join(char if stays(char) else char.encode("unicode_escape").decode() for char in text)
