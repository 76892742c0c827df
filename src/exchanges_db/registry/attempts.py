"""Work on a connection that is begun again after any error, for ever, after pauses that grow."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, Never

from exchanges_db.errors import ExchangesDBError
from exchanges_db.registry.listening import ERRORS, ours

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0  # seconds before another connection is made


async def again_and_again(
    work: Callable[[], Coroutine[Any, Any, None]], on_loss: Callable[[ExchangesDBError], None]
) -> Never:
    """Do the work until the task is cancelled; on_loss is called with the error of each attempt."""
    pause = _FIRST_PAUSE
    while True:
        began = monotonic()
        try:
            await work()
        except ERRORS as exc:
            on_loss(ours(exc))
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # what ended the work has hidden that it was cancelled
                raise asyncio.CancelledError from exc
        if monotonic() - began > _LONGEST_PAUSE:
            pause = _FIRST_PAUSE
        await asyncio.sleep(pause * (0.5 + random.random() / 2))  # noqa: S311 - no secret
        pause = min(2 * pause, _LONGEST_PAUSE)
