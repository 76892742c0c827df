"""Deletes what is old of the ledger of imports and of the histories: for their owner only, and itself recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run, run_in_transaction
from exchanges_db.database.rows import from_database
from exchanges_db.errors import AccessDenied, InvalidArgument
from exchanges_db.exchanges.pruned import check_reaches
from exchanges_db.moments import check_moment
from exchanges_sql.pruning import AsyncQuerier

_ROWS_PER_STATEMENT = 20_000
_INSUFFICIENT_PRIVILEGE = "42501"


class PruneReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a prune has deleted, or would delete.

    Attributes:
        before: all of it ended before this.
        rows: how many rows of each table.
    """

    before: datetime
    dry_run: bool
    rows: dict[str, int]


class HistoryPrune(msgspec.Struct, frozen=True, kw_only=True):
    """What one prune has deleted of one table.

    Attributes:
        before: questions about times before this are not answered from that table any more.
        began_at, ended_at: of the first and the last batch.
        pruned_by, application_name: which database user, and its application_name.
    """

    pruned_table: str
    before: datetime
    pruned_rows: int
    began_at: datetime
    ended_at: datetime
    pruned_by: str
    application_name: str


async def prune_history(
    before: datetime,
    *,
    dry_run: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    db: DatabaseOrConnection | None = None,
) -> PruneReport:
    """Delete imports of the ledger, versions, changes, holds and doubts that ended before a time; say how many.

    What held at `before` or since is kept, so that questions about those times are answered as ever. On a Database each
    batch is committed by itself, oldest rows first: a prune that is interrupted has deleted less, and leaves no hole.

    on_progress: called with how many rows are deleted, and how many there are to delete.

    Raises:
        InvalidArgument: `before` has no time zone, or lies ahead.
        AccessDenied: only the owner of the tables may prune.
    """
    moment = check_moment(before, "before")
    if moment > datetime.now(UTC):
        raise InvalidArgument(f"before, {moment.isoformat()}, lies ahead: nothing of then is old", field="before")
    rows = await run_in_transaction(db, lambda conn: _count(conn, moment, dry_run=dry_run), readonly=True)
    if dry_run:
        return PruneReport(before=moment, dry_run=True, rows=rows)
    total, done = sum(rows.values()), dict.fromkeys(rows, 0)
    for table, delete in _DELETES.items():
        while deleted := await run_in_transaction(db, lambda conn, delete=delete: _batch(conn, delete, moment)):  # type: ignore[misc]  # bound now
            done[table] += deleted
            on_progress(sum(done.values()), max(total, sum(done.values())))
            if deleted < _ROWS_PER_STATEMENT:
                break
    return PruneReport(before=moment, dry_run=False, rows=done)


async def list_prunes(*, db: DatabaseOrConnection | None = None) -> list[HistoryPrune]:
    """Return what was ever pruned, oldest first: per table and time, up to which it was pruned."""

    async def work(conn: AsyncConnection) -> list[HistoryPrune]:
        return [from_database(row, HistoryPrune) async for row in AsyncQuerier(conn).list_history_prunes()]

    return await run(db, work)


async def check_not_pruned(conn: AsyncConnection, at: datetime) -> None:
    """Raise HistoryPruned where what symbols were at `at` was deleted."""
    await check_reaches(conn, "symbol_history", at)


async def _count(conn: AsyncConnection, before: datetime, *, dry_run: bool) -> dict[str, int]:
    querier = AsyncQuerier(conn)
    pruner = await querier.get_pruner()
    if pruner is not None and pruner.asking != pruner.owner and not dry_run:
        raise AccessDenied(
            f"only {pruner.owner}, the owner of the histories, may prune them, and this is {pruner.asking} "
            f"(SQLSTATE {_INSUFFICIENT_PRIVILEGE})",
            sqlstate=_INSUFFICIENT_PRIVILEGE,
        )
    counted = await querier.count_prunable(before=before)
    assert counted is not None  # a SELECT without FROM always gives one row
    return {table: getattr(counted, table) for table in _DELETES}


Delete = Callable[[AsyncQuerier, datetime], Awaitable[int]]
# In this order: what others refer to goes last.
_DELETES: dict[str, Delete] = {
    "symbol_imports": lambda ask, before: ask.delete_old_imports(before=before, batch=_ROWS_PER_STATEMENT),
    "symbol_history": lambda ask, before: ask.delete_old_symbol_versions(before=before, batch=_ROWS_PER_STATEMENT),
    "exchange_history": lambda ask, before: ask.delete_old_exchange_changes(before=before, batch=_ROWS_PER_STATEMENT),
    "hold_history": lambda ask, before: ask.delete_old_holds(before=before, batch=_ROWS_PER_STATEMENT),
    "symbol_doubts": lambda ask, before: ask.delete_old_doubts(before=before, batch=_ROWS_PER_STATEMENT),
}


async def _batch(conn: AsyncConnection, delete: Delete, before: datetime) -> int:
    querier = AsyncQuerier(conn)
    await querier.set_prune_before(before=before.isoformat())
    deleted = await delete(querier, before)
    # The transaction may be the caller's, and goes on.
    await querier.set_prune_before(before="")
    return deleted
