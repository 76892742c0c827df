"""Keeps what was fetched from an exchange as files, byte for byte, so that what was reviewed is what is imported."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from shlex import join
from urllib.parse import quote

import msgspec

from exchanges_db.errors import ConfigurationError, shown
from exchanges_db.symbols.listing import Listing


class SavedList(msgspec.Struct, frozen=True, kw_only=True):
    """Where one list was kept, and all that is needed to import it as it was fetched.

    Attributes:
        payload: the path of the exchange's answer; companion: of what it says beside it, where it does.
        origin: the address it is from, without its query.
    """

    exchange: str
    listing: Listing
    observed_at: datetime
    origin: str
    payload: str
    payload_sha256: str
    payload_size: int
    companion: str | None = None
    companion_sha256: str | None = None

    def import_command(self, allow: Sequence[str] = ()) -> str:
        """Return the command that imports it, whatever a shell makes of its words."""
        words = ["exchanges-db", "import", self.exchange, self.payload, "--list", str(self.listing)]
        words += ["--observed-at", self.observed_at.isoformat()]
        if self.companion is not None:
            words += ["--companion", self.companion]
        for one in allow:
            words += ["--allow", one]
        return join(words)


class ListFolder:
    """A folder that lists are kept in; no file that is there already is overwritten."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            self._folder = Path(folder)
            str(self._folder).encode()  # it stands in the index, which is UTF-8
            self._folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError, TypeError) as exc:
            raise ConfigurationError(f"lists cannot be kept in {shown(folder)}: {_reason(exc)}") from exc

    def save(
        self,
        exchange: str,
        listing: Listing,
        observed_at: datetime,
        origin: str,
        payload: bytes,
        companion: bytes | None,
    ) -> SavedList:
        """Write what was fetched, and beside it a .meta.json that tells what it is; return where.

        Raises:
            ConfigurationError: it cannot be written, or a file of that name is there.
        """
        when = f"{observed_at:%Y%m%dT%H%M%S.%fZ}"
        name = f"{_part(exchange)}_{_part(str(listing))}_{when}"
        beside = None if companion is None else self._write(f"{name}.companion.json", companion)
        saved = SavedList(
            exchange=exchange,
            listing=listing,
            observed_at=observed_at,
            origin=origin,
            payload=self._write(f"{name}.json", payload),
            payload_sha256=hashlib.sha256(payload).hexdigest(),
            payload_size=len(payload),
            companion=beside,
            companion_sha256=None if companion is None else hashlib.sha256(companion).hexdigest(),
        )
        self._write(f"{name}.meta.json", msgspec.json.format(msgspec.json.encode(saved), indent=2) + b"\n")
        return saved

    def _write(self, name: str, content: bytes) -> str:
        path = self._folder / name
        try:
            with path.open("xb") as file:
                file.write(content)
        except OSError as exc:
            raise ConfigurationError(f"cannot write {str(path)!r}: {_reason(exc)}") from exc
        return str(path)


def _part(text: str) -> str:
    """Return a text as a part of a file's name on any system: PERPETUAL:USDT becomes PERPETUAL-USDT."""
    return quote(text.replace(":", "-"), safe="")


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
