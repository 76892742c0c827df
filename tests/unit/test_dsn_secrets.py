"""A password in a URL that is wrong: no part of it shows up anywhere."""

import errno
import itertools
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges_db import ConfigurationError, Database, Secret
from exchanges_db.database.dsn import Dsn, parse_dsn
from tests.factories import property_settings

PARTS = ("kanari", "4711", "wellensittich")
SPECIAL = "@/#?:%[] =&,\\"


def everything_shown(exc: BaseException) -> str:
    """All that a log, a debugger's header or a crash report would print of an error and its whole chain."""
    shown = ["".join(traceback.format_exception(exc))]
    chain: list[BaseException | None] = [exc]
    while chain:
        one = chain.pop()
        if one is not None:
            shown += [str(one), repr(one), repr(one.args), repr(getattr(one, "__notes__", ""))]
            chain += [one.__cause__, one.__context__]
    # The source line of a caller is no leak of the library.
    return "\n".join(shown)


def locals_shown(exc: BaseException) -> str:
    """All local variables of the library's frames, as crash reporters print them."""
    shown = ""
    chain: list[traceback.TracebackException | None] = [
        traceback.TracebackException.from_exception(exc, capture_locals=True)
    ]
    while chain:
        one = chain.pop()
        if one is not None:
            shown += "".join(str(frame.locals) for frame in one.stack if "exchanges_db/" in frame.filename)
            chain += [one.__cause__, one.__context__]
    return shown


def leaks(url: str) -> list[str]:
    """The parts of the password that an error, or a Dsn's own text, shows."""
    try:
        dsn = parse_dsn(url)
    except ConfigurationError as exc:
        text = everything_shown(exc)
    else:
        text = f"{dsn}{dsn!r}"
    return [part for part in PARTS if part in text]


@pytest.mark.parametrize(
    "form", ["postgresql://bob:{}@h/db", "postgres://bob:{}@h:5432/db?sslmode=require", "bob:{}@h"]
)
@pytest.mark.parametrize("pair", list(itertools.product(SPECIAL, repeat=2)), ids="".join)
def test_an_unencoded_password_is_never_repeated(pair: tuple[str, str], form: str) -> None:
    """Whether the URL is refused or misread, where it leads is printed without a piece of the password."""
    password = PARTS[1] + pair[0] + PARTS[0] + pair[1] + PARTS[2]
    assert leaks(form.format(password)) == []
    assert leaks(form.format(PARTS[0] + pair[0] + PARTS[1] + pair[1] + PARTS[2])) == []


@property_settings(600)
@given(glue=st.lists(st.text(SPECIAL + "x1", max_size=3), min_size=4, max_size=4), order=st.permutations(PARTS))
def test_no_mixture_of_special_characters_leaks(glue: list[str], order: list[str]) -> None:
    """The same for longer runs of them, anywhere in the password."""
    password = glue[0] + "".join(part + between for part, between in zip(order, glue[1:], strict=True))
    assert leaks(f"postgresql://bob:{password}@h/db") == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bob:kanari@h:99999/db", "postgresql://bob:kanari@h/db?sslmode=kanari", "kanari",
        "postgresql://bob:kanari@h/db?connect_timeout=kanari", "postgresql://bob:kan%61ri%00@h/db",
        "postgresql://bob:kanari%ff@h/db", "postgresql://bob:kanari\udcff@h/db", "postgresql://bob:kanari@a..b/db",
        "postgresql://h/db?password=kanari&port=x", "postgresql://h/db?password=kanari%00",
    ],
)  # fmt: skip
def test_an_error_about_another_part_keeps_the_password_too(url: str) -> None:
    """The fault is in the port, an option, a byte or the host."""
    with pytest.raises(ConfigurationError) as info:
        parse_dsn(url)
    assert "kanari" not in everything_shown(info.value).replace(f'"{url}"', "")


def test_a_certificate_that_is_missing_keeps_the_password() -> None:
    """Also in the chain of that error."""
    dsn = parse_dsn("postgresql://bob:kanari@h/db?sslrootcert=/absent.pem")
    with pytest.raises(ConfigurationError) as info:
        dsn.asyncpg_arguments()
    assert "kanari" not in everything_shown(info.value).replace("bob:kanari@", "")


@pytest.mark.parametrize("url", [b"postgresql://bob:kanari@h/db", None, 5, ["kanari"]], ids=repr)
@pytest.mark.parametrize("make", [parse_dsn, Secret, Database])
def test_what_is_no_text_is_no_url(make: Callable[[Any], object], url: object) -> None:
    """As bytes from a file of secrets: said in our words, and shown to nobody who prints the local variables."""
    with pytest.raises(ConfigurationError, match=type(url).__name__) as info:
        parse_dsn(make(url)) if make is Secret else make(url)  # type: ignore[arg-type]  # that is the point
    assert "kanari" not in locals_shown(info.value)


def test_a_home_that_may_not_be_entered_has_no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service often runs with the home of another user, and Python says so by an error, round which stood the URL."""

    def refused(path: object, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.stat", refused)
    monkeypatch.setattr("os.stat", refused)
    assert parse_dsn("postgresql://bob:kanari@h/db", {"HOME": "/root"}).sslfiles == {}


def test_the_canary_would_be_seen() -> None:
    """The check itself fails for a Dsn that shows where a password ended up."""
    assert "kanari" in everything_shown(ConfigurationError("kanari"))
    assert "4711" in f"{Dsn(hosts=(('h', 4711),))}"
