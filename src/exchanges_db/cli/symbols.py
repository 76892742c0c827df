"""The command `symbols`: look-ups of symbols, now and in the past."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from exchanges_db.cli import output, symbol_tables
from exchanges_db.cli.commands import HELP, command
from exchanges_db.cli.completion import complete_exchange
from exchanges_db.cli.session import parse_duration, parse_time, run
from exchanges_db.database.pool import Database
from exchanges_db.errors import InvalidArgument, SymbolNotFound, shown
from exchanges_db.orders import pairs
from exchanges_db.symbols import history, look_ups
from exchanges_db.symbols.freshness import ListFreshness, get_freshness
from exchanges_db.symbols.models import Symbol, SymbolVersion
from exchanges_db.symbols.positions import is_position

app = typer.Typer(rich_markup_mode=None)
group = typer.Typer(
    help="Look symbols up: list, show, history, diff and more.", rich_markup_mode=None, context_settings=HELP
)
app.add_typer(group, name="symbols")

Where = Annotated[
    str,
    typer.Argument(metavar="EXCHANGE", help="Its enum_value, such as GATEIO_SPOT.", autocompletion=complete_exchange),
]
Name = Annotated[str, typer.Argument(metavar="SYMBOL", help="Canonical name (BTC/USDT:USDT) or the exchange's own.")]
MaxAge = Annotated[
    str | None, typer.Option(metavar="TIME", help="Only what the exchange confirmed at most so long ago: 10m, 2h.")
]
At = Annotated[str | None, typer.Option(metavar="TIME", help="As known then: ISO 8601 with time zone.")]


@command(group, "list", example="symbols list GATEIO_SPOT --quote USDT --json", lists=True)
def list_(
    exchange: Annotated[
        str | None, typer.Argument(metavar="EXCHANGE", help="Only this one's.", autocompletion=complete_exchange)
    ] = None,
    base: Annotated[str | None, typer.Option(help="Only of this coin.")] = None,
    quote: Annotated[str | None, typer.Option(help="Only quoted in this.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only SPOT, PERPETUAL, FUTURE or OPTION; any case.")] = None,
    every: Annotated[bool, typer.Option("--all", help="List those that cannot be traded, too.")] = False,
    max_age: MaxAge = None,
    at: At = None,
) -> None:
    """List the symbols that can be traded.

    Now, or at a time in the past. Says on stderr how old the lists are that they are from.
    """
    moment, tradable = None if at is None else parse_time(at), None if every else True
    longest = None if max_age is None else parse_duration(max_age)
    if longest is not None and (every or moment is not None):
        raise InvalidArgument("--max-age says what can be traded now: leave out --all and --at", field="max_age")
    ages: list[ListFreshness] = []

    async def work(database: Database) -> list[Symbol]:
        if moment is None:
            ages.extend(await get_freshness(exchange, db=database))
            return await look_ups.list_symbols(
                exchange, base=base, quote=quote, kind=kind, tradable=tradable, max_age=longest, db=database
            )
        return await history.list_symbols_as_of(
            exchange, moment, base=base, quote=quote, kind=kind, tradable=tradable, db=database
        )

    found = run(work)
    output.show(found, symbol_tables.SYMBOLS, nothing="no symbols")
    for line in symbol_tables.ages_of(found, ages):
        output.note(line)


@command(group, "show", example="symbols show GATEIO_FUTURES BTC_USDT --at 2026-01-31T12:00:00Z")
def show(exchange: Where, symbol: Name, at: At = None) -> None:
    """Show one symbol, now or at a time in the past."""
    moment = None if at is None else parse_time(at)

    async def work(database: Database) -> Symbol:
        if moment is None:
            return await look_ups.find_symbol(exchange, symbol, db=database)
        found = await history.get_symbol_as_of(exchange, symbol, moment, db=database)
        if found is None and await history.get_symbol_history(exchange, symbol, db=database):
            # Advice on the name would name this very symbol.
            when = f"see `exchanges-db symbols history {shlex.quote(exchange)} {shlex.quote(symbol)}`"
            raise SymbolNotFound(f"{shown(symbol)} was not known at {moment.isoformat()}: {when}")
        if found is None:
            raise await look_ups.explain_missing(exchange, symbol, db=database)
        return found

    output.show_record(run(work))


@command(group, "history", example="symbols history GATEIO_FUTURES BTC_USDT", lists=True)
def history_(exchange: Where, symbol: Name) -> None:
    """List every version of a symbol.

    Shows when it held and how it differs from the one before.
    """

    async def work(database: Database) -> list[SymbolVersion]:
        found = await history.get_symbol_history(exchange, symbol, db=database)
        if not found:
            raise await look_ups.explain_missing(exchange, symbol, db=database)
        return found

    symbol_tables.show_versions(run(work))


@command(group, "diff", example="symbols diff GATEIO_SPOT --since 2026-01-31T12:00:00Z", lists=True)
def diff(
    exchange: Where,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="ISO 8601 with time zone, or EPOCH:TOKEN, a position of a registry.")
    ],
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Default: now.")] = None,
) -> None:
    """List what changed between two times."""
    first = since if is_position(since) else parse_time(since)
    last = None if until is None else parse_time(until)
    found = run(lambda database: history.diff_symbols(exchange, first, last, db=database))
    output.show(found.changes, symbol_tables.SYMBOL_CHANGES, nothing="nothing changed")
    reached = found.until.isoformat() if found.position is None else "{}:{}".format(*found.position)
    output.note(f"up to {reached}: pass that as --since the next time")


@command(group, "search", example="symbols search pepe", lists=True)
def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Part of a name, in any case.")],
    limit: Annotated[int, typer.Option(help="How many to list at most.")] = 50,
) -> None:
    """Find symbols by a part of their name."""
    found = run(lambda database: look_ups.search_symbols(text, limit=limit, db=database))
    output.show(found, symbol_tables.SYMBOLS, nothing="no symbols")


@command(group, "common", example="symbols common MEXC_SPOT GATEIO_SPOT GATEIO_FUTURES", lists=True)
def common(
    exchanges: Annotated[
        list[str], typer.Argument(metavar="EXCHANGE", help="Two or more.", autocompletion=complete_exchange)
    ],
    max_age: MaxAge = None,
) -> None:
    """List what two or more exchanges trade alike.

    Shows the price and quantity grids on which both sides of a pair take orders.
    """
    longest = None if max_age is None else parse_duration(max_age)
    found = run(lambda database: pairs.common_symbols(*exchanges, max_age=longest, db=database))
    for name in found.left_out:
        output.note(f"left out: {name.symbol} of {name.exchange} is the name of {' and '.join(name.native_symbols)}")
    output.show(found.pairs, symbol_tables.COMMON_SYMBOLS, nothing="no symbols in common")


@command(group, "stats", example="symbols stats --json", lists=True)
def stats() -> None:
    """Count symbols by exchange, kind and status."""
    found = run(lambda database: look_ups.get_symbol_stats(db=database))
    output.show(found, symbol_tables.SYMBOL_STATS, nothing="no symbols")
