"""A person's word: holds on a symbol or on a whole exchange, which no import undoes, and who said so, when and why.

A hold is kept by the exchange's own name of a symbol: a symbol that is delisted and listed anew, or whose name goes to
another coin, is held still. None of these functions waits for a running import, or for a reference to a symbol.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from enum import Enum, StrEnum

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.database.rows import from_database
from exchanges_db.errors import InvalidArgument, InvalidSymbol, SymbolNotFound, shown
from exchanges_db.events import event
from exchanges_db.exchanges.names import ask_as_spelled, check_exchange, check_key, check_known, exchange_id
from exchanges_db.moments import check_moment
from exchanges_db.symbols.enums import Side, SidesAllowed
from exchanges_db.symbols.names import check_name
from exchanges_db.symbols.rows import row_called
from exchanges_sql.holds import AsyncQuerier, ListHoldHistoryRow, SetHoldParams
from exchanges_sql.server_clock import AsyncQuerier as ClockQuerier

log = logging.getLogger("exchanges_db")

_SIDES = {side.value: side for side in SidesAllowed if side is not SidesAllowed.NONE}
# What holds_reason_printable and holds_native_symbol_printable take: no outer blanks, no control characters.
_REASON = re.compile(r"(?! )[^\x00-\x1f\x7f\ud800-\udfff]{1,500}(?<! )")
_NATIVE = re.compile(r"(?! )[^\x00-\x1f\x7f\ud800-\udfff]{1,100}(?<! )")
_LAST = datetime(9999, 12, 31, tzinfo=UTC)


class HoldEnd(StrEnum):
    """What ended a hold: another one in its place, a release, or the time that it was set to."""

    REPLACED = "REPLACED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


class HoldRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A hold that holds or has ended.

    Attributes:
        exchange: enum_value of its exchange; None where that was deleted.
        native_symbol: the exchange's own name of the symbol; None: the whole exchange is held.
        sides: which orders it stops. until_at: up to when; None: until it is released.
        held_at, held_by, application_name: when it was set, by which database user, and its application_name.
        ended_at: None for one that holds; end: what ended it.
        ended_by, ended_application_name, ended_reason: who replaced or released it, and why, where that was said.
    """

    exchange: str | None
    native_symbol: str | None
    sides: SidesAllowed
    reason: str
    until_at: datetime | None
    held_at: datetime
    held_by: str
    application_name: str
    ended_at: datetime | None = None
    end: HoldEnd | None = None
    ended_by: str | None = None
    ended_application_name: str | None = None
    ended_reason: str | None = None


async def hold_symbol(
    exchange: Enum | str,
    name: str,
    *,
    sides: SidesAllowed | Side | str = "ALL",
    reason: str,
    until: datetime | None = None,
    native: bool = False,
    db: DatabaseOrConnection | None = None,
) -> bool:
    """Forbid orders for a symbol, whatever its exchange says, from now on; another hold of it is replaced.

    name: its canonical name or the exchange's own.
    sides: ALL, BUY or SELL, in any case.
    reason: why, for whoever asks `can_trade`: 1 to 500 characters.
    until: up to when; it must lie ahead by the server's clock. None: until `release_symbol`.
    native: `name` is the exchange's own name and taken exactly as it is, also where no symbol is called so yet.

    Returns whether that is a change.

    Raises:
        InvalidArgument: an argument is unusable; `.field` names it.
        ExchangeNotFound, SymbolNotFound, AmbiguousSymbol: as look-ups raise them.
        OutcomeUnknown: the connection was lost before the answer.
    """
    return await _hold(check_exchange(exchange), _name(name, native=native), sides, reason, until, native, db)


async def hold_exchange(
    exchange: Enum | str,
    *,
    sides: SidesAllowed | Side | str = "ALL",
    reason: str,
    until: datetime | None = None,
    db: DatabaseOrConnection | None = None,
) -> bool:
    """Forbid orders for every symbol of an exchange, those still to come too; the rest is as for `hold_symbol`."""
    return await _hold(check_exchange(exchange), None, sides, reason, until, False, db)


async def release_symbol(
    exchange: Enum | str,
    name: str,
    *,
    reason: str | None = None,
    native: bool = False,
    db: DatabaseOrConnection | None = None,
) -> bool:
    """End the hold of a symbol; one of its whole exchange stays.

    name, native: as for `hold_symbol`; also the own name of a symbol that is not known any more.
    reason: why, for the history.

    Returns whether it was held. Raises as `hold_symbol` does.
    """
    return await _release(check_exchange(exchange), _name(name, native=native), reason, native, db)


async def release_exchange(
    exchange: Enum | str, *, reason: str | None = None, db: DatabaseOrConnection | None = None
) -> bool:
    """End the hold of a whole exchange; those of its single symbols stay. Returns whether it was held."""
    return await _release(check_exchange(exchange), None, reason, False, db)


async def list_holds(exchange: Enum | str | None = None, *, db: DatabaseOrConnection | None = None) -> list[HoldRecord]:
    """Return what is held now, that of a whole exchange before its symbols; None: of all exchanges.

    Raises ExchangeNotFound.
    """
    place = None if exchange is None else check_exchange(exchange)

    async def work(conn: AsyncConnection) -> list[HoldRecord]:
        async def fetch(exact: str | None) -> list[HoldRecord]:
            return [from_database(row, HoldRecord) async for row in AsyncQuerier(conn).list_holds(exchange=exact)]

        return await fetch(None) if place is None else await ask_as_spelled(conn, place, fetch)

    return await run(db, work)


async def get_hold_history(
    exchange: Enum | str | int, name: str | None = None, *, db: DatabaseOrConnection | None = None
) -> list[HoldRecord]:
    """Return every hold that there is or was on an exchange, oldest first: of one symbol, or of it and all its symbols.

    exchange: as elsewhere, or its id; one that was deleted is found by its id only.
    name: the canonical or native name of a symbol.

    Raises:
        ExchangeNotFound, SymbolNotFound, AmbiguousSymbol: as look-ups raise them.
    """
    key, wanted = check_key(exchange), None if name is None else check_name(name, "name")
    if wanted is not None and isinstance(key, int):
        raise InvalidArgument("with a symbol, an exchange is asked for by its name, not by its id", field="exchange")

    async def work(conn: AsyncConnection) -> list[HoldRecord]:
        number = await exchange_id(conn, key)
        native = None if wanted is None else await _native_symbol(conn, str(key), number, wanted)
        rows = AsyncQuerier(conn).list_hold_history(exchange_id=number, native_symbol=native)
        found = [_record(row) async for row in rows]
        if not found:
            await check_known(conn, number)
        return found

    return await run(db, work)


async def _hold(
    place: str,
    name: str | None,
    sides: SidesAllowed | Side | str,
    reason: str,
    until: datetime | None,
    native: bool,
    db: DatabaseOrConnection | None,
) -> bool:
    which, why, end = _sides(sides), _reason(reason), None if until is None else _until(until)

    async def work(conn: AsyncConnection) -> bool:
        number = await exchange_id(conn, place)
        symbol = name if name is None or native else await _native_symbol(conn, place, number, name)
        querier = AsyncQuerier(conn)
        parameters = SetHoldParams(
            exchange_id=number, native_symbol=symbol, sides=which.value, reason=why, until_at=end
        )
        held_at = await querier.set_hold(parameters)
        if held_at is None and end is not None:
            now = await ClockQuerier(conn).get_server_time()
            if now is not None and end <= now:
                text = f"until, {end.isoformat()}, does not lie ahead: it is {now.isoformat()} on the server"
                raise InvalidArgument(text, field="until")
        return held_at is not None

    changed = await run(db, work, write=True)
    if changed:
        told = event("hold_set", exchange=place, symbol=name, sides=which.value)
        log.info("hold on %s of %s: %s", name or "all symbols", place, which, extra=told)
    return changed


async def _release(
    place: str, name: str | None, reason: str | None, native: bool, db: DatabaseOrConnection | None
) -> bool:
    why = "" if reason is None else _reason(reason)

    async def work(conn: AsyncConnection) -> bool:
        number = await exchange_id(conn, place)
        symbol = name if name is None or native else await _native_symbol(conn, place, number, name)
        held = await AsyncQuerier(conn).release_hold(exchange_id=number, native_symbol=symbol, reason=why)
        return held is True

    released = await run(db, work, write=True)
    if released:
        told = event("hold_released", exchange=place, symbol=name)
        log.info("released %s of %s", name or "all symbols", place, extra=told)
    return released


async def _native_symbol(conn: AsyncConnection, place: str, number: int, name: str) -> str:
    """Return the exchange's own name of a symbol, also of one that is known by name only, or was held once."""
    try:
        return (await row_called(conn, place, name)).native_symbol
    except SymbolNotFound as exc:
        if await AsyncQuerier(conn).check_native_name(exchange_id=number, native_symbol=name):
            return name
        advice = "native=True (--native) takes it as the exchange's own name of a symbol that is not known yet"
        raise SymbolNotFound(f"{exc}; {advice}") from exc


def _record(row: ListHoldHistoryRow) -> HoldRecord:
    ended_at, end = row.ended_at, None
    if row.until_at is not None and row.until_at <= (ended_at or row.asked_at):
        # It had ended by itself before anybody took it away.
        ended_at, end = row.until_at, HoldEnd.EXPIRED
    elif row.operation is not None:
        end = HoldEnd.REPLACED if row.operation == "UPDATE" else HoldEnd.RELEASED
    by_hand = end in (HoldEnd.REPLACED, HoldEnd.RELEASED)
    return HoldRecord(
        exchange=row.exchange,
        native_symbol=row.native_symbol,
        sides=SidesAllowed(row.sides),
        reason=row.reason,
        until_at=row.until_at,
        held_at=row.held_at,
        held_by=row.held_by,
        application_name=row.application_name,
        ended_at=ended_at,
        end=end,
        ended_by=row.ended_by if by_hand else None,
        ended_application_name=row.ended_application_name if by_hand else None,
        ended_reason=row.ended_reason if by_hand else None,
    )


def _name(name: str, *, native: bool) -> str:
    if type(native) is not bool:
        raise InvalidArgument(f"native must be True or False, not {shown(native)}", field="native")
    text = check_name(name, "name")
    if native and not _NATIVE.fullmatch(text):
        rule = "1 to 100 characters, without control characters or blanks at its ends"
        raise InvalidSymbol(f"a native name has {rule}; {shown(text)} is none", field="name")
    return text


def _sides(sides: SidesAllowed | Side | str) -> SidesAllowed:
    found = _SIDES.get(str(sides).upper()) if isinstance(sides, str) and sides.isascii() else None
    if found is None:
        raise InvalidArgument(f"sides must be {', '.join(_SIDES)}, not {shown(sides)}", field="sides")
    return found


def _reason(reason: str) -> str:
    if not isinstance(reason, str) or not _REASON.fullmatch(reason):
        rule = "text of 1 to 500 characters, without control characters or blanks at its ends"
        raise InvalidArgument(f"reason must be {rule}, not {shown(reason)}", field="reason")
    return str(reason)


def _until(until: datetime) -> datetime:
    moment = check_moment(until, "until")
    if moment >= _LAST:
        raise InvalidArgument(f"until must lie before {_LAST:%Y-%m-%d}: None holds until it is released", field="until")
    return moment
