"""The roles that `exchanges-db roles` prints, made on a database of a test, with a login as each of them."""

import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.quoting import quote_name
from tests.acceptance.command import ok
from tests.factories import connected

# What the options are called, and what the owner is for whoever logs in: a deployer, who becomes the owner.
KINDS = ("owner", "app", "readonly", "deployer", "importer", "keeper", "trader")
LOGINS = ("deployer", "app", "readonly", "importer", "keeper", "trader")
_numbers = itertools.count(1)


def printed(names: dict[str, str], *more: str) -> str:
    """Return what the command prints for these names."""
    options = [f"--{kind}={name}" for kind, name in names.items()]
    return ok("roles", *options, *more, url=None)


def new_names() -> dict[str, str]:
    """Return names that no other test has: roles belong to the server, not to a database."""
    number = f"{os.getpid()}_{next(_numbers)}"
    return {kind: f"exchanges_db_{kind}_{number}" for kind in KINDS}


async def drop_roles(dsn: Dsn, names: dict[str, str]) -> None:
    """Give what they own and may in this database back, and drop them."""
    async with connected(dsn) as superuser:
        there = await superuser.fetch("SELECT rolname FROM pg_roles WHERE rolname = ANY($1)", list(names.values()))
        for (name,) in there:
            quoted = quote_name(name)
            await superuser.execute(f"REASSIGN OWNED BY {quoted} TO CURRENT_USER; DROP OWNED BY {quoted} CASCADE")
        for (name,) in there:
            await superuser.execute(f"DROP ROLE {quote_name(name)}")


@asynccontextmanager
async def roles_on(dsn: Dsn) -> AsyncIterator[dict[str, Dsn]]:
    """Make them on a database that was migrated, and yield the database as each login."""
    names = new_names()
    async with connected(dsn) as superuser:
        await superuser.execute(printed(names, "--database", str(dsn.database)))
    try:
        yield {kind: replace(dsn, user=names[kind]) for kind in LOGINS}
    finally:
        await drop_roles(dsn, names)
