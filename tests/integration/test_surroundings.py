"""The checks of what stands between client and server, and of what other sessions do: each is made to fail."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from exchanges_db import Database, Settings
from exchanges_db.database.dsn import Dsn
from exchanges_db.validation import sessions, wire
from exchanges_db.validation.bounds import BOUNDS, Bounds
from exchanges_db.validation.validate import CHECKS, SLOW, validate_exchanges
from exchanges_db.validation.wire import Wire
from exchanges_sql.server_health import ListLongTransactionsRow
from tests.factories import connected
from tests.fix_server import ROOT
from tests.pgbouncer import needs_pgbouncer, pgbouncer
from tests.socket_server import socket_server

ENCRYPTED, CLOCKS, POOLER = "connection encrypted", "clocks agree", "pooler as set"
TRANSACTIONS, NOTIFICATIONS, CONNECTIONS = "no long transactions", "notifications read", "connections left"
# Of nobody, for the tests alone; a client that asks for `require` does not look at it.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgFESfkG4ceG9sPnb7
9UhI2VZlpzLZt2j83G658lESvyihRANCAASGHMVi/RMNcA7jb64xTn0sN5Ihyyce
QgdnMWscnStVjbnc11GJ7bkjNNYQmQvfiKXvB9OMmPSGZeYfDB+RfETt
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBfjCCASWgAwIBAgIUfqQlaAvQOnFHlgzel1x+1hwwnggwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNjAzNDUxN1oYDzIxMjYxMTAy
MDM0NTE3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASGHMVi/RMNcA7jb64xTn0sN5IhyyceQgdnMWscnStVjbnc11GJ7bkj
NNYQmQvfiKXvB9OMmPSGZeYfDB+RfETto1MwUTAdBgNVHQ4EFgQUtxl8rLkisFCV
RIaylkYj2XdPkYEwHwYDVR0jBBgwFoAUtxl8rLkisFCVRIaylkYj2XdPkYEwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiBAz98doe7aSvDxBeOzQRgt
1Qqma89kMtF3hSJVWP4rkQIgHRUoy09DvvTLlcmJFFmD1oZyox3azD8Gdnc6gCPJ
V78=
-----END CERTIFICATE-----
"""


async def found(db: Dsn | Database, **settings: Any) -> dict[str, tuple[bool, str]]:
    """Return what each check of a quick validation has found: whether it passed, and its words."""
    if isinstance(db, Dsn):
        async with Database(db, Settings(**settings)) as database:
            return await found(database)
    report = await validate_exchanges(db=db, quick=True)
    return {check.name: (check.passed, check.detail) for check in report.checks}


def failing(checks: dict[str, tuple[bool, str]]) -> set[str]:
    return {name for name, (passed, _) in checks.items() if not passed}


def set_bounds(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    for module in (sessions, wire):
        monkeypatch.setattr(module, "BOUNDS", msgspec.structs.replace(BOUNDS, **changed))


def test_a_quick_validation_makes_all_of_them() -> None:
    names = {ENCRYPTED, CLOCKS, POOLER, TRANSACTIONS, NOTIFICATIONS, CONNECTIONS}
    assert names <= CHECKS.keys() - SLOW


@asynccontextmanager
async def tls_before(dsn: Dsn, folder: Path) -> AsyncIterator[Dsn]:
    """A server that encrypts, and the Dsn that leads through it."""
    pem = folder / "certificate.pem"
    pem.write_text(CERTIFICATE)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    host, port = dsn.hosts[0]

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # asks for TLS
        writer.write(b"S")
        await writer.start_tls(context)
        if host.startswith("/"):
            from_server, to_server = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            from_server, to_server = await asyncio.open_connection(host, port)
        try:
            await asyncio.gather(pour(reader, to_server), pour(from_server, writer))
        finally:
            to_server.transport.abort()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async with socket_server(carry) as own_port:
        yield replace(dsn, hosts=(("127.0.0.1", own_port),), sslmode="require")


async def test_what_encrypts_a_connection_is_told(dsn: Dsn, tmp_path: Path) -> None:
    async with tls_before(dsn, tmp_path) as through:
        passed, words = (await found(through))[ENCRYPTED]
    assert passed
    assert words.startswith("TLSv1.3, TLS_")
    assert words.endswith(", to 127.0.0.1")


async def test_a_connection_that_leaves_the_machine_unencrypted_fails(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is put in where the transport tells it: a test has no second machine."""
    here = wire.wire_of
    monkeypatch.setattr(wire, "wire_of", lambda connection: here(connection)._replace(peer="203.0.113.7"))
    checks = await found(database)
    assert failing(checks) == {ENCRYPTED}
    assert "203.0.113.7 is not encrypted" in checks[ENCRYPTED][1]
    assert "sslmode=verify-full" in checks[ENCRYPTED][1]


@pytest.mark.parametrize(
    ("peer", "is_local"),
    [("", True), ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("10.0.0.1", False), ("fe80::1%eth0", False)],
)
def test_only_sockets_and_the_loopback_are_local(peer: str, is_local: bool) -> None:
    assert Wire(peer, None, 1).is_local is is_local


@pytest.mark.parametrize(("ahead", "words"), [(5.0, "s ahead of this machine's"), (-5.0, "s behind this machine's")])
async def test_clocks_that_differ_fail(
    database: Database, monkeypatch: pytest.MonkeyPatch, ahead: float, words: str
) -> None:
    """The client's clock is moved: the server's is the machine's own."""
    now = wire.client_time
    monkeypatch.setattr(wire, "client_time", lambda: now() - timedelta(seconds=ahead))
    checks = await found(database)
    assert failing(checks) == {CLOCKS}
    assert words in checks[CLOCKS][1]
    assert "more than 2 s" in checks[CLOCKS][1]


async def test_clocks_that_differ_by_less_than_the_bound_pass(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = wire.client_time
    monkeypatch.setattr(wire, "client_time", lambda: now() - timedelta(seconds=1))
    assert failing(await found(database)) == set()


async def test_a_pooler_that_is_set_and_absent_fails(dsn: Dsn) -> None:
    checks = await found(dsn, pooler="transaction")
    assert failing(checks) == {POOLER}
    assert "unset it" in checks[POOLER][1]


@needs_pgbouncer
async def test_a_pooler_in_transaction_mode_must_be_set(dsn: Dsn) -> None:
    """With one connection, too, where it cannot be seen which mode it is in."""
    with pgbouncer(dsn) as through:
        unset = await found(through)
        alone = await found(through, pool_max=1)
        right = await found(through, pooler="transaction")
    assert POOLER in failing(unset)
    assert POOLER in failing(alone)
    for checks in (unset, alone):
        assert "set EXCHANGES_DB_POOLER=transaction" in checks[POOLER][1]
    assert failing(right) == set()
    assert "a pooler is in between" in right[POOLER][1]


@asynccontextmanager
async def in_a_transaction(dsn: Dsn) -> AsyncIterator[int]:
    """Another session that is idle in a transaction; gives its process."""
    arguments = dsn.asyncpg_arguments()
    arguments["server_settings"] = {"application_name": "nightly report"}
    other = await asyncpg.connect(**arguments)
    try:
        async with other.transaction():
            yield await other.fetchval("SELECT pg_backend_pid()")
    finally:
        await other.close()


async def test_a_long_transaction_fails_and_is_named(
    database: Database, dsn: Dsn, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_bounds(monkeypatch, idle_in_transaction=0)
    async with in_a_transaction(dsn) as pid:
        checks = await found(database)
    assert failing(checks) == {TRANSACTIONS}
    assert checks[TRANSACTIONS][1] == f"process {pid} ('{dsn.user}', 'nightly report') is idle in transaction for 0s"


async def test_a_long_statement_fails_and_is_named(
    database: Database, dsn: Dsn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a session that is not idle in its transaction, the time since its beginning counts."""
    set_bounds(monkeypatch, transaction=0)
    async with connected(dsn) as other:
        waiting = asyncio.create_task(other.execute("SELECT pg_sleep(30)"))
        try:
            async with asyncio.timeout(20):
                while TRANSACTIONS not in failing(checks := await found(database)):
                    pass
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])
    assert "is in a transaction for 0s" in checks[TRANSACTIONS][1]


async def test_a_transaction_within_its_bounds_passes(database: Database, dsn: Dsn) -> None:
    async with in_a_transaction(dsn):
        assert failing(await found(database)) == set()


async def test_a_transaction_of_another_database_is_of_no_account(
    database: Database, server: Dsn, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_bounds(monkeypatch, idle_in_transaction=0)
    async with in_a_transaction(server):
        assert failing(await found(database)) == set()


def test_a_prepared_transaction_is_told_with_its_name() -> None:
    row = ListLongTransactionsRow("prepared", "xa-17", "trader", "", 90)
    assert sessions.transaction_told(row) == (
        "the transaction 'xa-17' of 'trader' was prepared 1m 30s ago, and never committed"
    )


@asynccontextmanager
async def a_login(dsn: Dsn, *options: str) -> AsyncIterator[Dsn]:
    """The Dsn of a role that may log in and read."""
    role = f"{dsn.database}_login"
    async with connected(dsn) as owner:
        password = "" if dsn.password is None else f"PASSWORD '{dsn.password.reveal()}'"
        await owner.execute(f"CREATE ROLE {role} LOGIN {password} {' '.join(options)}")
        try:
            await owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
            yield replace(dsn, user=role)
        finally:
            await owner.execute(f"DROP OWNED BY {role}")
            await owner.execute(f"DROP ROLE {role}")


async def test_a_role_that_may_only_read_makes_all_of_them(dsn: Dsn) -> None:
    """It is told what it may not see: what the sessions of other roles do."""
    async with a_login(dsn) as reading, in_a_transaction(dsn):
        checks = await found(reading)
    assert failing(checks) == set()
    assert "not seen: what" in checks[TRANSACTIONS][1]
    assert "pg_read_all_stats" in checks[TRANSACTIONS][1]


async def test_notifications_that_nobody_reads_fail(
    database: Database, dsn: Dsn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real queue, of which a listener in a transaction reads nothing, with a bound that so few go beyond."""
    set_bounds(monkeypatch, notification_queue=Decimal(0))
    stuck = {"application_name": "a forgotten window"}
    async with connected(dsn) as other, connected(dsn, server_settings=stuck) as listener:
        await listener.execute("LISTEN news")
        async with listener.transaction():
            process = await listener.fetchval("SELECT pg_backend_pid()")
            for _ in range(5):
                await other.execute("SELECT pg_notify('news', repeat('x', 7000))")
            checks = await found(database)
    assert failing(checks) == {NOTIFICATIONS}
    assert "of the notification queue is taken" in checks[NOTIFICATIONS][1]
    assert (
        f"process {process} ({dsn.user!r}, 'a forgotten window') in database {dsn.database!r}"
        in checks[NOTIFICATIONS][1]
    )


async def test_the_connections_of_a_role_that_run_out_fail(dsn: Dsn) -> None:
    async with a_login(dsn, "CONNECTION LIMIT 3") as reading, Database(reading, Settings()) as db, connected(reading):
        assert failing(await found(db)) == set()  # two of three
        async with connected(reading):
            checks = await found(db)
    assert failing(checks) == {CONNECTIONS}
    assert checks[CONNECTIONS][1] == f"3 of 3 connections of role {reading.user} are in use: new ones will be refused"


async def test_the_connections_of_a_database_that_run_out_fail(dsn: Dsn) -> None:
    """A superuser is not refused, and so is told nothing of them."""
    async with connected(dsn) as owner:
        await owner.execute(f"ALTER DATABASE {dsn.database} CONNECTION LIMIT 2")
        assert failing(await found(dsn)) == set()
        async with a_login(dsn) as reading:
            await owner.execute(f"ALTER DATABASE {dsn.database} CONNECTION LIMIT 3")
            checks = await found(reading)
    assert failing(checks) == {CONNECTIONS}
    assert f"connections of database {dsn.database} are in use" in checks[CONNECTIONS][1]


async def test_the_connections_of_the_server_that_run_out_fail(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a lower bound: a server of tests is not filled up for others."""
    set_bounds(monkeypatch, connections=0.001)
    checks = await found(database)
    assert failing(checks) == {CONNECTIONS}
    assert "connections of the server are in use" in checks[CONNECTIONS][1]


def test_the_bounds_are_those_of_the_document() -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    for said in ("more than 2 s", "more than 300 s", "more than 60 s", "more than 1 %", "90 % or more"):
        assert said in text
    assert Bounds() == Bounds(
        clock_skew=2.0, transaction=300, idle_in_transaction=60, notification_queue=Decimal("0.01"), connections=0.9
    )
