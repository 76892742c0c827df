"""Figures of exchanges for monitoring, read by one statement, so all of the same moment."""

from __future__ import annotations

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.exchanges.models import ExchangeStats
from exchanges_sql.exchange_stats import AsyncQuerier


async def get_exchange_stats(*, db: DatabaseOrConnection | None = None) -> ExchangeStats:
    """Return how many exchanges there are, of which kind, and the names of the active ones.

    Raises DatabaseError; never returns only some of the figures.
    """
    row = await run(db, lambda conn: AsyncQuerier(conn).get_exchange_stats())
    assert row is not None  # an aggregate without GROUP BY always gives one row
    return ExchangeStats(
        total_exchanges=row.total_exchanges,
        active_exchanges=row.active_exchanges,
        inactive_exchanges=row.inactive_exchanges,
        spot_exchanges=row.spot_exchanges,
        futures_exchanges=row.futures_exchanges,
        options_exchanges=row.options_exchanges,
        latest_update=row.latest_update,
        exchange_list=row.exchange_list,
    )
