"""The words symbols are described with; a member's value is the text in the database."""

from enum import StrEnum


class SymbolKind(StrEnum):
    """What kind of instrument a symbol is."""

    SPOT = "SPOT"
    PERPETUAL = "PERPETUAL"
    FUTURE = "FUTURE"
    OPTION = "OPTION"


class ContractDirection(StrEnum):
    """In what a contract is worth: LINEAR settles in quote, INVERSE in base, QUANTO in a third currency."""

    LINEAR = "LINEAR"
    INVERSE = "INVERSE"
    QUANTO = "QUANTO"


class SymbolStatus(StrEnum):
    """Where a symbol is in its life; only TRADING and CLOSE_ONLY let orders through."""

    PRELAUNCH = "PRELAUNCH"
    TRADING = "TRADING"
    HALTED = "HALTED"
    CLOSE_ONLY = "CLOSE_ONLY"
    DELISTING = "DELISTING"
    DELISTED = "DELISTED"
    EXPIRED = "EXPIRED"


class SidesAllowed(StrEnum):
    """Which orders the exchange takes at present."""

    ALL = "ALL"
    BUY = "BUY"
    SELL = "SELL"
    NONE = "NONE"
