"""How old what is known is: when the exchange last confirmed each list, by the database server's clock alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

import msgspec

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.database.metrics import gauges
from exchanges_db.errors import InvalidArgument, shown
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.lists import list_symbol_lists
from exchanges_sql.server_clock import AsyncQuerier

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


class ListFreshness(msgspec.Struct, frozen=True, kw_only=True):
    """How old one list is.

    Attributes:
        confirmed_at: when the exchange gave the newest list that was applied, or that confirmed what is known.
        changed_at: the moment of its last import that changed a symbol; None where none has since that is kept.
        age: from `confirmed_at` to now by the server's clock; never negative.
        confirmations: how many imports have changed nothing.
        doubtful: how many of its symbols are in doubt, whatever the age of the list.
    """

    exchange: str
    listing: Listing
    confirmed_at: datetime
    changed_at: datetime | None
    age: timedelta
    confirmations: int
    doubtful: int


async def get_freshness(
    exchange: Enum | str | None = None, *, db: DatabaseOrConnection | None = None
) -> list[ListFreshness]:
    """Return how old each list is that was ever imported, of one exchange or of all. Raises ExchangeNotFound.

    A list that was never imported is not among them: of its symbols nothing is known.
    """
    found = await list_symbol_lists(exchange, db=db)
    for one in found:
        gauges.saw_list(one.exchange, str(one.listing), one.age)
    return [
        ListFreshness(
            exchange=one.exchange,
            listing=one.listing,
            confirmed_at=one.observed_at,
            changed_at=one.changed_at,
            age=one.age,
            confirmations=one.confirmations,
            doubtful=one.doubtful,
        )
        for one in found
    ]


async def server_time(db: DatabaseOrConnection | None = None) -> datetime:
    """Return what time it is by the server's clock."""
    now = await run(db, lambda conn: AsyncQuerier(conn).get_server_time())
    assert now is not None  # one row, always
    return now


def check_max_age(max_age: timedelta | None) -> timedelta | None:
    """Return the age that something may have, None for any; raise InvalidArgument where it is no positive timedelta."""
    if max_age is None:
        return None
    if not isinstance(max_age, timedelta) or max_age <= timedelta(0):
        given = f"{max_age}" if isinstance(max_age, timedelta) else shown(max_age)
        raise InvalidArgument(
            f"max_age must be a positive timedelta, such as timedelta(minutes=10), not {given}", field="max_age"
        )
    return max_age


def span(time: timedelta) -> str:
    """Return a length of time in words, to the second, in at most two units: 2d 3h, 10m 5s, 0s."""
    left = max(0, int(time.total_seconds()))
    parts = []
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
