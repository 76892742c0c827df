"""The digest that tells whether the row of a payload has changed, which is stored beside its symbol.

What moves by the minute, such as a price, is stored with the rest but is no part of the digest.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import msgspec

_fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def digest(raw: msgspec.Raw, volatile: frozenset[str]) -> str:
    """Return a short text that differs where rows differ in a key that is not volatile, in whatever order."""
    fields = _fields_of(raw)
    # NUL stands in no JSON text, so that no two rows run together to the same bytes.
    text = b"\x00".join([part for name, key in _kept(tuple(fields), volatile) for part in (key, fields[name])])
    return blake2b(text, digest_size=12).hexdigest()


@lru_cache(maxsize=1024)  # the rows of a list have few orders of keys
def _kept(names: tuple[str, ...], volatile: frozenset[str]) -> tuple[tuple[str, bytes], ...]:
    """Return the keys that count, in one order for all rows, each also as bytes."""
    return tuple((name, name.encode()) for name in sorted(names) if name not in volatile)
