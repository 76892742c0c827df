"""What one field of an exchange may hold: the CHECK constraints of the migration, in Python.

Checked before the driver, which would silently turn 1.5 into 1. A property test holds that both accept the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from exchanges_db.errors import InvalidExchange, shown
from exchanges_db.exchanges.enums import MarketType
from exchanges_db.moments import has_zone

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_HTTP_URL = re.compile(r"https?://[^/ ][^ ]*")
_WEBSOCKET_URL = re.compile(r"wss?://[^/ ][^ ]*")
SMALLINT_MAX = 2**15 - 1
INTEGER_MAX = 2**31 - 1

Check = Callable[[str, Any], Any]


def _text(longest: int) -> Check:
    def check(field: str, value: Any) -> Any:
        if not isinstance(value, str):
            raise InvalidExchange(f"{field} must be text, not {type(value).__name__}", field=field)
        if len(value) > longest:
            raise InvalidExchange(f"{field} has {len(value)} characters; at most {longest} fit", field=field)
        if _UNPRINTABLE.search(value) or not value.strip(" "):
            raise InvalidExchange(f"{field} must not be blank or hold control characters", field=field)
        return value

    return check


def _url(pattern: re.Pattern[str], schemes: str) -> Check:
    text = _text(255)

    def check(field: str, value: Any) -> Any:
        if value is not None and not pattern.fullmatch(text(field, value)):
            raise InvalidExchange(f"{field} must be {schemes} URL without blanks", field=field)
        return value

    return check


def _integer(lowest: int, highest: int, *, optional: bool) -> Check:
    def check(field: str, value: Any) -> Any:
        if value is None and optional:
            return None
        # Python takes a bool for an int, and asyncpg 1.0; neither is what a caller means.
        if type(value) is not int:
            raise InvalidExchange(f"{field} must be an integer, not {type(value).__name__}", field=field)
        if not lowest <= value <= highest:
            raise InvalidExchange(f"{field} must be between {lowest} and {highest}, not {shown(value)}", field=field)
        return value

    return check


def _boolean(field: str, value: Any) -> Any:
    if type(value) is not bool:
        raise InvalidExchange(f"{field} must be true or false, not {type(value).__name__}", field=field)
    return value


def _market_type(field: str, value: Any) -> MarketType:
    if type(value) is MarketType:
        return value
    if not isinstance(value, str) or value not in MarketType.__members__:
        raise InvalidExchange(f"{field} {shown(value)} is not one of {', '.join(MarketType)}", field=field)
    return MarketType(value)


def _moment(field: str, value: Any) -> Any:
    if value is not None and not has_zone(value):
        raise InvalidExchange(f"{field} must be a datetime with a time zone", field=field)
    return value


# The fields a caller may set, in the order of the table.
CHECKS: dict[str, Check] = {
    "name": _text(50),
    "enum_value": _text(50),
    "display_name": _text(100),
    "market_type": _market_type,
    "is_active": _boolean,
    "base_url": _url(_HTTP_URL, "an http:// or https://"),
    "websocket_url": _url(_WEBSOCKET_URL, "a ws:// or wss://"),
    "rate_limit_requests_per_second": _integer(1, INTEGER_MAX, optional=True),
    "precision_default": _integer(0, 18, optional=False),
}
# The fields the database sets; None until it has.
DATABASE_CHECKS: dict[str, Check] = {
    "id": _integer(-SMALLINT_MAX - 1, SMALLINT_MAX, optional=True),
    "created_at": _moment,
    "updated_at": _moment,
    "version": _integer(1, INTEGER_MAX, optional=True),
}


def check_field(field: str, value: Any) -> Any:
    """Return `value` as the table stores it; raise InvalidExchange, naming the field, when it cannot be stored."""
    return CHECKS[field](field, value)


def check_exchange_id(exchange_id: int) -> bool:
    """Return whether a row could have this id; raise InvalidExchange when it is no integer at all."""
    if type(exchange_id) is not int:
        raise InvalidExchange(f"an exchange id must be an integer, not {type(exchange_id).__name__}", field="id")
    return -SMALLINT_MAX - 1 <= exchange_id <= SMALLINT_MAX
