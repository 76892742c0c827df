"""The table market.book_tickers: days that have a partition, batches written once, days dropped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from market_sql.book_tickers import AddBookTickersParams, AsyncQuerier

log = logging.getLogger(__name__)

# A connection that is gone, or did not answer in time. asyncpg calls it an InternalClientError where it reads that the
# server has ended the session just before it writes.
GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.QueryCanceledError,
    OSError,
    TimeoutError,
)


class MaybeWritten(Exception):
    """It was not done, or nobody knows: the connection was lost before the server said so, or a table is in use."""


class Row(NamedTuple):
    """A row, in the order of the table's columns."""

    symbol_id: int
    at: datetime
    update_id: int
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal


def engine_of(url: str) -> AsyncEngine:
    """Return an engine for the same DATABASE_URL that the other programs have."""
    return create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url), pool_size=2)


class BookTickers:
    """Writes to the table.

    Attributes:
        begins, ends: what there are partitions for; ready: set once there are any.
    """

    def __init__(self, engine: AsyncEngine, *, timeout: float = 10.0) -> None:
        self._engine = engine
        self._timeout = timeout
        self.ready = asyncio.Event()
        self.begins = self.ends = datetime.min.replace(tzinfo=UTC)

    async def make_days(self, today: date, *, ahead: int = 7) -> None:
        """Have a partition for yesterday, today and days ahead. Raises MaybeWritten.

        A new partition waits for an import that is writing, by its lock on public.symbols, and gives up after 200 ms:
        made days ahead, none of them is urgent.
        """
        days = [today + timedelta(days=number) for number in range(-1, ahead + 1)]
        for day in days:
            async with self._connection() as connection, connection.begin():
                await AsyncQuerier(connection).make_day(day=day)
        self.begins, self.ends = (
            datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (days[0], days[-1] + timedelta(days=1))
        )
        self.ready.set()

    async def keep_days(self, *, every: float = 3600.0, again: float = 1.0) -> None:
        """Make the days ahead, again and again, until cancelled; sooner where they could not be made."""
        while True:
            try:
                await self.make_days(datetime.now(UTC).date())
            except MaybeWritten as exc:
                log.warning("the next days are not made yet: %s", exc)
                await asyncio.sleep(again)
            else:
                await asyncio.sleep(every)

    async def drop_days_before(self, day: date) -> int:
        """Drop what is older, partition by partition, and return how many there were."""
        async with self._engine.begin() as connection:
            return await AsyncQuerier(connection).drop_days_before(day=day) or 0

    async def write(self, rows: Sequence[Row]) -> None:
        """Write a batch by COPY. Raises MaybeWritten."""
        async with self._connection() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None  # it was just opened
            try:
                await raw.copy_records_to_table(
                    "book_tickers", schema_name="market", records=rows, columns=Row._fields, timeout=self._timeout
                )
            except GONE:
                await connection.invalidate()  # SQLAlchemy has not seen that this connection is of no use any more
                raise

    async def write_again(self, rows: Sequence[Row]) -> int:
        """Write those of a batch that are not there, told by the primary key; return how many. Raises MaybeWritten."""
        async with self._connection() as connection, connection.begin():
            return await AsyncQuerier(connection).add_book_tickers(
                AddBookTickersParams(*(list(column) for column in zip(*rows, strict=True)))
            )

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                yield connection
        except (IntegrityError, ProgrammingError):
            raise  # the server has said what is wrong, and would say it again
        except (*GONE, DBAPIError) as exc:
            raise MaybeWritten(str(exc)) from exc
