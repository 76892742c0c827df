"""A registry in a thread: read from any other without a lock, ended from anywhere, of no use after a fork."""

import asyncio
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import (
    AccessDenied,
    ConfigurationError,
    DatabaseUnavailable,
    InvalidArgument,
    RegistryStale,
    SchemaMismatch,
)
from exchanges_db.registry.changes import ExchangeChanged
from exchanges_db.registry.followers import Follower
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_db.registry.state import RegistryState
from tests.factories import connected
from tests.fix_server import url_of

QUICK = RegistrySettings(poll_interval=0.2, answer_timeout=5)
NOWHERE = "postgresql://localhost:1/nowhere?sslmode=disable"
READERS = 8
# One transaction sets both: whoever sees them apart has seen a state that never was.
CHANGE = "UPDATE public.exchanges SET display_name = $1::text, websocket_url = 'wss://test/' || $1::text WHERE id = 1"


class Recorder:
    """A follower that calls a function with each snapshot."""

    def __init__(self, on_move: Any) -> None:
        self.on_move = on_move

    def moved(self, before: Snapshot | None, after: Snapshot, news: News | None) -> None:
        """Call it."""
        self.on_move(after)

    def stale(self, error: RegistryStale) -> None:
        """Do nothing."""

    def fresh(self, snapshot: Snapshot) -> None:
        """Do nothing."""


@contextmanager
def switching_often() -> Iterator[None]:
    """Have the interpreter change between threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


async def write(dsn: Dsn, seconds: float, per_second: int) -> int:
    """Change two fields together, at most so many times per second; return how often."""
    async with connected(dsn) as connection:
        began = time.monotonic()
        number = 0
        while (passed := time.monotonic() - began) < seconds:
            if number < passed * per_second:
                number += 1
                await connection.execute(CHANGE, str(number))
            else:
                await asyncio.sleep(0.0005)
        return number


def test_eight_threads_read_only_states_that_existed(stocked_dsn: Dsn) -> None:
    """Each snapshot is one of the log's, whole, and no reader ever goes back."""
    over, all_have_read = threading.Event(), threading.Barrier(READERS + 1)

    def read(registry: Any) -> tuple[int, int, list[str]]:
        reads, seen, wrong, last = 0, set(), [], -1
        is_last = False
        while not is_last:
            is_last = over.is_set()  # so each sees what was written last, however late it gets its turn
            snapshot = registry.snapshot
            exchange = snapshot.places_by_id[1].exchange
            number = exchange.display_name
            if number.isdigit() and exchange.websocket_url != f"wss://test/{number}":
                wrong.append(f"{number} and {exchange.websocket_url}")
            if snapshot.position.epoch < last:
                wrong.append(f"{snapshot.position.epoch} after {last}")
            last = snapshot.position.epoch
            seen.add(last)
            reads += 1
            if reads == 1:
                all_have_read.wait(20)
        return reads, len(seen), wrong

    with Registry.in_thread(stocked_dsn, settings=QUICK) as registry, switching_often():
        with ThreadPoolExecutor(READERS) as pool:
            readers = [pool.submit(read, registry) for _ in range(READERS)]
            try:
                all_have_read.wait(20)
                written = asyncio.run(write(stocked_dsn, 1.0, 500))
                registry.refresh(timeout=10)
            finally:
                over.set()
        assert registry.snapshot.places_by_id[1].exchange.display_name == str(written)
        found = [reader.result() for reader in readers]
    assert [wrong for _, _, wrong in found if wrong] == []
    assert all(seen > 1 for _, seen, _ in found)


def test_a_look_up_does_not_wait_for_the_thread_of_the_registry(stocked_dsn: Dsn) -> None:
    """While that thread is held up in the middle of taking over a change, everybody else reads on: no lock is held."""
    held, go_on = threading.Event(), threading.Event()
    with Registry.in_thread(stocked_dsn, settings=QUICK) as registry:
        before = registry.snapshot

        def hold_up(snapshot: Snapshot) -> None:
            if snapshot.position != before.position:
                held.set()
                assert go_on.wait(10)

        recorder = Recorder(hold_up)
        registry.follow(recorder)
        asyncio.run(write(stocked_dsn, 0.05, 20))
        assert held.wait(10)
        try:
            with ThreadPoolExecutor(READERS) as pool:
                reads = [
                    pool.submit(lambda: [registry.snapshot.position.epoch for _ in range(1000)]) for _ in range(READERS)
                ]
                assert all(min(read.result(5)) >= before.position.epoch for read in reads)
            assert registry.state in (RegistryState.LIVE, RegistryState.STALE)
            assert registry.lag is not None
            with pytest.raises(RegistryStale, match=r"within 0\.05 s"):
                registry.refresh(timeout=0.05)
        finally:
            go_on.set()
        registry.refresh(timeout=10)


def test_what_opening_raises_is_raised_in_the_callers_thread(stocked_dsn: Dsn, empty_dsn: Dsn) -> None:
    before = threading.active_count()
    for db, error in (
        (NOWHERE, DatabaseUnavailable),
        (replace(stocked_dsn, user="nobody_known"), AccessDenied),
        (empty_dsn, SchemaMismatch),
    ):
        with pytest.raises(error):
            Registry.in_thread(db, settings=RegistrySettings(load_timeout=0.5)).open()
    assert threading.active_count() == before


def test_it_is_opened_once(stocked_dsn: Dsn) -> None:
    registry = Registry.in_thread(stocked_dsn)
    with pytest.raises(RegistryStale, match="nothing yet"):
        _ = registry.snapshot
    with pytest.raises(RegistryStale):
        registry.refresh()
    with registry, pytest.raises(ConfigurationError, match="opened once"):
        registry.open()
    with pytest.raises(ConfigurationError, match="opened once"):
        registry.open()
    unused = Registry.in_thread(stocked_dsn)
    unused.close()
    assert unused.state is RegistryState.CLOSED
    with pytest.raises(ConfigurationError, match="opened once"):
        unused.open()


def test_it_is_closed_from_any_thread_and_twice(stocked_dsn: Dsn) -> None:
    before = threading.active_count()
    registry = Registry.in_thread(stocked_dsn).open()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: registry.close(), range(8)))
    registry.close()
    assert registry.state is RegistryState.CLOSED
    for ask in (lambda: registry.snapshot, registry.refresh):
        with pytest.raises(RegistryStale, match="closed"):
            ask()
    assert threading.active_count() == before


def test_whoever_waits_is_told_when_it_is_closed(stocked_dsn: Dsn) -> None:
    with Registry.in_thread(stocked_dsn, settings=QUICK) as registry, ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(_refresh_for_ever, registry) for _ in range(4)]
        registry.refresh()
        registry.close()
        for wait in waits:
            with pytest.raises(RegistryStale, match="closed"):
                wait.result(10)


def _refresh_for_ever(registry: Any) -> None:
    while True:
        registry.refresh()


def test_the_registrys_own_thread_does_not_wait_for_itself(stocked_dsn: Dsn) -> None:
    """A function that it calls may close it, but waiting there for the next answer would be for ever."""
    refused: list[ConfigurationError] = []
    done = threading.Event()
    with Registry.in_thread(stocked_dsn, settings=QUICK) as registry:

        def ask(snapshot: Snapshot) -> None:
            try:
                registry.refresh()
            except ConfigurationError as exc:
                refused.append(exc)
            registry.follow(other)
            registry.close()
            done.set()

        other: Follower = Recorder(lambda _: None)
        recorder = Recorder(ask)
        registry.follow(recorder)
        assert done.wait(10)
    assert len(refused) == 1
    assert registry.state is RegistryState.CLOSED


def test_a_signal_handler_closes_it_while_the_main_thread_waits_for_it(stocked_dsn: Dsn) -> None:
    """Whatever the main thread does at that moment: the handler ends, and so does the wait, in time."""
    for delay in range(12):
        registry = Registry.in_thread(stocked_dsn, settings=QUICK)
        began = time.monotonic()
        with _alarm(0.0005 + 0.004 * delay, registry.close), pytest.raises((RegistryStale, ConfigurationError)):
            _refresh_for_ever(registry.open())
        registry.close()
        assert time.monotonic() - began < 8
        assert registry.state is RegistryState.CLOSED


def test_what_is_closed_while_its_thread_is_being_made_is_never_opened(
    stocked_dsn: Dsn, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry.in_thread(stocked_dsn, settings=QUICK)
    make = asyncio.new_event_loop

    def interrupted() -> asyncio.AbstractEventLoop:
        registry.close()
        return make()

    monkeypatch.setattr(asyncio, "new_event_loop", interrupted)
    before = threading.active_count()
    with pytest.raises(RegistryStale, match="closed"):
        registry.open()
    assert registry.state is RegistryState.CLOSED
    assert threading.active_count() == before


@contextmanager
def _alarm(seconds: float, handle: Callable[[], object]) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, lambda *_: handle())
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


async def test_a_caller_with_an_event_loop_of_its_own_may_use_it(stocked_dsn: Dsn) -> None:
    with Registry.in_thread(stocked_dsn, settings=QUICK) as registry:
        written = await write(stocked_dsn, 0.05, 40)
        await asyncio.to_thread(registry.refresh)
        assert registry.snapshot.places_by_id[1].exchange.display_name == str(written)
        async with Registry(stocked_dsn) as other:
            assert other.position == registry.position


def test_what_changes_comes_to_a_plain_loop_in_a_thread(stocked_dsn: Dsn) -> None:
    """In its order, until the stream or the registry is closed, also by another thread; then the loop is over."""
    with Registry.in_thread(stocked_dsn, settings=QUICK) as registry, ThreadPoolExecutor(2) as pool:
        changes, others = registry.changes(), registry.changes()
        began = changes.position
        written = asyncio.run(write(stocked_dsn, 0.05, 40))
        names = []
        for change in changes:
            assert isinstance(change, ExchangeChanged)
            assert change.after is not None
            names.append(int(change.after.display_name))
            if names[-1] == written:
                break
        assert names == sorted(set(names))
        assert changes.position == registry.position != began
        waits, reads = pool.submit(list, changes), pool.submit(list, others)
        changes.close()
        assert waits.result(10) == []
        registry.close()
        assert len(reads.result(10)) == len(names)  # what was waiting comes first
        with pytest.raises(RegistryStale, match="closed"):
            registry.changes()


def test_what_waited_when_it_was_closed_is_read_afterwards(stocked_dsn: Dsn, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever drains a stream in the end, as with a Registry, and was interrupted at that."""
    with Registry.in_thread(stocked_dsn, settings=QUICK) as registry:
        changes = registry.changes()
        began = changes.position
        asyncio.run(write(stocked_dsn, 0.01, 3))
        registry.refresh(timeout=10)
        registry.close()
        real = changes._stream.rest

        def interrupted() -> Any:
            real()
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(changes._stream, "rest", interrupted)
            with pytest.raises(KeyboardInterrupt):
                next(changes)
        assert changes.position == began
        assert len(list(changes)) in (1, 2, 3)
        assert changes.position == registry.position != began


@pytest.mark.parametrize("is_closed", [False, True])
def test_an_interruption_while_one_waits_for_a_change_loses_none(
    stocked_dsn: Dsn, monkeypatch: pytest.MonkeyPatch, is_closed: bool
) -> None:
    """As by Ctrl-C, when the registry's thread has just taken it out of the queue; and the position says so."""
    with Registry.in_thread(stocked_dsn, settings=QUICK) as registry:
        changes = registry.changes()
        began = changes.position
        real = registry._thread._answer

        def interrupted(*given: Any) -> Any:
            real(*given)
            raise KeyboardInterrupt

        asyncio.run(write(stocked_dsn, 0.01, 1))
        registry.refresh(timeout=10)
        with monkeypatch.context() as patch:
            patch.setattr(registry._thread, "_answer", interrupted)
            with pytest.raises(KeyboardInterrupt):
                next(changes)
        assert changes.position == began
        if is_closed:  # nor does that make it given out
            changes.close()
            assert (list(changes), changes.position) == ([], began)
        else:
            assert isinstance(next(changes), ExchangeChanged)
            assert changes.position == registry.position != began


def test_what_was_taken_while_a_reader_was_interrupted_is_waited_for_by_nobody(stocked_dsn: Dsn) -> None:
    """The registry's thread may have taken it after the reader has asked again: no other change need come then."""
    with Registry.in_thread(stocked_dsn, settings=QUICK) as registry, ThreadPoolExecutor(1) as pool:
        changes = registry.changes()
        asyncio.run(write(stocked_dsn, 0.01, 1))
        registry.refresh(timeout=10)
        for _ in range(2):
            pool.submit(changes._wait).result(10)
        assert isinstance(next(changes), ExchangeChanged)


def test_it_begins_with_a_file_where_no_database_is(stocked_dsn: Dsn, tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    with Registry.in_thread(stocked_dsn) as registry:
        registry.save(path)
        with Registry.in_thread(NOWHERE, file=path) as other:
            assert other.state is RegistryState.STALE
            assert other.position == registry.position
            assert dict(other.by_id) == dict(registry.by_id)
        with Registry.in_thread(stocked_dsn, file=path) as again:
            again.refresh(timeout=10)
            assert (again.state, again.stats().loads) == (RegistryState.LIVE, 0)


async def test_its_connection_ends_with_it(stocked_dsn: Dsn) -> None:
    asks = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'exchanges_db registry' AND datname = $1"
    async with connected(stocked_dsn) as connection:
        with Registry.in_thread(stocked_dsn):
            assert await connection.fetchval(asks, stocked_dsn.database) == 1
        async with asyncio.timeout(10):
            while await connection.fetchval(asks, stocked_dsn.database):
                await asyncio.sleep(0.01)


def run(program: str, dsn: Dsn) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": url_of(dsn)}
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "end",
    [
        "del registry",
        "os.kill(os.getpid(), signal.SIGINT)",
        "threading.Thread(target=lambda: (time.sleep(0.1), registry.snapshot)).start()",
    ],
)
def test_the_interpreter_ends_without_a_word(stocked_dsn: Dsn, end: str) -> None:
    """However the program ends, nobody need close it: no traceback, no warning, no wait."""
    begin = (
        "import os, signal, sys, threading, time\n"
        "from exchanges_db.registry.registry import Registry\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(0))\n"
        "registry = Registry.in_thread().open()\n"
        "assert registry.snapshot.places\n"
    )
    ended = run(begin + end, stocked_dsn)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_after_a_fork_the_child_says_that_it_is_of_no_use_and_the_parent_goes_on(stocked_dsn: Dsn) -> None:
    program = """
import asyncio, os, sys
from exchanges_db.errors import RegistryStale
from exchanges_db.registry.registry import Registry
class Follower:
    error = None
    def moved(self, before, after, news): pass
    def stale(self, error): self.error = error
    def fresh(self, snapshot): pass
parent, follower = os.getpid(), Follower()
with Registry.in_thread() as registry:
    registry.follow(follower)
    child = os.fork()
    if child == 0:
        for ask in (lambda: registry.snapshot, registry.refresh):
            try:
                ask()
            except RegistryStale as exc:
                assert f"opened by process {parent}, before a fork" in str(exc), exc
            else:
                raise AssertionError
        assert "before a fork" in str(follower.error)
        assert registry.state == "CLOSED"
        registry.close()
        with Registry.in_thread() as mine:
            mine.refresh(timeout=20)
            if os.fork() == 0:
                try:
                    mine.snapshot
                except RegistryStale as exc:
                    assert f"process {os.getppid()}, before a fork" in str(exc), exc
                    sys.exit(0)
            assert os.wait()[1] == 0
            mine.refresh(timeout=20)
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert follower.error is None
    registry.refresh(timeout=20)
    assert registry.stats().losses == 0 and registry.state == "LIVE"
    print("parent goes on")
"""
    ended = run(program, stocked_dsn)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "parent goes on\n", "")


def test_what_waits_in_a_stream_at_a_fork_is_the_parents(stocked_dsn: Dsn) -> None:
    """Neither what the registry has put there nor what was taken for a reader who was interrupted comes twice."""
    program = """
import asyncio, os
from exchanges_db import hold_exchange
from exchanges_db.registry.registry import Registry
with Registry.in_thread() as registry:
    one, other = registry.changes(), registry.changes()
    began = one.position
    asyncio.run(hold_exchange("GATEIO_SPOT", reason="a drill"))
    registry.refresh(timeout=20)
    one._wait()  # as where the reader is interrupted then
    child = os.fork()
    if child == 0:
        os._exit(len(list(one)) + len(list(other)))
    assert os.waitpid(child, 0)[1] == 0
    assert one.position == other._given == began
    print(next(one).kind, next(other).kind)
"""
    ended = run(program, stocked_dsn)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "HOLD_SET HOLD_SET\n", "")


def test_without_the_gil() -> None:
    """Where this Python has none, all of this file was run without it; else the file says so."""
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("this Python has a GIL: the threads were not tried on a free-threaded interpreter")
    assert not getattr(sys, "_is_gil_enabled", lambda: True)()


def test_after_a_fork_a_registry_of_a_loop_is_of_no_use_either(stocked_dsn: Dsn) -> None:
    """No loop runs there whose timer could tell that it is stale, so that look-ups would go on for ever."""
    program = """
import asyncio, os, sys
from exchanges_db.errors import RegistryStale
from exchanges_db.registry.registry import Registry
async def main():
    async with Registry() as registry:
        view = registry.view("GATEIO_SPOT")
        child = os.fork()
        if child == 0:
            asks = (
                lambda: registry.snapshot,
                lambda: registry.symbol_id("GATEIO_SPOT", "BTC", "USDT"),
                lambda: view["BTC_USDT"],
                lambda: view.get("BTC_USDT"),
                registry.changes,
            )
            for ask in asks:
                try:
                    ask()
                except RegistryStale as exc:
                    assert f"opened by process {os.getppid()}, before a fork" in str(exc), exc
                else:
                    os._exit(1)
            assert registry.state == "CLOSED"
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        await registry.refresh()
        assert view["BTC_USDT"].id == registry.symbol_id("GATEIO_SPOT", "BTC", "USDT")
        print("parent goes on")
asyncio.run(main())
"""
    ended = run(program, stocked_dsn)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "parent goes on\n", "")


def test_a_lock_that_another_thread_holds_at_a_fork_keeps_no_child_waiting(stocked_dsn: Dsn) -> None:
    """That thread is not there to release it."""
    program = """
import os, signal, threading
from exchanges_db.registry.registry import Registry
with Registry.in_thread() as registry:
    stream = registry.changes()
    held, done = threading.Event(), threading.Event()
    def hold():
        with registry._pair_ids._lock, stream._stream._lock:
            held.set()
            done.wait()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(0)
        os._exit(0 if registry.state == "CLOSED" else 1)
    done.set()
    thread.join()
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(10)
    assert os.waitpid(child, 0)[1] == 0
    print(registry.symbol_id("GATEIO_SPOT", "BTC", "USDT") > 0)
"""
    ended = run(program, stocked_dsn)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "True\n", "")


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), 10**30, "1", True])
def test_a_time_that_nobody_can_wait_for_is_refused(timeout: Any) -> None:
    """By an error of ours that says what to write, not by one of the queue's."""
    registry = Registry.in_thread(NOWHERE)
    with pytest.raises(InvalidArgument, match="a number of seconds from 0 to 86400, or None") as caught:
        registry.refresh(timeout=timeout)
    assert caught.value.field == "timeout"
