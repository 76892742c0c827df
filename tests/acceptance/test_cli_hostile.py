"""Hostile text in every argument: kept as given or refused, never executed, never read as markup."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from exchanges_db.database.dsn import Dsn
from tests.acceptance.command import ok, run
from tests.fix_server import url_of

HOSTILE = [
    "'; DROP TABLE exchanges; --",
    "x' OR '1'='1",
    "$$; DELETE FROM exchanges; $$",
    "\\'; TRUNCATE exchanges; --",
    "[bold red]markup[/bold red]",
    "\x1b[31mred\x1b[0m",
    "a\nb",
    "--all",
    "=",
    "\u202eRTL\u200b",
    "Бинанс 交易所 🚀",
    "x" * 5000,
    "",
    " ",
    "%s %(name)s {0}",
]


@pytest.fixture
def url(dsn: Dsn) -> str:
    """DATABASE_URL of a migrated database of one's own."""
    return url_of(dsn)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_or_refused(url: str, text: str) -> None:
    """Through every free argument the rows that were there stay, and what is added comes back as given."""
    before = json.loads(ok("list", "--all", "--json", url=url))
    commands = [
        ["add", "--market-type", "spot", "--inactive", "--", text],
        ["add", "--market-type", text, "--", "X"],
        ["add", "B", "--market-type", "spot", "--base-url", text, "--inactive"],
        ["set", "--", "MEXC_SPOT", f"{text}=1"],
        ["show", "--", text],
        ["history", "--", text],
        ["show", "MEXC_SPOT", "--at", text],
        ["list", "--market-type", text],
    ]
    added = []
    with ThreadPoolExecutor() as threads:
        results = list(threads.map(lambda command: run(*command, url=url), commands))
    for command, result in zip(commands, results, strict=True):
        assert result.returncode in (0, 1, 2), (command, result.stderr)
        assert "Traceback" not in result.stderr
        assert "\x1b" not in result.stdout + result.stderr
        if result.returncode == 0 and command[0] == "add":
            added.append(text)
    after = json.loads(ok("list", "--all", "--json", url=url))
    assert [row for row in after if row["name"] not in added] == before
    assert sorted(row["name"] for row in after if row["name"] in added) == sorted(added)
