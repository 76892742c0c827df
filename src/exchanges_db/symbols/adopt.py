"""Move in: take the exchanges and symbols of another schema over, with the ids that other tables refer to.

What is brought along is known by name only, until a list gives it its rules.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

import msgspec
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run_in_transaction
from exchanges_db.errors import AdoptionRefused, InvalidArgument, shown
from exchanges_db.events import event
from exchanges_db.exchanges.defaults import CATALOGUE
from exchanges_db.exchanges.models import Exchange
from exchanges_db.exchanges.names import check_exchange
from exchanges_db.exchanges.rules import CHECKS, SMALLINT_MAX
from exchanges_db.symbols.adoption import (
    AdoptedExchange,
    ExchangeStep,
    OurExchange,
    TakenSymbol,
    match_exchanges,
    plan_exchanges,
    plan_symbols,
)
from exchanges_db.symbols.import_lock import LOCK_CLASS, check_isolation
from exchanges_db.symbols.models import NamedSymbol
from exchanges_db.symbols.old_rows import check_columns, read_exchanges, read_symbols
from exchanges_sql.adopt import AsyncQuerier, InsertKeptExchangeParams, InsertNamedSymbolsParams
from exchanges_sql.exchanges import AsyncQuerier as ExchangeQuerier
from exchanges_sql.symbol_import import AsyncQuerier as ImportQuerier

log = logging.getLogger("exchanges_db")

_ROWS_PER_STATEMENT = 10_000


class AdoptionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an adoption has done, or would do.

    Attributes:
        applied: False for a trial.
        exchanges: what becomes of each exchange that is concerned.
        symbols: those that are brought along, known by name only.
        known: how many were here already, under the same id and name.
        notes: what is worth knowing, though it stops nothing.
    """

    applied: bool
    exchanges: tuple[AdoptedExchange, ...]
    symbols: tuple[NamedSymbol, ...]
    known: int
    notes: tuple[str, ...] = ()


async def adopt_symbols(
    schema: str,
    *,
    exchanges_table: str = "exchanges",
    symbols_table: str = "symbols",
    columns: Mapping[str, str] | None = None,
    exchanges: Mapping[str, Enum | str] | None = None,
    dry_run: bool = True,
    db: DatabaseOrConnection | None = None,
) -> AdoptionReport:
    """Take over the exchanges and symbols of another schema's tables, or views, and keep their ids.

    A symbol is brought along by name only: it has an id for foreign keys and no rules, until the first import of a list
    that has it. Exchanges are ours already, or are added; where an id differs, ours gets theirs, if nothing goes by it
    yet. What is here under the same id and name is left alone, so that a second run changes nothing.

    schema: where their tables are; `exchanges_table`, `symbols_table`: what they are called.
    columns: where a column of theirs is called otherwise, by our name: id, exchange_id, native_symbol, base, quote;
        exchange.id, exchange.name, exchange.enum_value for the other table.
    exchanges: which of ours is meant by a name, enum_value or id of theirs, where the names do not tell.
    dry_run: only tell what would be done; the default.

    All or nothing, in one transaction. It waits for imports, and they for it.

    Raises:
        AdoptionRefused: something stands in the way; `.problems` has all of it. Nothing was written.
        InvalidArgument: an argument is unusable, or there is no such table; `.field` names it.
        ConstraintViolated: a table of yours refers to a row of `exchanges` whose id would change.
    """
    wanted = check_columns(columns or {})
    chosen = _chosen(exchanges or {})
    for field, name in (("schema", schema), ("exchanges_table", exchanges_table), ("symbols_table", symbols_table)):
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name.encode()) <= 63:
            raise InvalidArgument(f"{field} must be a name of 1 to 63 bytes, not {shown(name)}", field=field)

    async def work(conn: AsyncConnection) -> AdoptionReport:
        querier = AsyncQuerier(conn)
        if not dry_run:
            await check_isolation(ImportQuerier(conn))
            _ = [row async for row in querier.lock_symbol_imports(lock_class=LOCK_CLASS)]
            await querier.lock_adoption()
        problems: list[str] = []
        rows = await _read_rows(conn, schema, exchanges_table, "exchanges_table")
        old = read_exchanges(rows, wanted, problems)
        ours = [OurExchange(**vars(row)) async for row in querier.list_exchange_uses()]
        places = match_exchanges(old, ours, chosen, problems)
        rows = await _read_rows(conn, schema, symbols_table, "symbols_table")
        old_symbols = read_symbols(rows, wanted, {one.id for one in old}, problems)
        steps = plan_exchanges(old, ours, places, problems)
        ids = [one.id for one in old_symbols]
        names = [(places.get(one.exchange_id, ""), one.native_symbol) for one in old_symbols]
        taken = querier.list_taken_symbols(
            ids=ids, exchanges=[place for place, _ in names], native_symbols=[name for _, name in names]
        )
        new, known = plan_symbols(old_symbols, places, [TakenSymbol(**vars(row)) async for row in taken], problems)
        if problems:
            raise AdoptionRefused(problems)
        report = _report(steps, new, [places[one.exchange_id] for one in known])
        if not dry_run:
            await _apply(conn, steps, new)
        return msgspec.structs.replace(report, applied=not dry_run)

    report = await run_in_transaction(db, work, readonly=dry_run)
    if report.applied:
        count = len(report.symbols)
        log.info("adopted %s symbols of schema %s", count, schema, extra=event("adopted", schema=schema, symbols=count))
    return report


async def _read_rows(conn: AsyncConnection, schema: str, table: str, field: str) -> list[str]:
    """Return the rows of a table that a user has named, each as a JSON document."""
    querier = AsyncQuerier(conn)
    found = await querier.get_foreign_table(schema_name=schema, table_name=table)
    place = shown(f"{schema}.{table}")
    if found is None:
        raise InvalidArgument(f"there is no table {place}", field=field)
    if found.is_ours:
        raise InvalidArgument(f"{place} is our own table: name the schema that holds yours", field=field)
    if not found.is_readable:
        raise InvalidArgument(f"the database role may not read {place}: grant it that right", field=field)
    query = await querier.get_foreign_rows_query(schema_name=schema, table_name=table)
    assert query is not None  # a SELECT without FROM always gives one row
    # With a header as sqlc writes it; a colon would begin the name of a parameter.
    text = f"-- name: list_foreign_rows :many\n{query}".replace(":", r"\:")
    rows = await conn.execute(sqlalchemy.text(text))
    return [str(row[0]) for row in rows]


async def _apply(conn: AsyncConnection, steps: Sequence[AdoptedExchange], new: Sequence[NamedSymbol]) -> None:
    querier = AsyncQuerier(conn)
    present = {row.enum_value: row async for row in ExchangeQuerier(conn).list_exchanges()}
    moved = [step for step in steps if step.step is not ExchangeStep.KEPT]
    leaving = [step.previous_id for step in moved if step.previous_id is not None]
    if leaving:
        await querier.delete_exchanges(ids=leaving)
    for step in moved:
        row = present.get(step.exchange)
        source = row or Exchange.from_exchange_enum(step.exchange, **CATALOGUE[step.exchange])
        fields = {field: getattr(source, field) for field in CHECKS if field not in ("id", "version")}
        await querier.insert_kept_exchange(InsertKeptExchangeParams(id=step.id, **fields))
    for part in _parts(new):
        await querier.insert_named_symbols(
            InsertNamedSymbolsParams(
                ids=[one.id for one in part],
                exchange_ids=[one.exchange_id for one in part],
                native_symbols=[one.native_symbol for one in part],
                bases=[one.base for one in part],
                quotes=[one.quote for one in part],
            )
        )
    # Last: what a sequence has given is not taken back when a transaction is.
    await querier.set_id_sequences()


def _parts(symbols: Sequence[NamedSymbol]) -> Iterator[Sequence[NamedSymbol]]:
    for start in range(0, len(symbols), _ROWS_PER_STATEMENT):
        yield symbols[start : start + _ROWS_PER_STATEMENT]


def _report(steps: Sequence[AdoptedExchange], new: Sequence[NamedSymbol], known: Sequence[str]) -> AdoptionReport:
    coming, here = Counter(one.exchange for one in new), Counter(known)
    notes = []
    if any(step.id == SMALLINT_MAX for step in steps):
        notes.append(f"exchange id {SMALLINT_MAX} is the last that there is: no exchange can be added after it")
    return AdoptionReport(
        applied=False,
        exchanges=tuple(
            msgspec.structs.replace(step, symbols=coming[step.exchange], known=here[step.exchange]) for step in steps
        ),
        symbols=tuple(new),
        known=len(known),
        notes=tuple(notes),
    )


def _chosen(exchanges: Mapping[str, Enum | str]) -> dict[str, str]:
    if not isinstance(exchanges, Mapping) or not all(isinstance(key, str) for key in exchanges):
        raise InvalidArgument("exchanges must map names of theirs to exchanges of ours", field="exchanges")
    return {key: check_exchange(exchange) for key, exchange in exchanges.items()}
