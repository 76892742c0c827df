"""A feed of best bids and asks as exchanges send them: a line of JSON for each change, numbers as text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal

import msgspec


class Ticker(msgspec.Struct, frozen=True, gc=False):
    """What an exchange says of one symbol, by its own name; no number goes through a float."""

    native_symbol: str
    at: datetime
    update_id: int
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal


_decoder = msgspec.json.Decoder(Ticker)


async def tickers_from(host: str, port: int) -> AsyncIterator[Ticker]:
    """Yield what the exchange at this address sends, until it ends the connection."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        async for line in reader:
            yield _decoder.decode(line)
    finally:
        writer.close()
