"""A primary and its standby: crashes, promotions, a demoted primary, and hosts that are no use, on each version."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

import pytest

from exchanges_db import (
    Database,
    DatabaseError,
    DatabaseUnavailable,
    Registry,
    RegistrySettings,
    Settings,
    get_all_exchanges,
    get_exchange_by_id,
    insert_exchange,
    prune_history,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn, Secret, parse_dsn
from tests.factories import an_exchange, row_count
from tests.faults.history import History, Outcome
from tests.faults.refusing_server import refusing_server
from tests.servers import Server, until
from tests.toxic_proxy import toxic_proxy

LIMITS = Settings(pool_min=2, pool_max=4, connect_timeout=1, acquire_timeout=2, command_timeout=2)
OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'exchanges_db'"


def _both(first: Server, second: Server) -> Dsn:
    return replace(first.dsn, hosts=(*first.dsn.hosts, *second.dsn.hosts), target_session_attrs="read-write")


class Writers:
    """Insert exchanges under names of their own until they are told to end, and note what they were told."""

    def __init__(self, database: Database, *, tasks: int = 4) -> None:
        self.history = History()
        self._database = database
        self._numbers = count()
        self._over = False
        self._tasks = [asyncio.create_task(self._write()) for _ in range(tasks)]

    async def _write(self) -> None:
        while not self._over:
            name = f"TEST_WRITER_{next(self._numbers)}"
            await self.history.write(name, insert_exchange(an_exchange(name=name, enum_value=name), db=self._database))
            await asyncio.sleep(0)

    async def acknowledged(self, times: int) -> None:
        """Wait until so many writes that began from now on are acknowledged."""
        start = len(self.history.operations)
        while sum(each.outcome is Outcome.OK for each in self.history.operations[start:]) < times:
            await asyncio.sleep(0.002)

    async def end(self) -> None:
        """Let each finish what it is doing."""
        self._over = True
        await asyncio.gather(*self._tasks)


async def _written(dsn: Dsn) -> list[str]:
    async with Database(replace(dsn, target_session_attrs=None)) as database:
        return [each.name for each in await get_all_exchanges(db=database) if each.name.startswith("TEST_WRITER_")]


@pytest.mark.faults
async def test_writers_follow_a_crash_and_a_promotion(primary: Server, standby: Server) -> None:
    """The standby had confirmed each commit, so none is lost; the first write is at most two seconds after it leads.

    Then the old primary comes back as the standby of the new one, which crashes in turn: the same process follows.
    """
    await primary.set(synchronous_standby_names="*")
    leader, follower = primary, standby
    async with Database(_both(primary, standby), LIMITS) as database:
        writers = Writers(database)
        for _ in range(2):
            await writers.acknowledged(20)
            await leader.crash()
            await follower.promote()
            promoted = time.monotonic()
            async with asyncio.timeout(10):
                await writers.acknowledged(1)
            assert time.monotonic() - promoted <= 2
            leader, follower = follower, leader
            await leader.query("SELECT 1")
            await follower.rewind_to(leader)
            assert await leader.query(OURS) > 0
            await _is_left(follower)
            await follower.streams_from(leader)
            await leader.set(synchronous_standby_names="*")
        await writers.end()
    assert writers.history.faults_in_rows(await _written(leader.dsn)) == []
    assert writers.history.counted()[Outcome.OK] >= 42


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["a statement", "a transaction of ours", "a transaction of the caller's"])
async def test_a_demoted_primary_is_left(primary: Server, standby: Server, kind: str) -> None:
    """It goes on answering reads: the first write that it refuses makes the pool look for the new primary.

    What is ours is done again there. The work of a caller's block is the caller's, who is told, once.
    """
    async with Database(_both(primary, standby), LIMITS) as database:
        await asyncio.gather(*(row_count(database) for _ in range(8)))
        await standby.catch_up(primary)
        await standby.promote()
        await primary.set(default_transaction_read_only="on")
        await _is_read_only(primary)
        reads = asyncio.create_task(_read_until_cancelled(database))
        refused: list[str | None] = []
        for number in range(6):
            try:
                await _write(kind, database, f"TEST_WRITER_{number}")
            except DatabaseUnavailable as exc:
                refused.append(exc.sqlstate)
        reads.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reads
        assert refused == (["25006"] if kind == "a transaction of the caller's" else [])
        if kind == "a transaction of ours":
            assert await standby.query("SELECT count(*) FROM history_prunes") == 1  # the others found nothing to prune
        else:
            written = "SELECT count(*) FROM exchanges WHERE name LIKE 'TEST_WRITER_%'"
            assert await standby.query(written) == 6 - len(refused)
        await _is_left(primary)
        assert database.stats().read_only >= 1
    await primary.set(default_transaction_read_only="off")


async def _write(kind: str, database: Database, name: str) -> None:
    exchange = an_exchange(name=name, enum_value=name)
    match kind:
        case "a statement":
            await insert_exchange(exchange, db=database)
        case "a transaction of ours":
            await prune_history(datetime.now(UTC), db=database)
        case _:
            async with database.transaction() as transaction:
                await insert_exchange(exchange, db=transaction)


async def _read_until_cancelled(database: Database) -> None:
    while True:
        assert len(await get_all_exchanges(db=database)) >= 3


async def _is_read_only(server: Server) -> None:
    async def read_only() -> bool:
        return bool(await server.query("SHOW default_transaction_read_only") == "on")

    await until(read_only, what="the server is read-only")


async def _is_left(server: Server) -> None:
    """Wait until none of our sessions is there: the server notices a moment later that a client has ended one."""

    async def left() -> bool:
        return not await server.query(OURS)

    await until(left, what="our sessions have ended")


async def test_a_server_that_is_read_only_for_good_is_not_asked_for_ever_new_sessions(dsn: Dsn) -> None:
    """Twenty writes fail and say why; the pool looks for another primary now and then, not for each of them."""
    read_only = replace(dsn, settings={**dsn.settings, "default_transaction_read_only": "on"})
    async with toxic_proxy(read_only) as (proxy, through), Database(through, LIMITS) as database:
        began = time.monotonic()
        for number in range(10):
            with pytest.raises(DatabaseUnavailable, match="25006"):
                await update_exchange(1, {"display_name": f"Try {number}"}, db=database)
            with pytest.raises(DatabaseUnavailable, match="25006"):  # it is the statement that fails
                async with database.transaction() as transaction:
                    await update_exchange(1, {"display_name": f"Try {number}"}, db=transaction)
        assert await row_count(database) == 3
        looked = 1 + (time.monotonic() - began)  # once a second; each time the pool makes all its sessions anew
        assert proxy.accepted <= 2 + 2 + min(4 * looked, 16)  # twenty writes that each look for one: forty


@asynccontextmanager
async def _useless(kind: str, target: Dsn) -> AsyncIterator[Dsn]:
    if kind in ("53300", "57P03", "EOF"):
        async with refusing_server(target, kind, refusals=10_000) as (_, through):
            yield through
        return
    async with toxic_proxy(target) as (proxy, through):
        if kind == "refused":
            proxy.refuse()
        proxy.mute = kind == "silent"
        yield through


@pytest.mark.parametrize("kind", ["silent", "refused", "53300", "57P03", "EOF"])
async def test_a_first_host_that_is_no_use_does_not_hide_the_second(dsn: Dsn, kind: str) -> None:
    """Each host has its share of the time that a caller waits, and each kind of uselessness leads to the next."""
    limits = Settings(pool_min=1, pool_max=2, connect_timeout=2, acquire_timeout=2.4)
    async with _useless(kind, dsn) as useless:
        both = replace(dsn, hosts=(*useless.hosts, *dsn.hosts))
        began = time.monotonic()
        async with Database(both, limits) as database:
            assert await row_count(database) == 3
        share = limits.acquire_timeout / 2  # only silence uses up the first one's
        assert time.monotonic() - began < (limits.acquire_timeout if kind == "silent" else share)


@pytest.mark.faults
async def test_a_first_host_that_is_a_standby_is_passed_over(primary: Server, standby: Server) -> None:
    """Whoever asks for a primary gets it at once; whoever asks for a standby first gets that."""
    began = time.monotonic()
    async with Database(_both(standby, primary), LIMITS) as database:
        assert await update_exchange(1, {"display_name": "Written"}, db=database)
        assert time.monotonic() - began < LIMITS.connect_timeout
        await _is_left(standby)
    await standby.catch_up(primary)
    prefers = replace(_both(primary, standby), target_session_attrs="prefer-standby")
    async with Database(prefers, LIMITS) as database:
        assert len(await get_all_exchanges(db=database)) == 3
        assert await standby.query(OURS) > 0
        await _is_left(primary)


@pytest.mark.faults
@pytest.mark.parametrize("primary", [18], indirect=True)
async def test_reads_spread_over_both_hosts_and_follow_a_promotion(primary: Server, standby: Server) -> None:
    """With load_balance_hosts=random each connection draws its host; what is promoted then takes the writes as well."""
    both = replace(_both(primary, standby), load_balance_hosts=True)

    async def is_standby(database: Database) -> bool:
        async with database.transaction(readonly=True) as transaction:
            await everybody.wait()
            answer: bool = await transaction.connection.fetchval("SELECT pg_is_in_recovery()")
        return answer

    everybody = asyncio.Barrier(12)
    async with Database(replace(both, target_session_attrs="any"), Settings(pool_max=12)) as database:
        answers = await asyncio.gather(*(is_standby(database) for _ in range(12)))
        assert set(answers) == {False, True}  # all of one host: once in 2,048 runs
    async with Database(both, LIMITS) as database:
        assert await insert_exchange(an_exchange(), db=database)
        await primary.stop("immediate")
        await standby.promote()
        async with asyncio.timeout(2):
            assert await insert_exchange(an_exchange(), db=database)


@pytest.mark.faults
async def test_a_begin_that_the_server_refuses_spoils_no_connection(primary: Server, standby: Server) -> None:
    """A standby has no serializable transactions, and the driver makes savepoints in what it takes for begun."""
    async with Database(standby.dsn, Settings(pool_max=1)) as database:
        for _ in range(2):
            with pytest.raises(DatabaseError, match="takes no transaction that is SERIALIZABLE"):
                async with database.transaction(isolation="serializable", readonly=True):
                    pass
        async with database.transaction(readonly=True) as transaction:
            assert await get_exchange_by_id(1, db=transaction) is not None
        assert database.stats().opened == 1


@pytest.mark.faults
async def test_a_standby_whose_default_is_serializable_is_read_as_the_error_says(
    primary: Server, standby: Server
) -> None:
    """No statement at all can be read there otherwise."""
    await primary.query("CREATE ROLE strict LOGIN PASSWORD 'strict' IN ROLE pg_read_all_data")
    await primary.query("ALTER ROLE strict SET default_transaction_isolation = 'serializable'")
    await standby.catch_up(primary)
    dsn = replace(standby.dsn, user="strict", password=Secret("strict"))
    with pytest.raises(DatabaseError, match=r"default_transaction_isolation=read%20committed in DATABASE_URL"):
        async with Database(dsn, LIMITS) as database:
            await get_exchange_by_id(1, db=database)
    with pytest.raises(DatabaseError, match=r"default_transaction_isolation=read%20committed in DATABASE_URL"):
        async with Registry(dsn, settings=RegistrySettings(load_timeout=1)):
            pass
    advised = parse_dsn("postgresql://?default_transaction_isolation=read%20committed").settings
    async with Database(replace(dsn, settings=advised), LIMITS) as database, Registry(database) as registry:
        assert await get_exchange_by_id(1, db=database) == registry.snapshot.places_by_id[1].exchange
