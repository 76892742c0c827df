"""Turns what the database returns, a row of generated code or a JSON document, into one of our Structs, checked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from exchanges_db.errors import SchemaMismatch, shown
from exchanges_db.events import event

log = logging.getLogger("exchanges_db")

T = TypeVar("T", bound=msgspec.Struct)
Item = TypeVar("Item")
Row = TypeVar("Row")
Answer = TypeVar("Answer")


def from_database(row: object, kind: type[T]) -> T:
    """Return a generated row, or a mapping, as a `kind`.

    Raises:
        SchemaMismatch: it holds a value that this version does not know; the message names the row and the field.
    """
    try:
        return msgspec.convert(row, kind, from_attributes=True)
    except msgspec.ValidationError as exc:
        raise unreadable(_name(row), str(exc)) from exc


def readable(rows: Iterable[Row], convert: Callable[[Row], Item]) -> list[Item]:
    """Return all rows that can be read; one that cannot hides no other, but is logged as an error that names it."""
    return [item for _, item in readable_pairs(rows, convert)]


def readable_pairs(rows: Iterable[Row], convert: Callable[[Row], Item]) -> list[tuple[Row, Item]]:
    """Return what `readable` does, each beside its row."""
    found: list[tuple[Row, Item]] = []
    wrong: list[SchemaMismatch] = []
    for row in rows:
        try:
            found.append((row, convert(row)))
        except SchemaMismatch as exc:
            wrong.append(exc)
    for one in wrong:
        log.error("left out of a list: %s", one, extra=event("row_unreadable"))
    return found


def unreadable(name: str, why: str) -> SchemaMismatch:
    """Return the error for a row that cannot be read."""
    return SchemaMismatch(f"the database holds a row that this version cannot read: {name}{why}")


def _name(row: object) -> str:
    """Return what a row of a symbol is called, with a colon; nothing for other rows."""
    names = [getattr(row, field, None) for field in ("exchange", "native_symbol", "id")]
    return "" if None in names else f"{shown(names[0])} {shown(names[1])}, id {names[2]}: "


def from_database_json(document: str, decoder: msgspec.json.Decoder[Answer]) -> Answer:
    """Return a JSON document of the database as what `decoder` makes; raise SchemaMismatch as `from_database` does."""
    try:
        return decoder.decode(document)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise SchemaMismatch(f"the database holds a row that this version cannot read: {exc}") from exc
