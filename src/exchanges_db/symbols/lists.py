"""The lists that were ever imported: which they are, from where, and when each was last observed."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.errors import InvalidSymbol
from exchanges_db.exchanges.names import ask_as_spelled, check_exchange
from exchanges_db.symbols.enums import SymbolKind
from exchanges_db.symbols.listing import Listing
from exchanges_sql.symbol_import import AsyncQuerier, ListSymbolListsRow


class SymbolList(msgspec.Struct, frozen=True, kw_only=True):
    """One list of an exchange that was imported at least once.

    Attributes:
        source: the reader, or the user's own source, that gave it last.
        observed_at: when the exchange gave the newest list that was applied, or that confirmed what is known.
        age: from `observed_at` to now by the server's clock; never negative.
        changed_at: the moment of its last import that changed a symbol; None where none has since that is kept.
        confirmations: how many imports have changed nothing.
        doubtful: how many of its symbols are in doubt.
    """

    exchange: str
    listing: Listing
    source: str
    observed_at: datetime
    age: timedelta
    changed_at: datetime | None
    confirmations: int
    doubtful: int


async def list_symbol_lists(
    exchange: Enum | str | None = None, *, db: DatabaseOrConnection | None = None
) -> list[SymbolList]:
    """Return the lists that were ever imported, of one exchange or of all. Raises ExchangeNotFound."""
    place = None if exchange is None else check_exchange(exchange)

    async def work(conn: AsyncConnection) -> list[SymbolList]:
        async def fetch(exact: str | None) -> list[SymbolList]:
            return [_list(row) async for row in AsyncQuerier(conn).list_symbol_lists(exchange=exact)]

        return await fetch(None) if place is None else await ask_as_spelled(conn, place, fetch)

    return await run(db, work)


async def last_observed(querier: AsyncQuerier, exchange: str, listing: Listing) -> datetime | None:
    """Return when a list was last observed; None where it never was.

    Raises InvalidSymbol where a symbol of it could belong to another list of the exchange, too.
    """
    found = None
    async for row in querier.list_symbol_lists(exchange=exchange):
        other = _list(row).listing
        if other == listing:
            found = row.observed_at
        elif other.overlaps(listing):
            raise InvalidSymbol(
                f"the list {listing} of {exchange} would overlap its list {other}: a symbol belongs to one list only",
                field="listing",
            )
    return found


def _list(row: ListSymbolListsRow) -> SymbolList:
    return SymbolList(
        exchange=row.exchange,
        listing=Listing(SymbolKind(row.kind), row.settle, row.underlying),
        source=row.source,
        observed_at=row.observed_at,
        # It may lie a little ahead, by the clock of another machine.
        age=max(timedelta(0), row.asked_at - row.observed_at),
        changed_at=row.changed_at,
        confirmations=row.confirmations,
        doubtful=row.doubtful,
    )
