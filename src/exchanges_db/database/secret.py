"""Keeps passwords out of everything that is printed: values that hide their text, errors without their frames.

Crash reporters print the local variables of each frame of a traceback, and of those of its causes.
"""

from __future__ import annotations

import os
import re
from typing import TypeVar

from exchanges_db.errors import InvalidArgument

E = TypeVar("E", bound=BaseException)
# As Path writes it, too, which makes one slash of two. A file whose name is like this can be named by no path of ours.
_ADDRESS = re.compile(r"://|postgres(?:ql)?(?:\+\w+)?:/", re.IGNORECASE)


class Secret:
    """A text that is shown only by `reveal()`, and in no log or error."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not to be written anywhere")


class _Address(os.PathLike[str]):
    """Stands for the address of a database that was given for a path, and knows nothing of it."""

    def __fspath__(self) -> str:
        raise InvalidArgument(
            "this looks like the address of a database, and is not repeated here: the path of a file is needed",
            field="path",
        )


def path_without_address(path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Return the path, or, for the address of a database, one that raises InvalidArgument when it is to be used.

    Whoever is given a path keeps this alone, and lets go of the other at once.
    """
    is_path = isinstance(path, str | bytes | os.PathLike)
    return _Address() if is_path and _ADDRESS.search(os.fsdecode(path)) else path


def without_frames(exc: E) -> E:
    """Return the error with no frame in its traceback, nor in those of its causes: their locals may hold a password."""
    seen: set[int] = set()
    left: list[BaseException | None] = [exc]
    while left:
        one = left.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.__traceback__ = None
            left += [one.__cause__, one.__context__]
            if isinstance(one, BaseExceptionGroup):
                left += one.exceptions
    return exc
