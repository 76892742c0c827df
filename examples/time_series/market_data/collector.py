"""From what an exchange sends, by its own names, to rows with symbol ids: none with a wrong id, none waited for."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterable
from contextlib import suppress
from time import monotonic
from typing import Protocol

from exchanges_db import RegistryStale
from market_data.book_tickers import BookTickers, MaybeWritten, Row
from market_data.feed import Ticker

log = logging.getLogger(__name__)


class Ids(Protocol):
    """The ids of a view of the registry, by the exchange's own name."""

    def get(self, key: str, default: None = None, /) -> int | None:
        """Return the id of a symbol. Raises RegistryStale."""


class View(Protocol):
    """What of `registry.view(...)` a collector needs."""

    @property
    def ids(self) -> Ids:
        """The ids."""


class Collector:
    """Collects the tickers of one exchange.

    Only ids are asked for. A symbol that is held or halted has one: what may be traded is a question of whoever trades,
    and prices go on meanwhile.

    Attributes:
        lost: tickers that were dropped: there was no room for them, no partition, or no symbol for too long.
    """

    def __init__(
        self,
        view: View,
        table: BookTickers,
        *,
        batch: int = 1000,
        room: int = 100_000,
        names: int = 1000,
        each: int = 1000,
        patience: float = 600.0,
    ) -> None:
        """Take a view of the exchange, and the bounds of what is kept in memory.

        batch: rows to a COPY. room: rows while the database is away. names, each: of how many symbols how many tickers
        wait for an id. patience: for how many seconds; an exchange gives a name again, months later, to another symbol.
        """
        self._ids = view.ids
        self._table = table
        self._batch, self._room, self._names, self._each, self._patience = batch, room, names, each, patience
        self._rows: list[Row] = []
        self._unsure: list[Row] = []  # sent once; nobody knows whether it was written
        self._waiting: dict[str, deque[Ticker]] = {}
        self._deadlines: dict[str, float] = {}  # by the same names
        self._due = asyncio.Event()
        self._is_over = False
        self.lost = 0

    def take(self, ticker: Ticker) -> None:
        """Take what the exchange sent; awaits nothing."""
        symbol_id = self._id_of(ticker.native_symbol)
        if symbol_id is None:
            self._keep(ticker)
        else:
            self._add(symbol_id, ticker)

    def _id_of(self, native_symbol: str) -> int | None:
        try:
            return self._ids.get(native_symbol)
        except RegistryStale:
            # The name may be another symbol's by now, which has another id: it is asked for when the registry knows.
            return None

    def _keep(self, ticker: Ticker) -> None:
        """Keep a ticker by the exchange's own name; of one symbol the oldest make room."""
        kept = self._waiting.get(ticker.native_symbol)
        if kept is None:
            if len(self._waiting) == self._names:
                self.lost += 1
                return
            kept = self._waiting[ticker.native_symbol] = deque(maxlen=self._each)
            self._deadlines[ticker.native_symbol] = monotonic() + self._patience
        self.lost += len(kept) == self._each
        kept.append(ticker)

    def _add(self, symbol_id: int, ticker: Ticker) -> None:
        # One row without a partition would cost the whole batch.
        if len(self._rows) >= self._room or not self._table.begins <= ticker.at < self._table.ends:
            self.lost += 1
            return
        self._rows.append(
            Row(
                symbol_id,
                ticker.at,
                ticker.update_id,
                ticker.bid,
                ticker.bid_quantity,
                ticker.ask,
                ticker.ask_quantity,
            )
        )
        if len(self._rows) >= self._batch:
            self._due.set()

    @property
    def waiting(self) -> int:
        """How many tickers wait for an id."""
        return sum(map(len, self._waiting.values()))

    def resolve(self) -> None:
        """Give ids to what waits for them, where there are any by now; drop what has waited for too long."""
        for native_symbol in [*self._waiting]:
            symbol_id = self._id_of(native_symbol)
            if symbol_id is not None:
                for ticker in self._forget(native_symbol):
                    self._add(symbol_id, ticker)
            elif monotonic() > self._deadlines[native_symbol]:
                self.lost += len(self._forget(native_symbol))

    def _forget(self, native_symbol: str) -> deque[Ticker]:
        del self._deadlines[native_symbol]
        return self._waiting.pop(native_symbol)

    async def flush(self) -> int:
        """Write what has come and has an id, and return how many rows that were.

        Raises:
            MaybeWritten: the database is away; the next flush writes the same rows again, once.
        """
        self.resolve()
        if self._unsure:
            await self._table.write_again(self._unsure)
        self._unsure, self._rows = self._rows, []
        if self._unsure:
            await self._table.write(self._unsure)
        rows, self._unsure = self._unsure, []
        return len(rows)

    async def _keep_flushing(self, every: float) -> None:
        while not self._is_over:
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await self._due.wait()
            self._due.clear()
            try:
                await self.flush()
            except MaybeWritten as exc:
                log.warning("nothing is written, %s rows are kept: %s", len(self._rows), exc)
                await asyncio.sleep(every)

    async def run(self, tickers: AsyncIterable[Ticker], *, every: float = 0.25) -> None:
        """Collect until the feed ends or this is cancelled; write full batches, and the rest after so many seconds.

        Raises:
            MaybeWritten: the database is away at the end, so that what came last is lost.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_flushing(every))
                try:
                    async for ticker in tickers:
                        self.take(ticker)
                finally:
                    self._is_over = True
                    self._due.set()
        finally:
            await self.flush()  # also what was being written when this was cancelled
