"""Functions of a user's that a registry calls: one that raises is logged, and hinders nobody else."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from threading import current_thread, main_thread
from typing import Any

from exchanges_db.errors import InvalidArgument, shown
from exchanges_db.events import event

log = logging.getLogger("exchanges_db")


def check_hook(hook: Callable[[Any], object] | None, field: str) -> None:
    """Raise InvalidArgument where nobody could call it, or where to call it does nothing, as with a coroutine."""
    if hook is None:
        return
    if not callable(hook):
        raise InvalidArgument(f"{field} must be a function of one argument, not {shown(hook)}", field=field)
    if inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(getattr(hook, "__call__", None)):  # noqa: B004
        raise InvalidArgument(
            f"{field} must be a plain function, because nobody awaits what it returns: from one, put what it is given "
            "into a queue, or start a task",
            field=field,
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
