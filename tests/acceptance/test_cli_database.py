"""The commands on the database as a whole, on a real server."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.sql_files import migrations_directory
from tests.acceptance.command import ok, run, run_program
from tests.fix_server import run_dbmate, url_of

NEWEST = max(path.name for path in migrations_directory().glob("*.sql"))


@pytest.fixture
def url(empty_dsn: Dsn) -> str:
    """DATABASE_URL of an empty database of one's own."""
    return url_of(empty_dsn)


def test_status_says_pending_then_applied(url: str) -> None:
    """Exit code 1 while something is pending, 0 afterwards; the same in JSON."""
    before = run("status", "--json", url=url)
    assert before.returncode == 1
    assert not any(row["applied"] for row in json.loads(before.stdout)["migrations"])
    assert "applied 002_create_exchanges.sql" in ok("migrate", url=url)
    assert "nothing to apply" in ok("migrate", url=url)
    assert all(
        row["applied"] and row["changed"] is False for row in json.loads(ok("status", "--json", url=url))["migrations"]
    )


def test_status_and_migrate_accept_what_plain_dbmate_applied(url: str, empty_dsn: Dsn) -> None:
    """A deploy may run `dbmate up`; checksums are kept from the next migrate on."""
    assert run_dbmate(empty_dsn, "up").returncode == 0
    assert "applied, no checksum kept" in ok("status", url=url)
    assert "nothing to apply" in ok("migrate", url=url)
    assert "no checksum" not in ok("status", url=url)


def test_status_tells_another_projects_version_from_ours(url: str, empty_dsn: Dsn, tmp_path: Path) -> None:
    """Their 002 has our number: exit code 1, the way out on stderr, and --migrations-table is that way."""
    (tmp_path / "002_orders.sql").write_text(
        "-- migrate:up\nCREATE TABLE orders (id int);\n-- migrate:down\nDROP TABLE orders;\n"
    )
    assert run_dbmate(empty_dsn, "up", migrations=tmp_path).returncode == 0
    status = run("status", "--json", url=url)
    assert status.returncode == 1
    assert [row["version"] for row in json.loads(status.stdout)["migrations"] if row["foreign"]] == ["002"]
    refused = run("migrate", url=url)
    assert refused.returncode == 6
    for result in (status, refused):
        assert "keep our migrations in a table of their own: DBMATE_MIGRATIONS_TABLE=" in result.stderr
    assert "somebody else's" in run("status", url=url).stdout
    assert "somebody else's" in run("validate", "--lookups", "100", url=url).stdout

    own = ("--migrations-table", "own.My Ledger")
    assert "applied 002_create_exchanges.sql" in ok("migrate", *own, url=url)
    assert all(row["applied"] for row in json.loads(ok("status", "--json", *own, url=url))["migrations"])
    assert re.search(
        r"(\d+) of \1 in own.My Ledger", ok("validate", "--lookups", "100", "--target-ms", "1000", *own, url=url)
    )
    assert run("status", url=url, DBMATE_MIGRATIONS_TABLE="own.My Ledger").returncode == 0
    assert f"undid {NEWEST}" in ok("rollback", "--yes", *own, url=url)


def test_an_unusable_ledger_is_a_wrong_configuration(url: str) -> None:
    """By option and by variable, also where the variable is there and empty."""
    for command in (("migrate",), ("status",), ("rollback", "--yes"), ("validate",)):
        assert run(*command, "--migrations-table", "a.b.c", url=url).returncode == 2
    result = run("migrate", url=url, DBMATE_MIGRATIONS_TABLE="")
    assert result.returncode == 2
    assert "DBMATE_MIGRATIONS_TABLE is unusable" in result.stderr


def test_rollback_asks_first_and_undoes_one(url: str) -> None:
    """Without --yes and without a terminal nothing happens."""
    ok("migrate", url=url)
    refused = run("rollback", url=url)
    assert "] \nerror: nothing was done: it was not confirmed" in refused.stderr  # the error on a line of its own
    assert (refused.returncode, refused.stdout) == (1, "")  # a question is no answer
    assert ok("status", url=url)
    assert f"undid {NEWEST}" in ok("rollback", "--yes", url=url)
    assert run("status", url=url).returncode == 1
    assert f"applied {NEWEST}" in ok("migrate", url=url)


def test_five_migrates_at_once_all_succeed_and_one_applies(url: str) -> None:
    """The others wait, and find nothing to do."""
    with ThreadPoolExecutor() as threads:
        results = list(threads.map(lambda _: run_program("migrate", url=url), range(5)))
    assert [result.returncode for result in results] == [0] * 5, [result.stderr for result in results]
    assert sorted(result.stdout.startswith("applied") for result in results) == [False] * 4 + [True]
    assert ok("status", url=url)


def test_commands_on_an_unmigrated_database_say_migrate(url: str) -> None:
    """The error names the command that mends it."""
    result = run("list", url=url)
    assert result.returncode == 3
    assert "run `exchanges-db migrate`" in result.stderr


def test_validate_passes_and_writes_its_page(dsn: Dsn, tmp_path: Path) -> None:
    """A healthy database passes; the page and the JSON say the same."""
    page = tmp_path / "report.html"
    answer = ok("validate", "--json", "--lookups", "200", "--target-ms", "1000", "--html", str(page), url=url_of(dsn))
    report = json.loads(answer)
    assert all(check["passed"] for check in report["checks"])
    assert "<svg" in page.read_text()


def test_validate_quick_fails_for_what_stands_around_the_tables_too(dsn: Dsn) -> None:
    """A deploy that forgot that there is no pooler stops there, and a program can read why."""
    result = run("validate", "--quick", "--json", url=url_of(dsn), EXCHANGES_DB_POOLER="transaction")
    report = json.loads(result.stdout)
    assert (result.returncode, report["passed"]) == (1, False)
    assert [check["name"] for check in report["checks"] if not check["passed"]] == ["pooler as set"]


def test_validate_fails_on_an_unmigrated_database(url: str) -> None:
    """Exit code 1, the failed checks on stdout, no traceback."""
    result = run("validate", "--lookups", "100", url=url)
    assert result.returncode == 1
    assert "FAILED" in result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("postgresql://bob:cana#ry@localhost/db", 2),
        ("postgresql://bob:cana/ry@localhost/db", 2),
        ("postgresql://bob:cana?ry@localhost/db", 2),
        ("postgresql://bob:canary@localhost:99999/db", 2),
        ("mysql://bob:canary@localhost/db", 2),
        ("postgresql://bob:canary@localhost:1/db", 3),
        ("postgresql://bob:canary@localhost:1/db?sslmode=nonsense", 2),
    ],
)
@pytest.mark.parametrize("command", ["list", "migrate", "status", "validate"])
def test_a_bad_url_gives_one_line_without_the_password(command: str, wrong: str, code: int) -> None:
    """Nothing of what might be a password is printed."""
    result = run(command, url=wrong)
    assert result.returncode == code, result.stderr
    for piece in ("cana", "ry@", "canary"):
        assert piece not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
