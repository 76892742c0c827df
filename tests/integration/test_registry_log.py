"""The log of changes: what is in it, when nothing is, and that epochs are given in the order of visibility."""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import asyncpg
import pytest

from exchanges_db import Database, Registry, RegistrySettings, RegistryState, SchemaMismatch, hold_exchange
from exchanges_db.database.dsn import Dsn
from exchanges_db.registry.saving import load_once, measure_distance
from exchanges_db.registry.snapshot import Snapshot
from tests.factories import connected
from tests.fix_server import ROOT
from tests.payload_rows import MEXC
from tests.registry_history import contents, loaded
from tests.servers import until

QUERIES = (ROOT / "db/queries/registry.sql").read_text(encoding="utf-8")
ORDER = "registry_commit_order"
SEQUENCES = ("registry_epoch_seq", "registry_epoch_witness_seq")
LOG = {"registry_changes", ORDER}
WRITERS, COMMITS = 20, 50
Isolation = Literal["read_committed", "repeatable_read", "serializable"]


class Entry(NamedTuple):
    """One row of the log."""

    epoch: int | None
    token: str | None
    changed: str
    ids: tuple[int, ...] | None


async def entries(conn: asyncpg.Connection, since: int = 0) -> list[Entry]:
    """Return what is in the log after an epoch, and what has none."""
    rows = await conn.fetch(
        "SELECT epoch, token::text, changed, ids FROM registry_changes WHERE epoch > $1 OR epoch IS NULL ORDER BY id",
        since,
    )
    return [Entry(row[0], row[1], row[2], None if row[3] is None else tuple(sorted(row[3]))) for row in rows]


async def epoch(conn: asyncpg.Connection) -> int:
    return int(await conn.fetchval("SELECT max(epoch) FROM registry_changes"))


@pytest.fixture
async def owner(stocked_dsn: Dsn) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database with two symbols each of exchanges 2 and 3, and holds on 1 and 3."""
    async with connected(stocked_dsn) as connection:
        yield connection


# What a registry serves, by the catalogue and by what its queries name

SERVED = """
    WITH RECURSIVE named AS (
        SELECT c.oid, c.relkind FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace
           AND (c.relname = ANY ($1) OR c.relkind = 'v' AND c.relname LIKE 'registry\\_%')
        UNION
        SELECT below.oid, below.relkind
        FROM named
        JOIN pg_rewrite AS w ON w.ev_class = named.oid
        JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
         AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> named.oid
        JOIN pg_class AS below ON below.oid = d.refobjid
    )
    SELECT named.oid::regclass::text FROM named WHERE named.relkind = 'r'
"""
# Bits of pg_trigger.tgtype.
EVENTS = {"INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
TRIGGERS = """
    SELECT t.tgrelid::regclass::text AS on_table, t.tgtype::integer AS bits, t.tgenabled = 'A' AS always,
           p.proname LIKE 'registry\\_note\\_%' AND t.tgtype & 3 = 0 AS notes, p.proname LIKE '%\\_refuse' AS refuses
    FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal
"""


async def unnoted(conn: asyncpg.Connection) -> set[tuple[str, str]]:
    """Return each served table with each kind of statement that neither leaves an entry nor is refused, always."""
    served = [row[0] for row in await conn.fetch(SERVED, re.findall(r"public\.(\w+)", QUERIES))]
    assert {"exchanges", "symbols", "holds", "account_fees", "symbol_lists", "symbol_doubts"} <= set(served)
    triggers = [row for row in await conn.fetch(TRIGGERS) if row["always"] and (row["notes"] or row["refuses"])]
    noted = {(row["on_table"], event) for row in triggers for event, bit in EVENTS.items() if row["bits"] & bit}
    return {(table, event) for table in served for event in EVENTS if table not in LOG} - noted


async def test_every_table_that_a_registry_serves_tells_of_every_kind_of_statement(conn: asyncpg.Connection) -> None:
    assert await unnoted(conn) == set()


@pytest.mark.parametrize(
    ("mutant", "missing"),
    [
        ("CREATE VIEW registry_more AS SELECT symbol_id FROM symbol_raw",
         {("symbol_raw", event) for event in EVENTS}),
        ("ALTER TABLE holds DISABLE TRIGGER holds_note_delete", {("holds", "DELETE")}),
        ("ALTER TABLE holds ENABLE TRIGGER holds_note_update", {("holds", "UPDATE")}),
        ("DROP TRIGGER symbols_note_truncate ON symbols", {("symbols", "TRUNCATE")}),
    ],
    ids=["a table more", "switched off", "not where rows are replicated", "dropped"],
)  # fmt: skip
async def test_a_table_that_does_not_tell_is_found(
    conn: asyncpg.Connection, mutant: str, missing: set[tuple[str, str]]
) -> None:
    await conn.execute(mutant)
    assert await unnoted(conn) == missing


# A digest is no part of what is served; the rest cannot change by itself.
BESIDE = {"id", "exchange_id", "native_symbol", "spec_version", "created_at", "updated_at", "source", "observed_at"}


async def test_every_column_of_a_symbol_that_is_served_makes_a_version(conn: asyncpg.Connection) -> None:
    """By which an update of symbols is told from one that notes something for the next import."""
    rows = await conn.fetch("""
        SELECT DISTINCT a.attname
        FROM pg_rewrite AS w
        JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refobjsubid > 0
        JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE w.ev_class = 'registry_symbols'::regclass AND d.refobjid = 'symbols'::regclass
          AND a.attgenerated = ''
    """)
    hashed = await conn.fetchval("SELECT pg_get_functiondef('symbol_spec_hash'::regproc)")
    served = {row[0] for row in rows} - BESIDE
    assert len(served) > 40
    assert {column for column in served if not re.search(rf"\b{column}\b", hashed)} == set()


# Each kind of write, and what it leaves

FEES = "INSERT INTO account_fees (exchange_id, account, maker, taker) VALUES (2, 'x', 0, 0)"
HOLD = "INSERT INTO holds (exchange_id, native_symbol, sides, reason) VALUES (2, 'A', 'ALL', 'why')"
DOUBT = "INSERT INTO symbol_doubts (symbol_id, brake, reason, since) VALUES (1, 'JUMP', 'r', now())"
EXCHANGE = "UPDATE exchanges SET is_active = NOT is_active WHERE id ="
SYMBOL = "UPDATE symbols SET min_quantity = coalesce(min_quantity, 0) + 1 WHERE id"
UPSERT = (
    "INSERT INTO holds (exchange_id, sides, reason) VALUES (1, 'ALL', 'x') ON CONFLICT (exchange_id, native_symbol)"
)
NEW = "INSERT INTO exchanges (name, enum_value, display_name, market_type) VALUES ('N', 'N', 'n', 'SPOT')"
WRITES: dict[str, tuple[str, list[tuple[str, tuple[int, ...] | None]]]] = {
    "an exchange": (f"{EXCHANGE} 1", [("EXCHANGES", (1,))]),
    "all exchanges": ("UPDATE exchanges SET display_name = 'd' || id", [("EXCHANGES", (1, 2, 3))]),
    "an exchange that is gone, and its hold with it": (
        "DELETE FROM exchanges WHERE id = 1", [("EXCHANGES", (1,)), ("HOLDS", (1,))],
    ),
    "a symbol": (f"{SYMBOL} = 1", [("SYMBOLS", (1,))]),
    "one symbol of those that an update names": (
        "UPDATE symbols SET min_quantity = CASE id WHEN 1 THEN 9 ELSE min_quantity END", [("SYMBOLS", (1,))],
    ),
    "symbols of two exchanges": (f"{SYMBOL} IN (1, 3)", [("SYMBOLS", (1, 3))]),
    "a symbol that is gone": ("DELETE FROM symbols WHERE id = 2", [("SYMBOLS", (2,))]),
    "a hold": (HOLD, [("HOLDS", (2,))]),
    "a hold that is another": ("UPDATE holds SET sides = 'BUY' WHERE exchange_id = 3", [("HOLDS", (3,))]),
    "an upsert that updates": (
        f"{UPSERT} DO UPDATE SET reason = excluded.reason", [("HOLDS", (1,))],
    ),
    "a release": ("DELETE FROM holds WHERE exchange_id = 3", [("HOLDS", (3,))]),
    "all holds by MERGE": (
        "MERGE INTO holds USING exchanges AS e ON e.id = holds.exchange_id WHEN MATCHED THEN DELETE",
        [("HOLDS", (1, 3))],
    ),
    "fees": (FEES, [("FEES", (2,))]),
    "a list that is confirmed": (
        "UPDATE symbol_lists SET observed_at = observed_at + interval '1 s' WHERE exchange_id = 2", [("LISTS", (2,))],
    ),
    "a list that is gone": ("DELETE FROM symbol_lists WHERE exchange_id = 3", [("LISTS", (3,))]),
    "a doubt": (DOUBT, [("SYMBOLS", (1,))]),
    "a doubt that ends": (
        f"{DOUBT}; UPDATE symbol_doubts SET ended_at = now() + interval '1 s'",
        [("SYMBOLS", (1,)), ("SYMBOLS", (1,))],
    ),
    "TRUNCATE": ("TRUNCATE holds", [("EVERYTHING", None)]),
    "TRUNCATE of symbols": ("TRUNCATE symbols", [("EVERYTHING", None)]),
    "by a session that only replays": (
        f"SET LOCAL session_replication_role = replica; {EXCHANGE} 2", [("EXCHANGES", (2,))],
    ),
    "in one statement with what it reads": (
        f"WITH one AS ({HOLD} RETURNING 1) {FEES}", [("FEES", (2,)), ("HOLDS", (2,))],
    ),
    "several statements": (f"{EXCHANGE} 1; {HOLD}; {EXCHANGE} 1; {SYMBOL} = 3",
                           [("EXCHANGES", (1,)), ("HOLDS", (2,)), ("EXCHANGES", (1,)), ("SYMBOLS", (3,))]),
    "all but a savepoint that is rolled back": (
        f"{EXCHANGE} 1; SAVEPOINT s; {HOLD}; ROLLBACK TO s; {FEES}", [("EXCHANGES", (1,)), ("FEES", (2,))],
    ),
    "told at once": (
        f"SET CONSTRAINTS ALL IMMEDIATE; {EXCHANGE} 1; {HOLD}; {FEES}",
        [("EXCHANGES", (1,)), ("HOLDS", (2,)), ("FEES", (2,))],
    ),
    "told at once from the middle on": (
        f"{EXCHANGE} 1; SET CONSTRAINTS ALL IMMEDIATE; {HOLD}; SET CONSTRAINTS ALL DEFERRED; {FEES}",
        [("EXCHANGES", (1,)), ("HOLDS", (2,)), ("FEES", (2,))],
    ),
    "told at once in a savepoint that is rolled back": (
        f"{EXCHANGE} 1; SAVEPOINT s; SET CONSTRAINTS ALL IMMEDIATE; {HOLD}; ROLLBACK TO s; {FEES}",
        [("EXCHANGES", (1,)), ("FEES", (2,))],
    ),
    "by hand, as after a restore": (
        "INSERT INTO registry_changes (changed, transaction_id) VALUES ('EVERYTHING', pg_current_xact_id())",
        [("EVERYTHING", None)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("isolation", ["read_committed", "repeatable_read", "serializable"])
async def test_each_kind_of_write_raises_the_epoch_once_and_names_what_changed(
    owner: asyncpg.Connection, isolation: Isolation
) -> None:
    """One epoch and one token for the whole transaction, and never two with the same."""
    tokens: list[str | None] = []
    for name, (statements, expected) in WRITES.items():
        before = await epoch(owner)
        outer = owner.transaction(isolation=isolation)
        await outer.start()
        await owner.execute(statements)
        assert len({one.epoch for one in await entries(owner, before)} - {None}) <= 1, name
        await owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        found = await entries(owner, before)
        assert sorted(one[2:] for one in found) == sorted(expected), name
        assert len({one.epoch for one in found}) == len({one.token for one in found}) == 1, name
        assert found[0].epoch is not None
        assert found[0].epoch > before
        tokens.append(found[0].token)
        await outer.rollback()  # so that each begins with the same rows
    assert len(set(tokens)) == len(WRITES)


@pytest.mark.parametrize("name", ["an exchange", "several statements", "told at once", "TRUNCATE"])
async def test_a_commit_gives_the_epoch(owner: asyncpg.Connection, name: str) -> None:
    """What the test above looks at before the end is what others see afterwards."""
    statements, expected = WRITES[name]
    before = await epoch(owner)
    async with owner.transaction():
        await owner.execute(statements)
    found = await entries(owner, before)
    assert [one[2:] for one in found] == expected
    assert {one.epoch for one in found} == {await epoch(owner)}
    assert len({one.token for one in found}) == 1


async def test_rows_that_are_copied_in_are_told(owner: asyncpg.Connection) -> None:
    before = await epoch(owner)
    columns = ["exchange_id", "native_symbol", "sides", "reason"]
    records = [(2, name, "ALL", "r") for name in ("A", "B")]
    await owner.copy_records_to_table("holds", records=records, columns=columns)
    assert [one[2:] for one in await entries(owner, before)] == [("HOLDS", (2,))]


async def test_another_deferred_trigger_that_writes_later_adds_no_second_epoch(owner: asyncpg.Connection) -> None:
    """It runs after the one that gives the epoch, in the same commit."""
    await owner.execute(f"""
        CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {EXCHANGE} 3; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER z_later AFTER INSERT ON holds DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION later()
    """)
    before = await epoch(owner)
    async with owner.transaction():
        await owner.execute(f"{EXCHANGE} 1; {HOLD}")
    found = await entries(owner, before)
    assert [one.changed for one in found] == ["EXCHANGES", "HOLDS", "EXCHANGES"]
    assert len({(one.epoch, one.token) for one in found}) == 1


async def test_a_restored_log_gives_no_epoch_to_a_transaction_of_the_same_number(owner: asyncpg.Connection) -> None:
    """Numbers of transactions begin anew on another server."""
    before = await epoch(owner)
    async with owner.transaction():
        await owner.execute("""
            INSERT INTO registry_changes (changed, transaction_id, epoch, token, committed_at)
            VALUES ('EVERYTHING', pg_current_xact_id(), 1, gen_random_uuid(), now() - interval '1 day')
        """)
        await owner.execute(f"{EXCHANGE} 1")
    assert [(one.changed, (one.epoch or 0) > before) for one in await entries(owner, before)] == [("EXCHANGES", True)]


NOTHING = {
    "a digest of what was read": "UPDATE symbols SET read_digest = '\\x00'",
    "equal values of an exchange": "UPDATE exchanges SET is_active = is_active",
    "equal values of a symbol": "UPDATE symbols SET min_quantity = min_quantity, source = source",
    "equal values of a hold": "UPDATE holds SET sides = sides",
    "equal values of a list": "UPDATE symbol_lists SET observed_at = observed_at",
    "equal values of a doubt": f"{DOUBT}; ROLLBACK; BEGIN; UPDATE symbol_doubts SET reason = reason",
    "no row": f"{EXCHANGE} 12345; DELETE FROM holds WHERE false; INSERT INTO holds SELECT * FROM holds WHERE false",
    "a conflict that does nothing": "INSERT INTO holds (exchange_id, sides, reason) VALUES (1, 'ALL', 'x') "
    "ON CONFLICT DO NOTHING",
    "a payload": "UPDATE symbol_raw SET raw = raw",
    "a savepoint that is rolled back": f"SAVEPOINT s; {HOLD}; ROLLBACK TO s",
    "a rollback": f"{HOLD}; ROLLBACK; BEGIN",
    "a look": "SELECT * FROM symbols; SELECT * FROM registry_symbols; SELECT * FROM exchanges FOR SHARE",
}


@pytest.mark.parametrize("name", NOTHING)
async def test_what_changes_nothing_raises_nothing(owner: asyncpg.Connection, name: str) -> None:
    before = await epoch(owner), await owner.fetchval("SELECT count(*) FROM registry_changes")
    await owner.execute(f"BEGIN; {NOTHING[name]}; COMMIT")
    assert (await epoch(owner), await owner.fetchval("SELECT count(*) FROM registry_changes")) == before


# The order of epochs

SOURCE = "SELECT pg_get_functiondef('registry_stamp'::regproc)"


async def stamp_at_the_statement(conn: asyncpg.Connection) -> None:
    """The mutant: an epoch is given when something is written, as a sequence or clock would be read."""
    source = await conn.fetchval(SOURCE)
    mutant = source.replace(f"LOCK TABLE public.{ORDER} IN EXCLUSIVE MODE;", "")
    assert mutant != source
    await conn.execute(f"""
        {mutant};
        DROP TRIGGER registry_changes_stamp ON registry_changes;
        CREATE TRIGGER registry_changes_stamp AFTER INSERT ON registry_changes
            FOR EACH ROW EXECUTE FUNCTION registry_stamp()
    """)


# Of no column that an index has: its pages are what other rows' updates would be in conflict with.
RENAME = "UPDATE exchanges SET display_name = clock_timestamp()::text WHERE id = $1"


async def write_and_look(
    dsn: Dsn, writers: int, commits: int, isolation: Isolation = "read_committed"
) -> list[list[int]]:
    """Return the epochs that a reader saw in each of its snapshots; the last are all that there are."""
    seen: list[list[int]] = []
    chance = random.Random(7)
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(connected(dsn))
        ids = [await reader.fetchval(f"{NEW} RETURNING id".replace("'N'", f"'N{one}'")) for one in range(writers)]
        since = await epoch(reader)
        connections = [await stack.enter_async_context(connected(dsn)) for _ in ids]

        async def write(connection: asyncpg.Connection, exchange_id: int) -> None:
            # Not what a table of a few rows is read by: that would be a conflict of exchanges, and not of the log.
            await connection.execute("SET enable_seqscan = off")
            for _ in range(commits):
                async with connection.transaction(isolation=isolation):
                    await connection.execute(RENAME, exchange_id)
                    await asyncio.sleep(chance.random() / 500)  # the transaction's own time, not one that is waited for

        async def look() -> None:
            rows = await reader.fetch("SELECT epoch FROM registry_changes WHERE epoch > $1 ORDER BY epoch", since)
            seen.append([row[0] for row in rows])

        writing = asyncio.gather(*map(write, connections, ids))
        while not writing.done():
            await look()
        await writing
        await look()
    return seen


def holes(seen: list[list[int]]) -> int:
    """Return how many snapshots showed an epoch and not each smaller one that there is."""
    return sum(epochs != [one for one in seen[-1] if one <= epochs[-1]] for epochs in seen if epochs)


async def test_no_epoch_is_seen_before_each_smaller_one(dsn: Dsn) -> None:
    """Twenty writers, whose transactions take as long as they like: what is visible is a beginning of the log."""
    seen = await write_and_look(dsn, WRITERS, COMMITS)
    assert len(seen[-1]) == WRITERS * COMMITS
    assert len(set(map(len, seen))) > 20  # it did look meanwhile
    assert holes(seen) == 0


async def test_epochs_of_the_statements_are_seen_out_of_order(dsn: Dsn) -> None:
    """So the test above can fail."""
    async with connected(dsn) as conn:
        await stamp_at_the_statement(conn)
    assert holes(await write_and_look(dsn, WRITERS, 10)) > 0


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_stricter_transactions_that_have_nothing_in_common_all_succeed(dsn: Dsn, isolation: Isolation) -> None:
    """What one writes to the log is no conflict with what another does, and the order is the same."""
    seen = await write_and_look(dsn, 8, 20, isolation)
    assert len(seen[-1]) == 160
    assert holes(seen) == 0


async def test_a_reader_can_hold_nobody_up(stocked_dsn: Dsn, owner: asyncpg.Connection) -> None:
    """The strongest lock that a right to read gives is no obstacle to the one of a commit."""
    async with connected(stocked_dsn) as reader, reader.transaction():
        await reader.execute(f"LOCK TABLE {ORDER} IN ACCESS SHARE MODE; SELECT * FROM registry_changes")
        await owner.execute(f"SET lock_timeout = '1ms'; {EXCHANGE} 1")


async def test_a_commit_that_waits_too_long_for_its_turn_writes_nothing(
    stocked_dsn: Dsn, owner: asyncpg.Connection
) -> None:
    """By the lock_timeout of whoever commits, as for every lock."""
    before = await epoch(owner)
    async with connected(stocked_dsn) as other:
        held = other.transaction()
        await held.start()
        await other.execute(f"SET CONSTRAINTS ALL IMMEDIATE; {EXCHANGE} 1")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await owner.execute(f"SET lock_timeout = '20ms'; {HOLD}")
        assert await epoch(owner) == before
        await held.rollback()
    await owner.execute(HOLD)
    assert [one[2:] for one in await entries(owner, before)] == [("HOLDS", (2,))]


async def test_no_limit_of_statements_ends_the_wait_of_a_commit(stocked_dsn: Dsn, owner: asyncpg.Connection) -> None:
    """Why docs/operations.md asks for a lock_timeout: the server stops the other clock before deferred triggers run."""
    async with connected(stocked_dsn) as other:
        held = other.transaction()
        await held.start()
        await other.execute(f"SET CONSTRAINTS ALL IMMEDIATE; {EXCHANGE} 1")
        await owner.execute("SET statement_timeout = '500ms'")  # which the statement itself never takes
        with pytest.raises(TimeoutError):
            await owner.execute(HOLD, timeout=1.2)
        await held.rollback()


MANY = """
    INSERT INTO symbols (exchange_id, native_symbol, symbol, base, quote, kind, price_tick, tick_assumed, quantity_step,
                         step_assumed, status, sides, api_tradable, source, observed_at)
    SELECT 1, 'S' || n, 'S' || n || '/USDT', 'S' || n, 'USDT', 'SPOT', 1, false, 1, false, 'TRADING', 'ALL', true, 'x',
           now()
    FROM generate_series(1, 20000) AS n
"""


async def test_a_kill_switch_waits_for_no_import(stocked_dsn: Dsn, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither while 20,000 symbols are written and not committed, nor while they are committed."""
    waits: dict[str, list[float]] = {"open": [], "commit": []}
    async with connected(stocked_dsn) as importer, Database(stocked_dsn) as database:

        async def hold(when: str) -> None:
            began = time.perf_counter()
            await hold_exchange(MEXC, reason=f"{when} {len(waits[when])}", db=database)
            waits[when].append(time.perf_counter() - began)

        transaction = importer.transaction()
        await transaction.start()
        writing = asyncio.create_task(importer.execute(MANY))
        while not writing.done() or len(waits["open"]) < 20:
            await hold("open")
        assert await writing == "INSERT 0 20000"
        committing = asyncio.create_task(transaction.commit())
        while not committing.done() or len(waits["commit"]) < 20:
            await hold("commit")
        await committing
    with capsys.disabled():
        for when, times in waits.items():
            middle, longest = sorted(times)[len(times) // 2] * 1000, max(times) * 1000
            print(f"\nhold during {when}: median {middle:.1f} ms, longest {longest:.1f} ms of {len(times)}")  # noqa: T201
    assert max(*waits["open"], *waits["commit"]) < 1


# What the log costs, and what is kept of it

FETCHED = "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_user_tables WHERE relname = 'registry_changes'"


async def fetched(conn: asyncpg.Connection) -> int:
    """Return how many rows of the log were ever looked at."""
    await conn.execute("SELECT pg_stat_force_next_flush()")
    return int(await conn.fetchval(FETCHED))


@pytest.mark.parametrize("when", ["DEFERRED", "IMMEDIATE"])
async def test_each_entry_of_a_transaction_is_looked_at_a_few_times(owner: asyncpg.Connection, when: str) -> None:
    """However many there are: the first gives all of them the epoch, and the others only see that they have it."""
    many = 500
    before, rows = await epoch(owner), await fetched(owner)
    async with owner.transaction():
        await owner.execute(f"SET CONSTRAINTS ALL {when}")
        await owner.execute(f"DO $$ BEGIN FOR i IN 1..{many} LOOP {EXCHANGE} 1; END LOOP; END $$")
    assert await fetched(owner) - rows < 6 * many
    found = await entries(owner, before)
    assert (len(found), len({one.epoch for one in found})) == (many, 1)


async def test_no_plan_compares_each_row_before_with_each_row_after(conn: asyncpg.Connection) -> None:
    """A function keeps its plan: made for an update of one row, it would take a minute for one of 20,000."""
    rows = await conn.fetch("""
        SELECT proname, 'enable_nestloop=off' = ANY (proconfig) AS hashes
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosrc ~ 'FROM old_rows .* JOIN'
    """)
    assert {row["proname"]: row["hashes"] for row in rows} == {
        "registry_note_symbol_updates": True,
        "symbols_record_update": True,
    }


LONG = """
    INSERT INTO registry_changes (changed, ids, transaction_id, epoch, token, committed_at)
    SELECT 'LISTS', '{1}', '1', e, gen_random_uuid(), now()
    FROM (SELECT nextval('registry_epoch_seq') AS e FROM generate_series(1, $1::integer)) AS given
"""


async def test_the_log_keeps_100000_epochs_and_is_never_empty(owner: asyncpg.Connection) -> None:
    """It is cut at every hundredth epoch; a plan that was made when it was short finds its way when it is long."""
    query = re.search(r"^-- name: GetRegistryNews :one\n(.*?);\n", QUERIES, re.DOTALL | re.MULTILINE)
    assert query is not None
    await owner.execute("SET plan_cache_mode = force_generic_plan")
    statement = query[1].replace("@since_epoch", "$1").replace("@since_token", "$2").replace("@most", "1000")
    statement = statement.replace("@named_limit", "1000000").replace(
        "@log_version", "(SELECT version FROM registry_log)"
    )
    await owner.execute(f"PREPARE news (bigint, text) AS {statement}; EXECUTE news (1, 'x')")
    await owner.execute(f"{EXCHANGE} 1")  # so that the function has its plans, too
    await owner.execute("ALTER TABLE registry_changes DISABLE TRIGGER USER")
    last = await epoch(owner)
    await owner.execute(LONG.replace("$1::integer", str(100_199 - last % 100)))
    await owner.execute("ALTER TABLE registry_changes ENABLE ALWAYS TRIGGER registry_changes_stamp")
    newest = await epoch(owner)
    assert newest % 100 == 99

    plan = "\n".join(row[0] for row in await owner.fetch(f"EXPLAIN EXECUTE news ({newest - 1}, 'x')"))
    assert "registry_changes" in plan
    assert "Seq Scan on registry_changes" not in plan

    rows = await fetched(owner)
    async with owner.transaction(isolation="repeatable_read"):
        await owner.execute(f"{EXCHANGE} 1")
    assert await fetched(owner) - rows < 10
    kept = "SELECT count(DISTINCT epoch), min(epoch) FROM registry_changes"
    assert (await epoch(owner), await owner.fetchval("SELECT min(epoch) FROM registry_changes")) == (newest + 1, 1)
    await owner.execute(f"ALTER SEQUENCE registry_epoch_seq RESTART WITH {newest + 101}; {EXCHANGE} 1")
    assert tuple(await owner.fetchrow(kept) or ()) == (100_000 - 99, newest + 101 - 100_000 + 1)


@pytest.mark.parametrize("isolation", ["read_committed", "repeatable_read"])
async def test_sequences_behind_the_log_go_on_after_it(
    stocked_dsn: Dsn, owner: asyncpg.Connection, isolation: Isolation
) -> None:
    """As after a restore of the tables alone, or where a subscriber is promoted: registries ask for what is newer."""
    async with Registry(stocked_dsn) as registry:
        for _ in range(3):
            await owner.execute(f"{EXCHANGE} 1")
        newest = await epoch(owner)
        for sequence in SEQUENCES:
            await owner.execute("SELECT setval($1::regclass, 1, false)", sequence)
        for number in range(2):
            async with owner.transaction(isolation=isolation):
                await owner.execute("UPDATE exchanges SET display_name = $1 WHERE id = 1", f"Behind {number}")
            (entry,) = await entries(owner, newest + number)
            newest += 0 if isolation == "read_committed" or number else 99_999  # as far as it may not see
            assert entry.epoch == newest + number + 1
            assert {await owner.fetchval(f"SELECT last_value FROM {one}") for one in SEQUENCES} == {entry.epoch}

            async def seen(wanted: str = f"Behind {number}") -> bool:
                return registry.snapshot.places_by_id[1].exchange.display_name == wanted

            await until(seen, what="the registry has what was committed")


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
@pytest.mark.parametrize("sequence", SEQUENCES)
async def test_a_sequence_that_was_set_back_gives_no_epoch_to_two(
    stocked_dsn: Dsn, owner: asyncpg.Connection, isolation: Isolation, sequence: str
) -> None:
    """A transaction that does not see how far the log went meanwhile sees that by the other sequence."""
    async with connected(stocked_dsn) as other:
        async with other.transaction(isolation=isolation):
            await other.execute(f"{EXCHANGE} 1")
            begun = await epoch(other)
            for _ in range(3):
                await owner.execute(f"{EXCHANGE} 2")
            newest = await epoch(owner)
            await owner.execute("SELECT setval($1::regclass, $2::bigint)", sequence, begun + 1)
        (entry,) = await entries(owner, newest)
        assert entry.epoch == newest + 1
    assert {await owner.fetchval(f"SELECT last_value FROM {one}") for one in SEQUENCES} == {newest + 1}


async def test_a_full_queue_of_notifications_stops_no_commit(stocked_dsn: Dsn, owner: asyncpg.Connection) -> None:
    """A hint is not sent where the queue is half full; here any queue is more than full enough."""
    heard: list[object] = []
    async with connected(stocked_dsn) as listener:
        await listener.add_listener("exchanges_db_changed", lambda *message: heard.append(message[-1]))
        before = await epoch(owner)
        await owner.execute(f"{EXCHANGE} 1")
        (first,) = await entries(owner, before)
        source = await owner.fetchval(SOURCE)
        assert "pg_notification_queue_usage() < 0.5" in source
        await owner.execute(source.replace("pg_notification_queue_usage() < 0.5", "pg_notification_queue_usage() < 0"))
        await owner.execute(f"{EXCHANGE} 2")
        await owner.execute("SELECT pg_notify('exchanges_db_changed', 'the end')")
        await listener.fetchval("SELECT 1")  # what was sent before is read before its answer
    assert heard == [f"{first.epoch}:{first.token}", "the end"]
    assert await epoch(owner) == before + 2


MIGRATION = (ROOT / "db/migrations/013_create_registry_changes.sql").read_text(encoding="utf-8")


TELLERS = [
    *re.findall(r"ALTER TABLE public\.(\w+) ENABLE ALWAYS TRIGGER (\w+);", MIGRATION),
    ("account_fees", "account_fees_refuse"),
    ("symbols", "symbols_stamp"),
]
DAMAGES = {
    "dropped": "DROP TRIGGER exchanges_note_update ON exchanges",
    "off": "ALTER TABLE exchanges DISABLE TRIGGER exchanges_note_update",
    "not for replication": "ALTER TABLE exchanges ENABLE TRIGGER exchanges_note_update",
    "gone with what tells of it": "DROP VIEW registry_log; DROP TRIGGER exchanges_note_update ON exchanges",
}
VIEW = MIGRATION[
    MIGRATION.index("CREATE VIEW public.registry_log") : MIGRATION.index("COMMENT ON VIEW public.registry_log")
]


@pytest.mark.parametrize(("table", "trigger"), TELLERS, ids=[trigger for _, trigger in TELLERS])
async def test_a_registry_takes_nothing_while_the_log_is_not_whole(
    stocked_dsn: Dsn, owner: asyncpg.Connection, table: str, trigger: str
) -> None:
    """As where `pg_restore --jobs` has made the triggers of the log, and rows of a table are still to come."""
    assert await owner.fetchval("SELECT version FROM registry_log")
    await owner.execute(f"DROP TRIGGER {trigger} ON {table}")
    assert await owner.fetchval("SELECT version FROM registry_log") is None
    with pytest.raises(SchemaMismatch, match="a restore goes on"):
        await Registry(stocked_dsn).open()


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("is_hinted", [False, True])
async def test_a_registry_is_stale_while_the_log_is_not_whole_and_then_reads_everything(
    stocked_dsn: Dsn, owner: asyncpg.Connection, damage: str, is_hinted: bool
) -> None:
    """It finds out by a poll, or by the next hint; what was changed meanwhile is in no log.

    Where the view that says whether it is whole is gone, as after DROP ... CASCADE, nobody can say that it was.
    """
    definition = await owner.fetchval(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'exchanges_note_update'"
    )
    async with Registry(stocked_dsn, settings=RegistrySettings(poll_interval=60 if is_hinted else 0.05)) as registry:

        async def is_in(state: RegistryState) -> bool:
            return registry.state is state

        await owner.execute(damage)
        if is_hinted:
            await owner.execute("DELETE FROM holds WHERE exchange_id = 3")
        await until(lambda: is_in(RegistryState.STALE), what="the registry finds out")
        has_view = await owner.fetchval("SELECT to_regclass('registry_log') IS NOT NULL")
        assert ("exchanges-db validate" if has_view else "42P01") in str(registry.stats().why_stale)
        await owner.execute("SET session_replication_role = replica")
        await owner.execute("UPDATE exchanges SET display_name = 'Untold' WHERE id = 1")
        await owner.execute("RESET session_replication_role")
        await owner.execute("DROP TRIGGER IF EXISTS exchanges_note_update ON exchanges")
        await owner.execute(definition)
        await owner.execute("ALTER TABLE exchanges ENABLE ALWAYS TRIGGER exchanges_note_update")
        if not has_view:
            await owner.execute(VIEW)
        await until(lambda: is_in(RegistryState.LIVE), what="the registry has read everything")
        assert registry.snapshot.places_by_id[1].exchange.display_name == "Untold"
        assert registry.stats().loads == 2


UNTOLD = {
    "switched off and on": """
        ALTER TABLE exchanges DISABLE TRIGGER exchanges_note_update;
        UPDATE exchanges SET display_name = 'Untold' WHERE id = 1;
        ALTER TABLE exchanges ENABLE ALWAYS TRIGGER exchanges_note_update""",
    "dropped and made": """
        DROP TRIGGER exchanges_note_update ON exchanges;
        UPDATE exchanges SET display_name = 'Untold' WHERE id = 1;
        {definition};
        ALTER TABLE exchanges ENABLE ALWAYS TRIGGER exchanges_note_update""",
}


@pytest.mark.parametrize(
    ("table", "trigger", "change"),
    [
        ("symbols", "symbols_stamp", "UPDATE symbols SET price_tick = 0.5"),
        ("account_fees", "account_fees_refuse", "DELETE FROM account_fees"),
    ],
    ids=["rules without a stamp", "fees that are deleted"],
)
async def test_what_was_changed_while_a_trigger_that_notes_go_by_was_off_is_read(
    stocked_dsn: Dsn, owner: asyncpg.Connection, table: str, trigger: str, change: str
) -> None:
    """The triggers of the log were on all the time, and had nothing to note: no time had moved, nothing was added."""
    await owner.execute("INSERT INTO account_fees (exchange_id, account, maker, taker) VALUES (1, 'default', 0, 0)")
    async with Registry(stocked_dsn, settings=RegistrySettings(poll_interval=60)) as registry:
        async with owner.transaction():
            await owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
            await owner.execute(change)
            await owner.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")
        await registry.refresh()
        assert contents(registry.snapshot) == contents(await loaded(stocked_dsn))


@pytest.mark.parametrize("statements", UNTOLD.values(), ids=UNTOLD)
@pytest.mark.parametrize("how", ["by a poll", "by a hint", "after a lost connection", "after a start with a file"])
async def test_what_was_changed_while_a_trigger_was_off_for_one_transaction_is_read(
    stocked_dsn: Dsn, owner: asyncpg.Connection, tmp_path: Path, statements: str, how: str
) -> None:
    """As whoever loads much at once does it: no poll can come between, and the log goes on as if nothing were amiss."""
    definition = await owner.fetchval(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'exchanges_note_update'"
    )
    settings = RegistrySettings(poll_interval=0.05 if how == "by a poll" else 60)
    file = tmp_path / "snapshot"
    registry = Registry(stocked_dsn, settings=settings)
    async with registry:
        await registry.save(file)
        if how == "after a start with a file":
            await registry.close()
        async with owner.transaction():
            await owner.execute(statements.format(definition=definition))
        if how == "after a start with a file":
            registry = Registry.load_file(file, stocked_dsn, settings=settings)
            await registry.open()
        elif how == "after a lost connection":
            await owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'exchanges_db registry' AND datname = current_database()"
            )
        elif how == "by a hint":
            await owner.execute("DELETE FROM holds WHERE exchange_id = 3")

        async def is_read() -> bool:
            return registry.snapshot.places_by_id[1].exchange.display_name == "Untold"

        await until(is_read, what="the registry has read it")
        assert registry.stats().loads == (1 if how == "after a start with a file" else 2)
        await registry.close()


@pytest.mark.parametrize("table", sorted({table for table, _ in TELLERS}))
@pytest.mark.parametrize("how", ["RENAME TO {0}_old", "SET SCHEMA old"])
async def test_a_registry_is_stale_where_another_table_took_the_place_of_one_that_it_reads(
    stocked_dsn: Dsn, owner: asyncpg.Connection, table: str, how: str
) -> None:
    """As to write a table anew with few locks: triggers stay with the old one, and views show that."""
    settings = RegistrySettings(poll_interval=0.05)
    await owner.execute("CREATE SCHEMA old")
    async with Registry(stocked_dsn, settings=settings) as registry:

        async def is_in(state: RegistryState) -> bool:
            return registry.state is state

        async with owner.transaction():
            await owner.execute(f"CREATE TABLE taker (LIKE {table} INCLUDING ALL)")
            await owner.execute(f"ALTER TABLE {table} {how.format(table)}")
            await owner.execute(f"ALTER TABLE taker RENAME TO {table}")
        assert await owner.fetchval("SELECT version FROM registry_log") is None
        await until(lambda: is_in(RegistryState.STALE), what="the registry finds out")


RELATE = {  # and how it is undone
    "child": ("CREATE TABLE other (LIKE {0}); ALTER TABLE {0} INHERIT other", "ALTER TABLE {0} NO INHERIT other"),
    "parent": ("CREATE TABLE other () INHERITS ({0})", ""),
    "partition": (
        "CREATE TABLE other (LIKE {0}) PARTITION BY LIST (exchange_id); ALTER TABLE other ATTACH PARTITION {0} DEFAULT",
        "ALTER TABLE other DETACH PARTITION {0}",
    ),
}


@pytest.mark.parametrize(
    ("table", "relation"),
    [
        ("holds", "child"),
        ("holds", "parent"),
        ("holds", "partition"),
        ("symbol_lists", "child"),
        ("symbol_lists", "parent"),
    ],
)
@pytest.mark.parametrize("is_one_transaction", [True, False])
async def test_what_is_written_by_way_of_a_table_that_one_of_ours_is_related_to_is_not_missed(
    stocked_dsn: Dsn, owner: asyncpg.Connection, table: str, relation: str, is_one_transaction: bool
) -> None:
    """It fires no trigger per statement: a registry is stale meanwhile, and reads everything afterwards."""
    relate, part = (one.format(table) for one in RELATE[relation])
    deletes = "DELETE FROM other WHERE exchange_id = $1"
    numbers = [row[0] for row in await owner.fetch(f"SELECT DISTINCT exchange_id FROM {table}")]
    assert len(numbers) > 1  # twice, because some marks of inheritance stay when it is over
    async with Registry(stocked_dsn, settings=RegistrySettings(poll_interval=0.05)) as registry:

        async def is_in(state: RegistryState) -> bool:
            return registry.state is state

        for number in numbers:
            if is_one_transaction:
                async with owner.transaction():
                    await owner.execute(relate)
                    await owner.execute(deletes, number)
                    await owner.execute(f"{part}; DROP TABLE other")
            else:
                await owner.execute(relate)
                assert await owner.fetchval("SELECT version FROM registry_log") is None
                await until(partial(is_in, RegistryState.STALE), what="the registry finds out")
                await owner.execute(deletes, number)
                await owner.execute(f"{part}; DROP TABLE other")
            await until(partial(is_in, RegistryState.LIVE), what="the registry goes on")
            await registry.refresh()
            assert contents(registry.snapshot) == contents(await loaded(stocked_dsn))


async def test_rows_that_are_written_anew_with_the_type_of_a_column_are_not_missed(
    stocked_dsn: Dsn, owner: asyncpg.Connection
) -> None:
    """No trigger tells of that."""
    async with Registry(stocked_dsn, settings=RegistrySettings(poll_interval=0.05)) as registry:
        await owner.execute("ALTER TABLE exchanges ALTER display_name TYPE text USING upper(display_name)")
        await registry.refresh()
        assert contents(registry.snapshot) == contents(await loaded(stocked_dsn))


async def saved(dsn: Dsn) -> Snapshot:
    """Return what `snapshot save` writes."""
    async with Database(dsn) as database:
        return (await load_once(database))[0]


@pytest.mark.parametrize(
    "statement",
    [f"ALTER TABLE {one} ADD COLUMN mine UUID DEFAULT gen_random_uuid()" for one in ("holds", "symbols", "exchanges")],
)
@pytest.mark.parametrize("is_kept", [True, False], ids=["a registry", "snapshot save"])
async def test_a_table_that_is_rewritten_while_a_registry_loads_is_not_taken_for_empty(
    stocked_dsn: Dsn, owner: asyncpg.Connection, statement: str, is_kept: bool
) -> None:
    """To whoever took its snapshot before such a statement is committed, and reads after, the table has no rows."""
    async with owner.transaction():
        await owner.execute(statement)
        loading = asyncio.create_task(loaded(stocked_dsn) if is_kept else saved(stocked_dsn))

        async def waits() -> bool:
            return bool(await owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

        await until(waits, what="somebody waits for the table")
    snapshot = await loading
    places = snapshot.places_by_id.values()
    assert (len(places), sum(len(one.symbols) for one in places), sum(len(one.holds) for one in places)) == (
        await owner.fetchval("SELECT count(*) FROM exchanges"),
        await owner.fetchval("SELECT count(*) FROM registry_symbols"),
        await owner.fetchval("SELECT count(*) FROM holds"),
    )


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
async def test_news_that_wait_for_a_table_that_is_rewritten_are_not_taken_for_deletions(
    stocked_dsn: Dsn, owner: asyncpg.Connection, isolation: str
) -> None:
    """Where isolation is not READ COMMITTED, the moment of a statement is from before it has waited for the table."""
    dsn = replace(stocked_dsn, settings={"default_transaction_isolation": isolation})
    async with (
        Registry(dsn, settings=RegistrySettings(poll_interval=60)) as registry,
        connected(stocked_dsn) as writer,
        connected(stocked_dsn) as observer,
    ):
        await writer.execute(f"{EXCHANGE} 1")  # so that the plan is made: to make one waits, too
        await registry.refresh()

        async def somebody_waits() -> bool:
            return bool(await observer.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

        async def alter() -> None:
            async with owner.transaction():
                await owner.execute("ALTER TABLE exchanges ADD COLUMN mine UUID DEFAULT gen_random_uuid()")
                await until(somebody_waits, what="the registry waits for the table")

        async with writer.transaction():
            await writer.execute("UPDATE exchanges SET display_name = 'Told' WHERE id = 1")
            altering = asyncio.create_task(alter())
            await until(somebody_waits, what="the owner waits for the writer")
        await altering
        await registry.refresh()
        assert registry.snapshot.places_by_id[1].exchange.display_name == "Told"
        assert contents(registry.snapshot) == contents(await loaded(stocked_dsn))
        assert registry.stats().loads == 2  # the columns are others


@pytest.mark.parametrize("table", ["registry_changes", "exchanges", "symbols", "holds", "symbol_lists"])
async def test_a_table_that_is_rewritten_while_a_file_is_saved_or_compared_is_not_taken_for_empty(
    stocked_dsn: Dsn, owner: asyncpg.Connection, table: str
) -> None:
    """The same of what the command reads at once: neither a file without its rows, nor a log that seems empty."""
    async with Database(stocked_dsn) as database:
        known, _ = await load_once(database)
        await owner.execute("UPDATE exchanges SET display_name = 'Another' WHERE id = 1")
        await owner.execute("UPDATE holds SET reason = 'another'")
        works: tuple[Callable[[], Awaitable[Any]], ...] = (
            lambda: load_once(database),
            lambda: measure_distance(database, known),
        )
        for number, work in enumerate(works):
            expected = await work()
            async with owner.transaction():
                await owner.execute(f"ALTER TABLE {table} ADD COLUMN mine{number} UUID DEFAULT gen_random_uuid()")
                working = asyncio.ensure_future(work())

                async def waits() -> bool:
                    return bool(await owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

                await until(waits, what="it waits for the table")
            found = await working
            if number:
                assert found == expected
            else:
                assert contents(found[0]) == contents(expected[0])
