"""Whether what a registry would load is what the library's own questions to the database are answered."""

from __future__ import annotations

from exchanges_db import Database, Symbol, get_all_exchanges, get_symbols_by_ids, list_account_fees, list_holds
from exchanges_db.registry.snapshot import Snapshot


async def database_differences(snapshot: Snapshot, db: Database) -> list[str]:
    """Return what differs."""
    places = snapshot.places_by_id.values()
    faults = []
    if {one.id: one for one in await get_all_exchanges(db=db)} != {one.exchange.id: one.exchange for one in places}:
        faults.append("exchanges are not what get_all_exchanges returns")
    held = {number: one for place in places for number, one in {**place.symbols, **place.named}.items()}
    asked = await get_symbols_by_ids(range(1, max(held, default=0) + 100), db=db)
    if asked.keys() != held.keys():
        faults.append(f"other symbols than get_symbols_by_ids returns: {sorted(asked.keys() ^ held.keys())}")
    for number in asked.keys() & held.keys():
        fields = [field for field in Symbol.__struct_fields__ if hasattr(asked[number], field)]
        wrong = [field for field in fields if getattr(asked[number], field) != getattr(held[number], field)]
        if wrong:
            faults.append(f"of symbol {number} {wrong} are not what get_symbols_by_ids returns")
    holds = {
        (one.exchange, one.native_symbol): (one.sides, one.reason, one.until_at) for one in await list_holds(db=db)
    }
    mine = {
        (place.exchange.enum_value, native): (one.sides, one.reason, one.until_at)
        for place in places
        for native, one in place.holds.items()
    }
    if holds != mine:
        faults.append("holds are not what list_holds returns")
    fees = {
        (one.exchange, one.account, one.symbol_id): (one.maker, one.taker) for one in await list_account_fees(db=db)
    }
    paid = {
        (place.exchange.enum_value, *key): (one.maker, one.taker) for place in places for key, one in place.fees.items()
    }
    if fees != paid:
        faults.append("fees are not what list_account_fees returns")
    return faults
