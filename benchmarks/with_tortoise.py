"""Tortoise ORM: its model and `get`, on its asyncpg pool."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tortoise import Tortoise, fields
from tortoise.models import Model

from benchmarks.look_up import ENUM_VALUE, POOL_SIZE, LookUp
from exchanges_db.database.dsn import Dsn


class TortoiseExchange(Model):
    """Tortoise's exchange."""

    id = fields.SmallIntField(primary_key=True)
    name = fields.CharField(50)
    enum_value = fields.CharField(50)
    display_name = fields.CharField(100)
    market_type = fields.CharField(20)
    is_active = fields.BooleanField()
    base_url = fields.CharField(255, null=True)
    websocket_url = fields.CharField(255, null=True)
    rate_limit_requests_per_second = fields.IntField(null=True)
    precision_default = fields.SmallIntField()
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    version = fields.IntField()

    class Meta:
        """Where the rows are."""

        table = "exchanges"
        schema = "public"


@asynccontextmanager
async def open_get(dsn: Dsn) -> AsyncIterator[LookUp]:
    """`Model.get` for each look-up."""
    credentials = {**dsn.asyncpg_arguments(), "minsize": POOL_SIZE, "maxsize": POOL_SIZE}
    if dsn.hosts:
        credentials["host"], credentials["port"] = dsn.hosts[0]
    await Tortoise.init(
        config={
            "connections": {"default": {"engine": "tortoise.backends.asyncpg", "credentials": credentials}},
            "apps": {"benchmark": {"models": [__name__], "default_connection": "default"}},
            "use_tz": True,
        }
    )

    async def look_up() -> object:
        return await TortoiseExchange.get(enum_value=ENUM_VALUE, is_active=True)

    try:
        yield look_up
    finally:
        await Tortoise.close_connections()
