"""What symbols were: as the database knew them at a time, every version of one, and what changed between two times."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.database.rows import from_database_json
from exchanges_db.moments import check_moment, check_period
from exchanges_db.symbols.changes import SymbolChange, find_changes_between
from exchanges_db.symbols.look_ups import check_exchange, check_name
from exchanges_db.symbols.models import Symbol, SymbolVersion
from exchanges_sql.symbol_history import AsyncQuerier

T = TypeVar("T")
_decoder = msgspec.json.Decoder(Symbol)


async def get_symbol_as_of(
    exchange: Enum | str, symbol: str, at: datetime, *, db: DatabaseOrConnection | None = None
) -> Symbol | None:
    """Return the symbol as the database knew it at `at`, by its canonical or native name; None when it knew none.

    Raises InvalidArgument when `at` has no time zone.
    """
    place, name, moment = check_exchange(exchange), check_name(symbol), check_moment(at)
    spec = await run(db, lambda conn: AsyncQuerier(conn).get_symbol_row_as_of(at=moment, exchange=place, symbol=name))
    return None if spec is None else _symbol(spec)


async def list_symbols_as_of(
    exchange: Enum | str, at: datetime, *, db: DatabaseOrConnection | None = None
) -> list[Symbol]:
    """Return every symbol of an exchange, in whatever state, as the database knew them at `at`, by name.

    Raises InvalidArgument when `at` has no time zone.
    """
    place, moment = check_exchange(exchange), check_moment(at)

    async def work(conn: AsyncConnection) -> list[Symbol]:
        return [_symbol(spec) async for spec in AsyncQuerier(conn).list_symbol_rows_as_of(at=moment, exchange=place)]

    return await run(db, work)


async def get_symbol_history(
    exchange: Enum | str, symbol: str, *, db: DatabaseOrConnection | None = None
) -> list[SymbolVersion]:
    """Return every version of what bore this canonical or native name, oldest first; empty where nothing did."""
    place, name = check_exchange(exchange), check_name(symbol)

    async def work(conn: AsyncConnection) -> list[SymbolVersion]:
        return [
            SymbolVersion(
                spec_version=row.spec_version,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                operation=row.operation,
                ended_by=row.ended_by,
                application_name=row.application_name,
                symbol=_symbol(row.spec),
            )
            async for row in AsyncQuerier(conn).list_symbol_versions(exchange=place, symbol=name)
        ]

    return await run(db, work)


async def diff_symbols(
    exchange: Enum | str, since: datetime, until: datetime | None = None, *, db: DatabaseOrConnection | None = None
) -> tuple[SymbolChange, ...]:
    """Return what changed in an exchange's symbols from `since` to `until`, which is now by default.

    Raises InvalidArgument when one of them has no time zone, or `since` lies after `until`.
    """
    first, last = check_period(since, until)
    before = await list_symbols_as_of(exchange, first, db=db)
    after = await list_symbols_as_of(exchange, last, db=db)
    return find_changes_between(before, after)


async def get_symbol_state(symbol_id: int, at: datetime, *, db: DatabaseOrConnection | None = None) -> Symbol | None:
    """Return the symbol with this id as it stood at `at`; None when there was none."""
    moment = check_moment(at)
    spec = await run(db, lambda conn: AsyncQuerier(conn).get_symbol_row_by_id_as_of(symbol_id=symbol_id, at=moment))
    return None if spec is None else _symbol(spec)


def _symbol(spec: str) -> Symbol:
    return from_database_json(spec, _decoder)
