"""The columns in which exchanges, their changes, migrations and checks are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Any

import msgspec

from exchanges_db.cli.cells import text_of
from exchanges_db.cli.output import Column
from exchanges_db.exchanges.models import Exchange, ExchangeChange
from exchanges_db.schema.ledger import Migration
from exchanges_db.symbols.freshness import ListFreshness, span
from exchanges_db.symbols.pruning import HistoryPrune
from exchanges_db.validation.validate import CheckResult


def columns_of(kind: type[msgspec.Struct], headings: Mapping[str, str], *must: str) -> list[Column[Any]]:
    """Return a column for each field of `kind`: those with a heading first, the others for programs only."""
    shown = [Column(name, attrgetter(field), must=field in must) for field, name in headings.items()]
    others = [field for field in kind.__struct_fields__ if field not in headings]
    return [*shown, *(Column(field, attrgetter(field), piped=True) for field in others)]


def difference(fields: Iterable[tuple[str, Any, Any]]) -> tuple[str, ...]:
    """Return one text per field: its name, what it was, and what it is."""
    return tuple(f"{field}: {text_of(old) or '-'} -> {text_of(new) or '-'}" for field, old, new in fields)


EXCHANGES = columns_of(
    Exchange,
    {
        "id": "id",
        "name": "name",
        "market_type": "market",
        "is_active": "active",
        "rate_limit_requests_per_second": "req/s",
        "version": "version",
        "display_name": "display name",
    },
    "name",
)


def _changed(change: ExchangeChange) -> tuple[str, ...]:
    old, new = change.old_row or {}, change.new_row or {}
    return difference((column, old.get(column), new.get(column)) for column in change.changed_columns)


EXCHANGE_CHANGES: list[Column[ExchangeChange]] = [
    Column("when", attrgetter("changed_at"), must=True),
    Column("version", attrgetter("version")),
    Column("what", attrgetter("operation")),
    Column("change", _changed, must=True),
    Column("by", attrgetter("changed_by")),
    Column("with", attrgetter("application_name")),
]


def _state(migration: Migration) -> str:
    if migration.is_taken:
        return "somebody else's version of this number is applied, ours is not"
    if migration.foreign:
        return "applied, of another project"
    if not migration.applied:
        return "pending, but what it makes is in the database" if migration.elsewhere else "pending"
    if migration.changed:
        return "applied, but the file was changed or removed since"
    return "applied" if migration.changed is False else "applied, no checksum kept"


MIGRATIONS: list[Column[Migration]] = [
    Column("version", attrgetter("version"), must=True),
    Column("file", attrgetter("file_name"), must=True),
    Column("state", _state, must=True),
]
PRUNES: list[Column[HistoryPrune]] = [
    Column("table", attrgetter("pruned_table"), must=True),
    Column("before", attrgetter("before"), must=True),
    Column("rows", attrgetter("pruned_rows"), must=True),
    Column("began", attrgetter("began_at")),
    Column("ended", attrgetter("ended_at")),
    Column("by", attrgetter("pruned_by")),
    Column("application", attrgetter("application_name")),
]
CHECKS: list[Column[CheckResult]] = [
    Column("check", attrgetter("name"), must=True),
    Column("result", lambda check: "ok" if check.passed else "FAILED", must=True),
    Column("ms", lambda check: Decimal(f"{check.seconds * 1000:.1f}")),
    Column("detail", attrgetter("detail"), must=True, prose=True),
]
AGES: list[Column[ListFreshness]] = [
    Column("exchange", attrgetter("exchange"), must=True),
    Column("list", lambda one: str(one.listing), must=True),
    Column("age", lambda one: span(one.age), must=True),
    Column("confirmed", attrgetter("confirmed_at")),
    Column("changed", attrgetter("changed_at")),
    Column("doubtful", attrgetter("doubtful")),
]
