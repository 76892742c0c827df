"""What symbols were: as the database knew them at a time, every version of one, and what changed between two times."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import Enum

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run, run_in_transaction
from exchanges_db.database.rows import from_database, readable
from exchanges_db.errors import InvalidArgument
from exchanges_db.exchanges.history import LAST, exchange_id_then
from exchanges_db.exchanges.names import check_key, check_known
from exchanges_db.moments import check_moment
from exchanges_db.symbols.changes import SymbolChange, find_changes_between
from exchanges_db.symbols.circumstances import Circumstances, circumstances_then
from exchanges_db.symbols.enums import SymbolKind
from exchanges_db.symbols.import_lock import LOCK_CLASS, READS_ALL
from exchanges_db.symbols.judge import is_tradable
from exchanges_db.symbols.look_ups import check_filters, check_tradable
from exchanges_db.symbols.models import Symbol, SymbolVersion
from exchanges_db.symbols.names import check_name, the_one
from exchanges_db.symbols.past import Then, all_then, called_then, spelled_then
from exchanges_db.symbols.positions import check_position, find_changes_since
from exchanges_db.symbols.pruning import check_not_pruned
from exchanges_sql.symbol_history import AsyncQuerier, ListChangedSymbolRowsRow, ListSymbolVersionsRow


class SymbolDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What changed in an exchange's symbols after `since`, up to and with `until`.

    Iterating over it gives the changes; it has their number as its length. Whoever passes `until` as the next `since`
    misses no change that an import made, and sees none twice.

    position: where it began at a position of the log of changes, the one that it ends at: the next `since`.
    """

    since: datetime
    until: datetime
    changes: list[SymbolChange]
    position: tuple[int, str] | None = None

    def __iter__(self) -> Iterator[SymbolChange]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)


async def get_symbol_as_of(
    exchange: Enum | str | int, symbol: str, at: datetime, *, db: DatabaseOrConnection | None = None
) -> Symbol | None:
    """Return the symbol as the database knew it at `at`, by its canonical or native name; None when it knew none.

    exchange: by the enum_value that it had at `at`, or its id. A name that none had then stands for the exchange that
        has it now, else for the one that had it last. The Symbol has the name of then.

    Waits for an import of the exchange that runs, and may have begun before `at`.

    Raises:
        InvalidArgument: `at` has no time zone.
        ExchangeNotFound: no exchange has or ever had this name or id.
        AmbiguousSymbol: no symbol was spelt exactly so, and several differed from `symbol` in case only; or several
            live symbols had exactly this name.
        HistoryPruned: nothing is found, and what was then was deleted.
    """
    key, name, moment = check_key(exchange), check_name(symbol), check_moment(at)
    found = await run(db, lambda conn: find_symbol_as_of(conn, key, name, moment))
    return None if found is None else found.symbol


async def find_symbol_as_of(conn: AsyncConnection, key: str | int, name: str, at: datetime) -> Then | None:
    """Return what `get_symbol_as_of` does, with what is known beside it, by a connection."""
    found = await called_then(conn, key, name, at)
    if not found:
        await check_not_pruned(conn, at)
        return None
    symbols = [one.symbol for one in found]
    chosen = the_one(symbols[0].exchange, name, symbols)
    return next(one for one in found if one.symbol is chosen)


async def list_symbols_as_of(
    exchange: Enum | str | int | None,
    at: datetime,
    *,
    base: str | None = None,
    quote: str | None = None,
    kind: SymbolKind | str | None = None,
    tradable: bool | None = True,
    db: DatabaseOrConnection | None = None,
) -> list[Symbol]:
    """Return what `list_symbols` would have returned at `at`, by what is recorded of that time.

    exchange: as in `get_symbol_as_of`; None for all that there are and were.
    tradable: judged by the exchange's row, doubts, holds and imports of then.

    A row that cannot be read is left out, and logged as an error.

    Raises:
        InvalidArgument: `at` has no time zone, or a filter has a value that no symbol can have.
        ExchangeNotFound: no exchange has or ever had this name or id.
        HistoryPruned: what was then was deleted.
    """
    key, moment = None if exchange is None else check_key(exchange), check_moment(at)
    wanted = check_filters(base=base, quote=quote, kind=kind)
    check_tradable(tradable)

    async def work(conn: AsyncConnection) -> list[Symbol]:
        await check_not_pruned(conn, moment)
        found = await all_then(conn, key, moment, wanted)
        if tradable is None:
            return [one.symbol for one in found]
        beside = await circumstances_then(conn, (one.symbol for one in found), moment)
        return [one.symbol for one in found if _stood_open(one, beside, moment) is tradable]

    return await run(db, work)


async def get_symbol_history(
    exchange: Enum | str | int, symbol: str, *, db: DatabaseOrConnection | None = None
) -> list[SymbolVersion]:
    """Return every version of each symbol that ever had this canonical or native name, oldest first.

    exchange: its enum_value or id. A name that no exchange has any more stands for the one that had it last. Each
        version has the name of the exchange at its beginning.

    Empty where none had. Raises ExchangeNotFound and AmbiguousSymbol as `get_symbol_as_of` does.
    """
    key, name = check_key(exchange), check_name(symbol)

    async def work(conn: AsyncConnection) -> list[SymbolVersion]:
        async def fetch(of: str | int, spelling: str) -> list[SymbolVersion]:
            exchange_id, enum_value = (of, None) if isinstance(of, int) else (None, of)
            rows = AsyncQuerier(conn).list_symbol_versions(
                symbol=spelling, exchange_id=exchange_id, exchange=enum_value
            )
            return readable([row async for row in rows], _version)

        found = await fetch(key, name)
        if not found:
            exchange_id = await exchange_id_then(conn, key, LAST)
            spelling = await spelled_then(conn, exchange_id, name, None)
            found = await fetch(exchange_id, spelling)
        return found

    return await run(db, work)


async def diff_symbols(
    exchange: Enum | str | int,
    since: datetime | tuple[int, str] | str,
    until: datetime | None = None,
    *,
    db: DatabaseOrConnection | None = None,
) -> SymbolDiff:
    """Return what changed in an exchange's symbols, in whatever state, after `since` and up to `until`.

    exchange: by the enum_value that it had at `until`, or its id; else as in `get_symbol_as_of`.
    since: a time; or a position in the log of changes, such as a registry's, or EPOCH:TOKEN as text. From a position on
        nothing is waited for: the changes are those that became visible after it, in the order of commits, up to now.
    until: by default the time of the server, which is never before the newest change.

    It waits for an import that runs, and keeps others waiting meanwhile; on a Transaction, until that ends. Changes
    that somebody makes by a statement of his own, past the lock, hold from that statement on, and show when it is
    committed.

    Raises:
        InvalidArgument: one of them has no time zone, or `since` lies after `until`; or the transaction is REPEATABLE
            READ or stricter, and so may not see what holds already; or a position has an `until`, or is none.
        ExchangeNotFound: no exchange has or ever had this name or id.
        HistoryPruned: what was at `since` was deleted; or the position is not in the log of changes, or everything has
            changed at once since.
    """
    if isinstance(since, str | tuple):
        if until is not None:
            raise InvalidArgument("from a position of the log on the end is now: leave out until", field="until")
        return await _diff_since(check_key(exchange), check_position(since), db)
    key, first = check_key(exchange), check_moment(since, "since")
    last = None if until is None else check_moment(until, "until")
    if last is not None:
        _check_order(first, last)

    async def work(conn: AsyncConnection) -> SymbolDiff:
        querier = AsyncQuerier(conn)
        await check_not_pruned(conn, first)
        exchange_id = await exchange_id_then(conn, key, last or LAST)
        await querier.lock_symbols_shared(lock_class=LOCK_CLASS, exchange_id=exchange_id)
        newest = await querier.get_newest_symbol_moment(exchange_id=exchange_id)
        assert newest is not None  # a SELECT without FROM always gives one row
        if newest.isolation not in READS_ALL:
            raise InvalidArgument(
                f"diff_symbols needs a READ COMMITTED transaction: one that is {newest.isolation.upper()} does not see "
                "what is committed while it waits",
                field="db",
            )
        end = newest.moment if last is None else last
        _check_order(first, end)
        rows = [row async for row in querier.list_changed_symbol_rows(exchange_id=exchange_id, since=first, until=end)]
        if not rows:
            await check_known(conn, exchange_id)
        before = readable((row for row in rows if not row.is_after), _state)
        after = readable((row for row in rows if row.is_after), _state)
        return SymbolDiff(since=first, until=end, changes=find_changes_between(before, after))

    return await run_in_transaction(db, work, readonly=True)


async def _diff_since(key: str | int, position: tuple[int, str], db: DatabaseOrConnection | None) -> SymbolDiff:
    async def work(conn: AsyncConnection) -> SymbolDiff:
        exchange_id = await exchange_id_then(conn, key, LAST)
        found = await find_changes_since(conn, exchange_id, position)
        if not found.changes:
            await check_known(conn, exchange_id)
        return SymbolDiff(since=found.began_at, until=found.asked_at, changes=found.changes, position=found.reached)

    return await run_in_transaction(db, work, readonly=True)


def _check_order(first: datetime, last: datetime) -> None:
    if first > last:
        raise InvalidArgument(f"since, {first.isoformat()}, lies after until, {last.isoformat()}", field="since")


def _stood_open(one: Then, beside: Circumstances, at: datetime) -> bool:
    return is_tradable(
        one.symbol,
        at,
        exchange_active=one.exchange_known and one.exchange_active,
        observed_at=beside.confirmed_at(one.symbol),
        doubtful=one.doubtful,
        holds=beside.holds(one.symbol),
    )


def _version(row: ListSymbolVersionsRow) -> SymbolVersion:
    return SymbolVersion(
        spec_version=row.spec_version,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        operation=row.operation,
        ended_by=row.ended_by,
        application_name=row.application_name,
        symbol=from_database(row, Symbol),
    )


def _state(row: ListChangedSymbolRowsRow) -> Symbol:
    return from_database(row, Symbol)
