"""Functions of a user's that a registry calls: one that raises is logged, and hinders nobody else."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from collections.abc import Callable
from threading import current_thread, main_thread
from typing import Any

from exchanges_db.errors import InvalidArgument, shown
from exchanges_db.events import event

log = logging.getLogger("exchanges_db")
_READ: dict[str, Any] = {"follow_wrapped": False}
if sys.version_info >= (3, 14):  # which would look up what annotations name, as what only a type checker has
    import annotationlib

    _READ["annotation_format"] = annotationlib.Format.STRING


def check_hook(hook: Callable[[Any], object] | None, field: str) -> None:
    """Raise InvalidArgument where nobody could call it, or where to call it does nothing, as with a coroutine."""
    if hook is None:
        return
    if not callable(hook) or not takes(hook, 1):
        raise InvalidArgument(f"{field} must be a function of one argument, not {shown(hook)}", field=field)
    if only_begins(hook):
        raise InvalidArgument(
            f"{field} must be a plain function, because nobody awaits what it returns: from one, put what it is given "
            "into a queue, or start a task",
            field=field,
        )


def takes(function: Callable[..., object], arguments: int) -> bool:
    """Return whether it can be called with so many arguments, as far as it tells."""
    try:
        signature = inspect.signature(function, **_READ)
    except (TypeError, ValueError):  # not every function that is not written in Python has one
        return True
    try:
        signature.bind(*range(arguments))
    except TypeError:
        return False
    return True


def only_begins(function: Callable[..., object]) -> bool:
    """Return whether to call it runs nothing of it, because somebody would have to await what it returns."""
    return any(
        is_one(each)
        for is_one in (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
        for each in (function, getattr(function, "__call__", None))  # noqa: B004
    )


def call(hook: Callable[[Any], object] | None, told: object) -> None:
    """Call a hook, where there is one: soon, by the event loop, so that nothing that is being done waits for it."""
    if hook is None:
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # a thread that has none
        _call(hook, told)
    else:
        loop.call_soon(_call, hook, told)


def _call(hook: Callable[[Any], object], told: object) -> None:
    try:
        hook(told)
    except (Exception, SystemExit) as exc:
        if isinstance(exc, SystemExit) and current_thread() is main_thread():
            raise  # in another thread it would end no program, but the registry that lives there
        log.exception("a hook of the registry failed", extra=event("registry_hook_failed"))
