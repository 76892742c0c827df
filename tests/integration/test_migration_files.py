"""A migration file in other hands: psql runs all of it and undoes nothing, and a table of somebody else's stops it."""

import asyncio
import re
import subprocess
from pathlib import Path

import asyncpg
import pytest

from exchanges_db import MigrationError
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.embedded_binaries import binaries
from exchanges_db.schema.migrations import migrate
from exchanges_db.schema.sql_files import migrations_directory
from tests.factories import connected
from tests.fix_server import run_dbmate, url_of
from tests.symbol_rows import insert

FILES = sorted(migrations_directory().glob("*.sql"))
TEXTS = {file.name: file.read_text() for file in FILES}
SEED = (Path(__file__).parent / "seed_migration.sql").read_text()
OURS = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"
TRAIL = "SELECT exchange_id, version, operation, changed_columns FROM exchange_history ORDER BY id"
# What docker-entrypoint-initdb.d does with each file of its folder; then psql's own ways of taking statements together.
DOCKER = ("-v", "ON_ERROR_STOP=1", "--no-password")
WAYS = {
    "psql -f": (),
    "psql -f, stopping at an error": DOCKER,
    "psql -1 -f": ("-1",),
    "psql without autocommit": ("-v", "AUTOCOMMIT=off"),
    "psql without autocommit, with savepoints": ("-v", "AUTOCOMMIT=off", "-v", "ON_ERROR_ROLLBACK=on"),
}


def run_psql(dsn: Dsn, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a file with the psql that the embedded server brings."""
    arguments = [str(binaries() / "psql"), "--no-psqlrc", *options, "-f", str(file), url_of(dsn)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


async def relations(conn: asyncpg.Connection) -> set[str]:
    """The tables and views of schema public, without dbmate's own."""
    return {row["relname"] for row in await conn.fetch(OURS)} - {"schema_migrations", "migration_checksums"}


@pytest.mark.parametrize("options", [(), DOCKER, ("-1",)], ids=["psql -f", "as docker does", "psql -1 -f"])
async def test_psql_applies_every_file_and_undoes_none(empty_dsn: Dsn, dsn: Dsn, options: tuple[str, ...]) -> None:
    """File after file, each in a session of its own: the database ends as dbmate leaves it, without an error."""
    for file in FILES:
        run = run_psql(empty_dsn, file, *options)
        assert (run.returncode, "ERROR" in run.stderr) == (0, False), run.stderr
        # 011 has no statement to undo: what it copied goes with the table of 010.
        told = f"migration {file.name[:3]} was not undone: only dbmate runs its down part" in run.stderr
        assert told is not file.name.startswith("011")
    async with connected(empty_dsn) as conn, connected(dsn) as migrated:
        assert await relations(conn) == await relations(migrated) != set()
        assert await conn.fetchval("SELECT count(*) FROM exchanges") == 3
        assert await conn.fetch(TRAIL) == await migrated.fetch(TRAIL) != []


@pytest.mark.parametrize("options", WAYS.values(), ids=WAYS)
async def test_psql_makes_nothing_of_006_where_a_row_has_no_place_in_it(
    empty_dsn: Dsn, options: tuple[str, ...]
) -> None:
    """Going on after the error, it would leave out every new constraint and make the rest."""
    for file in FILES[:4]:
        run_psql(empty_dsn, file)
    async with connected(empty_dsn) as conn:
        await conn.execute(
            "INSERT INTO symbols (exchange_id, native_symbol, symbol, base, quote, settle, kind, direction, "
            "contract_size, price_tick, quantity_step, status, sides, api_tradable, expires_at) VALUES "
            "(3, 'O', 'B/USDT:USDT', 'B', 'USDT', 'USDT', 'OPTION', 'LINEAR', 1, 1, 1, 'TRADING', 'ALL', true, now())"
        )
        before = await relations(conn), await conn.fetchval("SELECT to_jsonb(s)::text FROM symbols AS s")
        run = run_psql(empty_dsn, FILES[4], *options)
        assert "delete them, the next import" in run.stderr
        await conn.reload_schema_state()
        assert before == (await relations(conn), await conn.fetchval("SELECT to_jsonb(s)::text FROM symbols AS s"))


async def test_psql_makes_nothing_of_006_where_there_are_no_symbols(empty_dsn: Dsn) -> None:
    """A file that is run before those that it rests on leaves no half of itself."""
    run_psql(empty_dsn, FILES[4])
    async with connected(empty_dsn) as conn:
        assert await relations(conn) == set()


@pytest.mark.parametrize("options", WAYS.values(), ids=WAYS)
async def test_psql_on_a_database_in_use_harms_nothing(dsn: Dsn, options: tuple[str, ...]) -> None:
    """All the files, newest first, then oldest first; no up part changes anything, and no down part drops a table."""
    async with connected(dsn) as conn:
        await insert(conn)
        before, trail = await relations(conn), await conn.fetch(TRAIL)
        for file in [*reversed(FILES), *FILES]:
            run_psql(dsn, file, *options)
        assert await relations(conn) == before
        assert await conn.fetchval("SELECT count(*) FROM symbols") == 1
        assert await conn.fetch(TRAIL) == trail


# Of 011 there is none: asyncpg takes no message without a statement.
DOWN_PARTS = {
    name: down
    for name, text in TEXTS.items()
    if re.search(r"^(?!--)\S", down := text.partition("-- migrate:down")[2].partition("\n")[2], re.MULTILINE)
}


@pytest.mark.parametrize("down", DOWN_PARTS.values(), ids=DOWN_PARTS)
async def test_a_down_part_alone_undoes_nothing(dsn: Dsn, down: str) -> None:
    """Sent as one message without a BEGIN before it, as a client does that knows where the parts begin."""
    async with connected(dsn) as conn:
        before = await relations(conn), await conn.fetch(TRAIL)
        # asyncpg cannot read the answer to a message without any statement, such as the down part of 011.
        is_empty = not re.sub(r"--[^\n]*", "", down).strip()
        await conn.execute(f"{down}SELECT 1" if is_empty else down)
        assert (await relations(conn), await conn.fetch(TRAIL)) == before


async def test_013_is_undone_beside_registries(dsn: Dsn) -> None:
    """They read the log, then the tables: in another order each of the two would wait for the other."""
    (down,) = (text for name, text in DOWN_PARTS.items() if name.startswith("013"))
    async with connected(dsn) as reader, connected(dsn) as other, connected(dsn) as owner:
        await reader.execute("BEGIN; SELECT FROM registry_changes")
        await owner.execute("BEGIN; SELECT pg_sleep(0.01)")
        undoing = asyncio.create_task(owner.execute(down.replace("200ms", "1min")))
        waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)"
        while not await other.fetchval(waits, owner.get_server_pid()):
            assert not undoing.done()
        await reader.execute("SELECT FROM exchanges, holds, symbols, symbol_lists, account_fees; COMMIT", timeout=10)
        await undoing
        await owner.execute("COMMIT")
        assert await other.fetchval("SELECT to_regclass('public.registry_changes')") is None


async def test_whole_files_in_one_message_each_are_applied(empty_dsn: Dsn) -> None:
    """As clients with a window for SQL send them: both parts are then one transaction."""
    async with connected(empty_dsn) as conn:
        for text in TEXTS.values():
            await conn.execute(text)
        assert {"exchanges", "exchange_history", "symbols", "symbol_history"} <= await relations(conn)


async def test_dbmate_undoes_what_it_did(empty_dsn: Dsn) -> None:
    """With plain dbmate, up and then rollback of every file."""
    assert run_dbmate(empty_dsn, "up").returncode == 0
    async with connected(empty_dsn) as conn:
        assert await relations(conn)
        for _ in FILES:
            run = run_dbmate(empty_dsn, "rollback")
            assert run.returncode == 0, run.stderr
        assert await relations(conn) == set()


async def test_dbmate_undoes_what_psql_did_not(empty_dsn: Dsn) -> None:
    """A database that psql ran over is rolled back by dbmate like any other."""
    assert run_dbmate(empty_dsn, "up").returncode == 0
    for file in FILES:
        run_psql(empty_dsn, file)
    for _ in FILES:
        assert run_dbmate(empty_dsn, "rollback").returncode == 0
    async with connected(empty_dsn) as conn:
        assert await relations(conn) == set()


FOREIGN = {
    "public.exchanges": "CREATE TABLE exchanges (id int, name text)",
    "public.exchanges ": "CREATE TABLE exchanges (id bigint, code text, title text); INSERT INTO exchanges VALUES (1)",
    "public.exchanges  ": "CREATE VIEW exchanges AS SELECT 1 AS id",
    "public.exchange_history": "CREATE TABLE exchange_history (id int)",
    "public.symbols": "CREATE TABLE symbols (id int)",
    "public.symbols ": "CREATE VIEW symbols AS SELECT 1 AS id",
    "public.symbol_history": "CREATE TABLE symbol_history (id int)",
    "public.symbol_rows": "CREATE TABLE symbol_rows (id int)",
    "public.symbol_versions": "CREATE TABLE symbol_versions (id int)",
    "public.symbol_lists": "CREATE TABLE symbol_lists (id int)",
    "public.symbol_raw": "CREATE VIEW symbol_raw AS SELECT 1 AS id",
    "public.account_fees": "CREATE TABLE account_fees (id int)",
    "public.symbol_imports": "CREATE TABLE symbol_imports (id int)",
    "public.symbol_doubts": "CREATE TABLE symbol_doubts (id int)",
    "public.history_prunes": "CREATE VIEW history_prunes AS SELECT 1 AS id",
    "public.holds": "CREATE TABLE holds (id int)",
    "public.hold_history": "CREATE TABLE hold_history (id int)",
    "public.symbol_history_typed": "CREATE TABLE symbol_history_typed (id int)",
    "public.symbol_states": "CREATE TABLE symbol_states (id int)",
    "public.current_symbols": "CREATE VIEW current_symbols AS SELECT 1 AS id",
    "public.registry_changes": "CREATE TABLE registry_changes (id int)",
    "public.registry_commit_order": "CREATE VIEW registry_commit_order AS SELECT 1 AS id",
    "public.registry_symbols": "CREATE TABLE registry_symbols (id int)",
    "public.registry_fees": "CREATE VIEW registry_fees AS SELECT 1 AS id",
    "public.registry_log": "CREATE TABLE registry_log (id int)",
    "public.symbol_history, public.symbols": "CREATE TABLE symbols (id int); CREATE TABLE symbol_history (id int)",
}


@pytest.mark.parametrize(("name", "sql"), FOREIGN.items(), ids=FOREIGN)
async def test_a_table_of_somebody_elses_stops_the_migration_in_words(empty_dsn: Dsn, name: str, sql: str) -> None:
    """Plain dbmate says it as our own command does; what was there stays, and so does what its owner wrote on it."""
    async with connected(empty_dsn) as conn:
        await conn.execute(sql)
        run = run_dbmate(empty_dsn, "up")
        assert run.returncode != 0
        assert f"{name.strip()} is there already" in run.stderr
        assert "rename or move it, or give exchanges_db a database of its own" in run.stderr
        kept = await relations(conn)
        with pytest.raises(MigrationError, match=f"{name.strip()} is there already"):
            await migrate(empty_dsn)
        assert await relations(conn) == kept


@pytest.mark.parametrize("options", WAYS.values(), ids=WAYS)
async def test_psql_hangs_no_trigger_on_fees_of_somebody_elses(dsn: Dsn, options: tuple[str, ...]) -> None:
    """It goes on after the error, but with nothing that writes."""
    async with connected(dsn) as conn:
        await conn.execute("""
            DROP TABLE account_fees CASCADE; DROP FUNCTION account_fees_stamp(), account_fees_refuse();
            CREATE TABLE account_fees (exchange_id int, account text, symbol_id int, maker numeric, taker numeric,
                                       set_at timestamptz, set_by text)
        """)
        run_psql(dsn, next(file for file in FILES if file.name.startswith("007")), *options)
        await conn.execute("INSERT INTO account_fees (exchange_id) VALUES (99); DELETE FROM account_fees")
        assert await conn.fetchval("SELECT obj_description('account_fees'::regclass)") is None


async def test_every_table_and_view_of_ours_has_its_case(dsn: Dsn) -> None:
    """A new one is not made over somebody else's."""
    async with connected(dsn) as conn:
        assert {f"public.{name}" for name in await relations(conn)} <= {name.strip() for name in FOREIGN}


async def test_the_seeds_table_is_adopted_also_with_a_column_more(empty_dsn: Dsn) -> None:
    """It is recognised by the columns that it must have; columns that its owner added do not matter."""
    async with connected(empty_dsn) as conn:
        await conn.execute(SEED)
        await conn.execute("ALTER TABLE exchanges ADD COLUMN note text; UPDATE exchanges SET note = 'mine'")
        assert run_dbmate(empty_dsn, "up").returncode == 0
        assert await conn.fetchval("SELECT count(*) FROM exchanges WHERE note = 'mine'") == 3


@pytest.mark.parametrize(
    "change",
    ["ALTER TABLE exchanges DROP COLUMN websocket_url", "ALTER TABLE exchanges ALTER enum_value TYPE text",
     "ALTER TABLE exchanges ALTER id TYPE integer", "ALTER TABLE exchanges RENAME market_type TO kind"],
)  # fmt: skip
async def test_a_table_that_only_looks_like_the_seeds_is_not_adopted(empty_dsn: Dsn, change: str) -> None:
    """A column less, or one of another type, makes it somebody else's."""
    async with connected(empty_dsn) as conn:
        await conn.execute(SEED)
        await conn.execute(change)
        run = run_dbmate(empty_dsn, "up")
        assert "public.exchanges is there already" in run.stderr
