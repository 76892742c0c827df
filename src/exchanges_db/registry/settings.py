"""The settings of a registry: which database, how often it asks, how long it waits, and how old its answers may be."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from exchanges_db.database.dsn import Dsn, Secret, parse_dsn
from exchanges_db.database.pool import Database
from exchanges_db.database.settings import Seconds, check_settings, load_dsn
from exchanges_db.errors import ConfigurationError

T = TypeVar("T")


class RegistrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a registry keeps itself fresh, in seconds.

    Attributes:
        poll_interval: how often it asks whether anything has changed, whatever notifications say.
        answer_timeout: for how long a server may be silent until the connection is taken for lost.
        load_timeout: within which all is to be loaded at the start.
        max_staleness: look-ups raise RegistryStale where it is not proven for longer than that that what is held is
            what the database has; None: they go on. Longer than `poll_interval`, after which nothing is proven anew.
    """

    poll_interval: Seconds = 1.0
    answer_timeout: Seconds = 2.0
    load_timeout: Seconds = 60.0
    max_staleness: Annotated[float, msgspec.Meta(gt=0)] | None = None

    def __post_init__(self) -> None:
        check_settings(self, lambda field: f"RegistrySettings.{field}")
        if self.max_staleness is not None and self.max_staleness <= self.poll_interval:
            raise ConfigurationError(
                f"RegistrySettings.max_staleness is unusable: at {self.max_staleness:g} s, with polls that are "
                f"{self.poll_interval:g} s apart, look-ups would raise RegistryStale before each while all is well"
            )


def hidden(given: T | str) -> T | Secret:
    """Return the same with its text hidden: whoever is given a URL keeps that alone, and lets go of the URL at once.

    So is all that names no database, as bytes, which may be a URL with its password all the same.
    """
    if given is None or isinstance(given, Database | Dsn | Secret):
        return given
    return Secret(given)  # type: ignore[arg-type]  # `parse_dsn` refuses what is no text


def dsn_of(given: Database | Dsn | Secret | None) -> Dsn:
    """Return which database is meant; None: that of DATABASE_URL."""
    if given is None:
        return load_dsn()
    if isinstance(given, Database):
        return given._dsn  # noqa: SLF001 - private to this package
    return given if isinstance(given, Dsn) else parse_dsn(given)
