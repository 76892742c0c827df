"""Hostile text and hostile objects through every public function: stored as they are, or InvalidExchange."""

import re
import typing
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from exchanges_db import (
    Conflict,
    DatabaseError,
    Exchange,
    ExchangeNotFound,
    ExchangesDBError,
    InvalidArgument,
    InvalidExchange,
    MarketType,
    StoredExchange,
    activate_exchange,
    deactivate_exchange,
    get_exchange_as_of,
    get_exchange_by_enum,
    get_exchange_by_id,
    get_exchange_history,
    get_exchanges_by_market_type,
    insert_exchange,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import shown
from exchanges_db.exchanges.rules import CHECKS
from tests.cases import CALLS, Case
from tests.factories import connected, exchange_fields
from tests.hostile_text import HOSTILE


class Number(Enum):
    """An enum whose value is no text."""

    ONE = 1


# Every field that is text; a market type is text until it is checked.
TEXT_FIELDS = [field.name for field in msgspec.structs.fields(Exchange) if field.type in (str, str | None, MarketType)]
# Too large for an id, but not for a version.
SMALLINT_BEYOND = 2**15
HOSTILE_OBJECTS: list[Any] = [
    None, True, False, 0, -1, 1.0, 1.5, float("nan"), float("inf"), SMALLINT_BEYOND, 2**31, 2**63, 10**5000, 1j, b"x",
    bytearray(b"x"), [], ["x"], (), {}, {"name": "x"}, set(), object(), object, len, Ellipsis, datetime.now(UTC),
    datetime(2026, 1, 1), Exchange, InvalidExchange("x"), Number.ONE, range(3), memoryview(b"x"),  # noqa: DTZ001
]  # fmt: skip


@pytest.fixture
async def stocked(stocked_dsn: Dsn) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database with symbols, on which everything is as before at the end."""
    async with connected(stocked_dsn) as conn:
        await conn.execute("CREATE TABLE canary (id int); INSERT INTO canary VALUES (1), (2)")
        query = """
            SELECT (SELECT count(*) FROM canary), (SELECT array_agg(e) FROM exchanges AS e),
                   (SELECT array_agg(s.spec_version) FROM symbols AS s), (SELECT count(*) FROM pg_class),
                   (SELECT count(*) FROM pg_proc), current_user, session_user
        """
        before = await conn.fetchrow(query)
        yield conn
        assert await conn.fetchrow(query) == before


@pytest.fixture
async def guarded(conn: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside which nothing else may have changed at the end: no table, no row, no type."""
    await conn.execute("CREATE TABLE canary (id int); INSERT INTO canary VALUES (1), (2)")
    query = """
        SELECT (SELECT count(*) FROM canary), (SELECT count(*) FROM exchanges), (SELECT count(*) FROM exchange_history),
               (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_proc), current_user, session_user
    """
    before = await conn.fetchrow(query)
    yield conn
    assert await conn.fetchrow(query) == before


async def stored_or_refused(conn: asyncpg.Connection, action: Callable[[], Awaitable[int]]) -> StoredExchange | None:
    """The row that `action` left, read back and then rolled back; None where it was refused."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        return await get_exchange_by_id(await action(), db=conn)
    except InvalidExchange:
        return None
    finally:
        await transaction.rollback()


# Callbacks, and what a caller lends. A validation has no parameters besides but figures, which its own test tries.
NOT_DATA = {"return", "db", "settings"}
PARAMETERS = [
    (call, name, hint)
    for call in CALLS.values()
    # Where a function takes its arguments in several forms, the forms tell their names.
    for form in typing.get_overloads(call.function) or [call.function]
    for name, hint in typing.get_type_hints(form).items()
    if call.kind != "validation" and name not in NOT_DATA and not name.startswith("on_")
]


def test_the_corpus_is_large_and_holds_nothing_twice() -> None:
    """At least sixty, and each for its own reason."""
    assert len(set(HOSTILE)) == len(HOSTILE) >= 60


@pytest.mark.parametrize("field", TEXT_FIELDS)
async def test_text_that_is_inserted_comes_back_byte_for_byte(guarded: asyncpg.Connection, field: str) -> None:
    """Whatever is in it, or it is refused before the driver."""
    kept = 0
    for text in HOSTILE:
        fields = exchange_fields(**{field: text})

        async def insert(fields: dict[str, Any] = fields) -> int:
            # The members' own values are taken; that is another test's matter.
            if {fields["name"], fields["enum_value"]} & {"MEXC_SPOT"}:
                raise InvalidExchange("taken")
            return await insert_exchange(Exchange(**fields), db=guarded)

        row = await stored_or_refused(guarded, insert)
        if row is not None:
            kept += 1
            assert getattr(row, field).encode() == text.encode()
            assert {f: getattr(row, f) for f in fields} == fields
    assert kept > (50 if field.endswith("name") else 0)


@pytest.mark.parametrize("field", TEXT_FIELDS)
async def test_text_that_is_updated_comes_back_byte_for_byte(guarded: asyncpg.Connection, field: str) -> None:
    """And every other field stays what it was."""
    before = await get_exchange_by_id(2, db=guarded)
    assert before is not None
    for text in HOSTILE:
        if text == "MEXC_SPOT" and field in ("name", "enum_value"):
            continue

        async def update(text: str = text) -> int:
            await update_exchange(2, {field: text}, db=guarded)
            return 2

        row = await stored_or_refused(guarded, update)
        if row is not None:
            assert getattr(row, field) == text
            others = set(CHECKS) - {field}
            assert {f: getattr(row, f) for f in others} == {f: getattr(before, f) for f in others}


async def test_text_for_a_field_name_is_refused(guarded: asyncpg.Connection) -> None:
    """No key of `updates` reaches the server, alone or beside a good one."""
    for text in HOSTILE:
        for updates in ({text: "x"}, {"display_name": "x", text: 1}):
            with pytest.raises(InvalidExchange, match="cannot update"):
                await update_exchange(2, updates, db=guarded)


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("call", "parameter", "hint"), PARAMETERS, ids=[f"{call.name}-{name}" for call, name, _ in PARAMETERS]
)
async def test_whatever_a_parameter_is_given_is_answered_or_refused(
    stocked: asyncpg.Connection,
    call: Case,
    parameter: str,
    hint: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every parameter of every function: by an error of ours, before the server stumbles over it."""
    monkeypatch.chdir(tmp_path)  # where the name of a folder is one, it is made
    texts: list[Any] = list(HOSTILE if hint is str or re.search(r"\bstr\b", str(hint)) else HOSTILE[:5])
    if "Collection" in str(hint):
        texts = [[text] for text in texts]
    for value in [*texts, *HOSTILE_OBJECTS]:
        transaction = stocked.transaction()
        await transaction.start()
        try:
            named: dict[str, Any] = (
                {parameter: value} if "*" not in call.arguments else {"*": (value, *call.arguments["*"][1:])}
            )
            if parameter == "exchange" and call.name == "can_trade":
                named["symbol"] = "BTC/USDT"
            await call(stocked, **named)
        except Conflict:
            assert parameter == "if_version"  # a version that a row can have, but this one has not
        except DatabaseError as exc:
            raise AssertionError(f"{shown(value)} reached the server") from exc
        except ExchangesDBError:
            pass
        finally:
            await transaction.rollback()


async def test_text_for_an_enum_finds_the_row_or_nothing(guarded: asyncpg.Connection) -> None:
    """Exactly the row of that text; no pattern, no case, no look-alike."""
    for text in HOSTILE:
        try:
            found = await get_exchange_by_enum(text, db=guarded)
        except InvalidExchange:
            continue
        assert (found is not None) is (text == "MEXC_SPOT")


async def test_text_for_a_market_type_is_one_of_three_or_refused(guarded: asyncpg.Connection) -> None:
    """Nothing else gets near the server."""
    for text in HOSTILE:
        if text.isascii() and text.upper() == "SPOT":
            assert len(await get_exchanges_by_market_type(text, db=guarded)) == 2
            continue
        with pytest.raises(InvalidExchange):
            await get_exchanges_by_market_type(text, db=guarded)


@pytest.mark.parametrize("wrong", [*HOSTILE[:20], *HOSTILE_OBJECTS], ids=range(20 + len(HOSTILE_OBJECTS)))
async def test_an_object_in_the_place_of_another_is_refused(guarded: asyncpg.Connection, wrong: Any) -> None:
    """In the functions on exchanges: InvalidExchange, or for an impossible id the answer that nobody is there."""
    for about_one in (
        get_exchange_history(wrong, db=guarded),
        get_exchange_as_of(wrong, datetime.now(UTC), db=guarded),
    ):
        with pytest.raises((InvalidExchange, ExchangeNotFound)):
            await about_one
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: get_exchange_by_id(wrong, db=guarded),
        lambda: update_exchange(wrong, {"display_name": "x"}, db=guarded),
        lambda: activate_exchange(wrong, db=guarded),
        lambda: deactivate_exchange(wrong, db=guarded),
    ]
    for call in calls:
        if type(wrong) is int:
            assert await call() in (None, [], False)
        else:
            with pytest.raises(InvalidExchange):
                await call()
    calls = [
        lambda: insert_exchange(wrong, db=guarded),
        lambda: get_exchanges_by_market_type(wrong, db=guarded),
    ]
    if wrong is not None and wrong is not SMALLINT_BEYOND:
        calls.append(lambda: update_exchange(1, {"display_name": "x"}, if_version=wrong, db=guarded))
    if not (isinstance(wrong, datetime) and wrong.tzinfo):
        calls.append(lambda: get_exchange_as_of(1, wrong, db=guarded))
    if not isinstance(wrong, str):
        calls.append(lambda: get_exchange_by_enum(wrong, db=guarded))
    if not isinstance(wrong, dict):
        calls.append(lambda: update_exchange(1, wrong, db=guarded))
    for call in calls:
        with pytest.raises(InvalidArgument):  # which a time without zone is; the others are InvalidExchange
            await call()


@pytest.mark.parametrize("field", CHECKS)
async def test_an_object_for_a_value_is_refused_by_name(guarded: asyncpg.Connection, field: str) -> None:
    """Neither stored nor an error of the driver; None, True and numbers are left out where a field may hold them."""
    meant: dict[str, list[Any]] = {
        "is_active": [True, False],
        "base_url": [None],
        "websocket_url": [None],
        "rate_limit_requests_per_second": [None, 2**15],
        "precision_default": [0],
    }
    for wrong in HOSTILE_OBJECTS:
        if any(wrong is value or (type(wrong) is int and wrong == value) for value in meant.get(field, [])):
            continue
        with pytest.raises(InvalidExchange, match=field) as info:
            await update_exchange(1, {field: wrong}, db=guarded)
        assert info.value.field == field
        with pytest.raises(InvalidExchange, match=field):
            Exchange(**exchange_fields(**{field: wrong}))
