"""What every command needs: the database it runs on, and the options they share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any, TypeVar

import typer

from exchanges_db.cli import tables
from exchanges_db.database import embedded
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.database.pool import Database
from exchanges_db.database.settings import database_url, load_settings
from exchanges_db.errors import InvalidExchange

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def resolve_dsn() -> Dsn:
    """Return where DATABASE_URL leads; without it, start the embedded server."""
    url = database_url()
    if url is None:
        with tables.progress("DATABASE_URL is not set: starting the embedded PostgreSQL"):
            url = embedded.start()
    return parse_dsn(url)


def run(work: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    """Return what `work` makes of the database, which is closed afterwards."""
    dsn, settings = resolve_dsn(), load_settings()

    async def session() -> T:
        async with Database(dsn, settings) as database:
            return await work(database)

    return asyncio.run(session())


def parse_time(text: str) -> datetime:
    """Return an ISO 8601 time with its time zone; raises InvalidExchange."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidExchange(f"{text!r} is no ISO 8601 time, such as 2026-01-31T12:00:00Z") from None
    if moment.utcoffset() is None:
        raise InvalidExchange(f"{text!r} has no time zone: write {text}Z for UTC")
    return moment
