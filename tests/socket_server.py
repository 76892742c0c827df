"""Serves connections on this machine with whatever a test makes of them; none outlives the test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def socket_server(handle: Handle, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Have each connection served by `handle`, and give the port; at the end all are broken off.

    What is left open would be found by whichever test runs when garbage is collected.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        # Cancelled when the test is over; a task that ends as cancelled would be reported as a fault of asyncio's.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await handle(reader, writer)
            writer.close()
            await writer.wait_closed()
        writer.transport.abort()

    server = await asyncio.start_server(serve, host, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)  # in which the loop closes what was broken off
