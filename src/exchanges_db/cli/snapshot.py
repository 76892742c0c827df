"""The commands on files from which a registry starts where no database answers: save, show and verify."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from exchanges_db._version import __version__
from exchanges_db.cli import output
from exchanges_db.cli.commands import HELP, command
from exchanges_db.cli.output import Column
from exchanges_db.cli.progress import waiting
from exchanges_db.cli.session import run
from exchanges_db.database.pool import Database
from exchanges_db.registry.file import SavedSnapshot, read_snapshot, write_snapshot
from exchanges_db.registry.places import Place
from exchanges_db.registry.saving import Distance, Progress, load_once, measure_distance
from exchanges_db.symbols.enums import SidesAllowed, SymbolKind, is_live
from exchanges_db.symbols.freshness import span

group = typer.Typer(
    help="A registry's file: save, show or verify it.",
    rich_markup_mode=None,
    context_settings=HELP,
)
File = Annotated[Path, typer.Argument(metavar="PATH", help="A file that `snapshot save` or a registry has written.")]
_WORDS = {
    Progress.SAME: "the database is as the file says",
    Progress.FORGOTTEN: "so much has changed since that the log does not reach back to it: a registry reads all anew",
    Progress.REPLACED: "since then everything was changed at once, or may have been, because triggers that write the "
    "log were off or made anew: a registry reads all anew",
    Progress.OTHER: "the database was never like this: it is another one, or has lost its latest changes in a failover "
    "or a restore; a registry reads all anew",
}


class SymbolCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many symbols of a kind an exchange has; kind None: those that are known by name only."""

    exchange: str
    kind: SymbolKind | None
    symbols: int
    live: int


class HeldNow(msgspec.Struct, frozen=True, kw_only=True):
    """What is held; native_symbol None: the whole exchange."""

    exchange: str
    native_symbol: str | None
    sides: SidesAllowed
    reason: str
    until_at: datetime | None
    held_by: str | None


class ListAge(msgspec.Struct, frozen=True, kw_only=True):
    """How old a list is by the clock of this machine."""

    exchange: str
    list: str
    source: str
    confirmed_at: datetime
    age_seconds: int


_COUNTS: list[Column[SymbolCount]] = [
    Column("exchange", attrgetter("exchange"), must=True),
    Column("kind", lambda one: one.kind or "name only", must=True),
    Column("symbols", attrgetter("symbols"), must=True),
    Column("live", attrgetter("live")),
]
_HOLDS: list[Column[HeldNow]] = [
    Column("held on", attrgetter("exchange"), must=True),
    Column("symbol", lambda one: one.native_symbol or "all", must=True),
    Column("sides", attrgetter("sides")),
    Column("reason", attrgetter("reason"), must=True, prose=True),
    Column("until", attrgetter("until_at")),
    Column("by", attrgetter("held_by")),
]
_LISTS: list[Column[ListAge]] = [
    Column("list of", attrgetter("exchange"), must=True),
    Column("list", attrgetter("list"), must=True),
    Column("age", lambda one: _span(one.age_seconds), must=True),
    Column("confirmed", attrgetter("confirmed_at")),
    Column("source", attrgetter("source")),
]


@command(group, "save", example="snapshot save registry.snapshot")
def save(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Where to: a new file, or a snapshot that is replaced.")],
) -> None:
    """Save what a registry would hold now.

    All exchanges and symbols, holds, fees and the ages of lists, of one moment. Replaces PATH as a whole or leaves it
    as it was. A new file is for its owner alone; one that is there keeps its group and its permissions.
    """
    with waiting("loading exchanges and symbols"):
        snapshot, asked_at = run(load_once)
        write_snapshot(path, snapshot, asked_at)
    output.show_fields(_told(path, SavedSnapshot(snapshot=snapshot, saved_at=asked_at, made_by=__version__)))


@command(group, "show", example="snapshot show registry.snapshot --json", asks=False)
def show(path: File) -> None:
    """Show what a file holds, and how old that is.

    By the clock of this machine. Needs no database.
    """
    found = read_snapshot(path)
    now = datetime.now(UTC)
    places = sorted(found.snapshot.places.items())
    counts = [one for name, place in places for one in _counts(name, place)]
    held = [one for name, place in places for one in _holds(name, place)]
    ages = [one for name, place in places for one in _ages(name, place, now)]
    told = {**_told(path, found), "age_seconds": _seconds(now - found.saved_at)}
    if output.is_json():
        output.show_json({**told, "symbols_by_kind": counts, "holds": held, "lists": ages})
        return
    pairs = [*told.items(), ("age", _span(told["age_seconds"]))]
    if not output.is_terminal():
        kinds = ((one, f"{one.exchange} {one.kind or 'name only'}") for one in counts)
        pairs += [(name, f"{one.symbols} symbols, {one.live} live") for one, name in kinds]
        pairs += [(f"{one.exchange} held", f"{one.native_symbol or 'all'} {one.sides}: {one.reason}") for one in held]
        pairs += [(f"{one.exchange} {one.list}", f"confirmed {_span(one.age_seconds)} ago") for one in ages]
    output.show_pairs(pairs)
    if output.is_terminal():
        for rows, columns in ((counts, _COUNTS), (held, _HOLDS), (ages, _LISTS)):
            _show_below(rows, columns)


@command(group, "verify", example="snapshot verify registry.snapshot --against-database")
def verify(
    path: File,
    against_database: Annotated[
        bool, typer.Option("--against-database", help="Ask the database, too, how far it has gone on since.")
    ] = False,
) -> None:
    """Check that a file is whole, and one of this version.

    With --against-database also whether a registry that starts from it could go on from there: exit code 1 where it
    would have to read everything anew.
    """

    async def work(database: Database) -> tuple[SavedSnapshot, Distance]:
        found = read_snapshot(path)
        return found, await measure_distance(database, found.snapshot)

    if not against_database:
        output.show_fields({**_told(path, read_snapshot(path)), "whole": True})
        return
    with waiting("asking the database what has changed"):
        found, distance = run(work)
    told = {
        **_told(path, found),
        "whole": True,
        "database": distance.progress,
        "database_epoch": distance.position.epoch,
        "database_token": distance.position.token,
        "epochs_since": distance.epochs,
    }
    if output.is_json():
        output.show_json({**told, "changed_since": distance.changed})
    else:
        output.show_pairs([*told.items(), *((f"changed {kind}", count) for kind, count in distance.changed.items())])
    output.note(_WORDS.get(distance.progress, f"the database has moved on in {distance.epochs} epochs since"))
    if distance.progress not in (Progress.SAME, Progress.MOVED_ON):
        raise typer.Exit(1)


def _told(path: Path, saved: SavedSnapshot) -> dict[str, Any]:
    places = saved.snapshot.places.values()
    return {
        "path": str(path),
        "epoch": saved.snapshot.position.epoch,
        "token": saved.snapshot.position.token,
        "saved_at": saved.saved_at,
        "made_by": saved.made_by,
        "exchanges": len(places),
        "symbols": sum(len(place.symbols) for place in places),
        "known_by_name_only": sum(len(place.named) for place in places),
        "holds": sum(len(place.holds) for place in places),
        "account_fees": sum(len(place.fees) for place in places),
        "bytes": _size(path),
    }


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:  # deleted since it was read
        return None


def _counts(exchange: str, place: Place) -> list[SymbolCount]:
    every = Counter(one.kind for one in place.symbols.values())
    live = Counter(one.kind for one in place.symbols.values() if is_live(one.status))
    counts = [SymbolCount(exchange=exchange, kind=k, symbols=every[k], live=live[k]) for k in SymbolKind if every[k]]
    if place.named:
        counts.append(SymbolCount(exchange=exchange, kind=None, symbols=len(place.named), live=0))
    return counts


def _holds(exchange: str, place: Place) -> list[HeldNow]:
    return [
        HeldNow(
            exchange=exchange,
            native_symbol=native,
            sides=hold.sides,
            reason=hold.reason,
            until_at=hold.until_at,
            held_by=hold.held_by,
        )
        for native, hold in sorted(place.holds.items(), key=lambda item: item[0] or "")
    ]


def _ages(exchange: str, place: Place, now: datetime) -> list[ListAge]:
    return [
        ListAge(
            exchange=exchange,
            list=str(one.listing),
            source=one.source,
            confirmed_at=one.observed_at,
            age_seconds=_seconds(now - one.observed_at),
        )
        for one in sorted(place.lists, key=lambda one: str(one.listing))
    ]


def _show_below(rows: list[Any], columns: list[Column[Any]]) -> None:
    if rows:
        output.write("\n")
        output.show(rows, columns, nothing="")


def _seconds(time: timedelta) -> int:
    """Return whole seconds; none where the clock of this machine is behind."""
    return max(0, int(time.total_seconds()))


def _span(seconds: int) -> str:
    return span(timedelta(seconds=seconds))
