"""The words that describe symbols and orders for them; the database stores a word as the text of its member."""

from enum import StrEnum
from typing import Self

from exchanges_db.errors import InvalidArgument, shown
from exchanges_db.exchanges.enums import MarketType


class SymbolKind(StrEnum):
    """What kind of instrument a symbol is."""

    SPOT = "SPOT"
    PERPETUAL = "PERPETUAL"
    FUTURE = "FUTURE"
    OPTION = "OPTION"


# Which kinds of symbols an exchange of a market type has.
KINDS_OF_MARKET: dict[MarketType, tuple[SymbolKind, ...]] = {
    MarketType.SPOT: (SymbolKind.SPOT,),
    MarketType.FUTURES: (SymbolKind.PERPETUAL, SymbolKind.FUTURE),
    MarketType.OPTIONS: (SymbolKind.OPTION,),
}


class ContractDirection(StrEnum):
    """In what a contract is worth: LINEAR settles in quote, INVERSE in base, QUANTO in a third currency."""

    LINEAR = "LINEAR"
    INVERSE = "INVERSE"
    QUANTO = "QUANTO"


class OptionType(StrEnum):
    """What an option gives the right to: CALL to buy, PUT to sell."""

    CALL = "CALL"
    PUT = "PUT"


class OrderType(StrEnum):
    """The kinds of order that an exchange can name; LIMIT_MAKER is a limit order that never takes."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"
    IMMEDIATE_OR_CANCEL = "IMMEDIATE_OR_CANCEL"
    FILL_OR_KILL = "FILL_OR_KILL"

    @classmethod
    def parse(cls, order_type: "OrderType | str", field: str = "order_type") -> "OrderType":
        """Return the member for `order_type`, or its text in any case; raises InvalidArgument, which names `field`."""
        text = order_type.upper() if isinstance(order_type, str) and order_type.isascii() else ""
        member = cls.__members__.get(text)
        if member is None:
            raise InvalidArgument(f"{field} {shown(order_type)} is not one of {', '.join(cls)}", field=field)
        return member


class PriceReference(StrEnum):
    """Of which price a band is measured: OTHER is one that the exchange describes in words of its own."""

    MARK = "MARK"
    INDEX = "INDEX"
    LAST = "LAST"
    OTHER = "OTHER"


class AssetClass(StrEnum):
    """What a contract is on; a list that names no class is of coins."""

    CRYPTO = "CRYPTO"
    STOCK = "STOCK"
    INDEX = "INDEX"
    COMMODITY = "COMMODITY"
    FX = "FX"


class SymbolStatus(StrEnum):
    """Where a symbol is in its life; which orders that lets through is decided in `judge`."""

    PRELAUNCH = "PRELAUNCH"
    TRADING = "TRADING"
    HALTED = "HALTED"
    CLOSE_ONLY = "CLOSE_ONLY"
    DELISTING = "DELISTING"
    DELISTED = "DELISTED"
    EXPIRED = "EXPIRED"


class SidesAllowed(StrEnum):
    """Which orders the exchange took when it was last asked."""

    ALL = "ALL"
    BUY = "BUY"
    SELL = "SELL"
    NONE = "NONE"


class Rounding(StrEnum):
    """Where a number between two steps goes; NEAREST takes the even step when it lies halfway."""

    DOWN = "DOWN"
    UP = "UP"
    NEAREST = "NEAREST"


class Side(StrEnum):
    """Which way an order goes, and so which rounding of its price is in its owner's favour."""

    BUY = "BUY"
    SELL = "SELL"

    @classmethod
    def parse(cls, side: "Side | str", field: str = "side", error: type[InvalidArgument] = InvalidArgument) -> Self:
        """Return the member for `side` or its exact text; raises `error`, which names `field`."""
        if type(side) is cls:
            return side
        # SidesAllowed.BUY is equal to "BUY", but says what an exchange takes and not what somebody sends.
        if isinstance(side, str) and not isinstance(side, SidesAllowed) and side in cls.__members__:
            return cls(side)
        raise error(f"{field} {shown(side)} is not one of {', '.join(cls)}", field=field)

    @property
    def passive(self) -> Rounding:
        """The rounding that never pays more, nor takes less, than the price that was meant."""
        return Rounding.DOWN if self is Side.BUY else Rounding.UP

    @property
    def aggressive(self) -> Rounding:
        """The rounding that reaches the price that was meant, at the cost of up to a tick."""
        return Rounding.UP if self is Side.BUY else Rounding.DOWN


_DEAD = frozenset((SymbolStatus.DELISTED, SymbolStatus.EXPIRED))


def is_live(status: str) -> bool:
    """Return whether the exchange still knows a symbol of this status, tradable or not."""
    return status not in _DEAD
