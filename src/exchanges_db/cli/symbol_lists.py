"""The commands on lists of symbols as a whole: which were imported, who reads them, and what a row of one said."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import msgspec
import typer

from exchanges_db.cli import output, symbol_tables
from exchanges_db.cli.commands import command
from exchanges_db.cli.completion import complete_exchange
from exchanges_db.cli.session import run
from exchanges_db.cli.symbols import Name, Where, group
from exchanges_db.errors import SymbolNotFound, shown
from exchanges_db.symbols import lists, look_ups


@command(group, "lists", example="symbols lists GATEIO_FUTURES", lists=True)
def lists_(
    exchange: Annotated[
        str | None, typer.Argument(metavar="EXCHANGE", help="Only this one's.", autocompletion=complete_exchange)
    ] = None,
) -> None:
    """List the lists that were imported.

    Shows when the exchange gave each of them last, when it last changed a symbol, and how often it only confirmed them.
    """
    found = run(lambda database: lists.list_symbol_lists(exchange, db=database))
    output.show(found, symbol_tables.SYMBOL_LISTS, nothing="no lists")


@command(group, "raw", example="symbols raw GATEIO_FUTURES BTC_USDT --json")
def raw(exchange: Where, symbol: Name) -> None:
    """Show what the exchange last said of a symbol.

    The row of its list, whole, after when it is from; --json prints it as it is stored.
    """
    found = run(lambda database: look_ups.get_symbol_raw(exchange, symbol, db=database))
    if found is None:
        raise SymbolNotFound(f"of {shown(symbol)} no row of a list is stored: it was not read from one")
    fields = msgspec.json.Decoder(float_hook=Decimal).decode(found.raw)
    if output.is_json():
        output.show_json({**msgspec.structs.asdict(found), "raw": fields})
    else:
        # As pairs: the row may have a key that is called observed_at, too.
        output.show_pairs([("observed_at", found.observed_at), *((name, _shown(fields[name])) for name in fields)])


def _shown(value: Any) -> Any:
    """Return what holds other values as JSON text; the rest as it is."""
    return output.json_text(value) if isinstance(value, dict | list) else value
