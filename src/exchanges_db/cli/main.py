"""The command `exchanges-db`: puts its subcommands together, and turns errors into one line and an exit code.

Answers go to stdout, everything else to stderr; one of our errors never shows a traceback.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from exchanges_db._version import __version__
from exchanges_db.cli import adopt as cli_adopt
from exchanges_db.cli import database as cli_database
from exchanges_db.cli import exchanges as cli_exchanges
from exchanges_db.cli import fees as cli_fees
from exchanges_db.cli import holds as _holds  # noqa: F401 - adds its commands to exchanges and to `symbols`
from exchanges_db.cli import imports as cli_imports
from exchanges_db.cli import ledger as cli_ledger
from exchanges_db.cli import output, session
from exchanges_db.cli import pruning as cli_pruning
from exchanges_db.cli import roles as cli_roles
from exchanges_db.cli import snapshot as cli_snapshot
from exchanges_db.cli import symbol_lists as _symbol_lists  # noqa: F401 - adds its commands to `symbols`
from exchanges_db.cli import symbols as cli_symbols
from exchanges_db.cli import sync as cli_sync
from exchanges_db.cli import watch as cli_watch
from exchanges_db.cli.commands import HELP, AskEmbedded
from exchanges_db.cli.exit_codes import EXIT_CODES, exit_code_of
from exchanges_db.errors import ExchangesDBError

_ANSWER_LOST, _INTERRUPTED, _NO_READER = 8, 130, 141

app = typer.Typer(
    name="exchanges-db",
    help="Reference data of a trading system: exchanges, symbols and their rules, in PostgreSQL (DATABASE_URL).",
    epilog=EXIT_CODES,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP,
)
app.add_typer(cli_database.app)
app.add_typer(cli_exchanges.app)
app.add_typer(cli_imports.app)
app.add_typer(cli_pruning.app)
app.add_typer(cli_sync.app)
app.add_typer(cli_watch.app)
app.add_typer(cli_symbols.app)
app.add_typer(cli_fees.group, name="fees")
app.add_typer(cli_adopt.app)
app.add_typer(cli_ledger.group, name="imports")
app.add_typer(cli_roles.app)
app.add_typer(cli_snapshot.group, name="snapshot")


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; one of our errors becomes one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # characters that the encoding lacks are escaped
    session.begin()
    output.choose()
    try:
        return _run(arguments)
    finally:
        output.settle()


def _run(arguments: Sequence[str]) -> int:
    stdout = sys.stdout
    try:
        code = typer.main.get_command(app).main(
            list(arguments) or ["--help"], prog_name="exchanges-db", standalone_mode=False
        )
    except output.AnswerLost as exc:
        return _lost(exc)
    except ExchangesDBError as exc:
        output.note(f"error: {exc}")
        return exit_code_of(exc)
    except typer.TyperException as exc:  # wrong usage, found by typer
        context = getattr(exc, "ctx", None)
        advice = "" if context is None else f" (see `{context.command_path} --help`)"
        output.note(f"error: {exc.format_message()}{advice}")
        return 2
    except typer.Abort as exc:
        if isinstance(exc.__context__, KeyboardInterrupt):  # a question turns Ctrl-C into "no"
            output.note("interrupted: nothing was done")
            return _INTERRUPTED
        output.note("error: nothing was done: it was not confirmed")
        return 1
    except SystemExit as exc:  # how typer ends a completion, and help whose reader has gone
        if sys.stdout is not stdout:
            sys.stdout = stdout
            return _NO_READER
        return int(exc.code or 0)
    except OSError as exc:
        if exc.errno is None or exc.filename is not None:
            raise
        # Raised where typer itself writes: help and completion.
        return _lost(output.AnswerLost(exc.strerror or str(exc), quiet=isinstance(exc, BrokenPipeError)))
    if code == _INTERRUPTED:
        output.note("interrupted: a change that was under way may or may not have been made")
    return code if isinstance(code, int) else 0


def _lost(lost: output.AnswerLost) -> int:
    if lost.quiet:
        return _NO_READER
    done = "; what was written to the database stays" if session.has_written() else ""
    output.note(f"error: the answer could not be written to stdout: {lost}{done}")
    return _ANSWER_LOST


def _version(wanted: bool) -> None:
    if wanted:
        output.say(f"exchanges-db {__version__}")
        raise typer.Exit


@app.callback()
def common(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log each event to stderr.")] = False,
    ask_embedded: AskEmbedded = False,
    env_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Read variables that the environment lacks from this file; default: .env, as dbmate does.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of every command."""
    session.choose(ask_embedded=ask_embedded, env_file=env_file)
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
