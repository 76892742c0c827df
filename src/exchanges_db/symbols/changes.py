"""What a list changes: the difference between what is known of an exchange's symbols and what it says now.

Pure: nothing here reads a clock, a file or a database. The import shows a change set or applies it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec
from msgspec.structs import astuple

from exchanges_db.symbols.absence import Absence
from exchanges_db.symbols.enums import OrderType, SidesAllowed, SymbolStatus, is_live
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import Symbol, SymbolSpec

_INTERRUPTED = frozenset((SymbolStatus.HALTED, SymbolStatus.CLOSE_ONLY, SymbolStatus.DELISTING))
# What a list may have told before of the end of a symbol.
ENDS = ("expires_at", "delisting_at", "delisted_at")
FieldValue = str | Decimal | bool | int | datetime | tuple[OrderType, ...] | None


class ChangeKind(StrEnum):
    """What happens to a symbol; EXPIRED: it has come to the end that it was listed with, DELISTED: to any other."""

    LISTED = "LISTED"
    CHANGED = "CHANGED"
    HALTED = "HALTED"
    RESUMED = "RESUMED"
    DELISTED = "DELISTED"
    EXPIRED = "EXPIRED"
    RELISTED = "RELISTED"


class FieldChange(msgspec.Struct, frozen=True, gc=False):
    """One field of a specification, before and after."""

    field: str
    old: FieldValue
    new: FieldValue


class SymbolChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What happens to one symbol.

    Attributes:
        symbol_id: the row that changes; None for a symbol that is new.
        fields: empty for a symbol that is new.
        spec: what holds afterwards.
        vanished: it changes because the payload no longer lists it.
    """

    kind: ChangeKind
    symbol_id: int | None
    spec: SymbolSpec
    fields: tuple[FieldChange, ...] = ()
    vanished: bool = False

    def before(self, field: str) -> FieldValue:
        """Return what a field of a symbol that is known held until now."""
        return next((one.old for one in self.fields if one.field == field), getattr(self.spec, field))

    def was_announced(self, by: datetime) -> bool:
        """Return whether its end was known before, and lies at or before `by`."""
        times = (self.before(field) for field in ENDS)
        return any(isinstance(time, datetime) and time <= by for time in times)


class KnownSymbol(SymbolSpec, frozen=True, kw_only=True, array_like=True, gc=False):
    """A symbol as the database has it; in JSON a list of its fields in this order.

    Attributes:
        digest: of the row of the payload that was stored last; None where none was.
    """

    id: int
    digest: str | None = None

    def __post_init__(self) -> None:
        """Check nothing: the table holds no row that breaks a rule."""


def find_changes(
    known: Iterable[KnownSymbol],
    offered: Iterable[SymbolSpec],
    observed_at: datetime,
    *,
    listing: Listing,
    rejected: Collection[str] = (),
    absent: Mapping[str, Absence] | None = None,
) -> tuple[SymbolChange, ...]:
    """Return what `offered`, a whole list of an exchange, changes in what is `known`.

    offered: where the exchange calls a symbol delisted and does not say since when, `delisted_at` is `observed_at`.
    known: all symbols of the exchange, oldest first.
    listing: which list it is; only symbols that it covers can have vanished.
    rejected: native symbols that are in the payload but could not be read; they have not vanished.
    absent: what the exchange says of symbols that the list has no longer; those it says nothing of are delisted, and
        contracts past the time that they were listed with expired.
    """
    newest = newest_by_name(known)
    changes: list[SymbolChange] = []
    offered_names = set(rejected)
    for spec in offered:
        offered_names.add(spec.native_symbol)
        changes.extend(_change(newest.get(spec.native_symbol), spec, observed_at))
    for name, row in newest.items():
        if name not in offered_names and is_live(row.status) and listing.covers(row):
            changes.extend(_vanished(row, observed_at, (absent or {}).get(name)))
    return tuple(changes)


def newest_by_name(known: Iterable[KnownSymbol]) -> dict[str, KnownSymbol]:
    """Return of several rows with one native symbol the live one, else the last of the dead; `known` oldest first."""
    newest: dict[str, KnownSymbol] = {}
    for row in known:
        if row.native_symbol not in newest or not is_live(newest[row.native_symbol].status):
            newest[row.native_symbol] = row
    return newest


def find_changes_between(before: Iterable[Symbol], after: Iterable[Symbol]) -> list[SymbolChange]:
    """Return what happened between two states of the database; a row is recognised by its id."""
    old = {row.id: row for row in before}
    changes: list[SymbolChange] = []
    for row in after:
        was = old.pop(row.id, None)
        fields = () if was is None else _differences(was, row)
        if was is None or fields:
            kind = ChangeKind.LISTED if was is None else _kind(was.status, row.status)
            changes.append(SymbolChange(kind=kind, symbol_id=row.id, spec=row, fields=fields))
    changes.extend(SymbolChange(kind=ChangeKind.DELISTED, symbol_id=row.id, spec=row) for row in old.values())
    return changes


def _change(row: KnownSymbol | None, spec: SymbolSpec, observed_at: datetime) -> Iterable[SymbolChange]:
    if row is None:
        yield SymbolChange(kind=ChangeKind.LISTED, symbol_id=None, spec=spec)
        return
    if not _is_same(row, spec):
        if is_live(row.status):
            yield _ended(row, observed_at)
        yield SymbolChange(kind=ChangeKind.LISTED, symbol_id=None, spec=spec)
        return
    spec = _dated(spec, row, observed_at)
    fields = _differences(row, spec)
    if fields:
        yield SymbolChange(kind=_kind(row.status, spec.status), symbol_id=row.id, spec=spec, fields=fields)


def _is_same(row: SymbolSpec, spec: SymbolSpec) -> bool:
    """Return whether both are one symbol; else the exchange gave its name to another."""
    if (row.base, row.quote, row.settle, row.kind) == (spec.base, spec.quote, spec.settle, spec.kind):
        return True
    # Codes were once kept in capitals: a row of then is no other symbol for its spelling.
    return row.kind is spec.kind and all(
        (old or "").casefold() == (new or "").casefold()
        for old, new in ((row.base, spec.base), (row.quote, spec.quote), (row.settle, spec.settle))
    )


def _dated(spec: SymbolSpec, row: KnownSymbol, observed_at: datetime) -> SymbolSpec:
    """Return `spec` with the time of delisting known before, where its own is only the time of this observation."""
    if spec.status is row.status is SymbolStatus.DELISTED and spec.delisted_at == observed_at:
        return msgspec.structs.replace(spec, delisted_at=row.delisted_at)
    return spec


def _differences(row: SymbolSpec, spec: SymbolSpec) -> tuple[FieldChange, ...]:
    # A row has more fields after those of a specification, at which zip ends.
    both = zip(SymbolSpec.__struct_fields__, astuple(row), astuple(spec), strict=False)
    return tuple(FieldChange(field, old, new) for field, old, new in both if old != new)


def _kind(old: SymbolStatus, new: SymbolStatus) -> ChangeKind:
    if not is_live(new):
        ended = ChangeKind.EXPIRED if new is SymbolStatus.EXPIRED else ChangeKind.DELISTED
        return ended if is_live(old) else ChangeKind.CHANGED
    if not is_live(old):
        return ChangeKind.RELISTED
    if old is SymbolStatus.TRADING and new is not SymbolStatus.TRADING:
        return ChangeKind.HALTED
    if old in _INTERRUPTED and new is SymbolStatus.TRADING:
        return ChangeKind.RESUMED
    return ChangeKind.CHANGED


def _vanished(row: KnownSymbol, observed_at: datetime, absence: Absence | None) -> Iterable[SymbolChange]:
    if absence is None or absence.status is not SymbolStatus.HALTED or _has_expired(row, observed_at):
        since = None if absence is None else absence.since
        yield _ended(row, observed_at, since=since, vanished=True)
        return
    spec = _closed(row, SymbolStatus.HALTED)
    fields = _differences(row, spec)
    if fields:
        kind = _kind(row.status, SymbolStatus.HALTED)
        yield SymbolChange(kind=kind, symbol_id=row.id, spec=spec, fields=fields, vanished=True)


def _has_expired(row: SymbolSpec, observed_at: datetime) -> bool:
    return row.expires_at is not None and row.expires_at <= observed_at


def _ended(
    row: KnownSymbol, observed_at: datetime, *, since: datetime | None = None, vanished: bool = False
) -> SymbolChange:
    """Return the end of a symbol that its list does not explain: it came as was told before, or when it was seen."""
    if _has_expired(row, observed_at):
        kind, spec = ChangeKind.EXPIRED, _closed(row, SymbolStatus.EXPIRED)
    else:
        # After `delisting_at` positions can still be closed, so that it is not the time from which nothing is traded.
        told = (time for time in (since, row.delisted_at) if time is not None and time <= observed_at)
        gone = next(told, observed_at)
        kind, spec = ChangeKind.DELISTED, _closed(row, SymbolStatus.DELISTED, delisted_at=gone)
    return SymbolChange(kind=kind, symbol_id=row.id, spec=spec, fields=_differences(row, spec), vanished=vanished)


def _closed(row: SymbolSpec, status: SymbolStatus, **more: datetime) -> SymbolSpec:
    values = {field: getattr(row, field) for field in SymbolSpec.__struct_fields__}
    return SymbolSpec(**{**values, "status": status, "sides": SidesAllowed.NONE, **more})
