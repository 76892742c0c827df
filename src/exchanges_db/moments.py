"""Times and periods that can be sent to the database: with a time zone, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from exchanges_db.errors import InvalidArgument


def has_zone(moment: object) -> bool:
    """Return whether it is a datetime with a time zone."""
    try:
        return isinstance(moment, datetime) and moment.utcoffset() is not None
    except ValueError:  # pandas' NaT, which is a datetime only by name
        return False


def check_moment(moment: datetime, field: str = "at") -> datetime:
    """Return `moment` in UTC.

    Raises:
        InvalidArgument: it is no datetime, or has no time zone, so that asyncpg would take it as local time; the error
            names `field`.
    """
    if not has_zone(moment):
        raise InvalidArgument(f"{field} must be a datetime with a time zone, such as datetime.now(UTC)", field=field)
    try:
        # A plain datetime also of a subclass, such as pandas' Timestamp, which msgspec does not write.
        return datetime.combine(moment.date(), moment.time(), moment.tzinfo).astimezone(UTC)
    except OverflowError:  # the first or last hours that a datetime can hold, in another time zone
        return datetime.min.replace(tzinfo=UTC) if moment.year == 1 else datetime.max.replace(tzinfo=UTC)


def check_period(since: datetime, until: datetime | None) -> tuple[datetime, datetime]:
    """Return both in UTC; where `until` is None, the second is now.

    Raises:
        InvalidArgument: one of them is not a datetime with a time zone, or `since` is after `until`.
    """
    first = check_moment(since, "since")
    last = datetime.now(UTC) if until is None else check_moment(until, "until")
    if first > last:
        raise InvalidArgument(f"since, {first.isoformat()}, lies after until, {last.isoformat()}", field="since")
    return first, last
