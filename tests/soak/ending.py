"""Whether what a registry would load is what the library answers of the database's present, and of its history."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

from exchanges_db import (
    Database,
    Symbol,
    SymbolVersion,
    diff_symbols,
    get_all_exchanges,
    get_symbol_history,
    get_symbols_by_ids,
    list_account_fees,
    list_holds,
    list_symbols_as_of,
)
from exchanges_db.registry.snapshot import Snapshot
from tests.payload_rows import SPOT

_EVER = datetime(9999, 1, 1, tzinfo=UTC)  # after all that is known: as it is now


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


async def history_differences(snapshot: Snapshot, began: datetime, db: Database) -> list[str]:
    """Return where what the database tells of the past does not lead to what it has now; nothing was there at `began`.

    What a failover has lost is lost to both; what was written and rolled back, or written twice, is in neither.
    """
    faults = []
    place = snapshot.places[SPOT]
    now = {number: _written(one) for number, one in place.symbols.items()}
    told = {one.id: _written(one) for one in await list_symbols_as_of(SPOT, _EVER, tradable=None, db=db)}
    if told != now:
        faults.append("the past's end is not what holds now")
    changes = list(await diff_symbols(SPOT, began, db=db))
    if sorted(one.spec.native_symbol for one in changes) != sorted(one.native_symbol for one in place.symbols.values()):
        faults.append(f"since {began} {len(changes)} symbols have changed; there were none, and are {len(now)}")
    for number, one in place.symbols.items():
        versions = [
            each for each in await get_symbol_history(SPOT, one.native_symbol, db=db) if each.symbol.id == number
        ]
        faults += [f"the history of {one.native_symbol}: {fault}" for fault in chain_faults(versions)]
        if not versions or _written(versions[-1].symbol) != now[number]:
            faults.append(f"the history of {one.native_symbol} does not end with what holds now")
    return faults


def chain_faults(versions: list[SymbolVersion]) -> list[str]:
    """Return where one version does not follow from the one before."""
    faults = [] if not versions or versions[-1].valid_to is None else ["its last version has ended"]
    for before, after in pairwise(versions):
        if after.spec_version != before.spec_version + 1:
            faults.append(f"version {after.spec_version} follows {before.spec_version}")
        if before.valid_to != after.valid_from:
            faults.append(f"version {before.spec_version} ends at {before.valid_to}, not at {after.valid_from}")
    return faults


def _written(one: Symbol) -> dict[str, object]:
    return {field: getattr(one, field) for field in Symbol.__struct_fields__}
