"""Ctrl-C ends the command with 130 and without a traceback, whatever it is doing."""

import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import pytest

from exchanges_db.database.dsn import Dsn
from tests.acceptance.test_cli_symbols import lead, served
from tests.exchange_server import BTC_PATH, exchanges
from tests.factories import connected
from tests.fix_server import url_of
from tests.http_server import silence
from tests.payload_rows import FUTURES

MOMENTS = 10


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Ctrl-C has its meaning, also where the tests themselves run in the background of a shell, which takes it away."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def started(*arguments: str, url: str, flags: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start the command; its stderr is a pipe."""
    return subprocess.Popen(
        [sys.executable, *flags, "-m", "exchanges_db", *arguments], env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tempfile.gettempdir(),
    )  # fmt: skip


def interrupted(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Press Ctrl-C, and return the exit code and what was said after it."""
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert "Traceback" not in stderr + stdout
    assert "Exception ignored" not in stderr
    return process.returncode, stderr


@pytest.fixture(scope="module")
def modules(shared_dsn: Dsn) -> list[str]:
    """The modules that a command loads, in this order, after its first line."""
    process = started("list", url=url_of(shared_dsn), flags=("-X", "importtime"))
    names = [line.split("|")[2].strip() for line in process.communicate(timeout=60)[1].splitlines() if "|" in line]
    return names[names.index("exchanges_db.cli") :]


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_while_modules_load(shared_dsn: Dsn, modules: list[str], moment: int) -> None:
    """From the first of them to the last; Python itself says which it has loaded."""
    awaited = modules[moment * (len(modules) - 1) // MOMENTS]
    process = started("list", url=url_of(shared_dsn), flags=("-X", "importtime"))
    assert process.stderr is not None
    assert any(line.split("|")[-1].strip() == awaited for line in process.stderr)
    code, _ = interrupted(process)
    assert code == 130


def test_while_it_connects() -> None:
    """To a server that takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = started("list", url=f"postgresql://u@127.0.0.1:{server.getsockname()[1]}/d?sslmode=disable")
        peer, _ = server.accept()
        with peer:
            code, said = interrupted(process)
    assert code == 130
    assert said == "interrupted: a change that was under way may or may not have been made\n"


async def test_while_the_server_works(dsn: Dsn) -> None:
    """On a statement that waits for a lock; nothing is written, and no session stays behind."""
    async with connected(dsn) as connection:
        async with connection.transaction():
            await connection.execute("LOCK TABLE exchanges")
            process = started("deactivate", "MEXC_SPOT", url=url_of(dsn))
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            deadline = time.monotonic() + 50
            while not await connection.fetchval(waits):
                assert time.monotonic() < deadline
            assert interrupted(process)[0] == 130
        assert await connection.fetchval("SELECT is_active FROM exchanges WHERE id = 1")


def test_while_a_list_is_downloaded(dsn: Dsn) -> None:
    """The lists before it are imported, and stay: they are shown, and where they were written."""
    with served(exchange=exchanges({BTC_PATH: silence})) as server:
        lead(url_of(dsn), server, FUTURES)
        process = started("sync", FUTURES, url=url_of(dsn))
        deadline = time.monotonic() + 50
        while BTC_PATH not in server.paths:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stdout.startswith("GATEIO_FUTURES PERPETUAL:USDT: 3 listed, 0 unchanged, imported\n")
    assert stderr.startswith("database: ")
    assert "Traceback" not in stderr


def test_at_its_very_end(shared_dsn: Dsn) -> None:
    """After the answer it has nothing left to prevent: the answer is whole, whatever the exit code is."""
    process = started("list", url=url_of(shared_dsn))
    assert process.stdout is not None
    first = process.stdout.readline()
    assert first.count("\t") > 5
    assert interrupted(process)[0] in (0, 130)


def test_a_program_in_the_background_goes_on(shared_dsn: Dsn) -> None:
    """A shell has it ignore Ctrl-C, which is meant for another."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = started("list", url=url_of(shared_dsn), flags=("-X", "importtime"))
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stderr is not None
    assert any(line.split("|")[-1].strip() == "exchanges_db.cli" for line in process.stderr)
    assert interrupted(process)[0] == 0


def test_at_a_question(shared_dsn: Dsn) -> None:
    """Ctrl-C is no answer to it: nothing is undone, and the exit code is that of an interrupt."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "exchanges_db", "rollback"], env={**os.environ, "DATABASE_URL": url_of(shared_dsn)},
        stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tempfile.gettempdir(),
    )  # fmt: skip
    os.close(terminal)
    assert process.stderr is not None
    asked = ""
    while "[y/N]" not in asked:
        letter = process.stderr.read(1)
        assert letter, asked
        asked += letter
    code, said = interrupted(process)
    os.close(controller)
    assert (code, said.strip()) == (130, "interrupted: nothing was done")


@pytest.mark.parametrize(("arguments", "code"), [(["rollback"], 1), (["import", "MEXC_SPOT", "-"], 7)])
def test_a_closed_stdin_answers_nothing(shared_dsn: Dsn, arguments: list[str], code: int) -> None:
    """As a service manager or `<&-` leaves it: a question is not confirmed, and a list is empty."""
    result = subprocess.run(
        ["/bin/sh", "-c", '"$0" -m exchanges_db "$@" <&-', sys.executable, *arguments],
        env={**os.environ, "DATABASE_URL": url_of(shared_dsn), "PYTHONWARNINGS": "error"},
        capture_output=True, text=True, timeout=60, check=False, cwd=tempfile.gettempdir(),
    )  # fmt: skip
    assert result.returncode == code, result.stderr
    assert "error: " in result.stderr
    assert "Traceback" not in result.stderr
