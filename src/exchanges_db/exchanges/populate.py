"""Put the exchanges of ExchangeEnum into the database: safe when fifty processes start together."""

from __future__ import annotations

import logging

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.errors import DuplicateExchange
from exchanges_db.exchanges.enums import ExchangeEnum
from exchanges_db.exchanges.look_ups import as_exchange
from exchanges_db.exchanges.models import Exchange
from exchanges_sql.exchanges import AsyncQuerier, InsertMissingExchangesParams

log = logging.getLogger("exchanges_db")


async def ensure_exchanges_populated(*, db: DatabaseOrConnection | None = None) -> list[Exchange]:
    """Insert the members of ExchangeEnum that have no row, with their defaults, and return those it created.

    Compares with all rows, active or not: a deactivated exchange stays as it is. Writes nothing when none is missing.

    Raises:
        DuplicateExchange: a row of another enum_value holds the name of a missing one.
    """
    wanted = {member.value: Exchange.from_exchange_enum(member) for member in ExchangeEnum}

    async def missing(conn: AsyncConnection) -> list[Exchange]:
        present = {value async for value in AsyncQuerier(conn).list_present_enum_values(enum_values=list(wanted))}
        return [exchange for value, exchange in wanted.items() if value not in present]

    absent = await run(db, missing)
    if not absent:
        return []
    # An array parameter holds no NULL for sqlc: '' and 0, which no row may have, stand for it.
    parameters = InsertMissingExchangesParams(
        names=[exchange.name for exchange in absent],
        enum_values=[exchange.enum_value for exchange in absent],
        display_names=[exchange.display_name for exchange in absent],
        market_types=[exchange.market_type for exchange in absent],
        base_urls=[exchange.base_url or "" for exchange in absent],
        websocket_urls=[exchange.websocket_url or "" for exchange in absent],
        rate_limits=[exchange.rate_limit_requests_per_second or 0 for exchange in absent],
        precision_defaults=[exchange.precision_default for exchange in absent],
    )

    # One sorted statement: row by row, two processes deadlock.
    async def insert(conn: AsyncConnection) -> list[Exchange]:
        return [as_exchange(row) async for row in AsyncQuerier(conn).insert_missing_exchanges(parameters)]

    created = await run(db, insert, write=True)
    for exchange in created:
        log.info("created exchange %s with id %s", exchange.name, exchange.id)
    if len(created) < len(absent):
        # Another process may have been faster, which is fine; a name held by a foreign row is not.
        blocked = await run(db, missing)
        if blocked:
            names = ", ".join(exchange.name for exchange in blocked)
            raise DuplicateExchange(
                f"cannot create {names}: rows of another enum_value have that name; rename them first",
                constraint="exchanges_name_key",
            )
    return created
