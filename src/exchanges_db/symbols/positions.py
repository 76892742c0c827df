"""What changed in an exchange's symbols since a position in the log of changes, in the order of commits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.rows import from_database, readable
from exchanges_db.errors import HistoryPruned, InvalidArgument, SchemaMismatch, shown
from exchanges_db.symbols.changes import SymbolChange, find_changes_between
from exchanges_db.symbols.models import Symbol
from exchanges_db.symbols.pruning import check_not_pruned
from exchanges_sql.symbol_history import AsyncQuerier, ListSymbolRowsSinceEpochRow


class Since(NamedTuple):
    """The changes after a position: from when it is, when was asked, and which position that reached."""

    began_at: datetime
    asked_at: datetime
    reached: tuple[int, str]
    changes: list[SymbolChange]


def check_position(position: tuple[int, str] | str) -> tuple[int, str]:
    """Return epoch and token of a position, also of one that is written EPOCH:TOKEN. Raises InvalidArgument."""
    if isinstance(position, str):
        number, colon, token = position.partition(":")
        if colon and token and number.isascii() and number.isdecimal() and len(number) < 19:
            return int(number), token
    elif isinstance(position, tuple) and len(position) == 2:
        epoch, token = position
        if type(epoch) is int and 0 <= epoch < 2**63 and isinstance(token, str) and token:
            return epoch, token
    raise InvalidArgument(
        f"a position is an epoch and a token, or EPOCH:TOKEN as text, and not {shown(position)}", field="since"
    )


def is_position(text: str) -> bool:
    """Return whether a text is to be a position, EPOCH:TOKEN, and no time."""
    return re.match(r"[0-9]+:[0-9a-f]{8}-", text) is not None


async def find_changes_since(conn: AsyncConnection, exchange_id: int, position: tuple[int, str]) -> Since:
    """Return what became visible after a position, by a connection."""
    querier, (epoch, token) = AsyncQuerier(conn), position
    # Before it is asked whether it is all: what comes in between is then refused, and not missed.
    rows = [row async for row in querier.list_symbol_rows_since_epoch(epoch=epoch, exchange_id=exchange_id)]
    # A token of the database is ASCII: what else is asked for is in no log, and may be what a server refuses.
    found = await querier.get_log_position(epoch=epoch, token=token if token.isascii() and token.isprintable() else "")
    if found is None or found.oldest_at is None:
        raise SchemaMismatch("the log of changes is empty: run `exchanges-db validate`")
    if found.committed_at is None:
        raise HistoryPruned(
            f"the position {epoch}:{shown(token)} is not in the log of changes: it is older than what is kept, or of "
            "another database than this one, as after a failover that lost the last commits. Ask by a time",
            before=found.oldest_at,
        )
    if found.everything_at is not None:
        raise HistoryPruned(
            f"since the position {epoch}:{token} everything has changed at once, as by TRUNCATE or a restore: "
            "ask by a time",
            before=found.everything_at,
        )
    await check_not_pruned(conn, found.committed_at)
    reached = rows[0]  # there is always one
    before = _symbols(row for row in rows if row.is_after is False)
    after = _symbols(row for row in rows if row.is_after is True)
    return Since(
        began_at=found.committed_at,
        asked_at=reached.asked_at,
        reached=(reached.reached_epoch, reached.reached_token),
        changes=find_changes_between(before, after),
    )


def _symbols(rows: Iterable[ListSymbolRowsSinceEpochRow]) -> list[Symbol]:
    return readable(rows, lambda row: from_database(row, Symbol))
