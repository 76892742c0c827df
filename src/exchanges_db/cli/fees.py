"""The commands on what accounts pay: set, forget, show, list and history."""

from __future__ import annotations

from typing import Annotated

import typer

from exchanges_db.cli import output
from exchanges_db.cli.commands import HELP, command
from exchanges_db.cli.completion import complete_exchange
from exchanges_db.cli.output import Column
from exchanges_db.cli.session import run
from exchanges_db.cli.tables import columns_of
from exchanges_db.database.pool import Database
from exchanges_db.errors import FeesUnknown, shown
from exchanges_db.symbols import fees, look_ups
from exchanges_db.symbols.fees import AccountFeeChange, AccountFees, Fees

group = typer.Typer(
    help="What an account pays: set, show, list and more.", rich_markup_mode=None, context_settings=HELP
)
Where = Annotated[
    str,
    typer.Argument(metavar="EXCHANGE", help="Its enum_value, such as GATEIO_SPOT.", autocompletion=complete_exchange),
]
Name = Annotated[str, typer.Argument(metavar="SYMBOL", help="Canonical name (BTC/USDT:USDT) or the exchange's own.")]
MaybeName = Annotated[
    str | None,
    typer.Argument(metavar="SYMBOL", help="Canonical name or the exchange's own; without one: the whole exchange."),
]
Account = Annotated[str, typer.Option(metavar="NAME", help="Which account; any name of yours.")]
MaybeAccount = Annotated[str | None, typer.Option(metavar="NAME", help="Only of this account.")]
_HEADINGS = {"symbol": "symbol", "account": "account", "maker": "maker", "taker": "taker", "set_at": "since"}
FEES: list[Column[AccountFees]] = columns_of(AccountFees, {"exchange": "exchange", **_HEADINGS}, "maker", "taker")
CHANGES: list[Column[AccountFeeChange]] = columns_of(
    AccountFeeChange, {**_HEADINGS, "set_at": "when", "set_by": "by", "application_name": "with"}, "maker", "taker"
)


@command(group, "set", example="fees set GATEIO_SPOT --maker 0.0009 --taker 0.001")
def set_(
    exchange: Where,
    maker: Annotated[str, typer.Option(metavar="FRACTION", help="0.002 is 0.2 percent; less than 0 is a rebate.")],
    taker: Annotated[str, typer.Option(metavar="FRACTION", help="Likewise.")],
    symbol: MaybeName = None,
    account: Account = "default",
) -> None:
    """Set what an account pays on an exchange, or for one symbol of it, from now on."""

    async def work(database: Database) -> AccountFeeChange:
        await fees.set_account_fees(exchange, maker=maker, taker=taker, symbol=symbol, account=account, db=database)
        return await _latest(exchange, symbol, account, database)

    output.show_record(run(work, writes=True))


@command(group, "forget", example="fees forget GATEIO_SPOT BTC/USDT")
def forget(exchange: Where, symbol: MaybeName = None, account: Account = "default") -> None:
    """Forget what was set for exactly this exchange, symbol and account.

    The history keeps it.
    """

    async def work(database: Database) -> AccountFeeChange:
        if not await fees.forget_account_fees(exchange, symbol=symbol, account=account, db=database):
            place = exchange if symbol is None else f"{symbol} on {exchange}"
            raise FeesUnknown(f"nothing is set for {shown(place)} and account {shown(account)}: nothing to forget")
        return await _latest(exchange, symbol, account, database)

    output.show_record(run(work, writes=True))


@command(group, "show", example="fees show GATEIO_SPOT BTC/USDT --strict")
def show(
    exchange: Where,
    symbol: Name,
    account: Account = "default",
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse the default of the exchange's list, which no account pays.")
    ] = False,
) -> None:
    """Show what an account pays for a symbol, and where that is from."""

    async def work(database: Database) -> Fees:
        found = await look_ups.find_symbol(exchange, symbol, db=database)
        return await fees.get_fees(found, account, strict=strict, db=database)

    output.show_record(run(work))


@command(group, "list", example="fees list GATEIO_SPOT --account default --json", lists=True)
def list_(
    exchange: Annotated[
        str | None, typer.Argument(metavar="EXCHANGE", help="Only this one's.", autocompletion=complete_exchange)
    ] = None,
    account: MaybeAccount = None,
) -> None:
    """List the fees that were set and hold."""
    found = run(lambda database: fees.list_account_fees(exchange, account, db=database))
    output.show(found, FEES, nothing="no fees are set")


@command(group, "history", example="fees history GATEIO_SPOT BTC/USDT", lists=True)
def history(exchange: Where, symbol: MaybeName = None, account: MaybeAccount = None) -> None:
    """List what was ever set or forgotten, of all symbols or of one."""
    found = run(lambda database: fees.get_account_fee_history(exchange, symbol=symbol, account=account, db=database))
    output.show(found, CHANGES, nothing="no fees were ever set")


async def _latest(exchange: str, symbol: str | None, account: str, database: Database) -> AccountFeeChange:
    changes = await fees.get_account_fee_history(exchange, symbol=symbol, account=account, db=database)
    return next(change for change in reversed(changes) if symbol is not None or change.symbol_id is None)
