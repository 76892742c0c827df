"""The ways to do the look-up that are compared, in the order of the tables."""

from __future__ import annotations

from benchmarks import with_asyncpg, with_piccolo, with_psycopg, with_sqlalchemy, with_tortoise
from benchmarks.figures import BASELINE, OURS
from benchmarks.look_up import Contender

LOOK_UPS = (
    Contender(OURS, "get_exchange_by_enum", with_asyncpg.open_ours),
    Contender(BASELINE, "(a) asyncpg, one connection", with_asyncpg.open_connection),
    Contender("pool", "(b) asyncpg, pool.fetchrow", with_asyncpg.open_pool),
    Contender("psycopg", "(c) psycopg 3, pool", with_psycopg.open_pool),
    Contender("core", "(d) SQLAlchemy Core", with_sqlalchemy.open_core),
    Contender("orm", "(e) SQLAlchemy ORM", with_sqlalchemy.open_orm),
    Contender("generated", "(f) generated, SQLAlchemy", with_sqlalchemy.open_generated),
    Contender("tortoise", "(g) Tortoise ORM", with_tortoise.open_get),
    Contender("piccolo", "(h) Piccolo", with_piccolo.open_frozen),
)

THROUGHPUT = (
    Contender(OURS, "get_exchange_by_enum", with_asyncpg.open_ours),
    Contender("pool", "asyncpg, pool.fetchrow", with_asyncpg.open_pool),
    Contender("pool_without_reset", "asyncpg, pool without reset", with_asyncpg.open_pool_without_reset),
)
