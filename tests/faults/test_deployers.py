"""Several deployers at once, and deployers that are killed: each file is applied once, and each says what is done."""

import asyncio
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.migrations import LOCK_KEY
from exchanges_db.schema.sql_files import migrations_directory
from tests.factories import connected
from tests.fix_server import url_of

pytestmark = [pytest.mark.faults, pytest.mark.limit(120)]
DEPLOYER = Path(__file__).with_name("deployer.py")
NAMES = sorted(path.name for path in migrations_directory().glob("*.sql"))
GATE = 77  # an advisory lock that a file waits for, so that it is at work for as long as a test wants
# Asks again and again, because a lock that is waited for has a time limit.
GATED = """
CREATE FUNCTION wait_for_gate() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WHILE NOT pg_try_advisory_xact_lock_shared(77) LOOP
        PERFORM pg_sleep(0.02);
    END LOOP;
END $$;
"""
SETUP = f"""
{GATED}
CREATE TABLE runs (id int GENERATED ALWAYS AS IDENTITY);
CREATE PROCEDURE work() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO runs DEFAULT VALUES;
    COMMIT;
    PERFORM wait_for_gate();
END $$;
"""
# transaction:false, but PostgreSQL makes one transaction of a message; and one that commits half of itself.
ONE_MESSAGE = "INSERT INTO runs DEFAULT VALUES; SELECT wait_for_gate();"
FREE = "CALL work();"
INDEX = "CREATE INDEX CONCURRENTLY late_index ON exchanges (display_name);"


class Deployers:
    """The interpreter that deployers are forks of."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(DEPLOYER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.ended: dict[int, int] = {}
        self.started: queue.Queue[int] = queue.Queue()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()
        assert self.started.get(timeout=60) == 0

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            pid, _, code = line.partition(" ")
            if code:
                self.ended[int(pid)] = int(code)
            else:
                self.started.put(int(pid))

    def start(self, **asked: object) -> int:
        """Start a deployer and return its process."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        return self.started.get(timeout=60)

    def close(self) -> None:
        """End the interpreter."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self._reading.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.wait()


class Deployer:
    """One process of `exchanges-db`, and all that it has said."""

    def __init__(self, deployers: Deployers, pid: int, output: Path) -> None:
        self.pid, self._deployers, self._output = pid, deployers, output

    @property
    def said(self) -> str:
        """Return what it has said until now."""
        return self._output.read_text() if self._output.exists() else ""

    @property
    def is_there(self) -> bool:
        """Return whether it has not ended."""
        return self.pid not in self._deployers.ended

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def end(self) -> int:
        """Return the exit code once it has ended."""
        while self.is_there:
            await asyncio.sleep(0.01)
        return self._deployers.ended[self.pid]


class Field:
    """A database, a folder of migrations that are pending there, and deployers at work on them."""

    def __init__(self, dsn: Dsn, files: Path, watcher: asyncpg.Connection, interpreter: Deployers) -> None:
        self.dsn, self.files, self.watcher, self._interpreter = dsn, files, watcher, interpreter
        self.deployers: list[Deployer] = []

    def add(self, sql: str, name: str = "998_late.sql", options: str = " transaction:false") -> None:
        """Add a file that is pending."""
        (self.files / name).write_text(f"-- migrate:up{options}\n{sql}\n-- migrate:down{options}\nSELECT 1;\n")

    def deploy(self, *arguments: str) -> Deployer:
        """Start a deployer."""
        output = self.files.parent / f"deployer {len(self.deployers)}"
        variables = {"DATABASE_URL": url_of(self.dsn)}
        pid = self._interpreter.start(
            folder=str(self.files), arguments=["migrate", *arguments], variables=variables, output=str(output)
        )
        self.deployers.append(Deployer(self._interpreter, pid, output))
        return self.deployers[-1]

    async def until(self, sql: str) -> object:
        """Wait until the statement returns something that is true; fail where every deployer has ended by then."""
        while not (found := await self.watcher.fetchval(sql)):
            assert any(one.is_there for one in self.deployers), [one.said for one in self.deployers]
            await asyncio.sleep(0.02)
        return found

    async def until_at_work(self) -> None:
        """Wait until the file waits for the gate."""
        await self.until(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND wait_event = 'PgSleep'"
        )

    async def lock_pid(self) -> int:
        """Return the server process of the session that holds the lock for migrating."""
        pid = await self.until(
            f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = {LOCK_KEY >> 32} "
            f"AND objid = {LOCK_KEY & 0xFFFFFFFF} "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert isinstance(pid, int)
        return pid

    async def shut_gate(self) -> None:
        """Keep the file at work from now on."""
        await self.watcher.execute("SELECT pg_advisory_lock($1)", GATE)

    async def open_gate(self) -> None:
        """Let the file end."""
        await self.watcher.execute("SELECT pg_advisory_unlock($1)", GATE)

    async def runs(self) -> int:
        """Return how often the file was run."""
        return int(await self.watcher.fetchval("SELECT count(*) FROM runs"))

    async def applied(self, version: str = "998") -> bool:
        """Return whether the ledger has the version."""
        return bool(await self.watcher.fetchval("SELECT count(*) FROM schema_migrations WHERE version = $1", version))

    async def nothing_is_left(self) -> None:
        """Wait until no session of a deployer is there; nor is then a lock, an INVALID index or a note of a file."""
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND application_name IN ('exchanges_db migrate', 'exchanges_db dbmate')"
        )
        while await self.watcher.fetchval(others):
            await asyncio.sleep(0.02)
        locks = (
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert await self.watcher.fetchval(locks) == 0
        assert await self.watcher.fetchval("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
        assert await self.watcher.fetchval("SELECT count(*) FROM migration_checksums WHERE version LIKE '% %'") == 0


@pytest.fixture(scope="module")
def interpreter() -> Iterator[Deployers]:
    """One for all tests: to load the command takes longer than what it does here."""
    deployers = Deployers()
    yield deployers
    deployers.close()


@asynccontextmanager
async def field_on(dsn: Dsn, tmp_path: Path, interpreter: Deployers) -> AsyncIterator[Field]:
    files = Path(shutil.copytree(migrations_directory(), tmp_path / "migrations"))
    async with connected(dsn) as watcher:
        field = Field(dsn, files, watcher, interpreter)
        try:
            yield field
        finally:
            for deployer in field.deployers:
                if deployer.is_there:
                    deployer.send(signal.SIGKILL)
                await deployer.end()


@pytest.fixture
async def field(dsn: Dsn, tmp_path: Path, interpreter: Deployers) -> AsyncIterator[Field]:
    """A migrated database with a table that counts runs."""
    async with field_on(dsn, tmp_path, interpreter) as field:
        await field.watcher.execute(SETUP)
        yield field


@pytest.fixture
async def bare(empty_dsn: Dsn, tmp_path: Path, interpreter: Deployers) -> AsyncIterator[Field]:
    """An empty database."""
    async with field_on(empty_dsn, tmp_path, interpreter) as field:
        yield field


def dbmates_of(deployer: Deployer) -> list[psutil.Process]:
    """Return what the deployer has started."""
    return psutil.Process(deployer.pid).children(recursive=True)


# How a deploy is interrupted, while a file is at work.
Interrupt = Callable[[Field, Deployer], Awaitable[None]]


async def _kill(field: Field, deployer: Deployer) -> None:
    deployer.send(signal.SIGKILL)
    await deployer.end()


async def _terminate(field: Field, deployer: Deployer) -> None:
    deployer.send(signal.SIGTERM)
    assert await deployer.end() == 143, deployer.said
    assert re.search(r"stopped: applied: none; not applied: 998_late\.sql", deployer.said), deployer.said


async def _hang_up(field: Field, deployer: Deployer) -> None:
    deployer.send(signal.SIGHUP)
    assert await deployer.end() == 129, deployer.said


async def _lose_session(field: Field, deployer: Deployer) -> None:
    await field.watcher.execute("SELECT pg_terminate_backend($1)", await field.lock_pid())
    assert await deployer.end() == 6, deployer.said
    assert "the session that held the lock for migrating was lost, so dbmate was stopped" in deployer.said
    assert "not applied: 998_late.sql" in deployer.said
    assert "was kept" not in deployer.said


def name_of(interrupt: Callable[..., object]) -> str:
    """Return it as a part of a test's name."""
    return interrupt.__name__.strip("_")


INTERRUPTIONS = [_kill, _terminate, _hang_up, _lose_session]


@pytest.mark.parametrize("interrupt", INTERRUPTIONS, ids=name_of)
async def test_an_interrupted_message_is_applied_once_by_the_next(field: Field, interrupt: Interrupt) -> None:
    """The server notices that dbmate is gone, and undoes the file as a whole."""
    field.add(ONE_MESSAGE)
    await field.shut_gate()
    first = field.deploy()
    await field.until_at_work()
    children = dbmates_of(first)
    second = field.deploy()
    await interrupt(field, first)
    psutil.wait_procs(children, timeout=30)
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    await field.open_gate()
    assert await second.end() == 0, second.said
    assert (await field.runs(), await field.applied()) == (1, True)
    await field.nothing_is_left()


@pytest.mark.parametrize("interrupt", [_kill, _terminate, _lose_session], ids=name_of)
async def test_a_file_that_commits_half_of_itself_is_not_run_a_second_time(field: Field, interrupt: Interrupt) -> None:
    """The next waits until it is no more at work, and then leaves it to a person, with what to look at."""
    field.add(FREE)
    await field.shut_gate()
    first = field.deploy()
    await field.until_at_work()
    await interrupt(field, first)
    second = field.deploy()
    while "Waiting: what an interrupted deploy has begun still runs on the server" not in second.said:
        assert second.is_there, second.said
        await asyncio.sleep(0.02)
    await field.open_gate()
    assert await second.end() == 6, second.said
    assert "998_late.sql was begun by a deploy that failed or was interrupted" in second.said
    assert (await field.runs(), await field.applied()) == (1, False)
    # The two ways out that the message names.
    await field.watcher.execute("INSERT INTO schema_migrations (version) VALUES ('998')")
    third = field.deploy()
    assert await third.end() == 0, third.said
    await field.nothing_is_left()


@pytest.mark.parametrize("interrupt", [_kill, _lose_session], ids=name_of)
async def test_a_file_that_says_it_may_be_run_again_is(field: Field, interrupt: Interrupt) -> None:
    """As 011 of ours, which copies what is left to copy: the server stops it, and the next deployer goes on."""
    field.add(f"-- exchanges_db: may be run again\n{FREE}")
    await field.shut_gate()
    first = field.deploy()
    await field.until_at_work()
    second = field.deploy()
    await interrupt(field, first)
    await field.until("SELECT count(*) = 2 FROM runs")  # begun again, before the gate is opened
    await field.open_gate()
    assert await second.end() == 0, second.said
    assert await field.applied()
    await field.nothing_is_left()


async def test_a_file_is_run_again_after_somebody_has_said_so(field: Field) -> None:
    field.add(FREE)
    await field.shut_gate()
    first = field.deploy()
    await field.until_at_work()
    await _kill(field, first)
    await field.open_gate()
    assert await field.deploy().end() == 6
    await field.watcher.execute("DELETE FROM migration_checksums WHERE version = '998 up'")
    assert await field.deploy().end() == 0
    assert (await field.runs(), await field.applied()) == (2, True)
    await field.nothing_is_left()


@pytest.mark.parametrize("interrupt", [_kill, _terminate], ids=name_of)
async def test_an_index_made_concurrently_is_finished_and_recorded(field: Field, interrupt: Interrupt) -> None:
    """The statement goes on without its client, and the next deployer finds the index there."""
    field.add(INDEX)
    async with connected(field.dsn) as writer:
        writing = writer.transaction()
        await writing.start()
        await writer.execute("UPDATE exchanges SET display_name = display_name")
        first = field.deploy()
        await field.until("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
        second = field.deploy()
        await interrupt(field, first)
        await writing.rollback()
    assert await second.end() == 0, second.said
    assert "is whole: now it is recorded" in second.said
    assert await field.applied()
    await field.nothing_is_left()


async def test_an_idle_limit_does_not_end_the_session_with_the_lock(field: Field) -> None:
    """It has nothing to do while dbmate works."""
    await field.watcher.execute(f"ALTER DATABASE {field.dsn.database} SET idle_session_timeout = '1.5s'")
    field.add(ONE_MESSAGE)
    await field.shut_gate()
    first = field.deploy()
    await field.until_at_work()
    pid = await field.lock_pid()
    while not re.search("Still applying: [2-9] s", first.said):  # what takes longer than a second is said
        assert first.is_there, first.said
        await asyncio.sleep(0.02)
    assert await field.lock_pid() == pid
    await field.open_gate()
    assert await first.end() == 0, first.said
    assert await field.runs() == 1
    await field.nothing_is_left()


@pytest.mark.parametrize("interrupt", [_kill, _terminate], ids=name_of)
async def test_an_interrupted_transaction_leaves_nothing_and_the_next_applies_all(
    bare: Field, interrupt: Interrupt
) -> None:
    """In the middle of the last file: the ones before it stay."""
    bare.add(f"CREATE TABLE half (id int); {GATED} SELECT wait_for_gate();", options="")
    await bare.shut_gate()
    first = bare.deploy()
    await bare.until_at_work()
    second = bare.deploy()
    first.send(signal.SIGKILL if interrupt is _kill else signal.SIGTERM)
    code = await first.end()
    if interrupt is _terminate:
        assert code == 143
        assert f"stopped: applied: {', '.join(NAMES)}; not applied: 998_late.sql" in first.said
    await bare.open_gate()
    assert await second.end() == 0, second.said
    assert await bare.applied()
    assert second.said.count("Applied: ") == 1
    await bare.nothing_is_left()


@pytest.mark.parametrize("count", [2, 5])
async def test_of_several_deployers_on_an_empty_database_one_applies_all(bare: Field, dsn: Dsn, count: int) -> None:
    """With a file without a transaction, and an index that is made concurrently."""
    bare.add("CREATE TABLE late (id int);", "997_late.sql")
    bare.add(INDEX)
    deployers = [bare.deploy() for _ in range(count)]
    assert [await one.end() for one in deployers] == [0] * count, [one.said for one in deployers]
    assert sorted(one.said.count("Applied: ") for one in deployers) == [0] * (count - 1) + [len(NAMES) + 2]
    await bare.nothing_is_left()
    await bare.watcher.execute("DROP TABLE late; DROP INDEX late_index")
    async with connected(dsn) as migrated:
        assert await _schema(bare.watcher) == await _schema(migrated)


async def _schema(connection: asyncpg.Connection) -> list[str]:
    """Return the columns, constraints, indexes, triggers and functions of schema public."""
    return [
        row[0]
        for row in await connection.fetch("""
            SELECT format('%s.%s %s %s', table_name, column_name, data_type, column_default)
            FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'migration_checksums'
            UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'migration_checksums%'
            UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'migration_checksums'
            UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            ORDER BY 1
        """)
    ]


async def test_a_lock_that_is_never_given_back_ends_in_exit_code_6(bare: Field) -> None:
    """Nothing is applied by anybody."""
    await bare.watcher.execute("SELECT pg_advisory_lock($1)", LOCK_KEY)
    deployers = [bare.deploy("--lock-timeout", "0.5") for _ in range(2)]
    assert [await one.end() for one in deployers] == [6, 6]
    assert await bare.watcher.fetchval("SELECT to_regclass('schema_migrations')") is None
