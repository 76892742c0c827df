"""Lays out rows for a terminal: no value is split; columns for which there is no room are left out."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import Any, NamedTuple

from rich.cells import cell_len

from exchanges_db.cli.cells import cell

_GAP = "  "
_LEAST_PROSE = 20


class Heading(NamedTuple):
    """The head of a column.

    Attributes:
        must: the column is shown on a terminal of any width.
        prose: its cells are sentences, which may be wrapped.
    """

    name: str
    must: bool = False
    prose: bool = False


def lay_out(headings: Sequence[Heading], rows: Sequence[Sequence[Any]], width: int) -> tuple[list[str], list[str]]:
    """Return the lines of a table, its headings first, and the names of the columns left out.

    A tuple in a row takes one line per item. Numbers are aligned to the right.
    """
    columns = [[_lines(row[index]) for row in rows] for index in range(len(headings))]
    widths = [
        _LEAST_PROSE if heading.prose else max(map(cell_len, [heading.name, *(line for c in column for line in c)]))
        for heading, column in zip(headings, columns, strict=True)
    ]
    shown = _chosen(headings, widths, width)
    room = width - sum(widths[index] + len(_GAP) for index in shown) + len(_GAP)
    for index in shown:
        if headings[index].prose:
            widths[index] += max(0, room)
            columns[index] = [_wrapped(lines, widths[index]) for lines in columns[index]]
    right = [_are_numbers([row[index] for row in rows]) for index in shown]
    table = [tuple([heading.name] for heading in headings), *zip(*columns, strict=True)] if rows else []
    lines = [
        _GAP.join(
            _padded(text, widths[index], to_right=at_right)
            for text, index, at_right in zip(texts, shown, right, strict=True)
        ).rstrip()
        for row in table
        for texts in zip_longest(*(row[index] for index in shown), fillvalue="")
    ]
    return lines, [heading.name for index, heading in enumerate(headings) if index not in shown]


def _chosen(headings: Sequence[Heading], widths: Sequence[int], width: int) -> list[int]:
    """Return the indexes of the columns that are shown: those that must be, and others as far as there is room."""
    shown = {index for index, heading in enumerate(headings) if heading.must}
    room = width + len(_GAP) - sum(widths[index] + len(_GAP) for index in shown)
    for index, heading in enumerate(headings):
        needed = widths[index] + len(_GAP)
        if not heading.must and (needed <= room or not shown):
            shown.add(index)
            room -= needed
    return sorted(shown)


def _are_numbers(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | Decimal) and not isinstance(value, bool) for value in known)


def _lines(value: Any) -> list[str]:
    return [cell(item) for item in value] or ["-"] if isinstance(value, tuple) else [cell(value) or "-"]


def _wrapped(lines: Sequence[str], width: int) -> list[str]:
    """Return sentences in lines of at most `width`, broken at blanks only."""
    return [
        part
        for line in lines
        for part in textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [line]
    ]


def _padded(text: str, width: int, *, to_right: bool) -> str:
    blanks = " " * (width - cell_len(text))
    return blanks + text if to_right else text + blanks
