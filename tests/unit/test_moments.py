"""Times that callers pass: of any class of datetime, in any time zone, or refused."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NoReturn

import msgspec
import pytest

from exchanges_db import Exchange, InvalidArgument, InvalidExchange, InvalidSymbol, SymbolSpec
from exchanges_db.moments import check_moment
from tests.factories import exchange_fields
from tests.symbol_rows import as_spec_fields


class Timestamp(datetime):
    """A class as pandas has one."""


class NaT(Timestamp):
    """pandas' time that is none: it passes for a datetime and answers nothing."""

    def utcoffset(self) -> NoReturn:
        """Fail, as theirs does."""
        raise ValueError("NaTType does not support utcoffset")


@pytest.mark.parametrize("kind", [datetime, Timestamp])
@pytest.mark.parametrize("hours", [0, 9, -14])
def test_a_time_of_another_class_is_the_same_time(kind: type[datetime], hours: int) -> None:
    """As a plain datetime in UTC, which drivers and JSON know."""
    given = kind(2026, 1, 31, 12, 30, 1, 5, tzinfo=timezone(timedelta(hours=hours)))
    moment = check_moment(given)
    assert moment == given
    assert type(moment) is datetime
    assert moment.tzinfo is UTC
    assert msgspec.json.encode(moment)


def test_the_hour_that_comes_twice_is_the_one_that_was_meant() -> None:
    """Which of the two it is, `fold` says."""
    from zoneinfo import ZoneInfo

    first = datetime(2025, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert check_moment(first.replace(fold=1)) - check_moment(first) == timedelta(hours=1)


@pytest.mark.parametrize("nothing", [NaT(2026, 1, 1), NaT(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1)])  # noqa: DTZ001
def test_what_is_no_time_is_refused_everywhere(nothing: Any) -> None:
    """By an error of ours that names the field."""
    with pytest.raises(InvalidArgument, match="at must be"):
        check_moment(nothing)
    with pytest.raises(InvalidExchange, match="created_at must be"):
        Exchange(**exchange_fields(created_at=nothing))
    with pytest.raises(InvalidSymbol, match="buy_opens_at must be"):
        SymbolSpec(**as_spec_fields("spot", buy_opens_at=nothing))
