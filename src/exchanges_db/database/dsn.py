"""DATABASE_URL, parsed once into a value that hides its password and gives asyncpg and dbmate what each of them takes.

What the URL leaves open is filled in as libpq does: from the service, the environment, the defaults. So nothing is left
for asyncpg or dbmate to look up by themselves, and the two cannot connect differently.
"""

from __future__ import annotations

import getpass
import ipaddress
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from exchanges_db.database import tls
from exchanges_db.database.dsn_options import OPTIONS, WEAK_SSLMODES, from_environment
from exchanges_db.database.dsn_url import DEFAULT_HOSTS, DEFAULT_PORT, LONG_FORM, hosts_and_ports, options_of_url
from exchanges_db.database.pgpass import read_password
from exchanges_db.database.secret import Secret as Secret  # for whoever makes a Dsn
from exchanges_db.database.secret import without_frames
from exchanges_db.database.service_file import read_service
from exchanges_db.errors import ConfigurationError

_KEPT = ("sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version", "keepalives", "keepalives_idle",
         "keepalives_interval", "keepalives_count", "tcp_user_timeout", "krbsrvname", "gsslib")  # fmt: skip
# Not sslnegotiation=direct: the server breaks off when dbmate tries. It asks for TLS first, and checks the same.
_DBMATE_KEEPS = ("ssl_min_protocol_version", "ssl_max_protocol_version")


@dataclass(frozen=True)
class Dsn:
    """Where a PostgreSQL is and how to log in.

    Attributes:
        hosts: (host, port) in order of preference; a host that begins with / is a directory with a unix socket.
            Empty means the usual places.
        passfile: where the password is looked up for each connection if there is none here.
        sslmode: one of libpq's, or None for the default of `tls_mode`.
        options: further options of libpq that are honoured, by their names there.
        settings: run-time parameters for each session, such as search_path.
    """

    hosts: tuple[tuple[str, int], ...] = ()
    user: str | None = None
    password: Secret | None = None
    database: str | None = None
    passfile: str | None = None
    sslmode: str | None = None
    sslfiles: dict[str, str] = field(default_factory=dict)
    sslpassword: Secret | None = None
    target_session_attrs: str | None = None
    load_balance_hosts: bool = False
    connect_timeout: float | None = None
    options: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def tls_mode(self) -> str:
        """Return the sslmode to use: as written, else `prefer` if all hosts are on this machine, else `verify-full`."""
        return self.sslmode or ("prefer" if all(_is_local(host) for host, _ in self.hosts) else "verify-full")

    def addresses(self) -> list[tuple[str, int]]:
        """Return the hosts, or the usual places where there are none."""
        return list(self.hosts) or [(host, DEFAULT_PORT) for host in DEFAULT_HOSTS]

    def one_host(self, index: int) -> Dsn:
        """Return the same Dsn with only the host at `index`, and the same demands on it."""
        return replace(self, hosts=tuple(self.addresses()[index : index + 1]), sslmode=self.tls_mode())

    def asyncpg_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for asyncpg.connect; the password is handed over as a callable.

        They leave nothing open that asyncpg would look up in the environment or in files.
        """
        attempts = self.tls_attempts()
        return {
            "host": [host for host, _ in self.addresses()],
            "port": [port for _, port in self.addresses()],
            "user": self._login(),
            "password": partial(_reveal, self),
            "database": self.database or self._login(),
            # Where more than one attempt is allowed, its own name: asyncpg then tries in the same order.
            "ssl": attempts[0] if len(attempts) == 1 else self.tls_mode(),
            "direct_tls": attempts[0] is not False and self.options.get("sslnegotiation") == "direct",
            "target_session_attrs": self.target_session_attrs or "any",
            "krbsrvname": self.options.get("krbsrvname", "postgres"),
            "gsslib": self.options.get("gsslib", "gssapi"),
            "server_settings": dict(self.settings),
        }

    def tls_attempts(self) -> list[ssl.SSLContext | bool]:
        """Return what is tried in turn on a host that is no socket: a context, or False for a connection without TLS.

        Raises:
            ConfigurationError: a certificate file is unusable.
        """
        mode = self.tls_mode()
        if mode == "disable" or all(host.startswith("/") for host, _ in self.addresses()):
            return [False]
        versions = self.options.get("ssl_min_protocol_version"), self.options.get("ssl_max_protocol_version")
        context = tls.tls_context(mode, self.sslfiles, self.sslpassword, versions)
        if mode in ("prefer", "allow"):
            return [context, False] if mode == "prefer" else [False, context]
        return [context]

    def password_for_first_host(self) -> Secret | None:
        """Return the password, read from the password file if the Dsn has none."""
        if self.password is not None or self.passfile is None:
            return self.password
        host, port = self.addresses()[0]
        login = self._login()
        return read_password(Path(self.passfile), host, port, self.database or login, login)

    def dbmate_url(self, **settings: str) -> str:
        """Return the URL for dbmate, password included: for its environment, never for a command line or a log.

        settings: run-time parameters that win over those of the Dsn.

        Raises:
            ConfigurationError: the Dsn demands of the connection what dbmate cannot do.
        """
        host, port = self.addresses()[0]
        on_socket = host.startswith("/")
        query = self.settings | settings
        query |= {name: self.options[name] for name in _DBMATE_KEEPS if name in self.options}
        if self.connect_timeout is not None:
            query["connect_timeout"] = f"{self.connect_timeout:.0f}"
        if on_socket:
            query |= {"socket": host, "port": str(port), "sslmode": "disable"}
            netloc = ""
        else:
            query |= self._dbmate_tls()
            # dbmate drops the brackets of an IPv6 address, and cannot tell its end from the port.
            query |= {"host": host, "port": str(port)} if ":" in host else {}
            netloc = "" if ":" in host else f"{quote(host, safe='')}:{port}"
        login = quote(self._login(), safe="")
        password = self.password_for_first_host()
        if password is not None:
            login += f":{quote(password.reveal(), safe='')}"
        database = quote(self.database or self._login(), safe="")
        return f"postgresql://{login}@{netloc}/{database}?{urlencode(query, quote_via=quote)}"

    def _dbmate_tls(self) -> dict[str, str]:
        mode = self.tls_mode()
        files = self.sslfiles if mode != "disable" else {}
        for name, given in (("sslcrl", "sslcrl" in files), ("sslpassword", self.sslpassword is not None)):
            if given and mode != "disable":
                raise ConfigurationError(
                    f"dbmate, which migrates, has no option {name}: migrate with a DATABASE_URL that does without it"
                )
        if mode == "verify-full":
            return {"sslrootcert": tls.SYSTEM, **files, "sslmode": mode}
        return {**files, "sslmode": mode}

    def _login(self) -> str:
        return self.user or _system_user()

    def __str__(self) -> str:
        """Return where this leads, without user and password."""
        names = [host for host, _ in self.addresses()]
        usual = {port for _, port in self.addresses()} if tuple(names) == DEFAULT_HOSTS else set()
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        if len(usual) == 1:
            hosts = "the default host" + ("" if usual == {DEFAULT_PORT} else f", port {usual.pop()}")
        return f"{self.database or 'the default database'} on {hosts}"


def parse_dsn(url: str | Secret, environ: Mapping[str, str] | None = None) -> Dsn:
    """Return the parsed DATABASE_URL.

    environ: the variables that fill in what the URL leaves open; default: those of the process.

    Raises:
        ConfigurationError: it is unusable; of its text only the names of options and of a service are repeated.
    """
    url = url if isinstance(url, Secret) else Secret(url)
    if not isinstance(url.reveal(), str):
        raise ConfigurationError(f"DATABASE_URL must be a str, not {type(url.reveal()).__name__}")
    try:
        return _parse(url.reveal(), os.environ if environ is None else environ)
    except ConfigurationError as exc:
        error = without_frames(exc)
    raise error


def _parse(url: str, environ: Mapping[str, str]) -> Dsn:
    home = Path(environ.get("HOME") or _home())
    given = options_of_url(url)
    of_environment = from_environment(environ)
    service = given.get("service") or of_environment.get("service")
    if service:
        given = read_service(service, environ, home) | given
    given = of_environment | given
    hosts = hosts_and_ports(given.get("host"), given.get("port"))
    sslfiles = {name: given[name] for name in tls.FILES if given.get(name)}
    sslmode = _sslmode(given, sslfiles, hosts)
    sslfiles = _default_files(home, sslfiles) | sslfiles
    if sslmode == "verify-ca" and "sslrootcert" not in sslfiles:
        raise ConfigurationError("sslmode=verify-ca needs sslrootcert, the file of the authority to trust")
    application = given.get("application_name") or given.get("fallback_application_name")
    settings = {name: value for name, value in given.items() if name not in OPTIONS}
    settings |= {"options": given["options"]} if given.get("options") else {}
    settings |= {"application_name": application} if application else {}
    timeout = int(given.get("connect_timeout") or 0)
    return Dsn(
        hosts=hosts,
        user=given.get("user"),
        password=Secret(given["password"]) if given.get("password") else None,
        database=given.get("dbname"),
        passfile=given.get("passfile") or str(home / ".pgpass"),
        sslmode=sslmode,
        sslfiles=sslfiles,
        sslpassword=Secret(given["sslpassword"]) if given.get("sslpassword") else None,
        target_session_attrs=given.get("target_session_attrs"),
        load_balance_hosts=given.get("load_balance_hosts") == "random",
        connect_timeout=float(timeout) if timeout else None,
        options={name: given[name] for name in _KEPT if name in given},
        settings=settings,
    )


def _sslmode(given: dict[str, str], sslfiles: dict[str, str], hosts: tuple[tuple[str, int], ...]) -> str | None:
    """Return the sslmode that the options ask for, None if they ask for none; raise where one contradicts another."""
    mode = given.get("sslmode")
    asks = [name for name in ("sslrootcert", "sslcrl") if name in sslfiles]
    if mode is None and asks and not all(host.startswith("/") for host, _ in hosts):
        mode = "verify-full"
    if mode in ("allow", "prefer") and asks:
        raise ConfigurationError(f"{asks[0]} protects nothing with sslmode={mode}: write sslmode=verify-full")
    if sslfiles.get("sslrootcert") == tls.SYSTEM and mode in ("require", "verify-ca"):
        raise ConfigurationError(f"sslmode={mode} is too weak for sslrootcert=system: write sslmode=verify-full")
    if given.get("sslnegotiation") == "direct" and (mode or "prefer") in WEAK_SSLMODES and (mode or _all_local(hosts)):
        raise ConfigurationError("sslnegotiation=direct needs sslmode=require, verify-ca or verify-full: write it out")
    if given.get("ssl_min_protocol_version", "") > given.get("ssl_max_protocol_version", "TLSv1.3"):
        raise ConfigurationError("ssl_min_protocol_version is greater than ssl_max_protocol_version")
    return mode


def _default_files(home: Path, named: dict[str, str]) -> dict[str, str]:
    found = tls.default_files(home)
    if "sslcert" in named:
        found.pop("sslcert", None)
    elif "sslcert" not in found:
        found.pop("sslkey", None)
    if named.get("sslrootcert") == tls.SYSTEM:
        found.pop("sslrootcert", None)
    return found


def _all_local(hosts: tuple[tuple[str, int], ...]) -> bool:
    return all(_is_local(host) for host, _ in hosts)


def _is_local(host: str) -> bool:
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")  # a user without a home has no files there


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise ConfigurationError(f"DATABASE_URL names no user, and this process has none: {LONG_FORM}") from None


def _reveal(dsn: Dsn) -> str | None:
    """Return the password for asyncpg, which calls this for each connection; None keeps it from looking for one."""
    password = dsn.password_for_first_host()
    return None if password is None else password.reveal()
