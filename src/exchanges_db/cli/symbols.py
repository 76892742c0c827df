"""The commands on symbols: import, sync, and `symbols` with its look-ups."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from exchanges_db.cli import output, symbol_tables
from exchanges_db.cli.commands import HELP, command
from exchanges_db.cli.completion import complete_exchange
from exchanges_db.cli.progress import bars
from exchanges_db.cli.session import note_written, parse_time, run
from exchanges_db.database.pool import Database
from exchanges_db.errors import (
    ConfigurationError,
    DownloadFailed,
    ExchangesDBError,
    InvalidArgument,
    PayloadError,
    SymbolNotFound,
    shown,
)
from exchanges_db.orders import pairs
from exchanges_db.symbols import history, importing, look_ups, sync
from exchanges_db.symbols.changes import Brake
from exchanges_db.symbols.models import Symbol, SymbolVersion
from exchanges_db.symbols.report import ImportRefused, ImportReport

app = typer.Typer(rich_markup_mode=None)
group = typer.Typer(
    help="Look symbols up: list, show, history, diff and more.", rich_markup_mode=None, context_settings=HELP
)
app.add_typer(group, name="symbols")

# What fails for one exchange or one list of it, and not for all.
_FAILURES = (ConfigurationError, DownloadFailed, PayloadError, ImportRefused, InvalidArgument)
_LARGEST_FILE = 256 * 2**20
Where = Annotated[
    str,
    typer.Argument(metavar="EXCHANGE", help="Its enum_value, such as GATEIO_SPOT.", autocompletion=complete_exchange),
]
Name = Annotated[str, typer.Argument(metavar="SYMBOL", help="Canonical name (BTC/USDT:USDT) or the exchange's own.")]
At = Annotated[str | None, typer.Option(metavar="TIME", help="As known then: ISO 8601 with time zone.")]
Allow = Annotated[
    list[Brake] | None,
    typer.Option(case_sensitive=False, help="A brake that must not stop the import this time; may be repeated."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]
Every = Annotated[bool, typer.Option("--all", help="Show every change, not only the first 20 of each kind.")]


@command(app, "import", example="import GATEIO_FUTURES contracts.json --list PERPETUAL:USDT --dry-run")
def import_(
    exchange: Where,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The exchange's whole answer, as it came; - for stdin.")],
    listing: Annotated[
        str | None,
        typer.Option(
            "--list", metavar="LIST", help="Which of its lists, such as PERPETUAL:USDT, where it has several."
        ),
    ] = None,
    observed_at: Annotated[str | None, typer.Option(metavar="TIME", help="When it was fetched; default: now.")] = None,
    allow: Allow = None,
    dry_run: DryRun = False,
    every: Every = False,
) -> None:
    """Import a list of symbols from a file.

    All of it or nothing.
    """
    moment = None if observed_at is None else parse_time(observed_at)
    payload = _read(file)

    async def work(database: Database) -> ImportReport:
        with bars() as add_bar:
            return await importing.import_symbols(
                exchange,
                payload,
                listing=listing,
                observed_at=moment,
                allow=allow or (),
                dry_run=dry_run,
                on_progress=add_bar(f"{exchange} import"),
                db=database,
            )

    try:
        report = run(work, writes=not dry_run)
    except ImportRefused as exc:
        with suppress(output.AnswerLost):  # the refusal matters more than its report
            symbol_tables.show_reports([exc.report], every=every)
        raise
    symbol_tables.show_reports([report], every=every)


@command(app, "sync", example="sync GATEIO_FUTURES --list PERPETUAL:USDT --dry-run")
def sync_(
    exchanges: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="EXCHANGE", help="Default: the active ones that have a reader.", autocompletion=complete_exchange
        ),
    ] = None,
    lists: Annotated[
        list[str] | None,
        typer.Option("--list", metavar="LIST", help="Only this list, such as PERPETUAL:USDT; may be repeated."),
    ] = None,
    allow: Allow = None,
    dry_run: DryRun = False,
    every: Every = False,
) -> None:
    """Download lists of symbols and import them.

    An exchange or a list that fails does not stop the others.
    """
    if lists and not exchanges:
        raise InvalidArgument("--list is for the exchanges that are named: name one or more", field="listings")
    reports: list[ImportReport] = []
    failed = False

    async def work(database: Database) -> None:
        nonlocal failed
        found = await sync.find_to_sync(exchanges, listings=lists or None, db=database)
        with bars() as add_bar:
            for exchange in [row.enum_value for row in found]:
                try:
                    reports.extend(
                        await sync.sync_symbols(
                            exchange,
                            listings=lists or None,
                            allow=allow or (),
                            dry_run=dry_run,
                            on_download=add_bar(f"{exchange} download"),
                            on_retry=partial(_note_retry, exchange),
                            on_progress=add_bar(f"{exchange} import"),
                            db=database,
                        )
                    )
                except ExchangesDBError as exc:
                    reports.extend(exc.reports)
                    _note_failures(exchange, exc.others, reports)
                    if not isinstance(exc, _FAILURES):
                        raise
                    failed = True
                    _note_failures(exchange, [exc], reports)
                if not dry_run and any(report.applied for report in reports):
                    note_written()

    try:
        run(work)
    except ExchangesDBError:
        with suppress(output.AnswerLost):  # what was imported before it is not undone
            if reports:
                symbol_tables.show_reports(reports, every=every)
        raise
    symbol_tables.show_reports(reports, every=every)
    if failed:
        raise typer.Exit(7)


@command(group, "list", example="symbols list GATEIO_SPOT --quote USDT --json", lists=True)
def list_(
    exchange: Annotated[
        str | None, typer.Argument(metavar="EXCHANGE", help="Only this one's.", autocompletion=complete_exchange)
    ] = None,
    base: Annotated[str | None, typer.Option(help="Only of this coin.")] = None,
    quote: Annotated[str | None, typer.Option(help="Only quoted in this.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only SPOT, PERPETUAL, FUTURE or OPTION; any case.")] = None,
    every: Annotated[bool, typer.Option("--all", help="List those that cannot be traded, too.")] = False,
    at: At = None,
) -> None:
    """List the symbols that can be traded.

    Now, or at a time in the past.
    """
    moment, tradable = None if at is None else parse_time(at), None if every else True

    async def work(database: Database) -> list[Symbol]:
        if moment is None:
            return await look_ups.list_symbols(
                exchange, base=base, quote=quote, kind=kind, tradable=tradable, db=database
            )
        return await history.list_symbols_as_of(
            exchange, moment, base=base, quote=quote, kind=kind, tradable=tradable, db=database
        )

    output.show(run(work), symbol_tables.SYMBOLS, nothing="no symbols")


@command(group, "show", example="symbols show GATEIO_FUTURES BTC_USDT --at 2026-01-31T12:00:00Z")
def show(exchange: Where, symbol: Name, at: At = None) -> None:
    """Show one symbol, now or at a time in the past."""
    moment = None if at is None else parse_time(at)

    async def work(database: Database) -> Symbol:
        if moment is not None:
            found = await history.get_symbol_as_of(exchange, symbol, moment, db=database)
            if found is None and await history.get_symbol_history(exchange, symbol, db=database):
                # Advice on the name would name this very symbol.
                when = f"see `exchanges-db symbols history {shlex.quote(exchange)} {shlex.quote(symbol)}`"
                raise SymbolNotFound(f"{shown(symbol)} was not known at {moment.isoformat()}: {when}")
        else:
            # The exchange's own name first: it must match exactly, a canonical name may be in another case.
            found = await look_ups.get_symbol_by_native(exchange, symbol, db=database)
            found = found or await look_ups.get_symbol(exchange, symbol, db=database)
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
    since: Annotated[str, typer.Option(metavar="TIME", help="ISO 8601 with time zone.")],
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Default: now.")] = None,
) -> None:
    """List what changed between two times."""
    first, last = parse_time(since), None if until is None else parse_time(until)
    changes = run(lambda database: history.diff_symbols(exchange, first, last, db=database))
    output.show(changes, symbol_tables.SYMBOL_CHANGES, nothing="nothing changed")


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
) -> None:
    """List what two or more exchanges trade alike.

    Shows the price and quantity grids on which both sides of a pair take orders.
    """
    found = run(lambda database: pairs.common_symbols(*exchanges, db=database))
    for name in found.left_out:
        output.note(f"left out: {name.symbol} of {name.exchange} is the name of {' and '.join(name.native_symbols)}")
    output.show(found.pairs, symbol_tables.COMMON_SYMBOLS, nothing="no symbols in common")


@command(group, "stats", example="symbols stats --json", lists=True)
def stats() -> None:
    """Count symbols by exchange, kind and status."""
    found = run(lambda database: look_ups.get_symbol_stats(db=database))
    output.show(found, symbol_tables.SYMBOL_STATS, nothing="no symbols")


def _read(file: str) -> bytes:
    try:
        if file == "-":
            payload = sys.stdin.buffer.read(_LARGEST_FILE + 1)
        else:
            with Path(file).open("rb") as stream:
                payload = stream.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise ConfigurationError(f"cannot read {file!r}: {reason}") from exc
    if len(payload) > _LARGEST_FILE:
        raise PayloadError(f"{file!r} is longer than {_LARGEST_FILE} bytes: that is no list of symbols")
    return payload


def _note_failures(exchange: str, errors: Iterable[ExchangesDBError], reports: list[ImportReport]) -> None:
    for error in errors:
        output.note(f"error: {exchange}{f' {error.listing}' if error.listing else ''}: {error}")
        if isinstance(error, ImportRefused):
            reports.append(error.report)


def _note_retry(exchange: str, reason: str, wait: float) -> None:
    output.note(f"{exchange} {reason}: next try in {wait:.1f} s")
