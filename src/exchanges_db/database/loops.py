"""The event loop that runs, and the tasks that end connections on it beside everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from exchanges_db.errors import ConfigurationError


def running_loop() -> asyncio.AbstractEventLoop:
    """Return asyncio's running event loop.

    Raises:
        ConfigurationError: there is none, as under trio, or in a plain function.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "exchanges_db runs on asyncio: call it from a coroutine that asyncio.run (or uvloop.run) has started"
        ) from None


def check_loop(loop: asyncio.AbstractEventLoop, what: str = "Database") -> None:
    """Raise ConfigurationError where another event loop than `loop` runs."""
    if running_loop() is not loop:
        raise ConfigurationError(
            f"this {what} was opened in another event loop: make one for each loop, or pass no db="
        )


class Background:
    """Tasks that nobody waits for until the end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it beside everything else."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, limit: float) -> None:
        """Wait for all tasks, and cancel those that are not done after `limit` seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(0.0, limit))
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
