"""The command that moves another schema's exchanges and symbols in, with their ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from exchanges_db.cli import output
from exchanges_db.cli.commands import command
from exchanges_db.cli.session import run
from exchanges_db.errors import InvalidArgument
from exchanges_db.symbols.adopt import AdoptionReport, adopt_symbols
from exchanges_db.symbols.adoption import AdoptedExchange, ExchangeStep

app = typer.Typer(rich_markup_mode=None)


@command(app, example="adopt --schema legacy --column native_symbol=symbol_name --exchange 'Gate.io=GATEIO_SPOT'")
def adopt(
    schema: Annotated[str, typer.Option(metavar="SCHEMA", help="Where your tables are; not ours.")],
    exchanges_table: Annotated[str, typer.Option(metavar="TABLE", help="A table or view.")] = "exchanges",
    symbols_table: Annotated[str, typer.Option(metavar="TABLE", help="A table or view.")] = "symbols",
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OURS=YOURS",
            help="A column that is called otherwise: id, exchange_id, native_symbol, base, quote; "
            "exchange.id, exchange.name, exchange.enum_value.",
        ),
    ] = None,
    exchange: Annotated[
        list[str] | None,
        typer.Option(metavar="YOURS=OURS", help="Which of ours an exchange is; by your name, enum_value or id."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this nothing is written.")] = False,
) -> None:
    """Take over tables of your own, and keep their ids.

    Says what it would do; with --yes it does it, all of it or nothing. See docs/moving-in.md.
    """
    columns, exchanges = _pairs("--column", column or ()), _pairs("--exchange", exchange or ())
    report = run(
        lambda database: adopt_symbols(
            schema,
            exchanges_table=exchanges_table,
            symbols_table=symbols_table,
            columns=columns,
            exchanges=exchanges,
            dry_run=not yes,
            db=database,
        ),
        writes=yes,
    )
    if output.is_json():
        output.show_json(report)
    else:
        _show(report)


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        # The last one: a name of theirs may have an = in it, ours have none.
        left, equals, right = text.rpartition("=") if option == "--exchange" else text.partition("=")
        if not equals or not left or not right:
            raise InvalidArgument(f"{option} {text!r} is not of the form NAME=NAME", field=option.removeprefix("--"))
        if left in pairs:
            raise InvalidArgument(f"{option}: {left!r} is given twice", field=option.removeprefix("--"))
        pairs[left] = right
    return pairs


def _show(report: AdoptionReport) -> None:
    for one in report.exchanges:
        output.say(f"{one.exchange}: {_told(one)}")
    done = "brought along, known by name only" if report.applied else "would be brought along, known by name only"
    output.say(f"{len(report.symbols)} symbols {done}; {report.known} are here already")
    for note in report.notes:
        output.note(note)
    if not report.applied:
        output.note("nothing was written: --yes does it")


def _told(one: AdoptedExchange) -> str:
    theirs = "" if one.old_name is None else f", {one.old_name!r} in yours"
    what = {
        ExchangeStep.KEPT: f"id {one.id}, as here",
        ExchangeStep.MOVED: f"id {one.id}, here {one.previous_id} before",
        ExchangeStep.ADDED: f"id {one.id}, added",
        ExchangeStep.MADE_ROOM: f"id {one.id}, because its unused id {one.previous_id} is another one's in yours",
    }[one.step]
    return f"{what}{theirs}; {one.symbols} symbols to bring along, {one.known} here already"
