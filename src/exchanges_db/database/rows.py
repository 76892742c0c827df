"""Turns what the database returns, a row of generated code or a JSON document, into one of our Structs, checked."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from exchanges_db.errors import SchemaMismatch

T = TypeVar("T", bound=msgspec.Struct)
Answer = TypeVar("Answer")


def from_database(row: object, kind: type[T]) -> T:
    """Return a generated row, or a mapping, as a `kind`.

    Raises:
        SchemaMismatch: it holds a value that this version does not know; the message names the field.
    """
    try:
        return msgspec.convert(row, kind, from_attributes=True)
    except msgspec.ValidationError as exc:
        raise SchemaMismatch(f"the database holds a row that this version cannot read: {exc}") from exc


def from_database_json(document: str, decoder: msgspec.json.Decoder[Answer]) -> Answer:
    """Return a JSON document of the database as what `decoder` makes; raise SchemaMismatch as `from_database` does."""
    try:
        return decoder.decode(document)
    except msgspec.ValidationError as exc:
        raise SchemaMismatch(f"the database holds a row that this version cannot read: {exc}") from exc
