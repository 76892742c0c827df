"""The command `imports`: what the ledger says of imports that changed something, were refused or failed."""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated

import typer

from exchanges_db.cli import output
from exchanges_db.cli.commands import HELP, command
from exchanges_db.cli.completion import complete_exchange
from exchanges_db.cli.output import Column
from exchanges_db.cli.session import parse_time, run
from exchanges_db.errors import NotFound
from exchanges_db.symbols import import_records
from exchanges_db.symbols.import_records import ImportOutcome, ImportRecord

group = typer.Typer(
    help="Look into the ledger of imports: list and show.", rich_markup_mode=None, context_settings=HELP
)


def _what(record: ImportRecord) -> str:
    """Return in words what became of an import: its changes, or why there are none."""
    if record.outcome is ImportOutcome.FAILED:
        return record.error or ""
    if record.outcome is ImportOutcome.REFUSED:
        return "; ".join(hit.reason for hit in record.brakes if not hit.allowed)
    held = f", {len(record.held_back)} held back" if record.held_back else ""
    counts = ", ".join(f"{count} {kind.lower()}" for kind, count in record.changes.items() if count)
    return f"{counts or 'nothing changed'}{held}"


IMPORTS: list[Column[ImportRecord]] = [
    Column("id", attrgetter("id"), must=True),
    Column("exchange", attrgetter("exchange"), must=True),
    Column("list", lambda one: "" if one.listing is None else str(one.listing), must=True),
    Column("outcome", attrgetter("outcome"), must=True),
    Column("ended", attrgetter("ended_at")),
    Column("what", _what, must=True, prose=True),
    Column("by", attrgetter("imported_by")),
    Column("observed", attrgetter("observed_at"), piped=True),
    Column("origin", attrgetter("origin"), piped=True),
    Column("sha256", attrgetter("payload_sha256"), piped=True),
]


@command(group, "list", example="imports list GATEIO_SPOT --outcome refused --since 2026-01-31T12:00:00Z", lists=True)
def list_(
    exchange: Annotated[
        str | None, typer.Argument(metavar="EXCHANGE", help="Only this one's.", autocompletion=complete_exchange)
    ] = None,
    listing: Annotated[
        str | None, typer.Option("--list", metavar="LIST", help="Only of this list, such as PERPETUAL:USDT.")
    ] = None,
    outcome: Annotated[str | None, typer.Option(help="Only APPLIED, REFUSED or FAILED; any case.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only those that ended then or later: ISO 8601 with time zone.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many to list at most.")] = 50,
) -> None:
    """List imports, the newest first.

    Those that changed something, were refused or failed; one that confirms what is known is only counted: see
    `exchanges-db symbols lists`.
    """
    first = None if since is None else parse_time(since)
    found = run(
        lambda database: import_records.list_imports(
            exchange, listing=listing, outcome=outcome, since=first, limit=limit, db=database
        )
    )
    output.show(found, IMPORTS, nothing="no imports")


@command(group, "show", example="imports show 17 --json")
def show(number: Annotated[int, typer.Argument(metavar="ID", help="Its id in the ledger.")]) -> None:
    """Show one import: what it was of, what it changed, what spoke against it, and who made it."""
    record = run(lambda database: import_records.get_import(number, db=database))
    if record is None:
        raise NotFound(f"no import {number} is in the ledger: exchanges-db imports list")
    if output.is_json():
        output.show_json(record)
        return
    pairs = [(field, getattr(record, field)) for field in record.__struct_fields__]
    shown = {"listing": str(record.listing or ""), "changes": [f"{k}: {n}" for k, n in record.changes.items()]}
    several = ("brakes", "held_back")
    plain = [(field, shown.get(field, value)) for field, value in pairs if field not in several]
    plain += [("brake", f"{hit.brake}{' (allowed)' if hit.allowed else ''}: {hit.reason}") for hit in record.brakes]
    plain += [("held back", f"{row.native_symbol}: {row.brake}: {row.reason}") for row in record.held_back]
    output.show_pairs(plain)
