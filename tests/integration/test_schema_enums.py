"""What Python says about the schema is what the schema says."""

import re
import typing
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import asyncpg
import msgspec
import pytest

from exchanges_db import (
    ChangeOperation,
    Exchange,
    ExchangeChange,
    ExchangeEnum,
    ImportRecord,
    MarketType,
    SidesAllowed,
    Symbol,
    SymbolKind,
)
from exchanges_db.exchanges.defaults import DEFAULTS
from exchanges_db.exchanges.rules import CHECKS, DATABASE_CHECKS
from exchanges_sql.models import Exchange as GeneratedExchange
from tests.unit.test_enums import OURS

# The Struct of each table's rows: a field of an enum's type is a column that holds the enum.
ROWS: dict[str, type[msgspec.Struct]] = {
    "exchanges": Exchange,
    "exchange_history": ExchangeChange,
    "symbol_imports": ImportRecord,
    "symbols": Symbol,
}
# Kept in one table, and told by another as well.
TOLD_AGAIN = {("symbol_imports", "kind"): SymbolKind, ("symbol_lists", "kind"): SymbolKind}
# What the history of symbols records ends a version; the other members belong to the trail of exchanges.
ENDS_A_VERSION = {"UPDATE", "DELETE", "TRUNCATE"}
# No column holds these: the order's and the caller's words, and what is worked out from rows.
NOT_STORED = {
    "Brake", "ChangeKind", "Consequence", "DifferenceKind", "Duty", "ExchangeStep", "FeeSource", "HoldEnd",
    "Obstacle", "OrderRule", "Progress", "RegistryChangeKind", "RegistryState", "Rounding", "Side", "SyncOutcome",
}  # fmt: skip
# Exchanges may be added to a database without a program that knows them; each member has its row all the same.
FREE_TEXT = {"ExchangeEnum"}
LISTS = r"""
    SELECT conrelid::regclass::text, attname, pg_get_constraintdef(pg_constraint.oid) AS definition
    FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
    WHERE connamespace = 'public'::regnamespace AND contype = 'c' AND cardinality(conkey) = 1
      AND pg_get_constraintdef(pg_constraint.oid) ~ '= ANY \(|<@ ARRAY'
"""


def stored() -> dict[tuple[str, str], type[StrEnum]]:
    """The enum of each table and column that holds one, as the Structs of the rows say."""
    return {
        (table, field.encode_name): kind
        for table, row in ROWS.items()
        for field in msgspec.structs.fields(row)
        for kind in named_in(field.type)
        if isinstance(kind, type) and issubclass(kind, StrEnum)
    }


def named_in(hint: Any) -> Iterator[Any]:
    """Every type that a hint names: of `tuple[A, ...] | None` that is A, too."""
    yield hint
    for part in typing.get_args(hint):
        yield from named_in(part)


def test_of_every_enum_it_is_known_whether_it_is_stored() -> None:
    """A new one fails here until it is the type of a column, or is listed among those that are not stored."""
    held = {enum.__name__ for enum in stored().values()}
    assert {enum.__name__ for enum in OURS} == held | NOT_STORED | FREE_TEXT
    assert not held & (NOT_STORED | FREE_TEXT)


async def test_the_enums_are_what_the_tables_take_and_nothing_more(conn: asyncpg.Connection) -> None:
    """Every CHECK that lists words is an enum's, and every enum that is stored has one with the same words."""
    lists = {(table, column): set(re.findall(r"'(\w+)'", text)) for table, column, text in await conn.fetch(LISTS)}
    expected = {place: {member.value for member in enum} for place, enum in (stored() | TOLD_AGAIN).items()}
    assert {member.value for member in ChangeOperation} > ENDS_A_VERSION
    others = {
        # Of rows that a registry reads again; nobody is told them.
        ("registry_changes", "changed"): {"EVERYTHING", "EXCHANGES", "SYMBOLS", "HOLDS", "FEES", "LISTS"},
        ("symbol_history", "operation"): ENDS_A_VERSION,
        ("hold_history", "operation"): ENDS_A_VERSION,
        # What holds no side is no hold.
        ("holds", "sides"): {side.value for side in SidesAllowed} - {"NONE"},
    }
    assert lists == {**expected, **others}


async def test_the_rows_of_the_migrations_are_the_defaults(conn: asyncpg.Connection) -> None:
    """After all of them: one row for each member of ExchangeEnum, with every field of DEFAULTS, and no other."""
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
    """A field may be None where its column may be NULL, except what the database sets; both hold the same length."""
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
