"""What a registry holds: a symbol with what was said of it beside its list, and a position in the log of changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, NoReturn

import msgspec

from exchanges_db.orders.rules import OrderRules
from exchanges_db.symbols.fees import Fees
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import Symbol


class Paid(dict[str, Fees]):
    """What accounts pay, by account; symbols share one. A dict, so that it can be pickled and written as JSON."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[Paid], tuple[dict[str, Fees]]]:
        return Paid, (dict(self),)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("what accounts pay is changed by set_account_fees alone: make a dict of it to change that")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse


NO_FEES = Paid()


class Position(NamedTuple):
    """How far something knows the log of changes; two of the same epoch are the same only where their tokens are.

    epoch: rises with each transaction that changes what a registry holds, in the order in which they became visible.
    token: at random, of that transaction: after a failover that lost the last of them an epoch is given again.
    """

    epoch: int
    token: str


class Compiled(msgspec.Struct, frozen=True, dict=True):
    """Keeps the rules of a symbol, and has no field for them: whoever writes or sends the symbol leaves them out."""

    @classmethod
    def of(cls, rules: OrderRules) -> Compiled:
        """Return what keeps these."""
        made = cls()
        made.__dict__["rules"] = rules
        return made


_NOT_YET = Compiled()  # and no None, so that what is written is the same whether rules were asked for or not


class RegistrySymbol(Symbol, frozen=True, kw_only=True, gc=False, eq=False):
    """A Symbol as `get_symbol` returns it, and what was said of it beside its list.

    Attributes:
        doubtful_since: since when something that is not believed is said of it; None: nothing is.
        holds: what a person has said of it and of its whole exchange; one whose time is over is among them still.
        account_fees: what was set and not forgotten, by account, of the symbol itself or else of its exchange.
    """

    doubtful_since: datetime | None = None
    holds: tuple[Hold, ...] = ()
    account_fees: Mapping[str, Fees] = NO_FEES
    _rules: Compiled = _NOT_YET

    def __post_init__(self) -> None:
        """Begin without rules: those that came along are of what this one was made from, with another tick perhaps."""
        if self._rules is not _NOT_YET:
            msgspec.structs.force_setattr(self, "_rules", _NOT_YET)

    @property
    def rules(self) -> OrderRules:
        """What an order must keep to; compiled when it is first asked for, and kept.

        Raises:
            InvalidSymbol: its numbers cannot be used.
        """
        kept = self._rules
        if kept is _NOT_YET:
            # Of a copy: rules that led back to this object would keep it from being freed, as no collector sees it.
            copy = Symbol(**{field: getattr(self, field) for field in Symbol.__struct_fields__})
            kept = Compiled.of(OrderRules.from_symbol(copy))
            msgspec.structs.force_setattr(self, "_rules", kept)
        rules: OrderRules = kept.__dict__["rules"]
        return rules

    def keep_rules_of(self, before: RegistrySymbol) -> None:
        """Take over the rules that were compiled for an earlier state, where they are of the same specification."""
        same = (before.exchange, before.spec_version, before.updated_at)
        if before._rules is not _NOT_YET and same == (self.exchange, self.spec_version, self.updated_at):
            msgspec.structs.force_setattr(self, "_rules", before._rules)

    def __eq__(self, other: object) -> bool:
        """Whether all is the same but whether its rules were compiled already."""
        if type(other) is not RegistrySymbol:
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in _COMPARED)

    __hash__ = None  # type: ignore[assignment]  # as of everything that holds a mapping


_COMPARED = tuple(field for field in RegistrySymbol.__struct_fields__ if field != "_rules")


class ListState(msgspec.Struct, frozen=True, kw_only=True):
    """When a list of an exchange was last observed.

    Attributes:
        observed_at: when the exchange gave the newest list that was applied, or that confirmed what is known.
        changed_at: the moment of its last import that changed a symbol; None where none has since that is kept.
    """

    listing: Listing
    source: str
    observed_at: datetime
    changed_at: datetime | None
