import asyncio
import os
from datetime import UTC, datetime

from exchanges_db import (
    Database,
    ExchangeEnum,
    embedded,
    ensure_exchanges_populated,
    get_exchange_as_of,
    get_exchange_by_enum,
    get_exchange_history,
    get_exchange_stats,
    update_exchange,
)


async def main() -> None:
    url = os.environ.get("DATABASE_URL") or embedded.start()
    async with Database(url) as db:
        await ensure_exchanges_populated(db=db)
        mexc = await get_exchange_by_enum(ExchangeEnum.MEXC, db=db)
        print(mexc.display_name, mexc.base_url, mexc.get_rate_limit_delay(), "s between requests")

        async with db.transaction() as tx:  # several calls, one transaction
            await update_exchange(mexc.id, {"rate_limit_requests_per_second": 50}, if_version=mexc.version, db=tx)
            for change in await get_exchange_history(mexc.id, db=tx):
                print(change.changed_at, change.operation, *change.changed_columns)
            then = await get_exchange_as_of(mexc.id, mexc.updated_at, db=tx)
            print("before:", then.rate_limit_requests_per_second, "requests per second")
            tx.discard()  # only a trial: nothing of it stays

        print((await get_exchange_stats(db=db))["exchange_list"], "at", datetime.now(UTC))


asyncio.run(main())
