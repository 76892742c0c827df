"""Fixtures of the fault tests: servers of one's own, a time limit, and the proof that nothing is left behind."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import asyncpg
import psutil
import pytest

from exchanges_db.database.dsn import Dsn
from tests import servers
from tests.fix_server import run_dbmate
from tests.servers import Server, until

_LIMIT = 90.0  # seconds for one test, and as many for its fixtures; the marker `limit` gives another
_FAULTS = Path(__file__).parent / "faults"
_LEFT = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name LIKE 'exchanges_db%' AND datname = current_database() AND pid <> pg_backend_pid()
"""
_LOCKED = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers."""
    config.addinivalue_line("markers", "faults: takes longer than a second: run by `make faults`, not by `make test`")
    config.addinivalue_line("markers", "limit(seconds): how long the test may take, instead of the usual time")


def pytest_unconfigure() -> None:
    """Stop what a broken test has left running."""
    servers.end_all()


def _migrate(dsn: Dsn) -> None:
    result = run_dbmate(dsn, "migrate")
    assert result.returncode == 0, result.stderr


async def nothing_left_on(dsn: Dsn, *, within: float = 20) -> None:
    """Fail if a session of the library or an advisory lock is left in that database."""
    connection = await asyncpg.connect(**dsn.asyncpg_arguments(), timeout=20)
    try:
        for question, what in ((_LEFT, "all connections are gone"), (_LOCKED, "all advisory locks are free")):

            async def none_left(question: str = question) -> bool:
                return not await connection.fetchval(question)

            await until(none_left, what=what, within=within)
    finally:
        connection.terminate()


@pytest.fixture
async def new_primary() -> AsyncIterator[Callable[[int], Awaitable[Server]]]:
    """Makes a migrated server of a version; at the end all servers of the test are checked and stopped."""

    async def make(version: int) -> Server:
        return await servers.primary(version, _migrate)

    before = set(servers.running())
    yield make
    mine = [server for server in servers.running() if server not in before]
    try:
        for server in mine:
            await nothing_left_on(server.dsn)
    finally:
        for server in mine:
            server.kill()


@pytest.fixture(params=servers.VERSIONS)
async def primary(request: pytest.FixtureRequest, new_primary: Callable[[int], Awaitable[Server]]) -> Server:
    """A migrated server of one's own, of each version."""
    return await new_primary(request.param)


@pytest.fixture
async def standby(primary: Server) -> Server:
    """A standby that follows `primary`."""
    return await servers.standby_of(primary)


@pytest.fixture
async def tls_primary(new_primary: Callable[[int], Awaitable[Server]]) -> Server:
    """A server that takes no connection without TLS; its `ca` is the file of the authority to trust."""
    return await servers.with_tls(await new_primary(17))


@contextmanager
def _hard_limit(item: pytest.Item) -> Iterator[None]:
    """Fail a fault test that takes too long, wherever it hangs."""
    if _FAULTS not in item.path.parents:
        yield
        return
    marker = item.get_closest_marker("limit")
    seconds = float(marker.args[0]) if marker else _LIMIT

    def over(number: int, frame: FrameType | None) -> None:
        with suppress(RuntimeError):  # it did not hang in the event loop
            for task in asyncio.all_tasks():
                task.print_stack()
        pytest.fail(f"the test took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds, 5)  # again, in case that the first is swallowed
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport() -> None:
    """End the limit for certain: a second alarm may have come before the end of the first one's limit."""
    signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Limit the time for the fixtures."""
    with _hard_limit(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Limit the time for the test itself."""
    with _hard_limit(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Limit the time for the ends of the fixtures."""
    with _hard_limit(item):
        return (yield)


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """Fail a test after which a task or a child process is left; made first, so that all others have ended by then."""
    me = psutil.Process(os.getpid())
    processes, tasks = set(me.children(recursive=True)), asyncio.all_tasks()
    yield

    async def over() -> bool:
        return not _new_children(me, processes) and not _new_tasks(tasks)

    try:
        async with asyncio.timeout(20):
            while not await over():
                await asyncio.sleep(0.01)
    except TimeoutError:
        left = [*_new_tasks(tasks), *_new_children(me, processes)]
        pytest.fail(f"left behind: {left}")


def _new_tasks(before: set[asyncio.Task[object]]) -> set[asyncio.Task[object]]:
    return asyncio.all_tasks() - before - {asyncio.current_task()}


def _new_children(me: psutil.Process, before: set[psutil.Process]) -> set[psutil.Process]:
    """Return the children made since, but for the processes that a server of the session starts for its sessions."""
    return {child for child in me.children() if child not in before}
