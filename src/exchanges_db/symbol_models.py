"""What is known of a symbol: the specification a payload gives, and nothing that moves by the minute."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from exchanges_db.symbol_enums import ContractDirection, SidesAllowed, SymbolKind, SymbolStatus


class SymbolSpec(msgspec.Struct, frozen=True, kw_only=True):
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
        listed_at, delisting_at, delisted_at, expires_at: UTC; None where the exchange does not say.
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
