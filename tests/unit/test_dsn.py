"""DATABASE_URL in every form that is met in practice, and its two dialects."""

import ssl
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges_db import ConfigurationError
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.database.dsn_url import DEFAULT_HOSTS
from exchanges_db.database.secret import Secret
from tests.factories import property_settings

USUAL = tuple((host, 5432) for host in DEFAULT_HOSTS)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=30)


def hosts(url: str) -> tuple[tuple[str, int], ...]:
    """The hosts of a URL that is fine."""
    return parse_dsn(url).hosts


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_the_full_form_is_taken_apart(scheme: str) -> None:
    """Both schemes mean the same."""
    dsn = parse_dsn(f"{scheme}://bob:pw@db.example.com:6432/trading")
    assert (dsn.hosts, dsn.user, dsn.database) == ((("db.example.com", 6432),), "bob", "trading")
    assert dsn.password is not None
    assert dsn.password.reveal() == "pw"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://h/d", (("h", 5432),)),
        ("postgresql://h:1/d", (("h", 1),)),
        ("postgresql://h:65535/d", (("h", 65535),)),
        ("postgresql://h/d?port=7", (("h", 7),)),
        ("postgresql://a,b:2,c/d", (("a", 5432), ("b", 2), ("c", 5432))),
        ("postgresql:///d?host=a,b&port=1,2", (("a", 1), ("b", 2))),
        ("postgresql:///d?host=a,b&port=9", (("a", 9), ("b", 9))),
        ("postgresql://h/d?host=wins", (("wins", 5432),)),
        ("postgresql:///d?host=,b", (*USUAL, ("b", 5432))),
        ("postgresql://:5433/d", tuple((host, 5433) for host in DEFAULT_HOSTS)),
        ("postgresql://h:1/d?port=7", (("h", 7),)),
        ("postgresql://[::1]:5433/d", (("::1", 5433),)),
        ("postgresql://u@[fe80::1],h/d", (("fe80::1", 5432), ("h", 5432))),
        ("postgresql://u@/d?socket=/var/run/postgresql", (("/var/run/postgresql", 5432),)),
        ("postgresql://u@/d?host=/tmp/my%20dir&port=5433", (("/tmp/my dir", 5433),)),
        ("postgresql://%2Fvar%2Frun/d", (("/var/run", 5432),)),
        ("postgresql:///d?port=7", tuple((host, 7) for host in DEFAULT_HOSTS)),
        ("postgresql:///d", USUAL),
        ("postgresql://", USUAL),
        ("  postgresql://h/d\n", (("h", 5432),)),
    ],
)  # fmt: skip
def test_hosts_ports_and_sockets(url: str, expected: tuple[tuple[str, int], ...]) -> None:
    """Several hosts, IPv6, and a socket in dbmate's and in libpq's way of writing."""
    assert hosts(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "", "bob", "localhost:5432/d", "mysql://h/d", "postgresql:/h/d", "POSTGRESQL", "postgresql://h:0/d",
        "postgresql://h:65536/d", "postgresql://h:x/d", "postgresql://h:1:2/d", "postgresql://[::1/d",
        "postgresql://::1/d", "postgresql:///d?port=x", "postgresql:///d?host=a,b,c&port=1,2", "postgresql://h/d/e",
        "postgresql://h/d#f", "postgresql://u@v@h/d", "postgresql://h/d?sslmode=yes", "postgresql://h/d?sslmode=",
        "postgresql://h/d?connect_timeout=soon", "postgresql://h/d?connect_timeout=-1", "postgresql://u:p%00w@h/d",
        "postgresql://u%00@h/d", "postgresql://h/d%00", "postgresql://u:\udcff@h/d", "postgresql://u:%ff@h/d",
        "postgresql://h/d?a b=1", "postgresql://h/d?options=%00", "postgresql://h/d?=1", "postgresql://h%00/d",
        f"postgresql://{'x' * 70}.com/d", "postgresql://a..b/d", "postgresql://h/d@e", "postgresql://h:12?34@x/d",
        "postgresql://h:12?en=34@x/d", "postgresql:///d?host=a..b", "postgresql:///d?host=@abstract",
        "postgresql:///d?host=a&port=1,2",
    ],
)  # fmt: skip
def test_what_cannot_be_a_url_is_refused(url: str) -> None:
    """With an error of ours that chains to nothing, since the cause could quote the URL."""
    with pytest.raises(ConfigurationError) as info:
        parse_dsn(url)
    assert info.value.__cause__ is None
    assert info.value.__context__ is None or info.value.__suppress_context__


@property_settings(300)
@given(user=TEXT, password=TEXT, database=TEXT)
def test_any_login_comes_back_from_percent_encoding(user: str, password: str, database: str) -> None:
    """Through our parser, asyncpg's arguments, and the URL for dbmate and back."""
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    url = f"postgresql://{login}@localhost/{quote(database, safe='')}"
    dsn = parse_dsn(url)
    for one in (dsn, parse_dsn(dsn.dbmate_url())):
        arguments = one.asyncpg_arguments()
        assert (arguments["user"], arguments["password"](), arguments["database"]) == (user, password, database)
    parts = urlsplit(dsn.dbmate_url())
    assert unquote(parts.username or "") == user
    assert unquote(parts.password or "") == password


@property_settings(100)
@given(password=TEXT)
def test_a_password_in_the_query_comes_back_too(password: str) -> None:
    """Libpq takes login and database as options as well."""
    dsn = parse_dsn(f"postgresql://h?user=u&dbname=d&password={quote(password, safe='')}")
    assert (dsn.user, dsn.database) == ("u", "d")
    assert dsn.password is not None
    assert dsn.password.reveal() == password
    assert dsn.settings == {}


@pytest.mark.parametrize("raw", ["a:b", "[x]", "100%", "a&b=c", "é!$'()*+,;"])
def test_a_raw_password_without_delimiters_is_taken_as_it_is(raw: str) -> None:
    """Only what would end the password early has to be encoded."""
    password = parse_dsn(f"postgresql://bob:{raw}@h/d").password
    assert password is not None
    assert password.reveal() == raw


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://db.example.com/d", "verify-full"), ("postgresql://10.0.0.1/d", "verify-full"),
        ("postgresql://localhost.example.com/d", "verify-full"), ("postgresql://localhost,far/d", "verify-full"),
        ("postgresql://localhost/d", "prefer"), ("postgresql://127.0.0.9/d", "prefer"),
        ("postgresql://[::1]/d", "prefer"), ("postgresql:///d?port=1", "prefer"),
        ("postgresql:///d?host=/tmp", "prefer"), ("postgresql:///d", "prefer"),
        ("postgresql://db.example.com/d?sslmode=disable", "disable"), ("postgresql://h/d?sslmode=require", "require"),
        ("postgresql://localhost/d?sslmode=verify-ca&sslrootcert=/ca", "verify-ca"),
        ("postgresql://localhost/d?sslrootcert=/ca", "verify-full"), ("postgresql:///d?sslcrl=/c", "verify-full"),
        ("postgresql:///d?host=/tmp&sslrootcert=/ca", "prefer"),
    ],
)  # fmt: skip
def test_a_host_that_is_not_local_is_verified_unless_spelled_out(url: str, mode: str) -> None:
    """The default of the drivers would accept anybody in the middle."""
    assert parse_dsn(url).tls_mode() == mode


def test_a_remote_default_host_is_verified_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the URL names no host, the driver goes where PGHOST says."""
    monkeypatch.setenv("PGHOST", "db.example.com")
    assert parse_dsn("postgresql:///d").tls_mode() == "verify-full"
    monkeypatch.setenv("PGHOST", "/var/run/postgresql")
    assert parse_dsn("postgresql:///d").tls_mode() == "prefer"


def test_tls_for_asyncpg_checks_what_the_mode_says(tmp_path: Path) -> None:
    """A context that verifies, or the mode's own name where nothing is verified."""
    full = parse_dsn("postgresql://h/d").asyncpg_arguments()["ssl"]
    assert isinstance(full, ssl.SSLContext)
    assert (full.verify_mode, full.check_hostname) == (ssl.CERT_REQUIRED, True)
    system = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    ca = parse_dsn(f"postgresql://h/d?sslmode=verify-ca&sslrootcert={system}").asyncpg_arguments()["ssl"]
    assert (ca.verify_mode, ca.check_hostname) == (ssl.CERT_REQUIRED, False)
    assert parse_dsn("postgresql://h/d?sslmode=disable").asyncpg_arguments()["ssl"] is False
    required = parse_dsn("postgresql://h/d?sslmode=require").asyncpg_arguments()["ssl"]
    assert (required.verify_mode, required.check_hostname) == (ssl.CERT_NONE, False)
    (tmp_path / "bad.pem").write_text("no certificate")
    for option in ("sslrootcert", "sslcert"):
        for file in ("bad.pem", "absent.pem"):
            for mode in ("verify-full", "require"):
                dsn = parse_dsn(f"postgresql://h/d?sslmode={mode}&{option}={tmp_path / file}")
                with pytest.raises(ConfigurationError, match="certificate file"):
                    dsn.asyncpg_arguments()


def test_require_with_a_root_certificate_verifies_it_as_libpq_does() -> None:
    """Anyone who names a certificate authority wants it used."""
    system = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    context = parse_dsn(f"postgresql://h/d?sslmode=require&sslrootcert={system}").asyncpg_arguments()["ssl"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, False)


def test_a_client_certificate_is_shown_although_nothing_is_verified(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The mode `require` alone verifies nobody, but the server may still want to know who we are."""
    shown: list[object] = []
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", lambda _, *pair, password: shown.append((pair, password())))
    cert, key = tmp_path / "c.pem", tmp_path / "k.pem"
    cert.touch()
    key.touch(mode=0o600)
    url = f"postgresql://h/d?sslmode=require&sslcert={cert}&sslkey={key}"
    context = parse_dsn(f"{url}&sslpassword=a%2Bb+c").asyncpg_arguments()["ssl"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)
    assert shown == [((str(cert), str(key)), "a+b+c")]
    key.chmod(0o644)
    with pytest.raises(ConfigurationError, match="others can read the key"):
        parse_dsn(url).asyncpg_arguments()


def test_run_time_parameters_reach_the_session_and_libpq_options_do_not() -> None:
    """What only libpq knows would be refused by the server as a setting."""
    dsn = parse_dsn(
        "postgresql://h/d?search_path=a,b&application_name=my%20app&options=-c%20jit%3Doff&channel_binding=prefer"
        "&connect_timeout=7&target_session_attrs=read-write&keepalives=1&gssencmode=disable"
    )
    settings = {"search_path": "a,b", "application_name": "my app", "options": "-c jit=off"}
    arguments = dsn.asyncpg_arguments()
    assert arguments["server_settings"] == settings
    assert arguments["target_session_attrs"] == "read-write"
    assert dsn.connect_timeout == 7
    assert parse_dsn("postgresql://h/d?connect_timeout=0").connect_timeout is None
    query = parse_qs(urlsplit(dsn.dbmate_url()).query)
    assert {name: query[name] for name in settings} == {name: [value] for name, value in settings.items()}


def test_the_arguments_are_a_copy() -> None:
    """Changing them does not change the Dsn."""
    dsn = parse_dsn("postgresql://h/d?a=1")
    dsn.asyncpg_arguments()["server_settings"]["b"] = "2"
    assert dsn.asyncpg_arguments()["server_settings"] == {"a": "1"}


def test_dbmate_gets_a_socket_as_socket() -> None:
    """And no TLS on it, which its driver would demand."""
    url = parse_dsn("postgresql://u@/d?host=/tmp/x&port=5433&sslmode=verify-full").dbmate_url()
    query = parse_qs(urlsplit(url).query)
    assert (query["socket"], query["port"], query["sslmode"]) == (["/tmp/x"], ["5433"], ["disable"])
    assert "sslrootcert" not in query
    assert parse_dsn(url).hosts == (("/tmp/x", 5433),)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u@h:1,g/d", "postgresql://u@h:1/d?sslrootcert=system&sslmode=verify-full"),
        ("postgresql://u:p@[::1]/d", "postgresql://u:p@/d?sslmode=prefer&host=%3A%3A1&port=5432"),
        ("postgresql://u@/d", "postgresql://u@/d?socket=%2Frun%2Fpostgresql&port=5432&sslmode=disable"),
        ("postgresql://u@h/d?sslmode=verify-ca&sslrootcert=/ca", "postgresql://u@h:5432/d?sslrootcert=%2Fca&sslmode=verify-ca"),
        ("postgresql://u@h", "postgresql://u@h:5432/u?sslrootcert=system&sslmode=verify-full"),
        ("postgresql://u@h/d?connect_timeout=7&sslmode=require&sslnegotiation=direct&ssl_min_protocol_version=TLSv1.3",
         "postgresql://u@h:5432/d?ssl_min_protocol_version=TLSv1.3&connect_timeout=7&sslmode=require"),
    ],
)  # fmt: skip
def test_dbmate_gets_the_first_host_and_the_same_tls(url: str, expected: str) -> None:
    """It knows one host only; certificates of the system have to be named to it."""
    assert parse_dsn(url).dbmate_url() == expected


def test_one_host_is_the_same_with_that_host_alone() -> None:
    """Everything else stays."""
    dsn = parse_dsn("postgresql://u@a,b:2/d?x=1")
    one = dsn.one_host(1)
    assert replace(one, passfile=None) == Dsn(
        hosts=(("b", 2),), user="u", database="d", sslmode="verify-full", settings={"x": "1"}
    )
    assert parse_dsn("postgresql://localhost,far/d").one_host(0).tls_mode() == "verify-full"


def test_str_says_where_it_leads_and_nothing_of_the_login() -> None:
    """Safe for every log."""
    assert str(parse_dsn("postgresql://bob:canary@a:1,b/d")) == "d on a:1,b:5432"
    assert str(parse_dsn("postgresql://")) == "the default database on the default host"
    assert str(parse_dsn("postgresql://:5433")) == "the default database on the default host, port 5433"


def test_a_secret_shows_itself_to_reveal_alone() -> None:
    """Neither str nor repr nor format, nor inside a Dsn."""
    secret = Secret("canary")
    assert "canary" not in f"{secret}{secret!r}{secret!s}{Dsn(password=secret)}{Dsn(password=secret)!r}"
    assert secret.reveal() == "canary"
    assert "canary" not in repr(Dsn(password=secret).asyncpg_arguments())


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg", "psycopg2"])
@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_url_of_sqlalchemy_is_told_what_to_drop(scheme: str, driver: str) -> None:
    """And nothing of what follows is repeated."""
    with pytest.raises(ConfigurationError, match=rf"drop \+{driver} and write postgresql://USER") as info:
        parse_dsn(f"{scheme}+{driver}://bob:canary@localhost/d")
    assert "canary" not in str(info.value)


def test_where_the_url_is_silent_the_drivers_variables_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said about a write is where it really went."""
    monkeypatch.setenv("PGHOST", "db.example")
    monkeypatch.setenv("PGDATABASE", "trading")
    assert str(parse_dsn("postgresql://")) == "trading on db.example:5432"
