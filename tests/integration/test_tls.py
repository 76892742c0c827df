"""Before a server has shown a certificate that is trusted, not one byte of a login goes out, in clear or in TLS."""

import asyncio
import socket
import ssl
from typing import Any

import pytest

from exchanges_db import AccessDenied, ConfigurationError, Database, DatabaseUnavailable, Settings
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.database.hosts import connect, connect_error
from tests.certificates import Certificates
from tests.fix_server import run_dbmate
from tests.stub_server import _SSL_REQUEST, Stub, serving

LIMITS = Settings(connect_timeout=3, acquire_timeout=3)
REFUSED = {"self-signed": "self.signed", "wrong-host": "not valid for", "expired": "expired",
           "other-authority": "self.signed|unable to get local issuer|verify"}  # fmt: skip


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The authorities and what they have issued."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def far_host(monkeypatch: pytest.MonkeyPatch) -> str:
    """A name that is not this machine's, and leads here all the same."""
    known: Any = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *args, **kw: known("127.0.0.1" if host == "db.example" else host, *args, **kw),
    )
    return "db.example"


def dsn_of(host: str, stub: Stub, query: str = "") -> Dsn:
    """A login with a password that must not get out."""
    return parse_dsn(f"postgresql://bob:canary@{host}:{stub.port}/d?{query}", {"HOME": "/nonexistent"})


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("trusting", ["authority", "system"])
async def test_a_certificate_that_is_not_trusted_ends_it(
    name: str, trusting: str, certificates: Certificates, far_host: str
) -> None:
    """By default, as ConfigurationError with the reason, in one attempt, and nothing but SSLRequest was sent."""
    stub = Stub(tls=certificates.shown(name))
    async with serving(stub):
        query = f"sslrootcert={certificates.authority}" if trusting == "authority" else ""
        expected = REFUSED[name] if trusting == "authority" else "certificate"
        async with asyncio.timeout(20):
            with pytest.raises(ConfigurationError, match=f"certificate is refused: .*({expected})"):
                await Database(dsn_of(far_host, stub, query), LIMITS).open()
    assert stub.in_clear == [_SSL_REQUEST]
    assert stub.in_tls == []


@pytest.mark.parametrize("mode", ["", "sslmode=require", "sslmode=verify-ca&sslrootcert={}", "sslmode=verify-full"])
async def test_a_server_that_answers_no_to_tls_gets_no_login(
    mode: str, certificates: Certificates, far_host: str
) -> None:
    """Whoever stands in between can answer so."""
    stub = Stub()
    async with serving(stub):
        with pytest.raises(ConfigurationError, match="does without TLS, which sslmode="):
            await connect(dsn_of(far_host, stub, mode.format(certificates.authority)), LIMITS, limit=3)
    assert stub.in_clear == [_SSL_REQUEST]


@pytest.mark.parametrize("host", ["db.example", "localhost"])
async def test_a_refused_password_is_not_sent_again_in_clear(
    host: str, certificates: Certificates, far_host: str
) -> None:
    """The driver by itself would, with sslmode=prefer, which is the default on this machine."""
    stub = Stub(tls=certificates.shown("good"), password=True, refuse="28P01")
    query = f"sslrootcert={certificates.authority}" if host == far_host else ""
    async with serving(stub):
        with pytest.raises(AccessDenied):
            await connect(dsn_of(host, stub, query), LIMITS, limit=3)
    assert stub.in_clear == [_SSL_REQUEST]
    assert b"canary" in b"".join(stub.in_tls)


@pytest.mark.parametrize("query", ["", "&sslmode=verify-ca", "&sslmode=require", "&ssl_min_protocol_version=TLSv1.3"])
async def test_a_certificate_that_is_trusted_lets_in(query: str, certificates: Certificates, far_host: str) -> None:
    """So the refusals above are about what they name."""
    stub = Stub(tls=certificates.shown("good"), password=True)
    async with serving(stub):
        session = await connect(dsn_of(far_host, stub, f"sslrootcert={certificates.authority}{query}"), LIMITS, limit=3)
        session.terminate()
    assert stub.in_clear == [_SSL_REQUEST]


async def test_the_least_version_of_tls_is_kept_to(certificates: Certificates, far_host: str) -> None:
    """A server that has none so new is given no login; one that says why is not tried again."""
    shown = certificates.shown("good")
    shown.maximum_version = ssl.TLSVersion.TLSv1_2
    stub = Stub(tls=shown)
    async with serving(stub):
        query = f"sslrootcert={certificates.authority}&ssl_min_protocol_version=TLSv1.3"
        with pytest.raises((ConfigurationError, DatabaseUnavailable)):  # this server breaks off without a word
            await connect(dsn_of(far_host, stub, query), LIMITS, limit=3)
    said = ssl.SSLError(1, "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version")
    assert isinstance(connect_error(dsn_of(far_host, stub, query), said), ConfigurationError)
    assert isinstance(connect_error(dsn_of(far_host, stub, query), ssl.SSLEOFError()), DatabaseUnavailable)
    assert (stub.in_clear, stub.in_tls) == ([_SSL_REQUEST], [])


@pytest.mark.parametrize("encrypted", [True, False])
async def test_prefer_takes_what_the_server_has(encrypted: bool, certificates: Certificates) -> None:
    """On this machine alone; it is documented, and promised is nothing."""
    stub = Stub(tls=certificates.shown("self-signed") if encrypted else None, password=True)
    async with serving(stub):
        (await connect(dsn_of("localhost", stub), LIMITS, limit=3)).terminate()
    assert stub.in_clear[:1] == [_SSL_REQUEST]
    assert b"canary" in b"".join(stub.in_tls if encrypted else stub.in_clear)


@pytest.mark.parametrize("first", [True, False])
async def test_allow_tries_tls_where_clear_is_refused(first: bool, certificates: Certificates) -> None:
    stub = Stub(tls=certificates.shown("good"), refuse="28000" if first else "")
    async with serving(stub):
        dsn = dsn_of("localhost", stub, "sslmode=allow")
        if first:
            with pytest.raises(AccessDenied):
                await connect(dsn, LIMITS, limit=3)
        else:
            (await connect(dsn, LIMITS, limit=3)).terminate()
    assert len(stub.in_tls) == first


@pytest.mark.parametrize("name", [*REFUSED, None])
async def test_dbmate_refuses_the_same_servers(name: str | None, certificates: Certificates) -> None:
    """It is given the authority and the mode that we have checked with."""
    stub = Stub(tls=certificates.shown(name) if name else None)
    async with serving(stub):
        dsn = dsn_of("localhost", stub, f"sslrootcert={certificates.authority}")
        result = await asyncio.to_thread(run_dbmate, dsn, "status")
    assert result.returncode != 0
    assert "canary" not in result.stdout + result.stderr
    assert set(stub.in_clear) == {_SSL_REQUEST}
    assert stub.in_tls == []


async def test_dbmate_trusts_the_same_server(certificates: Certificates) -> None:
    """With nothing in clear either."""
    stub = Stub(tls=certificates.shown("good"), password=True, refuse="28P01")
    async with serving(stub):
        dsn = dsn_of("localhost", stub, f"sslrootcert={certificates.authority}")
        await asyncio.to_thread(run_dbmate, dsn, "status")
    assert b"canary" in b"".join(stub.in_tls)
    assert set(stub.in_clear) == {_SSL_REQUEST}
