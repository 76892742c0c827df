"""A server that is nothing but its greeting: what a PostgreSQL of any version says until the first statement."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from exchanges_db.database.dsn import Dsn

_SSL_REQUEST = (80877103).to_bytes(4)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4) + body


def _greeting(version: str) -> bytes:
    settings = {"server_version": version, "in_hot_standby": "off", "default_transaction_read_only": "off"}
    said = [_message(b"S", f"{name}\0{value}\0".encode()) for name, value in settings.items()]
    login, key, ready = _message(b"R", bytes(4)), _message(b"K", bytes(8)), _message(b"Z", b"I")
    return b"".join((login, *said, key, ready))


@asynccontextmanager
async def server_of_version(version: str) -> AsyncIterator[tuple[Dsn, list[bytes]]]:
    """Listen on a port; gives its Dsn, and the list of what clients sent after the greeting."""
    sent: list[bytes] = []
    greeted: list[asyncio.Task[None] | None] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeted.append(asyncio.current_task())
        request = await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4)
        if request == _SSL_REQUEST:
            writer.write(b"N")
            try:
                await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4)
            except asyncio.IncompleteReadError:  # it comes again, and does without TLS from the beginning
                writer.close()
                return
        writer.write(_greeting(version))
        try:
            while data := await reader.read(4096):
                sent.append(data)
                if data.endswith(b"X\0\0\0\x04"):  # the client says good-bye
                    break
        except ConnectionError:
            return
        finally:
            writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port: int = server.sockets[0].getsockname()[1]
        yield Dsn(hosts=(("127.0.0.1", port),), user="reader", database="trading"), sent
        async with asyncio.timeout(20):
            await asyncio.gather(*filter(None, greeted))
