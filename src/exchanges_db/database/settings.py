"""The environment, read in one place: DATABASE_URL, DBMATE_MIGRATIONS_TABLE, the EXCHANGES_DB_* variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import msgspec

from exchanges_db.database import embedded
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.database.secret import Secret
from exchanges_db.errors import ConfigurationError

_PREFIX = "EXCHANGES_DB_"
_FORM = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
EMBEDDED = "embedded:"  # a DATABASE_URL that asks for the embedded server
Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a Database behaves; each field is the variable EXCHANGES_DB_<FIELD>.

    Attributes:
        pool_min, pool_max: how many connections are kept open, and how many may be open.
        connect_timeout, acquire_timeout, command_timeout: seconds for a new connection, for one of the pool to become
            free, and for one statement.
        pooler: "transaction" where a PgBouncer in transaction mode stands in between (no prepared statements).
    """

    pool_min: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 1
    pool_max: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 8
    connect_timeout: Seconds = 5.0
    acquire_timeout: Seconds = 5.0
    command_timeout: Seconds = 10.0
    pooler: Literal["none", "transaction"] = "none"

    def __post_init__(self) -> None:
        check_settings(self, _variable)
        if self.pool_min > self.pool_max:
            raise ConfigurationError(f"{_PREFIX}POOL_MIN is greater than {_PREFIX}POOL_MAX")


def check_settings(settings: msgspec.Struct, called: Callable[[str], str]) -> None:
    """Check each field's type and bounds: msgspec checks them where it converts, but not where a caller makes a Struct.

    called: returns the name by which the user knows a field.

    Raises:
        ConfigurationError: a field is unusable; the message says which.
    """
    for field in msgspec.structs.fields(type(settings)):
        try:
            msgspec.convert(getattr(settings, field.name), field.type)
        except (msgspec.ValidationError, ValueError) as exc:  # a Decimal of sNaN is no float
            raise ConfigurationError(f"{called(field.name)} is unusable: {exc}") from exc


def _variables(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    # Not as a default argument: that is a local variable, and crash reporters would print the whole environment.
    return os.environ if environ is None else environ


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of the environment; raise ConfigurationError, naming the variable, when one is unusable."""
    found = {field: _variables(environ).get(_variable(field)) for field in Settings.__struct_fields__}
    given = {field: text for field, text in found.items() if text}
    try:
        return msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as exc:
        text, _, path = str(exc).partition(" - at `$.")
        raise ConfigurationError(f"{_variable(path.rstrip('`'))} is unusable: {text}") from exc


def _variable(field: str) -> str:
    return _PREFIX + field.upper()


def database_url(environ: Mapping[str, str] | None = None) -> str | None:
    """Return DATABASE_URL, or None where it is unset.

    Raises:
        ConfigurationError: it is set but empty. A secret that was not filled in must not lead to another database.
    """
    url = _variables(environ).get("DATABASE_URL")
    if url is not None and not url.strip():
        raise ConfigurationError(
            f"DATABASE_URL is set but empty, as by a secret that was not filled in: set it to {_FORM}, or unset it"
        )
    return url


def migrations_table(environ: Mapping[str, str] | None = None) -> str:
    """Return the table in which dbmate keeps applied versions: DBMATE_MIGRATIONS_TABLE, else dbmate's default."""
    return _variables(environ).get("DBMATE_MIGRATIONS_TABLE", "schema_migrations")


def load_dsn(environ: Mapping[str, str] | None = None) -> Dsn:
    """Return the database that DATABASE_URL names; `embedded:` starts the embedded server.

    Raises:
        ConfigurationError: it is unset, empty or unusable.
    """
    url = Secret(database_url(environ) or "")
    if not url.reveal():
        raise ConfigurationError(
            f"DATABASE_URL is not set: set it to {_FORM}, or pass db=Database(url) to the function"
        )
    return embedded_dsn() if url.reveal() == EMBEDDED else parse_dsn(url, environ)


def embedded_dsn() -> Dsn:
    """Start the embedded server and return where it is; variables such as PGOPTIONS are not about it.

    Raises:
        ConfigurationError: it is not installed, or does not start.
    """
    return parse_dsn(embedded.start(), {})
