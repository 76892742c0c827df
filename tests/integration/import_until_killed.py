"""Import a file again and again under names that differ, for a test that kills it: python ... EXCHANGE FILE FILE."""

import asyncio
import os
import sys
from pathlib import Path

from exchanges_db import Database, ImportLimits, import_symbols

ANY_FIELD = ImportLimits(field_percent=100)


async def main(exchange: str, payloads: list[bytes]) -> None:
    """Import the payloads in turn for ever."""
    async with Database(os.environ["DATABASE_URL"]) as database:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            for payload in payloads:
                await import_symbols(exchange, payload, limits=ANY_FIELD, db=database)


asyncio.run(main(sys.argv[1], [Path(file).read_bytes() for file in sys.argv[2:]]))
