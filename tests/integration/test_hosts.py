"""Several hosts: one that is no use does not hide the next, and load_balance_hosts=random spreads over them."""

import asyncio
import socket
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from urllib.parse import unquote

import asyncpg
import pytest

from exchanges_db import AccessDenied, ConfigurationError, Database, DatabaseUnavailable, Settings
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.database.hosts import connect
from tests.fix_server import run_dbmate
from tests.socket_server import socket_server
from tests.stub_server import Stub, serving

LIMITS = Settings(connect_timeout=0.5, acquire_timeout=3)
# What the first of two hosts does; None is a port where nobody listens.
USELESS: dict[str, Stub | None] = {
    "silent": Stub(silent=True), "refuses": None, "starting-up": Stub(refuse="57P03"), "closes": Stub(closes=True),
    "shutting-down": Stub(refuse="57P01"), "full": Stub(refuse="53300"), "standby": Stub(standby=True),
    "unavailable": Stub(refuse="08006"),
}  # fmt: skip


def dsn_of(hosts: str, query: str = "") -> Dsn:
    return parse_dsn(f"postgresql://bob:canary@{hosts}/d?sslmode=disable&{query}", {})


@pytest.mark.parametrize("kind", USELESS)
async def test_a_first_host_that_is_no_use_does_not_hide_the_second(kind: str, unused_tcp_port: int) -> None:
    """Whichever way it fails, the second is reached within the first one's share of the time."""
    first, second = USELESS[kind], Stub()
    async with serving(*([first] if first else []), second) as hosts:
        if first is None:
            hosts = f"127.0.0.1:{unused_tcp_port},{hosts}"
        began = time.monotonic()
        session = await connect(dsn_of(hosts, "target_session_attrs=read-write"), LIMITS, limit=3)
        assert time.monotonic() - began < 2
        assert session._transport.get_extra_info("peername") == ("127.0.0.1", second.port)
        session.terminate()
    assert second.sessions == 1


async def test_a_name_that_nobody_knows_does_not_hide_the_second() -> None:
    second = Stub()
    async with serving(second) as hosts:
        (await connect(dsn_of(f"nobody.invalid,{hosts}"), LIMITS, limit=3)).terminate()
    assert second.sessions == 1


async def test_a_silent_first_host_leaves_the_second_its_share_of_a_short_limit() -> None:
    """Although connect_timeout alone would use up all of it."""
    first, second = Stub(silent=True), Stub()
    async with serving(first, second) as hosts:
        (await connect(dsn_of(hosts), Settings(connect_timeout=60), limit=1)).terminate()
    assert second.sessions == 1


async def test_a_refused_login_ends_the_search() -> None:
    """As with libpq: the next server would refuse it too, or ought to."""
    first, second = Stub(refuse="28P01"), Stub()
    async with serving(first, second) as hosts:
        with pytest.raises(AccessDenied, match=hosts):
            await connect(dsn_of(hosts), LIMITS, limit=3)
    assert second.sessions == 0


async def test_where_no_host_is_of_use_the_error_says_so_within_the_limit() -> None:
    async with serving(Stub(silent=True), Stub(silent=True)) as hosts:
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match=rf"d on {hosts}: no answer in time"):
            await connect(dsn_of(hosts), LIMITS, limit=0.3)
        assert time.monotonic() - began < 1


@pytest.mark.parametrize(("wanted", "served"), [("standby", 1), ("prefer-standby", 1), ("primary", 0), ("any", 0)])
async def test_the_wanted_kind_of_server_is_found(wanted: str, served: int) -> None:
    stubs = [Stub(), Stub(standby=True)]
    async with serving(*stubs) as hosts:
        session = await connect(dsn_of(hosts, f"target_session_attrs={wanted}"), LIMITS, limit=3)
        assert session._transport.get_extra_info("peername") == ("127.0.0.1", stubs[served].port)
        session.terminate()


async def test_prefer_standby_takes_a_primary_where_there_is_no_standby() -> None:
    async with serving(Stub(refuse="57P03"), Stub()) as hosts:
        (await connect(dsn_of(hosts, "target_session_attrs=prefer-standby"), LIMITS, limit=3)).terminate()


@pytest.mark.parametrize(("balance", "shares"), [("random", 3), ("disable", 1)])
async def test_connections_spread_over_the_hosts_if_that_is_asked_for(balance: str, shares: int) -> None:
    """By default all go to the first."""
    stubs = [Stub(), Stub(), Stub()]
    async with serving(*stubs) as hosts:
        dsn = dsn_of(hosts, f"load_balance_hosts={balance}")
        sessions = [await connect(dsn, LIMITS, limit=3) for _ in range(30)]
        for session in sessions:
            session.terminate()
    used = Counter(stub.sessions for stub in stubs)
    assert used[0] == 3 - shares
    assert sum(stub.sessions for stub in stubs) == 30


async def test_spread_connections_still_go_to_the_kind_of_server_that_is_wanted() -> None:
    """So they follow a promote: whichever is primary now has them all."""
    stubs = [Stub(standby=True), Stub(), Stub(standby=True)]
    async with serving(*stubs) as hosts:
        dsn = dsn_of(hosts, "load_balance_hosts=random&target_session_attrs=primary")
        for primary in (1, 2):
            for number, stub in enumerate(stubs):
                stub.standby = number != primary
            for _ in range(6):
                session = await connect(dsn, LIMITS, limit=3)
                assert session._transport.get_extra_info("peername") == ("127.0.0.1", stubs[primary].port)
                session.terminate()


@pytest.mark.parametrize("option", ["no_such_parameter=canary", "options=-c%20no_such_parameter%3Dcanary",
                                    "fsync=off", "work_mem=canary"])  # fmt: skip
async def test_a_run_time_parameter_that_the_server_refuses_is_named(option: str, server: Dsn) -> None:
    """As ConfigurationError, not tried again, and without its value."""
    name, value = map(unquote, option.split("="))
    dsn = replace(server, settings={name: value})
    with pytest.raises(ConfigurationError, match=f"refuses .*{name},? of DATABASE_URL") as info:
        await Database(dsn, LIMITS).open()
    assert "canary" not in str(info.value)


async def test_run_time_parameters_still_work(server: Dsn) -> None:
    settings = {"search_path": "a,b", "application_name": "mine", "options": "-c jit=off -c my.own=1"}
    session = await connect(replace(server, settings=settings), LIMITS, limit=3)
    try:
        shown = [await session.fetchval("SELECT current_setting($1)", name) for name in
                 ("search_path", "application_name", "jit", "my.own")]  # fmt: skip
    finally:
        session.terminate()
    assert shown == ["a,b", "mine", "off", "1"]


async def test_keepalives_are_set_as_libpq_sets_them() -> None:
    """On by default, with the system's own times."""
    stub = Stub()
    async with serving(stub) as hosts:
        for query, on, idle in (("", 1, None), ("keepalives=0", 0, None),
                                ("keepalives_idle=41&keepalives_count=3&tcp_user_timeout=900", 1, 41)):  # fmt: skip
            session = await connect(dsn_of(hosts, query), LIMITS, limit=3)
            raw = session._transport.get_extra_info("socket")
            assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == on
            if idle:
                assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == idle
                assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 900
            session.terminate()
        with pytest.raises(ConfigurationError, match="keepalives_count in DATABASE_URL is refused"):
            await connect(dsn_of(hosts, "keepalives_count=99999"), LIMITS, limit=3)


async def test_a_cancelled_attempt_leaves_no_connection() -> None:
    stub = Stub(silent=True)
    async with serving(stub) as hosts:
        attempt = asyncio.create_task(connect(dsn_of(hosts), LIMITS, limit=3))
        while not stub.in_clear:
            await asyncio.sleep(0)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt


def test_the_driver_says_what_we_recognise_a_refusal_of_tls_by() -> None:
    """It has no class of its own for that."""
    import inspect

    assert "rejected SSL upgrade" in inspect.getsource(asyncpg.connect_utils)


async def test_dbmate_reaches_an_ipv6_address_as_we_do() -> None:
    """By itself it drops the brackets, and takes the last group for the port."""
    stub = Stub(refuse="57P03")
    async with AsyncExitStack() as stack:
        try:
            port = await stack.enter_async_context(socket_server(stub.serve, "::1"))
        except OSError:
            pytest.skip("this machine has no IPv6 address of its own")
        dsn = dsn_of(f"[::1]:{port}")
        with pytest.raises(DatabaseUnavailable):
            await connect(dsn, LIMITS, limit=3)
        ours = len(stub.in_clear)
        await asyncio.to_thread(run_dbmate, dsn, "status")
    assert 0 < ours < len(stub.in_clear)


@pytest.mark.parametrize(
    "greeting", [{"server_version": ""}, {"server_version": "banana"}, {"client_encoding": "nonsense"}]
)
async def test_a_server_that_does_not_greet_as_postgresql_does_is_no_use(greeting: dict[str, str]) -> None:
    """The driver lets through what it stumbles over, in frames that hold the password; the next host is tried."""
    async with serving(Stub(greeting=greeting)) as hosts:
        with pytest.raises(DatabaseUnavailable, match="damaged") as info:
            await connect(dsn_of(hosts), LIMITS, limit=3)
        cause = info.value.__cause__
        assert cause is not None
        assert (cause.__traceback__, cause.__cause__ and cause.__cause__.__traceback__) == (None, None)
    async with serving(Stub(greeting=greeting), Stub()) as hosts:
        session = await connect(dsn_of(hosts), LIMITS, limit=3)
        session.terminate()


async def test_where_no_thread_is_left_to_look_up_a_name_no_host_is_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the system has a limit of processes: it passes, and whoever tries again must be told as of any other."""

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr("threading.Thread.start", refuse)
        with pytest.raises(DatabaseUnavailable, match="can't start new thread"):
            await connect(Dsn(hosts=(("localhost", 1),), sslmode="disable"), Settings(), limit=5)
