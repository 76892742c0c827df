"""Moving in: another database's exchanges and symbols are taken over with their ids, all of them or nothing."""

import asyncio
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from exchanges_db import (
    AdoptionRefused,
    AdoptionReport,
    ConstraintViolated,
    Database,
    ExchangeStep,
    InvalidArgument,
    NamedSymbol,
    Obstacle,
    Settings,
    Symbol,
    adopt_symbols,
    can_trade,
    get_all_exchanges,
    get_symbol,
    get_symbol_by_id,
    get_symbol_history,
    hold_exchange,
    import_symbols,
    insert_exchange,
    list_symbols,
    set_account_fees,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.migrations import migrate
from tests.acceptance.command import run
from tests.factories import an_exchange, connected, sqlalchemy_connected
from tests.fix_server import ROOT, url_of
from tests.payload_rows import MEXC, SPOT, allowed, mexc, payload, spot

# As a real system of this kind had them.
OLD_TABLES = """
    CREATE TABLE exchanges (
        id smallint PRIMARY KEY, name text NOT NULL UNIQUE, is_active boolean NOT NULL DEFAULT true
    );
    CREATE TABLE symbols (
        id integer PRIMARY KEY, exchange_id smallint NOT NULL REFERENCES exchanges (id), base text, quote text,
        symbol_name text, precision integer
    );
    INSERT INTO exchanges (id, name) VALUES (1, 'Gate.io'), (2, 'mexc_spot');
    INSERT INTO symbols (id, exchange_id, base, quote, symbol_name, precision) VALUES
        (4, 1, 'BTC', 'USDT', 'BTC_USDT', 2), (17, 1, 'LUNA', 'USDT', 'LUNA_USDT', 4),
        (40000, 2, 'BTC', 'USDT', 'BTCUSDT', 2);
"""
ARGUMENTS: dict[str, Any] = {
    "schema": "legacy",
    "columns": {"native_symbol": "symbol_name"},
    "exchanges": {"Gate.io": SPOT},
}


@pytest.fixture
async def old(dsn: Dsn) -> AsyncIterator[asyncpg.Connection]:
    """The other database's own session, whose tables are in the schema `legacy`."""
    async with connected(dsn) as conn:
        await conn.execute("CREATE SCHEMA legacy; SET search_path = legacy")
        await conn.execute(OLD_TABLES)
        yield conn


@pytest.fixture
async def db(dsn: Dsn) -> AsyncIterator[Database]:
    """A fresh database of ours."""
    async with Database(dsn, Settings(acquire_timeout=2, command_timeout=5)) as database:
        yield database


async def adopt(db: Any, *, dry_run: bool = False, **others: Any) -> AdoptionReport:
    """Adopt the tables."""
    return await adopt_symbols(**{**ARGUMENTS, **others}, dry_run=dry_run, db=db)


CONTENTS = """
    SELECT to_jsonb(e)::text FROM public.exchanges AS e UNION ALL SELECT to_jsonb(s)::text FROM public.symbols AS s
    UNION ALL SELECT to_jsonb(h)::text FROM public.symbol_history AS h
    UNION ALL SELECT count(*)::text FROM public.exchange_history ORDER BY 1
"""


async def contents(conn: asyncpg.Connection) -> list[str]:
    """Everything of ours that an adoption could change."""
    return [row[0] for row in await conn.fetch(CONTENTS)]


async def ids_of(db: Database) -> dict[str, int]:
    """The id of each exchange."""
    return {exchange.enum_value: exchange.id for exchange in await get_all_exchanges(db=db)}


async def refused(db: Any, **others: Any) -> str:
    """What an adoption says that stands in the way: the trial and the real one say the same, and write nothing."""
    with pytest.raises(AdoptionRefused) as trial:
        await adopt(db, dry_run=True, **others)
    with pytest.raises(AdoptionRefused) as caught:
        await adopt(db, **others)
    assert caught.value.problems == trial.value.problems
    return "\n".join(caught.value.problems)


async def test_a_trial_says_what_would_be_done_and_writes_nothing(old: asyncpg.Connection, db: Database) -> None:
    """And the real one does just that."""
    before = await contents(old)
    trial = await adopt_symbols(**ARGUMENTS, db=db)
    assert await contents(old) == before
    assert not trial.applied
    assert [(one.exchange, one.id, one.previous_id, one.step, one.symbols) for one in trial.exchanges] == [
        (SPOT, 1, 2, ExchangeStep.MOVED, 2),
        (MEXC, 2, 1, ExchangeStep.MOVED, 1),
    ]
    done = await adopt(db)
    assert (done.applied, done.exchanges, done.symbols) == (True, trial.exchanges, trial.symbols)
    assert await ids_of(db) == {SPOT: 1, MEXC: 2, "GATEIO_FUTURES": 3}


async def test_every_id_is_kept_and_is_known_by_name_only(old: asyncpg.Connection, db: Database) -> None:
    """Nothing is lost, and nothing may be traded."""
    await adopt(db)
    for row in await old.fetch("SELECT * FROM legacy.symbols"):
        found = await get_symbol_by_id(row["id"], db=db)
        assert isinstance(found, NamedSymbol)
        assert (found.native_symbol, found.base, found.quote, found.exchange_id) == (
            row["symbol_name"], row["base"], row["quote"], row["exchange_id"],
        )  # fmt: skip
        for side in ("BUY", "SELL"):
            assert (await can_trade(found, side, db=db)).obstacles == (Obstacle.NO_RULES,)
    assert await list_symbols(tradable=None, db=db) == []


async def test_a_transaction_that_sees_an_old_state_is_refused(old: asyncpg.Connection) -> None:
    """It waits for imports, and would then not see what they have done; to tell what would be done is no harm."""
    async with old.transaction(isolation="repeatable_read"):
        await adopt(old, dry_run=True)
        with pytest.raises(InvalidArgument, match="READ COMMITTED") as info:
            await adopt(old)
    assert info.value.field == "db"


async def test_a_second_run_changes_nothing(old: asyncpg.Connection, db: Database) -> None:
    """Also after the lists have given rules, and after a symbol was delisted and listed anew with another id."""
    await adopt(db)
    eth = spot("ETH")
    for rows in ([spot(), eth], [eth], [spot(), eth]):
        data = payload(SPOT, rows)
        await import_symbols(SPOT, data, allow=allowed(data), db=db)
    before = await contents(old)
    again = await adopt(db)
    assert (again.symbols, again.known) == ((), 3)
    assert {one.step for one in again.exchanges} == {ExchangeStep.KEPT}
    assert await contents(old) == before


async def test_what_is_added_to_theirs_comes_with_the_next_run(old: asyncpg.Connection, db: Database) -> None:
    """While both systems run side by side."""
    await adopt(db)
    await old.execute("INSERT INTO symbols VALUES (50, 2, 'ETH', 'USDT', 'ETHUSDT', 2)")
    report = await adopt(db)
    assert ([one.id for one in report.symbols], report.known) == ([50], 3)


async def test_new_symbols_and_exchanges_get_ids_beyond_the_kept_ones(old: asyncpg.Connection, db: Database) -> None:
    """Whatever refers to an id of theirs never comes to mean something else."""
    await old.execute("INSERT INTO exchanges (id, name) VALUES (900, 'GATEIO_FUTURES')")
    await adopt(db)
    assert await insert_exchange(an_exchange(), db=db) == 901
    await import_symbols(MEXC, payload(MEXC, [mexc(), mexc("NEWUSDT", "NEW")]), db=db)
    new = await get_symbol(MEXC, "NEW/USDT", db=db)
    assert new is not None
    assert new.id > 40000


async def test_the_first_rules_are_no_change(old: asyncpg.Connection, db: Database) -> None:
    """What the triggers make of a row that had none: version 1, under its id, and nothing in the history."""
    await adopt(db)
    (before,) = await old.fetch("SELECT updated_at FROM public.symbols WHERE id = 4")
    await old.execute(
        "UPDATE public.symbols SET symbol = 'BTC/USDT', kind = 'SPOT', price_tick = 0.1, quantity_step = 0.001, "
        "status = 'TRADING', sides = 'ALL', api_tradable = true WHERE id = 4"
    )
    symbol = await get_symbol_by_id(4, db=db)
    assert isinstance(symbol, Symbol)
    assert (symbol.spec_version, symbol.updated_at > before["updated_at"]) == (1, True)
    assert await old.fetchval("SELECT count(*) FROM public.symbol_history") == 0
    assert await can_trade(symbol, "BUY", db=db)
    with pytest.raises(asyncpg.PostgresError, match="known by name only"):
        await old.execute(
            "UPDATE public.symbols SET symbol = NULL, kind = NULL, price_tick = NULL, quantity_step = NULL, "
            "status = NULL, sides = 'NONE', api_tradable = false WHERE id = 4"
        )


async def test_the_first_import_gives_rules_without_a_jump_and_without_a_version_of_before(
    old: asyncpg.Connection, db: Database
) -> None:
    """Those that the list has; the others stay known by name only."""
    await adopt(db)
    report = await import_symbols(SPOT, payload(SPOT, [spot(), spot("ETH")]), db=db)
    assert report.applied
    btc, eth = await get_symbol(SPOT, "BTC/USDT", db=db), await get_symbol(SPOT, "ETH/USDT", db=db)
    assert btc is not None
    assert eth is not None
    assert (btc.id, btc.spec_version, eth.id > 40000) == (4, 1, True)
    assert await old.fetchval("SELECT count(*) FROM public.symbol_history") == 0
    (version,) = await get_symbol_history(SPOT, "BTC/USDT", db=db)
    assert (version.spec_version, version.valid_to) == (1, None)
    assert await can_trade(btc, "BUY", db=db)
    assert isinstance(await get_symbol_by_id(17, db=db), NamedSymbol)
    again = await import_symbols(SPOT, payload(SPOT, [spot(), spot("ETH")]), db=db)
    assert again.changes == ()


async def test_an_exchange_known_here_is_added_and_one_in_the_way_makes_room(
    old: asyncpg.Connection, db: Database
) -> None:
    """GATEIO_FUTURES has id 3 and no symbols; theirs has another exchange under it."""
    await old.execute("INSERT INTO exchanges (id, name) VALUES (3, 'MEXC_FUTURES')")
    report = await adopt(db)
    steps = {one.exchange: (one.step, one.previous_id, one.id) for one in report.exchanges}
    assert steps["MEXC_FUTURES"] == (ExchangeStep.ADDED, None, 3)
    assert steps["GATEIO_FUTURES"] == (ExchangeStep.MADE_ROOM, 3, 4)
    assert await ids_of(db) == {SPOT: 1, MEXC: 2, "MEXC_FUTURES": 3, "GATEIO_FUTURES": 4}
    (futures,) = [one for one in await get_all_exchanges(db=db) if one.enum_value == "GATEIO_FUTURES"]
    assert futures.base_url == "https://api.gateio.ws"


async def _import(db: Database) -> None:
    await import_symbols(SPOT, payload(SPOT, [spot("ETH")]), db=db)


async def _hold(db: Database) -> None:
    await hold_exchange(SPOT, reason="x", db=db)


async def _fees(db: Database) -> None:
    await set_account_fees(SPOT, maker=0, taker=0, db=db)


@pytest.mark.parametrize(
    ("use", "what"),
    [(_import, "symbols, lists"), (_hold, "holds"), (_fees, "fees")],
    ids=["import", "hold", "fees"],
)
async def test_an_exchange_in_use_keeps_its_id(
    old: asyncpg.Connection, db: Database, dsn: Dsn, use: Any, what: str
) -> None:
    """It says what goes by it, and what to do; nothing is written."""
    await use(db)
    before = await contents(old)
    said = await refused(db)
    assert re.search(rf"GATEIO_SPOT has id 2 here and 1 in theirs, and {what}.* go by it", said)
    assert "adopt into a database that has imported nothing yet" in said
    assert await contents(old) == before


async def test_an_id_that_is_taken_says_by_what(old: asyncpg.Connection, db: Database) -> None:
    """By another symbol, by the same one under another id, by one of the past, by an exchange in use."""
    await old.execute("UPDATE exchanges SET id = id")
    await old.execute("DELETE FROM symbols; UPDATE exchanges SET id = 30 - id; UPDATE exchanges SET id = 30 - id")
    await old.execute("DELETE FROM exchanges; INSERT INTO exchanges (id, name) VALUES (2, 'GATEIO_SPOT')")
    await import_symbols(SPOT, payload(SPOT, [spot(), spot("ETH"), spot("OLD")]), db=db)
    by_name = {
        row["native_symbol"]: row["id"] for row in await old.fetch("SELECT id, native_symbol FROM public.symbols")
    }
    await old.execute("DELETE FROM public.symbols WHERE native_symbol = 'OLD_USDT'")
    await old.executemany(
        "INSERT INTO symbols VALUES ($1, 2, $2, 'USDT', $2 || '_USDT', 1)",
        [(by_name["BTC_USDT"], "XRP"), (900, "ETH"), (by_name["OLD_USDT"], "SOL"), (901, "DOGE")],
    )
    before = await contents(old)
    lines = (await refused(db, exchanges={})).splitlines()
    assert len(lines) == 3
    assert f"id {by_name['BTC_USDT']} is taken by 'BTC_USDT' of GATEIO_SPOT" in lines[0]
    assert f"'ETH_USDT' of GATEIO_SPOT: it is here already, with id {by_name['ETH_USDT']}" in lines[1]
    assert f"id {by_name['OLD_USDT']} was that of 'OLD_USDT' of GATEIO_SPOT" in lines[2]
    await old.execute("UPDATE exchanges SET name = 'MEXC_SPOT'")
    assert "id 2, that of MEXC_SPOT in theirs, is taken by GATEIO_SPOT here, and symbols" in await refused(
        db, exchanges={}
    )
    assert await contents(old) == before


BAD_ROWS = {
    "an empty name": ("(5, 1, 'X', 'USDT', '', 1)", "symbol 5, '': native_symbol is ''"),
    "a name that is missing": ("(5, 1, 'X', 'USDT', NULL, 1)", "symbol 5, None: native_symbol must be text"),
    "a base that is missing": ("(5, 1, NULL, 'USDT', 'X', 1)", "symbol 5, 'X': base must be text"),
    "a blank at the end": ("(5, 1, 'X', 'USDT ', 'X', 1)", "symbol 5, 'X': quote is 'USDT '"),
    "a control character": ("(5, 1, 'X', 'USDT', E'a\\nb', 1)", r"symbol 5, 'a\nb': native_symbol is 'a\nb'"),
    "a name that is too long": ("(5, 1, 'X', 'USDT', repeat('x', 101), 1)", "native_symbol has 101 characters"),
    "an id that is missing": ("(NULL, 1, 'X', 'USDT', 'X', 1)", "symbol None, 'X': id must be a whole number"),
    "an id that is no whole number": ("(5.5, 1, 'X', 'USDT', 'X', 1)", "id must be a whole number, not 5.5"),
    "an id that is out of range": ("(2147483648, 1, 'X', 'U', 'X', 1)", "symbol ids go from -2147483648 to 2147483647"),
    "an id beyond 64 bits": ("(1e30, 1, 'X', 'U', 'X', 1)", "id is out of range"),
    "an exchange that is missing": ("(5, 9, 'X', 'USDT', 'X', 1)", "'X': no exchange of theirs has id 9"),
    "no exchange": ("(5, NULL, 'X', 'USDT', 'X', 1)", "exchange_id must be a whole number, not None"),
    "an id twice": ("(4, 1, 'X', 'USDT', 'X', 1)", "symbol id 4 is that of 'BTC_USDT' and of 'X'"),
    "a name twice": ("(5, 1, 'X', 'USDT', 'BTC_USDT', 1)", "'BTC_USDT' is that of symbol 4 and of symbol 5"),
}  # fmt: skip


@pytest.mark.parametrize(("row", "said"), BAD_ROWS.values(), ids=BAD_ROWS)
async def test_a_bad_row_is_named_and_nothing_is_written(
    old: asyncpg.Connection, db: Database, row: str, said: str
) -> None:
    """The other rows are good, and stay where they are until all can come."""
    await old.execute("ALTER TABLE symbols DROP CONSTRAINT symbols_pkey, DROP CONSTRAINT symbols_exchange_id_fkey")
    await old.execute(
        "ALTER TABLE symbols ALTER id DROP NOT NULL, ALTER exchange_id DROP NOT NULL, ALTER id TYPE numeric"
    )
    await old.execute(f"INSERT INTO symbols VALUES {row}")
    before = await contents(old)
    assert said in await refused(db)
    assert await contents(old) == before


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("(40000, 'GATEIO_FUTURES')", "exchange 'GATEIO_FUTURES': id is out of range: exchange ids go from -32768"),
        ("(3, '')", "exchange 3: name must be text, not ''"),
        ("(3, 'Kraken')", "exchange 3, 'Kraken', is none of ours by name: --exchange 'Kraken=ENUM_VALUE'"),
        ("(3, 'GATEIO_SPOT')", "'Gate.io' (1) and 'GATEIO_SPOT' (3) are both GATEIO_SPOT"),
        ("(1, 'GATEIO_FUTURES')", "exchange id 1 is that of 'Gate.io' and of 'GATEIO_FUTURES'"),
    ],
)
async def test_an_exchange_that_cannot_come_is_named(
    old: asyncpg.Connection, db: Database, rows: str, said: str
) -> None:
    """With what to do about it."""
    await old.execute("ALTER TABLE exchanges DROP CONSTRAINT exchanges_pkey CASCADE, ALTER id TYPE integer")
    await old.execute(f"INSERT INTO exchanges (id, name) VALUES {rows}")
    assert said in await refused(db)


async def test_the_last_id_of_exchanges_is_kept_and_said(old: asyncpg.Connection, db: Database) -> None:
    """SMALLINT ends there; the exchange that makes room for another one gets an id below it."""
    await old.execute("INSERT INTO exchanges (id, name) VALUES (32767, 'MEXC_FUTURES'), (3, 'GATEIO_OPTIONS')")
    report = await adopt(db)
    assert "exchange id 32767 is the last that there is" in report.notes[0]
    assert await ids_of(db) == {SPOT: 1, MEXC: 2, "GATEIO_OPTIONS": 3, "GATEIO_FUTURES": 4, "MEXC_FUTURES": 32767}


async def test_all_problems_are_told_at_once(old: asyncpg.Connection, db: Database) -> None:
    """The message has the first ten, `.problems` all."""
    await old.execute("INSERT INTO symbols SELECT n, 1, 'X', 'USDT', '', 1 FROM generate_series(100, 130) AS n")
    with pytest.raises(AdoptionRefused, match="and 21 more") as caught:
        await adopt(db)
    assert len(caught.value.problems) == 31


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"schema": "nowhere"}, "exchanges_table"),
        ({"symbols_table": "nothing"}, "symbols_table"),
        ({"schema": "public"}, "exchanges_table"),
        ({"schema": ""}, "schema"),
        ({"schema": "x" * 64}, "schema"),
        ({"symbols_table": 'symbols" AS t; DROP TABLE legacy.symbols; --'}, "symbols_table"),
        ({"columns": {"tick": "x"}}, "columns"),
        ({"columns": {"base": ""}}, "columns"),
        ({"columns": 5}, "columns"),
        ({"exchanges": {"Gate.io": ""}}, "enum_value"),
        ({"exchanges": 5}, "exchanges"),
    ],
)
async def test_an_argument_that_is_unusable_is_named(
    old: asyncpg.Connection, db: Database, arguments: dict[str, Any], field: str
) -> None:
    """A name is quoted by the server, and leads to one table or to none."""
    for dry_run in (True, False):
        with pytest.raises(InvalidArgument) as caught:
            await adopt(db, dry_run=dry_run, **arguments)
        assert caught.value.field == field
    assert await old.fetchval("SELECT count(*) FROM legacy.symbols") == 3


async def test_a_column_or_an_exchange_that_is_not_there_is_named(old: asyncpg.Connection, db: Database) -> None:
    """With the columns that there are."""
    said = await refused(db, columns={}, exchanges={"Gate": SPOT, "Gate.io": "KRAKEN"})
    assert "no column is called 'native_symbol', there are id, " in said
    assert "--column native_symbol=NAME" in said
    assert "--exchange 'Gate': no exchange of theirs is called so" in said
    assert "'Gate.io', is to be 'KRAKEN', which is none of ours" in said


async def test_names_that_need_quotes_and_views_are_read(old: asyncpg.Connection, db: Database) -> None:
    """A colon, a quote and a capital in a name; numeric ids that are whole numbers."""
    await old.execute('CREATE SCHEMA "Old:one"')
    await old.execute(
        'CREATE VIEW "Old:one"."sym""bols :x" AS SELECT id::numeric(20, 2), exchange_id, base AS "Base", quote, '
        "symbol_name FROM legacy.symbols WHERE id < 100"
    )
    await old.execute('CREATE VIEW "Old:one".exchanges AS SELECT id::float8, name FROM legacy.exchanges')
    report = await adopt(
        db,
        schema="Old:one",
        symbols_table='sym"bols :x',
        columns={"native_symbol": "symbol_name", "base": "Base"},
        exchanges={"1": SPOT},
    )
    assert [one.id for one in report.symbols] == [4, 17]


async def test_a_table_that_may_not_be_read_is_said(old: asyncpg.Connection, db: Database, dsn: Dsn) -> None:
    """With what to grant."""
    role = f"adopt_reader_{dsn.database}"
    await old.execute(f"CREATE ROLE {role}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    try:
        async with db.transaction() as transaction:
            await transaction.connection.execute(f"SET LOCAL ROLE {role}")
            with pytest.raises(InvalidArgument, match=r"may not read 'legacy.exchanges': grant it that"):
                await adopt(transaction, dry_run=True)
            transaction.discard()
    finally:
        await old.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_a_table_of_the_users_that_refers_to_an_exchange_stops_the_change_of_its_id(
    old: asyncpg.Connection, db: Database
) -> None:
    """All of it is undone."""
    await old.execute("CREATE TABLE legacy.mine (exchange_id smallint REFERENCES public.exchanges (id))")
    await old.execute("INSERT INTO legacy.mine VALUES (2)")
    before = await contents(old)
    with pytest.raises(ConstraintViolated):
        await adopt(db)
    assert await contents(old) == before


async def test_it_waits_for_a_running_import_and_an_import_for_it(
    old: asyncpg.Connection, db: Database, dsn: Dsn
) -> None:
    """Else both would insert the same symbol."""
    async with Database(Dsn(**{**vars(dsn), "settings": {"lock_timeout": "100ms"}})) as impatient:
        async with db.transaction() as running:
            await import_symbols(MEXC, payload(MEXC, [mexc()]), db=running)
            with pytest.raises(Exception, match="lock"):
                await adopt(impatient)
            running.discard()
        async with db.transaction() as adopting:
            await adopt(adopting)
            with pytest.raises(Exception, match=r"lock|import"):
                await import_symbols(MEXC, payload(MEXC, [mexc()]), wait=0, db=impatient)
            adopting.discard()


async def test_a_genuine_sqlalchemy_connection_is_taken(old: asyncpg.Connection, dsn: Dsn) -> None:
    """As everywhere; the transaction is the caller's."""
    async with sqlalchemy_connected(dsn) as conn:
        assert len((await adopt(conn)).symbols) == 3
        await conn.rollback()
    assert await old.fetchval("SELECT count(*) FROM public.symbols") == 0


DOCUMENT = (ROOT / "docs/moving-in.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sql|sh)\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
# What a program of theirs has asked ever since, and goes on to ask.
OLD_CODE = (
    "SELECT id, exchange_id, base, quote, symbol_name, precision FROM symbols ORDER BY id",
    "SELECT e.name, s.symbol_name FROM symbols AS s JOIN exchanges AS e ON e.id = s.exchange_id ORDER BY s.id",
    "SELECT s.base, sum(t.quantity) FROM app.trades AS t JOIN symbols AS s ON s.id = t.symbol_id GROUP BY 1 ORDER BY 1",
    "SELECT id FROM exchanges WHERE is_active ORDER BY id",
)  # fmt: skip
TRADES = """
    CREATE SCHEMA app;
    CREATE TABLE app.trades (
        symbol_id integer NOT NULL CONSTRAINT trades_symbol_id_fkey REFERENCES symbols (id), quantity numeric NOT NULL
    );
    INSERT INTO app.trades SELECT (ARRAY[4, 17, 40000])[1 + n % 3], n FROM generate_series(1, 10000) AS n;
"""


async def test_the_document_is_followed_from_end_to_end(empty_dsn: Dsn, tmp_path: Path) -> None:
    """Its SQL and commands in their order, on tables in `public`; old code gives what it gave, and new code works."""
    async with connected(empty_dsn) as conn:
        await conn.execute(OLD_TABLES)
        await conn.execute(TRADES)
        before = [[tuple(row) for row in await conn.fetch(statement)] for statement in OLD_CODE]
        file = tmp_path / "spot.json"
        file.write_bytes(payload(SPOT, [spot(), spot("NEW")]))
        for kind, block in BLOCKS:
            if kind == "sql":
                await conn.execute(block)
                continue
            for line in block.splitlines():
                if line == "exchanges-db sync":  # it would ask the exchanges themselves
                    line = f"exchanges-db import {SPOT} {file}"
                program, *arguments = shlex.split(line)
                assert program == "exchanges-db"
                result = await asyncio.to_thread(run, *arguments, url=url_of(empty_dsn))
                assert result.returncode == 0, result.stderr
        await conn.execute("SET search_path = legacy, public")
        after = [[tuple(row) for row in await conn.fetch(statement)] for statement in OLD_CODE]
        symbols = {row[0]: row for row in after[0]}
        # The tick of BTC_USDT has one decimal: what the exchange says now. NEW_USDT came with the list.
        assert {row[0]: row for row in before[0]} == {
            4: (4, 1, "BTC", "USDT", "BTC_USDT", 2), 17: symbols[17], 40000: symbols[40000],
        }  # fmt: skip
        assert symbols[4] == (4, 1, "BTC", "USDT", "BTC_USDT", 1)
        assert [row for row in after[1] if row[1] != "NEW_USDT"] == before[1]
        assert after[2] == before[2]
        assert [row for row in after[3] if row[0] in (1, 2)] == before[3]
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await conn.execute("INSERT INTO app.trades VALUES (99999, 1)")
        await conn.execute("INSERT INTO app.trades VALUES (17, 1)")
    async with Database(empty_dsn) as db:
        assert isinstance(await get_symbol_by_id(17, db=db), NamedSymbol)
        assert await can_trade(SPOT, "BTC/USDT", "BUY", db=db)
        assert (await get_symbol_by_id(4, db=db)) == (await get_symbol(SPOT, "BTC/USDT", db=db))
    assert await migrate(empty_dsn) == []
