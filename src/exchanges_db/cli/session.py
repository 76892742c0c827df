"""Finds the database that a command was asked to work on, and runs the command on it and on no other."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import dotenv

from exchanges_db.cli import output
from exchanges_db.cli.progress import waiting
from exchanges_db.database import embedded
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.pool import Database
from exchanges_db.database.secret import Secret, without_frames
from exchanges_db.database.settings import EMBEDDED, database_url, embedded_dsn, load_dsn, load_settings
from exchanges_db.errors import ConfigurationError, InvalidArgument

T = TypeVar("T")
_ENV_FILE = Path(".env")
_DURATION = re.compile(r"([0-9]{1,9})([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LONGEST = timedelta(days=365_000)
_NAMES_IT = re.compile(r"^\s*(export\s+)?DATABASE_URL\b", re.MULTILINE)


@dataclass
class _Choice:
    """What the options before and after a command's name say, and whether it has written anything yet."""

    embedded: bool = False
    env_file: Path | None = None
    where: str = ""
    has_written: bool = False


_choice = _Choice()


def begin() -> None:
    """Forget the options and the writes of an earlier command in this process."""
    for field in fields(_Choice):
        setattr(_choice, field.name, field.default)


def choose(*, ask_embedded: bool = False, env_file: Path | None = None) -> None:
    """Set which database is meant; an option that is not given here keeps its value from before."""
    _choice.embedded = _choice.embedded or ask_embedded
    _choice.env_file = env_file or _choice.env_file


def has_written() -> bool:
    """Return whether this command has changed a database."""
    return _choice.has_written


def where() -> str:
    """Return the database of this command in words, without its password."""
    return _choice.where


def resolve_dsn() -> Dsn:
    """Return the database that was asked for: by `--embedded`, else by DATABASE_URL, else by that of the .env file.

    Raises:
        ConfigurationError: none was asked for, or the setting that names it is unusable. Nothing is guessed.
    """
    read_env_file()
    if _choice.embedded or database_url() == EMBEDDED:
        with waiting(f"starting the embedded PostgreSQL in {embedded.data_directory()}"):
            dsn = embedded_dsn()
        _choice.where = f"{dsn.database} of the embedded server in {embedded.data_directory()}"
        return dsn
    if database_url() is None:
        raise ConfigurationError(
            "DATABASE_URL is not set, so there is no database to work on: set it to "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or pass --embedded for the embedded PostgreSQL"
        )
    dsn = load_dsn()
    _choice.where = str(dsn)
    return dsn


def read_env_file() -> None:
    """Set variables that the environment lacks from the .env file in the working directory, as dbmate does.

    Raises:
        ConfigurationError: the file cannot be read, or programs read the DATABASE_URL that it gives differently.
    """
    path = _choice.env_file or _ENV_FILE
    try:
        text = Secret(path.read_text(encoding="utf-8-sig"))  # once: a pipe is empty the next time
    except FileNotFoundError as exc:
        if _choice.env_file is None:
            return
        raise ConfigurationError(f"cannot read {str(path)!r}: {exc.strerror}") from exc
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else "it is not UTF-8 text"
        raise ConfigurationError(f"cannot read {str(path)!r}: {reason}") from exc
    if not _choice.embedded and database_url() is None:
        _refuse_to_guess(path, text)
    try:
        dotenv.load_dotenv(stream=io.StringIO(text.reveal()), override=False)
    except ValueError as exc:
        error = ConfigurationError(f"{str(path)!r} sets what no environment can hold: {without_frames(exc)}")
    else:
        return
    raise error  # out of reach of the cause, whose frames hold the file


def _refuse_to_guess(path: Path, text: Secret) -> None:
    url = _url_of(text)
    if url is None and _NAMES_IT.search(text.reveal()):
        raise ConfigurationError(f"the line of DATABASE_URL in {str(path)!r} is not of the form DATABASE_URL=VALUE")
    if url is not None and "$" in url.reveal():
        # dbmate replaces $NAME by a variable, other programs do not: the two might use different databases.
        raise ConfigurationError(f"DATABASE_URL in {str(path)!r} holds a $, which programs read differently: write %24")


def _url_of(text: Secret) -> Secret | None:
    url = dotenv.dotenv_values(stream=io.StringIO(text.reveal()), interpolate=False).get("DATABASE_URL")
    return None if url is None else Secret(url)


def run(work: Callable[[Database], Coroutine[Any, Any, T]], *, writes: bool = False) -> T:
    """Return what `work` returns, given the database, which is then closed; if it `writes`, say to which one."""
    dsn, settings = resolve_dsn(), load_settings()

    async def session() -> T:
        async with Database(dsn, settings) as database:
            return await work(database)

    result = asyncio.run(session())
    if writes:
        note_written()
    return result


def note_written() -> None:
    """Say on stderr, once, which database this command has written to."""
    if not _choice.has_written:
        _choice.has_written = True
        output.note(f"database: {_choice.where}")


def parse_time(text: str) -> datetime:
    """Return an ISO 8601 time with its time zone; raise InvalidArgument where it is not one, or has no time zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(f"{text!r} is no ISO 8601 time, such as 2026-01-31T12:00:00Z") from None
    if moment.utcoffset() is None:
        in_utc = moment.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
        raise InvalidArgument(f"{text!r} has no time zone: write {in_utc} for UTC")
    return moment


def parse_duration(text: str) -> timedelta:
    """Return how long 30s, 10m, 2h or 1d is; raise InvalidArgument where it is none of that form, or no time at all."""
    found = _DURATION.fullmatch(text.strip().lower())
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST.total_seconds():
        raise InvalidArgument(f"{text!r} is no length of time: write 30s, 10m, 2h or 1d, at most 1000 years")
    return timedelta(seconds=seconds)
