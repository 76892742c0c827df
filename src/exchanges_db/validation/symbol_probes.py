"""The check of a validation that writes symbols: one of its own, in a transaction that is rolled back.

Every id is negative and given, so that none of a sequence is used, and depends on the session, so that probes of
several sessions have nothing in common and none waits for another. Nor does one wait for an import: it takes no lock
that imports take, but its own rows'.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

from exchanges_db.database.default import run
from exchanges_db.database.pool import Database
from exchanges_db.database.transactions import Transaction, Work
from exchanges_db.errors import AccessDenied, Conflict, DatabaseError, shown
from exchanges_db.validation.checks import CheckFailed, Context, expect
from exchanges_db.validation.probes import expect_refused
from exchanges_sql.symbol_probe import AsyncQuerier, GetProbePlaceRow

_REASON = "exchanges_db validation"
_LOCK_NOT_FREE = "55P03"
_TICK, _OTHER_TICK = "0.05", Decimal("0.001")
_SPOT = {
    "symbol": "VALIDATION/PROBE", "base": "VALIDATION", "quote": "PROBE", "kind": "SPOT", "price_tick": _TICK,
    "tick_assumed": False, "quantity_step": "0.001", "step_assumed": False, "status": "TRADING", "sides": "ALL",
    "api_tradable": True,
}  # fmt: skip
_LINEAR = {"kind": "PERPETUAL", "settle": "PROBE", "direction": "LINEAR", "contract_size": "1"}
_OPTION = {**_LINEAR, "kind": "OPTION", "expires_at": "2027-01-01T00:00:00Z", "strike": "1", "option_type": "CALL"}


class BadSymbol(NamedTuple):
    """What makes a valid symbol a bad one, and the constraint that refuses it; without one it is NOT NULL."""

    changes: dict[str, Any]
    constraint: str | None = None

    def __str__(self) -> str:
        return ", ".join(f"{field} = {shown(value)}" for field, value in self.changes.items())


BAD_SYMBOLS = (
    BadSymbol({"native_symbol": " X"}, "symbols_native_symbol_printable"),
    BadSymbol({"symbol": "a\nb"}, "symbols_symbol_printable"),
    BadSymbol({"base": ""}, "symbols_base_printable"),
    BadSymbol({"quote": "a\x1b[2J"}, "symbols_quote_printable"),
    BadSymbol({**_LINEAR, "settle": "X ", "direction": "QUANTO"}, "symbols_settle_printable"),
    BadSymbol({**_LINEAR, "kind": "SWAP"}, "symbols_kind_known"),
    BadSymbol({**_LINEAR, "direction": "SIDEWAYS"}, "symbols_direction_known"),
    BadSymbol({"status": "OPEN"}, "symbols_status_known"),
    BadSymbol({"sides": "BOTH"}, "symbols_sides_known"),
    BadSymbol({"contract_size": "1"}, "symbols_contract_terms_fit_kind"),
    BadSymbol({**_LINEAR, "settle": "VALIDATION"}, "symbols_direction_fits_settle"),
    BadSymbol({"expires_at": "2027-01-01T00:00:00Z"}, "symbols_expiry_fits_kind"),
    BadSymbol({"status": "DELISTED"}, "symbols_delisted_has_time"),
    BadSymbol({"buy_opens_at": "infinity"}, "symbols_times_are_dates"),
    BadSymbol({"delisting_at": "1969-12-31T00:00:00Z"}, "symbols_times_are_dates"),
    BadSymbol({**_LINEAR, "contract_size": "0"}, "symbols_contract_size_positive"),
    BadSymbol({"price_tick": "0"}, "symbols_price_tick_positive"),
    BadSymbol({"quantity_step": "NaN"}, "symbols_quantity_step_positive"),
    BadSymbol({"min_quantity": "2", "max_quantity": "1"}, "symbols_quantity_limits"),
    BadSymbol({"min_notional": "-1"}, "symbols_notional_limits"),
    BadSymbol({"market_min_quantity": "-1"}, "symbols_market_quantity_limits"),
    BadSymbol({"market_max_notional": "Infinity"}, "symbols_market_notional_limits"),
    BadSymbol({"price_band_up": "-0.1"}, "symbols_ratios_not_negative"),
    BadSymbol({"price_band_of": "GUESS"}, "symbols_price_band_of_known"),
    BadSymbol({"order_types": ["LIMIT", "MAYBE"]}, "symbols_order_types_known"),
    BadSymbol({"leverage_min": "0"}, "symbols_leverage_limits"),
    BadSymbol({"initial_margin_rate": "1.1"}, "symbols_margin_rates_are_fractions"),
    BadSymbol({"funding_interval": 0}, "symbols_counts_positive"),
    BadSymbol({"full_name": ""}, "symbols_full_name_printable"),
    BadSymbol({"contract_address": " "}, "symbols_contract_address_printable"),
    BadSymbol({"asset_class": "ART"}, "symbols_asset_class_known"),
    BadSymbol({"list_taker_fee": "0.2"}, "symbols_fees_are_fractions"),
    BadSymbol({"source": ""}, "symbols_source_printable"),
    BadSymbol({**_OPTION, "option_type": "BOTH"}, "symbols_option_type_known"),
    BadSymbol({**_OPTION, "strike": None}, "symbols_option_terms_fit_kind"),
    BadSymbol({**_OPTION, "strike": "0"}, "symbols_strike_positive"),
    BadSymbol({"price_tick": None}, "symbols_rules_whole"),
    BadSymbol(dict.fromkeys(("symbol", "kind", "price_tick", "quantity_step", "status")), "symbols_named_is_closed"),
    BadSymbol({"exchange_id": 0}, "symbols_exchange_id_fkey"),
    *(
        BadSymbol({field: None})
        for field in ("native_symbol", "base", "quote", "sides", "api_tradable", "tick_assumed", "step_assumed")
    ),
)
# What a second symbol may not have in common with the first, and the constraint that refuses it.
DUPLICATES = {"id": "symbols_pkey", "native_symbol": "symbols_live_native_symbol_key"}


class SymbolProbe(NamedTuple):
    """Where a symbol is tried, and by which rights, in a transaction that is rolled back."""

    transaction: Transaction
    place: GetProbePlaceRow

    @property
    def exchange_id(self) -> int:
        """An exchange that is there."""
        assert self.place.exchange_id is not None  # else no probe is made
        return self.place.exchange_id

    def row(self, **changes: Any) -> dict[str, Any]:
        """Return the symbol to insert."""
        place = self.place.probe_id
        own = {"id": place, "exchange_id": self.exchange_id, "native_symbol": f"{_REASON} {place}"}
        return {**_SPOT, **own, **changes}

    def insert(self, **changes: Any) -> Work[int | None]:
        """Return what inserts it."""
        document = json.dumps(self.row(**changes))
        return lambda conn: AsyncQuerier(conn).insert_probe_symbol(spec=document)


@asynccontextmanager
async def _discarded(database: Database) -> AsyncIterator[SymbolProbe | None]:
    async with database.transaction() as transaction:
        transaction.discard()
        place = await run(transaction, lambda conn: AsyncQuerier(conn).get_probe_place())
        yield None if place is None else SymbolProbe(transaction, place)


async def check_symbol_round_trip(context: Context) -> str:
    """Insert, bad values, update, doubt, hold, an import noted, delete and history work together; nothing stays."""
    try:
        async with _discarded(context.database) as probe:
            if probe is None or probe.place.exchange_id is None:
                return "not made: there is no exchange to have a symbol"
            if probe.place.is_sequence_behind:
                # The insert would set it right, which would stay.
                return "not made: the sequence of symbols.id is behind the ids that symbols have had"
            done = await _try_all(probe)
    except Conflict as exc:
        if exc.sqlstate != _LOCK_NOT_FREE:
            raise
        return "not made: for a second, another session has held a lock on the tables of symbols, as a migration does"
    left = await run(context.database, lambda conn: AsyncQuerier(conn).get_probe_answer(id=probe.place.probe_id))
    expect(left is None, "the symbol was not rolled back")
    return done


async def _try_all(probe: SymbolProbe) -> str:
    inserted = await run(probe.transaction, probe.insert())
    expect(inserted == probe.place.probe_id, "a symbol that was inserted got another id")
    await _expect_bad_ones_refused(probe)
    await _expect_update_recorded(probe)
    untried = [
        what
        for what, may, attempt in (
            ("a doubt", probe.place.may_doubt, _try_doubt),
            ("a hold", probe.place.may_hold, _try_hold),
            ("an import", probe.place.may_import, _try_import),
            ("deleting", probe.place.may_delete, _try_delete),
        )
        if not (may and await attempt(probe))
    ]
    not_tried = f"; not tried, because this role may not: {', '.join(untried)}" if untried else ""
    refused = len(BAD_SYMBOLS) + len(DUPLICATES) + 1
    return f"insert (no id used up), {refused} bad writes refused, update, history, doubt, hold, import{not_tried}"


async def _expect_bad_ones_refused(probe: SymbolProbe) -> None:
    other = probe.place.probe_id - 1
    fresh = {"id": other, "native_symbol": f"{_REASON} {other}"}
    for bad in BAD_SYMBOLS:
        await expect_refused(probe.transaction, probe.insert(**{**fresh, **bad.changes}), bad.constraint, str(bad))
    for field, constraint in DUPLICATES.items():
        same = {**fresh, field: probe.row()[field]}
        await expect_refused(probe.transaction, probe.insert(**same), constraint, f"a second symbol with its {field}")
    await expect_refused(
        probe.transaction,
        lambda conn: AsyncQuerier(conn).update_probe_name(id=probe.place.probe_id, native_symbol="another"),
        "symbols_identity_immutable",
        "another native symbol",
    )


async def _expect_update_recorded(probe: SymbolProbe) -> None:
    number = probe.place.probe_id
    changed = await run(
        probe.transaction, lambda conn: AsyncQuerier(conn).update_probe_tick(id=number, price_tick=_OTHER_TICK)
    )
    if changed is None:
        raise CheckFailed("a symbol that was inserted is not found")
    expect(changed.spec_version == 2, "an update does not raise spec_version")
    expect(changed.updated_at > changed.created_at, "an update does not move updated_at")
    expect(changed.is_hashed, "an update does not renew spec_hash")
    expect(changed.price_decimals == 3, "the decimals do not follow from the tick")
    versions = await _versions(probe)
    expect(len(versions) == 1, "an update is not recorded in symbol_history")
    (first,) = versions
    expect(
        (first.spec_version, first.price_tick, first.operation, first.valid_from, first.valid_to)
        == (1, Decimal(_TICK), "UPDATE", changed.created_at, changed.updated_at),
        "symbol_history does not tell what was before an update",
    )


async def _versions(probe: SymbolProbe) -> list[Any]:
    async def work(conn: Any) -> list[Any]:
        return [row async for row in AsyncQuerier(conn).list_probe_versions(id=probe.place.probe_id)]

    return await run(probe.transaction, work)


async def _try_doubt(probe: SymbolProbe) -> bool:
    number = probe.place.probe_id

    def doubt(doubt_id: int) -> Work[int]:
        return lambda conn: AsyncQuerier(conn).insert_probe_doubt(
            id=doubt_id, symbol_id=number, brake="JUMP", reason=_REASON
        )

    await run(probe.transaction, doubt(number))
    await expect_refused(probe.transaction, doubt(number - 1), "symbol_doubts_open_key", "a second doubt of a symbol")
    answer = await run(probe.transaction, lambda conn: AsyncQuerier(conn).get_probe_answer(id=number))
    expect(answer is not None and answer.doubt == _REASON, "look-ups do not see that a symbol is in doubt")
    return True


async def _try_hold(probe: SymbolProbe) -> bool:
    name = str(probe.row()["native_symbol"])

    def hold(sides: str) -> Work[int]:
        return lambda conn: AsyncQuerier(conn).insert_probe_hold(
            exchange_id=probe.exchange_id, native_symbol=name, sides=sides, reason=_REASON
        )

    await expect_refused(probe.transaction, hold("NONE"), "holds_sides_known", "a hold of no side")
    await run(probe.transaction, hold("BUY"))
    await expect_refused(probe.transaction, hold("SELL"), "holds_held_key", "a second hold of a symbol")
    answer = await run(probe.transaction, lambda conn: AsyncQuerier(conn).get_probe_answer(id=probe.place.probe_id))
    expect(answer is not None and answer.held_sides == "BUY", "look-ups do not see that a symbol is held")
    return True


async def _try_import(probe: SymbolProbe) -> bool:
    number = probe.place.probe_id

    def note(outcome: str) -> Work[Any]:
        return lambda conn: AsyncQuerier(conn).insert_probe_import(
            id=number, exchange_id=probe.exchange_id, exchange=_REASON, outcome=outcome
        )

    await expect_refused(probe.transaction, note("DONE"), "symbol_imports_outcome_known", "an import that is DONE")
    noted = await run(probe.transaction, note("REFUSED"))
    expect(noted is not None and noted.is_session_user, "an import is not noted with who has made it")
    savepoint = probe.transaction.connection.transaction()
    await savepoint.start()
    try:
        await run(probe.transaction, lambda conn: AsyncQuerier(conn).delete_probe_import(id=number))
    except AccessDenied:
        return True
    except DatabaseError as exc:  # the trigger that records a prune finds that this is none
        raise CheckFailed(
            f"the ledger of imports does not refuse that a row is deleted, but fails at it: {exc}"
        ) from exc
    finally:
        await savepoint.rollback()
    raise CheckFailed("the ledger of imports does not refuse that a row is deleted")


async def _try_delete(probe: SymbolProbe) -> bool:
    number = probe.place.probe_id
    deleted = await run(probe.transaction, lambda conn: AsyncQuerier(conn).delete_probe_symbol(id=number))
    expect(deleted == 1, "a symbol that was inserted cannot be deleted")
    ended = [(row.spec_version, row.operation) for row in await _versions(probe)]
    expect(ended == [(1, "UPDATE"), (2, "DELETE")], "symbol_history does not tell that a symbol was deleted")
    open_doubts = await run(probe.transaction, lambda conn: AsyncQuerier(conn).count_probe_doubts(symbol_id=number))
    expect(open_doubts == 0, "a symbol that is deleted stays in doubt")
    return True
