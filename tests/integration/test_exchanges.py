"""The look-ups and changes of exchanges, on a real server, through every kind of `db=`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from exchanges_db import (
    AccessDenied,
    ConfigurationError,
    Conflict,
    ConstraintViolated,
    Database,
    DatabaseError,
    DatabaseOrConnection,
    DatabaseUnavailable,
    DuplicateExchange,
    Exchange,
    ExchangeEnum,
    InvalidExchange,
    MarketType,
    SchemaMismatch,
    activate_exchange,
    deactivate_exchange,
    ensure_exchanges_populated,
    get_all_active_exchanges,
    get_all_exchanges,
    get_exchange_as_of,
    get_exchange_by_enum,
    get_exchange_by_id,
    get_exchange_history,
    get_exchange_stats,
    get_exchanges_by_market_type,
    insert_exchange,
    update_exchange,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.exchanges.rules import CHECKS
from tests.cases import Case, every_call, expect_failure
from tests.factories import an_exchange, connected, row_count, sqlalchemy_connected

KINDS = ["Database", "Transaction", "asyncpg", "asyncpg in a transaction", "pool", "SQLAlchemy", "default"]


@pytest.fixture(params=KINDS)
async def db(request: pytest.FixtureRequest, dsn: Dsn, default_url: str) -> AsyncIterator[DatabaseOrConnection | None]:
    """Each kind of thing that `db=` takes, on a database of one's own."""
    async with AsyncExitStack() as stack:
        match request.param:
            case "Database":
                yield await stack.enter_async_context(Database(dsn))
            case "Transaction":
                database = await stack.enter_async_context(Database(dsn))
                yield await stack.enter_async_context(database.transaction())
            case "asyncpg":
                yield await stack.enter_async_context(connected(dsn))
            case "asyncpg in a transaction":
                connection = await stack.enter_async_context(connected(dsn))
                await stack.enter_async_context(connection.transaction())
                yield connection
            case "pool":
                pool = await stack.enter_async_context(asyncpg.create_pool(**dsn.asyncpg_arguments(), min_size=1))
                yield await stack.enter_async_context(pool.acquire())
            case "SQLAlchemy":
                yield await stack.enter_async_context(sqlalchemy_connected(dsn))
            case _:
                yield None


async def test_a_whole_life_through_every_kind_of_connection(db: DatabaseOrConnection | None) -> None:
    """Insert, find, update, deactivate, activate, count, look back: the same answers whatever `db=` is."""
    new = an_exchange(market_type="OPTIONS", base_url="https://t", precision_default=3)
    new_id = await insert_exchange(new, db=db)
    stored = await get_exchange_by_id(new_id, db=db)
    assert stored is not None
    assert stored.version == 1
    assert stored.created_at == stored.updated_at
    assert await get_exchange_by_enum(new.enum_value, db=db) == stored
    assert await get_exchanges_by_market_type("options", db=db) == [stored]

    assert await update_exchange(new_id, {"display_name": "Changed", "base_url": None}, if_version=1, db=db)
    changed = await get_exchange_by_id(new_id, db=db)
    assert changed is not None
    assert (changed.display_name, changed.base_url, changed.precision_default) == ("Changed", None, 3)
    with pytest.raises(Conflict, match="has version 2, not 1"):
        await update_exchange(new_id, {"display_name": "Late"}, if_version=1, db=db)

    assert await deactivate_exchange(new_id, db=db)
    assert await get_exchange_by_enum(new.enum_value, db=db) is None
    assert new.name not in [e.name for e in await get_all_active_exchanges(db=db)]
    assert new.name in [e.name for e in await get_all_exchanges(db=db)]
    assert (await get_exchange_stats(db=db))["inactive_exchanges"] == 1
    assert await activate_exchange(new_id, db=db)

    history = await get_exchange_history(new_id, db=db)
    assert [change.changed_columns for change in history] == [
        (), ("base_url", "display_name"), ("is_active",), ("is_active",)
    ]  # fmt: skip
    assert await get_exchange_as_of(new_id, stored.updated_at, db=db) == stored
    assert await ensure_exchanges_populated(db=db) == []


async def test_a_missing_member_is_created_through_every_kind(db: DatabaseOrConnection | None, dsn: Dsn) -> None:
    """The insert of several rows comes back as Exchanges, also through SQLAlchemy's cursor."""
    async with connected(dsn) as other:
        await other.execute("DELETE FROM exchanges WHERE enum_value <> 'GATEIO_SPOT'")
    created = await ensure_exchanges_populated(db=db)
    assert [exchange.to_exchange_enum() for exchange in created] == [ExchangeEnum.GATEIO_FUTURES, ExchangeEnum.MEXC]
    assert await ensure_exchanges_populated(db=db) == []


async def test_the_fresh_rows_are_the_defaults(conn: asyncpg.Connection) -> None:
    """A fresh database answers for every member, with what from_exchange_enum says."""
    for member in ExchangeEnum:
        exchange = await get_exchange_by_enum(member, db=conn)
        assert exchange is not None
        assert exchange.to_exchange_enum() is member
        assert exchange.created_at.tzinfo is UTC
        given = Exchange.from_exchange_enum(member)
        assert all(getattr(given, field) == getattr(exchange, field) for field in CHECKS)


async def test_lists_are_sorted_by_name(conn: asyncpg.Connection) -> None:
    """Active ones or all, of one type or of every type."""
    for name in ("ZZ", "AA"):
        await insert_exchange(an_exchange(name=name), db=conn)
    for found in (
        await get_all_active_exchanges(db=conn),
        await get_all_exchanges(db=conn),
        await get_exchanges_by_market_type(MarketType.SPOT, db=conn),
    ):
        names = [exchange.name for exchange in found]
        assert names == sorted(names)
        assert {"AA", "ZZ"} <= set(names)


async def test_what_is_not_there_is_none_or_false(conn: asyncpg.Connection) -> None:
    """An id that no row has, or can have, is no error."""
    for unknown in (0, -1, 30_000, 2**15, 10**30):
        assert await get_exchange_by_id(unknown, db=conn) is None
        assert await update_exchange(unknown, {"name": "x"}, db=conn) is False
        assert await update_exchange(unknown, {"name": "x"}, if_version=1, db=conn) is False
        assert await deactivate_exchange(unknown, db=conn) is False
    assert await get_exchange_by_enum("NOT_THERE", db=conn) is None


async def test_an_update_without_change_keeps_the_version(conn: asyncpg.Connection) -> None:
    """No fields, or the values that are there, raise nothing and write nothing."""
    before = await get_exchange_by_id(1, db=conn)
    assert before is not None
    assert await update_exchange(1, {}, db=conn)
    assert await update_exchange(1, {"name": before.name, "is_active": True}, db=conn)
    assert await get_exchange_by_id(1, db=conn) == before


@pytest.mark.parametrize("field", ["name", "enum_value"])
async def test_a_taken_name_is_refused_with_its_field(conn: asyncpg.Connection, field: str) -> None:
    """On insert and on update; the constraint says which."""
    taken = an_exchange(**{field: "MEXC_SPOT"})
    with pytest.raises(DuplicateExchange, match=field) as info:
        async with conn.transaction():
            await insert_exchange(taken, db=conn)
    assert (info.value.sqlstate, info.value.constraint) == ("23505", f"exchanges_{field}_key")
    with pytest.raises(ConstraintViolated):
        await update_exchange(2, {field: "MEXC_SPOT"}, db=conn)


async def test_only_an_exchange_without_id_is_inserted(conn: asyncpg.Connection) -> None:
    """The database gives the id."""
    with pytest.raises(InvalidExchange, match="without one"):
        await insert_exchange(an_exchange(id=7), db=conn)
    wrong: Any = {"name": "x"}
    with pytest.raises(InvalidExchange, match="takes an Exchange, not dict"):
        await insert_exchange(wrong, db=conn)


@pytest.mark.parametrize("version", [0, -1, True, 1.0, "1", 2**31])
async def test_a_version_that_no_row_has_is_refused(conn: asyncpg.Connection, version: Any) -> None:
    """No Exchange that was read has such a version, so passing it is a mistake."""
    with pytest.raises(InvalidExchange, match="if_version") as info:
        await update_exchange(1, {"name": "x"}, if_version=version, db=conn)
    assert info.value.field == "version"


@every_call
@pytest.mark.parametrize(
    "wrong", ["postgresql://h/d", 7, object(), asyncpg.Pool], ids=["text", "number", "object", "class"]
)
async def test_a_db_of_another_kind_is_our_error(call: Case, wrong: Any) -> None:
    """The message says what is taken."""
    taken = " to be validated" if call.kind == "validation" else ", a Transaction, an asyncpg connection"
    with pytest.raises(ConfigurationError, match=f"db must be a Database{taken}|must be one connection or a Database"):
        await call(wrong)


@every_call
async def test_a_connection_that_is_no_longer_one_is_our_error(call: Case, shared_dsn: Dsn) -> None:
    """Closed, given back to its pool, or closed in SQLAlchemy: always an error of this package.

    A validation, which takes a Database only, refuses the connection for what it is.
    """
    refused = call.kind == "validation"
    async with connected(shared_dsn) as closed:
        pass
    async with asyncpg.create_pool(**shared_dsn.asyncpg_arguments(), min_size=1) as pool:
        async with pool.acquire() as released:
            pass
        async with sqlalchemy_connected(shared_dsn) as alchemy:
            pass
        for gone in (closed, released):
            with pytest.raises(ConfigurationError if refused else DatabaseUnavailable):
                await call(gone)
        with pytest.raises(ConfigurationError if refused else DatabaseError):
            await call(alchemy)


@every_call
async def test_a_closed_database_is_our_error(call: Case, shared_dsn: Dsn) -> None:
    """And does not open itself again."""
    async with Database(shared_dsn) as closed:
        pass
    await expect_failure(call, closed, DatabaseUnavailable, "this Database is closed")


async def test_several_functions_commit_together(database: Database) -> None:
    """Nothing is seen by others before the end of the block, everything after it."""
    async with database.transaction() as tx:
        new_id = await insert_exchange(an_exchange(), db=tx)
        await update_exchange(new_id, {"display_name": "Second"}, db=tx)
        await deactivate_exchange(1, db=tx)
        assert await get_exchange_by_id(new_id, db=database) is None
    changed = await get_exchange_by_id(new_id, db=database)
    assert changed is not None
    assert (changed.display_name, changed.version) == ("Second", 2)
    assert await get_exchange_by_enum(ExchangeEnum.MEXC, db=database) is None


async def test_several_functions_roll_back_together(database: Database) -> None:
    """On an exception, which comes out as it was, and on discard()."""
    with pytest.raises(InvalidExchange):  # noqa: PT012  # what stands before the error is what is rolled back
        async with database.transaction() as tx:
            await insert_exchange(an_exchange(), db=tx)
            await insert_exchange(an_exchange(name=""), db=tx)
    async with database.transaction() as tx:
        await insert_exchange(an_exchange(), db=tx)
        tx.discard()
    assert await row_count(database) == 3


async def test_sqlalchemy_commits_when_its_user_does(dsn: Dsn) -> None:
    """We never end a transaction that is not ours."""
    async with connected(dsn) as other, sqlalchemy_connected(dsn) as alchemy:
        await insert_exchange(an_exchange(), db=alchemy)
        assert await other.fetchval("SELECT count(*) FROM exchanges") == 3
        await alchemy.rollback()
        await insert_exchange(an_exchange(), db=alchemy)
        await alchemy.commit()
        assert await other.fetchval("SELECT count(*) FROM exchanges") == 4


async def test_a_violation_through_sqlalchemy_is_our_error(dsn: Dsn) -> None:
    """With SQLSTATE and constraint, and the driver's error as its cause."""
    async with sqlalchemy_connected(dsn) as alchemy:
        with pytest.raises(DuplicateExchange) as info:
            await insert_exchange(an_exchange(name="MEXC_SPOT"), db=alchemy)
    assert (info.value.sqlstate, info.value.constraint) == ("23505", "exchanges_name_key")


async def test_sqlalchemy_without_transactions_says_what_is_missing(dsn: Dsn) -> None:
    """A list needs a cursor, and a cursor a transaction."""
    async with sqlalchemy_connected(dsn, isolation_level="AUTOCOMMIT") as alchemy:
        assert await insert_exchange(an_exchange(), db=alchemy)
        with pytest.raises(DatabaseError, match="needs a transaction"):
            await get_all_exchanges(db=alchemy)


@every_call
async def test_an_unmigrated_database_says_migrate(call: Case, empty_dsn: Dsn) -> None:
    """The missing table is a SchemaMismatch."""
    async with Database(empty_dsn) as bare:
        await expect_failure(call, bare, SchemaMismatch, "exchanges-db migrate")


async def test_a_row_this_version_cannot_read_is_a_schema_mismatch(conn: asyncpg.Connection) -> None:
    """A newer schema may know more market types; that is no error of msgspec's."""
    await conn.execute("ALTER TABLE exchanges DROP CONSTRAINT exchanges_market_type_known")
    await conn.execute("UPDATE exchanges SET market_type = 'SWAP' WHERE id = 1")
    with pytest.raises(SchemaMismatch, match="market_type"):
        await get_exchange_by_id(1, db=conn)
    with pytest.raises(SchemaMismatch, match="market_type"):
        await get_exchange_as_of(1, datetime.now(UTC), db=conn)


@every_call
async def test_a_missing_right_is_access_denied(call: Case, stocked_dsn: Dsn) -> None:
    """Whatever a role without rights asks for; SQLSTATE 42501."""
    async with Database(replace(stocked_dsn, settings={"role": "pg_read_all_stats"})) as database:
        await expect_failure(call, database, AccessDenied, "42501")


@every_call
async def test_a_read_only_session_takes_reads_and_no_writes(call: Case, stocked_dsn: Dsn) -> None:
    """SQLSTATE 25006, as on a standby. Every call that tests/cases.py lists as a read passes here."""
    async with Database(replace(stocked_dsn, settings={"default_transaction_read_only": "on"})) as database:
        if call.kind in ("write", "transaction"):
            with pytest.raises(DatabaseUnavailable, match="25006"):
                await call(database)
        else:
            assert await call(database) is not None
