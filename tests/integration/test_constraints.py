"""Every constraint: named, known to the error map, refusing what it should, and equal to the rules in Python."""

from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges_db import ConstraintViolated, DuplicateExchange, InvalidExchange
from exchanges_db.database.constraint_words import CONSTRAINTS
from exchanges_db.database.driver_errors import translate
from exchanges_db.exchanges.rules import check_field
from exchanges_db.schema.sql_files import bookkeeping_file
from tests.factories import exchange_fields, property_settings

TEXT_FIELDS = ["name", "enum_value", "display_name"]
# Raised by a trigger, which pg_constraint does not know.
BY_TRIGGER = {
    "account_fees_exchange_known",
    "account_fees_symbol_known",
    "exchanges_id_immutable",
    "holds_identity_immutable",
    "symbols_identity_immutable",
    "symbol_doubts_open_key",
    "symbols_live_native_symbol_key",
    "symbols_rules_stay",
}

REFUSED: list[tuple[str, str, Any]] = [
    *((f"exchanges_{field}_printable", field, value) for field in TEXT_FIELDS
      for value in ("", " ", "      ", "a\nb", "\x01", "\x1f", "a\x7f", "\t", "tab\tbed", "a\r")),
    *(("exchanges_market_type_known", "market_type", value) for value in ("", "spot", "SPOT ", "SWAP", "SPOT\n")),
    *(("exchanges_base_url_scheme", "base_url", value)
      for value in ("", "h", "ftp://h", "wss://h", "https://", "https:///x", "https:// h", "https://h ", "https://h\n",
                    "\nhttps://h", "HTTPS://h", " https://h")),
    *(("exchanges_websocket_url_scheme", "websocket_url", value)
      for value in ("", "https://h", "ws://", "wss:///x", "wss://h\x7f", "ws://a b", "x\nwss://h")),
    *(("exchanges_rate_limit_positive", "rate_limit_requests_per_second", value) for value in (0, -1, -(2**31))),
    *(("exchanges_precision_default_range", "precision_default", value) for value in (-1, 19, 2**15 - 1)),
]  # fmt: skip


async def insert(conn: asyncpg.Connection, fields: dict[str, Any]) -> asyncpg.Record:
    """Insert a row past all of Python's checks and return it."""
    columns = list(fields)
    row = await conn.fetchrow(
        f"INSERT INTO exchanges ({', '.join(columns)}) VALUES ({', '.join(f'${n + 1}' for n in range(len(columns)))})"
        " RETURNING *",
        *fields.values(),
    )
    assert row is not None
    return row


async def accepted_unchanged(conn: asyncpg.Connection, field: str, value: Any) -> bool:
    """Whether the table takes the value and gives the very same back."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        row = await insert(conn, exchange_fields(**{field: value}))
    except (asyncpg.PostgresError, UnicodeEncodeError):
        return False
    finally:
        await transaction.rollback()
    return bool(row[field] == value)


def accepted_in_python(field: str, value: Any) -> bool:
    """Whether our own rule takes the value."""
    try:
        check_field(field, value)
    except InvalidExchange:
        return False
    return True


async def test_every_constraint_of_ours_is_in_the_error_map(conn: asyncpg.Connection) -> None:
    """Walks pg_constraint; NOT NULL is named by its column, and dbmate's own table is dbmate's."""
    await conn.execute(bookkeeping_file().read_text())
    rows = await conn.fetch("""
        SELECT conname FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
          AND contype NOT IN ('n', 't')  -- a trigger that is deferred is a 't'
          AND conrelid <> 'schema_migrations'::regclass
    """)
    assert {row["conname"] for row in rows} == CONSTRAINTS.keys() - BY_TRIGGER


async def test_every_unique_index_is_a_constraint(conn: asyncpg.Connection) -> None:
    """A unique index without a constraint would be refused under a name nobody maps."""
    rows = await conn.fetch("""
        SELECT i.indexrelid::regclass::text AS name FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
        WHERE c.relnamespace = 'public'::regnamespace AND i.indisunique
          AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
    """)
    # A constraint cannot be partial; the server names the index as if it were one.
    assert {row["name"] for row in rows} == {"symbol_doubts_open_key", "symbols_live_native_symbol_key"}
    assert {row["name"] for row in rows} <= CONSTRAINTS.keys()


async def test_every_constraint_name_says_its_table(conn: asyncpg.Connection) -> None:
    """Not a name that PostgreSQL made up and may make up differently."""
    rows = await conn.fetch("""
        SELECT conname, conrelid::regclass::text AS on_table FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'x')
    """)
    assert rows
    for row in rows:
        assert row["conname"].startswith(row["on_table"] + "_")
        assert not row["conname"].endswith(("_check", "_check1", "_excl"))


@pytest.mark.parametrize(("constraint", "field", "value"), REFUSED, ids=range(len(REFUSED)))
async def test_each_check_refuses_what_it_should(
    conn: asyncpg.Connection, constraint: str, field: str, value: Any
) -> None:
    """Our class, the SQLSTATE, the constraint's name and a message that starts with the field."""
    with pytest.raises(asyncpg.CheckViolationError) as info:
        await insert(conn, exchange_fields(**{field: value}))
    error = translate(info.value)
    assert type(error) is ConstraintViolated
    assert (error.sqlstate, error.constraint) == ("23514", constraint)
    assert str(error).startswith(field)


async def test_every_check_on_exchanges_is_shown_to_refuse(conn: asyncpg.Connection) -> None:
    """A new CHECK cannot come in without a value that it refuses; the version's is below, for a trigger sets it."""
    rows = await conn.fetch(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'exchanges'::regclass AND contype = 'c'"
    )
    assert {name for name, _, _ in REFUSED} == {name for (name,) in rows} - {"exchanges_version_positive"}


async def test_a_version_below_one_is_refused(conn: asyncpg.Connection) -> None:
    """Even where the trigger that sets it is off."""
    await conn.execute("ALTER TABLE exchanges DISABLE TRIGGER exchanges_stamp")
    with pytest.raises(asyncpg.CheckViolationError) as info:
        await insert(conn, exchange_fields(version=0))
    assert info.value.constraint_name == "exchanges_version_positive"


@pytest.mark.parametrize("field", ["id", "name", "enum_value"])
async def test_each_key_is_unique(conn: asyncpg.Connection, field: str) -> None:
    """DuplicateExchange, 23505, and which one."""
    columns = [*exchange_fields(), "id"]
    values = [*exchange_fields(**({} if field == "id" else {field: "MEXC_SPOT"})).values(), 1 if field == "id" else 77]
    with pytest.raises(asyncpg.UniqueViolationError) as info:
        await conn.execute(
            f"INSERT INTO exchanges ({', '.join(columns)}) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5)", *values
        )
    error = translate(info.value)
    assert type(error) is DuplicateExchange
    assert error.constraint == ("exchanges_pkey" if field == "id" else f"exchanges_{field}_key")


@pytest.mark.parametrize(
    ("operation", "old_row", "new_row", "constraint"),
    [
        ("RENAME", None, "{}", "exchange_history_operation_known"),
        ("INSERT", "{}", "{}", "exchange_history_rows_fit_operation"),
        ("INSERT", None, None, "exchange_history_rows_fit_operation"),
        ("SNAPSHOT", "{}", "{}", "exchange_history_rows_fit_operation"),
        ("UPDATE", None, "{}", "exchange_history_rows_fit_operation"),
        ("UPDATE", "{}", None, "exchange_history_rows_fit_operation"),
        ("DELETE", "{}", "{}", "exchange_history_rows_fit_operation"),
        ("TRUNCATE", None, None, "exchange_history_rows_fit_operation"),
    ],
)
async def test_a_history_entry_that_contradicts_itself_is_refused(
    conn: asyncpg.Connection, operation: str, old_row: str | None, new_row: str | None, constraint: str
) -> None:
    """Even by an owner who switched the guard off."""
    await conn.execute("ALTER TABLE exchange_history DISABLE TRIGGER USER")
    with pytest.raises(asyncpg.CheckViolationError) as info:
        await conn.execute(
            "INSERT INTO exchange_history (exchange_id, version, operation, changed_at, changed_by, application_name,"
            " changed_columns, old_row, new_row) VALUES (1, 1, $1, $2, 'me', 'me', '{}', $3, $4)",
            operation, datetime.now(UTC), old_row, new_row,
        )  # fmt: skip
    assert info.value.constraint_name == constraint


async def test_a_checksum_is_hexadecimal(conn: asyncpg.Connection) -> None:
    """The ledger of the migrations keeps nothing else."""
    await conn.execute(bookkeeping_file().read_text())
    with pytest.raises(asyncpg.CheckViolationError) as info:
        await conn.execute("INSERT INTO migration_checksums (version, file_name, sha256) VALUES ('1', 'f', 'xyz')")
    assert info.value.constraint_name == "migration_checksums_sha256_hex"


WORD = st.text(st.characters(max_codepoint=0x1FFFF), max_size=8)
SCHEME = st.sampled_from(["http", "https", "ws", "wss", "HTTP", "httpss", "", " https"])
REST = st.one_of(WORD, st.text("/ h:\n\x7f\u00a0\u2028é@?#", max_size=4))
URLISH = st.one_of(
    WORD,
    st.builds(
        lambda scheme, colon, rest: scheme + colon + rest, SCHEME, st.sampled_from(["://", ":/", ":", "//"]), REST
    ),
    st.builds(lambda scheme, rest: f"{scheme}://{rest}", SCHEME, REST),
    st.builds(lambda n: "https://" + "h" * n, st.integers(244, 250)),
    st.builds(lambda n: "wss://" + "h" * n, st.integers(246, 252)),
)
PRINTABLE = st.one_of(
    WORD,
    st.text(" \t\n\x00\x1f\x7f\x80\x85\u00a0\u200b\u2028\ud800\udfff\U0001f4b1a", max_size=6),
    st.builds(lambda n, c: c * n, st.integers(48, 102), st.sampled_from(["a", "д", "\U0001f4b1", " ", "e\u0301"])),
    st.builds(lambda n, pad: "a" * n + " " * pad, st.integers(1, 50), st.integers(0, 60)),
)


@property_settings(300)
@given(field=st.sampled_from(TEXT_FIELDS), value=PRINTABLE)
async def test_python_and_the_database_accept_the_same_text(conn: asyncpg.Connection, field: str, value: str) -> None:
    """Whatever the text, either both take it, unchanged, or neither."""
    assert accepted_in_python(field, value) == await accepted_unchanged(conn, field, value)


@property_settings(400)
@given(field=st.sampled_from(["base_url", "websocket_url"]), value=URLISH)
async def test_python_and_the_database_accept_the_same_urls(conn: asyncpg.Connection, field: str, value: str) -> None:
    """Two regular expressions in two dialects, one meaning."""
    assert accepted_in_python(field, value) == await accepted_unchanged(conn, field, value)


@pytest.mark.parametrize("field", ["rate_limit_requests_per_second", "precision_default"])
async def test_python_and_the_database_accept_the_same_numbers(conn: asyncpg.Connection, field: str) -> None:
    """All limits and their neighbours."""
    for limit in (0, 1, 18, 2**15, 2**31, 2**63, -(2**15), -(2**31)):
        for value in (limit - 1, limit, limit + 1):
            assert accepted_in_python(field, value) == await accepted_unchanged(conn, field, value), value
