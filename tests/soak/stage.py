"""Where a soak takes place: a primary and its standby, a proxy before each, and what befalls them."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import asyncpg
import psutil

from exchanges_db.database.dsn import Dsn
from tests import servers
from tests.fix_server import run_dbmate
from tests.servers import Server, until
from tests.soak.writing import Writing
from tests.toxic_proxy import ToxicProxy, Way

BACKENDS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"

Act = Callable[[], Awaitable[None]]
_WAYS: tuple[tuple[Way, ...], ...] = (("forth", "back"), ("forth",), ("back",))


def _migrate(dsn: Dsn) -> None:
    result = run_dbmate(dsn, "migrate")
    assert result.returncode == 0, result.stderr


_TERMINATE = "SELECT count(pg_terminate_backend(pid)) FROM unnest($1::integer[]) AS pid"
_FORGE = (
    "SELECT count(pg_notify('exchanges_db_changed', n || ':none')) FROM generate_series($1::bigint, $2::bigint) AS n"
)

_NAME = "UPDATE public.exchanges SET display_name = $2 WHERE enum_value = $1"
_LOST = "MEXC_FUTURES"  # whose display name changes in what is lost only
_WHILE = 5.0  # seconds
_CACHED = 33  # the epochs that a standby leaves out when it is promoted: a sequence is logged ahead


class Stage:
    """Two servers, of which one leads.

    Attributes:
        failovers: how many there were. lost: whether one of them may have lost commits.
        writing: those who are told of that; have_seen: whether all who come by the proxies know an epoch; both are
            set before the first act.
    """

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw  # of the act that is under way
        self.writing: Writing
        self.have_seen: Callable[[int], bool] = lambda epoch: True
        self.failovers = 0
        self.lost = False
        self.leader: Server
        self.follower: Server
        self.proxies: list[ToxicProxy] = []
        self.servers: list[Server] = []

    async def begin(self, version: int) -> None:
        """Start everything."""
        self.leader = await servers.primary(version, _migrate)
        self.follower = await servers.standby_of(self.leader)
        self.servers = [self.leader, self.follower]
        for server in self.servers:
            proxy = ToxicProxy(server.dsn)
            proxy.port = servers._free_port()  # one that no outgoing connection takes while nobody listens there
            await proxy.listen()
            self.proxies.append(proxy)

    async def end(self) -> None:
        """Stop everything."""
        for proxy in self.proxies:
            await proxy.end()
        servers.end_all()

    @property
    def dsn(self) -> Dsn:
        """Leads to whichever server leads."""
        hosts = tuple(server.dsn.hosts[0] for server in self.servers)
        return replace(self.servers[0].dsn, hosts=hosts, target_session_attrs="read-write")

    @property
    def proxied(self) -> Dsn:
        """The same through the proxies."""
        return replace(self.dsn, hosts=tuple(("127.0.0.1", proxy.port) for proxy in self.proxies))

    @property
    def standby(self) -> Dsn:
        """Leads to whichever server follows, if any does."""
        return replace(self.dsn, target_session_attrs="prefer-standby")

    async def heal(self) -> None:
        """Mend the network."""
        for proxy in self.proxies:
            proxy.heal()
            if proxy._server is None or not proxy._server.is_serving():
                await proxy.listen()

    # What befalls the servers. Each waits, in its middle, until the writers have gone on.

    async def restart(self) -> None:
        """Restart the leader, in one of two ways."""
        await self.leader.restart(self.draw.choice(["fast", "immediate"]))

    async def crash(self) -> None:
        """Kill all processes of the leader, and start it again."""
        await self.leader.crash()
        await self.leader.start()

    async def restart_standby(self) -> None:
        """Restart the other."""
        await self.follower.restart(self.draw.choice(["fast", "immediate"]))

    async def kill_backend(self) -> None:
        """Kill one session's process: the server ends all others, and recovers."""
        witness = await asyncpg.connect(**self.leader.dsn.asyncpg_arguments(), timeout=20)
        ended = asyncio.Event()
        witness.add_termination_listener(lambda _: ended.set())
        while not ended.is_set():  # the one that was chosen may just have ended by itself
            await self._send(signal.SIGKILL)
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await ended.wait()  # only then the server has seen it
        witness.terminate()
        await until(self.leader.answers, what="the leader answers after the end of a session's process")

    async def stop_backend(self) -> None:
        """Stop one session's process for as long as a few writes take, as a machine that swaps does."""
        pid = await self._send(signal.SIGSTOP)
        if pid is not None:
            try:
                await asyncio.sleep(self.draw.uniform(0.2, 3))
            finally:
                with suppress(psutil.NoSuchProcess):
                    self.leader.send_backend(pid, signal.SIGCONT)

    async def _send(self, sign: signal.Signals) -> int | None:
        """Send a signal to one session's process; return which one, None where there was none, or is no more."""
        pids = await self._backends()
        if not pids:
            return None
        pid = self.draw.choice(pids)
        try:
            self.leader.send_backend(pid, sign)
        except psutil.NoSuchProcess:
            return None
        return pid

    async def terminate(self) -> None:
        """End sessions, as an administrator does."""
        share = self.draw.choice([0.3, 1.0])
        await self.leader.query(_TERMINATE, [pid for pid in await self._backends() if self.draw.random() < share])

    async def _backends(self) -> list[int]:
        connection = await asyncpg.connect(**self.leader.dsn.asyncpg_arguments(), timeout=20)
        try:
            return [row["pid"] for row in await connection.fetch(BACKENDS)]
        finally:
            connection.terminate()

    async def forge(self) -> None:
        """Send notifications that say what is not so, many of them."""
        count, first = self.draw.choice([1, 5000]), self.draw.randrange(10**6)
        await self.leader.query(_FORGE, first, first + count)

    async def switch_over(self) -> None:
        """Stop the leader in order, which loses nothing, and have the other lead."""
        await self.follower.streams_from(self.leader)
        await self.leader.stop("fast")
        await self._promote()

    async def fail_over(self) -> None:
        """Have the other lead, which does not know of the last commits: they are lost, and their epochs given again."""
        await self.heal()  # whoever comes by the proxies is to see what will be lost
        kept = self.writing.acknowledged()
        await self.follower.catch_up(self.leader)
        await self.follower.stop("fast")
        self.lost = True
        await self.leader.query(
            _NAME, _LOST, f"lost {self.failovers}"
        )  # never written again: whoever keeps it is found
        again = await self._epoch() + _CACHED + self.draw.randrange(1, 20)
        await self._until_epoch(again)
        with suppress(TimeoutError):
            async with asyncio.timeout(_WHILE):
                while not self.have_seen(again):
                    await asyncio.sleep(0.01)
        reached = await self._epoch()
        await self._refuse()  # who comes by the proxies has seen what is lost, and comes back when others have written
        await self.leader.crash()
        await self.follower.start()
        self.writing.lost(kept)  # nobody leads now, so that nothing is acknowledged
        await self._promote()
        await self._until_epoch(reached + self.draw.randrange(1, 20))

    async def _epoch(self) -> int:
        return int(await self.leader.query("SELECT max(epoch) FROM public.registry_changes"))

    async def _until_epoch(self, epoch: int) -> None:
        while await self._epoch() < epoch and not self.writing.has_failed:
            await self.writing.wrote(1)

    async def _promote(self) -> None:
        self.failovers += 1
        await self.follower.promote()
        self.leader, self.follower = self.follower, self.leader
        await self.writing.wrote(self.draw.randrange(1, 10))
        await self.follower.rewind_to(self.leader)
        await self.follower.streams_from(self.leader)

    # What befalls the network, until it is healed.

    async def _for_a_while(self) -> None:
        """Wait until the writers have gone on, but not for long where the machine is slow."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_WHILE):
                await self.writing.wrote(self.draw.randrange(1, 60))

    async def black_hole(self) -> None:
        """Swallow everything, or what goes one way."""
        for proxy in self.proxies:
            proxy.swallow(*self.draw.choice(_WAYS))
        await self._for_a_while()

    async def forget(self) -> None:
        """Swallow what goes through the connections that are there; new ones are fine."""
        for proxy in self.proxies:
            proxy.forget()
        await self._for_a_while()

    async def reset(self) -> None:
        """Break all connections off."""
        for proxy in self.proxies:
            proxy.reset()

    async def refuse(self) -> None:
        """Take no new connection, and break off those that are there."""
        await self._refuse()
        await self._for_a_while()

    async def _refuse(self) -> None:
        for proxy in self.proxies:
            proxy.refuse()
            proxy.reset()

    async def slow(self) -> None:
        """Deliver late and in small pieces."""
        for proxy in self.proxies:
            proxy.latency, proxy.slices = self.draw.uniform(0.0, 0.2), self.draw.choice([0, 7, 100])
        await self._for_a_while()

    def acts(self, draw: random.Random, quiet: Act) -> Iterator[Act]:
        """Yield what is to happen: first one of each kind of fault, then all there is, in one order after another."""
        network = [self.black_hole, self.forget, self.reset, self.refuse, self.slow]
        sessions = [self.terminate, self.kill_backend, self.stop_backend, self.forge]
        ends = [self.restart, self.crash, self.restart_standby, self.switch_over, self.fail_over]
        deck = [
            self.fail_over, self.black_hole, self.terminate, self.kill_backend, self.restart, self.switch_over, quiet,
        ]  # fmt: skip
        while True:
            draw.shuffle(deck)
            yield from deck
            deck = [*network, *network, *sessions, *sessions, *ends, quiet, quiet]
