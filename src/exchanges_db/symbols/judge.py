"""The one judge: what stands in the way of an order. Pure: it reads no clock and no database.

Nothing else decides, in Python or SQL. An announced time acts by itself when it comes, unless the exchange was asked
after it and said otherwise: an observation outranks a guess. What is in doubt is closed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from enum import StrEnum
from fractions import Fraction

import msgspec

from exchanges_db.symbols.enums import ContractDirection, OrderType, Side, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.models import SymbolSpec

# A member of an enum costs Python a call each time it is named.
_SPOT, _BUY, _SELL = SymbolKind.SPOT, Side.BUY, Side.SELL
_ALL, _NONE = SidesAllowed.ALL, SidesAllowed.NONE
_TRADING, _PRELAUNCH, _HALTED = SymbolStatus.TRADING, SymbolStatus.PRELAUNCH, SymbolStatus.HALTED
_DELISTED, _EXPIRED = SymbolStatus.DELISTED, SymbolStatus.EXPIRED
_ONLY_CLOSING = (SymbolStatus.CLOSE_ONLY, SymbolStatus.DELISTING)
_SIDES = {Side.BUY: SidesAllowed.BUY, Side.SELL: SidesAllowed.SELL}
# Wide enough for the sum and product of any numbers of a specification that are of sane size.
_EXACT = Context(prec=4000, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])
# How many numbers of lots, and of ticks, are tried where limits lie so close that no reckoning shows an order.
_TRIED = 1000


class Obstacle(StrEnum):
    """What stands in the way of an order.

    STALE_REGISTRY: the registry has not heard of the database for a while. UNKNOWN_THEN: the database did not know the
    symbol, or its exchange, at that time. OTHER_SYMBOL: the database has another symbol under that id, or another name
    of its exchange where it is known by name only. NO_RULES: it is known by name only. HELD: a person has forbidden it.
    STALE: the exchange confirmed it longer ago than was asked for. DOUBTFUL: a list has said something of it that is
    not believed. UNSATISFIABLE: no order can keep to all its limits.
    """

    STALE_REGISTRY = "STALE_REGISTRY"
    UNKNOWN_THEN = "UNKNOWN_THEN"
    OTHER_SYMBOL = "OTHER_SYMBOL"
    NO_RULES = "NO_RULES"
    HELD = "HELD"
    EXCHANGE_INACTIVE = "EXCHANGE_INACTIVE"
    STALE = "STALE"
    DOUBTFUL = "DOUBTFUL"
    EXPIRED = "EXPIRED"
    DELISTED = "DELISTED"
    HALTED = "HALTED"
    NOT_OPEN_YET = "NOT_OPEN_YET"
    ONLY_CLOSING = "ONLY_CLOSING"
    SIDE = "SIDE"
    NOT_BY_API = "NOT_BY_API"
    ORDER_TYPE = "ORDER_TYPE"
    UNSATISFIABLE = "UNSATISFIABLE"


class Hold(msgspec.Struct, frozen=True):
    """A person's word that orders of some sides are not to be sent, up to a time; None: until it is released.

    held_by: the database user whose word it is. whole: it is on the whole exchange.
    """

    sides: SidesAllowed
    until_at: datetime | None
    reason: str
    held_by: str | None = None
    whole: bool = False

    def stops(self, side: Side, at: datetime) -> bool:
        """Return whether it stands in the way of an order of `side` at `at`."""
        return (self.sides is _ALL or self.sides is _SIDES[side]) and (self.until_at is None or at < self.until_at)


class TradeAnswer(msgspec.Struct, frozen=True):
    """Whether an order would be taken; true in an `if`.

    Attributes:
        obstacles: everything that stands in the way; empty where nothing does.
        reason: the first of them in words; None where there is none.
    """

    obstacles: tuple[Obstacle, ...] = ()
    reason: str | None = None

    @property
    def allowed(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.obstacles

    @property
    def obstacle(self) -> Obstacle | None:
        """The first obstacle, which `reason` explains."""
        return self.obstacles[0] if self.obstacles else None

    def __bool__(self) -> bool:
        return not self.obstacles


def judge(
    spec: SymbolSpec,
    side: Side,
    at: datetime,
    *,
    exchange_active: bool = True,
    order_type: OrderType | None = None,
    closing: bool = False,
    observed_at: datetime | None = None,
    doubtful: bool = False,
    stale: bool = False,
    holds: Iterable[Hold] = (),
) -> list[Obstacle]:
    """Return what stands in the way of an order of `side` at `at`, the gravest first; an empty list: nothing does.

    order_type: None: any. closing: the order only reduces a position of a contract; a spot order closes if it sells.
    observed_at: when the exchange last confirmed `spec`; None where nobody has asked since. stale: see `is_stale`.
    doubtful: a list has said something of it that is not believed. holds: a person's word on it and on its exchange.
    """
    found = []
    if any(hold.stops(side, at) for hold in holds):
        found.append(Obstacle.HELD)
    if not exchange_active:
        found.append(Obstacle.EXCHANGE_INACTIVE)
    if stale:
        found.append(Obstacle.STALE)
    if doubtful:
        found.append(Obstacle.DOUBTFUL)
    status = spec.status
    if status is _EXPIRED or (spec.expires_at is not None and at >= spec.expires_at):
        found.append(Obstacle.EXPIRED)
    elif status is _DELISTED or _has_come(spec.delisted_at, at, observed_at):
        found.append(Obstacle.DELISTED)
    elif status is _HALTED:
        found.append(Obstacle.HALTED)
    else:
        opens_at, other = spec.buy_opens_at, spec.sell_opens_at
        if side is _SELL:
            opens_at, other = other, opens_at
        opened = _has_come(opens_at, at, observed_at)
        # A pre-market symbol is opened by the exchange's word alone, given when its time had come.
        awaits_word = spec.is_premarket is True and (
            status is _PRELAUNCH or (status is _TRADING and opened and observed_at is not None)
        )
        if (opens_at is not None and at < opens_at) or (status is _PRELAUNCH and not opened) or awaits_word:
            found.append(Obstacle.NOT_OPEN_YET)
        closes = side is _SELL if spec.kind is _SPOT else closing
        if not closes and (status in _ONLY_CLOSING or _has_come(spec.delisting_at, at, observed_at)):
            found.append(Obstacle.ONLY_CLOSING)
        # A launch that begins with one side: the other was not named because its time had not come. Where both open at
        # once, or none was named, that is no launch, and no time opens what was not named.
        begins_with_other = spec.sides is not _NONE and opens_at is not None and (other is None or other < opens_at)
        opens_itself = opened and status is _TRADING and begins_with_other and spec.is_premarket is not True
        if not (spec.sides is _ALL or spec.sides is _SIDES[side] or opens_itself or status is _PRELAUNCH):
            found.append(Obstacle.SIDE)
    if not spec.api_tradable:
        found.append(Obstacle.NOT_BY_API)
    if order_type is not None and spec.order_types is not None and order_type not in spec.order_types:
        found.append(Obstacle.ORDER_TYPE)
    if not is_satisfiable(spec):
        found.append(Obstacle.UNSATISFIABLE)
    return found


def is_tradable(
    spec: SymbolSpec,
    at: datetime,
    *,
    exchange_active: bool = True,
    observed_at: datetime | None = None,
    doubtful: bool = False,
    stale: bool = False,
    holds: Sequence[Hold] = (),
) -> bool:
    """Return whether an order of some side would be taken at `at`, of a symbol that is not ONLY_CLOSING."""

    def against(side: Side) -> list[Obstacle]:
        return judge(
            spec,
            side,
            at,
            exchange_active=exchange_active,
            observed_at=observed_at,
            doubtful=doubtful,
            stale=stale,
            holds=holds,
        )

    to_buy = against(_BUY)
    # Whoever sells on a spot market closes, so that only a purchase shows that nothing else is taken.
    return not to_buy or (Obstacle.ONLY_CLOSING not in to_buy and not against(_SELL))


def _has_come(time: datetime | None, at: datetime, observed_at: datetime | None) -> bool:
    """Return whether an announced time acts at `at`; one that had passed when the exchange was asked does not."""
    return time is not None and time <= at and (observed_at is None or observed_at < time)


def is_stale(confirmed_at: datetime | None, now: datetime, max_age: timedelta | None) -> bool:
    """Return whether the exchange confirmed something longer ago than `max_age`, or never; None: any age will do."""
    return max_age is not None and (confirmed_at is None or now - confirmed_at > max_age)


def turning_points(spec: SymbolSpec) -> list[datetime]:
    """Return the times at which the judgement may change, in order; between two of them it does not."""
    times = (spec.buy_opens_at, spec.sell_opens_at, spec.delisting_at, spec.delisted_at, spec.expires_at)
    return sorted({time for time in times if time is not None})


def is_satisfiable(spec: SymbolSpec) -> bool:
    """Return whether some order keeps to all limits of a symbol: an exchange may state limits that none can.

    Limits so narrow that an order which keeps to them would have to be searched for count as such, too.
    """
    most, most_notional = spec.max_quantity, spec.max_notional
    inverse = spec.direction is ContractDirection.INVERSE
    if most is most_notional is None and (not inverse or spec.min_notional is None):
        return True
    step, size = spec.quantity_step, spec.contract_size or Decimal(1)
    # Nearly always the limits lie far apart, which a few sums show.
    enough = _EXACT.add(step, spec.min_quantity or step)
    if most_notional is None and (not inverse or spec.min_notional is None) and (most is None or enough <= most):
        return True
    if most_notional is not None and (most is None or enough <= most) and not inverse:
        # Any stretch of this length holds a price for the least quantity.
        stretch = _EXACT.multiply(_EXACT.multiply(enough, size), spec.price_tick)
        if _EXACT.add(stretch, spec.min_notional or 0) <= most_notional:
            return True
    lot = Fraction(step)
    fewest = max(math.ceil(Fraction(spec.min_quantity or 0) / lot), 1)
    most_lots = None if most is None else math.floor(Fraction(most) / lot)
    unit = lot * Fraction(size) * (1 if inverse else Fraction(spec.price_tick))
    least_worth = max(math.ceil(Fraction(spec.min_notional or 0) / unit), 1)
    most_worth = None if most_notional is None else math.floor(Fraction(most_notional) / unit)
    if inverse:
        return all(max(fewest, least_worth) <= limit for limit in (most_lots, most_worth) if limit is not None)
    if most_lots is not None and fewest > most_lots:
        return False
    return most_worth is None or _has_product(fewest, most_lots, least_worth, most_worth)


def _has_product(fewest: int, most_lots: int | None, least: int, most: int) -> bool:
    """Return whether lots of the given number, times some ticks, come to a number from `least` to `most`."""
    most_lots = most if most_lots is None else min(most, most_lots)
    few_lots = range(fewest, min(most_lots, fewest + _TRIED) + 1)
    # Of few ticks, as many lots as go.
    many_lots = (min(most // ticks, most_lots) for ticks in range(1, min(most, _TRIED) + 1))
    return any(most // lots * lots >= least for lots in few_lots) or any(
        lots >= fewest and most // lots * lots >= least for lots in many_lots if lots
    )


def explain(
    obstacle: Obstacle,
    spec: SymbolSpec,
    side: Side,
    order_type: OrderType | None = None,
    hold: Hold | None = None,
) -> str:
    """Return in words why `judge` named an obstacle; `hold` is the one that stops the order, if one does."""
    if obstacle is Obstacle.HELD and hold is not None:
        what = "the whole exchange" if hold.whole else "it"
        end = "" if hold.until_at is None else f", until {_written(hold.until_at)}"
        return f"{hold.held_by or 'a person'} holds {what}{end}: {hold.reason}"
    if obstacle is Obstacle.EXPIRED:
        return f"it expired at {_written(spec.expires_at)}"
    if obstacle is Obstacle.DELISTED:
        return f"it is delisted from {_written(spec.delisted_at)} on"
    if obstacle is Obstacle.NOT_OPEN_YET:
        opens_at = spec.buy_opens_at if side is Side.BUY else spec.sell_opens_at
        if opens_at is None:
            return f"its status is {spec.status}, and no time is known at which it opens for {side}"
        return f"it opens for {side} at {_written(opens_at)}, or later: its status is {spec.status}"
    if obstacle is Obstacle.ONLY_CLOSING:
        if spec.status in _ONLY_CLOSING:
            return f"its status is {spec.status}: closing orders only"
        return f"it takes closing orders only from {_written(spec.delisting_at)} on"
    if obstacle is Obstacle.SIDE:
        return f"the exchange takes {spec.sides} orders only"
    if obstacle is Obstacle.ORDER_TYPE:
        known = ", ".join(spec.order_types or ()) or "no"
        return f"the exchange takes {known} orders, not {order_type}"
    return {
        Obstacle.NO_RULES: "it is known by name only: no list has given its rules",
        Obstacle.HELD: "a person holds it",
        Obstacle.EXCHANGE_INACTIVE: "its exchange is not active",
        Obstacle.STALE: "the exchange has not confirmed it for longer than was asked for",
        Obstacle.DOUBTFUL: "a list has said something of it that is not believed",
        Obstacle.HALTED: f"its status is {spec.status}",
        Obstacle.NOT_BY_API: "the exchange does not take orders for it through its API",
        Obstacle.UNSATISFIABLE: "no order can keep to all of its limits",
    }[obstacle]


def _written(time: datetime | None) -> str:
    return "a time that is not known" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
