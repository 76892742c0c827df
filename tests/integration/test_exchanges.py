"""The look-ups and changes of exchanges, on a real server."""

import asyncpg

from exchanges_db import ExchangeEnum, get_exchange_by_enum


async def test_each_enum_finds_its_exchange(conn: asyncpg.Connection) -> None:
    """A fresh database answers for every member."""
    for member in ExchangeEnum:
        exchange = await get_exchange_by_enum(member, db=conn)
        assert exchange is not None
        assert exchange.to_exchange_enum() is member
