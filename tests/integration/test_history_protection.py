"""Nobody writes the audit trail but the triggers, and no application role gets round them."""

import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from exchanges_db import AccessDenied, deactivate_exchange, get_exchange_history, insert_exchange
from exchanges_db.database.dsn import Dsn
from tests.factories import an_exchange, connected
from tests.symbol_rows import insert

COLUMNS = "exchange_id, version, operation, changed_at, changed_by, application_name, changed_columns, new_row"
UPSERT = (
    f"INSERT INTO exchange_history (id, {COLUMNS}) OVERRIDING SYSTEM VALUE SELECT id, {COLUMNS} FROM exchange_history"
    " ON CONFLICT (id) DO UPDATE SET changed_by = 'nobody'"
)
WRITES = [
    f"INSERT INTO exchange_history ({COLUMNS}) VALUES (1, 9, 'INSERT', now(), 'me', 'me', '{{}}', '{{}}')",
    f"INSERT INTO exchange_history ({COLUMNS}) SELECT {COLUMNS} FROM exchange_history WHERE false",
    "UPDATE exchange_history SET changed_by = 'nobody'",
    "UPDATE exchange_history SET changed_by = 'nobody' WHERE false",
    "DELETE FROM exchange_history",
    "DELETE FROM exchange_history WHERE exchange_id = 12345",
    "TRUNCATE exchange_history",
    "TRUNCATE exchanges, symbols, symbol_lists, holds, exchange_history",
    "MERGE INTO exchange_history h USING (SELECT 1 AS id) s ON h.id = s.id WHEN MATCHED THEN DELETE",
    UPSERT,
]
OURS = "changed_columns = '{is_active}'"
TABLE = "(LIKE public.exchange_history INCLUDING DEFAULTS INCLUDING IDENTITY)"
# With the caller's own rights: statements and triggers of a role that may read or write symbols call them.
CALLED_BY_READERS = {"exchange_id_as_of", "symbols_settled", "symbols_moment", "symbol_spec_hash"}
_numbers = itertools.count(1)


@pytest.fixture
async def role(dsn: Dsn) -> AsyncIterator[Dsn]:
    """The login of an application: it may change exchanges and read their history."""
    name = f"exchanges_db_app_{os.getpid()}_{next(_numbers)}"
    async with connected(dsn) as owner:
        await owner.execute(f"""
            CREATE ROLE {name} LOGIN;
            GRANT SELECT, INSERT, UPDATE, DELETE ON exchanges TO {name};
            GRANT SELECT ON exchange_history TO {name};
        """)
        yield replace(dsn, user=name)
        await owner.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


@pytest.mark.parametrize("sql", WRITES)
async def test_the_owner_is_refused_too(conn: asyncpg.Connection, sql: str) -> None:
    """Append-only: even a statement that would touch no row is refused, with SQLSTATE 42501."""
    before = await conn.fetch("SELECT * FROM exchange_history ORDER BY id")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        async with conn.transaction():
            await conn.execute(sql)
    assert await conn.fetch("SELECT * FROM exchange_history ORDER BY id") == before


@pytest.mark.parametrize("sql", WRITES)
async def test_replica_mode_opens_no_door(conn: asyncpg.Connection, sql: str) -> None:
    """session_replication_role = replica switches ordinary triggers off, ours not."""
    await conn.execute("SET LOCAL session_replication_role = replica")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await conn.execute(sql)


async def test_changes_in_replica_mode_are_recorded(conn: asyncpg.Connection) -> None:
    """Also by a session that says that it only replays changes."""
    await conn.execute("SET LOCAL session_replication_role = replica")
    await conn.execute("UPDATE exchanges SET is_active = false WHERE id = 1")
    assert [change.operation for change in await get_exchange_history(1, db=conn)][-1:] == ["UPDATE"]
    assert await conn.fetchval("SELECT new_row -> 'is_active' = 'false' FROM exchange_history ORDER BY id DESC LIMIT 1")


async def test_an_application_changes_exchanges_and_is_recorded(role: Dsn) -> None:
    """With rights on exchanges alone, its login stands in the trail."""
    async with connected(role, server_settings={"application_name": "desk 7"}) as app:
        new_id = await insert_exchange(an_exchange(), db=app)
        await deactivate_exchange(new_id, db=app)
        await app.execute("DELETE FROM exchanges WHERE id = $1", new_id)
        changes = await get_exchange_history(new_id, db=app)
    assert [change.operation for change in changes] == ["INSERT", "UPDATE", "DELETE"]
    assert {(change.changed_by, change.application_name) for change in changes} == {(role.user, "desk 7")}


async def test_the_login_is_recorded_whatever_role_is_taken_on(dsn: Dsn, role: Dsn) -> None:
    """SET ROLE changes current_user; session_user stays the role that logged in."""
    async with connected(dsn) as owner:
        await owner.execute(f"SET ROLE {role.user}")
        await deactivate_exchange(1, db=owner)
        change = (await get_exchange_history(1, db=owner))[-1]
        assert change.changed_by == await owner.fetchval("SELECT session_user::text")
        assert change.changed_by != role.user


ATTEMPTS = [
    *WRITES,
    "TRUNCATE exchanges",
    "ALTER TABLE exchanges DISABLE TRIGGER ALL",
    "ALTER TABLE exchanges DISABLE TRIGGER exchanges_record_change",
    "ALTER TABLE exchange_history DISABLE TRIGGER exchange_history_refuse",
    "DROP TRIGGER exchanges_record_change ON exchanges",
    "DROP TABLE exchange_history",
    "SET session_replication_role = replica",
    "CREATE TABLE public.exchange_history_2 (id int)",
    "CREATE OR REPLACE FUNCTION public.exchanges_stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "ALTER FUNCTION public.exchanges_record_change() RESET search_path",
    "CREATE TRIGGER mine BEFORE UPDATE ON exchanges FOR EACH ROW EXECUTE FUNCTION public.exchanges_stamp()",
    "CREATE TRIGGER mine AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION public.exchanges_record_change()",
    "COPY exchange_history FROM PROGRAM 'true'",
    "LOCK TABLE exchange_history IN EXCLUSIVE MODE",
]


async def test_an_application_can_neither_write_nor_switch_off_the_trail(role: Dsn) -> None:
    """Each attempt ends with SQLSTATE 42501, and the next change is recorded as ever."""
    async with connected(role) as app:
        await app.execute("CREATE TEMP TABLE mine (LIKE public.exchanges)")
        before = await get_exchange_history(1, db=app)
        for sql in ATTEMPTS:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with app.transaction():
                    await app.execute(sql)
        await deactivate_exchange(1, db=app)
        *kept, last = await get_exchange_history(1, db=app)
        assert (kept, last.operation, last.changed_columns) == (before, "UPDATE", ("is_active",))


async def test_a_trigger_of_a_roles_own_writes_no_history(role: Dsn, dsn: Dsn) -> None:
    """Not even with INSERT granted on it: depth alone is no proof, a trigger on a temporary table has that, too."""
    async with connected(dsn) as owner:
        await insert(owner)
        await owner.execute("UPDATE symbols SET price_tick = 7")
        for table in ("symbol_history", "exchange_history"):
            await owner.execute(f"GRANT SELECT, INSERT ON {table} TO {role.user}")
    async with connected(role) as app:
        for table, version in (("symbol_history", "spec_version"), ("exchange_history", "id")):
            await app.execute(f"""
                CREATE TEMP TABLE mine_{table} (n int);
                CREATE FUNCTION pg_temp.forge_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    INSERT INTO public.{table} OVERRIDING SYSTEM VALUE
                    SELECT c.* FROM public.{table} AS h
                    CROSS JOIN LATERAL
                         jsonb_populate_record(h, jsonb_build_object('{version}', h.{version} + 100)) AS c;
                    RETURN NULL;
                END $$;
                CREATE TRIGGER forge AFTER INSERT ON mine_{table} FOR EACH ROW
                EXECUTE FUNCTION pg_temp.forge_{table}();
            """)
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await app.execute(f"INSERT INTO mine_{table} VALUES (1)")
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await app.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT h.* FROM {table} AS h")


async def test_an_application_sees_our_error(role: Dsn, dsn: Dsn) -> None:
    """What it may not do is AccessDenied."""
    async with connected(dsn) as owner:
        await owner.execute(f"REVOKE INSERT ON exchanges FROM {role.user}")
    async with connected(role) as app:
        with pytest.raises(AccessDenied, match="lacks the right"):
            await insert_exchange(an_exchange(), db=app)


async def _hijack(app: asyncpg.Connection) -> int:
    """Lay a temporary exchange_history in the way, change a row, and return how many entries it caught."""
    await app.execute(f"CREATE TEMP TABLE exchange_history {TABLE}; GRANT ALL ON pg_temp.exchange_history TO PUBLIC")
    await app.execute("SET search_path = pg_temp, public, pg_catalog")
    await app.execute("UPDATE public.exchanges SET is_active = false WHERE id = 1")
    caught: int = await app.fetchval("SELECT count(*) FROM pg_temp.exchange_history")
    return caught


async def test_a_temporary_table_of_the_same_name_catches_nothing(role: Dsn) -> None:
    """The trigger's search_path is pinned and its names are qualified."""
    async with connected(role) as app:
        assert await _hijack(app) == 0
        assert await app.fetchval(f"SELECT count(*) FROM public.exchange_history WHERE {OURS}") == 1


async def test_without_the_pin_the_temporary_table_catches_them(dsn: Dsn, role: Dsn) -> None:
    """The mutant shows that the test above can fail."""
    async with connected(dsn) as owner:
        source = await owner.fetchval("SELECT pg_get_functiondef('exchanges_record_change'::regproc)")
        mutant = source.replace("SET search_path TO 'pg_catalog', 'pg_temp'", "").replace(
            "INTO public.exchange_history", "INTO exchange_history"
        )
        assert mutant.count("search_path") == 0
        await owner.execute(mutant)
    async with connected(role) as app:
        assert await _hijack(app) == 1
        assert await app.fetchval(f"SELECT count(*) FROM public.exchange_history WHERE {OURS}") == 0


async def test_functions_of_the_temporary_schema_are_not_called(role: Dsn) -> None:
    """Nor operators or functions that stand in for built-in ones."""
    async with connected(role) as app:
        await app.execute("""
            CREATE FUNCTION pg_temp.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql
            AS $$ SELECT '{"hijacked": 1}'::jsonb $$;
            SET search_path = pg_temp, public, pg_catalog;
        """)
        await app.execute("UPDATE public.exchanges SET is_active = false WHERE id = 1")
        row = (await get_exchange_history(1, db=app))[-1].new_row
    assert row is not None
    assert "hijacked" not in row


async def test_every_function_pins_its_search_path_and_public_may_run_none(conn: asyncpg.Connection) -> None:
    """Asked of the catalog, so that it holds for functions that are added later."""
    rows = await conn.fetch("""
        SELECT proname, prosecdef, proconfig, has_function_privilege('public', oid, 'EXECUTE') AS public
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    """)
    assert {row["proname"] for row in rows if row["prosecdef"]} == {
        "account_fees_stamp",
        "exchanges_record_change",
        "exchanges_record_truncate",
        "history_record_prune",
        "holds_record_end",
        "holds_record_truncate",
        "holds_stamp",
        "registry_note_rows",
        "registry_note_symbol_updates",
        "registry_note_symbols",
        "registry_note_truncate",
        "registry_note_updated_rows",
        "registry_stamp",
        "symbols_continue_history",
        "symbols_prepare_insert",
        "symbols_record_delete",
        "symbols_record_truncate",
        "symbols_record_update",
    }
    for row in rows:
        # A plain expression that names all it calls: the planner takes it apart, where a pin would keep it whole.
        if row["proname"] != "symbol_spec_hash":
            pins = [setting for setting in row["proconfig"] or [] if setting.startswith("search_path=")]
            assert pins == ["search_path=pg_catalog, pg_temp"], row["proname"]
        if row["proname"] not in CALLED_BY_READERS:
            assert row["public"] is False, row["proname"]
        else:
            assert not row["prosecdef"], row["proname"]


async def test_every_trigger_fires_always(conn: asyncpg.Connection) -> None:
    """Not only in sessions of ordinary origin."""
    rows = await conn.fetch("SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal")
    assert {row["tgname"] for row in rows} == {
        "exchanges_stamp", "exchanges_record_change", "exchanges_record_truncate", "exchange_history_refuse",
        "symbols_stamp", "symbols_stamp_insert", "symbols_record_update", "symbols_record_delete",
        "symbols_record_truncate", "symbols_prepare_insert", "symbols_refuse_used_id", "symbol_history_refuse",
        "account_fees_stamp", "account_fees_refuse", "symbol_imports_stamp", "symbol_imports_refuse",
        "symbol_imports_record_prune", "symbol_history_record_prune", "exchange_history_record_prune",
        "symbol_doubts_record_prune", "symbol_doubts_stamp", "history_prunes_refuse", "holds_stamp", "holds_record_end",
        "holds_record_truncate", "hold_history_refuse", "hold_history_record_prune",
        "account_fees_note_insert", "exchanges_note_delete", "exchanges_note_insert",
        "exchanges_note_truncate", "exchanges_note_update", "holds_note_delete", "holds_note_insert",
        "holds_note_truncate", "holds_note_update", "registry_changes_stamp", "symbol_doubts_note_delete",
        "symbol_doubts_note_insert", "symbol_doubts_note_truncate", "symbol_doubts_note_update",
        "symbol_lists_note_delete", "symbol_lists_note_insert", "symbol_lists_note_truncate",
        "symbol_lists_note_update", "symbols_note_delete", "symbols_note_insert", "symbols_note_truncate",
        "symbols_note_update",
    }  # fmt: skip
    assert {row["tgenabled"] for row in rows} == {b"A"}
