"""The environment: every variable, its limits, and what is said when one is unusable."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from exchanges_db import ConfigurationError, Database, DownloadSettings, Settings, sync_symbols
from exchanges_db.database import embedded
from exchanges_db.database.settings import database_url, load_dsn, load_settings


def test_an_empty_environment_gives_the_defaults() -> None:
    """Unset and empty mean the same."""
    assert load_settings({}) == Settings()
    assert load_settings({f"EXCHANGES_DB_{name.upper()}": "" for name in Settings.__struct_fields__}) == Settings()


def test_every_field_has_its_variable() -> None:
    """Text of the environment becomes the field's own type."""
    values = {"pool_min": 2, "pool_max": 3, "connect_timeout": 0.5, "acquire_timeout": 1.5, "command_timeout": 2.5}
    environ = {f"EXCHANGES_DB_{name.upper()}": str(value) for name, value in values.items()}
    settings = load_settings({**environ, "EXCHANGES_DB_POOLER": "transaction", "PATH": "/bin"})
    assert msgspec.structs.asdict(settings) == {**values, "pooler": "transaction"}


def test_the_process_environment_is_read_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at import, so that a test or a supervisor can set it."""
    monkeypatch.setenv("EXCHANGES_DB_POOL_MAX", "21")
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/d")
    assert load_settings().pool_max == 21
    assert load_dsn().database == "d"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("POOL_MIN", value) for value in ("-1", "1001", "x", "1.5", "9" * 50)),
        *(("POOL_MAX", value) for value in ("0", "-1", "1001", "many")),
        *((f"{kind}_TIMEOUT", value) for kind in ("CONNECT", "ACQUIRE", "COMMAND")
          for value in ("0", "-1", "3601", "inf", "nan", "soon", "5s")),
        ("POOLER", "session"),
    ],
)  # fmt: skip
def test_an_unusable_variable_is_named(name: str, value: str) -> None:
    """The error says which variable."""
    with pytest.raises(ConfigurationError, match=f"EXCHANGES_DB_{name} is unusable"):
        load_settings({f"EXCHANGES_DB_{name}": value})


def test_a_pool_that_is_smaller_than_its_floor_is_refused() -> None:
    """Both variables are named."""
    with pytest.raises(ConfigurationError, match="EXCHANGES_DB_POOL_MIN is greater than EXCHANGES_DB_POOL_MAX"):
        load_settings({"EXCHANGES_DB_POOL_MIN": "9"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"pool_min": 2, "pool_max": 1}, {"pool_max": 0}, {"pool_min": -1}, {"command_timeout": 0},
        {"connect_timeout": None}, {"acquire_timeout": "5"}, {"pooler": "session"}, {"pool_max": 1.5},
        {"command_timeout": 10**400}, {"connect_timeout": Decimal("sNaN")},
    ],
)  # fmt: skip
def test_settings_made_in_code_obey_the_same_limits(wrong: dict[str, Any]) -> None:
    """Otherwise the driver's own errors, or none, would come much later."""
    with pytest.raises(ConfigurationError, match="EXCHANGES_DB_"):
        Settings(**wrong)


def test_no_database_url_says_what_to_do() -> None:
    """Set it, or pass db=."""
    assert database_url({}) is None
    with pytest.raises(ConfigurationError, match="DATABASE_URL is not set") as info:
        load_dsn({})
    assert "db=Database(url)" in str(info.value)


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_database_url_is_an_error(empty: str) -> None:
    """A deploy whose secret was not filled in must not go on to another database."""
    for read in (database_url, load_dsn):
        with pytest.raises(ConfigurationError, match="a secret that was not filled in"):
            read({"DATABASE_URL": empty})


def test_embedded_asks_for_the_embedded_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else starts it."""
    monkeypatch.setattr(embedded, "start", lambda: "postgresql://u@h/started")
    assert load_dsn({"DATABASE_URL": "embedded:"}).database == "started"


@pytest.mark.parametrize("wrong", [None, 7, b"postgresql://h/d"])
def test_a_database_of_something_else_is_refused(wrong: Any) -> None:
    """At once, not at the first query."""
    with pytest.raises(ConfigurationError, match="URL or a Dsn"):
        Database(wrong)


def test_a_database_shows_where_it_leads_and_no_password() -> None:
    """Its repr can go into a log."""
    assert repr(Database("postgresql://bob:canary@h/d")) == "<Database d on h:5432>"


@pytest.mark.parametrize(
    "wrong",
    [
        *({field: value} for field in ("connect_timeout", "read_timeout", "total_timeout", "first_wait", "longest_wait")
          for value in (0, -1, 3601, float("inf"), float("nan"), "5", None)),
        *({"attempts": value} for value in (0, -1, 101, 1.5, None)),
        *({"max_bytes": value} for value in (0, 2**30 + 1, "1")),
    ],
)  # fmt: skip
def test_a_download_is_as_picky_about_its_settings(wrong: dict[str, Any]) -> None:
    """An attempts of 0 would end in no answer and no error, a wait of NaN in none ever."""
    (field,) = wrong
    with pytest.raises(ConfigurationError, match=f"DownloadSettings.{field} is unusable"):
        DownloadSettings(**wrong)


@pytest.mark.parametrize("wrong", [{"attempts": 1}, 5, Settings])
async def test_settings_are_settings(wrong: Any) -> None:
    """Said where they are passed, not where the first of them is read."""
    with pytest.raises(ConfigurationError, match="settings must be a Settings"):
        Database("postgresql://h/d", wrong)
    with pytest.raises(ConfigurationError, match="settings must be a DownloadSettings"):
        await sync_symbols("MEXC_SPOT", settings=wrong)
