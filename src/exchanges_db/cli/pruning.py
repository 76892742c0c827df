"""The commands that delete what is old of ledger and histories, and tell what was deleted."""

from __future__ import annotations

from typing import Annotated

import typer

from exchanges_db.cli import output, tables
from exchanges_db.cli.commands import command
from exchanges_db.cli.confirmation import confirm
from exchanges_db.cli.progress import bars
from exchanges_db.cli.session import parse_time, resolve_dsn, run, where
from exchanges_db.symbols.pruning import PruneReport, list_prunes, prune_history

app = typer.Typer(rich_markup_mode=None)


@command(app, example="prune --before 2026-01-01T00:00:00Z --dry-run")
def prune(
    before: Annotated[str, typer.Option(metavar="TIME", help="Delete what ended before this; ISO 8601 with a zone.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would be deleted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete what is old of ledger and histories, for ever.

    For the owner of the tables only, and itself recorded. What held at that time or since stays; a question about a
    time before it is refused where its answer may have been deleted.
    """
    moment = parse_time(before)
    if not (dry_run or yes):
        resolve_dsn()
        confirm(f"Delete what ended before {moment.isoformat()} of ledger and histories of {where()}, for ever?")
    with bars() as add:
        report = run(
            lambda database: prune_history(moment, dry_run=dry_run, on_progress=add("rows"), db=database),
            writes=not dry_run,
        )
    if output.is_json():
        output.show_json(report)
    else:
        output.say(_sentence(report))


def _sentence(report: PruneReport) -> str:
    counted = [f"{rows} of {table}" for table, rows in report.rows.items() if rows]
    verb = "would delete" if report.dry_run else "deleted"
    return f"{verb} {', '.join(counted)}" if counted else "nothing is that old"


@command(app, example="prunes", lists=True)
def prunes() -> None:
    """List what was pruned, up to when, and by whom."""
    output.show(run(lambda database: list_prunes(db=database)), tables.PRUNES, nothing="nothing was ever pruned")
