"""The checks of a validation that only read. Each returns what it found, or raises CheckFailed where that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from exchanges_db.database.default import run
from exchanges_db.database.pool import Database
from exchanges_db.database.transactions import Transaction
from exchanges_db.errors import AccessDenied
from exchanges_db.exchanges.enums import ExchangeEnum, MarketType
from exchanges_db.exchanges.look_ups import get_all_exchanges, get_exchange_by_enum
from exchanges_db.exchanges.models import ExchangeStats, StoredExchange
from exchanges_db.exchanges.stats import get_exchange_stats
from exchanges_db.schema.comparison import check_schema, recorded_schema
from exchanges_db.schema.ledger import Ledger, read_ledger, what_is_wrong
from exchanges_db.schema.migration_files import read_files
from exchanges_db.schema.sql_files import migrations_directory
from exchanges_db.validation.latency import Latency, time_lookups
from exchanges_db.validation.plans import (
    ACTIVE,
    BY_ENUM,
    BY_ID,
    BY_MARKET_TYPE,
    SYMBOL,
    SYMBOL_BY_NATIVE,
    LookUp,
    indexes_used,
    symbol_look_ups,
    tables_read_whole,
)
from exchanges_sql.schema_catalog import AsyncQuerier as CatalogQuerier

_DIFFERENCES_SHOWN = 8
_ROUNDS = 3


class CheckFailed(Exception):
    """A check found something that is not as it should be."""


@dataclass
class Context:
    """What every check is given, and the figures that checks leave here for the report."""

    database: Database
    lookups: int
    target_ms: float
    ledger: Ledger
    max_age: timedelta | None = None
    schema_version: str | None = None
    server_version: str | None = None
    database_name: str | None = None
    latency: Latency | None = None


def expect(fulfilled: bool, otherwise: str) -> None:
    """Raise CheckFailed with `otherwise` unless `fulfilled`."""
    if not fulfilled:
        raise CheckFailed(otherwise)


def expect_none(faults: Sequence[str]) -> None:
    """Raise CheckFailed with the first of the faults, and how many more there are, unless there is none."""
    more = len(faults) - _DIFFERENCES_SHOWN
    expect(not faults, "; ".join(faults[:_DIFFERENCES_SHOWN]) + (f"; and {more} more" if more > 0 else ""))


async def check_reachable(context: Context) -> str:
    """The server answers and the table can be read."""
    server = await run(context.database, lambda conn: CatalogQuerier(conn).get_server())
    assert server is not None  # a SELECT without FROM always gives one row
    context.server_version, context.database_name = server.server_version, server.database_name
    count = len(await get_all_exchanges(db=context.database))
    standby = ", a standby" if server.is_standby else ""
    return f"PostgreSQL {server.server_version}{standby}; {count} exchanges"


async def check_migrations(context: Context) -> str:
    """All our migrations are applied from unchanged files, and no other project has applied any under their numbers."""
    ledger = context.ledger
    files = read_files(migrations_directory())
    try:
        async with context.database.transaction(readonly=True) as transaction:
            found = await read_ledger(transaction.connection, ledger, files)
    except AccessDenied:
        return f"not checked: this role may not read {ledger}"
    ours = [migration.version for migration in found if migration.is_ours]
    context.schema_version = max(ours, default=None)
    wrong = what_is_wrong(found, ledger)
    expect(wrong is None, wrong or "")
    pending = [str(migration.file_name) for migration in found if not (migration.applied or migration.elsewhere)]
    expect(not pending, f"pending: {', '.join(pending)}: run `exchanges-db migrate`")
    unlisted = [migration.version for migration in found if migration.elsewhere]
    return f"{len(ours)} of {len(files)} in {ledger}" + (
        f"; in the database but not in {ledger}: {', '.join(unlisted)}" if unlisted else ""
    )


async def check_recorded_schema(context: Context) -> str:
    """Every table, view, column, constraint, index, trigger, policy, rule, function and comment is as recorded."""
    differences = [str(difference) for difference in await check_schema(db=context.database)]
    expect_none(differences)
    return f"{len(recorded_schema())} objects as recorded"


async def check_enum_values(context: Context) -> str:
    """Every member of ExchangeEnum has a row; a row without a member is fine."""
    rows = {exchange.enum_value: exchange for exchange in await get_all_exchanges(db=context.database)}
    missing = [member.value for member in ExchangeEnum if member.value not in rows]
    inactive = [member.value for member in ExchangeEnum if member.value in rows and not rows[member.value].is_active]
    expect(not missing, f"no row for {', '.join(missing)}: run `exchanges-db populate`")
    return f"{len(ExchangeEnum)} of {len(ExchangeEnum)}" + (f"; inactive: {', '.join(inactive)}" if inactive else "")


async def check_enum_round_trip(context: Context) -> str:
    """Enum to row and back gives the same member, by member and by text; an inactive exchange is not found."""
    rows = {exchange.enum_value: exchange for exchange in await get_all_exchanges(db=context.database)}
    there = [member for member in ExchangeEnum if member.value in rows]
    for member in there:
        expect(rows[member.value].to_exchange_enum() is member, f"the row of {member.value} is another member's")
        for key in (member, member.value):
            found = await get_exchange_by_enum(key, db=context.database)
            wanted = rows[member.value] if rows[member.value].is_active else None
            expect(found == wanted, f"looking up {member.value} does not give its row")
    return f"{len(there)} members to their row and back"


async def check_indexes_used(context: Context) -> str:
    """The planner answers each look-up with its index.

    In a table of a few rows it rightly reads them all, so it is asked with all scans but bitmap scans switched off.
    """
    async with context.database.transaction(isolation="repeatable_read", readonly=True) as transaction:
        await run(transaction, lambda conn: CatalogQuerier(conn).plan_bitmap_scans_only())
        rows = await get_all_exchanges(db=transaction)
        rarest = min(MarketType, key=lambda market_type: _count(rows, market_type))
        look_ups: list[tuple[LookUp, Sequence[Any], int]] = [
            (BY_ENUM, [ExchangeEnum.MEXC.value], 1),
            (BY_ID, [1], 1),
            (ACTIVE, [], len(rows)),
            (BY_MARKET_TYPE, [rarest.value], _count(rows, rarest)),
            (SYMBOL, [ExchangeEnum.MEXC.value, "BTC/USDT"], 1),
            (SYMBOL_BY_NATIVE, [ExchangeEnum.MEXC.value, "BTCUSDT"], 1),
        ]
        for look_up, arguments, matching in look_ups:
            await _expect_index(transaction, look_up, arguments, rows=rows, matching=matching)
        of_symbols = symbol_look_ups()
        for name, statement in of_symbols.items():
            whole = await tables_read_whole(transaction.connection, statement)
            expect(not whole, f"{name.lower()} reads {' and '.join(sorted(whole))} from end to end")
    names = ", ".join(look_up.index_name for look_up, _, _ in look_ups)
    return (
        f"with sequential and plain index scans off, the planner takes {names}; {len(of_symbols)} look-ups of symbols"
    )


async def _expect_index(
    transaction: Transaction, look_up: LookUp, arguments: Sequence[Any], *, rows: list[StoredExchange], matching: int
) -> None:
    used = await indexes_used(transaction.connection, look_up, *arguments)
    fitting = {look_up.index_name}
    if look_up in (BY_ENUM, BY_MARKET_TYPE) and sum(row.is_active for row in rows) <= matching:
        # Where few exchanges are active, the index of active ones selects as few rows as the look-up's own.
        fitting.add(ACTIVE.index_name)
    expect(
        bool(used & fitting), f"{look_up.name} does not use {look_up.index_name} but {', '.join(used) or 'no index'}"
    )


def _count(rows: list[StoredExchange], market_type: MarketType) -> int:
    return sum(row.market_type is market_type for row in rows)


async def check_latency(context: Context) -> str:
    """The mean time of a look-up is within the target, in the best of up to three rounds."""
    active = {exchange.enum_value for exchange in await get_all_exchanges(db=context.database) if exchange.is_active}
    member = next((member for member in ExchangeEnum if member.value in active), ExchangeEnum.MEXC)
    figures_of_a_round = partial(
        time_lookups, member, db=context.database, lookups=context.lookups, target_ms=context.target_ms
    )
    latency = await figures_of_a_round()
    for _ in range(_ROUNDS - 1):
        if not latency.within_target:
            latency = min(latency, await figures_of_a_round(), key=lambda figures: figures.mean_ms)
    context.latency = latency
    figures = (
        f"{latency.lookups} look-ups: mean {latency.mean_ms:.3f} ms, p50 {latency.p50_ms:.3f} ms, "
        f"p99 {latency.p99_ms:.3f} ms, slowest {latency.max_ms:.3f} ms; the target for the mean is "
        f"{latency.target_ms:g} ms"
    )
    expect(latency.within_target, figures)
    return figures


async def check_stats(context: Context) -> str:
    """The figures of get_exchange_stats are those of the rows, read at the same moment."""
    async with context.database.transaction(isolation="repeatable_read", readonly=True) as transaction:
        figures = await get_exchange_stats(db=transaction)
        counted = count_exchanges(await get_all_exchanges(db=transaction))
    wrong = [name for name, value in counted.items() if figures.get(name) != value]
    expect(not wrong, f"{', '.join(wrong)} differ from the rows")
    return f"{len(counted)} figures fit {figures['total_exchanges']} rows"


def count_exchanges(rows: list[StoredExchange]) -> ExchangeStats:
    """Return the figures that get_exchange_stats should give for these rows, which are sorted by name."""
    active = [row for row in rows if row.is_active]
    return ExchangeStats(
        total_exchanges=len(rows),
        active_exchanges=len(active),
        inactive_exchanges=len(rows) - len(active),
        spot_exchanges=_count(active, MarketType.SPOT),
        futures_exchanges=_count(active, MarketType.FUTURES),
        options_exchanges=_count(active, MarketType.OPTIONS),
        latest_update=max((row.updated_at for row in rows if row.updated_at), default=None),
        exchange_list=[row.name for row in active],
    )
