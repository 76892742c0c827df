"""Partial updates as a property: exactly the fields that were given change, or nothing does."""

from typing import Any

import asyncpg
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from exchanges_db import InvalidExchange, StoredExchange, get_exchange_by_id, get_exchange_history, update_exchange
from exchanges_db.errors import DuplicateExchange
from exchanges_db.exchanges.rules import CHECKS
from tests.factories import ANYTHING, property_settings

_NAME = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc"]), min_size=1)
VALID = {
    "name": _NAME.map(lambda text: text[:50]),
    "enum_value": _NAME.map(lambda text: text[:50]),
    "display_name": _NAME.map(lambda text: text[:100]),
    "market_type": st.sampled_from(["SPOT", "FUTURES", "OPTIONS"]),
    "is_active": st.booleans(),
    "base_url": st.sampled_from([None, "https://a", "http://b.example/c?d=e"]),
    "websocket_url": st.sampled_from([None, "wss://a", "ws://b.example/c"]),
    "rate_limit_requests_per_second": st.none() | st.integers(1, 2**31 - 1),
    "precision_default": st.integers(0, 18),
}


def test_every_field_that_can_be_updated_is() -> None:
    """A new one fails here until there are values for it."""
    assert VALID.keys() == CHECKS.keys()


async def _read(conn: asyncpg.Connection) -> StoredExchange:
    exchange = await get_exchange_by_id(1, db=conn)
    assert exchange is not None
    return exchange


@property_settings(200)
@given(updates=st.fixed_dictionaries({}, optional=VALID))
async def test_exactly_the_given_fields_change(conn: asyncpg.Connection, updates: dict[str, Any]) -> None:
    """Any subset of fields: those become the values, all others stay, and version and history follow."""
    before, changes = await _read(conn), len(await get_exchange_history(1, db=conn))
    assert await update_exchange(1, updates, db=conn)
    after = await _read(conn)
    expected = {**msgspec.structs.asdict(before), **updates}
    differing = {field for field in CHECKS if expected[field] != getattr(before, field)}
    assert {field: getattr(after, field) for field in CHECKS} == {field: expected[field] for field in CHECKS}
    assert after.version - before.version == bool(differing)
    history = await get_exchange_history(1, db=conn)
    assert len(history) - changes == bool(differing)
    assert not differing or set(history[-1].changed_columns) == differing


@property_settings(300)
@given(updates=st.dictionaries(st.sampled_from([*CHECKS, "id", "version", "nonsense"]) | st.text(), ANYTHING))
async def test_whatever_is_given_is_stored_or_refused_whole(conn: asyncpg.Connection, updates: dict[str, Any]) -> None:
    """One field that cannot be stored, and no field is; never another error than ours."""
    before = await _read(conn)
    try:
        async with conn.transaction():
            await update_exchange(1, updates, db=conn)
    except (InvalidExchange, DuplicateExchange):
        assert await _read(conn) == before
    else:
        after = await _read(conn)
        assert all(getattr(after, field) == value for field, value in updates.items())
