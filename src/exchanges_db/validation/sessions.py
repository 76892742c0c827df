"""The checks of what other sessions do on the server: long transactions, unread notifications, connections taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import run
from exchanges_db.errors import shown
from exchanges_db.symbols.freshness import span
from exchanges_db.validation.bounds import BOUNDS
from exchanges_db.validation.checks import Context, expect, expect_none
from exchanges_sql.server_health import (
    AsyncQuerier,
    ListConnectionLimitsRow,
    ListLongTransactionsRow,
    ListOldestTransactionsRow,
)

T = TypeVar("T")


async def _ask(context: Context, work: Callable[[AsyncQuerier], Awaitable[T]]) -> T:
    async def ask(connection: AsyncConnection) -> T:
        return await work(AsyncQuerier(connection))

    return await run(context.database, ask)


async def check_transactions(context: Context) -> str:
    """No other session keeps a transaction of this database open for long, and none is left prepared."""

    async def work(querier: AsyncQuerier) -> tuple[list[ListLongTransactionsRow], int]:
        rows = querier.list_long_transactions(longest=BOUNDS.transaction, longest_idle=BOUNDS.idle_in_transaction)
        return [row async for row in rows], await querier.count_hidden_sessions() or 0

    found, hidden = await _ask(context, work)
    expect_none([transaction_told(row) for row in found])
    unseen = f"; not seen: what {hidden} sessions of other roles do (GRANT pg_read_all_stats)" if hidden else ""
    return f"none is older than {BOUNDS.transaction} s, or idle for {BOUNDS.idle_in_transaction} s{unseen}"


def transaction_told(row: ListLongTransactionsRow) -> str:
    """Return who keeps a transaction open, in words: it blocks migrations and keeps vacuum from what was deleted."""
    age, user = span(timedelta(seconds=row.seconds)), shown(row.user_name)
    if row.kind == "prepared":
        return f"the transaction {shown(row.session_name)} of {user} was prepared {age} ago, and never committed"
    return f"process {row.session_name} ({user}, {shown(row.application_name)}) is {row.kind} for {age}"


async def check_notifications(context: Context) -> str:
    """The queue of notifications is read: once it is full, every transaction that notifies fails at its commit."""

    async def work(querier: AsyncQuerier) -> tuple[Decimal | None, list[ListOldestTransactionsRow]]:
        return await querier.get_notification_queue_usage(), [row async for row in querier.list_oldest_transactions()]

    share, oldest = await _ask(context, work)
    assert share is not None  # a SELECT without FROM always gives one row
    found = f"{share:.2%} of the notification queue is taken"
    suspects = "; ".join(
        f"process {row.pid} ({shown(row.user_name)}, {shown(row.application_name)}) "
        f"in database {shown(row.database_name)} for {span(timedelta(seconds=row.seconds))}"
        for row in oldest
    )
    expect(
        share <= BOUNDS.notification_queue,
        f"{found}, more than {BOUNDS.notification_queue:.0%}: a session that listens is in a long transaction. "
        f"Longest in one are: {suspects or 'none that this role may see (GRANT pg_read_all_stats)'}",
    )
    return found


async def check_connections(context: Context) -> str:
    """There are connections left, of the server's, the role's and the database's."""

    async def work(querier: AsyncQuerier) -> list[ListConnectionLimitsRow]:
        return [row async for row in querier.list_connection_limits()]

    limits = await _ask(context, work)
    expect_none([f"{_taken(row)}: new ones will be refused" for row in limits if _share(row) >= BOUNDS.connections])
    return "; ".join(map(_taken, limits))


def _share(row: ListConnectionLimitsRow) -> float:
    return row.used / row.allowed if row.allowed else 1.0


def _taken(row: ListConnectionLimitsRow) -> str:
    return f"{row.used} of {row.allowed} connections of {row.place} are in use"
