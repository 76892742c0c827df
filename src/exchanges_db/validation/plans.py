"""EXPLAIN of the look-ups, which sqlc cannot compile: a contract test holds each equal to the query it explains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec


class LookUp(NamedTuple):
    """A look-up, the statement that explains it, and the index that is there for it."""

    name: str
    explain: str
    index_name: str


BY_ENUM = LookUp(
    "get_active_exchange_by_enum_value",
    """EXPLAIN (FORMAT JSON) SELECT id, name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
       rate_limit_requests_per_second, precision_default, created_at, updated_at, version
FROM public.exchanges
WHERE enum_value = $1 AND is_active""",
    "exchanges_enum_value_key",
)
BY_ID = LookUp(
    "get_exchange_by_id",
    """EXPLAIN (FORMAT JSON) SELECT id, name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
       rate_limit_requests_per_second, precision_default, created_at, updated_at, version
FROM public.exchanges
WHERE id = $1""",
    "exchanges_pkey",
)
ACTIVE = LookUp(
    "list_active_exchanges",
    """EXPLAIN (FORMAT JSON) SELECT id, name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
       rate_limit_requests_per_second, precision_default, created_at, updated_at, version
FROM public.exchanges
WHERE is_active
ORDER BY name""",
    "idx_exchanges_active",
)
BY_MARKET_TYPE = LookUp(
    "list_active_exchanges_by_market_type",
    """EXPLAIN (FORMAT JSON) SELECT id, name, enum_value, display_name, market_type, is_active, base_url, websocket_url,
       rate_limit_requests_per_second, precision_default, created_at, updated_at, version
FROM public.exchanges
WHERE market_type = $1 AND is_active
ORDER BY name""",
    "idx_exchanges_market_type",
)
LOOK_UPS = (BY_ENUM, BY_ID, ACTIVE, BY_MARKET_TYPE)


def indexes_in(plan: str) -> set[str]:
    """Return the names of the indexes that a plan, as EXPLAIN (FORMAT JSON) prints it, reads."""
    (root,) = msgspec.json.decode(plan)
    return set(_indexes_below(root["Plan"]))


def _indexes_below(node: dict[str, Any]) -> Iterator[str]:
    if "Index Name" in node:
        yield node["Index Name"]
    for child in node.get("Plans", ()):
        yield from _indexes_below(child)
