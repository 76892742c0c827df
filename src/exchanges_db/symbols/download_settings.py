"""How patient a download from an exchange is; apart from the download itself, which loads an HTTP client."""

from __future__ import annotations

import msgspec


class DownloadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait, how often to try, and how much to read.

    Attributes:
        connect_timeout, read_timeout, total_timeout: seconds to connect, between two pieces, and for one attempt.
        attempts: how often to try in all.
        first_wait, longest_wait: seconds of back-off, doubled each time; a server that asks for more than longest_wait
            ends the download.
        max_bytes: of the unpacked body.
    """

    connect_timeout: float = 10
    read_timeout: float = 20
    total_timeout: float = 120
    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30
    max_bytes: int = 64 * 2**20
