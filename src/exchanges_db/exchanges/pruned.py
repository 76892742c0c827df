"""Whether a question about the past reaches back to what was deleted of a history on purpose."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.errors import HistoryPruned
from exchanges_sql.pruning import AsyncQuerier


async def check_reaches(conn: AsyncConnection, table: str, at: datetime) -> None:
    """Return if the history in `table` still tells what was at `at`; an answer of "nothing" would be a guess else.

    Raises:
        HistoryPruned: it was pruned up to a later time.
    """
    before = await AsyncQuerier(conn).get_pruned_before(pruned_table=table, at=at)
    if before is not None:
        raise HistoryPruned(
            f"what was at {at.isoformat()} is not known any more: {table} was pruned up to {before.isoformat()}",
            before=before,
        )
