"""What every contender does: one active exchange by its enum value, all thirteen columns, as a typed object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import NamedTuple, TypeAlias

import msgspec

from exchanges_db import ExchangeEnum
from exchanges_db.database.dsn import Dsn

ENUM = ExchangeEnum.GATEIO_FUTURES
ENUM_VALUE = ENUM.value
POOL_SIZE = 8

LookUp: TypeAlias = Callable[[], Awaitable[object]]
Opened: TypeAlias = AbstractAsyncContextManager[LookUp]

# The text of db/queries/exchanges.sql, once per driver's way to write a parameter.
ASYNCPG_SQL = """
SELECT id, name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
       rate_limit_requests_per_second, precision_default, created_at, updated_at, version
FROM public.exchanges
WHERE enum_value = $1 AND is_active
"""
PSYCOPG_SQL = """
SELECT id, name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
       rate_limit_requests_per_second, precision_default, created_at, updated_at, version
FROM public.exchanges
WHERE enum_value = %s AND is_active
"""


class Row(msgspec.Struct):
    """The columns in their order. Its constructor checks nothing: the cheapest typed object there is."""

    id: int
    name: str
    enum_value: str
    display_name: str
    market_type: str
    is_active: bool
    base_url: str | None
    websocket_url: str | None
    rate_limit_requests_per_second: int | None
    precision_default: int
    created_at: datetime
    updated_at: datetime
    version: int


class Contender(NamedTuple):
    """One way to do the look-up: `open` gives the callable that is timed, and cleans up after it."""

    key: str
    name: str
    open: Callable[[Dsn], Opened]


def values_of(answer: object) -> dict[str, object]:
    """Return the thirteen columns of a contender's answer, so that all answers can be compared."""
    return {field: getattr(answer, field) for field in Row.__struct_fields__}
