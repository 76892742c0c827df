import asyncio

from exchanges_db import ExchangeEnum, Registry, can_trade, default_database, update_exchange


async def main() -> None:
    async with Registry() as registry:  # everything in memory, and kept fresh: look-ups await nothing
        gateio = registry.exchange(ExchangeEnum.GATEIO)
        view = registry.view(ExchangeEnum.GATEIO)  # a dict, made once, for every tick and every order
        btc = view.get("BTC_USDT")  # or view["BTC", "USDT"], or its id alone: view.ids["BTC_USDT"]
        if btc is None:
            raise SystemExit("no symbol is known yet: run `exchanges-db sync GATEIO_SPOT`")
        print(gateio.display_name, gateio.get_rate_limit_delay(), "s between requests")
        print(btc.native_symbol, "tick", btc.price_tick, "step", btc.quantity_step, "minimum", btc.min_notional)

        price = btc.rules.round_price("64123.4567", "BUY")  # down: a buyer never pays more than was meant
        print("0.00001 at", price, "breaks", btc.rules.check(price, "0.00001"))
        print("0.001 at", price, "breaks", btc.rules.check(price, "0.001"))
        print("may I buy?", registry.can_trade(btc, "BUY"))

        db = await default_database()  # of DATABASE_URL; closed when the event loop ends
        async with db.transaction() as tx:  # several calls, one transaction
            await update_exchange(gateio.id, {"is_active": False}, if_version=gateio.version, db=tx)
            print("and now?", await can_trade(btc, "BUY", db=tx))
            tx.discard()  # only a trial: nothing of it stays


asyncio.run(main())
