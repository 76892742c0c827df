"""The checks of the rows: whether they are what our triggers wrote, can be read, and follow from their history."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from enum import StrEnum

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import run
from exchanges_db.errors import AccessDenied
from exchanges_db.exchanges.enums import MarketType
from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.symbols.enums import (
    KINDS_OF_MARKET,
    AssetClass,
    ContractDirection,
    OptionType,
    OrderType,
    PriceReference,
    SidesAllowed,
    SymbolKind,
    SymbolStatus,
)
from exchanges_db.validation.checks import Context, expect_none
from exchanges_sql.schema_catalog import AsyncQuerier as CatalogQuerier
from exchanges_sql.validation_rows import AsyncQuerier, ListUnreadableSymbolsParams

Find = Callable[[AsyncQuerier], AsyncIterator[str]]


async def _expect_nothing(context: Context, *finds: Find, otherwise: str) -> str:
    """Raise CheckFailed with what is found; return `otherwise` where that is nothing."""

    async def work(conn: AsyncConnection) -> list[str]:
        # Rows are compared as JSON, in which a time is written in the session's zone.
        await CatalogQuerier(conn).pin_catalog_spelling()
        return [fault for find in finds async for fault in find(AsyncQuerier(conn))]

    try:
        faults = await _at_one_moment(context, work)
        # A table that ALTER TABLE wrote anew, after the moment and before it was read, has no rows at that moment.
        faults = faults and await _at_one_moment(context, work)
    except AccessDenied as exc:
        return f"not checked: {exc}"
    expect_none(faults)
    return otherwise


async def _at_one_moment(context: Context, work: Callable[[AsyncConnection], Awaitable[list[str]]]) -> list[str]:
    async with context.database.transaction(isolation="repeatable_read", readonly=True) as transaction:
        return await run(transaction, work)


async def check_rows_as_written(context: Context) -> str:
    """No symbol and no exchange was changed past the triggers that stamp and record it."""
    return await _expect_nothing(
        context,
        _altered_symbols,
        _altered_exchanges,
        otherwise="symbols and exchanges are what their last recorded change made of them",
    )


async def check_histories(context: Context) -> str:
    """Versions follow one another without a gap, but for what was pruned, and the last one leads to the row of now."""
    return await _expect_nothing(
        context,
        _broken_symbol_histories,
        _broken_exchange_histories,
        _broken_hold_histories,
        otherwise="histories of symbols, exchanges and holds have no holes",
    )


async def check_readable(context: Context) -> str:
    """Every row of symbols and of the histories can be read, and holds what our enums know."""
    return await _expect_nothing(
        context,
        _unreadable_symbols,
        _unreadable_changes,
        otherwise="every symbol, version and change of an exchange can be read",
    )


async def check_rows_fit(context: Context) -> str:
    """Every row belongs to an exchange or symbol that is there, kinds fit market types, no list is from the future."""
    return await _expect_nothing(
        context,
        _stray_rows,
        _misplaced_symbols,
        _lists_of_the_future,
        otherwise="every row belongs to something, and kinds fit the market types of their exchanges",
    )


def _and_more(found: int) -> str:
    return f" ({found} in all)" if found > 1 else ""


async def _pruned(querier: AsyncQuerier, table: str) -> bool:
    return table in [pruned async for pruned in querier.list_pruned_tables()]


async def _altered_symbols(querier: AsyncQuerier) -> AsyncIterator[str]:
    is_pruned = await _pruned(querier, "symbol_history")
    async for row in querier.list_altered_symbols(is_pruned=is_pruned):
        yield f"symbol {row.native_symbol} of {row.exchange}: {row.fault}{_and_more(row.found)}"


async def _altered_exchanges(querier: AsyncQuerier) -> AsyncIterator[str]:
    async for row in querier.list_altered_exchanges():
        yield f"exchange {row.exchange}: {row.fault}{_and_more(row.found)}"


async def _broken_symbol_histories(querier: AsyncQuerier) -> AsyncIterator[str]:
    is_pruned = await _pruned(querier, "symbol_history")
    async for row in querier.list_broken_symbol_histories(is_pruned=is_pruned):
        yield f"history of {row.native_symbol} of {row.exchange}: {row.fault}{_and_more(row.found)}"


async def _broken_exchange_histories(querier: AsyncQuerier) -> AsyncIterator[str]:
    is_pruned = await _pruned(querier, "exchange_history")
    async for row in querier.list_broken_exchange_histories(is_pruned=is_pruned):
        yield f"history of {row.exchange}: {row.fault}{_and_more(row.found)}"


async def _broken_hold_histories(querier: AsyncQuerier) -> AsyncIterator[str]:
    async for row in querier.list_broken_hold_histories():
        what = f"hold of {row.native_symbol} of {row.exchange}"
        yield f"{what}: it begins before the one before it ended{_and_more(row.found)}"


def _values(kind: type[StrEnum]) -> list[str]:
    return [member.value for member in kind]


async def _unreadable_symbols(querier: AsyncQuerier) -> AsyncIterator[str]:
    known = ListUnreadableSymbolsParams(
        kinds=_values(SymbolKind),
        directions=_values(ContractDirection),
        option_types=_values(OptionType),
        statuses=_values(SymbolStatus),
        sides=_values(SidesAllowed),
        price_references=_values(PriceReference),
        asset_classes=_values(AssetClass),
        order_types=_values(OrderType),
    )
    async for row in querier.list_unreadable_symbols(known):
        where = f"version {row.spec_version} of {row.native_symbol} of {row.exchange}"
        yield f"{where} cannot be read: {row.fault}{_and_more(row.found)}"


async def _unreadable_changes(querier: AsyncQuerier) -> AsyncIterator[str]:
    fields = [field.encode_name for field in msgspec.structs.fields(StoredExchange)]
    async for row in querier.list_unreadable_exchange_changes(fields=fields, market_types=_values(MarketType)):
        yield (
            f"the {row.operation} that made version {row.version} of the exchange with the id {row.exchange_id} "
            f"cannot be read{_and_more(row.found)}"
        )


async def _stray_rows(querier: AsyncQuerier) -> AsyncIterator[str]:
    async for row in querier.list_stray_rows():
        yield f"{row.found} rows of {row.table_name} belong to nothing that is there, such as {row.example}"


async def _misplaced_symbols(querier: AsyncQuerier) -> AsyncIterator[str]:
    fitting = [f"{market} {kind}" for market, kinds in KINDS_OF_MARKET.items() for kind in kinds]
    async for row in querier.list_misplaced_symbols(fitting=fitting):
        yield (
            f"{row.exchange} is of the market type {row.market_type} and has {row.symbols} symbols of the kind "
            f"{row.kind}, such as {row.native_symbol}"
        )


async def _lists_of_the_future(querier: AsyncQuerier) -> AsyncIterator[str]:
    async for row in querier.list_lists_of_the_future():
        when = f"{row.observed_at:%Y-%m-%d %H:%M} UTC"
        yield f"the list {row.kind} of {row.exchange} was observed at {when}, ahead of now: any other is older"
