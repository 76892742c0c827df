"""The servers and databases that tests run on: one server per session, one migrated template, a clone where needed.

`conn` is rolled back and shares one database: the default. `dsn` is a database of one's own, for what must commit.
`stocked_dsn` is one that holds symbols too. `empty_dsn` is one without any table.
"""

import asyncio
import gc
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import asyncpg
import pytest

from exchanges_db import (
    Database,
    Settings,
    close_default_database,
    hold_exchange,
    hold_symbol,
    import_symbols,
    prune_history,
    set_account_fees,
    update_exchange,
)
from exchanges_db.database import embedded
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.database.settings import EMBEDDED, database_url
from exchanges_db.schema.dbmate import dbmate_program
from tests.payload_rows import FUTURES, MEXC, SPOT, futures, many, payload, spot

ROOT = Path(__file__).resolve().parents[1]
MEMORY = Path("/dev/shm")  # a file system in memory, where there is one
_numbers = itertools.count(1)


def url_of(dsn: Dsn) -> str:
    """Return a DATABASE_URL for `dsn` that asyncpg, dbmate and libpq all understand as the tests' server."""
    return dsn.dbmate_url().replace("socket=", "host=")


async def _run_on(dsn: Dsn, *statements: str) -> None:
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def run_dbmate(
    dsn: Dsn,
    *arguments: str,
    migrations: Path = ROOT / "db/migrations",
    folder: Path | None = None,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run plain dbmate on `dsn`, as a deploy does; in a `folder` on the database that its .env file names."""
    environment = {**os.environ, "DATABASE_URL": dsn.dbmate_url(), **variables}
    if folder is not None:
        del environment["DATABASE_URL"]
    return subprocess.run(
        [dbmate_program(), "--no-dump-schema", "--migrations-dir", str(migrations), *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def server() -> Iterator[Dsn]:
    """The server of DATABASE_URL, else an embedded one in a temporary folder."""
    given = database_url()
    if given not in (None, EMBEDDED):
        yield parse_dsn(given)
        return
    folder = Path(tempfile.mkdtemp(prefix="exchanges_db_test_", dir=_quickest_place()))
    dsn = parse_dsn(embedded.start(folder))
    # Nothing here outlives the session, so nothing has to reach the disk.
    settings = [f"ALTER SYSTEM SET {name} = off" for name in ("fsync", "full_page_writes")]
    asyncio.run(_run_on(dsn, *settings, "SELECT pg_reload_conf()"))
    yield dsn
    embedded.stop(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _quickest_place() -> Path | None:
    """Return where making the 300 files of a database, for each of some 1,900 tests, costs least; None: as always."""
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 2 * 2**30
    return MEMORY if roomy else None  # a container's is often too small


Clones = Callable[[str | None], AbstractContextManager[Dsn]]  # given the name of the template


@pytest.fixture(scope="session")
def clones(server: Dsn) -> Iterator[Clones]:
    """Makes databases from a template, and drops them at the end.

    All through one connection, in an event loop of its own, because two connections would be made for each of some
    1,900 tests.
    """
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(asyncpg.connect(**server.asyncpg_arguments()))

    @contextmanager
    def clone(template: str | None) -> Iterator[Dsn]:
        name = f"exchanges_db_test_{os.getpid()}_{next(_numbers)}"
        # Copied as files, because to log it page by page takes far longer.
        create = f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"
        loop.run_until_complete(connection.execute(create))
        try:
            yield replace(server, database=name)
        finally:
            loop.run_until_complete(connection.execute(f"DROP DATABASE {name} WITH (FORCE)"))

    yield clone
    loop.run_until_complete(connection.close())
    loop.close()


@pytest.fixture(scope="session")
def template(clones: Clones) -> Iterator[Dsn]:
    """A migrated database that others are cloned from; nobody connects to it."""
    with clones("template1") as dsn:
        result = run_dbmate(dsn, "migrate")
        assert result.returncode == 0, result.stderr
        yield dsn


class _Mexc(BaseHTTPRequestHandler):
    """MEXC's part: two symbols, and none that was taken offline."""

    def do_GET(self) -> None:
        body = b'{"data":[]}' if self.path.endswith("/offline") else payload(MEXC, many(MEXC, 2))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the library's
        pass


@pytest.fixture(scope="session")
def exchange_url() -> Iterator[str]:
    """Where a server in MEXC's place listens; in a thread, because it outlives the event loops of the tests."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Mexc) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def _stock(dsn: Dsn, exchange_url: str) -> None:
    async with Database(dsn) as database:
        # Before anything else, so that only old changes of exchanges are gone.
        assert await hold_symbol(FUTURES, "NEW_USDT", native=True, reason="not known yet", db=database)
        assert await hold_exchange(MEXC, reason="nothing is there yet", db=database)
        assert await update_exchange(1, {"base_url": exchange_url}, db=database)
        assert (await prune_history(datetime.now(UTC), db=database)).rows["exchange_history"]
        await import_symbols(SPOT, payload(SPOT, [spot(), spot("ETH")]), db=database)
        contracts = payload(FUTURES, [futures("BTC"), futures("ETH")])
        await import_symbols(FUTURES, contracts, listing="PERPETUAL:USDT", db=database)
        assert await set_account_fees(SPOT, maker="0.001", taker="0.002", db=database)


@pytest.fixture(scope="session")
def stocked_template(clones: Clones, template: Dsn, exchange_url: str) -> Iterator[Dsn]:
    """A migrated database with symbols of Gate.io, in which MEXC's address leads to a server of ours."""
    with clones(template.database) as dsn:
        asyncio.run(_stock(dsn, exchange_url))
        yield dsn


@pytest.fixture(scope="session")
def shared_dsn(clones: Clones, template: Dsn) -> Iterator[Dsn]:
    """One clone for all tests that roll back."""
    with clones(template.database) as dsn:
        yield dsn


@pytest.fixture
async def conn(shared_dsn: Dsn) -> AsyncIterator[asyncpg.Connection]:
    """A connection in a transaction that is rolled back after the test."""
    connection = await asyncpg.connect(**shared_dsn.asyncpg_arguments())
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    if connection.is_closed():
        return
    await transaction.rollback()
    await connection.close()


@pytest.fixture
def dsn(clones: Clones, template: Dsn) -> Iterator[Dsn]:
    """A migrated database of one's own."""
    with clones(template.database) as dsn:
        yield dsn


@pytest.fixture
def stocked_dsn(clones: Clones, stocked_template: Dsn) -> Iterator[Dsn]:
    """A database of one's own with symbols in it."""
    with clones(stocked_template.database) as dsn:
        yield dsn


@pytest.fixture
def empty_dsn(clones: Clones) -> Iterator[Dsn]:
    """A database of one's own without any table."""
    with clones("template1") as dsn:
        yield dsn


@pytest.fixture
async def database(dsn: Dsn) -> AsyncIterator[Database]:
    """A Database of one's own, with time limits that a slow machine keeps, and nobody waits long for."""
    async with Database(dsn, Settings(acquire_timeout=5, command_timeout=15, connect_timeout=5)) as database:
        yield database


@pytest.fixture
async def default_url(dsn: Dsn, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """DATABASE_URL set to a database of one's own, for what uses the process's default."""
    url = url_of(dsn)
    monkeypatch.setenv("DATABASE_URL", url)
    yield url
    await close_default_database()


def pytest_collection_finish() -> None:
    """Leave some 10,000 tests out of every later collection of garbage, which would look at all of them again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Leave a test marked `untraced` out of the coverage: in very many calls of a few lines, tracing takes longest."""
    tracer = sys.gettrace()
    if tracer is None or item.get_closest_marker("untraced") is None:
        return (yield)
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line(
        "markers", "untraced: very many calls of a few lines, which others cover: left out of the coverage"
    )


def pytest_report_header() -> str:
    """Say which server the run is about."""
    return "server: " + ("DATABASE_URL" if os.environ.get("DATABASE_URL") else "embedded PostgreSQL")
