"""What a log record of ours carries beside its text, so that a program reads it without taking sentences apart.

Each name begins with `exchanges_db_`: an attribute of a LogRecord, or one of another library, is never meant. Never a
secret, and no value that a caller has sent; docs/sight.md has a row for each event.
"""

from __future__ import annotations

PREFIX = "exchanges_db_"


def event(name: str, /, **fields: object) -> dict[str, object]:
    """Return the `extra` of a log call: what happened, and the figures and names of it; None where one is not known."""
    return {f"{PREFIX}event": name} | {f"{PREFIX}{field}": value for field, value in fields.items()}
