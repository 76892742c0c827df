"""Runs migration files under the lock: together where they can be undone, one by one where they cannot."""

from __future__ import annotations

import itertools
import random
import re
import tempfile
from asyncio import sleep
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from exchanges_db.errors import MigrationError, MigrationLocked
from exchanges_db.schema.connecting import limited
from exchanges_db.schema.dbmate import DbmateFailed, run_dbmate
from exchanges_db.schema.interrupted import forget_begun, note_begun
from exchanges_db.schema.ledger import PLANNED, Ledger
from exchanges_db.schema.lock import LockSession
from exchanges_db.schema.migration_files import MigrationFile, Part, Run

# What a file waits for, everything else that wants the table waits for, too. For files that set no limit themselves:
# ours do, a shorter one.
_TABLE_LOCK_MILLISECONDS = 500
_LONGEST_PAUSE = 5.0
# Time limits of a role or database are meant for programs; and what a file says means the same everywhere.
_PINNED = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "default_transaction_isolation": "read committed",
}
_TRANSACTION_TIMEOUT_SINCE = 17
# The server's own errors tell how a file ended; the end of a session (57P..) and a broken connection do not.
_ANSWERED = re.compile(r"Error: pq: .*\((?!08|57P)[0-9A-Z]{5}\)$")


async def apply_files(
    session: LockSession, ledger: Ledger, files: Sequence[MigrationFile], on_line: Callable[[str], None]
) -> None:
    """Apply pending files in this order."""
    for run, group in itertools.groupby(files, lambda file: file.up.run):
        if run is Run.TRANSACTION:
            await _run(session, ledger, list(group), on_line, "up")
        else:
            for file in group:
                await _run(session, ledger, [file], on_line, "up")


async def undo_file(session: LockSession, ledger: Ledger, file: MigrationFile, on_line: Callable[[str], None]) -> None:
    """Undo a file, the newest that is applied."""
    await _run(session, ledger, [file], on_line, "down")


async def _run(
    session: LockSession, ledger: Ledger, files: list[MigrationFile], on_line: Callable[[str], None], direction: str
) -> None:
    part: Part = getattr(files[0], direction)
    command, doing = ("migrate", "Still applying") if direction == "up" else ("rollback", "Still undoing")
    lock_timeout = _TABLE_LOCK_MILLISECONDS if part.run is Run.TRANSACTION else 0
    settings = _settings(session) | {"lock_timeout": str(lock_timeout)}
    if session.checks_clients:
        # What cannot be undone is not left half done: its statement ends by itself, and the next deployer waits for it.
        settings["client_connection_check_interval"] = "0" if part.run is Run.FREE and not part.repeatable else "1000"
    if direction == "up":
        async with limited(session.connection):
            await note_begun(session.connection, ledger, files, PLANNED)
    with tempfile.TemporaryDirectory(prefix="exchanges_db_") as name:
        folder = Path(name)
        for file in files:
            (folder / file.name).write_bytes(file.as_one_transaction() if part.run is Run.ONE_MESSAGE else file.content)
        for attempt in itertools.count():
            try:
                async with _noted(session, ledger, files[0], direction, part):
                    await session.guard(
                        run_dbmate(session.dsn, ledger, folder, on_line, command, settings=settings), doing
                    )
            except DbmateFailed as exc:
                if part.run is not Run.TRANSACTION or not exc.is_lock_timeout:
                    raise
                await _pause(session, attempt, on_line, exc)
            else:
                return


def _settings(session: LockSession) -> dict[str, str]:
    """Return what role, database and server shall not decide for dbmate's sessions; what the URL names, it decides."""
    given = session.dsn.settings
    new = session.connection.get_server_version().major >= _TRANSACTION_TIMEOUT_SINCE
    pinned = _PINNED | ({"transaction_timeout": "0"} if new else {})
    return {name: value for name, value in pinned.items() if name not in given and name not in given.get("options", "")}


async def _pause(session: LockSession, attempt: int, on_line: Callable[[str], None], exc: DbmateFailed) -> None:
    if not session.has_time:
        raise MigrationLocked(
            f"a lock on a table was not free for {session.lock_timeout:g} s, "
            f"{attempt + 1} {'try' if attempt == 0 else 'tries'}: {exc.said}"
        ) from exc
    wait = min(0.25 * 2**attempt, _LONGEST_PAUSE) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
    on_line(f"A lock on a table was not free in time, and nobody shall queue for longer: again in {wait:.1f} s")
    await session.guard(sleep(wait), "Still waiting")


@asynccontextmanager
async def _noted(
    session: LockSession, ledger: Ledger, file: MigrationFile, direction: str, part: Part
) -> AsyncIterator[None]:
    """Keep a note of a file that may end half done, until its end is seen."""
    if part.run is not Run.FREE:
        yield
        return
    async with limited(session.connection):
        await note_begun(session.connection, ledger, [file], direction)
    try:
        yield
    except DbmateFailed as exc:
        # Whoever waits for the lock would run it at once: what may be half done is left to a person.
        if not _ANSWERED.search(exc.said) or (part.commits and not part.repeatable):
            raise
        await _forget(session, ledger, file, direction)
        raise
    await _forget(session, ledger, file, direction)


async def _forget(session: LockSession, ledger: Ledger, file: MigrationFile, direction: str) -> None:
    if session.is_lost:
        return  # the next deployer sees that the file is in the ledger
    async with limited(session.connection):
        await forget_begun(session.connection, ledger, file, direction)


def what_is_kept_of(file: MigrationFile, direction: str, error: MigrationError) -> str:
    """Say what is left of a file that failed; nothing where that is not known."""
    part: Part = getattr(file, direction)
    if not isinstance(error, DbmateFailed | MigrationLocked):
        return ""
    if part.run is Run.TRANSACTION:
        return f"nothing of {file.name} was kept"
    if part.run is Run.FREE:
        again = ", and it may be run again" if part.repeatable else ""
        return f"{file.name} is transaction:false, so part of what it does may be there{again}"
    return ""
