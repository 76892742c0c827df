"""The checks of what is between this process and the server: encryption, a pooler, and clocks that differ."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.bridge import bridge
from exchanges_db.database.default import run
from exchanges_db.database.pool import Database
from exchanges_db.errors import DatabaseError
from exchanges_db.validation.bounds import BOUNDS
from exchanges_db.validation.checks import Context, expect
from exchanges_sql.server_health import AsyncQuerier, GetClockRow

_CLOCK_ROUNDS = 3
_POOLER_ROUNDS = 3
# A prepared statement that is not there, or is there already: another session answers than the one that prepared it.
_FOREIGN_SESSION = ("26000", "42P05")


class Wire(NamedTuple):
    """How one connection reaches what it was connected to, and which process that said it is."""

    peer: str  # empty for a unix socket
    encryption: str | None
    announced_pid: int

    @property
    def is_local(self) -> bool:
        """Whether it does not leave this machine: a unix socket, or the loopback."""
        try:
            return not self.peer or ipaddress.ip_address(self.peer).is_loopback
        except ValueError:  # an IPv6 address with a zone
            return False


def wire_of(connection: Any) -> Wire:
    """Return how an asyncpg connection reaches the server; what is encrypted is known to its transport alone."""
    transport = connection._transport  # noqa: SLF001 - asyncpg has no public way, and pg_stat_ssl may be a pooler's
    peer, tls = transport.get_extra_info("peername"), transport.get_extra_info("ssl_object")
    cipher = None if tls is None else tls.cipher()
    return Wire(
        # A unix socket has a path instead of an address and a port.
        peer=str(peer[0]) if isinstance(peer, tuple) else "",
        encryption=None if cipher is None else f"{tls.version()}, {cipher[0]}",
        announced_pid=connection.get_server_pid(),
    )


async def _clock(connection: AsyncConnection) -> GetClockRow:
    row = await AsyncQuerier(connection).get_clock()
    assert row is not None  # a SELECT without FROM always gives one row
    return row


async def check_encryption(context: Context) -> str:
    """What leaves this machine is encrypted."""
    async with context.database.transaction(readonly=True) as transaction:
        wire = wire_of(transaction.connection)
    if wire.encryption is not None:
        return f"{wire.encryption}, to {wire.peer or 'a unix socket'}"
    expect(
        wire.is_local,
        f"the connection to {wire.peer} is not encrypted: anyone in between can read and change what is sent; "
        "set sslmode=verify-full in DATABASE_URL",
    )
    return "not encrypted, but it does not leave this machine"


def client_time() -> datetime:
    """Return what time it is by this machine's clock."""
    return datetime.now(UTC)


async def check_clocks(context: Context) -> str:
    """The clocks of server and client agree, as far as the time that a question takes lets one see."""

    async def ask(connection: AsyncConnection) -> tuple[timedelta, timedelta]:
        began, sent_at = perf_counter(), client_time()
        server = (await _clock(connection)).asked_at
        half = timedelta(seconds=(perf_counter() - began) / 2)
        return server - (sent_at + half), half

    rounds = [await run(context.database, ask) for _ in range(_CLOCK_ROUNDS)]
    skew, uncertain = min(rounds, key=lambda one: one[1])
    ahead = f"{'ahead of' if skew > timedelta(0) else 'behind'} this machine's"
    found = f"the server's clock is {abs(skew).total_seconds():.3f} s {ahead}, give or take {_ms(uncertain)}"
    expect(
        abs(skew) - uncertain <= timedelta(seconds=BOUNDS.clock_skew),
        f"{found}; more than {BOUNDS.clock_skew:g} s: have NTP set both; by the server's clock the age of a list is "
        "judged, by this machine's what its exchange was asked and when",
    )
    return found


def _ms(time: timedelta) -> str:
    return f"{time.total_seconds() * 1000:.1f} ms"


class _Sessions(msgspec.Struct, frozen=True):
    """What was found of a pooler."""

    is_between: bool
    is_shared: bool | None  # whether it gives one server connection to several clients; None: that cannot be seen


async def check_pooler(context: Context) -> str:
    """EXCHANGES_DB_POOLER says what stands between: a pooler in transaction mode, or none."""
    database = context.database
    is_set = database.settings.pooler == "transaction"
    try:
        found = await _find_pooler(database)
    except DatabaseError as exc:
        if is_set or exc.sqlstate not in _FOREIGN_SESSION:
            raise
        found = _Sessions(is_between=True, is_shared=True)
    if not found.is_between:
        expect(
            not is_set,
            "EXCHANGES_DB_POOLER is transaction, but no pooler is in between: every look-up is prepared anew; unset it",
        )
        return "none; the server's own process answers"
    told = "a pooler is in between: the process that answers is not the one that the login was told of"
    if is_set:
        return f"{told}; EXCHANGES_DB_POOLER says so"
    expect(
        found.is_shared is not None,
        f"{told}; with EXCHANGES_DB_POOL_MAX=1 it cannot be seen whether each transaction may get another server "
        "connection: set EXCHANGES_DB_POOLER=transaction, or a greater EXCHANGES_DB_POOL_MAX",
    )
    expect(
        not found.is_shared,
        f"{told}, and it gives each transaction any server connection: set EXCHANGES_DB_POOLER=transaction",
    )
    return f"{told}; each connection keeps its server connection, so EXCHANGES_DB_POOLER may be unset"


async def _find_pooler(database: Database) -> _Sessions:
    async with database.transaction(readonly=True) as transaction:
        announced = wire_of(transaction.connection).announced_pid
        answering = (await _clock(bridge(transaction.connection))).backend_pid
    if announced == answering:
        return _Sessions(is_between=False, is_shared=False)
    if database.settings.pool_max < 2:
        return _Sessions(is_between=True, is_shared=None)
    for _ in range(_POOLER_ROUNDS):
        if await run(database, lambda connection: _is_shared(database, connection)):
            return _Sessions(is_between=True, is_shared=True)
    return _Sessions(is_between=True, is_shared=False)


async def _is_shared(database: Database, connection: AsyncConnection) -> bool:
    """Return whether another connection of ours is answered by the process that has just answered this one."""
    before = (await _clock(connection)).backend_pid
    other = (await run(database, _clock)).backend_pid
    return other == before or (await _clock(connection)).backend_pid != before
