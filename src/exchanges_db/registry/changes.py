"""What a registry tells of as a change: one kind of item for each kind of thing that it holds."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.registry.models import ListState, Position, RegistrySymbol
from exchanges_db.registry.state import RegistryState
from exchanges_db.symbols.changes import FieldChange
from exchanges_db.symbols.enums import SymbolKind
from exchanges_db.symbols.fees import Fees
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import NamedSymbol


class RegistryChangeKind(StrEnum):
    """What happened; the kinds of a symbol are those of ChangeKind, and two more.

    EXCHANGE_GONE and then EXCHANGE_ADDED: another one has been given the id or the name; all that was on the first goes
        before.
    SYMBOL_NAMED: a symbol is known by its name only, or by another one.
    SYMBOL_GONE, EXCHANGE_GONE: the row was deleted.
    LIST_CONFIRMED: a list was observed again, and no symbol had changed; LIST_CHANGED: one had, or the list is new.
    """

    EXCHANGE_ADDED = "EXCHANGE_ADDED"
    EXCHANGE_CHANGED = "EXCHANGE_CHANGED"
    EXCHANGE_ACTIVATED = "EXCHANGE_ACTIVATED"
    EXCHANGE_DEACTIVATED = "EXCHANGE_DEACTIVATED"
    EXCHANGE_GONE = "EXCHANGE_GONE"
    SYMBOL_LISTED = "SYMBOL_LISTED"
    SYMBOL_CHANGED = "SYMBOL_CHANGED"
    SYMBOL_HALTED = "SYMBOL_HALTED"
    SYMBOL_RESUMED = "SYMBOL_RESUMED"
    SYMBOL_DELISTED = "SYMBOL_DELISTED"
    SYMBOL_EXPIRED = "SYMBOL_EXPIRED"
    SYMBOL_RELISTED = "SYMBOL_RELISTED"
    SYMBOL_NAMED = "SYMBOL_NAMED"
    SYMBOL_GONE = "SYMBOL_GONE"
    DOUBT_BEGUN = "DOUBT_BEGUN"
    DOUBT_ENDED = "DOUBT_ENDED"
    AMBIGUITY_BEGUN = "AMBIGUITY_BEGUN"
    AMBIGUITY_ENDED = "AMBIGUITY_ENDED"
    HOLD_SET = "HOLD_SET"
    HOLD_REPLACED = "HOLD_REPLACED"
    HOLD_RELEASED = "HOLD_RELEASED"
    FEES_SET = "FEES_SET"
    FEES_FORGOTTEN = "FEES_FORGOTTEN"
    LIST_CHANGED = "LIST_CHANGED"
    LIST_CONFIRMED = "LIST_CONFIRMED"
    LIST_GONE = "LIST_GONE"
    STATE_CHANGED = "STATE_CHANGED"
    GAP = "GAP"


class RegistryChange(msgspec.Struct, frozen=True, kw_only=True):
    """One item of `Registry.changes()`: something is not what it was in the snapshot before.

    Attributes:
        position: of the transaction that changed it; of several that the registry took in at once, the last that
            names it. After everything was read anew: where that led to.
        committed_at: when that was committed, by the server's clock; None where it is not known, as after everything
            was read anew.
        exchange, exchange_id: whose it is; None for what concerns the registry itself.
    """

    kind: RegistryChangeKind
    position: Position
    committed_at: datetime | None = None
    exchange: str | None = None
    exchange_id: int | None = None


class ExchangeChanged(RegistryChange, frozen=True, kw_only=True):
    """An exchange was added or deleted, or some of its fields changed; None: there was none, or is none any more."""

    before: StoredExchange | None
    after: StoredExchange | None
    fields: tuple[FieldChange, ...] = ()


class SymbolChanged(RegistryChange, frozen=True, kw_only=True):
    """What happened to a symbol; None: there was none, or is none any more.

    Attributes:
        fields: of its specification, before and after; empty where it is new, gone or known by name only.
    """

    before: RegistrySymbol | NamedSymbol | None
    after: RegistrySymbol | NamedSymbol | None
    fields: tuple[FieldChange, ...] = ()


class DoubtChanged(RegistryChange, frozen=True, kw_only=True):
    """Something that is not believed is said of a symbol since `since`; None: no longer."""

    symbol: RegistrySymbol
    since: datetime | None


class AmbiguityChanged(RegistryChange, frozen=True, kw_only=True):
    """A pair has several live symbols, so that a look-up by it raises AmbiguousSymbol from now on; or no longer.

    Attributes:
        symbol_kind: that all of them have; None: whatever kinds they have, as look-ups find them that name none.
        candidates: the native names of the live symbols that there are now; less than two where it has ended.
    """

    base: str
    quote: str
    symbol_kind: SymbolKind | None
    candidates: tuple[str, ...]


class HoldChanged(RegistryChange, frozen=True, kw_only=True):
    """A person has forbidden to trade something, changed that, or allowed it again.

    That a hold ends because its time is over is no change. From then on it is none: another one is HOLD_SET, with
    `before` None, and that it is released is no item.

    Attributes:
        native_symbol: None: it is on the whole exchange.
    """

    native_symbol: str | None
    before: Hold | None
    after: Hold | None


class FeesChanged(RegistryChange, frozen=True, kw_only=True):
    """What an account pays was set or forgotten; symbol_id: None where it is for the whole exchange."""

    account: str
    symbol_id: int | None
    before: Fees | None
    after: Fees | None


class ListChanged(RegistryChange, frozen=True, kw_only=True):
    """A list of an exchange was observed."""

    listing: Listing
    before: ListState | None
    after: ListState | None


class StateChanged(RegistryChange, frozen=True, kw_only=True):
    """The registry is in another state than before.

    Attributes:
        why: why it is not LIVE; None where it is.
    """

    before: RegistryState
    after: RegistryState
    why: str | None = None


class Gap(RegistryChange, frozen=True, kw_only=True):
    """Changes after `since` and up to `position` are missing: read `registry.snapshot`, and go on.

    Attributes:
        since: up to here all was given out; None: nothing was.
        why: they are missing.
    """

    since: Position | None
    why: str
