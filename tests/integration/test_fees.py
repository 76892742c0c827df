"""What an account pays: which fees hold, what the table refuses, who set them, and what becomes of what is gone."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest

from exchanges_db import (
    AccessDenied,
    AmbiguousSymbol,
    ConstraintViolated,
    Database,
    ExchangeNotFound,
    InvalidArgument,
    InvalidSymbol,
    Symbol,
    SymbolNotFound,
    get_symbol_by_id,
    import_symbols,
)
from exchanges_db.database.constraint_words import CONSTRAINTS
from exchanges_db.database.driver_errors import translate
from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import FeesUnknown
from exchanges_db.symbols.fees import (
    AccountFees,
    FeeSource,
    forget_account_fees,
    get_account_fee_history,
    get_fees,
    list_account_fees,
    set_account_fees,
)
from exchanges_db.validation.plans import LookUp, indexes_used
from exchanges_sql import account_fees
from tests.factories import an_exchange, connected
from tests.hostile_text import HOSTILE
from tests.payload_rows import many, payload
from tests.symbol_rows import insert

P = "account_fees_"
MEXC, SPOT = "MEXC_SPOT", "GATEIO_SPOT"  # the exchanges with the ids 1 and 2
MAKER, TAKER = Decimal("0.0009"), Decimal("0.001")
_numbers = itertools.count(1)


async def a_symbol(conn: Any, **fields: Any) -> Symbol:
    """A symbol of MEXC."""
    found = await get_symbol_by_id(await insert(conn, **fields), db=conn)
    assert isinstance(found, Symbol)
    return found


def with_list_fees(symbol: Symbol, maker: str | None = "0.002", taker: str | None = "0.003") -> Symbol:
    """The symbol as a list with these defaults would have it."""
    return msgspec.structs.replace(
        symbol,
        list_maker_fee=None if maker is None else Decimal(maker),
        list_taker_fee=None if taker is None else Decimal(taker),
    )


async def test_the_nearest_fees_hold_and_say_where_they_are_from(conn: asyncpg.Connection) -> None:
    """Those of the symbol, else those of its exchange, else the list's default; forgotten ones give way again."""
    symbol = with_list_fees(await a_symbol(conn))
    fees = await get_fees(symbol, db=conn)
    assert (fees.maker, fees.taker, fees.source, fees.since) == (
        Decimal("0.002"), Decimal("0.003"), FeeSource.LIST, None,
    )  # fmt: skip

    before = datetime.now(UTC)
    assert await set_account_fees(MEXC, maker=MAKER, taker=TAKER, db=conn) is True
    fees = await get_fees(symbol, strict=True, db=conn)
    assert (fees.maker, fees.taker, fees.source) == (MAKER, TAKER, FeeSource.EXCHANGE)
    assert fees.since is not None
    assert abs(fees.since - before) < timedelta(minutes=1)

    assert await set_account_fees(MEXC, maker="-0.0001", taker=0, symbol="BTC/USDT", db=conn) is True
    fees = await get_fees(symbol, strict=True, db=conn)
    assert (fees.maker, fees.taker, fees.source) == (Decimal("-0.0001"), Decimal(0), FeeSource.SYMBOL)

    assert await forget_account_fees(MEXC, symbol=symbol, db=conn) is True
    assert (await get_fees(symbol, db=conn)).source is FeeSource.EXCHANGE
    assert await forget_account_fees(MEXC, db=conn) is True
    assert (await get_fees(symbol, db=conn)).source is FeeSource.LIST


async def test_strict_refuses_to_guess(conn: asyncpg.Connection) -> None:
    """The error is a LookupError that says what to do; without any default there is nothing to guess with either."""
    symbol = with_list_fees(await a_symbol(conn))
    with pytest.raises(FeesUnknown, match=r"default is no account's: `exchanges-db fees set MEXC_SPOT"):
        await get_fees(symbol, strict=True, db=conn)
    for maker, taker in ((None, None), ("0.001", None), (None, "0.001")):
        with pytest.raises(LookupError, match="its list gives no default"):
            await get_fees(with_list_fees(symbol, maker, taker), db=conn)


async def test_accounts_are_apart(conn: asyncpg.Connection) -> None:
    """One account's fees are nothing to another, even where the names differ in case only."""
    symbol = await a_symbol(conn)
    await set_account_fees(MEXC, maker=MAKER, taker=TAKER, account="Desk", db=conn)
    assert (await get_fees(symbol, "Desk", db=conn)).maker == MAKER
    for other in ("default", "desk"):
        with pytest.raises(FeesUnknown):
            await get_fees(symbol, other, db=conn)


async def test_symbols_and_exchanges_are_apart(conn: asyncpg.Connection) -> None:
    """Fees of a symbol are nothing to its neighbour, nor those of an exchange to another."""
    first, second = await a_symbol(conn), await a_symbol(conn, native_symbol="ETH_USDT", symbol="ETH/USDT", base="ETH")
    elsewhere = await a_symbol(conn, exchange_id=2)
    await set_account_fees(MEXC, maker=0, taker=0, symbol=first, db=conn)
    await set_account_fees(SPOT, maker=MAKER, taker=TAKER, db=conn)
    assert (await get_fees(first, db=conn)).source is FeeSource.SYMBOL
    assert (await get_fees(elsewhere, db=conn)).source is FeeSource.EXCHANGE
    with pytest.raises(FeesUnknown):
        await get_fees(second, db=conn)


async def test_a_symbol_is_named_as_elsewhere(conn: asyncpg.Connection) -> None:
    """Canonical in any case, native exactly, or as a Symbol; an exchange in another case too."""
    symbol = await a_symbol(conn)
    names: list[Symbol | str] = ["BTC/USDT", "btc/usdt", "BTC_USDT", symbol]
    for number, name in enumerate(names):
        fee = Decimal(number).scaleb(-4)
        await set_account_fees(MEXC if name is symbol else MEXC.lower(), maker=fee, taker=fee, symbol=name, db=conn)
        assert (await get_fees(symbol, db=conn)).maker == fee


async def test_what_is_not_there_is_not_set(conn: asyncpg.Connection) -> None:
    """The errors are those of the look-ups; nothing is written."""
    fees: dict[str, Any] = {"maker": 0, "taker": 0, "db": conn}
    symbol = await a_symbol(conn)
    await insert(conn, native_symbol="BTC_USDT_2")
    with pytest.raises(ExchangeNotFound, match="did you mean MEXC_SPOT"):
        await set_account_fees("MEXC", **fees)
    with pytest.raises(SymbolNotFound, match="no symbol 'NO/USDT'"):
        await set_account_fees(MEXC, symbol="NO/USDT", **fees)
    with pytest.raises(AmbiguousSymbol, match="BTC_USDT_2"):
        await set_account_fees(MEXC, symbol="BTC/USDT", **fees)
    with pytest.raises(InvalidSymbol, match="is a symbol of MEXC_SPOT, not of 'GATEIO_SPOT'"):
        await set_account_fees(SPOT, symbol=symbol, **fees)
    for other in ({"id": 10**6}, {"native_symbol": "OTHER"}):
        stranger = msgspec.structs.replace(symbol, **other)
        with pytest.raises(SymbolNotFound, match="with that id"):
            await set_account_fees(MEXC, symbol=stranger, **fees)
        with pytest.raises(SymbolNotFound, match="with that id"):
            await get_fees(stranger, db=conn)
    with pytest.raises(InvalidSymbol, match="must be a Symbol"):
        await get_fees("BTC/USDT", db=conn)  # type: ignore[arg-type]
    for unknown in (99, "NOWHERE"):
        with pytest.raises(ExchangeNotFound):
            await get_account_fee_history(unknown, db=conn)
    with pytest.raises(ExchangeNotFound):
        await list_account_fees("NOWHERE", db=conn)
    with pytest.raises(InvalidArgument, match="not by its id"):
        await get_account_fee_history(1, symbol="BTC_USDT", db=conn)
    assert await conn.fetchval("SELECT count(*) FROM account_fees") == 0


NO_FEES: list[Any] = [
    0.001, float("nan"), True, None, b"0.001", [], "", "x", "0,001", " 0.001", "0.001\n", "1_0", "0.00\u0661", "NaN",
    "Infinity", "-inf", "1e-9999999", "1e9999999", "9" * 10**6, 10**1000, Decimal("NaN"),
    Decimal("Infinity"), Decimal("sNaN"), Decimal("1E-200"), Decimal("1E+999999"),
]  # fmt: skip


@pytest.mark.parametrize("field", ["maker", "taker"])
async def test_no_fee_but_an_exact_fraction_is_taken(conn: asyncpg.Connection, field: str) -> None:
    """No float, no words, nothing that would have to be rounded; the error names the field."""
    for value in [*NO_FEES, *(text for text in HOSTILE if text != "-0")]:
        fees: dict[str, Any] = {"maker": 0, "taker": 0, field: value}
        with pytest.raises(InvalidArgument) as info:
            await set_account_fees(MEXC, **fees, db=conn)
        assert info.value.field == field
        assert len(str(info.value)) < 300


@pytest.mark.parametrize(
    ("value", "advice"),
    [("0.2", "write 0.002"), (Decimal("-0.2"), "write -0.002"), (1, "write 0.01"), ("0.051", "0.00051"), ("6", None)],
)
async def test_percent_is_refused_with_what_was_meant(conn: asyncpg.Connection, value: Any, advice: str | None) -> None:
    """0.2 percent is 0.002; what is not even a fee in percent gets no advice."""
    with pytest.raises(InvalidArgument) as info:
        await set_account_fees(MEXC, maker=value, taker="0.05", db=conn)
    said = str(info.value)
    assert "fraction of the notional from -0.05 to 0.05" in said
    assert ("looks like percent" in said and advice in said) if advice else "percent" not in said


@pytest.mark.parametrize("value", ["0.05", "-0.05", "0", "-0", "1e-3", ".001", "0.00" + "1" * 96, "0.0010"])
async def test_a_fee_comes_back_as_it_was_given(conn: asyncpg.Connection, value: str) -> None:
    """To the last digit."""
    symbol = await a_symbol(conn)
    await set_account_fees(MEXC, maker=value, taker=Decimal("0.0123"), db=conn)
    fees = await get_fees(symbol, db=conn)
    assert (fees.maker, fees.taker) == (Decimal(value), Decimal("0.0123"))


async def test_an_account_has_a_printable_name_or_is_refused(conn: asyncpg.Connection) -> None:
    """Whatever the text, Python and the table agree, and what is taken comes back as it was given."""
    symbol = await a_symbol(conn)
    taken = set()
    for name in [*HOSTILE, None, 1, b"x"]:
        try:
            await set_account_fees(MEXC, maker=0, taker=0, account=name, db=conn)  # type: ignore[arg-type]
        except InvalidArgument:
            with pytest.raises(InvalidArgument) as info:
                await get_fees(symbol, name, db=conn)  # type: ignore[arg-type]
            assert info.value.field == "account"
            if isinstance(name, str):
                assert not await _taken_by_the_table(conn, name)
        else:
            taken.add(name)
            assert (await get_fees(symbol, str(name), db=conn)).source is FeeSource.EXCHANGE
    assert {fees.account for fees in await list_account_fees(db=conn)} == taken
    assert len(taken) > 50


async def _taken_by_the_table(conn: asyncpg.Connection, account: str) -> bool:
    transaction = conn.transaction()
    await transaction.start()
    try:
        await conn.execute(
            "INSERT INTO account_fees (exchange_id, account, maker, taker) VALUES (1, $1, 0, 0)", account
        )
    except (asyncpg.PostgresError, UnicodeEncodeError):
        return False
    finally:
        await transaction.rollback()
    return True


REFUSED: list[tuple[str, dict[str, Any]]] = [
    *((f"{P}account_printable", {"account": text}) for text in ("", " ", " a", "a ", "a\nb", "\x7f", "a" * 101)),
    (f"{P}both_or_neither", {"maker": None}),
    (f"{P}both_or_neither", {"taker": None}),
    *(
        (f"{P}are_fractions", {field: value})
        for field in ("maker", "taker")
        for value in ("0.2", "-0.0500001", "NaN", "Infinity", "-Infinity")
    ),
    (f"{P}exchange_known", {"exchange_id": 99}),
    (f"{P}symbol_known", {"symbol_id": 10**6}),
    (f"{P}pkey", {"id": 1}),
]
COLUMNS = {
    "id": "bigint", "exchange_id": "smallint", "account": "text", "symbol_id": "integer", "maker": "numeric",
    "taker": "numeric", "set_at": "timestamptz", "set_by": "text", "application_name": "text",
}  # fmt: skip


async def write(conn: asyncpg.Connection, **fields: Any) -> asyncpg.Record | None:
    """Write one row past Python's checks."""
    row = {"exchange_id": 1, "account": "a", "maker": "0.001", "taker": "0.001", **fields}
    values = ", ".join(f"${n + 1}::text::{COLUMNS[column]}" for n, column in enumerate(row))
    texts = [None if value is None else str(value) for value in row.values()]
    return await conn.fetchrow(
        f"INSERT INTO account_fees ({', '.join(row)}) OVERRIDING SYSTEM VALUE VALUES ({values}) RETURNING *", *texts
    )


@pytest.mark.parametrize(("constraint", "fields"), REFUSED, ids=range(len(REFUSED)))
async def test_what_cannot_be_is_refused(conn: asyncpg.Connection, constraint: str, fields: dict[str, Any]) -> None:
    """And the constraint's name says which rule it broke, in our error too."""
    await write(conn, id=1, account="first")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as info:
        await write(conn, **fields)
    assert info.value.constraint_name == constraint
    ours = translate(info.value)
    assert isinstance(ours, ConstraintViolated)
    assert str(ours) == " ".join(CONSTRAINTS[constraint])


async def test_a_symbol_of_another_exchange_is_refused(conn: asyncpg.Connection) -> None:
    """A fee would hold for a pair of exchange and symbol that does not exist."""
    symbol = await insert(conn, exchange_id=2)
    with pytest.raises(asyncpg.ForeignKeyViolationError) as info:
        await write(conn, symbol_id=symbol)
    assert info.value.constraint_name == f"{P}symbol_known"


@pytest.mark.parametrize("of_a_symbol", [True, False])
async def test_two_rows_of_one_time_are_refused(conn: asyncpg.Connection, of_a_symbol: bool) -> None:
    """Else it would not be known which of them holds; also of a whole exchange, whose symbol is NULL."""
    symbol = await insert(conn) if of_a_symbol else None
    await conn.execute("ALTER TABLE account_fees DISABLE TRIGGER USER")
    same: dict[str, Any] = {"symbol_id": symbol, "set_at": datetime.now(UTC), "set_by": "", "application_name": ""}
    await write(conn, **same)
    with pytest.raises(asyncpg.UniqueViolationError) as info:
        await write(conn, **same)
    assert info.value.constraint_name == f"{P}one_at_a_time"


async def test_every_constraint_has_a_case(conn: asyncpg.Connection) -> None:
    """A new one without a case fails here, and one that a trigger raises is in the map."""
    rows = await conn.fetch(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'account_fees'::regclass AND contype <> 'n'"
    )
    by_trigger = {f"{P}exchange_known", f"{P}symbol_known"}
    cases = {name for name, _ in REFUSED} | {f"{P}one_at_a_time"}
    assert {row["conname"] for row in rows} | by_trigger == cases
    assert {name for name in CONSTRAINTS if name.startswith(P)} == cases


UPSERT = (
    "INSERT INTO account_fees (id, exchange_id, account, maker, taker) OVERRIDING SYSTEM VALUE VALUES (1, 1, 'a', 0, 0)"
    " ON CONFLICT (id) DO UPDATE SET maker = 0"
)
WRITES = [
    "UPDATE account_fees SET maker = 0",
    "UPDATE account_fees SET maker = 0 WHERE false",
    "DELETE FROM account_fees",
    "DELETE FROM account_fees WHERE id = 12345",
    "TRUNCATE account_fees",
    "MERGE INTO account_fees f USING (SELECT 1 AS id) s ON f.id = s.id WHEN MATCHED THEN DELETE",
    UPSERT,
]


@pytest.mark.parametrize("replica", [False, True])
@pytest.mark.parametrize("sql", WRITES)
async def test_nothing_is_changed_or_deleted(conn: asyncpg.Connection, sql: str, replica: bool) -> None:
    """By the owner neither, nor in a session that says that it only replays changes."""
    await write(conn, id=1)
    before = await conn.fetch("SELECT * FROM account_fees")
    if replica:
        await conn.execute("SET LOCAL session_replication_role = replica")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        async with conn.transaction():
            await conn.execute(sql)
    assert await conn.fetch("SELECT * FROM account_fees") == before


@pytest.mark.parametrize("replica", [False, True])
async def test_who_and_when_are_the_databases(conn: asyncpg.Connection, replica: bool) -> None:
    """Whatever a writer says of them."""
    await conn.execute("SET LOCAL application_name = 'desk 7'")
    if replica:
        await conn.execute("SET LOCAL session_replication_role = replica")
    row = await write(conn, set_at="2001-01-01T00:00:00Z", set_by="nobody", application_name="nothing")
    assert row is not None
    assert row["set_by"] == await conn.fetchval("SELECT session_user::text")
    assert row["application_name"] == "desk 7"
    assert abs(row["set_at"] - datetime.now(UTC)) < timedelta(minutes=1)


async def test_times_rise_even_if_the_clock_does_not(conn: asyncpg.Connection) -> None:
    """A row from a clock that was ahead is still followed by the later one."""
    await conn.execute("ALTER TABLE account_fees DISABLE TRIGGER account_fees_stamp")
    ahead = datetime.now(UTC) + timedelta(days=1)
    await write(conn, set_at=ahead, set_by="", application_name="")
    await conn.execute("ALTER TABLE account_fees ENABLE ALWAYS TRIGGER account_fees_stamp")
    for maker in ("0.002", "0.003"):
        row = await write(conn, maker=maker)
        assert row is not None
        assert row["set_at"] > ahead
        ahead = row["set_at"]
    assert [str(fees.maker) for fees in await list_account_fees(db=conn)] == ["0.003"]


async def test_the_history_tells_everything(conn: asyncpg.Connection) -> None:
    """Each setting and each forgetting, oldest first; what changes nothing is no entry."""
    symbol = await a_symbol(conn)
    assert await get_account_fee_history(MEXC, db=conn) == []
    assert await forget_account_fees(MEXC, db=conn) is False
    assert await set_account_fees(MEXC, maker="0.0010", taker=0, db=conn) is True
    assert await set_account_fees(MEXC, maker="0.001", taker=0, db=conn) is False
    assert await set_account_fees(MEXC, maker=0, taker=0, symbol=symbol, account="desk", db=conn) is True
    assert await forget_account_fees(MEXC, db=conn) is True
    assert await forget_account_fees(MEXC, db=conn) is False
    assert await set_account_fees(MEXC, maker="0.001", taker=0, db=conn) is True

    changes = await get_account_fee_history("mexc_spot", db=conn)
    assert [(change.symbol, change.account, change.maker) for change in changes] == [
        (None, "default", Decimal("0.001")), ("BTC/USDT", "desk", 0), (None, "default", None),
        (None, "default", Decimal("0.001")),
    ]  # fmt: skip
    assert changes[1].native_symbol == "BTC_USDT"
    assert [change.set_at for change in changes] == sorted({change.set_at for change in changes})
    assert await get_account_fee_history(MEXC, account="desk", db=conn) == [changes[1]]
    assert await get_account_fee_history(MEXC, symbol="BTC/USDT", db=conn) == [changes[1]]
    assert await get_account_fee_history(MEXC, symbol=symbol, account="default", db=conn) == []


async def test_the_list_has_what_holds(conn: asyncpg.Connection) -> None:
    """Not what was before, nor what was forgotten; those of a whole exchange come first."""
    symbol = await a_symbol(conn)
    for maker in ("0.001", "0.002"):
        await set_account_fees(MEXC, maker=maker, taker=maker, symbol=symbol, db=conn)
        await set_account_fees(MEXC, maker=maker, taker=maker, db=conn)
    await set_account_fees(SPOT, maker=0, taker=0, account="desk", db=conn)
    await set_account_fees(SPOT, maker=0, taker=0, db=conn)
    await forget_account_fees(SPOT, db=conn)
    held = await list_account_fees(db=conn)
    assert all(type(fees) is AccountFees for fees in held)
    assert [(fees.exchange, fees.symbol, fees.native_symbol, fees.account, str(fees.maker)) for fees in held] == [
        (SPOT, None, None, "desk", "0"),
        (MEXC, None, None, "default", "0.002"),
        (MEXC, "BTC/USDT", "BTC_USDT", "default", "0.002"),
    ]
    assert await list_account_fees("mexc_spot", db=conn) == held[1:]
    assert await list_account_fees(account="desk", db=conn) == held[:1]
    assert await list_account_fees(MEXC, "desk", db=conn) == []


async def test_fees_block_nothing_and_go_with_what_they_are_of(conn: asyncpg.Connection) -> None:
    """Symbols and exchanges are truncated and deleted as before; the history stays, and names the symbol still."""
    symbol = await a_symbol(conn)
    await set_account_fees(MEXC, maker=MAKER, taker=TAKER, symbol=symbol, db=conn)
    await set_account_fees(MEXC, maker=0, taker=0, db=conn)
    await conn.execute("TRUNCATE symbols")
    with pytest.raises(SymbolNotFound):
        await get_fees(symbol, db=conn)
    assert [fees.symbol_id for fees in await list_account_fees(db=conn)] == [None]
    await conn.execute("DELETE FROM exchanges WHERE id = 1")
    assert await list_account_fees(db=conn) == []
    changes = await get_account_fee_history(1, db=conn)
    assert [(change.symbol, change.native_symbol) for change in changes] == [("BTC/USDT", "BTC_USDT"), (None, None)]


async def test_an_exchange_that_takes_the_id_of_another_does_not_get_its_fees(conn: asyncpg.Connection) -> None:
    """Nobody has said what is paid there; what is set for it is taken, even the very same."""
    await set_account_fees(MEXC, maker=MAKER, taker=TAKER, db=conn)
    await conn.execute("DELETE FROM exchanges WHERE id = 1")
    new = an_exchange()
    await conn.execute(
        "INSERT INTO exchanges (id, name, enum_value, display_name, market_type) OVERRIDING SYSTEM VALUE"
        " VALUES (1, $1, $1, $1, 'SPOT')",
        new.name,
    )
    symbol = await a_symbol(conn)
    assert symbol.exchange == new.name
    assert await list_account_fees(db=conn) == []
    with pytest.raises(FeesUnknown):
        await get_fees(symbol, db=conn)
    assert await forget_account_fees(new.name, db=conn) is False
    assert await set_account_fees(new.name, maker=MAKER, taker=TAKER, db=conn) is True
    assert (await get_fees(symbol, db=conn)).maker == MAKER


async def test_setters_of_one_key_come_one_after_the_other(dsn: Dsn) -> None:
    """The second waits for the end of the first one's transaction, and so has the later time; others do not wait."""
    blockers = "SELECT pg_blocking_pids($1)"
    async with connected(dsn) as first, connected(dsn) as second, connected(dsn) as other:
        transaction = first.transaction()
        await transaction.start()
        await set_account_fees(MEXC, maker="0.001", taker=0, db=first)
        waiting = asyncio.create_task(set_account_fees(MEXC, maker="0.002", taker=0, db=second))
        while await other.fetchval(blockers, second.get_server_pid()) != [first.get_server_pid()]:
            await asyncio.sleep(0.01)
        await set_account_fees(MEXC, maker=0, taker=0, account="another", db=other)
        await set_account_fees(SPOT, maker=0, taker=0, db=other)
        assert not waiting.done()
        await transaction.commit()
        assert await waiting is True
        changes = await get_account_fee_history(MEXC, account="default", db=other)
        assert [str(change.maker) for change in changes] == ["0.001", "0.002"]


async def test_many_setters_leave_one_that_holds(dsn: Dsn) -> None:
    """Twenty at once, of one key and of several: no error, no time twice, and the last one holds."""
    async with connected(dsn) as conn:
        symbol = await a_symbol(conn)
    async with Database(dsn) as database:
        await asyncio.gather(
            *(
                set_account_fees(
                    MEXC, maker=Decimal(n).scaleb(-4), taker=0, symbol=symbol if n % 2 else None, db=database
                )
                for n in range(1, 21)
            )
        )
        changes = await get_account_fee_history(MEXC, db=database)
        assert len(changes) == 20
        for fees in await list_account_fees(db=database):
            same = [change for change in changes if change.symbol_id == fees.symbol_id]
            assert len({change.set_at for change in same}) == 10
            assert max(same, key=lambda change: change.set_at).maker == fees.maker


@pytest.fixture
async def role(dsn: Dsn) -> AsyncIterator[Dsn]:
    """The login of an application that may set and read fees, and look symbols up."""
    name = f"exchanges_db_fees_{os.getpid()}_{next(_numbers)}"
    async with connected(dsn) as owner:
        await owner.execute(f"""
            CREATE ROLE {name} LOGIN;
            GRANT SELECT ON exchanges, symbols, symbol_rows, symbol_history, exchange_history TO {name};
            GRANT SELECT, INSERT ON account_fees TO {name};
        """)
        yield replace(dsn, user=name)
        await owner.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


async def test_an_application_sets_fees_under_its_own_name(role: Dsn) -> None:
    """And can neither change nor delete what was set, nor switch that off, nor hang our functions on its own tables."""
    async with connected(role, server_settings={"application_name": "desk 7"}) as app:
        await set_account_fees(MEXC, maker=MAKER, taker=TAKER, db=app)
        (change,) = await get_account_fee_history(MEXC, db=app)
        assert (change.set_by, change.application_name) == (role.user, "desk 7")
        await app.execute("CREATE TEMP TABLE mine (LIKE public.account_fees)")
        for sql in (
            *WRITES,
            "ALTER TABLE account_fees DISABLE TRIGGER account_fees_stamp",
            "DROP TABLE account_fees",
            "CREATE TRIGGER mine BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION public.account_fees_stamp()",
            "CREATE TRIGGER mine BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION public.account_fees_refuse()",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with app.transaction():
                    await app.execute(sql)
        assert await get_account_fee_history(MEXC, db=app) == [change]


async def test_the_right_to_insert_is_enough_to_set(role: Dsn, dsn: Dsn) -> None:
    """What the trigger compares with is read with the owner's rights; without the right it is our AccessDenied."""
    async with connected(dsn) as owner, connected(role) as app:
        await owner.execute(f"REVOKE SELECT ON account_fees, symbols FROM {role.user}")
        sql = "INSERT INTO account_fees (exchange_id, account, maker, taker) VALUES (1, 'a', 0, 0)"
        assert [await app.execute(sql) for _ in range(2)] == ["INSERT 0 1", "INSERT 0 0"]
        await owner.execute(f"REVOKE INSERT ON account_fees FROM {role.user}")
        with pytest.raises(AccessDenied, match="lacks the right"):
            await set_account_fees(MEXC, maker=0, taker=0, db=app)


async def test_a_temporary_table_of_the_same_name_misleads_nobody(role: Dsn) -> None:
    """The trigger's search_path is pinned and its names are qualified."""
    async with connected(role) as app:
        await app.execute(
            "CREATE TEMP TABLE exchanges (id int, created_at timestamptz); GRANT ALL ON exchanges TO PUBLIC"
        )
        await app.execute("INSERT INTO pg_temp.exchanges VALUES (99, now())")
        await app.execute("SET search_path = pg_temp, public, pg_catalog")
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await app.execute("INSERT INTO account_fees (exchange_id, account, maker, taker) VALUES (99, 'a', 0, 0)")


@pytest.mark.parametrize(
    ("sql", "arguments"),
    [
        (account_fees.GET_ACCOUNT_FEES, ("default", 1, MEXC, "BTC_USDT")),
        (account_fees.LIST_ACCOUNT_FEE_CHANGES, (3, None, None)),
    ],
    ids=["get", "history"],
)
async def test_a_look_up_reads_the_index(conn: asyncpg.Connection, sql: str, arguments: tuple[object, ...]) -> None:
    """Of ten thousand settings."""
    await insert(conn)
    await conn.execute("""
        INSERT INTO account_fees (exchange_id, account, maker, taker)
        SELECT 1 + n % 2, 'account ' || n % 500, n % 100 * 0.0001, 0 FROM generate_series(1, 10000) AS n;
        ANALYZE account_fees
    """)
    used = await indexes_used(conn, LookUp("fees", sql, f"{P}one_at_a_time"), *arguments)
    assert f"{P}one_at_a_time" in used


async def test_a_transaction_takes_one_lock_however_many_symbols_it_sets(conn: asyncpg.Connection) -> None:
    """All sessions of a server share its table of locks, which thousands of locks fill."""
    await import_symbols(SPOT, payload(SPOT, many(SPOT, 30)), db=conn)
    await conn.execute(
        "INSERT INTO account_fees (exchange_id, account, symbol_id, maker, taker) "
        "SELECT exchange_id, 'main', id, 0.001, 0.002 FROM symbols"
    )
    ours = await conn.fetch("SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
    # The other one is the import's.
    assert len(ours) == 2
