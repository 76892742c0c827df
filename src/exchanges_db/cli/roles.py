"""The command that prints the SQL of roles and rights, for a DBA to read and run."""

from __future__ import annotations

from typing import Annotated

import typer

from exchanges_db.cli import output
from exchanges_db.cli.commands import command
from exchanges_db.cli.database import MigrationsTable
from exchanges_db.schema.ledger import parse_ledger
from exchanges_db.schema.rights import Duty
from exchanges_db.schema.roles import Roles, roles_sql

app = typer.Typer(rich_markup_mode=None)


@command(
    app,
    example="roles --owner md_owner --app md_app --readonly md_reader --database md > roles.sql",
    answers=False,
    asks=False,
)
def roles(
    owner: Annotated[str, typer.Option(metavar="ROLE", help="Owns tables and functions, and cannot log in.")],
    app_role: Annotated[str, typer.Option("--app", metavar="ROLE", help="Logs in for strategies and importers.")],
    readonly: Annotated[str, typer.Option(metavar="ROLE", help="Logs in to read.")],
    database: Annotated[
        str | None, typer.Option(metavar="NAME", help="Refuse to be run on another database than this one.")
    ] = None,
    deployer: Annotated[
        str | None, typer.Option(metavar="ROLE", help="Logs in and acts as the owner: for migrate and prune.")
    ] = None,
    importer: Annotated[str | None, typer.Option(metavar="ROLE", help="Logs in to import lists, no more.")] = None,
    keeper: Annotated[
        str | None, typer.Option(metavar="ROLE", help="Logs in to hold, release and correct, no more.")
    ] = None,
    trader: Annotated[
        str | None, typer.Option(metavar="ROLE", help="Logs in to keep exchanges and set fees, no more.")
    ] = None,
    migrations_table: MigrationsTable = None,
) -> None:
    """Print the SQL that makes roles with their rights.

    Runs nothing and asks no database: read it, then run it with psql as a superuser; again after each migration.
    Passwords are not in it.
    """
    ledger = parse_ledger(migrations_table)
    single = {Duty.IMPORT: importer, Duty.KEEP: keeper, Duty.TRADE: trader}
    output.write(
        roles_sql(
            Roles(
                owner=owner,
                app=app_role,
                readonly=readonly,
                single={duty: name for duty, name in single.items() if name is not None},
                deployer=deployer,
                database=database,
                ledger=(ledger.schema_name or "public", ledger.table_name),
            )
        )
    )
