"""A proxy between client and server that falls silent or breaks off on demand: the faults of a network."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from exchanges_db.database.dsn import Dsn


class ToxicProxy:
    """Carries connections to a server.

    Attributes:
        silent: swallow everything in both directions, as a router that lost its table does.
        reset_after: when the client has sent these bytes and the server has answered, drop the answer and reset.
    """

    def __init__(self, target: Dsn) -> None:
        self._host, self._port = target.hosts[0]
        self._clients: set[asyncio.StreamWriter] = set()
        self.silent = False
        self.reset_after: bytes | None = None

    def reset(self) -> None:
        """Break every connection off with RST."""
        for writer in [writer for writer in self._clients if not writer.is_closing()]:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until either side ends."""
        self._clients.add(writer)
        if self._host.startswith("/"):
            path = f"{self._host}/.s.PGSQL.{self._port}"
            from_server, to_server = await asyncio.open_unix_connection(path)
        else:
            from_server, to_server = await asyncio.open_connection(self._host, self._port)
        armed = False
        async with asyncio.TaskGroup() as both:

            async def forth() -> None:
                nonlocal armed
                while data := await _read(reader):
                    armed = armed or (self.reset_after is not None and self.reset_after in data)
                    if not self.silent:
                        to_server.write(data)
                to_server.close()

            async def back() -> None:
                while data := await _read(from_server):
                    if armed:
                        self.reset_after = None
                        self.reset()
                    elif not self.silent:
                        writer.write(data)
                writer.close()

            both.create_task(forth())
            both.create_task(back())
        self._clients.discard(writer)


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except OSError:
        return b""


@asynccontextmanager
async def toxic_proxy(target: Dsn) -> AsyncIterator[tuple[ToxicProxy, Dsn]]:
    """A proxy before `target`, and the Dsn that goes through it."""
    proxy = ToxicProxy(target)
    server = await asyncio.start_server(proxy.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield proxy, replace(target, hosts=(("127.0.0.1", port),), sslmode="disable")
    finally:
        server.close()
        proxy.reset()
