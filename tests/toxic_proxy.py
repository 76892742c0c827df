"""A proxy between client and server that makes the faults of a network on demand.

| verb | what it does |
|---|---|
| `latency`, `slices`, `bandwidth` | delays each piece, sends small pieces, sends so many bytes per second |
| `silent`, `swallow("forth")` | swallows everything, or one direction only: a black hole |
| `forget()` | swallows what the connections made before now send; new ones are fine: a firewall that lost its table |
| `reset()`, `cut(at, how, way)` | breaks all off with RST; breaks off, closes or falls silent at a given byte |
| `half_close(way)` | says that nothing more will come that way, and goes on in the other direction |
| `refuse()`, `listen()` | nothing listens on the port any more; it does again |
| `mute` | accepts new connections and says nothing to them, without asking the server |
| `heal()` | ends everything of the above but what has already happened to a connection |
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from exchanges_db.database.dsn import Dsn

Way = Literal["forth", "back"]  # from the client to the server, and from the server to the client
How = Literal["reset", "close", "silence"]
BOTH: frozenset[Way] = frozenset(("forth", "back"))


@dataclass(eq=False)
class _Link:
    """One connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    forgotten: bool = False
    armed: bool = False  # the bytes of `reset_after` have passed
    swallowed: set[Way] = field(default_factory=set)

    def writer(self, way: Way) -> asyncio.StreamWriter | None:
        return self.server if way == "forth" else self.client

    def end(self, how: How) -> None:
        for writer in filter(None, (self.client, self.server)):
            if how == "reset":
                _reset(writer)
            elif how == "close":
                writer.close()
        if how == "silence":
            self.forgotten = True


def _reset(writer: asyncio.StreamWriter) -> None:
    if writer.transport.is_closing():
        return
    raw = writer.get_extra_info("socket")
    if raw.family != socket.AF_UNIX:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class ToxicProxy:
    """Carries connections to a server.

    Attributes:
        silent: swallow everything in both directions, as a router that lost its table does.
        reset_after: when the client has sent these bytes and the server has answered, drop the answer and reset.
        latency: seconds that each piece takes, in either direction.
        slices: send pieces of at most so many bytes; 0 means as they come.
        bandwidth: bytes per second and direction; 0 means no limit.
        mute: accept new connections, and neither ask the server nor answer.
        accepted: how many connections have been made.
        carried: how many bytes have passed each way.
    """

    def __init__(self, target: Dsn) -> None:
        self._host, self._port = target.hosts[0]
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._swallowed: frozenset[Way] = frozenset()
        self._cuts: dict[Way, tuple[int, How]] = {}
        self.port = 0
        self.accepted = 0
        self.carried: dict[Way, int] = {"forth": 0, "back": 0}
        self.heal()

    @property
    def silent(self) -> bool:
        """Whether everything is swallowed."""
        return self._swallowed == BOTH

    @silent.setter
    def silent(self, silent: bool) -> None:
        self._swallowed = BOTH if silent else frozenset()

    def swallow(self, *ways: Way) -> None:
        """Swallow what comes these ways, for all connections, new ones too."""
        self._swallowed = frozenset(ways)

    def heal(self) -> None:
        """Carry everything as it comes from now on; what was swallowed stays lost."""
        self.reset_after: bytes | None = None
        self.latency = 0.0
        self.slices = 0
        self.bandwidth = 0
        self.mute = False
        self._swallowed = frozenset()
        self._cuts = {}

    def reset(self) -> None:
        """Break every connection off with RST."""
        self._end_all("reset")

    def _end_all(self, how: How) -> None:
        for link in list(self._links):
            link.end(how)

    def forget(self) -> None:
        """Swallow from now on what goes through the connections that are there now."""
        self._end_all("silence")

    def half_close(self, way: Way) -> None:
        """End one direction of every connection."""
        for link in self._links:
            writer = link.writer(way)
            if writer is not None and not writer.transport.is_closing():
                link.swallowed.add(way)
                writer.write_eof()

    def cut(self, at: int, how: How = "reset", way: Way = "back") -> None:
        """Let `at` more bytes pass that way, then end the connection that carries the next one; once."""
        self._cuts[way] = (self.carried[way] + at, how)

    @property
    def cut_is_due(self) -> bool:
        """Whether a cut was asked for that has not happened."""
        return bool(self._cuts)

    async def listen(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Listen no longer; connections that are there stay."""
        if self._server is not None:
            self._server.close()

    async def end(self) -> None:
        """Break everything off, and wait until it is over."""
        self.refuse()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.get_running_loop().create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until both sides have ended."""
        link = _Link(writer)
        self._links.add(link)
        try:
            if self.mute:
                while await _read(reader):
                    pass
                return
            try:
                from_server, link.server = await self._connect()
            except OSError:
                link.end("reset")
                return
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(link, "forth", reader, link.server))
                both.create_task(self._pump(link, "back", from_server, writer))
        finally:
            self._links.discard(link)
            link.end("close")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._host.startswith("/"):
            return await asyncio.open_unix_connection(f"{self._host}/.s.PGSQL.{self._port}")
        return await asyncio.open_connection(self._host, self._port)

    async def _pump(self, link: _Link, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await _read(reader):
            if way == "forth" and self.reset_after is not None and self.reset_after in data:
                link.armed = True
            if way == "back" and link.armed:
                self.reset_after = None
                self.reset()
            if self.latency:
                await asyncio.sleep(self.latency)
            size = self.slices or len(data)
            for start in range(0, len(data), size):
                piece = data[start : start + size]
                if self.bandwidth:
                    await asyncio.sleep(len(piece) / self.bandwidth)
                elif self.slices:
                    await asyncio.sleep(0)  # so that each piece is one segment
                self._pass_on(link, way, piece, writer)
        if not self._is_swallowed(link, way):
            writer.close()

    def _is_swallowed(self, link: _Link, way: Way) -> bool:
        return link.forgotten or way in self._swallowed or way in link.swallowed

    def _pass_on(self, link: _Link, way: Way, piece: bytes, writer: asyncio.StreamWriter) -> None:
        if self._is_swallowed(link, way):
            return
        if writer.transport.is_closing():  # that side ended while nothing was passed on: the other learns it now
            link.end("reset")
            return
        cut = self._cuts.get(way)
        if cut is not None and self.carried[way] + len(piece) > cut[0]:
            writer.write(piece[: max(0, cut[0] - self.carried[way])])
            del self._cuts[way]
            link.end(cut[1])
            return
        self.carried[way] += len(piece)
        writer.write(piece)


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except OSError:
        return b""


@asynccontextmanager
async def toxic_proxy(target: Dsn) -> AsyncIterator[tuple[ToxicProxy, Dsn]]:
    """A proxy before `target`, and the Dsn that goes through it."""
    proxy = ToxicProxy(target)
    await proxy.listen()
    try:
        yield proxy, replace(target, hosts=(("127.0.0.1", proxy.port),), sslmode="disable")
    finally:
        await proxy.end()
