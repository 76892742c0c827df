"""A password in a URL that is wrong: no part of it shows up anywhere."""

import itertools
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges_db import ConfigurationError
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


def test_the_canary_would_be_seen() -> None:
    """The check itself fails for a Dsn that shows where a password ended up."""
    assert "kanari" in everything_shown(ConfigurationError("kanari"))
    assert "4711" in f"{Dsn(hosts=(('h', 4711),))}"
