"""What Python says about the schema is what the schema says."""

import re

import asyncpg
import msgspec
import pytest

from exchanges_db import ChangeOperation, Exchange, ExchangeChange, ExchangeEnum, MarketType
from exchanges_db.exchanges.defaults import DEFAULTS
from exchanges_db.exchanges.rules import CHECKS, DATABASE_CHECKS
from exchanges_sql.models import Exchange as GeneratedExchange


@pytest.mark.parametrize(
    ("constraint", "enum"),
    [("exchanges_market_type_known", MarketType), ("exchange_history_operation_known", ChangeOperation)],
)
async def test_an_enum_is_the_list_of_its_check(
    conn: asyncpg.Connection, constraint: str, enum: type[MarketType] | type[ChangeOperation]
) -> None:
    """Same members, same spelling."""
    text = await conn.fetchval("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1", constraint)
    assert set(re.findall(r"'(\w+)'", text)) == {member.value for member in enum}


@pytest.mark.parametrize("enum", [MarketType, ChangeOperation])
def test_a_member_is_named_as_its_value(enum: type[MarketType] | type[ChangeOperation]) -> None:
    """What is looked up by name and by value is the same."""
    assert all(member.name == member.value for member in enum)


async def test_the_rows_of_the_migration_are_the_defaults(conn: asyncpg.Connection) -> None:
    """One row for each member of ExchangeEnum, with every field of DEFAULTS, and no other."""
    rows = {row["enum_value"]: row for row in await conn.fetch("SELECT * FROM exchanges")}
    assert rows.keys() == DEFAULTS.keys() == {member.value for member in ExchangeEnum}
    for enum_value, row in rows.items():
        expected = Exchange.from_exchange_enum(enum_value)
        assert {field: row[field] for field in CHECKS} == {field: getattr(expected, field) for field in CHECKS}


async def test_the_column_defaults_are_those_of_the_model(conn: asyncpg.Connection) -> None:
    """A row inserted with the required columns alone equals an Exchange made of them."""
    row = await conn.fetchrow(
        "INSERT INTO exchanges (name, enum_value, display_name, market_type) VALUES ('N', 'E', 'D', 'SPOT') RETURNING *"
    )
    assert row is not None
    made = Exchange(name="N", enum_value="E", display_name="D", market_type=MarketType.SPOT)
    assert {field: row[field] for field in CHECKS} == {field: getattr(made, field) for field in CHECKS}


async def test_the_fields_of_the_models_are_the_columns(conn: asyncpg.Connection) -> None:
    """A new column has to be decided about in the model and in the rules."""
    query = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1"
    for table, model in (("exchanges", Exchange), ("exchange_history", ExchangeChange)):
        assert {row[0] for row in await conn.fetch(query, table)} == set(model.__struct_fields__)
    assert CHECKS.keys() | DATABASE_CHECKS.keys() == set(Exchange.__struct_fields__)
    assert set(GeneratedExchange.__dataclass_fields__) == set(Exchange.__struct_fields__)


async def test_lengths_and_nullability_are_those_of_the_model(conn: asyncpg.Connection) -> None:
    """What may be None in Python may be NULL, but for what the database sets; the longest text is the column's."""
    rows = await conn.fetch("""
        SELECT column_name, is_nullable = 'YES' AS nullable, character_maximum_length AS longest
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'exchanges'
    """)
    optional = {
        field.encode_name for field in msgspec.structs.fields(Exchange)
        if type(None) in getattr(field.type, "__args__", ())
    }  # fmt: skip
    assert {row["column_name"] for row in rows if row["nullable"]} == optional - DATABASE_CHECKS.keys()
    starts = {"base_url": "https://", "websocket_url": "wss://"}
    for row in rows:
        if row["longest"] and row["column_name"] != "market_type":
            start = starts.get(row["column_name"], "")
            text = start + "x" * (row["longest"] - len(start))
            assert CHECKS[row["column_name"]](row["column_name"], text) == text
            with pytest.raises(ValueError, match="at most"):
                CHECKS[row["column_name"]](row["column_name"], text + "x")
