"""Where what dbmate says goes, unless the caller takes it: to the log, a record per line."""

from __future__ import annotations

import logging

from exchanges_db.events import event

log = logging.getLogger("exchanges_db")


def log_line(line: str) -> None:
    """Log one line of dbmate's."""
    log.info("%s", line, extra=event("migrating"))
