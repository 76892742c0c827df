"""Times that can be sent to the database: with a time zone, in UTC."""

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
