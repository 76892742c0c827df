"""Damage of every kind that was thought of, done to a healthy database with a past: each is found and named.

The healthy database passes; so each failure below is about the damage and nothing else.
"""

import itertools
import os
import re
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from exchanges_db import Database, validate_exchanges
from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.ledger import parse_ledger
from exchanges_db.validation.catalog import BITING
from exchanges_db.validation.checks import CheckFailed, Context
from exchanges_db.validation.validate import CHECKS, SLOW
from tests.factories import connected

SCHEMA, OWNERS, BETWEEN, SETTINGS, VACUUM = (
    "schema as recorded", "owners and rights", "nothing in between", "settings", "vacuum",
)  # fmt: skip
_numbers = itertools.count(1)
LOGGED = "changes logged"
IDS, WRITTEN, HISTORIES, READABLE, FIT = "ids left", "rows as written", "histories whole", "rows readable", "rows fit"

# A past, each statement at its own time: a symbol that was changed three times, one that is gone, a hold that was
# replaced, an exchange that was changed twice, another without symbols.
PAST = """
    UPDATE symbols SET min_quantity = 1 WHERE id = 1;
    UPDATE symbols SET min_quantity = 2 WHERE id = 1;
    UPDATE symbols SET min_quantity = 3 WHERE id = 1;
    UPDATE symbols SET min_quantity = 1 WHERE id = 2;
    DELETE FROM symbols WHERE id = 2;
    INSERT INTO holds (exchange_id, native_symbol, sides, reason) VALUES (2, 'BTC_USDT', 'ALL', 'why');
    UPDATE holds SET sides = 'BUY';
    UPDATE exchanges SET display_name = 'a' WHERE id = 3;
    UPDATE exchanges SET display_name = 'b' WHERE id = 3;
    INSERT INTO exchanges (name, enum_value, display_name, market_type) VALUES ('EMPTY', 'EMPTY', 'Empty', 'SPOT');
"""


def past(table: str, *statements: str) -> str:
    """SQL that does something past the triggers of a table, which are as ever afterwards."""
    return f"""
        ALTER TABLE {table} DISABLE TRIGGER USER;
        {"; ".join(statements)};
        DO $$
        DECLARE one name;
        BEGIN
            FOR one IN SELECT tgname FROM pg_trigger WHERE tgrelid = '{table}'::regclass AND NOT tgisinternal LOOP
                EXECUTE format('ALTER TABLE {table} ENABLE ALWAYS TRIGGER %I', one);
            END LOOP;
        END $$
    """


def unchecked(table: str, statement: str) -> str:
    """SQL that does something past triggers and foreign keys of a table, which are as ever afterwards."""
    return past(table, f"ALTER TABLE {table} DISABLE TRIGGER ALL", statement, f"ALTER TABLE {table} ENABLE TRIGGER ALL")


def without(table: str, constraint: str, statement: str) -> str:
    """SQL that writes a row which a constraint refuses, and then has the constraint again for new rows only."""
    return f"""
        DO $$
        DECLARE definition text := (SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = '{constraint}');
        BEGIN
            ALTER TABLE {table} DROP CONSTRAINT {constraint};
            EXECUTE $sql${statement}$sql$;
            EXECUTE 'ALTER TABLE {table} ADD CONSTRAINT {constraint} ' || definition || ' NOT VALID';
        END $$
    """


class Damage(NamedTuple):
    """What is done by the owner or a superuser, which check must fail, and what its finding must say."""

    sql: str
    check: str
    words: str


DAMAGE = {
    # What belongs to a table itself.
    "a rule that swallows updates": Damage(
        "CREATE RULE r AS ON UPDATE TO symbols DO INSTEAD NOTHING", SCHEMA, r"unexpected: rule symbols\.r"
    ),
    "a rule that copies inserts": Damage(
        "CREATE TABLE copies (LIKE exchanges);"
        "CREATE RULE r AS ON INSERT TO exchanges DO ALSO INSERT INTO copies SELECT NEW.*",
        SCHEMA,
        r"unexpected: rule exchanges\.r",
    ),
    "a rule on a view": Damage(
        "CREATE RULE r AS ON UPDATE TO symbol_rows DO INSTEAD NOTHING", SCHEMA, r"unexpected: rule symbol_rows\.r"
    ),
    "a policy": Damage("CREATE POLICY p ON symbols USING (true)", SCHEMA, r"unexpected: policy symbols\.p"),
    "row security": Damage(
        "ALTER TABLE symbols ENABLE ROW LEVEL SECURITY", SCHEMA, r"different: table symbols\.symbols"
    ),
    "row security for the owner, too": Damage(
        "ALTER TABLE holds FORCE ROW LEVEL SECURITY", SCHEMA, r"different: table holds\.holds"
    ),
    "a constraint dropped": Damage(
        "ALTER TABLE symbols DROP CONSTRAINT symbols_fees_are_fractions",
        SCHEMA,
        r"missing: constraint symbols\.symbols_fees_are_fractions",
    ),
    "a foreign key dropped": Damage(
        "ALTER TABLE symbols DROP CONSTRAINT symbols_exchange_id_fkey", SCHEMA, "missing: constraint symbols"
    ),
    "a constraint not valid for old rows": Damage(
        without("symbols", "symbols_sides_known", "SELECT 1"), SCHEMA, r"different: constraint .*symbols_sides_known"
    ),
    "a trigger switched off": Damage(
        "ALTER TABLE symbols DISABLE TRIGGER symbols_record_update", SCHEMA, "different: trigger .*record_update"
    ),
    "a trigger that replicas do not fire": Damage(
        "ALTER TABLE symbol_history ENABLE TRIGGER symbol_history_refuse", SCHEMA, "different: trigger .*refuse"
    ),
    "a trigger that tells registries switched off": Damage(
        "ALTER TABLE holds DISABLE TRIGGER holds_note_insert", SCHEMA, r"different: trigger holds\.holds_note_insert"
    ),
    "a log of changes that is empty": Damage(
        past("registry_changes", "DELETE FROM registry_changes"), LOGGED, "is empty, and no registry can load"
    ),
    "epochs that are given twice": Damage(
        "SELECT setval('registry_epoch_seq', 1), setval('registry_epoch_witness_seq', 1)",
        LOGGED,
        r"the newest epoch .* is \d+, and its sequences are at 1:",
    ),
    "changes that no registry has seen": Damage(
        past("registry_changes", "UPDATE exchanges SET is_active = false WHERE id = 3"),
        LOGGED,
        "1 of the newest changes were committed without an epoch",
    ),
    "a log of changes that is not cut": Damage(
        past("registry_changes", "UPDATE registry_changes SET epoch = -300000 WHERE epoch = 1"),
        LOGGED,
        r"reaches back 3000\d\d epochs",
    ),
    "a trigger dropped": Damage(
        "DROP TRIGGER symbol_imports_refuse ON symbol_imports", SCHEMA, "missing: trigger .*symbol_imports_refuse"
    ),
    "a trigger too many": Damage(
        "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER a BEFORE INSERT ON holds FOR EACH ROW EXECUTE FUNCTION quiet()",
        SCHEMA,
        r"unexpected: trigger holds\.a",
    ),
    "an index dropped": Damage("DROP INDEX idx_symbols_symbol", SCHEMA, "missing: index .*idx_symbols_symbol"),
    "a unique index dropped": Damage("DROP INDEX symbols_live_native_symbol_key", SCHEMA, "missing: index"),
    "an index that was not finished": Damage(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_symbols_symbol'::regclass",
        SCHEMA,
        "different: index .*idx_symbols_symbol",
    ),
    "a table that a crash empties": Damage(
        "ALTER TABLE symbol_raw SET UNLOGGED", SCHEMA, "different: table symbol_raw"
    ),
    "a column of another type": Damage(
        "ALTER TABLE symbol_imports ALTER payload_size TYPE integer", SCHEMA, "different: column .*payload_size"
    ),
    "a column that may be NULL": Damage(
        "ALTER TABLE symbols ALTER sides DROP NOT NULL", SCHEMA, r"different: column symbols\.sides"
    ),
    "another default": Damage(
        "ALTER TABLE exchanges ALTER is_active SET DEFAULT false", SCHEMA, "different: column .*is_active"
    ),
    "a function's body": Damage(
        "CREATE OR REPLACE FUNCTION symbols_moment() RETURNS timestamptz LANGUAGE sql "
        "SET search_path = pg_catalog, pg_temp AS 'SELECT now()'",
        SCHEMA,
        r"different: function symbols_moment\(\)",
    ),
    "a function with its caller's rights": Damage(
        "ALTER FUNCTION symbols_record_update() SECURITY INVOKER", SCHEMA, "different: function symbols_record_update"
    ),
    "a function without its search_path": Damage(
        "ALTER FUNCTION holds_record_end() RESET search_path", SCHEMA, "different: function holds_record_end"
    ),
    "a view with its reader's rights": Damage(
        "ALTER VIEW symbol_rows SET (security_invoker = true)", SCHEMA, "different: view symbol_rows"
    ),
    # Owners and rights.
    "a table of another owner": Damage(
        "ALTER TABLE symbol_history OWNER TO {role}", OWNERS, "table symbol_history belongs to {role}"
    ),
    "a view of another owner": Damage("ALTER VIEW symbol_rows OWNER TO {role}", OWNERS, "view symbol_rows belongs to"),
    "a function of another owner": Damage(
        "ALTER FUNCTION symbols_record_delete() OWNER TO {role}", OWNERS, "function symbols_record_delete belongs to"
    ),
    "everybody may read": Damage("GRANT SELECT ON symbols TO PUBLIC", OWNERS, "PUBLIC.* SELECT on symbols"),
    "everybody may write a history": Damage(
        "GRANT INSERT, DELETE ON symbol_history TO PUBLIC", OWNERS, "PUBLIC.* DELETE, INSERT on symbol_history"
    ),
    "everybody may write a column": Damage(
        "GRANT UPDATE (is_active) ON exchanges TO PUBLIC", OWNERS, r"PUBLIC.* UPDATE on exchanges\.is_active"
    ),
    "everybody may use a sequence": Damage(
        "GRANT UPDATE ON SEQUENCE symbols_id_seq TO PUBLIC", OWNERS, "PUBLIC.* UPDATE on sequence symbols_id_seq"
    ),
    "everybody may call a trigger's function": Damage(
        "GRANT EXECUTE ON FUNCTION holds_stamp() TO PUBLIC", OWNERS, r"PUBLIC.* EXECUTE on holds_stamp\(\)"
    ),
    "everybody may create in public": Damage(
        "GRANT CREATE ON SCHEMA public TO PUBLIC", OWNERS, "PUBLIC.* CREATE on schema public"
    ),
    "everybody may create schemas": Damage(
        "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO PUBLIC', current_database()); END $$",
        OWNERS,
        "PUBLIC.* CREATE on the database",
    ),
    "everybody gets rights on what is created": Damage(
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", OWNERS, "PUBLIC.* SELECT on what .* creates"
    ),
    # What stands in between.
    "an event trigger": Damage(
        "CREATE FUNCTION sees() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER spy ON ddl_command_end EXECUTE FUNCTION sees()",
        BETWEEN,
        r"event trigger spy runs sees\(\) at ddl_command_end",
    ),
    "a foreign key that is not checked": Damage(
        past("symbols", "ALTER TABLE symbols DISABLE TRIGGER ALL"),
        BETWEEN,
        "foreign key symbols_exchange_id_fkey is not checked on symbols",
    ),
    "a foreign key that is not checked where it leads": Damage(
        past("exchanges", "ALTER TABLE exchanges DISABLE TRIGGER ALL"),
        BETWEEN,
        "foreign key symbols_exchange_id_fkey is not checked on exchanges",
    ),
    "a child table": Damage(
        "CREATE TABLE more () INHERITS (symbols)", BETWEEN, r"public\.more inherits from public\.symbols"
    ),
    "a parent table": Damage(
        "CREATE TABLE wide (id bigint NOT NULL); ALTER TABLE symbol_imports INHERIT wide",
        BETWEEN,
        r"public\.symbol_imports inherits from public\.wide",
    ),
    # Settings.
    "replication role of the database": Damage(
        "ALTER DATABASE {database} SET session_replication_role = replica",
        SETTINGS,
        "database {database} sets session_replication_role = 'replica': foreign keys are not checked",
    ),
    "commits that a crash loses": Damage(
        "ALTER DATABASE {database} SET synchronous_commit = off", SETTINGS, "database .* synchronous_commit = 'off'"
    ),
    "commits of a role that a crash loses": Damage(
        "ALTER ROLE {role} SET synchronous_commit = off", SETTINGS, "role {role} sets synchronous_commit = 'off'"
    ),
    "a role that writes nothing here": Damage(
        "ALTER ROLE {role} IN DATABASE {database} SET default_transaction_read_only = on",
        SETTINGS,
        "role {role} in database {database} sets default_transaction_read_only",
    ),
    "a database that is written by nobody": Damage(
        "ALTER DATABASE {database} SET default_transaction_read_only = on", SETTINGS, "every write fails"
    ),
    "another isolation": Damage(
        "ALTER DATABASE {database} SET default_transaction_isolation = 'serializable'", SETTINGS, "imports refuse"
    ),
    "functions of others first": Damage(
        "ALTER DATABASE {database} SET search_path = public, pg_catalog", SETTINGS, "search_path = 'public, pg_catalog'"
    ),
    "histories that are not guarded": Damage(
        "ALTER ROLE {role} SET exchanges_db.prune_before = '2026-01-01'", SETTINGS, "the histories are not guarded"
    ),
    "a time limit that nothing keeps": Damage(
        "ALTER DATABASE {database} SET statement_timeout = '900ms'", SETTINGS, "statement_timeout = '900ms'"
    ),
    "indexes that no plan may take": Damage(
        "ALTER DATABASE {database} SET enable_indexscan = off", SETTINGS, "look-ups read whole tables"
    ),
    # Vacuum.
    "a table that is never vacuumed": Damage(
        "ALTER TABLE symbols SET (autovacuum_enabled = false)", VACUUM, "autovacuum leaves symbols out"
    ),
    "a TOAST table that is never vacuumed": Damage(
        "ALTER TABLE symbol_raw SET (toast.autovacuum_enabled = off)", VACUUM, "autovacuum leaves symbol_raw out"
    ),
    "a table that is hardly ever vacuumed": Damage(
        "ALTER TABLE symbol_lists SET (autovacuum_vacuum_threshold = 2000000000)",
        VACUUM,
        "autovacuum leaves symbol_lists out: autovacuum_vacuum_threshold",
    ),
    "no counting of what is to be vacuumed": Damage(
        "ALTER DATABASE {database} SET track_counts = off", VACUUM, "the server's autovacuum is off, or track_counts"
    ),
    # Ids.
    "a sequence behind its table": Damage(
        "ALTER SEQUENCE symbol_lists_id_seq RESTART 1", IDS, r"sequence of symbol_lists\.id is behind its table"
    ),
    "a sequence behind the symbols": Damage(
        "ALTER SEQUENCE symbols_id_seq RESTART 1", IDS, r"sequence of symbols\.id is behind its table"
    ),
    "hardly an id left for exchanges": Damage(
        "SELECT setval('exchanges_id_seq', 32000)", IDS, "only 767 of 32767 for exchanges"
    ),
    "hardly an id left for symbols": Damage(
        "SELECT setval('symbols_id_seq', 2140000000)", IDS, r"only 7483647 of 2147483647 for symbols"
    ),
    "ids that begin anew": Damage(
        "ALTER SEQUENCE exchange_history_id_seq CYCLE", IDS, r"sequence of exchange_history\.id does not count up"
    ),
    "ids with large steps": Damage(
        "ALTER SEQUENCE symbols_id_seq INCREMENT 1000", IDS, r"sequence of symbols\.id does not count up"
    ),
    "no sequence": Damage("ALTER TABLE exchanges ALTER id DROP IDENTITY", IDS, r"exchanges\.id has no identity"),
    # Rows that were changed past the triggers.
    "another specification": Damage(
        past("symbols", "UPDATE symbols SET price_tick = 9 WHERE id = 1"),
        WRITTEN,
        "symbol BTC_USDT of GATEIO_SPOT: its specification is not the one that was written",
    ),
    "another version": Damage(
        past("symbols", "UPDATE symbols SET spec_version = 9 WHERE id = 1"), WRITTEN, "its version is 9, and .* 3"
    ),
    "a change that was made earlier": Damage(
        past("symbols", "UPDATE symbols SET created_at = '2020-01-01Z', updated_at = '2020-01-01Z' WHERE id = 1"),
        WRITTEN,
        "it holds from before its last version ended",
    ),
    "a change that is still to come": Damage(
        past("symbols", "UPDATE symbols SET updated_at = now() + interval '1 year' WHERE id = 3"),
        WRITTEN,
        "it was changed in the future",
    ),
    "another exchange's address": Damage(
        past("exchanges", "UPDATE exchanges SET base_url = 'https://evil.example' WHERE id = 3"),
        WRITTEN,
        "exchange GATEIO_FUTURES: its values are not those of its last change",
    ),
    "another version of an exchange": Damage(
        past("exchanges", "UPDATE exchanges SET version = 9 WHERE id = 3"), WRITTEN, "its version is 9, and .* 4"
    ),
    "another time of an exchange": Damage(
        past("exchanges", "UPDATE exchanges SET updated_at = '2020-01-01Z' WHERE id = 3"), WRITTEN, "at another time"
    ),
    "an exchange without a history": Damage(
        past(
            "exchanges",
            "INSERT INTO exchanges (name, enum_value, display_name, market_type) VALUES ('X', 'X', 'X', 'SPOT')",
        ),
        WRITTEN,
        "exchange X: it has no history",
    ),
    # Histories.
    "the last version missing": Damage(
        past("symbol_history", "DELETE FROM symbol_history WHERE symbol_id = 1 AND spec_version = 3"),
        WRITTEN,
        "its version is 4, and that of its history 2",
    ),
    "a version missing": Damage(
        past("symbol_history", "DELETE FROM symbol_history WHERE symbol_id = 1 AND spec_version = 2"),
        HISTORIES,
        "history of BTC_USDT of GATEIO_SPOT: between the versions 1 and 3 one is missing",
    ),
    "the first version missing": Damage(
        past("symbol_history", "DELETE FROM symbol_history WHERE symbol_id = 1 AND spec_version = 1"),
        HISTORIES,
        "what was before version 2 is missing",
    ),
    "a time of which nothing is known": Damage(
        past(
            "symbol_history",
            "UPDATE symbol_history SET valid = tstzrange(lower(valid), upper(valid) - interval '1 us')"
            " WHERE symbol_id = 1 AND spec_version = 1",
        ),
        HISTORIES,
        "between the versions 1 and 2 nothing is known for a time",
    ),
    "a time of which nothing is known before now": Damage(
        past(
            "symbol_history",
            "UPDATE symbol_history SET valid = tstzrange(lower(valid), upper(valid) - interval '1 us')"
            " WHERE symbol_id = 1 AND spec_version = 3",
        ),
        HISTORIES,
        "after version 3 nothing is known for a time",
    ),
    "a version of another name": Damage(
        past("symbol_history", "UPDATE symbol_history SET native_symbol = 'ZZ' "
             "WHERE symbol_id = 1 AND spec_version = 1"),
        HISTORIES,
        "version 1 has another exchange or name than what followed it",
    ),
    "a symbol moved to another exchange": Damage(
        past("symbols", "UPDATE symbols SET exchange_id = 1 WHERE id = 1"),
        HISTORIES,
        "has another exchange or name than what followed it",
    ),
    "a symbol observed in the future": Damage(
        past("symbols", "UPDATE symbols SET observed_at = '2099-01-01' WHERE id = 1"),
        WRITTEN,
        "it was observed in the future",
    ),
    "a symbol gone past the triggers": Damage(
        past("symbols", "DELETE FROM symbols WHERE id = 1"), HISTORIES, "and the symbol is gone past the triggers"
    ),
    "an exchange gone past the triggers": Damage(
        past("exchanges", "DELETE FROM exchanges WHERE name = 'EMPTY'"), HISTORIES, "it is gone past the triggers"
    ),
    "a change of an exchange missing": Damage(
        past("exchange_history", "DELETE FROM exchange_history WHERE exchange_id = 3 AND version = 3"),
        HISTORIES,
        "history of GATEIO_FUTURES: between the versions 2 and 4 a change is missing",
    ),
    "a change of an exchange that was not so": Damage(
        past("exchange_history", "UPDATE exchange_history SET new_row = new_row || '{\"display_name\": \"c\"}' "
             "WHERE exchange_id = 3 AND version = 3"),
        HISTORIES,
        "version 4 does not follow from the change before it",
    ),
    "a hold before the one it follows": Damage(
        past("holds", "UPDATE holds SET held_at = '2020-01-01Z'"),
        HISTORIES,
        "hold of BTC_USDT of GATEIO_SPOT: it begins before the one before it ended",
    ),
    # Rows that nobody can read.
    "a status that nobody knows": Damage(
        without("symbols", "symbols_status_known", "UPDATE symbols SET status = 'WEIRD' WHERE id = 1"),
        READABLE,
        "version 5 of BTC_USDT of GATEIO_SPOT cannot be read: its status is 'WEIRD'",
    ),
    "a version of a kind that nobody knows": Damage(
        past("symbol_history", "UPDATE symbol_history SET kind = 'SWAP' WHERE symbol_id = 1 AND spec_version = 2"),
        READABLE,
        "version 2 of BTC_USDT of GATEIO_SPOT cannot be read: its kind is 'SWAP'",
    ),
    "a version with an endless time": Damage(
        past("symbol_history", "UPDATE symbol_history SET delisting_at = 'infinity' WHERE spec_version = 2"),
        READABLE,
        "it has a time before 1970 or after 9999",
    ),
    "a version that began before all time": Damage(
        past("symbol_history", without("symbol_history", "symbol_history_times_are_dates",
             "UPDATE symbol_history SET valid = tstzrange('-infinity', upper(valid)) "
             "WHERE symbol_id = 1 AND spec_version = 1")),
        READABLE,
        "version 1 .* it has a time before 1970",
    ),
    "a version with a number that is none": Damage(
        past("symbol_history", "UPDATE symbol_history SET min_quantity = 'NaN' WHERE spec_version = 2"),
        READABLE,
        "a number that is none",
    ),
    "a version with an order type that nobody knows": Damage(
        past("symbol_history", "UPDATE symbol_history SET order_types = '{LIMIT,MAYBE}' WHERE spec_version = 2"),
        READABLE,
        "an order type that is not known",
    ),
    "a version that contradicts itself": Damage(
        past("symbol_history", "UPDATE symbol_history SET is_live = false WHERE spec_version = 2"),
        READABLE,
        "do not follow from its tick, step and status",
    ),
    "a change of an exchange that is no row": Damage(
        past("exchange_history", "UPDATE exchange_history SET new_row = '{}' WHERE exchange_id = 3 AND version = 3"),
        READABLE,
        "the UPDATE that made version 3 of the exchange with the id 3 cannot be read",
    ),
    # Rows that belong to nothing.
    "symbols of no exchange": Damage(
        unchecked("symbols", "UPDATE symbols SET exchange_id = 99, spec_hash = spec_hash WHERE id = 1"),
        FIT,
        "1 rows of symbols belong to nothing that is there, such as BTC_USDT",
    ),
    "lists of no exchange": Damage(
        unchecked("symbol_lists", "UPDATE symbol_lists SET exchange_id = 99 WHERE exchange_id = 2"),
        FIT,
        "1 rows of symbol_lists",
    ),
    "holds of no exchange": Damage(
        unchecked("holds", "UPDATE holds SET exchange_id = 99"), FIT, "rows of holds .* such as"
    ),
    "rows of the payload of no symbol": Damage(
        "INSERT INTO symbol_raw (symbol_id, raw, digest) VALUES (99, '{}', 'x')", FIT, "rows of symbol_raw"
    ),
    "doubts of no symbol": Damage(
        "INSERT INTO symbol_doubts (symbol_id, brake, reason, since) VALUES (99, 'JUMP', 'why', now())",
        FIT,
        "rows of symbol_doubts",
    ),
    "a kind that does not fit its market": Damage(
        "UPDATE exchanges SET market_type = 'OPTIONS' WHERE id = 2",
        FIT,
        "GATEIO_SPOT is of the market type OPTIONS and has 1 symbols of the kind SPOT, such as BTC_USDT",
    ),
    "a list from the future": Damage(
        "UPDATE symbol_lists SET observed_at = now() + interval '1 year' WHERE exchange_id = 2",
        FIT,
        "the list SPOT of GATEIO_SPOT was observed at .* ahead of now",
    ),
}  # fmt: skip


@pytest.fixture
async def lived_in(stocked_dsn: Dsn) -> Dsn:
    """A database with symbols and a past."""
    async with connected(stocked_dsn) as owner:
        for statement in PAST.strip().rstrip(";").split(";"):
            await owner.execute(statement)
    return stocked_dsn


@pytest.fixture
async def role(server: Dsn, lived_in: Dsn) -> AsyncIterator[str]:
    """The name of a role that is not the owner of anything, until the damage."""
    name = f"exchanges_db_other_{os.getpid()}_{next(_numbers)}"
    async with connected(server) as owner:
        await owner.execute(f"CREATE ROLE {name}")
    yield name
    # The damage may be that nobody writes in this database any more.
    async with connected(lived_in, server_settings={"default_transaction_read_only": "off"}) as owner:
        await owner.execute(f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}; DROP ROLE {name}")


def test_there_are_more_kinds_of_damage_than_were_tried_before() -> None:
    """And each check that is about damage fails at one of them at least; a new one needs a damage of its own."""
    assert len(DAMAGE) >= 45
    others = {
        "table reachable", "migrations are ours", "every enum value present", "enum round trip", "indexes used",
        "constraints refuse bad rows", "look-ups in time", "stats fit the rows", "CRUD round trip", "symbol round trip",
        "lists fresh",
        # Of what surrounds the database: tests/integration/test_surroundings.py.
        "connection encrypted", "clocks agree", "pooler as set", "no long transactions", "notifications read",
        "connections left",
    }  # fmt: skip
    assert {damage.check for damage in DAMAGE.values()} | others >= CHECKS.keys()


async def test_a_healthy_database_passes(lived_in: Dsn) -> None:
    """Else a failure below would say nothing about the damage."""
    async with Database(lived_in) as database:
        report = await validate_exchanges(db=database, lookups=1, target_ms=1000)
    assert [(check.name, check.detail) for check in report.checks if not check.passed] == []


async def _found(dsn: Dsn, name: str) -> str | None:
    """Return what one check finds."""
    async with Database(dsn) as database:
        try:
            await CHECKS[name](Context(database, 1, 1000.0, parse_ledger(None)))
        except CheckFailed as exc:
            return str(exc)
    return None


@pytest.mark.parametrize("name", DAMAGE)
async def test_a_damage_is_found_and_named(lived_in: Dsn, role: str, name: str) -> None:
    """By the check that is about it, in words that say what is damaged."""
    damage = DAMAGE[name]
    words, sql = (
        text.replace("{role}", role).replace("{database}", lived_in.database or "")
        for text in (damage.words, damage.sql)
    )
    async with connected(lived_in) as owner, owner.transaction():
        await owner.execute(sql)
    found = await _found(lived_in, damage.check)
    assert found is not None
    assert re.search(words, found), found


def test_a_quick_validation_finds_what_needs_no_rows_read() -> None:
    """Damage to tables, rights, settings and sequences is seen by a health check, too."""
    assert SLOW.isdisjoint({SCHEMA, OWNERS, BETWEEN, SETTINGS, VACUUM, IDS, LOGGED})
    assert CHECKS.keys() >= SLOW


# What a setting may be without harm, and what it may not: one of each, as PostgreSQL takes it.
VALUES = {
    "session_replication_role": ("origin", "local"),
    "synchronous_commit": ("remote_write", "off"),
    "default_transaction_read_only": ("off", "on"),
    "default_transaction_isolation": ("read committed", "repeatable read"),
    "search_path": ("compat, public", '"$user", public, pg_catalog'),
    "transform_null_equals": ("off", "on"),
    "standard_conforming_strings": ("on", "off"),
    "zero_damaged_pages": ("off", "on"),
    "ignore_checksum_failure": ("off", "on"),
    "statement_timeout": ("30s", "500"),
    "transaction_timeout": ("0", "10ms"),
    "enable_indexscan": ("on", "off"),
    "enable_bitmapscan": ("on", "off"),
    "exchanges_db.prune_before": ("", "2026-01-01"),
    "exchanges_db.moment": ("", "2026-01-01"),
    "exchanges_db.direction": ("", "up"),
}


@pytest.mark.parametrize("name", BITING)
def test_a_setting_bites_by_its_value(name: str) -> None:
    """As it is spelt in ALTER DATABASE and in the server's configuration."""
    is_harmless, meaning = BITING[name]
    harmless, biting = VALUES[name]
    assert (is_harmless(harmless), is_harmless(biting)) == (True, False)
    assert meaning
