"""The log of changes in the stream of logical replication, as what feeds a broker reads it."""

import asyncio
import random
import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

import asyncpg
import pytest

from tests.integration.test_registry_log import stamp_at_the_statement
from tests.servers import Server

pytestmark = pytest.mark.faults
WRITERS, COMMITS = 8, 25
# What docs/scale.md says: only updates, because what is written into the log gets its epoch by one.
PUBLISH = "CREATE PUBLICATION broker FOR TABLE public.registry_changes WITH (publish = 'update')"
SLOT = "SELECT pg_create_logical_replication_slot('broker', 'pgoutput')"
STREAM = """
    SELECT data FROM pg_logical_slot_get_binary_changes('broker', NULL, NULL,
                                                        'proto_version', '1', 'publication_names', 'broker')
"""
LOG = """
    SELECT epoch::text, token::text, changed, ids::text FROM registry_changes WHERE epoch > $1 ORDER BY epoch, id
"""


class Told(NamedTuple):
    """One row of the log, as the stream has it."""

    epoch: str | None
    token: str | None
    changed: str | None
    ids: str | None


def told(messages: list[bytes]) -> Iterator[Told]:
    """Read the messages of pgoutput, version 1: relations, whose columns have names, and updates."""
    names: list[str] = []
    for message in messages:
        if message[:1] == b"R":
            names = list(columns(message))
        elif message[:1] == b"U":
            assert message[5:6] == b"N"  # by its primary key, which never changes
            row = dict(zip(names, values(message[6:]), strict=True))
            yield Told(row["epoch"], row["token"], row["changed"], row["ids"])
        else:
            assert message[:1] in b"BCY"  # begin, commit, a type


def columns(message: bytes) -> Iterator[str]:
    rest = message[5:].split(b"\0", 2)[2]
    (count,) = struct.unpack_from("!H", rest, 1)
    rest = rest[3:]
    for _ in range(count):
        name, rest = rest[1:].split(b"\0", 1)
        yield name.decode()
        rest = rest[8:]


def values(row: bytes) -> Iterator[str | None]:
    (count,) = struct.unpack_from("!H", row)
    at = 2
    for _ in range(count):
        kind, at = row[at : at + 1], at + 1
        if kind == b"n":
            yield None
            continue
        assert kind == b"t"
        (length,) = struct.unpack_from("!I", row, at)
        yield row[at + 4 : at + 4 + length].decode()
        at += 4 + length


async def write(server: Server, number: int) -> None:
    """Commit changes, of one statement or two, that take as long as they like; every fifth is taken back."""
    dice = random.Random(number)
    conn = await asyncpg.connect(**server.dsn.asyncpg_arguments())
    try:
        for commit in range(COMMITS):
            transaction = conn.transaction()
            await transaction.start()
            for exchange in dice.sample((1, 2, 3), dice.choice((1, 1, 2))):
                await conn.execute(
                    "INSERT INTO holds (exchange_id, native_symbol, sides, reason) VALUES ($1, $2, 'ALL', 'a test')",
                    exchange,
                    f"{number} {commit}",
                )
            await asyncio.sleep(dice.uniform(0, 0.02))
            await (transaction.rollback() if commit % 5 == 4 else transaction.commit())
    finally:
        conn.terminate()


async def streamed(server: Server) -> tuple[list[Told], list[Told]]:
    """Return what the stream has of many writers, and what the log has."""
    await server.query(PUBLISH)
    await server.query(SLOT)
    known = await server.query("SELECT max(epoch) FROM registry_changes")
    async with asyncio.TaskGroup() as writers:
        for number in range(WRITERS):
            writers.create_task(write(server, number))
    conn = await asyncpg.connect(**server.dsn.asyncpg_arguments())
    try:
        stream = list(told([row[0] for row in await conn.fetch(STREAM)]))
        return stream, [Told(*row) for row in await conn.fetch(LOG, known)]
    finally:
        conn.terminate()


def epochs(stream: list[Told]) -> list[int]:
    return [int(one.epoch or 0) for one in stream]


async def test_the_stream_has_each_row_of_the_log_once_in_the_order_of_epochs(primary: Server) -> None:
    """So a broker that is fed from it needs nothing but the stream: its order is that of visibility."""
    await primary.set(wal_level="logical")
    await primary.restart()
    stream, log = await streamed(primary)
    assert len(set(epochs(stream))) == WRITERS * COMMITS * 4 // 5
    assert epochs(stream) == sorted(epochs(stream))
    assert sorted(stream, key=str) == sorted(log, key=str)


async def test_epochs_of_the_statements_are_streamed_out_of_order(
    new_primary: Callable[[int], Awaitable[Server]],
) -> None:
    """So the test above can fail."""
    server = await new_primary(18)
    await server.set(wal_level="logical")
    await server.restart()
    conn = await asyncpg.connect(**server.dsn.asyncpg_arguments())
    await stamp_at_the_statement(conn)
    await conn.close()
    stream, _ = await streamed(server)
    assert epochs(stream) != sorted(epochs(stream))
