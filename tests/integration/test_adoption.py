"""A database on which the seed's own script was run by hand is adopted, not harmed."""

from pathlib import Path

import asyncpg
import pytest

from exchanges_db import MigrationError, get_all_exchanges, get_exchange_history
from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.migrations import migrate
from exchanges_db.schema.sql_files import bookkeeping_file, migrations_directory
from tests.factories import connected

SEED = (Path(__file__).parent / "seed_migration.sql").read_text()
NAMES = sorted(path.name for path in migrations_directory().glob("*.sql"))
OLD_ROWS = """
    UPDATE exchanges SET is_active = false, updated_at = '2021-01-01+00' WHERE enum_value = 'MEXC_SPOT';
    DELETE FROM exchanges WHERE enum_value = 'GATEIO_SPOT';
    INSERT INTO exchanges (name, enum_value, display_name, market_type, precision_default)
    VALUES ('DERIBIT', 'DERIBIT_OPTIONS', 'Deribit', 'OPTIONS', NULL), ('KRAKEN', 'KRAKEN_SPOT', 'Kraken', 'SPOT', 4);
"""
# Everything of the schema that a program can notice, but for the order in which things were made.
CATALOG = """
    SELECT 'column', c.relname::text || '.' || a.attname,
           format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' ' || a.attidentity::text || ' '
           || coalesce(pg_get_expr(d.adbin, d.adrelid), '') || ' ' || coalesce(col_description(c.oid, a.attnum), '')
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT 'constraint', conrelid::regclass::text || '.' || conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'trigger', tgname::text, pg_get_triggerdef(oid) || tgenabled::text
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'function', proname::text, pg_get_functiondef(oid) || proacl::text
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'table', relname::text, coalesce(obj_description(oid, 'pg_class'), '')
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    ORDER BY 1, 2, 3
"""


async def snapshot(conn: asyncpg.Connection) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
    """The catalog, and the rows of exchanges."""
    return await conn.fetch(CATALOG), await conn.fetch("SELECT * FROM exchanges ORDER BY id")


async def test_an_old_table_keeps_its_rows_and_gets_the_schema(empty_dsn: Dsn, dsn: Dsn) -> None:
    """Extra rows, a deactivated one and an unknown precision stay; the catalog is that of a fresh database."""
    async with connected(empty_dsn) as old, connected(dsn) as fresh:
        await old.execute(SEED)
        await old.execute(OLD_ROWS)
        before = {row["enum_value"]: dict(row) for row in await old.fetch("SELECT * FROM exchanges")}
        assert await migrate(empty_dsn) == NAMES
        await migrate(dsn)  # makes the ledger of checksums, which plain dbmate does not
        assert (await snapshot(old))[0] == (await snapshot(fresh))[0]

        after = {row["enum_value"]: dict(row) for row in await old.fetch("SELECT * FROM exchanges")}
        assert after.keys() == before.keys() | {"GATEIO_SPOT"}
        before["DERIBIT_OPTIONS"]["precision_default"] = 8
        for enum_value, row in before.items():
            if enum_value != "GATEIO_FUTURES":  # which nobody has changed since the seed's script made it
                assert after[enum_value] == {**row, "version": 1}
        assert after["MEXC_SPOT"]["is_active"] is False
        assert len(await get_all_exchanges(db=old)) == 5
        (entry,) = await get_exchange_history(after["KRAKEN_SPOT"]["id"], db=old)
        assert (entry.operation, entry.changed_at) == ("SNAPSHOT", after["KRAKEN_SPOT"]["updated_at"])


async def test_the_script_may_run_again_before_and_after(empty_dsn: Dsn) -> None:
    """It was made to be repeatable, and somebody will repeat it."""
    async with connected(empty_dsn) as conn:
        await conn.execute(SEED)
        await conn.execute(SEED)
        await migrate(empty_dsn)
        rows = (await snapshot(conn))[1]
        await conn.execute(SEED)
        assert (await snapshot(conn))[1] == rows


@pytest.mark.parametrize(
    ("constraint", "row"),
    [
        ("exchanges_name_printable", "(' ', 'E', 'D', 'SPOT', NULL, NULL, 1)"),
        ("exchanges_enum_value_printable", "('N', '', 'D', 'SPOT', NULL, NULL, 1)"),
        ("exchanges_display_name_printable", "('N', 'E', E'\\n', 'SPOT', NULL, NULL, 1)"),
        ("exchanges_market_type_known", "('N', 'E', 'D', 'spot', NULL, NULL, 1)"),
        ("exchanges_base_url_scheme", "('N', 'E', 'D', 'SPOT', 'api.mexc.com', NULL, 1)"),
        ("exchanges_websocket_url_scheme", "('N', 'E', 'D', 'SPOT', NULL, 'https://x', 1)"),
        ("exchanges_rate_limit_positive", "('N', 'E', 'D', 'SPOT', NULL, NULL, 0)"),
    ],
)
async def test_a_row_that_breaks_a_rule_stops_the_migration(empty_dsn: Dsn, constraint: str, row: str) -> None:
    """The error names the constraint, and the database is as it was; with the row mended, it goes through."""
    async with connected(empty_dsn) as conn:
        await conn.execute(SEED)
        await conn.execute(
            "INSERT INTO exchanges (name, enum_value, display_name, market_type, base_url, websocket_url,"
            f" rate_limit_requests_per_second) VALUES {row}"
        )
        # What dbmate and `migrate` keep their own books in is there afterwards, so it is made before.
        await conn.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
        await conn.execute(bookkeeping_file().read_text())
        before = await snapshot(conn)
        with pytest.raises(MigrationError, match=constraint):
            await migrate(empty_dsn)
        assert await snapshot(conn) == before
        assert await conn.fetchval("SELECT count(*) FROM schema_migrations") == 0
        assert await conn.fetchval("SELECT count(*) FROM migration_checksums") == 0
        await conn.execute("DELETE FROM exchanges WHERE id > 3")
        assert await migrate(empty_dsn) == NAMES
