"""What is known of a symbol: the specification a payload gives, and nothing that moves by the minute.

A SymbolSpec that exists is valid: its fields were checked when it was made.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import get_args, get_type_hints

import msgspec

from exchanges_db.symbols.enums import (
    AssetClass,
    ContractDirection,
    OptionType,
    OrderType,
    PriceReference,
    SidesAllowed,
    SymbolKind,
    SymbolStatus,
)
from exchanges_db.symbols.rules import check_spec
from exchanges_db.symbols.usual import is_usual, remember


# gc=False: they hold numbers, texts and times only, so that the collector need not search them for cycles.
class SymbolSpec(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One symbol as its exchange describes it. Numbers are exact; None: the exchange is silent, or sets no limit.

    Attributes:
        native_symbol: the exchange's own name, as it stands in its requests; unique while the symbol is live.
        symbol: BASE/QUOTE for spot, BASE/QUOTE:SETTLE for perpetuals, BASE/QUOTE:SETTLE-YYMMDD for futures,
            BASE/QUOTE:SETTLE-YYMMDD-STRIKE-C or -P for options.
        base, quote: currency codes in the exchange's own spelling; two exchanges may use one code for two coins.
        settle, direction, contract_size: None for spot. contract_size is in base for LINEAR and QUANTO contracts,
            in quote for INVERSE ones.
        strike, option_type: of options only; the strike is in quote.
        price_tick, quantity_step: positive; quantity_step is in base for spot, in contracts else.
        tick_assumed, step_assumed: the exchange's documents give no tick, or no step, and it was taken from the
            coarser of what is known: see docs/symbols.md.
        min_quantity, max_quantity: in the unit of quantity_step; the minimum may be less than a step.
        min_notional, max_notional: in quote.
        market_...: the same for market orders, which keep to the general limits as well; None where they have no
            limit of their own.
        price_band_up, price_band_down: how far above (a buy) or below (a sell) the price that price_band_of names an
            order's price may be, as a fraction of that price: 0.02 is 2 percent. The band itself moves with the price.
        market_slip_ratio: how far a market order may run from the price it began at, as a fraction.
        order_types: those that the exchange takes, as it says.
        leverage_min, leverage_max: times; initial_margin_rate, maintenance_margin_rate: fractions of the position, at
            the lowest risk level.
        funding_interval: seconds; funding_cap: the most that one funding payment can be, as a fraction.
        max_open_orders: how many orders of one account may be open at once.
        margin_allowed: whether a spot symbol is traded on margin, too.
        full_name, contract_address: of the base currency: its name, and its contract on its chain.
        is_risky: the exchange has put a warning on it; is_premarket: it is traded before its coin is.
        asset_class: what a contract is on.
        list_maker_fee, list_taker_fee: fractions of the notional: 0.002 is 0.2 percent. What the exchange's list gives
            as default, and no account pays: what yours pays is told by `get_fees`.
        status, sides: as the exchange said when it was last asked: what may be traded now is told by `can_trade`.
        api_tradable: whether orders are taken through the API.
        buy_opens_at, sell_opens_at: when orders of that side are taken for the first time.
        delisting_at: from then on positions can only be closed; delisted_at: from then on nothing is traded.
        expires_at: when a dated contract ends.
        exchange_changed_at: when the exchange last changed the contract, as it says.

    Times have a time zone.

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
    strike: Decimal | None = None
    option_type: OptionType | None = None
    price_tick: Decimal
    tick_assumed: bool = False
    quantity_step: Decimal
    step_assumed: bool = False
    min_quantity: Decimal | None = None
    max_quantity: Decimal | None = None
    min_notional: Decimal | None = None
    max_notional: Decimal | None = None
    market_min_quantity: Decimal | None = None
    market_max_quantity: Decimal | None = None
    market_min_notional: Decimal | None = None
    market_max_notional: Decimal | None = None
    price_band_up: Decimal | None = None
    price_band_down: Decimal | None = None
    price_band_of: PriceReference | None = None
    market_slip_ratio: Decimal | None = None
    order_types: tuple[OrderType, ...] | None = None
    leverage_min: Decimal | None = None
    leverage_max: Decimal | None = None
    initial_margin_rate: Decimal | None = None
    maintenance_margin_rate: Decimal | None = None
    funding_interval: int | None = None
    funding_cap: Decimal | None = None
    max_open_orders: int | None = None
    margin_allowed: bool | None = None
    full_name: str | None = None
    contract_address: str | None = None
    is_risky: bool | None = None
    is_premarket: bool | None = None
    asset_class: AssetClass | None = None
    list_maker_fee: Decimal | None = None
    list_taker_fee: Decimal | None = None
    status: SymbolStatus
    sides: SidesAllowed
    api_tradable: bool = True
    buy_opens_at: datetime | None = None
    sell_opens_at: datetime | None = None
    delisting_at: datetime | None = None
    delisted_at: datetime | None = None
    expires_at: datetime | None = None
    exchange_changed_at: datetime | None = None

    def __post_init__(self) -> None:
        if not is_usual(self):
            check_spec(self)
            remember(self)


class Symbol(SymbolSpec, frozen=True, kw_only=True, gc=False):
    """One row of `symbols`: a specification, where it is traded, and since when it holds.

    It is made by look-ups. The database's constraints checked its fields, which is not done a second time here.

    Attributes:
        exchange: enum_value of its exchange.
        price_decimals, quantity_decimals: how many the tick and the step have.
        spec_version: 1 for the first specification, raised by each change; updated_at: since when this one holds.
        source: the reader or the user's own source that gave it; None for rows of before that was kept.
        observed_at: when the exchange gave the list that brought this specification; None where that was not kept.
            `list_symbol_lists` tells when a list last confirmed it.
    """

    id: int
    exchange_id: int
    exchange: str
    price_decimals: int
    quantity_decimals: int
    spec_version: int
    created_at: datetime
    updated_at: datetime
    source: str | None = None
    observed_at: datetime | None = None

    def __post_init__(self) -> None:
        """Check nothing: the table holds no row that breaks a rule."""


class NamedSymbol(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol that is known by name only: brought along from another database, and in no list since.

    It has an id for foreign keys, and no rules: no order of it would be taken. The first list that has it makes it a
    Symbol with the same id.

    Attributes:
        exchange: enum_value of its exchange.
        native_symbol, base, quote: as they were in that database.
    """

    id: int
    exchange_id: int
    exchange: str
    native_symbol: str
    base: str
    quote: str


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


class SymbolRaw(msgspec.Struct, frozen=True, kw_only=True):
    """What an exchange last said of a symbol, in its own words.

    Attributes:
        raw: the row of its payload as JSON text; numbers in it are exact if they are decoded to Decimal.
        observed_at: when the exchange said so; None for a row of before that was kept. What moves by the minute, such
            as a price, is as old as this, too.
    """

    exchange: str
    native_symbol: str
    raw: str
    observed_at: datetime | None


class SymbolStats(msgspec.Struct, frozen=True, kw_only=True):
    """How many symbols an exchange has of one kind and status, and when the latest of them changed."""

    exchange: str
    kind: SymbolKind
    status: SymbolStatus
    symbols: int
    latest_update: datetime


@cache
def fields_of(model: type[msgspec.Struct], kind: type) -> tuple[str, ...]:
    """Return the fields of a model whose values are of this type, also those that may be None."""
    hints = get_type_hints(model)
    return tuple(field for field in model.__struct_fields__ if kind in (hints[field], *get_args(hints[field])))
