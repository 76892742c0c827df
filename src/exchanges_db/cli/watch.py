"""The command `watch`: what a registry holds and how fresh it is, live, and what changes in it as it comes."""

from __future__ import annotations

import asyncio
import io
import math
import select
import sys
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Annotated, Protocol, Self

import typer

from exchanges_db.cli import output
from exchanges_db.cli.commands import command
from exchanges_db.cli.completion import complete_exchange
from exchanges_db.cli.progress import waiting
from exchanges_db.cli.session import parse_duration, resolve_dsn
from exchanges_db.cli.signals import run_until_signal
from exchanges_db.cli.watch_lines import change_document, first_document
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.pool import Database
from exchanges_db.database.settings import load_settings
from exchanges_db.errors import ExchangeNotFound, shown
from exchanges_db.registry.changes import ListChanged, RegistryChange
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.registry.streams import ChangeStream
from exchanges_db.symbols.freshness import server_time

app = typer.Typer(rich_markup_mode=None)

_TICK = 0.25  # seconds after which ages are shown anew, and after which it is noticed that nobody reads any more
_INTERRUPTED = 130


@command(app, "watch", example="watch --exchange GATEIO_SPOT --json")
def watch(
    exchanges: Annotated[
        list[str] | None,
        typer.Option(
            "--exchange",
            metavar="EXCHANGE",
            help="Only this one's changes; may be repeated.",
            autocompletion=complete_exchange,
        ),
    ] = None,
    quiet_lists: Annotated[
        bool, typer.Option("--quiet-lists", help="Leave out that a list was observed; what it changed is shown.")
    ] = False,
    limit: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="End after 30s, 10m or so; else with Ctrl-C or SIGTERM.")
    ] = None,
) -> None:
    """Show live what changes, and how fresh it is.

    On a terminal a view that is drawn again and again. Elsewhere, and with --json, one JSON object per line: first
    where it begins, then each change; when the database is away, and when it is back; and where changes are missing.
    """
    wanted = frozenset(exchanges or ())
    length = None if limit is None else parse_duration(limit)

    def shows(change: RegistryChange) -> bool:
        if quiet_lists and isinstance(change, ListChanged):
            return False
        return not wanted or change.exchange is None or change.exchange in wanted

    try:
        run_until_signal(_watch(resolve_dsn(), wanted, shows, length))
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None  # nothing was under way that could have changed anything


async def _watch(
    dsn: Dsn, wanted: frozenset[str], shows: Callable[[RegistryChange], bool], length: timedelta | None
) -> None:
    async with Database(dsn, load_settings()) as database:
        await server_time(database)  # which is refused at once where a registry would go on trying
    registry = Registry(dsn)
    try:
        with waiting(f"loading from {dsn}"):
            await registry.open()
        stream = registry.changes(states=True)  # from the snapshot that is shown first: nothing is awaited between
        _check(registry.snapshot, wanted)
        until = math.inf if length is None else monotonic() + length.total_seconds()
        with _show(registry, wanted) as view:
            while (left := until - monotonic()) > 0:
                change = await _next(stream, min(_TICK, left))
                if change is None:
                    _check_reader()
                elif shows(change):
                    view.add(change)
                view.draw()
    finally:
        await registry.close()


async def _next(stream: ChangeStream, limit: float) -> RegistryChange | None:
    """Return the next change, None where there is none within so many seconds."""
    try:
        async with asyncio.timeout(limit):
            return await anext(stream)
    except TimeoutError:
        return None


def _check(snapshot: Snapshot, wanted: frozenset[str]) -> None:
    for name in sorted(wanted - snapshot.places.keys()):
        raise ExchangeNotFound(
            f"there is no exchange {shown(name)}: the database has {', '.join(sorted(snapshot.places))}"
        )


class _View(Protocol):
    """What shows changes."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc_info: object) -> None: ...
    def add(self, change: RegistryChange) -> None: ...
    def draw(self) -> None: ...


def _show(registry: Registry, wanted: frozenset[str]) -> _View:
    if not output.is_terminal():
        return _Lines(registry, wanted)
    from exchanges_db.cli.watch_view import View  # loads rich, which only a terminal needs

    return View(registry, wanted)


class _Lines:
    """One JSON object per line."""

    def __init__(self, registry: Registry, wanted: frozenset[str]) -> None:
        self._registry, self._wanted = registry, wanted

    def __enter__(self) -> Self:
        _write(first_document(self._registry.snapshot, self._registry.state, self._wanted))
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def add(self, change: RegistryChange) -> None:
        _write(change_document(change))

    def draw(self) -> None:
        pass


def _write(document: dict[str, object]) -> None:
    output.write(output.json_text(document) + "\n")


def _check_reader() -> None:
    """Raise AnswerLost where the reader of a pipe has gone, which a write would tell, but nothing is written now."""
    if sys.stdout is None or not hasattr(select, "poll"):
        return
    try:
        number = sys.stdout.fileno()
    except (io.UnsupportedOperation, ValueError):
        return
    pipe = select.poll()
    pipe.register(number, 0)
    if any(state & select.POLLERR for _, state in pipe.poll(0)):
        raise output.AnswerLost("nobody reads it any more", quiet=True)
