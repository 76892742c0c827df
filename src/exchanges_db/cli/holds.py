"""The commands on holds: forbid a symbol or an exchange to be traded, release it, and list what is and was held."""

from __future__ import annotations

from typing import Annotated

import typer

from exchanges_db.cli import output
from exchanges_db.cli.commands import command
from exchanges_db.cli.completion import complete_exchange
from exchanges_db.cli.exchanges import app
from exchanges_db.cli.output import Column
from exchanges_db.cli.session import parse_time, run
from exchanges_db.cli.symbols import Name, Where, group
from exchanges_db.cli.tables import columns_of
from exchanges_db.database.pool import Database
from exchanges_db.errors import InvalidArgument, NotFound, shown
from exchanges_db.symbols import holds
from exchanges_db.symbols.holds import HoldRecord

Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; whoever asks whether it may be traded is told.")]
Sides = Annotated[str, typer.Option(metavar="SIDES", help="ALL, BUY or SELL; any case.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="ISO 8601 with time zone; default: until released.")]
WhyReleased = Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for the history.")]
Native = Annotated[
    bool, typer.Option("--native", help="SYMBOL is the exchange's own name, also of a symbol not known yet.")
]
_HEADINGS = {
    "exchange": "exchange",
    "native_symbol": "symbol",
    "sides": "sides",
    "reason": "reason",
    "until_at": "until",
    "held_at": "since",
    "held_by": "by",
    "ended_at": "ended",
    "end": "how",
}
HOLDS: list[Column[HoldRecord]] = columns_of(HoldRecord, _HEADINGS, "exchange", "native_symbol", "sides", "reason")


@command(app, "hold", example="hold GATEIO_SPOT --reason 'their keys leaked' --until 2030-01-31T12:00:00Z")
def hold_exchange(exchange: Where, reason: Reason, sides: Sides = "ALL", until: Until = None) -> None:
    """Forbid a whole exchange to be traded.

    Its data is kept fresh all the same, and no import undoes this; `release` does.
    """
    end = None if until is None else parse_time(until)

    async def work(database: Database) -> HoldRecord:
        changed = await holds.hold_exchange(exchange, sides=sides, reason=reason, until=end, db=database)
        return await _latest(exchange, None, changed, database)

    output.show_record(run(work, writes=True))


@command(app, "release", example="release GATEIO_SPOT --reason 'new keys are in place'")
def release_exchange(exchange: Where, reason: WhyReleased = None) -> None:
    """End the hold of a whole exchange.

    Holds of its single symbols stay.
    """

    async def work(database: Database) -> HoldRecord:
        if not await holds.release_exchange(exchange, reason=reason, db=database):
            raise NotFound(f"{shown(exchange)} as a whole is not held: nothing to release")
        return await _latest(exchange, None, True, database)

    output.show_record(run(work, writes=True))


@command(group, "hold", example="symbols hold GATEIO_SPOT BTC/USDT --reason 'withdrawals suspended' --sides buy")
def hold(
    exchange: Where, symbol: Name, reason: Reason, sides: Sides = "ALL", until: Until = None, native: Native = False
) -> None:
    """Forbid a symbol to be traded, whatever its exchange says.

    By the exchange's own name, so that it stays held where it is delisted and listed anew.
    """
    end = None if until is None else parse_time(until)

    async def work(database: Database) -> HoldRecord:
        changed = await holds.hold_symbol(
            exchange, symbol, sides=sides, reason=reason, until=end, native=native, db=database
        )
        return await _latest(exchange, symbol, changed, database)

    output.show_record(run(work, writes=True))


@command(group, "release", example="symbols release GATEIO_SPOT BTC/USDT --reason 'they answered'")
def release(exchange: Where, symbol: Name, reason: WhyReleased = None, native: Native = False) -> None:
    """End the hold of a symbol."""

    async def work(database: Database) -> HoldRecord:
        if not await holds.release_symbol(exchange, symbol, reason=reason, native=native, db=database):
            raise NotFound(f"{shown(symbol)} on {shown(exchange)} is not held by itself: nothing to release")
        return await _latest(exchange, symbol, True, database)

    output.show_record(run(work, writes=True))


@command(group, "holds", example="symbols holds GATEIO_SPOT BTC/USDT --all", lists=True)
def holds_(
    exchange: Annotated[
        str | None, typer.Argument(metavar="EXCHANGE", help="Only this one's.", autocompletion=complete_exchange)
    ] = None,
    symbol: Annotated[
        str | None, typer.Argument(metavar="SYMBOL", help="Only this one's; canonical name or the exchange's own.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List those of EXCHANGE that ended, too, oldest first.")] = False,
) -> None:
    """List what is held, and why.

    Whole exchanges, and symbols by the exchange's own name.

    Shows who held it, when and why; with --all also what ended it.
    """
    if every and exchange is None:
        raise InvalidArgument("--all wants an exchange: the history of holds is kept by exchange", field="exchange")

    async def work(database: Database) -> list[HoldRecord]:
        if exchange is None or (symbol is None and not every):
            return await holds.list_holds(exchange, db=database)
        found = await holds.get_hold_history(exchange, symbol, db=database)
        return found if every else [one for one in found if one.ended_at is None]

    output.show(run(work), HOLDS, nothing="nothing is held")


async def _latest(exchange: str, symbol: str | None, changed: bool, database: Database) -> HoldRecord:
    if not changed:
        output.note("it is held so already")
    found = await holds.get_hold_history(exchange, symbol, db=database)
    return next(one for one in reversed(found) if symbol is not None or one.native_symbol is None)
