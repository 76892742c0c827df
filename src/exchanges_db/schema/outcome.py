"""What came of a run that ended early: read from the ledger again, and said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from exchanges_db.database.bridge import bridge
from exchanges_db.database.dsn import Dsn
from exchanges_db.errors import ExchangesDBError, MigrationError, MigrationLocked
from exchanges_db.schema.connecting import Connection, connect_to_migrate, limited
from exchanges_db.schema.dbmate import APPLICATION_NAME
from exchanges_db.schema.interrupted import list_invalid_indexes, what_to_do_about
from exchanges_db.schema.ledger import Ledger, read_ledger, record_checksums
from exchanges_db.schema.lock import LockSession
from exchanges_db.schema.migration_files import MigrationFile
from exchanges_db.schema.running import what_is_kept_of
from exchanges_sql.migration_ledger import AsyncQuerier

# How long the server takes to see that dbmate is gone is a second; a statement that ends by itself may take longer.
_END_SECONDS = 3.0
_POLL_SECONDS = 0.1


class _State(NamedTuple):
    """Which files of the run are done, which server processes still work on it, and which indexes are INVALID."""

    done: list[MigrationFile]
    left: list[MigrationFile]
    still: list[int]
    invalid: set[str]


class Outcome:
    """What comes of one run of dbmate on some files, in one direction."""

    def __init__(
        self,
        session: LockSession,
        dsn: Dsn,
        ledger: Ledger,
        files: Mapping[str, MigrationFile],
        planned: Sequence[MigrationFile],
        direction: str,
        on_line: Callable[[str], None],
    ) -> None:
        self._session, self._dsn, self._ledger, self._files = session, dsn, ledger, files
        self._planned, self._direction, self._on_line = planned, direction, on_line

    @asynccontextmanager
    async def reported(self) -> AsyncIterator[None]:
        """Where the block fails, read the ledger; pass where all was done nevertheless, else say what is and what not.

        Raises:
            MigrationError: not all was done.
        """
        try:
            yield
        except asyncio.CancelledError:
            state = await self._state()
            self._on_line(f"stopped: {self._told(state)}")
            raise
        except ExchangesDBError as exc:
            state = await self._state()
            if isinstance(state, _State) and not state.left:
                self._on_line(f"{exc}; but all was done before")
                return
            kind = MigrationLocked if isinstance(exc, MigrationLocked) else MigrationError
            kept = ""
            if isinstance(state, _State) and isinstance(exc, MigrationError) and not state.still:
                kept = what_is_kept_of(state.left[0], self._direction, exc)
            raise kind("; ".join(filter(None, (str(exc), kept, self._told(state))))) from exc

    async def _state(self) -> _State | ExchangesDBError:
        try:
            if not self._session.is_lost:
                return await self._read(self._session.connection)
        except ExchangesDBError:
            pass
        try:
            connection, _ = await connect_to_migrate(self._dsn, self._on_line, read_only=True)
            try:
                return await self._read(connection)
            finally:
                connection.terminate()
        except ExchangesDBError as exc:
            return exc

    async def _read(self, connection: Connection) -> _State:
        async with limited(connection):
            still = await self._still_at_work(connection)
            found = {one.version: one.applied for one in await read_ledger(connection, self._ledger, self._files)}
            invalid = await list_invalid_indexes(connection)
            if connection is self._session.connection:
                await record_checksums(connection, self._ledger, self._files, at_work=bool(still))
        wanted = self._direction == "up"
        done = [file for file in self._planned if found[file.version] is wanted]
        return _State(done, [file for file in self._planned if file not in done], still, invalid)

    async def _still_at_work(self, connection: Connection) -> list[int]:
        """Return dbmate's sessions that are still there after a while."""
        querier = AsyncQuerier(bridge(connection))
        loop = asyncio.get_running_loop()
        until = loop.time() + _END_SECONDS
        while True:
            rows = querier.list_dbmate_sessions(application_name=APPLICATION_NAME)
            pids = [row.pid async for row in rows]
            if not pids or loop.time() > until:
                return pids
            await asyncio.sleep(_POLL_SECONDS)

    def _told(self, state: _State | ExchangesDBError) -> str:
        """Say what is done and what not."""
        done, not_done = ("applied", "not applied") if self._direction == "up" else ("undone", "not undone")
        if isinstance(state, ExchangesDBError):
            names = ", ".join(file.name for file in self._planned)
            return f"what of {names} is {done} is not known: {state}"
        said = [
            f"{what}: {', '.join(file.name for file in files) or 'none'}"
            for what, files in ((done, state.done), (not_done, state.left))
        ]
        if state.still:
            pids = ", ".join(map(str, state.still))
            said.append(f"server process {pids} still works on it to its end, and the next migrate waits for that")
        part = state.left and getattr(state.left[0], self._direction)
        if state.invalid and part and part.index and not state.still:
            said.append(what_to_do_about(one for one in state.invalid))
        return "; ".join(said)
