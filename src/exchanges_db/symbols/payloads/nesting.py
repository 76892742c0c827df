"""How deep a payload may nest its brackets: a bound of ours, so that every interpreter answers alike.

Each version of Python ends such recursion at a depth of its own, and some take the caller's stack into account.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate

import msgspec

from exchanges_db.errors import PayloadError

# Every list of symbols that we know nests 5 deep at most; Python 3.11 stops at 1,000, less the caller's stack.
DEEPEST = 256
_AT_ONCE = 32
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NOT_OPENING = bytes(byte for byte in range(256) if byte not in b"[{")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def nests_too_deeply(text: bytes, above: int = 0) -> bool:
    """Return whether `text`, which stands inside `above` brackets, has a bracket that is more than DEEPEST deep.

    Works on text that is no JSON, too: brackets in strings do not count, and nothing has to match.
    """
    # Counting is cheap and nearly always enough: without that many brackets there is no such depth.
    if len(text.translate(None, _NOT_OPENING)) <= DEEPEST - above:
        return False
    brackets = _STRING.sub(b"", text).translate(None, _NO_BRACKETS)
    depths = accumulate(1 if bracket in b"[{" else -1 for bracket in brackets)
    return max(depths, default=0) > DEEPEST - above


def check_nesting(values: Iterable[msgspec.Raw], above: int) -> None:
    """Raise PayloadError when one of the values, which all stand inside `above` brackets, nests too deeply."""
    remaining = list(values)
    for start in range(0, len(remaining), _AT_ONCE):
        some = remaining[start : start + _AT_ONCE]
        # So few brackets in all of them that none can be too deep.
        if nests_too_deeply(b"".join(some), above) and any(nests_too_deeply(bytes(one), above) for one in some):
            raise too_deep()


def too_deep() -> PayloadError:
    """Return the error for such a payload."""
    return PayloadError(f"the payload nests its brackets more than {DEEPEST} deep: it is no list of symbols")
