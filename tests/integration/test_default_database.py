"""The default database: one for each event loop, from DATABASE_URL, closed with the loop."""

import asyncio
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from exchanges_db import (
    ConfigurationError,
    Database,
    DatabaseOrConnection,
    close_default_database,
    default_database,
    get_all_exchanges,
    get_exchange_by_id,
    import_symbols,
    validate_exchanges,
)
from exchanges_db.database.dsn import Dsn
from tests.cases import Case, every_call
from tests.factories import connected
from tests.fix_server import ROOT
from tests.payload_rows import MEXC, many, payload


async def run_program(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a Python program with every warning an error and the checks of development mode.

    That a step took longer than 0.1 s, which asyncio says then, says something of the machine alone.
    """
    script = folder / "program.py"
    script.write_text(text)
    result = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "error", "-X", "dev", str(script)],
        capture_output=True, text=True, check=False, timeout=60, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    result.stderr = re.sub(r"(?m)^Executing <.* took \d+\.\d+ seconds\n", "", result.stderr)
    return result


async def test_it_is_one_for_a_loop(default_url: str) -> None:
    """Also for many first calls at once."""
    del default_url
    found = await asyncio.gather(*(default_database() for _ in range(10)))
    assert len(set(map(id, found))) == 1
    await asyncio.gather(*(get_all_exchanges() for _ in range(10)))


async def test_after_closing_the_next_call_opens_another(default_url: str) -> None:
    """Closing what is not open is nothing."""
    del default_url
    first = await default_database()
    await close_default_database()
    await close_default_database()
    assert len(await get_all_exchanges()) == 3
    assert await default_database() is not first


@every_call
async def test_without_database_url_every_function_says_what_to_set(
    call: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And after that nothing stands in the way of the right call."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(ConfigurationError, match="DATABASE_URL is not set"):
        await call(None)


def test_two_loops_in_two_threads_have_one_each(server: Dsn, monkeypatch: pytest.MonkeyPatch, template: Dsn) -> None:
    """Neither touches the other's connections, and both are closed with their loops."""
    del server
    databases: list[Database] = []
    meet = threading.Barrier(2, timeout=30)
    name = f"{template.database}_threads"

    async def prepare(*statements: str) -> None:
        async with connected(Dsn(hosts=template.hosts, user=template.user, database="postgres")) as conn:
            for statement in statements:
                await conn.execute(statement)

    async def work() -> None:
        databases.append(await default_database())
        meet.wait()
        for _ in range(20):
            assert len(await get_all_exchanges()) == 3
        meet.wait()

    asyncio.run(prepare(f"CREATE DATABASE {name} TEMPLATE {template.database}"))
    url = Dsn(hosts=template.hosts, user=template.user, password=template.password, database=name).dbmate_url()
    monkeypatch.setenv("DATABASE_URL", url)
    threads = [threading.Thread(target=lambda: asyncio.run(work())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    asyncio.run(prepare(f"DROP DATABASE {name}"))  # without FORCE: nobody is connected any more
    assert len(set(map(id, databases))) == 2


@pytest.mark.parametrize("ending", ["pass", "raise SystemExit(3)", "await asyncio.sleep(0); 1 / 0"])
async def test_asyncio_run_closes_it_however_the_program_ends(ending: str, default_url: str, tmp_path: Path) -> None:
    """No ResourceWarning, no task left over, no complaint about a closed loop; twice in one program."""
    del default_url
    result = await run_program(
        "import asyncio\nfrom exchanges_db import get_all_exchanges\n"
        "async def main(last):\n"
        "    print(len(await get_all_exchanges()))\n"
        f"    if last:\n        {ending}\n"
        "asyncio.run(main(False))\nasyncio.run(main(True))\n",
        tmp_path,
    )
    assert result.stdout == "3\n3\n"
    if "1 / 0" in ending:
        assert result.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"
        assert result.stderr.count("Traceback") == 1
        assert "Warning" not in result.stderr
    else:
        assert (result.returncode, result.stderr) == (3 if "Exit" in ending else 0, "")


async def test_a_cancelled_program_closes_it_too(default_url: str, tmp_path: Path) -> None:
    """Ended by its own time limit in the middle of a query."""
    del default_url
    result = await run_program(
        "import asyncio\nfrom exchanges_db import default_database\n"
        "async def main():\n"
        "    database = await default_database()\n"
        "    async with asyncio.timeout(0.3), database.transaction() as tx:\n"
        "        await tx.connection.execute('SELECT pg_sleep(30)')\n"
        "try:\n    asyncio.run(main())\nexcept TimeoutError:\n    print('in time')\n",
        tmp_path,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "in time\n", "")


async def test_no_loop_is_kept_alive(default_url: str, tmp_path: Path) -> None:
    """A program that runs a thousand loops does not collect a thousand databases."""
    del default_url
    result = await run_program(
        "import asyncio, gc\nfrom exchanges_db import Database, get_all_exchanges\n"
        "async def main():\n    await asyncio.gather(*(get_all_exchanges() for _ in range(4)))\n"
        "for _ in range(3):\n    asyncio.run(main())\n"
        "gc.collect()\nprint(sum(isinstance(thing, Database) for thing in gc.get_objects()))\n",
        tmp_path,
    )
    assert (result.stdout, result.stderr) == ("0\n", "")


def test_a_database_of_another_loop_is_told_apart(shared_dsn: Dsn) -> None:
    """Used or closed in a second loop, it says what to do instead of failing somewhere inside the driver."""
    database = Database(shared_dsn)
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(database.open())
        for work in (get_exchange_by_id(1, db=database), database.close()):
            with pytest.raises(ConfigurationError, match="another event loop"):
                second.run(work)
        first.run(database.close())


@every_call
async def test_what_people_have_at_hand_gets_advice_what_to_pass(call: Case, shared_dsn: Dsn) -> None:
    """A pool, an engine, a session, a URL: the advice names the connection to take of it."""
    arguments = shared_dsn.asyncpg_arguments()
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(**arguments))
    async with asyncpg.create_pool(**arguments, min_size=0) as pool, AsyncSession(engine) as session:
        for given, advice in (
            (pool, "`async with pool.acquire() as conn:` and db=conn"),
            (engine, "`async with engine.connect() as conn:` and db=conn"),
            (session, "db=await session.connection()"),
            ("postgresql://localhost/d", "db=Database(url)"),
        ):
            if call.function is validate_exchanges:  # of which one connection would not be enough
                advice = "db must be a Database to be validated"
            with pytest.raises(ConfigurationError, match=re.escape(advice)):
                await call(cast("Any", given))
    await engine.dispose()


async def test_the_advice_can_be_followed(dsn: Dsn) -> None:
    """In a transaction of its own too, as an import begins one."""
    arguments = dsn.asyncpg_arguments()
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(**arguments))
    async with asyncpg.create_pool(**arguments, min_size=0) as pool, AsyncSession(engine) as session:
        async with pool.acquire() as conn:
            assert len(await get_all_exchanges(db=conn)) == 3
        async with engine.connect() as connection:
            assert len(await get_all_exchanges(db=connection)) == 3
        assert len(await get_all_exchanges(db=await session.connection())) == 3
        with pytest.raises(ConfigurationError, match=re.escape("pool.acquire()")):
            await import_symbols("MEXC_SPOT", payload(MEXC, many(MEXC, 1)), db=cast("Any", pool))
    await engine.dispose()


async def test_what_is_open_in_one_loop_is_refused_in_another(database: Database) -> None:
    """In a thread, say: the driver would raise an error of its own, and leave the connection of no use."""

    def used_elsewhere(db: DatabaseOrConnection) -> None:
        with pytest.raises(ConfigurationError, match="another event loop"):
            asyncio.run(get_exchange_by_id(1, db=db))
        with pytest.raises(ConfigurationError, match="another event loop"):
            asyncio.run(import_symbols(MEXC, payload(MEXC, many(MEXC, 2)), db=db))

    async with database.transaction() as transaction:
        for db in (transaction, transaction.connection):
            await asyncio.to_thread(used_elsewhere, db)
            assert await get_exchange_by_id(1, db=db) is not None
