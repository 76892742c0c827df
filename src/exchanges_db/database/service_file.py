"""Connection services: named sets of options in a file, read as libpq reads them."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from exchanges_db.database.dsn_options import OPTIONS, check
from exchanges_db.errors import ConfigurationError


def read_service(name: str, environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return the options of a service, from PGSERVICEFILE or ~/.pg_service.conf, else from the system's file.

    Raises:
        ConfigurationError: there is no such service, or its section is unusable; no value is repeated.
    """
    own = environ.get("PGSERVICEFILE")
    files = [(Path(own) if own else home / ".pg_service.conf", bool(own))]
    if environ.get("PGSYSCONFDIR"):
        files.append((Path(environ["PGSYSCONFDIR"]) / "pg_service.conf", False))
    for path, must_exist in files:
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe would hang whoever opens it, a device never ends
                raise ConfigurationError(f"the service file {str(path)!r} is no plain file")
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            if must_exist:
                raise ConfigurationError(f"PGSERVICEFILE names no file: {str(path)!r}") from None
            continue
        except (OSError, ValueError):
            raise ConfigurationError(f"the service file {str(path)!r} cannot be read as UTF-8 text") from None
        found = _section(text, name, path)
        if found is not None:
            return found
    raise ConfigurationError(
        f"the service {name!r} is in none of {', '.join(repr(str(path)) for path, _ in files)}; "
        "PGSERVICEFILE or PGSYSCONFDIR can name another place"
    )


def _section(text: str, name: str, path: Path) -> dict[str, str] | None:
    found: dict[str, str] | None = None
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if found is not None:
                break
            found = {} if line == f"[{name}]" else None
        elif found is not None:
            where = f"line {number} of the service file {str(path)!r}"
            key, equals, value = line.partition("=")
            if not equals or key not in OPTIONS or key == "service":
                raise ConfigurationError(f"{where} is not of the form OPTION=VALUE with an option of libpq")
            check(key, value, where)
            found.setdefault(key, value)
    return found
