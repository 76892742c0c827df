"""The one judge: whether an order for a symbol would be taken, and why not. Pure: it reads no clock and no database."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from exchanges_db.symbols.enums import Side, SidesAllowed, SymbolStatus
from exchanges_db.symbols.models import Symbol

_ONLY_CLOSING = (SymbolStatus.CLOSE_ONLY, SymbolStatus.DELISTING)


class Obstacle(StrEnum):
    """Why an order would be refused."""

    UNKNOWN_THEN = "UNKNOWN_THEN"
    EXCHANGE_INACTIVE = "EXCHANGE_INACTIVE"
    STATUS = "STATUS"
    ONLY_CLOSING = "ONLY_CLOSING"
    NOT_LISTED_YET = "NOT_LISTED_YET"
    DELISTED = "DELISTED"
    EXPIRED = "EXPIRED"
    SIDE = "SIDE"
    NOT_BY_API = "NOT_BY_API"


class TradeAnswer(msgspec.Struct, frozen=True):
    """Whether an order would be taken; true in an `if`. `obstacle` and `reason` are None when it would."""

    allowed: bool
    obstacle: Obstacle | None = None
    reason: str | None = None

    def __bool__(self) -> bool:
        return self.allowed


def judge(symbol: Symbol, side: Side, at: datetime, *, closing: bool = False) -> TradeAnswer:
    """Return whether `symbol`, as it stood at `at`, could be traded on an active exchange."""
    if symbol.expires_at is not None and at >= symbol.expires_at:
        return TradeAnswer(False, Obstacle.EXPIRED, f"it expired at {symbol.expires_at:%Y-%m-%d %H:%M:%S} UTC")
    for gone in (symbol.delisted_at, symbol.delisting_at):
        if gone is not None and at >= gone and (symbol.status is not SymbolStatus.DELISTING or not closing):
            return TradeAnswer(False, Obstacle.DELISTED, f"it is delisted from {gone:%Y-%m-%d %H:%M:%S} UTC on")
    if symbol.status in _ONLY_CLOSING and not closing and symbol.sides is SidesAllowed.ALL:
        return TradeAnswer(False, Obstacle.ONLY_CLOSING, f"its status is {symbol.status}: closing orders only")
    # An announced launch takes effect at its time, although the stored status still says PRELAUNCH.
    opened = symbol.status is SymbolStatus.PRELAUNCH and symbol.listed_at is not None and at >= symbol.listed_at
    if symbol.status not in (SymbolStatus.TRADING, *_ONLY_CLOSING) and not opened:
        return TradeAnswer(False, Obstacle.STATUS, f"its status is {symbol.status}")
    if symbol.listed_at is not None and at < symbol.listed_at:
        return TradeAnswer(False, Obstacle.NOT_LISTED_YET, f"it opens at {symbol.listed_at:%Y-%m-%d %H:%M:%S} UTC")
    if not opened and symbol.sides not in (SidesAllowed.ALL, side.value):
        return TradeAnswer(False, Obstacle.SIDE, f"the exchange takes {symbol.sides} orders only")
    if not symbol.api_tradable:
        return TradeAnswer(False, Obstacle.NOT_BY_API, "the exchange does not take orders for it through its API")
    return TradeAnswer(True)
