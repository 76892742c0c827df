"""Dictionaries that a registry fills and nobody else changes, and that refuse to answer while the registry is stale.

A subclass of dict that has no `__getitem__` of its own is looked up about as fast as a dict; so what is refused is
refused by changing the class of the object, not by a question in each look-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeVar

from exchanges_db.errors import RegistryStale

K = TypeVar("K")
V = TypeVar("V")


class Answers(dict[K, V]):
    """Answers by key. A subclass says in `_find` what becomes of a key that is not among them."""

    __slots__ = ("__weakref__", "_refusal")
    _refusal: RegistryStale
    _refusing: type[Answers[Any, Any]]
    _answering: type[Answers[Any, Any]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not issubclass(cls, _Refusal):
            cls._answering = cls
            cls._refusing = type(cls.__name__, (_Refusal, cls), {"__slots__": (), "__doc__": cls.__doc__})

    def __missing__(self, key: Any) -> V:
        return self._find(key)

    def _find(self, key: Any) -> V:
        """Return the answer to a key that is not kept, or raise the error that says why there is none."""
        raise NotImplementedError

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} follows its registry, which a copy would not: make a dict of it")

    def _not_by_hand(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is filled by its registry alone: make a dict of it to change that")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _not_by_hand


class _Refusal:
    __slots__ = ()
    _refusal: RegistryStale

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise again(self._refusal)

    __getitem__ = __missing__ = __contains__ = __iter__ = __len__ = __reversed__ = __eq__ = __or__ = __ror__ = _refuse
    get = keys = values = items = copy = _refuse
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._refusal}>"


def change(answers: Answers[Any, Any], added: Mapping[Any, Any], gone: Iterable[Any] = ()) -> None:
    """Put in what is new first, and take out what is gone then: whoever looks one up meanwhile finds it.

    Whoever goes through them meanwhile does not: see View.
    """
    dict.update(answers, added)
    for key in gone:
        dict.pop(answers, key, None)


def refuse(answers: Answers[Any, Any], error: RegistryStale) -> None:
    """Raise this error for every question from now on."""
    answers._refusal = error  # noqa: SLF001  # it has no methods for users to fill it
    answers.__class__ = answers._refusing  # noqa: SLF001
    dict.clear(answers)  # for whoever has bound a method such as `get` before


def answer(answers: Answers[Any, Any], everything: Mapping[Any, Any]) -> None:
    """Answer again, by this."""
    dict.update(answers, everything)
    answers.__class__ = answers._answering  # noqa: SLF001


def again(error: RegistryStale) -> RegistryStale:
    """Return the same error as a new object: one that is raised in several threads would gather their tracebacks."""
    return RegistryStale(*error.args, lag=error.lag)
