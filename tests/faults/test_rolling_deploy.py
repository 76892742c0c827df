"""Code of before a migration looks up and writes while it is applied: what it meets, and how long it waits at most.

10,000 symbols, of which each has three versions in the history. Exchanges are asked through the library, symbols by the
statements that were its own before the file which ends them.
"""

import asyncio
import itertools
import random
import shutil
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from exchanges_db import (
    Database,
    ExchangesDBError,
    MigrationError,
    SchemaMismatch,
    Settings,
    get_all_active_exchanges,
    get_exchange_by_enum,
    get_exchange_by_id,
    get_symbol,
    get_symbol_history,
    insert_exchange,
    update_exchange,
    validate_exchanges,
)
from exchanges_db.database.driver_errors import DRIVER_ERRORS, translate
from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.migrations import migrate
from exchanges_db.schema.sql_files import migrations_directory
from tests.factories import an_exchange, connected
from tests.fix_server import run_dbmate

pytestmark = pytest.mark.faults

FILES = sorted(migrations_directory().glob("*.sql"))
SYMBOLS = 10_000
LONGEST = 0.5  # seconds, on a machine on which FILL takes QUICK
QUICK = 4.0
BEAT = "a question that waits for no lock"
# As migration 004 leaves them, in SQL: 30,000 changes through the triggers take ten times as long.
FILL = f"""
    ALTER TABLE symbols DISABLE TRIGGER USER;
    ALTER TABLE symbol_history DISABLE TRIGGER USER;
    INSERT INTO symbols (exchange_id, native_symbol, symbol, base, quote, kind, price_tick, quantity_step, maker_fee,
                         taker_fee, status, sides, api_tradable, listed_at, raw, spec_version, created_at, updated_at)
    SELECT 1 + n % 2, 'S' || n || 'USDT', 'S' || n || '/USDT', 'S' || n, 'USDT', 'SPOT', 0.01, 0.001, 0.001, 0.002,
           'TRADING', 'ALL', true, '2020-01-01T00:00:00Z', jsonb_build_object('text', repeat('x', 300)),
           4, '2024-01-01T00:00:00Z', '2024-01-04T00:00:00Z'
    FROM generate_series(1, {SYMBOLS}) AS n;
    INSERT INTO symbol_history (symbol_id, exchange_id, spec_version, valid, spec, operation, ended_by,
                                application_name)
    SELECT s.id, s.exchange_id, v, tstzrange('2023-12-31T00:00:00Z'::timestamptz + v * interval '1 day',
                                             '2024-01-01T00:00:00Z'::timestamptz + v * interval '1 day'),
           (to_jsonb(s) - 'raw') || jsonb_build_object('spec_version', v, 'price_tick', 0.01 * v), 'UPDATE', 'x', 'y'
    FROM symbols AS s CROSS JOIN generate_series(1, 3) AS v;
    ALTER TABLE symbols ENABLE ALWAYS TRIGGER symbols_stamp, ENABLE ALWAYS TRIGGER symbols_stamp_insert,
        ENABLE ALWAYS TRIGGER symbols_refuse_used_id, ENABLE ALWAYS TRIGGER symbols_record_update,
        ENABLE ALWAYS TRIGGER symbols_record_delete, ENABLE ALWAYS TRIGGER symbols_record_truncate;
    ALTER TABLE symbol_history ENABLE ALWAYS TRIGGER symbol_history_refuse;
"""
# What code of before 006 sent.
FEES_OF_004 = """
    SELECT r.exchange, r.id, r.native_symbol, r.price_tick, r.maker_fee, r.taker_fee, r.is_active, r.listed_at
    FROM symbol_rows AS r WHERE r.exchange = 'MEXC_SPOT' AND r.native_symbol = $1 ORDER BY r.is_live DESC, r.id DESC
"""
CHANGE_OF_004 = "UPDATE symbols SET maker_fee = $2, raw = '{\"a\": 1}' WHERE native_symbol = $1 RETURNING id"
# What code of before 012 sent.
ROW_OF_006 = """
    SELECT r.exchange, r.id, r.native_symbol, r.price_tick, r.list_maker_fee, r.confirmed_at, r.is_unread, r.asked_at
    FROM symbol_rows AS r WHERE r.exchange = 'MEXC_SPOT' AND r.native_symbol = $1 ORDER BY r.is_live DESC, r.id DESC
"""
PAST_OF_006 = """
    SELECT v.spec::text AS spec FROM symbol_versions AS v
    WHERE v.valid @> '2024-01-02T12:00:00Z'::timestamptz AND v.exchange = 'MEXC_SPOT' AND v.symbol = $1
"""
LIST_OF_006 = """
    INSERT INTO symbol_lists AS l (exchange_id, kind, settle, underlying, source, observed_at, unread)
    VALUES (1, 'SPOT', NULL, NULL, 'reader', now(), $1)
    ON CONFLICT ON CONSTRAINT symbol_lists_list_key
    DO UPDATE SET source = excluded.source, observed_at = excluded.observed_at, unread = excluded.unread
"""


class Watch:
    """Operations that go on and on, each on a connection of its own; how long each took, and what it met."""

    def __init__(self) -> None:
        self.longest: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self.errors: list[tuple[float, str, ExchangesDBError]] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._going = True

    def start(self, name: str, call: Callable[[], Awaitable[object]]) -> None:
        """Begin to call one operation again and again."""
        self._tasks[name] = asyncio.create_task(self._repeat(name, call))

    async def _repeat(self, name: str, call: Callable[[], Awaitable[object]]) -> None:
        while self._going:
            began = time.monotonic()
            try:
                await call()
            except ExchangesDBError as exc:
                self.errors.append((began, name, exc))
            except DRIVER_ERRORS as exc:
                error = translate(exc)
                error.__cause__ = exc
                self.errors.append((began, name, error))
            if not name.endswith("a whole import"):  # its statements are timed one by one
                self.note(name, began)
            self.calls[name] += 1
            await asyncio.sleep(0.002)  # two processors also have a server and dbmate to run

    def note(self, name: str, began: float) -> None:
        """Remember how long something took that began then, if nothing of that name took longer."""
        self.longest[name] = max(self.longest[name], time.monotonic() - began)

    async def round(self, calls: int = 3) -> None:
        """Wait until every operation was called so many times more, whole."""
        wanted = {name: self.calls[name] + calls + 1 for name in self._tasks}
        async with asyncio.timeout(60):
            while any(self.calls[name] < count for name, count in wanted.items()):
                for task in self._tasks.values():
                    if task.done():
                        task.result()
                await asyncio.sleep(0.005)

    def forget(self) -> dict[str, float]:
        """Return the longest call of each operation since the last time."""
        longest, self.longest = dict(self.longest), defaultdict(float)
        return longest

    def start_beat(self, connection: asyncpg.Connection) -> None:
        """Ask what no migration can hold up: it tells how long a busy machine holds up everything."""
        self.start(BEAT, lambda: connection.fetchval("SELECT 1"))

    async def stop(self) -> None:
        """Let every operation end, so that what was acknowledged is known."""
        self._going = False
        await asyncio.gather(*self._tasks.values())


def watch_exchanges(watch: Watch, database: Database) -> None:
    """The library's own calls, which no migration may disturb."""
    numbers = itertools.count(1)
    watch.start("get_exchange_by_enum", lambda: get_exchange_by_enum("MEXC_SPOT", db=database))
    watch.start("get_all_active_exchanges", lambda: get_all_active_exchanges(db=database))
    watch.start("get_exchange_by_id", lambda: get_exchange_by_id(3, db=database))
    watch.start(
        "update_exchange",
        lambda: update_exchange(2, {"rate_limit_requests_per_second": 1 + next(numbers) % 90}, db=database),
    )
    watch.start(
        "insert_exchange",
        lambda: insert_exchange(an_exchange(), db=database),
    )


class OldCode:
    """Look-ups and writes of symbols as code of before sent them, over connections with prepared statements."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connect = connect
        self._random = random.Random(24)
        self._numbers = itertools.count(1)
        self.changed = 0
        # Of which symbols the row of a payload was written anew.
        self.said: set[str] = set()

    def _some(self) -> str:
        # Symbols of exchange 1, MEXC_SPOT.
        return f"S{2 * self._random.randint(1, SYMBOLS // 2)}USDT"

    async def watch_004(self, watch: Watch) -> None:
        """What code of before 006 does."""
        reader, writer = await self._connect(), await self._connect()
        watch.start("004: look-up", lambda: reader.fetch(FEES_OF_004, self._some()))

        async def change() -> None:
            name = self._some()
            if await writer.fetchval(CHANGE_OF_004, name, next(self._numbers) % 4999 * 0.00001):
                self.changed += 1
                self.said.add(name)

        watch.start("004: change", change)

    async def watch_006(self, watch: Watch) -> None:
        """What code of before 012 does."""
        reader, historian, importer = [await self._connect() for _ in range(3)]
        watch.start("006: look-up", lambda: reader.fetch(ROW_OF_006, self._some()))
        watch.start("006: past", lambda: historian.fetch(PAST_OF_006, f"S{2 * self._random.randint(1, 99)}/USDT"))

        async def send(statement: str, *arguments: object) -> list[asyncpg.Record]:
            began = time.monotonic()
            try:
                return await importer.fetch(statement, *arguments)
            finally:
                watch.note("006: import", began)

        async def import_list() -> None:
            async with importer.transaction():
                await send("SELECT pg_advisory_xact_lock(1, 1)")
                known = await importer.fetch(
                    "SELECT id FROM symbols WHERE exchange_id = 1 AND base < 'S12' ORDER BY id"
                )
                ids = self._random.sample([row["id"] for row in known], 20)
                await send(
                    "UPDATE symbols SET list_maker_fee = $2, source = 'reader', observed_at = now() WHERE id = ANY($1)",
                    ids,
                    next(self._numbers) % 4999 * 0.00001,
                )
                await send(
                    "INSERT INTO symbol_raw (symbol_id, raw, observed_at) SELECT unnest($1::int[]), '{}', now() "
                    "ON CONFLICT ON CONSTRAINT symbol_raw_pkey DO UPDATE SET raw = excluded.raw",
                    ids,
                )
                await send(LIST_OF_006, ids[:1])
            self.changed += len(ids)

        watch.start("006: a whole import", import_list)


async def apply(dsn: Dsn, folder: Path) -> int:
    """Migrate, and do it again where a lock was not had in time: how often that was."""
    for again in range(20):
        try:
            await migrate(dsn, directory=folder)
        except MigrationError as exc:
            if "lock timeout" not in str(exc):
                raise
        else:
            return again
    raise AssertionError("twenty times no lock")


async def prepare(dsn: Dsn, folder: Path) -> float:
    """Migrate up to 004 and fill that; return how many times slower than QUICK that was, if it was."""
    for file in FILES[:3]:
        shutil.copy(file, folder)
    await migrate(dsn, directory=folder)
    async with connected(dsn) as conn:
        began = time.monotonic()
        await conn.execute(FILL)
        took = time.monotonic() - began
        await conn.execute("VACUUM ANALYZE")
    return min(max(1.0, took / QUICK), 4.0)  # what copies the whole history under a lock takes ten times as long


# Which file ends what.
ENDS = {"004": "006", "006": "012"}


@pytest.mark.limit(300)
async def test_code_of_before_goes_on_while_each_migration_is_applied(empty_dsn: Dsn, tmp_path: Path) -> None:
    """No error but SchemaMismatch, and that from the file on which takes a column away; no call of half a second."""
    slower = await prepare(empty_dsn, tmp_path)
    watch, begins, again, stalls = Watch(), dict[str, float](), dict[str, int](), dict[str, dict[str, float]]()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(empty_dsn, Settings(pool_max=5)))
        old = OldCode(lambda: stack.enter_async_context(connected(empty_dsn)))
        try:
            watch.start_beat(await stack.enter_async_context(connected(empty_dsn)))
            watch_exchanges(watch, database)
            await old.watch_004(watch)
            await watch.round(50)
            usual = max(watch.forget().values())
            for file in FILES[3:]:
                shutil.copy(file, tmp_path)
                begins[file.name[:3]] = time.monotonic()
                again[file.name] = await apply(empty_dsn, tmp_path)
                await watch.round()
                stalls[file.name] = watch.forget()
                if file.name.startswith("006"):
                    await old.watch_006(watch)
                    await watch.round()
                    watch.forget()
        finally:
            await watch.stop()
    for name, longest in stalls.items():
        worst = ", ".join(f"{one} {longest[one] * 1000:.0f}" for one in sorted(longest, key=longest.__getitem__)[-3:])
        print(f"{name}: ms at most: {worst}, {BEAT} {longest[BEAT] * 1000:.0f}; again {again[name]} times")  # noqa: T201
    print(f"without a migration {usual * 1000:.0f} ms; {slower:.1f} times slower; {sum(watch.calls.values())} calls")  # noqa: T201
    unexpected = [
        (name, type(exc).__name__, str(exc), repr(exc.__cause__))
        for began, name, exc in watch.errors
        if not isinstance(exc, SchemaMismatch)
        or began < begins.get(ENDS.get(name[:3], ""), float("inf")) - LONGEST * slower
    ]
    assert unexpected == []
    # What those calls end in is seen: their connections have prepared statements of before.
    assert {name[:3] for _, name, _ in watch.errors} == set(ENDS)
    # A busy machine holds up calls that wait for nothing, too.
    late = {
        name: longest
        for name, longest in stalls.items()
        if max(longest.values()) >= LONGEST * slower + max(usual, longest[BEAT])
    }
    assert late == {}
    await nothing_is_lost(empty_dsn, old)


async def nothing_is_lost(dsn: Dsn, old: OldCode) -> None:
    """Every acknowledged change is one version, chained to the next; new code finds nothing wrong."""
    async with connected(dsn) as conn:
        versions = await conn.fetchval("SELECT sum(spec_version) FROM symbols")
        assert versions == 4 * SYMBOLS + old.changed
        assert await conn.fetchval("SELECT count(*) FROM symbol_history") == versions - SYMBOLS
        broken = """
            SELECT count(*) FROM (
                SELECT v.valid_to, lead(v.valid_from) OVER (PARTITION BY v.id ORDER BY v.spec_version) AS next
                FROM symbol_versions AS v) AS one
            WHERE one.valid_to IS DISTINCT FROM one.next
        """
        assert await conn.fetchval(broken) == 0
        assert await conn.fetchval("SELECT count(*) FROM symbols AS s WHERE s.spec_hash <> symbol_spec_hash(s)") == 0
        assert await conn.fetchval("SELECT count(*) FROM symbols WHERE spec_hash IS NULL") == 0
        # 006 copies what was said last, also where that was written while it copied.
        stale = "SELECT count(*) FROM symbol_raw AS r JOIN symbols AS s ON s.id = r.symbol_id WHERE r.raw ? 'text'"
        assert await conn.fetchval(stale) > 0
        assert await conn.fetchval(f"{stale} AND s.native_symbol = ANY($1)", old.said) == 0
        # The rows that the last import of old code could not read.
        assert await conn.fetchval("SELECT count(*) FROM symbol_doubts WHERE ended_at IS NULL") == 1
    async with Database(dsn) as database:
        symbol = await get_symbol("MEXC_SPOT", "S2/USDT", db=database)
        past = await get_symbol_history("MEXC_SPOT", "S2/USDT", db=database)
        report = await validate_exchanges(quick=True, db=database)
    assert symbol is not None
    assert [str(one.symbol.price_tick) for one in past[:3]] == ["0.01", "0.02", "0.03"]
    assert [check for check in report.checks if check.name.startswith("schema") and not check.passed] == []


@pytest.mark.parametrize(
    ("statements", "stalls", "fails"),
    [("LOCK TABLE exchanges IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(2)", True, False),
     ("ALTER TABLE exchanges RENAME COLUMN base_url TO address", False, True)],
    ids=["a lock for two seconds", "a column that is read"],
)  # fmt: skip
async def test_a_file_that_is_in_the_way_is_noticed(
    dsn: Dsn, tmp_path: Path, statements: str, stalls: bool, fails: bool
) -> None:
    """The watch is one that can fail: it sees a stall of two seconds, and an error."""
    for file in FILES:
        shutil.copy(file, tmp_path)
    (tmp_path / "999_mutant.sql").write_text(
        f"-- migrate:up\n{statements};\n-- migrate:down\nSELECT 1;\n", encoding="utf-8"
    )
    watch = Watch()
    async with Database(dsn, Settings(pool_max=5)) as database, connected(dsn) as beating:
        watch.start_beat(beating)
        watch_exchanges(watch, database)
        try:
            await watch.round(20)
            usual = max(watch.forget().values())
            await apply(dsn, tmp_path)
            await watch.round()
        finally:
            await watch.stop()
    longest = watch.forget()
    assert not stalls or max(longest.values()) > LONGEST + max(usual, longest[BEAT])
    assert bool(watch.errors) is fails


async def test_a_lock_that_is_not_had_is_given_up_soon(empty_dsn: Dsn, tmp_path: Path) -> None:
    """Behind a reader that does not end, plain dbmate fails, and what queued behind it has waited 200 ms."""
    for file in FILES[:3]:
        shutil.copy(file, tmp_path)
    await migrate(empty_dsn, directory=tmp_path)
    shutil.copy(FILES[3], tmp_path)
    shutil.copy(FILES[4], tmp_path)

    async def timed(connection: asyncpg.Connection, question: str) -> float:
        began = time.monotonic()
        await connection.fetch(question)
        return time.monotonic() - began

    async with connected(empty_dsn) as reader, connected(empty_dsn) as other, connected(empty_dsn) as beating:
        async with reader.transaction():
            await reader.fetch("SELECT id FROM symbol_rows")
            deploy = asyncio.create_task(asyncio.to_thread(run_dbmate, empty_dsn, "up", migrations=tmp_path))
            longest = usual = 0.0
            while not deploy.done():
                took, beat = await asyncio.gather(
                    timed(other, "SELECT id FROM symbol_rows"), timed(beating, "SELECT 1")
                )
                longest, usual = max(longest, took), max(usual, beat)
                await asyncio.sleep(0.002)
        result = await deploy
        assert result.returncode != 0
        assert "lock timeout" in result.stderr
        assert 0.1 < longest < LONGEST + usual
    assert run_dbmate(empty_dsn, "up", migrations=tmp_path).returncode == 0


async def test_nothing_of_ours_depends_on_a_type_that_could_be_made_anew(dsn: Dsn) -> None:
    """A prepared statement keeps a type's id: a column, parameter or result of a type of ours would break by a swap."""
    async with connected(dsn) as conn:
        own = await conn.fetch(
            """SELECT t.typname FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
               LEFT JOIN pg_type AS e ON e.oid = t.typelem AND t.typcategory = 'A'
               WHERE n.nspname = 'public' AND coalesce(e.typtype, t.typtype) <> 'c'"""
        )
        columns = await conn.fetch(
            """SELECT a.attrelid::regclass::text, a.attname FROM pg_attribute AS a
               JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_type AS t ON t.oid = a.atttypid
               WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
                 AND t.typnamespace <> 'pg_catalog'::regnamespace"""
        )
        assert (own, columns) == ([], [])
