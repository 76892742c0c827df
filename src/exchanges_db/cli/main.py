"""The command `exchanges-db`: its commands put together, and what its exit codes mean.

Answers go to stdout, everything else to stderr; an error of ours is one line, never a traceback.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated, NoReturn

import typer

from exchanges_db._version import __version__
from exchanges_db.cli import database as cli_database
from exchanges_db.cli import exchanges as cli_exchanges
from exchanges_db.cli import symbols as cli_symbols
from exchanges_db.cli import tables
from exchanges_db.errors import (
    AccessDenied,
    AmbiguousSymbol,
    ConfigurationError,
    Conflict,
    ConstraintViolated,
    DatabaseError,
    DownloadFailed,
    ExchangesDBError,
    InvalidArgument,
    MigrationError,
    NotFound,
    OutcomeUnknown,
    PayloadError,
)
from exchanges_db.symbols.report import ImportRefused

EXIT_CODES = (
    "Exit codes: 0 done; 1 the answer is no (pending migrations, failed validation, no such exchange or symbol); "
    "2 wrong usage, value or configuration; 3 database out of reach or its schema too old; 4 refused by the "
    "database (constraint, conflict, rights); 5 outcome of a write unknown; 6 migration failed or locked; "
    "7 a list of symbols refused, unreadable or not to be had."
)
# The first class that fits decides.
_EXIT_CODE: list[tuple[type[ExchangesDBError], int]] = [
    (NotFound, 1),
    (AmbiguousSymbol, 1),
    (InvalidArgument, 2),
    (ConfigurationError, 2),
    (ConstraintViolated, 4),
    (Conflict, 4),
    (AccessDenied, 4),
    (OutcomeUnknown, 5),
    (DatabaseError, 3),
    (MigrationError, 6),
    (PayloadError, 7),
    (ImportRefused, 7),
    (DownloadFailed, 7),
]

app = typer.Typer(
    name="exchanges-db",
    help="Reference data of a trading system: exchanges, symbols and their rules, in PostgreSQL (DATABASE_URL).",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_database.app)
app.add_typer(cli_exchanges.app)
app.add_typer(cli_symbols.app)


def main() -> NoReturn:
    """Run the command line; an error of ours becomes one line on stderr and an exit code."""
    try:
        app()
    except ExchangesDBError as exc:
        tables.print_error(str(exc))
        sys.exit(next(code for kind, code in _EXIT_CODE if isinstance(exc, kind)))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"exchanges-db {__version__}")
        raise typer.Exit


@app.callback()
def common(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log each event to stderr.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options of every command."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
