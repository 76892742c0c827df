"""The commands `import`, which brings a list from a file into the database, and `readers`: what can be read."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from exchanges_db.cli import output, symbol_tables
from exchanges_db.cli.commands import command
from exchanges_db.cli.progress import bars
from exchanges_db.cli.session import parse_time, run
from exchanges_db.cli.symbols import Where
from exchanges_db.database.pool import Database
from exchanges_db.errors import ConfigurationError, ExchangesDBError, InvalidArgument, PayloadError
from exchanges_db.symbols import importing
from exchanges_db.symbols.payloads.asking import lists_of
from exchanges_db.symbols.payloads.reader import Reader
from exchanges_db.symbols.payloads.readers import all_readers, broken_readers
from exchanges_db.symbols.report import ImportRefused, ImportReport

app = typer.Typer(rich_markup_mode=None)

_LARGEST_FILE = 256 * 2**20
Allow = Annotated[
    list[str] | None,
    typer.Option(
        metavar="BRAKE=WHAT",
        help="What may pass although a brake stops it: jump=SYMBOL, left=sha256:HASH; may be repeated.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]
Every = Annotated[bool, typer.Option("--all", help="Show every change and oddity, not only the first 20 of each kind.")]


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
    companion: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="What the exchange says of symbols that the list has no longer."),
    ] = None,
    allow: Allow = None,
    dry_run: DryRun = False,
    every: Every = False,
) -> None:
    """Import a list of symbols from a file.

    All of it or nothing, but for single rows that a brake holds back.
    """
    moment = None if observed_at is None else parse_time(observed_at)
    if file == companion == "-":
        raise InvalidArgument("stdin is one file, not two: name one of them", field="companion")
    payload = _read(file)
    beside = None if companion is None else _read(companion)

    async def work(database: Database) -> ImportReport:
        with bars() as add_bar:
            return await importing.import_symbols(
                exchange,
                payload,
                listing=listing,
                companion=beside,
                observed_at=moment,
                origin="stdin" if file == "-" else file,
                allow=allow or (),
                dry_run=dry_run,
                on_wait=output.note,
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
    if dry_run and not all(hit.allowed for hit in report.brakes):
        raise typer.Exit(7)


@command(app, "readers", example="readers --json", lists=True, asks=False)
def readers() -> None:
    """List who reads which lists of symbols.

    Those of this package, and those that installed packages offer.
    """
    lines = [_line(reader) for reader in all_readers()]
    broken = [
        symbol_tables.ReaderLine(one.name, None, (), None, f"{one.value}: {one.reason}") for one in broken_readers()
    ]
    output.show([*lines, *broken], symbol_tables.READERS, nothing="no readers")


def _line(reader: Reader) -> symbol_tables.ReaderLine:
    fault = None
    try:
        lists = [f"told by {reader.index.path}"] if reader.index else list(map(str, lists_of(reader)))
    except ExchangesDBError as exc:
        lists, fault = [], str(exc)
    return symbol_tables.ReaderLine(reader.name, reader.exchange, tuple(lists), reader.version, fault)


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
