"""A command works on the database that was asked for, and on no other."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exchanges_db.database.dsn import Dsn
from exchanges_db.registry.file import write_snapshot
from tests.acceptance.command import ok, run, run_program
from tests.acceptance.test_cli_output import COMMANDS
from tests.fix_server import run_dbmate, url_of
from tests.payload_rows import SPOT, many, payload
from tests.snapshots import NOW, a_snapshot

# What each command needs to be called at all.
NEEDS = {
    "show": ["MEXC_SPOT"], "add": ["X", "--market-type", "spot"], "set": ["MEXC_SPOT", "name=X"], "rollback": ["--yes"],
    "activate": ["MEXC_SPOT"], "deactivate": ["MEXC_SPOT"], "history": ["MEXC_SPOT"], "import": [SPOT, "{file}"],
    "symbols show": [SPOT, "X"], "symbols history": [SPOT, "X"], "symbols raw": [SPOT, "X"],
    "fees set": ["MEXC_SPOT", "--maker", "0", "--taker", "0"], "fees forget": ["MEXC_SPOT"],
    "fees show": ["MEXC_SPOT", "X"], "fees history": ["MEXC_SPOT"],
    "symbols diff": [SPOT, "--since", "2026-01-01T00:00:00Z"],
    "adopt": ["--schema", "legacy"], "hold": ["MEXC_SPOT", "--reason", "why"], "release": ["MEXC_SPOT"],
    "symbols hold": [SPOT, "X", "--native", "--reason", "why"], "symbols release": [SPOT, "X", "--native"],
    "prune": ["--before", "2026-01-01T00:00:00Z", "--yes"],
    "roles": ["--owner", "o", "--app", "a", "--readonly", "r"],
    "imports show": ["1"],
    "symbols search": ["X"], "symbols common": [SPOT, "MEXC_SPOT"],
    "snapshot save": ["{file}.snapshot"], "snapshot show": ["{file}.snapshot"],
    "snapshot verify": ["{file}.snapshot", "--against-database"],
    "watch": ["--for", "1s"],
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A list of symbols; beside it is a snapshot."""
    path = tmp_path / "spot.json"
    path.write_bytes(payload(SPOT, many(SPOT, 3)))
    write_snapshot(f"{path}.snapshot", a_snapshot(), NOW)
    return str(path)


def arguments_of(name: str, file: str) -> list[str]:
    """The words that call a command."""
    return [*name.split(), *(word.format(file=file) for word in NEEDS.get(name, []))]


ASKING = sorted(name for name, command in COMMANDS.items() if any("--embedded" in p.opts for p in command.params))


def test_all_commands_but_four_ask_a_database(file: str) -> None:
    """`schema` and `snapshot show` print what is in files, `roles` SQL for a DBA, `readers` what is installed."""
    assert COMMANDS.keys() - set(ASKING) == {"schema", "roles", "readers", "snapshot show"}
    for url in (None, "", "nonsense"):
        assert 'CREATE ROLE "o" NOLOGIN' in ok(*arguments_of("roles", ""), url=url)
        assert "CREATE TABLE public.symbols" in ok("schema", url=url)
        assert "gateio_delivery" in ok("readers", url=url)
        assert "made_by" in ok(*arguments_of("snapshot show", file), url=url)


@pytest.mark.parametrize("name", ASKING)
def test_without_a_database_every_command_refuses(name: str, file: str) -> None:
    """And says what to set; an empty variable is a secret that was not filled in, and leads nowhere either."""
    for url, reason in ((None, "DATABASE_URL is not set"), ("", "DATABASE_URL is set but empty"), (" ", "but empty")):
        result = run(*arguments_of(name, file), url=url)
        assert (result.returncode, result.stdout) == (2, ""), result.stderr
        assert reason in result.stderr
    assert "--embedded" in run(*arguments_of(name, file), url=None).stderr


@pytest.mark.parametrize("name", ASKING)
def test_every_command_can_be_told_to_use_the_embedded_server(name: str, file: str, tmp_path: Path) -> None:
    """In front of the command and behind it, and by DATABASE_URL; it is the only way to it."""
    (tmp_path / "not-a-folder").write_text("")
    place = str(tmp_path / "not-a-folder" / "postgres")
    words = arguments_of(name, file)
    for arguments, url in (
        (["--embedded", *words], None),
        ([*words, "--embedded"], "postgresql://nobody@localhost:1/nowhere"),
        (words, "embedded:"),
    ):
        result = run(*arguments, url=url, EXCHANGES_DB_EMBEDDED_DIR=place)
        assert (result.returncode, "the embedded PostgreSQL in" in result.stderr) == (2, True), result.stderr


@pytest.fixture
def folder() -> Iterator[str]:
    """A new place for the server's data; short, as the name of a socket must be."""
    parent = Path(tempfile.mkdtemp(prefix="exchanges_db_"))
    parent.chmod(0o755)  # as root, the server runs as a user who must come in
    yield str(parent / "postgres")
    shutil.rmtree(parent, ignore_errors=True)


def test_what_one_command_writes_the_next_one_reads(folder: str) -> None:
    """Each command starts the server and stops it again; the data stays."""
    for arguments in (["migrate", "--embedded"], ["--embedded", "set", "MEXC_SPOT", "precision_default=5"]):
        result = run_program(*arguments, url=None, EXCHANGES_DB_EMBEDDED_DIR=folder)
        assert result.returncode == 0, result.stderr
        assert f"starting the embedded PostgreSQL in {folder}" in result.stderr
        assert f"database: postgres of the embedded server in {folder}" in result.stderr
    shown = run_program("show", "MEXC_SPOT", "--json", url="embedded:", EXCHANGES_DB_EMBEDDED_DIR=folder)
    assert json.loads(shown.stdout)["precision_default"] == 5
    assert not (Path(folder) / "postmaster.pid").exists()


READS = {
    "list", "show", "history", "stats", "status", "schema", "validate", "symbols list", "symbols show",
    "symbols history", "symbols diff", "symbols search", "symbols common", "symbols stats", "symbols lists",
    "symbols holds", "prunes", "symbols raw", "readers", "imports list", "imports show", "fees list", "fees show",
    "fees history",
    "roles",
    "snapshot save", "snapshot show", "snapshot verify",
    "watch",
}  # fmt: skip
# `sync` needs a server in an exchange's place: test_cli_symbols.py has one. `adopt` needs tables: test_cli_adopt.py.
WRITES = sorted(COMMANDS.keys() - READS - {"sync", "adopt"})


@pytest.mark.parametrize("name", WRITES)
def test_every_write_says_where_it_was_done(dsn: Dsn, file: str, name: str) -> None:
    """On stderr, host and name and no password; a new command counts as a write until it is one of READS."""
    if name == "fees forget":
        ok(*arguments_of("fees set", file), url=url_of(dsn))
    if name.endswith("release"):
        ok(*arguments_of(name.replace("release", "hold"), file), url=url_of(dsn))
    result = run(*arguments_of(name, file), url=url_of(dsn))
    assert result.returncode == 0, result.stderr
    assert f"database: {dsn}\n" in result.stderr


@pytest.mark.parametrize("name", sorted(READS))
def test_a_read_does_not_say_where(dsn: Dsn, file: str, name: str) -> None:
    """And it is a read: a database that takes no writes answers it; a validation tells of what it could not try."""
    read_only = replace(dsn, settings={"default_transaction_read_only": "on"})
    result = run(*arguments_of(name, file), url=url_of(read_only))
    assert result.returncode in (0, 1), result.stderr
    assert "read-only" not in result.stderr
    assert "database:" not in result.stderr


def test_a_dry_run_says_nothing_of_where(dsn: Dsn, file: str) -> None:
    """It writes nothing there."""
    assert "database:" not in run("import", SPOT, file, "--dry-run", url=url_of(dsn)).stderr


@pytest.mark.parametrize(
    "line",
    [
        "DATABASE_URL={url}", "export DATABASE_URL={url}", 'DATABASE_URL="{url}"', "DATABASE_URL='{url}'  # mine",
        "# DATABASE_URL=postgresql://localhost:1/other\nDATABASE_URL={url} # mine",
        "DATABASE_URL=postgresql://localhost:1/first\nDATABASE_URL={url}",
    ],
)  # fmt: skip
def test_an_env_file_is_read_as_dbmate_reads_it(dsn: Dsn, tmp_path: Path, line: str) -> None:
    """One file in the working directory leads both to one database."""
    (tmp_path / ".env").write_text(line.format(url=dsn.dbmate_url()) + "\nEXCHANGES_DB_POOL_MAX=1\n")
    assert run_dbmate(dsn, "status", folder=tmp_path).returncode == 0
    assert json.loads(ok("list", "--json", url=None, folder=tmp_path))
    assert f"database: {dsn}\n" in run("populate", url=None, folder=tmp_path).stderr


def test_the_environment_wins_over_the_env_file(dsn: Dsn, empty_dsn: Dsn, tmp_path: Path) -> None:
    """As with dbmate, also where the variable is empty; another file is named with --env-file."""
    (tmp_path / ".env").write_text(f"DATABASE_URL={empty_dsn.dbmate_url()}\n")
    assert run("list", url=url_of(dsn), folder=tmp_path).returncode == 0
    assert "set but empty" in run("list", url="", folder=tmp_path).stderr
    (tmp_path / "other").write_text(f"DATABASE_URL={dsn.dbmate_url()}\n")
    assert run("list", url=None, folder=tmp_path).returncode == 3
    assert run("--env-file", "other", "list", url=None, folder=tmp_path).returncode == 0


def test_a_url_that_is_not_used_is_not_judged(dsn: Dsn, tmp_path: Path) -> None:
    """The .env file of another program in the same folder may be written as that one likes."""
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://app:${DB_PASSWORD}@db/app\n")
    assert run("list", url=url_of(dsn), folder=tmp_path).returncode == 0
    assert "holds a $" in run("list", url=None, folder=tmp_path).stderr


def test_an_env_file_may_be_a_pipe(dsn: Dsn) -> None:
    """As where a program decrypts it: --env-file <(sops --decrypt ...); a pipe is read once."""
    reader, writer = os.pipe()
    os.write(writer, f"\ufeffDATABASE_URL={dsn.dbmate_url()}\n".encode())
    os.close(writer)
    result = run("--env-file", f"/dev/fd/{reader}", "list", url=None)
    os.close(reader)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"DATABASE_URL=postgresql://u:a$b@localhost/d\n", "holds a $"),
        (b"DATABASE_URL: postgresql://localhost/d\n", "not of the form DATABASE_URL=VALUE"),
        (b"DATABASE_URL=\n", "set but empty"),
        (b"DATABASE_URL=\xff\n", "not UTF-8"),
        (b"DATABASE_URL=postgresql://u:canary@h/d\0\n", "no environment can hold"),
        (b"DATABASE_URL=postgresql://u:canary@h/d\n'a=b'=1\n", "no environment can hold"),
        (None, "No such file"),
    ],
)
def test_an_env_file_that_could_be_misread_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    """Rather than read in another way than dbmate does; its text is not repeated."""
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    result = run("--env-file", "file", "list", url=None, folder=tmp_path)
    assert (result.returncode, words in result.stderr) == (2, True), result.stderr
    assert "localhost" not in result.stderr


def test_python_m_is_the_same_command() -> None:
    """`python -m exchanges_db` for where scripts are not in PATH."""
    result = subprocess.run(
        [sys.executable, "-m", "exchanges_db", "--version"], capture_output=True, text=True, timeout=30, check=False
    )
    assert result.stdout.startswith("exchanges-db ")
