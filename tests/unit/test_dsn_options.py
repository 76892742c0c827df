"""Every connection option of libpq, in URL, files and variables: honoured as there, or refused by its name."""

import inspect
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges_db import ConfigurationError
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.database.dsn_options import OPTIONS, VARIABLES
from exchanges_db.database.dsn_url import DEFAULT_HOSTS, DEFAULT_PORT, options_of_url
from tests.factories import property_settings
from tests.fix_server import ROOT
from tests.libpq import libpq_options, libpq_reads

# A value of each option that changes something, and where it must show up: in asyncpg's arguments, in dbmate's URL.
HONOURED = {
    "host": "far.example", "port": "7", "dbname": "d2", "user": "u2", "password": "p2", "passfile": "/p",
    "service": "s", "connect_timeout": "9", "options": "-c jit=off", "application_name": "a",
    "fallback_application_name": "f", "keepalives": "0", "keepalives_idle": "5", "keepalives_interval": "6",
    "keepalives_count": "7",
    "tcp_user_timeout": "800", "sslmode": "require", "sslnegotiation": "direct", "sslcert": "/c", "sslkey": "/k",
    "sslpassword": "x", "sslrootcert": "/r", "sslcrl": "/l", "ssl_min_protocol_version": "TLSv1.3",
    "ssl_max_protocol_version": "TLSv1.2", "krbsrvname": "pg", "gsslib": "sspi", "target_session_attrs": "standby",
    "load_balance_hosts": "random",
}  # fmt: skip
# What would weaken a connection if it were dropped in silence.
DEMANDS = {
    "require_auth": "scram-sha-256", "channel_binding": "require", "gssencmode": "require", "sslcrldir": "/d",
    "requirepeer": "postgres", "sslcertmode": "require", "min_protocol_version": "3.2", "hostaddr": "10.0.0.1",
    "ssl_min_protocol_version": "TLSv1.4", "sslsni": "0", "sslmode": "yes", "sslnegotiation": "maybe",
}  # fmt: skip


def read(query: str = "", environ: dict[str, str] | None = None) -> Dsn:
    """The Dsn of a URL with that query, in that environment alone."""
    return parse_dsn(f"postgresql://u:p@far.example/d?{query}", {"HOME": "/nonexistent", **(environ or {})})


def test_each_option_of_libpq_and_its_variable_has_a_decision() -> None:
    """Also of a libpq to come, when the tests run on it."""
    assert {name: OPTIONS[name].variable for name in libpq_options()} == libpq_options()
    manual = set(OPTIONS) - set(libpq_options())
    assert manual == set(), "the table has options that libpq does not have"


def test_each_option_that_has_an_effect_is_tried_here() -> None:
    assert set(HONOURED) == {option.name for option in OPTIONS.values() if option.effect}


@pytest.mark.parametrize("name", sorted(HONOURED))
@pytest.mark.parametrize("by_variable", [False, True])
def test_an_option_that_is_honoured_changes_the_connection(
    name: str, by_variable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the URL says it or the variable."""
    monkeypatch.setattr("exchanges_db.database.tls.tls_context", lambda *what: what)
    (tmp_path / ".pg_service.conf").write_text("[s]\nsearch_path_is_no_option=1\n")
    variable = OPTIONS[name].variable
    if by_variable and variable is None:
        return
    base = "postgresql://localhost?sslmode=require" if name == "sslnegotiation" else "postgresql://"
    home = {"HOME": str(tmp_path)}
    environ = home | ({str(variable): HONOURED[name]} if by_variable else {})
    url = base if by_variable else f"{base}{'&' if '?' in base else '?'}{name}={HONOURED[name].replace('=', '%3D')}"
    if name == "service":
        with pytest.raises(ConfigurationError, match="line 2 of the service file"):
            parse_dsn(url, environ)
        return
    assert parse_dsn(url, environ) != parse_dsn(base, home)


@pytest.mark.parametrize("name", sorted(DEMANDS))
def test_a_demand_that_cannot_be_met_is_refused_by_its_name(name: str) -> None:
    """From the URL, the variable and the service file; its value is not repeated."""
    with pytest.raises(ConfigurationError, match=rf"^{name} in DATABASE_URL (cannot|has)") as info:
        read(f"{name}={DEMANDS[name]}")
    assert OPTIONS[name].words in str(info.value)
    variable = OPTIONS[name].variable
    assert variable is not None
    with pytest.raises(ConfigurationError, match=rf"^{name} in the environment \({variable}\)"):
        read("", {variable: DEMANDS[name]})


@pytest.mark.parametrize("name", sorted(name for name, option in OPTIONS.items() if not option.effect))
def test_what_has_no_effect_is_refused_where_that_could_matter(name: str) -> None:
    """An option without effect either asks for nothing, or may be given no value that asks for something."""
    option = OPTIONS[name]
    if re.fullmatch(option.values, "canary"):
        assert name in ("client_encoding", "sslcompression"), "it takes any value, and does nothing"
        assert read(f"{name}=canary") == read()
        return
    with pytest.raises(ConfigurationError, match=f"^{name} in DATABASE_URL cannot be honoured") as info:
        read(f"{name}=canary")
    assert "canary" not in str(info.value)


@pytest.mark.parametrize("name", ["sslmod", "SSLMODE", "ssl_mode", "requiressl", "requirepeers", "channel_bindings",
                                  "gssencmod", "pass", "passwd", "database", "username", "Host"])  # fmt: skip
def test_a_misspelt_option_of_libpq_is_not_sent_to_the_server(name: str) -> None:
    """Which would refuse it after the login, on a connection that is not as was asked for."""
    with pytest.raises(ConfigurationError, match=f"^{name} in DATABASE_URL is no option"):
        read(f"{name}=1")


@pytest.mark.parametrize(
    "query",
    [
        "sslmode=prefer&sslrootcert=/ca", "sslmode=allow&sslcrl=/crl", "sslmode=require&sslrootcert=system",
        "sslmode=verify-ca&sslrootcert=system", "sslmode=verify-ca", "sslmode=prefer&sslnegotiation=direct",
        "ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2",
    ],
)  # fmt: skip
def test_options_that_contradict_each_other_are_refused(query: str) -> None:
    """Rather than let the weaker one win."""
    with pytest.raises(ConfigurationError):
        read(query)


def test_direct_tls_needs_tls_on_this_machine_too() -> None:
    with pytest.raises(ConfigurationError, match="sslnegotiation=direct needs"):
        parse_dsn("postgresql://localhost/d?sslnegotiation=direct", {})


@pytest.mark.parametrize("option", ["sslcrl=/crl", "sslpassword=x"])
def test_migrate_refuses_what_dbmate_cannot_do(option: str) -> None:
    """Its connection would be a weaker one."""
    with pytest.raises(ConfigurationError, match=f"no option {option.partition('=')[0]}: migrate with"):
        read(option).dbmate_url()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://", "postgres://h", "postgresql://h:1/d", "postgresql://u:p@h/d", "postgresql://u@/d?host=/tmp",
        "postgresql://[::1]:5433/d", "postgresql://a,b:2,c/d", "postgresql://a:1/d?port=7", "postgresql://a/d?host=b",
        "postgresql://h/d?password=a+b", "postgresql://u:a+b@h/d", "postgresql://h/d?user=x%2By&user=z",
        "postgresql://h/d?ssl=true", "postgresql://%2Ftmp/d", "postgresql://h/d?application_name=a%20b",
        "postgresql://u1@h/d?user=u2&dbname=e", "postgresql:///d?port=7", "postgresql://:5433/d",
        "postgresql://[fe80::1%25eth0]:5433/d", "postgresql://a:1/d?host=&port=&user=&password=&dbname=",
    ],
)  # fmt: skip
def test_a_url_is_read_as_libpq_reads_it(url: str) -> None:
    assert options_of_url(url) == libpq_reads(url)


PIECES = st.text("ab+%25:.-_ é", min_size=1, max_size=6)


@property_settings(300)
@given(user=PIECES, password=PIECES, database=PIECES, value=PIECES)
def test_any_url_that_libpq_takes_is_read_alike(user: str, password: str, database: str, value: str) -> None:
    """Percent, plus and blank above all; what libpq refuses, we may take."""
    url = f"postgresql://{user.replace(':', '')}:{password}@h/{database}?application_name={value}"
    theirs = libpq_reads(url)
    if theirs is None or "\ufffd" in "".join(theirs.values()):  # bytes that are no text, which we refuse
        return
    assert options_of_url(url) == theirs


def test_what_is_empty_in_the_query_is_not_taken_from_the_environment() -> None:
    """As in libpq: whoever empties the host means the default, and not another server that a variable names."""
    environ = {"PGHOST": "elsewhere", "PGPORT": "7", "PGPASSWORD": "p", "PGDATABASE": "e", "PGUSER": "v"}
    dsn = parse_dsn("postgresql://u@/?host=&port=&password=&dbname=", environ)
    assert dsn.addresses() == [(host, DEFAULT_PORT) for host in DEFAULT_HOSTS]
    assert (dsn.password, dsn.asyncpg_arguments()["database"]) == (None, "u")
    assert parse_dsn("postgresql://", environ).hosts == (("elsewhere", 7),)


@pytest.mark.parametrize("variable", sorted({str(o.variable) for o in OPTIONS.values() if o.variable}))
def test_neither_asyncpg_nor_dbmate_reads_the_environment(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Dsn leaves nothing open: arguments made before the variable was set are all that counts."""
    arguments = read().asyncpg_arguments()
    monkeypatch.setenv(variable, "7")
    # Private, and what each connection of asyncpg is made of.
    parse: Any = getattr(asyncpg.connect_utils, "_parse_connect_arguments")  # noqa: B009 - unknown to its type stubs

    other = {"dsn": None, "passfile": None, "service": None, "servicefile": None, "command_timeout": None,
             "statement_cache_size": 0, "max_cached_statement_lifetime": 0,
             "max_cacheable_statement_size": 0}  # fmt: skip
    addresses, parameters, _ = parse(**arguments, **other)
    assert addresses == [("far.example", 5432)]
    assert (parameters.user, parameters.database) == ("u", "d")
    assert parameters.password() == "p"
    assert parameters.ssl is arguments["ssl"]
    assert parameters.ssl_negotiation == "postgres"
    assert parameters.target_session_attrs.value == "any"
    assert (parameters.krbsrvname, parameters.gsslib) == ("postgres", "gssapi")


def test_asyncpg_takes_nothing_that_is_not_given_to_it() -> None:
    """Every argument of asyncpg.connect that stands for an option of libpq is filled in."""
    known = set(inspect.signature(asyncpg.connect).parameters)
    given_otherwise = {"dsn", "passfile", "service", "servicefile"}  # read by us
    no_options = {"loop", "timeout", "statement_cache_size", "max_cached_statement_lifetime", "connection_class",
                  "max_cacheable_statement_size", "command_timeout", "record_class"}  # fmt: skip
    assert known - given_otherwise - no_options == set(read().asyncpg_arguments())


def test_the_url_wins_over_the_service_and_that_over_the_environment(tmp_path: Path) -> None:
    """As in libpq."""
    file = tmp_path / "services"
    file.write_text("# c\n[other]\nhost=no\n\n[mine]\nhost=svc\nport=6\nuser=svc\npassword= a=b \n[next]\ndbname=no\n")
    environ = {"PGSERVICEFILE": str(file), "PGSERVICE": "mine", "PGHOST": "env", "PGUSER": "env", "PGDATABASE": "env",
               "PGPORT": "5", "PGCONNECT_TIMEOUT": "3", "PGTARGETSESSIONATTRS": "primary", "PGAPPNAME": "env",
               "PGOPTIONS": "-c jit=off", "PGPASSWORD": "env", "PGLOADBALANCEHOSTS": "random",
               "PGREQUIRESSL": "1"}  # fmt: skip
    dsn = parse_dsn("postgresql://url@", environ)
    assert (dsn.hosts, dsn.user, dsn.database) == ((("svc", 6),), "url", "env")
    assert dsn.password is not None
    assert dsn.password.reveal() == " a=b"
    assert (dsn.connect_timeout, dsn.target_session_attrs, dsn.load_balance_hosts) == (3, "primary", True)
    assert dsn.settings == {"application_name": "env", "options": "-c jit=off"}
    assert dsn.tls_mode() == "require"
    assert parse_dsn("postgresql://h?service=next&dbname=d", environ).database == "d"


def test_a_service_of_the_system_is_found(tmp_path: Path) -> None:
    (tmp_path / "pg_service.conf").write_text("[s]\nhost=sys\n")
    assert parse_dsn("postgresql://?service=s", {"PGSYSCONFDIR": str(tmp_path), "HOME": "/x"}).hosts[0][0] == "sys"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[s]\ncanary", "line 2 of the service file"), ("[s]\ncanary=1", "line 2"), ("[s]\nservice=x", "line 2"),
        ("[s]\nhost=x\nrequire_auth=canary", "require_auth in line 3"), ("[t]\nhost=x", "'s' is in none of"),
        ("\udcff", "cannot be read as UTF-8"), (None, "names no file"),
    ],
)  # fmt: skip
def test_an_unusable_service_is_refused_with_its_place(text: str | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "services"
    if text is not None:
        file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigurationError, match=message) as info:
        parse_dsn("postgresql://?service=s", {"PGSERVICEFILE": str(file)})
    assert "canary" not in str(info.value)


def test_files_of_the_user_are_used_where_none_are_named(tmp_path: Path) -> None:
    """Those that libpq would use; dbmate is told the same."""
    folder = tmp_path / ".postgresql"
    folder.mkdir()
    (folder / "root.crt").touch()
    (folder / "postgresql.key").touch()
    dsn = parse_dsn("postgresql://u@far/d", {"HOME": str(tmp_path)})
    assert dsn.sslfiles == {"sslrootcert": str(folder / "root.crt")}
    assert dict(parse_qsl(urlsplit(dsn.dbmate_url()).query))["sslrootcert"] == str(folder / "root.crt")
    assert parse_dsn("postgresql://far/d?sslrootcert=system", {"HOME": str(tmp_path)}).sslfiles == {
        "sslrootcert": "system"
    }
    (folder / "postgresql.crt").touch()
    assert set(parse_dsn("postgresql://far/d", {"HOME": str(tmp_path)}).sslfiles) == {
        "sslrootcert",
        "sslcert",
        "sslkey",
    }


def test_the_settings_document_lists_every_option_and_variable() -> None:
    """With what is done about it, word for word."""
    text = (ROOT / "docs/operations.md").read_text()
    rows = {line.split("|")[1].strip(" `"): line for line in text.splitlines() if line.startswith("| `")}
    for option in OPTIONS.values():
        assert option.words.replace("|", "\\|") in rows[option.name], option.name
        assert f"`{option.variable}`" in rows[option.name] or option.variable is None
    for variable, words in VARIABLES.items():
        assert words in rows[variable]


@pytest.mark.parametrize("variable", ["PGUSER", "PGPASSWORD", "PGDATABASE", "PGAPPNAME", "PGOPTIONS", "PGPASSFILE"])
def test_bytes_that_are_no_text_are_refused_by_the_name_of_their_variable(variable: str) -> None:
    """Else they would come to light where a login is encoded, in an error that holds the password."""
    with pytest.raises(ConfigurationError, match=rf"{variable}.* not UTF-8"):
        read(environ={variable: "canary\udcff"})


def test_a_nul_in_a_service_file_is_refused(tmp_path: Path) -> None:
    """It would end the value on its way to the server, and what follows would be read as another parameter."""
    file = tmp_path / "services"
    file.write_bytes(b"[x]\napplication_name=a\0role\0postgres\n")
    with pytest.raises(ConfigurationError, match="NUL"):
        read(environ={"PGSERVICE": "x", "PGSERVICEFILE": str(file)})


@pytest.mark.parametrize("variable", ["PGSERVICEFILE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLCRL"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_a_file_that_is_no_plain_file_is_refused_and_not_opened(variable: str, kind: str, tmp_path: Path) -> None:
    """Opening a pipe that nobody writes to takes for ever, and so does reading a device that never ends."""
    path = {"pipe": tmp_path / "pipe", "device": Path("/dev/zero"), "folder": tmp_path}[kind]
    if kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(ConfigurationError, match="no plain file"):
        read(environ={"PGSERVICE": "x" if variable == "PGSERVICEFILE" else "", variable: str(path)}).tls_attempts()
