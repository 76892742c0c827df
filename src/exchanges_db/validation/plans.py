"""EXPLAIN of the look-ups: of the compiled statement itself, which sqlc cannot compile with EXPLAIN before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import sqlalchemy

from exchanges_db.database.bridge import translate_statement
from exchanges_sql import exchanges


class LookUp(NamedTuple):
    """A look-up: its generated text, and the index that is there for it."""

    name: str
    text: str
    index_name: str

    @property
    def explain(self) -> str:
        """Return the statement that explains it."""
        return f"EXPLAIN (FORMAT JSON) {translate_statement(sqlalchemy.text(self.text)).sql}"


BY_ENUM = LookUp(
    "get_active_exchange_by_enum_value", exchanges.GET_ACTIVE_EXCHANGE_BY_ENUM_VALUE, "exchanges_enum_value_key"
)
BY_ID = LookUp("get_exchange_by_id", exchanges.GET_EXCHANGE_BY_ID, "exchanges_pkey")
ACTIVE = LookUp("list_active_exchanges", exchanges.LIST_ACTIVE_EXCHANGES, "idx_exchanges_active")
BY_MARKET_TYPE = LookUp(
    "list_active_exchanges_by_market_type",
    exchanges.LIST_ACTIVE_EXCHANGES_BY_MARKET_TYPE,
    "idx_exchanges_market_type",
)


def indexes_in(plan: str) -> set[str]:
    """Return the names of the indexes that a plan, as EXPLAIN (FORMAT JSON) prints it, reads."""
    (root,) = msgspec.json.decode(plan)
    return set(_indexes_below(root["Plan"]))


def _indexes_below(node: dict[str, Any]) -> Iterator[str]:
    if "Index Name" in node:
        yield node["Index Name"]
    for child in node.get("Plans", ()):
        yield from _indexes_below(child)
