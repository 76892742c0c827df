"""Writes single values: whole, on one line, and the same wherever they are shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def text_of(value: Any) -> str:
    """Return a value as text that a person can read and type again; an empty text for None."""
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
    """Return the text for a value that JSON has no form for."""
    if isinstance(value, Decimal | date):
        return text_of(value)
    raise TypeError(f"no form in JSON for {type(value).__name__}")


def one_line(text: str) -> str:
    """Return `text` with every character that breaks a line, moves the cursor or is invisible written as an escape."""
    return _escaped(text, str.isprintable)


def cell(value: Any) -> str:
    """Return `text_of(value)` on one line and without tabs; with a backslash doubled, so that it can be read back."""
    return _escaped(text_of(value), lambda char: char.isprintable() and char != "\\")


def _escaped(text: str, stays: Callable[[str], bool]) -> str:
    return "".join(char if stays(char) else char.encode("unicode_escape").decode() for char in text)
