"""What is known of a symbol: the specification a payload gives, and nothing that moves by the minute.

A SymbolSpec that exists is valid: its fields were checked when it was made.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from exchanges_db.symbols.enums import ContractDirection, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.rules import (
    check_fee,
    check_limits,
    check_positive,
    check_terms,
    check_text,
    check_times,
    check_words,
)


# gc=False: they hold numbers, texts and times only, so that the collector need not search them for cycles.
class SymbolSpec(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One symbol as its exchange describes it. Numbers are exact; None means that the exchange sets no limit.

    Attributes:
        native_symbol: the exchange's own name, as it stands in its requests; unique while the symbol is live.
        symbol: BASE/QUOTE for spot, BASE/QUOTE:SETTLE for perpetuals, BASE/QUOTE:SETTLE-YYMMDD for futures.
        settle, direction, contract_size: None for spot. contract_size is in base for LINEAR and QUANTO contracts,
            in quote for INVERSE ones.
        price_tick, quantity_step: positive; quantity_step is in base for spot, in contracts else.
        min_quantity, max_quantity: in the unit of quantity_step; the minimum may be less than a step.
        min_notional, max_notional: in quote.
        maker_fee, taker_fee: fractions of the notional: 0.002 is 0.2 percent; a maker fee may be negative.
        sides: which orders are taken at present; api_tradable: whether they are taken through the API.
        listed_at, delisting_at, delisted_at, expires_at: with a time zone; None where the exchange does not say.

    Raises:
        InvalidSymbol: a field cannot be stored, or two contradict each other; `.field` names it.
    """

    native_symbol: str
    symbol: str
    base: str
    quote: str
    settle: str | None = None
    kind: SymbolKind
    direction: ContractDirection | None = None
    contract_size: Decimal | None = None
    price_tick: Decimal
    quantity_step: Decimal
    min_quantity: Decimal | None = None
    max_quantity: Decimal | None = None
    min_notional: Decimal | None = None
    max_notional: Decimal | None = None
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    status: SymbolStatus
    sides: SidesAllowed
    api_tradable: bool = True
    listed_at: datetime | None = None
    delisting_at: datetime | None = None
    delisted_at: datetime | None = None
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        check_text("native_symbol", self.native_symbol)
        check_text("base", self.base)
        check_text("quote", self.quote)
        check_text("symbol", self.symbol)
        check_words(self.kind, self.status, self.sides, self.api_tradable)
        check_terms(self.kind, self.base, self.quote, self.settle, self.direction, self.contract_size)
        check_positive("price_tick", self.price_tick)
        check_positive("quantity_step", self.quantity_step)
        check_limits("min_quantity", self.min_quantity, "max_quantity", self.max_quantity)
        check_limits("min_notional", self.min_notional, "max_notional", self.max_notional)
        check_fee("maker_fee", self.maker_fee)
        # Many exchanges have one fee for both, which need not be looked at twice.
        if self.taker_fee is not self.maker_fee:
            check_fee("taker_fee", self.taker_fee)
        check_times(self.kind, self.status, self.listed_at, self.delisting_at, self.delisted_at, self.expires_at)


class Symbol(SymbolSpec, frozen=True, kw_only=True, gc=False):
    """One row of `symbols`: a specification, where it is traded, and since when it holds.

    It is made by look-ups. The database's constraints checked its fields, which is not done a second time here.

    Attributes:
        exchange: enum_value of its exchange.
        is_active: follows from status; whether its exchange is active is another matter, see `can_trade`.
        price_decimals, quantity_decimals: how many the tick and the step have.
        spec_version: 1 for the first specification, raised by each change; updated_at: since when this one holds.
    """

    id: int
    exchange_id: int
    exchange: str
    price_decimals: int
    quantity_decimals: int
    is_active: bool
    spec_version: int
    created_at: datetime
    updated_at: datetime

    def __post_init__(self) -> None:
        """Check nothing: the table holds no row that breaks a rule."""


class SymbolVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A specification of a symbol, and when it held.

    Attributes:
        valid_to: None for the one that holds now.
        operation, ended_by, application_name: what ended it, which database user, and its application_name.
    """

    spec_version: int
    valid_from: datetime
    valid_to: datetime | None
    operation: str | None
    ended_by: str | None
    application_name: str | None
    symbol: Symbol


class SymbolStats(msgspec.Struct, frozen=True, kw_only=True):
    """How many symbols an exchange has of one kind and status, and when the latest of them changed."""

    exchange: str
    kind: SymbolKind
    status: SymbolStatus
    symbols: int
    latest_update: datetime
