"""Writes answers in one of three forms: a table on a terminal, lines with tabs into a pipe, or JSON.

Answers go to stdout, everything else to stderr. A command makes one table and does not know in which form it is shown.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

from exchanges_db.cli.cells import cell, json_value, one_line
from exchanges_db.cli.terminal import Heading, lay_out

T = TypeVar("T")


class AnswerLost(Exception):
    """The answer could not be written to stdout; `quiet` where the reader of a pipe has gone."""

    def __init__(self, reason: str, *, quiet: bool = False) -> None:
        super().__init__(reason)
        self.quiet = quiet


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column: its name, and which value of an item it shows.

    Attributes:
        must: it is shown on a terminal of any width.
        prose: its sentences may be wrapped on a terminal.
        piped: it is for programs, and never shown on a terminal.
    """

    name: str
    value: Callable[[T], Any]
    must: bool = False
    prose: bool = False
    piped: bool = False


@dataclass
class _Form:
    as_json: bool = False
    with_header: bool = False


_form = _Form()


def choose(*, as_json: bool = False, with_header: bool = False) -> None:
    """Set the form in which this command answers."""
    _form.as_json, _form.with_header = as_json, with_header


def is_json() -> bool:
    """Return whether the answer is to be JSON."""
    return _form.as_json


def is_terminal() -> bool:
    """Return whether the answer goes to a terminal, as a table."""
    return not _form.as_json and sys.stdout is not None and sys.stdout.isatty()


def show(items: Sequence[T], columns: Sequence[Column[T]], *, nothing: str) -> None:
    """Show a list, one line per item; where it is empty, write `nothing` to stderr."""
    if _form.as_json:
        show_json(items)
        return
    if not items:
        note(nothing)
        return
    if not is_terminal():
        rows = [[column.value(item) for column in columns] for item in items]
        show_lines(([column.name for column in columns], *rows) if _form.with_header else rows)
        return
    seen = [column for column in columns if not column.piped]
    rows = [[column.value(item) for column in seen] for item in items]
    headings = [Heading(column.name, must=column.must, prose=column.prose) for column in seen]
    lines, left_out = lay_out(headings, rows, shutil.get_terminal_size().columns)
    write("".join(f"{line}\n" for line in [_bold(lines[0]), *lines[1:]]))
    if left_out:
        note(f"no room for {', '.join(left_out)}: a wider terminal, a pipe or --json shows them")


def show_record(record: msgspec.Struct) -> None:
    """Show one record, one line per field."""
    if _form.as_json:
        show_json(record)
    else:
        show_fields(msgspec.structs.asdict(record))


def show_fields(fields: dict[str, Any]) -> None:
    """Show names and values, one line per pair."""
    if _form.as_json:
        show_json(fields)
    else:
        show_pairs(list(fields.items()))


def show_pairs(pairs: Sequence[tuple[str, Any]]) -> None:
    """Show names and values, one line per pair; a name may be there twice."""
    columns = [Column[tuple[str, Any]](name, _at(index), must=True) for index, name in enumerate(("field", "value"))]
    show(pairs, columns, nothing="")


def json_text(value: Any) -> str:
    """Return a value as JSON on one line, with exact numbers as text."""
    return json.dumps(msgspec.to_builtins(value, builtin_types=(Decimal,), enc_hook=json_value), default=json_value)


def show_json(value: Any) -> None:
    """Show a value as one JSON document, in ASCII, with exact numbers as text."""
    plain = msgspec.to_builtins(value, builtin_types=(Decimal,), enc_hook=json_value)
    write(json.dumps(plain, indent=2, default=json_value) + "\n")


def show_lines(rows: Sequence[Sequence[Any]]) -> None:
    """Show rows for a program: one line per row, with tabs between the cells."""
    write("".join("\t".join(map(cell, row)) + "\n" for row in rows))


def say(sentence: str) -> None:
    """Answer with one sentence."""
    write(one_line(sentence) + "\n")


def note(sentence: str) -> None:
    """Write one line to stderr that is not part of the answer: progress, advice, or where something was written."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(one_line(sentence) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):  # full, or closed: the answer goes to stdout all the same
        return


def write(text: str) -> None:
    """Write all of `text` to stdout.

    Raises:
        AnswerLost: stdout is closed, full or has no reader.
    """
    if sys.stdout is None:
        raise AnswerLost("it is closed")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise AnswerLost("nobody reads it any more", quiet=True) from None
    except OSError as exc:
        raise AnswerLost(exc.strerror or str(exc)) from exc


def settle() -> None:
    """Drop what could not be written to stdout, so that Python does not fail on it again at exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _bold(text: str) -> str:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if plain else f"\x1b[1m{text}\x1b[0m"


def _at(index: int) -> Callable[[tuple[str, Any]], Any]:
    return lambda pair: pair[index]
