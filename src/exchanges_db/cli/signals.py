"""Runs work that must not be left where it is: a signal that ends the program cancels it, and waits for its end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from exchanges_db.cli import output

T = TypeVar("T")
# Ctrl-C is asyncio's own to handle, in the same way.
_ENDING = ("SIGTERM", "SIGHUP")


def run_until_signal(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns; on SIGTERM and SIGHUP cancel it, and exit with 128 and the signal's number."""
    asked: list[signal.Signals] = []

    async def heeding() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def heed(number: signal.Signals) -> None:
            asked.append(number)
            output.note(f"{number.name}: stopping")
            task.cancel()

        for name in _ENDING:
            number = getattr(signal, name, None)
            # Not there on Windows, nor in a thread; and whoever starts a program with nohup wants no SIGHUP heeded.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                with suppress(NotImplementedError, RuntimeError, ValueError):
                    loop.add_signal_handler(number, heed, number)
        return await work

    try:
        return asyncio.run(heeding())
    except asyncio.CancelledError:
        if not asked:
            raise
        raise SystemExit(128 + asked[0]) from None
