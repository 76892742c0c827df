"""The registry: all exchanges and symbols in memory, as fresh as it says, and look-ups that await nothing."""

from __future__ import annotations

import asyncio
import os
from typing import Self

from exchanges_db.database.dsn import Dsn, Secret
from exchanges_db.database.loops import check_loop
from exchanges_db.database.pool import Database
from exchanges_db.database.secret import path_without_address
from exchanges_db.database.settings import load_settings
from exchanges_db.errors import ConfigurationError
from exchanges_db.registry.changing import Changing
from exchanges_db.registry.file import read_snapshot, write_snapshot
from exchanges_db.registry.kept import Kept
from exchanges_db.registry.look_ups import LookUps
from exchanges_db.registry.settings import RegistrySettings, dsn_of, hidden
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.registry.streams import Streams
from exchanges_db.registry.threaded import ThreadedRegistry


class Registry(Kept, Changing, LookUps):
    """Everything that may be traded, in memory.

    db: the database; by default that of DATABASE_URL. Of a Database only the address and the settings are used: a
        registry has a connection of its own, and where `listen` is given two.
    listen: the address for notifications, where `db` goes through a pooler, which lets none through.
    """

    def __init__(
        self,
        db: Database | Dsn | Secret | str | None = None,
        *,
        listen: Dsn | Secret | str | None = None,
        settings: RegistrySettings | None = None,
    ) -> None:
        given, ear = hidden(db), hidden(listen)  # crash reporters print the local variables
        del db, listen
        if settings is not None and not isinstance(settings, RegistrySettings):
            raise ConfigurationError(f"settings must be RegistrySettings, not {type(settings).__name__}")
        Kept.__init__(
            self,
            dsn_of(given),
            None if ear is None else dsn_of(ear),
            given.settings if isinstance(given, Database) else load_settings(),
            settings or RegistrySettings(),
        )
        LookUps.__init__(self)
        self.follow(self._served)
        self._streams = Streams(self, self._settings.poll_interval, self._in_loop)
        self._followers.last = self._streams  # after views, in which another thread may look up what it was told of
        self._on_news, self._on_failure = self._streams.look, self._streams.end

    @property
    def snapshot(self) -> Snapshot:
        """All that is held now, of one moment; `by_id` and all other look-ups know what is in it.

        Raises:
            RegistryStale: nothing is held yet, or it is too old, or the registry is closed.
        """
        served = self._served.snapshot  # to other threads not before the look-ups have moved on
        return served if type(served) is Snapshot else super().snapshot

    @classmethod
    def in_thread(
        cls,
        db: Database | Dsn | Secret | str | None = None,
        *,
        listen: Dsn | Secret | str | None = None,
        settings: RegistrySettings | None = None,
        file: str | os.PathLike[str] | None = None,
    ) -> ThreadedRegistry:
        """Return the same for a program without asyncio: `with Registry.in_thread(...) as registry`.

        file: begin with what `save` has put into this file, as `load_file` does. Raises SnapshotRefused.
        """
        given, ear = hidden(db), hidden(listen)
        del db, listen
        if file is not None:
            file = path_without_address(file)
            return ThreadedRegistry(cls.load_file(file, given, listen=ear, settings=settings))
        return ThreadedRegistry(cls(given, listen=ear, settings=settings))

    @classmethod
    def load_file(
        cls,
        path: str | os.PathLike[str],
        db: Database | Dsn | Secret | str | None = None,
        *,
        listen: Dsn | Secret | str | None = None,
        settings: RegistrySettings | None = None,
    ) -> Self:
        """Return a registry that begins with what `save` has put into a file, so that it opens without a database.

        It is STALE until the database was reached, and then asks for what has changed since. Where `max_staleness` is
        set, look-ups raise RegistryStale until then: how old the file is, no clock can prove.

        Raises:
            InvalidArgument: `path` is no path.
            SnapshotRefused: the file is damaged, cut off, not there, or of a newer version.
        """
        given, ear, path = hidden(db), hidden(listen), path_without_address(path)
        del db, listen
        registry = cls(given, listen=ear, settings=settings)
        registry._begin_with(read_snapshot(path))
        return registry

    async def save(self, path: str | os.PathLike[str]) -> None:
        """Put what is held now into a file, from which `load_file` begins; whoever reads it meanwhile has the old one.

        Its `saved_at` is when the database was last proven to be like this, not when the file was written.

        Raises:
            RegistryStale: nothing is held yet, or it is too old, or the registry is closed.
            InvalidArgument: `path` is no path.
            SnapshotNotSaved: the file cannot be written, or what is there is no snapshot.
        """
        path = path_without_address(path)
        known_at = self._known_at()
        await asyncio.to_thread(write_snapshot, path, self.snapshot, known_at)

    async def open(self) -> Self:
        """Load everything and follow the database from then on; with a file to begin with it does not wait for that.

        Raises:
            DatabaseUnavailable: no server has answered within `load_timeout`.
            AccessDenied, ConfigurationError, SchemaMismatch: it can never be loaded like this.
        """
        self._start()
        if self._snapshot is not None:
            return self
        try:
            async with asyncio.timeout(self._settings.load_timeout):
                await self._proven_since(None)
        except TimeoutError:
            await self.close()
            raise self._error or self._not_opened() from None
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """End the connection; look-ups raise RegistryStale from then on."""
        if self._loop is not None:
            check_loop(self._loop, "Registry")
        if self._timer is not None:
            self._timer.cancel()
        self.abandon()  # before all that can be cancelled
        self._notify()  # and whoever waits for a proof is told, too
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        await self._wake()

    def abandon(self, why: str = "") -> None:
        """Raise RegistryStale at every look-up for good; the connection, if any, is left as it is.

        why: what it says; by default that the registry is closed.
        """
        self._is_closed, self._is_live, self._why_closed = True, False, why or self._why_closed
        self._tell_stale(self._why_stale())

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        if not hasattr(self, "_dsn"):
            return "<Registry that could not be made>"
        return f"<Registry of {self._dsn}: {self.state}>"
