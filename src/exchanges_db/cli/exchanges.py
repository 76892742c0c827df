"""The commands on exchanges: list, show, add, change, history and figures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Any

import typer

from exchanges_db.cli import output, tables
from exchanges_db.cli.commands import command
from exchanges_db.cli.completion import complete_exchange
from exchanges_db.cli.session import parse_time, run
from exchanges_db.database.pool import Database
from exchanges_db.errors import ExchangeNotFound, InvalidExchange, shown
from exchanges_db.exchanges import history, look_ups, populate, stats
from exchanges_db.exchanges.defaults import CATALOGUE
from exchanges_db.exchanges.enums import MarketType
from exchanges_db.exchanges.models import Exchange, ExchangeChange, StoredExchange
from exchanges_db.exchanges.names import pick

app = typer.Typer(rich_markup_mode=None)
ExchangeKey = Annotated[
    str, typer.Argument(metavar="EXCHANGE", help="Its id, enum_value or name.", autocompletion=complete_exchange)
]


async def _find(key: str, database: Database) -> StoredExchange:
    known = await look_ups.get_all_exchanges(db=database)
    # Where the same text is the id of one exchange and the enum_value or name of another, the id wins, then enum_value.
    by_name = {exchange.name: exchange for exchange in known} | {exchange.enum_value: exchange for exchange in known}
    by_id = {str(exchange.id): exchange for exchange in known}
    return by_id.get(key) or by_name[pick(key, {name: name for name in by_name})]


def _change(key: str, change: Callable[[int, Database], Awaitable[bool]]) -> StoredExchange:
    async def work(database: Database) -> StoredExchange:
        exchange = await _find(key, database)
        if not await change(exchange.id, database):
            raise ExchangeNotFound(f"exchange {key!r} was deleted meanwhile")
        return await _find(str(exchange.id), database)

    return run(work, writes=True)


def _assignment(text: str) -> tuple[str, Any]:
    field, equals, value = text.partition("=")
    if not equals:
        raise InvalidExchange(f"{text!r} is not of the form FIELD=VALUE")
    if value == "":
        return field, None
    if field in ("rate_limit_requests_per_second", "precision_default"):
        if not value.isascii() or not value.removeprefix("-").isdigit() or len(value) > 20:
            raise InvalidExchange(f"{field} must be an integer, not {value!r}", field=field)
        return field, int(value)
    if field == "is_active":
        if value.lower() not in ("true", "false"):
            raise InvalidExchange(f"is_active must be true or false, not {value!r}", field=field)
        return field, value.lower() == "true"
    return field, MarketType.parse(value) if field == "market_type" else value


@command(app, "list", example="list --market-type spot --json", lists=True)
def list_(
    every: Annotated[bool, typer.Option("--all", help="List the inactive ones, too.")] = False,
    market_type: Annotated[str | None, typer.Option(help="Only SPOT, FUTURES or OPTIONS; any case.")] = None,
) -> None:
    """List the active exchanges."""
    wanted = None if market_type is None else MarketType.parse(market_type)

    async def work(database: Database) -> list[StoredExchange]:
        if every:
            found = await look_ups.get_all_exchanges(db=database)
            return [exchange for exchange in found if wanted in (None, exchange.market_type)]
        if wanted is not None:
            return await look_ups.get_exchanges_by_market_type(wanted, db=database)
        return await look_ups.get_all_active_exchanges(db=database)

    output.show(run(work), tables.EXCHANGES, nothing="no exchanges")


@command(app, example="show MEXC_SPOT --at 2026-01-31T12:00:00Z")
def show(
    key: ExchangeKey,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="As known then: ISO 8601 with time zone.")] = None,
) -> None:
    """Show one exchange, now or at a time in the past."""
    moment = None if at is None else parse_time(at)

    async def work(database: Database) -> StoredExchange:
        exchange = await _find(key, database)
        if moment is None:
            return exchange
        then = await history.get_exchange_as_of(exchange.id, moment, db=database)
        if then is None:
            raise ExchangeNotFound(f"nothing is known of exchange {key!r} at {moment.isoformat()}")
        return then

    output.show_record(run(work))


@command(app, example="add KRAKEN_SPOT --display-name Kraken --market-type spot --inactive")
def add(
    name: Annotated[str, typer.Argument(help="Unique, at most 50 characters.")],
    market_type: Annotated[
        str | None, typer.Option(help="SPOT, FUTURES or OPTIONS; any case. May be left out for those known here.")
    ] = None,
    enum_value: Annotated[str | None, typer.Option(help="What ExchangeEnum maps to; default: NAME.")] = None,
    display_name: Annotated[str | None, typer.Option(help="For people; default: NAME, or the known one.")] = None,
    base_url: Annotated[str | None, typer.Option(help="http:// or https://")] = None,
    websocket_url: Annotated[str | None, typer.Option(help="ws:// or wss://")] = None,
    rate_limit: Annotated[int | None, typer.Option(help="Requests per second.")] = None,
    precision: Annotated[int | None, typer.Option(help="Decimals, 0 to 18; default: 8.")] = None,
    inactive: Annotated[bool, typer.Option("--inactive", help="Not to be traded yet.")] = False,
) -> None:
    """Add an exchange.

    Known here with all their fields, each of which an option may replace: MEXC_SPOT, GATEIO_SPOT, GATEIO_FUTURES,
    MEXC_FUTURES, GATEIO_OPTIONS.
    """
    known = name if enum_value is None else enum_value
    if market_type is None and known not in CATALOGUE:
        near = [one for one in CATALOGUE if one.casefold() == known.casefold()]
        advice = f"did you mean {near[0]}? " if near else ""
        raise InvalidExchange(
            f"{shown(known)} is not known here: {advice}--market-type is needed for all but {', '.join(CATALOGUE)}",
            field="market_type",
        )
    given = {
        "display_name": display_name if display_name is not None or known in CATALOGUE else name,
        "market_type": None if market_type is None else MarketType.parse(market_type),
        "base_url": base_url,
        "websocket_url": websocket_url,
        "rate_limit_requests_per_second": rate_limit,
        "precision_default": precision,
    }
    fields = {field: value for field, value in given.items() if value is not None}
    exchange = Exchange.from_exchange_enum(known, name=name, is_active=not inactive, **fields)

    async def work(database: Database) -> StoredExchange:
        return await _find(str(await look_ups.insert_exchange(exchange, db=database)), database)

    output.show_record(run(work, writes=True))


@command(app, "set", example="set MEXC_SPOT rate_limit_requests_per_second=50 websocket_url=")
def set_(
    key: ExchangeKey,
    assignments: Annotated[list[str], typer.Argument(metavar="FIELD=VALUE", help="No VALUE clears the field.")],
    if_version: Annotated[int | None, typer.Option(help="Only if the row still has this version.")] = None,
) -> None:
    """Change fields of an exchange."""
    updates: dict[str, Any] = {}
    for field, value in map(_assignment, assignments):
        if field in updates:
            raise InvalidExchange(f"{field} is given twice", field=field)
        updates[field] = value
    changed = _change(
        key, lambda found, database: look_ups.update_exchange(found, updates, if_version=if_version, db=database)
    )
    output.show_record(changed)


@command(app, example="activate MEXC_SPOT")
def activate(key: ExchangeKey) -> None:
    """Open an exchange for trading again."""
    changed = _change(key, lambda found, database: look_ups.activate_exchange(found, db=database))
    output.show_record(changed)


@command(app, example="deactivate MEXC_SPOT")
def deactivate(key: ExchangeKey) -> None:
    """Close an exchange for trading; its row stays."""
    changed = _change(key, lambda found, database: look_ups.deactivate_exchange(found, db=database))
    output.show_record(changed)


@command(app, "populate", example="populate --json", lists=True)
def populate_() -> None:
    """Insert the exchanges of ExchangeEnum that are missing.

    Lists those it inserted; never changes a row that exists.
    """
    created = run(lambda database: populate.ensure_exchanges_populated(db=database), writes=True)
    output.show(created, tables.EXCHANGES, nothing="nothing was missing")


@command(app, "stats", example="stats --json", lists=True)
def stats_() -> None:
    """Print figures for monitoring."""
    output.show_fields({**run(lambda database: stats.get_exchange_stats(db=database))})


@command(app, "history", example="history MEXC_SPOT", lists=True)
def history_(key: ExchangeKey) -> None:
    """List every change of an exchange: when, by whom, what.

    A deleted exchange is found by its id.
    """

    async def work(database: Database) -> list[ExchangeChange]:
        if key.isascii() and key.isdigit():
            with suppress(ExchangeNotFound):  # the digits may be a name
                return await history.get_exchange_history(int(key), db=database)
        exchange = await _find(key, database)
        return await history.get_exchange_history(exchange.id, db=database)

    output.show(run(work), tables.EXCHANGE_CHANGES, nothing="no changes")
