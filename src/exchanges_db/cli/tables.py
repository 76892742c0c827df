"""How a person reads rows on a terminal, and a program as JSON.

Text from a database is printed as text: no markup of ours is read in it, and what could steer a terminal is shown
as a replacement character.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exchanges_db.exchanges.models import Exchange, ExchangeChange, ExchangeStats
from exchanges_db.schema.ledger import Migration

answers = Console(markup=False, highlight=False, emoji=False)
notes = Console(stderr=True, markup=False, highlight=False, emoji=False)


def print_error(text: str) -> None:
    """Print one line to stderr."""
    notes.print(f"error: {_plain(text)}", soft_wrap=True)


def print_note(text: str) -> None:
    """Print one line to stderr that is no answer: progress, or where something was written."""
    notes.print(_plain(text), soft_wrap=True)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Show `text` on stderr while the block runs."""
    if notes.is_terminal:
        with notes.status(text):
            yield
    else:
        print_note(text)
        yield


def print_json(value: Any) -> None:
    """Print a value as one JSON document."""
    answers.out(msgspec.json.format(msgspec.json.encode(value), indent=2).decode(), highlight=False)


def print_exchanges(found: Sequence[Exchange], *, as_json: bool, none: str = "no exchanges") -> None:
    """Print one line an exchange."""
    if as_json:
        print_json(found)
    elif not found:
        answers.print(none)
    else:
        fields = ("id", "name", "market_type", "is_active", "rate_limit_requests_per_second", "version", "display_name")
        print_table(
            ("id", "name", "market", "active", "req/s", "version", "display name"),
            ([getattr(exchange, field) for field in fields] for exchange in found),
        )


def print_exchange(exchange: Exchange | None, *, as_json: bool) -> None:
    """Print one exchange, a line a field."""
    if as_json:
        print_json(exchange)
    elif exchange is not None:
        print_table(("field", "value"), msgspec.structs.asdict(exchange).items())


def print_history(changes: Sequence[ExchangeChange], *, as_json: bool) -> None:
    """Print one line a change, oldest first: for an update each column with its old and new value."""
    if as_json:
        print_json(changes)
        return
    print_table(
        ("when", "version", "what", "by", "with", "change"),
        ((c.changed_at, c.version, c.operation, c.changed_by, c.application_name, _difference(c)) for c in changes),
    )


def print_stats(figures: ExchangeStats, *, as_json: bool) -> None:
    """Print the figures, a line each."""
    if as_json:
        print_json(figures)
    else:
        print_table(("figure", "value"), figures.items())


def print_migrations(found: Sequence[Migration], *, as_json: bool) -> None:
    """Print one line a migration."""
    if as_json:
        print_json(found)
    else:
        print_table(("version", "file", "state"), ((m.version, m.file_name, _state(m)) for m in found))


def _state(migration: Migration) -> str:
    if migration.is_taken:
        return "somebody else's version of this number is applied, ours is not"
    if migration.foreign:
        return "applied, of another project"
    if not migration.applied:
        return "pending, but what it makes is there" if migration.elsewhere else "pending"
    if migration.changed:
        return "applied, but the file was changed or removed since"
    return "applied" if migration.changed is False else "applied, no checksum kept"


def _difference(change: ExchangeChange) -> str:
    old, new = change.old_row or {}, change.new_row or {}
    return "\n".join(
        f"{column}: {_cell(old.get(column))} -> {_cell(new.get(column))}" for column in change.changed_columns
    )


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under bold headings, folded to the terminal's width."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    answers.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return _plain(str(value))


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)
