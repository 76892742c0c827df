"""An HTTP server on this machine that answers as a test tells it to: well, slowly, wrongly or not at all."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.socket_server import socket_server

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]
Exchange = Callable[["Request"], Behaviour]


@dataclass(frozen=True)
class Request:
    """What was asked: the path, the query by name, and the headers by name in small letters."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]

    @classmethod
    def parse(cls, text: bytes) -> "Request":
        """Return the request whose first lines these are."""
        first, *lines = text.decode("latin-1").split("\r\n")
        target = urlsplit(first.split()[1])
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        return cls(target.path, dict(parse_qsl(target.query)), headers)


@dataclass
class Server:
    """Where it listens, and what was asked of it."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    sent: int = 0

    @property
    def paths(self) -> list[str]:
        """The path of each request, in turn."""
        return [request.split()[1].decode() for request in self.requests]


@asynccontextmanager
async def serving(
    *behaviours: Behaviour | dict[str, Behaviour], exchange: Exchange | None = None
) -> AsyncIterator[Server]:
    """A server that answers the n-th request with the n-th behaviour, later ones with the last; a dict is by path.

    exchange: says for each request how it is answered, in place of `behaviours`.
    """
    server = Server("")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        server.requests.append(request)
        server.times.append(time.monotonic())
        if exchange is not None:
            await exchange(Request.parse(request))(writer)
            return
        behaviour = behaviours[min(len(server.requests), len(behaviours)) - 1]
        if isinstance(behaviour, dict):
            behaviour = behaviour.get(server.paths[-1], answer(b"{}", status=404))
        await behaviour(writer)

    async with socket_server(handle) as port:
        server.url = f"http://127.0.0.1:{port}"
        yield server


def answer(body: Any = b"[1]", *, status: int = 200, length: int | None = None, **headers: Any) -> Behaviour:
    """An answer with this body; `length` is what it claims to have."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {
        "Content-Type": "application/json",
        "Content-Length": str(len(content) if length is None else length),
        "Connection": "close",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = f"HTTP/1.1 {status} Any\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(head.encode() + content)
        await writer.drain()

    return behave


def packed(body: bytes) -> Behaviour:
    """The body as gzip."""
    return answer(gzip.compress(body), Content_Encoding="gzip")


def chunked(*pieces: bytes, pause: float = 0.0) -> Behaviour:
    """Pieces without a Content-Length, with a pause before each."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (*pieces, b""):
            await asyncio.sleep(pause)
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()

    return behave


def garbage(text: bytes) -> Behaviour:
    """Bytes that are no HTTP."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()

    return behave


async def silence(writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing."""
    await asyncio.sleep(60)
    writer.close()


async def flood(writer: asyncio.StreamWriter) -> None:
    """A body without end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(10_000):
        writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
        await writer.drain()
