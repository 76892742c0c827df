"""The checks of a validation that write: each in a transaction that is rolled back, on a row of its own.

The row gets a free negative id. An id from the sequence would be used up even by a rolled-back insert, and a validation
a minute would spend all 32,767 in three weeks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

from exchanges_db.database.default import run
from exchanges_db.database.pool import Database, Isolation, Transaction, Work
from exchanges_db.errors import Conflict, ConstraintViolated, InvalidExchange, shown
from exchanges_db.exchanges.enums import ChangeOperation, MarketType
from exchanges_db.exchanges.history import get_exchange_history
from exchanges_db.exchanges.look_ups import (
    activate_exchange,
    deactivate_exchange,
    get_all_exchanges,
    get_exchange_by_enum,
    get_exchange_by_id,
    get_exchanges_by_market_type,
    update_exchange,
)
from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.exchanges.rules import CHECKS
from exchanges_db.validation.checks import CheckFailed, Context, expect
from exchanges_sql.exchanges import AsyncQuerier, InsertProbeExchangeParams, UpdateExchangeParams

T = TypeVar("T")

_NAME = "exchanges_db validation"
_OTHER_NAME = "exchanges_db validation, second row"
_NOT_NULL = "23502"


class Probe(NamedTuple):
    """A row that exists only in its transaction, and the id of another that would be free."""

    transaction: Transaction
    id: int
    free_id: int

    async def read(self) -> StoredExchange:
        """Return the row."""
        exchange = await get_exchange_by_id(self.id, db=self.transaction)
        if exchange is None:
            raise CheckFailed("a row that was inserted cannot be found")
        return exchange


def probe_row(exchange_id: int, name: str = _NAME, enum_value: str = _NAME) -> InsertProbeExchangeParams:
    """Return the row to insert."""
    return InsertProbeExchangeParams(
        id=exchange_id, name=name, enum_value=enum_value, display_name=_NAME, market_type=MarketType.SPOT.value
    )


@asynccontextmanager
async def discarded_probe(database: Database, isolation: Isolation = "read_committed") -> AsyncIterator[Probe]:
    """Insert a row in a transaction that is rolled back at the end.

    Two validations at the same time take turns here: the second waits for the id until the first has rolled back.
    """
    async with database.transaction(isolation=isolation) as transaction:
        transaction.discard()
        taken = {exchange.id for exchange in await get_all_exchanges(db=transaction)}
        free = (number for number in range(-1, -(2**15), -1) if number not in taken)
        probe = Probe(transaction, next(free), next(free))
        await run(transaction, _insert(probe_row(probe.id)))
        yield probe


class BadValue(NamedTuple):
    """A value that a constraint refuses; where no constraint is named, that NOT NULL refuses."""

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
# A second row that takes over one value of the first.
DUPLICATES = {"exchange_id": "exchanges_pkey", "name": "exchanges_name_key", "enum_value": "exchanges_enum_value_key"}


async def check_constraints(context: Context) -> str:
    """The database refuses by itself what it should, whatever the code in front of it lets through."""
    async with discarded_probe(context.database) as probe:
        for bad in BAD_VALUES:
            work = _update(probe.id, bad.field, bad.value)
            await _expect_refused(probe, work, bad.constraint, f"{bad.field} = {shown(bad.value)}")
        first = {"exchange_id": probe.id, "name": _NAME, "enum_value": _NAME}
        second = {"exchange_id": probe.free_id, "name": _OTHER_NAME, "enum_value": _OTHER_NAME}
        for field, constraint in DUPLICATES.items():
            work = _insert(probe_row(**{**second, field: first[field]}))  # type: ignore[arg-type]  # field by field
            await _expect_refused(probe, work, constraint, f"a second row with the same {field}")
    return f"{len(BAD_VALUES) + len(DUPLICATES)} bad writes refused, each by the constraint that is there for it"


def _insert(row: InsertProbeExchangeParams) -> Work[int | None]:
    return lambda conn: AsyncQuerier(conn).insert_probe_exchange(row)


def _update(exchange_id: int, field: str, value: Any) -> Work[int | None]:
    # The generated function, since update_exchange would refuse the value before it reaches the database.
    values = {**dict.fromkeys(CHECKS), field: value}
    parameters = UpdateExchangeParams(fields=[field], **values, id=exchange_id, if_version=None)
    return lambda conn: AsyncQuerier(conn).update_exchange(parameters)


async def _expect_refused(probe: Probe, work: Work[Any], constraint: str | None, what: str) -> None:
    # A refused statement spoils its transaction: go back to a savepoint.
    savepoint = probe.transaction.connection.transaction()
    await savepoint.start()
    refused = None
    try:
        await run(probe.transaction, work)
    except ConstraintViolated as exc:
        refused = exc
    finally:
        await savepoint.rollback()
    rule = constraint or "NOT NULL"
    if refused is None:
        raise CheckFailed(f"{rule} let pass {what}")
    by_rule = refused.constraint == constraint if constraint else refused.sqlstate == _NOT_NULL
    expect(by_rule, f"not {rule} but {refused.constraint or refused.sqlstate} refused {what}")


async def check_crud(context: Context) -> str:
    """Insert, read, update, deactivate, activate, conflict and history work together, and leave nothing behind."""
    async with discarded_probe(context.database) as probe:
        db, exchange_id = probe.transaction, probe.id
        versions = [await probe.read()]
        expect(
            await update_exchange(exchange_id, {"display_name": "changed"}, if_version=1, db=db), "update found no row"
        )
        versions.append(await probe.read())
        expect(versions[-1].display_name == "changed", "an update was not stored")
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


async def _expect_history(probe: Probe) -> None:
    changes = await get_exchange_history(probe.id, db=probe.transaction)
    # Of a row that had this id before there may be older ones.
    recorded = [(change.operation, change.version, change.changed_columns) for change in changes[-4:]]
    made = [
        (ChangeOperation.INSERT, 1, ()),
        (ChangeOperation.UPDATE, 2, ("display_name",)),
        (ChangeOperation.UPDATE, 3, ("is_active",)),
        (ChangeOperation.UPDATE, 4, ("is_active",)),
    ]
    expect(recorded == made, "the history does not tell what was done")


# Short enough for every column, so that most of them reach the database.
HOSTILE_TEXTS = (
    "'",
    "''",
    '"',
    "' OR '1'='1",
    "'; DROP TABLE public.exchanges; --",
    "'; UPDATE public.exchanges SET is_active=false; --",
    "MEXC_SPOT' --",
    "MEXC_SPOT'/*",
    "*/ UNION SELECT 1 --",
    "x'; COMMIT; DELETE FROM public.exchanges; --",
    "1; SELECT pg_sleep(60)",
    "$$; DROP TABLE public.exchanges; $$",
    "$1",
    ":p1",
    "\\",
    "\\'; DELETE FROM public.exchanges; --",
    "%",
    "_",
    "%s %(name)s {0}",
    "MEXC_SPOT\x00",
    "MEXC_SPOT\n;",
    "\uff07 OR 1=1 --",
    "\u02bc OR 1=1 --",
    "\u202e\u200b",
    "is_active = false, name",
)


async def check_injection(context: Context) -> str:
    """Text that looks like SQL is a value and nothing else, in look-ups, as a field's name and as its value."""
    async with discarded_probe(context.database, "repeatable_read") as probe:
        db = probe.transaction
        before = [row for row in await get_all_exchanges(db=db) if row.id != probe.id]
        for text in HOSTILE_TEXTS:
            await _expect_no_injection(probe, text)
        # In a snapshot of its own, so that only this transaction can have changed what it sees.
        after = [row for row in await get_all_exchanges(db=db) if row.id != probe.id]
        expect(after == before, "other rows were changed")
    return f"{len(HOSTILE_TEXTS)} hostile texts, each as look-up, market type, field name and value"


async def _expect_no_injection(probe: Probe, text: str) -> None:
    db, what = probe.transaction, shown(text)
    found = await _unless_refused(get_exchange_by_enum(text, db=db))
    expect(found is None, f"looking up {what} finds an exchange")
    of_type = await _unless_refused(get_exchanges_by_market_type(text, db=db))
    expect(of_type is None, f"{what} was taken as a market type")
    named = await _unless_refused(update_exchange(probe.id, {text: "x"}, db=db))
    expect(named is None, f"{what} was taken as a field")
    if await _unless_refused(update_exchange(probe.id, {"display_name": text}, db=db)):
        expect((await probe.read()).display_name == text, f"{what} was not stored as it is")


async def _unless_refused(call: Awaitable[T]) -> T | None:
    try:
        return await call
    except InvalidExchange:
        return None
