"""Insert the exchanges of an Enum that the database lacks; safe when many processes do it at once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from enum import Enum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run, run_in_transaction
from exchanges_db.errors import DuplicateExchange, InvalidExchange, shown
from exchanges_db.events import event
from exchanges_db.exchanges.defaults import CATALOGUE
from exchanges_db.exchanges.enums import ExchangeEnum, enum_members, enum_text
from exchanges_db.exchanges.look_ups import as_exchange
from exchanges_db.exchanges.models import Exchange, StoredExchange
from exchanges_db.exchanges.rules import DATABASE_CHECKS
from exchanges_sql.exchanges import AsyncQuerier, InsertMissingExchangesParams

log = logging.getLogger("exchanges_db")


async def ensure_exchanges_populated(
    exchanges: type[Enum] = ExchangeEnum,
    *,
    defaults: Mapping[Any, Mapping[str, Any]] | None = None,
    db: DatabaseOrConnection | None = None,
) -> list[StoredExchange]:
    """Insert a row for each member of an Enum that has none, and return the new rows.

    Compares with all rows, active or not: a deactivated exchange stays as it is. Writes nothing when none is missing.

    exchanges: ExchangeEnum, or an Enum of your own whose members stand for texts of `enum_value`.
    defaults: the fields of a new row, by member or by its text. A member that `Exchange.from_exchange_enum` has no
        defaults for needs at least display_name and market_type.

    Raises:
        InvalidExchange: a member has no defaults, one of its fields is unusable, or a key of `defaults` is no member.
        DuplicateExchange: a missing exchange's name is taken by a row with another enum_value; then none is created.
    """
    wanted = _wanted(exchanges, defaults or {})

    async def missing(conn: AsyncConnection) -> list[Exchange]:
        present = {value async for value in AsyncQuerier(conn).list_present_enum_values(enum_values=list(wanted))}
        return [exchange for value, exchange in wanted.items() if value not in present]

    absent = await run(db, missing)
    if not absent:
        return []
    # In sqlc's types an array parameter holds no NULL: '' and 0, which no row may have, stand for it.
    parameters = InsertMissingExchangesParams(
        names=[exchange.name for exchange in absent],
        enum_values=[exchange.enum_value for exchange in absent],
        display_names=[exchange.display_name for exchange in absent],
        market_types=[exchange.market_type for exchange in absent],
        are_active=[exchange.is_active for exchange in absent],
        base_urls=[exchange.base_url or "" for exchange in absent],
        websocket_urls=[exchange.websocket_url or "" for exchange in absent],
        rate_limits=[exchange.rate_limit_requests_per_second or 0 for exchange in absent],
        precision_defaults=[exchange.precision_default for exchange in absent],
    )

    # One sorted statement: inserting row by row, two processes could deadlock.
    async def insert(conn: AsyncConnection) -> list[StoredExchange]:
        created = [as_exchange(row) async for row in AsyncQuerier(conn).insert_missing_exchanges(parameters)]
        # Another process may have been faster, which is fine; a name that another exchange has is not.
        blocked = await missing(conn) if len(created) < len(absent) else []
        if blocked:
            names = ", ".join(exchange.name for exchange in blocked)
            raise DuplicateExchange(
                f"cannot create {names}: rows with another enum_value have that name; rename them first",
                constraint="exchanges_name_key",
            )
        return created

    created = await run_in_transaction(db, insert)
    for exchange in created:
        told = event("exchange_created", exchange=exchange.enum_value, exchange_id=exchange.id)
        log.info("created exchange %s with id %s", exchange.name, exchange.id, extra=told)
    return created


def _wanted(kind: type[Enum], defaults: Mapping[Any, Mapping[str, Any]]) -> dict[str, Exchange]:
    """Return an Exchange for each member, by enum_value."""
    members = {enum_text(member): member for member in enum_members(kind)}
    if not isinstance(defaults, Mapping) or not all(isinstance(fields, Mapping) for fields in defaults.values()):
        raise InvalidExchange("defaults must map each member to a mapping of its fields", field="defaults")
    given = {enum_text(key): fields for key, fields in defaults.items()}
    if len(given) < len(defaults):
        raise InvalidExchange("defaults name one member twice: by itself and by its text", field="defaults")
    strange = sorted(given.keys() - members.keys())
    if strange:
        raise InvalidExchange(
            f"defaults are given for {', '.join(strange)}, which {kind.__name__} does not have", field="defaults"
        )
    wanted = {}
    for text, member in members.items():
        fields = dict(given.get(text, {}))
        own = sorted(fields.keys() & {"enum_value", *DATABASE_CHECKS})
        if own:
            raise InvalidExchange(f"defaults of {shown(member)} cannot set {', '.join(own)}", field=own[0])
        lacking = [
            field for field in ("display_name", "market_type") if field not in {**CATALOGUE.get(text, {}), **fields}
        ]
        if lacking:
            raise InvalidExchange(
                f"{shown(member)} is not known here: pass defaults={{{shown(member)}: {{...}}}} "
                f"with {' and '.join(lacking)}",
                field=lacking[0],
            )
        wanted[text] = Exchange.from_exchange_enum(member, **fields)
    names = Counter(exchange.name for exchange in wanted.values())
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise InvalidExchange(f"defaults give several members the name {', '.join(map(shown, twice))}", field="name")
    return wanted
