"""The command `sync`: downloads lists of symbols and imports them, once or again and again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from exchanges_db.cli import output, sync_tables
from exchanges_db.cli.commands import command
from exchanges_db.cli.completion import complete_exchange
from exchanges_db.cli.exit_codes import exit_code_of, worst
from exchanges_db.cli.imports import Allow, DryRun, Every
from exchanges_db.cli.progress import bars
from exchanges_db.cli.session import note_written, parse_duration, run
from exchanges_db.database.pool import Database
from exchanges_db.errors import ExchangesDBError, InvalidArgument
from exchanges_db.symbols import sync
from exchanges_db.symbols.keep_synced import SyncRound, keep_synced
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.sync_lists import is_of_all_lists
from exchanges_db.symbols.sync_outcomes import ListOutcome
from exchanges_db.symbols.sync_targets import find_targets

app = typer.Typer(rich_markup_mode=None)

# Of more lists than this, each such number of them is a line: one request for each may take hours.
_MANY_LISTS = 50


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
    again: Annotated[
        str | None,
        typer.Option(
            "--every",
            metavar="TIME",
            help="Go on, with a round every 60s, 10m or so, a line each, until SIGTERM (exit code 0) or Ctrl-C (130).",
        ),
    ] = None,
    allow: Allow = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep what is fetched in this folder, byte for byte, to import it later."),
    ] = None,
    dry_run: DryRun = False,
    every: Every = False,
) -> None:
    """Download lists of symbols and import them.

    An exchange or a list that fails does not stop the others; the exit code is that of the worst.
    """
    if lists and not exchanges:
        raise InvalidArgument("--list is for the exchanges that are named: name one or more", field="listings")
    if again is not None:
        if dry_run or save is not None:
            raise InvalidArgument("--every is for imports: leave --dry-run and --save out", field="every")
        _keep(exchanges, lists, parse_duration(again), allow or [])
        return
    outcomes: list[ListOutcome] = []
    codes = [0]

    def keep(outcome: ListOutcome) -> None:
        outcomes.append(outcome)
        if outcome.report is not None and outcome.report.applied:
            note_written()
        if outcome.error is not None:
            output.note(f"error: {outcome.exchange} {outcome.subject}: {outcome.error}")
            for line in sync_tables.what_to_do(outcome, allow or ()):
                output.note(line)
            codes.append(7)

    async def work(database: Database) -> None:
        found = await find_targets(exchanges, listings=lists or None, db=database)
        with bars() as add_bar:
            for exchange in [target.row.enum_value for target in found]:
                try:
                    await sync.sync_symbols(
                        exchange,
                        listings=lists or None,
                        allow=allow or (),
                        dry_run=dry_run,
                        save=save,
                        on_download=add_bar(f"{exchange} download"),
                        on_retry=partial(_note_retry, exchange),
                        on_progress=add_bar(f"{exchange} import"),
                        on_list=partial(_note_list, exchange),
                        on_outcome=keep,
                        on_warning=output.note,
                        on_wait=output.note,
                        db=database,
                    )
                except ExchangesDBError as exc:
                    codes.extend(exit_code_of(one) for one in (exc, *exc.others))
                    if not any(one.error == str(exc) for one in exc.outcomes):
                        output.note(f"error: {exchange}: {exc}")
                    if is_of_all_lists(exc):
                        return

    try:
        run(work)
    except KeyboardInterrupt:
        with suppress(output.AnswerLost):  # what was imported before it is not undone
            if outcomes:
                sync_tables.show_outcomes(outcomes, every=every)
        raise
    code = worst(codes)
    # An error matters more than its report.
    with suppress(output.AnswerLost) if code else nullcontext():
        sync_tables.show_outcomes(outcomes, every=every)
    if code:
        raise typer.Exit(code)


def _keep(exchanges: Sequence[str] | None, lists: Sequence[str] | None, every: timedelta, allow: Sequence[str]) -> None:
    """Sync again and again until a signal says that it is enough, and say in a line or in JSON what each round did."""
    asked: list[int] = []

    def tell(one: SyncRound) -> None:
        if any(outcome.report is not None and outcome.report.applied for outcome in one.outcomes):
            note_written()
        sync_tables.show_round(one)

    async def work(database: Database) -> None:
        stop = asyncio.Event()
        with _heeding(stop, asked):
            await keep_synced(
                exchanges or None, every=every, listings=lists or None, allow=allow, stop=stop,
                on_round=tell, on_warning=output.note, on_wait=output.note, db=database,
            )  # fmt: skip

    try:
        run(work)
    except asyncio.CancelledError:
        if not asked:
            raise
        output.note("interrupted: what was under way was rolled back")
    if signal.SIGINT in asked:
        raise SystemExit(130)  # not as typer's exit, which would say that nobody knows what was done


@contextmanager
def _heeding(stop: asyncio.Event, asked: list[int]) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the round that runs, and a second one of them end it at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def heed(number: int) -> None:
        if asked:
            task.cancel()
        asked.append(number)
        stop.set()

    heeded = []
    # Not there on Windows, nor in a thread: then the signals end the program as they end any other.
    with suppress(NotImplementedError, RuntimeError, ValueError):
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, heed, number)
            heeded.append(number)
    try:
        yield
    finally:
        for number in heeded:
            loop.remove_signal_handler(number)


def _note_list(exchange: str, listing: Listing, number: int, total: int) -> None:
    if total > _MANY_LISTS and (number - 1) % _MANY_LISTS == 0:
        output.note(f"{exchange} {listing}: list {number} of {total}")


def _note_retry(exchange: str, reason: str, wait: float) -> None:
    output.note(f"{exchange} {reason}: next try in {wait:.1f} s")
