"""An event loop in a daemon thread, and how other threads ask it, end it, and are told that it has ended.

Whoever waits does so by a queue that a signal handler can use, too, wherever it has interrupted its own thread: a lock
or a condition that the handler finds taken would be taken for ever.
"""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread, current_thread
from typing import Any, TypeVar, cast

from exchanges_db.errors import ConfigurationError, DatabaseUnavailable
from exchanges_db.registry.forks import reason, tell_in_child

T = TypeVar("T")
_END_LIMIT = 10.0  # seconds within which the thread ends, unless somebody's function occupies it


class ThreadEnded(Exception):
    """Nobody answers: the thread has ended, or it is in the process that this one was forked from."""


class LoopThread:
    """A thread that runs one coroutine until it is told to end; it keeps no interpreter from ending.

    on_end: called once, by the thread, with "" when it has ended; in the child of a fork with the reason why there is
        no thread.
    """

    def __init__(self, on_end: Callable[[str], None]) -> None:
        self._on_end = on_end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._life: asyncio.Task[None] | None = None
        self._waiting: dict[int, SimpleQueue[Any]] = {}  # told None when the thread ends
        self._is_to_end = False
        self.has_ended = False
        self.is_forsaken = False  # in the child of a fork, which has no such thread

    @property
    def is_current(self) -> bool:
        """Whether it is this thread that asks."""
        return current_thread() is self._thread

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._thread is not None and not self.has_ended

    def start(
        self, opening: Callable[[], Coroutine[Any, Any, T]], closing: Callable[[], Coroutine[Any, Any, None]]
    ) -> T:
        """Run `opening`, and return what it returned; the thread then lives on, and runs `closing` at its end.

        Raises what `opening` raises, ThreadEnded where it was told to end, or DatabaseUnavailable where the system has
        no thread for it; then it has ended.
        """
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="exchanges_db registry", daemon=True)
        if self._is_to_end:  # told before there was a thread that could have been told
            self._loop.close()
            self._over("")
            raise ThreadEnded
        opened = self._expect()
        try:
            self._life = self._loop.create_task(_live(opening, closing, opened))
            _running[id(self)] = self
            self._begin(self._life)
            return cast("T", self._answer(opened, None))
        except BaseException:
            self.end()
            raise

    def _begin(self, life: asyncio.Task[None]) -> None:
        assert self._loop is not None  # both were made for it
        assert self._thread is not None
        try:
            self._thread.start()
        except RuntimeError as exc:
            life.cancel()
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(life)
            self._loop.close()
            self._over("")
            raise DatabaseUnavailable(f"no thread can be made to ask the database: {exc}") from exc

    def ask(self, work: Callable[[], Coroutine[Any, Any, T]], timeout: float | None = None) -> T:
        """Return what the coroutine returns, or raise what it raises, in the thread.

        Raises:
            queue.Empty: it has taken longer than `timeout` seconds; it is cancelled.
            ThreadEnded: nobody answers any more.
        """
        if self.is_current:
            raise ConfigurationError("this waits for the registry's own thread, so that it cannot be called there")
        if self._loop is None or self.has_ended:
            raise ThreadEnded
        loop, answered = self._loop, self._expect()
        tasks: list[asyncio.Task[T]] = []

        def begin() -> None:
            tasks.append(loop.create_task(work()))
            tasks[0].add_done_callback(heard)

        def heard(task: asyncio.Task[T]) -> None:
            tasks.clear()  # a task that ends in the thread that asks may swallow what a signal's handler raises there
            answered.put(_outcome(task))

        try:
            self._tell(begin)
            return cast("T", self._answer(answered, timeout))
        except BaseException:
            self._tell(lambda: [task.cancel() for task in tasks])
            for task in [*tasks]:  # one that failed as the loop ended, which has called nobody back then
                if task.done():
                    _outcome(task)
            raise

    def end(self) -> None:
        """End the thread, if it runs, and wait until it has ended, unless it is this one. It never starts then."""
        self._is_to_end = True
        thread = self._thread
        if thread is None or self.has_ended:
            return
        ended = self._expect()
        self._tell(self._stop)
        try:
            if current_thread() is not thread and thread.ident is not None:  # None: this has interrupted its start
                with suppress(Empty):
                    ended.get(timeout=_END_LIMIT)
        finally:
            self._waiting.pop(id(ended), None)

    def _tell(self, work: Callable[[], object]) -> None:
        assert self._loop is not None  # it was started
        with suppress(RuntimeError):  # the loop is closed: the thread tells at once that it has ended
            self._loop.call_soon_threadsafe(work)

    def _expect(self) -> SimpleQueue[Any]:
        """Return a queue that is told None, at the latest when the thread has ended."""
        queue: SimpleQueue[Any] = SimpleQueue()
        self._waiting[id(queue)] = queue
        if self.has_ended:
            queue.put(None)
        return queue

    def _answer(self, queue: SimpleQueue[Any], timeout: float | None) -> Any:
        try:
            outcome = queue.get(timeout=timeout)
        finally:
            self._waiting.pop(id(queue), None)
        if outcome is None:
            raise ThreadEnded
        result, error = outcome
        if error is not None:
            raise error
        return result

    def _run(self) -> None:
        loop, life = self._loop, self._life
        assert loop is not None  # made before the thread was started
        assert life is not None
        try:
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(life)
            while left := asyncio.all_tasks(loop):  # until none is left, as somebody may have asked meanwhile
                for task in left:
                    task.cancel()
                loop.run_until_complete(asyncio.wait(left))
        finally:
            # Not as asyncio.run does: that waits for a name that a server is looked up by, however long it takes.
            loop.close()
            self._over("")

    def _stop(self) -> None:
        assert self._life is not None  # the thread runs it
        if not self._life.cancelling():  # told twice, it would be torn out of its own end
            self._life.cancel()

    def _over(self, why: str) -> None:
        self.has_ended = True
        self._on_end(why)
        for queue in list(self._waiting.values()):
            queue.put(None)
        _running.pop(id(self), None)

    def forsake(self, parent: int) -> None:
        """In the child of a fork: there is no thread here, and what it holds is the parent's."""
        self.is_forsaken = True
        self._over(reason(parent))


def _outcome(task: asyncio.Task[T]) -> tuple[T | None, BaseException | None] | None:
    """Return what a task has returned, and what it has raised, of which nothing is logged then; None: was cancelled."""
    if task.cancelled():
        return None
    error = task.exception()
    return (task.result() if error is None else None), error


async def _live(
    opening: Callable[[], Coroutine[Any, Any, object]],
    closing: Callable[[], Coroutine[Any, Any, None]],
    opened: SimpleQueue[Any],
) -> None:
    loop = asyncio.get_running_loop()
    task = loop.create_task(opening())
    task.add_done_callback(lambda done: opened.put(_outcome(done)))
    try:
        await asyncio.wait((task,))
        if not task.cancelled() and task.exception() is None:
            await loop.create_future()  # until it is cancelled
    finally:
        task.cancel()
        await asyncio.wait((task,))
        await closing()


_running: dict[int, LoopThread] = {}
_forsaken: list[LoopThread] = []  # kept, so that nothing of the parent's is closed in its child
_processes = [os.getpid()]  # this one, after those that it was forked from


def _end_all() -> None:
    for thread in list(_running.values()):
        thread.end()


def _forsake_all() -> None:
    parent = _processes[-1]
    _processes.append(os.getpid())
    for thread in list(_running.values()):
        _forsaken.append(thread)
        thread.forsake(parent)


atexit.register(_end_all)
tell_in_child(_forsake_all)
