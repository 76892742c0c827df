"""When a list, or a row of it, is not believed: every brake on an import, and what passes them.

Pure: nothing here reads a clock, a file or a database. A fault of one row holds that row back; a share of the list that
counts enough rows stops the whole list. Which thresholds there are, and why, says docs/symbols.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from exchanges_db.errors import shown
from exchanges_db.symbols.allowances import Allowance, Brake, how_to_allow
from exchanges_db.symbols.changes import ENDS, ChangeKind, FieldChange, SymbolChange
from exchanges_db.symbols.enums import SymbolStatus, is_live
from exchanges_db.symbols.import_limits import ImportLimits
from exchanges_db.symbols.jumps import jumps_of
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.reading import RejectedRow

_HALTED = SymbolStatus.HALTED
_ENDED = (ChangeKind.DELISTED, ChangeKind.EXPIRED)
# What makes a symbol the one that it is.
_IDENTITY = ("base", "quote", "settle", "kind")
_STATE = ("status", "sides")
_OPENINGS = ("buy_opens_at", "sell_opens_at")
# Times of an observation or of bookkeeping, and how a value is known: the exchange changed no rule with them.
_NO_RULES = frozenset(("exchange_changed_at", "delisted_at", "tick_assumed", "step_assumed"))


class BrakeHit(msgspec.Struct, frozen=True):
    """One reason to refuse a list, in words that say what lets it through; `allowed`: somebody has said that."""

    brake: Brake
    reason: str
    allowed: bool = False


class HeldBack(msgspec.Struct, frozen=True):
    """A row of a list that is not believed, and why; `symbol_id` is None where no symbol of its name is known."""

    native_symbol: str
    symbol_id: int | None
    brake: Brake
    reason: str


class Verdict(msgspec.Struct, frozen=True):
    """What the brakes say of a list.

    Attributes:
        hits: reasons to refuse it; where one is not allowed, nothing of the list is to be applied.
        held_back: single rows that are not to be applied, by name.
        changes: what is left to apply, in the order in which it was given.
    """

    hits: tuple[BrakeHit, ...]
    held_back: tuple[HeldBack, ...]
    changes: tuple[SymbolChange, ...]


def weigh(
    changes: Iterable[SymbolChange],
    *,
    live: int,
    offered: int,
    observed_at: datetime,
    now: datetime,
    newest: datetime | None = None,
    rejected: Sequence[RejectedRow] = (),
    duplicates: Collection[str] = (),
    foreign: str | None = None,
    unknown_rows: int = 0,
    recent: Mapping[int, Sequence[SymbolSpec]] | None = None,
    known_ids: Mapping[str, int] | None = None,
    payload_sha256: str | None = None,
    limits: ImportLimits | None = None,
    allowances: Collection[Allowance] = (),
) -> Verdict:
    """Return which of `changes` are to be applied, and what speaks against the others or against the whole list.

    live: how many live symbols of the list are known. offered: how many rows the payload has, read or not.
    now: the clock of the database. newest: when the list was last observed.
    rejected: rows that cannot be read. duplicates: names that the payload has more than once.
    foreign: why it seems to be another list.
    unknown_rows: how many rows have a word that closes their symbols because nobody knows it.
    recent: by id of a symbol the specifications of it that held within `limits.jump_within`.
    known_ids: the ids of symbols by native name; those of rejected and duplicate names are needed.
    """
    scales = _Scales(tuple(changes), limits or ImportLimits(), tuple(allowances), payload_sha256, known_ids or {})
    if foreign is not None:
        scales.refuse(Brake.FOREIGN, foreign)
    leaving = {one.spec.native_symbol: one for one in scales.changes if _leaves(one, observed_at)}
    # A list of a few contracts is empty once all of them have come to the end that they were listed with.
    ended = sum(one.vanished and one.was_announced(observed_at) for one in scales.changes)
    if offered == 0 and live > ended:
        scales.refuse(Brake.EMPTY, f"the payload lists no symbol at all, and {live - ended} live ones are known")
    if newest is not None and observed_at < newest:
        scales.refuse(Brake.OLDER, f"the list was observed {newest - observed_at} before the newest one that is known")
    if observed_at > now + scales.limits.skew:
        scales.refuse(Brake.FUTURE, f"the list was observed {observed_at - now} ahead of the database's clock")
    _weigh_rejected(scales, rejected, offered)
    _weigh_duplicates(scales, duplicates, offered)
    _weigh_leaving(scales, leaving, live, sum(row.native_symbol is None for row in rejected))
    _weigh_jumps(scales, recent or {}, live)
    _weigh_closings(scales, observed_at, live, offered, unknown_rows)
    _weigh_fields(scales, live, observed_at)
    return scales.verdict()


class _Scales:
    """What has been found so far, and what somebody has allowed."""

    def __init__(
        self,
        changes: tuple[SymbolChange, ...],
        limits: ImportLimits,
        allowances: Collection[Allowance],
        payload_sha256: str | None,
        known_ids: Mapping[str, int],
    ) -> None:
        self.changes, self.limits, self.payload_sha256 = changes, limits, payload_sha256
        self._names = {(one.brake, one.name) for one in allowances if one.name is not None}
        self._payloads = {one.brake for one in allowances if one.covers_payload(one.brake, payload_sha256)}
        self._ids = {**known_ids, **{one.spec.native_symbol: one.symbol_id for one in changes if one.symbol_id}}
        self._hits: list[BrakeHit] = []
        self._held: dict[str, HeldBack] = {}

    def passes(self, brake: Brake, name: str) -> bool:
        """Return whether a row is let through by its name."""
        return (brake, name) in self._names

    def refuse(self, brake: Brake, reason: str) -> None:
        """Note a reason to refuse the list."""
        how = "it has no payload that could be reviewed, so it cannot be allowed"
        if self.payload_sha256 is not None:
            how = f"--allow {how_to_allow(brake, payload_sha256=self.payload_sha256)}"
        self._hits.append(BrakeHit(brake, f"{reason} ({how})", brake in self._payloads))

    def hold(self, brake: Brake, name: str, reason: str, *, readable: bool = True) -> None:
        """Hold a row back, unless it is let through by its name or with its payload; the first reason stays."""
        if readable and (self.passes(brake, name) or brake in self._payloads):
            return
        if readable:
            reason = f"{reason} (--allow {how_to_allow(brake, name=name)})"
        self._held.setdefault(name, HeldBack(name, self._ids.get(name), brake, reason))

    def verdict(self) -> Verdict:
        """Return what all of it comes to."""
        left = tuple(one for one in self.changes if one.spec.native_symbol not in self._held)
        return Verdict(tuple(self._hits), tuple(self._held[name] for name in sorted(self._held)), left)


def _weigh_rejected(scales: _Scales, rejected: Sequence[RejectedRow], offered: int) -> None:
    limits = scales.limits
    if limits.refuses(len(rejected), limits.rejected_percent, offered):
        share = f"more than {limits.rejected_percent} percent"
        scales.refuse(Brake.REJECTED, f"{len(rejected)} of {offered} rows cannot be read, {share}")
    for row in sorted(rejected, key=lambda row: row.index):
        if row.native_symbol is not None:
            reason = f"row {row.index} of the payload cannot be read: {row.reason}"
            scales.hold(Brake.REJECTED, row.native_symbol, reason, readable=False)


def _weigh_duplicates(scales: _Scales, duplicates: Collection[str], offered: int) -> None:
    limits = scales.limits
    twice = [name for name in sorted(set(duplicates)) if not scales.passes(Brake.DUPLICATE, name)]
    if limits.refuses(len(twice), limits.duplicate_percent, offered):
        text = f"the payload lists {len(twice)} names of {offered} rows more than once"
        scales.refuse(Brake.DUPLICATE, f"{text}, more than {limits.duplicate_percent} percent: {_named(twice)}")
    for name in twice:
        scales.hold(Brake.DUPLICATE, name, "the payload lists it more than once; if allowed, its last row counts")


def _leaves(change: SymbolChange, observed_at: datetime) -> bool:
    """Return whether a symbol is gone in a way that nobody told before."""
    if change.symbol_id is None or not (change.vanished or change.kind in _ENDED):
        return False
    return not change.was_announced(observed_at)


def _weigh_leaving(scales: _Scales, leaving: Mapping[str, SymbolChange], live: int, nameless: int) -> None:
    """Weigh all ways to leave together; a row without a name may be one of the symbols that seem to be gone."""
    limits = scales.limits
    left = [name for name in sorted(leaving) if not scales.passes(Brake.LEFT, name)]
    share = f"{len(left)} of {live} live symbols left the list, more than {limits.left_percent} percent"
    if limits.refuses(len(left), limits.left_percent, live):
        ways = "are not in the payload, are called delisted in it, or became other symbols"
        scales.refuse(Brake.LEFT, f"{share}: they {ways}: {_named(left)}")
    elif limits.is_over(len(left), limits.left_percent, live):
        for name in left:
            scales.hold(Brake.LEFT, name, f"it left the list: {share}")
    if nameless:
        for name in left:
            if leaving[name].vanished:
                reason = f"it seems to be gone, but may be one of {nameless} rows that cannot be read and have no name"
                scales.hold(Brake.LEFT, name, reason)


def _weigh_jumps(scales: _Scales, recent: Mapping[int, Sequence[SymbolSpec]], live: int) -> None:
    limits = scales.limits
    found: dict[str, str] = {}
    counted = []
    for change in scales.changes:
        if change.symbol_id is not None and change.fields and not change.vanished:
            name, reasons = change.spec.native_symbol, list(jumps_of(change, recent.get(change.symbol_id, ()), limits))
            if reasons and not scales.passes(Brake.JUMP, name):
                found[name] = ", ".join(reasons)
                if _was_live(change):
                    counted.append(name)
    if limits.refuses(len(counted), limits.jump_percent, live):
        text = f"numbers of {len(counted)} of {live} live symbols move too far, more than {limits.jump_percent} percent"
        scales.refuse(Brake.JUMP, f"{text}: {some([f'{shown(name)} {found[name]}' for name in sorted(counted)])}")
    for name, reason in found.items():
        scales.hold(Brake.JUMP, name, reason)


def _weigh_closings(scales: _Scales, observed_at: datetime, live: int, offered: int, unknown_rows: int) -> None:
    limits = scales.limits
    halted = [
        one.spec.native_symbol
        for one in scales.changes
        if one.kind is ChangeKind.HALTED and not one.vanished and not one.was_announced(observed_at)
    ]
    if limits.refuses(len(halted), limits.halted_percent, live):
        text = f"{len(halted)} of {live} live symbols are halted at once, more than {limits.halted_percent} percent"
        scales.refuse(Brake.MASS, f"{text}: {_named(sorted(halted))}")
    # A word that has closed its symbols before closes nothing now: else its list would be refused for ever.
    closed = sum(
        one.spec.status is _HALTED and (one.symbol_id is None or one.before("status") is not _HALTED)
        for one in scales.changes
    )
    unknown = min(unknown_rows, closed)
    if live and limits.refuses(unknown, limits.unknown_percent, offered):
        text = f"{unknown} of {offered} rows are closed by a word that nobody knows"
        scales.refuse(Brake.MASS, f"{text}, more than {limits.unknown_percent} percent")


def _weigh_fields(scales: _Scales, live: int, observed_at: datetime) -> None:
    """Weigh how many symbols change in one and the same field; learning one that closes nothing is no fault."""
    limits = scales.limits
    changed: dict[str, list[str]] = defaultdict(list)
    for name, field in _changed_fields(scales, observed_at):
        changed[field].append(name)
    for field, names in sorted(changed.items()):
        if limits.refuses(len(names), limits.field_percent, live):
            text = f"{len(names)} of {live} live symbols change in {field}, more than {limits.field_percent} percent"
            scales.refuse(Brake.MASS, f"{text}: {_named(sorted(names))}")


def _changed_fields(scales: _Scales, observed_at: datetime) -> Iterable[tuple[str, str]]:
    """Return each field of a live symbol that held a value and holds another, or now closes, with the symbol's name."""
    ended = (change for change in scales.changes if change.kind in _ENDED)
    replaced = {change.spec.native_symbol: change.spec for change in ended}
    for change in scales.changes:
        name = change.spec.native_symbol
        if change.symbol_id is None:
            old = replaced.get(name, change.spec)
            yield from ((name, one) for one in _IDENTITY if getattr(old, one) != getattr(change.spec, one))
        elif change.kind in _ENDED:
            continue  # weighed as leaving, or announced
        elif _was_live(change) and not change.vanished:
            told = change.kind is ChangeKind.HALTED  # weighed as such
            for field in change.fields:
                counts = field.old is not None and field.field not in _NO_RULES
                counts = counts or _closes(change, field, observed_at)
                if counts and not (told and field.field in _STATE) and not _is_allowed_jump(scales, name, field.field):
                    yield name, field.field


def _closes(change: SymbolChange, field: FieldChange, observed_at: datetime) -> bool:
    """Return whether a time that is told first closes an open symbol: an end, or an opening that lies ahead."""
    if field.old is not None or not isinstance(field.new, datetime):
        return False
    opened = change.before("status") is SymbolStatus.TRADING
    return field.field in ENDS or (field.field in _OPENINGS and opened and field.new > observed_at)


def _was_live(change: SymbolChange) -> bool:
    return is_live(str(change.before("status")))


def _is_allowed_jump(scales: _Scales, name: str, field: str) -> bool:
    return scales.limits.factor_of(field) is not None and scales.passes(Brake.JUMP, name)


def some(texts: list[str]) -> str:
    """Return the first few texts, and how many more there are."""
    first = ", ".join(texts[:5])
    return f"{first} and {len(texts) - 5} more" if len(texts) > 5 else first


def _named(names: Iterable[str]) -> str:
    return some([*map(shown, names)])
