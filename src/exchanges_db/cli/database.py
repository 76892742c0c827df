"""The commands on the database as a whole: migrations, validation, and the schema as SQL."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from exchanges_db.cli import output, tables
from exchanges_db.cli.commands import command
from exchanges_db.cli.confirmation import confirm
from exchanges_db.cli.progress import waiting
from exchanges_db.cli.session import note_written, parse_duration, resolve_dsn, run, where
from exchanges_db.cli.signals import run_until_signal
from exchanges_db.errors import AccessDenied, ConfigurationError, DatabaseUnavailable, SchemaMismatch
from exchanges_db.schema import migrations
from exchanges_db.schema.ledger import parse_ledger, what_is_wrong
from exchanges_db.schema.sql_files import schema_sql
from exchanges_db.symbols.freshness import ListFreshness, get_freshness, span
from exchanges_db.validation.report import report_html, summary
from exchanges_db.validation.validate import validate_exchanges

app = typer.Typer(rich_markup_mode=None)
LockTimeout = Annotated[
    float, typer.Option(min=0, help="Seconds to wait for another process that is migrating, and for locks on tables.")
]
MigrationsTable = Annotated[
    str | None,
    typer.Option(
        metavar="[SCHEMA.]TABLE",
        help="Where dbmate keeps applied versions. Default: DBMATE_MIGRATIONS_TABLE, else schema_migrations.",
    ),
]


@command(app, example="migrate && exchanges-db status", answers=False)
def migrate(
    strict: Annotated[bool, typer.Option(help="Refuse a file that is older than an applied one.")] = True,
    lock_timeout: LockTimeout = 300.0,
    migrations_table: MigrationsTable = None,
) -> None:
    """Apply the pending migrations, with dbmate.

    One process at a time: others wait. Refuses when a file changed after it was applied, or when another project
    has applied a file of the same version. Ended early, it says what is applied and what is not.
    """
    dsn = resolve_dsn()
    applied = run_until_signal(
        migrations.migrate(
            dsn, strict=strict, lock_timeout=lock_timeout, migrations_table=migrations_table, on_line=output.note
        )
    )
    note_written()
    output.say(f"applied {', '.join(applied)}" if applied else "nothing to apply")


@command(app, example="status || exchanges-db migrate", lists=True)
def status(migrations_table: MigrationsTable = None) -> None:
    """List migrations, and how old the lists of symbols are.

    Exit code 1 when one is pending, when its file was changed after it was applied, or when another project has
    applied a file of the same version.
    """
    found = asyncio.run(
        migrations.get_migrations(resolve_dsn(), migrations_table=migrations_table, on_line=output.note)
    )
    ages = _ages()
    if output.is_json():
        output.show_json({"migrations": found, "lists": ages})
    else:
        output.show(found, tables.MIGRATIONS, nothing="no migrations")
        _show_ages(ages)
    wrong = what_is_wrong(found, parse_ledger(migrations_table))
    if wrong is not None:
        output.note(wrong)
    if not all(migration.is_settled for migration in found):
        raise typer.Exit(1)


def _show_ages(ages: list[ListFreshness]) -> None:
    """Show them as a second table on a terminal; beside a pipe, whose lines are those of one table, on stderr."""
    if ages and output.is_terminal():
        output.write("\n")
        output.show(ages, tables.AGES, nothing="")
        return
    for one in ages:
        output.note(f"{one.exchange} {one.listing}: confirmed by the exchange {span(one.age)} ago")


def _ages() -> list[ListFreshness]:
    """Return how old each list is; none where the tables are not there yet, or are not for this role to read."""
    try:
        return run(lambda database: get_freshness(db=database))
    except SchemaMismatch:
        return []  # the pending migrations are told of
    except (AccessDenied, DatabaseUnavailable) as exc:  # as where the URL wants a primary, and only a standby is there
        output.note(f"how old the lists of symbols are is not known: {exc}")
        return []


@command(app, example="rollback --yes", answers=False)
def rollback(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    lock_timeout: LockTimeout = 300.0,
    migrations_table: MigrationsTable = None,
) -> None:
    """Undo the newest migration of exchanges_db.

    Deletes the data in its tables, too: back up first. Refuses while another project has a newer version in the ledger.
    """
    dsn = resolve_dsn()
    if not yes:
        confirm(f"Undo the newest migration of {where()}, with the data in its tables?")
    undone = run_until_signal(
        migrations.rollback(dsn, lock_timeout=lock_timeout, migrations_table=migrations_table, on_line=output.note)
    )
    note_written()
    output.say(f"undid {undone}" if undone else "nothing to undo")


@command(app, example="validate --html report.html", lists=True)
def validate(
    html: Annotated[Path | None, typer.Option(help="Write the report as a page to this file.")] = None,
    lookups: Annotated[int, typer.Option(min=100, max=1_000_000, help="How many look-ups to time.")] = 1000,
    target_ms: Annotated[float, typer.Option(min=0.001, help="What the mean of the look-ups must stay within.")] = 1.0,
    max_age: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long ago lists may have been confirmed: 10m, 2h.")
    ] = None,
    migrations_table: MigrationsTable = None,
    quick: Annotated[bool, typer.Option("--quick", help="Write nothing, time nothing, read no whole table.")] = False,
) -> None:
    """Check migrations, tables, rows, rules and speed.

    Leaves nothing behind. With --quick it is done in under a second, by a role that may only read, and on a standby:
    for a deploy or a health check. Exit code 1 when something is not as it should be.
    """
    longest = None if max_age is None else parse_duration(max_age)
    with waiting("validating"):
        result = run(
            lambda database: validate_exchanges(
                db=database,
                lookups=lookups,
                target_ms=target_ms,
                max_age=longest,
                migrations_table=migrations_table,
                quick=quick,
            )
        )
    if html is not None:
        try:
            html.write_text(report_html(result), encoding="utf-8")
        except OSError as exc:
            raise ConfigurationError(f"cannot write {str(html)!r}: {exc.strerror}") from exc
        output.note(f"wrote {html}")
    if output.is_json():
        output.show_json({"passed": result.passed, **msgspec.structs.asdict(result)})
    else:
        output.show(result.checks, tables.CHECKS, nothing="no checks")
        output.note(summary(result))
    if not result.passed:
        raise typer.Exit(1)


@command(app, example="schema", answers=False, asks=False)
def schema() -> None:
    """Print the schema as SQL.

    For a sqlc project of your own, or for the folder of scripts that a container runs at its first start. Needs no
    database. It makes the tables without rows: `exchanges-db populate` inserts the exchanges.
    """
    output.write(schema_sql())
