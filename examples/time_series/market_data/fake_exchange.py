"""An exchange for trying things out: `python -m market_data.fake_exchange 9000 BTC_USDT ETH_USDT`."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Self

import msgspec

from market_data.feed import Ticker


class FakeExchange:
    """Sends tickers to whoever is connected."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.connected = asyncio.Event()
        self._numbers = itertools.count(1)
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self.end()
        self._server.close()

    async def _accept(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connected.set()

    def end(self) -> None:
        """End all connections."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def send(self, native_symbol: str, bid: Decimal, at: datetime | None = None) -> Ticker:
        """Send a ticker of this bid and a little more for the ask, and return it."""
        ticker = Ticker(
            native_symbol=native_symbol,
            at=at or datetime.now(UTC),
            update_id=next(self._numbers),
            bid=bid,
            bid_quantity=Decimal("0.5"),
            ask=bid + Decimal("0.1"),
            ask_quantity=Decimal(2),
        )
        self._writers = [writer for writer in self._writers if not writer.is_closing()]  # some may have gone
        for writer in self._writers:
            writer.write(msgspec.json.encode(ticker) + b"\n")
        return ticker


async def main(port: int, native_symbols: list[str]) -> None:
    async with FakeExchange(port) as exchange:
        for number in itertools.count():
            step = Decimal(random.randint(-50, 50)) / 10
            exchange.send(native_symbols[number % len(native_symbols)], Decimal(64_000) + step)
            await asyncio.sleep(0.001)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
