"""What an account pays: set by its user, for a symbol or for a whole exchange, and kept with its history.

What the payload gives is the exchange's list default, which no account pays. Fees are fractions of the notional: 0.002
is 0.2 percent, and less than zero is a rebate.
"""

from __future__ import annotations

import re
import shlex
from datetime import datetime
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from enum import Enum, StrEnum

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.database.rows import from_database
from exchanges_db.errors import FeesUnknown, InvalidArgument, InvalidSymbol, shown
from exchanges_db.exchanges.names import ask_as_spelled, check_exchange, check_key, check_known, exchange_id
from exchanges_db.symbols.look_ups import as_it_is, find_symbol, no_longer_there
from exchanges_db.symbols.models import Symbol
from exchanges_sql.account_fees import AsyncQuerier, GetAccountFeesRow, InsertAccountFeesParams

_DIGITS = 100
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_EXACT = Context(prec=_DIGITS, Emin=-_DIGITS, Emax=_DIGITS, traps=[Inexact, InvalidOperation, Overflow])
_HIGHEST = Decimal("0.05")
_ACCOUNT = re.compile(r"(?! )[^\x00-\x1f\x7f\ud800-\udfff]{1,100}(?<! )")


class FeeSource(StrEnum):
    """Where a fee is from: set for the SYMBOL, or for the EXCHANGE; LIST is the exchange's default, which none pays."""

    SYMBOL = "SYMBOL"
    EXCHANGE = "EXCHANGE"
    LIST = "LIST"


class Fees(msgspec.Struct, frozen=True, kw_only=True):
    """What an order costs, as fractions of the notional.

    Attributes:
        source: LIST means that nobody has set what the account pays, and that these are a guess.
        since: when they were set; None for LIST.
    """

    maker: Decimal
    taker: Decimal
    source: FeeSource
    since: datetime | None = None


class AccountFees(msgspec.Struct, frozen=True, kw_only=True):
    """Fees that were set and hold.

    Attributes:
        symbol, native_symbol, symbol_id: None where they are those of the whole exchange.
        set_by, application_name: the database user who set them, and its application_name.
    """

    exchange: str
    symbol: str | None
    native_symbol: str | None
    symbol_id: int | None
    account: str
    maker: Decimal
    taker: Decimal
    set_at: datetime
    set_by: str
    application_name: str


class AccountFeeChange(msgspec.Struct, frozen=True, kw_only=True):
    """Fees as they were set at a time, or, where maker and taker are None, forgotten; the rest as in AccountFees."""

    symbol: str | None
    native_symbol: str | None
    symbol_id: int | None
    account: str
    maker: Decimal | None
    taker: Decimal | None
    set_at: datetime
    set_by: str
    application_name: str


async def set_account_fees(
    exchange: Enum | str,
    *,
    maker: Decimal | int | str,
    taker: Decimal | int | str,
    symbol: Symbol | str | None = None,
    account: str = "default",
    db: DatabaseOrConnection | None = None,
) -> bool:
    """Set what an account pays on an exchange from now on, for one symbol or, without one, for all that have no own.

    maker, taker: fractions of the notional, as Decimal, int or text: "0.002" is 0.2 percent, "-0.0001" a rebate.
    symbol: its canonical name, the exchange's own name, or a Symbol of that exchange.
    account: any name of yours, of at most 100 characters.

    Returns whether that is a change.

    Raises:
        InvalidArgument: a fee is no exact fraction from -0.05 to 0.05, or the account has an impossible name.
        ExchangeNotFound, SymbolNotFound, AmbiguousSymbol: as look-ups raise them.
        OutcomeUnknown: the connection was lost before the answer.
    """
    exact = _fee("maker", maker), _fee("taker", taker)
    return await _write(exchange, symbol, account, exact, db)


async def forget_account_fees(
    exchange: Enum | str,
    *,
    symbol: Symbol | str | None = None,
    account: str = "default",
    db: DatabaseOrConnection | None = None,
) -> bool:
    """Forget what was set for exactly this exchange, symbol and account; a symbol's own give way to the exchange's.

    Returns whether there was something to forget. Raises as `set_account_fees` does. The history keeps it.
    """
    return await _write(exchange, symbol, account, None, db)


async def get_fees(
    symbol: Symbol, account: str = "default", *, strict: bool = False, db: DatabaseOrConnection | None = None
) -> Fees:
    """Return what an account pays for a symbol: what was set for it, else for its exchange, else the list's default.

    strict: refuse to guess: the default of the exchange's list, which no account pays, is no answer.

    Raises:
        FeesUnknown: nothing was set, and there is no such default, or `strict` forbids it.
        SymbolNotFound: the database has no such symbol.
        InvalidArgument: `symbol` is no Symbol, `strict` neither True nor False, or the account has an impossible name.
    """
    name = check_paid(symbol, account, strict=strict)

    async def paid_at(exchange: str) -> GetAccountFeesRow | None:
        return await run(
            db,
            lambda conn: AsyncQuerier(conn).get_account_fees(
                account=name, symbol_id=symbol.id, exchange=exchange, native_symbol=symbol.native_symbol
            ),
        )

    row = await paid_at(symbol.exchange) or await paid_at((await as_it_is(symbol, db)).exchange)
    if row is None:
        raise no_longer_there(symbol)
    paid = None
    if row.own_maker is not None and row.own_taker is not None:
        paid = Fees(maker=row.own_maker, taker=row.own_taker, source=FeeSource.SYMBOL, since=row.own_set_at)
    elif row.whole_maker is not None and row.whole_taker is not None:
        paid = Fees(maker=row.whole_maker, taker=row.whole_taker, source=FeeSource.EXCHANGE, since=row.whole_set_at)
    return fees_of(symbol, name, paid, strict=strict)


def check_paid(symbol: Symbol, account: str, *, strict: bool) -> str:
    """Return the name of an account that pays for a symbol; raises InvalidArgument where one of the three is none."""
    if type(strict) is not bool:  # the text "false" is true to Python
        raise InvalidArgument(f"strict must be True or False, not {shown(strict)}", field="strict")
    if not isinstance(symbol, Symbol):
        raise InvalidSymbol(f"symbol must be a Symbol, as look-ups return it, not {shown(symbol)}", field="symbol")
    return _account(account)


def fees_of(symbol: Symbol, account: str, paid: Fees | None, *, strict: bool) -> Fees:
    """Return what was set, `paid`, else the default of the list, unless `strict`. Raises FeesUnknown."""
    if paid is not None:
        return paid
    maker, taker = symbol.list_maker_fee, symbol.list_taker_fee
    if not strict and maker is not None and taker is not None:
        return Fees(maker=maker, taker=taker, source=FeeSource.LIST)
    known = "its list gives no default" if maker is None or taker is None else "its list's default is no account's"
    raise FeesUnknown(
        f"nobody has set what account {shown(account)} pays for {shown(symbol.symbol)} on {symbol.exchange}, and "
        f"{known}: `exchanges-db fees set {shlex.quote(symbol.exchange)} --maker FRACTION --taker FRACTION`"
    )


async def list_account_fees(
    exchange: Enum | str | None = None, account: str | None = None, *, db: DatabaseOrConnection | None = None
) -> list[AccountFees]:
    """Return the fees that were set and hold, those of a whole exchange first; None: of all of them.

    Raises ExchangeNotFound.
    """
    place = None if exchange is None else check_exchange(exchange)
    name = None if account is None else _account(account)

    async def work(conn: AsyncConnection) -> list[AccountFees]:
        async def fetch(exact: str | None) -> list[AccountFees]:
            rows = AsyncQuerier(conn).list_account_fees(exchange=exact, account=name)
            return [from_database(row, AccountFees) async for row in rows]

        return await fetch(None) if place is None else await ask_as_spelled(conn, place, fetch)

    return await run(db, work)


async def get_account_fee_history(
    exchange: Enum | str | int,
    *,
    symbol: Symbol | str | None = None,
    account: str | None = None,
    db: DatabaseOrConnection | None = None,
) -> list[AccountFeeChange]:
    """Return what was ever set or forgotten on an exchange, oldest first; None: of all symbols, of all accounts.

    exchange: as elsewhere, or its id; one that was deleted is found by its id only.

    Raises:
        ExchangeNotFound: there is no such exchange, and there never was one with this id.
        SymbolNotFound, AmbiguousSymbol: as look-ups raise them.
    """
    key, name = check_key(exchange), None if account is None else _account(account)
    if symbol is not None and isinstance(key, int):
        raise InvalidArgument("with a symbol, an exchange is asked for by its name, not by its id", field="exchange")
    known = None if symbol is None else await _find(str(key), symbol, db)

    async def work(conn: AsyncConnection) -> list[AccountFeeChange]:
        wanted = await exchange_id(conn, key) if known is None else known.exchange_id
        symbol_id = None if known is None else known.id
        rows = AsyncQuerier(conn).list_account_fee_changes(exchange_id=wanted, account=name, symbol_id=symbol_id)
        changes = [from_database(row, AccountFeeChange) async for row in rows]
        if not changes:
            await check_known(conn, wanted)
        return changes

    return await run(db, work)


async def _write(
    exchange: Enum | str,
    symbol: Symbol | str | None,
    account: str,
    fees: tuple[Decimal, Decimal] | None,
    db: DatabaseOrConnection | None,
) -> bool:
    place, name = check_exchange(exchange), _account(account)
    maker, taker = fees or (None, None)
    known = None if symbol is None else await _find(place, symbol, db)

    async def work(conn: AsyncConnection) -> bool:
        parameters = InsertAccountFeesParams(
            exchange_id=await exchange_id(conn, place) if known is None else known.exchange_id,
            account=name,
            symbol_id=None if known is None else known.id,
            maker=maker,
            taker=taker,
        )
        return await AsyncQuerier(conn).insert_account_fees(parameters) is not None

    return await run(db, work, write=True)


async def _find(place: str, symbol: Symbol | str, db: DatabaseOrConnection | None) -> Symbol:
    """Return the symbol that the database has; a Symbol is looked up again, because it may be of another database."""
    if not isinstance(symbol, Symbol):
        return await find_symbol(place, symbol, db=db)
    found = await as_it_is(symbol, db)
    if found.exchange != place:
        raise InvalidSymbol(f"{shown(found.symbol)} is a symbol of {found.exchange}, not of {shown(place)}")
    return found


def _account(account: str) -> str:
    if not isinstance(account, str) or not _ACCOUNT.fullmatch(account):
        rule = "text of 1 to 100 characters, without control characters or blanks at its ends"
        raise InvalidArgument(f"account must be {rule}, not {shown(account)}", field="account")
    return str(account)


def _fee(field: str, value: Decimal | int | str) -> Decimal:
    number = None
    try:
        if type(value) is Decimal:
            number = _EXACT.plus(value)
        elif (type(value) is str and _NUMBER.fullmatch(value)) or (type(value) is int and abs(value) < 10**_DIGITS):
            number = _EXACT.create_decimal(value)
    except ArithmeticError:
        pass
    if number is None or not number.is_finite():
        rule = f"a Decimal, an int or the text of a number, of at most {_DIGITS} digits"
        raise InvalidArgument(f"{field} must be {rule}, not {shown(value)}", field=field)
    if abs(number) <= _HIGHEST:
        return number
    advice = f": that looks like percent, so write {number.scaleb(-2):f}" if abs(number) <= 100 * _HIGHEST else ""
    raise InvalidArgument(
        f"{field} must be a fraction of the notional from -0.05 to 0.05, not {shown(str(number))}{advice}", field=field
    )
