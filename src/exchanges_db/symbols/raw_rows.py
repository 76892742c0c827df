"""Rows of a payload as they are stored beside their symbols, and the digest that tells whether one has changed.

What moves by the minute, such as a price, is stored with the rest but is no part of the digest.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

_fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def digest(raw: msgspec.Raw, volatile: frozenset[str]) -> str:
    """Return a short text that differs where rows differ in a key that is not volatile, in whatever order."""
    fields = _fields_of(raw)
    for name in volatile:
        fields.pop(name, None)
    # NUL stands in no JSON text, so that no two rows run together to the same bytes.
    text = b"\x00".join([part for name in sorted(fields) for part in (name.encode(), bytes(fields[name]))])
    return blake2b(text, digest_size=12).hexdigest()


def rows_document(rows: Iterable[tuple[int, msgspec.Raw, str]]) -> str:
    """Return rows as one JSON document: of each the id of its symbol, itself as it came, and its digest."""
    parts = [b'{"id":%d,"raw":%b,"digest":"%b"}' % (key, bytes(raw), mark.encode()) for key, raw, mark in rows]
    return (b"[" + b",".join(parts) + b"]").decode()
