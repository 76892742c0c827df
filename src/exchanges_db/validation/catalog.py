"""The checks of what stands around our tables: owners and rights, foreign keys, settings, vacuum and sequences.

What belongs to a table itself, a rule, a policy, a trigger or an index, is compared with the schema of record.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import run
from exchanges_db.database.pool import Database
from exchanges_db.schema.comparison import recorded_schema
from exchanges_db.validation.checks import CheckFailed, Context, expect_none
from exchanges_sql.pruning import AsyncQuerier as PruningQuerier
from exchanges_sql.schema_catalog import AsyncQuerier as CatalogQuerier
from exchanges_sql.validation_catalog import AsyncQuerier, GetServerStateRow, ListIdsUsedRow

T = TypeVar("T")
_FEWEST_IDS_LEFT = 0.05
# PostgreSQL stops taking writes at 2,000 million; autovacuum begins by itself at 200 million.
_OLDEST_AGE = 1_000_000_000
# In microseconds; a number without a unit is in milliseconds.
_SHORTEST_TIMEOUT = 1_000_000
_UNITS = {"us": 1, "ms": 1000, "": 1000, "s": 10**6, "min": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
# More of a table than this, or so many rows, and autovacuum hardly ever comes.
_MOST_SCALE, _MOST_ROWS = 1, 1_000_000


def tables() -> list[str]:
    """Return the names of our tables and views."""
    return [item.object_name for item in recorded_schema() if item.kind in ("table", "view")]


def functions() -> list[str]:
    """Return our functions with their arguments, as the catalog prints them."""
    return [item.object_name for item in recorded_schema() if item.kind == "function"]


async def _ask(database: Database, work: Callable[[AsyncQuerier], Awaitable[T]]) -> T:
    async def pinned(conn: AsyncConnection) -> T:
        await CatalogQuerier(conn).pin_catalog_spelling()
        return await work(AsyncQuerier(conn))

    async with database.transaction(readonly=True) as transaction:
        return await run(transaction, pinned)


async def check_owners_and_rights(context: Context) -> str:
    """One role owns all our tables and functions, and PUBLIC, which is everybody, has no right to any."""

    async def work(querier: AsyncQuerier) -> list[str]:
        found = [
            f"{row.kind} {row.object_name} belongs to {row.owner}, and public.exchanges to {row.expected_owner}"
            async for row in querier.list_other_owners(tables=tables(), functions=functions())
        ]
        # As what a migration makes is, until `exchanges-db roles` is run again: history could be written with it.
        usable: dict[str, str] = {}
        async for row in querier.list_trigger_function_grants(functions=functions()):
            usable.setdefault(row.role_name, row.function_name)
        found += [
            f"{role} may use functions of triggers on tables of its own, such as {function}(): "
            "run again what the command roles prints"
            for role, function in usable.items()
        ]
        granted = querier.list_public_grants(tables=tables(), functions=functions())
        return found + [f"PUBLIC, which is everybody, has {row.rights} on {row.object_name}" async for row in granted]

    pruner = await run(context.database, lambda conn: PruningQuerier(conn).get_pruner())
    if pruner is None:
        raise CheckFailed("public.symbol_history is missing: run `exchanges-db migrate`")
    expect_none(await _ask(context.database, work))
    return f"{len(tables())} tables and views and {len(functions())} functions, all of {pruner.owner}, nothing PUBLIC's"


async def check_surroundings(context: Context) -> str:
    """No event trigger sees our migrations, every foreign key is checked, and no table is another's parent or child."""

    async def work(querier: AsyncQuerier) -> list[str]:
        found = [
            f"event trigger {row.trigger_name} runs {row.function_name}() at {row.event}"
            async for row in querier.list_event_triggers()
        ]
        found += [
            f"foreign key {key.constraint_name} is not checked on {key.table_name}: its triggers are off"
            async for key in querier.list_disabled_foreign_keys(tables=tables())
        ]
        return found + [
            f"{pair.child} inherits from {pair.parent}: queries of one read the rows of both"
            async for pair in querier.list_relatives(tables=tables())
        ]

    expect_none(await _ask(context.database, work))
    return "no event triggers, no foreign key that is switched off, no inheritance"


def _is(*harmless: str) -> Callable[[str], bool]:
    return lambda value: value.strip("'\"").lower() in harmless


def _looks_in_pg_catalog_first(value: str) -> bool:
    schemas = [name.strip().strip('"') for name in value.split(",")]
    return "pg_catalog" not in schemas or schemas[0] == "pg_catalog"


def _is_long(value: str) -> bool:
    match = re.fullmatch(r"'?\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*'?", value)
    time = 0 if match is None else Decimal(match[1]) * _UNITS.get(match[2], 0)
    return time == 0 or time >= _SHORTEST_TIMEOUT


_OFF, _ON = _is("off", "false", "no", "0", "f"), _is("on", "true", "yes", "1", "t")
# Settings that change what our statements do or what a commit is worth: which values do not, and what the others mean.
BITING: dict[str, tuple[Callable[[str], bool], str]] = {
    "session_replication_role": (_is("origin"), "foreign keys are not checked"),
    "synchronous_commit": (
        lambda value: not _OFF(value),
        "a crash of the server loses changes whose commit was confirmed",
    ),
    "default_transaction_read_only": (_OFF, "every write fails"),
    "default_transaction_isolation": (
        _is("read committed"),
        "imports refuse to run, writes fail with conflicts, and who waits for ALTER TABLE may find a table empty",
    ),
    "search_path": (_looks_in_pg_catalog_first, "functions of others can stand in for PostgreSQL's own"),
    "transform_null_equals": (_OFF, "comparisons with NULL mean something else"),
    "standard_conforming_strings": (_ON, "backslashes in texts mean something else"),
    "zero_damaged_pages": (_OFF, "damaged pages are emptied in silence"),
    "ignore_checksum_failure": (_OFF, "damaged pages are read as if they were whole"),
    "statement_timeout": (_is_long, "statements of ours may take longer"),
    "transaction_timeout": (_is_long, "transactions of ours may take longer"),
    "enable_indexscan": (_ON, "look-ups read whole tables"),
    "enable_bitmapscan": (_ON, "look-ups read whole tables"),
    "exchanges_db.prune_before": (_is(""), "the histories are not guarded against their owner's DELETE"),
    "exchanges_db.moment": (_is(""), "every change gets this time"),
    "exchanges_db.direction": (_is(""), "no migration can be rolled back"),
}


async def check_settings(context: Context) -> str:
    """Neither the server, the database nor a role has a setting that changes what our statements do."""

    async def work(querier: AsyncQuerier) -> list[tuple[str, str, str]]:
        return [(row.setter, row.setting_name, row.setting_value) async for row in querier.list_kept_settings()]

    kept = await _ask(context.database, work)
    biting = []
    for setter, name, value in kept:
        is_harmless, meaning = BITING.get(name.lower(), (None, ""))
        if is_harmless is not None and not is_harmless(value):
            biting.append(f"{setter} sets {name} = {value!r}: {meaning}")
    expect_none(biting)
    return f"none of {len(BITING)} settings that bite is set for the server, this database or a role"


async def check_vacuum(context: Context) -> str:
    """Autovacuum cleans every table of ours, and the database is far from running out of transaction ids."""

    async def work(querier: AsyncQuerier) -> tuple[list[str], GetServerStateRow]:
        found = [
            f"autovacuum leaves {row.table_name} out: {row.option_name} = {row.option_value}"
            async for row in querier.list_vacuum_options(tables=tables())
            if _keeps_autovacuum_off(row.option_name, row.option_value)
        ]
        state = await querier.get_server_state()
        assert state is not None  # the database that is asked is there
        return found, state

    found, state = await _ask(context.database, work)
    if not state.vacuums:
        found.append("the server's autovacuum is off, or track_counts, without which it does nothing")
    if state.oldest_age > _OLDEST_AGE:
        found.append(f"the oldest row was not frozen for {state.oldest_age} transactions: vacuum this database")
    if not state.sorts_alike:
        found.append(
            "the operating system sorts text otherwise than when the indexes were made: run REINDEX DATABASE and "
            "ALTER DATABASE ... REFRESH COLLATION VERSION"
        )
    expect_none(found)
    unsafe = "" if state.syncs else "; but fsync is off: a crash of the machine can destroy this database"
    return f"autovacuum cleans every table{unsafe}"


def _keeps_autovacuum_off(option: str, value: str) -> bool:
    if option == "autovacuum_enabled":
        return not _ON(value)
    if not option.startswith("autovacuum_"):
        return False
    if option.endswith("_scale_factor"):
        return Decimal(value) > _MOST_SCALE
    return option.endswith("_threshold") and Decimal(value) > _MOST_ROWS


async def check_ids_left(context: Context) -> str:
    """Every sequence of ids is ahead of its table, counts up, and is not about to run out.

    Failed inserts use ids too.
    """

    async def work(querier: AsyncQuerier) -> list[ListIdsUsedRow]:
        return [row async for row in querier.list_ids_used()]

    used = await _ask(context.database, work)
    expect_none([fault for row in used if (fault := _fault_of(row)) is not None])
    (exchanges,) = (row for row in used if row.table_name == "exchanges")
    return f"{_left(exchanges)} for exchanges; {len(used) - 1} other sequences are ahead of their tables, too"


def _fault_of(row: ListIdsUsedRow) -> str | None:
    if row.highest_possible is None:
        return f"{row.table_name}.id has no identity sequence"
    if not row.counts_up:
        return f"the sequence of {row.table_name}.id does not count up one by one"
    if row.last_value < row.highest_in_table:
        return (
            f"the sequence of {row.table_name}.id is behind its table: it has given {row.last_value}, "
            f"and {row.highest_in_table} is in use"
        )
    if row.highest_possible - row.last_value < row.highest_possible * _FEWEST_IDS_LEFT:
        return f"only {_left(row)} for {row.table_name}: widen {row.table_name}.id soon"
    return None


def _left(row: ListIdsUsedRow) -> str:
    known = "" if row.is_exact else " at most, by the highest id in use: this role may not read the sequence"
    return f"{(row.highest_possible or 0) - row.last_value} of {row.highest_possible}{known}"
