"""How patient a download from an exchange is; apart from the download itself, which loads an HTTP client."""

from __future__ import annotations

from typing import Annotated

import msgspec

from exchanges_db.database.settings import Seconds, check_settings


class DownloadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait, how often to try, and how much to read.

    Attributes:
        connect_timeout, read_timeout, total_timeout: seconds to connect, between two pieces, and for one attempt.
            What sync asks for beside a list must be there within the first two together, repeated attempts included.
        attempts: how often to try in all.
        first_wait, longest_wait: seconds of back-off, doubled each time; a server that asks for more than longest_wait
            ends the download.
        max_bytes: of the unpacked body, at most 1 GiB.

    Raises:
        ConfigurationError: a field is unusable; the message names it.
    """

    connect_timeout: Seconds = 10.0
    read_timeout: Seconds = 20.0
    total_timeout: Seconds = 120.0
    attempts: Annotated[int, msgspec.Meta(ge=1, le=100)] = 5
    first_wait: Seconds = 0.5
    longest_wait: Seconds = 30.0
    max_bytes: Annotated[int, msgspec.Meta(ge=1, le=2**30)] = 64 * 2**20

    def __post_init__(self) -> None:
        check_settings(self, lambda field: f"DownloadSettings.{field}")
