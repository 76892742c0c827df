"""A thread that ends while others ask it: each has an answer, and nothing is left in a log."""

import asyncio
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import DatabaseUnavailable, RegistryStale
from exchanges_db.registry.loop_thread import LoopThread, ThreadEnded
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.state import RegistryState


def test_what_fails_as_the_thread_ends_is_logged_by_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The loop stops in the very round in which the question fails, and calls nobody back."""
    is_closing = threading.Event()

    async def opening() -> None:
        pass

    async def closing() -> None:
        is_closing.set()
        time.sleep(0.3)  # noqa: ASYNC251 - so that the loop does nothing until somebody has asked
        await asyncio.sleep(0)

    async def failing() -> None:
        raise RegistryStale("it is closed")

    def ask() -> None:
        assert is_closing.wait(5)
        with pytest.raises((RegistryStale, ThreadEnded)):
            thread.ask(failing)

    thread = LoopThread(lambda _: None)
    thread.start(opening, closing)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        thread.end()
        asking.result(5)
    del asking
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


@pytest.mark.parametrize("turns", range(5))
def test_it_is_told_to_end_twice_and_ends_in_order(turns: int) -> None:
    """As where several threads close it at once: what is to be done at the end is done."""
    done = []

    async def opening() -> None:
        pass

    async def closing() -> None:
        await asyncio.sleep(0.01)
        done.append("closed")

    def tell_again(left: int) -> None:
        if left:
            loop.call_soon(tell_again, left - 1)
        else:
            thread._stop()

    async def tell_twice() -> None:
        thread._stop()
        tell_again(turns)
        await loop.create_future()  # until the thread ends

    thread = LoopThread(done.append)
    thread.start(opening, closing)
    assert thread._loop is not None
    loop = thread._loop
    with pytest.raises(ThreadEnded):
        thread.ask(tell_twice)
    assert thread._thread is not None
    thread._thread.join(5)
    assert done == ["closed", ""]


def test_where_the_system_has_no_thread_for_it_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a user's or a container's limit of processes is reached; nothing is left open."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    registry = Registry.in_thread(Dsn())
    with pytest.raises(DatabaseUnavailable, match="no thread can be made to ask the database: can't start new thread"):
        registry.open()
    assert registry.state is RegistryState.CLOSED
    registry.close()
    with pytest.raises(RegistryStale):
        registry.refresh()
    gc.collect()  # a loop that is left open would say so
