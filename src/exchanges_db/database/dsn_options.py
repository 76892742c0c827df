"""Every connection option of libpq and every variable PG..., and what is done with it: one table, with the reasons.

What asks for safety is honoured or refused by name; what is let pass without effect says why that harms nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from exchanges_db.errors import ConfigurationError


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        variable: the environment variable that sets it, if there is one.
        values: a pattern for the values that may be given; any other is refused.
        effect: whether a value that may be given changes anything.
        words: what it does, why it does nothing, or what to do instead of what is refused.
    """

    name: str
    variable: str | None
    values: str
    effect: bool
    words: str


_ANY = r"(?s:.*)"
_NONE = r""
_WHOLE = r"[0-9]{1,9}"
_TLS = r"TLSv1\.[23]"
_OFF = r"(?:0|off|false|no)?"
SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
WEAK_SSLMODES = SSLMODES[:3]  # they go on without TLS where the server, or somebody in between, refuses it
SESSION_ATTRIBUTES = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")

# In the order of the manual: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_TABLE: tuple[tuple[str, str | None, str, bool, str], ...] = (
    ("host", "PGHOST", _ANY, True, "names, addresses or socket folders, tried in order"),
    ("hostaddr", "PGHOSTADDR", _NONE, False, "put the address into host"),
    ("port", "PGPORT", _ANY, True, "one for all hosts, or one for each"),
    ("dbname", "PGDATABASE", _ANY, True, "default: the name of the user"),
    ("user", "PGUSER", _ANY, True, "default: the name of the operating system's user"),
    ("password", "PGPASSWORD", _ANY, True, "never shown"),
    ("passfile", "PGPASSFILE", _ANY, True, "default ~/.pgpass; read for each connection"),
    ("require_auth", "PGREQUIREAUTH", _NONE, False,
     "the driver cannot refuse a method of authentication: use sslmode=verify-full, so that only your server asks"),
    ("channel_binding", "PGCHANNELBINDING", r"(?:disable|prefer)?", False,
     "the driver cannot bind to the TLS channel, and prefer allows that; instead of require use sslmode=verify-full"),
    ("connect_timeout", "PGCONNECT_TIMEOUT", r"[0-9]{1,6}", True, "whole seconds for each host; 0 means the default"),
    ("client_encoding", "PGCLIENTENCODING", _ANY, False, "text reaches Python as str; UTF8 is spoken always"),
    ("options", "PGOPTIONS", _ANY, True, "run-time parameters as -c NAME=VALUE"),
    ("application_name", "PGAPPNAME", _ANY, True, "default: exchanges_db"),
    ("fallback_application_name", None, _ANY, True, "used where there is no application_name"),
    ("keepalives", None, r"[01]", True, "0 switches TCP keepalives off; default 1"),
    ("keepalives_idle", None, _WHOLE, True, "seconds"),
    ("keepalives_interval", None, _WHOLE, True, "seconds"),
    ("keepalives_count", None, _WHOLE, True, "how many may be lost"),
    ("tcp_user_timeout", None, _WHOLE, True, "milliseconds, on Linux"),
    ("replication", None, _OFF, False, "this is no replication client: leave it out"),
    ("gssencmode", "PGGSSENCMODE", r"(?:disable|prefer)?", False,
     "the driver cannot encrypt by GSSAPI, and prefer allows that; instead of require use sslmode=verify-full"),
    ("sslmode", "PGSSLMODE", "|".join(SSLMODES), True,
     "default verify-full, on this machine prefer; write one of " + ", ".join(SSLMODES)),
    ("sslnegotiation", "PGSSLNEGOTIATION", "postgres|direct", True,
     "direct needs sslmode=require or stronger; dbmate asks for TLS first, with the same checks"),
    ("sslcompression", "PGSSLCOMPRESSION", _ANY, False, "TLS libraries compress no more; libpq ignores it too"),
    ("sslcert", "PGSSLCERT", _ANY, True, "default ~/.postgresql/postgresql.crt, where it exists"),
    ("sslkey", "PGSSLKEY", _ANY, True, "default ~/.postgresql/postgresql.key; readable by you alone"),
    ("sslkeylogfile", None, _NONE, False, "keys of sessions are written nowhere: leave it out"),
    ("sslpassword", None, _ANY, True, "of sslkey; dbmate has no such option, so migrate refuses it"),
    ("sslcertmode", "PGSSLCERTMODE", r"(?:allow)?", False,
     "a certificate is shown where there is one and the server asks: leave sslcert out, or let pg_hba.conf demand one"),
    ("sslrootcert", "PGSSLROOTCERT", _ANY, True,
     "a file, or system; default ~/.postgresql/root.crt, where it exists, else system for verify-full"),
    ("sslcrl", "PGSSLCRL", _ANY, True, "a file; dbmate has no such option, so migrate refuses it"),
    ("sslcrldir", "PGSSLCRLDIR", _NONE, False, "name one file with sslcrl"),
    ("sslsni", "PGSSLSNI", r"1?", False, "the name of the host is always sent: leave it out, or give its address"),
    ("requirepeer", "PGREQUIREPEER", _NONE, False,
     "the driver does not ask whose process serves a socket: use a socket folder that only the server may write to"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", _TLS, True, "TLSv1.2 (default) or TLSv1.3"),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", _TLS, True, "TLSv1.2 or TLSv1.3"),
    ("min_protocol_version", "PGMINPROTOCOLVERSION", r"(?:3\.0)?", False, "the driver speaks 3.0: leave it out"),
    ("max_protocol_version", "PGMAXPROTOCOLVERSION", r"(?:3\.[0-9]+|latest)?", False, "the driver speaks 3.0"),
    ("krbsrvname", "PGKRBSRVNAME", _ANY, True, "for GSSAPI logins, which need the package gssapi; not for dbmate"),
    ("gsslib", "PGGSSLIB", "gssapi|sspi", True, "for GSSAPI logins: gssapi or sspi"),
    ("gssdelegation", "PGGSSDELEGATION", _OFF, False, "credentials are never passed on: leave it out"),
    ("scram_client_key", None, _NONE, False, "the driver logs in by password: use password or passfile"),
    ("scram_server_key", None, _NONE, False, "the driver logs in by password: use password or passfile"),
    ("service", "PGSERVICE", _ANY, True, "a section of PGSERVICEFILE, ~/.pg_service.conf or PGSYSCONFDIR"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS", "|".join(SESSION_ATTRIBUTES), True,
     "which server will do; write one of " + ", ".join(SESSION_ATTRIBUTES)),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS", "disable|random", True,
     "random: the hosts are tried in an order drawn anew for each connection; else disable"),
    ("oauth_issuer", None, _NONE, False, "the driver knows no OAuth: use a password or a certificate"),
    ("oauth_client_id", None, _NONE, False, "the driver knows no OAuth: use a password or a certificate"),
    ("oauth_client_secret", None, _NONE, False, "the driver knows no OAuth: use a password or a certificate"),
    ("oauth_scope", None, _NONE, False, "the driver knows no OAuth: use a password or a certificate"),
)  # fmt: skip
OPTIONS: dict[str, Option] = {row[0]: Option(*row) for row in _TABLE}

# Variables of libpq that set none of these options.
VARIABLES: dict[str, str] = {
    "PGSERVICEFILE": "honoured: where services are looked up first",
    "PGSYSCONFDIR": "honoured: the folder of the system's pg_service.conf",
    "PGREQUIRESSL": "honoured: a value that begins with 1 means sslmode=require, unless PGSSLMODE is set",
    "PGDATESTYLE": "no effect: dates are read in binary",
    "PGTZ": "no effect: times are moments with a zone; write timezone=... in the URL for SQL of your own",
    "PGGEQO": "no effect: no statement here joins enough tables",
    "PGLOCALEDIR": "no effect: it is where libpq finds its translations",
}
# No run-time parameter that a session may set begins so: a misspelt demand must not be sent to the server in vain.
_DEMANDS = ("ssl", "gss", "krb", "require", "channel", "oauth", "scram", "keepalive", "pass", "pgpass", "load_balance")
_MISTAKEN = {"database": "dbname", "username": "user", "servicefile": "the variable PGSERVICEFILE"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


def check(name: str, value: str, where: str) -> None:
    """Raise ConfigurationError, which names the option and never its value, where it is none or may not be so.

    A name that is no option of libpq is a run-time parameter, which the server judges.
    """
    option = OPTIONS.get(name)
    if not _is_text(value):
        raise ConfigurationError(f"{name} in {where} holds a NUL or bytes that are not UTF-8")
    if option is not None:
        if not re.fullmatch(option.values, value):
            verb = "cannot be honoured" if not option.effect else "has an unusable value"
            raise ConfigurationError(f"{name} in {where} {verb}: {option.words}")
    elif not _NAME.fullmatch(name):
        raise ConfigurationError(f"an option in {where} is not of the form NAME=VALUE")
    elif name.lower() in _MISTAKEN:
        raise ConfigurationError(f"{name} in {where} is no option: write {_MISTAKEN[name.lower()]}")
    elif name.lower().startswith(_DEMANDS) or name.lower() in OPTIONS:
        raise ConfigurationError(f"{name} in {where} is no option of libpq: see its manual, or leave it out")


def _is_text(value: str) -> bool:
    """Return whether a server can be sent this: variables may hold bytes that are not UTF-8, and files a NUL."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in value


def from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the options that variables set; an empty variable sets none."""
    found: dict[str, str] = {}
    for option in OPTIONS.values():
        value = environ.get(option.variable or "", "")
        if value:
            check(option.name, value, f"the environment ({option.variable})")
            found[option.name] = value
    if "sslmode" not in found and environ.get("PGREQUIRESSL", "").startswith("1"):
        found["sslmode"] = "require"
    return found
