"""The commands on symbols: import, sync, and `symbols` with its look-ups."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from exchanges_db.cli import symbol_tables, tables
from exchanges_db.cli.session import AsJson, parse_time, run
from exchanges_db.database.pool import Database
from exchanges_db.errors import ConfigurationError, DownloadFailed, PayloadError
from exchanges_db.orders import pairs as arbitrage
from exchanges_db.symbols import history as symbol_versions
from exchanges_db.symbols import importing as symbol_import
from exchanges_db.symbols import look_ups as symbols
from exchanges_db.symbols import sync
from exchanges_db.symbols.changes import Brake
from exchanges_db.symbols.models import Symbol, SymbolVersion
from exchanges_db.symbols.payloads.readers import READERS
from exchanges_db.symbols.report import ImportRefused, ImportReport

app = typer.Typer(rich_markup_mode=None)
group = typer.Typer(help="Look symbols up: list, show, history, diff and more.", rich_markup_mode=None)
app.add_typer(group, name="symbols")

_LARGEST_FILE = 256 * 2**20
Where = Annotated[str, typer.Argument(metavar="EXCHANGE", help="Its enum_value, such as GATEIO_SPOT.")]
Name = Annotated[str, typer.Argument(metavar="SYMBOL", help="Canonical name (BTC/USDT:USDT) or the exchange's own.")]
At = Annotated[str | None, typer.Option(metavar="TIME", help="As known then: ISO 8601 with time zone.")]
Allow = Annotated[
    list[Brake] | None,
    typer.Option(case_sensitive=False, help="A brake that does not refuse this time; may be given several times."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]
Every = Annotated[bool, typer.Option("--all", help="Show every change, not the first 50.")]


@app.command("import", epilog="Example: exchanges-db import GATEIO_FUTURES contracts.json --settle usdt --dry-run")
def import_(
    exchange: Where,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The exchange's whole answer, as it came; - for stdin.")],
    settle: Annotated[str, typer.Option(help="What Gate.io futures contracts settle in.")] = "usdt",
    observed_at: Annotated[str | None, typer.Option(metavar="TIME", help="When it was fetched; default: now.")] = None,
    allow: Allow = None,
    dry_run: DryRun = False,
    every: Every = False,
    as_json: AsJson = False,
) -> None:
    """Import an exchange's list of symbols from a file: all of it or nothing."""
    moment = None if observed_at is None else parse_time(observed_at)
    payload = _read(file)

    async def work(database: Database) -> ImportReport:
        with _bars() as bars:
            return await symbol_import.import_symbols(
                exchange,
                payload,
                settle=settle,
                observed_at=moment,
                allow=allow or (),
                dry_run=dry_run,
                on_progress=_bar(bars, f"{exchange} import"),
                db=database,
            )

    try:
        report = run(work)
    except ImportRefused as exc:
        symbol_tables.print_reports([exc.report], as_json=as_json, every=every)
        raise
    symbol_tables.print_reports([report], as_json=as_json, every=every)


@app.command("sync", epilog="Example: exchanges-db sync MEXC_SPOT GATEIO_SPOT --dry-run")
def sync_(
    exchanges: Annotated[list[str] | None, typer.Argument(metavar="[EXCHANGE...]", help="Default: all it can.")] = None,
    allow: Allow = None,
    dry_run: DryRun = False,
    every: Every = False,
    as_json: AsJson = False,
) -> None:
    """Fetch lists of symbols from the exchanges and import them; one that fails does not stop the others."""
    failed = False

    async def work(database: Database) -> list[ImportReport]:
        nonlocal failed
        reports: list[ImportReport] = []
        with _bars() as bars:
            for exchange in exchanges or READERS:
                try:
                    reports += await sync.sync_symbols(
                        exchange,
                        allow=allow or (),
                        dry_run=dry_run,
                        on_download=_bar(bars, f"{exchange} download"),
                        on_retry=partial(_note_retry, exchange),
                        on_progress=_bar(bars, f"{exchange} import"),
                        db=database,
                    )
                except (DownloadFailed, PayloadError, ImportRefused) as exc:
                    failed = True
                    tables.print_error(f"{exchange}: {exc}")
                    if isinstance(exc, ImportRefused):
                        reports.append(exc.report)
        return reports

    symbol_tables.print_reports(run(work), as_json=as_json, every=every)
    if failed:
        raise typer.Exit(7)


@group.command("list", epilog="Example: exchanges-db symbols list GATEIO_SPOT --quote USDT --json")
def list_(
    exchange: Annotated[str | None, typer.Argument(metavar="[EXCHANGE]", help="Only this one's.")] = None,
    base: Annotated[str | None, typer.Option(help="Only of this coin.")] = None,
    quote: Annotated[str | None, typer.Option(help="Only quoted in this.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only SPOT, PERPETUAL, FUTURE or OPTION; any case.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that do not trade.")] = False,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """List symbols that trade, now or at a time in the past."""
    moment, active = None if at is None else parse_time(at), None if every else True

    async def work(database: Database) -> list[Symbol]:
        if moment is None:
            return await symbols.list_symbols(exchange, base=base, quote=quote, kind=kind, active=active, db=database)
        return await symbol_versions.list_symbols_as_of(
            exchange, moment, base=base, quote=quote, kind=kind, active=active, db=database
        )

    symbol_tables.print_symbols(run(work), as_json=as_json)


@group.command("show", epilog="Example: exchanges-db symbols show GATEIO_FUTURES BTC_USDT --at 2026-01-31T12:00:00Z")
def show(exchange: Where, symbol: Name, at: At = None, as_json: AsJson = False) -> None:
    """Show one symbol, now or at a time in the past."""
    moment = None if at is None else parse_time(at)

    async def work(database: Database) -> Symbol:
        if moment is not None:
            found = await symbol_versions.get_symbol_as_of(exchange, symbol, moment, db=database)
        else:
            # The exchange's own name first: that one is taken exactly, the canonical one in another case too.
            found = await symbols.get_symbol_by_native(exchange, symbol, db=database)
            found = found or await symbols.get_symbol(exchange, symbol, db=database)
        if found is None:
            raise await symbols.explain_missing(exchange, symbol, db=database)
        return found

    symbol_tables.print_symbol(run(work), as_json=as_json)


@group.command("history", epilog="Example: exchanges-db symbols history GATEIO_FUTURES BTC_USDT")
def history_(exchange: Where, symbol: Name, as_json: AsJson = False) -> None:
    """List every version of a symbol: when it held, and what was different."""

    async def work(database: Database) -> list[SymbolVersion]:
        found = await symbol_versions.get_symbol_history(exchange, symbol, db=database)
        if not found:
            raise await symbols.explain_missing(exchange, symbol, db=database)
        return found

    symbol_tables.print_versions(run(work), as_json=as_json)


@group.command("diff", epilog="Example: exchanges-db symbols diff GATEIO_SPOT --since 2026-01-31T12:00:00Z")
def diff(
    exchange: Where,
    since: Annotated[str, typer.Option(metavar="TIME", help="ISO 8601 with time zone.")],
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Default: now.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what changed in an exchange's symbols between two times."""
    first, last = parse_time(since), None if until is None else parse_time(until)
    changes = run(lambda database: symbol_versions.diff_symbols(exchange, first, last, db=database))
    symbol_tables.print_changes(changes, as_json=as_json)


@group.command("search", epilog="Example: exchanges-db symbols search pepe")
def search(
    text: Annotated[str, typer.Argument(help="Part of a name, in any case.")],
    limit: Annotated[int, typer.Option(help="How many to list at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Find symbols by a part of their name."""
    found = run(lambda database: symbols.search_symbols(text, limit=limit, db=database))
    symbol_tables.print_symbols(found, as_json=as_json)


@group.command("common", epilog="Example: exchanges-db symbols common MEXC_SPOT GATEIO_FUTURES")
def common(exchange_a: Where, exchange_b: Where, as_json: AsJson = False) -> None:
    """List what two exchanges both trade, and the price and quantity grids they share."""
    found = run(lambda database: arbitrage.common_symbols(exchange_a, exchange_b, db=database))
    symbol_tables.print_common(found, as_json=as_json)


@group.command("stats", epilog="Example: exchanges-db symbols stats --json")
def stats(as_json: AsJson = False) -> None:
    """Count symbols by exchange, kind and status."""
    found = run(lambda database: symbols.get_symbol_stats(db=database))
    symbol_tables.print_symbol_stats(found, as_json=as_json)


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


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,.0f}"),
        console=tables.notes,
        transient=True,
        disable=not tables.notes.is_terminal,
    )


def _bar(bars: Progress, text: str) -> Callable[[int, int | None], None]:
    task = bars.add_task(text, total=None)

    def advance(done: int, total: int | None) -> None:
        bars.update(task, completed=done, total=total)

    return advance


def _note_retry(exchange: str, reason: str, wait: float) -> None:
    tables.print_note(f"{exchange} {reason}: next try in {wait:.1f} s")
