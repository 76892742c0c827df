"""Completes names of exchanges in the shell: those in the database, or of ExchangeEnum if it does not answer soon."""

from __future__ import annotations

import asyncio

from exchanges_db.cli import session
from exchanges_db.database.pool import Database
from exchanges_db.database.settings import EMBEDDED, Settings, database_url, load_dsn
from exchanges_db.errors import ExchangesDBError
from exchanges_db.exchanges.enums import ExchangeEnum
from exchanges_db.exchanges.look_ups import get_all_exchanges

_SECONDS = 1.0  # longer than this nobody waits for a Tab


def complete_exchange(incomplete: str) -> list[str]:
    """Return the exchanges whose enum_value begins with what was typed."""
    return [name for name in _names() if name.startswith(incomplete)]


def _names() -> list[str]:
    try:
        session.read_env_file()
        if database_url() not in (None, EMBEDDED):  # completing must not start a server
            return asyncio.run(_stored_names())
    except (ExchangesDBError, TimeoutError):
        pass  # a shell cannot show an error while it completes
    return [member.value for member in ExchangeEnum]


async def _stored_names() -> list[str]:
    limits = Settings(connect_timeout=_SECONDS, acquire_timeout=_SECONDS, command_timeout=_SECONDS)
    async with asyncio.timeout(_SECONDS), Database(load_dsn(), limits) as database:
        return sorted(exchange.enum_value for exchange in await get_all_exchanges(db=database))
