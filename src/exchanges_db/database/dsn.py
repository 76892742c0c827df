"""DATABASE_URL, parsed once into a value that hides its password and gives asyncpg and dbmate what each of them takes.

The error about a URL that cannot be parsed repeats nothing of it: any part may be a piece of the password.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, unquote_to_bytes, urlencode

from exchanges_db.errors import ConfigurationError

_URL = re.compile(
    r"(?:postgres|postgresql)://"
    r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?"
    # No @ after the login: it would belong to a password that was not encoded, and so would the text before it.
    r"(?P<hosts>[^@/?#]*)(?:/(?P<database>[^@/?#]*))?(?:\?(?P<query>[^@#]*))?"
)
_DRIVER = re.compile(r"\s*postgres(?:ql)?\+(?P<driver>asyncpg|psycopg|psycopg2|psycopg_async|pg8000)://")
_HOST = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:]*))(?::(?P<port>[0-9]{1,5}))?")
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_LONG_FORM = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
# Options that only libpq has; asyncpg would send them to the server as settings, and the server refuses them.
_LIBPQ_ONLY = frozenset(
    ("channel_binding", "gssencmode", "keepalives", "keepalives_idle", "keepalives_interval", "sslcompression",
     "sslnegotiation", "passfile", "krbsrvname", "load_balance_hosts")
)  # fmt: skip


class Secret:
    """A text that is shown only by `reveal()`, and in no log or error."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"


@dataclass(frozen=True)
class Dsn:
    """Where a PostgreSQL is and how to log in.

    Attributes:
        hosts: (host, port) in order of preference; a host that begins with / is a directory with a unix socket.
            Empty means the driver's own default.
        sslmode: one of libpq's, or None for the default of `tls_mode`.
        settings: run-time parameters for each session, such as search_path.
    """

    hosts: tuple[tuple[str, int], ...] = ()
    user: str | None = None
    password: Secret | None = None
    database: str | None = None
    sslmode: str | None = None
    sslfiles: dict[str, str] = field(default_factory=dict)
    target_session_attrs: str | None = None
    connect_timeout: float | None = None
    settings: dict[str, str] = field(default_factory=dict)

    def tls_mode(self) -> str:
        """Return the sslmode to use: as written, else `prefer` if all hosts are on this machine, else `verify-full`."""
        # Without a host in the URL the driver uses PGHOST.
        hosts = [host for host, _ in self.hosts] or [host for host in os.environ.get("PGHOST", "").split(",") if host]
        return self.sslmode or ("prefer" if all(map(_is_local, hosts)) else "verify-full")

    def one_host(self, index: int) -> Dsn:
        """Return the same Dsn with only the host at `index`."""
        return replace(self, hosts=self.hosts[index : index + 1])

    def asyncpg_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for asyncpg.connect; the password is handed over as a callable."""
        arguments: dict[str, Any] = {"ssl": self._ssl(), "server_settings": dict(self.settings)}
        if self.hosts:
            arguments["host"] = [host for host, _ in self.hosts]
            arguments["port"] = [port for _, port in self.hosts]
        for name in ("user", "database", "target_session_attrs"):
            if getattr(self, name) is not None:
                arguments[name] = getattr(self, name)
        if self.password is not None:
            arguments["password"] = self.password.reveal
        return arguments

    def dbmate_url(self) -> str:
        """Return the URL for dbmate, password included: for its environment, never for a command line or a log."""
        host, port = self.hosts[0] if self.hosts else ("", 5432)
        query = {**self.settings, **self.sslfiles, "sslmode": self.tls_mode()}
        if query["sslmode"].startswith("verify") and "sslrootcert" not in query:
            query["sslrootcert"] = "system"
        if host.startswith("/"):
            query |= {"socket": host, "port": str(port), "sslmode": "disable"}
            query.pop("sslrootcert", None)
            netloc = ""
        else:
            netloc = f"[{host}]:{port}" if ":" in host else f"{quote(host, safe='')}:{port}" if host else ""
        login = quote(self.user, safe="") if self.user else ""
        if self.password is not None:
            login += f":{quote(self.password.reveal(), safe='')}"
        return f"postgresql://{login}@{netloc}/{quote(self.database or '', safe='')}?{urlencode(query)}"

    def _ssl(self) -> ssl.SSLContext | str | bool:
        mode = self.tls_mode()
        if mode == "disable":
            return False
        roots = self.sslfiles.get("sslrootcert")
        if mode == "require" and roots is not None:
            mode = "verify-ca"  # as libpq does where a certificate authority is named
        if not mode.startswith("verify") and not (mode == "require" and "sslcert" in self.sslfiles):
            return mode
        try:
            context = ssl.create_default_context(cafile=None if roots in (None, "system") else roots)
            if "sslcert" in self.sslfiles:
                context.load_cert_chain(self.sslfiles["sslcert"], self.sslfiles.get("sslkey"))
        except OSError as exc:
            raise ConfigurationError("a certificate file named in DATABASE_URL cannot be used") from exc
        context.check_hostname = mode == "verify-full"
        if mode == "require":
            context.verify_mode = ssl.CERT_NONE
        return context

    def __str__(self) -> str:
        """Return where this leads, without user and password."""
        environ = os.environ.get  # what the driver uses where the URL says nothing
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts) or environ("PGHOST") or "the default host"
        database = self.database or environ("PGDATABASE") or "the default database"
        return f"{database} on {hosts}"


def parse_dsn(url: str) -> Dsn:
    """Return the parsed DATABASE_URL; raise ConfigurationError, which repeats nothing of it, when it is unusable."""
    driver = _DRIVER.match(url)
    if driver is not None:
        raise ConfigurationError(
            f"DATABASE_URL names a driver, as SQLAlchemy's URLs do: drop +{driver['driver']} and write {_LONG_FORM}"
        )
    match = _URL.fullmatch(url.strip())
    if match is None:
        raise ConfigurationError(
            f"DATABASE_URL is not of the form {_LONG_FORM}?OPTION=VALUE; "
            "write special characters of user and password as @ %40, : %3A, / %2F, ? %3F, # %23, % %25"
        )
    if not _is_text(url):
        raise ConfigurationError("DATABASE_URL holds a NUL or bytes that are not UTF-8")
    query = dict(parse_qsl(match["query"] or "", keep_blank_values=True))
    if not all(map(_SETTING.fullmatch, query)):
        raise ConfigurationError("an option in DATABASE_URL is not of the form NAME=VALUE")
    sslmode = query.pop("sslmode", None)
    if sslmode is not None and sslmode not in _SSLMODES:
        raise ConfigurationError(f"sslmode in DATABASE_URL is not one of {', '.join(_SSLMODES)}")
    user = query.pop("user", None) or unquote(match["user"] or "") or None
    password = query.pop("password", None) or unquote(match["password"] or "") or None
    database = query.pop("dbname", None) or unquote(match["database"] or "") or None
    hosts = _hosts(match["hosts"], query)
    timeout = query.pop("connect_timeout", None)
    if timeout is not None and not re.fullmatch(r"[0-9]{1,6}", timeout):
        raise ConfigurationError("connect_timeout in DATABASE_URL must be whole seconds")
    sslfiles = {name: query.pop(name) for name in ("sslrootcert", "sslcert", "sslkey") if name in query}
    return Dsn(
        hosts=hosts,
        user=user,
        password=None if password is None else Secret(password),
        database=database,
        sslmode=sslmode,
        sslfiles=sslfiles,
        target_session_attrs=query.pop("target_session_attrs", None),
        connect_timeout=float(timeout) if timeout and timeout != "0" else None,
        settings={name: value for name, value in query.items() if name not in _LIBPQ_ONLY},
    )


def _hosts(netloc: str, query: dict[str, str]) -> tuple[tuple[str, int], ...]:
    # dbmate takes ?socket=, libpq and asyncpg ?host=; both win over a host before the path.
    port = query.pop("port", None)
    default_ports = (port or "5432").split(",")
    socket, host = query.pop("socket", None), query.pop("host", None)
    if socket or host:
        names = (socket or host or "").split(",")
        ports = default_ports * len(names) if len(default_ports) == 1 else default_ports
        if len(ports) < len(names):
            raise ConfigurationError("DATABASE_URL names more hosts than ports")
        parsed = list(zip(names, ports, strict=False))
    elif netloc or port:
        parsed = []
        for part in netloc.split(","):
            match = _HOST.fullmatch(part)
            if match is None:
                raise ConfigurationError(f"the host or port in DATABASE_URL is unusable: write {_LONG_FORM}")
            parsed.append((match["ipv6"] or unquote(match["name"]), match["port"] or default_ports[0]))
    else:
        return ()
    if not all(re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536 for _, port in parsed):
        raise ConfigurationError("the port in DATABASE_URL must be between 1 and 65535")
    if not all(map(_is_host, (name for name, _ in parsed))):
        raise ConfigurationError("a host in DATABASE_URL is no name, address or directory")
    return tuple((name or "localhost", int(port)) for name, port in parsed)


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
    return not re.search(r"[\s/]", name)


def _is_local(host: str) -> bool:
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
