"""A real server with OpenSSL: who is refused before a login, and that dbmate is given the same checks."""

from dataclasses import replace

import pytest

from exchanges_db import AccessDenied, ConfigurationError, Database, DatabaseUnavailable, Settings
from exchanges_db.database.dsn import Dsn, Secret
from exchanges_db.database.hosts import connect
from exchanges_db.schema.migrations import get_migrations
from tests.factories import row_count
from tests.fix_server import run_dbmate
from tests.servers import Server
from tests.toxic_proxy import toxic_proxy

LIMITS = Settings(connect_timeout=3, acquire_timeout=3)


async def test_a_server_that_is_trusted_lets_us_in_encrypted(tls_primary: Server) -> None:
    """By its name and by its address; `migrate` and dbmate too, and the least version of TLS is kept to."""
    asked = replace(tls_primary.dsn, options={"ssl_min_protocol_version": "TLSv1.3"})
    for dsn in (asked, replace(asked, hosts=(("localhost", tls_primary.port),))):
        session = await connect(dsn, LIMITS, limit=3)
        version = await session.fetchval("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl")
        session.terminate()
        assert version == "TLSv1.3"
        await get_migrations(dsn)
        assert run_dbmate(dsn, "status").returncode == 0


async def test_direct_tls_saves_the_question(tls_primary: Server) -> None:
    """PostgreSQL 17 and newer; dbmate asks first, and checks the same."""
    dsn = replace(tls_primary.dsn, options={"sslnegotiation": "direct"})
    (await connect(dsn, LIMITS, limit=3)).terminate()
    assert run_dbmate(dsn, "status").returncode == 0


async def test_a_server_that_is_not_trusted_is_refused_and_not_asked_again(tls_primary: Server) -> None:
    """Neither an authority that nobody has named, nor an older TLS than is demanded."""
    unknown = replace(tls_primary.dsn, sslfiles={})
    with pytest.raises(ConfigurationError, match="certificate is refused"):
        await Database(unknown, LIMITS).open()
    assert run_dbmate(unknown, "status").returncode != 0
    await tls_primary.set(ssl_max_protocol_version="TLSv1.2")
    await tls_primary.restart()
    newer = replace(tls_primary.dsn, options={"ssl_min_protocol_version": "TLSv1.3"})
    with pytest.raises(ConfigurationError, match="agree on no TLS"):
        await connect(newer, LIMITS, limit=3)
    assert run_dbmate(newer, "status").returncode != 0
    assert "no pg_hba.conf entry" not in tls_primary.log
    assert "password authentication failed" not in tls_primary.log


async def test_a_wrong_password_is_sent_once_and_encrypted(tls_primary: Server) -> None:
    """Also with `prefer`, where asyncpg by itself would try again in clear."""
    for mode in ("verify-full", "prefer"):
        dsn = replace(tls_primary.dsn, password=Secret("wrong"), sslmode=mode)
        with pytest.raises(AccessDenied):
            await connect(dsn, LIMITS, limit=3)
    assert tls_primary.log.count("password authentication failed") == 2
    assert "no encryption" not in tls_primary.log


async def test_a_demand_for_clear_is_refused_by_a_server_that_wants_tls(tls_primary: Server) -> None:
    """So the server of these tests would show whoever comes without."""
    clear: Dsn = replace(tls_primary.dsn, sslmode="disable")
    with pytest.raises(AccessDenied):
        await connect(clear, LIMITS, limit=3)
    assert "no encryption" in tls_primary.log


@pytest.mark.parametrize("at", [0, 1, 700])
async def test_a_line_that_breaks_during_tls_is_no_refused_login(tls_primary: Server, at: int) -> None:
    """With `prefer`, too, which then asks in clear: that this is refused says nothing of the next attempt with TLS."""
    async with toxic_proxy(tls_primary.dsn) as (proxy, through):
        dsn = replace(through, sslmode="prefer")
        proxy.cut(at)
        with pytest.raises(DatabaseUnavailable):
            await connect(dsn, LIMITS, limit=3)
        proxy.cut(at)
        async with Database(dsn, LIMITS) as database:
            assert await row_count(database) == 3
