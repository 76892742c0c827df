"""The names of exchanges, market types and kinds of change.

A member's value is the text in the database; a test compares them with the CHECK constraints.
"""

from enum import Enum, EnumMeta, StrEnum

from exchanges_db.errors import InvalidExchange, shown


class ExchangeEnum(StrEnum):
    """The exchanges a system is built for: each has one row in `exchanges`, found by `enum_value`."""

    MEXC = "MEXC_SPOT"
    GATEIO = "GATEIO_SPOT"
    GATEIO_FUTURES = "GATEIO_FUTURES"


class MarketType(StrEnum):
    """What is traded on an exchange: `exchanges.market_type`."""

    SPOT = "SPOT"
    FUTURES = "FUTURES"
    OPTIONS = "OPTIONS"

    @classmethod
    def parse(cls, text: str) -> "MarketType":
        """Return the member for `text` in any case.

        Raises:
            InvalidExchange: `text` is no market type; the message lists all of them.
        """
        # ASCII only: upper() turns some other letters into Latin ones.
        member = cls.__members__.get(text.upper()) if isinstance(text, str) and text.isascii() else None
        if member is None:
            raise InvalidExchange(f"market type {shown(text)} is not one of {', '.join(cls)}", field="market_type")
        return member


class ChangeOperation(StrEnum):
    """What happened to a row: `exchange_history.operation`."""

    SNAPSHOT = "SNAPSHOT"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    TRUNCATE = "TRUNCATE"


def meant_by(exchange_enum: object) -> object:
    """Return by what a member of an Enum counts, or `exchange_enum` where it is none.

    One that is a text, as of a StrEnum, counts by the text that it is, equals and is found in a dict by, also where
    that is not its value; any other by its value.
    """
    if isinstance(exchange_enum, Enum) and not isinstance(exchange_enum, str):
        return exchange_enum.value
    return exchange_enum


def enum_text(exchange_enum: Enum | str) -> str:
    """Return the database text of an ExchangeEnum, of any other Enum that stands for it, or of the text itself.

    Raises:
        InvalidExchange: it is none of these.
    """
    text = meant_by(exchange_enum)
    if not isinstance(text, str):
        raise InvalidExchange(
            f"{shown(exchange_enum)} names no exchange: pass an ExchangeEnum, an Enum whose value is text, or the text",
            field="enum_value",
        )
    return str.__str__(text)  # not what a class of its own shows


def enum_members(kind: type[Enum]) -> list[Enum]:
    """Return the members of an Enum class; raise InvalidExchange where `kind` is not one."""
    if not isinstance(kind, EnumMeta):
        raise InvalidExchange(f"an Enum class is wanted, not {shown(kind)}", field="enum_value")
    return list(kind)
