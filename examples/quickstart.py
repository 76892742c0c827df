import asyncio

from exchanges_db import (
    ExchangeEnum,
    OrderRules,
    can_trade,
    default_database,
    get_exchange_by_enum,
    get_symbol,
    update_exchange,
)


async def main() -> None:
    gateio = await get_exchange_by_enum(ExchangeEnum.GATEIO)
    btc = await get_symbol(ExchangeEnum.GATEIO, "BTC/USDT")
    if gateio is None or btc is None:
        raise SystemExit("nothing is known yet: run `exchanges-db migrate` and `exchanges-db sync GATEIO_SPOT`")
    print(gateio.display_name, gateio.get_rate_limit_delay(), "s between requests")
    print(btc.native_symbol, "tick", btc.price_tick, "step", btc.quantity_step, "minimum", btc.min_notional)

    rules = OrderRules.from_symbol(btc)
    price = rules.round_price("64123.4567", "BUY")  # down: a buyer never pays more than was meant
    print("0.00001 at", price, "breaks", rules.check(price, "0.00001"))
    print("0.001 at", price, "breaks", rules.check(price, "0.001"))
    print("may I buy?", await can_trade(btc, "BUY"))

    db = await default_database()  # of DATABASE_URL; closed when the event loop ends
    async with db.transaction() as tx:  # several calls, one transaction
        await update_exchange(gateio.id, {"is_active": False}, if_version=gateio.version, db=tx)
        print("and now?", await can_trade(btc, "BUY", db=tx))
        tx.discard()  # only a trial: nothing of it stays


asyncio.run(main())
