"""Servers that speak just enough of PostgreSQL's protocol to be refused, to refuse, or to let a client in."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from tests.socket_server import socket_server

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _refusal(sqlstate: str, words: str = "no") -> bytes:
    parts = ("SFATAL", "VFATAL", f"C{sqlstate}", f"M{words}")
    return _message(b"E", b"".join(part.encode() + b"\0" for part in parts) + b"\0")


def _welcome(standby: bool, other: dict[str, str]) -> bytes:
    told = {"server_version": "18.1", "in_hot_standby": "on" if standby else "off", "client_encoding": "UTF8",
            "default_transaction_read_only": "off", **other}  # fmt: skip
    parameters = (_message(b"S", f"{name}\0{value}\0".encode()) for name, value in told.items() if value)
    return b"".join((_message(b"R", struct.pack("!i", 0)), *parameters, _message(b"K", bytes(8)), _message(b"Z", b"I")))


@dataclass
class Stub:
    """How a server behaves, and what it was sent.

    Attributes:
        tls: the certificate that it shows; without one it answers N, or is used without TLS.
        refuse: the SQLSTATE with which it ends a session; `password` asks for the password first.
        silent, closes: it never answers a startup packet; it breaks off instead.
        greeting: what it says of itself in its own way; an empty value is left out.
        in_clear, in_tls: each run of bytes that came in, as the network shows it, and inside of TLS.
    """

    tls: ssl.SSLContext | None = None
    refuse: str = ""
    words: str = "no"
    password: bool = False
    silent: bool = False
    closes: bool = False
    standby: bool = False
    greeting: dict[str, str] = field(default_factory=dict)
    port: int = 0
    sessions: int = 0
    in_clear: list[bytes] = field(default_factory=list)
    in_tls: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client had enough
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept = self.in_clear
        packet = await self._read(reader, kept)
        if packet == _SSL_REQUEST:
            writer.write(b"S" if self.tls else b"N")
            if self.tls:
                await writer.start_tls(self.tls)
                kept = self.in_tls
            packet = await self._read(reader, kept)
        if self.closes:
            return
        if self.silent:
            await reader.read()
            return
        if self.password:
            writer.write(_message(b"R", struct.pack("!i", 3)))
            kept.append(await reader.readexactly(1))
            await self._read(reader, kept)
        if self.refuse:
            writer.write(_refusal(self.refuse, self.words))
            return
        self.sessions += 1
        writer.write(_welcome(self.standby, self.greeting))
        await reader.read()

    async def _read(self, reader: asyncio.StreamReader, kept: list[bytes]) -> bytes:
        head = await reader.readexactly(4)
        packet = head + await reader.readexactly(struct.unpack("!i", head)[0] - 4)
        kept.append(packet)
        return packet


@asynccontextmanager
async def serving(*stubs: Stub) -> AsyncIterator[str]:
    """Serve them on this machine, and give the hosts of a URL that lists them in order."""
    async with AsyncExitStack() as stack:
        for stub in stubs:
            stub.port = await stack.enter_async_context(socket_server(stub.serve))
        yield ",".join(f"127.0.0.1:{stub.port}" for stub in stubs)
