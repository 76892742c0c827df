"""Several hundred strings that have broken programs, through every text parameter: kept as they are, or refused.

Each parameter gets its share of them, another one than its neighbours, so that every string meets several parameters
of every kind. With NAUGHTY_SHARE=1 in the environment each gets them all, which takes minutes. Our own strings go
through every parameter in test_hostile_input.py.
"""

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from exchanges_db import (
    DatabaseError,
    Exchange,
    ExchangesDBError,
    InvalidArgument,
    get_all_exchanges,
    get_exchange_history,
    get_hold_history,
    hold_exchange,
    hold_symbol,
    import_specs,
    insert_exchange,
    list_account_fees,
    list_holds,
    list_imports,
    release_exchange,
    set_account_fees,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import shown
from tests.cases import Case, a_symbol
from tests.factories import connected, exchange_fields
from tests.hostile_text import HOSTILE, NAUGHTY
from tests.integration.test_hostile_input import PARAMETERS, TEXT_FIELDS
from tests.payload_rows import SPOT

SHARE = int(os.environ.get("NAUGHTY_SHARE", "32"))
TEXTS = [
    (call, name, str(hint))
    for call, name, hint in PARAMETERS
    if hint is str or re.search(r"\bstr\b", str(hint))
]  # fmt: skip
# How many rows of each table were written by this session lately: the difference is what a transaction wrote.
WRITTEN = "SELECT relname::text, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
# Parameters whose text is stored: each is read back byte for byte below, but for what is documented to be shortened,
# and `save`, which names a folder.
STORED = {
    ("hold_symbol", "reason"), ("hold_exchange", "reason"), ("set_account_fees", "account"),
    ("import_specs", "source"), ("import_specs", "origin"), ("import_symbols", "origin"), ("sync_symbols", "save"),
    ("release_symbol", "reason"), ("release_exchange", "reason"),
    # Nothing is stored: there are no fees of such an account to forget, and no hold of such a symbol to end.
    ("forget_account_fees", "account"), ("release_symbol", "name"),
}  # fmt: skip


@pytest.fixture
async def stocked(stocked_dsn: Dsn) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database with symbols and a canary, which is as before at the end."""
    async with connected(stocked_dsn) as conn:
        await conn.execute("CREATE TABLE canary (id int); INSERT INTO canary VALUES (1), (2)")
        state = "SELECT (SELECT count(*) FROM canary), (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_proc)"
        before = await conn.fetchrow(state)
        yield conn
        assert await conn.fetchrow(state) == before


def test_the_big_list_is_whole() -> None:
    """All of its 515, of which a few are there twice, beside our own."""
    assert len(NAUGHTY) == len(set(NAUGHTY)) >= 640 > len(HOSTILE) > 120


async def touched_by(conn: asyncpg.Connection, *calls: Callable[[], Awaitable[Any]]) -> tuple[set[str], int]:
    """Return which tables these calls touch, one after the other, and how many of them were answered."""
    transaction, answered = conn.transaction(), 0
    await transaction.start()
    try:
        before = {tuple(row) for row in await conn.fetch(WRITTEN)}
        for call in calls:
            try:
                await call()
                answered += 1
            except DatabaseError:
                raise
            except ExchangesDBError:
                pass
        return {row[0] for row in await conn.fetch(WRITTEN) if tuple(row) not in before and row[1]}, answered
    finally:
        await transaction.rollback()


def given(call: Case, parameter: str, hint: str, text: str) -> dict[str, Any]:
    """The argument that a parameter gets a text in."""
    value: Any = [text] if "Collection" in hint or "Iterable[str]" in hint else text
    if "*" in call.arguments:
        return {"*": (value, *call.arguments["*"][1:])}
    more = {"symbol": "BTC/USDT"} if (call.name, parameter) == ("can_trade", "exchange") else {}
    return {parameter: value, **more}


async def test_every_parameter_answers_or_refuses(
    stocked: asyncpg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No error of the server or the driver, and no table touched but those that the function is there to change."""
    monkeypatch.chdir(tmp_path)  # where the name of a folder is one, it is made
    taken = set()
    for number, (call, parameter, hint) in enumerate(TEXTS):
        own, _ = await touched_by(stocked, partial(call, stocked))
        own |= {"hold_history"} if "holds" in own else set()  # a hold that replaces another one ends it
        texts = NAUGHTY[number % SHARE :: SHARE]
        if "PathLike" in hint:  # which is made: the list has names of folders that are none of a test's business
            texts = [text for text in texts if "/" not in text]
        arguments = [given(call, parameter, hint, text) for text in texts]
        calls = [partial(call, stocked, **named) for named in arguments]
        try:
            touched, answered = await touched_by(stocked, *calls)
        except DatabaseError as exc:
            raise AssertionError(f"{call.name}({parameter}=...) reached the server") from exc
        assert touched <= own, (call.name, parameter)
        if call.kind == "read":
            assert not touched
        elif answered > 1:
            taken.add((call.name, parameter))
    assert taken <= STORED
    assert len(TEXTS) >= 80


async def test_every_text_of_an_exchange_comes_back(stocked: asyncpg.Connection) -> None:
    """Inserted, each of them in each field that is text, and read back in one go."""
    transaction = stocked.transaction()
    await transaction.start()
    wanted: dict[int, dict[str, Any]] = {}
    for field in TEXT_FIELDS:
        for text in NAUGHTY:
            fields = exchange_fields(**{field: text})
            try:
                exchange = Exchange(**fields)
            except InvalidArgument:
                continue
            if not {fields["name"], fields["enum_value"]} & {"MEXC_SPOT"}:
                wanted[await insert_exchange(exchange, db=stocked)] = fields
    found = {row.id: row for row in await get_all_exchanges(db=stocked)}
    await transaction.rollback()
    assert len(wanted) > 1200
    for exchange_id, fields in wanted.items():
        assert {name: getattr(found[exchange_id], name) for name in fields} == fields


async def test_every_text_that_an_exchange_is_updated_to_comes_back(stocked: asyncpg.Connection) -> None:
    """One change after the other, as the history has them."""
    kept = []
    for text in NAUGHTY:
        try:
            if await update_exchange(1, {"display_name": text}, db=stocked):
                kept.append(text)
        except InvalidArgument:
            continue
    rows = [change.new_row or {} for change in await get_exchange_history(1, db=stocked)]
    assert [row["display_name"] for row in rows][-len(kept) :] == kept
    assert len(kept) > 400


async def test_every_text_of_a_hold_or_account_comes_back(stocked: asyncpg.Connection) -> None:
    """Reasons of holds and of their ends, names of symbols that nobody knows, names of accounts."""
    transaction = stocked.transaction()
    await transaction.start()

    async def accepted(call: Callable[[str], Awaitable[Any]]) -> list[str]:
        kept = []
        for text in NAUGHTY[::2]:
            try:
                await call(text)
            except InvalidArgument:
                continue
            kept.append(text)
        return kept

    async def release(text: str) -> None:
        await hold_exchange(SPOT, reason="x", db=stocked)
        await release_exchange(SPOT, reason=text, db=stocked)

    reasons = await accepted(lambda text: hold_exchange(SPOT, reason=text, db=stocked))
    ended = {hold.reason for hold in await get_hold_history(SPOT, db=stocked)}
    assert ended >= set(reasons)
    releases = await accepted(release)
    assert {hold.ended_reason for hold in await get_hold_history(SPOT, db=stocked)} >= set(releases)
    names = await accepted(lambda text: hold_symbol(SPOT, text, native=True, reason="x", db=stocked))
    assert {hold.native_symbol for hold in await list_holds(SPOT, db=stocked)} >= set(names)
    accounts = await accepted(lambda text: set_account_fees(SPOT, account=text, maker="0", taker="0.001", db=stocked))
    assert {fees.account for fees in await list_account_fees(SPOT, db=stocked)} >= set(accounts)
    await transaction.rollback()
    assert min(map(len, (reasons, releases, names, accounts))) > 150


async def test_every_text_of_a_source_comes_back(stocked: asyncpg.Connection) -> None:
    """The share of one parameter: an import is dear."""
    kept = 0
    for text in NAUGHTY[::SHARE]:
        transaction = stocked.transaction()
        await transaction.start()
        try:
            await import_specs("MEXC_SPOT", "SPOT", [a_symbol()], source=text, db=stocked)
            (newest, *_) = await list_imports("MEXC_SPOT", db=stocked)
            assert newest.source == text, shown(text)
            kept += 1
        except InvalidArgument:
            pass
        finally:
            await transaction.rollback()
    assert kept > 10
