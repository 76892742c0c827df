"""`python -m market_data GATEIO_SPOT 127.0.0.1 9000`: collect what that address sends into DATABASE_URL's database."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress

from exchanges_db import Database, Registry
from market_data.book_tickers import BookTickers, engine_of
from market_data.collector import Collector
from market_data.feed import tickers_from


async def main(exchange: str, host: str, port: int) -> None:
    url = os.environ["DATABASE_URL"]
    engine = engine_of(url)
    table = BookTickers(engine)
    days = asyncio.create_task(table.keep_days())
    try:
        await table.ready.wait()
        async with Database(url) as db, Registry(db) as registry:
            collector = Collector(registry.view(exchange), table)
            try:
                await collector.run(tickers_from(host, port))
            finally:
                print(f"{collector.waiting} tickers of symbols that are not listed, {collector.lost} lost")
    finally:
        days.cancel()
        await engine.dispose()


if __name__ == "__main__":
    # What systemd and Docker send; asyncio knows Ctrl-C alone, by which it cancels `main`.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    with suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
