"""DATABASE_URL taken apart into libpq's options; errors repeat nothing of it, as any part may be of the password."""

from __future__ import annotations

import re
from urllib.parse import unquote, unquote_to_bytes

from exchanges_db.database.dsn_options import check
from exchanges_db.database.pgpass import SOCKET_FOLDERS
from exchanges_db.errors import ConfigurationError

_URL = re.compile(
    r"(?:postgres|postgresql)://"
    r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?"
    # No @ after the login: it would belong to a password that was not encoded, and so would the text before it.
    r"(?P<hosts>[^@/?#]*)(?:/(?P<dbname>[^@/?#]*))?(?:\?(?P<query>[^@#]*))?"
)
_DRIVER = re.compile(r"\s*postgres(?:ql)?\+(?P<driver>asyncpg|psycopg|psycopg2|psycopg_async|pg8000)://")
_HOST = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._-]+)?)\]|(?P<name>[^\[\]:]*))(?::(?P<port>[0-9]{1,5}))?"
)
LONG_FORM = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
_WHERE = "DATABASE_URL"
DEFAULT_PORT = 5432
# Where a server is looked for if no host is named: libpq knows one folder, which differs from build to build.
DEFAULT_HOSTS = (*SOCKET_FOLDERS, "localhost")


def options_of_url(url: str) -> dict[str, str]:
    """Return what the URL says, by libpq's names; a name that is none of them is a run-time parameter.

    As in libpq, what stands after the ? wins over what stands before it, and + is a plus. What is empty there is set,
    too: the default is meant, and not what the environment or a service says.
    """
    driver = _DRIVER.match(url)
    if driver is not None:
        raise ConfigurationError(
            f"DATABASE_URL names a driver, as SQLAlchemy's URLs do: drop +{driver['driver']} and write {LONG_FORM}"
        )
    match = _URL.fullmatch(url.strip())
    if match is None:
        raise ConfigurationError(
            f"DATABASE_URL is not of the form {LONG_FORM}?OPTION=VALUE; "
            "write special characters of user and password as @ %40, : %3A, / %2F, ? %3F, # %23, % %25"
        )
    if not _is_text(url):
        raise ConfigurationError("DATABASE_URL holds a NUL or bytes that are not UTF-8")
    found = {name: _decoded(match[name]) for name in ("user", "password", "dbname") if match[name]}
    if match["hosts"]:
        found |= _hosts_of_netloc(match["hosts"])
    for part in (match["query"] or "").split("&"):
        if part:
            name, equals, value = map(_decoded, part.partition("="))
            if not equals:
                raise ConfigurationError("an option in DATABASE_URL is not of the form NAME=VALUE")
            if name == "ssl" and value == "true":
                name, value = "sslmode", "require"  # as JDBC writes it, and libpq takes it
            check(name, value, _WHERE)
            found["host" if name == "socket" else name] = value  # dbmate's word
    return found


def _decoded(text: str) -> str:
    return unquote(text.strip(" "))  # outer blanks that are not encoded are none of the value


def _hosts_of_netloc(netloc: str) -> dict[str, str]:
    names, ports = [], []
    for part in netloc.split(","):
        match = _HOST.fullmatch(part)
        if match is None:
            raise ConfigurationError(f"the host or port in DATABASE_URL is unusable: write {LONG_FORM}")
        names.append(_decoded(match["ipv6"] or match["name"]))
        ports.append(match["port"] or "")
    given = {"host": ",".join(names), "port": ",".join(ports)}
    return {name: value for name, value in given.items() if value}


def hosts_and_ports(host: str | None, port: str | None) -> tuple[tuple[str, int], ...]:
    """Return each host with its port; a host without a name stands for all of DEFAULT_HOSTS.

    Raises:
        ConfigurationError: one of them is unusable, or they do not fit together.
    """
    names = (host or "").split(",")
    ports = [text.strip() or str(DEFAULT_PORT) for text in (port or "").split(",")]
    if len(ports) == 1:
        ports *= len(names)
    if len(ports) != len(names):
        raise ConfigurationError(f"{len(ports)} ports do not fit {len(names)} hosts: name one for all, or one for each")
    if not all(re.fullmatch(r"[0-9]{1,5}", one) and 0 < int(one) < 65536 for one in ports):
        raise ConfigurationError("the port in DATABASE_URL (or PGPORT) must be between 1 and 65535")
    if not all(map(_is_host, names)):
        raise ConfigurationError("a host in DATABASE_URL (or PGHOST) is no name, address or directory")
    return tuple(
        (name, int(one))
        for given, one in zip(names, ports, strict=True)
        for name in ((given,) if given else DEFAULT_HOSTS)
    )


def _is_text(url: str) -> bool:
    """Return whether the URL, its percent-encoded parts included, is text that can be sent to a server."""
    try:
        return "\x00" not in unquote_to_bytes(url).decode()
    except UnicodeError:
        return False


def _is_host(name: str) -> bool:
    if name.startswith("/"):
        return True
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return not re.search(r"[\s/@]", name)
