"""The types that callers pass in and get back: an Exchange is a draft, a StoredExchange a row of the database.

An object that exists is valid: its fields were checked when it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, TypedDict, TypeVar, overload

import msgspec

from exchanges_db.errors import InvalidExchange, shown
from exchanges_db.exchanges.defaults import CATALOGUE
from exchanges_db.exchanges.enums import ChangeOperation, ExchangeEnum, MarketType, enum_members, enum_text, meant_by
from exchanges_db.exchanges.rules import CHECKS, DATABASE_CHECKS, check_field

AnyEnum = TypeVar("AnyEnum", bound=Enum)
_DEFAULT_RATE_LIMIT_DELAY = 0.01
_ALL_CHECKS = (*CHECKS.items(), *DATABASE_CHECKS.items())


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One market of an exchange, such as Gate.io spot, and how to reach it. Look-ups return a StoredExchange.

    Attributes:
        id: primary key; None until the database has given one, as are the two times and `version`.
        name, enum_value: unique, at most 50 characters. `enum_value` is what ExchangeEnum maps to.
        display_name: for people, at most 100 characters.
        market_type: a MarketType, or its exact text.
        is_active: inactive exchanges are kept but not found by look-ups that serve trading.
        base_url, websocket_url: http(s) and ws(s) URLs, at most 255 characters.
        rate_limit_requests_per_second: how many of the lightest requests; positive, or None for unknown.
        precision_default: decimals, 0 to 18.
        created_at, updated_at: UTC, set by the database.
        version: raised by the database on every change; see `update_exchange(if_version=...)`.

    Raises:
        InvalidExchange: a field cannot be stored; `.field` names it.
    """

    id: int | None = None
    name: str
    enum_value: str
    display_name: str
    market_type: MarketType
    is_active: bool = True
    base_url: str | None = None
    websocket_url: str | None = None
    rate_limit_requests_per_second: int | None = None
    precision_default: int = 8
    created_at: datetime | None = None
    updated_at: datetime | None = None
    version: int | None = None

    def __post_init__(self) -> None:
        for field, check in _ALL_CHECKS:
            check(field, getattr(self, field))
        if type(self.market_type) is not MarketType:
            msgspec.structs.force_setattr(self, "market_type", MarketType(self.market_type))

    @overload
    def to_exchange_enum(self) -> ExchangeEnum: ...

    @overload
    def to_exchange_enum(self, kind: type[AnyEnum]) -> AnyEnum: ...

    def to_exchange_enum(self, kind: type[Enum] = ExchangeEnum) -> Enum:
        """Return the member that stands for `enum_value`: of ExchangeEnum, or of an Enum of your own.

        Raises:
            InvalidExchange: there is no such member, or `kind` is no Enum.
        """
        for member in enum_members(kind):
            if meant_by(member) == self.enum_value:
                return member
        raise InvalidExchange(f"no {kind.__name__} has the value {shown(self.enum_value)}", field="enum_value")

    @classmethod
    def from_exchange_enum(cls, exchange_enum: Enum | str, **overrides: Any) -> Exchange:
        """Return a new Exchange with the defaults of `exchange_enum`, changed by `overrides`.

        There are defaults for ExchangeEnum and for further exchanges, such as "MEXC_FUTURES".

        Raises:
            InvalidExchange: an unknown enum without display_name and market_type, an unknown or invalid override.
        """
        text = enum_text(exchange_enum)
        unknown = sorted(overrides.keys() - set(cls.__struct_fields__))
        if unknown:
            raise InvalidExchange(f"an Exchange has no field {', '.join(unknown)}", field=unknown[0])
        fields = {"name": text, "enum_value": text, **CATALOGUE.get(text, {}), **overrides}
        missing = [field.name for field in msgspec.structs.fields(cls) if field.required and field.name not in fields]
        if missing:
            needed = " and ".join(f"{field}=..." for field in missing)
            raise InvalidExchange(
                f"there are no defaults for {shown(exchange_enum)}, only for {', '.join(CATALOGUE)}: pass {needed}",
                field=missing[0],
            )
        return cls(**fields)

    def get_rate_limit_delay(self) -> float:
        """Return the seconds to wait between two requests; 0.01 where the limit is unknown."""
        if self.rate_limit_requests_per_second:
            return 1.0 / self.rate_limit_requests_per_second
        return _DEFAULT_RATE_LIMIT_DELAY

    def is_futures_exchange(self) -> bool:
        """Return whether this exchange trades futures."""
        return self.market_type is MarketType.FUTURES

    def is_spot_exchange(self) -> bool:
        """Return whether this exchange trades spot."""
        return self.market_type is MarketType.SPOT


class StoredExchange(Exchange, frozen=True, kw_only=True):
    """One row of `exchanges`, as look-ups return it: an Exchange whose id, times and version are never None.

    It never equals an Exchange that was not read from the database, not even one with the same fields.
    """

    id: int
    created_at: datetime
    updated_at: datetime
    version: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in DATABASE_CHECKS:
            if getattr(self, field) is None:
                raise InvalidExchange(f"{field} of a row is never None", field=field)


class ExchangeChange(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the audit trail of an exchange.

    Attributes:
        changed_at: the time from which `new_row` holds; UTC, strictly rising per exchange.
        changed_by: the login (`session_user`).
        application_name: what that session called itself.
        changed_columns: names of the columns that differ; empty unless the operation is UPDATE.
        old_row, new_row: the row as it was stored then, times as ISO 8601 text; None where there was none.
    """

    id: int
    exchange_id: int
    version: int
    operation: ChangeOperation
    changed_at: datetime
    changed_by: str
    application_name: str
    changed_columns: tuple[str, ...]
    old_row: dict[str, Any] | None
    new_row: dict[str, Any] | None


class ExchangeStats(TypedDict):
    """Figures of one moment; those of spot, futures and options count active exchanges only, as exchange_list does."""

    total_exchanges: int
    active_exchanges: int
    inactive_exchanges: int
    spot_exchanges: int
    futures_exchanges: int
    options_exchanges: int
    latest_update: datetime | None
    exchange_list: list[str]


def check_updates(updates: Mapping[str, Any]) -> dict[str, Any]:
    """Return `updates` as the table stores them.

    Raises:
        InvalidExchange: a field is unknown, set by the database, or its value cannot be stored.
    """
    if not isinstance(updates, Mapping):
        raise InvalidExchange(
            f"updates must map field names to values, not be {type(updates).__name__}", field="updates"
        )
    foreign = sorted(field if isinstance(field, str) else shown(field) for field in updates if field not in CHECKS)
    if foreign:
        raise InvalidExchange(
            f"cannot update {', '.join(map(shown, foreign))}: the fields that can be are {', '.join(CHECKS)}",
            field=foreign[0],
        )
    return {field: check_field(field, value) for field, value in updates.items()}
