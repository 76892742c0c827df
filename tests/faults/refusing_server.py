"""A server that turns clients away as PostgreSQL does when it starts, is full or breaks off; later it lets them in."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from exchanges_db.database.dsn import Dsn
from tests.toxic_proxy import ToxicProxy

WORDS = {"53300": "sorry, too many clients already", "57P03": "the database system is starting up"}


class RefusingServer(ToxicProxy):
    """Refuses logins with `sqlstate`, or breaks off where that is "EOF", as long as `refusals` last.

    Attributes:
        refusals: how many logins are still to be refused.
        moments: when each login was refused.
    """

    def __init__(self, target: Dsn, sqlstate: str, refusals: int) -> None:
        super().__init__(target)
        self.sqlstate = sqlstate
        self.refusals = refusals
        self.moments: list[float] = []

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusals <= 0:
            await super()._carry(reader, writer)
            return
        self.refusals -= 1
        self.moments.append(time.monotonic())
        try:
            length = int.from_bytes(await reader.readexactly(4))
            await reader.readexactly(length - 4)
            if self.sqlstate != "EOF":
                fields = {"S": "FATAL", "V": "FATAL", "C": self.sqlstate, "M": WORDS[self.sqlstate]}
                body = b"".join(f"{name}{value}\0".encode() for name, value in fields.items()) + b"\0"
                writer.write(b"E" + (len(body) + 4).to_bytes(4) + body)
                await writer.drain()
        except (OSError, EOFError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def refusing_server(target: Dsn, sqlstate: str, refusals: int) -> AsyncIterator[tuple[RefusingServer, Dsn]]:
    """Such a server before `target`, and the Dsn that leads to it."""
    server = RefusingServer(target, sqlstate, refusals)
    await server.listen()
    try:
        yield server, replace(target, hosts=(("127.0.0.1", server.port),), sslmode="disable")
    finally:
        await server.end()
