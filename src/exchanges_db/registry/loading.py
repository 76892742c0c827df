"""Asks the database for what a registry holds: all of it, what has changed since a position, or whether any has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.bridge import bridge
from exchanges_db.database.session import Session
from exchanges_db.errors import SchemaMismatch
from exchanges_db.exchanges.rules import INTEGER_MAX
from exchanges_db.registry.documents import Documents
from exchanges_db.registry.models import Position, RegistrySymbol
from exchanges_db.registry.snapshot import News, Snapshot
from exchanges_sql.registry import AsyncQuerier, GetRegistryNewsParams, GetRegistryNewsRow, GetRegistryStateRow

T = TypeVar("T")

_EACH = 1000  # symbols in one document
MOST_NAMED = 1_000_000  # entries and ids of the log; ten times as many took longer than a statement may
_IDLE_LIMIT = "60s"  # after which a server ends a load that nobody goes on with
_LONGEST_LOAD = "10min"  # after which it ends any
_BEFORE_ALL = -INTEGER_MAX - 1
_TORN = (
    "not all triggers that registry_changes rests on are there and fire always, so some changes are told to nobody: "
    "a restore goes on, which is to be waited for, or one was dropped or switched off, or another table has taken the "
    "name of its own, or inherits from it, or it from another: `exchanges-db validate` names it"
)


async def fetch_state(conn: AsyncConnection) -> GetRegistryStateRow:
    """Return the newest position of the log, and the server's time.

    Raises:
        SchemaMismatch: the log is empty, which only its owner can have done.
    """
    state = await AsyncQuerier(conn).get_registry_state()
    if state is None:
        raise no_log()
    return state


def no_log() -> SchemaMismatch:
    """Return the error for a log without any epoch."""
    return SchemaMismatch("registry_changes is empty: insert an entry EVERYTHING, as docs/operations.md says")


def refuse_torn(state: GetRegistryStateRow) -> None:
    """Raise SchemaMismatch where the log may lack changes."""
    if not state.log_version:
        raise SchemaMismatch(_TORN)


async def load_all(conn: AsyncConnection, documents: Documents) -> Snapshot:
    """Return all that there is; `conn` is in a transaction of REPEATABLE READ, so that it is of one moment.

    It began with `hold_registry`: a table that was written anew since the moment would seem empty.

    Raises:
        SchemaMismatch: the database holds what cannot be read, or its log may lack changes.
    """
    querier = AsyncQuerier(conn)
    state = await fetch_state(conn)
    refuse_torn(state)
    contents = await querier.get_registry_contents()
    assert contents is not None  # one row, always
    symbols: list[RegistrySymbol] = []
    part = asyncio.ensure_future(querier.get_registry_symbols(after_id=_BEFORE_ALL, most=_EACH))
    try:
        while True:
            row = await part
            assert row is not None  # one row, always
            if row.symbols_read == _EACH:
                # The server makes the next while this one is read.
                part = asyncio.ensure_future(querier.get_registry_symbols(after_id=row.last_id, most=_EACH))
                await asyncio.sleep(0)
            symbols += documents.symbols(row.symbols)
            if row.symbols_read < _EACH:
                return documents.contents(contents, Position(state.epoch, state.token), symbols, state.log_version)
    finally:
        part.cancel()


class Needs(Enum):
    """What is returned in place of news that one statement alone cannot read, or cannot be relied on to read."""

    TRANSACTION = "TRANSACTION"


async def fetch_news(conn: AsyncConnection, documents: Documents, known: Snapshot) -> News | Needs | None:
    """Return what has changed since a snapshot, in one statement; None where all is to be read anew.

    Needs.TRANSACTION: `fetch_long_news` is to be asked for it: so many symbols have changed, or the session's isolation
    is not READ COMMITTED, so that what this found may be from before a table was written anew, and lack its rows.

    Raises:
        SchemaMismatch: the database holds what cannot be read.
    """
    row = await _news_since(conn, known)
    if row is not None and (row.left_out or row.may_lack_rows):
        return Needs.TRANSACTION
    return None if row is None else documents.news(row, names_in(known))


async def fetch_long_news(conn: AsyncConnection, documents: Documents, known: Snapshot) -> News | None:
    """Return the same in parts: a statement that takes too long would be given up, and be asked for again, for ever.

    `conn` is in a transaction of REPEATABLE READ, that began with `hold_registry`, as for `load_all`.
    """
    querier = AsyncQuerier(conn)
    row = await _news_since(conn, known)
    if row is None:
        return None
    ids = sorted(set(row.left_out))
    symbols: list[RegistrySymbol] = []
    named: list[str] = []
    for begin in range(0, len(ids), _EACH):
        part = await querier.get_registry_symbols_of(ids=ids[begin : begin + _EACH])
        assert part is not None  # one row, always
        symbols += documents.symbols(part.symbols)
        named.append(part.named)
    return documents.news(row, names_in(known), symbols, named)


async def _news_since(conn: AsyncConnection, known: Snapshot) -> GetRegistryNewsRow | None:
    epoch, token = known.position
    querier = AsyncQuerier(conn)
    row = await querier.get_registry_news(
        GetRegistryNewsParams(epoch, token, known.log_version, named_limit=MOST_NAMED, most=_EACH)
    )
    return None if row is None or not row.known else row


def names_in(known: Snapshot) -> dict[int, str]:
    """Return the enum_value of each exchange, by id."""
    return {number: place.exchange.enum_value for number, place in known.places_by_id.items()}


async def of_one_moment(session: Session, read: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Return what `read` returns, in a transaction in which all is as of one moment; not before that has ended.

    Not as a block, at the end of which ROLLBACK is awaited: a server that is silent would keep whoever cancels this
    waiting, and the error of that ROLLBACK would stand for why. Whatever fails, the connection is ended; a server that
    does not hear of that ends the transaction by itself.
    """
    moment = session.transaction(isolation="repeatable_read", readonly=True)
    await moment.start()
    conn = bridge(session)
    await hold_registry(conn)
    what = await read(conn)
    await moment.commit()
    return what


async def limit_session(conn: AsyncConnection, pid: int, patience: float) -> bool:
    """Have the server keep a session while it is idle, but no transaction that nobody goes on with; the first question.

    pid: the process that the client was told of. Where another one answers, nothing is changed, and False returned: a
        pooler is in between, which gives that session to others, too.
    patience: seconds for which it waits for a lock: as long as somebody waits for its answer.
    """
    limits = await AsyncQuerier(conn).set_session_limits(
        pid=pid, transaction_limit=_IDLE_LIMIT, load_limit=_LONGEST_LOAD, lock_limit=in_milliseconds(patience)
    )
    assert limits is not None  # one row, always
    return limits.is_direct


def in_milliseconds(seconds: float) -> str:
    """Return a limit as a server reads it; none is so short that it would mean none at all."""
    return f"{max(1, round(1000 * seconds))}ms"


async def hold_registry(conn: AsyncConnection) -> None:
    """Keep the tables as they are until a transaction of REPEATABLE READ ends, which this is the first statement of."""
    querier = AsyncQuerier(conn)
    await querier.lock_registry()  # before the moment, which begins with whatever is asked next
    # Of a session that goes through a pooler; another has its limit by now.
    await querier.set_transaction_limit(transaction_limit=_IDLE_LIMIT)
