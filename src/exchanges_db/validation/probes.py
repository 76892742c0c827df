"""The checks of a validation that write exchanges: each on a row of its own, in a transaction that is rolled back.

The row gets a free negative id, because even a rolled-back insert uses up an id of the sequence: with a validation per
minute, all 32,767 would be gone in three weeks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from exchanges_db.database.default import run
from exchanges_db.database.pool import Database
from exchanges_db.database.transactions import Transaction, Work
from exchanges_db.errors import Conflict, ConstraintViolated, InvalidExchange, shown
from exchanges_db.exchanges.enums import ChangeOperation, MarketType
from exchanges_db.exchanges.history import get_exchange_history
from exchanges_db.exchanges.look_ups import (
    activate_exchange,
    deactivate_exchange,
    get_all_exchanges,
    get_exchange_by_enum,
    get_exchange_by_id,
    update_exchange,
)
from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.exchanges.rules import CHECKS
from exchanges_db.validation.checks import CheckFailed, Context, expect
from exchanges_sql.exchanges import AsyncQuerier, InsertProbeExchangeParams, UpdateExchangeKeysParams

_NAME = "exchanges_db validation"
_OTHER_NAME = "exchanges_db validation, second row"
_NOT_NULL = "23502"


class Probe(NamedTuple):
    """A row that exists only in its transaction, and another id that is free."""

    transaction: Transaction
    id: int
    free_id: int

    async def read(self) -> StoredExchange:
        """Return the row."""
        exchange = await get_exchange_by_id(self.id, db=self.transaction)
        if exchange is None:
            raise CheckFailed("a row that was inserted is not found")
        return exchange


def probe_row(exchange_id: int, name: str = _NAME, enum_value: str = _NAME) -> InsertProbeExchangeParams:
    """Return the row to insert."""
    return InsertProbeExchangeParams(
        id=exchange_id, name=name, enum_value=enum_value, display_name=_NAME, market_type=MarketType.SPOT.value
    )


@asynccontextmanager
async def discarded_probe(database: Database) -> AsyncIterator[Probe]:
    """Insert a row in a transaction that is rolled back at the end.

    Two validations at the same time take turns here: the second waits for the id until the first has rolled back.
    """
    async with database.transaction() as transaction:
        transaction.discard()
        taken = {exchange.id for exchange in await get_all_exchanges(db=transaction)}
        free = (number for number in range(-1, -(2**15), -1) if number not in taken)
        probe = Probe(transaction, next(free), next(free))
        await run(transaction, _insert(probe_row(probe.id)))
        yield probe


class BadValue(NamedTuple):
    """A value that a constraint refuses; without the name of one, a value that NOT NULL refuses."""

    field: str
    value: Any
    constraint: str | None = None


BAD_VALUES = (
    BadValue("name", " ", "exchanges_name_printable"),
    BadValue("name", "a\nb", "exchanges_name_printable"),
    BadValue("enum_value", "a\x1b[2J", "exchanges_enum_value_printable"),
    BadValue("display_name", "", "exchanges_display_name_printable"),
    BadValue("market_type", "spot", "exchanges_market_type_known"),
    BadValue("base_url", "javascript:alert(1)", "exchanges_base_url_scheme"),
    BadValue("websocket_url", "https://example.com", "exchanges_websocket_url_scheme"),
    BadValue("rate_limit_requests_per_second", 0, "exchanges_rate_limit_positive"),
    BadValue("precision_default", 19, "exchanges_precision_default_range"),
    BadValue("precision_default", -1, "exchanges_precision_default_range"),
    BadValue("name", None),
    BadValue("enum_value", None),
    BadValue("display_name", None),
    BadValue("market_type", None),
    BadValue("is_active", None),
    BadValue("precision_default", None),
)
# What a second row may not have in common with the first, and the constraint that refuses it.
DUPLICATES = {"exchange_id": "exchanges_pkey", "name": "exchanges_name_key", "enum_value": "exchanges_enum_value_key"}


async def check_constraints(context: Context) -> str:
    """The database itself refuses bad rows, without the checks in Python."""
    async with discarded_probe(context.database) as probe:
        for bad in BAD_VALUES:
            work = _update(probe.id, bad.field, bad.value)
            await expect_refused(probe.transaction, work, bad.constraint, f"{bad.field} = {shown(bad.value)}")
        first = {"exchange_id": probe.id, "name": _NAME, "enum_value": _NAME}
        second = {"exchange_id": probe.free_id, "name": _OTHER_NAME, "enum_value": _OTHER_NAME}
        for field, constraint in DUPLICATES.items():
            work = _insert(probe_row(**{**second, field: first[field]}))  # type: ignore[arg-type]  # field by field
            await expect_refused(probe.transaction, work, constraint, f"a second row with the same {field}")
    return f"{len(BAD_VALUES) + len(DUPLICATES)} bad writes refused, each by the constraint meant for it"


def _insert(row: InsertProbeExchangeParams) -> Work[int | None]:
    return lambda conn: AsyncQuerier(conn).insert_probe_exchange(row)


def _update(exchange_id: int, field: str, value: Any) -> Work[int | None]:
    # Through the generated function, because update_exchange would refuse the value before it reaches the database.
    values = {**dict.fromkeys(CHECKS), field: value}
    parameters = UpdateExchangeKeysParams(fields=[field], **values, id=exchange_id, if_version=None)
    return lambda conn: AsyncQuerier(conn).update_exchange_keys(parameters)


async def expect_refused(transaction: Transaction, work: Work[Any], constraint: str | None, what: str) -> None:
    """Raise CheckFailed unless `work` is refused by `constraint`; None means by NOT NULL. The transaction goes on."""
    # After a refused statement a transaction takes no other, so each gets a savepoint to go back to.
    savepoint = transaction.connection.transaction()
    await savepoint.start()
    refused = None
    try:
        await run(transaction, work)
    except ConstraintViolated as exc:
        refused = exc
    finally:
        await savepoint.rollback()
    rule = constraint or "NOT NULL"
    if refused is None:
        raise CheckFailed(f"{rule} did not refuse {what}")
    by_rule = refused.constraint == constraint if constraint else refused.sqlstate == _NOT_NULL
    expect(by_rule, f"{what} was refused by {refused.constraint or refused.sqlstate}, not by {rule}")


# SQL where a value and where a field's name belongs. This is a spot check; the tests try many more texts.
HOSTILE_VALUE = "'; DROP TABLE public.exchanges; --"
HOSTILE_FIELD = "is_active = false, display_name"


async def check_crud(context: Context) -> str:
    """Insert, read, update, deactivate, activate, conflict and history work together, and leave nothing behind."""
    async with discarded_probe(context.database) as probe:
        db, exchange_id = probe.transaction, probe.id
        versions = [await probe.read()]
        expect(
            await update_exchange(exchange_id, {"display_name": HOSTILE_VALUE}, if_version=1, db=db),
            "update found no row",
        )
        versions.append(await probe.read())
        expect(versions[-1].display_name == HOSTILE_VALUE, "an update was not stored as it is")
        expect(await get_exchange_by_enum(HOSTILE_VALUE, db=db) is None, "looking up SQL finds an exchange")
        await deactivate_exchange(exchange_id, db=db)
        versions.append(await probe.read())
        expect(await get_exchange_by_enum(_NAME, db=db) is None, "an inactive exchange is still found")
        await activate_exchange(exchange_id, db=db)
        versions.append(await probe.read())
        expect(await get_exchange_by_enum(_NAME, db=db) == versions[-1], "an active exchange is not found")
        expect([row.version for row in versions] == [1, 2, 3, 4], "the version does not rise with every change")
        times = [row.updated_at for row in versions if row.updated_at]
        expect(times == sorted(set(times)), "updated_at does not rise with every change")
        await _expect_conflict(probe)
        await _expect_field_refused(probe)
        await _expect_history(probe)
    left = await get_exchange_by_id(probe.id, db=context.database)
    expect(left is None, "the row was not rolled back")
    return "insert (no id used up), read, update, deactivate, activate, conflict, history; nothing left behind"


async def _expect_conflict(probe: Probe) -> None:
    try:
        await update_exchange(probe.id, {"display_name": "too late"}, if_version=1, db=probe.transaction)
    except Conflict:
        return
    raise CheckFailed("an update with an old if_version was not refused")


async def _expect_field_refused(probe: Probe) -> None:
    try:
        await update_exchange(probe.id, {HOSTILE_FIELD: "x"}, db=probe.transaction)
    except InvalidExchange:
        return
    raise CheckFailed("SQL was accepted as the name of a field")


async def _expect_history(probe: Probe) -> None:
    changes = await get_exchange_history(probe.id, db=probe.transaction)
    # There may be older changes, of an earlier row with this id.
    recorded = [(change.operation, change.version, change.changed_columns) for change in changes[-4:]]
    made = [
        (ChangeOperation.INSERT, 1, ()),
        (ChangeOperation.UPDATE, 2, ("display_name",)),
        (ChangeOperation.UPDATE, 3, ("is_active",)),
        (ChangeOperation.UPDATE, 4, ("is_active",)),
    ]
    expect(recorded == made, "the history does not tell what was done")
