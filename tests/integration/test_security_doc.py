"""docs/security.md and SECURITY.md: the statement that shows who changed a limit is run, and what they name exists."""

import asyncio
import re
from dataclasses import replace

import pytest

from exchanges_db import Database, ExchangesDBError, update_exchange
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.schema.comparison import recorded_schema
from tests.acceptance.command import ok, run
from tests.factories import connected
from tests.fix_server import ROOT, url_of
from tests.role_logins import roles_on

TEXT = (ROOT / "docs/security.md").read_text(encoding="utf-8")
LIMIT = "rate_limit_requests_per_second"


async def test_who_changed_which_rate_limit_can_be_shown(stocked_dsn: Dsn) -> None:
    """Two programs with a login each, one of them through the command, and a change of something else between them."""
    (query,) = re.findall(r"^```sql\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    async with roles_on(stocked_dsn) as logins:
        desk = replace(logins["trader"], settings={"application_name": "desk-7"})
        async with Database(desk) as database:
            await update_exchange(1, {LIMIT: 7}, db=database)
            await update_exchange(1, {"display_name": "Other"}, db=database)
        await asyncio.to_thread(ok, "set", "MEXC_SPOT", f"{LIMIT}=9", url=url_of(logins["keeper"]))
        async with connected(logins["readonly"]) as reader:
            found = [tuple(row)[1:] for row in await reader.fetch(query)][-2:]
        assert found == [
            (logins["trader"].user, "desk-7", "MEXC_SPOT", "50", "7"),
            (logins["keeper"].user, "exchanges_db", "MEXC_SPOT", "7", "9"),
        ]
        shown = await asyncio.to_thread(ok, "history", "MEXC_SPOT", url=url_of(logins["readonly"]))
    assert all(f"\t{logins[kind].user}\t" in shown for kind in ("trader", "keeper"))


def test_the_columns_that_record_somebody_are_there() -> None:
    """Every column of the database that holds who it was is in the table, beside its table."""
    section = TEXT.split("| what | recorded in | who |")[1].split("\n\n")[0]
    named = set()
    for line in section.splitlines()[2:]:
        _, where, who = line.strip("|").split("|")
        named |= {(t, c) for t in re.findall(r"`(\w+)`", where) for c in re.findall(r"`(\w+_by)`", who)}
    columns = {(item.table_name, item.object_name) for item in recorded_schema() if item.kind == "column"}
    tables = {item.object_name for item in recorded_schema() if item.kind == "table"}
    recording = {(table, column) for table, column in columns if column.endswith("_by") and table in tables}
    assert recording <= named
    assert len(recording) >= 7


@pytest.mark.parametrize("document", ["docs/security.md", "SECURITY.md"])
def test_every_file_that_is_named_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    paths = re.findall(r"`((?:docs|tests|src|db)/[\w./-]+|[\w.]+\.(?:md|lock|yaml))`", text)
    assert len(paths) >= 2
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("host", "mode"),
    [
        ("?host=/tmp", "prefer"), ("localhost", "prefer"), ("127.0.0.1", "prefer"), ("[::1]", "prefer"),
        ("db", "verify-full"), ("localhost,db", "verify-full"), ("db?sslmode=disable", "disable"),
    ],
)  # fmt: skip
def test_the_defaults_of_tls_are_those_of_the_table(host: str, mode: str) -> None:
    """Beside the tests of each mode."""
    name, _, query = host.partition("?")
    assert parse_dsn(f"postgresql://{name}/x?{query}").tls_mode() == mode


def test_a_password_is_in_no_answer() -> None:
    """Where the server is not there, and where the URL cannot be read; the tests of secrets go through every path."""
    for url in ("postgresql://me:CANARY@localhost:1/x", "postgresql://me:CAN#ARY@localhost:1/x"):
        result = run("list", url=url, EXCHANGES_DB_CONNECT_TIMEOUT="1")
        assert result.returncode in (2, 3)
        assert "CANARY" not in result.stdout + result.stderr
        assert "CAN" not in result.stderr
    with pytest.raises(ExchangesDBError) as info:
        parse_dsn("postgresql://me:CANARY@@x")
    assert "CANARY" not in str(info.value)
